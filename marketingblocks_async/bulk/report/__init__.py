"""The report of a run, as data, CSV and HTML."""

from .failures import write_failures
from .html import html_report
from .report import SHOWN_ROWS, Bin, BulkReport, ReportedRow, Session, make_report
from .results import write_results

__all__ = [
    "SHOWN_ROWS",
    "Bin",
    "BulkReport",
    "ReportedRow",
    "Session",
    "html_report",
    "make_report",
    "write_failures",
    "write_results",
]
