"""The receiver on the wire: behind aiohttp, behind an ASGI server, and called by the sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import logging
import pickle
import socket
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import pytest
import uvicorn
from aiohttp import web

from marketingblocks_async import ConfigurationError, Generation, MarketingBlocks, MarketingBlocksError
from marketingblocks_async.sandbox import Sandbox
from marketingblocks_async.testing import FakeTime
from marketingblocks_async.webhooks import NoResultError, WebhookReceiver

ID = "842c8151-8f9d-4eab-ae81-6690730b8b02"
SECRET = "a-path-that-nobody-guesses"


@asynccontextmanager
async def behind_aiohttp(**options: Any) -> AsyncGenerator[WebhookReceiver]:
    listening = socket.create_server(("127.0.0.1", 0))
    receiver = WebhookReceiver(f"http://127.0.0.1:{listening.getsockname()[1]}/hooks", **options)
    app = web.Application(client_max_size=10)
    app.router.add_route("*", "/hooks/{secret}", receiver.aiohttp_handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        yield receiver
    finally:
        await runner.cleanup()


@asynccontextmanager
async def behind_uvicorn(**options: Any) -> AsyncGenerator[WebhookReceiver]:
    listening = socket.create_server(("127.0.0.1", 0))
    receiver = WebhookReceiver(f"http://127.0.0.1:{listening.getsockname()[1]}/hooks", **options)
    server = uvicorn.Server(uvicorn.Config(receiver, log_config=None, lifespan="on", http="h11", ws="none"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        # It says in no other way that it has started; connections wait for it anyway.
        yield receiver
    finally:
        server.should_exit = True
        await serving
        listening.close()


Behind = Callable[..., AbstractAsyncContextManager[WebhookReceiver]]
both = pytest.mark.parametrize("behind", [behind_aiohttp, behind_uvicorn])


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


@both
async def test_a_result_reaches_the_waiting_call(behind: Behind, session: aiohttp.ClientSession) -> None:
    async with behind() as receiver:
        waiting = asyncio.create_task(Generation(id=ID).wait(receiver, deadline=10))
        for _ in range(2):
            async with session.post(receiver.url, json={"nested": {"generation": ID}, "status": "success"}) as answer:
                assert (answer.status, await answer.read()) == (200, b"")
        result = await waiting
        assert (result.ok, result.raw["nested"]) == (True, {"generation": ID})
        assert receiver.find(ID) == receiver.find(Generation(id=ID)) == result


@both
async def test_everything_else_is_refused(behind: Behind, session: aiohttp.ClientSession) -> None:
    async with behind(max_body_bytes=1000) as receiver:
        root = receiver.url.rpartition("/")[0]
        for method, url, data, status in [
            ("POST", f"{root}/another-path-that-somebody-tries", b"{}", 404),
            ("GET", f"{root}/ä", None, 404),
            ("GET", receiver.url, None, 405),
            ("POST", receiver.url, b"no json", 400),
            ("POST", receiver.url, b'"' + b"x" * 5000 + b'"', 413),
            ("POST", receiver.url, b'{"id": "' + ID.encode() + b'"}', 200),
        ]:
            async with session.request(method, url, data=data) as answer:
                assert (answer.status, await answer.read()) == (status, b""), (method, url)
                assert answer.headers.get("Allow") == ("POST" if status == 405 else None)
        assert receiver.find(ID) is not None


RESULT = json.dumps({"id": ID, "status": "success"}).encode()


@both
@pytest.mark.parametrize(
    ("encoding", "data", "status"),
    [
        ("gzip", gzip.compress(RESULT), 200),
        ("deflate", zlib.compress(RESULT), 200),
        ("gzip", RESULT, 400),
        ("gzip", gzip.compress(RESULT)[:-20], 400),
        ("snappy", b"\x00\x01" + RESULT, 400),
        ("deflate", zlib.compress(b'"' + b"x" * 50_000_000 + b'"'), 413),
    ],
    ids=["gzip", "deflate", "not packed", "cut off", "unknown", "bomb"],
)
async def test_compressed_bodies(
    behind: Behind, session: aiohttp.ClientSession, encoding: str, data: bytes, status: int
) -> None:
    async with behind() as receiver:
        async with session.post(receiver.url, data=data, headers={"Content-Encoding": encoding}) as answer:
            assert answer.status == status
        assert (receiver.find(ID) is not None) == (status == 200)


@both
@pytest.mark.usefixtures("fake_time")
async def test_a_body_that_trickles_in_is_given_up(behind: Behind, session: aiohttp.ClientSession) -> None:
    release = asyncio.Event()

    async def trickle() -> AsyncIterator[bytes]:
        yield b"{"
        await release.wait()

    async with behind(body_seconds=5.0) as receiver:
        async with session.post(receiver.url, data=trickle()) as answer:
            assert answer.status == 408
        release.set()


@both
@pytest.mark.parametrize("encoding", ["", "Content-Encoding: gzip\r\n"])
async def test_a_sender_that_hangs_up_is_not_an_error(
    behind: Behind, encoding: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with behind() as receiver:
        host, _, port = receiver.url.removeprefix("http://").partition("/")[0].partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        path = receiver.url.partition(f":{port}")[2]
        writer.write(f"POST {path} HTTP/1.1\r\nHost: h\r\n{encoding}Content-Length: 100\r\n\r\n{{".encode())
        await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    # The server has handled it, since it is closed now.
    assert receiver.find(ID) is None
    assert [record.message for record in caplog.records if record.levelno > logging.INFO] == []


async def test_the_sandbox_s_web_hook_ends_in_a_result(
    marketingblocks_client: MarketingBlocks, marketingblocks_sandbox: Sandbox, fake_time: FakeTime
) -> None:
    async with behind_aiohttp() as receiver:
        job = await marketingblocks_client.generations.create(post_type="breel", input="tulips", web_hook=receiver.url)
        result = await job.wait(receiver, deadline=60)
        assert (result.generation_id, result.status) == (job.id, "success")
        assert result.raw["posts"]
    assert [delivery.status for delivery in marketingblocks_sandbox.ledger.web_hooks] == [200]
    assert fake_time.elapsed < 60


async def test_a_deadline_is_kept(fake_time: FakeTime) -> None:
    receiver = WebhookReceiver("https://example.com/hooks")
    with pytest.raises(NoResultError, match="within 600 s") as caught:
        await Generation(id=ID).wait(receiver, deadline=600)
    assert fake_time.elapsed == pytest.approx(600, abs=1)
    error = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - its own
    assert (str(error), error.generation_id) == (str(caught.value), ID)
    assert isinstance(error, MarketingBlocksError)


@pytest.mark.parametrize(
    ("web_hook", "next_step"),
    [
        (None, "was not given a web hook: pass web_hook=receiver.url"),
        (f"https://example.com/hooks/{SECRET[::-1]}", "was given another web hook than this receiver's"),
        (f"https://example.org/{SECRET}", "wait again"),
        (5, "wait again"),
    ],
)
async def test_who_waited_in_vain_is_told_of_a_web_hook_that_is_not_this_one(
    web_hook: object, next_step: str, fake_time: FakeTime
) -> None:
    receiver = WebhookReceiver("https://example.com/hooks", secret=SECRET)
    with pytest.raises(NoResultError, match=next_step) as caught:
        await Generation(id=ID, request_body={"web_hook": web_hook}).wait(receiver, deadline=600)
    assert SECRET not in str(caught.value)
    assert fake_time.elapsed >= 600


async def test_an_id_is_enough_to_wait_for() -> None:
    receiver = WebhookReceiver("https://example.com", secret=SECRET)
    assert await receive(receiver, {"id": 7, "anything": [1]}) == 200
    assert (await receiver.wait_for(7, deadline=1)).raw == {"id": 7, "anything": [1]}


def test_a_function_that_would_have_to_be_awaited_is_refused() -> None:
    async def on_result(_value: Any) -> None:
        """Nobody would await it, and the result would be lost."""

    wrong: Any = on_result
    with pytest.raises(ConfigurationError, match=r"on_result=.*not awaited"):
        WebhookReceiver("https://example.com", on_result=wrong)


async def test_each_new_body_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Any] = []

    def on_result(value: Any) -> None:
        told.append(value)
        raise ZeroDivisionError

    receiver = WebhookReceiver("https://example.com", secret=SECRET, on_result=on_result)
    for value in (["x"], ["x"], {"status": "queued"}):
        assert await receive(receiver, value) == 200
    assert told == [["x"], {"status": "queued"}]
    assert "on_result of a web hook failed" in caplog.text


def receive(receiver: WebhookReceiver, value: Any) -> Awaitable[int]:
    async def chunks() -> AsyncIterator[bytes]:
        yield json.dumps(value).encode()

    return receiver.receive("POST", f"/any/prefix/{SECRET}", chunks())


def test_the_address_is_not_to_be_guessed_and_not_shown() -> None:
    one, two = WebhookReceiver("https://example.com/hooks/"), WebhookReceiver("https://example.com/hooks")
    secret = one.url.removeprefix("https://example.com/hooks/")
    assert len(secret) >= 40
    assert one.url != two.url
    assert secret not in repr(one)
    assert WebhookReceiver("http://localhost:8080", secret=SECRET).url == f"http://localhost:8080/{SECRET}"


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("example.com/hooks", {}),
        ("http://example.com/hooks", {}),
        ("http://10.0.0.1/hooks", {}),
        ("https://user@example.com/hooks", {}),
        ("https://example.com/hooks?a=b", {}),
        ("https://[::1/hooks", {}),
        ("https://example.com", {"secret": "short"}),
        ("https://example.com", {"secret": "with/slashes/in/the/middle/of/it"}),
        ("https://example.com", {"max_body_bytes": 0}),
        ("https://example.com", {"body_seconds": 0.0}),
    ],
)
def test_what_cannot_work_is_refused(url: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        WebhookReceiver(url, **options)


async def test_web_sockets_are_closed() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def connect() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    await WebhookReceiver("https://example.com")({"type": "websocket"}, connect, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]
