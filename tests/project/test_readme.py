"""The README is short, its snippets run, and its links lead somewhere."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from marketingblocks_async.sandbox import Sandbox
from tests.support.tools import need

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SNIPPETS: list[str] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=[f"snippet {number}" for number in range(1, len(SNIPPETS) + 1)])
async def test_a_snippet_runs(snippet: str, tmp_path: Path) -> None:
    if "fastapi" in snippet:
        need("FastAPI", present=find_spec("fastapi") is not None)
    async with Sandbox() as sandbox:
        variables = {"MARKETINGBLOCKS_API_TOKEN": sandbox.token, "MARKETINGBLOCKS_BASE_URL": sandbox.base_url}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-W",
            "error",
            "-c",
            snippet,
            env=os.environ | variables,
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()


def test_there_are_snippets() -> None:
    assert len(SNIPPETS) >= 5


def test_the_readme_is_short() -> None:
    assert len(README.encode()) <= 9000


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
