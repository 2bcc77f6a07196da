"""Thousands of tokens in one fleet: memory, time, and what 50 saturated ones reach.

Run as ``python -m benchmarks.fleet``.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
import tracemalloc
from collections import Counter

from marketingblocks_async import TokenFleet
from marketingblocks_async.sandbox import SandboxProcess


async def memory(tokens: int) -> None:
    """Print what a token costs: asked for, used once, and idle."""
    async with SandboxProcess() as sandbox:
        names = [await sandbox.add_token(f"tenant-{number}") for number in range(tokens)]
        async with TokenFleet(base_url=sandbox.base_url, idle_after=2.0) as fleet:
            tracemalloc.start()
            begin = tracemalloc.get_traced_memory()[0]
            started = time.perf_counter()
            for name in names:
                fleet.client(name)
            took = time.perf_counter() - started
            asked = tracemalloc.get_traced_memory()[0] - begin
            print(f"  {tokens} clients      {took:.2f} s (traced), {asked / tokens:.0f} bytes each")
            tracemalloc.stop()
            started = time.perf_counter()
            for number in range(0, tokens, 250):
                await asyncio.gather(*(fleet.client(name).posts.upcoming() for name in names[number : number + 250]))
            took = time.perf_counter() - started
            print(f"  one call each     {took:.1f} s, {tokens / took:.0f} a second")
            tracemalloc.start()
            started = time.perf_counter()
            snapshot = fleet.snapshot()
            print(f"  snapshot          {len(snapshot.tokens)} tokens, {time.perf_counter() - started:.3f} s")
            await asyncio.sleep(6.0)
            gc.collect()
            print(f"  after a rest      {len(fleet)} clients")
            tracemalloc.stop()


async def used(tokens: int) -> None:
    """Print what a used token costs, and what is left of it when it is idle."""
    async with SandboxProcess() as sandbox:
        names = [await sandbox.add_token(f"tenant-{number}") for number in range(tokens)]
        async with TokenFleet(base_url=sandbox.base_url, idle_after=5.0) as fleet:
            await fleet.client(sandbox.token).posts.upcoming()
            tracemalloc.start()
            begin = tracemalloc.get_traced_memory()[0]
            for name in names:
                await fleet.client(name).posts.upcoming()
            gc.collect()
            busy = tracemalloc.get_traced_memory()[0] - begin
            await asyncio.sleep(12.0)
            gc.collect()
            idle = tracemalloc.get_traced_memory()[0] - begin
            print(f"  a used token      {busy / tokens:.0f} bytes; idle {idle / tokens:.0f} bytes")
            tracemalloc.stop()


async def saturated(tokens: int, seconds: float) -> None:
    """Print what saturated tokens reach together, and how even."""
    async with SandboxProcess() as sandbox:
        names = [await sandbox.add_token(f"tenant-{number}") for number in range(tokens)]
        done: Counter[str] = Counter()
        async with TokenFleet(base_url=sandbox.base_url, max_connections=1000) as fleet:
            ends = time.monotonic() + seconds

            async def send(name: str) -> None:
                client = fleet.client(name)
                while time.monotonic() < ends:
                    await client.posts.upcoming(limit=1)
                    done[name] += time.monotonic() < ends

            await asyncio.gather(*(send(name) for name in names for _ in range(20)))
        report = await sandbox.ledger()
        counts = sorted(done.values())
        median = counts[len(counts) // 2]
        print(
            f"  {tokens} saturated      {sum(counts) / seconds:.0f} a second in all, worst second {report.worst_window}"
        )
        print(f"  lowest / median   {counts[0] / median:.2f} ({counts[0]}, {median}, highest {counts[-1]})")


async def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=5000)
    parser.add_argument("--saturated", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    await memory(options.tokens)
    await used(500)
    await saturated(options.saturated, options.seconds)


if __name__ == "__main__":
    asyncio.run(main())
