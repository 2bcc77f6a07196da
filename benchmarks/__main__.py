"""Command line of the measurements."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cases import CASES
from benchmarks.compare import changes, in_words
from benchmarks.contestants import CONTESTANTS, missing
from benchmarks.machine import in_words as machine_in_words
from benchmarks.machine import machine
from benchmarks.pictures import PicturesNeedMatplotlibError, draw_all
from benchmarks.plan import Plan, Size
from benchmarks.promises import broken, checked
from benchmarks.records import Record, Results, UnreadableResultsError
from benchmarks.tables import all_tables, comparison, one_table

OUTPUT = Path("build/bench")
_EPILOG = """
Other commands: "compare BEFORE AFTER" tells real differences of two results from noise; "show RESULTS" makes tables and
pictures of results again. RESULTS, BEFORE and AFTER are files that a run wrote: results.json in its folder.
"""


def _measuring() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, epilog=_EPILOG)
    parser.add_argument("case", nargs="*", help=f"what to measure (default: all): {', '.join(CASES)}")
    parser.add_argument(
        "--quick",
        dest="size",
        action="store_const",
        const=Size.QUICK,
        default=Size.FULL,
        help="three minutes, not 70",
    )
    parser.add_argument(
        "--smoke", dest="size", action="store_const", const=Size.SMOKE, help="seconds, to see that everything runs"
    )
    parser.add_argument("--rounds", type=int, help="how many rounds the contestants take turns")
    parser.add_argument("--contestant", action="append", default=[], choices=[*CONTESTANTS], help="only these")
    parser.add_argument("--out", type=Path, default=OUTPUT, help=f"folder for results and pictures (default {OUTPUT})")
    parser.add_argument("--check", action="store_true", help="fail if a promise is broken: a count, never a time")
    return parser


async def _measure(case: str, plan: Plan, results: Results, path: Path) -> None:
    async for record in CASES[case](plan):
        results.records.append(record)
        # At once, so that an interrupted run leaves what it has.
        results.save(path)
        print(_progress(record), file=sys.stderr, flush=True)


def _progress(record: Record) -> str:
    figures = ", ".join(f"{name} {value:.5g}" for name, value in record.figures.items())
    return f"  {record.key} round {record.round + 1}: {figures}"


def measure(arguments: Sequence[str]) -> int:
    """Run what the command line asks for; return the exit status."""
    parser = _measuring()
    given = parser.parse_args(arguments)
    if unknown := [case for case in given.case if case not in CASES]:
        parser.error(f"there is no case {', '.join(unknown)}; there are {', '.join(CASES)}")
    absent = [distribution for name in CONTESTANTS for distribution in missing(name)]
    if absent:
        print(f"not installed, so not compared: {', '.join(absent)} (pip install --group bench)", file=sys.stderr)
    plan = Plan(size=given.size, rounds=given.rounds, contestants=tuple(given.contestant))
    results = Results(machine())
    path: Path = given.out / "results.json"
    print(f"{machine_in_words(results.machine)}\n", flush=True)
    for case in given.case or CASES:
        asyncio.run(_measure(case, plan, results, path))
        if results.of(case):
            print(one_table(results, case), flush=True)
    _leave_behind(results, given.out)
    return _check(results) if given.check else 0


def _leave_behind(results: Results, folder: Path) -> None:
    (folder / "table.md").write_text(all_tables(results), encoding="utf-8")
    if results.of("limit"):
        (folder / "comparison.md").write_text(comparison(results), encoding="utf-8")
    try:
        pictures = draw_all(results, folder)
    except PicturesNeedMatplotlibError as exc:
        print(exc, file=sys.stderr)
        pictures = []
    print("written:", ", ".join(str(path) for path in (folder / "results.json", folder / "table.md", *pictures)))


def _check(results: Results) -> int:
    problems = broken(results)
    for problem in problems:
        print(f"BROKEN PROMISE: {problem}")
    print(f"checked {checked(results)} counts against the promises: {len(problems)} broken")
    return 1 if problems else 0


def compare(arguments: Sequence[str]) -> int:
    """Compare two runs; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks compare", description="tell real changes from noise")
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    given = parser.parse_args(arguments)
    print(in_words(list(changes(Results.load(given.before), Results.load(given.after)))))
    return 0


def show(arguments: Sequence[str]) -> int:
    """Make tables and pictures of results; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks show", description="make tables and pictures again")
    parser.add_argument("results", type=Path)
    parser.add_argument("--check", action="store_true", help="fail if a promise is broken: a count, never a time")
    given = parser.parse_args(arguments)
    results = Results.load(given.results)
    print(all_tables(results))
    _leave_behind(results, given.results.parent)
    return _check(results) if given.check else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; return the exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    commands = {"compare": compare, "show": show}
    command = commands.get(words[0]) if words else None
    try:
        return command(words[1:]) if command else measure(words)
    except UnreadableResultsError as exc:
        print(exc, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
