"""What must hold in every run, on every machine: counts that the server made, never a time."""

from __future__ import annotations

from types import MappingProxyType

from benchmarks.contestants import OURS
from benchmarks.records import Results

PROMISES = MappingProxyType(
    {
        "worst_second": (100, "a second held more requests of a token than the limit allows"),
        "duplicates": (0, "posts were created once too often"),
        "copies_of_one": (1, "one create was carried out several times"),
    }
)
"""The most that a figure of this client may be, and what it means if it is more."""


def broken(results: Results) -> list[str]:
    """Return every promise that a measurement of this client broke, in words."""
    return [
        f"{record.key} round={record.round}: {name} is {record.figures[name]:g}, allowed are {most}: {meaning}"
        for record in results.of_subject(OURS)
        for name, (most, meaning) in PROMISES.items()
        if record.figures.get(name, 0) > most
    ]


def checked(results: Results) -> int:
    """Return how many figures a promise was held against."""
    return sum(name in record.figures for record in results.of_subject(OURS) for name in PROMISES)
