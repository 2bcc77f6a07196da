"""The memory of the server's writes: one SQLite file that binds each request key to one row before anything is sent.

A row is *pending* (the key is bound and nothing was sent), *sending* (the intent is on the disk, and the request may
have gone out), or it has its outcome: *done*, *failed* or *unknown*. A row that a dead server left *sending* is
*unknown*; one that it left *pending* was not sent.

It is not the journal of a bulk run, because that one belongs to one process and its rows never change: here rows are
added all the time, by several servers at once, and only some of them are posts. It serves the same reconciliation
(``RunJournal``). Rows are few, so every commit is flushed (``synchronous=FULL``, a rollback journal): one file, which
can be copied or moved when no server runs.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from marketingblocks_async.bulk import JournalError, RowState, StoredRow
from marketingblocks_async.bulk.journal.files import FileLock, LockHeldError
from marketingblocks_async.bulk.journal.singles import WRITES_ID, WRITES_VERSION
from marketingblocks_async.bulk.journal.sql import read_queries, read_schema
from marketingblocks_async.bulk.journal.states import LOOKED_FOR
from marketingblocks_async.bulk.likeness import likeness_of
from marketingblocks_async.clock import CalendarClock

BUSY_FOR = 10.0
"""Seconds to wait for the file while another program, or another call, has it locked."""

_INSTANT = 1e-6
"""Seconds between two intents at least, so that their order is known."""

_DERIVED_KEY = re.compile("auto-[0-9a-f]{24}")

_SCHEMA = read_schema("marketingblocks_async.mcp")
_QUERIES = read_queries("marketingblocks_async.mcp")

_Row: TypeAlias = dict[str, Any]
_Run: TypeAlias = Callable[..., "list[_Row]"]


@dataclass(frozen=True, slots=True)
class Order:
    """A write that a tool call asks for. Only posts have a channel: platform and account."""

    request_key: str
    tool: str
    content_hash: str
    request: str
    channel: str | None

    @property
    def has_derived_key(self) -> bool:
        """Whether the caller chose no key of its own, so nothing says that equal content is meant once more."""
        # By its form: what counts as content differs between versions, and with it the key that they derive.
        return _DERIVED_KEY.fullmatch(self.request_key) is not None

    @property
    def former_key(self) -> str:
        """The key that the first versions derived: for them the whole request was content."""
        return derived_key(hash_of(self.tool, json.loads(self.request)))

    @property
    def likeness(self) -> str:
        """A hash that is the same for orders of one tool that ask for the same; for a post its ``likeness()``."""
        return likeness_of(self.request, is_post=self.channel is not None)

    def is_like(self, other: Order) -> bool:
        """Whether another order asks for the same; its hash may be that of an earlier version."""
        if self.content_hash == other.content_hash:
            return True
        return self.tool == other.tool and self.likeness == other.likeness


def hash_of(tool: str, content: Any) -> str:
    """Return the hash of a write from its request's JSON value."""
    canonical = json.dumps([tool, content], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def derived_key(content_hash: str) -> str:
    """Return the key of a write to which the caller gives none."""
    return f"auto-{content_hash[:24]}"


@dataclass(frozen=True, slots=True)
class SentPost:
    """A post that was sent, or may have been, or is about to be.

    Attributes:
        request_key: its key.
        like: ``likeness()`` of the post.
        sent_at: Unix time of the last intent; infinite if it is still to come.

    """

    request_key: str
    like: str
    sent_at: float


@dataclass(frozen=True, slots=True)
class StoredWrite:
    """A write as the journal holds it.

    Attributes:
        number: its row.
        order: what was asked for.
        state: what is known of it; ``SENDING`` only while a live server is sending it.
        elsewhere: whether another server that is alive has it in hand.
        attempts: how often it may have been sent.
        post_id: id of what was created, if it is known.
        answer: what is to be told of its outcome, as JSON; ``None`` if nothing was kept.
        sent_at: Unix time of the last intent.
        ended_at: Unix time of the outcome.

    """

    number: int
    order: Order
    state: RowState
    elsewhere: bool
    attempts: int
    post_id: str | None
    answer: Any
    sent_at: float | None
    ended_at: float | None


class WriteJournal:
    """The journal, as one server uses it. Its synchronous methods block until the disk has what they wrote.

    Args:
        path: the file; it is made if it is not there (mode 0600, since it holds what is published).
        base_url: API root. A journal belongs to one API.

    Raises:
        JournalError: the file cannot be used, or belongs to another API.

    """

    def __init__(self, path: Path, base_url: str) -> None:
        self.path: Path = path
        self.owner: str = uuid.uuid4().hex
        # Held as long as this process lives: others see by it whether a row that is being sent has a sender.
        self._liveness = FileLock(self._lock_path_of(self.owner))
        self._thread_lock = threading.Lock()
        self._clock = CalendarClock()
        self._highest_id: int | None = None
        # Time of the last intent of this server for each row whose outcome it has not recorded.
        self._intended: dict[int, float] = {}
        # Of each row by its number. A row's request never changes, and a journal may have many.
        self._likenesses: dict[int, str] = {}
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            self._liveness.acquire()
        except OSError as exc:
            msg = f"cannot use {path} as the journal of writes: {exc.strerror or exc}; give another file (--journal)"
            raise JournalError(msg) from exc
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_FOR)
        except sqlite3.Error as exc:
            self._liveness.release()
            msg = f"cannot use {path} as the journal of writes: {exc}; give another file (--journal)"
            raise JournalError(msg) from exc
        self._connection.row_factory = sqlite3.Row
        try:
            self._prepare(base_url)
        except BaseException:
            self.close()
            raise

    def _prepare(self, base_url: str) -> None:
        execute = self._connection.execute
        with self._reported():
            application = execute("PRAGMA application_id").fetchone()[0]
            version = execute("PRAGMA user_version").fetchone()[0]
            is_empty = not execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if not is_empty and (application, version) != (WRITES_ID, WRITES_VERSION):
                msg = f"{self.path} is no journal of this version of the MCP server; give another file (--journal)"
                raise JournalError(msg)
            execute("PRAGMA journal_mode = DELETE")
            execute("PRAGMA synchronous = FULL")
        with self._transaction():
            for statement in _SCHEMA.split(";"):
                execute(statement)
            execute(f"PRAGMA application_id = {WRITES_ID}")
            execute(f"PRAGMA user_version = {WRITES_VERSION}")
            execute("INSERT OR IGNORE INTO meta VALUES ('base_url', ?)", (base_url,))
            begun = execute("SELECT value FROM meta WHERE name = 'base_url'").fetchone()[0]
        if begun != base_url:
            msg = f"{self.path} belongs to {begun}, and this is {base_url}; give each API its own file (--journal)"
            raise JournalError(msg)

    def close(self) -> None:
        """Close it; twice does nothing."""
        with self._thread_lock:
            self._connection.close()
        self._liveness.release()

    def find(self, request_key: str) -> StoredWrite | None:
        """Return the write of a key, ``None`` if the key is new."""
        with self._transaction() as run:
            self._give_up_rows_of_dead_servers(run)
            return self._only(run("find", request_key=request_key))

    def bind(self, order: Order) -> StoredWrite | None:
        """Bind the key to a row that is to be sent by this server, and return the row.

        ``None`` if the key has an outcome, other content or another sender meanwhile. Also if the caller chose no key,
        and the same content was sent under another one.
        """
        names = {"request_key": order.request_key, "hash": order.content_hash}
        with self._transaction() as run:
            self._give_up_rows_of_dead_servers(run)
            # In the same transaction, since another server may bind a key to this content at the same moment.
            if order.has_derived_key and self._same_content(run, order) is not None:
                return None
            run("insert", **names, tool=order.tool, request=order.request, channel=order.channel, now=time.time())
            return self._only(run("take", **names, owner=self.owner))

    def find_same_content(self, order: Order) -> StoredWrite | None:
        """Return the last write under another key that has the content of an order; ``None`` if there is none.

        One that was not sent counts only as long as a server has it in hand.
        """
        with self._transaction() as run:
            self._give_up_rows_of_dead_servers(run)
            return self._same_content(run, order)

    def _same_content(self, run: _Run, order: Order) -> StoredWrite | None:
        like = order.likeness
        for row in run("same_channel", tool=order.tool, channel=order.channel, request_key=order.request_key):
            if row["hash"] == order.content_hash or self._likeness(row) == like:
                return self._stored(row)
        return None

    def _likeness(self, row: _Row) -> str:
        number = row["number"]
        if number not in self._likenesses:
            self._likenesses[number] = likeness_of(row["request"], is_post=row["channel"] is not None)
        return self._likenesses[number]

    def last_other_update(self, automation: int, order: Order) -> int | None:
        """Return the row of the last update of an automation to other values than an order's, ``None`` without one."""
        values = {"tool": order.tool, "hash": order.content_hash, "automation": automation}
        rows = self._read("last_other_update", **values)
        return rows[0]["number"] if rows else None

    def sent_posts(self) -> list[SentPost]:
        """Return the posts that were sent, may have been, or that a server has in hand."""
        with self._transaction() as run:
            self._give_up_rows_of_dead_servers(run)
            rows = run("sent_posts")
        return [
            SentPost(
                row["request_key"],
                self._likeness(row),
                float("inf") if row["sent_at"] is None else row["sent_at"],
            )
            for row in rows
        ]

    def intend(self, number: int) -> None:
        """Note that the row's request goes out now; when this returns, that is on the disk.

        Raises:
            JournalError: it could not be written, or the row has another sender; nothing may be sent.

        """
        with self._transaction() as run:
            latest = run("latest")[0]
            # Ids that the API gave since the last listing count as listed.
            highest = None if self._highest_id is None else max(self._highest_id, latest["post_id"])
            sent_at = max(time.time(), latest["sent_at"] + _INSTANT)
            run("intend", number=number, owner=self.owner, sent_at=sent_at, highest_id=highest)
            if not self._changed():
                msg = f"row {number} of {self.path} is no longer this server's; nothing was sent"
                raise JournalError(msg)
            self._intended[number] = sent_at

    def end(self, number: int, state: RowState, *, post_id: str | None = None, answer: Any = None) -> None:
        """Record what became of a row of this server: ``PENDING`` for a request that did not begin.

        If another server has sent the row since, nothing is recorded.

        The ``answer``, a JSON value, is told for the same key later.
        """
        text = None if answer is None else json.dumps(answer)
        values = {"number": number, "state": int(state), "post_id": post_id, "answer": text}
        with self._transaction() as run:
            run("end", **values, now=time.time(), owner=self.owner, intended=self._intended.get(number))
        self._intended.pop(number, None)

    # For reconciliation, see RunJournal.

    async def now(self) -> float:
        """Return the Unix time, without the steps by which the clock was set forward since the server began."""
        return self._clock.now()

    async def sent_rows(self) -> tuple[list[StoredRow], list[StoredRow]]:
        """Return the posts of unknown outcome, and those that are done and were sent around and after them.

        Those to a channel to which a post is going out at this moment are left out. The post that is going out may be
        listed before its own row knows its id, and would be taken for the other.
        """
        return await asyncio.to_thread(self._sent_rows)

    def _sent_rows(self) -> tuple[list[StoredRow], list[StoredRow]]:
        unknown = self._posts("unknown_posts")
        earliest = min((row.sent_at for row in unknown if row.sent_at is not None), default=None)
        queries = [] if earliest is None else ["done_posts_before", "done_posts_since"]
        return unknown, [row for query in queries for row in self._posts(query, earliest=earliest)]

    async def claimed_post_ids(self) -> Collection[str]:
        """Return the ids of all posts that belong to a row."""
        return {row["post_id"] for row in await asyncio.to_thread(self._read, "claimed")}

    async def note_highest_id(self, post_id: int) -> None:
        """Keep the highest post id that the API lists; the intents that follow carry it."""
        self._highest_id = post_id

    def forget_highest_id(self) -> None:
        """Forget it, since it is too old to say anything of the next post."""
        self._highest_id = None

    async def highest_ids(self) -> list[tuple[float, int | None]]:
        """Return (time of the intent, highest id known before it) of each post: each is a session of its own."""
        return [(row["sent_at"], row["highest_id"]) for row in await asyncio.to_thread(self._read, "highest_ids")]

    async def settle(
        self, found: Mapping[int, str], absent: Iterable[int], attempts: Mapping[int, int]
    ) -> tuple[int, list[int]]:
        """Record unknown rows whose outcome was found out.

        A row stays as it is if its outcome is known or it was sent again meanwhile, if its post is that of another row,
        or if a post to its channel is going out.

        Args:
            found: number of a row that exists → id of its post.
            absent: numbers of rows that do not exist; they are pending again.
            attempts: those of each row when it was looked for.

        Returns:
            The number of rows that are done now, and the numbers of those that are pending again.

        """
        return await asyncio.to_thread(self._settle, dict(found), list(absent), dict(attempts))

    async def explain(self, reasons: Mapping[int, str]) -> None:
        """Keep why rows stay unknown, beside what was said of them."""
        await asyncio.to_thread(self._explain, reasons)

    def _explain(self, reasons: Mapping[int, str]) -> None:
        with self._transaction() as run:
            for number, reason in reasons.items():
                for row in run("answer", number=number):
                    answer = json.loads(row["answer"] or "{}")
                    answer["said"] = (answer.get("said") or {}) | {"looked_for": reason.partition(LOOKED_FOR)[2]}
                    run("explain", number=number, answer=json.dumps(answer))

    def _settle(
        self, found: Mapping[int, str], absent: Sequence[int], attempts: Mapping[int, int]
    ) -> tuple[int, list[int]]:
        done, again = 0, list[int]()
        with self._transaction() as run:
            for number, post_id in found.items():
                run("settle_found", number=number, attempts=attempts[number], post_id=post_id, now=time.time())
                done += self._changed()
            for number in absent:
                run("settle_absent", number=number, attempts=attempts[number])
                again += [number] * self._changed()
        return done, again

    def _give_up_rows_of_dead_servers(self, run: _Run) -> None:
        """Take the rows of servers that are not alive from them: what one was sending is unknown now."""
        for row in run("owners", owner=self.owner):
            if not self._is_alive(row["owner"]):
                run("give_up", owner=row["owner"])

    def _is_alive(self, owner: str) -> bool:
        lock = FileLock(self._lock_path_of(owner))
        try:
            lock.acquire()
        except LockHeldError:
            return True
        lock.release()
        return False

    def _lock_path_of(self, owner: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{owner}.lock")

    def _changed(self) -> int:
        """Return how many rows the last statement changed."""
        changed: int = self._connection.execute("SELECT changes()").fetchone()[0]
        return changed

    def _only(self, rows: Sequence[_Row]) -> StoredWrite | None:
        return self._stored(rows[0]) if rows else None

    def _posts(self, query: str, **values: Any) -> list[StoredRow]:
        return [_stored_row(self._stored(row)) for row in self._read(query, **values)]

    def _read(self, query: str, **values: Any) -> list[_Row]:
        with self._transaction() as run:
            return run(query, **values)

    def _stored(self, row: _Row) -> StoredWrite:
        return StoredWrite(
            number=row["number"],
            order=Order(row["request_key"], row["tool"], row["hash"], row["request"], row["channel"]),
            state=RowState(row["state"]),
            elsewhere=row["owner"] not in (None, self.owner),
            attempts=row["attempts"],
            post_id=row["post_id"],
            answer=None if row["answer"] is None else json.loads(row["answer"]),
            sent_at=row["sent_at"],
            ended_at=row["ended_at"],
        )

    @contextmanager
    def _transaction(self) -> Generator[_Run]:
        """Yield what runs a named statement; all or nothing of them is on the disk afterwards."""

        def run(query: str, **values: Any) -> list[_Row]:
            with closing(self._connection.execute(_QUERIES[query], values)) as cursor:
                return [dict(row) for row in cursor]

        # While one call waits for a locked file the others must not queue behind it, each for as long again.
        if not self._thread_lock.acquire(timeout=BUSY_FOR):
            msg = f"cannot use the journal {self.path}: another program has locked it"
            raise JournalError(msg)
        try:
            with self._reported():
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield run
                    self._connection.execute("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):
                        self._connection.execute("ROLLBACK")
                    raise
        finally:
            self._thread_lock.release()

    @contextmanager
    def _reported(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            msg = f"cannot use the journal {self.path}: {exc}"
            if getattr(exc, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_NOTADB:
                msg = f"{self.path} is no journal of an MCP server; name another file"
            raise JournalError(msg) from exc


def _stored_row(write: StoredWrite) -> StoredRow:
    return StoredRow(
        number=write.number,
        key=write.order.request_key,
        content_hash=write.order.content_hash,
        request=write.order.request,
        state=write.state,
        attempts=write.attempts,
        post_id=write.post_id,
        error=None,
        error_type=None,
        sent_at=write.sent_at,
        ended_at=write.ended_at,
    )
