"""The limit where the server counts: real sockets, the server in its own process, the worst second from its ledger.

Scenarios are played side by side, since they wait most of the time. Each has a server and a client of its own.

A machine that gives the server no processor makes it count late, and more in a second than were sent in any. So each
write is noted, too, and requests that were counted later than the guard allows are left out of the count.

The servers have the strictest count. Whether requests are evenly spaced, too, is tested in virtual time.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import aiohttp
import pytest
from yarl import URL

from marketingblocks_async import MarketingBlocks, MarketingBlocksError, RateLimit
from marketingblocks_async.sandbox import Fault, SandboxProcess, worst_window
from marketingblocks_async.transport.attempt import Attempt
from tests.support.clients import post
from tests.torture.limit import GUARD, LimitWatch

pytestmark = pytest.mark.slow

CALLS = 250

_WRITES = ContextVar[list[float] | None]("_WRITES", default=None)

_EXPECTED = (MarketingBlocksError, asyncio.CancelledError)


@asynccontextmanager
async def limited(
    sandbox: SandboxProcess, token: str | None = None, **settings: Any
) -> AsyncGenerator[MarketingBlocks]:
    async with MarketingBlocks(token or sandbox.token, base_url=sandbox.base_url, **settings) as client:
        yield client


@pytest.fixture(autouse=True)
def noted_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Note when each request is written, in the list of its scenario."""
    sending = Attempt.sending

    def noted(attempt: Attempt) -> None:
        if (writes := _WRITES.get()) is not None:
            writes.append(time.monotonic())
        sending(attempt)

    monkeypatch.setattr(Attempt, "sending", noted)


@asynccontextmanager
async def judged(
    sandbox: SandboxProcess, calls: int, *, label: str = "default", guard: float = GUARD
) -> AsyncGenerator[None]:
    """Judge by the ledger what this task and its tasks do in the meantime."""
    writes: list[float] = []
    _WRITES.set(writes)
    yield
    report = await sandbox.ledger()
    assert not report.duplicates
    token = report.tokens[label]
    assert token.commits == calls
    assert token.arrivals == calls + token.too_many_requests == len(writes)
    # Which of the requests was counted when makes no difference to how many were.
    arrivals = await sandbox.arrivals(label)
    delays = [arrived - written for written, arrived in zip(sorted(writes), arrivals, strict=True)]
    latest = min(delays) + guard
    assert worst_window([at for at, delay in zip(arrivals, delays, strict=True) if delay <= latest]) <= 100


async def create(client: MarketingBlocks, calls: int, name: str = "") -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(calls):
            group.create_task(client.posts.create(post(f"{name}{number}")))
            if number % 10 == 0:
                # Else the event loop, on which the server is watched, would be busy for too long.
                await asyncio.sleep(0)


async def side_by_side(*scenarios: Coroutine[Any, Any, object]) -> None:
    async with asyncio.TaskGroup() as group:
        for scenario in scenarios:
            group.create_task(scenario)


async def test_delays_of_all_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    await side_by_side(
        calls_started_together(0.0),
        calls_started_together(0.05),
        slow_answers(),
        slow_connections(monkeypatch),
        jitter_of_a_second_without_the_guard(),
    )


async def test_failures_and_several_users_of_a_token() -> None:
    await side_by_side(
        asyncio.to_thread(asyncio.run, a_stalling_event_loop()),
        two_clients_of_one_token(),
        one_event_loop_after_the_other(),
        requests_that_fail_and_are_cancelled(),
        refusals_since_somebody_else_uses_the_token(),
    )


async def calls_started_together(jitter: float) -> None:
    async with (
        SandboxProcess(policy="sliding_log_strict", jitter=jitter) as sandbox,
        limited(sandbox) as client,
        judged(sandbox, CALLS),
    ):
        await create(client, CALLS)


async def slow_answers() -> None:
    async with (
        SandboxProcess(policy="sliding_log_strict", latency=0.3) as sandbox,
        limited(sandbox) as client,
        judged(sandbox, CALLS),
    ):
        await create(client, CALLS)


async def slow_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(7)
    connect: Callable[..., Awaitable[Any]] = aiohttp.TCPConnector.connect
    async with SandboxProcess(policy="sliding_log_strict") as sandbox:
        # Other scenarios go on, and connect, when this one has ended.
        port = URL(sandbox.base_url).port

        async def slow_connect(self: aiohttp.TCPConnector, request: Any, *args: Any, **kwargs: Any) -> Any:
            connection = await connect(self, request, *args, **kwargs)
            # Those of other scenarios, and those that ask what the server counted, stay quick.
            if request.url.port == port and type(self) is not aiohttp.TCPConnector:
                await asyncio.sleep(chance.random() if chance.random() < 0.3 else 0.0)
            return connection

        monkeypatch.setattr(aiohttp.TCPConnector, "connect", slow_connect)
        async with limited(sandbox) as client, judged(sandbox, CALLS):
            await create(client, CALLS)


async def a_stalling_event_loop() -> None:
    async with SandboxProcess(policy="sliding_log_strict") as sandbox, limited(sandbox) as client:

        async def stall() -> None:
            for _ in range(3):
                await asyncio.sleep(0.7)
                time.sleep(0.6)  # noqa: ASYNC251 - it is to block the loop

        async with judged(sandbox, CALLS):
            await asyncio.gather(create(client, CALLS), stall())


async def jitter_of_a_second_without_the_guard() -> None:
    async with (
        SandboxProcess(policy="sliding_log_strict", jitter=1.0) as sandbox,
        limited(sandbox, rate_limit=RateLimit(guard=math.inf)) as client,
        judged(sandbox, CALLS, guard=math.inf),
    ):
        await create(client, CALLS)


async def test_several_tokens_have_a_limit_each() -> None:
    async with SandboxProcess(policy="sliding_log_strict") as sandbox, limited(sandbox) as client:

        async def use(number: int) -> None:
            label = f"tenant-{number}"
            other = client.with_token(await sandbox.add_token(label))
            async with judged(sandbox, 200, label=label):
                await create(other, 200, label)

        await side_by_side(*map(use, range(6)))


async def two_clients_of_one_token() -> None:
    async with (
        SandboxProcess(policy="sliding_log_strict") as sandbox,
        limited(sandbox) as one,
        limited(sandbox) as two,
        judged(sandbox, 300),
    ):
        await asyncio.gather(create(one, 150, "one"), create(two, 150, "two"))


async def one_event_loop_after_the_other() -> None:
    async def use(sandbox: SandboxProcess, name: str) -> None:
        async with limited(sandbox) as client:
            await create(client, 90, name)

    async with SandboxProcess(policy="sliding_log_strict") as sandbox, judged(sandbox, 270):
        for name in "abc":
            await asyncio.to_thread(asyncio.run, use(sandbox, name))


async def requests_that_fail_and_are_cancelled() -> None:
    faults = [Fault("drop_before", rate=0.2), Fault("commit_then_stall", rate=0.02), Fault("error_500", rate=0.1)]
    async with (
        SandboxProcess(policy="sliding_log_strict", faults=faults, seed=3) as sandbox,
        limited(sandbox, timeout=0.5) as client,
    ):
        reads = [asyncio.create_task(client.posts.upcoming(limit=1)) for _ in range(CALLS)]
        for task in reads[::7]:
            asyncio.get_running_loop().call_later(random.random() * 3, task.cancel)
        async with LimitWatch(sandbox) as watch:
            results = await asyncio.gather(*reads, return_exceptions=True)
        wrong = [r for r in results if isinstance(r, BaseException) and not isinstance(r, _EXPECTED)]
        assert wrong == []
        report = await sandbox.ledger()
        assert (await watch.verdict("default"))[1] is None
        # What the server counted is what the limiter granted and did not get back unused.
        assert report.tokens["default"].arrivals <= client.rate_limiter.snapshot().granted


async def refusals_since_somebody_else_uses_the_token() -> None:
    async with SandboxProcess(policy="sliding_log", limit=50, retry_after="decimal") as sandbox:
        async with limited(sandbox) as client:
            outcomes = [outcome async for outcome in client.posts.create_many(post(f"{n}") for n in range(200))]
        assert [outcome.error for outcome in outcomes if not outcome.ok] == []
        report = await sandbox.ledger()
        assert report.tokens["default"].over_limit > 0
        assert report.tokens["default"].commits == 200
        assert not report.duplicates
