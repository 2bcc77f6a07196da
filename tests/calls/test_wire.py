"""Request objects to paths, queries and bodies."""

from __future__ import annotations

import json
from enum import Enum, StrEnum
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketingblocks_async import InvalidArgumentError
from marketingblocks_async.calls.wire import encode, encode_json, encode_query
from marketingblocks_async.endpoints import CREATE_POST, FIND_POST, GET_POSTS, UPCOMING_POSTS
from marketingblocks_async.models import FindPost, ListPosts, UpcomingPostsQuery, UpdateCommentAutomation
from tests.support.examples import CLEAR_REFUSAL, post


class State(str, Enum):  # noqa: UP042 - the kind whose str() is its name
    """As programs write them that are older than StrEnum."""

    SCHEDULED = "scheduled"


class Word(StrEnum):
    """Its str() is its value."""

    SCHEDULED = "scheduled"


class Plain(Enum):
    """It is no text itself."""

    SCHEDULED = "scheduled"


@pytest.mark.parametrize("value", [State.SCHEDULED, Word.SCHEDULED, Plain.SCHEDULED], ids=repr)
def test_json_has_the_value_of_an_enumeration(value: object) -> None:
    assert encode_json({"status": [value]}) == b'{"status": ["scheduled"]}'
    update = UpdateCommentAutomation.model_validate({"comment_bot_id": 1, "reply": value})
    assert update.wire() == {"comment_bot_id": 1, "reply": "scheduled"}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "half \ud83d"], ids=repr)
def test_what_json_cannot_hold_is_an_error_of_ours(value: object) -> None:
    with pytest.raises(InvalidArgumentError, match="cannot be sent as JSON"):
        encode_json({"key": [value]})


class TestEncode:
    def test_a_write_is_json_without_a_query(self) -> None:
        path, body = encode(CREATE_POST, post())
        assert path == "social-sparks/create-post"
        assert body is not None
        assert json.loads(body) == post().wire()

    def test_text_is_utf_8_on_the_wire(self) -> None:
        _, body = encode(CREATE_POST, post(caption_text="é \N{PILE OF POO}"))
        assert body is not None
        assert "é \N{PILE OF POO}".encode() in body

    def test_a_read_has_no_body(self) -> None:
        assert encode(FIND_POST, FindPost(post_id=1246)) == ("social-sparks/post/1246", None)
        assert encode(UPCOMING_POSTS, UpcomingPostsQuery()) == ("social-sparks/upcoming-posts", None)

    def test_a_query_keeps_its_commas(self) -> None:
        query = ListPosts.model_validate({"channels": "facebook,tiktok", "status": "draft,failed", "limit": 5})
        path, _ = encode(GET_POSTS, query)
        assert path == "social-sparks/get-posts?channels=facebook,tiktok&limit=5&status=draft,failed"

    def test_the_same_object_always_gives_the_same_bytes(self) -> None:
        assert encode(CREATE_POST, post(hash_tags="a")) == encode(CREATE_POST, post(hash_tags="a"))


class TestEncodeQuery:
    @pytest.mark.parametrize(
        ("fields", "query"),
        [
            ({}, ""),
            ({"a": None}, ""),
            ({"a": 1, "b": None, "c": "x"}, "?a=1&c=x"),
            ({"a": ["x", "y"]}, "?a=x,y"),
            ({"a": "x,y"}, "?a=x,y"),
            ({"a": True, "b": False}, "?a=true&b=false"),
            ({"a": [True, 1.5]}, "?a=true,1.5"),
            ({"a": ""}, "?a="),
            ({"a b": "c d"}, "?a%20b=c%20d"),
            ({"a": "x&y=z?#/+%"}, "?a=x%26y%3Dz%3F%23%2F%2B%25"),
            ({"a": "é"}, "?a=%C3%A9"),
            ({"userId": "u"}, "?userId=u"),
        ],
    )
    def test_percent_encodes_everything_but_commas(self, fields: dict[str, Any], query: str) -> None:
        assert encode_query(fields) == query

    @pytest.mark.parametrize("value", [("x", "y"), ["x", None, "y"]], ids=["tuple", "None in it"])
    def test_a_sequence_is_not_sent_as_python_would_print_it(self, value: object) -> None:
        try:
            query = encode_query({"a": value})
        except (TypeError, *CLEAR_REFUSAL):
            return
        assert query == "?a=x,y"

    @pytest.mark.parametrize(
        "value", [State.SCHEDULED, Word.SCHEDULED, [State.SCHEDULED], (Plain.SCHEDULED,)], ids=repr
    )
    def test_an_enumeration_is_sent_as_its_value(self, value: object) -> None:
        assert encode_query({"status": value}) == "?status=scheduled"

    def test_half_an_emoji_is_refused_clearly(self) -> None:
        with pytest.raises((TypeError, *CLEAR_REFUSAL)):
            encode_query({"a": "\ud83d"})

    @given(fields=st.dictionaries(st.text(min_size=1), st.text(), max_size=4))
    @settings(max_examples=200)
    def test_a_server_reads_what_was_given(self, fields: dict[str, str]) -> None:
        query = encode_query(fields)
        assert query.isascii()
        assert dict(parse_qsl(urlsplit(f"https://x/{query}").query, keep_blank_values=True)) == fields
