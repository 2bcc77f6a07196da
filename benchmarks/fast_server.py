"""A minimal HTTP server for measuring clients: it answers every request alike and remembers when it arrived.

``python -m benchmarks.fast_server`` prints its port. It is much faster than the clients, so that they
are what is measured.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from array import array
from collections import defaultdict

ANSWER = b'{"status":true,"post_id":1}'


class CountingProtocol(asyncio.Protocol):
    """One connection. Only what the benchmarks send is understood: complete heads, bodies with a length."""

    def __init__(self, arrivals: defaultdict[str, array[float]]) -> None:
        self._arrivals = arrivals
        self._transport: asyncio.Transport | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checkers: TCP has no others
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every complete request."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end]
            length = _field(head.lower(), b"content-length: ")
            complete = end + 4 + int(length or b"0")
            if len(self._received) < complete:
                return
            self._received = self._received[complete:]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        if head.startswith(b"GET /arrivals"):
            body = json.dumps({token: list(times) for token, times in self._arrivals.items()}).encode()
            self._arrivals.clear()
        else:
            token = (_field(head, b"Authorization: Bearer ") or b"").decode()
            self._arrivals[token].append(time.monotonic())
            body = ANSWER
        if self._transport is not None:
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            )


def _field(head: bytes, name: bytes) -> bytes | None:
    start = head.find(name)
    return head[start + len(name) :].split(b"\r\n", 1)[0] if start >= 0 else None


async def serve() -> None:
    """Listen on a free port, print it, and serve until standard input ends."""
    loop = asyncio.get_running_loop()
    arrivals: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
    server = await loop.create_server(lambda: CountingProtocol(arrivals), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve())
