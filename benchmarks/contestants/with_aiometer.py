"""aiometer: it starts the calls itself, so many per second."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiometer

from benchmarks.contestants.base import Contestant, Create, Target
from benchmarks.contestants.plain_aiohttp import create_post, session_for
from marketingblocks_async import CreatePost


@asynccontextmanager
async def _open(target: Target) -> AsyncGenerator[Create]:
    async with session_for(target) as session:
        yield partial(create_post, session, target)


# Its own types leave the functions' results open.
_run_on_each: Callable[..., Coroutine[Any, Any, None]] = vars(aiometer)["run_on_each"]


async def _start(create: Create, posts: Sequence[CreatePost]) -> None:
    await _run_on_each(create, posts, max_per_second=100)


AIOMETER = Contestant("aiometer", "aiohttp + aiometer", _open, _start)
