"""A Redis server that keeps its data on the disk, on a free port, for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from marketingblocks_async.bulk import Row, make_plan
from marketingblocks_async.distributed import SharedJournal
from marketingblocks_async.testing.redis_server import PrivateRedis
from tests.support.redis_server import private_redis


@pytest.fixture
async def server() -> AsyncIterator[PrivateRedis]:
    async with private_redis(durable=True) as started:
        yield started


@pytest.fixture
async def journal(server: PrivateRedis) -> AsyncIterator[SharedJournal]:
    async with SharedJournal(server.url, "spring") as opened:
        await opened.create(rows(5))
        yield opened


def rows(number: int) -> list[Row]:
    found: list[Row] = []
    posts = (
        {
            "key": f"key-{index}",
            "channel_type": "facebook",
            "channel_id": 1,
            "post_type": "post",
            "caption_text": f"Tip no. {index}",
            "publish_mode": "queued",
        }
        for index in range(1, number + 1)
    )
    make_plan(posts, on_row=found.append)
    return found
