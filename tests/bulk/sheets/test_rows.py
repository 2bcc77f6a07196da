"""From cells to posts: exactly, or with an error that says what to change."""

from __future__ import annotations

import hashlib
import itertools
import json
import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pydantic
import pytest

from marketingblocks_async.bulk.errors import SourceError
from marketingblocks_async.bulk.plan import RowError
from marketingblocks_async.bulk.sheets.display import readable, visible
from marketingblocks_async.bulk.sheets.flat import flatten_post
from marketingblocks_async.bulk.sheets.rows import Row, content_hash
from marketingblocks_async.models import ChannelType, CreatePost, PostType, PublishMode, TwitterThreadItem
from tests.support.workbooks import (
    as_csv,
    cells,
    error_of,
    errors,
    errors_of,
    fields,
    parsed,
    post,
    post_of,
    scheduled,
    written,
)


def youtube(**changes: str) -> dict[str, str]:
    return cells(channel_type="youtube", **{"post_extra.title": "A film"}) | changes


class TestText:
    @pytest.mark.parametrize(
        "caption",
        ["Hello  you", "a\nb\tc", "=1+1", '="0011"', "-5", "@you", "+1", "'quoted", "0011", "1e3",
         "TRUE", "1,234", "null", "None", "NaN", "\N{PILE OF POO}", "👩‍👩‍👧‍👦", "\u202bעברית\u202c", "<b>&amp;</b>",
         '"', "|", '=HYPERLINK("https://example.com")'],
    )  # fmt: skip
    def test_a_caption_is_kept_exactly(self, file: Path, caption: str) -> None:
        assert post(written(file, as_csv(cells(caption_text=caption)))).caption_text == caption

    @pytest.mark.parametrize("caption", ["", " ", "\u00a0", "\n", "\u200b", " \t\r\n\u3000"])
    def test_a_blank_caption_is_missing(self, file: Path, caption: str) -> None:
        (error,) = errors(written(file, as_csv(cells(caption_text=caption))))
        assert error.column == "caption_text"
        assert error.message == "it is empty; a post needs caption_text"

    @pytest.mark.parametrize("blank", [" ", "\u00a0", "\t", "\n", "\u200b", "\ufeff", "\u2003"])
    def test_white_space_around_cells_is_taken_off(self, blank: str) -> None:
        plain = scheduled(channel_id="11", hash_tags="#a", key="k", **{"post_extra.title": "t"})
        padded = {name: f"{blank}{text}{blank}" for name, text in plain.items()}
        assert parsed([padded]) == parsed([plain])

    @pytest.mark.parametrize(
        "column", ["caption_text", "hash_tags", "media_urls", "post_extra.title", "twitter_threads.1.message", "key"]
    )
    def test_control_characters_make_the_row_bad(self, column: str) -> None:
        row = cells(post_type="thread", **{"twitter_threads.1.message": "a", "post_extra.title": "t"})
        for character in "\0\x07\x0b\x0c\x1b\x1f\x7f\x80\x9f\x85":
            error = error_of(row | {column: f"a{character}b"})
            assert error.column == column
            assert "control character" in error.message
            assert error.value == f"a<U+{ord(character):04X}>b"

    @pytest.mark.parametrize("column", ["channel_type", "channel_id", "publish_mode", "media_urls", "hash_tags", "key"])
    def test_they_are_not_taken_off_like_white_space(self, column: str) -> None:
        row = cells(hash_tags="#a", key="k")
        for character in "\0\x1f\x85":
            assert error_of(row | {column: row[column] + character}).column == column

    @pytest.mark.parametrize("text", ["\ud83d", "\ude00 x", "a\udc80"])
    def test_halves_of_characters_make_the_row_bad(self, text: str) -> None:
        error = error_of(cells(caption_text=text))
        assert "type it again" in error.message
        json.dumps(error.to_dict(), ensure_ascii=False).encode()

    def test_they_are_found_inside_of_json_too(self) -> None:
        row = cells(post_type="thread", twitter_threads='[{"message": "a\\u0000"}]')
        assert error_of(row).column == "twitter_threads"

    @pytest.mark.parametrize(
        "column", ["caption_text", "hash_tags", "media_urls", "channel_id", "schedule_time", "key"]
    )
    def test_errors_of_the_spreadsheet_are_not_posted(self, column: str) -> None:
        for value in ("#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#BEZUG!", "#NOM?", "#¡REF!"):
            error = error_of(scheduled() | {column: value})
            assert error.column == column
            assert value in error.message

    @pytest.mark.parametrize("column", ["caption_text", "time_zone", "post_extra.title", "twitter_threads.1.message"])
    def test_what_is_no_text_is_refused(self, column: str) -> None:
        for value in (5, 1.5, True, ["a"], {"a": 1}, date(2027, 1, 8), b"bytes", object()):
            row: dict[str, Any] = {**scheduled(), column: value}
            assert errors_of(row).keys() == {column}, value


class TestNumbers:
    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("11", 11), (" 11 ", 11), ("\u00a011\u00a0", 11), ("11.0", 11), ("11.000", 11), ("0", 0), ("-5", -5),
            ("123456789012345678901234567890", 123456789012345678901234567890), ("9007199254740993", 2**53 + 1),
        ],
    )  # fmt: skip
    def test_digits_are_exact(self, file: Path, text: str, number: int) -> None:
        assert post(written(file, as_csv(cells(channel_id=text)))).channel_id == number

    @pytest.mark.parametrize(
        ("text", "word"),
        [
            ("1,234", "separators"), ("1.234", "separators"), ("1 234", "separators"), ("1\u00a0234", "separators"),
            ("1\u202f234", "separators"), ("1'234", "separators"), ("1,23,456", "separators"),
            ("1.234,0", "separators"),
            ("1e3", "shortened"), ("1E3", "shortened"), ("1.23457E+14", "shortened"), ("1,23457E+14", "shortened"),
            ("TRUE", "its digits"), ("1.5", "digits only"), ("0011", "write 11 instead"), ("+11", "write 11 instead"),
            ("1_000", "digits only"), ("١٢", "digits only"), ("１２", "digits only"), ("²", "digits only"),
            ("0x0B", "digits only"), ("11a", "digits only"), ("#11", "digits only"), ("11.", "digits only"),
            ("NaN", "its digits"), ("inf", "its digits"), ("--1", "digits only"), ('="11"', "digits only"),
            ("1.0000000000000000000001", "digits only"), ("\x0011", "digits only"),
        ],
    )  # fmt: skip
    def test_what_is_not_spelled_out_is_refused(self, file: Path, text: str, word: str) -> None:
        (error,) = errors(written(file, as_csv(cells(channel_id=text))))
        assert error.column == "channel_id"
        assert word in error.message

    @pytest.mark.parametrize("text", ["9" * 4000, "9" * 5000, "9" * 100_000])
    def test_an_absurdly_long_number_is_refused_and_shortened(self, text: str) -> None:
        error = error_of(cells(channel_id=text))
        assert error.column == "channel_id"
        assert len(str(error)) < 400

    @pytest.mark.parametrize("value", [11, 11.0, 2**70])
    def test_numbers_of_objects_are_exact(self, value: float) -> None:
        assert post_of(fields(channel_id=value)).channel_id == value

    @pytest.mark.parametrize(
        "value",
        [
            True,
            False,
            1.5,
            float("nan"),
            float("inf"),
            2.0**53,
            pytest.param(10**5000, id="5000 digits"),
            [1],
            {},
            b"1",
        ],
    )
    def test_other_values_of_objects_are_refused(self, value: object) -> None:
        assert error_of(fields(channel_id=value)).column == "channel_id"


class TestFixedValues:
    @pytest.mark.parametrize("text", ["facebook", "Facebook", "FACEBOOK", " facebook\u00a0"])
    def test_capitals_and_white_space_do_not_matter(self, text: str) -> None:
        assert post_of(cells(channel_type=text)).channel_type is ChannelType.FACEBOOK

    @pytest.mark.parametrize("text", ["share_next", "Share next", "share-next", "SHARE NEXT"])
    def test_nor_do_spaces_and_hyphens_inside(self, text: str) -> None:
        assert post_of(cells(publish_mode=text)).publish_mode is PublishMode.SHARE_NEXT

    @pytest.mark.parametrize(
        ("column", "allowed"),
        [
            ("channel_type", "facebook, instagram, youtube, linkedin, tiktok, threads, twitter"),
            ("post_type", "post, reel, story, tweet, thread"),
            ("publish_mode", "now, scheduled, queued, share_next"),
            ("post_extra.privacy_status", "public, private, unlisted"),
        ],
    )
    def test_another_value_is_refused_with_the_allowed_ones(self, column: str, allowed: str) -> None:
        for text in ("facebok", "TRUE", "1", "fa ce boo", "x" * 1_000_000, "feed\0", "ＮＯＷ"):
            error = error_of(youtube(**{column: text}))
            assert error.column == column
            assert error.message.endswith(f"is not one of: {allowed}")
            assert len(error.message) < 300

    @pytest.mark.parametrize("value", [1, True, ["post"], {"a": 1}, 1.5])
    def test_values_of_other_kinds_are_refused(self, value: object) -> None:
        assert "is not one of: post" in error_of(fields(post_type=value)).message

    def test_members_of_the_enumerations_are_taken(self) -> None:
        assert post_of(fields(channel_type=ChannelType.LINKEDIN)).channel_type is ChannelType.LINKEDIN


class TestTimes:
    @pytest.mark.parametrize(
        "text",
        ["2027-01-08 14:30", "2027-01-08T14:30", "2027-01-08t14:30", "2027-01-08 14:30:00", "2027-01-08T14:30:00.000",
         "2027-01-08  14:30", "2027-01-08\u00a014:30", " 2027-01-08 14:30 "],
    )  # fmt: skip
    def test_the_documented_form_and_its_relatives(self, text: str) -> None:
        found = post_of(scheduled(schedule_time=text))
        assert (found.schedule_time, found.time_zone) == ("2027-01-08 14:30", "Africa/Lagos")

    def test_excel_s_hours_of_one_digit(self) -> None:
        assert post_of(scheduled(schedule_time="2027-01-08 9:05")).schedule_time == "2027-01-08 09:05"

    @pytest.mark.parametrize(
        ("text", "utc"),
        [
            ("2027-01-08T14:30Z", "2027-01-08 14:30"),
            ("2027-01-08 14:30:00 Z", "2027-01-08 14:30"),
            ("2027-01-08T14:30+01:00", "2027-01-08 13:30"),
            ("2027-01-08T14:30:00-0530", "2027-01-08 20:00"),
            ("2027-01-08 23:30 -05", "2027-01-09 04:30"),
            ("2027-01-08 14:30\u221201:00", "2027-01-08 15:30"),
        ],
    )
    def test_an_offset_says_the_moment(self, text: str, utc: str) -> None:
        found = post_of(scheduled(schedule_time=text, time_zone=""))
        assert (found.schedule_time, found.time_zone) == (utc, "UTC")

    def test_an_offset_and_a_zone_are_the_moment_in_that_zone(self) -> None:
        found = post_of(scheduled(schedule_time="2027-01-08T14:30+05:00"))
        assert (found.schedule_time, found.time_zone) == ("2027-01-08 10:30", "Africa/Lagos")

    @pytest.mark.parametrize(
        ("text", "word"),
        [
            ("01/02/2026", "cannot be told apart"), ("01/02/2026 14:30", "cannot be told apart"),
            ("13/02/2026 14:30", "how the later dates of this column are written"),
            ("01-02-2026 14:30", "cannot be told apart"), ("01/02/26", "cannot be told apart"),
            ("2027-01-08", "no time of day"), ("2027-01-08 14:30:27", "whole minutes"),
            ("2027-01-08 14:30:00.5", "whole minutes"), ("2027-02-30 14:30", "no real date"),
            ("2027-13-01 14:30", "no real date"), ("2027-01-08 25:00", "no real date"),
            ("0000-01-08 14:30", "no real date"),
            ("2027-01-08 14:60", "no real date"), ("2027-01-08T14:30+01:99", "no real date"),
            ("2027-01-08T14:30+25:00", "no real date"),
            ("2027-01-08 14.30", "clear to everyone"), ("tomorrow", "clear to everyone"),
            ("46395.6", "clear to everyone"),
            ("2027-01-08 14:30 Lagos", "clear to everyone"),
            ("########", "widen the column"), ("2027-01-08 14:30\0", "clear to everyone"),
            ("٢٠٢٧-01-08 14:30", "clear to everyone"), ("1" * 100_000, "clear to everyone"),
        ],
    )  # fmt: skip
    def test_what_could_be_misread_is_refused_with_the_right_form(self, text: str, word: str) -> None:
        error = error_of(scheduled(schedule_time=text))
        assert error.column == "schedule_time"
        assert word in error.message
        assert "YYYY-MM-DD HH:MM" in error.message or "real date" in error.message or "widen" in error.message

    @pytest.mark.parametrize("text", ["0001-01-01T00:30+05:00", "9999-12-31T23:30-05:00"])
    def test_a_moment_outside_of_the_calendar_is_refused(self, text: str) -> None:
        assert errors([scheduled(schedule_time=text)])

    @pytest.mark.parametrize("zone", ["Lagos", "africa/lagos", "+01:00", "GMT+1", "../etc/passwd", "x" * 10_000])
    def test_what_is_no_zone_is_refused_with_examples(self, zone: str) -> None:
        for moment in ("2027-01-08 14:30", "2027-01-08T14:30Z"):
            error = error_of(scheduled(time_zone=zone, schedule_time=moment))
            assert error.column == "time_zone"
            assert "Africa/Lagos" in error.message

    @pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=1)), ZoneInfo("Africa/Lagos")])
    def test_datetimes_of_objects_are_taken_as_the_request_object_takes_them(self, zone: timezone | ZoneInfo) -> None:
        item = fields(publish_mode="scheduled", schedule_time=datetime(2027, 1, 8, 14, 30, 59, tzinfo=zone))
        assert post_of(item) == CreatePost.model_validate(item)

    def test_a_naive_datetime_needs_a_zone(self) -> None:
        item = fields(publish_mode="scheduled", schedule_time=datetime(2027, 1, 8, 14, 30))
        assert errors_of(item | {"channel_id": "x"}).keys() == {"time_zone", "channel_id"}
        assert post_of(item | {"time_zone": "UTC"}).schedule_time == "2027-01-08 14:30"

    @pytest.mark.parametrize("value", [5, 1.5, True, date(2027, 1, 8), [], ["2027-01-08 14:30"], {"a": 1}, b"x"])
    def test_other_values_are_refused(self, value: object) -> None:
        assert error_of({**scheduled(), "schedule_time": value}).column == "schedule_time"


U, V = "https://e.com/u", "https://e.com/v"


class TestMedia:
    @pytest.mark.parametrize(
        ("text", "addresses"),
        [
            ("", []), (" ", []), ("|", []), (U, [U]), (f"{U}|{V}", [U, V]), (f" {U} | {V} ", [U, V]), (f"{U}|", [U]),
            (f"|{U}||{V}|", [U, V]), (f"{U}|\n{V}", [U, V]), ("https://e.com/a,b;c.jpg", ["https://e.com/a,b;c.jpg"]),
            ("https://e.com/x/https://f.com/y", ["https://e.com/x/https://f.com/y"]),
            (f'["{U}|b", "{V}"]', [f"{U}|b", V]), ("[]", []),
        ],
    )  # fmt: skip
    def test_are_separated_by_a_bar_or_written_as_json(self, file: Path, text: str, addresses: list[str]) -> None:
        assert post(written(file, as_csv(cells(media_urls=text)))).media_urls == addresses

    def test_may_have_no_column_at_all(self) -> None:
        assert post_of(cells(media_urls=None)).media_urls == []

    @pytest.mark.parametrize(
        "text",
        [f"{U}, {V}", f"{U},{V}", f"{U} {V}", f"{U}\n{V}", f"{U};HTTP://e.com/b.jpg", f"{U}|{V} https://e.com/w",
         f"{U} a", f'["{U}", 1]', f'["{U}", ""]', "[a]", '["a"', '[["a"]]'],
    )  # fmt: skip
    def test_what_may_be_several_addresses_is_refused(self, text: str) -> None:
        assert error_of(cells(media_urls=text)).column == "media_urls"

    @pytest.mark.parametrize(
        ("text", "option"),
        [
            (f"{U}, {V}", ","), (f"{U};{V}", ";"), (f"{U} {V}", " "), (f"{U}\n{V}", None), (f"{U}\t{V}", None),
            (f"{U} and {V}", None), (f"{U}, {V}; {U}", None),
        ],
    )  # fmt: skip
    def test_a_separator_is_offered_only_if_it_helps(self, text: str, option: str | None) -> None:
        message = error_of(cells(media_urls=text)).message
        assert "put | between them" in message
        assert ("list_separator" in message) is (option is not None)
        if option is not None:
            assert post_of(cells(media_urls=text), list_separator=option).media_urls == [U, V]

    @pytest.mark.parametrize("sign", [",", ";"])
    def test_a_separator_at_the_end_is_no_part_of_the_address(self, sign: str) -> None:
        text = f"{U}{sign}"
        assert "delete that sign" in error_of(cells(media_urls=text)).message
        assert post_of(cells(media_urls=text), list_separator=sign).media_urls == [U]

    @pytest.mark.parametrize("separator", [";", "\n", "||", " "])
    def test_another_separator_may_be_chosen(self, separator: str) -> None:
        item = cells(media_urls=f"https://e.com/u{separator}https://e.com/v", hash_tags=f"#a{separator}#b")
        found = post_of(item, list_separator=separator)
        assert found.media_urls == ["https://e.com/u", "https://e.com/v"]
        assert found.hash_tags == "#a,#b"

    @pytest.mark.parametrize("value", [["https://e.com/u", "https://e.com/v"], ("https://e.com/u", "https://e.com/v")])
    def test_lists_of_objects_are_taken_as_they_are(self, value: object) -> None:
        assert post_of(fields(media_urls=value)).media_urls == ["https://e.com/u", "https://e.com/v"]

    @pytest.mark.parametrize("value", [5, True, {"a": 1}, [1], [None], [""], b"a"])
    def test_other_values_are_refused(self, value: object) -> None:
        assert error_of(fields(media_urls=value)).column == "media_urls"


class TestHashTags:
    @pytest.mark.parametrize(
        ("text", "sent"),
        [
            ("#a #b", "#a #b"),
            ("#a,#b", "#a,#b"),
            ("#a|#b", "#a,#b"),
            ("#a | #b |", "#a,#b"),
            ("a", "a"),
            ("", None),
            ("|", None),
        ],
    )
    def test_are_text_or_a_list(self, text: str, sent: str | None) -> None:
        assert post_of(cells(hash_tags=text)).hash_tags == sent

    @pytest.mark.parametrize("value", [["#a", "#b"], ("#a", "#b")])
    def test_lists_of_objects(self, value: object) -> None:
        assert post_of(fields(hash_tags=value)).hash_tags == "#a,#b"

    @pytest.mark.parametrize("value", ["#a b|#c", [["a"]], [None], [{"a": 1}], [True], 5, {"a": 1}])
    def test_what_is_no_tag_is_refused(self, value: object) -> None:
        assert error_of(fields(hash_tags=value)).column == "hash_tags"


class TestThreads:
    def thread(self, **changes: Any) -> dict[str, Any]:
        return {**cells(post_type="thread", channel_type="twitter"), **changes}

    @pytest.mark.parametrize(
        "parts",
        [
            {"twitter_threads": f'[{{"message": "a", "media_urls": ["{U}", "{V}"]}}, {{"message": "b"}}]'},
            {
                "twitter_threads": [
                    {"message": "a", "media_urls": ["https://e.com/u", "https://e.com/v"]},
                    {"message": "b"},
                ]
            },
            {
                "twitter_threads": [
                    TwitterThreadItem(message="a", media_urls=["https://e.com/u", "https://e.com/v"]),
                    {"message": "b"},
                ]
            },
            {
                "twitter_threads.1.message": "a",
                "twitter_threads.1.media_urls": "https://e.com/u|https://e.com/v",
                "twitter_threads.2.message": "b",
                "twitter_threads.3.message": "",
                "twitter_threads.3.media_urls": " ",
            },
        ],
    )
    def test_all_forms_say_the_same(self, parts: dict[str, Any]) -> None:
        tweets = [
            TwitterThreadItem(message="a", media_urls=["https://e.com/u", "https://e.com/v"]),
            TwitterThreadItem(message="b"),
        ]
        assert post_of(self.thread(**parts)).twitter_threads == tweets

    def test_a_gap_between_tweets_is_refused(self) -> None:
        row = self.thread(**{f"tweet {number}": text for number, text in enumerate(["a", "", "c"], 1)})
        error = error_of(row)
        assert error.column == "tweet 2"
        assert "tweet 3 is not" in error.message

    def test_media_without_a_text_are_refused(self) -> None:
        row = self.thread(**{"twitter_threads.1.message": "", "twitter_threads.1.media_urls": "https://e.com/u"})
        assert error_of(row).column == "twitter_threads.1.message"

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("first|second", ["not JSON", '[{"message"']),
            ('{"message": "a"}', ['[{"message"']),
            ('["a"]', ["no. 1", '{"message"']),
            ('[{"message": "a"}, {"text": "b"}]', ["no. 2, message", "it is empty"]),
            ('[{"message": "a", "mesage": "b"}]', ["no. 1, mesage", '"mesage" is no field']),
            ('[{"message": 5}]', ["no. 1, message", "must be text"]),
            ('[{"message": "a", "media_urls": "https://e.com/u"}]', ["no. 1, media_urls", "must be a list"]),
            ('[{"message": "a", "media_urls": [" "]}]', ["no. 1, media_urls, no. 1", "blank"]),
            ("[{“message”: “a”}]", ["straight quotes"]),
        ],
    )
    def test_json_that_says_no_thread_is_refused(self, text: str, words: list[str]) -> None:
        found = errors([self.thread(twitter_threads=text)])
        assert {error.column for error in found} == {"twitter_threads"}
        assert any(all(word in error.message for word in words) for error in found), found


class TestYouTube:
    def test_parts_in_columns_of_their_own(self) -> None:
        found = post_of(youtube(**{"post_extra.category": "10", "post_extra.privacy_status": "Private"}))
        assert found.wire()["post_extra"] == {"title": "A film", "category": 10, "privacyStatus": "private"}

    def test_json_in_one_cell(self) -> None:
        row = cells(channel_type="youtube", post_extra='{"title": "A film", "privacyStatus": "private"}')
        assert post_of(row).wire()["post_extra"] == {"title": "A film", "category": 22, "privacyStatus": "private"}

    def test_a_part_alone_needs_the_title(self) -> None:
        assert error_of(youtube(**{"post_extra.title": "", "category": "22"})).column == "post_extra.title"

    @pytest.mark.parametrize(
        ("column", "text"),
        [("post_extra.category", "-1"), ("post_extra.category", "Music"), ("post_extra.category", "1e1"),
         ("post_extra.privacy_status", "friends"), ("post_extra", "[]"), ("post_extra", '{"title": " "}'),
         ("post_extra", '{"title": "t", "category": "x"}'), ("post_extra", '{"title": "t", "description": "d"}'),
         ("post_extra", '{"title": "t", "privacyStatus": "public", "privacy_status": "private"}')],
    )  # fmt: skip
    def test_what_is_wrong_is_refused(self, column: str, text: str) -> None:
        row = cells(channel_type="youtube", **{column: text})
        if column != "post_extra":
            row["post_extra.title"] = "t"
        assert {error.column for error in errors([row])} == {column}


class TestContradictions:
    def test_agree_with_the_request_object(self) -> None:
        """Every combination that the request object refuses is explained, by names of columns, and no other."""
        threads, extra = [{"message": "a"}], {"title": "t"}
        for kind, post_type, mode, moment, zone, tweets, film in itertools.product(
            ("youtube", "facebook"), PostType, PublishMode, (None, "2027-01-08 14:30"), (None, "UTC"),
            (None, threads), (None, extra),
        ):  # fmt: skip
            item = fields(
                channel_type=kind, post_type=post_type, publish_mode=mode, schedule_time=moment, time_zone=zone,
                twitter_threads=tweets, post_extra=film,
            )  # fmt: skip
            expected = {
                "schedule_time": (moment is None) == (mode == "scheduled"),
                "time_zone": mode == "scheduled" and zone is None,
                "twitter_threads": post_type == "thread" and tweets is None,
                "post_extra": kind == "youtube" and film is None,
            }
            refused = {name for name, wrong in expected.items() if wrong}
            try:
                CreatePost.model_validate(item)
            except pydantic.ValidationError:
                assert refused
            else:
                assert not refused
            assert errors_of(item).keys() == refused

    def test_name_the_columns_as_the_file_does(self) -> None:
        row = {
            "Mode" if name == "publish_mode" else name: text
            for name, text in cells(Schedule="2027-01-08 14:30").items()
        }
        error = error_of(row)
        assert error.column == "Schedule"
        assert 'Mode is "now"' in error.message
        assert "scheduled" in error.message

    def test_are_reported_beside_everything_else(self) -> None:
        row = cells(
            channel_type="youtube", channel_id="x", post_type="thread", caption_text="", media_urls="a b",
            publish_mode="scheduled", hash_tags="a b|c",
        )  # fmt: skip
        assert set(errors_of(row)) == {
            "channel_id", "caption_text", "media_urls", "hash_tags", "schedule_time", "time_zone",
            "twitter_threads", "post_extra.title",
        }  # fmt: skip

    def test_a_time_that_cannot_be_read_is_not_also_missing(self) -> None:
        assert errors_of(scheduled(schedule_time="01/02/2027", time_zone="")).keys() == {"schedule_time"}

    def test_errors_are_in_the_order_of_the_columns(self) -> None:
        row = dict(reversed(cells(channel_id="x", channel_type="y", publish_mode="z", caption_text="").items()))
        assert [error.column for error in errors([row])] == [
            "publish_mode",
            "caption_text",
            "channel_id",
            "channel_type",
        ]


class TestRows:
    def test_a_key_is_the_text_of_its_column_or_the_number(self, file: Path) -> None:
        text = as_csv(*(cells(key=key) for key in (" a ", "", "7", "Ü|b")))
        rows = parsed(written(file, text))
        assert [row.key for row in rows if isinstance(row, Row)] == ["a", "2", "7", "Ü|b"]
        assert [row.number for row in rows if isinstance(row, Row)] == [1, 2, 3, 4]

    @pytest.mark.parametrize(("value", "key"), [(5, "5"), ("5", "5"), (None, "1"), (0, "0")])
    def test_keys_of_objects(self, value: object, key: str) -> None:
        (row,) = parsed([fields(key=value)])
        assert isinstance(row, Row)
        assert row.key == key

    @pytest.mark.parametrize("value", [True, 1.5, ["a"], "x" * 256, "a\0"])
    def test_what_is_no_key_is_refused(self, value: object) -> None:
        assert error_of(fields(key=value)).column == "key"

    def test_the_hash_is_that_of_canonical_json(self) -> None:
        (row,) = parsed([fields(caption_text='Grüße 🌷 "\\ \n!', hash_tags="#a")])
        assert isinstance(row, Row)
        expected = (
            '{"caption_text":"Grüße 🌷 \\"\\\\ \\n!","channel_id":11,"channel_type":"facebook","hash_tags":"#a",'
            '"media_urls":["https://example.com/a.jpg"],"post_type":"post","publish_mode":"now"}'
        )
        assert row.content_hash == hashlib.sha256(expected.encode()).hexdigest()
        assert row.content_hash == content_hash(row.post)

    def test_equal_posts_have_equal_hashes_whatever_they_were_read_from(self, file: Path) -> None:
        item = fields(channel_type="youtube", post_extra={"title": "t"}, hash_tags="#a,#b", key="k")
        from_cells = written(file, as_csv(cells(
            hash_tags="#a|#b", Title="t", channel_id="11.0", channel_type="YouTube", media="https://example.com/a.jpg",
            media_urls=None, key="other", privacy="public",
        )))  # fmt: skip
        hashes = {row.content_hash for source in ([item], from_cells) for row in parsed(source) if isinstance(row, Row)}
        assert len(hashes) == 1

    def test_a_row_is_small_and_travels(self) -> None:
        (row,) = parsed([fields()])
        assert pickle.loads(pickle.dumps(row)) == row  # noqa: S301 - made here


class TestErrors:
    def test_say_where_they_are(self, file: Path) -> None:
        (error,) = errors(written(file, as_csv(cells(), cells(channel_id="1,234"))))
        assert error == RowError(
            2, "channel_id", "1,234", "write the number without separators: digits only", str(file), 3
        )
        assert str(error) == (
            f"{file}, line 3, row 2, column channel_id: write the number without separators: digits only"
        )
        assert list(error.to_dict()) == ["row", "column", "value", "message", "file", "line"]

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            (None, ""), ("", ""), (" a\n b ", "a b"), (True, "TRUE"), (5, "5"), (1.5, "1.5"), ([1], "[…]"),
            ({"a": 1}, "{…}"), pytest.param(10**5000, "a very long number", id="5000 digits"),
            ("x" * 81, "x" * 79 + "…"), ("x" * 10**7, "x" * 79 + "…"), ("\x1b[31m", "<U+001B>[31m"),
            ("\u202e", "<U+202E>"), ("👩‍👩‍👧", "👩‍👩‍👧"), (" " * 200 + "x", "…"),
        ],
    )  # fmt: skip
    def test_show_values_readably(self, value: object, shown: str) -> None:
        assert readable(value) == shown

    def test_never_hold_what_a_terminal_or_a_file_cannot_take(self) -> None:
        text = "".join(map(chr, range(0x20))) + "\x7f\x9b\u2028\u202e\ud800\udfff"
        shown = visible(text, 1000)
        assert shown.isprintable()
        shown.encode()

    @pytest.mark.parametrize(
        "error", [SourceError("m"), SourceError("m", file="f", line=3, errors=[RowError(1, "c", "v", "m")])]
    )
    def test_errors_of_sources_travel(self, error: SourceError) -> None:
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
        assert (str(copy), copy.file, copy.line, copy.errors) == (str(error), error.file, error.line, error.errors)

    def test_no_message_is_pydantic_s(self) -> None:
        wrong: list[Any] = ["", "x", 5, 1.5, True, None, [], {}, [[]], [{}], "[{}]", "{}", "\0", datetime(2027, 1, 8)]
        names = [*CreatePost.model_fields, "post_extra.title", "twitter_threads.1.message", "key"]
        for name, value in itertools.product(names, wrong):
            for error in errors([fields(**{name: value})]):
                assert not any(word in error.message for word in ("pydantic", "Input", "type=", "None", "str"))


def test_flattened_posts_are_read_back(file: Path) -> None:
    original = CreatePost(
        channel_type="youtube",
        channel_id=-(10**20),
        post_type="thread",
        caption_text='a,"b"\n|c',
        media_urls=[f"{U}|b", f"{U},b", V],
        publish_mode="scheduled",
        schedule_time="2027-01-08 14:30",
        time_zone="UTC",
        hash_tags="#a #b",
        twitter_threads=[{"message": " m|n ", "media_urls": [f"{U}|y"]}, {"message": ""}],
        post_extra={"title": "t", "category": 44, "privacyStatus": "unlisted"},
    )
    assert post(written(file, as_csv(flatten_post(original)))) == original


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("http://" * 50_000, "is not an address"),
        ("https://a.example/a.jpg ,  HTTPS://a.example/b.jpg", 'list_separator=","'),
        ("https://a.example/a.jpg\nhttps://a.example/b.jpg", "put | between them"),
    ],
)
def test_several_addresses_in_one_cell(value: str, message: str) -> None:
    assert message in error_of(cells(media_urls=value)).message


def test_media_with_names_are_told_the_list() -> None:
    [error] = errors([fields(media_urls=[{"url": "https://example.com/a.jpg"}])])
    assert error.column == "media_urls"
    assert '["https://…", "https://…"]' in error.message
    text = '[{"url": "https://example.com/a.jpg"}]'
    assert '["https://…", "https://…"]' in errors([cells(media_urls=text)])[0].message
