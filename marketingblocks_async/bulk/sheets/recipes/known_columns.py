"""Find the fields that the columns of another program's spreadsheet hold."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from marketingblocks_async.bulk.sheets.approval_words import approval_in
from marketingblocks_async.bulk.sheets.cells import BLANKS
from marketingblocks_async.bulk.sheets.columns import (
    SEVERAL,
    SYNONYM_OF,
    Header,
    is_note,
    name_pattern,
    normal_name,
    numbered,
    usual_target,
    without_signs,
    without_size,
)
from marketingblocks_async.bulk.sheets.display import visible
from marketingblocks_async.bulk.sheets.layout import HeaderProblem, columns_in, same_field, unknown_column
from marketingblocks_async.bulk.sheets.spellings import PLATFORMS, spelled
from marketingblocks_async.bulk.sheets.words import Words
from marketingblocks_async.models import ChannelType

from .recipe import CHANNEL, DATE, LINK, TIME, Recipe, load_recipe, recipe_names

PLATFORM_NAMES = frozenset(platform.value for platform in ChannelType)

_IN_ITS_RECIPE, _USUAL, _NEARLY_USUAL, _WITHOUT_SIGNS, _UNKNOWN = range(5)
"""How sure it is what a column holds: the recipe names it, its name is usual, or is so without a bracket at its end, or
without emoji and signs.
"""

_NUMBERED = re.compile(" ?#[0-9]+$")
"""What ``numbered()`` adds to the name of a second column that is called the same."""

_DAYS = frozenset({"day", "jour"})
"""Normal names of columns that hold the date or the weekday."""

_HALVES = frozenset({"ampm", "amorpm", "meridiem", "meridian", "timeampm", "halfofday", "halfoftheday"})
"""Names of columns (as ``spelled()`` gives them) that hold AM or PM."""


class _Column(NamedTuple):
    """One column of the file, and what it holds."""

    place: int
    name: str
    target: str | None
    strength: int
    """How sure that is, from ``_IN_ITS_RECIPE`` to ``_UNKNOWN``."""


class Columns:
    """Finds out what each column of a header holds.

    Args:
        recipe: how they are read.
        names: of the columns, as ``numbered()`` returns them; ``None`` if each name is looked at alone.

    """

    def __init__(self, recipe: Recipe, names: Sequence[str] | None = None) -> None:
        self._header = None if names is None else Header(names)
        self._exact: dict[str, str | None] = {}
        self._patterns: list[tuple[re.Pattern[str], str | None]] = []
        for name, target in recipe.columns.items():
            if "*" in name and not (self._header and self._header.has(name)):
                self._patterns.append((name_pattern(name), target))
            else:
                self._exact.setdefault(normal_name(name), target)

    def find(self, name: str) -> tuple[str | None, int]:
        """Return what a column holds, and how sure that is (see ``_Column``)."""
        normal = normal_name(name)
        plain = normal_name(without_signs(name)) if self._header is None else self._header.plain(name)
        for each in (normal, plain):
            if each in self._exact:
                return self._exact[each], _IN_ITS_RECIPE
        for pattern, target in self._patterns:
            if pattern.fullmatch(normal) or pattern.fullmatch(plain):
                # "Post*" is the caption, but "Post date" is none.
                return SYNONYM_OF.get(plain, target) if target == "caption_text" else target, _IN_ITS_RECIPE
        if is_note(name):
            return None, _IN_ITS_RECIPE
        # The second column of one name holds what the first does.
        name = _NUMBERED.sub("", name)
        found, is_whole = usual_target(name)
        plain = normal_name(without_signs(name))
        if found is None and (word := spelled(plain)) in PLATFORMS:
            found, is_whole = PLATFORMS[word].value, True
        if found is None:
            return None, _UNKNOWN
        # Two columns of one platform are told apart by nothing else, and are refused.
        if plain != normal_name(name) and found.partition(".")[0] not in PLATFORM_NAMES:
            return found, _WITHOUT_SIGNS
        return found, _USUAL if is_whole else _NEARLY_USUAL

    def said(self, name: str) -> tuple[str | None, bool]:
        """Return what a column holds, and whether the recipe says so."""
        target, strength = self.find(name)
        return target, strength == _IN_ITS_RECIPE and not is_note(name)

    def names_exactly(self, name: str) -> bool:
        """Tell whether the recipe names the column without a ``*``."""
        return normal_name(name) in self._exact or normal_name(without_signs(name)) in self._exact

    def count_known(self, names: Iterable[str]) -> int:
        """Return how many of ``names`` are known: how much a row looks like the header."""
        return sum(self.find(name)[1] < _UNKNOWN for name in names if name.strip(BLANKS) and not is_note(name))


@dataclass(slots=True)
class Sources:
    """The columns that the fields of a row come from, by their indexes.

    Attributes:
        names: names of the columns.
        single: field → its column.
        several: field → all columns that hold a part of it; of one platform as ``<platform>.media_urls``.
        flags: platform → the column that says whether a row goes there.
        overrides: platform → field → the column that holds it for this platform.
        left_out: columns that hold no field.
        unknown: those of them that no recipe and no option names.
        days: those of them that hold the weekday, since another column holds the date.
        half: the column that says AM or PM.
        problems: what is wrong with the header.
        header: finds the columns that options name.

    """

    names: list[str]
    single: dict[str, int] = field(default_factory=dict[str, int])
    several: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    flags: dict[str, int] = field(default_factory=dict[str, int])
    overrides: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    left_out: list[int] = field(default_factory=list[int])
    unknown: list[int] = field(default_factory=list[int])
    days: list[int] = field(default_factory=list[int])
    half: int | None = None
    problems: list[HeaderProblem] = field(default_factory=list[HeaderProblem])
    header: Header = field(init=False)

    def __post_init__(self) -> None:
        self.header = Header(self.names)

    def target_of(self, index: int) -> str | None:
        """Return the field that a column fills, ``None`` if it fills none."""
        shown = {DATE: "schedule_time", TIME: "schedule_time", CHANNEL: "channel_type", LINK: "caption_text"}
        places = {place: shown.get(target, target) for target, place in self.single.items()}
        places |= {place: shown.get(target, target) for target, each in self.several.items() for place in each}
        places |= dict.fromkeys(self.flags.values(), "channel_type")
        places |= {} if self.half is None else {self.half: "schedule_time"}
        for platform, fields in self.overrides.items():
            places |= {place: f"{platform}.{name}" for name, place in fields.items()}
        return places.get(index)

    def name_of(self, target: str) -> str:
        """Return what errors call the column, or the columns, of a field."""
        single = self.single
        several: dict[str, list[int | None]] = {
            "schedule_time": [single.get("schedule_time"), single.get(DATE), single.get(TIME), self.half],
            "channel_type": [single.get("channel_type"), single.get(CHANNEL), *self.flags.values()],
            "media_urls": [*self.several.get("media_urls", [])],
        }
        wanted = [index for index in several.get(target, [single.get(target)]) if index is not None]
        names = [self.names[index].strip(BLANKS) for index in wanted or self._own(target)]
        return ", ".join([names[0], "…", names[-1]] if len(names) > 3 else names) or target

    def _own(self, target: str) -> list[int]:
        """Return the columns that hold a field for single platforms."""
        own = [fields[target] for fields in self.overrides.values() if target in fields]
        return sorted([*own, *(place for name in PLATFORM_NAMES for place in self.several.get(f"{name}.{target}", []))])


def is_several(target: str) -> bool:
    """Tell whether several columns can hold a target together."""
    platform, _, field = target.partition(".")
    return target in SEVERAL or (platform in PLATFORM_NAMES and field in SEVERAL)


def is_half(name: str) -> bool:
    """Tell whether a column holds AM or PM."""
    return spelled(name) in _HALVES


def _is_day(column: _Column) -> bool:
    """Tell whether a column with a usual name holds the date, or the weekday if another one holds the date."""
    name = normal_name(without_signs(_NUMBERED.sub("", column.name)))
    return column.target == DATE and _IN_ITS_RECIPE < column.strength < _UNKNOWN and name in _DAYS


def _says_platforms_beside(column: _Column, taken: Mapping[str, _Column]) -> bool:
    """Tell whether a column such as "Channels" has the platforms of the channels that a recipe's column names."""
    is_usual = column.target == CHANNEL and _IN_ITS_RECIPE < column.strength < _UNKNOWN
    first = taken.get(CHANNEL)
    if not is_usual or first is None or first.strength != _IN_ITS_RECIPE or "channel_type" in taken:
        return False
    return not any(word in normal_name(column.name) for word in ("account", "page", "profile"))


def assign(names: Sequence[str], recipe: Recipe) -> Sources:
    """Return which column fills what; a column that the recipe names goes before one with a usual name."""
    sources = Sources(numbered(names))
    known = Columns(recipe, sources.names)
    found = [_Column(index, name, *known.find(name)) for index, name in enumerate(sources.names) if name.strip(BLANKS)]
    found = [each._replace(strength=max(each.strength, _NEARLY_USUAL)) if _is_day(each) else each for each in found]
    taken: dict[str, _Column] = {}
    conditions = {place for condition in recipe.where for place in sources.header.places(condition.column)}
    for column in sorted(found, key=lambda each: (each.strength, each.place)):
        if _says_platforms_beside(column, taken):
            # Another column was said to hold the channels, such as "Client".
            column = column._replace(target="channel_type")  # noqa: PLW2901 - the same column, read in another way
        if column.target is None:
            if column.place in conditions or is_note(column.name):
                continue
            if column.strength == _UNKNOWN and sources.half is None and is_half(column.name):
                sources.half = column.place
            elif column.strength == _UNKNOWN and recipe.other_columns == "refuse":
                shown = visible(column.name)
                sources.problems.append(HeaderProblem(shown, unknown_column(shown, column.name, recipe.words)))
            else:
                sources.left_out.append(column.place)
                sources.unknown += [column.place] if column.strength == _UNKNOWN else []
        elif (first := _first(column, taken)) is column:
            _place(sources, column.target, column.place)
        elif first.strength == column.strength:
            message = _both(visible(first.name), visible(column.name), column.target, recipe.words)
            sources.problems.append(HeaderProblem(visible(column.name), message))
        else:
            sources.left_out.append(column.place)
            sources.days += [column.place] if _is_day(column) else []
    sources.left_out += [index for index, name in enumerate(sources.names) if not name.strip(BLANKS)]
    sources.left_out.sort()
    _check_conditions(sources, recipe)
    sources.problems += [*_repeated(sources, found, recipe), *_sizes(found, recipe)]
    return sources


def _first(column: _Column, taken: dict[str, _Column]) -> _Column:
    """Return the column that holds a target already; the column itself if it is the first, or one of several."""
    target = column.target or ""
    if not is_several(target):
        return taken.setdefault(target, column)
    taken.setdefault(target, column)
    # "Image" and "Image 2" are published together. "Image \u2b50" may be the chosen one of two.
    first = taken.setdefault(f"{target} {normal_name(without_signs(column.name))}", column)
    return first if column.strength == _WITHOUT_SIGNS else column


def _both(first: str, second: str, target: str, words: Words) -> str:
    """Return what to do about two columns of which it is not clear which one holds a target."""
    if not is_several(target):
        return same_field(first, second, target, words)
    return (
        f'the names of "{first}" and "{second}" differ in signs alone; leave one out: {words.ignore(first)} or '
        f"{words.ignore(second)}; to send both, say {words.map(first, target)} and {words.map(second, target)}"
    )


def _repeated(sources: Sources, found: Sequence[_Column], recipe: Recipe) -> Iterator[HeaderProblem]:
    """Yield what to do about media and links in groups of columns, one for each platform.

    Of the captions of such a file, the options say which platform each is for.
    """
    base = {column.place: normal_name(_NUMBERED.sub("", column.name)) for column in found}
    times = Counter(base.values())
    captions = [fields["caption_text"] for fields in sources.overrides.values() if "caption_text" in fields]
    if all(times[base[place]] == 1 for place in captions):
        return
    for column in found:
        if column.target in SEVERAL and column.strength != _IN_ITS_RECIPE and times[base[column.place]] > 1:
            shown, words = visible(column.name), recipe.words
            own = words.map(shown, "PLATFORM.media_urls") if column.target == "media_urls" else words.ignore(shown)
            message = (
                f'"{shown}" shares its name with other columns, as the captions do; if it is for one platform, say '
                f"{own}; if it is for all, say {words.map(shown, column.target)}"
            )
            yield HeaderProblem(shown, message)


def _sizes(found: Sequence[_Column], recipe: Recipe) -> Iterator[HeaderProblem]:
    """Yield what to do about one picture in several sizes, which would be published beside each other."""
    # A picture without a size is one of them, too.
    media = [column for column in found if column.target == "media_urls" and without_size(column.name) is None]
    seen = {normal_name(without_signs(column.name)): column for column in media}
    for column in found:
        head = without_size(column.name)
        if head is None or column.strength not in (_NEARLY_USUAL, _WITHOUT_SIGNS) or column.target != "media_urls":
            continue
        if (first := seen.setdefault(normal_name(head), column)) is not column:
            one, other, words = visible(first.name), visible(column.name), recipe.words
            message = (
                f'"{one}" and "{other}" seem to be one picture in two sizes; leave one out: {words.ignore(one)} or '
                f"{words.ignore(other)}; to send both, say {words.map(other, column.target)}"
            )
            yield HeaderProblem(other, message)


def _place(sources: Sources, target: str, index: int) -> None:
    platform, _, rest = target.partition(".")
    if is_several(target):
        sources.several[target] = sorted([*sources.several.get(target, []), index])
    elif target in PLATFORM_NAMES:
        sources.flags[target] = index
    elif rest and platform in PLATFORM_NAMES:
        sources.overrides.setdefault(platform, {})[rest] = index
    else:
        sources.single[target] = index


def _check_conditions(sources: Sources, recipe: Recipe) -> None:
    own = {normal_name(name) for name in recipe.columns}
    for condition in recipe.where:
        places, shown = sources.header.places(condition.column), visible(condition.column)
        message = ""
        # A recipe may exclude rows, such as drafts, by a column that not every file of its program has.
        if not places and (condition.wanted or normal_name(condition.column) not in own):
            message = (
                f'the rows are chosen by the column "{shown}", which is not in the header; {columns_in(sources.names)}'
            )
        elif len(places) > 1:
            one, other = (visible(sources.names[place].strip(BLANKS)) for place in places[:2])
            message = f'the rows are chosen by the column "{shown}", which may be "{one}" or "{other}"; write its name'
        elif not condition.wanted and sources.header.has(f"{condition.column}!"):
            message = (
                f'"{shown}!=" may mean the column "{shown}!", or rows without a word in "{shown}"; for the former, '
                f'write "{shown}!*="; for the latter, rename one of the columns'
            )
        if message:
            sources.problems.append(HeaderProblem(shown, message))


@lru_cache(maxsize=1)
def _own_columns() -> Mapping[str, Columns]:
    return {name: Columns(load_recipe(name)) for name in recipe_names()}


def fitting_recipe(names: Sequence[str], row: int = 1) -> str | None:
    """Return the recipe that names most of a header's columns itself, ``None`` if none names enough of them.

    Args:
        names: of the columns.
        row: the last one of the header, since recipes may have several.

    """
    given = [name for name in numbered(names) if normal_name(name)]
    best, most = None, 0
    for recipe, columns in _own_columns().items():
        if load_recipe(recipe).header != row:
            continue
        found = [(columns.find(name), columns.names_exactly(name)) for name in given]
        named = [target for (target, strength), _ in found if strength == _IN_ITS_RECIPE]
        # A whole name says more than a beginning that many programs share.
        score = len(named) + sum(exact for _, exact in found)
        fields = [target for target in named if target is not None]
        once = [target for target in fields if target not in SEVERAL]
        # A recipe that finds one field in two columns would only lead to the next error.
        # A row of platforms alone may stand above a header.
        is_enough = sum(target not in PLATFORM_NAMES for target in fields) >= 3
        fits = is_enough and len(named) >= len(given) * 0.6 and len(once) == len(set(once))
        if fits and score > most:
            best, most = recipe, score
    # A plain calendar has no column that only one program writes, and a recipe from memory may be wrong.
    is_plain = best is not None and load_recipe(best).origin == "memory" and _is_of_calendar(given, best)
    return "calendar" if is_plain else best


def _is_of_calendar(names: Sequence[str], recipe: str) -> bool:
    """Tell whether ``calendar`` knows every column that a recipe names, and finds the same in it."""
    own, usual = _own_columns()[recipe], _own_columns()["calendar"]
    channels = {CHANNEL, "channel_type"}
    for name in names:
        (target, strength), other = own.find(name), usual.find(name)[0]
        is_same = target == other or {target, other} <= channels
        # To leave a column out is the same only if it is one of an approval, which every recipe looks at.
        if strength == _IN_ITS_RECIPE and not (approval_in(name) is not None if target is None else is_same):
            return False
    return True
