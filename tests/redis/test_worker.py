"""The thread that exchanges permits with Redis."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import redis.asyncio

from marketingblocks_async import clock
from marketingblocks_async.limits.limiter import RateLimiter
from marketingblocks_async.redis import RedisRateLimit, RedisRateLimiter
from marketingblocks_async.redis.connection import AccessDeniedError, Connection, Exchange, UnreachableError
from marketingblocks_async.redis.lease import Lease
from marketingblocks_async.redis.pool import LeasedPool
from marketingblocks_async.redis.worker import LeaseWorker
from marketingblocks_async.testing import FakeTime
from marketingblocks_async.testing.redis_server import PrivateRedis
from tests.support.limits import use
from tests.support.polling import until


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "marketingblocks redis"}


async def available(server: PrivateRedis) -> int:
    """Return how many of a token's permits no process holds."""
    (key,) = await server.command("KEYS", "*:token:*")
    script = "local s = cmsgpack.unpack(redis.call('GET', KEYS[1])); return s.free + #s.pool"
    number: int = await server.command("EVAL", script, 1, key)
    return number


async def test_the_thread_ends_with_the_last_limiter(server: PrivateRedis) -> None:
    setting = RedisRateLimit(server.url)
    before = threads()
    limiter = RedisRateLimiter(setting, "https://api.example/v1", "token")
    use(await limiter.acquire())
    (thread,) = threads() - before
    limiter.close()
    await until(lambda: thread not in threads())
    # And a new one begins with the next.
    limiter = RedisRateLimiter(setting, "https://api.example/v1", "token")
    use(await limiter.acquire())
    assert threads() - before
    limiter.close()
    await until(lambda: not threads() - before)


async def test_a_limiter_that_is_closed_during_an_exchange_returns_its_permits(
    server: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It left without another exchange, so no process had its permits until its lease ended."""
    run, before = Connection.run, threads()
    limiter = RedisRateLimiter(RedisRateLimit(server.url, limit=20), "https://api.example/v1", "token")

    async def close_meanwhile(connection: Connection, exchanges: Sequence[Exchange]) -> Any:
        replies = await run(connection, exchanges)
        limiter.close()
        return replies

    monkeypatch.setattr(Connection, "run", close_meanwhile)
    with contextlib.suppress(TimeoutError):
        (await asyncio.wait_for(limiter.acquire(), 0.5)).release()
    await until(lambda: threads() == before)
    # The call may have had one just then.
    assert await available(server) >= 19


async def test_a_denial_is_no_outage(fake_time: FakeTime, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was denied access used its share as soon as Redis died, while the others had valid leases."""
    monkeypatch.setattr(clock, "now", fake_time.monotonic)
    settings = RedisRateLimit("redis://x", share=2)
    pool = LeasedPool(settings.local, fake_time.monotonic, lambda: None)
    lease = Lease(settings, "https://api.example/v1", "token", pool=pool, limiter=RateLimiter(pool))
    # The thread is not started.
    worker: Any = LeaseWorker(settings)

    async def fail(error: UnreachableError, seconds: float) -> bool:
        fake_time.advance(seconds)

        async def run(_exchanges: Sequence[Exchange]) -> Any:
            raise error

        await worker._exchange(SimpleNamespace(run=run), [lease])
        return lease.falls_back

    for _ in range(2):
        assert not await fail(AccessDeniedError("wrong password"), 10.0)
        assert worker.failing_for is not None
        assert not await fail(UnreachableError("gone"), 10.0)
        assert not await fail(UnreachableError("gone"), settings.recovery - 0.01)
    assert await fail(UnreachableError("gone"), 0.02)


PROGRAM = """
import asyncio
import sys

from marketingblocks_async.redis import RedisRateLimit, RedisRateLimiter

limiter = RedisRateLimiter(RedisRateLimit(sys.argv[1], limit=20, lease=60.0), "https://api.example/v1", "token")
asyncio.run(limiter.acquire()).release()
"""


async def test_a_process_returns_its_permits_when_it_ends(server: PrivateRedis) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, server.url)
    assert await process.wait() == 0
    assert await available(server) == 20


async def test_a_limiter_that_is_closed_during_its_last_exchange_before_a_rest_leaves(
    server: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, before = Connection.run, threads()
    limiter = RedisRateLimiter(RedisRateLimit(server.url, limit=20), "https://api.example/v1", "token")

    async def close_meanwhile(connection: Connection, exchanges: Sequence[Exchange]) -> Any:
        replies = await run(connection, exchanges)
        is_idle = exchanges[0].arguments[5]
        if is_idle:
            limiter.close()
            # The thread hears of it before it sees the reply.
            for _ in range(3):
                await asyncio.sleep(0)
        return replies

    monkeypatch.setattr(Connection, "run", close_meanwhile)
    use(await limiter.acquire())
    await until(lambda: threads() == before)


async def test_a_mistake_of_its_own_is_an_outage(server: PrivateRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ended the thread, and the calls of all tokens waited for ever."""
    prepare, mistakes = Lease.prepare, ["inf"]

    def fail_once(lease: Lease) -> list[str | int]:
        return [int(mistakes.pop())] if mistakes else prepare(lease)

    monkeypatch.setattr(Lease, "prepare", fail_once)
    limiter = RedisRateLimiter(RedisRateLimit(server.url), "https://api.example/v1", "token")
    use(await asyncio.wait_for(limiter.acquire(), 20))
    limiter.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_thread_that_died_is_replaced(server: PrivateRedis) -> None:
    deaths = [SystemExit()]
    # redis-py leaves the types of its options open.
    kind: Any = redis.asyncio.Redis

    def connect() -> Any:
        if deaths:
            raise deaths.pop()
        return kind.from_url(server.url)

    limiter = RedisRateLimiter(RedisRateLimit(connect=connect), "https://api.example/v1", "token")
    use(await asyncio.wait_for(limiter.acquire(), 20))
    assert not deaths
    limiter.close()
