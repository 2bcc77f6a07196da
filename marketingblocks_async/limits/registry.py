"""One limiter per API root and token in a process.

The server counts by token, so all clients of a token must share a limiter, on whichever event loop they run. A limiter
is kept while a client uses it, and after that while the server may still be counting its requests.

A forked child starts with limiters of its own: permits and queues of the parent belong to event loops and threads that
do not exist in the child. The server still counts what the parent has just sent, so the child's limiter of a token that
was in use at the fork waits until those requests no longer count. A token that parent and child go on to use at the
same time needs a ``SharedRateLimit``, since neither sees the other's requests.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import threading
import time
import weakref

from marketingblocks_async.errors import ConfigurationError

from .limiter import RateLimiter
from .permits import PermitPool
from .release import FRESH_CONNECTION_GUARD
from .settings import ManagedLimiter, RateLimit, SharedRateLimit

SWEEP_INTERVAL = 2.0
"""Seconds between two sweeps for limiters that can be dropped; a sweep costs about a microsecond a limiter."""


class _Entry:
    __slots__ = ("limiter", "settings", "users")

    def __init__(self, base_url: str, token: str, settings: RateLimit | SharedRateLimit) -> None:
        self.settings = settings
        self.limiter: ManagedLimiter = (
            RateLimiter(PermitPool(settings))
            if isinstance(settings, RateLimit)
            else settings.make_limiter(_root(base_url), token)
        )
        self.users: weakref.WeakSet[object] = weakref.WeakSet()

    def reconfigure(self, base_url: str, token: str, settings: RateLimit | SharedRateLimit) -> None:
        """Use other settings from now on; no client uses the limiter now."""
        limiter = self.limiter
        # Only between two local ones: the Redis limiter is a RateLimiter too, but shares its settings with others.
        if (
            isinstance(settings, RateLimit)
            and isinstance(self.settings, RateLimit)
            and isinstance(limiter, RateLimiter)
        ):
            limiter.reconfigure(settings)
        elif self.limiter.busy:
            msg = (
                f"the server may still count requests that this process sent with {self.settings}; "
                f"give this client the same rate_limit, or wait a few seconds (here: {settings})"
            )
            raise ConfigurationError(msg)
        else:
            self.limiter.close()
            self.limiter = _Entry(base_url, token, settings).limiter
        self.settings = settings

    @property
    def left_to_child(self) -> float:
        """Seconds for which a forked child sends nothing: its parent's requests count, or the token is paused."""
        counted = self.settings.per + FRESH_CONNECTION_GUARD
        # A limiter in Redis tells the child itself, and its locks may be held in it.
        return max(counted, self.limiter.paused_for) if isinstance(self.limiter, RateLimiter) else counted

    @property
    def in_use(self) -> bool:
        return bool(self.users) or self.limiter.busy


class LimiterRegistry:
    """The limiters of a process. May be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[tuple[str, bytes], _Entry] = {}
        self._swept_at = time.monotonic()
        self._sweeping_loop: asyncio.AbstractEventLoop | None = None
        # In a forked child: instant until which the server counts requests of the parent, by token.
        self._inherited: dict[tuple[str, bytes], float] = {}
        # The parent's limiters, in a child. They are kept, since destroying them would close what the parent uses.
        self._of_parent: list[_Entry] = []

    def __len__(self) -> int:
        """Return the number of limiters, in use or lingering."""
        return len(self._entries)

    def get(self, base_url: str, token: str, settings: RateLimit | SharedRateLimit, user: object) -> ManagedLimiter:
        """Return the limiter of ``token`` at ``base_url``, a new one if there is none.

        Args:
            base_url: API root.
            token: access token; only a digest of it is kept.
            settings: the limit.
            user: the object that uses it, held weakly until ``release()``.

        Raises:
            ConfigurationError: another user of the token has other settings.

        """
        key = _key(base_url, token)
        with self._lock:
            self._sweep()
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _Entry(base_url, token, settings)
                if (counted_until := self._inherited.pop(key, None)) is not None and isinstance(settings, RateLimit):
                    entry.limiter.pause(max(0.0, counted_until - time.monotonic()), over_limit=False)
            elif entry.settings != settings:
                if entry.users:
                    msg = (
                        f"another client of this process uses the same token with {entry.settings}; "
                        f"the server counts both together, so give both the same rate_limit (here: {settings})"
                    )
                    raise ConfigurationError(msg)
                entry.reconfigure(base_url, token, settings)
            entry.users.add(user)
            return entry.limiter

    def release(self, base_url: str, token: str, user: object) -> None:
        """Note that ``user`` no longer uses the limiter of ``token``; called inside an event loop."""
        with self._lock:
            if entry := self._entries.get(_key(base_url, token)):
                entry.users.discard(user)
        self.sweep_later()

    def _sweep(self) -> None:
        """Drop limiters that are not in use, at most every ``SWEEP_INTERVAL`` seconds. The lock is held."""
        now = time.monotonic()
        # An earlier time than that of the last sweep: a test has changed the clock.
        if not self._swept_at <= now < self._swept_at + SWEEP_INTERVAL:
            self._swept_at = now
            kept = {key: entry for key, entry in self._entries.items() if entry.in_use}
            for key in self._entries.keys() - kept.keys():
                self._entries[key].limiter.close()
            self._entries = kept

    def sweep_later(self) -> None:
        """Sweep soon; a process that goes on without clients must not keep their limiters."""
        if self._sweeping_loop is None or self._sweeping_loop.is_closed():
            self._sweeping_loop = asyncio.get_running_loop()
            self._sweeping_loop.call_later(SWEEP_INTERVAL + 0.1, self._sweep_until_done)

    def _sweep_until_done(self) -> None:
        self._sweeping_loop = None
        with self._lock:
            self._sweep()
            lingering = any(not entry.users for entry in self._entries.values())
        if lingering:
            self.sweep_later()

    def before_fork(self) -> None:
        """Hold the lock during a fork, so that the child finds the limiters in order."""
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Go on as before."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Start without limiters, and remember which tokens the parent was using."""
        now = time.monotonic()
        self._inherited |= {key: now + entry.left_to_child for key, entry in self._entries.items()}
        self._of_parent += self._entries.values()
        self._entries = {}
        self._sweeping_loop = None
        self._lock.release()


def _root(base_url: str) -> str:
    """Return the API root, which is checked and in its usual form, without doubled slashes: servers ignore those."""
    scheme, separator, rest = base_url.partition("://")
    return f"{scheme}{separator}{re.sub('//+', '/', rest)}"


def _key(base_url: str, token: str) -> tuple[str, bytes]:
    # A digest, so that no table of this module can be printed with tokens in it.
    return _root(base_url), hashlib.sha256(token.encode()).digest()


# Global, because the server's count is per token and knows nothing of objects in this process.
REGISTRY = LimiterRegistry()
# Not on Windows, which has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=REGISTRY.before_fork,
        after_in_parent=REGISTRY.after_fork_in_parent,
        after_in_child=REGISTRY.after_fork_in_child,
    )
