"""Tests that are marked ``alone`` run while no other process runs a test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import alone

ROOT = Path(__file__).parents[2]

USE = """
import sys, time
from pathlib import Path
from tests.support import alone

kind, log = sys.argv[1:]
# Not those of this run, in which a test runs: the one that started this.
alone._NEXT, alone._TESTS = Path(log), Path(sys.executable)
run = {"alone": alone.alone, "beside": alone.beside_others}[kind]
for _ in range(8):
    with run(), open(log, "a", buffering=1) as lines:
        lines.write(f"+{kind}\\n")
        time.sleep(0.002)
        lines.write(f"-{kind}\\n")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the tests run in one process there")
def test_no_other_test_runs_beside_one_that_runs_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    command = [sys.executable, "-c", USE]
    users = [
        subprocess.Popen([*command, kind, str(log)], cwd=ROOT)  # noqa: S603 - our own words
        for kind in ("alone", "beside", "beside", "alone")
    ]
    assert [user.wait(60) for user in users] == [0] * 4
    running: list[str] = []
    for line in log.read_text(encoding="utf-8").split():
        if line[0] == "-":
            running.remove(line[1:])
            continue
        running.append(line[1:])
        assert "alone" not in running or len(running) == 1


def test_other_tests_run_beside_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_NEXT", "_TESTS"):
        (tmp_path / name).touch()
        monkeypatch.setattr(alone, name, tmp_path / name)
    with alone.beside_others(), alone.beside_others():
        pass
