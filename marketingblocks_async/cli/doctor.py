"""``marketingblocks doctor``: is everything as it should be?"""

from __future__ import annotations

import platform
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import typer

from .commands import command, run_async
from .exit_codes import ExitCode
from .settings import Settings

if TYPE_CHECKING:
    from marketingblocks_async import MarketingBlocks

LIBRARIES = ("marketingblocks-async", "aiohttp", "aiolimiter", "pydantic", "tenacity", "typer", "rich", "openpyxl")
LARGEST_CLOCK_DIFFERENCE = 5.0
"""Seconds; the Date header has whole seconds, and the answer takes a while."""

REACH_TIMEOUT = 10.0

OK, WARNING, FAILED = "ok", "warning", "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        status: ``ok``, ``warning`` or ``failed``.
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
    checks = run_async(_all_checks(settings))
    versions = _versions()
    fine = all(check.status != FAILED for check in checks)
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


async def _all_checks(settings: Settings) -> list[Check]:
    return [check async for check in _checks(settings)]


async def _checks(settings: Settings) -> AsyncIterator[Check]:
    from marketingblocks_async import ConfigurationError
    from marketingblocks_async.configuration import resolve_base_url

    try:
        base_url = resolve_base_url(settings.base_url)
    except ConfigurationError as error:
        yield Check("base URL", FAILED, str(error))
        return
    yield Check("base URL", OK, base_url)
    limit = settings.rate
    yield Check("rate limit", OK if limit and limit <= 100 else WARNING, _limit_words(limit))
    reached = await _reach(base_url)
    yield reached.check
    if reached.date is not None:
        yield _clock(reached.date, reached.at)
    try:
        client = settings.client(timeout=REACH_TIMEOUT)
    except ConfigurationError as error:
        yield Check("access token", FAILED, str(error))
        return
    if reached.check.status == FAILED:
        yield Check("access token", WARNING, f"from the {settings.token_source}; not tried, since nothing answers")
        return
    async with client:
        async for check in _token_checks(client, settings.token_source):
            yield check


def _limit_words(limit: float | None) -> str:
    if limit is None:
        return "lifted: the API refuses what is above 100 requests per second"
    return f"{limit:g} requests per second" + ("; the API documents 100" if limit > 100 else "")


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
        words = f"{base_url} does not answer: {exc or f'nothing within {REACH_TIMEOUT:g} s'}"
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


async def _token_checks(client: MarketingBlocks, source: str) -> AsyncIterator[Check]:
    from marketingblocks_async import (
        ENDPOINTS,
        AuthenticationError,
        MarketingBlocksError,
        PermissionDeniedError,
        Post,
    )

    shown: dict[str, Check] = {}
    listed: list[Post] = []
    try:
        listed = list(await client.posts.upcoming(limit=1))
        yield Check("access token", OK, f"accepted (from the {source})")
        shown["social-read-posts"] = Check("social-read-posts", OK, "yes: upcoming posts could be read")
    except AuthenticationError as error:
        yield Check("access token", FAILED, f"refused (from the {source}): {error}")
        return
    except PermissionDeniedError as error:
        yield Check("access token", OK, f"accepted (from the {source})")
        shown["social-read-posts"] = Check("social-read-posts", WARNING, f"no: {error}")
    except MarketingBlocksError as error:
        yield Check("access token", WARNING, f"could not be tried (from the {source}): {error}")
        return
    if listed and listed[0].post_id is not None:
        try:
            await client.posts.get(listed[0].post_id)
            shown["social-view-post"] = Check("social-view-post", OK, "yes: a post could be read")
        except PermissionDeniedError as error:
            shown["social-view-post"] = Check("social-view-post", WARNING, f"no: {error}")
        except MarketingBlocksError as error:
            shown["social-view-post"] = Check("social-view-post", OK, f"not shown: {error}")
    for permission in dict.fromkeys(endpoint.permission for endpoint in ENDPOINTS):
        yield shown.get(permission, Check(permission, OK, "not shown: it cannot be tried without creating something"))
