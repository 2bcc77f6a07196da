"""Several observers at once, and what one of them does wrong."""

from __future__ import annotations

import logging

import pytest

from marketingblocks_async import AttemptEvent, MarketingBlocks, Observer, OutcomeEvent, observed_by
from marketingblocks_async.sandbox import Sandbox


class Counting(Observer):
    def __init__(self) -> None:
        self.attempts: list[AttemptEvent] = []
        self.outcomes: list[OutcomeEvent] = []

    def on_attempt(self, event: AttemptEvent) -> None:
        self.attempts.append(event)

    def on_outcome(self, event: OutcomeEvent) -> None:
        self.outcomes.append(event)


class Broken(Observer):
    def on_attempt(self, event: AttemptEvent) -> None:
        raise ZeroDivisionError(event.endpoint)


def test_what_nobody_wants_to_know_is_not_told() -> None:
    assert observed_by() == {"on_attempt": None, "on_retry": None, "on_throttle": None, "on_outcome": None}
    options = observed_by(Counting(), Observer())
    assert {name for name, function in options.items() if function is not None} == {"on_attempt", "on_outcome"}


async def test_one_observer_s_mistake_is_not_the_others(
    marketingblocks_sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = Counting(), Counting()
    async with MarketingBlocks(
        marketingblocks_sandbox.token,
        base_url=marketingblocks_sandbox.base_url,
        **observed_by(first, Broken(), second),
    ) as client:
        await client.posts.upcoming()
    assert len(first.attempts) == len(second.attempts) == len(second.outcomes) == 1
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "an observer failed on AttemptEvent" in caplog.text


async def test_an_event_says_where_the_request_went(marketingblocks_sandbox: Sandbox) -> None:
    seen = Counting()
    async with MarketingBlocks(
        marketingblocks_sandbox.token, base_url=marketingblocks_sandbox.base_url, **observed_by(seen)
    ) as client:
        await client.posts.list(channels=["facebook", "tiktok"], limit=3)
    (attempt,), (outcome,) = seen.attempts, seen.outcomes
    assert attempt.url == f"{marketingblocks_sandbox.base_url}/social-sparks/get-posts?channels=facebook,tiktok&limit=3"
    assert attempt.method == outcome.method == "GET"
