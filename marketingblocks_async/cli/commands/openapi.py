"""``marketingblocks openapi``: the API as an OpenAPI document."""

from __future__ import annotations

from typing import Annotated

import typer

from marketingblocks_async.cli.command import command, new_app
from marketingblocks_async.cli.settings import Settings

app: typer.Typer = new_app()

Table = Annotated[bool, typer.Option("--table", help="Print the reference table in Markdown instead.")]


@command(
    app,
    "openapi",
    examples="""
    marketingblocks openapi
    marketingblocks openapi --base-url http://127.0.0.1:8080/api/v1
    marketingblocks openapi --table
    """,
    shared=("base_url", "as_json"),
)
def openapi(settings: Settings, *, table: Table = False) -> None:
    """Print the API as an OpenAPI 3.1 document, with marks for documented, inferred and unknown parts."""
    from marketingblocks_async.cli.output import print_json
    from marketingblocks_async.endpoints import DEFAULT_BASE_URL
    from marketingblocks_async.openapi import document, document_json, reference_table

    server_url = settings.base_url or DEFAULT_BASE_URL
    if table:
        typer.echo(reference_table(), nl=False)
    elif settings.output.as_json:
        print_json(document(server_url=server_url))
    else:
        typer.echo(document_json(server_url=server_url), nl=False)
