"""Runs over a journal against a sandbox on a real socket: what is sent, what is not, and how a run ends."""

from __future__ import annotations

import asyncio
import itertools
import math
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async import AttemptEvent, ConfigurationError, CreatePost, MarketingBlocks, OutcomeEvent, RateLimit
from marketingblocks_async.bulk import (
    BulkProgress,
    BulkResult,
    BulkRun,
    Counts,
    Ending,
    Journal,
    JournalError,
    JournalInUseError,
    JournalReader,
    OtherTokenError,
    RowState,
    UnconfirmedRowsError,
    create_journal,
)
from marketingblocks_async.bulk.run import runner
from marketingblocks_async.bulk.run.breaker import FIRST_ROWS
from marketingblocks_async.bulk.run.reconcile import LISTING_DEADLINE, settling_time
from marketingblocks_async.bulk.run.signs import OUTAGE_AFTER
from marketingblocks_async.sandbox import Sandbox
from tests.support.clients import client_of

pytestmark = pytest.mark.usefixtures("own_limiters")


def posts(count: int, **changes: Any) -> list[CreatePost]:
    fields: dict[str, Any] = {"channel_type": "facebook", "channel_id": 1, "post_type": "post", "media_urls": [],
                              "publish_mode": "now"}  # fmt: skip
    return [CreatePost(caption_text=f"Row {number}", **(fields | changes)) for number in range(1, count + 1)]


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A journal of ten rows."""
    await create_journal(posts(10), tmp_path / "run.journal")
    return tmp_path / "run.journal"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox that shows texts in its listings, as reconciliation needs."""
    async with Sandbox(variants={"extra_fields": True}) as started:
        yield started


async def run(sandbox: Sandbox, path: Path, client: dict[str, Any] | None = None, **options: Any) -> BulkResult:
    given: dict[str, Any] = {"settle_after": 0.0} | options
    async with client_of(sandbox, **(client or {})) as made, Journal(path) as journal:
        return await BulkRun(made, journal, **given).run()


def created(sandbox: Sandbox) -> list[str]:
    return sorted(commit.request["caption_text"] for commit in sandbox.ledger.commits)


ALL = sorted(each.caption_text or "" for each in posts(10))


async def test_every_row_is_sent_once(sandbox: Sandbox, path: Path) -> None:
    result = await run(sandbox, path)
    assert result.counts == Counts(total=10, done=10, failed=0, pending=0, unknown=0)
    assert (result.ending, result.reason, result.sent) == (Ending.COMPLETE, None, 10)
    assert sandbox.ledger.compare(posts(10)).exact
    with JournalReader(path) as journal:
        ids = {row.post_id for row in journal.rows()}
        assert ids == {commit.id for commit in sandbox.ledger.commits}
        assert all(row.attempts == 1 for row in journal.rows())
    again = await run(sandbox, path)
    assert (again.sent, again.counts.done) == (0, 10)
    assert len(sandbox.ledger.commits) == 10


async def test_a_run_opens_a_journal_that_is_not_open(sandbox: Sandbox, path: Path) -> None:
    journal = Journal(path)
    async with client_of(sandbox) as client:
        assert (await BulkRun(client, journal).run()).counts.done == 10
        await journal.aclose()
        with pytest.raises(JournalError):
            await BulkRun(client, journal).run()


STATES = {
    # The outcome is known, and the row is done, failed, or tried again in the same run.
    "slow": RowState.DONE,
    "slow_answer": RowState.DONE,
    "drip": RowState.DONE,
    "post_fails": RowState.DONE,
    "too_many_requests": RowState.DONE,
    "error_503_retry_after": RowState.DONE,
    "not_found": RowState.FAILED,
    "bad_request": RowState.FAILED,
    "unprocessable": RowState.FAILED,
    # It was carried out and there is no answer: found in the listing.
    "commit_then_drop": RowState.DONE,
    "commit_then_500": RowState.DONE,
    "truncated_json": RowState.DONE,
    "broken_json": RowState.DONE,
    "empty_body": RowState.DONE,
    "wrong_shape": RowState.DONE,
    "reset:commit=true": RowState.DONE,
    "html_502:commit=true": RowState.DONE,
}
PARAMETERS = {"slow": "delay=0.02", "slow_answer": "delay=0.02", "drip": "interval=0.0001",
              "too_many_requests": "retry_after=0.01", "error_503_retry_after": "retry_after=0.01"}  # fmt: skip


@pytest.mark.parametrize("kind", STATES)
async def test_what_becomes_of_a_row_that_meets_a_fault(sandbox: Sandbox, path: Path, kind: str) -> None:
    name, _, given = kind.partition(":")
    parameters = ",".join(filter(None, [given, PARAMETERS.get(name), "endpoint=create-post,after=4,times=1"]))
    sandbox.faults.add(f"{name}:{parameters}")
    result = await run(sandbox, path, concurrency=1)
    failed = STATES[kind] is RowState.FAILED
    assert result.counts == Counts(10, 9 if failed else 10, int(failed), 0, 0), result
    assert not sandbox.ledger.duplicates()
    with JournalReader(path) as journal:
        [row] = [each for each in journal.rows() if each.number == 5]
        assert row.state is STATES[kind]
        assert (row.error is None) == (not failed)
    assert created(sandbox) == [text for text in ALL if not failed or text != "Row 5"]


@pytest.mark.parametrize("fault", ["drop_before", "reset", "error_500", "html_502", "error_503"])
async def test_a_row_that_was_not_carried_out_is_proved_absent_and_sent(
    sandbox: Sandbox, path: Path, fault: str
) -> None:
    sandbox.faults.add(f"{fault}:endpoint=create-post,after=4,times=1")
    result = await run(sandbox, path, concurrency=1)
    assert result.counts.done == 10, result
    assert created(sandbox) == ALL
    assert not sandbox.ledger.duplicates()


@pytest.mark.parametrize("fault", ["drop_before", "too_many_requests"])
async def test_a_row_that_is_sent_again_counts_once(sandbox: Sandbox, path: Path, fault: str) -> None:
    sandbox.faults.add(f"{fault}:endpoint=create-post,after=4,times=1")
    result = await run(sandbox, path, {"max_retries": 0}, concurrency=1)
    assert sandbox.ledger.attempts("create-post") == 11
    assert (result.counts.done, result.sent) == (10, 10)


async def test_without_evidence_a_row_stays_unknown(path: Path) -> None:
    async with Sandbox() as sandbox:  # whose listings show no texts
        sandbox.faults.add("commit_then_drop:endpoint=create-post,after=2,times=1")
        sandbox.faults.add("drop_before:endpoint=create-post,after=5,times=1")
        result = await run(sandbox, path, concurrency=1)
        assert (result.counts.done, result.counts.unknown) == (8, 2)
        assert result.reconciliation.undecided == 2
        again = await run(sandbox, path)
        assert (again.counts.unknown, again.sent) == (2, 0)
        assert len(sandbox.ledger.commits) == 9


async def test_unknown_rows_wait_until_they_have_settled(sandbox: Sandbox, path: Path) -> None:
    sandbox.faults.add("drop_before:endpoint=create-post,after=4,times=1")
    result = await run(sandbox, path, concurrency=1, settle_after=3600.0)
    assert result.counts.unknown == 1
    assert result.reconciliation.undecided_until is not None
    assert (await run(sandbox, path)).counts.done == 10
    assert created(sandbox) == ALL


async def test_a_clock_that_is_set_forward_settles_no_row(
    sandbox: Sandbox, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server may still carry it out: no time has passed."""
    sandbox.faults.add("drop_before:endpoint=create-post,after=4,times=1")
    calendar = time.time

    def set_forward(event: AttemptEvent) -> None:
        if event.failure is not None:
            monkeypatch.setattr(time, "time", lambda: calendar() + 7200)

    result = await run(sandbox, path, {"on_attempt": set_forward}, concurrency=1, settle_after=3600.0)
    assert time.time is not calendar
    assert (result.counts.unknown, result.reconciliation.absent) == (1, 0)


@pytest.mark.parametrize(
    ("policy", "counts", "sent"), [("report", (8, 0, 2), 0), ("resend", (10, 0, 0), 2), ("skip", (8, 2, 0), 0)]
)
async def test_what_to_do_with_unknown_rows(path: Path, policy: str, counts: tuple[int, int, int], sent: int) -> None:
    async with Sandbox(faults=["drop_before:endpoint=create-post,after=3,times=2"]) as sandbox:
        assert (await run(sandbox, path)).counts.unknown == 2
        result = await run(sandbox, path, unknown=policy)
        assert (result.counts.done, result.counts.failed, result.counts.unknown) == counts
        assert (result.sent, len(sandbox.ledger.commits)) == (sent, 8 + sent)
        if policy == "skip":
            with JournalReader(path) as journal:
                assert all("skipped" in (row.error or "") for row in journal.rows([RowState.FAILED]))


async def test_skipping_looks_nothing_up(sandbox: Sandbox, path: Path) -> None:
    sandbox.faults.add("drop_before:endpoint=create-post,times=1")
    await run(sandbox, path, unknown="skip")
    before = sandbox.ledger.attempts("get-posts")
    result = await run(sandbox, path, unknown="skip")
    assert result.counts.failed == 1
    assert sandbox.ledger.attempts("get-posts") <= before + 2  # the look before anything is sent, Threads alone


async def test_a_row_that_was_left_out_without_being_known_may_have_been_sent(sandbox: Sandbox, path: Path) -> None:
    sandbox.faults.add("commit_then_drop:endpoint=create-post,times=1")
    sandbox.faults.add("forbidden:endpoint=get-posts,after=2")
    assert (await run(sandbox, path)).counts.unknown == 1
    await run(sandbox, path, unknown="skip")
    with JournalReader(path) as journal:
        (skipped,) = journal.rows([RowState.FAILED])
    rows = [CreatePost.model_validate_json(skipped.request)]
    with pytest.raises(UnconfirmedRowsError, match=r"pending in another run \(row 1 by the run of"):
        await create_journal(rows, path.with_name("failed.journal"), allow_duplicates=False, base_url=sandbox.base_url)
    assert len(sandbox.ledger.commits) == 10


@pytest.mark.parametrize(("settle_after", "expected"), [(None, 400), (100.0, 100)])
async def test_a_row_settles_by_the_timeout_of_the_client_that_sent_it(
    sandbox: Sandbox, path: Path, settle_after: float | None, expected: float
) -> None:
    sandbox.faults.add("drop_before:endpoint=create-post,after=3,times=1")
    await run(sandbox, path, {"timeout": 200.0}, settle_after=None)
    result = await run(sandbox, path, {"timeout": 1.0}, settle_after=settle_after)
    with JournalReader(path) as journal:
        (row,) = journal.rows([RowState.UNKNOWN])
    assert row.sent_at is not None
    assert result.reconciliation.undecided_until == pytest.approx(row.sent_at + expected)


async def test_two_runs_at_once_with_one_journal_are_refused(sandbox: Sandbox, path: Path) -> None:
    sandbox.faults.add("slow_answer:endpoint=create-post,delay=0.1")
    async with client_of(sandbox) as client, Journal(path) as journal:
        first = asyncio.create_task(BulkRun(client, journal).run())
        await until(lambda: bool(sandbox.ledger.commits))
        with pytest.raises(JournalInUseError, match="is going on; wait for its end"):
            await BulkRun(client, journal).run()
        assert (await first).ending is Ending.COMPLETE
        # And again when it has ended.
        assert (await BulkRun(client, journal).run()).sent == 0
    assert len(sandbox.ledger.commits) == 10


LEAVES = """
import asyncio, sys
from marketingblocks_async import MarketingBlocks
from marketingblocks_async.bulk import BulkRun, Journal
from marketingblocks_async.sandbox import Sandbox

def leave(event):
    if event.endpoint == "create-post":
        sys.exit(3)

async def main():
    async with (
        Sandbox() as sandbox,
        MarketingBlocks(sandbox.token, base_url=sandbox.base_url, on_outcome=leave) as client,
        Journal(sys.argv[1]) as journal,
    ):
        await BulkRun(client, journal).run()

asyncio.run(main())
"""


async def test_a_program_that_ends_when_a_post_has_succeeded_does_not_count_it_as_not_sent(tmp_path: Path) -> None:
    """A signal handler that calls sys.exit() may run in that instant, too."""
    path = tmp_path / "run.journal"
    await create_journal(posts(1), path)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LEAVES, str(path), stderr=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 3
    with JournalReader(path) as journal:
        assert journal.counts().pending == 0


@pytest.mark.parametrize("fault", ["unauthorized", "expire_token"])
async def test_a_refused_token_stops_at_once_and_fails_no_row(sandbox: Sandbox, path: Path, fault: str) -> None:
    sandbox.faults.add(f"{fault}:endpoint=create-post,after=3")
    result = await run(sandbox, path, concurrency=2)
    assert result.ending is Ending.STOPPED
    assert result.reason is not None
    assert "resume the run when the token is right" in result.reason
    assert (result.counts.done, result.counts.failed, result.counts.unknown) == (3, 0, 0)
    assert sandbox.ledger.attempts("create-post") <= 6
    sandbox.faults.clear()
    token = sandbox.add_token("renewed")
    assert (await run(sandbox, path, {"token": token}, accept_new_token=True)).counts.done == 10
    assert created(sandbox) == ALL


async def test_a_permission_that_is_withdrawn_stops_it_soon_and_fails_no_row(sandbox: Sandbox, path: Path) -> None:
    sandbox.faults.add("forbidden:endpoint=create-post,after=3")
    result = await run(sandbox, path, concurrency=1)
    assert result.ending is Ending.STOPPED
    assert result.reason is not None
    assert "lacks the permission 'social-create-post'" in result.reason
    assert "None of them was marked as failed" in result.reason
    assert (result.counts.done, result.counts.pending) == (3, 7)
    assert sandbox.ledger.attempts("create-post") == 3 + OUTAGE_AFTER
    sandbox.faults.clear()
    assert (await run(sandbox, path)).counts.done == 10
    assert created(sandbox) == ALL


async def scheduled_journal(path: Path, planned: datetime) -> Path:
    """Make a journal of three rows for 10 o'clock on the first day of 2020, and of two that are not scheduled."""
    at_ten = {"publish_mode": "scheduled", "schedule_time": "2020-01-01 10:00", "time_zone": "UTC"}
    await create_journal([*posts(2), *posts(3, **at_ten)], path, now=planned)
    return path


async def test_rows_whose_time_has_passed_since_the_plan_are_not_sent_without_a_word(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    path = await scheduled_journal(tmp_path / "run.journal", datetime(2019, 12, 31, tzinfo=UTC))
    with pytest.raises(UnconfirmedRowsError, match=r"nothing was sent: 3 rows have a .* passed .*\(rows 3, \.\.\.\)"):
        await run(sandbox, path, allow_past=False)
    assert created(sandbox) == []
    with JournalReader(path) as journal:
        assert journal.sessions()[0][2] == "stopped"
    told: list[str] = []
    result = await run(sandbox, path, on_remark=told.append)
    assert result.counts.done == 5
    (remark,) = told
    assert remark.startswith("3 rows have a schedule time that has passed since the run was planned")
    assert (await run(sandbox, path, allow_past=False)).sent == 0


async def test_rows_that_were_past_when_they_were_planned_were_allowed_then(sandbox: Sandbox, tmp_path: Path) -> None:
    path = await scheduled_journal(tmp_path / "run.journal", datetime(2020, 1, 1, 10, 1, tzinfo=UTC))
    assert (await run(sandbox, path, allow_past=False)).counts.done == 5


async def test_an_unknown_row_that_is_absent_is_not_sent_late_without_a_word(sandbox: Sandbox, tmp_path: Path) -> None:
    path = await scheduled_journal(tmp_path / "run.journal", datetime(2019, 12, 31, tzinfo=UTC))
    async with Journal(path) as journal:
        await journal.begin_session()
        for number in (1, 2, 3, 4):
            await journal.intend(number)
        for number in (1, 2):
            journal.end(number, RowState.DONE)
        journal.end(5, RowState.FAILED)
    with pytest.raises(UnconfirmedRowsError, match="2 rows have a schedule time that has passed"):
        await run(sandbox, path, unknown="resend", allow_past=False)
    assert created(sandbox) == []


@pytest.mark.parametrize("policy", ["resend", "skip"])
async def test_a_run_that_is_refused_leaves_unknown_rows_unknown(sandbox: Sandbox, tmp_path: Path, policy: str) -> None:
    path = await scheduled_journal(tmp_path / "run.journal", datetime(2019, 12, 31, tzinfo=UTC))
    async with Journal(path) as journal:
        await journal.begin_session()
        await journal.intend(1)
    with pytest.raises(UnconfirmedRowsError, match="3 rows have a schedule time that has passed"):
        await run(sandbox, path, unknown=policy, allow_past=False, settle_after=3600.0)
    with JournalReader(path) as reader:
        assert [row.number for row in reader.rows([RowState.UNKNOWN])] == [1]
        assert reader.counts().pending == 4
    result = await run(sandbox, path, settle_after=3600.0)
    assert (result.counts.done, result.counts.unknown) == (4, 1)
    assert len(created(sandbox)) == 4


@pytest.mark.parametrize(("policy", "late"), [("resend", True), ("report", False), ("skip", False)])
async def test_the_time_of_an_unknown_row_counts_if_it_would_be_sent(
    sandbox: Sandbox, tmp_path: Path, policy: str, *, late: bool
) -> None:
    path = await scheduled_journal(tmp_path / "run.journal", datetime(2019, 12, 31, tzinfo=UTC))
    async with Journal(path) as journal:
        await journal.begin_session()
        await journal.intend(3)
        for number in (4, 5):
            await journal.intend(number)
            journal.end(number, RowState.DONE)
    options: dict[str, Any] = {"unknown": policy, "allow_past": False, "settle_after": 3600.0}
    if late:
        with pytest.raises(UnconfirmedRowsError, match=r"1 row has a schedule time .* \(row 3\)"):
            await run(sandbox, path, **options)
        assert created(sandbox) == []
    else:
        assert (await run(sandbox, path, **options)).counts.done == 4


@pytest.mark.parametrize(
    ("faults", "late"),
    [([], 2), (["too_many_requests:endpoint=create-post,times=5,retry_after=0"], 3)],
    ids=["before its turn", "before its next attempt"],
)
async def test_a_row_is_not_sent_once_its_time_has_passed_and_the_others_are(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: list[str], late: int
) -> None:
    ten = datetime(2020, 1, 1, 10, tzinfo=UTC)
    path, before, after = tmp_path / "run.journal", ten - timedelta(minutes=30), ten + timedelta(minutes=1)
    at_ten = {"publish_mode": "scheduled", "schedule_time": "2020-01-01 10:00", "time_zone": "UTC"}
    await create_journal([*posts(3, **at_ten), *posts(2)], path, now=ten - timedelta(hours=1))
    monkeypatch.setattr(runner, "datetime", Clock(lambda: after if sandbox.ledger.attempts("create-post") else before))
    for fault in faults:
        sandbox.faults.add(fault)
    result = await run(sandbox, path, concurrency=5 if faults else 1, allow_past=False)
    assert result.ending is Ending.INCOMPLETE
    assert result.reason is not None
    assert f"{late} rows have a schedule time that has passed since the run was planned" in result.reason
    assert "they were not sent; allow them (allow_past)" in result.reason
    assert (result.counts.done, result.counts.pending) == (5 - late, late)
    assert len(created(sandbox)) == 5 - late
    assert (await run(sandbox, path)).counts.done == 5
    assert len(created(sandbox)) == 5


async def test_an_absent_row_is_not_sent_again_once_its_time_has_passed(
    sandbox: Sandbox, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def has_passed(_journal: Journal, request: str, _now: datetime) -> bool:
        return '"Row 5"' in request and sandbox.ledger.attempts("create-post") >= 5

    monkeypatch.setattr(Journal, "has_passed", has_passed)
    sandbox.faults.add("drop_before:endpoint=create-post,after=4,times=1")
    result = await run(sandbox, path, concurrency=1, allow_past=False)
    assert (result.ending, result.counts.pending, result.reconciliation.absent) == (Ending.INCOMPLETE, 1, 1)
    assert (await run(sandbox, path)).counts.done == 10
    assert created(sandbox) == ALL


async def test_a_row_whose_time_passes_is_sent_if_that_is_allowed(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await scheduled_journal(tmp_path / "run.journal", datetime(2019, 12, 31, tzinfo=UTC))
    clock = Clock(lambda: datetime(2020, 1, 1, 10, int(bool(sandbox.ledger.commits)), tzinfo=UTC))
    monkeypatch.setattr(runner, "datetime", clock)
    result = await run(sandbox, path, concurrency=1)
    assert (result.ending, result.counts.done) == (Ending.COMPLETE, 5)


class Clock:
    """A run's clock."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def now(self, _zone: tzinfo) -> datetime:
        return self._now()


async def test_a_token_that_may_not_read_is_told_once_at_the_start(
    sandbox: Sandbox, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token, told = sandbox.add_token("writer", permissions=["social-create-post"]), list[str]()
    result = await run(sandbox, path, {"token": token}, on_remark=told.append)
    assert result.counts.done == 10
    (remark,) = told
    assert remark.startswith("a row of unknown outcome cannot be looked for, and would stay unknown")
    assert "social-read-posts" in remark
    assert remark in caplog.text


async def test_a_missing_permission_is_named(sandbox: Sandbox, path: Path) -> None:
    token = sandbox.add_token("reader", permissions=["social-read-posts"])
    result = await run(sandbox, path, {"token": token})
    assert result.reason is not None
    assert "social-create-post" in result.reason
    assert result.counts.pending == 10


async def test_max_failures(sandbox: Sandbox, path: Path) -> None:
    sandbox.faults.add("unprocessable:endpoint=create-post,after=2")
    result = await run(sandbox, path, concurrency=1, max_failures=3)
    assert (result.ending, result.counts.done) == (Ending.STOPPED, 2)
    assert 3 <= result.counts.failed <= 4
    assert result.reason == f"{result.counts.failed} rows failed, which is as many as were allowed"
    sandbox.faults.clear()
    assert (await run(sandbox, path)).counts.pending == 0


async def test_an_unreachable_server_stops_it(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{nobody.getsockname()[1]}/api/v1"
        path = tmp_path / "j"
        await create_journal(posts(200), path)
        async with Sandbox() as sandbox:
            result = await run(sandbox, path, {"base_url": base_url}, concurrency=5)
    assert result.ending is Ending.STOPPED
    assert result.reason is not None
    assert "The API seems to be down" in result.reason
    assert result.counts == Counts(200, 0, 0, 200, 0)
    assert OUTAGE_AFTER <= result.sent <= FIRST_ROWS


async def test_a_few_rows_that_could_not_be_sent_say_why(tmp_path: Path) -> None:
    await create_journal(posts(3), tmp_path / "j")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{nobody.getsockname()[1]}/api/v1"
        async with Sandbox() as sandbox:
            result = await run(sandbox, tmp_path / "j", {"base_url": base_url})
    assert (result.ending, result.counts.pending) == (Ending.INCOMPLETE, 3)
    assert result.reason is not None
    assert "Cannot connect" in result.reason


async def test_rows_that_were_put_off_are_tried_again_in_the_same_run(sandbox: Sandbox, path: Path) -> None:
    # More refusals than one call tries again after.
    sandbox.faults.add("too_many_requests:endpoint=create-post,after=3,times=8,retry_after=0")
    result = await run(sandbox, path, concurrency=1)
    assert result.counts.done == 10
    assert created(sandbox) == ALL


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that will happen."""
    while not condition():  # noqa: ASYNC110 - what is waited for knows no events
        await asyncio.sleep(0)


async def started(sandbox: Sandbox, count: int) -> None:
    """Wait until so many posts were created."""
    await until(lambda: len(sandbox.ledger.commits) >= count)


async def test_stop_finishes_what_is_in_flight(sandbox: Sandbox, path: Path) -> None:
    sandbox.faults.add("slow_answer:endpoint=create-post,after=3,delay=0.2")
    async with client_of(sandbox) as client, Journal(path) as journal:
        bulk = BulkRun(client, journal, concurrency=2)
        task = asyncio.create_task(bulk.run())
        await started(sandbox, 4)
        bulk.stop()
        bulk.stop()  # once more does nothing
        result = await task
    assert (result.ending, result.counts.unknown, result.counts.failed) == (Ending.INTERRUPTED, 0, 0)
    assert result.counts.done == len(sandbox.ledger.commits) < 10
    with JournalReader(path) as reader:
        assert reader.sessions()[-1][2] == "interrupted"
    assert (await run(sandbox, path)).counts.done == 10
    assert created(sandbox) == ALL


async def test_abort_leaves_what_is_in_flight_unknown(sandbox: Sandbox, path: Path) -> None:
    sandbox.faults.add("commit_then_stall:endpoint=create-post,after=3")
    async with client_of(sandbox) as client, Journal(path) as journal:
        bulk = BulkRun(client, journal, concurrency=2)
        task = asyncio.create_task(bulk.run())
        await started(sandbox, 5)
        bulk.abort()
        result = await task
    assert (result.ending, result.counts.unknown, result.counts.done) == (Ending.ABORTED, 2, 3)
    sandbox.faults.clear()
    assert (await run(sandbox, path)).counts.done == 10
    assert created(sandbox) == ALL
    assert not sandbox.ledger.duplicates()


async def test_cancelling_the_run_is_an_abort(sandbox: Sandbox, path: Path) -> None:
    sandbox.faults.add("commit_then_stall:endpoint=create-post,after=3")
    async with client_of(sandbox) as client, Journal(path) as journal:
        task = asyncio.create_task(BulkRun(client, journal, concurrency=2).run())
        await started(sandbox, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    with JournalReader(path) as reader:
        assert reader.counts() == Counts(10, 3, 0, 5, 2)
        assert reader.sessions()[-1][2] == "aborted"
        assert not reader.is_running()


async def test_stop_before_the_run(sandbox: Sandbox, path: Path) -> None:
    for name, ending in (("stop", Ending.INTERRUPTED), ("abort", Ending.ABORTED)):
        async with client_of(sandbox) as client, Journal(path) as journal:
            bulk = BulkRun(client, journal)
            getattr(bulk, name)()
            result = await bulk.run()
        assert (result.ending, result.sent) == (ending, 0)
    assert sandbox.ledger.attempts() == 0


async def test_stop_does_not_wait_for_a_pause(sandbox: Sandbox, path: Path) -> None:
    seen: list[BulkProgress] = []
    async with client_of(sandbox, rate_limit=RateLimit()) as client, Journal(path) as journal:
        client.rate_limiter.pause(60.0)
        bulk = BulkRun(client, journal, on_progress=seen.append, progress_every=0.01)
        task = asyncio.create_task(bulk.run())
        await until(lambda: bool(seen) and seen[-1].paused_for > 30)
        bulk.stop()
        result = await asyncio.wait_for(task, 20)
    assert (result.ending, result.sent) == (Ending.INTERRUPTED, 0)
    assert sandbox.ledger.attempts() == 0


async def test_progress(sandbox: Sandbox, path: Path) -> None:
    seen: list[BulkProgress] = []
    sandbox.faults.add("unprocessable:endpoint=create-post,times=1")
    sandbox.faults.add("slow_answer:endpoint=create-post,after=5,times=1,delay=0.3")
    await run(sandbox, path, on_progress=seen.append, progress_every=0.01, client={"rate_limit": RateLimit()})
    assert seen[-1].counts == Counts(10, 9, 1, 0, 0)
    assert (seen[-1].in_flight, seen[-1].queued) == (0, 0)
    assert any(each.in_flight for each in seen)
    for before, after in itertools.pairwise(seen):
        assert before.counts.done <= after.counts.done
        assert before.seconds <= after.seconds
    for each in seen:
        counts = each.counts
        assert counts.total == counts.done + counts.failed + counts.pending + counts.unknown == 10
        assert each.cap == pytest.approx(100, rel=0.01)
        assert each.paused_for == 0
        assert (each.eta is None) == (each.rate == 0)
        assert each.rate >= 0


async def test_an_exception_in_a_callback_is_logged_and_takes_no_result_away(
    sandbox: Sandbox, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[object] = []

    def fail(news: object) -> None:
        seen.append(news)
        message = "the window is closed"
        raise ValueError(message)

    sandbox.faults.add("slow_answer:endpoint=create-post,times=1,delay=0.3")
    result = await run(sandbox, path, on_progress=fail, progress_every=0.01)
    assert result.counts.done == 10
    assert len(seen) > 1
    assert "on_progress failed on BulkProgress" in caplog.text
    past = await scheduled_journal(path.with_name("past.journal"), datetime(2019, 12, 31, tzinfo=UTC))
    assert (await run(sandbox, past, on_remark=fail)).counts.done == 5
    assert "on_remark failed on str" in caplog.text


async def test_with_the_limit_lifted_there_is_no_cap(sandbox: Sandbox, path: Path) -> None:
    seen: list[BulkProgress] = []
    await run(sandbox, path, on_progress=seen.append)
    assert seen[-1].cap is None


async def test_the_limit_is_kept(tmp_path: Path) -> None:
    await create_journal(posts(150), tmp_path / "j")
    async with Sandbox() as sandbox:
        # By answers only, so that nothing depends on how quick this machine is.
        result = await run(sandbox, tmp_path / "j", {"rate_limit": RateLimit(guard=math.inf)})
        assert result.counts.done == 150
        assert sandbox.ledger.worst_window() <= 100
        assert sandbox.ledger.too_many_requests() == 0


async def test_another_api_is_refused(sandbox: Sandbox, path: Path) -> None:
    await run(sandbox, path, max_failures=1)
    async with MarketingBlocks("some-token") as client, Journal(path) as journal:
        with pytest.raises(JournalError, match=r"is of a run at http://127\.0\.0\.1"):
            await BulkRun(client, journal).run()
        assert journal.counts().done == 10


async def test_any_token_will_do_while_nothing_can_have_been_published(sandbox: Sandbox, path: Path) -> None:
    assert (await run(sandbox, path, {"token": "a-wrong-one"})).counts.pending == 10
    assert (await run(sandbox, path)).counts.done == 10


async def test_another_token_goes_on_where_the_first_was_if_it_is_accepted(sandbox: Sandbox, path: Path) -> None:
    first = sandbox.add_token("first", expires_after_requests=6)
    result = await run(sandbox, path, {"token": first}, concurrency=1)
    assert 0 < result.counts.done < 10
    assert result.counts.failed == 0
    second = sandbox.add_token("second")
    with pytest.raises(OtherTokenError, match="accept_new_token"):
        await run(sandbox, path, {"token": second})
    assert 0 < len(created(sandbox)) < 10
    result = await run(sandbox, path, {"token": second}, accept_new_token=True)
    assert result.counts.done == 10
    assert created(sandbox) == ALL


@pytest.mark.parametrize(
    "options",
    [
        {"max_failures": 0},
        {"settle_after": -1.0},
        {"settle_after": float("nan")},
        {"settle_after": float("inf")},
        {"unknown": "guess"},
        {"on_outage": "guess"},
    ],
)
async def test_options_that_make_no_sense(sandbox: Sandbox, path: Path, options: dict[str, Any]) -> None:
    [(name, value)] = options.items()
    with pytest.raises(ConfigurationError, match=f"{name}={value!r}: "):
        await run(sandbox, path, **options)
    with pytest.raises(ValueError, match="concurrency"):
        await run(sandbox, path, concurrency=0)
    assert created(sandbox) == []


async def test_invalid_rows_are_never_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    rows: list[Any] = [{"channel_type": "nowhere", "caption_text": "bad"}, *posts(2)]
    await create_journal(rows, tmp_path / "j", skip_invalid=True)
    result = await run(sandbox, tmp_path / "j")
    assert result.counts == Counts(3, 2, 1, 0, 0)
    assert created(sandbox) == ["Row 1", "Row 2"]


async def test_the_result_as_json(sandbox: Sandbox, path: Path) -> None:
    values = (await run(sandbox, path)).to_dict()
    assert list(values) == [
        "total", "done", "failed", "pending", "unknown", "ending", "reason", "seconds", "sent", "reconciliation",
    ]  # fmt: skip
    assert values["reconciliation"]["found"] == 0


async def test_rows_that_a_killed_run_had_in_flight_are_sent_again_by_resend(sandbox: Sandbox, path: Path) -> None:
    async with Journal(path) as journal:
        await journal.begin_session()
        await journal.intend(1)
        await journal.intend(2)
    result = await run(sandbox, path, unknown="resend")
    assert (result.counts.done, result.counts.unknown) == (10, 0)
    assert created(sandbox) == ALL


async def test_rows_that_a_killed_run_had_in_flight_are_looked_for(sandbox: Sandbox, path: Path) -> None:
    async with client_of(sandbox) as client, Journal(path) as journal:
        await journal.begin_session()
        await journal.note_highest_id(0)
        await journal.intend(1)
        await client.posts.create(posts(1)[0])
    result = await run(sandbox, path)
    assert (result.counts.done, result.reconciliation.found) == (10, 1)
    assert created(sandbox) == ALL


async def test_an_outcome_that_came_with_the_abort_is_recorded(sandbox: Sandbox, path: Path) -> None:
    told: list[OutcomeEvent] = []

    def note(event: OutcomeEvent) -> None:
        if event.endpoint == "create-post":
            told.append(event)
            if len(told) == 3:
                # The response is there, and the run has not fetched it yet.
                bulk.abort()

    async with client_of(sandbox, on_outcome=note) as client, Journal(path) as journal:
        bulk = BulkRun(client, journal, concurrency=1)
        result = await bulk.run()
    assert result.ending is Ending.ABORTED
    assert (result.counts.done, result.counts.unknown) == (3, 0)


async def test_a_stop_in_a_pause_waits_for_what_is_in_flight_only(sandbox: Sandbox, path: Path) -> None:
    sandbox.faults.add("slow_answer:endpoint=create-post,delay=0.2")
    async with client_of(sandbox, rate_limit=RateLimit(limit=2, burst=1)) as client, Journal(path) as journal:
        bulk = BulkRun(client, journal, concurrency=10)
        task = asyncio.create_task(bulk.run())
        await started(sandbox, 1)
        client.rate_limiter.pause(600.0)
        bulk.stop()
        # Minutes before the end of the pause.
        result = await asyncio.wait_for(task, 60)
    assert result.ending is Ending.INTERRUPTED
    assert 1 <= result.counts.done == len(sandbox.ledger.commits) < 10
    assert result.counts.unknown == 0


@pytest.mark.usefixtures("fake_time")
async def test_a_run_that_begins_in_a_pause_knows_what_was_listed_before_it(path: Path) -> None:
    async with Sandbox() as sandbox, client_of(sandbox, rate_limit=RateLimit()) as client, Journal(path) as journal:
        # Longer than a listing may wait.
        client.rate_limiter.pause(LISTING_DEADLINE + 1.0, over_limit=False)
        await BulkRun(client, journal).run()
        assert [highest for _, highest in await journal.highest_ids()] == [0]


@pytest.mark.parametrize(
    ("given", "timeout", "seconds"), [(None, 30.0, 60.0), (None, 90.0, 180.0), (None, None, 60.0), (5.0, 90.0, 5.0)]
)
def test_an_unlisted_post_may_come_as_long_as_its_request_may_be_on_its_way(
    given: float | None, timeout: float | None, seconds: float
) -> None:
    client = MarketingBlocks("mb_live_0123456789abcdef", timeout=timeout)
    assert settling_time(client, given) == seconds
