"""From the rows of another program's spreadsheet to rows of fields, by a recipe.

A row that goes to several channels becomes several rows, its *parts*, each with an identity of its own. What cannot be
understood stays in its cell, as the file has it, with what to change: the rows that come out of here are read, checked
and explained by the same code as all others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from marketingblocks_async.bulk.plan import SourceInfo
from marketingblocks_async.bulk.sheets.captions import stands_for_nothing
from marketingblocks_async.bulk.sheets.cells import BLANKS, CellError, UnusableCell, cell_at, read_caption, read_text
from marketingblocks_async.bulk.sheets.columns import (
    KEY,
    LIST_SEPARATOR,
    ColumnRules,
    normal_name,
    platform_in,
)
from marketingblocks_async.bulk.sheets.dates import DateColumn
from marketingblocks_async.bulk.sheets.display import readable, visible
from marketingblocks_async.bulk.sheets.flat import text_of
from marketingblocks_async.bulk.sheets.layout import (
    HeaderProblem,
    RawRow,
    Unreadable,
    column_letter,
    compile_layout,
    own_caption,
)
from marketingblocks_async.bulk.sheets.spellings import PLATFORMS, POST_TYPES, say_the_same, spelled, truth
from marketingblocks_async.models import ChannelType, PostType, PublishMode

from .accounts import Accounts, Seen
from .approval import Approval
from .known_columns import PLATFORM_NAMES, Sources, assign
from .labels import Labels
from .moments import Moments
from .recipe import CHANNEL, DATE, LINK, TIME, Condition, Recipe
from .row_channels import RowChannels, Values
from .unsent import Unsent
from .versions import Versions

_FIELDS = (
    KEY, "channel_type", "channel_id", "post_type", "caption_text", "media_urls", "publish_mode", "schedule_time",
    "time_zone", "hash_tags",
)  # fmt: skip
"""The fields that every translated row has a cell for, in this order."""

_OWNERS = {"post_extra": ChannelType.YOUTUBE.value, "twitter_threads": ChannelType.TWITTER.value}
"""Field → the platform that has it."""

_END_OF_ADDRESS = r"(?=[.,;:!?)\]}'\"\u201d\u2019\u00bb]*(?:\s|$))"

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]{0,40}:[^\s]|[^\s.]\.[^\W\d_]{2,}|[0-9]\.[0-9]", re.IGNORECASE)
"""Something in a text that leads somewhere: ``https://…``, ``tel:…``, ``example.com/page``."""


_BETWEEN_LINKS = re.compile(r"(?<![\s,;|])[\s,;|]+(?=https?://)", re.IGNORECASE)
"""What stands between two links; it begins at one place only, since a cell may have thousands of blanks."""
_LINK = re.compile(r"https?://\S+", re.IGNORECASE)


class Translation:
    """Makes rows of fields out of the rows below one header.

    Attributes:
        moments: reads when rows are to be published.
        problems: what is wrong with the header.
        fields: name of a column → field that it fills, ``None`` if it fills none.

    """

    def __init__(
        self,
        names: Sequence[str],
        recipe: Recipe,
        rules: ColumnRules,
        info: SourceInfo,
        dates: DateColumn,
        *,
        seen: Seen,
    ) -> None:
        self._recipe = recipe
        self._words = recipe.words
        self._info = info
        self._values = Values(recipe)
        self._sources = assign(names, recipe)
        self._channels = RowChannels(recipe, self._sources, self._values)
        self._approval = Approval(self._sources, recipe, rules.given)
        self._accounts = Accounts(self._sources, recipe, self._channels, seen, info)
        self._versions = Versions(self._sources, recipe, self._channels, rules.given)
        self._unsent = Unsent(self._sources, recipe, rules.given)
        self._labels = Labels(self._sources, recipe)
        self.moments: Moments = Moments(recipe, self._sources, dates)
        header = self._sources.header
        self._conditions = [(each, next(iter(header.places(each.column)), None)) for each in recipe.where]
        if (note := self._channels.note()) not in ("", *info.notes):
            info.notes.append(note)
        self._addresses_split = _address_splitter(recipe)
        self._unused = tuple(dict.fromkeys((*self._sources.left_out, *_replaced(self._sources, recipe))))
        known = (*self._sources.single, *recipe.fixed, *recipe.defaults)
        self._extra = tuple(dict.fromkeys(name for name in known if name.startswith(("post_extra", "twitter_threads"))))
        fields = (*_FIELDS, *self._extra)
        own = {platform: _own_columns(self._sources, platform, self._extra) for platform in sorted(PLATFORM_NAMES)}
        self._own = {platform: indexes for platform, indexes in own.items() if indexes}
        self._place = {field: index for index, field in enumerate(fields)}
        layout = compile_layout(fields, ColumnRules(None, rules.list_separator, rules.words))
        of_sheet = self._channels.of_sheet(info.sheet)
        self.problems: tuple[HeaderProblem, ...] = (
            *self._sources.problems, *layout.problems, *([HeaderProblem("", of_sheet)] if of_sheet else [])
        )  # fmt: skip
        self.fields: dict[str, str | None] = {
            visible(name): self._sources.target_of(index)
            for index, name in enumerate(self._sources.names)
            if name.strip(BLANKS)
        }
        self._layout = replace(
            layout, names=tuple(map(self._sources.name_of, fields)), fields=self.fields, problems=self.problems
        )

    @property
    def approval(self) -> Approval:
        """Tells which rows are not meant to be sent."""
        return self._approval

    @property
    def accounts(self) -> Accounts:
        """Tells which rows would go to a channel that is not theirs."""
        return self._accounts

    def doubt(self, cells: Sequence[object]) -> Unreadable | None:
        """Return what to do about a row if a column that fills no field speaks against sending it; else ``None``."""
        section = self._channels.section(cells)
        other = section or self._approval.doubt(cells) or self._accounts.doubt(cells)
        return other or self._versions.doubt(cells) or self._unsent.doubt(cells) or self._title(cells)

    def _title(self, cells: Sequence[object]) -> Unreadable | None:
        """Return what to do about a row with one text alone, and no date, as a title between rows has."""
        filled = [index for index in range(len(cells)) if cell_at(cells, index) is not None]
        text = cells[filled[0]] if len(filled) == 1 and len(self._sources.names) > 2 else None
        dates = self._sources.single.keys() & {DATE, TIME, "schedule_time"}
        said = {*self._recipe.fixed, *self._recipe.defaults}
        if not isinstance(text, str) or not dates or said & {DATE, "schedule_time"}:
            return None
        is_date = filled[0] in (self._sources.single[field] for field in dates)
        if (is_date and any(map(str.isdecimal, text))) or self._mode(cells, None) != PublishMode.SCHEDULED.value:
            return None
        message = (
            "no other cell of the row is filled; if it is a title or a note, delete the row; if it is a post, fill in "
            "the others, such as the time"
        )
        if filled[0] == self._sources.single.get("caption_text") and "publish_mode" not in self._recipe.fixed:
            queued = self._words.default("publish_mode", PublishMode.QUEUED.value)
            message += f", or, if posts without a date go out in the next free slot, say {queued}"
        name = self._sources.names[filled[0]] if filled[0] < len(self._sources.names) else ""
        return Unreadable(message, visible(name) or f"column {column_letter(filled[0])}", readable(text))

    def selects(self, raw: RawRow) -> bool:
        """Tell whether a row is taken."""
        return all(_fulfils(raw, condition, index) for condition, index in self._conditions)

    def parts(self, raw: RawRow) -> Iterator[RawRow]:
        """Yield the rows that a row becomes, one for each channel."""
        if raw.post is not None:
            yield raw
            return
        if raw.unreadable is not None and not raw.cells:
            yield replace(raw, layout=self._layout)
            return
        self._count_left_out(raw)
        cells = raw.cells
        base = self._base(cells, raw.line)
        targets = self._channels.of_row(cells)
        self._count_unused(raw, {str(target[0]) for target in targets})
        for number, (platform, channel_id, kind) in enumerate(targets, 1):
            row = list(base)
            row[self._place["channel_type"]] = platform
            row[self._place["channel_id"]] = channel_id
            if kind is not None:
                self._take_kind(row, cells, kind)
            self._adapt(row, cells, str(platform))
            if row[self._place["caption_text"]] is None and str(platform) in PLATFORM_NAMES:
                row[self._place["caption_text"]] = self._caption_of_others(cells, str(platform))
            is_said = "post_type" in self._recipe.fixed or f"{platform}.post_type" in self._recipe.fixed
            if not is_said and (stray := self._kind_elsewhere(cells, row[self._place["post_type"]])) is not None:
                row[self._place["post_type"]] = stray
            part = number if len(targets) > 1 else 0
            yield RawRow(raw.number, row, self._layout, raw.file, raw.line, raw.unreadable, part=part)

    def _count_left_out(self, raw: RawRow) -> None:
        counts = self._info.left_out
        for index in (*self._unused, *range(len(self._sources.names), len(raw.cells))):
            # A "no" of a program's own flag, such as one for another network, is nothing that is missing.
            is_no_news = index not in self._sources.unknown
            if (cell := cell_at(raw.cells, index)) is not None and not (is_no_news and truth(cell) is False):
                name = raw.layout.name_of(index)
                counts[name] = counts.get(name, 0) + 1

    def _count_unused(self, raw: RawRow, platforms: AbstractSet[str]) -> None:
        """Count the texts, media, tweets and titles that are for platforms which a row does not go to."""
        if not platforms <= PLATFORM_NAMES:
            return
        for platform, indexes in self._own.items():
            for index in indexes if platform not in platforms else ():
                cell = cell_at(raw.cells, index)
                is_nothing = truth(cell) is False or (isinstance(cell, str) and stands_for_nothing(cell))
                if cell is None or is_nothing or index in self._unused:
                    continue
                name = raw.layout.name_of(index)
                self._info.left_out[name] = self._info.left_out.get(name, 0) + 1
                # A "Title" is often the name of the row in the calendar.
                is_said = index in self._sources.single.values()
                note = "" if is_said else self._channels.note_of_own(visible(name), platform)
                if note not in ("", *self._info.notes):
                    self._info.notes.append(note)

    def _cell(self, cells: Sequence[object], field: str) -> object:
        return cell_at(cells, self._sources.single.get(field))

    def _base(self, cells: Sequence[object], line: int | None) -> list[object]:
        """Return the cells that are the same for every channel."""
        moment = self.moments.of(cells, line)
        row: dict[str, object] = {
            KEY: self._cell(cells, KEY),
            "caption_text": self._caption(cells, self._cell(cells, "caption_text")),
            "media_urls": self._addresses(cells, self._sources.several.get("media_urls", [])),
        }
        for field in ("post_type", "hash_tags", *self._extra):
            row[field] = self._value(cells, field)
        if self._labels.place is not None and "hash_tags" not in self._recipe.fixed:
            row["hash_tags"] = self._of_tags(cells, row["hash_tags"])
        sign, tags = self._recipe.separators.get("hash_tags"), row["hash_tags"]
        if sign and isinstance(tags, str):
            row["hash_tags"] = [tag for part in tags.split(sign) if (tag := part.strip(BLANKS))] or None
        mode = row["publish_mode"] = self._mode(cells, moment)
        zone = row["time_zone"] = self._zone(cells, moment, mode)
        row["schedule_time"] = self.moments.checked(cells, moment, zone)
        if row["schedule_time"] is None and mode == PublishMode.SCHEDULED.value:
            row["schedule_time"] = self._no_moment()
        return [row.get(field) for field in (*_FIELDS, *self._extra)]

    def _of_tags(self, cells: Sequence[object], tags: object) -> object:
        """Return the hash tags of a column that may hold labels; such of a program's own are left out and counted."""
        found = self._labels.of(cells)
        if found == "left out":
            name = visible(self._sources.names[self._labels.place or 0].strip(BLANKS))
            self._info.left_out[name] = self._info.left_out.get(name, 0) + 1
            return None
        return tags if found is None else found

    def _value(self, cells: Sequence[object], field: str) -> object:
        """Return the value of a field: the fixed one, the cell's, or the default; else what to say, if it is needed."""
        if field in self._recipe.fixed:
            return self._recipe.fixed[field]
        cell = self._cell(cells, field)
        if cell is None:
            return self._recipe.defaults.get(field) or self._absent(field)
        return self._values.of(field, cell)

    _NEEDED: Mapping[str, str] = {
        "post_type": "post",
        "publish_mode": "scheduled",
        "time_zone": "Europe/Berlin",
    }

    def _absent(self, field: str) -> object:
        """Return what says that no column holds a field that is needed; ``None`` if one does, or it is not."""
        if field not in self._NEEDED or field in self._sources.single:
            return None
        example = self._NEEDED[field]
        if field == "time_zone":
            example = self.moments.zone_of_columns or example
        message = (
            f"no column holds the {field}; say it with {self._words.set(field, example)}, "
            f"or with {self._words.map('COLUMN', field)}"
        )
        return UnusableCell("", message)

    def _mode(self, cells: Sequence[object], moment: object) -> object:
        mode = self._value(cells, "publish_mode")
        default = self._recipe.defaults.get("publish_mode")
        if default is None:
            return mode
        # The default is for rows that say neither a mode nor a time.
        if moment is None and mode == PublishMode.SCHEDULED.value:
            return default
        is_said = "publish_mode" in self._recipe.fixed or self._cell(cells, "publish_mode") is not None
        return mode if moment is None or is_said else PublishMode.SCHEDULED.value

    def _no_moment(self) -> object:
        """Return what says that no column holds the time, or that its cell is empty."""
        if self._sources.single.keys() & {DATE, TIME, "schedule_time"}:
            message = (
                'publish_mode is "scheduled", so a time is needed here; if such posts go out in the next free slot, '
                f"say {self._words.default('publish_mode', PublishMode.QUEUED.value)}"
            )
            return UnusableCell("", message)
        message = (
            f"no column holds the date; say which one does with {self._words.map('COLUMN', DATE)}, or, if the posts "
            f"have none, {self._words.set('publish_mode', 'queued')}"
        )
        return UnusableCell("", message)

    def _zone(self, cells: Sequence[object], moment: object, mode: object) -> object:
        if moment is None and mode != PublishMode.SCHEDULED.value:
            return self._cell(cells, "time_zone")
        has_offset = isinstance(moment, str) and re.search(r"[0-9](?:Z|[+-][0-9]{2}:?[0-9]{2})$", moment)
        zone = self._value(cells, "time_zone")
        return None if has_offset and isinstance(zone, UnusableCell) else zone

    def _caption(self, cells: Sequence[object], caption: object) -> object:
        """Return the caption with the links below it."""
        if "caption_text" in self._recipe.fixed:
            caption = self._recipe.fixed["caption_text"]
        links = self._links(cells)
        if isinstance(links, UnusableCell):
            return replace(links, content=f"{text_of(caption)}\n{text_of(links)}")
        if not links:
            return caption or self._recipe.defaults.get("caption_text") or self._no_caption()
        try:
            text = read_caption(caption) or ""
        except CellError as exc:
            return UnusableCell(readable(caption), str(exc), "\n".join([text_of(caption), *links]))
        # Another address may begin like this one. To make a pattern takes long.
        added = [link for link in links if link not in text or not re.search(re.escape(link) + _END_OF_ADDRESS, text)]
        return "\n".join(part for part in (text.rstrip(BLANKS) if added else text, *added) if part)

    def _links(self, cells: Sequence[object]) -> list[str] | UnusableCell:
        """Return the addresses that go below the caption; one that is none, such as "n/a", is not published."""
        indexes = self._sources.several.get(LINK, [])
        links = self._texts(cells, indexes, "\n")
        if isinstance(links, UnusableCell):
            return links
        for index in indexes:
            cell = cell_at(cells, index)
            if cell is not None and not _ADDRESS.search(text_of(cell)):
                name = visible(self._sources.names[index].strip(BLANKS))
                message = (
                    f'"{readable(cell)}" in {name} is not an address; write one such as https://example.com/page, '
                    f"empty the cell, or leave the column out: {self._words.ignore(name)}"
                )
                return UnusableCell(readable(cell), message, "\n".join(links))
        return [each for link in links for each in _separate_links(link)]

    def _no_caption(self) -> object:
        if "caption_text" in self._sources.single or any(
            "caption_text" in each for each in self._sources.overrides.values()
        ):
            return None
        every = self._words.map("COLUMN", "caption_text")
        if any(field.startswith("twitter_threads") for field in self._sources.single):
            message = (
                "no column holds the caption, which a post needs beside the tweets of a thread; add a column "
                '"Caption", for example with the text of the first tweet, and say '
                f"{self._words.set('post_type', PostType.THREAD.value)}"
            )
            return UnusableCell("", message)
        names = [visible(self._sources.names[index]) for index in self._sources.unknown]
        own = " and ".join(self._words.map(name, own_caption(name)) for name in names if _may_be_caption(name))
        if own:
            message = f"no column holds the caption of all platforms; if each has its own, say {own}; otherwise {every}"
        else:
            message = (
                f"no column holds the caption; say which one does with {every}, or, if it is for one platform, with "
                f"{self._words.map('COLUMN', 'PLATFORM.caption_text')}"
            )
        return UnusableCell("", message)

    def _caption_of_others(self, cells: Sequence[object], platform: str) -> UnusableCell | None:
        """Return what to do about a row whose only captions are for other platforms; ``None`` if it has none."""
        for other, fields in self._sources.overrides.items():
            index = fields.get("caption_text")
            cell = cell_at(cells, index)
            if index is None or cell is None or (isinstance(cell, str) and stands_for_nothing(cell)):
                continue
            name = visible(self._sources.names[index].strip(BLANKS))
            message = (
                f'it is empty, and "{name}" is for {other} alone; write the caption for {platform}'
                f"{self._channels.elsewhere(other)}"
            )
            return UnusableCell("", message)
        return None

    def _texts(self, cells: Sequence[object], indexes: Sequence[int], sign: str) -> list[str] | UnusableCell:
        """Return the texts of some cells; one that is none becomes a cell with all of them, ``sign`` between them."""
        found: list[str] = []
        for index in indexes:
            cell = cell_at(cells, index)
            try:
                text = read_text(cell)
            except CellError as exc:
                whole = (text_of(cell_at(cells, each)) for each in indexes)
                return UnusableCell(readable(cell), str(exc), sign.join(filter(None, whole)))
            if text is not None:
                found.append(text)
        return found

    def _addresses(self, cells: Sequence[object], indexes: Sequence[int]) -> object:
        if len(indexes) == 1 and indexes[0] < len(cells) and not isinstance(cells[indexes[0]], str):
            return cells[indexes[0]]
        texts = self._texts(cells, indexes, LIST_SEPARATOR)
        if isinstance(texts, UnusableCell):
            return texts
        if len(texts) == 1 and texts[0].startswith("["):
            return texts[0]
        addresses = [part.strip(BLANKS) for text in texts for part in self._addresses_split.split(text)]
        addresses = [address for address in addresses if address]
        if not addresses:
            return None
        return addresses if any("|" in address or "[" in address[:1] for address in addresses) else "|".join(addresses)

    def _take_kind(self, row: list[object], cells: Sequence[object], kind: str) -> None:
        """Set the kind of post that the row says with its platform, as in "Instagram Story"."""
        if "post_type" in self._recipe.fixed:
            return
        place, cell = self._place["post_type"], self._cell(cells, "post_type")
        is_word = isinstance(cell, str) and spelled(cell) in POST_TYPES
        if cell is None or row[place] == kind or (row[place] == PostType.POST.value and not is_word):
            # "Video" beside "Instagram Reel" says what is in it.
            row[place] = kind
            return
        message = f'the platform says "{kind}", and this column "{readable(cell)}"; correct one of them'
        row[place] = UnusableCell(readable(cell), message, cell)

    def _kind_elsewhere(self, cells: Sequence[object], taken: object) -> UnusableCell | None:
        """Return what to do about a column that is not known and says another kind of post than the one ``taken``."""
        # Rows chosen by "Story?=yes" are stories all the same.
        chosen = [index for _, index in self._conditions if index is not None]
        for index in (*self._sources.unknown, *chosen):
            name, cell = self._sources.names[index], cell_at(cells, index)
            kind = _kind_in_name(name)
            if kind is not None and kind != taken and truth(cell) is True:
                column, words = visible(name), self._words
                message = (
                    f'the column "{column}" says "{readable(cell)}", so this may be a {kind}; write {kind} into a '
                    f'column "Post type", or send such rows alone, with {words.where(column, "=yes")} and '
                    f"{words.set('post_type', kind)}; otherwise leave the column out: {words.ignore(column)}"
                )
                return UnusableCell(readable(cell), message, cell)
        if "post_type" in self._sources.single:
            return None
        for index in self._sources.unknown:
            cell = cell_at(cells, index)
            kinds = self._values.kinds(cell) if isinstance(cell, str) else set[str]()
            # "Video" is no story, but a post anyhow.
            if kinds - {PostType.POST.value} and kinds != {taken}:
                column = visible(self._sources.names[index])
                message = (
                    f'the column "{column}" says the kind of post ({readable(cell)}); if so, say '
                    f"{self._words.map(column, 'post_type')}, otherwise leave it out: {self._words.ignore(column)}"
                )
                return UnusableCell(readable(cell), message, cell)
        return None

    def _adapt(self, row: list[object], cells: Sequence[object], platform: str) -> None:
        """Make the cells of one platform out of those of all."""
        for field, index in self._sources.overrides.get(platform, {}).items():
            if (cell := cell_at(cells, index)) is None:
                continue
            if field == "caption_text":
                row[self._place[field]] = self._mark(cell, index, platform, field) or self._caption(cells, cell)
            else:
                row[self._place[field]] = self._values.of(field, cell)
        if platform in self._channels.without_caption:
            said = self._words.map("COLUMN", f"{platform}.caption_text")
            message = f"no column holds the caption for {platform}; say which one does with {said}"
            row[self._place["caption_text"]] = UnusableCell("", message)
        media = self._sources.several.get(f"{platform}.media_urls", [])
        marks = (self._mark(cell_at(cells, index), index, platform, "media_urls") for index in media)
        if (addresses := next(filter(None, marks), self._addresses(cells, media))) is not None:
            row[self._place["media_urls"]] = addresses
        if (kind := self._recipe.fixed.get(f"{platform}.post_type")) is not None:
            row[self._place["post_type"]] = kind
        if platform in PLATFORM_NAMES:
            for field in self._extra:
                # What belongs to another platform is not for this part.
                if _OWNERS[field.partition(".")[0]] != platform:
                    row[self._place[field]] = None

    def _mark(self, cell: object, index: int, platform: str, field: str) -> UnusableCell | None:
        """Return what to do about a cell of a column for one platform that holds no text: "n/a", yes or no."""
        shown = readable(cell)
        if field == "caption_text" and isinstance(cell, str):
            advice = f"empty it, or write the text for {platform}"
            if stands_for_nothing(cell):
                return UnusableCell(shown, f'"{shown}" often stands for an empty cell; {advice}', cell)
            if cell.strip(BLANKS).casefold() == "same":
                return UnusableCell(shown, f'"{shown}" is no text for {platform}; {advice}', cell)
        if cell is None or truth(cell) is None:
            return None
        name, words = self._sources.names[index].strip(BLANKS), self._words
        if any(index in self._sources.header.places(each) for each in self._recipe.columns if "*" not in each):
            return None
        column = visible(name)
        message = (
            f'"{shown}" says yes or no; if "{column}" says whether the post goes there, say '
            f"{words.map(column, platform)}; if it is what is published, {words.map(column, f'{platform}.{field}')}; "
            f"otherwise leave it out: {words.ignore(column)}"
        )
        return UnusableCell(shown, message, cell)


def _replaced(sources: Sources, recipe: Recipe) -> Iterator[int]:
    """Yield the columns of which a fixed value takes the place, so that they are not sent."""
    fixed = {*recipe.fixed}
    if "channel_type" in fixed:
        fixed.add(CHANNEL)
        yield from sources.flags.values()
    if "schedule_time" in fixed:
        fixed |= {DATE, TIME}
        yield from () if sources.half is None else (sources.half,)
    yield from (index for field, index in sources.single.items() if field in fixed)
    for platform, fields in sources.overrides.items():
        replaced = {"caption_text"} & fixed
        yield from (index for field, index in fields.items() if field in replaced or f"{platform}.{field}" in fixed)


def _own_columns(sources: Sources, platform: str, extra: Sequence[str]) -> tuple[int, ...]:
    """Return the columns whose cells only posts on one platform take."""
    fields = (field for field in extra if _OWNERS[field.partition(".")[0]] == platform)
    return (
        *sources.overrides.get(platform, {}).values(),
        *sources.several.get(f"{platform}.media_urls", ()),
        *(sources.single[field] for field in fields if field in sources.single),
    )


def _fulfils(raw: RawRow, condition: Condition, index: int | None) -> bool:
    cell = cell_at(raw.cells, index)
    if condition.wanted and isinstance(cell, UnusableCell):
        # "Approved" that is struck through says the opposite.
        return False
    text = readable(getattr(cell, "value", cell)).strip(BLANKS)
    said = any(text.casefold() == value.casefold() or say_the_same(text, value) for value in condition.values)
    return said is condition.wanted


def _separate_links(text: str) -> list[str]:
    """Return the addresses of a cell that has nothing else; together they would lead nowhere."""
    parts = _BETWEEN_LINKS.split(text.strip(f"{BLANKS},;|"))
    return parts if all(_LINK.fullmatch(part) for part in parts) else [text]


_KINDS_APART = {kind.value for kind in (PostType.STORY, PostType.REEL, PostType.THREAD)}
_BESIDE_KINDS = frozenset({
    "a", "also", "as", "for", "in", "is", "n", "no", "on", "or", "post", "share", "the", "to", "y", "yes", "als",
    "auch", "en", "ja", "nein", "como", "come", "comme",
})  # fmt: skip
"""Words that leave the name of a column one for a kind of post, unlike those of "Story idea"."""


def _kind_in_name(name: str) -> str | None:
    """Return the kind of post that is all that the name of a column says: "Story?", "Instagram Reel"."""
    words = set(map(spelled, re.findall(r"[^\W_]+", name[:200])))
    kinds = {POST_TYPES[word].value for word in words if word in POST_TYPES} & _KINDS_APART
    others = {word for word in words if word not in POST_TYPES and word not in PLATFORMS}
    return next(iter(kinds)) if len(kinds) == 1 and others <= _BESIDE_KINDS else None


def _may_be_caption(name: str) -> bool:
    """Tell whether a column may hold the caption of the platform that its name begins or ends with."""
    found = platform_in(name)
    return found is not None and normal_name(found[1]) in ("post", "description", "version")


def _address_splitter(recipe: Recipe) -> re.Pattern[str]:
    sign = recipe.separators.get("media_urls")
    # What can be a part of an address separates two only where the next one begins.
    signs = [r"[\n|]+", r"[,;]\s*(?=https?:|$)", r"\s(?=https?:)", *([re.escape(sign)] if sign else [])]
    return re.compile("|".join(signs), re.IGNORECASE)
