"""Exit codes, and the words for every error: a panel for people, one line of JSON for programs, never a traceback."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import traceback
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from .output import Output

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from marketingblocks_async.bulk import Counts

DEBUG_VARIABLE = "MARKETINGBLOCKS_DEBUG"
"""Environment variable that adds the traceback of an unexpected error."""


class ExitCode(IntEnum):
    """The exit codes of all commands."""

    DONE = 0
    """All done."""
    USAGE = 1
    """The command line, the configuration or the access token is wrong; or an unexpected error."""
    FAILED = 2
    """A call failed; or rows failed, are not valid, or are still to be sent."""
    UNKNOWN = 3
    """A call, or rows, may or may not have been carried out."""
    INTERRUPTED = 130
    """Ctrl-C, SIGTERM or SIGHUP."""


class CommandEnded(Exception):  # noqa: N818 - it is not an error
    """Carries an exit code out of a command; the parser of command lines has its own meaning for the number 2."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__(code)
        self.code: ExitCode = code


class Interrupted(Exception):  # noqa: N818 - it is not an error
    """Ctrl-C. The message holds what is known of the call that it ended."""


# The first name that the error or one of its base classes has decides. Names instead of classes, because importing the
# classes would make every command half a second slower.
_KINDS: tuple[tuple[str, str, ExitCode], ...] = (
    ("ValidationError", "Not valid", ExitCode.USAGE),
    ("OutcomeUnknownError", "Outcome unknown", ExitCode.UNKNOWN),
    ("AuthenticationError", "The access token was refused", ExitCode.USAGE),
    ("CallError", "The call failed", ExitCode.FAILED),
    ("InvalidRowsError", "The file cannot be sent", ExitCode.FAILED),
    ("UnconfirmedRowsError", "The file was not sent", ExitCode.FAILED),
    ("SourceError", "The file cannot be read", ExitCode.USAGE),
    ("BulkError", "The journal cannot be used", ExitCode.USAGE),
    ("StartError", "The sandbox cannot start", ExitCode.USAGE),
    ("StateFileError", "The file cannot be used", ExitCode.USAGE),
    ("InvalidArgumentError", "Not valid", ExitCode.USAGE),
    ("MarketingBlocksError", "Configuration", ExitCode.USAGE),
    ("OSError", "Files", ExitCode.USAGE),
    ("ValueError", "Not valid", ExitCode.USAGE),
)

# Arguments of the library that are options here.
_SPELLING = re.compile(
    r"\b(skip_invalid|allow_past|allow_duplicates|check_media|accept_new_token|on_outage|base_url|docs_url"
    r"|list_separator|token_file)\b"
)

_REPEATED = {
    "campaign_ids": "--campaign-id",
    "channels": "--channel",
    "hash_tags": "--hash-tag",
    "keywords": "--keyword",
    "media_urls": "--media-url",
    "post_ids": "--post-id",
}
"""Fields that are lists → the options that are given once for each entry."""

# Fields of a request that messages name. Names in quotes are values.
_FIELDS = re.compile(
    r"(?<![\w'\"-])(channel_type|channel_id|post_type|publish_mode|schedule_time|time_zone|twitter_threads|post_extra"
    r"|target_type|trigger_type|response_type|media_urls|hash_tags|post_ids|campaign_ids|keywords)(?![\w'\"-])"
)


def with_options(text: str) -> str:
    """Return a text of the library in which arguments have the names of the options that they are here."""
    return _SPELLING.sub(lambda found: "--" + found[0].replace("_", "-"), text)


def with_fields(text: str) -> str:
    """Return a text about a request in which fields have the names of their options, and objects are JSON."""
    from marketingblocks_async.models.base import plain_words, without_python

    text = without_python(plain_words(text))
    return _FIELDS.sub(lambda found: _option(found[0]), text)


def _option(field: str) -> str:
    return _REPEATED.get(field, f"--{field.replace('_', '-')}")


def code_of(counts: Counts) -> ExitCode:
    """Return the exit code of a bulk run that ended with these counts: the worst of its rows."""
    if counts.unknown:
        return ExitCode.UNKNOWN
    return ExitCode.FAILED if counts.failed or counts.pending else ExitCode.DONE


def report(error: BaseException, output: Output) -> ExitCode:
    """Show why a command failed, and return its exit code."""
    if isinstance(error, CommandEnded):
        return error.code
    try:
        return _report(error, output)
    except OSError as exc:
        # The disk of a redirected standard output is full, for example.
        sys.stderr.write(f"The output could not be written: {exc.strerror or exc}\n")
        return ExitCode.USAGE


def _report(error: BaseException, output: Output) -> ExitCode:
    if isinstance(error, KeyboardInterrupt | asyncio.CancelledError | Interrupted | EOFError):
        message = str(error) or "interrupted"
        if output.notes.is_terminal and not output.as_json:
            # Below the "^C" that the terminal has written.
            output.notes.print()
        output.error("Interrupted", message, {"type": "Interrupted", "message": message})
        return ExitCode.INTERRUPTED
    if isinstance(error, _UsageError):
        _report_usage(error, output)
        return ExitCode.USAGE
    bases = {each.__name__ for each in type(error).__mro__}
    for name, title, code in _KINDS:
        if name in bases:
            message = with_options(_message(error))
            output.error(title, message, {"type": type(error).__name__, "message": message, **_details(error)})
            return code
    message = f"{type(error).__name__}: {error}\nSet {DEBUG_VARIABLE}=1 to see where, and report it."
    output.error("Unexpected error", message, {"type": type(error).__name__, "message": message})
    if os.environ.get(DEBUG_VARIABLE):
        output.note("".join(traceback.format_exception(error)))
    return ExitCode.USAGE


def _report_usage(error: _UsageError, output: Output) -> None:
    message = with_fields(error.format_message())
    context: Any = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        # The message is the help, or nothing if that was printed already.
        output.words(message) if message else None
        return
    where = "" if context is None else f"\nSee: {context.command_path} --help"
    output.error("Usage", f"{message}{where}", {"type": "UsageError", "message": message})


@runtime_checkable
class _UsageError(Protocol):
    """The error of the parser of command lines; its class has moved between versions of typer."""

    def format_message(self) -> str: ...


def _message(error: BaseException) -> str:
    from pydantic import ValidationError

    from marketingblocks_async.models.base import problems_of

    if isinstance(error, ValidationError):
        problems = {_place(each): with_fields(each["msg"]) for each in problems_of(error)}
        return "\n".join(f"{place}: {problem}".removeprefix(": ") for place, problem in problems.items())
    if isinstance(error, OSError):
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        return f"{where}{error.strerror or error}"
    return str(error)


_ARGUMENTS = ("comment_bot_id", "input", "post_id", "user_id")
"""Fields that a command takes by their place, and not as an option."""


def _place(problem: ErrorDetails) -> str:
    """Return where in a request something is wrong: its option, and the place in it."""
    steps = problem["loc"]
    shown = [str(step) for step in steps]
    if not shown or shown[0] in _ARGUMENTS:
        return ".".join(shown)
    field, *inner = shown
    if problem["type"] == "extra_forbidden":
        # A name from a JSON file. No option has it.
        return ".".join(shown)
    if isinstance(steps[-1], int) and problem["type"] in ("enum", "literal_error"):
        # Its number would have to be counted, and the words do not name it.
        return f"{_option(field)} {problem['input']!r:.60}"
    if field in _REPEATED:
        return _REPEATED[field]
    return f"{_option(field)} ({'.'.join(inner)})" if inner else _option(field)


def _details(error: BaseException) -> dict[str, Any]:
    from marketingblocks_async import APIError, CallError
    from marketingblocks_async.bulk import InvalidRowsError, SourceError, UnconfirmedRowsError

    details: dict[str, Any] = {}
    if isinstance(error, CallError):
        details["attempts"] = error.attempts
    if isinstance(error, APIError):
        details["status_code"] = error.status_code
    if isinstance(error, InvalidRowsError | SourceError | UnconfirmedRowsError) and error.plan is not None:
        details["plan"] = error.plan.to_dict()
    return details
