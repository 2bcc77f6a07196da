"""Spans of calls, made from the events after the end of each call."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field

from opentelemetry import context, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider

from marketingblocks_async.events import AttemptEvent, OutcomeEvent, RetryEvent, ThrottleEvent
from marketingblocks_async.observers import Observer

from . import attributes as names

REMEMBERED_CALLS = 100_000
"""Number of unfinished calls whose events are kept. The oldest are dropped first."""


@dataclass(slots=True)
class _CallRecord:
    """The events of an unfinished call, each with its time in nanoseconds since 1970."""

    attempts: list[tuple[int, AttemptEvent]] = field(default_factory=list[tuple[int, AttemptEvent]])
    events: list[tuple[int, RetryEvent | ThrottleEvent]] = field(
        default_factory=list[tuple[int, RetryEvent | ThrottleEvent]]
    )


class Tracing(Observer):
    """Makes a span for each call, with a child for each attempt and each wait for a permit.

    The span of a call is a child of the span that was active when the call was made. Its name is, for example,
    ``marketingblocks create-post``; retries and throttling are span events on it. Attempts are client spans with the
    attributes of OpenTelemetry's HTTP conventions, waits are called ``marketingblocks permit wait``.

    The spans are made from the client's events after the end of the call, and nothing is patched. So the spans of your
    middleware do not become children of the call.

    Args:
        tracer_provider: receives the spans; by default the global one.

    """

    def __init__(self, tracer_provider: TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer(names.SCOPE, names.VERSION, tracer_provider)
        self._records: OrderedDict[int, _CallRecord] = OrderedDict()

    def on_attempt(self, event: AttemptEvent) -> None:
        """Keep an attempt until the end of its call."""
        self._record(event.call_id).attempts.append((time.time_ns(), event))

    def on_retry(self, event: RetryEvent) -> None:
        """Keep a retry until the end of its call."""
        self._record(event.call_id).events.append((time.time_ns(), event))

    def on_throttle(self, event: ThrottleEvent) -> None:
        """Keep a refusal for the rate until the end of its call."""
        self._record(event.call_id).events.append((time.time_ns(), event))

    def on_outcome(self, event: OutcomeEvent) -> None:
        """Make the spans of a call."""
        ended = time.time_ns()
        record = self._records.pop(event.call_id, None) or _CallRecord()
        span = self._tracer.start_span(
            f"marketingblocks {event.endpoint}",
            kind=SpanKind.INTERNAL,
            start_time=ended - _nanoseconds(event.seconds),
            attributes={
                names.OPERATION: event.endpoint,
                names.OUTCOME: names.outcome_of(event.error),
                names.CALL_ID: event.call_id,
                names.ATTEMPTS: event.attempts,
                names.WAITED: event.waited,
            },
        )
        if span.is_recording():
            if event.cancelled:
                span.set_attribute(names.CANCELLED, value=True)
            if event.error is not None:
                span.set_attribute(names.ERROR_TYPE, type(event.error).__name__)
                span.set_status(Status(StatusCode.ERROR, str(event.error)))
            for at, happened in record.events:
                _add_event(span, at, happened)
            inside = trace.set_span_in_context(span)
            for at, attempt in record.attempts:
                self._make_attempt(inside, at, attempt)
            self._make_wait(inside, ended, event.abandoned_wait)
        span.end(ended)

    def _make_attempt(self, inside: context.Context, ended: int, event: AttemptEvent) -> None:
        began = ended - _nanoseconds(event.seconds)
        self._make_wait(inside, began, event.waited)
        template = names.template_of(event.endpoint)
        attributes = names.http_attributes(event) | {names.URL_FULL: event.url}
        if event.attempt > 1:
            attributes[names.RESEND_COUNT] = event.attempt - 1
        span = self._tracer.start_span(
            f"{event.method} {template}" if template else event.method,
            inside,
            kind=SpanKind.CLIENT,
            start_time=began,
            attributes=attributes,
        )
        if event.failure is not None:
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended)

    def _make_wait(self, inside: context.Context, ended: int, seconds: float) -> None:
        if seconds > 0:
            began = ended - _nanoseconds(seconds)
            self._tracer.start_span("marketingblocks permit wait", inside, start_time=began).end(ended)

    def _record(self, call_id: int) -> _CallRecord:
        record = self._records.get(call_id)
        if record is None:
            record = self._records[call_id] = _CallRecord()
            if len(self._records) > REMEMBERED_CALLS:
                # A call whose task is destroyed, with its event loop for example, has no outcome event.
                self._records.popitem(last=False)
        return record


def _add_event(span: Span, at: int, event: RetryEvent | ThrottleEvent) -> None:
    if isinstance(event, RetryEvent):
        attributes: dict[str, str | float] = {
            "marketingblocks.retry.delay": event.delay,
            names.ERROR_TYPE: type(event.error).__name__,
        }
        span.add_event("retry", attributes, at)
    else:
        attributes = {
            "marketingblocks.throttle.pause": event.pause,
            "marketingblocks.throttle.rate": event.rate,
        }
        span.add_event("throttle", attributes, at)


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
