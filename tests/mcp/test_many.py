"""Many posts: a plan first, then a run that never sends a row twice."""

from __future__ import annotations

import asyncio
import json
import shlex
import sqlite3
from collections.abc import AsyncGenerator, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async import ConfigurationError, RateLimit
from marketingblocks_async.bulk import (
    BulkResult,
    BulkRun,
    Journal,
    JournalReader,
    RowState,
    StoredRow,
    create_journal,
)
from marketingblocks_async.bulk.journal.files import lock_journal
from marketingblocks_async.bulk.run import runner as runner_module
from marketingblocks_async.errors import BadRequestError
from marketingblocks_async.mcp import Confirm
from marketingblocks_async.mcp import many as many_module
from marketingblocks_async.mcp.stored import LISTED_ROWS, Stored, look, rows_not_done
from marketingblocks_async.mcp.tools import CREATE_MANY
from marketingblocks_async.sandbox import Sandbox, TokenSpec
from tests.support.mcp import POST, Person, call, connected
from tests.support.polling import until
from tests.support.workbooks import openpyxl

TIMED: dict[str, Any] = POST | {"publish_mode": "scheduled", "schedule_time": "2099-01-08 14:30"}


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
    for is_first in (True, False):
        async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, _):
            key = (await call(client, CREATE_MANY, action="plan", posts=posts(20)))["request_key"]
            for repeated in (not is_first, True):
                run = await call(client, CREATE_MANY, action="run", request_key=key)
                assert run["outcome"] == "done"
                assert run["untrusted_data"]["counts"]["done"] == 20
                assert run.get("repeated", False) is repeated
                assert ("nothing was sent now" in run.get("what_to_do", "")) is repeated
            plan = await call(client, CREATE_MANY, action="plan", posts=posts(20))
            assert plan["repeated"]
            assert "action run would send nothing" in plan["what_to_do"]
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


async def test_failed_rows_are_named_and_what_is_done_is_not_planned_again_unseen(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.faults.add("unprocessable:endpoint=create-post,times=1")
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, _):
        first = (await call(client, CREATE_MANY, action="plan", posts=posts(5)))["request_key"]
        for action in ("run", "run", "status"):
            told = await call(client, CREATE_MANY, action=action, request_key=first)
            assert told["outcome"] == "refused"
            (row,) = told["untrusted_data"]["rows"]
            assert row["caption_text"] == f"Post {row['row'] - 1}"
            assert row["channel"] == "facebook:1"
            assert "The given data was invalid" in row["error"]
        corrected = posts(5)
        corrected[row["row"] - 1]["caption_text"] = "Corrected"
        whole = await call(client, CREATE_MANY, action="plan", posts=corrected)
        assert whole["outcome"] == "refused"
        sent = whole["untrusted_data"]["sent_earlier"]
        assert sent["runs"] == [{"request_key": first, "posts": 4}]
        assert sent["rows"] == [number for number in range(1, 6) if number != row["row"]]
        refused = await call(client, CREATE_MANY, action="run", request_key=whole["request_key"])
        assert refused["outcome"] == "refused"
        assert len(sandbox.posts) == 4
        alone = await call(client, CREATE_MANY, action="plan", posts=[corrected[row["row"] - 1]])
        assert alone["outcome"] == "planned"
        assert "sent_earlier" not in alone["untrusted_data"]
        assert (await call(client, CREATE_MANY, action="run", request_key=alone["request_key"]))["outcome"] == "done"
    assert len(sandbox.posts) == 5
    assert not sandbox.ledger.duplicates()


async def test_posts_of_another_run_are_sent_once_more_only_on_purpose(sandbox: Sandbox, tmp_path: Path) -> None:
    person = Person("accept")
    async with connected(sandbox, tmp_path, client={"elicitation_callback": person}) as (client, _):
        # Planned before anything was sent, so only the runs can see it.
        keys = [(await call(client, CREATE_MANY, action="plan", posts=posts(n)))["request_key"] for n in (2, 3)]
        told = [await call(client, CREATE_MANY, action="run", request_key=key) for key in keys]
        assert [each["outcome"] for each in told] == ["done", "refused"]
        assert told[1]["untrusted_data"]["sent_earlier"]["posts"] == 2
        plan = await call(client, CREATE_MANY, action="plan", posts=posts(3), request_key="again")
        assert plan["outcome"] == "planned"
        assert "2 of these posts were sent by other runs or calls" in plan["what_to_do"]
        assert (await call(client, CREATE_MANY, action="run", request_key="again"))["outcome"] == "done"
    assert "2 of these posts were sent by other runs" in person.questions[-1]
    assert len(sandbox.posts) == 5


@pytest.mark.parametrize("version", ["", "2"])
async def test_a_key_that_an_earlier_version_derived_is_not_one_of_the_callers_own(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    plain, padded = (
        [POST | {"channel_type": "twitter", "twitter_threads": [{"message": text}]}] for text in ("More", "More ")
    )
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, _):
        await call(client, CREATE_MANY, action="plan", posts=plain, request_key="one")
        assert (await call(client, CREATE_MANY, action="run", request_key="one"))["outcome"] == "done"
        with monkeypatch.context() as former:
            former.setattr("marketingblocks_async.mcp.stored.likeness", partial(_likeness_of, version))
            key = (await call(client, CREATE_MANY, action="plan", posts=padded))["request_key"]
        told = await call(client, CREATE_MANY, action="run", request_key=key)
        assert told["outcome"] == "refused"
        assert told["untrusted_data"]["sent_earlier"]["runs"] == [{"request_key": "one", "posts": 1}]
    assert len(sandbox.posts) == 1


async def test_a_call_that_an_earlier_version_did_not_send_is_not_sent_after_a_run_with_the_post(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.faults.add("too_many_requests:endpoint=create-post,times=1,retry_after=90")
    with monkeypatch.context() as former:
        former.setattr("marketingblocks_async.mcp.serving.DEADLINE", 0.5)
        former.setattr("marketingblocks_async.mcp.server.content_of", _content_of_version_2)
        async with connected(sandbox, tmp_path) as (client, _):
            first = await call(client, "create_post", POST)
    assert first["outcome"] == "not_sent"
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, _):
        plan = await call(client, CREATE_MANY, action="plan", posts=[POST], request_key="mine")
        assert (await call(client, CREATE_MANY, action="run", request_key=plan["request_key"]))["outcome"] == "done"
        told = await call(client, "create_post", POST, request_key=first["request_key"])
        assert told["outcome"] == "refused"
    assert len(sandbox.posts) == 1


def _content_of_version_2(request: str, **_: object) -> object:
    return ["2", request]


def _likeness_of(version: str, content_hash: str, _: str) -> str:
    """Return the likeness of a post as an earlier version had it: for the first ones the hash of the whole request."""
    return version + content_hash


async def test_of_two_plans_with_keys_of_their_own_only_one_is_sent_unseen(sandbox: Sandbox, tmp_path: Path) -> None:
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, _):
        for key in ("one", "two"):
            plan = await call(client, CREATE_MANY, action="plan", posts=posts(3), request_key=key)
            assert plan["outcome"] == "planned"
        assert (await call(client, CREATE_MANY, action="run", request_key="one"))["outcome"] == "done"
        for told in (
            await call(client, CREATE_MANY, action="run", request_key="two"),
            await call(client, CREATE_MANY, action="plan", posts=posts(3), request_key="two"),
        ):
            assert told["outcome"] == "refused"
            assert "a new request_key" in told["what_to_do"]
            assert told["untrusted_data"]["sent_earlier"]["runs"] == [{"request_key": "one", "posts": 3}]
        assert len(sandbox.posts) == 3
        assert (await call(client, CREATE_MANY, action="plan", posts=posts(3), request_key="3"))["outcome"] == "planned"
        assert (await call(client, CREATE_MANY, action="run", request_key="3"))["outcome"] == "done"
    assert len(sandbox.posts) == 6


async def test_posts_that_another_run_began_to_send_after_the_plan_are_not_sent(tmp_path: Path) -> None:
    url, one, two, three = "https://one.example", *(tmp_path / f"{name}.journal" for name in ("one", "two", "three"))
    for path in (one, two):
        await create_journal(posts(3), path)
    async with Journal(one) as begun:
        await begun.noted("base_url", url)
        await begun.begin_session()
    await create_journal(posts(3), three)
    # The plan of the third has shown what the first has pending.
    assert [look(path, url).repeats for path in (two, three)] == [3, 3]
    assert [look(path, url).new_repeats for path in (two, three)] == [3, 0]


@pytest.mark.parametrize("first", ["single", "run"])
@pytest.mark.parametrize(
    ("one", "two"),
    [
        (POST, POST | {"hash_tags": ""}),
        (POST, POST | {"twitter_threads": list[Any]()}),
        (POST, POST | {"time_zone": "UTC"}),
        (TIMED | {"time_zone": "Europe/Berlin"}, TIMED | {"schedule_time": "2099-01-08T14:30+01:00"}),
    ],
)
async def test_what_readers_do_not_see_makes_no_other_post_for_runs_and_calls(
    sandbox: Sandbox, tmp_path: Path, first: str, one: dict[str, Any], two: dict[str, Any]
) -> None:
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, _):
        if first == "single":
            assert (await call(client, "create_post", one))["outcome"] == "done"
            told = await call(client, CREATE_MANY, action="plan", posts=[two])
        else:
            key = (await call(client, CREATE_MANY, action="plan", posts=[one]))["request_key"]
            assert (await call(client, CREATE_MANY, action="run", request_key=key))["outcome"] == "done"
            again = await call(client, CREATE_MANY, action="plan", posts=[two])
            assert again["request_key"] == key
            told = await call(client, "create_post", two)
        assert told["outcome"] == "refused"
        assert "sent_earlier" in told["untrusted_data"]
    assert len(sandbox.posts) == 1


async def test_a_run_sends_no_post_that_a_single_call_has_sent_or_may_have_sent(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.faults.add("commit_then_drop:endpoint=create-post,times=1")
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, _):
        early = (await call(client, CREATE_MANY, action="plan", posts=posts(4)))["request_key"]
        mine = (await call(client, CREATE_MANY, action="plan", posts=posts(3), request_key="mine"))["request_key"]
        lost, done = [await call(client, "create_post", post) for post in posts(2)]
        assert [lost["outcome"], done["outcome"]] == ["unknown", "done"]
        calls = [{"request_key": each["request_key"]} for each in (lost, done)]
        for told in (
            await call(client, CREATE_MANY, action="plan", posts=posts(5)),
            await call(client, CREATE_MANY, action="run", request_key=early),
            await call(client, CREATE_MANY, action="run", request_key=mine),
        ):
            assert told["outcome"] == "refused"
            assert told["untrusted_data"]["sent_earlier"]["rows"] == [1, 2]
            assert told["untrusted_data"]["sent_earlier"]["calls"] == calls
        assert len(sandbox.posts) == 2
        plan = await call(client, CREATE_MANY, action="plan", posts=posts(3), request_key="again")
        assert plan["untrusted_data"]["sent_earlier"]["posts"] == 2
        assert (await call(client, CREATE_MANY, action="run", request_key="again"))["outcome"] == "done"
    assert len(sandbox.posts) == 5


async def test_a_single_call_sends_no_post_that_a_run_has_sent_or_may_have_sent(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.faults.add("commit_then_drop:endpoint=create-post,times=1")
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, _):
        key = (await call(client, CREATE_MANY, action="plan", posts=posts(2)))["request_key"]
        assert (await call(client, CREATE_MANY, action="run", request_key=key))["outcome"] == "unknown"
        for post in posts(2):
            told = await call(client, "create_post", post)
            assert told["outcome"] == "refused"
            assert told["untrusted_data"]["sent_earlier"]["runs"] == [{"request_key": key, "posts": 1}]
            # The key that was made of the content is not one of the caller's own.
            again = await call(client, "create_post", post, request_key=told["request_key"])
            assert again["outcome"] == "refused"
        assert len(sandbox.posts) == 2
        assert (await call(client, "create_post", posts(1)[0], request_key="again"))["outcome"] == "done"
        assert (await call(client, "create_post", posts(3)[2]))["outcome"] == "done"
    assert len(sandbox.posts) == 4


async def test_a_single_call_reads_the_runs_once_if_nobody_is_asked(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def runs_with(_: Path, _base_url: str, like: str) -> list[dict[str, Any]]:
        looked.append(like)
        return []

    monkeypatch.setattr(many_module, "runs_with", runs_with)
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, _):
        for mode in ("queued", "now"):
            assert (await call(client, "create_post", POST | {"publish_mode": mode}))["outcome"] == "done"
    assert len(looked) == 2


async def test_nobody_is_asked_about_a_post_that_a_run_has_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    person = Person("accept")
    post = POST | {"publish_mode": "now"}
    async with connected(sandbox, tmp_path, client={"elicitation_callback": person}) as (client, _):
        key = (await call(client, CREATE_MANY, action="plan", posts=[post]))["request_key"]
        assert (await call(client, CREATE_MANY, action="run", request_key=key))["outcome"] == "done"
        assert (await call(client, "create_post", post))["outcome"] == "refused"
    assert len(person.questions) == len(sandbox.posts) == 1


async def test_a_run_and_single_calls_that_begin_at_once_send_each_post_once(sandbox: Sandbox, tmp_path: Path) -> None:
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, _):
        key = (await call(client, CREATE_MANY, action="plan", posts=posts(8)))["request_key"]
        singles = [call(client, "create_post", post) for post in posts(8)]
        await asyncio.gather(*singles[:4], call(client, CREATE_MANY, action="run", request_key=key), *singles[4:])
    assert not sandbox.ledger.duplicates()


async def test_a_key_is_that_of_a_plan_or_of_a_single_call(sandbox: Sandbox, tmp_path: Path) -> None:
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, _):
        await call(client, CREATE_MANY, action="plan", posts=posts(1), request_key="plan")
        told = await call(client, "create_post", posts(2)[1], request_key="plan")
        assert (told["outcome"], "belongs to a plan" in told["what_to_do"]) == ("refused", True)
        assert (await call(client, "create_post", posts(3)[2], request_key="call"))["outcome"] == "done"
        told = await call(client, CREATE_MANY, action="plan", posts=posts(1), request_key="call")
        assert (told["outcome"], "another tool" in told["what_to_do"]) == ("refused", True)
    assert len(sandbox.posts) == 1


async def test_posts_of_a_run_that_goes_on_are_sent_by_no_other_run(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many_module, "ANSWER_AFTER", 0.3)
    monkeypatch.setattr(many_module, "PROGRESS_EVERY", 0.1)
    options: dict[str, Any] = {"confirm": Confirm.NEVER, "rate_limit": RateLimit(limit=20)}
    async with connected(sandbox, tmp_path, **options) as (client, server):
        plan = {"action": "plan", "posts": posts(60)}
        early = (await call(client, CREATE_MANY, action="plan", posts=posts(60)[50:]))["request_key"]
        key = (await call(client, CREATE_MANY, plan))["request_key"]
        assert (await call(client, CREATE_MANY, action="run", request_key=key))["outcome"] == "running"
        again = await call(client, CREATE_MANY, plan)
        assert (again["outcome"], again["request_key"]) == ("running", key)
        refused = [
            await call(client, CREATE_MANY, action="plan", posts=posts(60)[40:]),
            await call(client, CREATE_MANY, action="run", request_key=early),
        ]
        for told, count in zip(refused, (20, 10), strict=True):
            assert told["outcome"] == "refused"
            assert "are pending there" in told["what_to_do"]
            assert told["untrusted_data"]["sent_earlier"]["runs"] == [{"request_key": key, "posts": count}]
        own = await call(client, CREATE_MANY, action="plan", posts=posts(60)[40:], request_key="mine")
        assert own["outcome"] == "planned"
        await until(lambda: not server.many.running)
    assert len(sandbox.posts) == 60
    assert not sandbox.ledger.duplicates()


async def test_two_runs_that_were_stopped_do_not_block_each_other(tmp_path: Path) -> None:
    url, one, two = "https://one.example", tmp_path / "one.journal", tmp_path / "two.journal"
    for path in (one, two):
        await create_journal(posts(3), path)
    assert look(two, url).repeats == 0
    async with Journal(one) as begun:
        await begun.noted("base_url", url)
    assert look(two, url).repeats == 3
    async with Journal(two) as begun:
        await begun.noted("base_url", url)
    assert look(two, url).repeats == 0
    async with Journal(one) as begun:
        await begun.intend(1)
    assert look(two, url).repeats == 1


async def test_of_two_runs_that_begin_at_once_one_sees_the_other(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = BulkRun.run

    async def late(run: BulkRun) -> BulkResult:
        await asyncio.sleep(0.3)
        return await begin(run)

    monkeypatch.setattr(BulkRun, "run", late)
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, _):
        keys = [(await call(client, CREATE_MANY, action="plan", posts=posts(n)))["request_key"] for n in (10, 11)]
        told = await asyncio.gather(*(call(client, CREATE_MANY, action="run", request_key=key) for key in keys))
    assert sorted(each["outcome"] for each in told) == ["done", "refused"]
    assert not sandbox.ledger.duplicates()


async def test_a_person_is_asked_again_if_the_numbers_change_meanwhile(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Person("accept")
    looks = 0

    def changing(path: Path, *more: Any) -> Stored:
        nonlocal looks
        looks += 1
        found = look(path, *more)
        # The first two are for the question, and for the call with its answer.
        return replace(found, now=1) if looks == 3 else found

    async with connected(sandbox, tmp_path, client={"elicitation_callback": person}) as (client, _):
        key = (await call(client, CREATE_MANY, action="plan", posts=posts(3)))["request_key"]
        monkeypatch.setattr(many_module, "look", changing)
        told = await call(client, CREATE_MANY, action="run", request_key=key)
        assert told["outcome"] == "not_sent"
        assert "numbers of posts changed" in told["what_to_do"]
        assert not sandbox.posts
        assert (await call(client, CREATE_MANY, action="run", request_key=key))["outcome"] == "done"
    assert len(person.questions) == 2
    assert len(sandbox.posts) == 3


async def test_a_file_that_changes_between_its_two_readings_is_planned_anew(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "posts.jsonl"

    def write(count: int) -> None:
        file.write_text("\n".join(json.dumps(post) for post in posts(count)), encoding="utf-8")

    async def changing(*arguments: Any, **more: Any) -> Any:
        write(5)
        return await create_journal(*arguments, **more)

    plan = {"action": "plan", "file": "posts.jsonl"}
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER, folder=tmp_path) as (client, server):
        write(3)
        with monkeypatch.context() as patch:
            patch.setattr(many_module, "create_journal", changing)
            told = await call(client, CREATE_MANY, plan)
        assert told["outcome"] == "refused"
        assert "changed while it was read" in told["what_to_do"]
        assert not list(server.many.journals.iterdir())
        assert (await call(client, CREATE_MANY, action="run", request_key=told["request_key"]))["outcome"] == "refused"
        write(3)
        again = await call(client, CREATE_MANY, plan)
        assert (again["outcome"], again["request_key"]) == ("planned", told["request_key"])
    assert not sandbox.posts


async def test_a_plan_that_another_call_is_storing_is_no_fault_of_the_server(sandbox: Sandbox, tmp_path: Path) -> None:
    async with connected(sandbox, tmp_path) as (client, server):
        plan = {"action": "plan", "posts": posts(2), "request_key": "k"}
        assert (await call(client, CREATE_MANY, plan))["outcome"] == "planned"
        (path,) = server.many.journals.glob("*.journal")
        path.unlink()
        lock = lock_journal(path)
        told = await call(client, CREATE_MANY, plan)
        assert told["outcome"] == "not_sent"
        assert "Another call is storing a plan" in told["what_to_do"]
        lock.release()
        assert (await call(client, CREATE_MANY, plan))["outcome"] == "planned"


@pytest.mark.parametrize(
    ("fault", "words", "hint"),
    [
        ("not_found:endpoint=create-post", "may concern all posts", True),
        ("forbidden:endpoint=create-post", "lacks the permission", True),
        ("forbidden:endpoint=create-post,after=2", "may concern all posts", True),
        ("unauthorized:endpoint=create-post", "API Tokens page", False),
        ("redirect:endpoint=create-post,status=307", "Call with action run and this request_key to go on", False),
    ],
)
async def test_refused_posts_are_told_with_the_way_on(
    sandbox: Sandbox, tmp_path: Path, fault: str, words: str, hint: bool
) -> None:
    sandbox.faults.add(fault)
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, server):
        key = (await call(client, CREATE_MANY, action="plan", posts=posts(30)))["request_key"]
        told = await call(client, CREATE_MANY, action="run", request_key=key)
        (path,) = server.many.journals.glob("*.journal")
        # The run may have ended after the answer to its call.
        assert await call(client, CREATE_MANY, action="status", request_key=key) == told
        async with Journal(path) as journal:
            await journal.intend(30)
            journal.end(30, RowState.DONE)
        later = await call(client, CREATE_MANY, action="status", request_key=key)
        assert "reason" not in later["untrusted_data"]
    assert told["outcome"] == "not_sent"
    assert words in told["what_to_do"]
    assert (f"marketingblocks bulk resume {shlex.quote(str(path))} --on-outage fail" in told["what_to_do"]) is hint


async def test_a_new_token_is_told_with_the_way_on(tmp_path: Path) -> None:
    tokens = [TokenSpec("old", expires_after_requests=12), TokenSpec("new")]
    async with Sandbox(policy="none", tokens=tokens) as sandbox:
        old, new = sandbox.tokens["old"], sandbox.tokens["new"]
        async with connected(sandbox, tmp_path, confirm=Confirm.NEVER, token=old) as (client, _):
            key = (await call(client, CREATE_MANY, action="plan", posts=posts(20)))["request_key"]
            stopped = await call(client, CREATE_MANY, action="run", request_key=key)
            assert stopped["outcome"] == "not_sent"
            assert "API Tokens page" in stopped["what_to_do"]
        assert 0 < len(sandbox.posts) < 20
        async with connected(sandbox, tmp_path, confirm=Confirm.NEVER, token=new) as (client, server):
            told = await call(client, CREATE_MANY, action="run", request_key=key)
            assert told["outcome"] == "refused"
            (path,) = server.many.journals.glob("*.journal")
            command = f"marketingblocks bulk resume {shlex.quote(str(path))} --accept-new-token"
            assert told["what_to_do"].endswith(command)
            async with Journal(path) as journal:
                await BulkRun(server.client, journal, accept_new_token=True).run()
            assert (await call(client, CREATE_MANY, action="run", request_key=key))["outcome"] == "done"
        assert len(sandbox.posts) == 20
        assert not sandbox.ledger.duplicates()


async def test_a_journal_that_cannot_be_read_is_told_as_unknown(sandbox: Sandbox, tmp_path: Path) -> None:
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, server):
        key = (await call(client, CREATE_MANY, action="plan", posts=posts(3)))["request_key"]
        assert (await call(client, CREATE_MANY, action="run", request_key=key))["outcome"] == "done"
        (path,) = server.many.journals.glob("*.journal")
        path.write_bytes(b"SQLite format 3\x00" + bytes(5000))
        for action in ("run", "status"):
            assert (await call(client, CREATE_MANY, action=action, request_key=key))["outcome"] == "unknown"


async def test_the_question_counts_what_is_still_to_be_done(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add("commit_then_drop:endpoint=create-post,times=2")
    person = Person("accept")
    now = [post | {"publish_mode": "now"} for post in posts(4)]
    async with connected(sandbox, tmp_path, client={"elicitation_callback": person}) as (client, _):
        key = (await call(client, CREATE_MANY, action="plan", posts=[*now, POST]))["request_key"]
        for _ in range(2):
            assert (await call(client, CREATE_MANY, action="run", request_key=key))["outcome"] == "unknown"
    assert person.questions == [
        "Publish 5 posts (4 of them now)?",
        "Look for 2 posts that may have been published, and send those that do not exist? 3 of 5 are done already.",
    ]


async def test_rows_in_flight_are_unknown_only_when_nothing_is_running(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    past = {"publish_mode": "scheduled", "schedule_time": "2020-01-08 14:30", "time_zone": "UTC"}
    modes = [*[{"publish_mode": "now"}] * 5, past, {}]
    await create_journal([post | mode for post, mode in zip(posts(7), modes, strict=True)], path)
    async with Journal(path) as journal:
        for number in (1, 2, 3):
            await journal.intend(number)
        journal.end(1, RowState.DONE, post_id="1")
        journal.end(2, RowState.FAILED, error=BadRequestError("no " * 200 + "end", status_code=422))
        await journal.flush()
        alive = look(path)
        assert [row["row"] for row in rows_not_done(path)] == [2]
    dead = look(path)
    assert alive.is_running
    assert (alive.counts.pending, alive.counts.unknown, alive.now) == (5, 0, 3)
    assert (dead.counts.pending, dead.counts.unknown, dead.now) == (4, 1, 3)
    failed, lost = rows_not_done(path)
    assert failed["error"].startswith("no no")
    assert failed["error"].endswith("end")
    assert (lost["row"], lost["state"]) == (3, "unknown")


async def test_many_failed_rows_do_not_push_the_counts_out(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add("unprocessable:endpoint=create-post")
    long = [post | {"caption_text": post["caption_text"] + "x" * 1000, "key": f"Key {n} " * 30}
            for n, post in enumerate(posts(30))]  # fmt: skip
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, _):
        key = (await call(client, CREATE_MANY, action="plan", posts=long))["request_key"]
        told = await call(client, CREATE_MANY, action="run", request_key=key)
    assert told["untrusted_data"]["counts"]["failed"] == 30
    assert len(told["untrusted_data"]["rows"]) == LISTED_ROWS
    assert "bulk report" in told["what_to_do"]


async def test_what_is_wrong_is_shown_also_of_a_large_plan(sandbox: Sandbox, tmp_path: Path) -> None:
    many = [POST | {"channel_id": number, "caption_text": f"Post {number // 2}"} for number in range(1, 600)]
    past = {"publish_mode": "scheduled", "schedule_time": "2020-01-08 14:30", "time_zone": "UTC"}
    many += [POST | past] * 2000
    async with connected(sandbox, tmp_path) as (client, _):
        good = await call(client, CREATE_MANY, action="plan", posts=many)
        bad = await call(client, CREATE_MANY, action="plan", posts=[*many, POST | {"channel_type": "myspace"}])
    assert good["untrusted_data"]["schedule"]["past"] == 2000
    assert good["untrusted_data"]["channel_count"] == 600
    assert "myspace" in str(bad["untrusted_data"]["errors"])


async def test_the_plan_names_the_sheet_that_was_read(sandbox: Sandbox, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "May"
    for line in (list(POST), [*map(str, (value or "" for value in POST.values()))]):
        book.active.append(line)
    book.create_sheet("June")
    book.save(tmp_path / "twotabs.xlsx")
    async with connected(sandbox, tmp_path, folder=tmp_path) as (client, _):
        plan = await call(client, CREATE_MANY, action="plan", file="twotabs.xlsx")
    assert plan["outcome"] == "planned"
    shown = plan["untrusted_data"]
    assert (shown["file"]["name"], shown["file"]["sheet"]) == ("twotabs.xlsx", "May")
    assert shown["file"]["other_sheets"] == ["June"]
    assert shown["warnings"] == []


async def test_files_are_read_from_the_folder_and_from_nowhere_else(sandbox: Sandbox, tmp_path: Path) -> None:
    folder, outside = tmp_path / "posts", tmp_path / "outside.jsonl"
    folder.mkdir()
    for path in (folder / "posts.jsonl", outside):
        path.write_text("\n".join(json.dumps(post) for post in posts(2)), encoding="utf-8")
    (folder / "link.jsonl").symlink_to(outside)
    async with connected(sandbox, tmp_path, folder=folder) as (client, _):
        plan = await call(client, CREATE_MANY, action="plan", file="posts.jsonl")
        assert plan["outcome"] == "planned"
        for name in ("../outside.jsonl", str(outside), "link.jsonl", "missing.jsonl", ".", "x" * 5000, "a\0b"):
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


async def test_a_journal_that_no_shell_has_expanded_is_refused_at_the_start(sandbox: Sandbox) -> None:
    with pytest.raises(ConfigurationError, match=r"~/state/writes\.mcp begins with ~.*--journal"):
        async with connected(sandbox, Path("~/state")):
            pass


async def test_a_run_waits_for_the_end_of_a_pause(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if a call could last no longer than a tenth of a second, and the API asked for a longer pause.
    monkeypatch.setattr("marketingblocks_async.mcp.serving.DEADLINE", 0.1)
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER, rate_limit=RateLimit(limit=100)) as (client, _):
        key = (await call(client, CREATE_MANY, action="plan", posts=posts(5)))["request_key"]
        sandbox.faults.add("too_many_requests:endpoint=create-post,times=1,retry_after=1")
        assert (await call(client, CREATE_MANY, action="run", request_key=key))["outcome"] == "done"
    assert len(sandbox.posts) == 5


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return posts whose times pass after the plan: two that are past by an hour, and one of the next year."""
    hour, year = (datetime.now(UTC) + timedelta(hours=hours) for hours in (-1, 24 * 365))
    plan = partial(create_journal, now=datetime.now(UTC) - timedelta(hours=2))
    monkeypatch.setattr(many_module, "create_journal", plan)
    times = [{"publish_mode": "scheduled", "schedule_time": f"{each:%Y-%m-%d %H:%M}", "time_zone": "UTC"}
             for each in (hour, hour, year)]  # fmt: skip
    return [post | time for post, time in zip(posts(3), times, strict=True)]


async def test_posts_whose_times_have_passed_since_the_plan_are_sent_if_the_person_was_told(
    sandbox: Sandbox, tmp_path: Path, late: list[dict[str, Any]]
) -> None:
    person = Person("accept")
    async with connected(sandbox, tmp_path, client={"elicitation_callback": person}) as (client, _):
        key = (await call(client, CREATE_MANY, action="plan", posts=late))["request_key"]
        told = await call(client, CREATE_MANY, action="run", request_key=key)
    assert "2 have times that have passed since the plan" in person.questions[0]
    assert told["outcome"] == "done"
    assert "2 rows have a schedule time that has passed" in str(told["untrusted_data"]["remarks"])
    assert len(sandbox.posts) == 3


async def test_posts_whose_times_have_passed_since_the_plan_need_a_person(
    sandbox: Sandbox, tmp_path: Path, late: list[dict[str, Any]]
) -> None:
    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, server):
        key = (await call(client, CREATE_MANY, action="plan", posts=late))["request_key"]
        told = await call(client, CREATE_MANY, action="run", request_key=key)
        (path,) = server.many.journals.glob("*.journal")
    assert told["outcome"] == "refused"
    assert "2 of these posts have schedule times that have passed" in told["what_to_do"]
    assert told["what_to_do"].endswith(f"marketingblocks bulk resume {shlex.quote(str(path))} --allow-past")
    assert not sandbox.posts


async def test_posts_whose_times_pass_after_the_question_are_not_sent(
    sandbox: Sandbox, tmp_path: Path, late: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_time(path: Path, *more: Any) -> Stored:
        return replace(look(path, *more), late=0)

    async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, _):
        key = (await call(client, CREATE_MANY, action="plan", posts=late))["request_key"]
        monkeypatch.setattr(many_module, "look", in_time)
        told = await call(client, CREATE_MANY, action="run", request_key=key)
    assert told["outcome"] == "not_sent"
    assert not sandbox.posts


async def test_consent_to_late_posts_is_none_for_those_whose_times_pass_later(
    sandbox: Sandbox, tmp_path: Path, late: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run_in_two_years(run: BulkRun) -> BulkResult:
        monkeypatch.setattr(runner_module, "datetime", Clock)
        return await begin(run)

    class Clock:
        @staticmethod
        def now(_zone: tzinfo) -> datetime:
            return datetime.now(UTC) + timedelta(days=2 * 365)

    begin = BulkRun.run
    person = Person("accept")
    async with connected(sandbox, tmp_path, client={"elicitation_callback": person}) as (client, _):
        key = (await call(client, CREATE_MANY, action="plan", posts=late))["request_key"]
        monkeypatch.setattr(BulkRun, "run", run_in_two_years)
        told = await call(client, CREATE_MANY, action="run", request_key=key)
        assert told["outcome"] == "not_sent"
        assert "numbers of posts changed" in told["what_to_do"]
    assert not sandbox.posts


async def test_rows_in_flight_are_those_of_the_moment_of_the_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.journal"
    await create_journal(posts(5), path)
    rows = JournalReader.rows

    def before(journal: JournalReader, *more: Any, **how: Any) -> Iterator[StoredRow]:
        return (replace(row, state=RowState.PENDING) for row in rows(journal, *more, **how))

    async with Journal(path) as journal:
        for number in (1, 2, 3):
            await journal.intend(number)
        # The rows are read, and then the run goes on.
        monkeypatch.setattr(JournalReader, "rows", before)
        counts = look(path).counts
    assert (counts.pending, counts.unknown) == (5, 0)


async def test_errors_name_options_that_a_person_has_and_what_the_agent_can_do(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "drafts.csv").write_text(
        "channel_type,channel_id,post_type,caption_text,media_urls,publish_mode,Status\nfacebook,1,post,a,,queued,draft\n"
    )
    (tmp_path / "posts.dat").write_text("")
    async with connected(sandbox, tmp_path, folder=tmp_path) as (client, _):
        plans = [
            await call(client, CREATE_MANY, action="plan", file="drafts.csv"),
            await call(client, CREATE_MANY, action="plan", file="posts.dat"),
            await call(client, CREATE_MANY, action="plan", posts=[POST | {"Status": "draft"}]),
        ]
    for plan in plans:
        assert plan["outcome"] == "refused"
        assert "marketingblocks bulk run" in plan["what_to_do"]
        assert "Leave out rows that are not ready" in plan["what_to_do"]
        said = str(plan["untrusted_data"])
        assert "--" in said
        assert not any(word in said for word in ("Recipe(", "columns=", "recipe=", "format="))
