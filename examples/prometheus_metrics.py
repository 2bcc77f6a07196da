"""A bulk run that Prometheus can watch: the client's events as metrics on a page of their own.

    pip install prometheus-client
    MARKETINGBLOCKS_API_TOKEN=… python examples/prometheus_metrics.py --port 9464 --count 500

``http://127.0.0.1:9464/metrics`` then has the rate, the waits for permits, the outcomes and the queue. If you
use OpenTelemetry already, take ``marketingblocks_async.otel`` and its Prometheus exporter instead.
"""

from __future__ import annotations

import argparse
import asyncio

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, start_http_server

from marketingblocks_async import (
    AttemptEvent,
    CreatePost,
    MarketingBlocks,
    Observer,
    OutcomeEvent,
    RetryEvent,
    ThrottleEvent,
    observed_by,
)


class PrometheusMetrics(Observer):
    """Counts what the client tells."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Histogram(
            "marketingblocks_request_seconds",
            "Time from a request's permit to the last byte of its answer.",
            ["endpoint", "status"],
            registry=registry,
        )
        self._waits = Histogram(
            "marketingblocks_permit_wait_seconds",
            "Time that a request waited for its permit.",
            registry=registry,
            buckets=(0.001, 0.01, 0.1, 1, 10, 60, 600),
        )
        self._calls = Counter("marketingblocks_calls", "Calls by how they ended.", ["outcome"], registry=registry)
        self._retries = Counter("marketingblocks_retries", "Further attempts.", ["failure"], registry=registry)
        self._throttles = Counter("marketingblocks_throttles", "Requests refused for their rate.", registry=registry)
        self._queue = Gauge("marketingblocks_queue_length", "Calls that wait for a permit.", registry=registry)

    def watch(self, client: MarketingBlocks) -> None:
        """Read the queue whenever Prometheus asks."""
        self._queue.set_function(lambda: client.rate_limiter.snapshot().queued)

    def on_attempt(self, event: AttemptEvent) -> None:
        """Record an attempt."""
        self._requests.labels(event.endpoint, event.status_code or "none").observe(event.seconds)
        self._waits.observe(event.waited)

    def on_retry(self, event: RetryEvent) -> None:
        """Count a retry."""
        self._retries.labels(event.failure.value).inc()

    def on_throttle(self, event: ThrottleEvent) -> None:
        """Count a refusal."""
        del event
        self._throttles.inc()

    def on_outcome(self, event: OutcomeEvent) -> None:
        """Count a call, and its wait if it ended before its permit came."""
        if event.abandoned_wait:
            self._waits.observe(event.abandoned_wait)
        self._calls.labels("success" if event.error is None else type(event.error).__name__).inc()


async def main(port: int, count: int) -> None:
    """Create ``count`` posts and let Prometheus watch at ``port``."""
    registry = CollectorRegistry()
    metrics = PrometheusMetrics(registry)
    server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)
    try:
        async with MarketingBlocks(**observed_by(metrics)) as client:
            metrics.watch(client)
            posts = (
                CreatePost(
                    channel_type="twitter",
                    channel_id=7,
                    post_type="tweet",
                    caption_text=f"Tip no. {number}",
                    media_urls=[],
                    publish_mode="queued",
                )
                for number in range(count)
            )
            async for outcome in client.posts.create_many(posts):
                if outcome.error is not None:
                    print(f"post {outcome.index}: {outcome.error}")
            print(generate_latest(registry).decode())
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Create posts and let Prometheus watch.")
    parser.add_argument("--port", type=int, default=9464, help="where Prometheus looks; 0 for a free one")
    parser.add_argument("--count", type=int, default=100, help="how many posts")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.port, arguments.count))
