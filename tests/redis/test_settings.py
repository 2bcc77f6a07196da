"""The settings of a limit in Redis."""

from __future__ import annotations

from typing import Any

import pytest
import redis.asyncio

from marketingblocks_async import ConfigurationError, RateLimit
from marketingblocks_async.redis import RedisRateLimit


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ({"url": "http://x"}, "redis://"),
        ({"url": "redis://x:port/0"}, "redis://HOST:PORT"),
        ({"limit": None}, "RateLimit"),
        ({"limit": 0}, "whole number"),
        ({"lease": 0.0}, "lease"),
        ({"on_failure": "panic"}, "on_failure"),
        ({"on_failure": "share"}, "share=N"),
        ({"on_failure": "wait", "share": 3}, "share=N"),
        ({"share": 101}, "1 to 100"),
        ({"per": 0}, "window"),
    ],
)
def test_values_out_of_range_are_refused(words: dict[str, Any], what: str) -> None:
    given: dict[str, Any] = {"url": "redis://x"} | words
    with pytest.raises(ConfigurationError, match=what):
        RedisRateLimit(**given)


def test_a_function_that_connects_needs_no_address() -> None:
    assert RedisRateLimit(connect=redis.asyncio.Redis).where == "the address of connect()"
    with pytest.raises(ConfigurationError, match="redis://"):
        RedisRateLimit()


def test_settings_compare_and_show_no_password() -> None:
    setting = RedisRateLimit("redis://user:secret@cache:6380/1")
    assert "secret" not in repr(setting) + setting.where
    assert setting.where == "cache:6380"
    assert setting == RedisRateLimit("redis://user:secret@cache:6380/1")
    assert setting.local == RateLimit()
    assert setting.recovery == 2.75
