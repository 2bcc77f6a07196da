"""List what the package brings along, with its licences; fail if one is unknown or not permissive.

``python tools/licences.py [EXTRA …]``: the base install and these extras, all of them by default, as installed here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

PACKAGE = "marketingblocks-async"
PERMISSIVE = re.compile(
    r"\b(MIT|BSD|Apache|PSF|Python Software Foundation|ISC|MPL|Mozilla|0BSD|Unlicense)\b", re.IGNORECASE
)

# What says its licence in a file of its own and not, or not in all versions, in its metadata.
IN_A_FILE = {"taskiq": "MIT", "taskiq-dependencies": "MIT", "taskiq-redis": "MIT"}


def licence_of(found: Distribution) -> str:
    """Return the licence that a distribution names, empty if it names none."""
    if found.name in IN_A_FILE:
        return IN_A_FILE[found.name]
    fields = found.metadata.json
    classifiers = [line.rpartition(" :: ")[2] for line in fields.get("classifier", ()) if "License ::" in line]
    first_line, *_ = str(fields.get("license", "")).strip().splitlines() or [""]
    return str(fields.get("license_expression", "")) or ", ".join(classifiers) or first_line


def needed(name: str, extras: Iterable[str]) -> dict[str, Distribution]:
    """Return the distributions that ``name`` with ``extras`` needs, itself included, by their names."""
    found: dict[str, Distribution] = {}
    pending = [(name, frozenset(extras))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while pending:
        entry = pending.pop()
        if entry in seen:
            continue
        seen.add(entry)
        try:
            one = distribution(entry[0])
        except PackageNotFoundError:
            continue
        found[one.name] = one
        for requirement in map(Requirement, one.requires or []):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in (entry[1] or {""})):
                pending.append((requirement.name, frozenset(requirement.extras)))
    return found


def main(extras: list[str]) -> int:
    """Print the list; return the exit status."""
    chosen = extras or distribution(PACKAGE).metadata.get_all("Provides-Extra") or []
    bad = 0
    for name, found in sorted(needed(PACKAGE, chosen).items()):
        licence = licence_of(found)
        fits = PERMISSIVE.search(licence) is not None
        bad += not fits
        print(f"{name:32} {found.version:14} {licence or 'unknown'}{'' if fits else '   <- look at this'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
