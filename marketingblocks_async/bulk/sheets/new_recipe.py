"""Make a recipe from the header of a file: known columns are filled in, and the others are left to be said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from os import PathLike, fspath
from typing import Unpack

from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.models import ChannelType

from .columns import numbered
from .dates import is_weekday
from .display import readable, visible
from .recipes.known_columns import Columns, is_several
from .recipes.labels import are_hash_tags, may_hold_labels
from .recipes.recipe import CHANNEL, DATE, TIME, Recipe, checked_target, load_recipe
from .sources import ReadOptions, read_table
from .spellings import truth

SAMPLE_ROWS = 20
"""Rows that are looked at for examples of what the columns hold."""

Ask = Callable[[str, str], str | None]
"""Asks for the field that a column holds; takes the column and an example of its cells."""

_PLATFORMS = tuple(platform.value for platform in ChannelType)


@dataclass(frozen=True, slots=True)
class DraftColumn:
    """A column of a file, an example of its cells, and the field that it seems to hold; ``None`` if unknown."""

    name: str
    example: str
    target: str | None


def draft_columns(file: str | PathLike[str], **how: Unpack[ReadOptions]) -> list[DraftColumn]:
    """Return the columns of a file with what they seem to hold."""
    base = load_recipe(how.get("recipe") or Recipe())
    names: Sequence[str] = ()
    examples: dict[int, str] = {}
    truths: dict[int, bool] = {}
    for raw in islice(read_table(file, **how), SAMPLE_ROWS):
        names = raw.layout.names
        for index, cell in enumerate(raw.cells):
            if shown := readable(cell):
                examples.setdefault(index, shown)
                truths[index] = truths.get(index, True) and truth(cell) is not None
    called = numbered(names)
    known = Columns(base, called)
    found: list[DraftColumn] = []
    for index, name in enumerate(called):
        target = known.find(name)[0] if name.strip() else None
        if target in _PLATFORMS and not truths.get(index, True):
            # A column that is called like a platform and holds no yes and no is its caption.
            target = f"{target}.caption_text"
        if target == "hash_tags" and may_hold_labels(name) and not are_hash_tags(examples.get(index, "#none")):
            # Labels of another program are not for the public.
            target = None
        if name.strip():
            found.append(DraftColumn(name.strip(), examples.get(index, ""), target))
    return [*_once(found)]


def _once(columns: Sequence[DraftColumn]) -> Iterator[DraftColumn]:
    """Yield the columns; of two that seem to hold one field, the second is not known, and a weekday is left out."""
    taken: set[str] = set()
    for column in columns:
        others = [other for other in columns if other is not column and other.target == column.target == DATE]
        if others and is_weekday(column.example):
            yield replace(column, target="")
        elif column.target is None or is_several(column.target) or column.target not in taken:
            taken.add(column.target or "")
            yield column
        else:
            yield replace(column, target=None)


def write_recipe(columns: Iterable[DraftColumn], title: str, ask: Ask | None = None) -> str:
    """Return a recipe as TOML, with comments where something is to be said.

    Args:
        columns: of the file.
        title: what the recipe is for.
        ask: asks for the field of a column that is not known; an empty answer leaves the column out. ``None`` marks
            such columns instead.

    Raises:
        ConfigurationError: the answer is no field.

    """
    lines = [f"title = {_quoted(title)}", 'format_seen = "our own"', 'other_columns = "refuse"', "", "[columns]"]
    targets: set[str] = set()
    for column in columns:
        target = column.target
        comment = f"  # {column.example}" if column.example else ""
        if target is None and ask is not None:
            target = checked_target(ask(column.name, column.example) or None, column.name)
        elif target is None:
            # A comment, so that the recipe refuses the column until its field is said.
            lines.append(f'# {_quoted(column.name)} = ""  # TODO: say the field; "" leaves the column out.{comment}')
            continue
        lines.append(f"{_quoted(column.name)} = {_quoted(target or '')}{comment}")
        targets.add(target or "")
    has_time = bool(targets & {"schedule_time", DATE, TIME})
    lines += ["", "# The same for every row; uncomment what applies.", "[set]"]
    lines += [_line("publish_mode", "scheduled" if has_time else "now", is_said="publish_mode" not in targets)]
    if not targets & {"channel_type", CHANNEL, *_PLATFORMS}:
        lines += ['# channel_type = "facebook"']
    if "channel_id" not in targets:
        lines += ["# channel_id = 11"]
    lines += ["", "# Where a cell is empty.", "[default]", _line("post_type", "post", is_said=True)]
    if has_time and "time_zone" not in targets:
        lines += ['# time_zone = "Europe/Berlin"']
    lines += [
        "",
        "# Which channel a name or a platform of the file stands for.",
        "[channels]",
        '# "Tulip shop" = ["facebook:11", "instagram:12"]',
        "",
        "# Only these rows.",
        "[where]",
        '# Approved = "yes"',
        "",
        "# How dates are written; found from the whole column if nothing is said.",
        "[dates]",
        '# format = "DD/MM/YYYY HH:mm"',
        "",
    ]
    return "\n".join(lines)


def _line(field: str, value: str, *, is_said: bool) -> str:
    return f"{'' if is_said else '# '}{field} = {_quoted(value)}"


def _quoted(text: str) -> str:
    # A JSON string is a TOML string too, unless it holds half of a surrogate pair.
    return json.dumps(visible(text, 200), ensure_ascii=False)


def recipe_path(given: str | PathLike[str]) -> str:
    """Return a path as a command line shows it; without ``.toml`` it would not be recognised as a recipe."""
    path = fspath(given)
    if not path.endswith(".toml"):
        msg = f"{path}: give the recipe a name that ends in .toml"
        raise ConfigurationError(msg)
    return path
