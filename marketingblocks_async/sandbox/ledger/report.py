"""Sums over the records: worst second, duplicates, losses, and the summary that is sent as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from marketingblocks_async.endpoints import CREATE_POST
from marketingblocks_async.errors import InvalidArgumentError
from marketingblocks_async.models import CreatePost, RequestModel

from .records import Commit, FaultFiring, WebHookDelivery

REPORTED_DUPLICATES = 100
"""Largest number of duplicates in a report; ``Ledger.duplicates`` returns all."""

_IDENTITY_FIELDS = tuple(CreatePost.model_fields)

Expected = str | Mapping[str, Any] | RequestModel
"""A post that should exist: its caption, or the whole request as an object or a mapping."""


def worst_window(times: Sequence[float], seconds: float = 1.0) -> int:
    """Return the largest number of ``times`` in any window ``[t, t + seconds)``.

    Args:
        times: in ascending order, in seconds.
        seconds: length of the window, above 0.

    Raises:
        ValueError: ``seconds`` is not above 0.

    """
    if not seconds > 0:
        msg = f"a window is longer than 0 seconds, not {seconds}"
        raise InvalidArgumentError(msg)
    worst = first = 0
    # Some fullest window ends with an arrival, so it is enough to look back from each one.
    for last, time in enumerate(times):
        while time - times[first] >= seconds:
            first += 1
        worst = max(worst, last - first + 1)
    return worst


def average_rate(times: Sequence[float]) -> float:
    """Return the times per second from the first to the last of ``times`` (ascending); 0 for fewer than two."""
    if len(times) < 2 or times[-1] <= times[0]:
        return 0.0
    return (len(times) - 1) / (times[-1] - times[0])


def identity_of(request: Mapping[str, Any]) -> str:
    """Return the documented fields of a create-post request that are not null; equal ones mean the same post.

    Fields that the documentation does not know do not count, and neither does the order of fields.
    """
    fields = {name: value for name in _IDENTITY_FIELDS if (value := request.get(name)) is not None}
    return json.dumps(fields, sort_keys=True)


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A post that was created more than once.

    Attributes:
        request: the documented fields of the request.
        post_ids: the posts that came of it, at least two.

    """

    request: dict[str, Any]
    post_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Miscount:
    """A post that was created more often than expected.

    Attributes:
        item: the expected post, as it was given.
        expected: number of times that it was expected.
        committed: number of times that it was created.

    """

    item: str | dict[str, Any]
    expected: int
    committed: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """The expected posts compared with those that were created.

    Attributes:
        lost: expected and not created, once for each that is missing.
        duplicated: created more often than expected.
        unexpected: created and not expected at all, once each.

    """

    lost: tuple[str | dict[str, Any], ...]
    duplicated: tuple[Miscount, ...]
    unexpected: tuple[str | dict[str, Any], ...]

    @property
    def exact(self) -> bool:
        """Whether exactly the expected posts were created, each as often as expected."""
        return not (self.lost or self.duplicated or self.unexpected)


@dataclass(frozen=True, slots=True)
class TokenReport:
    """Summary of a ``TokenRecord``.

    Attributes:
        arrivals: number of requests.
        statuses: number of responses with each status (0: no response).
        too_many_requests: number of responses with status 429.
        over_limit: number of those that the rate limit caused.
        commits: number of requests that were carried out.
        worst_window: the most arrivals in any window of the report's length.
        rate: arrivals per second from the first to the last.

    """

    arrivals: int
    statuses: dict[int, int]
    too_many_requests: int
    over_limit: int
    commits: int
    worst_window: int
    rate: float


@dataclass(frozen=True, slots=True)
class EndpointReport:
    """Summary of an ``EndpointRecord``.

    Attributes:
        attempts: requests that arrived.
        commits: requests that were carried out, answered or not.
        uncommitted: requests that were not carried out.
        statuses: number of responses with each status (0: no response).

    """

    attempts: int
    commits: int
    uncommitted: int
    statuses: dict[int, int]


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """Everything the ledger knows but the single arrivals and commits.

    Attributes:
        window_seconds: length of the windows in ``worst_window``.
        worst_window: the most arrivals of one token in any window.
        tokens: one summary a token, by its label.
        endpoints: one summary an endpoint, by its name.
        duplicate_posts: number of posts that should not have been created again.
        duplicates: posts that were created more than once; the first ``REPORTED_DUPLICATES`` of them.
        fault_firings: requests that a scripted fault met, in order.
        web_hooks: attempted deliveries, in order.
        docs_requests: documentation questions.
        docs_requests_with_authorization: those that carried an ``Authorization`` header, which must never happen.
        incomplete_requests: requests whose body never came to its end; they are counted nowhere else.

    """

    window_seconds: float
    worst_window: int
    tokens: dict[str, TokenReport]
    endpoints: dict[str, EndpointReport]
    duplicate_posts: int
    duplicates: tuple[Duplicate, ...]
    fault_firings: tuple[FaultFiring, ...]
    web_hooks: tuple[WebHookDelivery, ...]
    docs_requests: int
    docs_requests_with_authorization: int
    incomplete_requests: int


class CreatedPosts:
    """The posts of a list of commits, by identity and by caption.

    It is filled when the ledger is read, so that it costs a request nothing, and reads each commit once.
    """

    def __init__(self) -> None:
        self._seen = 0
        self._ids: dict[str, list[int]] = {}
        self._captions: Counter[str] = Counter()

    def read(self, commits: Sequence[Commit]) -> None:
        """Read the commits that are new since the previous call."""
        for commit in commits[self._seen :]:
            if commit.endpoint == CREATE_POST.name:
                request = commit.request
                self._ids.setdefault(identity_of(request), []).append(int(commit.id))
                self._captions[str(request.get("caption_text"))] += 1
        self._seen = len(commits)

    def duplicates(self) -> tuple[Duplicate, ...]:
        """Return the posts that were created more than once."""
        return tuple(Duplicate(json.loads(identity), tuple(ids)) for identity, ids in self._ids.items() if len(ids) > 1)

    def compare(self, expected: Iterable[Expected]) -> Comparison:
        """Compare with the posts that should have been created; see ``Ledger.compare``."""
        items = list(expected)
        for item in items:
            if not isinstance(cast("object", item), str | RequestModel | Mapping):
                msg = f"give each post as its caption or as a whole request, not as a {type(item).__name__}"
                raise InvalidArgumentError(msg)
        captions = [item for item in items if isinstance(item, str)]
        if captions and len(captions) < len(items):
            msg = "give either captions or whole requests, not some of each"
            raise InvalidArgumentError(msg)
        if captions or not items:
            return _compare(Counter(captions), self._captions, {caption: caption for caption in captions}, str)
        wanted: Counter[str] = Counter()
        given: dict[str, dict[str, Any]] = {}
        for item in items:
            request = item.wire() if isinstance(item, RequestModel) else dict(cast("Mapping[str, Any]", item))
            identity = identity_of(request)
            wanted[identity] += 1
            given.setdefault(identity, request)
        return _compare(wanted, Counter({key: len(ids) for key, ids in self._ids.items()}), given, json.loads)


def _compare(
    wanted: Counter[str],
    made: Counter[str],
    given: Mapping[str, str | dict[str, Any]],
    describe: Any,
) -> Comparison:
    return Comparison(
        lost=tuple(given[key] for key in (wanted - made).elements()),
        duplicated=tuple(Miscount(given[key], count, made[key]) for key, count in wanted.items() if made[key] > count),
        unexpected=tuple(describe(key) for key in made if key not in wanted),
    )
