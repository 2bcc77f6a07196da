"""Many cases at a time, and their sum."""

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
from tests.torture.case import Bench, Case, Outcome
from tests.torture.forkserver import Nursery

_LIMITED_EVERY = 4
"""Every so manieth worker keeps the limit."""

_NO_LIMIT = 1_000_000
_TELL_EVERY = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done.

    Attributes:
        kills: how many kills at least.
        rows: rows of a file.
        workers: cases at a time, each with a server of its own.
        seed: of all choices.
        folder: where files and journals are; those of violating cases stay.
        only: the only case to run, ``None`` for all.

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
        plan: what.
        say: takes lines for people.

    Attributes:
        violating: labels of the cases in which a promise was broken.
        kills: kills by phase.
        steps: kills at a step, by step.
        states: rows by state.
        worst_second: the most requests in any second of a run that kept the limit.

    """

    def __init__(self, plan: Plan, *, say: Callable[[str], None]) -> None:
        self._plan = plan
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
        self._lagged = 0
        self._duplicates = 0
        self._losses = 0
        self._told = 0

    async def run(self) -> None:
        """Run it all and say the sum."""
        plan = self._plan
        self._say(f"seed {plan.seed}: {plan.kills} kills, {plan.workers} cases at a time")
        processes = asyncio.Semaphore((os.cpu_count() or 1) + 2)
        workers = range(plan.workers)
        if plan.only is not None:
            workers = range(int(plan.only.removeprefix("w").split("-")[0]), plan.workers)[:1]
        async with asyncio.TaskGroup() as group:
            for worker in workers:
                group.create_task(self._work(worker, processes))
        self._say(self._summary())

    async def _work(self, worker: int, processes: asyncio.Semaphore) -> None:
        plan = self._plan
        limited = worker % _LIMITED_EVERY == _LIMITED_EVERY - 1
        # Every other server shows what posts say in its listings, without which little can be found out.
        sandbox = SandboxProcess(
            policy="sliding_log_strict",
            limit=100 if limited else _NO_LIMIT,
            seed=plan.seed + worker,
            variants={"extra_fields": worker % 3 != 1},
        )
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(sandbox)
            nursery = await stack.enter_async_context(Nursery())
            bench = Bench(sandbox, nursery, limited, plan.folder, processes)
            number = 0
            while self.kills.total() < plan.kills:
                number += 1
                label = f"w{worker}-{number}"
                if plan.only is None or plan.only == label:
                    case = Case(bench, label, plan.seed, plan.rows * (6 if limited else 1))
                    self._add(label, case, await case.run())
                if plan.only == label:
                    return

    def _add(self, label: str, case: Case, outcome: Outcome) -> None:
        self._cases += 1
        self._processes += outcome.processes
        self._stops += outcome.stops
        self._limited += outcome.worst_second > 0
        self._lagged += outcome.lagged
        self.kills += outcome.kills
        self.steps += outcome.steps
        self.states += outcome.verdict.states
        self.worst_second = max(self.worst_second, outcome.worst_second)
        self._duplicates += outcome.verdict.duplicates
        self._losses += outcome.verdict.losses
        if outcome.verdict.violations:
            self.violating.append(label)
            for violation in outcome.verdict.violations:
                self._say(f"VIOLATION in case {label} (seed {self._plan.seed}, {case.folder}): {violation}")
        elif self._plan.only is None:
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
            f"seed {self._plan.seed}\n"
            f"kills by phase:  {listed(self.kills)}\n"
            f"kills at a step: {listed(self.steps)}\n"
            f"rows:            {self.states.total()} in all, {listed(self.states)}\n"
            f"duplicates {self._duplicates}, losses {self._losses}\n"
            f"limit:           worst second {self.worst_second} in {self._limited} cases that kept it "
            f"({self._lagged} of them on a server that lagged), stopped and continued {self._stops}\n"
            f"violations: {', '.join(self.violating) or 'none'}"
        )
