"""asyncio-throttle: ``async with throttler`` around each request."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from asyncio_throttle.throttler import Throttler

from benchmarks.contestants.base import Contestant, Create, Target
from benchmarks.contestants.plain_aiohttp import create_post, session_for
from marketingblocks_async import CreatePost


@asynccontextmanager
async def _open(target: Target) -> AsyncGenerator[Create]:
    throttler = Throttler(rate_limit=100, period=1.0)
    async with session_for(target) as session:

        async def create(post: CreatePost) -> object:
            async with throttler:
                return await create_post(session, target, post)

        yield create


THROTTLER = Contestant("throttler", "aiohttp + asyncio-throttle", _open)
