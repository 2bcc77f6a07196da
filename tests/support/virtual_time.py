"""Fake time for tests that run many event loops, such as Hypothesis's; others use the fixture ``fake_time``."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from marketingblocks_async.testing import FakeTime

T = TypeVar("T")


class FakeTimeWithoutThreads(FakeTime):
    """Fake time for a test that has no threads. Each jump would wait for those that other tests left behind."""

    def _can_be_woken(self) -> bool:
        return len(self._selector.get_map()) > 1


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` in an event loop of its own, in fake time."""

    async def in_fake_time() -> T:
        with FakeTimeWithoutThreads():
            return await main

    return asyncio.run(in_fake_time())
