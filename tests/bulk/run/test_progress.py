"""The rate of a run and the time that it will take, as its progress tells them."""

from __future__ import annotations

import asyncio

import pytest

from marketingblocks_async.bulk import BulkProgress, Counts, RowState
from marketingblocks_async.bulk.run.progress import ProgressMeter
from tests.support.clients import client_at


def meter_of(rows: int) -> ProgressMeter:
    meter = ProgressMeter(client_at("http://localhost:1"), None)
    meter.counts = Counts(rows, 0, 0, rows, 0)
    meter.begin()
    return meter


async def play(meter: ProgressMeter, seconds: int, states: list[RowState]) -> BulkProgress:
    """Let rows end in these states in each second, and return the progress at the end."""
    for _ in range(seconds):
        meter.snapshot()
        for state in states:
            meter.count(state)
        await asyncio.sleep(1.0)
    return meter.snapshot()


@pytest.mark.usefixtures("fake_time")
async def test_all_rows_that_end_make_the_rate_and_the_estimate() -> None:
    progress = await play(meter_of(100), 10, [RowState.DONE, RowState.FAILED, RowState.UNKNOWN, RowState.PENDING])
    assert progress.counts == Counts(100, 10, 10, 70, 10)
    assert progress.rate == pytest.approx(3.0, rel=0.01)
    assert progress.eta == pytest.approx(70 / 3, rel=0.01)
    assert progress.seconds == pytest.approx(10.0, rel=0.01)


@pytest.mark.usefixtures("fake_time")
async def test_only_the_last_seconds_make_the_rate() -> None:
    meter = meter_of(1000)
    await play(meter, 20, [RowState.DONE] * 10)
    assert (await play(meter, 20, [RowState.DONE])).rate == pytest.approx(1.0, rel=0.01)
    progress = await play(meter, 20, [])
    assert (progress.rate, progress.eta) == (0.0, None)
