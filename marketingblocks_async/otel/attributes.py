"""Names of spans, metrics and attributes.

Those of HTTP are OpenTelemetry's (https://opentelemetry.io/docs/specs/semconv/http/). It has none for the queue of a
rate limit, so the others begin with ``marketingblocks.``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from marketingblocks_async._version import __version__
from marketingblocks_async.endpoints import ENDPOINTS
from marketingblocks_async.errors import CallError
from marketingblocks_async.events import AttemptEvent

SCOPE = "marketingblocks_async"
"""Name of the instrumentation scope."""

VERSION: str = __version__
"""Version of the instrumentation scope."""

METHOD = "http.request.method"
STATUS_CODE = "http.response.status_code"
RESEND_COUNT = "http.request.resend_count"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
URL_FULL = "url.full"
URL_TEMPLATE = "url.template"
ERROR_TYPE = "error.type"

OPERATION = "marketingblocks.operation"
OUTCOME = "marketingblocks.outcome"
CALL_ID = "marketingblocks.call.id"
ATTEMPTS = "marketingblocks.call.attempts"
CANCELLED = "marketingblocks.call.cancelled"
WAITED = "marketingblocks.permit.wait"

SUCCESS = "success"
OTHER = "other"
"""Stands for all undocumented operations, since each of their paths would make a series of its own."""

_PORTS: Mapping[str, int] = MappingProxyType({"http": 80, "https": 443})
_TEMPLATES: Mapping[str, str] = MappingProxyType({endpoint.name: f"/{endpoint.path}" for endpoint in ENDPOINTS})


def operation_of(endpoint: str) -> str:
    """Return the operation as an attribute of metrics, which may only have few values."""
    return endpoint if endpoint in _TEMPLATES else OTHER


def template_of(endpoint: str) -> str | None:
    """Return the path of an operation with its fields in braces, or ``None`` if it is not documented."""
    return _TEMPLATES.get(endpoint)


def outcome_of(error: CallError | None) -> str:
    """Return the outcome of a call: ``success``, or the class of its error."""
    return SUCCESS if error is None else type(error).__name__


def http_attributes(event: AttemptEvent) -> dict[str, str | int]:
    """Return the attributes that spans and metrics of one HTTP request share."""
    attributes: dict[str, str | int] = {METHOD: event.method}
    parts = urlsplit(event.url)
    if parts.hostname:
        attributes[SERVER_ADDRESS] = parts.hostname
        attributes[SERVER_PORT] = parts.port or _PORTS.get(parts.scheme, 443)
    if (template := template_of(event.endpoint)) is not None:
        attributes[URL_TEMPLATE] = template
    if event.status_code is not None:
        attributes[STATUS_CODE] = event.status_code
    if event.failure is not None:
        # The conventions want the status here if there is one.
        attributes[ERROR_TYPE] = str(event.status_code) if event.status_code else event.failure.value
    return attributes
