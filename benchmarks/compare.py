"""Two runs against each other: which differences are real, and which are noise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.arithmetic import chance_of_difference, median
from benchmarks.figures import FIGURES, Figure, Kind
from benchmarks.records import Record, Results, values_of

CHANCE = 0.01
"""A difference that chance alone makes less often than this is taken for real."""

NOTICEABLE = 0.02
"""A real difference of the medians by less than this share is not worth a word."""


class Verdict(StrEnum):
    """What a difference is."""

    BETTER = "better"
    WORSE = "WORSE"
    NOISE = "noise"
    TOO_FEW = "too few rounds"


@dataclass(frozen=True, slots=True)
class Change:
    """A figure in two runs.

    Attributes:
        key: of what.
        figure: which one.
        before: median of the first run; of a count the largest.
        after: the same of the second.
        chance: how probable a difference at least this large is without a cause; 0 for counts.
        verdict: what follows.

    """

    key: str
    figure: str
    before: float
    after: float
    chance: float
    verdict: Verdict

    @property
    def share(self) -> float:
        """The difference as a share of the first."""
        return self.after / self.before - 1 if self.before else math.inf if self.after else 0.0


def judge(before: Sequence[float], after: Sequence[float], figure: Figure) -> tuple[float, Verdict]:
    """Return the chance and the verdict for one figure's values in two runs."""
    better, worse = (Verdict.BETTER, Verdict.WORSE) if figure.lower_is_better else (Verdict.WORSE, Verdict.BETTER)
    if figure.kind is Kind.COUNT:
        most_before, most_after = max(before), max(after)
        if most_before == most_after:
            return 0.0, Verdict.NOISE
        return 0.0, better if most_after < most_before else worse
    if 2 / math.comb(len(before) + len(after), len(before)) > CHANCE:
        return 1.0, Verdict.TOO_FEW
    chance = chance_of_difference(before, after)
    first, second = median(before), median(after)
    if chance > CHANCE or abs(second - first) < NOTICEABLE * abs(first):
        return chance, Verdict.NOISE
    return chance, better if second < first else worse


def changes(before: Results, after: Results) -> Iterator[Change]:
    """Compare all figures that both runs have; times only if both were measured on the same kind of machine."""
    same_machine = all(before.machine.get(part) == after.machine.get(part) for part in ("cores", "system", "python"))
    first, second = _by_key(before), _by_key(after)
    for key in first:
        if key not in second:
            continue
        for name, figure in FIGURES.items():
            old, new = values_of(first[key], name), values_of(second[key], name)
            if not old or not new or (figure.kind is Kind.TIME and not same_machine):
                continue
            chance, verdict = judge(old, new, figure)
            middle = max if figure.kind is Kind.COUNT else median
            yield Change(key, name, middle(old), middle(new), chance, verdict)


def in_words(found: Sequence[Change]) -> str:
    """Return what changed, and how much did not."""
    lines = [
        f"{change.verdict:7} {change.key}: {FIGURES[change.figure].words}: "
        f"{change.before:,.4g} → {change.after:,.4g} ({change.share:+.1%}"
        + (", exact)" if FIGURES[change.figure].kind is Kind.COUNT else f", by chance {change.chance:.1e})")
        for change in found
        if change.verdict in (Verdict.BETTER, Verdict.WORSE)
    ]
    quiet = sum(change.verdict is Verdict.NOISE for change in found)
    few = sum(change.verdict is Verdict.TOO_FEW for change in found)
    lines.append(f"{len(lines)} real changes, {quiet} figures the same or within the noise, {few} with too few rounds")
    return "\n".join(lines)


def _by_key(results: Results) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in results.records:
        found.setdefault(record.key, []).append(record)
    return found
