"""The connection to Redis: one that died while it was idle is replaced, and nobody notices."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from marketingblocks_async.limits.settings import WaitEndedError
from marketingblocks_async.redis import RedisRateLimit, RedisRateLimiter
from marketingblocks_async.redis.connection import Connection, Exchange, UnreachableError
from marketingblocks_async.testing.redis_server import PrivateRedis
from tests.support.polling import until
from tests.support.raw_server import listening


class Gateway:
    """Forwards to Redis, and can forget its connections as NAT does: without a word to either side."""

    def __init__(self, url: str) -> None:
        self._redis_port = urlsplit(url).port
        self._generation = 0
        self.connections = 0
        self.url = ""

    def forget_connections(self) -> None:
        self._generation += 1

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._redis_port)
        generation = self._generation

        async def forward(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                if generation == self._generation:
                    target.write(data)
            target.close()

        try:
            with contextlib.suppress(ConnectionError):
                await asyncio.gather(forward(reader, far_writer), forward(far_reader, writer))
        finally:
            for each in (writer, far_writer):
                each.close()
                with contextlib.suppress(ConnectionError):
                    await each.wait_closed()


@asynccontextmanager
async def gateway_to(server: PrivateRedis) -> AsyncGenerator[Gateway]:
    gateway = Gateway(server.url)
    async with listening(gateway.serve) as port:
        gateway.url = f"redis://127.0.0.1:{port}"
        yield gateway


async def use_and_rest(limiter: RedisRateLimiter) -> None:
    permit = await limiter.acquire()
    permit.sending()
    permit.answered()
    await until(lambda: limiter.snapshot().held == 0)
    await until(lambda: limiter.snapshot().lease_left == 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["killed", "forgotten"])
async def test_a_call_after_a_rest_does_not_see_that_the_connection_died(server: PrivateRedis, how: str) -> None:
    async with gateway_to(server) as gateway:
        # A long lease, since a busy machine may take its time to reconnect.
        setting = RedisRateLimit(gateway.url, on_failure="fail", lease=2.0)
        limiter = RedisRateLimiter(setting, "https://api.example/v1", "a-token")
        await use_and_rest(limiter)
        if how == "killed":
            await server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        else:
            gateway.forget_connections()
        await use_and_rest(limiter)
        assert gateway.connections >= 2
        limiter.close()


async def test_a_failed_reconnect_is_an_outage(server: PrivateRedis) -> None:
    limiter = RedisRateLimiter(RedisRateLimit(server.url, on_failure="fail"), "https://api.example/v1", "a-token")
    await use_and_rest(limiter)
    await server.kill()
    with pytest.raises(WaitEndedError, match="cannot be reached"):
        await limiter.acquire()
    limiter.close()


async def test_an_exchange_that_got_no_reply_is_not_sent_again_by_redis_py() -> None:
    """It would have the number of the first one, which may have been carried out."""
    arrived: list[bytes] = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if b"EVALSHA" in data:
                arrived.append(data)
                break
            # To what redis-py says first on a connection.
            writer.write(b"+OK\r\n" * len(re.findall(rb"^\*", data, re.MULTILINE)))
        writer.close()

    async with listening(hang_up) as port:
        connection = Connection(RedisRateLimit(f"redis://127.0.0.1:{port}", lease=10.0))
        with pytest.raises(UnreachableError, match="closed by server"):
            await connection.run([Exchange(("marker",), [""] * 6 + [100])])
    assert len(arrived) == 1
