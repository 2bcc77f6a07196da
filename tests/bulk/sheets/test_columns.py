"""Which column is which field, and what is said about the others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketingblocks_async.bulk.errors import SourceError
from marketingblocks_async.bulk.sheets.columns import (
    ALIASES,
    ColumnRules,
    nearest_target,
    normal_name,
    target_of,
)
from marketingblocks_async.bulk.sheets.flat import FLAT_COLUMNS
from marketingblocks_async.bulk.sheets.layout import column_letter, compile_layout
from marketingblocks_async.bulk.sheets.rows import Row, parse_row
from marketingblocks_async.bulk.sheets.sources import read_rows
from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.models import CreatePost, TwitterThreadItem, YouTubeExtra
from tests.support.workbooks import (
    FIELDS,
    HEADER,
    LINE,
    as_csv,
    cells,
    errors_of,
    failure,
    fields,
    parsed,
    post,
    workbook,
    written,
)


def header_failure(file: Path, *more: str, **options: Any) -> SourceError:
    names = ",".join((HEADER, *more))
    return failure(written(file, f"{names}\n{LINE}\n"), **options)


class TestNames:
    def test_every_field_of_a_post_has_its_column(self) -> None:
        extra = {f"post_extra.{name}" for name in YouTubeExtra.model_fields}
        assert set(CreatePost.model_fields) | extra | {"key"} == set(ALIASES)
        assert {target_of(name) for name in (*CreatePost.model_fields, *extra)} == set(ALIASES) - {"key"}

    def test_no_name_means_two_fields(self) -> None:
        names = [normal_name(name) for target, aliases in ALIASES.items() for name in {target, *aliases}]
        assert len(names) == len(set(names))
        assert all(target_of(name) == target for target, aliases in ALIASES.items() for name in aliases)

    @pytest.mark.parametrize(
        "name",
        [
            "caption_text", "Caption Text", "CAPTION-TEXT", "captionText", " caption_text ", "caption\ntext",
            "caption\u00a0text", "\ufeffcaption_text", "caption\u200b_text", "ｃａｐｔｉｏｎ＿ｔｅｘｔ", "Caption",
            "text",
        ],
    )  # fmt: skip
    def test_case_and_separators_do_not_matter(self, name: str) -> None:
        assert target_of(name) == "caption_text"

    @pytest.mark.parametrize(
        ("name", "target"),
        [
            ("media", "media_urls"),
            ("Channel", "channel_type"),
            ("account", "channel_id"),
            ("schedule", "schedule_time"),
            ("Time Zone", "time_zone"),
            ("timezone", "time_zone"),
            ("hashtags", "hash_tags"),
            ("post_extra.title", "post_extra.title"),
            ("post_extra.privacyStatus", "post_extra.privacy_status"),
            ("privacyStatus", "post_extra.privacy_status"),
            ("twitter_threads.1.message", "twitter_threads.1.message"),
            ("twitter_threads.01.message", "twitter_threads.1.message"),
            ("Twitter Threads 12 Media URLs", "twitter_threads.12.media_urls"),
            ("tweet 3", "twitter_threads.3.message"),
            ("Tweet 3 media", "twitter_threads.3.media_urls"),
            ("twitter_threads", "twitter_threads"),
            ("twitter_threads.1001.message", None),
            ("twitter_threads.x.message", None),
            ("id", None),
            ("date", None),
            ("description", None),
            ("", None),
        ],
    )
    def test_other_names(self, name: str, target: str | None) -> None:
        assert target_of(name) == target

    @pytest.mark.parametrize(
        ("name", "target"),
        [("captoin", "caption_text"), ("chanel_id", "channel_id"), ("media_ulrs", "media_urls"), ("qqqqqq", None)],
    )
    def test_the_nearest_name(self, name: str, target: str | None) -> None:
        assert nearest_target(name) == target

    @given(st.text())
    def test_any_name_is_known_or_not(self, name: str) -> None:
        target = target_of(name)
        assert (
            target is None or target in ALIASES or re.fullmatch(r"twitter_threads\.\d+\.(message|media_urls)", target)
        )

    @pytest.mark.parametrize(
        ("index", "letters"), [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA"), (701, "ZZ"), (702, "AAA")]
    )
    def test_letters_of_columns(self, index: int, letters: str) -> None:
        assert column_letter(index) == letters


class TestUnknownColumns:
    def test_are_refused_with_the_nearest_name_and_how_to_ignore_them(self, file: Path) -> None:
        error = header_failure(file, "hash_tgas")
        assert "did you mean hash_tags?" in error.message
        assert '{"hash_tgas": None}' in error.message
        assert error.line == 1
        (detail,) = error.errors
        assert (detail.row, detail.column, detail.line) == (None, "hash_tgas", 1)

    def test_all_of_them_are_reported_at_once(self, file: Path) -> None:
        error = header_failure(file, *(f"Notes {number}" for number in range(9)))
        assert [each.column for each in error.errors] == [f"Notes {number}" for number in range(9)]
        assert "and 4 more" in error.message

    def test_a_very_long_name_is_not_repeated_whole(self, file: Path) -> None:
        assert len(str(header_failure(file, "x" * 100_000))) < 1000

    def test_a_name_that_cannot_be_seen_is_shown_by_its_number(self, file: Path) -> None:
        assert "<U+202E>" in header_failure(file, "\u202eevil").message


class TestTwoColumnsForOneField:
    @pytest.mark.parametrize("names", [("caption_text", "Caption"), ("Text", "caption-text"), ("caption_text",) * 2])
    def test_are_refused_and_both_are_named(self, file: Path, names: tuple[str, str]) -> None:
        first, second = names
        error = failure(written(file, f"channel_type,{first},{second}\nfacebook,a,b\n"))
        shown = f"{second} #2" if first == second else second
        assert f'"{first}" and "{shown}" both hold caption_text' in error.message
        assert f'columns={{"{shown}": None}}' in error.message

    @pytest.mark.parametrize(
        ("columns", "caption"),
        [({"caption_text #2": None}, "Hello"), ({"caption_text": None, "caption_text #2": "caption_text"}, "Second")],
    )
    def test_one_of_two_with_the_same_name_can_be_left_out(
        self, file: Path, columns: dict[str, str | None], caption: str
    ) -> None:
        written(file, f"{HEADER},caption_text\n{LINE},Second\n")
        assert post(file, columns=columns).caption_text == caption

    @pytest.mark.parametrize(
        ("whole", "part"),
        [
            ({"twitter_threads": '[{"message": "a"}]'}, {"twitter_threads.1.message": "a"}),
            ({"post_extra": '{"title": "a"}'}, {"post_extra.title": "a"}),
        ],
    )
    def test_a_whole_and_its_part_may_be_there_but_not_in_one_row(
        self, file: Path, whole: dict[str, str], part: dict[str, str]
    ) -> None:
        [name] = whole
        empty = {**cells(), **dict.fromkeys({**whole, **part}, "")}
        written(file, as_csv({**empty, **whole}, {**empty, **part}, {**empty, **whole, **part}))
        first, second, third = parsed(file)
        assert isinstance(first, Row)
        assert isinstance(second, Row)
        assert first.request == second.request
        assert isinstance(third, list)
        assert f"both hold {name}" in third[0].message

    def test_one_of_them_can_be_ignored(self, file: Path) -> None:
        written(file, f"{HEADER},Text\n{LINE},other\n")
        assert post(file, columns={"Text": None}).caption_text == "Hello"

    def test_ignored_columns_may_have_one_name(self, file: Path) -> None:
        written(file, f"{HEADER},Notes,Notes\n{LINE},a,b\n")
        assert post(file, columns={"Notes": None}).caption_text == "Hello"

    def test_in_an_object_it_is_an_error_of_the_row(self) -> None:
        assert "both hold caption_text" in errors_of(fields(Caption="other"))["Caption"]


class TestMapping:
    def test_renames_and_ignores(self, file: Path) -> None:
        written(file, f"{HEADER.replace('caption_text', 'Mein Text')},Notes\n{LINE},=secret\n")
        assert post(file, columns={"Mein Text": "caption_text", "Notes": None}).caption_text == "Hello"

    def test_a_name_of_the_file_wins_over_the_table(self, file: Path) -> None:
        written(file, f"{HEADER.replace('caption_text', 'media')},text\n{LINE},x\n".replace("media_urls", "pics"))
        found = post(file, columns={"media": "caption", "text": None, "pics": "media"})
        assert found.caption_text == "Hello"
        assert found.media_urls == ["https://example.com/a.jpg"]

    def test_an_exact_name_wins_over_a_similar_one(self, file: Path) -> None:
        written(file, f"{HEADER},note,NOTE\n{LINE},#a,#b\n")
        assert post(file, columns={"note": None, "NOTE": "hash_tags"}).hash_tags == "#b"

    @pytest.mark.parametrize("name", ["notes", " NOTES ", "No-tes"])
    def test_case_and_separators_do_not_matter(self, file: Path, name: str) -> None:
        written(file, f"{HEADER},Notes\n{LINE},x\n")
        assert parsed(file, columns={name: None})

    def test_a_column_that_is_not_there_is_refused(self, file: Path) -> None:
        error = header_failure(file, columns={"Titel": None, "Captions": "caption_text"})
        assert [each.column for each in error.errors] == ["Titel", "Captions"]
        assert 'not in the header; its columns are "channel_type"' in error.message

    def test_for_objects_it_need_not_be_there(self) -> None:
        assert post([fields()], columns={"Notes": None}).caption_text == "Hello"

    @pytest.mark.parametrize("field", ["captoin_text", "_caption_text"])
    def test_a_field_that_there_is_not_is_refused_at_once(self, field: str) -> None:
        with pytest.raises(ConfigurationError, match="did you mean caption_text"):
            ColumnRules({"Text": field})

    def test_it_helps_to_find_header_and_delimiter(self, file: Path) -> None:
        written(file, "Kanal;Konto\nfacebook;11\n")
        columns = {"Kanal": "channel_type", "Konto": "channel_id"}
        (row,) = parsed(file, columns=columns)
        assert isinstance(row, list)
        assert {error.column for error in row} == {"post_type", "caption_text", "publish_mode"}


class TestNotes:
    NAMES = ("_row", "_state", "_error", "_error", "_caption_text", "_", " _Anything Else")

    def test_columns_that_begin_with_an_underscore_are_ignored(self, file: Path) -> None:
        notes = ",".join(self.NAMES)
        written(file, f"{notes},{HEADER}\n7,failed,=1+1,#N/A,other,,\x07,{LINE}\n")
        with read_rows(file) as stream:
            (row,) = map(parse_row, stream)
        assert isinstance(row, Row)
        assert (row.key, row.post.caption_text) == ("1", "Hello")
        assert stream.facts.columns == {name.strip(): None for name in self.NAMES} | {name: name for name in FIELDS}

    def test_in_workbooks_too(self, tmp_path: Path) -> None:
        row = [7, True, "=1+1", None, None, None, None, *FIELDS.values()]
        with read_rows(workbook(tmp_path / "posts.xlsx", [*self.NAMES, *FIELDS], row)) as stream:
            (found,) = map(parse_row, stream)
        assert isinstance(found, Row)
        assert stream.facts.columns["_error"] is None

    def test_in_objects_too(self, tmp_path: Path) -> None:
        item = fields(**{name: {"any": ["value"]} for name in self.NAMES})
        path = written(tmp_path / "posts.jsonl", json.dumps(item))
        assert parsed([item]) == parsed(path) == parsed([fields()])

    def test_inside_of_a_field_there_are_none(self) -> None:
        assert "_note" in errors_of(fields(post_extra={"title": "t", "_note": "a"}))["post_extra"]

    def test_a_mapping_that_names_one_decides(self, file: Path) -> None:
        written(file, f"{HEADER},_row,_Note\n{LINE},7,#a\n")
        (row,) = parsed(file, columns={"_ROW": "key", "_Note": "hash_tags"})
        assert isinstance(row, Row)
        assert (row.key, row.post.hash_tags) == ("7", "#a")

    def test_a_mapping_of_the_name_without_the_underscore_does_not(self, file: Path) -> None:
        written(file, f"{HEADER},Error,_error\n{LINE},#a,#b\n")
        assert post(file, columns={"Error": "hash_tags"}).hash_tags == "#a"
        error = header_failure(file, "_error", columns={"Error": None})
        assert [each.column for each in error.errors] == ["Error"]

    def test_they_do_not_make_a_header(self, file: Path) -> None:
        assert "no known column name" in failure(written(file, "_row,_error\n1,x\n")).message
        text = (
            as_csv(cells(), delimiter=";")
            .replace("channel_type", "_a,_b,_c;channel_type")
            .replace("facebook", ";facebook")
        )
        assert post(written(file, text)).caption_text == "Hello"


class TestThreads:
    def layout_problems(self, *names: str) -> list[str]:
        return [problem.message for problem in compile_layout(names, ColumnRules()).problems]

    @pytest.mark.parametrize("start", [0, 1])
    def test_numbers_begin_at_zero_or_one(self, start: int) -> None:
        item = fields(post_type="thread")
        item |= {f"twitter_threads.{start + 1}.message": "b", f"twitter_threads.{start}.message": "a"}
        assert post([item]).twitter_threads == [TwitterThreadItem(message="a"), TwitterThreadItem(message="b")]

    def test_more_than_nine_are_in_the_order_of_their_numbers(self) -> None:
        item = fields(post_type="thread", **{f"twitter_threads.{n}.message": str(n) for n in range(12, 0, -1)})
        assert [each.message for each in post([item]).twitter_threads or []] == [str(n) for n in range(1, 13)]

    @pytest.mark.parametrize("numbers", [(1, 3), (2,), (0, 2), (2, 3)])
    def test_a_number_that_is_left_out_is_refused(self, numbers: tuple[int, ...]) -> None:
        (problem,) = self.layout_problems(*(f"twitter_threads.{number}.message" for number in numbers))
        assert "no column twitter_threads." in problem


class TestMissingColumns:
    def test_are_reported_in_every_row(self, file: Path) -> None:
        written(file, as_csv(*(cells(channel_id=None, media_urls=None) for _ in range(2))))
        for row in parsed(file):
            assert isinstance(row, list)
            (error,) = row
            assert error.column == "channel_id"
            assert "channel_id" in error.message

    def test_all_fields_at_once(self) -> None:
        assert set(errors_of({"hash_tags": "#a"})) == set(FIELDS) - {"media_urls"}


def test_the_columns_of_a_flattened_post_are_known() -> None:
    layout = compile_layout([*FLAT_COLUMNS, "key"], ColumnRules())
    assert not layout.problems
    assert list(layout.fields.values()) == [*FLAT_COLUMNS, "key"]


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("Posting Time", "schedule_time"),
        ("Publish date", "schedule_time"),
        ("captoin", "caption_text"),
        ("Notes", None),
    ],
)
def test_the_field_that_is_suggested_is_one_that_the_name_may_mean(name: str, field: str | None) -> None:
    assert nearest_target(name) == field


def test_a_plural_in_parentheses_is_a_plural() -> None:
    assert target_of("Media URL(s)") == "media_urls"
