"""The journal of a run that many workers share: every row and its state, in one Redis that keeps its data on the disk.

It keeps the promise of the local journal (``bulk/journal/journal.py``) for any number of workers. The intent to send a
row is on Redis's disk *before* its request goes out, and only a pending row can get one, however many workers ask and
however often a queue delivers it. So a row that was delivered twice is sent once. A row whose worker died is *unknown*:
it is looked for at the API, and sent again only if it certainly does not exist there.

The settings ``appendonly yes`` and ``appendfsync always`` make Redis respond only after it has written to the disk (it
writes once for all waiting clients). With ``maxmemory-policy noeviction`` it refuses to write when its memory is full,
instead of removing rows. These settings are checked. A replica that takes over may lack the last intents, so this Redis
must not fail over by itself. While it is down nothing is sent, and the controlling process ends with an error; start it
again when Redis is back. Rows that vanish, for example by a flush, cannot get an intent and are not sent.

The run notes the life of Redis (its ``run_id``) in which it was checked. In another life no row gets an intent until it
was checked again, and until it is known to have read the append-only file. From a snapshot, rows that were sent come
back as pending.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any, Self

import redis.asyncio
from redis.exceptions import RedisError

from marketingblocks_async import ConfigurationError, MarketingBlocksError
from marketingblocks_async.bulk import Counts, JournalError, JournalExistsError, Row, RowState, StoredRow
from marketingblocks_async.bulk.journal.account import other_token
from marketingblocks_async.bulk.journal.states import UndecidedError
from marketingblocks_async.bulk.run.signs import OUTAGE_AFTER, Sign, outage_reason

from .durability import LIFE, check_settings, loss_at_restart, restarted_without_data

_CHUNK = 1000
LONGEST_COMMAND = 30.0
"""Seconds that a command may take, with connecting and everything."""
_IMPORT_LASTS = 86_400
"""Seconds for which the rows of a run are kept that is being created."""
_MOST_DONE = 10_000
"""Rows that are done and compared with a listing, which has at most as many posts."""


def _script(name: str) -> str:
    folder = files("marketingblocks_async.distributed")
    return "\n".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in ("common", name))


class RowTakenError(MarketingBlocksError):
    """The row is not pending any more: another worker has it, or it has its outcome. Nothing was sent."""


class SharedJournal:
    """The journal of one run, in Redis: ``async with SharedJournal(url, "spring-campaign") as journal``.

    Args:
        url: the Redis, with ``appendonly yes``, ``appendfsync always``, ``no-appendfsync-on-rewrite no`` and
            ``maxmemory-policy noeviction``.
        run: name of the run.
        prefix: start of the names of all keys.
        check_durability: whether to check these settings, now and when Redis has restarted. Turn it off only if they
            cannot be read and are known to be right, or to look at a run that Redis may have forgotten a part of.

    Raises:
        ConfigurationError: ``url`` is no address of a Redis.
        JournalError: on entering: Redis cannot be reached, or it may lose data, or it may have lost some of this run.

    """

    def __init__(self, url: str, run: str, *, prefix: str = "marketingblocks", check_durability: bool = True) -> None:
        self.run: str = run
        self._check_durability = check_durability
        self._life = ""
        # redis-py leaves types open.
        kind: Any = redis.asyncio.Redis
        # Without redis-py's own timeout of a write, in which Python 3.11 may lose a cancellation: _command() has one.
        try:
            self._redis: Any = kind.from_url(url, decode_responses=True, socket_timeout=None)
        except ValueError:
            # Without its message, which may show a part of a password.
            msg = "SharedJournal(url=…): give redis://HOST:PORT/DATABASE, rediss://… or unix://…"
            raise ConfigurationError(msg) from None
        # One hash slot for all keys, so that a cluster can run the scripts.
        base = f"{{{prefix}:run:{run}}}"
        names = ("rows", "facts", "meta", *(state.name.lower() for state in RowState), "posts")
        self._keys = tuple(f"{base}:{name}" for name in names)
        self._rows, self._facts, self._meta, *self._sets, self._posts = self._keys
        self._create = self._redis.register_script(_script("create"))
        self._intend = self._redis.register_script(_script("intend"))
        self._end = self._redis.register_script(_script("end"))
        self._give_up = self._redis.register_script(_script("give_up"))
        self._replace_token = self._redis.register_script(_script("replace_token"))
        self._fail_suspects = self._redis.register_script(_script("fail_suspects"))
        self._note_highest_id = self._redis.register_script(_script("note_highest_id"))

    async def __aenter__(self) -> Self:
        try:
            if self._check_durability:
                await self._check_redis()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.connection_pool.disconnect()

    async def check_restart(self) -> None:
        """Check Redis again if it has restarted.

        Raises:
            JournalError: it may have lost a part of the run, or may lose data, or cannot be reached.

        """
        if self._check_durability:
            async with _command():
                life: str = (await self._redis.info("server"))["run_id"]
                noted = await self._redis.hget(self._meta, LIFE)
            if noted != life:
                await self._check_redis()

    async def _check_redis(self) -> None:
        """Check that Redis keeps its data, and has kept those of the run if it has restarted; note its life."""
        what_fails = "cannot ask Redis whether it keeps its data on the disk"
        async with _command(what_fails):
            # In this order: what is noted at the end must not be a life after the one that was checked.
            info: Mapping[str, Any] = await self._redis.info()
            calls: Mapping[str, Any] = await self._redis.info("commandstats")
            former: str | None = await self._redis.hget(self._meta, LIFE)
            self._life = info["run_id"]
            loss = loss_at_restart(former, info, calls)
            if loss is not None:
                # So that the settings do not hide it when they are right.
                await self._redis.hset(self._meta, LIFE, loss)
        if loss is not None:
            raise restarted_without_data(loss, self.title, self._meta)
        async with _command(what_fails):
            found: Mapping[str, str] = await self._redis.config_get("*append*")
            # Before Redis 7, CONFIG GET takes one pattern.
            eviction: Mapping[str, str] = await self._redis.config_get("maxmemory-policy")
        check_settings({**found, **eviction})
        async with _command():
            if await self._redis.hexists(self._meta, "rows"):
                await self._redis.hset(self._meta, LIFE, self._life)

    async def create(self, rows: AsyncIterable[Row] | Iterable[Row]) -> int:
        """Store the rows of a new run; the run exists when this returns, with all rows, or not at all.

        Args:
            rows: valid rows, as ``parse_row`` returns them.

        Returns:
            The number of rows.

        Raises:
            JournalExistsError: there is a run of this name.
            JournalError: Redis has lost a part of a run of this name, two rows have one number, or Redis cannot be
                reached.

        """
        # Names of its own, since another process may be creating the run at the same time.
        own = secrets.token_hex(8)
        importing, pending = (f"{key}:importing:{own}" for key in (self._rows, self._sets[RowState.PENDING]))
        async with _command():
            is_made = await self._redis.exists(*self._keys)
        if is_made:
            raise await self._exists()
        count = 0
        async for chunk in _chunks(rows):
            count += len(chunk)
            texts = {row.post_number: json.dumps([row.key, row.content_hash, row.request]) for row in chunk}
            async with _command(), self._redis.pipeline(transaction=True) as pipeline:
                pipeline.hset(importing, mapping=texts)
                pipeline.zadd(pending, {number: number for number in texts})
                # If this process dies.
                pipeline.expire(importing, _IMPORT_LASTS)
                pipeline.expire(pending, _IMPORT_LASTS)
                await pipeline.execute()
        async with _command():
            if count != await self._redis.hlen(importing):
                msg = "two rows have the same number"
                raise JournalError(msg)
            keys = (*self._keys[:-1], importing, pending, self._keys[-1])
            is_made = await self._create(keys=keys, args=[count, own, self._life])
        if not is_made:
            raise await self._exists()
        return count

    async def _exists(self) -> JournalError:
        async with _command():
            left, size = await self._redis.hlen(self._rows), await self._redis.hget(self._meta, "rows")
        if size is None or left != int(size):
            # Its rows may have been sent, and what is left of their states would be taken for that of the new rows.
            return JournalError(
                f"this Redis has lost a part of a run {self.run!r}, and a row could be sent twice; look at the API for "
                "what was sent, and give this run another name"
            )
        return JournalExistsError(
            f"there is a run {self.run!r} already; to go on with it leave out the rows (create()), "
            "or give this one another name"
        )

    async def size(self) -> int:
        """Return how many rows the run was created with.

        Raises:
            JournalError: there is no such run, or Redis cannot be reached.

        """
        async with _command():
            count: str | None = await self._redis.hget(self._meta, "rows")
        if count is None:
            msg = f"there is no run {self.run!r} in this Redis; check its name and the Redis, or create() it"
            raise JournalError(msg)
        return int(count)

    async def row(self, number: int) -> StoredRow:
        """Return a row.

        Raises:
            JournalError: there is none of this number, or Redis cannot be reached.

        """
        found = await self.rows([number])
        if not found:
            msg = f"{self.title} has no row {number}"
            raise JournalError(msg)
        return found[0]

    async def rows(self, numbers: Sequence[int]) -> list[StoredRow]:
        """Return rows, in the order of ``numbers``; those that do not exist are left out."""
        if not numbers:
            return []
        async with _command():
            rows = await self._redis.hmget(self._rows, numbers)
            facts = await self._redis.hmget(self._facts, numbers)
        return [
            _stored(number, row, fact)
            for number, row, fact in zip(numbers, rows, facts, strict=True)
            if row is not None
        ]

    async def numbers(self, state: RowState) -> list[int]:
        """Return the numbers of the rows in a state, in order of sending (pending ones in their own)."""
        async with _command():
            return [int(number) for number in await self._redis.zrange(self._sets[state], 0, -1)]

    async def counts(self) -> Counts:
        """Return the number of rows in each state; rows in flight count as unknown."""
        by_state = await self.states()
        unknown = by_state[RowState.UNKNOWN] + by_state[RowState.SENDING]
        done, failed, pending = (by_state[state] for state in (RowState.DONE, RowState.FAILED, RowState.PENDING))
        return Counts(sum(by_state.values()), done, failed, pending, unknown)

    async def states(self) -> dict[RowState, int]:
        """Return the number of rows in each state, ``SENDING`` included."""
        async with _command(), self._redis.pipeline(transaction=True) as pipeline:
            for key in self._sets:
                pipeline.zcard(key)
            return dict(zip(RowState, await pipeline.execute(), strict=True))

    async def intend(self, number: int, delivery: str, token: str = "") -> None:
        """Record durably that a row is about to be sent; the row may be sent once this returns.

        Args:
            number: the row.
            delivery: unique name of this delivery; the same for further attempts.
            token: keyed hash of the token that sends it, see ``RowSender``; empty if it need not be that of the run.

        Raises:
            RowTakenError: it is not pending.
            OtherTokenError: the run was begun with another token.
            JournalError: the row does not exist, the run was stopped, or Redis cannot be reached, or it has restarted
                and may have lost data. Do not send the row.

        """
        arguments = [number, delivery, token, int(self._check_durability)]
        async with _command():
            verdict, *more = await self._intend(keys=self._keys, args=arguments)
        if verdict == "restarted":
            await self._check_redis()
            async with _command():
                verdict, *more = await self._intend(keys=self._keys, args=arguments)
        if verdict == "taken":
            msg = f"row {number} is {RowState(int(more[0])).word} already"
            raise RowTakenError(msg)
        if verdict == "other token":
            raise other_token(self.title)
        if verdict != "go":
            lost = f"{self.title} has no row {number}, or Redis has lost its state; nothing was sent"
            raise JournalError(f"the run was stopped: {more[0]}" if more else lost)

    async def end(
        self,
        number: int,
        state: RowState,
        *,
        delivery: str = "",
        post_id: str | None = None,
        permalink: str | None = None,
        error: Exception | None = None,
        attempts: int | None = None,
        sign: Sign = Sign.NONE,
    ) -> bool:
        """Record the outcome of a row.

        Args:
            number: the row.
            state: its state now.
            delivery: name of the delivery that sent it; empty for an unknown row that was looked for.
            post_id: id of its post.
            permalink: address of its post.
            error: the error, if it failed.
            attempts: those of an unknown row when it was looked for; ``None`` for any number.
            sign: what the outcome says of the API. Several consecutive failures that may concern all rows stop the run;
                a row that is refused more than once counts once. It is pending, and fails when another row is created.

        Returns:
            Whether it was recorded; not if another worker has sent the row since.

        Raises:
            JournalError: Redis cannot be reached.

        """
        words = ["", ""] if error is None else [str(error) or type(error).__name__, type(error).__name__]
        looked_for = "" if attempts is None else attempts
        arguments = [number, delivery, int(state), post_id or "", *words, permalink or "", looked_for]
        arguments += [sign.value, OUTAGE_AFTER, outage_reason(error) if error is not None else ""]
        async with _command():
            return bool(await self._end(keys=self._keys, args=arguments))

    async def fail_suspects(self) -> int:
        """Fail the rows that were refused, if no other row is left that could show whether all are; return how many."""
        async with _command():
            return int(await self._fail_suspects(keys=self._keys))

    async def give_up_older(self, seconds: float) -> int:
        """Make rows unknown whose intent is older than ``seconds`` and has no outcome; return how many.

        Args:
            seconds: longer than any worker may take from an intent to its outcome.

        """
        async with _command():
            return int(await self._give_up(keys=self._keys, args=[seconds]))

    async def now(self) -> float:
        """Return Redis's Unix time, which stamps the rows; this machine's clock may be wrong by minutes."""
        async with _command():
            seconds, micros = await self._redis.time()
        return float(seconds) + float(micros) / 1e6

    async def stop(self, reason: str) -> None:
        """Keep all workers from sending anything more.

        Args:
            reason: shown to people.

        """
        async with _command():
            await self._redis.hset(self._meta, "stopped", reason)

    async def go_on(self) -> None:
        """Undo ``stop()``; failures before it do not count towards the next one, and no row fails for them."""
        async with _command():
            await self._redis.hdel(self._meta, "stopped", "failing", "suspects")

    async def stopped(self) -> str | None:
        """Return why the run was stopped; ``None`` if it was not."""
        async with _command():
            reason: str | None = await self._redis.hget(self._meta, "stopped")
        return reason

    # For the account, see AccountJournal.

    @property
    def title(self) -> str:
        """The run's name in error messages."""
        return f"the run {self.run!r}"

    async def noted(self, name: str, value: str) -> str:
        """Record a fact about the run, unless it is known; return the one that is recorded now."""
        async with _command(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hsetnx(self._meta, name, value)
            pipeline.hget(self._meta, name)
            return str((await pipeline.execute())[1])

    async def replace_token(self, fingerprint: str, *, even_if_sent: bool) -> bool:
        """Record another token's hash, unless a row may have been published with the former; return whether it did."""
        async with _command():
            return bool(await self._replace_token(keys=self._keys, args=[fingerprint, int(even_if_sent)]))

    # For reconciliation, see RunJournal.

    async def sent_rows(self) -> tuple[list[StoredRow], list[StoredRow]]:
        """Return the rows of unknown outcome, and those that were sent last of the others, done or in flight."""
        # As of one moment, since a row that moves on between two commands would be in neither.
        async with _command(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.zrange(self._sets[RowState.UNKNOWN], 0, -1)
            pipeline.zrange(self._sets[RowState.SENDING], 0, -1)
            pipeline.zrange(self._sets[RowState.DONE], -_MOST_DONE, -1)
            unknown, *others = await pipeline.execute()
        return await self._numbered(unknown), await self._numbered([number for each in others for number in each])

    async def _numbered(self, numbers: Sequence[str]) -> list[StoredRow]:
        return await self.rows([int(number) for number in numbers])

    async def claimed_post_ids(self) -> Collection[str]:
        """Return the ids of the posts of all rows that are done."""
        async with _command():
            return set(await self._redis.hkeys(self._posts))

    async def note_highest_id(self, post_id: int) -> None:
        """Record the highest post id that the API lists now; it holds for the rows that are sent from now on."""
        async with _command():
            await self._note_highest_id(keys=self._keys, args=[post_id])

    async def highest_ids(self) -> list[tuple[float, int | None]]:
        """Return (Unix time, highest post id that the API listed then) of each time that it was noted, in order."""
        async with _command():
            found: str = await self._redis.hget(self._meta, "highest_ids") or ""
        pairs = [each.split() for each in found.split(";") if each]
        return [(float(at), int(post_id)) for at, post_id in pairs]

    async def settle(
        self, found: Mapping[int, str], absent: Iterable[int], attempts: Mapping[int, int]
    ) -> tuple[int, list[int]]:
        """Record unknown rows whose outcome was found out.

        A row stays as it is if a worker has recorded its outcome or sent it again, or if its post is that of another
        row.

        Args:
            found: number of a row that exists → id of its post.
            absent: numbers of rows that do not exist; they are pending again.
            attempts: those of each row when it was looked for.

        Returns:
            The number of rows that are done now, and the numbers of those that are pending again.

        """
        done = [
            await self.end(number, RowState.DONE, post_id=post_id, attempts=attempts[number])
            for number, post_id in found.items()
        ]
        again = [number for number in absent if await self.end(number, RowState.PENDING, attempts=attempts[number])]
        return sum(done), again

    async def explain(self, reasons: Mapping[int, str]) -> None:
        """Record why rows (number → text) stay unknown, in place of their error."""
        for number, text in reasons.items():
            await self.end(number, RowState.UNKNOWN, error=UndecidedError(text))


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
        known.get("l"),
    )


async def _chunks(rows: AsyncIterable[Row] | Iterable[Row]) -> AsyncIterator[list[Row]]:
    chunk: list[Row] = []
    async for row in rows if isinstance(rows, AsyncIterable) else _each(rows):
        chunk.append(row)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


async def _each(rows: Iterable[Row]) -> AsyncIterator[Row]:
    for row in rows:
        yield row


@asynccontextmanager
async def _command(what_fails: str = "the journal in Redis cannot be used") -> AsyncGenerator[None]:
    """Bound the time that a command takes, and turn its failures into a ``JournalError``."""
    try:
        async with asyncio.timeout(LONGEST_COMMAND):
            yield
    except (RedisError, OSError) as exc:
        msg = f"{what_fails}: {str(exc) or f'no response within {LONGEST_COMMAND:g} s'}"
        raise JournalError(msg) from exc
