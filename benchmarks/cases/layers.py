"""Where the processor time of a call goes, layer by layer. Each layer is measured alone, all of them in every round."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import aiohttp

from benchmarks.contestants import Target
from benchmarks.plan import Plan
from benchmarks.records import Record
from benchmarks.servers import counting_server
from benchmarks.work import post
from marketingblocks_async import CreatedPost, CreatePost, MarketingBlocks, RateLimit
from marketingblocks_async.limiter import RateLimiter
from marketingblocks_async.rate_limit import Lane

from .throughput import Call, raw_call, timed

ANSWER = b'{"status":true,"post_id":1}'
# A limit that is kept but never reached, so that permits are taken without waiting for their time.
_ROOMY = RateLimit(limit=10**6, burst=10**6)

SEND, BUILD, SERIALISE, PERMIT, VALIDATE, REST, TOTAL = (
    "send",
    "build",
    "serialise",
    "permit",
    "validate",
    "rest",
    "total",
)
TITLES = {
    SEND: "aiohttp alone",
    BUILD: "build and check the request",
    SERIALISE: "serialise it",
    PERMIT: "take and return a permit",
    VALIDATE: "read and check the answer",
    REST: "the rest: transport, watch, outcome",
    TOTAL: "posts.create(channel_type=…, …)",
}


def _per_call(repeats: int, action: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(repeats):
        action()
    return (time.process_time() - began) / repeats * 1e6


def _permit_call() -> Call:
    limiter = RateLimiter(_ROOMY)

    async def call() -> None:
        permit = await limiter.acquire(Lane.ORDINARY)
        permit.written(fresh_connection=False)
        permit.answered()

    return call


async def layers(plan: Plan) -> AsyncIterator[Record]:
    """Processor microseconds per call of each layer; what is left of the whole call is the rest."""
    calls = plan.pick(smoke=100, quick=1500, full=4000)
    keywords = post().model_dump()
    item = post()
    permit = _permit_call()
    async with counting_server() as server, AsyncExitStack() as stack:
        target = Target(server.base_url, "token")
        session = await stack.enter_async_context(aiohttp.ClientSession())
        client = await stack.enter_async_context(
            MarketingBlocks(target.token, base_url=target.base_url, rate_limit=_ROOMY)
        )
        raw = raw_call(session, target)

        async def whole() -> None:
            await client.posts.create(**keywords)

        for call in (raw, whole, permit):
            await timed(200, call)
        for round_number in range(plan.rounds_of(quick=3, full=15)):
            found = {
                SEND: (await timed(calls, raw))[1],
                BUILD: _per_call(calls, lambda: CreatePost(**keywords)),
                SERIALISE: _per_call(calls, item.wire_json),
                PERMIT: (await timed(calls, permit))[1],
                VALIDATE: _per_call(calls, lambda: CreatedPost.model_validate_json(ANSWER)),
                TOTAL: (await timed(calls, whole))[1],
            }
            found[REST] = 2 * found[TOTAL] - sum(found.values())
            for layer, cpu in found.items():
                yield Record("layers", layer, {}, round_number, {"cpu": cpu})
