"""Reports of runs: numbers, the HTML page, files of rows that are not done, the course over time."""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketingblocks_async import CreatePost
from marketingblocks_async.bulk import (
    BulkReport,
    Journal,
    JournalReader,
    RowState,
    StoredRow,
    create_journal,
    html_report,
    make_report,
    write_failures,
)
from marketingblocks_async.bulk.report.report import LONGEST_GAP, MOST_BINS, SHOWN_ROWS, make_timeline

HOSTILE = (
    '</td></table><script src="https://evil.example/x.js">alert(1)</script><img src=x onerror=alert(1)>&amp;"\'\x1b[31m'
)


class HostileError(Exception):
    """Says what a server might say."""


async def make(path: Path, count: int = 6) -> Path:
    """Make a journal in which rows 1 to 3 are done, one failed, is unknown, is pending, and one is not valid."""
    rows: list[Any] = [
        CreatePost.model_validate(
            {
                "channel_type": "facebook",
                "channel_id": 1,
                "post_type": "post",
                "caption_text": f"Row {number}",
                "media_urls": [],
                "publish_mode": "now",
            }
        )
        for number in range(1, count + 1)
    ]
    await create_journal([*rows, {"channel_type": HOSTILE}], path, skip_invalid=True)
    async with Journal(path) as journal:
        await journal.begin_session()
        for number in range(1, count):
            await journal.intend(number)
        for number in range(1, count - 2):
            journal.end(number, RowState.DONE, post_id=str(number))
        journal.end(count - 2, RowState.FAILED, error=HostileError(HOSTILE))
        journal.end(count - 1, RowState.UNKNOWN, error=HostileError("lost"))
        await journal.end_session("interrupted")
        await journal.begin_session()
    return path


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    return await make(tmp_path / "run.journal")


def report_of(path: Path) -> BulkReport:
    with JournalReader(path) as journal:
        return make_report(journal)


async def test_the_report_has_what_the_journal_knows(path: Path) -> None:
    report = report_of(path)
    assert report.counts.to_dict() == {"total": 7, "done": 3, "failed": 2, "pending": 1, "unknown": 1}
    assert report.errors == {"HostileError": 2, "InvalidRow": 1}
    assert [(row.row, row.state) for row in report.rows] == [(4, "failed"), (5, "unknown"), (7, "failed")]
    assert report.rows[0].error == HOSTILE
    assert [(each.ending, each.ended is None) for each in report.sessions] == [("interrupted", False), (None, True)]
    assert sum(each.done for each in report.timeline) == 3
    # A row that was never sent did not end while it ran.
    assert sum(each.failed for each in report.timeline) == 1
    values = report.to_dict()
    assert list(values)[:5] == ["total", "done", "failed", "pending", "unknown"]
    assert json.loads(json.dumps(values))["rows"][0]["error"] == HOSTILE


async def test_a_row_in_flight_of_a_killed_run_is_unknown(tmp_path: Path) -> None:
    path = await make(tmp_path / "j")
    async with Journal(path) as journal:
        await journal.intend(6)
    report = report_of(path)
    assert (report.counts.unknown, report.counts.pending) == (2, 0)
    assert ("unknown", "Interrupted") in [(row.state, row.error_type) for row in report.rows]


async def test_rows_in_flight_are_those_of_the_moment_of_the_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await make(tmp_path / "j")
    rows = JournalReader.rows

    def before(journal: JournalReader, *states: Any) -> Iterator[StoredRow]:
        return (row for row in rows(journal, *states) if row.state is not RowState.SENDING)

    async with Journal(path) as journal:
        known = report_of(path).counts
        await journal.intend(6)
        # The rows are read, and then the run goes on.
        monkeypatch.setattr(JournalReader, "rows", before)
        assert report_of(path).counts == known


async def test_only_the_first_rows_are_listed(tmp_path: Path) -> None:
    rows = [{"channel_type": "nowhere"}] * (SHOWN_ROWS + 50)
    await create_journal(rows, tmp_path / "j", skip_invalid=True)
    report = report_of(tmp_path / "j")
    assert (len(report.rows), report.errors) == (SHOWN_ROWS, {"InvalidRow": SHOWN_ROWS + 50})
    assert f"the first {SHOWN_ROWS}" in html_report(report)
    with JournalReader(tmp_path / "j") as journal:
        assert write_failures(journal, tmp_path / "f.csv") == SHOWN_ROWS + 50


async def test_a_journal_that_never_ran(tmp_path: Path) -> None:
    await create_journal([], tmp_path / "j")
    report = report_of(tmp_path / "j")
    assert (report.timeline, report.sessions, report.running_seconds, report.peak_rate) == ((), (), 0, 0.0)
    assert "Course" not in html_report(report)


class Page(HTMLParser):
    """Notes elements, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "br", "line", "rect", "path"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_the_page_is_well_formed_and_asks_for_nothing(path: Path) -> None:
    text = html_report(report_of(path))
    page = Page(text)
    assert page.open == []
    assert page.text.count(HOSTILE) >= 1
    assert not {"script", "img", "link", "iframe", "object", "base", "form"} & set(page.tags)
    for name, value in page.attributes:
        assert name not in ("src", "href", "srcset", "data", "action"), value
        assert not name.startswith("on")
    assert not re.search(r"url\(|@import", text)
    assert "svg" in page.tags
    for words in ("done", "failed", "unknown", "pending", "interrupted", "killed, or still running", "HostileError"):
        assert words in page.text, words


async def test_the_page_can_be_written_whatever_the_names_are(tmp_path: Path) -> None:
    folder = tmp_path / "\udcff <b>"
    folder.mkdir()
    path = await make(folder / "j")
    text = html_report(report_of(path))
    (folder / "report.html").write_text(text, encoding="utf-8", errors="backslashreplace")
    assert "<b>" not in text.replace("<b>7</b>", "").replace("<b>3</b>", "").replace("<b>2</b>", "").replace(
        "<b>1</b>", ""
    )


async def test_files_of_rows_by_state(path: Path, tmp_path: Path) -> None:
    with JournalReader(path) as journal:
        assert write_failures(journal, tmp_path / "failed.csv") == 2
        assert write_failures(journal, tmp_path / "unknown.csv", (RowState.UNKNOWN, RowState.SENDING)) == 1
        assert write_failures(journal, tmp_path / "all.csv", tuple(RowState)) == 7
    assert (tmp_path / "failed.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with (tmp_path / "failed.csv").open(newline="", encoding="utf-8-sig") as lines:
        first, second = csv.DictReader(lines)
    assert (first["key"], first["caption_text"], first["_row"], first["_state"]) == ("4", "Row 4", "4", "failed")
    assert first["_error"] == HOSTILE
    assert second["channel_type"] == HOSTILE
    with (tmp_path / "unknown.csv").open(newline="", encoding="utf-8-sig") as lines:
        assert [row["_state"] for row in csv.DictReader(lines)] == ["unknown"]


async def test_it_can_be_read_while_it_runs(path: Path) -> None:
    async with Journal(path) as journal:
        await journal.begin_session()
        await journal.intend(6)
        # A row in flight of a run that lives is not unknown.
        assert report_of(path).counts.unknown == 1
        journal.end(6, RowState.DONE, post_id="6")
        await journal.flush()
        assert report_of(path).counts.done == 4


async def test_pauses_are_marked_whatever_they_are_for(path: Path) -> None:
    report = report_of(path)
    paused = replace(report, timeline=tuple(make_timeline([(0, RowState.DONE, 1), (60, RowState.DONE, 1)])))
    assert "Dashed lines: pauses, left out." in html_report(paused)
    assert "Dashed" not in html_report(report)


def test_pauses_are_left_out() -> None:
    bins = make_timeline([(100, RowState.DONE, 5), (101, RowState.FAILED, 1), (100_000, RowState.DONE, 7)])
    assert [(each.at, each.done, each.failed, each.after_gap) for each in bins] == [
        (0, 5, 0, False), (1, 0, 1, False), (2, 7, 0, True),
    ]  # fmt: skip
    assert bins[0].rate == 5.0


def test_a_long_run_has_a_bounded_number_of_steps() -> None:
    bins = make_timeline([(second, RowState.DONE, 100) for second in range(100_000)])
    assert len(bins) <= MOST_BINS
    assert {each.seconds for each in bins} == {417}
    assert sum(each.done for each in bins) == 100 * 100_000
    assert bins[0].rate == 100.0


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 5000) | st.integers(0, 10**9),
        st.sampled_from([RowState.DONE, RowState.FAILED, RowState.UNKNOWN]),
        st.integers(1, 1000),
    ),
    max_size=60,
    unique_by=lambda event: event[:2],
)


@settings(max_examples=75)
@given(EVENTS.map(sorted))
def test_the_course_loses_nothing(events: list[tuple[int, RowState, int]]) -> None:
    bins = make_timeline(events)
    assert len(bins) <= MOST_BINS
    for name, state in (("done", RowState.DONE), ("failed", RowState.FAILED), ("unknown", RowState.UNKNOWN)):
        assert sum(getattr(each, name) for each in bins) == sum(count for _, kind, count in events if kind is state)
    for before, after in itertools.pairwise(bins):
        assert after.at == before.at + before.seconds
    seconds = sorted({second for second, _, _ in events})
    gaps = sum(after - before > LONGEST_GAP for before, after in itertools.pairwise(seconds))
    assert any(each.after_gap for each in bins) == (gaps > 0)


async def test_moments_are_in_utc(path: Path) -> None:
    began = report_of(path).sessions[0].began
    assert began.endswith("+00:00")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(began)) < timedelta(hours=1)
