"""One case: a file, a run, its kills and resumes, and the audit."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from marketingblocks_async.bulk.run.breaker import FIRST_ROWS
from marketingblocks_async.endpoints import CREATE_POST
from marketingblocks_async.sandbox import SandboxProcess
from marketingblocks_async.sandbox.state.tokens import DEFAULT_TOKEN
from tests.support.ports import free_port
from tests.torture.audit import Verdict, audit
from tests.torture.forkserver import Child, ForkServer, Job
from tests.torture.limit import LimitWatch
from tests.torture.rows import correct, make_source
from tests.torture.steps import STATEMENTS, STEPS

SLOWEST = 0.25
"""Seconds by which a fault delays a request or an answer at most."""

SETTLE_AFTER = 2.0
"""``--settle-after`` of all runs: much more than ``SLOWEST``, also on a busy machine."""

_MOST_RESUMES = 10
_MOST_OUTAGES = 3
"""Resumes at the end of a case that an outage may befall."""

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


_OUTAGES = (
    "error_503",
    "error_500",
    "html_502",
    "redirect",
    "not_found",
    "drop_before",
    "reset:commit=true",
    "commit_then_500",
    "commit_then_stall",
    "refused",
)
"""What every request to create a post meets during an outage; ``refused`` stands for a port where no server listens."""

_OUTAGE = 0.25
"""Share of the processes that meet one."""

_TIMEOUT = 0.6
"""``--timeout`` during an outage, for requests that get no response."""

_CORRECTIONS = 2
"""Number of times that the failed rows of a file are corrected and sent again."""


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
        outages: processes that met an outage, by kind.
        corrected: rows that were corrected and sent again.
        several: whether the rows of the file make several posts.
        verdict: verdict of the audit.

    """

    kills: Counter[str] = field(default_factory=Counter[str])
    steps: Counter[str] = field(default_factory=Counter[str])
    processes: int = 0
    stops: int = 0
    worst_second: int = 0
    lagged: bool = False
    outages: Counter[str] = field(default_factory=Counter[str])
    corrected: int = 0
    several: bool = False
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
        self._corrects = chance.random() < 0.5
        self._source = make_source(chance, rows, label, spoilt=self._corrects)
        self._policy = chance.choices(("report", "resend", "skip"), (0.86, 0.07, 0.07))[0]
        self._planned_kills = chance.randint(1, 5)
        self._concurrency = chance.choice((1, 4, 16, None))
        self.folder: Path = setup.folder / label
        self._file = self.folder / "posts.csv"
        self._reading: Sequence[str] = ()
        self._journals: list[Path] = [self.folder / "run.journal"]
        self._faults: list[str] = []
        self._is_down = False
        self._environment: dict[str, str] = {}
        self._log: list[str] = []
        self._last = (0, "", "")
        self._watch: LimitWatch | None = None
        self._foreign: set[str] = set()
        self.outcome = Outcome(several=bool(self._source.recipe))

    @property
    def journal(self) -> Path:
        """The journal of the present file."""
        return self._journals[-1]

    async def run(self) -> Outcome:
        """Run the case to its end and audit it."""
        self.folder.mkdir(parents=True)
        self._source.write(self._file)
        if self._source.recipe:
            recipe = self.folder / "recipe.toml"
            recipe.write_text(self._source.recipe, encoding="utf-8")
            self._reading = ["--recipe", str(recipe), *self._source.options]
        await self._prepare_sandbox()
        async with AsyncExitStack() as stack:
            if self._setup.limited:
                self._watch = await stack.enter_async_context(LimitWatch(self._setup.sandbox))
            await self._send(self._planned_kills)
            # A skipped row counts as failed and may exist, so sending it again is not safe.
            while self._corrects and self._policy != "skip" and len(self._journals) <= _CORRECTIONS:
                if not await self._correct():
                    break
                await self._send(self._chance.randint(0, 2))
        await self._judge()
        (self.folder / "log.txt").write_text("\n".join(self._log), encoding="utf-8")
        return self.outcome

    async def _send(self, kills: int) -> None:
        """Send the present file: killed ``kills`` times at most, then to the end."""
        for _ in range(kills):
            if await self._run_and_kill():
                break
        await self._run_to_the_end()

    async def _correct(self) -> bool:
        """Make the corrected failures the present file; return whether there are any."""
        file = self.folder / f"failed-{len(self._journals)}.csv"
        code = await self._execute(arguments=["bulk", "report", str(self.journal), "--failures", str(file), "--json"])
        if code != 0 or not (rows := correct(file)):
            return False
        self.outcome.corrected += rows
        self._file, self._reading = file, ()
        # The one that the command chooses by itself.
        self._journals.append(file.with_name(f"{file.name}.journal"))
        return True

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
            for request in chance.sample(self._source.requests, min(2, len(self._source.requests))):
                async with session.post(f"{sandbox.base_url}/{CREATE_POST.path}", json=request) as answer:
                    answer.raise_for_status()
        self._foreign = {str(post["post_id"]) for post in await sandbox.posts()}
        for fault in chance.sample(_FAULTS, chance.randint(0, 9)):
            # A request that is held before it is counted breaks the assumption under which the limit can be kept.
            if not self._setup.limited or not fault.startswith("slow:"):
                self._faults.append(f"{fault},token={self._label}")
                await sandbox.add_fault(self._faults[-1])

    async def _begin_outage(self) -> str | None:
        """Perhaps let the API be down for the next process; return how."""
        chance, sandbox = self._chance, self._setup.sandbox
        kind = chance.choice(_OUTAGES)
        if chance.random() >= _OUTAGE or (kind == "refused" and chance.random() < 0.7):
            # Refused connections are tried again for several seconds.
            return None
        self.outcome.outages[kind.split(":")[0]] += 1
        if kind == "refused":
            return kind
        after = chance.choice((0, 0, chance.randint(1, len(self._source.requests))))
        times = chance.choice(("", f",times={chance.randint(3, 20)}"))
        await sandbox.clear_faults()
        scope = f"{'' if chance.random() < 0.3 else 'endpoint=create-post,'}token={self._label}"
        await sandbox.add_fault(f"{kind}{',' if ':' in kind else ':'}{scope},after={after}{times}")
        self._is_down = after == 0 and not times
        return kind

    async def _end_outage(self) -> None:
        self._is_down = False
        await self._setup.sandbox.clear_faults()
        for fault in self._faults:
            await self._setup.sandbox.add_fault(fault)

    def _arguments(self) -> list[str]:
        shared = ["--json", "--unknown", self._policy, "--settle-after", str(SETTLE_AFTER)]
        if not self._setup.limited:
            shared += ["--rate", "0"]
        if self._concurrency is not None:
            shared += ["--concurrency", str(self._concurrency)]
        if self.journal.exists():
            return ["bulk", "resume", str(self.journal), *shared]
        if self._corrects:
            shared += ["--skip-invalid"]
        named = ["--journal", str(self.journal)] if len(self._journals) == 1 else []
        return ["bulk", "run", str(self._file), *named, *self._reading, "--allow-duplicates", *shared]

    async def _run_and_kill(self) -> bool:
        """Run once and kill the process on the way; return whether it ended before the kill."""
        chance = self._chance
        if chance.random() < 0.5:
            name = chance.choice([*STEPS, *STATEMENTS])
            each_row = name in STATEMENTS or STEPS[name].each_row
            nth = (
                chance.randint(1, max(1, int(len(self._source.requests) * 0.8)))
                if each_row
                else chance.choice((1, 1, 1, 2))
            )
            outage = await self._begin_outage()
            code = await self._execute(kill=(name, chance.choice(("before", "after")), nth), outage=outage)
            if code == -signal.SIGKILL:
                self.outcome.steps[name] += 1
                self.outcome.kills[STEPS[name].phase if name in STEPS else "send"] += 1
        else:
            outage = await self._begin_outage()
            code = await self._execute(killer=self._kill_some_time, outage=outage)
            if code == -signal.SIGKILL:
                self.outcome.kills[f"{self._phase()} (any time)"] += 1
        if outage is not None:
            await self._end_outage()
        # A run that an outage has stopped is not at its end.
        return code != -signal.SIGKILL and outage is None

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
        outage: str | None = None,
        arguments: Sequence[str] | None = None,
    ) -> int:
        """Run the command line once; return its exit code."""
        output, errors = self.folder / "output.txt", self.folder / "errors.txt"
        # The process may be killed before it has made them.
        output.touch()
        errors.touch()
        words = list(arguments or self._arguments())
        environment = dict(self._environment)
        if outage is not None:
            words += ["--timeout", str(_TIMEOUT)]
        if outage == "refused":
            environment["MARKETINGBLOCKS_BASE_URL"] = f"http://127.0.0.1:{free_port()}/api/v1"
        job = Job(words, environment, str(output), str(errors), kill)
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
        if code != -signal.SIGKILL and arguments is None:
            self._check_ending(*self._last)
        elif arguments is not None and code:
            self._complain(f"{words[:2]} ended with {code}: {self._last}")
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
        if self._is_down and told["sent"] > FIRST_ROWS:
            self._complain(f"{told['sent']} rows were sent to an API that was down: {output}")

    async def _run_to_the_end(self) -> None:
        """Resume until no row is pending, and no row is unknown that time could decide."""
        for number in range(_MOST_RESUMES):
            outage = await self._begin_outage() if number < _MOST_OUTAGES else None
            code = await self._execute(outage=outage)
            if outage is not None:
                await self._end_outage()
            if code not in _CODES:
                return
            counts, until = self._last_result()
            if not counts["pending"] and until is None and outage is None:
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
        if missing := [journal.name for journal in self._journals if not journal.exists()]:
            self._complain(f"there is no {missing}")
            return
        found = audit(self._journals, self._source.requests, posts, policy=self._policy)
        found.violations[:0] = verdict.violations
        self.outcome.verdict = found
        expected = {"posts.csv", "recipe.toml", *(journal.name for journal in self._journals)}
        leftovers = {each.name for each in self.folder.iterdir() if not re.fullmatch(r"failed-\d\.csv", each.name)}
        if not leftovers <= expected:
            self._complain(f"files are left over: {leftovers - expected}")
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
        if sum(states.values()) < len(self._source.requests):
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
