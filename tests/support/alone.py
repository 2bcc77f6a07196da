"""Tests that need the machine to themselves, among other processes that run tests at the same time (pytest-xdist)."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

# Any two files that all processes see; nothing is written to them.
_NEXT = Path(__file__)
_TESTS = Path(__file__).with_name("tools.py")

if sys.platform == "win32":

    @contextmanager
    def alone() -> Generator[None]:
        """Do nothing: the tests run in one process there."""
        yield

    beside_others = alone
else:
    import fcntl

    @contextmanager
    def alone() -> Generator[None]:
        """Wait until no other process runs a test, and let none begin one."""
        with _locked(_NEXT, fcntl.LOCK_EX), _locked(_TESTS, fcntl.LOCK_EX):
            yield

    @contextmanager
    def beside_others() -> Generator[None]:
        """Wait while a test runs alone, or waits for that."""
        with ExitStack() as stack:
            with _locked(_NEXT, fcntl.LOCK_EX):
                stack.enter_context(_locked(_TESTS, fcntl.LOCK_SH))
            yield

    @contextmanager
    def _locked(path: Path, kind: int) -> Generator[None]:
        # The system unlocks it when the file is closed, also when the process is killed.
        with path.open("rb") as file:
            fcntl.flock(file, kind)
            yield
