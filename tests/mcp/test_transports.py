"""The command, with the official client over real stdio and real HTTP."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from mcp import Client, StdioServerParameters, stdio_client

from marketingblocks_async.cli.entry import main
from marketingblocks_async.mcp.tools import CREATE_MANY
from marketingblocks_async.sandbox import Sandbox
from tests.support.mcp import POST, ROOT, Person, call, command_line, connected, environment, messages, start
from tests.support.polling import until

MODES = ["legacy", "auto"]
NOW = POST | {"publish_mode": "now"}


async def test_two_clients_over_stdio_at_once(tmp_path: Path) -> None:
    person = Person("accept")
    async with Sandbox() as sandbox, AsyncExitStack() as stack:
        command = command_line(sandbox.base_url, sandbox.token, tmp_path / "writes.mcp")
        one, two = [
            await stack.enter_async_context(Client(stdio_client(command), mode=mode, elicitation_callback=person))
            for mode in MODES
        ]
        for client in (one, two):
            assert len((await client.list_tools()).tools) == 10
            await cancel_and_ask_again(client, sandbox, f"Cancelled {id(client)}")
        posts = [NOW | {"caption_text": f"Post {number}"} for number in range(5)]
        found = await asyncio.gather(
            *(call(client, "create_post", post) for post in posts for client in (one, two, one))
        )
        assert {each["outcome"] for each in found} == {"done"}
        assert len(sandbox.posts) == 2 + len(posts)
        assert person.questions
        key = (await call(one, CREATE_MANY, action="plan", posts=[POST]))["request_key"]
        assert (await call(one, CREATE_MANY, action="run", request_key=key))["outcome"] == "done"


async def cancel_and_ask_again(client: Client, sandbox: Sandbox, caption: str) -> None:
    before = len(sandbox.posts)
    sandbox.faults.add("slow_answer:endpoint=create-post,times=1,delay=0.5")
    post = POST | {"caption_text": caption}
    task = asyncio.create_task(call(client, "create_post", post))
    await until(lambda: len(sandbox.posts) == before + 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    found = await call(client, "create_post", post)
    assert found["outcome"] == "done"
    assert found["repeated"]
    assert len(sandbox.posts) == before + 1


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
        await is_known_to_have_come(sandbox, tmp_path)


async def is_known_to_have_come(sandbox: Sandbox, folder: Path) -> None:
    async with connected(sandbox, folder) as (client, _):
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


async def test_over_http_with_several_clients_at_once(tmp_path: Path) -> None:
    person = Person("accept")
    async with Sandbox() as sandbox, over_http(sandbox, tmp_path / "writes.mcp") as (address, _):
        for mode in MODES:
            post = NOW | {"caption_text": mode}
            async with (
                Client(address, mode=mode, elicitation_callback=person) as one,
                Client(address, mode=mode, elicitation_callback=person) as two,
            ):
                assert len((await one.list_tools()).tools) == 10
                found = await asyncio.gather(*(call(client, "create_post", post) for client in (one, two, one, two)))
                assert {each["outcome"] for each in found} == {"done"}
                assert person.questions
                await cancel_and_ask_again(one, sandbox, f"Cancelled {mode}")
        assert len(sandbox.posts) == 2 * len(MODES)
        # Web pages cannot use it.
        async with aiohttp.ClientSession() as session:
            for header in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
                for message in messages("create_post", POST):
                    accept = {"Accept": "application/json, text/event-stream"}
                    async with session.post(address, json=message, headers=header | accept) as answer:
                        assert answer.status in (403, 421)
        assert len(sandbox.posts) == 2 * len(MODES)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to be caught")
async def test_a_signal_ends_the_server_over_http_in_order(tmp_path: Path) -> None:
    faults = ["slow_answer:endpoint=create-post,times=1,delay=0.5"]
    async with Sandbox(faults=faults) as sandbox:
        async with over_http(sandbox, tmp_path / "writes.mcp") as (address, process):
            async with Client(address) as client:
                task = asyncio.create_task(call(client, "create_post", POST))
                await until(lambda: len(sandbox.posts) == 1)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 20) == -signal.SIGTERM
        await is_known_to_have_come(sandbox, tmp_path)


@pytest.mark.parametrize(
    ("options", "missing", "word"),
    [
        ([], "MARKETINGBLOCKS_API_TOKEN", "access token"),
        (["--tools", "publish"], None, "no such tool"),
        (["--tools", ""], None, "no tool is named"),
        (["--port", "1234"], None, "give --http too"),
        (["--read-only", "--tools", "create_post"], None, "read-only"),
    ],
)
def test_a_server_that_cannot_work_says_why_and_ends(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    missing: str | None,
    word: str,
) -> None:
    for name, value in environment("http://127.0.0.1:9/api/v1", "token").items():
        monkeypatch.setenv(name, value)
    if missing is not None:
        monkeypatch.delenv(missing)
    monkeypatch.setattr(sys, "argv", ["marketingblocks", "mcp", *options])
    assert main() == 1
    out, err = capsys.readouterr()
    assert not out
    assert word in " ".join(err.replace("│", " ").split())


def test_a_port_and_a_journal_that_cannot_be_used_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name, value in environment("http://127.0.0.1:9/api/v1", "token").items():
        monkeypatch.setenv(name, value)
    notes = tmp_path / "notes.txt"
    notes.write_text("no journal at all\n" * 100)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for options, words in (
            (["--http", "--port", str(port)], f"cannot listen on port {port}: "),
            (["--journal", str(notes)], "is no journal of an MCP server; name another file"),
        ):
            monkeypatch.setattr(sys, "argv", ["marketingblocks", "mcp", *options])
            assert main() == 1
            assert words in " ".join(capsys.readouterr().err.replace("│", " ").split())


async def test_the_token_comes_from_a_private_file_and_each_api_has_a_journal_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "token"
    async with Sandbox() as sandbox:
        file.write_text(sandbox.token, encoding="utf-8")
        file.chmod(0o600)
        command = StdioServerParameters(
            command=sys.executable,
            args=["-m", "marketingblocks_async.cli", "mcp", "--token-file", str(file)],
            env=environment(sandbox.base_url, "wrong") | {"XDG_STATE_HOME": str(tmp_path)},
            cwd=ROOT,
        )
        async with Client(stdio_client(command)) as client:
            assert (await call(client, "create_post", POST))["outcome"] == "done"
    (journal,) = (tmp_path / "marketingblocks-async").glob("*.mcp")
    assert journal.name.startswith("127.0.0.1_")
    assert journal.stat().st_mode & 0o077 == 0
