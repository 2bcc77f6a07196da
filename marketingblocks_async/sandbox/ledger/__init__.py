"""The record of what arrived and what was carried out, and the report on it."""

from .ledger import Ledger
from .records import (
    MISSING_TOKEN,
    NO_ANSWER,
    UNKNOWN_PATH,
    UNKNOWN_TOKEN,
    Commit,
    EndpointRecord,
    FaultFiring,
    TokenRecord,
    WebHookDelivery,
)
from .report import (
    REPORTED_DUPLICATES,
    Comparison,
    Duplicate,
    EndpointReport,
    Expected,
    LedgerReport,
    Miscount,
    TokenReport,
    average_rate,
    identity_of,
    worst_window,
)

__all__ = [
    "MISSING_TOKEN",
    "NO_ANSWER",
    "REPORTED_DUPLICATES",
    "UNKNOWN_PATH",
    "UNKNOWN_TOKEN",
    "Commit",
    "Comparison",
    "Duplicate",
    "EndpointRecord",
    "EndpointReport",
    "Expected",
    "FaultFiring",
    "Ledger",
    "LedgerReport",
    "Miscount",
    "TokenRecord",
    "TokenReport",
    "WebHookDelivery",
    "average_rate",
    "identity_of",
    "worst_window",
]
