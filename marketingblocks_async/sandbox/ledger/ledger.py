"""The ledger: every request, when it arrived, and whether it was carried out.

It records on the server's side of the socket, so it shows what the API would have seen, and not what a client
believes.
Tokens appear by their labels. A token that the sandbox does not know is never written down, since it may be a real one
that was sent here by mistake.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from .records import Commit, EndpointRecord, FaultFiring, TokenRecord, WebHookDelivery
from .report import (
    REPORTED_DUPLICATES,
    Comparison,
    CreatedPosts,
    Duplicate,
    EndpointReport,
    Expected,
    LedgerReport,
    TokenReport,
    average_rate,
    worst_window,
)


class Ledger:
    """Records what happens in a sandbox and answers questions about it.

    Attributes:
        tokens: one record a token, by its label.
        endpoints: one record an endpoint, by its name (``UNKNOWN_PATH`` for every other path).
        commits: requests that changed something, in the order in which they were carried out.
        fault_firings: requests that a scripted fault met, in order.
        web_hooks: attempted web hook deliveries, in order.
        docs_requests: number of documentation questions.
        docs_requests_with_authorization: number of those that carried an ``Authorization`` header.
        incomplete_requests: requests whose body never came to its end.
        epoch: another number after each ``clear()``, which the counts alone do not always show.

    """

    def __init__(self) -> None:
        self.epoch: int = 0
        self.clear()

    def clear(self) -> None:
        """Remove all records."""
        self.epoch += 1
        self.tokens: dict[str, TokenRecord] = {}
        self.endpoints: dict[str, EndpointRecord] = {}
        self.commits: list[Commit] = []
        self.fault_firings: list[FaultFiring] = []
        self.web_hooks: list[WebHookDelivery] = []
        self.docs_requests = 0
        self.docs_requests_with_authorization = 0
        self.incomplete_requests = 0
        self._created = CreatedPosts()

    # Called by the server.

    def arrived(self, token: str, endpoint: str, at: float) -> None:
        """Record a request that arrived ``at`` this time, in seconds of the monotonic clock."""
        self._token(token).arrivals.append(at)
        self._endpoint(endpoint).attempts += 1

    def answered(self, token: str, endpoint: str, status: int) -> None:
        """Record the status of a response (``NO_ANSWER``: no response)."""
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
        """Record that a request changed something (in addition to ``carried_out``)."""
        self.commits.append(commit)

    def fault_fired(self, firing: FaultFiring) -> None:
        """Record that a request met a fault."""
        self.fault_firings.append(firing)

    def web_hook_called(self, delivery: WebHookDelivery) -> None:
        """Record an attempted delivery."""
        self.web_hooks.append(delivery)

    # Called by tests and reports.

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
        """Return the number of responses with status 429.

        Args:
            token: a label, or ``None`` for all tokens together.

        """
        records = self.tokens.values() if token is None else [self.tokens[token]] if token in self.tokens else []
        return sum(record.too_many_requests for record in records)

    def attempts(self, endpoint: str | None = None) -> int:
        """Return the number of requests, to ``endpoint`` or to all."""
        return sum(record.attempts for record in self._records(endpoint))

    def carried_out_at(self, endpoint: str | None = None) -> int:
        """Return the number of requests that were carried out, at ``endpoint`` or at all."""
        return sum(record.commits for record in self._records(endpoint))

    def uncommitted(self, endpoint: str | None = None) -> int:
        """Return the number of requests that were not carried out, at ``endpoint`` or at all."""
        return sum(record.uncommitted for record in self._records(endpoint))

    def duplicates(self) -> tuple[Duplicate, ...]:
        """Return the posts that were created more than once, by their documented fields (``identity_of``)."""
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

    def _created_posts(self) -> CreatedPosts:
        self._created.read(self.commits)
        return self._created
