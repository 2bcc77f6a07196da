"""The calls of one event loop that wait, and the dispatcher that lets them go. The package's docstring says why.

Strict first in, first out within a lane.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from .pacing import Pacer, TokenBucket
from .permits import PermitPool, PooledPermit
from .settings import Lane
from .turns import TurnBudget, turn_budget

WRITE_RATE_FACTOR = 1.1
"""How much faster writes may follow each other than grants: enough to work off what slow connections held back."""

_SHORTEST_TIMER = 0.001
"""uvloop's timers have a resolution of 1 ms and fire early; a shorter one would spin."""

_LONGEST_TIMER = 1.0
"""Permits of destroyed tasks come back unannounced, so the dispatcher looks at least this often while calls wait."""

_LONGEST_TIMER_IN_PAUSE = 60.0
"""A pause lets nothing go, whatever comes back. But a machine that slept through it should not wait for it again."""

_TICK = 0.001
"""Seconds between the instants at which timers of queues fire. All tokens of a loop have the same, so what falls due
within a tick goes in one turn of the loop, and not in a turn for each token."""

_WRITABLE_POLL = 0.02
"""Seconds between two looks whether a lease allows a write again. A renewed lease wakes the queue sooner."""

# An ordered set that removes any entry in constant time (50,000 cancellations must not become quadratic), and whose
# nodes the garbage collector does not track. The values are the owners, who may abort the waiting.
_Waiting = OrderedDict[asyncio.Future[Any], object]


class LoopQueue:
    """The waiting calls of one event loop.

    Every grant is made in ``_dispatch()``, which runs in a turn of its own: by the one timer, or soon after a call
    came to an idle queue.

    Args:
        pool: the token's permits.
        loop: the event loop.

    """

    def __init__(self, pool: PermitPool, loop: asyncio.AbstractEventLoop) -> None:
        self._pool = pool
        self._loop = loop
        self._turns: TurnBudget = turn_budget(loop)
        # Retries of ordinary calls, ordinary calls, retries of bulk calls, bulk calls.
        self._levels: tuple[_Waiting, ...] = tuple(OrderedDict() for _ in range(2 * len(Lane)))
        self._write_queue: _Waiting = OrderedDict()
        self._set_pace()
        # The end of the last pause that is over, after which this queue went on evenly.
        self._resumed_from = pool.paused_until if pool.paused_until <= pool.clock() else -math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._dispatch_is_due = False
        # While the queue waits for a permit: when it will look for one. An earlier permit must wake it.
        self._looks_for_permit_at = -math.inf

    def _set_pace(self) -> None:
        pool, time = self._pool, self._loop.time
        burst, rate = pool.settings.burst, pool.nominal_rate
        self._grants = Pacer(burst, rate, time)
        self._writes = TokenBucket(burst, rate * WRITE_RATE_FACTOR, time)
        # As far as the burst makes up for it.
        self._tick = min(_TICK, max((burst - 1) / rate / 10, 1e-6))
        if pool.in_use:
            # The token was in use a moment ago, perhaps on another loop, and its burst may have been spent there.
            self._drain()

    def reconfigure(self) -> None:
        """Go on by the pool's new settings; may be called from any thread."""
        # A closed loop has no waiting calls.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._reconfigure)

    def _reconfigure(self) -> None:
        self._set_pace()
        self._dispatch_soon()

    def waiting_in(self, lane: Lane) -> int:
        """Return the number of calls in a lane that wait for a permit."""
        return len(self._levels[2 * lane]) + len(self._levels[2 * lane + 1])

    def enter(self, lane: Lane, *, retry: bool, owner: object) -> asyncio.Future[PooledPermit]:
        """Get in line for a permit; return what gets it."""
        future: asyncio.Future[PooledPermit] = self._loop.create_future()
        self._levels[2 * lane + (not retry)][future] = owner
        if self._timer is None:
            self._dispatch_soon()
        return future

    def leave(self, future: asyncio.Future[PooledPermit], lane: Lane, *, retry: bool) -> None:
        """Get out of the line, since the call was cancelled."""
        self._levels[2 * lane + (not retry)].pop(future, None)
        if future.done() and not future.cancelled() and future.exception() is None:
            # Granted and cancelled in the same turn.
            future.result().release()

    def try_to_write(self) -> bool:
        """Return whether a granted request may be written at once, now that its connection is open."""
        if self._write_queue or not self._may_write() or self._writes.room() < 1:
            return False
        self._writes.take()
        return True

    async def wait_to_write(self, owner: object) -> None:
        """Wait until a granted request may be written that may not be written at once."""
        may_go = False
        while not may_go:
            future: asyncio.Future[None] = self._loop.create_future()
            self._write_queue[future] = owner
            self._dispatch_soon()
            try:
                await future
            finally:
                self._write_queue.pop(future, None)
            # In the turn since then, a pause may have begun or a lease ended. This look is in the turn of the write.
            may_go = self._may_write()

    def _may_write(self) -> bool:
        pool = self._pool
        return self._resumed_from == pool.paused_until and pool.writable > 0

    def abort(self, owner: object, error: Callable[[], Exception]) -> int:
        """End the waiting of all calls of ``owner``; return their number."""
        return self._end_waiting(error, lambda whose: whose is owner)

    def fail_waiters(self, error: Callable[[], Exception]) -> None:
        """End the waiting of all calls with ``error()``; may be called from any thread."""
        # A closed loop has no waiting calls.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._end_waiting, error)

    def _end_waiting(
        self, error: Callable[[], Exception], is_meant: Callable[[object], bool] = lambda _owner: True
    ) -> int:
        count = 0
        for waiting in (*self._levels, self._write_queue):
            for future in [future for future, owner in waiting.items() if is_meant(owner)]:
                del waiting[future]
                if not future.done():
                    future.set_exception(error())
                    count += 1
        return count

    def permit_comes_back(self, when: float) -> None:
        """Note that some permit comes back at ``when``; called from any thread."""
        if when >= self._looks_for_permit_at:
            return
        if self._loop is asyncio._get_running_loop():  # noqa: SLF001 - documented for this; get_running_loop() raises
            self._dispatch_soon()
        else:
            # A loop that was closed since has no waiting calls.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._dispatch_soon)

    def _dispatch_soon(self) -> None:
        if not self._dispatch_is_due:
            self._dispatch_is_due = True
            self._loop.call_soon(self._dispatch)

    def _dispatch(self) -> None:
        self._dispatch_is_due = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._looks_for_permit_at = -math.inf
        now = self._pool.clock()
        wake = self._release_due(now)
        # A dispatch that is due, since this turn has no room left, makes the timer itself.
        if wake is not None and not self._dispatch_is_due:
            longest = _LONGEST_TIMER if now >= self._pool.paused_until else _LONGEST_TIMER_IN_PAUSE
            delay = min(max(wake - now, _SHORTEST_TIMER), longest)
            when = self._loop.time() + delay
            self._timer = self._loop.call_at(math.ceil(when / self._tick) * self._tick, self._dispatch)

    def _release_due(self, now: float) -> float | None:
        """Release the calls that may go now; return when to look again, ``None`` if none waits."""
        if not self._write_queue and not any(self._levels):
            return None
        paused_until = self._pool.paused_until
        if now < paused_until:
            return paused_until
        if self._resumed_from != paused_until:
            # The first look after a pause: go on evenly, without a burst.
            self._resumed_from = paused_until
            self._drain()
        writes_at, grants_at = self._release_writes(now), self._grant(now)
        if writes_at is None or grants_at is None:
            return grants_at if writes_at is None else writes_at
        return min(writes_at, grants_at)

    def _release_writes(self, now: float) -> float | None:
        if not self._write_queue:
            return None
        writable = self._pool.writable
        for future in list(self._write_queue):
            if not future.done():
                if writable <= 0:
                    return now + _WRITABLE_POLL
                if self._writes.room() < 1:
                    return now + self._writes.wait()
                self._writes.take()
                writable -= 1
                future.set_result(None)
            del self._write_queue[future]
        return None

    def _grant(self, now: float) -> float | None:
        self._adapt_rate()
        pool = self._pool
        room = taken = 0
        for waiting in self._levels:
            while waiting:
                future = next(iter(waiting))
                if not future.done():
                    if taken == room:
                        self._take(taken)
                        taken, room = 0, min(int(self._grants.room()), self._turns.left)
                        if not room:
                            return self._when_room(now)
                    permit = pool.take()
                    if permit is None:
                        self._take(taken)
                        # Infinity first: a permit that another thread returns between these two lines wakes us.
                        self._looks_for_permit_at = math.inf
                        self._looks_for_permit_at = pool.next_release
                        return self._looks_for_permit_at
                    taken += 1
                    future.set_result(permit)
                del waiting[future]
        self._take(taken)
        return None

    def _take(self, number: int) -> None:
        # All that go together are taken together.
        if number:
            self._grants.take(number)
            self._turns.take(number)

    def _when_room(self, now: float) -> float:
        if self._turns.left:
            return now + self._grants.wait()
        self._dispatch_is_due = True
        self._turns.wait(self._dispatch)
        return now

    def _adapt_rate(self) -> None:
        rate = self._pool.rate
        # In steps of half a percent, since each change makes a new bucket.
        if abs(rate - self._grants.rate) > 0.005 * rate or rate == self._pool.nominal_rate:
            self._grants.set_rate(rate)

    def _drain(self) -> None:
        self._grants.drain()
        self._writes.drain()
