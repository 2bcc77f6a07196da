"""What is noted of a request on its way through aiohttp: over a real socket."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

import pytest

from marketingblocks_async import APIConnectionError, APITimeoutError, OutcomeUnknownError, RateLimit, RetryPolicy
from marketingblocks_async.bulk.run.reconcile import SETTLE_AFTER
from marketingblocks_async.transport import aiohttp_hooks
from marketingblocks_async.transport.attempt import LONGEST_UNTIL_WRITTEN
from tests.support.clients import client_at, post
from tests.support.polling import until
from tests.support.raw_server import RawRequest, RawServer, answer

OK = answer(b'{"status": true, "post_id": 1}')


async def answer_unless_silent(request: RawRequest, writer: asyncio.StreamWriter) -> bool:
    if b"silent" in request.body or b"upcoming" in request.head:
        await asyncio.Event().wait()
    writer.write(OK)
    return True


@pytest.mark.usefixtures("own_limiters")
async def test_the_permit_of_a_written_request_comes_back_although_no_answer_comes() -> None:
    async with (
        RawServer(answer_unless_silent) as server,
        client_at(server.base_url, rate_limit=RateLimit(limit=10, per=0.05), timeout=300) as client,
    ):
        # The round trip is known after 50 answers on connections that were used before.
        await asyncio.gather(*(client.posts.create(post()) for _ in range(150)))
        silent = [asyncio.create_task(client.posts.create(post("silent"))) for _ in range(10)]
        await until(lambda: len(server.requests) == 160)
        async with asyncio.timeout(20):
            await client.posts.create(post())
        for call in silent:
            call.cancel()
        await asyncio.gather(*silent, return_exceptions=True)


async def test_a_timeout_is_no_dead_connection() -> None:
    """A read that met a dead connection is sent again at no expense."""
    async with (
        RawServer(answer_unless_silent) as server,
        client_at(server.base_url, timeout=0.05, retry=RetryPolicy(max_attempts=3, initial_backoff=0.01)) as client,
    ):
        with pytest.raises(APITimeoutError):
            await client.posts.upcoming()
        budget = cast("Any", client)._executor.context.budget
        assert budget.capacity - budget.left == pytest.approx(2, abs=0.1)


async def test_a_lost_connection_is_no_timeout() -> None:
    async def lose(_request: RawRequest, _writer: asyncio.StreamWriter) -> bool:
        return False

    async with (
        RawServer(lose) as server,
        client_at(server.base_url, retry=RetryPolicy(max_attempts=1)) as client,
    ):
        with pytest.raises(APIConnectionError) as caught:
            await client.posts.upcoming()
        assert type(caught.value) is APIConnectionError


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system has no such setting")
async def test_a_request_does_not_arrive_long_after_its_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network was down, or the server read nothing; meanwhile the row was looked for and sent again."""
    assert LONGEST_UNTIL_WRITTEN + aiohttp_hooks.LONGEST_UNACKNOWLEDGED < SETTLE_AFTER
    monkeypatch.setattr(aiohttp_hooks, "LONGEST_UNACKNOWLEDGED", 0.3)
    loop, filler = asyncio.get_running_loop(), "x" * 900_000
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0)
        async with client_at(f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1", timeout=0.2) as client:
            with pytest.raises(OutcomeUnknownError):
                await client.posts.create(post(), extra_body={"filler": filler})
            connection, _ = await loop.sock_accept(listener)
            with connection:
                await asyncio.sleep(2)
                arrived = 0
                while True:
                    try:
                        async with asyncio.timeout(1):
                            found = await loop.sock_recv(connection, 65536)
                    except (TimeoutError, ConnectionError):
                        break
                    if not found:
                        break
                    arrived += len(found)
    assert 0 < arrived < len(filler)
