"""One event loop on a thread of its own, on which the calls of all blocking clients of the process run."""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import os
import queue
import threading
import weakref
from collections.abc import Callable, Coroutine

# Now, since Python does not let it be imported once the main thread has ended.
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, ParamSpec, TypeAlias, TypeVar

from marketingblocks_async import ConfigurationError, MarketingBlocks
from marketingblocks_async.errors import excerpt

T = TypeVar("T")
P = ParamSpec("P")

Inbox: TypeAlias = "queue.SimpleQueue[Callable[[], object] | asyncio.Task[Any]]"
"""The functions that a waiting thread has to call, and its task once that has ended."""


_ENDING = (
    "the program is ending, and its blocking clients are closed; call before that. A function for atexit must be "
    "registered after marketingblocks_async.blocking was imported. A thread that outlives the main thread must have "
    "made a call before that ended"
)


class Executor(ThreadPoolExecutor):
    """Threads that also take work once the main thread has ended: other threads and ``atexit`` functions may call."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a function in a thread."""
        try:
            return super().submit(fn, *args, **kwargs)
        except RuntimeError as exc:
            if "cannot schedule" not in str(exc):
                # No thread could be started, and the work is in the queue already. It must not be done twice.
                raise
            # Python has shut all pools down.
            return _run_outside(lambda: fn(*args, **kwargs))


def _run_outside(function: Callable[[], T]) -> Future[T]:
    """Run a function in a thread of its own, or here if none can be started."""
    future: Future[T] = Future()

    def work() -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
            future.set_exception(error)
        else:
            future.set_result(result)

    future.set_running_or_notify_cancel()
    try:
        threading.Thread(target=work, daemon=True).start()
    except RuntimeError:
        # Python 3.12 starts none once the main thread has ended. Then the loop waits for the work.
        work()
    return future


class BackgroundLoop:
    """An event loop that runs on a daemon thread. ``opened`` are clients to close when the interpreter ends."""

    def __init__(self) -> None:
        self.opened: weakref.WeakSet[MarketingBlocks] = weakref.WeakSet()
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(Executor())
        self._thread = threading.Thread(target=self._loop.run_forever, name="marketingblocks", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as exc:
            self._loop.close()
            if "shutdown" not in str(exc):
                raise
            # Python 3.12 starts none once the main thread has ended.
            raise ConfigurationError(_ENDING) from exc

    def run(
        self, work: Coroutine[Any, Any, T], inbox: Inbox | None = None, stop: Callable[[], object] | None = None
    ) -> T:
        """Run a coroutine on the loop, and wait for it in this thread.

        Args:
            work: the coroutine.
            inbox: where it puts the functions that this thread has to call meanwhile.
            stop: how a first Ctrl-C ends it, on the loop; the next one, or else the first, cancels it.

        Raises:
            ConfigurationError: the process was forked since, this is the loop's own thread, or the program is ending.
            KeyboardInterrupt: Ctrl-C; its notes say what is known of the call.

        """
        if problem := self._problem():
            work.close()
            raise ConfigurationError(problem)
        inbox = queue.SimpleQueue() if inbox is None else inbox
        tasks: list[asyncio.Task[T]] = []
        notes: list[str] = []

        async def noted() -> T:
            try:
                return await work
            except asyncio.CancelledError as cancelled:
                notes.extend(getattr(cancelled, "__notes__", ()))
                raise

        # In this thread's context, so that its traces go on.
        context = contextvars.copy_context()

        def start() -> None:
            if not tasks:
                tasks.append(self._loop.create_task(noted(), context=context))
                # A task that is cancelled before its first step does not begin it.
                tasks[0].add_done_callback(lambda _: work.close())
                tasks[0].add_done_callback(inbox.put)

        def cancel() -> None:
            tasks[0].cancel()

        def begin_and(end: Callable[[], object]) -> None:
            # Ctrl-C may have come before the loop was told to start, or after.
            start()
            end()

        try:
            self._loop.call_soon_threadsafe(start)
            _serve(inbox, tasks)
            return tasks[0].result()
        except BaseException as raised:
            if not _came_of_it(raised, tasks):
                self._end(inbox, tasks, begin_and, (stop, cancel))
                _annotate(raised, [*notes, *_ended_as(tasks)])
            raise

    def _end(
        self,
        inbox: Inbox,
        tasks: list[asyncio.Task[T]],
        end: Callable[[Callable[[], object]], None],
        ways: tuple[Callable[[], object] | None, ...],
    ) -> None:
        """End the work and wait for it, since its end says what became of it; one more Ctrl-C takes the next way."""
        for way in ways:
            if way is None or _has_ended(tasks):
                continue
            with suppress(KeyboardInterrupt):
                self._loop.call_soon_threadsafe(end, way)
                _serve(inbox, tasks)
                return

    def close(self) -> None:
        """Close what is open, and end the thread."""
        for client in list(self.opened):
            self.run(client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _problem(self) -> str | None:
        if os.getpid() != self._process:
            return "this was begun before the process was forked, and goes on only in the parent; begin it again here"
        if threading.current_thread() is self._thread:
            return "a blocking call in a callback of the client would wait for itself; use marketingblocks_async"
        return _ENDING if self._loop.is_closed() else None


def _has_ended(tasks: list[asyncio.Task[T]]) -> bool:
    return bool(tasks) and tasks[0].done()


def _came_of_it(raised: BaseException, tasks: list[asyncio.Task[T]]) -> bool:
    """Return whether an exception is the outcome of the work itself, and no interruption."""
    if isinstance(raised, asyncio.CancelledError):
        return True
    return _has_ended(tasks) and not tasks[0].cancelled() and tasks[0].exception() is raised


def _annotate(raised: BaseException, notes: list[str]) -> None:
    for note in notes:
        raised.add_note(note)


def _ended_as(tasks: list[asyncio.Task[T]]) -> list[str]:
    """Return what became of work that came to its end in spite of an interruption; nothing else tells it."""
    if not _has_ended(tasks) or tasks[0].cancelled():
        return []
    if (error := tasks[0].exception()) is not None:
        return [f"it came to its end: {type(error).__name__}: {error}"]
    result = tasks[0].result()
    return [] if result is None else [f"it came to its end: {excerpt(repr(result))}"]


def _serve(inbox: Inbox, tasks: list[asyncio.Task[T]]) -> None:
    """Call what is to be called in this thread until the task has ended."""
    while True:
        try:
            # On Windows a lock does not let Ctrl-C in, but the end of a timeout does.
            job = inbox.get(timeout=0.5)
        except queue.Empty:
            if _has_ended(tasks):
                # Ctrl-C came when its end had been taken out of the inbox, and threw it away.
                return
            continue
        if not isinstance(job, asyncio.Task):
            job()
        elif job in tasks:
            return


async def in_thread_of(inbox: Inbox, function: Callable[[], T]) -> T:
    """Call a function in the thread that serves an inbox, and return its result."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(set_it: Callable[[Any], None], value: object) -> None:
        # The call that asked may have been cancelled meanwhile.
        if not answer.done():
            set_it(value)

    def job() -> None:
        # Without a lock, such as a concurrent.futures.Future has: Ctrl-C can come at any moment and leave it locked,
        # and the loop would wait for it for ever.
        if answer.done():
            return
        try:
            result = function()
        except Exception as error:  # noqa: BLE001 - it is raised where the function was asked for
            loop.call_soon_threadsafe(settle, answer.set_exception, error)
        else:
            loop.call_soon_threadsafe(settle, answer.set_result, result)

    inbox.put(job)
    return await answer


class _Process:
    """The loop of this process. All blocking clients share it: limiters are shared within a loop."""

    loop: BackgroundLoop | None = None
    lock = threading.Lock()


def background_loop() -> BackgroundLoop:
    """Return the loop of this process; start it if there is none."""
    with _Process.lock:
        _Process.loop = _Process.loop or BackgroundLoop()
        return _Process.loop


def _close() -> None:
    if _Process.loop is not None:
        _Process.loop.close()


def _forget() -> None:
    """Start anew in a forked process: the thread is not there, and the lock may have been held."""
    _Process.loop, _Process.lock = None, threading.Lock()


atexit.register(_close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
