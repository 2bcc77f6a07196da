"""The access token is in one header of the request and nowhere else, whatever a server does with it.

Looked at: ``str``, ``repr``, pickle and attributes of every error and event, tracebacks with local variables (what
crash reporters and ``pytest -l`` show), logs at DEBUG, and every object that can be reached from a client.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import dataclasses
import json
import logging
import pickle
import pprint
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FrameType
from typing import Any, cast
from urllib.parse import quote, quote_plus

import aiohttp
import pytest

from marketingblocks_async import (
    AuthenticationError,
    ConfigurationError,
    HttpAnswer,
    HttpRequest,
    MarketingBlocks,
    MarketingBlocksError,
    RateLimit,
    Send,
)
from marketingblocks_async.configuration import Secret
from marketingblocks_async.sandbox import Sandbox
from tests.support.clients import CALLS, TOKEN, client_at, client_of, post
from tests.support.raw_server import RawRequest, RawServer, Respond, always, answer, listening

pytestmark = pytest.mark.usefixtures("own_limiters")

NEEDLE = "XyzzyNeedle"
"""The part of each token that is looked for; it looks the same in every way of writing."""

TOKENS = {
    "plain": f"mb_live_{NEEDLE}_0123",
    # What Laravel Sanctum makes, and the documented host looks like Laravel.
    "sanctum": f"42|{NEEDLE}/abc+def=",
    # All that is written differently somewhere.
    "awkward": f'42|a"b\\c&d%e<{NEEDLE}>/f+g=',
}


def spread(text: str) -> str:
    """Return ``text`` as JSON that escapes every character but the needle's."""
    return "".join(char if char in NEEDLE else f"\\u{ord(char):04x}" for char in text)


def html(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")


def http(status: str, body: str = "{}", **headers: str) -> bytes:
    return answer(body.encode(), status, {name.replace("_", "-"): value for name, value in headers.items()})


# What a server may make of the token. Those that end the connection are in the second table.
ECHOES: dict[str, Callable[[str], bytes]] = {
    "in the body of a 500": lambda token: http("500 Error", f"Authorization: Bearer {token}"),
    "in the message of a 401": lambda token: http("401 No", json.dumps({"message": f"unknown token {token}"})),
    "in the message of a 401, escaped by PHP": lambda token: http(
        "401 No", json.dumps({"message": f"unknown token {token}"}).replace("/", "\\/")
    ),
    "in the message of a 401, all escaped": lambda token: http("401 No", f'{{"message": "unknown {spread(token)}"}}'),
    "as a key of the body of a 400": lambda token: http("400 No", json.dumps({"errors": {token: ["unknown"]}})),
    "deep in the body of a 422": lambda token: http("422 No", json.dumps({"errors": {"a": [{"b": [token]}]}})),
    "in the body of a 404, as HTML": lambda token: http("404 No", f"<p>{html(token)}</p>"),
    "in the body of a 502, in a URL": lambda token: http("502 No", f"https://x/?t={quote(token, safe='')}"),
    "in the body of a 502, in a URL's path": lambda token: http("502 No", f"https://x/{quote(token)}"),
    "in the body of a 502, in a form": lambda token: http("502 No", f"t={quote_plus(token)}"),
    "in the body of a 502, in a lower-case URL": lambda token: http(
        "502 No", quote(token, safe="").replace("%2F", "%2f").replace("%7C", "%7c").replace("%5C", "%5c")
    ),
    "in a header of a 401": lambda token: http("401 No", X_Echo=f"Bearer {token}"),
    "in a header of a 200 that says false": lambda token: http("200 OK", '{"status": false}', X_Echo=token),
    "in a header of a 200 that is no JSON": lambda token: http("200 OK", "<html>", X_Echo=token),
    "in a 200 that is no JSON": lambda token: http("200 OK", f"hello {token}"),
    "in a 200 of another shape": lambda token: http("200 OK", json.dumps([{"t": token}])),
    "in a 200 that says false": lambda token: http("200 OK", json.dumps({"status": False, "message": token})),
    "in the reason": lambda token: http(f"500 {token}"),
    "in the reason of a 200": lambda token: http(f"200 {token}", "no JSON"),
    "in Retry-After": lambda token: http("429 No", Retry_After=token),
    "in Location": lambda token: http("302 Found", Location=f"https://x.example/?t={token}"),
    "in Location, encoded": lambda token: http("302 Found", Location=f"https://x.example/{quote(token)}"),
    "in Set-Cookie": lambda token: http("403 No", Set_Cookie=f"t={quote(token, safe='')}"),
    "in WWW-Authenticate": lambda token: http("401 No", WWW_Authenticate=f'Bearer realm="{token}"'),
}

BROKEN: dict[str, Callable[[str], bytes]] = {
    "as the status line": lambda token: f"{token} is no HTTP\r\n\r\n".encode(),
    "in the status line": lambda token: f"HTTP/1.1 {token}\r\n\r\n".encode(),
    "in a malformed header": lambda token: f"HTTP/1.1 200 OK\r\nX: {token}\x00\r\n\r\n".encode(),
    "in a malformed header's name": lambda token: f"HTTP/1.1 200 OK\r\nX {token}: 1\r\n\r\n".encode(),
    "as the length": lambda token: f"HTTP/1.1 200 OK\r\nContent-Length: {token}\r\n\r\n".encode(),
    "as a chunk": lambda token: f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{token}\r\n".encode(),
    "in a long header": lambda token: f"HTTP/1.1 200 OK\r\nX: {token * 900}\r\n\r\n".encode(),
    "in a body that breaks off": lambda token: f"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{token}".encode(),
    "in a body that is not compressed": lambda token: (
        f"HTTP/1.1 200 OK\r\nContent-Length: {len(token)}\r\nContent-Encoding: gzip\r\n\r\n{token}".encode()
    ),
}


def echo(write: Callable[[str], bytes], *, keep: bool) -> Respond:
    async def respond(request: RawRequest, writer: asyncio.StreamWriter) -> bool:
        writer.write(write((request.header("Authorization") or "").removeprefix("Bearer ")))
        return keep

    return respond


def frames(error: BaseException) -> Iterator[FrameType]:
    """Yield the frames that a crash report of ``error`` would show."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        each = pending.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        for frame, _ in traceback.walk_tb(each.__traceback__):
            yield frame
        pending.append(each.__cause__)
        if not each.__suppress_context__:
            pending.append(each.__context__)


def shown(error: BaseException) -> dict[str, str]:
    """Return all that a program might print, log or store of an error, by what it is."""
    texts = {
        "str": str(error),
        "repr": repr(error),
        "attributes": repr(vars(error)),
        "pickle": repr(pickle.dumps(error)),
        "traceback": "".join(traceback.format_exception(error)),
        "copy": repr(vars(copy.deepcopy(error))),
    }
    for frame in frames(error):
        # The frames of the test itself have the token on purpose.
        if "/tests/" not in frame.f_code.co_filename:
            for name, value in frame.f_locals.items():
                texts[f"local variable {name} of {frame.f_code.co_name}"] = repr(value)
    return texts


def leaks(texts: dict[str, str]) -> list[str]:
    return [what for what, text in texts.items() if NEEDLE in text]


async def caught(call: Any) -> MarketingBlocksError | None:
    # In a function of its own, so that no frame of a test holds the error.
    try:
        await call
    except MarketingBlocksError as error:
        return error
    return None


@pytest.mark.parametrize("where", [*ECHOES, *BROKEN])
async def test_a_token_that_the_server_sends_back_is_shown_nowhere(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    token = TOKENS["awkward"]
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    events: list[Any] = []
    observers = dict.fromkeys(("on_attempt", "on_retry", "on_throttle", "on_outcome"), events.append)
    respond = echo((ECHOES | BROKEN)[where], keep=where in ECHOES)
    found: list[str] = []
    async with RawServer(respond) as server, client_at(server.base_url, token=token, **observers) as client:
        for name in ("create-post", "find-post"):
            error = await caught(CALLS[name](client))
            if error is not None:
                found += [f"{name}: {what}" for what in leaks(shown(error))]
        assert server.requests[0].header("Authorization") == f"Bearer {token}"
    assert events
    found += leaks({f"event {type(event).__name__}": f"{event!r}{pickle.dumps(event)!r}" for event in events})
    found += leaks({"log": caplog.text, "log records": repr([vars(record) for record in caplog.records])})
    assert found == []


async def test_a_response_that_shows_the_token_is_still_the_error_of_its_status() -> None:
    async with (
        RawServer(echo(lambda token: http("401 No", f"unknown token {token}"), keep=True)) as server,
        client_at(server.base_url) as client,
    ):
        with pytest.raises(AuthenticationError) as caught:
            await client.posts.create(post())
    assert caught.value.body == "unknown token ***"


async def test_a_header_that_is_named_after_the_token_is_not_shown_either() -> None:
    token = f"mb-{NEEDLE}"
    respond = echo(lambda sent: http("401 No", **{sent: "unknown"}), keep=True)
    async with RawServer(respond) as server, client_at(server.base_url, token=token) as client:
        error = await caught(client.posts.create(post()))
        assert error is not None
        assert leaks(shown(error)) == []


@pytest.mark.parametrize(
    "fault", ["echo_authorization", "commit_then_drop", "reset", "truncated_json", "huge_body:mib=2"]
)
async def test_the_faults_of_the_sandbox_show_no_token_in_tracebacks_with_local_variables(fault: str) -> None:
    secret = TOKENS["plain"]
    async with Sandbox(tokens=[], faults=[fault]) as sandbox:
        sandbox.add_token(secret=secret)
        async with client_of(sandbox, token=secret, max_response_bytes=2**20) as client:
            for call in CALLS.values():
                error = await caught(call(client))
                assert error is None or leaks(shown(error)) == []


async def test_connection_errors_show_no_token() -> None:
    for root in ("http://127.0.0.1:1", "https://nowhere.invalid"):
        async with client_at(root, token=TOKENS["plain"]) as client:
            error = await caught(client.posts.create(post()))
            assert error is not None
            assert leaks(shown(error)) == []


async def test_a_connection_that_breaks_while_a_large_request_is_written_shows_no_token() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async with listening(hang_up) as port, client_at(f"http://127.0.0.1:{port}", token=TOKENS["plain"]) as client:
        for size in (10, 200_000, 3_000_000):
            error = await caught(client.request("POST", "x", json="x" * size))
            assert error is not None
            assert leaks(shown(error)) == []


# Mistakes in setting a client up: what is wrong is often the token itself, with a line break at its end.


def set_up_badly(**settings: Any) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as failed:
        MarketingBlocks(**settings)
    return failed.value


@pytest.mark.parametrize(
    "settings",
    [
        {"token": f"{NEEDLE}\n"},
        {"token": f" {NEEDLE}"},
        {"token": f"{NEEDLE} {NEEDLE}"},
        {"token": f"ä{NEEDLE}"},
        {"token": NEEDLE.encode()},
        {"token": NEEDLE, "base_url": "http://example.com"},
        {"token": NEEDLE, "timeout": 0},
        {"token": NEEDLE, "deadline": -1},
        {"token": NEEDLE, "retry": 3},
        {"token": NEEDLE, "rate_limit": 3},
        {"token": NEEDLE, "max_response_bytes": 0},
        {"token": NEEDLE, "docs_url": "ftp://x"},
    ],
    ids=str,
)
def test_a_setting_that_cannot_work_is_refused_without_showing_the_token(settings: dict[str, Any]) -> None:
    assert leaks(shown(set_up_badly(**settings))) == []


def test_a_token_from_the_environment_that_cannot_be_one_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETINGBLOCKS_API_TOKEN", f"{NEEDLE}\n")
    assert leaks(shown(set_up_badly())) == []


def test_another_token_that_is_missing_is_not_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """``with_token(tokens.get("name"))`` would publish with another account."""
    monkeypatch.setenv("MARKETINGBLOCKS_API_TOKEN", "environment")
    tokens: Any = {}
    with pytest.raises(ConfigurationError, match="give the other access token"):
        MarketingBlocks("valid").with_token(tokens.get("name"))


def test_another_token_that_cannot_be_one_is_not_shown() -> None:
    client = MarketingBlocks("valid")
    with pytest.raises(ConfigurationError) as failed:
        client.with_token(f"{NEEDLE}\n")
    assert leaks(shown(failed.value)) == []


def test_a_client_that_could_not_be_set_up_can_still_be_shown() -> None:
    """Crash reporters print ``self``; a ``repr`` that raises takes the report of the real error with it."""
    error = set_up_badly(token="valid", timeout=0)
    report = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "timeout=0" in report


async def test_two_clients_with_different_limits_are_refused_without_showing_the_token() -> None:
    async with RawServer(always(answer())) as server:
        one = client_at(server.base_url, token=TOKENS["plain"], rate_limit=RateLimit())
        two = client_at(server.base_url, token=TOKENS["plain"], rate_limit=RateLimit(limit=5))
        async with one:
            error = await caught(two.open())
        assert isinstance(error, ConfigurationError)
        assert leaks(shown(error)) == []


# At rest.


OURS = ("marketingblocks_async", "aiohttp", "asyncio")


def everything_of(root: object) -> Iterator[object]:
    """Yield all that can be reached from an object through containers and through attributes of ours and aiohttp's."""
    seen: set[int] = set()
    pending: list[Any] = [root]
    while pending:
        value: Any = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield value
        further: Iterable[Any] = ()
        if isinstance(value, Mapping):
            further = [part for pair in cast("Any", value).items() for part in pair]
        elif isinstance(value, list | tuple | set | frozenset | deque):
            further = cast("Iterable[Any]", value)
        elif type(value).__module__.startswith(OURS):
            slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
            further = [getattr(value, name) for name in slots if hasattr(value, name)]
            further += getattr(value, "__dict__", {}).values()
        pending.extend(further)


async def test_a_client_and_all_its_parts_can_be_printed() -> None:
    async with Sandbox() as sandbox:
        sandbox.add_token(secret=TOKENS["sanctum"])
        async with client_of(sandbox, token=TOKENS["sanctum"]) as client:
            copy_of_it = client.with_token(TOKENS["sanctum"]).with_options(timeout=1)
            await copy_of_it.posts.create(post())
            parts = [*everything_of(client), *everything_of(copy_of_it)]
            assert any(isinstance(part, Secret) for part in parts)
            for part in parts:
                # Somebody who asks for the token itself gets it; somebody who prints an object does not.
                assert NEEDLE not in repr(part)
                assert NEEDLE not in pprint.pformat(part)
                if not isinstance(part, str):
                    assert NEEDLE not in str(part)
                    assert NEEDLE not in f"{part}"


async def test_a_client_is_neither_pickled_nor_copied_by_accident() -> None:
    client = MarketingBlocks(TOKENS["plain"])
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="client"):
            attempt(client)


async def test_an_open_client_holds_the_token_in_no_other_form_than_one_that_hides_it() -> None:
    refuse = echo(lambda sent: http("401 No", json.dumps({"message": sent})), keep=True)
    async with RawServer(refuse) as server, client_at(server.base_url, token=TOKENS["plain"]) as client:
        for name in ("create-post", "upcoming-posts"):
            assert await caught(CALLS[name](client)) is not None
        parts = [*everything_of(client)]
        assert sum(isinstance(part, Secret) for part in parts) >= 2
        # Also the pooled connection, and what it last wrote and read.
        assert any(type(part).__name__.endswith("Transport") for part in parts)
        texts = [part for part in parts if isinstance(part, str | bytes | bytearray) and not isinstance(part, Secret)]
        needle: Any
        for text in texts:
            needle = NEEDLE if isinstance(text, str) else NEEDLE.encode()
            assert needle not in text


# On the wire.


async def test_the_token_is_in_one_header_and_nowhere_else_on_the_wire() -> None:
    async with RawServer(always(answer())) as server, client_at(server.base_url, token=TOKENS["sanctum"]) as client:
        for call in CALLS.values():
            await caught(call(client))
        await client.request("POST", "x", params={"a": 1}, json={"b": 2})
        assert len(server.requests) == len(CALLS) + 1
        for request in server.requests:
            assert request.header("Authorization") == f"Bearer {TOKENS['sanctum']}"
            assert (request.head + request.body).count(NEEDLE.encode()) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("given", [False, True])
async def test_a_redirect_is_not_followed_and_the_token_goes_to_no_other_host(status: int, given: bool) -> None:
    async with RawServer(always(answer())) as other, contextlib.AsyncExitStack() as stack:
        away = always(answer(b"", f"{status} Elsewhere", {"Location": f"{other.base_url}/x"}))
        server = await stack.enter_async_context(RawServer(away))
        session = await stack.enter_async_context(aiohttp.ClientSession()) if given else None
        client = await stack.enter_async_context(client_at(server.base_url, session=session))
        for call in (client.posts.create(post()), client.posts.get(1), client.request("HEAD", "x")):
            error = await caught(call)
            # After a 303 a write may have been carried out, which is another error with this one as its cause.
            assert error is not None
            assert status in (getattr(error, "status_code", None), getattr(error.__cause__, "status_code", None))
        assert len(server.requests) == 3
        assert other.requests == []


async def test_a_middleware_neither_sees_the_token_nor_can_replace_it() -> None:
    seen: list[HttpRequest] = []

    async def meddle(request: HttpRequest, send: Send) -> HttpAnswer:
        seen.append(request)
        mine = dict.fromkeys(("Authorization", "authorization", "AUTHORIZATION"), "Bearer mine")
        headers = dict(request.headers) | mine
        return await send(dataclasses.replace(request, headers=headers))

    async with RawServer(always(answer())) as server:
        async with client_at(server.base_url, token=TOKENS["plain"], middlewares=[meddle]) as client:
            await client.posts.create(post())
        # Not even as an object that hides it.
        assert "authorization" not in {name.lower() for name in seen[0].headers}
        assert NEEDLE not in repr(seen)
        assert server.requests[0].head.lower().count(b"authorization") == 1
        assert server.requests[0].header("Authorization") == f"Bearer {TOKENS['plain']}"


async def test_each_copy_sends_its_own_token() -> None:
    async with RawServer(always(answer())) as server, client_at(server.base_url) as client:
        others = [client.with_token(f"token-number-{number}") for number in range(20)]
        await asyncio.gather(*(other.posts.create(post(str(number))) for number, other in enumerate(others)))
        await client.posts.create(post("own"))
        sent = {
            json.loads(request.body)["caption_text"]: request.header("Authorization") for request in server.requests
        }
        assert sent == {str(number): f"Bearer token-number-{number}" for number in range(20)} | {
            "own": f"Bearer {TOKEN}"
        }


async def test_a_cookie_that_one_token_got_is_not_sent_with_another() -> None:
    """A session cookie stands for an account, as a token does."""
    cookie = always(answer(headers={"Set-Cookie": "session=of-the-first-account; Path=/"}))
    async with RawServer(cookie) as server, client_at(server.base_url) as client:
        await client.posts.create(post())
        await client.with_token("of-another-account").posts.create(post())
        assert server.requests[1].header("Cookie") is None


async def test_questions_to_the_documentation_carry_no_token_wherever_they_are_redirected() -> None:
    async with RawServer(always(answer(b"an answer"))) as server:
        docs_url = server.base_url.removesuffix("/api/v1")
        async with client_at("http://localhost:1", docs_url=docs_url, token=TOKENS["plain"]) as client:
            assert await client.docs.ask("why?") == "an answer"
            assert await client.with_token(TOKENS["sanctum"]).docs.ask("why?") == "an answer"
        assert NEEDLE.encode() not in b"".join(request.head for request in server.requests)
        assert all(request.header("Authorization") is None for request in server.requests)
