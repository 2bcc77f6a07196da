"""The script ``marketingblocks``."""

from __future__ import annotations

import sys

from .exit_codes import CommandEnded, ExitCode

_MISSING = "The command needs typer and rich: pip install 'marketingblocks-async[cli]'\n"


def main() -> int:
    """Run the command line of this process; return its exit code."""
    try:
        from .app import app
    except ModuleNotFoundError as exc:
        if exc.name not in ("typer", "rich"):
            raise
        sys.stderr.write(_MISSING)
        return ExitCode.USAGE
    try:
        app(prog_name="marketingblocks")
    except CommandEnded as ended:
        return ended.code
    except SystemExit as exit_:
        # The parser says 2 when it does not understand the command line, which means something else here.
        return ExitCode.USAGE if exit_.code not in (0, None) else ExitCode.DONE
    return ExitCode.DONE
