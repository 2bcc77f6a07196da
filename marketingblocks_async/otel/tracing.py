"""Spans of calls, made from the events when a call has ended."""

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
"""Calls that have begun and not ended: what is told of more is forgotten, the oldest first."""


@dataclass(slots=True)
class _Story:
    """What was told of a call that has not ended: each with its time in nanoseconds since 1970."""

    attempts: list[tuple[int, AttemptEvent]] = field(default_factory=list[tuple[int, AttemptEvent]])
    happenings: list[tuple[int, RetryEvent | ThrottleEvent]] = field(
        default_factory=list[tuple[int, RetryEvent | ThrottleEvent]]
    )


class Tracing(Observer):
    """Makes a span per call, with a child for each attempt and each wait for a permit.

    The span of a call is a child of the span that was active when the call was made. Its name is
    ``marketingblocks create-post``; retries and throttling are span events on it. Attempts are client spans with the
    attributes of OpenTelemetry's HTTP conventions, waits are called ``marketingblocks permit wait``.

    The spans are made from the client's events, when the call has ended; nothing is patched. So a service's own work
    inside a call (there is none but middleware) does not become a child of it.

    Args:
        tracer_provider: where the spans go; the global one by default.

    """

    def __init__(self, tracer_provider: TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer(names.SCOPE, names.VERSION, tracer_provider)
        self._stories: OrderedDict[int, _Story] = OrderedDict()

    def on_attempt(self, event: AttemptEvent) -> None:
        """Remember an attempt until its call has ended.

        Args:
            event: what happened.

        """
        self._story(event.call_id).attempts.append((time.time_ns(), event))

    def on_retry(self, event: RetryEvent) -> None:
        """Remember a retry until its call has ended.

        Args:
            event: what happened.

        """
        self._story(event.call_id).happenings.append((time.time_ns(), event))

    def on_throttle(self, event: ThrottleEvent) -> None:
        """Remember a refusal for the rate until its call has ended.

        Args:
            event: what happened.

        """
        self._story(event.call_id).happenings.append((time.time_ns(), event))

    def on_outcome(self, event: OutcomeEvent) -> None:
        """Make the spans of a call.

        Args:
            event: what happened.

        """
        ended = time.time_ns()
        story = self._stories.pop(event.call_id, None) or _Story()
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
            for at, happening in story.happenings:
                _add_happening(span, at, happening)
            inside = trace.set_span_in_context(span)
            for at, attempt in story.attempts:
                self._make_attempt(inside, at, attempt)
        span.end(ended)

    def _make_attempt(self, inside: context.Context, ended: int, event: AttemptEvent) -> None:
        began = ended - _nanoseconds(event.seconds)
        if event.waited > 0:
            waiting = self._tracer.start_span(
                "marketingblocks permit wait", inside, start_time=began - _nanoseconds(event.waited)
            )
            waiting.end(began)
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

    def _story(self, call_id: int) -> _Story:
        story = self._stories.get(call_id)
        if story is None:
            story = self._stories[call_id] = _Story()
            if len(self._stories) > REMEMBERED_CALLS:
                # An exception of a middleware ends a call without an outcome.
                self._stories.popitem(last=False)
        return story


def _add_happening(span: Span, at: int, happening: RetryEvent | ThrottleEvent) -> None:
    if isinstance(happening, RetryEvent):
        attributes: dict[str, str | float] = {
            "marketingblocks.retry.delay": happening.delay,
            names.ERROR_TYPE: type(happening.error).__name__,
        }
        span.add_event("retry", attributes, at)
    else:
        attributes = {
            "marketingblocks.throttle.pause": happening.pause,
            "marketingblocks.throttle.rate": happening.rate,
        }
        span.add_event("throttle", attributes, at)


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
