"""The leased permits of one process, in fake time and without Redis."""

from __future__ import annotations

import asyncio
import math

import pytest

from marketingblocks_async.limits.permits import PooledPermit
from marketingblocks_async.limits.queue import LoopQueue
from marketingblocks_async.limits.release import ANSWERS_FOR_A_BASE, RELEASED_UNSEEN_HOLD
from marketingblocks_async.limits.settings import RateLimit
from marketingblocks_async.redis.pool import LeasedPool
from marketingblocks_async.testing import FakeTime


class Setting:
    """A pool of 10 permits in all, and how often it asked for more."""

    def __init__(self, fake_time: FakeTime) -> None:
        self.fake_time = fake_time
        self.asked = 0
        self.pool = LeasedPool(RateLimit(limit=10), fake_time.monotonic, self.ask)

    def ask(self) -> None:
        self.asked += 1

    def after(self, seconds: float) -> float:
        return self.fake_time.monotonic() + seconds

    def lease(self, held: int, *, target: int = 10, seconds: float = 5.0, comes_back: tuple[float, ...] = ()) -> None:
        self.pool.renew(
            held, target=target, share=float(target), usable_until=self.after(seconds), comes_back=comes_back
        )

    def take(self) -> PooledPermit:
        permit = self.pool.take()
        assert permit is not None
        return permit

    def use(self) -> None:
        """Take one and use it to the end."""
        permit = self.take()
        permit.sending()
        permit.answered()


@pytest.fixture
def setting(fake_time: FakeTime) -> Setting:
    return Setting(fake_time)


def test_a_granted_request_without_a_lease_asks_for_one(setting: Setting) -> None:
    """After an outage, a call that got its permit before it and opened its connection after it waited for ever."""
    setting.lease(5)
    permit = setting.take()
    assert (setting.pool.writable, setting.asked) == (5, 0)
    setting.fake_time.advance(5.0)
    assert (setting.pool.writable, setting.asked) == (0, 1)
    setting.pool.expire()
    setting.pool.offer(0)
    offer = setting.pool.offer(0)
    assert (offer.held, offer.wanted, offer.idle) == (0, 1, False)
    permit.sending()
    assert setting.pool.offer(0).idle


def test_no_grant_without_a_lease(setting: Setting) -> None:
    assert setting.pool.take() is None
    # It would tell Redis that it holds them.
    assert setting.pool.held == 0
    setting.lease(3)
    setting.take().release()
    setting.fake_time.advance(5.0)
    assert setting.pool.take() is None
    assert not setting.pool.writable
    # When there was nothing, and twice when there was no lease; three at hand were enough.
    assert setting.asked == 3


def test_no_more_is_granted_than_is_held(setting: Setting) -> None:
    setting.lease(2)
    permits = [setting.take() for _ in range(2)]
    assert setting.pool.take() is None
    for permit in permits:
        permit.release()
    assert setting.pool.take() is not None


def test_more_are_asked_for_before_they_run_out(setting: Setting) -> None:
    setting.lease(5)
    taken_when_asked = [(setting.take(), setting.asked) for _ in range(5)]
    assert [asked for _, asked in taken_when_asked] == [0, 0, 0, 1, 2]


def test_a_renewed_lease_wakes_the_calls_that_wait(setting: Setting) -> None:
    told: list[float] = []
    setting.pool.listen(told.append)
    setting.lease(3)
    assert told == [-math.inf]


def test_a_leased_permit_waits_for_its_time(setting: Setting) -> None:
    first = setting.after(0.5)
    setting.lease(2, comes_back=(first, setting.after(0.7)))
    assert setting.pool.take() is None
    assert setting.pool.next_release == first
    setting.fake_time.advance(0.6)
    permit = setting.take()
    assert setting.pool.take() is None
    permit.release()


def test_no_grant_after_the_lease_expired(setting: Setting) -> None:
    setting.lease(3)
    permit = setting.take()
    setting.pool.expire()
    assert (setting.pool.held, setting.pool.take(), setting.pool.writable) == (0, None, 0)
    permit.release()


def test_an_idle_process_returns_all_that_has_a_time(setting: Setting) -> None:
    setting.lease(6)
    setting.use()
    in_flight = setting.take()
    in_flight.sending()
    assert setting.pool.offer(0).returned == []
    setting.fake_time.advance(0.25)
    offer = setting.pool.offer(0)
    assert (offer.held, offer.idle) == (1, False)
    assert sorted(offer.returned) == pytest.approx([0.0] * 4 + [0.75])
    in_flight.answered()
    setting.fake_time.advance(0.25)
    offer = setting.pool.offer(0)
    assert (offer.held, offer.idle, offer.wanted) == (0, True, 0)
    assert offer.returned == pytest.approx([0.75])


def test_a_surplus_is_returned_evenly(setting: Setting) -> None:
    setting.lease(8)
    for _ in range(8):
        setting.use()
        setting.fake_time.advance(0.1)
    setting.lease(8, target=4)
    offer = setting.pool.offer(100)
    assert offer.wanted == 10
    assert offer.held == 4
    # Every second one.
    assert offer.returned == pytest.approx([0.3, 0.5, 0.7, 0.9])


def test_another_process_waits_for_the_answer_of_a_permit(setting: Setting) -> None:
    """Its way to the server may be shorter, so the base of this process says nothing about it."""
    setting.lease(3)
    for _ in range(ANSWERS_FOR_A_BASE):
        permit = setting.take()
        permit.sending()
        permit.sent(fresh_connection=False)
        setting.fake_time.advance(0.3)
        permit.answered()
        setting.fake_time.advance(0.5)
        setting.lease(3)
    permit = setting.take()
    permit.sending()
    permit.sent(fresh_connection=False)
    setting.fake_time.advance(0.3)
    permit.answered()
    setting.fake_time.advance(0.75)
    assert setting.pool.in_use == 0
    setting.lease(3, target=0)
    assert sorted(setting.pool.offer(0, closing=True).returned) == pytest.approx([0.0, 0.0, 0.25])


def test_permits_owed_to_other_processes_are_not_granted(setting: Setting) -> None:
    setting.lease(4, target=2)
    permits = [setting.take(), setting.take()]
    assert setting.pool.take() is None
    permits[0].release()
    assert setting.pool.take() is not None


def test_permits_in_flight_are_not_returned(setting: Setting) -> None:
    setting.lease(6)
    permits = [setting.take() for _ in range(6)]
    for permit in permits:
        permit.sending()
    setting.lease(6, target=2)
    assert setting.pool.offer(100).returned == []
    assert setting.pool.held == 6


def test_with_an_infinite_guard_an_unanswered_request_is_returned_as_well(fake_time: FakeTime) -> None:
    """Its permit was never to be used elsewhere, which no number of microseconds says."""
    pool = LeasedPool(RateLimit(limit=10, guard=math.inf), fake_time.monotonic, lambda: None)
    pool.renew(10, target=10, share=10, usable_until=math.inf)
    permit = pool.take()
    assert permit is not None
    permit.sending()
    permit.release()
    fake_time.advance(RELEASED_UNSEEN_HOLD + 1)
    returned = pool.offer(0).returned + pool.offer(0).returned
    assert returned == [0.0] * 10


def test_the_pace_follows_the_share(setting: Setting) -> None:
    setting.lease(5, target=5)
    assert setting.pool.rate == pytest.approx(4.99)
    setting.pool.pause_of_others(1.0, over_limit=True)
    assert setting.pool.rate == pytest.approx(4.75)
    paused_until = setting.after(1.0)
    assert setting.pool.paused_until == paused_until
    # A millisecond more by travelling is no new pause.
    setting.pool.pause_of_others(1.001, over_limit=False)
    assert setting.pool.paused_until == paused_until


async def test_after_a_lost_lease_granted_requests_wait_for_each_other(setting: Setting) -> None:
    queue = LoopQueue(setting.pool, asyncio.get_running_loop())
    setting.pool.listen(queue.permit_comes_back)
    setting.lease(3)
    permits = [setting.take() for _ in range(3)]
    # The lease was lost, and there is one permit now.
    setting.pool.expire()
    setting.lease(1)
    written: list[int] = []

    async def write(number: int) -> None:
        await queue.wait_to_write(None)
        permits[number].sending()
        written.append(number)

    tasks = [asyncio.create_task(write(number)) for number in range(3)]
    await asyncio.sleep(0.5)
    assert written == [0]
    permits[0].answered()
    await asyncio.sleep(1.5)
    assert written == [0, 1]
    setting.lease(3)
    await asyncio.gather(*tasks)
    for permit in permits:
        permit.release()


def test_a_permit_of_a_destroyed_task_comes_back(setting: Setting) -> None:
    setting.lease(1)
    permit = setting.take()
    del permit
    assert setting.pool.take() is not None
    assert setting.pool.usable_until < math.inf
