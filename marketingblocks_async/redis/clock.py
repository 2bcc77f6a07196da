"""The clock of leases: seconds that go on while the machine sleeps, where the system has such a clock.

A monotonic clock may stand still while its machine is suspended. The clocks of Redis and of the server do not, so an
expired lease would seem valid.
"""

from __future__ import annotations

import time

_SINCE_BOOT: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def now() -> float:
    """Return seconds of a clock that never goes back and has an arbitrary beginning."""
    return time.monotonic() if _SINCE_BOOT is None else time.clock_gettime(_SINCE_BOOT)
