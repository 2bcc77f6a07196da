"""The report of a run, as data, CSV and HTML."""

from .html import html_report
from .report import SHOWN_ROWS, Bin, BulkReport, ReportedRow, Session, make_report, write_failures
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
