"""The plan of a bulk run: what would be sent, and everything that is wrong, without sending anything.

It is made in one pass over the source, through the same ``parse_row`` as the run,
and hands each valid row on; so a run that takes its rows from here cannot refuse one that the plan accepted.

What grows with the number of rows are two tables of :class:`~marketingblocks_async.bulk.seen.SeenRows`: 18 to 36 bytes
a row for equal posts, and as much again if the source has a key column.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from marketingblocks_async.endpoints import CREATE_POST
from marketingblocks_async.models import CreatePost

from .facts import SourceFacts
from .seen import RowKeys, SeenRows
from .sheets.columns import LIST_SEPARATOR, ColumnMapping
from .sheets.display import RowError, SourceError, readable
from .sheets.raw_rows import RawRow
from .sheets.reading import key_of
from .sheets.rows import Row, parse_row
from .sheets.sources import Source, SyncSource, aread_rows, read_rows

RATE = 100.0
"""The documented limit of a token, in requests per second."""

MAX_ERRORS = 1000
"""How many errors a plan lists unless told otherwise; all are counted."""

GROUPS_LIMIT = 1000
"""How many groups of equal posts a plan lists, and how many rows of each; all are counted."""

CHANNELS_LIMIT = 10_000
"""How many combinations of channel and publish mode a plan counts one by one."""


@dataclass(frozen=True, slots=True)
class ChannelCount:
    """How many rows go to one channel in one way.

    Attributes:
        channel_type: platform.
        channel_id: id of the connected account.
        publish_mode: ``now``, ``scheduled``, ``queued`` or ``share_next``.
        rows: how many.

    """

    channel_type: str
    channel_id: int
    publish_mode: str
    rows: int


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Rows that say exactly the same post.

    Attributes:
        rows: their numbers, the first :data:`GROUPS_LIMIT` of them.
        count: how many they are.

    """

    rows: tuple[int, ...]
    count: int


@dataclass(frozen=True, slots=True)
class ScheduledRow:
    """When one row goes out.

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
    """What a bulk run of a source would do.

    Attributes:
        source: the file, its size and hash, and how it was understood.
        complete: whether the source could be read to its end; if not, ``errors`` ends with the reason.
        rows: data rows, valid or not; blank rows do not count.
        valid: rows that make a post.
        invalid: rows that do not.
        error_count: what is wrong, all in all; a row may have several errors.
        errors: the first of them, in the order of the rows.
        channels: valid rows per channel and publish mode, sorted.
        other_channel_rows: valid rows on channels beyond the first :data:`CHANNELS_LIMIT` combinations.
        permissions: what the access token needs.
        duplicate_rows: valid rows that say exactly the same post as an earlier one.
        duplicate_group_count: posts that are there more than once.
        duplicate_groups: the first of them, in the order of their first repetition.
        past_count: valid rows whose schedule time has passed.
        past_rows: numbers of the first of them.
        unchecked_times: valid rows whose schedule time could not be compared, since this machine has no zone database.
        first_scheduled: the earliest schedule time, ``None`` if there is none.
        last_scheduled: the latest.
        rate: requests per second that the estimate is for, ``None`` for no limit.
        estimated_seconds: how long sending the valid rows takes at this rate at least; ``None`` if there is no limit.

    """

    source: SourceFacts
    complete: bool
    rows: int
    valid: int
    invalid: int
    error_count: int
    errors: tuple[RowError, ...]
    channels: tuple[ChannelCount, ...]
    other_channel_rows: int
    permissions: tuple[str, ...]
    duplicate_rows: int
    duplicate_group_count: int
    duplicate_groups: tuple[DuplicateGroup, ...]
    past_count: int
    past_rows: tuple[int, ...]
    unchecked_times: int
    first_scheduled: ScheduledRow | None
    last_scheduled: ScheduledRow | None
    rate: float | None
    estimated_seconds: float | None

    @property
    def ok(self) -> bool:
        """Whether the whole source was read and every row makes a post."""
        return self.complete and not self.error_count

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON values, always with the same names in the same order."""
        source = asdict(self.source)
        return {
            "rows": self.rows,
            "valid": self.valid,
            "invalid": self.invalid,
            "complete": self.complete,
            "error_count": self.error_count,
            "errors": [error.to_dict() for error in self.errors],
            "file": {"name": Path(self.source.file).name, **source},
            "channels": [asdict(channel) for channel in self.channels],
            "other_channel_rows": self.other_channel_rows,
            "permissions": list(self.permissions),
            "duplicates": {
                "rows": self.duplicate_rows,
                "groups": self.duplicate_group_count,
                "listed": [{"rows": list(group.rows), "count": group.count} for group in self.duplicate_groups],
            },
            "schedule": {
                "past": self.past_count,
                "past_rows": list(self.past_rows),
                "unchecked": self.unchecked_times,
                "first": asdict(self.first_scheduled) if self.first_scheduled else None,
                "last": asdict(self.last_scheduled) if self.last_scheduled else None,
            },
            "rate": self.rate,
            "estimated_seconds": self.estimated_seconds,
        }


class PlanBuilder:
    """Makes a plan row by row, for programs that drive the reading themselves.

    Args:
        now: aware; schedule times before it have passed. ``None`` for the present.
        rate: requests per second for the estimate, ``None`` for no limit.
        max_errors: how many errors to list.

    Raises:
        ValueError: ``now`` is naive, or ``rate`` or ``max_errors`` makes no sense.

    """

    def __init__(self, *, now: datetime | None = None, rate: float | None = RATE, max_errors: int = MAX_ERRORS) -> None:
        now = datetime.now(UTC) if now is None else now
        if now.utcoffset() is None:
            msg = "now is a naive datetime; give it a zone, for example datetime.now(UTC)"
            raise ValueError(msg)
        if rate is not None and not rate > 0:
            msg = f"rate={rate}: give requests per second above 0, or None for no limit"
            raise ValueError(msg)
        if max_errors < 0:
            msg = f"max_errors={max_errors}: give 0 or more"
            raise ValueError(msg)
        self._rate = rate
        self._max_errors = max_errors
        self._rows = 0
        self._invalid = 0
        self._error_count = 0
        self._errors: list[RowError] = []
        self._keys = RowKeys()
        self._channels: dict[tuple[str, int, str], int] = {}
        self._other_channel_rows = 0
        self._duplicates = _Duplicates()
        self._schedule = _Schedule(now)

    def add(self, raw: RawRow) -> Row | list[RowError]:
        """Take the next row into the plan.

        Args:
            raw: the row, in the order of the source.

        Returns:
            The valid row, or everything that is wrong with it.

        """
        self._rows += 1
        row = parse_row(raw)
        errors = [] if isinstance(row, Row) else row
        # The key of a bad row counts too, or a row would become a duplicate by correcting another one.
        key = row.key if isinstance(row, Row) else key_of(raw)
        if (first := self._keys.add(raw.number, key)) is not None:
            errors.append(_same_key(raw, key, first))
        if errors or not isinstance(row, Row):
            self._invalid += 1
            self._error_count += len(errors)
            self._errors += errors[: self._max_errors - len(self._errors)]
            return errors
        self._duplicates.add(row)
        post = row.post
        channel = (post.channel_type.value, post.channel_id, post.publish_mode.value)
        if channel in self._channels:
            self._channels[channel] += 1
        elif len(self._channels) < CHANNELS_LIMIT:
            self._channels[channel] = 1
        else:
            self._other_channel_rows += 1
        if post.schedule_time is not None:
            self._schedule.add(row.number, post)
        return row

    def finish(self, facts: SourceFacts, failure: SourceError | None = None) -> Plan:
        """Return the plan of all rows that were added.

        Args:
            facts: of the source, after its end.
            failure: why the source could not be read to its end, ``None`` if it could.

        """
        errors, error_count = list(self._errors), self._error_count
        if failure is not None:
            reasons = failure.errors or [RowError(None, "", "", failure.message, facts.file, failure.line)]
            errors += reasons
            error_count += len(reasons)
        valid = self._rows - self._invalid
        return Plan(
            source=replace(facts, columns=dict(facts.columns)),
            complete=failure is None,
            rows=self._rows,
            valid=valid,
            invalid=self._invalid,
            error_count=error_count,
            errors=tuple(errors),
            channels=tuple(ChannelCount(*channel, rows) for channel, rows in sorted(self._channels.items())),
            other_channel_rows=self._other_channel_rows,
            permissions=(CREATE_POST.permission,),
            duplicate_rows=self._duplicates.rows,
            duplicate_group_count=self._duplicates.group_count,
            duplicate_groups=self._duplicates.groups(),
            past_count=self._schedule.past_count,
            past_rows=tuple(self._schedule.past_rows),
            unchecked_times=self._schedule.unchecked,
            first_scheduled=self._schedule.first,
            last_scheduled=self._schedule.last,
            rate=self._rate,
            estimated_seconds=None if self._rate is None else valid / self._rate,
        )


class _Duplicates:
    """Finds rows that say the same post."""

    def __init__(self) -> None:
        self.rows = 0
        self.group_count = 0
        self._seen = SeenRows()
        self._groups: dict[int, tuple[list[int], int]] = {}

    def add(self, row: Row) -> None:
        repeated = self._seen.add(int(row.content_hash[:16], 16), row.number)
        if repeated is None:
            return
        first, is_first_repetition = repeated
        self.rows += 1
        self.group_count += is_first_repetition
        numbers, count = self._groups.get(first, ([first], 1))
        if count == 1 and len(self._groups) >= GROUPS_LIMIT:
            return
        if len(numbers) < GROUPS_LIMIT:
            numbers.append(row.number)
        self._groups[first] = numbers, count + 1

    def groups(self) -> tuple[DuplicateGroup, ...]:
        return tuple(DuplicateGroup(tuple(numbers), count) for numbers, count in self._groups.values())


class _Schedule:
    """Finds the first and the last schedule time, and those that have passed."""

    def __init__(self, now: datetime) -> None:
        self.past_count = 0
        self.past_rows: list[int] = []
        self.unchecked = 0
        self._now = now
        self._first: tuple[datetime, int, CreatePost] | None = None
        self._last: tuple[datetime, int, CreatePost] | None = None
        self._zones: dict[str, ZoneInfo | None] = {}

    def add(self, row: int, post: CreatePost) -> None:
        moment = self._moment(post)
        if moment is None:
            self.unchecked += 1
            return
        if moment < self._now:
            self.past_count += 1
            if len(self.past_rows) < GROUPS_LIMIT:
                self.past_rows.append(row)
        if self._first is None or moment < self._first[0]:
            self._first = moment, row, post
        if self._last is None or moment > self._last[0]:
            self._last = moment, row, post

    @property
    def first(self) -> ScheduledRow | None:
        return _scheduled_row(self._first)

    @property
    def last(self) -> ScheduledRow | None:
        return _scheduled_row(self._last)

    def _moment(self, post: CreatePost) -> datetime | None:
        name = post.time_zone or ""
        if name not in self._zones:
            try:
                self._zones[name] = ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                self._zones[name] = None
        zone = self._zones[name]
        if zone is None:
            return None
        try:
            return datetime.fromisoformat(post.schedule_time or "").replace(tzinfo=zone).astimezone(UTC)
        except (ValueError, OverflowError):
            return None


def _scheduled_row(found: tuple[datetime, int, CreatePost] | None) -> ScheduledRow | None:
    if found is None:
        return None
    moment, row, post = found
    return ScheduledRow(row, post.schedule_time or "", post.time_zone or "", f"{moment:%Y-%m-%dT%H:%M}Z")


def _same_key(raw: RawRow, key: str | None, first: int) -> RowError:
    step = raw.layout.key
    column = "key" if step is None else raw.layout.name_of(step.cell)
    shown = readable(key)
    message = f'rows {first} and {raw.number} have the same key "{shown}"; give each row its own'
    return RowError(raw.number, column, shown, message, raw.file, raw.line)


OnRow: TypeAlias = Callable[[Row], None]
"""What takes the valid rows of a plan, in their order."""

OnRowAsync: TypeAlias = Callable[[Row], Awaitable[None] | None]
"""The same, as a function or a coroutine function."""


def make_plan(
    source: SyncSource,
    *,
    columns: ColumnMapping | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    list_separator: str = LIST_SEPARATOR,
    now: datetime | None = None,
    rate: float | None = RATE,
    max_errors: int = MAX_ERRORS,
    on_row: OnRow | None = None,
) -> Plan:
    """Read a source once, check every row, and say what sending it would do.

    Args:
        source: as for ``read_rows``, like ``columns``, ``encoding``, ``sheet``
            and ``list_separator``.
        columns: name of a column in the file → field of the post, ``None`` to ignore it.
        encoding: of a text file, ``None`` to find it out.
        sheet: name of the worksheet, ``None`` for the first one that is not hidden.
        list_separator: what separates the entries of a list inside one cell.
        now: aware; schedule times before it have passed. ``None`` for the present.
        rate: requests per second for the estimate, ``None`` for no limit.
        max_errors: how many errors to list; all are counted.
        on_row: called with each valid row as it is read. Nothing may be sent before the plan is there: what comes
            later can be wrong, and a source that cannot be read to its end may be cut off anywhere.

    Returns:
        The plan.

    Raises:
        SourceError: the file cannot be read, or not to its end; its ``plan`` has what was found until then.
        ConfigurationError: ``columns`` or ``list_separator`` cannot be meant.
        TypeError: ``source`` is none of these.
        ValueError: ``now`` is naive, or ``rate`` or ``max_errors`` makes no sense.

    """
    builder = PlanBuilder(now=now, rate=rate, max_errors=max_errors)
    try:
        stream = read_rows(source, columns=columns, encoding=encoding, sheet=sheet, list_separator=list_separator)
    except SourceError as exc:
        exc.plan = builder.finish(SourceFacts(file=exc.file), exc)
        raise
    with stream:
        try:
            for raw in stream:
                row = builder.add(raw)
                if isinstance(row, Row) and on_row is not None:
                    on_row(row)
        except SourceError as exc:
            exc.plan = builder.finish(stream.facts, exc)
            raise
    return builder.finish(stream.facts)


async def amake_plan(
    source: Source,
    *,
    columns: ColumnMapping | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    list_separator: str = LIST_SEPARATOR,
    now: datetime | None = None,
    rate: float | None = RATE,
    max_errors: int = MAX_ERRORS,
    on_row: OnRowAsync | None = None,
) -> Plan:
    """Make a plan without blocking the event loop; also of an async iterable.

    Args:
        source: as for :func:`~marketingblocks_async.bulk.sheets.sources.aread_rows`.
        columns: as for :func:`make_plan`.
        encoding: as for :func:`make_plan`.
        sheet: as for :func:`make_plan`.
        list_separator: as for :func:`make_plan`.
        now: as for :func:`make_plan`.
        rate: as for :func:`make_plan`.
        max_errors: as for :func:`make_plan`.
        on_row: as for :func:`make_plan`; may be a coroutine function, which is awaited before the next row.

    Returns:
        The plan.

    Raises:
        SourceError: as for :func:`make_plan`.
        ConfigurationError: as for :func:`make_plan`.
        TypeError: as for :func:`make_plan`.
        ValueError: as for :func:`make_plan`.

    """
    builder = PlanBuilder(now=now, rate=rate, max_errors=max_errors)
    try:
        stream = aread_rows(source, columns=columns, encoding=encoding, sheet=sheet, list_separator=list_separator)
    except SourceError as exc:
        exc.plan = builder.finish(SourceFacts(file=exc.file), exc)
        raise
    async with stream:
        try:
            async for raw in stream:
                row = builder.add(raw)
                if isinstance(row, Row) and on_row is not None:
                    waiting = on_row(row)
                    if inspect.isawaitable(waiting):
                        await waiting
        except SourceError as exc:
            exc.plan = builder.finish(stream.facts, exc)
            raise
    return builder.finish(stream.facts)
