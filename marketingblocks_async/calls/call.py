"""One call: what is sent, and how far it has come."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from multidict import CIMultiDict
from yarl import URL

from marketingblocks_async.endpoints import Operation
from marketingblocks_async.errors import CallError, Headers
from marketingblocks_async.middleware import HttpResponse
from marketingblocks_async.transport.attempt import Attempt

T = TypeVar("T")
ResultT_co = TypeVar("ResultT_co", covariant=True)

_call_ids = itertools.count(1)


class Call(Generic[T]):
    """One call: what is sent, and how far it has come.

    Args:
        operation: what it does.
        request: what errors show as having been sent.
        url: where it goes, percent-encoded.
        body: JSON bytes or ``None``.

    Attributes:
        attempts: number of attempts that were started.
        refusals: number of responses that refused it before processing.
        waited: seconds in the queue for permits, all attempts together.
        last_wait: seconds in the queue before the last attempt.
        asked: ``time.monotonic()`` at which it asked for the permit that it waits for; 0.0 when it waits for none.
        started: ``time.monotonic()`` at the first attempt, less the seconds that it had waited before.
        ends: ``time.monotonic()`` at which its deadline passes.
        attempt: the attempt in flight; still set after a cancellation that ended it.
        pause: seconds for which the response to the last attempt made the token pause; ``None`` if it did not.
        response: the response to the last attempt that got one.
        surrounding: the exception that the caller is handling; it is not ours to change.
        first_failure: the error of the first attempt that failed.
        unknown: the error of the first attempt after which it may have been carried out.
        needs_new_connection: whether the next attempt must not use a pooled connection.
        ended_as: the error that says what happened to it, if it was cancelled after it was sent, or with hooks.
        logs_cancellation: whether its cancellation is logged; ``create_many`` says the same in one line for all.
        on_grant: called at its first permit.
        before_send: awaited before each attempt is sent, when it has its permit.
        extra_headers: headers to send beside the client's own.

    """

    # Defaults are on the class, because most calls need no other values and creating them is on the hot path.
    attempts: int = 0
    refusals: int = 0
    waited: float = 0.0
    last_wait: float = 0.0
    asked: float = 0.0
    started: float = 0.0
    ends: float = math.inf
    attempt: Attempt | None = None
    pause: float | None = None
    response: HttpResponse | None = None
    surrounding: BaseException | None = None
    first_failure: CallError | None = None
    unknown: CallError | None = None
    needs_new_connection: bool = False
    ended_as: CallError | None = None
    logs_cancellation: bool = True
    on_grant: Callable[[], None] | None = None
    before_send: Callable[[], Awaitable[None]] | None = None
    extra_headers: CIMultiDict[str] | None = None

    def __init__(self, operation: Operation[T], request: object, url: URL, body: bytes | None) -> None:
        self.operation = operation
        self.request = request
        self.url = url
        self.body = body

    def begin(self, attempt: Attempt) -> None:
        """Start an attempt, which has its permit."""
        self.attempt = attempt
        self.attempts += 1
        if self.attempts == 1:
            self.started = attempt.began - self.waited
        else:
            self.pause = None

    @cached_property
    def id(self) -> int:
        """Number of the call in this process."""
        return next(_call_ids)

    @property
    def name(self) -> str:
        """The operation's name."""
        return self.operation.name


@dataclass(frozen=True, slots=True)
class RawResponse(Generic[ResultT_co]):
    """A successful call in full; made by ``with_raw_response`` and by ``raw()``.

    Attributes:
        result: what the call returns otherwise.
        status: HTTP status.
        headers: the response's headers; case does not matter.
        body: the response's body, decompressed.
        attempts: number of attempts, the successful last one included.
        waited: seconds that the call waited for permits and for connection slots, all attempts together.

    """

    result: ResultT_co
    status: int
    headers: Headers
    body: bytes
    attempts: int
    waited: float

    @property
    def status_code(self) -> int:
        """HTTP status: the same as ``status``."""
        return self.status

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    def parse(self) -> ResultT_co:
        """Return what the call returns otherwise: the same as ``result``."""
        return self.result

    def json(self) -> Any:
        """Return the body's JSON value.

        Raises:
            ValueError: the body is no JSON, which the result of a documented call rules out.

        """
        return json.loads(self.body)
