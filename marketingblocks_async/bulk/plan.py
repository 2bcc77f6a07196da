"""The plan of a bulk run as data: what would be sent, and everything that is wrong with the rows."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

FAULTS_LIMIT = 1000
"""Faults that a plan tells apart."""

GROUPS_LIMIT = 1000
"""Groups of equal posts that a plan lists, and rows that it lists of each; all are counted."""

_LINES_LIMIT = 20_000
"""Places in a file at which ``Lines`` remembers that a row takes several lines, or that there is an empty one."""


@dataclass(slots=True)
class Lines:
    """The line of each row of a file, in bounded memory.

    Attributes:
        last: the last row whose line is known; 0 if none is.
        starts: the rows at which the distance between row and line changes.
        distances: how far the line is below the row, from each of ``starts`` on.

    """

    last: int = 0
    starts: list[int] = field(default_factory=list[int])
    distances: list[int] = field(default_factory=list[int])

    def add(self, row: int, line: int | None) -> None:
        """Note the line of a row; rows come in their order."""
        if line is None:
            return
        if not self.starts or self.distances[-1] != line - row:
            if len(self.starts) > _LINES_LIMIT:
                return
            self.starts.append(row)
            self.distances.append(line - row)
        # The lines of the rows behind a place for which there was no room are not known.
        if len(self.starts) <= _LINES_LIMIT:
            self.last = row

    def of(self, row: int) -> int | None:
        """Return the line of the text file or row of the sheet, from 1; ``None`` if it is not known."""
        place = bisect_right(self.starts, row) - 1
        return None if place < 0 or row > self.last else row + self.distances[place]

    def to_text(self) -> str:
        """Return it as text; empty if there is nothing to tell."""
        return json.dumps([self.last, self.starts, self.distances]) if self.last else ""

    @classmethod
    def from_text(cls, text: str) -> Lines:
        """Return what ``to_text()`` wrote."""
        return cls(*json.loads(text)) if text else cls()


@dataclass(frozen=True, slots=True)
class _AtRow:
    row: int | None
    column: str
    value: str
    message: str
    file: str = ""
    line: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        """Return place and message on one line."""
        places = [
            self.file,
            f"line {self.line}" if self.line is not None else "",
            f"row {self.row}" if self.row is not None else "",
            f"column {self.column}" if self.column else "",
        ]
        return f"{', '.join(place for place in places if place)}: {self.message}".removeprefix(": ")


@dataclass(frozen=True, slots=True)
class RowError(_AtRow):
    """A fault of a row, and what to change.

    Attributes:
        row: number of the data row, from 1; ``None`` for the header.
        column: name of the column as the file spells it, or of the field if the file has no such column; empty if the
            whole row is concerned.
        value: content of the cell, cut to a readable length.
        message: what to change.
        file: the file as it was given; empty if the rows come from elsewhere.
        line: line of the text file or row of the sheet, from 1; ``None`` if there is none.

    """


@dataclass(frozen=True, slots=True)
class RowWarning(_AtRow):
    """A doubt about a valid row, which is sent nevertheless; the attributes are those of ``RowError``."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The same thing that is wrong with one row or many.

    Attributes:
        message: what to change.
        column: name of the column; empty if the whole row is concerned.
        rows: number of rows that it stops.
        first: the first of them.

    """

    message: str
    column: str
    rows: int
    first: RowError

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as JSON values."""
        return asdict(self)


@dataclass(slots=True)
class SourceInfo:
    """A source of rows and how it was understood; filled in while it is read.

    Attributes:
        file: path of the file as it was given; empty if the rows come from elsewhere.
        kind: ``csv``, ``jsonl``, ``xlsx`` or ``objects``.
        size: bytes read; ``None`` if there is no file.
        sha256: hash (hexadecimal) of the file's bytes, exactly those that the rows were read from; ``None`` until the
            end was reached.
        encoding: encoding of a text file.
        delimiter: character between the columns of a CSV file.
        sheet: name of the worksheet.
        columns: name of a column in the file → field that it fills. ``None`` if the column is ignored, either because
            the caller said so or because its name begins with an underscore. Empty for sources whose rows name their
            fields themselves.
        recipe: name of the recipe that the rows were read by; empty if there is none.
        dates: how the dates of the file are written, and why that was taken; ``None`` if nothing had to be decided.
        left_out: name of a column that holds no field → rows in which it is not empty. Nothing of it is sent.
        filtered_rows: rows that were not taken, because the recipe or the caller chose others.
        other_sheets: names of the workbook's other worksheets; hidden ones are marked.
        hidden_rows: rows that the spreadsheet does not show.
        hidden_columns: columns that the spreadsheet does not show; they are read like the others.
        notes: what else was noticed and decided while reading, in words.

    """

    file: str = ""
    kind: str = "objects"
    size: int | None = None
    sha256: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    columns: dict[str, str | None] = field(default_factory=dict[str, "str | None"])
    recipe: str = ""
    dates: str | None = None
    left_out: dict[str, int] = field(default_factory=dict[str, int])
    filtered_rows: int = 0
    other_sheets: list[str] = field(default_factory=list[str])
    hidden_rows: int = 0
    hidden_columns: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])


SourceFacts: TypeAlias = SourceInfo
"""The former name of ``SourceInfo``; it stays until 1.0."""


@dataclass(frozen=True, slots=True)
class ChannelCount:
    """The number of rows for one channel and publish mode.

    Attributes:
        channel_type: platform.
        channel_id: id of the connected account.
        publish_mode: ``now``, ``scheduled``, ``queued`` or ``share_next``.
        rows: number of rows.

    """

    channel_type: str
    channel_id: int
    publish_mode: str
    rows: int


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Rows that make exactly the same post.

    Attributes:
        rows: their numbers, the first ``GROUPS_LIMIT`` of them.
        count: number of rows.

    """

    rows: tuple[int, ...]
    count: int


@dataclass(frozen=True, slots=True)
class SentEarlier:
    """Posts that another run, or an MCP server, has sent, may have sent, or has pending since it began.

    Attributes:
        journal: path of that run's journal, or of the server's.
        count: number of posts.
        rows: numbers of the first rows that make them.
        single_calls: whether single calls of the server sent them, and not a run.

    """

    journal: str
    count: int
    rows: tuple[int, ...]
    single_calls: bool = False


@dataclass(frozen=True, slots=True)
class ScheduledRow:
    """The time at which a row goes out.

    Attributes:
        row: its number.
        schedule_time: ``YYYY-MM-DD HH:MM``, local to ``time_zone``.
        time_zone: IANA name.
        utc: the same moment in UTC, ISO 8601.

    """

    row: int
    schedule_time: str
    time_zone: str
    utc: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a bulk run.

    Attributes:
        source: the file, its size and hash, and how it was understood.
        complete: whether the source could be read to its end; if not, ``errors`` ends with the reason.
        rows: data rows, valid or not; blank rows do not count.
        valid: rows that make a post.
        invalid: rows that make none.
        error_count: number of errors; a row may have several.
        errors: the first errors, in the order of the rows.
        warning_count: number of doubts about valid rows.
        warnings: the first doubts, in the order of the rows.
        channels: valid rows per channel and publish mode, sorted.
        other_channel_rows: valid rows on channels beyond the first ``CHANNELS_LIMIT`` combinations.
        permissions: permissions that the access token needs: to create posts, and to look for rows of unknown outcome.
        duplicate_rows: valid rows that make exactly the same post as an earlier one.
        duplicate_group_count: posts that several rows make.
        duplicate_groups: the first of them, in the order of their first repetition.
        past_count: valid rows whose schedule time has passed by a minute or more.
        past_rows: numbers of the first of them.
        first_scheduled: the earliest schedule time; ``None`` if there is none.
        last_scheduled: the latest.
        rate: requests per second of the estimate; ``None`` for no limit.
        estimated_seconds: seconds that sending the valid rows takes at least; ``None`` if there is no limit.
        source_rows: data rows of the source; fewer than ``rows`` if some of them make posts for several channels.
        faults: the errors, those with equal words together; the one that stops the most rows first. Of more than
            ``FAULTS_LIMIT`` the first ones that were met.
        sent_earlier: posts that other runs have sent, may have sent, or have pending, run by run; empty if that was not
            looked up.
        lines: the lines of the rows in the file; ``lines.of(3)`` is that of row 3, ``None`` if it is not known.

    """

    source: SourceFacts
    complete: bool
    rows: int
    valid: int
    invalid: int
    error_count: int
    errors: tuple[RowError, ...]
    warning_count: int
    warnings: tuple[RowWarning, ...]
    channels: tuple[ChannelCount, ...]
    other_channel_rows: int
    permissions: tuple[str, ...]
    duplicate_rows: int
    duplicate_group_count: int
    duplicate_groups: tuple[DuplicateGroup, ...]
    past_count: int
    past_rows: tuple[int, ...]
    first_scheduled: ScheduledRow | None
    last_scheduled: ScheduledRow | None
    rate: float | None
    estimated_seconds: float | None
    source_rows: int = 0
    faults: tuple[Fault, ...] = ()
    sent_earlier: tuple[SentEarlier, ...] = ()
    lines: Lines = field(default_factory=Lines, repr=False)

    @property
    def ok(self) -> bool:
        """Whether the whole source was read and every row makes a post."""
        return self.complete and not self.error_count

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON values, always with the same names in the same order."""
        source = asdict(self.source)
        return {
            "source_rows": self.source_rows,
            "rows": self.rows,
            "valid": self.valid,
            "invalid": self.invalid,
            "complete": self.complete,
            "error_count": self.error_count,
            "errors": [error.to_dict() for error in self.errors],
            "faults": [fault.to_dict() for fault in self.faults],
            "warning_count": self.warning_count,
            "warnings": [warning.to_dict() for warning in self.warnings],
            "file": {"name": Path(self.source.file).name, **source},
            "channels": [asdict(channel) for channel in self.channels],
            "other_channel_rows": self.other_channel_rows,
            "permissions": list(self.permissions),
            "duplicates": {
                "rows": self.duplicate_rows,
                "groups": self.duplicate_group_count,
                "listed": [{"rows": list(group.rows), "count": group.count} for group in self.duplicate_groups],
            },
            "sent_earlier": [{**asdict(each), "rows": list(each.rows)} for each in self.sent_earlier],
            "schedule": {
                "past": self.past_count,
                "past_rows": list(self.past_rows),
                "first": asdict(self.first_scheduled) if self.first_scheduled else None,
                "last": asdict(self.last_scheduled) if self.last_scheduled else None,
            },
            "rate": self.rate,
            "estimated_seconds": self.estimated_seconds,
        }
