"""``with_raw_response``: methods that return the whole response beside the result."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from marketingblocks_async.calls.call import Call, RawResponse
from marketingblocks_async.calls.executor import Executor
from marketingblocks_async.errors import Headers

P = ParamSpec("P")
T = TypeVar("T")
TargetT = TypeVar("TargetT")


async def respond_raw(
    executor: Executor, target_over: Callable[[Executor], TargetT], call: Callable[[TargetT], Awaitable[T]]
) -> RawResponse[T]:
    """Make a call, and return the whole response and what it took beside the result.

    Args:
        executor: makes the call.
        target_over: returns a client, or a group of operations, whose calls another executor makes.
        call: is given such a target, and returns what the one call on it returns.

    Raises:
        TypeError: ``call`` called nothing.

    """
    succeeded: list[Call[Any]] = []
    result = await call(target_over(executor.recording(succeeded)))
    if not succeeded or (response := succeeded[-1].response) is None:
        msg = "give raw() a function that takes a client, makes one call with it and awaits the result"
        raise TypeError(msg)
    # In case the server echoed the token: a response may be logged.
    clean = executor.context.scrub_response(response)
    last = succeeded[-1]
    return RawResponse(result, clean.status, Headers(clean.headers), clean.body, last.attempts, last.waited)


class RawForm(Generic[TargetT]):
    """Base of what has the methods of a client, or of a group of its operations, in their raw form."""

    def __init__(self, executor: Executor, target_over: Callable[[Executor], TargetT]) -> None:
        self._executor = executor
        self._target_over = target_over

    async def _respond(self, call: Callable[[TargetT], Awaitable[T]]) -> RawResponse[T]:
        return await respond_raw(self._executor, self._target_over, call)


def raw_form(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, RawResponse[T]]]:
    """Return a method with the signature and overloads of ``method`` that returns a ``RawResponse`` of its result."""

    @functools.wraps(method)
    async def call(self: RawForm[Any], /, *args: P.args, **kwargs: P.kwargs) -> RawResponse[T]:
        # The raw form of a method is a part of its class.
        return await self._respond(lambda target: method(target, *args, **kwargs))  # pyright: ignore[reportPrivateUsage]

    return call
