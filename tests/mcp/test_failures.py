"""The advice after a failure fits what failed."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

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
from marketingblocks_async.mcp.failures import advice_for, advice_for_unknown, outcome_of, problems_of
from marketingblocks_async.mcp.results import Outcome
from marketingblocks_async.mcp.tools import all_tools
from marketingblocks_async.models import CreatePost
from tests.support.mcp import POST


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


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        (
            {"publish_mode": "scheduled"},
            "request",
            (
                "publish_mode 'scheduled' needs schedule_time: 'YYYY-MM-DD HH:MM', or with an offset, "
                "such as '2027-01-08T14:30+01:00'"
            ),
        ),
        (
            {"publish_mode": "scheduled", "schedule_time": "soon", "time_zone": "UTC"},
            "schedule_time",
            (
                "'soon' is not a schedule time; write it as 'YYYY-MM-DD HH:MM', or with an offset, "
                "such as '2027-01-08T14:30+01:00'"
            ),
        ),
        (
            {"post_type": "thread"},
            "request",
            'post_type \'thread\' needs twitter_threads: a list of at least one {"message": "…", "media_urls": ["…"]}',
        ),
        (
            {"channel_type": "youtube", "post_extra": {"title": "a", "category": "x"}},
            "post_extra.category",
            "'x' is not a category id; give a number such as 22",
        ),
    ],
    ids=["no time", "no such time", "object", "category"],
)
def test_problems_are_told_in_the_words_of_those_who_give_json(change: dict[str, Any], place: str, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        CreatePost.model_validate(POST | change)
    assert problems_of(caught.value) == {place: words}


@pytest.mark.parametrize("tool", sorted(spec.name for spec in all_tools() if spec.writes and spec.endpoint))
def test_only_a_post_is_looked_for_again(tool: str) -> None:
    assert ("looks again" in advice_for_unknown(tool)) is (tool == "create_post")


def test_tools_are_named_only_for_those_who_have_them() -> None:
    assert "get_posts and upcoming_posts if you have these tools" in advice_for_unknown("create_post")
