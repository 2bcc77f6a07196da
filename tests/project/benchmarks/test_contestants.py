"""Every contestant does the work for a second, and the server says what came of it."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.arithmetic import refusals
from benchmarks.cases.faults import one_run as faults_run
from benchmarks.cases.limit import one_run as limit_run
from benchmarks.contestants import CONTESTANTS, missing
from benchmarks.worker import Order, WorkerError, work, work_elsewhere
from marketingblocks_async.sandbox import Sandbox

CALLS = 115


@pytest.mark.slow
@pytest.mark.parametrize("name", CONTESTANTS)
async def test_a_contestant_creates_every_post_once(name: str) -> None:
    if absent := missing(name):
        pytest.skip(f"dependency group 'bench' is not installed: {absent}")
    async with Sandbox(policy="none") as sandbox:
        report = await work(Order(name, sandbox.base_url, sandbox.token, CALLS))
        assert report.errors == {}
        assert report.created == len(report.waits) == CALLS
        assert sandbox.ledger.carried_out_at("create-post") == CALLS
        assert not sandbox.ledger.duplicates()
        assert 0 < max(report.waits) <= report.wall


async def test_a_run_that_serves_for_all_policies_counts_what_one_policy_refuses() -> None:
    async with Sandbox(policy="sliding_log") as sandbox:
        report = await work(Order("bucket", sandbox.base_url, sandbox.token, CALLS))
        refused = sandbox.ledger.too_many_requests()
        assert refusals(sandbox.ledger.arrivals(), "sliding_log") == refused
        assert report.created == CALLS - refused
        assert report.errors == ({"ClientResponseError": refused} if refused else {})


@pytest.mark.slow
async def test_a_run_in_processes_of_their_own_keeps_our_promise() -> None:
    record = await limit_run("ours", "gcra", 5, CALLS)
    assert record.key == "limit ours calls=115 jitter=5 policy=gcra"
    assert record.figures["created"] == CALLS
    assert record.figures["worst_second"] <= 100
    assert record.figures["duplicates"] == 0
    assert max(record.series["sliding_second"]) == record.figures["worst_second"]


@pytest.mark.slow
async def test_lost_answers_are_where_the_contestants_differ() -> None:
    ours, stack = await asyncio.gather(faults_run("ours", "dropped"), faults_run("stack", "dropped"))
    assert ours.figures == {"copies_of_one": 1, "duplicates": 0}
    assert stack.figures == {"copies_of_one": 5, "duplicates": 10}


async def test_a_worker_that_fails_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WorkerError, match="nobody ended with status 1"):
        await work_elsewhere(Order("nobody", "http://127.0.0.1:9/api/v1", "token", 1))
    assert "KeyError" in capfd.readouterr().err
