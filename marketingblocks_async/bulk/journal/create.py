"""From a source to a journal: one pass that checks every row and stores it, so what is checked is what is sent."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from os import PathLike
from pathlib import Path

from marketingblocks_async.bulk.errors import BulkError, JournalError, JournalExistsError
from marketingblocks_async.bulk.facts import SourceFacts
from marketingblocks_async.bulk.plan import MAX_ERRORS, RATE, Plan, PlanBuilder
from marketingblocks_async.bulk.sheets.columns import KEY, LIST_SEPARATOR, ColumnMapping, is_note
from marketingblocks_async.bulk.sheets.display import RowError, SourceError
from marketingblocks_async.bulk.sheets.flat import FLAT_COLUMNS
from marketingblocks_async.bulk.sheets.raw_rows import RawRow
from marketingblocks_async.bulk.sheets.reading import key_of
from marketingblocks_async.bulk.sheets.rows import Row, canonical_json
from marketingblocks_async.bulk.sheets.sources import Source, aread_rows

from .comparison import Comparison
from .journal import JournalBuilder, JournalReader

LONGEST_CELL = 32_768
"""Characters of a bad cell that are kept to be corrected; as many as a spreadsheet lets a cell have."""


class InvalidRowsError(BulkError):
    """Rows of a source make no post, so nothing was stored and nothing is sent.

    Attributes:
        plan: everything that is wrong.

    """

    def __init__(self, message: str, plan: Plan | None = None) -> None:
        """Keep the plan; it is optional so that pickling works."""
        super().__init__(message)
        self.plan: Plan | None = plan


async def create_journal(
    source: Source,
    path: str | PathLike[str],
    *,
    skip_invalid: bool = False,
    columns: ColumnMapping | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    list_separator: str = LIST_SEPARATOR,
    now: datetime | None = None,
    rate: float | None = RATE,
    max_errors: int = MAX_ERRORS,
) -> Plan:
    """Check every row of a source, and make the journal of a run over them. Nothing is sent.

    The journal exists once this returns, complete and on the disk (mode 0600, since it holds what will be published),
    or not at all.

    Args:
        source: as for :func:`~marketingblocks_async.bulk.read_rows`, or an async iterable.
        path: where the journal will be; beside it there are a ``.lock`` and, while it is open, SQLite's files.
        skip_invalid: whether to go on without the rows that make no post. They count as failed.
        columns: name of a column in the file → field of the post, ``None`` to ignore it.
        encoding: of a text file, ``None`` to find it out.
        sheet: name of the worksheet, ``None`` for the first one that is not hidden.
        list_separator: what separates the entries of a list inside one cell.
        now: aware; schedule times before it have passed. ``None`` for the present.
        rate: requests per second for the estimate, ``None`` for no limit.
        max_errors: how many errors the plan lists; all are counted.

    Returns:
        The plan.

    Raises:
        InvalidRowsError: rows make no post, and ``skip_invalid`` is not set.
        SourceError: the file cannot be read, or not to its end; its ``plan`` has what was found until then.
        JournalExistsError: there is a journal; the message says how its rows relate to these and what to do.
        JournalInUseError: another process makes it just now.
        JournalError: it cannot be written.
        ConfigurationError: ``columns`` or ``list_separator`` cannot be meant.
        TypeError: ``source`` is none of these.
        ValueError: ``now`` is naive, or ``rate`` or ``max_errors`` makes no sense.

    """
    path = Path(path)
    if not path.name or os.path.isdir(path):  # noqa: ASYNC240, PTH112 - Path's raises for a long name
        msg = f"cannot make a journal at {path}: it is a folder; give the name of a file"
        raise JournalError(msg)
    plan_builder = PlanBuilder(now=now, rate=rate, max_errors=max_errors)
    try:
        rows = aread_rows(source, columns=columns, encoding=encoding, sheet=sheet, list_separator=list_separator)
    except SourceError as exc:
        exc.plan = plan_builder.finish(SourceFacts(file=exc.file), exc)
        raise
    async with rows, _sink(path) as sink:
        try:
            async for raw in rows:
                found = plan_builder.add(raw)
                if isinstance(found, Row):
                    sink.add(found)
                elif skip_invalid:
                    sink.add_invalid(raw, found)
        except SourceError as exc:
            exc.plan = plan_builder.finish(rows.facts, exc)
            raise
        plan = plan_builder.finish(rows.facts)
        if plan.invalid and not skip_invalid:
            rows_are = "1 row is" if plan.invalid == 1 else f"{plan.invalid} rows are"
            msg = (
                f"{rows_are} not valid (the first: {plan.errors[0]}); nothing was sent; "
                "correct the file, or send the valid rows only (skip_invalid)"
            )
            raise InvalidRowsError(msg, plan)
        sink.finish(rows.facts)
    return plan


class _Storing:
    """Takes the rows into a new journal."""

    def __init__(self, builder: JournalBuilder) -> None:
        self._builder = builder

    def add(self, row: Row) -> None:
        self._builder.add(row.number, row.key, row.content_hash, canonical_json(row.post))

    def add_invalid(self, raw: RawRow, errors: list[RowError]) -> None:
        key = key_of(raw) or str(raw.number)
        self._builder.add_invalid(raw.number, _writable(key), _cells(raw), "; ".join(map(_short, errors)))

    def finish(self, facts: SourceFacts) -> None:
        others = [
            name for name, field in facts.columns.items() if field not in (*FLAT_COLUMNS, KEY) and not is_note(name)
        ]
        self._builder.finish(
            {
                "source": _writable(facts.file),
                "source_kind": facts.kind,
                "source_sha256": facts.sha256 or "",
                "other_columns": json.dumps([_writable(name) for name in others]),
            }
        )


class _Comparing:
    """Compares the rows with those of the journal that is there already, to say how they relate."""

    def __init__(self, path: Path) -> None:
        with JournalReader(path) as journal:
            self._counts = journal.counts()
        self._path = path
        self.comparison = Comparison(path)

    def add(self, row: Row) -> None:
        self.comparison.add(row.number, row.key, row.content_hash)

    def add_invalid(self, raw: RawRow, errors: list[RowError]) -> None:
        """The journal has no posts to compare these with."""

    def finish(self, facts: SourceFacts) -> None:
        difference, counts = self.comparison.result(), self._counts
        what = facts.file or "what is to be sent"
        advice = (
            "resume it (bulk resume); it sends only what is pending, and never what is done"
            if difference.is_the_same
            else "resume it to finish its own rows; give a journal of its own to what is new"
        )
        msg = (
            f"{self._path} exists already, with {counts.done} of {counts.total} rows done; "
            f"compared with it, {what} has {difference}; {advice}"
        )
        raise JournalExistsError(msg)


@asynccontextmanager
async def _sink(path: Path) -> AsyncGenerator[_Storing | _Comparing]:
    try:
        builder = JournalBuilder(path)
    except JournalExistsError:
        comparing = _Comparing(path)
        with contextlib.closing(comparing.comparison):
            yield comparing
        return
    try:
        yield _Storing(builder)
    except BaseException:
        # Whatever it was, a cancellation included.
        builder.abandon()
        raise


def _short(error: RowError) -> str:
    return f"{error.column}: {error.message}" if error.column else error.message


def _cells(raw: RawRow) -> dict[str, str]:
    """Return what a row holds as text, by field where there is one column for it, else by column."""
    found: dict[str, str] = {}
    for index, cell in enumerate(raw.cells):
        name = raw.layout.name_of(index)
        field = raw.layout.fields.get(name)
        if cell is not None and cell != "" and not is_note(name):
            text = cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False, default=str)
            found[_writable(field if field in FLAT_COLUMNS else name)] = _writable(text[:LONGEST_CELL])
    return found


def _writable(text: str) -> str:
    """Return a text that can be encoded: what is no UTF-8, as in a file name, becomes an escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
