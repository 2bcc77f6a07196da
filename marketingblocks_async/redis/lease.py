"""One token's side of the exchanges with Redis: what to say, and what to do with the reply."""

from __future__ import annotations

import hashlib
import math
import os
import secrets
import socket
import threading
from collections.abc import Callable, Sequence

from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.limits.limiter import RateLimiter
from marketingblocks_async.limits.permits import LONGEST_PAUSE
from marketingblocks_async.limits.settings import WaitEndedError

from .pool import LeasedPool
from .settings import RedisSettings

MIN_INTERVAL = 0.02
"""Shortest time between two exchanges of a token, in seconds, while permits are missing."""

MIN_INTERVAL_WHEN_EMPTY = 0.1
"""The same after an exchange that left nothing in Redis's pool, in seconds."""

EXCHANGES_PER_LEASE = 2.5
"""Number of exchanges in the time of a lease: one may fail, and there is still time for another."""

RETRY_INTERVAL = 0.1
"""Seconds between two attempts to reach Redis."""

_OK, _LATE, _CONFLICT = 0, 1, 2


def _made_up_name() -> str:
    # For people who look into Redis; the random part makes it unique, also after a fork and in containers.
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(6)}"


class Lease:
    """The exchanges of one token's pool with Redis.

    Used by the thread of ``worker.py``, except for ``note_pause()`` and ``is_signalled``.

    Args:
        settings: the limit.
        base_url: API root.
        token: access token; only a hash of both is kept.
        pool: the permits of this process.
        limiter: knows the calls that wait for them.
        name: of this process in Redis; made up by default, and unique.

    Attributes:
        settings: the limit.
        keys: the script's keys.
        due: instant of the next exchange.
        closing: whether the next exchange is the last.
        is_leaving: whether the exchange that began last is the last.
        is_signalled: whether the worker was woken for more permits since the last exchange began.
        is_failing: whether the last exchange failed.
        falls_back: whether a fixed share is used, since Redis cannot be reached.

    """

    def __init__(
        self,
        settings: RedisSettings,
        base_url: str,
        token: str,
        *,
        pool: LeasedPool,
        limiter: RateLimiter,
        name: str | None = None,
    ) -> None:
        self.settings: RedisSettings = settings
        digest = hashlib.sha256(f"{base_url}\0{token}".encode()).hexdigest()[:32]
        # One hash slot for all of them, so that a cluster takes them as well.
        self.keys: tuple[str, str] = (f"{{{settings.prefix}}}:marker", f"{{{settings.prefix}}}:token:{digest}")
        self.due: float = math.inf
        self.closing: bool = False
        self.is_leaving: bool = False
        self.is_signalled: bool = False
        self.is_failing: bool = False
        self.falls_back: bool = False
        self._pool = pool
        self._limiter = limiter
        self._name = name or _made_up_name()
        self._sequence = 0
        self._answered = 0
        self._began = -math.inf
        self._lock = threading.Lock()
        self._pause_until = -math.inf
        # 429s that Redis has not been told of; those that the running exchange reports; those that Redis knew of.
        self._new_refusals = 0
        self._sent_refusals = 0
        self._known_refusals: int | None = None
        self._has_news = False
        self._idle = False
        # Whether the last exchange left permits in Redis's pool.
        self._more_available = True

    def note_pause(self, seconds: float, *, over_limit: bool) -> None:
        """Note, from any thread, a pause and a 429 that other processes must hear of."""
        with self._lock:
            self._pause_until = max(self._pause_until, self._pool.clock() + min(seconds, LONGEST_PAUSE))
            self._new_refusals += over_limit
            self._has_news = True

    def schedule_exchange(self) -> None:
        """Move the next exchange forward if permits are short or there is news to tell."""
        now, pool = self._pool.clock(), self._pool
        if self.closing:
            self.due = now
        elif self.is_failing:
            # It is being retried already.
            return
        elif self._has_news or now >= pool.usable_until:
            self.due = min(self.due, max(now, self._began + MIN_INTERVAL))
        elif pool.held < pool.share or self.due == math.inf:
            # Infinity: it rests, perhaps with a lease that is still valid, since Redis denied access.
            interval = MIN_INTERVAL if self._more_available else MIN_INTERVAL_WHEN_EMPTY
            self.due = min(self.due, max(now, self._began + interval))

    def prepare(self) -> list[str | int]:
        """Return the script's arguments for a new exchange."""
        self.is_signalled, self.is_leaving = False, self.closing
        settings, pool = self.settings, self._pool
        self._began = now = pool.clock()
        if not self.falls_back and now >= pool.usable_until + settings.grace:
            # From about now on Redis grants them to others.
            pool.expire()
        # Permits returned in an exchange that fails are lost for a while, so return none while that is likely.
        offer = pool.offer(self._limiter.queued, keep_all=self.is_failing, closing=self.is_leaving)
        self._idle = (offer.idle or self.is_leaving) and not self.falls_back
        self._sequence += 1
        with self._lock:
            pause = max(0.0, self._pause_until - now)
            self._sent_refusals, self._has_news = self._new_refusals, False
        return [
            self._name,
            self._sequence,
            self._answered,
            offer.held,
            0 if self._idle else offer.wanted,
            int(self._idle),
            settings.limit,
            *map(_micro, (settings.per, settings.lease, settings.grace, pause)),
            self._sent_refusals,
            settings.share or 0,
            _micro(now),
            *map(_micro, offer.returned),
        ]

    def accept(self, reply: Sequence[int]) -> None:
        """Apply the reply."""
        if reply[0] == _CONFLICT:
            self._on_conflict(reply[1], reply[2] / 1e6)
            return
        if reply[0] != _OK:
            # Overtaken by a later exchange. That cannot be, since the next one is prepared after this.
            self.due = self._pool.clock()
            return
        _, held, target, share, paused, refusals, in_pool, quarantine, *comes_back = reply
        now, pool = self._pool.clock(), self._pool
        self._answered = self._sequence
        self.is_failing = self.falls_back = False
        self._more_available = bool(in_pool)
        with self._lock:
            self._new_refusals -= self._sent_refusals
        own = self._sent_refusals
        others = 0 if self._known_refusals is None else refusals - self._known_refusals - own
        self._known_refusals = refusals
        if paused or others > 0:
            pool.pause_of_others(paused / 1e6, over_limit=others > 0)
        pool.renew(
            held,
            target=target,
            # The share of a process that wants nothing does not say what it gets when it needs permits again. Until the
            # next exchange nothing is granted, since the target is 0.
            share=pool.limit if self._idle else share,
            usable_until=self._began + self.settings.lease,
            comes_back=[now + wait / 1e6 for wait in comes_back if wait],
        )
        if self._idle and not self._limiter.queued:
            self.due = math.inf
        elif held > target:
            # Other processes wait for the surplus. Some of it may have to be answered first.
            self.due = self._began + MIN_INTERVAL
        else:
            self.due = self._began + self.settings.lease / EXCHANGES_PER_LEASE
            if quarantine and held < target:
                self.due = min(self.due, now + quarantine / 1e6)
        if self.is_signalled:
            # While this exchange was under way.
            self.schedule_exchange()

    def on_unreachable(self, failing_for: float, error: Exception) -> None:
        """Go on without Redis, as the settings say, ``failing_for`` seconds after the first of these failures."""
        now, settings, pool = self._pool.clock(), self.settings, self._pool
        self.is_failing = True
        self.due = now + RETRY_INTERVAL
        if now < pool.usable_until:
            return
        if settings.what_on_failure == "fail":
            # Before the look at the queue, so that a call that comes after it wakes the worker.
            self.is_signalled = False
            self._limiter.fail_waiters(_unreachable(settings, error))
            if not self._limiter.queued:
                self.due, self.is_failing = math.inf, False
        elif settings.share is not None and failing_for >= settings.recovery:
            # Redis has been out of reach for all processes alike, so by now no process has a valid lease.
            self.falls_back = True
            share = settings.limit // settings.share
            pool.renew(share, target=share, share=share, usable_until=math.inf)

    def on_denied(self, error: Exception) -> None:
        """Fail the waiting calls, since Redis denies this process access."""
        self._fail(f"Redis at {self.settings.where}, which keeps the rate limit, denies access: {error}")

    def _on_conflict(self, limit: int, per: float) -> None:
        self._fail(
            f"other processes use the same token with limit={limit}, per={per:g} on Redis at {self.settings.where}; "
            f"the server counts all of them together, so give all the same (here: {self.settings})"
        )

    def _fail(self, message: str) -> None:
        self.due = math.inf
        # Nothing is retried until a call wakes the worker.
        self.is_failing = self.is_signalled = False
        if self.falls_back:
            # Redis answers, so other processes may have the whole limit again.
            self.falls_back = False
            self._pool.renew(0, target=0, share=self._pool.limit, usable_until=-math.inf)
        self._limiter.fail_waiters(lambda: ConfigurationError(message))


def _unreachable(settings: RedisSettings, cause: Exception) -> Callable[[], Exception]:
    def error() -> Exception:
        ended = WaitEndedError(f"Redis at {settings.where}, which keeps the rate limit, cannot be reached")
        ended.__cause__ = cause
        return ended

    return error


def _micro(seconds: float) -> int:
    # Rounded up: a wait must not become shorter.
    return math.ceil(seconds * 1e6)


def heartbeat(settings: RedisSettings) -> list[str | int]:
    """Return the script's arguments for an exchange that only says that this process is alive."""
    times = map(_micro, (settings.per, settings.lease, settings.grace))
    return ["", 0, 0, 0, 0, 0, settings.limit, *times, 0, 0, settings.share or 0, 0]
