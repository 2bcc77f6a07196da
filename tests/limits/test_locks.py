"""Threads share a pool of permits and the registry: everything that touches their state holds the lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from marketingblocks_async.limits.limiter import RateLimiter
from marketingblocks_async.limits.permits import PermitPool, PooledPermit
from marketingblocks_async.limits.registry import LimiterRegistry
from marketingblocks_async.limits.release import PermitState
from marketingblocks_async.limits.settings import RateLimit
from tests.support.locks import holds_its_lock

URL = "https://api.example/v1"

ACTS: dict[str, Callable[[PermitPool, PermitState], Any]] = {
    "in_use": lambda pool, _: pool.in_use,
    "next_release": lambda pool, _: pool.next_release,
    "take": lambda pool, _: pool.take(),
    "pause": lambda pool, _: pool.pause(1.0, over_limit=True),
    "sending": lambda pool, permit: pool.sending(permit, "create-post"),
    "sent": lambda pool, permit: pool.sent(permit, fresh_connection=True),
    "answered": lambda pool, permit: pool.answered(permit, success=True),
    "release": lambda pool, permit: pool.release(permit),
    "reconfigure": lambda pool, _: pool.reconfigure(RateLimit(limit=50)),
}


@pytest.mark.parametrize("name", ACTS)
def test_a_pool_is_used_by_one_thread_at_a_time(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    pool = PermitPool(RateLimit())
    permit = PermitState()
    assert isinstance(pool.take(), PooledPermit)
    pool.sending(permit, "create-post")
    assert holds_its_lock(monkeypatch, pool, lambda: ACTS[name](pool, permit))


async def test_a_limiter_makes_queues_in_one_thread_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = RateLimiter(PermitPool(RateLimit()))
    assert holds_its_lock(monkeypatch, limiter, lambda: limiter.abort(None, RuntimeError))


async def test_the_registry_is_used_by_one_thread_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = LimiterRegistry()
    assert holds_its_lock(monkeypatch, registry, lambda: registry.get(URL, "token", RateLimit(), registry))
    assert holds_its_lock(monkeypatch, registry, lambda: registry.release(URL, "token", registry))
