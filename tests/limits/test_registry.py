"""One limiter per API root and token, kept while it is in use or may still count."""

from __future__ import annotations

import asyncio
import gc

import pytest

from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.limits import registry as registry_module
from marketingblocks_async.limits.registry import LimiterRegistry
from marketingblocks_async.limits.settings import RateLimit


class User:
    """Stands for a client."""


ROOT = "https://api.example/v1"
QUICK = RateLimit(limit=3, per=0.05, guard=0.0)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> LimiterRegistry:
    monkeypatch.setattr(registry_module, "SWEEP_INTERVAL", 0.0)
    return LimiterRegistry()


def test_one_limiter_per_root_and_token(registry: LimiterRegistry) -> None:
    users = [User() for _ in range(4)]
    first = registry.get(ROOT, "a", QUICK, users[0])
    assert registry.get(ROOT, "a", QUICK, users[1]) is first
    assert registry.get(ROOT, "b", QUICK, users[2]) is not first
    assert registry.get("https://other.example/v1", "a", QUICK, users[3]) is not first
    assert len(registry) == 3


def test_doubled_slashes_make_no_other_limiter(registry: LimiterRegistry) -> None:
    users = [User(), User()]
    first = registry.get("https://api.example/api/v1", "a", QUICK, users[0])
    assert registry.get("https://api.example//api///v1", "a", QUICK, users[1]) is first


async def test_a_limiter_outlives_its_last_user(registry: LimiterRegistry) -> None:
    user, settings = User(), RateLimit(limit=3, per=0.2, guard=0.0)
    limiter = registry.get(ROOT, "a", settings, user)
    permit = await limiter.acquire()
    permit.sending()
    permit.answered()
    registry.release(ROOT, "a", user)
    del permit
    again = registry.get(ROOT, "a", settings, User())
    assert again is limiter
    assert again.snapshot().in_use == 1


@pytest.mark.usefixtures("fake_time")
async def test_a_limiter_is_dropped_when_its_requests_count_no_longer(registry: LimiterRegistry) -> None:
    """Also if no other client comes, whose coming would be an occasion to look."""
    user = User()
    limiter = registry.get(ROOT, "a", RateLimit(limit=3, per=1.0, guard=0.0), user)
    permit = await limiter.acquire()
    permit.sending()
    permit.answered()
    registry.release(ROOT, "a", user)
    await asyncio.sleep(0.9)
    assert len(registry) == 1
    await asyncio.sleep(0.3)
    assert len(registry) == 0


async def test_a_collected_user_counts_as_gone(registry: LimiterRegistry) -> None:
    user = User()
    registry.get(ROOT, "a", QUICK, user)
    del user
    gc.collect()
    registry.get(ROOT, "b", QUICK, User())
    assert len(registry) == 1


def test_different_limits_for_one_token_are_refused(registry: LimiterRegistry) -> None:
    users = User(), User()
    registry.get(ROOT, "secret-token", QUICK, users[0])
    with pytest.raises(ConfigurationError, match="same rate_limit") as caught:
        registry.get(ROOT, "secret-token", RateLimit(), users[1])
    assert "secret-token" not in str(caught.value)


async def test_new_settings_keep_the_permits_that_are_out(registry: LimiterRegistry) -> None:
    user, other = User(), User()
    slow = RateLimit(limit=3, per=5.0)
    limiter = registry.get(ROOT, "a", slow, user)
    for _ in range(2):
        permit = await limiter.acquire()
        permit.sending()
        permit.answered()
    registry.release(ROOT, "a", user)
    again = registry.get(ROOT, "a", RateLimit(limit=2, per=1.0), other)
    assert again is limiter
    assert (again.snapshot().limit, again.snapshot().in_use) == (2, 2)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(again.acquire(), 0.05)


def test_the_registry_holds_no_token(registry: LimiterRegistry) -> None:
    user = User()
    registry.get(ROOT, "secret-token", QUICK, user)
    assert "secret-token" not in repr(vars(registry))
