"""The skill for agents that is part of the package: its snippets run, and what it names exists."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import typer

import marketingblocks_async
from marketingblocks_async.cli.entry import make_app
from marketingblocks_async.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
SKILL = Path(marketingblocks_async.__file__).parent / ".agents" / "skills" / "marketingblocks" / "SKILL.md"
TEXT = SKILL.read_text(encoding="utf-8")


async def test_its_snippets_run(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        variables = {"MARKETINGBLOCKS_API_TOKEN": sandbox.token, "MARKETINGBLOCKS_BASE_URL": sandbox.base_url}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", str(Path(__file__).with_name("run_page.py")), str(tmp_path), str(SKILL)),
            env=os.environ | variables,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert TEXT.count("```python") == 3
    # One post, twenty, and one whose answer a sandbox of its own lost.
    assert len(sandbox.posts) == 21


def test_it_begins_with_its_name_and_when_to_use_it() -> None:
    head = re.match(r"---\nname: (.+)\ndescription: (.+)\n---\n", TEXT)
    assert head is not None
    assert head[1] == SKILL.parent.name
    # What hosts show of it.
    assert len(head[2]) <= 1024


def test_its_commands_exist() -> None:
    tree = typer.main.get_command(make_app())
    named = set(re.findall(r"`marketingblocks ([a-z]+)", TEXT))
    assert named
    assert named <= set(getattr(tree, "commands", {}))


def test_it_is_short() -> None:
    # It is read whole, by every agent that opens it.
    assert len(TEXT) / 4 < 2000
