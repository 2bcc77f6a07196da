"""What may befall a run besides being killed: as real processes against a sandbox in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from marketingblocks_async import MarketingBlocks
from marketingblocks_async.bulk import BulkRun, Journal, JournalReader
from marketingblocks_async.bulk.journal.create import JournalBuilder
from marketingblocks_async.bulk.journal.files import mark
from marketingblocks_async.sandbox import SandboxProcess
from tests.support.ports import free_port
from tests.torture.audit import audit
from tests.torture.limit import LimitWatch
from tests.torture.rows import make_rows, request_of, write_csv

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and file size limits")

_CLI = ("-m", "marketingblocks_async.cli")
_SMALL_FILES = (
    "-c",
    """
import resource, sys
from marketingblocks_async.cli.entry import main
resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, 120_000))
sys.exit(main())
""",
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended."""

    code: int
    told: Mapping[str, Any]
    errors: str


class Run:
    """A file, its journal, and processes that send it."""

    def __init__(self, folder: Path, sandbox: SandboxProcess, rows: int, token: str | None = None) -> None:
        self.rows = make_rows(Random(rows), rows, "disaster")
        self.file = folder / "posts.csv"
        self.journal = folder / "run.journal"
        self.sandbox = sandbox
        self.token = token or sandbox.token
        write_csv(self.file, self.rows)

    def arguments(self, command: str, *options: str) -> list[str]:
        what = (
            ("run", str(self.file), "--journal", str(self.journal), "--allow-duplicates")
            if command == "run"
            else (command, str(self.journal))
        )
        return ["bulk", *what, "--json", "--settle-after", "1", *options]

    @property
    def environment(self) -> dict[str, str]:
        return {"MARKETINGBLOCKS_API_TOKEN": self.token, "MARKETINGBLOCKS_BASE_URL": self.sandbox.base_url}

    async def start(self, command: str, *options: str, by: tuple[str, ...] = _CLI) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, *by, *self.arguments(command, *options), env={**os.environ, **self.environment},
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def end(self, process: asyncio.subprocess.Process) -> Ended:
        output, errors = await process.communicate()
        assert b"Traceback" not in errors, errors.decode()
        return Ended(process.returncode or 0, json.loads(output), errors.decode())

    async def go(self, command: str, *options: str, by: tuple[str, ...] = _CLI) -> Ended:
        return await self.end(await self.start(command, *options, by=by))

    async def judge(self) -> None:
        requests = [request_of(row) for row in self.rows]
        found = audit([self.journal], requests, await self.sandbox.posts(), policy="report")
        assert not found.violations


@asynccontextmanager
async def a_sandbox(**options: Any) -> AsyncGenerator[SandboxProcess]:
    settings: dict[str, Any] = {"limit": 1_000_000, "variants": {"extra_fields": True}, **options}
    async with SandboxProcess(**settings) as sandbox:
        yield sandbox


async def test_a_token_that_expires_stops_the_run_and_fails_no_row(tmp_path: Path) -> None:
    async with a_sandbox() as sandbox:
        run = Run(tmp_path, sandbox, 40, await sandbox.add_token("short", expires_after_requests=15))
        ended = await run.go("run", "--rate", "0", "--concurrency", "4")
        assert ended.code == 1
        assert ended.told["ending"] == "stopped"
        assert "resume" in ended.told["reason"]
        assert "token" in ended.told["reason"]
        assert ended.told["failed"] == ended.told["unknown"] == 0
        assert 0 < ended.told["pending"] < 40
        await run.judge()
        run.token = sandbox.token
        assert (await run.go("resume", "--rate", "0", "--accept-new-token")).told["done"] == 40
        await run.judge()


async def test_a_missing_permission_stops_the_run_and_fails_no_row(tmp_path: Path) -> None:
    async with a_sandbox() as sandbox:
        run = Run(tmp_path, sandbox, 40, await sandbox.add_token("reader", permissions=["social-read-posts"]))
        ended = await run.go("run", "--rate", "0")
        assert ended.code == 2
        assert (ended.told["pending"], ended.told["ending"]) == (40, "stopped")
        assert "social-create-post" in ended.told["reason"]
        assert await sandbox.posts() == []


@pytest.mark.slow
async def test_a_server_that_dies_and_comes_back_with_nothing(tmp_path: Path) -> None:
    port = free_port()
    async with a_sandbox(port=port, latency=0.2) as sandbox:
        run = Run(tmp_path, sandbox, 60)
        process = await run.start("run", "--rate", "0", "--concurrency", "25")
        while not await sandbox.posts():  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.01)
        os.kill(sandbox.pid, signal.SIGKILL)
        await sandbox.close()
        lost = await run.end(process)
    assert lost.code in (2, 3)
    assert lost.told["done"] + lost.told["unknown"] + lost.told["pending"] == 60
    assert lost.told["failed"] == 0
    assert lost.told["pending"] > 0
    assert "resume" in lost.told["reason"]
    async with a_sandbox(port=port) as sandbox:
        run.sandbox = sandbox
        ended = await run.go("resume", "--rate", "0")
        assert ended.told["pending"] == ended.told["failed"] == 0
        assert len(await sandbox.posts()) == lost.told["pending"]


async def test_processes_that_race_for_one_journal_send_every_row_once(tmp_path: Path) -> None:
    async with a_sandbox() as sandbox:
        run = Run(tmp_path, sandbox, 40)
        racing = [await run.start("run", "--rate", "0", "--concurrency", "1") for _ in range(2)]
        endings = await asyncio.gather(*map(run.end, racing))
        assert {ended.code for ended in endings} <= {0, 1}
        racing = [await run.start("resume", "--rate", "0", "--concurrency", "1") for _ in range(2)]
        endings += await asyncio.gather(*map(run.end, racing))
        losers = {ended.told["error"]["type"] for ended in endings if ended.code}
        assert losers <= {"JournalInUseError", "JournalExistsError"}
        with JournalReader(run.journal) as reader:
            assert reader.counts().done == 40
        await run.judge()


@pytest.mark.slow
async def test_permits_that_age_while_the_process_is_stopped_break_no_limit(tmp_path: Path) -> None:
    async with a_sandbox(limit=100, policy="sliding_log_strict") as sandbox, LimitWatch(sandbox) as watch:
        run = Run(tmp_path, sandbox, 250)
        process = await run.start("run")
        while len(await sandbox.arrivals()) < 20:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.01)
        for pause in (0.1, 0.9, 1.1, 0.3, 0.5):
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(pause)
            process.send_signal(signal.SIGCONT)
            await asyncio.sleep(pause / 3)
        ended = await run.end(process)
        assert ended.told["done"] == 250
        assert (await watch.verdict("default"))[1] is None
        await run.judge()


@pytest.mark.slow
async def test_the_limit_holds_across_a_kill_and_an_instant_resume(tmp_path: Path) -> None:
    async with a_sandbox(limit=100, policy="sliding_log_strict") as sandbox, LimitWatch(sandbox) as watch:
        run = Run(tmp_path, sandbox, 200)
        process = await run.start("run")
        while len(await sandbox.arrivals()) < 90:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.005)
        process.kill()
        await process.wait()
        ended = await run.go("resume")
        assert ended.told["pending"] == ended.told["failed"] == 0
        assert (await watch.verdict("default"))[1] is None
        await run.judge()


async def test_rows_that_prove_absent_at_the_end_are_sent_by_the_same_run(tmp_path: Path) -> None:
    async with a_sandbox() as sandbox:
        run = Run(tmp_path, sandbox, 40)
        await sandbox.add_fault("drop_before:endpoint=create-post,times=2,after=15")
        ended = await run.go("run", "--rate", "0", "--concurrency", "1", "--settle-after", "0")
        assert ended.told["reconciliation"]["absent"] == 2
        assert ended.told["done"] == 40
        await run.judge()


async def test_a_disk_that_fills_up_stops_the_run_and_a_resume_ends_it(tmp_path: Path) -> None:
    async with a_sandbox() as sandbox:
        run = Run(tmp_path, sandbox, 60)
        ended = await run.go("run", "--rate", "0", "--concurrency", "1", by=_SMALL_FILES)
        assert ended.code == 1
        assert ended.told["error"]["type"] == "JournalError"
        assert "cannot write" in ended.told["error"]["message"]
        assert f"then go on: marketingblocks bulk resume {run.journal}" in ended.told["error"]["message"]
        await run.judge()
        sent = len(await sandbox.posts())
        assert 0 < sent < 60
        last = await run.go("resume", "--rate", "0")
        assert last.told["pending"] == last.told["failed"] == 0
        await run.judge()


@pytest.mark.parametrize(
    ("ended", "waits"),
    [(None, True), (-3600.0, False), (3600.0, True)],
    ids=["killed, and nobody knows when", "ended long ago", "the clock was set back"],
)
async def test_a_run_waits_until_what_the_one_before_asked_counts_no_more(
    tmp_path: Path, ended: float | None, waits: bool
) -> None:
    path = tmp_path / "run.journal"
    builder = JournalBuilder(path)
    builder.add(1, "1", "hash", "{}")
    builder.finish({})
    builder.release()
    # Hours away from the session's times, so the seconds that the test takes do not matter.
    now = time.time()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        line = (mark(1, 2, None), now - 7200)
        connection.execute("INSERT INTO states (number, state, mark, ended_at) VALUES (1, 2, ?, ?)", line)
        session = (now - 7200, None if ended is None else now + ended)
        connection.execute("INSERT INTO sessions (id, began_at, ended_at) VALUES (1, ?, ?)", session)
    # There is nothing to send, so nobody is asked.
    client = MarketingBlocks(f"token-of-{ended}", base_url="http://127.0.0.1:9/api/v1")
    async with client, Journal(path) as journal:
        await BulkRun(client, journal).run()
        assert (client.rate_limiter.snapshot().paused_for > 0) == waits
