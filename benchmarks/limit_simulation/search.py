"""Attempts to break the rule: random scenarios against the theorems, hill climbing beyond them, and two processes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from unittest import mock

from marketingblocks_async.limits import release
from marketingblocks_async.limits.permits import PermitPool
from marketingblocks_async.limits.release import PermitState, ReleaseRule
from marketingblocks_async.limits.settings import RateLimit
from marketingblocks_async.redis.pool import LeasedPool

from .simulation import MakePool, Outcome, Simulation, local_pool, worst_window
from .worlds import Delay, World, steady, uniform

_EXACT = 1e-6


class Witness(ReleaseRule):
    """The rule, with a record of when permits came back and of the largest base that was used."""

    def __init__(self, settings: RateLimit) -> None:
        super().__init__(settings)
        self.largest_base = 0.0
        # In the order of the writes.
        self.permits: list[PermitState] = []
        self.came_back: dict[PermitState, float] = {}

    def _base(self, operation: release.RoundTrips) -> float | None:
        base = super()._base(operation)
        self.largest_base = max(self.largest_base, base or 0.0)
        return base

    def when_sending(self, permit: PermitState, now: float, operation: str) -> float:
        """Ask the rule, and note the permit."""
        self.permits.append(permit)
        return super().when_sending(permit, now, operation)

    def when_due(self, permit: PermitState, now: float, *, scarce: bool) -> float:
        """Ask the rule, and note when it came back."""
        due = super().when_due(permit, now, scarce=scarce)
        if due <= now:
            self.came_back[permit] = now
        return due


@dataclass
class Findings:
    """What a search found.

    Attributes:
        scenarios: number of scenarios played.
        assumed: in how many of them the assumption held: the base never was more than the fastest possible round trip.
        excess: the most requests beyond the limit in any window, of any scenario.
        broken: scenarios that contradict a theorem.

    """

    scenarios: int = 0
    assumed: int = 0
    excess: int = 0
    broken: list[int] = field(default_factory=list[int])


def search_counterexamples(guard: float, trials: int, seed: int) -> Findings:
    """Play random scenarios against two theorems.

    With an infinite guard and the assumption, no window holds more than ``limit``. And always, no window holds more
    than ``limit`` and the requests in it whose permits came back before they were certainly harmless.
    """
    findings = Findings()
    for number in range(trials):
        _try(findings, guard, seed * trials + number)
    return findings


def _try(findings: Findings, guard: float, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - no secret
    limit, calls = random.randint(1, 6), random.randint(5, 60)
    there, back, margin = (
        random.choice((0, 0.05, 0.4)),
        random.choice((0, 0.05, 0.6)),
        random.choice((0.005, 0.05, 0.3)),
    )
    spread = random.choice((0.1, 1.0, 3.0))
    delays = [[_extra(random, margin, spread) for _ in range(calls)] for _ in range(2)]
    stalls = sorted(
        (begin := random.random() * calls / limit, begin + random.random()) for _ in range(random.randint(0, 4))
    )
    apart = [span for index, span in enumerate(stalls) if index == 0 or span[0] > stalls[index - 1][1]]
    world = World(
        "random",
        steady(there, back),
        before=_scripted(delays[0]),
        work=(_scripted(delays[1]),),
        client=lambda _random, _seconds: apart,
        fresh=random.choice((0.0, 0.2)),
    )
    witnesses: list[Witness] = []

    def witness(settings: RateLimit) -> Witness:
        witnesses.append(Witness(settings))
        return witnesses[-1]

    # A burst as large as the limit, so that no pace covers a mistake of the permits.
    settings = RateLimit(limit=limit, burst=random.choice((1, 5, 50)), guard=guard)
    with mock.patch.multiple(
        release, MARGIN=margin, ANSWERS_FOR_A_BASE=random.choice((1, 3, 10)), CREDIT_WINDOWS=random.choice((0, 1, 30))
    ):
        simulation = Simulation([world], calls, seed, settings=settings, make_pool=local_pool(witness))
        worst = simulation.run().worst
    journeys = simulation.journeys
    least = min(counted - written for written, counted in journeys)
    assumed = witnesses[0].largest_base <= least + back + min(delays[1][:calls]) + _EXACT
    early = [
        counted
        for permit, (_, counted) in zip(witnesses[0].permits, journeys, strict=True)
        if witnesses[0].came_back.get(permit, math.inf) + least < counted + settings.per - _EXACT
    ]
    findings.scenarios += 1
    findings.assumed += assumed
    findings.excess = max(findings.excess, worst - limit)
    if (guard == math.inf and assumed and worst > limit) or _unexplained(simulation.counts, early, limit):
        findings.broken.append(seed)


def _unexplained(counts: Sequence[float], early: Sequence[float], limit: int) -> bool:
    """Return whether some window holds more than the limit and the early ones in it."""
    ordered = sorted(counts)
    return any(
        worst_window(window) > limit + sum(begin <= each < begin + 1 for each in early)
        for begin in ordered
        if len(window := [each for each in ordered if begin <= each < begin + 1 - _EXACT]) > limit
    )


def _extra(random: Random, margin: float, spread: float) -> float:
    kind = random.random()
    return 0.0 if kind < 0.5 else random.random() * margin if kind < 0.7 else random.random() * spread


def _scripted(delays: Sequence[float]) -> Delay:
    left = iter(delays)
    return lambda _random: next(left)


@dataclass(frozen=True)
class Script:
    """A world that hill climbing changes: the path in steps of 0.25 s, and late requests by their number."""

    there: tuple[float, ...]
    back: tuple[float, ...]
    late: dict[int, float]
    slow: dict[int, float]

    def world(self) -> World:
        """Return the world."""
        before, work = iter(range(_CLIMB_CALLS)), iter(range(_CLIMB_CALLS))

        def path(instant: float, _kind: int) -> tuple[float, float]:
            step = min(int(instant * 4), _CLIMB_STEPS - 1)
            return self.there[step], self.back[step]

        return World(
            "script",
            path,
            before=lambda _: self.late.get(next(before), 0.0),
            work=(lambda _: 0.02 + self.slow.get(next(work), 0.0),),
        )


_CLIMB_CALLS = 1500
_CLIMB_STEPS = 80


@dataclass(frozen=True)
class Climb:
    """What hill climbing may change.

    Attributes:
        swing: seconds by which the path may switch.
        opposite: whether the way back shrinks by what the way there grows; no client can see that.
        late: number of requests that are counted up to a second late.
        slow: number of requests whose work takes up to 5 s.

    """

    swing: float = 0.0
    opposite: bool = False
    late: int = 0
    slow: int = 0

    def begin(self, random: Random) -> Script:
        """Return where to begin."""
        there: list[float] = []
        while len(there) < _CLIMB_STEPS:
            there += [0.01 + self.swing * (random.random() < 0.5)] * random.randint(1, 24)
        return self._script(
            there[:_CLIMB_STEPS],
            {random.randrange(_CLIMB_CALLS): random.random() for _ in range(self.late)},
            {random.randrange(_CLIMB_CALLS): 5 * random.random() for _ in range(self.slow)},
        )

    def change(self, script: Script, random: Random) -> Script:
        """Return a neighbour."""
        there, late, slow = list(script.there), dict(script.late), dict(script.slow)
        first = random.randrange(_CLIMB_STEPS)
        value = 0.01 + self.swing * (random.random() < 0.5)
        there[first : first + random.randint(1, 8)] = [value] * len(there[first : first + random.randint(1, 8)])
        if late:
            late.pop(random.choice(list(late)))
            near = random.choice([*late, random.randrange(_CLIMB_CALLS)])
            late[min(_CLIMB_CALLS - 1, max(0, near + random.randint(-30, 30)))] = random.random()
        if slow:
            slow.pop(random.choice(list(slow)))
            slow[random.randrange(_CLIMB_CALLS)] = 5 * random.random()
        return self._script((there + there[-1:] * 8)[:_CLIMB_STEPS], late, slow)

    def _script(self, there: list[float], late: dict[int, float], slow: dict[int, float]) -> Script:
        back = tuple(0.02 + self.swing - each for each in there) if self.opposite else tuple(there)
        return Script(tuple(there), back, late, slow)


CLIMBS: dict[str, Climb] = {
    "path switches by 40 ms each way": Climb(swing=0.04),
    "path switches by 90 ms each way": Climb(swing=0.09),
    "opposite swings of 40 ms": Climb(swing=0.04, opposite=True),
    "opposite swings of 90 ms": Climb(swing=0.09, opposite=True),
    "15 of 1500 late by up to 1 s": Climb(late=15),
    "45 of 1500 late by up to 1 s": Climb(late=45),
    "45 late, 200 slow answers": Climb(late=45, slow=200),
}


def climb(case: Climb, make_pool: MakePool, settings: RateLimit, steps: int, seed: int) -> int:
    """Return the worst second that so many steps of hill climbing found."""
    random = Random(seed)  # noqa: S311 - no secret

    def worst(script: Script) -> int:
        return Simulation([script.world()], _CLIMB_CALLS, 0, settings=settings, make_pool=make_pool).run().worst

    best = case.begin(random)
    height = worst(best)
    for _ in range(steps):
        other = case.change(best, random)
        if (found := worst(other)) >= height:
            best, height = other, found
    return height


class TwoProcesses:
    """Two processes with round trips of 20 and 200 ms that share a token's permits and move them all the time.

    Args:
        calls: number of calls of both.
        seed: of all that is random.
        swing: whether the permits swing between them in periods of 2 s, instead of at random.

    """

    def __init__(self, calls: int, seed: int, *, swing: bool) -> None:
        near = World("near", steady(0.010, 0.010), before=uniform(0, 0.002), work=(uniform(0.02, 0.025),))
        self._swing = swing
        self._random = Random(seed)  # noqa: S311 - no secret
        self._pools: list[LeasedPool] = []
        self._simulation = Simulation(
            [near, replace(near, path=steady(0.100, 0.100))], calls, seed, make_pool=self._make_pool
        )
        self._calls = calls
        for pool in self._pools:
            self._renew(pool, 50)

    def run(self) -> Outcome:
        """Play it to its end."""
        self._simulation.at(0.25, self._exchange, None, client=False)
        return self._simulation.run()

    def _make_pool(self, settings: RateLimit, clock: Callable[[], float]) -> PermitPool:
        pool = LeasedPool(settings, clock, lambda: None)
        self._pools.append(pool)
        return pool

    def _renew(self, pool: LeasedPool, held: int, comes_back: Sequence[float] = (), target: int | None = None) -> None:
        share = held if target is None else target
        pool.renew(held, target=share, share=share, usable_until=math.inf, comes_back=comes_back)

    def _exchange(self, _: None) -> None:
        simulation = self._simulation
        if not simulation.calls_left:
            return
        number = self._random.randint(-5, 5)
        if self._swing:
            number = 5 if int(simulation.now * 4) % 8 < 4 else -5
        giver, taker = self._pools if number > 0 else self._pools[::-1]
        self._renew(giver, giver.held, target=max(10, giver.held - abs(number)))
        returned = giver.offer(simulation.calls_left).returned
        self._renew(giver, giver.held)
        now = simulation.now
        self._renew(taker, taker.held + len(returned), [now + wait for wait in returned if wait])
        simulation.at(now + 0.25, self._exchange, None, client=False)
