"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class Size(StrEnum):
    """``SMOKE`` shows that everything runs, ``QUICK`` gives a rough answer in minutes, ``FULL`` the one to publish."""

    SMOKE = "smoke"
    QUICK = "quick"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of a run.

    Attributes:
        size: how much work there is.
        rounds: how often the contestants take turns; ``None`` for what each case thinks enough.
        contestants: which ones take part; empty for all that are installed.

    """

    size: Size = Size.FULL
    rounds: int | None = None
    contestants: tuple[str, ...] = ()

    def pick(self, *, smoke: T, quick: T, full: T) -> T:
        """Return what fits the size."""
        return {Size.SMOKE: smoke, Size.QUICK: quick, Size.FULL: full}[self.size]

    def rounds_of(self, *, quick: int, full: int) -> int:
        """Return the number of rounds of a case; one to show that it runs."""
        return self.rounds or self.pick(smoke=1, quick=quick, full=full)
