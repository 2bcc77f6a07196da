"""A server whose HTTP is written by hand, over a real socket."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class RawRequest:
    """One request as it came over the wire.

    Attributes:
        connection: number of the connection that it came on, from 1.
        head: request line and headers.
        body: the body, as long as the head says.

    """

    connection: int
    head: bytes
    body: bytes

    @property
    def line(self) -> str:
        """The request line."""
        return self.head.split(b"\r\n")[0].decode("latin-1")

    def header(self, name: str) -> str | None:
        """Return a header, ``None`` if it was not sent."""
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            found, _, value = line.partition(":")
            if found.lower() == name.lower():
                return value.strip()
        return None


# What is done with one connection.
Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
# Answers one request, and returns whether to keep the connection.
Respond = Callable[[RawRequest, asyncio.StreamWriter], Awaitable[bool]]


CERTIFICATE = Path(__file__).with_name("tls.pem")
"""Of 127.0.0.1, with its key, which protects nothing."""


def tls_of_server() -> ssl.SSLContext:
    """Return what a server with TLS needs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def tls_of_client() -> ssl.SSLContext:
    """Return what a client needs to trust that server."""
    return ssl.create_default_context(cafile=str(CERTIFICATE))


@asynccontextmanager
async def listening(handle: Handle, port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncGenerator[int]:
    """Listen on a port of this machine, and leave nothing open or running at the end."""
    tasks: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []
    is_over = False

    async def handle_until_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client has gone, or the test is over
        finally:
            writer.close()

    # No coroutine: the task that asyncio would make of it closes nothing if it is cancelled before its first step.
    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if is_over:
            writer.transport.abort()
            return
        writers.append(writer)
        task = asyncio.create_task(handle_until_the_end(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", port, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        # asyncio loses a connection that it has accepted and not yet set up when the server closes.
        for _ in range(5):
            await asyncio.sleep(0)
        # Until Python 3.12 it leaves its connections open.
        server.close()
        is_over = True
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            # It may still have something to write that nobody reads.
            writer.transport.abort()
        # A connection that was just accepted is handed over some turns of the loop later, and closes in one more.
        for _ in range(10):
            await asyncio.sleep(0)


@dataclass
class RawServer:
    """A server that reads requests and lets a test write the bytes of the answer, however wrong they are.

    Attributes:
        respond: writes the answer to one request; the connection is closed if it returns ``False``.
        requests: what came in.
        connections: how many connections were made.
        port: where it listens, a free one unless given.
        tls: how it encrypts; ``None``: not at all.

    """

    respond: Respond
    requests: list[RawRequest] = field(default_factory=list[RawRequest])
    connections: int = 0
    port: int = 0
    tls: ssl.SSLContext | None = None
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        self.port = await self._stack.enter_async_context(listening(self._serve, self.port, self.tls))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def base_url(self) -> str:
        """The API root."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/api/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number, keep = self.connections, True
        while keep:
            head = await reader.readuntil(b"\r\n\r\n")
            request = RawRequest(number, head, b"")
            body = await reader.readexactly(int(request.header("Content-Length") or 0))
            request = RawRequest(number, head, body)
            self.requests.append(request)
            keep = await self.respond(request, writer)


def answer(
    body: bytes = b'{"status": true, "post_id": 1}', status: str = "200 OK", headers: dict[str, str] | None = None
) -> bytes:
    """Return a well-formed answer."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def always(data: bytes, *, keep: bool = True) -> Respond:
    """Return what gives the same answer to every request."""

    async def respond(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        writer.write(data)
        return keep

    return respond
