"""Ask the addresses of media whether there is a file, before anything is sent.

The requests go over a pool of their own, without the access token and outside of the API's limit. They are HEAD
requests, or GET requests for one byte where a server takes no HEAD.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from itertools import islice

import aiohttp

from .plan import RowWarning, SourceInfo
from .sheets.display import visible
from .sheets.rows import Row

MOST_ADDRESSES = 100_000
"""Different addresses that are asked; a plan says if there are more."""

CONCURRENCY = 10
"""Addresses that are asked at a time; at most 4 of one host."""

TIMEOUT = 15.0
"""Seconds for one address, redirects included."""

_NO_HEAD = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)
"""Answers to a HEAD request that some servers give although a GET request would get the file."""


class MediaCheck:
    """Collects the addresses of rows and asks each of them once."""

    def __init__(self, info: SourceInfo) -> None:
        self._info = info
        self._first_rows: dict[str, int] = {}
        self._left_out = 0

    def add(self, row: Row) -> None:
        """Take the addresses of a valid row."""
        tweets = row.post.twitter_threads or ()
        for address in (*row.post.media_urls, *(each for tweet in tweets for each in tweet.media_urls or ())):
            if address in self._first_rows:
                continue
            if len(self._first_rows) < MOST_ADDRESSES:
                self._first_rows[address] = row.number
            else:
                self._left_out += 1

    async def warnings(self) -> list[RowWarning]:
        """Ask the addresses, and return a warning for each that cannot be fetched, in the order of the rows."""
        problems = await check_media(self._first_rows)
        found = [
            RowWarning(row, "media_urls", visible(address), f"{visible(address)}: {problems[address]}", self._info.file)
            for address, row in self._first_rows.items()
            if address in problems
        ]
        if self._left_out:
            message = f"only the first {MOST_ADDRESSES:,} addresses were asked"
            found.append(RowWarning(None, "media_urls", "", message, self._info.file))
        return found


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

    """
    problems: dict[str, str] = {}
    waiting = iter(addresses)
    connector = aiohttp.TCPConnector(limit=concurrency, limit_per_host=4)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=timeout)) as session,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(concurrency):
            group.create_task(_ask_all(session, waiting, problems))
    return problems


async def _ask_all(session: aiohttp.ClientSession, waiting: Iterator[str], problems: dict[str, str]) -> None:
    for address in waiting:
        try:
            problem = await _ask(session, address)
        except TimeoutError:
            problem = "the server does not answer in time"
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            problem = f"it cannot be reached ({visible(str(exc) or type(exc).__name__)})"
        if problem is not None:
            problems[address] = problem


async def _ask(session: aiohttp.ClientSession, address: str) -> str | None:
    async with session.head(address, allow_redirects=True, max_redirects=5) as response:
        status, kind = response.status, response.content_type
    if status in _NO_HEAD:
        async with session.get(address, headers={"Range": "bytes=0-0"}, max_redirects=5) as response:
            status, kind = response.status, response.content_type
    if status >= HTTPStatus.BAD_REQUEST:
        return f"the server answers {status}"
    return "it is a web page, not a file" if kind == "text/html" else None


def listed(warnings: Iterable[RowWarning], most: int = 3) -> str:
    """Return the first warnings as one text."""
    return "; ".join(f"row {each.row}: {each.message}" for each in islice(warnings, most))
