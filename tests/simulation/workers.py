"""A run with a shared journal in a simulated world: the workers and what controls them die, connections get lost."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from unittest import mock

import redis.asyncio

from marketingblocks_async import RetryPolicy
from marketingblocks_async.bulk import JournalError, Row, RowState
from marketingblocks_async.bulk.planning import make_plan
from marketingblocks_async.distributed import DistributedResult, DistributedRun, RowSender, SharedJournal

from .loop import Process
from .redis_server import RedisClient, RedisServer
from .scenarios import judge_group, post
from .world import SETTLE, World

AT_ONCE = 3
"""Rows that a worker sends at a time."""

STARTING = 0.5
"""Seconds after which a process that was started has its own limiter."""


class Queue:
    """Loses deliveries, and repeats others."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers: deque[int] = deque()
        self.is_bad = True

    async def put(self, numbers: Sequence[int]) -> None:
        """Queue rows."""
        for number in numbers:
            for _ in range(self._world.chance.choice([0, 1, 1, 1, 2]) if self.is_bad else 1):
                self._numbers.append(number)

    async def get(self) -> int:
        """Wait for a row; what a dead process waited for is left to others."""
        while not self._numbers:  # noqa: ASYNC110 - an event would wake a dead process
            await asyncio.sleep(0.05)
        return self._numbers.popleft()


async def workers(world: World) -> None:
    """Two workers and what controls them die up to three times; those that come last live."""
    chance = world.chance
    # Each process has a limiter of its own.
    world.is_late = True
    server = RedisServer(world)
    retries = chance.choice([0, 3])

    def from_url(_url: str, **_: Any) -> RedisClient:
        return RedisClient(server, retries)

    with mock.patch.object(redis.asyncio, "Redis", SimpleNamespace(from_url=from_url)):
        rows: list[Row] = []
        texts = range(1, chance.randrange(6, 40))
        # Rows of the same text can be taken for each other.
        twins = chance.choice([1, 1, 2])
        make_plan([post(f"Row {number // twins}").wire() for number in texts], on_row=rows.append)
        async with _journal() as journal:
            await journal.create(rows)
        queue = Queue(world)
        for _ in range(chance.randrange(1, 4)):
            world.cause_trouble()
            if chance.random() < 0.5:
                # Longer than a row may be on its way.
                world.sandbox.faults.add(f"too_many_requests:rate=0.1,times=2,retry_after={2 * SETTLE}")
            await _life(world, queue, may_die=True)
        await asyncio.sleep(SETTLE)
        world.calm()
        queue.is_bad = False
        ended = await _life(world, queue, may_die=False)
        if not isinstance(ended, DistributedResult) or ended.reason is not None:
            world.complain(f"in peace the run did not come to its end: {ended!r}")
    _audit(world, server, rows)


def _journal() -> SharedJournal:
    return SharedJournal("redis://simulated", "run", check_durability=False)


async def _life(world: World, queue: Queue, *, may_die: bool) -> object:
    """Let workers and what controls them live until that ends or dies; return its result."""
    processes: list[Process] = []
    tasks: list[asyncio.Task[None]] = []
    for _ in range(2):
        process = world.process(may_die=may_die)
        processes.append(process)
        tasks.append(process.start(_work(world, queue, is_patient=not may_die)))
        await asyncio.sleep(STARTING)
        if may_die:
            world.let_stand_still(process)
    if may_die and world.chance.random() < 0.4:
        # A second one beside it does no harm.
        processes.append(world.process(may_die=True))
        processes[-1].start(_control(world, queue))
        await asyncio.sleep(STARTING)
    controls = world.process(may_die=may_die and world.chance.random() < 0.5)
    ended = await world.until_over(controls, _control(world, queue))
    world.tell(f"control ended: {ended!r}")
    if world.chance.random() < 0.5:
        await asyncio.sleep(world.chance.random() * SETTLE)
    for task in tasks:
        if task.done():
            world.complain(f"a worker ended: {task.exception()!r}")
    for process in processes:
        process.die()
    return ended


async def _work(world: World, queue: Queue, *, is_patient: bool) -> None:
    # Each worker has the whole limit, so rows that are sent once only can be refused one after another, in peace too.
    changes = {"retry": RetryPolicy(max_attempts=5, initial_backoff=0.2, max_backoff=2.0)} if is_patient else {}
    async with world.client(**changes) as client, _journal() as journal:
        sender = RowSender(client, journal)

        async def one_after_another() -> None:
            while True:
                number = await queue.get()
                try:
                    state = await sender.send(number)
                    world.tell(f"row {number}: {state.name}")
                except JournalError as error:
                    world.tell(f"row {number}: {error}")

        await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))


async def _control(world: World, queue: Queue) -> DistributedResult:
    async with world.client() as client, _journal() as journal:
        return await DistributedRun(client, journal, queue.put, settle_after=SETTLE, quiet=3.0).run()


def _audit(world: World, server: RedisServer, rows: Sequence[Row]) -> None:
    """Compare the journal with the posts."""
    stored = server.data.get("{marketingblocks:run:run}:facts", {})
    facts = {row.number: json.loads(stored.get(str(row.number), '{"s": 0}')) for row in rows}
    posts = world.posts()
    for text in dict.fromkeys(row.post.caption_text for row in rows):
        group = [facts[row.number] for row in rows if row.post.caption_text == text]
        states = [RowState(fact["s"]) for fact in group]
        ids = [fact["id"] for fact in group if fact["s"] == RowState.DONE and fact.get("id") is not None]
        found = posts.get(text, [])
        judge_group(world, f"{text} ({[state.name for state in states]}, ids {ids})", states, ids, found)
