"""The documentation: snippets run, pages are found, tables are complete, everything public is described, it builds."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import marketingblocks_async
from marketingblocks_async import MarketingBlocks, MarketingBlocksError, RateLimit, RetryPolicy, bulk
from marketingblocks_async.redis import RedisRateLimit
from marketingblocks_async.sandbox import Sandbox
from tests.project.run_page import snippets
from tests.support.redis_server import private_redis
from tests.support.tools import need
from tools.generated_pages import PAGES as GENERATED

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
WITH_SNIPPETS = [page for page in PAGES if snippets(page)]


def name_of(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


@pytest.mark.parametrize("page", WITH_SNIPPETS, ids=name_of)
async def test_the_snippets_of_a_page_run(page: Path, tmp_path: Path) -> None:
    text = "\n".join(code for _, code in snippets(page))
    if "from fastapi" in text:
        need("FastAPI", present=find_spec("fastapi") is not None)
    if "from mcp import" in text:
        need("The dependency group 'agents'", present=find_spec("mcp") is not None)
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(Sandbox(generation_seconds=0.05))
        variables = {
            "MARKETINGBLOCKS_API_TOKEN": sandbox.token,
            "MARKETINGBLOCKS_BASE_URL": sandbox.base_url,
            "PYTHONWARNINGS": "error",
        }
        if "REDIS_URL" in text:
            variables["REDIS_URL"] = (await stack.enter_async_context(private_redis(durable=True))).url
        status, output = await run(
            variables, str(Path(__file__).with_name("run_page.py")), str(page), str(tmp_path), folder=tmp_path
        )
        assert status == 0, output
    if any("def test_" in code for _, code in snippets(page)):
        (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
        words = ("-m", "pytest", "-q", "-W", "error", "-p", "no:schemathesis", "-p", "no:cacheprovider", str(tmp_path))
        status, output = await run({}, *words, folder=tmp_path)
        assert status == 0, output
        assert "passed" in output


async def run(variables: dict[str, str], *words: str, folder: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *words,
        env=os.environ | variables,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


def test_there_are_snippets_in_every_guide() -> None:
    # The layout of a fleet of processes is no code.
    guides = {page for page in PAGES if page.parent.name == "guides"} - {DOCS / "guides" / "fleet.md"}
    assert guides <= set(WITH_SNIPPETS)


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


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_code_fits_its_box(page: Path) -> None:
    # At 1280 px, with both side bars.
    for code in re.findall(r"^```\w+\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        assert [line for line in code.splitlines() if len(line) > 88] == []


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_a_generated_page_is_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == GENERATED[path](), "run: python tools/generated_pages.py"


@pytest.mark.parametrize(
    ("heading", "function"),
    [
        ("MarketingBlocks", MarketingBlocks),
        ("RateLimit", RateLimit),
        ("RetryPolicy", RetryPolicy),
        ("RedisRateLimit", RedisRateLimit),
    ],
)
def test_the_table_of_settings_is_complete(heading: str, function: Callable[..., object]) -> None:
    section = page_section("settings", f"## {heading}\n")
    rows = dict(re.findall(r"^\| (`.*?`) \| (.*?) \|", section, re.MULTILINE))
    named = {name: default for names, default in rows.items() for name in re.findall(r"`(\w+)`", names)}
    parameters = {
        name: each for name, each in inspect.signature(function).parameters.items() if name not in ("docs_url", "_")
    }
    assert set(named) == set(parameters)
    for name, parameter in parameters.items():
        if isinstance(parameter.default, int | float | str):
            shown = f"`{parameter.default!r}`".replace("'", '"')
            assert named[name] in (shown, "as above", "16 MiB"), name


def test_the_errors_are_in_the_tree_and_in_the_table() -> None:
    errors = {
        value.__name__
        for name in marketingblocks_async.__all__
        if isinstance(value := getattr(marketingblocks_async, name), type) and issubclass(value, MarketingBlocksError)
    }
    page = (DOCS / "reference" / "errors.md").read_text(encoding="utf-8")
    tree, table = page.split("```")[1], page.split("```")[2]
    assert set(re.findall(r"(?:^|─ )(\w+Error)\b", tree, re.MULTILINE)) == errors
    assert errors - set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == {"MarketingBlocksError", "CallError"}


def page_section(name: str, heading: str) -> str:
    text = (DOCS / "reference" / f"{name}.md").read_text(encoding="utf-8")
    return text.split(heading)[1].split("\n## ")[0]


def test_everything_public_is_in_the_reference() -> None:
    reference = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
    described = {name.rpartition(".")[2] for name in re.findall(r"^::: (\S+)", reference, re.MULTILINE)}
    undescribed = set(marketingblocks_async.__all__) - described
    # The texts of enumerations are on a page with them.
    texts = {name for name in undescribed if name.endswith("Name")}
    assert all(f"`{name}`" in reference for name in texts)
    # A table of its own, former names, a type alias, and a number.
    assert undescribed - texts == {
        "ENDPOINTS",
        "HttpAnswer",
        "RateLimitedError",
        "Send",
        "ServerError",
        "__version__",
    }
    # The columns of a file, a type alias, and a former name.
    assert set(bulk.__all__) - described == {"ColumnMapping", "FLAT_COLUMNS", "SourceFacts"}


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
