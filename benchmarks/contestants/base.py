"""What a contestant is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from marketingblocks_async import CreatePost

Create = Callable[[CreatePost], Awaitable[object]]
"""Creates one post; raises if it does not know that the post was created."""


@dataclass(frozen=True, slots=True)
class Target:
    """The API that a contestant talks to.

    Attributes:
        base_url: the API root.
        token: the access token.
        timeout: seconds for one attempt.
        limited: whether the rate limit is to be kept; only some contestants can lift it.
        redis: where several processes share the limit; only this client can. Empty if they do not.

    """

    base_url: str
    token: str
    timeout: float = 30.0
    limited: bool = True
    redis: str = ""

    @property
    def url(self) -> str:
        """The address of create-post."""
        return f"{self.base_url}/social-sparks/create-post"

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        return {"Authorization": f"Bearer {self.token}"}


async def together(create: Create, posts: Sequence[CreatePost]) -> None:
    """Start all creates at once."""
    await asyncio.gather(*map(create, posts))


@dataclass(frozen=True, slots=True)
class Contestant:
    """One way to call the API within its limit.

    Attributes:
        name: short name.
        title: what tables call it.
        opens: a context in which posts can be created.
        starts: starts many creates and returns when all have ended; most start a task for each.
        retries: whether it makes attempts of its own after a failure. The others send the same requests whatever is
            answered.

    """

    name: str
    title: str
    opens: Callable[[Target], AbstractAsyncContextManager[Create]]
    starts: Callable[[Create, Sequence[CreatePost]], Awaitable[None]] = together
    retries: bool = False
