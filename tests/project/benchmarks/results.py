"""Results that were not measured, for the tests of what is made of them."""

from __future__ import annotations

from benchmarks.records import Record, Results

MACHINE = {"cores": "2", "system": "Linux x86_64", "python": "CPython 3.11.7", "libraries": "aiohttp 3.14.5"}


def record(case: str, subject: str, round_number: int = 0, /, **figures: float) -> Record:
    return Record(case, subject, {}, round_number, figures)


def results(*records: Record, **machine: str) -> Results:
    return Results(MACHINE | machine, list(records))


def rounds(case: str, subject: str, figure: str, values: list[float]) -> list[Record]:
    return [record(case, subject, number, **{figure: value}) for number, value in enumerate(values)]
