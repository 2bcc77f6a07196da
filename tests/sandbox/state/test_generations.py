from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from marketingblocks_async.sandbox import SandboxOptions, WebHookDelivery
from tests.support.polling import until
from tests.support.sandbox import Running


class Hook:
    """A web hook that remembers what it was told."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.received: list[dict[str, Any]] = []
        self.url = ""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.received.append(json.loads(await request.read()))
        return web.Response(status=self.status, headers={"Location": self.url} if self.status == 302 else {})


@asynccontextmanager
async def listening(hook: Hook) -> AsyncGenerator[Hook]:
    runner = web.ServerRunner(web.Server(hook.handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield hook
    finally:
        await runner.cleanup()


async def generate(running: Running, web_hook: str | None) -> str:
    body = {"post_type": "breel", "input": "flower sales", "web_hook": web_hook, "brand_id": 3}
    reply = await running.call("POST", "create-post-generation", json=body)
    assert reply.status == 200
    return str(reply.json()["id"])


async def delivery(running: Running, count: int = 1) -> WebHookDelivery:
    async with asyncio.timeout(5):
        while len(running.sandbox.ledger.web_hooks) < count:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.005)
    return running.sandbox.ledger.web_hooks[-1]


async def none_is_pending(running: Running) -> None:
    # A delivery is recorded in the last step of its task, which is over in the next turn.
    await until(lambda: running.sandbox.generations.pending == 0)


async def test_web_hook_receives_the_result_once() -> None:
    async with Running(generation_seconds=100.0) as running, listening(Hook()) as hook:
        generation_id = await generate(running, hook.url)
        running.sandbox.advance(99.0)
        await asyncio.sleep(0.02)
        assert hook.received == []
        running.sandbox.advance(1.5)
        assert await delivery(running) == WebHookDelivery(generation_id, hook.url, 200, None)
        (payload,) = hook.received
        assert payload["id"] == generation_id
        assert payload["status"] == "success"
        assert payload["request_body"]["brand_id"] == 3
        assert isinstance(payload["posts"], list)


async def test_a_job_survives_a_restart_and_is_delivered_once(tmp_path: Path) -> None:
    options: SandboxOptions = {"state_file": str(tmp_path / "state.json"), "generation_seconds": 100.0}
    async with listening(Hook()) as hook:
        async with Running(**options) as running:
            job = await generate(running, hook.url)
        for _ in range(2):
            async with Running(**options) as running:
                assert [*running.sandbox.generations.jobs] == [job]
                if not hook.received:
                    running.sandbox.advance(101)
                    await delivery(running)
                await none_is_pending(running)
        assert [payload["id"] for payload in hook.received] == [job]


@pytest.mark.parametrize("status", [500, 302])
async def test_no_second_try_and_no_redirection(status: int) -> None:
    async with Running(generation_seconds=0.0) as running, listening(Hook(status)) as hook:
        await generate(running, hook.url)
        assert (await delivery(running)).status == status
        await asyncio.sleep(0.05)
        assert len(hook.received) == 1


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://example.com/hook", "on this machine only"),
        ("http://10.0.0.1/hook", "on this machine only"),
        ("http://localhost.example.com/hook", "on this machine only"),
        ("http://127.0.0.1@example.com/hook", "on this machine only"),
        ("ftp://127.0.0.1/hook", "http or https"),
        ("not an address", "http or https"),
        ("http://[::1", ""),
        ("http://127.0.0.1:1/hook", "ConnectorError"),
    ],
)
async def test_what_cannot_be_delivered_is_recorded(url: str, problem: str) -> None:
    async with Running(generation_seconds=0.0) as running:
        await generate(running, url)
        recorded = await delivery(running)
        assert recorded.url == url
        assert recorded.status is None
        assert recorded.error
        assert problem in recorded.error


async def test_external_web_hooks_can_be_allowed() -> None:
    async with Running(generation_seconds=0.0, allow_external_web_hooks=True) as running:
        await generate(running, "http://sandbox.invalid/hook")
        recorded = await delivery(running)
        assert "this machine" not in (recorded.error or "")


async def test_states() -> None:
    async with Running(generation_seconds=5.0) as running:
        await generate(running, None)
        generations = running.sandbox.generations
        (job,) = generations.jobs.values()
        assert generations.status(job) == "queued"
        running.sandbox.advance(5.0)
        assert generations.status(job) == "success"
        assert running.sandbox.ledger.web_hooks == []


async def test_closing_and_resetting_cancel_what_is_waiting() -> None:
    async with listening(Hook()) as hook:
        async with Running(generation_seconds=3600.0) as running:
            await generate(running, hook.url)
            await running.sandbox.reset()
            assert running.sandbox.generations.jobs == {}
            assert running.sandbox.generations.pending == 0
            await generate(running, hook.url)
            assert running.sandbox.generations.pending == 1
        assert running.sandbox.generations.pending == 0
        assert hook.received == []
