"""The sandbox's two clocks: one for the rate limit, and one for posts, which a test can move."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from marketingblocks_async.errors import InvalidArgumentError

Clock = Callable[[], float]
"""Returns seconds on some scale that never runs backwards, such as ``monotonic``."""


_CENTURY = 100 * 365 * 86400.0


class SandboxClock:
    """Time as the sandbox sees it.

    Requests are counted on the monotonic clock. Posts, generations and the expiry of tokens follow *world* time:
    seconds since 1970, which is the monotonic clock moved to the calendar, plus everything that ``advance`` added.

    Args:
        monotonic: the clock behind both.
        calendar: seconds since 1970, read once to find the distance of the two scales.

    """

    def __init__(self, monotonic: Clock = time.monotonic, calendar: Clock = time.time) -> None:
        self.monotonic = monotonic
        self.calendar_offset: float = calendar() - monotonic()
        """Difference of calendar time and monotonic time, in seconds."""
        self._advanced = 0.0
        self._moved = asyncio.Event()

    def world(self) -> float:
        """Return world time, in seconds since 1970."""
        return self.monotonic() + self.calendar_offset + self._advanced

    @property
    def advanced(self) -> float:
        """Seconds that were added by ``advance``."""
        return self._advanced

    def advance(self, seconds: float) -> None:
        """Move world time forward, and wake up ``until``.

        Args:
            seconds: distance, from 0 to a hundred years in all.

        Raises:
            ValueError: ``seconds`` is negative, not a number, or too much.

        """
        if not 0 <= seconds <= _CENTURY - self._advanced:
            msg = f"time moves forward, and a hundred years at most: cannot advance by {seconds} seconds"
            raise InvalidArgumentError(msg)
        self._advanced += seconds
        self._moved.set()
        self._moved = asyncio.Event()

    async def until(self, moment: float) -> None:
        """Wait until world time has reached ``moment`` (seconds since 1970)."""
        while (remaining := moment - self.world()) > 0:
            try:
                async with asyncio.timeout(remaining):
                    await self._moved.wait()
            except TimeoutError:
                continue
