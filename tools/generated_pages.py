"""Write the pages of the documentation that are made of code: ``python tools/generated_pages.py``.

They are kept in the repository, so that they can be read there and their changes reviewed. A test compares them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, cast

import typer.main

from marketingblocks_async.cli.entry import make_app
from marketingblocks_async.cli.errors import ExitCode

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
LINE_LENGTH = 88

_INTRODUCTION = """\
# Command line

The command `marketingblocks` comes with the extra `cli`. `marketingblocks --install-completion` completes it in your
shell. The access token is never an argument, because other users of a machine can see arguments.

## Exit codes

| code | meaning |
| --- | --- |
{codes}

{panels}"""
_CODES = {
    ExitCode.DONE: "everything was done",
    ExitCode.USAGE: "the command line, the configuration or the access token is wrong",
    ExitCode.FAILED: "a call failed; or rows failed, are not valid, or are still to be sent",
    ExitCode.UNKNOWN: "a call, or a row, may or may not have been carried out",
    ExitCode.INTERRUPTED: "Ctrl-C, SIGTERM or SIGHUP",
}
_PANELS = {
    "Settings": ("Settings", "Most commands take these. A command that does not call the API needs no token."),
    "How the file is read": ("Options for files", "`bulk plan`, `bulk run` and `bulk recipe new` take:"),
}
"""Groups of options that several commands share: heading and introduction."""
_LLMS = """\
# marketingblocks-async

> Asyncio client for the MarketingBlocks API (social-media posts, AI post generation, comment automations). It keeps the
> limit of 100 requests per second and token as the server counts it, and never repeats a write that may have been
> carried out: it raises OutcomeUnknownError.

Import public names from `marketingblocks_async`. Open one `MarketingBlocks` client with `async with`, and await its
methods.
"""


def command_line_page() -> str:
    """Return the page of the command line, made from the commands themselves."""
    # typer's own classes, which its stubs leave open.
    root: Any = typer.main.get_command(make_app())
    commands = list(_commands(root, "marketingblocks"))
    codes = "\n".join(f"| {code.value} | {_CODES[code]} |" for code in ExitCode)
    shared = {panel: _options_of_panel(commands, panel) for panel in _PANELS}
    panels = [
        f"## {heading}\n\n{introduction}\n\n{_table(shared[panel], 'option')}\n"
        for panel, (heading, introduction) in _PANELS.items()
    ]
    parts = [_INTRODUCTION.format(codes=codes, panels="\n".join(panels))]
    group = ""
    for path, command in commands:
        words = path.split()[1:]
        if len(words) > 1 and words[0] != group:
            group = words[0]
            parts.append(f"## {group}\n\n{_prose(root.commands[group].help)}\n")
        parts.append(_section(path, command, "###" if len(words) > 1 else "##", shared))
    return "\n".join(parts)


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    children: dict[str, Any] | None = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name, child in sorted(children.items()):
        yield from _commands(child, f"{path} {name}")


def _section(path: str, command: Any, heading: str, shared: dict[str, list[tuple[str, str]]]) -> str:
    arguments = [(_argument(each), each) for each in command.params if each.param_type_name == "argument"]
    usage = " ".join([path, "[OPTIONS]", *(name if each.required else f"[{name}]" for name, each in arguments)])
    parts = [f"{heading} {' '.join(path.split()[1:])}\n\n{_prose(command.help)}\n", f"```console\n$ {usage}\n```\n"]
    if arguments:
        rows = [(_code(name), _escaped(each.help or "")) for name, each in arguments]
        parts.append(_table(rows, "argument") + "\n")
    linked = [panel for panel, options in shared.items() if _options(command, panel) == options]
    own = [option for panel in (None, *_PANELS) if panel not in linked for option in _options(command, panel)]
    if own:
        parts.append(_table(own, "option") + "\n")
    if linked:
        headings = (_PANELS[panel][0] for panel in linked)
        links = ", ".join(f"[{each}](#{each.lower().replace(' ', '-')})" for each in headings)
        parts.append(f"Also: {links}.\n")
    for title, entries in command.lists():
        parts.append(f"**{title}**\n")
        parts.append(_table([(_code(name), _escaped(text)) for name, text in entries], "name") + "\n")
    if command.epilog:
        examples = "\n".join(_wrapped(line) for line in command.epilog.split("\n\n"))
        parts.append(f"```console\n{examples}\n```\n")
    return "\n".join(parts)


def _argument(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _options_of_panel(commands: Sequence[tuple[str, Any]], panel: str) -> list[tuple[str, str]]:
    found = dict(option for _, command in commands for option in _options(command, panel))
    return list(found.items())


def _options(command: Any, panel: str | None) -> list[tuple[str, str]]:
    return [
        (_spelling(each), _explained(each))
        for each in command.params
        if each.param_type_name == "option" and each.name != "help" and not each.hidden and _panel(each) == panel
    ]


def _panel(option: Any) -> str | None:
    return option.rich_help_panel if option.rich_help_panel in _PANELS else None


def _spelling(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    kind = option.type_descriptor.annotation
    if option.is_flag:
        return names
    if option.metavar:
        value = option.metavar
    elif isinstance(kind, type) and issubclass(kind, Enum):
        value = "|".join(str(each.value) for each in kind)
    else:
        value = {"int": "N", "float": "SECONDS", "Path": "FILE"}.get(kind.__name__, "TEXT")
    return f"{names} {_code(value)}"


def _explained(option: Any) -> str:
    text = _prose(option.help or "").replace("\n", " ")
    default = option.default
    # In the help it is shown in the same way.
    if option.show_default and default is not None and not callable(default) and not option.is_flag and default != ():
        text += f" Default: {_code(str(getattr(default, 'value', default)))}."
    return f"{text} Required." if option.required else text


def _prose(text: str | None) -> str:
    # Without rich's markup, and with what Markdown would read as HTML or as a column made harmless.
    plain = re.sub(r"\[/?(?:bold|cyan|dim|italic)\]", "", text or "").replace("\f", "").strip()
    return _escaped(plain)


def _code(text: str) -> str:
    # Inside backticks the sign that ends a cell cannot be written so that every renderer shows it.
    return f"`{text}`" if "|" not in text else f"<code>{_escaped(text).replace('[', '&#91;')}</code>"


def _escaped(text: str) -> str:
    # Renderers differ in how they read a backslash before the sign that ends a cell.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "&#124;")


def _table(rows: Sequence[tuple[str, str]], first: str) -> str:
    return "\n".join([f"| {first} | |", "| --- | --- |", *(f"| {name} | {text} |" for name, text in rows)])


def _wrapped(line: str) -> str:
    # Before an option, so that it stays with its value.
    lines, current = list[str](), "$"
    for part in re.split(r" (?=--)", line):
        if len(current) + len(part) > LINE_LENGTH - 3:
            lines.append(f"{current} \\")
            current = "   "
        current += f" {part}"
    return "\n".join([*lines, current])


def llms_text() -> str:
    """Return ``llms.txt``, for programs that read documentation: every page with its first sentence."""
    nav = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]
    return "\n".join([_LLMS, *_entries(nav)]) + "\n"


def _entries(nav: list[dict[str, Any]]) -> Iterator[str]:
    for entry in nav:
        for title, target in entry.items():
            if isinstance(target, str):
                yield f"- [{title}]({target.removesuffix('.md')}.html){_first_sentence(DOCS / target)}"
            else:
                yield f"\n## {title}\n"
                yield from _entries(cast("list[dict[str, Any]]", target))


def _first_sentence(page: Path) -> str:
    paragraphs = re.split(r"\n\s*\n", page.read_text(encoding="utf-8"))
    # A page of tables or of docstrings has none.
    if len(paragraphs) < 2 or not re.match(r"[A-Za-z`*]", paragraphs[1]):
        return ""
    plain = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", " ".join(paragraphs[1].split()))
    return ": " + re.split(r"(?<=[.?:])\s", plain, maxsplit=1)[0].rstrip(":")


PAGES = {DOCS / "reference" / "cli.md": command_line_page, DOCS / "llms.txt": llms_text}
"""The generated files, with the functions that make their text."""


if __name__ == "__main__":
    for path, make in PAGES.items():
        path.write_text(make(), encoding="utf-8")
