"""Where the processor time of a call goes, layer by layer, all of them measured in every round.

What pydantic does is measured alone. The permit is the difference between calls with the limit kept, but never reached,
and calls with the limit lifted. The rest is what is left of the latter.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import aiohttp

from benchmarks.cases.throughput import Call, raw_call, timed
from benchmarks.contestants import Target
from benchmarks.plan import Plan
from benchmarks.records import Record
from benchmarks.servers import counting_server
from benchmarks.work import post
from marketingblocks_async import CreatedPost, CreatePost, MarketingBlocks, RateLimit

ANSWER = b'{"status":true,"post_id":1}'
# A limit that is never reached. The window is short, so that no more permits are out than with the real limit.
_ROOMY = RateLimit(limit=10**6, per=0.01, burst=10**6)

SEND = "send"
BUILD = "build"
SERIALISE = "serialise"
VALIDATE = "validate"
REST = "rest"
PERMIT = "permit"
TOTAL = "total"
TITLES = {
    SEND: "aiohttp alone",
    BUILD: "build and check the request",
    SERIALISE: "serialise it",
    VALIDATE: "read and check the answer",
    REST: "time limit, retries, outcome, observation of the wire",
    PERMIT: "rate limit",
    TOTAL: "posts.create(channel_type=…, …), all of it",
}


def _per_call(repeats: int, action: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(repeats):
        action()
    return (time.process_time() - began) / repeats * 1e6


def _whole_call(client: MarketingBlocks) -> Call:
    keywords = post().model_dump()

    async def call() -> None:
        await client.posts.create(**keywords)

    return call


async def layers(plan: Plan) -> AsyncIterator[Record]:
    """Processor microseconds per call of each layer."""
    calls = plan.pick(smoke=100, quick=1500, full=4000)
    item = post()
    keywords = item.model_dump()
    async with counting_server() as server, AsyncExitStack() as stack:
        target = Target(server.base_url, "token")
        raw = raw_call(await stack.enter_async_context(aiohttp.ClientSession()), target)
        lifted, limited = [
            _whole_call(
                await stack.enter_async_context(MarketingBlocks(token, base_url=target.base_url, rate_limit=rate_limit))
            )
            for token, rate_limit in (("lifted", RateLimit(limit=None)), ("limited", _ROOMY))
        ]
        for call in (raw, lifted, limited):
            await timed(200, call)
        for round_number in range(plan.rounds_of(quick=3, full=15)):
            found = {
                SEND: (await timed(calls, raw))[1],
                BUILD: _per_call(calls, lambda: CreatePost(**keywords)),
                SERIALISE: _per_call(calls, item.wire_json),
                VALIDATE: _per_call(calls, lambda: CreatedPost.model_validate_json(ANSWER)),
            }
            without = (await timed(calls, lifted))[1]
            found[REST] = without - sum(found.values())
            total = (await timed(calls, limited))[1]
            found[PERMIT] = total - without
            found[TOTAL] = total
            for layer, cpu in found.items():
                yield Record("layers", layer, {}, round_number, {"cpu": cpu})
