from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketingblocks_async.sandbox import average_rate, identity_of, worst_window
from tests.support.sandbox import create_request

# A coarse grid makes exact hits of a window's border likely; the fine part makes them unlikely.
TIMES = st.lists(
    st.one_of(st.integers(0, 80).map(lambda step: step / 16), st.floats(0, 5, allow_nan=False)), max_size=60
).map(sorted)

SECONDS = st.sampled_from([1 / 16, 0.25, 0.5, 1.0, 1.5, 7.0])


@given(times=TIMES, seconds=SECONDS)
def test_worst_window_is_the_brute_force_maximum(times: list[float], seconds: float) -> None:
    brute = max((sum(0 <= time - start < seconds for time in times) for start in times), default=0)
    assert worst_window(times, seconds) == brute


@given(times=TIMES, seconds=SECONDS, shift=st.floats(-3, 8))
def test_no_window_anywhere_holds_more_than_the_worst(times: list[float], seconds: float, shift: float) -> None:
    assert sum(0 <= time - shift < seconds for time in times) <= worst_window(times, seconds)


def test_window_is_half_open() -> None:
    assert worst_window([0.0, 1.0]) == 1
    assert worst_window([0.0, 0.999999]) == 2
    assert worst_window(array("d", [0.0, 0.5, 1.0, 1.25])) == 3


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_window_needs_a_length(seconds: float) -> None:
    with pytest.raises(ValueError, match="longer than 0"):
        worst_window([1.0], seconds)


def test_average_rate() -> None:
    assert average_rate([]) == 0.0
    assert average_rate([3.0]) == 0.0
    assert average_rate([3.0, 3.0]) == 0.0
    assert average_rate([1.0, 1.5, 2.0]) == 2.0


def test_identity_is_the_documented_fields_in_any_order() -> None:
    request = create_request()
    shuffled = dict(reversed(request.items()))
    assert identity_of(request) == identity_of(shuffled)
    assert identity_of(request) == identity_of({**request, "attempt": 2, "hash_tags": None})
    for change in (
        {"caption_text": "Other"},
        {"channel_id": 124},
        {"channel_type": "threads"},
        {"post_type": "reel"},
        {"media_urls": ["https://example.com/b.jpg"]},
        {"publish_mode": "queued"},
        {"hash_tags": "a"},
    ):
        assert identity_of({**request, **change}) != identity_of(request)
