"""The command, with the official client over real stdio and real HTTP."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from mcp import Client, StdioServerParameters, stdio_client

from marketingblocks_async.mcp.tools import CREATE_MANY
from marketingblocks_async.sandbox import Sandbox, Variants
from tests.support.mcp import POST, ROOT, Person, call, command_line, environment, messages, start
from tests.support.polling import until

MODES = ["legacy", "auto"]
NOW = POST | {"publish_mode": "now"}


@pytest.mark.parametrize("mode", MODES)
async def test_over_stdio(tmp_path: Path, mode: str) -> None:
    person = Person("accept")
    async with Sandbox() as sandbox:
        command = command_line(sandbox.base_url, sandbox.token, tmp_path / "writes.mcp")
        async with Client(stdio_client(command), mode=mode, elicitation_callback=person) as client:
            assert len((await client.list_tools()).tools) == 10
            found = await asyncio.gather(*(call(client, "create_post", NOW) for _ in range(5)))
            assert {each["id"] for each in found} == {"1"}
            key = (await call(client, CREATE_MANY, action="plan", posts=[POST]))["request_key"]
            assert (await call(client, CREATE_MANY, action="run", request_key=key))["outcome"] == "done"
        assert len(sandbox.posts) == 2
        assert person.questions


async def test_two_clients_over_stdio_at_once(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        command = command_line(sandbox.base_url, sandbox.token, tmp_path / "writes.mcp")
        async with Client(stdio_client(command)) as one, Client(stdio_client(command)) as two:
            posts = [POST | {"caption_text": f"Post {number}"} for number in range(5)]
            await asyncio.gather(*(call(client, "create_post", post) for post in posts for client in (one, two, one)))
        assert len(sandbox.posts) == len(posts)


@pytest.mark.parametrize("mode", MODES)
async def test_a_cancelled_call_over_stdio_keeps_its_outcome(tmp_path: Path, mode: str) -> None:
    async with Sandbox(faults=["slow_answer:endpoint=create-post,times=1,delay=0.5"]) as sandbox:
        command = command_line(sandbox.base_url, sandbox.token, tmp_path / "writes.mcp")
        async with Client(stdio_client(command), mode=mode) as client:
            task = asyncio.create_task(call(client, "create_post", POST))
            await until(lambda: len(sandbox.posts) == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            found = await call(client, "create_post", POST)
            assert found["outcome"] == "done"
            assert found["repeated"]
        assert len(sandbox.posts) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to be caught")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_a_signal_lets_what_is_on_the_way_come_to_its_end(tmp_path: Path, number: signal.Signals) -> None:
    async with Sandbox(faults=["slow_answer:endpoint=create-post,times=1,delay=0.5"]) as sandbox:
        process = await start(command_line(sandbox.base_url, sandbox.token, tmp_path / "writes.mcp"))
        assert process.stdin is not None
        for message in messages("create_post", POST):
            process.stdin.write(json.dumps(message).encode() + b"\n")
        await until(lambda: len(sandbox.posts) == 1)
        process.send_signal(number)
        assert await asyncio.wait_for(process.wait(), 20) == -number
        command = command_line(sandbox.base_url, sandbox.token, tmp_path / "writes.mcp")
        async with Client(stdio_client(command)) as client:
            found = await call(client, "create_post", POST)
            assert found["outcome"] == "done"
            # From its answer; had it been found at the API, there would be none.
            assert found["untrusted_data"]["message"] == "Post created."
        assert len(sandbox.posts) == 1


@asynccontextmanager
async def over_http(sandbox: Sandbox, journal: Path, *options: str) -> AsyncGenerator[tuple[str, Any]]:
    """Yield the address of a server's process, and the process."""
    command = command_line(sandbox.base_url, sandbox.token, journal, "--http", "--port", "0", *options)
    process = await start(command)
    assert process.stderr is not None
    try:
        line = (await asyncio.wait_for(process.stderr.readline(), 30)).decode()
        found = re.search(r"http://127\.0\.0\.1:\d+/mcp", line)
        assert found is not None, line + (await process.stderr.read()).decode()
        yield found[0], process
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.communicate(), 20)


@pytest.mark.parametrize("mode", MODES)
async def test_over_http_with_several_clients_at_once(tmp_path: Path, mode: str) -> None:
    person = Person("accept")
    async with Sandbox() as sandbox, over_http(sandbox, tmp_path / "writes.mcp") as (address, _):
        async with (
            Client(address, mode=mode, elicitation_callback=person) as one,
            Client(address, mode=mode, elicitation_callback=person) as two,
        ):
            assert len((await one.list_tools()).tools) == 10
            found = await asyncio.gather(*(call(client, "create_post", NOW) for client in (one, two, one, two)))
            assert {each["outcome"] for each in found} == {"done"}
            assert person.questions
        assert len(sandbox.posts) == 1


@pytest.mark.parametrize("mode", MODES)
async def test_a_cancelled_call_over_http_keeps_its_outcome(tmp_path: Path, mode: str) -> None:
    faults = ["slow_answer:endpoint=create-post,times=1,delay=0.5"]
    async with Sandbox(faults=faults) as sandbox, over_http(sandbox, tmp_path / "writes.mcp") as (address, _):
        async with Client(address, mode=mode) as client:
            task = asyncio.create_task(call(client, "create_post", POST))
            await until(lambda: len(sandbox.posts) == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await call(client, "create_post", POST))["outcome"] == "done"
        assert len(sandbox.posts) == 1


@pytest.mark.parametrize("header", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}])
async def test_web_pages_cannot_use_it(tmp_path: Path, header: dict[str, str]) -> None:
    async with Sandbox() as sandbox, over_http(sandbox, tmp_path / "writes.mcp") as (address, _):
        async with aiohttp.ClientSession() as session:
            for message in messages("create_post", POST):
                accept = {"Accept": "application/json, text/event-stream"}
                async with session.post(address, json=message, headers=header | accept) as answer:
                    assert answer.status in (403, 421)
        assert not sandbox.posts


async def test_a_signal_ends_the_server_over_http_in_order(tmp_path: Path) -> None:
    faults = ["slow_answer:endpoint=create-post,times=1,delay=0.5"]
    journal = tmp_path / "writes.mcp"
    async with Sandbox(faults=faults) as sandbox:
        async with over_http(sandbox, journal) as (address, process):
            async with Client(address) as client:
                task = asyncio.create_task(call(client, "create_post", POST))
                await until(lambda: len(sandbox.posts) == 1)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 20) == -signal.SIGTERM
        async with Client(stdio_client(command_line(sandbox.base_url, sandbox.token, journal))) as client:
            found = await call(client, "create_post", POST)
            assert found["untrusted_data"]["message"] == "Post created."
        assert len(sandbox.posts) == 1


@pytest.mark.parametrize(
    ("options", "missing", "word"),
    [
        ([], "MARKETINGBLOCKS_API_TOKEN", "access token"),
        (["--tools", "publish"], None, "no such tool"),
        (["--read-only", "--tools", "create_post"], None, "read-only"),
    ],
)
async def test_a_server_that_cannot_work_says_why_and_ends(
    tmp_path: Path, options: list[str], missing: str | None, word: str
) -> None:
    command = command_line("http://127.0.0.1:9/api/v1", "token", tmp_path / "writes.mcp", *options)
    assert command.env is not None
    if missing is not None:
        del command.env[missing]
    process = await start(command)
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert not out
    assert word in " ".join(err.decode().replace("│", " ").split())
    assert "Traceback" not in err.decode()


async def test_the_token_comes_from_a_file_that_is_the_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "token"
    async with Sandbox(variants=Variants()) as sandbox:
        file.write_text(sandbox.token, encoding="utf-8")
        file.chmod(0o600)
        command = command_line(sandbox.base_url, "wrong", tmp_path / "writes.mcp", "--token-file", str(file))
        async with Client(stdio_client(command)) as client:
            assert (await call(client, "upcoming_posts"))["outcome"] == "done"


async def test_each_api_has_a_journal_of_its_own_by_default(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        command = StdioServerParameters(
            command=sys.executable,
            args=["-m", "marketingblocks_async.cli", "mcp"],
            env=environment(sandbox.base_url, sandbox.token) | {"XDG_STATE_HOME": str(tmp_path)},
            cwd=ROOT,
        )
        async with Client(stdio_client(command)) as client:
            assert (await call(client, "create_post", POST))["outcome"] == "done"
    (journal,) = (tmp_path / "marketingblocks-async").glob("*.mcp")
    assert journal.name.startswith("127.0.0.1_")
    assert journal.stat().st_mode & 0o077 == 0
