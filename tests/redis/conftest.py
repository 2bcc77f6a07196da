"""A Redis server of their own for these tests, on a free port."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from marketingblocks_async.testing.redis_server import PrivateRedis
from tests.support.redis_server import private_redis


@pytest.fixture
async def server() -> AsyncIterator[PrivateRedis]:
    async with private_redis() as started:
        yield started
