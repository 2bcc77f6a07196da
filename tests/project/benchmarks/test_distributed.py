"""The benchmark of a run by many workers."""

from __future__ import annotations

import shutil

from benchmarks.distributed import play
from tests.support.tools import need


async def test_a_small_run_is_measured() -> None:
    need("redis-server", present=shutil.which("redis-server") is not None)
    outcome = await play(workers=1, rows=40)
    assert outcome.duplicates == 0
    # An intent and an outcome for each row, and little else.
    assert 2 <= outcome.journal_commands < 3
    assert outcome.queue_commands >= 2
    assert outcome.rate > 0
