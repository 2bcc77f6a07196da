"""Names that people and other programs give to platforms, to kinds of posts, and to yes and no.

Only spellings that can mean one thing are here. What a program means by a word of its own ("Feed", "Photo") is said by
its recipe.
"""

# ruff: noqa: RUF001 - words of many scripts
from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from marketingblocks_async.models import ChannelType, PostType

_PLATFORMS: dict[ChannelType, tuple[str, ...]] = {
    ChannelType.FACEBOOK: ("fb", "facebook page", "fb page", "facebook pages", "facebook business", "meta facebook"),
    ChannelType.INSTAGRAM: ("ig", "insta", "instagram business", "instagram account", "instagram professional"),
    ChannelType.YOUTUBE: ("yt", "youtube channel", "google youtube"),
    ChannelType.LINKEDIN: (
        "li", "linkedin page", "linkedin company", "linkedin company page", "linkedin profile", "linkedin personal",
    ),
    ChannelType.TIKTOK: ("tt", "tiktok account", "tiktok business"),
    ChannelType.THREADS: ("threads account", "instagram threads", "meta threads"),
    ChannelType.TWITTER: ("x", "x/twitter", "twitter/x", "x (twitter)", "twitter (x)", "x (formerly twitter)", "x.com"),
}  # fmt: skip

_POST_TYPES: dict[PostType, tuple[str, ...]] = {
    PostType.POST: ("posts", "feed post"),
    PostType.REEL: ("reels",),
    PostType.STORY: ("stories",),
    PostType.TWEET: ("tweets",),
    PostType.THREAD: ("tweet thread", "twitter thread"),
}


def spelled(text: str) -> str:
    """Return ``text`` without what does not matter in a name: capitals, accents, spaces and punctuation."""
    return _spelled(text[:100])


@lru_cache(maxsize=4096)
def _spelled(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(character for character in plain if character.isalnum() or character in "✓✔☑✗☐")


_YES = frozenset(map(spelled, (
    "true", "yes", "y", "yep", "x", "1", "on", "ja", "j", "oui", "si", "sim", "tak", "да", "igen", "はい", "✓", "✔",
    "☑", "ano", "evet", "kyllä", "jah", "taip", "так", "da", "ναι", "כן", "نعم", "是", "예", "네", "ใช่", "có", "हाँ",
    "हां", "ya",
    # As Airtable writes it.
    "checked",
    # As Excel writes it in German, French, Spanish, Italian, Portuguese, Dutch, Polish, Swedish, Russian, Czech,
    # Finnish, Hungarian, Norwegian, Danish, Turkish, Greek, Romanian.
    "wahr", "vrai", "verdadero", "vero", "verdadeiro", "waar", "prawda", "sant",
    "истина", "pravda", "tosi", "igaz", "sann", "sand", "doğru", "αληθές", "adevărat",
)))  # fmt: skip
_NO = frozenset(map(spelled, (
    "", "false", "no", "n", "nope", "0", "off", "nein", "non", "nao", "nie", "нет", "nem", "いいえ", "✗", "☐",
    "unchecked",
    "nee", "nej", "nei", "ne", "hayır", "hayir", "ei", "не", "ні", "όχι", "לא", "لا", "否", "不", "아니요", "아니오",
    "ไม่", "ไม่ใช่", "không", "tidak", "नहीं",
    "falsch", "faux", "falso", "onwaar", "fałsz", "falskt", "ложь", "nepravda", "epatosi", "hamis", "usann",
    "falsk", "yanlış", "ψευδές", "fals",
)))  # fmt: skip
_SIGNS = dict.fromkeys("✅👍👌🆗+√", True) | dict.fromkeys("❌👎🚫⛔✖✘", False)
"""Signs that say yes or no if they stand alone."""


PLATFORMS: dict[str, ChannelType] = {
    spelled(name): platform for platform, names in _PLATFORMS.items() for name in (platform.value, *names)
}
"""Names of platforms (as ``spelled()`` gives them) → the platform."""

POST_TYPES: dict[str, PostType] = {
    spelled(name): kind for kind, names in _POST_TYPES.items() for name in (kind.value, *names)
}
"""Names of kinds of posts (as ``spelled()`` gives them) → the kind."""


_TICKS = re.compile(r"[✅✔☑✓]\ufe0f?|\[ ?[xX✓✔✅] ?\]")
_DOUBTFUL = re.compile(
    r"[❌🚫⛔✖✗✘❎⬜☐⏸⏳🛑❓❔❗⚠?~]|\[ *\]|^\[|^[-+!(\u2010-\u2015\u2212]",
)
"""Signs that cross a name out, or leave open whether it is meant."""
_RED = re.compile(r"[🔴🟡🟠]")
_GREEN = re.compile(r"[🟢✅]")


def without_ticks(names: Sequence[str]) -> list[str]:
    """Return the names of a list without their ticks, if each has one."""
    found = [_TICKS.sub("", name).strip() for name in names]
    is_ticked = all(name and name != original for name, original in zip(found, names, strict=True))
    return found if is_ticked else [*names]


def is_doubtful(name: str, names: Sequence[str] = ()) -> bool:
    """Tell whether a name is crossed out, or may not be meant, such as one with a tick that others lack.

    Args:
        name: one of the names.
        names: those of the same cell; a red circle alone may be the logo of YouTube.

    """
    head = name[:100]
    is_red = _RED.search(head) is not None and any(_GREEN.search(each[:100]) for each in names)
    return is_red or _DOUBTFUL.search(head.strip()) is not None or _TICKS.search(head) is not None


def between_signs(text: str) -> list[str]:
    """Return the names between ticks and crosses: those of "☑ Facebook ☐ Instagram"."""
    parts = _DOUBTFUL.sub("\n", _TICKS.sub("\n", text[:100])).split("\n")
    return [name for part in parts if (name := part.strip())]


def is_tick(text: str) -> bool:
    """Tell whether a text is only a tick: "[x]" is no list of one platform."""
    return _TICKS.fullmatch(text) is not None


def _says_something(sign: str) -> bool:
    """Tell whether a sign that stands alone means something, unlike a dash or a slash."""
    is_skin = "\U0001f3fb" <= sign <= "\U0001f3ff"
    return sign not in "/." and not is_skin and unicodedata.category(sign) in ("So", "Sm", "Sk", "Sc", "Po")


def truth(value: object) -> bool | None:
    """Return whether a cell says yes or, as an empty one does, no; ``None`` if it says neither."""
    if value is None or isinstance(value, bool):
        return bool(value)
    # Numbers of a workbook are shown as their digits.
    text = str(getattr(value, "value", value))
    word = spelled(text)
    if not word and (signs := "".join(sign for sign in text[:100] if _says_something(sign))):
        # A green circle is not empty, and no question mark says no.
        return _SIGNS.get(signs)
    return True if word in _YES else False if word in _NO else None


_CODE = re.compile(r"[a-z]{1,2}")
"""What can be an initial, or the code of a language or a country: "ja" and "da", "NO" and "NE"."""


def say_the_same(one: str, other: str) -> bool:
    """Tell whether two words both say yes, or both say no, and cannot be two codes of other things."""
    said = truth(one)
    if said is None or said is not truth(other) or bool(one) is not bool(other):
        return False
    shorter, longer = sorted((spelled(one), spelled(other)), key=len)
    if not (_CODE.fullmatch(shorter) and _CODE.fullmatch(longer)):
        return True
    return longer.startswith(shorter) or (shorter == "x" and len(longer) > 1)
