"""The whole of it on one machine: a Redis, the sandbox, four workers, one of them killed half-way; then the ledger.

``make demo-distributed``. Everything is private and on free ports; nothing is left behind.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import os
import random
import signal
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from marketingblocks_async import CreatePost
from marketingblocks_async.sandbox import SandboxProcess
from marketingblocks_async.testing.redis_server import PrivateRedis

HERE = Path(__file__).parent


def posts(number: int) -> list[CreatePost]:
    """Return posts that can be told apart."""
    return [
        CreatePost(
            channel_type="twitter" if index % 2 else "facebook",
            channel_id=1 + index % 2,
            post_type="tweet" if index % 2 else "post",
            caption_text=f"Tip no. {index}",
            media_urls=[],
            publish_mode="queued",
        )
        for index in range(number)
    ]


def write(path: Path, items: list[CreatePost]) -> None:
    """Write a spreadsheet."""
    names = ["channel_type", "channel_id", "post_type", "caption_text", "media_urls", "publish_mode"]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(names)
        table.writerows([[str(getattr(item, name) or "") for name in names[:4]] + ["", "queued"] for item in items])


async def start(script: str, *words: str, environment: dict[str, str], quiet: bool = True) -> Process:
    """Start one of the scripts beside this one."""
    return await asyncio.create_subprocess_exec(
        sys.executable, str(HERE / script), *words, env=environment, stdout=PIPE if quiet else None
    )


async def first_line(process: Process) -> None:
    """Wait until a process has printed something."""
    if process.stdout is not None:
        await process.stdout.readline()


async def main(options: argparse.Namespace) -> int:
    """Play it; return 0 if nothing was lost and nothing published twice."""
    items = posts(options.count)
    processes: list[Process] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "posts.csv"
        write(path, items)
        async with (
            PrivateRedis(durable=True) as redis,
            # With texts in the listings; without them a dead worker's rows could not be told apart, and stay unknown.
            SandboxProcess(latency=options.latency, variants={"extra_fields": True}) as sandbox,
        ):
            environment = os.environ | {
                "REDIS_URL": redis.url,
                "RUN": "demo",
                "MARKETINGBLOCKS_API_TOKEN": sandbox.token,
                "MARKETINGBLOCKS_BASE_URL": sandbox.base_url,
                "TIMEOUT": "2",
            }
            try:
                workers = [await start("worker.py", environment=environment) for _ in range(options.workers)]
                processes += workers
                for worker in workers:
                    await first_line(worker)
                began = time.monotonic()
                run = await start("run.py", str(path), environment=environment, quiet=options.quiet)
                processes.append(run)
                while len(await sandbox.arrivals()) < options.count * options.kill_at:  # noqa: ASYNC110 - only its ledger tells
                    await asyncio.sleep(0.02)
                victim = random.choice(workers)  # noqa: S311 - any will do, no secret
                victim.send_signal(signal.SIGKILL)
                print(f"  killed worker {victim.pid} after {time.monotonic() - began:.1f} s", flush=True)
                await run.communicate()
                seconds = time.monotonic() - began
                report = await sandbox.ledger()
                comparison = await sandbox.compare(items)
            finally:
                for process in processes:
                    if process.returncode is None:
                        process.terminate()
                        await process.communicate()
    tally = report.tokens["default"]
    print(f"""
  What the server counted (one token, {options.workers} workers, one killed):
    requests        {tally.arrivals}
    seconds         {seconds:.1f}
    worst second    {report.worst_window} requests of the token (allowed: 100)
    429s            {tally.over_limit}
    duplicates      {len(comparison.duplicated)}
    lost            {len(comparison.lost)}""")
    # A row that stays unknown (3) is neither of both.
    return int(bool(comparison.duplicated or comparison.lost or run.returncode not in (0, 3)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--kill-at", type=float, default=0.5, help="part of the rows that has been sent by then")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds that the sandbox takes to answer")
    parser.add_argument("--quiet", action="store_true", help="print the result only")
    sys.exit(asyncio.run(main(parser.parse_args())))
