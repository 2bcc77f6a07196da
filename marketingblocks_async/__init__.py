"""Asyncio client for the MarketingBlocks API.

It keeps the API's rate limit as the server counts it. If it cannot tell whether a post was published, it says so
instead of publishing it twice. Start with ``MarketingBlocks``; everything public is importable from here.

A name is loaded when it is first used, so that a program which needs only the models does not load the HTTP client.
"""

import importlib
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from .calls.call import RawResponse
    from .calls.options import CallOverrides, ChangedOptions
    from .calls.retry import RetryPolicy
    from .client import MarketingBlocks
    from .endpoints import ENDPOINTS, Endpoint
    from .errors import (
        APIConnectionError,
        APIError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        CallError,
        ConfigurationError,
        ConflictError,
        Headers,
        InternalServerError,
        InvalidArgumentError,
        InvalidResponseError,
        MarketingBlocksError,
        NotFoundError,
        NotSentError,
        Outcome,
        OutcomeUnknownError,
        PermissionDeniedError,
        RateLimitedError,
        RateLimitError,
        ServerError,
        UnprocessableEntityError,
        UnreadableResponseError,
    )
    from .events import AttemptEvent, OutcomeEvent, RetryEvent, ThrottleEvent
    from .fleet import FleetSnapshot, TokenFleet
    from .limits.settings import Lane, Limiter, ManagedLimiter, RateLimit, RateLimiterSnapshot, SharedRateLimit
    from .limits.slots import ConnectionSlots
    from .middleware import HttpAnswer, HttpRequest, HttpResponse, Middleware, Send
    from .models import (
        AmbiguousTimeWarning,
        ChannelConnection,
        ChannelType,
        ChannelTypeName,
        CommentAutomation,
        ConnectChannel,
        CreateCommentAutomation,
        CreatedPost,
        CreateGeneration,
        CreatePost,
        FoundPost,
        Generation,
        GenerationPostType,
        GenerationPostTypeName,
        GenerationStatus,
        InvalidRequestError,
        PastTimeWarning,
        Post,
        PostList,
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
        TwitterThreadItem,
        UpcomingPosts,
        UpdateCommentAutomation,
        YouTubeCategory,
        YouTubeExtra,
    )
    from .observers import EventLog, Observer, ObserverOptions, observed_by
    from .resources.create_many import CreateMany, PostOutcome

__all__ = [
    "ENDPOINTS",
    "APIConnectionError",
    "APIError",
    "APITimeoutError",
    "AmbiguousTimeWarning",
    "AttemptEvent",
    "AuthenticationError",
    "BadRequestError",
    "CallError",
    "CallOverrides",
    "ChangedOptions",
    "ChannelConnection",
    "ChannelType",
    "ChannelTypeName",
    "CommentAutomation",
    "ConfigurationError",
    "ConflictError",
    "ConnectChannel",
    "ConnectionSlots",
    "CreateCommentAutomation",
    "CreateGeneration",
    "CreateMany",
    "CreatePost",
    "CreatedPost",
    "Endpoint",
    "EventLog",
    "FleetSnapshot",
    "FoundPost",
    "Generation",
    "GenerationPostType",
    "GenerationPostTypeName",
    "GenerationStatus",
    "Headers",
    "HttpAnswer",
    "HttpRequest",
    "HttpResponse",
    "InternalServerError",
    "InvalidArgumentError",
    "InvalidRequestError",
    "InvalidResponseError",
    "Lane",
    "Limiter",
    "ManagedLimiter",
    "MarketingBlocks",
    "MarketingBlocksError",
    "Middleware",
    "NotFoundError",
    "NotSentError",
    "Observer",
    "ObserverOptions",
    "Outcome",
    "OutcomeEvent",
    "OutcomeUnknownError",
    "PastTimeWarning",
    "PermissionDeniedError",
    "Post",
    "PostList",
    "PostOutcome",
    "PostStatus",
    "PostStatusFilter",
    "PostStatusFilterName",
    "PostType",
    "PostTypeName",
    "PrivacyStatus",
    "PrivacyStatusName",
    "PublishMode",
    "PublishModeName",
    "RateLimit",
    "RateLimitError",
    "RateLimitedError",
    "RateLimiterSnapshot",
    "RawResponse",
    "RetryEvent",
    "RetryPolicy",
    "Send",
    "ServerError",
    "SharedRateLimit",
    "TargetType",
    "TargetTypeName",
    "ThrottleEvent",
    "TokenFleet",
    "TriggerType",
    "TriggerTypeName",
    "TwitterThreadItem",
    "UnprocessableEntityError",
    "UnreadableResponseError",
    "UpcomingPosts",
    "UpdateCommentAutomation",
    "YouTubeCategory",
    "YouTubeExtra",
    "__version__",
    "observed_by",
]

# Where the names are, from what loads quickly to what loads everything.
_HOMES = (
    "errors",
    "endpoints",
    "models",
    "events",
    "middleware",
    "limits.settings",
    "calls.retry",
    "limits.slots",
    "calls.options",
    "observers",
    "calls.call",
    "resources.create_many",
    "client",
    "fleet",
)


def __getattr__(name: str) -> object:
    if name in __all__:
        for home in _HOMES:
            module = importlib.import_module(f"{__name__}.{home}")
            if hasattr(module, name):
                value: object = getattr(module, name)
                globals()[name] = value
                return value
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)
