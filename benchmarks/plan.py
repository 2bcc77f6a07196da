"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of a run.

    Attributes:
        quick: whether a rough answer in a few minutes is enough.
        rounds: how many rounds the contestants take turns; ``None`` for what each case thinks enough.
        contestants: which ones take part; empty for all that are installed.

    """

    quick: bool = False
    rounds: int | None = None
    contestants: tuple[str, ...] = ()

    def rounds_of(self, quick: int, full: int) -> int:
        """Return the number of rounds of a case."""
        return self.rounds or (quick if self.quick else full)
