"""The receiver behind a web server of aiohttp."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from .asgi import TakesIn


async def handle(receiver: TakesIn, request: web.Request) -> web.Response:
    """Hand a request to ``receiver`` and return its answer.

    Args:
        receiver: takes it in.
        request: what came, its body unread; the application's ``client_max_size`` does not matter here.

    """
    status = await receiver.receive(request.method, request.path, _body(request))
    response = web.Response(status=status, headers={"Allow": "POST"} if status == 405 else None)
    if status in (408, 413):
        # What is left of the body is not read.
        response.force_close()
    return response


async def _body(request: web.Request) -> AsyncIterator[bytes]:
    async for chunk in request.content.iter_any():
        yield chunk
