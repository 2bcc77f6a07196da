"""The harness's own arithmetic, against slow and obvious ways to do the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.arithmetic import (
    copies,
    median,
    overtaken,
    percentile,
    rate_of,
    refusals,
    sampled_counts,
    sliding_counts,
    worst_window,
)

# Halves and quarters are exact in binary, so that borders of windows are met exactly.
instants = st.lists(st.integers(0, 40).map(lambda quarters: quarters / 4), max_size=30).map(sorted)


@given(instants)
def test_the_worst_window_is_the_fullest_of_all_half_open_windows(times: list[float]) -> None:
    slow = max((sum(start <= time < start + 1 for time in times) for start in times), default=0)
    assert worst_window(times) == slow


@given(instants)
def test_sliding_counts_look_back_a_second_from_each_instant(times: list[float]) -> None:
    counts = sliding_counts(times)
    for place, (time, count) in enumerate(zip(times, counts, strict=True)):
        assert count == sum(time - earlier < 1 for earlier in times[: place + 1])


def test_a_request_a_second_later_is_in_the_next_window() -> None:
    assert worst_window([0.0, 1.0]) == 1
    assert worst_window([0.0, 0.999]) == 2
    assert worst_window([]) == 0


@given(instants)
def test_samples_have_the_same_peak_as_all_instants(times: list[float]) -> None:
    assert max(sampled_counts(times), default=0) == worst_window(times)


def test_samples_hold_a_burst_for_a_second() -> None:
    assert sampled_counts([0.0] * 5 + [2.0], step=0.5) == [5, 5, 0, 0, 1]


def test_the_rate_is_that_between_first_and_last() -> None:
    assert rate_of([0.0, 0.5, 1.0]) == 2.0
    assert rate_of([1.0]) == rate_of([]) == rate_of([1.0, 1.0]) == 0.0


def test_policies_refuse_as_they_are_defined() -> None:
    burst = [0.0] * 150
    assert refusals(burst, "fixed_window") == 50
    assert refusals(burst, "sliding_log") == 50
    assert refusals(burst, "token_bucket") == 50
    assert refusals(burst, "gcra") == 150 - 11
    # Two bursts around a border of the calendar: only a fixed window lets both pass.
    around = [0.9] * 100 + [1.1] * 100
    assert refusals(around, "fixed_window") == 0
    assert refusals(around, "sliding_log") == 100
    assert refusals(around, "fixed_window", calendar_offset=0.5) == 100


def test_overtaken_counts_those_behind_a_later_one() -> None:
    assert overtaken([0, 1, 2, 3]) == 0
    assert overtaken([3, 0, 1, 2]) == 3
    assert overtaken([0, 2, 1, 3]) == 1


def test_percentiles_are_values_that_occurred() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [percentile(values, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1.0, 3.0, 5.0, 5.0]
    assert percentile([], 0.5) == 0.0


def test_copies_are_counted_by_caption() -> None:
    assert copies(["a", "b", "a", "a", "b"]) == (3, 3)
    assert copies(["a", "b"]) == (1, 0)
    assert copies([]) == (0, 0)


def test_the_median_of_nothing_is_zero() -> None:
    assert median([]) == 0.0
    assert median([3.0, 1.0, 2.0]) == 2.0
