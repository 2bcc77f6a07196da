"""Which tools there are, what they cost, and that what they say of themselves is true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp import Client

from marketingblocks_async import ENDPOINTS, ConfigurationError
from marketingblocks_async.mcp.tools import ASK, CREATE_MANY, INSTRUCTIONS, KEY_FIELD, all_tools, choose_tools
from marketingblocks_async.models import CreatePost
from marketingblocks_async.sandbox import Sandbox
from tests.support.mcp import POST, call, connected

TOOLS = {spec.name: spec for spec in all_tools()}

THREAD: dict[str, Any] = POST | {
    "channel_type": "twitter",
    "post_type": "thread",
    "twitter_threads": [{"message": "1"}],
}
YOUTUBE: dict[str, Any] = POST | {"channel_type": "youtube", "post_extra": {"title": "T", "privacy_status": "public"}}
SCHEDULED: dict[str, Any] = POST | {
    "publish_mode": "scheduled",
    "schedule_time": "2099-01-08 14:30",
    "time_zone": "Africa/Lagos",
}


def problems(schema: dict[str, Any], value: Any) -> list[str]:
    # Their signature is partial.
    found = Draft202012Validator(schema).iter_errors(value)  # pyright: ignore[reportUnknownMemberType]
    return [error.message for error in found]


def test_ten_tools_at_most_and_one_for_every_endpoint() -> None:
    assert len(TOOLS) <= 10
    assert {spec.endpoint for spec in TOOLS.values() if spec.endpoint} == {endpoint.name for endpoint in ENDPOINTS}
    assert {CREATE_MANY, ASK} <= TOOLS.keys()


def test_list_and_instructions_cost_less_than_3000_tokens() -> None:
    tools = [spec.tool.model_dump(by_alias=True, exclude_none=True, mode="json") for spec in TOOLS.values()]
    text = json.dumps(tools, separators=(",", ":")) + INSTRUCTIONS
    # Four characters a token is a rule of thumb; docs/guides/agents.md has what tokenizers count.
    assert len(text) / 4 <= 3000


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_annotations_say_what_the_endpoint_does(endpoint: Any) -> None:
    spec = TOOLS[endpoint.name.replace("-", "_")]
    annotations = spec.tool.annotations
    assert annotations is not None
    assert annotations.read_only_hint is (endpoint.method == "GET")
    assert annotations.open_world_hint is True
    if endpoint.method != "GET":
        # Only a change of something that exists can destroy; the journal makes every write idempotent.
        assert annotations.destructive_hint is (endpoint.method == "PUT")
        assert annotations.idempotent_hint is True


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_schemas_name_every_field_of_the_request(endpoint: Any) -> None:
    schema = TOOLS[endpoint.name.replace("-", "_")].tool.input_schema
    Draft202012Validator.check_schema(schema)
    assert set(schema.get("properties", {})) - {KEY_FIELD} == set(endpoint.request.model_fields)
    required = {name for name, field in endpoint.request.model_fields.items() if field.is_required()}
    assert set(schema.get("required", [])) == required


@pytest.mark.parametrize(
    "arguments", [POST, THREAD, YOUTUBE, SCHEDULED], ids=["post", "thread", "youtube", "scheduled"]
)
def test_what_the_schema_admits_makes_a_post(arguments: dict[str, Any]) -> None:
    assert not problems(TOOLS["create_post"].tool.input_schema, arguments)
    CreatePost.model_validate(arguments)


@pytest.mark.parametrize("tool", ["get_posts", "upcoming_posts"])
def test_the_schema_says_that_limits_are_above_zero(tool: str) -> None:
    schema = TOOLS[tool].tool.input_schema
    assert problems(schema, {"channels": ["facebook"], "limit": 0} if tool == "get_posts" else {"limit": 0})
    assert not problems(schema, {"channels": ["facebook"], "limit": 1} if tool == "get_posts" else {"limit": 1})


def test_read_only_leaves_what_changes_nothing() -> None:
    names = {spec.name for spec in choose_tools(None, read_only=True)}
    assert names == {"find_post", "get_posts", "upcoming_posts", ASK}


def test_tools_can_be_chosen() -> None:
    assert [spec.name for spec in choose_tools(["create_post", "find_post"], read_only=True)] == ["find_post"]


@pytest.mark.parametrize(("names", "word"), [(["create_posts"], "no such tool"), (["create_post"], "read-only")])
def test_a_choice_that_cannot_be_meant_is_refused(names: list[str], word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        choose_tools(names, read_only=True)


def test_an_empty_choice_is_refused_as_such() -> None:
    with pytest.raises(ConfigurationError, match="no tool is named"):
        choose_tools([], read_only=False)


async def test_a_tool_that_is_not_offered_is_not_called(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, connected(sandbox, tmp_path, read_only=True) as (client, _):
        answer = await client.call_tool("create_post", POST)
        assert answer.is_error
        assert answer.structured_content is not None
        assert answer.structured_content["outcome"] == "refused"
        assert not sandbox.posts


async def test_results_match_the_output_schema_and_their_text(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, connected(sandbox, tmp_path) as (client, _):
        for tool, arguments in (
            ("create_post", POST),
            ("create_post", {}),
            ("find_post", {"post_id": 1}),
            ("find_post", {"post_id": 99}),
            ("get_posts", {"channels": ["facebook"]}),
            ("upcoming_posts", {}),
            (ASK, {"question": "How long do tokens live?"}),
            (CREATE_MANY, {"action": "plan", "posts": [POST]}),
            (CREATE_MANY, {"action": "run"}),
        ):
            await _check_result(client, tool, arguments)


async def _check_result(client: Client, tool: str, arguments: dict[str, Any]) -> None:
    answer = await client.call_tool(tool, arguments)
    schema = TOOLS[tool].tool.output_schema
    assert schema is not None
    assert not problems(schema | {"additionalProperties": False}, answer.structured_content)
    (text,) = answer.content
    assert text.type == "text"
    assert json.loads(text.text) == answer.structured_content


@pytest.mark.parametrize(
    ("settings", "tool", "words"),
    [
        ({"read_only": True}, "create_post", "only reads (--read-only), so create_post"),
        ({"tools": ["find_post"]}, "get_posts", "does not offer get_posts (--tools)"),
        ({"read_only": True}, "publish", "There is no such tool"),
    ],
)
async def test_a_tool_that_is_not_offered_is_told_with_the_reason(
    tmp_path: Path, settings: dict[str, Any], tool: str, words: str
) -> None:
    async with Sandbox() as sandbox, connected(sandbox, tmp_path, **settings) as (client, _):
        found = await call(client, tool, POST)
    assert found["outcome"] == "refused"
    assert words in found["what_to_do"]
