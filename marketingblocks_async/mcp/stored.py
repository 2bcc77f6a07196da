"""The journals of bulk runs: how far a run is, which rows are not done, and what other runs have sent."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from marketingblocks_async import PublishMode
from marketingblocks_async.bulk import Counts, JournalError, JournalReader, Row, RowState, SentEarlier, StoredRow
from marketingblocks_async.bulk.journal.earlier import find_sent_earlier, sources_of
from marketingblocks_async.bulk.journal.journal import PLANNED_AT
from marketingblocks_async.bulk.likeness import likeness
from marketingblocks_async.bulk.seen import Seen, digest_of
from marketingblocks_async.errors import excerpt
from marketingblocks_async.models.schedule import moment_of

from .journal import SentPost

LISTED_ROWS = 10
"""Rows of a run that a result lists; with their texts they stay below ``LONGEST_DATA``."""

LISTED_NUMBERS = 50
"""Numbers of rows that a result lists without anything else."""

KEY_NAME = "request_key"
"""Name under which a journal keeps the key of its run."""

_LONGEST_CAPTION = 60
_LONGEST_ERROR = 250


class Hashes:
    """The content of all rows, in their order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, row: Row | StoredRow) -> None:
        """Add the next row."""
        self._hash.update(f"{row.key}\0{likeness(row.content_hash, row.request)}\n".encode())

    def digest(self) -> str:
        """Return the hash of all rows that were added."""
        return self._hash.hexdigest()

    def derived_key(self) -> str:
        """Return the key of a plan to which the caller gives none."""
        return f"many-{self._hash.hexdigest()[:16]}"


def is_derived(request_key: str) -> bool:
    """Return whether no caller has chosen the key of a plan, but a server of any version has derived it."""
    # By its form: what counts as content differs between versions.
    return re.fullmatch("many-[0-9a-f]{16}", request_key) is not None


@dataclass(frozen=True, slots=True)
class Stored:
    """A run's journal, as it is now.

    Attributes:
        digest: hash of the content of all rows.
        counts: rows by state; those in flight are pending.
        is_running: whether a process is running it.
        now: pending rows that go out at once.
        late: those of them whose schedule time has passed since the plan.
        repeats: pending posts that other runs or single calls have sent, or may have sent. Also those that other runs
            have pending, unless this one has begun: two stopped runs would block each other.
        new_repeats: those of them that were sent, or became pending in a run, after this run was planned.
        sent_earlier: which posts these are, and which runs and calls; empty if there are none.

    """

    digest: str
    counts: Counts
    is_running: bool
    now: int
    late: int
    repeats: int
    new_repeats: int
    sent_earlier: Mapping[str, Any]

    @property
    def remaining(self) -> int:
        """Rows that a run would send, or look for."""
        return self.counts.pending + self.counts.unknown


def look(path: Path, base_url: str | None = None, singles: Sequence[SentPost] = ()) -> Stored:
    """Return what a journal says of its run.

    Args:
        path: the journal.
        base_url: API root that the run posts to; ``None`` if what other runs have sent is not asked for.
        singles: the posts of single calls.

    Raises:
        JournalError: the journal cannot be read.

    """
    hashes, remaining, at_once = Hashes(), Seen(), 0
    with JournalReader(path) as journal:
        is_running, meta = journal.is_running(), journal.meta
        counts, sending = journal.counts_and_sending()
        late = journal.past_posts(datetime.now(UTC)).posts
        for row in journal.rows():
            hashes.add(row)
            at_once += row.state is RowState.PENDING and _goes_out_at_once(row.request)
            if row.state not in (RowState.DONE, RowState.FAILED):
                remaining.add(digest_of(likeness(row.content_hash, row.request)), row.row)
    sent, since = _Sent(), _Sent()
    if base_url is not None and not is_running:
        find = partial(
            _find_sent,
            path,
            base_url,
            singles,
            remaining,
            sources=sources_of(meta),
            pending="base_url" not in meta,
        )
        sent = find(since=0.0)
        since = find(since=float(meta.get(PLANNED_AT, 0.0))) if sent.rows else sent
    return Stored(
        digest=hashes.digest(),
        # As long as it runs, an intent without an outcome is in flight and not unknown.
        counts=counts.without_in_flight(sending) if is_running else counts,
        is_running=is_running,
        now=at_once,
        late=late,
        repeats=len(sent.rows),
        new_repeats=len(since.rows),
        sent_earlier=sent.told() if sent.rows else {},
    )


@dataclass(frozen=True, slots=True)
class _Sent:
    """The rows of a run that others send: other runs, and the calls with these keys."""

    rows: AbstractSet[int] = frozenset()
    runs: Sequence[SentEarlier] = ()
    calls: Sequence[str] = ()

    def told(self) -> dict[str, Any]:
        calls = {"calls": [{KEY_NAME: key} for key in self.calls[:LISTED_ROWS]]} if self.calls else {}
        return {
            "posts": len(self.rows),
            "rows": sorted(self.rows)[:LISTED_NUMBERS],
            "runs": [_told_run(run) for run in self.runs[:LISTED_ROWS]],
            **calls,
        }


def _find_sent(
    path: Path,
    base_url: str,
    singles: Sequence[SentPost],
    remaining: Seen,
    *,
    sources: Sequence[Path],
    since: float,
    pending: bool,
) -> _Sent:
    """Return which of the remaining rows of a run others have sent since a time, or have pending.

    Others are also runs of the command line from the file that ``sources`` name, whose journal is beside it.
    """
    rows = set[int]()

    def row_with(like: str) -> int | None:
        if (row := remaining.first(digest_of(like))) is not None:
            rows.add(row)
        return row

    runs = find_sent_earlier(path, base_url, row_with, sources=sources, since=since, pending=pending)
    calls = [each.request_key for each in singles if each.sent_at >= since and row_with(each.like) is not None]
    return _Sent(rows, runs, calls)


def runs_with(folder: Path, base_url: str, like: str) -> list[dict[str, Any]]:
    """Return the runs that have sent a post, may have sent it, or have it pending.

    Args:
        folder: where the journals are.
        base_url: API root that the post goes to.
        like: ``likeness()`` of the post.

    """
    runs = find_sent_earlier(folder / "none", base_url, lambda found: 1 if found == like else None)
    return [_told_run(run) for run in runs[:LISTED_ROWS]]


def rows_not_done(path: Path) -> list[dict[str, Any]]:
    """Return the first rows that failed or are of unknown outcome, each with its reason.

    Raises:
        JournalError: the journal cannot be read.

    """
    with JournalReader(path) as journal:
        states = [RowState.FAILED, RowState.UNKNOWN]
        if not journal.is_running():
            states.append(RowState.SENDING)
        return [_told_row(row) for row in islice(journal.rows(states), LISTED_ROWS)]


def _told_row(row: StoredRow) -> dict[str, Any]:
    post: Mapping[str, Any] = json.loads(row.request or "{}")
    key = {} if row.key == str(row.row) else {"key": excerpt(row.key, _LONGEST_CAPTION)}
    return {
        "row": row.row,
        **key,
        "state": (RowState.FAILED if row.state is RowState.FAILED else RowState.UNKNOWN).word,
        "channel": f"{post.get('channel_type')}:{post.get('channel_id')}",
        "caption_text": excerpt(post.get("caption_text", ""), _LONGEST_CAPTION),
        "error": _ends_of(row.error or "the server ended before it saw the outcome"),
    }


def _ends_of(text: str) -> str:
    """Return a text without its middle if it is long: what happened is at its beginning, what to do at its end."""
    half = _LONGEST_ERROR // 2
    return text if len(text) <= _LONGEST_ERROR else f"{text[:half]}…{text[-half:]}"


def _told_run(run: SentEarlier) -> dict[str, Any]:
    # A run of the command line has no key.
    key = _key_of(Path(run.journal))
    return {**({"journal": Path(run.journal).name} if key is None else {KEY_NAME: key}), "posts": run.count}


def _key_of(path: Path) -> str | None:
    with suppress(JournalError), JournalReader(path) as journal:
        return journal.meta.get(KEY_NAME)
    return None


def _goes_out_at_once(request: str) -> bool:
    post: Mapping[str, Any] = json.loads(request)
    if post.get("publish_mode") == PublishMode.NOW:
        return True
    moment = moment_of(post.get("schedule_time"), post.get("time_zone"))
    return moment is not None and moment <= datetime.now(UTC)
