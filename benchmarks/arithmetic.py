"""The harness's own arithmetic: windows, rates, order, medians."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence

from marketingblocks_async.sandbox import PolicyName, make_policy


def sliding_counts(instants: Sequence[float], seconds: float = 1.0) -> list[int]:
    """Return for each instant (ascending) the number of instants in the half-open window that ends with it."""
    counts: list[int] = []
    oldest = 0
    for newest, instant in enumerate(instants):
        while instant - instants[oldest] >= seconds:
            oldest += 1
        counts.append(newest - oldest + 1)
    return counts


def worst_window(instants: Sequence[float], seconds: float = 1.0) -> int:
    """Return the largest number of instants (ascending) in any half-open window; 0 if there are none."""
    # Some fullest window ends with an instant.
    return max(sliding_counts(instants, seconds), default=0)


def sampled_counts(instants: Sequence[float], seconds: float = 1.0, step: float = 0.05) -> list[int]:
    """Return for each ``step`` of time the largest number of instants in the window before it.

    This is the count of a server with a sliding log over time, in a size that can be kept. It starts with the first
    instant and ends with the last.

    Args:
        instants: ascending.
        seconds: length of the window.
        step: of time.

    """
    if not instants:
        return []
    first = instants[0]
    samples = [
        bisect_right(instants, moment) - bisect_right(instants, moment - seconds)
        for moment in (first + place * step for place in range(int((instants[-1] - first) / step) + 1))
    ]
    for instant, count in zip(instants, sliding_counts(instants, seconds), strict=True):
        place = int((instant - first) / step)
        samples[place] = max(samples[place], count)
    return samples


def rate_of(instants: Sequence[float]) -> float:
    """Return the instants (ascending) per second from the first to the last; 0 for fewer than two."""
    if len(instants) < 2 or instants[-1] <= instants[0]:
        return 0.0
    return (len(instants) - 1) / (instants[-1] - instants[0])


def refusals(instants: Iterable[float], policy: str, *, tolerance: int = 10, calendar_offset: float = 0.0) -> int:
    """Return the number of requests at these instants (ascending) that a server with this policy answers with 429.

    Args:
        instants: when they arrive, in monotonic seconds.
        policy: a ``PolicyName`` of the sandbox.
        tolerance: of GCRA.
        calendar_offset: added to the instants to get calendar seconds, for the fixed window.

    """
    judge = make_policy(
        PolicyName(policy), limit=100, per=1.0, tolerance=tolerance, calendar_offset=calendar_offset
    ).judge
    return sum(judge(instant) is not None for instant in instants)


def overtaken(order: Iterable[int]) -> int:
    """Return the number of calls that come after a call with a larger number, which started later."""
    largest = -1
    count = 0
    for number in order:
        count += number < largest
        largest = max(largest, number)
    return count


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least ``share`` (0 to 1) of the values do not exceed; 0 if there are none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def copies(captions: Iterable[str]) -> tuple[int, int]:
    """Return the number of copies of the post with the most copies, and the number of superfluous copies in all."""
    counts = Counter(captions)
    return max(counts.values(), default=0), sum(count - 1 for count in counts.values())


def median(values: Iterable[float]) -> float:
    """Return the median; 0 if there are no values."""
    found = list(values)
    return statistics.median(found) if found else 0.0
