"""The rule by which permits come back, on instants given by hand."""

from __future__ import annotations

import math

import pytest

from marketingblocks_async.limits.release import (
    ANSWERS_FOR_A_BASE,
    BASE_WINDOW,
    FRESH_ANSWER_COUNTS,
    FRESH_CONNECTION_GUARD,
    LONGEST_SILENCE_HOLD,
    LOOK_AGAIN,
    MARGIN,
    STALL_SHARE,
    TRACKED_OPERATIONS,
    UNKNOWN_GUARD,
    PermitState,
    ReleaseRule,
)
from marketingblocks_async.limits.settings import RateLimit


class Pool:
    """Asks the rule as the pool does: at the earliest instant that it named, and again at the one that it answers."""

    def __init__(self, guard: float = 0.05) -> None:
        self.rule = ReleaseRule(RateLimit(guard=guard))
        self.now = 0.0

    def learn(self, round_trip: float = 0.1, operation: str = "create", number: int = ANSWERS_FOR_A_BASE) -> None:
        """Make the base known."""
        for _ in range(number):
            self.hold(round_trip, operation)

    def hold(
        self,
        round_trip: float,
        operation: str = "create",
        *,
        fresh: bool = False,
        success: bool = True,
        scarce: bool = True,
        passed: float = math.inf,
    ) -> float:
        """Return for how long beyond ``per`` a permit is out whose answer takes so long."""
        rule, began = self.rule, self.now
        permit, later = PermitState(), PermitState()
        events = [(began + round_trip, permit, success), (began + passed, later, True)]
        looks = [rule.when_sending(permit, began, operation), rule.when_sent(permit, began, fresh_connection=fresh)]
        rule.when_sending(later, began, operation)
        while True:
            look = min(looks)
            events.sort(key=lambda event: event[0])
            if events and events[0][0] <= look and events[0][0] < math.inf:
                self.now, answered, succeeded = events.pop(0)
                when = rule.when_answered(answered, self.now, success=succeeded)
                if answered is permit:
                    looks.append(when)
                continue
            self.now = max(self.now, look)
            looks.remove(look)
            due = rule.when_due(permit, self.now, scarce=scarce)
            if due <= self.now:
                later.returned = permit.returned = True
                for when, answered, succeeded in events:
                    if when < math.inf:
                        rule.when_answered(answered, when, success=succeeded)
                # The next one is soon after this one, while this one is out.
                self.now = began + 0.01
                return due - began - 1
            looks.append(due)


@pytest.fixture
def pool() -> Pool:
    known = Pool()
    known.learn()
    return known


def test_a_usual_answer_holds_the_permit_for_the_margin(pool: Pool) -> None:
    assert pool.rule.base_of("create") == pytest.approx(0.1 - MARGIN)
    assert pool.hold(0.1) == pytest.approx(MARGIN)
    assert pool.hold(0.12) == pytest.approx(MARGIN + 0.02)


@pytest.mark.parametrize("late", [0.3, 0.9, 1.5, 5.0])
def test_rare_lateness_of_any_size_is_held_in_full(pool: Pool, late: float) -> None:
    held = pool.hold(0.1 + late)
    assert held == pytest.approx(late + MARGIN)


def test_lateness_of_all_is_held_for_the_guard_on_average(pool: Pool) -> None:
    holds = [pool.hold(0.4) for _ in range(3000)]
    assert min(holds) >= 0.05 - 1e-9
    assert sum(holds) / len(holds) <= 0.05 + 0.1 * 30 * 100 * 0.05 / 3000 + 0.002
    assert pool.rule.mean_hold <= 0.05


def test_the_mean_falls_after_a_time_of_late_answers_though_permits_are_plenty() -> None:
    """The pace is lower because of it, so that with a wide guard permits were never scarce again, and it stayed low."""
    pool = Pool(guard=1.0)
    pool.learn()
    for _ in range(500):
        pool.hold(0.9)
    assert pool.rule.mean_hold > 0.7
    for _ in range(500):
        pool.hold(0.1, scarce=False)
    assert pool.rule.mean_hold < 0.02


def test_an_answer_that_never_comes_is_not_awaited_for_ever(pool: Pool) -> None:
    credit = pool.rule.credit
    assert pool.hold(math.inf) <= credit + 1
    assert pool.hold(math.inf) == pytest.approx(0.05)


def test_nothing_is_lost_by_waiting_while_permits_are_plenty(pool: Pool) -> None:
    credit, mean = pool.rule.credit, pool.rule.mean_hold
    assert pool.hold(20.1, scarce=False) == pytest.approx(20.0 + MARGIN)
    assert pool.rule.credit >= credit
    assert pool.rule.mean_hold <= mean


def test_a_new_connection_is_given_a_second_without_credit(pool: Pool) -> None:
    pool.hold(math.inf)
    assert pool.hold(0.8, fresh=True) == pytest.approx(0.7 + MARGIN)
    assert pool.hold(math.inf, fresh=True) == pytest.approx(FRESH_CONNECTION_GUARD)


def test_new_connections_cost_credit_and_leave_no_debt(pool: Pool) -> None:
    credit = pool.rule.credit
    pool.hold(0.2, fresh=True)
    assert pool.rule.credit == pytest.approx(credit + 0.05 - (0.1 + MARGIN))
    for _ in range(100):
        pool.hold(0.8, fresh=True)
        assert pool.rule.credit >= 0
    assert pool.rule.credit < 1


def test_a_failure_is_no_evidence_of_how_fast_an_answer_can_be(pool: Pool) -> None:
    assert pool.hold(0.01, success=False) == pytest.approx(0.01)
    assert pool.rule.base_of("create") == pytest.approx(0.1 - MARGIN)


def test_operations_have_bases_of_their_own(pool: Pool) -> None:
    pool.learn(0.8, "slow")
    assert pool.rule.base_of("slow") == pytest.approx(0.8 - MARGIN)
    assert pool.hold(0.8, "slow") == pytest.approx(MARGIN)
    # The fastest of all counts for an operation that is not known.
    assert pool.rule.base_of("new") == pytest.approx(0.1 - MARGIN)


def test_many_operations_share_a_base(pool: Pool) -> None:
    for number in range(TRACKED_OPERATIONS):
        pool.learn(0.8, f"path/{number}")
    pool.learn(0.9, "one more")
    assert pool.rule.base_of("path/3") == pytest.approx(0.8 - MARGIN)
    assert pool.rule.base_of("one more") == pytest.approx(0.1 - MARGIN)


def test_operations_that_are_hardly_used_make_room(pool: Pool) -> None:
    for number in range(3 * TRACKED_OPERATIONS):
        pool.hold(0.8, f"path/{number}")
    pool.learn(0.9, "one more")
    assert pool.rule.base_of("one more") == pytest.approx(0.9 - MARGIN)


def test_a_base_that_falls_postpones_permits_that_are_out(pool: Pool) -> None:
    rule, permit, faster = pool.rule, PermitState(), PermitState()
    began = pool.now
    rule.when_sending(permit, began, "create")
    rule.when_sent(permit, began, fresh_connection=False)
    due = rule.when_answered(permit, began + 0.1, success=True)
    rule.when_sending(faster, began + 0.2, "create")
    rule.when_answered(faster, began + 0.22, success=True)
    assert due == pytest.approx(began + 1 + MARGIN)
    while (again := rule.when_due(permit, due, scarce=True)) > due:
        due = again
    assert due == pytest.approx(began + 0.1 + 1 - (0.02 - MARGIN))


def test_a_base_that_rises_is_forgotten_within_a_minute(pool: Pool) -> None:
    for _ in range(3):
        pool.now += BASE_WINDOW / 2
        pool.learn(0.3)
    assert pool.rule.base_of("create") == pytest.approx(0.3 - MARGIN)


def test_answers_slower_than_the_window_hold_what_was_late_lately() -> None:
    pool = Pool()
    pool.learn(3.0)
    assert pool.hold(3.0) == pytest.approx(MARGIN, abs=0.001)
    pool.hold(3.03)
    assert pool.hold(3.0) == pytest.approx(MARGIN + 0.03, abs=0.001)
    # And no more than the guard.
    pool.hold(4.0)
    assert pool.hold(3.0) == pytest.approx(0.05)


def test_without_a_base_the_answer_is_awaited_for_a_moment() -> None:
    assert Pool().hold(0.1) == pytest.approx(0.1)
    assert Pool().hold(0.9) == pytest.approx(UNKNOWN_GUARD)
    assert Pool(guard=0.5).hold(0.9) == pytest.approx(0.5)


def test_an_infinite_guard_is_evidence_alone() -> None:
    pool = Pool(guard=math.inf)
    assert pool.hold(0.9) == pytest.approx(0.9)
    pool.learn()
    assert pool.hold(0.1) == pytest.approx(MARGIN)
    assert pool.hold(20.0) == pytest.approx(19.9 + MARGIN)


def test_after_a_429_an_infinite_guard_trusts_answers_alone_for_a_minute() -> None:
    pool = Pool(guard=math.inf)
    pool.learn()
    pool.rule.note_429(pool.now, widen=True)
    assert pool.hold(0.1) == pytest.approx(0.1)
    pool.now += 61
    pool.rule.guard_at(pool.now)
    pool.learn()
    assert pool.hold(0.1) == pytest.approx(MARGIN)


def test_a_standing_server_is_noticed_although_answers_vary(pool: Pool) -> None:
    # All are late, so there is no credit; a later request is usually answered soon.
    for _ in range(500):
        pool.hold(0.6, passed=0.15)
    assert pool.rule.credit < 0.6
    assert pool.hold(0.6, passed=0.15) == pytest.approx(0.05)
    assert pool.hold(0.9, passed=0.65) > 0.4


def test_a_server_that_stands_for_ever_is_not_awaited_for_ever(pool: Pool) -> None:
    for _ in range(500):
        pool.hold(0.6, passed=0.15)
    assert 0.4 < pool.hold(math.inf) < 0.1 + 500 * STALL_SHARE * 0.05 + LOOK_AGAIN


@pytest.mark.parametrize("guard", [0.0, 0.05, math.inf])
def test_a_permit_of_another_process_comes_back_at_its_time(guard: float) -> None:
    rule, permit = ReleaseRule(RateLimit(guard=guard)), PermitState()
    permit.ends_at = 7.0
    assert rule.when_due(permit, 6.0, scarce=True) == 7.0
    assert rule.when_usable_elsewhere(permit, 6.0) == 7.0


def test_answers_on_new_connections_alone_make_no_base_soon() -> None:
    """All of them may be late, as at the start of a pool; then the first reused connection would overtake them."""
    pool = Pool()
    for _ in range(ANSWERS_FOR_A_BASE):
        assert pool.hold(0.4, fresh=True) == pytest.approx(0.4)
    assert pool.rule.base_of("create") is None
    for _ in range(int(ANSWERS_FOR_A_BASE / FRESH_ANSWER_COUNTS)):
        pool.hold(0.4, fresh=True)
    assert pool.rule.base_of("create") == pytest.approx(0.4 - MARGIN)


def test_without_a_base_new_connections_wait_a_second_where_answers_come_in_time() -> None:
    pool = Pool()
    assert pool.hold(math.inf, fresh=True) == pytest.approx(UNKNOWN_GUARD)
    pool.hold(1.5, fresh=True)
    assert pool.hold(1.5, fresh=True) == pytest.approx(FRESH_CONNECTION_GUARD)
    assert pool.hold(1.5) == pytest.approx(UNKNOWN_GUARD)


def test_slow_answers_on_new_connections_are_soon_known_as_slow() -> None:
    pool = Pool()
    for _ in range(ANSWERS_FOR_A_BASE):
        assert pool.hold(3.0, fresh=True) == pytest.approx(UNKNOWN_GUARD)
    assert pool.rule.base_of("create") == pytest.approx(3.0 - MARGIN)


def release(pool: Pool, after: float, *, heard: float = math.inf, operation: str = "create") -> float:
    """Return for how long beyond ``per`` a permit is out whose request is given up after so long.

    Args:
        pool: asks the rule.
        after: seconds from the write to the end of its call.
        heard: seconds from the write to the answer to a request that was written a moment later.
        operation: of that request.

    """
    rule, began = pool.rule, pool.now
    permit, later = PermitState(), PermitState()
    rule.when_sending(permit, began, "create")
    rule.when_sent(permit, began, fresh_connection=False)
    rule.when_sending(later, began + 0.001, operation)
    if heard <= after:
        rule.when_answered(later, began + heard, success=True)
    now = began + after
    due = rule.when_released(permit, now)
    while due > now:
        now = due
        if heard <= now - began and later.answered_at == math.inf:
            rule.when_answered(later, began + heard, success=True)
        due = rule.when_due(permit, now, scarce=True)
    pool.now = now + 1
    return due - began - 1


def test_a_request_given_up_in_a_silence_is_held_until_a_later_one_is_answered(pool: Pool) -> None:
    assert release(pool, 0.5, heard=2.0) == pytest.approx(2.0, abs=LOOK_AGAIN)
    assert release(pool, 0.5, heard=2.0, operation="list") == pytest.approx(2.0, abs=LOOK_AGAIN)


def test_a_request_given_up_in_a_silence_is_not_held_for_ever(pool: Pool) -> None:
    assert release(pool, 0.5) == pytest.approx(LONGEST_SILENCE_HOLD - 1)
    assert release(pool, 30.0) <= 29.0


@pytest.mark.parametrize("operation", ["create", "list"])
def test_a_lost_answer_costs_the_guard(pool: Pool, operation: str) -> None:
    """The server has gone on, as the answer to a later request shows."""
    assert release(pool, 0.5, heard=0.1, operation=operation) == pytest.approx(0.05)


def test_a_request_given_up_early_costs_the_guard(pool: Pool) -> None:
    """Many are cancelled at once, when one of them has failed. That no answer has come is not unusual then."""
    assert release(pool, 0.11) == pytest.approx(0.05)


def test_a_request_given_up_while_nothing_is_known_costs_the_guard() -> None:
    assert release(Pool(), 0.5) == pytest.approx(0.05)
