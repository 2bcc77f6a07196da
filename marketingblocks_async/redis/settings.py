"""The settings of a limit that is kept in Redis."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal, cast
from urllib.parse import urlsplit

import redis.asyncio

from marketingblocks_async.configuration import is_number
from marketingblocks_async.endpoints import DOCUMENTED_RATE
from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.limits.release import FRESH_CONNECTION_GUARD, RELEASED_UNSEEN_HOLD
from marketingblocks_async.limits.settings import RateLimit

OnFailure = Literal["wait", "share", "fail"]


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """The settings of ``RedisRateLimit``, whose docstring explains them."""

    url: str = field(default="", repr=False)
    _: KW_ONLY
    limit: int = DOCUMENTED_RATE
    per: float = 1.0
    burst: float = 5
    guard: float = 0.05
    on_failure: OnFailure | None = None
    share: int | None = None
    lease: float = 0.75
    prefix: str = "marketingblocks"
    connect: Callable[[], redis.asyncio.Redis] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.connect is None and not _is_address(self.url):
            # Not shown: it may hold a password.
            msg = "RedisRateLimit(url=…): give redis://HOST:PORT/DATABASE, rediss://… or unix://…"
            raise ConfigurationError(msg)
        if not isinstance(cast("object", self.prefix), str) or not (self.connect is None or callable(self.connect)):
            msg = f"RedisRateLimit(prefix={self.prefix!r}, connect={self.connect!r}): give a text, and a function"
            raise ConfigurationError(msg)
        if not is_number(self.lease) or not 0.1 <= self.lease < math.inf:
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
        if self.share is not None and (not is_number(self.share, whole=True) or not 1 <= self.share <= self.limit):
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
        """Seconds after the end of a lease in which requests that were written before may still be counted."""
        return RELEASED_UNSEEN_HOLD if self.guard == math.inf else max(self.guard, FRESH_CONNECTION_GUARD)

    @property
    def recovery(self) -> float:
        """Seconds after which a lost lease cannot have an effect any more: lease + grace + per."""
        return self.lease + self.grace + self.per

    @property
    def where(self) -> str:
        """Address of Redis, without credentials."""
        if not self.url:
            return "the address of connect()"
        parts = urlsplit(self.url)
        return f"{parts.hostname or 'localhost'}:{parts.port or 6379}" if parts.scheme != "unix" else parts.path


def _is_address(url: object) -> bool:
    if not isinstance(url, str):
        return False
    try:
        # urlsplit() checks the port only when it is asked for.
        scheme, _ = urlsplit(url).scheme, urlsplit(url).port
    except ValueError:
        return False
    return scheme in ("redis", "rediss", "unix")
