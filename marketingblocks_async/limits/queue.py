"""Who goes next: the calls of one event loop that wait, and the dispatcher that lets them go.

Strict first in, first out within a lane. ``limiter.py`` says why it is built so.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from .pacing import Pacer
from .permits import LocalPermit, PermitLedger
from .settings import Lane

WRITE_RATE_FACTOR = 1.1
"""How much faster writes may follow each other than grants: enough to work off what slow connections held back."""

_SHORTEST_TIMER = 0.001
"""uvloop's timers have a resolution of 1 ms and fire early; asking for less would spin."""

_LONGEST_TIMER = 1.0
"""Permits whose task was destroyed come back unannounced, so somebody has to look now and then."""

# A set that keeps its order and takes out any entry in constant time (50,000 cancellations must not become quadratic);
# its nodes are no objects for the garbage collector. The values are the owners, who may abort the waiting.
_Waiting = OrderedDict[asyncio.Future[Any], object]


class LoopQueue:
    """The waiting calls of one event loop.

    Every grant is made in :meth:`_dispatch`, which runs in a turn of its own: by the one timer, or soon after a call
    came to an idle queue.

    Args:
        ledger: the token's permits.
        loop: the event loop.

    """

    def __init__(self, ledger: PermitLedger, loop: asyncio.AbstractEventLoop) -> None:
        self._ledger = ledger
        self._loop = loop
        # Retries of ordinary calls, ordinary calls, retries of bulk calls, bulk calls.
        self._levels: tuple[_Waiting, ...] = tuple(OrderedDict() for _ in range(2 * len(Lane)))
        self._writers: _Waiting = OrderedDict()
        burst, rate = ledger.settings.burst, ledger.nominal_rate
        self._grants = Pacer(burst, rate)
        self._writes = Pacer(burst, rate * WRITE_RATE_FACTOR)
        self._resumed_from = ledger.paused_until
        if ledger.in_use:
            # The token was in use a moment ago on another loop, and its burst may have been spent there.
            self._drain()
        self._timer: asyncio.TimerHandle | None = None
        self._dispatch_is_due = False
        # While the queue waits for a permit: when it will look for one. An earlier permit must wake it.
        self._looks_for_permit_at = -math.inf

    def waiting_in(self, lane: Lane) -> int:
        """How many calls wait for a permit in a lane."""
        return len(self._levels[2 * lane]) + len(self._levels[2 * lane + 1])

    async def wait_for_permit(self, lane: Lane, *, retry: bool, owner: object) -> LocalPermit:
        """Wait in line for a permit."""
        future: asyncio.Future[LocalPermit] = self._loop.create_future()
        waiting = self._levels[2 * lane + (not retry)]
        waiting[future] = owner
        if self._timer is None:
            self._dispatch_soon()
        try:
            return await future
        except asyncio.CancelledError:
            waiting.pop(future, None)
            if future.done() and not future.cancelled() and future.exception() is None:
                # Granted and cancelled in the same turn.
                future.result().given_up()
            raise

    async def wait_for_write(self, owner: object) -> None:
        """Wait until a granted request may be written, now that its connection is there."""
        if not self._writers and self._resumed_from == self._ledger.paused_until and self._writes.try_take():
            return
        await self._wait_among_writers(owner)

    async def _wait_among_writers(self, owner: object) -> None:
        future: asyncio.Future[None] = self._loop.create_future()
        self._writers[future] = owner
        self._dispatch_soon()
        try:
            await future
        finally:
            self._writers.pop(future, None)

    def abort(self, owner: object, error: Callable[[], Exception]) -> int:
        """End the waiting of all calls of ``owner``; return how many there were."""
        count = 0
        for waiting in (*self._levels, self._writers):
            for future in [future for future, whose in waiting.items() if whose is owner]:
                del waiting[future]
                if not future.done():
                    future.set_exception(error())
                    count += 1
        return count

    def permit_comes_back(self, when: float) -> None:
        """Hear that some permit comes back at ``when``; called from any thread."""
        if when >= self._looks_for_permit_at:
            return
        if self._loop is asyncio._get_running_loop():  # noqa: SLF001 - documented for this; get_running_loop() raises
            self._dispatch_soon()
        else:
            # The loop may have been closed since; then nobody waits there any more.
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
        now = self._ledger.clock()
        wake = self._let_go(now)
        if wake is not None:
            delay = min(max(wake - now, _SHORTEST_TIMER), _LONGEST_TIMER)
            self._timer = self._loop.call_later(delay, self._dispatch)

    def _let_go(self, now: float) -> float | None:
        """Let go whatever may go now; return when to look again, ``None`` if nobody waits."""
        if not self._writers and not any(self._levels):
            return None
        paused_until = self._ledger.paused_until
        if now < paused_until:
            return paused_until
        if self._resumed_from != paused_until:
            # The first look after a pause: go on evenly, without a burst.
            self._resumed_from = paused_until
            self._drain()
        wakes = (self._let_write(now), self._grant(now))
        return min((wake for wake in wakes if wake is not None), default=None)

    def _let_write(self, now: float) -> float | None:
        for future in list(self._writers):
            if not future.done():
                if not self._writes.try_take():
                    return now + self._writes.wait_hint()
                future.set_result(None)
            del self._writers[future]
        return None

    def _grant(self, now: float) -> float | None:
        self._adapt_rate()
        for waiting in self._levels:
            while waiting:
                future = next(iter(waiting))
                if not future.done():
                    if not self._grants.has_one():
                        return now + self._grants.wait_hint()
                    permit = self._ledger.take()
                    if permit is None:
                        # Infinity first: a permit that another thread returns between these two lines wakes us.
                        self._looks_for_permit_at = math.inf
                        self._looks_for_permit_at = self._ledger.next_release
                        return self._looks_for_permit_at
                    self._grants.try_take()
                    future.set_result(permit)
                del waiting[future]
        return None

    def _adapt_rate(self) -> None:
        rate = self._ledger.rate
        # In steps of half a percent, since a change of rate empties the bucket.
        if abs(rate - self._grants.rate) > 0.005 * rate or rate == self._ledger.nominal_rate:
            self._grants.set_rate(rate)

    def _drain(self) -> None:
        self._grants.drain()
        self._writes.drain()
