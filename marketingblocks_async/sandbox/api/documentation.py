"""Documentation questions: ``GET /agentic-ai-docs/<page>.md?ask=...``, without a token."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from marketingblocks_async.endpoints import ENDPOINTS
from marketingblocks_async.sandbox.responses import Response

DOCS_PREFIX = "/agentic-ai-docs"
"""Path under which the documentation's pages are served."""

_PAGES: Mapping[str, str] = MappingProxyType(
    {
        "authentication": (
            "Every request carries the header `Authorization: Bearer <token>`. Tokens carry permissions and are valid "
            "only on endpoints that match them. All access tokens are limited to 100 requests per second."
        ),
        **{
            endpoint.name: f"`{endpoint.method} /{endpoint.path}` needs the permission `{endpoint.permission}`. "
            f"{endpoint.summary}"
            for endpoint in ENDPOINTS
        },
    }
)


def docs_response(page: str, question: str | None) -> Response:
    """Return the text of a page (its path, without ``.md``), or excerpts of the two pages that fit a question best."""
    name = page.rpartition("/")[2]
    if question is None or not question.strip():
        return _text(f"# {name}\n\n{_PAGES.get(name, 'This page has no text in the sandbox.')}\n")
    words = set(re.findall(r"[a-z]{3,}", question.lower()))

    def fit(title: str) -> tuple[int, bool]:
        return len(words.intersection(re.findall(r"[a-z]{3,}", f"{title} {_PAGES[title]}".lower()))), title == name

    best = sorted(_PAGES, key=fit, reverse=True)[:2]
    excerpts = "\n\n".join(f"> {_PAGES[title]}\n>\n> Source: {title}.md" for title in best)
    return _text(f"Response to: {question.strip()}\n\n{excerpts}\n")


def _text(text: str) -> Response:
    return Response(200, text.encode(errors="replace"), content_type="text/markdown")
