"""Run a sandbox until it is told to stop: what the command and ``SandboxProcess`` have in common."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from .control import CONTROL_PREFIX
from .errors import SandboxError
from .server import API_PREFIX, Sandbox
from .settings import SandboxSettings
from .state.files import StateFileError

_PARENT_CHECK_SECONDS = 1.0


class StartError(SandboxError):
    """The sandbox cannot listen on its address, or cannot read its files."""


def run(settings: SandboxSettings, announce: Callable[[Sandbox], None], *, parent: int | None = None) -> None:
    """Run a sandbox until SIGINT or SIGTERM.

    Args:
        settings: settings of the sandbox.
        announce: called once when the sandbox listens.
        parent: process id; if given, the sandbox also stops when its standard input closes or its parent process is
            another one.

    Raises:
        StartError: the address is in use or not one of this machine, or a file of seeds or state cannot be read.

    """
    # Before the signal handlers are in place, Ctrl-C is a KeyboardInterrupt.
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(settings, announce, parent))


def describe(sandbox: Sandbox) -> dict[str, Any]:
    """Return the addresses and tokens of a running sandbox as JSON values."""
    root = sandbox.base_url.removesuffix(API_PREFIX)
    return {
        "base_url": sandbox.base_url,
        "docs_url": sandbox.docs_url,
        "control_url": f"{root}{CONTROL_PREFIX}",
        "page_url": f"{root}/",
        "token": sandbox.token,
        "tokens": sandbox.tokens,
        "pid": os.getpid(),
    }


async def _serve(settings: SandboxSettings, announce: Callable[[Sandbox], None], parent: int | None) -> None:
    stop = asyncio.Event()
    _on_signals(asyncio.get_running_loop(), stop.set)
    _allow_many_connections()
    try:
        sandbox = Sandbox(**settings.to_options())
        await sandbox.start()
    except StateFileError as exc:
        raise StartError(str(exc)) from None
    except OSError as exc:
        msg = f"cannot listen on {settings.host}:{settings.port}: {exc.strerror or exc}; choose another port"
        raise StartError(msg) from None
    # Objects that exist by now live as long as the process, so the collector need not visit them again.
    gc.freeze()
    watch: asyncio.Task[None] | None = None
    try:
        if parent is not None:
            watch = asyncio.create_task(_stop_with_parent(parent, stop), name="parent watch")
        announce(sandbox)
        await stop.wait()
    finally:
        if watch is not None:
            watch.cancel()
        await sandbox.close()


def _on_signals(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    def stop_from_handler(number: int, frame: FrameType | None) -> None:
        del number, frame
        loop.call_soon_threadsafe(stop)

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop)
        except NotImplementedError:
            # How asyncio says that the event loops of Windows know no signals.
            signal.signal(number, stop_from_handler)


async def _stop_with_parent(parent: int, stop: asyncio.Event) -> None:
    """Set ``stop`` when standard input closes or the parent is another process than ``parent``.

    One of the two is not enough: a process that the parent forked can hold the pipe open, and on Windows the parent may
    be a launcher.
    """
    loop = asyncio.get_running_loop()
    closed = asyncio.Event()

    def wait_for_end() -> None:
        # Not sys.stdin: a thread that is blocked in it upsets the interpreter when it ends.
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        # The loop may be closed already when the process ends for another reason.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(closed.set)

    threading.Thread(target=wait_for_end, name="stdin watch", daemon=True).start()
    while not closed.is_set() and (os.name == "nt" or os.getppid() == parent):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PARENT_CHECK_SECONDS):
                await closed.wait()
    stop.set()


def _allow_many_connections() -> None:
    """Raise the number of open files to what the system allows."""
    try:
        import resource  # noqa: PLC0415 - does not exist on Windows
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
