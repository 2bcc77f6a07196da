"""When a failed attempt is repeated, how long it waits before that, and when to stop.

The decision rests on what the attempt may have done at the server (``Outcome``). Not sent, or rejected before
processing: again. Unknown: again only if a second time does no harm. Final: never.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from marketingblocks_async.configuration import is_number
from marketingblocks_async.errors import CallError, ConfigurationError, Outcome
from marketingblocks_async.limits.permits import LONGEST_PAUSE

from .call import Call

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and for how long a call is tried.

    Args:
        max_attempts: attempts in all, 1 or more; 1 means no retry. A write that only a pause of the token kept from
            being sent does not count.
        max_elapsed: seconds that attempts and the waits between them may take together before no further attempt is
            begun, above 0; ``math.inf`` for no such cap. Waiting for a permit does not count, nor does a pause that the
            API asked for by ``Retry-After``; if it asks for more than an hour, the call fails at once.
        initial_backoff: seconds before the second attempt, 0 or more; doubled for each further one. Each wait is
            between half of this and all of it, at random.
        max_backoff: the longest such wait in seconds, 0 or more.

    Raises:
        ConfigurationError: a value is out of its range.

    """

    max_attempts: int = 5
    max_elapsed: float = 60.0
    initial_backoff: float = 0.5
    max_backoff: float = 30.0

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not is_number(self.max_attempts, whole=True) or self.max_attempts < 1:
            msg = f"RetryPolicy(max_attempts={self.max_attempts!r}): give 1 or more; 1 means no retry"
            raise ConfigurationError(msg)
        if not is_number(self.max_elapsed) or not self.max_elapsed > 0:
            msg = f"RetryPolicy(max_elapsed={self.max_elapsed!r}): give seconds above 0"
            raise ConfigurationError(msg)
        for name in ("initial_backoff", "max_backoff"):
            if not is_number(getattr(self, name)) or not 0 <= getattr(self, name) < math.inf:
                msg = f"RetryPolicy({name}={getattr(self, name)!r}): give seconds, 0 or more"
                raise ConfigurationError(msg)

    def backoff(self, failures: int, *, randomness: Callable[[], float] = random.random) -> float:
        """Return the seconds to wait after this many failures (1 or more)."""
        # The exponent is capped, since 2.0 ** 1100 is an error rather than a long wait.
        longest = min(self.max_backoff, self.initial_backoff * 2.0 ** min(failures - 1, 60))
        return longest * (0.5 + 0.5 * randomness())


class AttemptFailed(Exception):  # noqa: N818 - one attempt's end; the error for the caller is inside
    """One attempt failed. Never leaves the package; ``error`` does.

    Args:
        outcome: what the attempt may have done.
        error: what the caller sees if it was the last attempt.
        retry_after: seconds that the response asks to wait, ``None`` if it does not say.
        pauses_token: whether the response asks for a pause of the whole token.
        connection_was_dead: whether it was lost with a reused connection that turned out dead.
        was_only_held_back: whether nothing failed, but the limiter held it back for too long.

    Attributes:
        pause: seconds for which the token pauses.
        delay: seconds to wait before the attempt after this one.

    """

    def __init__(
        self,
        outcome: Outcome,
        error: CallError,
        *,
        retry_after: float | None = None,
        pauses_token: bool = False,
        connection_was_dead: bool = False,
        was_only_held_back: bool = False,
    ) -> None:
        super().__init__(outcome, error)
        self.outcome = outcome
        self.error = error
        self.retry_after = retry_after
        self.pauses_token = pauses_token
        self.connection_was_dead = connection_was_dead
        self.was_only_held_back = was_only_held_back
        self.pause: float = 0.0
        self.delay: float = 0.0


class RetryBudget:
    """Keeps an outage from multiplying the traffic of a client.

    A retry after a connection failure or an unknown outcome costs 1, a success gives 0.1 back; without budget the
    failure is reported at once. So retries are at most a tenth of the calls in the long run, with a reserve for short
    trouble. Responses that pause the whole token (429) cost nothing: the pause keeps the traffic down.

    Args:
        capacity: the reserve.

    """

    __slots__ = ("capacity", "left")

    COST = 1.0
    REFUND = 0.1

    def __init__(self, capacity: float = 100.0) -> None:
        self.capacity: float = capacity
        self.left: float = capacity

    def spend(self) -> bool:
        """Pay for one retry; return whether there was enough."""
        if self.left < self.COST:
            return False
        self.left -= self.COST
        return True

    def refund(self) -> None:
        """Note a success."""
        # Rounded, since ten times 0.1 is a little less than 1.
        self.left = min(self.capacity, round(self.left + self.REFUND, 6))


class RetryRules:
    """Decides for one call whether a failed attempt is followed by another, and after how long.

    Args:
        policy: how often and for how long.
        budget: the client's.
        call: the call, whose first attempt has failed.
        limiter_pauses: whether the rate limiter waits for ``pause``, so that the retry need not.

    """

    __slots__ = ("_budget", "_call", "_failures", "_limiter_pauses", "_policy", "_uncounted")

    def __init__(self, policy: RetryPolicy, budget: RetryBudget, call: Call[Any], *, limiter_pauses: bool) -> None:
        self._policy = policy
        self._budget = budget
        self._call = call
        self._limiter_pauses = limiter_pauses
        self._failures = 0
        # Seconds of pauses that do not count towards max_elapsed, less those that count although the queue hides them.
        self._uncounted = 0.0

    def allow(self, failed: BaseException) -> bool:
        """Return whether another attempt follows; called once for each failed one. Sets ``delay``."""
        call, policy = self._call, self._policy
        if not isinstance(failed, AttemptFailed) or failed.outcome is Outcome.FINAL:
            return False
        if failed.was_only_held_back:
            # Nothing has failed, so it neither counts nor costs. The next attempt records the intent anew.
            failed.delay = 0.0
            return time.monotonic() < call.ends
        self._failures += 1
        harmless = failed.outcome is not Outcome.UNKNOWN or call.operation.resend_is_harmless
        if not harmless or self._failures >= policy.max_attempts:
            return False
        failed.delay = policy.backoff(self._failures)
        if failed.connection_was_dead:
            # The API has not failed: HTTP allows servers to close idle connections. The next attempt uses a new one.
            failed.delay = 0.0
        if failed.pauses_token:
            failed.delay = 0.0 if self._limiter_pauses else failed.pause
        wait = max(failed.pause, failed.delay)
        now = time.monotonic()
        if now + wait >= call.ends or (failed.retry_after or 0.0) > LONGEST_PAUSE:
            return False
        asked_for = failed.pauses_token and failed.retry_after is not None
        elapsed = now - call.started - call.waited - self._uncounted
        if elapsed + (0.0 if asked_for else wait) > policy.max_elapsed:
            return False
        if asked_for and not self._limiter_pauses:
            self._uncounted += failed.delay
        elif failed.pauses_token and not asked_for and self._limiter_pauses:
            self._uncounted -= failed.pause
        # The pause of the whole token keeps the traffic down already, and a dead connection is no outage.
        return failed.pauses_token or failed.connection_was_dead or self._budget.spend()

    async def retry(
        self,
        first: AttemptFailed,
        attempt: Callable[[], Awaitable[T]],
        *,
        sleep: Callable[[float], Awaitable[None]],
        before_retry: Callable[[AttemptFailed], None],
    ) -> T:
        """Make further attempts after the first one failed, as far as the rules allow.

        Args:
            first: the first failure.
            attempt: makes one more attempt; raises ``AttemptFailed``.
            sleep: how to wait; raises if the client closes meanwhile.
            before_retry: called before each wait.

        Returns:
            The result of the successful attempt.

        Raises:
            AttemptFailed: the last one.

        """
        if not self.allow(first):
            raise first
        before_retry(first)
        await sleep(first.delay)
        # Only after a first failure, since tenacity around every call would cost 56 to 82 µs of it.
        retrying = AsyncRetrying(
            retry=retry_if_exception(self.allow),
            wait=lambda state: _failure(state).delay,
            before_sleep=lambda state: before_retry(_failure(state)),
            sleep=sleep,
            reraise=True,
        )
        return await retrying(attempt)


def _failure(state: RetryCallState) -> AttemptFailed:
    failed = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(failed, AttemptFailed)  # noqa: S101 - the rules allow a retry after nothing else
    return failed
