"""Seeing a run through: rows to the queue, unknown ones looked for, lost deliveries made again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from marketingblocks_async import ChannelType, CreatePost, MarketingBlocks
from marketingblocks_async.bulk import Counts, RowState, StoredRow
from marketingblocks_async.bulk.run.matching import SentRow, decide
from marketingblocks_async.bulk.run.reconcile import LARGEST_LISTING, SETTLE_AFTER, SPARE, ask_listings

from .journal import SharedJournal

Enqueue = Callable[[Sequence[int]], Awaitable[None]]

MOST_ROUNDS = 3
"""How often pending rows are given to the queue again while nothing moves; then the run ends with them."""


@dataclass(frozen=True, slots=True)
class DistributedResult:
    """What a run came to.

    Attributes:
        counts: rows by state.
        found: unknown rows that were found at the API.
        absent: unknown rows that were found not to be there, and were sent again.
        reason: why rows are still pending, ``None`` if none is.

    """

    counts: Counts
    found: int
    absent: int
    reason: str | None


class DistributedRun:
    """One run over a shared journal, seen through by one process; the workers do the sending.

    It may die and be started again at any time; a second one beside it does no harm.

    Args:
        client: an open client of the run's token, with the permission ``social-read-posts``.
        journal: the run.
        enqueue: gives numbers of rows to the queue. Giving one twice is harmless.
        settle_after: seconds after which a request that was sent is certainly carried out and listed, or never; more
            than a worker's client may take for a call.
        quiet: seconds in which nothing moves after which pending rows are given to the queue again.
        on_progress: called about once a second.

    """

    def __init__(
        self,
        client: MarketingBlocks,
        journal: SharedJournal,
        enqueue: Enqueue,
        *,
        settle_after: float = SETTLE_AFTER,
        quiet: float = 15.0,
        on_progress: Callable[[Counts], None] | None = None,
    ) -> None:
        self._client = client
        self._journal = journal
        self._enqueue = enqueue
        self._settle_after = settle_after
        self._quiet = quiet
        self._on_progress = on_progress
        self._found = self._absent = 0
        self._settled_at = 0.0

    async def run(self) -> DistributedResult:
        """Give the pending rows to the queue and wait until every row has its outcome, as far as that can be.

        Raises:
            JournalError: the journal cannot be used.

        """
        journal = self._journal
        await self._note_floor()
        await journal.go_on()
        await self._enqueue(await journal.numbers(RowState.PENDING))
        before, moved_at, rounds = await journal.states(), time.monotonic(), 0
        reason: str | None = None
        while True:
            await asyncio.sleep(min(1.0, self._quiet / 4))
            await journal.give_up_older(self._settle_after)
            states = await journal.states()
            if self._on_progress is not None:
                self._on_progress(await journal.counts())
            if states != before:
                before, moved_at, rounds = states, time.monotonic(), 0
            if states[RowState.SENDING]:
                continue
            if states[RowState.UNKNOWN] and await self._settle():
                continue
            if not states[RowState.PENDING]:
                break
            reason = await journal.stopped()
            if reason is not None or rounds == MOST_ROUNDS:
                reason = reason or "nothing moves: are there workers?"
                break
            if time.monotonic() - moved_at >= self._quiet:
                # Deliveries may have been lost, with a worker or with the queue.
                await self._enqueue(await journal.numbers(RowState.PENDING))
                moved_at, rounds = time.monotonic(), rounds + 1
        return DistributedResult(await journal.counts(), self._found, self._absent, reason)

    async def _note_floor(self) -> None:
        """Keep what is listed before the first row is sent, which tells posts of this run from older ones."""
        if await self._journal.floor() is not None:
            return
        platforms = [platform for platform in ChannelType if platform is not ChannelType.THREADS]
        listings, trouble = await ask_listings(self._client, platforms, SPARE)
        if trouble is None:
            numbers = [post.number for listing in listings for post in listing if post.number is not None]
            await self._journal.note_floor(max(numbers, default=0))

    async def _settle(self) -> bool:
        """Look for the unknown rows; return whether something came of it."""
        journal = self._journal
        if time.monotonic() - self._settled_at < min(1.0, self._settle_after):
            return False
        self._settled_at = time.monotonic()
        floor = await journal.floor()
        unknown = [
            _sent(row, floor) for row in await journal.rows(await journal.numbers(RowState.UNKNOWN)) if row.sent_at
        ]
        done = [
            _sent(row, floor)
            for row in await journal.rows((await journal.numbers(RowState.DONE))[-LARGEST_LISTING:])
            if row.post_id
        ]
        platforms = sorted({ChannelType(row.post.channel_type) for row in unknown})
        size = min(len(done) + len(unknown) + SPARE, LARGEST_LISTING)
        # The clock that stamped the intents; this machine's may be wrong by minutes.
        now = await journal.now()
        listings, _ = await ask_listings(self._client, platforms, size)
        verdicts = decide(
            unknown,
            done,
            listings,
            claimed=[row.post_id for row in done if row.post_id],
            now=now,
            settle_after=self._settle_after,
        )
        for number, post_id in verdicts.found.items():
            self._found += await journal.end(number, RowState.DONE, post_id=post_id)
        again = [number for number in verdicts.absent if await journal.end(number, RowState.PENDING)]
        self._absent += len(again)
        await self._enqueue(again)
        return bool(verdicts.found or again)


def _sent(row: StoredRow, floor: int | None) -> SentRow:
    post = CreatePost.model_validate_json(row.request)
    return SentRow(row.number, post, row.sent_at or 0.0, floor, row.post_id)
