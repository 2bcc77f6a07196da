"""Journals that are damaged, cut off or read-only: the state of a row is right, or it is said to be unknown."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from marketingblocks_async.bulk.errors import JournalError, JournalExistsError
from marketingblocks_async.bulk.journal import journal as journal_module
from marketingblocks_async.bulk.journal.create import JournalBuilder
from marketingblocks_async.bulk.journal.files import lock_journal, lock_path, read_note
from marketingblocks_async.bulk.journal.journal import Journal, JournalReader
from marketingblocks_async.bulk.journal.states import RowState
from tests.support.workbooks import fields

ROWS = 40
SENT = 12

_SEND = f"""
import asyncio, os, signal, sys
from marketingblocks_async.bulk.journal.journal import Journal
from marketingblocks_async.bulk.journal.states import RowState
async def main():
    async with Journal(sys.argv[1]) as journal:
        await journal.begin_session()
        for number in range(1, {SENT + 1}):
            await journal.intend(number)
            if number % 4:
                journal.end(number, RowState.DONE, post_id=str(900 + number), permalink="https://example.com/p")
            await journal.flush()
        if sys.argv[2] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""

TRUTH = {
    number: RowState.PENDING if number > SENT else RowState.DONE if number % 4 else RowState.SENDING
    for number in range(1, ROWS + 1)
}


def sent(path: Path, ending: str) -> Path:
    """Make a journal whose run has sent ``SENT`` rows."""
    builder = JournalBuilder(path)
    for number in range(1, ROWS + 1):
        request = str(fields(caption_text=f"Post {number}"))
        builder.add(number, f"key-{number}", sha256(request.encode()).hexdigest(), request)
    builder.finish({"source": "posts.csv"})
    builder.release()
    subprocess.run([sys.executable, "-c", _SEND, str(path), ending], check=False)  # noqa: S603 - our own code
    return path


def replaced(path: Path) -> None:
    """Replace a journal and the files beside it by copies of them."""
    for file in path.parent.glob(f"{path.name}*"):
        copy = file.with_name(f"{file.name}.copy")
        shutil.copy(file, copy)
        copy.replace(file)


def renamed(path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.rename(file.with_name(f"old.{file.name}"))


def unlocked(path: Path) -> None:
    path.with_name(f"{path.name}.lock").unlink()


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sent(tmp_path_factory.mktemp("ended") / "run.journal", "end")


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sent(tmp_path_factory.mktemp("killed") / "run.journal", "kill")


def copied(journal: Path, folder: Path, *, without: tuple[str, ...] = ("-shm",)) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in journal.parent.iterdir():
        if not file.name.endswith(without):
            shutil.copy(file, folder)
    return folder / journal.name


def is_right_or_refused(path: Path) -> bool:
    """Return whether the journal was refused; fail if it shows a wrong state."""
    try:
        with JournalReader(path) as reader:
            rows = list(reader.rows())
            seen: Mapping[int, RowState] = {row.number: row.state for row in rows}
            counts, damage = reader.counts(), reader.damage
            for look in (reader.sessions, reader.seconds, reader.known_post_ids):
                look()
    except JournalError:
        return True
    assert seen.keys() == TRUTH.keys()
    assert counts.total == ROWS
    assert counts.done + counts.failed + counts.pending + counts.unknown == ROWS
    for row in rows:
        uncertain = damage is not None and row.state in (RowState.UNKNOWN, RowState.SENDING)
        assert row.state is TRUTH[row.number] or uncertain, (row, damage)
        assert row.state is not RowState.DONE or row.post_id == str(900 + row.number)
    return damage is not None


def flipped(path: Path, chance: Random) -> None:
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= chance.randint(1, 255)
    path.write_bytes(content)


def cut(path: Path, chance: Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(len(content))])


@pytest.mark.parametrize("spoil", [flipped, cut])
@pytest.mark.parametrize("name", ["", "-wal"])
def test_a_spoiled_journal_shows_no_wrong_state(
    ended: Path, killed: Path, tmp_path: Path, name: str, spoil: Callable[[Path, Random], None]
) -> None:
    assert not is_right_or_refused(copied(ended, tmp_path / "copy"))
    assert not is_right_or_refused(copied(killed, tmp_path / "copy"))
    refused = 0
    for seed in range(120):
        journal = copied(killed if name or seed % 2 else ended, tmp_path / "copy")
        spoil(journal.with_name(journal.name + name), Random(seed))
        refused += is_right_or_refused(journal)
        # Looking at it has not hidden anything.
        is_right_or_refused(journal)
    # Many bytes are unused, or are texts that decide nothing.
    assert refused > (100 if spoil is cut else 20)


async def test_a_log_that_was_cut_off_is_not_run(killed: Path, tmp_path: Path) -> None:
    journal = copied(killed, tmp_path / "copy")
    log = journal.with_name(f"{journal.name}-wal")
    log.write_bytes(log.read_bytes()[:-2000])
    for _ in range(2):
        with pytest.raises(JournalError, match="put it back beside the journal"):
            await Journal(journal).open()
    with JournalReader(journal) as reader:
        assert reader.counts().pending == 0
        assert reader.damage is not None
    shutil.copy(killed.with_name(f"{killed.name}-wal"), log)
    async with Journal(journal) as whole:
        assert whole.counts().pending == ROWS - SENT


async def test_another_journal_in_the_place_of_a_killed_one_is_whole(ended: Path, killed: Path, tmp_path: Path) -> None:
    journal = copied(killed, tmp_path / "copy")
    journal.with_name(f"{journal.name}-wal").unlink()
    shutil.copy(ended, journal)
    # The lock of the killed run is still there, and notes a later time.
    assert journal.with_name(f"{journal.name}.lock").exists()
    with JournalReader(journal) as reader:
        assert reader.damage is None


def refused_a_second_time(path: Path) -> None:
    with pytest.raises(JournalExistsError):
        JournalBuilder(path)


def refused_without_its_journal(path: Path) -> None:
    away = path.rename(path.with_name("away"))
    with pytest.raises(JournalError, match="belongs to a journal that was at"):
        JournalBuilder(path)
    away.rename(path)


def opened_in_vain(path: Path) -> None:
    lock_journal(path).release(keep=True)


@pytest.mark.parametrize("look", [refused_a_second_time, refused_without_its_journal, opened_in_vain])
@pytest.mark.parametrize("has_failed", [False, True], ids=["killed", "failed"])
async def test_what_a_run_noted_at_its_end_stays_until_the_next_one_writes(
    killed: Path, tmp_path: Path, look: Callable[[Path], None], has_failed: bool
) -> None:
    journal = copied(killed, tmp_path / "copy")
    if has_failed:
        lock = lock_journal(journal)
        lock.leave_behind()
        lock.release()
    noted = read_note(journal)
    assert (noted.stamp > 0, noted.is_final) == (True, has_failed)
    look(journal)
    assert read_note(journal) == noted
    async with Journal(journal) as resumed:
        await resumed.intend(ROWS)
        assert read_note(journal).stamp > noted.stamp
        assert not read_note(journal).is_final
    assert not lock_path(journal).exists()


def test_a_journal_that_cannot_be_made_leaves_no_lock(tmp_path: Path) -> None:
    JournalBuilder(tmp_path / "run.journal").abandon()
    assert not list(tmp_path.iterdir())


async def test_a_request_that_is_not_as_it_was_written_is_not_sent(ended: Path, tmp_path: Path) -> None:
    journal = copied(ended, tmp_path / "copy")
    content = journal.read_bytes()
    assert content.count(b"Post 33") == 1
    journal.write_bytes(content.replace(b"Post 33", b"Post 34"))
    async with Journal(journal) as opened:
        with pytest.raises(JournalError, match="post 33 is not as it was written"):
            [row async for row in opened.pending()]


_LOOK = """
import sys
from marketingblocks_async.cli.entry import main
for journal in sys.argv[1:]:
    for command in ("status", "report"):
        sys.argv = ["marketingblocks", "bulk", command, journal]
        print("=====", command, journal, "ended with", main(), flush=True)
"""


def look_as_owner_only(*journals: Path) -> subprocess.CompletedProcess[str]:
    """Look at journals as a user who may not write where the mode forbids it."""
    prefix = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    return subprocess.run(  # noqa: S603 - our own code
        [*prefix, sys.executable, "-c", _LOOK, *map(str, journals)], capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(
    sys.platform == "win32" or (os.geteuid() == 0 and shutil.which("setpriv") is None),
    reason="nothing here is read-only to the superuser",
)
def test_read_only_journals_are_reported(ended: Path, killed: Path, tmp_path: Path) -> None:
    journals = [
        copied(journal, tmp_path / f"{number} {mode:o}", without=without)
        for number, (journal, without) in enumerate(
            [(ended, ("nothing",)), (killed, ("nothing",)), (killed, ("-shm",))]
        )
        for mode in (0o500, 0o700)
    ]
    try:
        for journal in journals:
            journal.chmod(0o400)
            journal.parent.chmod(int(journal.parent.name.split()[1], 8))
        ran = look_as_owner_only(*journals)
    finally:
        for journal in journals:
            journal.parent.chmod(0o700)
    assert ran.returncode == 0, ran
    assert ran.stdout.count("ended with 0") == 2 * len(journals)
    assert ran.stdout.count("done     9") == ran.stdout.count("pending  28") == 2 * len(journals)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps the name of a file that is open")
@pytest.mark.parametrize("happens", [replaced, renamed, unlocked])
async def test_a_journal_that_is_moved_during_its_run_stops_it(
    happens: Callable[[Path], None], ended: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written to the open file would be missing in the one that the next run reads."""
    monkeypatch.setattr(journal_module, "_PLACE_CHECKED_EVERY", 0.0)
    path = copied(ended, tmp_path / "moved")
    journal = await Journal(path).open()
    await journal.begin_session()
    await journal.intend(SENT + 1)
    happens(path)
    with pytest.raises(JournalError, match="was moved, deleted or replaced during the run; no further row was sent"):
        await journal.intend(SENT + 2)
    with pytest.raises(JournalError):
        await journal.aclose()
    if happens is renamed:
        assert not list(path.parent.glob(f"{path.name}*"))
        return
    if happens is replaced:
        # The copy was made before the latest entry.
        with pytest.raises(JournalError, match="replaced by an older copy"):
            await Journal(path).open()
        return
    async with Journal(path) as again:
        assert [row.number for row in again.rows([RowState.SENDING])][-2:] == [SENT + 1, SENT + 2]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps the name of a file that is open")
async def test_a_program_may_go_to_another_folder_during_a_run(
    ended: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "_PLACE_CHECKED_EVERY", 0.0)
    monkeypatch.chdir(copied(ended, tmp_path / "here").parent)
    async with Journal(ended.name) as journal:
        await journal.begin_session()
        monkeypatch.chdir(tmp_path)
        await journal.intend(SENT + 1)
