"""Many posts over one client: bounded memory, outcomes as they complete, a clean early end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import weakref
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeAlias, cast

from marketingblocks_async.calls.call import Call
from marketingblocks_async.calls.executor import Executor
from marketingblocks_async.errors import CallError, ConfigurationError, InvalidArgumentError
from marketingblocks_async.models import CreatedPost, CreatePost

logger: logging.Logger = logging.getLogger("marketingblocks_async")

Item: TypeAlias = CreatePost | Mapping[str, Any]
Items: TypeAlias = Iterable[Item] | AsyncIterable[Item]

BeforeSend: TypeAlias = Callable[[int, Item], Awaitable[None]]

UNLIMITED_CONCURRENCY = 100
"""Posts in flight when there is no rate limit to derive a number from."""

LARGEST_CONCURRENCY = 5000
"""What a high limit and a long timeout may add up to at most."""

WAITING_FOR_PERMIT = 32
"""Posts that wait for a permit at a time: enough that the limiter never runs dry, few enough to cost nothing."""


class StoredPost(Mapping[str, Any]):
    """A post that was checked before and kept as the body of its request: it is sent byte for byte, without a check.

    It is a mapping of the fields, for errors and outcomes.

    Args:
        text: what ``CreatePost.wire_json()`` returned, or other JSON text of the same value.

    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text: str = text

    @property
    def body(self) -> bytes:
        """The request's body."""
        return self.text.encode()

    def _fields(self) -> dict[str, Any]:
        return cast("dict[str, Any]", json.loads(self.text))

    def __getitem__(self, name: str) -> Any:
        return self._fields()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields())

    def __len__(self) -> int:
        return len(self._fields())

    def __repr__(self) -> str:
        return f"StoredPost({self.text!r})"


@dataclass(frozen=True, slots=True)
class PostOutcome:
    """The outcome of one post of ``create_many()``.

    Attributes:
        index: its place in the input, from 0.
        item: what the input had there.
        result: the response, ``None`` if there is an error.
        error: what went wrong, ``None`` if nothing did: an error of this package (``InvalidRequestError`` if the item
            makes no valid post), or what ``before_send`` raised.

    """

    index: int
    item: Item
    result: CreatedPost | None
    error: Exception | None

    @property
    def ok(self) -> bool:
        """Whether the post was created."""
        return self.error is None

    @property
    def may_have_happened(self) -> bool:
        """Whether the post may have been created in spite of the error."""
        return isinstance(self.error, CallError) and self.error.may_have_happened


class CreateMany(AsyncIterator[PostOutcome]):
    """The running creation of many posts; made by ``client.posts.create_many``. Iterate over it once.

    It ends early by ``aclose()``, by the end of its ``async with``, when a fetch of its next outcome is cancelled
    (also by a timeout), and when it is garbage-collected.

    Attributes:
        undelivered: after an early end, the outcomes of the posts that were taken from the input and whose outcome was
            not fetched any more. A post that was in flight has an ``OutcomeUnknownError``: it may have been
            created.

    """

    def __init__(
        self,
        executor: Executor,
        items: Items,
        call_of: Callable[[Item], Call[CreatedPost]],
        concurrency: int | None,
        before_send: BeforeSend | None,
    ) -> None:
        if concurrency is not None and (not isinstance(cast("object", concurrency), int) or concurrency < 1):
            msg = f"concurrency={concurrency!r}: give a whole number, 1 or more"
            raise InvalidArgumentError(msg)
        given = cast("object", items)
        # One post is iterable too, by its fields.
        if not isinstance(given, AsyncIterable | Iterable) or isinstance(given, str | bytes | CreatePost | Mapping):
            msg = f"create_many needs an iterable or async iterable of posts, not {type(items).__name__}"
            raise TypeError(msg)
        self.undelivered: list[PostOutcome] = []
        room = concurrency or _default_concurrency(executor)
        self._run = _Run(executor, items, call_of, room, before_send=before_send, undelivered=self.undelivered)
        weakref.finalize(self, self._run.abandon)

    async def __anext__(self) -> PostOutcome:
        """Wait for the next outcome.

        Raises:
            StopAsyncIteration: all posts have their outcome, or it was closed.
            ConfigurationError: it was ended early by the cancellation of a fetch before this one.
            Exception: what the input raised, after the outcomes of all that came before.

        """
        return await self._run.next()

    async def aclose(self) -> None:
        """End it: nothing new is sent, what is in flight is cancelled, and ``undelivered`` is complete.

        Another task that waits for an outcome meanwhile finds the end of the iteration.
        """
        await self._run.end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    if not TYPE_CHECKING:
        # Type checkers report both by themselves; Python's own messages have no way out. "await" keeps its own: with a
        # method for it, this would be taken for something to wait for.
        def __iter__(self) -> NoReturn:
            msg = (
                "create_many() needs 'async for'; to wait for all outcomes, [each async for each in create_many(posts)]"
            )
            raise TypeError(msg)

        def __enter__(self) -> NoReturn:
            msg = "create_many() needs 'async with'"
            raise TypeError(msg)

        __exit__ = __enter__


def _default_concurrency(executor: Executor) -> int:
    limit = executor.context.rate_limit
    if limit.limit is None:
        return UNLIMITED_CONCURRENCY
    in_flight_at_most = limit.limit / limit.per * executor.options.timeout
    return int(min(in_flight_at_most + WAITING_FOR_PERMIT, LARGEST_CONCURRENCY))


@dataclass(frozen=True, slots=True)
class _Post:
    index: int
    item: Item
    call: Call[CreatedPost]


class _Run:
    """The tasks of one CreateMany. They must not refer to it, so that it can be collected when iteration was abandoned.

    What was taken from the input is at every moment in exactly one of three places: in flight, finished (until it is
    fetched), or undelivered. Between taking and booking nothing is awaited, and the booking of outcomes is done by
    callbacks of the tasks, so no cancellation can come in between: that of a task that never began does not, either.
    """

    def __init__(
        self,
        executor: Executor,
        items: Items,
        call_of: Callable[[Item], Call[CreatedPost]],
        concurrency: int,
        *,
        before_send: BeforeSend | None,
        undelivered: list[PostOutcome],
    ) -> None:
        self._executor = executor
        self._items = items
        self._call_of = call_of
        self._before_send = before_send
        # A slot for each post, from the time it is taken from the input until its outcome is fetched.
        self._room = asyncio.Semaphore(concurrency)
        # A slot for each post that waits for its permit.
        self._line = asyncio.Semaphore(WAITING_FOR_PERMIT)
        self._in_flight: dict[asyncio.Task[CreatedPost], _Post] = {}
        self._finished: deque[PostOutcome] = deque()
        self._undelivered = undelivered
        # Set when a waiting fetch has something to look at.
        self._news = asyncio.Event()
        self._feeder: asyncio.Task[None] | None = None
        self._all_taken = False
        self._closing = False
        self._broken_off = False

    async def next(self) -> PostOutcome:
        """Return the next outcome, see ``__anext__()``."""
        if self._feeder is None and not self._closing:
            self._feeder = asyncio.create_task(self._feed())
            self._feeder.add_done_callback(self._fed)
        try:
            while not self._finished:
                if self._closing:
                    await self.end()
                    self._raise_end()
                if self._all_taken and self._feeder is not None and not self._in_flight:
                    # Raises what the input raised.
                    self._feeder.result()
                    raise StopAsyncIteration
                self._news.clear()
                await self._news.wait()
        except asyncio.CancelledError:
            self._stop(broken_off=True)
            await self.end()
            raise
        self._room.release()
        return self._finished.popleft()

    def _raise_end(self) -> NoReturn:
        if self._broken_off:
            msg = "create_many was ended by a cancellation; what became of the rest is in its 'undelivered'"
            raise ConfigurationError(msg)
        raise StopAsyncIteration

    async def _feed(self) -> None:
        async with contextlib.aclosing(_each(self._items)) as iterator:
            for index in itertools.count():
                # Before taking, since a wait can be cancelled.
                await self._room.acquire()
                await self._line.acquire()
                try:
                    item = await anext(iterator)
                except StopAsyncIteration:
                    return
                try:
                    # At once, since the input may fill the same mapping again.
                    call = self._call_of(item)
                except Exception as exc:  # noqa: BLE001 - whatever is wrong with it is its outcome and stops no other
                    self._line.release()
                    self._book(PostOutcome(index, item, None, exc))
                    # A long row of such items must not block the event loop.
                    await asyncio.sleep(0)
                else:
                    self._begin(_Post(index, item, call))
                if self._closing:
                    # The input gave it out in spite of its cancellation, which comes only once.
                    return

    def _fed(self, feeder: asyncio.Task[None]) -> None:
        self._all_taken = True
        if feeder.cancelled():
            self._stop(broken_off=True)
        elif (error := feeder.exception()) is not None and self._closing:
            logger.warning("the input of create_many failed while it was closed", exc_info=error)
        self._news.set()
        self._warn_at_early_end()

    def _begin(self, post: _Post) -> None:
        if self._closing:
            error = self._executor.interrupted_error(post.call, "create_many was ended")
            self._book(PostOutcome(post.index, post.item, None, error))
            return
        post.call.on_grant = self._line.release
        post.call.logs_cancellation = False
        if self._before_send is not None:
            post.call.before_send = partial(self._before_send, post.index, post.item)
        task = asyncio.create_task(self._executor.execute(post.call))
        self._in_flight[task] = post
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[CreatedPost]) -> None:
        post = self._in_flight.pop(task)
        call = post.call
        if call.on_grant is not None:
            # It did not get a permit.
            self._line.release()
        result: CreatedPost | None = None
        error: BaseException | None = None
        if task.cancelled() or not isinstance(error := task.exception(), Exception | None):
            error = call.ended_as or self._executor.interrupted_error(call, "the call was cancelled")
        elif error is None:
            result = task.result()
        self._book(PostOutcome(post.index, post.item, result, error))
        self._warn_at_early_end()

    def _book(self, outcome: PostOutcome) -> None:
        if self._closing:
            self._undelivered.append(outcome)
        else:
            self._finished.append(outcome)
            self._news.set()

    async def end(self) -> None:
        """End early, and return when everything is booked; a cancellation meanwhile is raised after that."""
        self._stop()
        cancelled: asyncio.CancelledError | None = None
        # The hook or the input may be what ends it, and cannot wait for itself.
        while running := self._running(but=asyncio.current_task()):
            try:
                await asyncio.wait(running)
            except asyncio.CancelledError as exc:
                cancelled = exc
        if cancelled is not None:
            raise cancelled

    def abandon(self) -> None:
        """Called, in any thread, when the iterator was collected before its end."""
        if self._feeder is not None and not self._closing:
            try:
                self._feeder.get_loop().call_soon_threadsafe(self._stop)
            except RuntimeError:
                # The loop was closed, so no task runs any more that could report the outcomes of the posts.
                unfinished = [self._executor.interrupted_error(post.call, "") for post in self._in_flight.values()]
                self._warn([*self._finished, *unfinished])

    def _stop(self, *, broken_off: bool = False) -> None:
        if self._closing:
            return
        self._closing = True
        self._broken_off = broken_off
        self._undelivered.extend(self._finished)
        self._finished.clear()
        for task in self._running():
            task.cancel()
        self._news.set()
        self._warn_at_early_end()

    def _running(self, *, but: asyncio.Task[Any] | None = None) -> list[asyncio.Task[Any]]:
        feeder = None if self._all_taken else self._feeder
        return [task for task in (feeder, *self._in_flight) if task is not None and task is not but]

    def _warn_at_early_end(self) -> None:
        if self._closing and not self._running():
            self._warn(self._undelivered)

    def _warn(self, ends: Iterable[PostOutcome | CallError]) -> None:
        unknown = sum(end.may_have_happened for end in ends)
        if unknown:
            logger.warning("create_many ended early; %d posts in flight may or may not have been created", unknown)


async def _each(items: Items) -> AsyncGenerator[Item, None]:
    if isinstance(items, AsyncIterable):
        async with contextlib.AsyncExitStack() as stack:
            iterator = aiter(items)
            if isinstance(iterator, AsyncGenerator):
                stack.push_async_callback(iterator.aclose)
            async for item in iterator:
                yield item
    else:
        for item in items:
            yield item
