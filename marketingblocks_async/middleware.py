"""User code around every attempt: the one protocol, and what it sees."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """An attempt as it is about to go out. It has its permit already, so do not linger.

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


class HttpAnswer(NamedTuple):
    """An answer as it came in.

    Attributes:
        status: HTTP status.
        headers: its headers; case does not matter.
        body: the whole body, decompressed.

    """

    status: int
    headers: Mapping[str, str]
    body: bytes


Send = Callable[[HttpRequest], Awaitable[HttpAnswer]]


class Middleware(Protocol):
    """Code that runs once per attempt, inside the retries: ``async def f(request, send) -> HttpAnswer``.

    It passes the request on by ``await send(request)``, as it came or with other headers or another body
    (``dataclasses.replace``); method and URL stay what they are. It may look at the answer or replace it. It calls
    ``send`` at most once: sending again is the retry policy's business. An exception of its own ends the call and
    reaches the caller as it is; after a write was sent, as the cause of an :class:`OutcomeUnknownError`.
    """

    async def __call__(self, request: HttpRequest, send: Send, /) -> HttpAnswer:
        """Handle one attempt."""
        ...
