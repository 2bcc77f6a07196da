"""The clock of leases."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from marketingblocks_async.redis import clock


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="the system has no such clock")
def test_the_clock_of_leases_goes_on_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    asleep: Callable[[int], float] = {time.CLOCK_BOOTTIME: 5000.0}.__getitem__
    monkeypatch.setattr(time, "clock_gettime", asleep)
    assert clock.now() == 5000.0
