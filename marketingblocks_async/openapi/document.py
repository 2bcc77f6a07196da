"""The OpenAPI 3.1 document of the API, generated from the endpoint table."""

from __future__ import annotations

import json
from typing import Any

from marketingblocks_async.endpoints import DEFAULT_BASE_URL, ENDPOINTS
from marketingblocks_async.errors import STATUS_RULES

from .evidence import MARK, Evidence
from .operations import error_responses, operation
from .schemas import body_schemas, enumerations, error_schema

OPENAPI_VERSION = "3.1.0"
"""The version of the specification that the document follows."""

_DESCRIPTION = """\
What the documentation of the MarketingBlocks API says, as far as the `marketingblocks-async` package knows it.
This document is not the vendor's.

Every statement carries `x-evidence`: `documented` (the documentation says so), `inferred` (it follows from examples
or from what is usual), or `unknown` (the documentation is silent). Nothing is listed whose address is not documented.

- All access tokens are limited to 100 requests per second. Above it, requests are throttled or rejected.
- Every success is a 200. There is no idempotency key: `x-resend-is-harmless` says which operations may be repeated
  when it is not known whether the first attempt arrived, and `x-status-outcomes` what a status means for that, since
  caches and proxies in front of the API answer in its name.
- Optional fields may be `null`, which means the same as leaving them out (inferred from the echoed `request_body` of
  create-post-generation). Whether unknown fields are refused is not known."""


def document(*, server_url: str = DEFAULT_BASE_URL) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document, as JSON values.

    Args:
        server_url: the API root that the document names, for example that of a sandbox.

    Returns:
        A new dictionary at each call.

    """
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {"Error": error_schema()}
    for endpoint in ENDPOINTS:
        paths.setdefault(f"/{endpoint.path}", {})[endpoint.method.lower()] = operation(endpoint)
        in_body = endpoint.method != "GET"
        schemas |= body_schemas(endpoint.request) if in_body else enumerations(endpoint.request)
        schemas |= body_schemas(endpoint.response)
    return {
        "openapi": OPENAPI_VERSION,
        "info": {"title": "MarketingBlocks API", "version": "v1", "description": _DESCRIPTION},
        "servers": [{"url": server_url}],
        "security": [{"accessToken": []}],
        "x-status-outcomes": {
            status: {"write": rule.outcome.value, "reason": rule.reason} for status, rule in STATUS_RULES.items()
        },
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": error_responses(),
            "securitySchemes": {
                "accessToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An access token of the API Tokens page. It carries permissions, and is valid only "
                    "for operations that match them; it may expire.",
                    MARK: Evidence.DOCUMENTED,
                }
            },
        },
    }


def document_json(*, server_url: str = DEFAULT_BASE_URL) -> str:
    """Return ``document()`` as JSON text, indented, ending with a line break.

    Args:
        server_url: the API root that the document names.

    """
    return json.dumps(document(server_url=server_url), indent=2, ensure_ascii=False) + "\n"
