"""The limit as the server sees it: thousands of creates started together, over one token.

The contestants that make attempts of their own after a 429 meet each policy in a run of its own. The others send the
same requests whatever is answered, so one run of each serves for all policies: the server refuses nothing, and what
each policy would have refused is counted from the recorded arrivals, by the sandbox's own policies.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from benchmarks.arithmetic import overtaken, percentile, rate_of, refusals, sampled_counts, worst_window
from benchmarks.contestants import CONTESTANTS, load, missing
from benchmarks.plan import Plan
from benchmarks.records import Record
from benchmarks.work import number_of
from benchmarks.worker import Order, Report, work_elsewhere
from marketingblocks_async.sandbox import PolicyName, SandboxProcess

POLICIES = (PolicyName.FIXED_WINDOW, PolicyName.SLIDING_LOG, PolicyName.TOKEN_BUCKET, PolicyName.GCRA)
ANY_POLICY = "any"
"""Instead of a policy: a run that serves for all of them."""

RATE = 100.0


def cells(plan: Plan) -> list[tuple[str, str, float]]:
    """Return what one round consists of: contestant, policy, jitter in milliseconds."""
    jitters = plan.pick(smoke=(0,), quick=(10,), full=(0, 10, 50))
    few = (PolicyName.SLIDING_LOG, PolicyName.GCRA)
    policies = plan.pick(smoke=few[:1], quick=few, full=POLICIES)
    names = plan.contestants or tuple(name for name in CONTESTANTS if not missing(name))
    return [
        (name, policy, jitter)
        for jitter in jitters
        for name in names
        for policy in (policies if load(name).retries else (ANY_POLICY,))
    ]


async def limit(plan: Plan) -> AsyncIterator[Record]:
    """Worst second, refusals, rate, waits and cost, against the four policies and three kinds of network."""
    calls = plan.pick(smoke=120, quick=300, full=1000)
    for round_number in range(plan.rounds_of(quick=1, full=5)):
        for name, policy, jitter in cells(plan):
            yield await one_run(name, policy, jitter, calls, round_number)


async def one_run(name: str, policy: str, jitter: float, calls: int, round_number: int = 0) -> Record:
    """Let one contestant do the work once.

    Args:
        name: the contestant.
        policy: what the server enforces, or ``ANY_POLICY``.
        jitter: milliseconds that a request spends at most on the simulated network.
        calls: creates started together.
        round_number: which round it is.

    """
    enforced = PolicyName.NONE if policy == ANY_POLICY else PolicyName(policy)
    async with SandboxProcess(policy=enforced, jitter=jitter / 1000) as sandbox:
        report = await work_elsewhere(Order(name, sandbox.base_url, sandbox.token, calls))
        arrivals = await sandbox.arrivals()
        posts = await sandbox.posts()
        ledger = await sandbox.ledger()
    refused = sum(token.over_limit for token in ledger.tokens.values())
    found = {f"refused_{enforced}": float(refused)} if enforced is not PolicyName.NONE else _judged(arrivals)
    figures = {
        "worst_second": worst_window(arrivals),
        "requests": len(arrivals),
        "duplicates": ledger.duplicate_posts,
        "rate": rate_of(arrivals),
        **found,
        **_clients_view(report, calls),
    }
    if jitter == 0:
        # Jitter overtakes by itself.
        figures["overtaken"] = overtaken(number_of(post["request"]) for post in posts)
    series = _series(arrivals, report) if round_number == 0 else {}
    return Record("limit", name, {"policy": policy, "jitter": jitter, "calls": calls}, round_number, figures, series)


def _judged(arrivals: Sequence[float]) -> dict[str, float]:
    """Return what each policy would have refused, as ``refused_<policy>``."""
    offset = time.time() - time.monotonic()
    return {f"refused_{policy}": float(refusals(arrivals, policy, calendar_offset=offset)) for policy in POLICIES}


def _clients_view(report: Report, calls: int) -> dict[str, float]:
    return {
        "created": report.created,
        "wall": report.wall,
        "wall_to_ideal": report.wall / (calls / RATE),
        "cpu": report.cpu / calls * 1e6,
        "wait_p50": percentile(report.waits, 0.5),
        "wait_p99": percentile(report.waits, 0.99),
        "wait_max": max(report.waits),
    }


def _series(arrivals: Sequence[float], report: Report) -> dict[str, list[Any]]:
    return {
        "sliding_second": sampled_counts(arrivals),
        "wait_percentiles": [round(percentile(report.waits, share / 100), 4) for share in range(101)],
    }
