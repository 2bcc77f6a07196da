"""The tests on every supported Python, and with the lowest supported versions of the libraries: ``make test-all``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import nox

nox.needs_version = ">=2025.10.14"
nox.options.default_venv_backend = "virtualenv"
nox.options.download_python = "never"
nox.options.reuse_venv = "yes"
# Under continuous integration nox fails on a missing interpreter unless it is told otherwise.
nox.options.error_on_missing_interpreters = os.environ.get("REQUIRE_ALL_TOOLS") == "1"

# The shims of pyenv only start the version that is switched on, so its interpreters are put before them.
_PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
os.environ["PATH"] = os.pathsep.join([*map(str, _PYENV.glob("3.1[1-9].*/bin")), os.environ["PATH"]])

PROJECT = nox.project.load_toml("pyproject.toml")


def run_tests(session: nox.Session, groups: Sequence[str], *pins: str) -> None:
    """Install the package with dependency groups and run the tests; ``pins`` are exact versions."""
    session.install("--editable", ".", *nox.project.dependency_groups(PROJECT, *groups), *pins)
    session.run("pytest", "-q", "-n", "auto", "--dist", "worksteal", "-p", "no:cacheprovider", *session.posargs)


@nox.session(python=["3.11", "3.12", "3.13"])
def test(session: nox.Session) -> None:
    """Run the tests on one version of Python."""
    run_tests(session, ["test", "agents"])


@nox.session(python="3.11", name="test-lowest")
def test_lowest(session: nox.Session) -> None:
    """Run the tests with each library at its lower bound in ``pyproject.toml``."""
    project = PROJECT["project"]
    extras = project["optional-dependencies"].items()
    # The MCP server needs a newer pydantic than the rest of the package.
    bounds = [*project["dependencies"], *(bound for name, bounds in extras if name != "mcp" for bound in bounds)]
    run_tests(session, ["test"], *(bound.replace(">=", "==") for bound in bounds))
