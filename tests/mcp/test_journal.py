"""The journal of writes: one row a key, whoever asks and whoever dies."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from marketingblocks_async.bulk import JournalError, RowState
from marketingblocks_async.mcp.journal import Order, WriteJournal

API = "https://api.example/v1"
ORDER = Order("k", "create_post", "h", "{}", "facebook:1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "writes.mcp"


@pytest.fixture
def journal(path: Path) -> Iterator[WriteJournal]:
    opened = WriteJournal(path, API)
    yield opened
    opened.close()


_DIE = """
import os, sys
from pathlib import Path
from marketingblocks_async.mcp.journal import Order, WriteJournal
journal = WriteJournal(Path(sys.argv[1]), sys.argv[2])
row = journal.bind(Order(*sys.argv[3:]))
if sys.stdin.read() == "intend":
    journal.intend(row.number)
os._exit(9)
"""


def bind_and_die(path: Path, order: Order, *, intend: bool) -> None:
    """Do what a server does before it is killed."""
    fields = (order.request_key, order.tool, order.content_hash, order.request, order.channel or "")
    command = [sys.executable, "-c", _DIE, str(path), API, *fields]
    died = subprocess.run(command, input="intend" if intend else "", text=True, check=False)  # noqa: S603 - our own words
    assert died.returncode == 9


def test_the_file_and_its_folder_are_the_owners_alone(journal: WriteJournal, path: Path) -> None:
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
    assert journal.find("k") is None


def test_a_key_is_bound_once(journal: WriteJournal, path: Path) -> None:
    other = WriteJournal(path, API)
    assert journal.bind(ORDER) is not None
    assert other.bind(ORDER) is None
    found = other.find("k")
    assert found is not None
    assert found.elsewhere
    other.close()


def test_other_content_is_not_bound(journal: WriteJournal) -> None:
    journal.bind(ORDER)
    assert journal.bind(replace(ORDER, content_hash="other")) is None


@pytest.mark.parametrize(("intended", "state"), [(False, RowState.PENDING), (True, RowState.UNKNOWN)])
def test_what_a_dead_server_had_in_hand_is_known(path: Path, *, intended: bool, state: RowState) -> None:
    bind_and_die(path, ORDER, intend=intended)
    heir = WriteJournal(path, API)
    found = heir.find("k")
    assert found is not None
    assert found.state is state
    assert not found.elsewhere
    assert (heir.bind(ORDER) is None) is intended
    heir.close()


def test_nothing_is_sent_for_a_row_that_another_server_took(journal: WriteJournal, path: Path) -> None:
    row = journal.bind(ORDER)
    assert row is not None
    # As if a cleaner of old files had been at work.
    for lock in path.parent.glob("*.lock"):
        lock.unlink()
    other = WriteJournal(path, API)
    assert other.bind(ORDER) is not None
    with pytest.raises(JournalError, match="nothing was sent"):
        journal.intend(row.number)
    other.close()


@pytest.mark.parametrize("intended", [True, False])
def test_the_outcome_of_a_row_that_another_server_has_sent_since_is_not_replaced(
    journal: WriteJournal, path: Path, intended: bool
) -> None:
    """It would be pending although it may exist, and the next call would send it again."""
    row = journal.bind(ORDER)
    assert row is not None
    if intended:
        journal.intend(row.number)
        journal.end(row.number, RowState.PENDING)
        assert journal.bind(ORDER) is not None
    for lock in path.parent.glob("*.lock"):
        lock.unlink()
    other = WriteJournal(path, API)
    assert other.bind(ORDER) is not None
    other.intend(row.number)
    other.end(row.number, RowState.UNKNOWN)
    journal.end(row.number, RowState.PENDING)
    found = other.find("k")
    assert found is not None
    assert found.state is RowState.UNKNOWN
    other.close()


def test_an_outcome_is_recorded_although_others_took_this_server_for_dead(journal: WriteJournal, path: Path) -> None:
    row = journal.bind(ORDER)
    assert row is not None
    journal.intend(row.number)
    for lock in path.parent.glob("*.lock"):
        lock.unlink()
    other = WriteJournal(path, API)
    unknown = other.find("k")
    assert unknown is not None
    assert unknown.state is RowState.UNKNOWN
    journal.end(row.number, RowState.DONE, post_id="7")
    found = other.find("k")
    assert found is not None
    assert found.state is RowState.DONE
    other.close()


def test_a_journal_belongs_to_one_api(journal: WriteJournal, path: Path) -> None:
    assert journal.find("k") is None
    with pytest.raises(JournalError, match="--journal"):
        WriteJournal(path, "https://other.example/v1")


def test_another_file_is_not_touched(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    before = foreign.read_bytes()
    for path in (foreign, tmp_path):
        with pytest.raises(JournalError):
            WriteJournal(path, API)
    assert foreign.read_bytes() == before


def test_text_is_no_journal(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing but words, and enough of them to be no empty file" * 20, encoding="utf-8")
    with pytest.raises(JournalError):
        WriteJournal(path, API)


# Reconciliation


async def test_a_channel_to_which_a_post_is_going_out_is_left_alone(journal: WriteJournal) -> None:
    lost, going, elsewhere = (
        journal.bind(replace(ORDER, request_key=key, channel=channel))
        for key, channel in (("lost", "facebook:1"), ("going", "facebook:1"), ("elsewhere", "facebook:2"))
    )
    assert lost is not None
    assert going is not None
    assert elsewhere is not None
    for row in (lost, elsewhere):
        journal.intend(row.number)
        journal.end(row.number, RowState.UNKNOWN)
    journal.intend(going.number)
    assert [row.key for row in (await journal.sent_rows())[0]] == ["elsewhere"]
    once = {lost.number: 1, elsewhere.number: 1}
    # It may have begun while the listings were asked for.
    assert await journal.settle({lost.number: "7"}, [elsewhere.number], once) == (0, [elsewhere.number])
    journal.end(going.number, RowState.DONE, post_id="7")
    assert [row.key for row in (await journal.sent_rows())[0]] == ["lost"]
    assert await journal.settle({lost.number: "7"}, [], once) == (0, [])
    assert await journal.settle({lost.number: "8"}, [], once) == (1, [])
    assert await journal.claimed_post_ids() == {"7", "8"}


async def test_what_was_looked_for_says_nothing_of_a_later_attempt(journal: WriteJournal) -> None:
    """Two calls may look for a row at once: the second is still asking when the row is already sent again."""
    row = journal.bind(ORDER)
    assert row is not None
    journal.intend(row.number)
    journal.end(row.number, RowState.UNKNOWN)
    (looked_for,), _ = await journal.sent_rows()
    seen = {row.number: looked_for.attempts}
    assert await journal.settle({}, [row.number], seen) == (0, [row.number])
    assert journal.bind(ORDER) is not None
    journal.intend(row.number)
    journal.end(row.number, RowState.UNKNOWN)
    assert await journal.settle({}, [row.number], seen) == (0, [])
    assert await journal.settle({row.number: "7"}, [], seen) == (0, [])
    (unknown,), _ = await journal.sent_rows()
    assert await journal.settle({row.number: "7"}, [], {row.number: unknown.attempts}) == (1, [])


async def test_every_post_knows_the_highest_id_before_it(journal: WriteJournal) -> None:
    await journal.note_highest_id(5)
    for key, post_id in (("a", "9"), ("b", "no number"), ("c", None)):
        row = journal.bind(replace(ORDER, request_key=key))
        assert row is not None
        journal.intend(row.number)
        journal.end(row.number, RowState.DONE, post_id=post_id)
    journal.forget_highest_id()
    row = journal.bind(replace(ORDER, request_key="d"))
    assert row is not None
    journal.intend(row.number)
    times, highest = zip(*await journal.highest_ids(), strict=True)
    assert highest == (5, 9, 9, None)
    assert list(times) == sorted(set(times))
