"""The standard streams, made so that a closed or broken one does not end a command."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from typing import TextIO, cast


def prepare() -> None:
    """Make the standard streams of this process usable, even if they are closed.

    A closed stream becomes the null device. Otherwise the next file that is opened, perhaps a journal, would take its
    number and be written to. Characters that the encoding lacks are written as escapes. Output to a pipe whose reader
    has gone is dropped, because it must not end a bulk run. So is what cannot be written to the standard error, such as
    progress for a file on a full disk; the results on the standard output have to arrive.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # It gets the lowest number that is free, which is this one.
            os.open(os.devnull, os.O_RDWR)
    if sys.__stdin__ is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the life of the process
    if sys.stdout is sys.__stdout__:
        sys.stdout = _forgiving(sys.stdout, 1)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _forgiving(sys.stderr, 2)


def flush() -> OSError | None:
    """Flush the standard output; return the error if that fails."""
    try:
        sys.stdout.flush()
    except OSError as exc:
        # The interpreter would try again at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return exc
    return None


class _Pipe(io.FileIO):
    """A file that drops all output once its reader has gone: the other end of a pipe, or the terminal.

    Args:
        number: its descriptor. That of the standard error drops what cannot be written for any reason.

    """

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)
        self._drops_all = number == 2
        self.was_terminal: bool = self.isatty()

    def write(self, data: object, /) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except BrokenPipeError:
            return len(data)  # type: ignore[arg-type]
        except OSError as exc:
            if self._drops_all or (exc.errno == errno.EIO and self.was_terminal):
                return len(data)  # type: ignore[arg-type]
            raise


def _forgiving(stream: TextIO | None, number: int) -> TextIO:
    encoding = "utf-8" if stream is None else stream.encoding
    if stream is not None and not hasattr(signal, "SIGPIPE"):
        # Windows, where the console is no file.
        cast("io.TextIOWrapper", stream).reconfigure(errors="backslashreplace")
        return stream
    raw = _Pipe(number)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=number == 2 or raw.was_terminal,
    )
