"""When a permit comes back, and what a pause does. All in fake time."""

from __future__ import annotations

import asyncio
import gc
import math
import time

import pytest

from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.limits import queue
from marketingblocks_async.limits.limiter import RateLimiter
from marketingblocks_async.limits.permits import LONGEST_PAUSE
from marketingblocks_async.limits.release import (
    ANSWERS_FOR_A_BASE,
    FRESH_CONNECTION_GUARD,
    GUARD_NARROWS_AFTER,
    RELEASED_UNSEEN_HOLD,
    UNKNOWN_GUARD,
    WIDEST_GUARD,
)
from marketingblocks_async.testing import FakeTime
from tests.support.limits import limiter_of, use
from tests.support.windows import worst_window

pytestmark = pytest.mark.usefixtures("fake_time")


async def held_for(limiter: RateLimiter) -> float:
    """Return the seconds until the only permit is back."""
    began = time.monotonic()
    while limiter.snapshot().in_use:  # noqa: ASYNC110 - looking is the only way
        await asyncio.sleep(0.001)
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("guard", "fresh", "ending", "seconds"),
    [
        (0.05, False, "answered", 1.0),
        (0.05, True, "answered", 1.0),
        (0.05, False, "sent", 1.0 + UNKNOWN_GUARD),
        (3.0, True, "sent", 4.0),
        (math.inf, False, "answered", 1.0),
        (0.05, False, "released", 1.0 + FRESH_CONNECTION_GUARD),
        (3.0, False, "released", 4.0),
        (math.inf, False, "released", 1.0 + RELEASED_UNSEEN_HOLD),
        (0.05, False, "destroyed", 1.0 + FRESH_CONNECTION_GUARD),
    ],
)
async def test_when_a_permit_comes_back(guard: float, fresh: bool, ending: str, seconds: float) -> None:
    limiter = limiter_of(limit=1, guard=guard)
    permit = await limiter.acquire()
    permit.sending()
    if ending == "answered":
        permit.answered()
    elif ending == "sent":
        permit.sent(fresh_connection=fresh)
    elif ending == "released":
        permit.release()
    else:
        del permit
        gc.collect()
    assert await held_for(limiter) == pytest.approx(seconds, abs=0.01)


async def test_with_an_infinite_guard_a_sent_request_holds_its_permit() -> None:
    limiter = limiter_of(limit=1, guard=math.inf)
    permit = await limiter.acquire()
    permit.sending()
    permit.sent(fresh_connection=False)
    await asyncio.sleep(1000)
    assert limiter.snapshot().in_use == 1
    permit.answered()


async def test_the_response_releases_earlier_than_the_guard_and_never_later() -> None:
    limiter = limiter_of(limit=1, guard=0.5)
    for delay, seconds in ((0.1, 1.1), (1.2, 1.5)):
        permit = await limiter.acquire()
        permit.sending()
        permit.sent(fresh_connection=False)
        asyncio.get_running_loop().call_later(delay, permit.answered)
        assert await held_for(limiter) == pytest.approx(seconds, abs=0.01)


@pytest.mark.parametrize("fresh", [False, True])
async def test_the_permit_of_a_request_that_is_never_answered_comes_back(fresh: bool) -> None:
    limiter = limiter_of(limit=1)
    for _ in range(ANSWERS_FOR_A_BASE):
        use(await limiter.acquire())
    unanswered = await limiter.acquire()
    unanswered.sending()
    unanswered.sent(fresh_connection=fresh)
    async with asyncio.timeout(10):
        use(await limiter.acquire())


async def test_a_response_wakes_the_call_that_waits_for_the_permit(monkeypatch: pytest.MonkeyPatch) -> None:
    # So that the queue does not look by itself.
    monkeypatch.setattr(queue, "_LONGEST_TIMER", 1e6)
    limiter = limiter_of(limit=1)
    for _ in range(ANSWERS_FOR_A_BASE):
        use(await limiter.acquire())
    permit = await limiter.acquire()
    permit.sending()
    permit.sent(fresh_connection=True)
    waiting = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0.01)
    permit.answered()
    began = time.monotonic()
    use(await waiting)
    assert time.monotonic() - began == pytest.approx(1.0, abs=0.02)


async def test_a_request_that_was_not_sent_returns_its_permit_at_once() -> None:
    limiter = limiter_of(limit=1)
    for _ in range(5):
        began = time.monotonic()
        (await limiter.acquire()).release()
        assert time.monotonic() - began < 1


async def test_reports_after_the_end_are_ignored() -> None:
    limiter = limiter_of(limit=2)
    permit = await limiter.acquire()
    use(permit)
    permit.release()
    permit.sent(fresh_connection=True)
    permit.answered()
    assert await held_for(limiter) == pytest.approx(1.0, abs=0.01)
    # It came back once.
    await asyncio.sleep(5)
    assert limiter.snapshot().in_use == 0


async def test_the_old_names_work_until_1_0() -> None:
    limiter = limiter_of(limit=1)
    permit = await limiter.acquire()
    await limiter.write_turn()
    permit.leaving()
    permit.written(fresh_connection=False)
    permit.given_up()
    assert limiter.snapshot().in_use == 1


async def test_after_a_pause_calls_go_out_evenly_and_in_order(limiter: RateLimiter) -> None:
    grants: list[tuple[float, int]] = []

    async def call(number: int) -> None:
        permit = await limiter.acquire()
        grants.append((time.monotonic(), number))
        use(permit)

    tasks = [asyncio.create_task(call(number)) for number in range(2000)]
    await asyncio.sleep(1.005)
    before = len(grants)
    resumes = time.monotonic() + 2
    limiter.pause(2)
    # A shorter pause that is asked for later cannot end the longer one.
    limiter.pause(0.5)
    await asyncio.gather(*tasks)

    after = [instant for instant, _ in grants[before:]]
    assert min(after) >= resumes
    assert sum(instant < resumes + 0.02 for instant in after) <= 3
    assert worst_window([instant for instant, _ in grants], 1.0) <= 100
    assert [number for _, number in grants] == list(range(2000))


async def test_a_granted_request_is_not_written_in_a_pause(limiter: RateLimiter) -> None:
    written: list[float] = []

    async def call() -> None:
        permit = await limiter.acquire()
        await asyncio.sleep(0.5)
        await limiter.wait_to_write()
        written.append(time.monotonic())
        use(permit)

    tasks = [asyncio.create_task(call()) for _ in range(20)]
    await asyncio.sleep(0.3)
    began = time.monotonic()
    limiter.pause(3)
    await asyncio.gather(*tasks)
    assert min(written) >= began + 3
    assert worst_window(written, 0.02) <= 3


async def test_a_pause_holds_back_a_released_write(limiter: RateLimiter, fake_time: FakeTime) -> None:
    writers = [asyncio.create_task(limiter.wait_to_write()) for _ in range(6)]
    await asyncio.sleep(0.001)
    # The burst is used up. After a stall, the dispatcher and then this run in one turn, and the writer in the next.
    asyncio.get_running_loop().call_later(0.1, limiter.pause, 3)
    fake_time.advance(1)
    began = time.monotonic()
    await writers[5]
    assert time.monotonic() - began >= 3


async def test_a_pause_lasts_at_most_an_hour(limiter: RateLimiter) -> None:
    began = time.monotonic()
    limiter.pause(1e12)
    use(await limiter.acquire())
    assert LONGEST_PAUSE <= time.monotonic() - began <= LONGEST_PAUSE + 1


async def test_a_pause_without_a_429_does_not_slow_down(limiter: RateLimiter) -> None:
    limiter.pause(0.1, over_limit=False)
    snapshot = limiter.snapshot()
    assert snapshot.rate == pytest.approx(99.8)
    assert (snapshot.refused, snapshot.guard) == (0, 0.05)
    assert snapshot.paused_for == pytest.approx(0.1)


async def test_429s_widen_the_guard_for_a_minute(limiter: RateLimiter) -> None:
    widths = [limiter.snapshot().guard]
    for _ in range(7):
        limiter.pause(0.01)
        widths.append(limiter.snapshot().guard)
        await asyncio.sleep(1)
    assert widths == sorted(widths)
    assert widths[:3] == [0.05, 0.1, 0.2]
    assert widths[-1] == WIDEST_GUARD
    await asyncio.sleep(GUARD_NARROWS_AFTER)
    assert limiter.snapshot().guard == 0.05


def test_a_lifted_limit_has_no_permits() -> None:
    with pytest.raises(ConfigurationError, match="lifted"):
        limiter_of(limit=None)
