"""Nothing hangs: silent, dripping and stalling servers, and deadlines that pass at every stage of a call.

Upper bounds on time are generous and there only to say "it hangs"; what is checked is the class of the error, what the
server saw, and that the caller is told the truth about it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import socket
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from marketingblocks_async import (
    APITimeoutError,
    AuthenticationError,
    CallError,
    HttpAnswer,
    HttpRequest,
    MarketingBlocks,
    NotSentError,
    OutcomeEvent,
    OutcomeUnknownError,
    RateLimit,
    RateLimitError,
    RetryEvent,
    RetryPolicy,
    Send,
)
from marketingblocks_async.sandbox import Fault, Sandbox
from tests.support.clients import CALLS, client_at, client_of, post
from tests.support.raw_server import RawRequest, RawServer, Respond, answer

pytestmark = pytest.mark.usefixtures("own_limiters")

HANGS = 5.0
ONCE = RetryPolicy(max_attempts=1)
TOO_MANY = Fault("too_many_requests", params={"retry_after": "25"})


async def error_of(call: Any) -> CallError:
    """Return what a call fails with, and say so if it hangs."""
    async with asyncio.timeout(HANGS) as limit:
        with pytest.raises(CallError) as caught:
            await call
    assert not limit.expired()
    return caught.value


# Time limit of an attempt.


def in_parts(*parts: bytes, pause: float = 0.02, then: float = HANGS) -> Respond:
    """Return what writes the parts one after the other, and keeps the connection open."""

    async def respond(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(pause)
        await asyncio.sleep(then)
        return True

    return respond


def endlessly(part: bytes, begin: bytes = b"") -> Respond:
    async def respond(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        writer.write(begin)
        while not writer.is_closing():
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.005)
        return False

    return respond


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"

SLOW_SERVERS: dict[str, Respond] = {
    "silent": in_parts(),
    "stops in the status line": in_parts(b"HTTP/1.1 2"),
    "stops in the headers": in_parts(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "stops after the head": in_parts(HEAD),
    "stops in the body": in_parts(HEAD, b'{"status": true'),
    "stops in a chunk": in_parts(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
    "never ends a body without length": in_parts(b"HTTP/1.1 200 OK\r\n\r\n{}"),
    "drips a header": endlessly(b"x", b"HTTP/1.1 200 OK\r\nX: "),
    "drips headers": endlessly(b"X: y\r\n", b"HTTP/1.1 200 OK\r\n"),
    "drips the body": endlessly(b" ", HEAD),
    "drips chunks": endlessly(b"1\r\n \r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "says for ever that it is working on it": endlessly(b"HTTP/1.1 102 Processing\r\n\r\n"),
    "sends early hints only": in_parts(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
    "says 100 Continue only": in_parts(b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("server", SLOW_SERVERS)
async def test_no_complete_answer_in_time_is_an_unknown_outcome(server: str) -> None:
    retry = RetryPolicy(max_attempts=2, initial_backoff=0)
    async with RawServer(SLOW_SERVERS[server]) as raw, client_at(raw.base_url, timeout=0.12, retry=retry) as client:
        error, read = await asyncio.gather(error_of(client.posts.create(post())), error_of(client.posts.get(1)))
        assert isinstance(error, OutcomeUnknownError)
        assert isinstance(read, APITimeoutError)
        assert error.request == post()
        assert read.attempts == 2
        # The post is sent once. Fewer come where a busy machine has no time to write or to read one before its end.
        assert Counter(request.line.split()[0] for request in raw.requests) <= Counter(POST=1, GET=2)


@pytest.mark.parametrize(
    ("status", "expected", "requests"),
    [("401 Unauthorized", AuthenticationError, 1), ("429 Slow Down", RateLimitError, 2)],
)
@pytest.mark.parametrize("body", ["", '{"status": fal'], ids=["no body", "half a body"])
async def test_a_refusal_is_one_even_if_its_body_never_comes(
    status: str, expected: type[CallError], requests: int, body: str
) -> None:
    """The head has come, and it says that nothing was carried out. To call that unknown would be false alarm."""
    head = f"HTTP/1.1 {status}\r\nRetry-After: 0.01\r\nContent-Length: 100\r\n\r\n{body}"
    retry = RetryPolicy(max_attempts=2)
    async with RawServer(in_parts(head.encode())) as raw, client_at(raw.base_url, timeout=0.12, retry=retry) as client:
        error = await error_of(client.posts.create(post()))
        assert type(error) is expected
        assert len(raw.requests) == requests


async def test_an_answer_that_is_slow_but_in_time_is_an_answer() -> None:
    body = answer()
    parts = [body[position : position + 20] for position in range(0, len(body), 20)]
    async with RawServer(in_parts(*parts, pause=0.005, then=0)) as raw, client_at(raw.base_url) as client:
        assert (await client.posts.create(post())).post_id == 1
        assert (await client.posts.create(post())).post_id == 1
        assert raw.connections == 1


async def test_waiting_for_the_rate_limit_does_not_count_against_the_time_limit() -> None:
    limit = RateLimit(limit=2, per=0.3, burst=1)
    async with Sandbox(latency=0.01) as sandbox, client_of(sandbox, rate_limit=limit, timeout=0.4) as client:
        await asyncio.gather(*(client.posts.create(post(str(number))) for number in range(6)))
        assert sandbox.ledger.carried_out_at("create-post") == 6


async def test_a_server_that_accepts_and_never_shakes_hands_was_sent_nothing() -> None:
    async with silent_listener() as port, client_at(f"https://127.0.0.1:{port}", timeout=0.1) as client:
        error = await error_of(client.posts.create(post()))
        assert isinstance(error, NotSentError)
        assert error.attempts == 3


async def test_each_attempt_has_its_own_time_limit() -> None:
    faults = [Fault("slow_answer", endpoint="upcoming-posts", times=1, params={"delay": HANGS})]
    async with Sandbox(faults=faults) as sandbox, client_of(sandbox, timeout=0.15) as client:
        await client.posts.upcoming()
        assert sandbox.ledger.attempts("upcoming-posts") == 2


async def test_copies_with_different_time_limits_do_not_disturb_each_other() -> None:
    async with Sandbox(latency=0.3) as sandbox, client_of(sandbox, timeout=HANGS, retry=ONCE) as client:
        quick = client.with_options(timeout=0.15)
        patient = asyncio.create_task(client.posts.create(post("patient")))
        assert isinstance(await error_of(quick.posts.create(post("quick"))), OutcomeUnknownError)
        assert (await patient).post_id is not None


async def test_a_time_limit_that_is_used_once_is_not_remembered_for_ever() -> None:
    """``with_options(timeout=what_is_left)`` for every call is a natural thing to write."""

    async with Sandbox(limit=1000) as sandbox, client_of(sandbox) as client:
        timers: dict[float, Any] = cast("Any", client)._pools[0]._timers
        seen = set[float]()
        for number in range(20):
            await client.with_options(timeout=0.3 + number / 1000).posts.upcoming()
            seen |= timers.keys()
        assert len(seen) == 20
        async with asyncio.timeout(HANGS):
            while timers:  # noqa: ASYNC110 - there is nothing else to wait for
                await asyncio.sleep(0.01)


@asynccontextmanager
async def silent_listener() -> AsyncGenerator[int]:
    """Accept connections (the kernel does) and never say a word on them."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        yield listener.getsockname()[1]


# Deadline of a call.


async def test_a_deadline_that_passes_in_the_queue() -> None:
    events: list[OutcomeEvent] = []
    # Without a guard it cannot be foreseen when the permit of a request that is not answered yet comes back.
    settings = {"rate_limit": RateLimit(limit=1, guard=math.inf), "deadline": 0.1, "on_outcome": events.append}
    async with Sandbox() as sandbox, client_of(sandbox, **settings) as client:
        sandbox.faults.add(Fault("slow_answer", params={"delay": 0.4}))
        first = asyncio.create_task(client.with_options(deadline=None).posts.create(post("first")))
        while not sandbox.ledger.attempts():  # noqa: ASYNC110 - the server is another program in principle
            await asyncio.sleep(0.001)
        error = await error_of(client.posts.create(post("second")))
        assert isinstance(error, NotSentError)
        assert error.attempts == 0
        # In the queue, or foreseen by the limiter.
        assert re.search("deadline (of|is) 0.1 s", str(error))
        assert [event.attempts for event in events] == [0]
        await first
        assert sandbox.ledger.attempts() == 1


async def test_a_deadline_within_a_pause_says_so() -> None:
    settings = {"rate_limit": RateLimit(limit=10), "deadline": 0.1}
    async with Sandbox() as sandbox, client_of(sandbox, **settings) as client:
        waiting = asyncio.create_task(error_of(client.posts.create(post("first"))))
        # It begins to wait before the pause is known, as when another call is refused meanwhile.
        asyncio.get_running_loop().call_soon(client.rate_limiter.pause, 9.0)
        passed, foreseen = await waiting, await error_of(client.posts.create(post("second")))
        for error in (passed, foreseen):
            assert isinstance(error, NotSentError)
            assert re.search(r"\(the API asked for a pause, which lasts [89]\.\d s more\)", str(error))
        assert "deadline of 0.1 s passed" in str(passed)
        assert "deadline is 0.1 s" in str(foreseen)
        assert not sandbox.ledger.arrivals()


async def test_a_queue_that_is_longer_than_the_deadline_is_refused_at_once() -> None:
    events: list[OutcomeEvent] = []
    settings = {"rate_limit": RateLimit(limit=1, per=60.0), "on_outcome": events.append}
    async with Sandbox() as sandbox, client_of(sandbox, **settings) as client:
        await client.posts.create(post("first"))
        error = await error_of(client.with_options(deadline=30.0).posts.create(post("second")))
        assert isinstance(error, NotSentError)
        assert error.attempts == 0
        assert "queue" in str(error)
        assert "deadline is 30 s" in str(error)
        assert events[-1].error is error
        # It did not even queue.
        assert client.rate_limiter.snapshot().granted == 1
        assert client.rate_limiter.snapshot().queued == 0


async def test_a_deadline_that_passes_while_connecting() -> None:
    async with silent_listener() as port, client_at(f"https://127.0.0.1:{port}", deadline=0.1) as client:
        error = await error_of(client.posts.create(post()))
        assert isinstance(error, NotSentError)
        assert error.attempts == 1


@pytest.mark.parametrize("server", ["silent", "stops after the head", "drips the body"])
async def test_a_deadline_that_passes_after_sending(server: str) -> None:
    async with RawServer(SLOW_SERVERS[server]) as raw, client_at(raw.base_url, deadline=0.15) as client:
        error = await error_of(client.posts.create(post()))
        assert isinstance(error, OutcomeUnknownError)
        assert error.attempts == len(raw.requests) == 1
        assert error.request == post()
        assert "deadline of 0.15 s" in str(error)
        assert "may or may not" in str(error)
        read = await error_of(client.posts.get(1))
        assert isinstance(read, APITimeoutError)
        assert "may or may not" not in str(read)


async def test_a_backoff_that_ends_after_the_deadline_is_not_begun() -> None:
    retries: list[RetryEvent] = []
    settings = {
        "deadline": 30.0,
        "retry": RetryPolicy(initial_backoff=90.0, max_backoff=90.0),
        "on_retry": retries.append,
    }
    async with Sandbox(faults=["error_500"]) as sandbox, client_of(sandbox, **settings) as client:
        error = await error_of(client.posts.upcoming())
        assert error.attempts == sandbox.ledger.attempts() == 1
        assert "500" in str(error)
        assert retries == []


async def test_a_deadline_that_passes_in_the_attempt_after_a_backoff_tells_of_both() -> None:
    faults = [
        Fault("error_500", endpoint="update-comment-automation", times=1),
        Fault("commit_then_stall", endpoint="update-comment-automation"),
    ]
    async with Sandbox() as sandbox, client_of(sandbox, deadline=0.2) as client:
        await CALLS["create-comment-automation"](client)
        for fault in faults:
            sandbox.faults.add(fault)
        error = await error_of(CALLS["update-comment-automation"](client))
        assert isinstance(error, OutcomeUnknownError)
        assert error.attempts == 2


async def test_a_pause_that_ends_after_the_deadline_is_not_begun() -> None:
    retries: list[RetryEvent] = []
    settings: dict[str, Any] = {"deadline": 20.0, "retry": RetryPolicy(), "on_retry": retries.append}
    for limit in (None, 100):
        settings["rate_limit"] = RateLimit(limit=limit)
        async with Sandbox(faults=[TOO_MANY]) as sandbox, client_of(sandbox, **settings) as client:
            error = await error_of(client.posts.create(post()))
            assert isinstance(error, RateLimitError)
            assert error.retry_after == 25
            assert error.attempts == sandbox.ledger.attempts() == 1
            assert retries == []


async def test_a_deadline_that_passes_in_a_pause_that_another_call_began() -> None:
    settings = {"rate_limit": RateLimit(), "retry": ONCE}
    async with Sandbox(faults=[TOO_MANY]) as sandbox, client_of(sandbox, **settings) as client:
        assert isinstance(await error_of(client.posts.create(post("first"))), RateLimitError)
        error = await error_of(client.with_options(deadline=10.0).posts.create(post("second")))
        assert isinstance(error, NotSentError)
        assert "queue" in str(error)
        assert sandbox.ledger.attempts() == 1


async def test_a_deadline_covers_all_attempts_together() -> None:
    settings = {"deadline": 0.3, "retry": RetryPolicy(max_attempts=1000, initial_backoff=0.01, max_backoff=0.01)}
    async with Sandbox(faults=["error_500"], limit=10_000) as sandbox, client_of(sandbox, **settings) as client:
        error = await error_of(client.posts.upcoming())
        assert 2 < error.attempts <= 61
        assert error.attempts in {sandbox.ledger.attempts(), sandbox.ledger.attempts() + 1}


async def test_a_deadline_holds_in_a_middleware_too() -> None:
    async def linger(_request: HttpRequest, _send: Send) -> HttpAnswer:
        await asyncio.sleep(HANGS)
        raise AssertionError

    async with Sandbox() as sandbox, client_of(sandbox, deadline=0.05, middlewares=[linger]) as client:
        error = await error_of(client.posts.create(post()))
        assert isinstance(error, NotSentError)
        assert not sandbox.ledger.endpoints


async def test_a_deadline_is_an_error_of_ours_also_inside_a_timeout_of_the_callers_own() -> None:
    async with Sandbox(faults=["commit_then_stall"]) as sandbox, client_of(sandbox, deadline=0.05) as client:
        async with asyncio.timeout(HANGS) as outer:
            with pytest.raises(OutcomeUnknownError):
                await client.posts.create(post())
            await asyncio.sleep(0)
        assert not outer.expired()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0


async def test_a_deadline_and_a_time_limit_that_pass_in_the_same_turn_are_an_error_of_ours() -> None:
    async with RawServer(in_parts()) as raw, client_at(raw.base_url, deadline=0.1, timeout=0.1, retry=ONCE) as client:
        for _ in range(3):
            error = await error_of(client.posts.create(post()))
            assert isinstance(error, OutcomeUnknownError)


async def test_a_hundred_calls_whose_deadline_passes_together() -> None:
    before = asyncio.all_tasks()
    async with Sandbox(faults=["commit_then_stall"], limit=1000) as sandbox, client_of(sandbox, deadline=1.5) as client:
        calls = (client.posts.create(post(str(number))) for number in range(100))
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(result) for result in results} == {OutcomeUnknownError}
        assert sandbox.ledger.carried_out_at("create-post") == 100
    assert [task for task in asyncio.all_tasks() - before if "sandbox" not in repr(task)] == []


@pytest.mark.parametrize("deadline", [1e-9, 1e-3, 1e6, 1])
async def test_deadlines_of_any_size_work(deadline: float) -> None:
    async with Sandbox() as sandbox, client_of(sandbox, deadline=deadline) as client:
        with contextlib.suppress(NotSentError, OutcomeUnknownError):
            await asyncio.wait_for(client.posts.create(post()), HANGS)
        assert sandbox.ledger.attempts() <= 1


# Closing.


async def _close_at(client: MarketingBlocks, condition: Callable[[], object]) -> None:
    async with asyncio.timeout(HANGS):
        while not condition():  # noqa: ASYNC110 - the server is another program in principle
            await asyncio.sleep(0.001)
    await client.close()


async def test_a_client_that_closes_while_connecting_ends_the_call_as_not_sent() -> None:
    async with silent_listener() as port:
        client = client_at(f"https://127.0.0.1:{port}", timeout=HANGS)
        await client.open()
        call = asyncio.create_task(client.posts.create(post()))
        await asyncio.sleep(0.02)
        await client.close()
        assert isinstance(await error_of(call), NotSentError)


async def test_a_client_that_closes_in_a_backoff_ends_the_call() -> None:
    retries: list[RetryEvent] = []
    async with Sandbox(faults=["error_500"]) as sandbox:
        client = client_of(sandbox, retry=RetryPolicy(initial_backoff=30.0), on_retry=retries.append)
        await client.open()
        call = asyncio.create_task(client.posts.upcoming())
        await _close_at(client, lambda: retries)
        assert (await error_of(call)).attempts == sandbox.ledger.attempts() == 1


async def test_a_client_that_closes_while_a_middleware_lingers_lets_nothing_out() -> None:
    entered, gate = asyncio.Event(), asyncio.Event()

    async def linger(request: HttpRequest, send: Send) -> HttpAnswer:
        entered.set()
        await gate.wait()
        return await send(request)

    async with Sandbox() as sandbox:
        client = client_of(sandbox, middlewares=[linger])
        await client.open()
        call = asyncio.create_task(client.posts.create(post()))
        await entered.wait()
        await client.close()
        gate.set()
        error = await error_of(call)
        assert isinstance(error, NotSentError)
        assert "closed" in str(error)
        assert not sandbox.ledger.endpoints


async def test_a_timeout_in_the_clean_up_of_a_cancelled_task_is_one() -> None:
    raised: list[Exception] = []

    async def work(client: MarketingBlocks) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            try:
                await client.posts.upcoming()
            except CallError as error:
                raised.append(error)

    async with (
        Sandbox(faults=["slow_answer:delay=30"]) as sandbox,
        client_of(sandbox, timeout=0.05, retry=RetryPolicy(max_attempts=1)) as client,
    ):
        task = asyncio.create_task(work(client))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [type(error) for error in raised] == [APITimeoutError]
