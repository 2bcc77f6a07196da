"""``marketingblocks doctor``: check the configuration, the server, the clock and the access token."""

from __future__ import annotations

import platform
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import typer

from marketingblocks_async.cli.command import command, new_app
from marketingblocks_async.cli.errors import ExitCode
from marketingblocks_async.cli.settings import Settings, run_async

if TYPE_CHECKING:
    from marketingblocks_async import MarketingBlocks, MarketingBlocksError

LIBRARIES = ("marketingblocks-async", "aiohttp", "aiolimiter", "pydantic", "tenacity", "typer", "rich", "openpyxl")
LARGEST_CLOCK_DIFFERENCE = 5.0
"""Seconds. The Date header has whole seconds, and the response takes a while."""

REACH_TIMEOUT = 10.0

OK, WARNING, FAILED, UNCHECKED = "ok", "warning", "failed", "not checked"

app: typer.Typer = new_app()


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check: ``ok``, ``warning``, ``failed`` or ``not checked``.

    The detail is the finding, with the next step if it is not right; or why it was not checked.
    """

    name: str
    status: str
    detail: str


@dataclass(frozen=True, slots=True)
class _Reached:
    check: Check
    date: str | None
    at: float


@command(app, "doctor", examples="marketingblocks doctor\nmarketingblocks doctor --json")
def doctor(settings: Settings) -> ExitCode:
    """Check configuration, proxy, reachability, clock and access token. It only reads, and creates nothing.

    Exit code 1 means that something has to be changed.
    """
    from marketingblocks_async import ConfigurationError
    from marketingblocks_async.configuration import resolve_base_url

    checks: list[Check] = []

    def note(check: Check) -> None:
        checks.append(check)
        settings.output.event("check", asdict(check))

    try:
        base_url = resolve_base_url(settings.base_url)
    except ConfigurationError as error:
        note(Check("base URL", FAILED, str(error)))
        for name in ("reachable", "clock", "access token"):
            note(Check(name, UNCHECKED, "the base URL is not usable"))
    else:
        # Before the event loop runs, since it may ask for the token.
        client: MarketingBlocks | Check = _client(settings)

        async def ask() -> None:
            async for check in _ask(base_url, client, settings.token_source):
                note(check)

        note(Check("base URL", OK, base_url))
        note(_limit(settings.rate))
        run_async(ask())
    fine = all(check.status != FAILED for check in checks)
    versions = _versions()
    data = {
        "ok": fine,
        "checks": [asdict(each) for each in checks],
        "versions": versions,
    }

    def show() -> None:
        output = settings.output
        output.facts("Versions", versions.items())
        output.table("Checks", ("check", "status", "found"), [(each.name, each.status, each.detail) for each in checks])

    settings.output.result(data, show)
    return ExitCode.DONE if fine else ExitCode.USAGE


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version(), "system": platform.system()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    return found


def _limit(limit: float | None) -> Check:
    from marketingblocks_async.endpoints import DOCUMENTED_RATE

    way = f"give --rate {DOCUMENTED_RATE} or less"
    if limit is None:
        return Check(
            "rate limit", WARNING, f"lifted: the API refuses more than {DOCUMENTED_RATE} requests per second; {way}"
        )
    words = f"{limit:g} requests per second"
    if limit <= DOCUMENTED_RATE:
        return Check("rate limit", OK, words)
    return Check("rate limit", WARNING, f"{words}; the API documents {DOCUMENTED_RATE}; {way}")


def _client(settings: Settings) -> MarketingBlocks | Check:
    from marketingblocks_async import ConfigurationError

    try:
        return settings.client(timeout=REACH_TIMEOUT).with_options(deadline=2 * REACH_TIMEOUT)
    except ConfigurationError as error:
        return Check("access token", FAILED, str(error))


async def _ask(base_url: str, client: MarketingBlocks | Check, source: str) -> AsyncIterator[Check]:
    from marketingblocks_async import ConfigurationError

    proxy, check = _proxy(base_url)
    yield check
    if check.status == FAILED:
        reached = _Reached(Check("reachable", UNCHECKED, "the proxy cannot be used"), None, 0.0)
    else:
        reached = await _reach(base_url, proxy)
    yield reached.check
    yield _clock(reached)
    if isinstance(client, Check):
        found = [client, *_permissions("there is no access token to try them with")]
    elif reached.check.status in (FAILED, UNCHECKED):
        found = _no_token_checks("the server cannot be used", source)
    else:
        try:
            async with client:
                found = await _token_checks(client, source)
        except ConfigurationError as error:
            found = [Check("client", FAILED, str(error)), *_no_token_checks("the client cannot be opened", source)]
    for each in found:
        yield each


def _no_token_checks(why: str, source: str) -> list[Check]:
    return [Check("access token", UNCHECKED, f"{why} (token from the {source})"), *_permissions(why)]


def _proxy(base_url: str) -> tuple[str | None, Check]:
    """Return the proxy that the client will use, and what to tell of it."""
    from yarl import URL

    from marketingblocks_async import ConfigurationError
    from marketingblocks_async.transport.proxies import Proxies

    try:
        proxy = Proxies(None).of(URL(base_url))
    except ConfigurationError as error:
        return None, Check("proxy", FAILED, str(error))
    # Without a password.
    return proxy, Check("proxy", OK, "none" if proxy is None else f"{URL(proxy).origin()}, from the environment")


async def _reach(base_url: str, proxy: str | None) -> _Reached:
    import aiohttp

    from marketingblocks_async.transport.aiohttp_hooks import reason_of

    began = time.monotonic()
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REACH_TIMEOUT)) as session,
            # Without the access token, since another server may be at this address.
            session.get(base_url, allow_redirects=False, proxy=proxy) as response,
        ):
            seconds = time.monotonic() - began
            status, words = judge(response.status, response.content_type, response.headers.get("Location", ""))
            words = f"{words} in {seconds * 1000:.0f} ms, connecting included"
            return _Reached(Check("reachable", status, words), response.headers.get("Date"), time.time())
    except (aiohttp.ClientError, TimeoutError, OSError) as exc:
        is_late = isinstance(exc, TimeoutError)
        why = f"nothing within {REACH_TIMEOUT:g} s" if is_late else reason_of(exc)
        way = "the base URL and the network" if proxy is None else "the base URL, the network and the proxy"
        return _Reached(Check("reachable", FAILED, f"{base_url} does not answer: {why}; check {way}"), None, 0.0)


def judge(status: int, content_type: str, location: str) -> tuple[str, str]:
    """Return the status of the check and its words for a response to a request without a token."""
    if 300 <= status < 400:
        return FAILED, f"redirects to {location or 'nowhere'} (HTTP {status}); set the base URL to the API itself"
    if status >= 500:
        return FAILED, f"answers with a server error (HTTP {status}); try again later"
    if content_type == "text/html":
        return WARNING, f"answers with a web page (HTTP {status}); check that the base URL is the API's"
    return OK, f"answers (HTTP {status} without a token)"


def _clock(reached: _Reached) -> Check:
    if reached.check.status in (FAILED, UNCHECKED):
        return Check("clock", UNCHECKED, "the server cannot be used, and its time is what the clock is compared with")
    if reached.date is None:
        return Check("clock", UNCHECKED, "the response has no Date header to compare the clock with")
    try:
        theirs = parsedate_to_datetime(reached.date).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return Check("clock", WARNING, f"the server's date cannot be read: {reached.date!r}; check the clock by hand")
    difference = reached.at - theirs
    if abs(difference) <= LARGEST_CLOCK_DIFFERENCE:
        return Check("clock", OK, f"within {LARGEST_CLOCK_DIFFERENCE:g} s of the server's")
    direction = "ahead of" if difference > 0 else "behind"
    return Check(
        "clock",
        WARNING,
        f"{abs(difference):.0f} s {direction} the server's; set it, since schedule times may be refused",
    )


def _permissions(why: str, found: dict[str, Check] | None = None) -> list[Check]:
    """Return a check for each permission; those that are not in ``found`` were not checked."""
    from marketingblocks_async import ENDPOINTS

    names = dict.fromkeys(endpoint.permission for endpoint in ENDPOINTS)
    return [(found or {}).get(name, Check(name, UNCHECKED, why)) for name in names]


async def _token_checks(client: MarketingBlocks, source: str) -> list[Check]:
    from marketingblocks_async import (
        APIError,
        AuthenticationError,
        MarketingBlocksError,
        PermissionDeniedError,
        RateLimitError,
    )

    found: dict[str, Check] = {}
    post_id: int | str | None = None
    try:
        post_id = await _some_post(client)
        found["social-read-posts"] = Check("social-read-posts", OK, "yes: posts could be listed")
    except MarketingBlocksError as error:
        # A firewall or a proxy knows nothing of the token.
        is_of_api = not (isinstance(error, APIError) and error.made_in_front)
        if is_of_api and isinstance(error, AuthenticationError):
            # The documentation of some operations has 401 for a missing permission, too.
            words = f"refused, or it lacks social-read-posts (from the {source}): {error}"
            return [Check("access token", FAILED, words), *_permissions("the access token was refused")]
        if not (is_of_api and isinstance(error, PermissionDeniedError)):
            status = WARNING if isinstance(error, RateLimitError) else FAILED
            why = "listing posts failed, so nothing is known of the token"
            words = f"posts could not be listed: {error}; {_way_on(error)}"
            return [Check("access token", status, words), *_permissions(why)]
        found["social-read-posts"] = Check("social-read-posts", WARNING, f"no: {error}")
    found["social-view-post"] = await _view(client, post_id)
    return [
        Check("access token", OK, f"accepted (from the {source})"),
        *_permissions("only creating or changing something would show it, and doctor does not", found),
    ]


def _way_on(error: MarketingBlocksError) -> str:
    """Return what to do when the posts could not be listed, and the token is not at fault."""
    from marketingblocks_async import APIError, RateLimitError

    if isinstance(error, RateLimitError):
        return "try again when no other program uses the token"
    if isinstance(error, APIError) and error.made_in_front:
        return "ask who runs the network or the proxy that refused it"
    return "check the base URL, or try again later"


async def _some_post(client: MarketingBlocks) -> int | str | None:
    from marketingblocks_async import ChannelType

    listed = list(await client.posts.upcoming(limit=1)) or list(
        await client.posts.list(channels=[*ChannelType], limit=1)
    )
    return listed[0].post_id if listed else None


async def _view(client: MarketingBlocks, post_id: int | str | None) -> Check:
    from marketingblocks_async import MarketingBlocksError, PermissionDeniedError

    name = "social-view-post"
    if post_id is None:
        return Check(name, UNCHECKED, "there is no post yet to read")
    try:
        await client.posts.get(post_id)
    except MarketingBlocksError as error:
        if isinstance(error, PermissionDeniedError) and not error.made_in_front:
            return Check(name, WARNING, f"no: {error}")
        return Check(name, UNCHECKED, f"reading a post failed: {error}")
    return Check(name, OK, "yes: a post could be read")
