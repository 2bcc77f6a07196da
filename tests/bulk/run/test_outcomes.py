"""The state of a row after each way in which its call can end."""

from __future__ import annotations

import pytest

from marketingblocks_async import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    InternalServerError,
    InvalidResponseError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
)
from marketingblocks_async.bulk import JournalError, RowState
from marketingblocks_async.bulk.run.outcomes import StoppingError, state_after


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (None, RowState.DONE),
        (OutcomeUnknownError("x"), RowState.UNKNOWN),
        (InvalidResponseError("x"), RowState.UNKNOWN),
        (NotSentError("x"), RowState.PENDING),
        (RateLimitError("x"), RowState.PENDING),
        (InternalServerError("x"), RowState.PENDING),
        (AuthenticationError("x"), RowState.PENDING),
        (PermissionDeniedError("x"), RowState.PENDING),
        (ConfigurationError("x"), RowState.PENDING),
        (JournalError("x"), RowState.PENDING),
        (StoppingError(), RowState.PENDING),
        (BadRequestError("x"), RowState.FAILED),
        (NotFoundError("x"), RowState.FAILED),
        (ValueError("x"), RowState.FAILED),
        # One that was not foreseen: its request may be on the wire.
        (RuntimeError("x"), RowState.UNKNOWN),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, RowState) else value.name.lower(),
)
def test_what_may_have_been_published_is_unknown(error: Exception | None, state: RowState) -> None:
    assert state_after(error) is state
