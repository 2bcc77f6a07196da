"""What a run came to, for people and for programs."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from marketingblocks_async.bulk.journal.journal import JournalReader
from marketingblocks_async.bulk.journal.states import Counts, RowState, StoredRow
from marketingblocks_async.bulk.sheets.columns import KEY
from marketingblocks_async.bulk.sheets.flat import FLAT_COLUMNS, flatten_post
from marketingblocks_async.models import CreatePost

from .timeline import Bin, timeline

SHOWN_ROWS = 100
"""How many failed and unknown rows a report lists; the files of failures have all."""


@dataclass(frozen=True, slots=True)
class Session:
    """One time that the run ran.

    Attributes:
        began: when, as ISO 8601 in UTC.
        ended: when it ended in an orderly way, else ``None``.
        ending: how, else ``None``: it was killed, or is running.

    """

    began: str
    ended: str | None
    ending: str | None


@dataclass(frozen=True, slots=True)
class ReportedRow:
    """A row that is not done.

    Attributes:
        row: its number.
        key: its identity.
        state: ``failed`` or ``unknown``.
        error: what went wrong.
        error_type: class of the error.

    """

    row: int
    key: str
    state: str
    error: str
    error_type: str


@dataclass(frozen=True, slots=True)
class BulkReport:
    """Everything worth knowing about a run.

    Attributes:
        journal: path of the journal.
        source: file that the rows came from.
        counts: rows by state.
        sessions: the times that it ran, the first one first.
        errors: how often each class of error ended a row.
        rows: the first ``SHOWN_ROWS`` rows that failed or are unknown.
        timeline: the course of the run.
        running_seconds: seconds in which something ended, gaps between sessions left out.
        peak_rate: most rows per second in any step of the timeline.

    """

    journal: str
    source: str
    counts: Counts
    sessions: tuple[Session, ...]
    errors: dict[str, int]
    rows: tuple[ReportedRow, ...]
    timeline: tuple[Bin, ...]
    running_seconds: int
    peak_rate: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values; the counts stand at the top."""
        whole = asdict(self)
        del whole["counts"]
        return {**self.counts.to_dict(), **whole}


def make_report(journal: JournalReader) -> BulkReport:
    """Read a report out of a journal; the run may be going on meanwhile."""
    errors: Counter[str] = Counter()
    shown: list[ReportedRow] = []
    for row in journal.rows([RowState.FAILED, RowState.UNKNOWN, RowState.SENDING]):
        kind = row.error_type or "Interrupted"
        errors[kind] += 1
        if len(shown) < SHOWN_ROWS:
            shown.append(ReportedRow(row.number, row.key, row.state.word, row.error or "", kind))
    bins = timeline(journal.seconds())
    return BulkReport(
        journal=str(journal.path),
        source=journal.meta.get("source", ""),
        counts=journal.counts(),
        sessions=tuple(Session(_iso(began), _iso(ended), ending) for began, ended, ending in _moments(journal)),
        errors=dict(errors.most_common()),
        rows=tuple(shown),
        timeline=tuple(bins),
        running_seconds=bins[-1].at + bins[-1].seconds if bins else 0,
        peak_rate=max((each.rate for each in bins), default=0.0),
    )


def write_failures(journal: JournalReader, path: Path, states: Sequence[RowState] = (RowState.FAILED,)) -> int:
    """Write rows as a CSV file that can be corrected and fed in again; return how many there are.

    The columns ``_row``, ``_state`` and ``_error`` say what went wrong; columns that begin with an underscore are
    ignored when the file is read. Rows that were invalid in the first place have the cells of the original file.

    Args:
        journal: the run.
        path: where to; an existing file is replaced.
        states: which rows.

    Raises:
        OSError: it cannot be written there.

    """
    others: list[str] = json.loads(journal.meta.get("other_columns", "[]"))
    count = 0
    # With the byte order mark that tells spreadsheets the encoding.
    with path.open("w", newline="", encoding="utf-8-sig", errors="backslashreplace") as lines:
        columns = [KEY, *FLAT_COLUMNS, *others, "_row", "_state", "_error"]
        writer = csv.DictWriter(lines, columns, restval="", extrasaction="ignore")
        writer.writeheader()
        for row in journal.rows(states):
            writer.writerow(_cells(row))
            count += 1
    return count


def _cells(row: StoredRow) -> dict[str, object]:
    notes = {KEY: row.key, "_row": row.number, "_state": row.state.word, "_error": row.error or ""}
    if not row.content_hash:
        cells: dict[str, str] = json.loads(row.request)
        return {**cells, **notes}
    return {**flatten_post(CreatePost.model_validate_json(row.request)), **notes}


def _moments(journal: JournalReader) -> Iterator[tuple[float, float | None, str | None]]:
    yield from journal.sessions()


def _iso(moment: float | None) -> Any:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
