"""Play a seed."""

from __future__ import annotations

from importlib.util import find_spec

from .scenarios import bulk, calls, many
from .world import Scenario, World, simulate

SCENARIOS: dict[str, Scenario] = {"calls": calls, "many": many, "bulk": bulk}

if find_spec("mcp") is not None:
    from .tools import tools

    SCENARIOS["tools"] = tools

if find_spec("lupa") is not None:
    from .workers import workers

    SCENARIOS["workers"] = workers


def play(seed: int, scenario: str | None = None) -> World:
    """Play a seed; return the world with what was violated.

    Args:
        seed: the seed.
        scenario: a key of ``SCENARIOS``; by default the seed decides.

    """
    return simulate(seed, lambda world: SCENARIOS[scenario or world.chance.choice([*SCENARIOS])])


def violations_of(seed: int) -> tuple[int, list[str]]:
    """Play a seed; return it with what was violated."""
    return seed, play(seed).violations
