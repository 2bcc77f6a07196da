"""The documented calls over a real socket, and what the docs do not show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from marketingblocks_async import (
    ConfigurationError,
    CreateGeneration,
    CreatePost,
    InvalidArgumentError,
    InvalidResponseError,
    MarketingBlocks,
    NotFoundError,
    NotSentError,
    PostStatus,
)
from marketingblocks_async.sandbox import Sandbox, Variants
from tests.support.clients import client_of, post


async def test_a_scheduled_post_can_be_found_and_is_upcoming() -> None:
    lagos = ZoneInfo("Africa/Lagos")
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        created = await client.posts.create(
            channel_type="facebook",
            channel_id=123,
            post_type="post",
            caption_text="Hello",
            media_urls=["https://example.com/a.jpg"],
            publish_mode="scheduled",
            schedule_time=datetime.now(lagos) + timedelta(days=1),
            hash_tags=["#one", "#two"],
        )
        assert created.post_id is not None
        found = await client.posts.get(created.post_id)
        assert found.post_id == created.post_id
        assert found.post.status is PostStatus.SCHEDULED
        assert found.STATUS is PostStatus.SCHEDULED
        assert found.status is True
        upcoming = await client.posts.upcoming(limit=5)
        assert [each.post_id for each in upcoming] == [created.post_id]


@pytest.mark.parametrize("shape", ["flat", "nested", "data", "minimal"])
async def test_the_id_of_a_new_post_is_found_in_whatever_shape_the_answer_has(shape: Any) -> None:
    async with Sandbox(variants=Variants(create_post=shape)) as sandbox, client_of(sandbox) as client:
        created = await client.posts.create(post())
        assert (created.post_id is None) is (shape == "minimal")
        assert created.raw


@pytest.mark.parametrize("shape", ["posts", "list", "data", "grouped"])
async def test_listed_posts_are_found_in_whatever_shape_the_answer_has(shape: Any) -> None:
    async with Sandbox(variants=Variants(get_posts=shape)) as sandbox, client_of(sandbox) as client:
        created = [(await client.posts.create(post(f"number {number}"))).post_id for number in range(3)]
        listed = await client.posts.list(channels=["facebook", "twitter"], limit=5)
        assert sorted(str(each.post_id) for each in listed) == sorted(map(str, created))
        assert len(listed) == 3


async def test_a_ready_made_request_and_keywords_are_the_same_call() -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        by_keywords = await client.generations.create(post_type="breel", input="flower sales")
        by_object = await client.generations.create(CreateGeneration.model_validate(by_keywords.request_body))
        assert by_keywords.status == by_object.status == "queued"
        assert by_keywords.id != by_object.id


async def test_a_ready_made_request_and_keywords_together_are_refused() -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        create: Any = client.posts.create
        with pytest.raises(TypeError, match="not both"):
            await create(post(), caption_text="another")
        with pytest.raises(TypeError, match="CreatePost"):
            await create({"caption_text": "a dictionary"})
        assert not sandbox.ledger.endpoints


async def test_what_makes_no_valid_request_is_not_sent() -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        with pytest.raises(ValidationError):
            await client.posts.list(channels=[])
        with pytest.raises(ValidationError):
            await client.posts.upcoming(limit=0)
        with pytest.raises(ValidationError, match="schedule_time"):
            await client.posts.create(
                channel_type="facebook",
                channel_id=1,
                post_type="post",
                caption_text="x",
                media_urls=[],
                publish_mode="scheduled",
                schedule_time=datetime(2027, 1, 1),  # noqa: DTZ001 - naive on purpose
            )
        create: Any = client.posts.create
        with pytest.raises(TypeError):
            await create(captoin_text="misspelt")
        assert not sandbox.ledger.endpoints


async def test_channels_generations_and_automations() -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        connection = await client.channels.connect(user_id="u-1", redirect_url="https://example.com/back")
        assert connection.connect_url
        assert connection.connect_token
        automation = await client.comment_automations.create(
            name="bot", channels=[1, 2], trigger_type="keywords", keywords=["price"], extra_body={"reply_delay": 30}
        )
        assert isinstance(automation.comment_bot_id, int)
        updated = await client.comment_automations.update(comment_bot_id=automation.comment_bot_id, name="robot")
        assert updated.raw
        assert (await client.comment_automations.update(comment_bot_id=1, extra_body={"reply_delay": 5})).raw
        with pytest.raises(NotFoundError):
            await client.comment_automations.update(comment_bot_id=999, name="nobody")


async def test_request_reaches_what_the_documentation_does_not_show() -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        await client.posts.create(post())
        answer = await client.request("get", "/social-sparks/get-posts", params={"channels": ["facebook"], "limit": 5})
        assert answer
        body = post("by hand").wire()
        assert (await client.request("POST", "social-sparks/create-post", json=body))["status"] is True
        with pytest.raises(NotFoundError):
            await client.request("GET", "social-sparks/no-such-thing")
        assert sandbox.ledger.endpoints["create-post"].commits == 2


@pytest.mark.parametrize(
    "path",
    ["https://evil.example/x", "//evil.example/x", "../../x", "social-sparks/../../../x", "%2e%2e/%2e%2e/x", ""],
)
async def test_request_goes_nowhere_but_below_the_api_root(path: str) -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        with pytest.raises((InvalidArgumentError, NotFoundError)):
            await client.request("GET", path)
        assert all(token != "(no token)" for token in sandbox.ledger.tokens)


async def test_request_refuses_an_unknown_method_and_what_is_no_json() -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        with pytest.raises(InvalidArgumentError, match="GET"):
            await client.request("FETCH", "social-sparks/x")
        with pytest.raises(TypeError):
            await client.request("POST", "social-sparks/x", json={"when": datetime.now(UTC)})
        with pytest.raises(ValueError, match="Out of range float"):
            await client.request("POST", "social-sparks/x", json=float("nan"))
        assert not sandbox.ledger.endpoints


async def test_documentation_questions_carry_no_token() -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        answer = await client.docs.ask("How many requests per second?", page="api-reference/authentication")
        assert "100" in answer
        assert sandbox.ledger.docs_requests == 1
        assert sandbox.ledger.docs_requests_with_authorization == 0


async def test_documentation_questions_have_the_options_of_a_copy() -> None:
    async with Sandbox() as sandbox, client_of(sandbox, docs_url="http://127.0.0.1:1", max_retries=3) as client:
        with pytest.raises(NotSentError, match=r"\(after 2 attempts\)"):
            await client.with_options(max_retries=1).docs.ask("why?")


async def test_documentation_questions_are_checked() -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        with pytest.raises(ValueError, match="blank"):
            await client.docs.ask("  ")
        for page in ("", "../secrets", "a//b"):
            with pytest.raises(ValueError, match="page"):
                await client.docs.ask("why?", page=page)


async def test_an_answer_in_another_encoding_is_an_error_of_ours() -> None:
    async with Sandbox(faults=["wrong_shape:body=\xff"]) as sandbox, client_of(sandbox) as client:
        with pytest.raises(InvalidResponseError):
            await client.posts.create(post())


def test_the_environment_gives_token_and_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETINGBLOCKS_API_TOKEN", "from-the-environment")
    monkeypatch.setenv("MARKETINGBLOCKS_BASE_URL", "http://localhost:1/api")
    client = MarketingBlocks()
    assert "http://localhost:1/api" in repr(client)
    assert "from-the-environment" not in repr(client)
    monkeypatch.delenv("MARKETINGBLOCKS_API_TOKEN")
    with pytest.raises(ConfigurationError, match="MARKETINGBLOCKS_API_TOKEN"):
        MarketingBlocks()


def test_a_post_is_the_same_object_for_plan_journal_and_call() -> None:
    assert CreatePost.model_validate_json(post().wire_json()) == post()
