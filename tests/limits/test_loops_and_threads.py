"""One limiter, several event loops: one after another, at once in threads, and one that is torn down."""

from __future__ import annotations

import asyncio
import gc
import threading
import time

from marketingblocks_async.limits.limiter import RateLimiter
from marketingblocks_async.limits.settings import RateLimit
from tests.support.windows import worst_window

SETTINGS = RateLimit(limit=20, per=0.3, burst=3)


async def send(limiter: RateLimiter, requests: int, instants: list[float]) -> None:
    async def one() -> None:
        permit = await limiter.acquire()
        await limiter.write_turn()
        permit.leaving()
        instants.append(time.monotonic())
        permit.written(fresh_connection=False)
        await asyncio.sleep(0.001)
        permit.answered()

    await asyncio.gather(*(one() for _ in range(requests)))


def test_the_bound_holds_across_event_loops_that_follow_each_other() -> None:
    limiter, instants = RateLimiter(SETTINGS), list[float]()
    for _ in range(4):
        asyncio.run(send(limiter, 15, instants))
    assert len(instants) == 60
    assert worst_window(instants, 0.3) <= 20


def test_the_bound_holds_across_event_loops_in_threads() -> None:
    limiter, instants = RateLimiter(SETTINGS), list[float]()
    threads = [threading.Thread(target=lambda: asyncio.run(send(limiter, 25, instants))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(instants) == 75
    assert worst_window(instants, 0.3) <= 20


def test_a_permit_of_a_task_that_was_destroyed_comes_back() -> None:
    limiter = RateLimiter(RateLimit(limit=1))

    async def hold() -> None:
        permit = await limiter.acquire()
        await asyncio.sleep(1000)
        permit.given_up()

    loop = asyncio.new_event_loop()
    task = loop.create_task(hold())
    for _ in range(5):
        loop.call_soon(loop.stop)
        loop.run_forever()
    assert limiter.snapshot().in_use == 1
    # A loop that is stopped for good, with a task that nobody cancels: a bug of the caller, which must not stop others.
    loop.set_exception_handler(lambda _loop, _context: None)
    loop.close()
    del task, loop
    gc.collect()
    assert limiter.snapshot().in_use == 0
    asyncio.run(send(limiter, 1, []))


def test_waiting_calls_of_a_closed_loop_are_forgotten() -> None:
    limiter = RateLimiter(RateLimit(limit=5, per=0.1))
    limiter.pause(0.05)
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(limiter.acquire())
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert limiter.snapshot().queued == 1
    waiting.cancel()
    loop.run_until_complete(asyncio.gather(waiting, return_exceptions=True))
    loop.close()
    asyncio.run(send(limiter, 3, []))
    assert limiter.snapshot().queued == 0
