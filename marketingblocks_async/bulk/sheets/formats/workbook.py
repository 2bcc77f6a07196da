"""Check a workbook before its rows are read: is it safe to unpack, and which cells are merged?

A ZIP archive of a few KiB can hold terabytes, so its declared sizes are checked first.

Only the first cell of a merged area holds anything, although the screen shows it for all of them. A row that looks
complete would be posted incompletely. The file lists the merged areas after all rows, so they are read first.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from typing import IO, NamedTuple

PARTS_LIMIT = 10_000
"""Parts of a workbook at most: sheets, images, relations, …."""

UNPACKED_LIMIT = 4 * 2**30
"""Bytes of all parts together when unpacked."""

TEXTS_LIMIT = 2**29
"""Bytes of the table of texts when unpacked; openpyxl holds it in memory."""

BOMB_SIZE = 64 * 2**20
BOMB_RATIO = 200
"""A part of more than ``BOMB_SIZE`` bytes that is packed this many times smaller is an attack."""

_CONTENTS = "[Content_Types].xml"
"""The part that every workbook has."""

_ENCRYPTED = 0x1
_PROLOG = 2048

AREA_LIMIT = 100_000
"""Merged areas in one sheet at most; a sheet made by hand has fewer."""

CHUNK = 2**18
"""Bytes of the sheet's XML that are searched at a time."""

_LONGEST_TAG = 512
_MERGE = re.compile(
    rb"<(?:\w+:)?mergeCell\s[^<>]*?ref\s*=\s*[\"']([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})[\"']"
)


_COLUMNS = re.compile(rb"<(?:\w+:)?col\s[^<>]*>")
_ROW = re.compile(rb"<(?:\w+:)?row(?:\s[^<>]*)?/?>")
_HIDDEN = re.compile(
    rb"<(?:\w+:)?(?:row|col)\s(?:[^<>]*?\s)?(?:hidden\s*=\s*[\"'](?:1|true)|(?:ht|width)\s*=\s*[\"']0(?:\.0*)?)[\"'][^<>]*>"
)
"""The tag of a row or of columns that are hidden, or of no height or width."""

_NUMBERS = re.compile(rb"\s(r|min|max)\s*=\s*[\"']([0-9]{1,7})[\"']")

ROW_LIMIT = 1_048_576
"""Rows of a worksheet: no spreadsheet program makes more, and a broken file can pretend to have any number."""

COLUMN_LIMIT = 16_384
"""Columns of a worksheet."""


class UnsafeWorkbookError(ValueError):
    """A workbook that is unsafe to unpack; the text says why and what to do."""


def check_archive(archive: zipfile.ZipFile) -> None:
    """Refuse a workbook that is encrypted, unpacks to something enormous, or declares XML entities.

    The sizes are those that the archive declares; ``zipfile`` never unpacks more than that.

    Raises:
        UnsafeWorkbookError: it is unsafe to unpack.

    """
    parts = archive.infolist()
    if not any(part.filename == _CONTENTS for part in parts):
        msg = (
            "this is a ZIP archive, but no XLSX workbook; unpack it first, or, if it is a workbook of another program, "
            "save it as .xlsx"
        )
        raise UnsafeWorkbookError(msg)
    if any(part.flag_bits & _ENCRYPTED for part in parts):
        msg = "this workbook is encrypted; save it without a password"
        raise UnsafeWorkbookError(msg)
    enormous = (
        len(parts) > PARTS_LIMIT
        or sum(part.file_size for part in parts) > UNPACKED_LIMIT
        or any(part.file_size > BOMB_SIZE and part.file_size > BOMB_RATIO * part.compress_size for part in parts)
    )
    if enormous:
        msg = "this workbook would unpack to an enormous size, so it is not opened; export the sheet as CSV"
        raise UnsafeWorkbookError(msg)
    if any(part.filename.lower().endswith("sharedstrings.xml") and part.file_size > TEXTS_LIMIT for part in parts):
        msg = "this workbook holds more text than fits into memory; export the sheet as CSV"
        raise UnsafeWorkbookError(msg)
    for part in parts:
        if part.filename.endswith((".xml", ".rels")):
            with archive.open(part) as file:
                prolog = file.read(_PROLOG).replace(b"\0", b"")
            if b"<!DOCTYPE" in prolog or b"<!ENTITY" in prolog:
                msg = "this workbook declares XML entities, which no spreadsheet program does; save it again as .xlsx"
                raise UnsafeWorkbookError(msg)


class SheetMarks:
    """The marks in the XML of a worksheet that decide which cells and rows are seen.

    Attributes:
        areas: merged areas, by their first rows.
        hidden_columns: columns (from 0) that are not shown.

    """

    def __init__(self) -> None:
        self.areas: list[Area] = []
        self.hidden_columns: list[int] = []
        # A byte for each row up to the last hidden one: a sheet has at most a million of them.
        self._hidden_rows = bytearray()
        self._row = 0

    def hides_row(self, row: int) -> bool:
        """Tell whether the sheet does not show a row (from 1): it is hidden, or a filter leaves it out."""
        return row < len(self._hidden_rows) and self._hidden_rows[row] == 1

    def take_row(self, tag: bytes) -> None:
        """Take the tag of a row.

        Raises:
            UnsafeWorkbookError: the row does not stand below the one before it; openpyxl would leave it out.

        """
        numbers = dict(_NUMBERS.findall(tag))
        # A row without a number is the next one.
        row = int(numbers.get(b"r", self._row + 1))
        if row <= self._row:
            msg = f"row {row} of this sheet stands behind row {self._row}; open the workbook and save it again as .xlsx"
            raise UnsafeWorkbookError(msg)
        self._row = row
        if row <= ROW_LIMIT and _HIDDEN.match(tag):
            self._hidden_rows.extend(bytes(max(0, row + 1 - len(self._hidden_rows))))
            self._hidden_rows[row] = 1

    def take_columns(self, tag: bytes) -> None:
        """Take the tag of columns."""
        numbers = {name: int(number) for name, number in _NUMBERS.findall(tag)}
        if b"min" in numbers and _HIDDEN.match(tag):
            last = min(numbers.get(b"max", numbers[b"min"]), COLUMN_LIMIT)
            self.hidden_columns += [
                column for column in range(numbers[b"min"] - 1, last) if column not in self.hidden_columns
            ]


class Area(NamedTuple):
    """A merged area; rows count from 1, columns from 0, and the last ones belong to it."""

    first_row: int
    first_column: int
    last_row: int
    last_column: int


def find_marks(sheet: IO[bytes]) -> SheetMarks:
    """Return the merged areas of a worksheet, and what it does not show.

    Raises:
        UnsafeWorkbookError: there are more than ``AREA_LIMIT``, or the rows are not in their order.

    """
    marks = SheetMarks()
    areas: set[Area] = set()
    rest = b""
    while chunk := sheet.read(CHUNK):
        data = rest + chunk
        # A tag may lie across two chunks; it is taken when it is complete.
        begun = data.rfind(b"<")
        end = begun if begun >= max(0, len(data) - _LONGEST_TAG) and b">" not in data[begun:] else len(data)
        data, rest = data[:end], data[end:]
        for match in _MERGE.finditer(data):
            first, last = (_column(match[1]), int(match[2])), (_column(match[3]), int(match[4]))
            areas.add(Area(first[1], first[0], last[1], last[0]))
        for match in _ROW.finditer(data):
            marks.take_row(match[0])
        for match in _COLUMNS.finditer(data):
            marks.take_columns(match[0])
        if len(areas) > AREA_LIMIT:
            msg = f"this sheet has more than {AREA_LIMIT:,} merged areas; unmerge them, or export it as CSV"
            raise UnsafeWorkbookError(msg)
    marks.areas = sorted(areas)
    return marks


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number - 1


class HiddenCells:
    """Finds the hidden cells of merged areas, row after row; ask for the rows in their order."""

    def __init__(self, areas: Iterable[Area]) -> None:
        self._coming: Iterator[Area] = iter(areas)
        self._next: Area | None = next(self._coming, None)
        self._open: list[Area] = []

    def of_row(self, row: int, width: int) -> list[tuple[int, Area]]:
        """Return the columns (from 0, below ``width``) whose cells in ``row`` are hidden, with their areas."""
        while self._next is not None and self._next.first_row <= row:
            self._open.append(self._next)
            self._next = next(self._coming, None)
        if not self._open:
            return []
        self._open = [area for area in self._open if area.last_row >= row]
        return [
            (column, area)
            for area in self._open
            for column in range(area.first_column, min(area.last_column + 1, width))
            if (row, column) != (area.first_row, area.first_column)
        ]
