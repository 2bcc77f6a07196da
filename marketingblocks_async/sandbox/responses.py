"""A response before it is sent, in the two forms that the documentation shows: JSON values and errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

EXPIRED_OR_INVALID = "Access token has expired or is invalid."
"""The one error message that the documentation shows."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response before it is sent."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    content_type: str = "application/json"

    def to_aiohttp(self) -> web.Response:
        """Return the response as aiohttp sends it."""
        headers = {"Content-Type": self.content_type, **self.headers}
        return web.Response(body=self.body, status=self.status, headers=headers)


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return ``value`` as a JSON response."""
    return Response(status, json.dumps(value).encode(), headers or {})


def error_response(
    status: int,
    message: str,
    *,
    errors: Mapping[str, list[str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a documented error body; it is a guess that the API sends ``errors``, messages by field."""
    body: dict[str, Any] = {"status": False, "message": message}
    if errors is not None:
        body["errors"] = errors
    return json_response(body, status, headers)
