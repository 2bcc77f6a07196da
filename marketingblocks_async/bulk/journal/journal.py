"""The memory of a bulk run: one SQLite file that says of every row what became of it, whatever becomes of the process.

The intent to send a row is on the disk *before* its request goes out, the outcome follows after it. So after a kill, or
a power cut, at any instant a row is

* **pending**: no intent; it was not sent;
* **done** or **failed**: the outcome is recorded;
* **unknown**: an intent without an outcome; it may have been sent.

The requests are stored when the run begins and never changed; what becomes of them is in a table of its own, which is
only touched row by row. A journal is made in a file beside its final name and renamed when it is complete, so a journal
that exists holds all rows.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from marketingblocks_async.bulk.errors import JournalError, JournalExistsError, JournalInUseError

from .files import FileLock, LockHeldError
from .states import Counts, RowState, StoredRow
from .writer import GroupCommit

APPLICATION_ID = 0x4D424A52
"""Marks an SQLite file as a journal of this package."""

SCHEMA_VERSION = 1

INVALID_ROW = "InvalidRow"
"""Error class of rows that never made a request."""

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE requests (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    hash TEXT NOT NULL,
    request TEXT NOT NULL
);
CREATE TABLE states (
    number INTEGER PRIMARY KEY,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    post_id TEXT,
    error TEXT,
    error_type TEXT,
    sent_at REAL,
    ended_at REAL
);
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    began_at REAL NOT NULL,
    ended_at REAL,
    ending TEXT
);
"""

_ROW = """
SELECT r.number, r.key, r.hash, r.request, coalesce(s.state, 0), coalesce(s.attempts, 0),
       s.post_id, s.error, s.error_type, s.sent_at, s.ended_at
FROM requests AS r LEFT JOIN states AS s ON s.number = r.number
"""

_CHUNK = 1000

_PENDING = """
SELECT json_group_array(json_array(number, request)) FROM (
    SELECT r.number AS number, r.request AS request FROM requests AS r LEFT JOIN states AS s ON s.number = r.number
    WHERE r.number > ? AND coalesce(s.state, 0) = 0 ORDER BY r.number LIMIT ?
)
"""
"""In one piece: for every row that SQLite hands over, a thread has to get Python's lock back from the event loop."""

_PENDING_CHUNK = 250

_INTEND = """
INSERT INTO states (number, state, attempts, sent_at) VALUES (?, 1, 1, ?)
ON CONFLICT (number) DO UPDATE SET state = 1, attempts = attempts + 1, sent_at = excluded.sent_at
"""

_END = """
INSERT INTO states (number, state, post_id, error, error_type, ended_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (number) DO UPDATE SET state = excluded.state, post_id = excluded.post_id, error = excluded.error,
    error_type = excluded.error_type, ended_at = excluded.ended_at
"""

_INSTANT = 1e-6
"""Seconds between two times in a journal at least; less than that a float of today's Unix time cannot hold."""

_LOCK_TRIES, _LOCK_PAUSE = 25, 0.02
"""How often the lock is tried, and seconds in between: half a second, in which whoever only looks lets it go."""

_WAL_MARK, _BESIDE, _HERE = "wal", "beside", "here"
"""Name and values of the fact about where the latest writes are, see :func:`_seal`."""


class JournalBuilder:
    """A journal in the making. Nothing exists at its path until :meth:`finish`.

    Args:
        path: where it will be.

    Raises:
        JournalExistsError: something is there already.
        JournalInUseError: another process is making it.
        JournalError: it cannot be made there.

    """

    def __init__(self, path: Path) -> None:
        self.path: Path = path
        if not path.parent.is_dir():
            msg = f"cannot make a journal at {path}: there is no folder {path.parent}"
            raise JournalError(msg)
        # Against another process that makes the same one: it would replace the file under our hands.
        self._lock = _locked(path)
        if path.exists():
            self._lock.release()
            msg = f"{path} exists already"
            raise JournalExistsError(msg)
        if _wal(path).exists():
            self._lock.release()
            # SQLite would read it into the new journal: rows would have outcomes that are not theirs.
            msg = (
                f"{_wal(path)} belongs to a journal that was at {path} and is not there any more; "
                "if it was moved, move this file along with it, otherwise remove this file"
            )
            raise JournalError(msg)
        self._partial = _partial(path)
        try:
            self._remove_partial()
            # Before SQLite makes it with the umask's mode: it holds what is to be published.
            os.close(os.open(self._partial, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except OSError as exc:
            self._lock.release()
            msg = f"cannot make a journal at {path}: {exc.strerror or exc}"
            raise JournalError(msg) from exc
        self._connection = sqlite3.connect(self._partial, isolation_level=None, check_same_thread=False)
        with self._reported():
            # If this is cut short there is no journal, so nothing needs to be durable before the end.
            self._connection.execute("PRAGMA journal_mode = OFF")
            self._connection.execute("PRAGMA synchronous = OFF")
            self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            self._connection.executescript(_SCHEMA)
            self._connection.execute("BEGIN")
        self._rows: list[tuple[int, str, str, str]] = []

    def add(self, number: int, key: str, content_hash: str, request: str) -> None:
        """Add a row that will be sent.

        Args:
            number: 1 for the first row of the data.
            key: its identity, unique.
            content_hash: hash of what will be sent.
            request: the request as JSON.

        """
        self._rows.append((number, key, content_hash, request))
        if len(self._rows) >= _CHUNK:
            with self._reported():
                self._write_rows()

    def add_invalid(self, number: int, key: str, cells: Mapping[str, str], error: str) -> None:
        """Add a row that cannot be sent; it counts as failed.

        Args:
            number: 1 for the first row of the data.
            key: its identity as far as it has one; it need not be unique.
            cells: what the row holds, by field or else by column.
            error: what is wrong with it.

        """
        self._rows.append((number, key, "", json.dumps(cells, ensure_ascii=False)))
        with self._reported():
            self._connection.execute(_END, (number, RowState.FAILED, None, error, INVALID_ROW, time.time()))

    def finish(self, meta: Mapping[str, str]) -> None:
        """Make the journal exist.

        Args:
            meta: facts about the run, by name.

        Raises:
            JournalError: two rows have one key, or the disk is full.

        """
        with self._reported():
            self._write_rows()
            self._connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
            self._connection.execute("CREATE UNIQUE INDEX requests_by_key ON requests (key) WHERE hash <> ''")
            self._connection.execute("COMMIT")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.close()
            _sync(self._partial)
            self._partial.rename(self.path)
            _sync(self.path.parent)
            self._lock.release()

    @contextmanager
    def _reported(self) -> Generator[None]:
        """Turn what the disk refuses into an error of this package, and leave nothing behind then."""
        try:
            yield
        except (sqlite3.Error, OSError) as exc:
            self.abandon()
            msg = f"cannot make a journal at {self.path}: {exc}"
            raise JournalError(msg) from exc

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._connection.close()
        self._remove_partial()
        self._lock.release()

    def _remove_partial(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self._partial.with_name(self._partial.name + suffix).unlink(missing_ok=True)

    def _write_rows(self) -> None:
        self._connection.executemany("INSERT INTO requests VALUES (?, ?, ?, ?)", self._rows)
        self._rows.clear()


class JournalReader:
    """A journal to look at; it may be running elsewhere.

    Args:
        path: the journal.

    Raises:
        JournalError: there is none, or it is none of this package or of another version.

    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Path = Path(path)
        path = self.path
        if not path.is_file():
            msg = f"there is no journal at {path}"
            if _partial(path).exists():
                msg += ": its run ended while the file was being read, and nothing was sent; start it anew"
            raise JournalError(msg)
        self._lock = threading.Lock()
        has_wal = _wal(path).exists()
        self._connection = _connect_for_reading(path, read_only=has_wal)
        try:
            self._check(has_wal=has_wal)
            if has_wal and self.meta.get(_WAL_MARK) != _BESIDE:
                # Whoever closes a journal last moves its log, unless he may only read. That is welcome, but not after a
                # kill in the middle of its being moved (see _seal): then the log is all that says so.
                self._connection.close()
                self._connection = _connect_for_reading(path, read_only=False)
        except BaseException:
            self._connection.close()
            raise

    def _check(self, *, has_wal: bool) -> None:
        path = self.path
        try:
            application = self._connection.execute("PRAGMA application_id").fetchone()[0]
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.OperationalError as exc:
            # A full disk, for example: also to be read, a journal needs room for the index of its log.
            msg = f"cannot read {path}: {exc}"
            raise JournalError(msg) from exc
        except sqlite3.DatabaseError as exc:
            msg = f"{path} is no journal of a bulk run: {exc}"
            raise JournalError(msg) from exc
        if application != APPLICATION_ID:
            msg = f"{path} is an SQLite file, but no journal of a bulk run"
            raise JournalError(msg)
        if version != SCHEMA_VERSION:
            msg = (
                f"{path} was written by another version of this package "
                f"(its schema is {version}, this one reads {SCHEMA_VERSION}); use that version to finish it"
            )
            raise JournalError(msg)
        if not has_wal and self.meta.get(_WAL_MARK) == _BESIDE and not self.is_running():
            msg = (
                f"{_wal(path)} is missing, and it holds what was sent last; put it back beside the journal (a journal "
                "is moved or copied together with it). Without it nobody knows which rows were sent: if it is lost, "
                "look them up, and give what is missing to a journal of its own"
            )
            raise JournalError(msg)

    def close(self) -> None:
        """Close it; twice does nothing."""
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
        return dict(self._all("SELECT name, value FROM meta"))

    def counts(self) -> Counts:
        """Return how many rows are in which state."""
        total = self._all("SELECT count(*) FROM requests")[0][0]
        by_state: dict[int, int] = dict(self._all("SELECT state, count(*) FROM states GROUP BY state"))
        unknown = by_state.get(RowState.UNKNOWN, 0) + by_state.get(RowState.SENDING, 0)
        done, failed = by_state.get(RowState.DONE, 0), by_state.get(RowState.FAILED, 0)
        return Counts(total, done, failed, total - done - failed - unknown, unknown)

    def rows(self, states: Iterable[RowState] = tuple(RowState), *, after: int = 0) -> Iterator[StoredRow]:
        """Yield rows in their order, in flat memory.

        Args:
            states: which ones.
            after: only rows with a higher number.

        """
        wanted = ", ".join(str(int(state)) for state in states)
        # The numbers are ours, and a list cannot be a parameter.
        query = f"{_ROW} WHERE r.number > ? AND coalesce(s.state, 0) IN ({wanted}) ORDER BY r.number LIMIT {_CHUNK}"
        while found := self._all(query, (after,)):
            yield from map(_stored, found)
            after = found[-1][0]

    def is_running(self) -> bool:
        """Whether a process is running it at this moment."""
        try:
            _locked(self.path, tries=1).release()
        except JournalInUseError:
            return True
        return False

    def last_activity(self) -> float | None:
        """Return the Unix time of the last intent or outcome, ``None`` if nothing was ever sent."""
        return self._all("SELECT max(max(coalesce(sent_at, 0)), max(coalesce(ended_at, 0))) FROM states")[0][0] or None

    def seconds(self) -> list[tuple[int, int, int]]:
        """Return (Unix second, state, how many rows ended so in it), in order: the course of the run."""
        return self._all(
            "SELECT cast(ended_at AS INTEGER), state, count(*) FROM states WHERE ended_at IS NOT NULL "
            "AND state >= ? AND error_type IS NOT ? GROUP BY 1, 2 ORDER BY 1, 2",
            (RowState.DONE, INVALID_ROW),
        )

    def sessions(self) -> list[tuple[float, float | None, str | None]]:
        """Return beginning, end and way of ending of each time that it ran; a killed one has no end."""
        return self._all("SELECT began_at, ended_at, ending FROM sessions ORDER BY id")

    def known_post_ids(self) -> dict[str, int]:
        """Return the ids of created posts with the numbers of their rows."""
        return dict(self._all("SELECT post_id, number FROM states WHERE post_id IS NOT NULL"))

    def done_around(self, earliest: float) -> list[StoredRow]:
        """Return the rows whose post is known and that were sent since ``earliest``, and the last few before it.

        Args:
            earliest: Unix time.

        """
        done = f"{_ROW} WHERE s.state = {int(RowState.DONE)} AND s.post_id IS NOT NULL AND s.sent_at"
        found = self._all(f"{done} < ? ORDER BY s.sent_at DESC LIMIT {_CHUNK}", (earliest,))
        found += self._all(f"{done} >= ? ORDER BY s.sent_at LIMIT {10 * _CHUNK}", (earliest,))
        return [_stored(values) for values in found]

    def _all(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            with self._lock, closing(self._connection.execute(sql, parameters)) as cursor:
                return cursor.fetchall()
        except sqlite3.Error as exc:
            msg = f"cannot read {self.path}: {exc}"
            raise JournalError(msg) from exc


def _stored(values: tuple[Any, ...]) -> StoredRow:
    number, key, content_hash, request, state, *rest = values
    return StoredRow(number, key, content_hash, request, RowState(state), *rest)


class Journal(JournalReader):
    """A journal that is being run by this process, and by no other.

    Args:
        path: the journal.

    Raises:
        JournalInUseError: another process runs it.
        JournalError: there is none, or it cannot be used.

    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        try:
            self._file_lock = _locked(self.path)
        except JournalError:
            self._connection.close()
            raise
        try:
            self._latest = self._latest_time()
        except JournalError:
            self._connection.close()
            self._file_lock.release()
            raise
        # It lets go of the lock, since it may outlast a call of aclose() that is cancelled.
        self._writer = GroupCommit(self.path, _connect_for_writing, _seal, self._write_error, self._file_lock.release)
        self._session: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Write what is left and let others have it.

        If it is cancelled that is carried out all the same, and others can have it then.

        Raises:
            JournalError: something could not be written.

        """
        # First, so that the writer is the last one, who may move the log.
        self.close()
        await self._writer.close()

    def _write_error(self, cause: BaseException) -> JournalError:
        words = str(cause) if isinstance(cause, sqlite3.Error) else f"{type(cause).__name__}: {cause}"
        error = JournalError(f"cannot write to {self.path}: {words}")
        error.__cause__ = cause
        return error

    def _latest_time(self) -> float:
        sessions = self._all("SELECT max(max(began_at, coalesce(ended_at, 0))) FROM sessions")[0][0]
        return max(self.last_activity() or 0.0, sessions or 0.0)

    def _now(self) -> float:
        """Return the Unix time, but later than any in the journal, also if the clock was set back.

        Which session sent a row, and which of two rows was sent first, is read from these times.
        """
        self._latest = max(time.time(), self._latest + _INSTANT)
        return self._latest

    async def begin_session(self) -> None:
        """Note that a run begins."""
        self._session = len(self.sessions()) + 1
        await self._writer.durably("INSERT INTO sessions (id, began_at) VALUES (?, ?)", (self._session, self._now()))

    async def end_session(self, ending: str) -> None:
        """Note that it ended in an orderly way.

        Args:
            ending: how, in a word or two.

        """
        await self._writer.durably(
            "UPDATE sessions SET ended_at = ?, ending = ? WHERE id = ?", (self._now(), ending, self._session)
        )

    async def note_floor(self, post_id: int) -> None:
        """Keep the highest post id that was listed before this session sent anything."""
        floors: dict[str, int] = json.loads(self.meta.get("floors", "{}"))
        floors[str(self._session)] = post_id
        await self._writer.durably("INSERT OR REPLACE INTO meta VALUES ('floors', ?)", (json.dumps(floors),))

    async def check_api(self, base_url: str) -> None:
        """Keep at which API the run is, and hold to it: its post ids mean nothing at another.

        Args:
            base_url: API root. The port of a server on this machine does not matter, since it changes.

        Raises:
            JournalError: the run was begun at another API.

        """
        begun = self.meta.get("base_url")
        if begun is None:
            await self._writer.durably("INSERT INTO meta VALUES ('base_url', ?)", (base_url,))
        elif _place(begun) != _place(base_url):
            msg = f"{self.path} was begun at {begun}, and this is {base_url}; set the base URL to the former"
            raise JournalError(msg)

    def intend(self, number: int) -> Awaitable[None]:
        """Note that a row is about to be sent; to be awaited, which ends when that is on the disk.

        Raises:
            JournalError: it could not be written; the row must not be sent.

        """
        return self._writer.durably(_INTEND, (number, self._now()))

    def end(self, number: int, state: RowState, *, post_id: str | None = None, error: Exception | None = None) -> None:
        """Note what became of a row; it is on the disk soon, and at the latest when :meth:`flush` returns.

        Raises:
            JournalError: the disk refused an earlier write.

        """
        words, kind = (None, None) if error is None else (_storable(str(error)), type(error).__name__)
        post_id = None if post_id is None else _storable(post_id)
        self._writer.soon(_END, (number, int(state), post_id, words, kind, self._now()))

    async def flush(self) -> None:
        """Return when everything noted so far is on the disk.

        Raises:
            JournalError: something could not be written.

        """
        await self._writer.flush()

    async def settle_unfinished(self) -> int:
        """Turn the intents that a killed run left behind into unknown rows; return how many there were."""
        unfinished = await asyncio.to_thread(lambda: [row.number for row in self.rows([RowState.SENDING])])
        for number in unfinished:
            self.end(number, RowState.UNKNOWN, error=_KILLED)
        await self.flush()
        return len(unfinished)

    async def pending(self) -> AsyncGenerator[tuple[int, str], None]:
        """Yield number and request of the rows that are to be sent, in order, as it is when it comes to them."""
        after = 0
        while chunk := await asyncio.to_thread(self._pending_after, after):
            for number, request in chunk:
                yield number, request
            after = chunk[-1][0]

    def _pending_after(self, after: int) -> list[tuple[int, str]]:
        chunk: list[tuple[int, str]] = json.loads(self._all(_PENDING, (after, _PENDING_CHUNK))[0][0])
        return sorted(chunk)


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.importing")


def _wal(path: Path) -> Path:
    # SQLite follows links, too.
    path = path.resolve()
    return path.with_name(f"{path.name}-wal")


def _storable(text: str) -> str:
    """Return text as SQLite takes it: a server can send halves of characters."""
    return text.encode("utf-8", "replace").decode()


def _locked(path: Path, *, tries: int = _LOCK_TRIES) -> FileLock:
    # Two names of one journal are one journal.
    resolved = path.resolve()
    lock = FileLock(resolved.with_name(f"{resolved.name}.lock"))
    for patience in range(tries, 0, -1):
        try:
            lock.acquire()
        except LockHeldError as exc:
            if patience > 1:
                # Somebody may only be looking whether it is held.
                time.sleep(_LOCK_PAUSE)
                continue
            who = f"process {exc.holder}" if exc.holder is not None else "another process"
            msg = f"{path} is being run by {who}; let it finish or stop it first (bulk status shows how far it is)"
            raise JournalInUseError(msg, holder=exc.holder) from None
        except OSError as exc:
            msg = f"cannot lock {path}: {exc.strerror or exc}"
            raise JournalError(msg) from exc
        break
    return lock


class _KilledError(Exception):
    """Stands in the journal for what a killed process could not write."""


_KILLED = _KilledError("the run was killed after the row was meant to be sent and before its outcome was recorded")


def _connect_for_reading(path: Path, *, read_only: bool) -> sqlite3.Connection:
    address = f"{path.resolve().as_uri()}{'?mode=ro' if read_only else ''}"
    try:
        connection = sqlite3.connect(address, isolation_level=None, check_same_thread=False, timeout=30, uri=True)
        try:
            connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
    except sqlite3.OperationalError as exc:
        # A full disk, for example: also to be read, a journal needs room for the index of its log.
        msg = f"cannot read {path}: {exc}"
        raise JournalError(msg) from exc
    except sqlite3.DatabaseError as exc:
        msg = f"{path} is no journal of a bulk run: {exc}"
        raise JournalError(msg) from exc
    return connection


def _connect_for_writing(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # A commit returns when it is on the disk, not merely with the operating system.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        _seal(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _seal(connection: sqlite3.Connection) -> None:
    """Move the write-ahead log into the journal's file, and have that say that it is incomplete from now on.

    What is written after this is in the log only. Were the log deleted, or left behind when the journal is moved, the
    rows sent since would be pending again, and would be sent twice. So the file alone says "beside", and only with the
    log says "here". An orderly end moves that into the file.
    """
    for where in (_BESIDE, _HERE):
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_WAL_MARK, where))
        if where == _BESIDE:
            # Passive, so it waits for no reader. What one keeps from being moved now is moved the next time.
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _place(base_url: str) -> tuple[str, str]:
    parts = urlsplit(base_url)
    is_here = parts.hostname in ("localhost", "::1") or (parts.hostname or "").startswith("127.")
    return ("this machine" if is_here else parts.netloc.lower(), "" if is_here else parts.path.rstrip("/"))


def _sync(path: Path) -> None:
    """Flush a file, or the entry of a renamed file in its folder, to the disk."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:
        # Windows has no descriptors of folders, and needs none.
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
