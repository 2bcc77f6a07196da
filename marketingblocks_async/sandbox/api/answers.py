"""What the sandbox answers: the documented bodies, and the selectable guesses where the documentation is silent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import ConfigDict

from marketingblocks_async.models import PostStatus
from marketingblocks_async.sandbox.state.posts import SCHEDULE_FORMAT, SandboxPost, UpcomingPost

JSON = "application/json"

EXPIRED_OR_INVALID = "Access token has expired or is invalid."
"""The one error message that the documentation shows."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer before it is sent.

    Attributes:
        status: HTTP status.
        body: the body's bytes.
        headers: further headers.
        content_type: type of the body.

    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    content_type: str = JSON


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return ``value`` as a JSON answer."""
    return Answer(status, json.dumps(value).encode(), headers or {})


def error(
    status: int,
    message: str,
    *,
    errors: Mapping[str, list[str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Return a documented error body.

    Args:
        status: HTTP status.
        message: the reason.
        errors: messages by field; that there is such a map is a guess.
        headers: further headers.

    """
    body: dict[str, Any] = {"status": False, "message": message}
    if errors is not None:
        body["errors"] = errors
    return json_answer(body, status, headers)


class CreatePostShape(StrEnum):
    """What create-post answers, which the documentation does not say.

    ``flat``: ``{"status": true, "post_id": 7, ...}``. ``nested``: the post is under ``post``. ``data``: it is under
    ``data``. ``minimal``: ``{"status": true}``.
    """

    FLAT = "flat"
    NESTED = "nested"
    DATA = "data"
    MINIMAL = "minimal"


class GetPostsShape(StrEnum):
    """What get-posts answers, which the documentation does not say.

    ``posts``: ``{"status": true, "posts": [...]}``. ``list``: the bare array. ``data``: ``{"status": true, "data":
    [...]}``. ``grouped``: ``{"status": true, "posts": {"facebook": [...], ...}}``.
    """

    POSTS = "posts"
    LIST = "list"
    DATA = "data"
    GROUPED = "grouped"


@dataclass(frozen=True, slots=True)
class Variants:
    """Which of the undocumented answers the sandbox gives.

    Attributes:
        create_post: shape of create-post's answer.
        get_posts: shape of get-posts' answer.
        string_ids: all ids are strings.
        unknown_status: every ``STATUS`` is a word that the documentation does not know.
        extra_fields: posts carry more fields than documented, among them ``caption_text`` and ``schedule_time``.
        missing_permission: status for a missing permission; ``None`` for 403, and 401 at create-post-generation, as the
            documentation's pages have it.
        update_resets_defaults: update-comment-automation resets an omitted ``target_type`` or ``trigger_type`` to its
            default instead of keeping it.

    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    create_post: CreatePostShape = CreatePostShape.FLAT
    get_posts: GetPostsShape = GetPostsShape.POSTS
    string_ids: bool = False
    unknown_status: bool = False
    extra_fields: bool = False
    missing_permission: int | None = None
    update_resets_defaults: bool = False


class PostAnswers:
    """Writes posts as the API would.

    Args:
        variants: which guesses to follow.

    """

    def __init__(self, variants: Variants) -> None:
        self._variants = variants

    def identifier(self, number: int) -> int | str:
        """Return an id that is documented as an integer."""
        return str(number) if self._variants.string_ids else number

    def created(self, post: SandboxPost, status: PostStatus) -> Any:
        """Return the answer of create-post."""
        match self._variants.create_post:
            case CreatePostShape.MINIMAL:
                return {"status": True}
            case CreatePostShape.NESTED:
                return {"status": True, "message": "Post created.", "post": self._post(post, status)}
            case CreatePostShape.DATA:
                return {"status": True, "message": "Post created.", "data": self._post(post, status)}
            case CreatePostShape.FLAT:
                return {"status": True, "message": "Post created.", "post_id": self.identifier(post.post_id)}

    def found(self, post: SandboxPost, status: PostStatus) -> Any:
        """Return the answer of Find Post, as documented."""
        return {"post": self._post(post, status), "status": True}

    def listed(self, posts: Iterable[tuple[SandboxPost, PostStatus]]) -> Any:
        """Return the answer of get-posts."""
        items = [self._post(post, status) for post, status in posts]
        match self._variants.get_posts:
            case GetPostsShape.LIST:
                return items
            case GetPostsShape.DATA:
                return {"status": True, "data": items}
            case GetPostsShape.GROUPED:
                groups: dict[str, list[dict[str, Any]]] = {}
                for item in items:
                    groups.setdefault(item["channel_type"], []).append(item)
                return {"status": True, "posts": groups}
            case GetPostsShape.POSTS:
                return {"status": True, "posts": items}

    def upcoming(self, items: Iterable[tuple[UpcomingPost, PostStatus]]) -> Any:
        """Return the answer of upcoming-posts, as documented; the format of ``schedule_time`` is a guess."""
        return {"up_coming": [self._upcoming(item, status) for item, status in items]}

    def _post(self, post: SandboxPost, status: PostStatus) -> dict[str, Any]:
        fields = self._identity(post, status)
        published = status is PostStatus.PUBLISHED
        fields["permalink"] = f"https://{post.channel_type}.example/posts/{post.post_id}" if published else None
        if self._variants.extra_fields:
            fields |= self._extras(post)
            if status is PostStatus.FAILED:
                fields["failure_reason"] = "The platform refused the post."
        return fields

    def _upcoming(self, item: UpcomingPost, status: PostStatus) -> dict[str, Any]:
        fields = self._identity(item.post, status)
        if self._variants.extra_fields:
            fields |= self._extras(item.post)
        request = item.post.request if status is PostStatus.SCHEDULED else {}
        fields["schedule_time"] = request.get("schedule_time") or datetime.fromtimestamp(item.leaves_at, UTC).strftime(
            SCHEDULE_FORMAT
        )
        return fields

    def _identity(self, post: SandboxPost, status: PostStatus) -> dict[str, Any]:
        return {
            "post_id": self.identifier(post.post_id),
            "channel_type": post.channel_type,
            "channel_id": str(post.channel_id),
            "STATUS": "awaiting_review" if self._variants.unknown_status else status.value,
        }

    @staticmethod
    def _extras(post: SandboxPost) -> dict[str, Any]:
        extras = {
            name: value
            for name, value in post.request.items()
            if name not in {"post_id", "channel_type", "channel_id", "STATUS", "permalink"}
        }
        created = datetime.fromtimestamp(post.created_at, UTC).isoformat()
        return {**extras, "created_at": created, "status": "ok", "insights": {"likes": 0}}
