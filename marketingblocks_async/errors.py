"""Everything this package raises.

    MarketingBlocksError
    ├─ ConfigurationError
    ├─ InvalidArgumentError            also a ValueError
    │  └─ InvalidRequestError          also a pydantic.ValidationError; in ``models``
    └─ CallError                       .may_have_happened .endpoint .attempts .first_failure
       ├─ APIError                     .status_code .body .headers
       │  ├─ BadRequestError (400)
       │  │  └─ UnprocessableEntityError (422)
       │  ├─ AuthenticationError (401)
       │  ├─ PermissionDeniedError (403)
       │  ├─ NotFoundError (404)
       │  ├─ ConflictError (409)
       │  ├─ RateLimitError (429)      .retry_after
       │  └─ InternalServerError (5xx)
       ├─ APIConnectionError           a read without a response
       │  ├─ APITimeoutError
       │  └─ NotSentError              read or write
       ├─ OutcomeUnknownError          a write .request
       │  └─ UnreadableResponseError   a write; also an InvalidResponseError
       └─ InvalidResponseError         .body .request .status_code

All errors derive from ``MarketingBlocksError``, pickle with their attributes (so they cross process pools and
task queues), and never contain the access token. Messages say what to do next; long bodies are cut in the message
and kept whole on the attribute. ``RateLimitedError`` and ``ServerError`` are the former names of ``RateLimitError`` and
``InternalServerError``; they stay until 1.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, ClassVar, NamedTuple, cast

from multidict import CIMultiDict

BODY_EXCERPT_LENGTH = 300
"""How many characters of a response's body an error message shows; the attribute ``body`` has all of it."""


class Headers(CIMultiDict[str]):
    """Response headers: a mapping that ignores case and pickles.

    Repeated headers are joined with ``", "``, as RFC 9110 section 5.3 allows.
    """

    # multidict's own __new__ takes anything, which no other signature is consistent with.
    def __init__(  # pyright: ignore[reportInconsistentConstructor]
        self, pairs: Mapping[str, str] | Iterable[tuple[str, str]] = (), /
    ) -> None:
        """Copy ``pairs``: a mapping, which may hold a name twice (multidict), or name and value pairs."""
        super().__init__()
        given = cast("Mapping[str, str]", pairs).items() if isinstance(pairs, Mapping) else pairs
        for name, value in given:
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
    REFUSED = "rejected before processing"
    """The API rejected it before processing: 429. Sending again is safe, later."""
    UNKNOWN = "unknown"
    """It may have been carried out: connection lost after sending, no response in time, 5xx."""
    FINAL = "final"
    """Sending the same again would fail the same way: 4xx, a body that makes no sense."""


class StatusRule(NamedTuple):
    """The meaning of an error status: what the API may have done.

    Attributes:
        outcome: what may have happened.
        reason: why, in one sentence.

    """

    outcome: Outcome
    reason: str


STATUS_RULES: dict[str, StatusRule] = {
    "301": StatusRule(
        Outcome.UNKNOWN,
        "Clients may turn a POST into a GET (RFC 9110 15.4.2), so servers may send it after a POST that was carried "
        "out, as they should send 303.",
    ),
    "302": StatusRule(
        Outcome.UNKNOWN,
        "Clients may turn a POST into a GET (RFC 9110 15.4.3), so many servers send it after a POST that was carried "
        "out, as they should send 303.",
    ),
    "303": StatusRule(Outcome.UNKNOWN, "It redirects to the result of a POST that was carried out (RFC 9110 15.4.4)."),
    "307": StatusRule(Outcome.FINAL, "The resource is elsewhere, so it was not carried out here; not followed."),
    "308": StatusRule(Outcome.FINAL, "The resource is elsewhere, so it was not carried out here; not followed."),
    "3XX": StatusRule(Outcome.UNKNOWN, "It does not say whether the request was carried out."),
    "408": StatusRule(
        Outcome.UNKNOWN, "Load balancers send it also when the API did not answer them in time, after it has begun."
    ),
    "421": StatusRule(
        Outcome.FINAL, "The server is not responsible for this host (RFC 9110 15.5.20); check base_url and proxies."
    ),
    "425": StatusRule(
        Outcome.REFUSED,
        "The server declines to process a request that might be a replay (RFC 8470 5.2). Unknown as with 429.",
    ),
    "429": StatusRule(
        Outcome.REFUSED,
        "Documented as throttling or rejection, which comes before processing. Unknown if the response itself shows "
        "that it was made in front of the API (an HTML page, Proxy-Status with an error, x-envoy-attempt-count above "
        "1): a cache or proxy may have forwarded the request, given up on the API, and been throttled in a second try.",
    ),
    "4XX": StatusRule(
        Outcome.FINAL,
        "The request itself is refused. Unknown for a create if x-envoy-attempt-count is above 1 (except 401 and 403): "
        "a second try may have been refused as a repetition of the first one.",
    ),
    "500": StatusRule(Outcome.UNKNOWN, "The API failed, and does not say at which step."),
    "502": StatusRule(Outcome.UNKNOWN, "A proxy got no valid response from the API, which may have processed it."),
    "503": StatusRule(
        Outcome.UNKNOWN,
        "Caches and proxies send it for an API that answers late or badly. Retry-After is no proof either: their own "
        "error pages carry one. The token pauses for it.",
    ),
    "504": StatusRule(Outcome.UNKNOWN, "A proxy stopped waiting for the API, which may have processed it."),
    "520": StatusRule(Outcome.UNKNOWN, "Cloudflare got an empty or broken response from the API."),
    "521": StatusRule(
        Outcome.UNKNOWN, "Cloudflare could not connect to the API; an earlier try of its own may have got through."
    ),
    "522": StatusRule(
        Outcome.UNKNOWN, "Cloudflare got no acknowledgement from the API, also after it has sent the request."
    ),
    "523": StatusRule(
        Outcome.UNKNOWN, "Cloudflare found no way to the API; an earlier try of its own may have got through."
    ),
    "524": StatusRule(Outcome.UNKNOWN, "Cloudflare connected to the API and stopped waiting for its response."),
    "525": StatusRule(
        Outcome.UNKNOWN, "Cloudflare's TLS handshake failed; an earlier try of its own may have got through."
    ),
    "526": StatusRule(
        Outcome.UNKNOWN, "Cloudflare refused the API's certificate; an earlier try of its own may have got through."
    ),
    "527": StatusRule(Outcome.UNKNOWN, "Cloudflare's connection to the API broke, before or after the request."),
    "529": StatusRule(Outcome.UNKNOWN, "Overloaded, in no standard: it is not said whether processing had begun."),
    "530": StatusRule(Outcome.UNKNOWN, "Cloudflare's own errors of several kinds."),
    "5XX": StatusRule(Outcome.UNKNOWN, "The API or something in front of it failed, and does not say at which step."),
}
"""What the API may have done when it answers with an error status: by status, else by its class.

The question behind each entry is what a cache, proxy or load balancer in front of the API could mean by it. Only what
cannot come after the API has begun counts as rejected before processing.
"""


class MarketingBlocksError(Exception):
    """Base of every error of this package."""


class ConfigurationError(MarketingBlocksError):
    """The client cannot work as it was set up or used.

    There is no token, a setting is out of its range, or a call was made outside ``async with``. Nothing was sent.
    """


class InvalidArgumentError(MarketingBlocksError, ValueError):
    """An argument, or an option of one call, has a value that cannot work. Nothing was sent."""


class CallError(MarketingBlocksError):
    """Base of the errors that end one call.

    Attributes:
        endpoint: the operation, for example ``"create-post"`` (or the path of a generic ``request()``).
        attempts: how many attempts were started, the failed last one included; 0 if none was.
        first_failure: the failure after which the call may have been carried out. If there is none: the first failure,
            when a later attempt failed differently. ``None`` if all attempts failed alike.

    """

    _shown: ClassVar[tuple[str, ...]] = ()
    """The further attributes that ``repr`` shows."""

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
    def may_have_happened(self) -> bool:
        """Whether a write may have been carried out at the API in spite of this error. ``False`` for every read."""
        return self.first_failure is not None and self.first_failure.may_have_happened

    @property
    def message(self) -> str:
        """The message without the attempts."""
        return str(self.args[0])

    def __str__(self) -> str:
        text = self.message
        if self.attempts > 1:
            text += f" (after {self.attempts} attempts)"
        if self.first_failure is not None:
            text += f" (first failure: {excerpt(self.first_failure.message)})"
        return text

    def __repr__(self) -> str:
        fields = {name: getattr(self, name) for name in (*self._shown, "endpoint", "attempts", "may_have_happened")}
        shown = (f"{name}={value!r}" for name, value in fields.items() if value)
        return f"{type(self).__name__}({', '.join((repr(self.message), *shown))})"


class APIError(CallError):
    """The API refused the call, or failed.

    Attributes:
        status_code: HTTP status; 200 if the body said ``"status": false``.
        message: the API's reason, and what to do.
        body: the decoded JSON body, or its text if it was not JSON, whole.
        headers: the response's headers; case does not matter.
        made_in_front: whether the response shows that a firewall, a cache or a proxy made it, and not the API
            (inferred: an HTML page, or ``Proxy-Status`` with an error).
        endpoint: the operation that was called.
        attempts: how many attempts were made.
        first_failure: see ``CallError``.

    """

    _shown: ClassVar[tuple[str, ...]] = ("status_code",)

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
        self.made_in_front: bool = False


class BadRequestError(APIError):
    """400 or 422: the API refused the content of the request. Change it before you send it again."""


class UnprocessableEntityError(BadRequestError):
    """422: the API understood the request and refused its content. Change it before you send it again."""


class AuthenticationError(APIError):
    """401: the token is missing, expired, invalid, or lacks the endpoint's permission."""


class PermissionDeniedError(APIError):
    """403: the token lacks the permission that the endpoint needs."""


class NotFoundError(APIError):
    """404: no such post or path."""


class ConflictError(APIError):
    """409: the request contradicts the state of what it is about. Look at that state before you send it again."""


class RateLimitError(APIError):
    """429: refused because of the rate limit, on every attempt that was allowed.

    Attributes:
        retry_after: seconds that the API asked to wait, or ``None`` if it did not say.

    """

    _shown: ClassVar[tuple[str, ...]] = ("status_code", "retry_after")

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


RateLimitedError = RateLimitError
"""The former name of ``RateLimitError``, until 1.0."""


class InternalServerError(APIError):
    """5xx: the API failed. Raised for reads; for a write it is the cause of an ``OutcomeUnknownError``."""


ServerError = InternalServerError
"""The former name of ``InternalServerError``, until 1.0."""


class APIConnectionError(CallError):
    """No response came, and nothing can have changed at the API: a read, or a request that was not sent."""


class APITimeoutError(APIConnectionError):
    """No response to a read came in time."""


class NotSentError(APIConnectionError):
    """The request cannot have reached the API, or was refused before processing, so sending it again is safe.

    DNS, connection refused, TLS, no connection in time, a queue longer than the deadline, a client that closed first, a
    deadline that passed in the pause after a 429.
    """


class OutcomeUnknownError(CallError):
    """A write may or may not have been carried out. If it creates something, it was not sent again.

    Look it up (``posts.upcoming``, ``posts.list``) before you send it again.

    Attributes:
        request: the request object that was sent; for ``client.request()`` a mapping of method, path, params and json.

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

    @property
    def may_have_happened(self) -> bool:
        """Whether it may have been carried out: it may."""
        return True


class InvalidResponseError(CallError):
    """A success status with a body that is not JSON, or not of the documented shape.

    For a write it is an ``UnreadableResponseError``.

    Attributes:
        body: the decoded JSON, or the text if it was not JSON, whole.
        request: what was sent, as on ``OutcomeUnknownError``.
        status_code: HTTP status of the response.

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


class UnreadableResponseError(InvalidResponseError, OutcomeUnknownError):
    """A write got a success status with a body that cannot be read: it probably was carried out. It was not sent again.

    This is both an ``InvalidResponseError`` and an ``OutcomeUnknownError``.
    """
