"""The receiver as a plain ASGI 3 application."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Protocol, TypeAlias

from .payload import NotJSONError

ASGIScope: TypeAlias = MutableMapping[str, Any]
ASGIMessage: TypeAlias = MutableMapping[str, Any]
ASGIReceive: TypeAlias = Callable[[], Awaitable[ASGIMessage]]
ASGISend: TypeAlias = Callable[[ASGIMessage], Awaitable[None]]


_PIECE = 2**16
"""Bytes that are unpacked at once, so that a small body cannot fill the memory before its size is checked."""

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class RequestReceiver(Protocol):
    """The part of a ``WebhookReceiver`` that handles requests."""

    async def receive(self, method: str, path: str, chunks: AsyncIterator[bytes]) -> int:
        """Handle a request; return the status of the response."""
        ...


class _GoneError(ConnectionError):
    """The sender hung up."""


def asgi_app(receiver: RequestReceiver) -> Callable[[ASGIScope, ASGIReceive, ASGISend], Awaitable[None]]:
    """Return an ASGI 3 application that passes its requests to ``receiver``."""

    async def application(scope: ASGIScope, receive: ASGIReceive, send: ASGISend) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            try:
                chunks = _unpacked(_body(receive), dict(scope["headers"]).get(b"content-encoding", b""))
                status = await receiver.receive(scope["method"], scope["path"], chunks)
            except _GoneError:
                return
            headers = [(b"content-length", b"0")]
            if status == 405:
                headers.append((b"allow", b"POST"))
            if status in (408, 413):
                # The rest of the body is not read.
                headers.append((b"connection", b"close"))
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b""})

    return application


async def _live(receive: ASGIReceive, send: ASGISend) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _body(receive: ASGIReceive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _GoneError
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


async def _unpacked(chunks: AsyncIterator[bytes], encoding: bytes) -> AsyncIterator[bytes]:
    # aiohttp's server unpacks bodies by itself, ASGI servers do not.
    encoding = encoding.strip().lower()
    if encoding not in (b"", b"identity", b"gzip", b"x-gzip", b"deflate"):
        msg = f"the body has the unknown content encoding {encoding!r}"
        raise NotJSONError(msg)
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    async for chunk in chunks:
        packed = chunk
        if encoding in (b"", b"identity"):
            yield chunk
            continue
        try:
            while packed:
                yield unpacker.decompress(packed, _PIECE)
                packed = unpacker.unconsumed_tail
        except zlib.error as exc:
            raise NotJSONError(exc) from None
