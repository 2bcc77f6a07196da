"""The server is killed at random instants: no post is published twice, and none is lost without being told."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async.mcp.consent import Confirm
from marketingblocks_async.mcp.tools import CREATE_MANY
from marketingblocks_async.sandbox import Sandbox, Variants
from tests.support.mcp import POST, call, command_line, connected, messages, start

KILLS = 4
CALLS = 6
"""Writes that are on the way when the server is killed."""


@pytest.mark.slow
async def test_a_call_that_is_repeated_after_a_kill_never_acts_twice(tmp_path: Path) -> None:
    chance = random.Random(1)
    variants = Variants(extra_fields=True)
    async with Sandbox(variants=variants, latency=0.05, jitter=0.05, policy="none", seed=1) as sandbox:
        command = command_line(sandbox.base_url, sandbox.token, tmp_path / "writes.mcp")
        for kill in range(KILLS):
            # Those of the round before are repeated, and may be killed once more.
            calls = [_post(number) for number in range(max(kill - 1, 0) * CALLS, (kill + 1) * CALLS)]
            process = await start(command)
            assert process.stdin is not None
            assert process.stdout is not None
            for message in messages("create_post", *calls):
                process.stdin.write(json.dumps(message).encode() + b"\n")
            if chance.random() < 0.8:
                # It serves now; otherwise it may be killed while it starts.
                await process.stdout.readline()
            await asyncio.sleep(chance.uniform(0.0, 0.4))
            process.kill()
            await process.communicate()
        told: dict[int, dict[str, Any]] = {}
        async with connected(sandbox, tmp_path) as (client, _):
            for number in range(KILLS * CALLS):
                told[number] = await call(client, "create_post", _post(number))
        created = Counter(str(post.request["caption_text"]) for post in sandbox.ledger.commits)
        assert not sandbox.ledger.duplicates()
        for number, outcome in told.items():
            count = created[_post(number)["caption_text"]]
            assert count <= 1
            assert outcome["outcome"] in ("done", "unknown"), outcome
            assert outcome["outcome"] == "unknown" or count == 1
        assert sum(outcome["outcome"] == "done" for outcome in told.values()) > KILLS


@pytest.mark.slow
async def test_a_bulk_run_that_is_run_again_after_a_kill_never_acts_twice(tmp_path: Path) -> None:
    chance = random.Random(3)
    posts = [_post(number) for number in range(150)]
    async with Sandbox(variants=Variants(extra_fields=True), latency=0.02, policy="none", seed=3) as sandbox:
        options = ("--confirm", "never", "--limit", "100")
        command = command_line(sandbox.base_url, sandbox.token, tmp_path / "writes.mcp", *options)
        async with connected(sandbox, tmp_path) as (client, _):
            key = (await call(client, CREATE_MANY, action="plan", posts=posts))["request_key"]
        for _ in range(2):
            process = await start(command)
            assert process.stdin is not None
            assert process.stdout is not None
            for message in messages(CREATE_MANY, {"action": "run", "request_key": key}):
                process.stdin.write(json.dumps(message).encode() + b"\n")
            await process.stdout.readline()
            await asyncio.sleep(chance.uniform(0.1, 0.6))
            process.kill()
            await process.communicate()
        async with connected(sandbox, tmp_path, confirm=Confirm.NEVER) as (client, _):
            run = await call(client, CREATE_MANY, action="run", request_key=key)
        counts = run["untrusted_data"]["counts"]
        assert run["outcome"] in ("done", "unknown")
        assert counts["pending"] == 0
        assert not sandbox.ledger.duplicates()
        assert counts["done"] <= len(sandbox.posts) <= counts["done"] + counts["unknown"]


def _post(number: int) -> dict[str, Any]:
    return POST | {"caption_text": f"Post {number}"}
