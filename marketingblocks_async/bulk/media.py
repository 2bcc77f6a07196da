"""Check before anything is sent whether there is a file at each address of media."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from .numbers import place_of
from .plan import RowWarning, SourceInfo
from .sheets.display import visible
from .sheets.rows import Row

MOST_ADDRESSES = 100_000
"""Different addresses that are asked; a plan says if there are more."""


class MediaCheck:
    """Collects the addresses of rows and asks each of them once."""

    def __init__(self, info: SourceInfo) -> None:
        self._info = info
        self._first_rows: dict[str, tuple[int, int | None]] = {}
        self._left_out = 0

    def add(self, row: Row, line: int | None) -> None:
        """Take the addresses of a valid row."""
        tweets = row.post.twitter_threads or ()
        for address in (*row.post.media_urls, *(each for tweet in tweets for each in tweet.media_urls or ())):
            if address in self._first_rows:
                continue
            if len(self._first_rows) < MOST_ADDRESSES:
                self._first_rows[address] = row.number, line
            else:
                self._left_out += 1

    async def warnings(self) -> list[RowWarning]:
        """Ask the addresses, and return a warning for each that cannot be fetched, in the order of the rows."""
        from .media_requests import check_media  # noqa: PLC0415 - loads the HTTP client, which only this needs

        problems = await check_media(self._first_rows)
        found = [
            RowWarning(
                row, "media_urls", visible(address), f"{visible(address)}: {problems[address]}", self._info.file, line
            )
            for address, (row, line) in self._first_rows.items()
            if address in problems
        ]
        if self._left_out:
            message = f"only the first {MOST_ADDRESSES:,} addresses were asked"
            found.append(RowWarning(None, "media_urls", "", message, self._info.file))
        return found


def listed(warnings: Iterable[RowWarning], most: int = 3) -> str:
    """Return the first warnings as one text."""
    return "; ".join(f"{place_of(each.row or 0, each.line)}: {each.message}" for each in islice(warnings, most))
