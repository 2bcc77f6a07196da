"""The settings of a limit that is kept in Redis."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.limits.permits import FRESH_CONNECTION_GUARD, GIVEN_UP_HOLD
from marketingblocks_async.limits.settings import ManagedLimiter, RateLimit

if TYPE_CHECKING:
    import redis.asyncio

OnFailure = Literal["wait", "share", "fail"]


@dataclass(frozen=True, slots=True)
class RedisRateLimit:
    """One rate limit for all processes that use the same Redis.

    ``MarketingBlocks(rate_limit=RedisRateLimit("redis://cache:6379/0"))``. All processes of a token must give the same
    ``limit``, ``per``, ``guard``, ``lease`` and ``prefix``.

    Args:
        url: where Redis is, as redis-py understands it: ``redis://``, ``rediss://`` or ``unix://``.
        limit: requests per ``per`` seconds of all processes together, at least 1.
        per: length of the window in seconds, above 0.
        burst: how many requests each process may send back to back after a rest, at least 1.
        guard: as in :class:`~marketingblocks_async.RateLimit`, in seconds. It has to cover also how much the ways from
            the processes to the server differ, so it is wider than the local one. The price: where answers take longer
            than it, at most ``limit / (per + guard)`` requests per second are reached.
        on_failure: what calls do while Redis cannot be reached and the lease has run out. ``"wait"``: wait for it.
            ``"fail"``: raise :class:`~marketingblocks_async.NotSentError`. ``"share"``: go on with a fixed share of the
            limit after :attr:`recovery` seconds. By default ``"share"`` if ``share`` is given, else ``"wait"``.
        share: into how many shares the limit is divided for ``"share"``: the largest number of processes that there
            may be, 1 to ``limit``.
        lease: for how many seconds a process may use its permits without hearing from Redis, 0.1 or more. It speaks
            with Redis three times in that time, while it is in use.
        prefix: how the names of all keys begin.
        connect: makes the redis-py client instead of ``url``, for Sentinel and other special cases; called in the
            thread that uses it, and again after a lost connection. ``url`` is then only a name.

    Raises:
        ConfigurationError: a value is out of its range.

    """

    url: str = field(repr=False)
    _: KW_ONLY
    limit: int = 100
    per: float = 1.0
    burst: float = 5
    guard: float = 0.25
    on_failure: OnFailure | None = None
    share: int | None = None
    lease: float = 0.75
    prefix: str = "marketingblocks"
    connect: Callable[[], redis.asyncio.Redis] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.connect is None and urlsplit(self.url).scheme not in ("redis", "rediss", "unix"):
            # Not shown: it may hold a password.
            msg = "RedisRateLimit(url=…): give redis://…, rediss://… or unix://…"
            raise ConfigurationError(msg)
        if not 0.1 <= self.lease < math.inf:
            msg = f"RedisRateLimit(lease={self.lease!r}): give seconds, 0.1 or more"
            raise ConfigurationError(msg)
        if self.on_failure not in (None, "wait", "share", "fail"):
            msg = f"RedisRateLimit(on_failure={self.on_failure!r}): give 'wait', 'share' or 'fail'"
            raise ConfigurationError(msg)
        if (self.on_failure == "share" and self.share is None) or (self.share and self.on_failure in ("wait", "fail")):
            msg = "RedisRateLimit: share=N and on_failure='share' belong together; N is the most processes there may be"
            raise ConfigurationError(msg)
        if self.local.limit is None:
            msg = "RedisRateLimit(limit=None): a lifted limit needs no Redis; use RateLimit(limit=None)"
            raise ConfigurationError(msg)
        if self.share is not None and not 1 <= self.share <= self.limit:
            msg = f"RedisRateLimit(share={self.share!r}): give the number of processes, 1 to {self.limit}"
            raise ConfigurationError(msg)

    @property
    def local(self) -> RateLimit:
        """The same limit without Redis."""
        return RateLimit(limit=self.limit, per=self.per, burst=self.burst, guard=self.guard)

    @property
    def what_on_failure(self) -> OnFailure:
        """What calls do while Redis cannot be reached."""
        return self.on_failure or ("wait" if self.share is None else "share")

    @property
    def grace(self) -> float:
        """Seconds after the end of a lease in which what was written before may still be counted."""
        return GIVEN_UP_HOLD if self.guard == math.inf else max(self.guard, FRESH_CONNECTION_GUARD)

    @property
    def recovery(self) -> float:
        """Seconds after which a lease that nobody remembers has no effect any more: lease + grace + per."""
        return self.lease + self.grace + self.per

    @property
    def where(self) -> str:
        """Where Redis is, without credentials."""
        parts = urlsplit(self.url)
        return f"{parts.hostname or 'localhost'}:{parts.port or 6379}" if parts.scheme != "unix" else parts.path

    def make_limiter(self, base_url: str, token: str) -> ManagedLimiter:
        """Return a new limiter of a token.

        Args:
            base_url: API root.
            token: access token; only a hash of both goes to Redis.

        """
        # Only now, since the limiter brings in redis-py and a thread.
        from .limiter import RedisRateLimiter  # noqa: PLC0415 - only when it is used

        return RedisRateLimiter(self, base_url, token)
