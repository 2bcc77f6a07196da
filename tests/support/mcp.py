"""The MCP server as its clients have it: in this process, over stdio, and over HTTP."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.session import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult

from marketingblocks_async import RateLimit
from marketingblocks_async.mcp import MarketingBlocksServer, ServerSettings, open_server
from marketingblocks_async.sandbox import Sandbox

ROOT = Path(__file__).parents[2]

POST: dict[str, Any] = {
    "channel_type": "facebook",
    "channel_id": 1,
    "post_type": "post",
    "caption_text": "Hello",
    "media_urls": [],
    "publish_mode": "queued",
}


def settings_of(sandbox: Sandbox, where: Path, **changes: Any) -> ServerSettings:
    """Return the settings of a server at a sandbox, with its journal in ``where``."""
    settings = ServerSettings(
        journal=where / "writes.mcp",
        base_url=sandbox.base_url,
        docs_url=sandbox.docs_url,
        rate_limit=RateLimit(limit=None),
    )
    return replace(settings, **changes)


@asynccontextmanager
async def connected(
    sandbox: Sandbox, where: Path, *, token: str | None = None, client: dict[str, Any] | None = None, **changes: Any
) -> AsyncGenerator[tuple[Client, MarketingBlocksServer]]:
    """Yield a client of a server in this process."""
    async with (
        open_server(token or sandbox.token, settings_of(sandbox, where, **changes)) as server,
        Client(server.mcp, **(client or {})) as connection,
    ):
        yield connection, server


async def call(client: Client, tool: str, arguments: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Call a tool; return its structured result."""
    answer = await client.call_tool(tool, (arguments or {}) | more)
    found: dict[str, Any] = answer.structured_content
    assert found["outcome"]
    return found


class Person:
    """Answers the questions of a server.

    Args:
        action: ``accept``, ``decline`` or ``cancel``.

    """

    def __init__(self, action: Any) -> None:
        self.action = action
        self.questions: list[str] = []

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context
        self.questions.append(params.message)
        return ElicitResult(action=self.action)


def command_line(sandbox_url: str, token: str, journal: Path, *options: str) -> StdioServerParameters:
    """Return how a client starts the server over stdio."""
    return StdioServerParameters(
        command=sys.executable,
        args=["-W", "error", "-m", "marketingblocks_async.cli", "mcp", "--journal", str(journal), *options],
        env=environment(sandbox_url, token),
        cwd=ROOT,
    )


def environment(sandbox_url: str, token: str) -> dict[str, str]:
    """Return what a server's process needs to know."""
    return {
        "MARKETINGBLOCKS_API_TOKEN": token,
        "MARKETINGBLOCKS_BASE_URL": sandbox_url,
        "PATH": os.environ["PATH"],
    }


def messages(tool: str, *calls: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the messages that open a connection and call a tool, once for each of the arguments."""
    info = {"name": "test", "version": "1"}
    opening = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info}
    return [
        {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": opening},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        *(
            {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
            for number, arguments in enumerate(calls, 1)
        ),
    ]


async def start(command: StdioServerParameters) -> asyncio.subprocess.Process:
    """Start a server whose messages are written by hand."""
    return await asyncio.create_subprocess_exec(
        command.command,
        *command.args,
        env=command.env,
        cwd=command.cwd,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
