"""Any file under any recipe, whole or damaged: a plan or the documented errors, and a copy that says the same."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketingblocks_async.bulk import (
    JournalReader,
    Plan,
    ReadOptions,
    Recipe,
    Row,
    RowState,
    SourceError,
    create_journal,
    load_recipe,
    make_plan,
    recipe_names,
    write_failures,
)
from tests.support.workbooks import workbook

EFFORT = int(os.environ.get("FUZZ_EFFORT", "1"))
"""How many times as long as usual to search; only then by chance."""

MEANT = [
    "", "", "Fresh tulips", "Two\nlines", "=1+1", "\u200bzero\ufeff width", "“smart”", " padded ", "#a, #b", "#a|#b",
    "https://e.com/a.jpg", "https://e.com/a.jpg, https://e.com/b.jpg", "https://e.com/a.jpg;https://e.com/b.jpg",
    "www.e.com",
    "03/14/2027", "14/03/2027 09:05", "2027-03-14T09:05:00Z", "Mar 14, 2027 9:05 AM", "14. März 2027", "tomorrow",
    "45000.5",
    "9:05 PM", "21:05", "9h05", "facebook", "Facebook, Instagram", "X", "twitter:12", "yes", "no", "TRUE", "x", "✓",
    "11",
    "post", "Reel", "story", "scheduled", "now", "Draft", "Europe/Berlin", "EST", "+02:00", "private", "22", "MUSIC",
    "null", "N/A", "#REF!", "\x0b", "\ud83d", '"', "a|b", "[1]", "{}", "é" * 300,
]  # fmt: skip
OPTIONS: list[Mapping[str, Any]] = [
    {},
    {"channels": ["facebook:11", "instagram:12", "twitter:13", "youtube:14", "tiktok:15", "linkedin:16", "threads:17"]},
    {"channels": ["tiktok:11"], "fixed": {"publish_mode": "now"}},
    {"channels": ["facebook:11"], "defaults": {"time_zone": "Europe/Berlin", "time": "09:30", "caption_text": "Hi"}},
    {"channels": ["Main=facebook:11"], "date_formats": ["DD/MM/YYYY HH:mm"], "fixed": {"channel_type": "facebook"}},
    {"fixed": {"channel_type": "youtube", "channel_id": "14", "post_extra.title": "T", "post_extra.category": "22"}},
    {"channels": ["facebook:11"], "fixed": {"post_type": "post", "time_zone": "UTC"}, "where": ["Approved=yes"]},
]


def names_of(recipe: Recipe) -> list[str]:
    known = [name.replace("*", " 1") for name in recipe.columns] or ["channel_type", "channel_id", "caption_text"]
    return [*known, "key", "post_type", "publish_mode", "time_zone", "Approved", "_note", "Unknown", ""]


def as_text(names: Sequence[str], rows: Sequence[Sequence[object]], delimiter: str) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter).writerows([names, *rows])
    return buffer.getvalue()


@st.composite
def files(draw: st.DrawFn) -> tuple[str, bytes, ReadOptions]:
    """Draw a file: its name, its content, and how it is read. Every third one is damaged."""
    recipe = load_recipe(draw(st.sampled_from(recipe_names()))) if draw(st.booleans()) else Recipe()
    names = draw(st.lists(st.sampled_from(names_of(recipe)), min_size=1, max_size=9))
    texts = st.sampled_from(MEANT) | st.text(max_size=8)
    cells: st.SearchStrategy[object] = texts
    kind = draw(st.sampled_from(["csv", "tsv", "txt", "jsonl", "json", "xlsx"]))
    if kind == "xlsx":
        cells = (
            texts.filter(lambda text: text.isprintable() and "_x" not in text and not text.startswith("="))
            | st.datetimes(datetime(1999, 1, 1), datetime(2100, 1, 1))
            | st.times()
            | st.floats(-1e6, 1e6)
            | st.booleans()
        )
    rows = draw(st.lists(st.lists(cells, min_size=1, max_size=len(names) + 1), max_size=4))
    if kind in ("jsonl", "json"):
        items = [dict(zip(names, row, strict=False)) for row in rows]
        text = json.dumps(items) if kind == "json" else "".join(f"{json.dumps(item)}\n" for item in items)
        content = text.encode()
    elif kind == "xlsx":
        with tempfile.TemporaryDirectory() as folder:
            content = workbook(Path(folder, "made.xlsx"), names, *rows).read_bytes()
    else:
        text = as_text(names, rows, "\t" if kind == "tsv" else draw(st.sampled_from(",;|\t")))
        encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
        content = text.encode(encoding, "replace")
    if not draw(st.integers(0, 2)):
        damaged = bytearray(content)
        for _ in range(draw(st.integers(1, 3))):
            # A share, since the length of a workbook depends on the time of day that is in it.
            place = int(draw(st.floats(0, 0.999)) * len(damaged))
            damaged[place : place + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
        content = bytes(damaged[: draw(st.sampled_from([len(damaged), len(damaged) // 2]))])
    recipe = recipe.with_options(**draw(st.sampled_from(OPTIONS)))
    how: ReadOptions = {"recipe": recipe, "hidden": draw(st.sampled_from(["refuse", "skip", "send"]))}
    return f"posts.{kind}", content, how


def requests(path: Path, **how: Any) -> list[str]:
    """Return the valid requests of a file, in order; all of what it promises is checked."""
    taken: list[Row] = []
    try:
        plan: Plan | None = make_plan(path, on_row=taken.append, **how)
    except SourceError as error:
        plan = error.plan
    assert plan is not None
    assert plan.valid == len(taken)
    assert plan.rows == plan.valid + plan.invalid
    assert plan.ok == (plan.complete and not plan.error_count)
    json.dumps(plan.to_dict(), ensure_ascii=False).encode()
    return [row.request for row in taken]


@given(file=files())
@settings(
    max_examples=150 * EFFORT,
    derandomize=EFFORT == 1,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_plan_of_any_file_and_a_copy_that_says_the_same(tmp_path: Path, file: tuple[str, bytes, ReadOptions]) -> None:
    name, content, how = file
    path = tmp_path / name
    path.write_bytes(content)
    valid = requests(path, **how)
    assert requests(path, **how) == valid
    journal, copy = tmp_path / "run.journal", tmp_path / "copy.csv"
    journal.unlink(missing_ok=True)
    try:
        asyncio.run(create_journal(path, journal, skip_invalid=True, **how))
    except SourceError:
        return
    with JournalReader(journal) as reader:
        write_failures(reader, copy, tuple(RowState))
        total = reader.counts().total
    # All rows as if they had failed: the valid ones make the same requests, and no other becomes valid by being copied.
    assert requests(copy) == valid
    with copy.open(newline="", encoding="utf-8-sig") as lines:
        assert len(list(csv.DictReader(lines))) == total
