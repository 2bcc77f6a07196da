"""aiohttp, which most of the contestants send with."""

from __future__ import annotations

from typing import Any

import aiohttp

from benchmarks.contestants.base import Target
from marketingblocks_async import CreatePost


def session_for(target: Target) -> aiohttp.ClientSession:
    """Return a session as its documentation recommends: one for all requests, errors raised, a timeout."""
    return aiohttp.ClientSession(
        headers=target.headers,
        raise_for_status=True,
        timeout=aiohttp.ClientTimeout(total=target.timeout),
    )


async def create_post(session: aiohttp.ClientSession, target: Target, post: CreatePost) -> Any:
    """Create one post and return the answer."""
    async with session.post(target.url, json=post.wire()) as answer:
        return await answer.json()
