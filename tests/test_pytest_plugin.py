"""The plugin as users meet it: found by itself, steered by marks, quiet where it is not used."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from marketingblocks_async import MarketingBlocks, RateLimit
from marketingblocks_async.sandbox import Sandbox
from marketingblocks_async.testing import FakeTime

USERS_TEST = """
import asyncio, pytest
from marketingblocks_async import OutcomeUnknownError
from marketingblocks_async.testing import assert_published

pytestmark = pytest.mark.marketingblocks_sandbox(policy="gcra")

POST = dict(channel_type="facebook", channel_id=1, post_type="post", media_urls=[], publish_mode="now")

@pytest.mark.asyncio
@pytest.mark.marketingblocks_sandbox(faults=["commit_then_drop:times=1"])
@pytest.mark.marketingblocks_client(deadline=5.0)
async def test_mine(marketingblocks_client, fake_time, marketingblocks_sandbox):
    assert marketingblocks_sandbox.settings.policy == "gcra"
    with pytest.raises(OutcomeUnknownError):
        await marketingblocks_client.posts.create(**POST, caption_text="one")
    await asyncio.sleep(3600)
    await marketingblocks_client.posts.create(**POST, caption_text="two")
    assert_published(marketingblocks_sandbox, "one", "two")

def test_plain():
    pass

@pytest.mark.asyncio
@pytest.mark.marketingblocks_sandbox("gcra")
async def test_wrong_mark(marketingblocks_sandbox):
    pass
"""


def run(folder: Path, *words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:schemathesis", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, *words], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    return done.returncode, done.stdout + done.stderr


def test_it_is_found_through_its_entry_point() -> None:
    (found,) = entry_points(group="pytest11", name="marketingblocks_async")
    assert found.value == "marketingblocks_async.pytest_plugin"


def test_a_user_s_test_runs_in_a_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "test_users.py").write_text(USERS_TEST)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\naddopts = --strict-markers\nasyncio_default_fixture_loop_scope = function\n"
    )
    _, output = run(tmp_path)
    assert "2 passed, 1 error" in output
    assert "keyword arguments only" in output


def test_without_pytest_asyncio_other_tests_run(tmp_path: Path) -> None:
    (tmp_path / "test_users.py").write_text("def test_plain(): pass\n", encoding="utf-8")
    status, output = run(tmp_path, "-p", "no:asyncio")
    assert status == 0, output


def test_the_marks_are_explained(pytestconfig: pytest.Config) -> None:
    marks = [line.partition(":")[0] for line in pytestconfig.getini("markers")]
    assert {"marketingblocks_sandbox(**options)", "marketingblocks_client(**options)"} <= set(marks)


@pytest.mark.marketingblocks_client(rate_limit=RateLimit(limit=7))
async def test_the_client_is_the_sandbox_s(
    marketingblocks_client: MarketingBlocks, marketingblocks_sandbox: Sandbox
) -> None:
    assert list(await marketingblocks_client.posts.upcoming()) == []
    assert marketingblocks_client.rate_limiter.snapshot().limit == 7
    assert marketingblocks_sandbox.ledger.attempts("upcoming-posts") == 1
    assert await marketingblocks_client.docs.ask("How many requests?")


async def test_fake_time_alone_is_enough(fake_time: FakeTime) -> None:
    assert fake_time.elapsed < 1
