"""The moment of a row of another program: date and time of day, in one column or in two, and the zone of a column."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import NamedTuple

from marketingblocks_async.bulk.sheets.cells import BLANKS, CellError, UnusableCell, cell_at
from marketingblocks_async.bulk.sheets.columns import without_bracket
from marketingblocks_async.bulk.sheets.dates import (
    DateColumn,
    has_clock,
    joined,
    needs_decision,
    read_clock,
    said_clock,
)
from marketingblocks_async.bulk.sheets.display import readable, visible
from marketingblocks_async.bulk.sheets.flat import text_of
from marketingblocks_async.bulk.sheets.layout import RawRow, same_field
from marketingblocks_async.models.schedule import zone_of, zones_of_label

from .known_columns import Sources
from .other_times import OtherTimes, half_in_name, read_half, with_half
from .recipe import DATE, TIME, Recipe

_MIDNIGHT = re.compile(r"[ Tt]0{1,2}:00(?::00(?:\.0+)?)?$")
"""The time of day that a program adds to a date in a column of its own."""


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
        self._others = OtherTimes(sources, recipe, dates)
        self._labels = list(_labels(sources, recipe))
        dated = sources.single.get("schedule_time", sources.single.get(DATE))
        self._name_of_date = "" if dated is None else sources.names[dated].strip(BLANKS)
        self._half_of_name = half_in_name(sources.names[sources.single[TIME]]) if TIME in sources.single else ""

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
        day, clock, half = self._cell(cells, DATE), self._cell(cells, TIME), self._half(cells)
        whole = self._cell(cells, "schedule_time")
        if isinstance(half, UnusableCell):
            return half
        if whole is None and day is not None and clock is not None:
            return self._together(day, clock, half)
        # One column alone holds both.
        alone = next((cell for cell in (whole, day, clock) if cell is not None), None)
        default = self._default_clock(cells) if not half and whole is None and clock is None else None
        return self._with_default(alone, default) if default and isinstance(alone, str) else self._halved(alone, half)

    def _together(self, day: object, clock: object, half: str) -> object:
        """Return date and time of day of two columns as one text."""
        shown_day, shown_clock = _day_text(day), _clock_text(clock)
        if shown_day is None:
            message = f'"{readable(day)}" is not a date; write it as YYYY-MM-DD'
            if isinstance(day, UnusableCell):
                message = day.message
            return UnusableCell(readable(day), message, f"{text_of(day)} {shown_clock or text_of(clock)}")
        if shown_clock is None:
            message = f'"{readable(clock)}" is not a time of day; write it as HH:MM'
            if isinstance(clock, str) and self._dates.is_date(clock):
                days, times = (visible(self._sources.names[self._sources.single[each]]) for each in (DATE, TIME))
                both, without = self._words.map(times, "schedule_time"), self._words.ignore(days)
                message += f'; if "{times}" holds the date as well, say {both} and {without}'
            if isinstance(clock, UnusableCell):
                message = clock.message
            return UnusableCell(readable(clock), message, f"{shown_day} {text_of(clock)}")
        halved = with_half(shown_clock, half) if half else shown_clock
        if halved is None:
            return self._half_contradicts(shown_clock, half, f"{shown_day} {shown_clock}")
        if message := self._contradiction(day, clock, shown_day, halved):
            return UnusableCell(f"{readable(day)} {halved}", message, f"{text_of(day)} {text_of(clock)}")
        # A time in a workbook has 24 hours, even if other cells have AM or PM; not beside a column of these.
        has_24_hours = isinstance(clock, time | datetime) and self._sources.half is None and not half
        return f"{shown_day}T{halved}" if has_24_hours else joined(shown_day, halved)

    def _half(self, cells: Sequence[object]) -> str | UnusableCell:
        """Return "AM" or "PM" if the row says it in a column of its own, or the name of the column of the time does."""
        cell = cell_at(cells, self._sources.half)
        if cell is None:
            return self._half_of_name
        if half := read_half(cell):
            return half
        name = visible(self._sources.names[self._sources.half or 0])
        message = f'"{name}" says neither AM nor PM; correct it, or leave the column out: {self._words.ignore(name)}'
        return UnusableCell(readable(cell), message, cell)

    def _halved(self, cell: object, half: str) -> object:
        """Return the point in time of one cell with the AM or PM of another; a date alone as it is."""
        if not half or not (isinstance(cell, datetime) or (isinstance(cell, str) and has_clock(cell))):
            return cell
        text = f"{cell:%Y-%m-%d %H:%M}" if isinstance(cell, datetime) else cell
        return with_half(text, half) or self._half_contradicts(text, half, text)

    def _half_contradicts(self, clock: str, half: str, content: str) -> UnusableCell:
        message = f'the time is "{visible(clock)}", and another column or its name says {half}; write both in one cell'
        return UnusableCell(f"{visible(content)} {half}", message, content)

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
        return None if self._others.has_clock(cells) else self._recipe.defaults.get(TIME)

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
            moment = self._dates.read(found, line, self._name_of_date)
        except CellError as exc:
            return UnusableCell(visible(found), str(exc), found)
        return moment if ":" in moment else self._no_clock(found, cells)

    def _no_clock(self, day: object, cells: Sequence[object]) -> UnusableCell:
        default = self._words.default(TIME, "09:00")
        advice = self._others.advice(cells) or f"write it as YYYY-MM-DD HH:MM, or say one for all such rows: {default}"
        return UnusableCell(readable(day), f"it has no time of day; {advice}", day)

    def checked(self, cells: Sequence[object], moment: object, zone: object) -> object:
        """Return the moment, or what to say if another column of the row contradicts it, or the name of its own."""
        if (message := self._second_date(cells)) is not None:
            return UnusableCell(readable(moment), message, moment)
        if (local := _local(moment)) is not None and "schedule_time" not in self._recipe.fixed:
            message = self._others.doubt(cells, local, lambda: self._text(cells))
            if message is not None:
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
                    either = " or ".join(self._words.set("time_zone", each) for each in zones)
                    message = (
                        f'the name of the column "{visible(name)}" says {visible(label)}, and the time zone is {zone}; '
                        f"say {either}, or, if the times are those of {zone}, "
                        f"{self._words.map(visible(name), field)}"
                    )
                    return UnusableCell(readable(moment), message, moment)
        except (ValueError, OverflowError):
            # The rest of the package says what is wrong with the time or the zone.
            pass
        return moment

    def _cell(self, cells: Sequence[object], field: str) -> object:
        return cell_at(cells, self._sources.single.get(field))


def _local(moment: object) -> datetime | None:
    """Return a moment as the clocks of its zone show it; ``None`` if it is none."""
    try:
        moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    except ValueError:
        return None
    return moment if isinstance(moment, datetime) else None


def _labels(sources: Sources, recipe: Recipe) -> Iterator[_Label]:
    """Yield the columns of the time whose names say a zone; one that the recipe or the caller names has that of all."""
    for field in ("schedule_time", DATE, TIME):
        place = sources.single.get(field)
        name = "" if place is None else sources.names[place].strip(BLANKS)
        label = without_bracket(name)[1]
        zones = zones_of_label(label) if label else ()
        if zones and not any(place in sources.header.places(each) for each in recipe.columns if "*" not in each):
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
    return said_clock(cell) if isinstance(cell, str) and read_clock(cell) else None
