"""The listings as a server may show them: what is read of them, and what is not proven by them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async import ChannelType, CreatePost, MarketingBlocks, PublishMode
from marketingblocks_async.bulk import BulkRun, Journal, create_journal
from marketingblocks_async.bulk.run.reconcile import ask_listings, note_highest_id
from marketingblocks_async.sandbox import Fault, Sandbox
from tests.support.clients import client_of, post

pytestmark = pytest.mark.usefixtures("own_limiters")

FACEBOOK = ChannelType.FACEBOOK


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(variants={"extra_fields": True}) as started:
        yield started


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[MarketingBlocks]:
    async with client_of(sandbox) as made:
        yield made


def answer_with(sandbox: Sandbox, body: Any, endpoint: str = "get-posts") -> None:
    sandbox.faults.add(Fault("wrong_shape", endpoint, params={"body": json.dumps(body)}))


def posts(count: int) -> list[CreatePost]:
    return [post(f"Row {number}").model_copy(update={"publish_mode": PublishMode.QUEUED}) for number in range(count)]


@pytest.mark.parametrize(
    "body", [[], {"posts": []}, {"status": True, "data": {"posts": None}}, {"facebook": [], "x": []}]
)
async def test_an_empty_list_is_read(sandbox: Sandbox, client: MarketingBlocks, body: Any) -> None:
    answer_with(sandbox, body)
    listings = await ask_listings(client, [FACEBOOK], 10)
    assert (listings.posts, listings.unread, listings.trouble) == ([[], []], set(), None)


@pytest.mark.parametrize(
    "body",
    [
        ["unexpected", 42],
        {"posts": [{"id": 1}]},
        {"status": True},
        {"message": "later", "posts": {}},
        {"posts": [], "more": [1]},
        [{"post_id": 1}],
        [{"post_id": 1, "channel_type": "facebook", "channel_id": 1}, {"post_id": 2}],
        "soon",
    ],
)
async def test_what_is_no_list_of_posts_is_not_read(sandbox: Sandbox, client: MarketingBlocks, body: Any) -> None:
    answer_with(sandbox, body)
    assert (await ask_listings(client, [FACEBOOK, ChannelType.TWITTER], 10)).unread == {FACEBOOK, ChannelType.TWITTER}


@pytest.mark.parametrize(
    ("fault", "unread"),
    [
        ("error_500:endpoint=upcoming-posts", {FACEBOOK, ChannelType.THREADS}),
        ("forbidden:endpoint=get-posts,times=1", {FACEBOOK}),
        ("forbidden:endpoint=get-posts,after=1", {ChannelType.THREADS}),
        ("drop_before:endpoint=upcoming-posts", {FACEBOOK, ChannelType.THREADS}),
    ],
)
async def test_a_listing_that_fails_concerns_its_platforms(
    sandbox: Sandbox, client: MarketingBlocks, fault: str, unread: set[ChannelType]
) -> None:
    sandbox.faults.add(fault)
    listings = await ask_listings(client, [FACEBOOK, ChannelType.THREADS], 10)
    assert listings.unread == unread
    assert listings.trouble is not None


async def test_no_highest_id_is_taken_from_what_was_not_read(
    sandbox: Sandbox, client: MarketingBlocks, tmp_path: Path
) -> None:
    await create_journal(posts(1), tmp_path / "run.journal")
    async with Journal(tmp_path / "run.journal") as journal:
        await journal.begin_session()
        answer_with(sandbox, ["unexpected"])
        await note_highest_id(client, journal)
        assert [highest for _, highest in await journal.highest_ids()] == [None]
        sandbox.faults.clear()
        await note_highest_id(client, journal)
        assert [highest for _, highest in await journal.highest_ids()] == [0]


POSTS_ON_THREADS = [{"post_id": number, "channel_type": "threads", "channel_id": 1} for number in (400, 500, 450)]


@pytest.mark.parametrize(
    ("fault", "highest"),
    [
        # Otherwise a post of yesterday with the text of a row would be taken for it.
        (Fault("wrong_shape", "get-posts", after=1, params={"body": json.dumps(POSTS_ON_THREADS)}), 500),
        ("forbidden:endpoint=get-posts,after=1", 0),
    ],
    ids=["it is that of a post on Threads", "Threads cannot be listed"],
)
async def test_the_listing_of_threads_counts_if_there_is_one(
    sandbox: Sandbox, client: MarketingBlocks, tmp_path: Path, fault: Fault | str, highest: int
) -> None:
    await create_journal(posts(1), tmp_path / "run.journal")
    async with Journal(tmp_path / "run.journal") as journal:
        await journal.begin_session()
        sandbox.faults.add(fault)
        await note_highest_id(client, journal)
        assert [noted for _, noted in await journal.highest_ids()] == [highest]


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        (["forbidden:endpoint=get-posts"], True),
        (["unauthorized:endpoint=upcoming-posts"], True),
        # Threads may have no listing, and an outage passes by.
        (["forbidden:endpoint=get-posts,after=1"], False),
        (["error_500:endpoint=get-posts"], False),
    ],
)
async def test_a_token_that_may_not_read_is_told(
    sandbox: Sandbox, client: MarketingBlocks, tmp_path: Path, faults: list[str], *, told: bool
) -> None:
    await create_journal(posts(1), tmp_path / "run.journal")
    for fault in faults:
        sandbox.faults.add(fault)
    async with Journal(tmp_path / "run.journal") as journal:
        await journal.begin_session()
        problem = await note_highest_id(client, journal)
    assert (problem is not None and "would stay unknown" in problem) is told


async def test_a_post_that_has_left_the_queue_is_not_absent(sandbox: Sandbox, tmp_path: Path) -> None:
    """It is published, and ``get-posts`` answers with something else; rows before and after it still wait."""
    path = tmp_path / "run.journal"
    await create_journal(posts(9), path)
    sandbox.faults.add("commit_then_drop:endpoint=create-post,after=4,times=1")
    # Not found by the same run.
    for listing in ("upcoming-posts", "get-posts"):
        sandbox.faults.add(f"forbidden:endpoint={listing},after=1")
    async with client_of(sandbox) as client, Journal(path) as journal:
        await BulkRun(client, journal, concurrency=1, settle_after=3600.0).run()
        number = (await journal.unknown_rows())[0].number
    sandbox.faults.clear()
    async with client_of(sandbox) as client:
        queue = [each.raw for each in await client.posts.upcoming(limit=100)]
    # As of a server that carries out requests in an order of its own.
    waiting = [each for each in queue if each["caption_text"] != f"Row {number - 1}"]
    assert len(waiting) == len(queue) - 1 == 8
    # The second answer says that there is no such post, as far as can be told.
    answers: list[tuple[Any, int]] = [(["unexpected", 42], 1), ({"posts": []}, 0)]
    for body, unknown in answers:
        sandbox.faults.clear()
        answer_with(sandbox, {"up_coming": waiting}, "upcoming-posts")
        answer_with(sandbox, body)
        async with client_of(sandbox) as client, Journal(path) as journal:
            result = await BulkRun(client, journal, settle_after=0.0).run()
        assert result.counts.unknown == unknown
