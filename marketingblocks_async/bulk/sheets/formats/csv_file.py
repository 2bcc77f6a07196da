"""Read the rows of CSV files, from any spreadsheet program.

The delimiter is detected from the header: it is the one that gives the most known column names. (``csv.Sniffer``, which
guesses from the shape of the data, fails on captions with commas.)
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from marketingblocks_async.bulk.errors import SourceError
from marketingblocks_async.bulk.plan import SourceInfo
from marketingblocks_async.bulk.sheets.cells import is_blank
from marketingblocks_async.bulk.sheets.columns import ColumnRules
from marketingblocks_async.bulk.sheets.display import readable
from marketingblocks_async.bulk.sheets.layout import (
    DELIMITERS,
    HINT_ROWS,
    JSON_FOUND,
    Header,
    Layout,
    RawRow,
    Unreadable,
)

from .text_files import LINE_LIMIT, open_lines

CELL_LIMIT = 16 * 2**20
"""Characters in one cell; a larger cell has a quote that is never closed."""

_SPACES = (" ", "\t", "\u00a0")
_HEAD_LINES = 64
_HEAD_SIZE = 2**20
_TOO_BIG = "too big"
_SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?\s*', re.IGNORECASE)


def read_csv(path: Path, info: SourceInfo, rules: ColumnRules, encoding: str | None) -> Iterator[RawRow]:
    """Yield the rows of a CSV file.

    Raises:
        SourceError: the file cannot be read, its header is not understood, or its quotes are broken.

    """
    _allow_big_cells()
    with open_lines(path, info, encoding, rules.words, may_be_cp1252=True) as lines:
        head = list(_head(lines))
        separator = _SEPARATOR_LINE.fullmatch(head[0]) if head else None
        skipped = 1 if separator else 0
        info.delimiter = rules.delimiter or (separator[1] if separator else _delimiter(head[skipped:], rules))
        yield from _rows(head[skipped:], lines, skipped, info, rules)


def _head(lines: Iterator[str]) -> Iterator[str]:
    """Yield the first lines, enough for the header but of bounded size."""
    size = 0
    for line in islice(lines, _HEAD_LINES):
        yield line
        size += len(line)
        if size > _HEAD_SIZE:
            return


def _allow_big_cells() -> None:
    # The limit belongs to the whole process. It is only raised, never lowered again: that could break a reader that
    # another thread is using.
    if csv.field_size_limit() < CELL_LIMIT:
        csv.field_size_limit(CELL_LIMIT)


def _delimiter(head: Sequence[str], rules: ColumnRules) -> str:
    """Return the delimiter that makes the most known names of the header; a comma if none makes any."""

    def known(delimiter: str) -> int:
        header = next(islice(_records(head, delimiter), rules.header - 1, None), None)
        return rules.count_known(header[1]) if header else 0

    def columns(delimiter: str) -> int:
        # Without a header it is the sign that makes enough columns of the most rows; a caption has commas of its own.
        return sum(2 <= len(cells) <= max(rules.width, 2) for _, cells in _records(head, delimiter))

    return max(DELIMITERS, key=known if rules.header else columns)


def _records(head: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line and cells of the rows in ``head`` that are not blank, as far as they can be read."""
    reader = csv.reader(head, delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if not all(map(is_blank, cells)):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error:
        return


class RowSizeGuard:
    """Watches the lines that the reader takes, to bound the size of a row: its size so far, and its last line."""

    __slots__ = ("last", "size")

    def __init__(self) -> None:
        self.size: int = 0
        self.last: str = ""

    def over(self, lines: Iterator[str]) -> Iterator[str]:
        """Yield ``lines``, and stop at a row that is larger than a line may be."""
        for line in lines:
            self.size += len(line)
            if self.size > LINE_LIMIT:
                raise csv.Error(_TOO_BIG)
            self.last = line
            yield line


def _rows(
    head: Sequence[str], rest: Iterator[str], skipped: int, info: SourceInfo, rules: ColumnRules
) -> Iterator[RawRow]:
    guard = RowSizeGuard()
    reader = csv.reader(guard.over(chain(head, rest)), delimiter=info.delimiter or ",", strict=True)
    file, number, line = info.file, 0, skipped + 1
    header = Header(info, rules)
    try:
        for cells in reader:
            blank = not any(cells) or all(map(is_blank, cells))
            if guard.size > CELL_LIMIT:
                _check_sizes(cells)
            if not blank and not header.takes(cells, line, lambda: _below(head, skipped)):
                layout = header.layout
                number += 1
                if number == 1:
                    header.check_row_below(cells, line)
                unreadable = header.repeated_by(cells) or _quote_behind_space(cells, guard.last, info, layout)
                if len(cells) != header.width and unreadable is None:
                    # Without a header the first row says how many cells there are, the recipe how many there can be.
                    width = header.width if rules.header else max(header.width, rules.width)
                    unreadable = _ragged(cells, width, guard.last, layout, at_least=header.width)
                yield RawRow(number, cells, layout, file, line, unreadable)
            line = skipped + reader.line_num + 1
            guard.size = 0
    except csv.Error as exc:
        message = JSON_FOUND if not header.is_found and _is_json(head) else _broken_quotes(str(exc))
        raise SourceError(message, file=file, line=line) from None
    if not header.is_found:
        raise SourceError(header.missing("file"), file=file)


def _check_sizes(cells: Sequence[str]) -> None:
    # The reader has checked it already, unless the process's limit was raised above ours.
    if any(len(cell) > CELL_LIMIT for cell in cells):
        raise csv.Error(_TOO_BIG)


def _below(head: Sequence[str], skipped: int) -> Iterator[tuple[int, int, list[str]]]:
    for delimiter in DELIMITERS:
        for row, (line, cells) in enumerate(islice(_records(head, delimiter), HINT_ROWS), 1):
            yield line + skipped, row, cells


def _ragged(cells: Sequence[str], width: int, last_line: str, layout: Layout, *, at_least: int) -> Unreadable | None:
    """Return why a row with more or fewer cells than the header cannot be used; ``None`` if it only lacks blanks."""
    for index in range(width, len(cells)):
        if not is_blank(cells[index]):
            message = (
                f"the row has {len(cells)} cells and the header only {width}; "
                "a cell that contains the delimiter must be in double quotes"
            )
            return Unreadable(message, layout.name_of(index), readable(cells[index]))
    if len(cells) < at_least and not last_line.endswith(("\n", "\r")):
        message = (
            f"the file ends in the middle of this row, which has {len(cells)} of {at_least} cells, so it may be cut "
            "off; complete the row, or end it with a line break"
        )
        return Unreadable(message, layout.name_of(len(cells) - 1), readable(cells[-1]))
    return None


def _is_json(head: Sequence[str]) -> bool:
    return bool(head) and head[0].lstrip().startswith(("{", "["))


def _quote_behind_space(cells: Sequence[str], last_line: str, info: SourceInfo, layout: Layout) -> Unreadable | None:
    """Return what to do about a cell whose opening quote stands behind white space; ``None`` if there is none.

    Then the quotes belong to the text, and a delimiter between them ends the cell; neither was meant.
    """
    for index, cell in enumerate(cells):
        if cell[:1] not in _SPACES or not cell.lstrip("".join(_SPACES)).startswith('"'):
            continue
        # The text of a cell that is quoted as it should be may begin like this.
        if f"{info.delimiter}{cell}" in last_line or last_line.startswith(cell):
            message = (
                "there is white space before the opening quote of this cell, so its quotes would be published; delete "
                "the white space in the text, or white space and quotes in a spreadsheet"
            )
            return Unreadable(message, layout.name_of(index), readable(cell))
    return None


def _broken_quotes(reason: str) -> str:
    if "end of data" in reason:
        return "the double quote that opens a cell of this row is never closed; close it, or double it to mean itself"
    if "expected after" in reason:
        return (
            'there is text after the closing quote of a cell; quotes inside a cell are doubled: "so ""quoted"" inside"'
        )
    return (
        f"a cell of this row is longer than {CELL_LIMIT:,} characters; "
        "probably a double quote is never closed: close it, or double it to mean itself"
    )
