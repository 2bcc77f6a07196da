"""What can be wrong with a file of posts, in words for the person who made the file."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, time, timedelta
from typing import TYPE_CHECKING, Any

from marketingblocks_async.bulk.errors import BulkError

if TYPE_CHECKING:
    from marketingblocks_async.bulk.plan import Plan

VALUE_LENGTH = 80
"""How many characters of a cell an error shows."""

# Joiners hold emoji together and cannot move or hide anything on a terminal.
_HARMLESS_FORMAT_CHARACTERS = "\u200c\u200d"
_INVISIBLE_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def visible(text: str, length: int = VALUE_LENGTH) -> str:
    """Return ``text`` as one line that is safe to print and to encode.

    White space is collapsed, and characters that cannot be seen or written (control characters, direction marks, half
    surrogate pairs) are shown as their number, for example ``<U+0000>``.

    Args:
        text: any text.
        length: the longest result; a longer one ends in ``…``.

    """
    # Only the head is looked at: a cell may be many MiB.
    shown = " ".join("".join(_visible_character(character) for character in text[: length * 2]).split())
    return shown if len(shown) <= length and len(text) <= length * 2 else f"{shown[: length - 1]}…"


def _visible_character(character: str) -> str:
    if character in "\t\n\r\u00a0":
        return " "
    if unicodedata.category(character) in _INVISIBLE_CATEGORIES and character not in _HARMLESS_FORMAT_CHARACTERS:
        return f"<U+{ord(character):04X}>"
    return character


def readable(value: object) -> str:
    """Return what an error shows of a cell's ``value``: short, on one line, and empty if there is nothing.

    Args:
        value: what the cell holds, of whatever type.

    """
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int) and value.bit_length() > VALUE_LENGTH * 4:
        # Python refuses to print integers of more than 4300 digits.
        return "a very long number"
    if isinstance(value, Mapping):
        return "{…}"
    if isinstance(value, list | tuple | set | frozenset):
        return "[…]"
    is_plain = isinstance(value, str | int | float | date | time | timedelta)
    shown = str(value) if is_plain else getattr(value, "shown", None)
    if value is None or isinstance(shown, str):
        return visible(shown or "")
    return f"({type(value).__name__})"


@dataclass(frozen=True, slots=True)
class RowError:
    """One thing that is wrong with one row, and what to change.

    Attributes:
        row: number of the data row, from 1; ``None`` if it is about the file's header.
        column: name of the column as the file spells it; the field's name if the file has no such column; empty if it
            is about the row as a whole.
        value: what the cell holds, cut to a readable length; empty if it is empty.
        message: what to change.
        file: the file as it was given; empty if the rows come from elsewhere.
        line: line of the text file or row of the sheet, from 1; ``None`` if there is none.

    """

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
        """Return where it is and what to change, on one line."""
        places = [
            self.file,
            f"line {self.line}" if self.line is not None else "",
            f"row {self.row}" if self.row is not None else "",
            f"column {self.column}" if self.column else "",
        ]
        return f"{', '.join(place for place in places if place)}: {self.message}".removeprefix(": ")


class SourceError(BulkError):
    """A file of posts that cannot be read on: there is no trusting what comes after the fault.

    Rows that were read before it may have been handed out already; nothing is to be sent from such a file.

    Attributes:
        message: what is wrong and what to do.
        file: the file as it was given.
        line: line of the text file or row of the sheet, from 1, ``None`` if that says nothing.
        errors: what is wrong with the header, one for each column; empty for other faults.
        plan: if a plan was being made, the incomplete plan of what was read, which ends with this error; else ``None``.

    """

    def __init__(
        self, message: str, *, file: str = "", line: int | None = None, errors: Sequence[RowError] = ()
    ) -> None:
        """Keep the message and where the fault is; all but the message is optional so that pickling works."""
        super().__init__(message)
        self.file = file
        self.line = line
        self.errors: tuple[RowError, ...] = tuple(errors)
        self.plan: Plan | None = None

    @property
    def message(self) -> str:
        """What is wrong and what to do, without the place."""
        return str(self.args[0])

    def __str__(self) -> str:
        place = ", ".join(part for part in (self.file, f"line {self.line}" if self.line else "") if part)
        return f"{place}: {self.message}" if place else self.message
