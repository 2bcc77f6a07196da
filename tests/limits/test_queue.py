"""Who goes next, what a pause does, and what cancelling and aborting leave behind. All in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from marketingblocks_async.limits.limiter import RateLimiter
from marketingblocks_async.limits.permits import GUARD_NARROWS_AFTER, LONGEST_PAUSE, WIDEST_GUARD, LocalPermit
from marketingblocks_async.limits.settings import Lane, RateLimit
from tests.support.virtual_time import VirtualTimeLoop, run
from tests.support.windows import worst_window

Scenario = Callable[[RateLimiter, VirtualTimeLoop], Awaitable[None]]


def play(scenario: Scenario, settings: RateLimit | None = None) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        await scenario(RateLimiter(settings or RateLimit(), clock=loop.time), loop)

    run(main())


def use(permit: LocalPermit) -> None:
    """Send, and be answered at once."""
    permit.leaving()
    permit.written(fresh_connection=False)
    permit.answered()


def test_one_ordinary_call_behind_50_000_bulk_calls_goes_out_within_the_next_few_grants() -> None:
    async def scenario(limiter: RateLimiter, _loop: VirtualTimeLoop) -> None:
        order: list[str] = []

        async def call(name: str, lane: Lane) -> None:
            permit = await limiter.acquire(lane)
            order.append(name)
            use(permit)

        bulk = [asyncio.create_task(call("bulk", Lane.BULK)) for _ in range(50_000)]
        await asyncio.sleep(2)
        before = len(order)
        assert limiter.snapshot().queued_bulk > 49_000
        await call("ordinary", Lane.ORDINARY)
        assert order.index("ordinary") - before <= 5
        for task in bulk:
            task.cancel()
        await asyncio.gather(*bulk, return_exceptions=True)

    play(scenario)


def test_retries_go_before_new_calls_of_their_lane_and_ordinary_calls_before_bulk() -> None:
    async def scenario(limiter: RateLimiter, _loop: VirtualTimeLoop) -> None:
        order: list[str] = []

        async def call(name: str, lane: Lane, *, retry: bool) -> None:
            use(await limiter.acquire(lane, retry=retry))
            order.append(name)

        limiter.pause(1)
        await asyncio.gather(
            call("bulk", Lane.BULK, retry=False),
            call("bulk retry", Lane.BULK, retry=True),
            call("ordinary", Lane.ORDINARY, retry=False),
            call("ordinary 2", Lane.ORDINARY, retry=False),
            call("ordinary retry", Lane.ORDINARY, retry=True),
        )
        assert order == ["ordinary retry", "ordinary", "ordinary 2", "bulk retry", "bulk"]

    play(scenario)


def test_nothing_goes_out_in_a_pause_and_what_follows_comes_evenly_and_first_in_first_out() -> None:
    async def scenario(limiter: RateLimiter, loop: VirtualTimeLoop) -> None:
        grants: list[tuple[float, int]] = []

        async def call(number: int) -> None:
            permit = await limiter.acquire()
            grants.append((loop.time(), number))
            use(permit)

        tasks = [asyncio.create_task(call(number)) for number in range(2000)]
        await asyncio.sleep(1.005)
        before = len(grants)
        resumes = loop.time() + 2
        limiter.pause(2)
        # A shorter pause that is asked for later cannot end the longer one.
        limiter.pause(0.5)
        await asyncio.gather(*tasks)

        after = [instant for instant, _ in grants[before:]]
        assert min(after) >= resumes
        assert sum(instant < resumes + 0.02 for instant in after) <= 3
        assert worst_window([instant for instant, _ in grants], 1.0) <= 100
        assert [number for _, number in grants] == list(range(2000))

    play(scenario)


def test_a_granted_request_whose_connection_came_late_does_not_go_out_in_a_pause() -> None:
    async def scenario(limiter: RateLimiter, loop: VirtualTimeLoop) -> None:
        written: list[float] = []

        async def call() -> None:
            permit = await limiter.acquire()
            await asyncio.sleep(0.5)
            await limiter.write_turn()
            written.append(loop.time())
            use(permit)

        tasks = [asyncio.create_task(call()) for _ in range(20)]
        await asyncio.sleep(0.3)
        began = loop.time()
        limiter.pause(3)
        await asyncio.gather(*tasks)
        assert min(written) >= began + 3
        assert worst_window(written, 0.02) <= 3

    play(scenario)


def test_requests_bunched_by_slow_connections_are_written_evenly() -> None:
    async def scenario(limiter: RateLimiter, loop: VirtualTimeLoop) -> None:
        written: list[float] = []
        opens_at = loop.time() + 1

        async def call() -> None:
            permit = await limiter.acquire()
            # All connections open at the same instant.
            await asyncio.sleep(max(0.0, opens_at - loop.time()))
            await limiter.write_turn()
            written.append(loop.time())
            use(permit)

        await asyncio.gather(*(call() for _ in range(300)))
        # What a strict server (GCRA with a tolerance of 10) allows in any window.
        for window in (0.01, 0.05, 0.1, 0.2, 0.5):
            assert worst_window(written, window) <= 11 + 100 * window
        assert worst_window(written, 1.0) <= 100

    play(scenario)


def test_a_pause_lasts_at_most_a_minute_whatever_the_server_asks_for() -> None:
    async def scenario(limiter: RateLimiter, loop: VirtualTimeLoop) -> None:
        began = loop.time()
        limiter.pause(1e12)
        use(await limiter.acquire())
        assert LONGEST_PAUSE <= loop.time() - began <= LONGEST_PAUSE + 1

    play(scenario)


def test_after_a_429_it_slows_down_once_per_burst_of_refusals_and_recovers() -> None:
    async def scenario(limiter: RateLimiter, _loop: VirtualTimeLoop) -> None:
        for _ in range(30):
            limiter.pause(0.1)
        assert limiter.snapshot().rate == pytest.approx(95)
        assert limiter.snapshot().refused == 30
        await asyncio.sleep(4)
        assert limiter.snapshot().rate == pytest.approx(96)
        await asyncio.sleep(60)
        assert limiter.snapshot().rate == 100

    play(scenario)


def test_a_pause_without_a_429_does_not_slow_down() -> None:
    async def scenario(limiter: RateLimiter, _loop: VirtualTimeLoop) -> None:
        limiter.pause(0.1, over_limit=False)
        snapshot = limiter.snapshot()
        assert (snapshot.rate, snapshot.refused, snapshot.guard) == (100, 0, 0.05)
        assert snapshot.paused_for == pytest.approx(0.1)

    play(scenario)


def test_a_429_widens_the_guard_until_a_minute_passes_without_one() -> None:
    async def scenario(limiter: RateLimiter, _loop: VirtualTimeLoop) -> None:
        widths = [limiter.snapshot().guard]
        for _ in range(7):
            limiter.pause(0.01)
            widths.append(limiter.snapshot().guard)
            await asyncio.sleep(1)
        assert widths == sorted(widths)
        assert widths[:3] == [0.05, 0.1, 0.2]
        assert widths[-1] == WIDEST_GUARD
        await asyncio.sleep(GUARD_NARROWS_AFTER)
        assert limiter.snapshot().guard == 0.05

    play(scenario)


def test_50_000_cancelled_calls_leave_nothing_behind() -> None:
    async def scenario(limiter: RateLimiter, _loop: VirtualTimeLoop) -> None:
        async def call() -> None:
            use(await limiter.acquire())

        tasks = [asyncio.create_task(call()) for _ in range(50_000)]
        await asyncio.sleep(0.5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert limiter.snapshot().queued == 0
        await asyncio.sleep(1.1)
        assert limiter.snapshot().in_use == 0

    play(scenario)


def test_a_permit_granted_in_the_turn_of_the_cancellation_comes_back() -> None:
    async def scenario(limiter: RateLimiter, _loop: VirtualTimeLoop) -> None:
        task = asyncio.create_task(limiter.acquire())
        for _ in range(10):
            if limiter.snapshot().granted:
                break
            await asyncio.sleep(0)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert limiter.snapshot().in_use == 0

    play(scenario, RateLimit(limit=1))


def test_a_request_cancelled_before_its_write_gives_its_permit_back_at_once() -> None:
    async def scenario(limiter: RateLimiter, loop: VirtualTimeLoop) -> None:
        for _ in range(5):
            began = loop.time()
            permit = await limiter.acquire()
            permit.given_up()
            assert loop.time() - began < 1

    play(scenario, RateLimit(limit=1))


def test_aborting_ends_the_waiting_of_one_owner_only() -> None:
    async def scenario(limiter: RateLimiter, _loop: VirtualTimeLoop) -> None:
        mine, other = object(), object()
        limiter.pause(5)

        async def call(owner: object) -> str:
            use(await limiter.acquire(owner=owner))
            return "granted"

        tasks = [asyncio.create_task(call(owner)) for owner in (mine, other) for _ in range(3)]
        await asyncio.sleep(1)
        assert limiter.abort(mine, lambda: RuntimeError("closed")) == 3
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [str(result) for result in results] == ["closed"] * 3 + ["granted"] * 3

    play(scenario)


def test_the_estimated_wait_is_what_a_call_then_waits() -> None:
    async def scenario(limiter: RateLimiter, loop: VirtualTimeLoop) -> None:
        async def call() -> None:
            use(await limiter.acquire())

        tasks = [asyncio.create_task(call()) for _ in range(500)]
        await asyncio.sleep(0)
        estimate = limiter.estimated_wait()
        began = loop.time()
        await call()
        assert loop.time() - began == pytest.approx(estimate, rel=0.05)
        await asyncio.gather(*tasks)
        assert limiter.estimated_wait() < 1.1

    play(scenario)


def test_four_unaware_processes_with_one_token_share_the_limit() -> None:
    """Additive increase, multiplicative decrease: the figures that ``pacing.AdaptiveRate`` states."""

    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        log: list[float] = []
        accepted = refused = 0
        stop = loop.time() + 120

        async def worker(limiter: RateLimiter) -> None:
            nonlocal accepted, refused
            while loop.time() < stop:
                permit = await limiter.acquire()
                permit.leaving()
                permit.written(fresh_connection=False)
                await asyncio.sleep(0.005)
                # The server: a sliding log over all processes.
                now = loop.time()
                while log and log[0] <= now - 1:
                    del log[0]
                if len(log) < 100:
                    log.append(now)
                    accepted += 1
                else:
                    refused += 1
                    limiter.pause(max(log[0] + 1 - now, 0.01))
                await asyncio.sleep(0.005)
                permit.answered()

        limiters = [RateLimiter(RateLimit(), clock=loop.time) for _ in range(4)]
        await asyncio.gather(*(worker(limiter) for limiter in limiters for _ in range(50)))
        return accepted / 120, refused / (accepted + refused)

    rate, refusals = run(main())
    assert 90 <= rate <= 101
    assert refusals < 0.02
