"""Read the rows of JSON files: one object a line, or a list of objects."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from marketingblocks_async.bulk.errors import SourceError
from marketingblocks_async.bulk.plan import SourceInfo
from marketingblocks_async.bulk.sheets.cells import is_blank
from marketingblocks_async.bulk.sheets.columns import ColumnRules
from marketingblocks_async.bulk.sheets.display import readable
from marketingblocks_async.bulk.sheets.json_text import JsonError, load_json
from marketingblocks_async.bulk.sheets.layout import Layout, RawRow, Unreadable, compile_layout
from marketingblocks_async.models.base import is_object

from .text_files import LINE_LIMIT, open_lines

_KEPT_LAYOUTS = 256
_COMMA_AT_END = "there is a comma behind the last entry of the list; delete it"
_NO_COMMA = "a comma or ] is missing between the entries of the list"
_NEVER_CLOSED = "the list or an entry of it is never closed"
_AFTER_THE_END = "there is something after the end of the list"


class Layouts:
    """The layouts of objects, which name their fields themselves; objects with the same names share one."""

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
    """Return the row that an object is: field → value, under nested or flattened names."""
    names = tuple(item)
    if not all(isinstance(name, str) for name in cast("tuple[object, ...]", names)):
        return unreadable_row(number, "the names of its fields must be text", item, layouts, file=file, line=line)
    return RawRow(number, [item[name] for name in names], layouts.of(names), file, line)


def unreadable_row(
    number: int, message: str, shown: object, layouts: Layouts, *, file: str = "", line: int | None = None
) -> RawRow:
    """Return the row for a line or item that holds no fields."""
    text = shown.strip() if isinstance(shown, str) else ""
    return RawRow(number, (), layouts.of(()), file, line, Unreadable(message, "", readable(shown), text))


def read_jsonl(path: Path, info: SourceInfo, rules: ColumnRules, encoding: str | None) -> Iterator[RawRow]:
    """Yield the rows of a JSON Lines file; a line that is not a JSON object is a row that cannot be read.

    Raises:
        SourceError: the file cannot be read, or is one JSON document over many lines.

    """
    layouts = Layouts(rules)
    file, number = info.file, 0
    with open_lines(path, info, encoding, rules.words) as lines:
        for line, text in enumerate(lines, 1):
            if is_blank(text):
                continue
            number += 1
            if number == 1:
                _check_form(text, file, line)
            try:
                item = load_json(text.rstrip(), extra="write one object a line")
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
        msg = (
            "this is one JSON document; name the file .json if it is a list of objects, or write one object a line, "
            "without commas between them (jq -c '.[]' does that)"
        )
        raise SourceError(msg, file=file, line=line)


def read_json(path: Path, info: SourceInfo, rules: ColumnRules, encoding: str | None) -> Iterator[RawRow]:
    """Yield the rows of a JSON document that is a list of objects, one by one as they are read.

    Raises:
        SourceError: the file cannot be read, is no list, or is no JSON from some place on.

    """
    layouts = Layouts(rules)
    number = 0
    with open_lines(path, info, encoding, rules.words) as lines:
        for line, item, text in list_items(lines, info.file):
            number += 1
            if is_object(item):
                yield row_of_object(number, item, layouts, info.file, line)
            else:
                message = str(item) if isinstance(item, JsonError) else "each entry of the list must be an object: {…}"
                yield unreadable_row(number, message, text, layouts, file=info.file, line=line)


def list_items(lines: Iterator[str], file: str) -> Iterator[tuple[int, Any, str]]:
    """Yield line, value and text of each entry of a list; the value of an unclear one is the error that says so.

    Raises:
        SourceError: the document is no list, or is no JSON from some place on.

    """
    window = _Window(lines, file)
    if window.sign() != "[":
        msg = "this is not a list of objects; write [{…}, {…}], or one object a line and name the file .jsonl"
        raise SourceError(msg, file=file, line=window.line)
    window.skip()
    if window.sign() == "]":
        window.skip()
        window.end()
        return
    while True:
        window.sign()
        line = window.line
        yield line, *window.value()
        sign = window.sign()
        if sign not in (",", "]"):
            raise window.broken(_NO_COMMA)
        window.skip()
        if sign == "]":
            window.end()
            return
        if window.sign() == "]":
            raise window.broken(_COMMA_AT_END)


class _Window:
    """The part of a JSON document that is in memory: the entry that is being read, and what was read with it."""

    def __init__(self, lines: Iterator[str], file: str) -> None:
        self._lines = lines
        self._file = file
        self._text = ""
        self._at = 0
        self._first_line = 1
        self._counted = 0

    @property
    def line(self) -> int:
        """The line of the next character."""
        self._first_line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._first_line

    def sign(self) -> str:
        """Return the next character that is no white space, empty at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in " \t\r\n":
                    return self._text[self._at]
                self._at += 1
            if not self._more(1):
                return ""

    def skip(self) -> None:
        """Go past the next character."""
        self._at += 1

    def end(self) -> None:
        """Check that nothing follows."""
        if self.sign():
            raise self.broken(_AFTER_THE_END)

    def value(self) -> tuple[Any, str]:
        """Return the next value and its text; of an unclear text the value is the ``JsonError``."""
        wanted = 1
        while True:
            end = _end_of_value(self._text, self._at)
            if end is not None:
                text = self._text[self._at : end]
                self._at = end
                try:
                    return load_json(text), text
                except JsonError as exc:
                    return exc, text
            if len(self._text) - self._at > LINE_LIMIT or not self._more(wanted):
                raise self.broken(_NEVER_CLOSED)
            # So that an entry over many lines is not looked through for each of them.
            wanted = len(self._text) - self._at

    def broken(self, what: str) -> SourceError:
        """Return the error for a document that is no JSON."""
        msg = f"this is not JSON: {what}"
        return SourceError(msg, file=self._file, line=self.line)

    def _more(self, characters: int) -> bool:
        """Read on; return whether there was anything."""
        line = self.line
        parts = [self._text[self._at :]]
        found = 0
        for text in self._lines:
            parts.append(text)
            found += len(text)
            if found >= characters:
                break
        self._text, self._at, self._counted, self._first_line = "".join(parts), 0, 0, line
        return found > 0


_STRUCTURE = re.compile(r'["{}\[\],]')
_STRING_END = re.compile(r'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def _end_of_value(text: str, start: int) -> int | None:
    """Return where the value at ``start`` ends, ``None`` if that is not in ``text``."""
    depth, at = 0, start
    while found := _STRUCTURE.search(text, at):
        sign, at = found[0], found.end()
        if sign == '"':
            closed = _STRING_END.match(text, at)
            if closed is None:
                return None
            at = closed.end()
            if depth == 0:
                return at
        elif sign in "{[":
            depth += 1
        elif sign in "}]":
            if depth == 0:
                return found.start()
            depth -= 1
            if depth == 0:
                return at
        elif depth == 0:
            return found.start()
    return None
