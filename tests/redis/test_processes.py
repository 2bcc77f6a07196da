"""Several processes, one token, a real Redis and a real server: never above the limit, whatever happens.

The guard is wider than the default, since a machine that runs tests may hold the counting server up for 50 ms.
"""

from __future__ import annotations

import pytest

from benchmarks.shared_limit import Outcome, play
from marketingblocks_async.testing.redis_server import PrivateRedis

GUARD = ("--guard", "0.5")

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _needs_redis(server: PrivateRedis) -> None:
    """Skip or fail without the binary; the senders get a server of their own."""


def judge(outcome: Outcome, *, processes: int) -> None:
    assert outcome.worst_second <= 100
    assert outcome.refused == 0
    assert len(outcome.answered) == processes
    assert min(outcome.answered) > 0
    assert all(not result["errors"] for result in outcome.results)


async def test_the_permits_of_a_killed_process_come_back() -> None:
    outcome = await play(processes=4, seconds=6.5, event="kill", at=2.0, options=GUARD)
    judge(outcome, processes=3)
    # Counts, not times: a third each, so that nothing stays with the dead one. Who ends last has the others' part, too.
    assert outcome.evenness > 0.9
    assert min(result["snapshot"]["share"] for result in outcome.results) >= 33


@pytest.mark.parametrize(
    ("event", "lasting", "seconds"), [("flush and sleep", 1.5, 5.0), ("restart", 1.9, 8.0), ("stop", 3.2, 6.0)]
)
async def test_the_limit_holds_through(event: str, lasting: float, seconds: float) -> None:
    outcome = await play(processes=2, seconds=seconds, event=event, at=1.5, lasting=lasting, options=GUARD)
    judge(outcome, processes=2)
    assert outcome.arrivals[-1] > outcome.back_at


async def test_shares_go_on_without_redis() -> None:
    outcome = await play(
        processes=2, seconds=7.5, event="restart", at=1.5, lasting=4.5, options=("--share", "3", *GUARD)
    )
    judge(outcome, processes=2)
    assert any(outcome.event_at + 3.5 < t < outcome.back_at for t in outcome.arrivals)
