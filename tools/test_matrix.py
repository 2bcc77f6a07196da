"""Run the tests on every supported Python found on this machine, and with the lowest supported library versions.

``python tools/test_matrix.py all|lowest|3.12|3.12,3.13,lowest [pytest arguments]``. Several run at the same time. Each
combination has a virtual environment of its own below ``.venvs``, made once and remade when ``pyproject.toml`` changes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("3.11", "3.12", "3.13")
LOWEST = "lowest"


def lowest_requirements() -> list[str]:
    """Return the dependencies of ``pyproject.toml``, those of the extras too, each pinned to its lower bound."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    return sorted({re.sub(r">=", "==", requirement) for requirement in [*project["dependencies"], *extras]})


def find_python(version: str) -> str | None:
    """Return an interpreter of this version, ``None`` if there is none."""
    candidates = [shutil.which(f"python{version}"), sys.executable]
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates += [str(path) for path in sorted(versions.glob(f"{version}.*/bin/python"))]
    code = f"import sys, venv; sys.exit(sys.version_info[:2] != tuple(map(int, '{version}'.split('.'))))"
    for candidate in candidates:
        if candidate and subprocess.run([candidate, "-c", code], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


def prepare(name: str, python: str, pins: list[str]) -> Path:
    """Return the interpreter of the environment ``name``, made if it is missing or older than ``pyproject.toml``."""
    folder = ROOT / ".venvs" / name
    interpreter, stamp = folder / "bin" / "python", folder / ".ready"
    if not stamp.exists() or stamp.stat().st_mtime < (ROOT / "pyproject.toml").stat().st_mtime:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([python, "-m", "venv", folder], check=True)
        pip = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--upgrade", "pip>=25.1"], check=True)
        subprocess.run([*pip, "--editable", str(ROOT), "--group", f"{ROOT}/pyproject.toml:test", *pins], check=True)
        stamp.touch()
    return interpreter


def run(name: str, arguments: list[str]) -> tuple[bool, str]:
    """Run the tests in one environment; return whether they passed, and what there is to say."""
    pins = lowest_requirements() if name == LOWEST else []
    version = VERSIONS[0] if name == LOWEST else name
    python = find_python(version)
    if python is None:
        return True, f"=== {name}: Python {version} is not on this machine, not tested"
    interpreter = prepare(name, python, pins)
    done = subprocess.run(
        [interpreter, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    output = done.stdout if done.returncode else done.stdout.rstrip().rpartition("\n")[2]
    return done.returncode == 0, f"=== {name}{' with ' + ', '.join(pins) if pins else ''}\n{output}"


def main() -> int:
    """Run what the command line asks for; return the exit status."""
    wanted, *arguments = sys.argv[1:] or ["all"]
    names = [*VERSIONS, LOWEST] if wanted == "all" else wanted.split(",")
    passed = True
    with ThreadPoolExecutor(len(names)) as together:
        for each_passed, words in together.map(partial(run, arguments=arguments), names):
            print(words, flush=True)
            passed &= each_passed
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
