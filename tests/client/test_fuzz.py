"""Whatever the server answers: a result, or an error of the documented classes that tells the truth about a write."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketingblocks_async import CallError, MarketingBlocks, NotSentError, RetryPolicy
from tests.support.clients import TOKEN, client_at, post
from tests.support.fuzzing import damaged, fuzz
from tests.support.raw_server import RawRequest, RawServer

FIELDS = st.sampled_from(["status", "post_id", "message", "data", "posts"]) | st.text(max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS, inner),
    max_leaves=8,
)
BODIES = (
    JSON.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=30)
    | st.sampled_from(
        [
            b'{"status": true, "post_id": 1}',
            b'{"status": false}',
            b"<html>",
            b"[" * 5000,
            b'{"post_id": %s}' % (b"9" * 5000),
        ]
    )
)
STATUSES = st.integers(100, 599) | st.sampled_from([0, 42, 600, 999, 1000, 10**9])
VALUES = st.binary(max_size=8) | st.sampled_from(
    [
        *(b"0", b"-1", b"1e9", b"nan", b"9" * 400, b"", b"\xff", b"=" * 9000),
        *(b"Fri, 31 Dec 9999 23:59:59 GMT", b"Wed, 21 Oct 2015 07:28:00 -9999"),
        *(b"application/json", b"text/html; charset=no-such", b"gzip", b"br", b"chunked", b"close"),
        *(b"timeout=0, max=0", b"timeout=" + b"9" * 99),
    ]
)
NAMES = st.sampled_from(
    [
        *(b"Retry-After", b"X-RateLimit-Remaining", b"X-RateLimit-Reset", b"RateLimit", b"Date", b"Content-Type"),
        *(b"Keep-Alive", b"Content-Encoding", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Set-Cookie"),
        *(b"Location", b"Proxy-Status", b"x-envoy-attempt-count", b"x-a"),
    ]
)
PIECES = st.sampled_from(
    [
        *(b"\r\n", b"\n", b"\r\n\r\n", b": ", b"\0", b" ", b"HTTP/2"),
        *(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"),
    ]
)


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """Return a response whose parts are right each for itself, or nearly."""
    status, body = draw(STATUSES), draw(BODIES)
    lines = [
        b"HTTP/1.1 %d X" % status,
        *(b"%s: %s" % (draw(NAMES), draw(VALUES)) for _ in range(draw(st.integers(0, 3)))),
    ]
    match draw(st.sampled_from(["length", "length", "chunks", "short", "none"])):
        case "length":
            lines.append(b"Content-Length: %d" % len(body))
        case "short":
            lines.append(b"Content-Length: %d" % (len(body) + 5))
        case "chunks":
            lines.append(b"Transfer-Encoding: chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        case _:
            pass
    return b"\r\n".join([*lines, b"", body])


class Answering:
    """A server that gives every request the same bytes and closes the connection, and a client of it."""

    def __init__(self) -> None:
        self.bytes = b""
        self.server = RawServer(self.respond)
        self.client: MarketingBlocks

    async def respond(self, _request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        writer.write(self.bytes)
        return False


@pytest.fixture
def answering(runner: asyncio.Runner) -> Iterator[Answering]:
    answering = Answering()
    runner.run(answering.server.__aenter__())
    answering.client = client_at(answering.server.base_url, retry=RetryPolicy(max_attempts=1), timeout=20)
    runner.run(answering.client.open())
    yield answering
    runner.run(answering.client.close())
    runner.run(answering.server.__aexit__(None, None, None))


def test_a_write_gets_a_result_or_a_true_error(runner: asyncio.Runner, answering: Answering) -> None:
    @fuzz(200)
    @given(content=responses() | damaged(responses(), PIECES))
    def play(content: bytes) -> None:
        answering.bytes = content
        before = len(answering.server.requests)
        try:
            runner.run(answering.client.posts.create(post()))
        except CallError as error:
            check(error, content)
            if not error.may_have_happened:
                # Only a status that says so is proof that nothing was published.
                assert re.search(rb"HTTP/\d\.\d +0*[234]\d\d", content)
        else:
            assert re.search(rb"HTTP/\d\.\d +0*2\d\d", content)
        assert len(answering.server.requests) == before + 1

    play()


def test_a_read_gets_a_result_or_an_error(runner: asyncio.Runner, answering: Answering) -> None:
    @fuzz(80)
    @given(content=responses() | damaged(responses(), PIECES))
    def play(content: bytes) -> None:
        answering.bytes = content
        try:
            runner.run(answering.client.posts.upcoming())
        except CallError as error:
            check(error, content)

    play()


def check(error: CallError, content: bytes) -> None:
    assert not isinstance(error, NotSentError)
    shown = f"{error} {error!r}"
    assert TOKEN not in shown or TOKEN.encode() in content
    # In a log it is a few lines, whatever the server sent.
    assert len(str(error)) < 2000
