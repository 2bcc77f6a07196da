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
from marketingblocks_async.models.schedule import zones_of_label

from .approval_words import approval_in
from .cells import (
    BLANKS,
    CellReader,
    channel_id_reader,
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
from .columns import (
    ALIASES,
    KEY,
    LIST_SEPARATOR,
    LISTED_IN_MESSAGES,
    QUOTED,
    TO_CHECK,
    ColumnRules,
    nearest_target,
    normal_name,
    numbered,
    platform_in,
    suggestion,
    usual_target,
    without_bracket,
)
from .display import visible
from .words import PYTHON, Words

DELIMITERS = (",", ";", "\t", "|")
"""The delimiters of CSV files that are detected; a first line ``sep=…`` can name another one."""

HINT_ROWS = 10
"""Rows below a first row without known names that are searched for one that looks like the header."""

JSON_FOUND = "this is JSON; name the file .json if it is a list of objects, .jsonl if it has one object a line"

_THREAD_TARGET = re.compile(r"twitter_threads\.([0-9]+)\.(message|media_urls)")


class Step(NamedTuple):
    """The way to read one column: which cell of the row, and which field it fills."""

    cell: int
    field: str
    read: CellReader


@dataclass(frozen=True, slots=True)
class HeaderProblem:
    """A problem with one column of a header: the column's name in the file, and what to change."""

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
        words: how errors name the options.
        list_separator: text between the entries of a list inside one cell.
        quoted: index of the note that names columns whose text is in quotes; ``None`` if there is none.
        to_check: index of the note that keeps a row from being sent; ``None`` if there is none.

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
    words: Words = PYTHON
    list_separator: str = LIST_SEPARATOR
    quoted: int | None = None
    to_check: int | None = None

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
    """Return the layout of rows with these columns, as the file spells them; its ``problems`` say what is wrong.

    A column without a name is blank.
    """
    if rules.is_translated:
        return Layout(tuple(names), {}, (), (), (), None, (), {}, ())
    problems: list[HeaderProblem] = []
    fields: dict[str, str | None] = {}
    indexes: dict[str, int] = {}
    column_of: dict[str, str] = {}
    unnamed: list[int] = []
    for index, (given, in_order) in enumerate(zip(names, numbered(names), strict=True)):
        # Of two columns with one name, the mapping may name the second "name #2".
        name = in_order if in_order in rules.names else given.strip(BLANKS)
        if not name:
            unnamed.append(index)
            continue
        known, target = rules.find(name)
        shown = visible(name)
        if not known:
            problems.append(HeaderProblem(shown, unknown_column(shown, name, rules.words)))
        elif target is not None and target in indexes:
            problems.append(
                HeaderProblem(
                    shown, same_field(column_of[target], visible(in_order.strip(BLANKS)), target, rules.words)
                )
            )
        elif target is not None:
            indexes[target] = index
            column_of[target] = shown
        fields[shown] = target
    readers = _readers(rules.list_separator, rules.words)
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
        words=rules.words,
        list_separator=rules.list_separator,
        quoted=_note_at(names, QUOTED, fields),
        to_check=_note_at(names, TO_CHECK, fields),
    )


_PLAIN_FIELDS = tuple(target for target in ALIASES if target != KEY and "." not in target)


@lru_cache(maxsize=16)
def _readers(separator: str, words: Words) -> dict[str, CellReader]:
    return {
        "channel_type": enum_reader(ChannelType, words),
        "channel_id": channel_id_reader(words),
        "post_type": enum_reader(PostType),
        "caption_text": read_caption,
        "media_urls": media_reader(separator, words),
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


def _note_at(names: Sequence[str], note: str, fields: Mapping[str, str | None]) -> int | None:
    """Return the index of the column that is this note, unless the caller maps it to a field."""
    return next(
        (index for index, name in enumerate(names) if name.strip(BLANKS) == note and fields[note] is None), None
    )


_ANY_FIELD = "FIELD"
"""Stands in advice for the name of a field."""


def same_field(first: str, second: str, field: str, words: Words) -> str:
    """Return what to do about two columns that hold one field."""
    leave = f"remove one of them, or leave one out: {words.ignore(first)} or {words.ignore(second)}"
    if field == "caption_text":
        own = [words.map(name, own_caption(name)) for name in (first, second)]
        leave = f"if each is for one platform, say {own[0]} and {own[1]}; otherwise {leave}"
    elif field == "media_urls":
        leave = f"to send what both hold, say {words.option('recipe', 'calendar')}; otherwise {leave}"
    return f'the columns "{first}" and "{second}" both hold {field}; {leave}'


def own_caption(name: str) -> str:
    """Return the field of a column that holds the caption of one platform."""
    found = platform_in(name)
    return f"{found[0] if found else 'PLATFORM'}.caption_text"


_TIMES = frozenset({"schedule_time", "date", "time"})


def unknown_column(shown: str, name: str, words: Words) -> str:
    """Return what to do about a column that holds no field."""
    if approval_in(name) is not None:
        # To leave it out would send the rows that are not approved.
        return (
            f'"{shown}" is no field of a post; choose the rows to send with '
            f"{words.where(shown, '=VALUE')}, or leave the column out to send all rows: {words.ignore(shown)}"
        )
    usual = usual_target(name)[0]
    # A column that the caller maps has the zone of all, so "(EST)" in its name is not checked any more.
    zones = zones_of_label(without_bracket(name)[1]) if usual in _TIMES else ()
    zone = f" and {words.set('time_zone', zones[0])}" if zones else ""
    return (
        f'"{shown}" is no field of a post{"" if usual else suggestion(name)}; say which one it is, '
        f"{words.map(shown, usual or nearest_target(name) or _ANY_FIELD)}{zone}, or leave it out: {words.ignore(shown)}"
    )


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The reason why a row has no cells: what to change, the column concerned, and the row as errors show it.

    ``text`` is the whole text of a row without cells.
    """

    message: str
    column: str = ""
    value: str = ""
    text: str = ""


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
        part: which of the posts that the row makes, from 1; 0 if it makes one.
        is_hidden: whether the spreadsheet does not show the row.

    """

    number: int
    cells: Sequence[object]
    layout: Layout
    file: str = ""
    line: int | None = None
    unreadable: Unreadable | None = None
    post: CreatePost | None = None
    part: int = 0
    is_hidden: bool = False

    def identity(self, key: str | None) -> str:
        """Return what identifies the post that the row, or its part, makes; its key column may hold a ``key``."""
        own = key or str(self.number)
        return f"{own}/{self.part}" if self.part else own


def checked_header(names: Sequence[str], line: int, info: SourceInfo, rules: ColumnRules) -> Layout:
    """Return the layout of the rows below a header.

    Raises:
        SourceError: a column is not known, a field has two columns, or the mapping names a column that is missing;
            ``errors`` has all of them.

    """
    layout = compile_layout(names, rules)
    info.columns = layout.fields
    problems = [(problem.column, problem.message) for problem in layout.problems]
    problems += [
        (
            visible(name),
            f'the mapping names the column "{visible(name)}", which is not in the header; {columns_in(names)}',
        )
        for name in rules.missing_from(each.strip() for each in names)
    ]
    if problems:
        advice, more = rules.advice(names), other_sheets(info, rules.words)
        if not advice and len(problems) > LISTED_IN_MESSAGES and len(problems) * 2 > len(names):
            # To leave out each of them takes an option for each.
            more = (
                f"; to leave out all columns that hold no field, say {rules.words.option('recipe', 'calendar')}{more}"
            )
        raise header_error(problems, info, line, advice, more)
    return layout


def columns_in(names: Sequence[str]) -> str:
    """Return the end of an error about a column that is missing: the columns that are there."""
    shown = [f'"{visible(name)}"' for name in names if name.strip()]
    rest = f" and {len(shown) - _LISTED_COLUMNS} more" if len(shown) > _LISTED_COLUMNS else ""
    return f"its columns are {', '.join(shown[:_LISTED_COLUMNS])}{rest}"


_LISTED_COLUMNS = 20


def other_sheets(info: SourceInfo, words: Words) -> str:
    """Return the end of an error about a sheet that holds no posts: how to say another; empty if there is no other."""
    if not info.other_sheets:
        return ""
    others = ", ".join(f'"{visible(name)}"' for name in info.other_sheets)
    return (
        f'; this is the sheet "{visible(info.sheet or "")}"; if the posts are in another one ({others}), say which: '
        f"{words.option('sheet', 'NAME')}"
    )


_USUAL_FIELDS = (
    "caption_text", "media_urls", "link", "date", "time", "schedule_time", "time_zone", "channel", "channel_type",
    "channel_id", "post_type", "publish_mode", "hash_tags",
)  # fmt: skip
"""The fields that a message offers for a column."""


def header_error(
    problems: Sequence[tuple[str, str]], info: SourceInfo, line: int | None, advice: str = "", more_advice: str = ""
) -> SourceError:
    """Return the error that tells everything that is wrong with a header."""
    errors = [RowError(None, column, "", message, info.file, line) for column, message in problems]
    # A user who follows the advice does not need the rest.
    shown = 1 if advice else LISTED_IN_MESSAGES
    listed = "; ".join(message for _, message in problems[:shown])
    more = len(problems) - shown
    msg = f"{listed}; and {more} more" if more > 0 else listed
    if f"={_ANY_FIELD}" in msg or f'"{_ANY_FIELD}"' in msg:
        msg += f"; a FIELD is one of {', '.join(_USUAL_FIELDS)}, …"
    if advice:
        errors.insert(0, RowError(None, "", "", advice.rstrip("; "), info.file, line))
    return SourceError(advice + msg + more_advice, file=info.file, line=line, errors=errors)


_CERTAIN_HEADER = 3
"""Columns that a header has at least if a row that is equal to it cannot be one of the data."""


class Header:
    """Finds the header of a table, row by row.

    Attributes:
        width: number of cells of the header; without one, of the first row.

    """

    def __init__(self, info: SourceInfo, rules: ColumnRules) -> None:
        self._info = info
        self._rules = rules
        self._layout: Layout | None = None
        self._seen = 0
        self._names: list[str] = []
        self._known = 0
        self._line = 0
        self.width: int = 0

    @property
    def is_found(self) -> bool:
        """Whether the rows can be read."""
        return self._layout is not None

    @property
    def layout(self) -> Layout:
        """The layout of the rows below the header.

        Raises:
            SourceError: there is none.

        """
        if self._layout is None:
            raise SourceError(self.missing("file"), file=self._info.file)
        return self._layout

    def missing(self, what: str) -> str:
        """Return what to change about a source without rows."""
        if self._seen:
            given = self._rules.words.header(self._rules.header)
            return (
                f"the {what} ends above the header: {given}, but its last row that is not blank is number {self._seen}"
            )
        needed = "; its first row must be the names of the columns" if self._rules.header else ""
        return f"the {what} is empty{needed}{other_sheets(self._info, self._rules.words)}"

    def repeated_by(self, cells: Sequence[object]) -> Unreadable | None:
        """Return what to do about a row that is the header once more; ``None`` if it is not."""
        first = cells[0] if cells else None
        if not self._names or not isinstance(first, str) or first.strip(BLANKS) != self._names[0]:
            return None
        texts = [cell.strip(BLANKS) if isinstance(cell, str) else cell or "" for cell in cells]
        if (
            len(self._names) < _CERTAIN_HEADER
            or texts[: len(self._names)] != self._names
            or any(texts[len(self._names) :])
        ):
            return None
        return Unreadable("this row repeats the header; delete it")

    def takes(
        self, names: Sequence[str], line: int, below: Callable[[], Iterable[tuple[int, int, Sequence[str]]]]
    ) -> bool:
        """Take the next row that is not blank, and tell whether it belongs to the header or stands above it.

        Args:
            names: its cells as text.
            line: where it is.
            below: for some of the next rows, line, number among the rows that are not blank, and cells as text.

        Raises:
            SourceError: the row should be the header, and is none.

        """
        if self._layout is not None:
            return False
        self._seen += 1
        if self._seen < self._rules.header:
            return True
        self.width = len(names)
        if self._rules.header:
            self._names = [name.strip(BLANKS) for name in names]
            self._known, self._line = _known(names, self._rules), line
            if not self._known:
                raise no_header(names, line, [*below()], self._info, self._rules)
            try:
                self._layout = checked_header(names, line, self._info, self._rules)
            except SourceError:
                # What is below may be rows of the same word, or the second row of a header that a recipe knows.
                if self._rules.advice(names):
                    raise
                later = [each for each in below() if each[0] > line]
                if advice := _advice_below(later, self._rules):
                    raise SourceError(advice, file=self._info.file, line=line) from None
                found, row, known = _most_known(later, self._rules)
                if known > max(1, self._known):
                    raise self._is_above(found, row) from None
                raise
            return True
        letters = [column_letter(index) for index in range(max(len(names), self._rules.width))]
        self._layout = checked_header(letters, line, self._info, self._rules)
        is_header = self._rules.is_header(names)
        if is_header:
            self._info.notes.append(
                f"line {line} is a header; it is left out, and the columns are taken by their place"
            )
        return is_header

    def check_row_below(self, cells: Sequence[str], line: int) -> None:
        """Check that the first row below the header is not the header, which a line of groups stands above.

        Raises:
            SourceError: it has more names of columns than the row that was taken for the header.

        """
        if self._rules.header and (advice := _advice_below([(line, self._rules.header + 1, cells)], self._rules)):
            raise SourceError(advice, file=self._info.file, line=self._line)
        names = _distinct(cells)
        usual, filled = self._rules.count_usual(names), len(names)
        # A caption may be "Text". A row that is mostly names of columns is none of the data.
        if self._rules.header and usual >= _CERTAIN_HEADER and usual > self._known and usual * 2 > filled:
            raise self._is_above(line, self._rules.header + 1)

    def _is_above(self, found: int, row: int) -> SourceError:
        first = visible(next(name for name in self._names if name))
        return SourceError(_other_header(first, found, row, self._rules), file=self._info.file, line=self._line)


def _known(names: Sequence[str], rules: ColumnRules) -> int:
    """Return how many names of columns a row has."""
    found = _distinct(names)
    return max(rules.count_known(found), rules.count_usual(found))


def _distinct(cells: Sequence[str]) -> list[str]:
    """Return the cells that are not blank; one of those that are equal, since a word may stand in all rows."""
    return list({normal_name(cell): cell for cell in cells if cell.strip(BLANKS)}.values())


def _advice_below(later: Iterable[tuple[int, int, Sequence[str]]], rules: ColumnRules) -> str:
    """Return which recipe knows the header whose last row is one of ``later``; empty if none does."""
    advice = (rules.advice(names, row) for _, row, names in later)
    return next(filter(None, advice), "").rstrip("; ")


def _most_known(rows: Iterable[tuple[int, int, Sequence[str]]], rules: ColumnRules) -> tuple[int, int, int]:
    """Return line, number and how many names of columns it has of the row that looks most like a header."""
    known = ((line, row, _known(names, rules)) for line, row, names in rows)
    return max(known, key=lambda each: (each[2], -each[0]), default=(0, 0, 0))


def _other_header(first: str, found: int, row: int, rules: ColumnRules) -> str:
    taken = "the first row" if rules.header == 1 else f"row {rules.header}"
    return (
        f'{taken} ("{first}") is not the header, but line {found} looks like it; delete the rows above that, '
        f"or say which row it is, blank ones not counted: {rules.words.header(row)}"
    )


def _is_row_in_a_cell(names: Sequence[str], rules: ColumnRules) -> bool:
    """Return whether the only cell of a row holds the names of several columns."""
    cells = _distinct(names)
    return len(cells) == 1 and any(
        _known([name.strip(f'"{BLANKS}') for name in cells[0].split(sign)], rules) > 1 for sign in DELIMITERS
    )


def no_header(
    names: Sequence[str],
    line: int,
    later: Sequence[tuple[int, int, Sequence[str]]],
    info: SourceInfo,
    rules: ColumnRules,
) -> SourceError:
    """Return the error for a first row that has no known column name; ``later`` as ``below`` of ``Header.takes()``."""
    words = rules.words
    found, row, known = _most_known(later, rules)
    first = visible(next((name for name in names if name.strip()), ""))
    if first.startswith(("{", "[")):
        msg = JSON_FOUND
    elif first.startswith("<"):
        msg = "this is a web page or an XML file, not a table; export the sheet as CSV"
    elif advice := rules.advice(names) or _advice_below([each for each in later if each[0] > line], rules):
        msg = advice.rstrip("; ")
    elif known > 1 and found == line:
        msg = (
            f'the columns of the first row ("{first}") are separated by another sign; leave out what says otherwise: '
            f"{words.option('delimiter', rules.delimiter) if rules.delimiter else 'the line sep='}"
        )
    elif known > 1:
        msg = _other_header(first, found, row, rules)
    elif _is_row_in_a_cell(names, rules):
        quoted = ", in double quotes" if info.kind == "csv" else ""
        msg = (
            f'each row is one single cell{quoted} ("{first}"); open the file in a spreadsheet, split the first column '
            "(in Excel: Data, Text to Columns, Delimited), and save it again"
        )
    else:
        msg = (
            f'the first row ("{first}") has no known column name; its cells must be the names of the columns: '
            "channel_type, channel_id, post_type, caption_text, media_urls, publish_mode, …; if the file of another "
            f"program has other names, say its recipe ({words.option('recipe', 'NAME')}) or what its columns are "
            f"({words.map('COLUMN', 'FIELD')}); if it has no header, {words.header(0)}{other_sheets(info, words)}"
        )
    return SourceError(msg, file=info.file, line=line)
