"""A discrete-event simulation of one token: the real permits and rule, in virtual time, with the exact counts."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from marketingblocks_async.limits.permits import PermitPool, PooledPermit
from marketingblocks_async.limits.queue import WRITE_RATE_FACTOR
from marketingblocks_async.limits.release import ReleaseRule
from marketingblocks_async.limits.settings import RateLimit

from .worlds import Stalls, World

TIMER_LATE = 0.0011
"""Upper bound of how late a timer of the event loop fires, in seconds."""

_TURN = 0.00005
"""Seconds between a write and its stamp: a turn of the event loop."""

_REFUSAL_TAKES = 0.001
_RETRY_AFTER = 1.0

Clock = Callable[[], float]
MakePool = Callable[[RateLimit, Clock], PermitPool]
"""Makes the permits of a process, on the simulation's clock."""


def local_pool(make_rule: Callable[[RateLimit], ReleaseRule] = ReleaseRule) -> MakePool:
    """Return what makes the permits of a process that is alone."""
    return lambda settings, clock: PermitPool(settings, clock, make_rule)


@dataclass(frozen=True)
class Outcome:
    """What a run looked like at the server.

    Attributes:
        worst: the most requests counted in any window of ``per`` seconds.
        rate: requests per second, without the first five seconds.
        overall: requests per second from the first to the last.
        refused: requests that a sliding log of accepted requests refuses.

    """

    worst: int
    rate: float
    overall: float
    refused: int


def worst_window(counts: Sequence[float], per: float = 1.0) -> int:
    """Return the most of the ascending instants in any half-open window."""
    oldest = worst = 0
    for newest, instant in enumerate(counts):
        while instant - counts[oldest] >= per - 1e-9:
            oldest += 1
        worst = max(worst, newest - oldest + 1)
    return worst


class SlidingLog:
    """A server's limit: at most so many accepted requests in any window.

    Args:
        settings: the limit.

    """

    def __init__(self, settings: RateLimit) -> None:
        self._limit = settings.limit or 0
        self._per = settings.per
        self._accepted: deque[float] = deque()

    def accepts(self, now: float) -> bool:
        """Judge a request."""
        accepted = self._accepted
        while accepted and now - accepted[0] >= self._per - 1e-9:
            accepted.popleft()
        if len(accepted) >= self._limit:
            return False
        accepted.append(now)
        return True


class TokenBucket:
    """A token bucket in virtual time, as ``pacing.py`` has it."""

    def __init__(self, burst: float) -> None:
        self._burst = burst
        self._full_at = 0.0

    def wait(self, now: float, rate: float) -> float:
        """Return the seconds until one may pass."""
        return max(0.0, self._full_at - (self._burst - 1) / rate - now)

    def take(self, now: float, rate: float) -> None:
        """Let one pass."""
        self._full_at = max(self._full_at, now) + 1 / rate

    def drain(self, now: float, rate: float) -> None:
        """Use up the burst."""
        self._full_at = max(self._full_at, now + (self._burst - 1) / rate)


class _Request:
    __slots__ = ("fails", "kind", "opens", "operation", "permit", "sent")

    def __init__(self, permit: PooledPermit, operation: int, kind: int, *, opens: bool) -> None:
        self.permit = permit
        self.operation = operation
        self.kind = kind
        self.opens = opens
        self.sent = False
        self.fails = False


class Client:
    """A saturated process that uses a token: its permits, its dispatcher and its writes.

    Args:
        simulation: the simulation.
        pool: the permits.
        world: the world as this process sees it.

    """

    def __init__(self, simulation: Simulation, pool: PermitPool, world: World) -> None:
        self.pool = pool
        self._simulation = simulation
        self._world = world
        self._grants, self._writes = TokenBucket(pool.settings.burst), TokenBucket(pool.settings.burst)
        self._looks_at = math.inf
        self._opened = 0
        self._idle = 0
        self._resumed_from = -math.inf
        self.last_grant = 0.0
        pool.listen(self.look_by)

    def look_by(self, when: float) -> None:
        """Run the dispatcher at an instant, unless it runs before."""
        if when < self._looks_at:
            now = self._simulation.now
            late = self._simulation.random.random() * TIMER_LATE if when > now else 0.0
            self._looks_at = max(when, now) + late
            self._simulation.at(self._looks_at, self._dispatch, self._looks_at)

    def _dispatch(self, planned: float) -> None:
        if planned != self._looks_at:
            return
        self._looks_at = math.inf
        simulation, pool = self._simulation, self.pool
        now = simulation.now
        if now < pool.paused_until:
            self.look_by(pool.paused_until)
            return
        if self._resumed_from != pool.paused_until:
            self._resumed_from = pool.paused_until
            self._grants.drain(now, pool.rate)
        while simulation.calls_left:
            rate = pool.rate
            if wait := self._grants.wait(now, rate):
                self.look_by(now + wait)
                return
            permit = pool.take()
            if permit is None:
                self.look_by(max(pool.next_release, now + 1e-9))
                return
            self._grants.take(now, rate)
            simulation.calls_left -= 1
            self.last_grant = now
            self._begin(permit)

    def _begin(self, permit: PooledPermit) -> None:
        world, simulation = self._world, self._simulation
        random = simulation.random
        opens = self._opened < world.first_fresh or random.random() < world.fresh or (world.pooled and not self._idle)
        self._opened += opens
        self._idle -= not opens
        kind = random.randrange(2) if world.kinds else 0
        request = _Request(permit, random.randrange(len(world.work)), kind, opens=opens)
        connect = sum(world.path(simulation.now, kind)) if opens else 0.0
        simulation.at(simulation.now + connect, self._write, request)

    def _write(self, request: _Request) -> None:
        simulation = self._simulation
        rate = WRITE_RATE_FACTOR * self.pool.nominal_rate
        if wait := self._writes.wait(simulation.now, rate):
            simulation.at(simulation.now + wait + simulation.random.random() * TIMER_LATE, self._write, request)
            return
        self._writes.take(simulation.now, rate)
        request.permit.sending(str(request.operation))
        simulation.travel(self._world, request.kind, opens=request.opens, counted=lambda: self._count(request))
        simulation.at(simulation.now + _TURN, self._stamp, request)

    def _stamp(self, request: _Request) -> None:
        if not request.sent:
            request.sent = True
            request.permit.sent(fresh_connection=request.opens)

    def _count(self, request: _Request) -> None:
        """Count the request; this happens at the server."""
        simulation, world = self._simulation, self._world
        random = simulation.random
        accepted = simulation.count()
        if not accepted:
            work = _REFUSAL_TAKES
        elif random.random() < world.fails:
            work, request.fails = 0.002, True
        else:
            work = world.work[request.operation](random)
        simulation.travel_back(world, work, request.kind, lambda: self._answer(request, accepted=accepted))

    def _answer(self, request: _Request, *, accepted: bool) -> None:
        self._stamp(request)
        self._idle += 1
        if not accepted:
            self.pool.pause(_RETRY_AFTER, over_limit=True)
        request.permit.answered(success=accepted and not request.fails)


_LOCAL = local_pool()


class Simulation:
    """One token in a world.

    Args:
        worlds: the world as each process sees it.
        calls: number of calls, all started together.
        seed: of all that is random.
        settings: the limit.
        make_pool: makes the permits of each process.
        refuses: whether the server answers with a 429 what is beyond the limit.

    """

    def __init__(
        self,
        worlds: Sequence[World],
        calls: int,
        seed: int,
        *,
        settings: RateLimit | None = None,
        make_pool: MakePool = _LOCAL,
        refuses: bool = False,
    ) -> None:
        self.now = 0.0
        self.random = Random(seed)  # noqa: S311 - no secret
        self.calls_left = calls
        self.counts: list[float] = []
        # Of each request: when it was written and when it was counted.
        self.journeys: list[tuple[float, float]] = []
        settings = settings or RateLimit()
        self.per = settings.per
        seconds = 4 * calls * settings.per / (settings.limit or 1) + 60
        stalls = (worlds[0].client, worlds[0].server, worlds[0].counter, worlds[0].network)
        self._client, self._server, self._counter, self._network = (
            Stalls(make(self.random, seconds)) for make in stalls
        )
        self._events: list[tuple[float, int, Callable[[Any], None], Any, bool]] = []
        self._sequence = 0
        self._log = SlidingLog(settings)
        self._refuses = refuses
        self._refused = 0
        self.clients = [Client(self, make_pool(settings, lambda: self.now), world) for world in worlds]

    def at(self, when: float, act: Callable[[Any], None], argument: Any, *, client: bool = True) -> None:
        """Plan something, of a client (which may stand still then) or of the server."""
        self._sequence += 1
        heapq.heappush(self._events, (when, self._sequence, act, argument, client))

    def run(self) -> Outcome:
        """Play it to its end."""
        for client in self.clients:
            client.look_by(0.0)
        while self._events:
            when, sequence, act, argument, is_client = heapq.heappop(self._events)
            if is_client and (free := self._client.after(when)) > when:
                # In the order in which it would have been, when the client goes on.
                heapq.heappush(self._events, (free, sequence, act, argument, is_client))
                continue
            self.now = when
            act(argument)
        counts = sorted(self.counts)
        end = max(client.last_grant for client in self.clients)
        steady = [instant for instant in counts if 5 < instant <= end]
        rate = len(steady) / (end - 5) if end > 5 else 0.0
        overall = (len(counts) - 1) / (counts[-1] - counts[0])
        refused = self._refused if self._refuses else self._would_refuse(counts)
        return Outcome(worst_window(counts, self.per), rate, overall, refused)

    def _would_refuse(self, counts: Sequence[float]) -> int:
        return sum(not self._log.accepts(instant) for instant in counts)

    def count(self) -> bool:
        """Count a request now, at the server; return whether it is accepted."""
        self.counts.append(self.now)
        if self._refuses and not self._log.accepts(self.now):
            self._refused += 1
            return False
        return True

    def travel(self, world: World, kind: int, *, opens: bool, counted: Callable[[], None]) -> None:
        """Send a request to the server."""
        there, _ = world.path(self.now, kind)
        instant = self._network.after(self.now) + there
        if world.before:
            instant += world.before(self.random)
        if opens and world.accept:
            instant += world.accept(self.random)
        instant = self._counter.after(self._server.after(instant))
        self.journeys.append((self.now, instant))
        self.at(instant, lambda _: counted(), None, client=False)

    def travel_back(self, world: World, work: float, kind: int, answered: Callable[[], None]) -> None:
        """Send an answer to the client, when the work is done."""
        instant = self._server.after(self.now + work)
        instant += world.path(instant, kind)[1]
        if world.back:
            instant += world.back(self.random)
        self.at(self._network.after(instant), lambda _: answered(), None)
