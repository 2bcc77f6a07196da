"""Two runs of the same posts that begin at the same instant: one of them is refused, however they meet."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async.bulk import JournalInUseError, Plan, SentEarlier, UnconfirmedRowsError, create_journal
from marketingblocks_async.bulk.journal import create, turns
from marketingblocks_async.bulk.journal.earlier import find_sent_earlier
from marketingblocks_async.bulk.journal.files import FileLock, LockHeldError
from marketingblocks_async.bulk.journal.turns import TURN_NAME

TEXT = "channel_type,channel_id,post_type,caption_text,media_urls,publish_mode\nfacebook,1,post,A,,now\n"
HOLDER = """
import sys
from pathlib import Path
from marketingblocks_async.bulk.journal.files import FileLock
lock = FileLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "posts.csv").write_text(TEXT)
    (tmp_path / "journals").mkdir()
    return tmp_path / "posts.csv"


async def begin(file: Path, journal: Path) -> Plan:
    return await create_journal(file, journal, allow_duplicates=False, base_url="https://one.example/api/v1")


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


async def test_of_two_runs_that_begin_at_the_same_instant_one_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_looked = threading.Barrier(2)

    def find_and_wait(*args: Any, **options: Any) -> list[SentEarlier]:
        found = find_sent_earlier(*args, **options)
        try:
            both_looked.wait(timeout=0.1)
        except threading.BrokenBarrierError:
            both_looked.reset()
        return found

    monkeypatch.setattr(create, "find_sent_earlier", find_and_wait)
    journals = [file.with_name(f"{name}.journal") for name in "ab"]
    ended = await asyncio.gather(*(begin(file, journal) for journal in journals), return_exceptions=True)
    assert {type(each) for each in ended} == {Plan, UnconfirmedRowsError}
    assert len(names(file.parent) & {"a.journal", "b.journal"}) == 1
    assert os.name == "nt" or TURN_NAME not in names(file.parent)


@pytest.mark.parametrize("folder", [".", "journals"])
async def test_a_run_does_not_begin_while_another_one_keeps_the_turn(
    file: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setattr(turns, "LONGEST_WAIT", 0.0)
    journal = file.parent / "journals" / "run.journal"
    lock = FileLock(file.parent / folder / TURN_NAME)
    lock.acquire()
    try:
        with pytest.raises(
            JournalInUseError, match=r"^process \d+ has kept other runs in .* from beginning .*; nothing was sent; let"
        ):
            await begin(file, journal)
        assert names(journal.parent) <= {TURN_NAME}
        # It does not look for others, so it needs no turn.
        assert (await create_journal(file, file.with_name("other"), base_url="https://one.example")).valid == 1
    finally:
        lock.release()
    assert (await begin(file, journal)).valid == 1


async def test_a_run_waits_as_long_as_others_take_their_turns(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = file.with_name(TURN_NAME)
    acquire, held = FileLock.acquire, 0

    def held_by_another_one_each_time(lock: FileLock) -> None:
        nonlocal held
        if held < 10:
            held += 1
            place.touch()
            os.utime(place, (held, held))
            raise LockHeldError(1)
        acquire(lock)

    monkeypatch.setattr(turns, "LONGEST_WAIT", 0.1)
    monkeypatch.setattr(FileLock, "acquire", held_by_another_one_each_time)
    async with turns.turn(file.with_name("a.journal"), [file]):
        assert held == 10


async def test_a_killed_process_keeps_no_turn(file: Path) -> None:
    place = file.with_name(TURN_NAME)
    with subprocess.Popen(  # noqa: ASYNC220, S603 - killed before anything is awaited; a command of ours
        [sys.executable, "-c", HOLDER, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        holder.kill()
    assert place.exists()
    assert (await begin(file, file.with_name("a.journal"))).valid == 1
    # Windows cannot remove an open file.
    assert os.name == "nt" or not place.exists()


async def test_a_folder_with_two_names_is_one(file: Path) -> None:
    folder = file.parent
    (folder / "link").symlink_to(folder, target_is_directory=True)
    assert (await begin(folder / "link" / "posts.csv", folder / "a.journal")).valid == 1


@pytest.mark.parametrize("fault", [errno.EROFS, errno.EPERM, errno.EIO])
async def test_a_file_where_nothing_can_be_written_can_be_sent(
    file: Path, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    real_open = os.open

    def refuse(path: Any, *args: Any, **options: Any) -> int:
        if Path(path) == file.with_name(TURN_NAME):
            raise OSError(fault, os.strerror(fault))
        return real_open(path, *args, **options)

    monkeypatch.setattr(os, "open", refuse)
    assert (await begin(file, file.parent / "journals" / "a.journal")).valid == 1


async def test_a_file_system_without_locks_is_no_process_that_holds_one(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    real_lock = fcntl.flock

    def refuse(descriptor: int, kind: int) -> None:
        if os.path.samestat(os.fstat(descriptor), file.with_name(TURN_NAME).stat()):
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        real_lock(descriptor, kind)

    file.with_name(TURN_NAME).touch()
    monkeypatch.setattr(fcntl, "flock", refuse)
    assert (await begin(file, file.parent / "journals" / "a.journal")).valid == 1
