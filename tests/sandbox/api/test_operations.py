from __future__ import annotations

import pytest

from marketingblocks_async.sandbox import Variants
from tests.support.sandbox import Running


async def test_find_post_as_documented() -> None:
    async with Running() as running:
        await running.create(channel_id=77, channel_type="tiktok")
        reply = await running.call("GET", "post/1")
        assert reply.json() == {
            "post": {
                "post_id": 1,
                "channel_type": "tiktok",
                "channel_id": "77",
                "STATUS": "pending",
                "permalink": None,
            },
            "status": True,
        }
        running.sandbox.advance(10)
        post = (await running.call("GET", "post/1")).json()["post"]
        assert post["STATUS"] == "published"
        assert post["permalink"].startswith("https://")


@pytest.mark.parametrize("post_id", ["2", "0", "-1", "x", "1.0", "%31%20", "9" * 5000, "٣", "..%2F1"])
async def test_an_unknown_post_is_404(post_id: str) -> None:
    async with Running() as running:
        await running.create()
        reply = await running.call("GET", f"post/{post_id}")
        assert reply.status == 404
        assert reply.json()["status"] is False


async def test_upcoming_posts_as_documented() -> None:
    async with Running() as running:
        await running.create()
        await running.create(publish_mode="scheduled", schedule_time="2098-08-01 14:30", time_zone="Africa/Lagos")
        for number in range(12):
            await running.create(str(number), publish_mode="queued", channel_id=number)
        reply = await running.call("GET", "upcoming-posts")
        items = reply.json()["up_coming"]
        assert [item["post_id"] for item in items] == [*range(3, 13)]
        assert {*items[0]} == {"post_id", "channel_type", "channel_id", "STATUS", "schedule_time"}
        assert items[0]["STATUS"] == "queued"
        assert items[0]["channel_id"] == "0"
        everything = (await running.call("GET", "upcoming-posts", params={"limit": "50"})).json()["up_coming"]
        assert len(everything) == 13
        assert everything[-1]["STATUS"] == "scheduled"
        assert everything[-1]["schedule_time"] == "2098-08-01 14:30"


async def test_get_posts_filters() -> None:
    async with Running() as running:
        for channel, mode in (("facebook", "now"), ("twitter", "queued"), ("tiktok", "queued"), ("facebook", "queued")):
            await running.create(channel_type=channel, publish_mode=mode)

        async def ids(**query: str) -> list[int]:
            reply = await running.call("GET", "get-posts", params=query)
            return [post["post_id"] for post in reply.json()["posts"]]

        assert await ids(channels="facebook,twitter,tiktok") == [4, 3, 2, 1]
        assert await ids(channels="facebook") == [4, 1]
        assert await ids(channels="facebook,twitter,tiktok", limit="2") == [4, 3]
        assert await ids(channels="facebook", status="queued,draft") == [4]
        assert await ids(channels="youtube") == []


async def test_get_posts_returns_twenty_unless_told() -> None:
    async with Running() as running:
        for number in range(25):
            await running.create(str(number))
        posts = (await running.call("GET", "get-posts", params={"channels": "facebook"})).json()["posts"]
        assert len(posts) == 20


async def test_generation_as_documented() -> None:
    async with Running() as running:
        reply = await running.call(
            "POST", "create-post-generation", json={"post_type": "breel", "input": "flower sales"}
        )
        answer = reply.json()
        assert len(answer.pop("id")) == 36
        assert answer == {
            "status": "queued",
            "message": "post generation is in queued.",
            "request_body": {"post_type": "breel", "input": "flower sales", "brand_id": None, "web_hook": None},
        }


async def test_comment_automations() -> None:
    async with Running() as running:
        body = {"name": "n", "channels": [1, 2], "trigger_type": "keywords", "keywords": ["price"], "ai": {"x": 1}}
        created = (await running.call("POST", "create-comment-automation", json=body)).json()
        assert created["comment_bot_id"] == 1
        change = {"comment_bot_id": 1, "name": "m"}
        updated = await running.call("PUT", "update-comment-automation", json=change)
        assert updated.json()["comment_bot_id"] == 1
        assert running.sandbox.comment_automations.all() == (
            {**body, "name": "m", "target_type": "all", "comment_bot_id": 1},
        )
        missing = await running.call("PUT", "update-comment-automation", json={"comment_bot_id": 2})
        assert missing.status == 404
        assert [commit.id for commit in running.sandbox.ledger.commits] == ["1", "1"]


@pytest.mark.parametrize(("resets", "trigger"), [(False, "keywords"), (True, "any")])
async def test_whether_an_update_resets_defaults_is_selectable(*, resets: bool, trigger: str) -> None:
    async with Running(variants=Variants(update_resets_defaults=resets)) as running:
        body = {"name": "n", "channels": [1], "trigger_type": "keywords", "keywords": ["price"]}
        await running.call("POST", "create-comment-automation", json=body)
        await running.call("PUT", "update-comment-automation", json={"comment_bot_id": 1, "name": "m"})
        assert running.sandbox.comment_automations.all()[0]["trigger_type"] == trigger
