r"""One rate limit for all processes and machines that use a token, kept in Redis (extra ``redis``)::

    from marketingblocks_async.redis import RedisRateLimit

    async with MarketingBlocks(rate_limit=RedisRateLimit("redis://cache:6379/0")) as client: ...

Todo:
"""

from .settings import OnFailure, RedisRateLimit

try:
    from .limiter import RedisRateLimiter, RedisRateLimiterSnapshot
except ImportError as exc:
    msg = "marketingblocks_async.redis needs redis-py: pip install 'marketingblocks-async[redis]'"
    raise ImportError(msg) from exc

__all__ = ["OnFailure", "RedisRateLimit", "RedisRateLimiter", "RedisRateLimiterSnapshot"]
