"""The files of a journal: their names, the lock on them, and the two ways to open the database.

One process runs a journal at a time. The operating system releases the lock however the holder ends.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import time
from pathlib import Path

from marketingblocks_async.bulk.errors import JournalError, JournalInUseError

from .sql import QUERIES

APPLICATION_ID = 0x4D424A52
"""Marks an SQLite file as a journal of this package."""

SCHEMA_VERSION = 2

WAL_MARK, BESIDE, HERE = "wal", "beside", "here"
"""Name and values of the entry in ``meta`` that says where the latest writes are, see ``seal()``."""

_LOCK_TRIES, _LOCK_PAUSE = 25, 0.02
"""Number of attempts to take the lock, and seconds between them: half a second, since a process that only asks whether
the lock is held takes it for a moment."""


class LockHeldError(OSError):
    """Another process holds the lock.

    Attributes:
        holder: process id that the holder wrote into the file; ``None`` if there is none.

    """

    def __init__(self, holder: int | None) -> None:
        super().__init__("the lock is held")
        self.holder: int | None = holder


class FileLock:
    """An exclusive lock on a file of its own.

    It is not taken on the database, because closing any descriptor of that would release SQLite's own locks.

    Args:
        path: the lock's file. It is removed when the lock is released; one that a killed process left behind locks
            nothing.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock without waiting.

        Raises:
            LockHeldError: another process has it.
            OSError: the file cannot be made.

        """
        descriptor = self._open()
        while not self._is_current(descriptor):
            # The former holder removed the file after we opened it and before we locked it.
            os.close(descriptor)
            descriptor = self._open()
        self._descriptor = descriptor
        # The process id is for error messages only, so a full disk may leave it out.
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
        """Release the lock; twice does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            # Removed while we hold it, so it cannot be another process's file. Windows cannot remove an open file;
            # there it stays.
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
            os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        # Far behind the process id, which other processes read.
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def partial_path(path: Path) -> Path:
    """Return the file in which a journal is made before it is complete."""
    return path.with_name(f"{path.name}.importing")


def wal_path(path: Path) -> Path:
    """Return the write-ahead log of a journal."""
    # SQLite follows symbolic links, too.
    path = path.resolve()
    return path.with_name(f"{path.name}-wal")


def lock_journal(path: Path, *, tries: int = _LOCK_TRIES) -> FileLock:
    """Take the lock of a journal.

    Args:
        path: the journal.
        tries: number of attempts.

    Raises:
        JournalInUseError: another process runs it.
        JournalError: the lock's file cannot be made.

    """
    # Two names of one journal are one journal.
    resolved = path.resolve()
    lock = FileLock(resolved.with_name(f"{resolved.name}.lock"))
    for tries_left in range(tries, 0, -1):
        try:
            lock.acquire()
        except LockHeldError as exc:
            if tries_left > 1:
                # The holder may only be asking whether the journal is in use.
                time.sleep(_LOCK_PAUSE)
                continue
            who = f"process {exc.holder}" if exc.holder is not None else "another process"
            msg = f"{path} is being run by {who}; let it finish or stop it first (bulk status shows how far it is)"
            raise JournalInUseError(msg, holder=exc.holder) from None
        except OSError as exc:
            msg = f"cannot lock {path}: {exc.strerror or exc}"
            raise JournalError(msg) from exc
        break
    return lock


def connect_for_reading(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Open the database to read it.

    Args:
        path: the journal.
        read_only: whether SQLite may not even move a left-over log into the file.

    Raises:
        JournalError: it cannot be read, or is not a database.

    """
    address = f"{path.resolve().as_uri()}{'?mode=ro' if read_only else ''}"
    try:
        connection = sqlite3.connect(address, isolation_level=None, check_same_thread=False, timeout=30, uri=True)
        try:
            connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
    except sqlite3.OperationalError as exc:
        # For example a full disk: even to be read, a journal needs space for the index of its log.
        msg = f"cannot read {path}: {exc}"
        raise JournalError(msg) from exc
    except sqlite3.DatabaseError as exc:
        msg = f"{path} is no journal of a bulk run: {exc}"
        raise JournalError(msg) from exc
    return connection


def connect_for_writing(path: Path) -> sqlite3.Connection:
    """Open the database to write to it, and seal it."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # A commit returns when it is on the disk, not merely with the operating system.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        seal(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def seal(connection: sqlite3.Connection) -> None:
    """Move the write-ahead log into the journal's file, and mark that file as incomplete from now on.

    Later writes are in the log only. Without its log, a journal would show the rows sent since then as pending, and
    they would be sent twice. So the file alone says "beside", and only file and log together say "here". An orderly end
    moves the log, and with it this mark, into the file.
    """
    for where in (BESIDE, HERE):
        connection.execute(QUERIES["set_meta"], (WAL_MARK, where))
        if where == BESIDE:
            # Passive: it waits for no reader. A part that a reader holds back is moved the next time.
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def sync(path: Path) -> None:
    """Flush a file to the disk, or a folder with the names of its files."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:
        # Windows has no descriptors of folders, and needs none.
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
