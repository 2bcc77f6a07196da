"""The component schemas of the OpenAPI document, from the pydantic models."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from pydantic import BaseModel

from marketingblocks_async import models
from marketingblocks_async.models import RequestModel
from marketingblocks_async.models.base import is_array, is_object

from .evidence import DOCUMENTED_TYPES, MARK, Evidence, of_field

Schema = dict[str, Any]

REFERENCE = "#/components/schemas/{model}"

# A day that the calendar has, since "Y-m-d H:i" names one, in ASCII digits. Without "$", which some engines let match
# before a last line break.
_DAY = (
    r"(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])"
    r"|(?:[02468][048]|[13579][26])00)-02-29)"
)

_FORMATS: Mapping[tuple[str, str], Schema] = {
    ("CreatePost", "schedule_time"): {
        "type": "string",
        "format": "schedule-time",
        "pattern": rf"^{_DAY} (?:[01][0-9]|2[0-3]):[0-5][0-9]$",
    },
    ("CreatePost", "time_zone"): {"type": "string", "format": "iana-time-zone"},
}
"""What a field has to look like once it is required; whether it is looked at otherwise is not documented."""

_EXAMPLES: Mapping[tuple[str, str], Sequence[Any]] = {
    ("CreatePost", "channel_id"): [123],
    ("CreatePost", "schedule_time"): ["2025-08-01 14:30"],
    ("CreatePost", "time_zone"): [
        "Africa/Lagos",
        "America/New_York",
        "Europe/London",
        "America/Los_Angeles",
        "Europe/Berlin",
        "Asia/Dubai",
        "Asia/Kolkata",
    ],
    ("YouTubeExtra", "category"): [22],
}
"""Examples of fields, as the documentation shows them."""

_DESCRIPTIONS: Mapping[tuple[str, str], str] = {
    ("CreatePost", "schedule_time"): "For `scheduled`: the time as `YYYY-MM-DD HH:MM`, local to `time_zone`.",
    ("CreatePost", "time_zone"): 'For `scheduled`: the IANA name of the zone, for example `"Africa/Lagos"`.',
    ("CreatePost", "hash_tags"): "Commas or spaces separate the tags.",
}
"""What the API takes, where the docstring of the field says what else the client takes and converts."""


def body_schemas(model: type[BaseModel]) -> dict[str, Schema]:
    """Return the schema of a request body or an answer, and those of the models inside it, by name."""
    schema = model.model_json_schema(by_alias=True, ref_template=REFERENCE)
    definitions: dict[str, Schema] = schema.pop("$defs", {})
    found = {**definitions, model.__name__: schema}
    return {name: _component(name, found[name]) for name in found if not _is_replaced(name)}


def field_schemas(model: type[BaseModel]) -> Iterator[tuple[str, Schema, str]]:
    """Yield name, schema and description of the fields of a request that has no body."""
    schema = model.model_json_schema(by_alias=True, ref_template=REFERENCE)
    descriptions = _descriptions(model)
    for name, field in schema["properties"].items():
        # A query cannot say null.
        yield name, _tidy(_without_null(field)), descriptions[name]


def enumerations(model: type[BaseModel]) -> dict[str, Schema]:
    """Return the schemas of the models inside a request that has no body, by name."""
    definitions: dict[str, Schema] = model.model_json_schema(ref_template=REFERENCE).get("$defs", {})
    return {name: _component(name, schema) for name, schema in definitions.items()}


def error_schema() -> Schema:
    """Return the schema of the documented error body."""
    return {
        "type": "object",
        "description": "The documented error body.",
        "required": ["status", "message"],
        "properties": {
            "status": {"const": False, MARK: Evidence.DOCUMENTED},
            "message": {"type": "string", "description": "The reason.", MARK: Evidence.DOCUMENTED},
            "errors": {
                "type": "object",
                "description": "Messages by field.",
                "additionalProperties": {"type": "array", "items": {"type": "string"}},
                MARK: Evidence.INFERRED,
            },
        },
        "examples": [{"status": False, "message": "Access token has expired or is invalid."}],
        MARK: Evidence.DOCUMENTED,
    }


def _is_replaced(name: str) -> bool:
    # The documented ids by name; the field accepts any integer.
    return name == "YouTubeCategory"


def _component(name: str, schema: Schema) -> Schema:
    kind = getattr(models, name)
    descriptions = _descriptions(kind)
    result = _tidy(schema)
    # What follows is what the package does.
    result["description"] = _markdown(re.split(r"\n    (?:Warns|Raises):", kind.__doc__ or "")[0])
    # Whether the API refuses what it does not know is not documented; the models of the package are stricter.
    result.pop("additionalProperties", None)
    if "properties" not in schema:
        result[MARK] = Evidence.DOCUMENTED if "enum" in schema else Evidence.UNKNOWN
        return result
    names: dict[str, str] = {field.alias or python: python for python, field in kind.model_fields.items()}
    for field, value in result["properties"].items():
        documented = DOCUMENTED_TYPES.get((name, field))
        if documented is not None:
            value.clear()
            value.update(documented)
        if examples := _EXAMPLES.get((name, field)):
            value["examples"] = examples
        value["description"] = _DESCRIPTIONS.get((name, field)) or descriptions[names[field]]
        value[MARK] = of_field(name, field)
        if issubclass(kind, RequestModel):
            # Whether a list may be empty is not documented either.
            value.pop("minItems", None)
            if field not in schema.get("required", ()):
                _allow_null(value)
    if issubclass(kind, RequestModel) and kind.required_when:
        result["allOf"] = [_condition(name, *rule) for rule in kind.required_when]
    return result


def _descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstring below each field of a model."""
    # pydantic's use_attribute_docstrings does the same at each import of the models, which makes it slower.
    definition = next(node for node in ast.walk(ast.parse(inspect.getsource(model))) if isinstance(node, ast.ClassDef))
    found: dict[str, str] = {}
    for field, text in pairwise(definition.body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                found[name] = _markdown(words)
            case _:
                pass
    return found


def _markdown(docstring: str) -> str:
    paragraphs = inspect.cleandoc(docstring).split("\n\n")
    return "\n\n".join(" ".join(text.split()).replace("``", "`") for text in paragraphs).strip()


def _condition(model: str, field: str, word: str, needed: tuple[str, ...]) -> Schema:
    given: Schema = {"not": {"type": "null"}}
    return {
        "if": {"properties": {field: {"const": word}}, "required": [field]},
        "then": {"required": [*needed], "properties": {name: _FORMATS.get((model, name), given) for name in needed}},
    }


def _allow_null(schema: Schema) -> None:
    """Let an optional field of a request be null, as the echoed request of create-post-generation shows it."""
    if isinstance(kind := schema.get("type"), str):
        schema["type"] = [kind, "null"]
    elif reference := schema.pop("$ref", None):
        schema["anyOf"] = [{"$ref": reference}, {"type": "null"}]


def _without_null(schema: Schema) -> Schema:
    alternatives: list[Schema] = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    if len(alternatives) == 1:
        return alternatives[0]
    return {**schema, "anyOf": alternatives} if alternatives else schema


def _tidy(schema: Schema) -> Schema:
    """Return a schema without pydantic's titles and without what stands for "not given"."""
    result: Schema = {}
    for key, value in schema.items():
        if key == "title" or (key == "default" and value is None):
            continue
        if key == "gt":
            result["exclusiveMinimum"] = value
        elif key == "properties":
            result[key] = {name: _tidy(field) for name, field in value.items()}
        else:
            result[key] = _tidied(value)
    alternatives: list[Schema] = result.get("anyOf", [])
    if len(alternatives) == 2 and "type" in alternatives[0] and alternatives[1] == {"type": "null"}:
        del result["anyOf"]
        result |= alternatives[0] | {"type": [alternatives[0]["type"], "null"]}
    return result


def _tidied(value: Any) -> Any:
    if is_object(value):
        return _tidy(value)
    return [_tidied(item) for item in value] if is_array(value) else value
