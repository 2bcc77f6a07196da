"""The receiver: one unguessable address, and what is made of the requests that come to it."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import secrets
from collections.abc import AsyncIterable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.models import Generation
from marketingblocks_async.urls import is_loopback

from .asgi import ASGIReceive, ASGIScope, ASGISend, asgi_app
from .errors import NoResultError
from .inbox import Inbox
from .payload import GenerationResult, NotJSONError, parse

if TYPE_CHECKING:
    from aiohttp import web

logger: logging.Logger = logging.getLogger("marketingblocks_async")

DEFAULT_MAX_BODY_BYTES = 2**20
"""The largest body that is read, 1 MiB."""

DEFAULT_BODY_SECONDS = 10.0
"""How long a body may take to arrive."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{22,200}")


class WebhookReceiver:
    """Receives what the API posts to the ``web_hook`` of generations, and hands it to who waits for it.

    It is no server, but a part of yours: an aiohttp handler (:meth:`aiohttp_handler`) and an ASGI application (the
    receiver itself). ::

        receiver = WebhookReceiver("https://example.com/hooks")
        app.router.add_post("/hooks/{secret}", receiver.aiohttp_handler)   # aiohttp
        app.mount("/hooks", receiver)                                      # Starlette, FastAPI

        job = await client.generations.create(post_type="breel", input="tulips", web_hook=receiver.url)
        result = await job.wait(receiver, deadline=600)

    The payload is **not documented**, and there is no signature. So the address cannot be guessed, and whoever knows it
    is believed as little as possible: the body is bounded, may be any JSON, and is a hint that is kept as it came
    (``result.raw``). It is matched with a generation by the generation's id anywhere in it. Repeated deliveries change
    nothing, and a result may come before anybody waits for it.

    Use it in one event loop.

    Args:
        public_url: the address under which the world reaches the place where the receiver is mounted, such as
            ``https://example.com/hooks``. A proxy may map it to any path: only the last part of the path counts.
        secret: the last part of the path, 22 or more letters, digits, ``-`` or ``_`` that cannot be guessed; a new one
            unless given. Give one to be reached at the same address after a restart.
        max_body_bytes: the largest body to read, at least 1.
        body_seconds: how long a body may take to arrive, in seconds above 0.
        on_result: called with each new body's JSON value, matched or not. What it raises is logged.

    Raises:
        ConfigurationError: the address or the secret cannot be; http is for loopback addresses only.

    """

    def __init__(
        self,
        public_url: str,
        *,
        secret: str | None = None,
        max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
        body_seconds: float = DEFAULT_BODY_SECONDS,
        on_result: Callable[[Any], None] | None = None,
    ) -> None:
        if secret is not None and not _SECRET.fullmatch(secret):
            msg = "secret: give 22 to 200 letters, digits, '-' or '_', such as secrets.token_urlsafe(32) makes"
            raise ConfigurationError(msg)
        if max_body_bytes < 1 or not body_seconds > 0:
            msg = f"max_body_bytes={max_body_bytes!r}, body_seconds={body_seconds!r}: give at least 1, and above 0"
            raise ConfigurationError(msg)
        self._root = _checked(public_url)
        self._secret = secret or secrets.token_urlsafe(32)
        self._max_body_bytes = max_body_bytes
        self._body_seconds = body_seconds
        self._on_result = on_result
        self._inbox = Inbox()
        self._application = asgi_app(self)

    def __repr__(self) -> str:
        # Without the secret: whoever reads a log could post to it.
        return f"<WebhookReceiver at {self._root}/…>"

    @property
    def url(self) -> str:
        """The address to give as ``web_hook``. Keep it out of logs: whoever knows it can post to it."""
        return f"{self._root}/{self._secret}"

    def find(self, generation: Generation | int | str) -> GenerationResult | None:
        """Return the result of a generation if it has come already.

        Args:
            generation: the generation or its id.

        Returns:
            The first result that came, ``None`` if there is none yet.

        """
        return self._inbox.find(generation.id if isinstance(generation, Generation) else generation)

    async def wait_for(self, generation: Generation | int | str, *, deadline: float) -> GenerationResult:
        """Wait for the result of a generation; the same as ``generation.wait(receiver, deadline=…)``.

        Args:
            generation: the generation or its id.
            deadline: how long, in seconds.

        Returns:
            The first result that came, also if it came before.

        Raises:
            NoResultError: none came until the deadline.

        """
        generation_id = generation.id if isinstance(generation, Generation) else generation
        try:
            async with asyncio.timeout(deadline):
                return await self._inbox.wait(generation_id)
        except TimeoutError:
            msg = (
                f"generation {generation_id}: no result came within {deadline:g} s; it may still come, "
                "so wait again, and check that the web hook can be reached from outside if it never does"
            )
            raise NoResultError(msg, generation_id) from None

    async def receive(self, method: str, path: str, chunks: AsyncIterable[bytes]) -> int:
        """Take in a request, for adapters to other servers.

        Args:
            method: HTTP method.
            path: path of the request; its last part must be the secret.
            chunks: the body as it arrives.

        Returns:
            The status to answer, with an empty body: 200, 400 (no JSON), 404 (not the secret), 405 (no ``POST``), 408
            (the body took too long) or 413 (it is too large).

        """
        given = path.rstrip("/").rpartition("/")[2]
        # In a time that does not tell how much of it is right.
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self._secret.encode()):
            return 404
        if method != "POST":
            return 405
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_seconds):
                async for chunk in chunks:
                    body += chunk
                    if len(body) > self._max_body_bytes:
                        return 413
        except TimeoutError:
            return 408
        return self._take_in(bytes(body))

    def _take_in(self, body: bytes) -> int:
        try:
            is_new = self._inbox.put(body)
        except NotJSONError:
            return 400
        if is_new and self._on_result is not None:
            try:
                self._on_result(parse(body))
            except Exception:
                # It has come all the same, and the sender can do nothing about it.
                logger.exception("on_result of a web hook failed")
        return 200

    async def aiohttp_handler(self, request: web.Request) -> web.Response:
        """Handle a request of an aiohttp server.

        Args:
            request: what came, at a path that ends with the secret.

        Returns:
            An empty answer.

        """
        from .aiohttp_adapter import handle  # noqa: PLC0415 - who uses ASGI needs no web server of aiohttp

        return await handle(self, request)

    async def __call__(self, scope: ASGIScope, receive: ASGIReceive, send: ASGISend) -> None:
        """Handle a request as an ASGI 3 application.

        Args:
            scope: the connection.
            receive: yields its events.
            send: sends the answer.

        """
        await self._application(scope, receive, send)


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
    except ValueError as exc:
        msg = f"public_url={url!r} is no URL: {exc}"
        raise ConfigurationError(msg) from None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or "@" in parts.netloc:
        msg = f"public_url={url!r}: give an absolute address without query, such as 'https://example.com/hooks'"
        raise ConfigurationError(msg)
    if parts.scheme == "http" and not is_loopback(host):
        msg = f"public_url={url!r}: use https; the path is what keeps others out, and http shows it to everybody"
        raise ConfigurationError(msg)
    return parts.geturl().rstrip("/")
