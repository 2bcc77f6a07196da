"""``marketingblocks openapi``: the API as an OpenAPI document."""

from __future__ import annotations

import typer

from .exit_codes import CommandEnded, ExitCode


def add_openapi(app: typer.Typer) -> None:
    """Add the command to ``app``; its options are those of ``python -m marketingblocks_async.openapi``."""
    app.command(
        "openapi",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
        add_help_option=False,
    )(openapi)


def openapi(context: typer.Context) -> None:
    """Print the API as an OpenAPI 3.1 document, with marks for what is documented and what is a guess."""
    from marketingblocks_async.openapi.__main__ import main

    try:
        main(context.args, program="marketingblocks openapi")
    except SystemExit as exc:
        raise CommandEnded(ExitCode.DONE if exc.code in (0, None) else ExitCode.USAGE) from None
