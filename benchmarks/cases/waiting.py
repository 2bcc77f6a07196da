"""Scale: a long queue over one token. Does the limit hold, what does a grant cost, how fast can all be given up?"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator

from benchmarks.arithmetic import rate_of, worst_window
from benchmarks.contestants import OURS, STACK, Target, load
from benchmarks.plan import Plan
from benchmarks.records import Record
from benchmarks.servers import CountingServer, counting_server
from benchmarks.work import post

SUBJECTS = (OURS, "drip", STACK)


async def waiting(plan: Plan) -> AsyncIterator[Record]:
    """Thousands of calls wait; after some seconds all of them are cancelled."""
    counts = plan.pick(smoke=(200,), quick=(1000, 10_000), full=(1000, 10_000, 50_000))
    seconds = plan.pick(smoke=0.5, quick=3.0, full=5.0)
    async with counting_server() as server:
        for round_number in range(plan.rounds_of(quick=1, full=5)):
            for callers in counts:
                for name in SUBJECTS:
                    token = f"{name}-{callers}-{round_number}"
                    figures = await _measure(name, server, token, callers, seconds)
                    yield Record("waiting", name, {"waiting": callers}, round_number, figures)


async def _measure(name: str, server: CountingServer, token: str, callers: int, seconds: float) -> dict[str, float]:
    item = post()
    async with load(name).opens(Target(server.base_url, token)) as create:
        gc.collect()
        began = time.perf_counter()
        tasks = [asyncio.ensure_future(create(item)) for _ in range(callers)]
        starting = time.perf_counter() - began
        cpu = time.process_time()
        await asyncio.sleep(seconds)
        cpu = time.process_time() - cpu
        ended = sum(task.done() for task in tasks)
        cancelling = time.perf_counter()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        cancelling = time.perf_counter() - cancelling
    arrivals = (await server.arrivals()).get(token, [])
    return {
        "worst_second": worst_window(arrivals),
        "rate": rate_of(arrivals),
        "cpu": cpu / max(ended, 1) * 1e6,
        "starting": starting,
        "cancelling": cancelling,
    }
