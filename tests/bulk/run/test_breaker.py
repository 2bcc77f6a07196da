"""A bad day of the API costs a run a few rows, not the whole file."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async import (
    ConfigurationError,
    CreatePost,
    InvalidResponseError,
    NotFoundError,
    OutcomeUnknownError,
    PublishMode,
)
from marketingblocks_async.bulk import BulkResult, BulkRun, Ending, Journal, OutagePolicy, RowState, create_journal
from marketingblocks_async.bulk.run import runner
from marketingblocks_async.bulk.run.breaker import FIRST_ROWS, MOST_TRIALS, SILENT_AFTER, Breaker
from marketingblocks_async.bulk.run.signs import OUTAGE_AFTER
from marketingblocks_async.errors import BadRequestError
from tests.support.clients import client_at
from tests.support.raw_server import RawRequest, RawServer, answer

pytestmark = pytest.mark.usefixtures("own_limiters")

ROWS = 60
GOOD = b'{"status": true, "post_id": %d}'


def rows(count: int = ROWS) -> list[CreatePost]:
    return [
        CreatePost(
            channel_type="facebook",
            channel_id=1,
            post_type="post",
            caption_text=f"Row {number}",
            media_urls=[],
            publish_mode="now",
        )
        for number in range(count)
    ]


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    await create_journal(rows(), tmp_path / "run.journal")
    return tmp_path / "run.journal"


class Api(RawServer):
    """Answers creates as ``script`` says, and listings with nothing unless it is told otherwise."""

    def __init__(self, script: Callable[[int], bytes | None], listing: bytes | None = None) -> None:
        super().__init__(self.reply)
        self.script = script
        self.listing = listing or answer(b'{"up_coming": [], "posts": []}')
        self.creates = 0

    async def reply(self, request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        if request.head.startswith(b"GET"):
            writer.write(self.listing)
            return True
        self.creates += 1
        reply = self.script(self.creates)
        if reply is None:
            return False
        writer.write(reply)
        return True


async def run(api: Api, path: Path, **options: Any) -> BulkResult:
    async with client_at(api.base_url) as client, Journal(path) as journal:
        return await BulkRun(client, journal, settle_after=0.0, **options).run()


PAGE = b"<html>Down for maintenance</html>"
OUTAGES: dict[str, bytes | None] = {
    "503": answer(b"", "503 Service Unavailable"),
    "500": answer(b"{}", "500 Internal Server Error"),
    "404": answer(b'{"status": false, "message": "no route"}', "404 Not Found"),
    "302": answer(b"", "302 Found", {"Location": "https://maintenance.example/"}),
    "307": answer(b"", "307 Temporary Redirect", {"Location": "https://maintenance.example/"}),
    "402": answer(b'{"status": false, "message": "the plan has ended"}', "402 Payment Required"),
    "page with 400": answer(PAGE, "400 Bad Request"),
    "page with 403": answer(PAGE, "403 Forbidden"),
    "page with 405": answer(PAGE, "405 Not Allowed"),
    "page": answer(b"<html>Back soon</html>", "200 OK"),
    "dropped": None,
}


@pytest.mark.parametrize("kind", OUTAGES)
async def test_an_outage_from_the_start_costs_the_first_rows_at_most(kind: str, path: Path) -> None:
    async with Api(lambda _: OUTAGES[kind]) as api:
        result = await run(api, path)
    assert result.ending is Ending.STOPPED
    assert result.reason is not None
    assert result.reason.startswith(f"{OUTAGE_AFTER} consecutive rows ")
    assert "token is right" not in result.reason
    assert result.counts.failed == result.counts.done == 0
    assert OUTAGE_AFTER <= api.creates <= FIRST_ROWS
    assert result.counts.unknown <= FIRST_ROWS
    assert result.counts.pending == ROWS - result.counts.unknown


@pytest.mark.parametrize("kind", ["503", "404", "302", "307", "page with 405"])
async def test_an_outage_in_the_middle_costs_the_rows_in_flight_at_most(kind: str, path: Path) -> None:
    concurrency = 7
    async with Api(lambda n: answer(GOOD % n) if n <= 20 else OUTAGES[kind]) as api:
        result = await run(api, path, concurrency=concurrency)
    assert result.ending is Ending.STOPPED
    assert (result.counts.done, result.counts.failed) == (20, 0)
    assert result.counts.unknown <= OUTAGE_AFTER + concurrency


@pytest.mark.parametrize("kind", ["404", "307", "402", "page with 400", "page with 403", "page with 405"])
@pytest.mark.parametrize("number", [1, 5, ROWS])
async def test_a_row_that_alone_is_refused_has_failed(path: Path, kind: str, number: int) -> None:
    async with Api(lambda n: OUTAGES[kind] if n == number else answer(GOOD % n)) as api:
        result = await run(api, path)
    assert result.ending is Ending.COMPLETE
    assert (result.counts.done, result.counts.failed) == (ROWS - 1, 1)


async def test_a_row_that_gets_a_403_does_not_block_a_run_that_has_created_a_row(path: Path) -> None:
    """It may be for a channel of another account."""
    denied = {2}
    forbidden = answer(b'{"status": false, "message": "not your channel"}', "403 Forbidden")
    async with Api(lambda n: forbidden if n in denied else answer(GOOD % n)) as api:
        stopped = await run(api, path, concurrency=1, max_failures=1)
        assert stopped.counts.failed == 1
        # Now the first one of a session.
        denied.add(api.creates + 1)
        result = await run(api, path, concurrency=1)
    assert result.ending is Ending.COMPLETE
    assert (result.counts.done, result.counts.failed) == (ROWS - 2, 2)


async def test_rows_that_are_refused_stay_pending_if_the_run_stops_before_it_is_clear_why(path: Path) -> None:
    expired = answer(b'{"status": false, "message": "expired"}', "401 Unauthorized")
    async with Api(lambda n: OUTAGES["404"] if n <= 3 else expired) as api:
        result = await run(api, path, concurrency=1)
    assert api.creates == 4
    assert (result.counts.failed, result.counts.pending) == (0, ROWS)


@pytest.mark.parametrize("kind", ["404", "405", "403"])
async def test_rows_of_a_channel_that_is_gone_fail_if_the_run_is_told_so(path: Path, kind: str) -> None:
    statuses = {"404": "404 Not Found", "405": "405 Method Not Allowed", "403": "403 Forbidden"}
    gone = answer(b'{"status": false, "message": "no such channel"}', statuses[kind])
    async with Api(lambda n: gone if n <= 40 else answer(GOOD % n)) as api:
        stopped = await run(api, path)
        assert stopped.ending is Ending.STOPPED
        assert stopped.counts.failed == 0
        assert "if the rows are at fault themselves, let them fail (on_outage=fail)" in (stopped.reason or "")
        already = api.creates
        result = await run(api, path, on_outage="fail")
    assert result.ending is Ending.COMPLETE
    assert (result.counts.failed, result.counts.done) == (40 - already, ROWS - 40 + already)


@pytest.mark.parametrize("kind", ["307", "page with 403", "page with 405"])
async def test_refusals_that_are_not_the_apis_stop_a_run_that_lets_refused_rows_fail(path: Path, kind: str) -> None:
    gone = OUTAGES["404"]
    async with Api(lambda n: answer(GOOD % n) if n <= 5 else OUTAGES[kind] if n != 8 else gone) as api:
        result = await run(api, path, on_outage="fail", concurrency=1)
    assert result.ending is Ending.STOPPED
    # The 404 counts as the fault of its row; it says nothing of the rows around it.
    assert (result.counts.done, result.counts.failed, result.counts.pending) == (5, 1, ROWS - 6)
    assert "on_outage" not in (result.reason or "")


async def test_an_outage_stops_a_run_that_lets_refused_rows_fail(path: Path) -> None:
    async with Api(lambda _: OUTAGES["503"]) as api:
        result = await run(api, path, on_outage="fail", concurrency=1)
    assert result.ending is Ending.STOPPED
    assert result.counts.unknown == 5


async def test_a_single_row_that_gets_a_404_has_failed(tmp_path: Path) -> None:
    await create_journal(rows(1), tmp_path / "one.journal")
    async with Api(lambda _: OUTAGES["404"]) as api:
        result = await run(api, tmp_path / "one.journal")
    assert result.counts.failed == 1


async def test_a_run_that_may_wait_goes_on_when_the_api_is_well(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "PROBE_INTERVAL", 0.05)
    async with Api(lambda n: OUTAGES["404"] if n <= 6 else answer(GOOD % n)) as api:
        result = await run(api, path, on_outage=OutagePolicy.WAIT, concurrency=5)
    assert result.ending is Ending.COMPLETE
    assert (result.counts.done, result.counts.pending, result.counts.unknown) == (ROWS, 0, 0)


@pytest.mark.parametrize("kind", ["503", "404", "302", "307", "page with 405"])
async def test_a_run_that_waits_while_only_creates_fail_tries_one_row_at_a_time_and_stops(
    path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(runner, "PROBE_INTERVAL", 0.01)
    async with Api(lambda _: OUTAGES[kind]) as api:
        began = time.monotonic()
        result = await run(api, path, on_outage=OutagePolicy.WAIT)
    assert result.ending is Ending.STOPPED
    assert result.reason is not None
    assert f"the API answered a read again {MOST_TRIALS} times" in result.reason
    assert ("on_outage=fail" in result.reason) == (kind == "404")
    assert api.creates <= FIRST_ROWS + MOST_TRIALS
    assert result.counts.failed == 0
    assert result.counts.unknown <= api.creates
    # Each wait is twice as long as the one before.
    assert time.monotonic() - began >= 0.01 * (2**MOST_TRIALS - 1)


@pytest.mark.parametrize(
    ("gone", "outage", "left"),
    [
        (range(19, 20), range(15, 20), RowState.FAILED),
        (range(19, 23), range(15, 20), RowState.FAILED),
        # Too many in succession: the run stops, but after all others.
        (range(7), range(0), RowState.PENDING),
    ],
)
async def test_a_run_that_waits_tries_other_rows_than_those_that_were_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch, gone: range, outage: range, left: RowState
) -> None:
    monkeypatch.setattr(runner, "PROBE_INTERVAL", 0.01)
    refused = {f"Row {number}" for number in gone}

    def script(text: str, number: int) -> bytes | None:
        if number in outage:
            return OUTAGES["503"]
        return OUTAGES["404"] if text in refused else answer(GOOD % number)

    class ApiOfChannels(Api):
        async def reply(self, request: RawRequest, writer: asyncio.StreamWriter) -> bool:
            text = json.loads(request.body)["caption_text"] if request.body else ""
            self.script = partial(script, text)
            return await super().reply(request, writer)

    async with ApiOfChannels(lambda _: None) as api:
        result = await run(api, path, on_outage=OutagePolicy.WAIT, concurrency=1)
    assert result.ending is (Ending.STOPPED if left is RowState.PENDING else Ending.INCOMPLETE)
    assert result.counts.unknown == len(outage)
    assert (result.counts.failed if left is RowState.FAILED else result.counts.pending) == len(gone)
    assert result.counts.done == ROWS - len(outage) - len(gone)


async def test_a_run_that_may_not_read_tries_a_row_instead(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "PROBE_INTERVAL", 0.01)
    denied = answer(b'{"status": false, "message": "no permission"}', "403 Forbidden")
    async with Api(lambda n: OUTAGES["503"] if n <= 6 else answer(GOOD % n), denied) as api:
        result = await run(api, path, on_outage=OutagePolicy.WAIT, concurrency=5)
    assert (result.counts.done, result.counts.unknown, result.counts.pending) == (ROWS - 6, 6, 0)


async def test_a_run_that_has_waited_sends_no_row_whose_time_has_passed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it wait for such a row to show that the API is well."""
    monkeypatch.setattr(runner, "PROBE_INTERVAL", 0.01)
    ten = datetime(2020, 1, 1, 10, tzinfo=UTC)
    at_ten = {"publish_mode": PublishMode.SCHEDULED, "schedule_time": "2020-01-01 10:00", "time_zone": "UTC"}
    path = tmp_path / "late.journal"
    await create_journal([*rows(5), rows(1)[0].model_copy(update=at_ten)], path, now=ten - timedelta(hours=1))
    async with Api(lambda n: OUTAGES["404"] if n <= 5 else answer(GOOD % n)) as api:

        class Clock:
            @staticmethod
            def now(_zone: tzinfo) -> datetime:
                return ten + timedelta(minutes=1 if api.creates else -1)

        monkeypatch.setattr(runner, "datetime", Clock)
        result = await run(api, path, on_outage=OutagePolicy.WAIT, allow_past=False, concurrency=5)
    assert (result.ending, result.counts.done, result.counts.pending) == (Ending.INCOMPLETE, 5, 1)
    assert "1 row has a schedule time that has passed since the run was planned (row 6)" in (result.reason or "")
    assert api.creates == 10


async def test_a_row_whose_time_has_passed_does_not_count_among_those_that_were_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So another row is tried, which was not refused."""
    monkeypatch.setattr(runner, "PROBE_INTERVAL", 0.01)
    ten = datetime(2020, 1, 1, 10, tzinfo=UTC)
    at_ten = {"publish_mode": PublishMode.SCHEDULED, "schedule_time": "2020-01-01 10:00", "time_zone": "UTC"}
    path = tmp_path / "late.journal"
    first, *others = rows(6)
    await create_journal([first.model_copy(update=at_ten), *others], path, now=ten - timedelta(hours=1))
    sent: list[str] = []

    class ApiOfRows(Api):
        async def reply(self, request: RawRequest, writer: asyncio.StreamWriter) -> bool:
            if request.body:
                sent.append(json.loads(request.body)["caption_text"])
            return await super().reply(request, writer)

    async with ApiOfRows(lambda n: OUTAGES["404"] if n <= 5 else answer(GOOD % n)) as api:

        class Clock:
            @staticmethod
            def now(_zone: tzinfo) -> datetime:
                return ten + timedelta(minutes=1 if api.creates >= 5 else -1)

        monkeypatch.setattr(runner, "datetime", Clock)
        result = await run(api, path, on_outage=OutagePolicy.WAIT, allow_past=False, concurrency=1)
    assert sent[:6] == [post.caption_text for post in (first, *others)]
    assert (result.counts.done, result.counts.pending) == (5, 1)


async def test_rows_of_unknown_outcome_say_why_and_what_can_be_done(path: Path) -> None:
    async with Api(lambda _: OUTAGES["503"]) as api:
        await run(api, path)
        await run(api, path)
        async with Journal(path) as journal:
            errors = [row.told(running=False)[1] or "" for row in journal.rows([RowState.UNKNOWN])]
    # Those of the second run were not looked for yet, since the API was down again.
    looked_for = [error for error in errors if "; looked for: " in error]
    assert 0 < len(looked_for) < len(errors)
    assert all(error.count("; looked for: ") == 1 for error in looked_for)
    assert all(
        error.endswith("look at the channel, and have the post sent again only if it is not there")
        for error in looked_for
    )
    assert all("not looked for yet; 'bulk resume'" in error for error in set(errors) - set(looked_for))


class TestBreaker:
    def test_failures_of_single_rows_prove_that_the_api_is_well(self) -> None:
        breaker = Breaker()
        for _ in range(20):
            assert not any(breaker.note(OutcomeUnknownError("x"), 0.0) for _ in range(OUTAGE_AFTER - 1))
            assert not breaker.note(BadRequestError("x", status_code=422), 0.0)
        assert not breaker.is_open

    @pytest.mark.parametrize(
        "error", [OutcomeUnknownError("x"), NotFoundError("x", status_code=404), InvalidResponseError("x")]
    )
    def test_opens_once(self, error: Exception) -> None:
        breaker = Breaker()
        assert [breaker.note(error, 0.0) for _ in range(OUTAGE_AFTER + 3)].count(True) == 1
        assert breaker.is_open

    @pytest.mark.parametrize("good", [None, BadRequestError("x", status_code=422)])
    def test_one_row_tries_whether_the_api_is_well(self, good: Exception | None) -> None:
        breaker, bad = Breaker(), OutcomeUnknownError("x")
        for _ in range(OUTAGE_AFTER):
            breaker.note(bad, 0.0)
        for trials in range(3):
            breaker.try_one()
            assert (breaker.is_open, breaker.failed_trials) == (False, trials)
            assert not breaker.holds_back(0)
            assert breaker.holds_back(1)
            # It was not sent, so it has not tried.
            assert not breaker.note(ConfigurationError("x"), None)
            assert breaker.note(bad, 0.0)
            assert breaker.is_open
        breaker.try_one()
        assert not breaker.note(good, 0.0)
        assert breaker.failed_trials == 0
        assert not breaker.holds_back(1000)
        assert [breaker.note(bad, 0.0) for _ in range(OUTAGE_AFTER)].index(True) == OUTAGE_AFTER - 1

    def test_few_rows_go_until_the_first_answer(self) -> None:
        breaker = Breaker()
        assert not breaker.holds_back(FIRST_ROWS - 1)
        assert breaker.holds_back(FIRST_ROWS)
        breaker.note(None, time.monotonic())
        assert not breaker.holds_back(5000)

    def test_a_silent_api_gets_no_further_rows_but_a_slow_one_does(self) -> None:
        now = 0.0
        breaker = Breaker(lambda: now)
        breaker.note(None, -0.1)
        now = SILENT_AFTER + 0.1
        assert breaker.holds_back(FIRST_ROWS)
        breaker.note(None, now - 10.0)
        now += 29.0
        assert not breaker.holds_back(1000)
