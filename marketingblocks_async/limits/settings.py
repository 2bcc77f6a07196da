"""The rate limit as data and as interfaces: settings, lanes, snapshot, limiter and permit."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, runtime_checkable

from marketingblocks_async.configuration import is_number
from marketingblocks_async.endpoints import DOCUMENTED_RATE
from marketingblocks_async.errors import ConfigurationError


class Lane(IntEnum):
    """The queue that a call waits in. A bulk call is granted only when no ordinary call waits."""

    ORDINARY = 0
    BULK = 1


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The limit of one token. The defaults are the documented limit.

    Args:
        limit: requests per ``per`` seconds, at least 1; ``None`` lifts the limit (for benchmarks against your own
            server).
        per: length of the window in seconds, above 0.
        burst: how many requests may go out back to back after a rest, at least 1; 2 to 5 is the useful range.
        guard: the most that safety may cost, in seconds, 0 or more: for how long permits are held on average because
            responses are late. So a token reaches about ``limit / (per + guard)``. ``math.inf`` holds every permit
            until its request was counted for certain, whatever the rate.

    Raises:
        ConfigurationError: a value is out of its range.

    """

    limit: int | None = DOCUMENTED_RATE
    per: float = 1.0
    burst: float = 5
    guard: float = 0.05

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.limit is not None and (not is_number(self.limit) or not self.limit >= 1 or self.limit % 1):
            msg = f"RateLimit(limit={self.limit!r}): give a whole number, 1 or more, or None to lift the limit"
            raise ConfigurationError(msg)
        if not is_number(self.per) or not 0 < self.per <= sys.float_info.max:
            msg = f"RateLimit(per={self.per!r}): give the length of the window in seconds, above 0"
            raise ConfigurationError(msg)
        if self.limit is not None and not self.limit < 1e300 * self.per:
            msg = "RateLimit(limit=…, per=…): the rate is beyond all numbers; give fewer requests or a longer window"
            raise ConfigurationError(msg)
        if not is_number(self.burst) or not 1 <= self.burst < math.inf:
            msg = f"RateLimit(burst={self.burst!r}): give how many requests may go out back to back, 1 or more"
            raise ConfigurationError(msg)
        if not is_number(self.guard) or not self.guard >= 0:
            msg = f"RateLimit(guard={self.guard!r}): give seconds, 0 or more (math.inf for responses only)"
            raise ConfigurationError(msg)


@dataclass(frozen=True, slots=True)
class RateLimiterSnapshot:
    """The state of a limiter, for people and dashboards.

    Attributes:
        limit: permits in all; ``None`` when the limit is lifted.
        per: seconds of the window.
        in_use: permits that are out: requests on their way, and those that the server may still be counting.
        queued: calls that wait for a permit.
        queued_bulk: bulk calls among them.
        paused_for: seconds until a pause after a 429 ends; 0.0 when there is none.
        granted: requests granted since the limiter was made.
        refused: 429s since then.
        rate: requests per second at which it paces now; lower than ``limit / per`` after a 429.
        guard: seconds of guard in force; wider than configured after a 429.
        mean_hold: seconds beyond ``per`` for which permits were held lately, on average.
        credit: seconds for which permits may yet be held, all together, because responses are late.
        estimated_wait: seconds that an ordinary call made now would wait, as far as can be foreseen.

    """

    limit: int | None
    per: float
    in_use: int
    queued: int
    queued_bulk: int
    paused_for: float
    granted: int
    refused: int
    rate: float
    guard: float
    mean_hold: float
    credit: float
    estimated_wait: float

    @property
    def obstacle(self) -> str | None:
        """What holds all calls back, in words; ``None`` if it is only the queue."""
        return f"the API asked for a pause, which lasts {self.paused_for:.1f} s more" if self.paused_for else None


class Permit(Protocol):
    """The right to put one request on the wire.

    The transport reports the progress of the request. ``answered()`` or ``release()`` ends the permit, and later
    reports are ignored.
    """

    def sending(self, operation: str = "") -> None:
        """Note that from here on some of the request may be on the wire; called directly before the write.

        Args:
            operation: name of the operation. Response times are compared within it.

        """
        ...

    def sent(self, *, fresh_connection: bool) -> None:
        """Note that all of the request was written to the socket.

        Args:
            fresh_connection: whether it is the first request on its connection.

        """
        ...

    def answered(self, *, success: bool = True) -> None:
        """Note that the head of the response was read, so the server has counted the request.

        Args:
            success: whether its status is 2xx. A failure may be faster than any success.

        """
        ...

    def release(self) -> None:
        """Note that the call is over, with or without a response; the permit is free at once if nothing was sent."""
        ...


class Limiter(Protocol):
    """A limiter as the client uses it, whether it counts in this process or elsewhere."""

    @property
    def settings(self) -> RateLimit:
        """The limit."""
        ...

    async def acquire(self, lane: Lane = Lane.ORDINARY, *, retry: bool = False, owner: object = None) -> Permit:
        """Wait for a permit."""
        ...

    async def wait_to_write(self, *, owner: object = None) -> None:
        """Wait until a granted request may be written; called when its connection is open."""
        ...

    def pause(self, seconds: float, *, over_limit: bool = True) -> None:
        """Let nothing out for ``seconds``; after a 429 (``over_limit``) go on more slowly."""
        ...

    def estimated_wait(self, lane: Lane = Lane.ORDINARY) -> float:
        """Return the seconds that a call made now would wait at least, as far as can be foreseen."""
        ...

    def abort(self, owner: object, error: Callable[[], Exception]) -> int:
        """End the waiting of all calls of ``owner`` with ``error()``; return their number."""
        ...

    def snapshot(self) -> RateLimiterSnapshot:
        """Return the current state."""
        ...


class ManagedLimiter(Limiter, Protocol):
    """A limiter as the registry keeps it: for all clients of a token, and for a while after the last one."""

    @property
    def busy(self) -> bool:
        """Whether the server may still be counting requests of this limiter, or it is paused."""
        ...

    def close(self) -> None:
        """Return what it holds outside of this process, without waiting; it is not used afterwards."""
        ...


@runtime_checkable
class SharedRateLimit(Protocol):
    """A rate limit that is counted outside of this process, so that several processes can share it.

    ``MarketingBlocks(rate_limit=...)`` takes one instead of a ``RateLimit``. Two of them are the same limit if
    they are equal. ``marketingblocks_async.redis.RedisRateLimit`` is one.
    """

    @property
    def limit(self) -> int:
        """Requests per ``per`` seconds, of all processes together."""
        ...

    @property
    def per(self) -> float:
        """Length of the window in seconds."""
        ...

    def make_limiter(self, base_url: str, token: str) -> ManagedLimiter:
        """Return a new limiter of a token.

        Args:
            base_url: API root.
            token: access token.

        """
        ...


class WaitEndedError(Exception):
    """The waiting for a permit was ended from outside, and nothing was sent. A signal inside the package.

    Args:
        why: the reason in words, to follow "not sent:" in the error that the caller gets.

    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
