"""Compare two runs: tell real changes from noise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.arithmetic import median
from benchmarks.figures import FIGURES, Figure, Kind
from benchmarks.records import Record, Results, values_of

CHANCE = 0.01
"""A difference counts as real if chance alone makes it less often than this."""

NOTICEABLE = 0.02
"""A real difference of the medians by less than this share is not reported."""


class Verdict(StrEnum):
    """The verdict about a difference."""

    BETTER = "better"
    WORSE = "WORSE"
    NOISE = "noise"
    TOO_FEW = "too few rounds"


@dataclass(frozen=True, slots=True)
class Change:
    """A figure in two runs.

    Attributes:
        key: case, subject and setting.
        figure: name of the figure.
        before: median of the first run; the largest value of a count.
        after: the same of the second run.
        chance: probability of a difference at least this large without a cause; 0 for counts.
        verdict: the verdict.

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
    # Here, since the tables and pictures work without it.
    from scipy.stats import mannwhitneyu  # noqa: PLC0415 - slow to import

    # A test by ranks, because times are not normally distributed.
    chance = float(mannwhitneyu(before, after).pvalue)
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
    """Return the changes as text, and the number of figures that did not change."""
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
