"""pyrate-limiter: its sliding-window log, behind the wrapper that its documentation asks for under asyncio."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from pyrate_limiter import BucketAsyncWrapper, Duration, InMemoryBucket, Limiter, Rate

from benchmarks.contestants.base import Contestant, Create, Target
from benchmarks.contestants.plain_aiohttp import create_post, session_for
from marketingblocks_async import CreatePost


@asynccontextmanager
async def _open(target: Target) -> AsyncGenerator[Create]:
    bucket = BucketAsyncWrapper(InMemoryBucket([Rate(100, Duration.SECOND)]))
    async with session_for(target) as session:
        with Limiter(bucket) as limiter:

            async def create(post: CreatePost) -> object:
                await limiter.try_acquire_async("create-post")
                return await create_post(session, target, post)

            yield create


PYRATE = Contestant("pyrate", "aiohttp + pyrate-limiter", _open)
