"""Find the channels that a row of another program's spreadsheet goes to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, cast

from marketingblocks_async.bulk.sheets.cells import (
    BLANKS,
    FOLLOWS,
    CellError,
    SheetNumber,
    UnusableCell,
    cell_at,
    is_blank,
    read_text,
    read_whole_number,
)
from marketingblocks_async.bulk.sheets.columns import names_accounts, target_of
from marketingblocks_async.bulk.sheets.display import readable, visible
from marketingblocks_async.bulk.sheets.layout import Unreadable
from marketingblocks_async.bulk.sheets.spellings import (
    PLATFORMS,
    POST_TYPES,
    between_signs,
    is_doubtful,
    is_tick,
    spelled,
    truth,
    without_ticks,
)
from marketingblocks_async.models import PostType

from .known_columns import PLATFORM_NAMES, Sources
from .recipe import CHANNEL, Channel, Recipe

_LISTS = re.compile(r"[,;|\n]+")
# The parts are stripped; a pattern that begins with any number of blanks takes minutes for a cell that has many.
_LOOSE_LISTS = re.compile(r"[,;|\n+&/]+|\sand\s", re.IGNORECASE)
_NO_WORD = re.compile(r"[\W_]+")
_BULLET = re.compile(r"\s*[-\u2013] ")
_LONGEST_NAME = 100
_SHORTS = frozenset({"short", "shorts"})
"""Words for a kind of post that the API does not have."""


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

    def kind(self, text: str) -> str | None:
        """Return the kind of post that ``text`` is a word for; ``None`` if it is none."""
        word = spelled(text)
        return POST_TYPES[word].value if word in POST_TYPES else self._maps.get("post_type", {}).get(word)

    def kinds(self, text: str) -> set[str]:
        """Return the kinds of posts that a list is of; none if it has any other word."""
        kinds: set[str] = set()
        for part in _LOOSE_LISTS.split(text[:_LONGEST_NAME]):
            if part.strip(BLANKS):
                if (kind := self.kind(part)) is None:
                    return set()
                kinds.add(kind)
        return kinds

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


class Target(NamedTuple):
    """Where one post of a row goes, as cells; ``kind`` is the ``post_type``, if the row says it with the platform."""

    platform: object
    channel_id: object
    kind: str | None = None


class _Named(NamedTuple):
    """What a name stands for: a channel, a platform, something unknown (also a cell), and the kind of post it says."""

    what: object
    kind: str | None = None

    @property
    def platform(self) -> object:
        """The platform; something unknown as it is."""
        return self.what.platform if isinstance(self.what, Channel) else self.what


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
        self._exact_names = {name.casefold() for name in recipe.channels}
        self._channels = {spelled(name): channels for name, channels in recipe.channels.items()}
        # Platform → its own caption, in a file whose captions all stand in such columns.
        has_common = "caption_text" in {*sources.single, *sources.several, *recipe.fixed, *recipe.defaults}
        self._captions = {
            platform: fields["caption_text"]
            for platform, fields in sources.overrides.items()
            if "caption_text" in fields and not has_common
        }
        self.without_caption: AbstractSet[str] = PLATFORM_NAMES - self._captions.keys() if self._captions else set()
        given = {channel.platform for channels in recipe.channels.values() for channel in channels}
        said = {*sources.single, *recipe.fixed, *recipe.defaults} & {CHANNEL, "channel_type", "channel_id"}
        # The platforms of a file in which nothing says where a row goes: each goes to all channels of the options.
        self._everywhere_on: AbstractSet[str] = set() if said or sources.flags or self._captions else given
        self._section = ""

    def of_row(self, cells: Sequence[object]) -> list[Target]:
        """Return where the posts of a row go; what is not known says what to do."""
        found: list[Target] = []
        for target in self._targets(cells):
            # Naming a channel twice does not mean two posts.
            if target not in found or not isinstance(target.channel_id, str):
                found.append(target)
        return found

    def of_sheet(self, sheet: str | None) -> str:
        """Return what to do about a sheet that is called "Instagram", but goes elsewhere too; empty if none is."""
        name = sheet or ""
        said = {each for each in PLATFORM_NAMES if each in spelled(name)}
        said |= {PLATFORMS[spelled(name)].value} if spelled(name) in PLATFORMS else set()
        if not said or not self._everywhere_on - said:
            return ""
        options = " or ".join(self._words.set("channel_type", each) for each in sorted(said | self._everywhere_on))
        return (
            f'the sheet is called "{visible(name)}", but no column says where the posts go, so they would go to '
            f"{' and '.join(sorted(self._everywhere_on))}; say which platform it is, {options}, or name the platforms "
            'of each row in a column "Platform"'
        )

    def section(self, cells: Sequence[object]) -> Unreadable | None:
        """Return what to do about a row that says the platform of the rows below it, or about one of these."""
        filled = [cell for cell in cells if not is_blank(cell)] if self._everywhere_on else []
        text = filled[0] if len(filled) == 1 and len(self._names) > 1 else None
        # An "x" alone is a mark.
        is_section = isinstance(text, str) and spelled(text) in PLATFORMS and truth(text) is None
        if isinstance(text, str) and is_section:
            self._section = text.strip(BLANKS)
        if not self._section or (not is_section and self._everywhere_on == {PLATFORMS[spelled(self._section)].value}):
            return None
        message = (
            f'a row says only "{visible(self._section)}"; if that is where the rows below it go, write it into each of '
            'them, in a column "Platform", and delete the row'
        )
        return Unreadable(message, "", readable(text))

    def says_channel(self, cells: Sequence[object]) -> bool:
        """Tell whether a row itself says which channel it is, by an id or by a name that the options know."""
        if self._cell(cells, "channel_id") is not None:
            return True
        names = (name for field in (CHANNEL, "channel_type") for name in self._split(self._cell(cells, field)))
        return any(map(self._is_own, names))

    def _is_own(self, name: str) -> bool:
        """Tell whether a name is one that the options give to a channel, and no platform's."""
        return (word := spelled(name)) in self._channels and word not in PLATFORMS

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

    def note_of_own(self, column: str, platform: str) -> str:
        """Return what to tell about a column for one platform if the file goes to all channels, and none is there."""
        if not self._everywhere_on or platform in self._everywhere_on:
            return ""
        say = self._words.channel(f"{platform}:ID")
        return (
            f'"{column}" is for {platform}, and goes to no {platform} channel; say {say}, or leave the column out: '
            f"{self._words.ignore(column)}"
        )

    def elsewhere(self, platform: str) -> str:
        """Return how to send a row only to ``platform``, if the file goes to all channels; empty if it names them."""
        if not self._everywhere_on:
            return ""
        channel = "" if platform in self._everywhere_on else f" and say {self._words.channel(f'{platform}:ID')}"
        return f', or, if it goes to {platform} alone, name the platforms of each row in a column "Platform"{channel}'

    def _cell(self, cells: Sequence[object], field: str) -> object:
        """Return the value of a field's cell. A cell that is neither text, nor a number, nor a list is unusable."""
        cell = cell_at(cells, self._sources.single.get(field))
        if cell in ([], ()):
            return None
        is_other = any(isinstance(cell, kind) for kind in (Mapping, AbstractSet))
        return UnusableCell(readable(cell), "give text, or a list of texts", cell) if is_other else cell

    def _targets(self, cells: Sequence[object]) -> Iterator[Target]:
        """Yield each channel that the row goes to."""
        fixed_type, fixed_id = self._recipe.fixed.get("channel_type"), self._recipe.fixed.get("channel_id")
        ids = [] if fixed_id else self._split_ids(self._cell(cells, "channel_id"))
        named_ids = self._parts(cells, "channel_id") if self._are_names(ids) else []
        ids = [] if named_ids else ids
        if fixed_type and fixed_id:
            yield Target(fixed_type, fixed_id)
            return
        if fixed_type:
            # The platform is fixed. Names of its channels still say which one it is, if the options know such names.
            has_names = any(word not in PLATFORMS for word in self._channels)
            names = self._names_in(self._cell(cells, CHANNEL)) if has_names and not ids else []
            known = [name for name in names if not (isinstance(name, str) and spelled(name) in PLATFORMS)]
            field = CHANNEL if known else "channel_id"
            named: list[_Named] | None = self._together([*(known or named_ids)], [_Named(fixed_type)], field, ids)
        else:
            named = self._named(cells, named_ids, ids or ([fixed_id] if fixed_id else []))
        if (stray := self._named_elsewhere(cells, with_platforms=named is None)) is not None:
            yield Target(stray, FOLLOWS)
        elif named is None:
            yield from self._everywhere(fixed_id, cells)
        elif fixed_id:
            yield from (Target(each.platform, fixed_id, each.kind) for each in named)
        else:
            yield from self._with_ids(named, ids, cells)

    def _named(
        self, cells: Sequence[object], named_ids: Sequence[object], ids: Sequence[object]
    ) -> list[_Named] | None:
        """Return the channels, platforms or unknown names that the row names; ``None`` if no column names any."""
        single = self._sources.single
        if self._sources.flags:
            platforms = self._flagged(cells)
        elif "channel_type" in single:
            platforms = [each for name in self._parts(cells, "channel_type") for each in self._resolved(name)]
        elif CHANNEL in single:
            platforms = []
        elif self._captions:
            platforms = [_Named(each) for each in self._captioned(cells)]
        elif named_ids:
            default = self._recipe.defaults.get("channel_type")
            platforms = [_Named(default)] if default else []
        else:
            return None
        names = self._parts(cells, CHANNEL)
        return self._together(names or named_ids, platforms, CHANNEL if names else "channel_id", ids) or [_Named(None)]

    def _parts(self, cells: Sequence[object], field: str) -> list[object]:
        """Return the names in a cell; what is no text, as it is."""
        cell = self._cell(cells, field)
        if isinstance(cell, str):
            try:
                read_text(cell)
            except CellError as exc:
                # Such as an error of the spreadsheet.
                return [UnusableCell(readable(cell), str(exc), cell)]
        return self._names_in(cell) or ([] if cell is None else [cell])

    def _names_in(self, cell: object) -> list[object]:
        """Return the names in a cell; one that is crossed out, or may not be meant, says what to do."""
        names = self._split(cell)
        return [self._doubt(name, names) or name for name in without_ticks(names)]

    def _doubt(self, name: str, names: Sequence[str]) -> UnusableCell | None:
        if name.casefold() in self._exact_names or not is_doubtful(name, names):
            return None
        parts = between_signs(name)
        if not self._is_known(without_ticks([name])[0]) and not (parts and all(map(self._is_known, parts))):
            return None
        message = (
            f'"{visible(name)}" may mean that the post does not go there; write only the names where it goes, without '
            "signs"
        )
        return UnusableCell(visible(name), message, name)

    def _together(
        self, names: Sequence[object], platforms: Sequence[_Named], field: str, ids: Sequence[object]
    ) -> list[_Named]:
        """Return the channels that are called ``names``, on ``platforms``: a page may be on several of them.

        Args:
            names: in the column of ``field``.
            platforms: that the same row names in another column.
            field: whose column has the names.
            ids: of the row; the names are not needed beside them.

        """
        called = [(name, self._resolved(name)) for name in names]
        every = [each for _, found in called for each in found]
        on = [each for each in platforms if _is_platform(each.platform)]
        others = [each for each in platforms if not _is_platform(each.platform)]
        if not platforms or not called:
            return every or [*platforms]
        if (
            not on
            and all(_is_platform(each.what) for each in every)
            and all(isinstance(each.what, str) for each in others)
        ):
            # "Social" in a column "Channel" beside one of platforms.
            return every
        pairs = [
            # A channel says more than its platform.
            (
                name,
                platform,
                _Named(each.what if isinstance(each.what, Channel) else platform.what, platform.kind or each.kind),
            )
            for platform in on
            for name, found in called
            for each in found
            if each.platform == platform.platform
        ]
        strangers = [name for name in names if on and name not in [known for known, _, _ in pairs]]
        # A name without a channel is told once, and not for each platform.
        absent = [] if strangers else [each for each in on if each not in [known for _, known, _ in pairs]]
        if ids and (strangers or absent):
            return [*platforms]
        told = [self._not_there(name, on, field) for name in strangers]
        told += [self._not_there(names[0], [each], field) for each in absent]
        return [*others, *(named for _, _, named in pairs), *map(_Named, told)]

    def _not_there(self, name: object, platforms: Sequence[_Named], field: str) -> Target:
        """Return what to do about a name that has no channel on the row's platforms."""
        if not isinstance(name, str):
            return Target(name, FOLLOWS)
        shown = visible(name)
        where = list(dict.fromkeys(str(each.platform) for each in platforms))
        index = self._sources.single.get(field)
        column = "" if index is None else visible(self._names[index])
        leave_out = f'; if "{column}" names no channel, leave it out: {self._words.ignore(column)}' if column else ""
        if all(_is_platform(each.what) for each in self._resolved(name)):
            message = f'"{shown}" is not {" or ".join(where)}, which the row names too; correct one of them{leave_out}'
        else:
            options = " and ".join(self._words.channel(f"{shown}={platform}:ID") for platform in where)
            message = (
                f'the options do not say which {" or ".join(where)} channel "{shown}" is; say {options}{leave_out}'
            )
        told = UnusableCell(shown, message, name)
        return Target(platforms[0].platform, told) if field == "channel_id" else Target(told, FOLLOWS)

    def _named_elsewhere(self, cells: Sequence[object], *, with_platforms: bool) -> UnusableCell | None:
        """Return what to do about a column that is not known and names channels: the row was not meant for all.

        Args:
            cells: of the row.
            with_platforms: whether the names of platforms count; they do not if a column that is known has them.

        """
        if not with_platforms and (not any(map(self._is_own, self._channels)) or self.says_channel(cells)):
            return None
        is_known = self._is_known if with_platforms else self._is_own
        for index in self._sources.unknown:
            cell = cell_at(cells, index)
            names = self._split(cell) if isinstance(cell, str) else []
            # An "x" alone is a mark.
            if any(truth(name) is None for name in names) and all(map(is_known, names)):
                column = visible(self._names[index])
                message = (
                    f'the column "{column}" names channels ({readable(cell)}); if the posts go there, say '
                    f"{self._words.map(column, CHANNEL)}, otherwise leave it out: {self._words.ignore(column)}"
                )
                return UnusableCell(readable(cell), message, cell)
        return None

    def _flagged(self, cells: Sequence[object]) -> list[_Named]:
        found: list[_Named] = []
        for platform, index in self._sources.flags.items():
            cell = cell_at(cells, index)
            match truth(cell):
                case True:
                    found.append(_Named(platform))
                case None if isinstance(cell, str) and spelled(cell) in POST_TYPES:
                    # "Story" below "Facebook" says where and what.
                    found.append(_Named(platform, POST_TYPES[spelled(cell)].value))
                case None:
                    name = visible(self._names[index])
                    message = f'"{readable(cell)}" says neither yes nor no; write yes or no'
                    if isinstance(cell, str) and len(self._values.kinds(cell)) > 1:
                        message = (
                            f'"{readable(cell)}" says several kinds of posts; write one row for each, with one of '
                            f"{', '.join(PostType)} here"
                        )
                    if names_accounts(name):
                        message += (
                            f', or, if "{name}" names the accounts, say {self._words.map(name, CHANNEL)} and '
                            f"{self._words.channel(f'{readable(cell)}={platform}:ID')}"
                        )
                    # A single word is rather yes or no in a language that is not known.
                    elif len(readable(cell).split()) > 1:
                        message += (
                            f', or, if "{name}" is a caption, say {self._words.map(name, f"{platform}.caption_text")}'
                        )
                    found.append(_Named(UnusableCell(readable(cell), message, cell)))
                case _:
                    pass
        if found:
            return found
        names = ", ".join(visible(self._names[index]) for index in self._sources.flags.values())
        return [_Named(UnusableCell("", f"no platform is marked in {names}; mark one, or leave the row out"))]

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
            shown = getattr(cell, "value", cell)
            return [str(shown)] if isinstance(shown, int) and not isinstance(shown, bool) else []
        text = self._unlisted(cell.strip(BLANKS))
        if self._is_known(text):
            return [text]
        strict = [name for part in _LISTS.split(text) if (name := part.strip(BLANKS))]
        sign = self._recipe.separators.get(CHANNEL)
        for pattern in (re.compile(re.escape(sign)),) if sign else (_LOOSE_LISTS, _LISTS):
            names = [name.strip(BLANKS) for name in pattern.split(text)]
            names = [name for name in names if name]
            if all(map(self._is_known, names)) and not (pattern is _LOOSE_LISTS and self._shares_kind(names, strict)):
                return names
        return strict

    def _unlisted(self, text: str) -> str:
        """Return the text of a cell without the brackets of a list, as programs write it, and without bullets."""
        if text.casefold() in self._exact_names:
            return text
        if text[:1] == "[" and text[-1:] == "]" and not re.search(r"[\[\]]", text[1:-1]) and not is_tick(text):
            text = text[1:-1].strip(BLANKS)
        lines = text.splitlines()
        return "\n".join(_BULLET.sub("", line) for line in lines) if all(map(_BULLET.match, lines)) else text

    def _shares_kind(self, names: Sequence[str], strict: Sequence[str]) -> bool:
        """Tell whether the kind behind one name may be that of all: "FB & IG Stories" are stories of both."""
        kinds = [self._with_kind(name) is not None for name in names]
        return len(names) != len(strict) and any(kinds) and not all(kinds)

    def _is_known(self, name: str) -> bool:
        word = spelled(name)
        is_named = word in self._channels or word in PLATFORMS or self._values.knows("channel_type", name)
        return is_named or self._with_kind(name) is not None

    def _with_kind(self, name: str) -> tuple[str, str] | None:
        """Return platform and kind of post that a name such as "Instagram Story" says; ``None`` if it is no such."""
        if spelled(name) in PLATFORMS or self._values.knows("channel_type", name):
            return None
        parts = _words(name)
        for end in range(1, len(parts)):
            platform = PLATFORMS.get(spelled("".join(parts[:end])))
            kind = self._values.kind("".join(parts[end:])) if platform is not None else None
            if platform is not None and kind is not None:
                return platform.value, kind
        return None

    def _resolved(self, name: object) -> list[_Named]:
        if not isinstance(name, str):
            return [_Named(name)]
        word = spelled(name)
        platform, kind = self._with_kind(name) or (None, None)
        # A platform's own name is looked up with the ids of its column first.
        if word in self._channels and word not in PLATFORMS:
            kind = kind or (POST_TYPES[word].value if word in POST_TYPES else None)
            return [_Named(channel, kind) for channel in self._channels[word]]
        return [_Named(platform or self._values.of("channel_type", name), kind)]

    def _are_names(self, ids: Sequence[object]) -> bool:
        """Tell whether the cell of the id holds names of channels, as a column "Account" often does."""
        return bool(ids) and all(map(self._is_name, ids))

    def _is_name(self, each: object) -> bool:
        text = str(getattr(each, "value", each)) if isinstance(each, str | int | SheetNumber) else ""
        if spelled(text) in self._channels:
            return True
        try:
            read_text(each)
        except CellError:
            return False
        # A long number may be written as 1E+15.
        return any(map(str.isalpha, text.casefold().replace("e", "", 1)))

    def _with_ids(self, named: Sequence[_Named], ids: list[object], cells: Sequence[object]) -> Iterator[Target]:
        without = [each for each in named if not isinstance(each.what, Channel)]
        if named and not without and (other := self._other_id(named, ids, cells)) is not None:
            yield Target(named[0].platform, other)
            return
        if ids and len(ids) != len(without):
            shown = readable(self._cell(cells, "channel_id"))
            message = (
                f"there are {len(without)} platforms and {len(ids)} ids; give one id for each platform, in their order"
            )
            ids = [UnusableCell(shown, message, self._cell(cells, "channel_id"))] * len(without)
        waiting = iter(ids)
        for what, kind in named:
            if isinstance(what, Target):
                yield what
            elif isinstance(what, Channel):
                yield Target(what.platform, what.channel_id, kind)
            elif ids:
                yield Target(what, next(waiting), kind)
            elif isinstance(what, str) and (channels := self._channels.get(spelled(what))):
                yield from (Target(channel.platform, channel.channel_id, kind) for channel in channels)
            elif isinstance(what, str) and what not in PLATFORM_NAMES:
                yield Target(self._unknown(what), FOLLOWS)
            else:
                yield Target(what, self._no_id(what), kind)

    def _other_id(self, named: Sequence[_Named], ids: Sequence[object], cells: Sequence[object]) -> UnusableCell | None:
        """Return what is wrong if a row has the ids of other channels than those that it names."""
        known = {each.what.channel_id for each in named if isinstance(each.what, Channel)}
        try:
            is_other = any(str(read_whole_number(each)) not in known for each in ids)
        except CellError:
            is_other = True
        if not is_other:
            return None
        column = visible(self._names[self._sources.single["channel_id"]])
        message = (
            f"the name is that of the channel {', '.join(sorted(known))}, and this is another id; correct one of them, "
            f'or, if "{column}" is no id of the API, leave it out: {self._words.ignore(column)}'
        )
        cell = self._cell(cells, "channel_id")
        return UnusableCell(readable(cell), message, cell)

    @staticmethod
    def _split_ids(cell: object) -> list[object]:
        if isinstance(cell, str):
            return [part.strip(BLANKS) for part in _LISTS.split(cell) if part.strip(BLANKS)]
        if isinstance(cell, list | tuple):
            return [*cast("Sequence[object]", cell)]
        return [] if cell is None else [cell]

    def _unknown(self, name: str) -> UnusableCell:
        shown, known = visible(name), ", ".join(sorted(PLATFORM_NAMES))
        if _says_kind(name):
            message = (
                f'"{shown}" says the kind of post, too; write only platforms here ({known}), and the kind in a column '
                f"of its own ({', '.join(PostType)}): {self._words.map('COLUMN', 'post_type')}"
            )
            return UnusableCell(shown, message, name)
        message = (
            f'"{shown}" is no platform of the API ({known}); if it is the name of a '
            f"channel, say which one: {self._words.channel(f'{shown}=PLATFORM:ID')}"
        )
        single = self._sources.single
        index = single.get("channel_type" if CHANNEL in single else "channel_id")
        if index is not None:
            column, what = visible(self._names[index]), "platform" if CHANNEL in single else "channel"
            message += f'; if "{column}" names no {what}, leave it out: {self._words.ignore(column)}'
        return UnusableCell(shown, message, name)

    def _no_id(self, platform: object) -> object:
        if "channel_id" in self._recipe.defaults:
            return self._recipe.defaults["channel_id"]
        if platform is None or isinstance(platform, UnusableCell):
            return FOLLOWS
        if "channel_id" in self._sources.single:
            return None
        if platform not in PLATFORM_NAMES:
            # Such as a number, which is told of the platform's own cell.
            return FOLLOWS
        said = self._words.channel(f"{platform}:ID")
        return UnusableCell("", f"the file does not say which {platform} channel it is; say it with {said}")

    def _everywhere(self, fixed_id: str | None, cells: Sequence[object]) -> Iterator[Target]:
        """Yield the channels of a row that names none: it goes to those of the options, if it has no id."""
        channels = [channel for each in self._recipe.channels.values() for channel in each]
        defaults = self._recipe.defaults
        platform = defaults.get("channel_type")
        index = None if fixed_id else self._sources.single.get("channel_id")
        cell = None if index is None else self._cell(cells, "channel_id")
        if cell is not None and platform is None:
            yield from self._of_ids(cell, channels)
            return
        if channels and index is not None and cell is None and "channel_id" not in defaults:
            column = visible(self._names[index])
            message = (
                f'it is empty, so nothing says which channel it is; give one, or leave "{column}" out to send every '
                f"row to all channels: {self._words.ignore(column)}"
            )
            yield Target(FOLLOWS, UnusableCell("", message))
            return
        if channels and fixed_id is None and cell is None:
            yield from (Target(channel.platform, channel.channel_id) for channel in channels)
            return
        if platform is not None:
            given = fixed_id or self._no_id(platform)
            yield from (Target(platform, each) for each in self._split_ids(cell) or [given])
            return
        message = (
            f"the file does not say where the posts go; say it with {self._words.channel('facebook:11')} (several "
            f"times for several channels), or with {self._words.set('channel_type', 'facebook')} and "
            f"{self._words.set('channel_id', '11')}"
        )
        yield Target(UnusableCell("", message), fixed_id or defaults.get("channel_id") or FOLLOWS)

    def _of_ids(self, cell: object, channels: Sequence[Channel]) -> Iterator[Target]:
        """Yield the channels that the ids of a row stand for, where nothing says the platform."""
        ids: list[object] = [*self._split(cell)]
        for each in ids or [cell]:
            same = [channel for channel in channels if channel.channel_id == each]
            if len(same) == 1:
                yield Target(same[0].platform, same[0].channel_id)
                continue
            shown = readable(each)
            message = (
                f"nothing says on which platform the channel {shown} is; say which channel it stands for, "
                f"{self._words.channel(f'{shown}=PLATFORM:ID')}, or, if all posts go to one platform, "
                f"{self._words.set('channel_type', 'facebook')}"
            )
            yield Target(FOLLOWS, UnusableCell(shown, message, each))


def _is_platform(name: object) -> bool:
    return isinstance(name, str) and name in PLATFORM_NAMES


def _words(name: str) -> list[str]:
    return [part for part in _NO_WORD.split(name[:_LONGEST_NAME]) if part]


def _says_kind(name: str) -> bool:
    """Tell whether a name has only words for platforms and kinds of posts, and some of both."""
    words = [spelled(word) for word in _words(name)]
    kinds = [word in POST_TYPES or word in _SHORTS for word in words]
    platforms = [word in PLATFORMS or word == "and" for word in words]
    return any(kinds) and any(platforms) and all(map(max, kinds, platforms))
