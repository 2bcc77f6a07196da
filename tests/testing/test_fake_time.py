"""Fake time: hours take milliseconds, in the right order, and nothing of it is left behind."""

from __future__ import annotations

import asyncio
import time

import pytest

from marketingblocks_async import (
    CreatePost,
    MarketingBlocks,
    MarketingBlocksError,
    NotSentError,
    OutcomeUnknownError,
    RateLimit,
)
from marketingblocks_async.sandbox import Sandbox
from marketingblocks_async.testing import FakeTime, FakeTimeError, assert_published


def post(number: int) -> CreatePost:
    return CreatePost(
        channel_type="twitter",
        channel_id=7,
        post_type="tweet",
        caption_text=f"Tip no. {number}",
        media_urls=[],
        publish_mode="now",
    )


async def test_sleep_takes_no_time(fake_time: FakeTime) -> None:
    began = time.perf_counter()
    woken: list[str] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append(name)

    await asyncio.gather(sleeper("late", 86_400), sleeper("early", 60))
    assert woken == ["early", "late"]
    assert fake_time.elapsed == pytest.approx(86_400, abs=1)
    assert time.perf_counter() - began < 10


# The policy that checks the spacing of requests as well: on a real clock a slow machine would spoil it.
@pytest.mark.marketingblocks_sandbox(policy="gcra")
async def test_a_run_of_posts_keeps_the_limit_without_the_waiting(
    marketingblocks_client: MarketingBlocks, marketingblocks_sandbox: Sandbox, fake_time: FakeTime
) -> None:
    posts = [post(number) for number in range(500)]
    outcomes = [outcome async for outcome in marketingblocks_client.posts.create_many(posts)]
    assert all(outcome.ok for outcome in outcomes)
    assert_published(marketingblocks_sandbox, *posts)
    assert marketingblocks_sandbox.ledger.worst_window() <= 100
    assert marketingblocks_sandbox.ledger.too_many_requests() == 0
    assert 4.5 < fake_time.elapsed < 6.5


async def test_the_sandbox_counts_in_fake_time_as_well(fake_time: FakeTime) -> None:
    async with (
        Sandbox(retry_after="seconds") as sandbox,
        MarketingBlocks(sandbox.token, base_url=sandbox.base_url, rate_limit=RateLimit(limit=None)) as client,
    ):
        await asyncio.gather(*(client.posts.upcoming() for _ in range(150)))
        assert sandbox.ledger.too_many_requests() > 0
        assert fake_time.elapsed > 1


@pytest.mark.marketingblocks_sandbox(faults=["slow_answer:delay=3000,times=1"])
@pytest.mark.marketingblocks_client(timeout=600.0)
async def test_timeouts_come_when_they_are_due(marketingblocks_client: MarketingBlocks, fake_time: FakeTime) -> None:
    with pytest.raises(OutcomeUnknownError):
        await marketingblocks_client.posts.create(post(1))
    assert fake_time.elapsed == pytest.approx(600, abs=2)


@pytest.mark.marketingblocks_sandbox(faults=["too_many_requests:retry_after=50,times=1"])
async def test_pauses_end_when_they_are_due(
    marketingblocks_client: MarketingBlocks, marketingblocks_sandbox: Sandbox, fake_time: FakeTime
) -> None:
    patient = asyncio.create_task(marketingblocks_client.posts.create(post(1)))
    await asyncio.sleep(1)
    with pytest.raises(NotSentError):
        await marketingblocks_client.with_options(deadline=20.0).posts.create(post(2))
    await patient
    assert fake_time.elapsed == pytest.approx(51.5, abs=2)
    assert_published(marketingblocks_sandbox, post(1))


async def test_posts_live_in_fake_time(marketingblocks_client: MarketingBlocks, fake_time: FakeTime) -> None:
    created = await marketingblocks_client.posts.create(post(1))
    assert created.post_id is not None
    await asyncio.sleep(10)
    found = await marketingblocks_client.posts.get(created.post_id)
    assert found.STATUS == "published"
    assert fake_time.elapsed > 10


async def test_threads_are_waited_for(fake_time: FakeTime) -> None:
    async with asyncio.timeout(30):
        # Real time, while fake time stands still.
        await asyncio.to_thread(time.sleep, 0.05)
    assert fake_time.elapsed < 1


async def test_who_polls_gets_on(fake_time: FakeTime) -> None:
    end = time.monotonic() + 0.01
    while time.monotonic() < end:  # noqa: ASYNC110 - what is tested here
        await asyncio.sleep(0)
    assert fake_time.elapsed >= 0.01


async def test_everything_is_as_it_was_afterwards() -> None:
    loop = asyncio.get_running_loop()
    real = time.monotonic
    with FakeTime() as fake:
        assert time.monotonic() == loop.time() == fake.monotonic()
        await asyncio.sleep(1000)
        with pytest.raises(FakeTimeError, match="on already"), FakeTime():
            pass
    assert time.monotonic is real
    assert loop.time() == pytest.approx(real(), abs=1)
    assert vars(loop).keys().isdisjoint({"time", "run_in_executor"})
    # Who took the clock along sees it go on, from where it was.
    before = fake.monotonic()
    assert before - real() == pytest.approx(1000, abs=1)
    await asyncio.sleep(0.002)
    assert 0 < fake.monotonic() - before < 100


async def test_an_event_loop_that_keeps_its_own_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        """Has no selector, as uvloop has none."""

    monkeypatch.setattr(asyncio, "get_running_loop", Other)
    with pytest.raises(FakeTimeError, match="needs an event loop of asyncio"), FakeTime():
        pass


def test_without_an_event_loop_it_says_where_to_use_it() -> None:
    with pytest.raises(FakeTimeError, match="inside of an async function"), FakeTime():
        pass


async def test_time_does_not_go_back(fake_time: FakeTime) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        fake_time.advance(-1)


def test_its_error_is_one_of_the_package_and_of_python() -> None:
    assert issubclass(FakeTimeError, MarketingBlocksError)
    assert issubclass(FakeTimeError, RuntimeError)
