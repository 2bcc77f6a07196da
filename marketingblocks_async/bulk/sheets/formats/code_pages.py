"""Recognise text in cp1252, which Excel in Western Europe and America writes into a plain CSV.

Almost any bytes can be read as cp1252, so the file has to look like it: texts in another code page become signs in the
middle of words, capitals in the middle of words, or long runs of accented letters. Then the file is refused, and its
encoding has to be said, since what is read here is published.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import NamedTuple

CP1252 = "cp1252"

_BUFFER = 2**18

UNLIKELY_IN_CP1252 = re.compile(
    # A sign between two letters; the apostrophes, dashes and dots of real words are not among these.
    "[A-Za-z\u00c0-\u024f][\u00a1-\u00a9\u00ac\u00ae-\u00b6\u00b8-\u00bf\u00d7\u00f7\u201a\u201e\u2020-\u2021\u2030\u02c6\u02dc]"
    "[A-Za-z\u00c0-\u024f]"
    # A capital with an accent after a small letter, and signs that the é, ü, à, á and É of a Mac become.
    "|[a-z\u00df-\u00ff][\u00c0-\u00d6\u00d8-\u00de\u0160\u017d\u0152\u0178]|[\u0178\u02c6]|[A-Za-z][\u2021\u0192]"
    # Brackets and the like behind a character that is not ASCII, as two bytes of East Asian texts look.
    "|[\u0080-\uffff][{|}~@\\\\^`\\[\\]]"
    # More letters with accents in a row than a Western word has.
    "|[\u00c0-\u00ff\u0160\u0161\u017d\u017e\u0152\u0153\u0178]{3}"
    # Signs where the words of ISO 8859-2 and 8859-15 have letters; m\u00b3, ft\u00b3 and \u00b15 are none.
    "|\u00a4|\u00ac[A-Za-z\u00c0-\u00ff]|\u00b3[a-z\u00b1]|[a-z]\u00b1(?![0-9])|\u00b1[a-z]|\u00bd(?:uv|uf|il)"
    # Where no Western word has them: what ł and ś (Polish), ş and ă (Romanian), č, ě and ů (Czech, Slovene) become.
    "|\u0153(?![a-z\u00df-\u00ff])|(?<![0-9A-Za-z])\u00ba[a-z]"
    "|\u00e3[a-df-hj-npqrtv-y]|\u00e8[aeiou]|[\u00ec\u00f9][a-z\u00df-\u00ff]"
)
"""What a text in cp1252 hardly has, and texts in other code pages become."""
_THIRD = re.compile("[a-ce-lo-su-wz]\u00b3")
"""What a Polish word with \u0142 at its end becomes; or a third footnote.

There is a second footnote before the third, and no code page of Poland has the sign \u00b2.
"""

_FOREIGN = (
    # What ş and ğ of Turkish become; Icelandic has these letters together with others.
    (
        frozenset("\u00fe\u00f0\u00fd\u00de\u00d0\u00dd"),
        frozenset("\u00e1\u00ed\u00f3\u00fa\u00e6\u00c1\u00cd\u00d3\u00da\u00c6"),
    ),
    # What the Hungarian ő becomes; Portuguese and Estonian have it together with others.
    (
        frozenset("\u00f5\u00d5"),
        frozenset("\u00e0\u00e2\u00e3\u00e4\u00e7\u00ea\u00f4\u00c2\u00c3\u00c4\u00c7\u00ca\u00d4"),
    ),
)
"""Letters, and those of which a text in cp1252 with one of them has one as well."""

_UTF_8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
"""Bytes that are one character in UTF-8, and hardly ever several in cp1252."""

_HIGH = re.compile(rb"[\x80-\xff]")
# With a bound on what is before: a search that goes through a long word from each of its letters takes hours.
_WORD = re.compile(r"[^\s,;|\"]{0,15}[^\x00-\x7f][^\s,;|\"]{0,15}")


class Recognised(NamedTuple):
    """A word with a character that is not ASCII, which shows how a text that is not UTF-8 is read."""

    example: str
    line: int


def is_utf_8(path: Path) -> bool:
    """Tell whether all of a file is UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    with path.open("rb") as file:
        try:
            while chunk := file.read(_BUFFER):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def recognise_cp1252(path: Path) -> Recognised | None:
    """Return a word of a file that is plainly cp1252; ``None`` if it may be something else."""
    found: Recognised | None = None
    line = 1
    high = in_utf_8 = 0
    rest = ""
    ends: set[bytes] = set()
    letters: set[str] = set()
    has_third = False
    with path.open("rb") as file:
        while chunk := file.read(_BUFFER):
            ends.update(sign for sign in (b"\r", b"\n") if sign in chunk)
            high += len(_HIGH.findall(chunk))
            in_utf_8 += sum(map(len, _UTF_8.findall(chunk)))
            try:
                text = rest + chunk.decode(CP1252)
            except UnicodeDecodeError:
                return None
            letters.update(text)
            # What the patterns find is not ASCII, and to look for it takes half a second a megabyte.
            foreign = not text.isascii()
            if (foreign and UNLIKELY_IN_CP1252.search(text)) or any(
                sign < " " and sign not in "\t\r\n\x0b\x0c" for sign in letters
            ):
                return None
            if foreign:
                has_third = has_third or _THIRD.search(text) is not None
                if found is None and (word := _WORD.search(text)):
                    found = Recognised(word[0], line + text.count("\n", 0, word.start()))
            # A word may lie across two chunks.
            rest = text[-3:]
            line += text.count("\n") - rest.count("\n")
    if has_third and "\u00b2" not in letters:
        return None
    if any(letters & some and not letters & others for some, others in _FOREIGN):
        return None
    if ends == {b"\r"}:
        # Only a Mac ends lines like this, and it has a code page of its own.
        return None
    # A text in UTF-8 of which a part was damaged is still one in UTF-8.
    return found if in_utf_8 * 2 < high else None
