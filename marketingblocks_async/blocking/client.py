"""The client, ``create_many`` and bulk runs that wait, each with the signature of the asynchronous one."""

from __future__ import annotations

import functools
import inspect
import os
import queue
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar

import marketingblocks_async as mb
from marketingblocks_async import bulk, client
from marketingblocks_async.resources import channels, comment_automations, docs, generations, posts
from marketingblocks_async.resources.raw import raw_form

from .loop import BackgroundLoop, Inbox, background_loop, in_thread_of

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")
Item = mb.CreatePost | Mapping[str, Any]


def blocking(method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[Any, P], T]:
    """Return a method with the signature and overloads of ``method``: it calls that of its target, and waits."""

    @functools.wraps(method)
    def call(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        result: T = self.loop.run(method(self.target, *args, **kwargs))
        return result

    return call


def _raw(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Any, P], mb.RawResponse[T]]:
    """Return the raw form of ``method``, which waits."""
    return blocking(raw_form(method))


def _on_the_loop(method: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[Any, P], T]:
    """Return a method that calls the plain method of its target on the loop, where the target may change meanwhile."""

    @functools.wraps(method)
    async def there(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return method(self, *args, **kwargs)

    return blocking(there)


def _made_by(make: Callable[P, T]) -> Callable[[Callable[[S, T], None]], Callable[Concatenate[S, P], None]]:
    """Give a constructor the arguments of ``make``, and hand it what that returns."""

    def decorate(init: Callable[[S, T], None]) -> Callable[Concatenate[S, P], None]:
        def construct(self: S, /, *args: P.args, **kwargs: P.kwargs) -> None:
            init(self, make(*args, **kwargs))

        own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
        # For help() and notebooks.
        construct.__dict__["__signature__"] = inspect.Signature([own, *inspect.signature(make).parameters.values()])
        return construct

    return decorate


def _copying(
    method: Callable[Concatenate[mb.MarketingBlocks, P], mb.MarketingBlocks],
) -> Callable[Concatenate[MarketingBlocks, P], MarketingBlocks]:
    @functools.wraps(method)
    def copy(self: MarketingBlocks, /, *args: P.args, **kwargs: P.kwargs) -> MarketingBlocks:
        # With the class and the attributes of subclasses.
        copied = object.__new__(type(self))
        vars(copied).update(vars(self))
        return copied.stand_for(method(self.target, *args, **kwargs))

    return copy


class Counterpart:
    """Stands for an asynchronous object, ``target``, on the background loop, and waits for its calls."""

    target: Any

    @property
    def loop(self) -> BackgroundLoop:
        """The loop of this process, so a client of the parent can be opened in a forked child."""
        return background_loop()

    def stand_for(self, target: Any) -> Self:
        """Become the counterpart of ``target``."""
        self.target = target
        return self


class Work(Counterpart):
    """Stands for work that goes on, such as a bulk run, and belongs to the process that began it."""

    def stand_for(self, target: Any) -> Self:
        """Become the counterpart of ``target``, on the loop of this process."""
        self._begun_on = background_loop()
        return super().stand_for(target)

    @property
    def loop(self) -> BackgroundLoop:
        """The loop on which it was begun, which refuses calls in a forked child."""
        return self._begun_on


class RawPosts(Counterpart):
    """``with_raw_response``: the methods of ``Posts``; each returns a ``RawResponse``."""

    create: Final = _raw(posts.Posts.create)
    get: Final = _raw(posts.Posts.get)
    list: Final = _raw(posts.Posts.list)
    upcoming: Final = _raw(posts.Posts.upcoming)


class Posts(Counterpart):
    """Posts: create, find, list."""

    @property
    def with_raw_response(self) -> RawPosts:
        """The same methods; each returns the whole response, a ``RawResponse``, with the result in it."""
        return RawPosts().stand_for(self.target.with_raw_response)

    create: Final = blocking(posts.Posts.create)
    get: Final = blocking(posts.Posts.get)
    list: Final = blocking(posts.Posts.list)
    upcoming: Final = blocking(posts.Posts.upcoming)

    def create_many(
        self,
        posts: Iterable[Item],
        *,
        concurrency: int | None = None,
        before_send: Callable[[int, Item], Awaitable[None]] | None = None,
    ) -> CreateMany:
        """Create many posts: ``for outcome in client.posts.create_many(posts)``; see the asynchronous one.

        ``posts`` is read in the thread that iterates, while it waits for the next outcome.
        """
        many = CreateMany()
        # The first one is never iterated over; it refuses what cannot be meant.
        self.target.create_many(posts, concurrency=concurrency)
        items = _read(many.inbox, posts)
        return many.stand_for(self.target.create_many(items, concurrency=concurrency, before_send=before_send))


class RawGenerations(Counterpart):
    """``with_raw_response``: the methods of ``Generations``; each returns a ``RawResponse``."""

    create: Final = _raw(generations.Generations.create)


class Generations(Counterpart):
    """AI post generation."""

    @property
    def with_raw_response(self) -> RawGenerations:
        """The same methods; each returns the whole response, a ``RawResponse``, with the result in it."""
        return RawGenerations().stand_for(self.target.with_raw_response)

    create: Final = blocking(generations.Generations.create)


class RawChannels(Counterpart):
    """``with_raw_response``: the methods of ``Channels``; each returns a ``RawResponse``."""

    connect: Final = _raw(channels.Channels.connect)


class Channels(Counterpart):
    """Connected social accounts."""

    @property
    def with_raw_response(self) -> RawChannels:
        """The same methods; each returns the whole response, a ``RawResponse``, with the result in it."""
        return RawChannels().stand_for(self.target.with_raw_response)

    connect: Final = blocking(channels.Channels.connect)


class RawCommentAutomations(Counterpart):
    """``with_raw_response``: the methods of ``CommentAutomations``; each returns a ``RawResponse``."""

    create: Final = _raw(comment_automations.CommentAutomations.create)
    update: Final = _raw(comment_automations.CommentAutomations.update)


class CommentAutomations(Counterpart):
    """Bots that answer comments."""

    @property
    def with_raw_response(self) -> RawCommentAutomations:
        """The same methods; each returns the whole response, a ``RawResponse``, with the result in it."""
        return RawCommentAutomations().stand_for(self.target.with_raw_response)

    create: Final = blocking(comment_automations.CommentAutomations.create)
    update: Final = blocking(comment_automations.CommentAutomations.update)


class Docs(Counterpart):
    """Questions to the documentation."""

    ask: Final = blocking(docs.Docs.ask)


class RawClient(Counterpart):
    """``with_raw_response``: the methods of a client; each returns a ``RawResponse``."""

    posts: RawPosts
    generations: RawGenerations
    channels: RawChannels
    comment_automations: RawCommentAutomations
    request: Final = _raw(mb.MarketingBlocks.request)

    def stand_for(self, target: client.RawClient) -> Self:
        """Become the counterpart of a client's raw form."""
        self.posts = RawPosts().stand_for(target.posts)
        self.generations = RawGenerations().stand_for(target.generations)
        self.channels = RawChannels().stand_for(target.channels)
        self.comment_automations = RawCommentAutomations().stand_for(target.comment_automations)
        return super().stand_for(target)


class MarketingBlocks(Counterpart):
    """The client, and it waits.

    All clients of a process run on one background loop, so they share limiters, and many threads may use one at once.
    Ctrl-C ends a call. Middlewares and observers run on that loop. After a fork, open the client in the child.

    Attributes:
        target: the asynchronous client.

    """

    target: mb.MarketingBlocks
    posts: Posts
    generations: Generations
    channels: Channels
    comment_automations: CommentAutomations
    docs: Docs

    @_made_by(mb.MarketingBlocks)
    def __init__(self, target: mb.MarketingBlocks) -> None:
        self.stand_for(target)

    def stand_for(self, target: mb.MarketingBlocks) -> Self:
        """Become the counterpart of a client and its resources."""
        self.posts = Posts().stand_for(target.posts)
        self.generations = Generations().stand_for(target.generations)
        self.channels = Channels().stand_for(target.channels)
        self.comment_automations = CommentAutomations().stand_for(target.comment_automations)
        self.docs = Docs().stand_for(target.docs)
        return super().stand_for(target)

    def __repr__(self) -> str:
        return f"<blocking {self.target!r}>"

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Open the client; ``with`` does it."""
        loop = self.loop
        loop.run(self.target.open())
        loop.opened.add(self.target)

    @property
    def with_raw_response(self) -> RawClient:
        """The same methods; each returns the whole response, a ``RawResponse``, with the result in it."""
        return RawClient().stand_for(self.target.with_raw_response)

    @property
    def base_url(self) -> str:
        """The API root that the calls go to, without a trailing slash."""
        return self.target.base_url

    @property
    def is_open(self) -> bool:
        """Whether it was opened, and not closed since."""
        return self.target.is_open

    @property
    def rate_limiter(self) -> mb.Limiter:
        """The limiter of this client's token; ``rate_limiter.snapshot()`` explains what it is doing.

        Raises:
            ConfigurationError: the client was never open, or its limit is lifted.

        """
        return self.target.rate_limiter

    close: Final = blocking(mb.MarketingBlocks.close)
    request: Final = blocking(mb.MarketingBlocks.request)
    raw: Final = blocking(mb.MarketingBlocks.raw)
    with_options: Final = _copying(mb.MarketingBlocks.with_options)
    with_token: Final = _copying(mb.MarketingBlocks.with_token)


class CreateMany(Work, Iterator[mb.PostOutcome]):
    """The running creation of many posts, see ``CreateMany``."""

    def __init__(self) -> None:
        self.inbox: Inbox = queue.SimpleQueue()
        self._one_at_a_time = threading.Lock()
        # Fetched on the loop, and not returned yet.
        self._fetched: list[mb.PostOutcome] = []

    def __next__(self) -> mb.PostOutcome:
        """Wait for the next outcome."""
        try:
            with self._one_at_a_time:
                self.loop.run(_fetch(self.target, self._fetched), self.inbox)
        except BaseException as raised:
            if self._fetched or not isinstance(raised, Exception):
                # Ctrl-C ends the creation also when it comes just before the fetch, or just after it.
                self.aclose()
            raise
        if not self._fetched:
            raise StopIteration
        # Not by pop(): Ctrl-C can come when a call returns, and the outcome would be nowhere.
        outcome = self._fetched[0]
        del self._fetched[0]
        return outcome

    @property
    def undelivered(self) -> list[mb.PostOutcome]:
        """After an early end, the outcomes that were not fetched."""
        return [*self._fetched, *self.target.undelivered]

    def aclose(self) -> None:
        """End it: nothing new is sent, what is in flight is cancelled, and ``undelivered`` is complete."""
        # A first Ctrl-C lets it come to its end: otherwise posts could go out after it.
        self.loop.run(self.target.aclose(), stop=lambda: None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.aclose()


async def _fetch(many: mb.CreateMany, fetched: list[mb.PostOutcome]) -> None:
    """Put the next outcome into ``fetched``; none at the end."""
    if (outcome := await anext(many, None)) is not None:
        fetched.append(outcome)


async def _read(inbox: Inbox, items: Iterable[Item]) -> AsyncGenerator[Item]:
    """Yield items that are read in the thread that serves the inbox: a database of theirs may know no other."""
    iterator, end = iter(items), object()
    while (item := await in_thread_of(inbox, lambda: next(iterator, end))) is not end:
        yield item  # type: ignore[misc]  # the end is the only other object


class Journal(bulk.Journal):
    """The journal of a bulk run."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        background_loop().run(self.open())

    def __exit__(self, *_: object) -> None:
        background_loop().run(self.aclose())


def _with_blocking_client(
    make: Callable[Concatenate[mb.MarketingBlocks, P], bulk.BulkRun],
) -> Callable[Concatenate[MarketingBlocks, P], bulk.BulkRun]:
    @functools.wraps(make)
    def made(client: MarketingBlocks, /, *args: P.args, **kwargs: P.kwargs) -> bulk.BulkRun:
        return make(client.target, *args, **kwargs)

    return made


class BulkRun(Work):
    """One run over the rows of a journal.

    Ctrl-C lets the rows in flight come to their end; one more stops at once. ``on_progress`` runs on the loop.
    """

    @_made_by(_with_blocking_client(bulk.BulkRun))
    def __init__(self, target: bulk.BulkRun) -> None:
        self.stand_for(target)

    def run(self) -> bulk.BulkResult:
        """Send what is pending; see the asynchronous one."""
        target: bulk.BulkRun = self.target
        return self.loop.run(target.run(), stop=target.stop)

    stop: Final = _on_the_loop(bulk.BulkRun.stop)
    abort: Final = _on_the_loop(bulk.BulkRun.abort)
    progress: Final = _on_the_loop(bulk.BulkRun.progress)


def _waiting(function: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[Any, P], T]:
    @functools.wraps(function)
    def call(source: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        inbox: Inbox = queue.SimpleQueue()
        if not isinstance(source, str | os.PathLike):
            source = _read(inbox, source)
        return background_loop().run(function(source, *args, **kwargs), inbox)

    return call


create_journal: Final = _waiting(bulk.create_journal)
