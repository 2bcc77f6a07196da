"""This client, with its defaults."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from benchmarks.contestants.base import Contestant, Create, Target
from marketingblocks_async import MarketingBlocks, RateLimit
from marketingblocks_async.redis import RedisRateLimit


@asynccontextmanager
async def _open(target: Target) -> AsyncGenerator[Create]:
    rate_limit: RateLimit | RedisRateLimit = RateLimit() if target.limited else RateLimit(limit=None)
    if target.redis:
        rate_limit = RedisRateLimit(target.redis)
    async with MarketingBlocks(
        target.token, base_url=target.base_url, timeout=target.timeout, rate_limit=rate_limit
    ) as client:
        yield client.posts.create


OURS = Contestant("ours", "marketingblocks-async", _open, retries=True)
