"""The server as another program starts it."""

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

from marketingblocks_async.sandbox import SandboxSettings
from marketingblocks_async.sandbox.__main__ import main

COMMAND = [sys.executable, "-W", "error", "-m", "marketingblocks_async.sandbox", "--settings"]


def test_a_wrong_command_line_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in (
        ([], "--settings"),
        (["--settings", "{"], "JSON"),
        (["--settings", '{"limit": 0}'], "limit must be at least 1"),
        (["--settings", "{}", "--port", "1"], "unrecognized"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
        error = capsys.readouterr().err
        assert message in error
        assert "Traceback" not in error


@contextmanager
def running(settings: str = "{}", *arguments: str, **options: Any) -> Generator[tuple[subprocess.Popen[str], IO[str]]]:
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, settings, *arguments],
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
    with running('{"policy": "none"}') as (process, stdout):
        ready = json.loads(stdout.readline())
        url = ready["base_url"].removesuffix("/api/v1") + "/_sandbox/health"
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own server
            assert json.load(answer)["status"] is True
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
def test_a_second_ctrl_c_is_no_traceback_either() -> None:
    with running('{"latency": 30}') as (process, stdout):
        ready = json.loads(stdout.readline())
        host, port = re.findall(r"http://([\d.]+):(\d+)", ready["base_url"])[0]
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(b"GET /api/v1/x HTTP/1.1\r\nHost: x\r\n\r\n")
            for _ in range(3):
                process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=10)
        assert (process.returncode, err) == (0, "")


def test_ready_line() -> None:
    with running(SandboxSettings.of({"tokens": 1}).to_json()) as (process, stdout):
        ready = json.loads(stdout.readline())
        assert ready["pid"] == process.pid
        assert ready["token"] == "sandbox-token"
        assert ready["tokens"] == {"default": "sandbox-token", "token-1": "sandbox-token-token-1"}
        assert ready["base_url"].endswith("/api/v1")
        assert ready["docs_url"].endswith("/agentic-ai-docs")
        assert ready["control_url"].endswith("/_sandbox/")
        assert ready["page_url"] == ready["base_url"].removesuffix("api/v1")


def test_a_port_in_use_is_exit_1_and_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(  # noqa: S603 - our own command
            [*COMMAND, json.dumps({"port": port})], capture_output=True, text=True, timeout=30, check=False
        )
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch(rf"cannot listen on 127\.0\.0\.1:{port}: .+\n", done.stderr)


def test_an_address_that_is_none_is_exit_1() -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        [*COMMAND, '{"host": "no-such-host.invalid"}'], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("cannot listen on")


def test_closed_standard_input_ends_it_when_asked_to() -> None:
    with running("{}", "--exit-with-parent", str(os.getpid()), stdin=subprocess.PIPE) as (process, stdout):
        assert json.loads(stdout.readline())
        assert process.poll() is None
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=10) == 0


def test_another_parent_ends_it_when_asked_to() -> None:
    with running("{}", "--exit-with-parent", "1", stdin=subprocess.PIPE) as (process, stdout):
        assert json.loads(stdout.readline())
        assert process.wait(timeout=10) == 0
