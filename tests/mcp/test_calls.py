"""Listings are short, and say what they leave off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async.mcp.calls import LISTED, MOST_LISTED
from marketingblocks_async.mcp.results import LONGEST_DATA
from marketingblocks_async.sandbox import Fault, Sandbox
from tests.support.mcp import call, connected

TOOLS: dict[str, dict[str, Any]] = {"get_posts": {"channels": ["facebook"]}, "upcoming_posts": {}}


async def told(where: Path, tool: str, posts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Return what a tool tells of a listing of the API."""
    name = "posts" if tool == "get_posts" else "up_coming"
    body = json.dumps({"status": True, name: posts})
    async with Sandbox(policy="none") as sandbox, connected(sandbox, where) as (client, _):
        sandbox.faults.add(Fault("wrong_shape", tool.replace("_", "-"), params={"body": body}))
        return await call(client, tool, TOOLS[tool], **more)


def posts(count: int, text: str = "Hello") -> list[dict[str, Any]]:
    return [{"post_id": number, "channel_type": "facebook", "caption": text} for number in range(count)]


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    ("listed", "limit", "words"),
    [
        (LISTED, None, "There may be more than these 10 posts. A limit of up to 50 lists more."),
        (LISTED + 3, None, "3 posts that the API listed are left off here. A limit of up to 50 lists more."),
        (MOST_LISTED, 200, "There may be more than these 50 posts. For the rest"),
        (MOST_LISTED + 1, 50, "1 posts that the API listed are left off here. For the rest"),
    ],
)
async def test_a_listing_says_how_many_are_left_off_and_how_to_get_them(
    tmp_path: Path, tool: str, listed: int, limit: int | None, words: str
) -> None:
    found = await told(tmp_path, tool, posts(listed), **({} if limit is None else {"limit": limit}))
    left_off = found["untrusted_data"].get("left_off", 0)
    assert len(found["untrusted_data"]["posts"]) + left_off == listed
    assert not left_off or words.startswith(str(left_off))
    assert found["what_to_do"].startswith(words)


@pytest.mark.parametrize(("listed", "limit"), [(LISTED - 1, None), (5, 5), (MOST_LISTED, 50)])
async def test_a_whole_listing_says_no_more(tmp_path: Path, listed: int, limit: int | None) -> None:
    found = await told(tmp_path, "get_posts", posts(listed, "x"), **({} if limit is None else {"limit": limit}))
    assert len(found["untrusted_data"]["posts"]) == listed
    assert "what_to_do" not in found


async def test_a_listing_with_long_texts_is_cut_between_two_posts(tmp_path: Path) -> None:
    found = await told(tmp_path, "get_posts", posts(50, "x" * 500), limit=50)
    shown = found["untrusted_data"]["posts"]
    assert 10 < len(shown) < 50
    assert found["untrusted_data"]["left_off"] == 50 - len(shown)
    assert found["what_to_do"].startswith(
        f"{50 - len(shown)} posts that the API listed are left off here. For the rest"
    )


async def test_a_long_post_says_who_can_see_all_of_it(tmp_path: Path) -> None:
    async with Sandbox(policy="none") as sandbox, connected(sandbox, tmp_path) as (client, _):
        body = json.dumps({"status": True, "post": {"post_id": 1, "caption": "x" * LONGEST_DATA}})
        sandbox.faults.add(Fault("wrong_shape", "find-post", params={"body": body}))
        found = await call(client, "find_post", post_id=1)
    assert found["untrusted_data"]["left_off"] > 0
    assert "marketingblocks posts get" in found["what_to_do"]
