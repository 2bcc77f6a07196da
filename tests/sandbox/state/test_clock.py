from __future__ import annotations

import asyncio

import pytest

from marketingblocks_async.sandbox.state.clock import SandboxClock
from tests.support.sandbox import FakeClock


def test_world_time_is_calendar_time_plus_what_was_advanced() -> None:
    monotonic = FakeClock(50.0)
    clock = SandboxClock(monotonic, lambda: 1_000_000.0)
    assert clock.world() == 1_000_000.0
    monotonic.move(5.0)
    clock.advance(3600.0)
    assert clock.world() == 1_003_605.0
    assert clock.monotonic() == 55.0


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf"), 1e12])
def test_time_moves_forward_and_not_too_far(seconds: float) -> None:
    with pytest.raises(ValueError, match="time moves forward"):
        SandboxClock(FakeClock()).advance(seconds)


async def test_until_wakes_when_time_is_advanced() -> None:
    clock = SandboxClock(FakeClock())
    waiter = asyncio.create_task(clock.until(clock.world() + 100.0))
    await asyncio.sleep(0)
    clock.advance(99.0)
    await asyncio.sleep(0.01)
    assert not waiter.done()
    clock.advance(1.0)
    async with asyncio.timeout(5):
        await waiter


async def test_until_a_moment_that_has_passed_does_not_wait() -> None:
    clock = SandboxClock(FakeClock())
    async with asyncio.timeout(1):
        await clock.until(clock.world())
