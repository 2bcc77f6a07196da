"""The documentation site: every snippet runs, every page is found, everything public is described, and it builds."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import marketingblocks_async
from marketingblocks_async import bulk
from marketingblocks_async.sandbox import Sandbox
from tests.project.run_page import snippets
from tests.support.tools import need

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
WITH_SNIPPETS = [page for page in PAGES if snippets(page)]


def name_of(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


@pytest.mark.parametrize("page", WITH_SNIPPETS, ids=name_of)
async def test_the_snippets_of_a_page_run(page: Path, tmp_path: Path) -> None:
    if any("from mcp import" in code for _, code in snippets(page)):
        need("The dependency group 'agents'", present=find_spec("mcp") is not None)
    async with Sandbox(generation_seconds=0.05) as sandbox:
        variables = {
            "MARKETINGBLOCKS_API_TOKEN": sandbox.token,
            "MARKETINGBLOCKS_BASE_URL": sandbox.base_url,
            "PYTHONWARNINGS": "error",
        }
        status, output = await run(variables, str(Path(__file__).with_name("run_page.py")), str(page), str(tmp_path))
        assert status == 0, output
    if any("def test_" in code for _, code in snippets(page)):
        (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
        words = ("-m", "pytest", "-q", "-W", "error", "-p", "no:schemathesis", "-p", "no:cacheprovider", str(tmp_path))
        status, output = await run({}, *words)
        assert status == 0, output
        assert "passed" in output


async def run(variables: dict[str, str], *words: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *words,
        env=os.environ | variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


def test_there_are_snippets_in_every_guide() -> None:
    assert {page for page in PAGES if page.parent.name == "guides"} <= set(WITH_SNIPPETS)


def pages_of(nav: list[Any]) -> list[str]:
    found: list[str] = []
    for entry in nav:
        for target in entry.values():
            found += [target] if isinstance(target, str) else pages_of(target)
    return found


def test_every_page_is_in_the_navigation() -> None:
    nav = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]
    assert sorted(pages_of(nav)) == sorted(map(name_of, PAGES))


def test_every_link_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).is_file(), (name_of(page), target)


def test_everything_public_is_in_the_reference() -> None:
    reference = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
    described = {name.rpartition(".")[2] for name in re.findall(r"^::: (\S+)", reference, re.MULTILINE)}
    undescribed = set(marketingblocks_async.__all__) - described
    # A table of its own, a former name, a type alias, and a number.
    assert undescribed == {"ENDPOINTS", "HttpAnswer", "Send", "__version__"}
    # The columns of a file, and a type alias.
    assert set(bulk.__all__) - described == {"ColumnMapping", "FLAT_COLUMNS"}


def test_it_builds_without_warnings_and_asks_no_other_host() -> None:
    need("zensical", present=find_spec("zensical") is not None)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - this interpreter
    assert done.returncode == 0, done.stdout + done.stderr
    built = [*(ROOT / "build" / "site").rglob("*.html")]
    assert len(built) > len(PAGES)
    for page in built:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe)[^>]+src=[\"']?(https?:[^\"' >]+)", text)
        loaded += re.findall(r"<link[^>]+rel=[\"']?stylesheet[^>]+href=[\"']?(https?:[^\"' >]+)", text)
        assert loaded == [], page
    client = (ROOT / "build" / "site" / "reference" / "client.html").read_text(encoding="utf-8")
    assert "with_options" in client
    assert "seconds for one attempt" in client
    # What is not Markdown in the docstrings has become it.
    assert ":meth:" not in client
