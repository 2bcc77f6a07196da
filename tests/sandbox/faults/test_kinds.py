"""Each kind of fault over a real socket: what the client sees, and whether the post exists."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from time import monotonic
from typing import Any

import aiohttp
import pytest

from marketingblocks_async.sandbox import FAULT_KINDS, NO_ANSWER, Fault
from tests.support.polling import until
from tests.support.sandbox import EARLY, Reply, Running

# What a client sees of an answered create-post: the status, and something about the answer.
ANSWERED: dict[str, tuple[int, Callable[[Reply], bool]]] = {
    "commit_then_500": (500, lambda reply: reply.json()["status"] is False),
    "error_500": (500, lambda reply: reply.json()["status"] is False),
    "error_503": (503, lambda reply: "Retry-After" not in reply.headers),
    "error_503_retry_after": (503, lambda reply: reply.headers["Retry-After"] == "1"),
    "too_many_requests": (429, lambda reply: "Retry-After" not in reply.headers),
    "html_502": (502, lambda reply: reply.headers["Content-Type"] == "text/html" and b"<html>" in reply.body),
    "broken_json": (200, lambda reply: reply.body == b'{"status": true, "post_id": '),
    "wrong_shape": (200, lambda reply: reply.json() == ["unexpected", 42]),
    "empty_body": (200, lambda reply: reply.body == b""),
    "status_false": (200, lambda reply: reply.json()["status"] is False),
    "slow": (200, lambda reply: reply.json()["post_id"] == 1),
    "slow_answer": (200, lambda reply: reply.json()["post_id"] == 1),
    "drip": (200, lambda reply: reply.json()["post_id"] == 1),
    "redirect": (302, lambda reply: reply.headers["Location"] == "/elsewhere"),
    "unauthorized": (401, lambda reply: reply.json()["message"] == "Access token has expired or is invalid."),
    "forbidden": (403, lambda reply: "social-create-post" in reply.json()["message"]),
    "not_found": (404, lambda reply: reply.json()["status"] is False),
    "bad_request": (400, lambda reply: reply.json()["status"] is False),
    "unprocessable": (422, lambda reply: "caption_text" in reply.json()["errors"]),
    "expire_token": (401, lambda reply: reply.json()["message"] == "Access token has expired or is invalid."),
    "huge_body": (200, lambda reply: len(reply.body) > 1024 * 1024 and reply.json()["status"] is True),
    "echo_authorization": (500, lambda reply: b"sandbox-token" in reply.body),
    "post_fails": (200, lambda reply: reply.json()["post_id"] == 1),
}
# What it sees when there is no answer.
UNANSWERED: dict[str, type[Exception]] = {
    "commit_then_drop": aiohttp.ServerDisconnectedError,
    "commit_then_stall": TimeoutError,
    "drop_before": aiohttp.ServerDisconnectedError,
    "reset": aiohttp.ClientOSError,
    "truncated_json": aiohttp.ClientPayloadError,
}
COMMITTED = {
    "commit_then_500",
    "commit_then_drop",
    "commit_then_stall",
    "broken_json",
    "wrong_shape",
    "empty_body",
    "slow",
    "slow_answer",
    "drip",
    "huge_body",
    "post_fails",
    "truncated_json",
}
QUICK: dict[str, dict[str, Any]] = {
    "slow": {"delay": 0.05},
    "slow_answer": {"delay": 0.05},
    "drip": {"interval": 0.0},
    "huge_body": {"mib": 1},
}


def test_every_kind_is_tested() -> None:
    assert {*ANSWERED, *UNANSWERED} == {*FAULT_KINDS}
    assert len(ANSWERED) + len(UNANSWERED) == len(FAULT_KINDS)


@pytest.mark.parametrize("kind", ANSWERED)
async def test_answered(kind: str) -> None:
    status, looks_right = ANSWERED[kind]
    async with Running(faults=[Fault(kind, times=1, params=QUICK.get(kind, {}))]) as running:
        reply = await running.create()
        assert reply.status == status
        assert looks_right(reply)
        check_ledger(running, kind, status)
        if kind != "expire_token":
            assert (await running.create("next")).status == 200


@pytest.mark.parametrize("kind", UNANSWERED)
async def test_unanswered(kind: str) -> None:
    async with Running(faults=[Fault(kind, times=1)]) as running:
        with pytest.raises(UNANSWERED[kind]):
            async with asyncio.timeout(0.3 if kind == "commit_then_stall" else 10):
                await running.create()
        check_ledger(running, kind, NO_ANSWER)
        assert (await running.create("next")).status == 200


def check_ledger(running: Running, kind: str, status: int) -> None:
    ledger = running.sandbox.ledger
    committed = kind in COMMITTED
    assert len(running.sandbox.posts) == len(ledger.commits) == ledger.carried_out_at("create-post") == committed
    assert ledger.attempts("create-post") == 1
    assert ledger.tokens["default"].statuses == {status: 1}
    (firing,) = ledger.fault_firings
    assert (firing.kind, firing.endpoint, firing.token) == (kind, "create-post", "default")
    assert firing.committed is committed
    assert firing.at == ledger.arrivals("default")[0]


@pytest.mark.parametrize("kind", [kind for kind, about in FAULT_KINDS.items() if about.commit_is_free])
@pytest.mark.parametrize("commit", [True, False])
async def test_commit_can_be_chosen(kind: str, *, commit: bool) -> None:
    params = {**QUICK.get(kind, {}), "commit": commit}
    async with Running(faults=[Fault(kind, params=params)]) as running:
        try:
            await running.create()
        except aiohttp.ClientError:
            assert kind in UNANSWERED
        assert len(running.sandbox.posts) == commit
        assert [firing.committed for firing in running.sandbox.ledger.fault_firings] == [commit]


async def test_reset_is_a_tcp_reset_and_drop_is_not() -> None:
    async with Running(faults=[Fault("reset", times=1), Fault("drop_before", times=1)]) as running:
        reader, writer = await running.connect()
        writer.write(running.raw_create())
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        reader, writer = await running.connect()
        writer.write(running.raw_create())
        assert await reader.read() == b""
        writer.close()


async def test_stall_with_a_delay_answers_in_the_end() -> None:
    async with Running(faults=[Fault("commit_then_stall", params={"delay": 0.1})]) as running:
        begin = monotonic()
        task = asyncio.create_task(running.create())
        await asyncio.sleep(0.05)
        assert len(running.sandbox.posts) == 1
        assert not task.done()
        assert (await task).status == 200
        assert monotonic() - begin >= 0.1 - EARLY


async def test_stall_ends_when_the_client_leaves() -> None:
    async with Running(faults=[Fault("commit_then_stall")]) as running:
        _, writer = await running.connect()
        writer.write(running.raw_create())
        await until(lambda: len(running.sandbox.posts) == 1)
        assert running.sandbox.in_flight == 1
        writer.close()
        await until(lambda: running.sandbox.in_flight == 0)


async def test_slow_is_counted_late_and_slow_answer_before_its_delay() -> None:
    faults = [Fault("slow", token="a", params={"delay": 0.1}), Fault("slow_answer", token="b", params={"delay": 0.1})]
    async with Running(faults=faults) as running:
        for name in ("a", "b"):
            token = running.sandbox.add_token(name)
            begin = monotonic()
            await running.create(token=token)
            arrival = running.sandbox.ledger.arrivals(name)[0]
            waited = arrival - begin if name == "a" else monotonic() - arrival
            assert waited >= 0.1 - EARLY


async def test_slow_delays_requests_that_are_refused_as_well() -> None:
    async with Running(faults=[Fault("slow", params={"delay": 0.05})]) as running:
        begin = monotonic()
        assert (await running.call("POST", "create-post", token="wrong")).status == 401
        assert monotonic() - begin >= 0.05 - EARLY
        assert [firing.committed for firing in running.sandbox.ledger.fault_firings] == [False]


async def test_drip_sends_byte_by_byte() -> None:
    async with Running(faults=[Fault("drip", params={"interval": 0.005})]) as running:
        reader, writer = await running.connect()
        writer.write(running.raw_create())
        await reader.readuntil(b"\r\n\r\n")
        begin = monotonic()
        chunks: list[bytes] = []
        while not b"".join(chunks).endswith(b"}"):
            chunks.append(await reader.read(1000))
        writer.close()
        body = b"".join(chunks)
        assert len(chunks) > 1
        # The clock starts when the head has been read, by when a few bytes may have come.
        assert monotonic() - begin >= 0.005 * len(body) / 2
        assert json.loads(body)["post_id"] == 1


async def test_truncated_body_is_half_of_the_announced_one() -> None:
    async with Running(faults=[Fault("truncated_json")]) as running:
        reader, writer = await running.connect()
        writer.write(running.raw_create())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        assert 0 < len(body) < length
        with pytest.raises(json.JSONDecodeError):
            json.loads(body)


async def test_a_fault_waits_for_a_request_that_would_succeed() -> None:
    async with Running(policy="fixed_window", limit=3, per=3600, faults=[Fault("error_500", times=1)]) as running:
        assert (await running.create(token="wrong")).status == 401
        assert (await running.create(channel_id="x")).status == 422
        assert (await running.call("GET", "no-such-path")).status == 404
        assert (await running.create()).status == 500
        assert (await running.create()).status == 429
        assert [firing.kind for firing in running.sandbox.ledger.fault_firings] == ["error_500"]


async def test_commit_of_something_that_fails_by_itself_is_no_commit() -> None:
    async with Running(faults=[Fault("commit_then_500")]) as running:
        reply = await running.call("PUT", "update-comment-automation", json={"comment_bot_id": 9})
        assert reply.status == 500
        assert [firing.committed for firing in running.sandbox.ledger.fault_firings] == [False]


async def test_expired_token_stays_expired_and_others_do_not() -> None:
    async with Running(faults=[Fault("expire_token", times=1)]) as running:
        other = running.sandbox.add_token("other")
        assert [(await running.create()).status for _ in range(3)] == [401, 401, 401]
        assert (await running.create(token=other)).status == 200


async def test_post_fails_in_the_end() -> None:
    async with Running(faults=["post_fails:times=1"]) as running:
        await running.create("a")
        await running.create("b")
        running.sandbox.advance(10)
        states = [(await running.call("GET", f"post/{number}")).json()["post"]["STATUS"] for number in (1, 2)]
        assert states == ["failed", "published"]


async def test_retry_after_is_sent_as_it_is() -> None:
    faults = [
        Fault("too_many_requests", times=1, params={"retry_after": "later, perhaps"}),
        Fault("error_503_retry_after", times=1, params={"retry_after": "0.5"}),
    ]
    async with Running(faults=faults) as running:
        assert [(await running.create()).headers["Retry-After"] for _ in range(2)] == ["later, perhaps", "0.5"]


async def test_redirect_goes_where_it_is_told() -> None:
    params = {"location": "http://127.0.0.1:1/x", "status": 307}
    async with Running(faults=[Fault("redirect", params=params)]) as running:
        reply = await running.create()
        assert (reply.status, reply.headers["Location"]) == (307, "http://127.0.0.1:1/x")


async def test_following_the_default_redirect_is_seen_in_the_ledger() -> None:
    async with Running(faults=[Fault("redirect", endpoint="get-posts")]) as running:
        url = f"{running.sandbox.base_url}/social-sparks/get-posts?channels=facebook"
        async with running.session.get(url, headers={"Authorization": "Bearer sandbox-token"}) as response:
            assert response.status == 404
        assert running.sandbox.ledger.attempts("unknown-path") == 1


async def test_echo_is_in_body_and_header() -> None:
    async with Running(faults=[Fault("echo_authorization")]) as running:
        reply = await running.create()
        assert "Bearer sandbox-token" in reply.json()["message"]
        assert reply.headers["X-Echo-Authorization"] == "Bearer sandbox-token"


async def test_a_client_that_leaves_a_huge_or_dripping_body_disturbs_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    faults = [Fault("huge_body", times=1, params={"mib": 512}), Fault("drip", times=1, params={"interval": 0.001})]
    async with Running(faults=faults) as running:
        for _ in faults:
            reader, writer = await running.connect()
            writer.write(running.raw_create())
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
            await until(lambda: running.sandbox.in_flight == 0)
        assert (await running.create()).status == 200
    assert caplog.text == ""
