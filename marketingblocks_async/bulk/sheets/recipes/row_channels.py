"""Find the channels that a row of another program's spreadsheet goes to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import cast

from marketingblocks_async.bulk.sheets.cells import BLANKS, FOLLOWS, UnusableCell, cell_at
from marketingblocks_async.bulk.sheets.columns import target_of
from marketingblocks_async.bulk.sheets.display import readable, visible
from marketingblocks_async.bulk.sheets.spellings import PLATFORMS, POST_TYPES, spelled, truth

from .known_columns import PLATFORM_NAMES, Sources
from .recipe import CHANNEL, Channel, Recipe

_LISTS = re.compile(r"[,;|\n]+")
# The parts are stripped; a pattern that begins with any number of blanks takes minutes for a cell that has many.
_LOOSE_LISTS = re.compile(r"[,;|\n+&/]+|\sand\s", re.IGNORECASE)


class Values:
    """Translates the words of a file into the values of a post."""

    def __init__(self, recipe: Recipe) -> None:
        self._maps = {
            target_of(name) or name: {spelled(said): is_ for said, is_ in mapping.items()}
            for name, mapping in recipe.values.items()
        }

    def knows(self, field: str, text: str) -> bool:
        """Tell whether the recipe says what ``text`` is."""
        return spelled(text) in self._maps.get(field, {})

    def of(self, field: str, cell: object) -> object:
        """Return the value that a cell says, or the cell if nothing is known about it."""
        if not isinstance(cell, str):
            return cell
        word = spelled(cell)
        if word in (known := self._maps.get(field, {})):
            return known[word]
        if field == "channel_type" and word in PLATFORMS:
            return PLATFORMS[word].value
        if field == "post_type" and word in POST_TYPES:
            return POST_TYPES[word].value
        return cell


class RowChannels:
    """Finds the channels of a row.

    Attributes:
        without_caption: platforms whose caption no column holds, in a file whose captions stand in columns of their own
            for each platform.

    """

    def __init__(self, recipe: Recipe, sources: Sources, values: Values) -> None:
        self._recipe = recipe
        self._words = recipe.words
        self._sources = sources
        self._names = sources.names
        self._values = values
        self._channels = {spelled(name): channels for name, channels in recipe.channels.items()}
        # Platform → its own caption, in a file whose captions all stand in such columns.
        has_common = "caption_text" in {*sources.single, *sources.several, *recipe.fixed, *recipe.defaults}
        self._captions = {
            platform: fields["caption_text"]
            for platform, fields in sources.overrides.items()
            if "caption_text" in fields and not has_common
        }
        self.without_caption: AbstractSet[str] = PLATFORM_NAMES - self._captions.keys() if self._captions else set()

    def of_row(self, cells: Sequence[object]) -> list[tuple[object, object]]:
        """Return platform and channel id of each channel of a row, as cells; what is not known says what to do."""
        found: list[tuple[object, object]] = []
        for target in self._targets(cells):
            # Naming a channel twice does not mean two posts.
            if target not in found or not isinstance(target[1], str):
                found.append(target)
        return found

    def note(self) -> str:
        """Return what to tell about channels that get no posts, since no column holds a caption for them."""
        given = {channel.platform for channels in self._channels.values() for channel in channels}
        missing = sorted(given & self.without_caption)
        is_by_caption = not self._sources.flags and not self._sources.single.keys() & {CHANNEL, "channel_type"}
        if not missing or not is_by_caption or "channel_type" in self._recipe.fixed:
            return ""
        said = " and ".join(self._words.map("COLUMN", f"{platform}.caption_text") for platform in missing)
        return (
            f"no column holds the caption for {', '.join(missing)}, so nothing is sent there; if one does, say {said}"
        )

    def _cell(self, cells: Sequence[object], field: str) -> object:
        """Return the value of a field's cell. A cell that is neither text, nor a number, nor a list is unusable."""
        cell = cell_at(cells, self._sources.single.get(field))
        if cell in ([], ()):
            return None
        is_other = any(isinstance(cell, kind) for kind in (Mapping, AbstractSet))
        return UnusableCell(readable(cell), "give text, or a list of texts", cell) if is_other else cell

    def _targets(self, cells: Sequence[object]) -> Iterator[tuple[object, object]]:
        """Yield platform and channel id of each channel that the row goes to."""
        fixed_type, fixed_id = self._recipe.fixed.get("channel_type"), self._recipe.fixed.get("channel_id")
        if fixed_type and fixed_id:
            yield fixed_type, fixed_id
            return
        if fixed_type:
            yield from self._with_ids([fixed_type], cells)
            return
        named = self._named(cells)
        if named is None and (stray := self._named_elsewhere(cells)) is not None:
            yield stray, FOLLOWS
        elif named is None:
            yield from self._everywhere(fixed_id)
        elif fixed_id:
            yield from ((each.platform if isinstance(each, Channel) else each, fixed_id) for each in named)
        else:
            yield from self._with_ids(named, cells)

    def _named(self, cells: Sequence[object]) -> list[object] | None:
        """Return the channels, platforms or unknown names that the row names; ``None`` if no column names any."""
        columns = [field for field in (CHANNEL, "channel_type", "channel_id") if field in self._sources.single]
        if self._sources.flags:
            return self._flagged(cells)
        if not [field for field in columns if field != "channel_id"]:
            if self._captions:
                return self._captioned(cells)
            if "channel_id" in columns and (channels := self._looked_up(self._cell(cells, "channel_id"))):
                return list(channels)
            return None
        best: list[object] = []
        for field in columns[: 2 if CHANNEL in columns and "channel_type" in columns else 1]:
            cell = self._cell(cells, field)
            names = self._split(cell)
            found = [each for name in names for each in self._resolved(name)]
            if found and all(isinstance(each, Channel) or each in PLATFORM_NAMES for each in found):
                return found
            best = best or found or ([cell] if cell is not None else [])
        return best or [None]

    def _named_elsewhere(self, cells: Sequence[object]) -> UnusableCell | None:
        """Return what to do about a column that is not known and names channels: the row was not meant for all."""
        for index in self._sources.unknown:
            cell = cell_at(cells, index)
            names = self._split(cell) if isinstance(cell, str) else []
            # An "x" alone is a mark.
            if any(truth(name) is None for name in names) and all(map(self._is_known, names)):
                column = visible(self._names[index])
                message = (
                    f'the column "{column}" names channels ({readable(cell)}); if the posts go there, say '
                    f"{self._words.map(column, CHANNEL)}, otherwise leave it out: {self._words.ignore(column)}"
                )
                return UnusableCell(readable(cell), message, cell)
        return None

    def _flagged(self, cells: Sequence[object]) -> list[object]:
        found: list[object] = []
        for platform, index in self._sources.flags.items():
            cell = cell_at(cells, index)
            match truth(cell):
                case True:
                    found.append(platform)
                case None:
                    name = visible(self._names[index])
                    message = (
                        f'"{readable(cell)}" says neither yes nor no; if "{name}" is a caption, say '
                        f"{self._words.map(name, f'{platform}.caption_text')}"
                    )
                    found.append(UnusableCell(readable(cell), message, cell))
                case _:
                    pass
        if found:
            return found
        names = ", ".join(visible(self._names[index]) for index in self._sources.flags.values())
        return [UnusableCell("", f"no platform is marked in {names}; mark one, or leave the row out")]

    def _captioned(self, cells: Sequence[object]) -> list[object]:
        """Return the platforms that have a caption in this row."""
        found: list[object] = [
            platform for platform, index in self._captions.items() if cell_at(cells, index) is not None
        ]
        if found:
            return found
        names = ", ".join(visible(self._names[index]) for index in self._captions.values())
        return [UnusableCell("", f"there is no caption in {names}; write one, or leave the row out")]

    def _split(self, cell: object) -> list[str]:
        if cell is None:
            return []
        if isinstance(cell, list | tuple):
            entries = cast("Sequence[object]", cell)
            return [name for each in entries if each is not None and (name := str(each).strip(BLANKS))]
        if not isinstance(cell, str):
            shown = getattr(cell, "value", None)
            return [str(shown)] if isinstance(shown, int) else []
        text = cell.strip(BLANKS)
        if self._is_known(text):
            return [text]
        sign = self._recipe.separators.get(CHANNEL)
        for pattern in (re.compile(re.escape(sign)),) if sign else (_LOOSE_LISTS, _LISTS):
            names = [name.strip(BLANKS) for name in pattern.split(text)]
            names = [name for name in names if name]
            if all(map(self._is_known, names)):
                return names
        return [name for part in _LISTS.split(text) if (name := part.strip(BLANKS))]

    def _is_known(self, name: str) -> bool:
        word = spelled(name)
        return word in self._channels or word in PLATFORMS or self._values.knows("channel_type", name)

    def _resolved(self, name: str) -> list[object]:
        word = spelled(name)
        # A platform's own name is looked up with the ids of its column first.
        if word in self._channels and word not in PLATFORMS:
            return list(self._channels[word])
        return [self._values.of("channel_type", name)]

    def _looked_up(self, cell: object) -> tuple[Channel, ...]:
        return self._channels.get(spelled(cell), ()) if isinstance(cell, str) else ()

    def _with_ids(self, named: Sequence[object], cells: Sequence[object]) -> Iterator[tuple[object, object]]:
        ids = self._split_ids(self._cell(cells, "channel_id"))
        without = [each for each in named if not isinstance(each, Channel)]
        if ids and len(ids) != len(without):
            shown = readable(self._cell(cells, "channel_id"))
            message = (
                f"there are {len(without)} platforms and {len(ids)} ids; give one id for each platform, in their order"
            )
            ids = [UnusableCell(shown, message, self._cell(cells, "channel_id"))] * len(without)
        waiting = iter(ids)
        for each in named:
            if isinstance(each, Channel):
                yield each.platform, each.channel_id
            elif ids:
                yield each, next(waiting)
            elif isinstance(each, str) and (channels := self._channels.get(spelled(each))):
                yield from ((channel.platform, channel.channel_id) for channel in channels)
            elif isinstance(each, str) and each not in PLATFORM_NAMES and "channel_id" not in self._sources.single:
                yield self._unknown(each), FOLLOWS
            else:
                yield each, self._no_id(each)

    @staticmethod
    def _split_ids(cell: object) -> list[object]:
        if isinstance(cell, str):
            return [part.strip(BLANKS) for part in _LISTS.split(cell) if part.strip(BLANKS)]
        if isinstance(cell, list | tuple):
            return [*cast("Sequence[object]", cell)]
        return [] if cell is None else [cell]

    def _unknown(self, name: str) -> UnusableCell:
        shown = visible(name)
        message = (
            f'"{shown}" is no platform of the API ({", ".join(sorted(PLATFORM_NAMES))}); if it is the name of a '
            f"channel, say which one: {self._words.channel(f'{shown}=PLATFORM:ID')}"
        )
        return UnusableCell(shown, message, name)

    def _no_id(self, platform: object) -> object:
        if "channel_id" in self._recipe.defaults:
            return self._recipe.defaults["channel_id"]
        if platform is None or isinstance(platform, UnusableCell):
            return FOLLOWS
        if "channel_id" in self._sources.single:
            return None
        if platform in PLATFORM_NAMES:
            said = self._words.channel(f"{platform}:ID")
            message = f"the file does not say which {platform} channel it is; say it with {said}"
        else:
            message = f"no column holds the channel_id; say it with {self._words.set('channel_id', '11')}"
        return UnusableCell("", message)

    def _everywhere(self, fixed_id: str | None) -> Iterator[tuple[object, object]]:
        """Yield the channels of a file that names none: every row goes to those of the options."""
        channels = [channel for each in self._recipe.channels.values() for channel in each]
        if channels and fixed_id is None:
            yield from ((channel.platform, channel.channel_id) for channel in channels)
            return
        defaults = self._recipe.defaults
        platform = defaults.get("channel_type")
        if platform is not None:
            yield platform, fixed_id or self._no_id(platform)
            return
        message = (
            f"the file does not say where the posts go; say it with {self._words.channel('facebook:11')} (several "
            f"times for several channels), or with {self._words.set('channel_type', 'facebook')} and "
            f"{self._words.set('channel_id', '11')}"
        )
        yield UnusableCell("", message), fixed_id or defaults.get("channel_id") or FOLLOWS
