"""The journal on disk: modes, versions, locks, states, and what is durable when."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

if sys.platform != "win32":
    import resource

from marketingblocks_async.bulk.errors import JournalError, JournalExistsError, JournalInUseError
from marketingblocks_async.bulk.journal import create, files, writer
from marketingblocks_async.bulk.journal import journal as journal_module
from marketingblocks_async.bulk.journal.create import JournalBuilder
from marketingblocks_async.bulk.journal.files import BESIDE, WAL_MARK, connect_for_writing, mark, meta_line, seal
from marketingblocks_async.bulk.journal.journal import Journal, JournalReader
from marketingblocks_async.bulk.journal.sql import QUERIES
from marketingblocks_async.bulk.journal.states import Counts, RowState


def make(path: Path, rows: Iterable[int] = range(1, 6), **meta: str) -> Path:
    builder = JournalBuilder(path)
    for number in rows:
        request = f'{{"n": {number}}}'
        builder.add(number, f"key-{number}", sha256(request.encode()).hexdigest(), request)
    builder.finish({"source": "posts.csv", **meta})
    builder.release()
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.journal"


def test_a_journal_is_for_its_owner_only(path: Path) -> None:
    make(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_all_files_of_a_running_journal_are_for_its_owner_only(path: Path) -> None:
    async with Journal(make(path)) as journal:
        await journal.intend(1)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert len(modes) >= 3
        assert set(modes.values()) == {0o600}


def test_nothing_exists_until_all_rows_are_in(path: Path) -> None:
    builder = JournalBuilder(path)
    builder.add(1, "a", "h", "{}")
    assert not path.exists()
    builder.abandon()
    assert list(path.parent.iterdir()) == []


def test_an_import_that_was_killed_is_begun_anew(path: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from marketingblocks_async.bulk.journal.create import JournalBuilder\n"
        "JournalBuilder(Path(sys.argv[1])).add(1, 'a', 'h', '{}')\nos._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)  # noqa: S603 - our own code
    with pytest.raises(JournalError, match="nothing was sent; start it anew"):
        JournalReader(path)
    make(path)
    with JournalReader(path) as journal:
        assert journal.counts().total == 5
    assert list(path.parent.iterdir()) == [path]


def test_two_rows_with_one_key_make_no_journal(path: Path) -> None:
    builder = JournalBuilder(path)
    builder.add(1, "a", "h", "{}")
    builder.add(2, "a", "h", "{}")
    with pytest.raises(JournalError):
        builder.finish({})
    assert list(path.parent.iterdir()) == []


def test_an_existing_journal_is_not_overwritten(path: Path) -> None:
    make(path)
    with pytest.raises(JournalExistsError):
        JournalBuilder(path)


def test_a_folder_that_cannot_be_written_to_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot make a journal"):
        JournalBuilder(tmp_path / "missing" / "run.journal")


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to be read as a header" * 20])
def test_a_file_that_is_no_journal_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(JournalError, match=r"no journal of a bulk run.*; name another file"):
        JournalReader(path)


def test_a_foreign_database_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(JournalError, match="no journal of a bulk run; name another file"):
        JournalReader(path)


def test_a_journal_of_another_version_is_refused(path: Path) -> None:
    make(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(JournalError, match="another version"):
        JournalReader(path)


def test_a_missing_journal_is_not_made_by_looking_at_it(path: Path) -> None:
    with pytest.raises(JournalError, match="no journal at"):
        JournalReader(path)
    assert not path.exists()


async def test_a_row_goes_through_its_states(path: Path) -> None:
    async with Journal(make(path)) as journal:
        assert journal.counts() == Counts(5, 0, 0, 5, 0)
        await journal.intend(1)
        assert journal.counts() == Counts(5, 0, 0, 4, 1)
        journal.end(1, RowState.DONE, post_id="77")
        await journal.intend(2)
        journal.end(2, RowState.FAILED, error=ValueError("no"))
        await journal.intend(3)
        journal.end(3, RowState.PENDING, error=ValueError("later"))
        await journal.flush()
        assert journal.counts() == Counts(5, 1, 1, 3, 0)
        assert journal.known_post_ids() == {"77": 1}
        rows = {row.number: row for row in journal.rows()}
        assert (rows[1].post_id, rows[2].error, rows[2].error_type) == ("77", "no", "ValueError")
        assert [number async for number, _request in journal.pending()] == [3, 4, 5]


async def test_an_intent_is_on_the_disk_when_it_returns(path: Path) -> None:
    async with Journal(make(path)) as journal:
        for number in (1, 2, 3):
            await journal.intend(number)
            # Another connection sees what is committed and nothing else.
            with JournalReader(path) as other:
                assert [row.number for row in other.rows([RowState.SENDING])] == list(range(1, number + 1))


async def test_a_thousand_intents_at_once_are_all_durable(path: Path) -> None:
    async with Journal(make(path, range(1, 1001))) as journal:
        await asyncio.gather(*(journal.intend(number) for number in range(1, 1001)))
        with JournalReader(path) as other:
            assert other.counts() == Counts(1000, 0, 0, 0, 1000)


def test_a_journal_is_run_by_one_process_at_a_time(path: Path) -> None:
    code = (
        "import asyncio, sys\nfrom pathlib import Path\n"
        "from marketingblocks_async.bulk.journal.journal import Journal\n"
        "async def main():\n    async with Journal(Path(sys.argv[1])):\n        print('ready', flush=True)\n"
        "        sys.stdin.read()\nasyncio.run(main())\n"
    )
    with subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", code, str(make(path))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"ready\n"

        async def take() -> None:
            async with Journal(path):
                pass

        with pytest.raises(JournalInUseError, match=str(other.pid)) as caught:
            asyncio.run(take())
        assert caught.value.holder == other.pid
        with JournalReader(path) as reader:
            assert reader.counts().total == 5
        other.kill()
        other.wait()
        # The operating system has released the lock.
        asyncio.run(take())


def test_a_killed_process_leaves_its_intents_as_unknown(path: Path) -> None:
    code = (
        "import asyncio, os, signal, sys\nfrom pathlib import Path\n"
        "from marketingblocks_async.bulk.journal.journal import Journal\n"
        "from marketingblocks_async.bulk.journal.states import RowState\n"
        "async def main():\n    async with Journal(Path(sys.argv[1])) as journal:\n"
        "        await journal.begin_session()\n        await journal.intend(1)\n        await journal.intend(2)\n"
        "        journal.end(1, RowState.DONE, post_id='7')\n        await journal.flush()\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\nasyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(make(path))], check=False)  # noqa: S603 - our own code
    assert done.returncode == -9
    with JournalReader(path) as reader:
        assert reader.counts() == Counts(5, 1, 0, 3, 1)
        assert reader.sessions()[0][1:] == (None, None)

    async def settle() -> None:
        async with Journal(path) as journal:
            assert await journal.settle_unfinished() == 1
            assert [row.number for row in journal.rows([RowState.UNKNOWN])] == [2]

    asyncio.run(settle())


async def test_a_full_disk_stops_intents_and_everything_after(path: Path) -> None:
    with closing(sqlite3.connect(make(path), isolation_level=None)) as vandal:
        vandal.execute(
            "CREATE TRIGGER full BEFORE INSERT ON states BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    journal = await Journal(path).open()
    with pytest.raises(JournalError, match="cannot write"):
        await journal.intend(1)
    with pytest.raises(JournalError, match="cannot write"):
        journal.end(1, RowState.DONE)
    with closing(sqlite3.connect(path, isolation_level=None)) as vandal:
        vandal.execute("DROP TRIGGER full")
    with pytest.raises(JournalError, match="cannot write"):
        await journal.intend(2)
    with pytest.raises(JournalError, match="cannot write"):
        await journal.aclose()
    # Others can have it all the same.
    await (await Journal(path).open()).aclose()


async def test_a_kill_while_the_log_is_moved_and_then_a_look_lose_nothing(path: Path) -> None:
    code = (
        "import os, pathlib, sqlite3, sys\nfrom marketingblocks_async.bulk.journal import files\n"
        "lock = files.lock_journal(pathlib.Path(sys.argv[1]))\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA journal_mode = WAL')\n"
        "connection.set_trace_callback(lambda sql: os._exit(9) if \"'here'\" in sql else None)\n"
        "files.seal(connection)"
    )
    make(path)
    died = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(path))
    assert await died.wait() == 9
    for _ in range(2):
        with JournalReader(path) as reader:
            assert reader.counts().total == 5
    async with Journal(path) as journal:
        assert journal.counts().pending == 5
    assert list(path.parent.iterdir()) == [path]


def full_at_the_checkpoint(connection: sqlite3.Connection) -> None:
    """Seal a journal on a disk on which no file can grow beyond the size of the journal."""
    size = Path(connection.execute("PRAGMA database_list").fetchone()[2]).stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    seal(connection)


def full_after_the_checkpoint(connection: sqlite3.Connection) -> None:
    """Seal a journal on a disk that is full for a moment, when the journal's file has grown."""
    connection.execute(QUERIES["set_meta"], meta_line(WAL_MARK, BESIDE))
    msg = "database or disk is full"
    raise sqlite3.OperationalError(msg)


async def send_until_the_disk_is_full(journal: Journal) -> int:
    """Return for how many rows it was told that they are recorded as done."""
    for number in range(1, 1000):
        try:
            await journal.intend(number)
            journal.end(number, RowState.DONE, permalink="x" * 1000)
            await journal.flush()
        except JournalError as exc:
            assert "make room" in str(exc)  # noqa: PT017 - which row it is is not known before
            return number - 1
    pytest.fail("the disk was never full")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for the size of a file")
@pytest.mark.parametrize("full", [full_at_the_checkpoint, full_after_the_checkpoint])
@pytest.mark.parametrize("is_closed", [True, False], ids=["closed", "killed"])
async def test_a_disk_that_is_full_while_the_log_is_moved_loses_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, full: Callable[[sqlite3.Connection], None], is_closed: bool
) -> None:
    monkeypatch.setattr(writer, "TIDY_EVERY", 40)
    monkeypatch.setattr(journal_module, "seal", full)
    left = path.parent / "left"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        journal = await Journal(make(path, range(1, 5001))).open()
        done = await send_until_the_disk_is_full(journal)
        if not is_closed:
            # Their content is that after a kill.
            shutil.copytree(path.parent, left)
        with pytest.raises(JournalError, match="make room"):
            await journal.aclose()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    if not is_closed:
        path = left / path.name
    with JournalReader(path) as reader:
        assert reader.meta[WAL_MARK] == BESIDE
        assert reader.damage is None
        # The log is moved after a commit and before the commit is told.
        assert reader.counts().done == done + 1 > 1
    async with Journal(path) as journal:
        assert journal.counts().done == done + 1
    assert not beside(path, ".lock").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not overwrite a file that is open")
async def test_an_older_copy_of_a_journal_whose_disk_was_full_is_not_whole(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "TIDY_EVERY", 40)
    monkeypatch.setattr(journal_module, "seal", full_after_the_checkpoint)
    journal = await Journal(make(path, range(1, 100))).open()
    await journal.intend(99)
    older = shutil.copy(path, tmp_path / "older")
    await send_until_the_disk_is_full(journal)
    with pytest.raises(JournalError, match="make room"):
        await journal.aclose()
    shutil.copy(older, path)
    with JournalReader(path) as reader:
        assert "replaced by an older copy" in (reader.damage or "")


def test_a_journal_whose_lock_cannot_be_read_may_be_running(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = beside(make(path), ".lock")
    opened = os.open

    def refuse(name: Path, flags: int, *more: Any) -> int:
        if name == lock:
            raise PermissionError(13, "Permission denied")
        return opened(name, flags, *more)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(JournalError, match=r"cannot tell .*run\.journal\.lock \(Permission denied\); use the account"):
        JournalReader(path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_keeps_no_lock_and_removes_none(path: Path) -> None:
    # The child waits for its input to end, and then ends as if it had opened the journal itself.
    code = (
        "import os, pathlib, sys\nfrom marketingblocks_async.bulk.journal import files\n"
        "lock = files.lock_journal(pathlib.Path(sys.argv[1]))\n"
        "if os.fork():\n    os._exit(9)\n"
        "print('forked', flush=True)\nsys.stdin.read()\nlock.release()"
    )
    # Not by asyncio: on Python 3.11 its wait() lasts until the pipes are closed, and the child has them.
    with subprocess.Popen(  # noqa: S603 - our own Python
        [sys.executable, "-c", code, str(make(path))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stdout.readline() == b"forked\n"
        assert program.wait() == 9
        lock = files.lock_journal(path)
        assert files.is_locked(path)
        program.stdin.close()
        assert program.stdout.read() == b""
        assert files.is_locked(path)
        lock.release()


async def test_a_closed_journal_takes_nothing(path: Path) -> None:
    journal = await Journal(make(path)).open()
    await journal.aclose()
    with pytest.raises(JournalError):
        await journal.intend(1)


def test_rows_stream_in_flat_memory(path: Path) -> None:
    make(path, range(1, 5001))
    with JournalReader(path) as journal:
        numbers = [row.number for row in journal.rows([RowState.PENDING], after=10)]
    assert numbers == list(range(11, 5001))


def test_the_umask_does_not_matter(path: Path) -> None:
    before = os.umask(0)
    try:
        make(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def run_and_kill(path: Path, number: int = 1) -> None:
    """Leave what a process leaves that was killed when it had sent a row: the journal, its log, its lock."""
    code = (
        "import asyncio, os, signal, sys\nfrom pathlib import Path\n"
        "from marketingblocks_async.bulk.journal.journal import Journal\n"
        "async def main():\n    async with Journal(Path(sys.argv[1])) as journal:\n"
        "        await journal.begin_session()\n        await journal.intend(int(sys.argv[2]))\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\nasyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path), str(number)], check=False)  # noqa: S603 - our own code
    assert done.returncode == -9


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}{suffix}")


async def test_a_journal_without_its_log_can_be_reported_and_not_run(path: Path, tmp_path: Path) -> None:
    run_and_kill(make(path))
    moved = tmp_path / "elsewhere.journal"
    shutil.copy(path, moved)
    # Its row 1 would be pending again, and be sent a second time.
    for _ in range(2):
        with JournalReader(moved) as reader:
            assert "elsewhere.journal-wal is missing" in (reader.damage or "")
            assert reader.counts() == Counts(5, 0, 0, 0, 5)
            assert list(reader.rows([RowState.PENDING])) == []
            rows = list(reader.rows([RowState.UNKNOWN]))
            assert {row.state for row in rows} == {RowState.UNKNOWN}
            assert all("may have been sent" in (row.error or "") for row in rows)
        with pytest.raises(JournalError, match=r"elsewhere\.journal-wal is missing"):
            await Journal(moved).open()
    shutil.copy(beside(path, "-wal"), beside(moved, "-wal"))
    with JournalReader(moved) as reader:
        assert reader.counts() == Counts(5, 0, 0, 4, 1)


def test_a_journal_that_ended_in_order_needs_no_log(path: Path, tmp_path: Path) -> None:
    async def run() -> None:
        async with Journal(make(path)) as journal:
            await journal.intend(1)
            journal.end(1, RowState.DONE, post_id="7")

    asyncio.run(run())
    moved = path.rename(tmp_path / "elsewhere.journal")
    with JournalReader(moved) as reader:
        assert reader.counts() == Counts(5, 1, 0, 4, 0)


def test_looking_at_a_killed_run_takes_nothing_from_it(path: Path, tmp_path: Path) -> None:
    run_and_kill(make(path))
    for _ in range(2):
        with JournalReader(path) as reader:
            assert reader.counts() == Counts(5, 0, 0, 4, 1)
    # The log has been moved into the journal by that.
    moved = path.rename(tmp_path / "elsewhere.journal")
    with JournalReader(moved) as reader:
        assert reader.counts() == Counts(5, 0, 0, 4, 1)


async def test_a_journal_without_its_log_is_noticed_after_many_writes_too(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "TIDY_EVERY", 3)
    async with Journal(make(path)) as journal:
        for number in (1, 2, 3, 4):
            await journal.intend(number)
        moved = tmp_path / "elsewhere.journal"
        shutil.copy(path, moved)
    with closing(sqlite3.connect(moved)) as connection:
        assert connection.execute("SELECT count(*) FROM states").fetchone()[0] >= 3
    with pytest.raises(JournalError, match="-wal is missing"):
        await Journal(moved).open()


def test_a_new_journal_takes_no_outcomes_from_the_log_of_a_removed_one(path: Path) -> None:
    run_and_kill(make(path))
    path.unlink()
    with pytest.raises(JournalError, match="belongs to a journal"):
        make(path)
    assert beside(path, "-wal").exists()
    beside(path, "-wal").unlink()
    with JournalReader(make(path)) as reader:
        assert reader.counts() == Counts(5, 0, 0, 5, 0)


def test_what_a_killed_import_left_is_not_taken_over(path: Path) -> None:
    run_and_kill(make(path))
    for suffix in ("-wal", "-shm"):
        beside(path, suffix).rename(beside(path, f".importing{suffix}"))
    path.unlink()
    with JournalReader(make(path)) as reader:
        assert reader.counts() == Counts(5, 0, 0, 5, 0)
    assert not beside(path, ".importing-wal").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
async def test_one_journal_under_two_names_is_run_once(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.journal"
    link.symlink_to(make(path))
    async with Journal(path):
        with pytest.raises(JournalInUseError):
            await Journal(link).open()
        with JournalReader(link) as reader:
            assert reader.is_running()


async def test_looking_whether_a_journal_runs_does_not_keep_it_from_running(path: Path) -> None:
    make(path)
    looking = threading.Event()

    def look() -> None:
        with JournalReader(path) as reader:
            while not looking.is_set():
                reader.is_running()

    watcher = asyncio.create_task(asyncio.to_thread(look))
    try:
        for _ in range(20):
            await (await Journal(path).open()).aclose()
    finally:
        looking.set()
        await watcher


async def test_half_characters_of_a_server_do_not_end_the_writing(path: Path) -> None:
    async with Journal(make(path)) as journal:
        journal.end(1, RowState.FAILED, post_id="\udfff", error=ValueError("bad \ud800 text"))
        await journal.intend(2)
        rows = {row.number: row for row in journal.rows()}
        assert (rows[1].error, rows[1].post_id) == ("bad ? text", "?")


async def test_whatever_ends_the_writing_is_heard_by_those_who_wait(path: Path) -> None:
    journal = await Journal(make(path)).open()
    # An integer that SQLite has no room for: no error of SQLite's.
    with pytest.raises(JournalError, match="OverflowError"):
        await journal.intend(2**70)
    with pytest.raises(JournalError):
        await journal.flush()
    with pytest.raises(JournalError):
        await journal.aclose()


async def test_times_in_a_journal_grow_although_the_clock_is_set_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 2_000_000_000.0
    monkeypatch.setattr(time, "time", lambda: clock)
    async with Journal(make(path)) as journal:
        await journal.begin_session()
        await journal.intend(1)
    clock -= 86_400
    async with Journal(path) as journal:
        await journal.begin_session()
        await journal.intend(2)
        await journal.intend(3)
        began = [session[0] for session in journal.sessions()]
        sent = [row.sent_at or 0.0 for row in journal.rows([RowState.SENDING])]
        assert began[0] < sent[0] < began[1] < sent[1] < sent[2]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
def test_a_file_that_cannot_grow_stops_the_run_and_loses_nothing(path: Path) -> None:
    make(path, range(1, 501))
    code = (
        "import asyncio, resource, sys\nfrom pathlib import Path\n"
        "from marketingblocks_async.bulk.errors import JournalError\n"
        "from marketingblocks_async.bulk.journal.journal import Journal\n"
        "async def main():\n    journal = await Journal(Path(sys.argv[1])).open()\n    await journal.begin_session()\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n    number = 0\n"
        "    try:\n        while True:\n            await journal.intend(number + 1)\n            number += 1\n"
        "    except JournalError as error:\n        print(number, error)\n"
        "    try:\n        await journal.aclose()\n    except JournalError:\n        pass\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, check=False, text=True)  # noqa: S603 - our own code
    number, _, error = done.stdout.partition(" ")
    assert "cannot write" in error, done.stderr
    with JournalReader(path) as reader:
        assert [row.number for row in reader.rows([RowState.SENDING])] == list(range(1, int(number) + 1))


def test_after_a_power_cut_every_intent_that_was_told_is_there(path: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    kept = tmp_path / "kept.journal"

    async def run() -> None:
        async with Journal(make(path, range(1, 41))) as journal:
            for number in range(1, 41):
                await journal.intend(number)
                told.append((beside(path, "-wal").stat().st_size, number))
            shutil.copy(path, kept)
            shutil.copy(beside(path, "-wal"), beside(kept, "-wal"))

    asyncio.run(run())
    log, database = beside(kept, "-wal").read_bytes(), kept.read_bytes()
    cut = tmp_path / "cut.journal"
    # The disk has at least what was flushed, and of what came later any part.
    for size in range(told[0][0], len(log), 3_333):
        cut.write_bytes(database)
        beside(cut, "-wal").write_bytes(log[:size])
        expected = max(number for flushed, number in told if flushed <= size)
        with JournalReader(cut) as reader:
            assert [row.number for row in reader.rows([RowState.SENDING])] == list(range(1, expected + 1))


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
def test_an_import_that_finds_no_room_is_an_error_of_ours_and_leaves_nothing(path: Path) -> None:
    code = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from marketingblocks_async.bulk.errors import JournalError\n"
        "from marketingblocks_async.bulk.journal.create import JournalBuilder\n"
        "for room in (0, 4_096, 12_288, 30_000, 200_000):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))\n"
        "    try:\n        builder = JournalBuilder(Path(sys.argv[1]))\n        for number in range(5_000):\n"
        "            builder.add(number, str(number), 'h', '{}' * 50)\n        builder.finish({})\n"
        "        builder.release()\n"
        "    except JournalError as error:\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "        left = [file.name for file in Path(sys.argv[1]).parent.iterdir() if file.suffix != '.lock']\n"
        "        print(room, left, error)\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, check=False, text=True)  # noqa: S603 - our own code
    lines = done.stdout.splitlines()
    assert [line.split()[:3] for line in lines] == [
        [str(room), "[]", "cannot"] for room in (0, 4_096, 12_288, 30_000, 200_000)
    ], done
    assert all(str(path) in line for line in lines)


def test_a_damaged_journal_is_an_error_of_ours(path: Path) -> None:
    make(path, range(1, 2001))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(JournalError, match="is damaged"), JournalReader(path) as reader:
        reader.counts()

    async def run() -> None:
        async with Journal(path):
            pass

    for _ in range(2):
        # The lock is free again.
        with pytest.raises(JournalError, match="is damaged"):
            asyncio.run(run())


async def test_a_cancelled_close_keeps_others_out_until_everything_is_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(path)
    committing, go_on = threading.Event(), threading.Event()

    def wait_before_commit(sql: str) -> None:
        if sql == "COMMIT":
            committing.set()
            go_on.wait()

    class SlowCommit(writer.GroupCommit):
        def __init__(self, path: Path, *, connect: Callable[[Path], sqlite3.Connection], **others: Any) -> None:
            def connect_slowly(path: Path) -> sqlite3.Connection:
                connection = connect(path)
                connection.set_trace_callback(wait_before_commit)
                return connection

            super().__init__(path, connect=connect_slowly, **others)

    monkeypatch.setattr(journal_module, "GroupCommit", SlowCommit)
    journal = await Journal(path).open()
    journal.end(1, RowState.DONE, post_id="9")
    closing_down = asyncio.create_task(journal.aclose())
    assert await asyncio.to_thread(committing.wait, 10)
    closing_down.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing_down
    with pytest.raises(JournalInUseError):
        await Journal(path).open()
    go_on.set()
    monkeypatch.undo()
    async with Journal(path) as again:
        assert [row.post_id for row in again.rows([RowState.DONE])] == ["9"]


def test_a_commit_returns_when_it_is_on_the_disk(path: Path) -> None:
    with closing(connect_for_writing(make(path))) as connection:
        # 2 is FULL: at NORMAL, a power cut may take an intent whose post was sent.
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_the_name_of_a_journal_is_on_the_disk_after_its_content(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[str, bool]] = []

    def sync(place: Path) -> None:
        synced.append((place.name, path.exists()))

    monkeypatch.setattr(create, "sync", sync)
    make(path)
    (content, renamed_before), folder = synced
    assert content != path.name
    assert not renamed_before
    assert folder == (path.parent.name, True)


async def test_a_row_that_is_sent_again_is_judged_by_its_last_sending(path: Path) -> None:
    async with Journal(make(path)) as journal:
        await journal.begin_session()
        sendings: list[tuple[int, float]] = []
        for _ in range(2):
            await journal.intend(1)
            [row] = journal.rows([RowState.SENDING])
            sendings.append((row.attempts, row.sent_at or 0.0))
            journal.end(1, RowState.PENDING)
            await journal.flush()
    assert [attempts for attempts, _ in sendings] == [1, 2]
    assert sendings[0][1] < sendings[1][1]


def test_invalid_rows_may_have_one_key(path: Path) -> None:
    builder = JournalBuilder(path)
    builder.add(1, "a", "h", "{}")
    for number in (2, 3):
        builder.add_invalid(number, "a", {}, "not valid")
    builder.finish({})
    builder.release()
    with JournalReader(path) as reader:
        assert reader.counts() == Counts(3, 0, 2, 1, 0)


async def test_each_session_has_its_own_highest_id(path: Path) -> None:
    for highest in (10, 20):
        async with Journal(make(path) if highest == 10 else path) as journal:
            await journal.begin_session()
            await journal.note_highest_id(highest)
            known = [each for _, each in await journal.highest_ids()]
    assert known == [10, 20]


def test_the_controls_of_a_long_run_are_the_rows_sent_around_the_unknown_one(path: Path) -> None:
    make(path, range(1, 2501))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO states (number, state, mark, sent_at) VALUES (?, 2, ?, ?)",
            ((number, mark(number, 2, None), 1000.0 + number) for number in range(1, 2501)),
        )
        connection.execute("COMMIT")
    with JournalReader(path) as reader:
        times = sorted(row.sent_at or 0.0 for row in reader.done_around(3000.0))
    # Every one since then, and the last before it.
    assert times[-1] == 3500.0
    assert times == [1000.0 + number for number in range(2501 - len(times), 2501)]
    assert times[0] < 3000.0


@pytest.mark.parametrize(("twin", "post_id"), [(1, None), (2500, None), (1, "77")])
def test_a_row_that_may_own_the_post_of_an_unknown_one_is_known_whenever_it_was_sent(
    path: Path, twin: int, post_id: str | None
) -> None:
    """The API tells no ids; the post of the one would be taken for that of the other, which would be lost."""
    builder, unknown, many = JournalBuilder(path), 1250, 25_000
    for number in range(1, many + 1):
        text = "same" if number in (twin, unknown) else f"text {number}"
        builder.add(number, f"key {number}", "h", json.dumps({"caption_text": text}))
    builder.finish({})
    builder.release()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO states (number, state, post_id, mark, sent_at) VALUES (?, ?, ?, ?, ?)",
            (
                (number, state, known, mark(number, state, known), 1000.0 + (number if number != 2500 else many))
                for number in range(1, many + 1)
                for state, known in [(4 if number == unknown else 2, post_id if number == twin else None)]
            ),
        )
        connection.execute("COMMIT")
    with JournalReader(path) as reader:
        numbers = [row.number for row in reader.done_around(1000.0 + unknown)]
    assert len(set(numbers)) == len(numbers)
    assert (twin in numbers) == (post_id is None)


async def test_an_intent_does_not_wait_for_a_reader(path: Path) -> None:
    make(path)
    async with Journal(path) as journal:
        await journal.intend(1)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM states").fetchone()
        # SQLite would wait half a minute for the reader, which goes on reading.
        async with asyncio.timeout(20), Journal(path) as journal:
            await journal.intend(2)
