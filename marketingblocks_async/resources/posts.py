"""``client.posts``."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Unpack, overload

from marketingblocks_async.calls.call import Call
from marketingblocks_async.calls.options import CallOverrides
from marketingblocks_async.endpoints import CREATE_POST, FIND_POST, GET_POSTS, UPCOMING_POSTS
from marketingblocks_async.limits.settings import Lane
from marketingblocks_async.models import (
    ChannelType,
    ChannelTypeName,
    CreatedPost,
    CreatePost,
    FindPost,
    FoundPost,
    Identifier,
    ListPosts,
    PastTimeWarning,
    PostList,
    PostStatusFilter,
    PostStatusFilterName,
    PostType,
    PostTypeName,
    PublishMode,
    PublishModeName,
    TwitterThreadItem,
    UpcomingPosts,
    UpcomingPostsQuery,
    YouTubeExtra,
)
from marketingblocks_async.models.schedule import explain_past

from .base import Resource, request_from
from .create_many import CreateMany, StoredPost
from .raw import RawForm, raw_form


class Posts(Resource):
    """Posts: create, find, list."""

    @property
    def with_raw_response(self) -> RawPosts:
        """The same methods; each returns the whole response, a ``RawResponse``, with the result in it."""
        return RawPosts(self._executor, type(self))

    @overload
    async def create(self, post: CreatePost, /, **overrides: Unpack[CallOverrides]) -> CreatedPost: ...

    @overload
    async def create(
        self,
        /,
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
        **overrides: Unpack[CallOverrides],
    ) -> CreatedPost: ...

    async def create(
        self,
        post: CreatePost | None = None,
        /,
        *,
        channel_type: ChannelType | ChannelTypeName | None = None,
        channel_id: int | str | None = None,
        post_type: PostType | PostTypeName | None = None,
        caption_text: str | None = None,
        media_urls: Sequence[str] | None = None,
        publish_mode: PublishMode | PublishModeName | None = None,
        schedule_time: datetime | str | None = None,
        time_zone: str | None = None,
        hash_tags: str | Sequence[str] | None = None,
        twitter_threads: Sequence[TwitterThreadItem | Mapping[str, Any]] | None = None,
        post_extra: YouTubeExtra | Mapping[str, Any] | None = None,
        **overrides: Unpack[CallOverrides],
    ) -> CreatedPost:
        """Create one post on one channel.

        Args:
            post: a ready-made ``CreatePost``, instead of the keyword arguments, which are its fields.
            channel_type: platform, for example ``"facebook"``.
            channel_id: id of the connected account.
            post_type: ``post``, ``reel``, ``story``, ``tweet`` or ``thread``.
            caption_text: the text.
            media_urls: addresses of the media; may be empty as far as is known.
            publish_mode: ``now``, ``scheduled``, ``queued`` or ``share_next``.
            schedule_time: for ``scheduled``: an aware ``datetime`` or a string with an offset (ISO 8601), or a naive
                ``datetime`` or ``"YYYY-MM-DD HH:MM"`` together with ``time_zone``.
            time_zone: IANA name.
            hash_tags: one string, or a list of tags.
            twitter_threads: required for ``post_type="thread"``.
            post_extra: required for ``channel_type="youtube"``.
            overrides: ``timeout``, ``max_retries``, ``extra_body`` and others for this call; see ``CallOverrides``.

        Returns:
            The response; its shape is not documented, ``post_id`` is looked up where it probably is.

        Warns:
            PastTimeWarning: ``schedule_time`` is past, so the API may publish the post at once.
            AmbiguousTimeWarning: the clocks show ``schedule_time`` twice in its zone; the first one is taken.

        Raises:
            InvalidRequestError: the arguments make no valid post.
            OutcomeUnknownError: the post may have been created; it was not sent again.
            NotSentError: it was certainly not created.
            APIError: the API refused it.
            UnreadableResponseError: the API accepted it with a response that cannot be read (also an
                ``OutcomeUnknownError``).

        Documented on the page "Create Post" of the API reference.

        """
        request = request_from(
            CreatePost,
            post,
            # Not in a variable of its own, which would take up memory for as long as the call waits.
            {
                "channel_type": channel_type,
                "channel_id": channel_id,
                "post_type": post_type,
                "caption_text": caption_text,
                "media_urls": media_urls,
                "publish_mode": publish_mode,
                "schedule_time": schedule_time,
                "time_zone": time_zone,
                "hash_tags": hash_tags,
                "twitter_threads": twitter_threads,
                "post_extra": post_extra,
            },
            overrides,
        )
        if request.schedule_time is not None and (problem := explain_past(request.scheduled_at)) is not None:
            warnings.warn(problem, PastTimeWarning, stacklevel=2)
        running = self._run(CREATE_POST, request, overrides)
        # It would take up memory for as long as the call waits.
        del overrides
        return await running

    async def get(self, post_id: Identifier, **overrides: Unpack[CallOverrides]) -> FoundPost:
        """Find one post by its id.

        Args:
            post_id: the id that creating or listing returned.
            overrides: ``timeout``, ``max_retries``, ``extra_query`` and others for this call; see ``CallOverrides``.

        Returns:
            The post in its envelope; the post's fields can be read from either.

        Raises:
            NotFoundError: there is no such post.
            MarketingBlocksError: the call failed otherwise.

        Documented on the page "Find Post" of the API reference.

        """
        return await self._run(FIND_POST, FindPost(post_id=post_id), overrides)

    async def list(
        self,
        *,
        channels: Sequence[ChannelType | ChannelTypeName] | str,
        limit: int | None = None,
        status: Sequence[PostStatusFilter | PostStatusFilterName] | str | None = None,
        **overrides: Unpack[CallOverrides],
    ) -> PostList:
        """List posts of some platforms.

        Args:
            channels: platform names, as a list or one comma-separated string.
            limit: how many posts at most, above 0; the API's default "varies".
            status: ``scheduled``, ``draft``, ``queued``, ``failed``, ``published``; one or more.
            overrides: ``timeout``, ``max_retries``, ``extra_query`` and others for this call; see ``CallOverrides``.

        Returns:
            The response, whose shape is not documented; iterating yields the posts that could be recognised in it.

        Raises:
            InvalidRequestError: the arguments make no valid query.
            MarketingBlocksError: the call failed.

        Documented on the page "Get Posts" of the API reference.

        """
        query = request_from(ListPosts, None, {"channels": channels, "limit": limit, "status": status}, overrides)
        return await self._run(GET_POSTS, query, overrides)

    async def upcoming(self, *, limit: int | None = None, **overrides: Unpack[CallOverrides]) -> UpcomingPosts:
        """List the posts that are scheduled, queued or next to share, nearest first.

        Args:
            limit: how many posts at most, above 0; the API's own default is 10.
            overrides: ``timeout``, ``max_retries``, ``extra_query`` and others for this call; see ``CallOverrides``.

        Returns:
            The posts; iterating yields them.

        Raises:
            InvalidRequestError: ``limit`` is not above 0.
            MarketingBlocksError: the call failed.

        Documented on the page "Upcoming Posts" of the API reference.

        """
        query = request_from(UpcomingPostsQuery, None, {"limit": limit}, overrides)
        return await self._run(UPCOMING_POSTS, query, overrides)

    def create_many(
        self,
        posts: Iterable[CreatePost | Mapping[str, Any]] | AsyncIterable[CreatePost | Mapping[str, Any]],
        *,
        concurrency: int | None = None,
        before_send: Callable[[int, CreatePost | Mapping[str, Any]], Awaitable[None]] | None = None,
    ) -> CreateMany:
        """Create many posts, at the rate of the token, behind all ordinary calls of the token.

        ``async for outcome in client.posts.create_many(posts)`` yields one outcome per post as they complete, not in
        order; a failure is an outcome like any other and stops nothing. Posts are taken from ``posts`` only as fast as
        they can be sent, so it may be endless.

        Stop early with ``aclose()`` (or leave an ``async with``, or cancel the task that waits for an outcome): what is
        in flight is cancelled, and ``undelivered`` says what became of it.

        Args:
            posts: an iterable or async iterable of ``CreatePost``, or of mappings with its fields.
            concurrency: how many posts may be in flight or waiting to be fetched by you, at least 1. By default as
                many as the rate limit can send within the timeout, or 100 when the limit is lifted.
            before_send: awaited with the index and the item of a post immediately before each attempt of it goes out;
                until it returns nothing is sent. For journals. If the request cannot be written within half of its
                timeout (15 seconds at most) after that, it is awaited anew. If it raises, the post is not sent, and
                that is its outcome's error.

        Returns:
            An async iterator of ``PostOutcome``.

        Warns:
            PastTimeWarning: a ``schedule_time`` is past; once, and not with ``before_send``.
            AmbiguousTimeWarning: the clocks show the ``schedule_time`` of a mapping twice; the first one is taken.

        Raises:
            InvalidArgumentError: ``concurrency`` is not a whole number of 1 or more.
            TypeError: ``posts`` is not iterable, or is one post.

        """
        # A hook before each post is for journals, whose plan has said it already.
        says_past = before_send is None

        def call_of(item: CreatePost | Mapping[str, Any]) -> Call[CreatedPost]:
            nonlocal says_past
            if isinstance(item, StoredPost):
                return Call(CREATE_POST, item, self._executor.context.url(CREATE_POST.path), item.body)
            post = item if isinstance(item, CreatePost) else CreatePost.checked(item)
            if says_past and post.schedule_time and (problem := explain_past(post.scheduled_at)) is not None:
                warnings.warn(f"{problem} (so may others of the run)", PastTimeWarning, stacklevel=2)
                # Not before: a program that makes the warning an error refuses all such posts by it.
                says_past = False
            return self._call(CREATE_POST, post)

        executor = self._executor.with_options(replace(self._executor.options, lane=Lane.BULK))
        return CreateMany(executor, posts, call_of, concurrency, before_send)


class RawPosts(RawForm[Posts]):
    """``with_raw_response``: the methods of ``Posts``; each returns a ``RawResponse``."""

    create: Final = raw_form(Posts.create)
    get: Final = raw_form(Posts.get)
    list: Final = raw_form(Posts.list)
    upcoming: Final = raw_form(Posts.upcoming)
