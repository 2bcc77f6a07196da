"""Names and types that users of other clients expect: retries, raw responses, extra fields and headers, warnings."""

from __future__ import annotations

import asyncio
import inspect
import warnings
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from marketingblocks_async import (
    ConfigurationError,
    HttpAnswer,
    HttpRequest,
    InternalServerError,
    InvalidArgumentError,
    InvalidRequestError,
    MarketingBlocks,
    MarketingBlocksError,
    NotFoundError,
    OutcomeUnknownError,
    PastTimeWarning,
    RawResponse,
    RetryPolicy,
    Send,
    UpdateCommentAutomation,
)
from marketingblocks_async.calls.options import CallOptions, change, check_retry
from marketingblocks_async.client import RawClient
from marketingblocks_async.models.posts import UpcomingPostsQuery
from marketingblocks_async.resources.base import Resource
from marketingblocks_async.resources.channels import RawChannels
from marketingblocks_async.resources.comment_automations import RawCommentAutomations
from marketingblocks_async.resources.generations import RawGenerations
from marketingblocks_async.resources.posts import RawPosts
from marketingblocks_async.sandbox import Sandbox
from marketingblocks_async.testing import FakeTime
from tests.support.clients import post

RAW: dict[str, Callable[[MarketingBlocks], Awaitable[RawResponse[Any]]]] = {
    "posts.create": lambda client: client.posts.with_raw_response.create(post()),
    "posts.get": lambda client: client.posts.with_raw_response.get(1),
    "posts.list": lambda client: client.with_raw_response.posts.list(channels="facebook"),
    "posts.upcoming": lambda client: client.with_raw_response.posts.upcoming(limit=3),
    "generations.create": lambda client: client.generations.with_raw_response.create(post_type="breel", input="x"),
    "channels.connect": lambda client: client.with_raw_response.channels.connect(user_id="u", timeout=9.0),
    "comment_automations.create": lambda client: client.comment_automations.with_raw_response.create(
        name="bot", channels=[1]
    ),
    "comment_automations.update": lambda client: client.with_raw_response.comment_automations.update(
        comment_bot_id=1, name="b"
    ),
    "request": lambda client: client.with_raw_response.request("GET", "social-sparks/upcoming-posts"),
}


def public(kind: type[Any]) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


def raw_methods() -> set[str]:
    groups: dict[str, type[Any]] = {
        "posts": RawPosts,
        "generations": RawGenerations,
        "channels": RawChannels,
        "comment_automations": RawCommentAutomations,
    }
    assert public(RawClient) == {*groups, "request"}
    return {f"{group}.{method}" for group, kind in groups.items() for method in public(kind)} | {"request"}


def client_of(sandbox: Sandbox, **options: Any) -> MarketingBlocks:
    return MarketingBlocks(sandbox.token, base_url=sandbox.base_url, **options)


class TestRawResponses:
    def test_every_operation_has_one(self) -> None:
        # create_many is many calls.
        operations = {
            method
            for kind in Resource.__subclasses__()
            for method, found in vars(kind).items()
            if inspect.iscoroutinefunction(found) and not method.startswith("_")
        }
        assert RAW.keys() == raw_methods()
        assert {name.split(".")[-1] for name in RAW} == operations | {"request"}

    @pytest.mark.parametrize("name", RAW)
    async def test_it_has_the_result_and_the_response(self, marketingblocks_client: MarketingBlocks, name: str) -> None:
        await marketingblocks_client.posts.create(post())
        await marketingblocks_client.comment_automations.create(name="bot", channels=[1])
        response = await RAW[name](marketingblocks_client)
        assert response.status_code == response.status == 200
        assert response.parse() is response.result
        assert response.json() == getattr(response.result, "raw", response.result)
        assert response.text.encode() == response.body
        assert response.headers["content-type"] == "application/json"
        assert response.attempts == 1

    async def test_a_failure_is_raised_as_always(self, marketingblocks_client: MarketingBlocks) -> None:
        with pytest.raises(NotFoundError):
            await marketingblocks_client.posts.with_raw_response.get(404)
        with pytest.raises(InvalidRequestError):
            await marketingblocks_client.posts.with_raw_response.upcoming(limit=0)


class TestRetries:
    @pytest.mark.parametrize("retries", [0, 1, 3])
    async def test_a_client_makes_as_many_as_it_is_told(
        self, marketingblocks_sandbox: Sandbox, fake_time: FakeTime, retries: int
    ) -> None:
        del fake_time
        marketingblocks_sandbox.faults.add("error_500")
        async with client_of(marketingblocks_sandbox, max_retries=retries) as client:
            with pytest.raises(InternalServerError) as caught:
                await client.posts.upcoming()
        assert caught.value.attempts == retries + 1

    async def test_copies_and_calls_may_have_another_number(
        self, marketingblocks_sandbox: Sandbox, fake_time: FakeTime
    ) -> None:
        del fake_time
        marketingblocks_sandbox.faults.add("error_500")
        async with client_of(marketingblocks_sandbox) as client:
            for call, attempts in (
                (client.with_options(max_retries=0).posts.upcoming(), 1),
                (client.posts.upcoming(max_retries=1), 2),
                (client.request("GET", "social-sparks/upcoming-posts", max_retries=2), 3),
                (client.posts.upcoming(retry=RetryPolicy(initial_backoff=0.1), max_retries=1), 2),
            ):
                with pytest.raises(InternalServerError) as caught:
                    await call
                assert caught.value.attempts == attempts

    def test_the_rest_of_the_policy_stays(self) -> None:
        policy = RetryPolicy(max_elapsed=7.0, initial_backoff=0.1)
        assert check_retry(policy, 2) == RetryPolicy(3, 7.0, 0.1)
        options = CallOptions(timeout=1.0, deadline=None, retry=policy)
        assert change(options, {"max_retries": 2}, "x").retry == RetryPolicy(3, 7.0, 0.1)
        assert change(options, {"retry": RetryPolicy(), "max_retries": 0}, "x").retry == RetryPolicy(1)


class TestTimeouts:
    async def test_there_may_be_none(self, marketingblocks_sandbox: Sandbox, fake_time: FakeTime) -> None:
        marketingblocks_sandbox.faults.add("slow_answer:delay=4000,times=3")
        async with client_of(marketingblocks_sandbox, timeout=None) as client:
            assert not await client.posts.upcoming()
            assert not await client.with_options(timeout=1.0).posts.upcoming(timeout=None)
            assert [outcome.ok async for outcome in client.posts.create_many([post()])] == [True]
        assert fake_time.elapsed > 12_000

    async def test_a_close_interrupts_a_call_without_one(
        self, marketingblocks_sandbox: Sandbox, fake_time: FakeTime
    ) -> None:
        marketingblocks_sandbox.faults.add("slow_answer:delay=4000")
        async with client_of(marketingblocks_sandbox, timeout=None) as client:
            call = asyncio.create_task(client.posts.create(post()))
            await asyncio.sleep(1)
        with pytest.raises(OutcomeUnknownError, match="closed"):
            await call
        assert fake_time.elapsed < 10

    def test_zero_is_none_either(self) -> None:
        with pytest.raises(ConfigurationError, match="timeout"):
            MarketingBlocks("token", timeout=None).with_options(timeout=0)


class TestExtras:
    async def test_fields_and_headers_are_sent_where_they_are_said_to(self, marketingblocks_sandbox: Sandbox) -> None:
        sent: list[HttpRequest] = []

        async def look(request: HttpRequest, send: Send) -> HttpAnswer:
            sent.append(request)
            return await send(request)

        async with client_of(marketingblocks_sandbox, middlewares=[look]) as client:
            await client.channels.connect(
                user_id="u", extra_body={"brand": 3}, extra_query={"debug": True}, extra_headers={"X-Trace": "t"}
            )
            await client.posts.upcoming(extra_query={"page": 2}, extra_headers={"accept": "application/vnd.x+json"})
            await client.request("GET", "social-sparks/upcoming-posts", extra_headers={"X-Trace": "u"})
        write, read, generic = sent
        assert write.body == b'{"userId": "u", "brand": 3}'
        assert write.url.endswith("/connect-channel?debug=true")
        assert write.headers["X-Trace"] == "t"
        assert read.url.endswith("/upcoming-posts?page=2")
        assert [value for name, value in read.headers.items() if name.lower() == "accept"] == ["application/vnd.x+json"]
        assert generic.headers["X-Trace"] == "u"

    async def test_headers_arrive_without_a_middleware_too(self, marketingblocks_client: MarketingBlocks) -> None:
        # The sandbox refuses a body that is not JSON by its own header, which this does not replace.
        created = await marketingblocks_client.posts.create(post(), extra_headers={"User-Agent": "mine/1"})
        assert created.post_id

    async def test_a_read_has_no_body(self, marketingblocks_client: MarketingBlocks) -> None:
        with pytest.raises(TypeError, match="extra_query instead"):
            await marketingblocks_client.posts.upcoming(extra_body={"page": 2})

    @pytest.mark.parametrize(
        "headers",
        [
            {"Authorization": "Bearer other"},
            {"authorization": "x"},
            {"Proxy-Authorization": "x"},
            {"Content-Length": "1"},
            {"Host": "evil.example"},
            {"Transfer-Encoding": "chunked"},
            {"X-A": "a\r\nX-B: b"},
            {"X-A\r\n": "a"},
            {"X A": "a"},
            {"": "a"},
            {"X-A": 1},
            {"X-A": "ä"},
            "X-A: b",
        ],
    )
    async def test_headers_that_are_the_client_s_or_cannot_be_are_refused(
        self, marketingblocks_client: MarketingBlocks, headers: Any
    ) -> None:
        with pytest.raises(InvalidArgumentError, match="extra_headers"):
            await marketingblocks_client.posts.upcoming(extra_headers=headers)
        with pytest.raises(InvalidArgumentError, match="extra_headers"):
            await marketingblocks_client.request("GET", "any", extra_headers=headers)

    async def test_the_token_is_in_one_header(self, marketingblocks_sandbox: Sandbox) -> None:
        token = marketingblocks_sandbox.token
        async with client_of(marketingblocks_sandbox) as client:
            with pytest.raises(InvalidArgumentError, match="nowhere else") as caught:
                await client.posts.upcoming(extra_headers={"X-Api-Key": f"key {token}"})
        assert token not in str(caught.value)


class TestPastTimes:
    async def test_a_post_whose_time_is_past_is_warned_of(self, marketingblocks_client: MarketingBlocks) -> None:
        fields: dict[str, Any] = {
            "channel_type": "facebook",
            "channel_id": 1,
            "post_type": "post",
            "caption_text": "late",
            "media_urls": [],
            "publish_mode": "scheduled",
        }
        past: dict[str, Any] = {**fields, "schedule_time": datetime(2020, 1, 2, 3, 4, tzinfo=UTC)}
        with pytest.warns(PastTimeWarning, match="2020-01-02 03:04.*may publish the post at once") as caught:
            await marketingblocks_client.posts.create(**past)
        assert caught[0].filename == __file__
        with pytest.warns(PastTimeWarning) as caught:
            assert [outcome.ok async for outcome in marketingblocks_client.posts.create_many([past] * 3)] == [True] * 3
        assert len(caught) == 1
        with warnings.catch_warnings():
            warnings.simplefilter("error", PastTimeWarning)
            outcomes = [outcome async for outcome in marketingblocks_client.posts.create_many([past] * 3)]
            assert [type(outcome.error) for outcome in outcomes] == [PastTimeWarning] * 3
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for minutes in (0, 1, 60):
                fields["schedule_time"] = datetime.now(UTC) + timedelta(minutes=minutes)
                await marketingblocks_client.posts.create(**fields)


def test_every_refused_argument_is_an_error_of_the_package() -> None:
    client = MarketingBlocks("token")
    with pytest.raises(MarketingBlocksError):
        client.posts.create_many([], concurrency=0)


REFUSED: list[Callable[[Any], Awaitable[object]]] = [
    lambda client: client.posts.create(channel_type="facebok"),
    lambda client: client.posts.get("."),
    lambda client: client.posts.list(channels=[]),
    lambda client: client.posts.upcoming(limit=True),
    lambda client: client.generations.create(post_type="breel", input=" "),
    lambda client: client.channels.connect(user_id=""),
    lambda client: client.comment_automations.create(name="x", channels=[]),
    lambda client: client.comment_automations.update(comment_bot_id="x"),
    lambda client: client.comment_automations.update(comment_bot_id=7),
    lambda client: client.comment_automations.update(UpdateCommentAutomation(comment_bot_id=7)),
    lambda client: client.docs.ask(" "),
    lambda client: client.request("FETCH", "social-sparks/upcoming-posts"),
    lambda client: client.request("GET", "../x"),
    lambda client: client.request("GET", "social-sparks/upcoming-posts", timeout=0),
    lambda client: client.posts.upcoming(timeout=0),
    lambda client: client.posts.upcoming(extra_headers={"Host": "x"}),
]


@pytest.mark.parametrize("call", REFUSED)
async def test_every_refused_argument_of_a_call_is_one(
    marketingblocks_client: MarketingBlocks, call: Callable[[Any], Awaitable[object]]
) -> None:
    with pytest.raises(MarketingBlocksError) as caught:
        await call(marketingblocks_client)
    assert isinstance(caught.value, ValueError)


PROBLEMS: list[tuple[Callable[[Any], Awaitable[object]], dict[tuple[str | int, ...], str]]] = [
    (lambda client: client.posts.get(None), {("post_id",): "give a text"}),
    (lambda client: client.posts.upcoming(limit="x"), {("limit",): "give a whole number"}),
    (lambda client: client.generations.create(post_type="breel"), {("input",): "it is missing"}),
    (
        lambda client: client.comment_automations.create(name=3, channels=["x"]),
        {("name",): "give a text", ("channels", 0): "give a whole number"},
    ),
]


@pytest.mark.parametrize(("call", "problems"), PROBLEMS)
async def test_a_field_has_one_problem_in_plain_words(
    marketingblocks_client: MarketingBlocks,
    call: Callable[[Any], Awaitable[object]],
    problems: dict[tuple[str | int, ...], str],
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        await call(marketingblocks_client)
    assert {each["loc"]: each["msg"] for each in caught.value.errors()} == problems
    assert "[_" not in str(caught.value)


def test_a_field_that_does_not_exist_keeps_its_name() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        UpcomingPostsQuery.checked({"a[0]": 1})
    assert [each["loc"] for each in caught.value.errors()] == [("a[0]",)]


async def test_an_item_of_many_that_is_no_post_has_one(marketingblocks_client: MarketingBlocks) -> None:
    (outcome,) = [outcome async for outcome in marketingblocks_client.posts.create_many([{"channel_type": "x"}])]
    assert isinstance(outcome.error, InvalidRequestError)
