"""Find rows of which an older text, date or picture would be sent, since a newer one stands in a column of its own.

"Final caption" and "New date" hold no field, so they would be left out beside "Caption" and "Date". The same is true of
a text in another language, "Caption (DE)", and of the text for one platform, "YouTube description".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, time
from typing import NamedTuple

from marketingblocks_async.bulk.sheets.approval_words import is_approving, is_early, is_status, is_stopping
from marketingblocks_async.bulk.sheets.captions import stands_for_nothing
from marketingblocks_async.bulk.sheets.cells import BLANKS, cell_at
from marketingblocks_async.bulk.sheets.columns import (
    SEVERAL,
    is_note,
    normal_name,
    platform_in,
    usual_target,
    without_bracket,
    without_signs,
)
from marketingblocks_async.bulk.sheets.display import readable, visible
from marketingblocks_async.bulk.sheets.layout import Unreadable
from marketingblocks_async.bulk.sheets.spellings import truth
from marketingblocks_async.models import ChannelType

from .known_columns import Sources
from .recipe import DATE, LINK, TIME, Recipe, load_recipe, recipe_names
from .row_channels import RowChannels

_NEWER = frozenset({
    "corrected", "edited", "final", "latest", "new", "rescheduled", "revised",
    "endgültig", "endgültige", "endgültiger", "endgültiges", "finale", "finaler", "finales", "korrigiert",
    "korrigierte", "korrigierter", "neu", "neue", "neuer", "neues", "überarbeitet", "überarbeitete", "überarbeiteter",
    "corrigé", "corrigée", "définitif", "définitive", "nouveau", "nouvel", "nouvelle", "révisé", "révisée",
    "corregida", "corregido", "definitiva", "definitivo", "nueva", "nuevo", "revisada", "revisado",
    "corrigida", "corrigido", "nova", "novo", "revista", "revisto",
    "corretta", "corretto", "nuova", "nuovo", "rivista", "rivisto",
    "definitief", "definitieve", "herzien", "herziene", "nieuw", "nieuwe", "nowa", "nowe", "nowy", "poprawiony",
})  # fmt: skip
"""Words beside the name of a column that make a newer version of it."""

_APPROVED = frozenset({
    "approved", "updated", "aktualisiert", "aktualisierte", "freigegebene", "freigegebener", "genehmigte", "approuvé",
    "approuvée", "validé", "validée", "aprobada", "aprobado", "aprovada", "aprovado", "atualizada", "atualizado",
    "approvata", "approvato", "goedgekeurde",
})  # fmt: skip
"""Words that do so of a text or a picture; "Approved date" is that of the approval, and "Copy approved" yes or no."""

_OF_OTHER_DATES = frozenset({"edited", "final", "finale", "finaler", "finales", "latest"})
"""Words that make another date: "Date edited" is that of the text, and "Final date" the end of a sale."""

_LANGUAGES = frozenset({
    "ar", "at", "be", "bg", "br", "ca", "ch", "cs", "cz", "da", "de", "dk", "el", "en", "es", "et", "eu", "fi", "fr",
    "gb", "gr", "he", "hr", "hu", "it", "ja", "jp", "ko", "lt", "lu", "lv", "mx", "nl", "no", "pl", "pt", "ro",
    "ru", "se", "sk", "sl", "sv", "tr", "ua", "uk", "us", "zh",
    "arabic", "bulgarian", "catalan", "chinese", "croatian", "czech", "danish", "dutch", "english", "finnish", "french",
    "german", "greek", "hebrew", "hindi", "hungarian", "italian", "japanese", "korean", "norwegian", "polish",
    "portuguese", "romanian", "russian", "slovak", "spanish", "swedish", "turkish", "ukrainian",
    "deutsch", "englisch", "französisch", "italienisch", "niederländisch", "polnisch", "spanisch", "türkisch",
    "allemand", "anglais", "espagnol", "français", "italien", "alemán", "catalán", "español", "francés", "inglés",
    "italiano", "inglese", "francese", "spagnolo", "tedesco", "alemão", "espanhol", "francês", "inglês", "português",
    "duits", "engels", "frans", "nederlands", "angielski", "polski",
    "language", "translated", "translation", "sprache", "übersetzung", "langue", "traduction", "idioma", "traducción",
    "tradução", "lingua", "traduzione", "taal", "vertaling",
})  # fmt: skip
_VARIANTS = frozenset({
    "a", "alternate", "alternative", "b", "c", "characters", "chars", "form", "in", "long", "max", "option",
    "or", "proofread", "rewritten", "short", "shorter", "longer",
    "variant", "variante", "variation", "auf", "kurz", "lang", "zeichen",
})  # fmt: skip
"""Words in brackets that make another text for the public, beside those of a newer one; "Content (topic)" is none."""

_VAGUE = re.compile(
    r"\W*(?:new|neuer?|nouveau|nuevo|novo|nuovo|nieuwe)\s+"
    r"(?:content|beitrag|inhalt|contenu|contenido|conte\u00fado|contenuto)\W*",
    re.IGNORECASE,
)
"""Names that may say whether the text is new."""

_NUMBER = re.compile(r"v(?:ersion)?[2-9]")
_LONG = 30
_OF_PUBLISHING = re.compile(r"\bpubb?li", re.IGNORECASE)
"""In names of times that say more than the time beside them: "Heure de publication"."""

_MOMENT = frozenset({DATE, TIME, "schedule_time"})
_OF_VIDEOS = re.compile(r"video(?:description|caption|text|copy)")


class _Other(NamedTuple):
    """A column that may hold a field instead of the one that is sent.

    Attributes:
        place: which column it is.
        target: the field; it may be of one platform.
        least: the fewest words of a text that is not long; "Facebook post" may say "Single image".

    """

    place: int
    target: str
    least: int


class Versions:
    """Tells which rows hold a field in two ways, of which the columns do not say which one is sent.

    Args:
        sources: the columns.
        recipe: how they are read.
        channels: finds the channels of a row.
        given: columns that the caller names.

    """

    def __init__(self, sources: Sources, recipe: Recipe, channels: RowChannels, given: Collection[str] = ()) -> None:
        self._words = recipe.words
        self._sources = sources
        self._channels = channels
        shipped: Mapping[str, str | None] = load_recipe(recipe.name).columns if recipe.name in recipe_names() else {}
        # Who names the older column means it.
        named = {name: sources.header.places(name) for name in recipe.columns if "*" not in name}
        self._said = {place for name in named if name in given or name not in shipped for place in named[name]}
        self._named = {place for places in named.values() for place in places}
        self._others = [*self._find()]

    def _find(self) -> Iterator[_Other]:
        for index in self._sources.left_out:
            name = self._sources.names[index]
            if not name.strip(BLANKS) or is_note(name) or index in self._named:
                continue
            target = _version_of(name) or _beside(name)
            if target is None:
                continue
            platform, _, field = target.rpartition(".")
            if platform and field in self._sources.overrides.get(platform, {}):
                continue
            places = self._places(target)
            if places and not self._said & {*places}:
                yield _Other(index, target, _least_words(name, target))

    def _places(self, target: str) -> list[int]:
        """Return the columns of which a field is sent."""
        field = target.rpartition(".")[2]
        fields = (field, *(_MOMENT - {field})) if field in _MOMENT else (field,)
        places = [self._sources.single[each] for each in fields if each in self._sources.single]
        return [*places, *self._sources.several.get(field, [])]

    def doubt(self, cells: Sequence[object]) -> Unreadable | None:
        """Return what to do about a row that holds a field in two ways."""
        for place, target, least in self._others:
            cell = cell_at(cells, place)
            if cell is None or not _may_be_sent(cell, target, least):
                continue
            platform, _, field = target.rpartition(".")
            if platform and platform not in {each.platform for each in self._channels.of_row(cells)}:
                continue
            places = self._places(target)
            if any(_same(cell, cell_at(cells, each)) for each in places):
                continue
            column, first = visible(self._sources.names[place]), visible(self._sources.names[places[0]])
            ignore = self._words.ignore
            message = f'the column "{column}" holds another {field} than "{first}", and it would not be sent; '
            if platform:
                message += f"if it is for {platform}, say {self._words.map(column, target)}; if not, {ignore(column)}"
            else:
                # Where it is empty, the other column may hold what is sent.
                message += (
                    f'if "{column}" has what is sent in all rows, say {ignore(first)} and '
                    f'{self._words.map(column, target)}; otherwise write what is sent into "{first}", '
                    f"and say {ignore(column)}"
                )
            return Unreadable(message, column, readable(cell))
        return None


def _beside(name: str) -> str | None:
    """Return the field of a column that is left out beside one with a plainer name: "Caption (DE)"."""
    target, is_whole = usual_target(name)
    words = _words(without_bracket(name)[1])
    is_other = "version" in words or all(
        _is_newer(word) or word in _LANGUAGES | _VARIANTS or word.isdecimal() for word in words
    )
    is_meant = target == "caption_text" or (target == TIME and _OF_PUBLISHING.search(name[:200]))
    return target if is_meant and not is_whole and is_other else None


def _least_words(name: str, target: str) -> int:
    """Return of how many words a text in a column of this name is, if it is not long."""
    found = platform_in(name)
    if _VAGUE.fullmatch(name[:200]) or (found is not None and normal_name(found[1]) == "post"):
        return 3
    return 2 if "." in target else 1


def _version_of(name: str) -> str | None:
    """Return the field that a column with this name holds in a newer version, or for one platform; else ``None``."""
    if (found := platform_in(name)) is not None:
        platform, rest = found
        return f"{platform}.caption_text" if normal_name(rest) in ("description", "post", "version") else None
    if _OF_VIDEOS.fullmatch(normal_name(without_signs(name))):
        return f"{ChannelType.YOUTUBE.value}.caption_text"
    head, bracket = without_bracket(name)
    inside = _words(bracket)
    # "Time (New York)" has another zone.
    if any(map(_is_newer, inside)) and all(_is_newer(word) or word == "version" for word in inside):
        target = usual_target(head)[0]
    else:
        words = _words(name)
        kept = [word for word in words if not _is_newer(word) or (word in _APPROVED and word != words[0])]
        target = usual_target(" ".join(kept))[0] if len(kept) < len(words) and kept != ["post"] else None
        if target in _MOMENT and len(kept) == 1 and _OF_OTHER_DATES & {*words}:
            return None
    is_known = target in ("caption_text", LINK, "media_urls") or (target in _MOMENT and not _APPROVED & {*_words(name)})
    return target if is_known and not name.strip(BLANKS).endswith("?") else None


def _is_newer(word: str) -> bool:
    return word in _NEWER or word in _APPROVED or _NUMBER.fullmatch(word) is not None


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", name[:200].casefold())


def _may_be_sent(cell: object, target: str, least: int) -> bool:
    """Tell whether a cell may hold a field, and is no mark, no word of an approval, and nothing of another kind."""
    if target in _MOMENT:
        return isinstance(cell, date | time) or (isinstance(cell, str) and any(map(str.isdigit, cell)))
    if not isinstance(cell, str) or truth(cell) is not None or stands_for_nothing(cell):
        return False
    if target in SEVERAL:
        return "://" in cell
    is_word = is_approving(cell) or is_stopping(cell) or is_status(cell) or is_early(cell)
    # The address of the post on its platform is not what was written there.
    is_text = any(map(str.isalpha, cell)) and not re.fullmatch(r"https?://\S+", cell.strip(BLANKS))
    return not is_word and is_text and (len(cell) > _LONG or len(cell.split()) >= least)


def _same(cell: object, other: object) -> bool:
    if isinstance(cell, date) and isinstance(other, date):
        return f"{cell:%Y-%m-%d}" == f"{other:%Y-%m-%d}"
    return readable(cell).strip(BLANKS) == readable(other).strip(BLANKS)
