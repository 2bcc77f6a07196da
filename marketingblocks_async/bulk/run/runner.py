"""Sending the rows of a journal: intents before, outcomes after, and knowing when to stop."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any

from marketingblocks_async import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    CreateMany,
    CreatePost,
    InvalidResponseError,
    MarketingBlocks,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    PostOutcome,
    RateLimitedError,
    RateLimiterSnapshot,
    ServerError,
)
from marketingblocks_async.bulk.errors import JournalError
from marketingblocks_async.bulk.journal.journal import Journal
from marketingblocks_async.bulk.journal.states import Counts, RowState

from .reconcile import SETTLE_AFTER, Reconciliation, note_floor, reconcile

UNREACHABLE_AFTER = 20
"""So many rows in a row that could not be sent at all stop a run."""

MOST_PASSES = 5
"""How often a run goes over the rows that were refused or not sent, as long as each time brings some further."""

COUNTED_FOR = 2.1
"""Seconds for which the requests of an earlier process may still count at the server: the window, and the longest guard
of a request whose answer was not seen."""


class UnknownPolicy(StrEnum):
    """What to do with rows whose outcome stays unknown after they have been looked for.

    ``report``: leave them unknown. ``resend``: send them again, at the risk of publishing twice. ``skip``: count them
    as failed without looking.
    """

    REPORT = "report"
    RESEND = "resend"
    SKIP = "skip"


class Ending(StrEnum):
    """How a run ended."""

    COMPLETE = "complete"
    """Every row was tried."""
    INTERRUPTED = "interrupted"
    """It was asked to stop; what was in flight has ended."""
    ABORTED = "aborted"
    """It was told to stop at once; what was in flight is unknown."""
    STOPPED = "stopped"
    """Something that concerns all rows: the reason says what."""


@dataclass(frozen=True, slots=True)
class BulkProgress:
    """How far a run is.

    Attributes:
        counts: rows by state; rows in flight count as pending.
        in_flight: rows that are being sent.
        queued: calls that wait for a permit, of this run and of others with the token.
        rate: rows per second, over the last seconds.
        cap: rows per second that the limiter allows now, ``None`` when it is lifted.
        paused_for: seconds until a pause after a 429 ends.
        eta: seconds until the end at the present rate, ``None`` if it cannot be said.
        seconds: since the beginning.

    """

    counts: Counts
    in_flight: int
    queued: int
    rate: float
    cap: float | None
    paused_for: float
    eta: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What a run came to.

    Attributes:
        counts: rows by state, from the journal.
        ending: how it ended.
        reason: why rows are still pending, and what to do about it; ``None`` if nothing is in the way.
        seconds: how long it took.
        sent: rows that this run sent.
        reconciliation: what was found out about unknown rows.

    """

    counts: Counts
    ending: Ending
    reason: str | None
    seconds: float
    sent: int
    reconciliation: Reconciliation

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values; the counts stand at the top."""
        return {
            **self.counts.to_dict(),
            "ending": self.ending.value,
            "reason": self.reason,
            "seconds": round(self.seconds, 3),
            "sent": self.sent,
            "reconciliation": asdict(self.reconciliation),
        }


class BulkRun:
    """One run over a journal's rows.

    Args:
        client: an open client; its retries, timeout and limit apply. Its calls queue behind ordinary calls.
        journal: the rows. Nobody else may be running it.
        unknown: what to do with rows whose outcome stays unknown.
        max_failures: stop after so many rows failed in this run; ``None`` for never.
        concurrency: how many rows may be in flight; by default what the rate limit can send within the timeout.
        settle_after: seconds after which a request that was sent is certainly carried out and listed, or never.
        on_progress: called about every ``progress_every`` seconds, and at the end.
        progress_every: seconds.

    """

    def __init__(
        self,
        client: MarketingBlocks,
        journal: Journal,
        *,
        unknown: UnknownPolicy | str = UnknownPolicy.REPORT,
        max_failures: int | None = None,
        concurrency: int | None = None,
        settle_after: float = SETTLE_AFTER,
        on_progress: Callable[[BulkProgress], None] | None = None,
        progress_every: float = 0.5,
    ) -> None:
        if max_failures is not None and max_failures < 1:
            msg = f"max_failures={max_failures}: give 1 or more, or None for no bound"
            raise ConfigurationError(msg)
        if not 0 <= settle_after < float("inf"):
            msg = f"settle_after={settle_after}: give seconds, 0 or more"
            raise ConfigurationError(msg)
        self._client = client
        self._journal = journal
        self._unknown = UnknownPolicy(unknown)
        self._max_failures = max_failures
        self._concurrency = concurrency
        self._settle_after = settle_after
        self._on_progress = on_progress
        self._progress_every = progress_every
        self._stopping = asyncio.Event()
        self._ending = Ending.COMPLETE
        self._reason: str | None = None
        self._task: asyncio.Task[None] | None = None
        # Rows that were handed to the client and have no outcome yet: index among those handed over, and number.
        self._numbers: dict[int, int] = {}
        self._in_flight: set[int] = set()
        self._counts = Counts(0, 0, 0, 0, 0)
        self._sent = 0
        self._failed_here = 0
        self._not_sent_in_a_row = 0
        self._put_off_by: Exception | None = None
        self._began = 0.0
        self._samples: deque[tuple[float, int]] = deque(maxlen=12)

    def stop(self, ending: Ending = Ending.INTERRUPTED, reason: str | None = None) -> None:
        """Send no further row; what is in flight comes to its end."""
        if not self._stopping.is_set():
            self._ending, self._reason = ending, reason
            self._stopping.set()
            self._end_if_drained()

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to stop, or stops by itself."""
        return self._stopping.is_set()

    def _end_if_drained(self) -> None:
        # What only waits for a permit need not get it first; a pause after a 429 may be long.
        if self._stopping.is_set() and not self._in_flight and self._task is not None:
            self._task.cancel()

    def abort(self) -> None:
        """Stop at once; rows in flight become unknown."""
        self.stop()
        self._ending = Ending.ABORTED
        if self._task is not None:
            self._task.cancel()

    async def run(self) -> BulkResult:
        """Send what is pending.

        Rows that an earlier run left without an outcome are looked for first, and at the end again together with new
        ones.

        Returns:
            What it came to. Failures of rows do not raise.

        Raises:
            JournalError: the run was begun at another API, or the journal could not be written, and nothing was sent
                that is not in it.

        """
        self._began = time.monotonic()
        journal = self._journal
        await journal.check_api(self._client.base_url)
        await journal.begin_session()
        await journal.settle_unfinished()
        self._counts = await asyncio.to_thread(journal.counts)
        self._hold_back()
        painter = asyncio.create_task(self._paint())
        found: list[Reconciliation] = []
        try:
            for step in (partial(self._prepare, found), self._send_all, partial(self._look_again, found)):
                await self._take(step)
        finally:
            painter.cancel()
            await asyncio.gather(painter, return_exceptions=True)
            await journal.flush()
            await journal.end_session(self._ending)
        self._counts = await asyncio.to_thread(journal.counts)
        if self._counts.pending and self._ending is Ending.COMPLETE and self._put_off_by is not None:
            self._reason = f"rows could not be sent, the last one because: {self._put_off_by}"
        self._tell_progress()
        return BulkResult(
            self._counts,
            self._ending,
            self._reason,
            time.monotonic() - self._began,
            self._sent,
            replace(
                found[-1] if found else Reconciliation(undecided=self._counts.unknown),
                found=sum(each.found for each in found),
                absent=sum(each.absent for each in found),
            ),
        )

    async def _take(self, step: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Take a step of the run, unless it was told to stop; :meth:`stop` and :meth:`abort` cancel the step."""
        if self._stopping.is_set():
            return
        self._task = asyncio.create_task(step())
        try:
            await asyncio.wait([self._task])
        finally:
            if not self._task.done():
                # Somebody cancels the run, which ends what is in flight as well.
                self.abort()
                await asyncio.wait([self._task])
        if not self._task.cancelled():
            # Raises what it raised; its being cancelled is our own doing.
            self._task.result()

    async def _prepare(self, found: list[Reconciliation]) -> None:
        """Look for the rows that an earlier run left without an outcome, and note what is listed before this one."""
        if self._counts.pending or self._counts.unknown:
            snapshot = self._limiter_snapshot()
            # A listing is not waited for as long as a pause may last, and without it unknown rows cannot be found.
            await asyncio.sleep(0.0 if snapshot is None else snapshot.paused_for)
            await note_floor(self._client, self._journal)
        if self._counts.unknown:
            found.append(await self._settle_unknown())

    def _hold_back(self) -> None:
        """Keep the limit across processes: what an earlier one sent a moment ago still counts at the server."""
        earlier = self._journal.sessions()[:-1]
        if not earlier or (snapshot := self._limiter_snapshot()) is None:
            return
        ended = earlier[-1][1]
        # When a killed one asked for a listing last is not written down anywhere; it may have been just now. A negative
        # age is a clock that was set back; then it is not known either.
        ago = 0.0 if ended is None else max(time.time() - ended, 0.0)
        if ago < COUNTED_FOR:
            self._client.rate_limiter.pause(snapshot.per + COUNTED_FOR - 1.0 - ago, over_limit=False)

    async def _settle_unknown(self) -> Reconciliation:
        if self._unknown is UnknownPolicy.SKIP:
            found = Reconciliation()
            await self._move_unknown(RowState.FAILED, "skipped: its outcome is unknown, and it was not sent again")
        else:
            found = await reconcile(self._client, self._journal, settle_after=self._settle_after)
        if self._unknown is UnknownPolicy.RESEND:
            await self._move_unknown(RowState.PENDING, None)
        self._counts = await asyncio.to_thread(self._journal.counts)
        return found

    async def _look_again(self, found: list[Reconciliation]) -> None:
        """At the end: what became unknown meanwhile, and what could not be decided at the beginning."""
        for _ in range(MOST_PASSES):
            if not self._counts.unknown or self._unknown is UnknownPolicy.SKIP:
                return
            found.append(await reconcile(self._client, self._journal, settle_after=self._settle_after))
            if not found[-1].absent:
                return
            self._counts = await asyncio.to_thread(self._journal.counts)
            await self._send_all()

    async def _move_unknown(self, state: RowState, why: str | None) -> None:
        rows = await asyncio.to_thread(lambda: list(self._journal.rows([RowState.UNKNOWN])))
        error = None if why is None else _SkippedError(why)
        for row in rows:
            self._journal.end(row.number, state, error=error)
        await self._journal.flush()

    async def _send_all(self) -> None:
        for _ in range(MOST_PASSES):
            pending = self._counts.pending
            await self._send_pending()
            await self._journal.flush()
            if self._stopping.is_set() or not 0 < self._counts.pending < pending:
                return

    async def _send_pending(self) -> None:
        many: CreateMany = self._client.posts.create_many(
            self._rows(), concurrency=self._concurrency, before_send=self._intend
        )
        try:
            async with many:
                async for outcome in many:
                    self._note(outcome)
        finally:
            for outcome in many.undelivered:
                self._note(outcome)

    async def _rows(self) -> AsyncGenerator[CreatePost, None]:
        index = 0
        async for number, request in self._journal.pending():
            if self._stopping.is_set():
                return
            self._numbers[index] = number
            index += 1
            yield CreatePost.model_validate_json(request)

    def _intend(self, index: int, _post: CreatePost | Mapping[str, Any]) -> Awaitable[None]:
        if self._stopping.is_set():
            raise _StoppingError
        number = self._numbers[index]
        if number not in self._in_flight:
            # Even before the intent is on the disk: if it is interrupted there, it has to be taken back.
            self._in_flight.add(number)
            self._sent += 1
        return self._journal.intend(number)

    def _note(self, outcome: PostOutcome) -> None:
        """Write down what became of a row."""
        number = self._numbers.pop(outcome.index)
        if outcome.result is not None:
            self._in_flight.discard(number)
            post_id = outcome.result.post_id
            self._journal.end(number, RowState.DONE, post_id=None if post_id is None else str(post_id))
            self._count(RowState.DONE)
            self._not_sent_in_a_row = 0
        else:
            self._note_failure(number, outcome.error)
        if self._stopping.is_set():
            self._end_if_drained()

    def _note_failure(self, number: int, error: Exception | None) -> None:
        was_sent = number in self._in_flight
        self._in_flight.discard(number)
        state = state_after(error)
        if isinstance(error, JournalError):
            # It was not sent, and nothing can be written about it or any other row.
            self.stop(Ending.STOPPED, str(error))
            raise error
        if state is not RowState.PENDING or was_sent:
            self._journal.end(number, state, error=error)
        self._count(state)
        if state is RowState.PENDING and not isinstance(error, _StoppingError):
            self._put_off_by = error
        self._stop_if_hopeless(error, state)

    def _count(self, state: RowState) -> None:
        counts = self._counts
        if state is not RowState.PENDING:
            self._counts = Counts(
                counts.total,
                counts.done + (state is RowState.DONE),
                counts.failed + (state is RowState.FAILED),
                counts.pending - 1,
                counts.unknown + (state is RowState.UNKNOWN),
            )

    def _stop_if_hopeless(self, error: Exception | None, state: RowState) -> None:
        self._not_sent_in_a_row = self._not_sent_in_a_row + 1 if isinstance(error, NotSentError) else 0
        self._failed_here += state is RowState.FAILED
        if isinstance(error, AuthenticationError | PermissionDeniedError):
            self.stop(Ending.STOPPED, f"{error}. No row was marked as failed; resume the run when the token is right")
        elif isinstance(error, ConfigurationError):
            self.stop(Ending.STOPPED, str(error))
        elif self._not_sent_in_a_row >= UNREACHABLE_AFTER:
            self.stop(Ending.STOPPED, f"the API cannot be reached ({error}); resume the run when it can")
        elif self._max_failures is not None and self._failed_here >= self._max_failures:
            self.stop(Ending.STOPPED, f"{self._failed_here} rows failed, which is as many as were allowed")

    async def _paint(self) -> None:
        while True:
            await asyncio.sleep(self._progress_every)
            self._tell_progress()

    def _tell_progress(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self.progress())

    def progress(self) -> BulkProgress:
        """Return how far it is."""
        now, counts = time.monotonic(), self._counts
        ended = counts.done + counts.failed + counts.unknown
        if not self._samples or now - self._samples[-1][0] >= 0.25:
            self._samples.append((now, ended))
        since, before = self._samples[0]
        rate = (ended - before) / (now - since) if now > since else 0.0
        snapshot = self._limiter_snapshot()
        return BulkProgress(
            counts=counts,
            in_flight=len(self._in_flight),
            queued=snapshot.queued if snapshot is not None else 0,
            rate=rate,
            cap=snapshot.rate if snapshot is not None else None,
            paused_for=snapshot.paused_for if snapshot is not None else 0.0,
            eta=counts.pending / rate if rate > 0 else None,
            seconds=now - self._began,
        )

    def _limiter_snapshot(self) -> RateLimiterSnapshot | None:
        try:
            return self._client.rate_limiter.snapshot()
        except ConfigurationError:
            # The limit is lifted.
            return None


class _SkippedError(Exception):
    """Stands in the journal for rows that were skipped by choice."""


class _StoppingError(Exception):
    """Keeps a row from being sent when the run is about to stop."""


def state_after(error: Exception | None) -> RowState:
    """Return what a row is after its call ended so."""
    if error is None:
        return RowState.DONE
    # Accepted with an answer that says nothing is as good as unknown: its post has to be found.
    if isinstance(error, OutcomeUnknownError | InvalidResponseError):
        return RowState.UNKNOWN
    # Nothing began, so it can be sent again, once what was wrong is right.
    if isinstance(
        error,
        NotSentError
        | RateLimitedError
        | ServerError
        | AuthenticationError
        | PermissionDeniedError
        | ConfigurationError
        | JournalError
        | _StoppingError,
    ):
        return RowState.PENDING
    if isinstance(error, APIError | ValueError):
        return RowState.FAILED
    # Something that nobody thought of; it may have been sent.
    return RowState.UNKNOWN
