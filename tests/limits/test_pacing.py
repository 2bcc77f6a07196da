"""The pace: even, slower after 429s, and back. All in fake time."""

from __future__ import annotations

import asyncio
import time
from random import Random

import pytest

from marketingblocks_async.limits.limiter import RateLimiter
from marketingblocks_async.limits.pacing import AdaptiveRate, Pacer
from marketingblocks_async.testing import FakeTime
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
    for _ in range(3):
        limiter.pause(0.01)
        await asyncio.sleep(0.25)
    counts = list[int]()
    for _ in range(6):
        before = limiter.snapshot().granted
        await asyncio.sleep(10)
        counts.append(limiter.snapshot().granted - before)
    assert counts == sorted(counts)
    assert counts[0] == pytest.approx(710, abs=15)
    assert counts[-1] == pytest.approx(835, abs=15)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_bucket_gives_a_burst_and_then_the_rate() -> None:
    pacer = Pacer(3, 10, time.monotonic)
    assert pacer.room() == 3
    pacer.take()
    pacer.take(2)
    assert pacer.room() == 0
    assert pacer.wait() == pytest.approx(0.1)
    await asyncio.sleep(0.06)
    assert pacer.room() == pytest.approx(0.6, abs=1e-3)
    assert pacer.wait() == pytest.approx(0.04, abs=1e-3)
    await asyncio.sleep(0.05)
    assert pacer.room() == pytest.approx(1.1, abs=1e-3)
    pacer.take()
    await asyncio.sleep(10)
    assert pacer.room() == 3
    pacer.drain()
    assert pacer.room() == 0


@pytest.mark.parametrize("changes", [0, 0.3], ids=["one rate", "many rates"])
@pytest.mark.parametrize("burst", [1, 2.5, 5])
async def test_the_bucket_never_has_less_than_is_known_of_it(burst: float, changes: float, fake_time: FakeTime) -> None:
    """If it had, taking would raise."""
    random = Random(1)
    pacer = Pacer(burst, 100, time.monotonic)
    began, taken, allowed = time.monotonic(), 0, burst
    for _ in range(20_000):
        room = pacer.room()
        fake_time.advance(random.choice((0.0, 1e-6, 0.001)))
        if random.random() < changes:
            allowed += pacer.rate * (time.monotonic() - began)
            began = time.monotonic()
            pacer.set_rate(random.uniform(90, 110))
        if room >= 1:
            taken += int(room)
            pacer.take(int(room))
        else:
            pacer.room()
            fake_time.advance(max(0.0, pacer.wait()) + random.choice((0.0, 0.0, 0.0, 1e-7, 0.02, 1.0)))
            assert pacer.room() >= 1
    assert taken <= allowed + pacer.rate * (time.monotonic() - began)


async def test_a_change_of_the_rate_gives_and_takes_nothing() -> None:
    """Processes that share a limit exchange permits several times a second, and each exchange may change the rate."""
    pacer = Pacer(10, 12, time.monotonic)
    pacer.drain()
    taken = 0
    for number in range(1000):
        pacer.set_rate(12 + number % 2)
        await asyncio.sleep(0.1)
        while pacer.room() >= 1:
            pacer.take()
            taken += 1
    assert taken == pytest.approx(12.5 * 100, abs=1)


class TestAdaptiveRate:
    def test_refusals_until_the_end_of_the_pause_are_one_event(self) -> None:
        rate = AdaptiveRate(100.0)
        assert rate.refused(10.0, 11.0)
        assert not any(rate.refused(at, at + 1.0) for at in (10.05, 10.5, 10.99))
        assert rate.at(10.99) == pytest.approx(95.0, abs=0.3)

    def test_an_event_lasts_a_fifth_of_a_second_at_least(self) -> None:
        rate = AdaptiveRate(100.0)
        assert rate.refused(10.0, 10.01)
        assert not rate.refused(10.19, 10.2)
        assert rate.refused(10.21, 10.22)

    def test_one_soon_after_another_costs_more(self) -> None:
        rate, seen = AdaptiveRate(100.0), list[float]()
        for number in range(6):
            before = rate.at(10.0 + number)
            assert rate.refused(10.0 + number, 10.5 + number)
            seen.append(rate.at(10.0 + number) / before)
        assert seen == pytest.approx([0.95, 0.9025, 0.8145, 0.7, 0.7, 0.7], abs=1e-4)
        # The next that stands alone costs little again.
        before = rate.at(18.0)
        assert rate.refused(18.0, 18.5)
        assert rate.at(18.0) == pytest.approx(0.95 * before)

    def test_it_never_stops(self) -> None:
        rate = AdaptiveRate(100.0)
        for number in range(100):
            rate.refused(number, number + 0.5)
        assert rate.at(99.0) == 5.0


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
