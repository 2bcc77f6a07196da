"""One connection to Redis over redis-py: runs the script, many times in one round trip.

All failures become two kinds. No other module makes or uses a client of redis-py.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    InvalidResponse,
    NoPermissionError,
    NoScriptError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from marketingblocks_async import clock

from .script import EXCHANGE, EXCHANGE_SHA
from .settings import RedisSettings


class UnreachableError(Exception):
    """Redis could not be reached, or could not run the script now."""


class DeadConnectionError(UnreachableError):
    """A used connection is dead; the next use makes another. Servers, proxies and NAT drop idle ones."""


class AccessDeniedError(UnreachableError):
    """Redis denies this process access; trying again will not help."""


class Exchange(NamedTuple):
    """The keys and arguments of one run of the script."""

    keys: Sequence[str]
    arguments: Sequence[str | int]


NEEDED = "EVALSHA, SCRIPT LOAD, TIME, INFO, GET and SET"
"""The commands that the script needs, itself and inside it."""

_DENIALS = ("user executing the script can't", "ACL failure", "NOPERM", "unknown command", "unknown redis command")
"""Parts of errors of a command that is forbidden, or does not exist under its name. redis-py knows only the code that
an error begins with, and inside a script Redis 7.0 gives none."""


def _is_denial(error: Exception) -> bool:
    words = str(error).lower()
    return isinstance(error, AuthenticationError | NoPermissionError) or (
        isinstance(error, ResponseError) and any(part.lower() in words for part in _DENIALS)
    )


def _check_all(replies: Sequence[object], exchanges: Sequence[Exchange]) -> list[list[int] | UnreachableError]:
    errors = [reply for reply in replies if isinstance(reply, ResponseError)]
    if len(errors) == len(replies):
        raise errors[0]
    # The keys of one token may be damaged; the others go on.
    return [
        UnreachableError(str(reply)) if isinstance(reply, ResponseError) else _check(reply, exchange)
        for reply, exchange in zip(replies, exchanges, strict=True)
    ]


def _check(reply: object, exchange: Exchange) -> list[int]:
    """Check a reply of the script, which ``exchange.lua`` describes, and return it; raise it if it is an error.

    Permits must not be granted, nor the worker's thread ended, by what only looks like a reply.
    """
    if isinstance(reply, Exception):
        raise reply
    if isinstance(reply, list):
        values = cast("list[object]", reply)
        numbers = [value for value in values if type(value) is int and 0 <= value <= _LARGEST]
        if len(numbers) == len(values) > 0:
            kind, *rest = numbers
            is_heartbeat = len(exchange.keys) == 1
            match kind:
                case 0 if (is_heartbeat and not rest) or (len(rest) >= 7 and rest[0] <= int(exchange.arguments[6])):
                    return numbers
                case 1 if not rest:
                    return numbers
                case 2 if len(rest) == 2 and all(rest):
                    return numbers
                case _:
                    pass
    msg = f"the reply to the script of this package is {reply!r:.80}, which it never returns"
    raise InvalidResponse(msg)


_LARGEST = 2**53
"""Largest number that Lua calculates with exactly."""


class Connection:
    """A connection to Redis that is made when it is needed, and made anew after any failure."""

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._client: redis.asyncio.Redis | None = None
        self._used_at = -math.inf

    async def run(self, exchanges: Sequence[Exchange]) -> list[list[int] | UnreachableError]:
        """Run the script for each exchange, in order, in one round trip.

        Returns:
            The replies. An exchange that failed while others did not has its error instead.

        Raises:
            AccessDeniedError: credentials or permissions are wrong.
            DeadConnectionError: a connection that was used before is dead. It is not known which exchanges were run.
            UnreachableError: no reply in time, or an error. It is not known which exchanges were run.

        """
        was_used, lease = self._client is not None, self._settings.lease
        # A connection that NAT has forgotten stays silent, so after a rest wait less before asking on another one. In
        # use, a process exchanges two or three times in a lease.
        has_rested = was_used and clock.now() - self._used_at > lease / 2
        try:
            # A late reply is of no use: its lease has run out.
            async with asyncio.timeout(lease / 2 if has_rested else lease):
                replies = await self._run(exchanges)
                missing = [index for index, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
                if missing:
                    await self._load()
                    again = await self._run([exchanges[index] for index in missing])
                    for index, reply in zip(missing, again, strict=True):
                        replies[index] = reply
            return _check_all(replies, exchanges)
        except TimeoutError as exc:
            await self.close()
            if has_rested:
                raise DeadConnectionError from exc
            msg = f"no response within {self._settings.lease:g} s"
            raise UnreachableError(msg) from exc
        except (RedisError, OSError) as exc:
            # Also "read only" and "loading": after a failover the name may lead elsewhere.
            await self.close()
            if _is_denial(exc):
                needed = "" if isinstance(exc, AuthenticationError) else f"; its user needs {NEEDED}"
                msg = f"{exc}{needed}"
                raise AccessDeniedError(msg) from exc
            if was_used and isinstance(exc, OSError | RedisConnectionError | RedisTimeoutError):
                raise DeadConnectionError from exc
            raise UnreachableError(str(exc) or type(exc).__name__) from exc
        except UnreachableError:
            raise
        except Exception as exc:
            # redis-py's parser has no class for what is not the protocol of Redis, and code of the user (a credential
            # provider, the client that connect() returned) may raise anything.
            await self.close()
            msg = f"the connection failed with {exc!r:.200}; is it Redis that answers?"
            raise UnreachableError(msg) from exc

    async def close(self) -> None:
        """Close the connection; the next use makes another."""
        client, self._client = self._client, None
        if client is not None:
            # Whatever is wrong with it, it is not used again.
            with contextlib.suppress(Exception):
                await client.connection_pool.disconnect()

    async def _run(self, exchanges: Sequence[Exchange]) -> list[Any]:
        if self._client is None:
            self._client = self._make_client()
        pipeline = self._client.pipeline(transaction=False)
        for keys, arguments in exchanges:
            pipeline.evalsha(EXCHANGE_SHA, len(keys), *keys, *arguments)
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        self._used_at = clock.now()
        return replies

    async def _load(self) -> None:
        if self._client is not None:
            await self._client.script_load(EXCHANGE)

    def _make_client(self) -> redis.asyncio.Redis:
        if self._settings.connect is not None:
            return _made_by(self._settings.connect)
        # redis-py leaves the types of its options open.
        kind: Any = redis.asyncio.Redis
        client: redis.asyncio.Redis = kind.from_url(
            self._settings.url,
            # run() has its own. In redis-py's timeout of a write, Python 3.11 may lose a cancellation.
            socket_timeout=None,
            socket_connect_timeout=self._settings.lease,
            # An exchange that is repeated is another one, with a number of its own.
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )
        return client


def _made_by(connect: Callable[[], redis.asyncio.Redis]) -> redis.asyncio.Redis:
    try:
        client = connect()
    except Exception as exc:
        # Whatever it is, the thread must not end by it: calls would wait for ever.
        msg = f"connect() raised {type(exc).__name__}: {exc}"
        raise UnreachableError(msg) from exc
    if isinstance(cast("object", client), redis.Redis) or not hasattr(client, "pipeline"):
        msg = f"connect() returned a {type(client).__name__}, and not a redis.asyncio.Redis"
        raise UnreachableError(msg)
    return client
