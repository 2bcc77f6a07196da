"""Durable writes to SQLite from an event loop, many in one commit.

A commit that survives a power cut costs a disk flush, here 2 ms, however many rows it holds. So one thread takes
whatever has been asked for since its last commit, writes it in one transaction, and only then tells those who wait.
Nobody is told before the flush. (An asynchronous SQLite library hands every statement to its thread alone, which costs
50 to 100 µs each; grouped, a row costs under 10.)
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

Statement = tuple[str, Sequence[object]]

SOON = 0.02
"""Seconds for which writes that nobody waits for are gathered, unless somebody waits for another one."""

TIDY_EVERY = 1000
"""Commits after which the database is tidied up."""


class GroupCommit:
    """The writing thread of one database.

    Args:
        path: the database.
        connect: opens the connection, called in the thread.
        tidy: called in the thread between commits, after every :data:`TIDY_EVERY` of them.

    """

    def __init__(
        self,
        path: Path,
        connect: Callable[[Path], sqlite3.Connection],
        tidy: Callable[[sqlite3.Connection], None],
    ) -> None:
        self._path = path
        self._connect = connect
        self._tidy = tidy
        self._untidy = 0
        self._loop = asyncio.get_running_loop()
        # Of this turn of the event loop, which hands them over at its end: to wake the thread for each of them would
        # cost more than all the rest.
        self._gathered: list[Statement] = []
        self._gathered_waiting: list[asyncio.Future[None]] = []
        self._hand_over_is_due = False
        self._condition = threading.Condition()
        self._statements: list[Statement] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._stopping = False
        self._failure: sqlite3.Error | None = None
        self._thread = threading.Thread(target=self._run, name="bulk journal", daemon=True)
        self._thread.start()

    def soon(self, sql: str, parameters: Sequence[object]) -> None:
        """Write with the next commit, without waiting for it.

        Raises:
            sqlite3.Error: an earlier write failed; nothing more is written.

        """
        self._check()
        self._gathered.append((sql, parameters))
        self._plan_hand_over()

    async def durably(self, sql: str, parameters: Sequence[object]) -> None:
        """Write, and return when it is on the disk.

        Raises:
            sqlite3.Error: it could not be written.

        """
        self._check()
        self._gathered.append((sql, parameters))
        await self._written()

    async def flush(self) -> None:
        """Return when everything asked for so far is on the disk."""
        self._check()
        await self._written()

    async def close(self) -> None:
        """Write what is left and end the thread.

        Raises:
            sqlite3.Error: something could not be written.

        """
        self._hand_over()
        with self._condition:
            self._stopping = True
            self._condition.notify()
        await asyncio.to_thread(self._thread.join)
        if self._failure is not None:
            raise self._failure

    async def _written(self) -> None:
        written = self._loop.create_future()
        self._gathered_waiting.append(written)
        self._plan_hand_over()
        await written

    def _plan_hand_over(self) -> None:
        if not self._hand_over_is_due:
            self._hand_over_is_due = True
            self._loop.call_soon(self._hand_over)

    def _hand_over(self) -> None:
        self._hand_over_is_due = False
        with self._condition:
            failure = self._failure
            if failure is None:
                # Otherwise it knows that there is something to write, and when.
                news = bool(self._gathered_waiting) or not self._statements
                self._statements += self._gathered
                self._waiting += self._gathered_waiting
                if news:
                    self._condition.notify()
        if failure is not None:
            _resolve(self._gathered_waiting, failure)
        self._gathered, self._gathered_waiting = [], []

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._stopping:
            msg = "the journal is closed"
            raise sqlite3.ProgrammingError(msg)

    def _run(self) -> None:
        try:
            connection = self._connect(self._path)
        except Exception as exc:  # noqa: BLE001 - whatever it is, those who wait have to hear of it
            self._fail(exc, [])
            return
        try:
            while self._write_once(connection):
                pass
        finally:
            connection.close()

    def _write_once(self, connection: sqlite3.Connection) -> bool:
        with self._condition:
            while not (self._waiting or self._stopping):
                # Without an end if there is nothing to write.
                if not self._condition.wait(SOON if self._statements else None) and self._statements:
                    break
            if not self._statements and not self._waiting:
                return False
            statements, self._statements = self._statements, []
            waiting, self._waiting = self._waiting, []
        try:
            connection.execute("BEGIN IMMEDIATE")
            for sql, parameters in statements:
                connection.execute(sql, parameters)
            connection.execute("COMMIT")
            self._untidy += 1
            if self._untidy >= TIDY_EVERY:
                self._untidy = 0
                self._tidy(connection)
        except Exception as exc:  # noqa: BLE001 - a value that SQLite cannot take is no error of SQLite's
            # A half-written group must not become durable with a later one; the thread ends here, and closing the
            # connection takes back what cannot be rolled back.
            with contextlib.suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            self._fail(exc, waiting)
            return False
        self._tell(waiting, None)
        return True

    def _fail(self, exc: Exception, waiting: list[asyncio.Future[None]]) -> None:
        failure = exc if isinstance(exc, sqlite3.Error) else sqlite3.DataError(f"{type(exc).__name__}: {exc}")
        with self._condition:
            self._failure = failure
            waiting = waiting + self._waiting
            self._waiting, self._statements = [], []
        self._tell(waiting, failure)

    def _tell(self, waiting: list[asyncio.Future[None]], failure: BaseException | None) -> None:
        if not waiting:
            return
        try:
            self._loop.call_soon_threadsafe(_resolve, waiting, failure)
        except RuntimeError:
            # The loop is closed; nobody waits any more.
            return


def _resolve(waiting: list[asyncio.Future[None]], failure: BaseException | None) -> None:
    for future in waiting:
        if future.done():
            continue
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)
