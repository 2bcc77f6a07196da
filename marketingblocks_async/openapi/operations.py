"""From the endpoint table to the paths of the OpenAPI document."""

from __future__ import annotations

from typing import Any

from marketingblocks_async.endpoints import (
    CREATE_COMMENT_AUTOMATION,
    CREATE_POST,
    CREATE_POST_GENERATION,
    FIND_POST,
    UPDATE_COMMENT_AUTOMATION,
    AnyEndpoint,
)

from .evidence import MARK, STATUSES, Evidence, of_answer, of_field
from .schemas import REFERENCE, field_schemas

PERMISSION = "x-permission"
"""The extension that names the permission that an operation needs."""

RESEND_IS_HARMLESS = "x-resend-is-harmless"
"""The extension that says whether carrying the operation out twice leaves the same state as once."""

_JSON = "application/json"

# Documented requests and answers, as the pages print them.
_REQUEST_EXAMPLES: dict[str, dict[str, Any]] = {
    CREATE_POST_GENERATION.name: {"post_type": "breel", "input": "flower sales"},
}
_ANSWER_EXAMPLES: dict[str, dict[str, Any]] = {
    CREATE_POST_GENERATION.name: {
        "id": "842c8151-8f9d-4eab-ae81-6690730b8b02",
        "status": "queued",
        "message": "post generation is in queued.",
        "request_body": {"post_type": "breel", "input": "flower sales", "brand_id": None, "web_hook": None},
    },
}

# That the answers have these ids, and at their tops, is inferred.
_LINKS: dict[str, dict[str, Any]] = {
    CREATE_POST.name: {
        "operationId": FIND_POST.name,
        "parameters": {"post_id": "$response.body#/post_id"},
    },
    CREATE_COMMENT_AUTOMATION.name: {
        "operationId": UPDATE_COMMENT_AUTOMATION.name,
        "requestBody": {"comment_bot_id": "$response.body#/comment_bot_id"},
    },
}


def operation(endpoint: AnyEndpoint) -> dict[str, Any]:
    """Return the operation object of an endpoint."""
    result: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": f"Needs the permission `{endpoint.permission}`.",
        "tags": [_tag(endpoint)],
        PERMISSION: endpoint.permission,
        RESEND_IS_HARMLESS: endpoint.resend_is_harmless,
        MARK: Evidence.DOCUMENTED,
    }
    if endpoint.method == "GET":
        result["parameters"] = _parameters(endpoint)
    else:
        result["requestBody"] = _request_body(endpoint)
    result["responses"] = _responses(endpoint)
    if endpoint.name == CREATE_POST_GENERATION.name:
        result["callbacks"] = {"web_hook": {"{$request.body#/web_hook}": {"post": _web_hook()}}}
    return result


def _tag(endpoint: AnyEndpoint) -> str:
    for word, tag in (("generation", "generations"), ("channel", "channels"), ("automation", "comment automations")):
        if word in endpoint.name:
            return tag
    return "posts"


def _parameters(endpoint: AnyEndpoint) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    for name, schema, description in field_schemas(endpoint.request):
        in_path = f"{{{name}}}" in endpoint.path
        parameter: dict[str, Any] = {
            "name": name,
            "in": "path" if in_path else "query",
            "required": in_path or endpoint.request.model_fields[name].is_required(),
            "description": description,
            "schema": schema,
            MARK: of_field(endpoint.request.__name__, name),
        }
        if schema.get("type") == "array":
            # Comma-separated, as in the documented address of get-posts.
            parameter |= {"style": "form", "explode": False}
        parameters.append(parameter)
    return parameters


def _request_body(endpoint: AnyEndpoint) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": REFERENCE.format(model=endpoint.request.__name__)}}
    if example := _REQUEST_EXAMPLES.get(endpoint.name):
        content["example"] = example
    return {"required": True, "content": {_JSON: content}, MARK: Evidence.DOCUMENTED}


def _responses(endpoint: AnyEndpoint) -> dict[str, Any]:
    evidence = of_answer(endpoint.response)
    content: dict[str, Any] = {"schema": {"$ref": REFERENCE.format(model=endpoint.response.__name__)}}
    if example := _ANSWER_EXAMPLES.get(endpoint.name):
        content["example"] = example
    success: dict[str, Any] = {
        "description": "Success. The shape of the response is not documented."
        if evidence is Evidence.UNKNOWN
        else "Success.",
        "content": {_JSON: content},
        MARK: evidence,
    }
    if link := _LINKS.get(endpoint.name):
        success["links"] = {"the one created": {**link, MARK: Evidence.INFERRED}}
    errors = {status: {"$ref": f"#/components/responses/{status}"} for status in STATUSES}
    return {"200": success, **errors, "5XX": {"$ref": "#/components/responses/5XX"}}


def error_responses() -> dict[str, Any]:
    """Return the answers that all operations share."""
    body = {"schema": {"$ref": REFERENCE.format(model="Error")}}
    shared: dict[str, Any] = {
        status: {"description": description, "content": {_JSON: body}, MARK: evidence}
        for status, (description, evidence) in STATUSES.items()
    }
    shared["429"]["headers"] = {
        "Retry-After": {
            "description": "Whether it is sent, and in which form, is not documented.",
            "schema": {"type": "string"},
            MARK: Evidence.UNKNOWN,
        }
    }
    # Any body, also none and also HTML: it may come from a proxy.
    shared["5XX"] = {"description": "It failed at the server; a write may have been carried out.", MARK: "unknown"}
    return shared


def _web_hook() -> dict[str, Any]:
    return {
        "summary": "The generation has ended.",
        "description": "What is posted is not documented; treat it as a hint and accept any JSON.",
        "requestBody": {"content": {_JSON: {"schema": {}}}, MARK: Evidence.UNKNOWN},
        "responses": {"2XX": {"description": "Received."}},
        MARK: Evidence.UNKNOWN,
    }
