"""One limiter on several event loops, and its estimates."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import Any, cast

import pytest

from marketingblocks_async import Lane
from marketingblocks_async.limits import queue
from marketingblocks_async.limits.limiter import RateLimiter
from tests.support.limits import limiter_of, use
from tests.support.windows import worst_window


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def send(limiter: RateLimiter, requests: int, instants: list[float]) -> None:
    async def one() -> None:
        permit = await limiter.acquire()
        await limiter.wait_to_write()
        permit.sending()
        instants.append(time.monotonic())
        permit.sent(fresh_connection=False)
        await asyncio.sleep(0.001)
        permit.answered()

    await asyncio.gather(*(one() for _ in range(requests)))


def test_the_bound_holds_on_loops_one_after_another() -> None:
    limiter, instants = limiter_of(limit=20, per=0.3, burst=3), list[float]()
    for _ in range(4):
        asyncio.run(send(limiter, 15, instants))
    assert len(instants) == 60
    assert worst_window(instants, 0.3) <= 20


def test_the_bound_holds_on_loops_in_threads() -> None:
    limiter, instants = limiter_of(limit=20, per=0.3, burst=3), list[float]()
    threads = [threading.Thread(target=lambda: asyncio.run(send(limiter, 25, instants))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(instants) == 75
    assert worst_window(instants, 0.3) <= 20


def test_a_permit_of_a_stopped_loop_comes_back() -> None:
    limiter = limiter_of(limit=1)

    async def hold() -> None:
        permit = await limiter.acquire()
        await asyncio.sleep(1000)
        permit.release()

    loop = asyncio.new_event_loop()
    task = loop.create_task(hold())
    for _ in range(5):
        loop.call_soon(loop.stop)
        loop.run_forever()
    assert limiter.snapshot().in_use == 1
    # A loop that is stopped for good with a task that nothing cancels: a bug of the caller, which must not stop others.
    loop.set_exception_handler(lambda _loop, _context: None)
    loop.close()
    del task, loop
    gc.collect()
    assert limiter.snapshot().in_use == 0
    asyncio.run(send(limiter, 1, []))


def test_a_returned_permit_wakes_the_queue_of_another_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    # So that the other loop does not look by itself.
    monkeypatch.setattr(queue, "_LONGEST_TIMER", 1e6)
    limiter = limiter_of(limit=1, per=0.001)
    waits = threading.Event()

    async def other() -> None:
        waiting = asyncio.create_task(limiter.acquire())
        # Meanwhile its dispatcher, which goes at 1,000 a second, finds that no permit is free.
        await asyncio.sleep(0.05)
        waits.set()
        use(await waiting)

    async def main() -> None:
        permit = await limiter.acquire()
        thread.start()
        await asyncio.to_thread(waits.wait)
        permit.release()

    thread = threading.Thread(target=lambda: asyncio.run(other()), daemon=True)
    asyncio.run(main())
    thread.join(20)
    assert not thread.is_alive()


def test_a_closed_loop_with_a_waiting_call_disturbs_none() -> None:
    limiter = limiter_of(limit=1, per=0.05)
    loop = asyncio.new_event_loop()
    permit = loop.run_until_complete(limiter.acquire())
    waiting = loop.create_task(limiter.acquire())
    loop.run_until_complete(turns(5))
    # A loop that is stopped for good with a task that nothing cancels: a bug of the caller.
    loop.set_exception_handler(lambda _loop, _context: None)
    loop.close()
    permit.sending()
    permit.answered()
    assert not waiting.done()
    del waiting, loop
    gc.collect()

    async def after() -> None:
        use(await limiter.acquire())

    asyncio.run(after())
    assert limiter.snapshot().queued == 0


@pytest.mark.usefixtures("fake_time")
async def test_the_estimated_wait_comes_true(limiter: RateLimiter) -> None:
    async def call() -> None:
        use(await limiter.acquire())

    tasks = [asyncio.create_task(call()) for _ in range(500)]
    await asyncio.sleep(0)
    estimate = limiter.estimated_wait()
    began = time.monotonic()
    await call()
    assert time.monotonic() - began == pytest.approx(estimate, rel=0.05)
    await asyncio.gather(*tasks)
    assert limiter.estimated_wait() < 1.1


@pytest.mark.usefixtures("fake_time")
async def test_without_a_free_permit_the_estimate_is_the_time_until_one_comes_back() -> None:
    limiter = limiter_of(limit=3, burst=3)
    for number in range(3):
        assert limiter.estimated_wait() == 0.0, number
        use(await limiter.acquire())
    assert limiter.estimated_wait() == pytest.approx(1.0, rel=0.05)
    await asyncio.sleep(0.5)
    assert limiter.estimated_wait() == pytest.approx(0.5, rel=0.1)


def test_a_loop_begins_without_a_burst_if_another_one_has_just_used_the_token() -> None:
    limiter = limiter_of()

    async def take(count: int) -> float:
        began = time.monotonic()
        for _ in range(count):
            use(await limiter.acquire())
        return time.monotonic() - began

    asyncio.run(take(5))
    assert asyncio.run(take(5)) > 0.04


def test_what_waits_on_a_closed_loop_is_not_ahead_of_others() -> None:
    """Calls with a deadline were refused because of a queue that never moved."""
    limiter = limiter_of(limit=1, per=1.0)

    async def leave() -> list[asyncio.Task[object]]:
        waiting = [asyncio.create_task(limiter.acquire(lane)) for lane in (Lane.ORDINARY, Lane.BULK) for _ in range(20)]
        await asyncio.sleep(0)
        return [*waiting]

    loop = asyncio.new_event_loop()
    waiting = loop.run_until_complete(leave())
    assert limiter.estimated_wait(Lane.BULK) > 30
    assert limiter.snapshot().queued_bulk == 20
    loop.close()
    assert limiter.estimated_wait(Lane.BULK) <= 1
    assert (limiter.queued, limiter.snapshot().queued_bulk) == (0, 0)
    for task in waiting:
        cast("Any", task.get_coro()).close()


@pytest.mark.usefixtures("fake_time")
@pytest.mark.parametrize("stands_still", [1.0, 2.0, 4.0])
async def test_the_bound_holds_when_a_server_stands_still_longer_than_the_timeout(
    limiter: RateLimiter, stands_still: float
) -> None:
    """It counts all that has come meanwhile when it goes on."""
    counted: list[float] = []
    stops = time.monotonic() + 10.0
    goes_on = stops + stands_still

    async def call() -> None:
        permit = await limiter.acquire()
        await limiter.wait_to_write()
        written = time.monotonic()
        permit.sending("create")
        permit.sent(fresh_connection=False)
        arrives = written + 0.025
        counted.append(goes_on if stops <= arrives < goes_on else arrives)
        answered = counted[-1] + 0.025
        await asyncio.sleep(min(answered, written + 0.5) - time.monotonic())
        if answered <= written + 0.5:
            permit.answered()
        else:
            permit.release()

    calls = [asyncio.create_task(call()) for _ in range(2500)]
    await asyncio.sleep(20)
    for each in calls:
        each.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert worst_window(counted, 1.0) <= 100
    # From six seconds after its stop on, the server is used as before.
    assert sum(stops + 6 <= instant < stops + 9 for instant in counted) >= 3 * 95
