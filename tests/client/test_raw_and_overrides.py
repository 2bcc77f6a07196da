"""The raw form of every method, and what a single call can be given."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from marketingblocks_async import (
    APIError,
    APITimeoutError,
    CallOverrides,
    CreateCommentAutomation,
    HttpAnswer,
    HttpRequest,
    InvalidArgumentError,
    MarketingBlocks,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RateLimit,
    RetryPolicy,
    Send,
)
from marketingblocks_async.endpoints import ENDPOINTS
from marketingblocks_async.sandbox import Sandbox
from marketingblocks_async.testing import FakeTime
from tests.support.clients import CALLS, post

# The same calls with options; two of them pass unknown keywords on as fields.
OVERRIDDEN: dict[str, Callable[[MarketingBlocks, Any], Awaitable[Any]]] = {
    "create-post": lambda client, o: client.posts.create(post(), **o),
    "find-post": lambda client, o: client.posts.get(1, **o),
    "get-posts": lambda client, o: client.posts.list(channels=["facebook"], **o),
    "upcoming-posts": lambda client, o: client.posts.upcoming(limit=3, **o),
    "create-post-generation": lambda client, o: client.generations.create(post_type="breel", input="tulips", **o),
    "connect-channel": lambda client, o: client.channels.connect(user_id="u-1", **o),
    "create-comment-automation": lambda client, o: client.comment_automations.create(name="bot", channels=[1], **o),
    "update-comment-automation": lambda client, o: client.comment_automations.update(comment_bot_id=1, name="b", **o),
}


WRITES = {endpoint.name for endpoint in ENDPOINTS if endpoint.method != "GET"}


async def prepare(client: MarketingBlocks) -> None:
    await client.posts.create(post())
    await client.comment_automations.create(name="bot", channels=[1])


class TestRaw:
    @pytest.mark.parametrize("name", CALLS)
    async def test_every_method_has_a_raw_form(self, marketingblocks_client: MarketingBlocks, name: str) -> None:
        await prepare(marketingblocks_client)
        plain = await CALLS[name](marketingblocks_client)
        response = await marketingblocks_client.raw(CALLS[name])
        assert type(response.result) is type(plain)
        assert (response.status, response.attempts) == (200, 1)
        assert response.headers["content-type"] == "application/json"
        assert response.json() == response.result.raw
        assert response.waited >= 0

    async def test_undocumented_calls_have_one_too(self, marketingblocks_client: MarketingBlocks) -> None:
        response = await marketingblocks_client.raw(
            lambda client: client.request("GET", "social-sparks/upcoming-posts", params={"limit": 1})
        )
        assert response.result == response.json() == {"up_coming": []}

    async def test_it_tells_attempts_and_waits(self, marketingblocks_sandbox: Sandbox, fake_time: FakeTime) -> None:
        marketingblocks_sandbox.faults.add("error_500:times=2")
        limit = RateLimit(limit=1, per=10.0, burst=1)
        async with MarketingBlocks(
            marketingblocks_sandbox.token, base_url=marketingblocks_sandbox.base_url, rate_limit=limit
        ) as client:
            response = await client.raw(lambda client: client.posts.upcoming())
        assert response.attempts == 3
        assert 18 < response.waited < fake_time.elapsed

    async def test_options_of_the_call_keep_it_raw(self, marketingblocks_client: MarketingBlocks) -> None:
        calls: list[Callable[[MarketingBlocks], Awaitable[Any]]] = [
            lambda client: client.posts.upcoming(timeout=3.0, extra_fields={"page": 2}),
            lambda client: client.with_options(deadline=5.0).posts.upcoming(),
            lambda client: client.with_token("sandbox-token").posts.upcoming(),
        ]
        for call in calls:
            assert (await marketingblocks_client.raw(call)).status == 200

    async def test_a_failure_is_raised_as_always(self, marketingblocks_client: MarketingBlocks) -> None:
        with pytest.raises(NotFoundError) as caught:
            await marketingblocks_client.raw(lambda client: client.posts.get(404))
        assert isinstance(caught.value, APIError)
        assert (caught.value.status_code, caught.value.attempts) == (404, 1)

    async def test_a_function_that_calls_nothing_is_refused(self, marketingblocks_client: MarketingBlocks) -> None:
        async def nothing(client: MarketingBlocks) -> int:
            del client
            return 1

        with pytest.raises(TypeError, match="makes one call with it and awaits the result"):
            await marketingblocks_client.raw(nothing)

    async def test_an_echoed_token_is_not_in_it(self, marketingblocks_sandbox: Sandbox) -> None:
        async def echo(request: HttpRequest, send: Send) -> HttpAnswer:
            answer = await send(request)
            token = marketingblocks_sandbox.token
            return HttpAnswer(answer.status, {"X-Token": token}, f'{{"up_coming": [], "token": "{token}"}}'.encode())

        async with MarketingBlocks(
            marketingblocks_sandbox.token, base_url=marketingblocks_sandbox.base_url, middlewares=[echo]
        ) as client:
            response = await client.raw(lambda client: client.posts.upcoming())
        assert marketingblocks_sandbox.token not in f"{response.body!r} {response.headers!r}"


class TestOverrides:
    def test_every_operation_is_tried(self) -> None:
        assert OVERRIDDEN.keys() == {endpoint.name for endpoint in ENDPOINTS}

    @pytest.mark.parametrize("name", OVERRIDDEN)
    async def test_a_timeout_is_for_one_call(
        self, marketingblocks_client: MarketingBlocks, marketingblocks_sandbox: Sandbox, fake_time: FakeTime, name: str
    ) -> None:
        await prepare(marketingblocks_client)
        marketingblocks_sandbox.faults.add(f"slow_answer:endpoint={name},delay=20,times=1")
        began = fake_time.elapsed
        options = CallOverrides(timeout=2.0, retry=RetryPolicy(max_attempts=1))
        with pytest.raises(OutcomeUnknownError if name in WRITES else APITimeoutError):
            await OVERRIDDEN[name](marketingblocks_client, options)
        assert fake_time.elapsed - began == pytest.approx(2, abs=0.5)
        await OVERRIDDEN[name](marketingblocks_client, {})

    @pytest.mark.parametrize("name", OVERRIDDEN)
    async def test_a_deadline_is_for_one_call(
        self, marketingblocks_client: MarketingBlocks, marketingblocks_sandbox: Sandbox, fake_time: FakeTime, name: str
    ) -> None:
        await prepare(marketingblocks_client)
        marketingblocks_sandbox.faults.add("too_many_requests:retry_after=30,times=1")
        with pytest.raises((NotSentError, APIError)):
            await OVERRIDDEN[name](marketingblocks_client, {"deadline": 1.0})
        assert fake_time.elapsed < 10

    @pytest.mark.parametrize("name", OVERRIDDEN)
    async def test_extra_fields_are_sent(
        self, marketingblocks_sandbox: Sandbox, marketingblocks_client: MarketingBlocks, name: str
    ) -> None:
        await prepare(marketingblocks_client)
        sent: list[HttpRequest] = []

        async def look(request: HttpRequest, send: Send) -> HttpAnswer:
            sent.append(request)
            return await send(request)

        async with MarketingBlocks(
            marketingblocks_sandbox.token, base_url=marketingblocks_sandbox.base_url, middlewares=[look]
        ) as client:
            await OVERRIDDEN[name](client, {"extra_fields": {"undocumented": ["ä", 1]}})
            await OVERRIDDEN[name](client, {"extra_fields": {}})
        first, second = ((request.body or request.url.encode()).decode() for request in sent)
        shown = "undocumented=%C3%A4,1" if sent[0].method == "GET" else '"undocumented": ["ä", 1]'
        assert shown in first
        assert "undocumented" not in second
        assert first.count("?") <= 1

    async def test_an_error_shows_them(
        self, marketingblocks_client: MarketingBlocks, marketingblocks_sandbox: Sandbox
    ) -> None:
        marketingblocks_sandbox.faults.add("commit_then_drop:times=1")
        with pytest.raises(OutcomeUnknownError) as caught:
            await marketingblocks_client.channels.connect(user_id="u", extra_fields={"brand": 3})
        assert caught.value.request == {"userId": "u", "brand": 3}
        (commit,) = marketingblocks_sandbox.ledger.commits
        assert commit.request == {"userId": "u", "brand": 3}

    async def test_what_is_documented_is_no_extra_field(self, marketingblocks_client: MarketingBlocks) -> None:
        for extra in ({"userId": "v"}, {"user_id": "v"}):
            with pytest.raises(TypeError, match="give it as an argument"):
                await marketingblocks_client.channels.connect(user_id="u", extra_fields=extra)
        request = CreateCommentAutomation(name="bot", channels=[1])
        with pytest.raises(TypeError, match="name"):
            await marketingblocks_client.comment_automations.create(request, extra_fields={"name": "other"})

    async def test_extra_fields_are_a_mapping(self, marketingblocks_client: MarketingBlocks) -> None:
        query: Any = "page=2"
        with pytest.raises(InvalidArgumentError, match="extra_query=str: give a mapping"):
            await marketingblocks_client.posts.upcoming(extra_query=query)
        with pytest.raises(InvalidArgumentError, match="extra_body=str: give a mapping"):
            await marketingblocks_client.channels.connect(user_id="u", extra_body=query)
        with pytest.raises(InvalidArgumentError, match="params=str: give a mapping"):
            await marketingblocks_client.request("GET", "social-sparks/upcoming-posts", params=query)

    async def test_what_is_no_json_is_refused(self, marketingblocks_client: MarketingBlocks) -> None:
        for value in (object(), float("nan"), {1, 2}):
            with pytest.raises((TypeError, ValueError)):
                await marketingblocks_client.channels.connect(user_id="u", extra_fields={"x": value})

    @pytest.mark.parametrize("options", [{"timeout": 0}, {"deadline": -1.0}, {"retry": 3}, {"lane": "fast"}])
    @pytest.mark.parametrize("name", OVERRIDDEN)
    async def test_a_value_out_of_its_range_is_refused(
        self, marketingblocks_client: MarketingBlocks, name: str, options: dict[str, Any]
    ) -> None:
        with pytest.raises(InvalidArgumentError):
            await OVERRIDDEN[name](marketingblocks_client, options)

    @pytest.mark.parametrize("name", OVERRIDDEN)
    async def test_a_misspelt_argument_is_refused(self, marketingblocks_client: MarketingBlocks, name: str) -> None:
        with pytest.raises(TypeError, match="unexpected keyword argument: timeuot"):
            await OVERRIDDEN[name](marketingblocks_client, {"timeuot": 3.0})

    async def test_request_takes_options_as_well(
        self, marketingblocks_client: MarketingBlocks, marketingblocks_sandbox: Sandbox, fake_time: FakeTime
    ) -> None:
        marketingblocks_sandbox.faults.add("slow_answer:delay=20,times=1")
        with pytest.raises(APITimeoutError):
            await marketingblocks_client.request(
                "GET", "social-sparks/upcoming-posts", timeout=1.0, retry=RetryPolicy(max_attempts=1)
            )
        assert fake_time.elapsed < 5
        with pytest.raises(TypeError, match="extra_fields"):
            await marketingblocks_client.request("GET", "any", extra_fields={})  # type: ignore[call-arg]  # the test

    def test_signatures_say_so(self) -> None:
        for method in (MarketingBlocks.request, MarketingBlocks.with_options):
            assert any(p.kind is p.VAR_KEYWORD for p in inspect.signature(method).parameters.values())
