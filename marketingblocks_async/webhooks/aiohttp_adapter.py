"""The receiver as a handler of aiohttp's web server."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from .asgi import RequestReceiver
from .payload import NotJSONError


async def handle(receiver: RequestReceiver, request: web.Request) -> web.Response:
    """Pass a request to ``receiver`` and return its response.

    Args:
        receiver: the receiver.
        request: the request, its body unread. The application's ``client_max_size`` has no effect here.

    """
    try:
        status = await receiver.receive(request.method, request.path, _body(request))
    except ConnectionError:
        # The sender has hung up. aiohttp would log that as an error of this handler.
        status = 400
    response = web.Response(status=status, headers={"Allow": "POST"} if status == 405 else None)
    if status in (408, 413):
        # The rest of the body is not read.
        response.force_close()
    return response


async def _body(request: web.Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.content.iter_any():
            yield chunk
    except web.RequestPayloadError as exc:
        raise NotJSONError(exc) from None
