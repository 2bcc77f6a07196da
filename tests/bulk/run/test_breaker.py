"""A bad day of the API costs a run a few rows, not the whole file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async import CreatePost, InvalidResponseError, NotFoundError, OutcomeUnknownError
from marketingblocks_async.bulk import BulkResult, BulkRun, Ending, Journal, OutagePolicy, RowState, create_journal
from marketingblocks_async.bulk.run import runner
from marketingblocks_async.bulk.run.breaker import FIRST_ROWS, OUTAGE_AFTER, SILENT_AFTER, Breaker
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
    """Answers creates as ``script`` says, and listings with nothing."""

    def __init__(self, script: Callable[[int], bytes | None]) -> None:
        super().__init__(self.reply)
        self.script = script
        self.creates = 0

    async def reply(self, request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        if request.head.startswith(b"GET"):
            writer.write(answer(b'{"up_coming": [], "posts": []}'))
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


OUTAGES: dict[str, bytes | None] = {
    "503": answer(b"", "503 Service Unavailable"),
    "500": answer(b"{}", "500 Internal Server Error"),
    "404": answer(b'{"status": false, "message": "no route"}', "404 Not Found"),
    "redirect": answer(b"", "302 Found", {"Location": "https://maintenance.example/"}),
    "page": answer(b"<html>Back soon</html>", "200 OK"),
    "dropped": None,
}


@pytest.mark.parametrize("kind", OUTAGES)
async def test_an_outage_from_the_start_costs_the_first_rows_at_most(kind: str, path: Path) -> None:
    async with Api(lambda _: OUTAGES[kind]) as api:
        result = await run(api, path)
    assert result.ending is Ending.STOPPED
    assert result.reason is not None
    assert "seems to be down" in result.reason
    assert result.counts.failed == result.counts.done == 0
    assert OUTAGE_AFTER <= api.creates <= FIRST_ROWS
    assert result.counts.unknown <= FIRST_ROWS
    assert result.counts.pending == ROWS - result.counts.unknown


@pytest.mark.parametrize("kind", ["503", "404", "redirect"])
async def test_an_outage_in_the_middle_costs_the_rows_in_flight_at_most(kind: str, path: Path) -> None:
    concurrency = 7
    async with Api(lambda n: answer(GOOD % n) if n <= 20 else OUTAGES[kind]) as api:
        result = await run(api, path, concurrency=concurrency)
    assert result.ending is Ending.STOPPED
    assert (result.counts.done, result.counts.failed) == (20, 0)
    assert result.counts.unknown <= OUTAGE_AFTER + concurrency


async def test_a_row_that_alone_gets_a_404_has_failed(path: Path) -> None:
    async with Api(lambda n: OUTAGES["404"] if n == 5 else answer(GOOD % n)) as api:
        result = await run(api, path)
    assert result.ending is Ending.COMPLETE
    assert (result.counts.done, result.counts.failed) == (ROWS - 1, 1)


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

    @pytest.mark.parametrize("error", [OutcomeUnknownError("x"), NotFoundError("x"), InvalidResponseError("x")])
    def test_opens_once(self, error: Exception) -> None:
        breaker = Breaker()
        assert [breaker.note(error, 0.0) for _ in range(OUTAGE_AFTER + 3)].count(True) == 1
        assert breaker.is_open
        breaker.close()
        assert not breaker.is_open

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
