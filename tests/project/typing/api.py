"""Never run, only type-checked: how callers may write their calls, and what they get."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, assert_type
from zoneinfo import ZoneInfo

from marketingblocks_async import (
    AttemptEvent,
    CallOverrides,
    ChannelConnection,
    ChannelType,
    CommentAutomation,
    ConnectChannel,
    CreateCommentAutomation,
    CreatedPost,
    CreateGeneration,
    CreatePost,
    FoundPost,
    Generation,
    HttpAnswer,
    HttpRequest,
    Lane,
    MarketingBlocks,
    MarketingBlocksError,
    OutcomeUnknownError,
    Post,
    PostList,
    PostOutcome,
    PostStatus,
    RateLimit,
    RateLimiterSnapshot,
    RawResponse,
    RetryPolicy,
    Send,
    TwitterThreadItem,
    UpcomingPosts,
    UpdateCommentAutomation,
    YouTubeCategory,
    YouTubeExtra,
)

POST = CreatePost(
    channel_type="youtube",
    channel_id=1,
    post_type="post",
    caption_text="text",
    media_urls=("https://example.com/a.mp4",),
    publish_mode="scheduled",
    schedule_time=datetime(2027, 1, 1, tzinfo=ZoneInfo("Europe/London")),
    hash_tags=["#a"],
    twitter_threads=[TwitterThreadItem(message="one"), {"message": "two"}],
    post_extra=YouTubeExtra(title="t", category=YouTubeCategory.MUSIC, privacy_status="unlisted"),
)


def observe(event: AttemptEvent) -> None:
    assert_type(event.status_code, int | None)


async def add_header(request: HttpRequest, send: Send) -> HttpAnswer:
    return await send(request)


async def stream() -> AsyncIterator[CreatePost]:
    yield POST


async def calls(client: MarketingBlocks) -> None:
    assert_type(await client.posts.create(POST), CreatedPost)
    assert_type(
        await client.posts.create(
            channel_type=ChannelType.FACEBOOK,
            channel_id=1,
            post_type="post",
            caption_text="text",
            media_urls=[],
            publish_mode="now",
        ),
        CreatedPost,
    )
    found = await client.posts.get(1246)
    assert_type(found, FoundPost)
    assert_type(found.post, Post)
    assert_type(found.post.status, PostStatus | str | None)
    listed = await client.posts.list(channels="facebook", status=["scheduled"])
    assert_type(listed, PostList)
    assert_type(next(iter(listed)), Post)
    upcoming = await client.posts.upcoming()
    assert_type(upcoming, UpcomingPosts)
    assert_type(next(iter(upcoming)), Post)
    async for outcome in client.posts.create_many([POST, {"channel_type": "facebook"}], concurrency=5):
        assert_type(outcome, PostOutcome)
        assert_type(outcome.result, CreatedPost | None)
    async with client.posts.create_many(stream()) as outcomes:
        async for outcome in outcomes:
            assert_type(outcome.error, Exception | None)
    assert_type(await client.generations.create(post_type="breel", input="x", web_hook=None, brand_id=3), Generation)
    assert_type(await client.generations.create(CreateGeneration(post_type="breel", input="x")), Generation)
    assert_type(await client.channels.connect(user_id="u", redirect_url=None), ChannelConnection)
    assert_type(await client.channels.connect(ConnectChannel(user_id="u")), ChannelConnection)
    automation = CreateCommentAutomation(name="n", channels=[1], reply_delay=3)
    assert_type(await client.comment_automations.create(automation), CommentAutomation)
    change = UpdateCommentAutomation(comment_bot_id=7, name="n")
    assert_type(await client.comment_automations.update(change), CommentAutomation)
    assert_type(await client.request("GET", "social-sparks/x", params={"a": 1}, json={"b": 2}), Any)
    assert_type(await client.docs.ask("why?"), str)
    assert_type(client.rate_limiter.snapshot(), RateLimiterSnapshot)


async def overrides(client: MarketingBlocks) -> None:
    options = CallOverrides(timeout=5.0, deadline=None, retry=RetryPolicy(), extra_fields={"page": 2})
    assert_type(await client.posts.create(POST, **options), CreatedPost)
    assert_type(await client.posts.upcoming(timeout=5.0), UpcomingPosts)
    assert_type(await client.request("GET", "any", deadline=5.0), Any)
    response = await client.raw(lambda client: client.posts.get(1))
    assert_type(response, RawResponse[FoundPost])
    assert_type(response.result, FoundPost)
    assert_type(response.body, bytes)
    assert_type(await client.raw(lambda client: client.request("GET", "any")), RawResponse[Any])
    await client.posts.create(POST, timeuot=5.0)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


async def clients() -> None:
    async with MarketingBlocks(
        "token",
        base_url="http://localhost:1",
        rate_limit=RateLimit(limit=None, guard=math.inf),
        retry=RetryPolicy(max_attempts=2),
        timeout=5,
        deadline=10,
        middlewares=[add_header],
        on_attempt=observe,
    ) as client:
        assert_type(client, MarketingBlocks)
        await calls(client.with_options(timeout=1, deadline=None, lane=Lane.BULK))
        await calls(client.with_token("other"))
    try:
        await calls(client)
    except OutcomeUnknownError as error:
        assert_type(error.attempts, int)
    except MarketingBlocksError:
        pass
