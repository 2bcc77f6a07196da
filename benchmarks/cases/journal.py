"""The limit lifted: what a journal costs. Both ways in one process, taking turns, against one sandbox."""

from __future__ import annotations

import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.plan import Plan
from benchmarks.records import Record
from benchmarks.work import post
from marketingblocks_async import MarketingBlocks, RateLimit
from marketingblocks_async.bulk import BulkRun, Journal, create_journal
from marketingblocks_async.sandbox import SandboxProcess

WITHOUT = "without"
JOURNALED = "journaled"
TITLES = {
    WITHOUT: "posts.create_many(rows)",
    JOURNALED: "BulkRun(client, journal).run()",
}

Rows = list[Mapping[str, Any]]


async def without(client: MarketingBlocks, rows: Rows) -> float:
    """Create posts without a journal; return the seconds it took."""
    began = time.perf_counter()
    outcomes = [outcome.ok async for outcome in client.posts.create_many(rows)]
    seconds = time.perf_counter() - began
    assert outcomes == [True] * len(rows)  # noqa: S101 - otherwise the figure means nothing
    return seconds


async def journaled(client: MarketingBlocks, rows: Rows) -> float:
    """Create posts from a journal, from the first intent until the last outcome is on the disk; return the seconds."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "posts.journal"
        await create_journal(rows, path)
        async with Journal(path) as journal:
            began = time.perf_counter()
            result = await BulkRun(client, journal).run()
            seconds = time.perf_counter() - began
    assert result.counts.done == len(rows)  # noqa: S101 - otherwise the figure means nothing
    return seconds


async def journal(plan: Plan) -> AsyncIterator[Record]:
    """Posts per second and processor time of both ways, and the ratio to that without a journal of the same round."""
    count = plan.pick(smoke=50, quick=4000, full=20_000)
    rows: Rows = [post(number).model_dump(exclude_none=True) for number in range(count)]
    ways: dict[str, Callable[[MarketingBlocks, Rows], Awaitable[float]]] = {WITHOUT: without, JOURNALED: journaled}
    async with (
        SandboxProcess(policy="none") as sandbox,
        MarketingBlocks(sandbox.token, base_url=sandbox.base_url, rate_limit=RateLimit(limit=None)) as client,
    ):
        await without(client, rows[:200])
        for round_number in range(plan.rounds_of(quick=3, full=9)):
            least: float | None = None
            for name, way in ways.items():
                gc.collect()
                cpu = time.process_time()
                seconds = await way(client, rows)
                cpu = (time.process_time() - cpu) / count * 1e6
                least = least or seconds
                figures = {"rate": count / seconds, "cpu": cpu, "rate_to_without": least / seconds}
                yield Record("journal", name, {"rows": count}, round_number, figures)
