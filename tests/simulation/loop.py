"""An event loop on virtual time, with processes that can die."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

TICK = 1e-6
"""Seconds that each turn takes, so that code which polls a clock gets on."""

MOST_TURNS = 2_000_000
"""Turns after which a simulation never ends."""

_TURNS_OF_A_WRITE = 3
"""On Python 3.11 aiohttp writes in a task that begins in the next turn."""

PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("simulated_process", default=None)
"""The process that code runs in; ``None`` for the server and the world."""


class NothingCanHappenError(Exception):
    """Tasks wait, and there is nothing that could wake them."""


class Process:
    """A process of the client: everything that was scheduled with it in its context.

    Args:
        loop: the world's loop.
        dies_at: number of the scheduled callback with which it dies; 0 for never.

    Attributes:
        steps: callbacks that it has scheduled.
        is_dead: whether it died; nothing of it runs any more.
        died: set when it dies.
        stands_until: when it goes on after standing still.
        writes_in: the turn of the loop in which it last began to write a request.
        when_dying: called at its death.

    """

    def __init__(self, loop: SimulatedLoop, dies_at: int = 0) -> None:
        self._loop = loop
        self.dies_at = dies_at
        self.steps = 0
        self.is_dead = False
        self.stands_until = 0.0
        self._held_back = 0
        self.writes_in = 0
        self.died = asyncio.Event()
        self.when_dying: list[Callable[[], None]] = []
        self.at_step: dict[int, Callable[[], object]] = {}
        self._outside = contextvars.copy_context()
        self._main: asyncio.Task[Any] | None = None

    def step(self) -> None:
        """Count a callback; do what is to be done at this one."""
        self.steps += 1
        if self.steps == self.dies_at:
            self.die()
        elif (act := self.at_step.pop(self.steps, None)) is not None:
            self._loop.call_soon(act, context=self._outside)

    def stand_still(self, seconds: float) -> None:
        """Do nothing for a while, as if it were stopped; what comes meanwhile waits."""
        if self._loop.turns <= self.writes_in + _TURNS_OF_A_WRITE:
            # A request that was looked at and is being written goes out late, and no client can prevent that.
            self._loop.call_soon(self.stand_still, seconds, context=self._outside)
            return
        self.stands_until, self._held_back = self._loop.now + seconds, 0
        self._loop.postpone_handles_of(self)

    def goes_on_at(self) -> float:
        """Return when the next callback that was held back runs: in the order in which they came."""
        # Timers of one instant have no order.
        self._held_back += 1
        return self.stands_until + self._held_back * 1e-9

    def die(self) -> None:
        """End it at once: no callback of it runs any more, and no clean-up."""
        if self.is_dead:
            return
        self.is_dead = True
        self._loop.cancel_handles_of(self)
        for act in self.when_dying:
            self._outside.copy().run(act)
        self._loop.call_soon(self.died.set, context=self._outside)

    def start(self, work: Any) -> asyncio.Task[Any]:
        """Begin a coroutine in it."""
        context = contextvars.copy_context()
        context.run(PROCESS.set, self)
        self._main = self._loop.create_task(work, context=context)
        return self._main

    def cancel(self) -> None:
        """Cancel what it does, as Ctrl-C would."""
        if self._main is not None:
            self._main.cancel()


class _Selector:
    """Stands for the machine's selector: where the loop would wait, its clock moves on."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        self._loop.turn(timeout)
        return []


class SimulatedLoop(asyncio.BaseEventLoop):
    """The loop of a simulated world.

    Args:
        network: makes connections.

    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.now = 1000.0
        self.turns = 0
        self.network = network
        self.unhandled: list[str] = []
        self.is_over = False
        self.tasks: list[asyncio.Task[Any]] = []
        self.disk_delay: Callable[[], float] = lambda: 0.001
        self._selector = _Selector(self)
        self._own_thread = threading.get_ident()
        self.set_exception_handler(self._note_unhandled)

    def _note_unhandled(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.unhandled.append(f"{context.get('message')}: {context.get('exception')!r}")

    def time(self) -> float:
        """Return the virtual time."""
        return self.now

    def turn(self, timeout: float | None) -> None:
        """Let time pass until the next timer."""
        self.turns += 1
        if self.turns > MOST_TURNS:
            msg = f"it goes on for ever: {_waiting(self)}"
            raise NothingCanHappenError(msg)
        if timeout is None:
            msg = f"nothing can happen any more: {_waiting(self)}"
            raise NothingCanHappenError(msg)
        self.now += timeout + TICK

    def _process_events(self, event_list: Sequence[Any]) -> None:
        del event_list

    def _write_to_self(self) -> None:
        pass

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Schedule a callback unless its process is dead."""
        context = contextvars.copy_context() if context is None else context
        process = context.get(PROCESS)
        if process is not None and not process.is_dead:
            process.step()
        if self.is_over or (process is not None and process.is_dead):
            handle = asyncio.Handle(callback, args, self, context)
            handle.cancel()
            return handle
        if process is not None and process.stands_until > self.now:
            return super().call_at(process.goes_on_at(), callback, *args, context=context)
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Schedule a callback unless its process is dead."""
        context = contextvars.copy_context() if context is None else context
        process = context.get(PROCESS)
        if self.is_over or (process is not None and process.is_dead):
            handle = asyncio.TimerHandle(when, callback, args, self, context)
            handle.cancel()
            return handle
        if process is not None and when < process.stands_until:
            when = process.goes_on_at()
        return super().call_at(when, callback, *args, context=context)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """Begin a task, and keep it until the world is over: one of a dead process that is destroyed would clean up."""
        task: asyncio.Task[Any] = super().create_task(coro, **options)
        self.tasks.append(task)
        return task

    def call_soon_threadsafe(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Schedule a callback; from a thread, when its disk has done what it did."""
        if threading.get_ident() == self._own_thread:
            return self.call_soon(callback, *args, context=context)
        thread: Any = threading.current_thread()
        thread.outbox.append((callback, args))
        return asyncio.Handle(callback, args, self)

    def cancel_handles_of(self, process: Process) -> None:
        """Cancel all that a process has scheduled."""
        for handle in self._handles_of(process):
            handle.cancel()

    def postpone_handles_of(self, process: Process) -> None:
        """Let all that a process has scheduled wait until it goes on."""
        for handle in self._handles_of(process):
            if isinstance(handle, asyncio.TimerHandle) and handle.when() >= process.stands_until:
                continue
            # A timer keeps its handle, by which it may be cancelled; it finds that it is too early.
            callback, arguments = handle._callback, handle._args
            handle._callback, handle._args = self._postponed, (process.goes_on_at(), handle, callback, arguments)

    def _postponed(self, when: float, handle: Any, callback: Any, arguments: Any) -> None:
        def go_on() -> None:
            if not handle.cancelled():
                callback(*arguments)

        super().call_at(when, go_on, context=handle._context)

    def _handles_of(self, process: Process) -> list[Any]:
        # They have no public names.
        ready: Any = self.__dict__["_ready"]
        scheduled: Any = self.__dict__["_scheduled"]
        handles: list[Any] = [*ready, *sorted(scheduled)]
        return [each for each in handles if not each.cancelled() and each._context.get(PROCESS) is process]

    def run_in_executor(self, executor: Any, func: Callable[[Unpack[Ts]], T], *args: *Ts) -> asyncio.Future[T]:
        """Call a function after the time that a disk takes."""
        del executor
        future: asyncio.Future[T] = self.create_future()

        def call() -> None:
            if future.cancelled():
                return
            try:
                future.set_result(func(*args))
            except Exception as error:  # noqa: BLE001 - as an executor does
                future.set_exception(error)

        self.call_later(self.disk_delay(), call)
        return future

    async def sock_connect(self, sock: Any, address: Any) -> None:
        """Connect: nothing happens to the socket, only time passes."""
        del sock
        await self.network.reach(address)

    async def create_connection(self, protocol_factory: Any, *args: Any, sock: Any = None, **kwargs: Any) -> Any:
        """Return a connection of the simulated network."""
        del args, kwargs
        if sock is not None:
            sock.close()
        return self.network.connect(protocol_factory())

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        """Listen on the simulated network."""
        del kwargs
        return self.network.listen(protocol_factory, host, port)


def _waiting(loop: SimulatedLoop) -> str:
    tasks = [task for task in asyncio.all_tasks(loop) if not task.done()]
    return ", ".join(sorted(f"{task.get_coro()!r}"[:90] for task in tasks[:5]))
