"""Safety under faults: how often one create is carried out when the answers get lost.

Only the contestants that make attempts of their own are asked; the others hand the failure to their caller, who then
has to decide the same question.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import MappingProxyType

from benchmarks.arithmetic import copies
from benchmarks.contestants import CONTESTANTS, load, missing
from benchmarks.plan import Plan
from benchmarks.records import Record
from benchmarks.worker import Order, work_elsewhere
from marketingblocks_async.sandbox import Fault, PolicyName, SandboxProcess

FAULTS = MappingProxyType(
    {
        "dropped": "commit_then_drop",
        "answered 500": "commit_then_500",
        "timed out": "commit_then_stall",
    }
)
"""How an answer gets lost after the post was created: what tables call it, and the sandbox's name for it."""

TIMEOUT = 2.0
"""Seconds for one attempt where the answer never comes; elsewhere nothing is meant to time out."""

_CREATES = 50
_LOST_ANSWERS = 10
_AT_ONCE = 2


async def faults(plan: Plan) -> AsyncIterator[Record]:
    """One create while every answer is lost, and fifty of which the first ten lose their answers."""
    names = plan.contestants or tuple(name for name in CONTESTANTS if not missing(name) and load(name).retries)
    places = asyncio.Semaphore(_AT_ONCE)

    async def in_turn(name: str, words: str) -> Record:
        async with places:
            return await one_run(name, words)

    # Two at once, since times do not matter here and most of it is waiting.
    for record in await asyncio.gather(*(in_turn(name, words) for words in FAULTS for name in names)):
        yield record


async def one_run(name: str, words: str) -> Record:
    """Meet one contestant with one kind of fault.

    Args:
        name: the contestant.
        words: a key of ``FAULTS``.

    """
    kind = FAULTS[words]
    timeout = TIMEOUT if kind == "commit_then_stall" else 30.0
    every = await _posts_created(name, Fault(kind), 1, timeout)
    some = await _posts_created(name, Fault(kind, times=_LOST_ANSWERS), _CREATES, timeout)
    figures = {"copies_of_one": copies(every)[0], "duplicates": copies(some)[1]}
    return Record("faults", name, {"fault": words}, 0, figures)


async def _posts_created(name: str, fault: Fault, calls: int, timeout: float) -> list[str]:  # noqa: ASYNC109 - each attempt's, for the contestant to keep
    """Return the captions of all posts at the server."""
    async with SandboxProcess(policy=PolicyName.NONE, faults=[fault]) as sandbox:
        await work_elsewhere(Order(name, sandbox.base_url, sandbox.token, calls, timeout))
        return [str(post["request"]["caption_text"]) for post in await sandbox.posts()]
