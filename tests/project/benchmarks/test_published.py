"""What is published is what was measured, and keeps the promises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.cases import CASES
from benchmarks.contestants import CONTESTANTS, missing
from benchmarks.promises import broken, checked
from benchmarks.records import Results
from benchmarks.tables import all_tables, comparison

PUBLISHED = Path(__file__).parents[3] / "benchmarks" / "published"
RESULTS = Results.load(PUBLISHED / "results.json")
DOCS = PUBLISHED.parents[1] / "docs"


def test_every_case_and_contestant_was_measured() -> None:
    assert {record.case for record in RESULTS.records} == set(CASES)
    assert set(RESULTS.subjects("limit")) == set(CONTESTANTS)


def test_the_promises_were_kept() -> None:
    assert broken(RESULTS) == []
    assert checked(RESULTS) > 50


@pytest.mark.skipif(any(map(missing, CONTESTANTS)), reason="dependency group 'bench' is not installed: titles")
def test_the_tables_are_those_of_the_results() -> None:
    assert (PUBLISHED / "table.md").read_text(encoding="utf-8") == all_tables(RESULTS)
    assert (PUBLISHED / "comparison.md").read_text(encoding="utf-8") == comparison(RESULTS)


def test_the_documentation_shows_the_pictures_and_includes_the_tables() -> None:
    page = (DOCS / "concepts" / "comparison.md").read_text(encoding="utf-8")
    for name in ("limit.png", "layers.png"):
        assert f"../assets/{name}" in page
        assert (DOCS / "assets" / name).samefile(PUBLISHED / name)
        assert 10_000 < (PUBLISHED / name).stat().st_size < 150_000
    assert '--8<-- "benchmarks/published/comparison.md"' in page
    assert '--8<-- "benchmarks/published/table.md"' in (DOCS / "reference" / "measurements.md").read_text("utf-8")


def test_every_published_table_is_on_one_page_of_the_documentation() -> None:
    """Pages that repeat figures would disagree after the next measurement."""
    pages = "".join(path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md"))
    for path in PUBLISHED.glob("*.md"):
        assert pages.count(f'--8<-- "benchmarks/published/{path.name}"') == 1, path.name


@pytest.mark.parametrize(
    "page", ["guides/replicas.md", "guides/tokens.md", "guides/distributed.md", "concepts/limit.md"]
)
def test_pages_have_no_measured_table_of_their_own(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert '--8<-- "benchmarks/published/' in text
    assert not re.search(r"^\| .*\b\d+(\.\d+)? / \d+|^\| worst second", text, re.MULTILINE)
