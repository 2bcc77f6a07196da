"""The server of the tests leaves nothing open, whenever a connection comes."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from tests.support.raw_server import Handle, listening


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del writer
    await reader.read()


async def say_more_than_is_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(bytes(50_000_000))
    await reader.read()


@pytest.mark.parametrize("turns", range(8))
@pytest.mark.parametrize("handle", [say_nothing, say_more_than_is_read])
async def test_a_connection_is_closed_at_the_end(turns: int, handle: Handle) -> None:
    async with listening(handle) as port:
        client = socket.create_connection(("127.0.0.1", port), timeout=2)
        for _ in range(turns):
            await asyncio.sleep(0)
    with client, contextlib.suppress(ConnectionResetError):
        while client.recv(1_000_000):
            pass
