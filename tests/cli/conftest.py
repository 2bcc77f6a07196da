"""Commands in this process, and a sandbox beside them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from marketingblocks_async.cli.entry import main
from marketingblocks_async.sandbox import Sandbox
from tests.support.command import LocalSandbox, Ran, environment

Command = Callable[..., Ran]


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox that the environment points to."""
    with LocalSandbox() as sandbox:
        for name, value in environment(sandbox).items():
            if name.startswith("MARKETINGBLOCKS_"):
                monkeypatch.setenv(name, value)
        yield sandbox


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Run a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*words: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["marketingblocks", *map(str, words)])
        capsys.readouterr()
        code = int(main())
        out, err = capsys.readouterr()
        return Ran(code, out, err).check()

    return run
