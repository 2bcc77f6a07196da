"""The processes of a fleet: their tokens, and their exchanges with Redis."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Protocol

from benchmarks.limit_simulation.simulation import TIMER_LATE, TokenBucket
from marketingblocks_async.limits.limiter import RateLimiter
from marketingblocks_async.limits.permits import PooledPermit
from marketingblocks_async.limits.queue import WRITE_RATE_FACTOR
from marketingblocks_async.redis.connection import Exchange, UnreachableError
from marketingblocks_async.redis.lease import Lease
from marketingblocks_async.redis.pool import LeasedPool
from marketingblocks_async.redis.settings import RedisSettings
from marketingblocks_async.redis.worker import PIPELINE_SIZE

from .redis_server import RedisServer

_WRITE_TAKES = 0.0003
"""Seconds from a grant to its write on an open connection."""

_LOOKS_AGAIN = 0.02
"""Seconds after which a write looks again for a valid lease."""


class Timeline(Protocol):
    """Virtual time."""

    random: Random

    @property
    def now(self) -> float:
        """The instant."""
        ...

    def at(self, when: float, act: Callable[[Any], None], argument: Any) -> None:
        """Plan something."""
        ...


class Network(Protocol):
    """What a request and an exchange meet."""

    def to_redis(self) -> float:
        """Return the seconds that a message to Redis takes, or its reply; ``inf`` if it is lost."""
        ...

    def send(self, token: int, answered: Callable[[], None]) -> None:
        """Let the API count a request of a token, and tell when its answer arrives."""
        ...

    def note_wait(self, token: int, seconds: float) -> None:
        """Note how long a call waited for its permit."""
        ...


class Worker:
    """A process's exchanges with one Redis, as ``redis/worker.py`` has them.

    Args:
        time: virtual time.
        server: the Redis.
        network: the ways to it.
        timeout: seconds after which a round trip has failed.
        name: of the process in Redis.

    """

    def __init__(self, time: Timeline, server: RedisServer, network: Network, timeout: float, name: str) -> None:
        self._time = time
        self._server = server
        self._network = network
        self._timeout = timeout
        self.name = name
        # An ordered set, so that a seed gives the same run.
        self._active: dict[Lease, None] = {}
        self._looks_at = math.inf
        # The leases of the round trip that is under way. A late reply belongs to none.
        self._sent: Sequence[Lease] = ()
        self._failing_since: float | None = None
        self.round_trips = 0
        self.is_dead = False

    def wake(self, lease: Lease) -> None:
        """Look soon whether a lease needs an exchange."""
        lease.schedule_exchange()
        self._active[lease] = None
        self._look_by(lease.due)

    def _look_by(self, when: float) -> None:
        if when < self._looks_at:
            now = self._time.now
            late = self._time.random.random() * TIMER_LATE if when > now else 0.0
            self._looks_at = max(when, now) + late
            self._time.at(self._looks_at, self._look, self._looks_at)

    def _look(self, planned: float) -> None:
        if planned != self._looks_at:
            return
        self._looks_at = math.inf
        if self._sent or self.is_dead:
            return
        now = self._time.now
        due = sorted((lease for lease in self._active if lease.due <= now), key=lambda lease: lease.due)
        if not due:
            self._look_by(min((lease.due for lease in self._active), default=math.inf))
            return
        self._sent = leases = due[:PIPELINE_SIZE]
        self.round_trips += 1
        exchanges = [Exchange(lease.keys, lease.prepare()) for lease in leases]
        self._travel(lambda: self._arrive(leases, exchanges))
        self._time.at(now + self._timeout, self._fail, leases)

    def _travel(self, arrive: Callable[[], None]) -> None:
        instant = self._time.now + self._network.to_redis()
        if instant < math.inf:
            self._time.at(instant, lambda _: arrive(), None)

    def _arrive(self, leases: Sequence[Lease], exchanges: Sequence[Exchange]) -> None:
        if not self._server.is_up:
            self._travel(lambda: self._fail(leases))
            return
        replies, instant = self._server.run(exchanges)
        self._time.at(instant, lambda _: self._travel(lambda: self._accept(leases, replies)), None)

    def _accept(self, leases: Sequence[Lease], replies: Sequence[Sequence[int]]) -> None:
        if self._sent is not leases:
            return
        self._failing_since = None
        for lease, reply in zip(leases, replies, strict=True):
            lease.accept(reply)
        self._go_on(leases)

    def _fail(self, leases: Sequence[Lease]) -> None:
        if self._sent is not leases:
            return
        now = self._time.now
        if self._failing_since is None:
            self._failing_since = now
        for lease in leases:
            lease.on_unreachable(now - self._failing_since, UnreachableError("no reply"))
        self._go_on(leases)

    def _go_on(self, leases: Sequence[Lease]) -> None:
        self._sent = ()
        for lease in leases:
            if lease.due == math.inf:
                self._active.pop(lease, None)
        self._look_by(min((lease.due for lease in self._active), default=math.inf))


class Member(RateLimiter):
    """One token in one process: its calls that wait, its permits and its lease.

    Args:
        time: virtual time.
        network: what its requests meet.
        worker: the process's worker.
        token: number of the token.
        settings: the limit.

    """

    def __init__(self, time: Timeline, network: Network, worker: Worker, token: int, settings: RedisSettings) -> None:
        self._time = time
        self._network = network
        self._worker = worker
        self._token = token
        self.pool = LeasedPool(settings.local, lambda: time.now, self._request_refill)
        super().__init__(self.pool)
        self._lease = Lease(settings, "fleet", f"{token}", pool=self.pool, limiter=self, name=worker.name)
        self._waiting: deque[float] = deque()
        self._grants, self._writes = TokenBucket(settings.burst), TokenBucket(settings.burst)
        self._looks_at = math.inf
        self.pool.listen(self._look_by)

    @property
    def queued(self) -> int:
        """Number of calls that wait for a permit."""
        return len(self._waiting)

    def call(self, number: int) -> None:
        """Make so many calls now."""
        self._waiting.extend([self._time.now] * number)
        self._look_by(self._time.now)

    def _request_refill(self) -> None:
        if not self._lease.is_signalled:
            self._lease.is_signalled = True
            self._worker.wake(self._lease)

    def _look_by(self, when: float) -> None:
        if when < self._looks_at and self._waiting:
            now = self._time.now
            late = self._time.random.random() * TIMER_LATE if when > now else 0.0
            self._looks_at = max(when, now) + late
            self._time.at(self._looks_at, self._dispatch, self._looks_at)

    def _dispatch(self, planned: float) -> None:
        if planned != self._looks_at or self._worker.is_dead:
            return
        self._looks_at = math.inf
        now, pool = self._time.now, self.pool
        while self._waiting:
            rate = pool.rate
            if wait := self._grants.wait(now, rate):
                self._look_by(now + wait)
                return
            permit = pool.take()
            if permit is None:
                self._look_by(max(pool.next_release, now + 1e-9))
                return
            self._grants.take(now, rate)
            self._network.note_wait(self._token, now - self._waiting.popleft())
            self._time.at(now + _WRITE_TAKES, self._write, permit)

    def _write(self, permit: PooledPermit) -> None:
        now = self._time.now
        if self._worker.is_dead:
            # Nothing of it was written, and nothing will be.
            permit.release()
            return
        if self.pool.writable <= 0:
            self._time.at(now + _LOOKS_AGAIN, self._write, permit)
            return
        rate = WRITE_RATE_FACTOR * self.pool.nominal_rate
        if wait := self._writes.wait(now, rate):
            self._time.at(now + wait, self._write, permit)
            return
        self._writes.take(now, rate)
        permit.sending("create")
        permit.sent(fresh_connection=False)
        self._network.send(self._token, permit.answered)
