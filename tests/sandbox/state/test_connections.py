from __future__ import annotations

import pytest

from tests.support.sandbox import Running


async def start(running: Running, user: str = "u-1", redirect: str | None = None) -> str:
    body = {"userId": user} if redirect is None else {"userId": user, "redirectUrl": redirect}
    reply = (await running.call("POST", "connect-channel", json=body)).json()
    assert {*reply} == {"connect_url", "connect_token"}
    assert reply["connect_url"].startswith(running.root)
    return str(reply["connect_url"])


async def test_the_button_connects_and_sends_the_user_back() -> None:
    async with Running() as running:
        url = await start(running, redirect="https://app.example/back?state=a%20b")
        page = await running.fetch("GET", url)
        assert page.status == 200
        assert page.headers["Content-Type"] == "text/html"
        assert b'<form method="post">' in page.body
        assert running.sandbox.connections.all()[0].channel_id is None
        done = await running.fetch("POST", url)
        assert done.status == 303
        channel_id = running.sandbox.connections.all()[0].channel_id
        assert channel_id is not None
        assert done.headers["Location"] == f"https://app.example/back?state=a+b&channel_id={channel_id}"


async def test_pressing_twice_connects_once() -> None:
    async with Running() as running:
        first, second = await start(running), await start(running)
        for url in (first, first, second):
            assert (await running.fetch("POST", url)).status == 200
        ids = [connection.channel_id for connection in running.sandbox.connections.all()]
        assert ids == [501, 502]
        assert b"501 is connected" in (await running.fetch("GET", first)).body


@pytest.mark.parametrize(
    "redirect",
    ["myapp://back", "javascript:alert(1)", "data:text/html,x", "//evil.example", "http://", "http://[", "a\r\nX: y"],
)
async def test_only_web_addresses_are_redirected_to(redirect: str) -> None:
    async with Running() as running:
        done = await running.fetch("POST", await start(running, redirect=redirect))
        assert done.status == 200
        assert "Location" not in done.headers
        assert b"connected" in done.body


async def test_everything_shown_is_escaped() -> None:
    evil = '<script>alert("1")</script>&\'\ud800'
    async with Running() as running:
        url = await start(running, evil, redirect="app:" + evil)
        for page in (await running.fetch("GET", url), await running.fetch("POST", url)):
            assert page.status == 200
            assert b"<script>" not in page.body
            assert b"&lt;script&gt;" in page.body


@pytest.mark.parametrize(("method", "path"), [("GET", "connect/unknown"), ("GET", "connect/"), ("POST", "connect/x")])
async def test_an_unknown_connection_is_no_page(method: str, path: str) -> None:
    async with Running() as running:
        assert (await running.fetch(method, f"{running.root}/{path}")).status == 401


async def test_sign_ins_are_writes_in_the_ledger() -> None:
    async with Running() as running:
        await start(running)
        (commit,) = running.sandbox.ledger.commits
        assert commit.endpoint == "connect-channel"
        assert commit.id == running.sandbox.connections.all()[0].token
        await running.sandbox.reset()
        assert running.sandbox.connections.all() == ()
