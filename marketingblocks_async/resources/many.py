"""Many posts over one client: bounded memory, outcomes as they complete, a clean early end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeAlias, cast

from marketingblocks_async.errors import OutcomeUnknownError
from marketingblocks_async.executor import Call, Executor
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


@dataclass(frozen=True, slots=True)
class PostOutcome:
    """What became of one post of :meth:`Posts.create_many`.

    Attributes:
        index: its place in the input, from 0.
        item: what the input had there.
        result: the answer, ``None`` if there is an error.
        error: what went wrong, ``None`` if nothing did: an error of this package, ``pydantic.ValidationError`` when the
            item makes no valid post, or what ``before_send`` raised. :class:`OutcomeUnknownError` means that it may
            have been created; after every other error but :class:`InvalidResponseError` it was not.

    """

    index: int
    item: Item
    result: CreatedPost | None
    error: Exception | None

    @property
    def ok(self) -> bool:
        """Whether the post was created."""
        return self.error is None


class CreateMany(AsyncIterator[PostOutcome]):
    """The running creation of many posts; made by ``client.posts.create_many``. Iterate over it once.

    Attributes:
        undelivered: after an early end, the outcomes of the posts that were taken from the input and whose outcome was
            not fetched any more. A post that was in flight has an :class:`OutcomeUnknownError`: it may have been
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
        if concurrency is not None and concurrency < 1:
            msg = f"concurrency={concurrency}: give 1 or more"
            raise ValueError(msg)
        if not isinstance(cast("object", items), AsyncIterable | Iterable):
            msg = f"create_many needs an iterable or async iterable of posts, not {type(items).__name__}"
            raise TypeError(msg)
        self.undelivered: list[PostOutcome] = []
        room = concurrency or _default_concurrency(executor)
        run = _Run(executor, call_of, room, before_send, self.undelivered)
        self._outcomes = run.outcomes(items)

    async def __anext__(self) -> PostOutcome:
        return await anext(self._outcomes)

    async def aclose(self) -> None:
        """End it: nothing new is sent, what is in flight is cancelled, and :attr:`undelivered` is complete."""
        await self._outcomes.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _default_concurrency(executor: Executor) -> int:
    limit = executor.scope.rate_limit
    if limit.limit is None:
        return UNLIMITED_CONCURRENCY
    in_flight_at_most = limit.limit / limit.per * executor.options.timeout
    return min(int(in_flight_at_most) + WAITING_FOR_PERMIT, LARGEST_CONCURRENCY)


class _Run:
    """The tasks of one CreateMany. They must not refer to it: when nobody iterates any more, it has to be collectable.

    Its generator is then closed by the event loop, which ends the tasks.
    """

    def __init__(
        self,
        executor: Executor,
        call_of: Callable[[Item], Call[CreatedPost]],
        concurrency: int,
        before_send: BeforeSend | None,
        undelivered: list[PostOutcome],
    ) -> None:
        self._executor = executor
        self._call_of = call_of
        self._before_send = before_send
        self._undelivered = undelivered
        # One of these for every post from being taken out of the input until its outcome is fetched.
        self._room = asyncio.Semaphore(concurrency)
        # One of these for every post that waits for its permit.
        self._line = asyncio.Semaphore(WAITING_FOR_PERMIT)
        self._finished: asyncio.Queue[PostOutcome | None] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    async def outcomes(self, items: Items) -> AsyncGenerator[PostOutcome, None]:
        feeder = asyncio.create_task(self._feed(items))
        try:
            while (outcome := await self._finished.get()) is not None:
                yield outcome
                self._room.release()
            # Raises what the input raised.
            await feeder
        finally:
            await self._end(feeder)

    async def _feed(self, items: Items) -> None:
        try:
            index = 0
            async for item in _each(items):
                await self._room.acquire()
                await self._line.acquire()
                task = asyncio.create_task(self._create(index, item))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                index += 1
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            self._finished.put_nowait(None)

    async def _create(self, index: int, item: Item) -> None:
        in_line = True

        def leave_line() -> None:
            nonlocal in_line
            if in_line:
                in_line = False
                self._line.release()

        call: Call[CreatedPost] | None = None
        result: CreatedPost | None = None
        error: Exception | None = None
        try:
            call = self._call_of(item)
            call.on_grant = leave_line
            if self._before_send is not None:
                call.before_send = partial(self._before_send, index, item)
            result = await self._executor.execute(call)
        except asyncio.CancelledError:
            error = call.ended_as if call is not None else None
            if not self._closing or error is None:
                raise
        except Exception as exc:  # noqa: BLE001 - whatever fails is this post's outcome and stops no other
            error = exc
        finally:
            leave_line()
        outcome = PostOutcome(index, item, result, error)
        if self._closing:
            self._undelivered.append(outcome)
        else:
            self._finished.put_nowait(outcome)

    async def _end(self, feeder: asyncio.Task[None]) -> None:
        self._closing = True
        while not self._finished.empty():
            outcome = self._finished.get_nowait()
            if outcome is not None:
                self._undelivered.append(outcome)
        tasks = list(self._tasks)
        for task in (feeder, *tasks):
            task.cancel()
        await asyncio.gather(feeder, *tasks, return_exceptions=True)
        unknown = sum(isinstance(outcome.error, OutcomeUnknownError) for outcome in self._undelivered)
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
