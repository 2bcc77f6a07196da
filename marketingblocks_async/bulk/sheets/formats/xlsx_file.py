"""Read the rows of XLSX workbooks, with openpyxl (extra ``xlsx``).

openpyxl streams the rows and holds the workbook's table of texts in memory. A cell can show something else than it
holds: formulas, formats, merged areas. Such a cell is refused, not interpreted.
"""

from __future__ import annotations

import hashlib
import importlib
import re
import threading
import warnings
import zipfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from marketingblocks_async.bulk.errors import SourceError
from marketingblocks_async.bulk.plan import SourceInfo
from marketingblocks_async.bulk.sheets.cells import (
    BLANKS,
    EXACT_SPREADSHEET_NUMBER,
    SheetNumber,
    UnusableCell,
    is_blank,
)
from marketingblocks_async.bulk.sheets.columns import ColumnRules
from marketingblocks_async.bulk.sheets.display import readable, visible
from marketingblocks_async.bulk.sheets.layout import HINT_ROWS, Header, RawRow, column_letter

from .text_files import reason
from .workbook import ROW_LIMIT, Area, HiddenCells, SheetMarks, UnsafeWorkbookError, check_archive, find_marks

_BATCH = 128
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_FORMAT_TEXT = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')
_DIGITS_FORMATS = {"0", "@"}
_LONGEST_FORMAT = 255
_GENERAL_FORMATS = {"General", "", None}
_GENERAL_LIMIT = 10**11
_NUMBER_FORMAT = re.compile(r"(#,##)?0(?:\.(0+))?(%)?")
_NO_WORKBOOK = (
    "this is not an XLSX workbook; if it is an old (.xls) or a password-protected one, "
    "open it and save it as .xlsx without a password; if it is text, name it .csv"
)

# Filters of warnings belong to the whole process. Two threads that change them for a moment can leave the change
# behind, so only one does at a time.
_WARNINGS_LOCK = threading.Lock()


class _Cell(Protocol):
    """The attributes of openpyxl's cells that are used here."""

    @property
    def value(self) -> Any: ...
    @property
    def data_type(self) -> str: ...
    @property
    def number_format(self) -> str | None: ...
    @property
    def has_style(self) -> bool: ...
    @property
    def font(self) -> Any: ...


def read_xlsx(path: Path, info: SourceInfo, rules: ColumnRules, sheet: str | None) -> Iterator[RawRow]:
    """Yield the rows of a worksheet.

    Args:
        path: the workbook.
        info: filled in while the file is read.
        rules: the caller's rules for columns.
        sheet: name of the worksheet; ``None`` for the first one that is not hidden.

    Raises:
        SourceError: openpyxl is not installed; the file is not a workbook, is encrypted or broken, or unsafe to unpack;
            there is no such sheet; the header is not understood.

    """
    openpyxl = _openpyxl(info.file)
    with _opened(path, info) as file:
        with _broken_is_an_error(info):
            archive = zipfile.ZipFile(file)
            check_archive(archive)
            with _quiet():
                workbook = openpyxl.load_workbook(file, read_only=True, data_only=False, keep_links=False)
        with closing(workbook):
            worksheet = _worksheet(workbook, sheet, info)
            info.sheet = str(worksheet.title)
            with _broken_is_an_error(info), archive.open(_part_of(worksheet)) as part:
                marks = find_marks(part)
            info.other_sheets = [
                f"{sheet.title} (hidden)" if sheet.sheet_state != "visible" else str(sheet.title)
                for sheet in workbook.worksheets
                if sheet.title != worksheet.title
            ]
            # A workbook's own statement of its size is often wrong and would cut columns off.
            worksheet.reset_dimensions()
            with closing(_sheet_rows(worksheet, info)) as rows:
                yield from _rows(rows, marks, info, rules)


def _openpyxl(file: str) -> Any:
    try:
        return importlib.import_module("openpyxl")
    except ImportError as exc:
        msg = (
            "XLSX files need openpyxl, which is not installed: pip install 'marketingblocks-async[xlsx]' "
            "(or export the sheet as CSV)"
        )
        raise SourceError(msg, file=file) from exc


@contextmanager
def _opened(path: Path, info: SourceInfo) -> Generator[BinaryIO]:
    """Open the workbook and take its hash."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            if not file.seekable():
                msg = "a workbook cannot be read from a pipe; save it as a file and give that"
                raise SourceError(msg, file=info.file)
            info.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            info.size = file.tell()
            file.seek(0)
        except (OSError, ValueError) as exc:
            raise SourceError(reason(exc), file=info.file) from exc
        yield file


@contextmanager
def _broken_is_an_error(info: SourceInfo) -> Generator[None]:
    try:
        yield
    except SourceError:
        raise
    except UnsafeWorkbookError as exc:
        raise SourceError(str(exc), file=info.file) from None
    except zipfile.BadZipFile as exc:
        raise SourceError(_NO_WORKBOOK, file=info.file) from exc
    except Exception as exc:
        # openpyxl raises errors of any class for broken files.
        msg = (
            f"this workbook is broken ({visible(str(exc), 100)}); open it, save it again as .xlsx, or export it as CSV"
        )
        raise SourceError(msg, file=info.file) from exc


@contextmanager
def _quiet() -> Generator[None]:
    """Keep openpyxl from printing warnings about the style of a workbook, which does not matter here."""
    with _WARNINGS_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _worksheet(workbook: Any, name: str | None, info: SourceInfo) -> Any:
    sheets = list(workbook.worksheets)
    if name is None:
        found = next((sheet for sheet in sheets if sheet.sheet_state == "visible"), sheets[0] if sheets else None)
        if found is None:
            msg = (
                "this workbook has no worksheet that can be read; if it was saved as 'Strict Open XML', "
                "save it as 'Excel Workbook (.xlsx)'"
            )
            raise SourceError(msg, file=info.file)
        return found
    for wanted in (name, name.strip().casefold()):
        for sheet in sheets:
            if wanted in (sheet.title, sheet.title.strip().casefold()):
                return sheet
    titles = ", ".join(f'"{visible(sheet.title)}"' for sheet in sheets)
    msg = f'there is no sheet "{visible(name)}"; the workbook has {titles or "none"}'
    raise SourceError(msg, file=info.file)


def _part_of(worksheet: Any) -> str:
    # openpyxl reads merged areas only when it does not stream, and has no public name for where the sheet is.
    return str(worksheet._worksheet_path)  # noqa: SLF001 - it has no public name


def _sheet_rows(worksheet: Any, info: SourceInfo) -> Generator[list[object]]:
    """Yield the contents of each row's cells; all reading by openpyxl happens here."""
    rows = worksheet.iter_rows()
    try:
        while True:
            with _broken_is_an_error(info), _quiet():
                batch = [_contents(row) for row in islice(rows, _BATCH)]
            if not batch:
                return
            yield from batch
    finally:
        rows.close()


def _rows(rows: Iterator[list[object]], marks: SheetMarks, info: SourceInfo, rules: ColumnRules) -> Iterator[RawRow]:
    merged = HiddenCells(marks.areas)
    lines = _numbered(rows, info)

    def below() -> Iterator[tuple[int, int, list[str]]]:
        rest = enumerate(islice(lines, HINT_ROWS), rules.header + 1)
        return ((line, row, _names(cells)) for row, (line, cells) in rest)

    header, number = Header(info, rules), 0
    for line, cells in lines:
        if not header.is_found and header.takes(_names(cells), line, below):
            continue
        names = header.layout.names
        if not number:
            header.check_row_below(_names(cells), line)
            info.hidden_columns = [
                f"{column_letter(column)} ({visible(names[column])})" if names[column] else column_letter(column)
                for column in marks.hidden_columns
                if column < len(names)
            ]
        number += 1
        for column, area in merged.of_row(line, len(names)):
            if names[column]:
                cells.extend([None] * (column + 1 - len(cells)))
                cells[column] = UnusableCell("", _merged_message(area))
        is_hidden = marks.hides_row(line)
        yield RawRow(number, cells, header.layout, info.file, line, header.repeated_by(cells), is_hidden=is_hidden)
    if not header.is_found:
        raise SourceError(header.missing(f'sheet "{visible(info.sheet or "")}"'), file=info.file)


def _numbered(rows: Iterator[list[object]], info: SourceInfo) -> Iterator[tuple[int, list[object]]]:
    """Yield number and contents of the rows that are not blank."""
    for line, cells in enumerate(rows, 1):
        if line > ROW_LIMIT:
            msg = f"this sheet has more than {ROW_LIMIT:,} rows, which no spreadsheet program makes; export it as CSV"
            raise SourceError(msg, file=info.file)
        if not all(map(is_blank, cells)):
            yield line, cells


def _names(header: Sequence[object]) -> list[str]:
    names = [readable(cell) if cell is not None else "" for cell in header]
    while names and not names[-1].strip(BLANKS):
        names.pop()
    return names


def _contents(row: Sequence[_Cell]) -> list[object]:
    return [
        None if cell.value is None else _content(cell) if not cell.has_style or not cell.font.strike else _struck(cell)
        for cell in row
    ]


def _struck(cell: _Cell) -> object:
    content = _content(cell)
    if is_blank(content) or isinstance(content, UnusableCell):
        return content
    message = "it is struck through, so it may not be meant to be sent; leave the row out, or take the line away"
    return UnusableCell(readable(content), message, content)


def _content(cell: _Cell) -> object:
    """Return the content of a cell: text, a truth value, a date and time, a number, or an ``UnusableCell``."""
    value = cell.value
    match cell.data_type:
        case "s":
            return _unescape(value) if "_x" in value else value
        case "f":
            # An array formula is an object that has its text.
            formula = value if isinstance(value, str) else getattr(value, "text", None)
            shown = visible(value) if isinstance(value, str) else "{=…}"
            message = (
                "it holds a formula, whose result is not in the file for certain; "
                "copy the column and paste it as values (paste special)"
            )
            return UnusableCell(shown, message, formula)
        case "e":
            return UnusableCell(visible(str(value)), f"the spreadsheet shows the error {value} here; correct it")
        case _:
            return _number_or_moment(value, cell.number_format)


def _number_or_moment(value: Any, number_format: str | None) -> object:
    if isinstance(value, datetime):
        return _moment(value, number_format or "")
    if isinstance(value, timedelta):
        # Many programs write times of day in [h]:mm, which is a format of durations.
        if timedelta(0) <= value < timedelta(days=1):
            return (datetime.min.replace(tzinfo=UTC) + value).time()
        message = "the cell has a format of durations; choose a format of dates or of times of day"
        return UnusableCell(str(value), message)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value, number_format)
    return value


def _moment(value: datetime, number_format: str) -> object:
    if value.second or value.microsecond:
        return UnusableCell(str(value), "posts go out at whole minutes; type the time without seconds")
    shows_time = "h" in _FORMAT_TEXT.sub("", number_format[:_LONGEST_FORMAT]).lower()
    # Midnight that the format does not show is a day without a time.
    return value if shows_time or value.hour or value.minute else value.date()


def _number(value: float, number_format: str | None) -> SheetNumber:
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT_SPREADSHEET_NUMBER:
        value = int(value)
    plain = number_format in _DIGITS_FORMATS or (number_format in _GENERAL_FORMATS and abs(value) < _GENERAL_LIMIT)
    return SheetNumber(value, plain, _shown_number(value, number_format or "General"))


def _shown_number(value: float, number_format: str) -> str:
    """Return a number as a sheet shows it with the usual formats; its plain digits with any other format."""
    found = _NUMBER_FORMAT.fullmatch(number_format)
    if found is None:
        return str(value)
    grouping, decimals, percent = found[1] or "", len(found[2] or ""), found[3] or ""
    shown = value * 100 if percent else value
    return f"{shown:{',' if grouping else ''}.{decimals}f}{percent}"


def _unescape(text: str) -> object:
    """Decode the control characters that a workbook writes as ``_x000D_``."""
    unclear: list[str] = []

    def decode(escape: re.Match[str]) -> str:
        character = chr(int(escape[1], 16))
        if character < " ":
            return character
        unclear.append(escape[0])
        return escape[0]

    decoded = _ESCAPE.sub(decode, text)
    if unclear:
        # By the file format it is one character, but most programs show the code itself.
        message = f"it holds the code {unclear[0]}, which programs read differently; remove it"
        return UnusableCell(visible(decoded), message, decoded)
    return decoded


def _merged_message(area: Area) -> str:
    first = f"{column_letter(area.first_column)}{area.first_row}"
    last = f"{column_letter(area.last_column)}{area.last_row}"
    return (
        f"the cells {first} to {last} are merged, and only the first of them holds anything; "
        "unmerge them and fill in each row"
    )
