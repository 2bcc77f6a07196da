"""Locks that note whether they were held."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

import pytest


class NotedLock:
    """A lock that counts how often it was held."""

    def __init__(self) -> None:
        self.times = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()
        self.times += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    @property
    def is_held(self) -> bool:
        """Whether it is held now."""
        return self._lock.locked()


def holds_its_lock(monkeypatch: pytest.MonkeyPatch, owner: object, act: Callable[[], Any]) -> bool:
    """Do something; return whether the owner's lock was held meanwhile, and is free again."""
    lock = NotedLock()
    with monkeypatch.context() as patch:
        patch.setattr(owner, "_lock", lock)
        act()
    return lock.times > 0 and not lock.is_held
