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
from marketingblocks_async.blocking import MarketingBlocks as BlockingClient

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
    await client.posts.create(
        POST, max_retries=0, extra_body={"a": 1}, extra_query={"b": 2}, extra_headers={"X-C": "c"}
    )
    await client.posts.upcoming(timeout=None)
    await client.request("GET", "any", max_retries=0, extra_headers={"X-C": "c"})
    await client.generations.create(post_type="post", input="x")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    response = await client.raw(lambda client: client.posts.get(1))
    assert_type(response, RawResponse[FoundPost])
    assert_type(response.result, FoundPost)
    assert_type(response.body, bytes)
    assert_type(await client.raw(lambda client: client.request("GET", "any")), RawResponse[Any])
    await client.posts.create(POST, timeuot=5.0)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


async def raw_responses(client: MarketingBlocks) -> None:
    assert_type(await client.posts.with_raw_response.create(POST), RawResponse[CreatedPost])
    assert_type(
        await client.with_raw_response.posts.create(
            channel_type="facebook",
            channel_id=1,
            post_type="post",
            caption_text="text",
            media_urls=[],
            publish_mode="now",
            max_retries=0,
        ),
        RawResponse[CreatedPost],
    )
    response = await client.posts.with_raw_response.get(7)
    assert_type(response, RawResponse[FoundPost])
    assert_type(response.parse(), FoundPost)
    assert_type(response.status_code, int)
    assert_type(await client.posts.with_raw_response.list(channels=["facebook"]), RawResponse[PostList])
    assert_type(await client.with_raw_response.posts.upcoming(limit=3), RawResponse[UpcomingPosts])
    assert_type(
        await client.with_raw_response.generations.create(post_type="breel", input="x"), RawResponse[Generation]
    )
    assert_type(await client.channels.with_raw_response.connect(user_id="u"), RawResponse[ChannelConnection])
    assert_type(
        await client.with_raw_response.comment_automations.update(comment_bot_id=7), RawResponse[CommentAutomation]
    )
    assert_type(await client.with_raw_response.request("GET", "any"), RawResponse[Any])
    await client.posts.with_raw_response.get()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def blocking_raw_responses(client: BlockingClient) -> None:
    assert_type(client.posts.with_raw_response.get(7), RawResponse[FoundPost])
    assert_type(client.with_raw_response.posts.create(POST), RawResponse[CreatedPost])
    assert_type(client.with_raw_response.request("GET", "any"), RawResponse[Any])


def lists(listed: PostList, upcoming: UpcomingPosts) -> None:
    assert_type(listed[0], Post)
    assert_type(listed[1:], list[Post])
    assert_type(len(upcoming), int)
    assert_type(upcoming[-1].scheduled_at, datetime | None)
    assert_type(POST.scheduled_at, datetime | None)


async def clients() -> None:
    async with MarketingBlocks(
        "token",
        base_url="http://localhost:1",
        rate_limit=RateLimit(limit=None, guard=math.inf),
        retry=RetryPolicy(max_attempts=2),
        max_retries=0,
        timeout=None,
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
