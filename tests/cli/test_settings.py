"""Where the access token comes from, and where it never goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from marketingblocks_async.sandbox import Sandbox
from tests.cli.conftest import Command
from tests.support.command import Terminal, environment, posts_file

GET = ("posts", "list", "--channel", "facebook")


@pytest.fixture
def token_file(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MARKETINGBLOCKS_API_TOKEN")
    path = tmp_path / "token"
    path.write_text(f"{sandbox.token}\n")
    path.chmod(0o600)
    return path


def test_from_a_file_of_ones_own(command: Command, token_file: Path) -> None:
    assert command(*GET, "--token-file", token_file).code == 0


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_not_from_a_file_that_others_can_read(command: Command, token_file: Path, mode: int) -> None:
    token_file.chmod(mode)
    ran = command(*GET, "--token-file", token_file, "--json")
    assert ran.code == 1
    assert f"chmod 600 {token_file}" in ran.json["error"]["message"]


@pytest.mark.parametrize("content", [b"", b"  \n", b"\xff\xfe\x00", b"two words", b"a\x00b", b"a\nb", "tökén".encode()])
def test_not_from_a_file_that_holds_none(command: Command, token_file: Path, content: bytes) -> None:
    token_file.write_bytes(content)
    ran = command(*GET, "--token-file", token_file, "--json")
    assert (ran.code, ran.json["error"]["type"]) == (1, "ConfigurationError")
    assert "two words" not in ran.out


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is empty; write the access token into it"),
        ("two words", "has white space, control or non-ASCII characters in it; copy the token again"),
    ],
)
def test_a_file_without_a_token_is_named(command: Command, token_file: Path, content: str, problem: str) -> None:
    token_file.write_text(content)
    ran = command(*GET, "--token-file", token_file, "--json")
    assert ran.json["error"]["message"] == f"the token file {token_file} {problem}"


def test_not_from_a_folder_or_nowhere(command: Command, token_file: Path) -> None:
    for path in (token_file.parent, token_file.with_name("nowhere")):
        ran = command(*GET, "--token-file", path, "--json")
        assert (ran.code, ran.json["error"]["type"]) == (1, "ConfigurationError")


def test_the_file_goes_before_the_environment(
    command: Command, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETINGBLOCKS_API_TOKEN", "of-the-environment")
    assert command(*GET, "--token-file", token_file).code == 0
    assert command(*GET).code == 1


def test_without_a_terminal_nobody_is_asked(command: Command, token_file: Path, tmp_path: Path) -> None:
    del token_file
    posts_file(tmp_path / "posts.csv")
    for words in (GET, ("bulk", "run", "posts.csv", "--journal", "j"), ("channels", "connect", "u")):
        ran = command(*words, "--json")
        assert ran.code == 1
        assert "MARKETINGBLOCKS_API_TOKEN" in ran.json["error"]["message"]
    assert not (tmp_path / "j").exists()


def test_it_is_asked_for_on_a_terminal_and_not_shown(sandbox: Sandbox) -> None:
    with Terminal([*GET], environment(sandbox, MARKETINGBLOCKS_API_TOKEN=None)) as terminal:
        terminal.read_until("Access token (it is not shown):")
        terminal.type(f"{sandbox.token}\n")
        assert terminal.finish() == 0
        assert "Posts" in terminal.output
        assert sandbox.token not in terminal.output


@pytest.mark.parametrize(("typed", "code"), [("\x03", 130), ("\x04", 130), ("\n", 1), ("two words\n", 1)])
def test_the_prompt_can_be_left(sandbox: Sandbox, typed: str, code: int) -> None:
    with Terminal([*GET], environment(sandbox, MARKETINGBLOCKS_API_TOKEN=None)) as terminal:
        terminal.read_until("Access token")
        terminal.type(typed)
        assert terminal.finish() == code
        assert "Traceback" not in terminal.output
        assert "two words" not in terminal.output
    assert sandbox.ledger.attempts() == 0


def test_there_is_no_option_for_it(command: Command, sandbox: Sandbox) -> None:
    del sandbox
    for option in ("--token", "--api-token"):
        assert command(*GET, option, "secret-of-mine").code == 1
        assert "secret-of-mine" not in command(*GET, f"{option}=secret-of-mine").err


def test_a_server_that_echoes_it(
    command: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETINGBLOCKS_DEBUG", "1")
    sandbox.faults.add("echo_authorization:endpoint=create-post")
    posts_file(tmp_path / "posts.csv")
    create = ("posts", "create", "--channel-type", "facebook", "--channel-id", "1", "--caption-text", "Hello")
    run = ("bulk", "run", "posts.csv", "--rate", "0", "--journal")
    report = ("bulk", "report", "j1", "--html", "r.html", "--failures", "failed.csv", "--unknowns", "unknown.csv")
    for words in (create, (*create, "--json"), (*run, "j1"), (*run, "j2", "--json"), report, (*report, "--json")):
        ran = command(*words)
        assert ran.code in (0, 3)
        assert sandbox.token not in ran.out + ran.err
    assert sandbox.ledger.attempts("create-post") == 8
    for file in tmp_path.iterdir():
        assert sandbox.token.encode() not in file.read_bytes(), file
