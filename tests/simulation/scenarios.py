"""What happens in a world: single calls, many posts at once, bulk runs that die and go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from marketingblocks_async import CreatePost, MarketingBlocks, MarketingBlocksError, PostOutcome
from marketingblocks_async.bulk import BulkResult, BulkRun, Journal, JournalReader, RowState, create_journal
from marketingblocks_async.bulk.run.outcomes import Ending

from . import disk
from .world import SETTLE, World


def post(text: str, channel: int = 1) -> CreatePost:
    """Return a post that can be told by its text."""
    return CreatePost(
        channel_type="facebook",
        channel_id=channel,
        post_type="post",
        caption_text=text,
        media_urls=[],
        publish_mode="queued",
    )


async def calls(world: World) -> None:
    """Single calls of all kinds; some are cancelled, some have a deadline, and the client may close on them."""
    world.cause_trouble()
    process = world.process()
    told: dict[str, Any] = {}
    await world.until_over(process, _calls(world, told))
    await asyncio.sleep(SETTLE)
    _judge(world, told)


async def _calls(world: World, told: dict[str, Any]) -> None:
    chance = world.chance
    client = world.client()
    closes = chance.random() < 0.2
    async with client:
        tasks = [asyncio.create_task(_call(world, client, number, told)) for number in range(chance.randrange(5, 60))]
        process = world.lives[-1]
        for task in tasks:
            if chance.random() < 0.15:
                # At any turn of the loop, so at any await of any call.
                process.at_step[process.steps + int(chance.expovariate(1 / 500)) + 1] = task.cancel
        if closes:
            await asyncio.sleep(chance.random() * 3)
        else:
            await asyncio.wait(tasks)
            await world.check_leaks(client)
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            world.complain(f"a call raised {type(error).__name__}: {error}")


async def _call(world: World, client: MarketingBlocks, number: int, told: dict[str, Any]) -> None:
    chance, text = world.chance, f"Post {number}"
    await asyncio.sleep(chance.random() * 2)
    options: dict[str, Any] = {}
    if chance.random() < 0.1:
        options["deadline"] = chance.random() * 3 + 0.01
    kind = chance.choice(["create", "create", "create", "upcoming", "list", "get", "connect"])
    try:
        match kind:
            case "create":
                told[text] = "cancelled"
                created = await client.posts.create(post(text), **options)
                told[text] = created.post_id
            case "upcoming":
                await client.posts.upcoming(limit=3, **options)
            case "list":
                await client.posts.list(channels=["facebook"], limit=3, **options)
            case "get":
                await client.posts.get(1, **options)
            case _:
                await client.channels.connect(user_id="u", **options)
    except MarketingBlocksError as error:
        if kind == "create":
            told[text] = error


async def many(world: World) -> None:
    """Posts through ``create_many``, while single calls go on; it may be left early."""
    world.cause_trouble()
    process = world.process()
    told: dict[str, Any] = {}
    await world.until_over(process, _many(world, told))
    await asyncio.sleep(SETTLE)
    _judge(world, told)


async def _many(world: World, told: dict[str, Any]) -> None:
    chance = world.chance
    count = chance.randrange(5, 50)
    leaves_after = chance.randrange(1, count) if chance.random() < 0.3 else count
    texts = [f"Post {number}" for number in range(count)]
    seen: list[int] = []
    read: list[int] = []

    def items() -> Any:
        for number, text in enumerate(texts):
            read.append(number)
            yield post(text)

    async with world.client() as client:
        others = asyncio.create_task(_others(client, chance.randrange(10)))
        run = client.posts.create_many(items(), concurrency=chance.choice([None, 1, 7]))
        async with run:
            async for outcome in run:
                seen.append(outcome.index)
                told[texts[outcome.index]] = _outcome(outcome)
                if len(seen) >= leaves_after:
                    break
        for outcome in run.undelivered:
            seen.append(outcome.index)
            told[texts[outcome.index]] = _outcome(outcome)
        await others
        await world.check_leaks(client)
    if sorted(seen) != sorted(set(seen)):
        world.complain(f"an outcome came twice: {sorted(seen)}")
    if set(seen) != set(read):
        world.complain(f"items without an outcome: {sorted(set(read) - set(seen))}")


def _outcome(outcome: PostOutcome) -> Any:
    return outcome.error if outcome.result is None else outcome.result.post_id


async def _others(client: MarketingBlocks, count: int) -> None:
    for _ in range(count):
        try:
            await client.posts.upcoming(limit=1)
        except MarketingBlocksError:
            continue


def _judge(world: World, told: dict[str, Any]) -> None:
    """Compare what callers were told with what is at the server."""
    posts = world.posts()
    for text, what in told.items():
        found = posts.get(text, [])
        if len(found) > 1:
            world.complain(f"{text} was published twice: {found}, told {what!r}")
        elif isinstance(what, MarketingBlocksError):
            if found and not getattr(what, "may_have_happened", False):
                world.complain(f"{text} was told as not published, and it was: {what!r}")
        elif what != "cancelled" and (not found or (what is not None and found != [str(what)])):
            world.complain(f"{text} was told as published as {what}, and the server has {found}")
    if strange := posts.keys() - told.keys():
        world.complain(f"posts of no caller: {strange}")


def _new_journal(world: World, path: Path) -> list[str]:
    count, twins = world.chance.choice([6, 20, 45]), world.chance.random() < 0.2
    path.write_bytes(journal_of(count, twins))
    return _texts(count, twins)


def _texts(count: int, twins: bool) -> list[str]:
    return [f"Row {number // 2 if twins else number}" for number in range(count)]


@cache
def journal_of(count: int, twins: bool) -> bytes:
    """Make a journal, once; on another loop, since a world must be the same whether it was made before or not."""
    posts = [post(text).model_dump(mode="json") for text in _texts(count, twins)]
    with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as thread:
        path = Path(folder) / "journal"
        thread.submit(asyncio.run, create_journal(posts, path)).result()
        return path.read_bytes()


async def bulk(world: World) -> None:
    """A bulk run whose process dies up to four times, or is stopped or cancelled; the last one goes on in peace."""
    chance = world.chance
    path = world.folder / "0.journal"
    texts = _new_journal(world, path)
    world.is_late = chance.random() < 0.3
    for life in range(1, chance.randrange(1, 5) + 1):
        world.cause_trouble()
        if world.is_late:
            # It may be carried out when the next process is looking for it.
            world.sandbox.faults.add("slow:endpoint=create-post,rate=0.4,delay=4")
        process = world.process(may_die=world.is_late or chance.random() < 0.8, journal_path=path)
        world.let_stand_still(process)
        run_of: list[BulkRun] = []
        if chance.random() < 0.3:
            acts: list[Callable[[], object]] = [partial(_stop, run_of), partial(_abort, run_of), process.cancel]
            process.at_step[int(chance.expovariate(1 / 400)) + 1] = chance.choice(acts)
        ended = await world.until_over(process, _run(world, path, run_of))
        world.tell(f"life {life} ended: {ended!r}")
        if process.is_dead:
            path = _after_death(world, process, life)
        world.network.weather.cut = 0.0
        if not world.is_late and chance.random() < 0.5:
            await asyncio.sleep(chance.random() * 4)
    await asyncio.sleep(SETTLE)
    world.calm()
    ended = await world.until_over(world.process(journal_path=path), _run(world, path, []))
    world.tell(f"the last life ended: {ended!r}")
    if not isinstance(ended, BulkResult) or ended.ending not in (Ending.COMPLETE, Ending.INCOMPLETE):
        world.complain(f"in peace the run did not come to its end: {ended!r}")
    await asyncio.sleep(SETTLE)
    _audit(world, path, texts)


def _stop(run_of: list[BulkRun]) -> None:
    for run in run_of:
        run.stop()


def _abort(run_of: list[BulkRun]) -> None:
    for run in run_of:
        run.abort()


def _after_death(world: World, process: Any, life: int) -> Path:
    path = world.folder / f"{life}.journal"
    disk.disks[process].restore(path)
    return path


async def _run(world: World, path: Path, run_of: list[BulkRun]) -> Any:
    chance = world.chance
    async with (
        world.client(timeout=chance.choice([2.0, 5.0])) as client,
        Journal(path) as journal,
    ):
        run = BulkRun(client, journal, settle_after=SETTLE, concurrency=chance.choice([None, 3]))
        run_of.append(run)
        return await run.run()


def _audit(world: World, path: Path, texts: list[str]) -> None:
    """Compare the journal with the server: every row in one state, nothing twice, nothing lost."""
    with JournalReader(path) as reader:
        rows = list(reader.rows())
    if [row.number for row in rows] != list(range(1, len(texts) + 1)):
        world.complain(f"the journal holds other rows: {[row.number for row in rows]}")
        return
    posts = world.posts()
    if strange := posts.keys() - set(texts):
        world.complain(f"posts of no row: {strange}")
    for text in dict.fromkeys(texts):
        group = [row for row in rows if texts[row.number - 1] == text]
        found = posts.get(text, [])
        states = [row.state for row in group]
        ids = [row.post_id for row in group if row.state is RowState.DONE and row.post_id is not None]
        judge_group(world, f"{text} ({[state.name for state in states]}, ids {ids})", states, ids, found)


def judge_group(world: World, who: str, states: list[RowState], ids: list[str], found: list[str]) -> None:
    """Compare the states of rows with one text, and the ids of those that are done, with the ids at the server."""
    who = f"{who}, server {found}"
    possible = states.count(RowState.DONE) + states.count(RowState.UNKNOWN)
    if RowState.SENDING in states or RowState.PENDING in states:
        world.complain(f"{who}: not ended")
    if len(found) > possible:
        world.complain(f"{who}: published more often than the journal says")
    if len(found) < states.count(RowState.DONE):
        world.complain(f"{who}: done, and not at the server")
    if len(set(ids)) < len(ids) or not set(ids) <= set(found):
        world.complain(f"{who}: other ids")
