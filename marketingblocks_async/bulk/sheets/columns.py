"""Map the columns of a file to the fields of a post.

The names are the fields of ``CreatePost``; capitals, spaces, ``-``, ``_`` and ``.`` do not matter. ``ALIASES`` has them
all. Any other name is refused: otherwise a misspelt column would silently be left out of every post.

A column whose name begins with an underscore (``_row``, ``_error``) is a note and is ignored, in files and in objects
alike, unless a mapping names it with its underscore. Files of failures carry such notes and can be read in as they are.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Literal, TypeAlias

from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.models import ChannelType

from .cells import BLANKS
from .dates import order_in_name
from .display import visible
from .spellings import PLATFORMS, spelled
from .words import PYTHON, Words

ColumnMapping: TypeAlias = Mapping[str, str | None]
"""Name of a column in the file → field of the post, or ``None`` to ignore the column."""

Hidden: TypeAlias = Literal["refuse", "skip", "send"]
"""The ways to treat rows that the spreadsheet does not show."""

KEY = "key"
"""The column that identifies a row; not a part of the post."""

LIST_SEPARATOR = "|"
"""The default separator between the entries of a list inside one cell."""

ALIASES: dict[str, tuple[str, ...]] = {
    KEY: ("row key", "row id", "external id"),
    "channel_type": ("channel", "platform", "network", "social network"),
    "channel_id": ("account", "account id"),
    "post_type": ("type",),
    "caption_text": ("caption", "text", "message", "post text"),
    "media_urls": ("media", "media url", "image", "images", "image url", "image urls", "video", "video url"),
    "publish_mode": ("mode", "publish", "publishing mode"),
    "schedule_time": (
        "schedule", "schedule at", "schedule date", "scheduled at", "scheduled for", "scheduled time",
        "publish at", "publish time",
    ),
    "time_zone": ("tz", "zone"),
    "hash_tags": ("hash tag", "tags"),
    "twitter_threads": ("twitter thread", "thread", "tweets"),
    "post_extra": ("youtube extra",),
    "post_extra.title": ("title", "video title", "youtube title"),
    "post_extra.category": ("category", "category id", "youtube category"),
    "post_extra.privacy_status": (
        "privacy", "privacy status", "visibility", "youtube privacy", "youtube privacy status", "youtube visibility",
    ),
}  # fmt: skip
"""Field → other names of its column. ``twitter_threads.1.message``, ``twitter_threads.1.media_urls``,
``twitter_threads.2.message``, … are understood as well."""

QUOTED = "_quoted"
"""The note that names columns whose text is between double quotes, which do not belong to it."""

TO_CHECK = "_to_check"
"""The note that keeps a row from being sent until its cell is emptied."""

NOTE_SIGN = "_"
"""Start of the names of columns that are ignored."""

LISTED_IN_MESSAGES = 5
"""Wrong columns that one message names; all are in the error's ``errors``."""

_SIGNS_OF_ADDRESSES = "\"'[]{}/:.?&=%#@~+-_"
_MOST_TWEETS = 1000
_THREAD_COLUMN = re.compile(r"(?:twitterthreads?|threads?|tweets?)([0-9]{1,4})(message|text|mediaurls?|media)?")


@lru_cache(maxsize=4096)
def normal_name(name: str) -> str:
    """Return ``name`` without the differences that do not matter in a column's name."""
    # Only the head: the name of a column may be a text of megabytes.
    folded = unicodedata.normalize("NFKC", name[:200]).casefold().replace("(s)", "s")
    return "".join(
        character
        for character in folded
        if character not in "-_." and not character.isspace() and unicodedata.category(character) != "Cf"
    )


def without_signs(name: str) -> str:
    """Return the name of a column without emoji and the signs at its ends; the name itself if it has nothing else.

    Two columns may differ in these signs alone: "Approved \u2705" and "Approved \u274c".
    """
    # Only the head: the name of a column may be a text of megabytes.
    return _undecorated(unicodedata.normalize("NFKC", name[:200])) or name


def _undecorated(name: str) -> str:
    """Return a name without emoji, and without the signs at its ends: "Date*" is needed, and "**Date**" is bold."""
    # U+FE0F makes an emoji of a sign, and the signs of the category Sk are colours of skin, or accents.
    signs = {"So", "Sk"}
    plain = "".join(each for each in name if each != "\ufe0f" and unicodedata.category(each) not in signs)
    return plain.strip(f"*:{BLANKS}")


_SYNONYMS: dict[str, tuple[str, ...]] = {
    "caption_text": (
        "content", "copy", "body", "post", "post copy", "post content", "post body", "post caption", "post message",
        "post description", "social copy", "message text", "tweet text", "status text", "text content", "content text",
        "copy text", "original message", "generic message", "generic copy", "general copy", "main copy",
        "main caption", "default caption",
        "beitrag", "beitragstext", "inhalt", "texte", "contenu", "texto", "contenido", "testo", "legenda",
        "légende", "légende du post", "texte du post", "texte de la publication", "texto del post", "texto do post",
        "testo del post",
        "tekst",
    ),
    "link": (
        "link", "links", "url", "urls", "link url", "link urls", "post link", "post url", "destination url",
        "landing page", "website", "lien", "enlace",
    ),
    "date": (
        "date", "day", "post date", "posting date", "publish date", "published date", "publishing date",
        "publication date", "schedule date", "scheduled date", "schedule day", "go live date", "date to post",
        "send date", "datum", "veröffentlichungsdatum", "fecha", "fecha de publicación", "date de publication", "jour",
        "data", "data de publicação", "data di pubblicazione",
    ),
    "time": (
        "time", "hour", "time of day", "post time", "posting time", "publish time", "publishing time",
        "publication time", "schedule time", "scheduled time", "send time", "uhrzeit", "heure", "hora",
        "horário", "ora", "tijd", "zeit", "tid", "klokkeslæt", "klokkeslett", "kellonaika", "godzina", "čas",
        "saat", "horario", "время", "час", "时间", "時間", "時刻", "시간", "heure de publication",
        "hora de publicación", "hora de publicação", "ora di pubblicazione",
    ),
    "schedule_time": (
        "date and time", "date & time", "date time", "date/time", "publish at", "publish on", "post at",
        "posting date and time", "publication date and time", "scheduled for", "when",
    ),
    "media_urls": (
        "media urls", "media link", "media links", "image link", "image links", "photo", "photos", "photo url",
        "photo urls", "picture", "pictures", "picture url", "picture urls", "asset", "assets", "asset url", "creative",
        "creatives", "creative url", "attachment", "attachments", "attachment url", "attachment urls",
        "attachment link", "gif", "gif url", "gif urls", "video urls", "videos", "video link", "visual", "visuals",
        "media files", "medien", "bild", "bilder", "visuel", "visuels", "imagen", "imágenes", "medios", "foto", "fotos",
        "immagine", "immagini", "imagem", "imagens", "afbeelding", "afbeeldingen",
    ),
    "channel": (
        "profile", "profiles", "social profile", "social profiles", "channels", "platforms", "networks",
        "social networks", "social channel", "social channels", "social media", "page", "pages", "accounts",
        "social account", "social accounts", "destination", "destinations",
        "plattform", "plattformen", "netzwerk", "kanal", "kanäle", "réseau", "réseaux", "réseau social",
        "réseaux sociaux", "plateforme", "plateformes", "red social", "redes sociales", "plataforma", "canal",
        "rede social", "redes sociais", "rede", "canale", "canali", "kanaal",
    ),
}  # fmt: skip
"""Target of a column in a recipe → usual names of such columns in content calendars."""

SYNONYM_OF = {normal_name(name): target for target, names in _SYNONYMS.items() for name in names}
"""Normal name of a usual column → what it holds; for files that are read by a recipe, and for advice."""

SEVERAL = frozenset({"media_urls", "link"})
"""Targets that several columns can hold together: "Image 1", "Image 2"."""

_OTHER_THINGS = frozenset({
    "ad", "ads", "alt", "approval", "approved", "author", "backup", "bio", "blog", "bluesky", "by", "comment",
    "comments", "count", "cover", "created", "deadline", "description", "discord", "done", "draft", "due", "duration",
    "email", "example", "gbp", "gmb", "google", "id", "idea", "ideas", "internal", "length", "mail", "mastodon",
    "minutes", "modified", "name", "names", "newsletter", "note", "notes", "old", "overlay", "owner", "paid",
    "pinterest", "preview", "reddit", "reel", "reels", "reference", "shoot", "sms", "snapchat", "source", "status",
    "stories", "story", "telegram", "thumbnail", "title", "tumblr", "type", "updated", "website", "whatsapp", "xing",
    "y", "yes",
})  # fmt: skip
"""Words in brackets behind a name that make another column of it: "Image (alt text)", "Copy (Pinterest)"."""

_FORMS_OF_LINKS = frozenset({
    "comma", "http", "https", "link", "links", "optional", "required", "separated", "url", "urls", "utm", "website",
})  # fmt: skip
"""Words in brackets behind the name of a link that leave it one; "Link (Canva)" is not for the public."""


_SIZE = re.compile(
    r"[0-9]+ ?[x\u00d7:] ?[0-9]+|\b(?:landscape|portrait|square|horizontal|vertical|hochformat|querformat)\b",
    re.IGNORECASE,
)
_NUMBER_BEHIND = re.compile(r"(?<=[)\]]) ?#?[0-9]+$")


def without_bracket(name: str) -> tuple[str, str]:
    """Return the name of a column without the bracket at its end, and what that says; empty if there is none."""
    # Only the head: the name of a column may be a text of megabytes.
    text = _NUMBER_BEHIND.sub("", _undecorated(unicodedata.normalize("NFKC", name[:200])))
    opening = max(text.rfind("("), text.rfind("["))
    closed = opening > 0 and text[-1] in ")]" and text[opening:] != "(s)"
    return (text[:opening].strip(BLANKS), text[opening + 1 : -1].strip(BLANKS)) if closed else (text, "")


def without_size(name: str) -> str | None:
    """Return the name of a column without the size of a picture in brackets at its end; ``None`` if it has none."""
    head, bracket = without_bracket(name)
    return head if _SIZE.search(bracket) else None


_BESIDE_OTHERS = frozenset(map(normal_name, (
    "send date", "send time",
    "zeit", "tid", "klokkeslæt", "klokkeslett", "kellonaika", "godzina", "čas", "saat", "horario", "время", "час",
    "时间", "時間", "時刻", "시간",
    "heure de publication", "hora de publicación", "hora de publicação", "ora di pubblicazione",
    "légende", "légende du post", "texte du post", "texte de la publication", "texto del post", "texto do post",
    "testo del post",
)))  # fmt: skip
"""Columns that may hold something else beside one with a more usual name: the time of a newsletter, opening hours."""


@lru_cache(maxsize=4096)
def usual_target(name: str) -> tuple[str | None, bool]:
    """Return what a column of this name holds in most files, and whether its whole name says so.

    "Image 2" holds what "Image" does. "Time (EST)" and "Caption (max 280)" hold what they do without the bracket,
    unless that makes another column of them: "Image (alt text)". "Facebook Copy" is the caption of one platform.
    """
    if (found := _usual(name) or _usual(without_signs(name)) or _of_one_platform(name)) is not None:
        return found, normal_name(without_signs(name)) not in _BESIDE_OTHERS
    head, bracket = without_bracket(name)
    found = (_usual(head) or _of_one_platform(head)) if bracket else None
    # The T of the German form "TT.MM.JJJJ" is no TikTok.
    said = "" if order_in_name(bracket) else _SIZE.sub("", bracket.casefold())
    words = set(re.findall(r"\w+", said))
    # The id or the name of an account says which it is, and "Type (post/story/reel)" has examples.
    harmless = {"channel": {"id", "name", "names"}, "post": {"reel", "reels", "stories", "story"}, "link": {"website"}}
    other = _OTHER_THINGS - harmless.get((found or "").partition("_")[0], set())
    is_other = words & other or any(spelled(word) in PLATFORMS for word in words)
    return (None if is_other or (found == "link" and not words <= _FORMS_OF_LINKS) else found), False


_BEFORE_PLATFORMS = frozenset({"for", "on", "für", "auf", "pour", "sur", "para", "per", "voor", "dla"})


def platform_in(name: str) -> tuple[str, str] | None:
    """Return the platform that the name of a column begins or ends with, and the rest of the name; ``None`` if none."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", name[:200]))
    for size in range(len(words) - 1, 0, -1):
        for some, rest in ((words[:size], words[size:]), (words[-size:], words[:-size])):
            if platform := PLATFORMS.get(spelled("".join(some))):
                kept = rest[:-1] if len(rest) > 1 and rest[-1].casefold() in _BEFORE_PLATFORMS else rest
                return platform.value, " ".join(kept)
    return None


_ACCOUNTS = frozenset({
    "account", "accounts", "channel", "client", "handle", "page", "pages", "profile", "profiles", "username",
    "workspace",
    # German, French, Spanish, Italian, Portuguese, Dutch, Polish.
    "kanal", "konto", "kunde", "mandant", "profil", "seite", "compte", "cliente", "cuenta", "p\u00e1gina", "perfil",
    "pagina", "profilo", "conta", "klant", "klient",
})  # fmt: skip
"""Words for whose posts they are. One account all through is no reason to ask."""

_PERHAPS_ACCOUNTS = frozenset({
    "brand", "branch", "business", "company", "customer", "location", "organisation", "organization", "shop", "store",
    "filiale", "firma", "marke", "standort", "unternehmen",
    "enseigne", "entreprise", "magasin", "marque", "soci\u00e9t\u00e9",
    "empresa", "marca", "negocio", "sucursal", "tienda",
    "azienda", "negozio", "filial", "loja", "bedrijf", "merk", "winkel", "marka", "sklep",
})  # fmt: skip
"""Words for whose posts they are, or for the place of an event, the brand of a product, the firm of a speaker."""

_OF_ACCOUNTS = frozenset({"handle", "handles", "id", "ids", "media", "name", "names", "social", "username"})
"""Words beside those that do not make another column of them."""


@lru_cache(maxsize=4096)
def names_accounts(name: str) -> Literal["", "perhaps", "surely"]:
    """Tell whether a column of this name may say whose post it is; empty if not.

    "Client", "Page name" and "Instagram handle" do so if they have different names. "Location" may be anything.
    """
    platform, rest = platform_in(name) or ("", name)
    words = set(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", rest[:200]).casefold()))
    known = words & (_ACCOUNTS | _PERHAPS_ACCOUNTS)
    if not known or words - known - _OF_ACCOUNTS:
        return ""
    is_sure = platform or words & _ACCOUNTS or words & _OF_ACCOUNTS - {"media", "name", "names"}
    return "surely" if is_sure else "perhaps"


def _of_one_platform(name: str) -> str | None:
    """Return the caption or the media of one platform, if that is what the name says."""
    found = platform_in(name)
    if found is None:
        return None
    platform, rest = found
    field = _usual(rest)
    # "Facebook post" may be yes or no, and "YouTube video" the page of the video.
    is_caption = field == "caption_text" and normal_name(rest) != "post"
    is_media = field == "media_urls" and platform != ChannelType.YOUTUBE.value
    return f"{platform}.{field}" if is_caption or is_media else None


def _usual(name: str) -> str | None:
    normal = normal_name(name)
    if found := SYNONYM_OF.get(normal) or target_of(name):
        return found
    # "Image 2", "Image 2 URL", or "Image #2".
    base = re.sub(r"#?[0-9]+", "", normal, count=1)
    found = SYNONYM_OF.get(base) or target_of(base)
    return found if found in SEVERAL and base != normal else None


def is_note(name: str) -> bool:
    """Return whether a column is a note, which is ignored: its name begins with an underscore."""
    return name.lstrip(BLANKS).startswith(NOTE_SIGN)


_TARGETS: dict[str, str] = {
    normal_name(name): target for target, aliases in ALIASES.items() for name in (target, *aliases)
}


_FIELD_NAMES = frozenset(map(normal_name, ALIASES))


def target_of(name: str) -> str | None:
    """Return the field that a column of this name fills; ``None`` if there is none.

    Returns:
        A key of ``ALIASES``, or ``twitter_threads.<number>.message`` or ``….media_urls``.

    """
    if is_note(name):
        return None
    normal = normal_name(name)
    if found := _TARGETS.get(normal):
        return found
    if thread := _THREAD_COLUMN.fullmatch(normal):
        number, part = int(thread[1]), "media_urls" if (thread[2] or "").startswith("media") else "message"
        return f"twitter_threads.{number}.{part}" if number <= _MOST_TWEETS else None
    return None


@lru_cache(maxsize=1024)
def nearest_target(name: str) -> str | None:
    """Return the field whose name, or other name, is most like ``name``; ``None`` if none is like it."""
    normal = normal_name(name)
    if close := difflib.get_close_matches(normal, _TARGETS, n=1, cutoff=0.7):
        return _TARGETS[close[0]]
    return "schedule_time" if normal.endswith(("time", "date")) else None


def _similar_name(name: str) -> tuple[bool, str]:
    return is_note(name), normal_name(name)


def numbered(names: Sequence[str]) -> list[str]:
    """Return the names of columns, with ``#2`` behind the second of two that are called the same, and so on."""
    seen: dict[str, int] = {}
    found: list[str] = []
    for name in names:
        normal = normal_name(name)
        seen[normal] = seen.get(normal, 0) + 1
        found.append(f"{name.strip(BLANKS)} #{seen[normal]}" if normal and seen[normal] > 1 else name)
    return found


class Header:
    """Finds the columns that options mean, by the names that the file writes.

    Args:
        names: of the columns, as ``numbered()`` returns them.

    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = [normal_name(name) for name in names]
        plain = [normal_name(without_signs(name)) for name in names]
        times = Counter(plain)
        # "Date" means "Date*" too, but of "Approved \u2705" and "Approved \u274c" it would mean either.
        self._plain = [each if times[each] == 1 else name for name, each in zip(self._names, plain, strict=True)]

    def has(self, name: str) -> bool:
        """Tell whether the file writes a column's name so."""
        return normal_name(name) in self._names

    def plain(self, name: str) -> str:
        """Return the normal name of a column, without emoji and signs if no other column is then called so."""
        return self._plain[self._names.index(normal_name(name))]

    def places(self, name: str) -> list[int]:
        """Return the columns that an option's name means; ``*`` stands for any text, unless a column is called so."""
        wanted = normal_name(name)
        if not wanted:
            return []
        if wanted in self._names:
            return [self._names.index(wanted)]
        if "*" not in name:
            return [index for index, each in enumerate(self._plain) if each == wanted]
        pattern = name_pattern(name)
        pairs = enumerate(zip(self._names, self._plain, strict=True))
        return [index for index, each in pairs if any(map(pattern.fullmatch, each))]


def name_pattern(name: str) -> re.Pattern[str]:
    """Return what the normal names of the columns match that a name with ``*`` means."""
    return re.compile(".*".join(re.escape(normal_name(part)) for part in name.split("*")), re.DOTALL)


class ColumnRules:
    """The caller's rules for columns, checked once and used for every header.

    Args:
        mapping: name of a column → field (or another name of it); ``None`` to ignore the column. Names are compared
            exactly first, then without the differences that do not matter (an underscore at the beginning does).
        list_separator: text between the entries of a list inside one cell.
        words: how errors name the options.

    Attributes:
        header: row of the header among those that are not blank, 0 if there is none.
        width: number of columns that are named by their letter.
        delimiter: the sign between the columns of a text file, ``None`` to find it out.
        is_translated: whether the rows are translated by a recipe, so that any column may be there.
        given: columns that the caller names beside a recipe.
        hidden: what to do about rows that the spreadsheet does not show: ``refuse``, ``skip`` or ``send`` them.
        recipe_for: finds the recipe that fits a header, for advice; ``None`` for no advice.

    Raises:
        ConfigurationError: a field does not exist, or the separator may be part of an address.

    """

    header: int = 1
    width: int = 0
    delimiter: str | None = None
    is_translated: bool = False
    given: tuple[str, ...] = ()
    hidden: Hidden = "refuse"
    recipe_for: Callable[[Sequence[str], int], str | None] | None = None

    def __init__(
        self, mapping: ColumnMapping | None = None, list_separator: str = LIST_SEPARATOR, words: Words = PYTHON
    ) -> None:
        self.words = words
        if not list_separator or any(sign.isalnum() or sign in _SIGNS_OF_ADDRESSES for sign in list_separator):
            given = words.option("list_separator", list_separator)
            msg = f"{given}: give a sign that is no part of an address, for example '|'"
            raise ConfigurationError(msg)
        self.list_separator = list_separator
        self.names: tuple[str, ...] = tuple(mapping or ())
        self._exact: dict[str, str | None] = {}
        for name, field in (mapping or {}).items():
            target = None if field is None else target_of(field)
            if field is not None and target is None:
                msg = f'columns: "{visible(field)}", which "{visible(name)}" is mapped to, is not a field of a post'
                raise ConfigurationError(msg + suggestion(field))
            self._exact[name] = target
        self._similar = {_similar_name(name): target for name, target in self._exact.items()}

    def find(self, name: str) -> tuple[bool, str | None]:
        """Return whether a column's name is known, and the field that it fills (``None`` if it is ignored)."""
        known, target = self._find_named(name)
        return known or is_note(name), target

    def count_known(self, names: Iterable[str]) -> int:
        """Return how many of ``names`` are known, notes left out: how much a row looks like a header."""
        return sum(self._find_named(name)[0] for name in names if name.strip(BLANKS))

    def count_usual(self, names: Iterable[str]) -> int:
        """Return how many of ``names`` the caller names, or are usual for a column."""
        filled = [name for name in names if name.strip(BLANKS)]
        return sum(self._find_named(name)[0] or normal_name(name) in SYNONYM_OF for name in filled)

    def is_header(self, cells: Sequence[object]) -> bool:
        """Tell whether the first row of a file without a header is one all the same."""
        del cells
        return False

    def advice(self, names: Sequence[str], row: int = 1) -> str:
        """Return the beginning of an error about a header: which recipe fits it; empty if none does.

        Args:
            names: the cells of the header, or of a row below it.
            row: which row that is.

        """
        # A file with the fields' own names has a misspelt column, and is not of another program.
        is_own = sum(normal_name(name) in _FIELD_NAMES for name in names) >= 3
        found = self.recipe_for(names, row) if self.recipe_for is not None and not is_own else None
        return f"this looks like a file for the recipe {found}: {self.words.option('recipe', found)}; " if found else ""

    def missing_from(self, names: Iterable[str]) -> list[str]:
        """Return the names in the mapping that no column has."""
        present = set(numbered(list(names)))
        similar = {_similar_name(name) for name in present}
        return [name for name in self.names if name not in present and _similar_name(name) not in similar]

    def _find_named(self, name: str) -> tuple[bool, str | None]:
        if name in self._exact:
            return True, self._exact[name]
        similar = _similar_name(name)
        if similar in self._similar:
            return True, self._similar[similar]
        target = target_of(name)
        return target is not None, target


def suggestion(name: str) -> str:
    """Return the end of a message that names the field most like ``name``; empty if none is like it."""
    near = nearest_target(name)
    return f"; did you mean {near}?" if near else ""
