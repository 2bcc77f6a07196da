"""Which connection a request gets, after connections turned out dead: over a real socket."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable
from typing import Any, cast

import pytest

from marketingblocks_async import APIConnectionError, OutcomeUnknownError, RateLimit, RetryPolicy
from marketingblocks_async.limits.limiter import RateLimiter
from marketingblocks_async.transport import aiohttp_hooks
from marketingblocks_async.transport.aiohttp_hooks import (
    KEEPALIVE,
    LESSON,
    LONGEST_LESSON,
    LONGEST_TRY,
    SHORTEST_TRY,
    KeepaliveLesson,
)
from marketingblocks_async.transport.attempt import Attempt
from tests.support.clients import client_at, post
from tests.support.raw_server import RawRequest, RawServer, Respond, answer

OK = answer(b'{"status": true, "post_id": 1, "up_coming": []}')


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let writes wait for the result of a trial however busy the machine is."""
    monkeypatch.setattr(aiohttp_hooks, "SHORTEST_TRY", 60.0)
    monkeypatch.setattr(aiohttp_hooks, "LONGEST_TRY", 60.0)


def killing(number: int) -> Respond:
    """Return a server that closes each connection when it has read its request of this number."""
    seen: Counter[int] = Counter()

    async def respond(request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        seen[request.connection] += 1
        if seen[request.connection] == number:
            return False
        writer.write(OK)
        return True

    return respond


@pytest.mark.parametrize("at_once", [1, 20])
async def test_reads_survive_a_server_that_kills_every_second_request_of_a_connection(at_once: int) -> None:
    async with RawServer(killing(2)) as server, client_at(server.base_url, retry=RetryPolicy()) as client:
        for _ in range(600 // at_once):
            await asyncio.gather(*(client.posts.upcoming() for _ in range(at_once)))
        budget = cast("Any", client)._executor.context.budget
        assert budget.left == budget.capacity


@pytest.mark.usefixtures("own_limiters")
async def test_each_repeated_read_has_a_permit_of_its_own() -> None:
    async with (
        RawServer(killing(2)) as server,
        client_at(server.base_url, rate_limit=RateLimit(limit=1000)) as client,
    ):
        for _ in range(50):
            await client.posts.upcoming()
        assert len(server.requests) > 50
        assert client.rate_limiter.snapshot().granted == len(server.requests)


async def test_a_read_is_not_repeated_against_the_policy() -> None:
    async with (
        RawServer(killing(2)) as server,
        client_at(server.base_url, retry=RetryPolicy(max_attempts=1)) as client,
    ):
        await client.posts.upcoming()
        with pytest.raises(APIConnectionError) as caught:
            await client.posts.upcoming()
        assert not isinstance(caught.value, OutcomeUnknownError)


@pytest.mark.usefixtures("patient")
async def test_writes_learn_from_the_first_that_met_a_dead_connection() -> None:
    async with RawServer(killing(2)) as server, client_at(server.base_url) as client:
        results = [await outcome(client.posts.create(post(f"{number}"))) for number in range(150)]
        assert results.count("unknown") <= 1
        assert len(server.requests) == 150


@pytest.mark.usefixtures("patient")
async def test_writes_at_once_learn_as_well() -> None:
    async with RawServer(killing(3)) as server, client_at(server.base_url) as client:
        results: list[str] = []
        for _ in range(30):
            results += await asyncio.gather(*(outcome(client.posts.create(post())) for _ in range(5)))
        # The server is seen to answer twice on a connection, and to fail from the third request on.
        assert results.count("unknown") <= 5
        assert len(server.requests) == 150


@pytest.mark.usefixtures("patient")
async def test_one_write_tries_whether_connections_can_be_used_again() -> None:
    async with RawServer(killing(2)) as server, client_at(server.base_url) as client:
        results: list[str] = []
        for _ in range(15):
            results += await asyncio.gather(*(outcome(client.posts.create(post())) for _ in range(10)))
        assert results.count("unknown") == 1
        assert len(server.requests) == 150


@pytest.mark.usefixtures("patient")
async def test_writes_avoid_connections_idle_for_as_long_as_one_that_was_dead() -> None:
    last: dict[int, float] = {}
    loop = asyncio.get_running_loop()

    async def close_if_idle(request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        # As a server that closes an idle connection at the very moment at which the request arrives.
        idle = loop.time() - last.get(request.connection, loop.time())
        last[request.connection] = loop.time()
        if idle > 0.1:
            return False
        writer.write(OK)
        return True

    async with RawServer(close_if_idle) as server, client_at(server.base_url) as client:
        results: list[str] = []
        for number in range(60):
            results.append(await outcome(client.posts.create(post())))
            await asyncio.sleep(0.15 if number % 5 == 0 else 0)
        assert results.count("unknown") <= 1
        # Young connections are still used.
        assert server.connections < 40


async def outcome(call: Awaitable[object]) -> str:
    try:
        await call
    except OutcomeUnknownError:
        return "unknown"
    return "done"


class TestLesson:
    @pytest.fixture(autouse=True)
    def _clock(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)

    def test_writes_use_younger_connections_for_a_while(self) -> None:
        lesson = KeepaliveLesson()
        assert lesson.allows(KEEPALIVE - 0.1)
        lesson.learn(1.0)
        assert lesson.allows(0.4)
        assert not lesson.allows(0.6)
        assert lesson.distrusted_until == self.now
        self.now += LESSON
        assert lesson.allows(KEEPALIVE - 0.1)

    def test_the_youngest_dead_one_counts(self) -> None:
        lesson = KeepaliveLesson()
        lesson.learn(0.0)
        lesson.learn(2.0)
        assert not lesson.allows(0.0)

    def test_a_lesson_that_has_to_be_learned_again_lasts_longer(self) -> None:
        lesson = KeepaliveLesson()
        lasts = LESSON
        for _ in range(10):
            lesson.learn(1.0)
            self.now += lasts - 1.0
            assert not lesson.allows(0.6)
            self.now += 2.0
            assert lesson.allows(0.6)
            lasts = min(2 * lasts, LONGEST_LESSON)

    @pytest.mark.parametrize(
        ("offer", "longest"),
        [("timeout=5", KEEPALIVE), ("timeout=3, max=100", 2.0), ("max=7, timeout = 1", 0.5), ("timeout=0", 0.0)],
    )
    def test_a_server_s_own_word_is_kept_with_a_distance(self, offer: str, longest: float) -> None:
        lesson = KeepaliveLesson()
        lesson.read_offer(offer)
        assert not lesson.allows(longest)
        assert longest == 0.0 or lesson.allows(longest * 0.99)

    @pytest.mark.parametrize("offer", ["", "max=5", "timeout=x", "timeout=-1"])
    def test_a_word_without_a_time_changes_nothing(self, offer: str) -> None:
        lesson = KeepaliveLesson()
        lesson.read_offer(offer)
        assert lesson.allows(KEEPALIVE - 0.1)


class TestTrial:
    """One write tries whether connections can be used again; the others wait for it, but not for its response."""

    @pytest.fixture(autouse=True)
    def _time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        self.lesson = KeepaliveLesson()
        self.trying, self.other = self.a_write(uses=1), self.a_write(uses=1)
        assert self.lesson.may_try(self.trying)

    def a_write(self, *, uses: int) -> Attempt:
        attempt = Attempt(None, None, "create-post")
        attempt.is_resendable, attempt.idle, attempt.uses = False, 0.0, uses
        return attempt

    async def test_it_has_passed_when_a_dead_connection_would_have_shown_itself(self) -> None:
        self.trying.begin()
        self.now += 60.0
        # Not written yet: the limiter holds it back.
        assert not self.lesson.may_try(self.other)
        self.lesson.opened(0.001)
        self.lesson.sending(self.trying)
        self.now += SHORTEST_TRY * 0.99
        assert not self.lesson.may_try(self.other)
        self.now += SHORTEST_TRY * 0.02
        assert self.lesson.may_try(self.other)
        # Those that have brought more responses are tried anew.
        self.other.uses = 2
        assert self.lesson.may_try(self.other)
        self.other.begin()
        assert not self.lesson.may_try(self.a_write(uses=2))

    async def test_a_far_server_has_more_time_to_say_that_it_has_closed(self) -> None:
        self.trying.begin()
        for seconds in (0.3, 0.15, 0.2):
            self.lesson.opened(seconds)
        self.lesson.sending(self.trying)
        self.now += 0.149
        assert not self.lesson.may_try(self.other)
        self.now += 0.002
        assert self.lesson.may_try(self.other)

    async def test_a_result_ends_the_wait(self) -> None:
        self.trying.begin()
        waiting = asyncio.create_task(self.lesson.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        self.lesson.prove(0.0, 1)
        assert await waiting
        assert self.lesson.may_try(self.other)

    async def test_where_responses_are_slow_the_others_open_connections(self) -> None:
        self.trying.begin()
        self.lesson.answered_on_new(LONGEST_TRY * 1.01)
        self.lesson.sending(self.trying)
        assert not await self.lesson.wait()
        self.now += LONGEST_TRY * 0.99
        assert not self.lesson.may_try(self.other)
        self.now += LONGEST_TRY * 0.02
        assert self.lesson.may_try(self.other)
        # Until one is quick.
        self.lesson.answered_on_new(LONGEST_TRY * 0.99)
        assert self.lesson.may_try(self.a_write(uses=2))
        waiting = asyncio.create_task(self.lesson.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()

    async def test_one_that_passes_without_a_response_shows_that_they_are_slow(self) -> None:
        self.trying.begin()
        self.lesson.sending(self.trying)
        self.now += LONGEST_TRY * 1.01
        assert self.lesson.may_try(self.other)
        assert not await self.lesson.wait()

    async def test_one_that_ends_without_a_result_makes_room_for_the_next(self) -> None:
        assert self.trying.has_ended
        assert self.lesson.may_try(self.other)


@pytest.mark.usefixtures("own_limiters")
async def test_slow_answers_cost_few_further_connections() -> None:
    """While one write tries a connection, the others open a few, and then use those that there are."""

    async def respond(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(0.5)
        writer.write(OK)
        return True

    async with RawServer(respond) as server, client_at(server.base_url) as client:
        for _ in range(5):
            await asyncio.gather(*(client.posts.create(post()) for _ in range(20)))
        assert len(server.requests) == 100
        assert server.connections <= 60


async def test_a_connection_lost_while_it_waits_to_be_written_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    writers: list[asyncio.StreamWriter] = []
    wait_to_write = RateLimiter.wait_to_write

    async def respond(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        writers.append(writer)
        writer.write(OK)
        return True

    async def lose(self: RateLimiter, *, owner: object = None) -> None:
        await wait_to_write(self, owner=owner)
        if len(writers) == 1:
            writers[0].transport.abort()
            # Until this side has heard of it, and shorter than after what it would look for itself.
            for _ in range(5):
                await asyncio.sleep(0)

    monkeypatch.setattr(RateLimiter, "wait_to_write", lose)
    async with RawServer(respond) as server, client_at(server.base_url, rate_limit=RateLimit()) as client:
        for _ in range(2):
            assert (await client.posts.create(post())).post_id == 1
        assert server.connections == 2
