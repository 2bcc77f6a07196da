"""Validation of bodies and queries: it refuses those that break a documented requirement, and no others.

The request models of the package are stricter than the documentation (they refuse unknown fields and contradictions,
which helps their users). Here only their JSON schema is used: which fields are required, of which type, and with which
of the documented words. What the documentation leaves open (unknown fields, empty lists, blank texts) is let through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from marketingblocks_async.models import (
    ChannelType,
    PostStatusFilter,
    PublishMode,
    RequestModel,
)
from marketingblocks_async.models.base import is_array, is_object
from marketingblocks_async.sandbox.state.posts import schedule_moment, zone_of

Errors = dict[str, list[str]]
"""Messages by the path of the field, such as ``twitter_threads.0.message``."""

BodyCheck = Callable[[dict[str, Any]], Errors]
"""Returns the errors of a body, none if it is valid."""

_Check = Callable[[Any, str, Errors], None]

_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = MappingProxyType(
    {
        "string": ((str,), "a string"),
        "integer": ((int,), "an integer"),
        "number": ((int, float), "a number"),
        "boolean": ((bool,), "a boolean"),
        "array": ((list,), "an array"),
        "object": ((dict,), "an object"),
        "null": ((type(None),), "null"),
    }
)


# Most of the time that a sandbox needs to be made, and tests make hundreds.
@cache
def body_check(model: type[RequestModel]) -> BodyCheck:
    """Return the check of the bodies that are such a request."""
    schema = model.model_json_schema(by_alias=True)
    check_fields = _compile(schema, schema.get("$defs", {}))

    def check(body: dict[str, Any]) -> Errors:
        errors: Errors = {}
        check_fields(body, "", errors)
        if not errors:
            _check_together(model, body, errors)
        return errors

    return check


@dataclass(frozen=True, slots=True)
class ListQuery:
    """A valid query of get-posts; ``None`` for what was not given."""

    channels: frozenset[str]
    limit: int | None
    statuses: frozenset[str] | None


def list_query(query: Mapping[str, str], errors: Errors) -> ListQuery:
    """Read the query of get-posts, and add its problems to ``errors``."""
    channels = _names(query, "channels", [*ChannelType], errors)
    if channels is None:
        _add(errors, "channels", "The channels field is required.")
    return ListQuery(
        channels=channels or frozenset(),
        limit=limit_of(query, errors),
        statuses=_names(query, "status", [*PostStatusFilter], errors),
    )


def limit_of(query: Mapping[str, str], errors: Errors) -> int | None:
    """Read ``limit``, an integer above 0; ``None`` if it is not given."""
    text = query.get("limit")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and text.strip("0")):
        _add(errors, "limit", "The limit must be an integer above 0.")
        return None
    # 18 digits are more than any sandbox holds, and int() of a long text is slow.
    digits = text.lstrip("0")
    return int(digits) if len(digits) <= 18 else 10**18


def _names(query: Mapping[str, str], field: str, known: Sequence[str], errors: Errors) -> frozenset[str] | None:
    names = frozenset(part.strip() for part in query.get(field, "").split(",") if part.strip())
    for name in sorted(names.difference(known)):
        _add(errors, field, f"{name!r} is none of {', '.join(known)}.")
    return names or None


def _compile(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> _Check:
    """Turn the part of JSON schema that pydantic writes for the request models into a function."""
    if "$ref" in schema:
        return _compile(definitions[str(schema["$ref"]).rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return _compile_any(schema["anyOf"], definitions)
    kind = str(schema.get("type"))
    if kind == "object":
        return _compile_object(schema, definitions)
    if kind == "array":
        return _compile_array(schema, definitions)
    if kind == "string" and "enum" in schema:
        return _compile_words(schema["enum"])
    if kind in _TYPES:
        return _compile_type(kind)
    msg = f"the request models use JSON schema that is not understood here: {dict(schema)}"
    raise TypeError(msg)


def _compile_type(kind: str) -> _Check:
    types, words = _TYPES[kind]

    def check(value: Any, path: str, errors: Errors) -> None:
        # bool is an int in Python, and it is no number in JSON.
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            _add(errors, path, f"The {path} must be {words}.")

    return check


def _compile_words(words: Sequence[str]) -> _Check:
    known = frozenset(words)

    def check(value: Any, path: str, errors: Errors) -> None:
        if not isinstance(value, str) or value not in known:
            _add(errors, path, f"The {path} must be one of {', '.join(words)}.")

    return check


def _compile_array(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> _Check:
    check_item = _compile(schema["items"], definitions)

    def check(value: Any, path: str, errors: Errors) -> None:
        if not is_array(value):
            _add(errors, path, f"The {path} must be an array.")
            return
        for index, item in enumerate(value):
            check_item(item, f"{path}.{index}", errors)

    return check


def _compile_object(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> _Check:
    required = frozenset[str](schema.get("required", ()))
    fields = [
        (name, name in required, _compile(field, definitions)) for name, field in schema.get("properties", {}).items()
    ]

    def check(value: Any, path: str, errors: Errors) -> None:
        if not is_object(value):
            _add(errors, path, f"The {path} must be an object.")
            return
        for name, is_required, check_field in fields:
            item = value.get(name)
            if item is not None:
                check_field(item, f"{path}.{name}" if path else name, errors)
            elif is_required:
                _required(errors, f"{path}.{name}" if path else name)

    return check


def _compile_any(schemas: Sequence[Mapping[str, Any]], definitions: Mapping[str, Any]) -> _Check:
    # Null is never looked at here: an object's field that is null counts as not given.
    checks = [_compile(schema, definitions) for schema in schemas if schema.get("type") != "null"]
    if len(checks) == 1:
        return checks[0]

    def check(value: Any, path: str, errors: Errors) -> None:
        attempts: list[Errors] = []
        for check_alternative in checks:
            found: Errors = {}
            check_alternative(value, path, found)
            if not found:
                return
            attempts.append(found)
        for found in attempts:
            for field, messages in found.items():
                errors.setdefault(field, []).extend(messages)

    return check


def _check_together(model: type[RequestModel], body: dict[str, Any], errors: Errors) -> None:
    for field, word, needed in model.required_when:
        if body.get(field) == word:
            for name in needed:
                if body.get(name) is None:
                    _required(errors, name, f"{field} is {word}")
    schedule_time, time_zone = body.get("schedule_time"), body.get("time_zone")
    if body.get("publish_mode") == PublishMode.SCHEDULED and schedule_time is not None and time_zone is not None:
        _check_schedule(schedule_time, time_zone, errors)


def _check_schedule(schedule_time: str, time_zone: str, errors: Errors) -> None:
    try:
        zone_of(time_zone)
    except ValueError as exc:
        _add(errors, "time_zone", f"{exc}.")
        return
    try:
        schedule_moment(schedule_time, time_zone)
    except ValueError as exc:
        _add(errors, "schedule_time", f"{exc}.")


def _required(errors: Errors, path: str, when: str = "") -> None:
    _add(errors, path, f"The {path} field is required{f' when {when}' if when else ''}.")


def _add(errors: Errors, path: str, message: str) -> None:
    errors.setdefault(path or "body", []).append(message)
