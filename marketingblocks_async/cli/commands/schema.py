"""``marketingblocks schema``: what ``--json`` prints, as JSON Schema."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from marketingblocks_async.cli.command import command, new_app
from marketingblocks_async.cli.settings import Settings

app: typer.Typer = new_app()


@command(
    app,
    "schema",
    examples="""
    marketingblocks schema
    marketingblocks schema "bulk plan"
    """,
    shared=("as_json",),
)
def schema(
    settings: Settings,
    *,
    name: Annotated[
        str | None, typer.Argument(metavar="COMMAND", help='Only of this command, for example "bulk run".')
    ] = None,
) -> None:
    """Print the JSON Schemas of what the commands print with --json, by command.

    That is one line of the standard output; sandbox prints it when it listens, and mcp has none. "error" is the line of
    a command that failed. On a standard error that is no terminal, bulk run and bulk resume print a line "progress"
    each second, doctor prints a line "check" after each check, and remarks are lines "note".
    """
    from marketingblocks_async.cli.schemas import output_schemas

    schemas = output_schemas()
    if name == "mcp":
        msg = 'mcp speaks the Model Context Protocol; of its own it prints only the line "error" when it cannot start'
        raise ValueError(msg)
    if name is not None and name not in schemas:
        msg = f"{name!r} prints no JSON; these do: {', '.join(schemas)}"
        raise ValueError(msg)
    shown: Any = schemas if name is None else schemas[name]
    settings.output.result(shown, lambda: settings.output.words(json.dumps(shown, indent=2, ensure_ascii=False)))
