"""Metrics of calls, recorded from the events, and of the queue, read at collection."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Protocol

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.events import AttemptEvent, OutcomeEvent, RetryEvent, ThrottleEvent
from marketingblocks_async.limits.settings import Limiter, RateLimiterSnapshot
from marketingblocks_async.observers import Observer

from . import attributes as names

REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Bounds of the buckets, as OpenTelemetry's HTTP conventions advise them."""

WAIT_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""The same for waits and whole calls, which may last half an hour in a bulk run."""


class HasRateLimiter(Protocol):
    """The part of a client that metrics read."""

    @property
    def rate_limiter(self) -> Limiter:
        """The limiter of its token."""
        ...


class Metrics(Observer):
    """Records metrics of calls.

    - ``http.client.request.duration`` (s): one attempt, from its permit to the last byte of the response
    - ``marketingblocks.client.permit.wait`` (s): one wait for a permit, also one that the end of the call cut short
    - ``marketingblocks.client.call.duration`` (s): one call, queue and retries included
    - ``marketingblocks.client.calls``: calls that have ended, by outcome
    - ``marketingblocks.client.retries``: attempts after the first
    - ``marketingblocks.client.throttles``: requests that the API refused for their rate
    - ``marketingblocks.client.queue.length``: calls that wait for a permit now (see ``watch()``)
    - ``marketingblocks.client.permits``: permits in use now (see ``watch()``)

    Attributes are the operation (``other`` for undocumented paths), the outcome (``success`` or
    the class of the error), and for requests those of OpenTelemetry's HTTP conventions.

    Args:
        meter_provider: receives the metrics; by default the global one.

    """

    def __init__(self, meter_provider: MeterProvider | None = None) -> None:
        meter = metrics.get_meter(names.SCOPE, names.VERSION, meter_provider)
        self._request_duration = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=REQUEST_SECONDS,
        )
        self._permit_wait = meter.create_histogram(
            "marketingblocks.client.permit.wait",
            unit="s",
            description="Time that a request waited for its permit.",
            explicit_bucket_boundaries_advisory=WAIT_SECONDS,
        )
        self._call_duration = meter.create_histogram(
            "marketingblocks.client.call.duration",
            unit="s",
            description="Duration of calls, queue and retries included.",
            explicit_bucket_boundaries_advisory=WAIT_SECONDS,
        )
        self._calls = meter.create_counter(
            "marketingblocks.client.calls", unit="{call}", description="Calls that have ended, by outcome."
        )
        self._retries = meter.create_counter(
            "marketingblocks.client.retries", unit="{retry}", description="Attempts after the first."
        )
        self._throttles = meter.create_counter(
            "marketingblocks.client.throttles", unit="{request}", description="Requests refused for their rate."
        )
        self._watched: weakref.WeakKeyDictionary[HasRateLimiter, dict[str, str]] = weakref.WeakKeyDictionary()
        meter.create_observable_gauge(
            "marketingblocks.client.queue.length",
            [self._reader(lambda snapshot: snapshot.queued)],
            unit="{call}",
            description="Calls that wait for a permit.",
        )
        meter.create_observable_gauge(
            "marketingblocks.client.permits",
            [self._reader(lambda snapshot: snapshot.in_use)],
            unit="{permit}",
            description="Permits in use.",
        )

    def watch(self, client: HasRateLimiter, **attributes: str) -> None:
        """Read the queue of a client's rate limiter at each collection, as long as the client exists.

        Args:
            client: the client.
            attributes: distinguish it from other clients, such as ``account="main"``. Never give the token.

        """
        self._watched[client] = attributes

    def on_attempt(self, event: AttemptEvent) -> None:
        """Record an attempt and its wait for a permit."""
        self._request_duration.record(event.seconds, names.http_attributes(event))
        self._permit_wait.record(event.waited, {names.OPERATION: names.operation_of(event.endpoint)})

    def on_retry(self, event: RetryEvent) -> None:
        """Count a retry."""
        attributes = {names.OPERATION: names.operation_of(event.endpoint), names.ERROR_TYPE: type(event.error).__name__}
        self._retries.add(1, attributes)

    def on_throttle(self, event: ThrottleEvent) -> None:
        """Count a refusal for the rate."""
        self._throttles.add(1, {names.OPERATION: names.operation_of(event.endpoint)})

    def on_outcome(self, event: OutcomeEvent) -> None:
        """Record the end of a call, and its wait for a permit that did not come."""
        attributes = {
            names.OPERATION: names.operation_of(event.endpoint),
            names.OUTCOME: names.outcome_of(event.error),
        }
        self._calls.add(1, attributes)
        if event.abandoned_wait > 0:
            self._permit_wait.record(event.abandoned_wait, {names.OPERATION: attributes[names.OPERATION]})
        self._call_duration.record(event.seconds, attributes)

    def _reader(
        self, number_of: Callable[[RateLimiterSnapshot], int]
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def read(options: CallbackOptions) -> Iterable[Observation]:
            del options
            # A copy, since this runs in a thread, and clients may be added meanwhile.
            for client, attributes in list(self._watched.items()):
                try:
                    snapshot = client.rate_limiter.snapshot()
                except ConfigurationError:
                    # It is not open, or has no limit.
                    continue
                yield Observation(number_of(snapshot), attributes)

        return read
