"""The fixtures of the plugin, in runs of pytest with each scope of event loops."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

HEAD = """
import pytest
from marketingblocks_async.testing import assert_published

POST = dict(channel_type="facebook", channel_id=1, post_type="post", media_urls=[], publish_mode="now")
"""
TESTS = """
{mark}
class Test{number}:
    async def test_client_and_sandbox(self, marketingblocks_client, marketingblocks_sandbox):
        await marketingblocks_client.posts.create(**POST, caption_text="Monday")
        assert_published(marketingblocks_sandbox, "Monday")

    @pytest.mark.marketingblocks_sandbox(faults=["slow_answer:delay=300,times=1"])
    @pytest.mark.marketingblocks_client(timeout=600.0)
    async def test_fake_time(self, marketingblocks_client, fake_time):
        await marketingblocks_client.posts.upcoming()
        assert 299 < fake_time.elapsed < 310
"""
SCOPES = ("function", "class", "module", "package", "session")


async def run(folder: Path, marks: Sequence[str], *, tests: str = "function", fixtures: str = "function") -> str:
    classes = [TESTS.format(mark=mark, number=number) for number, mark in enumerate(marks)]
    (folder / "test_it.py").write_text("".join([HEAD, *classes]))
    (folder / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\n"
        f"asyncio_default_test_loop_scope = {tests}\nasyncio_default_fixture_loop_scope = {fixtures}\n"
    )
    words = ("-m", "pytest", "-q", "-W", "error", "-p", "no:schemathesis", "-p", "no:cacheprovider", str(folder))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    return (await process.communicate())[0].decode()


async def test_the_loop_that_a_mark_asks_for(tmp_path: Path) -> None:
    output = await run(tmp_path, [f'@pytest.mark.asyncio(loop_scope="{scope}")' for scope in SCOPES])
    assert "10 passed" in output, output


@pytest.mark.parametrize(("tests", "fixtures"), [("session", "function"), ("function", "session")])
async def test_the_loop_that_the_configuration_asks_for(tests: str, fixtures: str, tmp_path: Path) -> None:
    output = await run(tmp_path, [""], tests=tests, fixtures=fixtures)
    assert "2 passed" in output, output
