"""Audit one case: compare the journal and the server's ledger with the file."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.torture.rows import identity, request_of

_WORDS = {0: "pending", 1: "unknown", 2: "done", 3: "failed", 4: "unknown"}


@dataclass(slots=True)
class Verdict:
    """The verdict over a case.

    Attributes:
        violations: broken promises, in words.
        states: rows by state.
        duplicates: extra posts that ``--unknown=resend`` did not accept beforehand.
        losses: rows that are done in the journal and missing at the server.

    """

    violations: list[str] = field(default_factory=list[str])
    states: Counter[str] = field(default_factory=Counter[str])
    duplicates: int = 0
    losses: int = 0


@dataclass(slots=True)
class _Group:
    """Rows with one content; they may share their posts in any way."""

    numbers: list[int] = field(default_factory=list[int])
    states: Counter[str] = field(default_factory=Counter[str])
    post_ids: list[str | None] = field(default_factory=list["str | None"])
    posts: set[str] = field(default_factory=set[str])


def audit(
    journal: Path, rows: Sequence[Mapping[str, str]], posts: Iterable[Mapping[str, Any]], *, policy: str
) -> Verdict:
    """Compare the journal with the posts at the server.

    Args:
        journal: the journal, not running.
        rows: the rows of the file, in order.
        posts: the posts at the server, without those of other programs.
        policy: ``--unknown`` of the runs.

    """
    verdict = Verdict()
    complain = verdict.violations.append
    stored = _read(journal)
    if (numbers := [number for number, *_ in stored]) != list(range(1, len(rows) + 1)):
        complain(f"the journal holds the rows {numbers}, and the file {len(rows)}")
        return verdict
    groups: defaultdict[str, _Group] = defaultdict(_Group)
    for number, state, post_id in stored:
        group = groups[identity(request_of(rows[number - 1]))]
        word = _WORDS.get(state, f"state {state}")
        verdict.states[word] += 1
        group.numbers.append(number)
        group.states[word] += 1
        if word == "done":
            group.post_ids.append(post_id)
    for post in posts:
        content = identity(post["request"])
        if content in groups:
            groups[content].posts.add(str(post["post_id"]))
        else:
            complain(f"post {post['post_id']} belongs to no row: {content}")
    for group in groups.values():
        _judge(group, verdict, policy)
    return verdict


def _judge(group: _Group, verdict: Verdict, policy: str) -> None:
    who = f"rows {group.numbers} ({dict(group.states)}), posts {sorted(group.posts)}"
    complain = verdict.violations.append
    done, unknown, failed = group.states["done"], group.states["unknown"], group.states["failed"]
    if odd := set(group.states) - set(_WORDS.values()):
        complain(f"{who}: {odd}")
    if len(set(group.post_ids)) < len(group.post_ids):
        complain(f"{who}: two rows have one post: {group.post_ids}")
    if missing := {post_id for post_id in group.post_ids if post_id not in group.posts}:
        verdict.losses += len(missing)
        complain(f"{who}: done, but the server has no such post of theirs: {missing}")
    # A skipped row counts as failed and may exist; a resent one may exist twice, as the caller accepted.
    possible = done + unknown + (failed if policy == "skip" else 0)
    extra = max(0, len(group.posts) - possible)
    if extra and policy != "resend":
        verdict.duplicates += extra
        complain(f"{who}: {extra} posts too many")


def _read(journal: Path) -> list[tuple[int, int, str | None]]:
    query = (
        "SELECT r.number, coalesce(s.state, 0), s.post_id FROM requests AS r LEFT JOIN states AS s "
        "ON s.number = r.number ORDER BY r.number"
    )
    with closing(sqlite3.connect(journal)) as connection:
        orphans = connection.execute(
            "SELECT count(*) FROM states WHERE number NOT IN (SELECT number FROM requests)"
        ).fetchone()[0]
        if orphans:
            return []
        return connection.execute(query).fetchall()
