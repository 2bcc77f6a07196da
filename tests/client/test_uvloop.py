"""The two promises on uvloop, whose transports, timers and clock are its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from marketingblocks_async import NotSentError, OutcomeUnknownError, RateLimit
from marketingblocks_async.bulk import BulkRun, Journal, create_journal
from marketingblocks_async.sandbox import Fault, Sandbox
from tests.support.clients import client_at, client_of, post
from tests.support.polling import until
from tests.support.raw_server import RawServer, always, answer

uvloop = pytest.importorskip("uvloop", reason="there is no uvloop for Windows")

pytestmark = pytest.mark.usefixtures("own_limiters")

T = TypeVar("T")


def on_uvloop(work: Callable[[], Awaitable[T]]) -> T:
    async def run() -> T:
        assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
        return await work()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


@pytest.mark.parametrize("latency", [0.0, 0.03])
def test_the_limit_holds_where_the_server_counts(latency: float) -> None:
    async def work() -> None:
        async with Sandbox(latency=latency) as sandbox, client_of(sandbox, rate_limit=RateLimit()) as client:
            await asyncio.gather(*(client.posts.create(post(str(number))) for number in range(250)))
            assert sandbox.ledger.worst_window() <= 100
            assert len(sandbox.ledger.commits) == 250

    on_uvloop(work)


@pytest.mark.parametrize("fault", ["commit_then_drop", "reset", "commit_then_stall"])
def test_a_lost_response_leaves_a_write_unknown(fault: str) -> None:
    async def work() -> None:
        async with Sandbox(faults=[Fault(fault, times=1)]) as sandbox, client_of(sandbox, timeout=0.3) as client:
            with pytest.raises(OutcomeUnknownError):
                await client.posts.create(post())
            assert len(sandbox.ledger.commits) <= 1

    on_uvloop(work)


def test_a_cancelled_call_says_what_may_have_happened() -> None:
    async def work() -> None:
        async with Sandbox(latency=0.5) as sandbox, client_of(sandbox) as client:
            call = asyncio.create_task(client.posts.create(post()))
            await until(lambda: sandbox.in_flight > 0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await call
            assert "may or may not have been carried out" in "".join(caught.value.__notes__)

    on_uvloop(work)


def test_what_was_not_sent_is_known_not_to_have_been() -> None:
    async def work() -> None:
        async with client_at("http://127.0.0.1:1") as client:
            with pytest.raises(NotSentError):
                await client.posts.create(post())

    on_uvloop(work)


def test_a_write_does_not_use_a_connection_that_the_server_has_closed() -> None:
    async def work() -> None:
        async with RawServer(always(answer(), keep=False)) as server, client_at(server.base_url) as client:
            for _ in range(5):
                await client.posts.create(post())
                await asyncio.sleep(0.05)
            assert len(server.requests) == server.connections == 5

    on_uvloop(work)


def test_a_bulk_run_sends_every_row_once(tmp_path: Path) -> None:
    async def work() -> Any:
        path = tmp_path / "posts.journal"
        await create_journal([post(str(number)) for number in range(120)], path)
        async with Sandbox() as sandbox, client_of(sandbox, rate_limit=RateLimit()) as client, Journal(path) as journal:
            result = await BulkRun(client, journal).run()
            assert sandbox.ledger.worst_window() <= 100
            assert len({commit.request["caption_text"] for commit in sandbox.ledger.commits}) == 120
            assert len(sandbox.ledger.commits) == 120
            return result

    assert on_uvloop(work).counts.done == 120
