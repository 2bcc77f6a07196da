"""What exactly is handed to aiohttp, and what becomes of what it gives back; without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

from marketingblocks_async import (
    ENDPOINTS,
    CallError,
    MarketingBlocks,
    NotSentError,
    OutcomeUnknownError,
    RateLimit,
    RetryPolicy,
    __version__,
)
from tests.support.clients import CALLS, TOKEN, post
from tests.support.mocked import API, Mocked, Seen

PREFIX = "social-sparks"
ANSWERS: dict[str, dict[str, Any]] = {
    "create-post": {"status": True, "post_id": 1246},
    "find-post": {"status": True, "post": {"post_id": 1, "channel_id": "9", "STATUS": "published"}},
    "get-posts": {"posts": []},
    "upcoming-posts": {"up_coming": []},
    "create-post-generation": {"id": "842c8151", "status": "queued", "message": "queued", "request_body": {}},
    "connect-channel": {"connect_url": "https://x.example", "connect_token": "t"},
    "create-comment-automation": {"status": True},
    "update-comment-automation": {"status": True},
}


def client(**changes: Any) -> MarketingBlocks:
    """Return a client of the documented address."""
    quick = RetryPolicy(max_attempts=3, initial_backoff=0.001, max_backoff=0.002)
    settings: dict[str, Any] = {"rate_limit": RateLimit(limit=None), "retry": quick}
    return MarketingBlocks(TOKEN, **(settings | changes))


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction] - autouse
    monkeypatch.delenv("MARKETINGBLOCKS_BASE_URL", raising=False)
    monkeypatch.delenv("MARKETINGBLOCKS_API_TOKEN", raising=False)


async def sent(
    mocked: Mocked, call: Callable[[MarketingBlocks], Awaitable[Any]], method: str, path: str, payload: Any = None
) -> Seen:
    """Make a call that is answered with success, and return the request."""
    mocked.answer(method, path, payload=ANSWERS["create-post"] if payload is None else payload)
    async with client() as api:
        await call(api)
    (request,) = mocked.seen
    return request


PATHS = {
    "find-post": "post/1",
    "get-posts": "get-posts?channels=facebook",
    "upcoming-posts": "upcoming-posts?limit=3",
}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
async def test_each_operation_goes_out_as_documented(endpoint: Any, mocked: Mocked) -> None:
    path = f"{PREFIX}/{PATHS.get(endpoint.name, endpoint.name)}"
    request = await sent(mocked, CALLS[endpoint.name], endpoint.method, path, ANSWERS[endpoint.name])
    assert request.method == endpoint.method
    assert str(request.url) == f"{API}/{path}"
    headers = {
        "Accept": "application/json",
        "Authorization": f"Bearer {TOKEN}",
        "User-Agent": f"marketingblocks-async/{__version__}",
    }
    if endpoint.method == "GET":
        assert request.body is None
    else:
        headers["Content-Type"] = "application/json"
        assert isinstance(json.loads(request.body or b""), dict)
    assert request.headers == headers
    assert request.options["allow_redirects"] is False


async def test_a_scheduled_post_on_the_wire(mocked: Mocked) -> None:
    request = await sent(
        mocked,
        lambda api: api.posts.create(
            channel_type="youtube",
            channel_id="123",
            post_type="post",
            caption_text='Ünïcode "quotes" \n 😀',
            media_urls=("https://example.com/a.mp4",),
            publish_mode="scheduled",
            schedule_time=datetime(2099, 1, 8, 14, 30, 59, tzinfo=ZoneInfo("Africa/Lagos")),
            hash_tags=["#one", "#two"],
            post_extra={"title": "T", "category": 22, "privacyStatus": "unlisted"},
        ),
        "POST",
        f"{PREFIX}/create-post",
    )
    assert json.loads(request.body or b"") == {
        "channel_type": "youtube",
        "channel_id": 123,
        "post_type": "post",
        "caption_text": 'Ünïcode "quotes" \n 😀',
        "media_urls": ["https://example.com/a.mp4"],
        "publish_mode": "scheduled",
        "schedule_time": "2099-01-08 14:30",
        "time_zone": "Africa/Lagos",
        "hash_tags": "#one,#two",
        "post_extra": {"title": "T", "category": 22, "privacyStatus": "unlisted"},
    }
    # UTF-8, not escapes.
    assert "Ünïcode".encode() in (request.body or b"")


async def test_a_thread_on_the_wire(mocked: Mocked) -> None:
    request = await sent(
        mocked,
        lambda api: api.posts.create(
            channel_type="twitter",
            channel_id=1,
            post_type="thread",
            caption_text="",
            media_urls=[],
            publish_mode="share_next",
            twitter_threads=[{"message": "one"}, {"message": "two", "media_urls": ["https://e.example/a.jpg"]}],
        ),
        "POST",
        f"{PREFIX}/create-post",
    )
    body = json.loads(request.body or b"")
    assert body["twitter_threads"] == [
        {"message": "one"},
        {"message": "two", "media_urls": ["https://e.example/a.jpg"]},
    ]
    assert body["media_urls"] == []
    assert not body.keys() & {"schedule_time", "time_zone", "hash_tags", "post_extra"}


async def test_a_ready_made_post_and_keywords_are_the_same_bytes(mocked: Mocked) -> None:
    path = f"{PREFIX}/create-post"
    ready = await sent(mocked, lambda api: api.posts.create(post()), "POST", path)
    mocked.seen.clear()
    fields = {name: value for name, value in post() if value is not None}
    assert ready == await sent(mocked, lambda api: api.posts.create(**fields), "POST", path)


async def test_camel_case_is_where_the_api_has_it(mocked: Mocked) -> None:
    request = await sent(
        mocked,
        lambda api: api.channels.connect(user_id="u-1", redirect_url="app://back"),
        "POST",
        f"{PREFIX}/connect-channel",
        ANSWERS["connect-channel"],
    )
    assert json.loads(request.body or b"") == {"userId": "u-1", "redirectUrl": "app://back"}


async def test_what_is_none_is_not_sent(mocked: Mocked) -> None:
    request = await sent(
        mocked,
        lambda api: api.generations.create(post_type="breel", input="flower sales", web_hook=None, brand_id=None),
        "POST",
        f"{PREFIX}/create-post-generation",
        ANSWERS["create-post-generation"],
    )
    assert json.loads(request.body or b"") == {"post_type": "breel", "input": "flower sales"}


async def test_an_update_sends_what_was_given_and_nothing_else(mocked: Mocked) -> None:
    request = await sent(
        mocked,
        lambda api: api.comment_automations.update(
            comment_bot_id=7, keywords=["price", "cost"], extra_body={"reply_delay": 30}
        ),
        "PUT",
        f"{PREFIX}/update-comment-automation",
    )
    assert json.loads(request.body or b"") == {"comment_bot_id": 7, "keywords": ["price", "cost"], "reply_delay": 30}


async def test_a_filter_keeps_its_commas(mocked: Mocked) -> None:
    path = f"{PREFIX}/get-posts?channels=facebook,instagram&limit=5&status=scheduled,draft"
    request = await sent(
        mocked,
        lambda api: api.posts.list(channels=["facebook", "instagram"], limit=5, status="scheduled, draft"),
        "GET",
        path,
        ANSWERS["get-posts"],
    )
    assert request.url.raw_query_string == "channels=facebook,instagram&limit=5&status=scheduled,draft"


@pytest.mark.parametrize(
    ("post_id", "path"), [(1246, "1246"), ("1246", "1246"), ("a/b", "a%2Fb"), ("a?b#c", "a%3Fb%23c"), ("ä", "%C3%A4")]
)
async def test_an_id_is_one_segment_of_the_path(post_id: int | str, path: str, mocked: Mocked) -> None:
    mocked.answer("GET", f"{PREFIX}/post/{path}", payload=ANSWERS["find-post"])
    async with client() as api:
        assert (await api.posts.get(post_id)).post_id == 1
    assert mocked.seen[0].url.raw_path == f"/api/v1/{PREFIX}/post/{path}"


@pytest.mark.parametrize("root", [API, f"{API}/", f" {API} "])
async def test_the_root_may_end_in_a_slash(root: str, mocked: Mocked) -> None:
    mocked.answer("POST", f"{PREFIX}/create-post", payload={"post_id": 1})
    async with client(base_url=root) as api:
        await api.posts.create(post())
    assert mocked.seen[0].url == URL(f"{API}/{PREFIX}/create-post")


async def test_calls_of_one_client_do_not_share_what_they_send(mocked: Mocked) -> None:
    path = f"{PREFIX}/create-post"
    for _ in range(3):
        mocked.answer("POST", path, payload={"post_id": 1})
    async with client() as api:
        await asyncio.gather(*(api.posts.create(post(str(number))) for number in range(3)))
    assert {json.loads(each.body or b"")["caption_text"] for each in mocked.seen} == {"0", "1", "2"}


async def test_a_retry_sends_the_same_again(mocked: Mocked) -> None:
    path = f"{PREFIX}/create-post"
    mocked.answer("POST", path, status=429, headers={"Retry-After": "0.001"})
    mocked.answer("POST", path, status=429, payload={"status": False})
    mocked.answer("POST", path, payload={"post_id": 1})
    async with client() as api:
        await api.posts.create(post())
    first, second, third = mocked.seen
    assert first == second == third


# What comes back.


def _key() -> ConnectionKey:
    return ConnectionKey("app.marketingblocks.ai", 443, True, True, None, None, None)  # noqa: FBT003 - positional


CERTIFICATE = aiohttp.ClientConnectorCertificateError(_key(), ValueError("expired"))
FAILURES: list[tuple[Exception, bool]] = [
    # Whether anything can have left.
    (aiohttp.ClientConnectorError(_key(), OSError(111, "refused")), False),
    (aiohttp.ClientConnectorDNSError(_key(), OSError(-2, "no such name")), False),
    (aiohttp.ClientConnectorSSLError(_key(), OSError(1, "handshake")), False),
    (CERTIFICATE, False),
    (aiohttp.ClientProxyConnectionError(_key(), OSError(111, "refused")), False),
    (aiohttp.ConnectionTimeoutError("no connection in time"), False),
    (aiohttp.ServerDisconnectedError(), True),
    (aiohttp.ClientOSError(104, "reset"), True),
    (aiohttp.ServerTimeoutError("no answer in time"), True),
    (aiohttp.SocketTimeoutError("nothing to read in time"), True),
    (aiohttp.ClientPayloadError("half a body"), True),
    (ConnectionResetError(104, "reset"), True),
    (BrokenPipeError(32, "broken pipe"), True),
    (TimeoutError("some timeout"), True),
    (OSError(5, "input/output error"), True),
]


@pytest.mark.parametrize(("failure", "may_have_left"), FAILURES, ids=lambda value: type(value).__name__)
async def test_what_aiohttp_raises_says_whether_it_may_have_left(
    failure: Exception, may_have_left: bool, mocked: Mocked
) -> None:
    for _ in range(3):
        mocked.answer("POST", f"{PREFIX}/create-post", exception=failure)
    async with client() as api:
        with pytest.raises(CallError) as caught:
            await api.posts.create(post())
    assert type(caught.value) is (OutcomeUnknownError if may_have_left else NotSentError)
    assert caught.value.attempts == len(mocked.seen) == (1 if may_have_left else 3)
    assert caught.value.__cause__ is not None


async def test_the_documented_answers_are_understood(mocked: Mocked) -> None:
    mocked.answer("GET", f"{PREFIX}/post/1246", payload=ANSWERS["find-post"])
    mocked.answer(
        "GET",
        f"{PREFIX}/upcoming-posts",
        payload={"up_coming": [{"post_id": 1, "STATUS": "a state of tomorrow", "channel_type": "bluesky", "more": 1}]},
    )
    async with client() as api:
        found = await api.posts.get(1246)
        assert (found.post_id, found.channel_id, found.STATUS, found.status) == (1, "9", "published", True)
        (upcoming,) = await api.posts.upcoming()
        assert (upcoming.status, upcoming.channel_type) == ("a state of tomorrow", "bluesky")
