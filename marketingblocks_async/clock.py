"""Clocks for times that count for others: leases in Redis, and requests that a server may still carry out.

A monotonic clock may stand still while its machine is suspended, and the calendar's may be set forward without any time
passing. Then a lease would seem valid that is not, and a post would seem absent that was sent a moment ago.
"""

from __future__ import annotations

import sys
import time

_SINCE_BOOT: int | None = getattr(time, "CLOCK_MONOTONIC" if sys.platform == "darwin" else "CLOCK_BOOTTIME", None)
"""The clock that goes on during sleep, where the system has one. On macOS, that is not ``time.monotonic()``."""


def now() -> float:
    """Return seconds of a clock that never goes back and has an arbitrary beginning."""
    return time.monotonic() if _SINCE_BOOT is None else time.clock_gettime(_SINCE_BOOT)


def instant() -> tuple[float, float]:
    """Return the present by ``time.monotonic()`` and by ``now()``, for ``seconds_since()``."""
    return time.monotonic(), now()


def seconds_since(then: tuple[float, float]) -> float:
    """Return the seconds since an ``instant()``, with those for which the machine slept."""
    # The greater of both, since each may stand still while the other goes on: the first in sleep, and the second in
    # fake time.
    return max(time.monotonic() - then[0], now() - then[1])


class CalendarClock:
    """The Unix time, without the steps by which it is set forward after this clock was made."""

    def __init__(self) -> None:
        self._offset = time.time() - now()

    def now(self) -> float:
        """Return the Unix time that would be without those steps, or the system's if that is earlier."""
        return min(time.time(), self._offset + now())
