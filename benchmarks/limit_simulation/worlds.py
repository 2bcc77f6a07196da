"""Worlds: what lies between a request's write and its count at the server, and between the count and the answer."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

Delay = Callable[[Random], float]
"""Draws a delay in seconds."""

Path = Callable[[float, int], tuple[float, float]]
"""Returns the delays of the network there and back, for an instant and a kind of connection (0 or 1)."""


def constant(seconds: float) -> Delay:
    """Return a delay that is always the same."""
    return lambda _: seconds


def uniform(low: float, high: float) -> Delay:
    """Return a delay that is equally likely anywhere between two bounds."""
    return lambda random: random.uniform(low, high)


def lognormal(median: float, sigma: float) -> Delay:
    """Return a delay with a long tail, as the processing times of most servers have."""
    return lambda random: median * math.exp(sigma * random.gauss(0, 1))


def sometimes(share: float, rare: Delay, usual: Delay | None = None) -> Delay:
    """Return a delay that is ``rare`` for a share of the requests, and else ``usual`` (none)."""
    return lambda random: rare(random) if random.random() < share else usual(random) if usual else 0.0


def steady(there: float = 0.010, back: float = 0.010) -> Path:
    """Return a network without surprises."""
    return lambda _instant, _kind: (there, back)


def by_kind(first: tuple[float, float], second: tuple[float, float]) -> Path:
    """Return a network in which connections of two kinds take different ways."""
    return lambda _instant, kind: (first, second)[kind]


def changing(at: float, before: float, after: float) -> Path:
    """Return a network whose delay, each way, changes once."""
    return lambda instant, _kind: (before, before) if instant < at else (after, after)


def swinging(period: float, low: float, high: float) -> Path:
    """Return a network whose way there swings slowly while the way back stays."""
    middle, half = (low + high) / 2, (high - low) / 2
    return lambda instant, _kind: (middle + half * math.sin(2 * math.pi * instant / period), 0.010)


class Stalls:
    """Spans of time in which something stands still; what falls into one happens at its end."""

    def __init__(self, spans: list[tuple[float, float]]) -> None:
        self._begins = [begin for begin, _ in spans]
        self._ends = [end for _, end in spans]

    def after(self, instant: float) -> float:
        """Return the first instant from ``instant`` on that is in no stall."""
        index = bisect_right(self._begins, instant) - 1
        return max(instant, self._ends[index]) if index >= 0 else instant


MakeStalls = Callable[[Random, float], list[tuple[float, float]]]
"""Draws the stalls of a number of seconds."""


def no_stalls(_random: Random, _seconds: float) -> list[tuple[float, float]]:
    """Let nothing stand still."""
    return []


def regular_stalls(every: float, length: float) -> MakeStalls:
    """Return stalls of one length at nearly regular intervals."""

    def make(random: Random, seconds: float) -> list[tuple[float, float]]:
        spans: list[tuple[float, float]] = []
        begin = every * random.uniform(0.5, 1.5)
        while begin < seconds:
            spans.append((begin, begin + length))
            begin += every * random.uniform(0.8, 1.2)
        return spans

    return make


def heavy_stalls(rate: float, alpha: float, shortest: float, longest: float) -> MakeStalls:
    """Return stalls as an overloaded machine has them: many short ones and a few long ones."""

    def make(random: Random, seconds: float) -> list[tuple[float, float]]:
        spans: list[tuple[float, float]] = []
        instant = 0.0
        while instant < seconds:
            begin = instant + random.expovariate(rate)
            instant = begin + min(longest, shortest * random.paretovariate(alpha))
            spans.append((begin, instant))
        return spans

    return make


_STEADY = steady()


@dataclass(frozen=True)
class World:
    """One world. Delays in seconds.

    Attributes:
        about: description.
        path: the network.
        before: extra delay before the count, of each request.
        work: time from the count until the answer is sent, one entry for each operation; calls alternate at random.
        back: extra delay of each answer.
        fresh: share of the requests that open a connection.
        first_fresh: how many requests at the start open one in any case.
        pooled: whether a request opens one when none is idle.
        accept: extra delay before the count on a new connection.
        client: stalls of the client.
        server: stalls of the server: it counts nothing, answers nothing.
        counter: stalls of what counts; requests that were counted before are answered.
        network: stalls of the network.
        fails: share of the requests that fail at once, 2 ms after they were counted.
        kinds: whether half of the connections are of a second kind.

    """

    about: str
    path: Path = _STEADY
    before: Delay | None = None
    work: tuple[Delay, ...] = (uniform(0.080, 0.085),)
    back: Delay | None = None
    fresh: float = 0.0
    first_fresh: int = 0
    pooled: bool = False
    accept: Delay | None = None
    client: MakeStalls = no_stalls
    server: MakeStalls = no_stalls
    counter: MakeStalls = no_stalls
    network: MakeStalls = no_stalls
    fails: float = 0.0
    kinds: bool = False


_LATE = uniform(0.3, 1.0)
_VARIED = (lognormal(0.3, 0.5),)

WORLDS: dict[str, World] = {
    "loopback": World("1 ms", steady(0.0003, 0.0007), work=(uniform(0, 0.0005),)),
    "50ms": World("answers take 50 ms", work=(uniform(0.030, 0.031),)),
    "300ms": World("answers take 300 ms", work=(uniform(0.280, 0.281),)),
    "900ms": World("answers take 900 ms", work=(uniform(0.880, 0.881),)),
    "3s": World("answers take 3 s", work=(uniform(2.980, 2.981),)),
    "there50": World("0 to 50 ms of jitter on the way there", before=uniform(0, 0.05), work=(constant(0.06),)),
    "there200": World("0 to 200 ms of jitter on the way there", before=uniform(0, 0.2), work=(constant(0.06),)),
    "back50": World("0 to 50 ms of jitter on the way back", back=uniform(0, 0.05), work=(constant(0.06),)),
    "back200": World("0 to 200 ms of jitter on the way back", back=uniform(0, 0.2), work=(constant(0.06),)),
    "both50": World(
        "0 to 50 ms of jitter on both ways", before=uniform(0, 0.05), back=uniform(0, 0.05), work=(constant(0.06),)
    ),
    "late1": World("1 % are counted 0.3 to 1 s late", before=sometimes(0.01, _LATE)),
    "late10": World("10 % are counted 0.3 to 1 s late", before=sometimes(0.10, _LATE)),
    "stall": World("the server stands still for 0.5 s every 5 s", server=regular_stalls(5, 0.5)),
    "stall60": World("the same once a minute", server=regular_stalls(50, 0.5)),
    "counter": World("what counts stands still for 0.5 s every 5 s", counter=regular_stalls(5, 0.5)),
    "outage": World("the network holds everything for 0.5 s every 10 s", network=regular_stalls(10, 0.5)),
    "accept": World(
        "5 % new connections, accepted 0 to 0.8 s late", fresh=0.05, first_fresh=20, accept=uniform(0, 0.8)
    ),
    "first_slow": World("new connections are accepted 0.3 s late, each", pooled=True, accept=constant(0.3)),
    "first_slow_300ms": World(
        "the same, answers take 300 ms", pooled=True, accept=constant(0.3), work=(uniform(0.280, 0.281),)
    ),
    "first_slow_3s": World(
        "the same, answers take 3 s", pooled=True, accept=constant(0.3), work=(uniform(2.980, 2.981),)
    ),
    "no_reuse": World("each request on a new connection, work varies", fresh=1.0, work=_VARIED),
    "overload": World(
        "both machines overloaded",
        steady(0.0003, 0.0007),
        work=(uniform(0.020, 0.025),),
        client=heavy_stalls(6, 1.2, 0.004, 1.0),
        server=heavy_stalls(6, 1.2, 0.004, 1.0),
    ),
    "varied": World("work varies (lognormal, 300 ms, sigma 0.5)", work=_VARIED),
    "varied1": World("work varies (lognormal, 300 ms, sigma 1)", work=(lognormal(0.3, 1.0),)),
    "varied_before": World("the same before the count, sigma 0.5", before=lognormal(0.3, 0.5), work=(constant(0),)),
    "varied_before30": World("the same with 30 ms", before=lognormal(0.03, 0.5), work=(constant(0.05),)),
    "mixed": World("reads take 20 ms, creates 800 ms", work=(lognormal(0.001, 0.3), lognormal(0.78, 0.02))),
    "mixed_varied": World("the same, varied (sigma 0.5)", work=(lognormal(0.020, 0.5), lognormal(0.8, 0.5))),
    "fall": World(
        "round trip falls from 100 to 20 ms at once", changing(40, 0.050, 0.010), work=(uniform(0.02, 0.025),)
    ),
    "rise": World(
        "round trip rises from 20 to 100 ms at once", changing(40, 0.010, 0.050), work=(uniform(0.02, 0.025),)
    ),
    "asymmetric": World(
        "connections with 90 ms there and 10 back, and the reverse",
        by_kind((0.09, 0.01), (0.01, 0.09)),
        work=(uniform(0.030, 0.035),),
        kinds=True,
    ),
    "edges": World(
        "connections with 20 and with 120 ms",
        by_kind((0.01, 0.01), (0.06, 0.06)),
        work=(uniform(0.030, 0.035),),
        kinds=True,
    ),
    "client": World("the client stands still for 0.6 s every 5 s", client=regular_stalls(5, 0.6)),
    "varied_late1": World("work varies, 1 % counted late", work=_VARIED, before=sometimes(0.01, _LATE)),
    "varied_stall": World("work varies, server stalls every 5 s", work=_VARIED, server=regular_stalls(5, 0.5)),
    "varied_stall60": World("work varies, server stalls once a minute", work=_VARIED, server=regular_stalls(50, 0.5)),
    "varied_counter": World("work varies, what counts stalls every 5 s", work=_VARIED, counter=regular_stalls(5, 0.5)),
    "varied_accept": World(
        "work varies, new connections late", work=_VARIED, fresh=0.05, first_fresh=30, accept=uniform(0, 0.8)
    ),
    "3s_late1": World(
        "answers take 3 s, 1 % counted late", work=(uniform(2.98, 2.985),), before=sometimes(0.01, _LATE)
    ),
    "3s_stall": World(
        "answers take 3 s, server stalls every 5 s", work=(uniform(2.98, 2.985),), server=regular_stalls(5, 0.5)
    ),
    "fails": World("300 ms; 1 % fail at once", work=(lognormal(0.28, 0.01),), fails=0.01),
    "swing": World("the way there swings between 10 and 60 ms in 20 s", swinging(20, 0.010, 0.060)),
}
