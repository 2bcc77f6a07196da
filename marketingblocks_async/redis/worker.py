"""The process's worker for a Redis: a thread that exchanges permits for all limiters.

It has its own thread and event loop for three reasons: a token may be used on several event loops, leases must be
renewed while one of those is busy, and permits must be returned after it has ended. The exchanges of all tokens that
are due go in one pipeline over one connection.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import math
import os
import threading
from collections.abc import Sequence

from marketingblocks_async import clock

from .connection import AccessDeniedError, Connection, DeadConnectionError, Exchange, UnreachableError
from .lease import Lease, heartbeat
from .settings import RedisSettings

logger: logging.Logger = logging.getLogger("marketingblocks_async")

HEARTBEAT_INTERVAL = 0.5
"""Seconds between two heartbeats, with ``share=N``."""

SHUTDOWN_TIMEOUT = 1.0
"""Seconds that a process waits at its end for its permits to be returned."""

PIPELINE_SIZE = 64
"""Largest number of exchanges in one round trip."""


class LeaseWorker:
    """Exchanges the leases of this process with one Redis; the settings are those of its first limiter."""

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._leases: set[Lease] = set()
        # Those with an exchange to come; all others rest.
        self._active: set[Lease] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._failing_since: float | None = None
        # The same without denials. They are no outage: other processes may have leases meanwhile.
        self._out_of_reach_since: float | None = None

    @property
    def failing_for(self) -> float | None:
        """Seconds since the first of the latest failures to reach Redis; ``None`` if the last exchange succeeded."""
        since = self._failing_since
        return None if since is None else clock.now() - since

    def register(self, lease: Lease) -> None:
        """Exchange for a lease from now on; starts the thread if there is none."""
        with self._lock:
            self._leases.add(lease)
            self._running_loop()

    def wake(self, lease: Lease) -> None:
        """Look soon whether a lease needs an exchange; may be called from any thread."""
        with self._lock:
            if lease in self._leases:
                # A loop that has just died of an error is closed; a call that waits wakes the next one.
                with contextlib.suppress(RuntimeError):
                    self._running_loop().call_soon_threadsafe(self._note, lease)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        """Return the thread's loop; starts the thread if there is none. The lock is held."""
        if self._loop is None:
            loop = asyncio.new_event_loop()
            self._wakeup = asyncio.Event()
            self._thread = threading.Thread(target=self._run, args=(loop,), name="marketingblocks redis", daemon=True)
            self._thread.start()
            self._loop = loop
        return self._loop

    def release_all(self) -> None:
        """Return all permits, and wait up to ``SHUTDOWN_TIMEOUT`` for that."""
        with self._lock:
            thread, leases = self._thread, list(self._leases)
        for lease in leases:
            lease.closing = True
            self.wake(lease)
        if thread is not None:
            thread.join(SHUTDOWN_TIMEOUT)

    def _note(self, lease: Lease) -> None:
        lease.schedule_exchange()
        self._active.add(lease)
        self._wakeup.set()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(self._work())
        finally:
            with self._lock:
                if self._loop is loop:
                    # It did not end by itself, but of something like SystemExit. The next call starts another.
                    self._thread = self._loop = None
                    for lease in self._leases:
                        lease.is_signalled = False

    async def _work(self) -> None:
        connection = Connection(self._settings)
        next_heartbeat = clock.now() if self._settings.share is not None else math.inf
        try:
            while not self._is_done():
                earliest = min((lease.due for lease in self._active), default=math.inf)
                await self._sleep_until(min(earliest, next_heartbeat))
                now = clock.now()
                due = sorted((lease for lease in self._active if lease.due <= now), key=lambda lease: lease.due)
                if due or now >= next_heartbeat:
                    await self._exchange(connection, due[:PIPELINE_SIZE])
                    next_heartbeat = max(next_heartbeat, now + HEARTBEAT_INTERVAL)
        finally:
            await connection.close()

    def _is_done(self) -> bool:
        """End the thread if no lease is registered; the next lease starts another."""
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
        """Exchange with Redis, for some leases or just as a heartbeat."""
        try:
            try:
                replies = await connection.run(self._prepare(leases))
            except DeadConnectionError:
                # Only a failed reconnect is an outage.
                replies = await connection.run(self._prepare(leases))
            self._note_success()
            for lease, reply in zip(leases, replies, strict=False):
                self._apply(lease, reply)
        except AccessDeniedError as denial:
            self._note_failure(denial)
            self._out_of_reach_since = None
            for lease in leases:
                lease.on_denied(denial)
        except Exception as failure:  # noqa: BLE001 - if it ended the thread, calls would wait for ever
            self._note_failure(failure)
            now = clock.now()
            if self._out_of_reach_since is None:
                self._out_of_reach_since = now
            for lease in leases:
                lease.on_unreachable(now - self._out_of_reach_since, failure)
        self._drop_idle(leases)

    def _apply(self, lease: Lease, reply: list[int] | UnreachableError) -> None:
        if not isinstance(reply, UnreachableError):
            lease.accept(reply)
            return
        if not lease.is_failing:
            logger.warning("Redis at %s cannot tell the permits of one token: %s", self._settings.where, reply)
        # Redis itself answers, so this is no outage in which other processes use their shares.
        lease.on_unreachable(0.0, reply)

    def _drop_idle(self, leases: Sequence[Lease]) -> None:
        """Stop polling leases that have nothing to exchange; unregister the closed ones."""
        for lease in leases:
            if lease.is_leaving:
                with self._lock:
                    self._leases.discard(lease)
            elif lease.closing:
                # Closed while this exchange was under way, so another one returns the permits.
                lease.schedule_exchange()
            if lease.is_leaving or lease.due == math.inf:
                self._active.discard(lease)

    def _prepare(self, leases: Sequence[Lease]) -> list[Exchange]:
        return [Exchange(lease.keys, lease.prepare()) for lease in leases] or [self._heartbeat()]

    def _heartbeat(self) -> Exchange:
        return Exchange((f"{{{self._settings.prefix}}}:marker",), heartbeat(self._settings))

    def _note_failure(self, failure: Exception) -> None:
        if self._failing_since is None:
            self._failing_since = clock.now()
            logger.warning(
                "Redis at %s, which keeps the rate limit, cannot be reached: %s",
                self._settings.where,
                failure,
                exc_info=not isinstance(failure, UnreachableError),
            )

    def _note_success(self) -> None:
        self._out_of_reach_since = None
        if self._failing_since is not None:
            seconds, self._failing_since = clock.now() - self._failing_since, None
            logger.warning("Redis at %s answers again, after %.1f s", self._settings.where, seconds)


# Global, since a process needs one connection and one thread for each Redis.
_WORKERS: dict[tuple[object, ...], LeaseWorker] = {}
# The parent's workers, in a forked child. They are kept, since destroying their event loops and connections would
# disturb those of the parent: both processes share the sockets and the loop's selector.
_WORKERS_OF_PARENT: list[LeaseWorker] = []


def worker_for(settings: RedisSettings) -> LeaseWorker:
    """Return this process's worker for the Redis of ``settings``."""
    key = (settings.url, settings.connect, settings.prefix, settings.share, settings.recovery)
    # Without a lock: during a fork it would be taken before that of the registry, whose holder comes here.
    return _WORKERS.setdefault(key, LeaseWorker(settings))


@atexit.register
def _release_all() -> None:
    for worker in list(_WORKERS.values()):
        worker.release_all()


def _after_fork_in_child() -> None:
    """Start without workers: a thread does not survive a fork."""
    _WORKERS_OF_PARENT.extend(_WORKERS.values())
    _WORKERS.clear()


# Not on Windows, which has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
