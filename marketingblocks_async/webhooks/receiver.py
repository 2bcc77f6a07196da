"""The receiver: one address that cannot be guessed, and the handling of the requests to it."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import secrets
from collections.abc import AsyncIterable, Callable
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from marketingblocks_async.configuration import check_seconds, is_awaited, is_number
from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.models import Generation
from marketingblocks_async.models.base import is_object
from marketingblocks_async.urls import is_loopback

from .asgi import ASGIReceive, ASGIScope, ASGISend, asgi_app
from .errors import NoResultError
from .inbox import Inbox
from .payload import GenerationResult, NotJSONError, parse

if TYPE_CHECKING:
    from aiohttp import web

logger: logging.Logger = logging.getLogger("marketingblocks_async")

DEFAULT_MAX_BODY_BYTES = 2**20
"""Size of the largest body that is read: 1 MiB."""

DEFAULT_BODY_SECONDS = 10.0
"""Seconds in which a body must arrive."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{22,200}")


class WebhookReceiver:
    """Receives the results of generations at their ``web_hook``, and passes them to the calls that wait for them.

    It is a part of your server: an aiohttp handler (``aiohttp_handler``) and an ASGI application (the receiver itself).

        receiver = WebhookReceiver("https://example.com/hooks")
        app.router.add_post("/hooks/{secret}", receiver.aiohttp_handler)   # aiohttp
        app.mount("/hooks", receiver)                                      # Starlette, FastAPI

        job = await client.generations.create(
            post_type="breel", input="tulips", web_hook=receiver.url
        )
        result = await job.wait(receiver, deadline=600)

    The payload is **not documented**, and it is not signed. So the address cannot be guessed, and a body is only a
    hint: it has a size limit, may be any JSON, and is kept as it came (``result.raw``). It belongs to a generation if
    the generation's id is anywhere in it. Repeated deliveries change nothing, a delivery that only says that the job is
    queued or goes on (``processing``) is no result, and a result may come before a call waits for it.

    Use it in one event loop.

    Args:
        public_url: the public address of the place where the receiver is mounted, such as
            ``https://example.com/hooks``. A proxy may map it to any path: only the last part of the path counts.
        secret: the last part of the path: 22 to 200 letters, digits, ``-`` or ``_`` that cannot be guessed. By default
            a new one; give one to keep the address after a restart.
        max_body_bytes: size of the largest body to read, after unpacking, at least 1.
        body_seconds: seconds in which a body must arrive, above 0.
        on_result: called with the JSON value of each new body, matched or not. Its exceptions are logged.

    Raises:
        ConfigurationError: the address or the secret is not valid. http is allowed for loopback addresses only.

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
        if secret is not None and (not isinstance(cast("object", secret), str) or not _SECRET.fullmatch(secret)):
            msg = "secret: give 22 to 200 letters, digits, '-' or '_', such as secrets.token_urlsafe(32) makes"
            raise ConfigurationError(msg)
        if not is_number(max_body_bytes, whole=True) or max_body_bytes < 1:
            msg = f"max_body_bytes={max_body_bytes!r}: give a whole number, 1 or more"
            raise ConfigurationError(msg)
        if on_result is not None and (not callable(cast("object", on_result)) or is_awaited(on_result)):
            msg = f"on_result={on_result!r}: give a plain function of one value; it is called and not awaited"
            raise ConfigurationError(msg)
        self._root = _checked(public_url)
        self._secret = secret or secrets.token_urlsafe(32)
        self._max_body_bytes = max_body_bytes
        self._body_seconds = check_seconds(body_seconds, "body_seconds")
        self._on_result = on_result
        self._inbox = Inbox()
        self._application = asgi_app(self)

    def __repr__(self) -> str:
        # Without the secret, with which readers of a log could post to it.
        return f"<WebhookReceiver at {self._root}/…>"

    @property
    def url(self) -> str:
        """The address to give as ``web_hook``. Keep it out of logs: all who know it can post to it."""
        return f"{self._root}/{self._secret}"

    def find(self, generation: Generation | int | str) -> GenerationResult | None:
        """Return the first result of a generation (given by itself or its id), or ``None`` if none has come."""
        return self._inbox.find(generation.id if isinstance(generation, Generation) else generation)

    async def wait_for(self, generation: Generation | int | str, *, deadline: float) -> GenerationResult:
        """Wait for the result of a generation; the same as ``generation.wait(receiver, deadline=…)``.

        Args:
            generation: the generation or its id.
            deadline: seconds to wait at most.

        Returns:
            The first result, also if it came before this call.

        Raises:
            NoResultError: none came before the deadline.

        """
        generation_id = generation.id if isinstance(generation, Generation) else generation
        try:
            async with asyncio.timeout(deadline):
                return await self._inbox.wait(generation_id)
        except TimeoutError:
            msg = f"generation {generation_id}: no result came within {deadline:g} s. {self._next_step(generation)}"
            raise NoResultError(msg, generation_id) from None

    def _next_step(self, generation: Generation | int | str) -> str:
        """Return the next step for a caller who waited in vain, by the ``web_hook`` that the API names."""
        request = generation.request_body if isinstance(generation, Generation) else None
        if is_object(request) and "web_hook" in request:
            web_hook = request["web_hook"]
            if web_hook is None:
                return "The API was not given a web hook: pass web_hook=receiver.url to create()"
            if isinstance(web_hook, str) and web_hook.rstrip("/").rpartition("/")[2] != self._secret:
                return (
                    "The API was given another web hook than this receiver's: pass web_hook=receiver.url to create(), "
                    "and secret=… to the receiver if its address is to outlive a restart"
                )
        return "It may still come: wait again. If none ever comes, check that the web hook can be reached from outside"

    async def receive(self, method: str, path: str, chunks: AsyncIterable[bytes]) -> int:
        """Handle a request. This is for adapters to other servers.

        Args:
            method: HTTP method.
            path: path of the request; its last part must be the secret.
            chunks: the body as it arrives, unpacked.

        Returns:
            The status of the response, which has no body: 200, 400 (not JSON), 404 (not the secret), 405 (not
            ``POST``), 408 (the body took too long) or 413 (it is too large).

        """
        given = path.rstrip("/").rpartition("/")[2]
        # In constant time, so that the secret cannot be found letter by letter.
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
            return self._accept(bytes(body))
        except TimeoutError:
            return 408
        except NotJSONError:
            return 400

    def _accept(self, body: bytes) -> int:
        if self._inbox.put(body) and self._on_result is not None:
            try:
                self._on_result(parse(body))
            except Exception:
                # The result has come all the same, and the sender cannot help.
                logger.exception("on_result of a web hook failed")
        return 200

    async def aiohttp_handler(self, request: web.Request) -> web.Response:
        """Handle a request of an aiohttp server, at a path that ends with the secret."""
        from .aiohttp_adapter import handle  # noqa: PLC0415 - an ASGI server does not need that of aiohttp

        return await handle(self, request)

    async def __call__(self, scope: ASGIScope, receive: ASGIReceive, send: ASGISend) -> None:
        """Handle a request as an ASGI 3 application."""
        await self._application(scope, receive, send)


def _checked(url: str) -> str:
    try:
        parts = urlsplit(str(url).strip())
        host = parts.hostname or ""
    except ValueError as exc:
        msg = f"public_url={url!r} is not a URL: {exc}"
        raise ConfigurationError(msg) from None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or "@" in parts.netloc:
        msg = f"public_url={url!r}: give an absolute address without query, such as 'https://example.com/hooks'"
        raise ConfigurationError(msg)
    if parts.scheme == "http" and not is_loopback(host):
        msg = f"public_url={url!r}: use https, since http shows the secret path to others"
        raise ConfigurationError(msg)
    return parts.geturl().rstrip("/")
