"""What all measurements share: the server process, interleaved rounds, windows."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from marketingblocks_async import CreatePost

POST = CreatePost.model_validate(
    {
        "channel_type": "facebook",
        "channel_id": 123,
        "post_type": "post",
        "caption_text": "Hello",
        "media_urls": ["https://example.com/a.jpg"],
        "publish_mode": "now",
    }
)


@dataclass(frozen=True)
class Server:
    """The counting server."""

    base_url: str

    async def arrivals(self) -> dict[str, list[float]]:
        """Return when requests arrived, by token, and forget them."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(self.base_url.removesuffix("/api/v1") + "/arrivals") as answer,
        ):
            found: dict[str, list[float]] = json.loads(await answer.read())
            return found


@asynccontextmanager
async def running_server() -> AsyncGenerator[Server]:
    """Run the counting server in its own process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.server", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None  # noqa: S101 - it was asked for
    assert process.stdin is not None  # noqa: S101
    try:
        port = int(await process.stdout.readline())
        yield Server(f"http://127.0.0.1:{port}/api/v1")
    finally:
        process.stdin.close()
        await process.wait()


@dataclass(frozen=True)
class Sample:
    """One round of one contestant.

    Attributes:
        rate: calls per second.
        cpu: microseconds of this process per call.

    """

    rate: float
    cpu: float


async def with_workers(workers: int, calls: int, call: Callable[[], Awaitable[object]]) -> Sample:
    """Make calls from this many workers at once."""
    numbers = iter(range(calls))

    async def work() -> None:
        for _ in numbers:
            await call()

    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(workers)))
    return Sample(calls / (time.perf_counter() - began), (time.process_time() - cpu) / calls * 1e6)


def spread(values: Iterable[float]) -> str:
    """Return the median of the values with their range."""
    ordered = sorted(values)
    return f"{statistics.median(ordered):,.2f} ({ordered[0]:,.2f} to {ordered[-1]:,.2f})"


def worst_window(instants: Sequence[float], seconds: float = 1.0) -> int:
    """Return the most instants in any half-open window."""
    ordered = sorted(instants)
    worst = oldest = 0
    for newest, instant in enumerate(ordered):
        while instant - ordered[oldest] >= seconds:
            oldest += 1
        worst = max(worst, newest - oldest + 1)
    return worst


def rate_of(instants: Sequence[float]) -> float:
    """Return the instants per second from the first to the last."""
    return (len(instants) - 1) / (max(instants) - min(instants)) if len(instants) > 1 else 0.0
