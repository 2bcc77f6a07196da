"""The requests and responses of the API as pydantic models, one module for each resource.

Requests are strict, responses are tolerant. Nothing here does HTTP.
"""

from .base import Identifier, InvalidRequestError, RequestModel, ResponseModel, UndocumentedResponse
from .channels import ChannelConnection, ConnectChannel
from .comment_automations import CommentAutomation, CreateCommentAutomation, UpdateCommentAutomation
from .enums import (
    ChannelType,
    ChannelTypeName,
    GenerationPostType,
    GenerationPostTypeName,
    GenerationStatus,
    PostStatus,
    PostStatusFilter,
    PostStatusFilterName,
    PostType,
    PostTypeName,
    PrivacyStatus,
    PrivacyStatusName,
    PublishMode,
    PublishModeName,
    TargetType,
    TargetTypeName,
    TriggerType,
    TriggerTypeName,
    YouTubeCategory,
)
from .generations import CreateGeneration, Generation
from .posts import (
    CreatedPost,
    CreatePost,
    FindPost,
    FoundPost,
    ListPosts,
    Post,
    PostList,
    TwitterThreadItem,
    UpcomingPosts,
    UpcomingPostsQuery,
    YouTubeExtra,
)
from .schedule import AmbiguousTimeWarning, PastTimeWarning

__all__ = [
    "AmbiguousTimeWarning",
    "ChannelConnection",
    "ChannelType",
    "ChannelTypeName",
    "CommentAutomation",
    "ConnectChannel",
    "CreateCommentAutomation",
    "CreateGeneration",
    "CreatePost",
    "CreatedPost",
    "FindPost",
    "FoundPost",
    "Generation",
    "GenerationPostType",
    "GenerationPostTypeName",
    "GenerationStatus",
    "Identifier",
    "InvalidRequestError",
    "ListPosts",
    "PastTimeWarning",
    "Post",
    "PostList",
    "PostStatus",
    "PostStatusFilter",
    "PostStatusFilterName",
    "PostType",
    "PostTypeName",
    "PrivacyStatus",
    "PrivacyStatusName",
    "PublishMode",
    "PublishModeName",
    "RequestModel",
    "ResponseModel",
    "TargetType",
    "TargetTypeName",
    "TriggerType",
    "TriggerTypeName",
    "TwitterThreadItem",
    "UndocumentedResponse",
    "UpcomingPosts",
    "UpcomingPostsQuery",
    "UpdateCommentAutomation",
    "YouTubeCategory",
    "YouTubeExtra",
]

for _found in tuple(globals().values()):
    if isinstance(_found, type) and issubclass(_found, RequestModel | ResponseModel):
        # A model's own schema is built on first use all the same, but a TypeAdapter around one at once: FastAPI makes
        # one for each request body, and silences a warning of pydantic only while it does.
        _found.model_config["defer_build"] = False
