"""The advice after a failure fits what failed."""

from __future__ import annotations

import pytest

from marketingblocks_async import (
    APIError,
    APITimeoutError,
    AuthenticationError,
    InvalidResponseError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
)
from marketingblocks_async.bulk import RowState
from marketingblocks_async.mcp.failures import advice_for, advice_for_unknown, outcome_of
from marketingblocks_async.mcp.results import Outcome


@pytest.mark.parametrize(
    "error",
    [APITimeoutError("x"), InvalidResponseError("x"), RateLimitError("x")],
    ids=lambda error: type(error).__name__,
)
def test_a_read_without_a_response_can_be_repeated(error: Exception) -> None:
    assert outcome_of(error, RowState.PENDING) is Outcome.NOT_SENT
    assert "epeat the" in advice_for(error)


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        (AuthenticationError, "Then repeat the call."),
        (PermissionDeniedError, "Then repeat the call."),
        (NotFoundError, "a write needs a new request_key."),
    ],
)
def test_a_refusal_in_front_of_the_api_says_nothing_of_the_token(kind: type[APIError], step: str) -> None:
    error = kind("<html>", endpoint="create-post")
    assert "in front of the API" not in advice_for(error)
    error.made_in_front = True
    assert advice_for(error).startswith("Something in front of the API refused it")
    assert advice_for(error).endswith(step)
    assert "social-create-post" not in advice_for(error)


def test_tools_are_named_only_for_those_who_have_them() -> None:
    assert "get_posts and upcoming_posts if you have these tools" in advice_for_unknown("create_post")
