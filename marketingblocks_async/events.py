"""The events that observers receive: one frozen object for each event of a call.

Pass functions as ``on_attempt``, ``on_retry``, ``on_throttle`` and ``on_outcome``. They are called in the event loop,
so they should be quick; they never see the access token. An exception that one raises is logged and does not reach the
call.
"""

from __future__ import annotations

from dataclasses import dataclass

from .errors import CallError, Outcome


@dataclass(frozen=True, slots=True)
class AttemptEvent:
    """One attempt has ended.

    Attributes:
        call_id: number of the call in this process; the same for all its attempts.
        endpoint: operation, or the path of a generic call.
        attempt: 1 for the first.
        waited: seconds that it waited for its permit and for a connection slot.
        seconds: from the permit to the last byte of the response, or to the failure.
        status_code: HTTP status, ``None`` if no response came.
        failure: what kind of failure it was, ``None`` for a success.
        method: HTTP method.
        url: where it went, percent-encoded.

    """

    call_id: int
    endpoint: str
    attempt: int
    waited: float
    seconds: float
    status_code: int | None
    failure: Outcome | None
    method: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class RetryEvent:
    """Another attempt will be made.

    Attributes:
        call_id: number of the call in this process.
        endpoint: operation, or the path of a generic call.
        next_attempt: 2 for the second.
        delay: seconds until it queues again.
        failure: what kind of failure made it necessary.
        error: that failure.

    """

    call_id: int
    endpoint: str
    next_attempt: int
    delay: float
    failure: Outcome
    error: CallError


@dataclass(frozen=True, slots=True)
class ThrottleEvent:
    """The API refused a request for its rate, and the token pauses.

    Attributes:
        call_id: number of the call that met it.
        endpoint: operation, or the path of a generic call.
        retry_after: seconds that the API asked for, ``None`` if it did not say.
        pause: seconds for which the token pauses.
        rate: requests per second after the pause.

    """

    call_id: int
    endpoint: str
    retry_after: float | None
    pause: float
    rate: float


@dataclass(frozen=True, slots=True)
class OutcomeEvent:
    """A call has ended.

    Attributes:
        call_id: number of the call in this process.
        endpoint: operation, or the path of a generic call.
        attempts: attempts that were started.
        waited: seconds that it waited for permits, all attempts together, ``abandoned_wait`` included.
        seconds: from the call to its end.
        error: how it failed, ``None`` for a success. A call that was cancelled while its write may have been carried
            out ends in an ``OutcomeUnknownError`` here, although the caller sees the cancellation.
        cancelled: whether the caller cancelled it.
        method: HTTP method.
        abandoned_wait: seconds of its last wait, if the call ended before its permit came; else 0.0.

    """

    call_id: int
    endpoint: str
    attempts: int
    waited: float
    seconds: float
    error: CallError | None
    cancelled: bool = False
    method: str = ""
    abandoned_wait: float = 0.0
