"""Waiting for something that tells nobody when it has happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(is_so: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Return when it is so.

    Args:
        is_so: looked at every few milliseconds.
        seconds: after which this is an error; far more than it can take.

    """
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110 - limiters and other processes have no event to wait for
            await asyncio.sleep(0.005)
