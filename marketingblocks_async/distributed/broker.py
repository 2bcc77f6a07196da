"""The queue: taskiq over Redis Streams, with deliveries that survive their worker.

taskiq-redis acknowledges a delivery after the work and claims the deliveries of dead workers, but only right after it
received something new. If a worker dies when the queue is empty, its last deliveries would wait for ever. And the lock
around the claiming, which is not needed since Redis claims no delivery twice, stays behind if its holder is killed. So
the receiving loop is written here; the rest is taskiq's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

try:
    from redis.asyncio import Redis
    from taskiq import AckableMessage
    from taskiq.message import BrokerMessage
    from taskiq_redis import RedisStreamBroker
except ModuleNotFoundError as _exc:
    _MISSING = (
        "marketingblocks_async.distributed.broker needs taskiq and taskiq-redis: "
        "pip install 'marketingblocks-async[distributed]'"
    )
    raise ModuleNotFoundError(_MISSING, name=_exc.name) from _exc

from .journal import LONGEST_COMMAND

TASK = "marketingblocks:send-row"
"""Name of the task; its one argument is the row's number."""


def row_broker(
    url: str, run: str, *, redeliver_after: float = 60.0, prefix: str = "marketingblocks"
) -> RedisStreamBroker:
    """Return a broker for the rows of one run.

    Args:
        url: the Redis.
        run: name of the run.
        redeliver_after: seconds after which a delivery that was not acknowledged goes to another worker. If the first
            worker still has it only time is lost: the journal lets only one of them send it.
        prefix: start of the stream's name.

    """
    return _RowBroker(
        url,
        queue_name=f"{prefix}:queue:{run}",
        consumer_group_name="workers",
        # From the beginning: rows may be queued before the first worker starts.
        consumer_id="0",
        xread_count=10,
        xread_block=500,
        idle_timeout=round(redeliver_after * 1000),
        # Without redis-py's own timeout of a write, in which Python 3.11 may lose a cancellation: a worker that is told
        # to stop would go on.
        socket_timeout=None,
    )


class _RowBroker(RedisStreamBroker):
    """Also receives deliveries that were not acknowledged in time, whether a new one comes or not."""

    async def startup(self) -> None:
        """Make the stream and its group, unless they are there."""
        async with asyncio.timeout(LONGEST_COMMAND):
            await super().startup()

    async def kick(self, message: BrokerMessage) -> None:
        """Queue a delivery."""
        async with asyncio.timeout(LONGEST_COMMAND):
            await super().kick(message)

    async def listen(self) -> AsyncGenerator[AckableMessage, None]:
        """Yield deliveries."""
        # redis-py leaves types open.
        async with Redis(connection_pool=self.connection_pool) as opened:
            connection: Any = opened
            while True:
                async with asyncio.timeout(LONGEST_COMMAND):
                    _, stale, *_ = await connection.xautoclaim(
                        self.queue_name,
                        self.consumer_group_name,
                        self.consumer_name,
                        min_idle_time=self.idle_timeout,
                        count=self.count,
                    )
                async with asyncio.timeout(LONGEST_COMMAND):
                    fetched = await connection.xreadgroup(
                        self.consumer_group_name,
                        self.consumer_name,
                        {self.queue_name: ">"},
                        # Stale deliveries are waiting already, so it does not wait for new ones.
                        block=None if stale else self.block,
                        count=self.count,
                    )
                fresh = [message for _, messages in fetched or () for message in messages]
                for name, message in [*stale, *fresh]:
                    if message:  # else it was deleted from the stream
                        yield AckableMessage(data=message[b"data"], ack=self._acknowledgement(name))

    def _acknowledgement(self, name: bytes) -> Callable[[], Awaitable[None]]:
        async def acknowledge() -> None:
            async with asyncio.timeout(LONGEST_COMMAND), Redis(connection_pool=self.connection_pool) as opened:
                connection: Any = opened
                await connection.xack(self.queue_name, self.consumer_group_name, name)

        return acknowledge
