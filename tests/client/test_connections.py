"""Connections that are kept, lost, stale or lied on; broken HTTP; sizes and encodings; where requests go.

The server's HTTP is written by hand, byte by byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import json
import socket
import threading
import time
import tracemalloc
import warnings
import zlib
from collections.abc import Awaitable, Callable, Iterator
from types import MappingProxyType
from typing import Any

import aiohttp
import pytest

from marketingblocks_async import (
    APIConnectionError,
    APIError,
    AuthenticationError,
    CallError,
    ChannelType,
    ConfigurationError,
    HttpAnswer,
    HttpRequest,
    InternalServerError,
    InvalidArgumentError,
    InvalidResponseError,
    MarketingBlocks,
    MarketingBlocksError,
    NotSentError,
    OutcomeUnknownError,
    RateLimit,
    RetryPolicy,
    Send,
)
from marketingblocks_async.sandbox import Sandbox
from marketingblocks_async.transport import keepalive
from tests.support.clients import CALLS, client_at, client_of, post
from tests.support.ports import free_port
from tests.support.raw_server import RawRequest, RawServer, Respond, always, answer, listening

pytestmark = pytest.mark.usefixtures("own_limiters")

SOON = 4.0
ONCE = RetryPolicy(max_attempts=1)
CREATED = b'{"status": true, "post_id": 1}'


def numbered() -> Respond:
    """Return what answers each request with the number that is its caption."""

    async def respond(request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        writer.write(answer(b'{"status": true, "post_id": %s}' % json.loads(request.body)["caption_text"].encode()))
        return True

    return respond


def captions(server: RawServer) -> list[str]:
    return [json.loads(request.body)["caption_text"] for request in server.requests]


async def create(client: MarketingBlocks, caption: str) -> object:
    """Return the id that a post got, or the class of what went wrong."""
    try:
        return (await client.posts.create(post(caption))).post_id
    except CallError as error:
        return type(error)


# Kept.


async def test_one_connection_serves_calls_that_follow_each_other() -> None:
    async with RawServer(always(answer())) as server, client_at(server.base_url) as client:
        for call in CALLS.values():
            with contextlib.suppress(InvalidResponseError):
                await call(client)
        await client.with_options(timeout=1).posts.create(post())
        await client.with_token("another").posts.create(post())
        assert (len(server.requests), server.connections) == (len(CALLS) + 2, 1)


@pytest.mark.parametrize(
    "sent",
    [
        answer(b'{"status": false}', "401 No"),
        answer(b'{"status": false}', "422 No"),
        answer(b"<html>", "502 Bad Gateway"),
        answer(b"", "404 No"),
        answer(b"x" * 300_000, "500 Error"),
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
        b"HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ],
    ids=lambda sent: sent[9:12].decode(),
)
async def test_an_error_does_not_cost_the_connection(sent: bytes) -> None:
    async with RawServer(always(sent)) as server, client_at(server.base_url) as client:
        for _ in range(3):
            with pytest.raises(CallError):
                await client.posts.create(post())
        assert (len(server.requests), server.connections) == (3, 1)


async def test_retries_do_not_leak_connections() -> None:
    async with RawServer(always(answer(b"{}", "500 Error"))) as server, client_at(server.base_url) as client:
        for _ in range(5):
            with pytest.raises(InternalServerError):
                await client.posts.upcoming()
        assert (len(server.requests), server.connections) == (15, 1)


async def test_as_many_connections_as_calls_at_once_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    # On a busy machine, responses may be slow; then writes do not wait for the one that tries a connection.
    monkeypatch.setattr(keepalive, "LONGEST_TRY", 60.0)
    monkeypatch.setattr(keepalive, "SHORTEST_TRY", 60.0)
    async with RawServer(numbered()) as server, client_at(server.base_url) as client:
        for _ in range(3):
            await asyncio.gather(*(client.posts.create(post(str(number))) for number in range(50)))
        assert len(server.requests) == 150
        assert 50 <= server.connections <= 55


async def test_a_server_that_says_close_is_believed() -> None:
    closing = always(answer(headers={"Connection": "close"}), keep=True)
    async with RawServer(closing) as server, client_at(server.base_url) as client:
        assert [await create(client, str(number)) for number in range(3)] == [1, 1, 1]
        assert server.connections == 3


# Stale.


class Closer:
    """A server in a thread that closes each connection some time after its answer, without having said so.

    In a thread because the client's event loop is blocked meanwhile.
    """

    def __init__(self, after: float) -> None:
        self.after = after
        self.requests = 0
        self.closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/api/v1"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        # Closing alone would not wake the thread that accepts.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(SOON)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            data = b""
            while b'"now"}' not in data:
                received = connection.recv(65536)
                if not received:
                    return
                data += received
            self.requests += 1
            connection.sendall(answer())
            # In a thread of its own, as another process would: an idle connection that is closed a little later.
            time.sleep(self.after)
        self.closed.set()


@pytest.fixture
def closer(request: pytest.FixtureRequest) -> Iterator[Closer]:
    server = Closer(request.param)
    yield server
    server.close()


@pytest.mark.parametrize("closer", [0.0, 0.02], indirect=True)
async def test_no_post_is_lost_on_a_connection_that_was_closed_while_the_loop_was_blocked(closer: Closer) -> None:
    """The end of the connection lies in the socket already; nobody needs to write to it to find out."""
    async with client_at(closer.base_url) as client:
        results: list[object] = []
        for number in range(3):
            results.append(await create(client, str(number)))
            # The loop is blocked, which is what is tested.
            assert closer.closed.wait(SOON)
            closer.closed.clear()
            time.sleep(0.03)  # noqa: ASYNC251 - it is to block the loop
        assert results == [1] * 3
        assert closer.requests == 3


async def test_no_post_is_lost_on_a_connection_that_the_server_closed_for_being_idle() -> None:
    async def close_when_idle(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        writer.write(answer())
        asyncio.get_running_loop().call_later(0.1, writer.close)
        return True

    async with RawServer(close_when_idle) as server, client_at(server.base_url) as client:
        for number in range(4):
            assert await create(client, str(number)) == 1
            await asyncio.sleep(0.13)
        assert server.connections == len(server.requests) == 4


UNSOLICITED = {
    "another answer": answer(b'{"status": true, "post_id": 666}'),
    "a timeout of a proxy": answer(b"", "408 Request Timeout", {"Connection": "close"}),
    "an error": answer(b"{}", "500 Error"),
    "garbage": b"\x00\x01\x02",
}


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("close", [False, True])
@pytest.mark.parametrize("kind", UNSOLICITED)
async def test_what_comes_on_an_idle_connection_is_not_the_answer_to_the_next_post(
    kind: str, close: bool, given: bool
) -> None:
    """It would say that a post was created which the server has never seen."""
    usual, has_more = numbered(), asyncio.Event()

    async def and_more(request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        await usual(request, writer)
        if request.connection == 1 and not has_more.is_set():
            await asyncio.sleep(0.02)
            writer.write(UNSOLICITED[kind])
            if close:
                writer.close()
                await writer.wait_closed()
            has_more.set()
            return not close
        return True

    async with RawServer(and_more) as server, contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession()) if given else None
        client = await stack.enter_async_context(client_at(server.base_url, session=session))
        results = [await create(client, "1")]
        await has_more.wait()
        # Until the client has read it.
        await asyncio.sleep(0.03)
        results += [await create(client, "2"), await create(client, "3")]
        # The pool of a session that was handed in hands out such a connection.
        spoils = given and not close and kind != "garbage"
        assert results == [1, OutcomeUnknownError if spoils else 2, 3]
        assert captions(server) == (["1", "3"] if spoils else ["1", "2", "3"])


async def test_two_answers_at_once_are_one_answer() -> None:
    async def twice(request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        number = json.loads(request.body)["caption_text"].encode()
        writer.write(answer(b'{"post_id": %s}' % number) + answer(b'{"post_id": 666}'))
        return True

    async with RawServer(twice) as server, client_at(server.base_url) as client:
        assert [await create(client, str(number)) for number in range(1, 4)] == [1, 2, 3]
        assert captions(server) == ["1", "2", "3"]


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_a_request_on_a_connection_that_dies_is_not_repeated_behind_our_back(method: str, given: bool) -> None:
    async def die_at_the_second(request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        if len(server.requests) == 1:
            writer.write(answer())
        return len(server.requests) == 1 and bool(request)

    async with RawServer(die_at_the_second) as server, contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession()) if given else None
        client = await stack.enter_async_context(client_at(server.base_url, session=session, retry=ONCE))
        await client.request(method, "x", json={})
        with pytest.raises(APIConnectionError if method == "GET" else OutcomeUnknownError) as caught:
            await client.request(method, "x", json={})
        assert caught.value.attempts == 1
        assert len(server.requests) == 2


async def test_an_answer_that_comes_before_the_request_was_all_written_spoils_nothing() -> None:
    """The rest of the first request must not be taken for the second one."""
    read: list[bytes] = []

    async def answer_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            read.append(await reader.readuntil(b"\r\n\r\n"))
            length = int(read[-1].lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            writer.write(answer(b"{}", "413 Too Large") if length > 10_000 else answer())
            await asyncio.sleep(0.02)
            await reader.readexactly(length)

    async with listening(answer_at_once) as port, client_at(f"http://127.0.0.1:{port}") as client:
        for size in (2_000_000, 10, 5_000_000, 10):
            with contextlib.suppress(APIError):
                await client.request("POST", "x", json="x" * size)
        assert all(head.startswith(b"POST /api/v1/x HTTP/1.1\r\n") for head in read)
        assert len(read) == 4


# Broken.

HEAD = b"HTTP/1.1 200 OK\r\n"

BROKEN: dict[str, tuple[bytes, bool]] = {
    "nothing": (b"", False),
    "zeros": (bytes(40), False),
    "garbage": (b"\x00\x01garbage\xff\r\n\r\n", True),
    "another protocol": (b"220 mail.example.com ESMTP\r\n", True),
    "HTTP/0.9": (b"<html>hello</html>", False),
    "HTTP/2 preface": (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80", True),
    "HTTP/2 in words": (b"HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\n{}", True),
    "half a status line": (b"HTTP/1.1 2", False),
    "half a header": (HEAD + b"Content-Le", False),
    "a status below 100": (b"HTTP/1.1 99 X\r\n\r\n", True),
    "a length too long": (HEAD + b"Content-Length: 100\r\n\r\n" + CREATED, False),
    "a length too short": (HEAD + b"Content-Length: 10\r\n\r\n" + CREATED, True),
    "a negative length": (HEAD + b"Content-Length: -1\r\n\r\n" + CREATED, True),
    "a huge length": (HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n" + CREATED, True),
    "two lengths": (HEAD + b"Content-Length: 30\r\nContent-Length: 31\r\n\r\n" + CREATED, True),
    "length and chunks": (HEAD + b"Content-Length: 30\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", True),
    "a chunk of garbage": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", True),
    "a chunk too long": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n", True),
    "chunks that break off": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", False),
    "a header of 100 kB": (HEAD + b"X: " + b"a" * 100_000 + b"\r\nContent-Length: 2\r\n\r\n{}", True),
    "an encoding that cannot be decoded": (HEAD + b"Content-Length: 2\r\nContent-Encoding: br\r\n\r\n{}", True),
    "an encoding that is a lie": (HEAD + b"Content-Length: 30\r\nContent-Encoding: gzip\r\n\r\n" + CREATED, True),
    "deflate that is a lie": (HEAD + b"Content-Length: 30\r\nContent-Encoding: deflate\r\n\r\n" + CREATED, True),
}


@pytest.mark.parametrize("kind", BROKEN)
async def test_what_is_no_answer_leaves_a_write_unknown_and_a_read_is_made_again(kind: str) -> None:
    data, keep = BROKEN[kind]
    async with RawServer(always(data, keep=keep)) as server, client_at(server.base_url) as client:
        with pytest.raises(OutcomeUnknownError, match="may or may not") as caught:
            await client.posts.create(post())
        assert caught.value.attempts == len(server.requests) == 1
        assert caught.value.request == post()
        with pytest.raises(APIConnectionError) as unanswered:
            await client.posts.upcoming()
        assert unanswered.value.attempts == len(server.requests) - 1 == 3
        # Readable in one line of a log, whatever the server sent.
        for error in (caught.value, unanswered.value):
            assert "\n" not in str(error)
            assert len(str(error)) < 1000


COMPLETE: dict[str, tuple[bytes, bool]] = {
    "a length": (answer(), True),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1e\r\n" + CREATED + b"\r\n0\r\n\r\n", True),
    "chunks and a trailer": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1e\r\n" + CREATED + b"\r\n0\r\nX: y\r\n\r\n",
        True,
    ),
    "the end of the connection": (HEAD + b"\r\n" + CREATED, False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\n" + CREATED, False),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 30\r\n\r\n" + CREATED, True),
    "another success": (b"HTTP/1.1 201 Created\r\nContent-Length: 30\r\n\r\n" + CREATED, True),
    "100 first": (b"HTTP/1.1 100 Continue\r\n\r\n" + answer(), True),
    "103 first": (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer(), True),
    "102 three times first": (b"HTTP/1.1 102 Processing\r\n\r\n" * 3 + answer(), True),
    "headers in another alphabet": (answer(headers={"X": "\xfc"}), True),
    "gzip": (answer(gzip.compress(CREATED), headers={"Content-Encoding": "gzip"}), True),
    "deflate": (answer(zlib.compress(CREATED), headers={"Content-Encoding": "deflate"}), True),
    "an encoding without effect": (answer(headers={"Content-Encoding": "identity"}), True),
    "a byte order mark": (answer(b"\xef\xbb\xbf" + CREATED), True),
}


@pytest.mark.parametrize("kind", COMPLETE)
async def test_an_answer_is_understood_however_it_comes(kind: str) -> None:
    data, keep = COMPLETE[kind]
    async with RawServer(always(data, keep=keep)) as server, client_at(server.base_url) as client:
        for _ in range(2):
            assert (await client.posts.create(post())).post_id == 1
            assert await client.request("GET", "x") == {"status": True, "post_id": 1}
        assert len(server.requests) == 4


@pytest.mark.parametrize("status", ["204 No Content", "205 Reset Content"])
async def test_no_content_is_nothing_for_a_generic_call_and_not_what_was_promised_for_a_documented_one(
    status: str,
) -> None:
    data = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()
    async with RawServer(always(data)) as server, client_at(server.base_url) as client:
        if status.startswith("204"):
            assert await client.request("DELETE", "x") is None
        with pytest.raises(InvalidResponseError) as caught:
            await client.posts.create(post())
        assert caught.value.request == post()
        assert server.connections == 1


async def test_head_has_no_body_to_wait_for() -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    async with RawServer(always(data)) as server, client_at(server.base_url, timeout=1) as client:
        assert await client.request("HEAD", "x") is None
        assert await client.request("HEAD", "x") is None
        assert server.connections == 1


@pytest.mark.parametrize(
    "data",
    [
        answer(b"abc", "401 No", {"Content-Encoding": "gzip"}),
        b"HTTP/1.1 401 No\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    ],
    ids=["cannot be decoded", "breaks off", "chunks break off"],
)
async def test_an_error_whose_body_is_broken_is_still_that_error(data: bytes) -> None:
    async with RawServer(always(data, keep=False)) as server, client_at(server.base_url) as client:
        with pytest.raises(AuthenticationError, match="social-create-post"):
            await client.posts.create(post())
        assert len(server.requests) == 1


# Sizes.


@pytest.mark.parametrize("size", [999, 1000, 1001, 200_000])
@pytest.mark.parametrize("kind", ["at once", "in parts", "in chunks"])
async def test_an_answer_may_be_as_large_as_it_was_said(size: int, kind: str) -> None:
    body = b'"' + b"x" * (size - 2) + b'"'
    data = answer(body)
    if kind == "in chunks":
        data = HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (size, body)

    async def respond(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        if kind == "in parts":
            writer.write(data[:-500])
            await asyncio.sleep(0.01)
            writer.write(data[-500:])
        else:
            writer.write(data)
        return True

    async with RawServer(respond) as server, client_at(server.base_url, max_response_bytes=1000) as client:
        if size <= 1000:
            assert len(await client.request("POST", "x")) == size - 2
        else:
            with pytest.raises(InvalidResponseError, match="max_response_bytes"):
                await client.request("POST", "x")
        assert len(server.requests) == 1


@pytest.mark.skipif(
    tuple(map(int, aiohttp.__version__.split(".")[:2])) < (3, 14), reason="older aiohttp inflates without bound"
)
@pytest.mark.parametrize("status", ["200 OK", "401 No"])
async def test_an_answer_that_inflates_without_end_does_not_fill_the_memory(status: str) -> None:
    mib = b" " * 2**20
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(mib) for _ in range(100)) + packer.flush()
    assert len(bomb) < 150_000
    data = answer(bomb, status, {"Content-Encoding": "gzip"})
    settings: dict[str, Any] = {"max_response_bytes": 2**20, "retry": ONCE}
    async with RawServer(always(data)) as server, client_at(server.base_url, **settings) as client:
        tracemalloc.start()
        try:
            with pytest.raises(CallError):
                await client.posts.create(post())
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most < 20 * 2**20


async def test_a_request_of_several_mib_arrives_whole_also_when_it_is_sent_again() -> None:
    answers = [answer(b"{}", "429 No", {"Retry-After": "0.01"}), answer()]

    async def refuse_first(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        writer.write(answers[min(len(server.requests), 2) - 1])
        return True

    text = "ä" * 1_500_000
    async with RawServer(refuse_first) as server, client_at(server.base_url) as client:
        assert await client.request("POST", "x", json={"text": text}) == {"status": True, "post_id": 1}
        assert [json.loads(request.body) for request in server.requests] == [{"text": text}] * 2


# Not reached.


async def _make_unreachable(kind: str, stack: contextlib.AsyncExitStack) -> str:
    if kind == "DNS":
        return "https://nowhere.invalid"
    if kind == "refused":
        return f"http://127.0.0.1:{free_port()}"

    async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        if kind == "TLS":
            writer.write(b"HTTP/1.1 400 This is no TLS\r\n\r\n")

    return f"https://127.0.0.1:{await stack.enter_async_context(listening(no_tls))}"


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("kind", ["DNS", "refused", "TLS", "no handshake"])
async def test_what_cannot_have_reached_the_api_is_not_sent_and_tried_again(kind: str, given: bool) -> None:
    async with contextlib.AsyncExitStack() as stack:
        root = await _make_unreachable(kind, stack)
        session = await stack.enter_async_context(aiohttp.ClientSession()) if given else None
        client = await stack.enter_async_context(client_at(root, session=session))
        for name in ("create-post", "upcoming-posts"):
            with pytest.raises(NotSentError) as caught:
                await CALLS[name](client)
            assert caught.value.attempts == 3


# Where requests go.


def request_lines(server: RawServer) -> list[str]:
    return [request.line for request in server.requests]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a/b", "GET /api/v1/a/b?p=1"),
        ("/a", "GET /api/v1/a?p=1"),
        ("a?x=1", "GET /api/v1/a?x=1&p=1"),
        ("a b", "GET /api/v1/a%20b?p=1"),
        ("a@b", "GET /api/v1/a@b?p=1"),
        ("@evil.example/x", "GET /api/v1/@evil.example/x?p=1"),
        ("//evil.example/x", "GET /api/v1/evil.example/x?p=1"),
        ("ä/ö", "GET /api/v1/%C3%A4/%C3%B6?p=1"),
        ("a%2Fb", "GET /api/v1/a%2Fb?p=1"),
        ("a%20b", "GET /api/v1/a%20b?p=1"),
        ("a?ä=ö", "GET /api/v1/a?%C3%A4=%C3%B6&p=1"),
        ("a?x=1 2", "GET /api/v1/a?x=1%202&p=1"),
    ],
)
async def test_a_path_arrives_as_it_was_meant(path: str, line: str) -> None:
    async with RawServer(always(answer())) as server, client_at(server.base_url) as client:
        await client.request("GET", path, params={"p": 1})
        assert request_lines(server) == [f"{line} HTTP/1.1"]


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "a/../../x",
        "%2e%2e/x",
        "a/%2E%2e/%2e./x",
        "..",
        "https://evil.example/x",
        "http://127.0.0.1:1/x",
        # The next four end up elsewhere at servers that decode before they resolve, or that think in backslashes.
        "..%2fx",
        "a/..%2F..%2Fx",
        "..\\x",
        "..%5Cx",
        # What is cut off or left out in silence: DELETE "items/#5" would become DELETE "items/".
        "items/#5",
        "a?x=1#y",
        "a\nb",
        "a\r\nHost: evil.example",
        "a\tb",
        "a\x00b",
        "a\ud800b",
        "a?x=\n1",
    ],
)
async def test_a_path_that_leads_elsewhere_or_cannot_be_sent_whole_is_refused(path: str) -> None:
    async with RawServer(always(answer())) as server, client_at(server.base_url) as client:
        with pytest.raises(InvalidArgumentError, match="path"):
            await client.request("DELETE", path, params={"p": 1})
        assert server.requests == []


@pytest.mark.parametrize(
    ("params", "query"),
    [
        ({"a": None, "b": 1}, "?b=1"),
        ({"a": None}, ""),
        ({"a": True, "b": False}, "?a=true&b=false"),
        ({"a": [1, True, "x y"]}, "?a=1,true,x%20y"),
        ({"a": (1, 2)}, "?a=1,2"),
        ({"a": [1, None, 2]}, "?a=1,2"),
        ({"a": ChannelType.FACEBOOK}, "?a=facebook"),
        ({"a": "ü&=?#/+%"}, "?a=%C3%BC%26%3D%3F%23%2F%2B%25"),
        ({"a b": 1.5}, "?a%20b=1.5"),
        ({"a": ""}, "?a="),
        ({"a": "facebook,instagram"}, "?a=facebook,instagram"),
        (MappingProxyType({"a": 1}), "?a=1"),
    ],
)
async def test_parameters_arrive_as_they_were_meant(params: Any, query: str) -> None:
    async with RawServer(always(answer())) as server, client_at(server.base_url) as client:
        await client.request("GET", "x", params=params)
        assert request_lines(server) == [f"GET /api/v1/x{query} HTTP/1.1"]


@pytest.mark.parametrize("value", [b"bytes", {"b": 1}, object(), "\ud800"], ids=lambda value: type(value).__name__)
async def test_a_parameter_that_has_no_form_in_a_query_is_refused(value: Any) -> None:
    async with RawServer(always(answer())) as server, client_at(server.base_url) as client:
        with pytest.raises((TypeError, ValueError, ConfigurationError)):
            await client.request("GET", "x", params={"a": value})
        assert server.requests == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("", "/api/v1/social-sparks/post/7"),
        ("/", "/api/v1/social-sparks/post/7"),
        ("/a/b/", "/a/b/social-sparks/post/7"),
    ],
)
async def test_the_api_root_may_have_any_path(path: str, line: str) -> None:
    found = always(answer(b'{"post": {"post_id": 7}}'))
    async with RawServer(found) as server, client_at(f"http://127.0.0.1:{server.port}{path}") as client:
        await client.posts.get(7)
        await client.request("GET", "social-sparks/post/7")
        assert request_lines(server) == [f"GET {line} HTTP/1.1"] * 2


# Opening and closing while others do.


async def test_users_who_open_and_close_one_client_as_they_come_and_go() -> None:
    """``async with client`` may be nested, so it will be done side by side as well."""
    problems: list[str] = []
    async with Sandbox(limit=1000) as sandbox:
        client = client_of(sandbox)

        async def user(number: int) -> None:
            for _ in range(10):
                try:
                    async with client:
                        await client.posts.upcoming(limit=number + 1)
                except MarketingBlocksError as error:
                    problems.append(str(error))
                await asyncio.sleep(0)

        await asyncio.gather(*(user(number) for number in range(4)))
        assert problems == []
        assert "not open" in repr(client)


async def test_a_client_can_be_opened_while_it_still_closes() -> None:
    async with Sandbox() as sandbox:
        for turns in range(4):
            client = client_of(sandbox)
            await client.open()
            await client.posts.upcoming()
            closing = asyncio.create_task(client.close())
            for _ in range(turns):
                await asyncio.sleep(0)
            await client.open()
            await closing
            await client.posts.upcoming()
            await client.close()


@pytest.mark.parametrize("turns", [1, 2, 3])
async def test_a_close_that_is_cancelled_leaves_nothing_open(turns: int) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async with Sandbox() as sandbox:
            client = client_of(sandbox)
            await client.open()
            await client.posts.upcoming()
            closing = asyncio.create_task(client.close())
            for _ in range(turns):
                await asyncio.sleep(0)
            closing.cancel()
            await asyncio.wait([closing])
            del client, closing
            gc.collect()
            await asyncio.sleep(0.01)
    assert [str(warning.message) for warning in caught] == []


async def test_closing_on_another_event_loop_is_refused_and_says_so() -> None:
    async with Sandbox() as sandbox, client_of(sandbox, rate_limit=RateLimit()) as client:
        await client.posts.create(post())

        async def elsewhere() -> None:
            with pytest.raises(ConfigurationError, match="another event loop"):
                await client.close()

        await asyncio.to_thread(asyncio.run, elsewhere())
        await client.posts.create(post("still open"))


def test_two_event_loops_with_a_client_each_in_two_threads() -> None:
    async def use(base_url: str, name: str) -> list[object]:
        async with client_at(base_url, token="sandbox-token", rate_limit=RateLimit()) as client:
            return await asyncio.gather(*(create(client, f"{name} {number}") for number in range(20)))

    async def main() -> None:
        async with Sandbox() as sandbox:
            url = sandbox.base_url
            both = await asyncio.gather(*(asyncio.to_thread(asyncio.run, use(url, name)) for name in ("a", "b")))
            assert all(isinstance(result, int) for results in both for result in results)
            assert sandbox.ledger.carried_out_at("create-post") == 40
            assert not sandbox.ledger.duplicates()

    asyncio.run(main())


async def test_nothing_is_left_after_calls_of_every_fate() -> None:
    before = asyncio.all_tasks()

    async def odd(request: HttpRequest, send: Send) -> HttpAnswer:
        return await send(request)

    fates: list[Callable[[RawRequest, asyncio.StreamWriter], Awaitable[bool]]] = [
        always(answer()),
        always(b"garbage\r\n\r\n"),
        always(b"", keep=False),
        always(answer(b"{}", "500 Error")),
        always(HEAD + b"Content-Length: 100\r\n\r\n{"),
    ]

    async def respond(request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        return await fates[len(server.requests) % len(fates)](request, writer)

    settings: dict[str, Any] = {"timeout": 0.1, "middlewares": [odd], "retry": ONCE}
    async with RawServer(respond) as server, client_at(server.base_url, **settings) as client:
        await asyncio.gather(*(create(client, str(number)) for number in range(50)))
    gc.collect()
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("name", ["Set-Cookie", "Content-Security-Policy"])
async def test_long_headers_are_read(name: str) -> None:
    long = answer(headers={name: "a" * 60_000})
    async with RawServer(always(long)) as server, client_at(server.base_url) as client:
        assert (await client.posts.create(post())).post_id == 1


async def test_a_success_that_tells_an_error_and_no_id_is_no_success_of_a_create() -> None:
    data = answer(b'{"error": "quota exceeded"}')
    async with RawServer(always(data)) as server, client_at(server.base_url) as client:
        with pytest.raises(OutcomeUnknownError, match="quota exceeded"):
            await client.posts.create(post())
        assert await client.request("POST", "x") == {"error": "quota exceeded"}
        assert len(server.requests) == 2
