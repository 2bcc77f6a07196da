"""``marketingblocks doctor`` against sandboxes that something is wrong with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from marketingblocks_async.cli.commands import doctor
from marketingblocks_async.sandbox import Sandbox
from marketingblocks_async.transport.aiohttp_hooks import ObservedConnector
from tests.cli.conftest import Command
from tests.support.command import environment, process
from tests.support.raw_server import RawServer, always, answer

PERMISSIONS = [
    "social-create-post",
    "social-view-post",
    "social-read-posts",
    "social-post-generation",
    "add-channels",
    "create-comment-automation",
    "update-comment-automation",
]


@pytest.fixture
def diagnosis(command: Command) -> Callable[..., tuple[int, dict[str, tuple[str, str]]]]:
    """Return the exit code, and status and detail of each check by its name."""

    def ask(*words: str) -> tuple[int, dict[str, tuple[str, str]]]:
        ran = command("doctor", "--json", *words)
        checks: list[dict[str, Any]] = ran.json["checks"]
        return ran.code, {check["name"]: (check["status"], check["detail"]) for check in checks}

    return ask


Diagnosis = Callable[..., tuple[int, dict[str, tuple[str, str]]]]


def test_all_is_well(command: Command, diagnosis: Diagnosis, sandbox: Sandbox) -> None:
    code, checks = diagnosis()
    assert code == 0
    for name in ("base URL", "rate limit", "proxy", "reachable", "clock", "access token", "social-read-posts"):
        assert checks[name][0] == "ok", name
    assert [name for name in checks if name in PERMISSIONS] == PERMISSIONS
    assert checks["social-view-post"] == ("not checked", "there is no post yet to read")
    assert sandbox.ledger.carried_out_at() == 2  # two listings
    assert sandbox.ledger.commits == []
    command("posts", "create", "--channel-type", "facebook", "--channel-id", "1", "--caption-text", "Hello")
    assert diagnosis()[1]["social-view-post"][0] == "ok"
    ran = command("doctor")
    assert ran.code == 0
    for word in ("Versions", "Python", "aiohttp", "pydantic", "typer", "Checks", "accepted (from the environment"):
        assert word in ran.words, word
    assert sandbox.token not in ran.out


def test_no_server(diagnosis: Diagnosis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETINGBLOCKS_API_TOKEN", "some-token")
    code, checks = diagnosis("--base-url", "http://127.0.0.1:9/api/v1")
    assert code == 1
    assert checks["reachable"][0] == "failed"
    assert "Cannot connect" in checks["reachable"][1]
    assert checks["reachable"][1].endswith("; check the base URL and the network")
    assert checks["clock"][0] == checks["access token"][0] == checks["social-create-post"][0] == "not checked"
    assert "the server cannot be used" in checks["access token"][1]


def test_a_server_that_says_nothing_in_time(
    diagnosis: Diagnosis, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "REACH_TIMEOUT", 1e-6)
    code, checks = diagnosis()
    assert code == 1
    assert "nothing within 1e-06 s" in checks["reachable"][1]
    assert sandbox.ledger.carried_out_at() == 0


def test_no_token_and_a_wrong_one(
    diagnosis: Diagnosis, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del sandbox
    monkeypatch.delenv("MARKETINGBLOCKS_API_TOKEN")
    code, checks = diagnosis()
    assert (code, checks["access token"][0], checks["reachable"][0]) == (1, "failed", "ok")
    monkeypatch.setenv("MARKETINGBLOCKS_API_TOKEN", "a-wrong-token")
    code, checks = diagnosis()
    assert code == 1
    assert checks["access token"][1].startswith("refused, or it lacks social-read-posts (from the environment variable")
    assert "on the API Tokens page" in checks["access token"][1]
    assert "a-wrong-token" not in str(checks)
    (tmp_path / "token").write_text("a-wrong-token")
    assert "can be read by others" in diagnosis("--token-file", str(tmp_path / "token"))[1]["access token"][1]


def test_a_missing_permission(diagnosis: Diagnosis, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETINGBLOCKS_API_TOKEN", sandbox.add_token("writer", permissions=["social-create-post"]))
    code, checks = diagnosis()
    assert (code, checks["access token"][0]) == (0, "ok")
    assert checks["social-read-posts"][0] == "warning"
    assert "social-read-posts" in checks["social-read-posts"][1]
    assert "; add it on the API Tokens page" in checks["social-read-posts"][1]
    reader = sandbox.add_token("reader", permissions=["social-read-posts", "social-create-post"])
    monkeypatch.setenv("MARKETINGBLOCKS_API_TOKEN", reader)
    sandbox.faults.add("forbidden:endpoint=find-post")
    assert diagnosis()[1]["social-view-post"][0] == "not checked"


@pytest.mark.parametrize(("hours", "words"), [(1.0, "3600 s ahead of"), (-1.0, "3600 s behind")])
def test_the_clock(
    diagnosis: Diagnosis, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, hours: float, words: str
) -> None:
    del sandbox
    now = 1_800_000_000.0
    theirs = datetime.fromtimestamp(now, UTC)
    monkeypatch.setattr(doctor, "parsedate_to_datetime", Mock(return_value=theirs))
    monkeypatch.setattr(time, "time", lambda: now + hours * 3600)
    code, checks = diagnosis()
    assert code == 0
    assert checks["clock"][0] == "warning"
    assert words in checks["clock"][1]
    assert "; set it, since" in checks["clock"][1]


def test_settings_that_are_wrong(diagnosis: Diagnosis, sandbox: Sandbox) -> None:
    del sandbox
    code, checks = diagnosis("--base-url", "http://example.com")
    assert code == 1
    assert [status for status, _ in checks.values()] == ["failed", "not checked", "not checked", "not checked"]
    assert diagnosis("--rate", "0")[1]["rate limit"][0] == "warning"
    words = "500 requests per second; the API documents 100; give --rate 100 or less"
    assert diagnosis("--rate", "500")[1]["rate limit"] == ("warning", words)


def test_a_proxy_that_cannot_be_used(
    command: Command, diagnosis: Diagnosis, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://user:pass-word@127.0.0.1:1")
    code, checks = diagnosis("--base-url", "https://api.example.invalid")
    assert code == 1
    assert checks["base URL"][0] == "ok"
    assert checks["proxy"][0] == "failed"
    assert "HTTPS_PROXY names a proxy of the kind 'socks5'" in checks["proxy"][1]
    assert "pass-word" not in str(checks)
    assert checks["reachable"] == ("not checked", "the proxy cannot be used")
    assert {checks[name][0] for name in ("clock", "access token", *PERMISSIONS)} == {"not checked"}
    told = command("doctor", "--json", "--base-url", "https://api.example.invalid").json["checks"]
    assert len({check["name"] for check in told}) == len(told)
    assert sandbox.ledger.attempts() == 0


def test_an_aiohttp_that_is_not_supported(
    diagnosis: Diagnosis, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(ObservedConnector, "connect")
    code, checks = diagnosis()
    assert code == 1
    assert checks["client"][0] == "failed"
    assert "cannot be used" in checks["client"][1]
    assert checks["base URL"][0] == checks["reachable"][0] == "ok"
    assert checks["access token"][0] == "not checked"
    assert sandbox.ledger.attempts("upcoming-posts") == 0


async def test_the_server_is_asked_through_the_proxy() -> None:
    async with RawServer(always(answer(b"", "502 Bad Gateway"))) as proxy:
        variables = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "no_proxy", "NO_PROXY"))
        env = environment(
            MARKETINGBLOCKS_API_TOKEN="some-token",
            MARKETINGBLOCKS_BASE_URL="https://api.example.invalid/api/v1",
            HTTPS_PROXY=f"http://user:pass-word@127.0.0.1:{proxy.port}",
            **variables,
        )
        ran = (await asyncio.to_thread(process, "doctor", "--json", env=env)).check()
    checks = {check["name"]: check["detail"] for check in ran.json["checks"]}
    assert checks["proxy"] == f"http://127.0.0.1:{proxy.port}, from the environment"
    assert "the proxy refused to connect to the API: 502" in checks["reachable"]
    assert "pass-word" not in ran.out + ran.err
    assert {request.line for request in proxy.requests} == {"CONNECT api.example.invalid:443 HTTP/1.1"}


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
async def test_a_page_of_a_firewall_says_nothing_of_the_token(status: str) -> None:
    page = answer(b"<html><body>Request blocked.</body></html>", status, {"Server": "firewall"})
    async with RawServer(always(page)) as firewall:
        env = environment(
            MARKETINGBLOCKS_API_TOKEN="some-token",
            MARKETINGBLOCKS_BASE_URL=firewall.base_url,
        )
        ran = (await asyncio.to_thread(process, "doctor", "--json", env=env)).check()
    checks = {check["name"]: check for check in ran.json["checks"]}
    assert ran.code == 1
    assert checks["access token"]["status"] == "failed"
    assert "posts could not be listed" in checks["access token"]["detail"]
    assert checks["access token"]["detail"].endswith("; ask who runs the network or the proxy that refused it")
    assert checks["social-read-posts"]["detail"] == "listing posts failed, so nothing is known of the token"


@pytest.mark.parametrize("fault", ["error_503", "broken_json", "html_502", "wrong_shape", "echo_authorization"])
def test_a_server_that_is_out_of_order(
    diagnosis: Diagnosis, sandbox: Sandbox, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "REACH_TIMEOUT", 0.5)
    began = time.monotonic()
    sandbox.faults.add(fault)
    code, checks = diagnosis()
    assert (code, checks["access token"][0]) == (1, "failed")
    assert "posts could not be listed" in checks["access token"][1]
    assert "; check the base URL" in checks["access token"][1] or fault == "html_502"
    assert checks["add-channels"] == ("not checked", "listing posts failed, so nothing is known of the token")
    assert sandbox.token not in str(checks)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("response", "status", "words"),
    [
        ((503, "application/json", ""), "failed", "server error (HTTP 503)"),
        ((302, "text/html", "https://example.com/login"), "failed", "redirects to https://example.com/login"),
        ((200, "text/html", ""), "warning", "answers with a web page"),
        ((404, "application/json", ""), "ok", "HTTP 404 without a token"),
    ],
)
def test_a_server_that_is_not_the_api(response: tuple[int, str, str], status: str, words: str) -> None:
    found, told = doctor.judge(*response)
    assert found == status
    assert words in told
