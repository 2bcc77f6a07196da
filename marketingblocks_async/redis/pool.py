"""The permits of a token that this process holds on lease: the local pool, with a number that changes.

The package's docstring has the theory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from marketingblocks_async.limits.permits import LONGEST_PAUSE, PermitPool, PooledPermit
from marketingblocks_async.limits.release import PermitState
from marketingblocks_async.limits.settings import RateLimit

RESERVE = 2
"""Number of permits that a process in use keeps beyond what it is expected to need."""

LOW_WATERMARK = 1
"""More permits are requested when this many or fewer are free."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a process brings to an exchange.

    Attributes:
        held: permits that it keeps.
        wanted: permits that it would like to hold.
        returned: for each returned permit, the seconds until it may be used.
        idle: whether it needs none.

    """

    held: int
    wanted: int
    returned: list[float]
    idle: bool


class LeasedPool(PermitPool):
    """The leased permits of one token in this process.

    Args:
        settings: the limit of all processes together.
        clock: monotonic seconds.
        request_refill: called, from any thread, when more permits are needed soon.

    """

    # Declared again, since they are set here as well.
    granted: int
    paused_until: float

    def __init__(self, settings: RateLimit, clock: Callable[[], float], request_refill: Callable[[], None]) -> None:
        super().__init__(settings, clock)
        self._request_refill = request_refill
        self._capacity = 0
        self._target = self.limit
        self._share = float(self.limit)
        self._usable_until = -math.inf
        # Granted, and nothing of it on the wire. Single operations on a set need no lock.
        self._unsent: set[PermitState] = set()
        self._granted_before = 0
        # For free permits that another process may not use yet: the instants until when, the latest mostly last.
        self._only_here_until: list[float] = []

    @property
    def held(self) -> int:
        """Number of permits held now, in use or not."""
        return self._capacity

    @property
    def share(self) -> float:
        """Number of permits that this process may count on; sets the pace."""
        return self._share

    @property
    def usable_until(self) -> float:
        """Instant after which nothing may be granted or written unless the lease is renewed."""
        return self._usable_until

    @property
    def rate(self) -> float:
        """Requests per second of this process to pace at now."""
        return super().rate * self._share / self.limit

    @property
    def writable(self) -> float:
        """Number of granted requests that may be written now: all of them, while the lease is valid.

        After a lease was lost and fewer permits were granted, more requests may be granted than permits are held. Then
        some requests wait until others come back.
        """
        with self._lock:
            self._collect()
            if self.clock() < self._usable_until:
                return self._capacity - self._in_use + len(self._unsent)
        # A lease may rest although a granted request waits: after a failure that its call was not there to hear of.
        self._request_refill()
        return 0

    def take(self) -> PooledPermit | None:
        """Take a permit if one is free; request more before they run out."""
        with self._lock:
            self._collect()
            # What is held beyond the target is owed to the others.
            free = min(self._capacity, self._target) - self._in_use if self.clock() < self._usable_until else 0
            permit = None
            if free > 0:
                if self._only_here_until:
                    self._only_here_until.pop()
                self._in_use += 1
                self.granted += 1
                state = PermitState()
                self._unsent.add(state)
                permit = PooledPermit(self, state)
        if free <= LOW_WATERMARK + 1:
            self._request_refill()
        return permit

    def sending(self, permit: PermitState, operation: str) -> None:
        """Note that from here on some of the request may be on the wire."""
        self._unsent.discard(permit)
        super().sending(permit, operation)

    def _schedule(self, permit: PermitState, when: float) -> None:
        # Also for a permit that ended before anything was sent.
        self._unsent.discard(permit)
        super()._schedule(permit, when)

    def offer(self, queued: int, *, keep_all: bool = False, closing: bool = False) -> Offer:
        """Decide how many permits to keep, and remove the others from the pool.

        Args:
            queued: number of calls that wait for a permit.
            keep_all: whether to return none.
            closing: whether none will be needed any more.

        """
        with self._lock:
            self._collect()
            used, self._granted_before = self.granted - self._granted_before, self.granted
            idle = closing or not (queued or used)
            coming_back = self._coming_back()
            # Those without a time to come back cannot be returned.
            least = self._in_use - len(coming_back)
            # What it holds, and what it will probably take until the next exchange.
            likely = min(self.limit, self._in_use + queued + math.ceil(1.5 * used) + RESERVE)
            wanted = least if idle else likely
            surplus = self._capacity - max(least, min(wanted, self._target))
            if surplus <= 2 * RESERVE and not idle and self._capacity <= self._target:
                # Not worth moving.
                surplus = 0
            returned = [] if keep_all else self._return(surplus, coming_back)
            # After a lease was lost, a granted request may still wait for a permit to be written with.
            return Offer(self._capacity, wanted, returned, idle and self._capacity == 0 and not self._unsent)

    def _coming_back(self) -> list[tuple[float, PermitState]]:
        """Return the permits whose time for other processes is known, the earliest first. The lock is held."""
        now = self.clock()
        permits = {permit for _, _, permit in self._releases if not permit.returned}
        found = [(self._rule.when_usable_elsewhere(permit, now), permit) for permit in permits]
        return sorted((each for each in found if each[0] < math.inf), key=lambda each: each[0])

    def _take_back(self, permit: PermitState, now: float) -> None:
        super()._take_back(permit, now)
        when = self._rule.when_usable_elsewhere(permit, now)
        if when > now:
            self._only_here_until.append(when)

    def _return(self, number: int, coming_back: list[tuple[float, PermitState]]) -> list[float]:
        """Remove permits from the pool; return in how many seconds each may be used. The lock is held."""
        if number <= 0:
            return []
        now = self.clock()
        only_here = sorted(when for when in self._only_here_until if when > now)
        free = max(0, self._capacity - self._in_use)
        returned = [0.0] * min(number, max(0, free - len(only_here)))
        taken = min(number - len(returned), free - len(returned), len(only_here))
        returned += [when - now for when in only_here[:taken]]
        self._only_here_until = only_here[taken:]
        rest = min(number - len(returned), len(coming_back), self._capacity - len(returned))
        for index in range(rest):
            # Evenly spread, so that neither the giver nor the taker has to pause.
            when, permit = coming_back[int((index + 0.5) * len(coming_back) / rest)]
            permit.returned = True
            self._in_use -= 1
            returned.append(max(0.0, when - now))
        self._capacity -= len(returned)
        return returned

    def renew(
        self, held: int, *, target: int, share: float, usable_until: float, comes_back: Iterable[float] = ()
    ) -> None:
        """Apply the result of an exchange.

        Args:
            held: permits held now.
            target: permits to hold at most.
            share: permits to count on.
            usable_until: instant until which they may be used.
            comes_back: for each permit that cannot be used yet, the instant from which it may be.

        """
        with self._lock:
            self._capacity, self._target, self._share = held, target, share
            self._usable_until = usable_until
            for when in comes_back:
                self._in_use += 1
                permit = PermitState()
                permit.ends_at = when
                self._schedule(permit, when)
        self.wake_queues()

    def expire(self) -> None:
        """Note that the lease was lost: other processes may hold its permits now."""
        with self._lock:
            self._capacity = 0
            self._only_here_until = []

    def wake_queues(self) -> None:
        """Let the queues look whether a call may go."""
        self._tell(-math.inf)

    def pause_of_others(self, seconds: float, *, over_limit: bool) -> None:
        """Apply a pause that another process began, or its slowing down."""
        with self._lock:
            now = self.clock()
            # Each exchange's travel makes it a little longer; without the tolerance it would never end.
            paused_until = now + min(seconds, LONGEST_PAUSE)
            if paused_until > self.paused_until + 0.01:
                self.paused_until = paused_until
            if over_limit:
                self._slow_down(now)
