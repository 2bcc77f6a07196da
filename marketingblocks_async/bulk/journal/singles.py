"""The posts that an MCP server has sent by single calls: the journals of its runs are in a folder beside its own.

The commands ``bulk run`` and ``bulk resume`` read them, so that they do not send again what an agent has sent.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path

from marketingblocks_async.bulk.errors import JournalError
from marketingblocks_async.bulk.likeness import likeness_of

from .files import connect_for_reading, is_file, is_locked, real_path
from .sql import QUERIES

WRITES_ID = 0x4D424D43
"""Marks an SQLite file as the journal of an MCP server's single writes."""

WRITES_VERSION = 1

_RUNS_SUFFIX = ".bulk"


def runs_folder(writes: Path) -> Path:
    """Return the folder of a server's runs.

    Args:
        writes: the journal of its single writes.

    """
    return writes.with_name(f"{writes.name}{_RUNS_SUFFIX}")


def writes_of(folders: Iterable[Path]) -> list[Path]:
    """Return the journals of single writes of the servers whose runs may be in some folders."""
    found = sorted(folder.parent / folder.name.removesuffix(_RUNS_SUFFIX) for folder in folders)
    return list({real_path(each): each for each in found if is_file(each)}.values())


def single_posts(writes: Path, base_url: str, since: float) -> Iterator[str]:
    """Yield the ``likeness()`` of posts that were sent since a time, or may have been, or are about to be.

    There are none in a file that is no such journal, or cannot be read: its server says what is wrong with it.
    """
    with suppress(JournalError, sqlite3.Error):
        # It may have to be mended after a power cut, so SQLite may write.
        with closing(connect_for_reading(writes, read_only=False)) as connection:
            kind = [connection.execute(QUERIES[query]).fetchone()[0] for query in ("application", "version")]
            if kind != [WRITES_ID, WRITES_VERSION]:
                return
            connection.create_function("likeness_of", 1, likeness_of, deterministic=True)
            # All at once, since the server cannot write meanwhile.
            found = connection.execute(QUERIES["single_posts"], (base_url.rstrip("/"), since)).fetchall()
        for like, owner in found:
            # What a dead server had in hand was not sent. A live one keeps a file locked that has the owner's name.
            if owner is None or is_locked(writes.with_name(f"{writes.name}.{owner}")):
                yield like
