"""The sandbox in a process of its own: ``SandboxProcess``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Self, TypeVar, Unpack

import aiohttp
from pydantic import TypeAdapter

from marketingblocks_async.models import RequestModel

from .control import CONTROL_PREFIX, armed_faults
from .errors import SandboxError, SandboxProcessError
from .faults import ArmedFault, Fault
from .ledger import Comparison, Expected, LedgerReport
from .scenario import ScenarioReport, settings_of
from .settings import SandboxOptions, SandboxSettings
from .state.tokens import DEFAULT_TOKEN

_READY_SECONDS = 60.0
_STOP_SECONDS = 5.0
_STDERR_LINES = 200
_NOT_RUNNING = "the sandbox process is not running; use it inside 'async with SandboxProcess() as sandbox:'"

_ModelT = TypeVar("_ModelT")


class SandboxProcess:
    """The same server as ``Sandbox``, in a process of its own.

    For benchmarks and for tests in which the server must not share the client's event loop. The process ends when the
    context is left, and also when this process dies, however it dies.

    Args:
        options: see ``SandboxSettings``.

    Raises:
        ValueError: an option cannot be.

    """

    def __init__(self, **options: Unpack[SandboxOptions]) -> None:
        self.settings: SandboxSettings = settings_of(options)
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None
        self._drains: tuple[asyncio.Task[None], ...] = ()
        self._stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self._ready: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Start the process and wait until it listens.

        Raises:
            SandboxProcessError: it ended instead, or took too long.
            RuntimeError: it is running already.

        """
        if self._process is not None:
            msg = "this sandbox process is running already"
            raise SandboxError(msg)
        self._stderr.clear()
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            __package__ or "",
            "--exit-with-parent",
            str(os.getpid()),
            "--settings",
            self.settings.to_json(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        stdout, stderr = process.stdout, process.stderr
        if stdout is None or stderr is None:  # pragma: no cover - both were asked for
            msg = "the pipes of the sandbox process are missing"
            raise SandboxError(msg)
        self._drains = (asyncio.create_task(self._keep_last_lines(stderr), name="sandbox stderr"),)
        try:
            async with asyncio.timeout(_READY_SECONDS):
                line = await stdout.readline()
        except TimeoutError:
            await self.close()
            raise SandboxProcessError(self._explain(f"was not ready within {_READY_SECONDS:g} s")) from None
        except BaseException:
            await self.close()
            raise
        self._drains = (*self._drains, asyncio.create_task(_discard(stdout), name="sandbox stdout"))
        if not line:
            await self.close()
            raise SandboxProcessError(self._explain(f"ended with exit code {process.returncode}"))
        self._ready = json.loads(line)
        self._session = aiohttp.ClientSession()

    async def close(self) -> None:
        """End the process and wait until it has ended; closing twice does nothing."""
        process, self._process = self._process, None
        session, self._session = self._session, None
        try:
            if session is not None:
                await session.close()
        finally:
            if process is not None:
                await self._end(process)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        # The process ends when its standard input does.
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            _kill(process)
            await process.wait()
        except asyncio.CancelledError:
            # A caller that is cancelled must not leave a process behind.
            _kill(process)
            await process.wait()
            raise
        finally:
            await asyncio.gather(*self._drains, return_exceptions=True)
            self._drains = ()

    @property
    def base_url(self) -> str:
        """The API root, such as ``http://127.0.0.1:8123/api/v1``."""
        return str(self._told("base_url"))

    @property
    def docs_url(self) -> str:
        """The root of the documentation, such as ``http://127.0.0.1:8123/agentic-ai-docs``."""
        return str(self._told("docs_url"))

    @property
    def token(self) -> str:
        """The default access token, which has every permission and never expires."""
        return DEFAULT_TOKEN

    @property
    def tokens(self) -> dict[str, str]:
        """The access tokens by their names, the default one first; those of ``add_token`` included."""
        return dict(self._told("tokens"))

    @property
    def pid(self) -> int:
        """Id of the process."""
        if self._process is None:
            raise SandboxError(_NOT_RUNNING)
        return self._process.pid

    @property
    def stderr(self) -> str:
        """The last lines that the process wrote to its error output."""
        return "\n".join(self._stderr)

    async def health(self) -> dict[str, Any]:
        """Return the name of the ``policy`` and the number of ``posts``."""
        response = await self._ask("GET", "health")
        return dict(response)

    async def ledger(self, seconds: float = 1.0) -> LedgerReport:
        """Return the summary of what happened.

        Args:
            seconds: length of the windows in ``worst_window``.

        """
        response = await self._ask("GET", "ledger", query={"seconds": str(seconds)})
        return _read(LedgerReport, response)

    async def arrivals(self, token: str | None = None) -> array[float]:
        """Return when requests arrived, in seconds of the process's monotonic clock, ascending.

        Args:
            token: a token's label, or ``None`` for all tokens together.

        """
        response = await self._ask("GET", "arrivals", query={} if token is None else {"token": token})
        return array("d", response["arrivals"])

    async def compare(self, expected: Iterable[Expected]) -> Comparison:
        """Compare the posts that were created with those that should have been; see ``Ledger.compare``."""
        items = [item.wire() if isinstance(item, RequestModel) else item for item in expected]
        return _read(Comparison, await self._ask("POST", "compare", {"expected": items}))

    async def posts(self) -> list[dict[str, Any]]:
        """Return all posts, each with ``post_id``, ``STATUS``, ``created_at``, ``leaves_at`` and its ``request``."""
        response = await self._ask("GET", "posts")
        return list(response["posts"])

    async def faults(self) -> tuple[ArmedFault, ...]:
        """Return the faults with their counts, in order."""
        return armed_faults(await self._ask("GET", "faults"))

    async def add_fault(self, fault: Fault | str) -> Fault:
        """Add a fault behind the others and return it.

        Args:
            fault: the fault, or its text form (``Fault.parse``).

        """
        if isinstance(fault, str):
            fault = Fault.parse(fault)
        await self._ask("POST", "faults", asdict(fault))
        return fault

    async def clear_faults(self) -> None:
        """Remove all faults."""
        await self._ask("DELETE", "faults")

    async def add_token(
        self,
        name: str | None = None,
        *,
        permissions: Sequence[str] | None = None,
        expires_in: float | None = None,
        expires_after_requests: int | None = None,
        secret: str = "",
    ) -> str:
        """Add an access token and return it; see ``Sandbox.add_token``."""
        request: dict[str, Any] = {
            "permissions": None if permissions is None else list(permissions),
            "expires_in": expires_in,
            "expires_after_requests": expires_after_requests,
            "secret": secret,
        }
        if name is not None:
            request["name"] = name
        response = await self._ask("POST", "tokens", request)
        self._ready["tokens"][response["name"]] = response["token"]
        return str(response["token"])

    async def replayed(self) -> ScenarioReport:
        """Return how far the replay of a recording is."""
        return _read(ScenarioReport, await self._ask("GET", "scenario"))

    async def reset(self) -> None:
        """Go back to the start; see ``Sandbox.reset``."""
        await self._ask("POST", "reset", {})

    async def advance(self, seconds: float) -> None:
        """Move the time forward that posts follow; see ``Sandbox.advance``."""
        await self._ask("POST", "advance", {"seconds": seconds})

    async def _ask(self, method: str, name: str, body: object = None, *, query: dict[str, str] | None = None) -> Any:
        if self._session is None:
            raise SandboxError(_NOT_RUNNING)
        url = f"{self._told('control_url')}{name}"
        try:
            async with self._session.request(method, url, json=body, params=query) as response:
                content = await response.json()
        except aiohttp.ClientError as exc:
            raise SandboxProcessError(self._explain(f"did not answer {method} {CONTROL_PREFIX}{name}: {exc}")) from exc
        if response.status != 200:
            msg = f"{method} {CONTROL_PREFIX}{name}: {content.get('message')}"
            raise SandboxProcessError(msg)
        return content

    def _told(self, name: str) -> Any:
        if self._process is None:
            raise SandboxError(_NOT_RUNNING)
        return self._ready[name]

    def _explain(self, what: str) -> str:
        return f"the sandbox process {what}\n{self.stderr}".strip()

    async def _keep_last_lines(self, stream: asyncio.StreamReader) -> None:
        text = ""
        while chunk := await stream.read(65536):
            *lines, text = (text + chunk.decode(errors="replace")).split("\n")
            self._stderr.extend(lines)
        if text:
            self._stderr.append(text)


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    if os.name == "nt":
        process.kill()
        return
    # process.kill() looks whether the process has ended, and so takes its exit code away from the event loop.
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)


async def _discard(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass


def _read(kind: type[_ModelT], value: Any) -> _ModelT:
    return TypeAdapter(kind).validate_python(value)
