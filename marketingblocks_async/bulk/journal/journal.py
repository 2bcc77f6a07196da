"""The memory of a bulk run: one SQLite file with every row and its state, which survives any end of the process.

The intent to send a row is on the disk *before* its request goes out; the outcome follows afterwards. So after a kill
or a power cut at any instant a row is

* **pending**: no intent; it was not sent;
* **done** or **failed**: the outcome is recorded;
* **unknown**: an intent without an outcome; it may have been sent.

The requests are stored when the journal is made and never changed. The states have a table of their own, which is
written row by row. A journal is made in a file beside its final name and renamed when it is complete, so a journal that
exists holds all rows.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from marketingblocks_async.bulk.errors import JournalError, JournalInUseError
from marketingblocks_async.bulk.numbers import FIRST_OTHER, Passed, row_of
from marketingblocks_async.bulk.plan import Lines
from marketingblocks_async.bulk.threads import in_thread
from marketingblocks_async.clock import CalendarClock
from marketingblocks_async.models.schedule import is_past, utc_moment

from .files import (
    APPLICATION_ID,
    BESIDE,
    SCHEMA_VERSION,
    WAL_MARK,
    FileLock,
    Note,
    ReadingConnection,
    connect_for_reading,
    connect_for_writing,
    explain_damage,
    is_corrupt,
    is_locked,
    lock_journal,
    lock_path,
    mark,
    meta_line,
    partial_path,
    read_note,
    seal,
    storable,
    wal_path,
)
from .next_steps import bulk_command
from .sql import QUERIES
from .states import END_MISSING, INVALID_ROW, Counts, RowState, StoredRow, UndecidedError, is_intact
from .writer import GroupCommit

_CHUNK = 1000
_PENDING_CHUNK = 250

_INTEND, _END = QUERIES["intend"], QUERIES["end"]
_SENDING = int(RowState.SENDING)

_LOST: dict[str, Any] = {
    "state": RowState.UNKNOWN,
    "error": "the end of the journal is missing, so the row may have been sent; look at the channel",
    "error_type": END_MISSING,
}
"""Stands for a row without an outcome in a journal whose latest entries are missing."""

_NOT_OPEN = "the journal is not open; use 'async with Journal(path)', or open()"

PLANNED_AT = "planned_at"
"""Name of the fact when the rows were checked, as Unix time: those whose time was past then were allowed."""

SOURCE_PATH, SOURCE_TARGET = "source_path", "source_target"
"""Names of the facts where the file of the rows was named, as an absolute path, and where that led through links. The
fact ``source`` is for people: a relative name leads elsewhere from another folder."""

LINES = "lines"
"""Name of the fact where the rows stand in the file, as ``Lines.to_text()``; runs of older versions have none."""

_INSTANT = 1e-6
"""Seconds between two times in a journal at least; a float that holds today's Unix time cannot hold less."""

_PLACE_CHECKED_EVERY = 0.1
"""Seconds between two looks whether the journal is still where the next process would look for it. More often would
slow down a run without a limit."""


class JournalReader:
    """A journal, opened to look at it; another process may be running it.

    Args:
        path: the journal. It may be in a folder that cannot be written to.

    Attributes:
        path: the journal.
        damage: why its latest entries are missing; ``None`` if it is whole. Rows that would be pending are unknown
            then, since they may have been sent.

    Raises:
        JournalError: there is none, or it is damaged, not a journal of this package, or one of another version.

    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._name(path)
        self._open_to_read()

    def _name(self, path: str | os.PathLike[str]) -> None:
        self.path: Path = Path(path)
        self.damage: str | None = None
        self._lock = threading.Lock()
        self._connection: ReadingConnection | None = None

    def _open_to_read(self) -> None:
        path = self.path
        if not path.is_file():
            msg = f"{path} is a folder; name the journal in it" if path.is_dir() else f"there is no journal at {path}"
            if partial_path(path).exists():
                msg += ": its run ended while the file was being read, and nothing was sent; start it anew"
            raise JournalError(msg)
        # Before anything is read, since a process that runs it goes on.
        note, has_wal = read_note(path), wal_path(path).exists()
        self._connection = connect_for_reading(path, read_only=has_wal)
        try:
            self._check_kind()
            if not self.is_running():
                # Otherwise the process that runs it has checked it.
                self._check_content()
                self.damage = self._missing_end(note, has_wal=has_wal)
            if has_wal and self.damage is None and self.meta.get(WAL_MARK) != BESIDE:
                # The last process that closes a journal moves the log into the file, unless it may only read. That is
                # welcome, except after a kill in the middle of such a move (see seal): then only the log says so.
                self._connection.close()
                self._connection = connect_for_reading(path, read_only=False)
        except BaseException:
            self.close()
            raise

    def _check_kind(self) -> None:
        path = self.path
        [[application]], [[version]] = self._all("application"), self._all("version")
        if application != APPLICATION_ID:
            msg = f"{path} is an SQLite file, but no journal of a bulk run; name another file"
            raise JournalError(msg)
        if version != SCHEMA_VERSION:
            msg = (
                f"{path} was written by another version of this package "
                f"(its schema is {version}, this one reads {SCHEMA_VERSION}); use that version to finish it"
            )
            raise JournalError(msg)

    def _check_content(self) -> None:
        """Check that the file holds what was written to it.

        Raises:
            JournalError: it does not.

        """
        [[fault]] = self._all("structure")
        rows = self.meta.get("rows")
        if fault == "ok" and not self._all("damaged")[0][0] and rows == str(self._all("total")[0][0]):
            return
        raise JournalError(
            explain_damage(self.path, "some lines are not as they were written" if fault == "ok" else fault)
        )

    def _missing_end(self, note: Note, *, has_wal: bool) -> str | None:
        """Return what is wrong if the latest entries are missing; ``None`` if the journal is whole."""
        log = wal_path(self.path)
        meta = self.meta
        beside = meta.get(WAL_MARK) == BESIDE
        is_noted = note.journal == meta.get("id")
        # After a failed move (see seal), the last process that closed the journal may have moved the log all the same.
        if not has_wal and beside and not (is_noted and note.is_final):
            what = f"{log} is missing"
        elif is_noted and self._latest_time() < note.stamp:
            what = f"{self.path} or {log} was cut off, damaged or replaced by an older copy"
        elif beside and not lock_path(self.path).exists():
            # Only a kill or a failure in the middle of a move looks the same, and leaves the lock's file behind.
            what = f"{log} is damaged"
        else:
            return None
        return (
            f"{what}, and it says which rows were sent last; put it back beside the journal (move or copy a journal "
            "together with the files beside it). If it is lost, look up at the API which rows were published, and send "
            "the missing ones with a new journal"
        )

    def close(self) -> None:
        """Close it; twice does nothing."""
        if self._connection is not None:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def meta(self) -> dict[str, str]:
        """Facts about the run, by name."""
        return dict(self._all("meta"))

    @cached_property
    def lines(self) -> Lines:
        """The lines of the rows in the file that they came from, as far as they are known."""
        return Lines.from_text(self.meta.get(LINES, ""))

    def counts(self) -> Counts:
        """Return the number of rows in each state."""
        return self.counts_and_sending()[0]

    def counts_and_sending(self) -> tuple[Counts, int]:
        """Return the same, and how many of the unknown rows have an intent only: both at one moment, also of a run."""
        total = self._all("total")[0][0]
        by_state: dict[int, int] = dict(self._all("states"))
        sending = by_state.get(RowState.SENDING, 0)
        unknown = by_state.get(RowState.UNKNOWN, 0) + sending
        done, failed = by_state.get(RowState.DONE, 0), by_state.get(RowState.FAILED, 0)
        if self.damage is not None:
            unknown = total - done - failed
        return Counts(total, done, failed, total - done - failed - unknown, unknown), sending

    def rows(self, states: Iterable[RowState] = tuple(RowState), *, after: int = 0) -> Iterator[StoredRow]:
        """Yield rows in their order, in flat memory.

        Args:
            states: the states to include.
            after: leave out rows up to this number.

        """
        wanted = set(states)
        if self.damage is not None:
            wanted = wanted - {RowState.PENDING} | (wanted & {RowState.UNKNOWN} and {RowState.PENDING})
        numbers = json.dumps([int(state) for state in wanted])
        while found := self._all("rows", (after, numbers, _CHUNK)):
            for row in map(_stored, found):
                is_lost = self.damage is not None and row.state in (RowState.PENDING, RowState.SENDING)
                yield replace(row, **_LOST) if is_lost else row
            after = found[-1][0]

    def past_posts(self, now: datetime, states: Collection[RowState] = (RowState.PENDING,)) -> Passed:
        """Return which posts have a schedule time that has passed since the plan.

        Args:
            now: an aware datetime.
            states: the states of the posts that count.

        """
        planned = self._planned
        posts, first, more, split = 0, list[int](), False, False
        # Nothing has in each run that follows its plan, so a large file is not looked through.
        if is_past(planned, now):
            wanted = json.dumps([int(state) for state in states])
            for text, zone, count, rows, lowest, highest in self._all("due_times", (FIRST_OTHER, wanted)):
                if _has_passed(text, zone, planned, now):
                    posts += count
                    first.append(row_of(lowest))
                    more = more or rows > 1
                    split = split or row_of(highest) != highest
        return Passed(posts, tuple(sorted(first)), more, split)

    @cached_property
    def _planned(self) -> datetime:
        return datetime.fromtimestamp(float(self.meta.get(PLANNED_AT, 0.0)), UTC)

    def is_running(self) -> bool:
        """Whether a process is running it at this moment."""
        return is_locked(self.path)

    def last_activity(self) -> float | None:
        """Return the Unix time of the last intent or outcome; ``None`` if nothing was ever sent."""
        return self._all("last_activity")[0][0] or None

    def _latest_time(self) -> float:
        return max(self.last_activity() or 0.0, self._all("last_session")[0][0] or 0.0)

    def seconds(self) -> list[tuple[int, int, int]]:
        """Return (Unix second, state, rows that ended in that state), in order: the course of the run."""
        return self._all("ended_by_second", (INVALID_ROW,))

    def sessions(self) -> list[tuple[float, float | None, str | None]]:
        """Return (beginning, end, way of ending) of each session; a killed one has no end."""
        return self._all("sessions")

    def known_post_ids(self) -> dict[str, int]:
        """Return the ids of created posts with the numbers of their rows."""
        return dict(self._all("post_ids"))

    def done_around(self, earliest: float) -> list[StoredRow]:
        """Return the rows that are done and were sent since ``earliest``, and the last few before it.

        Also those sent at any time whose post may be taken for that of an unknown row.

        Args:
            earliest: Unix time.

        """
        found = self._all("done_before", (earliest, _CHUNK))
        found += self._all("done_since", (earliest, 10 * _CHUNK))
        # As many as a listing has posts.
        found += self._all("done_alike", (10 * _CHUNK,))
        return list({values[0]: _stored(values) for values in found}.values())

    def _all(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        if self._connection is None:
            raise JournalError(_NOT_OPEN)
        try:
            with self._lock, closing(self._connection.execute(QUERIES[query], parameters)) as cursor:
                return cursor.fetchall()
        except sqlite3.Error as exc:
            msg = explain_damage(self.path, str(exc)) if is_corrupt(exc) else f"cannot read {self.path}: {exc}"
            raise JournalError(msg) from exc


def _stored(values: tuple[Any, ...]) -> StoredRow:
    number, key, content_hash, request, state, *rest = values
    return StoredRow(number, key, content_hash, request, RowState(state), *rest)


class Journal(JournalReader):
    """A journal that this process runs, and no other: ``async with Journal(path) as journal``.

    Args:
        path: the journal.

    Raises:
        JournalInUseError: on entering: another process runs it.
        JournalError: on entering: there is none, or it cannot be used.

    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._name(path)
        self._file_lock = FileLock(lock_path(self.path))  # not taken yet
        self._commits: GroupCommit | None = None
        self._session: int | None = None
        self._latest = 0.0
        self._is_taken = False
        self._clock = CalendarClock()
        self._place = self.path
        self._file: os.stat_result | None = None
        self._check_place_at = 0.0

    async def open(self) -> Self:
        """Open it, for programs without ``async with``; close it with ``aclose()``.

        Raises:
            JournalInUseError: another process runs it.
            JournalError: there is none, or it cannot be used, or it is open already.

        """
        if self._connection is not None:
            msg = f"{self.path} was opened before; make another Journal to open it again"
            raise JournalError(msg)
        try:
            # All of a large journal is checked, which may take a second.
            await in_thread(self._open_to_run)
            # The writer releases the lock, since it may outlast a call of aclose() that is cancelled.
            self._commits = GroupCommit(
                self.path,
                connect=self._connect_to_write,
                tidy=seal,
                error=self._write_error,
                stamp=lambda: self._latest,
                committed=partial(self._committed, self.meta.get("id", "")),
                failed=self._file_lock.leave_behind,
                ended=self._file_lock.release,
            )
        except BaseException:
            self.close()
            self._file_lock.release(keep=True)
            raise
        return self

    def _open_to_run(self) -> None:
        """Open it to read, and take its lock."""
        self._open_to_read()
        if self.damage is not None:
            raise JournalError(self.damage)
        self._file_lock = lock_journal(self.path)
        self._latest = self._latest_time()

    def _connect_to_write(self, path: Path) -> sqlite3.Connection:
        connection = connect_for_writing(path)
        # Not before: if it fails, or is killed, nothing was written.
        self._file_lock.name_holder()
        # The program may go to another folder.
        self._place = path.resolve()
        self._file = self._place.stat()
        return connection

    def _committed(self, journal: str, stamp: float) -> None:
        """Note a commit, and make sure that the next process will find it: the file is open, whatever its name is now.

        Raises:
            _MovedError: it would not.

        """
        self._file_lock.note(journal, stamp)
        now = time.monotonic()
        if now < self._check_place_at:
            return
        self._check_place_at = now + _PLACE_CHECKED_EVERY
        is_there, is_same = _compare(self._place, self._file)
        if is_same and self._file_lock.is_in_place:
            return
        if is_there:
            # What is there now may lack the rows sent since it was copied.
            self._file_lock.leave_note(journal, stamp)
        raise _MovedError

    @property
    def was_opened(self) -> bool:
        """Whether it is open, or was."""
        return self._connection is not None

    @property
    def _writer(self) -> GroupCommit:
        if self._commits is None:
            raise JournalError(_NOT_OPEN)
        return self._commits

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Write what is left and release the journal; a cancelled call does so too, in the background.

        Raises:
            JournalError: something could not be written.

        """
        # The reading connection first: the writer must be the last one, since the last one may move the log.
        self.close()
        if self._commits is not None:
            await self._commits.close()

    def _write_error(self, cause: BaseException) -> JournalError:
        if isinstance(cause, _MovedError):
            return JournalError(
                f"{self.path} or {lock_path(self.path)} was moved, deleted or replaced during the run; no further row "
                "was sent, and rows in flight are unknown; put it back, with the files beside it, then go on: "
                f"{bulk_command('resume', self.path)}. If it is lost, look up at the API which rows were "
                "published, and send the missing ones with a new journal"
            )
        words = str(cause) if isinstance(cause, sqlite3.Error) else f"{type(cause).__name__}: {cause}"
        error = JournalError(
            f"cannot write to {self.path}: {words}; no further row was sent, and rows in flight are unknown; "
            f"make room or remove the cause, then go on: {bulk_command('resume', self.path)}"
        )
        error.__cause__ = cause
        return error

    def _now(self) -> float:
        """Return the Unix time, but later than any time in the journal, even if the clock was set back.

        These times say which session sent a row, and which of two rows was sent first.
        """
        self._latest = max(time.time(), self._latest + _INSTANT)
        return self._latest

    @contextmanager
    def taken(self) -> Generator[None]:
        """Keep the journal for one run.

        Raises:
            JournalInUseError: a run of this object is going on.

        """
        if self._is_taken:
            msg = f"a run with this Journal of {self.path} is going on; wait for its end"
            raise JournalInUseError(msg, holder=os.getpid())
        self._is_taken = True
        try:
            yield
        finally:
            self._is_taken = False

    async def begin_session(self) -> None:
        """Record that a session begins."""
        self._session = len(self.sessions()) + 1
        await self._writer.durably(QUERIES["begin_session"], (self._session, self._now()))

    async def end_session(self, ending: str) -> None:
        """Record that the session ended in an orderly way.

        Args:
            ending: the way it ended, in a word or two.

        """
        await self._writer.durably(QUERIES["end_session"], (self._now(), ending, self._session))

    # For the account, see AccountJournal.

    @property
    def title(self) -> str:
        """The journal's path."""
        return str(self.path)

    async def noted(self, name: str, value: str) -> str:
        """Record a fact about the run, unless it is known; return the one that is recorded now."""
        known = self.meta.get(name)
        if known is None:
            await self._write_meta(name, value)
        return known or value

    async def replace_token(self, fingerprint: str, *, even_if_sent: bool) -> bool:
        """Record another token's hash, unless a row may have been published with the former; return whether it did."""
        counts = await asyncio.to_thread(self.counts)
        if (counts.done or counts.unknown) and not even_if_sent:
            return False
        await self._write_meta("token_hash", fingerprint)
        return True

    async def longest_settling_time(self, seconds: float) -> float:
        """Record for how long a request of this session may be under way; return the longest of all sessions."""
        known = float(self.meta.get("settle_after", 0.0))
        if seconds > known:
            await self._write_meta("settle_after", repr(seconds))
        return max(known, seconds)

    async def _write_meta(self, name: str, value: str) -> None:
        await self._writer.durably(QUERIES["set_meta"], meta_line(name, value))

    def intend(self, number: int) -> Awaitable[None]:
        """Record that a row is about to be sent; the row may be sent once the result is awaited.

        Raises:
            JournalError: it could not be written; the row must not be sent.

        """
        return self._writer.durably(_INTEND, (number, mark(number, _SENDING, None), self._now()))

    def end(
        self,
        number: int,
        state: RowState,
        *,
        post_id: str | None = None,
        permalink: str | None = None,
        error: Exception | None = None,
    ) -> None:
        """Record the outcome of a row; it is on the disk soon, and at the latest when ``flush()`` returns.

        Raises:
            JournalError: the disk refused an earlier write.

        """
        words, kind = (None, None) if error is None else (storable(str(error)), type(error).__name__)
        post_id = None if post_id is None else storable(post_id)
        permalink = None if permalink is None else storable(permalink)
        line = (number, int(state), post_id, mark(number, int(state), post_id), permalink, words, kind, self._now())
        self._writer.soon(_END, line)

    async def flush(self) -> None:
        """Return when everything recorded so far is on the disk.

        Raises:
            JournalError: something could not be written.

        """
        await self._writer.flush()

    async def settle_unfinished(self) -> int:
        """Turn the intents that a killed session left behind into unknown rows; return how many there were."""
        unfinished = await asyncio.to_thread(lambda: [row.number for row in self.rows([RowState.SENDING])])
        for number in unfinished:
            self.end(number, RowState.UNKNOWN, error=_KILLED)
        await self.flush()
        return len(unfinished)

    async def pending(self) -> AsyncGenerator[tuple[int, str], None]:
        """Yield number and request of the pending rows in order; each is looked up when its turn comes."""
        after = 0
        while chunk := await asyncio.to_thread(self._pending_after, after):
            for number, request in chunk:
                yield number, request
            after = chunk[-1][0]

    def _pending_after(self, after: int) -> list[tuple[int, str]]:
        found: list[tuple[int, str, str]] = json.loads(self._all("pending", (after, _PENDING_CHUNK))[0][0])
        for number, expected, request in found:
            if not is_intact(request, expected):
                msg = f"{self.path} is damaged: post {number} is not as it was written; it was not sent"
                raise JournalError(msg)
        return sorted((number, request) for number, _, request in found)

    def has_passed(self, request: str, now: datetime) -> bool:
        """Return whether the schedule time of a row has passed since the plan.

        Args:
            request: the row's request.
            now: an aware datetime.

        """
        planned = self._planned
        if '"schedule_time":"' not in request or not is_past(planned, now):
            return False
        post: Mapping[str, Any] = json.loads(request)
        text = post.get("schedule_time")
        return text is not None and _has_passed(text, post.get("time_zone"), planned, now)

    def allow_late(self, moment: datetime) -> None:
        """Count no row as late whose schedule time had passed at a moment: a person was asked about them then.

        Args:
            moment: an aware datetime.

        """
        self._planned = max(self._planned, moment)

    # For reconciliation, see RunJournal.

    async def now(self) -> float:
        """Return the Unix time, without the steps by which the clock was set forward since the journal was opened."""
        return self._clock.now()

    async def unknown_rows(self) -> list[StoredRow]:
        """Return the rows of unknown outcome."""
        return await asyncio.to_thread(lambda: list(self.rows([RowState.UNKNOWN])))

    async def sent_rows(self) -> tuple[list[StoredRow], list[StoredRow]]:
        """Return the rows of unknown outcome, and those that are done and were sent around and after them."""
        unknown = await self.unknown_rows()
        earliest = min((row.sent_at for row in unknown if row.sent_at is not None), default=None)
        return unknown, [] if earliest is None else await asyncio.to_thread(self.done_around, earliest)

    async def claimed_post_ids(self) -> Collection[str]:
        """Return the ids of the posts of all rows that are done."""
        return (await asyncio.to_thread(self.known_post_ids)).keys()

    async def note_highest_id(self, post_id: int) -> None:
        """Record the highest post id that the API listed before this session sent anything."""
        highest: dict[str, int] = json.loads(self.meta.get("floors", "{}"))
        highest[str(self._session)] = post_id
        await self._write_meta("floors", json.dumps(highest))

    async def highest_ids(self) -> list[tuple[float, int | None]]:
        """Return (beginning, highest post id listed then) of each session; ``None`` if that is not known."""
        highest: dict[str, int] = json.loads(self.meta.get("floors", "{}"))
        return [(began, highest.get(str(number))) for number, (began, _, _) in enumerate(self.sessions(), 1)]

    async def settle(
        self, found: Mapping[int, str], absent: Iterable[int], attempts: Mapping[int, int]
    ) -> tuple[int, list[int]]:
        """Record unknown rows whose outcome was found out.

        Args:
            found: number of a row that exists → id of its post.
            absent: numbers of rows that do not exist; they are pending again.
            attempts: those of each row when it was looked for.

        Returns:
            The number of rows that are done now, and the numbers of those that are pending again.

        """
        # The session that looks for rows sends none meanwhile, and no other one has the journal.
        del attempts
        again = list(absent)
        for number, post_id in found.items():
            self.end(number, RowState.DONE, post_id=post_id)
        for number in again:
            self.end(number, RowState.PENDING)
        await self.flush()
        return len(found), again

    async def explain(self, reasons: Mapping[int, str]) -> None:
        """Record why rows (number → text) stay unknown, in place of their error."""
        for number, text in reasons.items():
            self.end(number, RowState.UNKNOWN, error=UndecidedError(text))
        await self.flush()


def _has_passed(schedule_time: str, time_zone: str | None, planned: datetime, now: datetime) -> bool:
    moment = utc_moment(schedule_time, time_zone or "")
    return moment is not None and is_past(moment, now) and not is_past(moment, planned)


def _compare(path: Path, file: os.stat_result | None) -> tuple[bool, bool]:
    """Return whether there is a file, and whether it is that one; both are true if that cannot be told."""
    try:
        return True, file is None or os.path.samestat(path.stat(), file)
    except (FileNotFoundError, NotADirectoryError):
        return False, False
    except OSError:
        return True, True


class _MovedError(Exception):
    """The journal is no longer where the next process would look for it."""


class _KilledError(Exception):
    """Stands in the journal for the outcome that a killed process could not write."""


_KILLED = _KilledError("the run was killed after it recorded the intent to send the row and before it saw the outcome")
