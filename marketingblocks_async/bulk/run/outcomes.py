"""Outcomes of rows and of runs: what a row is after its call, and how a run ended."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from marketingblocks_async import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    InternalServerError,
    InvalidResponseError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
)
from marketingblocks_async.bulk.errors import JournalError
from marketingblocks_async.bulk.journal.states import Counts, RowState

from .reconcile import Reconciliation


class UnknownPolicy(StrEnum):
    """Policy for rows that are of unknown outcome when a run begins.

    ``report``: look for them, and leave those unknown that cannot be decided. ``resend``: look for them, and send those
    again, at the risk of publishing twice. ``skip``: count all of them as failed without a look, also those that exist.
    """

    REPORT = "report"
    RESEND = "resend"
    SKIP = "skip"


class Ending(StrEnum):
    """The way in which a run ended."""

    COMPLETE = "complete"
    """Every row is done or failed."""
    INCOMPLETE = "incomplete"
    """It came to its end, but rows are of unknown outcome, or could not be sent and are pending."""
    INTERRUPTED = "interrupted"
    """It was asked to stop, and the rows in flight came to their end."""
    ABORTED = "aborted"
    """It was told to stop at once; the rows in flight are unknown."""
    STOPPED = "stopped"
    """It met something that concerns all rows; the reason says what."""


@dataclass(frozen=True, slots=True)
class BulkResult:
    """The result of a run.

    Attributes:
        counts: rows by state, from the journal.
        ending: how it ended.
        reason: why rows are still pending, and what to do about it; ``None`` if nothing is in the way.
        seconds: duration of the run.
        sent: rows that this run sent, each counted once, however often it was sent.
        reconciliation: what was found out about unknown rows.
        cause: the error that stopped the run, if it concerns all rows, or was that of rows which may be at fault
            themselves; not part of ``to_dict()``.

    """

    counts: Counts
    ending: Ending
    reason: str | None
    seconds: float
    sent: int
    reconciliation: Reconciliation
    cause: Exception | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values; the counts stand at the top."""
        return {
            **self.counts.to_dict(),
            "ending": self.ending.value,
            "reason": self.reason,
            "seconds": round(self.seconds, 3),
            "sent": self.sent,
            "reconciliation": asdict(self.reconciliation),
        }


class SkippedError(Exception):
    """Stands in the journal for rows that were skipped by choice."""


class StoppingError(Exception):
    """Keeps a row from being sent: the run is about to stop, or the row's schedule time has passed."""


def state_after(error: Exception | None) -> RowState:
    """Return the state of a row after its call ended."""
    if error is None:
        return RowState.DONE
    # A response that cannot be read leaves the outcome open as well: the post has to be looked for.
    if isinstance(error, OutcomeUnknownError | InvalidResponseError):
        return RowState.UNKNOWN
    # Rejected before processing, so it can be sent again once the cause is removed.
    if isinstance(
        error,
        NotSentError
        | RateLimitError
        | InternalServerError
        | AuthenticationError
        | PermissionDeniedError
        | ConfigurationError
        | JournalError
        | StoppingError,
    ):
        return RowState.PENDING
    if isinstance(error, APIError | ValueError):
        return RowState.FAILED
    # An error that this list does not foresee; the row may have been sent.
    return RowState.UNKNOWN
