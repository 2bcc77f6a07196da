"""What a server meets in the wild, and what its stopping must not leave behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import random

import aiohttp
import pytest

from marketingblocks_async.sandbox import Sandbox
from tests.support.polling import until
from tests.support.sandbox import Running, create_request, raw_request

GARBAGE = [
    b"\x00\x01\x02\x03\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS hello
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"POST /api/v1/social-sparks/create-post HTTP/1.1\r\nContent-Length: minus\r\n\r\n",
    b"POST /api/v1/social-sparks/create-post HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST /api/v1/social-sparks/create-post HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n",
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
    b"GET /%zz%00/../.. HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
    b"GET http://other.example/ HTTP/1.1\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n\r\n",
    b"GET /_sandbox/ledger?seconds=%ff HTTP/1.1\r\nHost: x\r\n\r\n",
]


@pytest.mark.parametrize("data", GARBAGE, ids=lambda data: repr(data[:24]))
async def test_garbage_disturbs_nobody(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with Running() as running:
        reader, writer = await running.connect()
        writer.write(data)
        writer.write_eof()
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        assert not answer or answer.startswith(b"HTTP/1.")
        assert b" 200 " not in answer.split(b"\r\n")[0]
        assert (await running.create()).status == 200
        assert len(running.sandbox.posts) == 1
    assert caplog.text == ""


async def test_random_garbage(caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(3)
    async with Running() as running:
        template = running.raw_create()
        for _ in range(150):
            data = bytearray(template)
            for _ in range(chance.randrange(1, 12)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            reader, writer = await running.connect()
            writer.write(data)
            with contextlib.suppress(ConnectionError):
                writer.write_eof()
                async with asyncio.timeout(10):
                    await reader.read()
            writer.close()
        assert (await running.create("last")).status == 200
        await until(lambda: running.sandbox.in_flight == 0)
    assert caplog.text == ""


async def test_a_request_that_never_ends_is_not_counted_and_does_not_hold_up_closing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("marketingblocks_async.sandbox.server._SHUTDOWN_SECONDS", 60.0)
    async with Running() as running:
        complete = running.raw_create()
        _, cut_head = await running.connect()
        cut_head.write(complete[:40])
        _, cut_body = await running.connect()
        cut_body.write(complete[:-10])
        _, left = await running.connect()
        left.write(complete[:-10])
        await until(lambda: running.sandbox.in_flight == 2)
        left.transport.abort()
        await until(lambda: running.sandbox.ledger.incomplete_requests == 1)
        assert running.sandbox.ledger.attempts() == 0
        assert len(running.sandbox.posts) == 0
        begin = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - begin < 3.0
    cut_head.close()
    cut_body.close()


@pytest.mark.parametrize("jitter", [0.0, 0.1])
async def test_a_client_that_leaves_after_sending_has_still_sent(jitter: float) -> None:
    async with Running(jitter=jitter, seed=1) as running:
        for number in range(20):
            _, writer = await running.connect()
            writer.write(running.raw_create(str(number)))
            await writer.drain()
            writer.transport.abort() if number % 2 else writer.close()
        await until(lambda: len(running.sandbox.posts) >= 20)
        assert running.sandbox.ledger.compare([str(number) for number in range(20)]).exact


async def test_a_body_in_pieces_is_counted_when_it_is_complete() -> None:
    async with Running() as running:
        data = running.raw_create()
        reader, writer = await running.connect()
        for position in range(0, len(data), 20):
            writer.write(data[position : position + 20])
            await writer.drain()
            assert running.sandbox.ledger.attempts() == 0
            await asyncio.sleep(0.001)
        assert b" 200 " in await reader.readline()
        assert running.sandbox.ledger.attempts() == 1
        writer.close()


async def test_chunked_bodies_and_pipelining() -> None:
    async with Running() as running:
        body = json.dumps(create_request("chunked")).encode()
        head = raw_request("POST", "/api/v1/social-sparks/create-post").replace(
            b"Content-Length: 0", b"Transfer-Encoding: chunked"
        )
        chunked = head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        reader, writer = await running.connect()
        writer.write(chunked + running.raw_create("one") + running.raw_create("two"))
        for _ in range(3):
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200")
            length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
        writer.close()
        assert [post.request["caption_text"] for post in running.sandbox.posts] == ["chunked", "one", "two"]


async def test_expect_100_continue() -> None:
    async with Running() as running:
        body = json.dumps(create_request()).encode()
        data = raw_request("POST", "/api/v1/social-sparks/create-post", body, "Expect: 100-continue\r\n")
        reader, writer = await running.connect()
        writer.write(data[: -len(body)])
        async with asyncio.timeout(10):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_connections_are_kept_alive() -> None:
    async with Running(policy="fixed_window", limit=2, per=1e9) as running:
        reader, writer = await running.connect()
        for status in (b"200", b"200", b"429", b"429"):
            writer.write(running.raw_create())
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.split(b" ")[1] == status
            length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
        writer.close()


async def test_closing_ends_what_is_in_flight(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is in flight must be ended, not waited for.
    monkeypatch.setattr("marketingblocks_async.sandbox.server._SHUTDOWN_SECONDS", 60.0)
    sandbox = Sandbox(
        policy="none",
        faults=["commit_then_stall:rate=0.3", "drip:rate=0.5,interval=1", "slow_answer:rate=0.5,delay=60"],
        latency=0.2,
        jitter=0.2,
        seed=3,
    )
    async with sandbox, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        url = f"{sandbox.base_url}/social-sparks/create-post"

        async def create(number: int) -> None:
            headers = {"Authorization": f"Bearer {sandbox.token}"}
            async with session.post(url, json=create_request(str(number)), headers=headers) as response:
                await response.read()

        tasks = [asyncio.create_task(create(number)) for number in range(200)]
        await until(lambda: sandbox.ledger.attempts() > 100)
        begin = asyncio.get_running_loop().time()
        await sandbox.close()
        assert asyncio.get_running_loop().time() - begin < 3.0
        async with asyncio.timeout(10):
            results = await asyncio.gather(*tasks, return_exceptions=True)
        failures = [result for result in results if result is not None]
        assert failures
        assert all(isinstance(result, aiohttp.ClientError) for result in failures)
        assert sandbox.in_flight == 0
    gc.collect()
    assert caplog.text == ""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not others


async def test_closing_twice_and_starting_again() -> None:
    sandbox = Sandbox()
    with pytest.raises(RuntimeError, match="not running"):
        _ = sandbox.base_url
    await sandbox.close()
    for _ in range(2):
        await sandbox.start()
        with pytest.raises(RuntimeError, match="running already"):
            await sandbox.start()
        assert sandbox.base_url.startswith("http://127.0.0.1:")
        await sandbox.close()
        await sandbox.close()


async def test_a_port_in_use_is_an_oserror_and_leaves_nothing() -> None:
    async with Sandbox() as first:
        port = int(first.base_url.removesuffix("/api/v1").rpartition(":")[2])
        second = Sandbox(port=port)
        with pytest.raises(OSError, match="in use"):
            await second.start()
        await second.close()
        with pytest.raises(RuntimeError, match="not running"):
            _ = second.base_url


@pytest.mark.parametrize(("host", "root"), [("0.0.0.0", "http://127.0.0.1:"), ("::1", "http://[::1]:")])  # noqa: S104 - to be listened on is what is tested
async def test_other_addresses(host: str, root: str) -> None:
    sandbox = Sandbox(host=host)
    try:
        await sandbox.start()
    except OSError:
        pytest.skip(f"this machine cannot listen on {host}")
    try:
        assert sandbox.base_url.startswith(root)
        async with aiohttp.ClientSession() as session, session.get(f"{sandbox.docs_url}/x.md") as response:
            assert response.status == 200
    finally:
        await sandbox.close()


async def test_many_connections_at_once() -> None:
    # The limit of open files holds for both ends here; the command line is tried with 5,000.
    async with Running() as running:
        connections = await asyncio.gather(*(running.connect() for _ in range(400)))
        for number, (_, writer) in enumerate(connections):
            writer.write(running.raw_create(str(number)))
        for reader, writer in connections:
            assert b" 200 " in await reader.readline()
            writer.close()
        assert running.sandbox.ledger.compare([str(number) for number in range(400)]).exact


class Broken:
    """A policy with a bug."""

    def judge(self, now: float) -> float | None:
        del now
        msg = "a bug"
        raise ZeroDivisionError(msg)


async def test_a_bug_is_not_hidden(caplog: pytest.LogCaptureFixture) -> None:
    async with Running(policy_factory=Broken) as running:
        assert (await running.create()).status == 500
    assert "ZeroDivisionError: a bug" in caplog.text
