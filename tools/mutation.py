"""Change the code in small ways and count which changes the tests notice: ``make mutation MUTATION_ARGS="limits"``.

A change that no test notices (it *survives*) is a promise that could break unseen, or one that changes nothing that
matters; a person has to judge which. Each change is made in a copy of the project, and the tests that mirror the file
are run there: those of the file itself first, then those of its room.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import cast

ROOT = Path(__file__).parents[1]
PACKAGE = "marketingblocks_async"
COPIED = (PACKAGE, "tests", "tools", "benchmarks", "examples", "docs", "pyproject.toml", "README.md", "CHANGELOG.md")

# Each room, and the tests that are to notice a change of it.
ROOMS: dict[str, tuple[str, ...]] = {
    "limits": ("tests/limits",),
    "calls": ("tests/calls", "tests/client"),
    "transport": ("tests/transport", "tests/client"),
    "bulk/journal": ("tests/bulk/journal", "tests/bulk/run"),
    "bulk/run": ("tests/bulk/run", "tests/bulk/report"),
    "redis": ("tests/redis",),
    "sandbox/policies": ("tests/sandbox/test_policies.py", "tests/sandbox/test_server.py"),
}

OUTPUT = "output.txt"
"""Where a copy of the project has the output of its last run of the tests."""

LEAST_TIMEOUT = 60.0
"""Seconds; a change that makes the tests hang is noticed, too."""


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    path: Path
    line: int
    words: str
    source: str


@dataclass(frozen=True)
class Verdict:
    """Whether the tests noticed a mutant."""

    mutant: Mutant
    noticed: bool


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
    for number, node in enumerate(_code(tree)):
        if changed(deepcopy(node)) is None:
            continue
        copy = deepcopy(tree)
        mutation = _Mutation(list(_code(copy))[number])
        source = ast.unparse(ast.fix_missing_locations(mutation.visit(copy)))
        words = f"{type(node).__name__}: {ast.unparse(node).splitlines()[0][:90]}"
        found.append(Mutant(path.relative_to(ROOT), getattr(node, "lineno", 0), words, source))
    return found


def _code(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the nodes that are run: no annotations, no docstrings, no logging."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop(0)
        yield node
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            children = cast("list[object]", value) if isinstance(value, list) else [value]
            waiting += [each for each in children if isinstance(each, ast.AST) and not _says_something_only(each)]


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

    def notices(self, mutant: Mutant | None, tests: Sequence[Sequence[str]], timeout: float) -> bool:
        """Return whether any of the selections of tests fails, or takes too long, with a mutant."""
        copy = self._free.get()
        try:
            if mutant is not None:
                (copy / mutant.path).write_text(mutant.source, encoding="utf-8")
            return not all(self._passes(copy, selection, timeout) for selection in tests)
        finally:
            if mutant is not None:
                shutil.copy(ROOT / mutant.path, copy / mutant.path)
            self._free.put(copy)

    @staticmethod
    def _passes(copy: Path, selection: Sequence[str], timeout: float) -> bool:
        # With seeded chance, so that a mutant is noticed in every run or in none.
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=1"]
        command += ["-m", "not slow and not alone", *selection]
        with (copy / OUTPUT).open("w") as output:
            process = subprocess.Popen(  # noqa: S603 - our own words
                command,
                cwd=copy,
                env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            return process.wait(timeout) == 0
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            return False


def room_of(path: Path) -> str:
    """Return the room that a file is in."""
    inside = path.relative_to(ROOT / PACKAGE).with_suffix("").as_posix()
    return next(room for room in ROOMS if inside == room or inside.startswith(f"{room}/"))


def tests_of(path: Path) -> list[list[str]]:
    """Return the selections of tests that mirror a file, the nearest first."""
    room = room_of(path)
    nearest = ROOT / "tests" / path.relative_to(ROOT / PACKAGE).parent / f"test_{path.stem}.py"
    selections = [[nearest.relative_to(ROOT).as_posix()]] if nearest.exists() else []
    return [*selections, list(ROOMS[room])]


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
    parser.add_argument("--sample", type=int, default=30, help="mutants of a file at most (default 30; 0: all)")
    parser.add_argument("--seed", type=int, default=1, help="which mutants are chosen")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutants that are tried at a time")
    given = parser.parse_args()
    chance = random.Random(given.seed)  # noqa: S311 - no secret
    workshop = Workshop(ROOT / "build" / "mutation", given.jobs)
    counts: Counter[tuple[str, bool]] = Counter()
    with ThreadPoolExecutor(given.jobs) as pool:
        for path in [path for what in given.what for path in files_in(what)]:
            tests = tests_of(path)
            began = time.monotonic()
            if workshop.notices(None, tests, 3600.0):
                print(
                    f"{path.relative_to(ROOT)}: its tests fail without any change, see build/mutation/*/{OUTPUT}",
                    file=sys.stderr,
                )
                return 2
            timeout = max(LEAST_TIMEOUT, 5 * (time.monotonic() - began))
            mutants = mutants_of(path)
            if given.sample and len(mutants) > given.sample:
                mutants = sorted(chance.sample(mutants, given.sample), key=lambda each: each.line)

            def judge(mutant: Mutant, tests: Sequence[Sequence[str]] = tests, timeout: float = timeout) -> Verdict:
                return Verdict(mutant, workshop.notices(mutant, tests, timeout))

            noticed = 0
            for verdict in pool.map(judge, mutants):
                noticed += verdict.noticed
                counts[room_of(path), verdict.noticed] += 1
                if not verdict.noticed:
                    print(f"survives  {verdict.mutant.path}:{verdict.mutant.line}  {verdict.mutant.words}", flush=True)
            print(f"{noticed:4} of {len(mutants):4} noticed in {path.relative_to(ROOT)}", flush=True)
    print(f"\n{'room':18} mutants noticed")
    for room in ROOMS:
        noticed, all_of_it = counts[room, True], counts[room, True] + counts[room, False]
        if all_of_it:
            print(f"{room:18} {all_of_it:7} {noticed:7}  {noticed / all_of_it:.0%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
