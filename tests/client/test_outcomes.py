"""A post is never published twice or lost in silence, whatever stands between the client and the API."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import socket
import struct
import time
import traceback
from typing import Any, cast
from unittest.mock import Mock

import aiohttp
import pytest

from marketingblocks_async import (
    APIConnectionError,
    APIError,
    ConfigurationError,
    InvalidResponseError,
    Lane,
    MarketingBlocks,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimit,
    RetryPolicy,
    UnreadableResponseError,
)
from marketingblocks_async.sandbox import Sandbox
from marketingblocks_async.transport import aiohttp_hooks, transport
from marketingblocks_async.transport.aiohttp_hooks import ObservedConnector
from tests.support.clients import client_at, client_of, post
from tests.support.polling import until
from tests.support.raw_server import RawRequest, RawServer, always, answer, listening

HTML = b"<html><head><title>Access denied</title></head><body>Request blocked.</body></html>"


def published(server: RawServer) -> list[str]:
    """Return the captions that the origin behind a cache has published: it carries out all that it gets."""
    return [json.loads(request.body)["caption_text"] for request in server.requests if request.body]


class TestInFrontOfTheApi:
    @pytest.mark.parametrize("status", [303, 408, 502, 503, 504, 520, 522, 524, 529, 530])
    @pytest.mark.parametrize("retry_after", [None, "0", "0.01"])
    async def test_an_error_page_after_the_origin_has_published(self, status: int, retry_after: str | None) -> None:
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        page = always(answer(HTML, f"{status} Sorry", headers | {"Content-Type": "text/html", "Via": "1.1 varnish"}))
        async with RawServer(page) as cache, client_at(cache.base_url) as client:
            with pytest.raises(OutcomeUnknownError) as caught:
                await client.posts.create(post("once"))
            assert caught.value.may_have_happened
            assert published(cache) == ["once"]

    @pytest.mark.usefixtures("own_limiters")
    async def test_the_token_pauses_after_a_503_with_a_time(self) -> None:
        page = always(answer(HTML, "503 Service Unavailable", {"Retry-After": "30"}))
        async with RawServer(page) as cache, client_at(cache.base_url, rate_limit=RateLimit()) as client:
            with pytest.raises(OutcomeUnknownError):
                await client.posts.create(post("once"))
            assert client.rate_limiter.snapshot().paused_for > 25

    async def test_a_cdn_s_429_after_a_timeout_of_the_origin(self) -> None:
        page = always(answer(HTML, "429 Too Many Requests", {"Retry-After": "0.01", "Content-Type": "text/html"}))
        async with RawServer(page) as cdn, client_at(cdn.base_url) as client:
            with pytest.raises(OutcomeUnknownError, match="429"):
                await client.posts.create(post("once"))
            assert published(cdn) == ["once"]

    async def test_the_api_s_own_429_is_sent_again(self) -> None:
        responses = [answer(b"{}", "429 Too Many Requests", {"Retry-After": "0.01"}), answer()]

        async def respond(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
            writer.write(responses.pop(0))
            return True

        async with RawServer(respond) as api, client_at(api.base_url) as client:
            assert (await client.posts.create(post())).post_id == 1

    async def test_a_firewall_s_page_says_nothing_of_the_token(self) -> None:
        page = always(answer(HTML, "403 Forbidden", {"Content-Type": "text/html"}))
        async with RawServer(page) as firewall, client_at(firewall.base_url) as client:
            with pytest.raises(PermissionDeniedError, match="not a response of the API") as caught:
                await client.posts.create(post())
            assert "lacks" not in str(caught.value)


@pytest.mark.parametrize("fault", ["commit_then_drop", "broken_json", "drop_before"])
async def test_the_exception_that_the_caller_is_handling_keeps_its_traceback(fault: str) -> None:
    def charge() -> None:
        msg = "the customer has no money"
        raise ValueError(msg)

    async with Sandbox() as sandbox, client_of(sandbox) as client:
        sandbox.faults.add(f"{fault}:times=1")
        own: ValueError | None = None
        try:
            charge()
        except ValueError as mistake:
            own = mistake
            with pytest.raises(OutcomeUnknownError):
                await client.posts.create(post())
    assert own is not None
    assert [frame.name for frame in traceback.extract_tb(own.__traceback__)][-1] == "charge"


class TestAnswers:
    @pytest.mark.parametrize("body", [b"", b"{", b"OK", HTML, b'{"post_id": 1'])
    async def test_a_success_that_cannot_be_read_may_have_happened(self, body: bytes) -> None:
        async with RawServer(always(answer(body))) as server, client_at(server.base_url) as client:
            with pytest.raises(UnreadableResponseError) as caught:
                await client.posts.create(post("once"))
            assert isinstance(caught.value, OutcomeUnknownError)
            assert caught.value.may_have_happened
            assert caught.value.request == post("once")
            assert published(server) == ["once"]

    @pytest.mark.parametrize("name", ["status", "success"])
    @pytest.mark.parametrize("value", ["false", "0", '"error"', '"false"'])
    async def test_a_success_that_says_error_is_none(self, name: str, value: str) -> None:
        body = f'{{"{name}": {value}, "message": "no such channel"}}'.encode()
        async with RawServer(always(answer(body))) as server, client_at(server.base_url) as client:
            for call in (client.posts.create(post()), client.request("POST", "x", json={}), client.posts.upcoming()):
                with pytest.raises(APIError, match="no such channel"):
                    await call

    async def test_a_read_without_an_answer_is_no_unknown_outcome(self) -> None:
        async with RawServer(always(b"", keep=False)) as server, client_at(server.base_url) as client:
            with pytest.raises(APIConnectionError) as caught:
                await client.posts.upcoming()
            assert not caught.value.may_have_happened


class TestProxies:
    @pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "502 Bad Gateway", "503 Unavailable"])
    async def test_a_refused_connect_is_not_sent(self, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
        refusal = always(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode(), keep=False)
        async with RawServer(refusal) as proxy:
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
            async with (
                aiohttp.ClientSession(trust_env=True) as session,
                client_at("https://api.example.com", session=session) as client,
            ):
                with pytest.raises(NotSentError, match=f"the proxy refused to connect to the API: {status[:3]}"):
                    await client.posts.create(post())
                assert [request.line.split()[0] for request in proxy.requests] == ["CONNECT"] * 3

    @pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "502 Bad Gateway", "503 Unavailable"])
    async def test_a_refused_connect_of_the_client_s_own_pool_is_not_sent(self, status: str) -> None:
        refusal = always(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode(), keep=False)
        async with RawServer(refusal) as proxy, self.client_behind(proxy) as client:
            with pytest.raises(NotSentError, match=f"the proxy refused to connect to the API: {status[:3]}"):
                await client.posts.create(post())
        assert [request.line.split()[0] for request in proxy.requests] == ["CONNECT"] * 3

    @pytest.mark.parametrize("words", [b"", b"SSH-2.0-OpenSSH_9.6\r\n\r\n", b"HTTP/1.1 2"])
    async def test_a_proxy_that_makes_no_tunnel_has_sent_nothing(self, words: bytes) -> None:
        async with RawServer(always(words, keep=False)) as proxy, self.client_behind(proxy) as client:
            with pytest.raises(NotSentError, match="not sent: the proxy hung up or did not answer in HTTP"):
                await client.posts.create(post())
            with pytest.raises(NotSentError):
                await client.posts.upcoming()
        # The client's own attempts, and none that aiohttp makes by itself.
        assert [request.line.split()[0] for request in proxy.requests] == ["CONNECT"] * 6
        assert not any(b"Bearer" in request.head for request in proxy.requests)

    async def test_a_session_s_proxy_that_makes_no_tunnel_has_sent_nothing(self) -> None:
        async with (
            RawServer(always(b"", keep=False)) as proxy,
            aiohttp.ClientSession(proxy=f"http://127.0.0.1:{proxy.port}") as session,
            client_at("https://api.example.com", session=session) as client,
        ):
            with pytest.raises(NotSentError, match="not sent: the proxy hung up"):
                await client.posts.create(post())
            with pytest.raises(NotSentError):
                await client.posts.upcoming()
        assert [request.line.split()[0] for request in proxy.requests] == ["CONNECT"] * 6

    async def test_a_proxy_that_resets_has_sent_nothing(self) -> None:
        async def reset(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
            # Closing sends an RST.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False

        async with RawServer(reset) as proxy, self.client_behind(proxy) as client:
            with pytest.raises(NotSentError, match="not sent: the proxy"):
                await client.posts.create(post())

    async def test_what_went_through_the_tunnel_may_have_happened(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def without_tls(self: Any, transport: Any, **_options: Any) -> Any:
            protocol = self._factory()
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
            await asyncio.sleep(0)
            return transport, protocol

        async def tunnel(request: RawRequest, writer: asyncio.StreamWriter) -> bool:
            connects = request.line.startswith("CONNECT")
            if connects:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            return connects

        monkeypatch.setattr(aiohttp.TCPConnector, "_start_tls_connection", without_tls)
        async with RawServer(tunnel) as proxy, self.client_behind(proxy) as client:
            with pytest.raises(OutcomeUnknownError):
                await client.posts.create(post("once"))
        assert [request.line.split()[0] for request in proxy.requests] == ["CONNECT", "POST"]
        assert published(proxy) == ["once"]

    @staticmethod
    def client_behind(proxy: RawServer) -> MarketingBlocks:
        return client_at("https://api.example.com", proxy=f"http://127.0.0.1:{proxy.port}")


class TestSockets:
    async def test_calls_wait_for_a_socket(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As many as the process has left, and their time limit begins when they have one."""
        monkeypatch.setattr(transport, "most_connections", lambda: 5)
        open_now = most = 0

        async def slow(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
            nonlocal open_now, most
            open_now += 1
            most = max(most, open_now)
            await asyncio.sleep(0.05)
            open_now -= 1
            writer.write(answer())
            return True

        async with RawServer(slow) as server, client_at(server.base_url, timeout=0.4) as client:
            await asyncio.gather(*(client.posts.create(post()) for _ in range(60)))
        assert most <= 5
        assert len(server.requests) == 60

    @pytest.mark.parametrize("limit", [None, 100])
    async def test_a_client_has_as_many_connections_as_it_may_and_no_more(self, limit: int | None) -> None:
        """Without a rate limit there was no cap, and with one it was half of it."""
        changes: dict[str, Any] = {"rate_limit": RateLimit(limit=limit), "max_connections": 4}
        async with Sandbox(policy="none", latency=0.2) as sandbox, client_of(sandbox, **changes) as client:
            calls = [asyncio.create_task(client.posts.upcoming()) for _ in range(12)]
            slots = client.connection_slots
            assert slots is not None
            await until(lambda: len(sandbox.ledger.arrivals()) == 4)
            assert slots.in_use == 4
            await asyncio.gather(*calls)
            assert (slots.in_use, slots.waiting) == (0, 0)

    async def test_a_client_without_a_limit_that_closes_ends_those_who_wait_for_a_connection(self) -> None:
        changes: dict[str, Any] = {"rate_limit": RateLimit(limit=None), "max_connections": 1}
        async with Sandbox(latency=3.0) as sandbox:
            async with client_of(sandbox, **changes) as client:
                calls = [asyncio.create_task(client.posts.create(post())) for _ in range(3)]
                await until(lambda: bool(sandbox.ledger.arrivals()))
            results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(each) for each in results] == [OutcomeUnknownError, NotSentError, NotSentError]

    async def test_an_ordinary_call_waits_for_the_socket_of_one_bulk_call_at_most(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transport, "most_connections", lambda: 1)
        order: list[str] = []
        async with Sandbox(latency=0.05) as sandbox, client_of(sandbox) as client:

            async def call(name: str, lane: Lane) -> None:
                await client.with_options(lane=lane).posts.upcoming()
                order.append(name)

            bulk = [asyncio.create_task(call(f"bulk {number}", Lane.BULK)) for number in range(4)]
            await until(lambda: bool(sandbox.ledger.attempts()))
            await call("call", Lane.ORDINARY)
            await asyncio.gather(*bulk)
        assert order == ["bulk 0", "bulk 1", "call", "bulk 2", "bulk 3"]

    @pytest.mark.parametrize("bounds", [{"limit": 5}, {"limit": 0, "limit_per_host": 5}])
    async def test_calls_wait_for_a_place_in_the_pool_of_a_session(self, bounds: dict[str, Any]) -> None:
        """In the pool itself they would wait with their time running, and be of unknown outcome without a byte sent."""

        async def slow(_request: RawRequest, writer: asyncio.StreamWriter) -> bool:
            await asyncio.sleep(0.05)
            writer.write(answer())
            return True

        async with (
            RawServer(slow) as server,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(**bounds)) as session,
            client_at(server.base_url, session=session, timeout=0.4) as client,
        ):
            await asyncio.gather(*(client.posts.create(post()) for _ in range(60)))
        assert server.connections == 5
        assert len(server.requests) == 60

    async def test_calls_that_wait_for_a_socket_end_when_their_client_closes(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transport, "most_connections", lambda: 1)

        async def silent(_request: RawRequest, _writer: asyncio.StreamWriter) -> bool:
            await asyncio.Event().wait()
            return False

        async with RawServer(silent) as server:
            client = client_at(server.base_url)
            await client.open()
            calls = [asyncio.create_task(client.posts.create(post())) for _ in range(5)]
            await until(lambda: bool(server.requests))
            await client.close()
            results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(result) for result in results] == [OutcomeUnknownError] + [NotSentError] * 4

    async def test_calls_wait_when_the_process_has_no_socket_left(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(aiohttp_hooks, "SOCKET_POLL", 0.01)
        failures = [OSError(errno.EMFILE, "Too many open files"), OSError(errno.ENFILE, "Too many open files")]
        connect = cast("Any", aiohttp.TCPConnector)._create_connection

        async def without_sockets(self: Any, req: Any, *further: Any) -> Any:
            if failures:
                raise aiohttp.ClientConnectorError(req.connection_key, failures.pop())
            return await connect(self, req, *further)

        monkeypatch.setattr(aiohttp.TCPConnector, "_create_connection", without_sockets)
        async with (
            RawServer(always(answer())) as server,
            client_at(server.base_url, retry=RetryPolicy(max_attempts=1)) as client,
        ):
            began = time.monotonic()
            assert (await client.posts.create(post())).post_id == 1
        assert time.monotonic() - began >= 2 * aiohttp_hooks.SOCKET_POLL

    def test_the_cap_leaves_files_for_the_rest_of_the_program(self, monkeypatch: pytest.MonkeyPatch) -> None:
        resource = pytest.importorskip("resource", reason="Windows has no such limit")
        for soft, most in ((256, 192), (1024, 768), (2**20, None), (resource.RLIM_INFINITY, None)):
            monkeypatch.setattr(resource, "getrlimit", Mock(return_value=(soft, soft)))
            assert transport.most_connections() == most


class TestHooks:
    """What happens with a version of aiohttp that no longer calls our hooks."""

    async def test_a_client_does_not_open_without_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with RawServer(always(answer())) as server:
            monkeypatch.delattr(ObservedConnector, "connect")
            client = client_at(server.base_url)
            with pytest.raises(ConfigurationError, match=r"aiohttp .* cannot be used"):
                await client.open()

    async def test_a_client_does_not_open_without_client_middlewares(self, monkeypatch: pytest.MonkeyPatch) -> None:
        request = cast("Any", aiohttp.ClientSession)._request

        async def without_middlewares(self: Any, *args: Any, **options: Any) -> Any:
            return await request(self, *args, **options | {"middlewares": None})

        without_middlewares.__module__ = request.__module__
        monkeypatch.setattr(aiohttp.ClientSession, "_request", without_middlewares)
        with pytest.raises(ConfigurationError, match="client middlewares"):
            await client_at("http://localhost:1").open()

    async def test_a_client_does_not_open_if_requests_are_sent_in_another_way(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(aiohttp_hooks, "_watch_send", Mock())
        with pytest.raises(ConfigurationError, match="send"):
            await client_at("http://localhost:1").open()

    async def test_what_was_not_observed_counts_as_sent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with RawServer(always(b"", keep=False)) as server, client_at(server.base_url) as client:
            monkeypatch.delattr(ObservedConnector, "connect")
            with pytest.raises(OutcomeUnknownError):
                await client.posts.create(post("once"))
            assert published(server) == ["once"]

    async def test_what_was_not_observed_and_timed_out_counts_as_sent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def silent(_request: RawRequest, _writer: asyncio.StreamWriter) -> bool:
            await asyncio.Event().wait()
            return False

        async with RawServer(silent) as server, client_at(server.base_url, timeout=0.3) as client:
            monkeypatch.delattr(ObservedConnector, "connect")
            with pytest.raises(OutcomeUnknownError):
                await client.posts.create(post("once"))
            assert published(server) == ["once"]

    async def test_opening_sends_nothing(self) -> None:
        async with RawServer(always(answer())) as server, client_at(server.base_url):
            assert server.connections == 0


@pytest.mark.usefixtures("own_limiters")
async def test_a_permit_is_written_before_its_stamp(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stamp must never be earlier than the write, or the guard of the limit is too short."""
    order: list[str] = []
    note = cast("Any", aiohttp_hooks)._note_written

    def noted(*arguments: Any) -> None:
        order.append("stamped")
        note(*arguments)

    monkeypatch.setattr(aiohttp_hooks, "_note_written", noted)
    async with (
        RawServer(always(answer())) as server,
        client_at(server.base_url, rate_limit=RateLimit()) as client,
    ):
        await client.posts.create(post())
        write = asyncio.selector_events._SelectorSocketTransport.write  # type: ignore[attr-defined]

        def written(self: Any, data: Any) -> None:
            if b"create-post" in bytes(data)[:100] or b"upcoming-posts" in bytes(data)[:100]:
                order.append("written")
            write(self, data)

        monkeypatch.setattr(asyncio.selector_events._SelectorSocketTransport, "write", written)  # type: ignore[attr-defined]
        order.clear()
        for call in (client.posts.create(post()), client.posts.upcoming()):
            with contextlib.suppress(InvalidResponseError):
                await call
    assert order == ["written", "stamped"] * 2


async def test_a_host_that_accepts_and_never_speaks_is_unknown_for_a_write() -> None:
    async def accept(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(accept) as port, client_at(f"http://127.0.0.1:{port}", timeout=0.3) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.posts.create(post())
