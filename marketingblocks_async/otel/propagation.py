"""The trace context in the requests, for those who ask for it."""

from __future__ import annotations

from dataclasses import replace

from opentelemetry import propagate

from marketingblocks_async.middleware import HttpRequest, HttpResponse, Send


async def propagate_context(request: HttpRequest, send: Send, /) -> HttpResponse:
    """Send the trace context along, as the globally configured propagator writes it (``traceparent``).

    A middleware: ``MarketingBlocks(middlewares=[propagate_context])``. It is off unless asked for, since it tells the
    API's operator your trace ids. What is sent is the span that is active when the call is made, because the spans of
    the call itself are made when it has ended.

    Args:
        request: the attempt.
        send: sends it.

    Returns:
        The answer.

    """
    headers = dict(request.headers)
    propagate.inject(headers)
    return await send(replace(request, headers=headers))
