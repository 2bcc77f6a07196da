"""A Redis server of their own for these tests, on a free port."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from marketingblocks_async.redis.private_server import PrivateRedis, RedisServerMissingError


@pytest.fixture
async def server() -> AsyncIterator[PrivateRedis]:
    private = PrivateRedis()
    try:
        await private.__aenter__()
    except RedisServerMissingError as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    try:
        yield private
    finally:
        await private.__aexit__(None, None, None)
