"""Command line of the simulated fleet."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import sys
import time
from collections.abc import Sequence

from benchmarks.cases.processes import measure_processes
from marketingblocks_async.testing.redis_server import PrivateRedis

from .fleet import Figures, Fleet, Layout

FLEETS: dict[str, Layout] = {
    "one process a token": Layout(),
    "two processes a token": Layout(spread=2),
    "four processes a token": Layout(spread=4),
    "the same, 100 tokens always busy": Layout(spread=4, saturated=100),
    "the same, a process dies every 2 s": Layout(spread=4, saturated=100, deaths=2.0),
    "the same, Redis fails over": Layout(spread=4, saturated=100, deaths=2.0, fails_over_at=15.0),
    "the same, four Redis servers": Layout(spread=4, saturated=100, deaths=2.0, fails_over_at=15.0, servers=4),
    "sixteen processes a token": Layout(spread=16, saturated=100),
}


def row(about: str, figures: Figures) -> str:
    """Return a row of the table."""
    median, most, nearly_all = figures.waits
    cells = (
        about,
        f"{figures.rate:,.0f}",
        f"{figures.worst}",
        f"{figures.use:.3f}" if figures.use else "",
        f"{figures.slowest:.3f}" if figures.use else "",
        f"{median:.2f} / {most:.2f} / {nearly_all:.2f}",
        f"{figures.exchanges:,.0f}",
        f"{figures.round_trips:,.0f}",
        f"{100 * figures.busy:.0f} %",
    )
    return "| " + " | ".join(cells) + " |"


_COLUMNS = (
    "fleet",
    "requests/s",
    "worst second",
    "use",
    "slowest",
    "waits (50 / 95 / 99 %), s",
    "exchanges/s",
    "round trips/s",
    "Redis",
)


def _play(options: argparse.Namespace) -> None:
    print("| " + " | ".join(_COLUMNS) + " |")
    print("| --- |" + " ---: |" * (len(_COLUMNS) - 1))
    names: list[str] = options.fleet or list(FLEETS)
    for name in names:
        layout = dataclasses.replace(
            FLEETS[name], tokens=options.tokens, processes=options.processes, seconds=options.seconds
        )
        layout = dataclasses.replace(
            layout, saturated=min(layout.saturated, layout.tokens), spread=min(layout.spread, layout.processes)
        )
        began = time.perf_counter()
        print(row(name, Fleet(layout, seed=options.seed).run()), flush=True)
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)


def _calibrate(options: argparse.Namespace) -> None:
    del options
    for count in (1, 2, 4):
        simulated = Fleet(Layout(tokens=1, processes=count, spread=count, saturated=1)).run()
        real = asyncio.run(_real(count))
        print(
            f"{count} processes: rate {real['rate']:.1f} real, {100 * simulated.use:.1f} simulated; exchanges a second "
            f"{real['exchanges']:.1f}, {simulated.exchanges:.1f}; Redis busy {real['microseconds']:.0f} µs an exchange"
        )


async def _real(count: int) -> dict[str, float]:
    """Measure real processes, and what Redis says of their exchanges."""
    async with PrivateRedis() as redis:
        figures = await measure_processes(redis.url, f"token-{count}", count, 2000 // count)
        statistics = await redis.command("INFO", "commandstats")
    runs = [statistics[name] for name in ("cmdstat_evalsha", "cmdstat_eval") if name in statistics]
    calls = sum(run["calls"] for run in runs)
    exchanges = calls / (figures["requests"] / figures["rate"])
    return figures | {"exchanges": exchanges, "microseconds": sum(run["usec"] for run in runs) / calls}


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet_simulation", description=__doc__)
    commands = parser.add_subparsers(required=True)
    play = commands.add_parser("play", help="fleets in virtual time")
    play.add_argument("fleet", nargs="*", choices=[[], *FLEETS], help="only these")
    play.add_argument("--tokens", type=int, default=10_000)
    play.add_argument("--processes", type=int, default=250)
    play.add_argument("--seconds", type=float, default=30.0)
    play.add_argument("--seed", type=int, default=0)
    play.set_defaults(run=_play)
    commands.add_parser("calibrate", help="four real processes beside four simulated ones").set_defaults(run=_calibrate)
    options = parser.parse_args(arguments)
    options.run(options)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
