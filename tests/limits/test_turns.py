"""How many calls one turn of an event loop lets go. All in fake time."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections import Counter
from collections.abc import Coroutine
from typing import Any
from unittest import mock

import pytest

from marketingblocks_async.limits.limiter import RateLimiter
from marketingblocks_async.limits.turns import CALLS_PER_SECOND, CALLS_PER_TURN, turn_budget
from marketingblocks_async.testing import FakeTime
from tests.support.limits import limiter_of, use

pytestmark = pytest.mark.usefixtures("fake_time")


class Turns:
    """Counts the turns of the running event loop, each of which takes ``seconds``."""

    def __init__(self, time: FakeTime, seconds: float = 0.0) -> None:
        self.number = 0
        self._time, self._seconds = time, seconds
        self._loop = asyncio.get_running_loop()
        self._handle = self._loop.call_soon(self._next)

    def _next(self) -> None:
        self.number += 1
        self._time.advance(self._seconds)
        self._handle = self._loop.call_soon(self._next)

    def stop(self) -> None:
        self._handle.cancel()


async def let_go(limiters: list[RateLimiter], calls: int, turns: Turns) -> list[tuple[int, int]]:
    """Make the calls, together; return the turn and the limiter's number of each, in their order."""
    went: list[tuple[int, int]] = []

    async def call(number: int, limiter: RateLimiter) -> None:
        permit = await limiter.acquire()
        went.append((turns.number, number))
        use(permit)

    each: list[Coroutine[Any, Any, None]] = [
        call(number, limiter) for number, limiter in enumerate(limiters) for _ in range(calls)
    ]
    await asyncio.gather(*each)
    turns.stop()
    return went


async def test_many_tokens_let_few_calls_go_in_a_turn_and_none_waits_for_time(fake_time: FakeTime) -> None:
    turns = Turns(fake_time)
    went = await let_go([limiter_of(burst=10) for _ in range(40)], 10, turns)
    assert max(Counter(turn for turn, _ in went).values()) == CALLS_PER_TURN
    # One turn after the other is full, and the clock stood still but for its ticks.
    assert went[-1][0] - went[0][0] == 40 * 10 / CALLS_PER_TURN - 1
    assert fake_time.elapsed < 0.001


async def test_tokens_take_turns(fake_time: FakeTime) -> None:
    went = await let_go([limiter_of(burst=4 * CALLS_PER_TURN) for _ in range(3)], 3 * CALLS_PER_TURN, Turns(fake_time))
    # The first one is in line for the second turn before the others look.
    order = [number for number in (0, 0, 1, 2, 0, 1, 2, 1, 2) for _ in range(CALLS_PER_TURN)]
    assert [number for _, number in went] == order


async def test_long_turns_let_more_calls_go(fake_time: FakeTime) -> None:
    turns = Turns(fake_time, 0.02)
    went = await let_go([limiter_of(burst=10) for _ in range(40)], 10, turns)
    rest = Counter(turn for turn, _ in went)
    del rest[went[0][0]], rest[went[-1][0]]
    assert set(rest.values()) == {CALLS_PER_TURN + 0.02 * CALLS_PER_SECOND}


async def test_an_idle_time_before_is_no_long_turn(fake_time: FakeTime) -> None:
    limiters = [limiter_of(burst=10) for _ in range(40)]
    await let_go(limiters, 1, Turns(fake_time))
    await asyncio.sleep(60)
    went = await let_go(limiters, 10, Turns(fake_time))
    assert max(Counter(turn for turn, _ in went).values()) == CALLS_PER_TURN


async def test_a_call_that_is_cancelled_while_it_waits_for_a_turn_uses_none(fake_time: FakeTime) -> None:
    limiters = [limiter_of(burst=10) for _ in range(3)]
    calls = [asyncio.create_task(limiter.acquire()) for limiter in limiters for _ in range(10)]
    await asyncio.sleep(0)
    for call in calls[CALLS_PER_TURN:-1]:
        call.cancel()
    await calls[-1]
    assert fake_time.elapsed < 0.001
    assert [limiter.snapshot().granted for limiter in limiters] == [CALLS_PER_TURN, 0, 1]


async def test_an_error_in_one_dispatch_keeps_none_of_the_others_waiting() -> None:
    loop = asyncio.get_running_loop()
    errors: list[object] = []
    loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))
    error = ValueError()
    called = loop.create_future()

    def fail() -> None:
        raise error

    budget = turn_budget(loop)
    budget.wait(fail)
    budget.wait(lambda: called.set_result(None))
    await called
    assert errors == [error]


def test_each_event_loop_has_a_budget_and_a_closed_one_is_forgotten() -> None:
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    assert turn_budget(first) is turn_budget(first)
    assert turn_budget(first) is not turn_budget(second)
    first.close()
    gone = weakref.ref(first)
    del first
    third = asyncio.new_event_loop()
    turn_budget(third)
    gc.collect()
    assert gone() is None
    second.close()
    third.close()


async def test_the_clock_may_be_set_back() -> None:
    loop = asyncio.get_running_loop()
    budget, left, earlier = turn_budget(loop), loop.create_future(), loop.time() - 1
    budget.wait(lambda: left.set_result(budget.left))
    with mock.patch.object(loop, "time", return_value=earlier):
        assert await left == CALLS_PER_TURN
