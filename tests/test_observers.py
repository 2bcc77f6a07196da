"""Several observers at once, mistakes in one of them, and events as log records."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from marketingblocks_async import (
    APIConnectionError,
    AttemptEvent,
    ConfigurationError,
    EventLog,
    MarketingBlocks,
    NotFoundError,
    Observer,
    OutcomeEvent,
    OutcomeUnknownError,
    RetryPolicy,
    observed_by,
)
from marketingblocks_async.sandbox import Sandbox
from marketingblocks_async.webhooks import WebhookReceiver


class Counting(Observer):
    def __init__(self) -> None:
        self.attempts: list[AttemptEvent] = []
        self.outcomes: list[OutcomeEvent] = []

    def on_attempt(self, event: AttemptEvent) -> None:
        self.attempts.append(event)

    def on_outcome(self, event: OutcomeEvent) -> None:
        self.outcomes.append(event)


class Late(Observer):
    async def on_attempt(self, event: AttemptEvent) -> None:  # type: ignore[override]  # the mistake
        raise AssertionError(event)


class LateFunction:
    async def __call__(self, _event: object) -> None:
        """Is never awaited."""


@pytest.mark.parametrize("others", [0, 1])
def test_a_function_that_would_have_to_be_awaited_is_refused(others: int) -> None:
    with pytest.raises(ConfigurationError, match=r"on_attempt=.*called and not awaited"):
        MarketingBlocks("token", **observed_by(Late(), *[Counting()] * others))
    function: Any = LateFunction()
    with pytest.raises(ConfigurationError, match=r"on_outcome=.*called and not awaited"):
        MarketingBlocks("token", on_outcome=function)
    with pytest.raises(ConfigurationError, match=r"on_result=.*called and not awaited"):
        WebhookReceiver("https://example.com", on_result=function)


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


def client_of(sandbox: Sandbox) -> MarketingBlocks:
    return MarketingBlocks(
        sandbox.token,
        base_url=sandbox.base_url,
        retry=RetryPolicy(initial_backoff=0.01, max_backoff=0.02),
        **observed_by(EventLog()),
    )


def records(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    found = [record for record in caplog.records if record.name == "marketingblocks_async.calls"]
    return [(record.levelno, str(vars(record)["mb_event"])) for record in found]


async def test_a_call_is_told_in_full(marketingblocks_sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    marketingblocks_sandbox.faults.add("error_500:times=1")
    async with client_of(marketingblocks_sandbox) as client:
        await client.posts.upcoming()
    assert records(caplog) == [
        (logging.DEBUG, "attempt"),
        (logging.INFO, "retry"),
        (logging.DEBUG, "attempt"),
        (logging.DEBUG, "outcome"),
    ]
    first, retry, *_ = (vars(record) for record in caplog.records if record.name == "marketingblocks_async.calls")
    assert (first["mb_endpoint"], first["mb_status_code"], first["mb_failure"]) == ("upcoming-posts", 500, "unknown")
    assert (retry["mb_error"], retry["mb_next_attempt"]) == ("InternalServerError", 2)
    assert marketingblocks_sandbox.token not in caplog.text


async def test_throttling_and_failures_are_warnings(
    marketingblocks_sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    marketingblocks_sandbox.faults.add("too_many_requests:retry_after=0.01,times=1")
    async with client_of(marketingblocks_sandbox) as client:
        await client.posts.upcoming()
        with pytest.raises(NotFoundError):
            await client.posts.get(404)
    assert {level for level, _ in records(caplog)} == {logging.WARNING}
    assert "there" in caplog.text


async def test_a_write_of_unknown_outcome_is_an_error_and_a_read_is_none(
    marketingblocks_sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    marketingblocks_sandbox.faults.add("drop_before")
    async with client_of(marketingblocks_sandbox) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.channels.connect(user_id="u-1")
        with pytest.raises(APIConnectionError):
            await client.posts.upcoming()
    assert records(caplog) == [(logging.ERROR, "outcome"), (logging.WARNING, "outcome")]


async def test_records_can_be_written_as_json(
    marketingblocks_sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with client_of(marketingblocks_sandbox) as client:
        await asyncio.gather(client.posts.upcoming(), client.posts.upcoming())
    own = [record for record in caplog.records if record.name == "marketingblocks_async.calls"]
    for record in own:
        json.dumps({name: value for name, value in vars(record).items() if name.startswith("mb_")})
    assert len({vars(record)["mb_call_id"] for record in own}) == 2


def test_nothing_is_written_until_the_program_asks_for_it() -> None:
    code = (
        "import logging, marketingblocks_async.calls.executor\n"
        "logging.getLogger('marketingblocks_async.calls').error('a secret')\n"
        "logging.getLogger('marketingblocks_async').warning('a secret')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own words
    assert done.stderr == ""
