"""Responses without a socket, by aioresponses."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any
from unittest.mock import Mock

import aiohttp
from yarl import URL

API = "https://app.marketingblocks.ai/api/v1"


@dataclass(frozen=True)
class Seen:
    """One request that a client handed to aiohttp."""

    method: str
    url: URL
    headers: dict[str, str]
    body: bytes | None
    options: dict[str, Any]


class Mocked:
    """aioresponses with types, and with the requests in their order."""

    def __init__(self, mock: Any) -> None:
        self._mock = mock
        self.seen: list[Seen] = []

    def answer(self, method: str, path: str, **answer: Any) -> None:
        """Give one answer to ``path`` below the documented API root; further ones queue behind it."""

        def note(url: URL, **options: Any) -> None:
            body = options.pop("data", None)
            headers = {str(name): str(value) for name, value in options.pop("headers").items()}
            self.seen.append(Seen(method, url, headers, body, options))

        self._mock.add(f"{API}/{path}", method, **({"payload": {"status": True}} | answer), callback=note)


# aioresponses 0.7.9 does not know an argument that aiohttp 3.14 requires (aioresponses#289). Drop this class, and its
# use in conftest.py, with the release that does.
NEEDS_STREAM_WRITER = "stream_writer" in inspect.signature(aiohttp.ClientResponse.__init__).parameters


class MockedResponse(aiohttp.ClientResponse):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if NEEDS_STREAM_WRITER:
            kwargs.setdefault("stream_writer", Mock())
        super().__init__(*args, **kwargs)
