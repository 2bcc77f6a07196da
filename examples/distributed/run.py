"""A run: stores the rows of a spreadsheet, gives them to the queue, and sees them through.

``python run.py posts.csv``; without a file it goes on with the run that is there. It may be killed and started again.
Environment: as ``worker.py``.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence

from marketingblocks_async import MarketingBlocks
from marketingblocks_async.bulk import Counts, Row, aread_rows, parse_row
from marketingblocks_async.distributed import DistributedRun, SharedJournal
from marketingblocks_async.distributed.broker import TASK, row_broker
from marketingblocks_async.redis import RedisRateLimit

TIMEOUT = float(os.environ.get("TIMEOUT", "30"))


async def rows_of(path: str) -> AsyncIterator[Row]:
    """Yield the rows of a spreadsheet; all of them must make posts."""
    async with aread_rows(path) as raws:
        async for raw in raws:
            row = parse_row(raw)
            if not isinstance(row, Row):
                sys.exit(f"row {raw.number}: {row[0]}; nothing was sent")
            yield row


def show(counts: Counts) -> None:
    """Print how far it is."""
    print(
        f"  done {counts.done}  failed {counts.failed}  pending {counts.pending}  unknown {counts.unknown}", flush=True
    )


async def main(words: Sequence[str]) -> int:
    """Run; return 0 if every row is done, 1 if rows are pending, 2 if rows failed, 3 if rows are unknown."""
    url, run = os.environ["REDIS_URL"], os.environ["RUN"]
    broker = row_broker(url, run)

    @broker.task(task_name=TASK)
    async def send_row(_number: int) -> None:
        """The workers do it; here is only its name."""

    async def enqueue(numbers: Sequence[int]) -> None:
        for number in numbers:
            await send_row.kiq(number)

    async with (
        MarketingBlocks(rate_limit=RedisRateLimit(url, guard=0.4)) as client,
        SharedJournal(url, run) as journal,
    ):
        await broker.startup()
        try:
            for path in words:
                print(f"  {await journal.create(rows_of(path))} rows from {path}", flush=True)
            result = await DistributedRun(
                client, journal, enqueue, settle_after=2 * TIMEOUT, quiet=TIMEOUT, on_progress=show
            ).run()
        finally:
            await broker.shutdown()
    show(result.counts)
    print(f"  after deaths of workers: {result.found} found at the API, {result.absent} not there and sent again")
    if result.reason is not None:
        print(f"  not complete: {result.reason}", file=sys.stderr)
    if result.counts.unknown:
        print(
            "  unknown rows may have been published; look at the channels before you send them again", file=sys.stderr
        )
        return 3
    return 1 if result.reason is not None else 2 if result.counts.failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
