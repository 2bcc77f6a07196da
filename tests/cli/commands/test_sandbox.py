"""The sandbox's options, its help and its banner."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from marketingblocks_async.sandbox import (
    FAULT_KINDS,
    Fault,
    PolicyName,
    SandboxOptions,
    SandboxSettings,
    TokenSpec,
    serving,
)
from tests.cli.conftest import Command
from tests.support.command import MODULE, environment


def unframed(text: str) -> str:
    """Return the text of panels as one line."""
    return " ".join(re.sub("[│╭╮╰╯─]", " ", text).split())


@pytest.fixture
def parsed(command: Command, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SandboxSettings]:
    """Return the settings with which the command would start the server."""
    found: list[SandboxSettings] = []

    def run(settings: SandboxSettings, announce: object) -> None:
        del announce
        found.append(settings)

    monkeypatch.setattr(serving, "run", run)

    def parse(*arguments: str) -> SandboxSettings:
        assert command("sandbox", *arguments).code == 0
        return found.pop()

    return parse


def test_defaults(parsed: Callable[..., SandboxSettings]) -> None:
    assert parsed() == SandboxSettings()


def test_every_option(parsed: Callable[..., SandboxSettings]) -> None:
    settings = parsed(
        *("--host", "127.0.0.2", "--port", "8001", "--policy", "gcra", "--limit", "50", "--per", "2"),
        *("--tolerance", "5", "--retry-after", "seconds", "--latency", "0.1", "--jitter", "0.02", "--seed", "9"),
        *("--fault", "reset:times=1", "--fault", "slow:delay=2", "--tokens", "2", "--token", "r:social-read-posts@60"),
        *("--variant", "create-post=nested", "--variant", "string_ids", "--variant", "missing_permission=401"),
        *("--clock", "2027-01-08T14:30Z", "--seeds", "seeds.json", "--state", "state.json", "--record", "new.jsonl"),
        *("--pending", "1", "--processing", "2", "--slot", "3", "--generation", "4", "--allow-external-web-hooks"),
    )
    assert settings == SandboxSettings.of(
        {
            "host": "127.0.0.2",
            "port": 8001,
            "policy": "gcra",
            "limit": 50,
            "per": 2.0,
            "tolerance": 5,
            "retry_after": "seconds",
            "latency": 0.1,
            "jitter": 0.02,
            "seed": 9,
            "faults": [Fault("reset", times=1), Fault("slow", params={"delay": 2})],
            "tokens": ["token-1", "token-2", TokenSpec("r", ("social-read-posts",), 60.0)],
            "variants": {"create_post": "nested", "string_ids": True, "missing_permission": 401},
            "timings": {"pending": 1.0, "processing": 2.0, "slot": 3.0},
            "generation_seconds": 4.0,
            "allow_external_web_hooks": True,
            "clock_start": 1_799_418_600.0,
            "seeds": "seeds.json",
            "state_file": "state.json",
            "record_file": "new.jsonl",
        }
    )


def test_options_override_given_settings(parsed: Callable[..., SandboxSettings]) -> None:
    base = SandboxSettings.of({"policy": "none", "limit": 5, "faults": ["reset"], "variants": {"get_posts": "data"}})
    settings = parsed("--settings", base.to_json(), "--limit", "6", "--fault", "drip", "--variant", "create_post=data")
    assert settings.policy is PolicyName.NONE
    assert settings.limit == 6
    assert [fault.kind for fault in settings.faults] == ["reset", "drip"]
    assert (settings.variants.create_post, settings.variants.get_posts) == ("data", "data")


def test_a_replay_takes_the_settings_of_its_recording(parsed: Callable[..., SandboxSettings], tmp_path: Path) -> None:
    file = tmp_path / "scenario.jsonl"
    settings = {"policy": "gcra", "limit": 7, "latency": 0.5, "faults": [{"kind": "reset"}]}
    file.write_text(json.dumps({"scenario": 1, "settings": settings, "seeds": None, "state": {}}) + "\n")
    found = parsed("--replay", str(file), "--limit", "8")
    expected = {"policy": "gcra", "limit": 8, "latency": 0.5, "replay_file": str(file)}
    assert found == SandboxSettings.of(cast("SandboxOptions", expected))


def test_a_token_of_the_recording_can_be_named_again(parsed: Callable[..., SandboxSettings], tmp_path: Path) -> None:
    file = tmp_path / "scenario.jsonl"
    names = ("token-1", "reader", "writer")
    settings = {"tokens": [{"name": name, "permissions": ["social-read-posts"]} for name in names]}
    file.write_text(json.dumps({"scenario": 1, "settings": settings, "seeds": None, "state": {}}) + "\n")
    found = parsed("--replay", str(file), "--tokens", "2", "--token", "reader@60")
    assert found.tokens == (
        TokenSpec("writer", ("social-read-posts",)),
        TokenSpec("token-1"),
        TokenSpec("token-2"),
        TokenSpec("reader", expires_in=60.0),
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--token", "a", "--token", "a"], "share a name"),
        (["--replay", "missing.jsonl"], "missing.jsonl cannot be read"),
        (["--record", "/"], "is there already"),
        (["--policy", "magic"], "--policy: give one of"),
        (["--limit", "0"], "--limit must be at least 1"),
        (["--limit", "x"], "Invalid value for '--limit'"),
        (["--clock", "noon"], "write a time like 2099-01-08T14:30Z"),
        (["--seeds", "missing.json"], "missing.json cannot be read"),
        (["--slot", "0"], "--slot must be at least 0.001"),
        (["--generation", "-1"], "--generation must be at least 0"),
        (["--fault", "nonsense"], "no kind of fault"),
        (["--fault", "slow:delay=x"], "delay is of type float"),
        (["--token", "a@soon"], "number of seconds"),
        (["--token", "default"], "share a name"),
        (["--variant", "create_post=odd"], "--variant create_post: give one of"),
        (["--variant", "nothing"], "--variant nothing"),
        (["--settings", "{"], "JSON"),
        (["--nothing"], "No such option"),
    ],
)
def test_a_wrong_option_is_explained(command: Command, arguments: list[str], message: str) -> None:
    ran = command("sandbox", *arguments)
    assert (ran.code, ran.out) == (1, "")
    assert message in unframed(ran.err)


def test_help_tells_everything(command: Command) -> None:
    ran = command("sandbox", "--help")
    assert ran.code == 0
    for word in [
        *FAULT_KINDS,
        *PolicyName,
        "sandbox-token",
        "create_post",
        "--json",
        "/_sandbox/ledger",
        "[delay=1.0]",
        "[commit=false]",
    ]:
        assert word in unframed(ran.out)


def test_banner_and_ctrl_c() -> None:
    arguments = ["sandbox", "--policy", "gcra", "--limit", "7", "--fault", "reset", "--token", "reader"]
    with subprocess.Popen(  # noqa: S603 - our own command
        [*MODULE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        text = "".join(process.stdout.readline() for _ in range(9))
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=10) == ("", "")
        assert process.returncode == 0
    assert re.search(r"page +http://127\.0\.0\.1:\d+/ ", text)
    assert re.search(r"base_url +http://127\.0\.0\.1:\d+/api/v1", text)
    assert "gcra, 7 requests per 1 s" in text
    assert "sandbox-token-reader   (reader)" in text
    assert re.search(r"fault +reset", text)


def test_a_port_in_use(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = command("sandbox", "--port", str(port))
    assert (ran.code, ran.out) == (1, "")
    assert f"cannot listen on 127.0.0.1:{port}: " in ran.words
