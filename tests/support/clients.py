"""One call of each documented operation, and clients that do not make tests wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from marketingblocks_async import CreatePost, MarketingBlocks, RateLimit, RetryPolicy
from marketingblocks_async.sandbox import Sandbox

TOKEN = "mb_live_0123456789abcdef"
QUICK_RETRY = RetryPolicy(max_attempts=3, initial_backoff=0.01, max_backoff=0.02)

CALLS: dict[str, Callable[[MarketingBlocks], Awaitable[Any]]] = {
    "create-post": lambda client: client.posts.create(post()),
    "find-post": lambda client: client.posts.get(1),
    "get-posts": lambda client: client.posts.list(channels=["facebook"]),
    "upcoming-posts": lambda client: client.posts.upcoming(limit=3),
    "create-post-generation": lambda client: client.generations.create(post_type="breel", input="flower sales"),
    "connect-channel": lambda client: client.channels.connect(user_id="u-1"),
    "create-comment-automation": lambda client: client.comment_automations.create(name="bot", channels=[1]),
    "update-comment-automation": lambda client: client.comment_automations.update(comment_bot_id=1, name="robot"),
}
"""One call of each documented operation."""

WRITES_NOT_RESENT = {"create-post", "create-post-generation", "connect-channel", "create-comment-automation"}


def post(caption: str = "Hello") -> CreatePost:
    return CreatePost(
        channel_type="facebook",
        channel_id=123,
        post_type="post",
        caption_text=caption,
        media_urls=["https://example.com/a.jpg"],
        publish_mode="now",
    )


def client_at(base_url: str, **changes: Any) -> MarketingBlocks:
    """Return a client that retries quickly and has no rate limit unless it is given one."""
    settings: dict[str, Any] = {
        "token": TOKEN,
        "base_url": base_url,
        "rate_limit": RateLimit(limit=None),
        "retry": QUICK_RETRY,
        "timeout": 5.0,
    }
    return MarketingBlocks(**(settings | changes))


def client_of(sandbox: Sandbox, **changes: Any) -> MarketingBlocks:
    """Return such a client of the sandbox."""
    return client_at(**({"base_url": sandbox.base_url, "token": sandbox.token, "docs_url": sandbox.docs_url} | changes))
