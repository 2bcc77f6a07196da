"""``marketingblocks channels``: connecting social accounts."""

from __future__ import annotations

from typing import Annotated

import typer

from marketingblocks_async.cli.command import command, new_app
from marketingblocks_async.cli.output import json_of
from marketingblocks_async.cli.settings import Settings

app: typer.Typer = new_app("Connect social accounts.")


@command(app, "connect", examples="marketingblocks channels connect user-1 --redirect-url https://example.com/done")
def connect(
    settings: Settings,
    *,
    user_id: Annotated[str, typer.Argument(help="Your own id of the user.")],
    redirect_url: Annotated[str | None, typer.Option(help="Where the browser returns to.")] = None,
) -> None:
    """Start the sign-in that connects an account, and show the address to open."""
    started = json_of(settings.call(lambda client: client.channels.connect(user_id=user_id, redirect_url=redirect_url)))
    settings.output.result(started, lambda: settings.output.facts("Open connect_url in a browser", started.items()))
