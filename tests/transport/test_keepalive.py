"""What is learnt from dead connections."""

from __future__ import annotations

import asyncio
import time

import pytest

from marketingblocks_async.transport.attempt import Attempt
from marketingblocks_async.transport.keepalive import (
    FEW_USES,
    KEEPALIVE,
    LESSON,
    LONGEST_LESSON,
    LONGEST_TRY,
    SHORTEST_IDLE,
    SHORTEST_TRY,
    KeepaliveLesson,
)


class TestLesson:
    @pytest.fixture(autouse=True)
    def _clock(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)

    def test_writes_use_younger_connections_for_a_while(self) -> None:
        lesson = KeepaliveLesson()
        assert lesson.allows(KEEPALIVE - 0.1)
        lesson.learn(1.0)
        assert lesson.allows(0.4)
        assert not lesson.allows(0.6)
        assert lesson.distrusted_until == self.now
        self.now += LESSON
        assert lesson.allows(KEEPALIVE - 0.1)

    def test_a_connection_that_dies_in_use_shows_nothing_of_idleness(self) -> None:
        lesson = KeepaliveLesson()
        lesson.learn(SHORTEST_IDLE)
        assert not lesson.allows(0.0)

    def test_the_youngest_dead_one_counts(self) -> None:
        lesson = KeepaliveLesson()
        lesson.learn(0.0)
        lesson.learn(2.0)
        assert not lesson.allows(0.0)

    def test_a_lesson_that_has_to_be_learned_again_lasts_longer(self) -> None:
        lesson = KeepaliveLesson()
        lasts = LESSON
        for _ in range(10):
            lesson.learn(1.0)
            self.now += lasts - 1.0
            assert not lesson.allows(0.6)
            self.now += 2.0
            assert lesson.allows(0.6)
            lasts = min(2 * lasts, LONGEST_LESSON)

    @pytest.mark.parametrize(
        ("offer", "longest"),
        [("timeout=5", KEEPALIVE), ("timeout=3, max=100", 2.0), ("max=7, timeout = 1", 0.5), ("timeout=0", 0.0)],
    )
    def test_a_server_s_own_word_is_kept_with_a_distance(self, offer: str, longest: float) -> None:
        lesson = KeepaliveLesson()
        lesson.read_offer(offer)
        assert not lesson.allows(longest)
        assert longest == 0.0 or lesson.allows(longest * 0.99)

    @pytest.mark.parametrize("offer", ["", "max=5", "timeout=x", "timeout=-1"])
    def test_a_word_without_a_time_changes_nothing(self, offer: str) -> None:
        lesson = KeepaliveLesson()
        lesson.read_offer(offer)
        assert lesson.allows(KEEPALIVE - 0.1)


class TestTrial:
    """One write tries whether connections can be used again; the others wait for it, but not for its response."""

    @pytest.fixture(autouse=True)
    def _time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        self.lesson = KeepaliveLesson()
        self.trying, self.other = self.a_write(uses=1), self.a_write(uses=1)
        assert self.lesson.may_try(self.trying)

    def a_write(self, *, uses: int, idle: float | None = 0.0) -> Attempt:
        attempt = Attempt(None, None, "create-post")
        attempt.is_resendable, attempt.idle, attempt.uses = False, idle, uses
        return attempt

    def is_proven(self, *, uses: int, idle: float = 0.0) -> bool:
        """Whether a write may use such a connection while another one tries one that has brought many responses."""
        trying = self.a_write(uses=10_000)
        assert self.lesson.may_try(trying)
        trying.begin()
        may_go = self.lesson.may_try(self.a_write(uses=uses, idle=idle))
        trying.end()
        return may_go

    async def test_it_has_passed_when_a_dead_connection_would_have_shown_itself(self) -> None:
        self.trying.begin()
        self.now += 60.0
        # Not written yet: the limiter holds it back.
        assert not self.lesson.may_try(self.other)
        self.lesson.opened(0.001)
        self.lesson.sending(self.trying)
        self.now += SHORTEST_TRY * 0.99
        assert not self.lesson.may_try(self.other)
        self.now += SHORTEST_TRY * 0.02
        assert self.lesson.may_try(self.other)
        # Those that have brought more responses are tried anew.
        self.other.uses = 2
        assert self.lesson.may_try(self.other)
        self.other.begin()
        assert not self.lesson.may_try(self.a_write(uses=2))

    async def test_a_far_server_has_more_time_to_say_that_it_has_closed(self) -> None:
        self.trying.begin()
        for seconds in (0.3, 0.15, 0.2):
            self.lesson.opened(seconds)
        self.lesson.sending(self.trying)
        self.now += 0.149
        assert not self.lesson.may_try(self.other)
        self.now += 0.002
        assert self.lesson.may_try(self.other)

    async def test_a_result_ends_the_wait(self) -> None:
        self.trying.begin()
        waiting = asyncio.create_task(self.lesson.wait(Attempt(None, None)))
        await asyncio.sleep(0)
        assert not waiting.done()
        self.lesson.prove(0.0, 1)
        await waiting
        assert self.lesson.may_try(self.other)

    async def test_where_responses_are_slow_the_others_open_connections(self) -> None:
        self.trying.begin()
        self.lesson.answered_on_new(LONGEST_TRY * 1.01)
        self.lesson.sending(self.trying)
        assert self.lesson.is_slow
        self.now += LONGEST_TRY * 0.99
        assert not self.lesson.may_try(self.other)
        self.now += LONGEST_TRY * 0.02
        assert self.lesson.may_try(self.other)
        # Until one is quick.
        self.lesson.answered_on_new(LONGEST_TRY * 0.99)
        assert self.lesson.may_try(self.a_write(uses=2))
        waiting = asyncio.create_task(self.lesson.wait(Attempt(None, None)))
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()

    async def test_one_that_passes_without_a_response_shows_that_they_are_slow(self) -> None:
        self.trying.begin()
        self.lesson.sending(self.trying)
        self.now += LONGEST_TRY * 1.01
        assert self.lesson.may_try(self.other)
        assert self.lesson.is_slow

    async def test_one_that_ends_without_a_result_makes_room_for_the_next(self) -> None:
        assert self.trying.has_ended
        assert self.lesson.may_try(self.other)

    async def test_reads_and_new_connections_wait_for_nothing(self) -> None:
        self.trying.begin()
        assert self.lesson.may_try(self.a_write(uses=0, idle=None))
        read = self.a_write(uses=1)
        read.is_resendable = True
        assert self.lesson.may_try(read)
        assert not self.lesson.may_try(self.other)

    @pytest.mark.parametrize(("proven", "up_to"), [(FEW_USES - 1, FEW_USES - 1), (FEW_USES, 2 * FEW_USES)])
    async def test_each_of_the_first_responses_proves_one_more_and_later_ones_twice_as_many(
        self, proven: int, up_to: int
    ) -> None:
        # In any order.
        for uses in (1, proven, 1):
            self.lesson.prove(0.0, uses)
        assert self.is_proven(uses=up_to)
        assert not self.is_proven(uses=up_to + 1)

    async def test_a_response_proves_connections_that_were_idle_for_less_long(self) -> None:
        self.lesson.prove(1.0, 1)
        self.lesson.prove(0.5, 1)
        assert self.is_proven(uses=1, idle=1.0)
        assert not self.is_proven(uses=1, idle=1.1)

    async def test_a_dead_connection_makes_proofs_void(self) -> None:
        self.lesson.prove(3.0, 5)
        self.lesson.learn(2.0)
        assert not self.is_proven(uses=1)
        self.lesson.prove(0.0, 5)
        assert self.is_proven(uses=5, idle=1.0)
        assert not self.is_proven(uses=5, idle=1.1)


@pytest.mark.usefixtures("fake_time")
async def test_no_write_waits_longer_than_a_trial_may_take() -> None:
    lesson = KeepaliveLesson()
    trying = Attempt(None, None, "create-post")
    trying.is_resendable, trying.idle, trying.uses = False, 0.0, 1
    assert lesson.may_try(trying)
    began = time.monotonic()
    # It is not written yet, so the end of the trial is not known.
    await lesson.wait(Attempt(None, None))
    assert time.monotonic() - began == pytest.approx(LONGEST_TRY, abs=0.01)
    lesson.opened(0.0)
    lesson.sending(trying)
    await lesson.wait(Attempt(None, None))
    assert time.monotonic() - began == pytest.approx(LONGEST_TRY + SHORTEST_TRY, abs=0.01)
