"""The load of one Redis, on a real one: the limit of each token holds over its processes, and all figures are there."""

from __future__ import annotations

import pytest

from benchmarks import one_redis
from tests.support.redis_server import private_redis


@pytest.mark.slow
async def test_processes_share_each_token_evenly() -> None:
    async with private_redis():
        # Without the program the test ends here; the measurement starts a server of its own.
        pass
    figures = await one_redis.measure(
        tokens=3, processes=4, real=2, limit=40, lease=0.75, waiting=3, seconds=2, warm_up=1
    )
    assert figures.worst_second <= 40
    assert 0 < figures.least_use <= figures.use <= 1
    assert 0 < figures.least_evenness <= figures.evenness <= 1
    assert 0 < figures.slowest <= 1
    # Each of the processes exchanges for each token several times a second.
    assert figures.exchanges > 3 * 4
    assert figures.per_request == pytest.approx(figures.exchanges / (figures.use * 3 * 40))
    assert figures.exchange > 0
    assert figures.redis_cpu > 0
    assert figures.client_cpu > 0
