"""The worker's thread and the event loops share a lease and its pool: everything that touches them holds the lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from marketingblocks_async.limits.limiter import RateLimiter
from marketingblocks_async.redis import RedisRateLimit
from marketingblocks_async.redis.lease import Lease
from marketingblocks_async.redis.pool import LeasedPool
from marketingblocks_async.testing import FakeTime
from tests.support.locks import holds_its_lock

POOL: dict[str, Callable[[LeasedPool], Any]] = {
    "writable": lambda pool: pool.writable,
    "take": lambda pool: pool.take(),
    "offer": lambda pool: pool.offer(3),
    "renew": lambda pool: pool.renew(50, target=50, share=50, usable_until=9e9),
    "expire": lambda pool: pool.expire(),
    "pause_of_others": lambda pool: pool.pause_of_others(1.0, over_limit=True),
}
LEASE: dict[str, Callable[[Lease], Any]] = {
    "note_pause": lambda lease: lease.note_pause(1.0, over_limit=True),
    "prepare": lambda lease: lease.prepare(),
    "accept": lambda lease: lease.accept([0, 50, 50, 50, 0, 0, 50, 0]),
}


def lease_of(clock: FakeTime) -> tuple[Lease, LeasedPool]:
    limit = RedisRateLimit("redis://x")
    pool = LeasedPool(limit.local, clock.monotonic, lambda: None)
    return Lease(limit, "https://api.example/v1", "token", pool=pool, limiter=RateLimiter(pool)), pool


@pytest.mark.parametrize("name", POOL)
def test_a_leased_pool_is_used_by_one_thread_at_a_time(
    monkeypatch: pytest.MonkeyPatch, fake_time: FakeTime, name: str
) -> None:
    _, pool = lease_of(fake_time)
    assert holds_its_lock(monkeypatch, pool, lambda: POOL[name](pool))


@pytest.mark.parametrize("name", LEASE)
def test_a_lease_is_used_by_one_thread_at_a_time(
    monkeypatch: pytest.MonkeyPatch, fake_time: FakeTime, name: str
) -> None:
    lease, _ = lease_of(fake_time)
    lease.prepare()
    assert holds_its_lock(monkeypatch, lease, lambda: LEASE[name](lease))
