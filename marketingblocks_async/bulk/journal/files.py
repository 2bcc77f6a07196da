"""The files of a journal: their names, the lock on them, and the two ways to open the database.

One process runs a journal at a time. The operating system releases the lock however the holder ends.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import sys
import tempfile
import time
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from marketingblocks_async.bulk.errors import JournalError, JournalInUseError

from .sql import QUERIES

APPLICATION_ID = 0x4D424A52
"""Marks an SQLite file as a journal of this package."""

SCHEMA_VERSION = 3

WAL_MARK, BESIDE, HERE = "wal", "beside", "here"
"""Name and values of the entry in ``meta`` that says where the latest writes are, see ``seal()``."""

_PID_WIDTH, _STAMP_WIDTH = 20, 44
"""Width of the two lines of a lock's file: the holder's process id, and the journal's id with the time of its last
commit."""

_FINAL = "final"
"""Stands in place of the process id once nothing is written any more, so the note below it is of the latest entry."""

_HELD = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK})
"""Errors of a lock that another process holds, on all systems; a file system without locks has others."""

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
        path: the lock's file. It is removed when the lock is released, unless ``leave_behind()`` was called, or
            ``release(keep=True)`` finds that it was there before; one that was left behind locks nothing.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._stays = False
        self._was_there = False
        _LOCKS.add(self)

    def acquire(self) -> None:
        """Take the lock without waiting.

        What an earlier holder noted stays until ``name_holder()`` is called, since this one may not go on.

        Raises:
            LockHeldError: another process has it.
            OSError: the file cannot be made, or its file system has no locks.

        """
        descriptor = self._open()
        while not self._is_current(descriptor):
            # The former holder removed the file after we opened it and before we locked it.
            os.close(descriptor)
            descriptor = self._open()
        self._descriptor = descriptor
        former = os.read(descriptor, _PID_WIDTH).strip()
        self._was_there = bool(former)
        if former != _FINAL.encode():
            self.name_holder()

    def name_holder(self) -> None:
        """Write this process's id, in place of what says that nothing is written any more: something will be."""
        self._write(0, f"{os.getpid():<{_PID_WIDTH}}\n")

    def note(self, journal: str, stamp: float) -> None:
        """Note the time of the last commit; it stays behind if this process is killed.

        A journal that is opened without this commit then shows that its end is missing.

        Args:
            journal: id of the journal, since another one may be moved to its place.
            stamp: Unix time.

        """
        self._write(_PID_WIDTH + 1, f"{f'{journal} {stamp!r}':<{_STAMP_WIDTH}}\n")

    def leave_behind(self) -> None:
        """Keep the file when the lock is released: a write failed, and nothing is written any more.

        It may have failed in the middle of ``seal()``. As after a kill, the file then says that nothing is missing.
        """
        self._stays = True
        self._write(0, f"{_FINAL:<{_PID_WIDTH}}\n")

    @property
    def is_in_place(self) -> bool:
        """Whether the file that is locked is still the one of this name; true if that cannot be told."""
        try:
            return self._descriptor is None or self._is_current(self._descriptor)
        except OSError:
            return True

    def leave_note(self, journal: str, stamp: float) -> None:
        """Release the lock, and leave a note in the file that has its name now, unless another process locks that."""
        self._let_go()
        with contextlib.suppress(OSError):
            self.acquire()
            self.note(journal, stamp)
        self._let_go()

    def after_fork_in_child(self) -> None:
        """Leave the lock to the parent. A child that kept the file open would hold the lock after the parent's end."""
        with contextlib.suppress(OSError):
            self._let_go()

    def _let_go(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _write(self, place: int, line: str) -> None:
        # Error messages and checks can do without, so a full disk may leave it out.
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.lseek(self._descriptor, place, os.SEEK_SET)
                os.write(self._descriptor, line.encode())

    def _open(self) -> int:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            _lock(descriptor)
        except OSError as exc:
            is_held = exc.errno in _HELD
            holder = os.read(descriptor, _PID_WIDTH).decode("ascii", "replace").strip() if is_held else ""
            os.close(descriptor)
            if not is_held:
                raise
            raise LockHeldError(int(holder) if holder.isdigit() else None) from None
        return descriptor

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def release(self, *, keep: bool = False) -> None:
        """Release the lock; twice does nothing.

        Args:
            keep: whether a file that was there before stays. It may be that of a process that was killed or failed,
                which says whether something is missing.

        """
        descriptor = self._descriptor
        if (keep and self._was_there) or self._stays:
            self._let_go()
        elif descriptor is not None:
            # Removed while we hold it, so it cannot be another process's file, unless something replaced it. Windows
            # cannot remove an open file; there it stays.
            with contextlib.suppress(OSError):
                if self._is_current(descriptor):
                    self._path.unlink(missing_ok=True)
            self._let_go()


# Global, since a fork copies all of them.
_LOCKS: weakref.WeakSet[FileLock] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for lock in list(_LOCKS):
        lock.after_fork_in_child()


# Not on Windows, which has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, *, shared: bool = False) -> None:
        del shared
        # Far behind the process id, which other processes read.
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
else:
    import fcntl

    def _lock(descriptor: int, *, shared: bool = False) -> None:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def real_path(path: Path) -> Path:
    """Return where a name leads through symbolic links; ``Path.resolve()`` raises for links in a circle."""
    return Path(os.path.realpath(path))


def is_file(path: Path) -> bool:
    """Return whether there is a file; ``Path.is_file()`` raises where nothing may be seen."""
    return os.path.isfile(path)  # noqa: PTH113 - see above


def folders_of(files: Iterable[Path]) -> dict[tuple[int, int], Path]:
    """Return the folders in which files are named and those where their links lead to, by what identifies a folder.

    A folder that has two names, or cannot be seen, is there once or not at all.
    """
    found: dict[tuple[int, int], Path] = {}
    for file in files:
        # The source may be no more than a name.
        with contextlib.suppress(OSError, ValueError):
            for folder in (file.parent, real_path(file).parent):
                status = folder.stat()
                found.setdefault((status.st_ino, status.st_dev), folder)
    return found


def partial_path(path: Path) -> Path:
    """Return the file in which a journal is made before it is complete."""
    return path.with_name(f"{path.name}.importing")


def wal_path(path: Path) -> Path:
    """Return the write-ahead log of a journal."""
    # SQLite follows symbolic links, too.
    path = real_path(path)
    return path.with_name(f"{path.name}-wal")


def lock_path(path: Path) -> Path:
    """Return the file of a journal's lock."""
    # Two names of one journal are one journal.
    path = real_path(path)
    return path.with_name(f"{path.name}.lock")


def is_locked(path: Path) -> bool:
    """Return whether a process runs a journal. It changes nothing, so the folder may be read-only.

    Raises:
        JournalError: that cannot be told, since the lock's file cannot be opened.

    """
    file = lock_path(path)
    try:
        descriptor = os.open(file, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError as exc:
        msg = (
            f"cannot tell whether {path} is being run: cannot open {file} ({exc.strerror or exc}); use the account "
            "that runs it, or let this one read that file"
        )
        raise JournalError(msg) from exc
    try:
        _lock(descriptor, shared=True)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


class Note(NamedTuple):
    """What the file of a lock says.

    Attributes:
        journal: id of the journal; empty if there is no note.
        stamp: Unix time of its last commit.
        is_final: whether the process has certainly noted its last commit: it went on after a failure, and was not
            killed.

    """

    journal: str
    stamp: float
    is_final: bool


def read_note(path: Path) -> Note:
    """Return what a running, failed or killed process noted about a journal."""
    try:
        content = lock_path(path).read_bytes()
        journal, stamp = content[_PID_WIDTH + 1 :].decode("ascii").split()
        return Note(journal, float(stamp), content[:_PID_WIDTH].strip() == _FINAL.encode())
    except (OSError, ValueError):
        return Note("", 0.0, is_final=False)


def lock_journal(path: Path) -> FileLock:
    """Take the lock of a journal.

    Raises:
        JournalInUseError: another process runs it.
        JournalError: the lock's file cannot be made.

    """
    lock = FileLock(lock_path(path))
    for tries_left in range(_LOCK_TRIES, 0, -1):
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
            msg = f"cannot lock {path}: {exc.strerror or exc}; a run needs a folder that can be written to, and locks"
            raise JournalError(msg) from exc
        break
    return lock


class ReadingConnection(sqlite3.Connection):
    """A connection that only reads, perhaps a copy that it removes when it is closed."""

    copied_to: tempfile.TemporaryDirectory[str] | None = None

    def close(self) -> None:
        """Close it, and remove the copy."""
        super().close()
        if self.copied_to is not None:
            self.copied_to.cleanup()


def connect_for_reading(path: Path, *, read_only: bool) -> ReadingConnection:
    """Open the database to read it, also where nothing can be written.

    Args:
        path: the journal.
        read_only: whether SQLite may not even move a left-over log into the file.

    Raises:
        JournalError: it cannot be read, or is not a database.

    """
    path = real_path(path)
    try:
        try:
            return _open_to_read(path, "mode=ro" if read_only else "mode=rw")
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & 0xFF not in _NEEDS_TO_WRITE:
                raise
        # SQLite makes an index of the log beside the journal even to read it.
        if not wal_path(path).exists():
            return _open_to_read(path, "mode=ro&immutable=1")
        return _open_copy(path)
    except (sqlite3.OperationalError, OSError) as exc:
        msg = f"cannot read {path}: {exc}"
        raise JournalError(msg) from exc
    except sqlite3.DatabaseError as exc:
        if is_corrupt(exc):
            raise JournalError(explain_damage(path, str(exc))) from exc
        msg = f"{path} is no journal of a bulk run ({exc}); name another file"
        raise JournalError(msg) from exc


def is_corrupt(error: sqlite3.Error) -> bool:
    """Whether SQLite says that a database is damaged."""
    # An error of the module itself, and not of SQLite, has no code.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT


def explain_damage(path: Path, fault: str) -> str:
    """Return what it means that a journal is damaged, and what to do.

    Args:
        path: the journal.
        fault: what is wrong with it.

    """
    return (
        f"{path} is damaged ({fault}), so it does not say for certain what was sent; use a copy that was made after "
        "its last run ended (an older one would send rows twice), or look up at the API which rows were published, and "
        "send the missing ones with a new journal"
    )


_NEEDS_TO_WRITE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL)
"""Codes of SQLite where a file or folder is read-only, or the disk is full."""


def _open_to_read(path: Path, mode: str) -> ReadingConnection:
    connection = sqlite3.connect(
        f"{path.as_uri()}?{mode}", isolation_level=None, check_same_thread=False, timeout=30, uri=True,
        factory=ReadingConnection,
    )  # fmt: skip
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.create_function("mark", -1, mark, deterministic=True)
        # Nothing was read from the file until now.
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _open_copy(path: Path) -> ReadingConnection:
    folder = tempfile.TemporaryDirectory(prefix="marketingblocks-")
    try:
        copy = Path(folder.name, "journal")
        shutil.copyfile(path, copy)
        shutil.copyfile(wal_path(path), wal_path(copy))
        connection = _open_to_read(copy, "mode=rw")
    except BaseException:
        folder.cleanup()
        raise
    connection.copied_to = folder
    return connection


def mark(*values: object) -> int:
    """Return the checksum of a line of a journal, by which a flipped bit in the file is noticed."""
    return crc32(repr(values).encode("utf-8", "surrogatepass"))


def storable(text: str) -> str:
    """Return text as SQLite takes it: a server can send halves of surrogate pairs."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


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
    moves the log, and with it this mark, into the file. If this is interrupted, or fails on a full disk, the file of
    the lock tells that nothing is missing.
    """
    for where in (BESIDE, HERE):
        connection.execute(QUERIES["set_meta"], meta_line(WAL_MARK, where))
        if where == BESIDE:
            # Passive: it waits for no reader. A part that a reader holds back is moved the next time.
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def meta_line(name: str, value: str) -> tuple[str, str, int]:
    """Return a line of the table ``meta``."""
    return name, value, mark(name, value)


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
