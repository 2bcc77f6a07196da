"""A person is asked before something is published, where the client can ask; a setting decides where it cannot."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp_types import (
    METHOD_NOT_FOUND,
    REQUEST_TIMEOUT,
    ElicitRequestParams,
    ElicitResult,
    ErrorData,
    InputRequiredResult,
)

from marketingblocks_async.mcp import Confirm, open_server
from marketingblocks_async.mcp.server import LONGEST_QUESTION
from marketingblocks_async.mcp.tools import CREATE_MANY
from marketingblocks_async.sandbox import Sandbox
from tests.support.mcp import POST, Person, call, connected, settings_of

NOW = POST | {"publish_mode": "now"}
# The protocol of 2025 asks by a request of its own, that of 2026 by an answer and a second call.
MODES = ["legacy", "2026-07-28"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_person_who_agrees_is_asked_once_and_sees_what_is_published(tmp_path: Path, mode: str) -> None:
    person = Person("accept")
    options: dict[str, Any] = {"mode": mode, "elicitation_callback": person}
    async with Sandbox() as sandbox, connected(sandbox, tmp_path, client=options) as (client, _):
        for _ in range(2):
            assert (await call(client, "create_post", NOW))["outcome"] == "done"
        assert len(person.questions) == 1
        assert "facebook" in person.questions[0]
        assert "Hello" in person.questions[0]
        assert len(sandbox.posts) == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_without_agreement_nothing_is_sent(tmp_path: Path, mode: str, action: str) -> None:
    options: dict[str, Any] = {"mode": mode, "elicitation_callback": Person(action)}
    async with Sandbox() as sandbox, connected(sandbox, tmp_path, client=options) as (client, _):
        assert (await call(client, "create_post", NOW))["outcome"] == "refused"
        assert not sandbox.posts


@pytest.mark.parametrize("publish_mode", ["queued", "share_next"])
async def test_what_is_not_published_at_once_needs_no_question(tmp_path: Path, publish_mode: str) -> None:
    person = Person("decline")
    options: dict[str, Any] = {"elicitation_callback": person}
    async with Sandbox() as sandbox, connected(sandbox, tmp_path, client=options) as (client, _):
        assert (await call(client, "create_post", POST | {"publish_mode": publish_mode}))["outcome"] == "done"
        assert not person.questions


async def test_a_scheduled_post_whose_time_is_past_needs_consent(tmp_path: Path) -> None:
    person = Person("decline")
    options: dict[str, Any] = {"elicitation_callback": person}
    scheduled = POST | {"publish_mode": "scheduled", "schedule_time": "2099-01-08 14:30", "time_zone": "Africa/Lagos"}
    async with Sandbox() as sandbox, connected(sandbox, tmp_path, client=options) as (client, _):
        assert (await call(client, "create_post", scheduled))["outcome"] == "done"
        assert not person.questions
        past = scheduled | {"schedule_time": "2020-01-08 14:30"}
        assert (await call(client, "create_post", past))["outcome"] == "refused"
        assert len(sandbox.posts) == 1
    assert "2020-01-08 14:30 Africa/Lagos, is past" in person.questions[0]


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("2020-01-08 14:30", "schedule_time 2020-01-08 14:30 (Europe/Berlin) is past by "),
        ("2020-01-08T14:30:00+01:00", "schedule_time 2020-01-08 14:30 (Europe/Berlin) is past by "),
        ("2099-10-25T02:30", "schedule_time 2099-10-25 02:30 is there twice in Europe/Berlin, "),
        ("2099-10-25T02:30+01:00", None),
        ("2099-01-08 14:30", None),
    ],
)
@pytest.mark.filterwarnings("ignore::marketingblocks_async.PastTimeWarning")
@pytest.mark.filterwarnings("ignore::marketingblocks_async.AmbiguousTimeWarning")
async def test_the_result_says_what_a_program_is_warned_of(tmp_path: Path, when: str, words: str | None) -> None:
    post = POST | {"publish_mode": "scheduled", "schedule_time": when, "time_zone": "Europe/Berlin"}
    async with Sandbox() as sandbox, connected(sandbox, tmp_path) as (client, _):
        found = await call(client, "create_post", post)
        again = await call(client, "create_post", post)
        assert len(sandbox.posts) == 1
    assert found["outcome"] == again["outcome"] == "done"
    if words is None:
        assert "what_to_do" not in found
    else:
        assert f"Tell the person: {words}" in found["what_to_do"]
    # It may not have been past when it was sent.
    assert "Tell the person" not in again["what_to_do"]


async def test_the_question_shows_all_that_is_published(tmp_path: Path) -> None:
    person = Person("decline")
    options: dict[str, Any] = {"elicitation_callback": person}
    media = ["https://example.com/a.jpg", "https://example.com/b.jpg"]
    tweets = [{"message": "The first one", "media_urls": media[:1]}, {"message": "The second one"}]
    thread = NOW | {"channel_type": "twitter", "post_type": "thread", "twitter_threads": tweets, "media_urls": media}
    video = NOW | {"channel_type": "youtube", "post_extra": {"title": "Our film"}, "hash_tags": "spring"}
    long = NOW | {"caption_text": "x" * (LONGEST_QUESTION + 1234)}
    async with Sandbox() as sandbox, connected(sandbox, tmp_path, client=options) as (client, _):
        for post in (thread, video, long):
            await call(client, "create_post", post)
    shown = [set(question.split("\n\n")[1:]) for question in person.questions]
    assert shown[0] == {"Hello", "1/2: The first one", "2/2: The second one", "Media files: 3"}
    assert shown[1] == {"Title: Our film", "Hello", "Hash tags: spring"}
    assert person.questions[2].endswith("x\n… 1,234 more characters")


@pytest.mark.parametrize(
    ("hidden", "words"),
    [
        ("a\u202eb\u2066c", "direction marks: 2"),
        ("a\U000e0069\U000e0067b", "tag characters: 2"),
        ("a\u200bb\ufeffc\ue000", "format characters such as zero-width spaces: 2, private-use characters: 1"),
    ],
)
async def test_the_question_says_what_cannot_be_seen(tmp_path: Path, hidden: str, words: str) -> None:
    person = Person("decline")
    options: dict[str, Any] = {"elicitation_callback": person}
    in_a_tweet = {"post_type": "thread", "channel_type": "twitter", "twitter_threads": [{"message": hidden}]}
    beyond = {"caption_text": "x" * LONGEST_QUESTION + hidden}
    async with Sandbox() as sandbox, connected(sandbox, tmp_path, client=options) as (client, _):
        for change in ({"caption_text": hidden}, in_a_tweet, beyond, {"hash_tags": hidden}):
            await call(client, "create_post", NOW | change)
        await call(client, "create_post", NOW | {"caption_text": "one\r\ntwo \N{WOMAN}\u200d\N{PERSONAL COMPUTER}"})
    *told, harmless = person.questions
    assert len(told) == 4
    assert all(f"invisible characters, which are not shown here and are published with it ({words})" in q for q in told)
    assert "invisible" not in harmless


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x85"])
async def test_control_characters_are_refused_as_in_bulk_runs(tmp_path: Path, character: str) -> None:
    async with Sandbox() as sandbox, connected(sandbox, tmp_path) as (client, _):
        for change in ({"caption_text": f"a{character}"}, {"hash_tags": f"a{character}"}):
            found = await call(client, "create_post", POST | change)
            assert found["outcome"] == "refused"
            assert (
                f"control character <U+{ord(character):04X}>" in found["untrusted_data"]["problems"][next(iter(change))]
            )
        assert not sandbox.ledger.attempts("create-post")


@pytest.mark.parametrize(
    "answer",
    [
        ErrorData(code=METHOD_NOT_FOUND, message="Method not found"),
        ErrorData(code=REQUEST_TIMEOUT, message="Timed out"),
    ],
    ids=["unknown method", "timeout"],
)
async def test_a_client_that_does_not_ask_after_all_gets_a_result(tmp_path: Path, answer: ErrorData) -> None:
    async def fail(context: ClientRequestContext, params: ElicitRequestParams) -> ErrorData:
        del context, params
        return answer

    options: dict[str, Any] = {"mode": "legacy", "elicitation_callback": fail}
    async with Sandbox() as sandbox, connected(sandbox, tmp_path, client=options) as (client, _):
        found = await call(client, "create_post", NOW)
        assert found["outcome"] == "refused"
        assert "Nothing was sent" in found["what_to_do"]
        assert not sandbox.posts


@pytest.mark.parametrize("mode", MODES)
async def test_bulk_runs_ask_whatever_the_setting(tmp_path: Path, mode: str) -> None:
    person = Person("decline")
    options: dict[str, Any] = {"mode": mode, "elicitation_callback": person}
    async with (
        Sandbox() as sandbox,
        connected(sandbox, tmp_path, client=options, confirm=Confirm.NEVER) as (client, _),
    ):
        key = (await call(client, CREATE_MANY, action="plan", posts=[POST]))["request_key"]
        assert not person.questions
        assert (await call(client, CREATE_MANY, action="run", request_key=key))["outcome"] == "refused"
        assert "1 posts" in person.questions[0]
        assert not sandbox.posts


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("confirm", "single", "bulk"),
    [(Confirm.NEVER, "done", "done"), (Confirm.BULK, "done", "refused"), (Confirm.WRITES, "refused", "refused")],
)
async def test_where_the_client_cannot_ask_the_setting_decides(
    tmp_path: Path, mode: str, confirm: Confirm, single: str, bulk: str
) -> None:
    async with (
        Sandbox() as sandbox,
        connected(sandbox, tmp_path, client={"mode": mode}, confirm=confirm) as (client, _),
    ):
        of_one = await call(client, "create_post", NOW)
        assert of_one["outcome"] == single
        assert (await call(client, "create_post", POST))["outcome"] == "done"
        posts = [POST | {"caption_text": "Other"}]
        key = (await call(client, CREATE_MANY, action="plan", posts=posts))["request_key"]
        of_many = await call(client, CREATE_MANY, action="run", request_key=key)
        assert of_many["outcome"] == bulk
    # A setting that changes nothing is no advice.
    if single == "refused":
        assert of_one["what_to_do"].endswith("--confirm bulk or never.")
    if bulk == "refused":
        assert of_many["what_to_do"].endswith("--confirm never.")


async def test_an_agreement_counts_for_what_was_asked_and_for_nothing_else(tmp_path: Path) -> None:
    person = Person("accept")
    async with (
        Sandbox() as sandbox,
        open_server(sandbox.token, settings_of(sandbox, tmp_path)) as server,
        Client(server.mcp, mode="2026-07-28", elicitation_callback=person) as client,
    ):
        asked = await client.session.call_tool("create_post", NOW, allow_input_required=True)
        assert isinstance(asked, InputRequiredResult)
        agreed: dict[str, Any] = {"consent": {"action": "accept"}}
        for state in (asked.request_state, "", None):
            again = await client.session.call_tool(
                "create_post",
                NOW | {"caption_text": "Something else"},
                input_responses=agreed,
                request_state=state,
                allow_input_required=True,
            )
            assert isinstance(again, InputRequiredResult)
        assert not sandbox.posts


async def test_a_question_that_nobody_answers_holds_up_no_other_call(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def silent(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context, params
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with Sandbox() as sandbox, open_server(sandbox.token, settings_of(sandbox, tmp_path)) as server:
        async with Client(server.mcp, mode="legacy", elicitation_callback=silent) as gone:
            waiting = asyncio.create_task(call(gone, "create_post", NOW))
            await asyncio.wait_for(asked.wait(), 10)
            async with Client(server.mcp, mode="legacy", elicitation_callback=Person("accept")) as other:
                told = await asyncio.wait_for(call(other, "create_post", NOW), 10)
            waiting.cancel()
        assert told["outcome"] == "done"
        assert len(sandbox.posts) == 1
