"""The promises hold in many simulated worlds, and do not where a bug is planted."""

from __future__ import annotations

import contextvars
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.bugs import BUGS, planted
from tests.simulation.loop import PROCESS, Process, SimulatedLoop
from tests.simulation.play import SCENARIOS, play
from tests.simulation.scenarios import journal_of
from tests.support.tools import need

ROOT = Path(__file__).parents[2]

SEEDS = 300
"""Seeds of a test run, in 25 s of processor time; make simulation plays 100,000."""

PARTS = 12

MOST_TRIED = 300
"""Seeds of which one has to show the bug."""


@pytest.mark.parametrize("part", range(PARTS))
def test_promises_hold(part: int) -> None:
    violations = {seed: world.violations for seed in range(part, SEEDS, PARTS) if (world := play(seed)).violations}
    assert not violations, "replay with: python -m tests.simulation --seed N"


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str) -> None:
    scenario, likely, _ = BUGS[name]
    need({"tools": "mcp", "workers": "lupa"}.get(scenario, scenario), present=scenario in SCENARIOS)
    with planted(name):
        assert any(play(seed, scenario).violations for seed in (likely, *range(MOST_TRIED)))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_seed_plays_the_same_each_time(scenario: str) -> None:
    # As in a process that has played nothing before.
    journal_of.cache_clear()
    one, two = play(6, scenario), play(6, scenario)
    assert (one.loop.turns, one.loop.now, one.story) == (two.loop.turns, two.loop.now, two.story)
    assert one.sandbox.ledger.arrivals() == two.sandbox.ledger.arrivals()


def test_worlds_differ() -> None:
    stories = [" ".join(play(seed).story) for seed in range(20)]
    assert sum("died" in story for story in stories) > 3
    assert sum("fault" in story for story in stories) > 10


def test_a_seed_can_be_replayed_from_the_command_line() -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)  # noqa: S603
    assert (done.returncode, done.stderr) == (0, "")
    assert "0 violations in seed 3" in done.stdout


def test_a_process_that_stands_still_goes_on_in_order() -> None:
    loop = SimulatedLoop(None)
    process = Process(loop)
    inside = contextvars.copy_context()
    inside.run(PROCESS.set, process)
    order: list[int] = []
    for number in range(20):
        loop.call_soon(order.append, number, context=inside)
    process.writes_in = -100
    process.stand_still(5.0)
    for number in range(20, 40):
        loop.call_soon(order.append, number, context=inside)
    for number in range(40, 60):
        loop.call_later(1.0, order.append, number, context=inside)
    loop.call_later(10.0, loop.stop)
    loop.run_forever()
    loop.close()
    assert order == list(range(60))
