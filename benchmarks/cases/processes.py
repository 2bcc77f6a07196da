"""Scale: one token in several processes, which share its limit over Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from benchmarks.arithmetic import rate_of, worst_window
from benchmarks.contestants import OURS
from benchmarks.plan import Plan
from benchmarks.records import Record
from benchmarks.servers import counting_server
from benchmarks.worker import Order, work_elsewhere
from marketingblocks_async.testing.redis_server import PrivateRedis, RedisServerMissingError


async def processes(plan: Plan) -> AsyncIterator[Record]:
    """So many processes at once, each with a full queue, over one token; nothing where there is no redis-server."""
    counts = plan.pick(smoke=(2,), quick=(1, 4), full=(1, 2, 4, 8))
    calls = plan.pick(smoke=60, quick=600, full=2000)
    try:
        async with PrivateRedis() as redis:
            for round_number in range(plan.rounds_of(quick=1, full=5)):
                for count in counts:
                    token = f"token-{count}-{round_number}"
                    figures = await measure_processes(redis.url, token, count, calls // count)
                    yield Record("processes", OURS, {"processes": count}, round_number, figures)
    except RedisServerMissingError as missing:
        print(f"processes: not measured: {missing}")


async def measure_processes(redis: str, token: str, count: int, calls: int) -> dict[str, float]:
    """Measure so many processes with a full queue each, over one token."""
    async with counting_server() as server:
        order = Order(OURS, server.base_url, token, calls, redis=redis)
        reports = await asyncio.gather(*(work_elsewhere(order) for _ in range(count)))
        arrivals = (await server.arrivals())[token]
    return {
        "worst_second": worst_window(arrivals),
        "requests": len(arrivals),
        "rate": rate_of(arrivals),
        "rate_to_limit": rate_of(arrivals) / 100,
        # Of equal work: how long the slowest took, in the time of the quickest.
        "unfairness": max(report.wall for report in reports) / min(report.wall for report in reports),
        "cpu": sum(report.cpu for report in reports) / (count * calls) * 1e6,
    }
