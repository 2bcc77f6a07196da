"""Any request, and questions to the documentation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async.sandbox import Sandbox
from tests.cli.conftest import Command

CREATE = ("posts", "create", "--channel-type", "facebook", "--channel-id", "1", "--caption-text", "Hello")


def sent(sandbox: Sandbox) -> dict[str, Any]:
    return sandbox.ledger.commits[-1].request


def test_any_request(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    ran = command("request", "GET", "social-sparks/upcoming-posts", "--param", "limit=5", "--json")
    assert (ran.code, ran.json) == (0, {"up_coming": []})
    assert json.loads(command("request", "GET", "social-sparks/upcoming-posts", "--param", "limit=5").out)
    body: dict[str, Any] = {"channel_type": "facebook", "channel_id": 1, "post_type": "post", "caption_text": "Grüße",
            "media_urls": [], "publish_mode": "now"}  # fmt: skip
    (tmp_path / "body.json").write_text(json.dumps(body))
    assert command("request", "POST", "social-sparks/create-post", "--body", "@body.json").code == 0
    assert sent(sandbox)["caption_text"] == "Grüße"
    assert command("request", "GET", "nowhere", "--json").json["error"]["status_code"] == 404


def test_a_request_may_be_sent_again_if_told_so(command: Command, sandbox: Sandbox) -> None:
    sandbox.faults.add("drop_before:times=1")
    body = json.dumps({"channel_type": "facebook", "channel_id": 1, "post_type": "post", "caption_text": "Hello",
                       "media_urls": [], "publish_mode": "now"})  # fmt: skip
    assert command("request", "POST", "social-sparks/create-post", "--body", body, "--resend").code == 0
    sandbox.faults.add("drop_before:times=1")
    assert command("request", "POST", "social-sparks/create-post", "--body", body).code == 3


def test_ask_the_documentation(command: Command, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARKETINGBLOCKS_API_TOKEN")
    ran = command("docs", "ask", "How long do tokens live?", "--page", "api-reference/authentication")
    assert ran.code == 0
    assert "token" in ran.out
    ran = command("docs", "ask", "How long do tokens live?", "--docs-url", sandbox.docs_url, "--json")
    assert ran.json["question"] == "How long do tokens live?"
    assert ran.json["answer"]


def test_the_limit_is_the_clients(command: Command, sandbox: Sandbox) -> None:
    for limit in ("0", "1", "50", "1000"):
        assert command(*CREATE, "--rate", limit).code == 0
    assert sandbox.ledger.carried_out_at("create-post") == 4
