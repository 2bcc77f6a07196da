"""The order of calls, and what cancelling and aborting leave behind. All in fake time."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

import pytest

from marketingblocks_async.limits.limiter import RateLimiter
from marketingblocks_async.limits.settings import Lane, RateLimit
from marketingblocks_async.testing import FakeTime
from tests.support.limits import limiter_of, use
from tests.support.windows import worst_window

pytestmark = pytest.mark.usefixtures("fake_time")


async def test_an_ordinary_call_overtakes_10_000_bulk_calls(limiter: RateLimiter) -> None:
    order: list[str] = []

    async def call(name: str, lane: Lane) -> None:
        permit = await limiter.acquire(lane)
        order.append(name)
        use(permit)

    bulk = [asyncio.create_task(call("bulk", Lane.BULK)) for _ in range(10_000)]
    await asyncio.sleep(2)
    before = len(order)
    assert limiter.snapshot().queued_bulk > 9_000
    await call("ordinary", Lane.ORDINARY)
    assert order.index("ordinary") - before <= 5
    for task in bulk:
        task.cancel()
    await asyncio.gather(*bulk, return_exceptions=True)


async def test_retries_go_first_in_their_lane(limiter: RateLimiter) -> None:
    order: list[str] = []

    async def call(name: str, lane: Lane, *, retry: bool) -> None:
        use(await limiter.acquire(lane, retry=retry))
        order.append(name)

    limiter.pause(1)
    await asyncio.gather(
        call("bulk", Lane.BULK, retry=False),
        call("bulk retry", Lane.BULK, retry=True),
        call("ordinary", Lane.ORDINARY, retry=False),
        call("ordinary 2", Lane.ORDINARY, retry=False),
        call("ordinary retry", Lane.ORDINARY, retry=True),
    )
    assert order == ["ordinary retry", "ordinary", "ordinary 2", "bulk retry", "bulk"]


async def test_bunched_requests_are_written_evenly_and_in_order(limiter: RateLimiter) -> None:
    written: list[float] = []
    opened: list[int] = []
    order: list[int] = []
    opens_at = time.monotonic() + 1

    async def call(number: int) -> None:
        permit = await limiter.acquire()
        # All connections open at the same instant.
        await asyncio.sleep(max(0.0, opens_at - time.monotonic()))
        opened.append(number)
        await limiter.wait_to_write()
        written.append(time.monotonic())
        order.append(number)
        use(permit)

    await asyncio.gather(*(call(number) for number in range(300)))
    # What a strict server (GCRA with a tolerance of 10) allows in any window.
    for window in (0.01, 0.05, 0.1, 0.2, 0.5):
        assert worst_window(written, window) <= 11 + 100 * window
    assert worst_window(written, 1.0) <= 100
    assert order == opened


async def test_a_cancelled_writer_holds_up_none(limiter: RateLimiter, fake_time: FakeTime) -> None:
    writers = [asyncio.create_task(limiter.wait_to_write()) for _ in range(8)]
    await asyncio.sleep(0.001)
    # The burst is used up. After a stall, this and then the dispatcher run in one turn, before the writer hears of it.
    asyncio.get_running_loop().call_later(0.001, writers[5].cancel)
    fake_time.advance(1)
    results = await asyncio.wait_for(asyncio.gather(*writers, return_exceptions=True), 5)
    assert [type(result) for result in results[5:]] == [asyncio.CancelledError, type(None), type(None)]


async def test_10_000_cancelled_calls_leave_nothing_behind(limiter: RateLimiter) -> None:
    async def call() -> None:
        use(await limiter.acquire())

    tasks = [asyncio.create_task(call()) for _ in range(10_000)]
    await asyncio.sleep(0.5)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert limiter.snapshot().queued == 0
    await asyncio.sleep(1.1)
    assert limiter.snapshot().in_use == 0


async def test_a_call_cancelled_in_the_turn_of_its_grant_returns_the_permit() -> None:
    limiter = limiter_of(limit=1)
    task = asyncio.create_task(limiter.acquire())
    while not limiter.snapshot().granted:  # noqa: ASYNC110 - the turn matters
        await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert limiter.snapshot().in_use == 0


async def test_aborting_ends_the_waiting_of_one_owner(limiter: RateLimiter) -> None:
    mine, other = object(), object()
    limiter.pause(5)

    async def call(owner: object) -> str:
        use(await limiter.acquire(owner=owner))
        return "granted"

    tasks = [asyncio.create_task(call(owner)) for owner in (mine, other) for _ in range(3)]
    await asyncio.sleep(1)
    assert limiter.abort(mine, lambda: RuntimeError("closed")) == 3
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(result) for result in results] == ["closed"] * 3 + ["granted"] * 3


async def test_a_permit_of_a_destroyed_task_wakes_a_waiting_call() -> None:
    """Nothing announces it, so the dispatcher looks from time to time."""
    limiter = limiter_of(limit=1)
    permits = [await limiter.acquire()]
    waiting = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(5)
    permits.clear()
    gc.collect()
    async with asyncio.timeout(1.1):
        use(await waiting)


async def test_what_was_granted_before_the_permits_ran_out_counts_for_the_pace() -> None:
    limiter = limiter_of(limit=2, burst=3)
    began = time.monotonic()
    calls = [asyncio.create_task(limiter.acquire()) for _ in range(4)]
    for call in calls:
        # Not sent, so it comes back at once.
        (await call).release()
    assert time.monotonic() - began == pytest.approx(0.5, abs=0.01)


async def test_a_pause_wakes_the_loop_once_a_minute(limiter: RateLimiter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not each second, and not only at its end: the machine may sleep through it."""
    timers: list[float] = []
    loop, began = asyncio.get_running_loop(), time.monotonic()
    call_at = loop.call_at

    def note(when: float, *rest: Any) -> asyncio.TimerHandle:
        timers.append(when)
        return call_at(when, *rest)

    monkeypatch.setattr(loop, "call_at", note)
    limiter.pause(600.0)
    use(await limiter.acquire())
    assert 600 <= time.monotonic() - began <= 601
    assert 10 <= len([when for when in timers if when - began <= 600.1]) <= 15


async def test_writes_that_wait_wake_the_loop_once_for_each(
    limiter: RateLimiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not each millisecond: 300 connections that open at once are written to within three seconds."""
    timers: list[float] = []
    loop = asyncio.get_running_loop()
    call_at = loop.call_at

    def note(when: float, *rest: Any) -> asyncio.TimerHandle:
        timers.append(when)
        return call_at(when, *rest)

    for _ in range(300):
        use(await limiter.acquire())
    monkeypatch.setattr(loop, "call_at", note)
    began = time.monotonic()
    await asyncio.gather(*(limiter.wait_to_write() for _ in range(300)))
    assert 2.5 < time.monotonic() - began < 3.0
    assert len(timers) <= 310


async def test_calls_that_wait_go_on_by_new_settings(limiter: RateLimiter) -> None:
    granted: list[float] = []

    async def call() -> None:
        use(await limiter.acquire())
        granted.append(time.monotonic())

    calls = [asyncio.create_task(call()) for _ in range(300)]
    await asyncio.sleep(0.5)
    limiter.reconfigure(RateLimit(limit=50))
    changed = time.monotonic()
    # Also in the reach of what ends their waiting, should their client close.
    assert limiter.snapshot().queued > 200
    async with asyncio.timeout(60):
        await asyncio.gather(*calls)
    # Fifty a second, once those of before count no longer.
    assert worst_window([instant for instant in granted if instant > changed], 1.0) <= 50
    assert granted[-1] - changed == pytest.approx(250 / 50 + 0.5, abs=0.6)


async def test_grants_of_many_tokens_have_common_timers() -> None:
    """Waking the loop costs more than a grant, and 40 tokens at their limit have 4,000 grants a second."""
    granted: list[float] = []

    async def call(limiter: RateLimiter) -> None:
        use(await limiter.acquire())
        granted.append(time.monotonic())

    tasks: list[asyncio.Task[None]] = []
    for _ in range(40):
        limiter = limiter_of()
        tasks += [asyncio.create_task(call(limiter)) for _ in range(300)]
        # No two tokens begin at the same part of an interval.
        await asyncio.sleep(0.00137)
    began = time.monotonic()
    await asyncio.sleep(2)
    # In fake time each turn takes a microsecond.
    wakes = {round(instant, 4) for instant in granted if instant > began}
    assert sum(instant > began for instant in granted) == pytest.approx(40 * 200, rel=0.02)
    assert len(wakes) <= 2050
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
