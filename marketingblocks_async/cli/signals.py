"""Ctrl-C, and the signals that end a command as Ctrl-C does: with what is known and an exit code."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

R = TypeVar("R")

_LIKE_CTRL_C = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that end a command as Ctrl-C does; SIGHUP comes when the terminal is closed. Windows has only the first."""


def run(main: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine as ``asyncio.run()`` does; SIGTERM and SIGHUP cancel it, too."""
    tasks: list[asyncio.Task[Any]] = []

    async def run_main() -> R:
        tasks.extend(task for task in [asyncio.current_task()] if task is not None)
        return await main

    def cancel() -> None:
        if not tasks or tasks[0].cancelling():
            raise KeyboardInterrupt
        tasks[0].get_loop().call_soon_threadsafe(tasks[0].cancel)

    with ended_like_ctrl_c(cancel):
        return asyncio.run(run_main())


def _interrupt() -> None:
    raise KeyboardInterrupt


@contextmanager
def ended_like_ctrl_c(without_ctrl_c: Callable[[], None] = _interrupt) -> Generator[None]:
    """Let SIGTERM and SIGHUP end what runs inside as Ctrl-C does.

    Args:
        without_ctrl_c: called instead if Ctrl-C is ignored, as for a shell's jobs in the background: no signal of that
            kind would arrive.

    """

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            without_ctrl_c()
        else:
            signal.raise_signal(signal.SIGINT)

    with _handled(_LIKE_CTRL_C, on_signal):
        yield


@contextmanager
def _handled(numbers: Sequence[signal.Signals], handler: Callable[[int, FrameType | None], None]) -> Generator[None]:
    """Handle signals, apart from those that are ignored: ``nohup`` and shells do that for jobs in the background."""
    # Python handles signals in its main thread only.
    is_main = threading.current_thread() is threading.main_thread()
    before = {
        number: signal.signal(number, handler)
        for number in numbers
        if is_main and signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


@contextmanager
def interrupts(first: Callable[[], None], second: Callable[[], None]) -> Generator[None]:
    """Call ``first`` on the first Ctrl-C, SIGTERM or SIGHUP, and ``second`` on each further one, on the event loop."""
    loop = asyncio.get_running_loop()
    signals = 0

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal signals
        signals += 1
        # Unlike call_soon, this wakes the loop up.
        loop.call_soon_threadsafe(first if signals == 1 else second)

    with _handled((signal.SIGINT, *_LIKE_CTRL_C), on_signal):
        yield
