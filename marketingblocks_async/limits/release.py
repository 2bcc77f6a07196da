"""When a permit comes back: the one place that decides it, from what was seen of its request."""

from __future__ import annotations

import math

from .settings import RateLimit

RELEASED_UNSEEN_HOLD = 30.0
"""Seconds, on top of ``per``, that a request without a response holds its permit when ``guard`` is infinite."""

FRESH_CONNECTION_GUARD = 1.0
"""Lowest guard, in seconds, for the first request on a new connection."""

WIDEST_GUARD = 1.0
"""Upper bound, in seconds, of a guard that 429s have widened."""

GUARD_NARROWS_AFTER = 60.0
"""Seconds without a 429 after which a widened guard returns to the configured one."""


class PermitState:
    """The pool's record of one permit. It outlives the object that reports on the permit.

    Attributes:
        sending_at: instant from which some of the request may be on the wire; ``None`` before that.
        returned: whether the permit has come back.

    """

    __slots__ = ("returned", "sending_at")

    def __init__(self) -> None:
        self.sending_at: float | None = None
        self.returned: bool = False


class ReleaseRule:
    """Decides when each permit comes back. The package's docstring proves that this is late enough.

    The pool calls it under its lock, so it may keep state. All instants are of the pool's clock. An answer of ``inf``
    means: what is known does not set a time yet.

    Args:
        settings: the limit.

    """

    def __init__(self, settings: RateLimit) -> None:
        self._per = settings.per
        self._configured_guard = self._guard = settings.guard
        self._narrows_at = math.inf

    def guard_at(self, now: float) -> float:
        """Return the guard in force, in seconds."""
        if now >= self._narrows_at:
            self._guard, self._narrows_at = self._configured_guard, math.inf
        return self._guard

    def when_sent(self, permit: PermitState, now: float, *, fresh_connection: bool) -> float:
        """Return when the permit comes back if no response is read before: the whole request was written before now."""
        del permit
        guard = self.guard_at(now)
        return now + (max(guard, FRESH_CONNECTION_GUARD) if fresh_connection else guard) + self._per

    def when_answered(self, permit: PermitState, now: float) -> float:
        """Return when the permit comes back: the head of the response has just been read."""
        del permit
        return now + self._per

    def when_released(self, permit: PermitState, now: float) -> float:
        """Return when the permit comes back: its call ends now without a response."""
        if permit.sending_at is None:
            return -math.inf
        # The connection is closed with the call, so the request was written before now or never will be.
        guard = self.guard_at(now)
        hold = max(guard, FRESH_CONNECTION_GUARD) if guard < math.inf else RELEASED_UNSEEN_HOLD
        return now + hold + self._per

    def note_429(self, now: float, *, widen: bool) -> None:
        """Take a 429 as evidence that the guard is too small for this path.

        Args:
            now: the instant.
            widen: whether it is the first of its burst; the others only keep the guard wide.

        """
        guard = self.guard_at(now)
        if widen and guard < WIDEST_GUARD:
            self._guard = min(max(2 * guard, 0.001), WIDEST_GUARD)
        if self._guard != self._configured_guard:
            self._narrows_at = now + GUARD_NARROWS_AFTER
