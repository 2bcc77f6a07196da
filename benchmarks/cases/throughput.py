"""The limit lifted: how near to bare aiohttp, beside the usual stack. All in one process, taking turns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp

from benchmarks.contestants import OURS, STACK, Target, load
from benchmarks.plan import Plan
from benchmarks.records import Record
from benchmarks.servers import counting_server
from benchmarks.work import post
from marketingblocks_async import MarketingBlocks, RateLimit

RAW = "raw"
KEYWORDS = "keywords"
TITLES = {
    RAW: "aiohttp alone, ready-made bytes",
    STACK: "aiohttp + aiolimiter + tenacity + pydantic",
    OURS: "posts.create(CreatePost(…))",
    KEYWORDS: "posts.create(channel_type=…, …)",
}
WORKERS = 50

Call = Callable[[], Awaitable[object]]


async def timed(calls: int, call: Call, workers: int = WORKERS) -> tuple[float, float]:
    """Make calls from so many workers at once; return calls per second and processor microseconds per call."""
    numbers = iter(range(calls))

    async def work() -> None:
        for _ in numbers:
            await call()

    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(workers)))
    return calls / (time.perf_counter() - began), (time.process_time() - cpu) / calls * 1e6


def raw_call(session: aiohttp.ClientSession, target: Target) -> Call:
    """Return the least that a create can be: ready-made bytes, and the answer's bytes unread."""
    body = post().wire_json()
    headers = target.headers | {"Content-Type": "application/json"}

    async def call() -> None:
        async with session.post(target.url, data=body, headers=headers) as answer:
            await answer.read()

    return call


async def _calls(stack: AsyncExitStack, target: Target) -> dict[str, Call]:
    session = await stack.enter_async_context(aiohttp.ClientSession())
    usual = await stack.enter_async_context(load(STACK).opens(target))
    client = await stack.enter_async_context(
        MarketingBlocks(target.token, base_url=target.base_url, rate_limit=RateLimit(limit=None))
    )
    item, keywords = post(), post().model_dump()
    return {
        RAW: raw_call(session, target),
        STACK: lambda: usual(item),
        OURS: lambda: client.posts.create(item),
        KEYWORDS: lambda: client.posts.create(**keywords),
    }


async def throughput(plan: Plan) -> AsyncIterator[Record]:
    """Calls per second and processor time with 50 workers, and the ratio to bare aiohttp of the same round."""
    calls = plan.pick(smoke=100, quick=1500, full=4000)
    async with counting_server() as server, AsyncExitStack() as stack:
        contestants = await _calls(stack, Target(server.base_url, "token", limited=False))
        for call in contestants.values():
            await timed(200, call)
        for round_number in range(plan.rounds_of(quick=3, full=15)):
            bare: tuple[float, float] | None = None
            for name, call in contestants.items():
                rate, cpu = await timed(calls, call)
                bare = bare or (rate, cpu)
                figures = {"rate": rate, "cpu": cpu, "rate_to_raw": rate / bare[0], "cpu_to_raw": cpu / bare[1]}
                yield Record("throughput", name, {"workers": WORKERS}, round_number, figures)
