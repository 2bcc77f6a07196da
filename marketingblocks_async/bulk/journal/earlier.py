"""Find posts that another run has sent, or has pending.

A file that was renamed, copied or saved in another format has no journal of its own yet, so its rows would go out once
more. The journals beside the new one and beside the file know them by their requests. A run that goes on
looks, too: its pending rows may have been sent from another file meanwhile.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from marketingblocks_async.bulk.errors import JournalError, UnconfirmedRowsError
from marketingblocks_async.bulk.likeness import likeness
from marketingblocks_async.bulk.numbers import by_runs
from marketingblocks_async.bulk.plan import SentEarlier
from marketingblocks_async.bulk.seen import Seen, digest_of

from .account import BASE_URL
from .files import APPLICATION_ID, SCHEMA_VERSION, connect_for_reading, folders_of, is_file, real_path, wal_path
from .journal import PLANNED_AT, SOURCE_PATH, SOURCE_TARGET, JournalReader
from .singles import single_posts, writes_of
from .sql import QUERIES
from .states import RowState

LISTED_ROWS = 10
"""Rows that are named."""


def find_sent_earlier(
    path: Path,
    base_url: str,
    row_with: Callable[[str], int | None],
    *,
    sources: Iterable[Path] = (),
    folders: Iterable[Path] = (),
    since: float = 0.0,
    pending: bool = True,
) -> list[SentEarlier]:
    """Return what other runs have sent, or may have sent: their ``*.journal`` is beside that of a run or its file.

    Where a name is a link, it is also looked beside what that leads to.

    Args:
        path: the run's journal.
        base_url: API root; runs at another one do not count.
        row_with: returns the run's first row whose request has a ``likeness()``.
        sources: names of the file of the run's rows, beside which there may be journals, too.
        folders: where MCP servers keep their runs, which count, too, as do the single calls of those servers.
        since: Unix time; what was sent before does not count, nor what is pending in a run that began before.
        pending: whether to return also what is pending in other runs that have begun or are about to.

    """
    folders = list(folders)
    others = _others([path, *sources, *(folder / "none" for folder in folders)], path)
    found = [_repeated(each, _sent(each, base_url, since, pending=pending), row_with) for each in others]
    calls = [_repeated(each, single_posts(each, base_url, since), row_with) for each in writes_of(folders)]
    found += [replace(each, single_calls=True) for each in calls]
    return [each for each in found if each.count]


def sources_of(meta: Mapping[str, str]) -> list[Path]:
    """Return the names of the file of a run's rows, by the facts of its journal; those of earlier versions have one."""
    names = (meta.get(fact) for fact in ("source", SOURCE_PATH, SOURCE_TARGET))
    return [Path(name) for name in names if name]


def _repeated(journal: Path, likes: Iterable[str], row_with: Callable[[str], int | None]) -> SentEarlier:
    """Return how many posts of another journal a run has, too."""
    count, rows = 0, list[int]()
    for like in likes:
        if (row := row_with(like)) is not None:
            count += 1
            rows += [row] if len(rows) < LISTED_ROWS else []
    return SentEarlier(str(journal), count, tuple(sorted(rows)))


def _others(files: Iterable[Path], path: Path) -> list[Path]:
    """Return the journals beside files, without one of them."""
    found: dict[Path, Path] = {}
    for folder in folders_of(files).values():
        for journal in sorted(folder.glob("*.journal")):
            # Not what is no file, such as a link that leads to itself.
            if is_file(journal):
                found.setdefault(real_path(journal), journal)
    found.pop(real_path(path), None)
    return list(found.values())


def refuse_sent_meanwhile(
    journal: JournalReader, base_url: str, *, unknown: bool, folders: Iterable[Path] = ()
) -> None:
    """Refuse to go on with a run if others have sent, or may have sent, its rows since it was planned.

    Others are runs, and for a run of an MCP server also the single calls of that server. What they had sent before was
    allowed when it was planned. What they have pending does not count: two stopped runs would block each other.

    Args:
        journal: the run.
        base_url: API root that it posts to.
        unknown: whether rows of unknown outcome are sent again, too.
        folders: where MCP servers keep their runs, which count, too, as do the single calls of those servers.

    Raises:
        UnconfirmedRowsError: there are such rows.
        JournalError: the journal cannot be read.

    """
    states = [RowState.PENDING, *((RowState.SENDING, RowState.UNKNOWN) if unknown else ())]
    remaining: Seen | None = None

    def row_with(like: str) -> int | None:
        nonlocal remaining
        if remaining is None:
            # Not before another run has sent something, since a large journal takes seconds.
            remaining = Seen()
            for row in journal.rows(states):
                remaining.add(digest_of(likeness(row.content_hash, row.request)), row.row)
        return remaining.first(digest_of(like))

    meta, path = journal.meta, journal.path
    sent = find_sent_earlier(
        path,
        base_url,
        row_with,
        sources=sources_of(meta),
        # A relative name may have no folder in it.
        folders=[*folders, path.absolute().parent, real_path(path).parent],
        since=float(meta.get(PLANNED_AT, 0.0)),
        pending=False,
    )
    if sent:
        msg = (
            "nothing was sent: since this run was planned, others have sent some of its pending rows, or may have "
            f"sent them ({by_runs(sent, journal.lines)}); send them once more (allow_duplicates), or put the other "
            "pending rows ('bulk report --results' shows which) into a new file, send that file (allow_duplicates), "
            "and do not resume this run"
        )
        raise UnconfirmedRowsError(msg)


def _sent(journal: Path, base_url: str, since: float, *, pending: bool) -> Iterator[str]:
    # What cannot be read is no reason to refuse rows; its own run says what is wrong with it. Here, and not around what
    # compares the rows: an error about the run's own journal has to be told.
    with suppress(JournalError, sqlite3.Error):
        yield from _read(journal, base_url, since, pending=pending)


def _read(journal: Path, base_url: str, since: float, *, pending: bool) -> Iterator[str]:
    with closing(connect_for_reading(journal, read_only=wal_path(journal).exists())) as connection:
        kind = [connection.execute(QUERIES[query]).fetchone()[0] for query in ("application", "version")]
        if kind != [APPLICATION_ID, SCHEMA_VERSION]:
            return
        # A run notes it at the latest when it begins. A plan that was made for no API, and was never run, has none.
        sent_to = dict(line[:2] for line in connection.execute(QUERIES["meta"])).get(BASE_URL, "")
        # Not as account.check_api() compares, to which all servers of this machine are one: each sandbox begins empty.
        if sent_to.rstrip("/") != base_url.rstrip("/"):
            return
        pending = pending and connection.execute(QUERIES["first_session"]).fetchone()[0] >= since
        connection.create_function("likeness", 2, likeness, deterministic=True)
        for (like,) in connection.execute(QUERIES["sent"], (since, pending)):
            yield like
