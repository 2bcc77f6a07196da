"""Find posts of a new run that another run has sent already.

A file that was renamed, copied or saved in another format has no journal of its own yet, so its rows would go out once
more. The journals beside it and beside the new one know them by the hashes of their requests.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from marketingblocks_async.bulk.errors import JournalError

from .account import place_of
from .files import APPLICATION_ID, SCHEMA_VERSION, connect_for_reading, wal_path
from .sql import QUERIES

LISTED_ROWS = 10
"""Rows that are named."""


@dataclass(frozen=True, slots=True)
class SentEarlier:
    """The posts that another run has sent, or may have: its journal, how many, and the first rows that make them."""

    journal: Path
    count: int
    rows: tuple[int, ...]


def find_sent_earlier(
    path: Path, file: str, base_url: str | None, row_with: Callable[[str], int | None]
) -> list[SentEarlier]:
    """Return what other runs have sent.

    Args:
        path: the new journal.
        file: the file of posts, empty if there is none.
        base_url: API root; runs at another one do not count. ``None`` if it is not known.
        row_with: returns the new run's first row whose request has a hash.

    """
    folders = [path.parent, *([Path(file).parent] if file and Path(file).is_file() else [])]
    # By their real places, since the two folders may be one.
    journals = {each.resolve(): each for folder in folders for each in sorted(folder.glob("*.journal"))}
    journals.pop(path.resolve(), None)
    found: list[SentEarlier] = []
    for journal in journals.values():
        count, rows = 0, list[int]()
        try:
            for content_hash in _sent(journal, base_url):
                if (row := row_with(content_hash)) is not None:
                    count += 1
                    rows += [row] if len(rows) < LISTED_ROWS else []
        except (JournalError, sqlite3.Error):
            # What cannot be read is no reason to refuse rows; its own run says what is wrong with it.
            continue
        if count:
            found.append(SentEarlier(journal, count, tuple(sorted(rows))))
    return found


def _sent(journal: Path, base_url: str | None) -> Iterator[str]:
    with closing(connect_for_reading(journal, read_only=wal_path(journal).exists())) as connection:
        kind = [connection.execute(QUERIES[query]).fetchone()[0] for query in ("application", "version")]
        if kind != [APPLICATION_ID, SCHEMA_VERSION]:
            return
        sent_to = dict(line[:2] for line in connection.execute(QUERIES["meta"])).get("base_url")
        if base_url is not None and sent_to is not None and place_of(sent_to) != place_of(base_url):
            return
        for (content_hash,) in connection.execute(QUERIES["sent_hashes"]):
            yield content_hash
