"""``python -m marketingblocks_async.sandbox``: run the sandbox until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import fields
from types import FrameType
from typing import Any, cast

from .command_line import argument_parser, settings_of
from .control.control import CONTROL_PREFIX
from .policies import PolicyName
from .server import API_PREFIX, Sandbox
from .settings import SandboxOptions, SandboxSettings

_PARENT_CHECK_SECONDS = 1.0


def main(arguments: Sequence[str] | None = None, program: str = "python -m marketingblocks_async.sandbox") -> int:
    """Run the sandbox until SIGINT or SIGTERM.

    Args:
        arguments: the command line without the program's name; the process's own unless given.
        program: what help texts call it.

    Returns:
        the exit code: 0 after a stop, 1 if it cannot listen, 2 for a wrong command line (by ``SystemExit``).

    """
    parser = argument_parser(program)
    given = parser.parse_args(arguments)
    try:
        settings = settings_of(given)
    except ValueError as exc:
        parser.error(str(exc))
    try:
        return asyncio.run(_serve(settings, as_json=given.json, parent=given.exit_with_parent))
    except KeyboardInterrupt:
        # Only in the moment before the signal handlers are in place.
        return 0


async def _serve(settings: SandboxSettings, *, as_json: bool, parent: int | None) -> int:
    stop = asyncio.Event()
    _on_signals(asyncio.get_running_loop(), stop.set)
    _allow_many_connections()
    sandbox = Sandbox(**_options(settings))
    try:
        await sandbox.start()
    except OSError as exc:
        sys.stderr.write(f"cannot listen on {settings.host}:{settings.port}: {exc.strerror or exc}\n")
        return 1
    # What exists by now lives as long as the process; the collector need not look at it again.
    gc.freeze()
    watch: asyncio.Task[None] | None = None
    try:
        if parent is not None:
            watch = asyncio.create_task(_stop_with_parent(parent, stop), name="parent watch")
        _announce(sandbox, as_json=as_json)
        await stop.wait()
    finally:
        if watch is not None:
            watch.cancel()
        await sandbox.close()
    return 0


def _options(settings: SandboxSettings) -> SandboxOptions:
    options: Any = {field.name: getattr(settings, field.name) for field in fields(settings)}
    return cast("SandboxOptions", options)


def _announce(sandbox: Sandbox, *, as_json: bool) -> None:
    control = sandbox.base_url.removesuffix(API_PREFIX) + CONTROL_PREFIX
    settings = sandbox.settings
    if as_json:
        text = json.dumps(
            {
                "base_url": sandbox.base_url,
                "docs_url": sandbox.docs_url,
                "control_url": control,
                "token": sandbox.token,
                "tokens": sandbox.tokens,
                "pid": os.getpid(),
            }
        )
    else:
        limit = "no limit"
        if settings.policy is not PolicyName.NONE:
            limit = f"{settings.policy}, {settings.limit} requests per {settings.per:g} s"
        tokens = "\n".join(f"  token      {secret}   ({name})" for name, secret in sandbox.tokens.items())
        faults = "\n".join(f"  fault      {fault.kind}" for fault in settings.faults)
        text = "\n".join(
            part
            for part in (
                "MarketingBlocks sandbox (Ctrl-C stops it)",
                f"  base_url   {sandbox.base_url}",
                f"  docs_url   {sandbox.docs_url}",
                f"  ledger     {control}ledger",
                tokens,
                f"  policy     {limit}",
                faults,
            )
            if part
        )
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


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


if __name__ == "__main__":
    sys.exit(main())
