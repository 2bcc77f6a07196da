"""Requests about posts: what goes out for what was given, and what is refused with which words."""

from __future__ import annotations

import json
import pickle
from types import MappingProxyType
from typing import Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketingblocks_async.calls.wire import encode
from marketingblocks_async.endpoints import CREATE_POST, FIND_POST, GET_POSTS, UPCOMING_POSTS
from marketingblocks_async.models import (
    ChannelType,
    CreatePost,
    FindPost,
    ListPosts,
    PostStatusFilter,
    PostType,
    PrivacyStatus,
    PublishMode,
    TwitterThreadItem,
    UpcomingPostsQuery,
    YouTubeCategory,
    YouTubeExtra,
)
from tests.support.examples import CLEAR_REFUSAL, post, post_fields, refusal, sent_post

HUGE = 10**5000


def youtube(**extra: Any) -> dict[str, Any]:
    return {"channel_type": "youtube", "post_extra": {"title": "A film", **extra}}


def find(post_id: Any) -> str:
    return encode(FIND_POST, FindPost(post_id=post_id))[0]


def list_posts(**changes: Any) -> str:
    return encode(GET_POSTS, ListPosts.model_validate({"channels": ["facebook"], **changes}))[0]


class TestCreatePost:
    def test_sends_every_documented_field_under_its_documented_name(self) -> None:
        everything = {
            "channel_type": "youtube",
            "channel_id": 123,
            "post_type": "thread",
            "caption_text": "Hello",
            "media_urls": ["https://example.com/a.jpg", "https://example.com/b.jpg"],
            "publish_mode": "scheduled",
            "schedule_time": "2025-08-01 14:30",
            "time_zone": "Africa/Lagos",
            "hash_tags": "#one,#two",
            "twitter_threads": [{"message": "Tweet text", "media_urls": ["https://example.com/media.jpg"]}],
            "post_extra": {"title": "Title of the post", "category": 22, "privacyStatus": "public"},
        }
        assert sent_post(**everything) == everything

    def test_sends_nothing_but_what_was_given(self) -> None:
        assert sent_post() == post_fields()

    def test_none_is_not_sent(self) -> None:
        optional = ("schedule_time", "time_zone", "hash_tags", "twitter_threads", "post_extra")
        assert sent_post(**dict.fromkeys(optional)) == post_fields()

    @pytest.mark.parametrize(
        "name", ["channel_type", "channel_id", "post_type", "caption_text", "media_urls", "publish_mode"]
    )
    def test_a_required_field_is_named_when_it_is_missing(self, name: str) -> None:
        fields = post_fields()
        del fields[name]
        text = refusal(CreatePost, fields)
        assert name in text
        assert "required" in text

    @pytest.mark.parametrize(
        "name", ["caption", "media", "channelType", "privacyStatus", "status", "id", "wire", "self"]
    )
    def test_an_unknown_field_is_refused_by_name(self, name: str) -> None:
        assert name in refusal(CreatePost, post_fields(**{name: "x"}))

    @pytest.mark.parametrize(("kind", "field"), [(ChannelType, "channel_type"), (PublishMode, "publish_mode")])
    def test_every_documented_value_is_accepted(self, kind: type[ChannelType | PublishMode], field: str) -> None:
        needs = {"schedule_time": "2025-08-01 14:30", "time_zone": "UTC"}
        for value in kind:
            fields = {field: value.value, "post_extra": {"title": "t"}}
            assert sent_post(**fields, **(needs if value == "scheduled" else {}))[field] == value

    @pytest.mark.parametrize("post_type", list(PostType))
    def test_every_documented_post_type_is_accepted_as_text_and_as_member(self, post_type: PostType) -> None:
        threads = [{"message": "m"}] if post_type == "thread" else None
        as_text = post(post_type=post_type.value, twitter_threads=threads)
        assert as_text == post(post_type=post_type, twitter_threads=threads)

    @pytest.mark.parametrize("field", ["channel_type", "post_type", "publish_mode"])
    @pytest.mark.parametrize("value", ["Facebook", " post", "", "bluesky", 1, None, True, ["post"]])
    def test_an_undocumented_value_is_refused_with_the_documented_ones(self, field: str, value: object) -> None:
        text = refusal(CreatePost, post_fields(**{field: value}))
        assert field in text
        documented = {"channel_type": ChannelType, "post_type": PostType, "publish_mode": PublishMode}[field]
        assert all(f"'{member.value}'" in text for member in documented)

    def test_is_the_same_object_after_a_journal_and_after_a_pickle(self) -> None:
        original = post(**youtube(category=44), hash_tags=["a", "b"])
        assert CreatePost.model_validate(original.wire()) == original
        assert CreatePost.model_validate(original.model_dump()) == original
        assert CreatePost.model_validate_json(original.wire_json()) == original
        assert pickle.loads(pickle.dumps(original)) == original  # noqa: S301 - made here

    def test_takes_any_mapping(self) -> None:
        assert CreatePost.model_validate(MappingProxyType(post_fields())) == post()

    def test_cannot_be_changed(self) -> None:
        request = post()
        with pytest.raises(pydantic.ValidationError, match="frozen"):
            setattr(request, "caption_text", "other")  # noqa: B010 - the type checker knows that it is frozen

    def test_does_not_follow_later_changes_of_the_caller_s_list(self) -> None:
        urls = ["https://example.com/a.jpg"]
        request = post(media_urls=urls)
        urls.append("https://example.com/b.jpg")
        assert request.media_urls == ["https://example.com/a.jpg"]

    def test_wire_and_wire_json_agree(self) -> None:
        request = post(**youtube(category=44), hash_tags="a", caption_text="\N{PILE OF POO} é \0")
        assert json.loads(request.wire_json()) == request.wire()


class TestChannelId:
    @pytest.mark.parametrize(
        ("given_id", "sent_id"), [(123, 123), ("123", 123), (10**30, 10**30), (123.0, 123), (0, 0)]
    )
    def test_is_sent_as_an_integer(self, given_id: object, sent_id: int) -> None:
        found = sent_post(channel_id=given_id)["channel_id"]
        assert found == sent_id
        assert type(found) is int

    @pytest.mark.parametrize(
        "channel_id",
        [
            True,
            False,
            1.5,
            float("nan"),
            float("inf"),
            "",
            " ",
            "abc",
            "12 34",
            "1.5",
            None,
            [1],
            {"id": 1},
            pytest.param("9" * 5000, id="5000 digits"),
        ],
    )
    def test_what_is_no_whole_number_is_refused(self, channel_id: object) -> None:
        assert "channel_id" in refusal(CreatePost, post_fields(channel_id=channel_id))

    @pytest.mark.parametrize("value", [True, False])
    def test_a_refused_boolean_is_shown_as_the_caller_wrote_it(self, value: bool) -> None:
        text = refusal(CreatePost, post_fields(channel_id=value))
        assert f"give a whole number, not {value}" in text

    def test_an_absurdly_long_number_is_sent_or_refused_but_does_not_crash(self) -> None:
        try:
            _, body = encode(CREATE_POST, post(channel_id=HUGE))
        except CLEAR_REFUSAL:
            return
        assert body is not None
        assert b"1" + b"0" * 5000 in body


class TestTexts:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "a\0b",
            "\N{PILE OF POO}",
            "\u202e",
            "\r\n",
            '"\\/',
            "</script>",
            pytest.param("x" * 2**20, id="1 MiB"),
        ],
    )
    def test_arrive_exactly_as_given(self, text: str) -> None:
        assert sent_post(caption_text=text)["caption_text"] == text

    @given(text=st.text())
    @settings(max_examples=200)
    def test_any_text_arrives_exactly_as_given(self, text: str) -> None:
        assert sent_post(caption_text=text, hash_tags=text)["caption_text"] == text

    @pytest.mark.parametrize(
        "fields",
        [
            {"caption_text": "broken \ud83d"},
            {"hash_tags": "broken \ud83d"},
            {"hash_tags": ["\ud83d"]},
            {"media_urls": ["https://example.com/\ud83d"]},
            {"post_type": "thread", "twitter_threads": [{"message": "broken \ud83d"}]},
            youtube(title="broken \ud83d"),
        ],
        ids=",".join,
    )
    def test_half_an_emoji_is_refused_clearly(self, fields: dict[str, Any]) -> None:
        with pytest.raises(CLEAR_REFUSAL):
            encode(CREATE_POST, post(**fields))

    @pytest.mark.parametrize("value", [None, 5, True, ["a"], {"a": 1}])
    def test_what_is_no_text_is_refused(self, value: object) -> None:
        assert "caption_text" in refusal(CreatePost, post_fields(caption_text=value))


class TestMediaUrls:
    def test_may_be_empty_and_are_sent_nevertheless(self) -> None:
        assert sent_post(media_urls=[])["media_urls"] == []

    @pytest.mark.parametrize("urls", [("https://e.com/a",), ["https://e.com/a"]])
    def test_any_sequence_becomes_an_array(self, urls: object) -> None:
        assert sent_post(media_urls=urls)["media_urls"] == ["https://e.com/a"]

    @pytest.mark.parametrize(
        "urls", [None, "https://example.com/a.jpg", ["https://e.com/a", ""], [" "], [1], [None], {"u": 1}, 5]
    )
    def test_a_single_text_or_a_blank_address_is_refused(self, urls: object) -> None:
        assert "media_urls" in refusal(CreatePost, post_fields(media_urls=urls))


class TestHashTags:
    @pytest.mark.parametrize(
        ("tags", "expected"),
        [
            ("#one #two", "#one #two"),
            ("one,two", "one,two"),
            (["one", "two"], "one,two"),
            (("#one", "#two"), "#one,#two"),
            ({"one"}, "one"),
            (frozenset({"one"}), "one"),
            ([" one "], "one"),
            ([2027], "2027"),
        ],
    )
    def test_become_one_string(self, tags: object, expected: str) -> None:
        assert sent_post(hash_tags=tags)["hash_tags"] == expected

    @pytest.mark.parametrize("tags", [None, [], (), set[str]()])
    def test_none_at_all_is_not_sent(self, tags: object) -> None:
        assert "hash_tags" not in sent_post(hash_tags=tags)

    @pytest.mark.parametrize("tag", ["", " ", "a b", "a,b", "a\tb", "a\nb", "a\rb", "a\vb", "a\u00a0b", "a\u3000b"])
    def test_a_tag_that_would_become_two_is_refused(self, tag: str) -> None:
        text = refusal(CreatePost, post_fields(hash_tags=["fine", tag]))
        assert "hash_tags" in text
        assert "comma" in text

    @pytest.mark.parametrize("tag", [None, True, b"tag", {"a": 1}, ["nested"]])
    def test_what_is_no_tag_is_not_sent_as_python_would_print_it(self, tag: object) -> None:
        assert "hash_tags" in refusal(CreatePost, post_fields(hash_tags=["fine", tag]))

    @pytest.mark.parametrize("tags", [5, {"a": 1}, True])
    def test_what_holds_no_tags_is_refused(self, tags: object) -> None:
        assert "hash_tags" in refusal(CreatePost, post_fields(hash_tags=tags))


class TestThreads:
    def test_items_are_sent_as_documented(self) -> None:
        item = {"message": "Tweet text", "media_urls": ["https://example.com/media.jpg"]}
        body = sent_post(channel_type="twitter", post_type="thread", twitter_threads=[item, {"message": "second"}])
        assert body["twitter_threads"] == [item, {"message": "second"}]

    def test_ready_made_items_are_the_same(self) -> None:
        item = TwitterThreadItem(message="m", media_urls=["https://e.com/a"])
        assert sent_post(post_type="thread", twitter_threads=[item])["twitter_threads"] == [
            {"message": "m", "media_urls": ["https://e.com/a"]}
        ]

    @pytest.mark.parametrize("threads", [None, []])
    def test_a_thread_needs_its_tweets_and_the_message_says_so(self, threads: object) -> None:
        text = refusal(CreatePost, post_fields(post_type="thread", twitter_threads=threads))
        assert "twitter_threads" in text
        assert "message" in text

    @pytest.mark.parametrize("item", [{}, {"message": None}, {"message": "m", "text": "x"}, "m", {"message": ["m"]}])
    def test_a_malformed_item_is_named(self, item: object) -> None:
        text = refusal(CreatePost, post_fields(post_type="thread", twitter_threads=[{"message": "fine"}, item]))
        assert "twitter_threads.1" in text

    @pytest.mark.parametrize("threads", ["m", {"message": "m"}, 5])
    def test_what_is_no_list_is_refused(self, threads: object) -> None:
        assert "twitter_threads" in refusal(CreatePost, post_fields(post_type="thread", twitter_threads=threads))


class TestYouTubeExtra:
    def test_all_three_fields_are_sent_though_only_the_title_was_given(self) -> None:
        assert sent_post(**youtube())["post_extra"] == {"title": "A film", "category": 22, "privacyStatus": "public"}

    def test_youtube_needs_it_and_the_message_shows_what_it_looks_like(self) -> None:
        text = refusal(CreatePost, post_fields(channel_type="youtube"))
        assert all(word in text for word in ("post_extra", "title", "category", "privacyStatus"))

    def test_no_other_platform_needs_it(self) -> None:
        for channel_type in set(ChannelType) - {ChannelType.YOUTUBE}:
            assert "post_extra" not in sent_post(channel_type=channel_type)

    @pytest.mark.parametrize("name", ["privacy_status", "privacyStatus"])
    @pytest.mark.parametrize("value", list(PrivacyStatus))
    def test_privacy_goes_out_in_camel_case_whatever_it_was_called(self, name: str, value: PrivacyStatus) -> None:
        extra = sent_post(**youtube(**{name: value.value}))["post_extra"]
        assert extra["privacyStatus"] == value
        assert "privacy_status" not in extra

    @pytest.mark.parametrize(
        "fields", [{"privacyStatus": "friends"}, {"privacy_status": "PUBLIC"}, {"privacyStatus": None}]
    )
    def test_an_undocumented_privacy_is_refused_with_the_documented_ones(self, fields: dict[str, Any]) -> None:
        text = refusal(YouTubeExtra, {"title": "t", **fields})
        assert all(f"'{value}'" in text for value in PrivacyStatus)

    @pytest.mark.parametrize("title", [None, "", " ", 5])
    def test_a_title_is_needed(self, title: object) -> None:
        assert "title" in refusal(YouTubeExtra, {"title": title})

    def test_unknown_fields_are_refused(self) -> None:
        assert "description" in refusal(YouTubeExtra, {"title": "t", "description": "d"})

    @pytest.mark.parametrize(
        ("category", "expected"),
        [(22, 22), ("22", 22), (44, 44), (" 44 ", 44), (0, 0), (10**30, 10**30), (YouTubeCategory.MUSIC, 10)],
    )
    def test_every_category_id_is_accepted(self, category: object, expected: int) -> None:
        assert sent_post(**youtube(category=category))["post_extra"]["category"] == expected

    @pytest.mark.parametrize("category", [True, False, -1, "-1", 22.5, "x", "", "²", None, [22], float("inf")])
    def test_what_is_no_category_id_is_refused(self, category: object) -> None:
        assert "category" in refusal(YouTubeExtra, {"title": "t", "category": category})

    @pytest.mark.parametrize("category", ["music", -1, "²"])
    def test_the_refusal_of_a_category_does_not_claim_that_only_the_documented_ids_work(self, category: object) -> None:
        text = refusal(YouTubeExtra, {"title": "t", "category": category})
        assert "should be 1, 2, 10" not in text
        assert "invalid literal" not in text

    @pytest.mark.parametrize("category", [22.0, 44.0])
    def test_a_whole_float_is_treated_alike_for_known_and_unknown_ids(self, category: float) -> None:
        assert sent_post(**youtube(category=category))["post_extra"]["category"] == category


class TestFieldsTogether:
    @pytest.mark.parametrize("mode", ["now", "queued", "share_next"])
    def test_a_time_for_another_mode_is_refused_naming_both(self, mode: str) -> None:
        fields = post_fields(publish_mode=mode, schedule_time="2025-08-01 14:30", time_zone="UTC")
        text = refusal(CreatePost, fields)
        assert all(word in text for word in ("schedule_time", "scheduled", mode))

    def test_scheduled_needs_a_time(self) -> None:
        text = refusal(CreatePost, post_fields(publish_mode="scheduled", time_zone="UTC"))
        assert "schedule_time" in text
        assert "YYYY-MM-DD HH:MM" in text

    def test_scheduled_by_text_needs_a_zone(self) -> None:
        text = refusal(CreatePost, post_fields(publish_mode="scheduled", schedule_time="2025-08-01 14:30"))
        assert "time_zone" in text
        assert "Africa/Lagos" in text


class TestListPosts:
    def test_gives_the_documented_url_to_the_letter(self) -> None:
        documented = "social-sparks/get-posts?channels=facebook,instagram,twitter,linkedin,youtube,tiktok&limit=5"
        names = ["facebook", "instagram", "twitter", "linkedin", "youtube", "tiktok"]
        assert list_posts(channels=names, limit=5) == documented
        assert list_posts(channels=",".join(names), limit="5") == documented

    @pytest.mark.parametrize(
        "channels",
        [
            ["facebook", "tiktok"],
            ("facebook", "tiktok"),
            "facebook,tiktok",
            " facebook , tiktok ,",
            [ChannelType.FACEBOOK, "tiktok"],
        ],
    )
    def test_channels_may_be_a_list_or_a_text(self, channels: object) -> None:
        assert list_posts(channels=channels) == "social-sparks/get-posts?channels=facebook,tiktok"

    def test_threads_is_sent_though_the_documentation_leaves_it_open(self) -> None:
        assert list_posts(channels="threads") == "social-sparks/get-posts?channels=threads"

    @pytest.mark.parametrize("channels", [None, [], "", ",", "bluesky", ["facebook,tiktok"], 1, [1], [None]])
    def test_no_channel_or_an_unknown_one_is_refused(self, channels: object) -> None:
        assert "channels" in refusal(ListPosts, {"channels": channels})

    @pytest.mark.parametrize(
        "status", ["scheduled,draft", ["scheduled", "draft"], [PostStatusFilter.SCHEDULED, "draft"]]
    )
    def test_states_go_out_comma_separated(self, status: object) -> None:
        assert list_posts(status=status).endswith("&status=scheduled,draft")

    @pytest.mark.parametrize("status", list(PostStatusFilter))
    def test_every_documented_state_is_accepted(self, status: PostStatusFilter) -> None:
        assert list_posts(status=status.value).endswith(f"&status={status.value}")

    @pytest.mark.parametrize("status", ["pending", "processing", ["published", "x"], 5])
    def test_a_state_that_cannot_be_filtered_by_is_refused(self, status: object) -> None:
        assert "status" in refusal(ListPosts, {"channels": "facebook", "status": status})

    @pytest.mark.parametrize("status", [[], "", ","])
    def test_an_empty_filter_is_left_out_or_refused_rather_than_sent_empty(self, status: object) -> None:
        try:
            path = list_posts(status=status)
        except pydantic.ValidationError:
            return
        assert "status" not in path

    def test_unknown_fields_are_refused(self) -> None:
        assert "page" in refusal(ListPosts, {"channels": "facebook", "page": 2})


class TestLimits:
    def test_an_absent_limit_is_not_sent(self) -> None:
        assert list_posts(limit=None) == "social-sparks/get-posts?channels=facebook"
        assert encode(UPCOMING_POSTS, UpcomingPostsQuery(limit=None))[0] == "social-sparks/upcoming-posts"

    @pytest.mark.parametrize(("limit", "expected"), [(1, "1"), ("10", "10"), (10**30, str(10**30))])
    def test_a_limit_is_sent(self, limit: Any, expected: str) -> None:
        assert list_posts(limit=limit).endswith(f"&limit={expected}")
        query = UpcomingPostsQuery.model_validate({"limit": limit})
        assert encode(UPCOMING_POSTS, query)[0] == f"social-sparks/upcoming-posts?limit={expected}"

    @pytest.mark.parametrize("limit", [0, -1, True, False, 1.5, "", "ten", [1]])
    def test_what_is_no_number_above_zero_is_refused(self, limit: object) -> None:
        assert "limit" in refusal(ListPosts, {"channels": "facebook", "limit": limit})
        assert "limit" in refusal(UpcomingPostsQuery, {"limit": limit})

    def test_an_absurdly_long_limit_is_sent_or_refused_but_does_not_crash(self) -> None:
        try:
            path = list_posts(limit=HUGE)
        except CLEAR_REFUSAL:
            return
        assert path.endswith("0" * 5000)


class TestFindPost:
    @pytest.mark.parametrize(
        ("post_id", "last"),
        [
            (1246, "1246"),
            ("1246", "1246"),
            ("a/b", "a%2Fb"),
            ("a b", "a%20b"),
            ("é", "%C3%A9"),
            ("a?b#c", "a%3Fb%23c"),
            ("%2F", "%252F"),
            ("../get-posts", "..%2Fget-posts"),
            ("{post_id}", "%7Bpost_id%7D"),
            ("\0", "%00"),
            ("\N{PILE OF POO}", "%F0%9F%92%A9"),
            (10**30, str(10**30)),
        ],
    )
    def test_the_id_becomes_exactly_one_part_of_the_path(self, post_id: object, last: str) -> None:
        assert find(post_id) == f"social-sparks/post/{last}"

    @pytest.mark.parametrize(
        "post_id", ["", " ", ".", "..", True, False, None, 1.5, [1], {"post_id": 1}, pytest.param(HUGE, id="huge")]
    )
    def test_what_is_no_id_is_refused(self, post_id: object) -> None:
        assert "post_id" in refusal(FindPost, {"post_id": post_id})

    def test_half_an_emoji_is_refused_clearly(self) -> None:
        with pytest.raises(CLEAR_REFUSAL):
            find("\ud83d")

    @given(post_id=st.text())
    @settings(max_examples=200)
    def test_no_id_leads_anywhere_else(self, post_id: str) -> None:
        try:
            path = find(post_id)
        except pydantic.ValidationError:
            return
        prefix, slash, last = path.rpartition("/")
        assert (prefix, slash) == ("social-sparks/post", "/")
        assert last not in {"", ".", ".."}
        assert not set(last) & set("?#\\ \n")
