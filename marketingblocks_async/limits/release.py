"""When a permit comes back: the one place that decides it, from what was seen of its request.

The package's docstring has the theory, the assumption and the proof. Everything here is arithmetic on instants that the
pool gives, in constant time for each event.
"""

from __future__ import annotations

from collections import deque
from math import inf

from .settings import RateLimit

MARGIN = 0.005
"""Seconds by which the base is less than the fastest round trip that was seen."""

BASE_WINDOW = 60.0
"""The base is the fastest round trip of the last 30 to 60 seconds: of the current and the previous half of a window."""

ANSWERS_FOR_A_BASE = 50
"""Number of successful answers on reused connections within the window from which on a base counts as known."""

FRESH_ANSWER_COUNTS = 0.5
"""What an answer on a new connection counts for that number: all of these may be slower than what follows."""

TRACKED_OPERATIONS = 64
"""Number of operations with a base of their own. All further ones share one, since generic calls may have any path."""

UNKNOWN_GUARD = 0.2
"""Lowest guard, in seconds, while no base is known."""

FRESH_CONNECTION_GUARD = 1.0
"""Lowest guard, in seconds, of a request on a new connection that ends without a response, or is answered slowly."""

RELEASED_UNSEEN_HOLD = 30.0
"""Seconds, on top of ``per``, that a request without a response holds its permit when ``guard`` is infinite."""

LONGEST_SILENCE_HOLD = 5.0
"""Seconds after its write for which a request that was given up holds its permit at most while the server is silent."""

CREDIT_WINDOWS = 30
"""Credit can be saved up for as many windows of ``limit`` permits."""

STALL_SHARE = 0.1
"""Credit for stalls of the server, as a share of the guard."""

SCARCE = 0.8
"""Share of the permits that must be out before it costs anything to hold one back."""

LOOK_AGAIN = 0.25
"""Seconds between two looks at a permit whose overdue answer is awaited."""

WIDEST_GUARD = 1.0
"""Upper bound, in seconds, of a guard that 429s have widened."""

GUARD_NARROWS_AFTER = 60.0
"""Seconds without a 429 after which a widened guard returns to the configured one."""


class PermitState:
    """The pool's record of one permit and its request. It outlives the object that reports on the permit.

    Attributes:
        sending_at: instant directly before the first byte was written; ``None`` before that.
        sent_at: instant after the last byte was written; ``inf`` before that.
        answered_at: instant at which the head of the response was read; ``inf`` before that.
        passed_at: instant of the first answer to this or a later request of the operation; ``inf`` before that.
        ends_at: instant at which the permit comes back whatever is seen; ``None`` if that is not decided.
        silent_until: instant until which the permit, whose request was given up, waits at most for an answer that shows
            that the server goes on; ``None`` if it does not wait for one.
        operation: round trips of the request's operation.
        fresh: whether the request may have been the first on its connection.
        success: whether the answer was a success.
        is_covered: whether the permit is held until its request was counted for certain, at the expense of credit.
        is_stalled: whether the permit is held longer because the server seemed to stand still.
        returned: whether the permit has come back.

    """

    __slots__ = (
        "answered_at",
        "ends_at",
        "fresh",
        "is_covered",
        "is_stalled",
        "operation",
        "passed_at",
        "returned",
        "sending_at",
        "sent_at",
        "silent_until",
        "success",
    )

    def __init__(self) -> None:
        self.sending_at: float | None = None
        self.sent_at: float = inf
        self.answered_at: float = inf
        self.passed_at: float = inf
        self.ends_at: float | None = None
        self.silent_until: float | None = None
        self.operation: RoundTrips | None = None
        self.fresh: bool = False
        self.success: bool = True
        self.is_covered: bool = False
        self.is_stalled: bool = False
        self.returned: bool = False


class RoundTrips:
    """The round trips of one operation: the fastest lately, how late answers are, and the requests in flight.

    Attributes:
        base: the fastest round trip of the window less the margin; ``None`` while too few are known.
        late: how late responses were lately, in seconds beyond the base: a slowly decaying maximum.
        late_on_fresh: the same for the first requests on new connections; ``inf`` while none was seen.

    """

    __slots__ = (
        "_deviation",
        "_fastest",
        "_fastest_before",
        "_in_flight",
        "_number",
        "_number_before",
        "_since",
        "_typical",
        "base",
        "late",
        "late_on_fresh",
    )

    def __init__(self) -> None:
        self._since = -inf
        self._fastest = self._fastest_before = inf
        self._number = self._number_before = 0.0
        self._in_flight: deque[PermitState] = deque()
        self._typical = self._deviation = 0.0
        self.base: float | None = None
        self.late: float = 0.0
        self.late_on_fresh: float = inf

    @property
    def fastest(self) -> float:
        """The fastest round trip of the window, known or not; ``inf`` without any."""
        return min(self._fastest, self._fastest_before)

    def add(self, now: float, seconds: float, counts: float) -> None:
        """Note the round trip of a successful answer, and what it counts for ``ANSWERS_FOR_A_BASE``."""
        age = now - self._since
        if age <= BASE_WINDOW / 2:
            if seconds >= self._fastest and self.base is not None:
                # Most answers change nothing.
                self._number += counts
                return
        else:
            is_stale = age > BASE_WINDOW
            self._fastest_before = inf if is_stale else self._fastest
            self._number_before = 0 if is_stale else self._number
            self._since, self._fastest, self._number = now, inf, 0
        self._fastest = min(self._fastest, seconds)
        self._number += counts
        is_known = self._number + self._number_before >= ANSWERS_FOR_A_BASE
        self.base = max(0.0, min(self._fastest, self._fastest_before) - MARGIN) if is_known else None

    def add_late(self, seconds: float, *, fresh: bool) -> None:
        """Note how late an answer was."""
        self.late = max(seconds, 0.995 * self.late)
        if fresh:
            seen = self.late_on_fresh
            self.late_on_fresh = seconds if seen == inf else max(seconds, 0.98 * seen)

    def add_sending(self, permit: PermitState) -> None:
        """Note a request in flight."""
        in_flight = self._in_flight
        # Those that never were answered, nor any later one.
        while in_flight and in_flight[0].returned:
            in_flight.popleft()
        in_flight.append(permit)

    def pass_until(self, sending_at: float, now: float, base: float | None) -> None:
        """Note for all requests up to an instant that one of them, or a later one, was answered now."""
        in_flight = self._in_flight
        while in_flight:
            first = in_flight[0]
            began = first.sending_at
            if began is None or began > sending_at:
                return
            del in_flight[0]
            first.passed_at = now
            if base is not None:
                # A standing server makes requests late, never early. So what is early tells how much is usual, and
                # what is late moves the mean by no more than that; or frequent stalls would become usual.
                error = now - began - base - self._typical
                if error < 0:
                    self._deviation += 0.02 * (-error - self._deviation)
                elif error > MARGIN:
                    error = min(error, max(self._deviation, MARGIN))
                self._typical += 0.02 * error

    def usually_passed(self, sending_at: float, base: float) -> float:
        """Return the instant at which a request is usually passed by an answer."""
        return sending_at + base + self._typical

    def is_unusual(self, silence: float, least: float) -> bool:
        """Return whether it is unusual that for so long beyond the base no later request was answered."""
        return silence > self._typical + max(6 * self._deviation, least)


class ReleaseRule:
    """Decides when each permit comes back. The package's docstring proves that this is late enough.

    The pool calls it under its lock, so it may keep state. All instants are of the pool's clock. Each ``when_…``
    returns the instant at which the pool is to ask ``when_due``, which may name a later one. An answer of ``inf``
    means: what is known does not set a time yet.

    Args:
        settings: the limit; not lifted.

    """

    def __init__(self, settings: RateLimit) -> None:
        self._per = settings.per
        self._configured_guard = self._guard = settings.guard
        self._narrows_at = inf
        self._distrusts_base = False
        windows = (settings.limit or 0) * settings.guard
        self._most_credit = CREDIT_WINDOWS * windows
        self._most_stall_credit = self._most_credit / 2
        self._credit = self._most_credit / 10
        self._stall_credit = 0.0
        self._mean_hold = 0.0
        # When the latest request was written that was answered.
        self._answered_until = -inf
        self._all = RoundTrips()
        self._operations: dict[str, RoundTrips] = {}

    @property
    def mean_hold(self) -> float:
        """Seconds beyond ``per`` for which permits are out, on average of about the last hundred."""
        return self._mean_hold

    @property
    def credit(self) -> float:
        """Seconds for which permits may be held back, all together, because responses are late."""
        return self._credit

    def base_of(self, operation: str) -> float | None:
        """Return the base of an operation in seconds; ``None`` while it is not known."""
        return self._base(self._operations.get(operation, self._all))

    def _base(self, operation: RoundTrips) -> float | None:
        base = operation.base
        if base is None:
            base = self._all.base
        return 0.0 if self._distrusts_base and base is not None else base

    def guard_at(self, now: float) -> float:
        """Return the guard in force, in seconds."""
        if now >= self._narrows_at:
            self._guard, self._narrows_at, self._distrusts_base = self._configured_guard, inf, False
        return self._guard

    def when_sending(self, permit: PermitState, now: float, operation: str) -> float:
        """Return when to look at the permit: from now on some of the request may be on the wire."""
        trips = self._operations.get(operation)
        if trips is None:
            trips = self._new_round_trips(operation)
        permit.operation = trips
        permit.sending_at = now
        trips.add_sending(permit)
        base = self._base(trips)
        if base is None:
            # By then it may be known.
            return now + self._per
        return now + min(self.guard_at(now), trips.late) + self._per if base > self._per else inf

    def _new_round_trips(self, operation: str) -> RoundTrips:
        if len(self._operations) == TRACKED_OPERATIONS:
            # Make room: generic calls may have been made to many paths, once to each.
            self._operations = {name: known for name, known in self._operations.items() if known.base is not None}
        if len(self._operations) == TRACKED_OPERATIONS:
            return self._all
        trips = self._operations[operation] = RoundTrips()
        return trips

    def when_sent(self, permit: PermitState, now: float, *, fresh_connection: bool) -> float:
        """Return when to look at the permit: the whole request was written before now."""
        permit.sent_at = now
        permit.fresh = fresh_connection
        trips = permit.operation
        if trips is None or (base := self._base(trips)) is None or base > self._per:
            return inf
        return self._guarded(permit, now)

    def when_answered(self, permit: PermitState, now: float, *, success: bool) -> float:
        """Return when to look at the permit: the head of the response has just been read."""
        trips, began = permit.operation, permit.sending_at
        if trips is None or began is None:
            # Nothing was reported before.
            permit.ends_at = now + self._per
            return permit.ends_at
        permit.answered_at = now
        if permit.sent_at == inf:
            # Its write was not seen, so its connection may have been new.
            permit.sent_at, permit.fresh = now, True
        permit.success = success
        self._answered_until = max(self._answered_until, began)
        took = now - began
        if success:
            counts = FRESH_ANSWER_COUNTS if permit.fresh and self._comes_in_time(took) else 1.0
            trips.add(now, took, counts)
            if trips is not self._all:
                self._all.add(now, took, counts)
        base = self._base(trips)
        trips.pass_until(began, now, base)
        per = self._per
        if base is None:
            return min(now + per, max(now, began + per))
        late = took - base
        trips.add_late(late, fresh=permit.fresh)
        hold = late if success else took
        certain = began + per + hold
        # Within the guard, as most are: then it is the earlier one.
        return certain if hold <= self._guard or base > per else min(certain, self._guarded(permit, now))

    def when_released(self, permit: PermitState, now: float) -> float:
        """Return when the permit comes back: its call ends now without a response."""
        if permit.sending_at is None:
            return -inf
        guard = self.guard_at(now)
        if guard == inf:
            permit.ends_at = now + RELEASED_UNSEEN_HOLD + self._per
        elif permit.sent_at < inf:
            if self._is_silent(permit, now):
                permit.silent_until = permit.sent_at + LONGEST_SILENCE_HOLD
                return self._when_heard(permit, now)
            permit.ends_at = self._guarded(permit, now)
        else:
            # The connection is closed with the call, so the request was written before now or never will be.
            permit.ends_at = now + max(guard, FRESH_CONNECTION_GUARD) + self._per
        return permit.ends_at

    def _is_silent(self, permit: PermitState, now: float) -> bool:
        """Return whether it is unusual for how long the server has answered neither this nor a later request."""
        trips, began = permit.operation, permit.sending_at
        if trips is None or began is None or (base := self._base(trips)) is None or base > self._per:
            return False
        if permit.passed_at == inf and self._answered_until >= began:
            # It answers requests of other operations.
            return False
        return trips.is_unusual(min(permit.passed_at, now) - began - base, self.guard_at(now))

    def _when_heard(self, permit: PermitState, now: float) -> float:
        """Return when a permit comes back, or is to be looked at again, whose request was given up in a silence.

        When a server that stood still goes on, it counts all that has come meanwhile. An answer to a later request
        shows that it has.
        """
        latest = max(permit.silent_until or now, self._guarded(permit, now))
        is_silent = permit.passed_at == inf and self._answered_until < (permit.sending_at or 0.0)
        if is_silent and now < latest:
            return min(now + LOOK_AGAIN, latest)
        permit.ends_at = min(max(self._guarded(permit, now), min(permit.passed_at, now) + self._per), latest)
        return permit.ends_at

    def when_usable_elsewhere(self, permit: PermitState, now: float) -> float:
        """Return when another process may use the permit, whose way to the server may be shorter.

        Only the answer is evidence then, since the base is of this process. A permit that came back without one may be
        used elsewhere after the guard of a new connection.
        """
        if permit.sending_at is None:
            return now if permit.ends_at is None else permit.ends_at
        if permit.answered_at < inf:
            return permit.answered_at + self._per
        if permit.returned:
            if self._guard == inf:
                # What came back without an answer has a time since the end of its call.
                return permit.ends_at or now + RELEASED_UNSEEN_HOLD + self._per
            return (
                max(permit.sending_at, min(permit.sent_at, now)) + max(self._guard, FRESH_CONNECTION_GUARD) + self._per
            )
        return inf

    def _guarded(self, permit: PermitState, now: float) -> float:
        """Return the first instant at which the permit may come back although its request may be counted late."""
        guard = self.guard_at(now)
        return permit.sent_at + (max(guard, FRESH_CONNECTION_GUARD) if permit.fresh else guard) + self._per

    def _certain(self, permit: PermitState, base: float | None) -> float:
        """Return the instant from which on the permit can do no harm; ``inf`` without an answer."""
        certain = permit.answered_at + self._per
        return certain - base if base is not None and permit.success else certain

    def _slow_guard(self, permit: PermitState, trips: RoundTrips, now: float) -> float:
        """Return the guard where no answer can come in time: what was seen lately, within bounds."""
        guard = self.guard_at(now)
        if permit.fresh or permit.sent_at == inf:
            return min(max(guard, FRESH_CONNECTION_GUARD), max(trips.late, trips.late_on_fresh))
        return min(guard, trips.late)

    def when_due(self, permit: PermitState, now: float, *, scarce: bool) -> float:
        """Return when the permit comes back, or is to be looked at again; not after ``now``, if it has come back.

        Args:
            permit: a permit that was to be looked at by now.
            now: the instant.
            scarce: whether permits are needed, so that it costs something to hold one back.

        """
        began, trips, due = permit.sending_at, permit.operation, permit.ends_at
        if due is None and permit.silent_until is not None:
            return self._when_heard(permit, now)
        if due is not None or began is None or trips is None:
            return now if due is None else due
        due = self._certain(permit, self._base(trips))
        if due > now:
            due = self._due(permit, began, trips, now, scarce=scarce)
            if due > now:
                return due
        self._book(permit, due - began - self._per, scarce=scarce)
        return due

    def _due(self, permit: PermitState, began: float, trips: RoundTrips, now: float, *, scarce: bool) -> float:
        base, guard, per = self._base(trips), self.guard_at(now), self._per
        certain = self._certain(permit, base)
        is_answered = certain < inf
        until_certain = certain if is_answered else now + LOOK_AGAIN
        if permit.is_covered or guard == inf:
            return until_certain
        if base is None or base > per:
            held_until = (
                self._blind(permit, began, guard) if base is None else began + self._slow_guard(permit, trips, now)
            )
            return min(certain, held_until + per)
        if not scarce:
            return until_certain
        guarded = self._guarded(permit, now)
        if guarded > now:
            return min(certain, guarded)
        # From here on holding the permit costs credit.
        if min(permit.answered_at, now) - began - (base if permit.success else 0.0) < self._credit:
            permit.is_covered = is_answered
            return until_certain
        return self._when_stalled(permit, began, trips, base, now)

    def _blind(self, permit: PermitState, began: float, guard: float) -> float:
        """Return the instant at which a request counts as counted while no base is known."""
        if permit.sent_at == inf:
            return began + max(guard, FRESH_CONNECTION_GUARD)
        # Where answers come in time, waiting for one costs little.
        waits = permit.fresh and self._comes_in_time(self._all.fastest)
        return permit.sent_at + max(guard, FRESH_CONNECTION_GUARD if waits else UNKNOWN_GUARD)

    def _comes_in_time(self, seconds: float) -> bool:
        """Return whether an answer after so long comes before the guard of a new connection ends."""
        return seconds < self._per + FRESH_CONNECTION_GUARD

    def _when_stalled(self, permit: PermitState, began: float, trips: RoundTrips, base: float, now: float) -> float:
        """Return until when to hold a permit for which there is no credit, if the server seems to have stood still."""
        silence = min(permit.passed_at, now) - began - base
        if silence >= self._stall_credit or not trips.is_unusual(silence, self._guard):
            return now
        permit.is_stalled = True
        if permit.passed_at == inf:
            return now + LOOK_AGAIN
        return max(now, began + self._per + permit.passed_at - trips.usually_passed(began, base))

    def _book(self, permit: PermitState, hold: float, *, scarce: bool) -> None:
        """Settle the account of a permit that comes back: each brings the guard, and costs what it was held."""
        guard = self._guard
        hold = max(0.0, hold)
        if guard == inf:
            self._mean_hold += 0.01 * (hold - self._mean_hold)
            return
        credit = self._credit + guard
        if scarce:
            if hold > guard:
                if permit.is_stalled:
                    self._stall_credit -= hold - guard
                    hold = guard
                # New connections leave no debt, since at a start all are new; and an outage leaves no endless one.
                credit = max(min(credit, 0.0) if permit.fresh else -self._most_credit, credit - hold)
                hold = guard
            else:
                credit -= hold
            self._mean_hold += 0.01 * (hold - self._mean_hold)
        elif hold < self._mean_hold:
            # Or the pace, which is low because of it, would keep permits from ever being scarce again.
            self._mean_hold += 0.01 * (hold - self._mean_hold)
        self._credit = min(credit, self._most_credit)
        self._stall_credit = min(self._stall_credit + STALL_SHARE * guard, self._most_stall_credit)

    def note_429(self, now: float, *, widen: bool) -> None:
        """Take a 429 as evidence that requests are later than the guard allows, or paths differ.

        Args:
            now: the instant.
            widen: whether it is the first of its burst; the others only keep the guard wide.

        """
        guard = self.guard_at(now)
        if guard == inf:
            self._distrusts_base = True
        elif widen and guard < WIDEST_GUARD:
            self._guard = min(max(2 * guard, 0.001), WIDEST_GUARD)
        if self._guard != self._configured_guard or self._distrusts_base:
            self._narrows_at = now + GUARD_NARROWS_AFTER
