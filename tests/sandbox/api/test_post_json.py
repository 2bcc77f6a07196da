from __future__ import annotations

from typing import Any

import pytest

from marketingblocks_async.models import (
    ChannelConnection,
    CommentAutomation,
    CreatedPost,
    FoundPost,
    Generation,
    PostList,
    UpcomingPosts,
)
from marketingblocks_async.sandbox import Variants
from tests.support.sandbox import VALID, FakeClock, Running

POST = {"post_id": 1, "channel_type": "facebook", "channel_id": "123", "STATUS": "pending", "permalink": None}


@pytest.mark.parametrize(
    ("shape", "answer"),
    [
        ("flat", {"status": True, "message": "Post created.", "post_id": 1}),
        ("nested", {"status": True, "message": "Post created.", "post": POST}),
        ("data", {"status": True, "message": "Post created.", "data": POST}),
        ("minimal", {"status": True}),
    ],
)
async def test_shapes_of_create_post(shape: str, answer: dict[str, Any]) -> None:
    async with Running(variants={"create_post": shape}) as running:
        reply = await running.create()
        assert reply.json() == answer
        expected = None if shape == "minimal" else 1
        assert CreatedPost.model_validate_json(reply.body).post_id == expected


@pytest.mark.parametrize(
    ("shape", "answer"),
    [
        ("posts", {"status": True, "posts": [POST]}),
        ("list", [POST]),
        ("data", {"status": True, "data": [POST]}),
        ("grouped", {"status": True, "posts": {"facebook": [POST]}}),
    ],
)
async def test_shapes_of_get_posts(shape: str, answer: Any) -> None:
    # A clock that stands still keeps the post pending.
    async with Running(clock=FakeClock(), variants={"get_posts": shape}) as running:
        await running.create()
        reply = await running.call("GET", "get-posts", params={"channels": "facebook"})
        assert reply.json() == answer
        assert [post.post_id for post in PostList.model_validate_json(reply.body)] == [1]


async def test_strange_but_possible_answers_suit_the_response_models() -> None:
    variants = Variants(string_ids=True, unknown_status=True, extra_fields=True)
    async with Running(variants=variants) as running:
        created = CreatedPost.model_validate_json((await running.create("cap", publish_mode="queued")).body)
        assert created.post_id == "1"
        found = FoundPost.model_validate_json((await running.call("GET", "post/1")).body)
        assert (found.post_id, found.STATUS, found.status) == ("1", "awaiting_review", True)
        assert found.post.raw["caption_text"] == "cap"
        assert found.post.raw["status"] == "ok"
        upcoming = UpcomingPosts.model_validate_json((await running.call("GET", "upcoming-posts")).body)
        assert upcoming.posts[0].post_id == "1"
        assert upcoming.posts[0].raw["caption_text"] == "cap"
        listed = PostList.model_validate_json(
            (await running.call("GET", "get-posts", params={"channels": "facebook"})).body
        )
        assert [post.post_id for post in listed] == ["1"]
        path, body, _ = VALID["create-comment-automation"]
        automation = CommentAutomation.model_validate_json((await running.call("POST", path, json=body)).body)
        assert automation.comment_bot_id == "1"


async def test_extra_fields_tell_why_a_post_failed() -> None:
    async with Running(variants=Variants(extra_fields=True), faults=["post_fails"]) as running:
        await running.create()
        running.sandbox.advance(10)
        post = (await running.call("GET", "post/1")).json()["post"]
        assert post["STATUS"] == "failed"
        assert post["failure_reason"]


async def test_documented_answers_suit_the_response_models() -> None:
    async with Running() as running:
        generation = await running.call("POST", "create-post-generation", json=VALID["create-post-generation"][1])
        assert Generation.model_validate_json(generation.body).status == "queued"
        connection = await running.call("POST", "connect-channel", json={"userId": "u"})
        assert ChannelConnection.model_validate_json(connection.body).connect_token
