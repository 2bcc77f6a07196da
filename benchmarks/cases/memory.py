"""Memory of a call that waits for its turn, its task included."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator

from benchmarks.contestants import OURS, STACK, Target, load
from benchmarks.plan import Plan
from benchmarks.records import Record
from benchmarks.servers import counting_server
from benchmarks.work import post

SUBJECTS = (OURS, STACK)


async def memory(plan: Plan) -> AsyncIterator[Record]:
    """Bytes and blocks of memory per waiting call, by how many wait."""
    counts = plan.pick(smoke=(100,), quick=(1000, 10_000), full=(1000, 10_000, 50_000))
    async with counting_server() as server:
        for round_number in range(plan.rounds_of(quick=1, full=5)):
            for waiting in counts:
                for name in SUBJECTS:
                    # A token of its own for each, so that nobody finds permits taken.
                    token = f"{name}-{waiting}-{round_number}"
                    figures = await _measure(name, Target(server.base_url, token), waiting)
                    yield Record("memory", name, {"waiting": waiting}, round_number, figures)


async def _measure(name: str, target: Target, waiting: int) -> dict[str, float]:
    item = post()
    async with load(name).opens(target) as create:
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.take_snapshot()
        tasks = [asyncio.ensure_future(create(item)) for _ in range(waiting)]
        # One turn: every call has come to where it waits, and next to nothing has been sent.
        await asyncio.sleep(0)
        used = tracemalloc.get_traced_memory()[0]
        after = tracemalloc.take_snapshot()
        tracemalloc.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    blocks = sum(entry.count_diff for entry in after.compare_to(before, "filename"))
    return {"bytes": used / waiting, "blocks": blocks / waiting}
