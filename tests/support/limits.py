"""Limiters, and requests as the transport reports them."""

from __future__ import annotations

from typing import Any

from marketingblocks_async.limits.limiter import RateLimiter
from marketingblocks_async.limits.permits import PermitPool
from marketingblocks_async.limits.settings import Permit, RateLimit


def limiter_of(**settings: Any) -> RateLimiter:
    """Make a limiter on the clock that ``time.monotonic`` is now."""
    return RateLimiter(PermitPool(RateLimit(**settings)))


def use(permit: Permit) -> None:
    """Send the request, and get its response at once."""
    permit.sending()
    permit.sent(fresh_connection=False)
    permit.answered()
