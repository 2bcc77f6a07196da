"""When a failed attempt is made again, how long it waits, and when it is enough.

The decision rests on what the attempt may have done at the server (:class:`~marketingblocks_async.calls.wire.Outcome`):
not sent or refused, again; unknown, again only if a second time does no harm; final, never. tenacity runs the attempts
that follow a first failure; a call that succeeds at once never meets it (around every call it would cost 56 to 82 µs).
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from marketingblocks_async.errors import CallError, ConfigurationError, Outcome

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long a call is tried.

    Args:
        max_attempts: attempts in all, 1 or more; 1 means no retry.
        max_elapsed: seconds from the start of the first attempt (its time in the queue before that does not count)
            after which no further attempt is begun, above 0; ``math.inf`` for no such cap.
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
        if not _is_number(self.max_attempts, whole=True) or self.max_attempts < 1:
            msg = f"RetryPolicy(max_attempts={self.max_attempts!r}): give 1 or more; 1 means no retry"
            raise ConfigurationError(msg)
        if not _is_number(self.max_elapsed) or not self.max_elapsed > 0:
            msg = f"RetryPolicy(max_elapsed={self.max_elapsed!r}): give seconds above 0"
            raise ConfigurationError(msg)
        for name in ("initial_backoff", "max_backoff"):
            if not _is_number(getattr(self, name)) or not 0 <= getattr(self, name) < math.inf:
                msg = f"RetryPolicy({name}={getattr(self, name)!r}): give seconds, 0 or more"
                raise ConfigurationError(msg)

    def backoff(self, failures: int, *, randomness: Callable[[], float] = random.random) -> float:
        """Return the seconds to wait after this many failures (1 or more)."""
        # The exponent is capped, since 2.0 ** 1100 is an error rather than a long wait.
        longest = min(self.max_backoff, self.initial_backoff * 2.0 ** min(failures - 1, 60))
        return longest * (0.5 + 0.5 * randomness())


def _is_number(value: object, *, whole: bool = False) -> bool:
    return isinstance(value, int if whole else int | float) and not isinstance(value, bool)


class Failure(Exception):  # noqa: N818 - it is what an attempt ended with; the error for the caller is inside
    """One attempt failed. Never leaves the package; :attr:`error` does.

    Args:
        outcome: what the attempt may have done.
        error: what the caller sees if it was the last attempt.
        pause: seconds that the API wants to be left alone (for ``REFUSED``).
        limiter_waits: whether the rate limiter waits these seconds, so that the retry itself need not.

    """

    def __init__(self, outcome: Outcome, error: CallError, *, pause: float = 0.0, limiter_waits: bool = False) -> None:
        super().__init__(outcome, error)
        self.outcome = outcome
        self.error = error
        self.pause = pause
        self.limiter_waits = limiter_waits


class RetryBudget:
    """What keeps an outage from multiplying the traffic of a client.

    A retry after a connection failure or an unknown outcome costs 1, a success gives 0.1 back; without budget the
    failure is reported at once. So retries are at most a tenth of the calls in the long run, with a reserve for short
    trouble. Refusals (429) cost nothing: the pause of the whole token takes care of them.

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


@dataclass(frozen=True, slots=True)
class RetryContext:
    """What the retries of one call depend on.

    Attributes:
        policy: how often and how long.
        resend_is_harmless: whether an attempt with unknown outcome may be repeated.
        budget: the client's.
        started: ``time.monotonic()`` at the start of the first attempt.
        ends: ``time.monotonic()`` at which the call's deadline passes, ``inf`` for none.
        sleep: how to wait; raises if the client closes meanwhile.
        before_retry: told about each retry: the failure, the number of the coming attempt, the delay.

    """

    policy: RetryPolicy
    resend_is_harmless: bool
    budget: RetryBudget
    started: float
    ends: float
    sleep: Callable[[float], Awaitable[None]]
    before_retry: Callable[[Failure, int, float], None]


async def retry(first: Failure, attempt: Callable[[], Awaitable[T]], context: RetryContext) -> T:
    """Go on after a first failure, as far as the context allows.

    Args:
        first: the failure.
        attempt: makes one more attempt; raises :class:`Failure`.
        context: see there.

    Returns:
        What the successful attempt returned.

    Raises:
        Failure: the last one.

    """
    failed_before = [first]

    async def attempt_after_first() -> T:
        # tenacity counts from 1, so the first failure is played back to it.
        if failed_before:
            raise failed_before.pop()
        return await attempt()

    def delay(state: RetryCallState) -> float:
        failure = _failure(state)
        if failure.outcome is Outcome.REFUSED:
            return 0.0 if failure.limiter_waits else failure.pause
        return context.policy.backoff(state.attempt_number)

    def enough(state: RetryCallState) -> bool:
        if state.attempt_number >= context.policy.max_attempts:
            return True
        failure = _failure(state)
        resumes = time.monotonic() + max(failure.pause, state.upcoming_sleep)
        if resumes - context.started > context.policy.max_elapsed or resumes >= context.ends:
            return True
        return failure.outcome is not Outcome.REFUSED and not context.budget.spend()

    def before_sleep(state: RetryCallState) -> None:
        context.before_retry(_failure(state), state.attempt_number + 1, state.upcoming_sleep)

    retrying = AsyncRetrying(
        sleep=context.sleep,
        wait=delay,
        stop=enough,
        retry=retry_if_exception(lambda exc: isinstance(exc, Failure) and may_resend(exc.outcome, context)),
        before_sleep=before_sleep,
        reraise=True,
    )
    return await retrying(attempt_after_first)


def may_resend(outcome: Outcome, context: RetryContext) -> bool:
    """Return whether a failure of this kind allows another attempt."""
    if outcome is Outcome.UNKNOWN:
        return context.resend_is_harmless
    return outcome is not Outcome.FINAL


def _failure(state: RetryCallState) -> Failure:
    failure = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(failure, Failure)  # noqa: S101 - the predicate let nothing else through
    return failure
