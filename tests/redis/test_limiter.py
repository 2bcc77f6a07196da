"""Limiters on one Redis; several of one token in a process stand for several processes."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest
import redis.asyncio

from marketingblocks_async import ConfigurationError, Lane, MarketingBlocks, NotSentError
from marketingblocks_async.limits.settings import Permit, WaitEndedError
from marketingblocks_async.redis import RedisRateLimit, RedisRateLimiter
from marketingblocks_async.redis.connection import NEEDED
from marketingblocks_async.sandbox import Sandbox
from marketingblocks_async.testing.redis_server import PrivateRedis
from tests.support.polling import until

TOKEN = "a-secret-token"

MakeLimiter = Callable[[], RedisRateLimiter]


@pytest.fixture
def setting(server: PrivateRedis) -> RedisRateLimit:
    return RedisRateLimit(server.url, limit=20)


@pytest.fixture
async def make(setting: RedisRateLimit) -> AsyncIterator[MakeLimiter]:
    made: list[RedisRateLimiter] = []

    def make() -> RedisRateLimiter:
        made.append(RedisRateLimiter(setting, "https://api.example/v1", TOKEN))
        return made[-1]

    yield make
    for limiter in made:
        limiter.close()


def end(permit: Permit) -> None:
    permit.sending()
    permit.answered()


async def test_permits_are_leased_when_needed(make: MakeLimiter) -> None:
    limiter = make()
    assert limiter.snapshot().held == 0
    end(await limiter.acquire())
    snapshot = limiter.snapshot()
    assert snapshot.held > 0
    assert snapshot.out_of_reach_for is None
    assert snapshot.limit == 20
    await until(lambda: limiter.snapshot().held == 0)
    # Given away before it came back.
    assert limiter.snapshot().in_use == 0


async def test_the_thread_ends_when_the_last_limiter_is_closed_also_one_that_rests(make: MakeLimiter) -> None:
    limiter = make()
    lease, worker = cast("Any", limiter)._lease, cast("Any", limiter)._worker
    end(await limiter.acquire())
    await until(lambda: lease.due == math.inf)
    limiter.close()
    await until(lambda: worker._thread is None)


async def test_two_processes_share_evenly(make: MakeLimiter) -> None:
    one, two = make(), make()

    async def use(limiter: RedisRateLimiter, calls: int) -> None:
        async def call() -> None:
            permit = await limiter.acquire()
            await limiter.wait_to_write()
            end(permit)

        await asyncio.gather(*(call() for _ in range(calls)))

    tasks = [asyncio.create_task(use(limiter, 60)) for limiter in (one, two)]
    await until(lambda: one.snapshot().held == two.snapshot().held == 10)
    assert one.snapshot().rate == pytest.approx(10.0, rel=0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_order_within_a_process(make: MakeLimiter) -> None:
    limiter = make()
    order: list[str] = []

    async def call(name: str, lane: Lane) -> None:
        permit = await limiter.acquire(lane)
        order.append(name)
        end(permit)

    names = [("bulk", Lane.BULK)] * 5 + [("call", Lane.ORDINARY)] * 5
    tasks = [asyncio.create_task(call(f"{name} {n}", lane)) for n, (name, lane) in enumerate(names)]
    await asyncio.gather(*tasks)
    assert order == [f"call {n}" for n in range(5, 10)] + [f"bulk {n}" for n in range(5)]


async def test_a_cancelled_call_leaks_nothing(make: MakeLimiter) -> None:
    limiter = make()
    tasks = [asyncio.create_task(limiter.acquire()) for _ in range(200)]
    await until(lambda: limiter.snapshot().granted > 0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for granted in [task for task in tasks if not task.cancelled()]:
        granted.result().release()
    tasks.clear()
    await until(lambda: limiter.snapshot().in_use == 0 and limiter.snapshot().held == 0)


async def test_a_429_pauses_all_processes(make: MakeLimiter) -> None:
    one, two = make(), make()
    end(await two.acquire())
    end(await one.acquire())
    one.pause(30.0)
    # The one in use hears of it in its next exchange, a third one before its first grant.
    await until(lambda: two.snapshot().paused_for > 20.0)
    assert two.snapshot().rate == pytest.approx(0.95 * two.snapshot().share, rel=0.01)
    waiting = asyncio.create_task(make().acquire())
    _, pending = await asyncio.wait([waiting], timeout=0.3)
    assert pending
    waiting.cancel()
    # The hundredth of a second is for the way.
    assert abs(one.snapshot().paused_for - two.snapshot().paused_for) < 1.0


async def test_no_token_is_in_redis(make: MakeLimiter, server: PrivateRedis) -> None:
    limiter = make()
    end(await limiter.acquire())
    keys = await server.command("KEYS", "*")
    assert len(keys) == 2
    for key in keys:
        assert TOKEN.encode() not in key
        assert TOKEN.encode() not in await server.command("GET", key)
    assert TOKEN not in repr(vars(limiter))


async def test_other_settings_elsewhere_are_an_error(make: MakeLimiter, server: PrivateRedis) -> None:
    end(await make().acquire())
    other = RedisRateLimiter(RedisRateLimit(server.url, limit=21), "https://api.example/v1", TOKEN)
    with pytest.raises(ConfigurationError, match="limit=20"):
        await other.acquire()
    other.close()


async def test_wrong_credentials_are_an_error(server: PrivateRedis) -> None:
    await server.command("CONFIG", "SET", "requirepass", "right")
    limiter = RedisRateLimiter(RedisRateLimit(server.url.replace("//", "//:wrong@")), "https://api.example/v1", TOKEN)
    with pytest.raises(ConfigurationError, match="denies access") as caught:
        await limiter.acquire()
    assert "wrong@" not in str(caught.value)
    limiter.close()


@pytest.mark.parametrize("rights", ["-@dangerous", "-info", "-time", "-get", "-set", "-evalsha", "-script|load"])
async def test_commands_that_are_not_allowed_are_an_error(server: PrivateRedis, rights: str) -> None:
    await server.command("ACL", "SETUSER", "app", "reset", "on", ">secret", "~*", "+@all", rights)
    setting = RedisRateLimit(server.url.replace("//", "//app:secret@"))
    limiter = RedisRateLimiter(setting, "https://api.example/v1", TOKEN)
    with pytest.raises(ConfigurationError, match=f"denies access.*its user needs {NEEDED}"):
        await limiter.acquire()
    limiter.close()


async def test_the_commands_that_the_error_names_are_enough(server: PrivateRedis) -> None:
    commands = [f"+{name.lower().replace(' ', '|')}" for name in re.split(", | and ", NEEDED)]
    await server.command("ACL", "SETUSER", "app", "reset", "on", ">secret", "~{marketingblocks}*", *commands)
    setting = RedisRateLimit(server.url.replace("//", "//app:secret@"))
    limiter = RedisRateLimiter(setting, "https://api.example/v1", TOKEN)
    end(await limiter.acquire())
    limiter.close()


async def test_on_failure_fail(server: PrivateRedis) -> None:
    # Longer than a busy machine needs for an exchange.
    setting = RedisRateLimit(server.url, on_failure="fail", lease=1.0)
    await server.kill()
    limiter = RedisRateLimiter(setting, "https://api.example/v1", TOKEN)
    with pytest.raises(WaitEndedError, match="cannot be reached"):
        await limiter.acquire()
    limiter.close()
    async with Sandbox() as sandbox:
        async with MarketingBlocks(sandbox.token, base_url=sandbox.base_url, rate_limit=setting) as client:
            with pytest.raises(NotSentError, match="not sent: Redis at"):
                await client.posts.upcoming()
            await server.start()
            await server.settle()
            await client.posts.upcoming()
        assert len(sandbox.ledger.arrivals()) == 1


async def test_on_failure_wait(server: PrivateRedis) -> None:
    await server.kill()
    limiter = RedisRateLimiter(RedisRateLimit(server.url, lease=0.2), "https://api.example/v1", TOKEN)
    waiting = asyncio.create_task(limiter.acquire())
    await until(lambda: 0 < (limiter.snapshot().out_of_reach_for or 0) < 60)
    assert not waiting.done()
    await server.start()
    await server.settle()
    end(await waiting)
    assert limiter.snapshot().out_of_reach_for is None
    limiter.close()


async def test_a_deadline_that_passes_without_redis_says_so(server: PrivateRedis) -> None:
    await server.kill()
    setting = RedisRateLimit(server.url, lease=0.2)
    async with Sandbox() as sandbox:
        async with MarketingBlocks(sandbox.token, base_url=sandbox.base_url, rate_limit=setting) as client:
            with pytest.raises(NotSentError, match=r"passed \(Redis, which keeps the rate limit, has been out"):
                await client.posts.upcoming(deadline=0.6)
            client.rate_limiter.pause(9)
            await server.start()
            await server.settle()
            redis_limiter = cast("Any", client.rate_limiter)
            await until(lambda: redis_limiter.snapshot().out_of_reach_for is None)
            assert "pause, which lasts" in str(client.rate_limiter.snapshot().obstacle)
        assert not sandbox.ledger.arrivals()


async def test_a_promoted_replica_is_not_trusted(server: PrivateRedis) -> None:
    async with PrivateRedis() as replica:
        await replica.command("REPLICAOF", *server.url.removeprefix("redis://").split(":"))
        is_synced = 'return string.find(redis.call("INFO"), "master_link_status:up", 1, true) and 1'
        while not await replica.command("EVAL", is_synced, 0):  # noqa: ASYNC110 - asking is the only way
            await asyncio.sleep(0.02)
        urls = [server.url, replica.url]
        # As Sentinel would say it: whoever leads now.
        setting = RedisRateLimit("redis://leader", limit=20, connect=lambda: client_of(urls[0]))
        one, two = (RedisRateLimiter(setting, "https://api.example/v1", TOKEN) for _ in range(2))
        permits = [await one.acquire() for _ in range(5)]
        held = one.snapshot().held
        await server.kill()
        await replica.command("REPLICAOF", "NO", "ONE")
        urls.reverse()
        waiting = asyncio.create_task(two.acquire())
        await until(lambda: one.snapshot().out_of_reach_for is None and one.snapshot().lease_left > 0)
        # The one that holds permits keeps them, and may give some of these to the other one. All others wait until
        # nothing unknown can have an effect.
        await asyncio.wait([waiting], timeout=0.5)
        assert 5 <= one.snapshot().held <= one.snapshot().held + two.snapshot().held <= held
        end(await waiting)
        for permit in permits:
            end(permit)
        one.close()
        two.close()


def client_of(url: str) -> redis.asyncio.Redis:
    host, port = url.removeprefix("redis://").split(":")
    return redis.asyncio.Redis(host=host, port=int(port), socket_timeout=1.0)


async def test_on_failure_share(server: PrivateRedis) -> None:
    await server.kill()
    setting = RedisRateLimit(server.url, limit=21, share=4, lease=0.1, per=0.2, guard=0.0)
    limiter = RedisRateLimiter(setting, "https://api.example/v1", TOKEN)
    began = asyncio.get_running_loop().time()
    end(await limiter.acquire())
    assert asyncio.get_running_loop().time() - began >= setting.recovery
    snapshot = limiter.snapshot()
    assert snapshot.falls_back
    assert snapshot.held == 5
    limiter.close()


async def test_clients_take_it_as_their_limit(setting: RedisRateLimit) -> None:
    async with (
        Sandbox() as sandbox,
        MarketingBlocks(sandbox.token, base_url=sandbox.base_url, rate_limit=setting) as client,
    ):
        await client.posts.upcoming()
        assert client.rate_limiter.snapshot().limit == 20
        assert isinstance(client.rate_limiter, RedisRateLimiter)
        with pytest.raises(ConfigurationError, match="same rate_limit"):
            async with MarketingBlocks(sandbox.token, base_url=sandbox.base_url):
                pass
