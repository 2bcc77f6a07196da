"""The pace: how fast permits are granted, normally and after the API has refused a request.

The bound does not depend on this module. It spreads the requests over the second, so that strict servers have nothing
to refuse, and slows down when they refuse nevertheless.
"""

from __future__ import annotations

from aiolimiter import AsyncLimiter


class Pacer:
    """A token bucket without a queue: the dispatcher asks it, and it answers at once.

    The bucket is an aiolimiter. Its waiting line is not used: it keeps no order between askers, and its timers spin on
    uvloop. So the dispatcher is the only one to ask, with ``has_capacity``, and keeps the one timer.

    Args:
        burst: how many may pass back to back after a rest, at least 1. Also how much a late timer can catch up on.
        rate: how many pass per second in the long run.

    """

    __slots__ = ("_bucket", "_burst", "rate")

    def __init__(self, burst: float, rate: float) -> None:
        self._burst = burst
        self.rate: float = rate
        self._bucket = AsyncLimiter(burst, burst / rate)

    def wait_hint(self) -> float:
        """Return the seconds until there is room again, rounded up to quarters of the interval between two grants."""
        # aiolimiter does not tell its level; two questions find it well enough for a timer.
        has_room = self._bucket.has_capacity
        room = (0.75 if has_room(0.75) else 0.5) if has_room(0.5) else 0.25 if has_room(0.25) else 0.0
        return (1 - room) / self.rate

    def has_one(self) -> bool:
        """Return whether ``try_take()`` would succeed now."""
        return self._bucket.has_capacity()

    def take(self) -> None:
        """Take one, directly after ``has_one`` said so."""
        self._take(1)

    def try_take(self) -> bool:
        """Take one if there is room. Must be called inside a running event loop."""
        if not self._bucket.has_capacity():
            return False
        self._take(1)
        return True

    def drain(self) -> None:
        """Use up the burst: what follows comes evenly."""
        # A new bucket has all of its room, so taking all of it never waits.
        self._bucket = AsyncLimiter(self._burst, self._burst / self.rate)
        self._take(self._burst)

    def set_rate(self, rate: float) -> None:
        """Change the rate. The bucket begins without a burst, so that changing the rate often gives no extra."""
        if rate != self.rate:
            self.rate = rate
            self.drain()

    def _take(self, amount: float) -> None:
        # The dispatcher is a callback of the event loop and cannot await, and "acquire" is the only documented way to
        # take from the bucket. With room for "amount" it never suspends, so its first step is its last.
        step = self._bucket.acquire(amount)
        try:
            step.send(None)
        except StopIteration:
            return
        step.close()
        msg = "aiolimiter waited although its bucket had room"
        raise RuntimeError(msg)


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
