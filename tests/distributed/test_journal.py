"""The shared journal: one intent a row, durable before the send, whoever asks and whatever dies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest

from marketingblocks_async import ConfigurationError
from marketingblocks_async.bulk import JournalError, JournalExistsError, Row, RowState
from marketingblocks_async.bulk.run.signs import OUTAGE_AFTER, Sign
from marketingblocks_async.distributed import RowTakenError, SharedJournal
from marketingblocks_async.testing.redis_server import PrivateRedis
from tests.distributed.conftest import rows
from tests.support.redis_server import private_redis


async def test_rows_come_back_as_they_were(journal: SharedJournal) -> None:
    row = await journal.row(2)
    assert (row.key, row.state, row.attempts, row.sent_at) == ("key-2", RowState.PENDING, 0, None)
    assert '"Tip no. 2"' in row.request
    assert await journal.numbers(RowState.PENDING) == [1, 2, 3, 4, 5]
    counts = await journal.counts()
    assert (counts.total, counts.pending) == (5, 5)
    with pytest.raises(JournalError, match="no row 6"):
        await journal.row(6)


async def test_of_many_who_want_a_row_one_gets_it(journal: SharedJournal) -> None:
    async def want(delivery: int) -> bool:
        try:
            await journal.intend(3, f"d{delivery}")
        except RowTakenError:
            return False
        return True

    assert sum(await asyncio.gather(*(want(delivery) for delivery in range(20)))) == 1
    assert (await journal.row(3)).state is RowState.SENDING


async def test_further_attempts_of_the_same_delivery_are_its_own(journal: SharedJournal) -> None:
    await journal.intend(1, "a")
    await journal.intend(1, "a")
    assert (await journal.row(1)).attempts == 2


@pytest.mark.parametrize("state", [RowState.DONE, RowState.FAILED, RowState.UNKNOWN])
async def test_a_row_with_an_outcome_gets_no_intent_again(journal: SharedJournal, state: RowState) -> None:
    await journal.intend(1, "a")
    assert await journal.end(1, state, delivery="a", post_id="77", error=ValueError("why"))
    row = await journal.row(1)
    assert (row.state, row.post_id, row.error, row.error_type) == (state, "77", "why", "ValueError")
    with pytest.raises(RowTakenError, match=state.word):
        await journal.intend(1, "b")


async def test_a_row_that_was_not_sent_after_all_can_be_taken_again(journal: SharedJournal) -> None:
    await journal.intend(1, "a")
    assert await journal.end(1, RowState.PENDING, delivery="a")
    await journal.intend(1, "b")
    # The first one has no say any more.
    assert not await journal.end(1, RowState.DONE, delivery="a")
    assert (await journal.row(1)).state is RowState.SENDING


async def test_a_row_without_outcome_is_given_up_and_its_late_outcome_counts(journal: SharedJournal) -> None:
    await journal.intend(1, "a")
    assert await journal.give_up_older(60.0) == 0
    assert await journal.give_up_older(-1.0) == 1
    assert (await journal.counts()).unknown == 1
    assert await journal.end(1, RowState.DONE, delivery="a", post_id="5")
    # Who settles unknown rows comes too late.
    assert not await journal.end(1, RowState.PENDING)
    assert (await journal.row(1)).state is RowState.DONE


async def test_what_was_looked_for_says_nothing_of_a_later_attempt(journal: SharedJournal) -> None:
    """Two processes may look for a row at once: the second is still asking when the row is already sent again."""
    await journal.intend(1, "a")
    await journal.end(1, RowState.UNKNOWN, delivery="a")
    (looked_for,), _ = await journal.sent_rows()
    seen = {1: looked_for.attempts}
    assert await journal.settle({}, [1], seen) == (0, [1])
    await journal.intend(1, "b")
    await journal.end(1, RowState.UNKNOWN, delivery="b")
    assert await journal.settle({}, [1], seen) == (0, [])
    assert await journal.settle({1: "7"}, [], seen) == (0, [])
    (unknown,), _ = await journal.sent_rows()
    assert await journal.settle({1: "7"}, [], {1: unknown.attempts}) == (1, [])


async def test_who_settles_can_only_settle_what_is_unknown(journal: SharedJournal) -> None:
    assert not await journal.end(1, RowState.DONE)
    await journal.intend(1, "a")
    assert not await journal.end(1, RowState.DONE)
    await journal.give_up_older(-1.0)
    assert await journal.end(1, RowState.PENDING)
    await journal.intend(1, "b")


async def test_a_stopped_run_sends_nothing(journal: SharedJournal) -> None:
    await journal.stop("the token has expired")
    with pytest.raises(JournalError, match="the token has expired"):
        await journal.intend(1, "a")
    assert await journal.stopped() == "the token has expired"
    await journal.go_on()
    await journal.intend(1, "a")


async def refuse(journal: SharedJournal, number: int, delivery: str = "a") -> None:
    await journal.intend(number, delivery)
    error = ValueError("not found")
    assert await journal.end(number, RowState.PENDING, delivery=delivery, error=error, sign=Sign.REFUSED)


async def succeed(journal: SharedJournal, number: int) -> None:
    await journal.intend(number, "a")
    assert await journal.end(number, RowState.DONE, delivery="a", sign=Sign.WELL)


async def test_a_refused_row_fails_when_another_is_created(journal: SharedJournal) -> None:
    await refuse(journal, 1)
    assert (await journal.row(1)).state is RowState.PENDING
    # Other rows are left that can show why.
    assert await journal.fail_suspects() == 0
    await succeed(journal, 2)
    row = await journal.row(1)
    assert (row.state, row.error) == (RowState.FAILED, "not found")
    assert await journal.numbers(RowState.PENDING) == [3, 4, 5]


async def test_a_refused_row_fails_when_no_other_is_left(journal: SharedJournal) -> None:
    for number in (1, 2, 3):
        await succeed(journal, number)
    await refuse(journal, 4)
    await journal.intend(5, "a")
    # It may still show that all rows are refused.
    assert await journal.fail_suspects() == 0
    await journal.end(5, RowState.PENDING, delivery="a", error=ValueError("not found"), sign=Sign.REFUSED)
    assert await journal.fail_suspects() == 2
    assert await journal.numbers(RowState.FAILED) == [4, 5]


async def test_pending_rows_are_not_read_to_find_out_whether_others_are_left(
    server: PrivateRedis, journal: SharedJournal
) -> None:
    """It is asked each second, and a script keeps Redis from all else while it reads."""
    for number in (1, 2):
        await refuse(journal, number)
    before = await server.command("INFO", "commandstats")
    assert await journal.fail_suspects() == 0
    after = await server.command("INFO", "commandstats")
    facts_read = after["cmdstat_hget"]["calls"] - before["cmdstat_hget"]["calls"]
    # The suspects, and the fact of each.
    assert (facts_read, "cmdstat_zrange" in after) == (3, False)


async def test_a_refused_row_that_was_sent_again_since_does_not_fail(journal: SharedJournal) -> None:
    await refuse(journal, 1)
    await journal.intend(1, "b")
    await succeed(journal, 2)
    assert (await journal.row(1)).state is RowState.SENDING
    await journal.end(1, RowState.PENDING, delivery="b")
    await succeed(journal, 3)
    assert (await journal.row(1)).state is RowState.PENDING


async def test_consecutive_failures_stop_the_run_and_as_many_stop_it_again(server: PrivateRedis) -> None:
    async with SharedJournal(server.url, "long") as journal:
        await journal.create(rows(20))
        for number in (1, 2, 3, 4):
            await refuse(journal, number)
        assert await journal.stopped() is None
        await succeed(journal, 5)
        for number in (6, 7, 8, 9):
            await refuse(journal, number)
        await fall_silent(journal, 10)
        reason = await journal.stopped()
        assert reason is not None
        assert "The API seems to be down" in reason
        # Not their own fault.
        assert await journal.fail_suspects() == 0
        # What was before it goes on does not count.
        await journal.go_on()
        for number in (6, 7, 8, 9):
            await refuse(journal, number, "b")
        assert await journal.stopped() is None
        await refuse(journal, 11)
        assert await journal.stopped() is not None


async def fall_silent(journal: SharedJournal, number: int) -> None:
    delivery = f"silent-{number}"
    await journal.intend(number, delivery)
    # Twice, as if the reply to it had been lost.
    for _ in range(2):
        await journal.end(number, RowState.UNKNOWN, delivery=delivery, error=ValueError("x"), sign=Sign.DOWN)


async def test_a_row_that_is_refused_again_counts_once(journal: SharedJournal) -> None:
    for delivery in "abc":
        await refuse(journal, 1, delivery)
        await refuse(journal, 2, delivery)
    assert await journal.stopped() is None


async def test_a_row_that_is_refused_again_after_a_success_counts_again(journal: SharedJournal) -> None:
    await journal.intend(3, "a")
    # After the other was sent, so it may still be that all rows are refused since.
    await refuse(journal, 1, "a")
    await journal.end(3, RowState.DONE, delivery="a", sign=Sign.WELL)
    for number in (1, 2, 4, 5):
        await refuse(journal, number, "b")
    assert await journal.stopped() is None
    await fall_silent(journal, 1)
    assert await journal.stopped() is not None


async def test_an_outcome_that_is_recorded_again_counts_once(journal: SharedJournal) -> None:
    for number in (1, 2, 3, 4):
        await fall_silent(journal, number)
    assert await journal.stopped() is None
    await fall_silent(journal, 5)
    assert await journal.stopped() is not None


async def test_deliveries_that_never_get_an_intent_stop_the_run(server: PrivateRedis, journal: SharedJournal) -> None:
    for number in range(50):
        error = ValueError("no permit")
        assert not await journal.end(1, RowState.PENDING, delivery=f"d{number}", error=error, sign=Sign.DOWN)
    assert await journal.stopped() is not None
    # No more are kept than stop it.
    kept = await server.command("HGET", "{marketingblocks:run:spring}:meta", "failing")
    assert len(json.loads(kept)) == OUTAGE_AFTER


async def test_rows_refused_before_a_stop_do_not_fail_untried(journal: SharedJournal) -> None:
    await refuse(journal, 1)
    await refuse(journal, 2)
    await journal.stop("the token has expired")
    await journal.go_on()
    await succeed(journal, 3)
    assert await journal.numbers(RowState.PENDING) == [1, 2, 4, 5]
    assert await journal.numbers(RowState.FAILED) == []


async def test_an_unknown_row_does_not_show_the_error_of_an_earlier_attempt(journal: SharedJournal) -> None:
    await refuse(journal, 1, "a")
    await journal.intend(1, "dies")
    assert await journal.give_up_older(0) == 1
    row = await journal.row(1)
    assert (row.state, row.error, row.error_type) == (RowState.UNKNOWN, None, None)


async def test_an_intent_survives_a_power_cut(server: PrivateRedis, journal: SharedJournal) -> None:
    await journal.intend(4, "a")
    await server.kill()
    with pytest.raises(JournalError, match="cannot be used"):
        await journal.intend(5, "a")
    await server.start()
    assert (await journal.row(4)).state is RowState.SENDING
    with pytest.raises(RowTakenError):
        await journal.intend(4, "b")


async def test_rows_that_vanished_are_not_sent(server: PrivateRedis, journal: SharedJournal) -> None:
    await server.command("FLUSHALL")
    with pytest.raises(JournalError, match="no row"):
        await journal.intend(1, "a")


async def test_a_row_whose_outcome_vanished_is_not_sent_again(server: PrivateRedis, journal: SharedJournal) -> None:
    await succeed(journal, 1)
    await server.command("DEL", "{marketingblocks:run:spring}:facts")
    with pytest.raises(JournalError, match="has lost its state; nothing was sent"):
        await journal.intend(1, "b")
    await journal.intend(2, "a")


async def test_a_run_is_made_once_and_whole(server: PrivateRedis, journal: SharedJournal) -> None:
    assert await journal.size() == 5
    with pytest.raises(JournalExistsError, match=r"'spring' already; .*leave out the rows \(create\(\)\)"):
        await journal.create(rows(2))
    async with SharedJournal(server.url, "other") as other:
        with pytest.raises(JournalError, match="same number"):
            await other.create([*rows(2), *rows(1)])
        assert (await other.counts()).total == 0
        assert await other.create(rows(2500)) == 2500
        assert (await other.counts()).pending == 2500


async def test_who_creates_a_run_later_does_not_replace_the_rows_of_another(server: PrivateRedis) -> None:
    """Else rows of the first are never sent, and rows of the second have the outcomes of others."""
    is_made = asyncio.Event()

    async def later() -> AsyncGenerator[Row, None]:
        for row in rows(3):
            yield row
            await is_made.wait()

    async with SharedJournal(server.url, "twice") as first, SharedJournal(server.url, "twice") as second:
        creating = asyncio.create_task(second.create(later()))
        await asyncio.sleep(0.1)
        assert await first.create(rows(5)) == 5
        await first.intend(1, "a")
        await first.end(1, RowState.DONE, delivery="a", post_id="77")
        is_made.set()
        with pytest.raises(JournalExistsError, match="twice"):
            await creating
        counts = await first.counts()
        assert (counts.total, counts.done, counts.pending) == (5, 1, 4)


async def test_of_many_who_create_a_run_at_once_one_does(server: PrivateRedis) -> None:
    async def create(count: int) -> int:
        async with SharedJournal(server.url, "at once") as journal:
            try:
                return await journal.create(rows(count))
            except JournalExistsError:
                return 0

    created = [count for count in await asyncio.gather(*(create(count) for count in range(1, 9))) if count]
    async with SharedJournal(server.url, "at once") as journal:
        assert created == [(await journal.counts()).total]
    # Only what an import that was broken off leaves behind expires.
    keys = [bytes(key).decode() for key in await server.command("KEYS", "*at once*")]
    assert {key for key in keys if await server.command("TTL", key) == -1} == {
        key for key in keys if ":importing:" not in key
    }


async def test_a_redis_that_may_forget_is_refused() -> None:
    async with private_redis() as forgetful:
        with pytest.raises(JournalError, match="appendfsync always"):
            async with SharedJournal(forgetful.url, "spring"):
                pass
        async with SharedJournal(forgetful.url, "spring", check_durability=False) as journal:
            assert await journal.create(rows(1)) == 1


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_a_redis_that_removes_keys_when_it_is_full_is_refused(server: PrivateRedis, policy: str) -> None:
    await server.command("CONFIG", "SET", "maxmemory-policy", policy)
    with pytest.raises(JournalError, match="set 'maxmemory-policy noeviction'"):
        async with SharedJournal(server.url, "spring"):
            pass


async def test_a_redis_that_does_not_flush_while_it_rewrites_its_log_is_refused(server: PrivateRedis) -> None:
    await server.command("CONFIG", "SET", "no-appendfsync-on-rewrite", "yes")
    with pytest.raises(JournalError, match="set 'no-appendfsync-on-rewrite no', and let it last with CONFIG REWRITE"):
        async with SharedJournal(server.url, "spring"):
            pass


async def make_durable(server: PrivateRedis) -> None:
    """Set what an error asks for, but only until the next restart."""
    await server.command("CONFIG", "SET", "appendfsync", "always")
    await server.command("CONFIG", "SET", "appendonly", "yes")
    while (await server.command("INFO", "persistence"))["aof_last_rewrite_time_sec"] == -1:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.02)


async def restart(server: PrivateRedis, journal: SharedJournal) -> None:
    await server.kill()
    await server.start()
    # The connections that it had are dead.
    await journal.aclose()


@pytest.mark.parametrize("is_set_again", [False, True], ids=["as it is", "durable before anyone asks"])
async def test_a_redis_that_has_forgotten_intents_in_a_restart_gets_no_row_sent(is_set_again: bool) -> None:
    why = "may not have read its append-only file" if is_set_again else "not from its append-only file"
    async with private_redis() as server:
        await make_durable(server)
        async with SharedJournal(server.url, "spring") as journal:
            await journal.create(rows(5))
            await server.command("SAVE")
            await succeed(journal, 1)
            await restart(server, journal)
            assert (await journal.row(1)).state is RowState.PENDING
            for is_durable in (is_set_again, True):
                if is_durable:
                    await make_durable(server)
                for number in (1, 2):
                    with pytest.raises(JournalError, match=why):
                        await journal.intend(number, "b")
                with pytest.raises(JournalError, match=why):
                    await journal.check_restart()
            with pytest.raises(JournalError, match=why):
                async with SharedJournal(server.url, "spring"):
                    pass
            if is_set_again:
                # Nothing shows it any more, as after another restart, from the file that was made of the older data.
                await server.command("CONFIG", "RESETSTAT")
                with pytest.raises(JournalError, match=why):
                    await journal.intend(1, "b")
            async with SharedJournal(server.url, "spring", check_durability=False) as looked_at:
                assert (await looked_at.counts()).pending == 5
            # Another run is none of its business.
            async with SharedJournal(server.url, "summer") as other:
                await other.create(rows(2))
                await other.intend(1, "a")


async def test_a_run_goes_on_after_a_restart_that_lost_nothing(server: PrivateRedis, journal: SharedJournal) -> None:
    await succeed(journal, 1)
    await restart(server, journal)
    await journal.check_restart()
    await journal.intend(2, "a")
    with pytest.raises(RowTakenError):
        await journal.intend(1, "b")
    await restart(server, journal)
    # The workers find out by themselves.
    await asyncio.gather(*(journal.intend(number, "a") for number in (3, 4, 5)))


async def test_a_person_can_say_that_a_restart_lost_nothing(server: PrivateRedis, journal: SharedJournal) -> None:
    await succeed(journal, 1)
    await restart(server, journal)
    await server.command("CONFIG", "SET", "maxmemory", "100mb")
    await server.command("BGREWRITEAOF")
    with pytest.raises(JournalError, match="may not have read") as caught:
        await journal.intend(2, "a")
    assert "HDEL '{marketingblocks:run:spring}:meta' life" in str(caught.value)
    await server.command("HDEL", "{marketingblocks:run:spring}:meta", "life")
    await journal.intend(2, "a")
    with pytest.raises(RowTakenError):
        await journal.intend(1, "b")


async def test_settings_that_a_restart_undid_can_be_set_again() -> None:
    """The data were written while they were right."""
    async with private_redis(durable=True) as server, SharedJournal(server.url, "spring") as journal:
        await journal.create(rows(2))
        await restart(server, journal)
        await server.command("CONFIG", "SET", "appendfsync", "everysec")
        with pytest.raises(JournalError, match=r"may lose an intent.*CONFIG REWRITE"):
            await journal.intend(1, "a")
        await server.command("CONFIG", "SET", "appendfsync", "always")
        await journal.intend(1, "a")


async def test_a_run_that_was_created_unchecked_is_checked_by_its_workers(server: PrivateRedis) -> None:
    async with SharedJournal(server.url, "spring", check_durability=False) as journal:
        await journal.create(rows(2))
    async with SharedJournal(server.url, "spring") as journal:
        await journal.intend(1, "a")


@pytest.mark.parametrize("lost", ["rows", "meta"])
async def test_a_run_of_which_redis_lost_a_part_is_not_created_again(
    server: PrivateRedis, journal: SharedJournal, lost: str
) -> None:
    """Else its new rows have the outcomes of the old ones."""
    await succeed(journal, 1)
    await server.command("DEL", f"{{marketingblocks:run:spring}}:{lost}")
    with pytest.raises(JournalError, match=r"lost a part of a run 'spring'.*another name") as caught:
        await journal.create(rows(5))
    assert not isinstance(caught.value, JournalExistsError)
    assert await journal.numbers(RowState.DONE) == [1]


async def test_a_run_without_rows_is_one(server: PrivateRedis) -> None:
    async with SharedJournal(server.url, "empty") as journal:
        assert await journal.create([]) == 0
        with pytest.raises(JournalExistsError):
            await journal.create(rows(2))


async def test_highest_ids_hold_from_when_they_were_noted(journal: SharedJournal) -> None:
    assert await journal.highest_ids() == []
    began = await journal.now()
    await journal.note_highest_id(7)
    await journal.note_highest_id(9)
    (first, seven), (second, nine) = await journal.highest_ids()
    assert (seven, nine) == (7, 9)
    assert began <= first < second <= await journal.now()


async def test_a_cancellation_ends_a_command_in_whatever_turn_it_comes(journal: SharedJournal) -> None:
    for turns in range(1, 40):
        command = asyncio.create_task(journal.intend(1, "a"))
        for _ in range(turns):
            await asyncio.sleep(0)
        if command.cancel():
            with pytest.raises(asyncio.CancelledError):
                await command
        # It goes on, with another connection.
        assert (await journal.row(2)).state is RowState.PENDING


@pytest.mark.parametrize("state", [RowState.DONE, RowState.FAILED, RowState.PENDING, RowState.UNKNOWN])
async def test_an_outcome_may_be_recorded_twice(journal: SharedJournal, state: RowState) -> None:
    """As redis-py does if the reply was lost."""
    await journal.intend(1, "a")
    for _ in range(2):
        assert await journal.end(1, state, delivery="a", post_id="9" if state is RowState.DONE else None)
    assert not await journal.end(1, state, delivery="b")
    assert (await journal.row(1)).state is state


async def test_an_id_that_two_responses_name_makes_neither_row_unknown(journal: SharedJournal) -> None:
    """It is not documented that ids are unique; an unknown row might be sent again."""
    for number in (1, 2):
        await journal.intend(number, "a")
        assert await journal.end(number, RowState.DONE, delivery="a", post_id="0")
    assert await journal.numbers(RowState.DONE) == [1, 2]


async def test_the_claimed_posts_are_read_without_their_rows(server: PrivateRedis, journal: SharedJournal) -> None:
    for number in (1, 2):
        await journal.intend(number, "a")
        assert await journal.end(number, RowState.DONE, delivery="a", post_id=str(number + 70))
    assert await journal.claimed_post_ids() == {"71", "72"}
    assert "cmdstat_hmget" not in await server.command("INFO", "commandstats")


async def test_a_post_belongs_to_the_row_whose_response_names_it(journal: SharedJournal) -> None:
    """An equal row may be looked for while it is in flight, and its post be taken for that of the other."""
    await journal.intend(1, "died")
    await journal.give_up_older(0)
    await journal.intend(2, "lives")
    assert await journal.settle({1: "9"}, [], {1: 1}) == (1, [])
    assert await journal.end(2, RowState.DONE, delivery="lives", post_id="9")
    one, two = await journal.rows([1, 2])
    assert (one.state, one.post_id, two.state, two.post_id) == (RowState.UNKNOWN, None, RowState.DONE, "9")
    assert await journal.claimed_post_ids() == {"9"}
    assert await journal.settle({1: "9"}, [], {1: 1}) == (0, [])
    assert (await journal.states())[RowState.DONE] == 1


@pytest.mark.parametrize("url", ["localhost", "redis://user:sec/ret@localhost/0", "redis://localhost:port/0"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="redis://HOST:PORT") as caught:
        SharedJournal(url, "spring")
    assert "sec" not in str(caught.value)
