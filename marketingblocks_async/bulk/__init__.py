"""Bulk posting: check a file, send its rows against a journal, and resume after a crash.

    plan = await create_journal("posts.csv", "posts.journal")
    async with MarketingBlocks() as client, Journal("posts.journal") as journal:
        result = await BulkRun(client, journal).run()

If the process dies, the last two lines alone continue the run; ``Journal`` says what is known of each row then.
"""

from .errors import (
    BulkError,
    InvalidRowsError,
    JournalError,
    JournalExistsError,
    JournalInUseError,
    OtherTokenError,
    SourceError,
    UnconfirmedRowsError,
)
from .journal.create import create_journal
from .journal.journal import Journal, JournalReader
from .journal.states import Counts, RowState, StoredRow
from .media import check_media
from .plan import ChannelCount, DuplicateGroup, Fault, Plan, RowError, RowWarning, ScheduledRow, SourceFacts, SourceInfo
from .planning import PlanBuilder, amake_plan, make_plan
from .report.failures import write_failures
from .report.html import html_report
from .report.report import BulkReport, make_report
from .report.results import write_results
from .run.breaker import OutagePolicy
from .run.outcomes import BulkResult, Ending, UnknownPolicy
from .run.progress import BulkProgress
from .run.reconcile import Reconciliation
from .run.runner import BulkRun
from .sheets.columns import ColumnMapping
from .sheets.flat import FLAT_COLUMNS, flatten_post
from .sheets.recipes.recipe import Channel, Condition, Recipe, load_recipe, parse_recipe, recipe_names
from .sheets.rows import Row, content_hash, parse_row
from .sheets.sources import AsyncRowStream, ReadOptions, RowStream, aread_rows, read_rows

__all__ = [
    "FLAT_COLUMNS",
    "AsyncRowStream",
    "BulkError",
    "BulkProgress",
    "BulkReport",
    "BulkResult",
    "BulkRun",
    "Channel",
    "ChannelCount",
    "ColumnMapping",
    "Condition",
    "Counts",
    "DuplicateGroup",
    "Ending",
    "Fault",
    "InvalidRowsError",
    "Journal",
    "JournalError",
    "JournalExistsError",
    "JournalInUseError",
    "JournalReader",
    "OtherTokenError",
    "OutagePolicy",
    "Plan",
    "PlanBuilder",
    "ReadOptions",
    "Recipe",
    "Reconciliation",
    "Row",
    "RowError",
    "RowState",
    "RowStream",
    "RowWarning",
    "ScheduledRow",
    "SourceError",
    "SourceFacts",
    "SourceInfo",
    "StoredRow",
    "UnconfirmedRowsError",
    "UnknownPolicy",
    "amake_plan",
    "aread_rows",
    "check_media",
    "content_hash",
    "create_journal",
    "flatten_post",
    "html_report",
    "load_recipe",
    "make_plan",
    "make_report",
    "parse_recipe",
    "parse_row",
    "read_rows",
    "recipe_names",
    "write_failures",
    "write_results",
]
