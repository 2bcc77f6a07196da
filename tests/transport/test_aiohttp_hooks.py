"""What is noted of a request on its way through aiohttp: over a real socket."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from marketingblocks_async import APIConnectionError, APITimeoutError, RateLimit, RetryPolicy
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
