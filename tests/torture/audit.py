"""Audit one case: compare its journals and the server's ledger with the file."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.torture.rows import identity

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
    journals: Sequence[Path], requests: Sequence[Mapping[str, Any]], posts: Iterable[Mapping[str, Any]], *, policy: str
) -> Verdict:
    """Compare the journals with the posts at the server.

    Args:
        journals: the journals, not running: that of the file, and each further one of the failures of the one before.
        requests: what the server has to receive for each post of the file, in order.
        posts: the posts at the server, without those of other programs.
        policy: ``--unknown`` of the runs.

    """
    verdict = Verdict()
    complain = verdict.violations.append
    # Each post's place in the file, its state, and its id; failed ones are replaced by what became of them later.
    outcomes: dict[int, tuple[str, str | None]] = {}
    places = list(range(len(requests)))
    for journal in journals:
        stored = _read(journal)
        if len(stored) != len(places) or [number for number, *_ in stored] != sorted({number for number, *_ in stored}):
            complain(f"{journal.name} holds the posts {[number for number, *_ in stored]}, and not {len(places)}")
            return verdict
        words = [_WORDS.get(state, f"state {state}") for _, state, _ in stored]
        outcomes |= {place: (word, post_id) for place, word, (*_, post_id) in zip(places, words, stored, strict=True)}
        places = [place for place, word in zip(places, words, strict=True) if word == "failed"]
    groups: defaultdict[str, _Group] = defaultdict(_Group)
    for place, (word, post_id) in sorted(outcomes.items()):
        number = place + 1
        group = groups[identity(requests[place])]
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
