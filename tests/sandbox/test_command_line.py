from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO, Any

import pytest

from marketingblocks_async.sandbox import FAULT_KINDS, Fault, PolicyName, SandboxSettings, TokenSpec
from marketingblocks_async.sandbox.__main__ import main
from marketingblocks_async.sandbox.command_line import argument_parser, settings_of

COMMAND = [sys.executable, "-W", "error", "-m", "marketingblocks_async.sandbox"]


def parsed(*arguments: str) -> SandboxSettings:
    return settings_of(argument_parser().parse_args(arguments))


def test_defaults() -> None:
    assert parsed() == SandboxSettings()


def test_every_option() -> None:
    settings = parsed(
        *("--host", "127.0.0.2", "--port", "8001", "--policy", "gcra", "--limit", "50", "--per", "2"),
        *("--tolerance", "5", "--retry-after", "seconds", "--latency", "0.1", "--jitter", "0.02", "--seed", "9"),
        *("--fault", "reset:times=1", "--fault", "slow:delay=2", "--tokens", "2", "--token", "r:social-read-posts@60"),
        *("--variant", "create-post=nested", "--variant", "string_ids", "--variant", "missing_permission=401"),
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
        }
    )


def test_options_change_given_settings() -> None:
    base = SandboxSettings.of({"policy": "none", "limit": 5, "faults": ["reset"], "variants": {"get_posts": "data"}})
    settings = parsed("--settings", base.to_json(), "--limit", "6", "--fault", "drip", "--variant", "create_post=data")
    assert settings.policy is PolicyName.NONE
    assert settings.limit == 6
    assert [fault.kind for fault in settings.faults] == ["reset", "drip"]
    assert (settings.variants.create_post, settings.variants.get_posts) == ("data", "data")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policy", "magic"], "invalid choice"),
        (["--limit", "0"], "limit is at least 1"),
        (["--limit", "x"], "invalid int"),
        (["--fault", "nonsense"], "no kind of fault"),
        (["--fault", "slow:delay=x"], "delay is of type float"),
        (["--token", "a@soon"], "number of seconds"),
        (["--token", "default"], "share a name"),
        (["--variant", "create_post=odd"], "create_post"),
        (["--variant", "nothing"], "nothing"),
        (["--settings", "{"], "JSON"),
        (["--nothing"], "unrecognized"),
    ],
)
def test_a_wrong_command_line_is_explained(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_help_tells_everything(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for word in [
        *FAULT_KINDS,
        *PolicyName,
        "sandbox-token",
        "create_post=",
        "--json",
        "/_sandbox/ledger",
        "[delay=1.0]",
        "[commit=false]",
    ]:
        assert word in text


@contextmanager
def running(*arguments: str, **options: Any) -> Generator[tuple[subprocess.Popen[str], IO[str]]]:
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **options,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout
        finally:
            process.kill()


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_stop_it_cleanly(number: signal.Signals) -> None:
    with running("--json", "--policy", "none") as (process, stdout):
        ready = json.loads(stdout.readline())
        url = ready["base_url"].removesuffix("/api/v1") + "/_sandbox/health"
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own server
            assert json.load(answer)["status"] is True
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
def test_a_second_ctrl_c_is_no_traceback_either() -> None:
    with running("--json", "--latency", "30") as (process, stdout):
        ready = json.loads(stdout.readline())
        host, port = re.findall(r"http://([\d.]+):(\d+)", ready["base_url"])[0]
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(b"GET /api/v1/x HTTP/1.1\r\nHost: x\r\n\r\n")
            for _ in range(3):
                process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=10)
        assert (process.returncode, err) == (0, "")


def test_ready_line() -> None:
    with running("--json", "--tokens", "1") as (process, stdout):
        ready = json.loads(stdout.readline())
        assert ready["pid"] == process.pid
        assert ready["token"] == "sandbox-token"
        assert ready["tokens"] == {"default": "sandbox-token", "token-1": "sandbox-token-token-1"}
        assert ready["base_url"].endswith("/api/v1")
        assert ready["docs_url"].endswith("/agentic-ai-docs")
        assert ready["control_url"].endswith("/_sandbox/")


def test_banner() -> None:
    with running("--policy", "gcra", "--limit", "7", "--fault", "reset", "--token", "reader") as (_, stdout):
        lines = [stdout.readline().rstrip() for _ in range(8)]
    text = "\n".join(lines)
    assert re.search(r"base_url +http://127\.0\.0\.1:\d+/api/v1", text)
    assert "gcra, 7 requests per 1 s" in text
    assert "sandbox-token-reader   (reader)" in text
    assert re.search(r"fault +reset", text)


def test_a_port_in_use_is_exit_1_and_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(  # noqa: S603 - our own command
            [*COMMAND, "--port", str(port)], capture_output=True, text=True, timeout=30, check=False
        )
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch(rf"cannot listen on 127\.0\.0\.1:{port}: .+\n", done.stderr)


def test_an_address_that_is_none_is_exit_1() -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        [*COMMAND, "--host", "no-such-host.invalid"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("cannot listen on")


def test_closed_standard_input_ends_it_when_asked_to() -> None:
    with running("--json", "--exit-with-parent", str(os.getpid()), stdin=subprocess.PIPE) as (process, stdout):
        assert json.loads(stdout.readline())
        assert process.poll() is None
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=10) == 0


def test_another_parent_ends_it_when_asked_to() -> None:
    with running("--json", "--exit-with-parent", "1", stdin=subprocess.PIPE) as (process, stdout):
        assert json.loads(stdout.readline())
        assert process.wait(timeout=10) == 0
