"""One token's side of the exchanges with Redis: what to say, and what to make of the answer."""

from __future__ import annotations

import hashlib
import math
import os
import secrets
import socket
import threading
from collections.abc import Callable, Sequence

from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.limits.settings import WaitEndedError

from .pool import LeasedLedger
from .settings import RedisRateLimit

HURRY = 0.02
"""Shortest time between two exchanges of a token, in seconds, while permits are missing."""

ROUNDS = 3
"""How many exchanges fall into the time of a lease."""

HURRY_WHEN_SHORT = 0.1
"""The same when the last exchange found nothing to be had, in seconds."""

RETRY_EVERY = 0.1
"""Seconds between two attempts to reach Redis."""

_OK, _LATE, _OTHERS_DIFFER = 0, 1, 2


def _name() -> str:
    # For people who look into Redis; the random part makes it unique, also after a fork and in containers.
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(6)}"


class Lease:
    """What one token's limiter and Redis tell each other.

    Used by the thread of ``office.py``, except for :meth:`hungry` and :meth:`note_pause`.

    Args:
        settings: the limit.
        base_url: API root.
        token: access token.
        clock: monotonic seconds.
        queued: says how many calls wait for a permit.
        wake: makes the office look at this lease.
        fail: ends the waiting of all calls with an error.

    Attributes:
        settings: the limit.
        keys: the script's keys.
        ledger: the permits.
        due: instant of the next exchange.
        closing: whether the next exchange is the last.
        is_failing: whether the last exchange failed.
        falls_back: whether a fixed share is used, since Redis cannot be reached.

    """

    def __init__(
        self,
        settings: RedisRateLimit,
        base_url: str,
        token: str,
        *,
        clock: Callable[[], float],
        queued: Callable[[], int],
        wake: Callable[[Lease], None],
        fail: Callable[[Callable[[], Exception]], None],
    ) -> None:
        self.settings: RedisRateLimit = settings
        digest = hashlib.sha256(f"{base_url}\0{token}".encode()).hexdigest()[:32]
        # One hash slot for all of them, so that a cluster takes them as well.
        self.keys: tuple[str, str] = (f"{{{settings.prefix}}}:marker", f"{{{settings.prefix}}}:token:{digest}")
        self.ledger: LeasedLedger = LeasedLedger(settings.local, clock, self.hungry)
        self.due: float = math.inf
        self.closing: bool = False
        self.is_failing: bool = False
        self.falls_back: bool = False
        self._name = _name()
        self._clock = clock
        self._queued = queued
        self._wake = wake
        self._fail = fail
        self._signalled = False
        self._sequence = 0
        self._answered = 0
        self._began = -math.inf
        self._lock = threading.Lock()
        self._pause_until = -math.inf
        # 429s that Redis has not been told of; those that the running exchange tells; those that Redis knew of.
        self._new_refusals = 0
        self._sent_refusals = 0
        self._known_refusals: int | None = None
        self._has_news = False
        self._idle = False
        # Whether there was more to be had than was taken.
        self._got_all = True

    @property
    def every(self) -> float:
        """Seconds between two exchanges."""
        return self.settings.lease / ROUNDS

    def hungry(self) -> None:
        """Say, from any thread, that permits are missing or soon will be."""
        if not self._signalled:
            self._signalled = True
            self._wake(self)

    def note_pause(self, seconds: float, *, over_limit: bool) -> None:
        """Tell the others, from any thread, of a pause and of a 429."""
        with self._lock:
            self._pause_until = max(self._pause_until, self._clock() + seconds)
            self._new_refusals += over_limit
            self._has_news = True
        self._wake(self)

    def close(self) -> None:
        """Say, from any thread, that the limiter is not used any more."""
        self.closing = True
        self._wake(self)

    def hurry(self) -> None:
        """Decide when to speak with Redis, now that somebody has woken the office for this lease."""
        now, ledger = self._clock(), self.ledger
        if self.closing:
            self.due = now
        elif self.is_failing:
            # It is being tried already.
            return
        elif self._has_news or now >= ledger.usable_until:
            self.due = min(self.due, max(now, self._began + HURRY))
        elif ledger.held < ledger.share:
            self.due = min(self.due, max(now, self._began + (HURRY if self._got_all else HURRY_WHEN_SHORT)))

    def prepare(self) -> list[str | int]:
        """Return the script's arguments of a new exchange."""
        self._signalled = False
        self._began = now = self._clock()
        settings, ledger = self.settings, self.ledger
        if not self.falls_back and now >= ledger.usable_until + settings.grace:
            # From about now on Redis gives them to others.
            ledger.forfeit()
        # What is given back in an exchange that fails is lost for a while, so nothing is while that is to be expected.
        offer = ledger.offer(self._queued(), nothing_back=self.is_failing, leaving=self.closing)
        self._idle = (offer.idle or self.closing) and not self.falls_back
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
            *map(_micro, offer.returned),
        ]

    def accept(self, reply: Sequence[int]) -> None:
        """Take the answer on."""
        if reply[0] == _OTHERS_DIFFER:
            self._refuse(reply[1], reply[2] / 1e6)
            return
        if reply[0] != _OK:
            # Overtaken by a later one; cannot be, since the next one is prepared after this.
            self.due = self._clock()
            return
        _, held, target, share, paused, refusals, in_pool, quarantine, *comes_back = reply
        now, ledger = self._clock(), self.ledger
        self._answered = self._sequence
        self.is_failing = self.falls_back = False
        self._got_all = bool(in_pool)
        with self._lock:
            self._new_refusals -= self._sent_refusals
        own = self._sent_refusals
        others = 0 if self._known_refusals is None else refusals - self._known_refusals - own
        self._known_refusals = refusals
        if paused or others > 0:
            ledger.pause_of_others(paused / 1e6, over_limit=others > 0)
        ledger.renew(
            held,
            target=target,
            share=share,
            usable_until=self._began + self.settings.lease,
            comes_back=[now + wait / 1e6 for wait in comes_back if wait],
        )
        if self._idle and not self._queued():
            self.due = math.inf
        elif held > target:
            # The others wait for it.
            self.due = now
        else:
            self.due = self._began + self.every
            if quarantine and held < target:
                self.due = min(self.due, now + quarantine / 1e6)
        if self._signalled:
            # While this exchange was under way.
            self.hurry()

    def failed(self, failing_for: float, error: Exception) -> None:
        """Take on that Redis could not be reached.

        Args:
            failing_for: seconds since the first of the latest failures.
            error: the last of them.

        """
        now, settings, ledger = self._clock(), self.settings, self.ledger
        self.is_failing = True
        self.due = now + RETRY_EVERY
        if now < ledger.usable_until:
            return
        if settings.what_on_failure == "fail":
            self.give_up(_out_of_reach(settings, error))
        elif settings.share is not None and failing_for >= settings.recovery:
            # Redis has been out of reach for all processes alike, so by now no lease of anybody has an effect any more.
            self.falls_back = True
            share = settings.limit // settings.share
            ledger.renew(share, target=share, share=share, usable_until=math.inf)

    def refused(self, error: Exception) -> None:
        """Take on that Redis does not let this process in."""
        msg = f"Redis at {self.settings.where}, which keeps the rate limit, does not let this process in: {error}"
        self.due = math.inf
        self._fail(lambda: ConfigurationError(msg))

    def give_up(self, error: Callable[[], Exception]) -> None:
        """End the waiting of all calls."""
        self._fail(error)
        if not self._queued():
            self.due, self.is_failing = math.inf, False

    def _refuse(self, limit: int, per: float) -> None:
        msg = (
            f"other processes use the same token with limit={limit}, per={per:g} on Redis at {self.settings.where}; "
            f"the server counts all of them together, so give all the same (here: {self.settings})"
        )
        self.due = math.inf
        self._fail(lambda: ConfigurationError(msg))


def _out_of_reach(settings: RedisRateLimit, cause: Exception) -> Callable[[], Exception]:
    def error() -> Exception:
        ended = WaitEndedError(f"Redis at {settings.where}, which keeps the rate limit, cannot be reached")
        ended.__cause__ = cause
        return ended

    return error


def _micro(seconds: float) -> int:
    # Rounded up: a wait must not become shorter.
    return math.ceil(seconds * 1e6)


def sign_of_life(settings: RedisRateLimit) -> list[str | int]:
    """Return the script's arguments for an exchange that only tells that there is somebody."""
    times = map(_micro, (settings.per, settings.lease, settings.grace))
    return ["", 0, 0, 0, 0, 0, settings.limit, *times, 0, 0, settings.share or 0]
