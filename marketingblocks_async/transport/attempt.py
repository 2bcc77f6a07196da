"""One attempt of a call, as the wire sees it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from typing import Any

from marketingblocks_async.errors import Outcome
from marketingblocks_async.limits.settings import Limiter, Permit
from marketingblocks_async.limits.slots import ConnectionSlot

LONGEST_UNTIL_WRITTEN = 15.0
"""Seconds at most between the record of an intent and the writing of its request; less with a short timeout."""

_SHORTEST_UNTIL_WRITTEN = 0.5
"""Seconds that are allowed with any timeout, since a record on the disk takes its time."""


class SendFailure(Exception):  # noqa: N818 - the error for the caller is made elsewhere
    """An attempt got no usable response.

    Args:
        outcome: what may have happened at the server.
        reason: for a person; a server may have echoed the token in it.
        timed_out: whether it took too long.
        connection_was_dead: whether it was lost with a reused connection that turned out dead.
        was_only_held_back: whether nothing failed, but the limiter held it back for too long.

    """

    def __init__(
        self,
        outcome: Outcome,
        reason: str,
        *,
        timed_out: bool = False,
        connection_was_dead: bool = False,
        was_only_held_back: bool = False,
    ) -> None:
        super().__init__(outcome, reason)
        self.outcome = outcome
        self.reason = reason
        self.timed_out = timed_out
        self.connection_was_dead = connection_was_dead
        self.was_only_held_back = was_only_held_back


class ResponseTooLarge(SendFailure):
    """A success response is larger than the client accepts."""


class Attempt:
    """One attempt of a call, as the wire sees it, and the scope in which it can be interrupted.

    Args:
        limiter: the limiter that says when it may be written; ``None`` if there is no limit.
        permit: its permit; ``None`` if there is no limit.
        operation: name of the operation, for the limiter.

    Attributes:
        is_resendable: whether it may be sent again when it is not known whether it arrived.
        needs_new_connection: whether it must not use a pooled connection.
        began: ``time.monotonic()`` at its beginning.
        handed_over: whether the request was handed to aiohttp.
        observed: whether aiohttp then called our hook: asked our connector for a connection, or the middleware of a
            session that was handed in. If it never does, its insides have changed, and nothing is known of the request.
        sent: whether some of it may have been written.
        answered: whether the head of a response was read.
        in_one_piece: whether the body is written at once.
        connection: the connection that it was written to.
        timed_out: whether it was interrupted because it took too long.
        idle: seconds that this connection had been idle; ``None`` for a new one.
        uses: number of responses that this connection had brought.
        held_back: seconds that it waited, for the limiter to let it be written or for a socket; its timeout does not
            count them.
        waiting_since: ``time.monotonic()`` at the beginning of such a wait; ``None`` if it does not wait.
        slot: what it gives back at its end, where the process has few sockets.
        connection_slot: likewise, of a client with ``max_connections``.

    """

    # Defaults are on the class, because most attempts need no other values and creating them is on the hot path.
    is_resendable: bool = True
    needs_new_connection: bool = False
    handed_over: bool = False
    observed: bool = False
    sent: bool = False
    answered: bool = False
    in_one_piece: bool = True
    timed_out: bool = False
    connection: asyncio.Transport | None = None
    idle: float | None = None
    uses: int = 0
    held_back: float = 0.0
    waiting_since: float | None = None
    slot: asyncio.Semaphore | None = None
    connection_slot: ConnectionSlot | None = None
    _latest_write: tuple[float, float] | None = None
    _task: asyncio.Task[Any] | None = None
    _cancelling = 0
    _interruption: str | None = None

    def __init__(self, limiter: Limiter | None, permit: Permit | None, operation: str = "") -> None:
        self.limiter = limiter
        self.permit = permit
        self.operation = operation
        self.began: float = time.monotonic()

    async def hold_back(self, wait: Coroutine[Any, Any, None]) -> float:
        """Wait for something that its timeout does not count; return the seconds."""
        self.waiting_since = began = time.monotonic()
        try:
            await wait
        finally:
            self.waiting_since = None
            waited = time.monotonic() - began
            self.held_back += waited
        return waited

    def intend(self, timeout: float) -> None:
        """Note that the intent to send it is recorded now, and let it be written only within half of ``timeout``.

        Who finds the record later reckons from its time when the request must have arrived. So an attempt that waited
        long after that, in a pause or because the process stood still, needs a new record.
        """
        seconds = min(max(timeout / 2, _SHORTEST_UNTIL_WRITTEN), LONGEST_UNTIL_WRITTEN)
        # By the calendar as well, since the other clock stands still while the machine sleeps.
        self._latest_write = time.monotonic() + seconds, time.time() + seconds

    @property
    def is_intended(self) -> bool:
        """Whether the intent to send it was noted."""
        return self._latest_write is not None

    @property
    def is_late(self) -> bool:
        """Whether the record of its intent is too old for it to be written."""
        latest = self._latest_write
        return latest is not None and (time.monotonic() > latest[0] or time.time() > latest[1])

    @property
    def was_only_held_back(self) -> bool:
        """Whether the record of its intent is too old only because it was held back."""
        latest, held_back = self._latest_write, self.held_back
        if latest is None or not self.is_late:
            return False
        return time.monotonic() - held_back <= latest[0] and time.time() - held_back <= latest[1]

    def begin(self) -> None:
        """Allow interruptions from here until ``end()``."""
        task = asyncio.current_task()
        if task is not None:
            self._task = task
            self._cancelling = task.cancelling()

    def end(self) -> None:
        """Allow no interruption any more, and give back what it holds."""
        if not self.is_destroyed:
            # Else this may be the last reference to the task, which would close its coroutine while that is running.
            self._task = None
        if self.permit is not None and self.may_have_left and not self.sent:
            self.permit.sending(self.operation)
        self.give_back()

    def give_back(self) -> None:
        """Give back the permit, if no response has done so, and the slots."""
        if self.permit is not None:
            self.permit.release()
        if self.connection_slot is not None:
            self.connection_slot.release()
        slot, self.slot = self.slot, None
        if slot is not None:
            # With its event loop closed, the attempts that wait for a slot cannot be woken.
            with contextlib.suppress(RuntimeError):
                slot.release()

    def interrupt(self, why: str) -> None:
        """End the attempt from outside: its task is cancelled, and ``interrupted()`` turns that into a failure."""
        if self._task is not None and self._interruption is None:
            self._interruption = why
            self._task.cancel()

    def interrupted(self) -> str | None:
        """On a cancellation: why it was interrupted; ``None`` if the task was (also) cancelled by other code."""
        if self._interruption is None or self._task is None or self._task.uncancel() > self._cancelling:
            return None
        return self._interruption

    def sending(self) -> None:
        """Note that from here on some of it may be on the wire."""
        self.sent = True
        if self.permit is not None:
            self.permit.sending(self.operation)

    @property
    def has_ended(self) -> bool:
        """Whether it is over; also before it begins."""
        return self._task is None

    @property
    def is_destroyed(self) -> bool:
        """Whether its event loop was closed, so that its coroutine can only be on its way to its end."""
        return self._task is not None and self._task.get_loop().is_closed()

    @property
    def may_have_left(self) -> bool:
        """Whether some of it may have reached the network; so it counts if it could not be observed."""
        return self.sent or self.answered or (self.handed_over and not self.observed)
