"""The script ``marketingblocks``."""

from __future__ import annotations

import sys

from . import streams
from .exit_codes import CommandEnded, ExitCode

_MISSING = "The command needs typer and rich: pip install 'marketingblocks-async[cli]'\n"


def main() -> int:
    """Run the command line of this process; return its exit code."""
    streams.prepare()
    try:
        code = _run()
    except KeyboardInterrupt:
        # Before the command began, or while its end was being reported.
        code = ExitCode.INTERRUPTED
    error = streams.flush()
    if error is not None and code is ExitCode.DONE:
        sys.stderr.write(f"The output could not be written: {error.strerror}\n")
        code = ExitCode.USAGE
    return code


def _run() -> ExitCode:
    try:
        from .app import app
    except ModuleNotFoundError as exc:
        if exc.name not in ("typer", "rich"):
            raise
        sys.stderr.write(_MISSING)
        return ExitCode.USAGE
    try:
        # Without its own way of showing errors, which knows nothing of --json.
        code = app(prog_name="marketingblocks", standalone_mode=False)
    except CommandEnded as ended:
        return ended.code
    except SystemExit as exit_:
        # What the parser does for shells ends so.
        code = exit_.code
    except Exception as exc:  # noqa: BLE001 - all are shown
        from .errors import report
        from .output import Output

        return report(exc, Output(as_json="--json" in sys.argv[1:]))
    if code == ExitCode.INTERRUPTED:
        return ExitCode.INTERRUPTED
    return ExitCode.USAGE if code else ExitCode.DONE
