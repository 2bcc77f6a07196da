"""The permits of one token: which are out, and what a 429 changes.

All event loops and threads of the process share a pool, so every method is short, synchronous and under one lock.
``release.py`` decides when a permit comes back; the package's docstring has the theory.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from math import inf

from marketingblocks_async.errors import ConfigurationError

from .pacing import AdaptiveRate
from .release import SCARCE, PermitState, ReleaseRule
from .settings import RateLimit

LONGEST_PAUSE = 3600.0
"""The token pauses for at most this many seconds, whatever ``Retry-After`` says; then one request tries again."""

PACE = 0.998
"""The pace as a share of what the permits can sustain. At all of it, each delay would leave a gap and a burst."""


class PermitPool:
    """The permits of one token.

    Args:
        settings: the limit.
        clock: monotonic seconds; by default ``time.monotonic``, as it is when the pool is made. The event loop's own
            time would not do: uvloop keeps it for a whole turn, and a stamp must not be earlier than the write.
        make_rule: makes what decides when permits come back.

    Raises:
        ConfigurationError: ``settings.limit`` is ``None``.

    """

    def __init__(
        self,
        settings: RateLimit,
        clock: Callable[[], float] | None = None,
        make_rule: Callable[[RateLimit], ReleaseRule] = ReleaseRule,
    ) -> None:
        self._make_rule = make_rule
        self.clock: Callable[[], float] = clock or time.monotonic
        self.granted: int = 0
        self.refused: int = 0
        self._lock = threading.Lock()
        self._in_use: int = 0
        # (time, tie-breaker, permit). A permit may be here twice, after its write and after its response; the earlier
        # entry counts.
        self._releases: list[tuple[float, int, PermitState]] = []
        self._sequence = 0
        # Sent and maybe not answered, by the time to look at them: most are answered before, and a heap costs more.
        self._sent: deque[tuple[float, PermitState]] = deque()
        # Permits whose task was destroyed before it ended them. A finalizer may append here: that is atomic.
        self._orphans: list[PermitState] = []
        self._listeners: tuple[Callable[[float], None], ...] = ()
        # Instant until which nothing may be granted or written; only ever moves forward.
        self.paused_until: float = -inf
        self._apply(settings)

    def reconfigure(self, settings: RateLimit) -> None:
        """Use other settings from now on. Permits that are out stay out until their time."""
        with self._lock:
            self._apply(settings)

    def _apply(self, settings: RateLimit) -> None:
        if settings.limit is None:
            msg = "a lifted limit needs no RateLimiter"
            raise ConfigurationError(msg)
        self.settings: RateLimit = settings
        self.limit: int = settings.limit
        # Number of permits that can be out.
        self._capacity = settings.limit
        self._rate = AdaptiveRate(settings.limit / settings.per)
        self._rule: ReleaseRule = self._make_rule(settings)

    @property
    def nominal_rate(self) -> float:
        """Requests per second when nothing is refused."""
        return self._rate.nominal

    @property
    def rate(self) -> float:
        """Requests per second to pace at now: what the API takes and what the permits can sustain."""
        return min(self._rate.at(self.clock()), PACE * self.limit / (self.settings.per + self._rule.mean_hold))

    @property
    def guard(self) -> float:
        """Seconds of guard in force."""
        return self._rule.guard_at(self.clock())

    @property
    def mean_hold(self) -> float:
        """Seconds beyond ``per`` for which permits were held lately, on average."""
        return self._rule.mean_hold

    @property
    def credit(self) -> float:
        """Seconds for which permits may yet be held, all together, because responses are late."""
        return self._rule.credit

    @property
    def in_use(self) -> int:
        """Number of permits that are out now."""
        with self._lock:
            self._collect()
            return self._in_use

    @property
    def writable(self) -> float:
        """Number of granted requests that may be written now. A local permit never loses its validity."""
        return inf

    @property
    def next_release(self) -> float:
        """Instant at which the next permit comes back; ``inf`` if none that is out has a time yet."""
        with self._lock:
            releases, sent = self._releases, self._sent
            while releases and releases[0][2].returned:
                heappop(releases)
            while sent and (sent[0][1].returned or sent[0][1].answered_at < inf):
                sent.popleft()
            return min(releases[0][0] if releases else inf, sent[0][0] if sent else inf)

    def listen(self, *listeners: Callable[[float], None]) -> None:
        """Set the callables that are told, from any thread, the instant at which a permit comes back."""
        self._listeners = listeners

    def take(self) -> PooledPermit | None:
        """Take a permit if one is free."""
        with self._lock:
            self._collect()
            if self._in_use >= self._capacity:
                return None
            self._in_use += 1
            self.granted += 1
            return PooledPermit(self, PermitState())

    def pause(self, seconds: float, *, over_limit: bool) -> None:
        """Grant nothing for ``seconds``, at most ``LONGEST_PAUSE``; after a 429 (``over_limit``) pace more slowly."""
        with self._lock:
            now = self.clock()
            self.paused_until = max(self.paused_until, now + min(seconds, LONGEST_PAUSE))
            if over_limit:
                self.refused += 1
                self._slow_down(now)

    def _slow_down(self, now: float) -> None:
        """React to a 429, of this process or another. The lock is held."""
        self._rule.note_429(now, widen=self._rate.refused(now, self.paused_until))

    def sending(self, permit: PermitState, operation: str) -> None:
        """Note that from here on some of the request may be on the wire. The clock is read before the write."""
        with self._lock:
            when = self._rule.when_sending(permit, self.clock(), operation)
            if when == inf:
                return
            self._schedule(permit, when)
        self._tell(when)

    def sent(self, permit: PermitState, *, fresh_connection: bool) -> None:
        """Note that all of the request was written. The clock is read after the write, as the proof needs it."""
        with self._lock:
            when = self._rule.when_sent(permit, self.clock(), fresh_connection=fresh_connection)
            if when == inf:
                return
            sent = self._sent
            if fresh_connection or (sent and when < sent[-1][0]):
                self._schedule(permit, when)
            else:
                sent.append((when, permit))
        for listener in self._listeners:
            listener(when)

    def answered(self, permit: PermitState, *, success: bool) -> None:
        """Note that the head of the response was read."""
        with self._lock:
            when = self._rule.when_answered(permit, self.clock(), success=success)
            self._schedule(permit, when)
        for listener in self._listeners:
            listener(when)

    def release(self, permit: PermitState) -> None:
        """Note that the call ended without a response."""
        with self._lock:
            when = self._rule.when_released(permit, self.clock())
            self._schedule(permit, when)
        self._tell(when)

    def abandon(self, permit: PermitState) -> None:
        """Note that the task of a permit was destroyed.

        Called by the garbage collector at any point, even while this very thread holds the lock.
        """
        self._orphans.append(permit)

    def _schedule(self, permit: PermitState, when: float) -> None:
        if when < inf:
            self._sequence = sequence = self._sequence + 1
            heappush(self._releases, (when, sequence, permit))

    def _tell(self, when: float) -> None:
        for listener in self._listeners:
            listener(when)

    def _collect(self) -> None:
        """Take back all permits that are due. The lock is held."""
        now = self.clock()
        if self._orphans:
            self._collect_orphans(now)
        releases, sent = self._releases, self._sent
        while sent and sent[0][0] <= now:
            when, permit = sent.popleft()
            # An answer has scheduled its permit itself.
            if permit.answered_at == inf:
                self._schedule(permit, when)
        if not releases or releases[0][0] > now:
            return
        scarce = self._in_use >= SCARCE * self._capacity
        when_due = self._rule.when_due
        while releases and releases[0][0] <= now:
            permit = heappop(releases)[2]
            if not permit.returned:
                due = when_due(permit, now, scarce=scarce)
                if due > now:
                    self._schedule(permit, due)
                else:
                    self._take_back(permit, now)

    def _collect_orphans(self, now: float) -> None:
        while self._orphans:
            permit = self._orphans.pop()
            self._schedule(permit, self._rule.when_released(permit, now))

    def _take_back(self, permit: PermitState, now: float) -> None:
        """Note that a permit has come back. The lock is held."""
        del now
        permit.returned = True
        self._in_use -= 1


class PooledPermit:
    """The right to put one request on the wire, see ``Permit``."""

    __slots__ = ("_pool", "_state")

    def __init__(self, pool: PermitPool, state: PermitState) -> None:
        self._pool: PermitPool | None = pool
        self._state = state

    def sending(self, operation: str = "") -> None:
        """Note that from here on some of the request may be on the wire."""
        if self._pool is not None:
            self._pool.sending(self._state, operation)

    def sent(self, *, fresh_connection: bool) -> None:
        """Note that all of the request was written to the socket."""
        if self._pool is not None:
            self._pool.sent(self._state, fresh_connection=fresh_connection)

    def answered(self, *, success: bool = True) -> None:
        """Note that the head of the response was read; ends the permit."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.answered(self._state, success=success)

    def release(self) -> None:
        """Note that the call is over; ends the permit."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.release(self._state)

    # The names until 1.0.
    leaving = sending
    written = sent
    given_up = release

    def __del__(self) -> None:
        # Its task was destroyed without ending it: the event loop was stopped for good.
        if self._pool is not None:
            self._pool.abandon(self._state)
