"""Arithmetic of sliding windows, written apart from the code that it judges."""

from __future__ import annotations

from collections.abc import Iterable


def worst_window(instants: Iterable[float], seconds: float) -> int:
    """Return the largest number of instants in any half-open window of this length."""
    ordered = sorted(instants)
    worst = oldest = 0
    for newest, instant in enumerate(ordered):
        # A billionth less, since 1000.3 + 1 - 1000.3 is not 1 in floating point.
        while instant - ordered[oldest] >= seconds - 1e-9:
            oldest += 1
        worst = max(worst, newest - oldest + 1)
    return worst
