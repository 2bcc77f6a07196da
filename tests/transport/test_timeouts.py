"""What timeouts and deadlines do after the process stood still, and after a pause."""

from __future__ import annotations

import asyncio
import math
import time
from unittest.mock import Mock

import pytest

from marketingblocks_async.transport.attempt import Attempt
from marketingblocks_async.transport.timeouts import AttemptTimer
from tests.support.clients import client_at, post
from tests.support.raw_server import RawRequest, RawServer, answer

pytestmark = pytest.mark.usefixtures("own_limiters")


@pytest.mark.parametrize("setting", ["timeout", "deadline"])
@pytest.mark.parametrize("later", [0, 1])
async def test_a_response_that_came_while_the_process_stood_still_is_read(setting: str, later: int) -> None:
    async def respond(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        time.sleep(0.3)  # noqa: ASYNC251 - it stands still
        # With one more turn, the loop calls the timer before it sees that there is something to read.
        for _ in range(later):
            await asyncio.sleep(0)
        writer.write(answer())
        return True

    async with RawServer(respond) as raw, client_at(raw.base_url, **{setting: 0.1}) as client:
        assert (await client.posts.create(post())).post_id == 1


async def test_an_attempt_that_was_not_sent_in_its_time_is_not_sent_after_it() -> None:
    timer = AttemptTimer(asyncio.get_running_loop(), 0.01, {})
    attempt = Attempt(None, None)

    async def connect_and_send() -> None:
        attempt.begin()
        timer.begin(attempt)
        time.sleep(0.02)  # noqa: ASYNC251 - the process stands still
        for _ in range(2):
            await asyncio.sleep(0)
        attempt.sending()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(connect_and_send())
    assert not attempt.sent
    assert attempt.timed_out


@pytest.mark.usefixtures("fake_time")
@pytest.mark.parametrize(
    ("pauses", "least", "most"),
    [
        ([], 1.0, 1.0),
        ([(0.2, 0.5)], 1.5, 1.5),
        ([(0.2, 0.5), (0.7, 3.0)], 4.5, 4.5),
        ([(0.5, 100.0)], 101.0, 101.0),
        # It has only little left when a pause begins, and then gets a little more.
        ([(0.9, 100.0)], 101.0, 101.25),
    ],
)
async def test_the_time_of_an_attempt_does_not_count_what_holds_it_back(
    pauses: list[tuple[float, float]], least: float, most: float
) -> None:
    loop = asyncio.get_running_loop()
    timer = AttemptTimer(loop, 1.0, {})

    async def be_busy(pauses: list[tuple[float, float]]) -> float:
        attempt = Attempt(None, None)
        attempt.begin()
        timer.begin(attempt)
        try:
            for busy, pause in pauses:
                await asyncio.sleep(busy)
                await attempt.hold_back(asyncio.sleep(pause))
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            assert attempt.timed_out
        return loop.time() - began

    began = loop.time()
    paused, other = await asyncio.gather(be_busy(pauses), be_busy([]))
    assert least - 0.001 <= paused <= most + 0.001
    assert other == pytest.approx(1.0, abs=0.001)


@pytest.mark.parametrize(("seconds", "timers"), [(30.0, 1), (math.inf, 0)])
def test_one_timer_serves_all_attempts_with_the_same_timeout(seconds: float, timers: int) -> None:
    loop = Mock(asyncio.AbstractEventLoop)
    loop.time.return_value = 0.0
    timer = AttemptTimer(loop, seconds, {})
    for _ in range(3):
        timer.begin(Attempt(None, None))
    assert loop.call_later.call_count == timers
