"""The OpenAPI document is valid, says how sure it is of everything, and describes what the client sends."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import openapi_spec_validator
import pytest

from marketingblocks_async import CreateCommentAutomation, CreatePost, TwitterThreadItem, YouTubeExtra
from marketingblocks_async.cli.entry import main as cli
from marketingblocks_async.endpoints import DEFAULT_BASE_URL, ENDPOINTS
from marketingblocks_async.errors import STATUS_RULES
from marketingblocks_async.models.base import is_array, is_object
from marketingblocks_async.openapi import Evidence, document, document_json, reference_table

REFERENCE_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "operations.md"

POST: dict[str, Any] = {
    "channel_type": "facebook",
    "channel_id": 1,
    "post_type": "post",
    "caption_text": "Hello",
    "media_urls": [],
    "publish_mode": "now",
}


WHOLE = document()


def errors_of(schema: str, value: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{schema}", **WHOLE})
    # Their signature is partial.
    return [error.message for error in validator.iter_errors(value)]  # pyright: ignore[reportUnknownMemberType]


def objects(value: Any) -> Iterator[dict[str, Any]]:
    if is_object(value):
        yield value
    for item in value.values() if is_object(value) else value if is_array(value) else ():
        yield from objects(item)


def test_it_says_what_each_status_means_for_a_write() -> None:
    rules = WHOLE["x-status-outcomes"]
    assert {status: (rule["write"], rule["reason"]) for status, rule in rules.items()} == {
        status: (rule.outcome.value, rule.reason) for status, rule in STATUS_RULES.items()
    }


def test_it_is_valid_openapi_3_1() -> None:
    openapi_spec_validator.validate(WHOLE)  # pyright: ignore[reportUnknownMemberType] - their signature is partial
    assert WHOLE["openapi"].startswith("3.1")


def test_it_has_the_endpoints_and_nothing_else() -> None:
    found = {
        (method.upper(), path.removeprefix("/"), operation["operationId"], operation["x-permission"])
        for path, methods in WHOLE["paths"].items()
        for method, operation in methods.items()
    }
    assert found == {(e.method, e.path, e.name, e.permission) for e in ENDPOINTS}
    assert WHOLE["servers"] == [{"url": DEFAULT_BASE_URL}]


def test_every_operation_parameter_answer_and_field_says_how_sure_it_is() -> None:
    marked: list[dict[str, Any]] = [*WHOLE["components"]["responses"].values()]
    for methods in WHOLE["paths"].values():
        for operation in methods.values():
            marked += [operation, operation["responses"]["200"], *operation.get("parameters", [])]
            marked += [operation["requestBody"]] if "requestBody" in operation else []
    for schema in WHOLE["components"]["schemas"].values():
        marked += schema["properties"].values() if "properties" in schema else [schema]
    assert len(marked) > 60
    assert {str(each.get("x-evidence")) for each in marked} == {*Evidence}


def test_what_is_not_documented_is_not_said_to_be() -> None:
    answers = {
        operation["operationId"]: operation["responses"]["200"]["x-evidence"]
        for methods in WHOLE["paths"].values()
        for operation in methods.values()
    }
    unknown = {name for name, evidence in answers.items() if evidence == "unknown"}
    assert unknown == {"create-post", "get-posts", "create-comment-automation", "update-comment-automation"}
    schemas = WHOLE["components"]["schemas"]
    assert schemas["CreateGeneration"]["properties"]["brand_id"]["x-evidence"] == "inferred"
    assert WHOLE["components"]["responses"]["422"]["x-evidence"] == "inferred"


def test_every_field_is_described() -> None:
    schemas = WHOLE["components"]["schemas"]
    silent = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, value in schema.get("properties", {}).items()
        if not value.get("description") and name != "Error"
    ]
    assert silent == []
    assert "``" not in document_json()


def test_no_description_promises_for_the_api_what_only_the_client_does() -> None:
    post = WHOLE["components"]["schemas"]["CreatePost"]
    for text in (post["description"], *(field["description"] for field in post["properties"].values())):
        for word in ("datetime", "offset", "ISO 8601", "Warn", "Error", " list of tags"):
            assert word not in text


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"publish_mode": "scheduled", "schedule_time": "2028-02-29 23:59", "time_zone": "UTC"},
        {"channel_type": "youtube", "post_extra": YouTubeExtra(title="A film", category=44), "hash_tags": "a b"},
        {"post_type": "thread", "twitter_threads": [TwitterThreadItem(message="one")]},
    ],
)
def test_what_the_client_sends_fits(changes: dict[str, Any]) -> None:
    assert errors_of("CreatePost", CreatePost.model_validate(POST | changes).wire()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"channel_type": "myspace"},
        {"channel_id": "1"},
        {"publish_mode": "scheduled"},
        {"publish_mode": "scheduled", "schedule_time": "2027-02-29 10:00", "time_zone": "UTC"},
        {"publish_mode": "scheduled", "schedule_time": "2027-1-1 9:00", "time_zone": "UTC"},
        {"publish_mode": "scheduled", "schedule_time": None, "time_zone": "UTC"},
        {"post_type": "thread"},
        {"channel_type": "youtube", "post_extra": {"category": 1}},
    ],
)
def test_what_the_documentation_rules_out_does_not_fit(changes: dict[str, Any]) -> None:
    assert errors_of("CreatePost", POST | changes) != []


def test_a_condition_of_an_automation_is_kept() -> None:
    bot = CreateCommentAutomation(name="bot", channels=[1], trigger_type="keywords", keywords=["price"])
    assert errors_of("CreateCommentAutomation", bot.wire()) == []
    assert errors_of("CreateCommentAutomation", bot.wire() | {"keywords": None}) != []
    # Further fields exist, and their names are not documented.
    assert errors_of("CreateCommentAutomation", bot.wire() | {"reply_after": 5}) == []


def test_the_examples_fit_their_schemas() -> None:
    contents = [each for each in objects(WHOLE["paths"]) if "example" in each]
    assert len(contents) == 2
    for content in contents:
        assert errors_of(content["schema"]["$ref"].rpartition("/")[2], content["example"]) == []


def test_two_documents_are_independent() -> None:
    first = document()
    first["paths"].clear()
    assert document()["paths"]


def test_every_reference_leads_somewhere() -> None:
    for each in objects(WHOLE):
        if (target := each.get("$ref")) is not None:
            place: Any = WHOLE
            for step in re.split("/", target)[1:]:
                place = place[step]


def test_the_command_prints_it(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    def printed(*words: str) -> bytes:
        monkeypatch.setattr(sys, "argv", ["marketingblocks", "openapi", *words])
        assert cli() == 0
        return capfdbinary.readouterr().out

    assert json.loads(printed()) == WHOLE
    assert json.loads(printed("--base-url", "http://127.0.0.1")) == document(server_url="http://127.0.0.1")
    assert json.loads(line := printed("--json")) == WHOLE
    assert line.count(b"\n") == 1
    assert printed("--table").decode() == reference_table()


def test_the_reference_of_the_documentation_has_the_endpoint_table() -> None:
    assert reference_table() in REFERENCE_PAGE.read_text(encoding="utf-8")
