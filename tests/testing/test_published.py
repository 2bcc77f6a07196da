"""``assert_published`` tells what is missing, what is there twice, and what nobody asked for."""

from __future__ import annotations

from typing import Any

import pytest

from marketingblocks_async import CreatePost, MarketingBlocks, OutcomeUnknownError
from marketingblocks_async.sandbox import Sandbox
from marketingblocks_async.testing import assert_published


def post(caption: str) -> CreatePost:
    return CreatePost(
        channel_type="facebook",
        channel_id=1,
        post_type="post",
        caption_text=caption,
        media_urls=[],
        publish_mode="now",
    )


async def test_posts_are_found_by_caption_and_as_requests(
    marketingblocks_sandbox: Sandbox, marketingblocks_client: MarketingBlocks
) -> None:
    assert_published(marketingblocks_sandbox)
    for caption in ("Monday", "Tuesday", "Monday"):
        await marketingblocks_client.posts.create(post(caption))
    assert_published(marketingblocks_sandbox, "Monday", "Tuesday", "Monday")
    assert_published(marketingblocks_sandbox, post("Tuesday"), post("Monday").wire(), post("Monday"))
    assert_published(marketingblocks_sandbox, "Tuesday", only=False)
    with pytest.raises(ValueError, match="not some of each"):
        assert_published(marketingblocks_sandbox, "Monday", post("Monday"))
    a_list: Any = ["Monday"]
    with pytest.raises(ValueError, match=r"give each post .* not as a list"):
        assert_published(marketingblocks_sandbox, a_list)


async def test_a_difference_is_explained(
    marketingblocks_sandbox: Sandbox, marketingblocks_client: MarketingBlocks
) -> None:
    for caption in ("twice", "twice", "surprise"):
        await marketingblocks_client.posts.create(post(caption))
    with pytest.raises(AssertionError) as caught:
        assert_published(marketingblocks_sandbox, "twice", "lost")
    assert str(caught.value).splitlines()[1:] == [
        "  missing: 'lost'",
        "  created 2 times instead of 1: 'twice'",
        "  not expected: 'surprise'",
    ]
    with pytest.raises(AssertionError, match="created 2 times"):
        assert_published(marketingblocks_sandbox, "twice", only=False)


async def test_a_lost_answer_is_no_lost_post(
    marketingblocks_sandbox: Sandbox, marketingblocks_client: MarketingBlocks
) -> None:
    marketingblocks_sandbox.faults.add("commit_then_drop:endpoint=create-post,times=1")
    with pytest.raises(OutcomeUnknownError):
        await marketingblocks_client.posts.create(post("Hello"))
    assert_published(marketingblocks_sandbox, "Hello")
