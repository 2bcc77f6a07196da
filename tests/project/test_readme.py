"""The README's snippets run, and its tables say what is true."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import marketingblocks_async
from marketingblocks_async import MarketingBlocks, MarketingBlocksError, RateLimit, RetryPolicy
from marketingblocks_async.sandbox import Sandbox
from tests.support.redis_server import private_redis

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SNIPPETS: list[str] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=[f"snippet {number}" for number in range(1, len(SNIPPETS) + 1)])
async def test_a_snippet_runs(snippet: str, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(Sandbox())
        variables = {"MARKETINGBLOCKS_API_TOKEN": sandbox.token, "MARKETINGBLOCKS_BASE_URL": sandbox.base_url}
        if "REDIS_URL" in snippet:
            variables["REDIS_URL"] = (await stack.enter_async_context(private_redis())).url
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


def test_the_settings_table_has_every_setting() -> None:
    settings = set(inspect.signature(MarketingBlocks).parameters) - {"docs_url"}
    table = README.split("## Settings")[1].split("##")[0]
    assert {name for name in settings if f"`{name}`" not in table} == set()


def test_the_settings_table_has_the_defaults() -> None:
    for settings in (RateLimit(), RetryPolicy()):
        assert f"`{settings!r}`" in README


def test_the_error_table_has_every_error() -> None:
    errors = {
        name
        for name in marketingblocks_async.__all__
        if isinstance(value := getattr(marketingblocks_async, name), type) and issubclass(value, MarketingBlocksError)
    }
    table = README.split("## Errors")[1].split("##")[0]
    assert {name for name in errors - {"CallError"} if f"`{name}`" not in table} == set()
