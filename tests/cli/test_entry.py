"""How the command starts: both ways to call it, help texts, completion, usage errors."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pytest
import typer.main

from marketingblocks_async import __version__
from marketingblocks_async.cli import entry
from marketingblocks_async.cli.entry import make_app
from marketingblocks_async.sandbox import Sandbox
from tests.cli.conftest import Command
from tests.support.command import MODULE, SCRIPT, environment, posts_file, process

TREE: Any = typer.main.get_command(make_app())


def commands(group: Any = TREE, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, each in group.commands.items():
        if hasattr(each, "commands"):
            yield from commands(each, *path, name)
        else:
            yield (*path, name), each


PATHS = [path for path, _ in commands()]
EXAMPLES = [
    line
    for _, each in commands()
    for line in (each.epilog or "").split("\n\n")
    # Those two serve until they are stopped.
    if line and "marketingblocks sandbox" not in line and "marketingblocks mcp" not in line
]


def test_the_commands_are_these() -> None:
    assert [" ".join(path) for path in sorted(PATHS)] == [
        "automations create",
        "automations update",
        "bulk plan",
        "bulk recipe list",
        "bulk recipe new",
        "bulk recipe show",
        "bulk report",
        "bulk resume",
        "bulk run",
        "bulk status",
        "channels connect",
        "docs ask",
        "doctor",
        "generate",
        "mcp",
        "openapi",
        "posts create",
        "posts get",
        "posts list",
        "posts upcoming",
        "request",
        "sandbox",
        "schema",
    ]


@pytest.mark.parametrize("start", [SCRIPT, MODULE], ids=["script", "module"])
def test_both_ways_to_start_it(start: list[str], sandbox: Sandbox) -> None:
    del sandbox
    assert process("--version", env=environment(), command=start).out == f"marketingblocks {__version__}\n"
    ran = process("posts", "get", "1", "--json", env=environment(), command=start)
    assert (ran.code, ran.json["error"]["type"]) == (1, "ConfigurationError")


def test_help_texts_have_examples_and_load_no_client() -> None:
    code = (
        "import json, sys\nfrom marketingblocks_async.cli.entry import main\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    sys.argv = ['marketingblocks', *words, '--help']\n"
        "    print('=====', *words, flush=True)\n"
        "    assert main() == 0\n"
        "loaded = {'aiohttp', 'sqlite3', 'openpyxl', 'marketingblocks_async.models'} & sys.modules.keys()\n"
        # Newer parsers of command lines use it themselves.
        "loaded |= {'pydantic'} & sys.modules.keys() if 'typer._adapters' not in sys.modules else set()\n"
        "print('loaded:', sorted(loaded))"
    )
    # These two are programs of their own; the help of the sandbox says what its faults are.
    words = json.dumps([[], *(path for path in PATHS if path not in (("sandbox",), ("openapi",)))])
    ended = subprocess.run([sys.executable, "-c", code, words], capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    assert ended.returncode == 0, ended.stderr
    assert "loaded: []" in ended.stdout
    pages = ended.stdout.split("===== ")
    for page in pages[1:]:
        name = page.splitlines()[0]
        if name:
            assert f"Examples\n  marketingblocks {name}" in page, name
        assert not re.search(r"<bool>|[{}]", page.partition("Examples")[0]), name


def test_every_example_works(
    command: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(EXAMPLES) > 20
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "runs").mkdir()
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.title = "January"
    for line in (["channel_type", "channel_id", "post_type", "Text", "publish_mode", "Notes"],
                 ["facebook", 1, "post", "From a workbook", "now", "-"]):  # fmt: skip
        sheet.append(line)
    book.save(tmp_path / "posts.xlsx")
    posts_file(tmp_path / "posts.csv")
    (tmp_path / "hootsuite.csv").write_text('"03/14/2097 09:05","Spring sale","https://example.com/spring"\n')
    sheet["D1"] = "caption_text"
    sheet.delete_cols(6)
    book.save(tmp_path / "calendar.xlsx")
    post = {"channel_type": "facebook", "channel_id": 1, "caption_text": "From a file"}
    (tmp_path / "post.json").write_text(json.dumps(post))
    for example in EXAMPLES:
        program, *words = shlex.split(example.partition(" > ")[0])
        assert program == "marketingblocks"
        if words[:2] == ["bulk", "run"]:
            (tmp_path / "posts.journal").unlink(missing_ok=True)
            words += [
                "--rate",
                "0",
                *(["--map", "Text=caption_text", "--map", "Notes="] if "posts.xlsx" in words else []),
            ]
        # A shell does so.
        ran = command(*(word.replace("~/", f"{tmp_path}/") if word.startswith("~/") else word for word in words))
        # Posts and automations with these numbers are not there.
        missing = words[:2] in (["posts", "get"], ["automations", "update"]) or "any-path" in example
        assert ran.code == (2 if missing else 0), (example, ran)
    assert sandbox.ledger.carried_out_at("create-post") == 3 + 4


def test_completion_prints_something(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    # It is looked at when the commands are made.
    monkeypatch.setattr(entry, "make_app", make_app)
    ran = command("--show-completion", "bash")
    assert ran.code == 0
    assert "_MARKETINGBLOCKS_COMPLETE" in ran.out


def test_a_shell_is_told_what_comes_next() -> None:
    variables = {"_MARKETINGBLOCKS_COMPLETE": "complete_bash", "COMP_WORDS": "marketingblocks bulk ", "COMP_CWORD": "2"}
    ran = process(env=environment(None, **variables), command=SCRIPT)
    assert ran.out.split() == ["plan", "run", "resume", "status", "report", "recipe"]


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["posts", "nonsense"],
        ["posts", "list"],
        ["bulk", "run"],
        ["bulk", "plan", "posts.csv", "--rate", "-1"],
        ["bulk", "plan", "posts.csv", "--rate", "many"],
        ["bulk", "run", "posts.csv", "--journal", "j", "--unknown", "guess"],
        ["bulk", "run", "posts.csv", "--journal", "j", "--max-failures", "0"],
        ["posts", "get", "1", "--token", "secret"],
        ["posts", "get", "1", "\udcff"],
        ["--\x1b[31m"],
    ],
)
def test_usage_errors_are_a_panel_or_json(command: Command, words: list[str]) -> None:
    ran = command(*words)
    assert (ran.code, ran.out) == (1, "")
    assert "Usage" in ran.err
    assert "\x1b" not in ran.err
    as_json = command(*words, "--json")
    assert as_json.code == 1
    assert as_json.json["error"]["type"] == "UsageError"


def test_a_mistake_is_answered_with_what_was_meant(command: Command) -> None:
    assert "Did you mean 'posts'?" in command("post").words
    assert "See: marketingblocks bulk status" in command("bulk", "status").words


def test_without_a_command_it_shows_its_help(command: Command) -> None:
    for words in ([], ["bulk"], ["posts"]):
        ran = command(*words)
        assert ran.code == 1
        assert "Usage: marketingblocks" in ran.out + ran.err


def test_it_says_what_is_missing_to_run() -> None:
    code = "import sys; sys.modules['typer'] = None; from marketingblocks_async.cli.entry import main; sys.exit(main())"
    ran = process("-c", code, command=[sys.executable], env=environment())
    assert (ran.code, ran.out) == (1, "")
    assert "marketingblocks-async[cli]" in ran.err
