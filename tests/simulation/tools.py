"""The writes of the MCP server in a simulated world: servers die, and agents repeat their calls."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

from marketingblocks_async import MarketingBlocks
from marketingblocks_async.mcp.calls import write
from marketingblocks_async.mcp.journal import Order, WriteJournal
from marketingblocks_async.mcp.results import Outcome
from marketingblocks_async.mcp.writes import Writes

from .scenarios import post
from .world import SETTLE, World

RESTART = 2.1
"""Seconds between the end of a server and the calls to the next one."""

Told = dict[str, dict[str, Any]]


async def tools(world: World) -> None:
    """Agents call a server that dies up to four times, with the same keys again and again; the last one lives."""
    world.is_late = world.chance.random() < 0.3
    count = world.chance.randrange(3, 14)
    told: Told = {}
    path = world.folder / "0" / "writes.mcp"
    for life in range(1, world.chance.randrange(1, 5) + 1):
        world.cause_trouble()
        if world.is_late:
            world.sandbox.faults.add("slow:endpoint=create-post,rate=0.4,delay=4")
        process = world.process(may_die=True)
        world.let_stand_still(process)
        next_path = world.folder / str(life) / "writes.mcp"
        # What the system has at the death, since SQLite's own journal takes back what was half written.
        process.when_dying.append(partial(_copy, path, next_path))
        await world.until_over(process, _serve(world, path, count, told, repeats=2))
        if process.is_dead:
            path = next_path
        # A client takes longer to start a server anew than requests are counted.
        await asyncio.sleep(RESTART)
    await asyncio.sleep(SETTLE)
    world.calm()
    ended = await world.until_over(world.process(), _serve(world, path, count, told, repeats=1))
    if ended is not None:
        world.complain(f"in peace the calls did not come to their end: {ended!r}")
    _judge(world, told, count)


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir()
    for name in (path, path.with_name(f"{path.name}-journal")):
        if name.exists():
            to.with_name(name.name).write_bytes(name.read_bytes())


async def _serve(world: World, path: Path, count: int, told: Told, *, repeats: int) -> None:
    """Be a server for as long as the calls take."""
    journal = WriteJournal(path, world.sandbox.base_url)
    try:
        writes = Writes(journal, settle_after=SETTLE)
        client = world.client(middlewares=[writes.intend], on_attempt=writes.attempted, deadline=40.0)
        async with client:
            numbers = list(range(count)) * repeats
            world.chance.shuffle(numbers)
            tasks = [asyncio.create_task(_call(world, writes, client, number, told)) for number in numbers]
            if repeats > 1 and world.chance.random() < 0.3:
                process = world.lives[-1]
                process.at_step[process.steps + int(world.chance.expovariate(1 / 200)) + 1] = tasks[0].cancel
            await asyncio.wait(tasks)
            await writes.aclose(1.5)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                world.complain(f"a call raised {type(error).__name__}: {error}")
    finally:
        journal.close()


async def _call(world: World, writes: Writes, client: MarketingBlocks, number: int, told: Told) -> None:
    await asyncio.sleep(world.chance.random())
    request = post(f"Post {number}", channel=number % 3)
    body, channel = request.wire_json().decode(), f"facebook:{number % 3}"
    order = Order(f"key {number}", "create_post", f"hash {number}", body, channel)

    async def consent() -> None:
        """Agree."""

    found = await writes.once(client, order, partial(write, request=request), consent)
    told[f"Post {number}"] = dict(found)


def _judge(world: World, told: Told, count: int) -> None:
    posts = world.posts()
    for number in range(count):
        text = f"Post {number}"
        found, outcome = posts.get(text, []), told.get(text, {})
        who = f"{text}: told {outcome.get('outcome')} {outcome.get('id')}, server {found}"
        if len(found) > 1:
            world.complain(f"{who}: acted twice")
        match outcome.get("outcome"):
            case Outcome.DONE:
                if not found or outcome.get("id") not in (None, found[0]):
                    world.complain(f"{who}: done, and not there")
            case Outcome.UNKNOWN:
                pass
            case Outcome.REFUSED:
                if found:
                    world.complain(f"{who}: refused, and there")
            case _:
                world.complain(f"{who}: not ended in peace")
