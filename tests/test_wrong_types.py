"""A setting of the wrong type is refused with a ``ConfigurationError``, whatever it is, or works."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import pytest

from marketingblocks_async import ConfigurationError, MarketingBlocks, RateLimit, RetryPolicy, TokenFleet
from marketingblocks_async.redis import RedisRateLimit
from marketingblocks_async.webhooks import WebhookReceiver

WRONG: tuple[object, ...] = (
    object(), "x", "5", b"x", -1, 0, 1.5, 10**400, math.nan, math.inf, 1j, True, None, [1], (), {1}, {"a": 1}, print,
    RateLimit,
)  # fmt: skip

CLIENT = MarketingBlocks("token")
MAKERS: dict[str, tuple[Callable[..., object], dict[str, Any]]] = {
    "MarketingBlocks": (MarketingBlocks, {"token": "token"}),
    "TokenFleet": (TokenFleet, {}),
    "RateLimit": (RateLimit, {}),
    "RetryPolicy": (RetryPolicy, {}),
    "RedisRateLimit": (RedisRateLimit, {"url": "redis://localhost"}),
    "WebhookReceiver": (WebhookReceiver, {"public_url": "https://example.com"}),
    "with_token": (CLIENT.with_token, {"token": "other"}),
}
SETTINGS = [
    *((maker, name) for maker in MAKERS for name in inspect.signature(MAKERS[maker][0]).parameters),
    *(("with_options", name) for name in ("timeout", "deadline", "retry", "lane")),
]


@pytest.mark.parametrize(("maker", "name"), SETTINGS)
def test_it_is_refused(maker: str, name: str) -> None:
    make, settings = MAKERS.get(maker, (CLIENT.with_options, {}))
    messages: list[str] = []
    for value in WRONG:
        try:
            make(**{**settings, name: value})
        except ConfigurationError as error:
            messages.append(str(error))
    assert messages
    assert all(name in message for message in messages)
