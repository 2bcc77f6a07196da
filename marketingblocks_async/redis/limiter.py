"""The limiter of one token in this process, on permits that are leased from Redis; and the settings that make one."""

from __future__ import annotations

from dataclasses import dataclass, fields

from marketingblocks_async import clock
from marketingblocks_async.limits.limiter import RateLimiter
from marketingblocks_async.limits.settings import ManagedLimiter, RateLimiterSnapshot

from .lease import Lease
from .pool import LeasedPool
from .settings import RedisSettings
from .worker import worker_for


class RedisRateLimit(RedisSettings):
    """One rate limit for all processes that use the same Redis.

    ``MarketingBlocks(rate_limit=RedisRateLimit("redis://cache:6379/0"))``. All processes of a token must give the same
    ``limit``, ``per``, ``guard``, ``lease`` and ``prefix``.

    Args:
        url: address of Redis, as redis-py understands it: ``redis://``, ``rediss://`` or ``unix://``. Not needed with
            ``connect``.
        limit: requests per ``per`` seconds of all processes together, at least 1.
        per: length of the window in seconds, above 0.
        burst: how many requests each process may send back to back after a rest, at least 1.
        guard: as in ``RateLimit``, in seconds.
        on_failure: what calls do while Redis cannot be reached and the lease has run out. ``"wait"``: wait for it.
            ``"fail"``: raise ``NotSentError``. ``"share"``: go on with a fixed share of the
            limit after ``recovery`` seconds. By default ``"share"`` if ``share`` is given, else ``"wait"``.
        share: number of shares into which the limit is divided for ``"share"``: the largest number of processes that
            there may be, 1 to ``limit``.
        lease: for how many seconds a process may use its permits without hearing from Redis, 0.1 or more. While it is
            in use, it renews its lease three times in that time.
        prefix: how the names of all keys begin.
        connect: returns the client, a ``redis.asyncio.Redis``, instead of ``url``, for Sentinel and other special
            cases. It is not awaited; called in the thread that uses the client, and again after a lost connection.
            If it raises, Redis counts as out of reach. ``url`` is then only a name.

    Raises:
        ConfigurationError: a value is out of its range.

    """

    __slots__ = ()

    def make_limiter(self, base_url: str, token: str) -> ManagedLimiter:
        """Return a new limiter of a token.

        Args:
            base_url: API root.
            token: access token; only a hash of both goes to Redis.

        """
        return RedisRateLimiter(self, base_url, token)


@dataclass(frozen=True, slots=True)
class RedisRateLimiterSnapshot(RateLimiterSnapshot):
    """The state of a limiter on leased permits; ``limit`` is that of all processes, all else is of this one.

    Attributes:
        held: permits that this process holds, in use or not.
        share: permits that it may count on; more when the others want less.
        lease_left: seconds that it may go on without hearing from Redis; 0.0 if the lease has run out, ``inf`` while it
            uses a fixed share.
        out_of_reach_for: seconds for which Redis has been out of reach; ``None`` if it answers.
        falls_back: whether it uses a fixed share, because Redis cannot be reached.

    """

    held: int
    share: float
    lease_left: float
    out_of_reach_for: float | None
    falls_back: bool

    @property
    def obstacle(self) -> str | None:
        """What holds all calls back, in words; ``None`` if it is only the queue."""
        if self.out_of_reach_for is not None and not self.lease_left:
            return f"Redis, which keeps the rate limit, has been out of reach for {self.out_of_reach_for:.0f} s"
        # slots=True makes another class of this one, which super() without arguments would not find.
        return super(RedisRateLimiterSnapshot, self).obstacle


class RedisRateLimiter(RateLimiter):
    """The limiter of one token in one process, see the package's docstring.

    Args:
        settings: the limit and the Redis that keeps it.
        base_url: API root.
        token: access token; it is not kept.

    """

    def __init__(self, settings: RedisSettings, base_url: str, token: str) -> None:
        self._leased = LeasedPool(settings.local, clock.now, self._request_refill)
        super().__init__(self._leased)
        self._lease = Lease(settings, base_url, token, pool=self._leased, limiter=self)
        self._worker = worker_for(settings)
        self._worker.register(self._lease)

    def pause(self, seconds: float, *, over_limit: bool = True) -> None:
        """Let nothing out for ``seconds``, in any process.

        Args:
            seconds: length of the pause.
            over_limit: whether the reason is a 429; then all processes also go on more slowly.

        """
        super().pause(seconds, over_limit=over_limit)
        self._lease.note_pause(seconds, over_limit=over_limit)
        self._worker.wake(self._lease)

    def close(self) -> None:
        """Return all permits to Redis; the limiter is not used any more."""
        self._lease.closing = True
        self._worker.wake(self._lease)

    def snapshot(self) -> RedisRateLimiterSnapshot:
        """Return the current state of the limiter."""
        local = super().snapshot()
        pool = self._leased
        return RedisRateLimiterSnapshot(
            **{field.name: getattr(local, field.name) for field in fields(local)},
            held=pool.held,
            share=pool.share,
            lease_left=max(0.0, pool.usable_until - pool.clock()),
            out_of_reach_for=self._worker.failing_for,
            falls_back=self._lease.falls_back,
        )

    def _request_refill(self) -> None:
        # Once per exchange: waking another thread costs far more than a grant.
        if not self._lease.is_signalled:
            self._lease.is_signalled = True
            self._worker.wake(self._lease)
