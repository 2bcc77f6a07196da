"""The permits of one token: who has one, when each comes back, and what a 429 changes about it.

Shared by all event loops and threads of the process, so everything here is short, synchronous and under one lock.
``limiter.py`` has the theory and the proof.
"""

from __future__ import annotations

import heapq
import math
import threading
from collections.abc import Callable

from .pacing import AdaptiveRate
from .settings import RateLimit

GIVEN_UP_HOLD = 30.0
"""Seconds (on top of ``per``) that a given-up request holds its permit when ``guard`` is infinite."""

FRESH_CONNECTION_GUARD = 1.0
"""The least guard, in seconds, of the first request on a new connection."""

WIDEST_GUARD = 1.0
"""How far 429s widen the guard, in seconds."""

GUARD_NARROWS_AFTER = 60.0
"""Seconds without a 429 after which a widened guard returns to the configured one."""

LONGEST_PAUSE = 60.0
"""A 429 pauses the token for at most this many seconds, whatever ``Retry-After`` says; then one request tries again."""


class Slot:
    """A permit's place in the books; outlives the :class:`LocalPermit` that reports on it.

    Attributes:
        leaving: whether some of the request may be on the wire.
        returned: whether the permit has come back.

    """

    __slots__ = ("leaving", "returned")

    def __init__(self) -> None:
        self.leaving: bool = False
        self.returned: bool = False


class PermitLedger:
    """The permits of one token.

    Args:
        settings: the limit; ``settings.limit`` is a number.
        clock: monotonic seconds. It is not the event loop's own time, because uvloop keeps that for a whole turn and a
            stamp must not be earlier than the write.

    """

    def __init__(self, settings: RateLimit, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.granted: int = 0
        self.refused: int = 0
        self._lock = threading.Lock()
        self._in_use: int = 0
        # (time, tie-breaker, slot). A slot may stand here twice, by guard and by answer; the earlier one counts.
        self._releases: list[tuple[float, int, Slot]] = []
        self._sequence = 0
        # Slots whose task was destroyed before it ended them. Appending is atomic, so a finalizer may do it.
        self._orphans: list[Slot] = []
        self._listeners: tuple[Callable[[float], None], ...] = ()
        self._paused_until = -math.inf
        self._configure(settings)

    def configure(self, settings: RateLimit) -> None:
        """Take on new settings. Permits that are out stay out until their time."""
        with self._lock:
            self._configure(settings)

    def _configure(self, settings: RateLimit) -> None:
        assert settings.limit is not None  # noqa: S101 - a lifted limit has no ledger
        self.settings = settings
        self.limit: int = settings.limit
        self._rate = AdaptiveRate(settings.limit / settings.per)
        self._guard = settings.guard
        self._guard_narrows_at = math.inf

    @property
    def nominal_rate(self) -> float:
        """Requests per second when nothing is refused."""
        return self._rate.nominal

    @property
    def rate(self) -> float:
        """Requests per second to pace at now."""
        return self._rate.at(self.clock())

    @property
    def guard(self) -> float:
        """Seconds of guard in force."""
        return self._guard

    @property
    def paused_until(self) -> float:
        """Instant until which nothing may be granted or written; only ever moves forward."""
        return self._paused_until

    @property
    def in_use(self) -> int:
        """How many permits are out now."""
        with self._lock:
            self._collect()
            return self._in_use

    @property
    def next_release(self) -> float:
        """Instant at which the next permit comes back; ``inf`` if none that is out has a time yet."""
        with self._lock:
            releases = self._releases
            while releases and releases[0][2].returned:
                heapq.heappop(releases)
            return releases[0][0] if releases else math.inf

    def listen(self, *listeners: Callable[[float], None]) -> None:
        """Set who is told, from any thread, when a permit gets the instant at which it comes back."""
        self._listeners = listeners

    def take(self) -> LocalPermit | None:
        """Take a permit out, if there is one."""
        with self._lock:
            self._collect()
            if self._in_use >= self.limit:
                return None
            self._take_out()
        return LocalPermit(self)

    def _take_out(self) -> None:
        self._in_use += 1
        self.granted += 1

    def pause(self, seconds: float, *, over_limit: bool) -> None:
        """Grant nothing for ``seconds``, at most ``LONGEST_PAUSE``; after a 429 (``over_limit``) pace more slowly."""
        with self._lock:
            now = self.clock()
            self._paused_until = max(self._paused_until, now + min(seconds, LONGEST_PAUSE))
            if not over_limit:
                return
            self.refused += 1
            self._slow_down(now)

    def _slow_down(self, now: float) -> None:
        """Pace more slowly and widen the guard, after a 429. The lock is held."""
        if self._rate.refused(now) and self._guard < WIDEST_GUARD:
            self._guard = min(max(2 * self._guard, 0.001), WIDEST_GUARD)
        if self._guard != self.settings.guard:
            self._guard_narrows_at = now + GUARD_NARROWS_AFTER

    def written(self, slot: Slot, *, fresh_connection: bool) -> None:
        """A request went out; unless it is answered sooner, its permit comes back by the guard."""
        # The clock is read after the write, which is what the proof needs.
        guard = max(self._guard, FRESH_CONNECTION_GUARD) if fresh_connection else self._guard
        if guard < math.inf:
            self._release(slot, self.clock() + guard + self.settings.per)

    def answered(self, slot: Slot) -> None:
        """The server has counted the request."""
        self._release(slot, self.clock() + self.settings.per)

    def given_up(self, slot: Slot) -> None:
        """The request may be counted without an answer that anybody sees; or never, if it was not written."""
        self._release(slot, self._release_of_given_up(slot))

    def orphaned(self, slot: Slot) -> None:
        """Leave a note that nobody reports on ``slot`` any more.

        Called by the garbage collector anywhere, even while the lock is held by this very thread.
        """
        self._orphans.append(slot)

    def _release_of_given_up(self, slot: Slot) -> float:
        if not slot.leaving:
            return -math.inf
        # Written before now or never, since its connection is closed with it; so the guard counts from now.
        guard = max(self._guard, FRESH_CONNECTION_GUARD) if self._guard < math.inf else GIVEN_UP_HOLD
        return self.clock() + guard + self.settings.per

    def _release(self, slot: Slot, when: float) -> None:
        with self._lock:
            self._schedule(slot, when)
        for listener in self._listeners:
            listener(when)

    def _schedule(self, slot: Slot, when: float) -> None:
        self._sequence += 1
        heapq.heappush(self._releases, (when, self._sequence, slot))

    def _collect(self) -> None:
        """Take back all permits that are due."""
        now = self.clock()
        while self._orphans:
            slot = self._orphans.pop()
            self._schedule(slot, self._release_of_given_up(slot))
        releases = self._releases
        while releases and releases[0][0] <= now:
            slot = heapq.heappop(releases)[2]
            if not slot.returned:
                slot.returned = True
                self._in_use -= 1
        if now >= self._guard_narrows_at:
            self._guard, self._guard_narrows_at = self.settings.guard, math.inf


class LocalPermit:
    """The right to put one request on the wire, see :class:`~marketingblocks_async.limits.settings.Permit`."""

    __slots__ = ("_ledger", "_slot")

    def __init__(self, ledger: PermitLedger) -> None:
        self._ledger: PermitLedger | None = ledger
        self._slot = Slot()

    def leaving(self) -> None:
        """From here on some of the request may be on the wire."""
        self._slot.leaving = True

    def written(self, *, fresh_connection: bool) -> None:
        """All of the request has been handed to the socket."""
        if self._ledger is not None:
            self._ledger.written(self._slot, fresh_connection=fresh_connection)

    def answered(self) -> None:
        """The head of the answer has been read."""
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.answered(self._slot)

    def given_up(self) -> None:
        """Nobody waits for the answer any more."""
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.given_up(self._slot)

    def __del__(self) -> None:
        # Its task was destroyed without ending it: the event loop was stopped for good.
        if self._ledger is not None:
            self._ledger.orphaned(self._slot)
