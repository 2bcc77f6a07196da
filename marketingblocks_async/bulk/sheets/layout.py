"""From the header of a file to the way its rows are read.

A header is found, understood, or refused with what to do about it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from marketingblocks_async.bulk.errors import SourceError
from marketingblocks_async.bulk.plan import RowError, SourceInfo
from marketingblocks_async.models import ChannelType, CreatePost, PostType, PrivacyStatus, PublishMode

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
from .columns import ALIASES, KEY, LISTED_IN_MESSAGES, ColumnRules, suggestion
from .display import readable, visible

HINT_ROWS = 10
"""Rows below a first row without known names that are searched for one that looks like the header."""

_THREAD_TARGET = re.compile(r"twitter_threads\.([0-9]+)\.(message|media_urls)")


class Step(NamedTuple):
    """The way to read one column.

    Attributes:
        cell: index of the cell in the row.
        field: the field that it fills.
        read: returns the field's value for a cell.

    """

    cell: int
    field: str
    read: CellReader


@dataclass(frozen=True, slots=True)
class HeaderProblem:
    """A problem with one column of a header.

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
        """Return the name of the column at ``index``, or its letter as a spreadsheet shows it."""
        name = visible(self.names[index]) if index < len(self.names) else ""
        return name or f"column {column_letter(index)}"


def column_letter(index: int) -> str:
    """Return a spreadsheet's letters for the column at ``index`` (from 0): A, B, …, Z, AA, …."""
    letters = ""
    number = index + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def compile_layout(names: Sequence[str], rules: ColumnRules) -> Layout:
    """Return the layout of rows with these columns.

    Args:
        names: names of the columns in order, as the file spells them; blank for a column without a name.
        rules: the caller's rules for columns.

    Returns:
        The layout; its ``problems`` say what is wrong.

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
        f'"{shown}" is no field of a post{suggestion(name)}; rename the column, '
        f'map it to a field, or ignore it by mapping it to None: {{"{shown}": None}}'
    )


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The reason why a row has no cells.

    Attributes:
        message: what to change.
        column: the column concerned; empty if it is the whole row.
        value: the row as errors show it.

    """

    message: str
    column: str = ""
    value: str = ""


@dataclass(slots=True)
class RawRow:
    """One row of a source.

    Attributes:
        number: number of the data row, from 1; the header and blank rows do not count.
        cells: contents of its cells, in the order of the columns; there may be fewer cells than columns.
        layout: the way to read them.
        file: the file as it was given; empty if the rows come from elsewhere.
        line: line of the text file (of the row's beginning) or row of the sheet, from 1; ``None`` if there is none.
        unreadable: why there are no cells; ``None`` if there are.
        post: the ready-made post, if the source gives posts.

    """

    number: int
    cells: Sequence[object]
    layout: Layout
    file: str = ""
    line: int | None = None
    unreadable: Unreadable | None = None
    post: CreatePost | None = None

    def as_read(self) -> dict[str, str]:
        """Return name of the column → content of the cell, shortened and without empty cells."""
        return {self.layout.name_of(index): text for index, cell in enumerate(self.cells) if (text := readable(cell))}


def checked_header(names: Sequence[str], line: int, info: SourceInfo, rules: ColumnRules) -> Layout:
    """Return the layout of the rows below a header.

    Args:
        names: the header's cells.
        line: line of the header in the file, from 1.
        info: receives the columns.
        rules: the caller's rules for columns.

    Raises:
        SourceError: a column is not known, a field has two columns, or the mapping names a column that is missing;
            ``errors`` has all of them.

    """
    layout = compile_layout(names, rules)
    info.columns = layout.fields
    problems = [(problem.column, problem.message) for problem in layout.problems]
    problems += [
        (visible(name), f'the mapping names the column "{visible(name)}", which is not in the header')
        for name in rules.missing_from(each.strip() for each in names)
    ]
    if problems:
        errors = [RowError(None, column, "", message, info.file, line) for column, message in problems]
        listed = "; ".join(message for _, message in problems[:LISTED_IN_MESSAGES])
        more = len(problems) - LISTED_IN_MESSAGES
        msg = f"{listed}; and {more} more" if more > 0 else listed
        raise SourceError(msg, file=info.file, line=line, errors=errors)
    return layout


def no_header(names: Sequence[str], line: int, later: Iterable[tuple[int, int]], info: SourceInfo) -> SourceError:
    """Return the error for a first row that has no known column name.

    Args:
        names: the first row's cells.
        line: line of the first row.
        later: (line, number of known names) of some rows below it.
        info: the source.

    """
    found, known = max(later, key=lambda pair: (pair[1], -pair[0]), default=(0, 0))
    first = visible(next((name for name in names if name.strip()), ""))
    if first.startswith(("{", "[")):
        msg = "this is JSON; write one object a line and name the file .jsonl"
    elif first.startswith("<"):
        msg = "this is a web page or an XML file, not a table; export the sheet as CSV"
    elif known > 1:
        msg = f'the first row ("{first}") is not the header, but line {found} looks like it; delete the rows above that'
    else:
        msg = (
            f'the first row ("{first}") has no known column name; its cells must be the names of the columns: '
            "channel_type, channel_id, post_type, caption_text, media_urls, publish_mode, …"
        )
    return SourceError(msg, file=info.file, line=line)
