"""One of several processes that use one token as fast as they may; run as ``python -m benchmarks.sender``.

Prints a line ``ready`` when its client is open, and at the end one JSON object: how many calls succeeded in which
second of the monotonic clock, the errors by kind, and the limiter's counts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import asdict

from marketingblocks_async import MarketingBlocks, MarketingBlocksError
from marketingblocks_async.redis import RedisRateLimit


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--redis", required=True)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--waiting", type=int, default=100)
    parser.add_argument("--share", type=int)
    parser.add_argument("--on-failure")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--guard", type=float, default=0.25)
    return parser.parse_args()


async def main(options: argparse.Namespace) -> None:
    """Send until the time is over."""
    limit = RedisRateLimit(
        options.redis, limit=options.limit, share=options.share, on_failure=options.on_failure, guard=options.guard
    )
    answered: Counter[float] = Counter()
    errors: Counter[str] = Counter()
    async with MarketingBlocks(options.token, base_url=options.base_url, rate_limit=limit) as client:
        print("ready", flush=True)
        ends = time.monotonic() + options.seconds

        async def send() -> None:
            while time.monotonic() < ends:
                try:
                    await client.posts.upcoming(limit=1)
                except MarketingBlocksError as error:
                    errors[type(error).__name__] += 1
                    # A failure is immediate; without a pause this would spin.
                    await asyncio.sleep(0.05)
                else:
                    answered[round(time.monotonic(), 1)] += 1

        senders = [asyncio.create_task(send()) for _ in range(options.waiting)]
        _, late = await asyncio.wait(senders, timeout=max(0.0, ends - time.monotonic()) + 0.5)
        snapshot = asdict(client.rate_limiter.snapshot())
        for task in late:
            task.cancel()
        await asyncio.gather(*senders, return_exceptions=True)
    json.dump({"answered": answered, "errors": errors, "snapshot": snapshot}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main(arguments()))
