"""Read the value of one field from one cell: exactly, or not at all.

A spreadsheet changes what people type: it groups digits, rounds long numbers, turns text into dates. A cell that could
mean two things is refused with a ``CellError`` that says what to write instead. Nothing is guessed, because the
result is published.

Every reader here takes the cell and returns the field's value, or ``None`` if the cell is empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any, TypeAlias, cast

from pydantic import BaseModel

from marketingblocks_async.models import ChannelType, PostType
from marketingblocks_async.models.schedule import read_moment

from .display import readable, visible
from .json_text import JsonError, load_json
from .placeholders import instruction_in
from .spellings import PLATFORMS, POST_TYPES, is_doubtful, spelled
from .words import PYTHON, Words

CellReader: TypeAlias = Callable[[object], Any]

BLANKS = (
    " \t\n\r\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u2028\u2029\u202f"
    "\u205f\u2060\u3000\ufeff"
)
"""Characters that are removed from both ends of a cell: white space, and invisible ones from copied web pages.

``str.strip()`` would also remove control characters, which have to be reported.
"""

FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters other than tab and line ends, and halves of surrogate pairs: they were not typed."""

EXACT_SPREADSHEET_NUMBER = 10**15
"""Spreadsheets keep 15 digits of a number, and silently turn the others into zeros."""

EXACT_FLOAT = 2**53

SPREADSHEET_ERRORS = frozenset({
    "#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!",
    "#GETTING_DATA", "#ERROR!",
    # German, French, Spanish, Italian, Portuguese, Dutch, Polish, Swedish, Russian.
    "#NV", "#BEZUG!", "#WERT!", "#ZAHL!", "#ÜBERLAUF!", "#KALK!",
    "#VALEUR!", "#NOM?", "#NOMBRE!", "#NUL!", "#PROPAGATION!",
    "#N/D", "#¡REF!", "#¡VALOR!", "#¿NOMBRE?", "#¡DIV/0!", "#¡NUM!", "#¡NULO!",
    "#N/D!", "#RIF!", "#VALORE!", "#NOME?", "#NULLO!",
    "#VALOR!", "#NÚM!", "#NULO!",
    "#N/B", "#VERW!", "#WAARDE!", "#NAAM?", "#GETAL!", "#LEEG!", "#DEEL/0!",
    "#ADR!", "#ARG!", "#NAZWA?", "#LICZBA!", "#ZERO!", "#DZIEL/0!",
    "#SAKNAS!", "#REFERENS!", "#VÄRDEFEL!", "#NAMN?", "#OGILTIGT!", "#DIVISION/0!",
    "#Н/Д", "#ССЫЛКА!", "#ЗНАЧ!", "#ИМЯ?", "#ДЕЛ/0!", "#ЧИСЛО!", "#ПУСТО!",  # noqa: RUF001 - Cyrillic is meant
})  # fmt: skip
"""The texts that a spreadsheet shows and exports where a formula failed, in the languages of its program."""

CORRECT_MARK = "#CORRECT!"
"""Start of a cell of a file of failures that would look valid although the original is not, such as a formula."""

KEY_LENGTH = 255

TOO_LONG_NUMBER = "it is a number of thousands of digits, which cannot be sent"

_LONGEST_NUMBER = 13_000
"""Bits; Python writes down integers of up to 4300 digits."""

_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,3999})(?:\.0{1,20})?")
_GROUPED_NUMBER = re.compile(r"[+-]?[0-9]{1,3}(?:[.,'\u2019\s][0-9]{2,3})+(?:[.,][0-9]+)?")
_SCIENTIFIC_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]*)?[eE][+-]?[0-9]+")
_DAY_ONLY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAY_OR_MONTH_FIRST = re.compile(r"[0-9]{1,2}[./ -][0-9]{1,2}[./ -](?:[0-9]{4}|[0-9]{2})\b.*", re.DOTALL)
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_FURTHER_ADDRESS = re.compile(r"(?<=[\s,;|])https?://", re.IGNORECASE)
_ONE_ADDRESS = re.compile(r"(?:https?://\S+)?", re.IGNORECASE)

_WRITE_TIME_AS = "write it as YYYY-MM-DD HH:MM, for example 2027-01-08 14:30"


class CellError(ValueError):
    """A cell that cannot be used; the text says what to change."""


@dataclass(frozen=True, slots=True)
class SheetNumber:
    """A number in a cell of a workbook, as the sheet shows it if its format is understood.

    ``shown_plainly``: the sheet shows just its digits, not for example ``1,234`` or ``50 %``.
    """

    value: int | float
    shown_plainly: bool
    shown: str


class ExactText(str):
    """Text of a cell that is taken exactly: white space at its ends counts, it may be empty, and it is no list."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class UnusableCell:
    """A cell whose content cannot be posted, for example a formula.

    Attributes:
        shown: its content as errors show it.
        message: what to change.
        content: its whole content, for files that are to be corrected; ``None`` if ``shown`` is all of it.

    """

    shown: str
    message: str
    content: object = None


FOLLOWS = UnusableCell("", "")
"""A cell that cannot be used because of what is wrong with another; only that is told."""


def is_blank(value: object) -> bool:
    """Return whether a cell holds only white space."""
    return value is None or (isinstance(value, str) and not value.strip(BLANKS))


def cell_at(cells: Sequence[object], index: int | None) -> object:
    """Return the cell at ``index``; ``None`` if it is blank, or the row has no such cell."""
    cell = cells[index] if index is not None and 0 <= index < len(cells) else None
    return None if is_blank(cell) else cell


def check_characters(value: object) -> None:
    """Refuse characters that cannot be part of a post, anywhere inside ``value``.

    Raises:
        CellError: there is a control character other than tab and line ends, or half a surrogate pair.

    """
    # No recursion, since the file decides how deep the value is.
    pending: list[Any] = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if found := FORBIDDEN.search(item):
                raise CellError(_forbidden_message(found.group()))
        elif isinstance(item, dict):
            pending += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple | set | frozenset):
            pending += item
        elif isinstance(item, BaseModel):
            pending.append(dict(item))


def _forbidden_message(character: str) -> str:
    name = visible(character)
    if "\ud800" <= character <= "\udfff":
        return f"half of a character is left ({name}), probably an emoji that was cut; type it again"
    if character >= "\x7f":
        return f"it holds the control character {name}; the file was probably read in the wrong encoding"
    return f"it holds the control character {name}, which cannot be published; delete it or type the text again"


def _text(value: object) -> str | None:
    """Return the text of a cell with its white space; ``None`` if it is empty."""
    match value:
        case None | ExactText():
            return value
        case str():
            if value[:1] == "#":
                _refuse_marks(value)
            return value
        case SheetNumber(value=int() as number, shown_plainly=True):
            return str(number)
        case SheetNumber():
            msg = (
                "it holds a number whose written form depends on the cell's format; format it as text and type it again"
            )
            raise CellError(msg)
        case UnusableCell():
            raise CellError(value.message)
        case bool():
            msg = "it holds the truth value TRUE or FALSE; format the cell as text and type it again"
            raise CellError(msg)
        case int() | float():
            msg = "it must be text, not a number; put it in quotes"
            raise CellError(msg)
        case date():
            msg = "it holds a date; a spreadsheet makes dates of what looks like one: format it as text, type it again"
            raise CellError(msg)
        case _:
            msg = f"it must be text, not {_kind(value)}"
            raise CellError(msg)


def _refuse_marks(text: str) -> None:
    if text in SPREADSHEET_ERRORS:
        msg = f"the spreadsheet shows the error {text} here; correct its formula or type the text"
        raise CellError(msg)
    if text.startswith(CORRECT_MARK):
        msg = f"it begins with {CORRECT_MARK}, so it still has to be corrected; replace the mark and the text behind it"
        raise CellError(msg)


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list | tuple | set | frozenset):
        return "a list"
    return f"a value of the type {type(value).__name__}"


def read_caption(value: object) -> str | None:
    """Return a text without the white space around it; an instruction in its place is refused."""
    text = read_text(value)
    if text and not isinstance(text, ExactText) and (message := instruction_in(text)) is not None:
        raise CellError(message)
    return text


def read_text(value: object) -> str | None:
    """Return a text without the white space around it."""
    text = _text(value)
    return text if isinstance(text, ExactText) else (text.strip(BLANKS) or None) if text else None


def read_key(value: object) -> str | None:
    """Return the text that identifies a row."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    text = str(read_whole_number(value)) if is_number else read_text(value)
    if text is not None and len(text) > KEY_LENGTH:
        msg = f"a key has at most {KEY_LENGTH} characters; this one has {len(text)}"
        raise CellError(msg)
    return text


def read_whole_number(value: object) -> int | None:
    """Return a whole number whose digits are all written out."""
    match value:
        case None:
            return None
        case int() if not isinstance(value, bool):
            if value.bit_length() > _LONGEST_NUMBER:
                raise CellError(TOO_LONG_NUMBER)
            return value
        case SheetNumber():
            if abs(value.value) >= EXACT_SPREADSHEET_NUMBER:
                msg = (
                    "a spreadsheet keeps only 15 digits of a number, so this one may have been changed; "
                    "format the cell as text and type it again"
                )
                raise CellError(msg)
            return _whole(value.value)
        case float():
            return _whole(value)
        case str():
            text = value.strip(BLANKS)
            if text.isdecimal() and text.isascii() and text[0] != "0" and len(text) < 4000:
                return int(text)
            return _number_of(text) if text else None
        case _:
            raise CellError(_not_a_number(value))


def _not_a_number(value: object) -> str:
    match value:
        case UnusableCell():
            return value.message
        case bool():
            return "give a whole number, not TRUE or FALSE"
        case date():
            return "give a whole number; the spreadsheet has made a date of it: format it as text and type it again"
        case _:
            return f"give a whole number, not {_kind(value)}"


def _whole(number: float) -> int:
    if isinstance(number, int):
        return number
    if not (number.is_integer() and abs(number) < EXACT_FLOAT):
        msg = f"give a whole number, not {number}"
        raise CellError(msg)
    return int(number)


def _number_of(text: str) -> int:
    if _PLAIN_NUMBER.fullmatch(text):
        # Python reads integers of up to 4300 digits.
        return int(text.partition(".")[0])
    if _SCIENTIFIC_NUMBER.fullmatch(text):
        msg = (
            "the spreadsheet has shortened this number and its last digits are lost; "
            "format the cell as text, type the number again and export it again"
        )
    elif _GROUPED_NUMBER.fullmatch(text):
        msg = "write the number without separators: digits only"
    elif text in SPREADSHEET_ERRORS:
        msg = f"the spreadsheet shows the error {text} here; correct its formula or type the number"
    elif _PLAIN_NUMBER.fullmatch(plain := text.lstrip("+0")):
        msg = f'a whole number begins with no zero and no plus sign; write {plain} instead of "{visible(text)}"'
    else:
        msg = f'"{visible(text)}" is not a whole number; write digits only, for example 123'
        raise _WordsError(msg)
    raise CellError(msg)


class _WordsError(CellError):
    """A text stands where a number belongs, and was not meant as one."""


_CHANNEL_NAME = re.compile(r"""(?=.*[^\W\d_]{2})[^="\n]{2,60}""")
"""A text that can be the name of a channel, and stand in the option that says which one it is."""


def channel_id_reader(words: Words = PYTHON) -> CellReader:
    """Return the reader of the id of a channel, in whose place many files have its name."""

    def read(value: object) -> int | None:
        try:
            return read_whole_number(value)
        except _WordsError:
            name = str(value).strip(BLANKS)
            if not _CHANNEL_NAME.fullmatch(name):
                raise
            msg = (
                f'"{visible(name)}" is not the id of a channel; write its digits, for example 11, or say which channel '
                f"it is: {words.channel(f'{visible(name)}=facebook:11')}"
            )
            raise CellError(msg) from None

    return read


_NAME = re.compile(r"[\w /().&-]{1,40}")
"""The characters and the length of a platform's name; any other text was not meant as one."""


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None and not is_doubtful(text)


_USUAL: Mapping[type[StrEnum], Mapping[str, StrEnum]] = {ChannelType: PLATFORMS, PostType: POST_TYPES}


_BETWEEN_NAMES = re.compile(r"[,;|\n+&/]+")


def enum_reader(kind: type[StrEnum], words: Words = PYTHON) -> CellReader:
    """Return the reader of a field that takes the values of ``kind``; capitals, spaces and hyphens do not matter."""
    exact = {str(member.value): member for member in kind}
    loose = {_loose(name): member for name, member in exact.items()}
    # The common spellings of platforms and kinds of posts, "X" or "Reels".
    usual = {name: kind(member.value) for name, member in _USUAL.get(kind, {}).items()}

    def read(value: object) -> StrEnum | None:
        if isinstance(value, str):
            if member := exact.get(value):
                return member
            text = value.strip(BLANKS)
            if not text:
                return None
            if member := loose.get(_loose(text)) or (usual.get(spelled(text)) if _is_name(text) else None):
                return member
        elif value is None:
            return None
        elif isinstance(value, UnusableCell):
            raise CellError(value.message)
        msg = f'"{readable(value)}" is not one of: {", ".join(exact)}'
        if kind is ChannelType and isinstance(value, str):
            names = [spelled(name) for name in _BETWEEN_NAMES.split(value[:200])]
            if len(names) > 1 and all(name in usual for name in names):
                msg = (
                    "these are several platforms; write a row for each, or say "
                    f"{words.option('recipe', 'calendar')}, which makes a post for each"
                )
        raise CellError(msg)

    return read


def _loose(text: str) -> str:
    # Only differences that a keyboard or a spreadsheet makes by itself; any other spelling is another word.
    return text.lower().replace(" ", "_").replace("-", "_") if len(text) < 40 else text


def read_schedule_time(value: object) -> str | datetime | None:
    """Return a point in time: the documented text if it has no offset, else an aware ``datetime``.

    A ``datetime`` is returned as it is. A form in which day and month cannot be told apart is refused, and so are
    seconds, since the API has none.
    """
    match value:
        case datetime():
            return value
        case date():
            msg = f"it has no time of day; {_WRITE_TIME_AS}"
            raise CellError(msg)
        case time():
            msg = "it holds a time without a date; write YYYY-MM-DD HH:MM into one cell"
            raise CellError(msg)
        case None | str():
            text = (value or "").strip(BLANKS)
            return _moment_of(text) if text else None
        case UnusableCell():
            raise CellError(value.message)
        case _:
            msg = f'"{readable(value)}" is not a point in time; {_WRITE_TIME_AS}'
            raise CellError(msg)


def _moment_of(text: str) -> str | datetime:
    try:
        moment = read_moment(text)
    except ValueError as exc:
        raise CellError(str(exc)) from None
    if moment is None:
        raise CellError(_moment_message(text))
    return moment


def _moment_message(text: str) -> str:
    if _DAY_ONLY.fullmatch(text):
        return f"it has no time of day; {_WRITE_TIME_AS}"
    if _DAY_OR_MONTH_FIRST.fullmatch(text):
        return f"day and month cannot be told apart in this form; {_WRITE_TIME_AS}"
    if text in SPREADSHEET_ERRORS or not text.strip("#"):
        return (
            f"the spreadsheet shows no date here but {visible(text)}; correct it or widen the column, then export again"
        )
    return f'"{visible(text)}" is not a point in time that is clear to everyone; {_WRITE_TIME_AS}'


def media_reader(separator: str, words: Words = PYTHON) -> CellReader:
    """Return the reader of a list of addresses: text with ``separator`` between them, or a JSON array."""

    def read(value: object) -> Any:
        if isinstance(value, list | tuple):
            return value  # pyright: ignore[reportUnknownVariableType]  # the model checks the items
        text = read_text(value)
        if text is None:
            return None
        if text.startswith("["):
            return _json_cell(text, list, '["https://…", "https://…"]')
        addresses = [address for part in text.split(separator) if (address := part.strip(BLANKS))]
        for address in addresses:
            first = _ADDRESS.search(address)
            if first is not None and (further := _FURTHER_ADDRESS.search(address, first.end())) is not None:
                raise CellError(_several_addresses(address, further.start(), separator, words))
            if address[-1] in ",;":
                msg = f'"{visible(address)}" ends with "{address[-1]}"; delete that sign'
                raise CellError(msg)
        return addresses

    return read


def _several_addresses(text: str, further: int, separator: str, words: Words) -> str:
    """Return what is wrong with addresses of which a further one begins at ``further``."""
    before = text[:further].rstrip()[-1:]
    sign = before if before in ",;|" else " "
    # Without the addresses, so that all rows with this fault count as one.
    message = f"it looks like several addresses; put {separator} between them"
    # Only if it helps: between line ends, words or several kinds of signs it does not.
    if all(_ONE_ADDRESS.fullmatch(part.strip(BLANKS)) for part in text.split(sign)):
        option = words.option("list_separator", sign)
        message += f", or say what separates lists in this file: {option}"
    return f"{message} (a comma inside an address is written %2C)"


def tags_reader(separator: str) -> CellReader:
    """Return the reader of hash tags: text with ``separator`` between the tags, or the text that the API takes."""

    def read(value: object) -> Any:
        if isinstance(value, list | tuple | set | frozenset):
            tags = cast("Collection[object]", value)
            if not all(isinstance(tag, str | int) and not isinstance(tag, bool) for tag in tags):
                msg = "each hash tag must be text"
                raise CellError(msg)
            return tags
        text = read_text(value)
        if text is None or isinstance(text, ExactText) or separator not in text:
            return text
        return [tag for part in text.split(separator) if (tag := part.strip(BLANKS))] or None

    return read


def read_threads(value: object) -> Any:
    """Return the tweets of a thread, from a JSON array in one cell or from a list."""
    return _structure(value, list, '[{"message": "…", "media_urls": ["…"]}]')


def read_extra(value: object) -> Any:
    """Return ``post_extra``, from a JSON object in one cell or from a mapping."""
    return _structure(value, dict, '{"title": "…", "category": 22, "privacyStatus": "public"}')


def _structure(value: object, kind: type, example: str) -> Any:
    if value is None or not isinstance(value, str | bool | int | float | date | SheetNumber | UnusableCell):
        return value
    text = read_text(value)
    return None if text is None else _json_cell(text, kind, example)


def _json_cell(text: str, kind: type, example: str) -> Any:
    try:
        found = load_json(text)
    except JsonError as exc:
        msg = f"{exc}; write it as {example}"
        raise CellError(msg) from None
    if not isinstance(found, kind):
        msg = f"write it as {example}"
        raise CellError(msg)
    if CORRECT_MARK in text:
        # In a list of tweets, for example.
        msg = f"a text in it begins with {CORRECT_MARK}, so it still has to be corrected; replace the mark and the text"
        raise CellError(msg)
    return found
