"""The commands that messages name as the next step."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path, PurePath


def bulk_command(name: str, journal: Path | str) -> str:
    """Return a command line that can be copied, such as ``marketingblocks bulk resume posts.csv.journal``.

    Args:
        name: the subcommand.
        journal: path of the journal.

    """
    return f"marketingblocks bulk {name} {shlex.quote(str(journal))}"


def name_for_failures(source: str) -> str:
    """Return a name for the file of failed rows that is not that of the file they came from, nor of one that exists."""
    found = re.fullmatch(r"failed(?:-(\d{1,9}))?\.csv", PurePath(source).name)
    number = 1 if found is None else int(found[1] or 1) + 1
    # A file that exists may hold corrections, so the report would refuse to write over it.
    while os.path.lexists(name := "failed.csv" if number == 1 else f"failed-{number}.csv"):
        number += 1
    return name
