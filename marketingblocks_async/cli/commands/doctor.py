"""``marketingblocks doctor``: is everything as it should be?"""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import typer

from marketingblocks_async.cli.command import command
from marketingblocks_async.cli.errors import ExitCode
from marketingblocks_async.cli.settings import Settings, run_async

if TYPE_CHECKING:
    from marketingblocks_async import MarketingBlocks

LIBRARIES = ("marketingblocks-async", "aiohttp", "aiolimiter", "pydantic", "tenacity", "typer", "rich", "openpyxl")
LARGEST_CLOCK_DIFFERENCE = 5.0
"""Seconds; the Date header has whole seconds, and the answer takes a while."""

REACH_TIMEOUT = 10.0

OK, WARNING, FAILED, UNTRIED = "ok", "warning", "failed", "not tried"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        status: ``ok``, ``warning``, ``failed`` or ``not tried``.
        detail: what was found, and what to do if it is not right.

    """

    name: str
    status: str
    detail: str


@dataclass(frozen=True, slots=True)
class _Reached:
    check: Check
    date: str | None
    at: float


def add_doctor(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    command(app, "doctor", examples="marketingblocks doctor\nmarketingblocks doctor --json")(doctor)


def doctor(settings: Settings) -> ExitCode:
    """Check configuration, reachability, clock and access token. It only reads, and creates nothing.

    Exit code 1 says that something has to be changed.
    """
    from marketingblocks_async import ConfigurationError
    from marketingblocks_async.configuration import resolve_base_url

    checks: list[Check] = []
    try:
        base_url = resolve_base_url(settings.base_url)
        checks += [Check("base URL", OK, base_url), _limit(settings.rate)]
        # Before the event loop runs, since it may ask for the token.
        client: MarketingBlocks | Check = _client(settings)
        checks += run_async(_ask(base_url, client, settings.token_source))
    except ConfigurationError as error:
        checks.append(Check("base URL", FAILED, str(error)))
    fine = all(check.status != FAILED for check in checks)
    versions = _versions()
    data = {
        "ok": fine,
        "checks": [{"name": each.name, "status": each.status, "detail": each.detail} for each in checks],
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

    if limit is None:
        return Check("rate limit", WARNING, f"lifted: the API refuses more than {DOCUMENTED_RATE} requests per second")
    words = f"{limit:g} requests per second"
    if limit <= DOCUMENTED_RATE:
        return Check("rate limit", OK, words)
    return Check("rate limit", WARNING, f"{words}; the API documents {DOCUMENTED_RATE}")


def _client(settings: Settings) -> MarketingBlocks | Check:
    from marketingblocks_async import ConfigurationError

    try:
        return settings.client(timeout=REACH_TIMEOUT).with_options(deadline=2 * REACH_TIMEOUT)
    except ConfigurationError as error:
        return Check("access token", FAILED, str(error))


async def _ask(base_url: str, client: MarketingBlocks | Check, source: str) -> list[Check]:
    reached = await _reach(base_url)
    checks = [reached.check]
    if reached.date is not None:
        checks.append(_clock(reached.date, reached.at))
    if isinstance(client, Check):
        checks.append(client)
    elif reached.check.status == FAILED:
        checks.append(Check("access token", UNTRIED, f"from the {source}; nothing answers that it could be shown to"))
    else:
        async with client:
            checks += await _token_checks(client, source)
    return checks


async def _reach(base_url: str) -> _Reached:
    import aiohttp

    began = time.monotonic()
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REACH_TIMEOUT)) as session,
            # Without the access token: it is not known yet who answers.
            session.get(base_url, allow_redirects=False) as answer,
        ):
            seconds = time.monotonic() - began
            words = f"answers in {seconds * 1000:.0f} ms, connecting included (HTTP {answer.status} without a token)"
            return _Reached(Check("reachable", OK, words), answer.headers.get("Date"), time.time())
    except (aiohttp.ClientError, TimeoutError, OSError) as exc:
        words = f"{base_url} does not answer: {str(exc) or f'nothing within {REACH_TIMEOUT:g} s'}"
        return _Reached(Check("reachable", FAILED, words), None, 0.0)


def _clock(date: str, at: float) -> Check:
    try:
        theirs = parsedate_to_datetime(date).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return Check("clock", WARNING, f"the server's date cannot be read: {date!r}")
    difference = at - theirs
    if abs(difference) <= LARGEST_CLOCK_DIFFERENCE:
        return Check("clock", OK, f"within {LARGEST_CLOCK_DIFFERENCE:g} s of the server's")
    direction = "ahead of" if difference > 0 else "behind"
    return Check("clock", WARNING, f"{abs(difference):.0f} s {direction} the server's; schedule times may be refused")


async def _token_checks(client: MarketingBlocks, source: str) -> list[Check]:
    from marketingblocks_async import ENDPOINTS, AuthenticationError, MarketingBlocksError, PermissionDeniedError

    shown: dict[str, Check] = {}
    post_id: int | str | None = None
    try:
        post_id = await _some_post(client)
        shown["social-read-posts"] = Check("social-read-posts", OK, "yes: posts could be listed")
    except AuthenticationError as error:
        return [Check("access token", FAILED, f"refused (from the {source}): {error}")]
    except PermissionDeniedError as error:
        shown["social-read-posts"] = Check("social-read-posts", WARNING, f"no: {error}")
    except MarketingBlocksError as error:
        return [Check("access token", WARNING, f"could not be tried (from the {source}): {error}")]
    shown["social-view-post"] = await _view(client, post_id)
    return [
        Check("access token", OK, f"accepted (from the {source})"),
        *(
            shown.get(permission, Check(permission, UNTRIED, "only creating or changing something would show it"))
            for permission in dict.fromkeys(endpoint.permission for endpoint in ENDPOINTS)
        ),
    ]


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
        return Check(name, UNTRIED, "there is no post yet that could be read")
    try:
        await client.posts.get(post_id)
    except PermissionDeniedError as error:
        return Check(name, WARNING, f"no: {error}")
    except MarketingBlocksError as error:
        return Check(name, UNTRIED, f"not shown: {error}")
    return Check(name, OK, "yes: a post could be read")
