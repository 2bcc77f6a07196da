"""Where the commands for bulk runs write files: what may be written over, and what may not."""

from __future__ import annotations

import filecmp
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

_PAGE = re.compile(r"<!doctype html", re.IGNORECASE)
_JSON_RESULTS = re.compile(r'\[\s*(?:\]|\{\s*"row"\s*:)')

_HEAD_SIZE = 4096


def check_target(path: Path, journal: Path, meta: Mapping[str, str]) -> None:
    """Refuse to write over the journal or the file that its rows came from, and where nothing can be written.

    Raises:
        ValueError: ``path`` is such a file, or cannot be written.

    """
    from marketingblocks_async.bulk.journal.earlier import sources_of

    # The file may have been moved since; its place beside the journal, and what is in it, do not change.
    precious = (journal, journal.parent / journal.name.removesuffix(".journal"), *sources_of(meta))
    if any(_is_same(path, each) for each in precious) or (
        path.is_file() and sha256_of(path) == meta.get("source_sha256")
    ):
        msg = f"{path} would be written over, and the run needs it; give another name"
        raise ValueError(msg)
    if path.is_dir():
        msg = f"{path} is a folder; give the name of a file"
        raise ValueError(msg)
    if not path.parent.is_dir():
        msg = f"{path} cannot be written: there is no folder {path.parent}; make it, or give another name"
        raise ValueError(msg)
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        msg = f"{path} may not be written; give a name in another folder"
        raise ValueError(msg)


def check_page(path: Path) -> None:
    """Refuse to write a page over a file of another kind.

    Raises:
        ValueError: there is one.

    """
    _check_kind(path, _PAGE, "an HTML page")


def check_results(path: Path) -> None:
    """Refuse to write results over a file that holds something else, such as posts.

    Raises:
        ValueError: there is one.

    """
    from marketingblocks_async.bulk.report.results import COLUMNS

    # As a spreadsheet may have saved it, too.
    in_csv = re.compile("[,;\\t]".join(f'"?{name}"?' for name in COLUMNS))
    _check_kind(path, _JSON_RESULTS if path.suffix.lower() == ".json" else in_csv, "a file of results")


def check_rows(path: Path, write: Callable[[Path], object]) -> None:
    """Refuse to write rows that are to be corrected over other ones, which may have been corrected by hand.

    Args:
        path: where to write.
        write: writes the rows to a path.

    Raises:
        ValueError: there is a file, and its content is not what would be written.

    """
    if not _has_content(path):
        return
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "rows.csv"
        write(fresh)
        if filecmp.cmp(fresh, path, shallow=False):
            return
    msg = (
        f"{path} is there already and holds something else, perhaps your corrections; give another name, or delete it "
        "first"
    )
    raise ValueError(msg)


def _check_kind(path: Path, beginning: re.Pattern[str], kind: str) -> None:
    if not _has_content(path):
        return
    with path.open("rb") as file:
        head = file.read(_HEAD_SIZE).decode("utf-8-sig", "replace")
    if beginning.match(head.lstrip()) is None:
        msg = f"{path} is there already and is not {kind}; give another name, or delete it first"
        raise ValueError(msg)


def _has_content(path: Path) -> bool:
    # Not so a pipe or a device, and an empty file loses nothing.
    return path.is_file() and path.stat().st_size > 0


def _is_same(path: Path, other: Path) -> bool:
    # One of them may not be there, or be no more than a name.
    with suppress(OSError, ValueError):
        return path.absolute() == other.absolute() or path.samefile(other)
    return False


def sha256_of(path: Path) -> str:
    """Return the SHA-256 (hexadecimal) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
