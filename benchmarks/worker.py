"""One contestant doing the work, in a process of its own, so that none suffers from the one before.

``python -m benchmarks.worker`` reads an ``Order`` as JSON from standard input and prints a ``Report``.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass

from benchmarks.contestants import Target, load
from benchmarks.work import post
from marketingblocks_async import CreatePost


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker does.

    Attributes:
        contestant: a key of ``CONTESTANTS``.
        base_url: the API root.
        token: the access token.
        calls: how many posts to create, all started together.
        timeout: seconds for one attempt.
        redis: where processes share the limit; empty if they do not.

    """

    contestant: str
    base_url: str
    token: str
    calls: int
    timeout: float = 30.0
    redis: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """How the work went, as the client sees it.

    Attributes:
        wall: seconds from the start to the last end.
        cpu: seconds of this process's processor time.
        waits: seconds from the common start to each create's end, in the order of the posts.
        created: how many creates ended well.
        errors: how often each type of error was raised.

    """

    wall: float
    cpu: float
    waits: list[float]
    created: int
    errors: dict[str, int]


class WorkerError(RuntimeError):
    """A worker ended without a report."""


async def work(order: Order) -> Report:
    """Do the work in this process."""
    posts = [post(number) for number in range(order.calls)]
    ends: dict[str, float] = {}
    errors: Counter[str] = Counter()
    contestant = load(order.contestant)
    async with contestant.opens(Target(order.base_url, order.token, order.timeout, redis=order.redis)) as create:

        async def noted(item: CreatePost) -> None:
            try:
                await create(item)
            except Exception as error:  # noqa: BLE001 - whatever a library raises, the post is not known to exist
                errors[type(error).__name__] += 1
            ends[item.caption_text] = time.perf_counter()

        gc.collect()
        cpu, began = time.process_time(), time.perf_counter()
        await contestant.starts(noted, posts)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    waits = [ends[item.caption_text] - began for item in posts]
    return Report(wall, cpu, waits, order.calls - errors.total(), dict(errors))


async def work_elsewhere(order: Order) -> Report:
    """Do the work in a process of its own.

    Raises:
        WorkerError: it ended without a report.

    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.worker", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate(json.dumps(asdict(order)).encode())
    if process.returncode != 0:
        msg = f"the worker for {order.contestant} ended with status {process.returncode}"
        raise WorkerError(msg)
    return Report(**json.loads(output))


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(work(Order(**json.load(sys.stdin)))))))
