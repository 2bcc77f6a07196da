"""throttled-py: its waiting mode with GCRA, as the documentation shows it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from throttled.asyncio import MemoryStore, RateLimiterType, Throttled

from benchmarks.contestants.base import Contestant, Create, Target
from benchmarks.contestants.plain_aiohttp import create_post, session_for
from marketingblocks_async import CreatePost

# It gives up after this, so it must be longer than the longest queue.
_PATIENCE = 3600.0


@asynccontextmanager
async def _open(target: Target) -> AsyncGenerator[Create]:
    throttle = Throttled(
        key="create-post", using=RateLimiterType.GCRA.value, quota="100/s", timeout=_PATIENCE, store=MemoryStore()
    )
    async with session_for(target) as session:

        async def create(post: CreatePost) -> object:
            async with throttle:
                return await create_post(session, target, post)

        yield create


THROTTLED = Contestant("throttled", "aiohttp + throttled-py", _open)
