"""Control a run: queue its rows, look for unknown ones, and queue again what the queue has lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from marketingblocks_async import Lane, MarketingBlocks
from marketingblocks_async.bulk import Counts, JournalError, RowState
from marketingblocks_async.bulk.journal.account import check_api, check_token
from marketingblocks_async.bulk.run.reconcile import note_highest_id, reconcile, settling_time
from marketingblocks_async.observers import tell

from .journal import SharedJournal

logger: logging.Logger = logging.getLogger("marketingblocks_async")

Enqueue = Callable[[Sequence[int]], Awaitable[None]]

MOST_ROUNDS = 3
"""Times that pending rows are queued again while no row changes; then the run ends with them pending."""

NO_CHANGE = "no row changes any more: are there workers, and do they log an error?"
"""Why such a run ends."""


@dataclass(frozen=True, slots=True)
class DistributedResult:
    """The result of a run.

    Attributes:
        counts: rows by state.
        found: unknown rows that were found at the API.
        absent: unknown rows that do not exist there, and were sent again.
        reason: why rows are still pending; ``None`` if none is.

    """

    counts: Counts
    found: int
    absent: int
    reason: str | None


class DistributedRun:
    """One run over a shared journal, controlled by one process. The workers send the rows.

    It may die and be started again at any time, and a second one beside it does no harm.

    Args:
        client: an open client of the run's token, with the permission ``social-read-posts``.
        journal: the run.
        enqueue: adds numbers of rows to the queue. Adding one twice is harmless.
        settle_after: seconds to wait before an unlisted post counts as not created: at least twice the ``timeout`` of
            the workers' clients. By default 60, or twice that of ``client`` if that is more.
        quiet: seconds without any change after which pending rows are queued again, unless the token is paused.
        accept_new_token: whether to go on although the run was begun with another access token. Set it if the account
            has got a new token; the rows would go to another account otherwise.
        on_progress: called about once a second. An exception in it is logged and does not stop the run.

    """

    def __init__(
        self,
        client: MarketingBlocks,
        journal: SharedJournal,
        enqueue: Enqueue,
        *,
        settle_after: float | None = None,
        quiet: float = 15.0,
        accept_new_token: bool = False,
        on_progress: Callable[[Counts], None] | None = None,
    ) -> None:
        self._client = client
        self._journal = journal
        self._enqueue = enqueue
        self._settle_after = settling_time(client, settle_after)
        self._quiet = quiet
        self._accept_new_token = accept_new_token
        self._on_progress = on_progress
        self._found = self._absent = 0
        self._look_again_at = 0.0

    async def run(self) -> DistributedResult:
        """Queue the pending rows and wait until every row has its outcome, or none can be found out any more.

        Raises:
            OtherTokenError: the run was begun with another access token.
            JournalError: the journal cannot be used, there is no such run or rows of it have vanished, or it was begun
                at another API. Start it again when the cause is gone.

        """
        journal = self._journal
        # Before anything is recorded, since the name may be a mistake.
        size = await journal.size()
        await check_api(journal, self._client.base_url)
        await check_token(journal, self._client.token_fingerprint, accept_new=self._accept_new_token)
        await self._note_highest_id()
        await journal.go_on()
        await self._enqueue(await journal.numbers(RowState.PENDING))
        before, moved_at, rounds = await journal.states(), time.monotonic(), 0
        reason: str | None = None
        while True:
            await asyncio.sleep(min(1.0, self._quiet / 4))
            await journal.check_restart()
            await journal.give_up_older(self._settle_after)
            states = await journal.states()
            self._check_size(sum(states.values()), size)
            if self._on_progress is not None:
                tell(self._on_progress, await journal.counts(), "on_progress")
            if states != before:
                before, moved_at, rounds = states, time.monotonic(), 0
            if states[RowState.SENDING]:
                continue
            may_find_more = states[RowState.UNKNOWN] > 0 and await self._settle()
            if not states[RowState.PENDING]:
                if may_find_more:
                    continue
                break
            reason = await journal.stopped()
            if reason is None and await journal.fail_suspects():
                continue
            if reason is not None or (rounds >= MOST_ROUNDS and not may_find_more):
                reason = reason or NO_CHANGE
                break
            if time.monotonic() - moved_at >= self._quiet:
                rounds += await self._queue_again()
                moved_at = time.monotonic()
        return DistributedResult(await journal.counts(), self._found, self._absent, reason)

    async def _note_highest_id(self) -> None:
        # At each start, since the listings of an earlier one may not have been readable.
        problem = await note_highest_id(self._client, self._journal)
        if problem is not None:
            logger.warning("%s: %s", self._journal.title, problem)

    def _check_size(self, left: int, size: int) -> None:
        if left != size:
            # They would count neither as sent nor as pending, and the run would end as if it were complete.
            msg = (
                f"{self._journal.title} was created with {size} rows, and Redis has {left} of them now; look at the "
                "API for what was sent, and set this Redis so that it forgets nothing before you create another run"
            )
            raise JournalError(msg)

    async def _queue_again(self) -> bool:
        """Queue the pending rows again; return ``False`` if the workers only wait for a permit."""
        if self._client.has_limiter:
            limiter = self._client.rate_limiter
            # With a shared limit, an idle process hears of a pause or an outage when it asks for a permit. Whatever
            # that raises, the snapshot says what stands in the way.
            with contextlib.suppress(Exception):
                async with asyncio.timeout(1.0):
                    (await limiter.acquire(Lane.BULK)).release()
            if limiter.snapshot().obstacle is not None:
                return False
        # The queue, or a worker that died, may have lost deliveries.
        await self._enqueue(await self._journal.numbers(RowState.PENDING))
        return True

    async def _settle(self) -> bool:
        """Look for the unknown rows; return whether another look may find out more."""
        if time.monotonic() < self._look_again_at:
            return True
        found = await reconcile(self._client, self._journal, settle_after=self._settle_after, on_absent=self._enqueue)
        self._found += found.found
        self._absent += found.absent
        pause = min(1.0, self._settle_after)
        if not found.found and not found.absent and found.undecided_until is not None:
            # Only time tells more.
            pause = max(pause, found.undecided_until - await self._journal.now())
        self._look_again_at = time.monotonic() + pause
        return bool(found.found or found.absent or found.undecided_until is not None)
