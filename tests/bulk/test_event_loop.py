"""The event loop turns while a large file is read, or a large journal made, opened or compared with listings."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async import ChannelType, MarketingBlocks
from marketingblocks_async.bulk import Journal, JournalInUseError, RowState, amake_plan, create_journal
from marketingblocks_async.bulk.journal import create, files
from marketingblocks_async.bulk.journal import journal as journal_module
from marketingblocks_async.bulk.run import reconcile as reconcile_module
from marketingblocks_async.bulk.sheets import sources

HEADER = "channel_type,channel_id,post_type,caption_text,media_urls,publish_mode"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "posts.csv"
    path.write_text("\n".join([HEADER, *(f"facebook,1,post,Tip {number},,queued" for number in range(20))]))
    return path


async def plan(source: Path) -> None:
    assert (await amake_plan(source)).valid == 20


async def make(source: Path) -> None:
    await create_journal(source, source.with_suffix(".journal"))


async def open_it(source: Path) -> None:
    await make(source)
    async with Journal(source.with_suffix(".journal")) as journal:
        assert journal.counts().pending == 20


async def compare(source: Path) -> None:
    await make(source)
    async with MarketingBlocks("token") as client, Journal(source.with_suffix(".journal")) as journal:
        await journal.begin_session()
        await journal.intend(1)
        journal.end(1, RowState.UNKNOWN)
        await journal.flush()
        assert (await reconcile_module.reconcile(client, journal)).undecided == 1


@pytest.mark.parametrize(
    ("way", "owner", "slow"),
    [
        (plan, sources, "_take"),
        (make, sources, "_take"),
        (make, create, "lock_journal"),
        (make, create.JournalBuilder, "finish"),
        (open_it, journal_module.JournalReader, "_check_content"),
        (open_it, journal_module, "lock_journal"),
        (compare, reconcile_module, "_sent_row"),
        (compare, reconcile_module, "decide"),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
async def test_the_event_loop_turns_meanwhile(
    monkeypatch: pytest.MonkeyPatch, source: Path, way: Callable[[Path], Awaitable[None]], owner: Any, slow: str
) -> None:
    loop, here, function = asyncio.get_running_loop(), threading.get_ident(), getattr(owner, slow)
    turns = 0

    def turn() -> None:
        nonlocal turns
        turns += 1

    def after_a_turn(*args: Any, **kwargs: Any) -> Any:
        assert threading.get_ident() != here, f"{slow} blocks the event loop"
        turned = threading.Event()
        loop.call_soon_threadsafe(turn)
        loop.call_soon_threadsafe(turned.set)
        turned.wait()
        return function(*args, **kwargs)

    async def nothing_listed(
        _client: MarketingBlocks, _platforms: Sequence[ChannelType], _size: int
    ) -> reconcile_module.Listings:
        return reconcile_module.Listings([], set())

    monkeypatch.setattr(reconcile_module, "ask_listings", nothing_listed)
    monkeypatch.setattr(owner, slow, after_a_turn)
    await way(source)
    assert turns


async def test_a_journal_whose_opening_was_cancelled_is_free(monkeypatch: pytest.MonkeyPatch, source: Path) -> None:
    await make(source)
    path = source.with_suffix(".journal")
    locked, go_on, lock = threading.Event(), threading.Event(), files.lock_journal

    def lock_slowly(path: Path) -> Any:
        found = lock(path)
        locked.set()
        go_on.wait()
        return found

    monkeypatch.setattr(journal_module, "lock_journal", lock_slowly)
    opening = asyncio.create_task(Journal(path).open())
    await asyncio.to_thread(locked.wait)
    opening.cancel()
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.sleep(0)
    assert not opening.done()
    monkeypatch.undo()
    with pytest.raises(JournalInUseError):
        await Journal(path).open()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await opening
    async with Journal(path) as journal:
        assert journal.counts().pending == 20
