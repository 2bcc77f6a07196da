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
from tests.project.test_skill import SKILL
from tests.support.redis_server import private_redis
from tests.support.tools import need
from tools.generated_pages import PAGES as GENERATED

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
README = ROOT / "README.md"
TEXTS = {page: page.read_text(encoding="utf-8") for page in (README, *PAGES)}
WITH_SNIPPETS = [page for page in TEXTS if snippets(page)]
NEEDS = {"REDIS_URL": "Redis", "from fastapi": "FastAPI", "from mcp import": "The dependency group 'agents'"}


def name_of(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


def needed_by(page: Path) -> str:
    code = "\n".join(code for _, code in snippets(page))
    return next((need for word, need in NEEDS.items() if word in code), "nothing else")


@pytest.mark.parametrize("needed", ["nothing else", *NEEDS.values()])
async def test_the_snippets_run(needed: str, tmp_path: Path) -> None:
    need(needed, present=needed != "FastAPI" or find_spec("fastapi") is not None)
    need(needed, present="agents" not in needed or find_spec("mcp") is not None)
    pages = [str(page) for page in WITH_SNIPPETS if needed_by(page) == needed]
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(Sandbox(generation_seconds=0.05))
        variables = {
            "MARKETINGBLOCKS_API_TOKEN": sandbox.token,
            "MARKETINGBLOCKS_BASE_URL": sandbox.base_url,
            "PYTHONWARNINGS": "error",
        }
        if needed == "Redis":
            variables["REDIS_URL"] = (await stack.enter_async_context(private_redis(durable=True))).url
        run_page = str(Path(__file__).with_name("run_page.py"))
        status, output = await run(variables, run_page, str(tmp_path), *pages, folder=tmp_path)
        assert status == 0, output
    if needed == "nothing else":
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


def test_the_readme_is_short_and_has_snippets() -> None:
    assert len(README.read_bytes()) <= 9000
    assert len(snippets(README)) >= 4


def test_no_time_in_what_is_copied_will_be_past_soon() -> None:
    # The API may publish at once what is scheduled in the past, so the command line and bulk runs refuse it.
    texts = TEXTS | {page: page.read_text(encoding="utf-8") for page in (SKILL, *(ROOT / "examples").rglob("*.py"))}
    for page, text in texts.items():
        found = re.findall(r"\b20[2-8]\d-\d\d-\d\d[ T]\d\d:\d\d|datetime\(\s*20[2-8]\d,[^)]*", text)
        assert found == [], f"{page}: reckon from the present, or write the year 2099"


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
    for page, text in TEXTS.items():
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), (page, target)


def test_code_fits_its_box() -> None:
    # At 1280 px, with both side bars.
    for page, text in TEXTS.items():
        for code in re.findall(r"^```\w+\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            assert [line for line in code.splitlines() if len(line) > 88] == [], page


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
    parameters = {name: each for name, each in inspect.signature(function).parameters.items() if name != "_"}
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
