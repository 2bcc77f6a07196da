"""A worker: takes rows from the queue and sends them. Run as many as you like, on any machines, at any time.

Environment: ``REDIS_URL``, ``RUN`` (name of the run), ``MARKETINGBLOCKS_API_TOKEN``, ``MARKETINGBLOCKS_BASE_URL``,
``ON_OUTAGE`` (``fail`` lets rows fail that the API refuses, such as those of a channel that is gone).
"""

from __future__ import annotations

import asyncio
import os
import signal

from taskiq.api import run_receiver_task

from marketingblocks_async import MarketingBlocks
from marketingblocks_async.distributed import RowSender, SharedJournal
from marketingblocks_async.distributed.broker import TASK, row_broker
from marketingblocks_async.redis import RedisRateLimit

TIMEOUT = float(os.environ.get("TIMEOUT", "30"))


async def main() -> None:
    """Work until told to stop."""
    url, run = os.environ["REDIS_URL"], os.environ["RUN"]
    broker = row_broker(url, run, redeliver_after=2 * TIMEOUT)
    async with (
        # All workers together keep the limit of the token. The guard is wide, since in the demo one machine does it
        # all, and may hold up the counting server.
        MarketingBlocks(rate_limit=RedisRateLimit(url, guard=0.4), timeout=TIMEOUT) as client,
        SharedJournal(url, run) as journal,
    ):
        sender = RowSender(client, journal, on_outage=os.environ.get("ON_OUTAGE", "stop"))

        @broker.task(task_name=TASK)
        async def send_row(number: int) -> None:
            await sender.send(number)

        await broker.startup()
        receiving = asyncio.create_task(run_receiver_task(broker, max_async_tasks=50))
        # What is in flight when it stops is looked for later, as after a crash.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, receiving.cancel)
        print("ready", flush=True)
        try:
            await receiving
        except asyncio.CancelledError:
            print("stopped", flush=True)
        finally:
            await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
