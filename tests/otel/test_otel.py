"""Spans, metrics and propagation, as OpenTelemetry's own SDK receives them."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from marketingblocks_async import (
    AttemptEvent,
    HttpAnswer,
    HttpRequest,
    MarketingBlocks,
    Observer,
    OutcomeEvent,
    OutcomeUnknownError,
    RateLimit,
    RateLimitError,
    RetryPolicy,
    Send,
    observed_by,
)
from marketingblocks_async.otel import Metrics, Tracing, propagate_context
from marketingblocks_async.otel import tracing as tracing_module
from marketingblocks_async.sandbox import Sandbox
from marketingblocks_async.testing import FakeTime

QUICK = RetryPolicy(initial_backoff=0.01, max_backoff=0.02)


class Spans:
    """The spans that were exported."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    @property
    def all(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        return sorted((span for span in self.all if span.name == name), key=lambda span: span.start_time or 0)

    def children(self, parent: ReadableSpan) -> list[ReadableSpan]:
        return [span for span in self.all if span.parent is not None and span.parent.span_id == id_of(parent)]


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


def seconds(span: ReadableSpan) -> float:
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.end_time - span.start_time) / 1e9


@pytest.fixture
def spans() -> Iterator[Spans]:
    found = Spans()
    yield found
    found.provider.shutdown()


def client_of(sandbox: Sandbox, *observers: Observer, **options: Any) -> MarketingBlocks:
    settings: dict[str, Any] = {"retry": QUICK, **observed_by(*observers), **options}
    return MarketingBlocks(sandbox.token, base_url=sandbox.base_url, **settings)


class TestTracing:
    async def test_a_call_has_an_attempt_and_a_wait(self, marketingblocks_sandbox: Sandbox, spans: Spans) -> None:
        async with client_of(marketingblocks_sandbox, Tracing(spans.provider)) as client:
            await client.channels.connect(user_id="u-1")
        (call,) = spans.named("marketingblocks connect-channel")
        assert call.kind is SpanKind.INTERNAL
        assert call.status.status_code is StatusCode.UNSET
        assert call.attributes is not None
        assert call.attributes["marketingblocks.outcome"] == "success"
        (attempt,) = spans.named("POST /social-sparks/connect-channel")
        assert attempt.kind is SpanKind.CLIENT
        assert attempt.attributes is not None
        assert dict(attempt.attributes) == {
            "http.request.method": "POST",
            "http.response.status_code": 200,
            "server.address": "127.0.0.1",
            "server.port": int(marketingblocks_sandbox.base_url.split(":")[2].split("/")[0]),
            "url.full": f"{marketingblocks_sandbox.base_url}/social-sparks/connect-channel",
            "url.template": "/social-sparks/connect-channel",
        }
        (wait,) = spans.named("marketingblocks permit wait")
        assert {id_of(span) for span in spans.children(call)} == {id_of(attempt), id_of(wait)}
        assert wait.end_time == attempt.start_time

    async def test_the_times_are_those_of_the_call(
        self, marketingblocks_sandbox: Sandbox, spans: Spans, fake_time: FakeTime
    ) -> None:
        marketingblocks_sandbox.faults.add("slow_answer:delay=3")
        limit = RateLimit(limit=1, per=10.0, burst=1)
        async with client_of(marketingblocks_sandbox, Tracing(spans.provider), rate_limit=limit) as client:
            await asyncio.gather(client.posts.upcoming(), client.posts.upcoming())
        first, second = sorted(seconds(span) for span in spans.named("marketingblocks upcoming-posts"))
        assert first == pytest.approx(3, abs=0.5)
        assert max(seconds(span) for span in spans.named("marketingblocks permit wait")) > 8
        assert second > 11
        assert fake_time.elapsed > 11

    @pytest.mark.usefixtures("own_limiters")
    async def test_a_wait_that_ended_without_a_permit_is_there(
        self, marketingblocks_sandbox: Sandbox, spans: Spans, numbers: Numbers
    ) -> None:
        observers = Tracing(spans.provider), Metrics(numbers.provider)
        async with client_of(marketingblocks_sandbox, *observers) as client:
            client.rate_limiter.pause(9, over_limit=False)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await client.posts.upcoming()
        (call,) = spans.named("marketingblocks upcoming-posts")
        (wait,) = spans.children(call)
        assert wait.name == "marketingblocks permit wait"
        assert wait.end_time == call.end_time
        assert seconds(wait) > 0.15
        (point,) = numbers.points("marketingblocks.client.permit.wait")
        assert (point.count, dict(point.attributes)) == (1, {"marketingblocks.operation": "upcoming-posts"})
        assert point.sum == pytest.approx(seconds(wait), abs=0.01)

    async def test_retries_are_further_children_and_events(
        self, marketingblocks_sandbox: Sandbox, spans: Spans
    ) -> None:
        marketingblocks_sandbox.faults.add("error_500:times=1")
        marketingblocks_sandbox.faults.add("too_many_requests:retry_after=0.01,times=1")
        async with client_of(marketingblocks_sandbox, Tracing(spans.provider)) as client:
            await client.posts.upcoming()
        (call,) = spans.named("marketingblocks upcoming-posts")
        assert {event.name for event in call.events} == {"retry", "throttle"}
        attempts = spans.named("GET /social-sparks/upcoming-posts")
        found = [
            (span.attributes.get("http.response.status_code"), span.attributes.get("http.request.resend_count"))
            for span in attempts
            if span.attributes is not None
        ]
        assert found == [(500, None), (429, 1), (200, 2)]
        assert [span.status.status_code for span in attempts] == [StatusCode.ERROR, StatusCode.ERROR, StatusCode.UNSET]

    async def test_a_failure_is_an_error_with_its_words(self, marketingblocks_sandbox: Sandbox, spans: Spans) -> None:
        marketingblocks_sandbox.faults.add("commit_then_drop")
        async with client_of(marketingblocks_sandbox, Tracing(spans.provider)) as client:
            with pytest.raises(OutcomeUnknownError):
                await client.channels.connect(user_id="u-1")
        (call,) = spans.named("marketingblocks connect-channel")
        assert call.status.status_code is StatusCode.ERROR
        assert "may or may not have been carried out" in str(call.status.description)
        assert call.attributes is not None
        assert call.attributes["error.type"] == "OutcomeUnknownError"

    async def test_a_cancelled_call_says_so(self, marketingblocks_sandbox: Sandbox, spans: Spans) -> None:
        marketingblocks_sandbox.faults.add("commit_then_stall")
        async with client_of(marketingblocks_sandbox, Tracing(spans.provider)) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await client.posts.upcoming()
        (call,) = spans.named("marketingblocks upcoming-posts")
        assert call.attributes is not None
        assert call.attributes["marketingblocks.call.cancelled"] is True

    async def test_a_call_is_a_child_of_the_active_span(self, marketingblocks_sandbox: Sandbox, spans: Spans) -> None:
        tracer = spans.provider.get_tracer("mine")
        async with client_of(marketingblocks_sandbox, Tracing(spans.provider)) as client:
            with tracer.start_as_current_span("my work") as mine:
                await asyncio.gather(client.posts.upcoming(), client.posts.upcoming())
        calls = spans.named("marketingblocks upcoming-posts")
        assert [span.parent.span_id for span in calls if span.parent] == [mine.get_span_context().span_id] * 2

    async def test_what_is_not_documented_has_its_path(self, marketingblocks_sandbox: Sandbox, spans: Spans) -> None:
        async with client_of(marketingblocks_sandbox, Tracing(spans.provider)) as client:
            await client.request("GET", "social-sparks/upcoming-posts", params={"limit": 2})
        (attempt,) = spans.named("GET")
        assert attempt.attributes is not None
        assert str(attempt.attributes["url.full"]).endswith("/social-sparks/upcoming-posts?limit=2")
        assert "url.template" not in attempt.attributes

    async def test_the_token_is_nowhere(self, marketingblocks_sandbox: Sandbox, spans: Spans) -> None:
        marketingblocks_sandbox.faults.add("echo_authorization")
        async with client_of(marketingblocks_sandbox, Tracing(spans.provider)) as client:
            with pytest.raises(OutcomeUnknownError):
                await client.channels.connect(user_id="u-1")
        assert spans.all
        assert marketingblocks_sandbox.token not in "".join(span.to_json() for span in spans.all)

    async def test_what_is_not_sampled_costs_no_children(self, marketingblocks_sandbox: Sandbox) -> None:
        provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
        async with client_of(marketingblocks_sandbox, Tracing(provider)) as client:
            await client.posts.upcoming()

    def test_calls_without_an_end_are_forgotten(self, spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tracing_module, "REMEMBERED_CALLS", 3)
        tracing = Tracing(spans.provider)
        for call_id in range(10):
            tracing.on_attempt(AttemptEvent(call_id, "create-post", 1, 0.0, 0.1, 200, None, "POST", "http://h/p"))
        for call_id in range(10):
            tracing.on_outcome(OutcomeEvent(call_id, "create-post", 1, 0.0, 0.1, None))
        assert len(spans.named("POST /social-sparks/create-post")) == 3


class Numbers:
    """The metrics as they are collected."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider([self._reader], shutdown_on_exit=False)

    def points(self, name: str) -> list[Any]:
        data = self._reader.get_metrics_data()
        if data is None:
            return []
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


@pytest.fixture
def numbers() -> Iterator[Numbers]:
    found = Numbers()
    yield found
    found.provider.shutdown()


class TestMetrics:
    async def test_requests_have_the_names_of_the_conventions(
        self, marketingblocks_sandbox: Sandbox, numbers: Numbers
    ) -> None:
        marketingblocks_sandbox.faults.add("error_500:times=1")
        async with client_of(marketingblocks_sandbox, Metrics(numbers.provider)) as client:
            await client.posts.upcoming()
        points = numbers.points("http.client.request.duration")
        found = {
            (point.attributes["http.response.status_code"], point.attributes.get("error.type")) for point in points
        }
        assert found == {(500, "500"), (200, None)}
        assert all(
            {"http.request.method", "server.address", "server.port"} <= point.attributes.keys() for point in points
        )
        # Seconds, so the SDK's default bounds (0, 5, 10, 25, …) would tell nothing.
        assert points[0].explicit_bounds[0] == 0.005

    async def test_calls_waits_retries_and_throttles_are_counted(
        self, marketingblocks_sandbox: Sandbox, numbers: Numbers
    ) -> None:
        marketingblocks_sandbox.faults.add("too_many_requests:retry_after=0.01,times=1")
        async with client_of(marketingblocks_sandbox, Metrics(numbers.provider)) as client:
            await client.posts.upcoming()
            await client.request("GET", "social-sparks/upcoming-posts", params={"limit": 1})
            marketingblocks_sandbox.faults.add("too_many_requests:retry_after=20")
            with pytest.raises(RateLimitError):
                await client.with_options(deadline=0.2).channels.connect(user_id="u-1")
        calls = {
            (point.attributes["marketingblocks.operation"], point.attributes["marketingblocks.outcome"]): point.value
            for point in numbers.points("marketingblocks.client.calls")
        }
        assert calls[("upcoming-posts", "success")] == 1
        assert calls[("other", "success")] == 1
        assert ("connect-channel", "success") not in calls
        assert sum(point.count for point in numbers.points("marketingblocks.client.permit.wait")) == 4
        assert sum(point.value for point in numbers.points("marketingblocks.client.retries")) >= 1
        assert sum(point.value for point in numbers.points("marketingblocks.client.throttles")) == 2
        assert sum(point.count for point in numbers.points("marketingblocks.client.call.duration")) == 3

    @pytest.mark.usefixtures("fake_time")
    async def test_the_queue_is_read_when_it_is_collected(
        self, marketingblocks_sandbox: Sandbox, numbers: Numbers
    ) -> None:
        metrics = Metrics(numbers.provider)
        limit = RateLimit(limit=1, per=10.0, burst=1)
        async with client_of(marketingblocks_sandbox, metrics, rate_limit=limit) as client:
            metrics.watch(client, account="main")
            calls = [asyncio.create_task(client.posts.upcoming()) for _ in range(4)]
            await asyncio.sleep(1)
            (queue,) = numbers.points("marketingblocks.client.queue.length")
            assert (queue.value, dict(queue.attributes)) == (3, {"account": "main"})
            (permits,) = numbers.points("marketingblocks.client.permits")
            assert permits.value == 1
            await asyncio.gather(*calls)

    async def test_a_client_without_a_limiter_or_without_life_is_left_out(self, numbers: Numbers) -> None:
        metrics = Metrics(numbers.provider)
        never_open = MarketingBlocks("token")
        metrics.watch(never_open)
        assert numbers.points("marketingblocks.client.queue.length") == []
        gone = weakref.ref(never_open)
        del never_open
        gc.collect()
        assert gone() is None


async def test_the_trace_context_goes_along_only_if_it_is_asked_for(
    marketingblocks_sandbox: Sandbox, spans: Spans
) -> None:
    seen: list[dict[str, str]] = []

    async def look(request: HttpRequest, send: Send) -> HttpAnswer:
        seen.append(dict(request.headers))
        return await send(request)

    tracer = spans.provider.get_tracer("mine")
    for middlewares in ([look], [propagate_context, look]):
        async with client_of(marketingblocks_sandbox, Tracing(spans.provider), middlewares=middlewares) as client:
            with tracer.start_as_current_span("my work") as mine:
                await client.posts.upcoming()
    assert "traceparent" not in seen[0]
    assert f"{mine.get_span_context().trace_id:032x}" in seen[1]["traceparent"]
    assert len(spans.named("marketingblocks upcoming-posts")) == 2
