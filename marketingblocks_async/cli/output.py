"""Prints results and errors: tables and panels for people, one line of JSON for programs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that would control the terminal, change the direction of text, or cannot be encoded."""


class Output:
    """Prints results to the standard output, and everything else to the standard error.

    Args:
        as_json: whether results and errors are printed as one line of JSON.

    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json: bool = as_json
        self._began = False

    @cached_property
    def console(self) -> Console:
        """The standard output."""
        return _console(stderr=False)

    @cached_property
    def notes(self) -> Console:
        """The standard error."""
        return _console(stderr=True)

    def result(self, data: Any, show: Callable[[], None]) -> None:
        """Print the result of a command: ``data`` as JSON, or for people with ``show``."""
        if self.as_json:
            print_json(data)
        else:
            show()

    def error(self, title: str, message: str, data: Mapping[str, Any]) -> None:
        """Print why a command failed, and what to do next; ``data`` is the same for programs."""
        if self.as_json:
            print_json({"error": data})
            return
        from rich.panel import Panel
        from rich.text import Text

        self.notes.print(Panel(Text(shown(message)), title=Text(title), title_align="left", border_style="red"))

    def event(self, name: str, data: Any) -> None:
        """Print one line of JSON to the standard error, for programs: how far a long command is, or what it found."""
        if self.as_json and not self.notes.is_terminal:
            sys.stderr.write(json.dumps({name: data}) + "\n")
            sys.stderr.flush()

    def note(self, message: str) -> None:
        """Print a remark, in one line however long, since it may hold a command to be copied."""
        if self.as_json and not self.notes.is_terminal:
            self.event("note", message)
            return
        from rich.text import Text

        self.notes.print(Text(shown(message)), soft_wrap=True)

    def words(self, text: str) -> None:
        """Print a text as it is."""
        from rich.text import Text

        self.console.print(Text(shown(text)), soft_wrap=True)

    def table(
        self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()
    ) -> None:
        """Print a table for people; the columns named in ``right`` are aligned to the right."""
        from rich.table import Table
        from rich.text import Text

        table = Table(header_style="bold")
        for column in columns:
            table.add_column(column, justify="right" if column in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text("" if cell is None else shown(str(cell))) for cell in row))
        self._title(title if table.row_count else f"{title}: none")
        if table.row_count:
            self.console.print(table)

    def facts(self, title: str, facts: Iterable[tuple[str, object]]) -> None:
        """Print names and values for people, each in one line; values that are ``None`` are left out."""
        from rich.text import Text

        texts = [(shown(name), shown(_as_text(value))) for name, value in facts if value is not None]
        width = max((len(name) for name, _ in texts), default=0)
        self._title(title)
        for name, text in texts:
            self.console.print(Text.assemble((f"{name:<{width}}", "bold"), "  ", text), soft_wrap=True)

    def _title(self, title: str) -> None:
        from rich.text import Text

        if self._began:
            self.console.print()
        self._began = True
        # By itself, since a table would break it at its own width.
        self.console.print(Text(shown(title), style="bold underline"), soft_wrap=True)


def shown(text: str) -> str:
    """Return a text that is safe to print: characters that would control the terminal are written as escapes."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def json_of(response: BaseModel) -> dict[str, Any]:
    """Return a response of the API as JSON values, under the API's own names."""
    from marketingblocks_async.models.base import json_values

    values: dict[str, Any] = json_values(response)
    return values


def print_json(data: Any) -> None:
    """Print one line of JSON, readable in every encoding of a terminal."""
    sys.stdout.write(json.dumps(data, default=str) + "\n")
    sys.stdout.flush()


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=False)
