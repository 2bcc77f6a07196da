"""Bulk posting that survives anything: plan a file, run it against a journal, resume it after whatever happened.

::

    plan = await create_journal("posts.csv", "posts.journal")
    async with MarketingBlocks() as client, Journal("posts.journal") as journal:
        result = await BulkRun(client, journal).run()

If the process dies, the last two lines alone go on where it was; see :class:`Journal` for what is known of a row then.
"""

from .errors import BulkError, JournalError, JournalExistsError, JournalInUseError
from .facts import SourceFacts
from .journal.create import InvalidRowsError, create_journal
from .journal.journal import Journal, JournalReader
from .journal.states import Counts, RowState, StoredRow
from .plan import ChannelCount, DuplicateGroup, Plan, PlanBuilder, ScheduledRow, amake_plan, make_plan
from .report.html import html_report
from .report.report import BulkReport, make_report, write_failures
from .run.reconcile import Reconciliation
from .run.runner import BulkProgress, BulkResult, BulkRun, Ending, UnknownPolicy
from .sheets.columns import ColumnMapping
from .sheets.display import RowError, SourceError
from .sheets.flat import FLAT_COLUMNS, flatten_post
from .sheets.rows import Row, content_hash, parse_row
from .sheets.sources import AsyncRowStream, RowStream, aread_rows, read_rows

__all__ = [
    "FLAT_COLUMNS",
    "AsyncRowStream",
    "BulkError",
    "BulkProgress",
    "BulkReport",
    "BulkResult",
    "BulkRun",
    "ChannelCount",
    "ColumnMapping",
    "Counts",
    "DuplicateGroup",
    "Ending",
    "InvalidRowsError",
    "Journal",
    "JournalError",
    "JournalExistsError",
    "JournalInUseError",
    "JournalReader",
    "Plan",
    "PlanBuilder",
    "Reconciliation",
    "Row",
    "RowError",
    "RowState",
    "RowStream",
    "ScheduledRow",
    "SourceError",
    "SourceFacts",
    "StoredRow",
    "UnknownPolicy",
    "amake_plan",
    "aread_rows",
    "content_hash",
    "create_journal",
    "flatten_post",
    "html_report",
    "make_plan",
    "make_report",
    "parse_row",
    "read_rows",
    "write_failures",
]
