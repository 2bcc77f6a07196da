"""Turn rows back into cells, for files that are corrected and read in again.

The cells of a valid post, read with default options, make the same request. The cells of an invalid row are those of
the file, in the one dialect that default options read; correcting the wrong ones is enough. Three marks keep the copy
true where a cell alone could not:

* A text that a spreadsheet would take for a formula, or that reading would change (white space at its ends, ``|`` in
  hash tags), is between double quotes, and the note ``_quoted`` names its column.
* A cell that would look valid although the original is not, such as a formula, begins with ``#CORRECT!``.
* What has no column of its own is in the note ``_to_check``, which keeps the row from being sent until it is emptied.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from enum import Enum
from functools import lru_cache
from typing import Any, cast

from pydantic import BaseModel

from marketingblocks_async.bulk.plan import RowError
from marketingblocks_async.models import CreatePost
from marketingblocks_async.models.base import RequestModel, is_array, is_object
from marketingblocks_async.models.schedule import split_moment

from .cells import BLANKS, CORRECT_MARK, CellError, is_blank
from .columns import KEY, LIST_SEPARATOR, QUOTED, TO_CHECK, ColumnRules, is_note
from .layout import Layout, RawRow, Step, compile_layout
from .reading import cells_of, key_of
from .rows import Row, parse_row

FLAT_COLUMNS: tuple[str, ...] = (
    "channel_type",
    "channel_id",
    "post_type",
    "caption_text",
    "media_urls",
    "publish_mode",
    "schedule_time",
    "time_zone",
    "hash_tags",
    "twitter_threads",
    "post_extra.title",
    "post_extra.category",
    "post_extra.privacy_status",
)
"""The columns that hold a whole post; a file of rows from ``flatten_post()`` has them, and ``key`` if need be."""

_FORMULA_SIGNS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""Signs with which a cell begins that a spreadsheet may take for a formula."""

_MOST_TWEET_COLUMNS = 1000
_EXTRA_NAMES = {
    "title": "title",
    "category": "category",
    "privacyStatus": "privacy_status",
    "privacy_status": "privacy_status",
}


def flatten_post(post: CreatePost, list_separator: str = LIST_SEPARATOR) -> dict[str, str]:
    """Return the cells that say ``post``: reading them gives an equal post.

    What plain cells cannot say is the exception: a caption without text (a blank cell means "not given"), white space
    at the ends of texts, the errors of spreadsheets (``#N/A``), and ``list_separator`` inside of hash tags. Files
    of failures mark such texts.

    Args:
        post: the post.
        list_separator: text between the entries of a list inside one cell.

    Returns:
        A cell for each of ``FLAT_COLUMNS``, in this order; empty if the post has nothing there.

    """
    cells = dict.fromkeys(FLAT_COLUMNS, "")
    cells |= {
        "channel_type": post.channel_type.value,
        "channel_id": str(post.channel_id),
        "post_type": post.post_type.value,
        "caption_text": post.caption_text,
        "media_urls": _addresses(post.media_urls, list_separator),
        "publish_mode": post.publish_mode.value,
        "schedule_time": post.schedule_time or "",
        "time_zone": post.time_zone or "",
        "hash_tags": post.hash_tags or "",
    }
    if post.twitter_threads is not None:
        cells["twitter_threads"] = _json(post.twitter_threads)
    if post.post_extra is not None:
        cells["post_extra.title"] = post.post_extra.title
        cells["post_extra.category"] = str(int(post.post_extra.category))
        cells["post_extra.privacy_status"] = post.post_extra.privacy_status.value
    return cells


def copy_of_post(post: CreatePost) -> dict[str, str]:
    """Return the cells of a valid post, marked so that reading them gives the same request. Empty ones are left out."""
    copy = _Copy()
    for target, text in flatten_post(post).items():
        if target in ("caption_text", "hash_tags", "post_extra.title"):
            continue
        if text and target != "twitter_threads":
            copy.add(target, text)
    copy.add_text("caption_text", post.caption_text)
    if post.hash_tags is not None:
        copy.add_text("hash_tags", post.hash_tags)
    if post.post_extra is not None:
        copy.add_text("post_extra.title", post.post_extra.title)
    if post.twitter_threads is not None:
        copy.add_threads([tweet.wire() for tweet in post.twitter_threads])
    return copy.cells()


def copy_of_key(key: str) -> dict[str, str]:
    """Return the cell of a key."""
    copy = _Copy()
    copy.add_text(KEY, key)
    return copy.cells()


def copy_of_row(raw: RawRow, errors: Sequence[RowError]) -> dict[str, str]:
    """Return the cells of an invalid row, marked so that the copy is invalid too until the wrong cells are corrected.

    Returns:
        Column → text, without empty cells. Columns that were ignored are there as notes.

    """
    if raw.post is not None:
        return copy_of_post(raw.post)
    copy = _Copy()
    layout, cells = raw.layout, cells_of(raw)
    steps = [*_steps(layout)]
    for step in steps:
        _copy_cell(copy, step, cells[step.cell] if step.cell < len(cells) else None, layout.list_separator)
    if raw.part and (key := key_of(raw)) is not None:
        # The copy is read without the recipe, so each part of the row needs a key of its own.
        copy.add_text(KEY, key)
    _copy_schedule_time(copy, layout, cells)
    _mark_gaps(copy, layout)
    known = {step.cell for step in steps} | {layout.to_check, layout.quoted}
    wrong = {problem.column for problem in layout.problems}
    for index, cell in enumerate(cells):
        name = layout.name_of(index)
        if index in known or is_blank(cell):
            continue
        if index >= len(layout.names) or index in layout.unnamed or name in wrong:
            copy.to_check.append(f'the column "{name}" holds "{text_of(cell)}", which belongs to no field')
        elif name not in (QUOTED, TO_CHECK):
            copy.notes[name if is_note(name) else f"_{name}"] = text_of(cell)
    if raw.unreadable is not None:
        copy.to_check.append(f"{raw.unreadable.message} ({raw.unreadable.text or raw.unreadable.value})")
    if layout.to_check is not None and not is_blank(cells[layout.to_check]):
        copy.to_check.append(text_of(cells[layout.to_check]))
    _keep_invalid(copy, layout, errors)
    return copy.cells()


class _Copy:
    """Collects the cells of one row.

    Attributes:
        to_check: what has no column of its own.
        notes: name of a note → text, for columns that were ignored.

    """

    def __init__(self) -> None:
        self._cells: dict[str, str] = {}
        self._exact: set[str] = set()
        self.to_check: list[str] = []
        self.notes: dict[str, str] = {}

    def __contains__(self, target: object) -> bool:
        return target in self._cells

    def add(self, target: str, text: str) -> None:
        """Add a cell whose text reading does not change."""
        self._cells[target] = text
        if (escaped := escape(text)) != text:
            # Half of a surrogate pair, which cannot be written; its escape must not be published.
            self._cells[target] = escaped
            self.mark(target)

    def add_text(self, target: str, text: str) -> None:
        """Add a text that may need quotes to be read unchanged."""
        self.add(target, text)
        if self._cells[target] == text and _read(target, text) != text:
            self._exact.add(target)

    def add_wrong(self, target: str, text: str) -> None:
        """Add the text of a cell that cannot be used; it gets a mark if it looks valid."""
        self.add(target, text)
        try:
            _reader(target)(self._cells[target])
        except CellError:
            return
        self.mark(target)

    def mark(self, target: str) -> None:
        """Mark a cell as one that has to be corrected."""
        self._exact.discard(target)
        self._cells[target] = f"{CORRECT_MARK} {self._cells.get(target, '')}".rstrip()

    def add_threads(self, tweets: object) -> None:
        """Add a thread: in columns of its own for each tweet if they can say it, else as JSON."""
        parts = _thread_cells(tweets)
        if parts is None:
            self.add("twitter_threads", _json(tweets))
            return
        for target, text in parts.items():
            (self.add_text if target.endswith("message") else self.add)(target, text)

    def cells(self) -> dict[str, str]:
        """Return the cells with their quotes, and the notes."""
        found: dict[str, str] = {}
        quoted: list[str] = []
        for target, text in self._cells.items():
            is_quoted = target in self._exact or looks_like_formula(text)
            found[target] = f'"{text}"' if is_quoted else text
            if is_quoted:
                quoted.append(target)
        notes = {**self.notes, TO_CHECK: "; ".join(self.to_check), QUOTED: ", ".join(quoted)}
        return found | {escape(name): safe_text(escape(text)) for name, text in notes.items() if text}


def escape(text: str) -> str:
    """Return a text that can be written as UTF-8: half of a surrogate pair becomes an escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def looks_like_formula(text: str) -> bool:
    """Return whether a spreadsheet may take a cell for a formula."""
    return text.startswith(_FORMULA_SIGNS) or text.lstrip(BLANKS).startswith(_FORMULA_SIGNS)


def safe_text(text: str) -> str:
    """Return a text for people that no spreadsheet takes for a formula."""
    return f'"{text}"' if looks_like_formula(text) else text


def _steps(layout: Layout) -> Iterator[Step]:
    """Yield the steps of a layout, each with its whole target as field."""
    yield from layout.steps
    for index, part, read in layout.extra_steps:
        yield Step(index, f"post_extra.{part}", read)
    for number, steps in layout.thread_steps:
        for index, part, read in steps:
            yield Step(index, f"twitter_threads.{number}.{part}", read)
    if layout.key is not None:
        yield layout.key


def _copy_cell(copy: _Copy, step: Step, cell: object, separator: str) -> None:
    target = step.field
    try:
        value = step.read(cell)
    except CellError:
        copy.add_wrong(target, _wrong_text(target, cell, separator))
        return
    if value is None:
        return
    if target == "twitter_threads":
        copy.add_threads(value)
    elif target == "post_extra":
        _copy_extra(copy, value)
    elif target == "hash_tags" and not isinstance(value, str):
        tags = [str(tag) for tag in value]
        joined = ",".join(tags)
        is_valid = all(tag.strip() and not any(sign == "," or sign.isspace() for sign in tag) for tag in tags)
        (copy.add_text if is_valid else copy.add)(target, joined if is_valid else LIST_SEPARATOR.join(tags))
    elif target.endswith("media_urls"):
        copy.add(target, _addresses(value, LIST_SEPARATOR))
    elif isinstance(value, str) and not isinstance(value, Enum):
        copy.add_text(target, value)
    elif isinstance(value, datetime):
        copy.add(target, value.isoformat(" ", "minutes"))
    else:
        copy.add(target, str(value))


def _copy_schedule_time(copy: _Copy, layout: Layout, cells: Sequence[object]) -> None:
    """Write a datetime that has a zone of its own as the request object sends it."""
    index, zone_index = layout.index_of.get("schedule_time"), layout.index_of.get("time_zone")
    moment = None if index is None else cells[index]
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        return
    zone = None if zone_index is None else cells[zone_index]
    try:
        schedule_time, time_zone = split_moment(moment, zone if isinstance(zone, str) else None)
    except ValueError:
        return
    copy.add("schedule_time", schedule_time)
    copy.add("time_zone", time_zone)


def _mark_gaps(copy: _Copy, layout: Layout) -> None:
    """Mark the message of an empty tweet before one that is not."""
    filled = [number for number, steps in layout.thread_steps if any(_tweet(number, s.field) in copy for s in steps)]
    for number, _ in layout.thread_steps:
        if filled and number < filled[-1] and number not in filled:
            copy.mark(_tweet(number, "message"))


def _tweet(number: int, part: str) -> str:
    return f"twitter_threads.{number}.{part}"


def _copy_extra(copy: _Copy, value: object) -> None:
    """Add ``post_extra`` in its columns if they can say it, else as JSON."""
    parts = value.wire() if isinstance(value, RequestModel) else value
    plain = is_object(parts) and all(
        name in _EXTRA_NAMES and isinstance(each, str | int) and not isinstance(each, bool) and each != ""
        for name, each in parts.items()
    )
    if not plain or not parts:
        copy.add("post_extra", _json(value))
        return
    for name, each in cast("dict[str, str | int]", parts).items():
        target = f"post_extra.{_EXTRA_NAMES[name]}"
        (copy.add_text if name == "title" and isinstance(each, str) else copy.add)(target, str(each))


def _thread_cells(tweets: object) -> dict[str, str] | None:
    """Return a thread as the cells of columns for each tweet; ``None`` if they cannot say it."""
    if not is_array(tweets) or not 0 < len(tweets) <= _MOST_TWEET_COLUMNS:
        return None
    cells: dict[str, str] = {}
    for number, given in enumerate(tweets, 1):
        tweet = given.wire() if isinstance(given, RequestModel) else given
        if not is_object(tweet) or not tweet.keys() <= {"message", "media_urls"} or not tweet:
            return None
        message, addresses = tweet.get("message"), tweet.get("media_urls")
        if "message" in tweet:
            if not isinstance(message, str):
                return None
            cells[_tweet(number, "message")] = message
        if addresses is not None:
            if not is_array(addresses):
                return None
            cells[_tweet(number, "media_urls")] = _addresses(addresses, LIST_SEPARATOR) or "[]"
    return cells


def _wrong_text(target: str, cell: object, separator: str) -> str:
    """Return the text of a cell that cannot be used, as the file shows it, with lists in the one dialect."""
    text = text_of(cell)
    if not isinstance(cell, str) or separator == LIST_SEPARATOR or text.startswith("["):
        return text
    if not target.endswith(("media_urls", "hash_tags")):
        return text
    parts = [stripped for part in text.split(separator) if (stripped := part.strip(BLANKS))]
    return _addresses(parts, LIST_SEPARATOR) if target.endswith("media_urls") else LIST_SEPARATOR.join(parts)


def text_of(cell: object) -> str:
    """Return the whole text of a cell."""
    match cell:
        case None:
            return ""
        case bool():
            return str(cell).upper()
        case datetime():
            return cell.isoformat(" ", "seconds" if cell.second else "minutes")
        case str() | int() | float() | date() | time():
            return str(cell)
        case _:
            if (content := getattr(cell, "content", None)) is not None:
                return text_of(content)
            shown = getattr(cell, "shown", None)
            return shown if isinstance(shown, str) else _json(cell)


def _keep_invalid(copy: _Copy, layout: Layout, errors: Sequence[RowError]) -> None:
    """Mark the cells that the errors are about, or say the errors, if the copy would be read as a valid row."""
    if not isinstance(_read_copy(copy), Row):
        return
    marked = False
    for error in errors:
        target = KEY if error.column == KEY else layout.fields.get(error.column)
        if target is not None and target in copy:
            copy.mark(target)
            marked = True
    if not marked or isinstance(_read_copy(copy), Row):
        copy.to_check.append("; ".join(error.message for error in errors))


def _read_copy(copy: _Copy) -> Row | list[RowError]:
    cells = copy.cells()
    return parse_row(RawRow(1, list(cells.values()), _default_layout(tuple(cells))))


@lru_cache(maxsize=256)
def _default_layout(names: tuple[str, ...]) -> Layout:
    return compile_layout(names, ColumnRules())


@lru_cache(maxsize=256)
def _reader(target: str) -> Any:
    return next(_steps(_default_layout((target,)))).read


def _read(target: str, text: str) -> object:
    try:
        return _reader(target)(text)
    except CellError:
        return None


def _addresses(addresses: Sequence[object], separator: str) -> str:
    # An address with the separator in it, or one that reads like several, is only clear as JSON.
    plain = all(
        isinstance(each, str)
        and separator not in each
        and "," not in each
        and ";" not in each
        and each.split() == [each]
        and not each.startswith(("[", "#"))
        for each in addresses
    )
    return separator.join(map(str, addresses)) if plain else _json(addresses)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, RequestModel):
        return value.wire()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, object]", value))
    if isinstance(value, tuple | set | frozenset):
        return list(cast("Sequence[object]", value))
    return str(value)
