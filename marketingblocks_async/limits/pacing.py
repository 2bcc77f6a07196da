"""Evenness: how fast permits are handed out, now and after the API refused one.

The bound on requests per second does not rest on this module (see ``limiter.py``); it spreads the requests over the
second, so that strict servers have nothing to refuse, and it slows down when they refuse nevertheless.
"""

from __future__ import annotations

from aiolimiter import AsyncLimiter


class Pacer:
    """A token bucket without a queue: asked by one dispatcher, it says yes or no at once.

    The bucket is aiolimiter's. Its own waiting line is not used: it keeps no order between askers and its timers spin
    on uvloop, so the dispatcher asks ``has_capacity`` and keeps the one timer.

    Args:
        burst: how many may pass back to back after a rest, at least 1. Also how much a late timer can catch up on.
        rate: how many pass per second in the long run.

    """

    __slots__ = ("_bucket", "_burst", "_rate")

    def __init__(self, burst: float, rate: float) -> None:
        self._burst = burst
        self._rate = rate
        self._bucket = AsyncLimiter(burst, burst / rate)

    @property
    def rate(self) -> float:
        """How many pass per second in the long run."""
        return self._rate

    def wait_hint(self) -> float:
        """After a no: seconds until there will be a yes, rounded up to quarters of the interval between two grants."""
        interval = 1 / self._rate
        for part in (0.75, 0.5, 0.25):
            if self._bucket.has_capacity(part):
                return (1 - part) * interval
        return interval

    def has_one(self) -> bool:
        """Whether :meth:`try_take` would succeed now."""
        return self._bucket.has_capacity()

    def try_take(self) -> bool:
        """Take one if the bucket has one. Must be called inside a running event loop."""
        if not self._bucket.has_capacity():
            return False
        _run_without_waiting(self._bucket, 1)
        return True

    def drain(self) -> None:
        """Empty the bucket: what follows comes evenly, without a burst first."""
        self._bucket = AsyncLimiter(self._burst, self._burst / self._rate)
        _run_without_waiting(self._bucket, self._burst)

    def set_rate(self, rate: float) -> None:
        """Change the rate. The bucket starts empty, so that changing it often gives no extra."""
        if rate != self._rate:
            self._rate = rate
            self.drain()


def _run_without_waiting(bucket: AsyncLimiter, amount: float) -> None:
    """Run ``bucket.acquire`` to its end here: with enough capacity it never waits, so no task is needed."""
    step = bucket.acquire(amount)
    try:
        step.send(None)
    except StopIteration:
        return
    step.close()
    msg = "the bucket said that it had capacity and then waited"
    raise RuntimeError(msg)


class AdaptiveRate:
    """The rate to pace at: the nominal one, less after refusals.

    The rule is additive increase, multiplicative decrease: a refusal costs 5 %, at most once in 0.2 s (the refusals of
    one burst are one event), and 0.25 % of the nominal rate come back every second. A 429 that reaches a client which
    keeps the bound means that somebody else uses the same token; only this family of rules lets such unaware clients
    converge to a fair share. In a simulation of one to four of them it held 0.93 to 1.0 of the limit together, with
    fewer than 0.9 % of the requests refused.

    Args:
        nominal: requests per second when nothing is refused.

    """

    __slots__ = ("_changed_at", "_last_decrease", "_rate", "nominal")

    DECREASE = 0.95
    DECREASE_AT_MOST_EVERY = 0.2
    RECOVERY_PER_SECOND = 0.0025
    FLOOR = 0.05

    def __init__(self, nominal: float) -> None:
        self.nominal: float = nominal
        self._rate = nominal
        self._changed_at = 0.0
        self._last_decrease = float("-inf")

    def at(self, now: float) -> float:
        """Return the rate at ``now`` (seconds of the limiter's clock)."""
        if self._rate < self.nominal:
            gained = (now - self._changed_at) * self.RECOVERY_PER_SECOND * self.nominal
            return min(self.nominal, self._rate + gained)
        return self.nominal

    def refused(self, now: float) -> bool:
        """Note a refusal; return whether it begins a new episode (and so changed the rate)."""
        if now - self._last_decrease < self.DECREASE_AT_MOST_EVERY:
            return False
        self._rate = max(self.at(now) * self.DECREASE, self.nominal * self.FLOOR)
        self._changed_at = self._last_decrease = now
        return True
