"""Run many cases at a time and add up their outcomes."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from marketingblocks_async.sandbox import SandboxProcess
from tests.torture.case import Case, Outcome, Setup
from tests.torture.forkserver import ForkServer

_LIMITED_EVERY = 4
"""Every fourth worker runs with the rate limit on."""

_NO_LIMIT = 1_000_000
_TELL_EVERY = 100


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a campaign.

    Attributes:
        kills: number of kills at least.
        rows: rows of a file.
        workers: cases at a time, each with a server of its own.
        seed: seed of all choices.
        folder: place for files and journals; those of violating cases stay.
        only: label of the only case to run; ``None`` for all.

    """

    kills: int
    rows: int
    workers: int
    seed: int
    folder: Path
    only: str | None = None


class Campaign:
    """Runs cases until there were enough kills.

    Args:
        options: the options.
        say: called with each line of output.

    Attributes:
        violating: labels of the cases that broke a promise.
        kills: kills by phase.
        steps: kills at a step, by step.
        outages: processes that met an outage, by kind.
        states: rows by state.
        worst_second: the most requests in any second of a run that kept the limit.

    """

    def __init__(self, options: Options, *, say: Callable[[str], None]) -> None:
        self._options = options
        self._say = say
        self._began = time.monotonic()
        self.violating: list[str] = []
        self.kills: Counter[str] = Counter()
        self.steps: Counter[str] = Counter()
        self.states: Counter[str] = Counter()
        self.worst_second = 0
        self._cases = 0
        self._processes = 0
        self._stops = 0
        self._limited = 0
        self._several = 0
        self._corrected = 0
        self.outages: Counter[str] = Counter()
        self._lagged = 0
        self._duplicates = 0
        self._losses = 0
        self._told = 0

    async def run(self) -> None:
        """Run all cases and report the totals."""
        options = self._options
        self._say(f"seed {options.seed}: {options.kills} kills, {options.workers} cases at a time")
        processes = asyncio.Semaphore((os.cpu_count() or 1) + 2)
        workers = range(options.workers)
        if options.only is not None:
            workers = range(int(options.only.removeprefix("w").split("-")[0]), options.workers)[:1]
        async with asyncio.TaskGroup() as group:
            for worker in workers:
                group.create_task(self._work(worker, processes))
        self._say(self._summary())

    async def _work(self, worker: int, processes: asyncio.Semaphore) -> None:
        options = self._options
        limited = worker % _LIMITED_EVERY == _LIMITED_EVERY - 1
        # Two of three servers show the texts of posts in their listings, without which few unknown rows can be decided.
        sandbox = SandboxProcess(
            policy="sliding_log_strict",
            limit=100 if limited else _NO_LIMIT,
            seed=options.seed + worker,
            variants={"extra_fields": worker % 3 != 1},
        )
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(sandbox)
            fork_server = await stack.enter_async_context(ForkServer())
            setup = Setup(sandbox, fork_server, limited, options.folder, processes)
            number = 0
            while self.kills.total() < options.kills:
                number += 1
                label = f"w{worker}-{number}"
                if options.only is None or options.only == label:
                    case = Case(setup, label, options.seed, options.rows * (6 if limited else 1))
                    self._add(label, case, await case.run())
                if options.only == label:
                    return

    def _add(self, label: str, case: Case, outcome: Outcome) -> None:
        self._cases += 1
        self._processes += outcome.processes
        self._stops += outcome.stops
        self._limited += outcome.worst_second > 0
        self._lagged += outcome.lagged
        self._several += outcome.several
        self._corrected += outcome.corrected
        self.outages += outcome.outages
        self.kills += outcome.kills
        self.steps += outcome.steps
        self.states += outcome.verdict.states
        self.worst_second = max(self.worst_second, outcome.worst_second)
        self._duplicates += outcome.verdict.duplicates
        self._losses += outcome.verdict.losses
        if outcome.verdict.violations:
            self.violating.append(label)
            for violation in outcome.verdict.violations:
                self._say(f"VIOLATION in case {label} (seed {self._options.seed}, {case.folder}): {violation}")
        elif self._options.only is None:
            shutil.rmtree(case.folder)
        if self.kills.total() // _TELL_EVERY > self._told // _TELL_EVERY:
            self._told = self.kills.total()
            self._say(
                f"{self._told:5} kills, {self._cases} cases, {time.monotonic() - self._began:.0f} s, "
                f"rows {dict(sorted(self.states.items()))}, {len(self.violating)} violations"
            )

    def _summary(self) -> str:
        def listed(counts: Counter[str]) -> str:
            return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"

        seconds = time.monotonic() - self._began
        return (
            f"{self.kills.total()} kills of {self._processes} processes in {self._cases} cases, {seconds:.0f} s, "
            f"seed {self._options.seed}\n"
            f"kills by phase:  {listed(self.kills)}\n"
            f"kills at a step: {listed(self.steps)}\n"
            f"outages:         {listed(self.outages)}\n"
            f"rows:            {self.states.total()} in all, {listed(self.states)}; {self._corrected} corrected and "
            f"sent again; {self._several} files whose rows make several posts\n"
            f"duplicates {self._duplicates}, losses {self._losses}\n"
            f"limit:           worst second {self.worst_second} in {self._limited} cases that kept it "
            f"({self._lagged} of them on a server that lagged), stopped and continued {self._stops}\n"
            f"violations: {', '.join(self.violating) or 'none'}"
        )
