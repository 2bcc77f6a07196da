"""Requests and responses about posts: create, find, list, upcoming."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, SupportsIndex, cast, overload
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, field_validator, model_validator

from .base import (
    CommaSeparated,
    Identifier,
    NonBlank,
    PositiveNumber,
    RequestId,
    RequestModel,
    Requirements,
    ResponseModel,
    Text,
    Tolerant,
    UndocumentedResponse,
    WholeNumber,
    first_identifier,
    is_array,
    is_object,
)
from .enums import (
    ChannelType,
    ChannelTypeName,
    OpenChannelType,
    OpenPostStatus,
    PostStatusFilter,
    PostType,
    PostTypeName,
    PrivacyStatus,
    PrivacyStatusName,
    PublishMode,
    PublishModeName,
    YouTubeCategory,
)
from .media import check_media_url
from .schedule import WITH_OFFSET, moment_of, name_of, parse_schedule_text, split_moment, split_text, zone_of

_LARGEST_CATEGORY = 10**30


def _join_tags(value: Any) -> Any:
    if not isinstance(value, list | tuple | set | frozenset):
        return value
    tags: list[str] = []
    for given in cast("Iterable[object]", value):
        if not isinstance(given, str | int) or isinstance(given, bool):
            msg = f"{given!r} is not a hash tag; give a list of texts"
            raise ValueError(msg)  # noqa: TRY004 - pydantic turns only ValueError into its own
        tag = str(given).strip()
        if not tag or "," in tag or any(character.isspace() for character in tag):
            msg = f"{tag!r} cannot be a hash tag; a tag has text, and no comma or space, which separate tags"
            raise ValueError(msg)
        tags.append(tag)
    return ",".join(tags) or None


HashTags = Annotated[Text | None, BeforeValidator(_join_tags)]


MediaUrl = Annotated[NonBlank, AfterValidator(check_media_url)]
"""The http(s) address of one file, which a server on the internet could fetch."""


class TwitterThreadItem(RequestModel):
    """One tweet of a thread."""

    message: Text
    """The tweet's text."""
    media_urls: list[MediaUrl] | None = None
    """Addresses of its media, optional."""


class YouTubeExtra(RequestModel):
    """``post_extra`` of a YouTube post.

    One page of the documentation requires only the title, another all three fields, so all three are always sent.
    """

    title: NonBlank
    """Title of the video."""
    category: YouTubeCategory = YouTubeCategory.PEOPLE_AND_BLOGS
    """YouTube category id. The default is 22 (People & Blogs), the documentation's example."""
    privacy_status: PrivacyStatus = Field(default=PrivacyStatus.PUBLIC, alias="privacyStatus")
    """``public`` (default), ``private`` or ``unlisted`` (wire name ``privacyStatus``)."""

    if TYPE_CHECKING:
        # The types that callers may pass; the fields have those that they read.
        def __init__(
            self,
            *,
            title: str,
            category: int = YouTubeCategory.PEOPLE_AND_BLOGS,
            privacy_status: PrivacyStatus | PrivacyStatusName = "public",
        ) -> None: ...

    @field_validator("category", mode="before")
    @classmethod
    def _open_category(cls, value: Any) -> Any:
        number = value
        digits = isinstance(value, str) and re.fullmatch(r"\s*\d{1,30}\s*", value, re.ASCII)
        if digits or (isinstance(value, float) and value.is_integer()):
            number = int(value)
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= _LARGEST_CATEGORY:
            msg = f"{value!r:.60} is not a category id; give a number such as 22, or a YouTubeCategory"
            raise ValueError(msg)
        return YouTubeCategory(number)


class CreatePost(RequestModel):
    """One post on one channel (``POST create-post``, permission ``social-create-post``).

    Warns:
        AmbiguousTimeWarning: the clocks show ``schedule_time`` twice in its zone; the first one is taken.

    Raises:
        InvalidRequestError: a field is missing, unknown or of the wrong kind, or two fields contradict each other.

    """

    required_when: ClassVar[Requirements] = (
        ("publish_mode", "scheduled", ("schedule_time", "time_zone")),
        ("post_type", "thread", ("twitter_threads",)),
        ("channel_type", "youtube", ("post_extra",)),
    )

    channel_type: ChannelType
    """Platform, for example ``"facebook"``."""
    channel_id: WholeNumber
    """Id of the connected account."""
    post_type: PostType
    """``post``, ``reel``, ``story``, ``tweet`` or ``thread``."""
    caption_text: Text
    """The text."""
    media_urls: list[MediaUrl]
    """Public http(s) addresses of the media. The field is required; whether it may be empty is not known, so an empty
    list is sent."""
    publish_mode: PublishMode
    """``now``, ``scheduled``, ``queued`` or ``share_next``."""
    # Strict, since the validator below converts texts only: bytes would go out in a form that is not documented.
    schedule_time: str | None = Field(
        default=None,
        strict=True,
        description="For publish_mode scheduled: YYYY-MM-DD HH:MM, local to time_zone; or ISO 8601 with an offset. "
        "Whole minutes.",
        examples=["2027-01-08 14:30", "2027-01-08T14:30+01:00"],
    )
    """For ``scheduled`` only: the time in whole minutes.

    An aware ``datetime`` (its zone becomes ``time_zone``; an offset without a name becomes UTC), or a naive one or the
    documented string ``"YYYY-MM-DD HH:MM"`` together with ``time_zone``. A string may also be ISO 8601; with an offset,
    such as ``"2027-01-08T14:30+01:00"``, it is like an aware ``datetime``. Seconds of a ``datetime`` are cut, those of
    a string refused. Of a time that the clocks show twice, ``fold`` says which one is meant. The field then has the
    documented form.
    """
    time_zone: str | None = Field(
        default=None,
        strict=True,
        description="IANA name. Needed if schedule_time has no offset; otherwise the zone to express it in.",
        examples=["Africa/Lagos"],
    )
    """IANA name, for example ``"Africa/Lagos"``. With an aware datetime or an offset, the zone to express it in."""
    hash_tags: HashTags = None
    """One string, or a list of tags."""
    twitter_threads: list[TwitterThreadItem] | None = None
    """The tweets of a thread. Required for ``post_type="thread"``."""
    post_extra: YouTubeExtra | None = None
    """Title, category and privacy. Required for ``channel_type="youtube"``."""

    if TYPE_CHECKING:
        # The types that callers may pass; the fields have those that they read.
        def __init__(
            self,
            *,
            channel_type: ChannelType | ChannelTypeName,
            channel_id: int | str,
            post_type: PostType | PostTypeName,
            caption_text: str,
            media_urls: Sequence[str],
            publish_mode: PublishMode | PublishModeName,
            schedule_time: datetime | str | None = None,
            time_zone: str | None = None,
            hash_tags: str | Sequence[str] | None = None,
            twitter_threads: Sequence[TwitterThreadItem | Mapping[str, Any]] | None = None,
            post_extra: YouTubeExtra | Mapping[str, Any] | None = None,
        ) -> None: ...

    @property
    def scheduled_at(self) -> datetime | None:
        """``schedule_time`` in ``time_zone`` as an aware datetime; ``None`` if the post is not scheduled."""
        return moment_of(self.schedule_time, self.time_zone)

    @model_validator(mode="before")
    @classmethod
    def _split_schedule_time(cls, data: Any) -> Any:
        if not is_object(data):
            return data
        # As in a file, an empty text is no value.
        if "" in (data.get("schedule_time"), data.get("time_zone")):
            data = {**data, **{name: None for name in ("schedule_time", "time_zone") if data.get(name) == ""}}
        zone, moment = data.get("time_zone"), data.get("schedule_time")
        if isinstance(zone, ZoneInfo):
            if isinstance(moment, datetime) and name_of(zone) is None:
                # A zone without a name cannot be sent, but it can say which moment is meant.
                moment, zone = moment if moment.utcoffset() is not None else moment.replace(tzinfo=zone), None
            else:
                zone = zone.key
            data = {**data, "time_zone": zone}
        if isinstance(moment, datetime):
            if zone is not None and not isinstance(zone, str):
                msg = f"time_zone must be an IANA name such as 'Africa/Lagos', not {zone!r:.60}"
                raise ValueError(msg)
            schedule_time, time_zone = split_moment(moment, zone)
            return {**data, "schedule_time": schedule_time, "time_zone": time_zone}
        if isinstance(moment, str) and isinstance(zone, str | None):
            try:
                schedule_time, time_zone = split_text(moment, zone)
            except ValueError:
                # The fields' own checks say what is wrong with each, and the last one what is wrong with both.
                return data
            return {**data, "schedule_time": schedule_time, "time_zone": time_zone}
        return data

    @field_validator("schedule_time")
    @classmethod
    def _check_schedule_time(cls, value: str | None) -> str | None:
        if value is not None:
            parse_schedule_text(value)
        return value

    @field_validator("time_zone")
    @classmethod
    def _check_time_zone(cls, value: str | None) -> str | None:
        if value is not None:
            zone_of(value)
        return value

    @model_validator(mode="after")
    def _check_fields_together(self) -> Self:
        if self.publish_mode is PublishMode.SCHEDULED:
            if self.schedule_time is None:
                msg = f"publish_mode 'scheduled' needs schedule_time: 'YYYY-MM-DD HH:MM', or {WITH_OFFSET}"
                raise ValueError(msg)
            split_text(self.schedule_time, self.time_zone)
        elif self.schedule_time is not None:
            # The server would ignore the time and publish at once.
            msg = f"schedule_time is only for publish_mode 'scheduled', not {self.publish_mode.value!r}; change either"
            raise ValueError(msg)
        if self.post_type is PostType.THREAD and not self.twitter_threads:
            msg = "post_type 'thread' needs twitter_threads: a list of at least one {'message': …, 'media_urls': […]}"
            raise ValueError(msg)
        if self.channel_type is ChannelType.YOUTUBE and self.post_extra is None:
            msg = "channel_type 'youtube' needs post_extra: {'title': …, 'category': 22, 'privacyStatus': 'public'}"
            raise ValueError(msg)
        return self


class ListPosts(RequestModel):
    """Query of ``GET get-posts`` (permission ``social-read-posts``)."""

    channels: Annotated[list[ChannelType], CommaSeparated, Field(min_length=1)]
    """At least one platform, as a list or one comma-separated string. Whether ``threads`` is accepted is not known."""
    limit: PositiveNumber | None = None
    """The most posts to return, above 0. The API's default "varies"."""
    status: Annotated[Annotated[list[PostStatusFilter], Field(min_length=1)] | None, CommaSeparated] = None
    """States to filter by, as a list or one comma-separated string."""


class UpcomingPostsQuery(RequestModel):
    """Query of ``GET upcoming-posts`` (permission ``social-read-posts``)."""

    limit: PositiveNumber | None = None
    """The most posts to return, above 0. The API's default is 10."""


class FindPost(RequestModel):
    """Path of ``GET post/{post_id}`` (permission ``social-view-post``)."""

    post_id: RequestId
    """Id of the post."""

    @field_validator("post_id")
    @classmethod
    def _check_post_id(cls, value: Identifier) -> Identifier:
        if value in (".", ".."):
            msg = "post_id is the id that create or list returned, for example 1246"
            raise ValueError(msg)
        return value


class Post(ResponseModel):
    """A post as the API reports it. Every field may be missing, and unknown ones are kept."""

    post_id: Tolerant[Identifier | None] = None
    """Id of the post."""
    channel_type: Tolerant[OpenChannelType | None] = None
    """Platform."""
    channel_id: Tolerant[Identifier | None] = None
    """Connected account. The documentation shows a string here and an integer in requests."""
    # The field has the wire's name, so a lower-case "status" in the response is another name, in dumps too.
    STATUS: Tolerant[OpenPostStatus | None] = None
    """The post's state. A lower-case ``status`` in the response is in ``model_extra`` and never confused with it."""
    permalink: Tolerant[str | None] = None
    """Address of the live post; ``None`` or absent before publishing (inferred)."""
    schedule_time: Any = None
    """Time at which it will go out, as the API wrote it. The format in responses is not documented."""

    @property
    def post_status(self) -> OpenPostStatus | None:
        """The post's state: the same as ``STATUS``, under the name that ``FoundPost`` and ``CreatedPost`` have too."""
        return self.STATUS

    @property
    def status(self) -> OpenPostStatus | None:
        """The same as ``post_status``. The ``status`` of ``FoundPost`` and ``CreatedPost`` is that of the call."""
        return self.STATUS

    @property
    def scheduled_at(self) -> datetime | None:
        """``schedule_time`` as an aware datetime, if its zone is known and its form is a usual one (inferred).

        The zone is the offset in the text, or a ``time_zone`` beside it.
        """
        return moment_of(self.schedule_time, (self.model_extra or {}).get("time_zone"))


class FoundPost(ResponseModel):
    """Response of Find Post. The post's own fields can be read from it: ``found.post_id`` is ``found.post.post_id``."""

    post: Post
    """The post."""
    status: Tolerant[StrictBool | None] = None
    """``True`` in the documented response: the call succeeded. The post's state is ``post_status``."""

    @property
    def post_id(self) -> Identifier | None:
        """Id of the post."""
        return self.post.post_id

    @property
    def channel_type(self) -> OpenChannelType | None:
        """Platform of the post."""
        return self.post.channel_type

    @property
    def channel_id(self) -> Identifier | None:
        """Connected account of the post."""
        return self.post.channel_id

    @property
    def permalink(self) -> str | None:
        """Address of the live post, if it is live."""
        return self.post.permalink

    @property
    def post_status(self) -> OpenPostStatus | None:
        """The post's state, not the response's boolean ``status``."""
        return self.post.STATUS

    @property
    def STATUS(self) -> OpenPostStatus | None:  # noqa: N802 - the API's own name for it
        """The same as ``post_status``."""
        return self.post.STATUS


class CreatedPost(UndocumentedResponse):
    """Response of create-post. Its shape is not documented; ``raw`` has all of it.

    ``post_id`` and ``post_status`` are looked up at the top and under ``post`` and ``data`` (inferred).
    """

    @property
    def post_id(self) -> Identifier | None:
        """Id of the new post, or ``None`` if none can be recognised."""
        for name in ("post_id", "id"):
            for place in self._places:
                if (found := first_identifier(place, name)) is not None:
                    return found
        return None

    @property
    def permalink(self) -> str | None:
        """Address of the live post, if the response has one (inferred)."""
        return self._first_text("permalink")

    @property
    def post_status(self) -> str | None:
        """The post's ``STATUS``, if the response has one."""
        return self._first_text("STATUS")

    def _first_text(self, name: str) -> str | None:
        for place in self._places:
            if isinstance(value := place.get(name), str):
                return value
        return None

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        yield from (("post_id", self.post_id), ("post_status", self.post_status), ("raw", self.root))

    @cached_property
    def _places(self) -> list[dict[str, Any]]:
        """The objects of the response in which the post's fields may be, the outer ones first."""
        found: list[dict[str, Any]] = []
        pending: list[Any] = [self.root]
        for each in pending:
            place = each[0] if is_array(each) and len(each) == 1 else each
            if is_object(place):
                found.append(place)
                pending += [place[name] for name in ("post", "data") if name in place]
        return found


class PostList(UndocumentedResponse):
    """Response of get-posts. Its shape is not documented; ``raw`` has all of it.

    Iterating yields every object with a ``post_id``, in the order of the response, whether the list is flat, inside an
    envelope, or grouped by channel.
    """

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        yield "posts", self.posts
        if not self.posts:
            # Perhaps none was recognised.
            yield "raw", self.root

    @cached_property
    def posts(self) -> list[Post]:
        """The posts that can be recognised in the response."""
        return [Post.model_validate(item) for item in _objects_with_post_id(self.root)]

    @overload
    def __getitem__(self, index: SupportsIndex) -> Post: ...

    @overload
    def __getitem__(self, index: slice) -> list[Post]: ...

    def __getitem__(self, index: SupportsIndex | slice) -> Post | list[Post]:
        return self.posts[index]

    def __iter__(self) -> Iterator[Post]:  # type: ignore[override]  # iterates over posts, not over fields
        return iter(self.posts)

    def __len__(self) -> int:
        return len(self.posts)


def _objects_with_post_id(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the posts in ``value``, depth first and in order."""
    # Without recursion, since the server decides how deep it is nested.
    pending: list[Any] = [value]
    while pending:
        item = pending.pop()
        if is_array(item):
            pending += reversed(item)
        elif is_object(item) and "post_id" in item:
            yield item
        elif is_object(item):
            pending += reversed(item.values())


class UpcomingPosts(ResponseModel):
    """Response of upcoming-posts: posts that are scheduled, queued or next to share, nearest first.

    Iterating yields the posts.
    """

    up_coming: list[Post] | None
    """The posts, or ``None`` if the API sent ``null``."""

    @property
    def posts(self) -> list[Post]:
        """The same as ``up_coming``."""
        return self.up_coming or []

    @overload
    def __getitem__(self, index: SupportsIndex) -> Post: ...

    @overload
    def __getitem__(self, index: slice) -> list[Post]: ...

    def __getitem__(self, index: SupportsIndex | slice) -> Post | list[Post]:
        return self.posts[index]

    def __iter__(self) -> Iterator[Post]:  # type: ignore[override]  # iterates over posts, not over fields
        return iter(self.posts)

    def __len__(self) -> int:
        return len(self.posts)
