"""The moment of a row of another program: date and time of day, in one column or in two, and the zone of a column."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import NamedTuple

from marketingblocks_async.bulk.sheets.cells import BLANKS, CellError, UnusableCell, cell_at
from marketingblocks_async.bulk.sheets.columns import normal_name, without_bracket
from marketingblocks_async.bulk.sheets.dates import DateColumn, has_clock, joined, needs_decision, read_clock
from marketingblocks_async.bulk.sheets.display import readable, visible
from marketingblocks_async.bulk.sheets.flat import text_of
from marketingblocks_async.bulk.sheets.layout import RawRow, same_field
from marketingblocks_async.models.schedule import zone_of, zones_of_label

from .known_columns import Sources
from .recipe import DATE, TIME, Recipe

_MIDNIGHT = re.compile(r"[ Tt]0{1,2}:00(?::00(?:\.0+)?)?$")
"""The time of day that a program adds to a date in a column of its own."""

_NAME_OF_TIME = re.compile(r"time|clock|hour|uhr|zeit|heure|\bhora|hor\u00e1rio|\bora\b|\bore\b|tijd", re.IGNORECASE)
"""Names of columns that hold a time of day, and no duration or size."""


class _Label(NamedTuple):
    """A column of the time whose name says a zone in brackets: "Time (EST)"."""

    name: str
    field: str
    label: str
    zones: tuple[str, ...]
    """The zones that it may mean."""


class Moments:
    """Reads when the rows below one header are to be published.

    Args:
        recipe: how the file is read.
        sources: its columns.
        dates: decides the form of the dates, for all headers of the file.

    """

    def __init__(self, recipe: Recipe, sources: Sources, dates: DateColumn) -> None:
        self._recipe = recipe
        self._words = recipe.words
        self._sources = sources
        self._dates = dates
        self._labels = list(_labels(sources, recipe))

    @property
    def zone_of_columns(self) -> str | None:
        """The zone that the name of a column says; ``None`` if none does."""
        return self._labels[0].zones[0] if self._labels else None

    def look(self, raw: RawRow) -> None:
        """Take a row's date into account, before the first row is translated."""
        text = self._text(raw.cells)
        if isinstance(text, str):
            self._dates.look(text, raw.line)

    def is_undecided_by(self, raw: RawRow) -> bool:
        """Tell whether the row has a date that is clear only from the rest of its column."""
        text = self._text(raw.cells)
        return isinstance(text, str) and bool(text) and not self._dates.is_given and needs_decision(text)

    def _text(self, cells: Sequence[object]) -> object:
        """Return date and time of day as one text; a value that is none as it is."""
        day, clock = self._cell(cells, DATE), self._cell(cells, TIME)
        whole = self._cell(cells, "schedule_time")
        if whole is not None:
            return whole
        if day is None or clock is None:
            # One column alone holds both.
            alone = day if clock is None else clock
            default = self._default_clock(cells)
            return self._with_default(alone, default) if isinstance(alone, str) and default and clock is None else alone
        shown_day, shown_clock = _day_text(day), _clock_text(clock)
        if shown_day is None:
            message = f'"{readable(day)}" is not a date; write it as YYYY-MM-DD'
            if isinstance(day, UnusableCell):
                message = day.message
            return UnusableCell(readable(day), message, f"{text_of(day)} {shown_clock or text_of(clock)}")
        if shown_clock is None:
            message = f'"{readable(clock)}" is not a time of day; write it as HH:MM'
            if isinstance(clock, UnusableCell):
                message = clock.message
            return UnusableCell(readable(clock), message, f"{shown_day} {text_of(clock)}")
        if message := self._contradiction(day, clock, shown_day, shown_clock):
            return UnusableCell(f"{readable(day)} {shown_clock}", message, f"{text_of(day)} {text_of(clock)}")
        # A time in a workbook has 24 hours, even if other cells have AM or PM.
        return f"{shown_day}T{shown_clock}" if isinstance(clock, time | datetime) else joined(shown_day, shown_clock)

    def _contradiction(self, day: object, clock: object, shown_day: str, shown_clock: str) -> str:
        """Return what to say if a cell of a workbook holds both date and time of day, and another one of either."""
        own = f"{day:%H:%M}" if isinstance(day, datetime) else "00:00"
        has_two_clocks = own != "00:00" and own != read_clock(shown_clock)
        has_two_days = isinstance(clock, datetime) and isinstance(day, date) and f"{clock:%Y-%m-%d}" != shown_day
        if not has_two_clocks and not has_two_days:
            return ""
        of_day, of_clock = (visible(self._sources.name_of(field)) for field in (DATE, TIME))
        if has_two_clocks:
            return f"{of_day} has the time of day {own} too, and {of_clock} says {shown_clock}; delete one of them"
        return f"{of_clock} has the date {clock:%Y-%m-%d} too, and {of_day} says {shown_day}; write only the time"

    def _second_date(self, cells: Sequence[object]) -> str | None:
        """Return what to say if the column of the weekday holds a date; ``None`` if it holds none."""
        for index in self._sources.days:
            cell = cell_at(cells, index)
            if isinstance(cell, date) and _day_text(cell) == _day_text(self._cell(cells, DATE)):
                # A formula and the format of the cell make the weekday out of the date.
                continue
            if isinstance(cell, date) or (isinstance(cell, str) and self._dates.is_date(cell)):
                name, other = visible(self._sources.names[index]), visible(self._sources.name_of(DATE))
                return same_field(name, other, DATE, self._words)
        return None

    def _with_default(self, text: str, clock: str) -> str:
        if has_clock(text):
            return text
        # The default has 24 hours, even if other cells have AM or PM; a form that is given may have no T.
        sign = " " if self._dates.is_given else "T"
        return f"{text.strip(BLANKS)}{sign}{clock}"

    def _default_clock(self, cells: Sequence[object]) -> str | None:
        """Return the default time of day, ``None`` if there is none or a column that is not known has another one."""
        return (
            None if any(map(_NAME_OF_TIME.search, self._clocks_elsewhere(cells))) else self._recipe.defaults.get(TIME)
        )

    def _clocks_elsewhere(self, cells: Sequence[object]) -> list[str]:
        """Return the columns that are not known and seem to hold the time of day, those that are called so first."""
        found = [
            self._sources.names[index].strip(BLANKS)
            for index in self._sources.unknown
            if isinstance(cell := cell_at(cells, index), time) or (isinstance(cell, str) and read_clock(cell))
        ]
        return sorted(found, key=lambda name: not _NAME_OF_TIME.search(name))

    def of(self, cells: Sequence[object], line: int | None) -> object:
        """Return the schedule time, as ``YYYY-MM-DD HH:MM`` where the file says it in another form."""
        if "schedule_time" in self._recipe.fixed:
            return self._recipe.fixed["schedule_time"]
        found = self._text(cells)
        if isinstance(found, date) and not isinstance(found, datetime):
            clock = self._default_clock(cells)
            return f"{found.isoformat()} {clock}" if clock else self._no_clock(found, cells)
        if not isinstance(found, str) or not self._dates.knows(found):
            return found
        try:
            moment = self._dates.read(found, line)
        except CellError as exc:
            return UnusableCell(visible(found), str(exc), found)
        return moment if ":" in moment else self._no_clock(found, cells)

    def _no_clock(self, day: object, cells: Sequence[object]) -> UnusableCell:
        words = self._words
        advice = f"write it as YYYY-MM-DD HH:MM, or say one for all such rows: {words.default(TIME, '09:00')}"
        if names := self._clocks_elsewhere(cells):
            shown, zones = visible(names[0]), zones_of_label(names[0])
            zone = f" and {words.set('time_zone', zones[0])}" if zones else ""
            advice = (
                f'if the column "{shown}" holds it, say {words.map(shown, TIME)}{zone}; '
                f"if not, {words.ignore(shown)}, and a time for all such rows: {words.default(TIME, '09:00')}"
            )
        return UnusableCell(readable(day), f"it has no time of day; {advice}", day)

    def checked(self, cells: Sequence[object], moment: object, zone: object) -> object:
        """Return the moment, or what to say if another column of the row contradicts it, or the name of its own."""
        if (message := self._second_date(cells)) is not None:
            return UnusableCell(readable(moment), message, moment)
        return self._in_the_zone_of_its_column(moment, zone) if self._labels else moment

    def _in_the_zone_of_its_column(self, moment: object, zone: object) -> object:
        """Return the moment, or what to say if the name of its column says another zone than that of the row."""
        try:
            local = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
            if not isinstance(local, datetime) or local.tzinfo is not None or not isinstance(zone, str):
                return moment
            there = local.replace(tzinfo=zone_of(zone))
            for name, field, label, zones in self._labels:
                offsets = [local.replace(tzinfo=zone_of(each)).utcoffset() for each in zones]
                # "EST" is also the time of Panama.
                if there.utcoffset() not in offsets and there.tzname() not in re.findall(r"\w+", label):
                    message = (
                        f'the name of the column "{visible(name)}" says {visible(label)}, and the time zone is {zone}; '
                        f"say {self._words.set('time_zone', zones[0])}, or, if the times are those of {zone}, "
                        f"{self._words.map(visible(name), field)}"
                    )
                    return UnusableCell(readable(moment), message, moment)
        except (ValueError, OverflowError):
            # The rest of the package says what is wrong with the time or the zone.
            pass
        return moment

    def _cell(self, cells: Sequence[object], field: str) -> object:
        return cell_at(cells, self._sources.single.get(field))


def _labels(sources: Sources, recipe: Recipe) -> Iterator[_Label]:
    """Yield the columns of the time whose names say a zone; one that the recipe or the caller names has that of all."""
    for field in ("schedule_time", DATE, TIME):
        name = sources.names[sources.single[field]].strip(BLANKS) if field in sources.single else ""
        label = without_bracket(name)[1]
        zones = zones_of_label(label) if label else ()
        if zones and not any(normal_name(name) == normal_name(each) for each in recipe.columns):
            yield _Label(name, field, label, zones)


def _day_text(cell: object) -> str | None:
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    return _MIDNIGHT.sub("", cell) if isinstance(cell, str) else None


def _clock_text(cell: object) -> str | None:
    if isinstance(cell, datetime):
        cell = cell.time()
    if isinstance(cell, time):
        return f"{cell:%H:%M}" if not cell.second else f"{cell:%H:%M:%S}"
    return cell if isinstance(cell, str) and read_clock(cell) else None
