"""Errors of bulk runs, beside those of the client.

BulkError
├─ SourceError          the file cannot be read, or not to its end
├─ InvalidRowsError     rows make no post
├─ UnconfirmedRowsError rows may not be meant: past times, repetitions, media that are not there
└─ JournalError         the journal cannot be used
   ├─ JournalExistsError
   ├─ JournalInUseError
   └─ OtherTokenError   the run was begun with another access token
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
    """A journal exists already at the path of a new one. The message says whether it was made from the same file."""


class JournalInUseError(JournalError):
    """Another process is running this journal, or has kept runs in its folder from beginning for over a minute.

    Attributes:
        holder: the process's id, if it is known.

    """

    def __init__(self, message: str, *, holder: int | None = None) -> None:
        """Keep the holder."""
        super().__init__(message)
        self.holder: int | None = holder


class OtherTokenError(JournalError):
    """The run was begun with another access token, so its rows might go to another account; nothing was sent."""


class SourceError(BulkError):
    """A file of posts cannot be read on, since the rest cannot be trusted after this fault.

    Rows before the fault may have been handed out already. Do not send anything from such a file.

    Attributes:
        message: what is wrong and what to do.
        file: the file as it was given.
        line: line of the text file or row of the sheet, from 1; ``None`` if there is none.
        errors: what is wrong with the header, one for each column; empty for other faults.
        plan: the incomplete plan of what was read, which ends with this error; ``None`` if no plan was being made.

    """

    def __init__(
        self, message: str, *, file: str = "", line: int | None = None, errors: Sequence[RowError] = ()
    ) -> None:
        """Keep message and place. All but the message is optional, so that pickling works."""
        super().__init__(message)
        self.file = file
        self.line = line
        self.errors: tuple[RowError, ...] = tuple(errors)
        self.plan: Plan | None = None

    @property
    def message(self) -> str:
        """The message without the place: what is wrong and what to do."""
        return str(self.args[0])

    def __str__(self) -> str:
        place = ", ".join(part for part in (self.file, f"line {self.line}" if self.line else "") if part)
        return f"{place}: {self.message}" if place else self.message


class InvalidRowsError(BulkError):
    """Rows of a source make no post; nothing was stored, and nothing is sent.

    Attributes:
        plan: everything that is wrong.

    """

    def __init__(self, message: str, plan: Plan | None = None) -> None:
        """Keep the plan. It is optional, so that pickling works."""
        super().__init__(message)
        self.plan: Plan | None = plan


class UnconfirmedRowsError(BulkError):
    """Rows are valid but may not be meant, and were not allowed; nothing was stored, and nothing is sent.

    A run raises it for rows whose schedule time has passed since they were planned, and ``bulk resume`` for rows that
    other runs have sent meanwhile.

    Attributes:
        plan: the plan, which lists them; ``None`` if a run raised it.

    """

    def __init__(self, message: str, plan: Plan | None = None) -> None:
        """Keep the plan. It is optional, so that pickling works."""
        super().__init__(message)
        self.plan: Plan | None = plan
