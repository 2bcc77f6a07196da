"""The records: one a token, one an endpoint, and one a request that changed something."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from marketingblocks_async.models.base import is_object

NO_ANSWER = 0
"""Status of a request whose connection ended without a complete response."""

UNKNOWN_TOKEN = "(unknown token)"  # noqa: S105 - a label
"""Label of all requests whose token the sandbox does not know."""

MISSING_TOKEN = "(no token)"  # noqa: S105 - a label
"""Label of all requests without a bearer token."""

UNKNOWN_PATH = "unknown-path"
"""Endpoint of a request to a path that is not a documented operation."""


@dataclass(slots=True)
class TokenRecord:
    """The requests of one token.

    Attributes:
        arrivals: when its requests arrived, in seconds of the monotonic clock, ascending.
        statuses: number of responses with each status (``NO_ANSWER``: no response).
        over_limit: number of requests that the rate limit refused (without scripted 429s).
        commits: number of requests that were carried out.

    """

    arrivals: array[float] = field(default_factory=lambda: array("d"))
    statuses: Counter[int] = field(default_factory=Counter[int])
    over_limit: int = 0
    commits: int = 0

    @property
    def too_many_requests(self) -> int:
        """Number of responses with status 429, scripted ones included."""
        return self.statuses[429]


@dataclass(slots=True)
class EndpointRecord:
    """The requests to one endpoint.

    Attributes:
        attempts: requests that arrived.
        commits: requests that were carried out, answered or not.
        statuses: number of responses with each status (``NO_ANSWER``: no response).

    """

    attempts: int = 0
    commits: int = 0
    statuses: Counter[int] = field(default_factory=Counter[int])

    @property
    def uncommitted(self) -> int:
        """Requests that arrived and were not carried out."""
        return self.attempts - self.commits


@dataclass(frozen=True, slots=True)
class Commit:
    """One request that changed something and was carried out.

    Attributes:
        endpoint: name of the operation.
        token: the token's label.
        at: when, in seconds of the monotonic clock.
        id: id of the resource that was created or changed, as text.
        body: the request's body as it came.

    """

    endpoint: str
    token: str
    at: float
    id: str
    body: bytes = field(repr=False)

    @property
    def request(self) -> dict[str, Any]:
        """The request's fields."""
        request = json.loads(self.body)
        return request if is_object(request) else {}


@dataclass(frozen=True, slots=True)
class FaultFiring:
    """One request that a scripted fault met.

    Attributes:
        kind: kind of the fault.
        endpoint: the operation.
        token: the token's label.
        at: when, in seconds of the monotonic clock.
        committed: whether the request was carried out.

    """

    kind: str
    endpoint: str
    token: str
    at: float
    committed: bool


@dataclass(frozen=True, slots=True)
class WebHookDelivery:
    """A delivery to a web hook; each generation is delivered once, without a second try.

    Attributes:
        generation_id: the generation.
        url: the web hook.
        status: status of the response, ``None`` without one.
        error: the reason why there is no response, or ``None``.

    """

    generation_id: str
    url: str
    status: int | None
    error: str | None
