"""Find repetitions among any number of rows in bounded memory."""

from __future__ import annotations

import sqlite3
from weakref import finalize

from .errors import BulkError

_MOST_RECENT = 5_000
"""Digests in memory at most; beyond that they are moved to a table on the disk, in about 40 ms."""

_FILTER_BITS = 24
"""The filter has two to this power bits, which is 2 MB; with a million rows it spares 94 in 100 lookups."""


class Seen:
    """Remembers for each 64-bit digest the first row that had it, in about 10 MB however many rows there are.

    Small files need no table, so nothing is written for them. The table is a temporary file that SQLite removes.
    """

    def __init__(self) -> None:
        # Digest → the first row with it, negative once it was repeated.
        self._recent: dict[int, int] = {}
        self._table: sqlite3.Connection | None = None
        self._filter = bytearray()

    def add(self, digest: int, row: int) -> tuple[int, bool] | None:
        """Note that a row has a digest.

        Args:
            digest: a whole number from 0 to 2**64 - 1.
            row: the row's number, above 0.

        Returns:
            ``None`` if no other row had the digest before; otherwise the first row that had it, and whether this is its
            first repetition.

        Raises:
            BulkError: the disk for temporary files is full.

        """
        try:
            return self._add(digest, row)
        except sqlite3.Error as exc:
            raise _unusable(exc) from exc

    def first(self, digest: int) -> int | None:
        """Return the first row that had a digest; ``None`` if none had it.

        Raises:
            BulkError: the temporary file cannot be read.

        """
        found = self._recent.get(digest)
        try:
            found = self._stored(digest) if found is None else found
        except sqlite3.Error as exc:
            raise _unusable(exc) from exc
        return None if found is None else abs(found)

    def _add(self, digest: int, row: int) -> tuple[int, bool] | None:
        first = self._recent.get(digest)
        is_recent = first is not None
        if first is None:
            first = self._stored(digest)
        if first is None:
            self._recent[digest] = row
            if len(self._recent) >= _MOST_RECENT:
                self._store()
            return None
        if abs(first) == row:
            return None
        if first > 0 and is_recent:
            self._recent[digest] = -first
        elif first > 0 and self._table is not None:
            self._table.execute("UPDATE seen SET first = -first WHERE digest = ?", (_signed(digest),))
        return abs(first), first > 0

    def _stored(self, digest: int) -> int | None:
        if self._table is None:
            return None
        place = digest >> 64 - _FILTER_BITS
        if not self._filter[place >> 3] & 1 << (place & 7):
            return None
        line = self._table.execute("SELECT first FROM seen WHERE digest = ?", (_signed(digest),)).fetchone()
        return None if line is None else line[0]

    def _store(self) -> None:
        """Move what is in memory to the table."""
        if self._table is None:
            # An empty name is a temporary file. A plan may be made in a thread and dropped in another one.
            self._table = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            finalize(self, self._table.close)
            self._table.execute("PRAGMA journal_mode = OFF")
            self._table.execute("PRAGMA synchronous = OFF")
            self._table.execute("CREATE TABLE seen (digest INTEGER PRIMARY KEY, first INTEGER NOT NULL)")
            self._table.execute("BEGIN")
            self._filter = bytearray(1 << _FILTER_BITS - 3)
        for digest in self._recent:
            place = digest >> 64 - _FILTER_BITS
            self._filter[place >> 3] |= 1 << (place & 7)
        # In order, since neighbours share a page.
        lines = sorted((_signed(digest), first) for digest, first in self._recent.items())
        self._table.executemany("INSERT INTO seen VALUES (?, ?)", lines)
        self._recent.clear()


def _unusable(error: sqlite3.Error) -> BulkError:
    msg = f"cannot look for repetitions, which takes a temporary file of 25 bytes a row: {error}; set TMPDIR"
    return BulkError(msg)


def digest_of(content_hash: str) -> int:
    """Return the 64 bits of a content's hash by which ``Seen`` knows it.

    Among a million rows, two different posts share 64 bits with a probability of 3 in 100 million.
    """
    return int(content_hash[:16], 16)


def _signed(digest: int) -> int:
    return digest - (1 << 63)
