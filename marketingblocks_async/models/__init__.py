"""The requests and responses of the API as pydantic models, one module for each resource.

Requests are strict, responses are tolerant. Nothing here does HTTP.
"""

from .base import Identifier, RequestModel, ResponseModel, UndocumentedResponse
from .channels import ChannelConnection, ConnectChannel
from .comment_automations import CommentAutomation, CreateCommentAutomation, UpdateCommentAutomation
from .enums import (
    ChannelType,
    GenerationPostType,
    GenerationStatus,
    PostStatus,
    PostStatusFilter,
    PostType,
    PrivacyStatus,
    PublishMode,
    TargetType,
    TriggerType,
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
from .schedule import AmbiguousTimeWarning

__all__ = [
    "AmbiguousTimeWarning",
    "ChannelConnection",
    "ChannelType",
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
    "GenerationStatus",
    "Identifier",
    "ListPosts",
    "Post",
    "PostList",
    "PostStatus",
    "PostStatusFilter",
    "PostType",
    "PrivacyStatus",
    "PublishMode",
    "RequestModel",
    "ResponseModel",
    "TargetType",
    "TriggerType",
    "TwitterThreadItem",
    "UndocumentedResponse",
    "UpcomingPosts",
    "UpcomingPostsQuery",
    "UpdateCommentAutomation",
    "YouTubeCategory",
    "YouTubeExtra",
]
