"""The permits that this process holds of a token; the same books as the local ones, with a number that changes.

The package's docstring has the theory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from marketingblocks_async.limits.permits import LocalPermit, PermitLedger, Slot
from marketingblocks_async.limits.settings import RateLimit

SPARE = 2
"""How many permits are kept at hand by a process in use, beyond what it is expected to need."""

LOW = 1
"""More permits are asked for when this many or fewer are at hand."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a process brings to an exchange.

    Attributes:
        held: permits that it keeps.
        wanted: permits that it would like to hold.
        returned: for each permit that it gives back, the seconds until it may be used.
        idle: whether it needs none.

    """

    held: int
    wanted: int
    returned: list[float]
    idle: bool


class LeasedLedger(PermitLedger):
    """The leased permits of one token in this process.

    Args:
        settings: the limit of all processes together.
        clock: monotonic seconds.
        hungry: called, from any thread, when more permits are needed soon.

    """

    def __init__(self, settings: RateLimit, clock: Callable[[], float], hungry: Callable[[], None]) -> None:
        super().__init__(settings, clock)
        self._hungry = hungry
        self._held = 0
        self._target = self.limit
        self._share = float(self.limit)
        self._usable_until = -math.inf
        # Granted, and nothing of it on the wire. Single operations on a set need no lock.
        self._unwritten: set[Slot] = set()
        self._granted_before = 0

    @property
    def held(self) -> int:
        """Permits held now, in use or not."""
        return self._held

    @property
    def share(self) -> float:
        """Permits that it may count on; sets the pace."""
        return self._share

    @property
    def usable_until(self) -> float:
        """Instant after which nothing may be granted or written unless the lease is renewed."""
        return self._usable_until

    @property
    def rate(self) -> float:
        """Requests per second to pace at now: of this process."""
        return super().rate * self._share / self.limit

    def take(self) -> LocalPermit | None:
        """Take a permit out, if there is one; ask for more before they run out."""
        with self._lock:
            self._collect()
            at_hand = self._held - self._in_use if self.clock() < self._usable_until else 0
            permit = None
            if at_hand > 0:
                self._take_out()
                permit = LeasedPermit(self)
        if at_hand <= LOW + 1:
            self._hungry()
        return permit

    def unwritten(self, slot: Slot) -> None:
        """Note a permit that was granted."""
        self._unwritten.add(slot)

    def leaving(self, slot: Slot) -> None:
        """Note that its request goes onto the wire."""
        self._unwritten.discard(slot)

    @property
    def may_write(self) -> bool:
        """Whether a granted request may be written now.

        Always, while the lease is valid. When it was lost and what there is now is less, granted requests wait for one
        another here.
        """
        with self._lock:
            self._collect()
            return self.clock() < self._usable_until and self._in_use - len(self._unwritten) < self._held

    @property
    def is_overdrawn(self) -> bool:
        """Whether more is granted than is held, because a lease was lost."""
        return self._in_use > self._held

    def answered(self, slot: Slot) -> None:
        """The server has counted the request."""
        self._unwritten.discard(slot)
        super().answered(slot)

    def _release_of_given_up(self, slot: Slot) -> float:
        self._unwritten.discard(slot)
        return super()._release_of_given_up(slot)

    def offer(self, queued: int, *, nothing_back: bool = False, leaving: bool = False) -> Offer:
        """Decide what to keep and what to give back, and take the latter out of the books.

        Args:
            queued: how many calls wait for a permit.
            nothing_back: whether to keep all.
            leaving: whether nothing will be needed any more.

        """
        with self._lock:
            self._collect()
            used, self._granted_before = self.granted - self._granted_before, self.granted
            idle = leaving or not (queued or used)
            coming_back = self._coming_back()
            # Those without a time to come back cannot be given back.
            least = self._in_use - len(coming_back)
            # What it holds, and what it will probably take until the next exchange.
            likely = min(self.limit, self._in_use + queued + math.ceil(1.5 * used) + SPARE)
            wanted = least if idle else likely
            keep = max(least, min(wanted, self._target))
            surplus = self._held - keep
            if surplus <= 2 * SPARE and not idle and self._held <= self._target:
                # Not worth moving.
                surplus = 0
            returned = [] if nothing_back else self._give_up(surplus, coming_back)
            return Offer(self._held, wanted, returned, idle and self._held == 0)

    def _coming_back(self) -> list[tuple[float, Slot]]:
        """Return the permits that have a time to come back, the earliest first. The lock is held."""
        seen: set[int] = set()
        found: list[tuple[float, Slot]] = []
        for when, _, slot in sorted(self._releases, key=lambda entry: entry[:2]):
            if not slot.returned and id(slot) not in seen:
                seen.add(id(slot))
                found.append((when, slot))
        return found

    def _give_up(self, number: int, coming_back: list[tuple[float, Slot]]) -> list[float]:
        """Remove permits from the books; return in how many seconds each may be used. The lock is held."""
        if number <= 0:
            return []
        returned = [0.0] * min(number, max(0, self._held - self._in_use))
        rest = min(number - len(returned), len(coming_back), self._held - len(returned))
        now = self.clock()
        for index in range(rest):
            # Spread evenly, so that neither who gives nor who gets has to pause.
            when, slot = coming_back[int((index + 0.5) * len(coming_back) / rest)]
            slot.returned = True
            self._in_use -= 1
            returned.append(max(0.0, when - now))
        self._held -= len(returned)
        return returned

    def renew(
        self, held: int, *, target: int, share: float, usable_until: float, comes_back: Iterable[float] = ()
    ) -> None:
        """Take on what an exchange brought.

        Args:
            held: permits held now.
            target: permits to hold at most.
            share: permits to count on.
            usable_until: instant until which they may be used.
            comes_back: instants at which those come back that cannot be used yet.

        """
        with self._lock:
            self._held, self._target, self._share = held, target, share
            self._usable_until = usable_until
            for when in comes_back:
                self._in_use += 1
                self._schedule(Slot(), when)
        self.wake()

    def forfeit(self) -> None:
        """Note that the lease was lost: others may hold its permits now."""
        with self._lock:
            self._held = 0

    def wake(self) -> None:
        """Let the queues look whether something may go."""
        for listener in self._listeners:
            listener(-math.inf)

    def pause_of_others(self, seconds: float, *, over_limit: bool) -> None:
        """Take over a pause that another process began, or its slowing down."""
        with self._lock:
            now = self.clock()
            # A little longer by each exchange's travel would never end.
            if now + seconds > self._paused_until + 0.01:
                self._paused_until = now + seconds
            if over_limit:
                self._slow_down(now)


class LeasedPermit(LocalPermit):
    """The right to put one request on the wire, on a leased permit."""

    __slots__ = ("_leases",)

    def __init__(self, ledger: LeasedLedger) -> None:
        super().__init__(ledger)
        self._leases = ledger
        ledger.unwritten(self._slot)

    def leaving(self) -> None:
        """From here on some of the request may be on the wire."""
        super().leaving()
        self._leases.leaving(self._slot)
