"""What the command's exit codes mean."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marketingblocks_async.bulk import Counts


class ExitCode(IntEnum):
    """The exit codes, as the README lists them."""

    DONE = 0
    """All done."""
    USAGE = 1
    """The command line, the configuration or the access token is wrong; or something unforeseen happened."""
    FAILED = 2
    """A call failed; or rows failed, are not valid, or are still to be sent."""
    UNKNOWN = 3
    """It is not known of a call, or of rows, whether it was carried out."""
    INTERRUPTED = 130
    """Ctrl-C."""


class CommandEnded(Exception):  # noqa: N818 - it is no error
    """Carries an exit code out of a command; the command line parser has a meaning of its own for the number 2."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__(code)
        self.code: ExitCode = code


def code_of(counts: Counts) -> ExitCode:
    """Return the exit code of a bulk run that came to these numbers: the worst of its rows."""
    if counts.unknown:
        return ExitCode.UNKNOWN
    return ExitCode.FAILED if counts.failed or counts.pending else ExitCode.DONE
