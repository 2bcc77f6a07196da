"""The report of a run as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from marketingblocks_async.bulk.journal.journal import JournalReader
from marketingblocks_async.bulk.journal.states import Counts, RowState

SHOWN_ROWS = 100
"""Failed and unknown rows that a report lists; the files of failures and of unknown rows have all."""

LONGEST_GAP = 10
"""Seconds without any outcome that the timeline still shows; a longer pause is left out, also within a session."""

MOST_BINS = 240
"""Steps of a timeline at most."""


@dataclass(frozen=True, slots=True)
class Bin:
    """The rows that ended in one step of the timeline.

    Attributes:
        at: seconds of running before this step; pauses are left out.
        seconds: length of the step.
        done: rows that were created.
        failed: rows that failed.
        unknown: rows whose outcome became unknown.
        after_gap: whether time was left out before this step.

    """

    at: int
    seconds: int
    done: int
    failed: int
    unknown: int
    after_gap: bool

    @property
    def rate(self) -> float:
        """Rows per second."""
        return (self.done + self.failed + self.unknown) / self.seconds


@dataclass(frozen=True, slots=True)
class Session:
    """One session of the run.

    Attributes:
        began: ISO 8601 in UTC.
        ended: ISO 8601 in UTC; ``None`` if it was killed, or is running.
        ending: how it ended; ``None`` if it was killed, or is running.

    """

    began: str
    ended: str | None
    ending: str | None


@dataclass(frozen=True, slots=True)
class ReportedRow:
    """A row that is not done; its line in the file is ``None`` if it is not known."""

    row: int
    key: str
    state: str
    error: str
    error_type: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class BulkReport:
    """The report of a run.

    Attributes:
        journal: path of the journal.
        source: file that the rows came from.
        counts: rows by state.
        sessions: the sessions in order.
        errors: class of an error → number of rows that it ended.
        rows: the first ``SHOWN_ROWS`` rows that failed or are unknown.
        timeline: the course of the run over time.
        running_seconds: seconds in which something ended, pauses left out.
        peak_rate: most rows per second in any step of the timeline.
        damage: why the journal's latest entries are missing; ``None`` if it is whole. Rows that would be pending are
            unknown then.

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
    damage: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values; the counts stand at the top."""
        whole = asdict(self)
        del whole["counts"]
        return {**self.counts.to_dict(), **whole}


def make_report(journal: JournalReader) -> BulkReport:
    """Return the report of a journal; the run may be going on meanwhile."""
    errors: Counter[str] = Counter()
    shown: list[ReportedRow] = []
    running = journal.is_running()
    counts, sending = journal.counts_and_sending()
    for row in journal.rows([RowState.FAILED, RowState.UNKNOWN, RowState.SENDING]):
        if running and row.state is RowState.SENDING:
            continue
        kind = row.error_type or "Interrupted"
        errors[kind] += 1
        if len(shown) < SHOWN_ROWS:
            word, why = row.told(running=running)
            shown.append(ReportedRow(row.row, row.key, word, why or "", kind, journal.lines.of(row.row)))
    bins = make_timeline(journal.seconds())
    return BulkReport(
        journal=str(journal.path),
        source=journal.meta.get("source", ""),
        counts=counts.without_in_flight(sending if running else 0),
        sessions=tuple(
            Session(utc_text(began), None if ended is None else utc_text(ended), ending)
            for began, ended, ending in journal.sessions()
        ),
        errors=dict(errors.most_common()),
        rows=tuple(shown),
        timeline=tuple(bins),
        running_seconds=bins[-1].at + bins[-1].seconds if bins else 0,
        peak_rate=max((each.rate for each in bins), default=0.0),
        damage=journal.damage,
    )


def utc_text(moment: float) -> str:
    """Return a Unix time as ISO 8601 in UTC."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def make_timeline(seconds: Sequence[tuple[int, int, int]]) -> list[Bin]:
    """Return the course of a run in at most ``MOST_BINS`` steps.

    It is told in order: Unix second, state, and how many rows ended in that state.
    """
    placed: list[tuple[int, bool, int, int]] = []
    running, before = 0, seconds[0][0] if seconds else 0
    for second, state, count in seconds:
        # Seconds of running: pauses are left out.
        gap = second - before > LONGEST_GAP
        running += 1 if gap else second - before
        before = second
        placed.append((running, gap, state, count))
    if not placed:
        return []
    width = -(-(running + 1) // MOST_BINS)
    ended = [Counter[int]() for _ in range(running // width + 1)]
    after_gap = [False] * len(ended)
    for at, gap, state, count in placed:
        ended[at // width][state] += count
        after_gap[at // width] |= gap
    return [
        Bin(
            number * width,
            width,
            counts[RowState.DONE],
            counts[RowState.FAILED],
            counts[RowState.UNKNOWN],
            after_gap[number],
        )
        for number, counts in enumerate(ended)
    ]
