"""taskiq over Redis Streams: a delivery survives its worker, also the last one in the queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from taskiq.message import BrokerMessage
from taskiq_redis import RedisStreamBroker

from marketingblocks_async.distributed.broker import row_broker
from marketingblocks_async.testing.redis_server import PrivateRedis


@asynccontextmanager
async def started(server: PrivateRedis) -> AsyncGenerator[RedisStreamBroker]:
    broker = row_broker(server.url, "spring", redeliver_after=0.05)
    await broker.startup()
    try:
        yield broker
    finally:
        await broker.shutdown()


def message(text: str) -> BrokerMessage:
    return BrokerMessage(task_id=text, task_name="x", message=text.encode(), labels={})


async def test_what_a_dead_worker_had_is_delivered_again_when_nothing_else_comes(server: PrivateRedis) -> None:
    async with started(server) as dead, started(server) as alive:
        await dead.kick(message("a"))
        await dead.kick(message("b"))
        taken = dead.listen()
        first = await anext(taken)
        assert first.data == b"a"
        await taken.aclose()
        async with asyncio.timeout(10):
            again = alive.listen()
            found: set[bytes] = set()
            while len(found) < 2:
                delivery = await anext(again)
                found.add(delivery.data)
                acknowledgement = delivery.ack()
                assert acknowledgement is not None
                await acknowledgement
            await again.aclose()
        assert found == {b"a", b"b"}
        assert (await server.command("XPENDING", alive.queue_name, "workers"))["pending"] == 0


async def test_what_was_there_before_the_first_worker_is_delivered(server: PrivateRedis) -> None:
    async with started(server) as broker:
        await broker.kick(message("early"))
    async with started(server) as later:
        deliveries = later.listen()
        assert (await anext(deliveries)).data == b"early"
        await deliveries.aclose()


async def test_a_cancellation_ends_the_listening_in_whatever_turn_it_comes(server: PrivateRedis) -> None:
    """Else a worker that is told to stop would go on."""
    async with started(server) as broker:
        for turns in range(1, 60):
            deliveries = broker.listen()
            listening = asyncio.ensure_future(anext(deliveries))
            for _ in range(turns):
                await asyncio.sleep(0)
            listening.cancel()
            # Longer than a read waits for deliveries.
            await asyncio.wait([listening], timeout=5)
            assert listening.cancelled(), turns
