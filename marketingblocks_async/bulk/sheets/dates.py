"""Dates as other programs write them, read one way for a whole column.

``03/04/2027`` is a day in March or in April, and nothing in the cell says which. So a form is never guessed cell by
cell: either it is given (``DD/MM/YYYY hh:mm a``), or the whole column is looked through first, and only a form that
every date fits is taken. Dates that begin with the year, and months that are written as words, need no decision.

What is read here becomes the one text that the rest of the package knows, ``YYYY-MM-DD HH:MM`` with an offset if the
cell has one. Whether that time exists in its zone is checked there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
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

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_MONTH_OF = {name[:length]: number for number, name in enumerate(_MONTHS, 1) for length in (3, len(name))} | {"sept": 9}
_MONTH_WORD = "|".join(sorted(_MONTH_OF, key=len, reverse=True))
_WEEKDAY_WORD = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?"
_GAP = r"[\s\u00a0\u202f]"

_CLOCK = (
    rf"(?P<hour>[0-9]{{1,2}})(?:[:.h](?P<minute>[0-9]{{2}})(?:[:.](?P<second>[0-9]{{2}})(?:[.,](?P<fraction>[0-9]{{1,9}}))?)?)?"
    rf"(?:{_GAP}*(?P<half>[ap])\.?{_GAP}?m\.?)?"
)
# "GMT+1" in brackets is how Notion writes it.
_OFFSET = (
    r"\(?(?P<offset>[Zz]|(?:UTC|GMT)?[+\u2212-][0-9]{2}:?[0-9]{2}|(?:UTC|GMT)[+\u2212-][0-9]{1,2}(?::[0-9]{2})?"
    r"|UTC|GMT)\)?"
)
_TAIL = rf"(?:(?:{_GAP}*[Tt,]{_GAP}*|{_GAP}+(?:at{_GAP}+|[-\u2013]{_GAP}+)?){_CLOCK}(?:{_GAP}*{_OFFSET})?)?"
_BEGIN = rf"(?:{_WEEKDAY_WORD}[.,]?{_GAP}+)?"

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
    rf"{_BEGIN}(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)?[-. ]{_GAP}*(?P<word>{_MONTH_WORD})[-.,]?{_GAP}*"
    rf"(?P<year>[0-9]{{4}}|[0-9]{{2}}){_TAIL}",
    re.IGNORECASE,
)
_WORD_DAY = re.compile(
    rf"{_BEGIN}(?P<word>{_MONTH_WORD})\.?{_GAP}+(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)?,?{_GAP}+(?P<year>[0-9]{{4}}){_TAIL}",
    re.IGNORECASE,
)
_HALF_DAY = re.compile(rf"[ap]\.?{_GAP}?m\.?$|{_GAP}[0-9]:", re.IGNORECASE)
_T = re.compile("[0-9]T[0-9]", re.IGNORECASE)
_CLOCK_ONLY = re.compile(_CLOCK, re.IGNORECASE)


class Order(Enum):
    """The order of day and month in a date; messages show the value."""

    DAY_FIRST = "DD/MM/YYYY"
    MONTH_FIRST = "MM/DD/YYYY"

    @property
    def words(self) -> str:
        """The name of the order in messages."""
        return "day first" if self is Order.DAY_FIRST else "month first"


class _Reading(NamedTuple):
    """The meaning of one cell, before the order of day and month is known."""

    orders: dict[Order | None, date]
    """The days that it can be; under ``None`` if there is no doubt."""
    clock: str
    """``HH:MM`` with seconds if there are any, empty if the cell has no time of day."""
    halved: bool
    """Whether ``AM`` or ``PM`` is written."""
    either: bool
    """Whether the hour could belong to a clock of 12 hours whose ``AM`` or ``PM`` is missing."""
    offset: str


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
    if found["minute"] is None and not half:
        return None
    if half and not 1 <= hour <= 12:
        return None
    shown = hour % 12 + (12 if half == "p" else 0) if half else hour
    minute = int(found["minute"] or 0)
    second = found["second"] or "00"
    if shown > 23 or minute > 59 or int(second) > 59:
        return None
    seconds = "" if second == "00" and not (found["fraction"] or "").strip("0") else f":{second}"
    return f"{shown:02}:{minute:02}{seconds}", bool(half), not half and 1 <= hour <= 12


@lru_cache(maxsize=256)
def _readings(text: str) -> _Reading | None:
    """Return what a text can mean, ``None`` if it is no date of a known form."""
    days: dict[Order | None, date] = {}
    if found := _YEAR_FIRST.fullmatch(text):
        days = _only(_day(found["year"], int(found["month"]), int(found["day"])))
    elif found := _DAY_WORD.fullmatch(text) or _WORD_DAY.fullmatch(text):
        days = _only(_day(found["year"], _MONTH_OF[found["word"].lower()], int(found["day"])))
    elif found := _YEAR_LAST.fullmatch(text):
        first, second, year = int(found["first"]), int(found["second_number"]), found["year"]
        if day := _day(year, second, first):
            days[Order.DAY_FIRST] = day
        if day := _day(year, first, second):
            days[Order.MONTH_FIRST] = day
        if found["sign"] == ".":
            # No country writes the month first and dots between the numbers.
            days = _only(days.get(Order.DAY_FIRST))
        elif len(set(days.values())) == 1 and len(days) == 2:
            # The third of March is the same either way.
            days = _only(days[Order.DAY_FIRST])
    if found is None or not days or (clock := _clock(found)) is None:
        return None
    shown, halved, either = clock
    # With an offset, or a T before the hour, it is a program that wrote it, and programs use the clock of 24 hours.
    either = either and not found["offset"] and not _T.search(text)
    return _Reading(days, shown, halved, either, _offset(found["offset"]))


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
    reading = _readings(text) if len(text) <= LONGEST_DATE else None
    return ":" in text or (reading is not None and bool(reading.clock))


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


class DateColumn:
    """Reads the dates of one column, once it is known how they are written.

    Args:
        forms: the forms that are given, in the notation of ``compile_form()``; the first that fits is taken. Without
            any, ``look()`` at every cell of the column before the first ``read()``.
        words: how errors name the options.

    Raises:
        ConfigurationError: a form has no such notation.

    """

    def __init__(self, forms: Sequence[str] = (), words: Words = PYTHON) -> None:
        self._words = words
        self._forms = [compile_form(form) for form in forms]
        self._only: dict[Order, tuple[str, int | None]] = {}
        self._both: tuple[str, int | None] | None = None
        # The first time with AM or PM, and the first one that was read without them and may lack them.
        self._halved: tuple[str, int | None] | None = None
        self._not_halved: tuple[str, int | None] | None = None

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
        reading = _readings(text) if 0 < len(text) <= LONGEST_DATE else None
        if reading is None:
            return
        if reading.halved and self._halved is None:
            self._halved = text, line
        if None in reading.orders:
            return
        if len(reading.orders) == 1:
            order = next(iter(reading.orders))
            if order is not None:
                self._only.setdefault(order, (text, line))
        elif self._both is None:
            self._both = text, line

    def describe(self) -> str | None:
        """Return how the column was understood and why, for people; ``None`` if there was nothing to decide."""
        if self._forms:
            return " or ".join(form.text for form in self._forms)
        clock = ""
        if self._halved is not None:
            clock = f", 12-hour clock (`{visible(self._halved[0])}`{_at(self._halved[1])})"
        order = self._order()
        if order is not None:
            text, line = self._only[order]
            return f"{order.value}: `{visible(text)}`{_at(line)} only fits {order.words}{clock}"
        return f"year first or months as words{clock}" if clock and not self._only and self._both is None else None

    def knows(self, text: str) -> bool:
        """Tell whether a cell is a date at all, so that ``read()`` can say what is wrong with it."""
        text = text.strip(BLANKS)
        return bool(self._forms) or (len(text) <= LONGEST_DATE and _readings(text) is not None)

    def read(self, text: str, line: int | None = None) -> str:
        """Return the point in time that a cell says.

        Args:
            text: the cell.
            line: its line, for the messages about later cells.

        Returns:
            ``YYYY-MM-DD``, with `` HH:MM`` if the cell has a time of day and an offset if it has one.

        Raises:
            CellError: it says none, or not clearly.

        """
        text = text.strip(BLANKS)
        for form in self._forms:
            if (found := form.read(text)) is not None:
                self._check_half(text, line, halved=found.halved, either=found.either)
                return found.text
        reading = _readings(text) if len(text) <= LONGEST_DATE else None
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
        day = self._decided(reading, text)
        self._check_half(text, line, halved=reading.halved, either=reading.either)
        return f"{day.isoformat()} {reading.clock}{reading.offset}" if reading.clock else day.isoformat()

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

    def _order(self) -> Order | None:
        return next(iter(self._only)) if len(self._only) == 1 else None

    def _decided(self, reading: _Reading, text: str) -> date:
        if None in reading.orders:
            return reading.orders[None]
        order = self._order()
        if order is None and self._only:
            shown = " and ".join(
                f"`{visible(example)}`{_at(line)} only fits {each.words}"
                for each, (example, line) in self._only.items()
            )
            msg = f"the dates of this column contradict each other: {shown}; {self._say_which()}"
            raise CellError(msg)
        if order is None:
            # The same words for every row: it is one fault of the column.
            example = visible(self._both[0]) if self._both else visible(text)
            msg = f"day and month cannot be told apart in this column (`{example}`); {self._say_which()}"
            raise CellError(msg)
        return reading.orders[order]

    def _does_not_fit(self, text: str) -> str:
        forms = " or ".join(form.text for form in self._forms)
        return f'"{visible(text)}" does not fit the form {forms}; correct it, or change the form of the dates'

    def _say_which(self) -> str:
        either = " or ".join(self._words.date_format(order.value) for order in Order)
        return f"say which with {either}, or write the dates as YYYY-MM-DD HH:MM"


def _at(line: int | None) -> str:
    return "" if line is None else f" in line {line}"


def read_clock(text: str) -> str | None:
    """Return the time of day that a text says, as ``HH:MM`` with seconds if there are any; ``None`` if it says none."""
    found = _CLOCK_ONLY.fullmatch(text.strip(BLANKS))
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
        found = self.pattern.fullmatch(text)
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
        return _Found(shown, clock[1] and not self.has_clock, either)


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
    given = text.strip(BLANKS)
    for directive, token in _DIRECTIVES.items():
        given = given.replace(directive, token)
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
        for name in ("second", "fraction", "half"):
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
