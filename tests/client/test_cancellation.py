"""A cancelled call: what the caller is told (note, log, event) against what the server's ledger has."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from marketingblocks_async import (
    APIConnectionError,
    APITimeoutError,
    AttemptEvent,
    MarketingBlocks,
    NotSentError,
    OutcomeEvent,
    OutcomeUnknownError,
    RateLimit,
    RetryEvent,
    RetryPolicy,
)
from marketingblocks_async.sandbox import Fault, Sandbox
from tests.support.clients import CALLS, WRITES_NOT_RESENT, client_at, client_of, post
from tests.support.raw_server import RawRequest, RawServer, answer, listening

pytestmark = pytest.mark.usefixtures("own_limiters")

SOON = 3.0
MOST_TURNS = 60
"""A call takes far fewer turns of the loop."""


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def settle(sandbox: Sandbox) -> None:
    for _ in range(10):
        await asyncio.sleep(0.001)
    await until(lambda: not sandbox.in_flight)


def notes_of(error: BaseException) -> str:
    return " ".join(getattr(error, "__notes__", []))


async def cancelled(task: asyncio.Task[Any]) -> asyncio.CancelledError:
    """Cancel a task and return what it ended with."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    return caught.value


async def until(condition: Callable[[], object]) -> None:
    """Wait until something has happened at the server, which is another program in principle."""
    async with asyncio.timeout(SOON):
        while not condition():  # noqa: ASYNC110 - another program gives no sign
            await asyncio.sleep(0.001)


async def call_of(endpoint: str, client: MarketingBlocks) -> None:
    await CALLS[endpoint](client)


@pytest.mark.parametrize("limit", [None, 100])
@pytest.mark.parametrize("warm", [False, True])
async def test_at_every_turn_of_the_loop_the_caller_is_told_what_the_ledger_has(
    limit: int | None, warm: bool, caplog: pytest.LogCaptureFixture
) -> None:
    events: list[OutcomeEvent] = []
    told = dict[str, bool]()
    settings = {"rate_limit": RateLimit(limit=limit, burst=100), "on_outcome": events.append}
    async with Sandbox() as sandbox, client_of(sandbox, **settings) as client:
        for count in range(MOST_TURNS):
            if warm:
                await client.posts.upcoming()
            caption = f"cancelled after {count} turns"
            events.clear()
            caplog.clear()
            task = asyncio.create_task(client.posts.create(post(caption)))
            await turns(count)
            if task.done():
                break
            note = notes_of(await cancelled(task))
            told[caption] = bool(note)
            if count:
                (event,) = events
                assert event.cancelled
                assert isinstance(event.error, OutcomeUnknownError if note else NotSentError)
                assert (event.error.attempts, event.attempts) in {(0, 0), (1, 1)}
                if isinstance(event.error, OutcomeUnknownError):
                    assert event.error.request == post(caption)
            assert ("may or may not" in note) is bool(note)
            assert ("may or may not" in caplog.text) is bool(note)
        else:
            pytest.fail("the call never came to its end")
        await settle(sandbox)
        created = {commit.request["caption_text"] for commit in sandbox.ledger.commits} & told.keys()
        # Here nothing comes between writing and arriving, so what is told is not only safe but exact.
        assert created == {caption for caption, may_exist in told.items() if may_exist}
        assert len(created) >= 3
        assert len(created) < len(told)
        assert not sandbox.ledger.duplicates()


async def test_with_a_session_that_was_handed_in_nothing_that_the_ledger_has_is_called_not_sent() -> None:
    told = dict[str, bool]()
    async with (
        Sandbox() as sandbox,
        aiohttp.ClientSession() as session,
        client_of(sandbox, session=session) as client,
    ):
        for count in range(MOST_TURNS):
            caption = f"cancelled after {count} turns"
            task = asyncio.create_task(client.posts.create(post(caption)))
            await turns(count)
            if task.done():
                break
            told[caption] = bool(notes_of(await cancelled(task)))
        await settle(sandbox)
        created = {commit.request["caption_text"] for commit in sandbox.ledger.commits} & told.keys()
        assert created <= {caption for caption, may_exist in told.items() if may_exist}
        assert len(created) >= 3


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
async def test_with_eager_tasks_the_caller_is_told_what_the_ledger_has() -> None:
    asyncio.get_running_loop().set_task_factory(getattr(asyncio, "eager_task_factory"))  # noqa: B009 - not in 3.11
    told = dict[str, bool]()
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        for count in range(MOST_TURNS):
            caption = f"cancelled after {count} turns"
            task = asyncio.create_task(client.posts.create(post(caption)))
            await turns(count)
            if task.done():
                break
            told[caption] = bool(notes_of(await cancelled(task)))
        await settle(sandbox)
        created = {commit.request["caption_text"] for commit in sandbox.ledger.commits} & told.keys()
        assert created == {caption for caption, may_exist in told.items() if may_exist}
        assert len(created) >= 3


@pytest.mark.parametrize("endpoint", sorted(CALLS))
async def test_every_write_in_flight_is_told_to_be_unknown_and_no_read_is(
    endpoint: str, caplog: pytest.LogCaptureFixture
) -> None:
    events: list[OutcomeEvent] = []
    async with Sandbox() as sandbox, client_of(sandbox, on_outcome=events.append) as client:
        await CALLS["create-post"](client)
        await CALLS["create-comment-automation"](client)
        sandbox.faults.add(Fault("commit_then_stall", endpoint=endpoint))
        events.clear()
        arrived = sandbox.ledger.attempts(endpoint)
        task = asyncio.create_task(call_of(endpoint, client))
        await until(lambda: sandbox.ledger.attempts(endpoint) > arrived)
        error = await cancelled(task)
        is_write = endpoint in WRITES_NOT_RESENT or endpoint == "update-comment-automation"
        assert ("may or may not" in notes_of(error)) is is_write
        assert ("may or may not" in caplog.text) is is_write
        assert [(event.endpoint, event.cancelled, event.attempts) for event in events] == [(endpoint, True, 1)]
        assert isinstance(events[0].error, OutcomeUnknownError if is_write else APIConnectionError)


# However the caller does it.


async def _by_timeout(client: MarketingBlocks) -> None:
    async with asyncio.timeout(0.2):
        await client.posts.create(post())


async def _by_wait_for(client: MarketingBlocks) -> None:
    await asyncio.wait_for(client.posts.create(post()), 0.2)


async def _by_wait_for_of_a_task(client: MarketingBlocks) -> None:
    await asyncio.wait_for(asyncio.create_task(client.posts.create(post())), 0.2)


@pytest.mark.parametrize("way", [_by_timeout, _by_wait_for, _by_wait_for_of_a_task])
async def test_a_timeout_of_the_callers_own_carries_the_note_in_its_cause(
    way: Callable[[MarketingBlocks], Awaitable[None]],
) -> None:
    async with Sandbox(faults=["commit_then_stall"]) as sandbox, client_of(sandbox) as client:
        with pytest.raises(TimeoutError) as caught:
            await way(client)
        # Python 3.11.2 has it as the context only.
        cause = caught.value.__cause__ or caught.value.__context__
        assert isinstance(cause, asyncio.CancelledError)
        assert "may or may not" in notes_of(cause)
        assert sandbox.ledger.carried_out_at("create-post") == 1
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0


async def test_a_failing_sibling_in_a_task_group_cancels_the_call_and_it_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class SiblingError(Exception):
        pass

    async def fail_after_arrival() -> None:
        await until(sandbox.ledger.attempts)
        raise SiblingError

    async def both(client: MarketingBlocks) -> None:
        async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
            group.create_task(client.posts.create(post()))
            group.create_task(fail_after_arrival())

    async with Sandbox(faults=["commit_then_stall"]) as sandbox, client_of(sandbox) as client:
        with pytest.raises(ExceptionGroup) as caught:
            await both(client)
        assert caught.value.subgroup(SiblingError) is not None
        assert "may or may not" in caplog.text
        # Nothing of it is left, and the client goes on working.
        sandbox.faults.clear()
        await client.posts.create(post("the next"))


async def test_a_call_of_an_outer_task_that_is_cancelled_three_times_ends_once() -> None:
    events: list[OutcomeEvent] = []
    async with (
        Sandbox(faults=["commit_then_stall"]) as sandbox,
        client_of(sandbox, on_outcome=events.append) as client,
    ):
        task = asyncio.create_task(client.posts.create(post()))
        await until(sandbox.ledger.attempts)
        task.cancel()
        task.cancel()
        error = await cancelled(task)
        assert notes_of(error).count("may or may not") == 1
        assert len(events) == 1


# Where nothing can have been sent.


async def test_cancelled_in_the_queue() -> None:
    events: list[OutcomeEvent] = []
    settings = {"rate_limit": RateLimit(limit=1, per=60.0), "on_outcome": events.append}
    async with Sandbox() as sandbox, client_of(sandbox, **settings) as client:
        await client.posts.create(post("first"))
        task = asyncio.create_task(client.posts.create(post("second")))
        await turns(5)
        assert client.rate_limiter.snapshot().queued == 1
        assert notes_of(await cancelled(task)) == ""
        assert client.rate_limiter.snapshot().queued == 0
        assert isinstance(events[-1].error, NotSentError)
        assert events[-1].attempts == 0
        assert sandbox.ledger.carried_out_at("create-post") == 1


async def test_cancelled_while_connecting_gives_its_permit_back_at_once() -> None:
    accepted = asyncio.Event()

    async def never_shake_hands(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        accepted.set()
        await asyncio.sleep(SOON)

    limit = RateLimit(limit=1, per=60.0)
    async with (
        listening(never_shake_hands) as port,
        client_at(f"https://127.0.0.1:{port}", rate_limit=limit) as client,
    ):
        task = asyncio.create_task(client.posts.create(post()))
        await accepted.wait()
        assert client.rate_limiter.snapshot().in_use == 1
        assert notes_of(await cancelled(task)) == ""
        assert client.rate_limiter.snapshot().in_use == 0


async def test_cancelled_after_it_was_written_keeps_its_permit_as_long_as_the_server_may_count_it() -> None:
    settings = {"rate_limit": RateLimit(limit=1, per=60.0)}
    async with Sandbox(faults=["commit_then_stall"]) as sandbox, client_of(sandbox, **settings) as client:
        task = asyncio.create_task(client.posts.create(post()))
        await until(sandbox.ledger.attempts)
        await cancelled(task)
        assert client.rate_limiter.snapshot().in_use == 1


@pytest.mark.parametrize("limit", [None, 100])
async def test_cancelled_in_the_pause_after_a_refusal(limit: int | None) -> None:
    events: list[OutcomeEvent] = []
    retries: list[RetryEvent] = []
    settings = {
        "rate_limit": RateLimit(limit=limit),
        "retry": RetryPolicy(),
        "on_outcome": events.append,
        "on_retry": retries.append,
    }
    async with (
        Sandbox(faults=["too_many_requests:retry_after=30"]) as sandbox,
        client_of(sandbox, **settings) as client,
    ):
        task = asyncio.create_task(client.posts.create(post()))
        await until(lambda: retries)
        await turns(5)
        assert notes_of(await cancelled(task)) == ""
        (event,) = events
        assert isinstance(event.error, NotSentError)
        assert event.error.attempts == event.attempts == 1
        assert event.error.first_failure is not None
        assert sandbox.ledger.attempts() == 1
        assert sandbox.ledger.carried_out_at() == 0


async def test_cancelled_in_the_backoff_after_an_update_that_may_have_arrived() -> None:
    """It is sent again later, so between two attempts its outcome is as unknown as in one."""
    retries: list[RetryEvent] = []
    settings = {"retry": RetryPolicy(initial_backoff=30.0), "on_retry": retries.append}
    async with Sandbox() as sandbox, client_of(sandbox, **settings) as client:
        await CALLS["create-comment-automation"](client)
        sandbox.faults.add(Fault("commit_then_drop", endpoint="update-comment-automation"))
        task = asyncio.create_task(call_of("update-comment-automation", client))
        await until(lambda: retries)
        assert "may or may not" in notes_of(await cancelled(task))


# Together with other ends.


async def test_many_at_once_leave_nothing_running_and_an_honest_ledger(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    before = asyncio.all_tasks()
    async with Sandbox(latency=0.003) as sandbox, client_of(sandbox) as client:
        tasks = [asyncio.create_task(client.posts.create(post(str(number)))) for number in range(100)]
        for number, task in enumerate(tasks):
            asyncio.get_running_loop().call_later(number * 0.0002, task.cancel)
        results = await asyncio.gather(*(asyncio.wait_for(task, SOON) for task in tasks), return_exceptions=True)
        await settle(sandbox)
        created = {int(commit.request["caption_text"]) for commit in sandbox.ledger.commits}
        succeeded = {number for number, result in enumerate(results) if not isinstance(result, BaseException)}
        assert succeeded <= created
        assert all(
            isinstance(result, asyncio.CancelledError) for result in results if isinstance(result, BaseException)
        )
        assert not sandbox.ledger.duplicates()
    assert [task for task in asyncio.all_tasks() - before if "sandbox" not in repr(task)] == []


async def test_a_call_that_is_cancelled_while_its_client_closes_ends_in_either() -> None:
    async with Sandbox(faults=["commit_then_stall"]) as sandbox:
        for count in range(4):
            client = client_of(sandbox)
            await client.open()
            task = asyncio.create_task(client.posts.create(post(str(count))))
            await until(lambda count=count: sandbox.ledger.attempts() > count)  # type: ignore[misc]
            closing = asyncio.create_task(client.close())
            await turns(count)
            task.cancel()
            with pytest.raises((asyncio.CancelledError, OutcomeUnknownError)) as caught:
                await asyncio.wait_for(task, SOON)
            told = caught.value
            assert isinstance(told, OutcomeUnknownError) or "may or may not" in notes_of(told)
            await closing


async def test_an_attempt_that_times_out_leaves_no_cancellation_behind() -> None:
    """The time limit works by cancelling the task; the caller must not notice."""
    attempts: list[AttemptEvent] = []
    async with Sandbox(faults=["commit_then_stall"]) as sandbox:
        async with (
            client_of(sandbox, timeout=0.15, on_attempt=attempts.append) as client,
            asyncio.timeout(SOON) as outer,
        ):
            with pytest.raises(OutcomeUnknownError, match="complete response"):
                await client.posts.create(post())
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0
            await asyncio.sleep(0)
            with pytest.raises(APITimeoutError):
                await client.posts.upcoming()
            assert task.cancelling() == 0
            assert not outer.expired()
        assert len(attempts) == 4


async def test_a_cancellation_at_the_instant_of_the_time_limit_is_a_cancellation() -> None:
    async with Sandbox(faults=["commit_then_stall"]) as sandbox, client_of(sandbox, timeout=0.05) as client:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(client.posts.create(post()))
        await until(sandbox.ledger.attempts)
        # Both in one turn: the loop is held up until the time limit has passed as well.
        loop.call_soon(task.cancel)
        time.sleep(0.08)  # noqa: ASYNC251 - it is to block the loop
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert "may or may not" in notes_of(caught.value)


async def test_the_answer_of_a_cancelled_call_is_not_given_to_the_next_one() -> None:
    release = asyncio.Event()

    async def slow_then_quick(request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        if b"slow" in request.body:
            await release.wait()
        writer.write(answer(b'{"status": true, "post_id": %d}' % (1 if b"slow" in request.body else 2)))
        return True

    async with RawServer(slow_then_quick) as server, client_at(server.base_url) as client:
        task = asyncio.create_task(client.posts.create(post("slow")))
        await until(lambda: server.requests)
        await cancelled(task)
        release.set()
        assert (await client.posts.create(post("quick"))).post_id == 2
        assert server.connections == 2


async def test_one_line_is_logged_for_all_calls_that_are_cancelled_together(caplog: pytest.LogCaptureFixture) -> None:
    async with Sandbox(faults=["commit_then_stall"]) as sandbox, client_of(sandbox) as client:
        calls = [asyncio.create_task(client.posts.create(post(f"post {number}"))) for number in range(20)]
        await until(lambda: sandbox.ledger.attempts() == 20)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        [line] = caplog.messages
        assert "create-post: it may or may not have been carried out" in line
        assert "19 more calls" in line
