"""The memory of a run that many workers share: what became of every row, in one Redis that forgets nothing.

It keeps the promise of the local journal (``bulk/journal.py``) for any number of workers. The intent to send a row is
on the disk of Redis *before* its request goes out, and only a row that is pending can get one, whoever asks and however
often a queue delivers it. So a row that was delivered twice is sent once, and a row whose worker died is *unknown*: it
is looked for at the API, and never sent again unless it is known not to be there.

On the disk means: ``appendonly yes`` and ``appendfsync always``, with which Redis answers when it has written (it
writes once for all who wait). This is checked. A replica that takes over may lack the last intents, so this Redis must
not fail over by itself: while it is gone nothing is sent, and a run goes on when it is back. If rows vanish, for
example by a flush, they cannot get an intent, and are not sent.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import redis.asyncio
from redis.exceptions import RedisError

from marketingblocks_async.bulk import Counts, JournalError, JournalExistsError, Row, RowState, StoredRow
from marketingblocks_async.bulk.sheets.rows import canonical_json

from . import scripts

_CHUNK = 1000


class RowTakenError(Exception):
    """The row is not pending any more: somebody else has it, or it has its outcome. Nothing was sent."""


class SharedJournal:
    """The journal of one run, in Redis: ``async with SharedJournal(url, "spring-campaign") as journal``.

    Args:
        url: the Redis, with ``appendonly yes`` and ``appendfsync always``.
        run: name of the run.
        prefix: how the names of all keys begin.
        check_durability: whether to refuse a Redis that may forget. Turn it off only where the setting cannot be read
            and is known.

    Raises:
        JournalError: on entering: Redis cannot be reached, or it may forget.

    """

    def __init__(self, url: str, run: str, *, prefix: str = "marketingblocks", check_durability: bool = True) -> None:
        self.run: str = run
        self._check_durability = check_durability
        # redis-py leaves types open.
        kind: Any = redis.asyncio.Redis
        self._redis: Any = kind.from_url(url, decode_responses=True, socket_timeout=30.0)
        # One hash slot for all of them, so that a cluster takes them as well.
        base = f"{{{prefix}:run:{run}}}"
        names = ("rows", "facts", "meta", *(state.name.lower() for state in RowState))
        self._keys = tuple(f"{base}:{name}" for name in names)
        self._rows, self._facts, self._meta, *self._sets = self._keys
        self._intend = self._redis.register_script(scripts.INTEND)
        self._end = self._redis.register_script(scripts.END)
        self._give_up = self._redis.register_script(scripts.GIVE_UP)

    async def __aenter__(self) -> Self:
        try:
            if self._check_durability:
                await self._refuse_forgetful()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.connection_pool.disconnect()

    async def _refuse_forgetful(self) -> None:
        try:
            found: Mapping[str, str] = await self._redis.config_get("append*")
        except RedisError as exc:
            msg = f"cannot ask Redis whether it forgets: {exc}"
            raise JournalError(msg) from exc
        if (found.get("appendonly"), found.get("appendfsync")) != ("yes", "always"):
            msg = (
                "this Redis may forget an intent that was noted (it needs 'appendonly yes' and 'appendfsync always'); "
                "a row could be sent twice"
            )
            raise JournalError(msg)

    async def create(self, rows: AsyncIterable[Row] | Iterable[Row]) -> int:
        """Store the rows of a new run; the run exists when this returns, with all rows, or not at all.

        Args:
            rows: valid rows, such as ``parse_row`` makes them.

        Returns:
            How many there are.

        Raises:
            JournalExistsError: there is a run of this name.
            JournalError: two rows have one number, or Redis cannot be reached.

        """
        importing = f"{self._rows}:importing"
        pending = f"{self._sets[RowState.PENDING]}:importing"
        try:
            if await self._redis.exists(self._rows):
                msg = f"there is a run {self.run!r} already; go on with it, or give this one another name"
                raise JournalExistsError(msg)
            await self._redis.delete(importing, pending)
            count = 0
            async for chunk in _chunks(rows):
                count += len(chunk)
                async with self._redis.pipeline(transaction=False) as pipeline:
                    texts = {
                        row.number: json.dumps([row.key, row.content_hash, canonical_json(row.post)]) for row in chunk
                    }
                    pipeline.hset(importing, mapping=texts)
                    pipeline.zadd(pending, {number: number for number in texts})
                    await pipeline.execute()
            if count != await self._redis.hlen(importing):
                msg = "two rows have the same number"
                raise JournalError(msg)
            async with self._redis.pipeline(transaction=True) as pipeline:
                if count:
                    pipeline.rename(pending, self._sets[RowState.PENDING])
                    pipeline.rename(importing, self._rows)
                pipeline.hset(self._meta, mapping={"rows": count})
                await pipeline.execute()
        except RedisError as exc:
            raise _unreachable(exc) from exc
        return count

    async def row(self, number: int) -> StoredRow:
        """Return a row.

        Raises:
            JournalError: there is none of this number, or Redis cannot be reached.

        """
        found = await self.rows([number])
        if not found:
            msg = f"the run {self.run!r} has no row {number}"
            raise JournalError(msg)
        return found[0]

    async def rows(self, numbers: Sequence[int]) -> list[StoredRow]:
        """Return rows, in the order of ``numbers``; those that do not exist are left out."""
        if not numbers:
            return []
        try:
            rows = await self._redis.hmget(self._rows, numbers)
            facts = await self._redis.hmget(self._facts, numbers)
        except RedisError as exc:
            raise _unreachable(exc) from exc
        return [
            _stored(number, row, fact)
            for number, row, fact in zip(numbers, rows, facts, strict=True)
            if row is not None
        ]

    async def numbers(self, state: RowState, *, most: int = 1_000_000) -> list[int]:
        """Return the numbers of the rows in a state, in order of sending (pending ones in their own).

        Args:
            state: the state.
            most: how many at most.

        """
        try:
            return [int(number) for number in await self._redis.zrange(self._sets[state], 0, most - 1)]
        except RedisError as exc:
            raise _unreachable(exc) from exc

    async def counts(self) -> Counts:
        """Return how many rows are in which state; those in flight count as unknown."""
        by_state = await self.states()
        unknown = by_state[RowState.UNKNOWN] + by_state[RowState.SENDING]
        done, failed, pending = (by_state[state] for state in (RowState.DONE, RowState.FAILED, RowState.PENDING))
        return Counts(sum(by_state.values()), done, failed, pending, unknown)

    async def states(self) -> dict[RowState, int]:
        """Return how many rows are in each state."""
        try:
            async with self._redis.pipeline(transaction=True) as pipeline:
                for key in self._sets:
                    pipeline.zcard(key)
                return dict(zip(RowState, await pipeline.execute(), strict=True))
        except RedisError as exc:
            raise _unreachable(exc) from exc

    async def intend(self, number: int, delivery: str) -> None:
        """Note durably that a row is about to be sent; when this returns it may be.

        Args:
            number: the row.
            delivery: a name of this delivery of it, unique; the same for further attempts.

        Raises:
            RowTakenError: it is not pending.
            JournalError: the row does not exist, the run was stopped, or Redis cannot be reached: do not send it.

        """
        try:
            verdict, *more = await self._intend(keys=self._keys, args=[number, delivery])
        except RedisError as exc:
            raise _unreachable(exc) from exc
        if verdict == "taken":
            msg = f"row {number} is {RowState(int(more[0])).word} already"
            raise RowTakenError(msg)
        if verdict != "go":
            msg = f"the run was stopped: {more[0]}" if more else f"the run {self.run!r} has no row {number}"
            raise JournalError(msg)

    async def end(
        self,
        number: int,
        state: RowState,
        *,
        delivery: str = "",
        post_id: str | None = None,
        error: Exception | None = None,
    ) -> bool:
        """Note what became of a row.

        Args:
            number: the row.
            state: what it is now.
            delivery: that of the intent; empty for a row that was unknown and has been looked for.
            post_id: id of its post.
            error: what went wrong.

        Returns:
            Whether it was noted; not if somebody else has it by now.

        Raises:
            JournalError: Redis cannot be reached.

        """
        words = ["", ""] if error is None else [str(error) or type(error).__name__, type(error).__name__]
        arguments = [number, delivery, int(state), post_id or "", *words]
        try:
            return bool(await self._end(keys=self._keys, args=arguments))
        except RedisError as exc:
            raise _unreachable(exc) from exc

    async def give_up_older(self, seconds: float) -> int:
        """Make rows unknown that have had an intent for so long and no outcome; return how many.

        Args:
            seconds: longer than any worker may take from an intent to its outcome.

        """
        try:
            return int(await self._give_up(keys=self._keys, args=[seconds]))
        except RedisError as exc:
            raise _unreachable(exc) from exc

    async def now(self) -> float:
        """Return the Unix time of Redis, by which the journal is kept."""
        try:
            seconds, micros = await self._redis.time()
        except RedisError as exc:
            raise _unreachable(exc) from exc
        return float(seconds) + float(micros) / 1e6

    async def stop(self, reason: str) -> None:
        """Let no worker send anything any more.

        Args:
            reason: for people.

        """
        await self._redis.hset(self._meta, "stopped", reason)

    async def go_on(self) -> None:
        """Undo :meth:`stop`."""
        await self._redis.hdel(self._meta, "stopped")

    async def stopped(self) -> str | None:
        """Return why the run was stopped, ``None`` if it was not."""
        reason: str | None = await self._redis.hget(self._meta, "stopped")
        return reason

    async def note_floor(self, floor: int) -> None:
        """Keep the highest post id that was listed before anything was sent; the first one counts."""
        await self._redis.hsetnx(self._meta, "floor", floor)

    async def floor(self) -> int | None:
        """Return the highest post id that was listed before anything was sent, ``None`` if it is not known."""
        found = await self._redis.hget(self._meta, "floor")
        return None if found is None else int(found)


def _stored(number: int, row: str, fact: str | None) -> StoredRow:
    key, content_hash, request = json.loads(row)
    known: dict[str, Any] = {} if fact is None else json.loads(fact)
    return StoredRow(
        number,
        key,
        content_hash,
        request,
        RowState(known.get("s", 0)),
        known.get("a", 0),
        known.get("id"),
        known.get("e"),
        known.get("t"),
        known.get("sent"),
        known.get("ended"),
    )


async def _chunks(rows: AsyncIterable[Row] | Iterable[Row]) -> AsyncIterator[list[Row]]:
    chunk: list[Row] = []
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            chunk.append(row)
            if len(chunk) == _CHUNK:
                yield chunk
                chunk = []
    else:
        for row in rows:
            chunk.append(row)
            if len(chunk) == _CHUNK:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def _unreachable(exc: Exception) -> JournalError:
    return JournalError(f"the journal in Redis cannot be used: {exc}")
