"""The pace: even, slower after 429s, and back. All in fake time."""

from __future__ import annotations

import asyncio
import time

import pytest

from marketingblocks_async.limits.limiter import RateLimiter
from marketingblocks_async.limits.pacing import Pacer
from tests.support.limits import limiter_of, use

pytestmark = pytest.mark.usefixtures("fake_time")


async def test_429s_of_one_burst_slow_it_down_once(limiter: RateLimiter) -> None:
    for _ in range(30):
        limiter.pause(0.1)
    assert limiter.snapshot().rate == pytest.approx(95)
    assert limiter.snapshot().refused == 30
    await asyncio.sleep(4)
    assert limiter.snapshot().rate == pytest.approx(96)
    await asyncio.sleep(60)
    assert limiter.snapshot().rate == pytest.approx(99.8)


async def test_the_grants_slow_down_after_429s_and_recover(limiter: RateLimiter) -> None:
    """Counted by grants, since they follow the stated rate in steps."""

    async def call() -> None:
        use(await limiter.acquire())

    tasks = [asyncio.create_task(call()) for _ in range(9000)]
    for _ in range(8):
        limiter.pause(0.01)
        await asyncio.sleep(0.25)
    counts = list[int]()
    for _ in range(6):
        before = limiter.snapshot().granted
        await asyncio.sleep(10)
        counts.append(limiter.snapshot().granted - before)
    assert counts == sorted(counts)
    assert counts[0] == pytest.approx(676, abs=15)
    assert counts[-1] == pytest.approx(800, abs=15)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_bucket_gives_a_burst_and_then_the_rate() -> None:
    pacer = Pacer(3, 10)
    assert [pacer.try_take() for _ in range(4)] == [True, True, True, False]
    assert not pacer.has_one()
    assert pacer.wait_hint() == pytest.approx(0.1)
    await asyncio.sleep(0.06)
    assert pacer.wait_hint() == pytest.approx(0.05)
    await asyncio.sleep(0.05)
    assert [pacer.try_take() for _ in range(2)] == [True, False]
    await asyncio.sleep(10)
    pacer.drain()
    assert not pacer.try_take()


async def test_unaware_clients_of_one_token_share_the_limit() -> None:
    """Additive increase, multiplicative decrease: the figures that ``AdaptiveRate`` states."""
    log: list[float] = []
    accepted = refused = 0
    stop = time.monotonic() + 120

    async def worker(limiter: RateLimiter) -> None:
        nonlocal accepted, refused
        while time.monotonic() < stop:
            permit = await limiter.acquire()
            permit.sending()
            permit.sent(fresh_connection=False)
            await asyncio.sleep(0.005)
            # The server: a sliding log over all clients.
            now = time.monotonic()
            while log and log[0] <= now - 1:
                del log[0]
            if len(log) < 100:
                log.append(now)
                accepted += 1
            else:
                refused += 1
                limiter.pause(max(log[0] + 1 - now, 0.01))
            await asyncio.sleep(0.005)
            permit.answered()

    limiters = [limiter_of() for _ in range(4)]
    await asyncio.gather(*(worker(limiter) for limiter in limiters for _ in range(50)))
    assert 90 <= accepted / 120 <= 101
    assert refused / (accepted + refused) < 0.02
