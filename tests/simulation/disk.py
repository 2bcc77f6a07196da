"""The journal's thread and disk: the thread runs in step with the loop, and a death may tear what is being written."""

from __future__ import annotations

import contextlib
import contextvars
import random
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marketingblocks_async.bulk.journal.files import lock_path, wal_path

from .loop import PROCESS, Process, SimulatedLoop

_SECTOR = 512


class _AbandonedError(BaseException):
    """The world is over."""


class StepThread(threading.Thread):
    """A thread that runs only while the loop waits for it, until it waits for the loop."""

    loop: SimulatedLoop

    def __init__(self, *, target: Callable[[], None], name: str, daemon: bool) -> None:
        super().__init__(target=target, name=name, daemon=daemon)
        self.outbox: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self.waits = False
        self.has_ended = False
        self.context = contextvars.copy_context()
        self._reported = 0.0
        self._is_abandoned = False
        self._idle = threading.Semaphore(0)
        self._go = threading.Semaphore(0)
        all_threads.append(self)

    def start(self) -> None:
        super().start()
        self._follow()

    def run(self) -> None:
        try:
            with contextlib.suppress(_AbandonedError):
                super().run()
        finally:
            self.has_ended, self.waits = True, False
            self._idle.release()

    def pause(self) -> None:
        """Wait until the loop goes on with it; called in the thread."""
        self.waits = True
        self._idle.release()
        self._go.acquire()
        self.waits = False
        if self._is_abandoned:
            raise _AbandonedError

    def resume(self) -> None:
        """Let it run until it waits again; called on the loop."""
        process = self.context.get(PROCESS)
        if process is not None and (disk := disks.get(process)) is not None:
            disk.begin_step()
        self._go.release()
        self._follow()

    def _follow(self) -> None:
        self._idle.acquire()
        if self._is_abandoned:
            return
        process = self.context.get(PROCESS)
        # What it did is told when the disk has done it.
        self._reported = max(self._reported, self.loop.now + self.loop.disk_delay())
        if process is not None and (disk := disks.get(process)) is not None:
            disk.finish()
            disk.end_step(self._reported)
        for callback, args in self.outbox:
            self.loop.call_at(self._reported, callback, *args, context=self.context)
        self.outbox.clear()

    def end(self) -> None:
        """End a thread that a dead process left waiting."""
        if not self.has_ended:
            self._is_abandoned = True
            self._go.release()
            self._idle.acquire()


all_threads: list[StepThread] = []
disks: dict[Process, Disk] = {}


class StepQueue:
    """``SimpleQueue`` between the loop and a ``StepThread``."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._consumer: StepThread | None = None

    def put(self, item: Any) -> None:
        self._items.append(item)
        consumer = self._consumer
        if consumer is not None and consumer.waits:
            process = consumer.context.get(PROCESS)
            if process is None or not process.is_dead:
                consumer.resume()

    def get(self) -> Any:
        thread = threading.current_thread()
        assert isinstance(thread, StepThread)
        self._consumer = thread
        while not self._items:
            thread.pause()
        return self._items.popleft()


class Threading:
    """Stands for the module ``threading`` in the journal's writer."""

    Thread = StepThread


class Sqlite:
    """Stands for the module ``sqlite3`` where the journal opens its files: statements are counted."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sqlite3, name)

    @staticmethod
    def connect(path: Any, **options: Any) -> sqlite3.Connection:
        """Open a database and count its statements."""
        connection: sqlite3.Connection = sqlite3.connect(path, **options)
        thread = threading.current_thread()
        process = thread.context.get(PROCESS) if isinstance(thread, StepThread) else PROCESS.get()
        disk = None if process is None else disks.get(process)
        if disk is not None and not options.get("uri"):
            connection.set_trace_callback(disk.statement)
        return connection


@dataclass(frozen=True, slots=True)
class Files:
    """A journal and the files beside it; ``None`` for one that is not there."""

    journal: bytes
    log: bytes | None
    lock: bytes | None


class Disk:
    """The files of a journal, as a process sees them and as they are after its death.

    Args:
        process: the process.
        path: the journal.
        dies_in: number of the statement in which the process dies; 0 for none.
        chance: decides what of the interrupted statement is on the disk.

    Attributes:
        image: the files after the death.

    """

    def __init__(self, process: Process, path: Path, dies_in: int, chance: random.Random) -> None:
        self._process = process
        self._path = path
        self._dies_in = dies_in
        self._chance = chance
        self._before: Files | None = None
        # The files before what the thread did last, and when that is on the disk.
        self._last_step: Files | None = None
        self._written_at = 0.0
        self.statements = 0
        self.image: Files | None = None
        disks[process] = self
        process.when_dying.append(self._keep)

    def statement(self, sql: str) -> None:
        """Called before each statement."""
        del sql
        self.statements += 1
        self.finish()
        if self.statements == self._dies_in:
            self._before = self._files()

    def finish(self) -> None:
        """Let the process die if the statement in which it dies is over."""
        if self._before is not None and self.image is None:
            self.image = self._between(self._before)
            self._process.die()

    def begin_step(self) -> None:
        """Called before the thread does something."""
        self._last_step = self._files()

    def end_step(self, written_at: float) -> None:
        """Called after it, with the time at which that is on the disk."""
        self._written_at = written_at

    def _keep(self) -> None:
        if self.image is None:
            is_on_the_way = self._last_step is not None and StepThread.loop.now < self._written_at
            self.image = self._between(self._last_step) if is_on_the_way and self._last_step else self._files()

    def _between(self, before: Files) -> Files:
        """Return the files as an interruption leaves them that came after ``before``."""
        old, new = before, self._files()
        if old.log is None or new.log is None or (old.journal != new.journal and old.log != new.log):
            # The log begins or ends: all of it or nothing.
            return self._chance.choice([old, new])
        if old.lock != new.lock and self._chance.random() < 0.3:
            # The lock's file notes a commit that is on the disk.
            return new
        return Files(self._torn(old.journal, new.journal), self._torn(old.log, new.log), old.lock)

    def _files(self) -> Files:
        log, lock = wal_path(self._path), lock_path(self._path)
        return Files(
            self._path.read_bytes(),
            log.read_bytes() if log.exists() else None,
            lock.read_bytes() if lock.exists() else None,
        )

    def _torn(self, old: bytes, new: bytes) -> bytes:
        """Return a file of which not all sectors were written, in any order."""
        if old == new:
            return new
        share = self._chance.choice([0.0, 0.5, 0.9, 1.0])
        sectors: list[bytes] = []
        for at in range(0, max(len(old), len(new)), _SECTOR):
            chosen = new if self._chance.random() < share else old
            sectors.append(chosen[at : at + _SECTOR])
            if len(sectors[-1]) < _SECTOR and len(new) > at + _SECTOR:
                # A hole in a file that grew.
                sectors[-1] = sectors[-1].ljust(_SECTOR, b"\0")
        return b"".join(sectors)

    def restore(self, path: Path) -> None:
        """Write the files as the disk has them."""
        assert self.image is not None
        path.write_bytes(self.image.journal)
        for beside, content in ((wal_path(path), self.image.log), (lock_path(path), self.image.lock)):
            if content is not None:
                beside.write_bytes(content)
