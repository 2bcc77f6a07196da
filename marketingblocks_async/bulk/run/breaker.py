"""The circuit breaker of a run: holds rows back when the outcomes of others say that the API may be down."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum

from .signs import OUTAGE_AFTER, Sign, sign_of

FIRST_ROWS = 10
"""Rows in flight at most until the first usable response, so that a run against an API that is down costs few rows."""

SILENT_AFTER = 5.0
"""Seconds without any outcome, while rows are in flight, after which no further row is sent; more for slow APIs."""

MOST_TRIALS = 5
"""Rows that are sent one by one, each after a wait, to an API that answers reads; if none succeeds the run stops."""


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
