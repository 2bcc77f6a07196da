"""Repetitions among many rows: the table on the disk finds what a dictionary would."""

from __future__ import annotations

import sqlite3
from random import Random

import pytest

from marketingblocks_async.bulk import seen as seen_module
from marketingblocks_async.bulk.errors import BulkError
from marketingblocks_async.bulk.seen import Seen


@pytest.mark.parametrize("most_recent", [1, 7, 100, 10_000])
def test_finds_what_a_dictionary_finds(monkeypatch: pytest.MonkeyPatch, most_recent: int) -> None:
    monkeypatch.setattr(seen_module, "_MOST_RECENT", most_recent)
    chance, seen = Random(most_recent), Seen()
    first_rows: dict[int, int] = {}
    repeated: set[int] = set()
    extremes = [0, 1, 2**63 - 1, 2**63, 2**64 - 1]
    pool = [*extremes, *(chance.getrandbits(64) for _ in range(2000))]
    for row in range(1, 5001):
        digest = chance.choice(pool)
        expected = None if digest not in first_rows else (first_rows[digest], digest not in repeated)
        assert seen.add(digest, row) == expected
        if digest in first_rows:
            repeated.add(digest)
        first_rows.setdefault(digest, row)


@pytest.mark.parametrize("most_recent", [1, 100])
def test_the_posts_of_one_row_do_not_repeat_each_other(monkeypatch: pytest.MonkeyPatch, most_recent: int) -> None:
    monkeypatch.setattr(seen_module, "_MOST_RECENT", most_recent)
    seen = Seen()
    assert [seen.add(5, row) for row in (1, 1, 2, 2, 1)] == [None, None, (1, True), (1, False), None]


def test_a_full_disk_is_said_to_be_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_module, "_MOST_RECENT", 1)

    def refuse(*_: object, **__: object) -> sqlite3.Connection:
        msg = "database or disk is full"
        raise sqlite3.OperationalError(msg)

    monkeypatch.setattr(sqlite3, "connect", refuse)
    with pytest.raises(BulkError, match="set TMPDIR"):
        Seen().add(1, 1)
