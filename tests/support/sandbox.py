"""What the sandbox's tests share."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from time import monotonic
from typing import Any, Self, Unpack

import aiohttp

from marketingblocks_async.sandbox import DEFAULT_TOKEN, Policy, Sandbox, SandboxOptions

OPERATIONS = "social-sparks"
TIMEOUT = 20.0
EARLY = 0.005
"""Some event loops wake a timer a moment too early."""


def create_request(caption: str = "Hello", **changes: Any) -> dict[str, Any]:
    request: dict[str, Any] = {
        "channel_type": "facebook",
        "channel_id": 123,
        "post_type": "post",
        "caption_text": caption,
        "media_urls": ["https://example.com/a.jpg"],
        "publish_mode": "now",
    }
    return {name: value for name, value in (request | changes).items() if value is not ...}


VALID: dict[str, tuple[str, dict[str, Any] | None, dict[str, str]]] = {
    "create-post": ("create-post", create_request(), {}),
    "find-post": ("post/1", None, {}),
    "get-posts": ("get-posts", None, {"channels": "facebook"}),
    "upcoming-posts": ("upcoming-posts", None, {}),
    "create-post-generation": ("create-post-generation", {"post_type": "breel", "input": "flower sales"}, {}),
    "connect-channel": ("connect-channel", {"userId": "u-1"}, {}),
    "create-comment-automation": ("create-comment-automation", {"name": "n", "channels": [1]}, {}),
    "update-comment-automation": ("update-comment-automation", {"comment_bot_id": 1}, {}),
}
"""One valid request for each operation: path below social-sparks, body, query."""


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Running:
    """A sandbox and a plain HTTP session that talks to it."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = monotonic,
        policy_factory: Callable[[], Policy] | None = None,
        **options: Unpack[SandboxOptions],
    ) -> None:
        options.setdefault("policy", "none")
        self.sandbox = Sandbox(clock=clock, policy_factory=policy_factory, **options)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.sandbox)
        self.session = await self._stack.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT))
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    @property
    def root(self) -> str:
        return self.sandbox.base_url.removesuffix("/api/v1")

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.root.removeprefix("http://").rpartition(":")
        return host, int(port)

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: bytes | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Reply:
        # aiohttp warns about large bytes.
        body = io.BytesIO(data) if data and len(data) >= 2**20 else data
        async with self.session.request(
            method, url, headers=headers, json=json, data=body, params=params, allow_redirects=False
        ) as response:
            return Reply(response.status, response.headers, await response.read())

    async def call(
        self,
        method: str,
        operation: str,
        *,
        token: str | None = DEFAULT_TOKEN,
        json: Any = None,
        data: bytes | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Reply:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        url = f"{self.sandbox.base_url}/{OPERATIONS}/{operation}"
        return await self.fetch(method, url, headers=headers, json=json, data=data, params=params)

    async def create(self, caption: str = "Hello", *, token: str | None = DEFAULT_TOKEN, **changes: Any) -> Reply:
        return await self.call("POST", "create-post", token=token, json=create_request(caption, **changes))

    async def control(self, method: str, name: str, **arguments: Any) -> Reply:
        return await self.fetch(method, f"{self.root}/_sandbox/{name}", **arguments)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self.address)

    def raw_create(self, caption: str = "Hello") -> bytes:
        return raw_request("POST", f"/api/v1/{OPERATIONS}/create-post", json.dumps(create_request(caption)).encode())


def raw_request(method: str, path: str, body: bytes = b"", headers: str = "") -> bytes:
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {DEFAULT_TOKEN}\r\n"
        f"Content-Length: {len(body)}\r\n{headers}\r\n"
    )
    return head.encode() + body
