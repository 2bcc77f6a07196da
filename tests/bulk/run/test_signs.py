"""What a row's outcome says about the API, the token and the other rows."""

from __future__ import annotations

import pytest

from marketingblocks_async import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    InvalidResponseError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
)
from marketingblocks_async.bulk.run.signs import Sign, is_refused_token, may_be_own_fault, outage_reason, sign_of


def refusal(status: int, kind: type[APIError] = APIError, *, in_front: bool = False) -> APIError:
    error = kind("x", status_code=status)
    error.made_in_front = in_front
    return error


@pytest.mark.parametrize(
    ("sign", "errors"),
    [
        (Sign.WELL, [None, *map(refusal, (200, 400, 401, 409, 413, 422))]),
        (Sign.REFUSED, [refusal(status) for status in (300, 307, 402, 403, 404, 405, 406, 410, 421, 426, 451)]),
        (Sign.REFUSED, [refusal(status, in_front=True) for status in (400, 401, 403, 405, 409, 413, 422)]),
        (Sign.DOWN, [OutcomeUnknownError("x"), InvalidResponseError("x"), NotSentError("x"), RateLimitError("x")]),
        (Sign.NONE, [ConfigurationError("x"), ValueError("x")]),
    ],
)
def test_what_an_outcome_says_of_the_api(sign: Sign, errors: list[Exception | None]) -> None:
    assert [sign_of(error) for error in errors] == [sign] * len(errors)


@pytest.mark.parametrize(
    ("expected", "error"),
    [
        *((True, refusal(status)) for status in (402, 403, 404, 405, 410)),
        *((False, refusal(status)) for status in (307, 401, 422)),
        *((False, refusal(status, in_front=True)) for status in (400, 403, 404)),
        (False, OutcomeUnknownError("x")),
        (False, None),
    ],
)
def test_which_refusals_may_be_the_fault_of_a_row(*, expected: bool, error: Exception | None) -> None:
    assert may_be_own_fault(error) is expected


@pytest.mark.parametrize("created", [True, False])
def test_what_shows_that_the_token_is_refused(*, created: bool) -> None:
    assert is_refused_token(refusal(401, AuthenticationError), created=created)
    assert is_refused_token(refusal(403, PermissionDeniedError), created=created) is not created
    for kind in (AuthenticationError, PermissionDeniedError):
        assert not is_refused_token(refusal(403, kind, in_front=True), created=created)
    assert not is_refused_token(refusal(404, NotFoundError), created=created)


def test_a_limit_that_another_program_uses_up_is_no_api_that_is_down() -> None:
    reason = outage_reason(RateLimitError("429"))
    assert "Something else seems to use up the limit" in reason
    assert "down" not in reason
