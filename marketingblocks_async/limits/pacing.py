"""The pace: how fast permits are granted, normally and after the API has refused a request.

The bound does not depend on this module. It spreads the requests over the second, so that strict servers have nothing
to refuse, and slows down when they refuse nevertheless.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from aiolimiter import AsyncLimiter

_SLOWER = 1 - 1e-9

_TIMER_EARLY = 2e-9
"""Seconds by which asyncio's timers may be early: the resolution of its clock, and rounding."""


class TokenBucket:
    """A token bucket without a queue: it says at once how many may pass.

    Args:
        burst: how many may pass back to back after a rest, at least 1. Also how much a late timer can catch up on.
        rate: how many pass per second in the long run.
        clock: the event loop's.

    """

    __slots__ = ("_at", "_burst", "_clock", "_refill", "_room", "rate")

    def __init__(self, burst: float, rate: float, clock: Callable[[], float]) -> None:
        self.rate: float = rate
        self._refill = rate * _SLOWER
        self._burst = burst
        self._clock = clock
        self._room = burst
        self._at = -math.inf

    def room(self) -> float:
        """Return how many may pass now."""
        now = self._clock()
        room = self._room + (now - self._at) * self._refill
        self._at = now
        self._room = min(self._burst, room)
        return self._room

    def wait(self) -> float:
        """Return the seconds until one may pass, after ``room()`` was less than 1."""
        return (1 - self._room) / self._refill + _TIMER_EARLY

    def take(self, number: float = 1) -> None:
        """Take some, after ``room()`` was as much."""
        self._room -= number

    def drain(self) -> None:
        """Use up the burst: what follows comes evenly."""
        self._room, self._at = 0.0, self._clock()


class Pacer(TokenBucket):
    """The pace of the grants, kept by an aiolimiter. Must be used inside a running event loop.

    The waiting line of aiolimiter is not used: it keeps no order between askers, and its timers spin on uvloop. It does
    not tell its level either, and a question to it costs more than a permit. But only the dispatcher takes from it, so
    its room is known: that of a bucket a billionth slower, since the two round in different order.
    """

    __slots__ = ("_bucket",)

    # Declared again, since it is set here as well.
    rate: float

    def __init__(self, burst: float, rate: float, clock: Callable[[], float]) -> None:
        super().__init__(burst, rate, clock)
        self._bucket = AsyncLimiter(burst, burst / rate)

    def take(self, number: float = 1) -> None:
        """Take some, after ``room()`` was as much."""
        # The dispatcher is a callback of the event loop and cannot await, and "acquire" is the only documented way to
        # take from the bucket. With room for "number" it never suspends, so its first step is its last.
        step = self._bucket.acquire(number)
        try:
            step.send(None)
        except StopIteration:
            # From the room of now, since a full bucket has gained nothing since the question.
            self._room = self.room() - number
            return
        step.close()
        msg = "aiolimiter waited although its bucket had room"
        raise RuntimeError(msg)

    def drain(self) -> None:
        """Use up the burst: what follows comes evenly."""
        self._renew(0.0)

    def set_rate(self, rate: float) -> None:
        """Change the rate from now on. The room stays, so that changing the rate often gives and takes nothing."""
        if rate != self.rate:
            room = self.room()
            self.rate, self._refill = rate, rate * _SLOWER
            self._renew(room)

    def _renew(self, room: float) -> None:
        # A new bucket has all of its room, so taking from it never waits.
        self._bucket = AsyncLimiter(self._burst, self._burst / self.rate)
        self._room, self._at = self._burst, self._clock()
        if room < self._burst:
            self.take(self._burst - room)


class AdaptiveRate:
    """The rate to pace at: the nominal one, less after refusals.

    The rule is additive increase, multiplicative decrease. A refusal costs 5 %; those until the pause that it began is
    over, at least for 0.2 s, are one event with it. A refusal within two seconds after that shows that the rate is
    still far too high, so it costs twice as much in powers: 10 %, 19 %, and at most 30 %. 0.25 % of the nominal rate
    come back every second.

    A 429 for a client that keeps the bound means that another program uses the same token. With this family of rules,
    clients that do not know of each other converge to a fair share (``python -m benchmarks.limit_simulation
    strangers``).

    Args:
        nominal: requests per second when nothing is refused.

    """

    __slots__ = ("_changed_at", "_event_ends_at", "_factor", "_rate", "nominal")

    DECREASE = 0.95
    STRONGEST_DECREASE = 0.7
    SHORTEST_EVENT = 0.2
    SOON = 2.0
    RECOVERY_PER_SECOND = 0.0025
    FLOOR = 0.05

    def __init__(self, nominal: float) -> None:
        self.nominal: float = nominal
        self._rate = nominal
        self._changed_at = 0.0
        self._event_ends_at = float("-inf")
        self._factor = self.DECREASE

    def at(self, now: float) -> float:
        """Return the rate at ``now`` (seconds of the limiter's clock)."""
        if self._rate < self.nominal:
            gained = (now - self._changed_at) * self.RECOVERY_PER_SECOND * self.nominal
            return min(self.nominal, self._rate + gained)
        return self.nominal

    def refused(self, now: float, paused_until: float) -> bool:
        """Note a refusal; return whether it is the first of its event (and so changed the rate).

        Args:
            now: the instant.
            paused_until: instant at which the pause ends that it began.

        """
        if now < self._event_ends_at:
            return False
        is_soon = now < self._event_ends_at + self.SOON
        self._event_ends_at = max(now + self.SHORTEST_EVENT, paused_until)
        self._factor = max(self._factor**2, self.STRONGEST_DECREASE) if is_soon else self.DECREASE
        self._rate = max(self.at(now) * self._factor, self.nominal * self.FLOOR)
        self._changed_at = now
        return True
