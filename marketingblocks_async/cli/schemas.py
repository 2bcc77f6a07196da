"""Describe what the commands print with ``--json``, as JSON Schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter

from marketingblocks_async.bulk import (
    BulkProgress,
    BulkReport,
    ChannelCount,
    Counts,
    Reconciliation,
    RowError,
    ScheduledRow,
    SentEarlier,
    SourceInfo,
)
from marketingblocks_async.bulk.plan import DuplicateGroup, Fault, RowWarning
from marketingblocks_async.endpoints import ENDPOINTS

ANSWERS = {
    "posts create": "create-post",
    "posts get": "find-post",
    "posts list": "get-posts",
    "posts upcoming": "upcoming-posts",
    "generate": "create-post-generation",
    "channels connect": "connect-channel",
    "automations create": "create-comment-automation",
    "automations update": "update-comment-automation",
}
"""Commands that print the API's response, and its operation."""


@dataclass(frozen=True)
class ResultOutput(Counts):
    """The result of a bulk run."""

    ending: str
    reason: str | None
    seconds: float
    sent: int
    reconciliation: Reconciliation
    journal: str


@dataclass
class NoteOutput:
    """A line of the standard error."""

    note: str


@dataclass(frozen=True)
class StatusOutput(Counts):
    """How far a journal's run is."""

    in_flight: int
    state: str
    damage: str | None


@dataclass
class DuplicatesOutput:
    """Rows that are the same post."""

    rows: int
    groups: int
    listed: list[DuplicateGroup]


@dataclass
class ScheduleOutput:
    """When the rows go out."""

    past: int
    past_rows: list[int]
    first: ScheduledRow | None
    last: ScheduledRow | None


@dataclass
class PlanOutput:
    """What sending a file would do, and everything that is wrong with it."""

    source_rows: int
    rows: int
    valid: int
    invalid: int
    complete: bool
    error_count: int
    errors: list[RowError]
    faults: list[Fault]
    warning_count: int
    warnings: list[RowWarning]
    file: SourceInfo
    channels: list[ChannelCount]
    other_channel_rows: int
    permissions: list[str]
    duplicates: DuplicatesOutput
    sent_earlier: list[SentEarlier]
    schedule: ScheduleOutput
    rate: float | None
    estimated_seconds: float | None


@dataclass
class ErrorValues:
    """Why a command failed, and what to do."""

    type: str
    message: str
    attempts: int = 0
    status_code: int = 0
    plan: PlanOutput | None = None


@dataclass
class ErrorOutput:
    """What every command prints when it fails."""

    error: ErrorValues


@dataclass
class CheckOutput:
    """One check of the doctor."""

    name: str
    status: str
    detail: str


@dataclass
class FoundOutput:
    """A line of the standard error."""

    check: CheckOutput


@dataclass
class DoctorOutput:
    """The doctor's findings."""

    ok: bool
    checks: list[CheckOutput]
    versions: dict[str, str]


@dataclass
class AnswerOutput:
    """The documentation's answer."""

    question: str
    page: str | None
    answer: str


@dataclass
class RecipeOutput:
    """A recipe for files of one format."""

    name: str
    title: str
    origin: str
    format_seen: str
    notes: Any


@dataclass
class ShownRecipeOutput:
    """A recipe as TOML."""

    name: str
    title: str
    format_seen: str
    toml: str


@dataclass
class NewRecipeOutput:
    """A recipe that was made from a file."""

    toml: str
    unknown_columns: list[str]
    file: str | None


@dataclass
class SandboxOutput:
    """Where the sandbox listens, and its tokens by their names."""

    base_url: str
    docs_url: str
    control_url: str
    page_url: str
    token: str
    tokens: dict[str, str]
    pid: int


_OUTPUTS: dict[str, Any] = {
    "bulk plan": PlanOutput,
    "bulk run": ResultOutput,
    "bulk resume": ResultOutput,
    "bulk status": StatusOutput,
    "bulk recipe list": list[RecipeOutput],
    "bulk recipe show": ShownRecipeOutput,
    "bulk recipe new": NewRecipeOutput,
    "doctor": DoctorOutput,
    "docs ask": AnswerOutput,
    "sandbox": SandboxOutput,
    # Any JSON value of the API; an OpenAPI 3.1 document; these schemas.
    "request": Any,
    "openapi": dict[str, Any],
    "schema": dict[str, Any],
    "note": NoteOutput,
    "check": FoundOutput,
}


def output_schemas() -> dict[str, dict[str, Any]]:
    """Return the schema of each command's output by the words of the command."""
    answers: dict[str, type[BaseModel]] = {endpoint.name: endpoint.response for endpoint in ENDPOINTS}
    schemas = {name: answers[operation].model_json_schema(mode="serialization") for name, operation in ANSWERS.items()}
    schemas |= {name: _schema_of(kind) for name, kind in _OUTPUTS.items()}
    # Only some errors have what it gives a default.
    schemas["error"] = _schema_of(ErrorOutput, "validation")
    # The file has its name beside its path.
    source = schemas["bulk plan"]["$defs"]["SourceInfo"]
    source["properties"] = {"name": {"type": "string"}} | source["properties"]
    schemas["error"]["$defs"]["SourceInfo"] = source
    schemas["bulk report"] = _with_counts_at_the_top(BulkReport)
    progress = _with_counts_at_the_top(BulkProgress)
    schemas["progress"] = {"type": "object", "properties": {"progress": progress}, "required": ["progress"]}
    return dict(sorted(schemas.items()))


def _with_counts_at_the_top(kind: type[BulkReport | BulkProgress]) -> dict[str, Any]:
    schema, counts = _schema_of(kind), _schema_of(Counts)
    del schema["properties"]["counts"]
    del schema["$defs"]["Counts"]
    schema["properties"] = counts["properties"] | schema["properties"]
    schema["required"] = counts["required"] + [name for name in schema["required"] if name != "counts"]
    return schema


def _schema_of(kind: Any, mode: Literal["serialization", "validation"] = "serialization") -> dict[str, Any]:
    return TypeAdapter(kind).json_schema(mode=mode)
