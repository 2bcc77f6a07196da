"""Read the rows of JSON Lines files: one object a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from marketingblocks_async.bulk.errors import SourceError
from marketingblocks_async.bulk.plan import SourceInfo
from marketingblocks_async.models.base import is_object

from .cells import is_blank
from .columns import ColumnRules
from .display import readable
from .json_text import JsonError, load_json
from .layout import Layout, RawRow, Unreadable, compile_layout
from .text_files import open_lines

_KEPT_LAYOUTS = 256


class Layouts:
    """The layouts of objects, which name their fields themselves; objects with the same names share one.

    Args:
        rules: the caller's rules for columns.

    """

    def __init__(self, rules: ColumnRules) -> None:
        self._rules = rules
        self._known: dict[tuple[str, ...], Layout] = {}

    def of(self, names: tuple[str, ...]) -> Layout:
        """Return the layout of an object with the fields ``names``, in this order."""
        layout = self._known.get(names)
        if layout is None:
            if len(self._known) >= _KEPT_LAYOUTS:
                self._known.clear()
            layout = self._known[names] = compile_layout(names, self._rules)
        return layout


def row_of_object(
    number: int, item: Mapping[str, Any], layouts: Layouts, file: str = "", line: int | None = None
) -> RawRow:
    """Return the row that one object is.

    Args:
        number: number of the row, from 1.
        item: field → value, under nested or flattened names.
        layouts: layouts of the objects of this source.
        file: the file as it was given.
        line: line of the file.

    """
    names = tuple(item)
    if not all(isinstance(name, str) for name in cast("tuple[object, ...]", names)):
        return unreadable_row(number, "the names of its fields must be text", item, layouts, file=file, line=line)
    return RawRow(number, [item[name] for name in names], layouts.of(names), file, line)


def unreadable_row(
    number: int, message: str, shown: object, layouts: Layouts, *, file: str = "", line: int | None = None
) -> RawRow:
    """Return the row for a line or item that holds no fields."""
    return RawRow(number, (), layouts.of(()), file, line, Unreadable(message, "", readable(shown)))


def read_jsonl(path: Path, info: SourceInfo, rules: ColumnRules, encoding: str | None) -> Iterator[RawRow]:
    """Yield the rows of a JSON Lines file; a line that is not a JSON object is a row that cannot be read.

    Args:
        path: the file.
        info: filled in while the file is read.
        rules: the caller's rules for columns.
        encoding: encoding of the file; ``None`` to detect it.

    Raises:
        SourceError: the file cannot be read, or is one JSON document over many lines.

    """
    layouts = Layouts(rules)
    file, number = info.file, 0
    with open_lines(path, info, encoding) as lines:
        for line, text in enumerate(lines, 1):
            if is_blank(text):
                continue
            number += 1
            if number == 1:
                _check_form(text, file, line)
            try:
                item = load_json(text.rstrip())
            except JsonError as exc:
                yield unreadable_row(number, str(exc), text, layouts, file=file, line=line)
                continue
            if is_object(item):
                yield row_of_object(number, item, layouts, file, line)
            else:
                yield unreadable_row(
                    number, "the line must be one JSON object: {…}", text, layouts, file=file, line=line
                )


def _check_form(first: str, file: str, line: int) -> None:
    if first.strip() in {"[", "{"} or first.lstrip().startswith("[{"):
        msg = "this is one JSON document; write one object a line, without commas between them (jq -c '.[]' does that)"
        raise SourceError(msg, file=file, line=line)
