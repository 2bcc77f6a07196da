"""The clocks of leases and of requests that may still be carried out."""

from __future__ import annotations

import time

import pytest

from marketingblocks_async import clock

EPOCH = 2_000_000_000.0


class Clocks:
    """The two clocks of the system."""

    def __init__(self) -> None:
        self.since_boot = 5000.0
        self.calendar = EPOCH

    def pass_time(self, seconds: float) -> None:
        self.since_boot += seconds
        self.calendar += seconds


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks()

    def since_boot(number: int) -> float:
        assert number == 7
        return clocks.since_boot

    monkeypatch.setattr(time, "clock_gettime", since_boot)
    monkeypatch.setattr(time, "time", lambda: clocks.calendar)
    monkeypatch.setattr(clock, "_SINCE_BOOT", 7)
    return clocks


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="the system has no such clock")
def test_the_clock_of_leases_goes_on_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "clock_gettime", {time.CLOCK_BOOTTIME: 5000.0}.__getitem__)
    assert clock.now() == 5000.0


def test_no_time_passes_when_the_calendar_is_set_forward(clocks: Clocks) -> None:
    calendar = clock.CalendarClock()
    clocks.pass_time(10)
    assert calendar.now() == EPOCH + 10
    clocks.calendar += 3600
    assert calendar.now() == EPOCH + 10
    clocks.pass_time(5)
    assert calendar.now() == EPOCH + 15


def test_a_calendar_that_is_set_back_is_believed(clocks: Clocks) -> None:
    calendar = clock.CalendarClock()
    clocks.calendar -= 3600
    assert calendar.now() == EPOCH - 3600
    # Back where it was: that is no step forward.
    clocks.calendar += 3600
    assert calendar.now() == EPOCH
