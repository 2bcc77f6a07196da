"""A request is written soon after the intent to send it was recorded; otherwise the intent is recorded anew.

Who finds the record later reckons from its time when the request must have arrived at the server.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest

from marketingblocks_async import HttpAnswer, HttpRequest, MarketingBlocks, RateLimit, RetryPolicy, Send
from marketingblocks_async.sandbox import Sandbox
from marketingblocks_async.transport import attempt as attempts
from marketingblocks_async.transport import transport
from marketingblocks_async.transport.attempt import Attempt
from tests.support.clients import client_of, post
from tests.support.polling import until

pytestmark = pytest.mark.usefixtures("own_limiters")

TIMEOUT = 0.6
LONG = 0.7
"""Seconds that are more than half of the timeout, and more than any record is allowed."""


class Clocks(SimpleNamespace):
    """The clocks of attempts, which can be put forward."""

    ahead: float = 0.0
    calendar: float = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def time(self) -> float:
        return time.time() + self.calendar


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks()
    monkeypatch.setattr(attempts, "time", clocks)
    return clocks


class Records:
    """Records intents.

    Attributes:
        count: how many.
        then: called after the first.

    """

    def __init__(self) -> None:
        self.count = 0
        self.then: Callable[[], object] = lambda: None

    async def __call__(self, _index: int, _item: Any) -> None:
        self.count += 1
        if self.count == 1:
            self.then()

    async def middleware(self, request: HttpRequest, send: Send) -> HttpAnswer:
        await self(0, None)
        return await send(request)


async def create(client: MarketingBlocks, records: Records) -> None:
    """Create a post by ``create_many``, which must succeed."""
    assert [each.ok async for each in client.posts.create_many([post()], before_send=records)] == [True]


@pytest.mark.parametrize("handed_in", [False, True])
@pytest.mark.parametrize("clock", ["ahead", "calendar"])
async def test_after_the_process_or_the_machine_stood_still(clocks: Clocks, clock: str, handed_in: bool) -> None:
    records = Records()
    records.then = lambda: setattr(clocks, clock, attempts.LONGEST_UNTIL_WRITTEN)
    async with Sandbox() as sandbox, aiohttp.ClientSession() as session:
        async with client_of(sandbox, session=session if handed_in else None) as client:
            await create(client, records)
        assert records.count == 2
        assert sandbox.ledger.attempts() == 1


@pytest.mark.parametrize("handed_in", [False, True])
@pytest.mark.parametrize("how", ["before_send", "middleware"])
async def test_after_a_pause_in_which_it_could_not_be_written(how: str, handed_in: bool) -> None:
    """That is no failure, so it needs no retry."""
    records = Records()
    async with Sandbox() as sandbox, aiohttp.ClientSession() as session:
        changes: dict[str, Any] = {
            "timeout": TIMEOUT,
            "rate_limit": RateLimit(),
            "retry": RetryPolicy(max_attempts=1),
            "middlewares": [records.middleware] if how == "middleware" else [],
            "session": session if handed_in else None,
        }
        async with client_of(sandbox, **changes) as client:
            budget = cast("Any", client)._executor.context.budget
            records.then = lambda: client.rate_limiter.pause(LONG, over_limit=False)
            await (client.posts.create(post()) if how == "middleware" else create(client, records))
            assert client.rate_limiter.snapshot().in_use <= 1
            assert budget.left == budget.capacity
        assert records.count == 2
        assert sandbox.ledger.attempts() == 1


@pytest.mark.parametrize("handed_in", [False, True])
async def test_nothing_is_written_in_a_pause(handed_in: bool) -> None:
    """Such as one that began since the permit was granted."""
    records = Records()
    async with Sandbox() as sandbox, aiohttp.ClientSession() as session:
        changes: dict[str, Any] = {"rate_limit": RateLimit(), "session": session if handed_in else None}
        async with client_of(sandbox, **changes) as client:
            records.then = lambda: client.rate_limiter.pause(0.3, over_limit=False)
            running = asyncio.create_task(create(client, records))
            await until(lambda: records.count == 1)
            await asyncio.sleep(0.2)
            assert sandbox.ledger.attempts() == 0
            await running
        assert (records.count, sandbox.ledger.attempts()) == (1, 1)


async def test_a_read_needs_no_record() -> None:
    records = Records()
    async with Sandbox() as sandbox:
        changes: dict[str, Any] = {"rate_limit": RateLimit(), "middlewares": [records.middleware]}
        async with client_of(sandbox, timeout=TIMEOUT, **changes) as client:
            records.then = lambda: client.rate_limiter.pause(LONG, over_limit=False)
            await client.posts.upcoming()
        assert records.count == 1


async def test_nothing_is_recorded_before_there_is_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "most_connections", lambda: 1)
    records = Records()
    async with Sandbox(latency=0.05) as sandbox, client_of(sandbox) as client:
        many = client.posts.create_many([post(str(number)) for number in range(3)], before_send=records)
        running = asyncio.create_task(_drain(many))
        await until(lambda: sandbox.ledger.attempts() == 1)
        assert records.count == 1
        assert await running == [True] * 3
        assert records.count == 3


async def _drain(many: Any) -> list[bool]:
    return [outcome.ok async for outcome in many]


@pytest.mark.parametrize(
    ("timeout", "seconds"), [(30.0, 15.0), (120.0, 15.0), (math.inf, 15.0), (4.0, 2.0), (0.01, 0.5)]
)
def test_how_old_the_record_may_be(clocks: Clocks, timeout: float, seconds: float) -> None:
    attempt = Attempt(None, None)
    attempt.intend(timeout)
    clocks.ahead = clocks.calendar = seconds - 0.1
    assert not attempt.is_late
    clocks.ahead = seconds + 0.1
    assert attempt.is_late


@pytest.mark.parametrize(("held_back", "only"), [(0.0, False), (0.05, False), (0.3, True)])
def test_whether_it_is_late_only_because_it_was_held_back(clocks: Clocks, held_back: float, only: bool) -> None:
    attempt = Attempt(None, None)
    attempt.intend(0.01)
    attempt.held_back = held_back
    assert not attempt.was_only_held_back
    clocks.ahead = 0.6
    assert attempt.is_late
    assert attempt.was_only_held_back is only
