"""Responses: the documented examples as they are, and everything that a server may send instead."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC
from typing import Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from marketingblocks_async.endpoints import (
    CONNECT_CHANNEL,
    CREATE_COMMENT_AUTOMATION,
    CREATE_POST,
    CREATE_POST_GENERATION,
    ENDPOINTS,
    FIND_POST,
    GET_POSTS,
    UPCOMING_POSTS,
    UPDATE_COMMENT_AUTOMATION,
    AnyEndpoint,
    Endpoint,
)
from marketingblocks_async.errors import APIError, InvalidResponseError, UnreadableResponseError
from marketingblocks_async.models import (
    ChannelType,
    CommentAutomation,
    CreatedPost,
    FoundPost,
    GenerationStatus,
    Post,
    PostList,
    PostStatus,
    RequestModel,
    UpcomingPosts,
)
from tests.support.examples import (
    DOCUMENTED_CONNECTION,
    DOCUMENTED_FOUND_POST,
    DOCUMENTED_GENERATION,
    DOCUMENTED_UPCOMING,
    answer,
    decoded,
    nested,
)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["post", "post_id", "status", "STATUS", "up_coming", "id", "data", "message", "connect_url"]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)

FULL_POST: dict[str, Any] = DOCUMENTED_FOUND_POST["post"]


def found(**changes: Any) -> FoundPost:
    return decoded(FIND_POST, answer({**DOCUMENTED_FOUND_POST, "post": {**FULL_POST, **changes}}))


def created(body: object) -> CreatedPost:
    return decoded(CREATE_POST, answer(body))


def listed(body: object) -> PostList:
    return decoded(GET_POSTS, answer(body))


def use(model: BaseModel) -> None:
    """Touch everything that a model offers."""
    repr(model)
    offered = {
        name for kind in type(model).__mro__[:-1] for name, value in vars(kind).items() if isinstance(value, property)
    }
    for name in offered & {"raw", "status", "message", "STATUS", "posts", "post_id", "post_status", "comment_bot_id"}:
        getattr(model, name)
    if isinstance(model, PostList | UpcomingPosts):
        list(model)
        len(model)


class TestFoundPost:
    def test_is_the_documented_example(self) -> None:
        result = found()
        assert result.status is True
        assert result.post.post_id == 1246
        assert result.post.channel_type is ChannelType.FACEBOOK
        assert result.post.channel_id == "123"
        assert result.post.status is PostStatus.PUBLISHED
        assert result.post.permalink == "https://www.facebook.com/123/posts/1246"
        assert result.raw == DOCUMENTED_FOUND_POST

    def test_its_state_has_the_same_name_wherever_a_post_comes_from(self) -> None:
        state = PostStatus.PUBLISHED
        assert found().post_status is found().post.post_status is listed([found().post.raw])[0].post_status is state
        assert created({"post": found().post.raw}).post_status == state

    @pytest.mark.parametrize("status", [None, 1, "success", "true", ["x"]])
    def test_keeps_a_status_of_another_type_as_it_is(self, status: Any) -> None:
        result = decoded(FIND_POST, answer({**DOCUMENTED_FOUND_POST, "status": status}))
        assert type(result.status) is type(status)
        assert result.model_dump()["status"] == status

    def test_offers_the_post_s_fields_itself(self) -> None:
        result = found()
        assert result.post_id == result.post.post_id
        assert result.channel_type == result.post.channel_type
        assert result.channel_id == result.post.channel_id
        assert result.permalink == result.post.permalink
        assert result.STATUS == result.post.STATUS

    @pytest.mark.parametrize("state", list(PostStatus))
    def test_knows_every_documented_state(self, state: PostStatus) -> None:
        assert found(STATUS=state.value).post.status is state

    @pytest.mark.parametrize("permalink", [None, "", "https://x"])
    def test_a_permalink_may_be_null(self, permalink: str | None) -> None:
        assert found(permalink=permalink).permalink == permalink

    @pytest.mark.parametrize("status", ["success", "published", "ok", 200, {"code": 1}, [], None])
    def test_an_odd_status_of_the_envelope_does_not_hide_the_post(self, status: object) -> None:
        result = decoded(FIND_POST, answer({**DOCUMENTED_FOUND_POST, "status": status}))
        assert result.post_id == 1246
        assert result.raw["status"] == status

    def test_a_missing_status_is_none(self) -> None:
        assert decoded(FIND_POST, answer({"post": FULL_POST})).status is None

    @pytest.mark.parametrize("body", [{}, {"post": None}, {"post": []}, {"post": "x"}, FULL_POST, [FULL_POST], None, 5])
    def test_an_answer_without_the_promised_post_is_refused_and_kept(self, body: object) -> None:
        with pytest.raises(InvalidResponseError) as caught:
            decoded(FIND_POST, answer(body))
        assert caught.value.body == body


class TestPost:
    @pytest.mark.parametrize("name", list(FULL_POST))
    def test_every_field_may_be_missing(self, name: str) -> None:
        fields = {key: value for key, value in FULL_POST.items() if key != name}
        result = decoded(FIND_POST, answer({"post": fields, "status": True})).post
        assert getattr(result, name) is None
        assert result.raw == fields

    @pytest.mark.parametrize("value", [123, "123", "c-1", 10**30, "", 0, None])
    def test_ids_are_kept_as_integer_or_text(self, value: object) -> None:
        result = found(post_id=value, channel_id=value)
        assert result.post_id == value
        assert type(result.post_id) is type(value)
        assert type(result.channel_id) is type(value)

    @pytest.mark.parametrize("value", ["bluesky", "FACEBOOK", "", "published "])
    def test_unknown_values_of_enumerations_arrive_as_text(self, value: str) -> None:
        result = found(channel_type=value, STATUS=value).post
        assert result.channel_type == value
        assert result.status == value
        assert type(result.status) is str

    @pytest.mark.parametrize("value", ["2025-08-01 14:30", "2025-08-01T14:30:00Z", 1754058600, None, {"date": "x"}])
    def test_a_schedule_time_is_kept_as_the_api_wrote_it(self, value: object) -> None:
        assert found(schedule_time=value).post.schedule_time == value

    @pytest.mark.parametrize(
        ("fields", "moment"),
        [
            ({"schedule_time": "2027-01-08 14:30", "time_zone": "Africa/Lagos"}, "2027-01-08T13:30:00+00:00"),
            ({"schedule_time": "2027-01-08T14:30:00Z"}, "2027-01-08T14:30:00+00:00"),
            ({"schedule_time": "2027-01-08T14:30:00+02:00", "time_zone": "UTC"}, "2027-01-08T12:30:00+00:00"),
            ({"schedule_time": 1799418600}, "2027-01-08T14:30:00+00:00"),
        ],
    )
    def test_a_schedule_time_of_a_usual_form_is_an_aware_datetime(self, fields: dict[str, Any], moment: str) -> None:
        found = Post.model_validate({"post_id": 1, **fields}).scheduled_at
        assert found is not None
        assert found.astimezone(UTC).isoformat() == moment

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"schedule_time": None},
            {"schedule_time": "2027-01-08 14:30"},
            {"schedule_time": "2027-01-08 14:30", "time_zone": "Mars/Olympus"},
            {"schedule_time": "2027-01-08 14:30", "time_zone": 3},
            {"schedule_time": "tomorrow", "time_zone": "UTC"},
            {"schedule_time": 7},
            {"schedule_time": True},
            {"schedule_time": 1e300},
            {"schedule_time": ["2027-01-08 14:30"]},
        ],
    )
    def test_any_other_schedule_time_is_none_and_kept_raw(self, fields: dict[str, Any]) -> None:
        post = Post.model_validate({"post_id": 1, **fields})
        assert post.scheduled_at is None
        assert post.schedule_time == fields.get("schedule_time")

    def test_unknown_fields_are_kept_as_attributes_and_in_raw(self) -> None:
        result = found(failure_reason={"code": 190}, x=None).post
        assert result.model_extra == {"failure_reason": {"code": 190}, "x": None}
        assert getattr(result, "failure_reason") == {"code": 190}  # noqa: B009 - no declared field
        assert result.raw == {**FULL_POST, "failure_reason": {"code": 190}, "x": None}

    def test_a_lower_case_status_is_not_the_post_s_state(self) -> None:
        both = found(STATUS="queued", status="lower").post
        assert both.STATUS is PostStatus.QUEUED
        assert both.status is PostStatus.QUEUED
        assert both.raw["STATUS"] == "queued"
        assert both.raw["status"] == "lower"
        alone = Post.model_validate({"status": "published"})
        assert alone.STATUS is None
        assert alone.raw == {"status": "published"}

    def test_a_dump_does_not_lose_the_state_to_a_lower_case_status(self) -> None:
        dumped = found(STATUS="queued", status="lower").post.model_dump()
        assert PostStatus.QUEUED in dumped.values()
        assert "lower" in dumped.values()

    @pytest.mark.parametrize("name", ["raw", "model_extra", "copy", "json", "model_dump", "model_fields", "__class__"])
    def test_a_field_that_is_called_like_a_method_does_no_harm(self, name: str) -> None:
        result = found(**{name: 5}).post
        assert result.STATUS is PostStatus.PUBLISHED
        assert result.raw == {**FULL_POST, name: 5}

    @pytest.mark.parametrize("field", ["post_id", "channel_id"])
    @pytest.mark.parametrize("value", [True, False])
    def test_a_boolean_is_not_turned_into_an_id(self, field: str, value: bool) -> None:
        try:
            result = found(**{field: value})
        except InvalidResponseError:
            return
        assert result.raw["post"][field] is value


class TestUpcomingPosts:
    def test_is_the_documented_example(self) -> None:
        result = decoded(UPCOMING_POSTS, answer(DOCUMENTED_UPCOMING))
        assert [post.post_id for post in result] == [1246, 1247]
        assert [post.status for post in result] == [PostStatus.SCHEDULED, PostStatus.QUEUED]
        assert len(result) == 2
        assert result.posts == result.up_coming
        assert result.raw == DOCUMENTED_UPCOMING

    @pytest.mark.parametrize("body", [{"up_coming": []}, {"up_coming": None}])
    def test_may_be_empty(self, body: object) -> None:
        result = decoded(UPCOMING_POSTS, answer(body))
        assert list(result) == []
        assert result.raw == body

    def test_keeps_unknown_fields_of_the_envelope(self) -> None:
        body = {**DOCUMENTED_UPCOMING, "status": True, "next": "x"}
        assert decoded(UPCOMING_POSTS, answer(body)).raw == body

    @pytest.mark.parametrize("body", [{}, [], {"up_coming": "x"}, {"up_coming": [5]}, {"upcoming": []}, None])
    def test_another_shape_is_refused_and_kept(self, body: object) -> None:
        with pytest.raises(InvalidResponseError, match="upcoming-posts") as caught:
            decoded(UPCOMING_POSTS, answer(body))
        assert caught.value.body == body


class TestGeneration:
    def test_is_the_documented_example(self) -> None:
        result = decoded(CREATE_POST_GENERATION, answer(DOCUMENTED_GENERATION))
        assert result.id == "842c8151-8f9d-4eab-ae81-6690730b8b02"
        assert result.status is GenerationStatus.QUEUED
        assert result.message == "post generation is in queued."
        assert result.request_body == DOCUMENTED_GENERATION["request_body"]
        assert result.raw == DOCUMENTED_GENERATION

    @pytest.mark.parametrize("status", ["queued", "success", "failed", "running", "", None, True, 1, 0.5])
    def test_keeps_whatever_status_it_has(self, status: object) -> None:
        result = decoded(CREATE_POST_GENERATION, answer({**DOCUMENTED_GENERATION, "status": status}))
        assert result.status == status
        assert result.raw["status"] == status
        assert type(result.raw["status"]) is type(status)

    def test_needs_only_an_id(self) -> None:
        assert decoded(CREATE_POST_GENERATION, answer({"id": 5})).id == 5

    @pytest.mark.parametrize("body", [{}, {"id": None}, {"status": "queued"}, [], "queued"])
    def test_without_an_id_it_is_refused_and_kept(self, body: object) -> None:
        with pytest.raises(InvalidResponseError) as caught:
            decoded(CREATE_POST_GENERATION, answer(body))
        assert caught.value.body == body


class TestChannelConnection:
    def test_has_the_documented_names(self) -> None:
        result = decoded(CONNECT_CHANNEL, answer(DOCUMENTED_CONNECTION))
        assert result.connect_url == DOCUMENTED_CONNECTION["connect_url"]
        assert result.connect_token == DOCUMENTED_CONNECTION["connect_token"]
        assert result.raw == DOCUMENTED_CONNECTION

    @pytest.mark.parametrize(
        "further", [{"channel_id": 5}, {"channel_ids": [5, "6"]}, {"channel_ids": None}, {"status": True}]
    )
    def test_keeps_what_else_there_is(self, further: dict[str, Any]) -> None:
        body = {**DOCUMENTED_CONNECTION, **further}
        assert decoded(CONNECT_CHANNEL, answer(body)).raw == body

    @pytest.mark.parametrize("name", ["connect_url", "connect_token"])
    def test_one_of_the_two_is_enough(self, name: str) -> None:
        assert decoded(CONNECT_CHANNEL, answer({name: "x"})).raw == {name: "x"}

    def test_an_envelope_makes_no_difference(self) -> None:
        body = {"status": True, "data": {**DOCUMENTED_CONNECTION, "expires": 60}}
        result = decoded(CONNECT_CHANNEL, answer(body))
        assert result.connect_url == DOCUMENTED_CONNECTION["connect_url"]
        assert result.raw == {**body, **DOCUMENTED_CONNECTION, "expires": 60}

    def test_a_token_that_is_a_number_is_accepted_since_only_its_name_is_documented(self) -> None:
        result = decoded(CONNECT_CHANNEL, answer({**DOCUMENTED_CONNECTION, "connect_token": 4711}))
        assert result.connect_url == DOCUMENTED_CONNECTION["connect_url"]
        assert result.raw["connect_token"] == 4711

    @pytest.mark.parametrize("body", [{}, {"connect_url": None}, {"channel_id": 5}, [], None])
    def test_without_both_it_is_refused_and_kept(self, body: object) -> None:
        with pytest.raises(InvalidResponseError) as caught:
            decoded(CONNECT_CHANNEL, answer(body))
        assert caught.value.body == body


class TestCreatedPost:
    @pytest.mark.parametrize(
        ("body", "post_id"),
        [
            ({"post_id": 1246, "status": True}, 1246),
            ({"post_id": "1246"}, "1246"),
            ({"id": 1246}, 1246),
            ({"post": {"post_id": 1246, "STATUS": "queued"}, "status": True}, 1246),
            ({"post": {"id": 1246}}, 1246),
            ({"data": {"post": {"post_id": 1246}}}, 1246),
            ({"data": [{"post_id": 1246}]}, 1246),
            ([{"post_id": 1246}], 1246),
            ({"post_id": None, "post": {"post_id": 1246}}, 1246),
            ([{"post_id": 1}, {"post_id": 2}], None),
            ({"post_id": True}, None),
            ({"post_id": ""}, None),
            ({"post_id": {"a": 1}}, None),
            ({"message": "Post created"}, None),
            ({}, None),
            ([], None),
            ("ok", None),
            (None, None),
            (True, None),
        ],
    )
    def test_finds_the_id_where_it_probably_is_and_keeps_everything(self, body: object, post_id: object) -> None:
        result = created(body)
        assert result.post_id == post_id
        assert result.raw == body

    def test_prefers_the_post_s_own_id_to_an_id_of_something_else(self) -> None:
        assert created({"id": 99, "post": {"post_id": 1246}}).post_id == 1246

    def test_state_and_status_are_not_confused(self) -> None:
        result = created({"status": True, "post": {"STATUS": "queued", "status": "lower"}})
        assert result.post_status == "queued"
        assert result.status is True
        assert created({"status": "published"}).post_status is None

    @pytest.mark.parametrize(("message", "expected"), [("done", "done"), (5, None), (["done"], None), (None, None)])
    def test_offers_the_message_if_it_is_a_text(self, message: object, expected: str | None) -> None:
        assert created({"message": message}).message == expected

    def test_has_no_status_and_no_message_when_it_is_no_object(self) -> None:
        result = created(["status", "message"])
        assert result.status is None
        assert result.message is None


class TestPostList:
    @pytest.mark.parametrize(
        "body",
        [
            [FULL_POST, {**FULL_POST, "post_id": 2}],
            {"posts": [FULL_POST, {"post_id": 2}]},
            {"status": True, "data": {"posts": [FULL_POST, {"post_id": 2}]}},
            {"facebook": [FULL_POST], "twitter": [{"post_id": 2}], "youtube": []},
            {"data": [{"channel": "facebook", "posts": [FULL_POST]}, {"channel": "tiktok", "posts": [{"post_id": 2}]}]},
            {"1246": FULL_POST, "2": {"post_id": 2}},
        ],
        ids=["flat", "envelope", "deep envelope", "by channel", "list of channels", "by id"],
    )
    def test_finds_the_posts_in_any_shape_in_order(self, body: object) -> None:
        result = listed(body)
        assert [post.post_id for post in result] == [1246, 2]
        assert len(result) == 2
        assert result.posts[0].status is PostStatus.PUBLISHED
        assert (result[-1].post_id, result[:1]) == (2, [result[0]])
        # Read once, so that a loop over the indexes is not quadratic.
        assert result[0] is result[0]
        assert result.raw == body

    @pytest.mark.parametrize("body", [[], {}, {"posts": []}, None, "none", 5, True, [{"id": 1}]])
    def test_is_empty_when_no_post_can_be_recognised_and_keeps_the_answer(self, body: object) -> None:
        result = listed(body)
        assert list(result) == []
        assert result.raw == body

    @pytest.mark.parametrize(
        "odd",
        [
            {"permalink": False},
            {"permalink": {"url": "x"}},
            {"channel_type": 5},
            {"STATUS": ["queued"]},
            {"channel_id": [1]},
            {"post_id": 1.5},
            {"post_id": {"a": 1}},
        ],
        ids=str,
    )
    def test_one_odd_post_does_not_hide_the_others(self, odd: dict[str, Any]) -> None:
        result = listed([FULL_POST, {**FULL_POST, **odd}, {"post_id": 3}])
        found_ids = [post.post_id for post in result]
        assert 1246 in found_ids
        assert 3 in found_ids

    def test_a_very_deep_answer_can_be_searched(self) -> None:
        body = b'{"data":' * 150 + json.dumps(FULL_POST).encode() + b"}" * 150
        assert [post.post_id for post in listed(body)] == [1246]


class TestCommentAutomation:
    @pytest.mark.parametrize("endpoint", [CREATE_COMMENT_AUTOMATION, UPDATE_COMMENT_AUTOMATION], ids=lambda e: e.name)
    @pytest.mark.parametrize(
        ("body", "comment_bot_id"),
        [
            ({"comment_bot_id": 7}, 7),
            ({"id": "7"}, "7"),
            ({"data": {"id": 7}}, 7),
            ({"data": {"comment_bot_id": 7}, "status": True}, 7),
            ({"comment_bot": {"id": 7}}, 7),
            ({"comment_automation": {"id": 7}}, 7),
            ({"id": 99, "data": {"comment_bot_id": 7}}, 7),
            ({"status": True}, None),
            ([], None),
            (None, None),
            ("ok", None),
        ],
    )
    def test_finds_the_id_where_it_probably_is_and_keeps_everything(
        self, endpoint: Endpoint[RequestModel, CommentAutomation], body: object, comment_bot_id: object
    ) -> None:
        result = decoded(endpoint, answer(body))
        assert result.comment_bot_id == comment_bot_id
        assert result.raw == body


EXAMPLES: list[tuple[AnyEndpoint, Any]] = [
    (FIND_POST, DOCUMENTED_FOUND_POST),
    (UPCOMING_POSTS, DOCUMENTED_UPCOMING),
    (CREATE_POST_GENERATION, DOCUMENTED_GENERATION),
    (CONNECT_CHANNEL, DOCUMENTED_CONNECTION),
    (CREATE_POST, {"post_id": 1246}),
    (GET_POSTS, [FULL_POST]),
    (CREATE_COMMENT_AUTOMATION, {"comment_bot_id": 7}),
    (UPDATE_COMMENT_AUTOMATION, {"comment_bot_id": 7}),
]


@pytest.mark.parametrize(("endpoint", "body"), EXAMPLES, ids=lambda value: getattr(value, "name", ""))
class TestEveryResponse:
    def test_survives_pickling_and_copying(self, endpoint: AnyEndpoint, body: object) -> None:
        result = decoded(endpoint, answer(body))
        assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301 - made here
        assert copy.deepcopy(result) == result

    def test_cannot_be_changed(self, endpoint: AnyEndpoint, body: object) -> None:
        result = decoded(endpoint, answer(body))
        name = next(iter(type(result).model_fields))
        with pytest.raises(pydantic.ValidationError, match="frozen"):
            setattr(result, name, None)

    def test_a_status_of_false_is_an_error_in_spite_of_the_rest(self, endpoint: AnyEndpoint, body: Any) -> None:
        if not isinstance(body, dict):
            body = {"posts": body}
        refused: dict[str, Any] = {**body, "status": False, "message": "no"}
        # With the id of what it creates, it is unknown.
        with pytest.raises((APIError, UnreadableResponseError), match="no") as caught:
            decoded(endpoint, answer(refused))
        error: Any = caught.value
        assert (error.status_code, error.body) == (200, refused)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
class TestAnyAnswer:
    @given(value=JSON_VALUES)
    @settings(max_examples=100)
    def test_any_json_becomes_a_usable_model_or_one_of_the_promised_errors(
        self, endpoint: AnyEndpoint, value: object
    ) -> None:
        try:
            model = decoded(endpoint, answer(value))
        except (APIError, InvalidResponseError) as error:
            assert endpoint.name in str(error)  # noqa: PT017 - the other way out is below
        else:
            use(model)

    @given(body=st.binary(max_size=64))
    @settings(max_examples=50)
    def test_any_bytes_become_a_model_or_one_of_the_promised_errors(self, endpoint: AnyEndpoint, body: bytes) -> None:
        try:
            use(decoded(endpoint, answer(body)))
        except (APIError, InvalidResponseError) as error:
            assert endpoint.name in str(error)  # noqa: PT017 - the other way out is above

    @pytest.mark.parametrize("depth", [190, 210, 1010, 100_000])
    @pytest.mark.parametrize(
        ("around", "opening", "closing"),
        [
            ((b"", b""), "[", "]"),
            ((b"", b""), '{"a":', "}"),
            ((b'{"post":{"post_id":1,"x":', b'},"status":true}'), "[", "]"),
            ((b'{"up_coming":[{"post_id":1,"x":', b"}]}"), '{"post_id":', "}"),
            ((b'{"id":1,"request_body":', b"}"), "[", "]"),
        ],
        ids=["arrays", "objects", "in a post", "in a list", "in a generation"],
    )
    def test_no_depth_of_nesting_crashes(
        self,
        endpoint: AnyEndpoint,
        around: tuple[bytes, bytes],
        opening: str,
        closing: str,
        depth: int,
    ) -> None:
        try:
            use(decoded(endpoint, answer(nested(opening, closing, depth).join(around))))
        except (APIError, InvalidResponseError) as error:
            assert len(str(error)) < 1000  # noqa: PT017 - either way out is fine


def test_a_repr_shows_what_was_recognised() -> None:
    created = CreatedPost.model_validate({"data": {"post_id": 7, "STATUS": "scheduled"}})
    assert repr(created).startswith("CreatedPost(post_id=7, post_status='scheduled', raw={'data':")
    listed = PostList.model_validate([{"post_id": 7, "permalink": "https://a.example"}])
    assert repr(listed).startswith("PostList(posts=[Post(post_id=7,")
    assert repr(PostList.model_validate({"odd": 1})) == "PostList(posts=[], raw={'odd': 1})"
    bot = CommentAutomation.model_validate({"comment_bot_id": 3})
    assert repr(bot) == "CommentAutomation(comment_bot_id=3, raw={'comment_bot_id': 3})"
