"""aiohttp and aiolimiter: ``async with limiter`` around each request, with the two settings that people use.

``AsyncLimiter(100, 1)`` is the documentation's way to say "100 per second". ``AsyncLimiter(1, 0.01)`` is its advice
for those who want no bursts.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

from aiolimiter import AsyncLimiter

from benchmarks.contestants.base import Contestant, Create, Target
from benchmarks.contestants.plain_aiohttp import create_post, session_for
from marketingblocks_async import CreatePost


@asynccontextmanager
async def _open(max_rate: float, time_period: float, target: Target) -> AsyncGenerator[Create]:
    limiter = AsyncLimiter(max_rate, time_period)
    async with session_for(target) as session:

        async def create(post: CreatePost) -> object:
            async with limiter:
                return await create_post(session, target, post)

        yield create


BUCKET = Contestant("bucket", "aiohttp + AsyncLimiter(100, 1)", partial(_open, 100, 1))
DRIP = Contestant("drip", "aiohttp + AsyncLimiter(1, 0.01)", partial(_open, 1, 0.01))
