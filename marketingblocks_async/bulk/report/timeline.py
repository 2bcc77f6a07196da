"""The course of a run over time, from what its journal knows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from marketingblocks_async.bulk.journal.states import RowState

LONGEST_GAP = 10
"""Seconds without any outcome after which the time between two sessions is left out of the picture."""

MOST_BINS = 240
"""How many steps a picture has at most."""


@dataclass(frozen=True, slots=True)
class Bin:
    """What ended in one step of time.

    Attributes:
        at: seconds of running before this step; pauses between sessions are left out.
        seconds: length of the step.
        done: rows that were created.
        failed: rows that failed.
        unknown: rows whose outcome became unknown.
        after_gap: whether time was left out before this step.

    """

    at: int
    seconds: int
    done: int
    failed: int
    unknown: int
    after_gap: bool

    @property
    def rate(self) -> float:
        """Rows per second."""
        return (self.done + self.failed + self.unknown) / self.seconds


def timeline(seconds: Sequence[tuple[int, int, int]]) -> list[Bin]:
    """Return the course of a run in at most ``MOST_BINS`` steps.

    Args:
        seconds: (Unix second, state, rows that ended so in it), in order.

    """
    by_second: dict[int, dict[int, int]] = {}
    for second, state, count in seconds:
        by_second.setdefault(second, {})[state] = count
    if not by_second:
        return []
    # Seconds of running, with the gaps between sessions closed.
    moments: list[tuple[int, bool, dict[int, int]]] = []
    running, before = 0, min(by_second)
    for second in sorted(by_second):
        gap = second - before > LONGEST_GAP
        running += 1 if gap else second - before
        moments.append((running, gap, by_second[second]))
        before = second
    width = max(1, -(-(running + 1) // MOST_BINS))
    return [_bin(number * width, width, moments_in) for number, moments_in in _grouped(moments, width, running)]


def _grouped(
    moments: Sequence[tuple[int, bool, dict[int, int]]], width: int, last: int
) -> Iterable[tuple[int, list[tuple[int, bool, dict[int, int]]]]]:
    groups: dict[int, list[tuple[int, bool, dict[int, int]]]] = {number: [] for number in range(last // width + 1)}
    for moment in moments:
        groups[moment[0] // width].append(moment)
    return groups.items()


def _bin(at: int, width: int, moments: Sequence[tuple[int, bool, dict[int, int]]]) -> Bin:
    totals = {
        state: sum(counts.get(state, 0) for _, _, counts in moments)
        for state in (RowState.DONE, RowState.FAILED, RowState.UNKNOWN)
    }
    return Bin(
        at,
        width,
        totals[RowState.DONE],
        totals[RowState.FAILED],
        totals[RowState.UNKNOWN],
        any(gap for _, gap, _ in moments),
    )
