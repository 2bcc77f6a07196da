"""A repeated call never acts twice, whatever became of the first."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import threading
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from marketingblocks_async import ConfigurationError, MarketingBlocks, NotSentError, RateLimit, clock
from marketingblocks_async.mcp import MarketingBlocksServer, open_server
from marketingblocks_async.mcp import journal as journal_module
from marketingblocks_async.mcp import writes as writes_module
from marketingblocks_async.mcp.journal import Order, StoredWrite, derived_key, hash_of
from marketingblocks_async.mcp.results import ToolResult
from marketingblocks_async.mcp.tools import CREATE_MANY
from marketingblocks_async.models import CreatedPost, CreatePost
from marketingblocks_async.sandbox import CreatePostShape, Fault, Sandbox, TokenSpec, Variants
from tests.support.mcp import POST, call, connected, settings_of
from tests.support.polling import until

WRITES: dict[str, dict[str, Any]] = {
    "create_post": POST,
    "create_post_generation": {"post_type": "text_only", "input": "flowers"},
    "connect_channel": {"user_id": "u-1"},
    "create_comment_automation": {"name": "prices", "channels": [1]},
    "update_comment_automation": {"comment_bot_id": 1, "name": "Prices"},
}


@pytest.fixture
async def sandbox() -> AsyncGenerator[Sandbox]:
    # With captions in its listings, so that posts can be recognised.
    async with Sandbox(variants=Variants(extra_fields=True), policy="none") as sandbox:
        yield sandbox


class Tools:
    """Calls tools of a server in this process, each call through a client of its own."""

    def __init__(self, server: MarketingBlocksServer) -> None:
        self._server = server

    async def __call__(self, tool: str, arguments: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        async with Client(self._server.mcp) as client:
            return await call(client, tool, arguments, **more)


@pytest.fixture
async def tools(sandbox: Sandbox, tmp_path: Path) -> AsyncGenerator[Tools]:
    async with open_server(sandbox.token, settings_of(sandbox, tmp_path)) as server:
        yield Tools(server)


def carried_out(sandbox: Sandbox, tool: str) -> int:
    return sandbox.ledger.carried_out_at(tool.replace("_", "-"))


@pytest.mark.parametrize("tool", WRITES)
async def test_the_same_content_acts_once_and_its_key_is_told(sandbox: Sandbox, tools: Tools, tool: str) -> None:
    await tools("create_comment_automation", WRITES["create_comment_automation"])
    first = await tools(tool, WRITES[tool])
    second = await tools(tool, WRITES[tool])
    assert first["outcome"] == second["outcome"] == "done"
    assert first["request_key"] == second["request_key"]
    assert second["repeated"]
    assert first.get("id") == second.get("id")
    assert first["untrusted_data"] == second["untrusted_data"]
    assert carried_out(sandbox, tool) == 1


async def test_white_space_at_the_ends_of_texts_makes_no_other_request(sandbox: Sandbox, tools: Tools) -> None:
    first = await tools("create_post", POST)
    second = await tools("create_post", {**POST, "caption_text": f"{POST['caption_text']} \n"})
    assert second["repeated"]
    assert first["id"] == second["id"]
    assert carried_out(sandbox, "create_post") == 1


@pytest.mark.parametrize("earlier_version", [False, True])
async def test_the_same_moment_in_another_zone_makes_no_other_post(
    sandbox: Sandbox, tools: Tools, monkeypatch: pytest.MonkeyPatch, *, earlier_version: bool
) -> None:
    timed = {**POST, "publish_mode": "scheduled"}
    with monkeypatch.context() as former:
        if earlier_version:
            former.setattr("marketingblocks_async.mcp.server.content_of", _whole)
        first = await tools("create_post", timed, schedule_time="2099-01-08 14:30", time_zone="Europe/Berlin")
    for moment, zone in (
        ("2099-01-08 14:30", "Europe/Berlin"),
        ("2099-01-08T14:30+01:00", None),
        ("2099-01-08 14:30", "Africa/Lagos"),
        ("2099-01-08 13:30", "UTC"),
        ("2099-01-08 13:30", "Etc/UTC"),
    ):
        again = await tools("create_post", timed, schedule_time=moment, time_zone=zone)
        assert (again.get("repeated"), again["request_key"]) == (True, first["request_key"]), (moment, zone)
    assert "repeated" not in await tools("create_post", timed, schedule_time="2099-01-08 14:30", time_zone="UTC")
    assert carried_out(sandbox, "create_post") == 2


@pytest.mark.parametrize("fault", [None, Fault("commit_then_drop", endpoint="create-post", times=1)])
@pytest.mark.parametrize("key", [None, "monday"])
async def test_what_an_earlier_version_sent_with_white_space_is_not_sent_again(
    sandbox: Sandbox, tools: Tools, monkeypatch: pytest.MonkeyPatch, key: str | None, fault: Fault | None
) -> None:
    padded = {**POST, "caption_text": f" {POST['caption_text']}\n"}
    more = {} if key is None else {"request_key": key}
    if fault is not None:
        sandbox.faults.add(fault)
    with monkeypatch.context() as former:
        former.setattr("marketingblocks_async.mcp.server.content_of", _whole)
        first = await tools("create_post", padded, **more)
    again = await tools("create_post", padded, **more)
    by_key = await tools("create_post", padded, request_key=first["request_key"])
    assert again["outcome"] == by_key["outcome"] == "done"
    assert again["repeated"]
    assert by_key["repeated"]
    assert again["request_key"] == by_key["request_key"] == first["request_key"]
    assert carried_out(sandbox, "create_post") == 1


async def test_what_an_earlier_version_did_not_send_is_sent_under_its_key(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    padded = {**POST, "caption_text": f"{POST['caption_text']} "}
    sandbox.faults.add("too_many_requests:endpoint=create-post,times=1,retry_after=90")
    with monkeypatch.context() as former:
        former.setattr("marketingblocks_async.mcp.serving.DEADLINE", 0.5)
        former.setattr("marketingblocks_async.mcp.server.content_of", _whole)
        async with connected(sandbox, tmp_path) as (client, _):
            first = await call(client, "create_post", padded)
    assert first["outcome"] == "not_sent"
    async with connected(sandbox, tmp_path) as (client, _):
        second = await call(client, "create_post", padded)
    assert second["outcome"] == "done"
    assert second["request_key"] == first["request_key"]
    assert carried_out(sandbox, "create_post") == 1


def _whole(request: str, **_: object) -> object:
    """Return the content of a request as the first versions compared it."""
    return json.loads(request)


async def test_a_key_of_its_own_publishes_the_same_content_again(sandbox: Sandbox, tools: Tools) -> None:
    for key in ("monday", "tuesday", "monday"):
        assert (await tools("create_post", POST, request_key=key))["request_key"] == key
    assert len(sandbox.posts) == 2


@pytest.mark.parametrize("tool", WRITES)
async def test_content_that_was_sent_with_a_key_is_not_sent_again_without_one(
    sandbox: Sandbox, tools: Tools, tool: str
) -> None:
    await tools("create_comment_automation", WRITES["create_comment_automation"], request_key="first")
    first = await tools(tool, WRITES[tool], request_key="first" if "create_comment" in tool else "monday")
    second = await tools(tool, WRITES[tool])
    assert second["repeated"]
    assert second["request_key"] == first["request_key"]
    assert second["untrusted_data"] == first["untrusted_data"]
    assert carried_out(sandbox, tool) == 1


async def test_content_of_unknown_outcome_is_not_sent_again_without_a_key(tmp_path: Path) -> None:
    async with Sandbox(faults=["commit_then_drop:endpoint=create-post,times=1"]) as sandbox:
        async with connected(sandbox, tmp_path) as (client, _):
            assert (await call(client, "create_post", POST, request_key="monday"))["outcome"] == "unknown"
            found = await call(client, "create_post", POST)
            assert (found["outcome"], found["request_key"]) == ("unknown", "monday")
        assert len(sandbox.posts) == 1


async def test_calls_with_and_without_a_key_at_once_send_once(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add("slow_answer:delay=0.2")
    async with connected(sandbox, tmp_path) as (one, server), connected(sandbox, tmp_path) as (two, _):
        keyed = asyncio.create_task(call(one, "create_post", POST, request_key="monday"))
        await until(lambda: any(job.sending for job in _jobs(server)))
        found = await asyncio.gather(*(call(client, "create_post", POST) for client in (one, two, one, two)))
        assert {each["id"] for each in found} == {(await keyed)["id"]}
        assert all(each["repeated"] for each in found)
    assert len(sandbox.posts) == 1


async def test_content_that_was_not_sent_with_a_key_is_sent_without_one(sandbox: Sandbox, tools: Tools) -> None:
    sandbox.faults.add("unauthorized:endpoint=create-post,times=1")
    assert (await tools("create_post", POST, request_key="monday"))["outcome"] == "refused"
    assert (await tools("create_post", POST))["outcome"] == "done"
    assert len(sandbox.posts) == 1


@pytest.mark.parametrize(
    "other", [{"caption_text": "Other"}, {"channel_id": 2}, {"publish_mode": "share_next"}, {"hash_tags": "a"}]
)
async def test_other_content_under_the_same_key_is_refused(
    sandbox: Sandbox, tools: Tools, other: dict[str, Any]
) -> None:
    await tools("create_post", POST, request_key="k")
    second = await tools("create_post", POST | other, request_key="k")
    assert second["outcome"] == "refused"
    assert "request_key" in second["what_to_do"]
    assert len(sandbox.posts) == 1


async def test_another_tool_under_the_same_key_is_refused(sandbox: Sandbox, tools: Tools) -> None:
    await tools("create_post", POST, request_key="k")
    assert (await tools("connect_channel", user_id="u", request_key="k"))["outcome"] == "refused"
    assert not carried_out(sandbox, "connect_channel")


@pytest.mark.parametrize("key", ["", " ", "x" * 201, "a\nb", 7, ["k"]])
async def test_what_cannot_be_a_key_is_refused(sandbox: Sandbox, tools: Tools, key: object) -> None:
    found = await tools("create_post", POST, request_key=key)
    assert found["outcome"] == "refused"
    assert found["what_to_do"].startswith(
        "request_key must be a printable text of 1 to 200 characters. Nothing was sent"
    )
    assert not sandbox.posts


@pytest.mark.parametrize(
    "empty", [{"hash_tags": ""}, {"hash_tags": " "}, {"twitter_threads": []}, {"time_zone": "Africa/Lagos"}]
)
async def test_an_empty_field_in_place_of_none_makes_no_other_post(
    sandbox: Sandbox, tools: Tools, empty: dict[str, Any]
) -> None:
    first = await tools("create_post", POST)
    second = await tools("create_post", POST | empty)
    assert second["repeated"]
    assert first["id"] == second["id"]
    assert len(sandbox.posts) == 1


@pytest.mark.parametrize("key", [None, "monday"])
async def test_what_an_earlier_version_sent_with_an_empty_field_is_not_sent_again(
    sandbox: Sandbox, tools: Tools, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    more = {"hash_tags": ""} if key is None else {"hash_tags": "", "request_key": key}
    with monkeypatch.context() as former:
        former.setattr("marketingblocks_async.mcp.server.content_of", _whole)
        first = await tools("create_post", POST, **more)
    again = await tools("create_post", POST, **more)
    assert again["repeated"]
    assert again["request_key"] == first["request_key"]
    assert len(sandbox.posts) == 1


async def test_a_thread_that_another_version_sent_is_not_sent_again_with_an_empty_list_of_media(
    sandbox: Sandbox, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = POST | {"channel_type": "twitter", "post_type": "thread"}
    plain = thread | {"twitter_threads": [{"message": "One"}]}
    empty = thread | {"twitter_threads": [{"message": "One", "media_urls": list[str]()}]}
    with monkeypatch.context() as former:
        former.setattr("marketingblocks_async.mcp.server.content_of", _whole)
        first = await tools("create_post", empty)
    told = [await tools("create_post", post) for post in (plain, empty)]
    assert [each["request_key"] for each in told] == [first["request_key"]] * 2
    assert len(sandbox.posts) == 1


async def test_an_update_that_may_empty_a_field_is_another_one(sandbox: Sandbox, tools: Tools) -> None:
    await tools("create_comment_automation", WRITES["create_comment_automation"])
    empty: list[dict[str, Any]] = [{}, {"keywords": []}]
    for change in empty:
        found = await tools("update_comment_automation", WRITES["update_comment_automation"], **change)
        assert "repeated" not in found
    assert carried_out(sandbox, "update_comment_automation") == 2


async def test_spaces_and_the_form_of_letters_make_no_other_key(sandbox: Sandbox, tools: Tools) -> None:
    keys = [
        "\N{LATIN SMALL LETTER E WITH ACUTE}te",
        " e\N{COMBINING ACUTE ACCENT}te",
        "e\N{COMBINING ACUTE ACCENT}te\n",
    ]
    told = [await tools("create_post", POST, request_key=key) for key in keys]
    assert [each["outcome"] for each in told] == ["done"] * 3
    assert {each["request_key"] for each in told} == {keys[0]}
    assert len(sandbox.posts) == 1


async def test_concurrent_calls_with_one_key_send_once(sandbox: Sandbox, tools: Tools) -> None:
    sandbox.faults.add("slow_answer:delay=0.2")
    found = await asyncio.gather(*(tools("create_post", POST) for _ in range(20)))
    assert {each["id"] for each in found} == {"1"}
    assert sum(not each.get("repeated", False) for each in found) == 1
    assert len(sandbox.posts) == 1


async def test_two_servers_on_one_journal_send_once(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add("slow_answer:delay=0.1")
    async with connected(sandbox, tmp_path) as (one, _), connected(sandbox, tmp_path) as (two, _):
        posts = [POST | {"caption_text": f"Post {number}"} for number in range(10)]
        calls = [call(client, "create_post", post) for post in posts for client in (one, two, two, one)]
        found = await asyncio.gather(*calls)
    assert {each["outcome"] for each in found} == {"done"}
    assert len(sandbox.posts) == len(posts)
    assert not sandbox.ledger.duplicates()


async def test_the_outcome_survives_the_server(sandbox: Sandbox, tmp_path: Path) -> None:
    for repeated in (False, True):
        async with connected(sandbox, tmp_path) as (client, _):
            assert (await call(client, "create_post", POST)).get("repeated", False) is repeated
    assert len(sandbox.posts) == 1


@pytest.mark.parametrize("fault", ["commit_then_drop", "commit_then_500", "truncated_json", "broken_json"])
async def test_a_lost_answer_is_found_at_the_api(sandbox: Sandbox, tools: Tools, fault: str) -> None:
    sandbox.faults.add(f"{fault}:endpoint=create-post,times=1")
    first = await tools("create_post", POST)
    assert first["outcome"] == "done"
    assert first["id"] == "1"
    assert (await tools("create_post", POST))["id"] == "1"
    assert len(sandbox.posts) == 1


@pytest.mark.parametrize("fault", ["drop_before", "commit_then_drop", "error_500"])
async def test_what_cannot_be_found_out_is_told_as_unknown_and_not_sent_again(tmp_path: Path, fault: str) -> None:
    # Its listings show no captions, so nothing can be recognised.
    async with Sandbox(faults=[f"{fault}:endpoint=create-post,times=1"]) as sandbox:
        async with connected(sandbox, tmp_path) as (client, _):
            for _ in range(3):
                found = await call(client, "create_post", POST)
                assert found["outcome"] == "unknown"
                assert "Look at" in found["what_to_do"]
                assert "after a minute or two" in found["what_to_do"]
                said = found["untrusted_data"]
                assert said["error"]
                assert "; look a" in said["looked_for"]
        assert sandbox.ledger.attempts("create-post") == 1


async def test_a_post_that_went_out_before_is_not_taken_for_a_lost_one(sandbox: Sandbox, tools: Tools) -> None:
    sandbox.faults.add("drop_before:endpoint=create-post,times=1,after=1")
    assert (await tools("create_post", POST, request_key="first"))["outcome"] == "done"
    assert (await tools("create_post", POST, request_key="second"))["outcome"] == "unknown"
    assert len(sandbox.posts) == 1


async def test_a_post_whose_id_the_api_did_not_tell_is_not_taken_for_a_lost_one(tmp_path: Path) -> None:
    fault = "drop_before:endpoint=create-post,times=1,after=1"
    async with (
        Sandbox(variants=Variants(extra_fields=True, create_post=CreatePostShape.MINIMAL), faults=[fault]) as sandbox,
        connected(sandbox, tmp_path) as (client, _),
    ):
        assert (await call(client, "create_post", POST, request_key="first"))["outcome"] == "done"
        assert (await call(client, "create_post", POST, request_key="second"))["outcome"] == "unknown"
        assert len(sandbox.posts) == 1


async def test_a_post_that_certainly_does_not_exist_is_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    async with connected(sandbox, tmp_path) as (client, server):
        server.writes.settle_after = 0.0
        sandbox.faults.add("drop_before:endpoint=create-post,times=1,after=1")
        for number in range(3):
            await call(client, "create_post", POST | {"caption_text": f"Post {number}"})
        # The first and the last are listed, and this one between them is not.
        found = await call(client, "create_post", POST | {"caption_text": "Post 1"})
        assert found["outcome"] == "done"
    assert len(sandbox.posts) == 3
    assert not sandbox.ledger.duplicates()


@pytest.mark.parametrize("tool", [tool for tool in WRITES if tool not in ("create_post", "update_comment_automation")])
async def test_writes_that_no_listing_shows_stay_unknown(sandbox: Sandbox, tools: Tools, tool: str) -> None:
    sandbox.faults.add("commit_then_drop:times=1")
    for _ in range(2):
        assert (await tools(tool, WRITES[tool]))["outcome"] == "unknown"
    assert carried_out(sandbox, tool) == 1


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("unauthorized", "refused"),
        ("forbidden", "refused"),
        ("not_found", "refused"),
        ("error_500", "unknown"),
    ],
)
async def test_failures_say_what_the_person_has_to_do(sandbox: Sandbox, tools: Tools, fault: str, outcome: str) -> None:
    sandbox.faults.add(f"{fault}:endpoint=create-post")
    found = await tools("create_post", POST)
    assert found["outcome"] == outcome
    assert found["what_to_do"]


async def test_a_call_that_did_not_begin_can_be_made_again(sandbox: Sandbox, tools: Tools) -> None:
    sandbox.faults.add("unauthorized:endpoint=create-post,times=1")
    assert (await tools("create_post", POST))["outcome"] == "refused"
    assert (await tools("create_post", POST))["outcome"] == "done"
    assert len(sandbox.posts) == 1


@pytest.mark.parametrize("tool", ["create_post", "get_posts"])
async def test_a_call_in_a_pause_says_when_to_repeat_it(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    monkeypatch.setattr("marketingblocks_async.mcp.serving.DEADLINE", 0.5)
    monkeypatch.setattr(writes_module, "LISTED_FOR", 1e9)
    async with connected(sandbox, tmp_path, rate_limit=RateLimit(limit=100)) as (client, _):
        sandbox.faults.add("too_many_requests:times=1,retry_after=90")
        for _ in range(2):
            found = await call(client, tool, POST if tool == "create_post" else {"channels": ["facebook"]})
            assert found["outcome"] == "not_sent"
            (seconds,) = re.findall(r"Repeat the same call in (\d+) seconds", found["what_to_do"])
            assert 80 < int(seconds) < 100


async def test_an_update_to_former_values_is_carried_out_after_another_one(sandbox: Sandbox, tools: Tools) -> None:
    await tools("create_comment_automation", WRITES["create_comment_automation"])
    one, other = ({"comment_bot_id": 1, "name": name} for name in ("one", "other"))
    for update, repeated in ((one, False), (one, True), (other, False), (one, False), (one, True), (other, False)):
        found = await tools("update_comment_automation", update)
        assert (found["outcome"], found.get("repeated", False)) == ("done", repeated)
    assert carried_out(sandbox, "update_comment_automation") == 4
    # With a key of its own it is the same update.
    for repeated in (False, True):
        assert (await tools("update_comment_automation", one, request_key="k")).get("repeated", False) is repeated
    assert (await tools("update_comment_automation", other))["request_key"] != found["request_key"]


async def test_refused_content_stays_refused_under_its_key(sandbox: Sandbox, tools: Tools) -> None:
    sandbox.faults.add("unprocessable:endpoint=create-post,times=1")
    first = await tools("create_post", POST)
    second = await tools("create_post", POST)
    assert first["outcome"] == second["outcome"] == "refused"
    assert second["repeated"]
    assert (await tools("create_post", POST, request_key="again"))["outcome"] == "done"


async def test_a_missing_permission_is_named(tmp_path: Path) -> None:
    async with (
        Sandbox(tokens=[TokenSpec("reader", ("social-read-posts",))]) as sandbox,
        connected(sandbox, tmp_path, token=sandbox.tokens["reader"]) as (client, _),
    ):
        found = await call(client, "create_post", POST)
        assert found["outcome"] == "refused"
        assert "social-create-post" in found["what_to_do"]


async def test_an_unreachable_api_is_not_sent(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        settings = settings_of(sandbox, tmp_path)
    async with open_server("token", settings) as server:
        server.client = server.client.with_options(deadline=0.5)
        assert (await Tools(server)("create_post", POST))["outcome"] == "not_sent"


async def test_invalid_arguments_bind_no_key(sandbox: Sandbox, tools: Tools) -> None:
    bad = await tools("create_post", POST | {"publish_mode": "scheduled"}, request_key="k")
    assert bad["outcome"] == "refused"
    assert "schedule_time" in str(bad["untrusted_data"])
    assert (await tools("create_post", POST, request_key="k"))["outcome"] == "done"
    assert len(sandbox.posts) == 1


async def test_the_access_token_is_in_no_result_and_not_on_the_disk(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add("echo_authorization:times=3")
    async with connected(sandbox, tmp_path) as (client, _):
        told = [await call(client, tool, arguments) for tool, arguments in WRITES.items()]
        told.append(await call(client, "get_posts", channels=["facebook"]))
    assert sandbox.token not in str(told)
    check_files(tmp_path, sandbox.token)


def check_files(folder: Path, token: str) -> None:
    files = [path for path in folder.iterdir() if path.is_file()]
    assert files
    for path in files:
        assert token.encode() not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


# A journal that cannot be written


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "BUSY_FOR", 0.2)


@contextmanager
def locked(journal: Path) -> Generator[None]:
    """Lock a journal as another program would, a backup for example."""
    with closing(sqlite3.connect(journal, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@pytest.mark.usefixtures("impatient")
async def test_calls_on_a_locked_journal_are_not_sent_and_do_not_wait_for_each_other(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with connected(sandbox, tmp_path) as (client, _):
        posts = [POST | {"caption_text": f"Post {number}"} for number in range(8)]
        with locked(tmp_path / "writes.mcp"):
            began = time.monotonic()
            told = await asyncio.gather(*(call(client, "create_post", post) for post in posts))
            # One after another they would wait eight times as long.
            assert time.monotonic() - began < 8 * 0.2
            assert {each["outcome"] for each in told} == {"not_sent"}
            assert "locked" in str(told)
            assert (await call(client, "get_posts", channels=["facebook"]))["outcome"] == "done"
        assert not sandbox.posts
        assert {(await call(client, "create_post", post))["outcome"] for post in posts} == {"done"}
        assert len(sandbox.posts) == len(posts)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("fault", "outcome"), [(None, "done"), ("commit_then_500:times=1", "unknown")])
async def test_an_outcome_that_cannot_be_written_is_told_and_written_later(
    sandbox: Sandbox, tmp_path: Path, fault: str | None, outcome: str
) -> None:
    sandbox.faults.add("slow:times=1,delay=0.3")
    if fault is not None:
        sandbox.faults.add(fault)
    async with connected(sandbox, tmp_path) as (client, server):
        task = asyncio.create_task(call(client, "connect_channel", user_id="u"))
        await until(lambda: any(job.sending and job.sending.may_have_left for job in _jobs(server)))
        with locked(tmp_path / "writes.mcp"):
            assert (await task)["outcome"] == outcome
            assert (await call(client, "connect_channel", user_id="u"))["outcome"] == outcome
            assert (await call(client, "connect_channel", user_id="other"))["outcome"] == "not_sent"
        assert (await call(client, "connect_channel", user_id="u"))["outcome"] == outcome
    async with connected(sandbox, tmp_path) as (client, _):
        assert (await call(client, "connect_channel", user_id="u"))["outcome"] == outcome
    assert sandbox.ledger.attempts("connect-channel") == 1


@pytest.mark.usefixtures("impatient")
async def test_a_post_of_unknown_outcome_stays_unknown_while_the_journal_is_locked(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with connected(sandbox, tmp_path) as (client, server):
        sandbox.faults.add("slow:times=1,delay=0.3,endpoint=create-post")
        sandbox.faults.add("commit_then_500:times=1,endpoint=create-post")
        task = asyncio.create_task(call(client, "create_post", POST))
        await until(lambda: any(job.sending and job.sending.may_have_left for job in _jobs(server)))
        with locked(tmp_path / "writes.mcp"):
            assert (await task)["outcome"] == "unknown"
            assert (await call(client, "create_post", POST))["outcome"] == "unknown"
        # Now it can be looked for.
        assert (await call(client, "create_post", POST))["outcome"] == "done"
    assert len(sandbox.posts) == 1


@pytest.mark.parametrize(
    "body",
    ['{"status": true, "post_id": "\\ud83d"}', '{"post_id": 7, "\\ud83d": {"\\udc00x": [1]}}'],
    ids=["id", "name"],
)
async def test_half_a_surrogate_pair_does_not_hide_that_the_post_was_created(
    sandbox: Sandbox, tmp_path: Path, body: str
) -> None:
    sandbox.faults.add(Fault("wrong_shape", "create-post", params={"body": body}))
    async with connected(sandbox, tmp_path) as (client, _):
        assert (await call(client, "create_post", POST))["outcome"] == "done"
        assert (await call(client, "create_post", POST))["repeated"]
    assert len(sandbox.posts) == 1


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, ConfigurationError])
@pytest.mark.parametrize("place", ["answer_data", "_told"])
async def test_an_error_after_the_request_has_left_is_told_as_unknown(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception], place: str
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        msg = "a fault of the server"
        raise kind(msg)

    async with connected(sandbox, tmp_path) as (client, _):
        with monkeypatch.context() as broken:
            broken.setattr(writes_module, place, fail)
            # What is kept of it is beside the question here: the look for the post would find it.
            broken.setattr(writes_module, "reconcile", fail)
            found = await call(client, "create_post", POST)
        assert found["outcome"] == "unknown"
        assert "Nothing was sent" not in found["what_to_do"]
        assert (await call(client, "create_post", POST))["outcome"] == "done"
    assert len(sandbox.posts) == 1


async def test_a_post_of_unknown_outcome_stays_unknown_if_the_look_for_it_fails(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_args: object, **_options: object) -> None:
        msg = "the listings are not what they were"
        raise ValueError(msg)

    monkeypatch.setattr(writes_module, "reconcile", fail)
    sandbox.faults.add("commit_then_500:times=1,endpoint=create-post")
    async with connected(sandbox, tmp_path) as (client, _):
        for _ in range(2):
            assert (await call(client, "create_post", POST))["outcome"] == "unknown"
    assert len(sandbox.posts) == 1


async def test_a_folder_that_cannot_be_made_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "writes.mcp.bulk").write_text("a file in its place")
    async with connected(sandbox, tmp_path) as (client, _):
        plan = await call(client, CREATE_MANY, action="plan", posts=[POST])
        assert plan["outcome"] == "not_sent"
        assert "writes.mcp.bulk" in str(plan["untrusted_data"])


async def test_what_was_listed_before_the_machine_slept_is_listed_again(
    sandbox: Sandbox, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def attempts_of_a_post() -> int:
        before = sandbox.ledger.attempts()
        assert (await tools("create_post", POST | {"caption_text": f"after {before}"}))["outcome"] == "done"
        return sandbox.ledger.attempts() - before

    first = await attempts_of_a_post()
    assert await attempts_of_a_post() == 1
    # ``time.monotonic()`` stands still meanwhile.
    since_boot = clock.now
    monkeypatch.setattr(clock, "now", lambda: since_boot() + writes_module.LISTED_FOR)
    assert await attempts_of_a_post() == first > 1


# Cancellation


async def test_cancelled_while_it_waits_it_is_not_sent(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writes_module, "LISTED_FOR", 1e9)
    async with connected(sandbox, tmp_path) as (client, server):
        sandbox.faults.add("too_many_requests:endpoint=create-post,times=1,retry_after=30")
        task = asyncio.create_task(call(client, "create_post", POST))
        await until(lambda: sandbox.ledger.attempts("create-post") == 1)
        await until(lambda: not any(job.sending and job.sending.may_have_left for job in _jobs(server)))
        await _cancel(task)
        await until(lambda: not _jobs(server))
        assert (await call(client, "create_post", POST))["outcome"] == "done"
    assert len(sandbox.posts) == 1


async def test_cancelled_while_its_key_is_bound_it_is_in_no_hand(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = threading.Event(), threading.Event()
    async with connected(sandbox, tmp_path) as (client, server):
        journal = server.writes.journal
        bind = journal.bind

        def bind_slowly(order: Order) -> StoredWrite | None:
            begun.set()
            row = bind(order)
            assert may_end.wait(10)
            return row

        monkeypatch.setattr(journal, "bind", bind_slowly)
        task = asyncio.create_task(call(client, "create_post", POST))
        await until(begun.is_set)
        await _cancel(task)
        (job,) = _jobs(server)
        await until(lambda: job.task.cancelling() > 0)
        may_end.set()
        await until(lambda: not _jobs(server))
        assert not journal.sent_posts()
    assert not sandbox.posts


@pytest.mark.parametrize("step", ["intend", "end"])
async def test_cancelled_while_the_journal_is_written_the_next_call_waits_for_that(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Written later, it would be taken for what became of the next request."""
    begun, may_end = threading.Event(), threading.Event()
    async with open_server(sandbox.token, settings_of(sandbox, tmp_path)) as server:
        write = getattr(server.writes.journal, step)

        def write_slowly(*values: Any, **more: Any) -> None:
            begun.set()
            assert may_end.wait(10)
            write(*values, **more)

        monkeypatch.setattr(server.writes.journal, step, write_slowly)
        task = asyncio.create_task(_send(server, "monday", _publish if step == "intend" else _leave))
        await until(begun.is_set)
        await _cancel(task)
        (job,) = _jobs(server)
        again = asyncio.create_task(_send(server, "monday", _publish))
        # Nothing tells that it does not end meanwhile.
        await asyncio.wait([job.task], timeout=0.2)
        assert _jobs(server) == [job]
        may_end.set()
        assert (await again)["outcome"] == "done"
        assert (await _send(server, "monday", _publish)).get("repeated")
    assert len(sandbox.posts) == 1


@pytest.mark.usefixtures("impatient")
async def test_cancelled_while_the_journal_is_locked_it_is_written_later(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_server(sandbox.token, settings_of(sandbox, tmp_path)) as server:
        is_locked, begun, ended = asyncio.Event(), threading.Event(), threading.Event()
        end = server.writes.journal.end

        def end_and_tell(*values: Any, **more: Any) -> None:
            begun.set()
            try:
                end(*values, **more)
            finally:
                ended.set()

        monkeypatch.setattr(server.writes.journal, "end", end_and_tell)

        async def leave(client: MarketingBlocks) -> CreatedPost:
            await is_locked.wait()
            return await _leave(client)

        task = asyncio.create_task(_send(server, "monday", leave))
        await until(lambda: any(job.sending for job in _jobs(server)))
        with locked(tmp_path / "writes.mcp"):
            is_locked.set()
            await until(begun.is_set)
            await _cancel(task)
            await until(lambda: ended.is_set() and not _jobs(server))
        async with asyncio.timeout(20):
            assert (await _send(server, None, _publish))["outcome"] == "done"
    assert len(sandbox.posts) == 1


async def test_a_row_that_no_call_has_in_hand_stops_no_other(sandbox: Sandbox, tmp_path: Path) -> None:
    async with open_server(sandbox.token, settings_of(sandbox, tmp_path)) as server:
        # As after an error of the disk behind which the row was bound all the same.
        assert server.writes.journal.bind(_order_of("monday")) is not None
        async with asyncio.timeout(20):
            assert (await _send(server, None, _publish))["outcome"] == "done"
    assert len(sandbox.posts) == 1


async def test_cancelled_while_it_is_on_the_way_its_outcome_is_kept(sandbox: Sandbox, tmp_path: Path) -> None:
    async with connected(sandbox, tmp_path) as (client, server):
        sandbox.faults.add("slow_answer:endpoint=create-post,delay=0.3")
        task = asyncio.create_task(call(client, "create_post", POST))
        await until(lambda: len(sandbox.posts) == 1)
        await _cancel(task)
        assert _jobs(server)
        found = await call(client, "create_post", POST)
        assert found["outcome"] == "done"
        assert found["repeated"]
    assert len(sandbox.posts) == 1


@pytest.mark.parametrize("delay", [0.2, 30.0])
async def test_a_server_that_ends_records_what_is_on_the_way(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delay: float
) -> None:
    monkeypatch.setattr("marketingblocks_async.mcp.serving.PATIENCE", 1.0)
    async with connected(sandbox, tmp_path) as (client, _):
        sandbox.faults.add(f"slow_answer:endpoint=create-post,times=1,delay={delay}")
        task = asyncio.create_task(call(client, "create_post", POST))
        await until(lambda: len(sandbox.posts) == 1)
        await _cancel(task)
    async with connected(sandbox, tmp_path) as (client, _):
        found = await call(client, "create_post", POST)
        # Found at the API, if its answer never came.
        assert found["outcome"] == "done"
        assert found["id"] == "1"
    assert len(sandbox.posts) == 1


def _jobs(server: MarketingBlocksServer) -> list[Any]:
    return list(server.writes.jobs.values())


def _order_of(request_key: str | None) -> Order:
    content_hash = hash_of("create_post", POST)
    return Order(request_key or derived_key(content_hash), "create_post", content_hash, json.dumps(POST), "facebook:1")


async def _send(server: MarketingBlocksServer, request_key: str | None, call: writes_module.Call) -> ToolResult:
    """Send a post as a tool call does."""

    async def agree() -> None:
        pass

    return await server.writes.once(server.client, _order_of(request_key), call, agree)


async def _publish(client: MarketingBlocks) -> CreatedPost:
    return await client.posts.create(CreatePost.checked(POST))


async def _leave(_: MarketingBlocks) -> CreatedPost:
    msg = "the queue is longer than the deadline"
    raise NotSentError(msg, endpoint="create-post")


async def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
