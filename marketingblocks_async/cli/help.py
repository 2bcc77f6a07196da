"""The help of commands and groups: plain lists that fit terminals of any width, and examples that can be copied."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from rich.console import Console

NAME_WIDTH = 30
"""Widest column of names; longer names get a line of their own."""

NARROW = 60
"""Below this width every name gets a line of its own."""

_VALUES: dict[Any, str] = {int: "N", float: "NUMBER", Path: "FILE", str: "TEXT"}

Entry = tuple[str, str]
"""A name and its explanation."""

Lists = Sequence[tuple[str, Sequence[Entry]]]
"""Lists of entries, each with its title."""


@dataclass(frozen=True, slots=True)
class Page:
    """The help of one command: explanation, arguments and options (annotated as typer reads them), and example lines.

    ``lists`` returns further lists, such as the values of an option.
    """

    text: str
    parameters: Sequence[inspect.Parameter]
    examples: Sequence[str]
    lists: Callable[[], Lists] = tuple

    def show(self, path: str) -> None:
        """Print the help of the command that is called as ``path``."""
        console = _console()
        arguments = [each for each in self.parameters if _is_argument(each)]
        options = [each for each in self.parameters if not _is_argument(each) and not _info(each).hidden]
        names = {_argument_name(each): each.default is inspect.Parameter.empty for each in arguments}
        words = "".join(f" {name}" if is_required else f" [{name}]" for name, is_required in names.items())
        _show_text(console, f"Usage: {path}{words} [OPTIONS]", self.text)
        _show_entries(console, "Arguments", [(_argument_name(each), _explanation(each)) for each in arguments])
        for panel in dict.fromkeys(_info(each).rich_help_panel or "Options" for each in options):
            chosen = [each for each in options if (_info(each).rich_help_panel or "Options") == panel]
            _show_entries(console, panel, [(_option_name(each), _explanation(each)) for each in chosen])
        _show_entries(console, "Help", [("-h, --help", "Show this help.")])
        if self.examples:
            _show_title(console, "Examples")
            for line in self.examples:
                # The terminal breaks a long line, so that it can be copied.
                console.print(f"  {line}", markup=False, soft_wrap=True, style="cyan")
        for title, entries in self.lists():
            _show_entries(console, title, entries)


def command_class(page: Page) -> type[TyperCommand]:
    """Return a class of commands with this help."""

    class Command(TyperCommand):
        lists = staticmethod(page.lists)

        def format_help(self, ctx: Any, formatter: Any) -> None:
            """Print the help."""
            del formatter
            page.show(ctx.command_path)

    return Command


class Group(TyperGroup):
    """A group of commands, with a help of the same form."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        del formatter
        console = _console()
        _show_text(console, f"Usage: {ctx.command_path} COMMAND [OPTIONS]", self.help or "")
        names = self.list_commands(ctx)
        commands = [(name, self.get_command(ctx, name)) for name in names]
        _show_entries(
            console, "Commands", [(name, _first_sentence(each.help or "")) for name, each in commands if each]
        )
        options = [
            (", ".join(each.opts), getattr(each, "help", None) or "")
            for each in self.get_params(ctx)
            if not getattr(each, "hidden", False)
        ]
        _show_entries(console, "Options", options)
        console.print(f"\n{ctx.command_path} COMMAND --help explains a command.", soft_wrap=True)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


def _show_text(console: Console, usage: str, text: str) -> None:
    console.print(usage, markup=False, style="bold", soft_wrap=True)
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        console.print()
        console.print(" ".join(paragraph.split()), markup=False)


def _show_title(console: Console, title: str) -> None:
    console.print()
    console.print(title, markup=False, style="bold")


def _show_entries(console: Console, title: str, entries: Iterable[Entry]) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    chosen = list(entries)
    if not chosen:
        return
    _show_title(console, title)
    width = min(NAME_WIDTH, max(len(name) for name, _ in chosen))
    for name, text in chosen:
        if console.width < NARROW or len(name) > width:
            console.print(Text(f"  {name}", style="cyan"))
            console.print(Padding(Text(text), (0, 0, 0, 6 if console.width < NARROW else width + 4)))
            continue
        table = Table.grid(padding=(0, 2))
        table.add_column(width=width, no_wrap=True)
        table.add_column()
        table.add_row(Text(name, style="cyan"), Text(text))
        console.print(Padding(table, (0, 0, 0, 2)))


def _info(parameter: inspect.Parameter) -> Any:
    """Return typer's description of a parameter."""
    return get_args(parameter.annotation)[1]


def _is_argument(parameter: inspect.Parameter) -> bool:
    return type(_info(parameter)).__name__ == "ArgumentInfo"


def _type_of(parameter: inspect.Parameter) -> Any:
    """Return the type of one value."""
    found = get_args(parameter.annotation)[0]
    while get_origin(found) in {list, Union, UnionType}:
        found = next(each for each in get_args(found) if each is not type(None))
    return found


def _members(kind: Any) -> list[Enum]:
    """Return the members of an enumeration; none if the type is another one."""
    return list(kind) if isinstance(kind, type) and issubclass(kind, Enum) else []


def _argument_name(parameter: inspect.Parameter) -> str:
    return _info(parameter).metavar or parameter.name.upper()


def _option_name(parameter: inspect.Parameter) -> str:
    info, kind = _info(parameter), _type_of(parameter)
    # Inside Annotated, typer takes the first name for the default.
    given = [each for each in (info.default, *(info.param_decls or ())) if isinstance(each, str)]
    names = ", ".join(given or [f"--{parameter.name.replace('_', '-')}"]).replace("/", ", ")
    if kind is bool:
        return names
    value = "|".join(str(each.value) for each in _members(kind)) or _VALUES.get(kind, "TEXT")
    return f"{names} {info.metavar or value}"


def _explanation(parameter: inspect.Parameter) -> str:
    info, default = _info(parameter), parameter.default
    notes: list[str] = []
    if default is inspect.Parameter.empty:
        notes += [] if _is_argument(parameter) else ["required"]
    elif default is not None and not isinstance(default, bool):
        shown = default.value if isinstance(default, Enum) else default
        notes.append(f"default: {shown:g}" if isinstance(shown, float) else f"default: {shown}")
    if info.envvar:
        notes.append(f"environment: {info.envvar}")
    told = f"({', '.join(notes)})" if notes else ""
    return f"{info.help or ''} {told}".strip()


def _first_sentence(text: str) -> str:
    return " ".join(inspect.cleandoc(text).split("\n\n")[0].split()).split(". ")[0].rstrip(".") + "."
