"""Thousands of access tokens over one connection pool: ``TokenFleet``."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import weakref
from collections import OrderedDict
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, NoReturn, Self, cast

from .calls.retry import RetryPolicy
from .client import DEFAULT_MAX_RESPONSE_BYTES, MarketingBlocks, check_rate_limit
from .configuration import check_seconds
from .errors import ConfigurationError
from .events import AttemptEvent, OutcomeEvent, RetryEvent, ThrottleEvent
from .limits.registry import REGISTRY
from .limits.settings import RateLimit, RateLimiterSnapshot, SharedRateLimit
from .middleware import Middleware

IDLE_AFTER = 30.0
"""Default of ``idle_after``."""


@dataclass(frozen=True, slots=True)
class FleetSnapshot:
    """The state of a fleet.

    Attributes:
        tokens: the limiters' states, by the tokens' names; only of tokens in use, or used a moment ago. If several have
            one name, the second is called ``name (2)``, and so on.
        connections: attempts that are on a connection now.
        waiting_for_connection: attempts that have their permit and wait for a connection.
        max_connections: the cap, ``None`` if there is none.

    """

    tokens: Mapping[str, RateLimiterSnapshot]
    connections: int
    waiting_for_connection: int
    max_connections: int | None


class TokenFleet:
    """Clients of any number of access tokens, over one connection pool.

    ``fleet.client(token)`` is a client like any other. It needs no opening or closing, and can be asked for again for
    every call. Nothing is kept of a token that is not in use; one in use takes about 8 KB, until ``idle_after`` seconds
    after its client was last asked for. Each token has a limiter of its own, common to all its clients in the process.

    Args:
        base_url: API root; by default as for ``MarketingBlocks``.
        rate_limit: the limit of each token; a ``RedisRateLimit`` shares each with other processes.
        max_connections: how many connections may be in use at once, over all tokens; ``None`` for no cap. No token can
            take them all: it gets another one only while it has fewer than there are free.
        idle_after: a client that was not requested for so many seconds, and has no calls, is dropped; above 0.
        retry: how often and how long a call is tried.
        max_retries: attempts after the first one; by default as ``retry`` says.
        timeout: seconds for one attempt; ``None`` for no bound.
        deadline: seconds for a whole call; ``None`` for no bound.
        max_response_bytes: the largest response to read, at least 1.
        proxy: address of a proxy for all tokens; as for ``MarketingBlocks``.
        ssl_context: how to check the server's certificate; as for ``MarketingBlocks``.
        middlewares: code to run around every attempt.
        on_attempt: called after every attempt.
        on_retry: called before every further attempt.
        on_throttle: called when the API refuses a request for its rate.
        on_outcome: called at the end of every call.

    Raises:
        ConfigurationError: a setting cannot work.

    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        rate_limit: RateLimit | SharedRateLimit = RateLimit(),  # noqa: B008 - frozen
        max_connections: int | None = 1000,
        idle_after: float = IDLE_AFTER,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        max_retries: int | None = None,
        timeout: float | None = 30.0,
        deadline: float | None = None,
        max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES,
        proxy: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        middlewares: Sequence[Middleware] = (),
        on_attempt: Callable[[AttemptEvent], None] | None = None,
        on_retry: Callable[[RetryEvent], None] | None = None,
        on_throttle: Callable[[ThrottleEvent], None] | None = None,
        on_outcome: Callable[[OutcomeEvent], None] | None = None,
    ) -> None:
        check_rate_limit(rate_limit)
        if rate_limit.limit is None:
            msg = "TokenFleet(rate_limit=…): a fleet needs a limit for each token"
            raise ConfigurationError(msg)
        # Carries the pool and the options, and makes no calls itself.
        self._root = MarketingBlocks(
            _NO_TOKEN,
            base_url=base_url,
            rate_limit=RateLimit(limit=None),
            max_connections=max_connections,
            retry=retry,
            max_retries=max_retries,
            timeout=timeout,
            deadline=deadline,
            max_response_bytes=max_response_bytes,
            proxy=proxy,
            ssl_context=ssl_context,
            middlewares=middlewares,
            on_attempt=on_attempt,
            on_retry=on_retry,
            on_throttle=on_throttle,
            on_outcome=on_outcome,
        )
        self._rate_limit = rate_limit
        self._idle_after = check_seconds(idle_after, "idle_after")
        # Clients that the program still uses: asking for such a token again returns the same client.
        self._alive: weakref.WeakValueDictionary[bytes, MarketingBlocks] = weakref.WeakValueDictionary()
        self._names: dict[bytes, str] = {}
        # When each was last asked for, the longest ago first.
        self._recent: OrderedDict[bytes, tuple[float, MarketingBlocks]] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Open the pool on the running event loop; ``async with`` does it."""
        await self._root.open()

    async def close(self) -> None:
        """Close the pool; calls that are still waiting or in flight end with an error."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._recent.clear()
        await self._root.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    if not TYPE_CHECKING:
        # Type checkers report it by themselves.
        def __enter__(self) -> NoReturn:
            msg = "TokenFleet needs 'async with'"
            raise TypeError(msg)

        __exit__ = __enter__

    def __len__(self) -> int:
        """Return the number of clients."""
        return len(self._alive)

    def client(self, token: str, *, name: str | None = None) -> MarketingBlocks:
        """Return the client of an access token.

        Args:
            token: the access token.
            name: what ``snapshot()`` calls it; by default the beginning of a digest of the token.

        Raises:
            ConfigurationError: the token cannot be one.
            RuntimeError: no event loop is running.

        """
        loop = asyncio.get_running_loop()
        if not isinstance(cast("object", token), str):
            msg = f"token must be a string, not {type(token).__name__}"
            raise ConfigurationError(msg)
        try:
            # An error of encode() would show the token.
            key = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
            client = self._alive.get(key)
            if client is None:
                client = self._alive[key] = self._root.with_token(token, rate_limit=self._rate_limit)
        finally:
            # Crash reports show local variables.
            del token
        if name is not None or key not in self._names:
            self._names[key] = name or key.hex()[:12]
        self._recent[key] = loop.time(), client
        self._recent.move_to_end(key)
        # The timer of another loop, or of the parent of a fork, may never fire.
        if self._timer is None or self._timer_loop is not loop:
            self._timer_loop = loop
            self._timer = loop.call_later(self._idle_after, self._drop_idle)
        return client

    def snapshot(self) -> FleetSnapshot:
        """Return the state of the pool and of every token in use."""
        tokens: dict[str, RateLimiterSnapshot] = {}
        for key, client in self._alive.items():
            if client.has_limiter:
                tokens[_free_name(self._names[key], tokens)] = client.rate_limiter.snapshot()
        slots = self._root.connection_slots
        return FleetSnapshot(
            tokens=tokens,
            connections=slots.in_use if slots is not None else 0,
            waiting_for_connection=slots.waiting if slots is not None else 0,
            max_connections=slots.limit if slots is not None else None,
        )

    def _drop_idle(self) -> None:
        """Drop clients that were not requested for ``idle_after`` seconds and have no calls.

        One that is still referenced elsewhere stays usable.
        """
        loop = asyncio.get_running_loop()
        self._timer = None
        now = loop.time()
        while self._recent and next(iter(self._recent.values()))[0] <= now - self._idle_after:
            key, (_, client) = self._recent.popitem(last=False)
            # Calls under way hold what they need, and not the client.
            if self._has_calls(key, client):
                self._recent[key] = now, client
            # Or the last one would still be alive below.
            del client
        alive = set(self._alive)
        self._names = {key: name for key, name in self._names.items() if key in alive}
        REGISTRY.sweep_later()
        if self._recent:
            first = next(iter(self._recent.values()))[0]
            self._timer = loop.call_at(first + self._idle_after, self._drop_idle)

    def _has_calls(self, key: bytes, client: MarketingBlocks) -> bool:
        """Return whether calls of a token wait, are under way or are still counted, or it is paused."""
        if not client.has_limiter:
            return False
        state = client.rate_limiter.snapshot()
        slots = self._root.connection_slots
        # The permit of a slow call may be back while it waits for its response.
        on_connection = 0 if slots is None else slots.used_by(key)
        return bool(state.queued or state.in_use or on_connection or state.paused_for)


def _free_name(name: str, taken: Container[str]) -> str:
    """Return ``name``, or the first of ``name (2)``, ``name (3)``, … that is not taken."""
    return next(each for number in count(1) if (each := name if number == 1 else f"{name} ({number})") not in taken)


_NO_TOKEN = "fleet"  # noqa: S105 - no token: the name of the client that carries the pool and makes no calls
