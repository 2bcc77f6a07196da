"""The limiter of one token: its permits, and a queue for each event loop. The package's docstring has the theory."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable

from .permits import PermitPool, PooledPermit
from .queue import LoopQueue
from .settings import Lane, RateLimit, RateLimiterSnapshot


class RateLimiter:
    """The limiter of one token in one process.

    It may be used from several event loops, also in several threads: they share the permits, and each loop has its own
    queue. Clients get theirs from ``registry.py``, so that all clients of a token share it.

    Args:
        pool: the permits.

    """

    def __init__(self, pool: PermitPool) -> None:
        self._pool = pool
        self._queues: dict[asyncio.AbstractEventLoop, LoopQueue] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.snapshot()!r}>"

    def close(self) -> None:
        """Do nothing: a local limiter holds nothing outside of this process."""

    @property
    def settings(self) -> RateLimit:
        """The limit."""
        return self._pool.settings

    @property
    def busy(self) -> bool:
        """Whether the server may still be counting requests of this limiter, or it is paused."""
        return self._pool.in_use > 0 or self._pool.paused_until > self._pool.clock()

    @property
    def paused_for(self) -> float:
        """Seconds until a pause ends; 0.0 when there is none."""
        return max(0.0, self._pool.paused_until - self._pool.clock())

    @property
    def queued(self) -> int:
        """Number of calls that wait for a permit."""
        return self._waiting_in(*Lane)

    def _waiting_in(self, *lanes: Lane) -> int:
        # What waits on a closed loop never goes on. Other threads may add a queue meanwhile.
        queues = [queue for loop, queue in list(self._queues.items()) if not loop.is_closed()]
        return sum(queue.waiting_in(lane) for queue in queues for lane in lanes)

    def reconfigure(self, settings: RateLimit) -> None:
        """Use other settings from now on; permits that are out stay out until their time, and calls go on waiting."""
        self._pool.reconfigure(settings)
        for queue in self._queues.values():
            queue.reconfigure()

    async def acquire(self, lane: Lane = Lane.ORDINARY, *, retry: bool = False, owner: object = None) -> PooledPermit:
        """Wait until a request may go out.

        Args:
            lane: the queue to wait in.
            retry: whether this is a further attempt of a call; those go before new calls of their lane.
            owner: the object that may ``abort()`` the waiting.

        Returns:
            The permit, which must be ended by ``answered()`` or ``release()``.

        """
        queue = self._queue()
        future = queue.enter(lane, retry=retry, owner=owner)
        try:
            return await future
        except asyncio.CancelledError:
            queue.leave(future, lane, retry=retry)
            raise

    async def wait_to_write(self, *, owner: object = None) -> None:
        """Wait until a granted request may be written; called when its connection is open."""
        queue = self._queue()
        if not queue.try_to_write():
            await queue.wait_to_write(owner)

    # The name until 1.0.
    write_turn = wait_to_write

    def pause(self, seconds: float, *, over_limit: bool = True) -> None:
        """Let nothing out for ``seconds`` (at most ``permits.LONGEST_PAUSE``).

        Args:
            seconds: length of the pause.
            over_limit: whether the reason is a 429; then the limiter also goes on more slowly.

        """
        self._pool.pause(seconds, over_limit=over_limit)

    def abort(self, owner: object, error: Callable[[], Exception]) -> int:
        """End the waiting of all calls of ``owner`` in this event loop with ``error()``; return their number."""
        return self._queue().abort(owner, error)

    def fail_waiters(self, error: Callable[[], Exception]) -> None:
        """End the waiting of all calls with ``error()``; may be called from any thread."""
        for queue in self._queues.values():
            queue.fail_waiters(error)

    def estimated_wait(self, lane: Lane = Lane.ORDINARY) -> float:
        """Return the seconds that a call made now would wait at least, as far as can be foreseen."""
        pool = self._pool
        now = pool.clock()
        ahead = self._waiting_in(*(level for level in Lane if level <= lane))
        wait = max(0.0, pool.paused_until - now) + ahead / pool.rate
        if pool.in_use >= pool.limit and (release := pool.next_release) < math.inf:
            wait = max(wait, release - now)
        return wait

    def snapshot(self) -> RateLimiterSnapshot:
        """Return the current state of the limiter."""
        pool = self._pool
        return RateLimiterSnapshot(
            limit=pool.limit,
            per=pool.settings.per,
            in_use=pool.in_use,
            queued=self.queued,
            queued_bulk=self._waiting_in(Lane.BULK),
            paused_for=self.paused_for,
            granted=pool.granted,
            refused=pool.refused,
            rate=pool.rate,
            guard=pool.guard,
            mean_hold=pool.mean_hold,
            credit=pool.credit,
            estimated_wait=self.estimated_wait(),
        )

    def _queue(self) -> LoopQueue:
        loop = asyncio.get_running_loop()
        return self._queues.get(loop) or self._make_queue(loop)

    def _make_queue(self, loop: asyncio.AbstractEventLoop) -> LoopQueue:
        queue = LoopQueue(self._pool, loop)
        # Or one of two threads that come here at once would replace the queue of the other.
        with self._lock:
            # A new dictionary, since another thread may be iterating over the old one.
            self._queues = {known: q for known, q in self._queues.items() if not known.is_closed()} | {loop: queue}
            self._pool.listen(*(each.permit_comes_back for each in self._queues.values()))
        return queue
