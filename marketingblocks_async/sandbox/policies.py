"""Policies that limit the requests of a token.

The documentation says "100 requests per second" and not how they are counted, so each usual way is here, one class
each. They are written from the textbook definitions and share no code with the client's limiter, so that a bug in the
client is not mirrored here. None of them reads a clock: every call gets the time, in seconds on any scale that never
runs backwards.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from enum import StrEnum
from math import ceil, floor
from typing import Protocol

_ROUNDING = 1e-9
"""A nanosecond. Sums of binary fractions (100 times 0.01 s) miss a border by less, which is no fault of the caller."""


class PolicyName(StrEnum):
    """The rate-limit policies that can be chosen by name."""

    NONE = "none"
    FIXED_WINDOW = "fixed_window"
    SLIDING_LOG = "sliding_log"
    SLIDING_LOG_STRICT = "sliding_log_strict"
    TOKEN_BUCKET = "token_bucket"  # noqa: S105 - the name of an algorithm
    GCRA = "gcra"
    ANCHORED_WINDOW = "anchored_window"


class Policy(Protocol):
    """Decides about the requests of one token, one after another."""

    def judge(self, now: float) -> float | None:
        """Count one request and decide about it.

        Args:
            now: when it arrived, in seconds; never smaller than in the call before.

        Returns:
            ``None`` if the request is allowed, otherwise the seconds after which the next one would be.

        """
        ...


class Unlimited:
    """Allows everything."""

    def judge(self, now: float) -> float | None:
        """Allow the request; see ``Policy.judge``."""
        del now
        return None


class FixedWindow:
    """Allows ``limit`` requests in each window of the calendar: from 12:00:00 to 12:00:01, and so on.

    Twice the limit can pass within a moment, around the border of two windows.

    Args:
        limit: requests allowed in a window.
        per: length of a window in seconds.
        calendar_offset: added to the times handed to ``judge`` to get seconds of the calendar.

    """

    def __init__(self, limit: int, per: float, *, calendar_offset: float = 0.0) -> None:
        self._limit = limit
        self._per = per
        self._offset = calendar_offset
        self._window: int | None = None
        self._used = 0

    def judge(self, now: float) -> float | None:
        """Count one request; see ``Policy.judge``."""
        calendar = now + self._offset
        window = floor(calendar / self._per)
        if window != self._window:
            self._window, self._used = window, 0
        if self._used < self._limit:
            self._used += 1
            return None
        return (window + 1) * self._per - calendar


class AnchoredWindow:
    """Allows ``limit`` requests in a window that begins with the first request after the last window has ended.

    This is the limiter of the framework Laravel, which also sends ``X-RateLimit-*`` headers; refused requests do not
    count. Nearly twice the limit can pass around the end of a window. See
    https://github.com/laravel/framework/blob/12.x/src/Illuminate/Routing/Middleware/ThrottleRequests.php.

    Args:
        limit: requests allowed in a window.
        per: length of a window in seconds.

    Attributes:
        limit: requests allowed in a window.
        remaining: requests that the present window still allows.
        ends_at: end of the present window, on the scale of the times of ``judge``.

    """

    def __init__(self, limit: int, per: float) -> None:
        self.limit = limit
        self.remaining: int = limit
        self.ends_at: float = float("-inf")
        self._per = per

    def judge(self, now: float) -> float | None:
        """Count one request; see ``Policy.judge``."""
        if now >= self.ends_at:
            self.remaining, self.ends_at = self.limit, now + self._per
        if self.remaining:
            self.remaining -= 1
            return None
        return self.ends_at - now


class SlidingLog:
    """Allows a request while fewer than ``limit`` were *allowed* in the last ``per`` seconds.

    Args:
        limit: requests allowed in any window.
        per: length of the window in seconds; it is half open, so a request exactly ``per`` old no longer counts.

    """

    def __init__(self, limit: int, per: float) -> None:
        self._per = per
        # Only the last `limit` of them can ever matter.
        self._allowed: deque[float] = deque(maxlen=limit)
        self._limit = limit

    def judge(self, now: float) -> float | None:
        """Count one request; see ``Policy.judge``."""
        if len(self._allowed) < self._limit or now - self._allowed[0] >= self._per:
            self._allowed.append(now)
            return None
        return self._allowed[0] + self._per - now


class SlidingLogStrict:
    """Allows a request while fewer than ``limit`` *arrived* in the last ``per`` seconds, refused ones included.

    A caller that keeps asking above the rate is refused until it slows down.

    Args:
        limit: requests allowed in any window.
        per: length of the window in seconds; it is half open, so a request exactly ``per`` old no longer counts.

    """

    def __init__(self, limit: int, per: float) -> None:
        self._per = per
        self._arrived: deque[float] = deque(maxlen=limit)
        self._limit = limit

    def judge(self, now: float) -> float | None:
        """Count one request; see ``Policy.judge``."""
        allowed = len(self._arrived) < self._limit or now - self._arrived[0] >= self._per
        self._arrived.append(now)
        return None if allowed else self._arrived[0] + self._per - now


class TokenBucket:
    """Holds up to ``limit`` tokens, fills at ``limit / per`` a second, and a request takes one.

    It starts full. Within ``per`` seconds nearly twice the limit can pass: the full bucket and what flows in meanwhile.

    Args:
        limit: capacity, and tokens that flow in within ``per``.
        per: seconds to fill an empty bucket.

    """

    def __init__(self, limit: int, per: float) -> None:
        self._capacity = float(limit)
        self._rate = limit / per
        self._tokens = self._capacity
        self._filled_at: float | None = None

    def judge(self, now: float) -> float | None:
        """Count one request; see ``Policy.judge``."""
        if self._filled_at is not None:
            self._tokens = min(self._capacity, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens >= 1.0 - _ROUNDING:
            self._tokens = max(0.0, self._tokens - 1.0)
            return None
        return (1.0 - self._tokens) / self._rate


class Gcra:
    """The generic cell rate algorithm: one request every ``per / limit`` seconds, and ``tolerance`` ahead of time.

    After a rest ``tolerance + 1`` requests pass at once: the one that is due and ``tolerance`` extra ones.

    Args:
        limit: requests in ``per``.
        per: seconds.
        tolerance: number of requests that may be ahead of the even pace.

    """

    def __init__(self, limit: int, per: float, *, tolerance: int) -> None:
        self._interval = per / limit
        self._allowance = tolerance * self._interval
        self._due: float | None = None

    def judge(self, now: float) -> float | None:
        """Count one request; see ``Policy.judge``."""
        due = now if self._due is None else max(self._due, now)
        early = due - self._allowance - now
        if early > _ROUNDING:
            return early
        self._due = due + self._interval
        return None


def make_policy(
    name: PolicyName, *, limit: int, per: float, tolerance: int = 0, calendar_offset: float = 0.0
) -> Policy:
    """Return a fresh policy of the given kind.

    Args:
        name: name of the policy.
        limit: requests allowed in ``per`` seconds.
        per: seconds.
        tolerance: for GCRA only, see ``Gcra``.
        calendar_offset: for the fixed window only, see ``FixedWindow``.

    """
    makers: dict[PolicyName, Callable[[], Policy]] = {
        PolicyName.NONE: Unlimited,
        PolicyName.FIXED_WINDOW: lambda: FixedWindow(limit, per, calendar_offset=calendar_offset),
        PolicyName.SLIDING_LOG: lambda: SlidingLog(limit, per),
        PolicyName.SLIDING_LOG_STRICT: lambda: SlidingLogStrict(limit, per),
        PolicyName.TOKEN_BUCKET: lambda: TokenBucket(limit, per),
        PolicyName.GCRA: lambda: Gcra(limit, per, tolerance=tolerance),
        PolicyName.ANCHORED_WINDOW: lambda: AnchoredWindow(limit, per),
    }
    return makers[name]()


def retry_after_header(style: str, wait: float, world: float) -> str | None:
    """Return the value of ``Retry-After``, or ``None`` when the header is left out.

    Styles: ``none``, ``seconds`` (whole, rounded up), ``decimal`` (milliseconds as a fraction), ``http_date`` (rounded
    up to the next whole second); any other text is sent as it is. ``wait`` is the seconds until a request would be
    allowed, ``world`` the present.
    """
    match style:
        case "none":
            return None
        case "seconds":
            return str(max(1, ceil(wait)))
        case "decimal":
            # Rounded up, so that the promise holds: a request after that time is allowed.
            return f"{ceil(wait * 1000) / 1000:.3f}"
        case "http_date":
            return formatdate(ceil(world + wait), usegmt=True)
        case _:
            return style
