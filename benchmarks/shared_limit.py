"""Several processes, one token, one Redis: what the server counts. Run as ``python -m benchmarks.shared_limit``.

Starts a Redis, a sandbox and the senders, each in a process of its own, lets something happen, and prints what the
sandbox's ledger says. ``--event`` is one of: ``none``, ``kill`` (SIGKILL of a sender), ``stop`` (it stands still for
a while), ``leave`` (it becomes idle), ``sleep`` (Redis stands still), ``restart`` (Redis is killed and started again),
``flush``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from array import array
from dataclasses import dataclass
from typing import Any

from marketingblocks_async.sandbox import SandboxProcess
from marketingblocks_async.testing.redis_server import PrivateRedis


@dataclass(frozen=True)
class Outcome:
    """What was seen.

    Attributes:
        worst_second: most arrivals at the server in any second.
        refused: 429s.
        arrivals: when each request arrived, seconds after the first.
        event_at: when the event began, on the same clock.
        back_at: when it was over.
        answered: how many calls of each process succeeded; empty for a killed one.
        commands: commands that the processes sent to Redis.
        results: what each process reported.

    """

    worst_second: int
    refused: int
    arrivals: array[float]
    event_at: float
    back_at: float
    answered: list[int]
    commands: int
    results: list[dict[str, Any]]

    @property
    def use(self) -> float:
        """Share of the limit that arrived, from the first arrival to the last."""
        return (len(self.arrivals) - 1) / self.arrivals[-1] / 100

    @property
    def evenness(self) -> float:
        """Jain's index of the processes' calls."""
        total = sum(self.answered)
        return total * total / (len(self.answered) * sum(n * n for n in self.answered))

    def rate(self, begin: float, end: float) -> float:
        """Arrivals per second between two instants."""
        return sum(begin <= t < end for t in self.arrivals) / (end - begin)


async def play(
    *,
    processes: int = 4,
    seconds: float = 30.0,
    event: str = "none",
    at: float = 3.0,
    lasting: float = 2.0,
    waiting: int = 100,
    options: tuple[str, ...] = (),
) -> Outcome:
    """Run once.

    Args:
        processes: how many senders.
        seconds: for how long they send.
        event: what happens.
        at: seconds after the beginning at which it does.
        lasting: seconds until it is over.
        waiting: calls that wait at once, in each process.
        options: more command line for the senders.

    """
    async with PrivateRedis() as server, SandboxProcess(policy="sliding_log") as sandbox:
        words = ["--redis", server.url, "--base-url", sandbox.base_url, "--token", sandbox.token]
        words += ["--waiting", str(waiting), *options]
        durations = [str(at if event == "leave" and number == 0 else seconds) for number in range(processes)]
        senders = [
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "benchmarks.sender",
                *words,
                "--seconds",
                duration,
                stdout=asyncio.subprocess.PIPE,
            )
            for duration in durations
        ]
        try:
            for sender in senders:
                assert sender.stdout is not None  # noqa: S101 - for the type checkers: PIPE gives one
                await sender.stdout.readline()
            before = await _commands(server)
            await asyncio.sleep(at)
            event_at = time.monotonic()
            killed = await _happen(event, server, senders, lasting)
            back_at = time.monotonic()
            outputs = [(await sender.communicate())[0] for sender in senders]
            commands = await _commands(server) - before
            results = [
                json.loads(output) for number, output in enumerate(outputs) if number not in killed and output.strip()
            ]
            report = await sandbox.ledger()
            arrivals = await sandbox.arrivals()
        finally:
            for sender in senders:
                if sender.returncode is None:
                    sender.kill()
                    await sender.wait()
    first = arrivals[0]
    return Outcome(
        worst_second=report.worst_window,
        refused=report.tokens["default"].over_limit,
        arrivals=array("d", (t - first for t in arrivals)),
        event_at=event_at - first,
        back_at=back_at - first,
        answered=[sum(result["answered"].values()) for result in results],
        commands=commands,
        results=results,
    )


async def _happen(
    event: str, server: PrivateRedis, senders: list[asyncio.subprocess.Process], lasting: float
) -> set[int]:
    """Let the event happen; return which senders it killed."""
    if event == "kill":
        senders[0].send_signal(signal.SIGKILL)
        return {0}
    if event == "stop":
        # Longer than its lease; the others have its permits when it goes on.
        senders[0].send_signal(signal.SIGSTOP)
        await asyncio.sleep(lasting)
        senders[0].send_signal(signal.SIGCONT)
    if "flush" in event:
        await server.command("FLUSHALL")
    if "sleep" in event:
        await server.command("DEBUG", "SLEEP", str(lasting))
    if event == "restart":
        await server.kill()
        await asyncio.sleep(lasting)
        await server.start()
    return set()


async def _commands(server: PrivateRedis) -> int:
    stats = await server.command("INFO", "commandstats")
    names = ("cmdstat_evalsha", "cmdstat_script|load", "cmdstat_hello", "cmdstat_client|setinfo")
    return sum(stats[name]["calls"] for name in names if name in stats)


def main() -> None:
    """Run once and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--waiting", type=int, default=100)
    parser.add_argument("--event", default="none")
    parser.add_argument("--at", type=float, default=5.0)
    parser.add_argument("--lasting", type=float, default=2.0)
    options, more = parser.parse_known_args()
    outcome = asyncio.run(
        play(
            processes=options.processes,
            seconds=options.seconds,
            waiting=options.waiting,
            event=options.event,
            at=options.at,
            lasting=options.lasting,
            options=tuple(more),
        )
    )
    print(f"  worst second   {outcome.worst_second}")
    print(f"  429s           {outcome.refused}")
    print(f"  arrivals       {len(outcome.arrivals)}")
    print(f"  use            {outcome.use:.3f}")
    print(f"  evenness       {outcome.evenness:.4f}  {outcome.answered}")
    print(f"  commands       {outcome.commands / len(outcome.arrivals):.3f} per request")
    print("  errors        ", *(result["errors"] for result in outcome.results))
    if options.event != "none":
        print(f"  event          {outcome.event_at:.1f} s to {outcome.back_at:.1f} s")
    print(
        "  each half second", *(round(outcome.rate(n / 2, n / 2 + 0.5)) for n in range(int(outcome.arrivals[-1] * 2)))
    )


if __name__ == "__main__":
    main()
