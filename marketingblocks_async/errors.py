"""Everything this package raises.

All errors derive from :class:`MarketingBlocksError`, pickle with their attributes (so they cross process pools and
task queues), and never contain the access token. Messages say what to do next; long bodies are cut in the message
and kept whole on the attribute.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from multidict import CIMultiDict

BODY_EXCERPT_LENGTH = 300
"""How many characters of an answer's body an error message shows; the attribute holds all of it."""


class Headers(CIMultiDict[str]):
    """Response headers: a mapping that ignores case and pickles.

    Repeated headers are joined with ``", "``, as RFC 9110 section 5.3 allows.
    """

    def __init__(self, pairs: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        """Copy ``pairs``: a mapping, which may hold a name twice (multidict), or name and value pairs."""
        super().__init__()
        for name, value in pairs.items() if isinstance(pairs, Mapping) else pairs:
            if name in self:
                self[name] = f"{self[name]}, {value}"
            else:
                self.add(name, value)

    def __repr__(self) -> str:
        return f"Headers({dict(self)!r})"


def excerpt(body: object, length: int = BODY_EXCERPT_LENGTH) -> str:
    """Return ``body`` as one readable line of at most ``length`` characters."""
    # Only the head is normalised: a body may be many MiB and the rest would be thrown away.
    whole = str(body)
    text = " ".join(whole[: length * 4].split())
    text = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    if len(text) <= length and len(whole) <= length * 4:
        return text
    return f"{text[: length - 1]}…"


class Outcome(Enum):
    """What a failed attempt may have done at the server; the retry decision rests on this, not on the status alone."""

    NOT_SENT = "not sent"
    """It cannot have reached the API: DNS, refused, TLS, no connection in time. Sending again is safe."""
    REFUSED = "refused unstarted"
    """The API said that it did not begin: 429, or 503 with ``Retry-After``. Sending again is safe, later."""
    UNKNOWN = "unknown"
    """It may have been carried out: connection lost after sending, no answer in time, 5xx."""
    FINAL = "final"
    """Sending the same again would fail the same way: 4xx, a body that makes no sense."""


class MarketingBlocksError(Exception):
    """Base of every error of this package."""


class ConfigurationError(MarketingBlocksError):
    """The client cannot work as it was set up or used.

    No token, a token with control characters, a bad ``base_url``, a limit of zero, a call outside ``async with``.
    Nothing was sent.
    """


class CallError(MarketingBlocksError):
    """Base of the errors that end one call.

    Attributes:
        endpoint: the operation, for example ``"create-post"`` (or the path of a generic ``request()``).
        attempts: how many attempts were started, the failed last one included; 0 if none was.
        first_failure: the failure after which it may have been carried out, or else what went wrong first, when a later
            attempt failed differently and would hide it; else ``None``.

    """

    def __init__(
        self,
        message: str,
        *,
        endpoint: str = "",
        attempts: int = 0,
        first_failure: CallError | None = None,
    ) -> None:
        """Keep the message and the attributes; everything but the message is optional so that pickling works."""
        super().__init__(message)
        self.endpoint = endpoint
        self.attempts = attempts
        self.first_failure = first_failure

    @property
    def message(self) -> str:
        """What happened, without the attempts."""
        return str(self.args[0])

    def __str__(self) -> str:
        text = self.message
        if self.attempts > 1:
            text += f" (after {self.attempts} attempts)"
        if self.first_failure is not None:
            text += f" (first failure: {excerpt(self.first_failure.message)})"
        return text


class APIError(CallError):
    """The API answered, and the answer is a refusal or a failure.

    Attributes:
        status_code: HTTP status; 200 when the body said ``"status": false``.
        message: what to do, with the API's own reason.
        body: the decoded JSON body, or the text when it was no JSON, whole.
        headers: the answer's headers (case does not matter).
        endpoint: the operation that was called.
        attempts: how many attempts were made.
        first_failure: see :class:`CallError`.

    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int = 0,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        endpoint: str = "",
        attempts: int = 0,
        first_failure: CallError | None = None,
    ) -> None:
        """Keep what the API said."""
        super().__init__(message, endpoint=endpoint, attempts=attempts, first_failure=first_failure)
        self.status_code = status_code
        self.body = body
        self.headers: Headers = headers if isinstance(headers, Headers) else Headers(headers or {})


class BadRequestError(APIError):
    """400 or 422: the API refused the request's content; change it before sending it again."""


class AuthenticationError(APIError):
    """401: the token is missing, expired, invalid, or lacks the endpoint's permission."""


class PermissionDeniedError(APIError):
    """403: the token lacks the permission that the endpoint needs."""


class NotFoundError(APIError):
    """404: no such post or path."""


class RateLimitedError(APIError):
    """429: refused because of the rate limit, on every attempt that was allowed.

    Attributes:
        retry_after: seconds that the API asked to wait, or ``None`` when it did not say.

    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int = 429,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        endpoint: str = "",
        attempts: int = 0,
        first_failure: CallError | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Keep what the API said and how long it asked to wait."""
        super().__init__(
            message,
            status_code=status_code,
            body=body,
            headers=headers,
            endpoint=endpoint,
            attempts=attempts,
            first_failure=first_failure,
        )
        self.retry_after = retry_after


class ServerError(APIError):
    """5xx: the API failed. For a write this is raised only when the API said that it did not start (503)."""


class NotSentError(CallError):
    """The request cannot have reached the API, so sending it again is safe.

    DNS, connection refused, TLS, no connection in time, a queue longer than the deadline, a client that closed first.
    """


class OutcomeUnknownError(CallError):
    """The request may or may not have been carried out; it was not sent again.

    For a write: check (``posts.upcoming``, ``posts.list``) before sending it again. For a read that kept failing
    nothing has changed at the API, and it can simply be called again.

    Attributes:
        request: what was sent: the request object, or for ``client.request()`` a mapping of method, path, params, json.

    """

    def __init__(
        self,
        message: str,
        *,
        request: Any = None,
        endpoint: str = "",
        attempts: int = 0,
        first_failure: CallError | None = None,
    ) -> None:
        """Keep what was sent."""
        super().__init__(message, endpoint=endpoint, attempts=attempts, first_failure=first_failure)
        self.request = request


class InvalidResponseError(CallError):
    """A success status whose body is no JSON, or not of the documented shape.

    After a write this means that the write *was* accepted; do not send it again without checking.

    Attributes:
        body: the decoded JSON, or the text when it was no JSON, whole.
        request: what was sent, as on :class:`OutcomeUnknownError`.
        status_code: HTTP status of the answer.

    """

    def __init__(
        self,
        message: str,
        *,
        body: Any = None,
        request: Any = None,
        status_code: int = 200,
        endpoint: str = "",
        attempts: int = 0,
        first_failure: CallError | None = None,
    ) -> None:
        """Keep the body that could not be understood."""
        super().__init__(message, endpoint=endpoint, attempts=attempts, first_failure=first_failure)
        self.body = body
        self.request = request
        self.status_code = status_code
