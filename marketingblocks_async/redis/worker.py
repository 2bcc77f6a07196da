"""The process's one line to a Redis: a thread that exchanges permits for all limiters, and nothing else.

A thread of its own, with an event loop of its own, because a token may be used on several event loops, because leases
must be renewed while one of those is busy, and because they must be given back after it has ended. The exchanges of
all tokens that are due go in one pipeline over one connection.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import math
import os
import threading
from collections.abc import Sequence

from . import clock
from .connection import Connection, Exchange, RedisFailure, RedisRefusal
from .lease import Lease, sign_of_life
from .settings import RedisRateLimit

logger: logging.Logger = logging.getLogger("marketingblocks_async")

BEAT = 0.5
"""Seconds between two signs of life, with ``share=N``."""

GOODBYE = 1.0
"""Seconds that a process waits at its end for its permits to be given back."""

_AT_ONCE = 64


class Office:
    """The leases of this process at one Redis.

    Args:
        settings: where it is; of the first limiter that uses it.

    """

    def __init__(self, settings: RedisRateLimit) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._leases: set[Lease] = set()
        # Those that will speak with Redis; all others rest.
        self._active: set[Lease] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._failing_since: float | None = None

    @property
    def failing_for(self) -> float | None:
        """Seconds since the first of the latest failures to reach Redis; ``None`` if the last exchange succeeded."""
        since = self._failing_since
        return None if since is None else clock.now() - since

    def join(self, lease: Lease) -> None:
        """Take a lease in."""
        with self._lock:
            self._leases.add(lease)
            if self._thread is None:
                self._loop = asyncio.new_event_loop()
                self._wakeup = asyncio.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._loop,), name="marketingblocks redis", daemon=True
                )
                self._thread.start()

    def wake(self, lease: Lease) -> None:
        """Look at a lease; called from any thread."""
        with self._lock:
            if self._loop is not None and lease in self._leases:
                self._loop.call_soon_threadsafe(self._note, lease)

    def say_goodbye(self) -> None:
        """Give everything back, and wait for it a moment."""
        with self._lock:
            thread, leases = self._thread, list(self._leases)
        for lease in leases:
            lease.close()
        if thread is not None:
            thread.join(GOODBYE)

    def _note(self, lease: Lease) -> None:
        lease.hurry()
        self._active.add(lease)
        self._wakeup.set()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(self._work())

    async def _work(self) -> None:
        connection = Connection(self._settings)
        beat = clock.now() if self._settings.share is not None else math.inf
        try:
            while not self._is_done():
                earliest = min((lease.due for lease in self._active), default=math.inf)
                await self._sleep_until(min(earliest, beat))
                now = clock.now()
                due = sorted((lease for lease in self._active if lease.due <= now), key=lambda lease: lease.due)
                if due or now >= beat:
                    await self._exchange(connection, due[:_AT_ONCE])
                    beat = max(beat, now + BEAT)
        finally:
            await connection.close()

    def _is_done(self) -> bool:
        """Whether nobody needs the thread any more; then the next one starts another."""
        with self._lock:
            if self._leases:
                return False
            self._thread = self._loop = None
            return True

    async def _sleep_until(self, when: float) -> None:
        seconds = when - clock.now()
        if seconds > 0:
            try:
                async with asyncio.timeout(None if seconds == math.inf else seconds):
                    await self._wakeup.wait()
            except TimeoutError:
                pass
        self._wakeup.clear()

    async def _exchange(self, connection: Connection, leases: Sequence[Lease]) -> None:
        """Speak with Redis, for some leases or just to give a sign of life."""
        exchanges = [Exchange(lease.keys, lease.prepare()) for lease in leases] or [self._sign_of_life()]
        try:
            replies = await connection.run(exchanges)
        except RedisRefusal as refusal:
            self._note_failure(refusal)
            for lease in leases:
                lease.refused(refusal)
        except RedisFailure as failure:
            failing_for = self._note_failure(failure)
            for lease in leases:
                lease.failed(failing_for, failure)
        else:
            self._note_success()
            for lease, reply in zip(leases, replies, strict=False):
                lease.accept(reply)
        self._dismiss(leases)

    def _dismiss(self, leases: Sequence[Lease]) -> None:
        """Look no more at those that need nothing."""
        for lease in leases:
            if lease.closing:
                with self._lock:
                    self._leases.discard(lease)
            if lease.closing or lease.due == math.inf:
                self._active.discard(lease)

    def _sign_of_life(self) -> Exchange:
        settings = self._settings
        marker = f"{{{settings.prefix}}}:marker"
        return Exchange((marker,), sign_of_life(settings))

    def _note_failure(self, failure: Exception) -> float:
        now = clock.now()
        if self._failing_since is None:
            self._failing_since = now
            logger.warning(
                "Redis at %s, which keeps the rate limit, cannot be reached: %s", self._settings.where, failure
            )
        return now - self._failing_since

    def _note_success(self) -> None:
        if self._failing_since is not None:
            seconds, self._failing_since = clock.now() - self._failing_since, None
            logger.warning("Redis at %s answers again, after %.1f s", self._settings.where, seconds)


# Global, like the limiters themselves: by Redis, and by process, since a thread does not survive a fork.
_OFFICES: dict[tuple[object, ...], Office] = {}
_LOCK = threading.Lock()


def office_of(settings: RedisRateLimit) -> Office:
    """Return the office of this process for the Redis of ``settings``."""
    key = (os.getpid(), settings.url, settings.connect, settings.prefix, settings.share, settings.recovery)
    with _LOCK:
        office = _OFFICES.get(key)
        if office is None:
            office = _OFFICES[key] = Office(settings)
        return office


@atexit.register
def _say_goodbye() -> None:
    for (pid, *_), office in list(_OFFICES.items()):
        if pid == os.getpid():
            office.say_goodbye()
