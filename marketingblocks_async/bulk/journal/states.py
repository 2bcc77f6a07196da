"""The states of a row in a bulk run, and what a journal knows of a row."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import IntEnum
from hashlib import sha256

from marketingblocks_async.bulk.numbers import row_of

INVALID_ROW = "InvalidRow"
"""Error class of rows that make no post."""


END_MISSING = "JournalEndMissing"
"""Error class of rows that may have been sent, since the latest entries of the journal are missing."""

LOOKED_FOR = "; looked for: "
"""Stands in the journal between a row's error and the reason why it is still unknown."""

_NOT_LOOKED_FOR = "not looked for yet; 'bulk resume' asks the API whether the post is there"


def is_intact(request: str, content_hash: str) -> bool:
    """Return whether a stored request is the one that was planned."""
    return sha256(request.encode()).hexdigest() == content_hash


class UndecidedError(Exception):
    """Stands in a journal for a row that was looked for and stays unknown."""


class RowState(IntEnum):
    """The state of a row; every row is in exactly one.

    ``SENDING`` means that the intent is on the disk and the outcome is not: the request may have gone out. While a run
    is alive such a row is in flight. In the journal of a killed run its outcome is unknown, and it is reported so.
    """

    PENDING = 0
    SENDING = 1
    DONE = 2
    FAILED = 3
    UNKNOWN = 4

    @property
    def word(self) -> str:
        """The state in reports: ``pending``, ``in flight``, ``done``, ``failed`` or ``unknown``."""
        return "in flight" if self is RowState.SENDING else self.name.lower()


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of rows in each state; they add up to the total.

    Attributes:
        total: all rows.
        done: created, as the API said or as the listings showed later.
        failed: rejected by the API for good, or invalid and skipped.
        pending: not sent, or rejected before processing; a resumed run sends them.
        unknown: possibly created.

    """

    total: int
    done: int
    failed: int
    pending: int
    unknown: int

    @property
    def ended(self) -> int:
        """Rows that are not pending."""
        return self.done + self.failed + self.unknown

    def without_in_flight(self, rows: int) -> Counts:
        """Return the counts of a run that is alive: its rows in flight are pending, and not unknown yet."""
        moved = min(rows, self.unknown)
        return replace(self, pending=self.pending + moved, unknown=self.unknown - moved)

    def to_dict(self) -> dict[str, int]:
        """Return the numbers by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row as the journal holds it.

    Attributes:
        number: of the post; that of the row, unless the row makes several posts.
        key: its identity: the text of the key column, or its number; with ``/2`` for the second post of a row.
        content_hash: hash of the request; empty for an invalid row.
        request: the request as JSON (the fields of ``CreatePost``, as the API names them); empty for an invalid row.
        state: its state.
        attempts: number of times that it may have been sent.
        post_id: id of the created post, if it is known.
        error: the last error, in words.
        error_type: class of the last error.
        sent_at: Unix time of the last intent.
        ended_at: Unix time of the last outcome.
        permalink: address of the live post, if the API said it.

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
    permalink: str | None = None

    def told(self, *, running: bool) -> tuple[str, str | None]:
        """Return the state in a word, and why the row is in it; of an unknown one also what can be done.

        Args:
            running: whether the run is going on, so that a row without an outcome is in flight.

        """
        if running or self.state not in (RowState.SENDING, RowState.UNKNOWN):
            return self.state.word, self.error
        why = self.error or "the run ended between the intent to send the row and its outcome"
        says_what_to_do = LOOKED_FOR in why or self.error_type == END_MISSING
        return RowState.UNKNOWN.word, why if says_what_to_do else f"{why}; {_NOT_LOOKED_FOR}"

    @property
    def row(self) -> int:
        """Number of the data row that the post is from; 1 for the first."""
        return row_of(self.number)
