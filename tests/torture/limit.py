"""Judge whether the rate limit was kept, as exactly as this machine allows."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Self

from marketingblocks_async.sandbox import SandboxProcess

GUARD = 0.05
"""Seconds by which the delay from writing a request to counting it may vary: the client's one assumption."""

_EVERY = 0.02


class LimitWatch:
    """Asks a server for its health all the time, to measure how far it lagged.

    A server that gets no processor counts requests later than they arrived, and then counts more of them in a second
    than were sent in any. That is the machine's fault, not the client's.

    Args:
        sandbox: the server.

    Attributes:
        lag: the longest time from one response to the next, in seconds. The server cannot have stood still for longer.

    """

    def __init__(self, sandbox: SandboxProcess) -> None:
        self._sandbox = sandbox
        self._task: asyncio.Task[None] | None = None
        self.lag: float = 0.0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def lagged(self) -> bool:
        """Whether the server counted so late that a second may look fuller than it was."""
        return self.lag > GUARD

    async def _watch(self) -> None:
        await self._sandbox.health()
        answered = time.monotonic()
        while True:
            await asyncio.sleep(_EVERY)
            await self._sandbox.health()
            previous, answered = answered, time.monotonic()
            self.lag = max(self.lag, answered - previous)

    async def verdict(self, token: str) -> tuple[int, str | None]:
        """Return the most requests of a token in a second, and a complaint if that is too many.

        Args:
            token: label of the token.

        """
        report = (await self._sandbox.ledger()).tokens[token]
        worst = report.worst_window
        if self.lagged:
            # A weaker check remains: a shorter window, which the lag cannot fill.
            shorter = max(0.1, 1.0 - 2 * self.lag)
            worst = (await self._sandbox.ledger(shorter)).tokens[token].worst_window
        complaint = f"{worst} requests in a second (lag {self.lag:.3f} s), {report.over_limit} refused by the limit"
        return worst, complaint if worst > 100 or (report.over_limit and not self.lagged) else None
