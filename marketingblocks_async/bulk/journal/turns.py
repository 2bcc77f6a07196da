"""Runs that begin in one folder take turns, so that each sees the rows of those that began before it.

A run looks at the journals of other runs first, and then makes its own. Two that begin at the same instant would both
look before the other one's journal is there, and both would send the same rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

from marketingblocks_async.bulk.errors import JournalInUseError
from marketingblocks_async.bulk.threads import in_thread

from .files import FileLock, LockHeldError, folders_of

TURN_NAME = ".marketingblocks-bulk.lock"
"""Name of the lock's file in a folder. It is removed with the lock, but for Windows; what is left locks nothing."""

LONGEST_WAIT = 60.0
"""Seconds for which one run may keep the turn while others wait: as long as it takes to read the folder's journals."""

_PAUSE = 0.02


@asynccontextmanager
async def turn(path: Path, sources: Iterable[Path]) -> AsyncGenerator[None]:
    """Hold the turn in the folders where a run looks for other runs: those of its journal, and those of its file.

    A folder that cannot be written to, or whose file system has no locks, is left out: a run works there all the same.

    Args:
        path: the run's journal.
        sources: the names of the file of its rows.

    Raises:
        JournalInUseError: another run has kept the turn for more than ``LONGEST_WAIT``.

    """
    with ExitStack() as held:
        # In an order that is the same for all processes, so none waits for one that waits for it.
        for _, folder in sorted(folders_of([path, *sources]).items()):
            lock = FileLock(folder / TURN_NAME)
            held.callback(lock.release)
            with suppress(OSError):
                await _take(lock, folder)
        yield


async def _take(lock: FileLock, folder: Path) -> None:
    now = asyncio.get_running_loop().time
    since, holder = now(), 0
    while True:
        try:
            await in_thread(lock.acquire)
        except LockHeldError as error:
            if (latest := _taken_at(folder)) != holder:
                # Another one has it now, so they go on.
                since, holder = now(), latest
            if now() >= since + LONGEST_WAIT:
                who = "another process" if error.holder is None else f"process {error.holder}"
                msg = (
                    f"{who} has kept other runs in {folder} from beginning for more than {LONGEST_WAIT:g} s; nothing "
                    "was sent; let it begin or stop it, then start this run again"
                )
                raise JournalInUseError(msg, holder=error.holder) from None
            await asyncio.sleep(_PAUSE)
        else:
            return


def _taken_at(folder: Path) -> int:
    """Return when the turn was taken: each holder writes its id into the file."""
    with suppress(OSError):
        return (folder / TURN_NAME).stat().st_mtime_ns
    return 0
