"""Make a recipe from the header of a file: known columns are filled in, and the others are left to be said."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import islice
from os import PathLike, fspath
from typing import Unpack, cast

from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.models import ChannelType

from .columns import LIST_SEPARATOR, Header, is_note, numbered
from .dates import is_weekday
from .display import readable, visible
from .layout import columns_in
from .recipes.known_columns import Columns, is_half, is_several
from .recipes.labels import are_hash_tags, may_hold_labels
from .recipes.recipe import CHANNEL, DATE, TIME, Recipe, checked_target, load_recipe, recipe_names
from .sources import ReadOptions, read_table
from .spellings import truth

SAMPLE_ROWS = 20
"""Rows that are looked at for examples of what the columns hold."""

Ask = Callable[[str, str], str | None]
"""Asks for the field that a column holds; takes the column and an example of its cells."""

_PLATFORMS = tuple(platform.value for platform in ChannelType)


@dataclass(frozen=True, slots=True)
class DraftColumn:
    """A column of a file, an example of its cells, and the field that it seems to hold; ``None`` if unknown.

    A column that the recipe need not name, since it chooses the rows or holds AM or PM, is not ``is_open``.
    """

    name: str
    example: str
    target: str | None
    is_open: bool = True


def recipe_with_options(how: ReadOptions) -> Recipe:
    """Return the recipe together with the other options of reading; a recipe cannot hold ``format`` and ``hidden``.

    Raises:
        ConfigurationError: an option cannot be meant.

    """
    sign = how.get("list_separator", LIST_SEPARATOR)
    lists: dict[str, str] = {} if sign == LIST_SEPARATOR else dict.fromkeys(("media_urls", "hash_tags"), sign)
    recipe = load_recipe(how.get("recipe") or Recipe())
    sheet, encoding = how.get("sheet"), how.get("encoding")
    return recipe.with_options(columns=how.get("columns"), separators=lists, sheet=sheet, encoding=encoding)


def draft_columns(file: str | PathLike[str], **how: Unpack[ReadOptions]) -> list[DraftColumn]:
    """Return the columns of a file with what they seem to hold; notes such as ``_internal`` are no columns of a post.

    Raises:
        ConfigurationError: an option cannot be meant, or names a column that is not there.

    """
    recipe = recipe_with_options(how)
    examples, truths = _sample(file, how)
    names = [name for name in examples if name.strip()]
    header, given = Header(names), how.get("columns") or ()
    for name in given:
        if "*" not in name and not header.places(name):
            msg = f'an option names the column "{visible(name)}", which is not in the header; {columns_in(names)}'
            raise ConfigurationError(msg)
    named = {place for name in given for place in header.places(name)}
    chosen = {place for condition in recipe.where for place in header.places(condition.column)}
    is_own = recipe.name not in recipe_names()
    known = Columns(recipe, names)
    found: list[DraftColumn] = []
    said: set[str] = set()
    for index, name in enumerate(names):
        if is_note(name):
            continue
        example = examples[name]
        target, is_said = known.said(name)
        # What a recipe of the package leaves out may say which rows are approved. An own recipe would hide that.
        is_said = is_said and (target is not None or is_own or index in named)
        if is_said:
            said.add(name.strip())
            found.append(DraftColumn(name.strip(), example, target or ""))
        else:
            is_open = target is not None or not (index in chosen or is_half(name))
            target = _as_sampled(target, name, example, has_truths=truths[name])
            found.append(DraftColumn(name.strip(), example, target, is_open=is_open))
    return [*_once(found, said)]


def _sample(file: str | PathLike[str], how: ReadOptions) -> tuple[dict[str, str], dict[str, bool]]:
    """Return the columns with an example of each, and whether they hold only yes and no; objects may differ in them."""
    examples: dict[str, str] = {}
    truths: dict[str, bool] = {}
    for raw in islice(read_table(file, **how), SAMPLE_ROWS):
        cells = [*raw.cells, *[None] * len(raw.layout.names)]
        for name, cell in zip(numbered(raw.layout.names), cells, strict=False):
            shown = readable(cell)
            examples[name] = examples.get(name) or shown
            truths[name] = truths.get(name, True) and (not shown or truth(cell) is not None)
    return examples, truths


def _as_sampled(target: str | None, name: str, example: str, *, has_truths: bool) -> str | None:
    """Return what a column seems to hold, by its name and its cells."""
    if target in _PLATFORMS and not has_truths:
        # A column that is called like a platform and holds no yes and no is its caption.
        return f"{target}.caption_text"
    if target == "hash_tags" and may_hold_labels(name) and not are_hash_tags(example or "#none"):
        # Labels of another program are not for the public.
        return None
    return target


def _once(columns: Sequence[DraftColumn], said: Container[str]) -> Iterator[DraftColumn]:
    """Yield the columns; of two that seem to hold one field, the second is not known, and a weekday is left out.

    Args:
        columns: of the file.
        said: names of those of which the recipe or the options say what they hold; no other column holds that.

    """
    taken = {column.target: column for column in columns if column.name in said}
    for column in columns:
        others = [other for other in columns if other is not column and other.target == column.target == DATE]
        is_single = bool(column.target) and not is_several(column.target or "")
        if column.name in said:
            yield column
        elif others and is_weekday(column.example):
            yield replace(column, target="")
        elif is_single and taken.setdefault(column.target, column) is not column:
            yield replace(column, target="" if taken[column.target].name in said else None)
        else:
            yield column


def write_recipe(
    columns: Iterable[DraftColumn], title: str, ask: Ask | None = None, recipe: Recipe | None = None
) -> str:
    """Return a recipe as TOML, with comments where something is to be said.

    Args:
        columns: of the file.
        title: what the recipe is for.
        ask: asks for the field of a column that is not known; an empty answer leaves the column out. ``None`` marks
            such columns instead.
        recipe: what the recipe says of everything else (see ``recipe_with_options()``).

    Raises:
        ConfigurationError: the answer is no field.

    """
    columns, recipe = [*columns], recipe or Recipe()
    header = Header([column.name for column in columns])
    lines = [f"title = {_quoted(title)}", 'format_seen = "our own"', 'other_columns = "refuse"', ""]
    lines += [*_table("file", _file_of(recipe))]
    lines += ["[columns]"]
    targets: set[str] = set()
    for column in columns:
        target = column.target
        comment = f"  # {column.example}" if column.example else ""
        if not column.is_open:
            lines.append(
                f"# {_quoted(column.name)} needs no field: it chooses the rows, or belongs to the time.{comment}"
            )
            continue
        if target is None and ask is not None:
            target = checked_target(ask(column.name, column.example) or None, column.name)
        elif target is None:
            # A comment, so that the recipe refuses the column until its field is said.
            lines.append(f'# {_quoted(column.name)} = ""  # TODO: say the field; "" leaves the column out.{comment}')
            continue
        lines.append(f"{_quoted(column.name)} = {_quoted(target or '')}{comment}")
        targets.add(target or "")
    lines += ["", "# The same for every row; uncomment what applies.", *_fixed_of(recipe, targets)]
    lines += ["", "# Where a cell is empty.", *_defaults_of(recipe, targets), ""]
    for name, values in recipe.values.items():
        lines += _table(f"values.{_quoted(name)}", values)
    lines += _table("separators", recipe.separators)
    channels = {
        name: [f"{each.platform}:{each.channel_id}" for each in found] for name, found in recipe.channels.items()
    }
    lines += ["# Which channel a name or a platform of the file stands for."]
    lines += _table("channels", channels, '# "Tulip shop" = ["facebook:11", "instagram:12"]')
    lines += ["# Only these rows."]
    lines += _table("where", {each.column: each.values for each in recipe.where if each.wanted}, '# Approved = "yes"')
    shipped = load_recipe(recipe.name).where if recipe.name in recipe_names() else ()
    without = [each for each in recipe.where if not each.wanted and (each not in shipped or header.places(each.column))]
    lines += _table("unless", {each.column: each.values for each in without})
    lines += ["# How dates are written; found from the whole column if nothing is said."]
    forms = {"format": recipe.date_formats} if recipe.date_formats else {}
    lines += _table("dates", forms, '# format = "DD/MM/YYYY HH:mm"')
    return "\n".join(lines)


def _file_of(recipe: Recipe) -> dict[str, object]:
    header = {} if recipe.header == 1 else {"header": recipe.header or False}
    said = {"sheet": recipe.sheet, "encoding": recipe.encoding, "delimiter": recipe.delimiter}
    return {**header, **{name: value for name, value in said.items() if value is not None}}


def _fixed_of(recipe: Recipe, targets: AbstractSet[str]) -> list[str]:
    """Return the lines of the fixed values, and what may be meant as comments."""
    said = {*targets, *recipe.fixed, *recipe.defaults}
    lines = ["[set]", *_entries(recipe.fixed)]
    if "publish_mode" not in said and said & {"schedule_time", DATE, TIME}:
        lines.append('publish_mode = "scheduled"')
    elif "publish_mode" not in {*recipe.fixed, *recipe.defaults}:
        # A column that is not known may hold the time.
        lines.append('# publish_mode = "now"  # or "queued"; "scheduled" if a column holds the time')
    if not said & {"channel_type", CHANNEL, *_PLATFORMS} and not recipe.channels:
        lines.append('# channel_type = "facebook"')
    if "channel_id" not in said and not recipe.channels:
        lines.append("# channel_id = 11")
    return lines


def _defaults_of(recipe: Recipe, targets: AbstractSet[str]) -> list[str]:
    """Return the lines of the defaults, and what may be meant as comments."""
    said = {*targets, *recipe.fixed, *recipe.defaults}
    kind = {} if "post_type" in {*recipe.fixed, *recipe.defaults} else {"post_type": "post"}
    lines = ["[default]", *_entries({**kind, **recipe.defaults})]
    if said & {"schedule_time", DATE, TIME} and "time_zone" not in said:
        lines.append('# time_zone = "Europe/Berlin"')
    return lines


def _table(name: str, entries: Mapping[str, object], example: str = "") -> list[str]:
    """Return the lines of a table; if it has no entries, those with an example in a comment, or none."""
    lines = [*_entries(entries)] or ([example] if example else [])
    return [f"[{name}]", *lines, ""] if lines else []


def _entries(entries: Mapping[str, object]) -> Iterator[str]:
    for name, value in entries.items():
        key = name if re.fullmatch("[A-Za-z0-9_-]+", name) else _quoted(name)
        if isinstance(value, str):
            yield f"{key} = {_quoted(value)}"
        elif isinstance(value, list | tuple):
            yield f"{key} = [{', '.join(_quoted(str(each)) for each in cast('Sequence[object]', value))}]"
        else:
            yield f"{key} = {json.dumps(value)}"


def _quoted(text: str) -> str:
    # A JSON string is a TOML string too, unless it holds half of a surrogate pair, or the sign DEL.
    is_whole = text.encode("utf-8", "ignore").decode() == text
    return json.dumps(text if is_whole else visible(text), ensure_ascii=False).replace("\x7f", "\\u007f")


def recipe_path(given: str | PathLike[str]) -> str:
    """Return a path as a command line shows it; without ``.toml`` it would not be recognised as a recipe."""
    path = fspath(given)
    if not path.endswith(".toml"):
        msg = f"{path}: give the recipe a name that ends in .toml"
        raise ConfigurationError(msg)
    return path
