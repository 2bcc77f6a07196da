"""Read rows from CSV, JSON Lines and XLSX files, and from any iterable.

Everything streams: a row is read when it is asked for and then forgotten. (Only a workbook's table of texts is kept.)
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias, cast

from marketingblocks_async.bulk.errors import SourceError
from marketingblocks_async.bulk.plan import SourceInfo
from marketingblocks_async.models import CreatePost

from .columns import LIST_SEPARATOR, ColumnMapping, ColumnRules
from .csv_file import read_csv
from .jsonl_file import Layouts, read_jsonl, row_of_object, unreadable_row
from .layout import RawRow
from .xlsx_file import read_xlsx

Item: TypeAlias = CreatePost | Mapping[str, Any]
"""A row that does not come from a file: a ready-made post, or its fields under nested or flattened names."""

SyncSource: TypeAlias = str | os.PathLike[str] | Iterable[Item]
"""A path, or an iterable of rows."""

Source: TypeAlias = SyncSource | AsyncIterable[Item]
"""A path, or an iterable or async iterable of rows."""

CSV_SUFFIXES = (".csv", ".tsv", ".txt")
JSONL_SUFFIXES = (".jsonl", ".ndjson")
XLSX_SUFFIXES = (".xlsx",)

_BATCH = 256


class RowStream(Iterator[RawRow]):
    """The rows of a source, one after the other. Iterate over it once; after an early stop, call :meth:`close`.

    Attributes:
        info: description of the source, complete at the end.

    """

    def __init__(self, rows: Iterator[RawRow], info: SourceInfo) -> None:
        self._rows = rows
        self.info: SourceInfo = info

    @property
    def facts(self) -> SourceInfo:
        """The former name of :attr:`info`; it stays until 1.0."""
        return self.info

    def __next__(self) -> RawRow:
        return next(self._rows)

    def close(self) -> None:
        """Close the file, if there is one."""
        close = getattr(self._rows, "close", None)
        if close is not None:
            close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncRowStream(AsyncIterator[RawRow]):
    """The rows of a source, read in a thread. Iterate over it once; after an early stop, call :meth:`aclose`.

    Attributes:
        info: description of the source, complete at the end.

    """

    def __init__(self, rows: AsyncGenerator[RawRow, None], info: SourceInfo) -> None:
        self._rows = rows
        self.info: SourceInfo = info

    @property
    def facts(self) -> SourceInfo:
        """The former name of :attr:`info`; it stays until 1.0."""
        return self.info

    async def __anext__(self) -> RawRow:
        return await anext(self._rows)

    async def aclose(self) -> None:
        """Close the file or the generator, if there is one."""
        await self._rows.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def read_rows(
    source: SyncSource,
    *,
    columns: ColumnMapping | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    list_separator: str = LIST_SEPARATOR,
) -> RowStream:
    """Return the rows of a source, read one by one as they are asked for.

    Args:
        source: a path that ends in ``.csv``, ``.tsv``, ``.txt``, ``.jsonl``, ``.ndjson`` or ``.xlsx``, or an iterable
            of mappings or :class:`~marketingblocks_async.CreatePost`.
        columns: name of a column in the file → field of the post; ``None`` to ignore the column. Columns that have the
            name of a field need none, and those whose names begin with an underscore are ignored anyway.
        encoding: encoding of a text file; ``None`` to detect it from the first bytes (UTF-8 without a mark).
        sheet: name of the worksheet; ``None`` for the first one that is not hidden.
        list_separator: text between the entries of a list inside one cell.

    Returns:
        An iterator of :class:`RawRow` that knows the :attr:`~RowStream.info` of the source. While it is iterated over
        it raises :class:`SourceError` when the file cannot be read on.

    Raises:
        SourceError: the ending of the file's name is not known, or ``sheet`` is given for a file without sheets.
        ConfigurationError: ``columns`` names a field that does not exist, or ``list_separator`` cannot separate.
        TypeError: ``source`` is none of these.

    """
    rules = ColumnRules(columns, list_separator)
    if isinstance(source, str | os.PathLike):
        return _read_file(os.fspath(source), rules, encoding, sheet)
    _check_kind(source)
    if isinstance(source, AsyncIterable):
        msg = "this is an async iterable; use aread_rows"
        raise TypeError(msg)
    info = SourceInfo()
    return RowStream(_rows_of(source, rules), info)


def aread_rows(
    source: Source,
    *,
    columns: ColumnMapping | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    list_separator: str = LIST_SEPARATOR,
) -> AsyncRowStream:
    """Return the rows of a source for ``async for``; files are read in a thread.

    Args:
        source: as for :func:`read_rows`, or an async iterable of mappings or
            :class:`~marketingblocks_async.CreatePost`.
        columns: as for :func:`read_rows`.
        encoding: as for :func:`read_rows`.
        sheet: as for :func:`read_rows`.
        list_separator: as for :func:`read_rows`.

    Returns:
        An async iterator of :class:`RawRow` that knows the :attr:`~AsyncRowStream.info` of the source.

    Raises:
        SourceError: as for :func:`read_rows`.
        ConfigurationError: as for :func:`read_rows`.
        TypeError: ``source`` is none of these.

    """
    if isinstance(source, AsyncIterable):
        _check_kind(source)
        return AsyncRowStream(_arows_of(source, ColumnRules(columns, list_separator)), SourceInfo())
    stream = read_rows(source, columns=columns, encoding=encoding, sheet=sheet, list_separator=list_separator)
    is_file = isinstance(source, str | os.PathLike)
    return AsyncRowStream(_in_thread(stream) if is_file else _in_turns(stream), stream.info)


def _read_file(file: str, rules: ColumnRules, encoding: str | None, sheet: str | None) -> RowStream:
    path = Path(file)
    suffix = path.suffix.lower()
    info = SourceInfo(file=file)
    if suffix in XLSX_SUFFIXES:
        info.kind = "xlsx"
        return RowStream(read_xlsx(path, info, rules, sheet), info)
    if suffix not in CSV_SUFFIXES + JSONL_SUFFIXES:
        known = ", ".join(CSV_SUFFIXES + JSONL_SUFFIXES + XLSX_SUFFIXES)
        hint = "; save the workbook as .xlsx" if suffix.startswith((".xl", ".ods", ".numbers")) else ""
        msg = f'files with the ending "{path.suffix}" are not read, only {known}{hint}'
        raise SourceError(msg, file=file)
    if sheet is not None:
        msg = f"sheet={sheet!r} is for XLSX files only; this file has no sheets"
        raise SourceError(msg, file=file)
    info.kind = "csv" if suffix in CSV_SUFFIXES else "jsonl"
    read = read_csv if suffix in CSV_SUFFIXES else read_jsonl
    return RowStream(read(path, info, rules, encoding), info)


def _check_kind(source: object) -> None:
    # A mapping and a post are iterable, too, and would give their fields as rows.
    kind = type(source).__name__
    is_one_row = isinstance(source, Mapping | CreatePost | bytes | bytearray)
    if is_one_row or not isinstance(source, Iterable | AsyncIterable):
        msg = f"a source is a path, or an iterable or async iterable of mappings or CreatePost, not {kind}"
        raise TypeError(msg)


def _rows_of(items: Iterable[Item], rules: ColumnRules) -> Iterator[RawRow]:
    layouts = Layouts(rules)
    for number, item in enumerate(items, 1):
        yield _row_of(number, item, layouts)


async def _arows_of(items: AsyncIterable[Item], rules: ColumnRules) -> AsyncGenerator[RawRow, None]:
    layouts, number = Layouts(rules), 0
    iterator = aiter(items)
    try:
        async for item in iterator:
            number += 1
            yield _row_of(number, item, layouts)
    finally:
        if isinstance(iterator, AsyncGenerator):
            await iterator.aclose()


def _row_of(number: int, item: Item, layouts: Layouts) -> RawRow:
    if isinstance(item, CreatePost):
        return RawRow(number, (), layouts.of(()), post=item)
    if isinstance(cast("object", item), Mapping):
        return row_of_object(number, item, layouts)
    kind = type(cast("object", item)).__name__
    return unreadable_row(number, f"a row is a mapping or a CreatePost, not {kind}", item, layouts)


def _take(stream: RowStream) -> tuple[list[RawRow], Exception | None]:
    """Return the next rows, and the error that ended them; rows before the error are not lost."""
    rows: list[RawRow] = []
    try:
        rows.extend(islice(stream, _BATCH))
    except Exception as exc:  # noqa: BLE001 - any error is raised again, after the rows
        return rows, exc
    return rows, None


async def _in_thread(stream: RowStream) -> AsyncGenerator[RawRow, None]:
    batch: asyncio.Future[tuple[list[RawRow], Exception | None]] | None = None
    try:
        while True:
            batch = asyncio.get_running_loop().run_in_executor(None, _take, stream)
            rows, error = await asyncio.shield(batch)
            for row in rows:
                yield row
            if error is not None:
                raise error
            if not rows:
                return
    finally:
        if batch is not None and not batch.done():
            # We are cancelled, but the thread cannot be: the file must not be closed while it reads.
            await asyncio.wait([batch])
        stream.close()


async def _in_turns(stream: RowStream) -> AsyncGenerator[RawRow, None]:
    for count, row in enumerate(stream, 1):
        yield row
        if count % _BATCH == 0:
            # A long list must not block the event loop.
            await asyncio.sleep(0)
