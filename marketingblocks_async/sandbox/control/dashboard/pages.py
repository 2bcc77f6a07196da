"""The files of the page."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from marketingblocks_async.sandbox.responses import Response

DASHBOARD_PREFIX = "/_dashboard/"
"""Prefix of the page's parts."""

_PARTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "/": ("page.html", "text/html"),
        f"{DASHBOARD_PREFIX}style.css": ("style.css", "text/css"),
        f"{DASHBOARD_PREFIX}script.js": ("script.js", "text/javascript"),
        f"{DASHBOARD_PREFIX}icon.svg": ("icon.svg", "image/svg+xml"),
    }
)

# The page loads nothing from elsewhere and is not shown in frames.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def dashboard_page(path: str) -> Response | None:
    """Return the page or one of its parts, ``None`` if the path is none of them."""
    part = _PARTS.get(path)
    if part is None:
        return None
    name, content_type = part
    return Response(200, _content(name), _HEADERS, content_type)


@cache
def _content(name: str) -> bytes:
    return files(__name__.rpartition(".")[0]).joinpath(name).read_bytes()
