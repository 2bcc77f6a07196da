"""Early results are kept, repeated ones change nothing, and memory is bounded."""

from __future__ import annotations

import asyncio
import json

import pytest

from marketingblocks_async.webhooks import inbox as inbox_module
from marketingblocks_async.webhooks.inbox import Inbox


def body(generation_id: str, **fields: object) -> bytes:
    return json.dumps({"id": generation_id, **fields}).encode()


async def test_a_result_may_come_before_the_wait() -> None:
    inbox = Inbox()
    inbox.put(body("a", status="success"))
    assert inbox.find("b") is None
    result = await inbox.wait("a")
    assert (result.generation_id, result.ok, result.raw) == ("a", True, {"id": "a", "status": "success"})
    assert inbox.find("a") == result


async def test_all_waiting_calls_get_it() -> None:
    inbox = Inbox()
    waiting = [asyncio.create_task(inbox.wait("a")) for _ in range(3)]
    other = asyncio.create_task(inbox.wait("b"))
    await asyncio.sleep(0)
    inbox.put(body("a", status="failed"))
    assert [result.status for result in await asyncio.gather(*waiting)] == ["failed"] * 3
    assert not other.done()
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)
    assert inbox.waiting == 0


@pytest.mark.parametrize(
    "news",
    [
        {"status": "queued"},
        {"status": "processing"},
        {"status": "In Progress"},
        {"data": {"status": "generating"}},
        {"status": True, "generation": {"status": "started"}},
    ],
    ids=str,
)
async def test_a_job_that_goes_on_is_no_result(news: dict[str, object]) -> None:
    inbox = Inbox()
    waiting = asyncio.create_task(inbox.wait("a"))
    await asyncio.sleep(0)
    inbox.put(body("a", **news))
    await asyncio.sleep(0)
    assert not waiting.done()
    inbox.put(body("a", status="success"))
    assert (await waiting).ok


@pytest.mark.parametrize("end", [{"status": "completed"}, {"status": 3}, {}, {"data": {"status": "failed"}}], ids=str)
async def test_any_other_news_is_a_result(end: dict[str, object]) -> None:
    inbox = Inbox()
    inbox.put(body("a", **end))
    assert (await inbox.wait("a")).raw == {"id": "a", **end}


async def test_the_first_result_counts() -> None:
    inbox = Inbox()
    inbox.put(body("a", status="success", attempt=1))
    inbox.put(body("a", status="failed", attempt=2))
    assert (await inbox.wait("a")).raw["attempt"] == 1


async def test_unwanted_results_are_dropped_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "REMEMBERED_BYTES", 10_000)
    monkeypatch.setattr(inbox_module, "REMEMBERED_DIGESTS", 5)
    inbox = Inbox()
    for number in range(50):
        inbox.put(body(f"generation-{number}", padding="x" * 1000))
    assert inbox.find("generation-0") is None
    assert inbox.find("generation-49") is not None
    # Four results and their bodies are kept, the others count as new.
    again = [inbox.put(body(f"generation-{number}", padding="x" * 1000)) for number in (46, 49, 45)]
    assert again == [False, False, True]


async def test_a_result_that_was_dropped_counts_when_it_is_delivered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "REMEMBERED_BYTES", 10_000)
    inbox = Inbox()
    for number in range(50):
        inbox.put(body(f"generation-{number}", padding="x" * 1000))
    assert inbox.find("generation-0") is None
    waiting = asyncio.create_task(inbox.wait("generation-0"))
    await asyncio.sleep(0)
    assert inbox.put(body("generation-0", padding="x" * 1000))
    assert (await waiting).generation_id == "generation-0"
