"""The raw form of a call: what came back and what it took, beside the result."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from marketingblocks_async.errors import Headers
from marketingblocks_async.middleware import HttpAnswer

from .executor import Call, Executor, TokenScope

T = TypeVar("T")
ResultT_co = TypeVar("ResultT_co", covariant=True)


@dataclass(frozen=True, slots=True)
class RawResponse(Generic[ResultT_co]):
    """A successful call in full; made by :meth:`MarketingBlocks.raw`.

    Attributes:
        result: what the call returns otherwise.
        status: HTTP status.
        headers: the answer's headers; case does not matter.
        body: the answer's body, decompressed.
        attempts: attempts that were made, the successful last one included.
        waited: seconds that the call waited for permits, all attempts together.

    """

    result: ResultT_co
    status: int
    headers: Headers
    body: bytes
    attempts: int
    waited: float

    def json(self) -> Any:
        """Return the body's JSON value.

        Raises:
            ValueError: the body is no JSON, which the result of a documented call rules out.

        """
        return json.loads(self.body)


class Recorder:
    """What the last successful call was answered.

    Attributes:
        answer: the answer, ``None`` before the first.
        attempts: attempts of the call.
        waited: seconds that it waited for permits.

    """

    def __init__(self) -> None:
        self.answer: HttpAnswer | None = None
        self.attempts: int = 0
        self.waited: float = 0.0

    def response(self, result: T) -> RawResponse[T]:
        """Return the call in full.

        Args:
            result: what it returned.

        Raises:
            TypeError: there was no call.

        """
        if self.answer is None:
            msg = "raw() needs a function that awaits one call of the client that it is given"
            raise TypeError(msg)
        headers = Headers(self.answer.headers)
        return RawResponse(result, self.answer.status, headers, self.answer.body, self.attempts, self.waited)


class RecordingExecutor(Executor):
    """An executor that keeps what the calls are answered. Others do not pay for it.

    Args:
        executor: the one to do the same as.
        recorder: keeps it.

    """

    __slots__ = ("_recorder",)

    def __init__(self, executor: Executor, recorder: Recorder) -> None:
        super().__init__(executor.transport, executor.scope, executor.options)
        self._recorder = recorder

    async def execute(self, call: Call[T]) -> T:
        """Make a call; see :meth:`Executor.execute`."""
        recorder, operation = self._recorder, call.operation

        def decode(answer: HttpAnswer) -> T:
            result = operation.decode(answer)
            recorder.answer = answer
            return result

        call.operation = replace(operation, decode=decode)
        result = await super().execute(call)
        if recorder.answer is not None:
            # Should the server have echoed the token: a response may be logged.
            recorder.answer = self.scope.scrub_answer(recorder.answer)
        recorder.attempts, recorder.waited = call.attempts, call.waited
        return result

    def with_options(self, **changes: Any) -> Executor:
        """Return an executor with some options changed, and the same recorder."""
        return RecordingExecutor(super().with_options(**changes), self._recorder)

    def with_scope(self, scope: TokenScope) -> Executor:
        """Return an executor for another token, and the same recorder."""
        return RecordingExecutor(super().with_scope(scope), self._recorder)
