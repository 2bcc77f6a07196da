"""Streams, terminals, encodings and files as they should not be: never a traceback, never a wrong exit code."""

from __future__ import annotations

import os
import re
import stat
import sys
from pathlib import Path

import pytest

from marketingblocks_async.sandbox import Sandbox
from tests.cli.conftest import Command
from tests.support.command import BAD_LINE, HEADER, Terminal, environment, posts_file, process, shell


@pytest.fixture
def journal(command: Command, sandbox: Sandbox, tmp_path: Path) -> Path:
    """A journal with done rows and one that failed."""
    del sandbox
    posts_file(tmp_path / "posts.csv", 3, BAD_LINE)
    command("bulk", "run", "posts.csv", "--journal", "j", "--skip-invalid", "--limit", "0")
    return tmp_path


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("mb posts get 1 <&-", 1),
        ("mb posts create --from-json - <&-", 1),
        ("mb bulk status j --json >&-", 0),
        ("mb bulk status nothere --json 2>&-", 1),
        ("mb bulk status j >/dev/full", 1),
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
    line = "mb bulk run posts.csv --journal j --limit 0 2>&1 | true; exit ${PIPESTATUS[0]}"
    ran = shell(line, environment(sandbox), cwd=tmp_path).check()
    assert ran.code == 0
    assert sandbox.ledger.carried_out_at("create-post") == 30


def test_a_journal_does_not_get_the_number_of_a_closed_stream(sandbox: Sandbox, tmp_path: Path) -> None:
    posts_file(tmp_path / "posts.csv", 3)
    line = "mb bulk run posts.csv --journal j --limit 0 <&- >&- 2>&-"
    assert shell(line, environment(sandbox), cwd=tmp_path).code == 0
    assert process("bulk", "status", "j", "--json", env=environment(), cwd=tmp_path).json["done"] == 3


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


def test_names_that_are_no_text(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    name, journal = os.fsdecode(b"\xff posts.csv"), os.fsdecode(b"\xff.journal")
    posts_file(tmp_path / name, 2, BAD_LINE)
    run = ("bulk", "run", name, "--journal", journal, "--skip-invalid", "--limit", "0", "--json")
    assert command(*run).json["done"] == 2
    files = ("--html", os.fsdecode(b"\xff.html"), "--failures", os.fsdecode(b"\xff.csv"))
    ran = command("bulk", "report", journal, *files, "--json")
    assert (ran.code, ran.json["failed"]) == (0, 1)
    again = command(*run)
    assert (again.code, again.json["error"]["type"]) == (1, "JournalExistsError")
    people = process("bulk", "status", os.fsencode(journal), env=environment(sandbox), cwd=tmp_path).check()
    assert (people.code, "done     2" in people.out) == (0, True)


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
        assert max(map(len, framed)) <= columns


def junk(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 10)


def nul_bytes(path: Path) -> None:
    path.write_bytes(b"\0" * 5000)


def a_huge_cell(path: Path) -> None:
    path.write_text(f'{HEADER}\nfacebook,1,post,"{"x" * 1_000_000}",,now\nfacebook,{"9" * 1_000_000},post,x,,now\n')


def open_quote(path: Path) -> None:
    path.write_text(f'{HEADER}\nfacebook,1,post,"never closed,,now\n')


def only_a_header(path: Path) -> None:
    path.write_text(f"{HEADER}\n")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def folder(path: Path) -> None:
    path.mkdir()


def missing(path: Path) -> None:
    del path


def fifo_of_nobody(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".xlsx", ".txt", ""])
@pytest.mark.parametrize(
    "make", [junk, nul_bytes, a_huge_cell, open_quote, only_a_header, empty, folder, missing, fifo_of_nobody]
)
def test_files_that_are_none(command: Command, sandbox: Sandbox, tmp_path: Path, make: object, suffix: str) -> None:
    assert callable(make)
    file = tmp_path / f"posts{suffix}"
    make(file)
    plan = command("bulk", "plan", file, "--json")
    assert plan.code in (0, 1, 2)
    assert len(plan.out) < 100_000
    assert (plan.code == 0) == ("error" not in plan.json and plan.json["invalid"] == 0 and plan.json["complete"])
    people = command("bulk", "plan", file)
    assert people.code == plan.code
    assert "\0" not in people.out + people.err
    ran = command("bulk", "run", file, "--journal", "j", "--limit", "0", "--json")
    assert (ran.code == 0) == (plan.code == 0)
    assert "�" not in str([commit.body for commit in sandbox.ledger.commits])
    if plan.code:
        assert sandbox.ledger.carried_out_at("create-post") == 0
        assert not (tmp_path / "j").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="everything is readable to the superuser")
def test_files_that_cannot_be_read(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    del sandbox
    file = posts_file(tmp_path / "posts.csv")
    file.chmod(0)
    assert "Permission denied" in command("bulk", "plan", file).words
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    file.chmod(stat.S_IRUSR)
    try:
        assert command("bulk", "run", file, "--journal", "j", "--json").json["error"]["type"] == "JournalError"
    finally:
        tmp_path.chmod(stat.S_IRWXU)


@pytest.mark.parametrize("place", ["nowhere/j", "", ".", "posts.csv", "/dev/null", "/proc/j", "x" * 300, "a\nb/\x1b"])
def test_journals_that_cannot_be_made(command: Command, sandbox: Sandbox, tmp_path: Path, place: str) -> None:
    posts_file(tmp_path / "posts.csv")
    ran = command("bulk", "run", "posts.csv", "--journal", place, "--json")
    assert ran.code == 1, ran
    assert ran.json["error"]["type"] == "JournalError"
    assert command("bulk", "run", "posts.csv", "--journal", place).err.count("╭") == 1
    assert sandbox.ledger.carried_out_at("create-post") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["posts.csv"]


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
    command("bulk", "run", "posts.csv", "--journal", "j", "--skip-invalid", "--limit", "0")
    ran = shell(f"{limited} mb bulk report j --failures f.csv --json", env, tmp_path).check()
    assert (ran.code, ran.json["error"]["type"]) == (1, "OSError")
    assert "File too large" in ran.json["error"]["message"]


def test_something_unforeseen_is_a_panel_too(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from marketingblocks_async.cli.commands import doctor  # noqa: PLC0415 - here only

    def broken() -> dict[str, str]:
        raise ZeroDivisionError

    monkeypatch.setattr(doctor, "_versions", broken)
    monkeypatch.setenv("MARKETINGBLOCKS_API_TOKEN", "some-token")
    monkeypatch.setenv("MARKETINGBLOCKS_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(AssertionError, match="Something unforeseen"):
        command("doctor")
    monkeypatch.setenv("MARKETINGBLOCKS_DEBUG", "1")
    with pytest.raises(AssertionError, match="Traceback"):
        command("doctor")


def test_it_says_what_is_missing_to_run() -> None:
    code = "import sys; sys.modules['typer'] = None; from marketingblocks_async.cli.entry import main; sys.exit(main())"
    ran = process("-c", code, command=[sys.executable], env=environment())
    assert (ran.code, ran.out) == (1, "")
    assert "marketingblocks-async[cli]" in ran.err
