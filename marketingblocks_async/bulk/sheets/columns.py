"""Which column of a file is which field of a post.

The names are the fields of :class:`~marketingblocks_async.CreatePost`; capitals, spaces, ``-``, ``_`` and ``.`` do not
matter. :data:`ALIASES` is the one table of all names. A name that is not in it is refused, since a misspelt column
would otherwise be left out of every post without a word.

A column whose name begins with an underscore (``_row``, ``_error``) is a note and is ignored, whatever the rest of its
name, in files and in objects alike; a mapping that names it, underscore included, still decides. Files of failures
carry such notes, and are read in again as they are.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.models import ChannelType, PostType, PrivacyStatus, PublishMode

from .cells import (
    BLANKS,
    CellReader,
    enum_reader,
    media_reader,
    read_caption,
    read_extra,
    read_key,
    read_schedule_time,
    read_text,
    read_threads,
    read_whole_number,
    tags_reader,
)
from .display import visible

ColumnMapping: TypeAlias = Mapping[str, str | None]
"""Name of a column in the file → field of the post, or ``None`` to ignore the column."""

KEY = "key"
"""The column that identifies a row; not a part of the post."""

LIST_SEPARATOR = "|"
"""What separates the entries of a list inside one cell, unless told otherwise."""

ALIASES: dict[str, tuple[str, ...]] = {
    KEY: ("row key", "row id", "external id"),
    "channel_type": ("channel", "platform", "network", "social network"),
    "channel_id": ("account", "account id"),
    "post_type": ("type",),
    "caption_text": ("caption", "text", "message", "post text"),
    "media_urls": ("media", "media url", "image", "images", "image url", "image urls", "video", "video url"),
    "publish_mode": ("mode", "publish", "publishing mode"),
    "schedule_time": (
        "schedule", "schedule at", "schedule date", "scheduled at", "scheduled for", "scheduled time",
        "publish at", "publish time",
    ),
    "time_zone": ("tz", "zone"),
    "hash_tags": ("hash tag", "tags"),
    "twitter_threads": ("twitter thread", "thread", "tweets"),
    "post_extra": ("youtube extra",),
    "post_extra.title": ("title", "video title", "youtube title"),
    "post_extra.category": ("category", "category id", "youtube category"),
    "post_extra.privacy_status": ("privacy", "privacy status", "visibility", "youtube privacy"),
}  # fmt: skip
"""Every field, and the other names of its column. ``twitter_threads.1.message``, ``twitter_threads.1.media_urls``,
``twitter_threads.2.message``, … are understood as well."""

NOTE_SIGN = "_"
"""What the names of columns begin with that are ignored."""

LISTED_IN_MESSAGES = 5
"""How many wrong columns one message names; all are in the error's ``errors``."""

_SIGNS_OF_ADDRESSES = "\"'[]{}/:.?&=%#@~+-_"
_MOST_TWEETS = 1000
_THREAD_COLUMN = re.compile(r"(?:twitterthreads?|threads?|tweets?)([0-9]{1,4})(message|text|mediaurls?|media)?")
_THREAD_TARGET = re.compile(r"twitter_threads\.([0-9]+)\.(message|media_urls)")


@lru_cache(maxsize=4096)
def normal_name(name: str) -> str:
    """Return ``name`` without what does not matter in a column's name."""
    # Only the head: no column is called by a text of megabytes.
    folded = unicodedata.normalize("NFKC", name[:200]).casefold()
    return "".join(
        character
        for character in folded
        if character not in "-_." and not character.isspace() and unicodedata.category(character) != "Cf"
    )


def is_note(name: str) -> bool:
    """Return whether a column of this name is a note, which is ignored: the name begins with an underscore."""
    return name.lstrip(BLANKS).startswith(NOTE_SIGN)


_TARGETS: dict[str, str] = {
    normal_name(name): target for target, aliases in ALIASES.items() for name in (target, *aliases)
}


def target_of(name: str) -> str | None:
    """Return the field that a column of this name holds, ``None`` if no field is called so.

    Args:
        name: as the file spells it.

    Returns:
        A key of :data:`ALIASES`, or ``twitter_threads.<number>.message`` or ``….media_urls``.

    """
    if is_note(name):
        return None
    normal = normal_name(name)
    if found := _TARGETS.get(normal):
        return found
    if thread := _THREAD_COLUMN.fullmatch(normal):
        number, part = int(thread[1]), "media_urls" if (thread[2] or "").startswith("media") else "message"
        return f"twitter_threads.{number}.{part}" if number <= _MOST_TWEETS else None
    return None


@lru_cache(maxsize=1024)
def nearest_target(name: str) -> str | None:
    """Return the field whose name, or other name, is most like ``name``; ``None`` if none is like it."""
    close = difflib.get_close_matches(normal_name(name), _TARGETS, n=1, cutoff=0.6)
    return _TARGETS[close[0]] if close else None


def _similar_name(name: str) -> tuple[bool, str]:
    return is_note(name), normal_name(name)


class ColumnRules:
    """What a caller says about the columns, checked once and used for every header.

    Args:
        mapping: name of a column → field (or another name of it), ``None`` to ignore the column. Names are compared
            exactly first, then without what does not matter (an underscore at the beginning does).
        list_separator: what separates the entries of a list inside one cell.

    Raises:
        ConfigurationError: a field that there is not, or a separator that cannot separate.

    """

    def __init__(self, mapping: ColumnMapping | None = None, list_separator: str = LIST_SEPARATOR) -> None:
        if not list_separator or any(sign.isalnum() or sign in _SIGNS_OF_ADDRESSES for sign in list_separator):
            msg = f"list_separator={list_separator!r}: give a sign that is no part of an address, for example '|'"
            raise ConfigurationError(msg)
        self.list_separator = list_separator
        self.names: tuple[str, ...] = tuple(mapping or ())
        self._exact: dict[str, str | None] = {}
        for name, field in (mapping or {}).items():
            target = None if field is None else target_of(field)
            if field is not None and target is None:
                msg = f'columns: "{visible(field)}", which "{visible(name)}" is mapped to, is no field of a post'
                raise ConfigurationError(msg + _suggestion(field))
            self._exact[name] = target
        self._similar = {_similar_name(name): target for name, target in self._exact.items()}

    def find(self, name: str) -> tuple[bool, str | None]:
        """Return whether a column's name is known, and the field that it holds (``None`` if it is to be ignored)."""
        known, target = self._find_named(name)
        return known or is_note(name), target

    def count_known(self, names: Iterable[str]) -> int:
        """Return how many of ``names`` are known: how much a row looks like a header. Notes may have any name."""
        return sum(self._find_named(name)[0] for name in names if name.strip(BLANKS))

    def missing_from(self, names: Iterable[str]) -> list[str]:
        """Return the mapping's names that no column has."""
        present = set(names)
        similar = {_similar_name(name) for name in present}
        return [name for name in self.names if name not in present and _similar_name(name) not in similar]

    def _find_named(self, name: str) -> tuple[bool, str | None]:
        if name in self._exact:
            return True, self._exact[name]
        similar = _similar_name(name)
        if similar in self._similar:
            return True, self._similar[similar]
        target = target_of(name)
        return target is not None, target


class Step(NamedTuple):
    """How one column is read.

    Attributes:
        cell: which cell of the row.
        field: the field that it fills.
        read: from the cell to the field's value.

    """

    cell: int
    field: str
    read: CellReader


@dataclass(frozen=True, slots=True)
class HeaderProblem:
    """What is wrong with one column of a header.

    Attributes:
        column: its name in the file.
        message: what to change.

    """

    column: str
    message: str


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a file (or the fields of one object), understood.

    Attributes:
        names: the columns' names as the file spells them.
        fields: the columns' names → the field that each of them holds, ``None`` for those that are ignored.
        steps: how the plain fields are read.
        extra_steps: how the parts of ``post_extra`` are read.
        thread_steps: number of a tweet of ``twitter_threads`` and how it is read, in order.
        key: how the row's key is read, ``None`` if there is no such column.
        unnamed: indexes of columns without a name.
        index_of: field, or part of one such as ``post_extra.title`` → index of its column.
        problems: what is wrong with the header.

    """

    names: tuple[str, ...]
    fields: dict[str, str | None]
    steps: tuple[Step, ...]
    extra_steps: tuple[Step, ...]
    thread_steps: tuple[tuple[int, tuple[Step, ...]], ...]
    key: Step | None
    unnamed: tuple[int, ...]
    index_of: dict[str, int]
    problems: tuple[HeaderProblem, ...]

    def name_of(self, index: int) -> str:
        """Return what to call the column at ``index``: its name, or its letter as a spreadsheet shows it."""
        name = visible(self.names[index]) if index < len(self.names) else ""
        return name or f"column {column_letter(index)}"


def column_letter(index: int) -> str:
    """Return how a spreadsheet calls the column at ``index`` (from 0): A, B, …, Z, AA, …."""
    letters = ""
    number = index + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def compile_layout(names: Sequence[str], rules: ColumnRules) -> Layout:
    """Return how rows with these columns are read.

    Args:
        names: the columns' names as the file spells them, in order; a blank one is a column without a name.
        rules: what the caller says about columns.

    Returns:
        The layout, with everything that is wrong in its ``problems``.

    """
    problems: list[HeaderProblem] = []
    fields: dict[str, str | None] = {}
    indexes: dict[str, int] = {}
    column_of: dict[str, str] = {}
    unnamed: list[int] = []
    for index, given in enumerate(names):
        name = given.strip(BLANKS)
        if not name:
            unnamed.append(index)
            continue
        known, target = rules.find(name)
        shown = visible(name)
        if not known:
            problems.append(HeaderProblem(shown, _unknown_column(shown, name)))
        elif target is not None and target in indexes:
            problems.append(HeaderProblem(shown, _same_field(column_of[target], shown, target)))
        elif target is not None:
            indexes[target] = index
            column_of[target] = shown
        fields[shown] = target
    problems += _overlaps(column_of)
    readers = _readers(rules.list_separator)
    return Layout(
        names=tuple(names),
        fields=fields,
        steps=tuple(Step(indexes[field], field, readers[field]) for field in _PLAIN_FIELDS if field in indexes),
        extra_steps=tuple(
            Step(index, target.removeprefix("post_extra."), readers[target])
            for target, index in indexes.items()
            if target.startswith("post_extra.")
        ),
        thread_steps=_thread_steps(indexes, rules.list_separator, problems),
        key=Step(indexes[KEY], KEY, read_key) if KEY in indexes else None,
        unnamed=tuple(unnamed),
        index_of=indexes,
        problems=tuple(problems),
    )


_PLAIN_FIELDS = tuple(target for target in ALIASES if target != KEY and "." not in target)


@lru_cache(maxsize=16)
def _readers(separator: str) -> dict[str, CellReader]:
    return {
        "channel_type": enum_reader(ChannelType),
        "channel_id": read_whole_number,
        "post_type": enum_reader(PostType),
        "caption_text": read_caption,
        "media_urls": media_reader(separator),
        "publish_mode": enum_reader(PublishMode),
        "schedule_time": read_schedule_time,
        "time_zone": read_text,
        "hash_tags": tags_reader(separator),
        "twitter_threads": read_threads,
        "post_extra": read_extra,
        "post_extra.title": read_text,
        "post_extra.category": read_whole_number,
        "post_extra.privacy_status": enum_reader(PrivacyStatus),
    }


def _thread_steps(
    indexes: Mapping[str, int], separator: str, problems: list[HeaderProblem]
) -> tuple[tuple[int, tuple[Step, ...]], ...]:
    tweets: dict[int, list[Step]] = {}
    part_readers: dict[str, Callable[[object], object]] = {
        "message": read_text,
        "media_urls": media_reader(separator),
    }
    for target, index in indexes.items():
        if thread := _THREAD_TARGET.fullmatch(target):
            tweets.setdefault(int(thread[1]), []).append(Step(index, thread[2], part_readers[thread[2]]))
    numbers = sorted(tweets)
    if numbers and (numbers[0] > 1 or numbers != list(range(numbers[0], numbers[0] + len(numbers)))):
        absent = next(number for number in range(1, numbers[-1]) if number not in tweets)
        name = f"twitter_threads.{absent}.message"
        problems.append(HeaderProblem(name, f"there are tweets after number {absent}, but no column {name}; add it"))
    return tuple((number, tuple(tweets[number])) for number in numbers)


def _overlaps(column_of: Mapping[str, str]) -> Iterable[HeaderProblem]:
    for whole in ("twitter_threads", "post_extra"):
        parts = [target for target in column_of if target.startswith(f"{whole}.")]
        if whole in column_of and parts:
            yield HeaderProblem(column_of[parts[0]], _same_field(column_of[whole], column_of[parts[0]], whole))


def _same_field(first: str, second: str, field: str) -> str:
    return (
        f'the columns "{first}" and "{second}" both hold {field}; remove one of them, '
        f'or ignore one by mapping it to None: {{"{second}": None}}'
    )


def _unknown_column(shown: str, name: str) -> str:
    return (
        f'"{shown}" is no field of a post{_suggestion(name)}; rename the column, '
        f'map it to a field, or ignore it by mapping it to None: {{"{shown}": None}}'
    )


def _suggestion(name: str) -> str:
    near = nearest_target(name)
    return f"; did you mean {near}?" if near else ""
