"""Serve the tools over stdio, or over streamable HTTP on a loopback address."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress

import uvicorn
from mcp.server.stdio import stdio_server

from marketingblocks_async import ConfigurationError, MarketingBlocks
from marketingblocks_async.bulk.journal.singles import runs_folder
from marketingblocks_async.configuration import DEFAULT_DOCS_URL, resolve_base_url

from .journal import WriteJournal
from .many import ManyPosts
from .server import MarketingBlocksServer, ServerSettings
from .writes import Writes

DEADLINE = 40.0
"""Seconds for one call of the API: a client that gives up after 60 still sees the outcome, also if it is looked for."""

PATIENCE = 1.5
"""Seconds that requests in flight get to finish when the server is stopped; clients kill it after 2."""

HOST = "127.0.0.1"

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@asynccontextmanager
async def open_server(token: str, settings: ServerSettings) -> AsyncGenerator[MarketingBlocksServer]:
    """Open the journal and the client, and yield the server over them.

    At the end the writes in flight are recorded, and bulk runs stop between two rows.

    Args:
        token: access token.
        settings: how it works.

    Raises:
        ConfigurationError: a setting is wrong.
        JournalError: the journal cannot be used.

    """
    base_url = resolve_base_url(settings.base_url)
    if str(settings.journal).startswith("~"):
        # Each folder that a client starts the server in would get a memory of its own.
        msg = f"the journal {settings.journal} begins with ~, which no shell replaced; give its full path (--journal)"
        raise ConfigurationError(msg)
    if settings.folder is not None and not settings.folder.is_dir():
        # An agent host passes "~" on as it stands, since no shell replaces it.
        msg = f"there is no folder {settings.folder} to read files from; give the full path of one (--folder)"
        raise ConfigurationError(msg)
    journal = WriteJournal(settings.journal, base_url)
    try:
        writes = Writes(journal)
        client = MarketingBlocks(
            token,
            base_url=base_url,
            docs_url=settings.docs_url or DEFAULT_DOCS_URL,
            rate_limit=settings.rate_limit,
            deadline=DEADLINE,
            middlewares=[writes.intend],
            on_attempt=writes.attempted,
        )
        # Crash reports show local variables.
        del token
        many = ManyPosts(runs_folder(settings.journal), settings.folder, writes)
        server = MarketingBlocksServer(settings, client, writes, many)
        async with client:
            try:
                yield server
            finally:
                await asyncio.gather(writes.aclose(PATIENCE), many.aclose(PATIENCE))
    finally:
        journal.close()


async def serve_stdio(token: str, settings: ServerSettings) -> None:
    """Serve one client over standard input and output, until it closes them.

    Args:
        token: access token.
        settings: how it works.

    Raises:
        ConfigurationError: a setting is wrong.
        JournalError: the journal cannot be used.

    """
    async with AsyncExitStack() as opened:
        server = await opened.enter_async_context(open_server(token, settings))
        del token
        with _leaving_on_signals(opened):
            async with stdio_server() as (incoming, outgoing):
                await server.mcp.run(incoming, outgoing, server.mcp.create_initialization_options())


@contextmanager
def _leaving_on_signals(opened: AsyncExitStack) -> Generator[None]:
    """On a signal, close what is open, then let the signal end the process.

    The thread that reads the standard input cannot be told to stop, so the serving itself cannot be cancelled.
    """
    loop = asyncio.get_running_loop()
    leaving: set[asyncio.Task[None]] = set()

    async def leave(number: signal.Signals) -> None:
        await opened.aclose()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def begin(number: signal.Signals) -> None:
        if not leaving:
            leaving.add(asyncio.create_task(leave(number)))

    # Windows has no such handlers; there the process ends at once, and what is on the way is unknown.
    with suppress(NotImplementedError):
        for number in _SIGNALS:
            loop.add_signal_handler(number, begin, number)
    try:
        yield
    finally:
        with suppress(NotImplementedError):
            for number in _SIGNALS:
                loop.remove_signal_handler(number)


async def serve_http(
    token: str, settings: ServerSettings, port: int, *, ready: Callable[[str], None] | None = None
) -> None:
    """Serve any number of clients over streamable HTTP on 127.0.0.1, until a signal ends it.

    Requests with a foreign ``Host`` or ``Origin`` are refused, so that no web page can use the server. Every program on
    this machine can.

    Args:
        token: access token.
        settings: how it works.
        port: where to listen; 0 for any free port.
        ready: called with the server's address once it listens; by default it is printed to the standard error.

    Raises:
        ConfigurationError: a setting is wrong.
        JournalError: the journal cannot be used.
        OSError: the port is taken.

    """
    with _signals_after_the_end(), socket.create_server((HOST, port)) as listening:
        async with open_server(token, settings) as server:
            del token
            app = server.mcp.streamable_http_app(host=HOST)
            config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
            address = f"http://{HOST}:{listening.getsockname()[1]}/mcp"
            if ready is None:
                sys.stderr.write(f"MCP server at {address}\n")
                sys.stderr.flush()
            else:
                ready(address)
            await uvicorn.Server(config).serve(sockets=[listening])


@contextmanager
def _signals_after_the_end() -> Generator[None]:
    """Let a server close in order before a signal ends the process.

    uvicorn raises the signal again when it has stopped serving, and what is open would stay so.
    """
    received: list[int] = []
    former = {number: signal.signal(number, lambda got, _: received.append(got)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        for again in received[:1]:
            signal.raise_signal(again)
