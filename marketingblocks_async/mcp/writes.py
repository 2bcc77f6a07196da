"""Carry a write out once: bind its key, send it, record its outcome, and answer every repetition from the journal."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from pydantic import BaseModel

from marketingblocks_async import (
    AttemptEvent,
    CallError,
    HttpRequest,
    HttpResponse,
    MarketingBlocks,
    MarketingBlocksError,
    RetryPolicy,
    Send,
    clock,
)
from marketingblocks_async import Outcome as CallOutcome
from marketingblocks_async.bulk import JournalError, RowState
from marketingblocks_async.bulk.journal.files import storable
from marketingblocks_async.bulk.run.outcomes import state_after
from marketingblocks_async.bulk.run.reconcile import SETTLE_AFTER, note_highest_id, reconcile
from marketingblocks_async.bulk.threads import in_thread
from marketingblocks_async.models.base import json_values

from .failures import advice_for, advice_for_unknown, outcome_of, pause_of, said_by
from .journal import Order, StoredWrite, WriteJournal
from .results import Outcome, ToolResult, bounded, result

logger: logging.Logger = logging.getLogger("marketingblocks_async.mcp")

LISTED_FOR = 300.0
"""Seconds for which a listing is used to tell posts of this server from older ones; then it is read again."""

BUSY_FOR = 50.0
"""Seconds to wait for another server that has the same key in hand."""

POLL_EVERY = 0.1
"""Seconds between two looks at such a key."""

_REPEATED = (
    "This is the outcome of an earlier call; nothing was sent now. To send the same content again on purpose, give a "
    "new request_key."
)

Call = Callable[[MarketingBlocks], Awaitable[BaseModel]]
"""Sends a write and returns the API's answer."""

Check = Callable[[], Awaitable[ToolResult | None]]
"""Returns why a write is not sent, ``None`` if it may be sent."""


async def _allow() -> None:
    """Find nothing that stands in the way of a write."""


@dataclass(eq=False)
class Sending:
    """A write that this server is sending, and whether a request may have left that was not refused unprocessed."""

    number: int
    may_have_left: bool = False


@dataclass(eq=False)
class Job:
    """The task that sends a write, how far it is, and why the write is not sent, if it is not."""

    task: asyncio.Task[StoredWrite | None] | None = None
    sending: Sending | None = None
    refusal: ToolResult | None = None


_current: ContextVar[Sending | None] = ContextVar("marketingblocks_mcp_sending", default=None)
"""The write that the running task sends: the client's middleware sees requests, and must know whose they are."""


@dataclass(eq=False)
class Writes:
    """All writes of one server.

    Args:
        journal: its memory.
        settle_after: seconds to wait before an unlisted post counts as not created.
        jobs: the writes that this server is sending, by their request keys.
        beginning: held while a post or a bulk run looks for what the others send, until the others can see it.

    """

    journal: WriteJournal
    settle_after: float = SETTLE_AFTER
    jobs: dict[str, Job] = field(default_factory=dict[str, Job])
    beginning: asyncio.Lock = field(default_factory=asyncio.Lock)
    _unsaved: dict[str, StoredWrite] = field(default_factory=dict[str, StoredWrite])
    _saving: asyncio.Lock = field(default_factory=asyncio.Lock)
    _listed_at: float = float("-inf")

    async def intend(self, request: HttpRequest, send: Send) -> HttpResponse:
        """Record the intent to send before each attempt of a write; it is a middleware of the client."""
        sending = _current.get()
        if sending is not None and request.method != "GET":
            await in_thread(self.journal.intend, sending.number)
            sending.may_have_left = True
        return await send(request)

    def attempted(self, event: AttemptEvent) -> None:
        """Take note of how an attempt ended; it is an observer of the client."""
        sending = _current.get()
        if sending is not None and event.failure in (CallOutcome.NOT_SENT, CallOutcome.REFUSED):
            # Until the next attempt it is as if it had not been sent.
            sending.may_have_left = False

    async def once(
        self, client: MarketingBlocks, order: Order, call: Call, consent: Check, check: Check = _allow
    ) -> ToolResult:
        """Carry out a write unless its key has an outcome, and return the outcome.

        If the call is cancelled while the write waits for its turn, the write is not sent. If its request is in flight,
        the request finishes and the journal gets its outcome.

        Args:
            client: the open client whose middleware ``intend`` is.
            order: the write.
            call: sends it.
            consent: asks the person, if one has to be asked.
            check: looks at what bulk runs send, when nothing else can begin meanwhile.

        """
        has_consent = False
        while True:
            row = await self._earlier(client, order)
            if row is not None and row.order.is_like(order):
                # It goes on as what it was bound as, perhaps by an earlier version.
                order = replace(order, request_key=row.order.request_key, content_hash=row.order.content_hash)
            if row is not None and (told := _outcome_before(order, row)) is not None:
                return told
            # Nothing is held meanwhile: the person may never answer, and other calls with the key must go on.
            if not has_consent and (refusal := await consent()) is not None:
                return refusal
            has_consent = True
            if order.request_key in self.jobs:
                # It was begun by another call with the key, meanwhile.
                continue
            job = self._begin(client, order, call, check)
            if (told := await self._result_of(client, order, job)) is not None:
                return told
            # Another call bound the key, or another key to the same content, meanwhile.

    async def _earlier(self, client: MarketingBlocks, order: Order) -> StoredWrite | None:
        """Return the write whose outcome is that of an order too, ``None`` if there is none."""
        row = await self._look(client, order.request_key)
        if not order.has_derived_key:
            return row
        if row is None and order.former_key != order.request_key:
            row = await self._look(client, order.former_key)
        if row is None or row.state is RowState.PENDING:
            row = await self._look_for_same_content(client, order) or row
        return row

    async def _result_of(self, client: MarketingBlocks, order: Order, job: Job) -> ToolResult | None:
        """Return the result of a job when it has ended, ``None`` if it could not bind its key."""
        try:
            row = await self._end_of(job)
            if row is None:
                return job.refusal
            return _told(await self._look_for(client, row), repeated=False)
        except Exception:
            if job.sending is None or not job.sending.may_have_left:
                raise
            # The caller must not take it for an error after which nothing was sent.
            logger.exception("the outcome of the write %s cannot be told", order.request_key)
            return result(Outcome.UNKNOWN, advice_for_unknown(order.tool), request_key=order.request_key)

    async def _look(self, client: MarketingBlocks, request_key: str) -> StoredWrite | None:
        """Return what is known of a key, once it is no longer being sent or ``BUSY_FOR`` seconds have passed."""
        until = time.monotonic() + BUSY_FOR
        while True:
            job = self.jobs.get(request_key)
            if job is not None and job.task is not None:
                await asyncio.wait([job.task])
            row = await self._find(request_key)
            if row is None:
                return None
            if not row.elsewhere:
                return await self._look_for(client, row)
            if time.monotonic() > until:
                return row
            await asyncio.sleep(POLL_EVERY)

    async def _look_for_same_content(self, client: MarketingBlocks, order: Order) -> StoredWrite | None:
        """Return a write with the same content and another key, if it was sent or may have been."""
        while (row := await asyncio.to_thread(self.journal.find_same_content, order)) is not None:
            found = await self._look(client, row.order.request_key)
            if found is not None and (found.elsewhere or found.state not in (RowState.PENDING, RowState.FAILED)):
                return found
            # It was in hand and was not sent. If that is not on the disk yet, it has to be before the next look.
            key = row.order.request_key
            if found is not None and key not in self.jobs:
                self._unsaved.setdefault(key, found)
            await self._save_all([key])
        return None

    async def _look_for(self, client: MarketingBlocks, row: StoredWrite) -> StoredWrite:
        """Look for a post of unknown outcome at the API; return what is known of it then."""
        if row.state is not RowState.UNKNOWN or row.order.channel is None:
            return row
        try:
            await reconcile(client, self.journal, settle_after=self.settle_after)
            return await self._find(row.order.request_key) or row
        except Exception as error:  # noqa: BLE001 - it stays unknown, which is what is told
            logger.warning("cannot look for the post of the write %s: %s", row.order.request_key, error)
            return row

    async def _find(self, request_key: str) -> StoredWrite | None:
        # A key that is being sent again is saved by its own job, since its row must not change meanwhile.
        with suppress(JournalError):
            await self._save_all(key for key in list(self._unsaved) if key not in self.jobs)
        if (row := self._unsaved.get(request_key)) is not None:
            return row
        return await asyncio.to_thread(self.journal.find, request_key)

    def _begin(self, client: MarketingBlocks, order: Order, call: Call, check: Check) -> Job:
        job = self.jobs[order.request_key] = Job()
        job.task = asyncio.create_task(self._send(job, client, order, call, check))
        job.task.add_done_callback(partial(self._ended, order.request_key))
        return job

    def _ended(self, request_key: str, task: asyncio.Task[StoredWrite | None]) -> None:
        del self.jobs[request_key]
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its caller may have left.
            logger.warning("the write %s failed: %s", request_key, error)

    async def _end_of(self, job: Job) -> StoredWrite | None:
        assert job.task is not None  # noqa: S101 - set when it began
        try:
            return await asyncio.shield(job.task)
        except asyncio.CancelledError:
            if job.sending is None or not job.sending.may_have_left:
                job.task.cancel()
            raise

    async def _send(
        self, job: Job, client: MarketingBlocks, order: Order, call: Call, check: Check
    ) -> StoredWrite | None:
        await self._save_all([order.request_key])
        async with self.beginning:
            # Not before: a run may have begun while the person was asked.
            job.refusal = await check()
            row = None if job.refusal is not None else await self._bind(order)
        if row is None:
            return None
        job.sending = sending = Sending(row.number)
        try:
            if order.channel is not None:
                await self._note_what_is_listed(client)
            _current.set(sending)
            ended = _ended(row, await call(client))
        except (MarketingBlocksError, ValueError) as error:
            state = state_after(error)
            if sending.may_have_left and not _is_known_outcome(error):
                # It was raised beside the call, or after it, and does not say what became of the request.
                state = RowState.UNKNOWN
            kept = _kept(outcome_of(error, state), advice_for(error, pause_of(client)), said_by(error))
            ended = replace(row, state=state, answer=kept)
        except (Exception, asyncio.CancelledError):
            state = RowState.UNKNOWN if sending.may_have_left else RowState.PENDING
            await self._record(replace(row, state=state))
            raise
        return await self._record(ended)

    async def _bind(self, order: Order) -> StoredWrite | None:
        """Bind a key to a row; if this is cancelled meanwhile, this server has the row in hand no longer."""
        bound: list[StoredWrite] = []

        def bind() -> None:
            if (row := self.journal.bind(order)) is not None:
                bound.append(row)

        try:
            await in_thread(bind)
        except asyncio.CancelledError:
            for row in bound:
                await self._record(replace(row, state=RowState.PENDING))
            raise
        return bound[0] if bound else None

    async def _record(self, row: StoredWrite) -> StoredWrite:
        """Record what became of a row. A cancellation arrives afterwards, since the row may be sent again then."""
        key = row.order.request_key
        self._unsaved[key] = row

        def save() -> None:
            try:
                self._save(key)
            except JournalError as error:
                # The disk may be full. What is known is written before the journal is asked the next time; if this
                # process dies before, the row is unknown.
                logger.warning("the outcome of the write %s is not on the disk yet: %s", key, error)

        await in_thread(save)
        return row

    async def _save_all(self, request_keys: Iterable[str]) -> None:
        async with self._saving:
            for key in request_keys:
                if key in self._unsaved:
                    await in_thread(self._save, key)

    def _save(self, request_key: str) -> None:
        if (row := self._unsaved.get(request_key)) is not None:
            self.journal.end(row.number, row.state, post_id=row.post_id, answer=row.answer)
            self._unsaved.pop(request_key, None)

    async def _note_what_is_listed(self, client: MarketingBlocks) -> None:
        """Ask for the listings before a post, so that it can be told from older ones should its outcome be unknown."""
        # Posts appear also while the machine sleeps.
        if clock.now() - self._listed_at < LISTED_FOR:
            return
        self._listed_at = clock.now()
        self.journal.forget_highest_id()
        # Without a listing the post goes out all the same, so it does not wait long for one.
        await note_highest_id(client.with_options(retry=RetryPolicy(max_attempts=2)), self.journal)

    async def aclose(self, patience: float) -> None:
        """Let requests in flight finish, cancel those that wait, and record all of them.

        After ``patience`` seconds a request in flight is cancelled too, and its outcome is unknown.
        """
        jobs = list(self.jobs.values())
        for job in jobs:
            if job.task is not None and (job.sending is None or not job.sending.may_have_left):
                job.task.cancel()
        tasks = [job.task for job in jobs if job.task is not None]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=patience)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _ended(row: StoredWrite, answer: BaseModel) -> StoredWrite:
    """Return a write that the API has carried out."""
    return replace(
        row, state=RowState.DONE, post_id=_id_of(answer), answer=_kept(Outcome.DONE, None, answer_data(answer))
    )


def _is_known_outcome(error: Exception) -> bool:
    return isinstance(error, CallError) and not error.may_have_happened


def _kept(outcome: Outcome, what_to_do: str | None, said: Any) -> dict[str, Any]:
    """Return what the journal keeps of an outcome, to return it for the same key later."""
    return {"outcome": outcome.value, "what_to_do": what_to_do, "said": bounded(said)}


def _outcome_before(order: Order, row: StoredWrite) -> ToolResult | None:
    """Return the outcome of an earlier call with the key, ``None`` if the write may be sent."""
    if row.order.content_hash != order.content_hash:
        return result(
            Outcome.REFUSED,
            "This request_key belongs to another request. Nothing was sent. Give a new request_key.",
            request_key=order.request_key,
        )
    if row.elsewhere:
        return result(
            Outcome.RUNNING,
            "Another server is carrying it out. Make the same call with this request_key again later.",
            request_key=order.request_key,
        )
    return None if row.state is RowState.PENDING else _told(row, repeated=True)


def _told(row: StoredWrite, *, repeated: bool) -> ToolResult:
    """Return what the journal knows of a write."""
    kept: dict[str, Any] = row.answer or {}
    tell = partial(result, request_key=row.order.request_key, repeated=repeated, data=kept.get("said"))
    if row.state is RowState.DONE:
        return tell(Outcome.DONE, _REPEATED if repeated else None, id=row.post_id)
    if row.state in (RowState.FAILED, RowState.PENDING):
        return tell(Outcome(kept.get("outcome", Outcome.NOT_SENT)), kept.get("what_to_do"))
    return tell(Outcome.UNKNOWN, advice_for_unknown(row.order.tool))


def answer_data(answer: BaseModel | None) -> Any:
    """Return an answer of the API as JSON values, under the API's own names."""
    return None if answer is None else json_values(answer)


def _id_of(answer: BaseModel | None) -> str | None:
    for name in ("post_id", "id", "comment_bot_id"):
        if isinstance(value := getattr(answer, name, None), int | str):
            return storable(str(value))
    return None
