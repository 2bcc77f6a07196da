"""The journal of a bulk run: an SQLite file with every row and its state."""

from .create import JournalBuilder, create_journal
from .files import APPLICATION_ID, SCHEMA_VERSION
from .journal import Journal, JournalReader
from .states import INVALID_ROW, Counts, RowState, StoredRow

__all__ = [
    "APPLICATION_ID",
    "INVALID_ROW",
    "SCHEMA_VERSION",
    "Counts",
    "Journal",
    "JournalBuilder",
    "JournalReader",
    "RowState",
    "StoredRow",
    "create_journal",
]
