"""Fake time for tests that run many event loops, such as Hypothesis's; others use the fixture ``fake_time``."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from marketingblocks_async.testing import FakeTime

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` in an event loop of its own, in fake time."""

    async def in_fake_time() -> T:
        with FakeTime():
            return await main

    return asyncio.run(in_fake_time())
