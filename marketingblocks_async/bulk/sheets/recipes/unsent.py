"""Find rows that have something for the public in a column that is not sent: a picture, or a poll.

Without the picture, or as a plain text, the post would not be the one that was meant.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from marketingblocks_async.bulk.sheets.captions import stands_for_nothing
from marketingblocks_async.bulk.sheets.cells import BLANKS, cell_at
from marketingblocks_async.bulk.sheets.columns import is_note, usual_target
from marketingblocks_async.bulk.sheets.display import visible
from marketingblocks_async.bulk.sheets.layout import Unreadable, column_letter
from marketingblocks_async.bulk.sheets.spellings import truth

from .known_columns import Sources
from .recipe import LINK, Recipe, load_recipe, recipe_names

_ENDING = r"\.(?:jpe?g|png|gif|webp|heic|heif|bmp|tiff?|avif|mp4|mov|m4v|avi|webm|mkv)"
_ADDRESS = re.compile(rf"https?://\S+?(?:{_ENDING}(?:[?#]\S*)?|[?&]\w+=[^\s&]*{_ENDING}(?:&\S*)?)", re.IGNORECASE)
_HOST = re.compile(
    r"https?://(?:[\w-]+\.googleusercontent\.com|[\w.-]+\.airtableusercontent\.com|images\.unsplash\.com(?!/@)"
    r"|res\.cloudinary\.com)/\S+",
    re.IGNORECASE,
)
"""Addresses of hosts that have nothing but pictures and videos, whatever they end with; "/@anna" is a person."""

_FILE = re.compile(rf"[^|;\n]{{1,200}}{_ENDING}", re.IGNORECASE)
_ATTACHMENT = re.compile(rf"[^|;\n(]{{1,200}}{_ENDING} ?\(https?://\S+\).*", re.IGNORECASE | re.DOTALL)
"""Files with their addresses, as Airtable writes them: "tulip.jpg (https://…)"."""

_BETWEEN = re.compile(r"[\n|;]|,(?=\s|https?:)|\s(?=https?:)", re.IGNORECASE)
"""What stands between two files, besides blanks; a cell may have thousands of them."""
_LONGEST = 4000

_NOT_OF_THE_POST = frozenset({
    "alt", "assignee", "author", "avatar", "backup", "bildnachweis", "bio", "blog", "bluesky", "brief", "comment",
    "comments", "copyright", "cover", "credit", "credits", "discord", "draft", "drafts", "email", "example", "examples",
    "gbp", "gmb", "google", "icon", "idea", "ideas", "inspiration", "inspo", "internal", "licence", "license", "logo",
    "mail", "mastodon", "mood", "moodboard", "newsletter", "note", "notes", "og", "old", "original", "originals",
    "overlay", "owner", "pinterest", "poster", "preview", "raw", "reddit", "ref", "reference", "references",
    "screenshot", "screenshots", "snapchat", "telegram", "template", "thumb", "thumbnail", "thumbnails", "tumblr",
    "website", "whatsapp",
})  # fmt: skip
"""Words of the names of columns whose pictures are of another thing; the plan lists them among the columns not sent.

A poll of such a name is another thing, too: "Poll idea".
"""

_ORIGINS = frozenset({"source", "sources", "quelle", "quellen", "bildquelle"})
"""Words of the names of columns that say where a picture is from; "Image source" may also have the picture itself."""

_OF_PAGES = re.compile(r"\blanding[ _-]?page\b", re.IGNORECASE)
_OF_LINKS = re.compile(r"link[ _-]?(?:image|picture|photo)", re.IGNORECASE)
"""The picture of a page that a post links to, unlike "Image link"."""

_WORD = re.compile(r"[A-Z]?[^\W_A-Z]+|[A-Z]+")
"""A word of a name; "thumbnailUrl" has two."""

_POLL = re.compile(
    r"\bpolls?\b|\bumfragen?\b|\bsondages?\b|\bencuestas?\b|\benquetes?\b|\bsondagg[io]\b", re.IGNORECASE
)
_SIZE_OF_POLL = re.compile(r"duration|length|minutes|hours|days|dauer", re.IGNORECASE)
"""Names of columns that programs fill for posts without a poll, too."""

_KIND = re.compile(r"\b(?:type|kind|format|typ|tipo)\b", re.IGNORECASE)


class Unsent:
    """Tells which rows have a picture or a poll in a column that is not sent.

    Args:
        sources: the columns.
        recipe: how they are read.
        given: columns that the caller names.

    """

    def __init__(self, sources: Sources, recipe: Recipe, given: Collection[str] = ()) -> None:
        self._words = recipe.words
        self._sources = sources
        self._names = [name.strip(BLANKS) for name in sources.names]
        shipped: Mapping[str, str | None] = load_recipe(recipe.name).columns if recipe.name in recipe_names() else {}
        places = {name: sources.header.places(name) for name in recipe.columns}
        named = {place for each in places.values() for place in each}
        # The user has named these columns, so leaving them out is deliberate.
        said = {place for name in places if name in given or name not in shipped for place in places[name]}
        left_out = [place for place in sources.left_out if not is_note(sources.names[place])]
        self._media = [place for place in left_out if place not in named and not self._is_of_another_thing(place)]
        # The picture itself, in a row that has no other one.
        self._beside = {place for place in self._media if self._says_origin(place)}
        self._of_links = {place for place in self._media if _OF_LINKS.fullmatch(self._names[place])}
        self._kinds = [place for place in left_out if place not in said and _KIND.search(self._names[place])]
        self._polls = [
            place
            for place in left_out
            if place not in said
            and _POLL.search(self._names[place])
            and not _SIZE_OF_POLL.search(self._names[place])
            and not self._is_of_another_thing(place)
        ]

    def _is_of_another_thing(self, place: int) -> bool:
        name = self._names[place][:200]
        words = {word.casefold() for word in _WORD.findall(name)}
        is_origin = words & _ORIGINS and not self._says_origin(place)
        return bool(words & _NOT_OF_THE_POST or is_origin or _OF_PAGES.search(name))

    def _says_origin(self, place: int) -> bool:
        """Tell whether a column is called "Image source", which has the picture or says where it is from."""
        words = _WORD.findall(self._names[place][:200])
        rest = [word for word in words if word.casefold() not in _ORIGINS]
        return len(rest) < len(words) and usual_target(" ".join(rest))[0] == "media_urls"

    def doubt(self, cells: Sequence[object]) -> Unreadable | None:
        """Return what to do about a row with a picture or a poll that would not be sent; else ``None``."""
        return self._picture(cells) or self._poll(cells)

    def _picture(self, cells: Sequence[object]) -> Unreadable | None:
        found = [*self._pictures(cells)]
        if not found:
            return None
        shown = [self._shown(place) for place in found]
        # Names of files alone are no addresses.
        usable = [self._shown(place) for place in found if _are_addresses(_parts(cell_at(cells, place)))]
        media = self._sources.several.get("media_urls")
        upload = f'upload them and write their addresses into a column "{self._shown(media[0]) if media else "Image"}"'
        if nameless := [self._shown(place) for place in found if not self._name(place)]:
            advice = 'name it, for example "Image"' if nameless[0] in usable else upload
            message = (
                f"{nameless[0]} has no name in the header and holds pictures or videos, which would not be published; "
                f"{advice}, or delete what is in it"
            )
            return Unreadable(message, shown[0])
        is_one = len(shown) == 1
        what = f'the column "{shown[0]}"' if is_one else f"the columns {_quoted(shown)}"
        leave = f"leave {'it' if is_one else 'them'} out: {' and '.join(map(self._words.ignore, shown))}"
        if usable:
            use = " and ".join(self._words.map(name, "media_urls") for name in usable)
            what += f" hold{'s' * is_one}"
            advice = f"if they belong to the post, say {use}; otherwise {leave}"
        else:
            what += f" name{'s' * is_one}"
            advice = f"{upload}, or {leave}"
        return Unreadable(f"{what} pictures or videos, which would not be published; {advice}", shown[0])

    def _pictures(self, cells: Sequence[object]) -> Iterator[int]:
        """Yield the columns with addresses of pictures, and those with names of files in a row without media."""
        several = self._sources.several
        media = [place for target, each in several.items() if target.endswith("media_urls") for place in each]
        sent = "\n".join(str(cell) for place in media if (cell := cell_at(cells, place)) is not None)
        has_link = any(cell_at(cells, place) is not None for place in several.get(LINK, ()))
        # Cells behind the last name of the header belong to columns without a name.
        for place in (*self._media, *range(len(self._names), len(cells))):
            cell = cell_at(cells, place)
            if not isinstance(cell, str) or len(cell) > _LONGEST or "." not in cell:
                continue
            if (place in self._beside and sent) or (place in self._of_links and (sent or has_link)):
                continue
            parts = _parts(cell)
            if _are_addresses(parts):
                # A column whose name differs from that of the media in signs alone was left out on purpose.
                is_unknown = place not in self._sources.left_out or place in self._sources.unknown
                if not sent or (is_unknown and not all(part in sent for part in parts)):
                    yield place
            elif not sent and parts and all(_is_address(part) or _FILE.fullmatch(part) for part in parts):
                yield place

    def _poll(self, cells: Sequence[object]) -> Unreadable | None:
        for place in self._kinds:
            cell = cell_at(cells, place)
            if isinstance(cell, str) and len(cell) < 40 and _POLL.fullmatch(cell.strip(BLANKS)):
                name = self._shown(place)
                leave_out = self._words.where(name, f"!={visible(cell.strip(BLANKS))}")
                return self._refused([name], f"leave such rows out with {leave_out}")
        filled = [place for place in self._polls if _is_filled(cell_at(cells, place))]
        return self._refused([*map(self._shown, filled)], "delete the row") if filled else None

    def _refused(self, names: Sequence[str], advice: str) -> Unreadable:
        # All columns at once: otherwise the next of them would be the next error.
        polls = [self._shown(place) for place in self._polls]
        leave = " ".join(self._words.ignore(name) for name in dict.fromkeys([*names, *polls]))
        message = (
            f'the column "{names[0]}" says that this is a poll, which the API cannot publish; {advice}, or, to send '
            f"the text without the poll, leave out what says so: {leave}"
        )
        return Unreadable(message, names[0])

    def _name(self, place: int) -> str:
        return self._names[place] if place < len(self._names) else ""

    def _shown(self, place: int) -> str:
        return visible(self._name(place)) or f"column {column_letter(place)}"


def _parts(cell: object) -> list[str]:
    text = cell.strip(BLANKS) if isinstance(cell, str) else ""
    return [part for each in _BETWEEN.split(text) if (part := each.strip())]


def _are_addresses(parts: Sequence[str]) -> bool:
    return bool(parts) and all(map(_is_address, parts))


def _is_address(text: str) -> bool:
    return (_ADDRESS.fullmatch(text) or _HOST.fullmatch(text) or _ATTACHMENT.fullmatch(text)) is not None


def _is_filled(cell: object) -> bool:
    is_nothing = cell is None or (isinstance(cell, str) and stands_for_nothing(cell))
    return not is_nothing and truth(cell) is not False


def _quoted(names: Sequence[str]) -> str:
    return " and ".join(f'"{name}"' for name in names)
