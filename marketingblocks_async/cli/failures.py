"""From an exception to a panel and an exit code; nobody sees a traceback."""

from __future__ import annotations

import asyncio
import os
import traceback
from typing import Any

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
    if isinstance(error, BrokenPipeError):
        # Whoever read the output has seen enough. Nothing more can be written there, not even at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return ExitCode.FAILED
    if isinstance(error, KeyboardInterrupt | asyncio.CancelledError | Interrupted | EOFError):
        message = str(error) or "interrupted"
        output.error("Interrupted", message, {"type": "Interrupted", "message": message})
        return ExitCode.INTERRUPTED
    title, message, code, more = _explain(error)
    output.error(title, message, {"type": type(error).__name__, "message": message, **more})
    if code is ExitCode.USAGE and title == _UNFORESEEN and os.environ.get(DEBUG_VARIABLE):
        output.note("".join(traceback.format_exception(error)))
    return code


_UNFORESEEN = "Something unforeseen"


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
        problems = [(".".join(map(str, each["loc"])), each["msg"]) for each in error.errors(include_url=False)]
        return (
            "Not valid",
            "\n".join(f"{place}: {what}".removeprefix(": ") for place, what in problems),
            ExitCode.USAGE,
            {},
        )
    more: dict[str, Any] = {}
    if isinstance(error, CallError):
        more["attempts"] = error.attempts
    if isinstance(error, APIError):
        more["status_code"] = error.status_code
    if isinstance(error, InvalidRowsError | SourceError) and error.plan is not None:
        more["plan"] = error.plan.to_dict()
    message = str(error)
    if isinstance(error, OSError):
        message = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else message
    kinds: tuple[tuple[tuple[type[BaseException], ...], str, ExitCode], ...] = (
        ((OutcomeUnknownError,), "Outcome unknown", ExitCode.UNKNOWN),
        ((AuthenticationError,), "The access token was refused", ExitCode.USAGE),
        ((CallError,), "The call failed", ExitCode.FAILED),
        ((InvalidRowsError, SourceError), "The file cannot be sent", ExitCode.FAILED),
        ((BulkError,), "The journal cannot be used", ExitCode.USAGE),
        ((MarketingBlocksError,), "Configuration", ExitCode.USAGE),
        ((OSError,), "Files", ExitCode.USAGE),
        ((ValueError, TypeError), "Not valid", ExitCode.USAGE),
    )
    for classes, title, code in kinds:
        if isinstance(error, classes):
            return title, message, code, more
    message = f"{type(error).__name__}: {error}\nSet {DEBUG_VARIABLE}=1 to see where, and report it."
    return _UNFORESEEN, message, ExitCode.USAGE, {}
