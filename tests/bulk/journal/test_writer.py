"""The writer of a journal by itself: what was told is on the disk, and whatever goes wrong is heard by all."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from marketingblocks_async.bulk.journal import writer as writer_module
from marketingblocks_async.bulk.journal.writer import GroupCommit

INSERT = "INSERT INTO numbers VALUES (?)"


class WriterError(Exception):
    """What the writer's errors are made into."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with one table."""
    path = tmp_path / "numbers.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")
    return path


def numbers(path: Path) -> list[int]:
    """Return what is on the disk."""
    with closing(sqlite3.connect(path)) as connection:
        return [number for (number,) in connection.execute("SELECT number FROM numbers ORDER BY number")]


class Connection(sqlite3.Connection):
    """A connection whose commits can be held up, and can fail."""

    before_commit: Callable[[], None] | None = None

    def commit(self) -> None:
        """Commit."""
        if self.before_commit is not None:
            self.before_commit()
        super().commit()


class Writer:
    """A GroupCommit, and what happens around it.

    Args:
        path: the database.
        before_commit: called in the thread before each commit.
        tidy: called in the thread from time to time.

    """

    def __init__(
        self,
        path: Path,
        before_commit: Callable[[], None] | None = None,
        tidy: Callable[[sqlite3.Connection], None] = lambda _connection: None,
    ) -> None:
        self.ended = threading.Event()
        self._before_commit = before_commit
        self.stamps: list[float] = []
        self.commit = GroupCommit(
            path, connect=self._connect, tidy=tidy, error=self._error, stamp=lambda: 0.5,
            committed=self.stamps.append, failed=lambda: None, ended=self.ended.set,
        )  # fmt: skip

    def _connect(self, path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Connection)
        connection.before_commit = self._before_commit
        connection.create_function("thread", 0, threading.get_ident)
        return connection

    @staticmethod
    def _error(cause: BaseException) -> WriterError:
        return WriterError(f"{type(cause).__name__}: {cause}")


def refuse() -> None:
    """Stand for a disk that refuses a commit."""
    msg = "disk I/O error"
    raise sqlite3.OperationalError(msg)


async def test_what_was_told_is_on_the_disk(path: Path) -> None:
    writer = Writer(path).commit
    for first in range(0, 100, 20):
        await asyncio.gather(*(writer.durably(INSERT, (first + each,)) for each in range(20)))
        assert numbers(path) == list(range(first + 20))
    await writer.close()


async def test_what_nobody_waits_for_is_written_soon(path: Path) -> None:
    written = threading.Event()
    writer = Writer(path, before_commit=written.set).commit
    writer.soon(INSERT, (1,))
    assert await asyncio.to_thread(written.wait, 10)
    await writer.close()
    assert numbers(path) == [1]


@pytest.mark.parametrize("count", [1, writer_module.MOST_AT_ONCE, 3 * writer_module.MOST_AT_ONCE])
async def test_closing_writes_what_is_left(path: Path, count: int) -> None:
    writer = Writer(path)
    for number in range(count):
        writer.commit.soon(INSERT, (number,))
    flushed = writer.commit.flush()
    await writer.commit.close()
    await flushed
    assert writer.ended.is_set()
    assert numbers(path) == list(range(count))
    with pytest.raises(WriterError, match="closed"):
        writer.commit.soon(INSERT, (-1,))


@pytest.mark.parametrize("further", [0, 1])
async def test_only_what_is_quickly_written_is_written_by_the_event_loop(path: Path, further: int) -> None:
    writer = Writer(path).commit
    await writer.flush()
    for _ in range(writer_module.MOST_AT_ONCE + further):
        writer.soon("INSERT OR IGNORE INTO numbers VALUES (thread())", ())
    await writer.flush()
    await writer.close()
    assert (set(numbers(path)) == {threading.get_ident()}) is not bool(further)


async def test_statements_keep_their_order(path: Path) -> None:
    writer = Writer(path).commit
    for _ in range(50):
        writer.soon(INSERT, (1,))
        writer.soon("DELETE FROM numbers WHERE number = ?", (1,))
    await writer.durably(INSERT, (1,))
    await writer.close()
    assert numbers(path) == [1]


async def test_a_group_with_a_bad_value_is_taken_back_whole(path: Path) -> None:
    writer = Writer(path).commit
    waiting = [writer.durably(INSERT, (value,)) for value in (1, 2, object(), 4)]
    assert all(isinstance(each, WriterError) for each in await asyncio.gather(*waiting, return_exceptions=True))
    with pytest.raises(WriterError):
        writer.soon(INSERT, (5,))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # Nothing holds a lock on the database any more.
        connection.execute(INSERT, (6,))
    with pytest.raises(WriterError):
        await writer.close()
    assert numbers(path) == [6]


async def test_a_refused_commit_is_heard_by_all_who_wait(path: Path) -> None:
    writer = Writer(path, before_commit=refuse).commit
    first = writer.durably(INSERT, (1,))
    await asyncio.sleep(0)
    second = writer.durably(INSERT, (2,))
    with pytest.raises(WriterError, match="disk"):
        await first
    with pytest.raises(WriterError, match="disk"):
        await second
    with pytest.raises(WriterError, match="disk"):
        await writer.close()
    assert numbers(path) == []


async def test_closing_during_a_failure_leaves_nobody_waiting(path: Path) -> None:
    committing, go_on = threading.Event(), threading.Event()

    def fail_later() -> None:
        committing.set()
        go_on.wait()
        refuse()

    writer = Writer(path, before_commit=fail_later)
    first = writer.commit.durably(INSERT, (1,))
    assert await asyncio.to_thread(committing.wait, 10)
    second = writer.commit.durably(INSERT, (2,))
    closing_down = asyncio.create_task(writer.commit.close())
    await asyncio.sleep(0)
    go_on.set()
    ended = await asyncio.wait_for(asyncio.gather(first, second, closing_down, return_exceptions=True), 10)
    assert [type(each) for each in ended] == [WriterError] * 3
    assert writer.ended.is_set()


async def test_others_are_kept_out_until_a_failed_writer_is_closed(path: Path) -> None:
    writer = Writer(path, before_commit=refuse)
    with pytest.raises(WriterError):
        await writer.commit.durably(INSERT, (1,))
    # Longer than a thread that ended of itself would take.
    assert not await asyncio.to_thread(writer.ended.wait, 0.2)
    with pytest.raises(WriterError):
        await writer.commit.close()
    assert writer.ended.is_set()


async def test_a_failure_to_tidy_up_ends_the_writing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "TIDY_EVERY", 2)
    writer = Writer(path, tidy=lambda _connection: refuse()).commit
    await writer.durably(INSERT, (1,))
    with pytest.raises(WriterError):
        # On the disk, but nothing could be written after it.
        await writer.durably(INSERT, (2,))
    with pytest.raises(WriterError):
        await writer.close()
    assert numbers(path) == [1, 2]


async def test_a_cancelled_close_is_carried_out_all_the_same(path: Path) -> None:
    committing, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        committing.set()
        go_on.wait()

    writer = Writer(path, before_commit=wait)
    writer.commit.soon(INSERT, (1,))
    closing_down = asyncio.create_task(writer.commit.close())
    assert await asyncio.to_thread(committing.wait, 10)
    closing_down.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing_down
    assert not writer.ended.is_set()
    go_on.set()
    assert await asyncio.to_thread(writer.ended.wait, 10)
    assert numbers(path) == [1]


async def test_those_who_wait_can_be_cancelled(path: Path) -> None:
    writer = Writer(path).commit
    waiting = [writer.durably(INSERT, (number,)) for number in range(10)]
    for each in waiting[::2]:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await writer.close()
    assert numbers(path) == list(range(10))


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent to processes otherwise there")
def test_an_interrupt_in_the_middle_of_a_group_takes_it_back(path: Path) -> None:
    writers: list[Writer] = []

    class Interrupting:
        """A value that SQLite asks for, and that is when the interrupt comes."""

        def __conform__(self, _protocol: object) -> int:
            os.kill(os.getpid(), signal.SIGINT)
            return 2

    async def write() -> None:
        # As after a first Ctrl-C, from which on asyncio.run lets it be raised wherever the program is.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        writers.append(Writer(path))
        writer = writers[0].commit
        await asyncio.wait_for(
            asyncio.gather(writer.durably(INSERT, (1,)), writer.durably(INSERT, (Interrupting(),))), 10
        )

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(write())
    assert not writers[0].ended.is_set()

    async def close() -> None:
        with pytest.raises(WriterError, match="KeyboardInterrupt"):
            await writers[0].commit.close()

    asyncio.run(close())
    assert writers[0].ended.is_set()
    assert numbers(path) == []


def test_a_failure_after_the_loop_was_closed_is_heard_at_the_closing(path: Path) -> None:
    committing, go_on = threading.Event(), threading.Event()

    def fail_later() -> None:
        committing.set()
        go_on.wait()
        refuse()

    async def begin() -> Writer:
        writer = Writer(path, before_commit=fail_later)
        writer.commit.durably(INSERT, (1,))
        assert await asyncio.to_thread(committing.wait, 10)
        return writer

    async def close(writer: Writer) -> None:
        with pytest.raises(WriterError, match="disk"):
            await writer.commit.close()

    writer = asyncio.run(begin())
    go_on.set()
    asyncio.run(close(writer))


async def test_what_was_said_during_a_commit_is_written_after_it(path: Path) -> None:
    begun, go_on, written = threading.Event(), threading.Event(), threading.Event()
    commits: list[int] = []

    def hold_up() -> None:
        commits.append(len(commits))
        if len(commits) == 1:
            begun.set()
            go_on.wait(20)
        else:
            written.set()

    writer = Writer(path, before_commit=hold_up).commit
    first = writer.durably(INSERT, (1,))
    assert await asyncio.to_thread(begun.wait, 20)
    writer.soon(INSERT, (2,))
    # Its own timer finds the connection in use.
    await asyncio.sleep(2 * writer_module.SOON)
    go_on.set()
    await first
    assert await asyncio.to_thread(written.wait, 20)
    await writer.close()
    assert numbers(path) == [1, 2]


async def test_another_program_s_lock_does_not_block_the_event_loop(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writer = Writer(path).commit
        written = writer.durably(INSERT, (1,))
        # A loop that waits for the lock would never get here to end the wait.
        await asyncio.sleep(0.05)
        assert not written.done()
        other.execute("ROLLBACK")
        await written
    await writer.close()
    assert numbers(path) == [1]
