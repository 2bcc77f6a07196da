"""The enumerations of the API reference.

Requests accept exactly these values, as members or as texts (the ``…Name`` types, which editors complete). In responses
a value that is not listed here arrives as a plain string, so that the client still works when the API adds one.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Annotated, Literal

from pydantic import Field


class ChannelType(StrEnum):
    """A social platform (``channel_type``)."""

    FACEBOOK = "facebook"
    INSTAGRAM = "instagram"
    YOUTUBE = "youtube"
    LINKEDIN = "linkedin"
    TIKTOK = "tiktok"
    THREADS = "threads"
    TWITTER = "twitter"


class PostType(StrEnum):
    """``post_type`` of create-post. ``tweet`` and ``thread`` belong to Twitter (inferred, so not enforced)."""

    POST = "post"
    REEL = "reel"
    STORY = "story"
    TWEET = "tweet"
    THREAD = "thread"


class PublishMode(StrEnum):
    """When a post goes out (``publish_mode``)."""

    NOW = "now"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SHARE_NEXT = "share_next"


class PrivacyStatus(StrEnum):
    """Visibility of a YouTube video (``privacyStatus``)."""

    PUBLIC = "public"
    PRIVATE = "private"
    UNLISTED = "unlisted"


class PostStatus(StrEnum):
    """A post's state, which the API sends under the upper-case name ``STATUS``.

    ``pending``: created, publishing has not begun. ``processing``: being published. ``scheduled``: has a set time.
    ``queued``: goes out in the next free slot of the user's queue. ``published``: live. ``failed``: publishing failed.
    ``draft`` is named in the documentation but not described.
    """

    PENDING = "pending"
    PROCESSING = "processing"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    PUBLISHED = "published"
    FAILED = "failed"
    DRAFT = "draft"


class PostStatusFilter(StrEnum):
    """The states that get-posts can be filtered by."""

    SCHEDULED = "scheduled"
    DRAFT = "draft"
    QUEUED = "queued"
    FAILED = "failed"
    PUBLISHED = "published"


class GenerationPostType(StrEnum):
    """``post_type`` of create-post-generation. It has other values than that of create-post."""

    TEXT_ONLY = "text_only"
    AI_IMAGE_POST = "ai_image_post"
    AI_BANNER_POST = "ai_banner_post"
    BREEL = "breel"
    TALKING_REEL = "talking_reel"
    FACELESS_REEL = "faceless_reel"


class GenerationStatus(StrEnum):
    """State of a generation job."""

    QUEUED = "queued"
    SUCCESS = "success"
    FAILED = "failed"


class TargetType(StrEnum):
    """The posts that a comment automation watches."""

    ALL = "all"
    POSTS = "posts"
    CAMPAIGNS = "campaigns"


class TriggerType(StrEnum):
    """The comments that a comment automation answers."""

    ANY = "any"
    KEYWORDS = "keywords"


class YouTubeCategory(IntEnum):
    """The documented video categories of YouTube. Every other id is accepted too.

    ``YouTubeCategory(44)`` works and equals ``44``: YouTube's own list is longer than the documented one.
    """

    FILM_AND_ANIMATION = 1
    AUTOS_AND_VEHICLES = 2
    MUSIC = 10
    PETS_AND_ANIMALS = 15
    SPORTS = 17
    SHORT_MOVIES = 18
    TRAVEL_AND_EVENTS = 19
    GAMING = 20
    VIDEOBLOGGING = 21
    PEOPLE_AND_BLOGS = 22

    @classmethod
    def _missing_(cls, value: object) -> YouTubeCategory | None:
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"CATEGORY_{value}"
        member._value_ = value
        return member

    def __reduce_ex__(self, protocol: object) -> tuple[type[YouTubeCategory], tuple[int]]:
        # Python 3.11.2 pickles and copies an enumeration by name, which finds no id but the documented ones.
        return type(self), (int(self),)


# The texts of the enumerations, for the types of arguments.
ChannelTypeName = Literal["facebook", "instagram", "youtube", "linkedin", "tiktok", "threads", "twitter"]
PostTypeName = Literal["post", "reel", "story", "tweet", "thread"]
PublishModeName = Literal["now", "scheduled", "queued", "share_next"]
PrivacyStatusName = Literal["public", "private", "unlisted"]
PostStatusFilterName = Literal["scheduled", "draft", "queued", "failed", "published"]
GenerationPostTypeName = Literal[
    "text_only", "ai_image_post", "ai_banner_post", "breel", "talking_reel", "faceless_reel"
]
TargetTypeName = Literal["all", "posts", "campaigns"]
TriggerTypeName = Literal["any", "keywords"]

# Left to right, because pydantic's smart union would keep every string a plain string.
OpenChannelType = Annotated[ChannelType | str, Field(union_mode="left_to_right")]
OpenPostStatus = Annotated[PostStatus | str, Field(union_mode="left_to_right")]
OpenGenerationStatus = Annotated[GenerationStatus | str, Field(union_mode="left_to_right")]
