"""How the rows of a file relate to those of a journal, found out without holding either in memory."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

_CHUNK = 1000

_EXAMPLES = """
SELECT DISTINCT key FROM (
    SELECT * FROM (SELECT key, hash FROM given EXCEPT SELECT key, hash FROM held)
    UNION ALL
    SELECT * FROM (SELECT key, hash FROM held EXCEPT SELECT key, hash FROM given)
) LIMIT 5
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """How the rows of a file relate to those of a journal, by their keys.

    Attributes:
        same: rows with the same key and content at the same place.
        moved: rows with the same key and content at another place.
        changed: rows with the same key and another content.
        added: rows whose key the journal does not have.
        removed: rows of the journal whose key the file does not have.
        reordered: rows differ, but all in all it is the same posts: without a key column a row is known by its number.
        examples: up to five keys of changed, added or removed rows.

    """

    same: int
    moved: int
    changed: int
    added: int
    removed: int
    reordered: bool
    examples: tuple[str, ...]

    @property
    def is_the_same(self) -> bool:
        """Whether the file holds what the journal holds, in whatever order."""
        return self.reordered or not (self.changed or self.added or self.removed)

    def __str__(self) -> str:
        """Return it in words."""
        if self.reordered:
            return "the same posts in another order"
        if self.is_the_same:
            return f"the same rows{f', {self.moved} of them at another place' if self.moved else ''}"
        numbers = ((self.changed, "changed"), (self.added, "added"), (self.removed, "missing"))
        words = ", ".join(f"{number} {word}" for number, word in numbers if number)
        return f"other rows: {words} (for example {', '.join(self.examples)})"


class Comparison:
    """Takes the rows of a file one by one and compares them with a journal at the end.

    Args:
        path: the journal.

    """

    def __init__(self, path: Path) -> None:
        # A database without a name is a temporary file, which SQLite removes.
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute("CREATE TABLE given (number INTEGER, key TEXT PRIMARY KEY, hash TEXT) WITHOUT ROWID")
        self._connection.execute("ATTACH ? AS journal", (os.fsencode(path),))
        self._connection.execute(
            "CREATE TEMP VIEW held AS SELECT number, key, hash FROM journal.requests WHERE hash <> ''"
        )
        self._connection.execute("BEGIN")
        self._rows: list[tuple[int, str, str]] = []

    def add(self, number: int, key: str, content_hash: str) -> None:
        """Take a row of the file."""
        self._rows.append((number, key, content_hash))
        if len(self._rows) >= _CHUNK:
            self._write_rows()

    def close(self) -> None:
        """Leave nothing behind; twice does nothing."""
        self._connection.close()

    def result(self) -> Difference:
        """Return how the rows relate to those of the journal."""
        self._write_rows()
        both = "given JOIN held ON given.key = held.key"
        same = self._count(f"{both} AND given.hash = held.hash AND given.number = held.number")
        kept = self._count(f"{both} AND given.hash = held.hash")
        common = self._count(both)
        added, removed = self._count("given") - common, self._count("held") - common
        hashes = "SELECT hash, count(*) FROM {} GROUP BY hash"
        reordered = kept < common and not (
            added or removed or self._count(f"({hashes.format('given')} EXCEPT {hashes.format('held')})")
        )
        examples = self._connection.execute(_EXAMPLES).fetchall()
        keys = tuple(str(key) for (key,) in examples)
        return Difference(same, kept - same, common - kept, added, removed, reordered, keys)

    def _write_rows(self) -> None:
        self._connection.executemany("INSERT INTO given VALUES (?, ?, ?)", self._rows)
        self._rows.clear()

    def _count(self, query: str) -> int:
        sql = f"SELECT count(*) FROM {query}"  # noqa: S608 - the queries are all above, and hold no data
        return int(self._connection.execute(sql).fetchone()[0])
