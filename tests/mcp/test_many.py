"""Many posts: a plan first, then a run that never sends a row twice."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async import ConfigurationError, RateLimit
from marketingblocks_async.mcp import Confirm
from marketingblocks_async.mcp import many as many_module
from marketingblocks_async.mcp.tools import CREATE_MANY
from marketingblocks_async.sandbox import Sandbox
from tests.support.mcp import POST, call, connected
from tests.support.polling import until


def posts(count: int) -> list[dict[str, Any]]:
    return [POST | {"caption_text": f"Post {number}"} for number in range(count)]


@pytest.fixture
async def sandbox() -> AsyncGenerator[Sandbox]:
    async with Sandbox(policy="none") as sandbox:
        yield sandbox


async def test_a_plan_sends_nothing_and_says_what_would_be_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    async with connected(sandbox, tmp_path) as (client, _):
        plan = await call(client, CREATE_MANY, action="plan", posts=posts(3))
    assert plan["outcome"] == "planned"
    assert plan["untrusted_data"]["rows"] == 3
    assert plan["untrusted_data"]["channels"][0]["rows"] == 3
    assert not sandbox.ledger.attempts("create-post")


async def test_invalid_rows_are_named_and_nothing_is_stored(sandbox: Sandbox, tmp_path: Path) -> None:
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, _):
        plan = await call(client, CREATE_MANY, action="plan", posts=[POST, POST | {"channel_type": "myspace"}])
        assert plan["outcome"] == "refused"
        assert "myspace" in str(plan["untrusted_data"])
        run = await call(client, CREATE_MANY, action="run", request_key=plan["request_key"])
        assert run["outcome"] == "refused"


@pytest.mark.parametrize(
    "arguments",
    [
        {"action": "plan"},
        {"action": "plan", "posts": [POST], "file": "posts.csv"},
        {"action": "plan", "posts": []},
        {"action": "run"},
        {"action": "run", "posts": [POST], "request_key": "k"},
        {"action": "status", "request_key": "unknown"},
        {"action": "publish"},
    ],
)
async def test_calls_that_make_no_sense_are_refused(
    sandbox: Sandbox, tmp_path: Path, arguments: dict[str, Any]
) -> None:
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, _):
        assert (await call(client, CREATE_MANY, arguments))["outcome"] == "refused"


async def test_the_same_run_again_sends_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    for _ in range(2):
        async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, _):
            key = (await call(client, CREATE_MANY, action="plan", posts=posts(20)))["request_key"]
            for _ in range(2):
                run = await call(client, CREATE_MANY, action="run", request_key=key)
                assert run["outcome"] == "done"
                assert run["untrusted_data"]["counts"]["done"] == 20
    assert len(sandbox.posts) == 20


async def test_other_rows_under_the_same_key_are_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    async with connected(sandbox, tmp_path) as (client, _):
        for rows, outcome in ((3, "planned"), (3, "planned"), (4, "refused")):
            plan = await call(client, CREATE_MANY, action="plan", posts=posts(rows), request_key="k")
            assert plan["outcome"] == outcome


async def test_runs_at_once_and_servers_at_once_send_each_row_once(sandbox: Sandbox, tmp_path: Path) -> None:
    options: dict[str, Any] = {"confirm": Confirm.NEVER, "rate_limit": RateLimit(limit=50)}
    async with connected(sandbox, tmp_path, **options) as (one, _), connected(sandbox, tmp_path, **options) as (two, _):
        key = (await call(one, CREATE_MANY, action="plan", posts=posts(30)))["request_key"]
        found = await asyncio.gather(
            *(call(client, CREATE_MANY, action="run", request_key=key) for client in (one, two, one, two))
        )
        assert {each["outcome"] for each in found} <= {"done", "running"}
        while (await call(two, CREATE_MANY, action="status", request_key=key))["outcome"] == "running":
            pass
    assert len(sandbox.posts) == 30
    assert not sandbox.ledger.duplicates()


async def test_a_long_run_goes_on_after_its_first_answer_and_tells_progress(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many_module, "ANSWER_AFTER", 0.6)
    monkeypatch.setattr(many_module, "PROGRESS_EVERY", 0.1)
    told: list[float] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        assert total == 30
        assert message
        told.append(progress)

    options: dict[str, Any] = {"confirm": Confirm.NEVER, "rate_limit": RateLimit(limit=20)}
    async with connected(sandbox, tmp_path, **options) as (client, _):
        key = (await call(client, CREATE_MANY, action="plan", posts=posts(30)))["request_key"]
        arguments = {"action": "run", "request_key": key}
        answer = await client.call_tool(CREATE_MANY, arguments, progress_callback=note)
        assert answer.structured_content is not None
        assert answer.structured_content["outcome"] == "running"
        assert not answer.is_error
        while (run := await call(client, CREATE_MANY, arguments))["outcome"] == "running":
            pass
        assert run["outcome"] == "done"
    assert told
    assert len(sandbox.posts) == 30


async def test_a_cancelled_run_stops_and_can_go_on(sandbox: Sandbox, tmp_path: Path) -> None:
    options: dict[str, Any] = {"confirm": Confirm.NEVER, "rate_limit": RateLimit(limit=20)}
    async with connected(sandbox, tmp_path, **options) as (client, server):
        key = (await call(client, CREATE_MANY, action="plan", posts=posts(60)))["request_key"]
        task = asyncio.create_task(call(client, CREATE_MANY, action="run", request_key=key))
        await until(lambda: len(sandbox.posts) >= 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not server.many.running)
        stopped = await call(client, CREATE_MANY, action="status", request_key=key)
        assert stopped["outcome"] == "not_sent"
        assert stopped["untrusted_data"]["counts"]["unknown"] == 0
        assert len(sandbox.posts) < 60
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, _):
        assert (await call(client, CREATE_MANY, action="run", request_key=key))["outcome"] == "done"
    assert len(sandbox.posts) == 60
    assert not sandbox.ledger.duplicates()


async def test_a_journal_that_fails_in_the_middle_leaves_the_outcome_unknown(sandbox: Sandbox, tmp_path: Path) -> None:
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, server):
        key = (await call(client, CREATE_MANY, action="plan", posts=posts(20)))["request_key"]
        (path,) = server.many.journals.glob("*.journal")
        with closing(sqlite3.connect(path, isolation_level=None)) as vandal:
            vandal.execute(
                "CREATE TRIGGER full BEFORE INSERT ON states WHEN (SELECT count(*) FROM states) > 9 "
                "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            )
        told = await call(client, CREATE_MANY, action="run", request_key=key)
    assert told["outcome"] == "unknown"
    assert "disk is full" in str(told["untrusted_data"])


async def test_lost_answers_are_told_as_unknown_and_not_sent_again(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add("commit_then_drop:endpoint=create-post,times=2")
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, _):
        key = (await call(client, CREATE_MANY, action="plan", posts=posts(5)))["request_key"]
        for _ in range(2):
            run = await call(client, CREATE_MANY, action="run", request_key=key)
            assert run["outcome"] == "unknown"
            assert run["untrusted_data"]["counts"]["unknown"] == 2
    assert len(sandbox.posts) == 5


async def test_files_are_read_from_the_folder_and_from_nowhere_else(sandbox: Sandbox, tmp_path: Path) -> None:
    folder, outside = tmp_path / "posts", tmp_path / "outside.jsonl"
    folder.mkdir()
    for path in (folder / "posts.jsonl", outside):
        path.write_text("\n".join(json.dumps(post) for post in posts(2)), encoding="utf-8")
    (folder / "link.jsonl").symlink_to(outside)
    async with connected(sandbox, tmp_path, folder=folder) as (client, _):
        plan = await call(client, CREATE_MANY, action="plan", file="posts.jsonl")
        assert plan["outcome"] == "planned"
        for name in ("../outside.jsonl", str(outside), "link.jsonl", "missing.jsonl", "."):
            refused = await call(client, CREATE_MANY, action="plan", file=name)
            assert refused["outcome"] == "refused"
            assert f"There is no such file in {folder}" in refused["what_to_do"]
    async with connected(sandbox, tmp_path) as (client, _):
        refused = await call(client, CREATE_MANY, action="plan", file="posts.jsonl")
        assert refused["outcome"] == "refused"
        assert "--folder" in refused["what_to_do"]


async def test_a_folder_of_files_that_does_not_exist_is_refused_at_the_start(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no folder ~/posts to read files from"):
        async with connected(sandbox, tmp_path, folder=Path("~/posts")):
            pass
