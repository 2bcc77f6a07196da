"""The simulated fleet: the real leases and the real script keep the limit, and a wrong script is found."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from random import Random

import pytest

pytest.importorskip("lupa", reason="needs lupa (make test REQUIRE_ALL_TOOLS=1)")

from benchmarks.fleet_simulation import redis_server
from benchmarks.fleet_simulation.__main__ import main
from benchmarks.fleet_simulation.fleet import Costs, Figures, Fleet, Layout
from marketingblocks_async.redis import RedisRateLimit
from marketingblocks_async.redis.connection import Exchange


def troubled(seed: int) -> Figures:
    """Play a small fleet in which much goes wrong."""
    random = Random(seed)
    choose = random.choice
    layout = Layout(
        tokens=6,
        processes=choose([3, 5, 9]),
        spread=choose([1, 2, 3]),
        saturated=choose([0, 3, 6]),
        burst=choose([5, 60, 300]),
        pause=choose([1, 3]),
        deaths=choose([0, 0.7, 2]),
        fails_over_at=choose([0, 3.0]),
        out_of_reach=choose([0.0, 0.2, 1.0]),
        seconds=8,
        warm_up=2,
    )
    costs = Costs(
        late=choose([0, 0.01, 0.1]),
        lost=choose([0, 0.01, 0.1]),
        to_redis=choose([0.0003, 0.02]),
        to_api=choose([0.001, 0.05]),
        work=choose([0.0, 0.08, 2.0]),
    )
    return Fleet(layout, costs, seed).run()


@pytest.mark.parametrize("seed", range(12))
def test_no_trouble_breaks_the_limit(seed: int) -> None:
    assert troubled(seed).worst <= 100


def test_a_clock_set_back_to_before_the_start_does_not_stop_the_script() -> None:
    """Redis then tells a negative uptime, on which the script failed."""
    server = redis_server.RedisServer(lambda: 10_000.0, 0.0)
    server.restart()
    server.set_clock_forward(-600.0)
    settings = RedisRateLimit("redis://x")
    micro = [round(seconds * 1e6) for seconds in (settings.per, settings.lease, settings.grace, 0.0)]
    words: list[str | int] = ["a", 1, 0, 0, 5, 0, settings.limit, *micro, 0, 0, 0]
    ((reply,), _) = server.run([Exchange(("marker", "token"), words)])
    quarantine = reply[7] / 1e6
    assert 0 < quarantine <= settings.recovery


@pytest.mark.parametrize("wants", [[3] * 4, [3] * 5, [3] * 7, [1, 1, 1, 3, 3, 3], [0, 0, 0, 0, 3], [0] * 6 + [3] * 4])
def test_more_processes_than_permits_take_turns(wants: list[int]) -> None:
    """Some never got a permit: those whose random names came first. Who wants none takes no turn."""
    now, limit, processes = [0.0], 3, len(wants)
    server = redis_server.RedisServer(lambda: now[0], 0.0)
    settings = RedisRateLimit("redis://x")
    micro = [round(seconds * 1e6) for seconds in (settings.per, settings.lease, settings.grace, 0.0)]
    held, surplus, permits = [0] * processes, [0] * processes, [0] * processes
    for step in range(1, 601):
        now[0] += 0.1
        for index in range(processes):
            back = min(held[index], surplus[index])
            claim, want = held[index] - back, wants[index]
            words: list[str | int] = [f"p{index}", step, step - 1, claim, want, 0, limit, *micro, 0, 0, 0]
            ((reply,), _) = server.run([Exchange(("marker", "token"), [*words, *[0] * back])])
            held[index], surplus[index] = reply[1], max(0, reply[1] - reply[2])
            permits[index] += held[index]
        assert sum(held) <= limit
    busy = [each for each, want in zip(permits, wants, strict=True) if want]
    assert min(busy) > 0.7 * max(busy)
    assert sum(busy) > 0.9 * 600 * limit


@pytest.mark.parametrize("seed", range(6))
def test_jumps_of_redis_s_clock_do_not_break_the_limit(seed: int) -> None:
    layout = Layout(
        tokens=6,
        processes=6,
        spread=3,
        saturated=2,
        burst=150,
        pause=1.5,
        deaths=[0, 2][seed % 2],
        jumps=[1.0, 3.1][seed % 2],
        seconds=15,
    )
    assert Fleet(layout, seed=seed).run().worst <= 100


@pytest.mark.parametrize(
    "mistakes",
    [
        {"now > member.ends + grace then": "now > member.ends - lease then", "member.ends + grace + per": "now"},
        {"put_back(now + tonumber(ARGV[first_return + index - 1]))": "put_back(now)"},
    ],
    ids=["permits of a living process", "permits that are not free yet"],
)
def test_a_script_that_gives_permits_away_too_early_is_found(
    mistakes: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = files("marketingblocks_async.redis").joinpath("exchange.lua").read_text("utf-8")
    for right, wrong in mistakes.items():
        assert right in script
        script = script.replace(right, wrong)
    (tmp_path / "exchange.lua").write_text(script)
    # Permits move all the time.
    layout = Layout(tokens=2, processes=4, spread=4, burst=150, pause=1.5, seconds=10)
    seeds = range(5)
    assert max(Fleet(layout, seed=seed).run().worst for seed in seeds) <= 100

    def files_of(_package: str) -> Path:
        return tmp_path

    monkeypatch.setattr(redis_server, "files", files_of)
    assert max(Fleet(layout, seed=seed).run().worst for seed in seeds) > 100


def test_a_seed_gives_the_same_run() -> None:
    assert troubled(5) == troubled(5)


def test_four_processes_use_nearly_all_of_a_limit() -> None:
    figures = Fleet(Layout(tokens=1, processes=4, spread=4, saturated=1, seconds=15)).run()
    assert figures.worst <= 100
    assert figures.use > 0.985
    assert figures.exchanges < 4.5 * 4


def test_a_process_that_dies_costs_its_share_for_less_than_three_seconds() -> None:
    figures = Fleet(Layout(tokens=1, processes=4, spread=4, saturated=1, seconds=15, deaths=30)).run()
    # A quarter of the limit for 2.75 of 10 seconds, and what the one in its place needs to get it.
    assert 0.9 < figures.use < 0.97


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["play", "two processes a token", "--tokens", "20", "--processes", "4", "--seconds", "6"]
    assert main(words) == 0
    assert capsys.readouterr().out.count("\n") == 3
