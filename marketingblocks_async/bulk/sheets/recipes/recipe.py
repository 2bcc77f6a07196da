"""Recipes: how the spreadsheet of another program becomes posts.

A recipe is a small TOML file. Those of well-known programs come with the package (``recipes/``); anyone can write their
own. It has nothing that is particular to one user, such as ids of channels. If something is missing, an error names the
option that gives it.

    title = "Our content calendar"
    format_seen = "our own"

    [columns]                       # column in the file = field of the post ("" leaves a column out)
    "Copy" = "caption_text"
    "Publish date" = "date"
    "Publish time" = "time"
    "Asset *" = "media_urls"        # Asset 1, Asset 2, ...
    "Link" = "link"                 # stands below the caption
    "Facebook" = "facebook"         # yes or no: whether the row goes to Facebook
    "Instagram" = "instagram"

    [set]                           # the same for every row
    publish_mode = "scheduled"

    [default]                       # where a cell is empty
    post_type = "post"
    time_zone = "Europe/Berlin"

    [where]                         # only these rows
    Approved = "yes"
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import resources
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal, NoReturn, Self, TypeAlias, cast

from marketingblocks_async.bulk.sheets.cells import BLANKS, CellError, enum_reader, read_whole_number
from marketingblocks_async.bulk.sheets.columns import ALIASES, target_of
from marketingblocks_async.bulk.sheets.dates import compile_form, read_clock
from marketingblocks_async.bulk.sheets.display import visible
from marketingblocks_async.bulk.sheets.spellings import PLATFORMS, POST_TYPES, spelled
from marketingblocks_async.bulk.sheets.words import PYTHON, Words
from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.models import ChannelType, PostType, PrivacyStatus, PublishMode
from marketingblocks_async.models.schedule import zone_of

RecipeLike: TypeAlias = "str | PathLike[str] | Recipe"
"""Name of a recipe that comes with the package, path of your own (``.toml``), or a ``Recipe``."""

DATE, TIME, LINK, CHANNEL = "date", "time", "link", "channel"
"""Targets of a column besides the fields of a post: the day and the time of day of ``schedule_time``, an address
that stands below the caption, and names of channels."""

_PARTS = {
    DATE: "the day that a post goes out",
    TIME: "the time of day",
    LINK: "an address that stands below the caption",
    CHANNEL: "names of platforms or channels",
}
_PLATFORM_NAMES = tuple(platform.value for platform in ChannelType)
_FOLDER = resources.files("marketingblocks_async.bulk.sheets.recipes")
_ORIGINS = {"http": "documentation", "in programs": "programs", "from memory": "memory"}
"""Beginnings of ``format_seen`` → where the format was seen."""

_SEPARATED = ("media_urls", "hash_tags", CHANNEL)
_FIXED = (
    "channel_type", "channel_id", "post_type", "caption_text", "publish_mode", "time_zone", "hash_tags",
    "schedule_time", "post_extra.title", "post_extra.category", "post_extra.privacy_status", TIME,
)  # fmt: skip
_ENUMS = {
    "channel_type": ChannelType,
    "post_type": PostType,
    "publish_mode": PublishMode,
    "post_extra.privacy_status": PrivacyStatus,
}


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel that posts go to.

    Attributes:
        platform: for example ``facebook``.
        channel_id: id of the connected account.

    """

    platform: str
    channel_id: str


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on the rows that are taken.

    Attributes:
        column: name of the column.
        values: what its cell says, any of them; capitals do not matter.
        wanted: whether rows that say so are taken, or the others.

    """

    column: str
    values: tuple[str, ...]
    wanted: bool = True

    def __str__(self) -> str:
        """Return it as the option ``--where`` takes it."""
        return f"{self.column}{'=' if self.wanted else '!='}{'|'.join(self.values)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The rules by which a spreadsheet becomes posts. The guide "Recipes" describes its file.

    Attributes:
        name: of a recipe that comes with the package, or the file's path; empty if it was made of options.
        title: what it is for.
        format_seen: where the format was seen: an address, or ``from memory``.
        notes: what its user should know.
        columns: column in the file → field; ``None`` leaves it out. A ``*`` in a name stands for any text; the
            second of two columns with one name is called ``name #2``.
        other_columns: what to do about columns that are not known: ``refuse`` them, or leave them out and say so
            (``ignore``).
        fixed: field → the value of every row.
        defaults: field → the value where the cell is empty.
        values: field → what the file says → what that is called here.
        date_formats: how dates are written; empty to find out from the whole column.
        separators: ``media_urls``, ``hash_tags`` or ``channel`` → what separates the entries inside a cell.
        channels: name that the file gives to a channel, or a platform → the channels that it stands for.
        where: which rows are taken.
        header: row of the header among the rows that are not blank, 0 if the file has none; columns are then named
            by their letter.
        sheet: name of the worksheet.
        encoding: of a text file.
        delimiter: the sign between the columns of a text file.
        words: how errors name the options.

    """

    name: str = ""
    title: str = ""
    format_seen: str = ""
    notes: str = ""
    columns: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])
    other_columns: Literal["refuse", "ignore"] = "refuse"
    fixed: Mapping[str, str] = field(default_factory=dict[str, str])
    defaults: Mapping[str, str] = field(default_factory=dict[str, str])
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    date_formats: tuple[str, ...] = ()
    separators: Mapping[str, str] = field(default_factory=dict[str, str])
    channels: Mapping[str, tuple[Channel, ...]] = field(default_factory=dict[str, tuple[Channel, ...]])
    where: tuple[Condition, ...] = ()
    header: int = 1
    sheet: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    words: Words = PYTHON

    def __post_init__(self) -> None:
        """Check every part, so that a recipe that exists can be used.

        Raises:
            ConfigurationError: a part cannot be meant; the message says which and what to write.

        """
        object.__setattr__(self, "columns", {name: checked_target(to, name) for name, to in self.columns.items()})
        object.__setattr__(self, "fixed", dict(_checked_values(self.fixed, "set")))
        object.__setattr__(self, "defaults", dict(_checked_values(self.defaults, "default")))
        for name in self.values:
            if target_of(name) not in _ENUMS and target_of(name) not in ALIASES:
                _refuse(f"[values.{name}]: there is no field {name}{_did_you_mean(name, ALIASES)}")
        for form in self.date_formats:
            compile_form(form)
        for name, sign in self.separators.items():
            if name not in _SEPARATED:
                _refuse(f"[separators] {name}: give {_either(_SEPARATED)}")
            in_an_address = "" if name == CHANNEL else "/:.?&=%#@~+-_"
            if not sign or any(character.isalnum() or character in f"\"'[]{{}}{in_an_address}" for character in sign):
                _refuse(f"[separators] {name} = {sign!r}: give a sign that is no part of an address, for example ','")
        if self.other_columns not in ("refuse", "ignore"):
            _refuse(f'other_columns = {self.other_columns!r}: give "refuse" or "ignore"')
        if self.header < 0:
            _refuse(
                f"header = {self.header}: give the number of the row with the names of the columns, 0 if there is none"
            )
        if self.delimiter is not None and (
            len(self.delimiter) != 1 or self.delimiter.isalnum() or self.delimiter in '"\r\n'
        ):
            _refuse(f"delimiter = {self.delimiter!r}: give one sign, for example ';'")

    @property
    def is_plain(self) -> bool:
        """Whether it has no rules for columns and values, so that the file is read as it is."""
        says = (
            self.name, self.columns, self.fixed, self.defaults, self.values, self.date_formats, self.separators,
            self.channels, self.where,
        )  # fmt: skip
        return not any(says) and self.header == 1 and self.other_columns == "refuse"

    @property
    def origin(self) -> str:
        """The source of the format: ``documentation``, ``programs`` that write it, ``memory``, or ``own``.

        A file may differ from a format that is from memory.
        """
        found = (origin for beginning, origin in _ORIGINS.items() if self.format_seen.startswith(beginning))
        return next(found, "own")

    def with_options(
        self,
        *,
        columns: Mapping[str, str | None] | None = None,
        fixed: Mapping[str, str] | None = None,
        defaults: Mapping[str, str] | None = None,
        date_formats: Sequence[str] = (),
        separators: Mapping[str, str] | None = None,
        channels: Iterable[str] = (),
        where: Iterable[str] = (),
        **others: Any,
    ) -> Self:
        """Return the recipe with parts of it replaced.

        Args:
            columns: added to its columns, and before them.
            fixed: added to its fixed values; they win over a column that holds the field.
            defaults: added to its defaults.
            date_formats: instead of its own, if there are any.
            separators: added to its own.
            channels: ``PLATFORM:ID`` or ``NAME=PLATFORM:ID`` each; those of one name instead of its own.
            where: ``COLUMN=VALUE`` or ``COLUMN!=VALUE`` each; added to its own, those about one column instead of them.
            others: ``header``, ``sheet``, ``encoding``, ``delimiter``, ``other_columns``, ``words``; ``None`` leaves
                it.

        Raises:
            ConfigurationError: one of them cannot be meant.

        """
        added = parse_channels(channels)
        conditions = parse_conditions(where)
        about = {spelled(condition.column) for condition in conditions}
        return replace(
            self,
            columns={
                **(columns or {}),
                **{name: to for name, to in self.columns.items() if name not in (columns or {})},
            },
            fixed={**self.fixed, **(fixed or {})},
            defaults={**self.defaults, **(defaults or {})},
            date_formats=tuple(date_formats) or self.date_formats,
            separators={**self.separators, **(separators or {})},
            channels={**self.channels, **added},
            where=(*(each for each in self.where if spelled(each.column) not in about), *conditions),
            **{name: value for name, value in others.items() if value is not None},
        )


def load_recipe(given: RecipeLike) -> Recipe:
    """Return a recipe.

    Args:
        given: name of one that comes with the package, path of your own, or a ``Recipe``.

    Raises:
        ConfigurationError: there is none of that name, or the file cannot be read or says something that cannot be
            meant.

    """
    if isinstance(given, Recipe):
        return given
    text = fspath(given)
    if text.endswith(".toml") or "/" in text or "\\" in text or not isinstance(given, str):
        try:
            content = Path(text).read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as exc:
            msg = f"recipe {text}: it cannot be read ({exc.strerror if isinstance(exc, OSError) else exc})"
            raise ConfigurationError(msg) from exc
        return parse_recipe(content, text)
    names = recipe_names()
    found = next((name for name in names if spelled(name) == spelled(text)), None)
    if found is None:
        _refuse(
            f"there is no recipe {visible(text)!r}{_did_you_mean(text, names)}; there are {', '.join(names)}, "
            "or give the path of your own (FILE.toml)"
        )
    return _shipped(found)


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the package."""
    return list(_shipped_names())


@lru_cache(maxsize=1)
def _shipped_names() -> tuple[str, ...]:
    # Asked for each file that is read, and listing the folder takes longer than reading a short one.
    found = (entry.name for entry in _FOLDER.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml")))


@lru_cache(maxsize=64)
def _shipped(name: str) -> Recipe:
    return parse_recipe(_shipped_text(name), name)


def _shipped_text(name: str) -> str:
    return _FOLDER.joinpath(f"{name}.toml").read_text(encoding="utf-8")


def recipe_text(given: str) -> str:
    """Return a recipe as it is written; ``given`` as for ``load_recipe()``."""
    recipe = load_recipe(given)
    return _shipped_text(recipe.name) if recipe.name in recipe_names() else Path(given).read_text(encoding="utf-8-sig")


def parse_recipe(text: str, name: str = "") -> Recipe:
    """Return the recipe that a TOML text describes.

    Args:
        text: the TOML.
        name: what errors call it.

    Raises:
        ConfigurationError: it is no TOML, or says something that cannot be meant.

    """
    try:
        data = tomllib.loads(text)
        return Recipe(name=name, **dict(_parts_of(data)))
    except tomllib.TOMLDecodeError as exc:
        msg = f'recipe {name}: it is not TOML: {exc}; names with spaces need quotes, like "Post text" = "caption_text"'
        raise ConfigurationError(msg) from None
    except ConfigurationError as exc:
        msg = f"recipe {name}: {exc}"
        raise ConfigurationError(msg) from None


_TEXTS = ("title", "format_seen", "notes", "other_columns")
_TABLES = ("columns", "set", "default", "values", "dates", "separators", "channels", "where", "unless", "file")
_FILE_KEYS: dict[str, type] = {"header": int, "sheet": str, "encoding": str, "delimiter": str}


def _parts_of(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the arguments of ``Recipe`` that a TOML document says."""
    for key, value in data.items():
        if key in _TEXTS:
            yield key, _text(value, key)
        elif key not in _TABLES:
            _refuse(f"there is no {visible(key)!r} in a recipe{_did_you_mean(key, (*_TEXTS, *_TABLES))}")
        elif not isinstance(value, dict):
            _refuse(f"{key} is a table: write [{key}] and its entries below it")
    table = {key: cast("dict[str, Any]", data.get(key, {})) for key in _TABLES}
    yield "columns", {name: _text(to, f"[columns] {name}") or None for name, to in table["columns"].items()}
    yield "fixed", {name: _plain(value, f"[set] {name}") for name, value in _flat(table["set"])}
    yield "defaults", {name: _plain(value, f"[default] {name}") for name, value in _flat(table["default"])}
    yield "values", dict(_value_maps(table["values"]))
    yield "date_formats", tuple(_only_key(table["dates"], "dates", "format"))
    yield "separators", {name: _text(sign, f"[separators] {name}") for name, sign in table["separators"].items()}
    channels: dict[str, tuple[Channel, ...]] = {}
    for name, given in table["channels"].items():
        channels |= parse_channels(f"{name}={each}" for each in _texts(given, f"[channels] {name}"))
    yield "channels", channels
    yield (
        "where",
        tuple(
            Condition(column, tuple(_texts(given, f"[{key}] {column}")), wanted)
            for key, wanted in (("where", True), ("unless", False))
            for column, given in table[key].items()
        ),
    )
    yield from _file_parts(table["file"])


def _value_maps(table: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    for name, mapping in table.items():
        if not isinstance(mapping, dict):
            _refuse(f"[values] {name}: write [values.{name}] and, below it, what the file says = what that is here")
        entries = cast("dict[str, Any]", mapping)
        yield name, {said: _plain(is_, f"[values.{name}] {said}") for said, is_ in entries.items()}


def _file_parts(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if key not in _FILE_KEYS:
            _refuse(f"[file] has no {visible(key)!r}{_did_you_mean(key, _FILE_KEYS)}; it has {', '.join(_FILE_KEYS)}")
        if key == "header" and value is False:
            yield key, 0
        elif not isinstance(value, _FILE_KEYS[key]) or isinstance(value, bool):
            _refuse(f"[file] {key}: give {'a number' if _FILE_KEYS[key] is int else 'text'}, not {value!r:.40}")
        else:
            yield key, value


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the entries of a table; ``post_extra.title = …`` without quotes is a table in TOML."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(cast("dict[str, Any]", value), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _only_key(table: Mapping[str, Any], name: str, key: str) -> list[str]:
    for found in table:
        if found != key:
            _refuse(f"[{name}] has no {visible(found)!r}; it has {key}")
    return _texts(table[key], f"[{name}] {key}") if key in table else []


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        _refuse(f"{where}: give text in quotes, not {value!r:.40}")
    return value


def _plain(value: object, where: str) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool):
        _refuse(f"{where}: give text or a whole number, not {value!r:.40}")
    return str(value)


def _texts(value: object, where: str) -> list[str]:
    given = cast("list[object]", value) if isinstance(value, list) else [value]
    return ["true" if each is True else "false" if each is False else _plain(each, where) for each in given]


def _refuse(message: str) -> NoReturn:
    raise ConfigurationError(message)


def checked_target(target: str | None, column: str) -> str | None:
    """Return what a column holds, under its one name.

    The recipe says a field or another name of it, ``date``, ``time``, ``link``, ``channel``, a platform (the column
    says yes or no), or ``<platform>.<field>``; ``None`` leaves the column out.

    Raises:
        ConfigurationError: there is nothing of that name.

    """
    if target is None:
        return None
    name = target.strip(BLANKS)
    if name in _PARTS or name in _PLATFORM_NAMES:
        return name
    platform, _, rest = name.partition(".")
    if (
        rest
        and platform in _PLATFORM_NAMES
        and (found := target_of(rest)) in ("caption_text", "post_type", "media_urls")
    ):
        return f"{platform}.{found}"
    if found := target_of(name):
        return found
    known = (*ALIASES, *_PARTS, *_PLATFORM_NAMES)
    _refuse(
        f'column "{visible(column)}": there is no field "{visible(name)}"{_did_you_mean(name, known)}; '
        f"give a field of a post, {', '.join(_PARTS)}, or a platform for a column of yes and no"
    )


def _checked_values(given: Mapping[str, str], option: str) -> Iterator[tuple[str, str]]:
    """Yield field and value of fixed values and defaults, each checked as a cell would be."""
    for name, value in given.items():
        platform, _, rest = name.partition(".")
        prefix = f"{platform}." if rest and platform in _PLATFORM_NAMES else ""
        target = name if name == TIME else target_of(rest if prefix else name)
        if target == TIME and option == "set":
            _refuse("set time: it would not win over the time of a row; give it as a default, for rows without one")
        if target not in _FIXED or (prefix and target != "post_type"):
            near, known = _did_you_mean(name, _FIXED), [each for each in _FIXED if each != TIME or option != "set"]
            _refuse(f"{option} {name}: this cannot be the same for every row{near}; give {_either(known)}")
        yield f"{prefix}{target}", checked_value(str(target), value, f"{option} {name}")


def checked_value(target: str, value: str, where: str) -> str:
    """Return the text of a cell as the field ``target`` sends it; errors call its place ``where``."""
    text = value.strip(BLANKS)
    if not text:
        return _empty(where)
    try:
        return _sent_as(target, text) or _empty(where)
    except (CellError, ValueError) as exc:
        msg = f"{where} = {value!r:.60}: {exc}"
        raise ConfigurationError(msg) from None


def _sent_as(target: str, text: str) -> str | None:
    if target == "channel_type" and (platform := PLATFORMS.get(spelled(text))):
        return platform.value
    if target == "post_type" and (kind := POST_TYPES.get(spelled(text))):
        return kind.value
    if target in _ENUMS:
        return str(enum_reader(_ENUMS[target])(text))
    if target in ("channel_id", "post_extra.category"):
        return str(read_whole_number(text))
    if target == TIME:
        return read_clock(text)
    if target == "time_zone":
        zone_of(text)
    return text


def _empty(where: str) -> str:
    _refuse(f"{where}: it is empty; give a value, or leave it out")


_CHANNEL = re.compile(r"(?:(?P<name>.+)=)?\s*(?P<platform>[^:=]+?)\s*:\s*(?P<id>[0-9]+)\s*", re.DOTALL)


def parse_channels(given: Iterable[str]) -> dict[str, tuple[Channel, ...]]:
    """Return the channels that names stand for.

    A platform is given as ``PLATFORM:ID``, and a name that the file gives to a channel as ``NAME=PLATFORM:ID``.

    Raises:
        ConfigurationError: one of them is not of that form, or names no platform.

    """
    found: dict[str, list[Channel]] = {}
    for text in given:
        parts = _CHANNEL.fullmatch(text)
        if parts is None:
            _refuse(f"channel {visible(text)!r}: write PLATFORM:ID, for example facebook:11, or NAME=PLATFORM:ID")
        platform = checked_value("channel_type", parts["platform"], f"channel {visible(text)}")
        channel = Channel(platform, str(int(parts["id"])))
        name = (parts["name"] or platform).strip(BLANKS)
        name = PLATFORMS[spelled(name)].value if spelled(name) in PLATFORMS else name
        known = found.setdefault(name, [])
        if channel not in known:
            known.append(channel)
    return {name: tuple(channels) for name, channels in found.items()}


_CONDITION = re.compile(r"(?P<column>[^=]*[^=!])\s*(?P<sign>!?=)\s*(?P<value>.*)", re.DOTALL)


def parse_conditions(given: Iterable[str]) -> tuple[Condition, ...]:
    """Return which rows are taken: ``COLUMN=VALUE`` or ``COLUMN!=VALUE`` each.

    Several values for one column, or between ``|``, mean any of them.

    Raises:
        ConfigurationError: one of them is not of that form.

    """
    found: dict[tuple[str, bool], list[str]] = {}
    for text in given:
        parts = _CONDITION.fullmatch(text)
        if parts is None:
            _refuse(f'where {visible(text)!r}: write COLUMN=VALUE, for example --where "Approved=yes"')
        values = [value.strip(BLANKS) for value in parts["value"].split("|")]
        found.setdefault((parts["column"].strip(BLANKS), parts["sign"] == "="), []).extend(values)
    return tuple(Condition(column, tuple(values), wanted) for (column, wanted), values in found.items())


def _either(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}"


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
