"""Checks of the settings from the constructor and the environment: token, API root, timeouts."""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Self, cast
from urllib.parse import urlsplit

from yarl import URL

from .endpoints import DEFAULT_BASE_URL
from .errors import ConfigurationError, InvalidArgumentError
from .urls import can_be_looked_up, is_loopback

TOKEN_VARIABLE = "MARKETINGBLOCKS_API_TOKEN"  # noqa: S105 - the variable's name
BASE_URL_VARIABLE = "MARKETINGBLOCKS_BASE_URL"
DEFAULT_DOCS_URL = "https://docs.marketingblocks.ai/agentic-ai-docs"
"""Where documentation questions go; the access token never does."""

_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")


class Secret(str):
    """A string whose ``repr`` is stars, and which cannot be pickled.

    ``repr`` is what ends up in logs of containers, in tracebacks with local variables and in crash reports; the header
    dictionary of a request is often among them.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __copy__(self) -> Self:
        """Return itself: tools that record requests copy their headers."""
        return self

    def __deepcopy__(self, memo: object) -> Self:
        """Return itself, as above."""
        return self

    def __reduce__(self) -> NoReturn:
        """Refuse: a pickle is a file or a message sooner or later."""
        msg = (
            "an access token is not pickled: pass it to another process by its environment, and leave it out of "
            "recorded requests (vcrpy: filter_headers=['authorization'])"
        )
        raise TypeError(msg)


def resolve_token(token: object, source: str = "token") -> Secret:
    """Return the checked access token, from ``MARKETINGBLOCKS_API_TOKEN`` if ``token`` is ``None``.

    Args:
        token: the access token.
        source: what errors call the place that it comes from.

    Raises:
        ConfigurationError: there is none, or it cannot be one. The message does not show it.

    """
    if token is None:
        source = TOKEN_VARIABLE
        token = os.environ.get(TOKEN_VARIABLE)
        if token is None:
            msg = f"no access token: pass token=… or set the environment variable {TOKEN_VARIABLE}"
            raise ConfigurationError(msg)
    problem = _problem_of_token(token)
    if problem:
        # Crash reports show local variables.
        del token
        msg = f"{source} {problem}"
        raise ConfigurationError(msg)
    return Secret(token)


def _problem_of_token(token: object) -> str | None:
    if not isinstance(token, str):
        return f"must be a string, not {type(token).__name__}"
    if not token.strip():
        return "is blank; an access token is made on the API Tokens page of MarketingBlocks"
    if not _VISIBLE_ASCII.fullmatch(token):
        where = "at its beginning or end (strip it)" if _VISIBLE_ASCII.fullmatch(token.strip()) else "in it"
        return f"has white space, control or non-ASCII characters {where}; copy the token again"
    return None


def resolve_base_url(base_url: str | None) -> str:
    """Return the checked API root without a trailing slash; from ``MARKETINGBLOCKS_BASE_URL`` if ``None``.

    An address without a path gets that of the documented API root.

    Raises:
        ConfigurationError: the token must not be sent to this address, or it is not an address.

    """
    source = "base_url"
    if base_url is None:
        base_url = os.environ.get(BASE_URL_VARIABLE)
        if base_url is None:
            return DEFAULT_BASE_URL
        source = BASE_URL_VARIABLE
    url = URL(check_url(base_url, source), encoded=True)
    return str(url if url.raw_path.strip("/") else url.with_path(URL(DEFAULT_BASE_URL).path))


def check_url(url: str, source: str) -> str:
    """Return ``url`` without a trailing slash if it is https, or http to a loopback address.

    Raises:
        ConfigurationError: it is something else; ``source`` is named.

    """
    text = str(url).strip()
    if "@" in text:
        # Not shown: it may hold a password.
        msg = f"{source} must not contain a user name or password (or an '@'); the access token is sent in a header"
        raise ConfigurationError(msg)
    if any(character.isspace() or not character.isprintable() for character in text):
        msg = f"{source}={url!r} holds white space or control characters"
        raise ConfigurationError(msg)
    try:
        # In the form that goes out: the host in ASCII, the path percent-encoded and without dots.
        address = URL(text)
        if address.host is not None and address.host.endswith("."):
            # The same host by its absolute name, and so the same limit.
            address = address.with_host(address.host[:-1])
        parts = urlsplit(str(address))
        host, _ = parts.hostname or "", parts.port
    except ValueError as exc:
        msg = f"{source}={url!r} is no URL: {exc}"
        raise ConfigurationError(msg) from None
    if parts.scheme not in ("http", "https") or not host:
        msg = f"{source}={url!r} must be an absolute URL such as {DEFAULT_BASE_URL!r}"
        raise ConfigurationError(msg)
    if not can_be_looked_up(host):
        msg = f"{source}={url!r:.300}: correct the host name; each part between its dots has 1 to 63 characters"
        raise ConfigurationError(msg)
    if parts.query or parts.fragment:
        msg = f"{source}={url!r} must end with its path; query and fragment have no meaning here"
        raise ConfigurationError(msg)
    if parts.scheme == "http" and not is_loopback(host):
        msg = f"{source}={url!r} would send the access token unencrypted; use https (http only for loopback addresses)"
        raise ConfigurationError(msg)
    return parts.geturl().rstrip("/")


def is_number(value: object, *, whole: bool = False) -> bool:
    """Return whether a setting is a number, and not a text or a truth value in its place."""
    return isinstance(value, int if whole else int | float) and not isinstance(value, bool)


def is_awaited(function: Callable[..., object]) -> bool:
    """Return whether the result of a function, or of an object that can be called, has to be awaited."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def check_seconds(value: object, name: str) -> float:
    """Return ``value`` if it is a number of seconds above 0.

    Raises:
        ConfigurationError: it is not.

    """
    # Written so that NaN, infinity and numbers beyond a float fail as well.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= sys.float_info.max:
        msg = f"{name}={value!r:.60}: give seconds above 0"
        raise ConfigurationError(msg)
    return float(value)


def check_fields(value: object, name: str) -> Mapping[str, Any]:
    """Return ``value`` if it is a mapping; for ``None`` an empty one.

    Raises:
        InvalidArgumentError: it is something else, such as a ready-made query.

    """
    if value is not None and not isinstance(value, Mapping):
        msg = f"{name}={type(value).__name__}: give a mapping of names and values, such as {{'page': 2}}"
        raise InvalidArgumentError(msg)
    return cast("Mapping[str, Any]", value or {})
