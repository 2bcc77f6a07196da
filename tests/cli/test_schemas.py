"""Everything that ``--json`` prints is described, and the descriptions are true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from jsonschema import Draft202012Validator

from marketingblocks_async.cli.entry import make_app
from marketingblocks_async.cli.schemas import output_schemas
from marketingblocks_async.sandbox import Sandbox
from tests.cli.conftest import Command
from tests.support.command import HEADER, environment, process

SCHEMAS = output_schemas()

# They serve until they are stopped.
SERVERS = {"mcp", "sandbox"}


def problems(name: str, value: Any) -> list[str]:
    """Return how a value differs from its schema, with a field that the schema does not know as a difference."""
    closed: Any = json.loads(json.dumps(SCHEMAS[name]), object_hook=_closed)
    # Their signature is partial.
    found = Draft202012Validator(closed).iter_errors(value)  # pyright: ignore[reportUnknownMemberType]
    return [error.message for error in found]


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    return {"additionalProperties": False} | schema if "properties" in schema else schema


def commands(group: Any, *path: str) -> set[str]:
    if not hasattr(group, "commands"):
        return {" ".join(path)}
    return {found for name, each in group.commands.items() for found in commands(each, *path, name)}


def test_every_command_is_described() -> None:
    names = commands(typer.main.get_command(make_app())) - SERVERS
    assert set(SCHEMAS) - {"check", "error", "progress", "note"} == names


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"facebook,1,post,Post {number},,now" for number in range(5)]
    Path("posts.csv").write_text("\n".join([HEADER, *rows, rows[0], ""]), encoding="utf-8")
    Path("bad.csv").write_text(f"{HEADER}\nmyspace,1,post,Text,,now\n", encoding="utf-8")


@pytest.mark.usefixtures("files", "sandbox")
def test_outputs_are_as_described(command: Command) -> None:
    for words in (
        "posts create --channel-type facebook --channel-id 1 --caption-text Hello",
        "posts get 1",
        "posts list --channel facebook",
        "posts upcoming",
        "generate flowers",
        "channels connect --user-id u",
        "automations create --name a --channel 1",
        "automations update 1 --name b",
        "request GET social-sparks/upcoming-posts",
        "bulk plan posts.csv",
        "bulk plan bad.csv",
        "bulk run posts.csv --journal j --allow-duplicates",
        "bulk resume j",
        "bulk status j",
        "bulk report j",
        "bulk recipe list",
        "bulk recipe show hootsuite",
        "bulk recipe new posts.csv",
        "doctor",
        "openapi",
        "schema",
    ):
        ran = command(*words.split(), "--json")
        name = max((name for name in SCHEMAS if words.startswith(name)), key=len)
        # Answers of the API may have more fields than are documented.
        if name in ("openapi", "schema") or name.split()[0] in ("posts", "generate", "channels", "automations"):
            continue
        assert not problems(name, ran.json), words


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
