"""The commands that messages name as the next step."""

from __future__ import annotations

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
    """Return a name for the file of failed rows that is not the name of the file that they came from."""
    found = re.fullmatch(r"failed(?:-(\d{1,9}))?\.csv", PurePath(source).name)
    return "failed.csv" if found is None else f"failed-{int(found[1] or 1) + 1}.csv"
