"""Scale: many tokens in one process, each at its limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from benchmarks.arithmetic import rate_of, worst_window
from benchmarks.contestants import OURS
from benchmarks.plan import Plan
from benchmarks.records import Record
from benchmarks.servers import counting_server
from benchmarks.work import post
from marketingblocks_async import MarketingBlocks


async def tokens(plan: Plan) -> AsyncIterator[Record]:
    """1 to 50 tokens over one connection pool, 1,000 creates for each started together."""
    counts = plan.pick(smoke=(2,), quick=(1, 20), full=(1, 5, 10, 20, 30, 40, 50))
    calls = plan.pick(smoke=20, quick=300, full=1000)
    for round_number in range(plan.rounds_of(quick=1, full=3)):
        for count in counts:
            figures = await _measure(count, calls)
            yield Record("tokens", OURS, {"tokens": count}, round_number, figures)


async def _measure(count: int, calls: int) -> dict[str, float]:
    item = post()
    async with counting_server() as server, MarketingBlocks("token-0", base_url=server.base_url) as client:
        clients = [client.with_token(f"token-{number}") for number in range(count)]
        cpu = time.process_time()
        await asyncio.gather(*(each.posts.create(item) for each in clients for _ in range(calls)))
        cpu = time.process_time() - cpu
        arrivals = await server.arrivals()
    rate = rate_of(sorted(instant for instants in arrivals.values() for instant in instants))
    return {
        "worst_second": max(worst_window(instants) for instants in arrivals.values()),
        "rate": rate,
        "rate_to_limit": rate / (100 * count),
        "slowest_token": min(rate_of(instants) for instants in arrivals.values()),
        "cpu": cpu / (count * calls) * 1e6,
    }
