"""User code inside a call: what observers are told, what a middleware may do, and what it cannot break."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import json
import logging
import math
import pickle
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from marketingblocks_async import (
    APIError,
    AttemptEvent,
    CallError,
    ConfigurationError,
    EventLog,
    HttpAnswer,
    HttpRequest,
    InvalidResponseError,
    MarketingBlocksError,
    NotFoundError,
    NotSentError,
    Outcome,
    OutcomeEvent,
    OutcomeUnknownError,
    RateLimit,
    RateLimitError,
    RetryEvent,
    RetryPolicy,
    Send,
    ThrottleEvent,
    observed_by,
)
from marketingblocks_async.errors import Headers
from marketingblocks_async.sandbox import Fault, Sandbox
from tests.support.clients import CALLS, client_at, client_of, post
from tests.support.raw_server import RawServer, always, answer

pytestmark = pytest.mark.usefixtures("own_limiters")

REFUSED_ONCE = Fault("too_many_requests", times=1, params={"retry_after": "0.01"})
OK = HttpAnswer(200, {"Content-Type": "application/json"}, b'{"status": true, "post_id": 7}')


class Observed:
    """All events in order."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.settings = dict.fromkeys(("on_attempt", "on_retry", "on_throttle", "on_outcome"), self.events.append)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def kinds(self) -> list[str]:
        return [type(event).__name__.removesuffix("Event") for event in self.events]


# Events.


async def test_a_success_is_one_attempt_and_one_outcome() -> None:
    observed = Observed()
    async with Sandbox() as sandbox, client_of(sandbox, **observed.settings) as client:
        await client.posts.create(post())
        assert observed.kinds == ["Attempt", "Outcome"]
        attempt, outcome = observed.events
        assert (attempt.endpoint, attempt.attempt, attempt.status_code, attempt.failure) == (
            "create-post",
            1,
            200,
            None,
        )
        assert 0 <= attempt.seconds <= outcome.seconds
        assert (outcome.endpoint, outcome.attempts, outcome.error, outcome.cancelled) == ("create-post", 1, None, False)
        assert attempt.call_id == outcome.call_id


async def test_the_whole_story_of_a_call_in_order() -> None:
    observed = Observed()
    faults = [Fault("drop_before", times=1), Fault("too_many_requests", times=1, params={"retry_after": "0.01"})]
    async with Sandbox(faults=faults) as sandbox, client_of(sandbox, **observed.settings) as client:
        await client.posts.upcoming()
        assert observed.kinds == ["Attempt", "Retry", "Throttle", "Attempt", "Retry", "Attempt", "Outcome"]
        assert len({event.call_id for event in observed.events}) == 1
        assert [event.failure for event in observed.of(AttemptEvent)] == [Outcome.UNKNOWN, Outcome.REFUSED, None]
        assert [event.status_code for event in observed.of(AttemptEvent)] == [None, 429, 200]
        assert [event.attempt for event in observed.of(AttemptEvent)] == [1, 2, 3]
        (throttle,) = observed.of(ThrottleEvent)
        assert (throttle.retry_after, throttle.rate) == (0.01, math.inf)
        assert observed.of(OutcomeEvent)[0].attempts == 3


async def test_the_rate_after_a_refusal_is_told() -> None:
    observed = Observed()
    settings: dict[str, Any] = {"rate_limit": RateLimit(), **observed.settings}
    async with Sandbox(faults=[REFUSED_ONCE]) as sandbox, client_of(sandbox, **settings) as client:
        await client.posts.create(post())
        (throttle,) = observed.of(ThrottleEvent)
        assert throttle.rate == pytest.approx(95, abs=0.5)
        assert 0.01 <= throttle.pause <= 0.011


async def test_time_in_the_queue_is_told() -> None:
    observed = Observed()
    settings: dict[str, Any] = {"rate_limit": RateLimit(limit=1, per=0.1, burst=1), **observed.settings}
    async with Sandbox() as sandbox, client_of(sandbox, **settings) as client:
        await client.posts.create(post("1"))
        await client.posts.create(post("2"))
        first, second = observed.of(OutcomeEvent)
        assert first.waited < 0.09 <= second.waited <= second.seconds
        assert observed.of(AttemptEvent)[1].waited == second.waited


@pytest.mark.parametrize("end", ["deadline", "cancelled", "closed"])
async def test_time_in_the_queue_is_told_of_a_call_that_got_no_permit(end: str) -> None:
    observed = Observed()
    settings: dict[str, Any] = {"rate_limit": RateLimit(limit=1, per=0.4, burst=1), **observed.settings}
    async with Sandbox() as sandbox, client_of(sandbox, **settings) as client:
        await client.posts.create(post("1"))
        # The queue looks short enough, and then comes a pause.
        deadline = 0.9 if end == "deadline" else None
        waiting = asyncio.create_task(client.posts.create(post("2"), deadline=deadline))
        await asyncio.sleep(0.1)
        client.rate_limiter.pause(9, over_limit=False)
        if end == "cancelled":
            waiting.cancel()
        elif end == "closed":
            await client.close()
        with pytest.raises((NotSentError, asyncio.CancelledError)):
            await waiting
        _, outcome = observed.of(OutcomeEvent)
        assert 0.09 <= outcome.abandoned_wait == outcome.waited <= outcome.seconds
        assert outcome.attempts == 0


async def test_a_call_that_ends_behind_its_permit_abandoned_no_wait() -> None:
    observed = Observed()
    async with Sandbox(faults=["error_500"]) as sandbox:
        settings: dict[str, Any] = {"rate_limit": RateLimit(), "retry": RetryPolicy(max_attempts=9, initial_backoff=9)}
        async with client_of(sandbox, **settings, **observed.settings) as client:
            with pytest.raises(CallError):
                await client.posts.upcoming(deadline=0.2)
        (outcome,) = observed.of(OutcomeEvent)
        assert (outcome.attempts, outcome.abandoned_wait) == (1, 0.0)


@pytest.mark.parametrize("kind", ["error_500", "bad_request", "broken_json", "commit_then_drop", "too_many_requests"])
async def test_the_error_in_the_last_event_is_the_one_that_the_caller_gets(kind: str) -> None:
    observed = Observed()
    async with Sandbox(faults=[kind]) as sandbox, client_of(sandbox, **observed.settings) as client:
        with pytest.raises(CallError) as caught:
            await client.posts.create(post())
        assert observed.events[-1].error is caught.value
        assert observed.events[-1].attempts == caught.value.attempts
        assert observed.events[-2].failure is not None


async def test_calls_have_numbers_of_their_own() -> None:
    observed = Observed()
    async with Sandbox() as sandbox, client_of(sandbox, **observed.settings) as client:
        await asyncio.gather(*(client.posts.create(post(str(number))) for number in range(20)))
        assert len({event.call_id for event in observed.of(OutcomeEvent)}) == 20


async def test_a_call_that_never_began_is_an_outcome_too() -> None:
    observed = Observed()
    settings: dict[str, Any] = {"rate_limit": RateLimit(limit=1, per=60.0), **observed.settings}
    async with Sandbox() as sandbox, client_of(sandbox, **settings) as client:
        await client.posts.create(post("1"))
        with pytest.raises(NotSentError):
            await client.with_options(deadline=0.5).posts.create(post("2"))
        assert observed.kinds == ["Attempt", "Outcome", "Outcome"]
        assert observed.events[-1].attempts == 0


class _BadObserverError(Exception):
    pass


@pytest.mark.parametrize("error", [_BadObserverError(), asyncio.CancelledError(), StopIteration(), TimeoutError()])
@pytest.mark.parametrize("name", ["on_attempt", "on_retry", "on_throttle", "on_outcome"])
async def test_an_observer_that_raises_is_logged_and_changes_nothing(
    name: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_event: object) -> None:
        raise error

    async with Sandbox(faults=[REFUSED_ONCE]) as sandbox, client_of(sandbox, **{name: fail}) as client:
        assert (await client.posts.create(post())).post_id is not None
        assert sandbox.ledger.carried_out_at("create-post") == 1
    assert "observer failed" in caplog.text
    assert type(error).__name__ in caplog.text


@pytest.mark.parametrize("name", ["on_attempt", "on_retry", "on_throttle", "on_outcome"])
def test_an_observer_that_cannot_be_called_is_refused_at_once(name: str) -> None:
    async def asynchronous(_event: object) -> None:
        """Nobody would await it, and the event would be lost with a warning that names neither."""

    for observer in (asynchronous, 5, "print"):
        with pytest.raises(ConfigurationError, match=name):
            client_at("http://localhost:1", **{name: observer})


@pytest.mark.parametrize("observer", [print, EventLog])
def test_what_is_no_observer_is_refused(observer: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"observed_by\(.*: give objects of subclasses of Observer"):
        observed_by(observer)


# Events cross processes, and errors do (tests/test_errors.py).


EVENTS = [
    AttemptEvent(1, "create-post", 1, 0.5, 0.7, 200, Outcome.UNKNOWN),
    RetryEvent(1, "create-post", 2, 0.5, Outcome.REFUSED, RateLimitError("text", retry_after=1.0)),
    ThrottleEvent(1, "create-post", None, 1.0, 95.0),
    OutcomeEvent(1, "create-post", 1, 0.5, 0.7, OutcomeUnknownError("text", request=post()), cancelled=True),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_event_is_the_same_in_another_process(event: Any) -> None:
    for again in (pickle.loads(pickle.dumps(event)), copy.copy(event), copy.deepcopy(event)):  # noqa: S301 - our own pickle
        assert type(again) is type(event)
        assert repr(again) == repr(event)


@pytest.mark.parametrize("kind", ["error_500", "bad_request", "broken_json", "commit_then_drop", "too_many_requests"])
async def test_errors_of_real_calls_cross_processes_with_what_was_sent(kind: str) -> None:
    observed = Observed()
    async with Sandbox(faults=[kind]) as sandbox, client_of(sandbox, **observed.settings) as client:
        with pytest.raises(CallError) as caught:
            await client.posts.create(post())
        again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own pickle
        assert (str(again), again.attempts, again.endpoint) == (str(caught.value), caught.value.attempts, "create-post")
        if isinstance(caught.value, OutcomeUnknownError | InvalidResponseError):
            assert again.request == post()
        assert len(pickle.loads(pickle.dumps(observed.events))) == len(observed.events)  # noqa: S301 - our own pickle


@pytest.mark.parametrize("name", ["params", "json"])
async def test_what_a_generic_call_sent_is_kept_as_it_was_sent(name: str) -> None:
    """The caller's own objects may change afterwards, and need not be picklable."""

    class Params(dict[str, Any]):
        """A class that pickle cannot find."""

    sent: Any = Params(a=[1, 2])
    async with RawServer(always(answer(b"{}", "500 Error"))) as server, client_at(server.base_url) as client:
        with pytest.raises(OutcomeUnknownError) as caught:
            await client.request("POST", "x", **{name: sent})
    sent["a"].append("too late")
    sent["b"] = "too late"
    assert "too late" not in repr(caught.value.request)
    assert pickle.loads(pickle.dumps(caught.value)).request[name] == {"a": [1, 2]}  # noqa: S301 - our own pickle


# Middlewares.


async def test_a_middleware_sees_every_attempt_as_it_goes_out() -> None:
    seen: list[tuple[HttpRequest, int]] = []

    async def note(request: HttpRequest, send: Send) -> HttpAnswer:
        found = await send(request)
        seen.append((request, found.status))
        return found

    async with Sandbox(faults=["error_500:times=1"]) as sandbox, client_of(sandbox, middlewares=[note]) as client:
        await client.posts.upcoming(limit=3)
        await client.posts.create(post())
        assert [(request.endpoint, request.attempt, request.method, status) for request, status in seen] == [
            ("upcoming-posts", 1, "GET", 500),
            ("upcoming-posts", 2, "GET", 200),
            ("create-post", 1, "POST", 200),
        ]
        read, _, write = (request for request, _ in seen)
        assert read.url == f"{sandbox.base_url}/social-sparks/upcoming-posts?limit=3"
        assert read.body is None
        assert json.loads(write.body or b"") == post().wire()
        assert write.headers["Content-Type"] == "application/json"


async def test_middlewares_nest_with_the_first_one_outermost() -> None:
    order: list[str] = []

    def named(name: str) -> Callable[[HttpRequest, Send], Any]:
        async def middleware(request: HttpRequest, send: Send) -> HttpAnswer:
            order.append(f"{name} in")
            found = await send(request)
            order.append(f"{name} out")
            return found

        return middleware

    async with Sandbox() as sandbox, client_of(sandbox, middlewares=[named("a"), named("b")]) as client:
        await client.posts.upcoming()
    assert order == ["a in", "b in", "b out", "a out"]


async def test_a_middleware_may_change_headers_and_body_and_nothing_else() -> None:
    async def change(request: HttpRequest, send: Send) -> HttpAnswer:
        changed = dataclasses.replace(
            request,
            method="DELETE",
            url="https://elsewhere.example/",
            headers={**request.headers, "X-Request-Id": "r-1", "accept": "text/plain"},
            body=(request.body or b"").replace(b"Hello", b"Goodbye"),
        )
        return await send(changed)

    async with RawServer(always(answer())) as server, client_at(server.base_url, middlewares=[change]) as client:
        await client.posts.create(post())
        (request,) = server.requests
        assert request.line == "POST /api/v1/social-sparks/create-post HTTP/1.1"
        assert request.header("X-Request-Id") == "r-1"
        assert json.loads(request.body)["caption_text"] == "Goodbye"
        assert int(request.header("Content-Length") or 0) == len(request.body)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (OK, None),
        (HttpAnswer(404, {}, b"{}"), NotFoundError),
        (HttpAnswer(500, {}, b""), OutcomeUnknownError),
        (HttpAnswer(429, {"retry-after": "0.01"}, b""), RateLimitError),
        (HttpAnswer(200, {}, b"no JSON"), InvalidResponseError),
        (HttpAnswer(200, {}, b'{"status": false}'), APIError),
    ],
)
async def test_a_middleware_may_answer_by_itself(given: HttpAnswer, expected: type[CallError] | None) -> None:
    async def give(_request: HttpRequest, _send: Send) -> HttpAnswer:
        return given

    settings: dict[str, Any] = {"middlewares": [give], "rate_limit": RateLimit()}
    async with Sandbox() as sandbox, client_of(sandbox, **settings) as client:
        if expected is None:
            assert (await client.posts.create(post())).post_id == 7
        else:
            with pytest.raises(expected):
                await client.posts.create(post())
        # Nothing was sent, so no permit is held.
        assert client.rate_limiter.snapshot().in_use == 0
        assert not sandbox.ledger.endpoints


async def test_a_request_that_a_middleware_made_unsendable_is_not_taken_for_a_sent_one() -> None:
    async def spoil(request: HttpRequest, send: Send) -> HttpAnswer:
        return await send(dataclasses.replace(request, headers={**request.headers, "X-Note": "two\r\nlines"}))

    async with Sandbox() as sandbox, client_of(sandbox, middlewares=[spoil]) as client:
        with pytest.raises(ConfigurationError, match="a middleware made a request that cannot be sent"):
            await client.posts.create(post())
        assert not sandbox.ledger.endpoints


async def test_a_middleware_may_replace_the_answer() -> None:
    async def replace(request: HttpRequest, send: Send) -> HttpAnswer:
        return (await send(request))._replace(body=b'{"post_id": 99}')

    async with Sandbox() as sandbox, client_of(sandbox, middlewares=[replace]) as client:
        assert (await client.posts.create(post())).post_id == 99


class _OwnError(Exception):
    pass


async def _raise_before(_request: HttpRequest, _send: Send) -> HttpAnswer:
    raise _OwnError


async def _raise_after(request: HttpRequest, send: Send) -> HttpAnswer:
    await send(request)
    raise _OwnError


async def _give_up_too_early(request: HttpRequest, send: Send) -> HttpAnswer:
    return await asyncio.wait_for(send(request), 0.05)


async def _forget_to_return(request: HttpRequest, send: Send) -> Any:
    await send(request)


async def test_an_error_of_a_middleware_before_sending_reaches_the_caller_as_it_is() -> None:
    observed = Observed()
    async with Sandbox() as sandbox, client_of(sandbox, middlewares=[_raise_before], **observed.settings) as client:
        with pytest.raises(_OwnError):
            await client.posts.create(post())
        assert not sandbox.ledger.endpoints
        # "on_outcome: called at the end of every call".
        assert observed.kinds[-1:] == ["Outcome"]


@pytest.mark.parametrize("middleware", [_raise_after, _give_up_too_early, _forget_to_return])
async def test_a_mistake_of_a_middleware_after_sending_does_not_hide_that_the_post_may_exist(
    middleware: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A KeyError in somebody's metrics looks like "it did not work", and what did not work is tried again."""
    observed = Observed()
    faults = [Fault("slow_answer", params={"delay": 0.5})] if middleware is _give_up_too_early else []
    async with (
        Sandbox(faults=faults) as sandbox,
        client_of(sandbox, middlewares=[middleware], **observed.settings) as client,
    ):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what the test is about
            await client.posts.create(post())
        assert sandbox.ledger.carried_out_at("create-post") == 1
    notes = " ".join(getattr(caught.value, "__notes__", []))
    assert isinstance(caught.value, OutcomeUnknownError) or "may or may not" in notes
    assert observed.kinds[-1:] == ["Outcome"]
    assert isinstance(observed.events[-1].error, OutcomeUnknownError)
    assert isinstance(caught.value, OutcomeUnknownError) or "may or may not" in caplog.text


@pytest.mark.parametrize("status", [404, 422, 429, 500])
async def test_what_a_middleware_returns_for_a_lost_response_does_not_say_what_happened(status: int) -> None:
    async def break_circuit(request: HttpRequest, send: Send) -> HttpAnswer:
        try:
            return await send(request)
        except Exception:  # noqa: BLE001 - a careless middleware
            return HttpAnswer(status, {"retry-after": "0.01"}, b"")

    async with (
        Sandbox(faults=["commit_then_drop"]) as sandbox,
        client_of(sandbox, middlewares=[break_circuit]) as client,
    ):
        with pytest.raises(OutcomeUnknownError, match=f"a middleware returned status {status}"):
            await client.posts.create(post())
        assert sandbox.ledger.carried_out_at("create-post") == 1


@pytest.mark.parametrize(
    "mistake",
    [
        NotSentError("audit: not sent", endpoint="audit"),
        APIError("audit: 503", status_code=503, body=None, headers=Headers({}), endpoint="audit"),
        NotFoundError("audit: 404", status_code=404, body=None, headers=Headers({}), endpoint="audit"),
    ],
)
@pytest.mark.parametrize("is_sent", [False, True])
async def test_an_error_of_a_call_that_a_middleware_makes_is_not_taken_for_that_of_the_post(
    mistake: CallError, is_sent: bool
) -> None:
    """Not even for one that says that nothing was sent: a bulk run would send the row again."""

    async def audit(request: HttpRequest, send: Send) -> HttpAnswer:
        if is_sent:
            await send(request)
        raise mistake

    async with Sandbox() as sandbox, client_of(sandbox, middlewares=[audit]) as client:
        with pytest.raises(CallError) as caught:
            await client.posts.create(post())
        assert len(sandbox.posts) == is_sent
        assert caught.value.may_have_happened is is_sent
        assert mistake in (caught.value, caught.value.__cause__)
        with pytest.raises(type(mistake)):
            await client.posts.upcoming()


async def _raise_value_error(*_: object) -> None:
    msg = "not JSON"
    raise ValueError(msg)


async def _read_badly(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
    response: aiohttp.ClientResponse = await handler(request)
    await _raise_value_error()
    return response


async def test_a_value_error_in_a_session_is_no_sign_that_nothing_was_sent() -> None:
    """aiohttp raises one for headers that cannot be written; code of the session may raise one after the response."""
    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(_raise_value_error)
    for session in (aiohttp.ClientSession(middlewares=(_read_badly,)), aiohttp.ClientSession(trace_configs=[trace])):
        async with Sandbox() as sandbox, session, client_of(sandbox, session=session) as client:
            with pytest.raises(OutcomeUnknownError, match="not JSON"):
                await client.posts.create(post())
            assert len(sandbox.posts) == 1


async def test_a_header_that_a_session_adds_and_cannot_be_sent_sends_nothing() -> None:
    async def inject(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        request.headers["X-A"] = "a\x00b"
        response: aiohttp.ClientResponse = await handler(request)
        return response

    async with RawServer(always(answer())) as server, aiohttp.ClientSession(middlewares=(inject,)) as session:
        async with client_at(server.base_url, session=session) as client:
            with pytest.raises(ConfigurationError, match="the session handed in made a request that cannot be sent"):
                await client.posts.create(post())
        assert server.requests == []


async def test_what_a_middleware_returns_that_is_no_answer_is_named() -> None:
    async with Sandbox() as sandbox, client_of(sandbox, middlewares=[_forget_to_return]) as client:
        with pytest.raises(MarketingBlocksError, match="middleware"):
            await client.posts.upcoming()


async def test_a_timeout_of_a_middleware_is_not_taken_for_the_deadline() -> None:
    async def own_timeout(_request: HttpRequest, _send: Send) -> HttpAnswer:
        msg = "the vault with the settings did not answer"
        raise TimeoutError(msg)

    async with Sandbox() as sandbox, client_of(sandbox, middlewares=[own_timeout], deadline=60.0) as client:
        with pytest.raises((TimeoutError, CallError)) as caught:
            await client.posts.create(post())
        assert "deadline of 60 s passed" not in str(caught.value)


async def test_sending_twice_is_refused_without_a_second_request_and_says_so() -> None:
    async def twice(request: HttpRequest, send: Send) -> HttpAnswer:
        await send(request)
        return await send(request)

    async with Sandbox() as sandbox, client_of(sandbox, middlewares=[twice]) as client:
        with pytest.raises(MarketingBlocksError) as caught:
            await client.posts.create(post())
        assert sandbox.ledger.attempts() == 1
        # The connection was not lost; to say so sends people looking in the wrong place.
        assert "connection" not in str(caught.value)
        assert "send" in str(caught.value)


async def test_sending_again_after_nothing_was_sent_does_not_go_around_the_rate_limit() -> None:
    async def insist(request: HttpRequest, send: Send) -> HttpAnswer:
        try:
            return await send(request)
        except Exception:  # noqa: BLE001 - as somebody may write it
            await server.__aenter__()
            return await send(request)

    server = RawServer(always(answer()))
    async with server:
        pass
    settings: dict[str, Any] = {"rate_limit": RateLimit(limit=10), "retry": RetryPolicy(max_attempts=1)}
    async with client_at(server.base_url, middlewares=[insist], **settings) as client:
        try:
            with pytest.raises(MarketingBlocksError):
                await client.posts.create(post())
            # Either it was not let out, or it held a permit.
            assert len(server.requests) <= client.rate_limiter.snapshot().in_use
        finally:
            await server.__aexit__()


async def test_a_middleware_may_send_from_a_task_of_its_own() -> None:
    async def in_a_task(request: HttpRequest, send: Send) -> HttpAnswer:
        async def run() -> HttpAnswer:
            return await send(request)

        return await asyncio.create_task(run())

    async with Sandbox() as sandbox, client_of(sandbox, middlewares=[in_a_task], timeout=0.1) as client:
        await client.posts.create(post())
        sandbox.faults.add("commit_then_stall")
        with pytest.raises(OutcomeUnknownError, match="complete response"):
            await client.posts.create(post())


@pytest.mark.parametrize("value", ["a\r\nEvil: 1", "a\nb", "a\rb"])
async def test_a_header_that_cannot_be_sent_is_an_error_that_names_the_middleware_and_sends_nothing(value: str) -> None:
    async def inject(request: HttpRequest, send: Send) -> HttpAnswer:
        return await send(dataclasses.replace(request, headers={**request.headers, "X-A": value}))

    async with RawServer(always(answer())) as server, client_at(server.base_url, middlewares=[inject]) as client:
        with pytest.raises(MarketingBlocksError) as caught:
            await client.posts.create(post())
        assert server.requests == []
        # No session was handed in.
        assert "session" not in str(caught.value)


async def test_an_observer_that_is_slow_or_uses_the_client_disturbs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    further: list[asyncio.Task[Any]] = []

    def use_it(event: OutcomeEvent) -> None:
        if event.endpoint == "create-post":
            further.append(asyncio.create_task(CALLS["upcoming-posts"](client)))  # type: ignore[arg-type]

    async with Sandbox() as sandbox, client_of(sandbox, on_outcome=use_it) as client:
        await client.posts.create(post())
        await asyncio.gather(*further)
        assert sandbox.ledger.attempts("upcoming-posts") == 1
    assert caplog.text == ""


def test_a_middleware_that_cannot_be_called_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="middleware"):
        client_at("http://localhost:1", middlewares=[None])
    with pytest.raises((ConfigurationError, TypeError), match=r"middlewares|iterable"):
        client_at("http://localhost:1", middlewares=_raise_after)
