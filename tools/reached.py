"""A pytest plugin of ``mutation.py``: notes the lines that each test reaches, or runs only the tests that reach some.

Without it, each change that no test notices would cost a run of all tests of its room.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from types import FrameType
from typing import Any, TypedDict

import pytest

NOTE = "MUTATION_NOTE"
"""Environment variable: the file in which the lines are noted."""

ROOM = "MUTATION_ROOM"
"""Environment variable: how the absolute paths begin whose lines are noted."""

SELECTION = "MUTATION_SELECTION"
"""Environment variable: a file with a ``Selection``."""


class Reached(TypedDict):
    """What one run of the tests tells."""

    lines: dict[str, dict[str, list[int]]]
    """Of each file: the tests that reach it, with the lines."""
    processes: list[str]
    """Tests that start processes, in which they may reach any line."""
    seconds: dict[str, float]
    """How long each test takes."""


class Selection(TypedDict):
    """What to run."""

    wanted: dict[str, float]
    """The tests, the first to run first, with the seconds after which each of them hangs."""
    known: list[str]
    """All tests of the room."""


class _Noting:
    def __init__(self, room: str) -> None:
        self._room = room
        self._test: str | None = None
        self._lines: dict[str, set[tuple[str, int]]] = {}
        self._processes: set[str] = set()
        self._seconds: dict[str, float] = {}

    def trace(self, frame: FrameType, event: str, _argument: object) -> Any:
        """Note a line of the room."""
        path = frame.f_code.co_filename
        if not path.startswith(self._room):
            return None
        if self._test is not None and event in ("call", "line"):
            self._lines.setdefault(self._test, set()).add((path, frame.f_lineno))
        return self.trace

    def audit(self, event: str, _arguments: object) -> None:
        """Note that the test starts a process."""
        if event in ("subprocess.Popen", "os.fork", "os.posix_spawn") and self._test is not None:
            self._processes.add(self._test)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Say which test runs."""
        self._test = item.nodeid
        sys.settrace(self.trace)
        try:
            return (yield)
        finally:
            self._test = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how long a test takes."""
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        """Write all of it down."""
        by_file: dict[str, dict[str, list[int]]] = {}
        for test, lines in self._lines.items():
            for path, line in sorted(lines):
                by_file.setdefault(path, {}).setdefault(test, []).append(line)
        note = Reached(lines=by_file, processes=sorted(self._processes), seconds=self._seconds)
        Path(os.environ[NOTE]).write_text(json.dumps(note), encoding="utf-8")


class _Selecting:
    def __init__(self, selection: Selection) -> None:
        self._timeouts = selection["wanted"]
        self._place = {test: number for number, test in enumerate(selection["wanted"])}
        self._known = set(selection["known"])

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the selected tests, and those whose names only the change makes."""
        kept = [item for item in items if item.nodeid in self._place or item.nodeid not in self._known]
        items[:] = sorted(kept, key=lambda item: self._place.get(item.nodeid, len(self._place)))
        for item in items:
            if item.nodeid in self._timeouts:
                item.add_marker(pytest.mark.timeout(self._timeouts[item.nodeid]), append=False)


def pytest_configure(config: pytest.Config) -> None:
    """Note, or select."""
    if NOTE in os.environ:
        noting = _Noting(os.environ[ROOM])
        config.pluginmanager.register(noting)
        sys.addaudithook(noting.audit)
        threading.settrace(noting.trace)
        sys.settrace(noting.trace)
    elif SELECTION in os.environ:
        config.pluginmanager.register(_Selecting(json.loads(Path(os.environ[SELECTION]).read_text(encoding="utf-8"))))
