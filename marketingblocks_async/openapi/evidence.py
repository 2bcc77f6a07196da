"""The evidence for each statement of the OpenAPI document: documented by the vendor, inferred, or not known.

What is not listed here is documented. The lists follow ``docs/reference/evidence.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from marketingblocks_async.models import UndocumentedResponse

MARK = "x-evidence"
"""The extension that holds an ``Evidence``."""


class Evidence(StrEnum):
    """The source of a statement.

    ``documented``: the vendor's documentation says so. ``inferred``: it follows from examples or from what is usual.
    ``unknown``: the documentation is silent, so anything is possible.
    """

    DOCUMENTED = "documented"
    INFERRED = "inferred"
    UNKNOWN = "unknown"


_FIELDS: Mapping[tuple[str, str], Evidence] = MappingProxyType(
    {
        ("CreateGeneration", "brand_id"): Evidence.INFERRED,
        # The names are documented, the types and whether they are there at once are not.
        ("ChannelConnection", "connect_url"): Evidence.INFERRED,
        ("ChannelConnection", "connect_token"): Evidence.INFERRED,
        ("ChannelConnection", "channel_id"): Evidence.UNKNOWN,
        ("ChannelConnection", "channel_ids"): Evidence.UNKNOWN,
        ("Post", "schedule_time"): Evidence.UNKNOWN,
        ("Generation", "request_body"): Evidence.DOCUMENTED,
    }
)

STATUSES: Mapping[str, tuple[str, Evidence]] = MappingProxyType(
    {
        "400": ("The request makes no sense.", Evidence.DOCUMENTED),
        "401": ("The access token is missing, expired or invalid, or lacks the permission.", Evidence.DOCUMENTED),
        "403": ("The access token lacks the permission.", Evidence.DOCUMENTED),
        "404": ("There is nothing at this path or of this id.", Evidence.INFERRED),
        "422": ("A field is missing or wrong.", Evidence.INFERRED),
        "429": ("More than 100 requests of the token in a second.", Evidence.DOCUMENTED),
    }
)
"""Meanings of error statuses. That 400, 401, 403 and 429 exist is documented, but not when each of them comes."""

DOCUMENTED_TYPES: Mapping[tuple[str, str], Mapping[str, Any]] = MappingProxyType(
    {
        ("Post", "post_id"): {"type": "integer"},
        ("Post", "channel_id"): {"type": "string"},
        ("Post", "permalink"): {"type": ["string", "null"]},
        ("FoundPost", "status"): {"type": "boolean"},
        ("UpcomingPosts", "up_coming"): {"type": "array", "items": {"$ref": "#/components/schemas/Post"}},
        ("Generation", "id"): {"type": "string"},
        ("Generation", "message"): {"type": "string"},
        ("Generation", "request_body"): {"type": "object"},
        # The models know the documented ids by name; every other one is accepted too.
        ("YouTubeExtra", "category"): {"type": "integer"},
    }
)
"""Types where the documentation is narrower than the models of the package, which accept more."""


def of_field(model: str, field: str) -> Evidence:
    """Return how sure a field of a model is, both by their names in the schema."""
    return _FIELDS.get((model, field), Evidence.DOCUMENTED)


def of_answer(response: type[BaseModel]) -> Evidence:
    """Return how sure the answer of an operation is."""
    return Evidence.UNKNOWN if issubclass(response, UndocumentedResponse) else Evidence.DOCUMENTED
