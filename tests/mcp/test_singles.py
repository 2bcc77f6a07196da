"""A person goes on with a run of the server from the command line: what its single calls have sent meanwhile."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from marketingblocks_async import CreatePost
from marketingblocks_async.bulk import JournalReader, RowState, UnconfirmedRowsError, create_journal
from marketingblocks_async.bulk.journal.earlier import refuse_sent_meanwhile
from marketingblocks_async.mcp.journal import Order, WriteJournal
from marketingblocks_async.sandbox import Sandbox
from tests.support.mcp import POST, call, connected

API = "https://api.example/v1"
LONG_AGO, TOMORROW = datetime(2020, 1, 8, tzinfo=UTC), datetime(2100, 1, 8, tzinfo=UTC)
REFUSED = r"^nothing was sent: .*\(row 1 by single calls of the MCP server with the journal .*writes\.mcp\); send"


def check(run: Path, base_url: str = API) -> None:
    with JournalReader(run) as journal:
        refuse_sent_meanwhile(journal, base_url, unknown=False)


async def make_run(tmp_path: Path, planned: datetime = LONG_AGO) -> Path:
    path = tmp_path / "writes.mcp.bulk" / "run.journal"
    path.parent.mkdir()
    await create_journal([CreatePost.model_validate(POST)], path, now=planned)
    return path


def write_single(journal: WriteJournal, state: RowState | None, caption: str = "Hello ") -> None:
    """Write what a call comes to; ``None`` if it has not sent anything yet."""
    request = json.dumps(POST | {"caption_text": caption})
    row = journal.bind(Order("k", "create_post", "h", request, "facebook:1"))
    assert row is not None
    if state is None:
        return
    journal.intend(row.number)
    if state is not RowState.SENDING:
        journal.end(row.number, state)


async def test_what_create_post_has_sent_is_not_sent_by_the_command_line(tmp_path: Path) -> None:
    async with Sandbox(policy="none") as sandbox:
        async with connected(sandbox, tmp_path) as (client, server):
            plan = await call(client, "create_many_posts", action="plan", posts=[POST])
            refused = await call(client, "create_many_posts", action="run", request_key=plan["request_key"])
            assert refused["outcome"] == "refused"
            [run] = server.many.journals.glob("*.journal")
            check(run, sandbox.base_url)
            assert (await call(client, "create_post", POST))["outcome"] == "done"
            with pytest.raises(UnconfirmedRowsError, match=REFUSED):
                check(run, sandbox.base_url)
        # Also when no server runs.
        with pytest.raises(UnconfirmedRowsError, match=REFUSED):
            check(run, sandbox.base_url)


@pytest.mark.parametrize("state", [RowState.DONE, RowState.UNKNOWN, RowState.SENDING, None])
async def test_a_post_that_may_be_sent_counts(tmp_path: Path, state: RowState | None) -> None:
    run = await make_run(tmp_path)
    with closing(WriteJournal(tmp_path / "writes.mcp", API)) as journal:
        write_single(journal, state)
        with pytest.raises(UnconfirmedRowsError, match=REFUSED):
            check(run)
        link = tmp_path / "now.journal"
        link.symlink_to(run)
        with pytest.raises(UnconfirmedRowsError, match=REFUSED):
            check(link)


async def test_the_journal_of_the_run_may_be_named_from_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await make_run(tmp_path)
    with closing(WriteJournal(tmp_path / "writes.mcp", API)) as journal:
        write_single(journal, RowState.DONE)
    monkeypatch.chdir(run.parent)
    with pytest.raises(UnconfirmedRowsError, match=REFUSED):
        check(Path(run.name))


@pytest.mark.parametrize(
    ("planned", "state", "caption", "base_url"),
    [
        (TOMORROW, RowState.DONE, "Hello", API),
        (LONG_AGO, RowState.FAILED, "Hello", API),
        (LONG_AGO, RowState.PENDING, "Hello", API),
        (LONG_AGO, RowState.DONE, "Another", API),
        (LONG_AGO, RowState.DONE, "Hello", "https://another.example/v1"),
    ],
)
async def test_other_posts_do_not_count(
    tmp_path: Path, planned: datetime, state: RowState, caption: str, base_url: str
) -> None:
    run = await make_run(tmp_path, planned)
    with closing(WriteJournal(tmp_path / "writes.mcp", base_url)) as journal:
        write_single(journal, state, caption)
        check(run)


@pytest.mark.parametrize("name", ["writes.mcp", "writes.journal"])
async def test_a_new_run_is_told_where_servers_keep_theirs(tmp_path: Path, name: str) -> None:
    posts = [CreatePost.model_validate(POST)]
    folder = tmp_path / "state" / f"{name}.bulk"
    with closing(WriteJournal(tmp_path / "state" / name, API)) as journal:
        write_single(journal, RowState.DONE)
    with pytest.raises(
        UnconfirmedRowsError, match=rf"\(row 1 by single calls of the MCP server with the journal .*{name}\)"
    ):
        await create_journal(posts, tmp_path / "j", allow_duplicates=False, base_url=API, also_in=[folder])
    await create_journal(posts, tmp_path / "j", allow_duplicates=True, base_url=API, also_in=[folder])


async def test_what_a_dead_server_had_in_hand_was_not_sent(tmp_path: Path) -> None:
    run = await make_run(tmp_path)
    with closing(WriteJournal(tmp_path / "writes.mcp", API)) as journal:
        write_single(journal, None)
    check(run)


def _text(path: Path) -> None:
    path.write_text("a text")


def _other_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE writes (request)")


@pytest.mark.parametrize("make", [_text, _other_database, Path.mkdir])
async def test_what_is_no_journal_of_a_server_says_nothing(tmp_path: Path, make: Callable[[Path], None]) -> None:
    run = await make_run(tmp_path)
    make(tmp_path / "writes.mcp")
    check(run)
