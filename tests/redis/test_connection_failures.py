"""What each failure of Redis means, in fake time and without Redis."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
import redis
from redis.exceptions import AuthenticationError, NoPermissionError, ReadOnlyError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from marketingblocks_async import clock
from marketingblocks_async.redis import RedisRateLimit
from marketingblocks_async.redis.connection import (
    AccessDeniedError,
    Connection,
    DeadConnectionError,
    Exchange,
    UnreachableError,
)
from marketingblocks_async.testing import FakeTime

LEASE = 1.0


class Client:
    """Stands for redis-py's client and its pipeline: answers a heartbeat after ``seconds``, or fails."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.failure: Exception | None = None
        self.closings = 0
        self.connection_pool = self

    def pipeline(self, **_: object) -> Client:
        return self

    def evalsha(self, *_: object) -> None:
        pass

    async def execute(self, **_: object) -> list[object]:
        await asyncio.sleep(self.seconds)
        if self.failure is not None:
            raise self.failure
        return [[0]]

    async def disconnect(self) -> None:
        self.closings += 1


class Setting:
    """A connection, and the clients that it has made, the newest last."""

    def __init__(self) -> None:
        self.clients: list[Client] = []
        self.connection = Connection(RedisRateLimit("redis://x", lease=LEASE, connect=self._connect))

    def _connect(self) -> Any:
        self.clients.append(Client())
        return self.clients[-1]

    async def run(self, seconds: float = 0.0, failure: Exception | None = None) -> None:
        if self.clients:
            self.clients[-1].seconds, self.clients[-1].failure = seconds, failure
        await self.connection.run([Exchange(("marker",), [""] * 6 + [100])])


@pytest.fixture
async def setting(monkeypatch: pytest.MonkeyPatch, fake_time: FakeTime) -> Setting:
    """Make a connection that was used just now."""
    monkeypatch.setattr(clock, "now", fake_time.monotonic)
    used = Setting()
    await used.run()
    return used


async def test_in_use_a_reply_may_take_as_long_as_the_lease(setting: Setting) -> None:
    await setting.run(0.9 * LEASE)
    assert len(setting.clients) == 1
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="no response within 1 s") as caught:
        await setting.run(2 * LEASE)
    assert type(caught.value) is UnreachableError
    assert time.monotonic() - began == pytest.approx(LEASE, abs=0.01)
    # Or the late reply would be taken for that of the next exchange.
    assert setting.clients[0].closings == 1


async def test_after_a_rest_silence_is_a_dead_connection_after_half_of_that(setting: Setting) -> None:
    await asyncio.sleep(LEASE)
    await setting.run(0.4 * LEASE)
    await asyncio.sleep(LEASE)
    began = time.monotonic()
    with pytest.raises(DeadConnectionError):
        await setting.run(0.6 * LEASE)
    assert time.monotonic() - began == pytest.approx(LEASE / 2, abs=0.01)
    assert setting.clients[0].closings == 1


@pytest.mark.parametrize("failure", [RedisConnectionError("closed"), OSError("reset")])
async def test_a_used_connection_that_fails_is_dead_and_a_new_one_is_unreachable(
    setting: Setting, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DeadConnectionError):
        await setting.run(failure=failure)

    async def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(Client, "execute", fail)
    with pytest.raises(UnreachableError) as caught:
        await setting.run()
    assert type(caught.value) is UnreachableError


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (AuthenticationError("wrong password"), AccessDeniedError),
        (NoPermissionError("no rights"), AccessDeniedError),
        (ResponseError("ERR ACL failure in script: User app has no permissions to run 'info'"), AccessDeniedError),
        (ResponseError("Unknown Redis command called from script script: 1a2b"), AccessDeniedError),
        (ResponseError("unknown command 'EVALSHA'"), AccessDeniedError),
        (ReadOnlyError("replica"), UnreachableError),
        (ValueError("garbled"), UnreachableError),
        (RedisConnectionError("closed"), DeadConnectionError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_after_any_failure_the_next_use_makes_another_connection(
    setting: Setting, failure: Exception, kind: type[Exception]
) -> None:
    with pytest.raises(kind) as caught:
        await setting.run(failure=failure)
    assert type(caught.value) is kind
    assert setting.clients[0].closings == 1
    await setting.run()
    assert len(setting.clients) == 2


@pytest.mark.parametrize(
    ("connect", "what"),
    [
        (lambda: int("port"), "raised ValueError: invalid literal"),
        (lambda: None, "returned a NoneType"),
        (lambda: redis.Redis(host="x"), "returned a Redis, and not a redis.asyncio.Redis"),
    ],
)
async def test_a_function_that_makes_no_client_is_an_outage(connect: Any, what: str) -> None:
    """Its exception ended the thread, and calls waited for ever."""
    connection = Connection(RedisRateLimit(connect=connect))
    with pytest.raises(UnreachableError, match=what):
        await connection.run([Exchange(("marker",), [""] * 6 + [100])])


class Refused(Exception):  # noqa: N818 - as some library calls it
    """What a credential provider may raise: a class of its own."""


@pytest.mark.parametrize("failure", [Refused("no token"), RuntimeError("attached to a different loop")], ids=repr)
async def test_whatever_a_client_raises_is_an_outage_that_says_why(
    setting: Setting, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended the thread, and calls waited for ever."""

    async def fail(*_: object) -> None:
        raise failure

    # The end of a client that is broken may fail as well.
    monkeypatch.setattr(Client, "disconnect", fail)
    with pytest.raises(UnreachableError, match=str(failure)):
        await setting.run(failure=failure)
    await setting.run()
    assert len(setting.clients) == 2
