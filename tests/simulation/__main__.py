"""``python -m tests.simulation``: play seeds, and show what was violated."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable

from .play import play, violations_of


def main(arguments: list[str] | None = None) -> int:
    """Play the seeds; return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, metavar="N", help="play this seed and tell what happens in it")
    parser.add_argument("--seeds", type=int, default=300, metavar="N", help="number of seeds to play (300)")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the first of them (0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (one a core)")
    given = parser.parse_args(arguments)
    if given.seed is not None:
        world = play(given.seed)
        sys.stdout.write("\n".join([*world.story, *(f"VIOLATED: {words}" for words in world.violations), ""]))
        sys.stdout.write(f"{len(world.violations)} violations in seed {given.seed}, {world.loop.turns} turns\n")
        return 1 if world.violations else 0
    began = time.monotonic()
    violated = 0
    seeds = range(given.first, given.first + given.seeds)
    with multiprocessing.get_context("spawn").Pool(given.jobs, maxtasksperchild=200) as pool:
        found: Iterable[tuple[int, list[str]]] = pool.imap_unordered(violations_of, seeds, chunksize=10)
        for count, (seed, violations) in enumerate(found, 1):
            if violations:
                violated += 1
                sys.stdout.write(f"seed {seed}: {violations[0]}\n  replay: python -m tests.simulation --seed {seed}\n")
            if count % 1000 == 0:
                sys.stderr.write(f"{count} seeds, {violated} violated, {time.monotonic() - began:.0f} s\n")
    sys.stdout.write(f"{len(seeds)} seeds, {violated} violated, {time.monotonic() - began:.0f} s\n")
    return 1 if violated else 0


if __name__ == "__main__":
    sys.exit(main())
