"""The clients that are compared.

Each is written as a good engineer would from the library's own documentation, in the newest version at the time of
writing. ``load()`` imports one; they are in the dependency group ``bench``.
"""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import cast

from benchmarks.contestants.base import Contestant, Create, Target

__all__ = ["CONTESTANTS", "OURS", "STACK", "Contestant", "Create", "Target", "load", "missing"]

OURS = "ours"
STACK = "stack"

CONTESTANTS = MappingProxyType(
    {
        OURS: ("ours", "OURS", ()),
        "bucket": ("aiolimiter_alone", "BUCKET", ()),
        "drip": ("aiolimiter_alone", "DRIP", ()),
        STACK: ("usual_stack", "STACK", ()),
        "aiometer": ("with_aiometer", "AIOMETER", ("aiometer",)),
        "throttler": ("with_throttler", "THROTTLER", ("asyncio-throttle",)),
        "pyrate": ("with_pyrate", "PYRATE", ("pyrate-limiter",)),
        "throttled": ("with_throttled", "THROTTLED", ("throttled-py",)),
        "limits": ("with_limits", "LIMITS", ("limits",)),
        "httpx": ("with_httpx", "HTTPX", ("httpx",)),
    }
)
"""Module, name in it, and distributions beside the package's own dependencies, by short name."""


def load(name: str) -> Contestant:
    """Return a contestant.

    Args:
        name: a key of ``CONTESTANTS``.

    """
    module, attribute, _ = CONTESTANTS[name]
    return cast("Contestant", getattr(importlib.import_module(f".{module}", __name__), attribute))


def missing(name: str) -> list[str]:
    """Return the distributions that a contestant needs and that are not installed."""
    return [distribution for distribution in CONTESTANTS[name][2] if not _is_installed(distribution)]


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
