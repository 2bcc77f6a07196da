"""What is written down: one record a token, one an endpoint, and one a request that changed something."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from marketingblocks_async.models.base import is_object

NO_ANSWER = 0
"""The status that stands for "the connection ended without a complete answer"."""

UNKNOWN_TOKEN = "(unknown token)"  # noqa: S105 - a label
"""Label of all requests whose token the sandbox does not know."""

MISSING_TOKEN = "(no token)"  # noqa: S105 - a label
"""Label of all requests without a bearer token."""

UNKNOWN_PATH = "unknown-path"
"""What stands for the endpoint of a request to a path that is no documented operation."""


@dataclass(slots=True)
class TokenRecord:
    """What happened with one token.

    Attributes:
        arrivals: when its requests arrived, in seconds of the monotonic clock, ascending.
        statuses: how often each status was answered (:data:`NO_ANSWER` for none).
        over_limit: how many were refused by the rate limit (a scripted 429 is not one of them).
        commits: how many of its requests were carried out.

    """

    arrivals: array[float] = field(default_factory=lambda: array("d"))
    statuses: Counter[int] = field(default_factory=Counter[int])
    over_limit: int = 0
    commits: int = 0

    @property
    def too_many_requests(self) -> int:
        """How many were answered 429, for whatever reason."""
        return self.statuses[429]


@dataclass(slots=True)
class EndpointRecord:
    """What happened at one endpoint.

    Attributes:
        attempts: requests that arrived.
        commits: requests that were carried out, answered or not.
        statuses: how often each status was answered (:data:`NO_ANSWER` for none).

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
        endpoint: which operation.
        token: the token's label.
        at: when, in seconds of the monotonic clock.
        id: id of what was made or changed, as text.
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
        committed: whether the request was carried out all the same.

    """

    kind: str
    endpoint: str
    token: str
    at: float
    committed: bool


@dataclass(frozen=True, slots=True)
class WebHookDelivery:
    """One attempt to tell a web hook about a generation; there is never a second one.

    Attributes:
        generation_id: the generation.
        url: the web hook.
        status: the status it answered, or ``None`` if it did not.
        error: what went wrong, or ``None``.

    """

    generation_id: str
    url: str
    status: int | None
    error: str | None
