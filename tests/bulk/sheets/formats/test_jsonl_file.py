"""JSON Lines files: one object a line, and nothing that one could misread."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async.bulk.sheets.rows import Row
from marketingblocks_async.bulk.sheets.sources import read_rows
from tests.support.workbooks import errors, failure, fields, parsed, post, posts, written


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "posts.jsonl"


def lines(*objects: object) -> str:
    return "".join(f"{json.dumps(each)}\n" for each in objects)


class TestObjects:
    def test_nested_and_flattened_names_say_the_same(self, file: Path) -> None:
        extra = {"title": "A film", "category": 10, "privacyStatus": "private"}
        tweets = [{"message": "one", "media_urls": ["https://example.com/1.jpg"]}, {"message": "two"}]
        nested = fields(channel_type="youtube", post_type="thread", post_extra=extra, twitter_threads=tweets)
        flat = fields(
            channel_type="youtube",
            post_type="thread",
            **{
                "post_extra.title": "A film",
                "post_extra.category": 10,
                "post_extra.privacyStatus": "private",
                "twitter_threads.1.message": "one",
                "twitter_threads.1.media_urls": "https://example.com/1.jpg",
                "twitter_threads.2.message": "two",
            },
        )
        first, second = posts(written(file, lines(nested, flat)))
        assert first == second
        assert first.wire()["post_extra"] == extra
        assert first.wire()["twitter_threads"] == tweets

    def test_objects_may_have_different_fields_in_different_orders(self, file: Path) -> None:
        one = fields(hash_tags=["a", "b"])
        other = {"caption" if name == "caption_text" else name: value for name, value in reversed(fields().items())}
        found = posts(written(file, lines(one, other)))
        assert [(each.caption_text, each.hash_tags) for each in found] == [("Hello", "a,b"), ("Hello", None)]

    def test_null_is_not_given(self, file: Path) -> None:
        assert post(written(file, lines(fields(schedule_time=None, hash_tags=None)))).hash_tags is None

    @pytest.mark.parametrize(
        ("suffix", "encoding"),
        [(".jsonl", "utf-8"), (".ndjson", "utf-8-sig"), (".JSONL", "utf-16"), (".jsonl", "utf-16-le")],
    )
    def test_names_and_encodings_of_files(self, tmp_path: Path, suffix: str, encoding: str) -> None:
        content = json.dumps(fields(caption_text="🌷 ł"), ensure_ascii=False).encode(encoding)
        assert post(written(tmp_path / f"posts{suffix}", content)).caption_text == "🌷 ł"

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_blank_lines_are_skipped_and_not_counted(self, file: Path, end: str) -> None:
        text = end.join(["", json.dumps(fields()), "", " \t", json.dumps(fields()), ""])
        with read_rows(written(file, text)) as stream:
            assert [(raw.number, raw.line) for raw in stream] == [(1, 2), (2, 5)]
        assert stream.facts.kind == "jsonl"
        assert stream.facts.size == len(text)

    def test_an_integer_of_any_size_is_exact(self, file: Path) -> None:
        assert post(written(file, lines(fields(channel_id=2**70 + 1)))).channel_id == 2**70 + 1

    def test_a_line_of_16_mib_is_read(self, file: Path) -> None:
        caption = "x" * 2**24
        assert post(written(file, lines(fields(caption_text=caption)))).caption_text == caption


class TestBadLines:
    """A bad line is a bad row: the lines after it are read."""

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("{", ["not JSON", "character 2"]),
            ('{"channel_type": facebook}', ["not JSON", "character 18"]),
            ("{“channel_type”: “facebook”}", ["not JSON", "straight quotes"]),
            ('{"channel_type": "facebook"},', ["not JSON", "Extra data"]),
            ('{"caption_text": "a", "caption_text": "b"}', ['"caption_text" is there twice']),
            ('{"post_extra": {"title": "a", "title": "b"}}', ['"title" is there twice']),
            ('{"channel_id": NaN}', ["NaN is not JSON"]),
            ('{"channel_id": -Infinity}', ["-Infinity is not JSON"]),
            ('{"channel_id": ' + "9" * 5000 + "}", ["thousands of digits"]),
            ('{"caption_text": ' + "[" * 100_000 + "]" * 100_000 + "}", ["nested too deeply"]),
            ('{"a":' * 100_000 + "1" + "}" * 100_000, ["nested too deeply"]),
            ("[1, 2]", ["one JSON object"]),
            ('"text"', ["one JSON object"]),
            ("null", ["one JSON object"]),
            ("5", ["one JSON object"]),
            ('{"caption_text": "a\tb"}', ["not JSON", "control character"]),
        ],
        ids=range(16),
    )
    def test_is_reported_with_its_line(self, file: Path, line: str, words: list[str]) -> None:
        good = lines(fields())
        first, bad, last = parsed(written(file, f"{good}\n{line}\n{good}"))
        assert isinstance(first, Row)
        assert isinstance(last, Row)
        assert last.number == 3
        assert isinstance(bad, list)
        (error,) = bad
        assert all(word in error.message for word in words), error.message
        assert (error.row, error.line, error.file) == (2, 3, str(file))
        assert len(error.value) <= 80

    @pytest.mark.parametrize(
        "field", ["caption_text", "post_extra", "twitter_threads", "media_urls", "key", "hash_tags"]
    )
    def test_deep_values_are_refused_too(self, file: Path, field: str) -> None:
        for depth, (opening, closing) in itertools.product((50, 500, 900), (("[", "]"), ('{"a":', "}"))):
            text = lines(fields(**{field: "HERE"})).replace('"HERE"', f"{opening * depth}1{closing * depth}")
            found = errors(written(file, text))
            assert found
            assert all(error.line == 1 for error in found)

    def test_an_unknown_name_is_an_error_of_the_row_beside_the_others(self, file: Path) -> None:
        found = errors(written(file, lines(fields(), fields(captoin="a", channel_id="x"), fields())))
        assert [(error.row, error.column) for error in found] == [(2, "captoin"), (2, "channel_id")]
        assert "caption_text" in found[0].message

    def test_half_an_emoji_is_refused(self, file: Path) -> None:
        (error,) = errors(written(file, lines(fields(caption_text="broken \ud83d"))))
        assert error.column == "caption_text"
        assert "emoji" in error.message
        assert error.value == "broken <U+D83D>"
        str(error).encode()

    @pytest.mark.parametrize("text", ["a\0b", "a\x1bb", "a\x85b"])
    def test_control_characters_are_refused(self, file: Path, text: str) -> None:
        found = errors(written(file, lines(fields(caption_text=text), fields(media_urls=[f"https://e.com/{text}"]))))
        assert [error.column for error in found] == ["caption_text", "media_urls"]
        assert all("control character" in error.message for error in found)


class TestBadFiles:
    @pytest.mark.parametrize("document", [[fields(), fields()], fields()])
    def test_one_document_over_many_lines_is_recognised(self, file: Path, document: Any) -> None:
        error = failure(written(file, json.dumps(document, indent=2)))
        assert "one object a line" in error.message
        assert error.line == 1

    def test_one_array_in_one_line_is_recognised(self, file: Path) -> None:
        assert "one object a line" in failure(written(file, json.dumps([fields()]))).message

    def test_bytes_of_another_encoding_are_refused_with_their_line(self, file: Path) -> None:
        error = failure(written(file, lines(fields()).encode() * 3 + b'{"caption_text": "\xfc"}\n'))
        assert error.line == 4
        assert "0xFC" in error.message

    def test_an_empty_file_has_no_rows(self, file: Path) -> None:
        assert parsed(written(file, "")) == []
