"""The circuit breaker of a run: tells answers that concern one row from those that concern all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum

from marketingblocks_async import (
    APIError,
    AuthenticationError,
    CallError,
    InternalServerError,
    InvalidResponseError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
)

OUTAGE_AFTER = 5
"""Consecutive rows without a usable response after which the API counts as down."""

FIRST_ROWS = 10
"""Rows in flight at most until the first usable response, so that a run against an API that is down costs few rows."""

SILENT_AFTER = 5.0
"""Seconds without any outcome, while rows are in flight, after which no further row is sent; more for slow APIs."""


MOST_TRIALS = 5
"""Rows that are sent one by one, each after a wait, to an API that answers reads; if none succeeds the run stops."""

_OWN_FAULT = frozenset({400, 401, 409, 413, 422, 429})
"""Statuses from 400 to 499 of the API itself that do not count towards an outage: the fault of one row or of the token,
or a pause, which has a rule of its own."""


LET_THEM_FAIL = "if the rows are at fault themselves, let them fail (on_outage=fail)"
"""What else can be done about refusals for which ``may_be_own_fault()`` is true; the command line spells the option."""


class OutagePolicy(StrEnum):
    """What a run does when the API seems to be down.

    ``stop``: end the run; nothing more is sent. ``wait``: ask with a read now and then. When it succeeds, send one row,
    and go on if that succeeds, too. The run ends after five such rows without a success. ``fail``: like ``stop``, but
    rows that the API itself refuses (403, 404, 405 and the like) fail, however many follow each other, and the run goes
    on. It is for files in which many rows have a fault of their own, such as a channel that is gone. Redirects, and
    pages of a firewall or of a proxy, stop the run as with ``stop``.
    """

    STOP = "stop"
    WAIT = "wait"
    FAIL = "fail"


class Sign(StrEnum):
    """What the outcome of a row says about the API."""

    WELL = "well"
    """The API works: it created the row, or refused it for a fault of its own."""
    DOWN = "down"
    """No connection, no response in time, a 5xx, a response that makes no sense, or a rate limit that does not end."""
    REFUSED = "refused"
    """The API, or something in front of it, refused the row for a reason that may be no fault of the row."""
    NONE = ""
    """Nothing: it was not the API that ended the row."""


def sign_of(error: Exception | None) -> Sign:
    """Return what a row's error says about the API; ``None`` stands for a row that was created."""
    if error is None:
        return Sign.WELL
    if is_refused_for_all(error):
        return Sign.REFUSED
    kinds = (InvalidResponseError, NotSentError, OutcomeUnknownError, RateLimitError, InternalServerError)
    if isinstance(error, kinds):
        return Sign.DOWN
    return Sign.WELL if isinstance(error, CallError) else Sign.NONE


def is_refused_for_all(error: Exception | None) -> bool:
    """Return whether a row was refused for a reason that may be no fault of the row.

    A redirect, a page of a firewall or of a proxy, and each 4xx that does not speak of the content of the request:
    the address of the operation may be gone (404, 405, 410), or the account may not post any more (402, 403). If rows
    around it are created it was the fault of the row after all.
    """
    if not isinstance(error, APIError):
        return False
    status = error.status_code
    return 300 <= status < 400 or (400 <= status < 500 and (error.made_in_front or status not in _OWN_FAULT))


def may_be_own_fault(error: Exception | None) -> bool:
    """Return whether a row was refused by the API itself, so that the row may be at fault, such as for its channel.

    A redirect, or a page of a firewall or of a proxy, is refused for all rows: it says nothing about the content.
    """
    if not isinstance(error, APIError) or error.made_in_front:
        return False
    return is_refused_for_all(error) and error.status_code >= 400


def is_refused_token(error: Exception | None, *, created: bool) -> bool:
    """Return whether the API refused the token, so that no further row need be sent to know.

    Args:
        error: the row's error.
        created: whether the run has created a row. If so the token has the permission, and a 403 is about something
            else, such as the channel of the row.

    """
    if not isinstance(error, AuthenticationError | PermissionDeniedError) or error.made_in_front:
        return False
    return isinstance(error, AuthenticationError) or not created


def way_on(error: Exception | None) -> str:
    """Return what else can be done when a row's error stops the run, as the end of a sentence; it may be empty."""
    return f"; {LET_THEM_FAIL}" if may_be_own_fault(error) else ""


def outage_reason(error: Exception | None) -> str:
    """Return why a run stops when consecutive rows failed alike, and what to do; ``error`` is the last one's."""
    if is_refused_for_all(error):
        return (
            f"{OUTAGE_AFTER} consecutive rows were refused for a reason that may concern all rows, the last one: "
            f"{error}. None of them was marked as failed, and no further row was sent; resume the run when the cause "
            f"is gone{way_on(error)}"
        )
    if isinstance(error, RateLimitError):
        # Each of them was tried as often as the client retries.
        cause = "Something else seems to use up the limit"
        then = "resume the run when it has ended, or give each program a part of the limit"
    else:
        cause, then = "The API seems to be down", "resume the run when it is well"
    return (
        f"{OUTAGE_AFTER} consecutive rows got no usable response, the last one: {error}. "
        f"{cause}; no further row was sent; {then}"
    )


class Breaker:
    """Counts consecutive failures that may concern all rows, and says when to hold rows back.

    Attributes:
        is_open: whether the API seems to be down.
        is_trying: whether a single row goes, whose outcome decides.
        failed_trials: rows that were tried one by one since the last sign that the API is well, without a success.

    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._in_a_row = 0
        self._proven = False
        self._slowest = 0.0
        self._last_outcome = clock()
        self.is_open: bool = False
        self.is_trying: bool = False
        self.failed_trials: int = 0

    def note(self, error: Exception | None, sent_at: float | None) -> bool:
        """Note the outcome of a row; return whether it opens the breaker.

        Args:
            error: the row's error; ``None`` if it was created.
            sent_at: time of the clock at which it was sent; ``None`` if it was not sent.

        """
        self._last_outcome = self._clock()
        if error is None and sent_at is not None:
            self._slowest = max(self._last_outcome - sent_at, 0.9 * self._slowest)
        sign = sign_of(error)
        if sign is Sign.WELL:
            self._in_a_row, self._proven, self.is_trying, self.failed_trials = 0, True, False, 0
        if sign in (Sign.WELL, Sign.NONE):
            return False
        self._in_a_row += 1
        if self.is_open or (self._in_a_row < OUTAGE_AFTER and not self.is_trying):
            return False
        self.failed_trials += self.is_trying
        self.is_open = True
        return True

    def try_one(self) -> None:
        """Let one row go, whose outcome decides: the API answers reads again."""
        self._in_a_row, self._proven, self.is_open, self.is_trying = 0, False, False, True
        self._last_outcome = self._clock()

    def holds_back(self, in_flight: int) -> bool:
        """Return whether the next row has to wait for the outcome of those in flight."""
        if self.is_open:
            return True
        if self.is_trying:
            return in_flight > 0
        if in_flight + self._in_a_row < FIRST_ROWS:
            return False
        silent = self._clock() - self._last_outcome
        return not self._proven or silent > max(SILENT_AFTER, 3 * self._slowest)
