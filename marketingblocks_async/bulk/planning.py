"""Make the plan of a bulk run: read a source once and check every row, without sending anything.

Planning and sending use the same ``parse_row``, and the plan hands each valid row on. So a run that takes its rows from
here cannot refuse a row that the plan accepted.

Memory does not grow with the rows: repetitions are found with a table on the disk, see ``seen.py``.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TypeAlias, Unpack

from marketingblocks_async.endpoints import CREATE_POST, DOCUMENTED_RATE, GET_POSTS
from marketingblocks_async.errors import InvalidArgumentError
from marketingblocks_async.models import CreatePost
from marketingblocks_async.models.schedule import is_past, utc_moment

from .errors import SourceError
from .likeness import likeness
from .media import MediaCheck
from .numbers import listed_rows
from .plan import (
    FAULTS_LIMIT,
    GROUPS_LIMIT,
    ChannelCount,
    DuplicateGroup,
    Fault,
    Lines,
    Plan,
    RowError,
    RowWarning,
    ScheduledRow,
    SentEarlier,
    SourceInfo,
)
from .seen import Seen, digest_of
from .sheets.display import readable
from .sheets.layout import RawRow
from .sheets.reading import key_of
from .sheets.rows import Row, parse_row
from .sheets.sources import ReadOptions, Source, SyncSource, aread_rows, read_rows
from .threads import in_thread

RATE = float(DOCUMENTED_RATE)
"""The documented limit of a token, in requests per second."""

MAX_ERRORS = 1000
"""Errors that a plan lists by default; all are counted."""

CHANNELS_LIMIT = 10_000
"""Combinations of channel and publish mode that a plan counts one by one."""


FindSent: TypeAlias = Callable[[Callable[[str], int | None]], Sequence[SentEarlier]]
"""Returns what other runs have sent, or have pending; gets a function that returns the first row of a
``likeness()``."""


class PlanBuilder:
    """Makes a plan row by row, for programs that drive the reading themselves.

    Args:
        now: an aware datetime; schedule times a minute or more before it are past. ``None`` for the present.
        rate: requests per second for the estimate; ``None`` for no limit.
        max_errors: number of errors to list, and of warnings.

    Raises:
        InvalidArgumentError: ``now`` is naive, or ``rate`` or ``max_errors`` is out of range.

    """

    def __init__(self, *, now: datetime | None = None, rate: float | None = RATE, max_errors: int = MAX_ERRORS) -> None:
        now = datetime.now(UTC) if now is None else now
        if now.utcoffset() is None:
            msg = "now is a naive datetime; give it a zone, for example datetime.now(UTC)"
            raise InvalidArgumentError(msg)
        if rate is not None and not rate > 0:
            msg = f"rate={rate}: give requests per second above 0, or None for no limit"
            raise InvalidArgumentError(msg)
        if max_errors < 0:
            msg = f"max_errors={max_errors}: give 0 or more"
            raise InvalidArgumentError(msg)
        self._rate = rate
        self._max_errors = max_errors
        self._rows = 0
        self._invalid = 0
        self._error_count = 0
        self._errors: list[RowError] = []
        # Rows that it stops, the last of them, and its first error.
        self._faults: dict[tuple[str, str], tuple[int, int | None, RowError]] = {}
        self._source_rows = 0
        self._last_row = 0
        self._lines = Lines()
        self._sent_earlier: tuple[SentEarlier, ...] = ()
        self._warning_count = 0
        self._warnings: list[RowWarning] = []
        # Hashes of the keys of all rows from the first one with a key column.
        self._keys = Seen()
        self._has_keys = False
        self._rows_before_keys = 0
        self._channels: dict[tuple[str, int, str], int] = {}
        self._other_channel_rows = 0
        self._duplicates = _Duplicates()
        self._schedule = _Schedule(now)

    def add(self, raw: RawRow) -> Row | list[RowError]:
        """Add the next row to the plan.

        Args:
            raw: the row; rows come in the order of the source.

        Returns:
            The valid row, or everything that is wrong with it.

        """
        self._rows += 1
        self._source_rows += raw.number != self._last_row
        self._last_row = raw.number
        self._lines.add(raw.number, raw.line)
        row = parse_row(raw)
        errors = [] if isinstance(row, Row) else row
        # The key of a bad row counts too: otherwise correcting that row would make another one a repetition.
        key = key_of(raw)
        if (first := self._earlier_row_with(key, raw.number)) is not None:
            errors.append(_same_key(raw, key, listed_rows((first, raw.number), 2, self._lines)))
        if errors or not isinstance(row, Row):
            self._invalid += 1
            self._error_count += len(errors)
            self._add_faults(errors)
            self._errors += errors[: self._max_errors - len(self._errors)]
            return errors
        self._warning_count += len(row.warnings)
        self._warnings += row.warnings[: self._max_errors - len(self._warnings)]
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

    def _add_faults(self, errors: Sequence[RowError]) -> None:
        for error in errors:
            fault = error.column, error.message
            rows, last, first = self._faults.get(fault, (0, None, error))
            if rows and last == error.row:
                # Of another post of the same row.
                continue
            if rows or len(self._faults) < FAULTS_LIMIT:
                self._faults[fault] = rows + 1, error.row, first

    def _earlier_row_with(self, key: str | None, number: int) -> int | None:
        """Return the earlier row that has this key; ``None`` if the key is new. A row without a key has its number."""
        if key is None and not self._has_keys:
            # Most files have no keys at all, and then none needs to be remembered.
            self._rows_before_keys = number
            return None
        self._has_keys = True
        text = str(number) if key is None else key
        is_number = text.isdecimal() and text.isascii() and len(text) < 20 and str(int(text)) == text
        if is_number and 0 < int(text) <= self._rows_before_keys:
            return int(text)
        # A key that will be refused may hold half of a surrogate pair.
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        found = self._keys.add(int.from_bytes(digest), number)
        return None if found is None else found[0]

    def row_with(self, like: str) -> int | None:
        """Return the first row that makes a post of this ``likeness()``; ``None`` if none does."""
        return self._duplicates.first(like)

    def add_sent_earlier(self, sent: Sequence[SentEarlier]) -> None:
        """Add posts that other runs have sent, may have sent, or have pending."""
        self._sent_earlier += tuple(sent)

    def add_warnings(self, warnings: Sequence[RowWarning]) -> None:
        """Add warnings that were found outside of the rows, for example about media."""
        self._warning_count += len(warnings)
        self._warnings += warnings[: self._max_errors - len(self._warnings)]

    @contextmanager
    def added_to_errors(self, info: SourceInfo | None = None) -> Generator[None]:
        """Give an error of the source the plan of what was read until then."""
        try:
            yield
        except SourceError as exc:
            exc.plan = self.finish(info or SourceInfo(file=exc.file), exc)
            raise

    def finish(self, info: SourceInfo, failure: SourceError | None = None) -> Plan:
        """Return the plan of all rows that were added.

        Args:
            info: description of the source, complete.
            failure: why the source could not be read to its end; ``None`` if it could.

        """
        errors, error_count = list(self._errors), self._error_count
        if failure is not None:
            reasons = failure.errors or [RowError(None, "", "", failure.message, info.file, failure.line)]
            errors += reasons
            error_count += len(reasons)
            self._add_faults(reasons)
        valid = self._rows - self._invalid
        return Plan(
            source=replace(info, columns=dict(info.columns), left_out=dict(info.left_out), notes=list(info.notes)),
            complete=failure is None,
            rows=self._rows,
            valid=valid,
            invalid=self._invalid,
            error_count=error_count,
            errors=tuple(errors),
            warning_count=self._warning_count,
            warnings=tuple(self._warnings),
            channels=tuple(ChannelCount(*channel, rows) for channel, rows in sorted(self._channels.items())),
            other_channel_rows=self._other_channel_rows,
            # To read is needed to look for rows of unknown outcome.
            permissions=(CREATE_POST.permission, GET_POSTS.permission),
            duplicate_rows=self._duplicates.rows,
            duplicate_group_count=self._duplicates.group_count,
            duplicate_groups=self._duplicates.groups(),
            past_count=self._schedule.past_count,
            past_rows=tuple(self._schedule.past_rows),
            first_scheduled=self._schedule.first,
            last_scheduled=self._schedule.last,
            rate=self._rate,
            estimated_seconds=None if self._rate is None else valid / self._rate,
            source_rows=self._source_rows,
            faults=tuple(
                Fault(message, column, rows, first)
                # Sorting keeps the order of the file among equals.
                for (column, message), (rows, _, first) in sorted(self._faults.items(), key=lambda each: -each[1][0])
            ),
            sent_earlier=self._sent_earlier,
            lines=self._lines,
        )


class _Duplicates:
    """Finds rows that make the same post, by its ``likeness()``."""

    def __init__(self) -> None:
        self.rows = 0
        self.group_count = 0
        self._seen = Seen()
        self._groups: dict[int, tuple[list[int], int]] = {}

    def add(self, row: Row) -> None:
        digest = digest_of(likeness(row.content_hash, row.request))
        found = self._seen.add(digest, row.number)
        if found is None:
            return
        first, is_new_group = found
        self.group_count += is_new_group
        self.rows += 1
        # Not by the first row, which may make several posts that are repeated.
        numbers, count = self._groups.get(digest, ([first], 1))
        if count == 1 and len(self._groups) >= GROUPS_LIMIT:
            return
        if len(numbers) < GROUPS_LIMIT:
            numbers.append(row.number)
        self._groups[digest] = numbers, count + 1

    def first(self, like: str) -> int | None:
        return self._seen.first(digest_of(like))

    def groups(self) -> tuple[DuplicateGroup, ...]:
        return tuple(DuplicateGroup(tuple(numbers), count) for numbers, count in self._groups.values())


class _Schedule:
    """Finds the first and the last schedule time, and past ones."""

    def __init__(self, now: datetime) -> None:
        self.past_count = 0
        self.past_rows: list[int] = []
        self._now = now
        self._first: tuple[datetime, int, CreatePost] | None = None
        self._last: tuple[datetime, int, CreatePost] | None = None

    def add(self, row: int, post: CreatePost) -> None:
        moment = utc_moment(post.schedule_time or "", post.time_zone or "")
        if moment is None:
            return
        if is_past(moment, self._now):
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


def _scheduled_row(found: tuple[datetime, int, CreatePost] | None) -> ScheduledRow | None:
    if found is None:
        return None
    moment, row, post = found
    return ScheduledRow(row, post.schedule_time or "", post.time_zone or "", f"{moment:%Y-%m-%dT%H:%M}Z")


def _same_key(raw: RawRow, key: str | None, rows: str) -> RowError:
    step = raw.layout.key
    column = "key" if step is None else raw.layout.name_of(step.cell)
    shown = readable(key)
    message = f'{rows} have the same key "{shown}"; give each row its own'
    return RowError(raw.number, column, shown, message, raw.file, raw.line)


OnRow: TypeAlias = Callable[[Row], None]
"""Receives the valid rows of a plan, in their order."""

OnRowAsync: TypeAlias = Callable[[Row], Awaitable[None] | None]
"""The same, as a function or a coroutine function."""


def make_plan(
    source: SyncSource,
    *,
    now: datetime | None = None,
    rate: float | None = RATE,
    max_errors: int = MAX_ERRORS,
    on_row: OnRow | None = None,
    **how: Unpack[ReadOptions],
) -> Plan:
    """Read a source once, check every row, and return the plan of sending it.

    Args:
        source: as for ``read_rows()``.
        now: an aware datetime; schedule times a minute or more before it are past. ``None`` for the present.
        rate: requests per second for the estimate, ``None`` for no limit.
        max_errors: number of errors to list, and of warnings; all are counted.
        on_row: called with each valid row as it is read. Send nothing before the plan is complete: later rows can be
            wrong, and a source that cannot be read to its end may be cut off anywhere.
        how: how the source is read, as for ``read_rows()``.

    Returns:
        The plan.

    Raises:
        SourceError: the file cannot be read, or not to its end; its ``plan`` has what was found until then.
        ConfigurationError: an option of reading cannot be meant.
        TypeError: ``source`` is none of these.
        InvalidArgumentError: ``now`` is naive, or ``rate`` or ``max_errors`` is out of range.

    """
    builder = PlanBuilder(now=now, rate=rate, max_errors=max_errors)
    with builder.added_to_errors():
        stream = read_rows(source, **how)
    with stream, builder.added_to_errors(stream.info):
        for raw in stream:
            row = builder.add(raw)
            if isinstance(row, Row) and on_row is not None:
                on_row(row)
    return builder.finish(stream.info)


async def amake_plan(
    source: Source,
    *,
    now: datetime | None = None,
    rate: float | None = RATE,
    max_errors: int = MAX_ERRORS,
    on_row: OnRowAsync | None = None,
    check_media: bool = False,
    find_sent: FindSent | None = None,
    **how: Unpack[ReadOptions],
) -> Plan:
    """Make a plan without blocking the event loop; also of an async iterable.

    Args:
        source: as for ``aread_rows()``.
        now: as for ``make_plan()``; so are ``rate``, ``max_errors`` and ``how``.
        rate: see there.
        max_errors: see there.
        on_row: may also be a coroutine function, which is awaited before the next row.
        check_media: whether to ask the addresses of media whether there is a file; those without are warnings.
        find_sent: called in a thread when all rows were read; what it finds becomes ``sent_earlier``.
        how: see there.

    Returns:
        The plan.

    Raises:
        MarketingBlocksError: as for ``make_plan()``.
        TypeError: as for ``make_plan()``.

    """
    builder = PlanBuilder(now=now, rate=rate, max_errors=max_errors)
    with builder.added_to_errors():
        stream = aread_rows(source, **how)
    media = MediaCheck(stream.info)
    async with stream:
        with builder.added_to_errors(stream.info):
            async for raw in stream:
                row = builder.add(raw)
                if check_media and isinstance(row, Row):
                    media.add(row, raw.line)
                if isinstance(row, Row) and on_row is not None:
                    waiting = on_row(row)
                    if inspect.isawaitable(waiting):
                        await waiting
    if check_media:
        builder.add_warnings(await media.warnings())
    if find_sent is not None:
        builder.add_sent_earlier(await in_thread(find_sent, builder.row_with))
    return builder.finish(stream.info)
