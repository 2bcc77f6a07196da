"""A Redis server for a test, or the reason why there is none."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from marketingblocks_async.testing.redis_server import PrivateRedis, RedisServerMissingError


@asynccontextmanager
async def private_redis(*, durable: bool = False) -> AsyncGenerator[PrivateRedis]:
    """Start a server on a free port; without the program the test is skipped, and fails in CI.

    Args:
        durable: as for ``PrivateRedis``.

    """
    server = PrivateRedis(durable=durable)
    try:
        await server.__aenter__()
    except RedisServerMissingError as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    try:
        yield server
    finally:
        await server.__aexit__(None, None, None)
