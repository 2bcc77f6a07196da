"""Start command lines without the half second that importing takes: a process that has imported forks for each.

``python -m tests.torture.forkserver`` reads one ``Job`` a line as JSON; for each it writes the process
id, and the exit code when the child has ended. A SIGKILL ends a child like any other process.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import random
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from marketingblocks_async.cli.entry import main
from tests.torture.steps import arm

_IMPORTED = (
    "marketingblocks_async.cli.commands.bulk",
    "marketingblocks_async.cli.commands.bulk_progress",
    "marketingblocks_async.cli.commands.bulk_screens",
    "marketingblocks_async.bulk.run.runner",
    "rich.console",
)


@dataclass(frozen=True, slots=True)
class Job:
    """One command line.

    Attributes:
        arguments: of the command.
        environment: variables to add to the environment.
        output: file for the standard output.
        errors: file for the error output.
        kill: step, ``before`` or ``after``, and at which call the process kills itself; ``None`` for never.

    """

    arguments: Sequence[str]
    environment: Mapping[str, str]
    output: str
    errors: str
    kill: tuple[str, str, int] | None = None


class ForkServer:
    """A process that starts command lines, one after another."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            await process.wait()

    async def start(self, job: Job) -> Child:
        """Start a command line; the one before must have ended."""
        if self._process is None or self._process.stdin is None or self._process.stdout is None:
            msg = "the fork server is closed"
            raise RuntimeError(msg)
        self._process.stdin.write(f"{json.dumps(asdict(job))}\n".encode())
        return Child(int(await self._process.stdout.readline()), self._process.stdout)


class Child:
    """A process that the fork server started.

    Args:
        pid: its id.
        answers: stream on which the fork server reports its exit code.

    """

    def __init__(self, pid: int, answers: asyncio.StreamReader) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._answers = answers

    async def wait(self) -> int:
        """Wait for its end and return its exit code, that of a killed one negative."""
        if self.returncode is None:
            self.returncode = int(await self._answers.readline())
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal.

        Raises:
            ProcessLookupError: it has ended.

        """
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.pid, number)


def _serve() -> int:
    # The sandbox has priority, so that it counts requests when they arrive.
    os.nice(5)
    for name in _IMPORTED:
        importlib.import_module(name)
    # Else each child would copy what its garbage collector looks at.
    gc.freeze()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            return _run(json.loads(line))
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    return 0


def _run(job: dict[str, Any]) -> int:
    for descriptor, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, job["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, job["errors"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        os.dup2(os.open(Path(path), flags, 0o600), descriptor)
    os.environ.update(job["environment"])
    # Children of one server would all draw the same numbers.
    random.seed()
    if job["kill"] is not None:
        arm(*job["kill"])
    sys.argv[1:] = job["arguments"]
    return main()


if __name__ == "__main__":
    sys.exit(_serve())
