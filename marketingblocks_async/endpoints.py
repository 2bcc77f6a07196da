"""The API as data: one :class:`Endpoint` per documented operation.

The client, the error texts and the sandbox all read this table, so they cannot disagree about a path, a permission or
whether a call may be repeated. What is not here is not documented and is reached through ``client.request()``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import BaseModel

from .models import (
    ChannelConnection,
    CommentAutomation,
    ConnectChannel,
    CreateCommentAutomation,
    CreatedPost,
    CreateGeneration,
    CreatePost,
    FindPost,
    FoundPost,
    Generation,
    ListPosts,
    PostList,
    RequestModel,
    UpcomingPosts,
    UpcomingPostsQuery,
    UpdateCommentAutomation,
)

RequestT_co = TypeVar("RequestT_co", bound=RequestModel, covariant=True)
ResponseT_co = TypeVar("ResponseT_co", bound=BaseModel, covariant=True)

DEFAULT_BASE_URL = "https://app.marketingblocks.ai/api/v1"
"""The documented API root."""

DOCUMENTED_RATE = 100
"""The documented limit: requests per second of a token."""

PATH_PREFIX = "social-sparks"
"""All documented operations live below this part of the API root."""


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[RequestT_co, ResponseT_co]):
    """One documented operation.

    Attributes:
        name: the operation as the documentation spells it; also what errors and events call it.
        method: HTTP method.
        path: below the API root; ``{field}`` is filled from the request object.
        permission: what the access token needs.
        request: the request object's type.
        response: the answer's type.
        resend_is_harmless: whether carrying it out twice leaves the same state as once. Only such calls are sent again
            when it is not known whether the first one arrived.
        summary: what it does, in one line.

    """

    name: str
    method: str
    path: str
    permission: str
    request: type[RequestT_co] = field(repr=False)
    response: type[ResponseT_co] = field(repr=False)
    resend_is_harmless: bool
    summary: str = field(repr=False)


CREATE_POST = Endpoint(
    name="create-post",
    method="POST",
    path=f"{PATH_PREFIX}/create-post",
    permission="social-create-post",
    request=CreatePost,
    response=CreatedPost,
    resend_is_harmless=False,
    summary="Create one post on one channel.",
)
FIND_POST = Endpoint(
    name="find-post",
    method="GET",
    path=f"{PATH_PREFIX}/post/{{post_id}}",
    permission="social-view-post",
    request=FindPost,
    response=FoundPost,
    resend_is_harmless=True,
    summary="Find one post by its id.",
)
GET_POSTS = Endpoint(
    name="get-posts",
    method="GET",
    path=f"{PATH_PREFIX}/get-posts",
    permission="social-read-posts",
    request=ListPosts,
    response=PostList,
    resend_is_harmless=True,
    summary="List posts of some platforms.",
)
UPCOMING_POSTS = Endpoint(
    name="upcoming-posts",
    method="GET",
    path=f"{PATH_PREFIX}/upcoming-posts",
    permission="social-read-posts",
    request=UpcomingPostsQuery,
    response=UpcomingPosts,
    resend_is_harmless=True,
    summary="List what goes out next, nearest first.",
)
CREATE_POST_GENERATION = Endpoint(
    name="create-post-generation",
    method="POST",
    path=f"{PATH_PREFIX}/create-post-generation",
    permission="social-post-generation",
    request=CreateGeneration,
    response=Generation,
    resend_is_harmless=False,
    summary="Ask for a post made by AI.",
)
CONNECT_CHANNEL = Endpoint(
    name="connect-channel",
    method="POST",
    path=f"{PATH_PREFIX}/connect-channel",
    permission="add-channels",
    request=ConnectChannel,
    response=ChannelConnection,
    resend_is_harmless=False,
    summary="Start the hosted sign-in that connects a social account.",
)
CREATE_COMMENT_AUTOMATION = Endpoint(
    name="create-comment-automation",
    method="POST",
    path=f"{PATH_PREFIX}/create-comment-automation",
    permission="create-comment-automation",
    request=CreateCommentAutomation,
    response=CommentAutomation,
    resend_is_harmless=False,
    summary="Create a bot that answers comments.",
)
UPDATE_COMMENT_AUTOMATION = Endpoint(
    name="update-comment-automation",
    method="PUT",
    path=f"{PATH_PREFIX}/update-comment-automation",
    permission="update-comment-automation",
    request=UpdateCommentAutomation,
    response=CommentAutomation,
    # It sets fields to given values; setting them twice changes nothing more.
    resend_is_harmless=True,
    summary="Change a comment automation.",
)

ENDPOINTS: tuple[Endpoint[RequestModel, BaseModel], ...] = (
    CREATE_POST,
    FIND_POST,
    GET_POSTS,
    UPCOMING_POSTS,
    CREATE_POST_GENERATION,
    CONNECT_CHANNEL,
    CREATE_COMMENT_AUTOMATION,
    UPDATE_COMMENT_AUTOMATION,
)
"""Every documented operation."""
