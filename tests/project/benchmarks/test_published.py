"""What is published is what was measured, and keeps the promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.cases import CASES
from benchmarks.contestants import CONTESTANTS, missing
from benchmarks.promises import broken, checked
from benchmarks.records import Results
from benchmarks.tables import all_tables

PUBLISHED = Path(__file__).parents[3] / "benchmarks" / "published"
RESULTS = Results.load(PUBLISHED / "results.json")
README = (PUBLISHED.parents[1] / "README.md").read_text(encoding="utf-8")


def test_every_case_and_contestant_was_measured() -> None:
    assert {record.case for record in RESULTS.records} == set(CASES)
    assert set(RESULTS.subjects("limit")) == set(CONTESTANTS)


def test_the_promises_were_kept() -> None:
    assert broken(RESULTS) == []
    assert checked(RESULTS) > 50


@pytest.mark.skipif(any(map(missing, CONTESTANTS)), reason="dependency group 'bench' is not installed: titles")
def test_the_table_is_that_of_the_results() -> None:
    assert (PUBLISHED / "table.md").read_text(encoding="utf-8") == all_tables(RESULTS)


def test_the_pictures_of_the_readme_are_there_and_small() -> None:
    for name in ("limit.png", "layers.png"):
        assert f"benchmarks/published/{name}" in README
        assert 10_000 < (PUBLISHED / name).stat().st_size < 150_000
