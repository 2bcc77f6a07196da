"""Time that jumps: where the event loop would wait, its clock moves on instead."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, Self, cast

from marketingblocks_async.errors import InvalidArgumentError, MarketingBlocksError

TICK = 1e-6
"""Seconds that each turn of the event loop takes, so that code which polls a clock gets on."""

LONG_JUMP = 0.25
"""Seconds from which on a jump is preceded by a moment of real waiting, should the machine be slow with a packet."""

_MOMENT = 0.02
# The machine's clock, which code outside of the fake time still reads.
_real_monotonic = time.monotonic


class _Selector(Protocol):
    select: Callable[[float | None], Any]
    get_map: Callable[[], Any]


class _Loop(Protocol):
    """What there is to an event loop of asyncio."""

    time: Callable[[], float]
    run_in_executor: Callable[..., asyncio.Future[Any]]


class _Barrier:
    """Waits until the machine has delivered what was sent over the loopback before.

    A busy machine leaves packets lying for many milliseconds, in which nothing is ready and nothing is to be waited for
    but they. It delivers them in order, so a byte of ours arrives after them.
    """

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self._near = socket.create_connection(server.getsockname())
            self._far, _ = server.accept()
        self._near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def wait(self) -> None:
        self._near.send(b".")
        self._far.recv(1)

    def close(self) -> None:
        self._near.close()
        self._far.close()


class FakeTimeError(MarketingBlocksError, RuntimeError):
    """Fake time cannot be turned on here. The message says what to do."""


class FakeTime:
    """Fake time in the running event loop: whatever waits for a time is there at once.

        with FakeTime() as time:
            await asyncio.sleep(3600)  # a few microseconds
        assert time.elapsed >= 3600

    Inside, the clock of the running event loop and ``time.monotonic()`` stand still while anything is ready to run, and
    jump to the next timer when nothing is. So the rate limiter, timeouts, deadlines and pauses work as always, in their
    order, without the waiting. Work in threads (``asyncio.to_thread``, name lookups) is waited for.

    It is for one process: client and server must share the event loop, as a client and a
    ``Sandbox`` do. ``time.time()``, ``time.sleep()``, other processes and servers
    elsewhere know nothing of it: while one of them is waited for, the time jumps to the next timeout.

    Make the clients and sandboxes inside, since they take the clock with them that they find.

    Raises:
        FakeTimeError: no event loop runs, it is not one of asyncio's own (uvloop keeps its own time), or fake time is
            on.

    """

    def __init__(self) -> None:
        self._loop: _Loop | None = None
        self._now = 0.0
        self._began = 0.0
        self._in_threads = 0

    def __enter__(self) -> Self:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            msg = "fake time is for a running event loop; use 'with FakeTime()' inside of an async function"
            raise FakeTimeError(msg) from None
        if time.monotonic is not _real_monotonic:
            msg = "fake time is on already; turn it on once, around everything that is to happen in it"
            raise FakeTimeError(msg)
        selector: _Selector | None = getattr(loop, "_selector", None)
        if selector is None:
            msg = f"fake time needs an event loop of asyncio, not a {type(loop).__module__}.{type(loop).__qualname__}"
            raise FakeTimeError(msg)
        self._barrier: _Barrier | None = None
        self._loop = cast("_Loop", loop)
        self._now = self._began = _real_monotonic()
        self._selector = selector
        self._real_select = selector.select
        self._real_run_in_executor = self._loop.run_in_executor
        selector.select = self._select
        self._loop.run_in_executor = self._run_in_executor
        self._loop.time = self.monotonic
        # All code of the process reads this one clock.
        time.monotonic = self.monotonic
        return self

    def __exit__(self, *_: object) -> None:
        loop, self._loop = self._loop, None
        if loop is not None:
            time.monotonic = _real_monotonic
            del self._selector.select, loop.run_in_executor, loop.time
            if self._barrier is not None:
                self._barrier.close()
            # A limiter that outlives its client keeps this clock, which goes on in real time from here.
            self._now -= _real_monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds of fake time since it was turned on."""
        return self.monotonic() - self._began

    def advance(self, seconds: float) -> None:
        """Let time pass at once, as if the event loop were busy for so long; what became due meanwhile comes late.

        Raises:
            InvalidArgumentError: ``seconds`` is below 0; a monotonic clock cannot go back.

        """
        if not seconds >= 0:
            msg = f"advance({seconds!r}): give seconds, 0 or more"
            raise InvalidArgumentError(msg)
        self._now += seconds

    def monotonic(self) -> float:
        """Return the fake time; what ``time.monotonic()`` returns meanwhile."""
        return self._now if self._loop is not None else self._now + _real_monotonic()

    def _select(self, timeout: float | None) -> Any:
        self._now += TICK
        ready = self._real_select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None or self._in_threads:
            # Only something outside of the loop can go on, and that takes the time that it takes.
            return self._real_select(None if timeout is None else _MOMENT)
        if not self._can_be_woken():
            self._now += timeout
            return ready
        if self._barrier is None:
            self._barrier = _Barrier()
        self._barrier.wait()
        ready = self._real_select(_MOMENT if timeout >= LONG_JUMP else 0)
        if not ready:
            self._now += timeout
        return ready

    def _can_be_woken(self) -> bool:
        """Return whether something else than a timer can let the event loop go on."""
        # One is the pipe by which other threads wake it.
        return len(self._selector.get_map()) > 1 or threading.active_count() > 1

    def _run_in_executor(self, *arguments: Any) -> asyncio.Future[Any]:
        future = self._real_run_in_executor(*arguments)
        self._in_threads += 1
        future.add_done_callback(self._one_less)
        return future

    def _one_less(self, future: asyncio.Future[Any]) -> None:
        del future
        self._in_threads -= 1
