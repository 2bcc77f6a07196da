"""Ask addresses whether there is a file.

The requests go over a pool of their own, without the access token and outside of the API's limit, through the
environment's proxies as the client's do. They are HEAD requests, or GET requests for one byte where a server takes no
HEAD.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from http import HTTPStatus

import aiohttp
from yarl import URL

from marketingblocks_async.transport.proxies import Proxies

from .sheets.display import visible

CONCURRENCY = 10
"""Addresses that are asked at a time; at most 4 of one host."""

TIMEOUT = 15.0
"""Seconds for one address, redirects included."""

_NO_HEAD = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)
"""Answers to a HEAD request that some servers give although a GET request would get the file."""


async def check_media(
    addresses: Iterable[str],
    *,
    concurrency: int = CONCURRENCY,
    timeout: float = TIMEOUT,  # noqa: ASYNC109 - of each
) -> dict[str, str]:
    """Return address → why it cannot be fetched, for those that cannot.

    Args:
        addresses: http(s) addresses.
        concurrency: number of addresses that are asked at a time.
        timeout: seconds for one address, redirects included.

    Raises:
        ConfigurationError: the environment names a proxy for one of them that cannot be used.

    """
    problems: dict[str, str] = {}
    proxies = Proxies(None)
    waiting = iter(addresses)
    connector = aiohttp.TCPConnector(limit=concurrency, limit_per_host=4)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=timeout)) as session,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(concurrency):
                group.create_task(_ask_all(session, proxies, waiting, problems))
    except ExceptionGroup as raised:
        # The same of all tasks.
        raise raised.exceptions[0] from None
    return problems


async def _ask_all(
    session: aiohttp.ClientSession, proxies: Proxies, waiting: Iterator[str], problems: dict[str, str]
) -> None:
    for address in waiting:
        try:
            problem = await _ask(session, address, proxies.of(URL(address)))
        except TimeoutError:
            problem = "the server does not answer in time"
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            problem = f"it cannot be reached ({visible(_words_of(exc))})"
        if problem is not None:
            problems[address] = problem


def _words_of(exc: Exception) -> str:
    if isinstance(exc, aiohttp.ClientResponseError):
        # Its own text has the address, which may be that of a proxy with its password.
        return f"{exc.status or ''} {exc.message}".strip() or type(exc).__name__
    return str(exc) or type(exc).__name__


async def _ask(session: aiohttp.ClientSession, address: str, proxy: str | None) -> str | None:
    async with session.head(address, allow_redirects=True, max_redirects=5, proxy=proxy) as response:
        status, kind = response.status, response.content_type
    if status in _NO_HEAD:
        async with session.get(address, headers={"Range": "bytes=0-0"}, max_redirects=5, proxy=proxy) as response:
            status, kind = response.status, response.content_type
    if status >= HTTPStatus.BAD_REQUEST:
        return f"the server answers {status}"
    return "it is a web page, not a file" if kind == "text/html" else None
