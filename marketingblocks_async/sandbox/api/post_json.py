"""Posts as JSON: as documented, and in the selectable shapes where the documentation is silent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from marketingblocks_async.models import PostStatus
from marketingblocks_async.sandbox.settings import CreatePostShape, GetPostsShape, Variants
from marketingblocks_async.sandbox.state.posts import SCHEDULE_FORMAT, SandboxPost, UpcomingPost


class PostJson:
    """Writes posts as the API would."""

    def __init__(self, variants: Variants) -> None:
        self._variants = variants

    def identifier(self, number: int) -> int | str:
        """Return an id that is documented as an integer."""
        return str(number) if self._variants.string_ids else number

    def created(self, post: SandboxPost, status: PostStatus) -> Any:
        """Return the response to create-post."""
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
        """Return the response to Find Post, as documented."""
        return {"post": self._post(post, status), "status": True}

    def listed(self, posts: Iterable[tuple[SandboxPost, PostStatus]]) -> Any:
        """Return the response to get-posts."""
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
        """Return the response to upcoming-posts, as documented; the format of ``schedule_time`` is a guess."""
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
