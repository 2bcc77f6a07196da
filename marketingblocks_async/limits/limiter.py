r"""The rate limit: at most ``limit`` requests of a token in any ``per`` seconds, *as the server counts them*.

Theory
======

A server counts a request at an instant that the client does not see. The client sees, for each request:

* ``g``: it was **granted**, that is, allowed to go out;
* ``w``: its last byte was **written** to the socket;
* ``z``: the head of the answer was read.

The server counts it at some ``c`` with ``w <= c <= z`` (it cannot count what was not written, and it does not answer
what it has not counted). A limiter that spaces the *grants* says nothing about the ``c``: between ``g`` and ``c`` lie
the event loop, a connection that may have to be opened, and the network, and each of them can hold requests back and
let them go together. So this one counts what may still be counted.

**Permits.** There are ``limit`` permits. A grant takes one. It comes back ``per`` seconds after the server has
certainly counted the request, which is at ``z``, or at ``w + guard`` if that is earlier. While neither is known
(granted, not yet written) the permit has no time to come back at all. A request that is cancelled before its first
byte was written cannot be counted and gives the permit back at once.

**Claim.** No window of ``per`` seconds of the server's clock contains more than ``limit`` counted requests.

**Proof.** Suppose a half-open window of length ``per`` contains ``limit + 1`` of them. Take the one of them that was
granted last, at ``g'``. At ``g'`` at most ``limit - 1`` permits were out, so of the other ``limit`` requests at least
one had its permit back: it was released at some ``r <= g'``. There are two cases.

1. *By the answer*: ``r = z + per``. Then ``c' >= g' >= z + per >= c + per``. The two are not in one window. This
   holds for every delay, anywhere.
2. *By the guard*: ``r = w + guard + per``. Let the delay from write to count lie between ``d`` and ``d + spread`` for
   all requests. Then ``c <= w + d + spread`` and ``c' >= w' + d >= g' + d >= w + guard + per + d``, so ``c' - c >=
   per + guard - spread``, which is at least ``per`` as long as ``spread <= guard``.

The proof never uses *when* something happens in the client, only the order ``g' <= w'`` and that ``w`` is stamped
after the write. A stalled event loop, a slow connect, a garbage collection, a retry, ten thousand waiting tasks only
delay ``w`` and ``z``, and so the permits. Clocks: all instants are of one monotonic clock; wall-clock jumps do not
touch it, and a suspended machine only makes the permits come back later.

**The assumption** is therefore one: the *spread* of the write-to-count delay is at most ``guard`` (50 ms), and it is
needed only for requests whose answer takes longer than that. ``guard=math.inf`` removes it, at the price of
throughput where answers are slow: a token reaches ``limit / (per + min(latency, guard))``. The first request on a new
connection has a guard of at least one second, because accept queues and proxies delay exactly that one.

**What cannot be known** is when a request that was given up is counted, if it ever is. It was written before it was
given up or never, since its connection is closed then, so the guard covers it like any other, counted from its write
or, where that was not seen, from the giving up. With ``guard=inf`` it holds its permit ``GIVEN_UP_HOLD`` seconds
longer than ``per``.

**Pacing.** The bound alone would allow ``limit`` requests back to back. Grants are therefore spaced by a token bucket
of small ``burst`` (``pacing.py``), and so are the writes, since connections that take different times to open would
bunch evenly spaced grants. Two to five is the useful size of the burst: 1 cannot catch up after a timer that fired
late, and more endangers a server that checks the spacing (GCRA).

**Order.** Strict first in, first out within a lane; ordinary calls before bulk calls; in each lane retries before new
calls. Every grant comes from one dispatcher per event loop, in a turn of its own: nobody overtakes the queue, and no
long turn of the loop hands out what cannot be written in it. The cost of a grant does not depend on the queue's
length, nor does that of a cancellation.

**After a 429** the whole token pauses until a monotonic deadline that only ever moves forward, so there is nothing to
release and nothing that a finishing request could release early. When it ends, the queue moves on in order, evenly,
without a burst, at the reduced rate of ``AdaptiveRate``. Since the bound was kept,
a 429 also says that the guard may be too small for this path, so it is doubled (up to one second) until a minute
passes without one.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from marketingblocks_async.errors import ConfigurationError

from .permits import LocalPermit, PermitLedger
from .queue import LoopQueue
from .settings import Lane, RateLimit, RateLimiterSnapshot


class RateLimiter:
    """The limiter of one token in one process; the module's docstring says what it promises and why it holds.

    It may be used from several event loops, also in several threads: the permits are common, each loop has a queue of
    its own. Clients get theirs from ``shared_limiters.py``, so that all clients of a token share it.

    Args:
        settings: the limit; ``settings.limit`` must not be ``None``.
        clock: monotonic seconds; by default ``time.monotonic``, as it is when the limiter is made.

    """

    def __init__(self, settings: RateLimit, *, clock: Callable[[], float] | None = None) -> None:
        if settings.limit is None:
            msg = "a lifted limit needs no RateLimiter"
            raise ConfigurationError(msg)
        self._ledger = self._make_ledger(settings, clock or time.monotonic)
        self._queues: dict[asyncio.AbstractEventLoop, LoopQueue] = {}

    def _make_ledger(self, settings: RateLimit, clock: Callable[[], float]) -> PermitLedger:
        return PermitLedger(settings, clock)

    def _make_queue(self, loop: asyncio.AbstractEventLoop) -> LoopQueue:
        return LoopQueue(self._ledger, loop)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.snapshot()!r}>"

    def close(self) -> None:
        """Nothing to give up: it holds nothing outside of this process."""

    @property
    def settings(self) -> RateLimit:
        """The limit it keeps."""
        return self._ledger.settings

    @property
    def busy(self) -> bool:
        """Whether the server may still be counting requests of this limiter, or it is paused."""
        return self._ledger.in_use > 0 or self._ledger.paused_until > self._ledger.clock()

    def configure(self, settings: RateLimit) -> None:
        """Take on new settings; what is out stays counted."""
        self._ledger.configure(settings)
        self._queues = {}
        self._ledger.listen()

    async def acquire(self, lane: Lane = Lane.ORDINARY, *, retry: bool = False, owner: object = None) -> LocalPermit:
        """Wait until a request may go out.

        Args:
            lane: which queue to wait in.
            retry: whether this is a further attempt of a call; those go before new calls of their lane.
            owner: whoever may :meth:`abort` the waiting.

        Returns:
            The permit, which must be ended by ``answered()`` or ``given_up()``.

        """
        return await self._queue().wait_for_permit(lane, retry=retry, owner=owner)

    async def write_turn(self, *, owner: object = None) -> None:
        """Wait until a granted request may be written; called with its connection at hand."""
        await self._queue().wait_for_write(owner)

    def pause(self, seconds: float, *, over_limit: bool = True) -> None:
        """Let nothing out for ``seconds`` (at most ``permits.LONGEST_PAUSE``).

        Args:
            seconds: how long.
            over_limit: whether the reason is a 429; then it also goes on more slowly.

        """
        self._ledger.pause(seconds, over_limit=over_limit)

    def abort(self, owner: object, error: Callable[[], Exception]) -> int:
        """End the waiting of all calls of ``owner`` in this event loop with ``error()``; return how many there were."""
        return self._queue().abort(owner, error)

    def estimated_wait(self, lane: Lane = Lane.ORDINARY) -> float:
        """Seconds that a call made now would wait at least, as far as can be foreseen."""
        ledger = self._ledger
        now = ledger.clock()
        ahead = sum(queue.waiting_in(level) for queue in self._queues.values() for level in Lane if level <= lane)
        wait = max(0.0, ledger.paused_until - now) + ahead / ledger.rate
        if ledger.in_use >= ledger.limit and (release := ledger.next_release) < math.inf:
            wait = max(wait, release - now)
        return wait

    def snapshot(self) -> RateLimiterSnapshot:
        """Return what the limiter is doing now."""
        ledger = self._ledger
        queues = list(self._queues.values())
        bulk = sum(queue.waiting_in(Lane.BULK) for queue in queues)
        return RateLimiterSnapshot(
            limit=ledger.limit,
            per=ledger.settings.per,
            in_use=ledger.in_use,
            queued=bulk + sum(queue.waiting_in(Lane.ORDINARY) for queue in queues),
            queued_bulk=bulk,
            paused_for=max(0.0, ledger.paused_until - ledger.clock()),
            granted=ledger.granted,
            refused=ledger.refused,
            rate=ledger.rate,
            guard=ledger.guard,
            estimated_wait=self.estimated_wait(),
        )

    def _queue(self) -> LoopQueue:
        loop = asyncio.get_running_loop()
        queue = self._queues.get(loop)
        if queue is None:
            queue = self._make_queue(loop)
            # A new dictionary, since another thread may be iterating over the old one.
            self._queues = {known: q for known, q in self._queues.items() if not known.is_closed()} | {loop: queue}
            self._ledger.listen(*(each.permit_comes_back for each in self._queues.values()))
        return queue
