"""Bulk posting: check a file, send its rows against a journal, and resume after a crash.

    if not Path("posts.journal").exists():
        plan = await create_journal("posts.csv", "posts.journal")
    async with MarketingBlocks() as client, Journal("posts.journal") as journal:
        result = await BulkRun(client, journal).run()

If the process dies, the same lines continue the run; ``Journal`` says what is known of each row then.

What sends is loaded when it is first used, so that a program which only reads files or journals does not load the HTTP
client, which takes as long as all else.
"""

import importlib
from typing import TYPE_CHECKING

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
from .plan import (
    ChannelCount,
    DuplicateGroup,
    Fault,
    Plan,
    RowError,
    RowWarning,
    ScheduledRow,
    SentEarlier,
    SourceFacts,
    SourceInfo,
)
from .planning import PlanBuilder, amake_plan, make_plan
from .report.failures import write_failures
from .report.html import html_report
from .report.report import BulkReport, make_report
from .report.results import write_results
from .run.breaker import OutagePolicy
from .sheets.columns import ColumnMapping
from .sheets.flat import FLAT_COLUMNS, flatten_post
from .sheets.recipes.recipe import Channel, Condition, Recipe, load_recipe, parse_recipe, recipe_names
from .sheets.rows import Row, content_hash, parse_row
from .sheets.sources import AsyncRowStream, ReadOptions, RowStream, aread_rows, read_rows

if TYPE_CHECKING:
    from .media_requests import check_media
    from .run.outcomes import BulkResult, Ending, UnknownPolicy
    from .run.progress import BulkProgress
    from .run.reconcile import Reconciliation
    from .run.runner import BulkRun

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
    "SentEarlier",
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

_LOADED_LATER = {
    "BulkProgress": "run.progress",
    "BulkResult": "run.outcomes",
    "BulkRun": "run.runner",
    "Ending": "run.outcomes",
    "Reconciliation": "run.reconcile",
    "UnknownPolicy": "run.outcomes",
    "check_media": "media_requests",
}


def __getattr__(name: str) -> object:
    if name not in _LOADED_LATER:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value: object = getattr(importlib.import_module(f"{__name__}.{_LOADED_LATER[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
