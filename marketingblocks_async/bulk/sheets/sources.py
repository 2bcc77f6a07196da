"""Read rows from CSV, JSON and XLSX files, and from any iterable.

Everything streams: a row is read when it is asked for and then forgotten. (Only a workbook's table of texts is kept.)
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Self, TypeAlias, TypedDict, Unpack, cast

from marketingblocks_async.bulk.errors import SourceError
from marketingblocks_async.bulk.plan import SourceInfo
from marketingblocks_async.bulk.threads import in_thread
from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.models import CreatePost

from .columns import LIST_SEPARATOR, ColumnMapping, ColumnRules, Hidden, target_of
from .display import visible
from .formats.csv_file import read_csv
from .formats.jsonl_file import Layouts, read_json, read_jsonl, row_of_object, unreadable_row
from .formats.xlsx_file import read_xlsx
from .layout import RawRow
from .recipes.known_columns import fitting_recipe
from .recipes.recipe import Recipe, RecipeLike, load_recipe
from .recipes.translator import RecipeRules, Translator

Item: TypeAlias = CreatePost | Mapping[str, Any]
"""A row that does not come from a file: a ready-made post, or its fields under nested or flattened names."""

SyncSource: TypeAlias = str | os.PathLike[str] | Iterable[Item]
"""A path, or an iterable of rows."""

Source: TypeAlias = SyncSource | AsyncIterable[Item]
"""A path, or an iterable or async iterable of rows."""

_BATCH = 256


class RowStream(Iterator[RawRow]):
    """The rows of a source, one after the other. Iterate over it once; after an early stop, call ``close()``.

    Attributes:
        info: description of the source, complete at the end.

    """

    def __init__(self, rows: Iterator[RawRow], info: SourceInfo) -> None:
        self._rows = rows
        self.info: SourceInfo = info

    @property
    def facts(self) -> SourceInfo:
        """The former name of ``info``; it stays until 1.0."""
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

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncRowStream(AsyncIterator[RawRow]):
    """The rows of a source, read in a thread. Iterate over it once; after an early stop, call ``aclose()``.

    Attributes:
        info: description of the source, complete at the end.

    """

    def __init__(self, rows: AsyncGenerator[RawRow, None], info: SourceInfo) -> None:
        self._rows = rows
        self.info: SourceInfo = info

    @property
    def facts(self) -> SourceInfo:
        """The former name of ``info``; it stays until 1.0."""
        return self.info

    async def __anext__(self) -> RawRow:
        return await anext(self._rows)

    async def aclose(self) -> None:
        """Close the file or the generator, if there is one."""
        await self._rows.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class ReadOptions(TypedDict, total=False):
    """The options of reading; all of them are optional.

    Attributes:
        columns: name of a column in the file → field of the post, ``None`` to ignore the column; for columns that are
            not called as the fields are. Those whose names begin with an underscore are ignored without it.
        encoding: of a text file; ``None`` for what its first bytes say, else UTF-8, or cp1252 if it is plainly that.
        sheet: name of the worksheet, ``None`` for the first one that is not hidden.
        list_separator: what separates the entries of a list inside one cell.
        recipe: how to read another program's spreadsheet: the name of a recipe, the path of your own (``.toml``), or a
            ``Recipe``.
        format: ``csv``, ``tsv``, ``jsonl``, ``json`` or ``xlsx``; ``None`` for what the file's name ends with.
        hidden: what to do about rows that a workbook does not show: ``refuse``, ``skip`` or ``send`` them.
        name: what the plan and errors call the file, instead of its path.

    """

    columns: ColumnMapping | None
    encoding: str | None
    sheet: str | None
    list_separator: str
    recipe: RecipeLike | None
    format: str | None
    hidden: Hidden
    name: str | None


def read_rows(source: SyncSource, **how: Unpack[ReadOptions]) -> RowStream:
    """Return the rows of a source, read one by one as they are asked for.

    Args:
        source: a path that ends in ``.csv``, ``.tsv``, ``.txt``, ``.jsonl``, ``.ndjson``, ``.json`` or ``.xlsx``, or
            an iterable of mappings or ``CreatePost``.
        how: see ``ReadOptions``.

    Returns:
        An iterator of ``RawRow`` that knows the ``info`` of the source. While it is iterated over
        it raises ``SourceError`` when the file cannot be read on.

    Raises:
        SourceError: the ending of the file's name is not known, or ``sheet`` is given for a file without sheets.
        ConfigurationError: an option cannot be meant.
        TypeError: ``source`` is none of these.

    """
    reading = _Reading(how)
    if isinstance(source, str | os.PathLike):
        return reading.of_file(os.fspath(source))
    _check_kind(source)
    if isinstance(source, AsyncIterable):
        msg = "this is an async iterable; use aread_rows"
        raise TypeError(msg)
    translator = Translator(reading.rules, SourceInfo())
    return RowStream(_rows_of(source, translator), translator.info)


def aread_rows(source: Source, **how: Unpack[ReadOptions]) -> AsyncRowStream:
    """Return the rows of a source for ``async for``; files are read in a thread.

    Args:
        source: as for ``read_rows()``, or an async iterable of mappings or
            ``CreatePost``.
        how: see ``ReadOptions``.

    Returns:
        An async iterator of ``RawRow`` that knows the ``info`` of the source.

    Raises:
        SourceError: as for ``read_rows()``.
        ConfigurationError: as for ``read_rows()``.
        TypeError: ``source`` is none of these.

    """
    if isinstance(source, AsyncIterable):
        _check_kind(source)
        translator = Translator(_Reading(how).rules, SourceInfo())
        return AsyncRowStream(_arows_of(source, translator), translator.info)
    stream = read_rows(source, **how)
    is_file = isinstance(source, str | os.PathLike)
    return AsyncRowStream(_in_thread(stream) if is_file else _in_turns(stream), stream.info)


def read_table(file: str | os.PathLike[str], **how: Unpack[ReadOptions]) -> Iterator[RawRow]:
    """Yield the rows of a file as it has them, under any names of columns, and without turning them into posts."""
    return _Reading(how).table(os.fspath(file))


class _Reading:
    """The options of reading, understood."""

    def __init__(self, how: ReadOptions) -> None:
        recipe = load_recipe(how.get("recipe") or Recipe())
        self._recipe = recipe
        separator = how.get("list_separator", LIST_SEPARATOR)
        columns = how.get("columns")
        if recipe.is_plain and all(to is None or target_of(to) for to in (columns or {}).values()):
            self.rules: ColumnRules = ColumnRules(columns, separator, recipe.words)
            self.rules.recipe_for = fitting_recipe
        else:
            lists: dict[str, str] = (
                {} if separator == LIST_SEPARATOR else dict.fromkeys(("media_urls", "hash_tags"), separator)
            )
            self.rules = RecipeRules(recipe.with_options(columns=columns, separators=lists), columns or ())
        self.rules.delimiter = recipe.delimiter
        self.rules.hidden = how.get("hidden", "refuse")
        encoding = how.get("encoding")
        self._encoding = recipe.encoding if encoding is None else encoding
        self._sheet = how.get("sheet") or recipe.sheet
        self._is_sheet_given = bool(how.get("sheet")) or not recipe.name
        self._format = how.get("format")
        self._name = how.get("name")

    def table(self, file: str) -> Iterator[RawRow]:
        """Yield the rows of a file as it has them, under any names of columns."""
        name = self._name or file
        info = SourceInfo(file=name)
        self.rules = RecipeRules(replace(self._recipe, columns={"*": None}))
        return self._reader(Path(file), info)(info)

    def of_file(self, file: str) -> RowStream:
        """Return the rows of a file."""
        name = self._name or file
        info = SourceInfo(file=name)
        read = self._reader(Path(file), info)
        # A pipe can be read only once.
        is_file = os.path.isfile(file)  # noqa: PTH113 - Path's raises for a long name
        again = (lambda: read(SourceInfo(file=name))) if is_file else None
        translator = Translator(self.rules, info, again)
        return RowStream(_translated(read(info), translator), info)

    def _reader(self, path: Path, info: SourceInfo) -> Callable[[SourceInfo], Iterator[RawRow]]:
        kind = (self._format or path.suffix).lower().removeprefix(".")
        info.kind = _KINDS.get(kind, "")
        if _ADDRESS.match(str(path)):
            msg = (
                "this is an address, not a file; download it as CSV or XLSX (in Google Sheets: File, Download), and "
                "give that file"
            )
            raise SourceError(msg, file=_ADDRESS.sub(r"\1://", info.file, count=1))
        if path.name.startswith(_LOCK_FILES):
            msg = (
                "this only says who has the file open; give the file itself, without that at the beginning of its name"
            )
            raise SourceError(msg, file=info.file)
        if os.path.isdir(path):  # noqa: PTH112 - Path's raises for a long name
            msg = "this is a folder; give one of the files in it"
            raise SourceError(msg, file=info.file)
        if not info.kind:
            known = ", ".join(f".{each}" for each in _KINDS)
            hint = "; save the workbook as .xlsx" if kind.startswith(("xl", "ods", "numbers")) else ""
            hint = hint or ("; unpack it first" if kind in _ARCHIVES else "")
            hint = hint or f"; say what it is with {self.rules.words.option('format', 'csv')}"
            msg = f'files with the ending "{path.suffix}" are not read, only {known}{hint}'
            if self._format:
                msg = f"{self.rules.words.option('format', self._format)}: give one of {', '.join(_KINDS)}"
                raise ConfigurationError(msg)
            raise SourceError(msg, file=info.file)
        rules, encoding, sheet = self.rules, self._encoding, self._sheet
        if info.kind == "xlsx":
            return lambda taken: read_xlsx(path, taken, rules, sheet)
        if sheet is not None:
            msg = f"{rules.words.option('sheet', sheet)} is for XLSX files only; this file has no sheets"
            if not self._is_sheet_given:
                msg = (
                    f'the recipe {self._recipe.name} has sheet = "{visible(sheet)}", which is for XLSX files only; '
                    "this file has no sheets, so take that line out of the recipe"
                )
            raise SourceError(msg, file=info.file)
        read = {"csv": read_csv, "jsonl": read_jsonl, "json": read_json}[info.kind]
        return lambda taken: read(path, taken, rules, encoding)


_ADDRESS = re.compile(r"(https?):[/\\]+", re.IGNORECASE)
"""Beginning of an address; a ``Path`` has one of its two slashes."""

_LOCK_FILES = ("~$", ".~lock.")
"""Beginnings of the names of the files that Excel and LibreOffice make beside one that is open."""

_ARCHIVES = ("zip", "gz", "tgz", "7z", "rar", "bz2", "xz", "zst")

_KINDS = {
    "csv": "csv", "tsv": "csv", "txt": "csv", "jsonl": "jsonl", "ndjson": "jsonl", "json": "json", "xlsx": "xlsx",
}  # fmt: skip
"""Endings of files → how they are read."""


def _translated(rows: Iterator[RawRow], translator: Translator) -> Generator[RawRow]:
    try:
        for raw in rows:
            yield from translator.rows(raw)
    finally:
        rows.close()  # type: ignore[attr-defined]  # the readers are generators
    translator.finish()


def _check_kind(source: object) -> None:
    # A mapping and a post are iterable, too, and would give their fields as rows.
    kind = type(source).__name__
    is_one_row = isinstance(source, Mapping | CreatePost | bytes | bytearray)
    if is_one_row or not isinstance(source, Iterable | AsyncIterable):
        msg = f"a source is a path, or an iterable or async iterable of mappings or CreatePost, not {kind}"
        raise TypeError(msg)


def _rows_of(items: Iterable[Item], translator: Translator) -> Iterator[RawRow]:
    layouts = Layouts(translator.rules)
    for number, item in enumerate(items, 1):
        yield from translator.rows(_row_of(number, item, layouts))
    translator.finish()


async def _arows_of(items: AsyncIterable[Item], translator: Translator) -> AsyncGenerator[RawRow, None]:
    layouts, number = Layouts(translator.rules), 0
    iterator = aiter(items)
    try:
        async for item in iterator:
            number += 1
            for row in translator.rows(_row_of(number, item, layouts)):
                yield row
        translator.finish()
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
    try:
        while True:
            rows, error = await in_thread(_take, stream)
            for row in rows:
                yield row
            if error is not None:
                raise error
            if not rows:
                return
    finally:
        stream.close()


async def _in_turns(stream: RowStream) -> AsyncGenerator[RawRow, None]:
    for count, row in enumerate(stream, 1):
        yield row
        if count % _BATCH == 0:
            # A long list must not block the event loop.
            await asyncio.sleep(0)
