"""Which connection a request gets, after connections turned out dead: over a real socket."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Coroutine
from typing import Any, cast

import pytest

from marketingblocks_async import APIConnectionError, OutcomeUnknownError, RateLimit, RetryPolicy, clock
from marketingblocks_async.limits.limiter import RateLimiter
from marketingblocks_async.transport import keepalive
from marketingblocks_async.transport.attempt import Attempt
from tests.support.clients import client_at, post
from tests.support.polling import until
from tests.support.raw_server import RawRequest, RawServer, Respond, answer

OK = answer(b'{"status": true, "post_id": 1, "up_coming": []}')


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let writes wait for the result of a trial however busy the machine is."""
    monkeypatch.setattr(keepalive, "SHORTEST_TRY", 60.0)
    monkeypatch.setattr(keepalive, "LONGEST_TRY", 60.0)


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


async def test_closed_connections_are_forgotten() -> None:
    async def respond(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        writer.write(OK)
        return False

    async with RawServer(respond) as server, client_at(server.base_url) as client:
        for _ in range(12):
            await asyncio.gather(*(client.posts.upcoming() for _ in range(20)))
        assert server.connections == 240
        assert len(cast("Any", client)._executor.transport._connector._used) <= 101


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


@pytest.mark.usefixtures("patient")
async def test_a_write_that_opens_a_connection_meanwhile_closes_no_other() -> None:
    arrived, may_answer = asyncio.Event(), asyncio.Event()

    async def respond(request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        if b"trying" in request.body:
            arrived.set()
            await may_answer.wait()
        writer.write(OK)
        return True

    async with RawServer(respond) as server, client_at(server.base_url) as client:
        await asyncio.gather(*(client.posts.create(post()) for _ in range(3)))
        cast("Any", client)._executor.transport._connector._lesson.is_slow = True
        trying = asyncio.create_task(client.posts.create(post("trying")))
        await arrived.wait()
        await client.posts.create(post())
        may_answer.set()
        await trying
        assert server.connections == 4
        await asyncio.gather(*(client.posts.create(post()) for _ in range(4)))
        assert server.connections == 4


@pytest.mark.usefixtures("own_limiters")
@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("why", ["cancelled", "late"])
async def test_a_connection_is_put_back_unless_it_has_had_no_request(
    why: str, used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would pass for a new one, whatever its age."""
    held_back = asyncio.Event()

    async def respond(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        writer.write(OK)
        return True

    async def wait_for_ever(_limiter: RateLimiter, *, owner: object = None) -> None:
        del owner
        held_back.set()
        await asyncio.Event().wait()

    async with RawServer(respond) as server, client_at(server.base_url, rate_limit=RateLimit()) as client:
        if used:
            await client.posts.create(post())
        with monkeypatch.context() as patch:
            if why == "late":
                lates = iter([True])
                patch.setattr(Attempt, "is_late", property(lambda _attempt: next(lates, False)))
                await client.posts.create(post())
            else:
                patch.setattr(RateLimiter, "wait_to_write", wait_for_ever)
                waiting = asyncio.create_task(client.posts.create(post()))
                await held_back.wait()
                waiting.cancel()
                await asyncio.wait([waiting])
        await client.posts.create(post())
        assert server.connections == (1 if used else 2)


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


async def test_a_new_connection_that_waited_long_to_be_written_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = iter([keepalive.KEEPALIVE])

    async def wait_long(_attempt: Attempt, wait: Coroutine[Any, Any, None]) -> float:
        await wait
        return next(waits, 0.0)

    async def respond(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        writer.write(OK)
        return True

    monkeypatch.setattr(Attempt, "hold_back", wait_long)
    async with RawServer(respond) as server, client_at(server.base_url, rate_limit=RateLimit()) as client:
        for _ in range(2):
            assert (await client.posts.create(post())).post_id == 1
        assert server.connections == 2


@pytest.mark.parametrize("used", [True, False])
async def test_no_write_uses_a_connection_that_is_older_than_the_sleep_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, used: bool
) -> None:
    slept = 0.0
    since_boot, wait_to_write = clock.now, RateLimiter.wait_to_write

    async def wait_asleep(self: RateLimiter, *, owner: object = None) -> None:
        nonlocal slept
        await wait_to_write(self, owner=owner)
        slept = 3600.0

    async def respond(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        writer.write(OK)
        return True

    # ``time.monotonic()`` stands still meanwhile.
    monkeypatch.setattr(clock, "now", lambda: since_boot() + slept)
    async with RawServer(respond) as server, client_at(server.base_url, rate_limit=RateLimit()) as client:
        if used:
            await client.posts.create(post())
            slept = 3600.0
        else:
            monkeypatch.setattr(RateLimiter, "wait_to_write", wait_asleep)
        assert (await client.posts.create(post())).post_id == 1
        assert server.connections == 2


async def test_writes_that_wait_for_one_that_is_held_back_are_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their time ran, so in a pause they ended as not sent."""
    may_write = asyncio.Event()

    async def wait_to_write(_limiter: RateLimiter, *, owner: object = None) -> None:
        del owner
        await may_write.wait()

    async def respond(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        writer.write(OK)
        return True

    async with RawServer(respond) as server, client_at(server.base_url, rate_limit=RateLimit()) as client:
        await asyncio.gather(*(client.posts.create(post()) for _ in range(3)))
        monkeypatch.setattr(RateLimiter, "wait_to_write", wait_to_write)
        calls = [asyncio.create_task(client.posts.create(post())) for _ in range(3)]
        [timer] = cast("Any", client)._executor.transport._timers.values()
        attempts: dict[Attempt, float] = timer._attempts
        await until(lambda: [each.waiting_since is not None for each in attempts] == [True] * 3)
        may_write.set()
        assert [post.post_id for post in await asyncio.gather(*calls)] == [1] * 3
        assert server.connections == 3
