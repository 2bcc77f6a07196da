"""The harness's own arithmetic: windows, rates, order, medians, and what is noise."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence

from marketingblocks_async.sandbox import PolicyName, make_policy


def sliding_counts(instants: Sequence[float], seconds: float = 1.0) -> list[int]:
    """Return for each instant (ascending) how many lie in the half-open window of ``seconds`` that ends with it."""
    counts: list[int] = []
    oldest = 0
    for newest, instant in enumerate(instants):
        while instant - instants[oldest] >= seconds:
            oldest += 1
        counts.append(newest - oldest + 1)
    return counts


def worst_window(instants: Sequence[float], seconds: float = 1.0) -> int:
    """Return the most instants (ascending) in any half-open window; 0 if there are none."""
    # Some fullest window ends with an instant.
    return max(sliding_counts(instants, seconds), default=0)


def sampled_counts(instants: Sequence[float], seconds: float = 1.0, step: float = 0.05) -> list[int]:
    """Return for each ``step`` of time since the first instant how many lay in the window before, at the most.

    It is how many a server with a sliding log counts over time, in a size that can be kept; it ends with the last
    instant.

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
    """Return how many requests at these instants (ascending) a server with this policy answers 429.

    Args:
        instants: when they arrive, in monotonic seconds.
        policy: a :class:`~marketingblocks_async.sandbox.PolicyName`.
        tolerance: of GCRA.
        calendar_offset: what turns the instants into calendar seconds, for the fixed window.

    """
    judge = make_policy(
        PolicyName(policy), limit=100, per=1.0, tolerance=tolerance, calendar_offset=calendar_offset
    ).judge
    return sum(judge(instant) is not None for instant in instants)


def overtaken(order: Iterable[int]) -> int:
    """Return how many numbers come after a larger one: calls that somebody who started later has overtaken."""
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
    """Return how often the most often created post was created, and how many creations were one too many."""
    counts = Counter(captions)
    return max(counts.values(), default=0), sum(count - 1 for count in counts.values())


def median(values: Iterable[float]) -> float:
    """Return the median; 0 if there are no values."""
    found = list(values)
    return statistics.median(found) if found else 0.0


def chance_of_difference(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return how probable a difference at least this large is if both come from the same source.

    The exact two-sided rank-sum (Mann-Whitney) test, ties by their middle ranks: it asks nothing of the distribution,
    which for times is never a bell.
    """
    if not ours or not theirs:
        return 1.0
    together = sorted([*ours, *theirs])
    # Twice the middle rank, so that it is an integer.
    ranks = {value: 2 * together.index(value) + together.count(value) + 1 for value in set(together)}
    # How many choices of so many ranks have which sum.
    choices: list[Counter[int]] = [Counter({0: 1}), *(Counter[int]() for _ in ours)]
    for rank in (ranks[value] for value in together):
        for size in range(len(ours), 0, -1):
            for total, ways in choices[size - 1].items():
                choices[size][total + rank] += ways
    sums = choices[len(ours)]
    expected = len(ours) * (len(together) + 1)
    distance = abs(sum(ranks[value] for value in ours) - expected)
    extreme = sum(ways for total, ways in sums.items() if abs(total - expected) >= distance)
    return extreme / sum(sums.values())
