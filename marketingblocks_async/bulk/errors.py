"""Errors of bulk runs, beside those of the client.

::

    BulkError
    ├─ SourceError          the file cannot be read, or not to its end
    ├─ InvalidRowsError     rows make no post
    └─ JournalError         the journal cannot be used
       ├─ JournalExistsError
       └─ JournalInUseError
"""

from __future__ import annotations

from collections.abc import Sequence

from marketingblocks_async.errors import MarketingBlocksError

from .plan import Plan, RowError


class BulkError(MarketingBlocksError):
    """Base of the errors of bulk runs."""


class JournalError(BulkError):
    """The journal cannot be used as asked: missing, foreign, in use, of another version, or not writable."""


class JournalExistsError(JournalError):
    """There is a journal already where a new run was to begin. The message says how it relates to the file."""


class JournalInUseError(JournalError):
    """Another process is running this journal.

    Attributes:
        holder: its process id, if it is known.

    """

    def __init__(self, message: str, *, holder: int | None = None) -> None:
        """Keep who holds it."""
        super().__init__(message)
        self.holder: int | None = holder


class SourceError(BulkError):
    """A file of posts that cannot be read on: there is no trusting what comes after the fault.

    Rows that were read before it may have been handed out already; nothing is to be sent from such a file.

    Attributes:
        message: what is wrong and what to do.
        file: the file as it was given.
        line: line of the text file or row of the sheet, from 1, ``None`` if that says nothing.
        errors: what is wrong with the header, one for each column; empty for other faults.
        plan: if a plan was being made, the incomplete plan of what was read, which ends with this error; else ``None``.

    """

    def __init__(
        self, message: str, *, file: str = "", line: int | None = None, errors: Sequence[RowError] = ()
    ) -> None:
        """Keep the message and where the fault is; all but the message is optional so that pickling works."""
        super().__init__(message)
        self.file = file
        self.line = line
        self.errors: tuple[RowError, ...] = tuple(errors)
        self.plan: Plan | None = None

    @property
    def message(self) -> str:
        """What is wrong and what to do, without the place."""
        return str(self.args[0])

    def __str__(self) -> str:
        place = ", ".join(part for part in (self.file, f"line {self.line}" if self.line else "") if part)
        return f"{place}: {self.message}" if place else self.message


class InvalidRowsError(BulkError):
    """Rows of a source make no post, so nothing was stored and nothing is sent.

    Attributes:
        plan: everything that is wrong.

    """

    def __init__(self, message: str, plan: Plan | None = None) -> None:
        """Keep the plan; it is optional so that pickling works."""
        super().__init__(message)
        self.plan: Plan | None = plan
