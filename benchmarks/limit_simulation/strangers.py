"""Programs that use one token without knowing of each other: how each rule shares the limit among them.

Beside the client's own rule play ATB and AATB of Farkiani, Liu and Crowley ("Rethinking HTTP API Rate Limiting: A
Client-Side Approach", arXiv 2510.04516), with the steps and the bucket of the authors' own configuration. Their limits
are per minute and this one is per second, so their minute is a second here. They send one request at a time, so their
rate changes once a round trip. Here each sends what its bucket lets go, since one request at a time could not reach the
limit, and only the answer to a request that was sent at the present rate changes the rate.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from marketingblocks_async.limits.permits import PermitPool, PooledPermit
from marketingblocks_async.limits.release import PermitState
from marketingblocks_async.limits.settings import RateLimit

from .simulation import Clock, MakePool, Simulation, local_pool
from .worlds import WORLDS

MINUTE = 1 / 60
"""Seconds here for a second there."""

LOWEST = 0.01
"""Requests per second that the authors' rules never fall below."""


class Bucket(PermitPool):
    """A token bucket as large as half the limit, whose rate the answers change; it keeps no permits.

    Args:
        settings: the limit.
        clock: the simulation's.

    """

    def __init__(self, settings: RateLimit, clock: Clock) -> None:
        super().__init__(settings, clock)
        self.speed: float = self.limit / settings.per / 2
        self._tokens, self._filled_at = 1.0, clock()
        self._not_before = self.changed_at = -math.inf

    @property
    def rate(self) -> float:
        """Requests per second to pace at: the bucket is the only pace."""
        return 1e9

    @property
    def nominal_rate(self) -> float:
        """The same for the writes."""
        return 1e9

    @property
    def next_release(self) -> float:
        """Instant at which there is a token."""
        return max(self._not_before, self._filled_at + (1 - self._tokens) / self.speed)

    def take(self) -> PooledPermit | None:
        """Take a token if there is one."""
        now = self.clock()
        self._tokens = min(self.limit / 2, self._tokens + (now - self._filled_at) * self.speed)
        self._filled_at = now
        if self._tokens < 1 - 1e-9 or now < self._not_before:
            return None
        self._tokens -= 1
        self.granted += 1
        permit = PermitState()
        permit.sending_at = now
        return PooledPermit(self, permit)

    def pause(self, seconds: float, *, over_limit: bool) -> None:
        """Count a 429; how long the server asks to wait is not looked at."""
        del seconds, over_limit
        self.refused += 1

    def answered(self, permit: PermitState, *, success: bool) -> None:
        """Let an answer change the rate, if its request was sent at that rate."""
        if (permit.sending_at or 0.0) >= self.changed_at:
            (self.speed_up if success else self.slow_down)()

    def set_speed(self, speed: float) -> None:
        """Change the rate; the bucket is filled up to now at the rate so far."""
        now = self.changed_at = self.clock()
        self._tokens = min(self.limit / 2, self._tokens + (now - self._filled_at) * self.speed)
        self._filled_at, self.speed = now, speed

    def sending(self, permit: PermitState, operation: str) -> None:
        """Note nothing."""

    def sent(self, permit: PermitState, *, fresh_connection: bool) -> None:
        """Note nothing."""

    def slow_down(self) -> None:
        """Note a 429."""

    def speed_up(self) -> None:
        """Note a success."""


class Careless(Bucket):
    """A pace of the whole limit, whatever is answered: what most limiters do."""

    def __init__(self, settings: RateLimit, clock: Clock) -> None:
        super().__init__(settings, clock)
        self.speed *= 2


class AdaptiveTokenBucket(Bucket):
    """ATB: each success raises the rate by a fifth, each 429 halves it and empties the bucket."""

    def speed_up(self) -> None:
        """Raise the rate. The authors' two steps, below and above the rate of the last congestion, are the same."""
        self.set_speed(max(self.speed + LOWEST, self.speed * 1.2))

    def slow_down(self) -> None:
        """Halve the rate."""
        self.set_speed(max(LOWEST, self.speed / 2))
        self._tokens = 0.0


class Telemetry:
    """AATB's controller: all programs report to it, and it tells what all of them have seen lately.

    Args:
        window: seconds that it remembers.

    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._reports: deque[tuple[float, object, int, bool]] = deque()

    def report(self, now: float, client: object, sent: int, *, over_limit: bool) -> tuple[int, int, int]:
        """Take a report; return requests, programs and 429s of the window."""
        reports = self._reports
        reports.append((now, client, sent, over_limit))
        while reports[0][0] <= now - self._window:
            reports.popleft()
        clients = {id(who) for _, who, _, _ in reports}
        return sum(number for _, _, number, _ in reports), len(clients), sum(refused for _, _, _, refused in reports)


class AssistedAdaptiveTokenBucket(Bucket):
    """AATB: a program slows down by what it sent compared with the others, and backs off while anyone gets 429s.

    Args:
        settings: the limit.
        clock: the simulation's.
        telemetry: the controller.
        random: for the waits.

    """

    WINDOW = 30 * MINUTE

    def __init__(self, settings: RateLimit, clock: Clock, telemetry: Telemetry, random: Random) -> None:
        super().__init__(settings, clock)
        self._telemetry = telemetry
        self._random = random
        self._number = self._number_before = 0
        self._reports_at = self.WINDOW
        self._congested_at = -math.inf

    def take(self) -> PooledPermit | None:
        """Report if it is time, then take a token."""
        if self.clock() >= self._reports_at:
            self._reports_at = self.clock() + self.WINDOW
            self._report()
        return super().take()

    @property
    def next_release(self) -> float:
        """Instant at which there is a token or a report is due."""
        return min(super().next_release, self._reports_at)

    def answered(self, permit: PermitState, *, success: bool) -> None:
        """Count what was sent."""
        self._number += 1
        super().answered(permit, success=success)

    def _report(self) -> None:
        now = self.clock()
        if now - self._congested_at < self.WINDOW:
            return
        requests, clients, refused = self._hear(over_limit=False)
        if refused:
            self._not_before = now + self.WINDOW + self._random.uniform(-2, 2) * MINUTE
        elif now - self.changed_at >= self.WINDOW:
            usual = requests / max(1, clients)
            is_behind = self._number_before < 0.75 * usual or clients <= 1 or not usual
            self.set_speed(max(self.speed * (1.4 if is_behind else 1.2), self.speed + LOWEST))

    def _hear(self, *, over_limit: bool) -> tuple[int, int, int]:
        sent, self._number_before, self._number = self._number, self._number, 0
        return self._telemetry.report(self.clock(), self, sent, over_limit=over_limit)

    def slow_down(self) -> None:
        """Wait until the limit has room for all that was refused, and slow down."""
        now = self._congested_at = self.clock()
        requests, clients, refused = self._hear(over_limit=True)
        is_behind = self._number_before < 0.5 * requests / max(1, clients)
        self.set_speed(max(LOWEST, self.speed / (2 if is_behind else 3)))
        self._tokens = 1.1
        self._not_before = now + (refused + 1) * self.settings.per / self.limit + self._random.random() * MINUTE


def _assisted(seed: int) -> MakePool:
    telemetry, random = Telemetry(AssistedAdaptiveTokenBucket.WINDOW), Random(seed)  # noqa: S311 - no secret
    return lambda settings, clock: AssistedAdaptiveTokenBucket(settings, clock, telemetry, random)


RULES: dict[str, Callable[[int], MakePool]] = {
    "this client": lambda _: local_pool(),
    "ATB": lambda _: AdaptiveTokenBucket,
    "AATB": _assisted,
    "a pace of 100": lambda _: Careless,
}


@dataclass(frozen=True)
class Sharing:
    """How programs of one rule shared a token.

    Attributes:
        use: accepted requests as a share of what the limit allows.
        refused: 429s as a share of all requests.
        least: accepted requests of the program that got the fewest, as a share of an equal part.

    """

    use: float
    refused: float
    least: float


def share(rule: str, programs: int, calls: int, seed: int, *, world: str = "back50") -> Sharing:
    """Let programs send ``calls`` requests together, all that they can, to a server that refuses.

    Args:
        rule: a key of ``RULES``.
        programs: number of programs.
        calls: number of requests of all of them.
        seed: of all that is random.
        world: a key of ``WORLDS``.

    """
    simulation = Simulation(
        [WORLDS[world]] * programs, calls, seed, settings=RateLimit(), make_pool=RULES[rule](seed), refuses=True
    )
    simulation.run()
    accepted = [client.pool.granted - client.pool.refused for client in simulation.clients]
    seconds = simulation.counts[-1] - simulation.counts[0]
    refused = sum(client.pool.refused for client in simulation.clients)
    limit = simulation.clients[0].pool.limit
    return Sharing(sum(accepted) / (limit * seconds), refused / calls, min(accepted) * programs / sum(accepted))


def mean_of(runs: Sequence[Sharing]) -> Sharing:
    """Return the means of several runs, and the least share of all."""
    count = len(runs)
    return Sharing(
        sum(run.use for run in runs) / count,
        sum(run.refused for run in runs) / count,
        min(run.least for run in runs),
    )
