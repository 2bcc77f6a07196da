"""The command line as a whole. Only what help texts need is imported here, so that they come at once."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import new_app
from .commands import automations, bulk, channels, posts
from .commands.doctor import add_doctor
from .commands.generic import add_calls, docs
from .commands.openapi import add_openapi
from .commands.sandbox import add_sandbox

app: typer.Typer = new_app(
    "Post to social media through the MarketingBlocks API, one post or a million, within its limit of 100 requests per "
    "second and never twice.\n\nExit codes: 0 all done; 1 usage, configuration or token; 2 something failed or is "
    "still to be sent; 3 an outcome is unknown; 130 interrupted."
)


def _print_version(value: bool) -> None:
    if value:
        from marketingblocks_async import __version__

        typer.echo(f"marketingblocks {__version__}")
        raise typer.Exit


@app.callback()
def settings(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take what concerns all commands."""


app.add_typer(bulk.app, name="bulk")
app.add_typer(posts.app, name="posts")
app.add_typer(channels.app, name="channels")
add_calls(app)
app.add_typer(automations.app, name="automations")
app.add_typer(docs, name="docs")
add_sandbox(app)
add_openapi(app)
add_doctor(app)
