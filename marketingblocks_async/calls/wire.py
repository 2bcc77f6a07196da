"""Request objects to paths, queries and bodies. Pure functions, tested without a socket.

``Operation.decode`` and ``failures.py`` have the way back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, cast
from urllib.parse import quote
from uuid import UUID

from marketingblocks_async.endpoints import AnyEndpoint, Operation
from marketingblocks_async.errors import InvalidArgumentError
from marketingblocks_async.middleware import HttpResponse
from marketingblocks_async.models import RequestModel
from marketingblocks_async.models.base import enumeration_value


def encode(endpoint: AnyEndpoint, request: RequestModel) -> tuple[str, bytes | None]:
    """Return the path with its query, percent-encoded, and the body of ``request``.

    Bodies are JSON. Queries keep their commas, as in the documented URL of get-posts. ``None`` is never sent, and an
    update sends exactly the fields that were given.
    """
    if endpoint.method != "GET":
        return endpoint.path, request.wire_json()
    fields = request.wire()
    path = endpoint.path
    for name in [name for name in fields if f"{{{name}}}" in path]:
        path = path.replace(f"{{{name}}}", quote(str(fields.pop(name)), safe=""))
    return path + encode_query(fields), None


def encode_query(fields: Mapping[str, Any]) -> str:
    """Return ``?name=value&…`` for all fields that are not ``None``; lists become comma-separated. Empty for none."""
    pairs = [f"{quote(name, safe='')}={_query_value(value)}" for name, value in fields.items() if value is not None]
    return f"?{'&'.join(pairs)}" if pairs else ""


def encode_json(value: Any) -> bytes:
    """Return a JSON value as bytes; enumerations are written as their values.

    Raises:
        TypeError: it is not a JSON value.
        InvalidArgumentError: JSON cannot hold it: NaN, infinity, half a character, a value that contains itself.

    """
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False, default=enumeration_value).encode()
    except ValueError as exc:
        msg = f"it cannot be sent as JSON: {exc}"
        raise InvalidArgumentError(msg) from None


def _query_value(value: Any) -> str:
    if isinstance(value, Enum):
        # str() of many an enumeration is its name.
        return _query_value(value.value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        items = cast("Iterable[object]", value)
        return ",".join(_query_value(item) for item in items if item is not None)
    if not isinstance(value, str | int | float | Decimal | date | UUID):
        msg = f"a {type(value).__name__} cannot be part of an address"
        raise TypeError(msg)
    try:
        return quote(str(value), safe=",")
    except (UnicodeEncodeError, ValueError) as exc:
        msg = f"cannot be part of an address: {exc}"
        raise TypeError(msg) from None


class GenericOperation(Operation[Any]):
    """A call that the documentation does not show."""

    __slots__ = ()

    def decode(self, response: HttpResponse) -> Any:
        """Return the JSON value; ``None`` where no body is to be expected: 204, and responses to ``HEAD``.

        Raises:
            ValueError: the body is no JSON.

        """
        return None if response.status == 204 or self.method == "HEAD" else response.json()
