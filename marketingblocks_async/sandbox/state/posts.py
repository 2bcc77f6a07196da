"""The life of a post: pending or waiting, processing, then published or failed.

States are computed from the time of a request; nothing runs in the background. One sandbox is one account: its
tokens see the same posts and share one queue.
"""

from __future__ import annotations

import json
from bisect import insort
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, tzinfo
from itertools import chain
from math import floor
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ConfigDict

from marketingblocks_async.errors import InvalidArgumentError
from marketingblocks_async.models import PostStatus, PublishMode
from marketingblocks_async.models.base import is_object

SCHEDULE_FORMAT = "%Y-%m-%d %H:%M"
"""``schedule_time`` as documented, local to ``time_zone``."""


def zone_of(name: str) -> tzinfo:
    """Return the time zone called ``name``.

    Raises:
        ValueError: this machine knows no such zone; without a database of zones (Windows) that is all but UTC.

    """
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = f"{name!r} is not an IANA time zone name"
        raise InvalidArgumentError(msg) from None


def schedule_moment(schedule_time: str, time_zone: str) -> float:
    """Return when a scheduled post is due, in seconds since 1970.

    Raises:
        ValueError: the time or the zone cannot be understood.

    """
    zone = zone_of(time_zone)
    try:
        # strptime also takes "2025-8-1 9:5"; the documented form has fixed widths.
        if len(schedule_time) != len("2025-08-01 14:30"):
            raise ValueError  # noqa: TRY301 - both ways of being wrong get the same message
        return datetime.strptime(schedule_time, SCHEDULE_FORMAT).replace(tzinfo=zone).timestamp()
    except (ValueError, OverflowError):
        msg = f"{schedule_time!r} is not a time like '2025-08-01 14:30'"
        raise InvalidArgumentError(msg) from None


@dataclass(frozen=True, slots=True)
class PostTimings:
    """Lengths of the stages of a post, in seconds of world time.

    Attributes:
        pending: from the creation of a post with ``publish_mode=now`` to the begin of its publishing.
        processing: from the begin of the publishing to its end.
        slot: from one slot of the queue to the next.

    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    pending: float = 0.2
    processing: float = 0.5
    slot: float = 60.0


@dataclass(slots=True)
class SandboxPost:
    """A post in the sandbox.

    Attributes:
        post_id: its id.
        channel_type: platform.
        channel_id: connected account.
        publish_mode: the requested mode.
        created_at: when it was created, in seconds since 1970.
        leaves_at: when its publishing begins, in seconds since 1970; ``None`` while it waits in the queue.
        fails: whether it becomes ``failed`` instead of ``published``.
        body: the request's body as it came.

    """

    post_id: int
    channel_type: str
    channel_id: int
    publish_mode: str
    created_at: float
    leaves_at: float | None
    fails: bool
    # Kept as bytes: a hundred thousand posts are then no work for the garbage collector.
    body: bytes = field(repr=False)

    @property
    def request(self) -> dict[str, Any]:
        """The fields of the request that created it, unknown ones included."""
        request = json.loads(self.body)
        return request if is_object(request) else {}


@dataclass(frozen=True, slots=True)
class UpcomingPost:
    """A post that waits and when it will go out.

    Attributes:
        post: the post.
        leaves_at: when its publishing will begin, in seconds since 1970.

    """

    post: SandboxPost
    leaves_at: float


class PostStore:
    """All posts of a sandbox.

    Args:
        world: returns world time, in seconds since 1970.
        timings: lengths of the stages.

    """

    def __init__(self, world: Callable[[], float], timings: PostTimings) -> None:
        self._world = world
        self._timings = timings
        self.clear()

    def clear(self) -> None:
        """Remove all posts; ids start again at 1."""
        self._posts: dict[int, SandboxPost] = {}
        self._scheduled: list[tuple[float, int]] = []
        self._next_up: deque[SandboxPost] = deque()
        self._queue: deque[SandboxPost] = deque()
        self._first_slot = self._world() + self._timings.slot
        self._next_slot = self._first_slot

    def __len__(self) -> int:
        return len(self._posts)

    def __iter__(self) -> Iterator[SandboxPost]:
        """Yield the posts in the order of their ids."""
        return iter(tuple(self._posts.values()))

    def create(self, request: Mapping[str, Any], body: bytes, *, fails: bool = False) -> SandboxPost:
        """Create and return the post of a valid create-post request; ``body`` is the same as it came."""
        now = self._world()
        mode = request["publish_mode"]
        post = SandboxPost(
            post_id=len(self._posts) + 1,
            channel_type=request["channel_type"],
            channel_id=request["channel_id"],
            publish_mode=mode,
            created_at=now,
            leaves_at=None,
            fails=fails,
            body=body,
        )
        if mode == PublishMode.SCHEDULED:
            post.leaves_at = max(now, schedule_moment(request["schedule_time"], request["time_zone"]))
            insort(self._scheduled, (post.leaves_at, post.post_id))
        elif mode in {PublishMode.QUEUED, PublishMode.SHARE_NEXT}:
            # What should have left by now must leave before the newcomer could take its slot.
            self._settle(now)
            (self._queue if mode == PublishMode.QUEUED else self._next_up).append(post)
        else:
            post.leaves_at = now + self._timings.pending
        self._posts[post.post_id] = post
        return post

    def dump(self) -> dict[str, Any]:
        """Return all posts and the next slot of the queue as JSON values."""
        posts = [{**asdict(post), "body": post.body.decode(errors="replace")} for post in self]
        return {"posts": posts, "first_slot": self._first_slot, "next_slot": self._next_slot}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what ``dump()`` returned."""
        self.clear()
        self._first_slot, self._next_slot = state["first_slot"], state["next_slot"]
        for fields in state["posts"]:
            post = SandboxPost(**{**fields, "body": fields["body"].encode()})
            self._posts[post.post_id] = post
            if post.publish_mode == PublishMode.SCHEDULED and post.leaves_at is not None:
                insort(self._scheduled, (post.leaves_at, post.post_id))
            elif post.leaves_at is None:
                (self._queue if post.publish_mode == PublishMode.QUEUED else self._next_up).append(post)
        self._settle(self._world())

    def find(self, post_id: int) -> SandboxPost | None:
        """Return the post with this id."""
        return self._posts.get(post_id)

    def status(self, post: SandboxPost) -> PostStatus:
        """Return the state of a post at this moment."""
        now = self._world()
        self._settle(now)
        if post.leaves_at is None:
            return PostStatus.QUEUED
        if now < post.leaves_at:
            return PostStatus.SCHEDULED if post.publish_mode == PublishMode.SCHEDULED else PostStatus.PENDING
        if now < post.leaves_at + self._timings.processing:
            return PostStatus.PROCESSING
        return PostStatus.FAILED if post.fails else PostStatus.PUBLISHED

    def newest(
        self, limit: int, *, channels: Collection[str] | None = None, statuses: Collection[str] | None = None
    ) -> list[SandboxPost]:
        """Return the newest posts first.

        Args:
            limit: largest number of posts.
            channels: platforms to keep, ``None`` for all.
            statuses: states to keep, ``None`` for all.

        """
        found: list[SandboxPost] = []
        for post in reversed(self._posts.values()):
            if len(found) >= limit:
                break
            if (channels is None or post.channel_type in channels) and (
                statuses is None or self.status(post) in statuses
            ):
                found.append(post)
        return found

    def upcoming(self, limit: int) -> list[UpcomingPost]:
        """Return at most ``limit`` posts that wait, the nearest first."""
        self._settle(self._world())
        scheduled = (UpcomingPost(self._posts[post_id], due) for due, post_id in self._scheduled[:limit])
        waiting = (
            UpcomingPost(post, self._next_slot + place * self._timings.slot)
            for place, post in zip(range(limit), chain(self._next_up, self._queue), strict=False)
        )
        return sorted(chain(scheduled, waiting), key=lambda item: item.leaves_at)[:limit]

    def _settle(self, now: float) -> None:
        """Publish the posts that were due until ``now``."""
        gone = 0
        while gone < len(self._scheduled) and self._scheduled[gone][0] <= now:
            gone += 1
        del self._scheduled[:gone]
        while self._next_slot <= now:
            if not self._next_up and not self._queue:
                slots = floor((now - self._first_slot) / self._timings.slot) + 1
                self._next_slot = max(self._first_slot + slots * self._timings.slot, self._next_slot)
                if self._next_slot <= now:
                    self._next_slot += self._timings.slot
                break
            post = (self._next_up or self._queue).popleft()
            post.leaves_at = self._next_slot
            self._next_slot += self._timings.slot
