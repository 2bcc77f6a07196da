"""Send the rows of a journal: record intents before and outcomes after, and know when to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from bisect import bisect_right
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

from marketingblocks_async import (
    ConfigurationError,
    CreateMany,
    CreatePost,
    MarketingBlocks,
    MarketingBlocksError,
    PostOutcome,
)
from marketingblocks_async.bulk.errors import JournalError, UnconfirmedRowsError
from marketingblocks_async.bulk.journal.account import check_api, check_token
from marketingblocks_async.bulk.journal.journal import Journal
from marketingblocks_async.bulk.journal.states import RowState
from marketingblocks_async.observers import tell
from marketingblocks_async.resources.create_many import StoredPost

from .breaker import MOST_TRIALS, Breaker, OutagePolicy
from .outcomes import BulkResult, Ending, SkippedError, StoppingError, UnknownPolicy, state_after
from .progress import BulkProgress, ProgressMeter
from .reconcile import LISTING_DEADLINE, Reconciliation, note_highest_id, reconcile, settling_time
from .signs import Sign, is_refused_for_all, is_refused_token, may_be_own_fault, outage_reason, sign_of, way_on

T = TypeVar("T", bound=StrEnum)

logger: logging.Logger = logging.getLogger("marketingblocks_async")

PROBE_INTERVAL = 5.0
"""Seconds between two questions whether an API that was down is well again; doubled up to a minute."""

LONGEST_PROBE_INTERVAL = 60.0
"""Longest time between two such questions, in seconds."""

_LOOK_AGAIN = 1.0
"""Seconds after which a row that is held back looks again whether it may go."""

MOST_PASSES = 5
"""Passes over the rows that were rejected or not sent, as long as each one gets some of them done."""

COUNTED_FOR = 2.1
"""Seconds for which the server may still count the requests of an earlier process: the window, and the longest guard of
a request whose response was not seen."""

_PAST_WAY_ON = (
    "allow them (allow_past), or put all pending rows ('bulk report --results' shows which) into a new file, the late "
    "ones with new times, send that file (allow_duplicates), and do not resume this run"
)


class BulkRun:
    """One run over the rows of a journal.

    Args:
        client: an open client; its retries, timeout and limit apply. The run's calls queue behind ordinary calls.
        journal: the rows. No other run may use it. If it is not open, ``run()`` opens it; close it with ``aclose()``.
        unknown: what to do with rows that are of unknown outcome when the run begins.
        max_failures: number of failed rows after which this run stops; ``None`` for no bound.
        concurrency: rows in flight at most; by default as many as the rate limit can send within the timeout.
        settle_after: seconds to wait before an unlisted post counts as not created; by default 60, or twice the
            client's ``timeout`` if that is more.
        on_outage: what to do when several consecutive rows get no usable response, see ``OutagePolicy``.
        allow_past: whether to send rows whose schedule time has passed since they were planned, for example because the
            run was stopped meanwhile. The API may publish them at once. Such rows are told to ``on_remark``. If it is
            ``False``, a row whose time passes during the run stays pending, too, and the others are sent.
        accept_new_token: whether to go on although the run was begun with another access token. Set it if the account
            has got a new token; the rows would go to another account otherwise.
        on_progress: called about every ``progress_every`` seconds, and at the end. An exception in it is logged and
            does not stop the run.
        progress_every: seconds between two reports.
        on_remark: called with a sentence about something that does not stop the run; it is logged, too. An exception in
            it does not stop the run, either.

    """

    def __init__(
        self,
        client: MarketingBlocks,
        journal: Journal,
        *,
        unknown: UnknownPolicy | str = UnknownPolicy.REPORT,
        max_failures: int | None = None,
        concurrency: int | None = None,
        settle_after: float | None = None,
        on_outage: OutagePolicy | str = OutagePolicy.STOP,
        allow_past: bool = True,
        accept_new_token: bool = False,
        on_progress: Callable[[BulkProgress], None] | None = None,
        progress_every: float = 0.5,
        on_remark: Callable[[str], None] | None = None,
    ) -> None:
        if max_failures is not None and max_failures < 1:
            msg = f"max_failures={max_failures}: give 1 or more, or None for no bound"
            raise ConfigurationError(msg)
        self._client = client
        self._journal = journal
        self._unknown = _policy(UnknownPolicy, unknown=unknown)
        self._max_failures = max_failures
        self._concurrency = concurrency
        self._settle_after = settling_time(client, settle_after)
        self._settle_after_is_given = settle_after is not None
        self._on_outage = _policy(OutagePolicy, on_outage=on_outage)
        self._allow_past = allow_past
        self._accept_new_token = accept_new_token
        self._on_remark = on_remark
        self._breaker = Breaker()
        # Rows that were refused, for example with a 404: their own fault, unless all rows are.
        self._suspects: list[tuple[int, Exception, float]] = []
        # Numbers of rows that were sent and are pending again. A trial takes another row if there is one: a row with a
        # fault of its own says nothing of the others.
        self._put_back: set[int] = set()
        # Pending rows that must not be sent since their time has passed.
        self._late = 0
        # Set when a row that is held back has to look again whether it may go.
        self._news = asyncio.Event()
        self._progress_every = progress_every
        self._meter = ProgressMeter(client, on_progress)
        self._stopping = asyncio.Event()
        self._ending = Ending.COMPLETE
        self._reason: str | None = None
        self._task: asyncio.Task[None] | None = None
        # Index among the rows handed to the client → number of the row, as long as it has no outcome.
        self._numbers: dict[int, int] = {}
        self._sent = 0
        # Rows that may go out again; each counts once.
        self._sent_before: set[int] = set()
        self._failed_here = 0
        self._put_off_by: Exception | None = None
        self._cause: Exception | None = None

    def stop(self, ending: Ending = Ending.INTERRUPTED, reason: str | None = None) -> None:
        """Send no further row; the rows in flight come to their end."""
        if not self._stopping.is_set():
            self._ending, self._reason = ending, reason
            self._stopping.set()
            self._news.set()
            self._end_if_drained()

    def _end_if_drained(self) -> None:
        # A row that only waits for a permit need not get it first; a pause after a 429 may be long.
        if self._stopping.is_set() and not self._meter.in_flight and self._task is not None:
            self._task.cancel()

    def abort(self) -> None:
        """Stop at once; rows in flight become unknown."""
        self.stop()
        self._ending = Ending.ABORTED
        if self._task is not None:
            self._task.cancel()

    def progress(self) -> BulkProgress:
        """Return the progress at this moment."""
        return self._meter.snapshot()

    async def run(self) -> BulkResult:
        """Send what is pending.

        Rows that an earlier run left without an outcome are looked for first, and at the end again together with new
        ones.

        Returns:
            The result. Failures of rows do not raise.

        Raises:
            OtherTokenError: the run was begun with another access token.
            UnconfirmedRowsError: the schedule time of pending rows has passed since they were planned, and
                ``allow_past`` is ``False``; nothing was sent, and rows of unknown outcome are as the listings say.
            JournalInUseError: another run with this ``Journal`` is going on.
            JournalError: the run belongs to another API, or the journal could not be written. Only rows whose intent
                is in the journal were sent.

        """
        self._meter.begin()
        with self._journal.taken():
            return await self._run()

    async def _run(self) -> BulkResult:
        journal = self._journal
        if not journal.was_opened:
            await journal.open()
        await check_api(journal, self._client.base_url)
        await check_token(journal, self._client.token_fingerprint, accept_new=self._accept_new_token)
        if not self._settle_after_is_given:
            # A row may have been sent by a client with a longer timeout than this one has.
            self._settle_after = await journal.longest_settling_time(self._settle_after)
        await journal.begin_session()
        await journal.settle_unfinished()
        await self._read_counts()
        self._pause_for_previous_session()
        reporting = asyncio.create_task(self._meter.report_every(self._progress_every))
        found: list[Reconciliation] = []
        try:
            for step in (partial(self._prepare, found), self._send_all, partial(self._reconcile_at_end, found)):
                await self._take(step)
        finally:
            reporting.cancel()
            await asyncio.gather(reporting, return_exceptions=True)
            await journal.flush()
            await self._read_counts()
            counts = self._meter.counts
            if self._ending is Ending.COMPLETE and (counts.pending or counts.unknown):
                self._ending = Ending.INCOMPLETE
            await journal.end_session(self._ending)
        if counts.pending and self._ending is Ending.INCOMPLETE:
            self._reason = await self._why_pending()
        self._meter.report()
        return BulkResult(
            counts,
            self._ending,
            self._reason,
            self._meter.seconds,
            self._sent,
            replace(
                found[-1] if found else Reconciliation(undecided=counts.unknown),
                found=sum(each.found for each in found),
                absent=sum(each.absent for each in found),
            ),
            self._cause,
        )

    async def _read_counts(self) -> None:
        self._meter.counts = await asyncio.to_thread(self._journal.counts)

    async def _take(self, step: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Take a step of the run unless it was told to stop; ``stop()`` and ``abort()`` cancel the step."""
        if self._stopping.is_set():
            return
        self._task = asyncio.create_task(step())
        try:
            await asyncio.wait([self._task])
        finally:
            if not self._task.done():
                # The run itself is being cancelled, which ends the rows in flight as well.
                self.abort()
                await asyncio.wait([self._task])
        if not self._task.cancelled():
            # Raises the step's error. A cancellation is our own doing.
            self._task.result()

    async def _prepare(self, found: list[Reconciliation]) -> None:
        """Look for the rows that an earlier run left without an outcome, and note what is listed before this one."""
        counts = self._meter.counts
        if counts.pending or counts.unknown:
            snapshot = self._meter.limiter_snapshot()
            # A listing does not wait as long as a pause may last, and without it unknown rows cannot be found.
            await asyncio.sleep(0.0 if snapshot is None else snapshot.paused_for)
            problem = await note_highest_id(self._client, self._journal)
            if problem is not None:
                self._remark(problem)
        if counts.unknown and self._unknown is not UnknownPolicy.SKIP:
            found.append(await reconcile(self._client, self._journal, settle_after=self._settle_after))
            await self._read_counts()
        # After that, since rows that do not exist are pending again. Before the other rows of unknown outcome become
        # pending or failed: the command that said so may be refused.
        states = [RowState.PENDING, *([RowState.UNKNOWN] if self._unknown is UnknownPolicy.RESEND else [])]
        if (problem := await self._explain_past(states)) is not None:
            if not self._allow_past:
                self._ending = Ending.STOPPED
                msg = f"nothing was sent: {problem}; {_PAST_WAY_ON}"
                raise UnconfirmedRowsError(msg)
            self._remark(problem)
        if counts.unknown:
            await self._settle_unknown()

    async def _explain_past(self, states: Collection[RowState] = (RowState.PENDING,)) -> str | None:
        """Return a sentence about rows to be sent whose time has passed since the plan; ``None`` if there are none."""
        passed = await asyncio.to_thread(self._journal.past_posts, datetime.now(UTC), states)
        if not passed.posts:
            return None
        return f"{passed.told(self._journal.lines)}, and the API may publish such posts at once"

    def _remark(self, text: str) -> None:
        logger.warning("%s: %s", self._journal.title, text)
        if self._on_remark is not None:
            tell(self._on_remark, text, "on_remark")

    def _pause_for_previous_session(self) -> None:
        """Keep the limit across processes: the server still counts what an earlier one sent a moment ago."""
        earlier = self._journal.sessions()[:-1]
        if not earlier or (snapshot := self._meter.limiter_snapshot()) is None:
            return
        ended = earlier[-1][1]
        # The time of a killed session's last listing is not recorded; it may have been just now. A negative age means
        # that the clock was set back; then the time is not known either.
        ago = 0.0 if ended is None else max(time.time() - ended, 0.0)
        if ago < COUNTED_FOR:
            self._client.rate_limiter.pause(snapshot.per + COUNTED_FOR - 1.0 - ago, over_limit=False)

    async def _why_pending(self) -> str | None:
        """Return why rows are left although nothing has stopped the run."""
        if not self._allow_past and (problem := await self._explain_past()) is not None:
            return f"{problem}; they were not sent; {_PAST_WAY_ON}"
        return None if self._put_off_by is None else f"rows could not be sent, the last one because: {self._put_off_by}"

    def _is_late(self, post: StoredPost) -> bool:
        """Return whether a row must not be sent since its time has passed after the plan."""
        return not self._allow_past and self._journal.has_passed(post.text, datetime.now(UTC))

    async def _settle_unknown(self) -> None:
        """Do with the rows of unknown outcome that the listings do not settle as the policy says."""
        if self._unknown is UnknownPolicy.SKIP:
            await self._move_unknown(RowState.FAILED, "skipped: its outcome is unknown, and it was not sent again")
        elif self._unknown is UnknownPolicy.RESEND:
            await self._move_unknown(RowState.PENDING, None)
        await self._read_counts()

    async def _reconcile_at_end(self, found: list[Reconciliation]) -> None:
        """Look for the rows that became unknown meanwhile, and for those that could not be decided at the beginning."""
        for _ in range(MOST_PASSES):
            if not self._meter.counts.unknown or self._unknown is UnknownPolicy.SKIP:
                return
            found.append(await reconcile(self._client, self._journal, settle_after=self._settle_after))
            if not found[-1].absent:
                return
            await self._read_counts()
            await self._send_all()

    async def _move_unknown(self, state: RowState, why: str | None) -> None:
        error = None if why is None else SkippedError(why)
        for row in await self._journal.unknown_rows():
            self._journal.end(row.number, state, error=error)
        await self._journal.flush()

    async def _send_all(self) -> None:
        passes = 0
        while passes < MOST_PASSES and not self._stopping.is_set():
            pending = self._meter.counts.pending
            await self._send_pending()
            await self._journal.flush()
            if self._stopping.is_set():
                return
            if self._breaker.is_open:
                await self._wait_until_well()
            elif 0 < self._meter.counts.pending < pending:
                passes += 1
            else:
                return

    async def _wait_until_well(self) -> None:
        """Ask the API with a read, now and then, until it answers; then one row may try."""
        interval = min(PROBE_INTERVAL * 2**self._breaker.failed_trials, LONGEST_PROBE_INTERVAL)
        probe = self._client.with_options(deadline=LISTING_DEADLINE)
        while not self._stopping.is_set():
            await asyncio.sleep(interval)
            interval = min(2 * interval, LONGEST_PROBE_INTERVAL)
            try:
                await probe.posts.upcoming(limit=1)
            except MarketingBlocksError as error:
                # A token that may not read says nothing about creating; the row that tries will show it.
                if not is_refused_token(error, created=False):
                    if sign_of(error) not in (Sign.DOWN, Sign.REFUSED):
                        self.stop(Ending.STOPPED, str(error))
                    continue
            self._breaker.try_one()
            return

    async def _send_pending(self) -> None:
        if not self._allow_past:
            self._late = (await asyncio.to_thread(self._journal.past_posts, datetime.now(UTC))).posts
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
            self._fail_suspects()

    async def _rows(self) -> AsyncGenerator[StoredPost, None]:
        index = 0
        async for number, request in self._journal.pending():
            if self._breaker.holds_back(len(self._numbers)):
                await self._hold_back()
            if self._is_pausing:
                return
            post = StoredPost(request)
            # It would wait for a permit in vain.
            if self._is_late(post):
                # It is no row that a trial could take, so it must not count among them either.
                self._put_back.discard(number)
                continue
            others = self._meter.counts.pending - self._late
            if self._breaker.is_trying and number in self._put_back and len(self._put_back) < others:
                continue
            self._numbers[index] = number
            index += 1
            yield post

    async def _hold_back(self) -> None:
        """Wait while the outcomes of the rows in flight have to show first whether the API is well."""
        while self._breaker.holds_back(len(self._numbers)) and not self._is_pausing:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                # Time alone changes the answer, too.
                async with asyncio.timeout(_LOOK_AGAIN):
                    await self._news.wait()

    @property
    def _is_pausing(self) -> bool:
        return self._stopping.is_set() or self._breaker.is_open

    def _intend(self, index: int, post: CreatePost | Mapping[str, Any]) -> Awaitable[None]:
        # Its time may have passed while it waited for a permit, or for its next attempt.
        if self._is_pausing or (isinstance(post, StoredPost) and self._is_late(post)):
            raise StoppingError
        number = self._numbers[index]
        if number not in self._meter.in_flight:
            # Before the intent is on the disk: if it is interrupted there, the intent has to be taken back.
            self._meter.in_flight[number] = time.monotonic()
            self._sent += number not in self._sent_before
        return self._journal.intend(number)

    def _note(self, outcome: PostOutcome) -> None:
        """Record the outcome of a row."""
        number = self._numbers.pop(outcome.index)
        sent_at = self._meter.in_flight.pop(number, None)
        self._put_back.discard(number)
        self._news.set()
        if self._is_own_fault(outcome.error):
            trips = self._breaker.note(None, None)
        else:
            trips = self._breaker.note(outcome.error, sent_at)
        created = outcome.result
        if created is not None:
            post_id = created.post_id
            self._journal.end(
                number,
                RowState.DONE,
                post_id=None if post_id is None else str(post_id),
                permalink=created.permalink,
            )
            self._meter.count(RowState.DONE)
            if self._suspects:
                self._fail_suspects(sent_at)
        else:
            self._note_failure(number, outcome.error, was_sent=sent_at is not None)
        if trips:
            self._note_outage(outcome.error)
        if self._stopping.is_set():
            self._end_if_drained()

    def _is_own_fault(self, error: Exception | None) -> bool:
        """Return whether the API refused a row, and the policy is that this is its own fault."""
        return self._on_outage is OutagePolicy.FAIL and may_be_own_fault(error)

    def _note_failure(self, number: int, error: Exception | None, *, was_sent: bool) -> None:
        is_own_fault = self._is_own_fault(error)
        is_token = is_refused_token(error, created=is_own_fault or self._meter.counts.done > 0)
        if error is not None and is_refused_for_all(error) and was_sent and not is_token:
            refusal = (number, error, time.monotonic())
            if is_own_fault:
                # Not the suspects: those were refused in front of the API, which may concern all rows.
                self._record_refusals([refusal])
            else:
                self._suspects.append(refusal)
            return
        state = state_after(error)
        if isinstance(error, JournalError):
            # The row was not sent, and nothing can be recorded about it or any other row.
            self.stop(Ending.STOPPED, str(error))
            raise error
        if state is not RowState.PENDING or was_sent:
            self._journal.end(number, state, error=error)
        self._meter.count(state)
        if state is not RowState.FAILED and was_sent:
            self._sent_before.add(number)
        if state is RowState.PENDING and not isinstance(error, StoppingError):
            self._put_off_by = error
            self._put_back.add(number)
        self._stop_if_hopeless(error, state, is_token=is_token)

    def _fail_suspects(self, sent_at: float | None = None) -> None:
        """Record the rows that were refused: as failed, or as pending if all rows seem to be, or the run stops.

        Args:
            sent_at: when a row was sent that was created, which says nothing of later refusals; ``None`` for all.

        """
        count = len(self._suspects)
        if sent_at is not None:
            count = bisect_right(self._suspects, sent_at, key=lambda each: each[2])
        suspects, self._suspects = self._suspects[:count], self._suspects[count:]
        self._record_refusals(suspects)

    def _record_refusals(self, suspects: list[tuple[int, Exception, float]]) -> None:
        state = RowState.PENDING if self._is_pausing else RowState.FAILED
        for number, error, _ in suspects:
            self._journal.end(number, state, error=error)
            self._meter.count(state)
            self._failed_here += state is RowState.FAILED
            if state is RowState.PENDING:
                self._put_off_by = error
                self._put_back.add(number)
                self._sent_before.add(number)
        if suspects:
            self._stop_after_failures()

    def _note_outage(self, error: Exception | None) -> None:
        """React to consecutive rows without a usable response."""
        self._fail_suspects()
        if self._on_outage is not OutagePolicy.WAIT:
            if self._cause is None and may_be_own_fault(error):
                self._cause = error
            self.stop(Ending.STOPPED, outage_reason(error))
        elif self._breaker.failed_trials >= MOST_TRIALS:
            self.stop(
                Ending.STOPPED,
                f"the API answered a read again {MOST_TRIALS} times, but the row that was sent next was not created, "
                f"the last one: {error}. No further row was sent; resume the run when the cause is gone{way_on(error)}",
            )

    def _stop_if_hopeless(self, error: Exception | None, state: RowState, *, is_token: bool) -> None:
        self._failed_here += state is RowState.FAILED
        if (is_token or isinstance(error, ConfigurationError)) and self._cause is None:
            self._cause = error
        if is_token:
            reason = f"{error}. No row was marked as failed; resume the run when the token is right{way_on(error)}"
            self.stop(Ending.STOPPED, reason)
        elif isinstance(error, ConfigurationError):
            self.stop(Ending.STOPPED, str(error))
        else:
            self._stop_after_failures()

    def _stop_after_failures(self) -> None:
        if self._max_failures is not None and self._failed_here >= self._max_failures:
            self.stop(Ending.STOPPED, f"{self._failed_here} rows failed, which is as many as were allowed")


def _policy(kind: type[T], **given: str) -> T:
    """Return the member of an enumeration that was given as an argument; refuse what is none."""
    [(name, value)] = given.items()
    try:
        return kind(value)
    except ValueError:
        msg = f"{name}={value!r}: give one of {', '.join(repr(str(each)) for each in kind)}"
        raise ConfigurationError(msg) from None
