"""The work that all contestants do: numbered posts, so that order and copies can be told apart at the server."""

from __future__ import annotations

from typing import Any

from marketingblocks_async import CreatePost


def post(number: int = 0) -> CreatePost:
    """Return post no. ``number``."""
    return CreatePost(
        channel_type="facebook",
        channel_id=123,
        post_type="post",
        caption_text=f"Post no. {number}",
        media_urls=["https://example.com/a.jpg"],
        publish_mode="now",
    )


def number_of(request: dict[str, Any]) -> int:
    """Return the number of the post that a request created."""
    return int(str(request["caption_text"]).rpartition(" ")[2])
