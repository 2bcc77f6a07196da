"""Calls over TLS, as all calls of the real API are: a closed transport with TLS behaves unlike one without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import pytest

from marketingblocks_async import AuthenticationError, MarketingBlocks
from tests.support.clients import client_at
from tests.support.examples import post
from tests.support.raw_server import RawRequest, RawServer, Respond, always, answer, tls_of_client, tls_of_server

CLOSED = {"Connection": "close"}

ClientAt = Callable[..., AbstractAsyncContextManager[MarketingBlocks]]


def serving(respond: Respond) -> RawServer:
    return RawServer(respond, tls=tls_of_server())


@asynccontextmanager
async def with_own_pool(base_url: str, **options: Any) -> AsyncGenerator[MarketingBlocks]:
    async with client_at(base_url, ssl_context=tls_of_client(), **options) as client:
        yield client


@asynccontextmanager
async def with_session(base_url: str, **options: Any) -> AsyncGenerator[MarketingBlocks]:
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls_of_client())) as session,
        client_at(base_url, session=session, **options) as client,
    ):
        yield client


pytestmark = pytest.mark.parametrize("at", [with_own_pool, with_session])


@pytest.mark.parametrize("keep", [True, False])
async def test_a_response_counts_whatever_becomes_of_its_connection(at: ClientAt, keep: bool) -> None:
    data = answer() if keep else answer(headers=CLOSED)
    async with serving(always(data, keep=keep)) as server, at(server.base_url) as client:
        for _ in range(2):
            created = await asyncio.gather(*(client.posts.create(post()) for _ in range(20)))
            assert [each.post_id for each in created] == [1] * 20
            assert await client.request("GET", "x") == {"status": True, "post_id": 1}
        assert len(server.requests) == 42
        # Those that are kept are used again; not all, where a machine is so busy that some have become too old.
        assert server.connections < 42 if keep else server.connections == 42


async def test_a_429_whose_connection_is_closed_pauses_the_token(at: ClientAt) -> None:
    refused: list[RawRequest] = []

    async def refuse_some(request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        if len(refused) >= 5:
            writer.write(answer(headers=CLOSED))
            return False
        refused.append(request)
        writer.write(answer(b"{}", "429 Slow down", {**CLOSED, "Retry-After": "0"}))
        return False

    throttled: list[object] = []
    async with serving(refuse_some) as server, at(server.base_url, on_throttle=throttled.append) as client:
        created = await asyncio.gather(*(client.posts.create(post()) for _ in range(10)))
    assert [each.post_id for each in created] == [1] * 10
    assert len(throttled) == len(refused) == 5


async def test_a_refusal_whose_connection_is_closed_is_that_refusal(at: ClientAt) -> None:
    data = answer(b"{}", "401 No", CLOSED)
    async with serving(always(data, keep=False)) as server, at(server.base_url) as client:
        found = await asyncio.gather(*(client.posts.create(post()) for _ in range(20)), return_exceptions=True)
    assert {type(each) for each in found} == {AuthenticationError}
