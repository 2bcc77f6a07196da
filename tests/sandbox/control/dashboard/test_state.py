"""What the page is told: the same as the ledger says, and cheap to ask for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.sandbox import FakeClock, Running, create_request


async def state(running: Running) -> dict[str, Any]:
    reply = await running.control("GET", "dashboard")
    assert reply.status == 200
    return dict(reply.json())


async def test_tokens_have_their_windows() -> None:
    clock = FakeClock()
    async with Running(clock=clock, policy="sliding_log", limit=3) as running:
        assert (await state(running))["tokens"] == []
        for _ in range(5):
            await running.call("GET", "upcoming-posts")
        clock.move(0.25)
        await running.call("GET", "upcoming-posts")
        (token,) = (await state(running))["tokens"]
        assert (token["arrivals"], token["worst"], token["too_many_requests"]) == (6, 6, 3)
        clock.move(0.9)
        for _ in range(2):
            await running.call("GET", "upcoming-posts")
        clock.move(0.05)
        (token,) = (await state(running))["tokens"]
        # The five are more than a second ago.
        assert (token["now"], token["worst"]) == (3, 6)
        assert token["worst"] == running.sandbox.ledger.worst_window()
        assert len(token["history"]) == 240
        assert max(token["history"]) == 6
        clock.move(61)
        (token,) = (await state(running))["tokens"]
        assert (token["now"], max(token["history"]), token["worst"]) == (0, 0, 6)


async def test_posts_are_counted_by_state() -> None:
    clock = FakeClock()
    async with Running(clock=clock) as running:
        for number in range(4):
            await running.create(f"post {number}")
        await running.create("queued", publish_mode="queued")
        running.sandbox.faults.add("post_fails:times=1")
        await running.create("failing")
        before = (await state(running))["posts"]
        assert before == {"pending": 5, "processing": 0, "scheduled": 0, "queued": 1, "published": 0, "failed": 0}
        clock.move(10)
        for _ in range(2):
            assert (await state(running))["posts"] | {"pending": 0} == before | {
                "pending": 0,
                "published": 4,
                "failed": 1,
            }
        await running.sandbox.reset()
        assert sum((await state(running))["posts"].values()) == 0
        await running.create("afresh")
        assert (await state(running))["posts"]["pending"] == 1


async def test_the_windows_begin_again_after_a_reset() -> None:
    async with Running() as running:
        for _ in range(3):
            await running.call("GET", "upcoming-posts")
        assert (await state(running))["tokens"][0]["worst"] == 3
        await running.sandbox.reset()
        await running.call("GET", "upcoming-posts")
        assert (await state(running))["tokens"][0]["worst"] == 1


async def test_a_reset_is_seen_although_as_much_came_afterwards() -> None:
    clock = FakeClock()
    async with Running(clock=clock) as running:
        for number in range(3):
            await running.create(f"{number}")
        clock.move(10)
        before = await state(running)
        assert (before["tokens"][0]["worst"], before["posts"]["published"]) == (3, 3)
        await running.sandbox.reset()
        for number in range(3):
            await running.create(f"{number}")
            clock.move(0 if number == 2 else 5)
        after = await state(running)
        assert (after["tokens"][0]["worst"], after["posts"]["published"], after["posts"]["pending"]) == (1, 2, 1)


async def test_the_ledger_and_the_faults_are_told() -> None:
    async with Running(faults=["commit_then_500:endpoint=create-post,times=1"]) as running:
        await running.call("POST", "create-post", json=create_request())
        await running.call("POST", "create-post", json=create_request())
        found = await state(running)
        assert found["duplicates"] == 1
        assert found["fault_firings"] == 1
        (endpoint,) = found["endpoints"]
        assert endpoint == {"name": "create-post", "attempts": 2, "commits": 2, "statuses": {"200": 1, "500": 1}}
        assert found["faults"][0]["fired"] == 1
        choices = (await running.control("GET", "dashboard/choices")).json()
        assert len(choices["kinds"]) > 20
        assert "create-post" in choices["endpoints"]


async def test_many_tokens_are_not_all_told() -> None:
    async with Running(tokens=20) as running:
        for token in running.sandbox.tokens.values():
            await running.call("GET", "upcoming-posts", token=token)
        found = await state(running)
        assert (len(found["tokens"]), found["more_tokens"]) == (12, 9)


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html"),
        ("/_dashboard/style.css", "text/css"),
        ("/_dashboard/script.js", "text/javascript"),
        ("/_dashboard/icon.svg", "image/svg+xml"),
    ],
)
async def test_the_page_is_served_and_needs_nothing_from_elsewhere(path: str, content_type: str) -> None:
    async with Running() as running:
        reply = await running.fetch("GET", f"{running.root}{path}")
        assert reply.status == 200
        assert reply.headers["Content-Type"].startswith(content_type)
        assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
        text = reply.body.decode().replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text
        assert "https:" not in text
        assert running.sandbox.ledger.attempts() == 0


async def test_other_paths_stay_the_api_s() -> None:
    async with Running() as running:
        assert (await running.fetch("GET", f"{running.root}/_dashboard/other")).status == 401
        reply = await running.fetch("POST", f"{running.root}/")
        assert reply.status == 401
        assert json.loads(reply.body)["status"] is False
