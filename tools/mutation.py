"""Change the code in small ways and count which changes the tests notice: ``make mutation MUTATION_ARGS="limits"``.

A change that no test notices (it *survives*) is a promise that could break unseen, or one that changes nothing that
matters; a person has to judge which. Each change is made in a copy of the project, and those tests of its room that
reach the changed line are run there, the quickest first, until one fails. It counts if it fails once more: a test that
only the load of the machine made fail has noticed nothing. Tests that hang are counted apart.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from enum import Enum
from itertools import repeat
from pathlib import Path
from queue import SimpleQueue
from typing import cast

from tools import reached

ROOT = Path(__file__).parents[1]
PACKAGE = "marketingblocks_async"
COPIED = (PACKAGE, "tests", "tools", "benchmarks", "examples", "docs", "pyproject.toml", "README.md", "CHANGELOG.md")

# Each room, and the tests that are to notice a change of it.
ROOMS: dict[str, tuple[str, ...]] = {
    "limits": ("tests/limits", "tests/redis/test_pool.py"),
    "calls": ("tests/calls", "tests/client"),
    "transport": ("tests/transport", "tests/client"),
    "bulk/journal": ("tests/bulk/journal", "tests/bulk/run"),
    "bulk/run": ("tests/bulk/run", "tests/bulk/report"),
    "redis": ("tests/redis",),
    "sandbox/policies": ("tests/sandbox/test_policies.py", "tests/sandbox/test_server.py"),
}

OUTPUT = "output.txt"
"""Where a copy of the project has the output of its last run of the tests."""

HUNG = "from pytest-timeout"
"""In the output of a test that was ended because it took too long."""

LEAST_TIMEOUT = 30.0
"""Seconds of one test, after which it hangs."""

LONGEST_RUN = 1200.0
"""Seconds of all tests, after which they hang where no test can be ended."""

TRIALS = 3
"""How often a mutant is tried of which a test fails once and not again."""


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    path: Path
    line: int
    lines: frozenset[int]
    """Those that a test must reach to notice it; none: any test may."""
    words: str
    number: int
    """Of the changed node, in the order of ``_code()``."""

    def made_in(self, source: str) -> str:
        """Return the text of the file with the change."""
        tree = ast.parse(source)
        mutation = _Mutation([node for node, _ in _code(tree)][self.number])
        return ast.unparse(ast.fix_missing_locations(mutation.visit(tree)))


class Verdict(Enum):
    """What the tests say about a mutant."""

    SURVIVES = "survives"
    NOTICED = "noticed"
    HANGS = "hangs"


_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
}  # fmt: skip
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}


def changed(node: ast.AST) -> ast.AST | None:
    """Change a node, and return what takes its place; ``None`` if there is no change to make."""
    return _changed_expression(node) if isinstance(node, ast.expr) else _changed_statement(node)


def _changed_expression(node: ast.expr) -> ast.AST | None:
    result: ast.AST = node
    match node:
        case ast.Compare(ops=[comparison]) if type(comparison) in _COMPARISONS:
            node.ops = [_COMPARISONS[type(comparison)]()]
        case ast.BinOp(op=operator) if type(operator) in _OPERATORS:
            node.op = _OPERATORS[type(operator)]()
        case ast.BoolOp(op=junction):
            node.op = ast.Or() if isinstance(junction, ast.And) else ast.And()
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            result = operand
        case ast.IfExp(test=test):
            node.test = ast.UnaryOp(ast.Not(), test)
        case ast.Constant(value=bool(truth)):
            node.value = not truth
        case ast.Constant(value=int() | float() as number):
            node.value = number + 1
        case ast.Name(id=name, ctx=ast.Load()) if name in _NAMES:
            node.id = _NAMES[name]
        case _:
            return None
    return result


def _changed_statement(node: ast.AST) -> ast.AST | None:
    match node:
        case ast.If(test=test):
            node.test = ast.UnaryOp(ast.Not(), test)
            return node
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            node.value = ast.Constant(None)
            return node
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.AugAssign() | ast.Continue() | ast.Break():
            return ast.copy_location(ast.Pass(), node)
        case _:
            return None


class _Mutation(ast.NodeTransformer):
    """Changes one node of a tree."""

    def __init__(self, target: ast.AST) -> None:
        self._target = target

    def visit(self, node: ast.AST) -> ast.AST:
        return (changed(node) or node) if node is self._target else self.generic_visit(node)


def mutants_of(path: Path) -> list[Mutant]:
    """Return every mutant of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: list[Mutant] = []
    for number, (node, in_function) in enumerate(_code(tree)):
        if changed(deepcopy(node)) is None:
            continue
        words = f"{type(node).__name__}: {ast.unparse(node).splitlines()[0][:90]}"
        line: int = getattr(node, "lineno", 0)
        end: int = getattr(node, "end_lineno", line) if isinstance(node, ast.expr) else line
        # What a module or class says of itself is read once, by whichever test comes first.
        lines = frozenset(range(line, end + 1)) if in_function else frozenset[int]()
        found.append(Mutant(path.relative_to(ROOT), line, lines, words, number))
    return found


def _code(tree: ast.Module) -> Iterator[tuple[ast.AST, bool]]:
    """Yield the nodes that are run, and whether in a function: no annotations, no docstrings, no logging."""
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, in_function = waiting.pop(0)
        yield node, in_function
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            inside = in_function or (is_function and name == "body")
            children = cast("list[object]", value) if isinstance(value, list) else [value]
            waiting += [
                (each, inside) for each in children if isinstance(each, ast.AST) and not _says_something_only(each)
            ]


def _says_something_only(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="logger")))):
            return True
        case _:
            return False


class Workshop:
    """Copies of the project in which mutants are tried, one for each at a time.

    Args:
        folder: where the copies are made.
        count: number of copies.

    """

    def __init__(self, folder: Path, count: int) -> None:
        self._free: SimpleQueue[Path] = SimpleQueue()
        shutil.rmtree(folder, ignore_errors=True)
        for number in range(count):
            copy = folder / str(number)
            copy.mkdir(parents=True)
            for name in COPIED:
                source = ROOT / name
                if source.is_dir():
                    shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(source, copy / name)
            self._free.put(copy)

    def look(self, room: str) -> Reach | None:
        """Run the tests of a room without any change, and return what they reach; ``None`` if one fails twice."""
        copy = self._free.get()
        try:
            note = copy / "reached.json"
            under = f"{copy / PACKAGE / room}"
            environment = {reached.NOTE: str(note), reached.ROOM: under}
            tests = ROOMS[room]
            if _run(copy, [*tests, "--cache-clear", "--maxfail=0"], environment) != 0:
                # Perhaps the load of the machine made them fail.
                again = ["--last-failed", "--last-failed-no-failures=none"]
                if _run(copy, [*tests, *again], {}) != 0:
                    return None
            return Reach(copy, json.loads(note.read_text(encoding="utf-8")))
        finally:
            self._free.put(copy)

    def judge(self, mutant: Mutant, reach: Reach) -> Verdict:
        """Return whether a test fails with a mutant, and fails again."""
        tests = reach.tests_for(mutant)
        copy = self._free.get()
        file = copy / mutant.path
        original = file.read_text(encoding="utf-8")
        try:
            file.write_text(mutant.made_in(original), encoding="utf-8")
            # Or Hypothesis would try first what failed with the mutant before.
            shutil.rmtree(copy / ".hypothesis" / "examples", ignore_errors=True)
            selection = copy / "selection.json"
            timeouts = {test: max(LEAST_TIMEOUT, 5 * reach.seconds(test)) for test in tests}
            selection.write_text(json.dumps(reached.Selection(wanted=timeouts, known=reach.known)), encoding="utf-8")
            environment = {reached.SELECTION: str(selection)}
            files = sorted({test.partition("::")[0] for test in tests})
            for _ in range(TRIALS):
                if _run(copy, [*files, "--cache-clear"], environment) == 0:
                    return Verdict.SURVIVES
                again = ["--last-failed", "--last-failed-no-failures=none"]
                if _run(copy, [*files, *again], environment) != 0:
                    return Verdict.HANGS if HUNG in (copy / OUTPUT).read_text(errors="replace") else Verdict.NOTICED
            return Verdict.SURVIVES
        finally:
            file.write_text(original, encoding="utf-8")
            self._free.put(copy)


def _run(copy: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run tests in a copy until one fails, and return the exit status."""
    # With seeded chance, so that a mutant is noticed in every run or in none.
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--hypothesis-seed=1", "-p", "tools.reached"]
    command += ["-o", "cache_dir=.mutation_cache", "-m", "not slow", *arguments]
    with (copy / OUTPUT).open("w") as output:
        process = subprocess.Popen(  # noqa: S603 - our own words
            command,
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", **environment},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            return process.wait(LONGEST_RUN)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            output.write(HUNG)
            return 1


class Reach:
    """Which lines the tests of a room reach."""

    def __init__(self, copy: Path, note: reached.Reached) -> None:
        self._copy = copy
        self._note = note
        self.known = sorted(note["seconds"])

    def seconds(self, test: str) -> float:
        """Return how long a test takes."""
        seconds = self._note["seconds"]
        return seconds[test]

    def tests_for(self, mutant: Mutant) -> list[str]:
        """Return the tests that may notice a mutant, the quickest first."""
        by_test = self._note["lines"].get(str(self._copy / mutant.path), {})
        tests = {test for test, lines in by_test.items() if mutant.lines.intersection(lines)}
        chosen = {*tests, *self._note["processes"]} if tests else self.known
        return sorted(chosen, key=self.seconds)


def room_of(path: Path) -> str:
    """Return the room that a file is in."""
    inside = path.relative_to(ROOT / PACKAGE).with_suffix("").as_posix()
    return next(room for room in ROOMS if inside == room or inside.startswith(f"{room}/"))


def files_in(what: str) -> list[Path]:
    """Return the files of a room, or the one file."""
    place = ROOT / PACKAGE / what.removeprefix(f"{PACKAGE}/")
    if place.is_dir():
        return sorted(path for path in place.rglob("*.py") if path.name != "__init__.py")
    return [place if place.suffix == ".py" else place.with_suffix(".py")]


def main() -> int:
    """Try mutants, and print the survivors and a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("what", nargs="*", default=list(ROOMS), help=f"rooms or files (default: {', '.join(ROOMS)})")
    parser.add_argument("--sample", type=int, default=60, help="mutants of each of them at most (default 60; 0: all)")
    parser.add_argument("--seed", type=int, default=1, help="which mutants are chosen")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutants that are tried at a time")
    given = parser.parse_args()
    chance = random.Random(given.seed)  # noqa: S311 - no secret
    workshop = Workshop(ROOT / "build" / "mutation", given.jobs)
    counts: Counter[tuple[str, Verdict]] = Counter()
    with ThreadPoolExecutor(given.jobs) as pool:
        for what in given.what:
            files = files_in(what)
            reach = workshop.look(room_of(files[0]))
            if reach is None:
                print(f"{what}: its tests fail without any change, see build/mutation/*/{OUTPUT}", file=sys.stderr)
                return 2
            mutants = [mutant for path in files for mutant in mutants_of(path)]
            print(f"{what}: {len(mutants)} mutants", flush=True)
            if given.sample and len(mutants) > given.sample:
                mutants = sorted(chance.sample(mutants, given.sample), key=lambda each: (each.path, each.line))
            verdicts = pool.map(workshop.judge, mutants, repeat(reach))
            for mutant, verdict in zip(mutants, verdicts, strict=True):
                counts[what, verdict] += 1
                if verdict is not Verdict.NOTICED:
                    print(f"{verdict.value:9} {mutant.path}:{mutant.line}  {mutant.words}", flush=True)
    print(f"\n{'':18} mutants noticed hangs survives")
    for what in given.what:
        noticed, hangs, survive = (counts[what, each] for each in (Verdict.NOTICED, Verdict.HANGS, Verdict.SURVIVES))
        print(f"{what:18} {noticed + hangs + survive:7} {noticed:7} {hangs:5} {survive:8}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
