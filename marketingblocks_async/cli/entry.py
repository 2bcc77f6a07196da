"""The script ``marketingblocks``, and the command line as a whole."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, TextIO

from . import streams
from .errors import CommandEnded, ExitCode, report, with_fields
from .output import Output

if TYPE_CHECKING:
    import typer

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
        app = make_app()
    except ModuleNotFoundError as exc:
        if exc.name not in ("typer", "rich"):
            raise
        sys.stderr.write(_MISSING)
        return ExitCode.USAGE
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            # Not in typer's standalone mode, which shows errors without regard to --json.
            code = app(prog_name="marketingblocks", standalone_mode=False)
    except CommandEnded as ended:
        return ended.code
    except SystemExit as exit_:
        # Shell completion ends so.
        code = exit_.code
    except Exception as exc:  # noqa: BLE001 - all are shown
        return report(exc, Output(as_json="--json" in sys.argv[1:]))
    if code == ExitCode.INTERRUPTED:
        return ExitCode.INTERRUPTED
    return ExitCode.USAGE if code else ExitCode.DONE


def _show_warning(  # noqa: PLR0917 - as warnings.showwarning is called
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning as a remark: a user of the command cannot use its place in the code."""
    if issubclass(category, UserWarning):
        Output(as_json="--json" in sys.argv[1:]).note(f"Warning: {with_fields(str(message))}")
    else:
        (file or sys.stderr).write(warnings.formatwarning(message, category, filename, lineno, line))


def make_app() -> typer.Typer:
    """Return the command line with all commands; ``ModuleNotFoundError`` if typer or rich is not installed."""
    # The commands import typer, which the base install does not have; main() explains that.
    from .command import new_app, version_option
    from .commands import automations, bulk, channels, doctor, generic, mcp, openapi, posts, sandbox, schema

    app = new_app(
        "Post to social media through the MarketingBlocks API, one post or a million, within its limit of 100 requests "
        "per second. If it cannot tell whether a post was published, it says so and does not send it again.\n\n"
        "Exit codes: 0 all done; 1 usage, configuration or token; 2 something failed or is still to be sent; 3 an "
        "outcome is unknown; 130 interrupted."
    )
    app.callback()(version_option)
    app.add_typer(bulk.app, name="bulk")
    app.add_typer(posts.app, name="posts")
    app.add_typer(channels.app, name="channels")
    app.add_typer(automations.app, name="automations")
    for commands_of_one_word in (generic, sandbox, mcp, openapi, schema, doctor):
        app.add_typer(commands_of_one_word.app)
    return app
