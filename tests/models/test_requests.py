"""The other requests: comment automations, generations, connections."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketingblocks_async.calls.wire import encode
from marketingblocks_async.endpoints import (
    CONNECT_CHANNEL,
    CREATE_COMMENT_AUTOMATION,
    CREATE_POST_GENERATION,
    ENDPOINTS,
    UPDATE_COMMENT_AUTOMATION,
)
from marketingblocks_async.errors import MarketingBlocksError
from marketingblocks_async.models import (
    ConnectChannel,
    CreateCommentAutomation,
    CreateGeneration,
    CreatePost,
    GenerationPostType,
    InvalidRequestError,
    RequestModel,
    TargetType,
    TriggerType,
    UpdateCommentAutomation,
)
from marketingblocks_async.models.base import problems_of
from tests.support.examples import CLEAR_REFUSAL, nested, refusal, sent

DEFAULTS = {"target_type": "all", "trigger_type": "any"}


def automation(**changes: Any) -> dict[str, Any]:
    return {"name": "Answer everyone", "channels": [1], **changes}


def sent_automation(**changes: Any) -> Any:
    return sent(CreateCommentAutomation.model_validate(automation(**changes)))


def sent_update(**fields: Any) -> Any:
    return sent(UpdateCommentAutomation.model_validate({"comment_bot_id": 7, **fields}))


def cyclic() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


class TestRefusals:
    def test_the_constructor_raises_an_error_of_the_package_and_of_pydantic(self) -> None:
        kind: Any = CreatePost
        with pytest.raises(InvalidRequestError) as caught:
            kind(channel_type="x", channel_id=True, twitter_threads=[{"message": 1}])
        error = caught.value
        assert isinstance(error, pydantic.ValidationError)
        assert isinstance(error, MarketingBlocksError)
        with pytest.raises(pydantic.ValidationError) as plain:
            CreatePost.model_validate({"channel_type": "x", "channel_id": True, "twitter_threads": [{"message": 1}]})
        # Pydantic's own class where pydantic's own methods are called, with the same problems.
        assert not isinstance(plain.value, MarketingBlocksError)
        shown = [(each["type"], each["loc"], each["msg"]) for each in problems_of(plain.value)]
        assert [(each["type"], each["loc"], each["msg"]) for each in error.errors()] == shown
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
        assert type(again) is InvalidRequestError
        assert [(each["loc"], each["msg"]) for each in again.errors()] == [each[1:] for each in shown]

    def test_a_refusal_inside_another_model_has_its_place(self) -> None:
        class Mine(pydantic.BaseModel):
            post: CreateGeneration

        with pytest.raises(pydantic.ValidationError) as caught:
            Mine.model_validate({"post": {"post_type": "x", "input": "y"}})
        assert [each["loc"] for each in caught.value.errors()] == [("post", "post_type")]

    @pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
    def test_validation_does_not_call_the_constructor(self, endpoint: Any) -> None:
        """It only changes the class of the error, and costs time."""
        assert not endpoint.request.__pydantic_custom_init__


class TestCreateCommentAutomation:
    def test_sends_every_documented_field_under_its_documented_name(self) -> None:
        everything = {
            "name": "Answer everyone",
            "channels": [1, 2],
            "target_type": "posts",
            "post_ids": [1246],
            "campaign_ids": [9],
            "trigger_type": "keywords",
            "keywords": ["price", "where, when"],
            "response_type": "ai",
        }
        assert sent_automation(**everything) == everything

    def test_sends_the_documented_defaults(self) -> None:
        assert sent_automation() == {**automation(), **DEFAULTS}

    def test_none_is_not_sent(self) -> None:
        nothing = dict.fromkeys(("post_ids", "campaign_ids", "keywords", "response_type", "undocumented"))
        assert sent_automation(**nothing) == {**automation(), **DEFAULTS}

    @pytest.mark.parametrize("channels", [[1, 2], (1, 2), "1,2", " 1 , 2 ,", ["1", "2"]])
    def test_channels_may_be_a_list_or_a_text_and_go_out_as_integers(self, channels: object) -> None:
        assert sent_automation(channels=channels)["channels"] == [1, 2]

    @pytest.mark.parametrize(
        "channels", [None, [], "", ",", "a", "1 2", "1;2", [True], [1.5], [None], 1, {"1": 1}, [[1]]]
    )
    def test_what_holds_no_channel_id_is_refused(self, channels: object) -> None:
        assert "channels" in refusal(CreateCommentAutomation, automation(channels=channels))

    @pytest.mark.parametrize("field", ["name", "response_type"])
    @pytest.mark.parametrize("value", ["", " ", "\n", 5, ["a"]])
    def test_blank_texts_are_refused(self, field: str, value: object) -> None:
        assert field in refusal(CreateCommentAutomation, automation(**{field: value}))

    @pytest.mark.parametrize("field", ["name", "channels"])
    def test_a_required_field_is_named_when_it_is_missing(self, field: str) -> None:
        fields = automation()
        del fields[field]
        text = refusal(CreateCommentAutomation, fields)
        assert field in text
        assert "required" in text

    @pytest.mark.parametrize(
        ("choice", "needs"),
        [
            ({"target_type": "posts"}, "post_ids"),
            ({"target_type": "campaigns"}, "campaign_ids"),
            ({"trigger_type": "keywords"}, "keywords"),
        ],
    )
    @pytest.mark.parametrize("empty", [None, [], ""])
    def test_a_choice_that_needs_a_list_says_which(self, choice: dict[str, str], needs: str, empty: object) -> None:
        text = refusal(CreateCommentAutomation, automation(**choice, **{needs: empty}))
        assert needs in text
        assert next(iter(choice.values())) in text

    def test_the_list_of_another_target_does_not_help(self) -> None:
        assert "post_ids" in refusal(CreateCommentAutomation, automation(target_type="posts", campaign_ids=[1]))

    @pytest.mark.parametrize(
        ("field", "documented"), [("target_type", list(TargetType)), ("trigger_type", list(TriggerType))]
    )
    @pytest.mark.parametrize("value", ["", "everything", "ALL", 1, ["all"]])
    def test_an_undocumented_choice_is_refused_with_the_documented_ones(
        self, field: str, documented: list[str], value: object
    ) -> None:
        text = refusal(CreateCommentAutomation, automation(**{field: value}))
        assert all(f"'{choice}'" in text for choice in documented)

    @pytest.mark.parametrize("empty", [[""], ["a", " "], [None], [5]])
    def test_a_blank_keyword_is_refused(self, empty: object) -> None:
        assert "keywords" in refusal(CreateCommentAutomation, automation(trigger_type="keywords", keywords=empty))

    def test_keywords_may_be_one_text(self) -> None:
        assert sent_automation(trigger_type="keywords", keywords="price, where")["keywords"] == ["price", "where"]


class TestUndocumentedFieldsOfAutomations:
    @pytest.mark.parametrize(
        "name", ["reply_method", "aiSettings", "model_config", "wire", "copy", "self", "_x", "channel"]
    )
    @pytest.mark.parametrize("value", ["dm", 5, False, 0, "", [1, None], {"delay": None, "n": [{"x": 1}]}])
    def test_are_passed_on_as_given(self, name: str, value: object) -> None:
        assert sent_automation(**{name: value})[name] == value
        assert sent_update(**{name: value}) == {"comment_bot_id": 7, name: value}

    @given(
        value=st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            max_leaves=10,
        )
    )
    @settings(max_examples=100)
    def test_any_json_value_is_passed_on_as_given(self, value: object) -> None:
        body = sent_automation(undocumented=value)
        assert body.get("undocumented") == value
        assert ("undocumented" in body) is (value is not None)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")], {"a": float("nan")}])
    def test_a_number_that_is_no_json_is_refused_rather_than_changed_to_null(self, value: object) -> None:
        with pytest.raises(CLEAR_REFUSAL):
            encode(CREATE_COMMENT_AUTOMATION, CreateCommentAutomation.model_validate(automation(undocumented=value)))

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param(object(), id="object"),
            pytest.param(b"\xff", id="bytes"),
            pytest.param("\ud83d", id="half an emoji"),
            pytest.param({"\ud83d": 1}, id="half an emoji as a name"),
            pytest.param(print, id="function"),
            pytest.param(cyclic(), id="a list that holds itself"),
        ],
    )
    def test_what_is_no_json_is_refused_clearly(self, value: object) -> None:
        with pytest.raises(CLEAR_REFUSAL):
            encode(CREATE_COMMENT_AUTOMATION, CreateCommentAutomation.model_validate(automation(undocumented=value)))

    def test_a_deep_value_is_passed_on_or_refused_but_does_not_crash(self) -> None:
        value = json.loads(nested("[", "]", 800))
        try:
            request = CreateCommentAutomation.model_validate(automation(undocumented=value))
            _, body = encode(CREATE_COMMENT_AUTOMATION, request)
        except CLEAR_REFUSAL:
            return
        assert body is not None
        assert nested("[", "]", 800) in body


class TestUpdateCommentAutomation:
    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"name": "New name"},
            {"target_type": "posts"},
            {"target_type": "all", "trigger_type": "any"},
            {"post_ids": []},
            {"campaign_ids": [9], "target_type": "campaigns"},
            {"keywords": [], "trigger_type": "keywords"},
            {"channels": [5], "reply_method": "dm"},
        ],
    )
    def test_sends_exactly_what_was_given(self, fields: dict[str, Any]) -> None:
        assert sent_update(**fields) == {"comment_bot_id": 7, **fields}

    def test_none_is_not_sent(self) -> None:
        names = ("name", "target_type", "post_ids", "campaign_ids", "trigger_type", "keywords", "undocumented")
        assert sent_update(**dict.fromkeys(names)) == {"comment_bot_id": 7}

    @pytest.mark.parametrize("comment_bot_id", [None, True, "", "seven", 1.5, [7]])
    def test_needs_the_id_of_the_automation(self, comment_bot_id: object) -> None:
        assert "comment_bot_id" in refusal(UpdateCommentAutomation, {"comment_bot_id": comment_bot_id, "name": "n"})

    @pytest.mark.parametrize(
        "fields",
        [
            {"name": ""},
            {"target_type": "x"},
            {"trigger_type": "x"},
            {"post_ids": ["x"]},
            {"campaign_ids": [True]},
            {"keywords": [""]},
        ],
        ids=",".join,
    )
    def test_a_malformed_field_is_named(self, fields: dict[str, Any]) -> None:
        assert next(iter(fields)) in refusal(UpdateCommentAutomation, {"comment_bot_id": 7, **fields})

    def test_goes_out_as_a_put(self) -> None:
        wire = encode(UPDATE_COMMENT_AUTOMATION, UpdateCommentAutomation(comment_bot_id=7))
        assert wire == ("social-sparks/update-comment-automation", b'{"comment_bot_id":7}')


class TestCreateGeneration:
    def test_sends_the_documented_body_to_the_letter(self) -> None:
        request = CreateGeneration(post_type=GenerationPostType.BREEL, input="flower sales")
        wire = encode(CREATE_POST_GENERATION, request)
        assert wire == (
            "social-sparks/create-post-generation",
            b'{"post_type":"breel","input":"flower sales"}',
        )

    @pytest.mark.parametrize("post_type", list(GenerationPostType))
    @pytest.mark.parametrize("brand_id", [5, "5", "brand-7"])
    def test_sends_every_field_as_given(self, post_type: str, brand_id: object) -> None:
        everything = {"post_type": post_type, "input": "x", "web_hook": "https://example.com/h", "brand_id": brand_id}
        assert sent(CreateGeneration.model_validate(everything)) == everything

    @pytest.mark.parametrize(
        "address", ["http://127.0.0.1:8080/hook?job=1", "HTTPS://example.com", "https://u:p@b.c/#d"]
    )
    def test_a_web_hook_may_be_at_any_server(self, address: str) -> None:
        assert sent(CreateGeneration(post_type="breel", input="x", web_hook=address))["web_hook"] == address

    @pytest.mark.parametrize("post_type", ["post", "reel", "", None, 1])
    def test_an_undocumented_post_type_is_refused_with_the_documented_ones(self, post_type: object) -> None:
        text = refusal(CreateGeneration, {"post_type": post_type, "input": "x"})
        assert all(f"'{documented}'" in text for documented in GenerationPostType)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("input", ""),
            ("input", " \n"),
            ("input", None),
            ("web_hook", ""),
            ("web_hook", "foo"),
            ("web_hook", "ftp://example.com/h"),
            ("web_hook", "https://"),
            ("web_hook", "https://example.com/a b"),
            ("webhook", "https://example.com"),
            ("brand_id", True),
            ("brand_id", 1.5),
            ("brand_id", [1]),
            ("brand_id", ""),
        ],
    )
    def test_a_malformed_field_is_named(self, field: str, value: object) -> None:
        assert field in refusal(CreateGeneration, {"post_type": "breel", "input": "x", field: value})


class TestConnectChannel:
    @pytest.mark.parametrize(
        "fields", [{"user_id": "u-1", "redirect_url": "app://back"}, {"userId": "u-1", "redirectUrl": "app://back"}]
    )
    def test_names_go_out_in_camel_case_whatever_they_were_called(self, fields: dict[str, str]) -> None:
        wire = encode(CONNECT_CHANNEL, ConnectChannel.model_validate(fields))
        assert wire[1] == b'{"userId":"u-1","redirectUrl":"app://back"}'

    def test_the_redirect_is_optional(self) -> None:
        assert sent(ConnectChannel.model_validate({"user_id": "u-1", "redirect_url": None})) == {"userId": "u-1"}

    @pytest.mark.parametrize("user_id", [None, "", " ", 5, True, ["u"]])
    def test_a_user_is_needed(self, user_id: object) -> None:
        assert "user_id" in refusal(ConnectChannel, {"user_id": user_id})

    @pytest.mark.parametrize(
        "fields",
        [{"user_id": "a", "userId": "b"}, {"user_id": "a", "redirect": "x"}, {"user_id": "a", "redirect_url": ""}],
    )
    def test_contradictions_and_unknown_fields_are_refused(self, fields: dict[str, str]) -> None:
        assert "ConnectChannel" in refusal(ConnectChannel, fields)


class TestEveryRequest:
    @pytest.mark.parametrize("kind", [endpoint.request for endpoint in ENDPOINTS], ids=lambda kind: kind.__name__)
    def test_says_in_plain_words_that_a_text_is_blank(self, kind: type[RequestModel]) -> None:
        blank = dict.fromkeys(kind.model_fields, " ")
        with pytest.raises(pydantic.ValidationError) as caught:
            kind.model_validate(blank)
        assert "pattern" not in str(caught.value)

    @pytest.mark.parametrize(
        "request_",
        [
            CreateCommentAutomation.model_validate(automation(undocumented={"a": [1]})),
            UpdateCommentAutomation(comment_bot_id=7),
            CreateGeneration(post_type=GenerationPostType.BREEL, input="x"),
            ConnectChannel.model_validate({"user_id": "u"}),
        ],
        ids=lambda request: type(request).__name__,
    )
    def test_is_the_same_object_after_a_journal_and_after_a_pickle(self, request_: RequestModel) -> None:
        kind = type(request_)
        assert kind.model_validate(request_.wire()) == request_
        assert kind.model_validate_json(request_.wire_json()) == request_
        assert pickle.loads(pickle.dumps(request_)) == request_  # noqa: S301 - made here

    @pytest.mark.parametrize("kind", [endpoint.request for endpoint in ENDPOINTS], ids=lambda kind: kind.__name__)
    @given(
        value=st.text() | st.binary() | st.integers() | st.floats() | st.none() | st.booleans() | st.lists(st.text())
    )
    @settings(max_examples=30)
    def test_any_value_in_any_field_is_encoded_or_refused(self, kind: type[RequestModel], value: object) -> None:
        endpoint = next(endpoint for endpoint in ENDPOINTS if endpoint.request is kind)
        for name in kind.model_fields:
            fields = {**SMALLEST[kind.__name__], name: value}
            try:
                request = kind.model_validate(fields)
            except pydantic.ValidationError:
                continue
            path, body = encode(endpoint, request)
            assert path.isascii()
            if body is not None:
                json.loads(body)


SMALLEST: dict[str, dict[str, Any]] = {
    "CreatePost": {
        "channel_type": "facebook",
        "channel_id": 1,
        "post_type": "post",
        "caption_text": "Hello",
        "media_urls": [],
        "publish_mode": "now",
    },
    "FindPost": {"post_id": 1},
    "ListPosts": {"channels": "facebook"},
    "UpcomingPostsQuery": {},
    "CreateGeneration": {"post_type": "breel", "input": "x"},
    "ConnectChannel": {"user_id": "u"},
    "CreateCommentAutomation": {"name": "n", "channels": [1]},
    "UpdateCommentAutomation": {"comment_bot_id": 1},
}
