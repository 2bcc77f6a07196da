"""Make a journal from a source: one pass checks every row and stores it, so what is checked is what is sent."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
import sqlite3
import time
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import starmap
from os import PathLike
from pathlib import Path
from typing import Unpack

from marketingblocks_async.bulk.errors import (
    InvalidRowsError,
    JournalError,
    JournalExistsError,
    UnconfirmedRowsError,
)
from marketingblocks_async.bulk.media import MediaCheck, listed
from marketingblocks_async.bulk.numbers import (
    listed_rows,
    noun_of,
    post_number,
    rows_that,
    sent_already,
)
from marketingblocks_async.bulk.plan import Plan, RowError, RowWarning, SourceInfo
from marketingblocks_async.bulk.planning import MAX_ERRORS, RATE, PlanBuilder
from marketingblocks_async.bulk.sheets.flat import copy_of_row, escape
from marketingblocks_async.bulk.sheets.layout import RawRow
from marketingblocks_async.bulk.sheets.reading import key_of
from marketingblocks_async.bulk.sheets.rows import Row
from marketingblocks_async.bulk.sheets.sources import AsyncRowStream, ReadOptions, Source, aread_rows
from marketingblocks_async.bulk.threads import in_thread

from .account import BASE_URL
from .earlier import find_sent_earlier, sources_of
from .files import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    lock_journal,
    mark,
    meta_line,
    partial_path,
    real_path,
    sync,
    wal_path,
)
from .journal import LINES, PLANNED_AT, SOURCE_PATH, SOURCE_TARGET, JournalReader
from .next_steps import bulk_command, name_for_failures
from .sql import QUERIES, SCHEMA
from .states import INVALID_ROW, Counts, RowState
from .turns import turn

_CHUNK = 1000


async def create_journal(
    source: Source,
    path: str | PathLike[str],
    *,
    skip_invalid: bool = False,
    allow_past: bool = True,
    allow_duplicates: bool = True,
    check_media: bool = False,
    base_url: str | None = None,
    also_in: Iterable[str | PathLike[str]] = (),
    now: datetime | None = None,
    rate: float | None = RATE,
    max_errors: int = MAX_ERRORS,
    **how: Unpack[ReadOptions],
) -> Plan:
    """Check every row of a source, and make the journal of a run over them. Nothing is sent.

    When this returns the journal exists, complete and on the disk (mode 0600, since it holds what will be published).
    If it raises, it has made no journal.

    Args:
        source: as for ``read_rows()``, or an async iterable.
        path: where to make the journal. Beside it there are a ``.lock`` and, while it is open, SQLite's files. While it
            is made and ``allow_duplicates`` is false, so is ``.marketingblocks-bulk.lock``, which stays on Windows.
        skip_invalid: whether to leave out the rows that make no post. They count as failed.
        allow_past: whether to accept rows whose schedule time is past. The API may publish them at once.
        allow_duplicates: whether to accept rows that make exactly the same post as an earlier one; with ``base_url``,
            also as one that another run has sent there, or has pending, whose journal (``*.journal``) is beside this
            one or beside the file.
        check_media: whether to request the addresses of media, and refuse rows whose file is not there.
        base_url: API root that the posts will go to, and to no other. ``None`` if other runs are no concern.
        also_in: folders of MCP servers (the name of a server's journal with ``.bulk`` behind it). What these have sent,
            by runs and by single calls, counts for ``allow_duplicates``, too.
        now: an aware datetime; schedule times a minute or more before it are past. ``None`` for the present.
        rate: requests per second for the estimate; ``None`` for no limit.
        max_errors: number of errors that the plan lists; all are counted.
        how: how the source is read, as for ``read_rows()``.

    Returns:
        The plan.

    Raises:
        InvalidRowsError: rows make no post, and ``skip_invalid`` is not set.
        UnconfirmedRowsError: rows are valid but not allowed by ``allow_past``, ``allow_duplicates`` or ``check_media``.
        SourceError: the file cannot be read, or not to its end; its ``plan`` has what was found until then.
        JournalExistsError: there is a journal with rows already; the message says whether it was made from the same
            file, and what to do.
        JournalInUseError: another process is making it, or has kept runs in the folder from beginning for over a
            minute.
        JournalError: it cannot be written.
        ConfigurationError: an option of reading cannot be meant.
        TypeError: ``source`` is none of these.
        ValueError: ``now`` is naive, or ``rate`` or ``max_errors`` is out of range.

    """
    path = Path(path)
    if not path.name or os.path.isdir(path):  # noqa: ASYNC240, PTH112 - Path's raises for a long name
        msg = f"cannot make a journal at {path}: it is a folder; give the name of a file"
        raise JournalError(msg)
    now = datetime.now(UTC) if now is None else now
    plan_builder = PlanBuilder(now=now, rate=rate, max_errors=max_errors)
    with plan_builder.added_to_errors():
        rows = aread_rows(source, **how)
    media = MediaCheck(rows.info) if check_media else None
    # The rows inside: once the lock is released, nothing may fail any more, and closing them may be cancelled.
    async with _building(path, rows.info.file) as builder:
        async with rows:
            await _store(rows, builder, plan_builder, media, skip_invalid=skip_invalid)
        broken_media = [] if media is None else await media.warnings()
        plan_builder.add_warnings(broken_media)
        async with AsyncExitStack() as until_made:
            if base_url is not None and not allow_duplicates:
                # Until the journal is there, since another run that begins has to see its rows.
                sources = sources_of({"source": rows.info.file})
                await until_made.enter_async_context(turn(path, sources))
                find_sent = partial(find_sent_earlier, sources=sources, folders=list(map(Path, also_in)))
                sent = await in_thread(find_sent, path, base_url, plan_builder.row_with)
                plan_builder.add_sent_earlier(sent)
            plan = plan_builder.finish(rows.info)
            if plan.invalid and not skip_invalid:
                rows_are = rows_that(plan.invalid, "is", "are", noun_of(plan))
                msg = (
                    f"{rows_are} not valid (the first: {plan.errors[0]}); nothing was sent; correct the file, or "
                    "send the valid rows only (skip_invalid)"
                )
                raise InvalidRowsError(msg, plan)
            _refuse_unconfirmed(plan, broken_media, allow_past=allow_past, allow_duplicates=allow_duplicates)
            facts = _meta(rows.info) | {PLANNED_AT: repr(now.timestamp()), LINES: plan.lines.to_text()}
            await in_thread(builder.finish, facts | ({} if base_url is None else {BASE_URL: base_url}))
    return plan


async def _store(
    rows: AsyncRowStream,
    builder: JournalBuilder,
    plan_builder: PlanBuilder,
    media: MediaCheck | None,
    *,
    skip_invalid: bool,
) -> None:
    """Check every row and add it to the journal."""
    with plan_builder.added_to_errors(rows.info):
        async for raw in rows:
            found = plan_builder.add(raw)
            if isinstance(found, Row):
                builder.add(found.post_number, found.key, found.content_hash, found.request)
                if media is not None:
                    media.add(found, raw.line)
            elif skip_invalid:
                _add_invalid(builder, raw, found)


def _refuse_unconfirmed(
    plan: Plan,
    broken_media: Sequence[RowWarning],
    *,
    allow_past: bool,
    allow_duplicates: bool,
) -> None:
    """Refuse valid rows that may not be meant.

    Raises:
        UnconfirmedRowsError: there are some, and they are not allowed.

    """
    faults: list[str] = []
    if plan.past_count and not allow_past:
        rows = rows_that(plan.past_count, "has", "have", noun_of(plan))
        which = listed_rows(plan.past_rows, plan.past_count, plan.lines)
        faults.append(
            f"{rows} a schedule time that is past ({which}); correct the times, or "
            "allow them (allow_past): the API may publish such posts at once"
        )
    if plan.duplicate_rows and not allow_duplicates:
        rows = rows_that(plan.duplicate_rows, "repeats", "repeat", noun_of(plan))
        group = plan.duplicate_groups[0]
        faults.append(
            f"{rows} the post of an earlier row (for example {listed_rows(group.rows, group.count, plan.lines)}); "
            "remove the repetitions, or allow them (allow_duplicates)"
        )
    if plan.sent_earlier:
        faults.append(
            f"{sent_already(plan.sent_earlier, plan.lines)}; remove those rows, and resume a run that has them "
            "pending, or allow them (allow_duplicates)"
        )
    if broken_media:
        faults.append(
            f"{len(broken_media):,} addresses of media cannot be fetched ({listed(broken_media)}); correct them, or "
            "leave out the check (check_media)"
        )
    if faults:
        msg = f"nothing was sent: {'; '.join(faults)}"
        raise UnconfirmedRowsError(msg, plan)


@asynccontextmanager
async def _building(path: Path, file: str) -> AsyncGenerator[JournalBuilder]:
    """Give the builder of a journal. After an error or a cancellation there is no journal, else its lock is free."""
    # A cancelled await returns no builder, so the thread puts it into this list. Its lock must be released then, too.
    built: list[JournalBuilder] = []
    try:
        try:
            await in_thread(lambda: built.append(JournalBuilder(path)))
        except JournalExistsError:
            raise await asyncio.to_thread(_exists, path, file) from None
        yield built[0]
    except BaseException:
        for builder in built:
            builder.abandon()
        raise
    built[0].release()


def _exists(path: Path, file: str) -> JournalExistsError:
    """Return the error that says how the journal at ``path`` relates to a file."""
    with JournalReader(path) as journal:
        counts, meta = journal.counts(), journal.meta
    made_from = meta.get("source") or "other rows"
    is_same = bool(file and meta.get("source_sha256")) and _sha256(Path(file)) == meta["source_sha256"]
    if is_same:
        relation = "it was made from this same file"
    elif file and Path(file).exists() and Path(made_from).name == Path(file).name:
        relation = f"{file} has changed since the journal was made from it"
    else:
        relation = f"it was made from {made_from}"
    rest = [f"{counts.pending:,} pending"] if counts.pending else []
    rest += [f"{counts.unknown:,} unknown"] if counts.unknown else []
    rest += [f"{counts.failed:,} failed"] if counts.failed else []
    next_step = _next_step(path, counts, name_for_failures(made_from), file=file, is_same=is_same)
    state = f"{path} exists already, with {counts.done} of {counts.total} rows done"
    return JournalExistsError(f"{', '.join([state, *rest])}; {relation}; {next_step}")


def _has_no_rows(path: Path) -> bool:
    """Return whether ``path`` is a journal that had nothing to send, for example of a file with a header only."""
    if wal_path(path).exists():
        return False
    try:
        with JournalReader(path) as journal:
            # The number that was written when it was made counts, too: rows may be missing from a damaged file.
            return journal.meta.get("rows") == "0" and journal.counts().total == 0
    except JournalError:
        return False


def _next_step(path: Path, counts: Counts, failed: str, *, file: str, is_same: bool) -> str:
    """Return the step that goes on with a journal which exists."""
    if counts.pending or counts.unknown:
        step = f"go on with it: {bulk_command('resume', path)} (rows that are done are never sent again)"
    elif counts.failed:
        report = bulk_command("report", path)
        step = f"take out the failed rows, to correct and send them: {report} --failures {failed}"
    else:
        step = "it has nothing left to send"
    if not is_same:
        # A file of another name gets a journal of its own, unless one was named.
        own = path.absolute() == Path(f"{file}.journal").absolute()
        where = "a file with another name" if own else "a file and name another journal for it (--journal)"
        return f"{step}; to send other rows, put them alone into {where}"
    return f"{step}; to send all of it once more, name another journal (--journal) and allow that (allow_duplicates)"


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return None


def _add_invalid(builder: JournalBuilder, raw: RawRow, errors: list[RowError]) -> None:
    key = key_of(raw) or raw.identity(None)
    number = post_number(raw.number, raw.part)
    builder.add_invalid(number, escape(key), copy_of_row(raw, errors), "; ".join(map(_short, errors)))


def _meta(info: SourceInfo) -> dict[str, str]:
    facts = {"source": escape(info.file), "source_kind": info.kind, "source_sha256": info.sha256 or ""}
    # The source may be no more than a name.
    with suppress(OSError, ValueError):
        if info.file:
            path = Path(info.file)
            facts |= {SOURCE_PATH: escape(str(path.absolute())), SOURCE_TARGET: escape(str(real_path(path)))}
    return facts


class JournalBuilder:
    """Makes a journal. Nothing changes at its path until ``finish()``.

    Raises:
        JournalExistsError: there is a file already, and it is no journal without rows, which would be replaced.
        JournalInUseError: another process is making it.
        JournalError: it cannot be made there.

    """

    def __init__(self, path: Path) -> None:
        self.path: Path = path
        if not path.parent.is_dir():
            msg = f"cannot make a journal at {path}: there is no folder {path.parent}; make it, or give another name"
            raise JournalError(msg)
        self._partial = partial_path(path)
        self._count = 0
        self._rows: list[tuple[int, str, str, str, int]] = []
        # Two processes that make the same journal would replace each other's file.
        self._lock = lock_journal(path)
        self._undo = ExitStack()
        self._undo.callback(self._lock.release, keep=True)
        with self._reported():
            self._check_place()
            self._remove_partial()
            self._undo.callback(self._remove_partial)
            # Made here, since SQLite would use the umask's mode, and it holds what will be published.
            os.close(os.open(self._partial, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            self._connection = sqlite3.connect(self._partial, isolation_level=None, check_same_thread=False)
            self._undo.callback(self._connection.close)
            # If this is interrupted there is no journal, so nothing needs to be durable before the end.
            self._connection.execute("PRAGMA journal_mode = OFF")
            self._connection.execute("PRAGMA synchronous = OFF")
            self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            self._connection.executescript(SCHEMA)
            self._connection.execute("BEGIN")

    def _check_place(self) -> None:
        path = self.path
        if path.exists() and not _has_no_rows(path):
            msg = f"{path} exists already"
            raise JournalExistsError(msg)
        if wal_path(path).exists():
            # SQLite would read it into the new journal, and rows would get the outcomes of other rows.
            msg = (
                f"{wal_path(path)} belongs to a journal that was at {path} and is not there any more; "
                "if it was moved, move this file along with it, otherwise remove this file"
            )
            raise JournalError(msg)

    def add(self, number: int, key: str, content_hash: str, request: str) -> None:
        """Add a row that will be sent.

        Args:
            number: of the post; 1 for the first row of the data.
            key: its identity, unique.
            content_hash: hash of what will be sent.
            request: the request as JSON.

        """
        self._rows.append((number, key, content_hash, request, mark(number, key, content_hash)))
        if len(self._rows) >= _CHUNK:
            with self._reported():
                self._write_rows()

    def add_invalid(self, number: int, key: str, cells: Mapping[str, str], error: str) -> None:
        """Add a row that cannot be sent; it counts as failed.

        Args:
            number: of the post; 1 for the first row of the data.
            key: its identity as far as it has one; it may repeat another's.
            cells: the row's cells, as a file of failures has them: column → text.
            error: the reasons, in words.

        """
        self._rows.append((number, key, "", json.dumps(cells, ensure_ascii=False), mark(number, key, "")))
        state = int(RowState.FAILED)
        line = (number, state, None, mark(number, state, None), None, error, INVALID_ROW, time.time())
        with self._reported():
            self._connection.execute(QUERIES["end"], line)

    def finish(self, meta: Mapping[str, str]) -> None:
        """Complete the journal and move it to its path. The lock is kept: ``abandon()`` can still remove it.

        Raises:
            JournalError: two rows have one key, or the disk is full.

        """
        with self._reported():
            self._write_rows()
            whole = {**meta, "rows": str(self._count), "id": secrets.token_hex(8)}
            self._connection.executemany(QUERIES["set_meta"], starmap(meta_line, whole.items()))
            self._connection.execute(QUERIES["keys_are_unique"])
            self._connection.execute("COMMIT")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.close()
            sync(self._partial)
            self._partial.replace(self.path)
            self._undo.callback(self.path.unlink, missing_ok=True)
            sync(self.path.parent)

    def release(self) -> None:
        """Release the lock of a journal that is complete."""
        self._undo.pop_all()
        self._lock.release()

    @contextmanager
    def _reported(self) -> Generator[None]:
        """After a failure remove what was made, and turn one of the disk into an error of this package."""
        try:
            yield
        except BaseException as exc:
            self.abandon()
            if not isinstance(exc, sqlite3.Error | OSError):
                raise
            msg = f"cannot make a journal at {self.path}: {getattr(exc, 'strerror', None) or exc}"
            raise JournalError(msg) from exc

    def abandon(self) -> None:
        """Remove what was made, also a complete journal, and release the lock; twice does nothing."""
        # The lock is released last: without it the files may be those of another process.
        self._undo.close()

    def _remove_partial(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self._partial.with_name(self._partial.name + suffix).unlink(missing_ok=True)

    def _write_rows(self) -> None:
        self._connection.executemany(QUERIES["add_request"], self._rows)
        self._count += len(self._rows)
        self._rows.clear()


def _short(error: RowError) -> str:
    return f"{error.column}: {error.message}" if error.column else error.message
