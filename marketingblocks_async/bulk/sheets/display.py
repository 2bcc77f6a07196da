"""Show texts and cells in messages: short, on one line, and safe to print."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import date, time, timedelta

VALUE_LENGTH = 80
"""Characters of a cell that an error shows."""

# Joiners hold emoji together and cannot move or hide anything on a terminal.
_HARMLESS_FORMAT_CHARACTERS = "\u200c\u200d"
_INVISIBLE_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def visible(text: str, length: int = VALUE_LENGTH) -> str:
    """Return ``text`` as one line of at most ``length`` characters that is safe to print and to encode.

    White space is collapsed, and characters that cannot be seen or written (control characters, direction marks, half
    surrogate pairs) are shown as their number, for example ``<U+0000>``.
    """
    # Only the head: a cell may be many MiB.
    shown = " ".join("".join(_visible_character(character) for character in text[: length * 2]).split())
    return shown if len(shown) <= length and len(text) <= length * 2 else f"{shown[: length - 1]}…"


def _visible_character(character: str) -> str:
    if character in "\t\n\r\u00a0":
        return " "
    if unicodedata.category(character) in _INVISIBLE_CATEGORIES and character not in _HARMLESS_FORMAT_CHARACTERS:
        return f"<U+{ord(character):04X}>"
    return character


def readable(value: object) -> str:
    """Return a cell's value as errors show it: short, on one line, and empty for an empty cell."""
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
