"""The accounts in Redis: every permit is in one place, whatever is lost, late or dead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from marketingblocks_async.limits.permits import LONGEST_PAUSE
from marketingblocks_async.redis import RedisRateLimit
from marketingblocks_async.redis.connection import Connection, Exchange, UnreachableError
from marketingblocks_async.testing.redis_server import PrivateRedis

KEYS = ("{marketingblocks}:marker", "{marketingblocks}:token:x")
# So short that the tests need not wait: a second of the real limiter is 20 ms here.
LEASE, GRACE, PER = 0.1, 0.02, 0.02
RECOVERY = LEASE + GRACE + PER
LIMIT = 12


@dataclass
class Reply:
    """An answer of the script, by name."""

    held: int
    target: int
    share: int
    paused: float
    refusals: int
    pool: int
    quarantine: float
    waits: list[float]


@dataclass
class Process:
    """One process's side, as simple as can be."""

    name: str
    connection: Connection
    held: int = 0
    sequence: int = 0
    answered: int = 0
    limit: int = LIMIT
    clock_ahead: float = 0.0
    log: list[Reply] = field(default_factory=list[Reply])

    async def raw(
        self,
        want: int,
        *,
        claim: int | None = None,
        sequence: int | None = None,
        answered: int | None = None,
        leaving: bool = False,
        pause: float = 0.0,
        refusals: int = 0,
        back: tuple[float, ...] = (),
    ) -> list[int]:
        self.sequence = self.sequence + 1 if sequence is None else sequence
        words: list[str | int] = [
            self.name,
            self.sequence,
            self.answered if answered is None else answered,
            self.held if claim is None else claim,
            want,
            int(leaving),
            self.limit,
            *(round(seconds * 1e6) for seconds in (PER, LEASE, GRACE, pause)),
            refusals,
            0,
            round((time.monotonic() + self.clock_ahead) * 1e6),
            *(round(seconds * 1e6) for seconds in back),
        ]
        (reply,) = await self.connection.run([Exchange(KEYS, words)])
        assert not isinstance(reply, UnreachableError)
        return reply

    async def say(
        self, want: int, *, leaving: bool = False, pause: float = 0.0, refusals: int = 0, back: tuple[float, ...] = ()
    ) -> Reply:
        self.held -= len(back)
        code, held, target, share, paused, refused, pool, quarantine, *waits = await self.raw(
            want, leaving=leaving, pause=pause, refusals=refusals, back=back
        )
        assert code == 0
        self.answered = self.sequence
        self.held = held
        seconds = [wait / 1e6 for wait in waits]
        return Reply(held, target, share, paused / 1e6, refused, pool, quarantine / 1e6, seconds)


@pytest.fixture
async def connection(server: PrivateRedis) -> AsyncIterator[Connection]:
    made = Connection(RedisRateLimit(server.url))
    yield made
    await made.close()


@pytest.fixture
def a(connection: Connection) -> Process:
    return Process("a", connection)


@pytest.fixture
def b(connection: Connection) -> Process:
    return Process("b", connection)


@pytest.fixture
def c(connection: Connection) -> Process:
    return Process("c", connection)


async def test_a_process_gets_what_it_wants(a: Process) -> None:
    first = await a.say(5)
    assert (first.held, first.target, first.share, first.waits) == (5, 5, LIMIT, [])
    assert (await a.say(100)).held == LIMIT


async def test_shares_are_max_min(a: Process, b: Process, c: Process) -> None:
    await a.say(100)
    assert (await b.say(100)).held == 0
    assert (await c.say(1)).target == 1
    reply = await a.say(100)
    # One wants 1; the other two get the half of what that leaves.
    assert reply.target in (5, 6)
    back = LIMIT - reply.target
    assert (await a.say(100, back=(0.0,) * back)).held == LIMIT - back
    assert (await b.say(100)).held == back - 1
    assert (await c.say(1)).held == 1
    assert a.held + b.held + c.held == LIMIT


async def test_a_permit_returned_early_is_not_used_early(a: Process, b: Process) -> None:
    await a.say(LIMIT)
    given = time.monotonic()
    await a.say(2, back=(5.0, 3.0, 4.0))
    reply = await b.say(2)
    passed = time.monotonic() - given
    assert reply.held == 2
    assert all(wait <= 4.0 for wait in reply.waits)
    # The earliest ones, and not a moment sooner than was said.
    assert reply.waits[0] >= 3.0 - passed
    assert reply.waits[1] >= 4.0 - passed


async def test_a_dead_process_loses_its_permits_after_recovery(a: Process, b: Process) -> None:
    before = time.monotonic()
    await a.say(LIMIT)
    after = time.monotonic()
    while not (reply := await b.say(LIMIT)).held:  # noqa: ASYNC110 - asking is what is tested
        await asyncio.sleep(0.002)
    taken = time.monotonic()
    assert reply.held <= LIMIT
    assert taken + max(reply.waits, default=0.0) >= before + RECOVERY
    # They were given ahead of time, with the time to wait.
    assert after + RECOVERY + 0.001 >= before + LEASE + GRACE + max(reply.waits, default=0.0)


async def test_an_expired_claim_gets_nothing(a: Process, b: Process) -> None:
    await a.say(LIMIT)
    while (await b.say(LIMIT)).held < LIMIT:  # noqa: ASYNC110 - asking is what is tested
        await asyncio.sleep(0.002)
    reply = await a.say(LIMIT)
    assert reply.held == 0
    assert (await b.say(LIMIT)).held == LIMIT


async def test_a_lost_reply_leaks_nothing(a: Process, b: Process) -> None:
    await a.say(2)
    await a.raw(LIMIT)
    # It says what it got last, so what it did not get is free at once.
    assert (await a.say(2)).held == 2
    assert (await b.say(LIMIT)).held == LIMIT - 2


async def test_a_lost_exchange_leaks_nothing_for_long(a: Process, b: Process) -> None:
    await a.say(6)
    # It gave two back, and that was lost on the way.
    a.held -= 2
    a.sequence += 1
    assert (await a.say(4)).held == 4
    reply = await b.say(LIMIT)
    assert reply.held == LIMIT - 4
    assert all(0 < wait <= PER for wait in reply.waits)
    assert len(reply.waits) == 2


async def test_a_late_exchange_does_nothing(a: Process, b: Process) -> None:
    await a.say(2)
    late = a.sequence
    await a.say(3)
    assert await a.raw(LIMIT, sequence=late, claim=2) == [1]
    a.sequence = 2
    assert (await b.say(LIMIT)).held == LIMIT - 3


async def test_after_a_flush_living_processes_keep_their_permits(
    server: PrivateRedis, a: Process, b: Process, c: Process
) -> None:
    await a.say(5)
    await b.say(4)
    await server.command("FLUSHALL")
    began = time.monotonic()
    assert (await c.say(LIMIT)).held == 0
    assert (await a.say(5)).held == 5
    assert (await b.say(4)).held == 4
    while not (reply := await c.say(LIMIT)).held:
        await a.say(5)
        await b.say(4)
        await asyncio.sleep(0.002)
    assert time.monotonic() - began >= RECOVERY
    assert reply.held == LIMIT - 9


async def test_the_loss_of_one_key_causes_a_quarantine(server: PrivateRedis, a: Process, b: Process) -> None:
    await a.say(5)
    await server.command("DEL", KEYS[1])
    assert (await a.say(5)).held == 5
    assert (await b.say(LIMIT)).held == 0


async def test_old_data_causes_a_quarantine(server: PrivateRedis, a: Process, b: Process) -> None:
    await a.say(2)
    old = await server.command("GET", KEYS[1])
    await a.say(9)
    # A replica that had not got the last exchange.
    await server.command("SET", KEYS[1], old)
    assert (await a.say(9)).held == 9
    assert (await b.say(LIMIT)).held == 0


async def test_claims_of_more_than_there_is_are_cut(server: PrivateRedis, a: Process, b: Process) -> None:
    await a.say(8)
    await server.command("FLUSHALL")
    b.held = 8
    assert (await a.say(8)).held + (await b.say(8)).held == LIMIT


async def test_a_clock_set_back_causes_a_quarantine(server: PrivateRedis, a: Process, b: Process) -> None:
    await a.say(5)
    later = "local s = cmsgpack.unpack(redis.call('GET', KEYS[1])); s.at = s.at + 60000000; "
    await server.command("EVAL", later + "redis.call('SET', KEYS[1], cmsgpack.pack(s))", 1, KEYS[1])
    assert (await a.say(5)).held == 5
    assert (await b.say(LIMIT)).held == 0


async def set_forward(server: PrivateRedis, seconds: float) -> None:
    """Put all instants of the account so far into the past as if Redis's clock had been set forward."""
    script = """
        local s, by = cmsgpack.unpack(redis.call('GET', KEYS[1])), tonumber(ARGV[1])
        s.at, s.quarantine_ends, s.paused = s.at - by, s.quarantine_ends - by, s.paused - by
        for _, member in pairs(s.members) do member.ends = member.ends - by end
        for index, when in ipairs(s.pool) do s.pool[index] = when - by end
        redis.call('SET', KEYS[1], cmsgpack.pack(s))
    """
    await server.command("EVAL", script, 1, KEYS[1], round(seconds * 1e6))


async def test_a_clock_set_forward_causes_a_quarantine(server: PrivateRedis, a: Process, b: Process) -> None:
    await a.say(5)
    await b.say(4)
    for _ in range(2):
        await set_forward(server, 10)
        reply = await a.say(LIMIT)
        # What both hold stays theirs, and nobody gets the rest.
        assert reply.held == 5
        assert 0 < reply.quarantine <= RECOVERY
        assert (await b.say(LIMIT)).held == 4


@pytest.mark.parametrize("step", [10, 600, -10, -600])
async def test_a_clock_that_was_set_does_not_change_a_pause(
    server: PrivateRedis, a: Process, b: Process, step: float
) -> None:
    """Set back, it paused all processes for as long, although no pause was left."""
    await a.say(5)
    await set_forward(server, step)
    assert (await a.say(5)).paused == 0.0
    await a.say(5, pause=30.0)
    await set_forward(server, step)
    assert 20 < (await a.say(5)).paused <= 30
    assert 20 < (await b.say(5)).paused <= 30


async def test_a_rest_does_not_make_a_pause_longer(server: PrivateRedis, a: Process, b: Process, c: Process) -> None:
    await a.say(5, pause=100.0)
    await set_forward(server, 50)
    a.clock_ahead += 50
    assert 40 < (await a.say(5)).paused <= 50
    # It ends without leaving. A program that starts now and then must not begin the pause anew each time.
    for process, left in (b, 30), (c, 10):
        await set_forward(server, 20)
        reply = await process.say(5)
        assert (reply.held, left - 10 < reply.paused <= left) == (0, True)


async def test_a_clock_set_back_does_not_make_a_new_token_wait(server: PrivateRedis, a: Process) -> None:
    await a.say(5)
    later = "local m = cmsgpack.unpack(redis.call('GET', KEYS[1])); m.born = m.seen + 600000000; "
    await server.command("EVAL", later + "redis.call('SET', KEYS[1], cmsgpack.pack(m))", 1, KEYS[0])
    await server.command("DEL", KEYS[1])
    assert 0 < (await a.say(5)).quarantine <= RECOVERY


async def test_a_long_pause_outlasts_a_rest(server: PrivateRedis, a: Process) -> None:
    """Redis forgot it a minute after the last exchange, and a process that began later ran into it."""
    await a.say(0, pause=600.0, leaving=True)
    assert 600 < await server.command("TTL", KEYS[1]) <= 661


async def test_a_new_process_gets_nothing_after_the_clock_was_set_forward(
    server: PrivateRedis, a: Process, b: Process
) -> None:
    await a.say(5)
    await set_forward(server, 10)
    assert (await b.say(LIMIT)).held == 0
    assert (await a.say(5)).held == 5


async def test_a_rest_is_not_taken_for_a_clock_set_forward(server: PrivateRedis, a: Process, b: Process) -> None:
    await a.say(5)
    await a.say(0, back=(0.0,) * 5, leaving=True)
    # A minute, also by the clock of the process.
    await set_forward(server, 50)
    a.clock_ahead += 50
    assert (await a.say(5)).held == 5
    await a.say(0, back=(0.0,) * 5, leaving=True)
    await set_forward(server, 50)
    assert (await b.say(LIMIT)).held == LIMIT


async def test_a_process_may_join_one_that_exchanges_seldom(server: PrivateRedis, a: Process, b: Process) -> None:
    await a.say(5)
    # As long as its lease lasts, it need not have said anything more.
    await set_forward(server, LEASE / 2)
    a.clock_ahead += LEASE / 2
    assert (await b.say(LIMIT)).held == LIMIT - 5


async def test_an_outage_is_not_taken_for_a_clock_set_forward(server: PrivateRedis, a: Process, b: Process) -> None:
    await a.say(5)
    await b.say(4)
    await set_forward(server, 10)
    a.clock_ahead += 10
    # The lease of the other has really ended.
    assert (await a.say(LIMIT)).held == LIMIT


async def test_a_new_server_grants_nothing_at_first(server: PrivateRedis, a: Process) -> None:
    await server.kill()
    await server.start()
    reply = await a.say(5)
    assert reply.held == 0
    assert 0 < reply.quarantine <= RECOVERY
    assert reply.target == 5


async def test_a_pause_and_a_refusal_are_passed_on(a: Process, b: Process) -> None:
    await a.say(1)
    assert (await a.say(1, pause=3.0, refusals=2)).refusals == 2
    reply = await b.say(1)
    assert 2.0 < reply.paused <= 3.0
    assert reply.refusals == 2


async def test_no_pause_lasts_longer_than_an_hour(a: Process, b: Process, server: PrivateRedis) -> None:
    """``Retry-After`` may hold anything, and an earlier version stored it as it was."""
    assert LONGEST_PAUSE - 10 < (await a.say(1, pause=1.8e9)).paused <= LONGEST_PAUSE
    longer = "local s = cmsgpack.unpack(redis.call('GET', KEYS[1])); s.paused = 4e15; "
    await server.command("EVAL", longer + "redis.call('SET', KEYS[1], cmsgpack.pack(s))", 1, KEYS[1])
    assert LONGEST_PAUSE - 10 < (await b.say(1)).paused <= LONGEST_PAUSE
    # Neither began it anew.
    await asyncio.sleep(0.02)
    assert (await a.say(1)).paused < LONGEST_PAUSE - 0.02


async def test_damaged_keys_of_a_token_do_not_concern_the_others(server: PrivateRedis, a: Process) -> None:
    await a.say(1)
    other = (KEYS[0], "{marketingblocks}:token:other")
    await server.command("LPUSH", other[1], "x")
    words: list[str | int] = [
        "b",
        1,
        0,
        0,
        1,
        0,
        LIMIT,
        *(round(seconds * 1e6) for seconds in (PER, LEASE, GRACE, 0)),
        0,
        0,
        0,
    ]
    damaged, whole = await a.connection.run([Exchange(other, words), Exchange(KEYS, words)])
    assert isinstance(damaged, UnreachableError)
    assert "WRONGTYPE" in str(damaged)
    assert not isinstance(whole, UnreachableError)
    assert whole[:2] == [0, 1]


async def test_other_settings_are_refused_while_a_process_lives(a: Process, b: Process) -> None:
    await a.say(1)
    b.limit = 7
    assert await b.raw(1) == [2, LIMIT, round(PER * 1e6)]
    await a.say(0, back=(0.0,), leaving=True)
    code, held, *_ = await b.raw(7)
    # Afterwards they are taken on, when nothing of before counts any more.
    assert (code, held) == (0, 0)


async def test_settings_of_dead_processes_do_not_count(a: Process, b: Process) -> None:
    await a.say(1)
    b.limit = 7
    await asyncio.sleep(RECOVERY)
    while not (reply := await b.raw(7))[1]:  # noqa: ASYNC110 - asking is what is tested
        await asyncio.sleep(0.002)
    assert reply[:2] == [0, 7]


async def test_a_process_that_leaves_returns_all(server: PrivateRedis, a: Process, b: Process) -> None:
    await a.say(5)
    await a.say(0, back=(0.0,) * 5, leaving=True)
    assert (await b.say(LIMIT)).held == LIMIT
    assert 60 < await server.command("TTL", KEYS[1]) <= 63
