"""How often a call is tried, how long it waits, and what the caller learns of it.

Waits are played in virtual time: a middleware gives the answers, so there is no socket, and the clock jumps. What was
really sent is judged by the server's ledger.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from marketingblocks_async import (
    APIError,
    AuthenticationError,
    BadRequestError,
    CallError,
    HttpAnswer,
    HttpRequest,
    InternalServerError,
    MarketingBlocks,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RateLimit,
    RateLimitError,
    RetryEvent,
    RetryPolicy,
    Send,
    ThrottleEvent,
)
from marketingblocks_async.calls import token
from marketingblocks_async.limits.registry import LimiterRegistry
from marketingblocks_async.sandbox import Fault, Sandbox
from tests.support.clients import CALLS, WRITES_NOT_RESENT, client_at, client_of, post
from tests.support.polling import until
from tests.support.ports import free_port
from tests.support.raw_server import RawRequest, RawServer, always, answer
from tests.support.virtual_time import run

OK = HttpAnswer(200, {}, b'{"status": true, "post": {}, "up_coming": []}')

ONCE = RetryPolicy(max_attempts=1)


def status(code: int, **headers: str) -> HttpAnswer:
    return HttpAnswer(code, {name.replace("_", "-"): value for name, value in headers.items()}, b"{}")


@dataclass
class Played:
    """What became of a call.

    Attributes:
        times: when each attempt was made, in seconds from the first.
        result: what it returned.
        error: what it raised.
        retries: what observers were told.
        throttles: the same.
        ended: when it ended.

    """

    times: list[float] = field(default_factory=list[float])
    result: Any = None
    error: CallError | None = None
    retries: list[RetryEvent] = field(default_factory=list[RetryEvent])
    throttles: list[ThrottleEvent] = field(default_factory=list[ThrottleEvent])
    ended: float = 0.0

    @property
    def waits(self) -> list[float]:
        return [later - earlier for earlier, later in zip(self.times, self.times[1:], strict=False)]


Call = Callable[[MarketingBlocks], Any]


def play(
    monkeypatch: pytest.MonkeyPatch, answers: Sequence[HttpAnswer], call: Call = CALLS["create-post"], **settings: Any
) -> Played:
    """Make a call in virtual time; the last answer is repeated."""
    played = Played()

    async def give(_request: HttpRequest, _send: Send) -> HttpAnswer:
        played.times.append(asyncio.get_running_loop().time())
        return answers[min(len(played.times), len(answers)) - 1]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(token, "REGISTRY", LimiterRegistry())
        everything = {
            "retry": RetryPolicy(),
            "middlewares": [give],
            "on_retry": played.retries.append,
            "on_throttle": played.throttles.append,
        } | settings
        async with client_at("http://localhost:1", **everything) as client:
            try:
                played.result = await call(client)
            except CallError as error:
                played.error = error
            played.ended = loop.time()
        start = played.times[0] if played.times else loop.time()
        played.times = [time - start for time in played.times]
        played.ended -= start

    run(main())
    return played


# How often.


@pytest.mark.parametrize("attempts", [1, 2, 5])
@pytest.mark.parametrize("kind", ["error_500", "too_many_requests:retry_after=0.01", "drop_before", "html_502"])
async def test_an_error_counts_the_attempts_as_the_server_does(attempts: int, kind: str) -> None:
    retry = RetryPolicy(max_attempts=attempts, initial_backoff=0.001, max_backoff=0.002)
    async with Sandbox(faults=[kind]) as sandbox, client_of(sandbox, retry=retry) as client:
        with pytest.raises(CallError) as caught:
            await client.posts.upcoming()
        assert caught.value.attempts == sandbox.ledger.attempts() == attempts
        assert (f"after {attempts} attempts" in str(caught.value)) is (attempts > 1)


@pytest.mark.parametrize("failures", [0, 1, 4])
async def test_it_stops_at_the_first_success(failures: int) -> None:
    retry = RetryPolicy(initial_backoff=0.001, max_backoff=0.001)
    faults = [Fault("error_500", times=failures)] if failures else []
    async with Sandbox(faults=faults) as sandbox, client_of(sandbox, retry=retry) as client:
        await client.posts.upcoming()
        assert sandbox.ledger.attempts() == failures + 1


@pytest.mark.parametrize("endpoint", sorted(CALLS))
@pytest.mark.parametrize("code", [500, 503, 599, 408])
def test_a_write_whose_outcome_is_unknown_is_made_once(
    endpoint: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = play(monkeypatch, [status(code)], CALLS[endpoint])
    if endpoint in WRITES_NOT_RESENT:
        assert len(played.times) == 1
        assert isinstance(played.error, OutcomeUnknownError)
        assert isinstance(played.error.__cause__, APIError)
        assert played.error.__cause__.status_code == code
        assert str(code) in str(played.error)
    else:
        assert len(played.times) == 5
        expected = OutcomeUnknownError if endpoint == "update-comment-automation" else APIError
        assert isinstance(played.error, expected)


@pytest.mark.parametrize("code", [400, 401, 409, 422])
@pytest.mark.parametrize("endpoint", ["create-post", "upcoming-posts", "update-comment-automation"])
def test_what_would_fail_the_same_way_again_is_made_once(
    endpoint: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = play(monkeypatch, [status(code)], CALLS[endpoint])
    assert isinstance(played.error, APIError)
    assert (played.error.status_code, played.error.attempts, len(played.times)) == (code, 1, 1)


@pytest.mark.parametrize("endpoint", sorted(CALLS))
@pytest.mark.parametrize("refusal", [status(425), status(429), status(429, retry_after="1")])
def test_what_was_refused_before_it_began_is_made_again(
    endpoint: str, refusal: HttpAnswer, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = play(monkeypatch, [refusal, refusal, OK], CALLS[endpoint])
    if endpoint in {"create-post-generation", "connect-channel"}:
        assert played.error is None or "not as documented" in str(played.error)
    else:
        assert played.error is None
    assert len(played.times) == 3


def test_resend_of_a_generic_call_is_the_callers_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    def sent(method: str, **options: Any) -> int:
        return len(play(monkeypatch, [status(500)], lambda client: client.request(method, "x", **options)).times)

    assert {method: sent(method) for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")} == {
        "GET": 5,
        "HEAD": 5,
        "POST": 1,
        "PUT": 1,
        "PATCH": 1,
        "DELETE": 1,
    }
    assert sent("POST", resend=True) == 5
    assert sent("GET", resend=False) == 1


async def test_a_connection_that_is_refused_at_first_is_tried_until_it_is_there() -> None:
    port = free_port()

    async def succeed(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        writer.write(answer())
        return True

    server = RawServer(succeed, port=port)
    before_third: list[int] = []

    async def start_late(request: HttpRequest, send: Send) -> HttpAnswer:
        before_third.append(request.attempt)
        if request.attempt == 3:
            await server.__aenter__()
        return await send(request)

    async with client_at(f"http://127.0.0.1:{port}/api/v1", middlewares=[start_late]) as client:
        try:
            assert (await client.posts.create(post())).post_id == 1
        finally:
            await server.__aexit__()
    assert before_third == [1, 2, 3]
    assert len(server.requests) == 1


@pytest.mark.parametrize("attempts", [1, 3])
async def test_what_was_never_sent_says_so_and_counts_its_attempts(attempts: int) -> None:
    port = free_port()
    retry = RetryPolicy(max_attempts=attempts, initial_backoff=0.001, max_backoff=0.001)
    for root in (f"http://127.0.0.1:{port}", "https://nowhere.invalid"):
        async with client_at(root, retry=retry) as client:
            with pytest.raises(NotSentError, match="not sent") as caught:
                await client.posts.create(post())
            assert caught.value.attempts == attempts
            assert caught.value.__cause__ is not None


# How long.


@pytest.mark.parametrize("endpoint", ["upcoming-posts", "update-comment-automation"])
def test_waits_double_with_jitter_up_to_the_longest(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    retry = RetryPolicy(max_attempts=8, max_elapsed=math.inf, initial_backoff=0.5, max_backoff=4.0)
    played = play(monkeypatch, [status(500)], CALLS[endpoint], retry=retry)
    assert len(played.waits) == 7
    for wait, longest in zip(played.waits, [0.5, 1, 2, 4, 4, 4, 4], strict=True):
        assert 0.5 * longest <= wait <= longest + 0.001
    assert len({round(wait / longest, 6) for wait, longest in zip(played.waits[3:], [4, 4, 4, 4], strict=True)}) > 1
    assert [event.delay for event in played.retries] == pytest.approx(played.waits, abs=0.001)
    assert [event.next_attempt for event in played.retries] == [2, 3, 4, 5, 6, 7, 8]
    assert played.ended == pytest.approx(played.times[-1])


NOW = datetime(2027, 1, 8, 14, 30, 0, tzinfo=UTC)
DATE = format_datetime(NOW, usegmt=True)


@pytest.mark.parametrize(
    ("value", "least"),
    [("3", 3.0), ("0.25", 0.25), (format_datetime(NOW.replace(second=7), usegmt=True), 7.0)],
)
@pytest.mark.parametrize("limit", [None, 100])
@pytest.mark.parametrize("code", [429, 503])
def test_retry_after_is_waited_for_in_any_form_and_a_little_longer_never_shorter(
    value: str, least: float, limit: int | None, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = status(code, retry_after=value, date=DATE)
    played = play(monkeypatch, [refusal, OK], CALLS["upcoming-posts"], rate_limit=RateLimit(limit=limit))
    assert played.error is None
    (wait,) = played.waits
    assert least <= wait <= least * 1.05 + 0.05
    (throttle,) = played.throttles
    assert throttle.retry_after == pytest.approx(least)
    assert throttle.pause == pytest.approx(wait, abs=0.05)


@pytest.mark.parametrize("value", ["", "soon", "-1", "1e3", "9" * 400])
def test_a_retry_after_that_makes_no_sense_is_as_good_as_none(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch, [status(429, retry_after=value), OK], rate_limit=RateLimit(limit=None))
    assert played.error is None
    assert 1.0 <= played.waits[0] <= 1.05
    # And a 503 with it does not say that nothing began.
    played = play(monkeypatch, [status(503, retry_after=value), OK])
    assert isinstance(played.error, OutcomeUnknownError)
    assert len(played.times) == 1


@pytest.mark.parametrize("value", ["0", "0.0", DATE, format_datetime(NOW.replace(year=2020), usegmt=True)])
def test_a_retry_after_of_no_time_at_all_still_waits_a_moment(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch, [status(429, retry_after=value, date=DATE), OK])
    assert played.error is None
    assert 0.5 <= played.waits[0] <= 2.1


def test_refusals_without_retry_after_back_off_too(monkeypatch: pytest.MonkeyPatch) -> None:
    retry = RetryPolicy(max_attempts=6, max_elapsed=math.inf, max_backoff=5.0)
    for limit in (None, 100):
        played = play(monkeypatch, [status(429)], retry=retry, rate_limit=RateLimit(limit=limit))
        assert isinstance(played.error, RateLimitError)
        for wait, least in zip(played.waits, [1, 2, 4, 5, 5], strict=True):
            assert least <= wait <= least * 1.05 + 0.05


@pytest.mark.parametrize("seconds", [58, 61, 3600])
@pytest.mark.parametrize("limit", [None, 100])
def test_no_call_fails_for_having_waited_as_the_api_asked(
    seconds: int, limit: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = status(429, retry_after=str(seconds))
    played = play(monkeypatch, [refusal, refusal, refusal, OK], rate_limit=RateLimit(limit=limit))
    assert played.error is None
    assert all(seconds <= wait <= seconds * 1.05 + 1 for wait in played.waits)


@pytest.mark.parametrize("value", ["3601", "99999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_retry_after_of_more_than_an_hour_is_reported_at_once(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in (None, 100):
        played = play(monkeypatch, [status(429, retry_after=value)], rate_limit=RateLimit(limit=limit))
        assert isinstance(played.error, RateLimitError)
        assert played.error.retry_after is not None
        assert played.error.retry_after > 3600
        assert (len(played.times), played.ended) == (1, 0.0)


@pytest.mark.parametrize("elapsed", [1.5, 3.0, 20.0])
@pytest.mark.parametrize("answers", [[status(500)], [status(429)]], ids=["unknown", "refused"])
def test_no_attempt_begins_after_the_time_for_all_of_them(
    elapsed: float, answers: list[HttpAnswer], monkeypatch: pytest.MonkeyPatch
) -> None:
    retry = RetryPolicy(max_attempts=1000, max_elapsed=elapsed, initial_backoff=0.3, max_backoff=3.0)
    played = play(monkeypatch, answers, CALLS["upcoming-posts"], retry=retry)
    assert played.error is not None
    assert len(played.times) >= 2
    assert played.times[-1] <= elapsed
    # And it does not wait for an attempt that it will not make.
    assert played.ended == played.times[-1]


def test_a_thousand_refusals_in_a_row_are_still_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    retry = RetryPolicy(max_attempts=1200, max_elapsed=math.inf)
    played = play(monkeypatch, [status(429)], retry=retry)
    assert isinstance(played.error, RateLimitError)
    assert played.error.attempts == 1200


def test_a_thousand_failures_in_a_row_are_still_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    retry = RetryPolicy(max_attempts=1200, max_elapsed=math.inf)
    played = play(monkeypatch, [status(500), *[status(200)] * 5], CALLS["upcoming-posts"], retry=retry)
    assert played.error is not None
    played = play(monkeypatch, [status(500)], CALLS["upcoming-posts"], retry=retry)
    # The budget of a hundred ends it.
    assert len(played.times) == 101


# What the caller learns.

FIRST_AND_LAST: list[tuple[str, list[HttpAnswer], type[CallError], type[CallError] | None]] = [
    ("create-post", [status(429), status(400)], BadRequestError, RateLimitError),
    ("create-post", [status(429), status(500)], OutcomeUnknownError, RateLimitError),
    ("create-post", [status(429), status(429)], RateLimitError, None),
    ("upcoming-posts", [status(500), status(404)], NotFoundError, InternalServerError),
    ("upcoming-posts", [status(500), status(500)], InternalServerError, None),
    ("upcoming-posts", [status(500), status(502)], InternalServerError, InternalServerError),
    ("update-comment-automation", [status(500), status(401)], AuthenticationError, OutcomeUnknownError),
    ("update-comment-automation", [status(429), status(500), status(401)], AuthenticationError, OutcomeUnknownError),
]


@pytest.mark.parametrize(("endpoint", "answers", "last", "first"), FIRST_AND_LAST)
def test_what_a_later_failure_hid_is_kept(
    endpoint: str,
    answers: list[HttpAnswer],
    last: type[CallError],
    first: type[CallError] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What may have been carried out matters more than what came first."""
    played = play(monkeypatch, answers, CALLS[endpoint], retry=RetryPolicy(max_attempts=len(answers)))
    assert played.error is not None
    assert type(played.error) is last
    found = played.error.first_failure
    assert (None if found is None else type(found)) is first
    if found is not None:
        assert "first failure" in str(played.error)
        assert found.message in str(played.error)


@pytest.mark.parametrize("later", [[status(429)], [status(503, retry_after="1")], [status(429), status(429)]])
@pytest.mark.parametrize("call", ["update-comment-automation", "resend"])
def test_an_unknown_outcome_stays_unknown_whatever_is_refused_later(
    later: list[HttpAnswer], call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Call = CALLS.get(call, lambda client: client.request("POST", "x", json={}, resend=True))
    answers = [status(500), *later]
    played = play(monkeypatch, answers, made, retry=RetryPolicy(max_attempts=len(answers)))
    assert isinstance(played.error, OutcomeUnknownError)
    assert played.error.attempts == len(answers)
    assert isinstance(played.error.__cause__, APIError)


async def test_an_unknown_outcome_stays_unknown_when_the_api_cannot_be_reached_later() -> None:
    async def gone(request: HttpRequest, send: Send) -> HttpAnswer:
        if request.attempt == 2:
            await sandbox.close()
        return await send(request)

    async with Sandbox() as sandbox, client_of(sandbox, middlewares=[gone]) as client:
        await CALLS["create-comment-automation"](client)
        sandbox.faults.add(Fault("commit_then_drop", endpoint="update-comment-automation"))
        with pytest.raises(OutcomeUnknownError) as caught:
            await CALLS["update-comment-automation"](client)
        assert isinstance(caught.value.__cause__, NotSentError)
        assert caught.value.attempts == 3


@pytest.mark.parametrize("endpoint", ["update-comment-automation", "resend"])
def test_what_was_sent_several_times_does_not_claim_that_it_was_not(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Call = CALLS.get(endpoint, lambda client: client.request("POST", "x", json={}, resend=True))
    played = play(monkeypatch, [status(500)], made, retry=RetryPolicy(max_attempts=3))
    assert isinstance(played.error, OutcomeUnknownError)
    assert played.error.attempts == 3
    assert "not sent again" not in str(played.error)


def test_what_is_told_to_observers_is_what_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch, [status(500), status(429, retry_after="2"), OK], CALLS["upcoming-posts"])
    unknown, refused = played.retries
    assert (unknown.next_attempt, unknown.failure.name, type(unknown.error)) == (2, "UNKNOWN", InternalServerError)
    assert (refused.next_attempt, refused.failure.name, type(refused.error)) == (3, "REFUSED", RateLimitError)
    assert unknown.call_id == refused.call_id == played.throttles[0].call_id


# Budget.


def test_an_outage_does_not_multiply_the_traffic_and_its_end_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = calls = 0
    broken = True

    async def serve(_request: HttpRequest, _send: Send) -> HttpAnswer:
        nonlocal sent
        sent += 1
        return status(500) if broken else OK

    async def many(client: MarketingBlocks, count: int) -> None:
        nonlocal calls
        calls += count
        await asyncio.gather(*(client.posts.upcoming() for _ in range(count)), return_exceptions=True)

    async def main() -> None:
        nonlocal sent, calls, broken
        monkeypatch.setattr(token, "REGISTRY", LimiterRegistry())
        async with client_at("http://localhost:1", middlewares=[serve], retry=RetryPolicy()) as client:
            for _ in range(20):
                await many(client, 50)
            # 1,000 calls, and not 5,000 requests: a hundred in reserve.
            assert calls <= sent <= calls + 100
            broken, sent, calls = False, 0, 0
            await many(client, 500)
            assert sent == calls
            # Every success gave a tenth of a retry back.
            broken, sent, calls = True, 0, 0
            await many(client, 500)
            assert calls + 40 <= sent <= calls + 50

    run(main())


def test_refusals_cost_no_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    retry = RetryPolicy(max_attempts=300, max_elapsed=math.inf, max_backoff=1.0)
    assert len(play(monkeypatch, [*[status(429)] * 250, OK], retry=retry).times) == 251


def test_copies_for_one_token_share_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """``with_token()`` is said to be cheap, so a service calls it for every request."""
    sent = 0

    async def fail(_request: HttpRequest, _send: Send) -> HttpAnswer:
        nonlocal sent
        sent += 1
        return status(500)

    async def main() -> None:
        monkeypatch.setattr(token, "REGISTRY", LimiterRegistry())
        async with client_at("http://localhost:1", middlewares=[fail], retry=RetryPolicy()) as client:
            for _ in range(200):
                await asyncio.gather(client.with_token("customer-7").posts.upcoming(), return_exceptions=True)

    run(main())
    assert 200 <= sent <= 300


def test_no_backoff_at_all_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    retry = RetryPolicy(initial_backoff=0, max_backoff=0)
    played = play(monkeypatch, [status(500)], CALLS["upcoming-posts"], retry=retry)
    assert played.times == pytest.approx([0.0] * 5, abs=1e-4)


def test_a_retry_goes_before_the_calls_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def give(request: HttpRequest, _send: Send) -> HttpAnswer:
        asked.append(request.url)
        return status(500) if len(asked) == 1 else OK

    async def main() -> None:
        monkeypatch.setattr(token, "REGISTRY", LimiterRegistry())
        settings: dict[str, Any] = {"rate_limit": RateLimit(limit=5), "middlewares": [give]}
        async with client_at("http://localhost:1", **settings) as client:
            await asyncio.gather(*(client.posts.get(number) for number in range(40)))

    run(main())
    assert len(asked) == 41
    # Those that were granted before it was asked for are ahead of it, and no others.
    assert asked.index(asked[0], 1) < 10


@pytest.mark.parametrize(("code", "slower"), [(429, True), (503, False)])
def test_only_a_refusal_for_the_rate_slows_the_rate_down(
    code: int, slower: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [status(code, Retry_After="1"), OK]
    played = play(monkeypatch, answers, CALLS["upcoming-posts"], rate_limit=RateLimit())
    assert (played.throttles[0].rate < 99) is slower


def test_a_pause_is_longer_than_asked_for_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 1.0)
    played = play(monkeypatch, [status(429, Retry_After="10"), OK], rate_limit=RateLimit())
    assert [event.pause for event in played.throttles] == [pytest.approx(10.5)]


@pytest.mark.parametrize(
    ("head", "rest"),
    [
        (b"HTTP/1.1 429 No\r\nRetry-After: 9\r\nContent-Length: 2\r\n\r\n", b"{}"),
        (b"HTTP/1.1 503 No\r\nRetry-After: 9\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
    ],
    ids=["429", "503"],
)
@pytest.mark.parametrize("ends", ["body", "cancelled"])
async def test_the_token_pauses_from_the_head_of_a_refusal_on(head: bytes, rest: bytes, ends: str) -> None:
    """Its body may come much later, or not before the deadline; what is sent until then is refused as well."""
    throttles: list[ThrottleEvent] = []
    read = asyncio.Event()

    async def refuse(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        writer.write(head)
        await read.wait()
        writer.write(rest)
        return True

    options: dict[str, Any] = {"rate_limit": RateLimit(), "on_throttle": throttles.append, "retry": ONCE}
    async with RawServer(refuse) as server, client_at(server.base_url, **options) as client:
        call = asyncio.create_task(client.posts.upcoming())
        await until(lambda: client.rate_limiter.snapshot().paused_for > 8)
        assert not call.done()
        if ends == "body":
            read.set()
        else:
            call.cancel()
        with pytest.raises((APIError, asyncio.CancelledError)):
            await call
    assert [event.retry_after for event in throttles] == [9]


@pytest.mark.parametrize("made", [OK, status(503, Retry_After="30")], ids=["success", "503"])
async def test_a_refusal_pauses_the_token_once_whatever_a_middleware_makes_of_it(made: HttpAnswer) -> None:
    throttles: list[ThrottleEvent] = []

    async def replace(request: HttpRequest, send: Send) -> HttpAnswer:
        await send(request)
        return made

    options: dict[str, Any] = {"middlewares": [replace], "on_throttle": throttles.append, "retry": ONCE}
    refuse = always(answer(b"{}", "429 No", {"Retry-After": "9"}))
    async with RawServer(refuse) as server, client_at(server.base_url, **options) as client:
        await asyncio.gather(client.posts.upcoming(), return_exceptions=True)
    assert [event.retry_after for event in throttles] == [9]
