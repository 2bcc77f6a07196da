"""Write down which versions of its dependencies the package was last tested with, for audits of known weaknesses.

``python tools/lock.py`` writes ``requirements.lock``: the base install and all extras, as installed here. Nothing is
installed from it; whoever depends on the package chooses versions above its lower bounds.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.licences import PACKAGE, needed  # noqa: E402 - found by the line above, however this is started

LOCK = ROOT / "requirements.lock"


def locked() -> str:
    """Return the file's text."""
    extras = distribution(PACKAGE).metadata.get_all("Provides-Extra") or []
    names = {re.sub(r"[-_.]+", "-", name).lower(): each.version for name, each in needed(PACKAGE, extras).items()}
    lines = [f"{name}=={version}" for name, version in sorted(names.items()) if name != PACKAGE]
    return "\n".join(["# Written by tools/lock.py: what was tested last.", *lines, ""])


if __name__ == "__main__":
    LOCK.write_text(locked(), encoding="utf-8")
