"""The fleet: who uses which token, when calls come, what breaks, and what the API saw."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from benchmarks.arithmetic import worst_window
from marketingblocks_async.redis.settings import RedisSettings

from .processes import Member, Worker
from .redis_server import RedisServer


@dataclass(frozen=True)
class Layout:
    """A fleet.

    Attributes:
        tokens: number of tokens.
        processes: number of processes.
        spread: number of processes that use a token.
        saturated: how many of the tokens always have calls that wait; the others have bursts.
        burst: calls of a burst, on average.
        pause: seconds between two bursts of a token, on average.
        deaths: seconds between two deaths of processes; 0 for none. Another takes a dead one's place a second later.
        fails_over_at: instant at which Redis is gone; 0 for never.
        out_of_reach: seconds until an empty one takes its place.
        jumps: seconds between two jumps of Redis's clock, 10 s forward; 0 for none.
        servers: number of Redis servers; each keeps a part of the tokens.
        seconds: length of the run.
        warm_up: seconds at its beginning that are not judged, except for the worst second.

    """

    tokens: int = 10_000
    processes: int = 250
    spread: int = 1
    saturated: int = 0
    burst: float = 60.0
    pause: float = 60.0
    deaths: float = 0.0
    fails_over_at: float = 0.0
    out_of_reach: float = 2.0
    jumps: float = 0.0
    servers: int = 1
    seconds: float = 30.0
    warm_up: float = 5.0


@dataclass(frozen=True)
class Costs:
    """What was measured and goes into the model. Seconds.

    Attributes:
        exchange: how long Redis is busy with one exchange.
        to_redis: the way to Redis.
        late: share of the messages to and from Redis that take up to a second longer.
        lost: share of these messages that are lost.
        to_api: the way to the API.
        work: how long the API needs for a request.

    """

    exchange: float = 0.00007
    to_redis: float = 0.0003
    late: float = 0.0
    lost: float = 0.0
    to_api: float = 0.010
    work: float = 0.080


@dataclass
class Seen:
    """What was seen in a run.

    Attributes:
        counted: for each token the instants at which the API counted a request.
        waits: seconds that calls waited for permits, of tokens with bursts.

    """

    counted: dict[int, list[float]] = field(default_factory=dict[int, list[float]])
    waits: list[float] = field(default_factory=list[float])


@dataclass(frozen=True)
class Figures:
    """What a run looked like.

    Attributes:
        requests: number of requests that the API counted.
        rate: the same per second.
        worst: most requests of one token in any second.
        over: number of tokens with more than the limit in some second.
        use: rate of the saturated tokens, as a share of their limit; 0 without any.
        slowest: the same of the slowest of them.
        waits: waiting time of calls in bursts in seconds: median, 95 and 99 %.
        exchanges: exchanges a second, of all Redis servers.
        round_trips: round trips a second.
        busy: how busy the busiest Redis is, as a share of a core.

    """

    requests: int
    rate: float
    worst: int
    over: int
    use: float
    slowest: float
    waits: tuple[float, float, float]
    exchanges: float
    round_trips: float
    busy: float


class Fleet:
    """A fleet in virtual time.

    Args:
        layout: what it looks like.
        costs: what was measured.
        seed: of all that is random.

    """

    def __init__(self, layout: Layout, costs: Costs | None = None, seed: int = 0) -> None:
        self.now = 0.0
        self.random = Random(seed)  # noqa: S311 - no secret
        self.seen = Seen()
        self._layout = layout
        self._costs = costs or Costs()
        self._events: list[tuple[float, int, Callable[[Any], None], Any]] = []
        self._sequence = 0
        self._settings = RedisSettings("redis://fleet")
        self._servers = [RedisServer(lambda: self.now, self._costs.exchange) for _ in range(layout.servers)]
        self._workers: dict[tuple[int, int], Worker] = {}
        self._members: dict[tuple[int, int], Member] = {}
        self._round_trips = 0
        self._born = 0
        # Neighbours in the list of processes, so that a process has as many tokens as any other.
        self._homes = [
            [(token + step * 7) % layout.processes for step in range(layout.spread)] for token in range(layout.tokens)
        ]

    def at(self, when: float, act: Callable[[Any], None], argument: Any) -> None:
        """Plan something."""
        self._sequence += 1
        heapq.heappush(self._events, (when, self._sequence, act, argument))

    def to_redis(self) -> float:
        """Return the seconds that a message to Redis takes, or its reply; ``inf`` if it is lost."""
        costs, chance = self._costs, self.random.random()
        if chance < costs.lost:
            return math.inf
        return costs.to_redis + (self.random.random() if chance < costs.lost + costs.late else 0.0)

    def send(self, token: int, answered: Callable[[], None]) -> None:
        """Let the API count a request of a token, and tell when its answer arrives."""
        costs = self._costs
        counted = self.now + costs.to_api * (1 + 0.1 * self.random.random())
        self.at(counted, self._count, token)
        self.at(counted + costs.work + costs.to_api, lambda _: answered(), None)

    def _count(self, token: int) -> None:
        self.seen.counted.setdefault(token, []).append(self.now)

    def note_wait(self, token: int, seconds: float) -> None:
        """Note how long a call waited for its permit."""
        if token >= self._layout.saturated and self.now >= self._layout.warm_up:
            self.seen.waits.append(seconds)

    def run(self) -> Figures:
        """Play it to its end."""
        layout = self._layout
        for token in range(layout.saturated):
            for process in self._homes[token]:
                self.at(self.random.random(), self._saturate, (token, process))
        for token in range(layout.saturated, layout.tokens):
            self.at(self.random.expovariate(1 / layout.pause), self._burst, token)
        if layout.deaths:
            self.at(layout.warm_up, self._kill, None)
        if layout.fails_over_at:
            self.at(layout.fails_over_at, self._lose_redis, None)
        if layout.jumps:
            self.at(layout.jumps, self._jump, None)
        while self._events and self._events[0][0] < layout.seconds:
            self.now, _, act, argument = heapq.heappop(self._events)
            act(argument)
        return self._figures()

    def _member(self, token: int, process: int) -> Member:
        member = self._members.get((token, process))
        if member is None:
            number = token % len(self._servers)
            worker = self._workers.get((process, number))
            if worker is None:
                self._born += 1
                worker = self._workers[process, number] = Worker(
                    self, self._servers[number], self, self._settings.lease, f"process-{self._born}"
                )
            member = self._members[token, process] = Member(self, self, worker, token, self._settings)
        return member

    def _burst(self, token: int) -> None:
        layout = self._layout
        number = 1 + int(self.random.expovariate(1 / layout.burst))
        # A burst is work of one process, or of all that use the token.
        homes = self._homes[token] if self.random.random() < 0.5 else [self.random.choice(self._homes[token])]
        for process in homes:
            self._member(token, process).call(max(1, number // len(homes)))
        self.at(self.now + self.random.expovariate(1 / layout.pause), self._burst, token)

    def _saturate(self, where: tuple[int, int]) -> None:
        member = self._member(*where)
        if member.queued < 200:
            member.call(400)
        self.at(self.now + 1.0, self._saturate, where)

    def _kill(self, _: None) -> None:
        """Let a process die; calls that come later find another in its place."""
        process = self.random.randrange(self._layout.processes)
        for key in [key for key in self._workers if key[0] == process]:
            worker = self._workers.pop(key)
            worker.is_dead = True
            self._round_trips += worker.round_trips
        lost = [key for key in self._members if key[1] == process]
        for key in lost:
            del self._members[key]
            token = key[0]
            if token < self._layout.saturated:
                self.at(self.now + 1.0, self._saturate, (token, process))
        self.at(self.now + self._layout.deaths, self._kill, None)

    def _lose_redis(self, _: None) -> None:
        for server in self._servers:
            server.is_up = False
            self.at(self.now + self._layout.out_of_reach, RedisServer.restart, server)

    def _jump(self, _: None) -> None:
        for server in self._servers:
            server.set_clock_forward(10.0)
        self.at(self.now + self._layout.jumps, self._jump, None)

    def _figures(self) -> Figures:
        layout, counted = self._layout, self.seen.counted
        judged = layout.seconds - layout.warm_up
        worst = {token: worst_window(instants) for token, instants in counted.items()}
        rates = [
            sum(layout.warm_up <= instant for instant in counted.get(token, ())) / judged
            for token in range(layout.saturated)
        ]
        limit = self._settings.limit
        waits = sorted(self.seen.waits) or [0.0]
        requests = sum(map(len, counted.values()))
        round_trips = self._round_trips + sum(worker.round_trips for worker in self._workers.values())
        return Figures(
            requests,
            requests / layout.seconds,
            max(worst.values(), default=0),
            sum(number > limit for number in worst.values()),
            sum(rates) / len(rates) / limit if rates else 0.0,
            min(rates) / limit if rates else 0.0,
            (waits[len(waits) // 2], waits[int(0.95 * len(waits))], waits[int(0.99 * len(waits))]),
            sum(server.exchanges for server in self._servers) / layout.seconds,
            round_trips / layout.seconds,
            max(server.busy for server in self._servers) / layout.seconds,
        )
