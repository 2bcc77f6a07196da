"""Durable writes to SQLite from an event loop, many in one commit.

A commit that survives a power cut costs a disk flush, 0.1 to 10 ms, however many rows it holds. So what is asked for
while one commit is under way becomes the next one, and nobody is told before the flush.

Only the commit itself runs in a thread. What it commits is written by the event loop: that happens in memory and takes
3 µs a statement, while a thread that did it would take Python's lock from the event loop, and give it back, for every
one of them, which costs more than the writing does. (An asynchronous SQLite library, which hands every statement to its
thread alone, costs 50 to 100 µs each.) The two use one connection, in turns.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import operator
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

Statement = tuple[str, Sequence[object]]

SOON = 0.02
"""Seconds for which writes that nobody waits for are gathered, unless somebody waits for another one."""

MOST_AT_ONCE = 1000
"""Statements that the event loop writes at a time, in about 3 ms; more are left to the thread."""

TIDY_EVERY = 100
"""Commits after which the database is tidied up.

A log that is short enough to be written over and over takes half the time of one that grows: 0.13 ms for a commit
instead of 0.25 ms (measured with 30 rows in each, on a disk with a cache that survives a power cut).
"""


@dataclass(frozen=True, slots=True)
class _Commit:
    """What the thread is to do.

    Attributes:
        waiting: who is told afterwards.
        last: whether the thread ends with it, since the writer is closed.
        statements: what it has to write itself before.

    """

    waiting: list[asyncio.Future[None]]
    last: bool = False
    statements: Sequence[Statement] = ()


class GroupCommit:
    """The writer of one database. Nobody else writes to it: a transaction is always open.

    Args:
        path: the database.
        connect: opens the connection, which must be usable from any thread; called in the thread.
        tidy: called in the thread between transactions, after every :data:`TIDY_EVERY` of them.
        error: makes the error that the caller sees of what went wrong.
        ended: called in the thread at its end: it was closed, and nothing is written any more.

    """

    def __init__(
        self,
        path: Path,
        connect: Callable[[Path], sqlite3.Connection],
        tidy: Callable[[sqlite3.Connection], None],
        error: Callable[[BaseException], Exception],
        ended: Callable[[], None],
    ) -> None:
        self._path = path
        self._connect = connect
        self._tidy = tidy
        self._error = error
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._statements: list[Statement] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._commit_is_due = False
        # Whose turn it is with the connection: the loop's if there is one here, otherwise the thread's.
        self._connection: sqlite3.Connection | None = None
        self._commits: SimpleQueue[_Commit] = SimpleQueue()
        self._closed = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="bulk journal", daemon=True)
        self._thread.start()

    def soon(self, sql: str, parameters: Sequence[object]) -> None:
        """Write with the next commit, without waiting for it.

        Raises:
            Exception: what ``error`` made of the failure of an earlier write; nothing more is written.

        """
        self._check()
        self._statements.append((sql, parameters))
        if len(self._statements) == 1:
            self._loop.call_later(SOON, self._commit)

    def durably(self, sql: str, parameters: Sequence[object]) -> asyncio.Future[None]:
        """Write; the future is done when it is on the disk.

        It fails as :meth:`soon` does, which says that nothing more can be written, not that this was not.
        """
        self._check()
        self._statements.append((sql, parameters))
        return self.flush()

    def flush(self) -> asyncio.Future[None]:
        """Return a future that is done when everything asked for so far is on the disk; it fails as above."""
        self._check()
        written = self._loop.create_future()
        self._waiting.append(written)
        if not self._commit_is_due and self._connection is not None:
            # At the end of this turn of the event loop, since more may come in it.
            self._commit_is_due = True
            self._loop.call_soon(self._commit)
        return written

    async def close(self) -> None:
        """Write what is left and end the thread.

        Raises:
            Exception: what ``error`` made of a failure to write something.

        """
        self._closed = True
        self._connection = None
        # Not written here, since it may be the thread's turn.
        self._commits.put(_Commit(self._waiting, last=True, statements=self._statements))
        self._waiting, self._statements = [], []
        await asyncio.to_thread(self._thread.join)
        if self._failure is not None:
            raise self._error(self._failure)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._error(self._failure)
        if self._closed:
            msg = "the journal is closed"
            raise self._error(sqlite3.ProgrammingError(msg))

    def _commit(self) -> None:
        """Write what was gathered, and let the thread commit it; later, if it is the thread's turn."""
        self._commit_is_due = False
        connection = self._connection
        if connection is None or not (self._statements or self._waiting):
            return
        self._connection = None
        waiting, self._waiting = self._waiting, []
        statements, self._statements = self._statements, []
        if len(statements) > MOST_AT_ONCE:
            self._commits.put(_Commit(waiting, statements=statements))
            return
        try:
            _write(connection, statements)
        except BaseException as exc:  # a value that SQLite cannot take is no error of SQLite's; or a second Ctrl-C
            self._fail(exc, waiting)
            if not isinstance(exc, Exception):
                raise
        else:
            self._commits.put(_Commit(waiting))

    def _committed(self, connection: sqlite3.Connection, waiting: Sequence[asyncio.Future[None]]) -> None:
        """Hear from the thread."""
        if not self._closed:
            self._connection = connection
        for future in waiting:
            if not future.done():
                future.set_result(None)
        if self._waiting:
            self._commit_is_due = True
            self._loop.call_soon(self._commit)
        elif self._statements:
            self._loop.call_later(SOON, self._commit)

    def _fail(self, exc: BaseException, waiting: Sequence[asyncio.Future[None]]) -> None:
        """Write nothing more."""
        if self._failure is None:
            self._failure = exc
            # Wakes the thread. A half-written group must not become durable with a later one: closing takes it back.
            self._commits.put(_Commit([]))
        for future in (*waiting, *self._waiting):
            if not future.done():
                future.set_exception(self._error(exc))
        self._waiting, self._statements = [], []

    # The rest runs in the thread.

    def _run(self) -> None:
        try:
            closed = self._serve()
            while not closed:
                # Something failed. Until it is closed, what was sent before that may still be on its way.
                asked = self._commits.get()
                closed = asked.last
                if self._failure is not None:
                    self._report(self._fail, self._failure, asked.waiting)
        finally:
            self._ended()

    def _serve(self) -> bool:
        """Commit what is asked for, until the last or a failure; return whether it was the last."""
        asked = _Commit([])
        try:
            connection = self._connect(self._path)
            try:
                for commits in itertools.count():
                    if commits and commits % TIDY_EVERY == 0:
                        self._tidy(connection)
                    # Here, where waiting for a lock of another program stops nothing else.
                    connection.execute("BEGIN IMMEDIATE")
                    self._report(self._committed, connection, asked.waiting)
                    asked = self._commits.get()
                    if self._failure is not None:
                        return asked.last
                    _write(connection, asked.statements)
                    # Takes Python's lock once, and the statement would three times.
                    connection.commit()
                    if asked.last:
                        self._report(self._committed, connection, asked.waiting)
                        return True
            finally:
                connection.close()
        except Exception as exc:  # noqa: BLE001 - whatever it is, those who wait have to hear of it
            self._failure = exc
            self._report(self._fail, exc, asked.waiting)
        return asked.last

    def _report(self, callback: Callable[..., None], *arguments: object) -> None:
        # A loop that is closed waits for nothing any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *arguments)


def _write(connection: sqlite3.Connection, statements: Iterable[Statement]) -> None:
    for sql, group in itertools.groupby(statements, operator.itemgetter(0)):
        connection.executemany(sql, map(operator.itemgetter(1), group))
