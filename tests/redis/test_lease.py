"""The exchanges of one token, in fake time and without Redis."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

import pytest

from marketingblocks_async import ConfigurationError
from marketingblocks_async.limits.limiter import RateLimiter
from marketingblocks_async.limits.permits import LONGEST_PAUSE
from marketingblocks_async.limits.settings import WaitEndedError
from marketingblocks_async.redis import RedisRateLimit
from marketingblocks_async.redis.lease import (
    EXCHANGES_PER_LEASE,
    MIN_INTERVAL,
    MIN_INTERVAL_WHEN_EMPTY,
    RETRY_INTERVAL,
    Lease,
)
from marketingblocks_async.redis.pool import LeasedPool
from marketingblocks_async.testing import FakeTime

MakeLease = Callable[..., tuple[Lease, LeasedPool, RateLimiter]]


@pytest.fixture
def make(fake_time: FakeTime) -> MakeLease:
    def make(name: str = "a", **settings: Any) -> tuple[Lease, LeasedPool, RateLimiter]:
        limit = RedisRateLimit("redis://x", **settings)
        pool = LeasedPool(limit.local, fake_time.monotonic, lambda: None)
        limiter = RateLimiter(pool)
        return Lease(limit, "https://api.example/v1", name, pool=pool, limiter=limiter), pool, limiter

    return make


def reply(
    held: int,
    *,
    target: int = 100,
    share: int = 100,
    paused: float = 0,
    refusals: int = 0,
    in_pool: int = 0,
    quarantine: float = 0,
    comes_back: float = 0,
) -> list[int]:
    pause, until_the_end, wait = (round(seconds * 1e6) for seconds in (paused, quarantine, comes_back))
    return [0, held, target, share, pause, refusals, in_pool, until_the_end, wait]


async def queue_for(limiter: RateLimiter) -> asyncio.Task[Any]:
    """Let a call wait for a permit."""
    waiting = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0)
    return waiting


def test_each_token_has_its_own_key(make: MakeLease) -> None:
    (one, _, _), (same, _, _), (other, _, _) = make("a"), make("a"), make("b")
    assert one.keys == same.keys
    assert one.keys[0] == other.keys[0]
    assert one.keys[1] != other.keys[1]


def test_a_pause_is_announced_at_once(make: MakeLease) -> None:
    lease, _, _ = make()
    lease.prepare()
    lease.accept(reply(100))
    began = time.monotonic()
    lease.schedule_exchange()
    assert lease.due - began > MIN_INTERVAL
    lease.note_pause(30, over_limit=True)
    lease.schedule_exchange()
    assert lease.due - began == pytest.approx(MIN_INTERVAL)
    words = lease.prepare()
    assert words[10] == pytest.approx(30e6)
    assert words[11] == 1
    # It is told once.
    lease.accept(reply(100, paused=30, refusals=1))
    assert lease.prepare()[11] == 0


def test_redis_is_told_of_a_pause_of_an_hour_at_most(make: MakeLease) -> None:
    """The seconds of 1970 as ``Retry-After`` stopped all processes; larger numbers failed all exchanges."""
    lease, pool, _ = make()
    for seconds in (1.8e9, 2.5e11, math.inf):
        lease.note_pause(seconds, over_limit=True)
    assert lease.prepare()[10] == pytest.approx(LONGEST_PAUSE * 1e6)
    # Nor does it believe another version that is told more.
    lease.accept(reply(100, paused=1.8e9))
    assert pool.paused_until - time.monotonic() == pytest.approx(LONGEST_PAUSE)


@pytest.mark.parametrize(("refusals", "rate"), [(0, 100.0), (1, 95.0)])
def test_only_a_429_of_another_process_slows_the_pace(make: MakeLease, refusals: int, rate: float) -> None:
    lease, pool, _ = make()
    for paused, known in ((0.0, 0), (2.0, refusals)):
        lease.prepare()
        lease.accept(reply(100, paused=paused, refusals=known))
    assert pool.paused_until - time.monotonic() == pytest.approx(2.0)
    # Paced a little below what the permits sustain.
    assert pool.rate == pytest.approx(rate, rel=0.005)


def test_permits_are_kept_until_the_grace_has_passed(make: MakeLease, fake_time: FakeTime) -> None:
    lease, pool, _ = make()
    lease.prepare()
    lease.accept(reply(100))
    for seconds, held in ((0.75, 100), (1.0, 0)):
        fake_time.advance(seconds)
        lease.on_unreachable(seconds, OSError())
        assert lease.prepare()[3] == held
        assert (pool.held, pool.take()) == (held, None)


@pytest.mark.parametrize("on_failure", ["wait", "fail"])
async def test_calls_without_redis_wait_or_fail(make: MakeLease, on_failure: str) -> None:
    lease, _, limiter = make(on_failure=on_failure)
    waiting = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0)
    lease.prepare()
    lease.on_unreachable(0.0, OSError("gone"))
    await asyncio.sleep(1)
    if on_failure == "wait":
        assert not waiting.done()
        waiting.cancel()
    else:
        with pytest.raises(WaitEndedError, match="cannot be reached"):
            await waiting
    assert lease.due - time.monotonic() == pytest.approx(RETRY_INTERVAL - 1, abs=0.01)


async def test_calls_fail_if_redis_denies_access_or_others_have_other_settings(make: MakeLease) -> None:
    lease, _, limiter = make()
    events: list[tuple[Callable[[], None], str]] = [
        (lambda: lease.on_denied(OSError("wrong password")), "denies access: wrong password"),
        (lambda: lease.accept([2, 50, 1_000_000]), "limit=50, per=1 on Redis"),
    ]
    for event, words in events:
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        event()
        with pytest.raises(ConfigurationError, match=words):
            await waiting
        assert lease.due == math.inf


def test_shares_are_used_after_the_recovery(make: MakeLease) -> None:
    lease, pool, _ = make(share=3)
    lease.prepare()
    lease.on_unreachable(2.7, OSError())
    assert (lease.falls_back, pool.held) == (False, 0)
    lease.on_unreachable(2.75, OSError())
    assert (lease.falls_back, pool.held, pool.usable_until) == (True, 33, math.inf)
    lease.prepare()
    lease.accept(reply(33))
    assert not lease.falls_back


def test_a_lease_counts_from_before_the_exchange(make: MakeLease, fake_time: FakeTime) -> None:
    lease, pool, _ = make(lease=0.75)
    began = time.monotonic()
    lease.prepare()
    fake_time.advance(0.5)
    lease.accept(reply(100))
    assert pool.usable_until == pytest.approx(began + 0.75)


def test_a_permit_that_others_used_waits_for_its_time(make: MakeLease, fake_time: FakeTime) -> None:
    lease, pool, _ = make()
    lease.prepare()
    lease.accept(reply(1, comes_back=0.25))
    assert pool.take() is None
    fake_time.advance(0.25)
    assert pool.take() is not None


def test_its_own_429_does_not_slow_a_process_twice(make: MakeLease) -> None:
    lease, pool, _ = make()
    lease.prepare()
    lease.accept(reply(100))
    lease.note_pause(0.0, over_limit=True)
    lease.prepare()
    lease.accept(reply(100, refusals=1))
    # The pool itself knew of it.
    assert pool.rate == pytest.approx(100.0, rel=0.005)


def test_redis_learns_which_reply_arrived_last(make: MakeLease) -> None:
    lease, _, _ = make()
    assert lease.prepare()[1:3] == [1, 0]
    lease.on_unreachable(0.0, OSError())
    assert lease.prepare()[1:3] == [2, 0]
    lease.accept(reply(100))
    assert lease.prepare()[1:3] == [3, 2]


def test_an_idle_process_wants_nothing_and_rests(make: MakeLease) -> None:
    lease, _, _ = make()
    assert (lease.prepare()[4], lease.prepare()[5]) == (0, 1)
    lease.accept(reply(0))
    assert lease.due == math.inf


def test_the_pace_of_an_idle_process_is_not_that_of_its_rest(make: MakeLease, fake_time: FakeTime) -> None:
    """With the share of one that wants nothing, a burst of 30 calls with a deadline of 10 s was refused unsent."""
    lease, pool, limiter = make()
    lease.prepare()
    lease.accept(reply(10, target=10, share=10))
    permit = pool.take()
    assert permit is not None
    permit.release()
    lease.prepare()
    # It was used since the last exchange.
    lease.accept(reply(10, target=10, share=10))
    assert pool.rate == pytest.approx(10.0, rel=0.01)
    fake_time.advance(0.5)
    assert lease.prepare()[4:6] == [0, 1]
    lease.accept(reply(0, target=0, share=1))
    assert (pool.share, pool.take(), lease.due) == (100.0, None, math.inf)
    assert limiter.snapshot().rate == pytest.approx(100.0, rel=0.01)


def test_a_process_that_closes_wants_nothing_although_a_request_is_in_flight(make: MakeLease) -> None:
    lease, pool, _ = make()
    lease.prepare()
    lease.accept(reply(100))
    permit = pool.take()
    assert permit is not None
    permit.sending()
    lease.closing = True
    assert lease.prepare()[3:6] == [1, 0, 1]
    permit.release()


def test_a_process_that_closes_while_it_uses_a_fixed_share_does_not_leave(make: MakeLease) -> None:
    """Redis knows nothing of the share, so the process tells it that it holds these permits."""
    lease, _, _ = make(share=2)
    lease.prepare()
    lease.on_unreachable(lease.settings.recovery, OSError())
    lease.closing = True
    assert lease.prepare()[5] == 0


async def test_a_call_that_came_during_the_exchange_keeps_an_idle_process_awake(make: MakeLease) -> None:
    lease, _, limiter = make()
    lease.prepare()
    waiting = await queue_for(limiter)
    lease.accept(reply(0))
    assert lease.due < math.inf
    waiting.cancel()


@pytest.mark.parametrize(
    ("words", "interval"),
    [
        ({}, 0.75 / EXCHANGES_PER_LEASE),
        # Others wait for the surplus.
        ({"target": 50}, MIN_INTERVAL),
        # The missing permits come when the quarantine ends.
        ({"target": 101, "quarantine": 0.1}, 0.1),
        ({"quarantine": 0.1}, 0.75 / EXCHANGES_PER_LEASE),
    ],
)
async def test_when_the_next_exchange_is(make: MakeLease, words: dict[str, Any], interval: float) -> None:
    lease, _, limiter = make()
    waiting = await queue_for(limiter)
    began = time.monotonic()
    lease.prepare()
    lease.accept(reply(100, **words))
    assert lease.due - began == pytest.approx(interval)
    waiting.cancel()


@pytest.mark.parametrize(("in_pool", "interval"), [(0, MIN_INTERVAL_WHEN_EMPTY), (5, MIN_INTERVAL)])
async def test_missing_permits_are_asked_for_soon_but_not_from_an_empty_pool(
    make: MakeLease, in_pool: int, interval: float
) -> None:
    lease, _, limiter = make()
    waiting = await queue_for(limiter)
    began = time.monotonic()
    lease.prepare()
    # Signalled while the exchange is under way.
    lease.is_signalled = True
    lease.accept(reply(99, in_pool=in_pool))
    assert lease.due - began == pytest.approx(interval)
    # With all of its share, none is missing.
    lease.prepare()
    lease.is_signalled = True
    lease.accept(reply(100, in_pool=in_pool))
    assert lease.due - began > MIN_INTERVAL_WHEN_EMPTY
    waiting.cancel()


async def test_calls_go_on_without_redis_as_long_as_the_lease_is_valid(make: MakeLease, fake_time: FakeTime) -> None:
    lease, _, limiter = make(on_failure="fail")
    lease.prepare()
    lease.accept(reply(0))
    waiting = await queue_for(limiter)
    lease.prepare()
    lease.on_unreachable(0.0, OSError("gone"))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    fake_time.advance(0.75)
    lease.on_unreachable(0.75, OSError("gone"))
    with pytest.raises(WaitEndedError, match="cannot be reached"):
        await waiting


def test_a_fixed_share_is_kept_until_redis_answers(make: MakeLease, fake_time: FakeTime) -> None:
    lease, pool, _ = make(share=2)
    lease.prepare()
    lease.on_unreachable(lease.settings.recovery, OSError())
    fake_time.advance(3600)
    assert lease.prepare()[3] == pool.held == 50
    assert pool.take() is not None


async def test_a_call_after_a_denial_wakes_the_worker_again(make: MakeLease) -> None:
    """After an outage that ended with a denial, no exchange followed any more, and calls waited for ever."""
    lease, _, limiter = make()
    lease.prepare()
    lease.on_unreachable(0.0, OSError("gone"))
    lease.prepare()
    # A call that came meanwhile.
    lease.is_signalled = True
    lease.on_denied(OSError("wrong password"))
    assert (lease.due, lease.is_signalled) == (math.inf, False)
    waiting = await queue_for(limiter)
    lease.schedule_exchange()
    assert lease.due < math.inf
    waiting.cancel()


EVENTS: dict[str, Callable[[Lease], None]] = {
    "denial": lambda lease: lease.on_denied(OSError("no permissions")),
    "conflict": lambda lease: lease.accept([2, 50, 1_000_000]),
}


@pytest.mark.parametrize("event", EVENTS)
def test_a_call_after_a_failure_within_a_valid_lease_wakes_the_worker_again(make: MakeLease, event: str) -> None:
    """The call took one of the permits left and set the flag; no exchange followed, and calls waited for ever."""
    lease, pool, _ = make()
    for _ in range(2):
        lease.prepare()
        lease.accept(reply(5, target=5, share=5))
        assert pool.take() is not None
    lease.prepare()
    began = time.monotonic()
    EVENTS[event](lease)
    assert pool.take() is not None
    lease.schedule_exchange()
    # Not at once, so that many calls do not make many exchanges.
    assert lease.due - began == pytest.approx(MIN_INTERVAL_WHEN_EMPTY)


@pytest.mark.parametrize("event", EVENTS)
def test_a_fixed_share_ends_when_redis_answers_whatever_it_says(make: MakeLease, event: str) -> None:
    """A process that Redis denied access, or told of other settings, kept its share beside the others' limit."""
    lease, pool, _ = make(share=2)
    lease.prepare()
    lease.on_unreachable(lease.settings.recovery, OSError())
    assert pool.take() is not None
    lease.prepare()
    EVENTS[event](lease)
    assert (lease.falls_back, pool.held, pool.take(), pool.writable) == (False, 0, None, 0)
    # Nor does it tell Redis that it has permits, when it is asked again.
    assert lease.prepare()[3] == 0


def test_a_lease_that_rests_after_an_outage_can_be_woken(make: MakeLease) -> None:
    lease, _, _ = make(on_failure="fail")
    lease.prepare()
    # A call that was cancelled before the exchange failed.
    lease.is_signalled = True
    lease.on_unreachable(0.0, OSError("gone"))
    assert (lease.due, lease.is_signalled) == (math.inf, False)
