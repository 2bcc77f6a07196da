"""Opening, closing, sharing, and using a client where it cannot work."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import pickle
import socket
from typing import Any, cast

import aiohttp
import pytest

from marketingblocks_async import (
    ConfigurationError,
    Lane,
    MarketingBlocks,
    MarketingBlocksError,
    NotSentError,
    OutcomeUnknownError,
    RateLimit,
    RetryPolicy,
    TokenFleet,
)
from marketingblocks_async.sandbox import Fault, Sandbox
from marketingblocks_async.transport.attempt import Attempt
from tests.support.clients import client_at, client_of, post
from tests.support.polling import until
from tests.support.raw_server import RawRequest, RawServer, answer


async def test_use_outside_async_with_says_what_to_do() -> None:
    async with Sandbox() as sandbox:
        client = client_of(sandbox)
        with pytest.raises(ConfigurationError, match="async with"):
            await client.posts.create(post())
        with pytest.raises(ConfigurationError, match="async with"):
            await client.docs.ask("why?")
        async with client:
            await client.posts.create(post())
        with pytest.raises(ConfigurationError, match="async with"):
            await client.posts.create(post())


def test_with_instead_of_async_with_says_what_to_write() -> None:
    client: Any = MarketingBlocks("token")
    with pytest.raises(TypeError, match=r"'async with'; .* marketingblocks_async\.blocking"), client:
        pass
    fleet: Any = TokenFleet()
    with pytest.raises(TypeError, match="'async with'"), fleet:
        pass


async def test_closing_twice_and_closing_what_was_never_open_does_nothing() -> None:
    async with Sandbox() as sandbox:
        client = client_of(sandbox)
        await client.close()
        await client.open()
        await client.close()
        await client.close()


def test_a_client_can_be_opened_again_on_another_event_loop() -> None:
    client: MarketingBlocks | None = None

    async def use() -> None:
        nonlocal client
        async with Sandbox(port=0) as sandbox:
            client = client_of(sandbox)
            async with client:
                await client.posts.create(post())

    async def again(port: int) -> None:
        assert client is not None
        async with Sandbox(port=port), client:
            await client.posts.create(post())

    asyncio.run(use())
    assert client is not None
    port = int(repr(client).split("127.0.0.1:")[1].split("/")[0])
    asyncio.run(again(port))


def test_a_client_that_is_open_on_another_event_loop_says_so() -> None:
    async def main() -> None:
        async with Sandbox() as sandbox, client_of(sandbox) as client:

            async def elsewhere() -> None:
                with pytest.raises(ConfigurationError, match="another event loop"):
                    await client.posts.create(post())
                with pytest.raises(ConfigurationError, match="another event loop"):
                    await client.open()

            await asyncio.to_thread(asyncio.run, elsewhere())
            await client.posts.create(post())

    asyncio.run(main())


# Its connections and tasks are destroyed as they are.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("closes", [False, True])
def test_a_client_whose_loop_was_closed_while_it_was_in_use_begins_anew(closes: bool) -> None:
    """To open or close it failed with "Event loop is closed", and its connections counted as in use for ever."""
    loop = asyncio.new_event_loop()
    told: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        root = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        client = MarketingBlocks("token", base_url=root, max_connections=3, on_outcome=told.append)
        slots = client.connection_slots
        assert slots is not None

        async def leave() -> list[asyncio.Task[Any]]:
            await client.open()
            calls = [asyncio.create_task(client.posts.upcoming()) for _ in range(5)]
            await until(lambda: (slots.in_use, slots.waiting) == (3, 2))
            return calls

        async def again() -> None:
            if closes:
                await client.close()
            async with client:
                assert (slots.in_use, slots.waiting) == (0, 0)

        calls = loop.run_until_complete(leave())
        loop.close()
        asyncio.run(again())
        del calls
        gc.collect()
    assert slots.in_use == 0
    # The calls had no end of which to tell.
    assert told == []


# As above.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_calls_of_a_closed_loop_hold_no_permits_even_if_their_tasks_are_kept() -> None:
    """They held them for ever, so that the client had fewer permits on each next loop."""
    loop = asyncio.new_event_loop()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        root = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        client = MarketingBlocks("kept-tasks", base_url=root, rate_limit=RateLimit(3))

        async def leave() -> list[asyncio.Task[Any]]:
            await client.open()
            calls = [asyncio.create_task(client.posts.upcoming()) for _ in range(3)]
            await until(lambda: in_use() == 3)
            return calls

        def in_use() -> int:
            assert client.rate_limiter is not None
            return client.rate_limiter.snapshot().in_use

        async def again() -> None:
            async with client:
                await until(lambda: in_use() == 0)

        calls = loop.run_until_complete(leave())
        loop.close()
        asyncio.run(again())
        assert not any(call.done() for call in calls)
        del calls
        gc.collect()


async def test_a_call_that_is_destroyed_gives_back_what_it_has_and_tells_nothing() -> None:
    """As the garbage collector does it, in another context than the call's."""
    told: list[object] = []
    arrived = asyncio.Event()

    async def be_silent(_request: RawRequest, _writer: asyncio.StreamWriter) -> bool:
        arrived.set()
        return await asyncio.Event().wait()

    changes: dict[str, Any] = {"rate_limit": RateLimit(), "max_connections": 1, "on_outcome": told.append}
    async with RawServer(be_silent) as server, client_at(server.base_url, **changes) as client:
        call: Any = client.posts.create(post())
        context = contextvars.copy_context()
        arrival = asyncio.create_task(arrived.wait())
        while not arrived.is_set():
            future = context.run(call.send, None)
            future._asyncio_future_blocking = False
            await asyncio.wait([future, arrival], return_when=asyncio.FIRST_COMPLETED)
        slots = client.connection_slots
        assert slots is not None
        assert slots.in_use == 1
        call.close()
        assert slots.in_use == 0
        assert told == []


def test_a_place_that_comes_back_after_its_loop_was_closed_wakes_none() -> None:
    attempt = Attempt(None, None)

    async def leave() -> asyncio.Task[bool]:
        attempt.slot = asyncio.Semaphore(1)
        await attempt.slot.acquire()
        waiting = asyncio.create_task(attempt.slot.acquire())
        await asyncio.sleep(0)
        return waiting

    loop = asyncio.new_event_loop()
    waiting = loop.run_until_complete(leave())
    loop.close()
    attempt.give_back()
    assert attempt.slot is None
    del waiting


# Its client and tasks are destroyed as they are.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_bulk_call_that_waits_for_a_place_and_is_destroyed_wakes_none() -> None:
    """What the lock of the bulk calls raised took the place of the end, and was told to hooks."""

    async def leave() -> list[asyncio.Task[None]]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
            client = MarketingBlocks("token", base_url="http://127.0.0.1:9/v1", session=session)
            await client.open()
            transport = cast("Any", client)._executor.transport
            tasks = [asyncio.create_task(transport.take_slot(Attempt(None, None), Lane.BULK)) for _ in range(3)]
            await until(tasks[0].done)
            return tasks

    loop = asyncio.new_event_loop()
    tasks = loop.run_until_complete(leave())
    loop.close()
    assert [task.done() for task in tasks] == [True, False, False]
    while tasks:
        cast("Any", tasks.pop().get_coro()).close()
    gc.collect()


async def test_the_wait_for_a_place_in_a_sessions_pool_is_a_wait() -> None:
    """It used up the time that there is for retries."""
    may_answer = asyncio.Event()

    async def respond(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        await may_answer.wait()
        writer.write(answer())
        return True

    async with (
        RawServer(respond) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session,
        client_at(server.base_url, session=session) as client,
    ):
        calls = [asyncio.create_task(client.with_raw_response.posts.create(post())) for _ in range(2)]
        await until(lambda: bool(server.requests))
        await asyncio.sleep(0.05)
        may_answer.set()
        first, second = await asyncio.gather(*calls)
    assert second.waited >= 0.05
    assert first.waited < second.waited


async def test_calls_that_wait_for_the_limit_end_when_their_client_closes() -> None:
    async with Sandbox() as sandbox:
        client = client_of(sandbox, rate_limit=RateLimit(limit=2))
        other = client_of(sandbox, rate_limit=RateLimit(limit=2))
        async with other:
            async with client:
                tasks = [asyncio.create_task(client.posts.create(post(f"{n}"))) for n in range(20)]
                theirs = asyncio.create_task(other.posts.create(post("of another client with the same token")))
                await asyncio.sleep(0.1)
            results = await asyncio.gather(*tasks, return_exceptions=True)
            waiting = [result for result in results if isinstance(result, NotSentError)]
            assert len(waiting) >= 15
            assert "closed" in str(waiting[0])
            await theirs
        assert sandbox.ledger.carried_out_at("create-post") == 20 - len(waiting) + 1


@pytest.mark.parametrize("given", [False, True])
async def test_calls_in_flight_end_when_their_client_closes(given: bool) -> None:
    async with Sandbox(faults=[Fault("commit_then_stall")]) as sandbox, contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession()) if given else None
        client = client_of(sandbox, session=session)
        async with client:
            write = asyncio.create_task(client.posts.create(post()))
            read = asyncio.create_task(client.posts.upcoming())
            while sandbox.ledger.attempts() < 2:  # noqa: ASYNC110 - the server is another program in principle
                await asyncio.sleep(0.01)
        with pytest.raises(OutcomeUnknownError, match="closed") as unknown:
            await write
        assert unknown.value.request == post()
        with pytest.raises(MarketingBlocksError, match="closed"):
            await read
        assert session is None or not session.closed


async def test_a_call_that_waits_before_a_retry_ends_when_its_client_closes() -> None:
    async with Sandbox(faults=["too_many_requests:retry_after=30"]) as sandbox:
        client = client_of(sandbox, retry=RetryPolicy())
        async with client:
            task = asyncio.create_task(client.posts.create(post()))
            while sandbox.ledger.attempts() < 1:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
        with pytest.raises(NotSentError, match="closed") as caught:
            await task
        assert caught.value.first_failure is not None
        assert "429" in str(caught.value.first_failure)


async def test_a_session_that_was_handed_in_is_used_and_never_closed() -> None:
    async with Sandbox() as sandbox, aiohttp.ClientSession(headers={"X-Mine": "1"}) as session:
        async with client_of(sandbox, session=session) as client:
            await client.posts.create(post())
            await client.posts.upcoming()
        assert not session.closed
        async with session.get(f"{sandbox.base_url}/social-sparks/upcoming-posts") as answer:
            assert answer.status == 401
        assert sandbox.ledger.carried_out_at() == 2


async def test_the_limit_holds_with_a_session_that_was_handed_in() -> None:
    async with Sandbox(policy="sliding_log_strict", jitter=0.03) as sandbox, aiohttp.ClientSession() as session:
        async with client_of(sandbox, session=session, rate_limit=RateLimit()) as client:
            await asyncio.gather(*(client.posts.create(post(f"{n}")) for n in range(220)))
        assert sandbox.ledger.worst_window() <= 100
        assert sandbox.ledger.too_many_requests() == 0


async def test_middlewares_of_a_session_that_was_handed_in_still_run() -> None:
    seen: list[str] = []

    async def note(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        seen.append(request.method)
        response: aiohttp.ClientResponse = await handler(request)
        return response

    async with (
        Sandbox() as sandbox,
        aiohttp.ClientSession(middlewares=(note,)) as session,
        client_of(sandbox, session=session) as client,
    ):
        await client.posts.create(post())
    assert seen == ["POST"]


async def test_a_closed_session_and_one_of_another_loop_are_refused() -> None:
    async with Sandbox() as sandbox:
        session = aiohttp.ClientSession()
        await session.close()
        with pytest.raises(ConfigurationError, match="closed"):
            await client_of(sandbox, session=session).open()


async def test_a_session_that_its_owner_closes_meanwhile_gives_an_error_of_ours() -> None:
    async with Sandbox() as sandbox:
        session = aiohttp.ClientSession()
        async with client_of(sandbox, session=session) as client:
            await client.posts.create(post())
            await session.close()
            with pytest.raises(NotSentError, match="closed"):
                await client.posts.create(post())


async def test_copies_share_the_pool_and_close_with_the_original() -> None:
    async with Sandbox() as sandbox:
        client = client_of(sandbox)
        quick, other = client.with_options(timeout=1, deadline=2), client.with_token(sandbox.add_token("other"))
        async with client:
            await quick.posts.create(post("quick"))
            await other.posts.create(post("other"))
            async with client.with_options(retry=RetryPolicy(max_attempts=1)) as copy:
                await copy.posts.create(post("copy"))
            await client.posts.create(post("still open"))
        for closed in (client, quick, other):
            with pytest.raises(ConfigurationError):
                await closed.posts.create(post())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"max_retries": -1}, "max_retries"),
        ({"max_retries": 1.0}, "max_retries"),
        ({"max_retries": True}, "max_retries"),
        ({"retry": None, "max_retries": 1}, "RetryPolicy"),
        ({"deadline": -1}, "deadline"),
        ({"rate_limit": 100}, "RateLimit"),
        ({"retry": 3}, "RetryPolicy"),
        ({"max_response_bytes": 0}, "max_response_bytes"),
        ({"base_url": "http://example.com/api"}, "https"),
        ({"docs_url": "http://example.com/docs"}, "https"),
        ({"token": " "}, "blank"),
        ({"token": "abc\n"}, "white space"),
        ({"token": "ab\x00c"}, "control"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_what_to_change(changes: dict[str, Any], message: str) -> None:
    valid: dict[str, Any] = {"token": "valid", "base_url": "http://localhost:1"}
    with pytest.raises(ConfigurationError, match=message):
        MarketingBlocks(**(valid | changes))


@pytest.mark.parametrize(
    "settings",
    [
        {"limit": 0},
        {"limit": -1},
        {"limit": 1.5},
        {"limit": True},
        {"limit": 10**400},
        {"limit": 1, "per": 1e-310},
        {"per": 0},
        {"per": -1.0},
        {"per": float("inf")},
        {"burst": 0},
        {"burst": 0.5},
        {"guard": -0.1},
        {"guard": float("nan")},
    ],
)
def test_limits_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        RateLimit(**settings)


async def test_with_options_refuses_what_it_does_not_know() -> None:
    async with Sandbox() as sandbox:
        client: Any = client_of(sandbox)
        with pytest.raises(TypeError, match="tiemout"):
            client.with_options(tiemout=1)
        with pytest.raises(ConfigurationError):
            client.with_options(timeout=0)
        with pytest.raises(ConfigurationError):
            client.with_options(retry=5)


async def test_the_limiter_is_explained_by_a_snapshot() -> None:
    async with Sandbox() as sandbox:
        client = client_of(sandbox, rate_limit=RateLimit())
        with pytest.raises(ConfigurationError, match="open"):
            _ = client.rate_limiter
        async with client:
            await client.posts.create(post())
            snapshot = client.rate_limiter.snapshot()
            assert (snapshot.limit, snapshot.in_use, snapshot.granted, snapshot.queued) == (100, 1, 1, 0)
        with pytest.raises(ConfigurationError, match="lifted"):
            _ = client_of(sandbox).rate_limiter


def test_a_client_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(MarketingBlocks("secret-token"))


async def test_a_hundred_clients_leave_nothing_behind() -> None:
    async def use(sandbox: Sandbox, token: str) -> None:
        async with client_of(sandbox, rate_limit=RateLimit(), token=token) as client:
            await client.posts.create(post())

    async with Sandbox() as sandbox:
        for number in range(100):
            await use(sandbox, sandbox.add_token(f"t{number}"))
    gc.collect()
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_a_client_that_cannot_be_opened_leaves_nothing_open() -> None:
    class Broken:
        limit = 100
        per = 1.0

        def make_limiter(self, base_url: str, token: str) -> Any:
            msg = "no such server"
            raise OSError(base_url, token, msg)

    client = MarketingBlocks("token", rate_limit=Broken())
    with pytest.raises(OSError, match="no such server"):
        await client.open()
    assert "not open" in repr(client)


async def test_closing_ends_the_waiting_for_a_place_in_a_sessions_pool() -> None:
    hangs = asyncio.Event()

    async def hang(_request: RawRequest, _writer: asyncio.StreamWriter) -> bool:
        hangs.set()
        return await asyncio.Event().wait()

    async with (
        RawServer(hang) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session,
        client_at(server.base_url, session=session) as client,
    ):
        calls = [asyncio.create_task(client.posts.create(post())) for _ in range(4)]
        await hangs.wait()
        transport = cast("Any", client)._executor.transport
        await until(lambda: len(transport._slots._waiters or ()) == 3)
        await client.close()
        found = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(each) for each in found] == [OutcomeUnknownError, *[NotSentError] * 3]
        assert len(server.requests) == 1


@pytest.mark.parametrize("lane", [Lane.ORDINARY, Lane.BULK])
async def test_what_waited_for_a_place_when_the_client_closed_is_not_sent_after_it_was_opened_again(lane: Lane) -> None:
    """Some were sent by the new session. Bulk calls hung, since a lock was not released."""
    may_answer = asyncio.Event()

    async def respond(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        await may_answer.wait()
        writer.write(answer())
        return True

    async with (
        RawServer(respond) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session,
        client_at(server.base_url, session=session) as client,
    ):
        of_lane = client.with_options(lane=lane)
        calls = [asyncio.create_task(of_lane.posts.create(post())) for _ in range(12)]
        await until(lambda: bool(server.requests))
        await client.close()
        await client.open()
        may_answer.set()
        async with asyncio.timeout(5):
            found = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(each) for each in found] == [OutcomeUnknownError, *[NotSentError] * 11]
        assert len(server.requests) == 1
        assert (await of_lane.posts.create(post())).post_id == 1
