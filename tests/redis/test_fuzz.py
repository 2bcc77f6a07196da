"""Whatever a Redis answers, or what passes for one: the script's reply, or a failure that the worker survives."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketingblocks_async.redis import RedisRateLimit, RedisRateLimiter
from marketingblocks_async.redis.connection import Connection, Exchange, UnreachableError
from tests.support.fuzzing import damaged, fuzz
from tests.support.limits import use
from tests.support.polling import until
from tests.support.raw_server import listening

KEYS = ("{p}:marker", "{p}:token")
ARGUMENTS: list[str | int] = ["name", 1, 0, 0, 5, 0, 100, 10**6, 10**6, 10**6, 0, 0, 0, 0]

GOOD = [0, 5, 5, 50, 0, 0, 95, 0, 12_000]

numbers = st.integers(-2, 120) | st.sampled_from([10**30, -(2**63), 2**63])


def resp(value: Any) -> bytes:
    """Return a value as Redis writes it."""
    match value:
        case [*items]:
            return b"*%d\r\n" % len(items) + b"".join(map(resp, items))
        case int():
            return b":%d\r\n" % value
        case str():
            return b"$%d\r\n%s\r\n" % (len(value.encode()), value.encode())
        case _:
            return b"$-1\r\n"


values = st.recursive(
    numbers | st.text(max_size=5) | st.none(), lambda inner: st.lists(inner, max_size=10), max_leaves=12
)
# As long as the right one, so that more than its length decides.
alike = st.lists(numbers, min_size=8, max_size=10).map(lambda rest: [0, *rest[1:]])
pieces = st.sampled_from(
    [
        *(b"*", b":", b"$", b"-", b"+", b"\r\n", b"_", b"#t", b",1.5", b"%1\r\n", b"(1", b"*-1\r\n", b"$-1\r\n"),
        *(b"9" * 20, b"\xff\xfe", b"\0", b"*99999999\r\n", b"$9999999\r\n"),
        *(b"-NOSCRIPT\r\n", b"-NOAUTH x\r\n", b"-LOADING\r\n"),
    ]
)

WRONG = [b"*1\r\n:0\r\n", b"*1\r\n:x\r\n", b"$2\r\n\xff\xfe\r\n", b":5\r\n", resp([0, 500, *GOOD[2:]])]


class FakeRedis:
    """Answers every script with the same bytes, and closes the connection then."""

    def __init__(self) -> None:
        self.reply = b""
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            while (asked := await reader.read(65536)) and b"EVALSHA" not in asked:
                # Commands that a client begins with, and that it loads the script by.
                writer.write(b"%1\r\n+proto\r\n:3\r\n" * asked.count(b"HELLO"))
                writer.write(b"+OK\r\n" * (asked.count(b"CLIENT") + asked.count(b"SCRIPT")))
            writer.write(self.reply)


@pytest.fixture
def fake(runner: asyncio.Runner) -> Iterator[FakeRedis]:
    fake = FakeRedis()
    server = AsyncExitStack()
    port = runner.run(server.enter_async_context(listening(fake.serve)))
    fake.url = f"redis://127.0.0.1:{port}"
    yield fake
    runner.run(server.aclose())


async def ask(fake: FakeRedis) -> list[list[int] | UnreachableError]:
    connection = Connection(RedisRateLimit(fake.url))
    try:
        return await connection.run([Exchange(KEYS, ARGUMENTS)])
    finally:
        await connection.close()


def test_any_reply_is_the_script_s_or_a_failure(runner: asyncio.Runner, fake: FakeRedis) -> None:
    @fuzz(120)
    @given(reply=damaged(st.just(resp(GOOD)), pieces) | values.map(resp) | alike.map(resp))
    def play(reply: bytes) -> None:
        fake.reply = reply
        try:
            numbers = runner.run(ask(fake))[0]
        except UnreachableError:
            return
        match numbers:
            case [0, held, target, share, paused, refusals, in_pool, quarantine, *comes_back]:
                assert 0 <= held <= 100
                assert min(target, share, paused, refusals, in_pool, quarantine, *comes_back, 0) >= 0
            case [2, limit, per]:
                assert min(limit, per) > 0
            case _:
                assert numbers == [1]

    play()


def test_the_right_reply_is_taken(runner: asyncio.Runner, fake: FakeRedis) -> None:
    fake.reply = resp(GOOD)
    assert runner.run(ask(fake)) == [GOOD]


@pytest.mark.parametrize("reply", WRONG)
def test_the_worker_survives_a_wrong_reply(runner: asyncio.Runner, fake: FakeRedis, reply: bytes) -> None:
    """A thread that had died of it would leave its callers waiting for ever."""

    async def call() -> Any:
        fake.reply = reply
        limiter = RedisRateLimiter(RedisRateLimit(fake.url), "https://api.example/v1", "token")
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0.1)
        assert not waiting.done()
        fake.reply = resp(GOOD)
        use(await waiting)
        limiter.close()
        # Its last exchange is with this server.
        await until(lambda: all(thread.name != "marketingblocks redis" for thread in threading.enumerate()))

    runner.run(call())
