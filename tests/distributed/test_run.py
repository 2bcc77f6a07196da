"""A run with a queue that loses and repeats deliveries, and with workers that die."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Container, Sequence
from dataclasses import replace

import pytest

from marketingblocks_async import (
    ConfigurationError,
    HttpRequest,
    HttpResponse,
    MarketingBlocks,
    Middleware,
    RateLimit,
    Send,
)
from marketingblocks_async.bulk import Counts, JournalError, OtherTokenError, OutagePolicy, RowState
from marketingblocks_async.bulk.run.reconcile import Reconciliation, reconcile
from marketingblocks_async.bulk.run.signs import OUTAGE_AFTER
from marketingblocks_async.distributed import DistributedResult, DistributedRun, RowSender, SharedJournal
from marketingblocks_async.distributed import run as run_module
from marketingblocks_async.sandbox import Fault, Sandbox
from marketingblocks_async.testing.redis_server import PrivateRedis
from tests.distributed.conftest import rows

TIMEOUT = 0.5
ROWS = 24


class BadQueue:
    """Loses every fifth delivery once, makes all others twice, and gives them to three workers."""

    def __init__(self, sender: RowSender) -> None:
        self._sender = sender
        self._numbers: asyncio.Queue[int] = asyncio.Queue()
        self._lost: set[int] = set()
        self.workers = [asyncio.create_task(self._work()) for _ in range(3)]

    async def put(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            if number % 5 == 0 and number not in self._lost:
                self._lost.add(number)
                continue
            self._numbers.put_nowait(number)
            self._numbers.put_nowait(number)

    async def _work(self) -> None:
        while True:
            number = await self._numbers.get()
            try:
                await self._sender.send(number)
            except JournalError:
                continue

    async def stop(self) -> None:
        for worker in self.workers:
            worker.cancel()
        await asyncio.gather(*self.workers, return_exceptions=True)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(variants={"extra_fields": True}) as started:
        yield started


@pytest.fixture
async def journal(server: PrivateRedis) -> AsyncIterator[SharedJournal]:
    async with SharedJournal(server.url, "spring") as opened:
        await opened.create(rows(ROWS))
        yield opened


async def play(
    sandbox: Sandbox,
    journal: SharedJournal,
    *,
    token: str = "",
    accept_new_token: bool = False,
    middlewares: Sequence[Middleware] = (),
    on_outage: str = "stop",
) -> DistributedResult:
    async with MarketingBlocks(
        token or sandbox.token, base_url=sandbox.base_url, timeout=TIMEOUT, middlewares=middlewares
    ) as client:
        queue = BadQueue(RowSender(client, journal, on_outage=on_outage))
        try:
            return await DistributedRun(
                client, journal, queue.put,
                settle_after=2 * TIMEOUT, quiet=0.4, accept_new_token=accept_new_token,
            ).run()  # fmt: skip
        finally:
            await queue.stop()


async def test_lost_and_repeated_deliveries_do_not_matter(sandbox: Sandbox, journal: SharedJournal) -> None:
    result = await play(sandbox, journal)
    assert (result.counts.done, result.counts.total, result.reason) == (ROWS, ROWS, None)
    assert sandbox.ledger.compare([row.post for row in rows(ROWS)]).exact


async def test_what_dead_workers_left_is_looked_for(sandbox: Sandbox, journal: SharedJournal) -> None:
    # Two workers died after the intent: the request of one arrived, that of the other was never made.
    arrived, lost = rows(ROWS)[7], rows(ROWS)[8]
    await journal.note_highest_id(0)
    async with MarketingBlocks(sandbox.token, base_url=sandbox.base_url) as client:
        # Controls on both sides, as in the midst of a run.
        assert await RowSender(client, journal).send(1) is RowState.DONE
        await journal.intend(arrived.number, "dead")
        await client.posts.create(arrived.post)
        await journal.intend(lost.number, "dead too")
    result = await play(sandbox, journal)
    assert (result.found, result.absent) == (1, 1)
    assert result.counts.done == ROWS
    assert sandbox.ledger.compare([row.post for row in rows(ROWS)]).exact


@pytest.mark.parametrize("ends", [True, False], ids=["done without an id", "in flight"])
@pytest.mark.parametrize("begins", ["before the rows are read", "before the listing is read"])
async def test_the_post_of_an_equal_row_is_not_taken_for_that_of_a_lost_one(
    sandbox: Sandbox, server: PrivateRedis, begins: str, *, ends: bool
) -> None:
    """The first was never carried out; another worker sends its equal, whose response tells no id."""
    twin = replace(rows(1)[0], number=2, key="twin")
    async with (
        SharedJournal(server.url, "twins") as journal,
        MarketingBlocks(sandbox.token, base_url=sandbox.base_url) as client,
    ):
        await journal.create([*rows(1), twin])
        await journal.note_highest_id(0)
        await journal.intend(1, "dead")
        await journal.end(1, RowState.UNKNOWN, delivery="dead")
        is_sent = False

        async def send() -> None:
            nonlocal is_sent
            if not is_sent:
                is_sent = True
                await journal.intend(2, "alive")
                await client.posts.create(twin.post)
                if ends:
                    await journal.end(2, RowState.DONE, delivery="alive")

        async def send_first(request: HttpRequest, send_on: Send) -> HttpResponse:
            await send()
            return await send_on(request)

        if begins == "before the rows are read":
            await send()
        async with MarketingBlocks(sandbox.token, base_url=sandbox.base_url, middlewares=[send_first]) as looks:
            found = await reconcile(looks, journal, settle_after=0.0)
        assert is_sent
        assert (found.found, found.undecided) == (0, 1)
        assert (await journal.row(1)).state is RowState.UNKNOWN


async def test_ids_that_were_listed_too_late_prove_nothing(sandbox: Sandbox, journal: SharedJournal) -> None:
    # When the run began the listings could not be read; then a worker died, and its request had arrived.
    arrived = rows(ROWS)[7]
    async with MarketingBlocks(sandbox.token, base_url=sandbox.base_url) as client:
        assert await RowSender(client, journal).send(1) is RowState.DONE
        await journal.intend(arrived.number, "dead")
        await client.posts.create(arrived.post)
    result = await play(sandbox, journal)
    assert (result.absent, result.counts.unknown, result.counts.done) == (0, 1, ROWS - 1)
    assert sandbox.ledger.compare([row.post for row in rows(ROWS)]).exact


async def test_an_unknown_outcome_is_looked_for_and_nothing_is_sent_twice(
    sandbox: Sandbox, journal: SharedJournal
) -> None:
    sandbox.faults.add(Fault("commit_then_drop", endpoint="create-post", after=3, times=2))
    sandbox.faults.add(Fault("drop_before", endpoint="create-post", after=8, times=2))
    sandbox.faults.add(Fault("error_503_retry_after", endpoint="create-post", after=12, times=1))
    result = await play(sandbox, journal)
    assert result.found == 2
    assert not sandbox.ledger.duplicates()
    assert result.counts.done + result.counts.unknown == ROWS
    assert sandbox.ledger.carried_out_at("create-post") == result.counts.done


class PausedAfterIntent(SharedJournal):
    """The journal of a worker whose token is paused as soon as it may send its row."""

    client: MarketingBlocks

    async def intend(self, number: int, delivery: str, token: str = "") -> None:
        await super().intend(number, delivery, token)
        self.client.rate_limiter.pause(3, over_limit=False)


async def test_a_worker_that_is_held_back_longer_than_the_run_waits_sends_nothing(
    server: PrivateRedis, sandbox: Sandbox, journal: SharedJournal
) -> None:
    async with (
        MarketingBlocks(sandbox.token, base_url=sandbox.base_url, timeout=TIMEOUT) as held_back,
        MarketingBlocks(sandbox.token, base_url=sandbox.base_url, rate_limit=RateLimit(limit=None)) as client,
        PausedAfterIntent(server.url, "spring") as paused,
    ):
        paused.client = held_back
        # A control, as in the midst of a run.
        assert await RowSender(client, journal).send(1) is RowState.DONE
        late = asyncio.create_task(RowSender(held_back, paused).send(2))
        while await journal.numbers(RowState.SENDING) != [2]:  # noqa: ASYNC110 - Redis tells nobody
            await asyncio.sleep(0.01)
        queue = BadQueue(RowSender(client, journal))
        result = await DistributedRun(client, journal, queue.put, settle_after=2 * TIMEOUT, quiet=0.4).run()
        await queue.stop()
        # The other worker sent it meanwhile.
        assert await late is RowState.DONE
    assert (result.absent, result.counts.done) == (1, ROWS)
    assert sandbox.ledger.compare([row.post for row in rows(ROWS)]).exact


async def test_a_token_that_may_not_stops_all_workers_and_loses_nothing(
    sandbox: Sandbox, journal: SharedJournal
) -> None:
    sandbox.faults.add(Fault("unauthorized", endpoint="create-post", after=5))
    result = await play(sandbox, journal)
    assert result.reason is not None
    assert "401" in result.reason or "token" in result.reason
    assert (result.counts.done, result.counts.pending) == (5, ROWS - 5)
    sandbox.faults.clear()
    # Started again, it goes on.
    result = await play(sandbox, journal)
    assert result.counts.done == ROWS
    assert sandbox.ledger.compare([row.post for row in rows(ROWS)]).exact


async def send_first(sandbox: Sandbox, journal: SharedJournal) -> None:
    """Send four rows, one after another."""
    async with MarketingBlocks(sandbox.token, base_url=sandbox.base_url) as client:
        for number in range(1, 5):
            assert await RowSender(client, journal).send(number) is RowState.DONE


@pytest.mark.parametrize("kind", ["error_503", "drop_before", "html_502"])
async def test_an_outage_stops_all_workers_and_costs_few_rows(
    sandbox: Sandbox, journal: SharedJournal, kind: str
) -> None:
    await journal.note_highest_id(0)
    await send_first(sandbox, journal)
    sandbox.faults.add(Fault(kind, endpoint="create-post"))
    result = await play(sandbox, journal)
    assert result.reason is not None
    assert "The API seems to be down" in result.reason
    # Those of three workers that were in flight come on top.
    assert result.counts.unknown <= OUTAGE_AFTER + 3
    assert (result.counts.done, result.counts.failed) == (4, 0)
    # Started again while it lasts, it costs as few.
    before = sandbox.ledger.attempts("create-post")
    assert (await play(sandbox, journal)).counts.done == 4
    assert sandbox.ledger.attempts("create-post") <= before + OUTAGE_AFTER + 3
    sandbox.faults.clear()
    result = await play(sandbox, journal)
    assert (result.counts.pending, result.counts.failed, result.reason) == (0, 0, None)
    assert not sandbox.ledger.duplicates()


async def test_rows_that_are_all_refused_stay_pending(sandbox: Sandbox, journal: SharedJournal) -> None:
    await send_first(sandbox, journal)
    sandbox.faults.add(Fault("not_found", endpoint="create-post"))
    result = await play(sandbox, journal)
    assert result.reason is not None
    assert "refused for a reason that may concern all rows" in result.reason
    assert (result.counts.done, result.counts.pending) == (4, ROWS - 4)
    sandbox.faults.clear()
    assert (await play(sandbox, journal)).counts.done == ROWS


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("number", [7, ROWS], ids=["in the midst", "the last one"])
async def test_a_row_that_alone_is_refused_has_failed(
    sandbox: Sandbox, journal: SharedJournal, status: int, number: int
) -> None:
    await send_first(sandbox, journal)
    result = await play(sandbox, journal, middlewares=[refusal_of([number], HttpResponse(status, {}, NO_CHANNEL))])
    assert (result.counts.failed, result.counts.done, result.reason) == (1, ROWS - 1, None)
    assert await journal.numbers(RowState.FAILED) == [number]


def refusal_of(numbers: Container[int], answer: HttpResponse) -> Middleware:
    async def refuse(request: HttpRequest, send_on: Send) -> HttpResponse:
        found = re.search(rb'"Tip no. (\d+)"', request.body or b"")
        return answer if found is not None and int(found[1]) in numbers else await send_on(request)

    return refuse


NO_CHANNEL = b'{"status": false, "message": "no such channel"}'


@pytest.mark.parametrize(
    ("status", "stop"),
    [
        (404, "5 consecutive rows were refused"),
        (403, "The row is pending; start the run again when the token is right"),
    ],
)
async def test_refused_rows_at_the_beginning_fail_if_the_workers_are_told_so(
    sandbox: Sandbox, journal: SharedJournal, status: int, stop: str
) -> None:
    refuse = [refusal_of(range(1, 9), HttpResponse(status, {}, NO_CHANNEL))]
    result = await play(sandbox, journal, middlewares=refuse)
    assert result.counts.pending == ROWS
    assert result.reason is not None
    assert stop in result.reason
    assert "let them fail (on_outage=fail)" in result.reason
    result = await play(sandbox, journal, middlewares=refuse, on_outage="fail")
    assert (result.counts.failed, result.counts.done, result.reason) == (8, ROWS - 8, None)
    assert sorted(await journal.numbers(RowState.FAILED)) == list(range(1, 9))


async def test_what_is_refused_in_front_of_the_api_fails_no_rows(sandbox: Sandbox, journal: SharedJournal) -> None:
    await send_first(sandbox, journal)
    page = HttpResponse(403, {"Content-Type": "text/html"}, b"<html>blocked</html>")
    result = await play(sandbox, journal, middlewares=[refusal_of(range(ROWS + 1), page)], on_outage="fail")
    assert (result.counts.done, result.counts.pending) == (4, ROWS - 4)
    assert result.reason is not None
    assert "on_outage" not in result.reason


@pytest.mark.parametrize("policy", ["wait", OutagePolicy.WAIT, "halt"])
async def test_workers_cannot_wait_for_the_end_of_an_outage(journal: SharedJournal, policy: str) -> None:
    async with MarketingBlocks("a-token") as client:
        with pytest.raises(
            ConfigurationError, match=r"on_outage='(wait|halt)'\): give 'stop' or 'fail'.*started again"
        ):
            RowSender(client, journal, on_outage=policy)


async def test_a_worker_that_closes_its_client_does_not_stop_the_others(
    sandbox: Sandbox, journal: SharedJournal
) -> None:
    sandbox.faults.add(Fault("commit_then_stall", endpoint="create-post"))
    async with MarketingBlocks(sandbox.token, base_url=sandbox.base_url) as client:
        sender = RowSender(client, journal)
        sending = [asyncio.create_task(sender.send(number)) for number in range(1, 11)]
        while len(sandbox.ledger.commits) < 10:  # noqa: ASYNC110 - the ledger knows no events
            await asyncio.sleep(0.01)
    assert set(await asyncio.gather(*sending)) == {RowState.UNKNOWN}
    assert await journal.stopped() is None


async def test_a_worker_that_cannot_work_raises_why(sandbox: Sandbox, journal: SharedJournal) -> None:
    client = MarketingBlocks(sandbox.token, base_url=sandbox.base_url)
    with pytest.raises(ConfigurationError, match="the client is not open"):
        await RowSender(client, journal).send(1)
    assert (await journal.row(1)).state is RowState.PENDING
    assert await journal.stopped() is None


async def test_a_run_ends_when_its_last_unknown_rows_can_be_looked_for(
    sandbox: Sandbox, server: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SharedJournal(server.url, "one") as journal:
        await journal.create(rows(1))
        await journal.intend(1, "dead")
        await journal.end(1, RowState.UNKNOWN, delivery="dead")
        until = await journal.now() + 0.5
        looks: list[float] = []

        async def find_later(*_: object, **__: object) -> Reconciliation:
            looks.append(await journal.now())
            if looks[-1] < until:
                return Reconciliation(undecided=1, undecided_until=until)
            await journal.end(1, RowState.DONE, delivery="dead")
            return Reconciliation(found=1)

        async def nowhere(_numbers: Sequence[int]) -> None:
            """No row is pending."""

        monkeypatch.setattr(run_module, "reconcile", find_later)
        async with MarketingBlocks(sandbox.token, base_url=sandbox.base_url) as client:
            result = await DistributedRun(client, journal, nowhere, settle_after=0.1, quiet=0.2).run()
    assert (result.found, result.counts.done) == (1, 1)
    # It does not ask while only time tells more.
    assert len(looks) == 2


async def test_without_workers_it_says_so(sandbox: Sandbox, journal: SharedJournal) -> None:
    async def nowhere(_numbers: Sequence[int]) -> None:
        """Nobody listens."""

    async with MarketingBlocks(sandbox.token, base_url=sandbox.base_url) as client:
        result = await DistributedRun(client, journal, nowhere, quiet=0.05).run()
    assert result.reason == run_module.NO_CHANGE
    assert result.counts.pending == ROWS


async def test_an_exception_in_on_progress_does_not_stop_the_run(
    sandbox: Sandbox, journal: SharedJournal, caplog: pytest.LogCaptureFixture
) -> None:
    async def nowhere(_numbers: Sequence[int]) -> None:
        """Nobody listens."""

    def fail(_counts: Counts) -> None:
        message = "the window is closed"
        raise ValueError(message)

    async with MarketingBlocks(sandbox.token, base_url=sandbox.base_url) as client:
        result = await DistributedRun(client, journal, nowhere, quiet=0.05, on_progress=fail).run()
    assert result.reason == run_module.NO_CHANGE
    assert "on_progress failed on Counts" in caplog.text


async def test_a_run_outlasts_a_pause_of_the_token(sandbox: Sandbox, journal: SharedJournal) -> None:
    """Its workers wait for the end of it, so that no row changes."""
    asked: list[float] = []

    async def pause(_numbers: Sequence[int]) -> None:
        if not asked:
            client.rate_limiter.pause(1.5)
        asked.append(time.monotonic())

    async with MarketingBlocks(sandbox.token, base_url=sandbox.base_url) as client:
        result = await DistributedRun(client, journal, pause, quiet=0.05).run()
    assert result.reason == run_module.NO_CHANGE
    assert asked[1] - asked[0] >= 1.5


async def test_a_run_that_looks_often_waits_for_its_next_look_at_unknown_rows(
    sandbox: Sandbox, server: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SharedJournal(server.url, "two") as journal:
        await journal.create(rows(2))
        for number in (1, 2):
            await journal.intend(number, "dead")
            await journal.end(number, RowState.UNKNOWN, delivery="dead")
        left = [2, 1]

        async def find_one(*_: object, **__: object) -> Reconciliation:
            if not left:
                return Reconciliation()
            await journal.end(left.pop(), RowState.DONE, delivery="dead")
            return Reconciliation(found=1)

        async def nowhere(_numbers: Sequence[int]) -> None:
            """No row is pending."""

        monkeypatch.setattr(run_module, "reconcile", find_one)
        async with MarketingBlocks(sandbox.token, base_url=sandbox.base_url) as client:
            result = await DistributedRun(client, journal, nowhere, quiet=0.2).run()
    assert (result.found, result.counts.done) == (2, 2)


async def test_a_run_that_does_not_exist_is_not_complete(sandbox: Sandbox, server: PrivateRedis) -> None:
    async with SharedJournal(server.url, "sprung") as mistyped:
        with pytest.raises(JournalError, match="there is no run 'sprung'"):
            await play(sandbox, mistyped)
        # Nothing was recorded under the mistyped name.
        assert await server.command("KEYS", "*sprung*") == []
        assert await mistyped.create([]) == 0
        assert (await play(sandbox, mistyped)).counts.total == 0


async def test_a_run_whose_rows_vanish_is_not_complete(
    sandbox: Sandbox, server: PrivateRedis, journal: SharedJournal
) -> None:
    async def forget(_numbers: Sequence[int]) -> None:
        await server.command("FLUSHALL")

    async with MarketingBlocks(sandbox.token, base_url=sandbox.base_url) as client:
        with pytest.raises(JournalError, match=f"was created with {ROWS} rows, and Redis has 0"):
            await DistributedRun(client, journal, forget).run()


async def test_a_run_ends_if_redis_restarted_without_its_log(
    sandbox: Sandbox, server: PrivateRedis, journal: SharedJournal
) -> None:
    async def forget(_numbers: Sequence[int]) -> None:
        await server.command("HSET", "{marketingblocks:run:spring}:meta", "life", "lost")

    async with MarketingBlocks(sandbox.token, base_url=sandbox.base_url) as client:
        with pytest.raises(JournalError, match="not from its append-only file"):
            await DistributedRun(client, journal, forget, quiet=0.1).run()


async def test_a_row_that_the_api_refuses_is_failed(sandbox: Sandbox, journal: SharedJournal) -> None:
    sandbox.faults.add(Fault("unprocessable", endpoint="create-post", times=1))
    result = await play(sandbox, journal)
    assert (result.counts.failed, result.counts.done) == (1, ROWS - 1)
    (number,) = await journal.numbers(RowState.FAILED)
    assert (await journal.row(number)).error_type == "UnprocessableEntityError"


async def test_another_token_is_refused_until_it_is_accepted(sandbox: Sandbox, journal: SharedJournal) -> None:
    first, second = sandbox.add_token("first", expires_after_requests=8), sandbox.add_token("second")
    result = await play(sandbox, journal, token=first)
    assert 0 < result.counts.done < ROWS
    with pytest.raises(OtherTokenError, match=r"^the run .spring. was begun with another.*accept_new_token"):
        await play(sandbox, journal, token=second)
    assert (await journal.counts()).done == result.counts.done
    result = await play(sandbox, journal, token=second, accept_new_token=True)
    assert result.counts.done == ROWS
    assert sandbox.ledger.compare([row.post for row in rows(ROWS)]).exact


async def test_any_token_will_do_while_nothing_can_have_been_published(
    sandbox: Sandbox, journal: SharedJournal
) -> None:
    assert (await play(sandbox, journal, token="a-wrong-one")).counts.pending == ROWS
    await journal.note_highest_id(10**9)  # as the account of the wrong token might have it
    assert (await play(sandbox, journal)).counts.done == ROWS
    # That of the other account was forgotten.
    assert [post_id for _, post_id in await journal.highest_ids()] == [0]


async def test_a_worker_with_another_token_sends_nothing(sandbox: Sandbox, journal: SharedJournal) -> None:
    stranger = sandbox.add_token("stranger")
    async with (
        MarketingBlocks(sandbox.token, base_url=sandbox.base_url) as client,
        MarketingBlocks(stranger, base_url=sandbox.base_url) as other,
    ):
        assert await RowSender(client, journal).send(1) is RowState.DONE
        with pytest.raises(OtherTokenError, match="begun with another access token"):
            await RowSender(other, journal).send(2)
        assert await RowSender(client, journal).send(2) is RowState.DONE
    assert sandbox.ledger.report().tokens["default"].arrivals == 2
    assert "stranger" not in sandbox.ledger.report().tokens


async def test_a_worker_at_another_api_sends_nothing(sandbox: Sandbox, journal: SharedJournal) -> None:
    await journal.noted("base_url", "https://other.example.com/api/v1")
    async with MarketingBlocks(sandbox.token, base_url=sandbox.base_url) as client:
        with pytest.raises(JournalError, match=r"is of a run at https://other\.example\.com"):
            await RowSender(client, journal).send(1)
    assert not sandbox.ledger.carried_out_at("create-post")


async def test_a_row_that_was_changed_in_redis_is_not_sent(
    server: PrivateRedis, sandbox: Sandbox, journal: SharedJournal
) -> None:
    stored = await server.command("HGET", "{marketingblocks:run:spring}:rows", "2")
    changed = stored.decode().replace("facebook", "facebooj")
    await server.command("HSET", "{marketingblocks:run:spring}:rows", "2", changed)
    async with MarketingBlocks(sandbox.token, base_url=sandbox.base_url) as client:
        with pytest.raises(JournalError, match="post 2 is not as it was written; it was not sent"):
            await RowSender(client, journal).send(2)
        assert await RowSender(client, journal).send(1) is RowState.DONE
    assert sandbox.ledger.carried_out_at("create-post") == 1


async def test_the_token_itself_is_not_in_the_journal(
    server: PrivateRedis, sandbox: Sandbox, journal: SharedJournal
) -> None:
    await play(sandbox, journal)
    found = await server.command("HGETALL", "{marketingblocks:run:spring}:meta")
    assert "token_hash" in str(found)
    assert sandbox.token not in str(found)
