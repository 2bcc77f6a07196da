"""The timeout of attempts."""

from __future__ import annotations

import asyncio
import math
import time

from .attempt import Attempt

TURNS_TO_READ = 3
"""Turns of the event loop between the end of the time of an attempt or call that was sent and its interruption.

A process that stood still, suspended or in a long computation, finds responses together with the end of their time, and
the loop may call timers before it has looked for what can be read. So it looks, reads, and wakes the attempts first.
"""


LEAST_LEFT = 0.25
"""Part of the timeout after which an attempt that is held back is checked again, or later. Each check costs time."""


class AttemptTimer:
    """Interrupts attempts that take too long.

    One timer serves all attempts with the same timeout: they end in the order in which they began, so only the oldest
    needs one. A timer per attempt costs three times as much.

    Args:
        loop: the event loop.
        seconds: the timeout of an attempt; ``inf`` for none.
        timers: the timers in use by their seconds; this one removes itself when it has nothing to watch.

    """

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, timers: dict[float, AttemptTimer]) -> None:
        self._loop = loop
        self._seconds = seconds
        self._timers = timers
        self._handle: asyncio.Handle | None = None
        # With the instant at which each must have ended if the limiter does not hold it back, the oldest first.
        self._attempts: dict[Attempt, float] = {}

    def begin(self, attempt: Attempt) -> None:
        """Watch an attempt, which begins now."""
        self._attempts[attempt] = self._loop.time() + self._seconds
        # Without a bound it only ends when the client closes.
        if self._handle is None and self._seconds < math.inf:
            self._handle = self._loop.call_later(self._seconds, self._interrupt_late)

    def end(self, attempt: Attempt) -> None:
        """Stop watching an attempt."""
        self._attempts.pop(attempt, None)

    def close(self) -> None:
        """Interrupt all attempts, since the client closes."""
        if self._handle is not None:
            self._handle.cancel()
        for attempt in self._attempts:
            attempt.interrupt("the client was closed")

    def abandon(self) -> None:
        """Give back what the attempts hold, since their event loop was closed: nothing can interrupt them there."""
        for attempt in self._attempts:
            attempt.end()

    def _interrupt_late(self, turns: int = TURNS_TO_READ) -> None:
        self._handle = None
        now, look_again = self._loop.time(), math.inf
        for attempt, end in list(self._attempts.items()):
            if end > now:
                look_again = min(look_again, end)
                break
            # A pause of the token may take longer than any timeout. Meanwhile the attempt keeps what it has left.
            left = end + attempt.held_back - now
            if attempt.waiting_since is not None:
                left = max(left + time.monotonic() - attempt.waiting_since, self._seconds * LEAST_LEFT)
            if left > 0:
                look_again = min(look_again, now + left)
            elif not (turns and attempt.sent):
                attempt.timed_out = True
                attempt.interrupt(f"no complete response within {self._seconds:g} s")
                del self._attempts[attempt]
        if turns:
            self._handle = self._loop.call_soon(self._interrupt_late, turns - 1)
        elif self._attempts:
            self._handle = self._loop.call_at(look_again, self._interrupt_late)
        else:
            del self._timers[self._seconds]
