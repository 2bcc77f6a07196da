"""The result file: one line for each row of a run, as CSV and as JSON."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async.bulk import (
    Journal,
    JournalReader,
    RowState,
    create_journal,
    make_report,
    write_failures,
    write_results,
)
from tests.support.workbooks import fields


class RefusedError(Exception):
    """The API refused a post."""


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "run.journal"
    rows = [fields(key=key) for key in ("=a", "b", "c", "d")] + [fields(key="e", channel_id="x")]
    await create_journal(rows, path, skip_invalid=True)
    async with Journal(path) as journal:
        await journal.begin_session()
        for number in (1, 2, 3):
            await journal.intend(number)
        journal.end(1, RowState.DONE, post_id="71", permalink="https://f.example/71")
        journal.end(2, RowState.FAILED, error=RefusedError("=not allowed"))
        await journal.flush()
    return path


EXPECTED: list[dict[str, Any]] = [
    {
        "row": 1,
        "key": "=a",
        "state": "done",
        "post_id": "71",
        "permalink": "https://f.example/71",
        "error": None,
    },
    {"row": 2, "key": "b", "state": "failed", "post_id": None, "permalink": None, "error": "=not allowed"},
    {
        "row": 3,
        "key": "c",
        "state": "unknown",
        "post_id": None,
        "permalink": None,
        "error": "the run ended between the intent to send the row and its outcome; "
        "not looked for yet; 'bulk resume' asks the API whether the post is there",
    },
    {"row": 4, "key": "d", "state": "pending", "post_id": None, "permalink": None, "error": None},
]


async def test_of_every_row_as_json(path: Path, tmp_path: Path) -> None:
    with JournalReader(path) as journal:
        assert write_results(journal, tmp_path / "results.json") == 5
    *rows, invalid = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    sent = [row.pop("sent_at") for row in rows]
    assert rows == EXPECTED
    assert [moment is not None and moment.endswith("+00:00") for moment in sent] == [True, True, True, False]
    assert (invalid["state"], invalid["key"], invalid["error"][:10]) == ("failed", "e", "channel_id")


async def test_rows_of_a_run_that_goes_on_are_in_flight(path: Path, tmp_path: Path) -> None:
    async with Journal(path) as journal:
        write_results(journal, tmp_path / "results.json")
        assert make_report(journal).counts.unknown == 0
        assert write_failures(journal, tmp_path / "unknown.csv", [RowState.SENDING]) == 0
    rows = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert [row["state"] for row in rows] == ["done", "failed", "in flight", "pending", "failed"]
    assert rows[2]["error"] is None


async def test_of_every_row_as_csv(path: Path, tmp_path: Path) -> None:
    with JournalReader(path) as journal:
        assert write_results(journal, tmp_path / "results.csv") == 5
    assert (tmp_path / "results.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with (tmp_path / "results.csv").open(newline="", encoding="utf-8-sig") as lines:
        rows = list(csv.DictReader(lines))
    assert list(rows[0]) == ["row", "key", "state", "post_id", "permalink", "sent_at", "error"]
    assert [row["state"] for row in rows] == ["done", "failed", "unknown", "pending", "failed"]
    assert (rows[0]["key"], rows[1]["error"], rows[3]["sent_at"]) == ('"=a"', '"=not allowed"', "")


async def test_of_a_run_without_rows(tmp_path: Path) -> None:
    await create_journal([], tmp_path / "j")
    with JournalReader(tmp_path / "j") as journal:
        assert write_results(journal, tmp_path / "r.json") == 0
        assert write_results(journal, tmp_path / "r.csv") == 0
    assert json.loads((tmp_path / "r.json").read_text()) == []
