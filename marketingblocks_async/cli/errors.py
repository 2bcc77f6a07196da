"""From an exception to a panel and an exit code; nobody sees a traceback."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import traceback
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from .exit_codes import CommandEnded, ExitCode
from .output import Output

DEBUG_VARIABLE = "MARKETINGBLOCKS_DEBUG"
"""Environment variable that adds the traceback of something unforeseen."""


class Interrupted(Exception):  # noqa: N818 - it is no error
    """Ctrl-C, with what is known of the call that it ended."""


def report(error: BaseException, output: Output) -> ExitCode:
    """Show why a command failed, and return its exit code.

    Args:
        error: what it raised.
        output: where to.

    """
    if isinstance(error, CommandEnded):
        return error.code
    try:
        return _report(error, output)
    except OSError as exc:
        # The disk that takes the standard output is full, for example.
        sys.stderr.write(f"The output could not be written: {exc.strerror or exc}\n")
        return ExitCode.USAGE


def _report(error: BaseException, output: Output) -> ExitCode:
    if isinstance(error, KeyboardInterrupt | asyncio.CancelledError | Interrupted | EOFError):
        message = str(error) or "interrupted"
        output.error("Interrupted", message, {"type": "Interrupted", "message": message})
        return ExitCode.INTERRUPTED
    if isinstance(error, _UsageError):
        _report_usage(error, output)
        return ExitCode.USAGE
    title, message, code, more = _explain(error)
    output.error(title, message, {"type": type(error).__name__, "message": message, **more})
    if code is ExitCode.USAGE and title == _UNFORESEEN and os.environ.get(DEBUG_VARIABLE):
        output.note("".join(traceback.format_exception(error)))
    return code


def _report_usage(error: _UsageError, output: Output) -> None:
    message = error.format_message()
    context: Any = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        # The message is the help, or nothing if that was printed already.
        output.words(message) if message else None
        return
    where = "" if context is None else f"\nSee: {context.command_path} --help"
    output.error("Usage", f"{message}{where}", {"type": "UsageError", "message": message})


@runtime_checkable
class _UsageError(Protocol):
    """What the parser of command lines raises; its class has moved between versions of typer."""

    def format_message(self) -> str: ...


_UNFORESEEN = "Something unforeseen"

_OPTIONS = ("skip_invalid", "base_url", "list_separator", "token_file")
_SPELLING = re.compile(rf"\b({'|'.join(_OPTIONS)})\b")


def _as_options(message: str) -> str:
    """Return a message of the library with its arguments spelled as the options that they are here."""
    return _SPELLING.sub(lambda found: "--" + found[0].replace("_", "-"), message)


def _place(steps: Sequence[int | str]) -> str:
    """Return where in a request something is wrong, without the names of the checks on the way."""
    return ".".join(str(step) for step in steps if not re.search(r"[\[(]", str(step)))


def _explain(error: BaseException) -> tuple[str, str, ExitCode, dict[str, Any]]:
    from pydantic import ValidationError

    from marketingblocks_async import (
        APIError,
        AuthenticationError,
        CallError,
        MarketingBlocksError,
        OutcomeUnknownError,
    )
    from marketingblocks_async.bulk import BulkError, InvalidRowsError, SourceError

    if isinstance(error, ValidationError):
        # Of a field that may be of several types, what the last of them says.
        problems = {
            _place(each["loc"]): each["msg"].removeprefix("Value error, ") for each in error.errors(include_url=False)
        }
        lines = [f"{place}: {what}".removeprefix(": ") for place, what in problems.items()]
        return "Not valid", "\n".join(lines), ExitCode.USAGE, {}
    more: dict[str, Any] = {}
    if isinstance(error, CallError):
        more["attempts"] = error.attempts
    if isinstance(error, APIError):
        more["status_code"] = error.status_code
    if isinstance(error, InvalidRowsError | SourceError) and error.plan is not None:
        more["plan"] = error.plan.to_dict()
    message = str(error)
    if isinstance(error, OSError):
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        message = f"{where}{error.strerror or message}"
    kinds: tuple[tuple[tuple[type[BaseException], ...], str, ExitCode], ...] = (
        ((OutcomeUnknownError,), "Outcome unknown", ExitCode.UNKNOWN),
        ((AuthenticationError,), "The access token was refused", ExitCode.USAGE),
        ((CallError,), "The call failed", ExitCode.FAILED),
        ((InvalidRowsError,), "The file cannot be sent", ExitCode.FAILED),
        ((SourceError,), "The file cannot be read", ExitCode.USAGE),
        ((BulkError,), "The journal cannot be used", ExitCode.USAGE),
        ((MarketingBlocksError,), "Configuration", ExitCode.USAGE),
        ((OSError,), "Files", ExitCode.USAGE),
        ((ValueError,), "Not valid", ExitCode.USAGE),
    )
    for classes, title, code in kinds:
        if isinstance(error, classes):
            return title, _as_options(message), code, more
    message = f"{type(error).__name__}: {error}\nSet {DEBUG_VARIABLE}=1 to see where, and report it."
    return _UNFORESEEN, message, ExitCode.USAGE, {}
