"""The limiter of one token in this process, on permits that are leased from Redis."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, fields

from marketingblocks_async.limits.limiter import RateLimiter
from marketingblocks_async.limits.permits import PermitLedger
from marketingblocks_async.limits.queue import LoopQueue
from marketingblocks_async.limits.settings import Lane, RateLimit, RateLimiterSnapshot

from . import clock
from .lease import Lease
from .pool import LeasedLedger
from .settings import RedisRateLimit
from .worker import Office, office_of


@dataclass(frozen=True, slots=True)
class RedisRateLimiterSnapshot(RateLimiterSnapshot):
    """What a limiter on leased permits is doing; ``limit`` is that of all processes, all else is of this one.

    Attributes:
        held: permits that this process holds, in use or not.
        share: permits that it may count on; more when the others want less.
        lease_left: seconds that it may go on without hearing from Redis; 0.0 if the lease has run out, ``inf`` while it
            uses a fixed share.
        out_of_reach_for: seconds for which Redis has been out of reach; ``None`` if it answers.
        falls_back: whether it uses a fixed share, because Redis cannot be reached.

    """

    held: int
    share: float
    lease_left: float
    out_of_reach_for: float | None
    falls_back: bool


class LeasedQueue(LoopQueue):
    """The waiting calls of one event loop; also lets nothing be written on a lease that has run out.

    Args:
        ledger: the leased permits.
        loop: the event loop.

    """

    def __init__(self, ledger: LeasedLedger, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(ledger, loop)
        self._leases = ledger

    async def wait_for_write(self, owner: object) -> None:
        """Wait until a granted request may be written, now that its connection is there."""
        if self._leases.may_write:
            await super().wait_for_write(owner)
        else:
            await self._wait_among_writers(owner)

    def fail(self, error: Callable[[], Exception]) -> None:
        """End all waiting with an error; called from any thread."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._fail, error)

    def _fail(self, error: Callable[[], Exception]) -> None:
        for waiting in (*self._levels, self._writers):
            for future in list(waiting):
                if not future.done():
                    future.set_exception(error())
            waiting.clear()

    def _let_write(self, now: float) -> float | None:
        if self._writers and not self._leases.may_write:
            # A new lease wakes the queue; and whatever comes back is looked at soon enough.
            return now + _LOOK_AGAIN
        if self._writers and self._leases.is_overdrawn:
            # One by one, since each changes whether the next one may.
            self._let_one_write()
            return now
        return super()._let_write(now)

    def _let_one_write(self) -> None:
        future = next(iter(self._writers))
        if future.done() or self._writes.try_take():
            del self._writers[future]
            if not future.done():
                future.set_result(None)


_LOOK_AGAIN = 0.02


class RedisRateLimiter(RateLimiter):
    """The limiter of one token in one process, see the package's docstring.

    Args:
        settings: the limit and where it is kept.
        base_url: API root.
        token: access token; it is not kept.

    """

    def __init__(self, settings: RedisRateLimit, base_url: str, token: str) -> None:
        self._office: Office = office_of(settings)
        self._lease = Lease(
            settings,
            base_url,
            token,
            clock=clock.now,
            queued=self._queued,
            wake=self._office.wake,
            fail=self._fail_all,
        )
        super().__init__(settings.local)
        self._office.join(self._lease)

    def _make_ledger(self, settings: RateLimit, clock: Callable[[], float]) -> PermitLedger:
        # It has these settings already, and a clock of its own.
        del settings, clock
        return self._lease.ledger

    def _make_queue(self, loop: asyncio.AbstractEventLoop) -> LoopQueue:
        return LeasedQueue(self._lease.ledger, loop)

    def pause(self, seconds: float, *, over_limit: bool = True) -> None:
        """Let nothing out for ``seconds``, in any process.

        Args:
            seconds: how long.
            over_limit: whether the reason is a 429; then all also go on more slowly.

        """
        super().pause(seconds, over_limit=over_limit)
        self._lease.note_pause(seconds, over_limit=over_limit)

    def close(self) -> None:
        """Give all permits back; the limiter is not used any more."""
        self._lease.close()

    def snapshot(self) -> RedisRateLimiterSnapshot:
        """Return what the limiter is doing now."""
        local = super().snapshot()
        ledger = self._lease.ledger
        return RedisRateLimiterSnapshot(
            **{field.name: getattr(local, field.name) for field in fields(local)},
            held=ledger.held,
            share=ledger.share,
            lease_left=max(0.0, ledger.usable_until - ledger.clock()),
            out_of_reach_for=self._office.failing_for,
            falls_back=self._lease.falls_back,
        )

    def _queued(self) -> int:
        return sum(queue.waiting_in(lane) for queue in self._queues.values() for lane in Lane)

    def _fail_all(self, error: Callable[[], Exception]) -> None:
        for queue in self._queues.values():
            if isinstance(queue, LeasedQueue):
                queue.fail(error)
