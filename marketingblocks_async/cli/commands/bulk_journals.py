"""The journal of a run: chosen by itself beside the file of posts, and found again by that file's name."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from .bulk_reading import STANDARD_INPUT

if TYPE_CHECKING:
    from marketingblocks_async.bulk.planning import FindSent

JournalPath = Annotated[
    Path,
    typer.Argument(metavar="JOURNAL", help="Journal of the run, or the file of posts that it was made from."),
]
JournalOption = Annotated[
    Path | None,
    typer.Option(
        "--journal", metavar="JOURNAL", show_default=False,
        help="File that keeps the state of each row; by default FILE.journal, beside the file of posts.",
    ),
]  # fmt: skip

_SQLITE = b"SQLite format 3\x00"


@contextmanager
def new_journal(file: Path, given: Path | None) -> Generator[Path]:
    """Give the path of a new journal: the given one, else a name beside the file of posts.

    Raises:
        JournalError: it could not be made; the message names the option that chooses another place.
        ValueError: the standard input has no name.

    """
    from marketingblocks_async.bulk import JournalError

    if given is not None:
        yield given
        return
    if str(file) == STANDARD_INPUT:
        msg = "the standard input has no name that the run's journal could take; name it: --journal posts.journal"
        raise ValueError(msg)
    try:
        yield beside(file)
    except JournalError as error:
        # Not for those of its subclasses, which say that there is a journal already.
        if type(error) is not JournalError:
            raise
        msg = f"{error}; choose a place for the run's journal, for example --journal ~/{file.name}.journal"
        raise JournalError(msg) from error


def find_sent(file: Path, base_url: str | None) -> FindSent | None:
    """Return what finds the posts that another run beside a file has sent; ``None`` if a run would not look either."""
    from marketingblocks_async import ConfigurationError
    from marketingblocks_async.bulk.journal.earlier import find_sent_earlier
    from marketingblocks_async.configuration import resolve_base_url

    if str(file) == STANDARD_INPUT:
        return None
    try:
        root = resolve_base_url(base_url)
    except ConfigurationError:
        # A plan sends nothing, so it needs no address that can be used.
        return None
    return partial(find_sent_earlier, beside(file), root, sources=[file], folders=runs_of_agents(root))


def runs_of_agents(base_url: str) -> list[Path]:
    """Return the folder in which ``marketingblocks mcp`` keeps its runs, unless it has a journal of its own."""
    from marketingblocks_async.bulk.journal.singles import runs_folder

    from .mcp import default_journal

    # The account may have no home.
    with suppress(RuntimeError):
        return [runs_folder(default_journal(base_url))]
    return []


def find_journal(given: Path) -> Path:
    """Return the journal that is meant by its own name or by that of the file of posts.

    Raises:
        JournalError: there is a file of posts, but no journal beside it; or neither.

    """
    from marketingblocks_async.bulk import JournalError
    from marketingblocks_async.bulk.journal.files import partial_path

    found = beside(given)
    if _is_database(given):
        return given
    if found.is_file():
        return found
    if given.is_file() and given.stat().st_size:
        msg = (
            f"{given} is no journal of a bulk run, and there is none at {found}; if the file was sent with another "
            f"one, give the name of that; if it was not sent yet: marketingblocks bulk run {quote(str(given))}"
        )
        raise JournalError(msg)
    if not given.exists() and not partial_path(given).exists() and not partial_path(found).exists():
        msg = f"there is no file {given}, and no journal {found}; give the file of posts that was sent, or its journal"
        raise JournalError(msg)
    return given


def beside(file: Path) -> Path:
    """Return the journal that a file of posts has if no other is named."""
    return file.parent / f"{file.name}.journal"


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False
