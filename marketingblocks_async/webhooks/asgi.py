"""The receiver as a plain ASGI 3 application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Protocol, TypeAlias

ASGIScope: TypeAlias = MutableMapping[str, Any]
ASGIMessage: TypeAlias = MutableMapping[str, Any]
ASGIReceive: TypeAlias = Callable[[], Awaitable[ASGIMessage]]
ASGISend: TypeAlias = Callable[[ASGIMessage], Awaitable[None]]


class TakesIn(Protocol):
    """What requests are handed to."""

    async def receive(self, method: str, path: str, chunks: AsyncIterator[bytes]) -> int:
        """Take in a request; return the status to answer."""
        ...


class _GoneError(ConnectionError):
    """The sender has hung up."""


def asgi_app(receiver: TakesIn) -> Callable[[ASGIScope, ASGIReceive, ASGISend], Awaitable[None]]:
    """Return an ASGI 3 application that hands its requests to ``receiver``.

    Args:
        receiver: takes them in.

    """

    async def application(scope: ASGIScope, receive: ASGIReceive, send: ASGISend) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            try:
                status = await receiver.receive(scope["method"], scope["path"], _body(receive))
            except _GoneError:
                return
            headers = [(b"content-length", b"0")]
            if status == 405:
                headers.append((b"allow", b"POST"))
            if status in (408, 413):
                # What is left of the body is not read.
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
