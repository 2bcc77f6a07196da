"""The sandbox judges the client, so it must not be built from the client's parts."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import marketingblocks_async.sandbox

PACKAGE = "marketingblocks_async"
FILES = sorted(Path(marketingblocks_async.sandbox.__file__).parent.rglob("*.py"))
SHARED = {f"{PACKAGE}.{name}" for name in ("errors", "models", "models.base", "endpoints", "urls")}
SHARED_ERRORS = {"InvalidArgumentError", "MarketingBlocksError"}


def imported(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # One dot is the sandbox itself; more would leave it by another way than the absolute name.
            assert node.level <= 1, f"{file.name} imports from a parent package with dots"
            if node.level == 0:
                found.add(str(node.module))
            if node.module == f"{PACKAGE}.errors":
                # Not what the client makes of a status.
                assert {alias.name for alias in node.names} <= SHARED_ERRORS
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_shares_only_models_endpoints_and_bases_of_errors(file: Path) -> None:
    ours = {
        name for name in imported(file) if name.split(".")[0] == PACKAGE and not name.startswith(f"{PACKAGE}.sandbox")
    }
    assert ours <= SHARED


def test_uses_neither_the_limiter_nor_the_retry_library() -> None:
    third_party = {name.split(".")[0] for file in FILES for name in imported(file)}
    assert not third_party & {"aiolimiter", "tenacity"}
    assert "aiohttp" in third_party


def test_every_public_name_exists_and_is_documented() -> None:
    module = marketingblocks_async.sandbox
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        thing = getattr(module, name)
        assert not callable(thing) or thing.__doc__, name


def test_the_docstring_says_what_is_guessed() -> None:
    text = marketingblocks_async.sandbox.__doc__ or ""
    for word in ("Guesses", "429", "Retry-After", "web hook", "create-post and get-posts", "422"):
        assert word in text


def test_importing_starts_no_loop_and_prints_nothing() -> None:
    code = "import marketingblocks_async.sandbox"
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)  # noqa: S603 - our own code
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
