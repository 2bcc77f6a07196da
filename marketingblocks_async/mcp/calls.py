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

from .results import is_too_long

LISTED = 10
"""Posts that are listed unless the call says how many."""

MOST_LISTED = 50

LONGEST_TEXT = 200
"""Characters of a listed post's text."""

_THE_REST = (
    "For the rest, ask get_posts for one platform and one status at a time, if you have this tool. The person can get "
    "all with marketingblocks posts list --limit N."
)

_LONG_POST = (
    "The post is too long for a result, so its end is left off. The person can see all of it with marketingblocks "
    "posts get and its id."
)

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


async def read(client: MarketingBlocks, request: RequestModel) -> tuple[Any, str | None]:
    """Ask the API.

    Returns:
        What a result shows of the answer, as JSON values, and how to get what is left off; ``None`` if nothing is.

    """
    match request:
        case FindPost():
            post = _shown((await client.posts.get(request.post_id)).post, whole=True)
            return post, _LONG_POST if is_too_long(post) else None
        case ListPosts():
            limit = min(request.limit or LISTED, MOST_LISTED)
            posts = await client.posts.list(channels=request.channels, limit=limit, status=request.status)
            return _listed(posts, limit, request.limit)
        case UpcomingPostsQuery():
            limit = min(request.limit or LISTED, MOST_LISTED)
            return _listed(await client.posts.upcoming(limit=limit), limit, request.limit)
        case _:
            msg = f"{type(request).__name__} is no read"
            raise TypeError(msg)


def _listed(posts: Iterable[Post], limit: int, asked: int | None) -> tuple[dict[str, Any], str | None]:
    found = [_shown(post, whole=False) for post in posts]
    # The API may list more than it was asked for.
    shown = found[:limit]
    while shown and is_too_long({"posts": shown}):
        shown.pop()
    left_off = len(found) - len(shown)
    if left_off:
        told = f"{left_off} posts that the API listed are left off here."
    elif len(found) >= limit and limit != asked:
        told = f"There may be more than these {limit} posts."
    else:
        return {"posts": shown}, None
    more = f"A limit of up to {MOST_LISTED} lists more. " if len(shown) == limit < MOST_LISTED else ""
    counted = {"left_off": left_off} if left_off else {}
    return {"posts": shown, **counted}, f"{told} {more}{_THE_REST}"


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
