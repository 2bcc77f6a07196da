"""The API as data: one ``Endpoint`` per documented operation.

The client, the error texts and the sandbox all read this table, so they cannot disagree about a path, a permission or
whether a call may be repeated. Anything else is not documented and is reached through `client.request()`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from .middleware import HttpResponse
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

ResultT_co = TypeVar("ResultT_co", covariant=True)
RequestT_co = TypeVar("RequestT_co", bound=RequestModel, covariant=True)
ResponseT_co = TypeVar("ResponseT_co", bound=BaseModel, covariant=True)

DEFAULT_BASE_URL = "https://app.marketingblocks.ai/api/v1"
"""The documented API root."""

DOCUMENTED_RATE = 100
"""The documented limit: requests per second of a token."""

PATH_PREFIX = "social-sparks"
"""All documented operations live below this part of the API root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(ABC, Generic[ResultT_co]):
    """What a call does; the same object for all calls of an endpoint.

    Attributes:
        name: what errors and events call it: the documented name, or the path of a generic call.
        method: HTTP method.
        permission: what the access token needs; ``None`` if that is not documented.
        resend_is_harmless: whether carrying it out twice leaves the same state as once. Only such calls are sent again
            when it is not known whether the first one arrived.

    """

    name: str
    method: str
    permission: str | None
    resend_is_harmless: bool

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing at the API."""
        return self.method in ("GET", "HEAD")

    @abstractmethod
    def decode(self, response: HttpResponse) -> ResultT_co:
        """Return the result that a response with a success status holds.

        Raises:
            ValueError: the body is no JSON, or not of the documented shape.

        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Operation[ResponseT_co], Generic[RequestT_co, ResponseT_co]):
    """One documented operation.

    Attributes:
        permission: what the access token needs; all documented operations need one.
        path: below the API root; ``{field}`` is filled from the request object.
        request: the request object's type.
        response: the response's type.
        summary: what it does, in one line.

    """

    permission: str
    path: str
    request: type[RequestT_co] = field(repr=False)
    response: type[ResponseT_co] = field(repr=False)
    summary: str = field(repr=False)

    def decode(self, response: HttpResponse) -> ResponseT_co:
        """Return the model that a response with a success status holds.

        Raises:
            ValueError: the body is no JSON, or not of the documented shape (then a ``pydantic.ValidationError``).

        """
        try:
            return self.response.model_validate_json(response.body)
        except ValidationError as exc:
            if exc.errors(include_url=False, include_context=False, include_input=False)[0]["type"] != "json_invalid":
                raise
        # Python's decoder accepts what pydantic's refuses: a byte order mark, half an emoji.
        return self.response.model_validate(response.json())


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

AnyEndpoint: TypeAlias = Endpoint[RequestModel, BaseModel]

ENDPOINTS: tuple[AnyEndpoint, ...] = (
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
