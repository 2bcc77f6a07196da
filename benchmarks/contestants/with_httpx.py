"""httpx with a semaphore: so many requests at once. It bounds what is in flight, which is often taken for a rate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx

from benchmarks.contestants.base import Contestant, Create, Target
from marketingblocks_async import CreatePost


@asynccontextmanager
async def _open(target: Target) -> AsyncGenerator[Create]:
    semaphore = asyncio.Semaphore(100)
    async with httpx.AsyncClient(headers=target.headers, timeout=target.timeout) as client:

        async def create(post: CreatePost) -> object:
            async with semaphore:
                answer = await client.post(target.url, json=post.wire())
                answer.raise_for_status()
                return answer.json()

        yield create


HTTPX = Contestant("httpx", "httpx + Semaphore(100)", _open)
