"""Rules to compare with: the fixed guard that this project used before, and the study's budget without refinements."""

from __future__ import annotations

import math

from marketingblocks_async.limits.release import FRESH_CONNECTION_GUARD, LOOK_AGAIN, PermitState, ReleaseRule


class FixedGuard(ReleaseRule):
    """A permit comes back ``per`` after the answer, or ``guard`` and ``per`` after the write, whichever is first."""

    def when_sent(self, permit: PermitState, now: float, *, fresh_connection: bool) -> float:
        """Return the end of the guard."""
        guard = self.guard_at(now)
        permit.ends_at = now + (max(guard, FRESH_CONNECTION_GUARD) if fresh_connection else guard) + self._per
        return permit.ends_at

    def when_answered(self, permit: PermitState, now: float, *, success: bool) -> float:
        """Return ``per`` after the answer."""
        del success
        permit.ends_at = min(math.inf if permit.ends_at is None else permit.ends_at, now + self._per)
        return permit.ends_at


class PlainBudget(ReleaseRule):
    """The rule of the study: decides when an answer comes, with one account for all that is late."""

    def when_sent(self, permit: PermitState, now: float, *, fresh_connection: bool) -> float:
        """Return the end of the guard."""
        permit.sent_at, permit.fresh = now, fresh_connection
        trips, guard = permit.operation or self._all, self.guard_at(now)
        return now + self._per + (min(guard, trips.late) if (self._base(trips) or 0.0) > self._per else guard)

    def when_answered(self, permit: PermitState, now: float, *, success: bool) -> float:
        """Decide for how long the permit is held."""
        trips, began, guard = permit.operation or self._all, permit.sending_at or 0.0, self.guard_at(now)
        if success:
            trips.add(now, now - began, 1.0)
        base = self._base(trips)
        self._credit = min(self._credit + guard, self._most_credit)
        late = now - began - (base or 0.0)
        if not success:
            hold = late
        elif base is None:
            hold = min(late, 1.0)
        else:
            hold = late if late <= self._credit or permit.fresh else min(late, guard)
            trips.add_late(late, fresh=False)
            self._credit = max(0.0, self._credit - max(hold, now - began - self._per))
        self._mean_hold += 0.01 * (min(hold, guard) - self._mean_hold)
        permit.ends_at = began + self._per + max(0.0, hold)
        return permit.ends_at

    def when_due(self, permit: PermitState, now: float, *, scarce: bool) -> float:
        """Wait for an overdue answer while there is credit."""
        del scarce
        began, trips = permit.sending_at, permit.operation
        if permit.ends_at is not None or began is None or trips is None:
            return permit.ends_at or now
        base = self._base(trips)
        if base is None:
            waits = now - permit.sent_at - self._per < 1
        else:
            waits = base <= self._per and (permit.fresh or now - began - base <= self._credit)
        return now + LOOK_AGAIN if waits else now
