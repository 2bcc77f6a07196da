"""From a request model to the input schema of a tool, in as few tokens as say the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from marketingblocks_async.models import RequestModel

# An enumeration that is open in the API, and long.
_OPEN_ENUMERATIONS = ("YouTubeCategory",)
# pydantic's own word, beside a check that is a function. JSON Schema does not know it.
_RENAMED = {"gt": "exclusiveMinimum"}
_DROPPED = ("title", "default", "description", "minItems")


def input_schema(request: type[RequestModel], hints: Mapping[str, str]) -> dict[str, Any]:
    """Return the JSON schema of a request's fields, by their names in Python.

    The hints say by field what its name and type do not say.
    """
    whole = request.model_json_schema(by_alias=False)
    definitions: dict[str, Any] = whole.get("$defs", {})
    schema: dict[str, Any] = _short(whole, definitions)
    properties: dict[str, Any] = schema.setdefault("properties", {})
    for name, hint in hints.items():
        properties[name]["description"] = hint
    return schema


def _short(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema without titles, defaults, references and null."""
    if (reference := schema.get("$ref")) is not None:
        name = str(reference).rpartition("/")[2]
        return {"type": "integer"} if name in _OPEN_ENUMERATIONS else _short(definitions[name], definitions)
    if (choices := schema.get("anyOf")) is not None:
        given = [_short(each, definitions) for each in choices if each != {"type": "null"}]
        if len(given) == 1:
            return given[0]
        return {"type": [each["type"] for each in given]}
    short: dict[str, Any] = {}
    for name, value in schema.items():
        if name in _DROPPED or name == "$defs" or (name == "additionalProperties" and value is True):
            continue
        if name == "properties":
            fields = cast("Mapping[str, Mapping[str, Any]]", value)
            short[name] = {field: _short(each, definitions) for field, each in fields.items()}
        elif name == "items":
            short[name] = _short(value, definitions)
        elif name == "enum":
            # The values say the type.
            short[name] = value
            short.pop("type", None)
        else:
            short[_RENAMED.get(name, name)] = value
    if "enum" in short:
        short.pop("type", None)
    return short
