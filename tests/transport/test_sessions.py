"""A session that was handed in: when its requests begin to be written, and what may no longer be."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest

from marketingblocks_async import NotSentError, RateLimit, RetryPolicy
from marketingblocks_async.limits import release
from marketingblocks_async.transport import aiohttp_hooks
from tests.support.clients import CALLS, client_at, post
from tests.support.raw_server import RawServer, always, answer

pytestmark = pytest.mark.usefixtures("own_limiters")

OK = answer(b'{"status": true, "post_id": 1, "up_coming": []}')
ONCE = RetryPolicy(max_attempts=1)


@pytest.fixture
async def server() -> AsyncGenerator[RawServer]:
    async with RawServer(always(OK)) as server:
        yield server


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Let connections be opened only when this is set."""
    is_up = asyncio.Event()
    connect: Callable[..., Awaitable[Any]] = aiohttp.TCPConnector.connect

    async def stalled(self: aiohttp.TCPConnector, *args: Any, **kwargs: Any) -> Any:
        await is_up.wait()
        return await connect(self, *args, **kwargs)

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", stalled)
    return is_up


@pytest.mark.parametrize("name", ["create-post", "upcoming-posts"])
async def test_permits_do_not_come_back_while_connections_are_opened(
    name: str, server: RawServer, network: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or all requests that were granted meanwhile would be written together."""
    monkeypatch.setattr(release, "FRESH_CONNECTION_GUARD", 0.05)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        client_at(server.base_url, session=session, rate_limit=RateLimit(limit=5, per=0.1, guard=0.01)) as client,
    ):
        calls = asyncio.gather(*(CALLS[name](client) for _ in range(20)))
        await asyncio.sleep(0.5)
        assert client.rate_limiter.snapshot().granted == 5
        network.set()
        await calls
        assert len(server.requests) == 20


async def test_what_waited_for_a_connection_for_too_long_was_not_sent(
    server: RawServer, network: asyncio.Event
) -> None:
    async with (
        aiohttp.ClientSession() as session,
        client_at(server.base_url, session=session, retry=ONCE, timeout=0.1) as client,
    ):
        with pytest.raises(NotSentError, match=r"0\.1 s"):
            await client.posts.create(post())
        network.set()
        await asyncio.sleep(0.05)
        assert server.requests == []


async def test_a_request_that_outlives_its_attempt_is_not_written(server: RawServer, network: asyncio.Event) -> None:
    """It was called not sent, and may have been sent again."""
    requests: list[asyncio.Future[aiohttp.ClientResponse]] = []

    async def shield(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        requests.append(asyncio.ensure_future(handler(request)))
        return await asyncio.shield(requests[0])

    async with (
        aiohttp.ClientSession(middlewares=(shield,)) as session,
        client_at(server.base_url, session=session, retry=ONCE, timeout=0.1) as client,
    ):
        with pytest.raises(NotSentError):
            await client.posts.create(post())
        network.set()
        await asyncio.wait(requests)
        assert requests[0].exception() is not None
        assert server.requests == []


async def test_of_several_requests_for_one_attempt_one_is_written(server: RawServer, network: asyncio.Event) -> None:
    async def hedge(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        asyncio.get_running_loop().call_later(0.1, network.set)
        both: list[asyncio.Future[aiohttp.ClientResponse]] = [asyncio.ensure_future(handler(request)) for _ in range(2)]
        await asyncio.wait(both)
        return next(each.result() for each in both if each.exception() is None)

    async with (
        aiohttp.ClientSession(middlewares=(hedge,)) as session,
        client_at(server.base_url, session=session) as client,
    ):
        assert (await client.posts.create(post())).post_id == 1
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("arrived", "encrypted", "is_written"),
    [
        ("nothing", False, True),
        ("an unasked response", False, False),
        ("its end", False, False),
        # With TLS there may be more than responses.
        ("a session ticket", True, True),
    ],
)
async def test_a_body_is_not_written_to_a_connection_that_has_something_to_read(
    arrived: str, encrypted: bool, is_written: bool
) -> None:
    """Also if the event loop was blocked and has not read it yet: that would pass for the response."""
    written: list[object] = []

    async def write_with_length(writer: object, length: int | None) -> None:
        written.append((writer, length))

    ours, theirs = socket.socketpair()
    with ours, theirs:
        if arrived == "its end":
            theirs.close()
        elif arrived != "nothing":
            theirs.send(b"HTTP/1.1 200 OK")
        about = {"socket": ours, "ssl_object": encrypted or None}
        transport = SimpleNamespace(get_extra_info=about.get, is_closing=lambda: False)
        body = cast("Any", aiohttp_hooks)._WatchedBody(SimpleNamespace(write_with_length=write_with_length))
        with contextlib.nullcontext() if is_written else pytest.raises(aiohttp_hooks.UnaskedResponseError):
            await body.write(SimpleNamespace(transport=transport), None)
    assert (len(written), body.is_written, body.is_refused) == (is_written, is_written, not is_written)


async def test_a_body_is_not_written_to_a_connection_with_tls_that_is_closed() -> None:
    """Its transport has forgotten what it was."""

    async def write_with_length(_writer: object, _length: int | None) -> None:
        pytest.fail("it was written")

    def get_extra_info(_name: str) -> None:
        raise AttributeError

    transport = SimpleNamespace(get_extra_info=get_extra_info, is_closing=lambda: True)
    body = cast("Any", aiohttp_hooks)._WatchedBody(SimpleNamespace(write_with_length=write_with_length))
    with pytest.raises(aiohttp_hooks.UnaskedResponseError):
        await body.write(SimpleNamespace(transport=transport), None)
    assert body.is_refused


def test_a_closed_socket_is_at_its_end() -> None:
    with socket.socket() as closed:
        pass
    transport = SimpleNamespace(get_extra_info={"socket": closed}.get)
    assert cast("Any", aiohttp_hooks)._PooledConnection(transport).is_at_end() is True
