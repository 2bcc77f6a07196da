"""Proxies of the environment and of the settings, and authorities of one's own."""

from __future__ import annotations

import ssl
import sys
import warnings
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from marketingblocks_async import CallError, ConfigurationError
from marketingblocks_async.transport.proxies import Proxies
from tests.support.clients import client_at, post
from tests.support.raw_server import RawServer, always, answer

API = "https://api.example.invalid/api/v1"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
async def test_the_proxy_of_the_environment_is_asked(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with RawServer(always(answer(b"", "502 Bad Gateway"))) as proxy:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
        async with client_at(API) as client:
            with pytest.raises(CallError):
                await client.posts.create(post())
        assert {request.head.split(b"\r\n")[0] for request in proxy.requests} == {
            b"CONNECT api.example.invalid:443 HTTP/1.1"
        }
        assert all(b"Authorization: Bearer" not in request.head for request in proxy.requests)


async def test_an_argument_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    async with RawServer(always(answer(b"", "502 Bad Gateway"))) as proxy:
        async with client_at(API, proxy=f"http://user:word@127.0.0.1:{proxy.port}") as client:
            with pytest.raises(CallError):
                await client.posts.create(post())
        assert b"Proxy-Authorization: Basic" in proxy.requests[0].head


@pytest.mark.parametrize("no_proxy", ["example.invalid", "api.example.invalid", "*"])
def test_no_proxy_is_heeded(no_proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert Proxies(None).of(URL(API)) == "http://proxy.example:3128"
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert Proxies(None).of(URL(API)) is None


@pytest.mark.parametrize(
    ("no_proxy", "address"),
    [
        ("api.internal:8443", "https://api.internal:8443/api/v1"),
        ("x, .internal:8443", "https://api.internal:8443/api/v1"),
        ("api.internal:443", "https://api.internal/api/v1"),
        ("fd00::1", "https://[fd00::1]:8443"),
        ("[fd00::1]:8443", "https://[fd00::1]:8443"),
    ],
)
def test_no_proxy_may_have_a_port(no_proxy: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert Proxies(None).of(URL(address)) is None


@pytest.mark.parametrize(
    ("no_proxy", "address", "is_heeded"),
    [
        ("localhost, 10.0.0.0/8", "https://10.1.2.3:8443/api/v1", True),
        ("10.1.2.3/8", "https://10.9.9.9", True),
        ("fd00::/8,x/y", "https://[fd00::1]:8443", True),
        ("10.0.0.0/8,fd00::/8", "https://11.1.2.3", False),
        ("10.0.0.0/8", "https://api.internal", False),
    ],
)
def test_no_proxy_may_have_networks(
    no_proxy: str, address: str, is_heeded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert (Proxies(None).of(URL(address)) is None) is is_heeded


def test_each_address_has_its_own_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://secure.example:3128")
    monkeypatch.setenv("HTTP_PROXY", "http://plain.example:3128")
    monkeypatch.setenv("NO_PROXY", "api.internal:8443")
    proxies = Proxies(None)
    assert [proxies.of(URL(f"{address}/x")) for address in ("https://e.com", "http://e.com", "https://e.com")] == [
        "http://secure.example:3128",
        "http://plain.example:3128",
        "http://secure.example:3128",
    ]
    assert proxies.of(URL("https://api.internal:8443")) is None
    assert proxies.of(URL("https://api.internal:8444")) == "http://secure.example:3128"


def test_loopback_addresses_need_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "proxy.example:3128")
    assert Proxies(None).of(URL("https://example.com")) == "http://proxy.example:3128"
    assert Proxies(None).of(URL("http://127.0.0.1:8080/api/v1")) is None
    assert not Proxies("")


async def test_a_proxy_that_cannot_be_used_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://user:hunter2@127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY names a proxy of the kind 'socks5'") as refused:
        async with client_at(API):
            pass
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "value"), [("NO_PROXY", "example.invalid"), ("HTTPS_PROXY", "http://proxy.example:3128")]
)
async def test_a_proxy_that_cannot_be_used_is_refused_only_where_it_would_be(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many machines have a SOCKS proxy for other programs."""
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    monkeypatch.setenv(variable, value)
    async with client_at(API):
        pass


async def test_a_session_of_its_own_way_does_not_need_the_environment_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    async with aiohttp.ClientSession() as session, client_at(API, session=session) as client:
        # The documentation has a pool of its own.
        with pytest.raises(ConfigurationError, match="ALL_PROXY names a proxy of the kind 'socks5'"):
            await client.docs.ask("How do I create a post?")


@pytest.mark.parametrize(
    "address",
    ["http://user:hunter2@a..b:1", f"http://{'a' * 64}", "http://u:hunter2@a:99999", "http://[::1", "http://"],
)
async def test_what_is_no_address_of_a_proxy_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(ConfigurationError, match="proxy is no address of a proxy; write http:") as refused:
        async with client_at(API, proxy=address):
            pass
    assert "hunter2" not in str(refused.value)


async def test_settings_that_do_not_reach_a_session_are_refused() -> None:
    async with aiohttp.ClientSession() as session:
        for options in ({"proxy": "http://127.0.0.1:1"}, {"ssl_context": ssl.create_default_context()}):
            with pytest.raises(ConfigurationError, match="set them on the session"):
                client_at(API, session=session, **options)


async def test_a_session_with_credentials_of_its_own_is_refused() -> None:
    with warnings.catch_warnings():
        # aiohttp 3.14 deprecates it, and still takes it.
        warnings.simplefilter("ignore", DeprecationWarning)
        session = aiohttp.ClientSession(auth=aiohttp.BasicAuth("user", "word"))
    async with session:
        with pytest.raises(ConfigurationError, match="takes the place of the access token"):
            async with client_at(API, session=session):
                pass


@pytest.mark.parametrize(
    "address",
    [
        "http://user:p#ss@proxy:3128",
        "user:p/ss@proxy:3128",
        "http://user:p?ss@proxy:3128",
        "http://p:ss@proxy:808O",
        "http://p:ss@[::1",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_without_its_password(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    with pytest.raises(ConfigurationError, match=r"HTTPS_PROXY is no address of a proxy.*%23 for #") as caught:
        Proxies(None).of(URL(API))
    assert "ss@" not in f"{caught.value!r} {caught.value.__cause__!r}"


CREDENTIALS = "machine api.example.invalid login user password word\nmachine 127.0.0.1 login user password word\n"


@pytest.mark.parametrize("place", ["NETRC", "HOME"])
async def test_a_session_that_takes_credentials_from_netrc_is_refused_when_the_client_opens(
    place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / ("_netrc" if sys.platform == "win32" else ".netrc")
    file.write_text(CREDENTIALS)
    monkeypatch.delenv("NETRC", raising=False)
    if place == "NETRC":
        monkeypatch.setenv("NETRC", str(file))
    else:
        monkeypatch.setenv("USERPROFILE" if sys.platform == "win32" else "HOME", str(tmp_path))
    async with aiohttp.ClientSession(trust_env=True) as session:
        client = client_at(API, session=session)
        with pytest.raises(ConfigurationError, match=r"\.netrc has credentials for api\.example\.invalid") as refused:
            await client.open()
        assert "word" not in str(refused.value)
        async with client_at("https://other.example.invalid", session=session):
            pass
    async with aiohttp.ClientSession() as session, client_at(API, session=session):
        pass


async def test_credentials_that_come_into_netrc_later_are_refused_at_the_call(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "netrc"
    monkeypatch.setenv("NETRC", str(file))
    async with (
        RawServer(always(answer())) as server,
        aiohttp.ClientSession(trust_env=True) as session,
        client_at(server.base_url, session=session) as client,
    ):
        file.write_text(CREDENTIALS)
        with pytest.raises(ConfigurationError, match=r"credentials from \.netrc"):
            await client.posts.create(post())
        assert server.requests == []
