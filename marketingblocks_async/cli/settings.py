"""The settings that all commands share, and the client that is made from them."""

from __future__ import annotations

import asyncio
import getpass
import os
import stat
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from . import signals
from .errors import Interrupted
from .output import Output

if TYPE_CHECKING:
    from marketingblocks_async import MarketingBlocks, RateLimit

R = TypeVar("R")

BASE_URL_VARIABLE = "MARKETINGBLOCKS_BASE_URL"
TOKEN_VARIABLE = "MARKETINGBLOCKS_API_TOKEN"  # noqa: S105 - the variable's name
PANEL = "Settings"
DEFAULT_BURST = 5

BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        envvar=BASE_URL_VARIABLE,
        metavar="URL",
        help="API root; the documented one by default.",
        rich_help_panel=PANEL,
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help=f"File that holds the access token, readable by you only (mode 0600). Without it: ${TOKEN_VARIABLE}, "
        "else a prompt.",
        rich_help_panel=PANEL,
    ),
]
Rate = Annotated[
    int | None,
    typer.Option(
        "--rate",
        metavar="N",
        min=0,
        help="Requests per second; the documented 100 by default, 0 lifts the limit.",
        rich_help_panel=PANEL,
    ),
]
# The former name of --rate; it works until 1.0, except where --limit is a number of posts.
FormerRate = Annotated[int | None, typer.Option("--limit", min=0, hidden=True)]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print one line of JSON, for programs.", rich_help_panel=PANEL),
]


@dataclass(frozen=True, slots=True)
class Settings:
    """Values of the shared options.

    Attributes:
        base_url: API root, ``None`` for the documented one.
        token_file: file of the access token, ``None`` for the environment or a prompt.
        given_rate: requests per second, ``None`` for the documented limit, 0 for no limit.
        output: prints results and errors.

    """

    base_url: str | None
    token_file: Path | None
    given_rate: int | None
    output: Output

    @property
    def rate(self) -> float | None:
        """Requests per second at most, ``None`` for no limit."""
        from marketingblocks_async.endpoints import DOCUMENTED_RATE

        return float(DOCUMENTED_RATE) if self.given_rate is None else self.given_rate or None

    @property
    def rate_limit(self) -> RateLimit:
        """The limit as the client takes it."""
        from marketingblocks_async import RateLimit

        if self.given_rate is None:
            return RateLimit()
        return RateLimit(limit=self.given_rate or None, burst=max(1, min(DEFAULT_BURST, self.given_rate)))

    @property
    def token_source(self) -> str:
        """Name of the place that the access token comes from."""
        if self.token_file is not None:
            return f"file {self.token_file}"
        return f"environment variable {TOKEN_VARIABLE}" if TOKEN_VARIABLE in os.environ else "prompt"

    def token(self) -> str:
        """Return the access token: from the file, else the environment, else a prompt.

        Raises:
            ConfigurationError: there is none, or the file can be read by others.

        """
        from marketingblocks_async import ConfigurationError
        from marketingblocks_async.configuration import resolve_token

        if self.token_file is not None:
            return resolve_token(_read_token(self.token_file), f"the token file {self.token_file}")
        if TOKEN_VARIABLE in os.environ:
            return resolve_token(None)
        if self.output.as_json or not sys.stdin.isatty():
            msg = f"no access token: set the environment variable {TOKEN_VARIABLE}, or give --token-file"
            raise ConfigurationError(msg)
        typed = getpass.getpass("Access token (it is not shown): ").strip()
        if not typed:
            msg = f"no access token was typed; set the environment variable {TOKEN_VARIABLE}, or give --token-file"
            raise ConfigurationError(msg)
        return resolve_token(typed)

    def client(self, *, timeout: float = 30.0) -> MarketingBlocks:
        """Return a client; open it with ``async with``. ``timeout`` is the seconds for one attempt.

        Raises:
            ConfigurationError: a setting is wrong, or there is no access token.

        """
        from marketingblocks_async import MarketingBlocks

        # The client reads the variable itself, and its errors name the variable then.
        base_url = None if self.base_url == os.environ.get(BASE_URL_VARIABLE) else self.base_url
        return MarketingBlocks(self.token(), base_url=base_url, rate_limit=self.rate_limit, timeout=timeout)

    def call(self, ask: Callable[[MarketingBlocks], Awaitable[R]], client: MarketingBlocks | None = None) -> R:
        """Open a client (of these settings, unless one is given), make a call with it, and return its result.

        Raises:
            Interrupted: Ctrl-C, SIGTERM or SIGHUP.

        """
        chosen = client or self.client()

        async def run() -> R:
            async with chosen:
                return await ask(chosen)

        return run_async(run())


def run_async(main: Coroutine[Any, Any, R]) -> R:
    """Run a command's coroutine.

    Raises:
        Interrupted: Ctrl-C, SIGTERM or SIGHUP; the message holds what is known of the call.

    """

    async def with_notes() -> R:
        try:
            return await main
        except asyncio.CancelledError as exc:
            raise Interrupted("\n".join(getattr(exc, "__notes__", ())) or "interrupted") from None

    return signals.run(with_notes())


def _read_token(path: Path) -> str:
    from marketingblocks_async import ConfigurationError

    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(100_000).strip()
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not text"
        msg = f"cannot read the token file {path}: {reason}"
        raise ConfigurationError(msg) from None
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        msg = f"the token file {path} can be read by others (mode {stat.S_IMODE(mode):04o}); run: chmod 600 {path}"
        raise ConfigurationError(msg)
    if not text:
        msg = f"the token file {path} is empty; write the access token into it"
        raise ConfigurationError(msg)
    return text
