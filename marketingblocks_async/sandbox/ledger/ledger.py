"""The judge: what arrived, when, and what was carried out.

Everything is recorded on the server's side of the socket, so the ledger tells what the API would have seen, whatever a
client believes. Tokens are known by their labels; a token that the sandbox does not know is never written down, since
it may be a real one that was sent here by mistake.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from marketingblocks_async.endpoints import CREATE_POST
from marketingblocks_async.models import CreatePost, RequestModel
from marketingblocks_async.models.base import is_object

NO_ANSWER = 0
"""The status that stands for "the connection ended without a complete answer"."""

UNKNOWN_TOKEN = "(unknown token)"  # noqa: S105 - a label
"""Label of all requests whose token the sandbox does not know."""

MISSING_TOKEN = "(no token)"  # noqa: S105 - a label
"""Label of all requests without a bearer token."""

REPORTED_DUPLICATES = 100
"""How many duplicates a report shows; :meth:`Ledger.duplicates` has all."""

UNKNOWN_PATH = "unknown-path"
"""What stands for the endpoint of a request to a path that is no documented operation."""

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
        raise ValueError(msg)
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
    """Return what makes two create-post requests the same post: all documented fields that are not null.

    Fields that the documentation does not know do not count, and neither does the order of fields.
    """
    fields = {name: value for name in _IDENTITY_FIELDS if (value := request.get(name)) is not None}
    return json.dumps(fields, sort_keys=True)


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
        item: what was expected, as it was given.
        expected: how often.
        committed: how often it was created.

    """

    item: str | dict[str, Any]
    expected: int
    committed: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was expected against what was created.

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
    """Summary of a :class:`TokenRecord`.

    Attributes:
        arrivals: how many requests arrived.
        statuses: how often each status was answered (0: none).
        too_many_requests: how many were answered 429.
        over_limit: how many of those by the rate limit.
        commits: how many requests were carried out.
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
    """Summary of an :class:`EndpointRecord`.

    Attributes:
        attempts: requests that arrived.
        commits: requests that were carried out, answered or not.
        uncommitted: requests that were not carried out.
        statuses: how often each status was answered (0: none).

    """

    attempts: int
    commits: int
    uncommitted: int
    statuses: dict[int, int]


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """Everything the ledger knows but the single arrivals and commits.

    Attributes:
        window_seconds: length of the windows in :attr:`worst_window`.
        worst_window: the most arrivals of one token in any window.
        tokens: one summary a token, by its label.
        endpoints: one summary an endpoint, by its name.
        duplicate_posts: how many posts were one too many.
        duplicates: posts that were created more than once; the first :data:`REPORTED_DUPLICATES` of them.
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


class Ledger:
    """Records what happens in a sandbox and answers questions about it.

    Attributes:
        tokens: one record a token, by its label.
        endpoints: one record an endpoint, by its name (:data:`UNKNOWN_PATH` for every other path).
        commits: requests that changed something, in the order in which they were carried out.
        fault_firings: requests that a scripted fault met, in order.
        web_hooks: attempted web hook deliveries, in order.
        docs_requests: how many documentation questions came.
        docs_requests_with_authorization: how many of them carried an ``Authorization`` header.
        incomplete_requests: requests whose body never came to its end.

    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.tokens: dict[str, TokenRecord] = {}
        self.endpoints: dict[str, EndpointRecord] = {}
        self.commits: list[Commit] = []
        self.fault_firings: list[FaultFiring] = []
        self.web_hooks: list[WebHookDelivery] = []
        self.docs_requests = 0
        self.docs_requests_with_authorization = 0
        self.incomplete_requests = 0
        self._created = _CreatedPosts()

    # What the server tells.

    def arrived(self, token: str, endpoint: str, at: float) -> None:
        """Record a request.

        Args:
            token: the token's label.
            endpoint: the operation's name.
            at: monotonic time in seconds.

        """
        self._token(token).arrivals.append(at)
        self._endpoint(endpoint).attempts += 1

    def answered(self, token: str, endpoint: str, status: int) -> None:
        """Record how a request ended (:data:`NO_ANSWER`: without an answer)."""
        self._token(token).statuses[status] += 1
        self._endpoint(endpoint).statuses[status] += 1

    def refused_by_limit(self, token: str) -> None:
        """Record that the rate limit refused a request."""
        self._token(token).over_limit += 1

    def carried_out(self, token: str, endpoint: str) -> None:
        """Record that a request was carried out."""
        self._token(token).commits += 1
        self._endpoint(endpoint).commits += 1

    def committed(self, commit: Commit) -> None:
        """Record that a request changed something (in addition to :meth:`carried_out`)."""
        self.commits.append(commit)

    def fault_fired(self, firing: FaultFiring) -> None:
        """Record that a request met a fault."""
        self.fault_firings.append(firing)

    def web_hook_called(self, delivery: WebHookDelivery) -> None:
        """Record an attempted delivery."""
        self.web_hooks.append(delivery)

    # What it answers.

    def arrivals(self, token: str | None = None) -> array[float]:
        """Return when requests arrived, in seconds of the monotonic clock, ascending.

        Args:
            token: a label, or ``None`` for all tokens together.

        """
        if token is not None:
            record = self.tokens.get(token)
            return array("d") if record is None else array("d", record.arrivals)
        return array("d", sorted(time for record in self.tokens.values() for time in record.arrivals))

    def worst_window(self, token: str | None = None, seconds: float = 1.0) -> int:
        """Return the most requests of a token in any window ``[t, t + seconds)``, refused ones included.

        Args:
            token: a label, or ``None`` for the token that did worst.
            seconds: length of the window.

        """
        if token is not None:
            return worst_window(self.arrivals(token), seconds)
        return max((worst_window(record.arrivals, seconds) for record in self.tokens.values()), default=0)

    def rate(self, token: str | None = None) -> float:
        """Return the requests per second from the first arrival to the last.

        Args:
            token: a label, or ``None`` for all tokens together.

        """
        return average_rate(self.arrivals(token))

    def too_many_requests(self, token: str | None = None) -> int:
        """Return how many requests were answered 429.

        Args:
            token: a label, or ``None`` for all tokens together.

        """
        records = self.tokens.values() if token is None else [self.tokens[token]] if token in self.tokens else []
        return sum(record.too_many_requests for record in records)

    def attempts(self, endpoint: str | None = None) -> int:
        """Return how many requests arrived, at ``endpoint`` or at all."""
        return sum(record.attempts for record in self._records(endpoint))

    def carried_out_at(self, endpoint: str | None = None) -> int:
        """Return how many requests were carried out, at ``endpoint`` or at all."""
        return sum(record.commits for record in self._records(endpoint))

    def uncommitted(self, endpoint: str | None = None) -> int:
        """Return how many requests arrived and were not carried out, at ``endpoint`` or at all."""
        return sum(record.uncommitted for record in self._records(endpoint))

    def duplicates(self) -> tuple[Duplicate, ...]:
        """Return the posts that were created more than once, by their documented fields (:func:`identity_of`)."""
        return self._created_posts().duplicates()

    def compare(self, expected: Iterable[Expected]) -> Comparison:
        """Compare the posts that were created with those that should have been.

        Args:
            expected: either captions, or whole requests; an item may be in it several times.

        Raises:
            ValueError: captions and requests are mixed.

        """
        return self._created_posts().compare(expected)

    def report(self, seconds: float = 1.0) -> LedgerReport:
        """Return a summary that can be sent as JSON.

        Args:
            seconds: length of the windows in ``worst_window``.

        """
        tokens = {
            name: TokenReport(
                arrivals=len(record.arrivals),
                statuses=dict(record.statuses),
                too_many_requests=record.too_many_requests,
                over_limit=record.over_limit,
                commits=record.commits,
                worst_window=worst_window(record.arrivals, seconds),
                rate=average_rate(record.arrivals),
            )
            for name, record in self.tokens.items()
        }
        duplicates = self.duplicates()
        return LedgerReport(
            window_seconds=seconds,
            worst_window=max((token.worst_window for token in tokens.values()), default=0),
            tokens=tokens,
            endpoints={
                name: EndpointReport(
                    attempts=record.attempts,
                    commits=record.commits,
                    uncommitted=record.uncommitted,
                    statuses=dict(record.statuses),
                )
                for name, record in self.endpoints.items()
            },
            duplicate_posts=sum(len(duplicate.post_ids) - 1 for duplicate in duplicates),
            duplicates=duplicates[:REPORTED_DUPLICATES],
            fault_firings=tuple(self.fault_firings),
            web_hooks=tuple(self.web_hooks),
            docs_requests=self.docs_requests,
            docs_requests_with_authorization=self.docs_requests_with_authorization,
            incomplete_requests=self.incomplete_requests,
        )

    def _token(self, name: str) -> TokenRecord:
        record = self.tokens.get(name)
        if record is None:
            record = self.tokens[name] = TokenRecord()
        return record

    def _endpoint(self, name: str) -> EndpointRecord:
        record = self.endpoints.get(name)
        if record is None:
            record = self.endpoints[name] = EndpointRecord()
        return record

    def _records(self, endpoint: str | None) -> Iterable[EndpointRecord]:
        if endpoint is None:
            return self.endpoints.values()
        return [self.endpoints[endpoint]] if endpoint in self.endpoints else []

    def _created_posts(self) -> _CreatedPosts:
        self._created.read(self.commits)
        return self._created


class _CreatedPosts:
    """The posts of a list of commits, by identity and by caption.

    It is filled when somebody asks, so that a request pays nothing for it, and reads each commit once.
    """

    def __init__(self) -> None:
        self._seen = 0
        self._ids: dict[str, list[int]] = {}
        self._captions: Counter[str] = Counter()

    def read(self, commits: Sequence[Commit]) -> None:
        for commit in commits[self._seen :]:
            if commit.endpoint == CREATE_POST.name:
                request = commit.request
                self._ids.setdefault(identity_of(request), []).append(int(commit.id))
                self._captions[str(request.get("caption_text"))] += 1
        self._seen = len(commits)

    def duplicates(self) -> tuple[Duplicate, ...]:
        return tuple(Duplicate(json.loads(identity), tuple(ids)) for identity, ids in self._ids.items() if len(ids) > 1)

    def compare(self, expected: Iterable[Expected]) -> Comparison:
        items = list(expected)
        captions = [item for item in items if isinstance(item, str)]
        if captions and len(captions) < len(items):
            msg = "give either captions or whole requests, not some of each"
            raise ValueError(msg)
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
