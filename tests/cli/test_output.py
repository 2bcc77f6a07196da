"""Encodings, widths and colours."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.support.command import BAD_LINE, Terminal, environment, posts_file, process


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"COLUMNS": "20"},
        {"TERM": "dumb", "FORCE_COLOR": "1"},
    ],
)
def test_encodings_and_widths(tmp_path: Path, variables: dict[str, str]) -> None:
    file = posts_file(tmp_path / "grüße 🎉.csv", 2, BAD_LINE.replace("x9", "é🎉\u202e"))
    env = environment(None, **variables)
    ran = process("bulk", "plan", os.fsencode(file), env=env).check()
    assert ran.code == 2, ran
    assert "x9" not in ran.out


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colours_when_not_wanted(journal: Path, variables: dict[str, str]) -> None:
    with Terminal(["bulk", "report", str(journal / "j")], environment(None, **variables)) as terminal:
        assert terminal.finish() == 0
        assert "Rows that are not done" in terminal.output
        for colour in ("\x1b[3", "\x1b[9", "\x1b[38"):
            assert colour not in terminal.output


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_screens_fit_their_terminal(journal: Path, columns: int) -> None:
    with Terminal(["bulk", "plan", str(journal / "posts.csv")], environment(TERM="xterm"), columns) as terminal:
        assert terminal.finish() == 2
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.output)
        framed = [line for line in plain.splitlines() if line[:1] in tuple("┏┃┡│└")]
        assert framed
        assert [line for line in framed if len(line) > columns] == []
