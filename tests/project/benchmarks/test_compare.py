"""A change is told from noise."""

from __future__ import annotations

from importlib.util import find_spec

from benchmarks.compare import Verdict, changes, in_words
from tests.project.benchmarks.results import record, results, rounds
from tests.support.tools import need

STEADY = [100.0, 101.0, 99.0, 100.5, 99.5, 100.2, 99.8]


def verdict(figure: str, before: list[float], after: list[float], **machine: str) -> Verdict | None:
    need("scipy", present=find_spec("scipy") is not None)
    first = results(*rounds("throughput", "ours", figure, before))
    second = results(*rounds("throughput", "ours", figure, after), **machine)
    found = list(changes(first, second))
    return found[0].verdict if found else None


def test_the_same_again_is_noise() -> None:
    assert verdict("cpu", STEADY, STEADY[::-1]) is Verdict.NOISE


def test_a_shift_of_all_rounds_is_real() -> None:
    assert verdict("cpu", STEADY, [value * 1.1 for value in STEADY]) is Verdict.WORSE
    assert verdict("cpu", STEADY, [value * 0.9 for value in STEADY]) is Verdict.BETTER
    assert verdict("rate_to_raw", STEADY, [value * 0.9 for value in STEADY]) is Verdict.WORSE


def test_one_bad_round_is_noise() -> None:
    assert verdict("cpu", STEADY, [*STEADY[:-1], 500.0]) is Verdict.NOISE


def test_a_real_but_small_change_is_noise() -> None:
    assert verdict("cpu", [100.0] * 9, [101.0] * 9) is Verdict.NOISE


def test_three_rounds_say_nothing_about_times() -> None:
    assert verdict("cpu", [1.0, 2.0, 3.0], [10.0, 20.0, 30.0]) is Verdict.TOO_FEW


def test_counts_are_exact() -> None:
    assert verdict("worst_second", [100.0], [101.0]) is Verdict.WORSE
    assert verdict("worst_second", [100.0, 100.0], [99.0, 100.0]) is Verdict.NOISE
    assert verdict("duplicates", [3.0], [0.0]) is Verdict.BETTER


def test_times_of_different_machines_are_not_compared() -> None:
    assert verdict("cpu", STEADY, STEADY, cores="64") is None
    assert verdict("rate_to_raw", STEADY, STEADY, cores="64") is Verdict.NOISE


def test_the_words_name_what_changed() -> None:
    need("scipy", present=find_spec("scipy") is not None)
    first = results(record("limit", "ours", worst_second=100), *rounds("throughput", "ours", "cpu", STEADY))
    second = results(record("limit", "ours", worst_second=104), *rounds("throughput", "ours", "cpu", STEADY))
    text = in_words(list(changes(first, second)))
    assert "WORSE   limit ours: most requests of a token in any second: 100 → 104 (+4.0%, exact)" in text
    assert "1 real changes, 1 figures the same or within the noise, 0 with too few rounds" in text
