"""A run by many workers, the limit lifted: what its journal and its queue in Redis cost.

Run as ``python -m benchmarks.distributed``. Redis keeps each write on the disk before it answers, as the journal
demands; Redis, the sandbox, the controlling process and the workers share this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from taskiq.api import run_receiver_task

from marketingblocks_async import MarketingBlocks, RateLimit
from marketingblocks_async.bulk import Row, aread_rows, parse_row
from marketingblocks_async.distributed import DistributedRun, RowSender, SharedJournal
from marketingblocks_async.distributed.broker import TASK, row_broker
from marketingblocks_async.sandbox import SandboxProcess
from marketingblocks_async.testing.redis_server import PrivateRedis

RUN = "benchmark"


@dataclass(frozen=True)
class Outcome:
    """What a run cost.

    Attributes:
        rate: rows per second, from the first arrival at the server to the last.
        duplicates: posts created twice.
        journal_commands: commands of the journal per row.
        queue_commands: commands of the queue per row.
        redis_seconds: processor time of the commands in Redis, per row.
        enqueue_seconds: time to put a row into the queue.

    """

    rate: float
    duplicates: int
    journal_commands: float
    queue_commands: float
    redis_seconds: float
    enqueue_seconds: float


async def play(workers: int, rows: int) -> Outcome:
    """Let workers send rows.

    Args:
        workers: number of processes.
        rows: number of rows.

    """
    async with PrivateRedis(durable=True) as redis, SandboxProcess(policy="none", latency=0.0) as sandbox:
        environment = os.environ | {
            "REDIS_URL": redis.url,
            "MARKETINGBLOCKS_API_TOKEN": sandbox.token,
            "MARKETINGBLOCKS_BASE_URL": sandbox.base_url,
        }
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "benchmarks.distributed",
                "worker",
                env=environment,
                stdout=asyncio.subprocess.PIPE,
            )
            for _ in range(workers)
        ]
        try:
            for process in processes:
                assert process.stdout is not None  # noqa: S101 - for the type checkers: PIPE gives one
                await process.stdout.readline()
            enqueue_seconds = await _control(redis.url, sandbox.token, sandbox.base_url, rows)
            arrivals = await sandbox.arrivals()
            ledger = await sandbox.ledger()
            statistics = await redis.command("INFO", "commandstats")
        finally:
            for process in processes:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
    calls = {name.removeprefix("cmdstat_"): stats["calls"] for name, stats in statistics.items()}
    queue = sum(number for name, number in calls.items() if name.startswith("x"))
    # What a script does inside is counted under other names.
    journal = calls.get("evalsha", 0)
    return Outcome(
        rate=(len(arrivals) - 1) / (arrivals[-1] - arrivals[0]),
        duplicates=ledger.duplicate_posts,
        journal_commands=journal / rows,
        queue_commands=queue / rows,
        redis_seconds=sum(stats["usec"] for stats in statistics.values()) / 1e6 / rows,
        enqueue_seconds=enqueue_seconds / rows,
    )


async def _control(url: str, token: str, base_url: str, rows: int) -> float:
    """Control the run; return how long it took to queue the rows."""
    broker = row_broker(url, RUN)
    spent = 0.0

    @broker.task(task_name=TASK)
    async def send_row(_number: int) -> None:
        """The workers do it; here is only its name."""

    async def enqueue(numbers: Sequence[int]) -> None:
        nonlocal spent
        began = time.perf_counter()
        for number in numbers:
            await send_row.kiq(number)
        spent += time.perf_counter() - began

    async with (
        MarketingBlocks(token, base_url=base_url, rate_limit=RateLimit(limit=None)) as client,
        SharedJournal(url, RUN) as journal,
    ):
        await broker.startup()
        try:
            await journal.create(_rows(rows))
            await DistributedRun(client, journal, enqueue).run()
        finally:
            await broker.shutdown()
    return spent


async def _rows(count: int) -> AsyncIterator[Row]:
    posts = (
        {
            "channel_type": "facebook",
            "channel_id": 1,
            "post_type": "post",
            "caption_text": f"Tip no. {number}",
            "publish_mode": "queued",
        }
        for number in range(count)
    )
    async with aread_rows(posts) as raws:
        async for raw in raws:
            row = parse_row(raw)
            if isinstance(row, Row):
                yield row


async def work() -> None:
    """Be a worker until killed."""
    url = os.environ["REDIS_URL"]
    broker = row_broker(url, RUN)
    async with MarketingBlocks(rate_limit=RateLimit(limit=None)) as client, SharedJournal(url, RUN) as journal:
        sender = RowSender(client, journal)

        @broker.task(task_name=TASK)
        async def send_row(number: int) -> None:
            await sender.send(number)

        await broker.startup()
        print("ready", flush=True)
        await run_receiver_task(broker, max_async_tasks=50)


def main(arguments: Sequence[str]) -> None:
    """Run and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.distributed", description=__doc__)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args(arguments)
    print("| workers | rows/s | rows/s a worker | commands a row (journal, queue) | Redis a row | to queue a row |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    runs = {workers: list[Outcome]() for workers in options.workers}
    for _ in range(options.rounds):
        for workers in options.workers:
            runs[workers].append(asyncio.run(play(workers, options.rows)))
    for workers, outcomes in runs.items():
        middle = sorted(outcomes, key=lambda outcome: outcome.rate)[len(outcomes) // 2]
        cells = (
            f"{workers}",
            f"{middle.rate:.0f}",
            f"{middle.rate / workers:.0f}",
            f"{middle.journal_commands:.2f}, {middle.queue_commands:.2f}",
            f"{middle.redis_seconds * 1e6:.0f} µs",
            f"{middle.enqueue_seconds * 1e3:.2f} ms",
        )
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    if sys.argv[1:] == ["worker"]:
        asyncio.run(work())
    else:
        main(sys.argv[1:])
