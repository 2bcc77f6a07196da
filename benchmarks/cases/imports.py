"""Import time, against the four libraries that the client is made of."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from types import MappingProxyType

from benchmarks.contestants import OURS
from benchmarks.plan import Plan
from benchmarks.records import Record

LIBRARIES = "libraries"
# The first model makes pydantic load the rest of itself, which anybody who uses it pays for.
_CODE = MappingProxyType(
    {
        LIBRARIES: "import aiohttp, aiolimiter, tenacity, pydantic\nclass Model(pydantic.BaseModel):\n    field: int\n",
        # The name, since the package loads its parts when they are asked for.
        OURS: "from marketingblocks_async import MarketingBlocks",
    }
)
TITLES = {LIBRARIES: "the four libraries and one model", OURS: "from marketingblocks_async import MarketingBlocks"}


async def imports(plan: Plan) -> AsyncIterator[Record]:
    """Seconds from the start of a Python process to its end."""
    for round_number in range(plan.rounds_of(quick=3, full=15)):
        baseline: float | None = None
        for name, code in _CODE.items():
            began = time.perf_counter()
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
            await process.wait()
            seconds = time.perf_counter() - began
            baseline = baseline or seconds
            figures = {"seconds": seconds, "seconds_to_libraries": seconds / baseline}
            yield Record("imports", name, {}, round_number, figures)
