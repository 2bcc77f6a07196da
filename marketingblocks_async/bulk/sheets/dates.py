"""Dates as other programs write them, read one way for a whole column.

``03/04/2027`` is a day in March or in April, and nothing in the cell says which. ``27/03/28`` may begin with the year.
So a form is never guessed cell by cell: either it is given (``DD/MM/YYYY hh:mm a``), or the whole column is looked
through first, and only a form that every date fits is taken. Dates that begin with a year of four digits, and months
that are written as words, need no decision.

What is read here becomes the one text that the rest of the package knows, ``YYYY-MM-DD HH:MM`` with an offset if the
cell has one. Whether that time exists in its zone is checked there.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from marketingblocks_async.errors import ConfigurationError

from .cells import BLANKS, CellError
from .display import visible
from .words import PYTHON, Words

FORM_EXAMPLE = "DD/MM/YYYY HH:mm"
"""The example of the notation in messages."""

LONGEST_DATE = 80
"""Characters of a date; a longer text is none."""

# Language → names of the months. Accents do not matter here, see _plain().
_MONTHS: Mapping[str, str] = {
    "English": "january february march april may june july august september october november december",
    "German": "januar februar marz april mai juni juli august september oktober november dezember",
    "French": "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre",
    "Spanish": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "Italian": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "Portuguese": "janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro",
    "Dutch": "januari februari maart april mei juni juli augustus september oktober november december",
}
_SHORT_MONTHS = (
    "jan janv ene gen", "feb feber fev fevr", "mar mrz maerz mrt", "apr avr abr", "may mag", "jun giu", "jul juil lug",
    "aug ago aou", "sep sept set setiembre", "oct okt ott out", "nov", "dec dez dic",
)  # fmt: skip
_MONTH_OF = {
    name: number
    for names in (*map(str.split, _MONTHS.values()), _SHORT_MONTHS)
    for number, each in enumerate(names, 1)
    for name in each.split()
} | {"janner": 1, "jaenner": 1}
_LANGUAGES = ", ".join(_MONTHS)
_MONTH_WORD = "|".join(sorted(_MONTH_OF, key=len, reverse=True))
# Monday first; in the languages of the months.
_WEEKDAYS = (
    "mon monday montag mo lundi lun lunes lunedi segunda segunda-feira seg maandag ma",
    "tue tues tuesday dienstag di mardi mar martes martedi terca terca-feira ter dinsdag",
    "wed wednes wednesday mittwoch mi mercredi mer miercoles mie mercoledi quarta quarta-feira qua woensdag wo",
    "thu thur thurs thursday donnerstag do jeudi jeu jueves jue giovedi gio quinta quinta-feira qui donderdag",
    "fri friday freitag fr vendredi ven viernes vie venerdi sexta sexta-feira sex vrijdag vr",
    "sat satur saturday samstag sonnabend sa samedi sam sabado sab sabato zaterdag za",
    "sun sunday sonntag so dimanche dim domingo dom domenica zondag zo",
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEKDAYS_OF = {name: (number,) for number, names in enumerate(_WEEKDAYS) for name in names.split()} | {
    # Monday in Dutch, Tuesday in French, Italian and Spanish.
    "ma": (0, 1),
    # Tuesday in German and Dutch, Sunday in French.
    "di": (1, 6),
    # Thursday in German and Dutch, Sunday in Italian and Spanish.
    "do": (3, 6),
}
_WEEKDAY_WORD = f"(?P<weekday>{'|'.join(sorted(_WEEKDAYS_OF, key=len, reverse=True))})"
_GAP = r"[\s\u00a0\u202f]"

_CLOCK = (
    rf"(?P<hour>[0-9]{{1,2}})(?:(?:[:.]|{_GAP}?h{_GAP}?)(?P<minute>[0-9]{{2}})(?:[:.](?P<second>[0-9]{{2}})(?:[.,](?P<fraction>[0-9]{{1,9}}))?)?)?"
    rf"(?:{_GAP}*(?P<half>[ap])\.?{_GAP}?m\.?|{_GAP}*(?P<unit>uhr|uur|hs|h))?"
)
# "GMT+1" in brackets is how Notion writes it.
_OFFSET = (
    r"\(?(?P<offset>[Zz]|(?:UTC|GMT)?[+\u2212-][0-9]{2}:?[0-9]{2}|(?:UTC|GMT)[+\u2212-][0-9]{1,2}(?::[0-9]{2})?"
    r"|UTC|GMT)\)?"
)
_AT = rf"(?:at|um|a(?:{_GAP}+las?)?|as|alle(?:{_GAP}+ore)?|ore|om)"
_TAIL = rf"(?:(?:{_GAP}*[Tt,]{_GAP}*|,?{_GAP}+{_AT}{_GAP}+|{_GAP}+(?:[-\u2013]{_GAP}+)?){_CLOCK}(?:{_GAP}*{_OFFSET})?)?"
_BEGIN = rf"(?:{_WEEKDAY_WORD}[.,]{{0,2}}{_GAP}+)?"

_YEAR_FIRST = re.compile(
    rf"{_BEGIN}(?P<year>[0-9]{{4}})(?P<sign>[-/.])(?P<month>[0-9]{{1,2}})(?P=sign)(?P<day>[0-9]{{1,2}}){_TAIL}",
    re.IGNORECASE,
)
_YEAR_LAST = re.compile(
    rf"{_BEGIN}(?P<first>[0-9]{{1,2}})(?P<sign>[-/. ])(?P<second_number>[0-9]{{1,2}})(?P=sign)"
    rf"(?P<year>[0-9]{{4}}|[0-9]{{2}}){_TAIL}",
    re.IGNORECASE,
)
_DAY_WORD = re.compile(
    rf"{_BEGIN}(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th|er|[o\u00ba])?(?:[-.]|{_GAP}){_GAP}*(?:de{_GAP}+)?"
    rf"(?P<word>{_MONTH_WORD})[-.,]?{_GAP}*(?:del?{_GAP}+)?(?P<year>[0-9]{{4}}|[0-9]{{2}}){_TAIL}",
    re.IGNORECASE,
)
_WORD_DAY = re.compile(
    rf"{_BEGIN}(?P<word>{_MONTH_WORD})\.?{_GAP}+(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)?,?{_GAP}+(?P<year>[0-9]{{4}}){_TAIL}",
    re.IGNORECASE,
)
_HALF_DAY = re.compile(rf"[ap]\.?{_GAP}?m\.?$|{_GAP}[0-9]:", re.IGNORECASE)
_T = re.compile("[0-9]T[0-9]", re.IGNORECASE)
_CLOCK_ONLY = re.compile(_CLOCK, re.IGNORECASE)


def _this_year() -> int:
    return date.today().year  # noqa: DTZ011 - an hour more or less changes only which dates are unclear


def _plain(text: str) -> str:
    """Return a text without its accents; many people leave them out."""
    if text.isascii():
        return text
    # Patterns that ignore capitals take the dotless i and the long s too, which no name of a month has.
    plain = unicodedata.normalize("NFD", text).replace("\u0131", "i").replace("\u017f", "s")
    return "".join(sign for sign in plain if not unicodedata.combining(sign))


class Order(Enum):
    """The order of day, month and year in a date; messages show the value."""

    DAY_FIRST = "DD/MM/YYYY"
    MONTH_FIRST = "MM/DD/YYYY"
    YEAR_FIRST = "YY/MM/DD"

    @property
    def words(self) -> str:
        """The name of the order in messages."""
        return f"{self.name.removesuffix('_FIRST').lower()} first"

    def form_of(self, found: re.Match[str]) -> str:
        """Return the form of a date in this order, with its own signs."""
        value = self.value.replace("YYYY", "YY") if len(found["year"]) == 2 else self.value
        return value.replace("/", found["sign"])


# Letters of day, month and year in forms: D, T (German), J (French), G (Italian); Y, J (German), A.
_DAY_LETTERS = "(?:dd?|tt?|jj?|gg?)(?![a-z])"
_FORMS_IN_NAMES = {
    Order.YEAR_FIRST: re.compile(rf"(?<![a-z])(?:yy|jj|aa)[-/.]mm?[-/.]{_DAY_LETTERS}", re.IGNORECASE),
    Order.DAY_FIRST: re.compile(rf"(?<![a-z])(?<![a-z][-/.]){_DAY_LETTERS}[-/.]mm?(?![a-z])", re.IGNORECASE),
    Order.MONTH_FIRST: re.compile(rf"(?<![a-z])(?<![a-z][-/.])mm?[-/.]{_DAY_LETTERS}", re.IGNORECASE),
}


@lru_cache(maxsize=256)
def order_in_name(name: str) -> Order | None:
    """Return the order of day, month and year that a column's name says, as in "Date (DD/MM/YYYY)"."""
    found = [order for order, form in _FORMS_IN_NAMES.items() if form.search(name[:200])]
    return found[0] if len(found) == 1 else None


class _Reading(NamedTuple):
    """The meaning of one cell, before the order of day, month and year is known."""

    orders: dict[Order | None, date]
    """The days that it can be; under ``None`` if there is no doubt."""
    evidence: frozenset[Order]
    """The orders that the column can have because of this cell; empty if the cell says nothing about that."""
    clock: str
    """``HH:MM`` with seconds if there are any, empty if the cell has no time of day."""
    halved: bool
    """Whether ``AM`` or ``PM`` is written."""
    either: bool
    """Whether the hour could belong to a clock of 12 hours whose ``AM`` or ``PM`` is missing."""
    offset: str
    weekdays: Sequence[int]
    """The weekdays that the written one can be, 0 for Monday; empty if none is written."""


def _day(year: str, month: int, day: int) -> date | None:
    number = int(year) + (2000 if len(year) == 2 else 0)
    try:
        return date(number, month, day)
    except ValueError:
        return None


def _clock(found: re.Match[str]) -> tuple[str, bool, bool] | None:
    """Return the time of day, whether it has AM or PM, and whether that may be missing; ``None`` if it is no time."""
    if found["hour"] is None:
        return "", False, False
    hour, half = int(found["hour"]), (found["half"] or "").lower()
    if found["minute"] is None and not half and not found["unit"]:
        return None
    if half and not 1 <= hour <= 12:
        return None
    shown = hour % 12 + (12 if half == "p" else 0) if half else hour
    minute = int(found["minute"] or 0)
    second = found["second"] or "00"
    if shown > 23 or minute > 59 or int(second) > 59:
        return None
    seconds = "" if second == "00" and not (found["fraction"] or "").strip("0") else f":{second}"
    # "9 Uhr" is said on a clock of 24 hours.
    return f"{shown:02}:{minute:02}{seconds}", bool(half), not half and not found["unit"] and 1 <= hour <= 12


@lru_cache(maxsize=256)
def _readings(text: str, this_year: int) -> _Reading | None:
    """Return what a text can mean, ``None`` if it is no date of a known form."""
    text = _plain(text)
    days: dict[Order | None, date] = {}
    evidence: frozenset[Order] = frozenset()
    if found := _YEAR_FIRST.fullmatch(text):
        days = _only(_day(found["year"], int(found["month"]), int(found["day"])))
    elif found := _DAY_WORD.fullmatch(text) or _WORD_DAY.fullmatch(text):
        days = _only(_day(found["year"], _MONTH_OF[found["word"].lower()], int(found["day"])))
    elif found := _YEAR_LAST.fullmatch(text):
        days, evidence = _ordered(found, this_year)
    if found is None or not days or (clock := _clock(found)) is None:
        return None
    shown, halved, either = clock
    # With an offset, or a T before the hour, it is a program that wrote it, and programs use the clock of 24 hours.
    either = either and not found["offset"] and not _T.search(text)
    return _Reading(days, evidence, shown, halved, either, _offset(found["offset"]), _weekdays(found))


def _ordered(found: re.Match[str], this_year: int) -> tuple[dict[Order | None, date], frozenset[Order]]:
    """Return the days that three numbers can be, and the orders that their column can have."""
    first, second, last = found["first"], int(found["second_number"]), found["year"]
    days: dict[Order | None, date] = {}
    if day := _day(last, second, int(first)):
        days[Order.DAY_FIRST] = day
    # No country writes the month first and dots between the numbers.
    if found["sign"] != "." and (day := _day(last, int(first), second)):
        days[Order.MONTH_FIRST] = day
    if _begins_with_year(first, last, this_year) and (day := _day(first, second, int(last))):
        days[Order.YEAR_FIRST] = day
    if len(days) > 1 and len(set(days.values())) == 1:
        # The third of March is the same either way.
        return _only(next(iter(days.values()))), frozenset()
    evidence = frozenset(order for order in days if order)
    if found["sign"] == "." and Order.YEAR_FIRST not in days:
        # It is clear without the others, but says of a column of 28.03.27 that it does not begin with the year.
        return _only(days.get(Order.DAY_FIRST)), evidence if len(last) == 2 else frozenset()
    return days, evidence


def _begins_with_year(first: str, last: str, this_year: int) -> bool:
    """Tell whether the first of three numbers can be the year of a post: a near one, nearer than the last number."""
    if len(first) != 2 or len(last) != 2:
        return False
    year, other = int(first) + 2000, int(last) + 2000
    is_last_year = year == this_year - 1 and not this_year - 1 <= other <= this_year + 2
    return this_year <= year <= this_year + 2 or is_last_year


def _only(day: date | None) -> dict[Order | None, date]:
    return {} if day is None else {None: day}


def _offset(text: str | None) -> str:
    if not text:
        return ""
    digits = re.sub("[^0-9+\u2212-]", "", text).replace("\u2212", "-")
    hour, minute = (digits[1:], "00") if len(digits) < 4 else (digits[1:-2], digits[-2:])
    return f"{digits[0]}{hour:0>2}:{minute}" if digits else "Z"


def has_clock(text: str) -> bool:
    """Tell whether a date has a time of day, however that is written."""
    text = text.strip(BLANKS)
    reading = _readings(text, _this_year()) if len(text) <= LONGEST_DATE else None
    return ":" in text or (reading is not None and bool(reading.clock))


def days_in(cell: object) -> list[date]:
    """Return the days that a cell can mean, whatever its column says; none if it holds no date."""
    if isinstance(cell, date):
        return [cell.date() if isinstance(cell, datetime) else cell]
    text = cell.strip(BLANKS) if isinstance(cell, str) and len(cell) <= LONGEST_DATE else ""
    reading = _readings(text, _this_year()) if text else None
    return [*reading.orders.values()] if reading else []


def is_to_come(cell: object) -> bool:
    """Tell whether a cell holds a date that is in the future, whatever the order of day and month is."""
    days = days_in(cell)
    return bool(days) and min(days) > date.today()  # noqa: DTZ011 - a day more or less is no matter here


def is_weekday(text: str) -> bool:
    """Tell whether a text is the name of a weekday."""
    return bool(weekdays_of(text))


def weekdays_of(text: str) -> Sequence[int]:
    """Return the weekdays that a text names, 0 for Monday; two if languages differ, none if it is no such name."""
    name = _plain(text[:LONGEST_DATE].strip(BLANKS)).removesuffix(".").lower()
    return _WEEKDAYS_OF.get(name, ())


def _weekdays(found: re.Match[str]) -> Sequence[int]:
    """Return the weekdays that the one that is written in a date can be."""
    return _WEEKDAYS_OF.get((found.groupdict().get("weekday") or "").lower(), ())


def weekday_differs(day: date, weekdays: Sequence[int], readings: Iterable[date] = ()) -> str | None:
    """Return what to say if a weekday is not that of a day; ``None`` if it is.

    Args:
        day: as it was read.
        weekdays: what is written, 0 for Monday; several if it means different days in different languages.
        readings: all days that the date can be.

    """
    if day.weekday() in weekdays:
        return None
    fitting = sorted({each.isoformat() for each in readings if each.weekday() in weekdays})
    other = f"; {' or '.join(fitting)} is one, if day and month are the other way round" if fitting else ""
    written = " or ".join(_DAYS[weekday] for weekday in weekdays)
    return f"{day.isoformat()} is a {_DAYS[day.weekday()]}, not a {written}{other}"


def needs_decision(text: str) -> bool:
    """Tell whether a cell's date is clear only from the rest of its column."""
    text = text.strip(BLANKS)
    # Programs write hours with two digits on a clock of 24 hours; "9:05" or "PM" may be one of 12 hours.
    return bool(text) and not (text[:4].isdecimal() and not _HALF_DAY.search(text))


class _Found(NamedTuple):
    """The time that a form finds in a cell, whether it has AM or PM, and whether that may be missing."""

    text: str
    halved: bool
    either: bool
    weekdays: Sequence[int]


class DateColumn:
    """Reads the dates of one column, once it is known how they are written.

    Args:
        forms: the forms that are given, in the notation of ``compile_form()``; the first that fits is taken. Without
            any, ``look()`` at every cell of the column before the first ``read()``.
        words: how errors name the options.
        this_year: the year in which posts are planned; ``None`` for that of today.

    Raises:
        ConfigurationError: a form has no such notation.

    """

    def __init__(self, forms: Sequence[str] = (), words: Words = PYTHON, this_year: int | None = None) -> None:
        self._words = words
        self._forms = [compile_form(form) for form in forms]
        self._this_year = this_year or _this_year()
        # The orders that the column can have by some of its dates → the first of these.
        self._seen: dict[frozenset[Order], tuple[str, int | None]] = {}
        # The first date that has several readings.
        self._unclear: tuple[str, int | None] | None = None
        # Whether the first number of a date may be its year, as in 27.03.28; as in 28.12.26, that is the later one.
        self._may_begin_with_year = False
        # The first time with AM or PM, and the first one that was read without them and may lack them.
        self._halved: tuple[str, int | None] | None = None
        self._not_halved: tuple[str, int | None] | None = None
        # A column whose name says the order of its dates.
        self._named = ""

    @property
    def is_given(self) -> bool:
        """Whether the form decides everything, so that the column need not be read first."""
        return bool(self._forms) and all(form.has_clock for form in self._forms)

    @property
    def has_24_hours(self) -> bool:
        """Whether a further time without AM or PM changes nothing: one was read before, and none had them."""
        return self._not_halved is not None and self._halved is None

    def look(self, text: str, line: int | None = None) -> None:
        """Take one cell of the column into account; one that is no date says nothing about the others."""
        text = text.strip(BLANKS)
        reading = self._reading(text)
        if reading is None:
            return
        if reading.halved and self._halved is None:
            self._halved = text, line
        if reading.evidence:
            self._seen.setdefault(reading.evidence, (text, line))
        if len(reading.orders) > 1 and self._unclear is None:
            self._unclear = text, line
        if (by_year := reading.orders.get(Order.YEAR_FIRST)) is not None:
            other = reading.orders.get(Order.DAY_FIRST)
            self._may_begin_with_year |= other is None or not self._this_year <= other.year < by_year.year

    def describe(self) -> str | None:
        """Return how the column was understood and why, for people; ``None`` if there was nothing to decide."""
        if self._forms:
            return " or ".join(form.text for form in self._forms)
        clock = ""
        if self._halved is not None:
            clock = f", 12-hour clock (`{visible(self._halved[0])}`{_at(self._halved[1])})"
        if self._named and (named := order_in_name(self._named)):
            return f'{named.value}: the column is called "{visible(self._named)}"{clock}'
        if len(orders := self._orders()) == 1:
            (order,) = orders
            return f"{order.value}: {self._reasons()}{clock}"
        return f"year first or months as words{clock}" if clock and not self._seen else None

    def is_date(self, text: str) -> bool:
        """Tell whether a text is a date, in a form that is given or in any other that is known."""
        text = text.strip(BLANKS)
        return self._reading(text) is not None or any(form.read(text) is not None for form in self._forms)

    def knows(self, text: str) -> bool:
        """Tell whether a cell is a date at all, so that ``read()`` can say what is wrong with it."""
        text = text.strip(BLANKS)
        return bool(self._forms) or self._reading(text) is not None

    def read(self, text: str, line: int | None = None, name: str = "") -> str:
        """Return the point in time that a cell says.

        Args:
            text: the cell.
            line: its line, for the messages about later cells.
            name: the name of its column, which may say the order of day, month and year.

        Returns:
            ``YYYY-MM-DD``, with `` HH:MM`` if the cell has a time of day and an offset if it has one.

        Raises:
            CellError: it says none, or not clearly.

        """
        text = text.strip(BLANKS)
        for form in self._forms:
            if (found := form.read(text)) is not None:
                self._check_half(text, line, halved=found.halved, either=found.either)
                self._check_weekday(text, date.fromisoformat(found.text[:10]), found.weekdays)
                return found.text
        reading = self._reading(text)
        if self._forms and (
            reading is None or None not in reading.orders or any(form.year_first for form in self._forms)
        ):
            raise CellError(self._does_not_fit(text))
        if reading is None:
            msg = (
                f'"{visible(text)}" is not a point in time that is clear to everyone; write it as YYYY-MM-DD HH:MM, '
                f"for example 2027-01-08 14:30, or say its form with {self._words.date_format(FORM_EXAMPLE)}"
            )
            raise CellError(msg)
        day = self._decided(reading, text, name)
        self._check_weekday(text, day, reading.weekdays)
        self._check_half(text, line, halved=reading.halved, either=reading.either)
        return f"{day.isoformat()} {reading.clock}{reading.offset}" if reading.clock else day.isoformat()

    def days_of(self, text: str) -> Collection[date]:
        """Return the days that a date can be, whatever the rest of the column says."""
        reading = self._reading(text.strip(BLANKS))
        return reading.orders.values() if reading else ()

    def _check_weekday(self, text: str, day: date, weekdays: Sequence[int]) -> None:
        if weekdays and (message := weekday_differs(day, weekdays, self.days_of(text))):
            msg = f"{message}; correct the date or the weekday"
            raise CellError(msg)

    def _check_half(self, text: str, line: int | None, *, halved: bool, either: bool) -> None:
        """Refuse a time that has AM or PM if another one has not, or the other way round."""
        if halved and self._halved is None:
            self._halved = text, line
        if halved and self._not_halved is not None:
            # Most columns are not looked through first, so it was taken for one of a clock of 24 hours.
            msg = (
                f"an earlier time of this column has neither AM nor PM (`{visible(self._not_halved[0])}`"
                f"{_at(self._not_halved[1])}), `{visible(text)}` has; write all of them in one way"
            )
            raise CellError(msg)
        if either and self._halved is None and self._not_halved is None:
            self._not_halved = text, line
        if either and self._halved is not None:
            msg = (
                f"other times of this column have AM or PM (`{visible(self._halved[0])}`{_at(self._halved[1])}), "
                f"`{visible(text)}` has not; add it"
            )
            raise CellError(msg)

    def _reading(self, text: str) -> _Reading | None:
        return _readings(text, self._this_year) if 0 < len(text) <= LONGEST_DATE else None

    def _orders(self) -> frozenset[Order]:
        """Return the orders that fit every date that was looked at; none before the first."""
        found = self._fitting()
        # Where the year at the end is the nearer one it is meant: 28.12.26 is in 2026, and not in 2028.
        return found if self._may_begin_with_year else found - {Order.YEAR_FIRST}

    def _fitting(self) -> frozenset[Order]:
        return frozenset[Order]().union(*self._seen).intersection(*self._seen)

    def _reasons(self) -> str:
        """Return which dates leave which orders."""
        if self._unclear and len(self._fitting()) > len(self._orders()) == 1:
            return f"`{visible(self._unclear[0])}`{_at(self._unclear[1])} is a near date only day first"
        alone = {orders: example for orders, example in self._seen.items() if len(orders) == 1}
        # One date decides, and two contradict each other; else all of them are needed.
        shown = alone if len(alone) > 1 or (alone and self._orders()) else self._seen
        return " and ".join(
            f"`{visible(text)}`{_at(line)} only fits {' or '.join(order.words for order in Order if order in orders)}"
            for orders, (text, line) in shown.items()
        )

    def _decided(self, reading: _Reading, text: str, name: str) -> date:
        if (named := order_in_name(name)) is not None:
            return self._ordered_by_name(reading, text, name, named)
        if None in reading.orders:
            return reading.orders[None]
        orders = [order for order in self._orders() if order in reading.orders]
        if len(orders) == 1:
            return reading.orders[orders[0]]
        # The same words for every row: it is one fault of the column.
        if not orders and self._seen:
            example = next(iter(self._seen.values()))[0]
            msg = f"the dates of this column contradict each other: {self._reasons()}"
        else:
            example = self._unclear[0] if self._unclear else text
            msg = f"{self._unclear_parts(example)} cannot be told apart in this column (`{visible(example)}`)"
            if len(self._candidates(example)) == 1:
                msg = f"`{visible(example)}` alone does not say how the later dates of this column are written"
        msg = f"{msg}; {self._say_which(example)}"
        raise CellError(msg)

    def _ordered_by_name(self, reading: _Reading, text: str, name: str, named: Order) -> date:
        """Return the day that a date is in the order that the name of its column says."""
        # Elsewhere the day comes before a dot. Below "MM/DD/YYYY" it may be the month.
        has_dots = named is Order.MONTH_FIRST and re.match(r"\D*[0-9]+\.[0-9]+\.", text) is not None
        clear = reading.orders.get(None)
        if clear is not None and not (has_dots and clear.day <= 12):
            return clear
        if named in reading.orders:
            self._named = name
            return reading.orders[named]
        msg = (
            f'`{visible(text)}` does not fit the name of its column, "{visible(name)}"; correct it, or write the dates '
            f"as YYYY-MM-DD HH:MM, or say how they are written: {self._words.date_format(FORM_EXAMPLE)}"
        )
        raise CellError(msg)

    def _candidates(self, example: str) -> list[Order]:
        """Return the orders that the column may have, or some of its dates if none fits all of them."""
        reading = self._reading(example)
        # Rows of a list are not looked at first, so nothing is known but the example.
        alone = reading.orders if reading else ()
        found = self._orders() or frozenset[Order]().union(*self._seen) or alone
        return [order for order in Order if order in found]

    def _unclear_parts(self, example: str) -> str:
        return "day, month and year" if Order.YEAR_FIRST in self._candidates(example) else "day and month"

    def _does_not_fit(self, text: str) -> str:
        forms = " or ".join(form.text for form in self._forms)
        known = f" (months as words are known in {_LANGUAGES})" if re.search("mmm", forms, re.IGNORECASE) else ""
        return f'"{visible(text)}" does not fit the form {forms}{known}; correct it, or change the form of the dates'

    def _say_which(self, example: str) -> str:
        found = _YEAR_LAST.fullmatch(_plain(example))
        # The forms have the signs of the dates, or these would not fit them.
        forms = [order.form_of(found) if found else order.value for order in self._candidates(example)]
        either = " or ".join(map(self._words.date_format, forms))
        return f"say {'which' if len(forms) > 1 else 'it'} with {either}, or write the dates as YYYY-MM-DD HH:MM"


def _at(line: int | None) -> str:
    return "" if line is None else f" in line {line}"


_SAID_BEFORE = re.compile(
    rf"(?:(?P<of_24_hours>kl\.?|klo\.?|um|om|(?:alle{_GAP}+)?ore)|{_AT}){_GAP}*(?P<clock>[0-9].*)",
    re.IGNORECASE | re.DOTALL,
)
_NOON = re.compile(
    rf"(?:12(?:[:.]00)?{_GAP}*)?(?:noon|midday|mittags?|midi|mediodia|meio[- ]dia|mezzogiorno)", re.IGNORECASE
)


def said_clock(text: str) -> str:
    """Return a time of day as it is usually written: "kl. 10" and "ore 10" as "10 h", "noon" as "12:00 h"."""
    text = text.strip(BLANKS)
    if len(text) > LONGEST_DATE or not (text[:1].isalpha() or text[-1:].isalpha()):
        return text
    plain = _plain(text)
    if _NOON.fullmatch(plain):
        return "12:00 h"
    found = _SAID_BEFORE.fullmatch(plain)
    if found is None:
        return text
    clock = found["clock"]
    is_bare = re.fullmatch(r"[0-9]{1,2}(?:[:.][0-9]{2})?", clock) is not None
    return f"{clock} h" if is_bare and found["of_24_hours"] else clock


def read_clock(text: str) -> str | None:
    """Return the time of day that a text says, as ``HH:MM`` with seconds if there are any; ``None`` if it says none."""
    found = _CLOCK_ONLY.fullmatch(said_clock(text))
    clock = _clock(found) if found else None
    return clock[0] or None if clock else None


@dataclass(frozen=True, slots=True)
class DateForm:
    """A form of dates as a pattern, whether it begins with the year, and whether it has the time of day."""

    text: str
    pattern: re.Pattern[str]
    year_first: bool
    has_clock: bool

    def read(self, text: str) -> _Found | None:
        """Return what a text says by this form (see ``read()``), ``None`` if it does not fit."""
        found = self.pattern.fullmatch(_plain(text))
        if found is None:
            return None
        parts = found.groupdict()
        month = int(parts["month"]) if parts.get("month") else _MONTH_OF[(parts.get("word") or "jan").lower()]
        day = _day(parts["year"] or "", month, int(parts["day"] or 0))
        clock = _clock(found)
        if day is None or clock is None:
            return None
        shown = f"{day.isoformat()} {clock[0]}{_offset(parts.get('offset'))}" if clock[0] else day.isoformat()
        # A form that has the time of day says whether AM or PM belong to it.
        either = clock[2] and not (self.has_clock or parts.get("offset") or _T.search(text))
        return _Found(shown, clock[1] and not self.has_clock, either, _weekdays(found))


_DIRECTIVES = {
    "%d": "DD", "%e": "D", "%m": "MM", "%Y": "YYYY", "%y": "YY", "%H": "HH", "%I": "hh", "%M": "mm", "%S": "ss",
    "%p": "a", "%B": "MMMM", "%b": "MMM", "%A": "dddd", "%a": "ddd", "%z": "Z",
}  # fmt: skip
_TOKEN = re.compile(
    r"yyyy|yy|MMMM|MMM|mm|m|dddd|ddd|dd|d|EEEE|EEE|hh|h|ss|s|(?<![a-z])a(?![a-z])|ZZ|Z|z|XXX|'[^']*'|\[[^\]]*\]|.",
    re.IGNORECASE | re.DOTALL,
)


def compile_form(text: str) -> DateForm:
    """Return what a form means.

    ``YYYY`` or ``YY`` is the year, ``MM`` the month (``MMM`` as a word), ``DD`` the day, ``HH:mm`` the time of day,
    ``hh:mm a`` the same with AM or PM, ``Z`` an offset; capitals do not matter, since an ``mm`` behind the hour is the
    minutes and any other the month. Leading zeros may be missing. ``%d/%m/%Y`` is understood too. A form without a time
    of day fits dates with any time of day that is clear.

    Raises:
        ConfigurationError: it is none.

    """
    given = _plain(text.strip(BLANKS))
    for directive, token in _DIRECTIVES.items():
        given = given.replace(directive, token)
    if "%" in given:
        # A directive that is not known, such as "%-d"; no date has that sign.
        sign = given[given.index("%") :][:2]
        msg = f"the date format {text!r} has {sign!r}, which is not known; write for example '{FORM_EXAMPLE}'"
        raise ConfigurationError(msg)
    parts: dict[str, str] = {}
    pattern = ""
    after_hour = False
    for token in _TOKEN.findall(given):
        name, fragment = _fragment(token, after_hour=after_hour)
        if name in parts:
            msg = (
                f"the date format {text!r} has {name} twice; write for example '{FORM_EXAMPLE}' or 'MM/DD/YYYY hh:mm a'"
            )
            raise ConfigurationError(msg)
        if name:
            parts[name] = token
            after_hour = name == "hour"
        elif token.isspace():
            after_hour = False
        pattern += fragment
    if not {"year", "month", "day"} <= parts.keys() or ("hour" in parts) != ("minute" in parts):
        msg = (
            f"the date format {text!r} is not complete: it needs year, month and day, for example '{FORM_EXAMPLE}' or "
            "'MM/DD/YYYY hh:mm a'"
        )
        raise ConfigurationError(msg)
    if "hour" in parts:
        for name in ("second", "fraction", "half", "unit"):
            pattern += f"(?P<{name}>(?!))?" if name not in parts else ""
        # Many programs add seconds that are zero.
        pattern = pattern.replace("(?P<second>(?!))?", "(?::(?P<second>00))?", 1) if "half" not in parts else pattern
    else:
        pattern += _TAIL
    return DateForm(
        text.strip(BLANKS), re.compile(pattern, re.IGNORECASE), next(iter(parts)) == "year", "hour" in parts
    )


def _fragment(token: str, *, after_hour: bool) -> tuple[str, str]:
    """Return which part of a date a token is, and what fits it; ``("", …)`` for the signs between the parts."""
    low = token.lower()
    if low in _TOKENS:
        return _TOKENS[low]
    # An mm behind the hour is the minutes; an h there is the sign of the French clock, 14h05.
    if low in ("mm", "m"):
        return ("minute", "(?P<minute>[0-9]{2})") if after_hour else ("month", "(?P<month>[0-9]{1,2})")
    if low in ("hh", "h"):
        return ("", "h") if after_hour else ("hour", "(?P<hour>[0-9]{1,2})")
    if token.isspace():
        return "", rf"{_GAP}*"
    return "", re.escape(token[1:-1] if len(token) > 1 else token)


_TOKENS = {
    "yyyy": ("year", "(?P<year>[0-9]{4})"),
    "yy": ("year", "(?P<year>[0-9]{2})"),
    "mmmm": ("month", f"(?P<word>{_MONTH_WORD})"),
    "mmm": ("month", f"(?P<word>{_MONTH_WORD})\\.?"),
    **dict.fromkeys(("dd", "d"), ("day", "(?P<day>[0-9]{1,2})")),
    **dict.fromkeys(("dddd", "ddd", "eeee", "eee"), ("weekday", _WEEKDAY_WORD)),
    **dict.fromkeys(("ss", "s"), ("second", "(?P<second>[0-9]{2})")),
    **dict.fromkeys(("zz", "z", "xxx"), ("offset", _OFFSET)),
    "a": ("half", r"(?P<half>[ap])\.?m\.?"),
}
"""Letters of a form → the part of a date that they stand for, and a pattern of it."""


def joined(day: str, clock: str) -> str:
    """Return date and time of day from two columns as one text."""
    return f"{day.strip(BLANKS)} {clock.strip(BLANKS)}".strip()
