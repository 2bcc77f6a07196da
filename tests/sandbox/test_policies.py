from __future__ import annotations

import math
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketingblocks_async.sandbox import (
    AnchoredWindow,
    FixedWindow,
    Gcra,
    Policy,
    PolicyName,
    SlidingLog,
    SlidingLogStrict,
    TokenBucket,
    Unlimited,
    make_policy,
)
from marketingblocks_async.sandbox.policies import retry_after_header
from tests.support.sandbox import FakeClock


def allowed(policy: Policy, clock: FakeClock, count: int) -> int:
    return sum(policy.judge(clock()) is None for _ in range(count))


def test_unlimited_allows_everything() -> None:
    assert allowed(Unlimited(), FakeClock(), 10_000) == 10_000


class TestFixedWindow:
    def test_twice_the_limit_passes_around_a_border(self) -> None:
        clock, policy = FakeClock(9.999), FixedWindow(100, 1.0)
        assert allowed(policy, clock, 150) == 100
        clock.move(0.001)
        assert allowed(policy, clock, 150) == 100

    def test_windows_are_those_of_the_calendar(self) -> None:
        # Monotonic 10.4 is 11.0 in the calendar.
        clock, policy = FakeClock(10.3), FixedWindow(1, 1.0, calendar_offset=0.6)
        assert allowed(policy, clock, 2) == 1
        clock.now = 10.41
        assert allowed(policy, clock, 2) == 1

    def test_without_an_offset_the_clock_is_the_calendar(self) -> None:
        policy = make_policy(PolicyName.FIXED_WINDOW, limit=1, per=2.0)
        assert policy.judge(4.5) is None
        assert policy.judge(4.5) == pytest.approx(1.5)

    def test_refusals_do_not_count(self) -> None:
        clock, policy = FakeClock(5.0), FixedWindow(2, 1.0)
        assert allowed(policy, clock, 1000) == 2
        clock.move(1.0)
        assert allowed(policy, clock, 1000) == 2

    def test_wait_is_the_rest_of_the_window(self) -> None:
        policy = FixedWindow(1, 2.0)
        assert policy.judge(4.5) is None
        assert policy.judge(4.5) == pytest.approx(1.5)


class TestSlidingLog:
    def test_border_is_half_open(self) -> None:
        clock, policy = FakeClock(), SlidingLog(100, 1.0)
        assert allowed(policy, clock, 101) == 100
        clock.now = math.nextafter(1001.0, 0.0)
        assert allowed(policy, clock, 1) == 0
        clock.now = 1001.0
        assert allowed(policy, clock, 101) == 100

    def test_no_burst_around_a_calendar_border(self) -> None:
        clock, policy = FakeClock(9.999), SlidingLog(100, 1.0)
        assert allowed(policy, clock, 100) == 100
        clock.move(0.002)
        assert allowed(policy, clock, 100) == 0

    def test_only_accepted_requests_count(self) -> None:
        clock, policy = FakeClock(), SlidingLog(10, 1.0)
        assert allowed(policy, clock, 10) == 10
        for _ in range(9):
            clock.move(0.1)
            assert allowed(policy, clock, 50) == 0
        clock.now = 1001.0
        assert allowed(policy, clock, 50) == 10

    def test_wait_until_the_oldest_leaves(self) -> None:
        policy = SlidingLog(2, 1.0)
        assert policy.judge(10.0) is None
        assert policy.judge(10.25) is None
        assert policy.judge(10.5) == pytest.approx(0.5)
        assert policy.judge(11.0) is None
        assert policy.judge(11.0) == pytest.approx(0.25)


class TestSlidingLogStrict:
    def test_refused_requests_count(self) -> None:
        clock, policy = FakeClock(), SlidingLogStrict(10, 1.0)
        assert allowed(policy, clock, 10) == 10
        for _ in range(20):
            clock.move(0.5)
            assert allowed(policy, clock, 10) == 0
        clock.move(1.0)
        assert allowed(policy, clock, 10) == 10

    def test_border_is_half_open(self) -> None:
        policy = SlidingLogStrict(1, 1.0)
        assert policy.judge(1.0) is None
        assert policy.judge(2.0) is None
        assert policy.judge(math.nextafter(3.0, 0.0)) is not None

    def test_who_waits_as_told_is_allowed(self) -> None:
        policy = SlidingLogStrict(2, 1.0)
        for moment in (10.0, 10.25, 10.5):
            wait = policy.judge(moment)
        assert wait == pytest.approx(0.75)
        assert policy.judge(10.5 + 0.75) is None


class TestTokenBucket:
    def test_starts_full_and_no_fuller(self) -> None:
        clock, policy = FakeClock(), TokenBucket(100, 1.0)
        assert allowed(policy, clock, 150) == 100
        clock.move(3600.0)
        assert allowed(policy, clock, 150) == 100

    def test_nearly_twice_the_limit_passes_in_one_window(self) -> None:
        clock, policy = FakeClock(0.0), TokenBucket(64, 1.0)
        passed = allowed(policy, clock, 64)
        for _ in range(63):
            clock.move(1 / 64)
            passed += allowed(policy, clock, 1)
        assert clock.now < 1.0
        assert passed == 127

    def test_an_even_pace_is_never_refused(self) -> None:
        # 0.01 has no exact binary form; the sum of many must not cost the caller a request.
        policy = TokenBucket(100, 1.0)
        assert all(policy.judge(number * 0.01) is None for number in range(5000))

    def test_wait_is_until_one_token_is_there(self) -> None:
        policy = TokenBucket(1, 4.0)
        assert policy.judge(0.0) is None
        assert policy.judge(1.0) == pytest.approx(3.0)
        assert policy.judge(4.0) is None


class TestGcra:
    def test_tolerance_extra_requests_pass_at_once(self) -> None:
        clock, policy = FakeClock(), Gcra(100, 1.0, tolerance=10)
        assert allowed(policy, clock, 100) == 11
        clock.move(10.0)
        assert allowed(policy, clock, 100) == 11

    def test_no_tolerance_is_an_even_pace(self) -> None:
        clock, policy = FakeClock(0.0), Gcra(4, 1.0, tolerance=0)
        assert allowed(policy, clock, 2) == 1
        clock.now = 0.2499
        assert allowed(policy, clock, 1) == 0
        clock.now = 0.25
        assert allowed(policy, clock, 2) == 1

    def test_refusals_do_not_count(self) -> None:
        clock, policy = FakeClock(), Gcra(2, 1.0, tolerance=1)
        assert allowed(policy, clock, 1000) == 2
        clock.move(0.5)
        assert allowed(policy, clock, 1000) == 1

    def test_wait(self) -> None:
        policy = Gcra(2, 1.0, tolerance=1)
        assert [policy.judge(8.0), policy.judge(8.0)] == [None, None]
        assert policy.judge(8.125) == pytest.approx(0.375)
        assert policy.judge(8.5) is None


NAMES = [name for name in PolicyName if name is not PolicyName.NONE]
GAPS = st.lists(st.sampled_from([0.0, 0.0, 0.0, 1 / 64, 1 / 16, 0.25, 0.5, 1.0, 3.0]), max_size=120)


@given(gaps=GAPS, name=st.sampled_from(NAMES), limit=st.integers(1, 8))
def test_who_waits_as_told_is_allowed(gaps: list[float], name: PolicyName, limit: int) -> None:
    clock, policy = FakeClock(), make_policy(name, limit=limit, per=1.0, tolerance=2)
    for gap in gaps:
        clock.move(gap)
        wait = policy.judge(clock())
        if wait is not None:
            assert 0 < wait <= 1.0
            clock.move(wait + 1e-6)
            assert policy.judge(clock()) is None


@given(gaps=GAPS, limit=st.integers(1, 8))
def test_the_sliding_logs_keep_every_window(gaps: list[float], limit: int) -> None:
    for policy in (SlidingLog(limit, 1.0), SlidingLogStrict(limit, 1.0)):
        clock = FakeClock()
        passed: list[float] = []
        for gap in gaps:
            clock.move(gap)
            if policy.judge(clock()) is None:
                passed.append(clock())
        assert all(sum(start <= time < start + 1.0 for time in passed) <= limit for start in passed)


@given(gaps=GAPS, limit=st.integers(1, 8))
def test_the_sliding_log_refuses_only_when_it_must(gaps: list[float], limit: int) -> None:
    clock, policy = FakeClock(), SlidingLog(limit, 1.0)
    passed: list[float] = []
    for gap in gaps:
        clock.move(gap)
        recent = sum(clock() - time < 1.0 for time in passed)
        accepted = policy.judge(clock()) is None
        assert accepted == (recent < limit)
        if accepted:
            passed.append(clock())


@pytest.mark.parametrize("name", NAMES)
def test_every_policy_reaches_its_rate(name: PolicyName) -> None:
    # Someone who asks at exactly the limit's pace, from a rest, is never refused by any of them.
    clock, policy = FakeClock(0.0), make_policy(name, limit=128, per=1.0, tolerance=10)
    for _ in range(1000):
        assert policy.judge(clock()) is None
        clock.move(1 / 128)


def test_names_make_their_policies() -> None:
    kinds = [type(make_policy(name, limit=1, per=1.0)) for name in PolicyName]
    assert len(set(kinds)) == len(PolicyName)
    assert kinds[0] is Unlimited


@pytest.mark.parametrize(
    ("style", "wait", "header"),
    [
        ("none", 0.4, None),
        ("seconds", 0.4, "1"),
        ("seconds", 1.0, "1"),
        ("seconds", 1.01, "2"),
        ("decimal", 0.2371, "0.238"),
        ("decimal", 2.0, "2.000"),
        ("soon", 0.4, "soon"),
        ("120", 0.4, "120"),
    ],
)
def test_retry_after(style: str, wait: float, header: str | None) -> None:
    assert retry_after_header(style, wait, 1_700_000_000.25) == header


def test_retry_after_as_a_date_is_never_too_early() -> None:
    header = retry_after_header("http_date", 0.9, 1_700_000_000.25)
    assert header == "Tue, 14 Nov 2023 22:13:22 GMT"
    assert parsedate_to_datetime(header).timestamp() >= 1_700_000_000.25 + 0.9


def test_an_anchored_window_begins_with_its_first_request() -> None:
    policy, clock = AnchoredWindow(3, 1.0), FakeClock(50.7)
    assert allowed(policy, clock, 5) == 3
    assert policy.remaining == 0
    clock.move(0.999)
    assert policy.judge(clock()) == pytest.approx(0.001)
    clock.move(0.001)
    assert allowed(policy, clock, 5) == 3
    clock.move(100.0)
    assert policy.judge(clock()) is None
    assert (policy.remaining, policy.ends_at) == (2, clock() + 1.0)
