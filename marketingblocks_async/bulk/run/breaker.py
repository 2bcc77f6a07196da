"""The circuit breaker of a run: tells answers that concern one row from those that concern all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum

from marketingblocks_async import (
    APIError,
    CallError,
    InternalServerError,
    InvalidResponseError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
)

OUTAGE_AFTER = 5
"""Consecutive rows without a usable response after which the API counts as down."""

FIRST_ROWS = 10
"""Rows in flight at most until the first usable response, so that a run against an API that is down costs few rows."""

SILENT_AFTER = 5.0
"""Seconds without any outcome, while rows are in flight, after which no further row is sent; more for slow APIs."""


class OutagePolicy(StrEnum):
    """What a run does when the API seems to be down.

    ``stop``: end the run; nothing more is sent. ``wait``: ask with a read now and then, and go on when it is well.
    """

    STOP = "stop"
    WAIT = "wait"


def concerns_all_rows(error: Exception) -> bool:
    """Return whether a row's error says something about the API rather than about the row.

    No connection, no response in time, a 5xx, a response that makes no sense, a redirect, a 404 (the address of the
    operation is wrong or gone) and a rate limit that does not end.
    """
    if isinstance(error, APIError) and 300 <= error.status_code < 400:
        return True
    kinds = (
        InvalidResponseError,
        NotFoundError,
        NotSentError,
        OutcomeUnknownError,
        RateLimitError,
        InternalServerError,
    )
    return isinstance(error, kinds)


def is_refused_for_all(error: Exception | None) -> bool:
    """Return whether the API refused a row for a reason that may be no fault of the row: a 404 or a redirect."""
    return isinstance(error, NotFoundError) or (isinstance(error, APIError) and 300 <= error.status_code < 400)


class Breaker:
    """Counts consecutive failures that concern all rows, and says when to hold rows back.

    Attributes:
        is_open: whether the API seems to be down.

    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._in_a_row = 0
        self._proven = False
        self._slowest = 0.0
        self._last_outcome = clock()
        self.is_open: bool = False

    def note(self, error: Exception | None, sent_at: float | None) -> bool:
        """Note the outcome of a row; return whether it opens the breaker.

        Args:
            error: the row's error; ``None`` if it was created.
            sent_at: time of the clock at which it was sent; ``None`` if it was not sent.

        """
        self._last_outcome = self._clock()
        if error is None:
            self._in_a_row, self._proven = 0, True
            if sent_at is not None:
                self._slowest = max(self._last_outcome - sent_at, 0.9 * self._slowest)
            return False
        if not concerns_all_rows(error):
            if isinstance(error, CallError):
                self._in_a_row, self._proven = 0, True
            return False
        self._in_a_row += 1
        if self._in_a_row < OUTAGE_AFTER or self.is_open:
            return False
        self.is_open = True
        return True

    def close(self) -> None:
        """Go on: the API answers again."""
        self._in_a_row, self._proven, self.is_open = 0, False, False
        self._last_outcome = self._clock()

    def holds_back(self, in_flight: int) -> bool:
        """Return whether the next row has to wait for the outcome of those in flight."""
        if self.is_open:
            return True
        if in_flight + self._in_a_row < FIRST_ROWS:
            return False
        silent = self._clock() - self._last_outcome
        return not self._proven or silent > max(SILENT_AFTER, 3 * self._slowest)
