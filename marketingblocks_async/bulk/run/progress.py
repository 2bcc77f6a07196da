"""The progress of a run: rows by state, rate and estimate."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from marketingblocks_async import ConfigurationError, MarketingBlocks, RateLimiterSnapshot
from marketingblocks_async.bulk.journal.states import Counts, RowState
from marketingblocks_async.observers import tell

_SAMPLES, _SAMPLE_EVERY = 12, 0.25
"""Number of past measurements that the rate is taken from, and seconds between them."""


@dataclass(frozen=True, slots=True)
class BulkProgress:
    """The progress of a run.

    Attributes:
        counts: rows by state; rows in flight count as pending.
        in_flight: rows that are being sent.
        queued: calls that wait for a permit, of this run and of all others with the token.
        rate: rows per second, over the last seconds.
        cap: rows per second that the limiter allows now; ``None`` if the limit is lifted.
        paused_for: seconds until a pause after a 429 ends.
        eta: seconds until the end at the present rate; ``None`` if no row has ended yet.
        seconds: since the beginning.

    """

    counts: Counts
    in_flight: int
    queued: int
    rate: float
    cap: float | None
    paused_for: float
    eta: float | None
    seconds: float


class ProgressMeter:
    """Counts the rows of a run and reports its progress.

    Attributes:
        in_flight: number of each row that is being sent → ``time.monotonic()`` at which its sending began.

    """

    def __init__(self, client: MarketingBlocks, on_progress: Callable[[BulkProgress], None] | None) -> None:
        self._client = client
        self._on_progress = on_progress
        self._began = time.monotonic()
        self._samples: deque[tuple[float, int]] = deque(maxlen=_SAMPLES)
        # Whole numbers of their own, since a frozen object for each row would cost as much as a row's writes.
        self._done = self._failed = self._pending = self._unknown = 0
        self.in_flight: dict[int, float] = {}

    def begin(self) -> None:
        """Start the clock."""
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    @property
    def counts(self) -> Counts:
        """Rows by state; rows in flight count as pending."""
        done, failed, pending, unknown = self._done, self._failed, self._pending, self._unknown
        return Counts(done + failed + pending + unknown, done, failed, pending, unknown)

    @counts.setter
    def counts(self, counts: Counts) -> None:
        self._done, self._failed, self._pending, self._unknown = (
            counts.done, counts.failed, counts.pending, counts.unknown,
        )  # fmt: skip

    def count(self, state: RowState) -> None:
        """Count a pending row that is in ``state`` now."""
        if state is RowState.PENDING:
            return
        self._pending -= 1
        if state is RowState.DONE:
            self._done += 1
        elif state is RowState.FAILED:
            self._failed += 1
        else:
            self._unknown += 1

    def snapshot(self) -> BulkProgress:
        """Return the progress at this moment."""
        now, counts = time.monotonic(), self.counts
        ended = counts.ended
        if not self._samples or now - self._samples[-1][0] >= _SAMPLE_EVERY:
            self._samples.append((now, ended))
        since, before = self._samples[0]
        rate = (ended - before) / (now - since) if now > since else 0.0
        limiter = self.limiter_snapshot()
        return BulkProgress(
            counts=counts,
            in_flight=len(self.in_flight),
            queued=limiter.queued if limiter is not None else 0,
            rate=rate,
            cap=limiter.rate if limiter is not None else None,
            paused_for=limiter.paused_for if limiter is not None else 0.0,
            eta=counts.pending / rate if rate > 0 else None,
            seconds=now - self._began,
        )

    def limiter_snapshot(self) -> RateLimiterSnapshot | None:
        """Return the state of the token's limiter; ``None`` if the limit is lifted."""
        try:
            return self._client.rate_limiter.snapshot()
        except ConfigurationError:
            return None

    def report(self) -> None:
        """Report the progress now."""
        if self._on_progress is not None:
            tell(self._on_progress, self.snapshot(), "on_progress")

    async def report_every(self, seconds: float) -> None:
        """Report the progress again and again, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            self.report()
