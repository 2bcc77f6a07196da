"""What belongs to one access token: its headers, its limiter, and the search for it in what a server sent."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from functools import cached_property
from hashlib import blake2b, sha256
from typing import Any, cast

from multidict import CIMultiDict
from yarl import URL

from marketingblocks_async._version import __version__
from marketingblocks_async.configuration import Secret
from marketingblocks_async.endpoints import ENDPOINTS
from marketingblocks_async.errors import CallError, Headers, InvalidArgumentError
from marketingblocks_async.limits.registry import REGISTRY
from marketingblocks_async.limits.settings import Limiter, RateLimit, SharedRateLimit, WaitEndedError
from marketingblocks_async.limits.slots import ConnectionSlots
from marketingblocks_async.middleware import HttpResponse
from marketingblocks_async.transport.transport import Transport

from .call import Call
from .retry import RetryBudget

logger: logging.Logger = logging.getLogger("marketingblocks_async")

JSON_TYPE = "application/json"

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_OWN_HEADERS = frozenset(
    {
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that ``extra_headers`` cannot have, in lower case."""

_FIXED_PATHS = frozenset(endpoint.path for endpoint in ENDPOINTS if "{" not in endpoint.path)
"""The documented paths without a variable part, whose addresses are kept."""


class CancellationLog:
    """Logs the writes that were cancelled although they may have happened: in one line those of one Ctrl-C."""

    def __init__(self) -> None:
        self._errors: list[CallError] = []

    def add(self, call: Call[Any]) -> None:
        """Log how a call ended in the next turn of the event loop, with all others until then."""
        if call.logs_cancellation and call.ended_as is not None:
            if not self._errors:
                asyncio.get_running_loop().call_soon(self._write)
            self._errors.append(call.ended_as)

    def _write(self) -> None:
        first, *others = self._errors
        self._errors.clear()
        more = f" (the same for {len(others)} more calls that were cancelled with it)" if others else ""
        logger.warning("%s%s", first, more)


class TokenContext:
    """What belongs to one access token at one API root: its headers and its limiter.

    Args:
        token: the access token; ``None`` for the documentation, which gets none.
        base_url: API root without a trailing slash.
        rate_limit: the limit; ``limit=None`` in it lifts it.
        budget: the client's retry budget, which its copies for other tokens share: an outage is one of the API.
        slots: the cap on connections, shared likewise; ``None`` for none.

    """

    def __init__(
        self,
        token: Secret | None,
        base_url: str,
        rate_limit: RateLimit | SharedRateLimit,
        budget: RetryBudget | None = None,
        slots: ConnectionSlots | None = None,
    ) -> None:
        self.token = token
        self.base_url = base_url
        self.rate_limit = rate_limit
        self.slots = slots
        self.budget: RetryBudget = budget or RetryBudget()
        self.cancellations: CancellationLog = CancellationLog()
        self.limiter: Limiter | None = None
        self.bound: bool = False
        self._urls: dict[str, URL] = {}
        # In aiohttp's own type, since it would convert any other for every request.
        self.headers: CIMultiDict[str] = CIMultiDict(
            {"Accept": JSON_TYPE, "User-Agent": f"marketingblocks-async/{__version__}"}
        )
        if token is not None:
            self.headers["Authorization"] = Secret(f"Bearer {token}")
        self.headers_with_body: CIMultiDict[str] = CIMultiDict({"Content-Type": JSON_TYPE, **self.headers})

    def __repr__(self) -> str:
        return f"<TokenContext of a token at {self.base_url}>"

    def fingerprint(self, key: bytes) -> str:
        """Return a keyed hash of the token."""
        return blake2b((self.token or "").encode(), key=key, digest_size=16).hexdigest()

    def url(self, path: str) -> URL:
        """Return the address of ``path`` (percent-encoded) below the API root."""
        url = self._urls.get(path)
        if url is None:
            url = URL(f"{self.base_url}/{path}", encoded=True)
            if path in _FIXED_PATHS:
                self._urls[path] = url
        return url

    def check_headers(self, extra: Mapping[str, str]) -> CIMultiDict[str]:
        """Return headers that a caller adds to a request; raise ``InvalidArgumentError`` for those that cannot be sent.

        The client sets what frames a request, names its host and proves its identity: the token is in one header only.
        """
        if not isinstance(cast("object", extra), Mapping):
            msg = f"extra_headers={type(extra).__name__}: give a mapping of names and texts"
            raise InvalidArgumentError(msg)
        checked: CIMultiDict[str] = CIMultiDict()
        for name, value in extra.items():
            if not isinstance(cast("object", name), str) or not _HEADER_NAME.fullmatch(name):
                msg = f"extra_headers: {name!r:.60} is no name of a header"
                raise InvalidArgumentError(msg)
            if name.lower() in _OWN_HEADERS or name.lower().startswith("proxy-"):
                msg = f"extra_headers: the client itself sets {name}, or it has no meaning here; leave it out"
                raise InvalidArgumentError(msg)
            if not isinstance(cast("object", value), str) or not _HEADER_VALUE.fullmatch(value):
                msg = f"extra_headers: the value of {name} must be a text of printable ASCII characters"
                raise InvalidArgumentError(msg)
            if self.scrub(value) != value:
                msg = f"extra_headers: {name} holds the access token, which is sent in Authorization and nowhere else"
                raise InvalidArgumentError(msg)
            checked[name] = value
        return checked

    def bind(self, transport: Transport) -> None:
        """Take the token's limiter into use, until the transport closes."""
        if not self.bound:
            if self.rate_limit.limit is not None and self.token is not None:
                self.limiter = REGISTRY.get(self.base_url, self.token, self.rate_limit, self)
            transport.users.add(self)
            self.bound = True

    def transport_closed(self, transport: Transport) -> None:
        """End the waiting of the calls, and stop using the limiter.

        The limiter lives on for as long as the server may count what it granted.
        """
        self.bound = False
        if self.slots is not None:
            self.slots.abort(transport, client_closed)
        if self.limiter is not None and self.token is not None:
            self.limiter.abort(transport, client_closed)
            REGISTRY.release(self.base_url, self.token, self)

    def loop_is_gone(self) -> None:
        """Forget the limiter, and what the calls of an event loop that is gone have: they do not go on."""
        self.bound, self.limiter = False, None
        if self.slots is not None:
            self.slots.clear()

    def scrub(self, text: str) -> str:
        """Return ``text`` without the token, in case a server has echoed it."""
        return text if self._echo is None else self._echo.sub("***", text)

    def scrub_response(self, response: HttpResponse) -> HttpResponse:
        """Return ``response`` without the token in it."""
        # Latin-1 has one character a byte, and the pattern is ASCII.
        body = self.scrub(response.body.decode("latin-1")).encode("latin-1")
        headers = {self.scrub(name): self.scrub(value) for name, value in Headers(response.headers).items()}
        return HttpResponse(response.status, Headers(headers), body)

    @cached_property
    def slot_key(self) -> bytes:
        """What stands for the token at the connection slots."""
        return sha256((self.token or "").encode()).digest()

    @cached_property
    def _echo(self) -> re.Pattern[str] | None:
        """The pattern of the token in every notation."""
        # A very short one would be found in innocent text.
        return None if self.token is None or len(self.token) < 4 else re.compile("".join(map(_any_form, self.token)))


def client_closed() -> WaitEndedError:
    """Return the error of a call that waits when its client closes."""
    return WaitEndedError("the client was closed")


def _any_form(character: str) -> str:
    r"""Return a pattern for an ASCII character as it is, and as in JSON (PHP escapes slashes), URLs and HTML."""
    number, plain = ord(character), re.escape(character)
    digits = "".join(f"[{digit}{digit.upper()}]" for digit in f"{number:02x}")
    name = {"&": "amp|", "<": "lt|", ">": "gt|", '"': "quot|", "'": "apos|"}.get(character, "")
    # None of these begins with a repetition, so that the search can skip most positions at once.
    forms = (
        plain,
        rf"\\(?:\\){{0,3}}(?:{plain}|u00{digits})",
        f"%{digits}",
        f"&(?:{name}#0*{number}|#[xX]0*{digits});",
    )
    return f"(?:{'|'.join(forms)})"
