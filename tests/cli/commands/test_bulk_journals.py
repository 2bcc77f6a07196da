"""The journal that a run chooses by itself, and the access token that a journal remembers."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from marketingblocks_async.bulk.journal.next_steps import name_for_failures
from marketingblocks_async.sandbox import Sandbox
from tests.cli.conftest import Command
from tests.support.command import BAD_LINE, posts_file

LIFTED = ("--rate", "0", "--timeout", "5")


def created(sandbox: Sandbox) -> int:
    return sandbox.ledger.carried_out_at("create-post")


def test_a_run_keeps_its_journal_beside_the_file(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    folder = tmp_path / "campaign"
    folder.mkdir()
    file = posts_file(folder / "posts.csv", 3)
    ran = command("bulk", "run", file, "--json", *LIFTED)
    assert (ran.code, ran.json["done"], ran.json["journal"]) == (0, 3, f"{file}.journal")
    assert sorted(path.name for path in folder.iterdir()) == ["posts.csv", "posts.csv.journal"]
    assert created(sandbox) == 3


def test_the_file_stands_for_its_journal(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    file = posts_file(tmp_path / "posts.csv", 3, BAD_LINE)
    command("bulk", "run", file, "--skip-invalid", *LIFTED)
    file.unlink()
    for name in (file, f"{file}.journal"):
        assert command("bulk", "status", name, "--json").json["done"] == 3
        assert command("bulk", "report", name, "--json").json["journal"] == f"{file}.journal"
        assert command("bulk", "resume", name, "--json", *LIFTED).json["total"] == 4
    assert created(sandbox) == 3


@pytest.mark.parametrize("name", ["status", "report", "resume"])
def test_a_file_without_a_journal(command: Command, sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    posts_file(tmp_path / "posts.csv", 3)
    ran = command("bulk", name, "posts.csv", "--json")
    assert ran.code == 1
    assert "there is none at posts.csv.journal" in ran.json["error"]["message"]
    assert "if it was not sent yet: marketingblocks bulk run posts.csv" in ran.json["error"]["message"]
    assert created(sandbox) == 0


def test_a_name_of_neither_a_file_nor_a_journal(command: Command) -> None:
    ran = command("bulk", "resume", "potss.csv", "--json")
    assert ran.code == 1
    message = "there is no file potss.csv, and no journal potss.csv.journal; give the file of posts that was sent, or"
    assert message in ran.json["error"]["message"]


def test_a_folder_is_no_journal(command: Command, tmp_path: Path) -> None:
    ran = command("bulk", "status", tmp_path, "--json")
    assert (ran.code, ran.json["error"]["message"]) == (1, f"{tmp_path} is a folder; name the journal in it")


def test_a_folder_is_no_file_of_posts_and_a_journal_needs_one(
    command: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    ran = command("bulk", "plan", tmp_path, "--json")
    assert (ran.code, ran.json["error"]["message"]) == (1, f"{tmp_path}: this is a folder; give one of the files in it")
    file = posts_file(tmp_path / "posts.csv", 1)
    ran = command("bulk", "run", file, "--journal", tmp_path / "no" / "run.journal", "--json", *LIFTED)
    assert ran.json["error"]["message"].endswith("/no; make it, or give another name")
    assert created(sandbox) == 0


@pytest.mark.parametrize("cut", [True, False])
def test_a_damaged_journal_is_not_called_another_file(
    command: Command, sandbox: Sandbox, tmp_path: Path, cut: bool
) -> None:
    command("bulk", "run", posts_file(tmp_path / "posts.csv", 100), *LIFTED)
    path = tmp_path / "posts.csv.journal"
    whole = bytearray(path.read_bytes())
    whole[5000:9000] = b"\xff" * 4000
    path.write_bytes(whole[:8192] if cut else whole)
    ran = command("bulk", "resume", path, "--json", *LIFTED)
    assert ran.code == 1
    message = ran.json["error"]["message"]
    assert "is damaged (" in message
    assert "look up at the API which rows were published" in message
    assert created(sandbox) == 100


def test_a_second_run_names_the_step_that_goes_on(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add("unprocessable:times=1,endpoint=create-post")
    sandbox.faults.add("expire_token:after=2,endpoint=create-post")
    file = posts_file(tmp_path / "posts.csv", 5)
    command("bulk", "run", "posts.csv", "--concurrency", "1", *LIFTED)
    again = command("bulk", "run", "posts.csv", "--json", *LIFTED)
    assert again.code == 1
    assert "pending, 1 failed; it was made from this same file" in again.json["error"]["message"]
    assert "bulk resume posts.csv.journal" in again.json["error"]["message"]
    posts_file(file, 6)
    changed = command("bulk", "run", "posts.csv", "--json", *LIFTED).json["error"]["message"]
    assert "has changed since" in changed
    assert changed.endswith("to send other rows, put them alone into a file with another name")


def test_the_standard_input_needs_a_name_for_the_journal(
    command: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = posts_file(tmp_path / "posts.csv", 2).read_bytes()
    for options, code in ((), 1), (("--journal", "j"), 0):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
        ran = command("bulk", "run", "-", "--format", "csv", "--json", *options, *LIFTED)
        assert ran.code == code
        assert code == 0 or "--journal" in ran.json["error"]["message"]
    assert created(sandbox) == 2


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="a folder in which not even root can make a file")
def test_a_folder_that_cannot_be_written_to(command: Command, sandbox: Sandbox) -> None:
    ran = command("bulk", "run", "/proc/version", "--format", "csv", "--json", *LIFTED)
    assert ran.code == 1
    assert "--journal ~/version.journal" in ran.json["error"]["message"]
    assert created(sandbox) == 0


def test_another_token_does_not_go_on_with_a_run(
    command: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.faults.add("expire_token:after=2,times=1,endpoint=create-post")
    posts_file(tmp_path / "posts.csv", 5)
    assert command("bulk", "run", "posts.csv", "--concurrency", "1", *LIFTED).code == 1
    first, other = sandbox.token, sandbox.add_token("other")
    for token in (first, other):
        assert token.encode() not in (tmp_path / "posts.csv.journal").read_bytes()
    monkeypatch.setenv("MARKETINGBLOCKS_API_TOKEN", other)
    refused = command("bulk", "resume", "posts.csv", "--json", *LIFTED)
    assert (refused.code, refused.json["error"]["type"]) == (1, "OtherTokenError")
    assert "--accept-new-token" in refused.json["error"]["message"]
    assert created(sandbox) == 2
    accepted = command("bulk", "resume", "posts.csv", "--accept-new-token", "--json", *LIFTED)
    assert (accepted.code, accepted.json["done"]) == (0, 5)
    # From now on it is the account's token, and the former one is another.
    assert command("bulk", "resume", "posts.csv", "--json", *LIFTED).code == 0
    monkeypatch.setenv("MARKETINGBLOCKS_API_TOKEN", first)
    assert command("bulk", "resume", "posts.csv", "--json", *LIFTED).code == 1


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("posts.csv", "failed.csv"),
        ("", "failed.csv"),
        ("a/failed.csv", "failed-2.csv"),
        ("failed-2.csv", "failed-3.csv"),
        ("failed-x.csv", "failed.csv"),
    ],
)
def test_failed_rows_are_not_written_over_their_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert name_for_failures(source) == name


def test_failed_rows_of_another_file_are_not_in_the_way(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add("unprocessable:endpoint=create-post")
    for name, rows, failed in ("a.csv", 1, "failed.csv"), ("b.csv", 2, "failed-2.csv"), ("c.csv", 3, "failed-3.csv"):
        posts_file(tmp_path / name, rows)
        options = ("--allow-duplicates", *LIFTED)
        ran = command("bulk", "run", name, *options)
        advice = f"bulk report {name}.journal --failures {failed}"
        assert advice in ran.err
        # The same is advised if the file is run once more.
        assert advice in command("bulk", "run", name, "--json", *options).json["error"]["message"]
        assert command(*advice.split()).code == 0
        assert (tmp_path / failed).exists()
