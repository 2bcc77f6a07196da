"""Commands in this process, and a sandbox beside them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer.main

from marketingblocks_async.cli import entry
from marketingblocks_async.sandbox import Sandbox
from tests.support.command import BAD_LINE, LocalSandbox, Ran, environment, posts_file

Command = Callable[..., Ran]


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox that the environment points to."""
    with LocalSandbox() as sandbox:
        for name, value in environment(sandbox).items():
            if name.startswith("MARKETINGBLOCKS_"):
                monkeypatch.setenv(name, value)
        yield sandbox


@pytest.fixture(scope="session")
def made_once() -> object:
    """Make all commands, which takes longer than most of them run."""
    return typer.main.get_command(entry.make_app())


@pytest.fixture
def command(
    made_once: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """Run a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(entry, "make_app", lambda: made_once)

    def run(*words: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["marketingblocks", *map(str, words)])
        capsys.readouterr()
        code = int(entry.main())
        out, err = capsys.readouterr()
        return Ran(code, out, err).check()

    return run


@pytest.fixture
def journal(command: Command, sandbox: Sandbox, tmp_path: Path) -> Path:
    """A journal with done rows and one that failed."""
    del sandbox
    posts_file(tmp_path / "posts.csv", 3, BAD_LINE)
    command("bulk", "run", "posts.csv", "--journal", "j", "--skip-invalid", "--rate", "0")
    return tmp_path
