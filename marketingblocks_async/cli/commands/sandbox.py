"""``marketingblocks sandbox``: the API on this machine."""

from __future__ import annotations

import typer

from marketingblocks_async.cli.exit_codes import CommandEnded, ExitCode


def add_sandbox(app: typer.Typer) -> None:
    """Add the command to ``app``; its options are the sandbox's own, so the sandbox reads them."""
    app.command(
        "sandbox",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
        add_help_option=False,
    )(sandbox)


def sandbox(context: typer.Context) -> None:
    """Run the API as a local server, with scripted faults and a ledger (sandbox --help lists its options)."""
    from marketingblocks_async.sandbox.__main__ import main

    try:
        code = main(context.args, program="marketingblocks sandbox")
    except SystemExit as exc:
        code = 0 if exc.code in (0, None) else 1
    raise CommandEnded(ExitCode.DONE if code == 0 else ExitCode.USAGE)
