"""create_many: every item of the input ends in exactly one outcome, or was never taken.

The server's ledger is the judge. An item that the ledger has and whose outcome says otherwise is a post that will be
published a second time; one that has no outcome at all is a post that is lost.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import itertools
import os
import subprocess
import sys
import time
import weakref
from collections import ChainMap, Counter, UserDict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from pydantic import ValidationError

from marketingblocks_async import (
    BadRequestError,
    ConfigurationError,
    CreateMany,
    CreatePost,
    HttpAnswer,
    HttpRequest,
    Lane,
    MarketingBlocks,
    NotSentError,
    OutcomeEvent,
    OutcomeUnknownError,
    PostOutcome,
    RateLimit,
    Send,
)
from marketingblocks_async.resources.create_many import StoredPost
from marketingblocks_async.sandbox import Fault, Sandbox
from tests.support.clients import client_at, client_of, post

pytestmark = pytest.mark.usefixtures("own_limiters")

SOON = 2.0
"""Seconds within which everything here ends, and far more than it needs: it is only to say "it hangs"."""

OK = HttpAnswer(200, {}, b'{"status": true, "post_id": 1}')


@dataclass
class Input:
    """Posts with their numbers as captions, and how many of them were taken."""

    count: int | None = None
    taken: int = 0
    closed: list[str] = field(default_factory=list[str])

    def __iter__(self) -> Iterator[CreatePost]:
        for number in itertools.count() if self.count is None else range(self.count):
            self.taken += 1
            yield post(str(number))

    async def slowly(self, seconds: float) -> AsyncIterator[CreatePost]:
        try:
            for each in self:
                await asyncio.sleep(seconds)
                yield each
        finally:
            await asyncio.sleep(0.01)
            self.closed.append("input")


def in_ledger(sandbox: Sandbox) -> Counter[int]:
    return Counter(int(commit.request["caption_text"]) for commit in sandbox.ledger.commits)


def running() -> list[asyncio.Task[Any]]:
    """Return the tasks that create_many has left."""
    places = ("resources/create_many.py", "calls/executor.py")
    return [task for task in asyncio.all_tasks() if any(place in repr(task) for place in places)]


async def settle(sandbox: Sandbox) -> None:
    """Wait until the server has dealt with what it was sent."""
    for _ in range(20):
        await asyncio.sleep(0.002)
    while sandbox.in_flight:  # noqa: ASYNC110 - the server is another program in principle
        await asyncio.sleep(0.002)


async def account(sandbox: Sandbox, source: Input, got: Iterable[PostOutcome], many: CreateMany) -> None:
    """Check that every item that was taken has exactly one outcome, and that the ledger agrees with it."""
    await settle(sandbox)
    ledger = in_ledger(sandbox)
    outcomes = [*got, *many.undelivered]
    assert Counter(outcome.index for outcome in outcomes) == Counter(range(source.taken))
    assert all(times == 1 for times in ledger.values())
    for outcome in outcomes:
        if outcome.ok:
            assert ledger[outcome.index] == 1
        elif not isinstance(outcome.error, OutcomeUnknownError):
            assert ledger[outcome.index] == 0, outcome.error
    assert not running()


async def drain(many: AsyncIterator[PostOutcome]) -> list[PostOutcome]:
    return await fetch_into([], many)


async def fetch_into(got: list[PostOutcome], many: AsyncIterator[PostOutcome]) -> list[PostOutcome]:
    """Fetch all outcomes, and keep those that came if it ends in an error."""
    try:
        async with asyncio.timeout(SOON):
            async for outcome in many:
                got.append(outcome)  # noqa: PERF401 - extend() would keep them back until the end
    except BaseException:
        # Whatever was left behind complains here, and not while pytest formats the failure.
        gc.collect()
        raise
    return got


# What may be given.


async def _async_generator(posts: Iterable[CreatePost]) -> AsyncIterator[CreatePost]:
    for each in posts:
        await asyncio.sleep(0)
        yield each


class _AsyncIterable:
    def __init__(self, posts: Iterable[CreatePost]) -> None:
        self._posts = posts

    def __aiter__(self) -> AsyncIterator[CreatePost]:
        return _async_generator(self._posts)


INPUTS: dict[str, Callable[[list[CreatePost]], Any]] = {
    "list": lambda posts: posts,
    "tuple": tuple,
    "iterator": iter,
    "generator": lambda posts: (each for each in posts),
    "map": lambda posts: map(CreatePost.model_copy, posts),
    "async generator": _async_generator,
    "async iterable": _AsyncIterable,
    "mappings": lambda posts: [each.wire() for each in posts],
    "read-only mappings": lambda posts: [MappingProxyType(each.wire()) for each in posts],
    "other mappings": lambda posts: [
        UserDict(each.wire()) if number % 2 else ChainMap(each.wire()) for number, each in enumerate(posts)
    ],
}


@pytest.mark.parametrize("kind", INPUTS)
async def test_every_item_of_any_input_is_created_once(kind: str) -> None:
    posts = [post(str(number)) for number in range(20)]
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        outcomes = await drain(client.posts.create_many(INPUTS[kind](posts), concurrency=7))
        assert sorted(outcome.index for outcome in outcomes) == list(range(20))
        assert all(outcome.ok and outcome.error is None and outcome.result is not None for outcome in outcomes)
        assert in_ledger(sandbox) == Counter(range(20))


async def test_no_items_make_no_outcomes() -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        assert await drain(client.posts.create_many([])) == []


async def test_for_and_with_instead_of_their_async_forms_say_what_to_write() -> None:
    async with client_at("http://127.0.0.1:9") as client:
        many: Any = client.posts.create_many([])
        with pytest.raises(TypeError, match="needs 'async for'"):
            list(many)
        assert not inspect.isawaitable(many)
        with pytest.raises(TypeError, match="needs 'async with'"), many:
            pass
        assert [each async for each in many] == []


async def test_an_outcome_holds_the_item_that_the_input_had() -> None:
    items: list[CreatePost | dict[str, Any]] = [post("0"), post("1").wire(), post("2")]
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        outcomes = await drain(client.posts.create_many(items))
        for outcome in outcomes:
            assert outcome.item is items[outcome.index]
        captions = {each.post_id: each.request["caption_text"] for each in sandbox.posts}
        for outcome in outcomes:
            assert outcome.result is not None
            assert captions[int(outcome.result.post_id or 0)] == str(outcome.index)


async def test_an_input_that_fills_one_mapping_again_and_again_is_published_as_it_was_when_it_was_taken() -> None:
    def rows() -> Iterator[dict[str, Any]]:
        row = post().wire()
        for number in range(40):
            row["caption_text"] = str(number)
            yield row

    async with Sandbox() as sandbox, client_of(sandbox) as client:
        outcomes = await drain(client.posts.create_many(rows()))
        assert all(outcome.ok for outcome in outcomes)
        assert in_ledger(sandbox) == Counter(range(40))
        assert not sandbox.ledger.duplicates()


class _Explosive(Mapping[str, Any]):
    def __getitem__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(["caption_text"])

    def __len__(self) -> int:
        return 1


INVALID: dict[str, Any] = {
    "not a post": 5,
    "none": None,
    "a word of the wrong enumeration": post().wire() | {"channel_type": "myspace"},
    "an unknown field": post().wire() | {"captoin": "x"},
    # json.loads gives this for half an emoji; it cannot be sent as UTF-8.
    "half a surrogate pair in a mapping": post().wire() | {"caption_text": "\ud83d"},
    # Pydantic checks nothing in a copy.
    "half a surrogate pair in a post": post().model_copy(update={"caption_text": "\ud83d"}),
    "a mapping that raises": _Explosive(),
}


@pytest.mark.parametrize("kind", INVALID)
async def test_an_item_that_makes_no_post_is_an_outcome_and_stops_nothing(kind: str) -> None:
    items: list[Any] = [post("0"), INVALID[kind], post("2"), INVALID[kind], post("4")]
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        outcomes = await drain(client.posts.create_many(items, concurrency=1))
        assert {outcome.index for outcome in outcomes if outcome.ok} == {0, 2, 4}
        assert {outcome.index for outcome in outcomes if not outcome.ok} == {1, 3}
        assert in_ledger(sandbox) == Counter([0, 2, 4])


async def test_an_invalid_item_says_what_is_wrong_with_it() -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        (outcome,) = await drain(client.posts.create_many([post().wire() | {"publish_mode": "scheduled"}]))
        assert isinstance(outcome.error, ValidationError)
        assert "schedule_time" in str(outcome.error)


@pytest.mark.parametrize("posts", [None, 5, "posts.csv", b"posts", post(), post().wire()], ids=type)
async def test_what_is_no_collection_of_posts_is_refused_at_once(posts: Any) -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        with pytest.raises(TypeError, match=type(posts).__name__):
            client.posts.create_many(posts)


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, float("inf"), float("nan"), "3"])
async def test_a_concurrency_that_cannot_be_is_refused_at_once(concurrency: Any) -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        with pytest.raises((ValueError, TypeError), match="concurrency"):
            client.posts.create_many([post()], concurrency=concurrency)


# One failure stops nothing.


async def test_failures_of_every_kind_are_outcomes_of_their_own_items() -> None:
    faults = [
        Fault("commit_then_drop", after=3, times=2),
        Fault("bad_request", after=6, times=1),
        Fault("too_many_requests", after=8, times=2, params={"retry_after": "0.01"}),
    ]
    source = Input(30)
    async with Sandbox(faults=faults) as sandbox, client_of(sandbox) as client:
        many = client.posts.create_many(source, concurrency=4)
        outcomes = await drain(many)
        kinds = Counter(type(outcome.error) for outcome in outcomes)
        assert kinds == {type(None): 27, OutcomeUnknownError: 2, BadRequestError: 1}
        await account(sandbox, source, outcomes, many)
        assert sum(in_ledger(sandbox).values()) == 29


@pytest.mark.parametrize("after_sending", [False, True])
@pytest.mark.parametrize("concurrency", [1, None])
async def test_a_middleware_that_raises_for_one_item_stops_nothing(
    after_sending: bool, concurrency: int | None
) -> None:
    async def raise_for_the_second(request: HttpRequest, send: Send) -> HttpAnswer:
        bad = b'"caption_text":"1"' in (request.body or b"")
        if bad and not after_sending:
            raise LookupError(request.endpoint)
        answer = await send(request)
        if bad:
            raise LookupError(request.endpoint)
        return answer

    source = Input(4)
    async with Sandbox() as sandbox, client_of(sandbox, middlewares=[raise_for_the_second]) as client:
        many = client.posts.create_many(source, concurrency=concurrency)
        outcomes = await drain(many)
        assert {outcome.index for outcome in outcomes if outcome.ok} == {0, 2, 3}
        # If it raised after sending, the outcome may not say that the post was not created.
        await account(sandbox, source, outcomes, many)


# The hook for journals.


@pytest.mark.parametrize("concurrency", [1, None])
async def test_the_hook_is_awaited_before_every_attempt_and_nothing_goes_out_before_it_returns(
    concurrency: int | None,
) -> None:
    seen: list[tuple[int, Any]] = []
    gate = asyncio.Event()

    async def hook(index: int, item: Any) -> None:
        seen.append((index, item))
        await gate.wait()

    posts = [post(str(number)) for number in range(3)]
    async with Sandbox(faults=[Fault("too_many_requests", times=1, params={"retry_after": "0.01"})]) as sandbox:
        client = client_of(sandbox)
        async with client:
            fetching = asyncio.create_task(
                drain(client.posts.create_many(posts, concurrency=concurrency, before_send=hook))
            )
            while len(seen) < (concurrency or 3):  # noqa: ASYNC110 - the hook is what is tested
                await asyncio.sleep(0)
            for _ in range(20):
                await asyncio.sleep(0.001)
            assert len(seen) == (concurrency or 3)
            assert sandbox.ledger.attempts() == 0
            gate.set()
            assert all(outcome.ok for outcome in await fetching)
            assert sandbox.ledger.attempts() == len(seen) == 4
            assert all(item is posts[index] for index, item in seen)


class _OwnError(Exception):
    pass


@pytest.mark.parametrize("error", [_OwnError, asyncio.CancelledError, TimeoutError])
@pytest.mark.parametrize("concurrency", [1, None])
async def test_a_hook_that_raises_keeps_its_own_post_back_and_no_other(
    error: type[BaseException], concurrency: int | None
) -> None:
    async def hook(index: int, _item: Any) -> None:
        if index == 1:
            raise error

    source = Input(4)
    async with Sandbox() as sandbox, client_of(sandbox, rate_limit=RateLimit()) as client:
        many = client.posts.create_many(source, concurrency=concurrency, before_send=hook)
        outcomes = await drain(many)
        await account(sandbox, source, outcomes, many)
        assert {outcome.index for outcome in outcomes if outcome.ok} == {0, 2, 3}
        assert in_ledger(sandbox) == Counter([0, 2, 3])
        # Its permit is free at once.
        assert client.rate_limiter.snapshot().in_use == 3


async def test_an_early_end_while_the_hook_works_sends_nothing() -> None:
    source, working = Input(), asyncio.Event()

    async def hook(_index: int, _item: Any) -> None:
        working.set()
        await asyncio.sleep(SOON)

    async with Sandbox() as sandbox, client_of(sandbox) as client:
        many = client.posts.create_many(source, concurrency=3, before_send=hook)
        fetching = asyncio.create_task(drain(many))
        await working.wait()
        fetching.cancel()
        await asyncio.wait([fetching])
        await account(sandbox, source, [], many)
        assert {type(outcome.error) for outcome in many.undelivered} == {NotSentError}
        assert not sandbox.ledger.endpoints


@pytest.mark.parametrize("who", ["hook", "input"])
async def test_the_hook_or_the_input_may_end_it_and_does_not_wait_for_itself(who: str) -> None:
    source, got = Input(), list[PostOutcome]()

    async def hook(index: int, _item: Any) -> None:
        if who == "hook" and index == 3:
            await many.aclose()

    async def posts() -> AsyncIterator[CreatePost]:
        for each in source:
            if who == "input" and source.taken == 4:
                source.taken -= 1
                await many.aclose()
            yield each

    async with Sandbox(latency=0.002) as sandbox, client_of(sandbox) as client:
        many = client.posts.create_many(posts(), concurrency=2, before_send=hook)
        await fetch_into(got, many)
        await account(sandbox, source, got, many)
        assert 3 not in in_ledger(sandbox)


# Errors of the input.


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_an_input_that_raises_does_so_at_the_consumer_after_what_was_taken_has_its_outcomes(kind: str) -> None:
    source = Input(3)

    def broken() -> Iterator[CreatePost]:
        yield from source
        raise _OwnError

    async with Sandbox(latency=0.05) as sandbox, client_of(sandbox) as client:
        many = client.posts.create_many(broken() if kind == "sync" else _async_generator(broken()))
        got: list[PostOutcome] = []
        with pytest.raises(_OwnError):
            await fetch_into(got, many)
        await account(sandbox, source, got, many)
        # Their answers were on the way; cancelling them would have made their outcome unknown without need.
        assert [outcome.index for outcome in got if outcome.ok] == [0, 1, 2]


async def test_an_input_that_cannot_even_be_iterated_says_so_at_the_consumer() -> None:
    class Broken:
        def __iter__(self) -> Iterator[CreatePost]:
            raise _OwnError

    async with Sandbox() as sandbox, client_of(sandbox) as client:
        with pytest.raises(_OwnError):
            await drain(client.posts.create_many(Broken()))
        assert not running()


# How much is taken, and when.


async def test_nothing_is_taken_and_nothing_is_sent_before_the_first_fetch() -> None:
    source = Input(5)
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        many = client.posts.create_many(source)
        await asyncio.sleep(0.02)
        assert source.taken == 0
        await many.aclose()
        assert await drain(many) == []
        assert (source.taken, many.undelivered) == (0, [])
        assert not sandbox.ledger.endpoints


async def test_an_endless_input_is_taken_only_as_fast_as_its_outcomes_are_fetched() -> None:
    source, got = Input(), list[PostOutcome]()
    async with (
        Sandbox() as sandbox,
        client_of(sandbox) as client,
        client.posts.create_many(source, concurrency=5) as many,
    ):
        async for outcome in many:
            got.append(outcome)
            # A consumer slower than the server.
            await asyncio.sleep(0.003)
            # The feeder may hold one more in its hand.
            assert source.taken <= len(got) + 5 + 1
            if len(got) == 40:
                break
        await many.aclose()
        await account(sandbox, source, got, many)


async def test_concurrency_bounds_what_is_in_flight() -> None:
    now = most = 0

    async def count(request: HttpRequest, send: Send) -> HttpAnswer:
        nonlocal now, most
        now += 1
        most = max(most, now)
        try:
            return await send(request)
        finally:
            now -= 1

    async with Sandbox(latency=0.005) as sandbox, client_of(sandbox, middlewares=[count]) as client:
        for concurrency in (1, 4):
            now = most = 0
            await drain(client.posts.create_many(Input(16), concurrency=concurrency))
            assert most == concurrency


async def test_ten_thousand_items_need_no_more_memory_than_a_few() -> None:
    alive: dict[int, weakref.ref[CreatePost]] = {}
    template = post()

    def posts() -> Iterator[CreatePost]:
        for number in range(10_000):
            each = template.model_copy()
            alive[number] = weakref.ref(each, lambda _, number=number: alive.pop(number))  # type: ignore[misc]
            yield each

    async def answer_at_once(_request: HttpRequest, _send: Send) -> HttpAnswer:
        return OK

    most_alive = most_tasks = fetched = 0
    async with client_at("http://localhost:1", middlewares=[answer_at_once]) as client:
        async for outcome in client.posts.create_many(posts()):
            assert outcome.ok
            fetched += 1
            if fetched % 500 == 0:
                most_alive = max(most_alive, len(alive))
                most_tasks = max(most_tasks, len(asyncio.all_tasks()))
    assert fetched == 10_000
    # 100 in flight or waiting to be fetched, one with the consumer, one in the feeder's hand.
    assert most_alive <= 110
    assert most_tasks <= 110


async def test_outcomes_come_while_the_input_is_still_waiting_for_its_next_item() -> None:
    gate = asyncio.Event()

    async def two_with_a_wait_between() -> AsyncIterator[CreatePost]:
        yield post("0")
        await gate.wait()
        yield post("1")

    async with Sandbox() as sandbox, client_of(sandbox) as client:
        many = client.posts.create_many(two_with_a_wait_between())
        async with asyncio.timeout(SOON):
            assert (await anext(many)).index == 0
            gate.set()
            assert (await anext(many)).index == 1
            assert await drain(many) == []


async def test_an_input_that_blocks_the_loop_now_and_then_loses_nothing() -> None:
    source = Input(10)

    def blocking() -> Iterator[CreatePost]:
        for each in source:
            # It blocks the loop, which is what is tested; nothing depends on how long.
            time.sleep(0.01)
            yield each

    async with Sandbox() as sandbox, client_of(sandbox, rate_limit=RateLimit()) as client:
        many = client.posts.create_many(blocking(), concurrency=3)
        await account(sandbox, source, await drain(many), many)


async def test_a_slow_answer_does_not_hold_the_others_up() -> None:
    fault = Fault("slow_answer", times=1, params={"delay": 0.2})
    async with Sandbox(faults=[fault]) as sandbox, client_of(sandbox) as client:
        order = [outcome.index for outcome in await drain(client.posts.create_many(Input(5)))]
    assert sorted(order) == [0, 1, 2, 3, 4]
    assert order[-1] == 0


async def test_two_at_once_have_nothing_to_do_with_each_other() -> None:
    async with Sandbox() as sandbox, client_of(sandbox, rate_limit=RateLimit()) as client:
        one = client.posts.create_many((post(str(number)) for number in range(20)), concurrency=3)
        two = client.posts.create_many((post(str(number)) for number in range(20, 40)), concurrency=3)
        outcomes = await asyncio.gather(drain(one), drain(two))
        for each in outcomes:
            assert sorted(outcome.index for outcome in each) == list(range(20))
        assert in_ledger(sandbox) == Counter(range(40))


async def test_ordinary_calls_need_not_wait_behind_the_bulk() -> None:
    async with (
        Sandbox() as sandbox,
        client_of(sandbox, rate_limit=RateLimit(limit=50)) as client,
        client.posts.create_many(Input()) as many,
    ):
        await anext(many)
        await client.posts.upcoming()
        # 50 a second: had it queued behind the bulk calls that wait, all of those would have gone before it.
        assert sandbox.ledger.attempts("create-post") < 32
        assert client.rate_limiter.snapshot().queued_bulk > 0


async def test_the_lane_of_a_copy_that_was_made_for_it_is_kept_for_the_bulk() -> None:
    async with Sandbox() as sandbox, client_of(sandbox, rate_limit=RateLimit()) as client:
        urgent = client.with_options(lane=Lane.ORDINARY)
        assert all(outcome.ok for outcome in await drain(urgent.posts.create_many(Input(10))))


# Ending early.


@pytest.mark.parametrize("turns", [0, 1, 2, 5, 13, 34])
@pytest.mark.parametrize("limit", [None, 100])
async def test_closing_accounts_for_everything_that_was_taken(turns: int, limit: int | None) -> None:
    source, got = Input(), list[PostOutcome]()
    async with (
        Sandbox(latency=0.004) as sandbox,
        client_of(sandbox, rate_limit=RateLimit(limit=limit, burst=20)) as client,
    ):
        many = client.posts.create_many(source, concurrency=6)
        got.append(await anext(many))
        for _ in range(turns):
            await asyncio.sleep(0)
        await many.aclose()
        assert not running()
        await account(sandbox, source, got, many)


async def test_outcomes_that_were_there_but_not_fetched_are_undelivered_with_their_results() -> None:
    source = Input(4)
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        many = client.posts.create_many(source)
        got = [await anext(many)]
        await settle(sandbox)
        await many.aclose()
        assert all(outcome.ok and outcome.result is not None for outcome in many.undelivered)
        assert len(many.undelivered) == 3
        await account(sandbox, source, got, many)


async def test_what_is_in_flight_at_an_early_end_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    events: list[OutcomeEvent] = []
    source = Input(5)
    async with Sandbox(latency=SOON) as sandbox, client_of(sandbox, on_outcome=events.append) as client:
        many = client.posts.create_many(source)
        fetching = asyncio.create_task(drain(many))
        while sandbox.ledger.attempts() < 5:  # noqa: ASYNC110 - the server is another program in principle
            await asyncio.sleep(0.001)
        fetching.cancel()
        await asyncio.wait([fetching])
        assert {type(outcome.error) for outcome in many.undelivered} == {OutcomeUnknownError}
        assert [event.cancelled for event in events] == [True] * 5
        [line] = caplog.messages
        assert "5 posts" in line
        assert in_ledger(sandbox) == Counter(range(5))


def test_what_nobody_can_fetch_any_more_is_logged(tmp_path: Path) -> None:
    """The consumer raises, so the client closes and the program ends; the iterator lives on in the traceback."""
    script = tmp_path / "program.py"
    script.write_text(_PROGRAM, encoding="utf-8")
    root = str(Path(__file__).parents[2])
    ended = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
    assert "OSError: disk full" in ended.stdout
    assert "4 posts in flight may or may not have been created" in ended.stdout


_PROGRAM = """
import asyncio, logging
from marketingblocks_async import MarketingBlocks
from marketingblocks_async.sandbox import Sandbox
from tests.support.clients import post

logging.basicConfig()

async def main():
    async with Sandbox(faults=["commit_then_stall:endpoint=create-post,after=1"]) as sandbox:
        async with MarketingBlocks(sandbox.token, base_url=sandbox.base_url) as client:
            many = client.posts.create_many([post()] * 5)
            async for outcome in many:
                while sandbox.ledger.attempts() < 5:
                    await asyncio.sleep(0.001)
                raise OSError("disk full")

asyncio.run(main())
"""


async def test_an_input_that_goes_on_in_spite_of_its_cancellation_keeps_nobody_waiting() -> None:
    """Python 3.11's wait_for() may lose a cancellation, and comes back with what it waited for."""

    async def stubborn() -> AsyncIterator[Any]:
        yield post("first")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            yield post("late")
        await asyncio.Event().wait()

    async with Sandbox() as sandbox, client_of(sandbox) as client:
        many = client.posts.create_many(stubborn())
        await anext(many)
        await asyncio.sleep(0.01)
        async with asyncio.timeout(10):
            await many.aclose()
        [outcome] = many.undelivered
        assert isinstance(outcome.error, NotSentError)
        assert len(sandbox.posts) == 1


async def test_leaving_the_loop_and_dropping_the_iterator_ends_it() -> None:
    source, got = Input(), list[PostOutcome]()
    async with Sandbox(latency=0.005) as sandbox, client_of(sandbox) as client:
        many = client.posts.create_many(source, concurrency=5)
        undelivered, gone = many.undelivered, weakref.ref(many)
        async for outcome in many:
            got.append(outcome)
            break
        del many
        gc.collect()
        await settle(sandbox)
        assert gone() is None
        assert not running()
        taken = source.taken
        await settle(sandbox)
        assert source.taken == taken
        indexes = {outcome.index for outcome in [*got, *undelivered]}
        assert indexes >= set(in_ledger(sandbox))
        assert indexes == set(range(taken))


async def test_an_error_in_the_consumer_ends_it() -> None:
    source, got = Input(), list[PostOutcome]()
    async with Sandbox(latency=0.005) as sandbox, client_of(sandbox) as client:
        many = client.posts.create_many(source, concurrency=5)

        async def consume() -> None:
            async with many:
                async for outcome in many:
                    got.append(outcome)
                    if len(got) == 8:
                        raise _OwnError

        with pytest.raises(_OwnError):
            await consume()
        assert not running()
        await account(sandbox, source, got, many)


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 15, 30])
@pytest.mark.parametrize("times", [1, 3])
async def test_cancelling_the_consumer_ends_it(turns: int, times: int) -> None:
    source, got = Input(), list[PostOutcome]()
    async with Sandbox(latency=0.004) as sandbox, client_of(sandbox) as client:
        many = client.posts.create_many(source, concurrency=6)

        async def consume() -> None:
            async with many:
                async for outcome in many:
                    got.append(outcome)

        consumer = asyncio.create_task(consume())
        for _ in range(turns):
            await asyncio.sleep(0)
        for _ in range(times):
            consumer.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await consumer
        await account(sandbox, source, got, many)


@pytest.mark.parametrize("delay", [0.002, 0.01, 0.03])
async def test_nothing_is_lost_when_all_tasks_are_cancelled_together(delay: float) -> None:
    """What asyncio.run() does at its end, here to a consumer in the background."""
    source, got = Input(), list[PostOutcome]()
    async with Sandbox(latency=0.01) as sandbox, client_of(sandbox) as client:
        many = client.posts.create_many(source, concurrency=6)

        consumer = asyncio.create_task(fetch_into(got, many))
        await asyncio.sleep(delay)
        assert running()
        for task in {consumer, *running()}:
            task.cancel()
        await asyncio.wait([consumer])
        await account(sandbox, source, got, many)


async def test_it_can_be_closed_while_another_task_waits_for_an_outcome() -> None:
    """A stop button."""
    source, got = Input(), list[PostOutcome]()
    async with Sandbox(latency=0.05) as sandbox, client_of(sandbox) as client:
        many = client.posts.create_many(source, concurrency=3)

        consumer = asyncio.create_task(fetch_into(got, many))
        await asyncio.sleep(0.02)
        try:
            async with asyncio.timeout(SOON):
                await many.aclose()
                await consumer
        finally:
            consumer.cancel()
            await asyncio.wait([consumer])
        await account(sandbox, source, got, many)


async def test_a_fetch_that_took_too_long_does_not_pass_for_the_end() -> None:
    source = Input(6)
    async with Sandbox(latency=0.05) as sandbox, client_of(sandbox) as client:
        many = client.posts.create_many(source, concurrency=2)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await anext(many)
        # A clean end would say that all posts are done.
        with pytest.raises(ConfigurationError, match="undelivered"):
            await anext(many)
        await account(sandbox, source, [], many)


async def test_closing_twice_and_after_the_end_does_nothing() -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        async with client.posts.create_many(Input(2)) as many:
            assert len(await drain(many)) == 2
            await many.aclose()
        await many.aclose()
        assert many.undelivered == []
        assert await drain(many) == []


async def test_an_early_end_closes_an_async_input_before_it_returns() -> None:
    source = Input()
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        async with client.posts.create_many(source.slowly(0.001), concurrency=2) as many:
            await anext(many)
        assert source.closed == ["input"]
        assert not running()


@pytest.mark.parametrize("close", ["now", "later"])
async def test_every_item_has_its_outcome_when_the_client_closes_in_the_middle(close: str) -> None:
    source, got = Input(60), list[PostOutcome]()
    async with Sandbox(latency=0.01) as sandbox:
        client = client_of(sandbox, rate_limit=RateLimit())
        await client.open()
        many = client.posts.create_many(source, concurrency=6)
        async with asyncio.timeout(SOON):
            async for outcome in many:
                got.append(outcome)
                if len(got) == 10:
                    await client.close()
                    if close == "now":
                        break
        await many.aclose()
        allowed = (type(None), NotSentError, OutcomeUnknownError, ConfigurationError)
        assert all(isinstance(outcome.error, allowed) for outcome in [*got, *many.undelivered])
        await account(sandbox, source, got, many)
        if close == "later":
            assert (len(got), source.taken) == (60, 60)


async def test_an_endless_input_ends_or_lets_others_run_when_the_client_is_closed() -> None:
    async with Sandbox() as sandbox:
        client: MarketingBlocks = client_of(sandbox)
        await client.open()
        others = 0

        async def another() -> None:
            nonlocal others
            while True:
                others += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(another())
        async with client.posts.create_many(Input(), concurrency=5) as many:
            async for outcome in many:
                if outcome.index == 5:
                    await client.close()
                if outcome.index > 500:
                    break
        task.cancel()
        assert others > 50


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
@pytest.mark.parametrize("turns", [0, 3, 9])
async def test_with_eager_tasks(turns: int) -> None:
    asyncio.get_running_loop().set_task_factory(getattr(asyncio, "eager_task_factory"))  # noqa: B009 - not in 3.11
    source = Input(30)
    async with Sandbox(latency=0.003) as sandbox, client_of(sandbox) as client:
        whole = client.posts.create_many(source, concurrency=4)
        await account(sandbox, source, await drain(whole), whole)
    source = Input()
    async with Sandbox(latency=0.003) as sandbox, client_of(sandbox) as client:
        many = client.posts.create_many(source, concurrency=4)
        got = [await anext(many)]
        for _ in range(turns):
            await asyncio.sleep(0)
        await many.aclose()
        await account(sandbox, source, got, many)


class TestStoredPosts:
    """Posts that were checked before and are kept as JSON text."""

    async def test_are_sent_byte_for_byte(self) -> None:
        bodies: list[bytes | None] = []

        async def note(request: HttpRequest, _send: Send) -> HttpAnswer:
            bodies.append(request.body)
            return OK

        text = '{ "caption_text":"Zoë 😀",  "a field of a later version": 1}'
        async with Sandbox() as sandbox, client_of(sandbox, middlewares=[note]) as client:
            (outcome,) = await drain(client.posts.create_many([StoredPost(text)]))
        assert outcome.ok
        assert bodies == [text.encode()]

    async def test_errors_show_their_fields(self) -> None:
        stored = StoredPost(post("5").wire_json().decode())
        async with Sandbox(faults=[Fault("commit_then_drop")]) as sandbox, client_of(sandbox) as client:
            (outcome,) = await drain(client.posts.create_many([stored]))
        assert isinstance(outcome.error, OutcomeUnknownError)
        assert isinstance(outcome.error.request, StoredPost)
        assert dict(outcome.error.request) == post("5").wire()
        assert len(stored) == len(post("5").wire())
        assert repr(stored) == f"StoredPost({stored.text!r})"
