"""Standard streams that are closed, full or unread."""

from __future__ import annotations

from pathlib import Path

import pytest

from marketingblocks_async.sandbox import Sandbox
from tests.cli.conftest import Command
from tests.support.command import BAD_LINE, environment, posts_file, process, shell


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("mb posts get 1 <&-", 1),
        ("mb posts create --from-json - <&-", 1),
        ("mb bulk status j --json >&-", 0),
        ("mb bulk status nothere --json 2>&-", 1),
        ("mb bulk status j >/dev/full", 1),
        ("mb bulk status j 2>/dev/full", 0),
        ("mb bulk status nothere 2>/dev/full", 1),
        ("mb bulk status j >/dev/full 2>/dev/full", 1),
        ("mb bulk status j --json >/dev/full", 1),
        ("mb --help >/dev/full", 1),
        ("mb bulk status j | head -c 1 >/dev/null; exit ${PIPESTATUS[0]}", 0),
        ("mb --help | true; exit ${PIPESTATUS[0]}", 0),
        ("mb bulk status nothere 2>&1 | true; exit ${PIPESTATUS[0]}", 1),
    ],
)
def test_streams_that_are_closed_or_full(journal: Path, line: str, code: int) -> None:
    ran = shell(line, environment(), cwd=journal).check()
    assert ran.code == code, ran


def test_a_run_goes_on_when_nobody_reads(sandbox: Sandbox, tmp_path: Path) -> None:
    posts_file(tmp_path / "posts.csv", 30)
    line = "mb bulk run posts.csv --journal j --rate 0 2>&1 | true; exit ${PIPESTATUS[0]}"
    ran = shell(line, environment(sandbox), cwd=tmp_path).check()
    assert ran.code == 0
    assert sandbox.ledger.carried_out_at("create-post") == 30


def test_a_run_goes_on_when_its_progress_cannot_be_written(sandbox: Sandbox, tmp_path: Path) -> None:
    posts_file(tmp_path / "posts.csv", 30)
    # So slow that there is some.
    line = "mb bulk run posts.csv --journal j --rate 15 --json 2>/dev/full"
    ran = shell(line, environment(sandbox), cwd=tmp_path).check()
    assert (ran.code, ran.json["done"]) == (0, 30)


def test_a_journal_does_not_get_the_number_of_a_closed_stream(sandbox: Sandbox, tmp_path: Path) -> None:
    posts_file(tmp_path / "posts.csv", 3)
    line = "mb bulk run posts.csv --journal j --rate 0 <&- >&- 2>&-"
    assert shell(line, environment(sandbox), cwd=tmp_path).code == 0
    assert process("bulk", "status", "j", "--json", env=environment(), cwd=tmp_path).json["done"] == 3


def test_a_full_disk(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    """A limit of the size of files stands in for it: writing fails in the same places."""
    lines = [BAD_LINE.replace("Bad one", "Bad " * 100)] * 300
    posts_file(tmp_path / "posts.csv", 0, *lines)
    env = environment(sandbox)
    limited = "trap '' XFSZ; ulimit -f 64; "
    ran = shell(f"{limited} mb bulk run posts.csv --journal j --skip-invalid --json", env, tmp_path).check()
    assert (ran.code, ran.json["error"]["type"]) == (1, "JournalError")
    assert "cannot make a journal" in ran.json["error"]["message"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["posts.csv"]
    command("bulk", "run", "posts.csv", "--journal", "j", "--skip-invalid", "--rate", "0")
    ran = shell(f"{limited} mb bulk report j --failures f.csv --json", env, tmp_path).check()
    assert (ran.code, ran.json["error"]["type"]) == (1, "OSError")
    assert "File too large" in ran.json["error"]["message"]
