"""A short torture; ``make torture`` is the long one."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from marketingblocks_async.bulk.journal.create import JournalBuilder
from marketingblocks_async.bulk.journal.files import mark
from marketingblocks_async.bulk.journal.states import RowState
from tests.torture.audit import audit
from tests.torture.campaign import Campaign, Options
from tests.torture.rows import make_rows, request_of
from tests.torture.steps import STATEMENTS, STEPS, find

if sys.platform == "win32":
    pytest.skip("there is no SIGKILL", allow_module_level=True)


@pytest.mark.slow
async def test_killed_runs_lose_nothing_and_publish_nothing_twice(tmp_path: Path) -> None:
    said: list[str] = []
    campaign = Campaign(Options(kills=16, rows=12, workers=2, seed=5, folder=tmp_path), say=said.append)
    await campaign.run()
    assert campaign.violating == [], "\n".join(said)
    assert campaign.kills.total() >= 16
    assert campaign.states["pending"] == 0
    assert campaign.worst_second <= 100
    assert "violations: none" in said[-1]


@pytest.mark.parametrize("name", STEPS)
def test_every_step_is_there_to_be_killed_at(name: str) -> None:
    owner, attribute = find(STEPS[name])
    assert callable(getattr(owner, attribute))
    assert name not in STATEMENTS


def journal_of(path: Path, states: Mapping[int, tuple[RowState, str | None]], rows: int) -> Path:
    builder = JournalBuilder(path)
    for number in range(1, rows + 1):
        builder.add(number, str(number), "hash", "{}")
    builder.finish({})
    builder.release()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for number, (state, post_id) in states.items():
            line = (number, state, post_id, mark(number, int(state), post_id))
            connection.execute("INSERT INTO states (number, state, post_id, mark) VALUES (?, ?, ?, ?)", line)
    return path


DONE, FAILED, PENDING, UNKNOWN = RowState.DONE, RowState.FAILED, RowState.PENDING, RowState.UNKNOWN


@pytest.mark.parametrize(
    ("state", "post_id", "posts", "complaint"),
    [
        (DONE, "1", 1, None),
        (DONE, "1", 0, "no such post"),
        (DONE, "9", 1, "no such post"),
        (DONE, "1", 2, "1 posts too many"),
        (FAILED, None, 0, None),
        (FAILED, None, 1, "1 posts too many"),
        (PENDING, None, 0, None),
        (PENDING, None, 1, "1 posts too many"),
        (UNKNOWN, None, 0, None),
        (UNKNOWN, None, 1, None),
        (UNKNOWN, None, 2, "1 posts too many"),
    ],
)
def test_the_audit_sees_what_is_wrong(
    tmp_path: Path, state: RowState, post_id: str | None, posts: int, complaint: str | None
) -> None:
    rows = make_rows(Random(1), 1, "audit")
    journal = journal_of(tmp_path / "run.journal", {1: (state, post_id)}, 1)
    there = [{"post_id": number + 1, "request": request_of(rows[0])} for number in range(posts)]
    violations = audit([journal], [request_of(row) for row in rows], there, policy="report").violations
    assert bool(violations) == bool(complaint)
    assert complaint is None or any(complaint in violation for violation in violations)


def test_the_audit_sees_posts_of_nobody_and_rows_that_are_missing(tmp_path: Path) -> None:
    rows = make_rows(Random(1), 2, "audit")
    journal = journal_of(tmp_path / "run.journal", {}, 2)
    requests = [request_of(row) for row in rows]
    foreign = {"post_id": 1, "request": {**requests[0], "caption_text": "changed"}}
    assert "belongs to no row" in audit([journal], requests, [foreign], policy="report").violations[0]
    assert "run.journal holds" in audit([journal], requests * 2, [], policy="report").violations[0]


def test_the_audit_follows_failed_rows_into_the_run_that_corrects_them(tmp_path: Path) -> None:
    requests = [request_of(row) for row in make_rows(Random(2), 3, "audit")]
    first = journal_of(tmp_path / "first", {1: (DONE, "1"), 2: (FAILED, None), 3: (FAILED, None)}, 3)
    second = journal_of(tmp_path / "second", {1: (DONE, "2"), 2: (FAILED, None)}, 2)
    posts = [{"post_id": number + 1, "request": requests[number]} for number in range(2)]
    assert audit([first, second], requests, posts, policy="report").violations == []
    assert audit([first, second], requests, posts[:1], policy="report").losses == 1
    twice = [*posts, {"post_id": 3, "request": requests[1]}]
    assert audit([first, second], requests, twice, policy="report").duplicates == 1
