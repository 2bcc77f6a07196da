from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from marketingblocks_async.bulk.journal.comparison import Comparison, Difference
from marketingblocks_async.bulk.journal.journal import JournalBuilder

Given = tuple[int, str, str]
ROWS: list[Given] = [(number, f"key-{number}", f"hash-{number}") for number in range(1, 6)]


def renumbered(rows: Sequence[Given]) -> list[Given]:
    return [(number, key, content) for number, (_, key, content) in enumerate(rows, 1)]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "posts.journal"
    builder = JournalBuilder(path)
    for row in ROWS:
        builder.add(*row, "{}")
    builder.add_invalid(6, "key-1", {}, "a bad row takes nobody's key")
    builder.finish({})
    return path


def compare(journal: Path, rows: Sequence[Given]) -> Difference:
    with closing(Comparison(journal)) as comparison:
        for row in rows:
            comparison.add(*row)
        return comparison.result()


def test_the_same_rows(journal: Path) -> None:
    assert compare(journal, ROWS) == Difference(5, 0, 0, 0, 0, reordered=False, examples=())


def test_rows_with_keys_in_another_order_are_moved(journal: Path) -> None:
    found = compare(journal, renumbered(ROWS[::-1]))
    assert found == Difference(1, 4, 0, 0, 0, reordered=False, examples=())
    assert found.is_the_same
    assert str(found) == "the same rows, 4 of them at another place"


def test_changed_added_and_removed_rows(journal: Path) -> None:
    found = compare(journal, [ROWS[0], (2, "key-2", "another"), (6, "key-6", "hash-6")])
    assert (found.same, found.moved, found.changed, found.added, found.removed) == (1, 0, 1, 1, 3)
    assert not found.is_the_same
    assert "other rows: 1 changed, 1 added, 3 missing" in str(found)
    assert set(found.examples) <= {"key-2", "key-3", "key-4", "key-5", "key-6"}


def test_without_a_key_column_another_order_is_told_from_other_posts(tmp_path: Path) -> None:
    path = tmp_path / "posts.journal"
    builder = JournalBuilder(path)
    for number in range(1, 6):
        builder.add(number, str(number), f"hash-{number}", "{}")
    builder.finish({})
    found = compare(path, [(number, str(number), f"hash-{6 - number}") for number in range(1, 6)])
    assert found.reordered
    assert str(found) == "the same posts in another order"
    assert not compare(path, [(number, str(number), f"hash-{max(number, 2)}") for number in range(1, 6)]).reordered
