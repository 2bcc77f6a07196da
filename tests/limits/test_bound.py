"""The bound: never more than ``limit`` requests in any ``per`` seconds as the server counts them, whatever happens."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from marketingblocks_async.limits import release
from marketingblocks_async.limits.limiter import RateLimiter
from marketingblocks_async.limits.permits import PermitPool
from marketingblocks_async.limits.release import (
    FRESH_CONNECTION_GUARD,
    RELEASED_UNSEEN_HOLD,
    UNKNOWN_GUARD,
    ReleaseRule,
)
from marketingblocks_async.limits.settings import Lane, RateLimit
from marketingblocks_async.testing import FakeTime
from tests.support.virtual_time import FakeTimeWithoutThreads
from tests.support.windows import worst_window

FEW_ANSWERS = 3
"""The number of answers that make a base here, where a scenario has few requests."""

THERE = 0.01
"""Least seconds from the write to the count."""


@pytest.fixture(autouse=True, scope="module")
def _few_answers_make_a_base() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(release, "ANSWERS_FOR_A_BASE", FEW_ANSWERS)
        yield


@dataclass(frozen=True)
class Request:
    """One call, and what the network does to it. Seconds."""

    starts: float
    lane: Lane
    connect: float
    # As a part of what the guard allows; any number of seconds when there is no guard.
    jitter: float
    # From the count to the response, beyond the floor.
    latency: float
    fresh: bool
    gives_up_after: float | None
    # False: no response ever comes.
    answered: bool
    # A failure comes at once.
    fails: bool
    retry: bool


PLAIN = Request(0, Lane.ORDINARY, 0, 0, 0, fresh=False, gives_up_after=None, answered=True, fails=False, retry=False)


@dataclass(frozen=True)
class Scenario:
    limit: int
    burst: int
    guard: float
    # Least seconds from the count to a successful response.
    floor: float
    # Whether the rule has seen the fastest round trip before.
    warm: bool
    # Whether there is credit for requests that are late.
    credit: bool
    requests: list[Request]
    stalls: list[tuple[float, float]]
    pauses: list[tuple[float, float, bool]]


@dataclass
class Seen:
    """What server and observer saw."""

    counted: list[float] = field(default_factory=list[float])
    arrived: list[tuple[Lane, bool, int]] = field(default_factory=list[tuple[Lane, bool, int]])
    granted: list[tuple[Lane, bool, int]] = field(default_factory=list[tuple[Lane, bool, int]])
    written_in_pause: list[float] = field(default_factory=list[float])
    highest_base: float = 0.0
    in_use_at_the_end: int = -1
    queued_at_the_end: int = -1


seconds = st.floats(0, 3, allow_nan=False).map(lambda value: round(value, 3))
requests = st.builds(
    Request,
    starts=seconds,
    lane=st.sampled_from(Lane),
    connect=st.one_of(st.just(0.0), seconds),
    jitter=st.floats(0, 1, allow_nan=False),
    latency=st.one_of(st.just(0.0), seconds),
    fresh=st.booleans(),
    gives_up_after=st.one_of(st.none(), seconds),
    answered=st.booleans(),
    fails=st.booleans(),
    retry=st.booleans(),
)
scenarios = st.builds(
    Scenario,
    limit=st.integers(1, 6),
    # A large one lets requests out as soon as there are permits, so that no pace covers a mistake.
    burst=st.sampled_from([1, 5, 100]),
    guard=st.sampled_from([0.0, 0.05, 0.3, math.inf]),
    floor=st.sampled_from([0.0, 0.05, 0.3, 0.9]),
    warm=st.booleans(),
    credit=st.booleans(),
    requests=st.lists(requests, min_size=1, max_size=60),
    stalls=st.lists(st.tuples(seconds, seconds), max_size=4),
    pauses=st.lists(st.tuples(seconds, seconds, st.booleans()), max_size=3),
)


class World:
    """Callers, network and server around one limiter, in fake time."""

    def __init__(self, scenario: Scenario, time: FakeTime) -> None:
        self.loop = asyncio.get_running_loop()
        self.time = time
        self.scenario = scenario
        with pytest.MonkeyPatch.context() as patch:
            if not scenario.credit:
                patch.setattr(release, "CREDIT_WINDOWS", 0)
            settings = RateLimit(limit=scenario.limit, burst=scenario.burst, guard=scenario.guard)
            self.limiter = RateLimiter(PermitPool(settings, make_rule=self.make_rule))
        self.seen = Seen()
        self.paused_at = self.paused_until = -math.inf

    def make_rule(self, settings: RateLimit) -> ReleaseRule:
        self.rule = ReleaseRule(settings)
        return self.rule

    async def play(self) -> Seen:
        if self.scenario.warm:
            for number in range(FEW_ANSWERS):
                await self.call(-number, PLAIN)
            await asyncio.sleep(5)
            self.seen = Seen()
        began = self.loop.time()
        for at, length in self.scenario.stalls:
            self.loop.call_at(began + at, self.time.advance, length)
        for at, length, over_limit in self.scenario.pauses:
            self.loop.call_at(began + at, self.pause, length, over_limit)
        tasks = [self.start(number, request) for number, request in enumerate(self.scenario.requests)]
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(RELEASED_UNSEEN_HOLD + 5)
        snapshot = self.limiter.snapshot()
        self.seen.in_use_at_the_end, self.seen.queued_at_the_end = snapshot.in_use, snapshot.queued
        return self.seen

    def pause(self, length: float, over_limit: bool) -> None:
        self.paused_at = self.loop.time()
        self.paused_until = max(self.paused_until, self.paused_at + length)
        self.limiter.pause(length, over_limit=over_limit)

    def start(self, number: int, request: Request) -> asyncio.Task[None]:
        task = asyncio.create_task(self.call(number, request))
        if request.gives_up_after is not None:
            self.loop.call_later(request.starts + request.gives_up_after, task.cancel)
        elif not request.answered:
            self.loop.call_later(request.starts + 200, task.cancel)
        return task

    async def call(self, number: int, request: Request) -> None:
        await asyncio.sleep(request.starts)
        self.seen.arrived.append((request.lane, request.retry, number))
        permit = await self.limiter.acquire(request.lane, retry=request.retry)
        self.seen.granted.append((request.lane, request.retry, number))
        try:
            await asyncio.sleep(request.connect)
            await self.limiter.wait_to_write()
            if self.paused_at < self.loop.time() < self.paused_until:
                self.seen.written_in_pause.append(self.loop.time())
            # The network and the server do not care whether this loop is stalled or anybody still waits.
            delay = THERE + request.jitter * self.widest_delay(request)
            self.seen.counted.append(self.loop.time() + delay)
            permit.sending("operation")
            self.loop.call_soon(lambda: permit.sent(fresh_connection=request.fresh))
            await asyncio.sleep(delay)
            if not request.fails:
                await asyncio.sleep(self.scenario.floor + request.latency if request.answered else 1e6)
            permit.answered(success=not request.fails)
            base = self.rule.base_of("operation")
            self.seen.highest_base = max(self.seen.highest_base, base or 0.0)
        finally:
            permit.release()

    def widest_delay(self, request: Request) -> float:
        """Return by how much the way there may vary: the assumption."""
        guard = 3.0 if self.scenario.guard == math.inf else self.scenario.guard
        # Until a base is known, a new connection is given less.
        fresh = FRESH_CONNECTION_GUARD if self.scenario.warm else UNKNOWN_GUARD
        return max(guard, fresh) if request.fresh else guard


def play(scenario: Scenario) -> Seen:
    async def main() -> Seen:
        with FakeTimeWithoutThreads() as time:
            return await World(scenario, time).play()

    return asyncio.run(main())


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(scenarios)
def test_bound_and_order_hold_in_any_scenario(scenario: Scenario) -> None:
    seen = play(scenario)

    # The assumption: no request is faster than the fastest seen. A few answers that all are late would break it.
    assume(seen.highest_base <= THERE + scenario.floor)
    assert worst_window(seen.counted, 1.0) <= scenario.limit
    assert not seen.written_in_pause
    assert seen.in_use_at_the_end == 0
    assert seen.queued_at_the_end == 0
    for lane in Lane:
        for retry in (False, True):
            granted = [number for *kind, number in seen.granted if kind == [lane, retry]]
            arrived = [number for *kind, number in seen.arrived if kind == [lane, retry]]
            assert granted == [number for number in arrived if number in set(granted)]


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(2, 5), st.floats(0, 0.05))
def test_quick_responses_reach_the_rate(limit: int, burst: int, latency: float) -> None:
    request = replace(PLAIN, latency=latency)
    seen = play(
        Scenario(
            limit, burst, 0.05, 0.0, warm=False, credit=True, requests=[request] * (limit * 10), stalls=[], pauses=[]
        )
    )

    took = max(seen.counted) - min(seen.counted)
    # Ten windows' worth; the network takes 10 ms each way at most, a timer is at most 1 ms late.
    assert (limit * 10 - 1) / took >= limit / (1 + 0.01 + latency + 0.005) * 0.9
    assert worst_window(seen.counted, 1.0) <= limit


def test_a_stall_between_grant_and_write_bunches_nothing() -> None:
    stalls = [(at, 0.6) for at in (0.1, 1.0, 2.0, 3.0)]
    seen = play(
        Scenario(
            20,
            5,
            0.05,
            0.0,
            warm=False,
            credit=True,
            requests=[replace(PLAIN, connect=0.2)] * 100,
            stalls=stalls,
            pauses=[],
        )
    )
    assert worst_window(seen.counted, 1.0) <= 20


def test_an_infinite_guard_needs_no_assumption() -> None:
    late = [replace(PLAIN, jitter=(number * 37 % 100) / 100) for number in range(300)]
    seen = play(Scenario(30, 5, math.inf, 0.0, warm=False, credit=True, requests=late, stalls=[], pauses=[]))
    assert worst_window(seen.counted, 1.0) <= 30
    assert len(seen.counted) == 300


def test_a_lost_request_on_a_new_connection_may_be_counted_late() -> None:
    """The accept queue delays it by more than the guard, and its call ends before."""
    lost = replace(PLAIN, jitter=0.8, fresh=True, gives_up_after=0.1, answered=False)
    seen = play(
        Scenario(2, 2, 0.05, 0.0, warm=True, credit=True, requests=[lost, lost, *[PLAIN] * 6], stalls=[], pauses=[])
    )
    assert len(seen.counted) == 8
    assert worst_window(seen.counted, 1.0) <= 2


@pytest.mark.parametrize("fresh", [False, True])
def test_slow_responses_do_not_slow_it_down(fresh: bool) -> None:
    request = replace(PLAIN, latency=2.0, fresh=fresh)
    counted = play(
        Scenario(100, 5, 0.05, 0.0, warm=False, credit=True, requests=[request] * 1000, stalls=[], pauses=[])
    ).counted
    rate = (len(counted) - 1) / (max(counted) - min(counted))
    # A new connection has a guard of 1 s.
    assert rate >= (50 if fresh else 90)
