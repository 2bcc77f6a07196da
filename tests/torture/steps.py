"""The steps of a bulk run at which it can be killed, and the way to kill it there.

The package does not know of this: a named function is wrapped before the command line begins.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_BULK = "marketingblocks_async.bulk"
_JOURNAL = f"{_BULK}.journal.journal"
_CREATE = f"{_BULK}.journal.create"
_FILES = f"{_BULK}.journal.files"
_WRITER = f"{_BULK}.journal.writer"
_RUNNER = f"{_BULK}.run.runner"
_RECONCILE = f"{_BULK}.run.reconcile"


@dataclass(frozen=True, slots=True)
class Step:
    """A function that a run calls.

    Attributes:
        phase: phase of the run.
        module: module of the function.
        path: name in the module, with dots.
        each_row: whether it is called about once for each row.

    """

    phase: str
    module: str
    path: str
    each_row: bool = False


STEPS: dict[str, Step] = {
    "import-begin": Step("import", _CREATE, "JournalBuilder.__init__"),
    "import-row": Step("import", _CREATE, "JournalBuilder.add", each_row=True),
    "import-write": Step("import", _CREATE, "JournalBuilder._write_rows"),
    "import-finish": Step("import", _CREATE, "JournalBuilder.finish"),
    "import-sync": Step("import", _CREATE, "sync"),
    "import-rename": Step("import", "pathlib", "Path.rename"),
    "lock": Step("start", _FILES, "FileLock.acquire"),
    "unlock": Step("end", _FILES, "FileLock.release"),
    "seal": Step("start", _FILES, "seal"),
    "tidy": Step("send", _JOURNAL, "seal"),
    "check-api": Step("start", _RUNNER, "check_api"),
    "begin-session": Step("start", _JOURNAL, "Journal.begin_session"),
    "settle-unfinished": Step("start", _JOURNAL, "Journal.settle_unfinished"),
    "note-highest-id": Step("start", _JOURNAL, "Journal.note_highest_id"),
    "listing": Step("reconcile", _RECONCILE, "ask_listings"),
    "reconcile": Step("reconcile", _RUNNER, "reconcile"),
    "decide": Step("reconcile", _RECONCILE, "decide"),
    "intend": Step("send", _JOURNAL, "Journal.intend", each_row=True),
    "request": Step("send", "marketingblocks_async.transport.transport", "Transport.send", each_row=True),
    "outcome": Step("send", _RUNNER, "BulkRun._note", each_row=True),
    "write-outcome": Step("send", _JOURNAL, "Journal.end", each_row=True),
    "group": Step("send", _WRITER, "GroupCommit._commit", each_row=True),
    "group-written": Step("send", _WRITER, "_write", each_row=True),
    "group-told": Step("send", _WRITER, "GroupCommit._committed", each_row=True),
    "flush": Step("end", _JOURNAL, "Journal.flush"),
    "end-session": Step("end", _JOURNAL, "Journal.end_session"),
    "close": Step("end", _JOURNAL, "Journal.aclose"),
}
"""Functions before and after whose calls a run can be killed, by a name of their own."""

STATEMENTS: dict[str, str] = {
    "sql-begin": "BEGIN",
    "sql-insert": "INSERT",
    "sql-commit": "COMMIT",
}
"""Statements of the journal's writer before which a run can be killed, by name, each with how it begins."""


@dataclass(slots=True)
class _Countdown:
    """Kills this process at the nth call."""

    left: int

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def arm(name: str, moment: str, nth: int) -> None:
    """Make this process kill itself at a step.

    Args:
        name: a key of ``STEPS`` or ``STATEMENTS``.
        moment: ``before`` or ``after`` the call.
        nth: number of the call, from 1.

    """
    countdown = _Countdown(nth)
    if name in STATEMENTS:
        _arm_statement(STATEMENTS[name], countdown)
        return
    owner, attribute = find(STEPS[name])
    wrapped = _wrapped(getattr(owner, attribute), countdown, before=moment == "before")
    setattr(owner, attribute, wrapped)


def find(step: Step) -> tuple[Any, str]:
    """Return the owner of a step's function, and the attribute's name."""
    *owners, attribute = step.path.split(".")
    return functools.reduce(getattr, owners, importlib.import_module(step.module)), attribute


def _wrapped(original: Callable[..., Any], countdown: _Countdown, *, before: bool) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            if before:
                countdown()
            result = await original(*args, **kwargs)
            if not before:
                countdown()
            return result

        return call_async

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        if before:
            countdown()
        result = original(*args, **kwargs)
        if not before:
            countdown()
        return result

    return call


def _arm_statement(beginning: str, countdown: _Countdown) -> None:
    journal: Any = importlib.import_module(_JOURNAL)
    original: Callable[[Path], sqlite3.Connection] = journal.connect_for_writing

    def connect(path: Path) -> sqlite3.Connection:
        connection = original(path)

        def on_statement(sql: str) -> None:
            if sql.lstrip().startswith(beginning):
                countdown()

        connection.set_trace_callback(on_statement)
        return connection

    journal.connect_for_writing = connect
