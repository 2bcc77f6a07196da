"""``marketingblocks mcp``: the MCP server."""

from __future__ import annotations

import asyncio
import errno
import os
import warnings
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from marketingblocks_async.cli.command import command, new_app
from marketingblocks_async.cli.settings import Settings

app: typer.Typer = new_app()

_PORT = 8787


class Confirm(StrEnum):
    """The calls to refuse if the MCP client cannot ask the person."""

    NEVER = "never"
    WRITES = "writes"
    BULK = "bulk"


@command(
    app,
    "mcp",
    examples="""
    marketingblocks mcp --read-only
    marketingblocks mcp --token-file ~/.marketingblocks-token --folder ~/posts
    marketingblocks mcp --http --port 8787
    """,
    shared=("base_url", "token_file", "rate", "limit"),
)
def mcp(
    settings: Settings,
    *,
    http: Annotated[
        bool, typer.Option("--http", help="Serve streamable HTTP on 127.0.0.1 instead of standard input and output.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Where --http listens; 8787 by default, 0 for any free port.")
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Offer only the tools that change nothing.")] = False,
    tools: Annotated[
        str | None, typer.Option(metavar="NAME,NAME", help="Offer only these tools; all by default.")
    ] = None,
    confirm: Annotated[
        Confirm,
        typer.Option(
            help="Calls to refuse if the client cannot ask the person: posts that are published now and bulk runs "
            "(writes), bulk runs (bulk), or nothing (never)."
        ),
    ] = Confirm.BULK,
    journal: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Remembers every write; one for each API by default.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder from which files of posts may be read; none by default.")
    ] = None,
    docs_url: Annotated[
        str | None, typer.Option("--docs-url", envvar="MARKETINGBLOCKS_DOCS_URL", metavar="URL", hidden=True)
    ] = None,
) -> None:
    """Serve the API as tools for agents (MCP). A repeated tool call never acts twice, also after a crash.

    A client that starts the server itself needs no --http. The package's extra "mcp" has to be installed.
    """
    from marketingblocks_async import AmbiguousTimeWarning, ConfigurationError, PastTimeWarning
    from marketingblocks_async.configuration import resolve_base_url

    try:
        from marketingblocks_async import mcp as server
    except ModuleNotFoundError as exc:
        if exc.name is None or exc.name.partition(".")[0] not in ("mcp", "mcp_types", "uvicorn"):
            raise
        msg = "the MCP server needs another package: pip install 'marketingblocks-async[mcp,cli]'"
        raise ConfigurationError(msg) from None
    if port is not None and not http:
        msg = "--port is where --http listens; give --http too, or leave --port out"
        raise ConfigurationError(msg)
    port = _PORT if port is None else port
    # The results of the tools say it to the agent, which does not read the standard error.
    warnings.simplefilter("ignore", PastTimeWarning)
    warnings.simplefilter("ignore", AmbiguousTimeWarning)
    base_url = resolve_base_url(settings.base_url)
    chosen = server.ServerSettings(
        journal=journal or default_journal(base_url),
        base_url=base_url,
        docs_url=docs_url,
        rate_limit=settings.rate_limit,
        tools=None if tools is None else [name.strip() for name in tools.split(",") if name.strip()],
        read_only=read_only,
        confirm=server.Confirm(confirm.value),
        folder=folder,
    )
    token = settings.token()
    try:
        asyncio.run(server.serve_http(token, chosen, port) if http else server.serve_stdio(token, chosen))
    except OSError as exc:
        if exc.errno not in (errno.EADDRINUSE, errno.EACCES) or not http:
            raise
        msg = f"cannot listen on port {port}: {os.strerror(exc.errno)}; choose another one (--port)"
        raise ConfigurationError(msg) from None


def default_journal(base_url: str) -> Path:
    """Return the journal of an API: its post ids and keys mean nothing at another."""
    state = os.environ.get("XDG_STATE_HOME")
    home = Path(state) if state else Path.home() / ".local" / "state"
    return home / "marketingblocks-async" / f"{urlsplit(base_url).netloc.replace(':', '_')}.mcp"
