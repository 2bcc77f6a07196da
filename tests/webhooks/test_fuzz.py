"""Whatever is posted to a web hook: one of the documented statuses, and no word in the log."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import re
import zlib
from collections.abc import Iterator, MutableMapping
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from marketingblocks_async.webhooks import WebhookReceiver
from tests.support.fuzzing import damaged, fuzz

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=10,
).map(lambda value: json.dumps(value).encode())
BODIES = (
    JSON | st.binary(max_size=40) | JSON.map(gzip.compress) | JSON.map(zlib.compress) | damaged(JSON, st.just(b"\0"))
)
ENCODINGS = st.sampled_from([b"gzip", b"deflate", b"br", b"identity", b"gzip, gzip", b"no-such", b"", b"\xff"])


@pytest.fixture
def receiver() -> WebhookReceiver:
    return WebhookReceiver("https://example.com/hooks", max_body_bytes=1000, body_seconds=5)


def test_an_asgi_server_gets_a_documented_status(
    runner: asyncio.Runner, receiver: WebhookReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    @fuzz(80)
    @given(body=BODIES, encoding=ENCODINGS, cuts=st.lists(st.integers(0, 40), max_size=3))
    def play(body: bytes, encoding: bytes, cuts: list[int]) -> None:
        edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
        parts = [body[begin:end] for begin, end in pairwise(edges)]
        status = runner.run(post_asgi(receiver, encoding, parts))
        assert status in {200, 400, 413, 415}

    play()
    assert caplog.record_tuples == []


async def post_asgi(receiver: WebhookReceiver, encoding: bytes, parts: list[bytes]) -> int:
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append({"type": "http.request"})
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    path = "/" + receiver.url.rpartition("/")[2]
    headers = [(b"content-encoding", encoding)] if encoding else []
    await receiver({"type": "http", "method": "POST", "path": path, "headers": headers, "root_path": ""}, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    return int(sent[0]["status"])


@pytest.fixture
def port(runner: asyncio.Runner, receiver: WebhookReceiver) -> Iterator[int]:
    async def start() -> tuple[web.AppRunner, int]:
        app = web.Application()
        app.router.add_route("*", "/hooks/{secret}", receiver.aiohttp_handler)
        served = web.AppRunner(app, access_log=None)
        await served.setup()
        site = web.TCPSite(served, "127.0.0.1", 0)
        await site.start()
        return served, int(served.addresses[0][1])

    served, port = runner.run(start())
    yield port
    runner.run(served.cleanup())


def test_an_aiohttp_server_gives_a_documented_status(
    runner: asyncio.Runner, receiver: WebhookReceiver, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "marketingblocks_async")
    path = receiver.url.partition("example.com")[2].encode()

    @fuzz(80)
    @given(body=BODIES, encoding=ENCODINGS, is_whole=st.booleans())
    def play(body: bytes, encoding: bytes, *, is_whole: bool) -> None:
        head = [
            b"POST %s HTTP/1.1" % path,
            b"Host: x",
            b"Connection: close",
            b"Content-Length: %d" % (len(body) + (not is_whole)),
        ]
        if encoding:
            head.append(b"Content-Encoding: " + encoding)
        answer = runner.run(exchange(port, b"\r\n".join([*head, b"", body]), hangs_up=not is_whole))
        found = re.match(rb"HTTP/1\.[01] (\d\d\d) ", answer)
        if is_whole or found:
            assert found
            assert int(found[1]) in {200, 400, 413, 415}

    play()
    assert [words for name, _, words in caplog.record_tuples if name == "marketingblocks_async"] == []


async def exchange(port: int, content: bytes, *, hangs_up: bool) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(content)
        if hangs_up:
            writer.write_eof()
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionError:
        return b""
    finally:
        writer.close()
