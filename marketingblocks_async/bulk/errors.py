"""What bulk runs raise beside the errors of the client."""

from __future__ import annotations

from marketingblocks_async.errors import MarketingBlocksError


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
