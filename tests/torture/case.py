"""One case: a file, a run, its kills and resumes, and the audit."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from marketingblocks_async.endpoints import CREATE_POST
from marketingblocks_async.sandbox import SandboxProcess
from marketingblocks_async.sandbox.state.tokens import DEFAULT_TOKEN
from tests.torture.audit import Verdict, audit
from tests.torture.forkserver import Child, ForkServer, Job
from tests.torture.limit import LimitWatch
from tests.torture.rows import make_rows, request_of, write_csv
from tests.torture.steps import STATEMENTS, STEPS

SLOWEST = 0.25
"""Seconds by which a fault delays a request or an answer at most."""

SETTLE_AFTER = 2.0
"""``--settle-after`` of all runs: much more than ``SLOWEST``, also on a busy machine."""

_MOST_RESUMES = 8
_DEADLINE = 120.0
_CODES = {0, 2, 3}

_COLD = 0.1
"""Share of the processes that are started anew, imports included."""

_FAULTS = (
    "commit_then_drop:endpoint=create-post,rate=0.06",
    "commit_then_500:endpoint=create-post,rate=0.06",
    f"slow:endpoint=create-post,rate=0.1,delay={SLOWEST}",
    f"slow_answer:endpoint=create-post,rate=0.1,delay={SLOWEST}",
    "drop_before:endpoint=create-post,rate=0.05",
    "reset:endpoint=create-post,rate=0.05",
    "reset:endpoint=create-post,rate=0.05,commit=true",
    "error_500:endpoint=create-post,rate=0.05",
    "error_503:endpoint=create-post,rate=0.03",
    "truncated_json:endpoint=create-post,rate=0.04",
    "empty_body:endpoint=create-post,rate=0.03",
    "html_502:endpoint=create-post,rate=0.03,commit=true",
    "html_502:endpoint=create-post,rate=0.03",
    "unprocessable:endpoint=create-post,rate=0.04",
    "drip:endpoint=create-post,rate=0.05,interval=0.002",
    "too_many_requests:endpoint=create-post,times=1,after=7",
    "error_500:endpoint=get-posts,rate=0.1",
    "drop_before:endpoint=upcoming-posts,rate=0.1",
)


Process = Child | asyncio.subprocess.Process


@dataclass(frozen=True, slots=True)
class Setup:
    """The surroundings of cases, which run on it one after another.

    Attributes:
        sandbox: the server.
        fork_server: starts the runs.
        limited: whether the server counts requests and the runs keep the limit.
        folder: place for files and journals.
        processes: keeps the machine from being overloaded.

    """

    sandbox: SandboxProcess
    fork_server: ForkServer
    limited: bool
    folder: Path
    processes: asyncio.Semaphore


@dataclass(slots=True)
class Outcome:
    """The outcome of a case.

    Attributes:
        kills: kills by phase.
        steps: kills at a step, by step.
        processes: processes that were started.
        stops: processes that were stopped for a while.
        worst_second: the most requests in a second, 0 if they were not limited.
        lagged: whether the server lagged too much to judge that to the millisecond.
        verdict: verdict of the audit.

    """

    kills: Counter[str] = field(default_factory=Counter[str])
    steps: Counter[str] = field(default_factory=Counter[str])
    processes: int = 0
    stops: int = 0
    worst_second: int = 0
    lagged: bool = False
    verdict: Verdict = field(default_factory=Verdict)


class Case:
    """A file that is sent while its runs are killed.

    Args:
        setup: the surroundings.
        label: unique name of the case; with the seed it determines all choices.
        seed: seed of the campaign.
        rows: number of rows of the file.

    """

    def __init__(self, setup: Setup, label: str, seed: int, rows: int) -> None:
        self._setup = setup
        self._chance = chance = Random(f"{seed}/{label}")
        self._label = label
        self._rows = make_rows(chance, rows, label)
        self._policy = chance.choices(("report", "resend", "skip"), (0.86, 0.07, 0.07))[0]
        self._planned_kills = chance.randint(1, 5)
        self._concurrency = chance.choice((1, 4, 16, None))
        self.folder: Path = setup.folder / label
        self.journal: Path = self.folder / "run.journal"
        self._file = self.folder / "posts.csv"
        self._environment: dict[str, str] = {}
        self._log: list[str] = []
        self._last = (0, "", "")
        self._watch: LimitWatch | None = None
        self._foreign: set[str] = set()
        self.outcome = Outcome()

    async def run(self) -> Outcome:
        """Run the case to its end and audit it."""
        self.folder.mkdir(parents=True)
        write_csv(self._file, self._rows)
        await self._prepare_sandbox()
        async with AsyncExitStack() as stack:
            if self._setup.limited:
                self._watch = await stack.enter_async_context(LimitWatch(self._setup.sandbox))
            for _ in range(self._planned_kills):
                if await self._run_and_kill():
                    break
            await self._run_to_the_end()
        await self._judge()
        (self.folder / "log.txt").write_text("\n".join(self._log), encoding="utf-8")
        return self.outcome

    async def _prepare_sandbox(self) -> None:
        sandbox, chance = self._setup.sandbox, self._chance
        # Requests of the previous case have come to their end by now.
        await sandbox.reset()
        token = await sandbox.add_token(self._label)
        self._environment = {
            "MARKETINGBLOCKS_API_TOKEN": token,
            "MARKETINGBLOCKS_BASE_URL": sandbox.base_url,
            "MARKETINGBLOCKS_DEBUG": "1",
        }
        # Posts of another program with the same contents, which must not be taken for those of this run.
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {DEFAULT_TOKEN}"}) as session:
            for row in chance.sample(self._rows, 2):
                async with session.post(f"{sandbox.base_url}/{CREATE_POST.path}", json=request_of(row)) as answer:
                    answer.raise_for_status()
        self._foreign = {str(post["post_id"]) for post in await sandbox.posts()}
        for fault in chance.sample(_FAULTS, chance.randint(0, 9)):
            # A request that is held before it is counted breaks the assumption under which the limit can be kept.
            if not self._setup.limited or not fault.startswith("slow:"):
                await sandbox.add_fault(f"{fault},token={self._label}")

    def _arguments(self) -> list[str]:
        shared = ["--json", "--unknown", self._policy, "--settle-after", str(SETTLE_AFTER)]
        if not self._setup.limited:
            shared += ["--rate", "0"]
        if self._concurrency is not None:
            shared += ["--concurrency", str(self._concurrency)]
        if self.journal.exists():
            return ["bulk", "resume", str(self.journal), *shared]
        return ["bulk", "run", str(self._file), "--journal", str(self.journal), "--allow-duplicates", *shared]

    async def _run_and_kill(self) -> bool:
        """Run once and kill the process on the way; return whether it ended before the kill."""
        chance = self._chance
        if chance.random() < 0.5:
            name = chance.choice([*STEPS, *STATEMENTS])
            each_row = name in STATEMENTS or STEPS[name].each_row
            nth = chance.randint(1, max(1, int(len(self._rows) * 0.8))) if each_row else chance.choice((1, 1, 1, 2))
            code = await self._execute(kill=(name, chance.choice(("before", "after")), nth))
            if code == -signal.SIGKILL:
                self.outcome.steps[name] += 1
                self.outcome.kills[STEPS[name].phase if name in STEPS else "send"] += 1
        else:
            code = await self._execute(killer=self._kill_some_time)
            if code == -signal.SIGKILL:
                self.outcome.kills[f"{self._phase()} (any time)"] += 1
        return code != -signal.SIGKILL

    async def _kill_some_time(self, process: Process) -> None:
        """Kill a process at a random moment, or soon after one of its files appeared."""
        chance = self._chance
        begun = self.journal.exists()
        signs: list[Callable[[], bool]] = [
            lambda: True,
            self.journal.with_name(f"{self.journal.name}.lock").exists,
            self.journal.with_name(f"{self.journal.name}-wal").exists if begun else self.journal.exists,
        ]
        sign = chance.choice(signs)
        longest = 2.5 if self._setup.limited else 0.4
        delay = chance.random() ** (1 if sign is signs[0] else 2) * longest
        while not sign() and process.returncode is None:  # noqa: ASYNC110 - a file is no event
            await asyncio.sleep(0.002)
        await asyncio.sleep(delay)
        if self._setup.limited and chance.random() < 0.4 and _signal(process, signal.SIGSTOP):
            self.outcome.stops += 1
            # Its permits age while it stands still.
            await asyncio.sleep(chance.uniform(0.1, 1.8))
            _signal(process, signal.SIGCONT)
            await asyncio.sleep(chance.uniform(0.0, 1.2))
        _signal(process, signal.SIGKILL)

    async def _execute(
        self,
        *,
        kill: tuple[str, str, int] | None = None,
        killer: Callable[[Process], Coroutine[Any, Any, None]] | None = None,
    ) -> int:
        """Run the command line once; return its exit code."""
        output, errors = self.folder / "output.txt", self.folder / "errors.txt"
        # The process may be killed before it has made them.
        output.touch()
        errors.touch()
        job = Job(self._arguments(), self._environment, str(output), str(errors), kill)
        async with self._setup.processes:
            self.outcome.processes += 1
            began = time.monotonic()
            cold = kill is None and self._chance.random() < _COLD
            process: Process = await (_start_cold(job) if cold else self._setup.fork_server.start(job))
            killing = asyncio.create_task(killer(process)) if killer is not None else None
            ending = asyncio.create_task(process.wait())
            if not (await asyncio.wait([ending], timeout=_DEADLINE))[0]:
                _signal(process, signal.SIGKILL)
                self._complain(f"{job.arguments[:2]} did not end within {_DEADLINE:g} s")
            code = await ending
            if killing is not None:
                killing.cancel()
                await asyncio.gather(killing, return_exceptions=True)
        self._last = (code, output.read_text(encoding="utf-8"), errors.read_text(encoding="utf-8"))
        self._log.append(f"{began:.3f} to {time.monotonic():.3f} {kill} {' '.join(job.arguments)}\n  {self._last}")
        output.unlink()
        errors.unlink()
        if code != -signal.SIGKILL:
            self._check_ending(*self._last)
        return code

    def _check_ending(self, code: int, output: str, errors: str) -> None:
        if code not in _CODES or "Traceback" in errors:
            self._complain(f"exit code {code}: {output} {errors}")
            return
        try:
            told: Mapping[str, Any] = json.loads(output)
        except ValueError:
            self._complain(f"no JSON at the end: {output!r} {errors}")
            return
        if told["total"] != sum(told[name] for name in ("done", "failed", "pending", "unknown")):
            self._complain(f"the numbers do not add up: {output}")
        expected = 3 if told["unknown"] else 2 if told["failed"] or told["pending"] else 0
        if code != expected:
            self._complain(f"exit code {code} instead of {expected}: {output}")

    async def _run_to_the_end(self) -> None:
        """Resume until no row is pending, and no row is unknown that time could decide."""
        for _ in range(_MOST_RESUMES):
            code = await self._execute()
            if code not in _CODES:
                return
            counts, until = self._last_result()
            if not counts["pending"] and until is None:
                return
            await asyncio.sleep(max(0.0, (until or 0.0) - time.time()))
        if self._last_result()[0]["pending"]:
            self._complain(f"rows are pending after {_MOST_RESUMES} resumes: {self._log[-1]}")

    def _last_result(self) -> tuple[dict[str, Any], float | None]:
        told = json.loads(self._last[1])
        return told, told["reconciliation"]["undecided_until"]

    async def _judge(self) -> None:
        sandbox, verdict = self._setup.sandbox, self.outcome.verdict
        # Requests that are still under way at the server come to their end.
        await asyncio.sleep(2 * SLOWEST)
        posts = [post for post in await sandbox.posts() if str(post["post_id"]) not in self._foreign]
        if not self.journal.exists():
            self._complain("there is no journal")
            return
        found = audit(self.journal, self._rows, posts, policy=self._policy)
        found.violations[:0] = verdict.violations
        self.outcome.verdict = found
        leftovers = sorted(each.name for each in self.folder.iterdir())
        if leftovers != ["posts.csv", "run.journal"]:
            self._complain(f"files are left over: {leftovers}")
        if self._watch is not None:
            self.outcome.lagged = self._watch.lagged
            self.outcome.worst_second, complaint = await self._watch.verdict(self._label)
            if complaint is not None:
                self._complain(complaint)
        if found.violations:
            (self.folder / "posts.json").write_text(json.dumps(posts, indent=1), encoding="utf-8")
            arrivals = "\n".join(f"{arrival:.4f}" for arrival in await sandbox.arrivals(self._label))
            (self.folder / "arrivals.txt").write_text(arrivals, encoding="utf-8")
            (self.folder / "violations.txt").write_text("\n".join(found.violations), encoding="utf-8")

    def _complain(self, what: str) -> None:
        self.outcome.verdict.violations.append(what)

    def _phase(self) -> str:
        """Return the phase in which a run was killed, as its files show."""
        if not self.journal.exists():
            return "import" if self.journal.with_name(f"{self.journal.name}.importing").exists() else "start"
        # A read-only connection: an ordinary one would tidy up after the killed process.
        with closing(sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True)) as connection:
            session = connection.execute("SELECT ended_at FROM sessions ORDER BY id DESC LIMIT 1").fetchone()
            states = dict(connection.execute("SELECT state, count(*) FROM states GROUP BY state").fetchall())
        if session is None or session[0] is not None:
            return "start"
        if states.get(1):
            return "send"
        if sum(states.values()) < len(self._rows):
            return "prepare"
        return "reconcile" if states.get(4) else "end"


async def _start_cold(job: Job) -> asyncio.subprocess.Process:
    output, errors = (os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) for path in (job.output, job.errors))
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "marketingblocks_async.cli", *job.arguments, env={**os.environ, **job.environment},
            stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=errors,
        )  # fmt: skip
    finally:
        os.close(output)
        os.close(errors)


def _signal(process: Process, number: signal.Signals) -> bool:
    try:
        process.send_signal(number)
    except ProcessLookupError:
        return False
    return True
