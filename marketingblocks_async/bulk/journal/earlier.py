"""Find posts of a new run that another run has sent already.

A file that was renamed, copied or saved in another format has no journal of its own yet, so its rows would go out once
more. The journals beside the new one know them by the hashes of their requests.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from marketingblocks_async.bulk.errors import JournalError
from marketingblocks_async.bulk.plan import SentEarlier

from .files import APPLICATION_ID, SCHEMA_VERSION, connect_for_reading, wal_path
from .sql import QUERIES

LISTED_ROWS = 10
"""Rows that are named."""


def find_sent_earlier(path: Path, base_url: str, row_with: Callable[[str], int | None]) -> list[SentEarlier]:
    """Return what other runs have sent whose journals (``*.journal``) are beside a new one.

    Args:
        path: the new journal.
        base_url: API root; runs at another one do not count.
        row_with: returns the new run's first row whose request has a hash.

    """
    journals = [each for each in sorted(path.parent.glob("*.journal")) if each.name != path.name]
    found: list[SentEarlier] = []
    for journal in journals:
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
            found.append(SentEarlier(str(journal), count, tuple(sorted(rows))))
    return found


def _sent(journal: Path, base_url: str) -> Iterator[str]:
    with closing(connect_for_reading(journal, read_only=wal_path(journal).exists())) as connection:
        kind = [connection.execute(QUERIES[query]).fetchone()[0] for query in ("application", "version")]
        if kind != [APPLICATION_ID, SCHEMA_VERSION]:
            return
        sent_to = dict(line[:2] for line in connection.execute(QUERIES["meta"])).get("base_url", "")
        # Not as account.check_api() compares, to which all servers of this machine are one: each sandbox begins empty.
        if sent_to.rstrip("/") != base_url.rstrip("/"):
            return
        for (content_hash,) in connection.execute(QUERIES["sent_hashes"]):
            yield content_hash
