"""Bugs to be planted, to see that the simulation finds them. Each breaks one line of the client's reasoning."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from typing import Any
from unittest import mock

from marketingblocks_async.bulk import BulkRun, Journal, RowState
from marketingblocks_async.bulk.journal.writer import GroupCommit
from marketingblocks_async.bulk.run import matching
from marketingblocks_async.calls.retry import RetryRules
from marketingblocks_async.errors import Outcome
from marketingblocks_async.limits.permits import PooledPermit
from marketingblocks_async.limits.queue import LoopQueue
from marketingblocks_async.limits.release import ReleaseRule
from marketingblocks_async.resources.create_many import CreateMany
from marketingblocks_async.transport.attempt import Attempt

Patch = tuple[Any, str, Any]


def _always(value: Any) -> Callable[..., Any]:
    def returns(*_: Any, **__: Any) -> Any:
        return value

    return returns


def _permits_return_with_the_response() -> list[Patch]:
    """A permit comes back when the response does, and not a second later."""

    def now(_self: Any, _permit: Any, at: float, **_: Any) -> float:
        return at

    return [
        (ReleaseRule, "when_answered", now),
        (ReleaseRule, "when_due", now),
    ]


def _permits_are_kept_without_a_response() -> list[Patch]:
    """A call that ends without a response keeps its permit."""
    return [
        (PooledPermit, "release", _always(None)),
        (PooledPermit, "__del__", _always(None)),
        (ReleaseRule, "when_sending", _always(float("inf"))),
        (ReleaseRule, "when_sent", _always(float("inf"))),
    ]


def _unknown_outcomes_are_resent() -> list[Patch]:
    """A write of unknown outcome is retried like a read."""
    allow = RetryRules.allow

    def resend(self: RetryRules, failed: Any) -> bool:
        if getattr(failed, "outcome", None) is Outcome.UNKNOWN:
            failed.outcome = Outcome.NOT_SENT
        return allow(self, failed)

    return [(RetryRules, "allow", resend)]


def _refused_although_unknown() -> list[Patch]:
    """A 503 with Retry-After counts as rejected before processing, and so its write is resent."""
    allow = RetryRules.allow

    def resend(self: RetryRules, failed: Any) -> bool:
        if getattr(failed, "pauses_token", False):
            failed.outcome = Outcome.REFUSED
        return allow(self, failed)

    return [(RetryRules, "allow", resend)]


def _intents_are_not_waited_for() -> list[Patch]:
    """A row is sent while its intent is still on the way to the disk."""
    intend = Journal.intend

    async def hurry(_: Any) -> None:
        """Wait for nothing."""

    def begin(self: Journal, number: int) -> Any:
        return hurry(intend(self, number))

    return [(Journal, "intend", begin)]


def _commits_are_told_early() -> list[Patch]:
    """The writer tells that something is on the disk when it has handed it to the thread."""
    commit: Any = vars(GroupCommit)["_commit"]

    def early(self: Any) -> None:
        waiting = list(self._waiting)
        commit(self)
        for future in waiting:
            if not future.done():
                future.set_result(None)

    return [(GroupCommit, "_commit", early)]


def _killed_rows_are_pending() -> list[Patch]:
    """Rows that a killed process was sending count as not sent."""

    async def settle(self: Journal) -> int:
        numbers = [row.number for row in self.rows([RowState.SENDING])]
        for number in numbers:
            self.end(number, RowState.PENDING)
        await self.flush()
        return len(numbers)

    return [(Journal, "settle_unfinished", settle)]


def _unlisted_is_absent_at_once() -> list[Patch]:
    """A row that is not listed counts as not created, although its request may still be on the way."""
    init = BulkRun.__init__

    def impatient(self: BulkRun, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **{**kwargs, "settle_after": 0.0})

    return [(BulkRun, "__init__", impatient)]


def _last_in_first_out() -> list[Patch]:
    """The newest call is granted first."""
    grant: Any = vars(LoopQueue)["_grant"]

    def newest(self: Any, now: float) -> float | None:
        for waiting in self._levels:
            if len(waiting) > 2:
                waiting.move_to_end(next(reversed(waiting)), last=False)
        wake: float | None = grant(self, now)
        return wake

    return [(LoopQueue, "_grant", newest)]


def _writes_do_not_wait() -> list[Patch]:
    """A granted request is written although a pause has begun since."""

    async def at_once(_self: Any, _owner: object) -> None:
        await asyncio.sleep(0)

    return [(LoopQueue, "wait_to_write", at_once)]


def _the_last_caller_is_forgotten() -> list[Patch]:
    """No timer is set when one call is left in the queue."""
    release: Any = vars(LoopQueue)["_release_due"]

    def forget(self: Any, now: float) -> float | None:
        wake: float | None = release(self, now)
        return None if sum(map(len, self._levels)) == 1 else wake

    return [(LoopQueue, "_release_due", forget), (LoopQueue, "permit_comes_back", _always(None))]


def _outcomes_are_lost_at_the_end() -> list[Patch]:
    """``create_many`` that is left early forgets one post."""
    aclose = CreateMany.aclose

    async def lose(self: CreateMany) -> None:
        await aclose(self)
        del self.undelivered[1:2]

    return [(CreateMany, "aclose", lose)]


def _sessions_begin_with_a_full_limit() -> list[Patch]:
    """A process does not consider what the one before it sent a moment ago."""
    return [(BulkRun, "_pause_for_previous_session", _always(None))]


def _intents_of_tools_are_not_recorded() -> list[Patch]:
    """The journal of the MCP server does not know that a request goes out."""
    if find_spec("mcp") is None:
        return []
    from marketingblocks_async.mcp.journal import WriteJournal  # noqa: PLC0415 - an extra

    return [(WriteJournal, "intend", _always(None))]


def _old_intents_are_good() -> list[Patch]:
    """A request is written although its intent was recorded long before."""
    return [(Attempt, "is_late", False)]


def _ids_hold_for_rows_sent_before() -> list[Patch]:
    """What the API lists when a run goes on is taken for older than all of its rows."""
    from marketingblocks_async.distributed import SharedJournal  # noqa: PLC0415 - an extra

    highest_ids = SharedJournal.highest_ids
    is_as_sent = matching._is_as_sent  # pyright: ignore[reportPrivateUsage] - what the bug changes

    async def at_the_beginning(self: SharedJournal) -> list[tuple[float, int | None]]:
        return [(0.0, post_id) for _, post_id in (await highest_ids(self))[:1]]

    # Without the second guard, that the ids of listed posts have to show it. With that the first one does no harm.
    def by_text(post: matching.ListedPost, row: matching.SentRow) -> bool:
        return is_as_sent(post, replace(row, highest_known_id=None))

    return [(SharedJournal, "highest_ids", at_the_beginning), (matching, "_is_as_sent", by_text)]


def _every_delivery_is_sent() -> list[Patch]:
    """A worker sends what the queue delivers, although another worker has the row."""
    from marketingblocks_async.distributed import SharedJournal  # noqa: PLC0415 - an extra
    from marketingblocks_async.distributed.journal import RowTakenError  # noqa: PLC0415 - an extra

    intend = SharedJournal.intend

    async def whoever_has_it(self: SharedJournal, *arguments: Any) -> None:
        with suppress(RowTakenError):
            await intend(self, *arguments)

    return [(SharedJournal, "intend", whoever_has_it)]


BUGS: dict[str, tuple[str, int, Callable[[], list[Patch]]]] = {
    "permits return with the response": ("calls", 0, _permits_return_with_the_response),
    "permits are kept without a response": ("calls", 1, _permits_are_kept_without_a_response),
    "unknown outcomes are resent": ("calls", 1, _unknown_outcomes_are_resent),
    "a 503 with Retry-After is resent": ("calls", 17, _refused_although_unknown),
    "last in, first out": ("calls", 0, _last_in_first_out),
    "writes do not wait": ("calls", 14, _writes_do_not_wait),
    "the last caller is forgotten": ("calls", 0, _the_last_caller_is_forgotten),
    "outcomes are lost at the end": ("many", 5, _outcomes_are_lost_at_the_end),
    "intents are not waited for": ("bulk", 10, _intents_are_not_waited_for),
    "commits are told early": ("bulk", 192, _commits_are_told_early),
    "killed rows are pending": ("bulk", 3, _killed_rows_are_pending),
    "unlisted is absent at once": ("bulk", 113, _unlisted_is_absent_at_once),
    "intents of tools are not recorded": ("tools", 10, _intents_of_tools_are_not_recorded),
    "old intents are good": ("workers", 93, _old_intents_are_good),
    "ids hold for rows sent before": ("workers", 0, _ids_hold_for_rows_sent_before),
    "every delivery is sent": ("workers", 0, _every_delivery_is_sent),
    "sessions begin with a full limit": ("bulk", 2, _sessions_begin_with_a_full_limit),
}
"""Each bug with the scenario that shows it, and the first seed that did.

That one is tried before all others, so a change of the client after which another seed shows the bug costs time only.
"""


@contextmanager
def planted(name: str) -> Generator[None]:
    """Plant a bug."""
    patches = [mock.patch.object(*patch) for patch in BUGS[name][2]()]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in reversed(patches):
            patch.stop()
