"""Send the trace context in the requests."""

from __future__ import annotations

from dataclasses import replace

from opentelemetry import propagate

from marketingblocks_async.middleware import HttpRequest, HttpResponse, Send


async def propagate_context(request: HttpRequest, send: Send, /) -> HttpResponse:
    """Send the trace context (``traceparent``), as the global propagator writes it.

    This is a middleware: ``MarketingBlocks(middlewares=[propagate_context])``. It is off by default, since it shows
    your trace ids to the API's operator. It sends the span that is active when the call is made, because the spans of
    the call itself are made after its end.
    """
    headers = dict(request.headers)
    propagate.inject(headers)
    return await send(replace(request, headers=headers))
