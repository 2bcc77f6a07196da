"""The cap on connections: it holds, no token starves, no slot leaks."""

from __future__ import annotations

import asyncio
import gc
import random
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketingblocks_async import ConfigurationError, Lane
from marketingblocks_async.limits.slots import ConnectionSlot, ConnectionSlots
from tests.support.polling import until
from tests.support.virtual_time import run


async def turns(number: int = 20) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


def shared(limit: int) -> ConnectionSlots:
    """Slots of a client that has copies for other tokens."""
    slots = ConnectionSlots(limit)
    slots.is_shared = True
    return slots


async def test_the_only_token_may_have_all() -> None:
    slots = ConnectionSlots(3)
    for _ in range(3):
        await asyncio.wait_for(slots.take("a", None), 1)
    waiting = asyncio.create_task(slots.take("a", None))
    await turns()
    assert (slots.in_use, slots.waiting) == (3, 1)
    slots.give_back("a")
    await asyncio.wait_for(waiting, 1)


async def test_a_greedy_token_gets_half() -> None:
    slots = shared(10)
    tasks = [asyncio.create_task(slots.take("greedy", None)) for _ in range(30)]
    await turns()
    assert slots.used_by("greedy") == 5
    assert slots.waiting == 25
    # Another token gets its part at once.
    await asyncio.wait_for(slots.take("modest", None), 1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_waiting_tokens_are_served_in_turn() -> None:
    slots = ConnectionSlots(2)
    for key in ("a", "b"):
        await slots.take(key, None)
    order: list[str] = []

    async def wait(key: str, number: int) -> None:
        await slots.take(key, None)
        order.append(f"{key}{number}")
        slots.give_back(key)

    tasks = [asyncio.create_task(wait(key, number)) for key in "cde" for number in range(2)]
    await turns()
    slots.give_back("a")
    await asyncio.gather(*tasks)
    assert sorted(order[:3]) == ["c0", "d0", "e0"]
    assert sorted(order[3:]) == ["c1", "d1", "e1"]


async def test_ordinary_calls_of_a_token_go_before_its_bulk_calls() -> None:
    slots = shared(2)
    first = await slots.take("a", None)
    order: list[str] = []

    async def call(name: str, lane: Lane) -> None:
        slot = await slots.take("a", None, lane)
        order.append(name)
        slot.release()

    bulk = [asyncio.create_task(call(f"bulk {number}", Lane.BULK)) for number in range(3)]
    await until(lambda: slots.waiting == 3)
    calls = [asyncio.create_task(call(f"call {number}", Lane.ORDINARY)) for number in range(3)]
    await until(lambda: slots.waiting == 6)
    first.release()
    await asyncio.gather(*bulk, *calls)
    assert order == ["call 0", "call 1", "call 2", "bulk 0", "bulk 1", "bulk 2"]
    assert (slots.in_use, slots.waiting) == (0, 0)


async def test_a_slot_granted_in_the_turn_of_the_cancellation_comes_back() -> None:
    slots = ConnectionSlots(1)
    await slots.take("a", None)
    task = asyncio.create_task(slots.take("b", None))
    await turns()
    slots.give_back("a")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (slots.in_use, slots.used_by("b")) == (0, 0)


async def test_a_slot_that_comes_back_in_the_turn_of_a_cancellation_goes_to_the_next() -> None:
    """It stayed free, and all that waited then and later hung."""
    slots = ConnectionSlots(1)
    slot = await slots.take("a", None)
    cancelled, following = (asyncio.create_task(slots.take("a", None)) for _ in range(2))
    await turns()
    cancelled.cancel()
    slot.release()
    await turns()
    assert cancelled.cancelled()
    assert following.done()
    assert (slots.in_use, slots.waiting) == (1, 0)


async def test_a_returned_slot_leaves_the_others_counted() -> None:
    slots = shared(8)
    for _ in range(3):
        await slots.take("a", None)
    slots.give_back("a")
    assert (slots.used_by("a"), slots.in_use) == (2, 2)
    await slots.take("a", None)
    await slots.take("a", None)
    # It has half of them now.
    more = asyncio.create_task(slots.take("a", None))
    await turns()
    assert (slots.used_by("a"), slots.waiting) == (4, 1)
    more.cancel()
    await asyncio.gather(more, return_exceptions=True)


async def test_aborting_ends_the_waiting_of_one_owner() -> None:
    slots = ConnectionSlots(1)
    await slots.take("a", None)
    mine = asyncio.create_task(slots.take("a", "me"))
    theirs = asyncio.create_task(slots.take("a", "they"))
    await turns()
    assert slots.abort("me", lambda: RuntimeError("over")) == 1
    with pytest.raises(RuntimeError, match="over"):
        await mine
    slots.give_back("a")
    await theirs
    assert slots.in_use == 1


@settings(max_examples=100)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 2**32))
def test_no_slot_leaks_in_any_scenario(limit: int, tokens: int, seed: int) -> None:
    chance = random.Random(seed)

    async def play() -> None:
        slots = ConnectionSlots(limit)
        slots.is_shared = tokens > 1
        most = 0

        async def call(key: int) -> None:
            nonlocal most
            await asyncio.sleep(chance.random())
            await slots.take(key, None)
            most = max(most, slots.in_use)
            try:
                await asyncio.sleep(chance.random() * 0.2)
            finally:
                slots.give_back(key)

        tasks = [asyncio.create_task(call(chance.randrange(tokens))) for _ in range(60)]
        for task in tasks[::5]:
            asyncio.get_running_loop().call_later(chance.random() * 2, task.cancel)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(result is None or isinstance(result, asyncio.CancelledError) for result in results)
        assert most <= limit
        assert (slots.in_use, slots.waiting) == (0, 0)

    run(play())


async def test_a_slot_that_is_released_twice_comes_back_once() -> None:
    slots = ConnectionSlots(2)
    slot = await slots.take("a", None)
    await slots.take("a", None)
    slot.release()
    slot.release()
    assert slots.in_use == 1


@pytest.mark.parametrize("limit", [0, -1, True])
def test_a_cap_below_one_is_refused(limit: int) -> None:
    with pytest.raises(ConfigurationError, match="max_connections"):
        ConnectionSlots(limit)


async def test_a_slot_of_before_they_were_cleared_is_not_returned() -> None:
    slots = ConnectionSlots(4)
    before = await slots.take("a", None)
    slots.clear()
    after = await slots.take("a", None)
    before.release()
    assert slots.in_use == 1
    after.release()
    assert slots.in_use == 0


async def test_what_waits_in_the_parent_is_not_destroyed_in_a_child() -> None:
    """A client clears the slots for each of its tokens."""
    slots = ConnectionSlots(1)
    await slots.take("a", None)
    waiting = weakref.ref(asyncio.create_task(slots.take("b", None)))
    await turns()
    slots.clear()
    slots.clear()
    gc.collect()
    task = waiting()
    assert task is not None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert slots.in_use == 0


def test_a_slot_that_comes_back_after_its_loop_was_closed_wakes_none() -> None:
    slots = ConnectionSlots(1)

    async def leave() -> asyncio.Task[ConnectionSlot]:
        await slots.take("a", None)
        waiting = asyncio.create_task(slots.take("b", None))
        await asyncio.sleep(0)
        return waiting

    loop = asyncio.new_event_loop()
    waiting = loop.run_until_complete(leave())
    loop.close()
    slots.give_back("a")
    assert slots.waiting == 0
    del waiting
