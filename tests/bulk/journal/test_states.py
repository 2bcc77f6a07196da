"""What a journal says of a row."""

from __future__ import annotations

import re

import pytest

from marketingblocks_async.bulk.journal.states import Counts, RowState, StoredRow, is_intact
from marketingblocks_async.bulk.numbers import post_number


def test_states_in_words() -> None:
    assert [state.word for state in RowState] == ["pending", "in flight", "done", "failed", "unknown"]


def test_the_numbers_of_the_states_are_those_in_journals_that_exist() -> None:
    states = [RowState.PENDING, RowState.SENDING, RowState.DONE, RowState.FAILED, RowState.UNKNOWN]
    assert [state.value for state in states] == [0, 1, 2, 3, 4]


def stored(state: RowState, error: str | None) -> StoredRow:
    return StoredRow(post_number(7, 2), "key", "hash", "{}", state, 1, None, error, None, 0.0, None)


@pytest.mark.parametrize(
    ("state", "running", "word", "why"),
    [
        (RowState.FAILED, False, "failed", r"^no answer$"),
        (RowState.SENDING, True, "in flight", r"^no answer$"),
        (RowState.UNKNOWN, True, "unknown", r"^no answer$"),
        (RowState.SENDING, False, "unknown", r"^no answer; "),
        (RowState.UNKNOWN, False, "unknown", r"^no answer; "),
    ],
)
def test_what_can_be_done_is_said_of_an_unknown_row_when_the_run_has_ended(
    state: RowState, running: bool, word: str, why: str
) -> None:
    told, reason = stored(state, "no answer").told(running=running)
    assert told == word
    assert reason is not None
    assert re.search(why, reason)


def test_a_post_is_named_by_its_row() -> None:
    assert stored(RowState.DONE, None).row == 7


def test_ended_rows_are_those_that_are_not_pending() -> None:
    assert Counts(total=15, done=1, failed=2, pending=8, unknown=4).ended == 7


def test_a_request_that_was_changed_is_not_intact() -> None:
    assert is_intact("{}", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")
    assert not is_intact("{ }", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")
