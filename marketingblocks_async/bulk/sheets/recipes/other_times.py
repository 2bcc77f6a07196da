"""What columns that hold no field say of the time of a row: AM or PM, the weekday, a second time, that of a platform.

Such a column would be left out, and the post would go out at another time than the row says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time

from marketingblocks_async.bulk.sheets.cells import BLANKS, cell_at
from marketingblocks_async.bulk.sheets.columns import platform_in, usual_target, without_bracket
from marketingblocks_async.bulk.sheets.dates import DateColumn, read_clock, weekday_differs, weekdays_of
from marketingblocks_async.bulk.sheets.display import readable, visible
from marketingblocks_async.bulk.sheets.spellings import spelled
from marketingblocks_async.models.schedule import zones_of_label

from .known_columns import Sources
from .recipe import DATE, TIME, Recipe

_NAME_OF_TIME = re.compile(
    r"time|clock|hour|uhr|zeit|heure|\bhora|hor\u00e1rio|orario|\bora\b|\bore\b|tijd|\btids?\b|\btids?punkt|klok|klock"
    r"|kello|\baika|godzin|\bjam\b|slot|\bwhen\b|\bwann\b|\bquand\b|\bcu\u00e1ndo\b|\bquando\b",
    re.IGNORECASE,
)
"""Names of columns that hold a time of day, and no duration or size."""

_NAME_OF_DURATION = re.compile(
    r"durat|durée|duraci|durata|duração|duur|dauer|length|runtime|laufzeit|länge|time ?code|minutes|spent|effort"
    r"|aufwand|ratio|aspect|format|size|verhältnis",
    re.IGNORECASE,
)
"""Names of columns whose cells look like times of day, and say how long or how wide something is."""

_HALF = re.compile(r"([ap])\.?\s?m\.?", re.IGNORECASE)
_HALF_IN_NAME = re.compile(r".*[\s(\[]([ap])\.?m\.?[)\]]?", re.IGNORECASE | re.DOTALL)
_OWN_HALF = re.compile(r"([ap])\.?\s?m\.?$", re.IGNORECASE)
_LAST_CLOCK = re.compile(r"(?<![0-9:.])([0-9]{1,2})[:.h][0-9]{2}(?:[:.][0-9]{2})?$")
_NAME_OF_HALF = re.compile(
    r"\b[ap]\.?m\b|\bhalf|\bhalb|meridi|period|p\u00e9riod|tageszeit|part of|suffix", re.IGNORECASE
)
"""Names of columns in which AM and PM belong to the time; elsewhere they may be managers, or another session."""

_WEEKDAYS = frozenset({
    "day", "days", "weekday", "dayofweek", "dayoftheweek", "dow", "dayname", "postday", "postingday", "publishday",
    "wochentag", "tag", "jour", "jourdelasemaine", "joursemaine", "dia", "diadelasemana", "diadasemana", "giorno",
    "giornodellasettimana", "dag", "weekdag", "dagvandeweek",
})  # fmt: skip
"""Names of columns (as ``spelled()`` gives them) that hold the weekday of the date."""

_BETWEEN_CLOCKS = re.compile(r"\s*(?:[,;/&+|\n]|\band\b|\bund\b|\bet\b|\by\b|\be\b|\ben\b)\s*", re.IGNORECASE)
_NUMBER = re.compile(r"^[0-9]+[^\w]*|[^\w]*[0-9]+$")


def half_in_name(name: str) -> str:
    """Return "AM" or "PM" if the name of a column of the time ends with it, as in "Time (PM)"; else nothing."""
    found = _HALF_IN_NAME.fullmatch(name.strip(BLANKS)[:100])
    return f"{found[1].upper()}M" if found and not re.search(r"a\.?m\W*p\.?m|a/p", name, re.IGNORECASE) else ""


def read_half(cell: object) -> str | None:
    """Return "AM" or "PM" if that is all that a cell says."""
    found = _HALF.fullmatch(cell.strip(BLANKS)) if isinstance(cell, str) and len(cell) < 20 else None
    return f"{found[1].upper()}M" if found else None


def with_half(text: str, half: str) -> str | None:
    """Return a text that ends with a time of day together with "AM" or "PM"; ``None`` if they contradict each other."""
    text = text.strip(BLANKS)
    if own := _OWN_HALF.search(text):
        return text if own[1].upper() == half[0] else None
    found = _LAST_CLOCK.search(text)
    hour = int(found[1]) if found else -1
    if 1 <= hour <= 12:
        return f"{text} {half}"
    # The time has 24 hours.
    return text if hour >= 0 and (hour >= 12) is (half == "PM") else None


def _clocks(cell: object) -> list[str]:
    """Return the times of day that a cell holds, if it holds nothing else."""
    if isinstance(cell, time):
        return [f"{cell:%H:%M}"]
    parts = _BETWEEN_CLOCKS.split(cell.strip(BLANKS)) if isinstance(cell, str) and len(cell) <= 200 else []
    found = [clock for part in parts if (clock := read_clock(part)) is not None]
    return found if len(found) == len(parts) else []


def _is_amount(cell: object) -> bool:
    """Tell whether a time of day may be an amount, since it has a dot, and neither a colon nor a word."""
    return isinstance(cell, str) and not any(sign == ":" or sign.isalpha() for sign in cell)


class OtherTimes:
    """Looks for times in the columns that are not known.

    Args:
        sources: the columns.
        recipe: how they are read.
        dates: knows what a date is.

    """

    def __init__(self, sources: Sources, recipe: Recipe, dates: DateColumn) -> None:
        self._sources = sources
        self._words = recipe.words
        self._dates = dates
        self._has_names = recipe.header != 0
        self._names = [name.strip(BLANKS) for name in sources.names]
        # Columns that hold a part of the time for one platform, or a second time.
        self._own = {index: found[0] for index in sources.unknown if (found := _of_platform(self._names[index]))}
        self._weekdays = [
            *sources.days,
            *(each for each in sources.unknown if spelled(without_bracket(self._names[each])[0]) in _WEEKDAYS),
        ]
        self._further = [index for index in sources.unknown if _is_further(self._names[index])]

    def advice(self, cells: Sequence[object]) -> str:
        """Return what to do about a row without a time of day; empty if no other column seems to hold it."""
        words = self._words
        found = self._filled(cells)
        if not found:
            return ""
        named = [index for index in found if _NAME_OF_TIME.search(self._names[index])] or found
        index = named[0]
        shown, zones = visible(self._names[index]), zones_of_label(self._names[index])
        if len(named) > 1 or len(_clocks(cells[index])) > 1 or index in self._own:
            return self._one_row_each(named, "hold times" if len(named) > 1 else "holds a time")
        zone = f" and {words.set('time_zone', zones[0])}" if zones else ""
        return (
            f'if the column "{shown}" holds it, say {words.map(shown, TIME)}{zone}; '
            f"if not, {words.ignore(shown)}, and a time for all such rows: {words.default(TIME, '09:00')}"
        )

    def has_clock(self, cells: Sequence[object]) -> bool:
        """Tell whether a column that is not known may hold the time of day, and no duration."""
        # "9:16" is the shape of a video.
        found = (index for index in self._filled(cells) if cell_at(cells, index) != "9:16")
        return any(not _NAME_OF_DURATION.search(self._names[index]) for index in found)

    def _filled(self, cells: Sequence[object]) -> list[int]:
        """Return the columns with times of day. "12.50" counts only if the column is named after a time."""
        return [
            index
            for index in self._sources.unknown
            if _clocks(cell := cell_at(cells, index))
            and (not _is_amount(cell) or _NAME_OF_TIME.search(self._names[index]))
        ]

    def _one_row_each(self, indexes: Sequence[int], what: str) -> str:
        shown = [visible(self._names[index]) for index in indexes]
        said = " and ".join(f'"{name}"' for name in shown)
        leave = " or ".join(map(self._words.ignore, shown))
        return (
            f"{said} {what}; write one row for each time and platform, with the time in one column, or leave out "
            f"what is not the time of a post: {leave}"
        )

    def doubt(self, cells: Sequence[object], moment: datetime, text: Callable[[], object]) -> str | None:
        """Return what to say if a column that is not known contradicts the time of the row.

        Args:
            cells: of the row.
            moment: its time.
            text: returns how the row says it.

        """
        for index in self._sources.unknown:
            half = read_half(cell_at(cells, index))
            name = self._names[index]
            is_meant = not name or not self._has_names or _NAME_OF_HALF.search(name) or _NAME_OF_TIME.search(name)
            if half is None or not is_meant:
                continue
            other = range(1, 12) if half == "PM" else range(12, 13)
            said = text()
            if moment.hour in other and not (isinstance(said, str) and _OWN_HALF.search(said.strip(BLANKS))):
                shown = visible(self._names[index])
                return (
                    f'the column "{shown}" says {half}, and the time is {moment:%H:%M}; if they belong together, call '
                    f'the column "AM/PM", otherwise leave it out: {self._words.ignore(shown)}'
                )
        if (message := self._other_weekday(cells, moment, text)) is not None:
            return message
        found = [*self._further_times(cells, moment)]
        several = "hold other dates or times" if len(found) > 1 else "holds another date or time"
        return self._one_row_each(found, several) if found else None

    def _other_weekday(self, cells: Sequence[object], moment: datetime, text: Callable[[], object]) -> str | None:
        """Return what to say if a column holds another weekday than that of the date."""
        for index in self._weekdays:
            cell = cell_at(cells, index)
            weekdays = weekdays_of(cell) if isinstance(cell, str) else ()
            if not weekdays or moment.weekday() in weekdays:
                continue
            said, shown = text(), visible(self._names[index])
            message = weekday_differs(
                moment.date(), weekdays, self._dates.days_of(said) if isinstance(said, str) else ()
            )
            return (
                f'{message}, and the column "{shown}" says {readable(cell)}; correct one of them, or leave the column '
                f"out: {self._words.ignore(shown)}"
            )
        return None

    def _further_times(self, cells: Sequence[object], moment: datetime) -> Iterator[int]:
        """Yield the columns that hold another time, or the other time of one platform."""
        said = [cell_at(cells, self._sources.single.get(field)) for field in (DATE, TIME, "schedule_time")]
        for index in dict.fromkeys([*self._own, *self._further]):
            cell = cell_at(cells, index)
            if cell is None or cell in said:
                continue
            clocks = _clocks(cell)
            is_other_day = isinstance(cell, date) or (
                isinstance(cell, str) and not clocks and self._dates.is_date(cell)
            )
            if is_other_day or any(clock[:5] != f"{moment:%H:%M}" for clock in clocks):
                yield index


def _of_platform(name: str) -> tuple[str, str] | None:
    """Return platform and rest of the name of a column that holds the time of one platform."""
    found = platform_in(name)
    return found if found and _is_time(found[1]) else None


def _is_further(name: str) -> bool:
    """Tell whether a column is called like one of the time with a number, or in the plural: "Time 2", "Times"."""
    if name.casefold() == "hours":
        # That is how long the work took.
        return False
    base = _NUMBER.sub("", name[:100])
    return any(_is_time(each) for each in ({base, name.removesuffix("s")} - {name}))


def _is_time(name: str) -> bool:
    return usual_target(name)[0] in (DATE, TIME, "schedule_time")
