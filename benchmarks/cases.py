"""The measurements."""

from __future__ import annotations

import asyncio
import gc
import platform
import statistics
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from importlib.metadata import version

import aiohttp
from aiolimiter import AsyncLimiter
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from marketingblocks_async import CreatedPost, MarketingBlocks, RateLimit
from marketingblocks_async.limiter import RateLimiter

from .measure import POST, Sample, rate_of, running_server, spread, with_workers, worst_window

LIBRARIES = "import aiohttp, aiolimiter, tenacity, pydantic\nclass Model(pydantic.BaseModel):\n    field: int\n"


def machine() -> str:
    """Return what the figures were measured with."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "aiolimiter", "pydantic", "tenacity"))
    return f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}, {libraries}"


async def throughput(*, quick: bool) -> None:
    """Limit lifted, 50 workers, one connection pool, server in its own process: against raw aiohttp."""
    rounds, calls = (3, 2000) if quick else (9, 5000)
    body = POST.wire_json()
    headers = {"Authorization": "Bearer token", "Content-Type": "application/json"}
    samples: dict[str, list[Sample]] = {}
    async with (
        running_server() as server,
        aiohttp.ClientSession() as session,
        MarketingBlocks("token", base_url=server.base_url, rate_limit=RateLimit(limit=None)) as client,
    ):
        url = f"{server.base_url}/social-sparks/create-post"
        limiter = AsyncLimiter(1e9, 1)
        retrying = AsyncRetrying(
            stop=stop_after_attempt(5),
            wait=wait_exponential_jitter(0.5, 30),
            retry=retry_if_exception_type(aiohttp.ClientError),
        )
        keywords = POST.model_dump()

        async def raw() -> None:
            async with session.post(url, data=body, headers=headers) as answer:
                await answer.read()

        async def usual_stack() -> None:
            async for attempt in retrying.copy():
                with attempt:
                    async with limiter, session.post(url, json=POST.wire(), headers=headers) as answer:
                        CreatedPost.model_validate(await answer.json())

        async def ready_made() -> None:
            await client.posts.create(POST)

        async def by_keywords() -> None:
            await client.posts.create(**keywords)

        contestants: dict[str, Callable[[], Awaitable[None]]] = {
            "raw aiohttp, same bytes": raw,
            "aiohttp + aiolimiter + tenacity + pydantic": usual_stack,
            "posts.create(CreatePost)": ready_made,
            "posts.create(keywords)": by_keywords,
        }
        for _ in range(rounds):
            for name, call in contestants.items():
                samples.setdefault(name, []).append(await with_workers(50, calls, call))
    raw_samples = samples["raw aiohttp, same bytes"]
    print(f"{'':44}{'calls per second':>34}{'CPU µs per call':>18}{'rate / raw':>12}")
    for name, found in samples.items():
        ratio = statistics.median(mine.rate / theirs.rate for mine, theirs in zip(found, raw_samples, strict=True))
        cpu = statistics.median(sample.cpu for sample in found)
        print(f"{name:44}{spread(sample.rate for sample in found):>34}{cpu:18.1f}{ratio:12.3f}")


async def limit(*, quick: bool) -> None:
    """Thousands of calls started together over one token: worst second and rate, as the server counted."""
    for calls in (1000,) if quick else (3000, 10_000):
        async with (
            running_server() as server,
            MarketingBlocks("token", base_url=server.base_url) as client,
        ):
            await asyncio.gather(*(client.posts.create(POST) for _ in range(calls)))
            instants = (await server.arrivals())["token"]
        print(f"{calls:6} calls: worst second {worst_window(instants)}, {rate_of(instants):.2f} per second")


async def tokens(*, quick: bool) -> None:
    """Many tokens in one process, each at its limit."""
    for count in (20,) if quick else (1, 10, 20, 30, 40, 50):
        calls = 500 if quick else 1000
        async with running_server() as server, MarketingBlocks("token-0", base_url=server.base_url) as client:
            clients = [client.with_token(f"token-{number}") for number in range(count)]
            cpu = time.process_time()
            await asyncio.gather(*(each.posts.create(POST) for each in clients for _ in range(calls)))
            cpu = (time.process_time() - cpu) / (count * calls) * 1e6
            arrivals = await server.arrivals()
        everything = [instant for instants in arrivals.values() for instant in instants]
        rates = [rate_of(instants) for instants in arrivals.values()]
        worst = max(worst_window(instants) for instants in arrivals.values())
        print(
            f"{count:3} tokens: {rate_of(everything):8.1f} per second together, slowest token {min(rates):6.2f}, "
            f"worst second of a token {worst}, {cpu:.0f} µs CPU per call"
        )


async def waiting(*, quick: bool) -> None:
    """A long queue: time to the first grant, cost of a grant, cancelling all, memory per waiting call."""
    for callers in (1000, 10_000) if quick else (100, 1000, 10_000, 50_000):
        limiter = RateLimiter(RateLimit())
        granted: list[float] = []

        async def call(limiter: RateLimiter = limiter, granted: list[float] = granted) -> None:
            permit = await limiter.acquire()
            granted.append(time.perf_counter())
            permit.answered()

        gc.collect()
        tracemalloc.start()
        began = time.perf_counter()
        tasks = [asyncio.create_task(call()) for _ in range(callers)]
        await asyncio.sleep(0)
        memory = tracemalloc.get_traced_memory()[0] / callers
        tracemalloc.stop()
        cpu, before = time.process_time(), len(granted)
        await asyncio.sleep(2 if quick else 5)
        grants = len(granted) - before
        cpu = (time.process_time() - cpu) / max(grants, 1) * 1e6
        cancelling = time.perf_counter()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        cancelling = time.perf_counter() - cancelling
        left = limiter.snapshot().queued
        print(
            f"{callers:6} waiting: first grant after {granted[0] - began:.3f} s, {cpu:.0f} µs CPU per grant, "
            f"{memory:,.0f} bytes a call (its task included), all cancelled in {cancelling:.3f} s, {left} left"
        )


async def imports(*, quick: bool) -> None:
    """Import time against importing the four libraries with one pydantic model."""
    rounds = 5 if quick else 15
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        for code, times in ((LIBRARIES, theirs), ("from marketingblocks_async import MarketingBlocks", ours)):
            began = time.perf_counter()
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
            await process.wait()
            times.append(time.perf_counter() - began)
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
    print(
        f"the four libraries and a model {spread(theirs)} s, marketingblocks_async {spread(ours)} s, ratio {ratio:.3f}"
    )


CASES = {
    "imports": imports,
    "throughput": throughput,
    "waiting": waiting,
    "limit": limit,
    "tokens": tokens,
}
