"""The simulation of the limit: it shows what rules do, and finds a rule that is wrong."""

from __future__ import annotations

import math

import pytest

from benchmarks.limit_simulation import search
from benchmarks.limit_simulation.__main__ import main, play
from benchmarks.limit_simulation.search import TwoProcesses, Witness, search_counterexamples
from benchmarks.limit_simulation.strangers import RULES, share
from benchmarks.limit_simulation.wire import measure
from benchmarks.limit_simulation.worlds import WORLDS
from marketingblocks_async.limits.release import PermitState


@pytest.mark.parametrize(
    ("world", "rate"),
    [
        ("300ms", 99),
        ("3s", 98.5),
        ("back50", 96),
        ("late1", 97),
        ("stall", 87),
        ("outage", 92),
        ("accept", 95),
        ("first_slow", 98.5),
        ("first_slow_300ms", 98.5),
        ("overload", 90),
        ("varied1", 93),
    ],
)
def test_evidence_holds_the_limit_and_the_rate(world: str, rate: float) -> None:
    outcome = play(world, "evidence", 3000, seed=1)
    assert outcome.worst <= 100
    assert outcome.rate >= rate


@pytest.mark.parametrize("world", ["stall", "outage", "late1"])
def test_a_fixed_guard_does_not(world: str) -> None:
    assert play(world, "fixed", 3000, seed=1).worst > 100


def test_the_server_stands_still_while_answers_vary() -> None:
    refused = [play("varied_stall60", rule, 8000, seed=0).refused for rule in ("fixed", "evidence")]
    assert refused[1] < refused[0] / 3


@pytest.mark.parametrize("guard", [0.05, math.inf])
def test_the_search_finds_nothing(guard: float) -> None:
    findings = search_counterexamples(guard, 60, 7)
    assert findings.broken == []
    assert findings.assumed > 30


def test_the_search_finds_a_rule_that_is_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    class TooEarly(Witness):
        def _certain(self, permit: PermitState, base: float | None) -> float:
            return super()._certain(permit, base) - 0.03

    monkeypatch.setattr(search, "Witness", TooEarly)
    assert search_counterexamples(math.inf, 60, 7).broken


@pytest.mark.parametrize("swing", [False, True])
def test_two_processes_with_different_ways_keep_the_limit(swing: bool) -> None:
    outcome = TwoProcesses(3000, 1, swing=swing).run()
    assert outcome.worst <= 100
    assert outcome.rate >= 93


def test_the_commands_run(capsys: pytest.CaptureFixture[str]) -> None:
    quick = ["--seeds", "1", "--calls", "300", "--processes", "1", "--rule", "evidence"]
    for command in (["worlds", "loopback"], ["search", "--trials", "2"], ["climb", "--steps", "1"], ["two"]):
        assert main([*quick, *command]) == 0
    printed = capsys.readouterr().out
    assert WORLDS["loopback"].about in printed
    assert "opposite swings" in printed


def test_over_a_real_socket_everything_arrives() -> None:
    seen = measure("late1", 150, 0)
    assert seen.refused == 0
    assert 1 <= seen.worst <= 100


class TestStrangers:
    """Programs that use one token without knowing of each other."""

    def test_the_client_s_rule_is_refused_least_and_leaves_the_others_their_part(self) -> None:
        runs = {rule: share(rule, 4, 4000, seed=1) for rule in RULES}
        ours = runs.pop("this client")
        assert ours.refused < min(run.refused for run in runs.values())
        assert ours.use > 0.75
        assert ours.least > 0.7

    def test_a_pace_that_does_not_react_is_refused_what_is_beyond_the_limit(self) -> None:
        assert share("a pace of 100", 4, 4000, seed=1).refused == pytest.approx(0.75, abs=0.02)

    def test_one_program_alone_is_not_refused(self) -> None:
        alone = share("this client", 1, 3000, seed=1)
        assert (alone.refused, alone.least) == (0.0, 1.0)
