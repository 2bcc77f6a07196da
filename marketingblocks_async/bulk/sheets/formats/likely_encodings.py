"""Find out which encodings a text may be in, to name them in an error, or to doubt the one that was given.

Each encoding is judged by the words that it makes of the bytes. They should be of one script, without signs and
capitals in their middle, and of characters that are not rare. Nothing is read in an encoding that was found like this:
the error shows some words in each of them, and the user says which one is right.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from .code_pages import UNLIKELY_IN_CP1252

_SAMPLE = 2**16
"""Bytes of lines with characters that are not ASCII, which are looked at."""

_MOST_READ = 2**26
_LINE = 2**16

_CANDIDATES = (
    "utf-8", "cp932", "cp949", "big5", "gb18030", "cp1252", "cp1251", "cp1250", "cp1254", "cp1253", "cp1257", "cp1255",
    "cp1256", "mac_roman", "koi8_r", "cp874",
)  # fmt: skip
"""Encodings that spreadsheet programs write; of those that fit equally well, the first one is named first."""

_LIKELY = 0.85
"""Share of good words in an encoding that an error names."""

_UNLIKELY = 0.5
_UNLIKELY_OF_MANY = 0.75
_MANY = 8
"""Share of good words, of a few and of many, below which a given encoding is refused if another one is likely."""

_NEARLY_AS_GOOD = 0.1
_MOST_NAMED = 4
_EXAMPLE = 24
_EXAMPLES = 3


class Likely(NamedTuple):
    """An encoding, the share of words that look right in it, some of its words, and how many there are."""

    encoding: str
    share: float
    example: str
    words: int


_WORD = re.compile(r"[\w'\x80-\U0010ffff-]*[^\s\x00-\x7f][\w'\x80-\U0010ffff-]*")
_QUOTES = "'\u2018\u2019\u2010-\u2014\u201c\u201d\\-"
_TYPOGRAPHY = f"{_QUOTES}\u201a-\u201e\u2026\u2039\u203a\u00ab\u00bb\u00a1\u00bf\u2022\u00b7\u00a0"
"""Signs that texts have in any language; they tell right words from wrong ones."""

_AT_ENDS = re.compile(
    f"[{_TYPOGRAPHY}\u2122\u00ae\u00a9\u00b0\u00a7\u20ac\u00a3\u00a5\u00b2\u00b3\u00bd\u00bc\u00be\u00d7\u2116\u00b1"
    "\u3000-\u3004\u3008-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff60\u30fb]+"
)
_BETWEEN_PARTS = re.compile(f"[{_QUOTES}\u3001\u3002\u30fb\uff01-\uff0f\uff1a-\uff20\u3008-\u3011\u2026\\d_]+")
_CASELESS = ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "FULLWIDTH")
_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "HEBREW", "ARABIC", "THAI", *_CASELESS)
_INSIDE_LATIN = re.compile("[A-Za-z][^\x00-\x7f]{1,2}[a-z]")
_WESTERN = ("cp1252", "latin-1", "iso8859-1", "iso-8859-1")
_LONG_RUN = re.compile("[\u00c0-\u024f]{4}|[\u00c0-\u00ff]{3}")
_IN_NO_WORD = re.compile("\u03c2(?=\\w)|[\u05da\u05dd\u05df\u05e3\u05e5](?=\\w)|\\b[\u044a\u044c\u044b\u042a\u042c]")
"""Letters that stand at the end of a Greek or Hebrew word only, or never begin a Russian one."""


def likely_encodings(path: Path, without: str = "") -> list[Likely]:
    """Return the encodings that a text may be in, the best one first; empty if none fits well.

    Args:
        path: the file.
        without: an encoding that is known not to be the one.

    """
    sample = _sample(path)
    found = [each for name in _CANDIDATES if name != without and (each := _judged(sample, name)) is not None]
    found.sort(key=lambda each: -each.share)
    best = found[0].share if found else 0
    near = [each for each in found if each.share >= max(_LIKELY, best - _NEARLY_AS_GOOD)]
    # Code pages that make the same words are not worth a choice.
    once = {each.example: each for each in reversed(near)}
    return [each for each in near if once[each.example] is each][:_MOST_NAMED]


def better_than(path: Path, given: str) -> tuple[str, list[Likely]] | None:
    """Return a word in the encoding that was given, and better encodings; ``None`` if the given one may be right."""
    now = _judged(_sample(path), given)
    if now is None or now.share >= (_UNLIKELY_OF_MANY if now.words >= _MANY else _UNLIKELY):
        return None
    better = likely_encodings(path, without=given)
    return (now.example, better) if better else None


def _sample(path: Path) -> bytes:
    """Return the first lines of a file that have characters which are not ASCII."""
    lines: list[bytes] = []
    size = read = 0
    with path.open("rb") as file:
        while size < _SAMPLE and read < _MOST_READ and (line := file.readline(_LINE)):
            read += len(line)
            if not line.isascii():
                lines.append(line)
                size += len(line)
    return b"".join(lines)


def _judged(sample: bytes, encoding: str) -> Likely | None:
    """Return how good the words are that an encoding makes; ``None`` if the bytes are not in it, or have no words."""
    try:
        text = sample.decode(encoding)
    except UnicodeDecodeError as exc:
        # The last line of the sample may be cut.
        if len(sample) < _SAMPLE or exc.start < len(sample) - 4:
            return None
        text = sample[: exc.start].decode(encoding)
    words = _WORD.findall(text)
    judged = [(word, good) for word in words if (good := _is_good(word, encoding)) is not None]
    if not judged:
        return None
    share = sum(len(word) for word, good in judged if good) / sum(len(word) for word, _ in judged)
    shown = dict.fromkeys(word[:_EXAMPLE] for word, _ in judged)
    return Likely(encoding, share, " ".join(islice(shown, _EXAMPLES)), len(judged))


def _is_good(word: str, encoding: str) -> bool | None:
    """Tell whether a word looks right; ``None`` if it does not tell."""
    if any("\x80" <= each <= "\x9f" for each in word) or word[-1] in "\u00a1\u00bf":
        return False
    has_typography = any(not each.isascii() and each in _TYPOGRAPHY for each in word)
    # Emoji say nothing.
    plain = "".join(each for each in word if not (each > "\uffff" or each in "\u200d\ufe0f"))
    parts = [part for part in _BETWEEN_PARTS.split(_without_ends(plain)) if part]
    judged = [part for part in parts if not part.isascii()]
    if not judged:
        return True if has_typography and parts else None
    if encoding in _WESTERN and UNLIKELY_IN_CP1252.search(word):
        return False
    return all(_is_word(part, encoding) for part in judged)


def _without_ends(word: str) -> str:
    first, last = _AT_ENDS.match(word), 0
    word = word[first.end() if first else 0 :]
    while last < len(word) and _AT_ENDS.match(word[-1 - last]):
        last += 1
    return word[: len(word) - last]


def _is_word(part: str, encoding: str) -> bool:
    kinds = [unicodedata.category(each)[0] for each in part]
    if set(kinds) - {"L", "M"} or kinds[0] == "M":
        return False
    scripts = {_script(each) for each in part}
    if not scripts.isdisjoint(_CASELESS):
        # Products and hash tags have Latin letters beside those of East Asia.
        is_usual = scripts <= {*_CASELESS, "LATIN"} and all(_is_common(each, encoding) for each in part)
        return is_usual and _INSIDE_LATIN.search(part) is None
    return (
        len(scripts) == 1
        and "" not in scripts
        and _LONG_RUN.search(part) is None
        and _IN_NO_WORD.search(part) is None
        and not any(_is_odd_capital(part, index) for index in range(1, len(part)))
    )


def _is_odd_capital(part: str, index: int) -> bool:
    """Tell whether a letter is a capital with small ones before or behind it; "McDonald" and "iPhone" are words."""
    letter = part[index]
    return not letter.isascii() and letter.isupper() and (part[index - 1].islower() or part[index + 1 :][:1].islower())


@lru_cache(maxsize=16384)
def _script(character: str) -> str:
    first = unicodedata.name(character, "").split(" ", 1)[0]
    return first if first in _SCRIPTS else ""


@lru_cache(maxsize=16384)
def _is_common(character: str, encoding: str) -> bool:
    """Tell whether a character of East Asia is one of the usual ones of the encoding."""
    script = _script(character)
    if script in ("LATIN", "FULLWIDTH"):
        return True
    try:
        coded = character.encode("gb2312" if encoding == "gb18030" else "euc_kr" if encoding == "cp949" else encoding)
    except UnicodeEncodeError:
        return False
    if encoding == "cp932":
        # One byte is a narrow letter of the katakana, which texts hardly have.
        return len(coded) == 2 and (script != "CJK" or 0x88 <= coded[0] <= 0x97)
    if encoding == "cp949":
        return script == "HANGUL"
    # The usual characters come first in the Chinese encodings.
    first, last = {"gb18030": (0xB0, 0xD7), "big5": (0xA4, 0xC6)}.get(encoding, (0, 0xFF))
    return script == "CJK" and first <= coded[0] <= last if encoding != "utf-8" else True
