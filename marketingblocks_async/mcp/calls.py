"""From a validated request to a call of the client, and from its answer to what a result shows of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from marketingblocks_async import (
    ConnectChannel,
    CreateCommentAutomation,
    CreateGeneration,
    CreatePost,
    MarketingBlocks,
    Post,
    UpdateCommentAutomation,
)
from marketingblocks_async.models import FindPost, ListPosts, RequestModel, UpcomingPostsQuery
from marketingblocks_async.models.base import json_values

LISTED = 10
"""Posts that are listed unless the call says how many."""

MOST_LISTED = 50

LONGEST_TEXT = 200
"""Characters of a listed post's text."""

_SHOWN = ("post_id", "channel_type", "channel_id", "STATUS", "schedule_time", "permalink")


async def write(client: MarketingBlocks, request: RequestModel) -> BaseModel:
    """Send a write; return the API's answer."""
    match request:
        case CreatePost():
            return await client.posts.create(request)
        case CreateGeneration():
            return await client.generations.create(request)
        case ConnectChannel():
            return await client.channels.connect(request)
        case CreateCommentAutomation():
            return await client.comment_automations.create(request)
        case UpdateCommentAutomation():
            return await client.comment_automations.update(request)
        case _:
            msg = f"{type(request).__name__} is no write"
            raise TypeError(msg)


async def read(client: MarketingBlocks, request: RequestModel) -> Any:
    """Ask the API; return what a result shows of its answer, as JSON values."""
    match request:
        case FindPost():
            return _shown((await client.posts.get(request.post_id)).post, whole=True)
        case ListPosts():
            limit = min(request.limit or LISTED, MOST_LISTED)
            return _listed(
                await client.posts.list(channels=request.channels, limit=limit, status=request.status), limit
            )
        case UpcomingPostsQuery():
            limit = min(request.limit or LISTED, MOST_LISTED)
            return _listed(await client.posts.upcoming(limit=limit), limit)
        case _:
            msg = f"{type(request).__name__} is no read"
            raise TypeError(msg)


def _listed(posts: Iterable[Post], limit: int) -> dict[str, Any]:
    # The API may list more than it was asked for.
    found = list(posts)
    return {"posts": [_shown(post, whole=False) for post in found[:limit]]}


def _shown(post: Post, *, whole: bool) -> dict[str, Any]:
    values: dict[str, Any] = json_values(post, exclude_none=True)
    if whole:
        return values
    shown = {name: values[name] for name in _SHOWN if name in values}
    # Where a listed post has its text is not documented.
    texts = [value for name, value in values.items() if name not in _SHOWN and isinstance(value, str)]
    if texts:
        longest = max(texts, key=len)
        shown["text"] = longest if len(longest) <= LONGEST_TEXT else f"{longest[:LONGEST_TEXT]}…"
    return shown
