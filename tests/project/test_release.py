"""What is shipped: both distributions, their contents, licences, and the check of the public interface."""

from __future__ import annotations

import re
import subprocess
import tarfile
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

from tests.support.tools import need
from tools import check_release, licences, lock

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_both_distributions_are_complete_and_nothing_else(tmp_path: Path) -> None:
    need("build", present=all(map(find_spec, ("build", "hatchling", "twine", "check_wheel_contents"))))
    source, wheel = sorted(check_release.build(tmp_path / "dist"), key=lambda path: path.suffix)
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(next(name for name in names if name.endswith("METADATA"))).decode()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"marketingblocks_async"}
    assert {"marketingblocks_async/py.typed", "marketingblocks_async/sandbox/dashboard/page.html"} <= names
    assert not [name for name in names if "/test_" in name or name.endswith(".md")]
    assert {re.split(r"[<>=]", line)[0] for line in re.findall(r"Requires-Dist: (\S+)$", metadata, re.MULTILINE)} == {
        "aiohttp",
        "aiolimiter",
        "pydantic",
        "tenacity",
    }
    with tarfile.open(source) as archive:
        sources = {name.partition("/")[2] for name in archive.getnames()}
    # The tests run from the source distribution.
    assert {"pyproject.toml", "tests/support/virtual_time.py", "docs/index.md", "zensical.toml", "LICENSE"} <= sources


def test_everything_that_comes_along_has_a_licence_that_permits_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert licences.main([]) == 0, capsys.readouterr().out
    listed = capsys.readouterr().out
    assert "aiohttp " in listed
    assert "opentelemetry-api " in listed


def test_the_lock_has_every_dependency_in_a_version_that_is_allowed() -> None:
    lines = [line for line in lock.LOCK.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    locked = dict(line.split("==") for line in lines)
    assert len(locked) == len(lines) > 10
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for text in (
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ):
        requirement = Requirement(text)
        assert requirement.specifier.contains(locked[requirement.name]), text


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_hash_and_may_do_as_little_as_possible(workflow: Path) -> None:
    text = workflow.read_text(encoding="utf-8")
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action
    assert re.search(r"^permissions:\n  contents: read$", text, re.MULTILINE)
    assert "pull_request_target" not in text


@pytest.fixture
def check_api() -> ModuleType:
    need("griffe", present=find_spec("griffe") is not None)
    from tools import check_api  # noqa: PLC0415 - griffe may not be there

    return check_api


class TestPublicInterface:
    def repository(self, folder: Path, version: str) -> None:
        package = folder / "marketingblocks_async"
        package.mkdir()
        (package / "__init__.py").write_text("def create(post: str, *, timeout: float = 1.0) -> None: ...\n")
        self.say_version(folder, version)
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "first"], ["tag", "v0.3.1"]):
            git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-C", str(folder), *words]
            subprocess.run(git, check=True)  # noqa: S603 - in a folder of its own

    def say_version(self, folder: Path, version: str) -> None:
        (folder / "marketingblocks_async" / "_version.py").write_text(f'__version__ = "{version}"\n')

    def test_a_breaking_change_needs_a_version_that_says_so(
        self, tmp_path: Path, check_api: ModuleType, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.repository(tmp_path, "0.3.1")
        assert check_api.main([], tmp_path) == 0
        (tmp_path / "marketingblocks_async" / "__init__.py").write_text("def create(post: str) -> None: ...\n")
        assert check_api.main([], tmp_path) == 1
        assert "timeout" in capsys.readouterr().out
        self.say_version(tmp_path, "0.4.0")
        assert check_api.main([], tmp_path) == 0

    def test_this_repository_keeps_its_promises(self, check_api: ModuleType) -> None:
        need("git", present=(ROOT / ".git").exists())
        assert check_api.main([]) == 0

    @pytest.mark.parametrize(
        ("old", "new", "allowed"),
        [
            ((0, 3, 1), (0, 3, 2), False),
            ((0, 3, 1), (0, 4, 0), True),
            ((1, 3, 1), (1, 4, 0), False),
            ((1, 3, 1), (2, 0, 0), True),
        ],
    )
    def test_the_policy(
        self, old: tuple[int, ...], new: tuple[int, ...], check_api: ModuleType, *, allowed: bool
    ) -> None:
        assert check_api.may_break(old, new) is allowed
