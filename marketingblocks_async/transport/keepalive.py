"""Which connections a write may use again: what is learnt from those that turned out dead."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import time

from .attempt import Attempt

KEEPALIVE = 4.0
"""Seconds after which an idle connection is not used again.

A write on a connection that the server is just closing ends with an unknown outcome, which costs far more than a new
connection. Most servers keep an idle connection for at least 5 s (Node.js, uvicorn and Apache 5, nginx 75).
"""

LESSON = 60.0
"""Seconds for which a connection that turned out dead makes writes choose younger ones; twice as long after each."""

LONGEST_LESSON = 3600.0

SHORTEST_IDLE = 0.1
"""Seconds below which a dead connection was hardly closed for its idleness; writes then use no connection twice."""

FEW_USES = 8
"""Responses on one connection up to which each further one has to be proven."""

SHORTEST_TRY = 0.05
LONGEST_TRY = 0.25
"""Seconds after which a write that tries a connection has passed although it has no response yet.

A server that has closed a connection says so as soon as the request arrives, within about the time that it takes to
open a connection. The other writes wait no longer than that, since each of them holds a permit meanwhile. Where
responses take longer than the second of these, they do not wait but use connections that are proven, or open some, and
the longer time counts.
"""

CHECK_AFTER = 0.02
"""Seconds of idleness after which a connection is asked, before it is written to, whether the server has closed it.

The event loop has noticed a connection that was closed longer ago, unless the loop itself was blocked meanwhile.
"""

_KEEPALIVE_TIMEOUT = re.compile(r"\btimeout\s*=\s*(\d{1,9})\b")


class KeepaliveLesson:
    """Learns from dead connections how long one may be idle before a write should use a new one.

    A write on a connection that the server is closing ends with an unknown outcome; a new connection avoids that. Until
    a response has come on a connection that was idle as long and used as often as this one, one write at a time tries
    it. The others wait for the result or, where responses are slow, open connections. So one outcome is unknown,
    instead of one for each write in flight.

    Attributes:
        distrusted_until: ``time.monotonic()`` of the last connection that turned out dead; connections that were idle
            at that time are not used again.
        is_slow: whether responses are slow; then a write that may not try its connection takes another one or opens
            one. If it waited for the response, it would hold a permit meanwhile.

    """

    def __init__(self) -> None:
        self.distrusted_until: float = -math.inf
        self.is_slow: bool = False
        self._offered = KEEPALIVE
        self._learned = KEEPALIVE
        self._forget_at = math.inf
        self._lasts = LESSON
        # The longest idle time, and the most earlier responses, after which a reused connection brought a response.
        self._proven_idle = 0.0
        self._proven_uses = 0
        self._trying: Attempt | None = None
        # Instant from which on it counts as proven; inf until it is written.
        self._passes_at = math.inf
        self._tried = asyncio.Event()
        self._fastest_opening = LONGEST_TRY

    def allows(self, idle: float) -> bool:
        """Return whether a write may use a connection that has been idle for so many seconds."""
        if self._learned < KEEPALIVE and time.monotonic() >= self._forget_at:
            self._learned = KEEPALIVE
        return idle < min(self._learned, self._offered)

    def may_try(self, attempt: Attempt) -> bool:
        """Return whether the attempt may use its connection now; otherwise call ``wait()``."""
        idle = attempt.idle
        if attempt.is_resendable or idle is None:
            return True
        # Servers that close by a count do so after a few requests, or after a hundred and more.
        uses = self._proven_uses if self._proven_uses < FEW_USES else 2 * self._proven_uses
        if idle <= max(self._proven_idle, CHECK_AFTER) and attempt.uses <= uses:
            return True
        trying = self._trying
        if trying is not None and trying is not attempt and not trying.has_ended:
            if time.monotonic() < self._passes_at:
                return False
            self.prove(trying.idle or 0.0, trying.uses)
            self.is_slow = True
            return self.may_try(attempt)
        self._trying, self._passes_at = attempt, math.inf
        self._tried.clear()
        return True

    def sending(self, attempt: Attempt) -> None:
        """Note that an attempt is about to be written."""
        if attempt is self._trying:
            seconds = LONGEST_TRY if self.is_slow else max(SHORTEST_TRY, self._fastest_opening)
            self._passes_at = time.monotonic() + seconds

    def opened(self, seconds: float) -> None:
        """Note how long it took to open a connection."""
        self._fastest_opening = min(self._fastest_opening, seconds)

    def answered_on_new(self, seconds: float) -> None:
        """Note how long the first response on a connection took."""
        self.is_slow = seconds > LONGEST_TRY

    async def wait(self, attempt: Attempt) -> None:
        """Let an attempt wait for the result of the write that tries a connection, or until that has passed."""
        if self._trying is not None and self._trying.waiting_since is not None:
            # That one is held back itself, and all who wait for it are.
            await attempt.hold_back(self._wait())
        else:
            await self._wait()

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(LONGEST_TRY, self._passes_at - time.monotonic())):
                await self._tried.wait()

    def prove(self, idle: float, uses: int) -> None:
        """Note that a reused connection brought a response."""
        if idle > self._proven_idle or uses > self._proven_uses or self._trying is not None:
            self._proven_idle = max(self._proven_idle, idle)
            self._proven_uses = max(self._proven_uses, uses)
            self._end_try()

    def _end_try(self) -> None:
        self._trying = None
        self._tried.set()

    def learn(self, idle: float) -> None:
        """Note that a connection turned out dead after it had been idle for so many seconds."""
        now = time.monotonic()
        if self._forget_at < math.inf and now > self._forget_at:
            # It was forgotten, and turns out to hold still.
            self._lasts = min(2 * self._lasts, LONGEST_LESSON)
        # A server that closes a connection in use does not go by idleness.
        self._learned = min(self._learned, idle / 2 if idle > SHORTEST_IDLE else 0.0)
        self._forget_at = now + self._lasts
        self.distrusted_until = now
        self._proven_idle, self._proven_uses = min(self._proven_idle, self._learned), 0
        self._end_try()

    def read_offer(self, offer: str) -> None:
        """Keep a second of distance from the server's own ``Keep-Alive: timeout=…``."""
        if match := _KEEPALIVE_TIMEOUT.search(offer):
            seconds = float(match[1])
            self._offered = min(KEEPALIVE, max(seconds - 1.0, seconds / 2))
