"""Scale: many tokens in one process, each at its limit; on asyncio's event loop and on uvloop's, taking turns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from importlib import import_module
from importlib.util import find_spec

from benchmarks.arithmetic import rate_of, worst_window
from benchmarks.contestants import OURS
from benchmarks.plan import Plan
from benchmarks.records import Record
from benchmarks.servers import counting_server
from benchmarks.work import post
from marketingblocks_async import MarketingBlocks

UVLOOP = "uvloop"

NewLoop = Callable[[], asyncio.AbstractEventLoop]


def event_loops() -> dict[str, NewLoop | None]:
    """Return what makes each event loop, by the name under which it is measured; without uvloop if it is missing."""
    loops: dict[str, NewLoop | None] = {OURS: None}
    if find_spec(UVLOOP) is not None:
        loops[UVLOOP] = import_module(UVLOOP).new_event_loop
    return loops


async def tokens(plan: Plan) -> AsyncIterator[Record]:
    """1 to 60 tokens over one connection pool, 1,000 creates for each started together."""
    counts = plan.pick(smoke=(2,), quick=(1, 20), full=(1, 10, 20, 40, 60))
    calls = plan.pick(smoke=20, quick=300, full=1000)
    for round_number in range(plan.rounds_of(quick=1, full=5)):
        for count in counts:
            for name, new_loop in event_loops().items():
                figures = await asyncio.to_thread(_measure_on, new_loop, count, calls)
                yield Record("tokens", name, {"tokens": count}, round_number, figures)


def _measure_on(new_loop: NewLoop | None, count: int, calls: int) -> dict[str, float]:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(_measure(count, calls))


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
