"""When an attempt is made again, how long it waits, and when it is enough. Nothing here really sleeps."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import pickle
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from marketingblocks_async.calls.call import Call
from marketingblocks_async.calls.retry import AttemptFailed, RetryBudget, RetryPolicy, RetryRules
from marketingblocks_async.calls.wire import GenericOperation
from marketingblocks_async.errors import CallError, ConfigurationError, NotSentError, Outcome, RateLimitError
from marketingblocks_async.transport.attempt import Attempt

QUICK = RetryPolicy(max_attempts=5, initial_backoff=1.0, max_backoff=4.0)
RETRIED = [Outcome.NOT_SENT, Outcome.REFUSED, Outcome.UNKNOWN]


def failed(outcome: Outcome, what: str = "failed", *, pause: float = 0.0) -> AttemptFailed:
    kind = RateLimitError if outcome is Outcome.REFUSED else NotSentError
    failure = AttemptFailed(outcome, kind(what), pauses_token=outcome is Outcome.REFUSED)
    failure.pause = pause
    return failure


@dataclass
class Scene:
    """One call: what its further attempts end with, and what was seen of it."""

    script: list[AttemptFailed | str]
    policy: RetryPolicy = QUICK
    harmless: bool = True
    budget: RetryBudget = field(default_factory=RetryBudget)
    began: float = 0.0
    """Seconds since the first attempt began."""
    left: float = math.inf
    """Seconds until the deadline."""
    attempts: int = 0
    slept: list[float] = field(default_factory=list[float])
    told: list[tuple[AttemptFailed, float]] = field(default_factory=list[tuple[AttemptFailed, float]])
    limiter_pauses: bool = False
    queued: float = 0.0
    """Seconds in the queue since the first attempt."""

    async def attempt(self) -> str:
        self.attempts += 1
        await asyncio.sleep(0)
        result = self.script.pop(0)
        if isinstance(result, AttemptFailed):
            raise result
        return result

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    async def go_on(self, first: AttemptFailed) -> str:
        now = time.monotonic()
        operation = GenericOperation(
            name="create-post", method="POST", permission=None, resend_is_harmless=self.harmless
        )
        call = Call(operation, None, URL("/"), None)
        call.started, call.ends = now - self.began, now + self.left
        rules = RetryRules(self.policy, self.budget, call, limiter_pauses=self.limiter_pauses)
        call.waited = self.queued
        return await rules.retry(first, self.attempt, sleep=self.sleep, before_retry=self.note)

    def note(self, failure: AttemptFailed) -> None:
        self.told.append((failure, failure.delay))

    async def fails(self, first: AttemptFailed) -> AttemptFailed:
        with pytest.raises(AttemptFailed) as caught:
            await self.go_on(first)
        return caught.value


class TestDecision:
    @pytest.mark.parametrize(
        ("outcome", "harmless", "again"),
        [
            (Outcome.NOT_SENT, True, True),
            (Outcome.NOT_SENT, False, True),
            (Outcome.REFUSED, True, True),
            (Outcome.REFUSED, False, True),
            (Outcome.UNKNOWN, True, True),
            (Outcome.UNKNOWN, False, False),
            (Outcome.FINAL, True, False),
            (Outcome.FINAL, False, False),
        ],
    )
    async def test_rests_on_what_may_have_happened(self, outcome: Outcome, harmless: bool, again: bool) -> None:
        first = failed(outcome)
        scene = Scene(["done"], harmless=harmless)
        if again:
            assert await scene.go_on(first) == "done"
        else:
            assert await scene.fails(first) is first
        assert scene.attempts == int(again)
        assert len(scene.slept) == int(again)
        assert len(scene.told) == int(again)

    @pytest.mark.parametrize("outcome", RETRIED)
    async def test_is_made_anew_after_every_attempt(self, outcome: Outcome) -> None:
        final = failed(Outcome.FINAL)
        scene = Scene([failed(outcome), final, "never"])
        assert await scene.fails(failed(outcome)) is final
        assert scene.attempts == 2

    async def test_a_write_that_may_have_arrived_at_last_is_not_sent_again(self) -> None:
        unknown = failed(Outcome.UNKNOWN)
        scene = Scene([failed(Outcome.REFUSED), unknown, "never"], harmless=False)
        assert await scene.fails(failed(Outcome.NOT_SENT)) is unknown
        assert scene.attempts == 2

    @pytest.mark.parametrize("error", [ConfigurationError("closed"), RuntimeError("bug"), KeyboardInterrupt()])
    async def test_anything_but_a_failure_ends_the_call_at_once(self, error: BaseException) -> None:
        class Ending(Scene):
            async def attempt(self) -> str:
                raise error

        scene = Ending([])
        with pytest.raises(type(error)) as caught:
            await scene.go_on(failed(Outcome.NOT_SENT))
        assert caught.value is error
        assert len(scene.slept) == 1

    async def test_a_cancellation_during_the_attempt_ends_the_call(self) -> None:
        begun = asyncio.Event()

        class Endless(Scene):
            async def attempt(self) -> str:
                begun.set()
                await asyncio.Event().wait()
                return "never"

        scene = Endless([])
        task = asyncio.create_task(scene.go_on(failed(Outcome.NOT_SENT)))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(scene.told) == 1

    async def test_what_the_wait_raises_ends_the_call(self) -> None:
        class Closing(Scene):
            async def sleep(self, seconds: float) -> None:
                msg = f"closed during {seconds}"
                raise ConfigurationError(msg)

        scene = Closing(["never"])
        with pytest.raises(ConfigurationError, match="closed"):
            await scene.go_on(failed(Outcome.NOT_SENT))
        assert scene.attempts == 0


class TestHowOften:
    @pytest.mark.parametrize("outcome", RETRIED)
    @pytest.mark.parametrize("max_attempts", [1, 2, 5])
    async def test_the_failed_first_attempt_counts(self, outcome: Outcome, max_attempts: int) -> None:
        failures = [failed(outcome, str(number)) for number in range(max_attempts)]
        scene = Scene([*failures[1:], "never"], dataclasses.replace(QUICK, max_attempts=max_attempts))
        assert await scene.fails(failures[0]) is failures[-1]
        assert scene.attempts == max_attempts - 1
        assert len(scene.slept) == max_attempts - 1

    async def test_the_last_allowed_attempt_may_succeed(self) -> None:
        scene = Scene([failed(Outcome.UNKNOWN)] * 3 + ["done"], dataclasses.replace(QUICK, max_attempts=5))
        assert await scene.go_on(failed(Outcome.UNKNOWN)) == "done"
        assert scene.attempts == 4

    async def test_what_was_only_held_back_neither_counts_nor_costs(self) -> None:
        held_back = failed(Outcome.NOT_SENT)
        held_back.was_only_held_back = True
        once = dataclasses.replace(QUICK, max_attempts=1)
        last = failed(Outcome.NOT_SENT)
        scene = Scene([held_back, held_back, last, "never"], once, budget=RetryBudget(0))
        assert await scene.fails(held_back) is last
        assert scene.slept == [0.0] * 3
        assert await Scene(["never"], left=-1.0).fails(held_back) is held_back

    async def test_before_each_retry_the_failure_and_the_delay_are_told(self) -> None:
        first, second = failed(Outcome.NOT_SENT), failed(Outcome.UNKNOWN)
        scene = Scene([second, "done"])
        await scene.go_on(first)
        assert [failure for failure, _ in scene.told] == [first, second]
        assert [delay for _, delay in scene.told] == scene.slept


class TestHowLong:
    @pytest.mark.parametrize("outcome", [Outcome.NOT_SENT, Outcome.UNKNOWN])
    async def test_waits_double_up_to_the_longest(self, outcome: Outcome) -> None:
        scene = Scene([failed(outcome)] * 4 + ["done"], dataclasses.replace(QUICK, max_attempts=6))
        await scene.go_on(failed(outcome))
        longest = [1.0, 2.0, 4.0, 4.0, 4.0]
        assert len(scene.slept) == len(longest)
        assert all(limit / 2 <= slept <= limit for slept, limit in zip(scene.slept, longest, strict=True))

    async def test_waits_differ_by_chance(self) -> None:
        scenes = [Scene(["done"]) for _ in range(20)]
        await asyncio.gather(*(scene.go_on(failed(Outcome.NOT_SENT)) for scene in scenes))
        assert len({slept for scene in scenes for slept in scene.slept}) > 1

    async def test_a_refusal_waits_as_long_as_the_api_said(self) -> None:
        scene = Scene(["done"])
        await scene.go_on(failed(Outcome.REFUSED, pause=7.5))
        assert scene.slept == [7.5]

    async def test_a_refusal_waits_in_the_limiter_if_there_is_one(self) -> None:
        scene = Scene(["done"], limiter_pauses=True)
        await scene.go_on(failed(Outcome.REFUSED, pause=7.5))
        assert sum(scene.slept) == 0.0
        assert [delay for _, delay in scene.told] == [0.0]

    @pytest.mark.parametrize("outcome", RETRIED)
    async def test_no_attempt_is_begun_after_the_longest_time(self, outcome: Outcome) -> None:
        first = failed(outcome)
        scene = Scene(["never"], dataclasses.replace(QUICK, max_elapsed=60.0), began=61.0)
        assert await scene.fails(first) is first
        assert (scene.attempts, scene.slept, scene.told) == (0, [], [])

    async def test_without_a_longest_time_age_does_not_matter(self) -> None:
        scene = Scene(["done"], dataclasses.replace(QUICK, max_elapsed=math.inf), began=1e9)
        assert await scene.go_on(failed(Outcome.NOT_SENT)) == "done"

    @pytest.mark.parametrize("limiter_pauses", [True, False])
    async def test_a_pause_beyond_the_longest_time_is_not_waited_for(self, limiter_pauses: bool) -> None:
        first = failed(Outcome.REFUSED, pause=50.0)
        policy = dataclasses.replace(QUICK, max_elapsed=60.0)
        scene = Scene(["never"], policy, began=20.0, limiter_pauses=limiter_pauses)
        assert await scene.fails(first) is first
        assert scene.slept == []
        shorter = failed(Outcome.REFUSED, pause=30.0)
        assert await dataclasses.replace(scene, script=["done"]).go_on(shorter) == "done"

    @pytest.mark.parametrize("limiter_pauses", [True, False])
    @pytest.mark.parametrize("seconds", [61.0, 3600.0])
    async def test_a_pause_that_the_api_asked_for_does_not_count(self, limiter_pauses: bool, seconds: float) -> None:
        def refused() -> AttemptFailed:
            failure = failed(Outcome.REFUSED, pause=seconds)
            failure.retry_after = seconds
            return failure

        policy = dataclasses.replace(QUICK, max_elapsed=60.0)
        scene = Scene([refused(), refused(), "done"], policy, began=59.0, limiter_pauses=limiter_pauses)
        assert await scene.go_on(refused()) == "done"

    async def test_a_pause_of_more_than_an_hour_is_not_waited_for(self) -> None:
        first = failed(Outcome.REFUSED, pause=3601.0)
        first.retry_after = 3601.0
        assert await Scene(["never"], dataclasses.replace(QUICK, max_elapsed=math.inf)).fails(first) is first

    async def test_time_in_the_queue_does_not_count(self) -> None:
        scene = Scene(["done"], dataclasses.replace(QUICK, max_elapsed=60.0), began=5000.0, queued=4950.0)
        assert await scene.go_on(failed(Outcome.UNKNOWN)) == "done"

    async def test_time_at_the_gate_of_the_first_attempt_does_not_count_either(self) -> None:
        """A pause that began between its permit and its write holds the attempt back there."""
        operation = GenericOperation(name="x", method="GET", permission=None, resend_is_harmless=True)
        call = Call(operation, None, URL("/"), None)
        attempt = Attempt(None, None, "x")
        attempt.began = time.monotonic() - 3600.0
        call.waited = 50.0
        call.begin(attempt)
        call.waited += 3590.0
        rules = RetryRules(dataclasses.replace(QUICK, max_elapsed=60.0), RetryBudget(), call, limiter_pauses=True)
        assert rules.allow(failed(Outcome.NOT_SENT))
        # The seconds in the queue do not make up for others.
        call.started -= 51.0
        assert not rules.allow(failed(Outcome.NOT_SENT))

    @pytest.mark.parametrize("limiter_pauses", [True, False])
    @pytest.mark.parametrize("first", [failed(Outcome.NOT_SENT), failed(Outcome.REFUSED, pause=0.5)])
    async def test_a_wait_beyond_the_deadline_is_not_begun(self, first: AttemptFailed, limiter_pauses: bool) -> None:
        scene = Scene(["never"], left=0.25, limiter_pauses=limiter_pauses)
        assert await scene.fails(first) is first
        assert (scene.attempts, scene.slept) == (0, [])
        assert await Scene(["done"], left=100.0).go_on(first) == "done"


class TestBudget:
    @pytest.mark.parametrize("outcome", [Outcome.NOT_SENT, Outcome.UNKNOWN])
    async def test_without_budget_a_failure_is_reported_at_once(self, outcome: Outcome) -> None:
        first = failed(outcome)
        scene = Scene(["never"], budget=RetryBudget(0))
        assert await scene.fails(first) is first
        assert (scene.attempts, scene.slept) == (0, [])

    async def test_each_retry_costs_one(self) -> None:
        budget = RetryBudget(10)
        last = failed(Outcome.UNKNOWN)
        scene = Scene(
            [failed(Outcome.UNKNOWN), failed(Outcome.UNKNOWN), last, "never"],
            dataclasses.replace(QUICK, max_attempts=4),
            budget=budget,
        )
        assert await scene.fails(failed(Outcome.NOT_SENT)) is last
        assert budget.left == 10 - 3

    async def test_a_refusal_costs_nothing(self) -> None:
        budget = RetryBudget(0)
        scene = Scene([failed(Outcome.REFUSED)] * 3 + ["done"], budget=budget)
        assert await scene.go_on(failed(Outcome.REFUSED)) == "done"

    @pytest.mark.parametrize(
        "scene", [Scene([], began=1e6), Scene([], left=-1.0), Scene([], RetryPolicy(max_attempts=1))]
    )
    async def test_a_retry_that_is_not_made_costs_nothing(self, scene: Scene) -> None:
        await scene.fails(failed(Outcome.NOT_SENT))
        assert scene.budget.left == scene.budget.capacity

    async def test_a_failure_that_is_never_retried_costs_nothing(self) -> None:
        scene = Scene([], harmless=False)
        await scene.fails(failed(Outcome.UNKNOWN))
        await scene.fails(failed(Outcome.FINAL))
        assert scene.budget.left == scene.budget.capacity

    async def test_an_outage_does_not_multiply_the_traffic(self) -> None:
        budget = RetryBudget()
        scenes = [Scene([failed(Outcome.UNKNOWN) for _ in range(4)], budget=budget) for _ in range(1000)]
        await asyncio.gather(*(scene.fails(failed(Outcome.UNKNOWN)) for scene in scenes))
        assert sum(scene.attempts for scene in scenes) == budget.capacity

    def test_is_spent_one_by_one_and_then_there_is_none(self) -> None:
        budget = RetryBudget(3)
        assert [budget.spend() for _ in range(5)] == [True, True, True, False, False]

    def test_ten_successes_pay_for_one_retry(self) -> None:
        budget = RetryBudget(1)
        assert budget.spend()
        for _ in range(9):
            budget.refund()
        assert not budget.spend()
        budget.refund()
        assert budget.spend()

    @given(events=st.lists(st.booleans(), max_size=200))
    def test_retries_are_at_most_the_reserve_and_a_tenth_of_the_successes(self, events: list[bool]) -> None:
        budget = RetryBudget(5)
        retries = 0
        for success in events:
            if success:
                budget.refund()
            else:
                retries += budget.spend()
            assert -1e-9 <= budget.left <= budget.capacity
        assert retries <= 5 + sum(events) / 10 + 1e-9


class TestDeadConnections:
    async def test_the_next_attempt_is_made_at_once_and_costs_nothing(self) -> None:
        failure = AttemptFailed(Outcome.UNKNOWN, NotSentError("lost"), connection_was_dead=True)
        scene = Scene(["done"], budget=RetryBudget(0))
        assert await scene.go_on(failure) == "done"
        assert scene.slept == [0.0]

    async def test_a_write_is_not_sent_again(self) -> None:
        failure = AttemptFailed(Outcome.UNKNOWN, NotSentError("lost"), connection_was_dead=True)
        assert await Scene(["never"], harmless=False).fails(failure) is failure


class TestManyCallsAtOnce:
    async def test_300_calls_do_not_mix_their_state(self) -> None:
        def scene_of(number: int) -> Scene:
            failures: list[AttemptFailed | str] = [
                failed(RETRIED[number % 3], f"{number}.{i}") for i in range(number % 4)
            ]
            return Scene([*failures, f"result {number}"], harmless=number % 2 == 0)

        async def run(number: int) -> None:
            scene = scene_of(number)
            script = list(scene.script)
            if number % 2 and number % 3 == 2 and number % 4:
                # A write whose second attempt may have arrived.
                assert await scene.fails(failed(Outcome.NOT_SENT, str(number))) is script[0]
                assert scene.attempts == 1
            else:
                assert await scene.go_on(failed(Outcome.NOT_SENT, str(number))) == f"result {number}"
                assert scene.attempts == number % 4 + 1
            assert len(scene.told) == scene.attempts
            assert [failure for failure, _ in scene.told][1:] == script[: scene.attempts - 1]

        await asyncio.gather(*(run(number) for number in range(300)))


class TestPolicy:
    def test_has_the_documented_defaults(self) -> None:
        assert RetryPolicy() == RetryPolicy(max_attempts=5, max_elapsed=60.0, initial_backoff=0.5, max_backoff=30.0)

    @pytest.mark.parametrize(
        "settings",
        [
            {"max_attempts": 1},
            {"max_attempts": 10**9},
            {"max_elapsed": 0.001},
            {"max_elapsed": math.inf},
            {"initial_backoff": 0},
            {"max_backoff": 0},
            {"initial_backoff": 60, "max_backoff": 1},
        ],
    )
    def test_accepts_what_can_work(self, settings: dict[str, Any]) -> None:
        policy = RetryPolicy(**settings)
        assert {name: getattr(policy, name) for name in settings} == settings

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *(("max_attempts", value) for value in (0, -1, True, False, math.nan, 1.5, 2.5, "3", None)),
            *(("max_elapsed", value) for value in (0, -1, math.nan, -math.inf, "60", None, True)),
            *(("initial_backoff", value) for value in (-0.1, math.nan, math.inf, "1", None, True)),
            *(("max_backoff", value) for value in (-0.1, math.nan, math.inf, "1", None, True)),
        ],
    )
    def test_refuses_what_cannot_work_with_the_setting_and_the_value(self, name: str, value: object) -> None:
        settings: dict[str, Any] = {name: value}
        with pytest.raises(ConfigurationError) as caught:
            RetryPolicy(**settings)
        assert f"{name}={value!r}" in str(caught.value)
        assert "give" in str(caught.value)

    def test_cannot_be_changed_and_pickles(self) -> None:
        policy = RetryPolicy(max_attempts=3)
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(policy, "max_attempts", 4)  # noqa: B010 - the type checker knows that it is frozen
        assert pickle.loads(pickle.dumps(policy)) == policy  # noqa: S301 - made here
        assert hash(policy) == hash(RetryPolicy(max_attempts=3))


class TestBackoff:
    @pytest.mark.parametrize(
        ("failures", "longest"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (7, 30.0), (100, 30.0), (10**6, 30.0)]
    )
    @pytest.mark.parametrize(("chance", "part"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
    def test_is_between_half_and_all_of_the_doubled_start(
        self, failures: int, longest: float, chance: float, part: float
    ) -> None:
        assert RetryPolicy().backoff(failures, randomness=lambda: chance) == pytest.approx(longest * part)

    @given(
        failures=st.integers(1, 10_000),
        initial=st.floats(0, 1e300, allow_subnormal=False),
        longest=st.floats(0, 1e300, allow_subnormal=False),
        chance=st.floats(0, 1, exclude_max=True),
    )
    def test_is_always_a_wait_within_the_bounds(
        self, failures: int, initial: float, longest: float, chance: float
    ) -> None:
        policy = RetryPolicy(initial_backoff=initial, max_backoff=longest)
        assert 0 <= policy.backoff(failures, randomness=lambda: chance) <= longest

    def test_never_shrinks_from_one_failure_to_the_next(self) -> None:
        waits = [RetryPolicy().backoff(failures, randomness=lambda: 0.0) for failures in range(1, 100)]
        assert waits == sorted(waits)

    def test_is_random_by_itself(self) -> None:
        assert len({RetryPolicy().backoff(1) for _ in range(20)}) > 1


def test_a_failed_attempt_is_no_error_of_the_package() -> None:
    assert not issubclass(AttemptFailed, CallError)


def test_the_wait_is_the_one_that_was_injected() -> None:
    scene = Scene(["done"], RetryPolicy(initial_backoff=1000.0, max_backoff=1000.0, max_elapsed=math.inf))
    before = time.monotonic()
    assert asyncio.run(scene.go_on(failed(Outcome.NOT_SENT))) == "done"
    assert scene.slept[0] >= 500
    assert time.monotonic() - before < 5
