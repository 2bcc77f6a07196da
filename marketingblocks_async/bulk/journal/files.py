"""One process per journal: a lock that the operating system releases however its holder dies."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path


class LockHeldError(OSError):
    """Somebody else holds the lock.

    Attributes:
        holder: process id of the holder, as it wrote it, or ``None``.

    """

    def __init__(self, holder: int | None) -> None:
        super().__init__("the lock is held")
        self.holder: int | None = holder


class FileLock:
    """An exclusive lock on a file of its own.

    It is not taken on the database, because closing any descriptor of that would release SQLite's own locks.

    Args:
        path: the lock's file; it is removed with the lock's release, and means nothing if a killed process left it.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock without waiting.

        Raises:
            LockHeldError: somebody has it.
            OSError: the file cannot be made.

        """
        descriptor = self._open()
        while not self._is_current(descriptor):
            # Between our opening and our locking it the former holder removed it.
            os.close(descriptor)
            descriptor = self._open()
        self._descriptor = descriptor
        # Who holds it is only for people; on a full disk it is not said.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())

    def _open(self) -> int:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            _lock(descriptor)
        except OSError:
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise LockHeldError(int(holder) if holder.isdigit() else None) from None
        return descriptor

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Give the lock back; twice does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            # While it is still held, so that it is nobody else's. Windows removes no open file; there it stays.
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
            os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        # Far behind the process id, which others read.
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
