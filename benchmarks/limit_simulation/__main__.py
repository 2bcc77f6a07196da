"""Command line of the simulation."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from multiprocessing import Pool

from marketingblocks_async.limits.release import ReleaseRule
from marketingblocks_async.limits.settings import RateLimit

from . import strangers
from .baselines import FixedGuard, PlainBudget
from .search import CLIMBS, TwoProcesses, climb, search_counterexamples
from .simulation import Outcome, Simulation, local_pool
from .wire import measure
from .worlds import WORLDS

RULES: dict[str, tuple[type[ReleaseRule], float]] = {
    "fixed": (FixedGuard, 0.05),
    "fixed, inf": (FixedGuard, math.inf),
    "budget": (PlainBudget, 0.05),
    "evidence": (ReleaseRule, 0.05),
    "evidence, inf": (ReleaseRule, math.inf),
}


def play(world: str, rule: str, calls: int, seed: int, *, refuses: bool = False) -> Outcome:
    """Play one run."""
    kind, guard = RULES[rule]
    settings = RateLimit(guard=guard)
    simulation = Simulation(
        [WORLDS[world]], calls, seed, settings=settings, make_pool=local_pool(kind), refuses=refuses
    )
    return simulation.run()


def _play(job: tuple[str, str, int, int, bool]) -> Outcome:
    world, rule, calls, seed, refuses = job
    return play(world, rule, calls, seed, refuses=refuses)


def _climb(job: tuple[str, str, int, int]) -> int:
    case, rule, steps, seed = job
    kind, guard = RULES[rule]
    return climb(CLIMBS[case], local_pool(kind), RateLimit(guard=guard), steps, seed)


def _worlds(options: argparse.Namespace) -> None:
    worlds: list[str] = options.world or list(WORLDS)
    seeds = range(options.seeds)
    jobs = [
        (world, rule, options.calls, seed, options.refuses)
        for world in worlds
        for rule in options.rule
        for seed in seeds
    ]
    with Pool(options.processes) as pool:
        outcomes = dict(zip(jobs, pool.map(_play, jobs, chunksize=1), strict=True))
    print("| world | " + " | ".join(options.rule) + " |")
    print("| --- |" + " --- |" * len(options.rule))
    for world in worlds:
        cells: list[str] = []
        for rule in options.rule:
            runs = [outcomes[world, rule, options.calls, seed, options.refuses] for seed in seeds]
            rate, refused = (
                sum(values) / len(runs) for values in zip(*((r.rate, r.refused) for r in runs), strict=True)
            )
            cells.append(f"{max(run.worst for run in runs)} / {rate:.1f} / {refused:.0f}")
        print(f"| {WORLDS[world].about} | " + " | ".join(cells) + " |", flush=True)


def _search(options: argparse.Namespace) -> None:
    for guard in (math.inf, 0.05, 0.3):
        found = search_counterexamples(guard, options.trials, options.seeds)
        print(f"guard {guard}: {found}", flush=True)


def _climbs(options: argparse.Namespace) -> None:
    jobs = [
        (case, rule, options.steps, seed) for case in CLIMBS for rule in options.rule for seed in range(options.seeds)
    ]
    with Pool(options.processes) as pool:
        worst = dict(zip(jobs, pool.map(_climb, jobs, chunksize=1), strict=True))
    for case in CLIMBS:
        found = {
            rule: max(worst[case, rule, options.steps, seed] for seed in range(options.seeds)) for rule in options.rule
        }
        print(f"{case}: " + ", ".join(f"{rule} {count}" for rule, count in found.items()), flush=True)


def _two(options: argparse.Namespace) -> None:
    for seed in range(options.seeds):
        for swing in (False, True):
            outcome = TwoProcesses(options.calls, seed, swing=swing).run()
            print(f"seed {seed}, swing {swing}: worst {outcome.worst}, rate {outcome.rate:.1f}", flush=True)


def _strangers(options: argparse.Namespace) -> None:
    print("| programs | " + " | ".join(strangers.RULES) + " |")
    print("| --- |" + " --- |" * len(strangers.RULES))
    jobs = [
        (rule, programs, options.calls, seed)
        for programs in (1, 2, 4, 8)
        for rule in strangers.RULES
        for seed in range(options.seeds)
    ]
    with Pool(options.processes) as pool:
        runs = dict(zip(jobs, pool.starmap(strangers.share, jobs, chunksize=1), strict=True))
    for programs in (1, 2, 4, 8):
        cells: list[str] = []
        for rule in strangers.RULES:
            mean = strangers.mean_of([runs[rule, programs, options.calls, seed] for seed in range(options.seeds)])
            cells.append(f"{mean.use:.2f} / {mean.refused:.1%} / {mean.least:.2f}")
        print(f"| {programs} | " + " | ".join(cells) + " |", flush=True)


def _wire(options: argparse.Namespace) -> None:
    for seed in range(options.seeds):
        for world in options.world or list(WORLDS):
            seen = measure(
                world, options.calls, seed, guard=options.guard, busy=options.busy, given_session=options.given_session
            )
            print(f"{WORLDS[world].about}: {seen}", flush=True)


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limit_simulation", description=__doc__)
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="processes to use (default: one a core)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each kind (default 3)")
    parser.add_argument("--calls", type=int, default=12000, help="calls of each run (default 12000)")
    parser.add_argument("--rule", action="append", choices=RULES, help="only these rules")
    commands = parser.add_subparsers(required=True)
    worlds = commands.add_parser("worlds", help="worst second / rate / refusals of each rule in each world")
    worlds.add_argument("world", nargs="*", choices=[[], *WORLDS], help="only these worlds")
    worlds.add_argument("--refuses", action="store_true", help="let the server answer with 429s")
    worlds.set_defaults(run=_worlds)
    search = commands.add_parser("search", help="random scenarios against the theorems")
    search.add_argument("--trials", type=int, default=2000)
    search.set_defaults(run=_search)
    climbs = commands.add_parser("climb", help="hill climbing towards the worst second, outside of the assumptions")
    climbs.add_argument("--steps", type=int, default=100)
    climbs.set_defaults(run=_climbs)
    commands.add_parser("two", help="two processes that share the permits").set_defaults(run=_two)
    shared = commands.add_parser("strangers", help="programs that use one token without knowing of each other")
    shared.set_defaults(run=_strangers)
    wire = commands.add_parser("wire", help="worlds over a real socket, against a counting server")
    wire.add_argument(
        "world", nargs="*", choices=[[], *WORLDS], help="only these worlds; the network is this machine's"
    )
    wire.add_argument("--guard", type=float, default=0.05)
    wire.add_argument("--busy", type=int, default=0, help="number of endless loops beside it")
    wire.add_argument("--given-session", action="store_true", help="hand the client a session")
    wire.set_defaults(run=_wire)
    options = parser.parse_args(arguments)
    options.rule = options.rule or list(RULES)
    options.run(options)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
