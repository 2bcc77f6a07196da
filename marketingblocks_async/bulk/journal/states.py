"""What a row of a bulk run can be, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class RowState(IntEnum):
    """The state of a row; every row is in exactly one.

    ``SENDING`` is the intent on disk: the request may have gone out and its outcome is not recorded. While a run is
    alive it means *in flight*; in the journal of a run that was killed it means *unknown*, and is reported so.
    """

    PENDING = 0
    SENDING = 1
    DONE = 2
    FAILED = 3
    UNKNOWN = 4

    @property
    def word(self) -> str:
        """The state in reports: ``pending``, ``done``, ``failed`` or ``unknown``."""
        return "unknown" if self is RowState.SENDING else self.name.lower()


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows are in which state; the numbers of a journal add up to its total.

    Attributes:
        total: rows in all.
        done: created, as the API said or as was found out later.
        failed: refused by the API for good, or invalid and skipped.
        pending: not sent, or refused before anything began; a resumed run sends them.
        unknown: possibly created.

    """

    total: int
    done: int
    failed: int
    pending: int
    unknown: int

    def to_dict(self) -> dict[str, int]:
        """Return the numbers by name."""
        return {
            "total": self.total,
            "done": self.done,
            "failed": self.failed,
            "pending": self.pending,
            "unknown": self.unknown,
        }


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row as the journal holds it.

    Attributes:
        number: 1 for the first row of the data.
        key: its identity: the text of the key column, or its number.
        content_hash: hash of what is sent.
        request: the request as JSON (the fields of ``CreatePost``, as the API names them); empty for an invalid row.
        state: its state.
        attempts: how often it may have been sent.
        post_id: id of the created post, if it is known.
        error: what went wrong last, in words.
        error_type: class of that error.
        sent_at: Unix time of the last intent.
        ended_at: Unix time of the last outcome.

    """

    number: int
    key: str
    content_hash: str
    request: str
    state: RowState
    attempts: int
    post_id: str | None
    error: str | None
    error_type: str | None
    sent_at: float | None
    ended_at: float | None
