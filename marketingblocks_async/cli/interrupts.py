"""Ctrl-C: once to finish what is in flight, twice to stop at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts(first: Callable[[], None], second: Callable[[], None]) -> Generator[None]:
    """Call ``first`` on the first SIGINT or SIGTERM, and ``second`` on each further one.

    Args:
        first: asks to stop in an orderly way. Called on the event loop that runs now.
        second: stops at once.

    """
    loop = asyncio.get_running_loop()
    seen = 0

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal seen
        seen += 1
        # Wakes the loop as well, wherever it waits.
        loop.call_soon_threadsafe(first if seen == 1 else second)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
