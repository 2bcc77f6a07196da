"""User code around every attempt: its protocol, the request and the response that it sees."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

DEEPEST_JSON = 200
"""The deepest nesting of a response's JSON. Python 3.11 decodes deeper ones but cannot pickle them (500 levels), and
errors pickle with their bodies."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """An attempt that is about to be sent. It has its permit already, so do not delay it.

    A write that waits for longer than half of its timeout (15 seconds at most) after the last middleware has called
    ``send`` is not sent; another attempt comes through the middlewares.

    Attributes:
        endpoint: operation, or the path of a generic call.
        attempt: 1 for the first.
        method: HTTP method.
        url: where it goes, percent-encoded.
        headers: its headers without the authorization, which is added after all middleware.
        body: JSON bytes, or ``None``.

    """

    endpoint: str
    attempt: int
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


class HttpResponse(NamedTuple):
    """The response to an attempt.

    Attributes:
        status: HTTP status.
        headers: its headers, compared without regard to case.
        body: the whole body, decompressed.

    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body's JSON value; a byte order mark is allowed.

        Raises:
            ValueError: the body is no JSON, or is nested deeper than ``DEEPEST_JSON`` levels.

        """
        try:
            value: Any = json.loads(self.body.removeprefix(b"\xef\xbb\xbf"))
        except RecursionError as exc:
            msg = "the JSON is nested too deeply"
            raise ValueError(msg) from exc
        if _is_deeper_than(DEEPEST_JSON, value):
            msg = f"the JSON is nested deeper than {DEEPEST_JSON} levels"
            raise ValueError(msg)
        return value


HttpAnswer = HttpResponse
"""The former name of ``HttpResponse``, kept until 1.0."""


def _is_deeper_than(levels: int, value: Any) -> bool:
    layer = [value]
    for _ in range(levels):
        layer = [
            item
            for container in layer
            if isinstance(container, list | dict)
            for item in cast("list[Any]", container.values() if isinstance(container, dict) else container)
        ]
        if not layer:
            return False
    return True


Send = Callable[[HttpRequest], Awaitable[HttpResponse]]


class Middleware(Protocol):
    """Code that runs once per attempt, inside the retries: ``async def f(request, send) -> HttpResponse``.

    It passes the request on by ``await send(request)``, as it came or with other headers or another body
    (``dataclasses.replace``); method and URL stay what they are. It may look at the response or replace it. It calls
    ``send`` at most once: whether to send again is for the retry policy to decide. An exception of its own ends the
    call and reaches the caller as it is; after a write was sent, as the cause of an ``OutcomeUnknownError``.
    """

    async def __call__(self, request: HttpRequest, send: Send, /) -> HttpResponse:
        """Handle one attempt."""
        ...
