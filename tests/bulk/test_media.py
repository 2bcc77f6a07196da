"""Addresses of media are asked once each, within bounds, and what cannot be fetched is a warning."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable

import pytest
from aiohttp import web

from marketingblocks_async import ConfigurationError
from marketingblocks_async.bulk import amake_plan, check_media, media_requests
from marketingblocks_async.bulk import media as media_module
from tests.support.raw_server import RawRequest, RawServer
from tests.support.workbooks import fields


class FileServer:
    """A server with files, pages, and faults by name."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.at_once = self.most_at_once = 0
        self.base = ""
        self.hold = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.asked[f"{request.method} {name}"] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0)
            if name == "slow.jpg":
                await self.hold.wait()
            if name == "moved.jpg":
                return web.Response(status=302, headers={"Location": "/good.jpg"})
            if name.startswith("no-head") and request.method == "HEAD":
                return web.Response(status=405)
            if name == "missing.jpg":
                return web.Response(status=404)
            kind = "text/html" if name.endswith(".html") else "image/jpeg"
            return web.Response(body=b"x", content_type=kind)
        finally:
            self.at_once -= 1


@pytest.fixture
async def server() -> AsyncIterator[FileServer]:
    files = FileServer()
    app = web.Application()
    app.router.add_route("*", "/{name}", files.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    files.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield files
    files.hold.set()
    await runner.cleanup()


async def test_what_cannot_be_fetched_is_named_with_the_reason(server: FileServer) -> None:
    names = ("good.jpg", "moved.jpg", "no-head.jpg", "missing.jpg", "page.html")
    found = await check_media([f"{server.base}/{name}" for name in names])
    assert found == {
        f"{server.base}/missing.jpg": "the server answers 404",
        f"{server.base}/page.html": "it is a web page, not a file",
    }
    assert server.asked["GET good.jpg"] == 0
    assert server.asked["GET no-head.jpg"] == 1


async def test_a_server_that_does_not_answer_or_is_not_there(server: FileServer) -> None:
    slow, nowhere = f"{server.base}/slow.jpg", "http://127.0.0.1:9/a.jpg"
    found = await check_media([slow, nowhere], timeout=0.2)
    assert found[slow] == "the server does not answer in time"
    assert "cannot be reached" in found[nowhere]


async def test_addresses_are_asked_through_the_proxy_of_the_environment(
    server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each as ``NO_PROXY`` says, and loopback addresses never."""
    picture = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 0\r\n\r\n"

    async def respond(request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"SSH-2.0\r\n\r\n" if request.line.startswith("CONNECT") else picture)
        return False

    async with RawServer(respond) as proxy:
        for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.setenv("ALL_PROXY", f"http://user:pass-word@127.0.0.1:{proxy.port}")
        # Nothing listens there, and it is no loopback address.
        monkeypatch.setenv("NO_PROXY", "0.0.0.0:9")
        direct = "http://0.0.0.0:9/a.png"
        secure = "https://media.invalid/a.png"
        found = await check_media(["http://media.invalid/a.png", secure, direct, f"{server.base}/good.jpg"])
    assert found.keys() == {direct, secure}
    assert "pass-word" not in str(found)
    lines = {request.line for request in proxy.requests}
    assert lines == {"CONNECT media.invalid:443 HTTP/1.1", "HEAD http://media.invalid/a.png HTTP/1.1"}
    assert server.asked["HEAD good.jpg"] == 1


async def test_a_proxy_that_cannot_be_used_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY names a proxy of the kind 'socks5'"):
        await check_media(["https://media.invalid/a.png"])


async def test_no_more_than_a_few_are_asked_at_a_time(server: FileServer) -> None:
    assert await check_media([f"{server.base}/{number}.jpg" for number in range(100)], concurrency=3) == {}
    assert server.most_at_once <= 3


async def test_a_plan_asks_each_address_once_and_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def check(addresses: Iterable[str]) -> dict[str, str]:
        asked.extend(addresses)
        await asyncio.sleep(0)
        return {"https://e.com/b.jpg": "the server answers 404"}

    monkeypatch.setattr(media_requests, "check_media", check)
    tweets = [{"message": "m", "media_urls": ["https://e.com/b.jpg"]}]
    rows = [
        fields(media_urls=["https://e.com/a.jpg"]),
        fields(media_urls=["https://e.com/a.jpg"], twitter_threads=tweets),
    ]
    plan = await amake_plan(rows, check_media=True)
    assert asked == ["https://e.com/a.jpg", "https://e.com/b.jpg"]
    assert plan.ok
    [warning] = [each for each in plan.warnings if "the server answers 404" in each.message]
    assert (warning.row, warning.column) == (2, "media_urls")


async def test_a_plan_says_that_it_did_not_ask_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_module, "MOST_ADDRESSES", 2)

    async def nothing_is_wrong(_addresses: Iterable[str]) -> dict[str, str]:
        await asyncio.sleep(0)
        return {}

    monkeypatch.setattr(media_requests, "check_media", nothing_is_wrong)
    plan = await amake_plan([fields(media_urls=[f"https://e.com/{n}.jpg"]) for n in range(5)], check_media=True)
    assert [warning.message for warning in plan.warnings] == ["only the first 2 addresses were asked"]
