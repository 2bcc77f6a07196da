"""Compare the public interface with the last release: ``python tools/check_api.py [REFERENCE]``.

Without an argument the newest tag ``v…`` is the reference. What would break a program is printed, and fails the check
unless the version says that it may: before 1.0 a new minor version, after it a new major one.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import griffe

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "marketingblocks_async"
_COLOUR = re.compile("\x1b\\[[0-9;]*m")


def last_release(root: Path) -> str | None:
    """Return the newest release's tag, ``None`` if there is none."""
    command = ["git", "-C", str(root), "tag", "--list", "v*", "--sort=-version:refname"]
    tags = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return tags[0] if tags else None


def version_in(text: str) -> tuple[int, ...]:
    """Return the numbers of a version."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def may_break(old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    """Whether the step from one version to the other allows incompatible changes."""
    return new[:1] > old[:1] if old[0] else new[:2] > old[:2]


def breakages(root: Path, reference: str) -> list[str]:
    """Return what would break a program that works with ``reference``."""
    old = griffe.load_git(PACKAGE, ref=reference, repo=root, resolve_aliases=True, allow_inspection=False)
    new = griffe.load(
        # Not what happens to be in the current folder.
        PACKAGE,
        search_paths=[root],
        try_relative_path=False,
        resolve_aliases=True,
        allow_inspection=False,
    )
    found = griffe.find_breaking_changes(old, new)
    return [_COLOUR.sub("", each.explain(griffe.ExplanationStyle.ONE_LINE)) for each in found]


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Print the changes; return the exit status."""
    reference = arguments[0] if arguments else last_release(root)
    if reference is None:
        print("there is no release yet to compare with")
        return 0
    found = breakages(root, reference)
    print("\n".join(found) or f"nothing public has changed incompatibly since {reference}")
    version = (root / PACKAGE / "_version.py").read_text(encoding="utf-8")
    allowed = re.fullmatch(r"v\d+\.\d+\.\d+", reference) and may_break(version_in(reference), version_in(version))
    return 1 if found and not allowed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
