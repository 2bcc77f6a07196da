"""Both distributions have the right contents, the lock and the workflows what they promise."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support.tools import need

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_both_distributions_are_complete(tmp_path: Path) -> None:
    need("build", present=all(map(find_spec, ("build", "hatchling"))))
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)  # noqa: S603 - this interpreter
    source, wheel = sorted(tmp_path.iterdir(), key=lambda path: path.suffix)
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(next(name for name in names if name.endswith("METADATA"))).decode()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"marketingblocks_async"}
    assert {"marketingblocks_async/py.typed", "marketingblocks_async/sandbox/control/dashboard/page.html"} <= names
    # The instructions for agents are the only page that is installed.
    assert [name for name in names if "/test_" in name or name.endswith(".md")] == [
        "marketingblocks_async/.agents/skills/marketingblocks/SKILL.md"
    ]
    assert {re.split(r"[<>=]", line)[0] for line in re.findall(r"Requires-Dist: (\S+)$", metadata, re.MULTILINE)} == {
        "aiohttp",
        "aiolimiter",
        "pydantic",
        "tenacity",
    }
    with tarfile.open(source) as archive:
        sources = {name.partition("/")[2] for name in archive.getnames()}
    # The tests run from the source distribution.
    assert {"pyproject.toml", "tests/conftest.py", "docs/index.md", "zensical.toml", "LICENSE", "noxfile.py"} <= sources


def test_the_lock_fits_the_declared_dependencies() -> None:
    locked = dict(line.split("==") for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for text in (
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ):
        requirement = Requirement(text)
        assert requirement.specifier.contains(locked[requirement.name]), text


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_and_may_only_read(workflow: Path) -> None:
    text = workflow.read_text(encoding="utf-8")
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action
    assert re.search(r"^permissions:\n  contents: read$", text, re.MULTILINE)
    assert "pull_request_target" not in text
