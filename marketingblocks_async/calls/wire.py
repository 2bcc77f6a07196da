"""The API's protocol without input and output: requests to bytes, answers to models or errors, failures to outcomes.

Everything here is a pure function of its arguments, so it is tested without a socket. What the documentation says and
what is inferred is marked where it matters; see "What is documented, what is a guess" in the README.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, Protocol, TypeVar, cast
from urllib.parse import quote
from uuid import UUID

import pydantic
from pydantic import BaseModel

from marketingblocks_async.endpoints import Endpoint
from marketingblocks_async.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    Headers,
    InvalidResponseError,
    NotFoundError,
    Outcome,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    excerpt,
)
from marketingblocks_async.models import RequestModel
from marketingblocks_async.models.base import is_array, is_object

JSON_TYPE = "application/json"

ResponseT = TypeVar("ResponseT", bound=BaseModel)


class WireRequest(NamedTuple):
    """A request as it goes out.

    Attributes:
        method: HTTP method.
        path: path and query below the API root, percent-encoded.
        body: JSON bytes, or ``None``.

    """

    method: str
    path: str
    body: bytes | None


class Answer(Protocol):
    """An answer as it came in. Header names are compared without regard to case."""

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers."""
        ...

    @property
    def body(self) -> bytes:
        """The whole body, decompressed."""
        ...


def encode(endpoint: Endpoint[RequestModel, BaseModel], request: RequestModel) -> WireRequest:
    """Return ``request`` as it goes out to ``endpoint``.

    Bodies are JSON. Queries keep their commas, as in the documented URL of get-posts. ``None`` is never sent, and an
    update sends exactly the fields that were given.
    """
    if endpoint.method == "GET":
        fields = request.wire()
        path = endpoint.path
        for name in [name for name in fields if f"{{{name}}}" in path]:
            path = path.replace(f"{{{name}}}", quote(str(fields.pop(name)), safe=""))
        return WireRequest(endpoint.method, path + encode_query(fields), None)
    return WireRequest(endpoint.method, endpoint.path, request.wire_json())


def encode_query(fields: Mapping[str, Any]) -> str:
    """Return ``?name=value&…`` for what is not ``None``; lists become comma-separated. Empty for no fields."""
    pairs = [f"{quote(name, safe='')}={_query_value(value)}" for name, value in fields.items() if value is not None]
    return f"?{'&'.join(pairs)}" if pairs else ""


def _query_value(value: Any) -> str:
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


def decode(endpoint: Endpoint[RequestModel, ResponseT], answer: Answer) -> ResponseT:
    """Return the model that a success answer holds.

    Raises:
        APIError: the body says ``"status": false`` in spite of the success status (inferred to be an error).
        InvalidResponseError: the body is no JSON, or not of the documented shape.

    """
    try:
        model = endpoint.response.model_validate_json(answer.body)
    except pydantic.ValidationError as exc:
        value = parse_json(answer.body)
        if _says_false(value):
            raise error_from_answer(answer, endpoint.name, endpoint.permission) from None
        if exc.errors(include_url=False, include_context=False, include_input=False)[0]["type"] != "json_invalid":
            raise invalid_response(answer, endpoint.name, _why(exc)) from exc
        # Python's decoder takes what pydantic's does not: a byte order mark, half an emoji.
        if isinstance(value, _NoJSON) or "recursion" in str(exc):
            raise invalid_response(answer, endpoint.name, _why(exc)) from exc
        try:
            model = endpoint.response.model_validate(value)
        except pydantic.ValidationError as second:
            raise invalid_response(answer, endpoint.name, _why(second)) from second
    if getattr(model, "status", None) is False:
        raise error_from_answer(answer, endpoint.name, endpoint.permission)
    return model


def decode_any(name: str, method: str, answer: Answer) -> Any:
    """Return the JSON value of a success answer to a call that the documentation does not show.

    ``None`` where there is no body to expect: 204, and answers to ``HEAD``.

    Raises:
        APIError: the body is an object that says ``"status": false``.
        InvalidResponseError: the body is no JSON.

    """
    if answer.status == 204 or method == "HEAD":
        return None
    value = parse_json(answer.body)
    if isinstance(value, _NoJSON):
        raise invalid_response(answer, name, "it is not JSON")
    if _says_false(value):
        raise error_from_answer(answer, name, None)
    return value


def judge(status: int, headers: Mapping[str, str]) -> Outcome:
    """Return what an answer that is no success means for what happened.

    429 refuses before anything begins (documented: throttling or rejection). 503 does so only if it names a time to
    come back (RFC 9110 section 15.6.4); any other 5xx, and 408, may come from a proxy after the work was done.
    """
    if status == 429:
        return Outcome.REFUSED
    if status == 503 and parse_retry_after(headers) is not None:
        return Outcome.REFUSED
    if status >= 500 or status == 408:
        return Outcome.UNKNOWN
    return Outcome.FINAL


_DELTA_SECONDS = re.compile(r"\s*(\d{1,15}(?:\.\d{1,9})?)\s*(?:, .*)?\Z", re.ASCII | re.DOTALL)


def parse_retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Return the seconds that ``Retry-After`` asks to wait, ``None`` if it is absent or makes no sense.

    Whole seconds and HTTP dates are standard (RFC 9110 section 10.2.3), decimals occur. A date is measured against the
    answer's own ``Date`` where there is one, so that a wrong clock on this machine does not matter; a date in the past
    is 0.0. Negative numbers and garbage are treated as absent.

    Args:
        headers: the answer's headers.
        now: what to measure a date against when there is no ``Date``; this machine's clock by default.

    """
    text = headers.get("Retry-After")
    if text is None:
        return None
    if match := _DELTA_SECONDS.match(text):
        # Headers joins repeated ones with a comma.
        return float(match[1])
    until = _parse_http_date(text)
    if until is None:
        return None
    since = _parse_http_date(headers.get("Date", "")) or now or datetime.now(UTC)
    return max(0.0, (until - since).total_seconds())


def _parse_http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


# Python decodes what it cannot pickle (500 levels on 3.11), and errors pickle with their bodies. No API means such.
_DEEPEST = 200


class _NoJSON:
    """Stands for a body that is no JSON, since ``None`` is JSON."""


_NO_JSON = _NoJSON()


def parse_json(body: bytes) -> Any:
    """Return the JSON value of ``body``, or an instance of a private class if it is none. A byte order mark is fine."""
    try:
        value = json.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):
        return _NO_JSON
    return _NO_JSON if _is_deeper_than(_DEEPEST, value) else value


def _is_deeper_than(levels: int, value: Any) -> bool:
    layer = [value]
    for _ in range(levels):
        layer = [
            item
            for container in layer
            if is_array(container) or is_object(container)
            for item in (container.values() if is_object(container) else container)
        ]
        if not layer:
            return False
    return True


def readable_body(body: bytes) -> Any:
    """Return the JSON value of ``body``, or its text if it is no JSON."""
    value = parse_json(body)
    return body.decode("utf-8", "replace") if isinstance(value, _NoJSON) else value


def _says_false(value: Any) -> bool:
    return is_object(value) and value.get("status") is False


def _why(exc: pydantic.ValidationError) -> str:
    first = exc.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]


def invalid_response(answer: Answer, name: str, why: str) -> InvalidResponseError:
    """Return the error for a success answer that cannot be understood."""
    body = readable_body(answer.body)
    shown = excerpt(body) if answer.body else "(empty)"
    return InvalidResponseError(
        f"{name}: the API answered {answer.status}, but its body is not as documented ({why}): {shown}",
        body=body,
        status_code=answer.status,
        endpoint=name,
    )


_ERROR_CLASSES: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    422: BadRequestError,
}


def error_from_answer(answer: Answer, name: str, permission: str | None) -> APIError:
    """Return the error that an answer stands for.

    Args:
        answer: an answer that is no success, or one whose body says ``"status": false``.
        name: the operation.
        permission: what the operation needs, if that is documented.

    """
    body = readable_body(answer.body)
    message = f"{name}: {answer.status}{_reason(body)}{_advice(answer, permission)}"
    headers = Headers(answer.headers)
    if answer.status == 429:
        return RateLimitedError(
            message, body=body, headers=headers, endpoint=name, retry_after=parse_retry_after(headers)
        )
    error_class = ServerError if answer.status >= 500 else _ERROR_CLASSES.get(answer.status, APIError)
    return error_class(message, status_code=answer.status, body=body, headers=headers, endpoint=name)


def _reason(body: Any) -> str:
    """Return the API's own reason, documented as ``{"status": false, "message": …}``, or the body's beginning."""
    if is_object(body):
        reason = str(body.get("message") or body.get("error") or "")
        # Inferred: validation errors may come as a map under "errors".
        if errors := body.get("errors"):
            reason = f"{reason} {json.dumps(errors, ensure_ascii=False, default=str)}"
        body = reason.strip() or json.dumps(body, ensure_ascii=False, default=str)
    shown = excerpt(body) if body not in (None, "") else ""
    return f": {shown}" if shown else ""


def _advice(answer: Answer, permission: str | None) -> str:
    """Return what a person can do about it."""
    needs = f"the permission {permission!r}" if permission else "the permission that this path needs"
    match answer.status:
        case 401:
            advice = (
                f"the access token is missing, expired or invalid, or lacks {needs}; "
                "look at it on the API Tokens page of MarketingBlocks"
            )
        case 403:
            advice = f"the access token lacks {needs}; add it on the API Tokens page of MarketingBlocks"
        case 404:
            advice = "nothing is there; check the id, and base_url if every call says so"
        case 400 | 422:
            advice = "the API refused the content of the request; change it before sending it again"
        case 429:
            wait = parse_retry_after(answer.headers)
            asked = f"; the API asks to wait {wait:g} s" if wait is not None else ""
            advice = f"over the rate limit of the token{asked}; somebody else may be using the same token"
        case status if 300 <= status < 400:
            target = excerpt(answer.headers.get("Location", "nowhere"), 100)
            advice = f"a redirect to {target!r}, which is not followed; check base_url"
        case _:
            return ""
    return f" - {advice}"
