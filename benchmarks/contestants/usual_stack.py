"""The usual stack: aiohttp, aiolimiter, tenacity, pydantic. Every attempt passes the limiter, so retries count too."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
from aiolimiter import AsyncLimiter
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from benchmarks.contestants.base import Contestant, Create, Target
from benchmarks.contestants.plain_aiohttp import session_for
from marketingblocks_async import CreatedPost, CreatePost


def is_transient(error: BaseException) -> bool:
    """Return whether it is worth another attempt: lost connections, timeouts, 429 and 5xx."""
    if isinstance(error, aiohttp.ClientResponseError):
        return error.status == 429 or error.status >= 500
    return isinstance(error, (aiohttp.ClientError, TimeoutError))


@asynccontextmanager
async def _open(target: Target) -> AsyncGenerator[Create]:
    limiter = AsyncLimiter(100 if target.limited else 1e9, 1)
    async with session_for(target) as session:

        @retry(
            retry=retry_if_exception(is_transient),
            stop=stop_after_attempt(5),
            wait=wait_random_exponential(multiplier=0.5, max=30),
            reraise=True,
        )
        async def create(post: CreatePost) -> object:
            async with limiter, session.post(target.url, json=post.wire()) as answer:
                return CreatedPost.model_validate(await answer.json())

        yield create


STACK = Contestant("stack", "aiohttp + aiolimiter + tenacity", _open, retries=True)
