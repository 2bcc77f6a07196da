"""The counting server in a process of its own, for what is too fast for the sandbox."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp


@dataclass(frozen=True, slots=True)
class CountingServer:
    """A running one.

    Attributes:
        base_url: the API root.

    """

    base_url: str

    async def arrivals(self) -> dict[str, list[float]]:
        """Return when requests arrived (ascending), by token, and forget them."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(self.base_url.removesuffix("/api/v1") + "/arrivals") as answer,
        ):
            found: dict[str, list[float]] = json.loads(await answer.read())
            return found


@asynccontextmanager
async def counting_server() -> AsyncGenerator[CountingServer]:
    """Run the counting server in its own process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.fast_server", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None  # noqa: S101 - for the type checkers: PIPE gives one
    assert process.stdin is not None  # noqa: S101 - for the type checkers: PIPE gives one
    try:
        port = int(await process.stdout.readline())
        yield CountingServer(f"http://127.0.0.1:{port}/api/v1")
    finally:
        process.stdin.close()
        await process.wait()
