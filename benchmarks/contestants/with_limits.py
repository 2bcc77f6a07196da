"""limits: its moving window, which only says yes or no; who is told no sleeps until the window's reset time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from benchmarks.contestants.base import Contestant, Create, Target
from benchmarks.contestants.plain_aiohttp import create_post, session_for
from marketingblocks_async import CreatePost


@asynccontextmanager
async def _open(target: Target) -> AsyncGenerator[Create]:
    limiter = MovingWindowRateLimiter(MemoryStorage())
    per_second = RateLimitItemPerSecond(100)
    async with session_for(target) as session:

        async def create(post: CreatePost) -> object:
            while not await limiter.hit(per_second, "create-post"):
                window = await limiter.get_window_stats(per_second, "create-post")
                # Its clock is the wall clock.
                await asyncio.sleep(max(0.0, window.reset_time - time.time()))
            return await create_post(session, target, post)

        yield create


LIMITS = Contestant("limits", "aiohttp + limits", _open)
