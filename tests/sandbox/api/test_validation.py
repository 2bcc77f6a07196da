from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from marketingblocks_async.endpoints import ENDPOINTS
from marketingblocks_async.models import ConnectChannel, CreateGeneration, CreatePost
from marketingblocks_async.sandbox.api.validation import Errors, body_check, limit_of, list_query
from tests.support.sandbox import create_request

CHECKS = {endpoint.name: body_check(endpoint.request) for endpoint in ENDPOINTS if endpoint.method in {"POST", "PUT"}}


def wrong(endpoint: str, body: dict[str, Any]) -> list[str]:
    return sorted(CHECKS[endpoint](body))


ACCEPTED: list[dict[str, Any]] = [
    {},
    {"media_urls": []},
    {"caption_text": ""},
    {"media_urls": [""]},
    {"an_unknown_field": 1},
    {"channel_type": "facebook", "post_type": "thread", "twitter_threads": []},
    {"hash_tags": None, "post_extra": None, "schedule_time": None},
    {"schedule_time": "whenever", "time_zone": "Nowhere"},
    {"publish_mode": "scheduled", "schedule_time": "2025-08-01 14:30", "time_zone": "Africa/Lagos"},
    {"channel_type": "youtube", "post_extra": {"title": "T"}},
    {"channel_type": "youtube", "post_extra": {"title": "", "category": 4444, "privacyStatus": "unlisted", "x": 1}},
    {"post_type": "thread", "twitter_threads": [{"message": ""}, {"message": "b", "media_urls": [], "x": 1}]},
    {"channel_id": -5},
]


@pytest.mark.parametrize("changes", ACCEPTED)
def test_what_the_documentation_does_not_forbid_is_accepted(changes: dict[str, Any]) -> None:
    assert wrong("create-post", create_request(**changes)) == []


REFUSED: list[tuple[dict[str, Any], list[str]]] = [
    ({"channel_type": ...}, ["channel_type"]),
    ({"channel_id": ..., "caption_text": ...}, ["caption_text", "channel_id"]),
    ({"caption_text": None}, ["caption_text"]),
    ({"media_urls": ...}, ["media_urls"]),
    ({"publish_mode": ...}, ["publish_mode"]),
    ({"post_type": ...}, ["post_type"]),
    ({"channel_type": "myspace"}, ["channel_type"]),
    ({"channel_type": ["facebook"]}, ["channel_type"]),
    ({"publish_mode": "later"}, ["publish_mode"]),
    ({"post_type": "breel"}, ["post_type"]),
    ({"channel_id": "123"}, ["channel_id"]),
    ({"channel_id": True}, ["channel_id"]),
    ({"channel_id": 1.5}, ["channel_id"]),
    ({"caption_text": 5}, ["caption_text"]),
    ({"media_urls": "https://example.com/a.jpg"}, ["media_urls"]),
    ({"media_urls": ["a", 5, None]}, ["media_urls.1", "media_urls.2"]),
    ({"publish_mode": "scheduled"}, ["schedule_time", "time_zone"]),
    ({"publish_mode": "scheduled", "schedule_time": "2025-08-01 14:30"}, ["time_zone"]),
    ({"publish_mode": "scheduled", "schedule_time": "1 August", "time_zone": "UTC"}, ["schedule_time"]),
    ({"publish_mode": "scheduled", "schedule_time": "2025-08-01 14:30", "time_zone": "Mars"}, ["time_zone"]),
    ({"post_type": "thread"}, ["twitter_threads"]),
    ({"post_type": "thread", "twitter_threads": [{"media_urls": []}]}, ["twitter_threads.0.message"]),
    ({"post_type": "thread", "twitter_threads": ["a"]}, ["twitter_threads.0"]),
    ({"channel_type": "youtube"}, ["post_extra"]),
    ({"channel_type": "youtube", "post_extra": {}}, ["post_extra.title"]),
    ({"channel_type": "youtube", "post_extra": []}, ["post_extra"]),
    ({"post_extra": {"title": "T", "privacyStatus": "secret"}}, ["post_extra.privacyStatus"]),
    ({"post_extra": {"title": "T", "category": "22"}}, ["post_extra.category"]),
]


@pytest.mark.parametrize(("changes", "fields"), REFUSED)
def test_what_the_documentation_requires_is_checked(changes: dict[str, Any], fields: list[str]) -> None:
    assert wrong("create-post", create_request(**changes)) == fields


@pytest.mark.parametrize(
    ("endpoint", "body", "fields"),
    [
        ("create-post-generation", {"post_type": "breel", "input": "flower sales"}, []),
        ("create-post-generation", {"post_type": "breel", "input": "x", "brand_id": "b", "web_hook": "no url"}, []),
        ("create-post-generation", {"post_type": "breel", "input": "x", "brand_id": 4}, []),
        ("create-post-generation", {"post_type": "breel", "input": "x", "brand_id": []}, ["brand_id"]),
        ("create-post-generation", {"post_type": "post"}, ["input", "post_type"]),
        ("connect-channel", {"userId": "u-1"}, []),
        ("connect-channel", {"userId": "u-1", "redirectUrl": "app://back"}, []),
        ("connect-channel", {"user_id": "u-1"}, ["userId"]),
        ("connect-channel", {"userId": 1}, ["userId"]),
        ("create-comment-automation", {"name": "n", "channels": [1], "reply_method": "dm"}, []),
        ("create-comment-automation", {"name": "n", "channels": "1,2"}, ["channels"]),
        ("create-comment-automation", {"name": "n", "channels": [1], "target_type": "posts"}, ["post_ids"]),
        ("create-comment-automation", {"name": "n", "channels": [1], "target_type": "campaigns"}, ["campaign_ids"]),
        ("create-comment-automation", {"name": "n", "channels": [1], "trigger_type": "keywords"}, ["keywords"]),
        ("create-comment-automation", {"channels": [1], "trigger_type": "some"}, ["name", "trigger_type"]),
        ("update-comment-automation", {"comment_bot_id": 7}, []),
        ("update-comment-automation", {"name": "n"}, ["comment_bot_id"]),
        ("update-comment-automation", {"comment_bot_id": 7, "target_type": "posts"}, ["post_ids"]),
    ],
)
def test_other_endpoints(endpoint: str, body: dict[str, Any], fields: list[str]) -> None:
    assert wrong(endpoint, body) == fields


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-1, 1) | st.sampled_from(["", "now", "twitter", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["message", "title"]), inner),
    max_leaves=4,
)
BODIES = st.dictionaries(st.sampled_from([*CreatePost.model_fields, "else"]), JSON).map(
    lambda changes: create_request() | changes
)


@given(body=BODIES)
def test_never_stricter_than_the_clients_own_model(body: dict[str, Any]) -> None:
    try:
        # As the client would send it: what the model coerces is sent in the documented type.
        sent = CreatePost.model_validate(body).wire()
    except ValidationError:
        return
    assert wrong("create-post", sent) == []


@given(body=st.dictionaries(st.sampled_from([*CreatePost.model_fields, "name", "comment_bot_id", "userId"]), JSON))
def test_no_body_upsets_a_check(body: dict[str, Any]) -> None:
    for endpoint in CHECKS:
        wrong(endpoint, body)


def test_documented_examples_of_the_client_pass() -> None:
    generation = CreateGeneration.model_validate({"post_type": "breel", "input": "flower sales"})
    assert wrong("create-post-generation", generation.wire()) == []
    connection = ConnectChannel.model_validate({"userId": "u", "redirectUrl": "https://a.example"})
    assert wrong("connect-channel", connection.wire()) == []


@pytest.mark.parametrize(
    ("text", "limit"), [(None, None), ("1", 1), ("25", 25), ("007", 7), ("999999999999999999", 999999999999999999)]
)
def test_limit(text: str | None, limit: int | None) -> None:
    errors: Errors = {}
    assert limit_of({} if text is None else {"limit": text}, errors) == limit
    assert errors == {}


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "", "٣", "00"])
def test_limit_refuses(text: str) -> None:
    errors: Errors = {}
    assert limit_of({"limit": text}, errors) is None
    assert [*errors] == ["limit"]


def test_a_limit_that_nobody_needs_is_a_limit_all_the_same() -> None:
    errors: Errors = {}
    assert (limit_of({"limit": "9" * 5000}, errors) or 0) >= 10**18
    assert errors == {}


def test_list_query() -> None:
    errors: Errors = {}
    query = list_query({"channels": "facebook, threads,", "status": "draft,queued", "limit": "5"}, errors)
    assert errors == {}
    assert query.channels == {"facebook", "threads"}
    assert query.statuses == frozenset({"draft", "queued"})
    assert query.limit == 5
    assert list_query({"channels": "tiktok"}, errors).statuses is None


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({}, ["channels"]),
        ({"channels": " , "}, ["channels"]),
        ({"channels": "myspace"}, ["channels"]),
        ({"channels": "facebook", "status": "pending"}, ["status"]),
        ({"channels": "facebook", "limit": "0"}, ["limit"]),
    ],
)
def test_list_query_refuses(query: dict[str, str], fields: list[str]) -> None:
    errors: Errors = {}
    list_query(query, errors)
    assert sorted(errors) == fields
