"""Everything that ``--json`` prints is described, and the descriptions are true."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from jsonschema import Draft202012Validator

from marketingblocks_async.cli.entry import make_app
from marketingblocks_async.cli.schemas import ANSWERS, output_schemas
from marketingblocks_async.sandbox import Sandbox, serving
from tests.cli.conftest import Command
from tests.support.command import HEADER, environment, process

SCHEMAS = output_schemas()

OUTPUTS = set(SCHEMAS) - {"check", "error", "progress", "note"}


def problems(name: str, value: Any) -> list[str]:
    """Return how a value differs from its schema.

    A field that the schema does not know is a difference, but for answers of the API, which may have more than is
    documented.
    """
    schema: Any = SCHEMAS[name]
    if name not in ANSWERS:
        schema = json.loads(json.dumps(schema), object_hook=_closed)
    # Their signature is partial.
    found = Draft202012Validator(schema).iter_errors(value)  # pyright: ignore[reportUnknownMemberType]
    return [error.message for error in found]


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    return {"additionalProperties": False} | schema if "properties" in schema else schema


def commands(group: Any, *path: str) -> set[str]:
    if not hasattr(group, "commands"):
        return {" ".join(path)}
    return {found for name, each in group.commands.items() for found in commands(each, *path, name)}


def test_every_command_is_described() -> None:
    # It speaks a protocol of its own.
    assert commands(typer.main.get_command(make_app())) - {"mcp"} == OUTPUTS


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"facebook,1,post,Post {number},,now" for number in range(5)]
    Path("posts.csv").write_text("\n".join([HEADER, *rows, rows[0], ""]), encoding="utf-8")
    Path("bad.csv").write_text(f"{HEADER}\nmyspace,1,post,Text,,now\n", encoding="utf-8")


# A line of the command, and its exit code.
LINES = {
    "posts create --channel-type facebook --channel-id 1 --caption-text Hello": 0,
    "posts get 1": 0,
    "posts list --channel facebook": 0,
    "posts upcoming": 0,
    "generate flowers": 0,
    "channels connect u": 0,
    "automations create --name a --channel 1": 0,
    "automations update 1 --name b": 0,
    "request GET social-sparks/upcoming-posts": 0,
    "docs ask When?": 0,
    "bulk plan posts.csv": 0,
    "bulk plan bad.csv": 2,
    "bulk run posts.csv --journal j --allow-duplicates": 0,
    "bulk resume j": 0,
    "bulk status j": 0,
    "bulk report j": 0,
    "bulk recipe list": 0,
    "bulk recipe show hootsuite": 0,
    "bulk recipe new posts.csv": 0,
    "doctor": 0,
    "openapi": 0,
    "schema": 0,
}


@pytest.mark.usefixtures("files", "sandbox")
def test_outputs_are_as_described(command: Command) -> None:
    described: set[str] = set()
    for words, code in LINES.items():
        ran = command(*words.split(), "--json")
        assert ran.code == code, ran
        name = max((name for name in OUTPUTS if words.startswith(name)), key=len)
        assert not problems(name, ran.json), words
        described.add(name)
    assert described == OUTPUTS - {"sandbox"}


def test_the_sandbox_describes_itself(command: Command, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def announce_at_once(_settings: object, announce: Callable[[Sandbox], None]) -> None:
        announce(sandbox)

    monkeypatch.setattr(serving, "run", announce_at_once)
    ran = command("sandbox", "--json")
    assert not problems("sandbox", ran.json)
    assert ran.json["tokens"] == {"default": sandbox.token}
    assert command("schema", "sandbox").code == 0


def test_the_schema_of_mcp_is_refused_in_the_right_words(command: Command) -> None:
    ran = command("schema", "mcp")
    assert ran.code == 1
    assert "mcp speaks the Model Context Protocol" in ran.words


@pytest.mark.usefixtures("files", "sandbox")
def test_errors_are_as_described(command: Command) -> None:
    for words in ("posts get 99", "bulk run bad.csv --journal j", "bulk status missing", "posts create", "schema x"):
        assert not problems("error", command(*words.split(), "--json").json), words


def test_the_doctor_tells_each_check_when_it_is_made(sandbox: Sandbox) -> None:
    ran = process("doctor", "--json", env=environment(sandbox))
    lines = [json.loads(line) for line in ran.err.splitlines()]
    assert [line["check"] for line in lines] == ran.json["checks"]
    assert not [problem for line in lines for problem in problems("check", line)]


@pytest.mark.usefixtures("files")
def test_progress_is_a_line_of_json_each_second(sandbox: Sandbox) -> None:
    rows = [f"facebook,1,post,Post {number},,now" for number in range(50)]
    Path("many.csv").write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    words = ["bulk", "run", "many.csv", "--journal", "many", "--limit", "20", "--json"]
    ran = process(*words, env=environment(sandbox))
    assert not problems("bulk run", ran.json)
    lines = [json.loads(line) for line in ran.err.splitlines()]
    assert any("progress" in line for line in lines)
    for line in lines:
        assert not problems("progress" if "progress" in line else "note", line)
