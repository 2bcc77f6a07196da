"""A run that goes on: what other runs have sent of its rows meanwhile."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import Mock

import pytest

from marketingblocks_async import CreatePost
from marketingblocks_async.bulk import (
    BulkError,
    Journal,
    JournalError,
    JournalReader,
    RowState,
    UnconfirmedRowsError,
    create_journal,
)
from marketingblocks_async.bulk.journal.earlier import refuse_sent_meanwhile
from marketingblocks_async.bulk.seen import Seen

URL = "https://one.example/api/v1"
FILE = "channel_type,channel_id,post_type,caption_text,media_urls,publish_mode\nfacebook,1,post,A,,now\n"
LONG_AGO, TOMORROW = datetime(2020, 1, 8, tzinfo=UTC), datetime(2100, 1, 8, tzinfo=UTC)


def posts(*captions: str) -> list[CreatePost]:
    return [
        CreatePost(
            channel_type="facebook",
            channel_id=1,
            post_type="post",
            caption_text=caption,
            media_urls=[],
            publish_mode="now",
        )
        for caption in captions
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.journal"


async def other(path: Path, *captions: str, state: RowState, base_url: str = URL) -> None:
    """Make the journal of another run whose rows are in one state."""
    await create_journal(posts(*captions), path.with_name("other.journal"))
    async with Journal(path.with_name("other.journal")) as journal:
        await journal.noted("base_url", base_url)
        for number in range(1, len(captions) + 1):
            if state is not RowState.PENDING:
                await journal.intend(number)
            if state is not RowState.SENDING:
                journal.end(number, state, error=ValueError("no") if state is RowState.FAILED else None)


@pytest.mark.parametrize("state", [RowState.DONE, RowState.SENDING, RowState.UNKNOWN])
async def test_a_run_does_not_go_on_if_another_one_may_have_sent_its_rows_meanwhile(
    path: Path, state: RowState
) -> None:
    await create_journal(posts("A", "B", "C"), path, now=LONG_AGO)
    await other(path, "C", "B", "D", state=state)
    with (
        JournalReader(path) as journal,
        pytest.raises(UnconfirmedRowsError, match=r"nothing was sent: .*\(rows 2, 3 by the run of .*other\.journal\)"),
    ):
        refuse_sent_meanwhile(journal, URL, unknown=True)


@pytest.mark.parametrize(
    ("planned", "state", "base_url"),
    [
        # It was allowed when the run was planned.
        (TOMORROW, RowState.DONE, URL),
        # Two runs that were stopped would block each other.
        (LONG_AGO, RowState.PENDING, URL),
        (LONG_AGO, RowState.FAILED, URL),
        (LONG_AGO, RowState.DONE, "https://two.example/api/v1"),
    ],
)
async def test_a_run_goes_on_if_no_other_one_has_sent_its_rows_since_its_plan(
    path: Path, planned: datetime, state: RowState, base_url: str
) -> None:
    await create_journal(posts("A", "B"), path, now=planned)
    await other(path, "A", "B", state=state, base_url=base_url)
    with JournalReader(path) as journal:
        refuse_sent_meanwhile(journal, URL, unknown=True)


def check_refused(path: Path) -> None:
    with (
        JournalReader(path) as reader,
        pytest.raises(UnconfirmedRowsError, match=r"\(row 1( in line 2)? by the run of .*other"),
    ):
        refuse_sent_meanwhile(reader, URL, unknown=True)


async def test_a_run_that_goes_on_looks_beside_its_file_too_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("journals", "data", "elsewhere"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "data")
    (tmp_path / "data" / "posts.csv").write_text(FILE)
    path = tmp_path / "journals" / "run.journal"
    await create_journal("posts.csv", path, now=LONG_AGO)
    await other(tmp_path / "data" / "run.journal", "A", state=RowState.SENDING)
    check_refused(path)
    monkeypatch.chdir(tmp_path / "elsewhere")
    check_refused(path)
    with JournalReader(path) as reader:
        assert reader.meta["source"] == "posts.csv"


@pytest.mark.parametrize("beside", ["link", "file"])
async def test_a_link_to_the_file_hides_no_journal(tmp_path: Path, beside: str) -> None:
    for name in ("journals", "link", "file", "later"):
        (tmp_path / name).mkdir()
    file, link, path = tmp_path / "file" / "posts.csv", tmp_path / "link" / "now.csv", tmp_path / "journals" / "run"
    file.write_text(FILE)
    link.symlink_to(file)
    await other(tmp_path / beside / "run.journal", "A", state=RowState.DONE)
    with pytest.raises(UnconfirmedRowsError, match=r"\(row 1 in line 2 by the run of .*other"):
        await create_journal(link, path, allow_duplicates=False, base_url=URL)
    await create_journal(link, path, now=LONG_AGO)
    # Where it leads now does not matter, but where it led then.
    link.unlink()
    link.symlink_to(tmp_path / "later" / "posts.csv")
    check_refused(path)


@pytest.mark.parametrize("beside", [".", "link"])
async def test_a_link_to_the_journal_hides_no_journal(path: Path, beside: str) -> None:
    await create_journal(posts("A"), path, now=LONG_AGO)
    link = path.parent / "link" / "now.journal"
    link.parent.mkdir()
    link.symlink_to(path)
    await other(path.parent / beside / "run.journal", "A", state=RowState.DONE)
    check_refused(link)


async def test_what_is_no_file_is_no_journal(path: Path) -> None:
    for name in ("loop.journal", "dangling.journal"):
        path.with_name(name).symlink_to(name if name == "loop.journal" else "nowhere")
    path.with_name("folder.journal").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(path.with_name("pipe.journal"))
    await other(path, "A", state=RowState.DONE)
    with pytest.raises(UnconfirmedRowsError, match=r"\(row 1 by the run of .*other\.journal\)"):
        await create_journal(posts("A"), path, allow_duplicates=False, base_url=URL)


def test_where_a_link_leads_to_itself_is_no_journal_and_one_can_be_made(path: Path) -> None:
    path.symlink_to(path.name)
    with pytest.raises(JournalError, match="there is no journal at"):
        JournalReader(path)
    asyncio.run(create_journal(posts("A"), path))
    assert path.is_file()


async def test_an_error_about_the_own_journal_is_not_taken_for_one_about_another(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await create_journal(posts("A"), path, now=LONG_AGO)
    await other(path, "A", state=RowState.DONE)
    with JournalReader(path) as reader:
        monkeypatch.setattr(Seen, "_stored", Mock(side_effect=sqlite3.OperationalError("disk I/O error")))
        with pytest.raises(BulkError, match="set TMPDIR"):
            refuse_sent_meanwhile(reader, URL, unknown=True)
        monkeypatch.setattr(reader, "rows", Mock(side_effect=JournalError("cannot read this one")))
        with pytest.raises(JournalError, match="cannot read this one"):
            refuse_sent_meanwhile(reader, URL, unknown=True)


async def test_of_a_damaged_journal_counts_what_can_be_read(path: Path) -> None:
    await create_journal(posts("A", "B", "C"), path, now=LONG_AGO)
    await other(path, "A", "B", "C", state=RowState.DONE)
    with closing(sqlite3.connect(path.with_name("other.journal"))) as damaged, damaged:
        damaged.execute("UPDATE requests SET request = x'ff20', hash = x'ff20' WHERE number = 3")
    check_refused(path)


@pytest.mark.parametrize("name", ["a\0b/c", f"{'a' * 300}/b"])
async def test_a_name_that_is_no_path_has_no_journals_beside_it(tmp_path: Path, name: str) -> None:
    file = tmp_path / "posts.csv"
    file.write_text(FILE)
    plan = await create_journal(file, tmp_path / "run.journal", name=name, allow_duplicates=False, base_url=URL)
    assert plan.valid == 1


async def test_white_space_at_the_ends_of_texts_makes_no_other_post(path: Path) -> None:
    await create_journal(posts("A", "B ", "C"), path, now=LONG_AGO)
    await other(path, "A ", "\n\u00a0B", "C c", state=RowState.DONE)
    with JournalReader(path) as journal, pytest.raises(UnconfirmedRowsError, match=r"\(rows 1, 2 by the run of"):
        refuse_sent_meanwhile(journal, URL, unknown=True)


async def test_rows_that_will_not_be_sent_are_no_repetition(path: Path) -> None:
    await create_journal(posts("Done", "Unknown", "Failed", "Pending"), path, now=LONG_AGO)
    async with Journal(path) as journal:
        for number, state in ((1, RowState.DONE), (2, RowState.UNKNOWN), (3, RowState.FAILED)):
            await journal.intend(number)
            journal.end(number, state, error=None if number == 1 else ValueError("no"))
    await other(path, "Done", "Unknown", "Failed", state=RowState.DONE)
    with JournalReader(path) as reader:
        refuse_sent_meanwhile(reader, URL, unknown=False)
        with pytest.raises(UnconfirmedRowsError, match=r"\(row 2 by the run of"):
            refuse_sent_meanwhile(reader, URL, unknown=True)
