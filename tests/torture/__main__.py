"""The command line of the campaign; ``make torture`` runs it."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import shutil
import sys
from pathlib import Path

from tests.torture.campaign import Campaign, Options

ROOT = Path(__file__).resolve().parent.parent.parent


def main() -> int:
    """Run the campaign; return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000, help="number of kills (%(default)s)")
    parser.add_argument("--seed", type=int, help="repeat the choices of an earlier campaign")
    parser.add_argument(
        "--rows", type=int, default=40, help="rows of a file (%(default)s); six times as many at the limit"
    )
    parser.add_argument("--quick", action="store_true", help="25 kills of files of 12 rows")
    parser.add_argument("--workers", type=int, default=3 * (os.cpu_count() or 1), help="cases at a time (%(default)s)")
    parser.add_argument("--case", help="only the case of this name, for example w3-17")
    given = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    folder = ROOT / "build" / "torture"
    shutil.rmtree(folder, ignore_errors=True)
    options = Options(
        kills=25 if given.quick else given.kills,
        rows=12 if given.quick else given.rows,
        workers=given.workers,
        seed=seed,
        folder=folder,
        only=given.case,
    )
    campaign = Campaign(options, say=lambda line: print(line, flush=True))
    asyncio.run(campaign.run())
    return 1 if campaign.violating else 0


if __name__ == "__main__":
    sys.exit(main())
