"""Command line of the measurements."""

from __future__ import annotations

import argparse
import asyncio

from .cases import CASES, machine


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = ", ".join(CASES)
    parser.add_argument("case", nargs="*", choices=[*CASES, []], help=f"which ones (default: all): {names}")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    arguments = parser.parse_args()
    print(machine())
    for name in arguments.case or CASES:
        print(f"\n{name}: {CASES[name].__doc__}")
        asyncio.run(CASES[name](quick=arguments.quick))


if __name__ == "__main__":
    main()
