"""The hosted sign-in: a page with one button that connects a channel and sends the user back."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from yarl import URL

from marketingblocks_async.sandbox.responses import Response

_FIRST_CHANNEL_ID = 501


@dataclass(slots=True)
class SandboxConnection:
    """A sign-in that was started.

    Attributes:
        token: ``connect_token``.
        user_id: the caller's own id of the user.
        redirect_url: address that the user returns to, or ``None``.
        channel_id: the connected channel, ``None`` until the button was pressed.

    """

    token: str
    user_id: str
    redirect_url: str | None
    channel_id: int | None = None


class Connections:
    """All sign-ins of a sandbox.

    Args:
        chance: source of the tokens.
        pages: returns the address under which the pages are served, without a slash at the end.

    """

    def __init__(self, chance: random.Random, pages: Callable[[], str]) -> None:
        self._chance = chance
        self._pages = pages
        self._by_token: dict[str, SandboxConnection] = {}
        self._connected = 0

    def clear(self) -> None:
        """Forget all sign-ins."""
        self._by_token.clear()
        self._connected = 0

    def all(self) -> tuple[SandboxConnection, ...]:
        """Return the sign-ins, oldest first."""
        return tuple(self._by_token.values())

    def find(self, token: str) -> SandboxConnection | None:
        """Return the sign-in with this ``connect_token``."""
        return self._by_token.get(token)

    def start(self, user_id: str, redirect_url: str | None) -> SandboxConnection:
        """Start a sign-in."""
        connection = SandboxConnection(f"{self._chance.getrandbits(128):032x}", user_id, redirect_url)
        self._by_token[connection.token] = connection
        return connection

    def address(self, connection: SandboxConnection) -> str:
        """Return ``connect_url``."""
        return f"{self._pages()}/{connection.token}"

    def page(self, connection: SandboxConnection) -> Response:
        """Return the page that the user sees."""
        if connection.channel_id is not None:
            return _page(f"<p>Channel {connection.channel_id} is connected.</p>")
        return _page(
            f"<p>Connect an account for user <b>{escape(connection.user_id)}</b>.</p>"
            '<form method="post"><button type="submit">Connect</button></form>'
        )

    def complete(self, connection: SandboxConnection) -> Response:
        """Connect a channel and send the user back; pressing the button twice connects one channel.

        The channel's id travels as ``channel_id`` in the query, which is a guess. Only http and https addresses are
        redirected to; another one (a deep link) is shown as text.
        """
        if connection.channel_id is None:
            connection.channel_id = _FIRST_CHANNEL_ID + self._connected
            self._connected += 1
        connected = f"<p>Channel {connection.channel_id} is connected.</p>"
        if connection.redirect_url is None:
            return _page(connected)
        target = _web_address(connection.redirect_url)
        if target is None:
            return _page(f"{connected}<p>Return to <code>{escape(connection.redirect_url)}</code>.</p>")
        location = str(target.update_query(channel_id=str(connection.channel_id)))
        return Response(303, b"", {"Location": location}, "text/html")


def _web_address(text: str) -> URL | None:
    try:
        url = URL(text)
    except ValueError:
        return None
    return url if url.scheme in {"http", "https"} and url.host else None


def _page(content: str) -> Response:
    html = f'<!doctype html><meta charset="utf-8"><title>Connect a channel</title>{content}'
    # A user id may hold half of a surrogate pair, which JSON can carry and UTF-8 cannot.
    return Response(200, html.encode(errors="replace"), content_type="text/html")
