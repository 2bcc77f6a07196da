from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketingblocks_async.models import PostStatus
from marketingblocks_async.sandbox import PostStore, PostTimings, SandboxPost
from marketingblocks_async.sandbox.state.posts import schedule_moment, zone_of
from tests.support.sandbox import FakeClock, create_request

NOON = datetime(2027, 1, 8, 12, 0, tzinfo=UTC).timestamp()


class Shelf:
    """A post store whose world time the test moves."""

    def __init__(self, slot: float = 60.0) -> None:
        self.clock = FakeClock(NOON)
        self.store = PostStore(self.clock, PostTimings(pending=1.0, processing=2.0, slot=slot))

    def create(self, mode: str = "now", *, fails: bool = False, **changes: Any) -> SandboxPost:
        request = create_request(publish_mode=mode, **changes)
        return self.store.create(request, json.dumps(request).encode(), fails=fails)

    def status(self, post: SandboxPost) -> str:
        return self.store.status(post).value

    def upcoming(self, limit: int = 10) -> list[tuple[int, float]]:
        return [(item.post.post_id, item.leaves_at - NOON) for item in self.store.upcoming(limit)]


def test_ids_count_up() -> None:
    shelf = Shelf()
    assert [shelf.create().post_id for _ in range(3)] == [1, 2, 3]
    assert [post.post_id for post in shelf.store] == [1, 2, 3]
    assert len(shelf.store) == 3
    shelf.store.clear()
    assert len(shelf.store) == 0
    assert shelf.create().post_id == 1


@pytest.mark.parametrize("fails", [False, True])
def test_now_is_pending_then_processing_then_over(*, fails: bool) -> None:
    shelf = Shelf()
    post = shelf.create(fails=fails)
    seen = [shelf.status(post)]
    for seconds in (0.99, 0.01, 1.99, 0.01):
        shelf.clock.move(seconds)
        seen.append(shelf.status(post))
    assert seen == ["pending", "pending", "processing", "processing", "failed" if fails else "published"]


def test_scheduled_moves_on_at_its_time_in_its_zone() -> None:
    shelf = Shelf()
    # 13:30 in Lagos is 12:30 UTC.
    post = shelf.create("scheduled", schedule_time="2027-01-08 13:30", time_zone="Africa/Lagos")
    assert shelf.upcoming() == [(1, 1800.0)]
    seen = [shelf.status(post)]
    for seconds in (1799.0, 1.0, 2.0):
        shelf.clock.move(seconds)
        seen.append(shelf.status(post))
    assert seen == ["scheduled", "scheduled", "processing", "published"]
    assert shelf.upcoming() == []


def test_a_schedule_time_in_the_past_means_at_once() -> None:
    shelf = Shelf()
    post = shelf.create("scheduled", schedule_time="2020-01-01 00:00", time_zone="UTC")
    assert shelf.status(post) == "processing"
    assert shelf.upcoming() == []


def test_queue_goes_out_one_a_slot_and_share_next_first() -> None:
    shelf = Shelf()
    first, second = shelf.create("queued"), shelf.create("queued")
    urgent, urgent_too = shelf.create("share_next"), shelf.create("share_next")
    assert {shelf.status(post) for post in (first, second, urgent, urgent_too)} == {"queued"}
    assert shelf.upcoming() == [(3, 60.0), (4, 120.0), (1, 180.0), (2, 240.0)]
    assert shelf.upcoming(2) == [(3, 60.0), (4, 120.0)]
    shelf.clock.move(60.0)
    assert [shelf.status(post) for post in (urgent, urgent_too, first)] == ["processing", "queued", "queued"]
    shelf.clock.move(1000.0)
    assert {shelf.status(post) for post in (first, second, urgent, urgent_too)} == {"published"}
    leaves = [post.leaves_at for post in (urgent, urgent_too, first, second)]
    assert leaves == [NOON + 60.0, NOON + 120.0, NOON + 180.0, NOON + 240.0]


def test_a_newcomer_takes_no_slot_that_has_passed() -> None:
    shelf = Shelf()
    shelf.create("queued")
    shelf.clock.move(150.0)
    shelf.create("queued")
    assert shelf.upcoming() == [(2, 180.0)]


def test_slots_keep_their_rhythm_over_an_empty_queue() -> None:
    shelf = Shelf()
    shelf.clock.move(60.0 * 1000 + 1)
    shelf.create("queued")
    assert shelf.upcoming() == [(1, 60.0 * 1001)]


def test_a_slot_at_this_very_moment_has_passed() -> None:
    shelf = Shelf()
    shelf.clock.move(60.0)
    shelf.create("queued")
    assert shelf.upcoming() == [(1, 120.0)]


def test_upcoming_mixes_scheduled_and_queued_nearest_first() -> None:
    shelf = Shelf()
    shelf.create("queued")
    shelf.create("scheduled", schedule_time="2027-01-08 12:02", time_zone="UTC")
    shelf.create("queued")
    shelf.create("scheduled", schedule_time="2027-01-08 12:00", time_zone="UTC")
    shelf.create("scheduled", schedule_time="2027-01-08 12:05", time_zone="UTC")
    shelf.create("now")
    assert shelf.upcoming() == [(1, 60.0), (2, 120.0), (3, 120.0), (5, 300.0)]
    assert shelf.upcoming(1) == [(1, 60.0)]


@given(
    steps=st.lists(
        st.one_of(st.sampled_from(["now", "queued", "share_next", "scheduled"]), st.floats(0, 200)), max_size=40
    )
)
def test_upcoming_is_sorted_complete_and_in_the_future(steps: list[str | float]) -> None:
    shelf = Shelf(slot=30.0)
    for step in steps:
        if isinstance(step, int | float):
            shelf.clock.move(step)
        else:
            shelf.create(step, schedule_time="2027-01-08 12:04", time_zone="UTC")
    items = shelf.store.upcoming(1000)
    moments = [item.leaves_at for item in items]
    assert moments == sorted(moments)
    assert all(moment > shelf.clock() for moment in moments)
    waiting = {PostStatus.QUEUED, PostStatus.SCHEDULED}
    assert {item.post.post_id for item in items} == {
        post.post_id for post in shelf.store if shelf.store.status(post) in waiting
    }
    queued = [item.leaves_at for item in items if item.post.publish_mode != "scheduled"]
    assert len(set(queued)) == len(queued)


def test_newest_filters_and_limits() -> None:
    shelf = Shelf()
    shelf.create(channel_type="facebook")
    shelf.create("queued", channel_type="twitter")
    shelf.create("queued", channel_type="facebook")
    shelf.create(channel_type="tiktok")

    def ids(limit: int = 10, **filters: Any) -> list[int]:
        return [post.post_id for post in shelf.store.newest(limit, **filters)]

    assert ids() == [4, 3, 2, 1]
    assert ids(2) == [4, 3]
    assert ids(channels={"facebook", "twitter"}) == [3, 2, 1]
    assert ids(channels={"facebook"}, statuses={"queued"}) == [3]
    assert ids(statuses={"published"}) == []
    shelf.clock.move(3.0)
    assert ids(statuses={"published"}) == [4, 1]
    assert ids(1, statuses={"published"}) == [4]


def test_find_keeps_the_request() -> None:
    shelf = Shelf()
    shelf.create(unknown_field={"kept": True})
    post = shelf.store.find(1)
    assert post is not None
    assert post.request["unknown_field"] == {"kept": True}
    assert shelf.store.find(2) is None


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2027-01-08 14:30", "UTC", datetime(2027, 1, 8, 14, 30, tzinfo=UTC)),
        ("2027-07-08 14:30", "America/New_York", datetime(2027, 7, 8, 18, 30, tzinfo=UTC)),
        ("2027-01-08 14:30", "Asia/Kolkata", datetime(2027, 1, 8, 9, 0, tzinfo=UTC)),
    ],
)
def test_schedule_moment(text: str, zone: str, expected: datetime) -> None:
    assert schedule_moment(text, zone) == expected.timestamp()


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "2027-01-08", "2027-01-08T14:30", "2027-1-8 9:5", "2027-13-08 14:30", "2027-01-08 14:30:00"],
)
def test_schedule_moment_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time like"):
        schedule_moment(text, "UTC")


@pytest.mark.parametrize("name", ["", "Nowhere/Land", "../../etc/passwd", "Europe", "a\0b", "\ud800"])
def test_zone_refuses(name: str) -> None:
    with pytest.raises(ValueError, match="IANA"):
        zone_of(name)


def test_utc_needs_no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(key: str) -> ZoneInfo:
        raise ZoneInfoNotFoundError(key)

    monkeypatch.setattr("marketingblocks_async.sandbox.state.posts.ZoneInfo", nothing)
    assert zone_of("UTC") is UTC
