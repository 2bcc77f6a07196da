"""The values that the page shows, as JSON. Reading them is cheap, so that watching a run does not slow it down."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from marketingblocks_async.models import PostStatus
from marketingblocks_async.sandbox.faults import ENDPOINT_NAMES, FAULT_KINDS, FaultPlan
from marketingblocks_async.sandbox.ledger import Ledger
from marketingblocks_async.sandbox.settings import SandboxSettings
from marketingblocks_async.sandbox.state.clock import SandboxClock
from marketingblocks_async.sandbox.state.posts import PostStore, SandboxPost

HISTORY_SECONDS = 60
"""Length of the chart's history."""

STEPS_PER_SECOND = 4
"""Points of the chart in a second."""

SHOWN_TOKENS = 12
"""Number of tokens shown, those with the most requests first."""

_FINAL = (PostStatus.PUBLISHED, PostStatus.FAILED)


@dataclass(kw_only=True, eq=False)
class DashboardState:
    """Reads the sandbox for the page."""

    settings: SandboxSettings
    clock: SandboxClock
    ledger: Ledger
    faults: FaultPlan
    posts: PostStore
    _epoch: int = 0
    _seen: int = 0
    _open: list[SandboxPost] = field(default_factory=list[SandboxPost])
    _done: Counter[str] = field(default_factory=Counter[str])
    _worst: dict[str, tuple[int, int, float]] = field(default_factory=dict[str, tuple[int, int, float]])

    def read(self) -> dict[str, Any]:
        """Return the values that the page shows."""
        settings = self.settings
        if self._epoch != self.ledger.epoch:
            self._forget()
        tokens = sorted(self.ledger.tokens.items(), key=lambda item: len(item[1].arrivals), reverse=True)
        return {
            "policy": settings.policy.value,
            "limit": settings.limit,
            "per": settings.per,
            "history_seconds": HISTORY_SECONDS,
            "tokens": [self._token(name) for name, _ in tokens[:SHOWN_TOKENS]],
            "more_tokens": max(0, len(tokens) - SHOWN_TOKENS),
            "posts": self._count_posts(),
            "endpoints": [
                {
                    "name": name,
                    "attempts": record.attempts,
                    "commits": record.commits,
                    "statuses": dict(sorted(record.statuses.items())),
                }
                for name, record in sorted(self.ledger.endpoints.items())
            ],
            "duplicates": sum(len(duplicate.post_ids) - 1 for duplicate in self.ledger.duplicates()),
            "fault_firings": len(self.ledger.fault_firings),
            "faults": [asdict(armed) for armed in self.faults.list()],
        }

    def choices(self) -> dict[str, Any]:
        """Return the choices of the form for faults."""
        return {
            "kinds": [
                {"name": name, "summary": kind.summary, "params": dict(kind.params), "only": kind.only}
                for name, kind in FAULT_KINDS.items()
            ],
            "endpoints": sorted(ENDPOINT_NAMES),
        }

    def _token(self, name: str) -> dict[str, Any]:
        record = self.ledger.tokens[name]
        now = self.clock.monotonic()
        per = self.settings.per
        recent = record.arrivals[bisect_left(record.arrivals, now - HISTORY_SECONDS - per) :]
        history = _history(recent, now, per)
        worst, worst_at = self._worst_of(name, record.arrivals, per)
        return {
            "name": name,
            "arrivals": len(record.arrivals),
            "too_many_requests": record.too_many_requests,
            "commits": record.commits,
            "now": history[-1],
            "over_limit": record.over_limit,
            "worst": worst,
            "worst_ago": max(0.0, now - worst_at),
            "history": history,
        }

    def _worst_of(self, name: str, arrivals: array[float], per: float) -> tuple[int, float]:
        """Return the most arrivals in any window, and its end. Only arrivals since the previous call are looked at."""
        seen, worst, at = self._worst.get(name, (0, 0, 0.0))
        oldest = bisect_left(arrivals, arrivals[seen] - per) if seen < len(arrivals) else seen
        for newest in range(seen, len(arrivals)):
            # A billionth less, since 1000.3 + 1 - 1000.3 is not 1 in floating point.
            while arrivals[newest] - arrivals[oldest] >= per - 1e-9:
                oldest += 1
            if newest - oldest + 1 > worst:
                worst, at = newest - oldest + 1, arrivals[newest]
        self._worst[name] = (len(arrivals), worst, at)
        return worst, at

    def _count_posts(self) -> dict[str, int]:
        """Return the number of posts in each state. Posts in a final state are not looked at again."""
        fresh = (self.posts.find(number) for number in range(self._seen + 1, len(self.posts) + 1))
        self._open += [post for post in fresh if post is not None]
        self._seen = len(self.posts)
        still_open: list[SandboxPost] = []
        counts = Counter(self._done)
        for post in self._open:
            status = self.posts.status(post)
            counts[status.value] += 1
            if status in _FINAL:
                self._done[status.value] += 1
            else:
                still_open.append(post)
        self._open = still_open
        return {status.value: counts[status.value] for status in PostStatus if status is not PostStatus.DRAFT}

    def _forget(self) -> None:
        """Begin anew after a reset."""
        self._epoch = self.ledger.epoch
        self._seen = 0
        self._open = []
        self._done = Counter()
        self._worst = {}


def _history(arrivals: array[float], now: float, per: float) -> list[int]:
    """Return the number of arrivals in the window that ends at each step of the history, the oldest first."""
    steps = HISTORY_SECONDS * STEPS_PER_SECOND
    ends = (now - (steps - step) / STEPS_PER_SECOND for step in range(1, steps + 1))
    return [bisect_left(arrivals, end) - bisect_left(arrivals, end - per) for end in ends]
