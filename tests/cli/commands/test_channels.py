"""Channels, generations and automations."""

from __future__ import annotations

from typing import Any

from marketingblocks_async.sandbox import Sandbox
from tests.cli.conftest import Command


def sent(sandbox: Sandbox) -> dict[str, Any]:
    return sandbox.ledger.commits[-1].request


def test_channels_generate_automations(command: Command, sandbox: Sandbox) -> None:
    ran = command("channels", "connect", "user-1", "--redirect-url", "http://127.0.0.1/done")
    assert ran.code == 0
    # In one line, to be copied or clicked.
    assert any(line.startswith("connect_url    http://127.0.0.1") for line in ran.out.splitlines())
    assert command("channels", "connect", "user-1", "--json").json["connect_token"]
    ran = command("generate", "flower sales", "--post-type", "breel", "--brand-id", "7", "--json")
    assert (ran.code, ran.json["status"]) == (0, "queued")
    assert '"input": "tulips"' in command("generate", "tulips").out
    ran = command("automations", "create", "--name", "Prices", "--channel", "1", "--trigger-type", "keywords",
                  "--keyword", "price", "--keyword", "cost", "--field", 'unheard_of={"a": [1]}', "--json")  # fmt: skip
    assert ran.code == 0, ran
    assert sent(sandbox)["keywords"] == ["price", "cost"]
    number = ran.json["comment_bot_id"]
    ran = command("automations", "update", str(number), "--name", "New", "--json")
    assert ran.code == 0
    assert sent(sandbox) == {"comment_bot_id": number, "name": "New"}
