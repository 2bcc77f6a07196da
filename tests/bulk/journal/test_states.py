"""What a journal says of a row."""

from __future__ import annotations

from marketingblocks_async.bulk.journal.states import Counts, RowState, is_intact


def test_states_in_words() -> None:
    assert [state.word for state in RowState] == ["pending", "in flight", "done", "failed", "unknown"]


def test_ended_rows_are_those_that_are_not_pending() -> None:
    assert Counts(total=15, done=1, failed=2, pending=8, unknown=4).ended == 7


def test_a_request_that_was_changed_is_not_intact() -> None:
    assert is_intact("{}", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")
    assert not is_intact("{ }", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")
