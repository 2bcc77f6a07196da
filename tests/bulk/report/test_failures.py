"""The file of failures: a true copy, whatever the source, that is enough to correct in the wrong cells."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketingblocks_async.bulk import JournalReader, RowState, create_journal, make_plan, write_failures
from marketingblocks_async.bulk.sheets.recipes.recipe import load_recipe
from marketingblocks_async.bulk.sheets.rows import Row
from marketingblocks_async.bulk.sheets.sources import Source
from marketingblocks_async.models import CreatePost, PublishMode
from tests.support.workbooks import FIELDS, as_csv, cells, fields, openpyxl, parsed, scheduled, workbook, written

A, B = "https://e.com/a.jpg", "https://e.com/b.jpg"
EXTRA = {"title": "T", "category": 22, "privacyStatus": "private"}
WHEN = {"publish_mode": "scheduled", "schedule_time": "2027-01-08 14:30"}


def copied(folder: Path, source: Source, **options: Any) -> Path:
    """Return the file of all rows of a source, as if each had failed."""
    journal, copy = folder / "run.journal", folder / "failed.csv"
    journal.unlink(missing_ok=True)
    asyncio.run(create_journal(source, journal, skip_invalid=True, **options))
    with JournalReader(journal) as reader:
        write_failures(reader, copy, tuple(RowState))
    return copy


def read(copy: Path) -> list[dict[str, str]]:
    with copy.open(newline="", encoding="utf-8-sig") as lines:
        return list(csv.DictReader(lines))


def corrected(copy: Path, **changes: str) -> Path:
    """Change cells of the first row, as a person would in a spreadsheet."""
    rows = read(copy)
    assert changes.keys() <= rows[0].keys()
    rows[0] |= changes
    return written(copy.with_name("corrected.csv"), as_csv(*rows))


def requests(source: Any, **options: Any) -> list[str | None]:
    """Return the request of each row, ``None`` for one that is not valid."""
    return [row.request if isinstance(row, Row) else None for row in parsed(source, **options)]


def same_again(folder: Path, source: Any, **options: Any) -> list[str | None]:
    """Check that the copy of a source gives the same requests, and its copy does so too."""
    before = requests(source, **options)
    copy = copied(folder, source, **options)
    assert requests(copy) == before
    assert requests(copied(folder, copy)) == before
    return before


class TestOneWrongCell:
    """Correcting the wrong cell alone gives the request that the source would have given without the fault."""

    @pytest.mark.parametrize(
        ("wrong", "right"),
        [
            ({"channel_id": "x1"}, {"channel_id": "7"}),
            ({"channel_type": "myspace"}, {"channel_type": "facebook"}),
            ({"post_extra": {**EXTRA, "category": "x"}}, {"post_extra.category": "22"}),
            ({"media_urls": [A, "TBD"]}, {"media_urls": f"{A}|{B}"}),
            ({"caption_text": 5}, {"caption_text": "five"}),
            ({"hash_tags": ["#a b", "#c"]}, {"hash_tags": "#a|#c"}),
            ({**WHEN, "time_zone": "EST"}, {"time_zone": "UTC"}),
            ({"twitter_threads": [{"message": "a"}, {"message": 5}]}, {"twitter_threads": '[{"message": "b"}]'}),
        ],
    )  # fmt: skip
    def test_of_json_lines(self, tmp_path: Path, wrong: dict[str, Any], right: dict[str, str]) -> None:
        item = {
            **fields(post_extra={"title": "T", "category": 22, "privacyStatus": "private"}, hash_tags=["#x"]),
            **wrong,
        }
        file = written(tmp_path / "posts.jsonl", json.dumps(item))
        copy = copied(tmp_path, file)
        assert requests(copy) == [None]
        [row] = parsed(corrected(copy, **right))
        assert isinstance(row, Row), row
        untouched = item.keys() - {name.partition(".")[0] for name in right}
        wire = row.post.wire()
        if "post_extra" in untouched:
            assert wire["post_extra"] == EXTRA
        assert wire.get("hash_tags", "#x") == ("#a,#c" if "hash_tags" in right else "#x")
        assert wire["caption_text"] == right.get("caption_text", "Hello")

    def test_of_a_workbook(self, tmp_path: Path) -> None:
        names = [*scheduled(), "hash_tags", "key", "Notes"]
        good = [
            "facebook",
            11,
            "post",
            "Sum",
            A,
            "scheduled",
            datetime(2027, 1, 8, 14, 30),
            "Europe/Berlin",
            2027,
            7,
            "n",
        ]
        for column, wrong in (
            ("channel_type", "facebok"), ("channel_id", "x"), ("caption_text", date(2027, 1, 8)), ("hash_tags", 0.5),
            ("caption_text", "=A1&B1"), ("schedule_time", date(2027, 1, 8)), ("schedule_time", time(14, 30)),
            ("media_urls", True), ("hash_tags", "=A1"), ("key", 1.5),
        ):  # fmt: skip
            row: list[Any] = list(good)
            expected = requests(workbook(tmp_path / "good.xlsx", names, row), columns={"Notes": None})
            place = names.index(column)
            as_text = {**dict(zip(names, map(str, row), strict=True)), "schedule_time": "2027-01-08 14:30"}[column]
            row[place] = wrong
            copy = copied(tmp_path, workbook(tmp_path / "bad.xlsx", names, row), columns={"Notes": None})
            assert requests(copy) == [None], (column, wrong)
            assert read(copy)[0]["_Notes"] == "n"
            assert requests(corrected(copy, **{column: as_text})) == expected, (column, wrong)

    def test_of_another_list_separator(self, tmp_path: Path) -> None:
        rows = [
            cells(media_urls=f"{A},{B}", hash_tags="#a, #b"),
            cells(media_urls=f"{A},{B}", hash_tags="#a|x, #b", channel_type="facebok"),
            cells(media_urls=f"{A}, TBD", hash_tags="#a, #b"),
        ]
        file = written(tmp_path / "posts.csv", as_csv(*rows))
        first, second, third = requests(file, list_separator=",")
        assert (first is None, second, third) == (False, None, None)
        copy = copied(tmp_path, file, list_separator=",")
        assert requests(copy) == [first, None, None]
        shown = read(copy)
        assert [row["media_urls"] for row in shown] == [f"{A}|{B}", f"{A}|{B}", f"{A}|TBD"]
        shown[1]["channel_type"] = "facebook"
        shown[2]["media_urls"] = f"{A}|{B}"
        [_, second, third] = requests(written(tmp_path / "corrected.csv", as_csv(*shown)))
        assert third == first
        assert second is not None
        assert json.loads(second)["hash_tags"] == "#a|x,#b"

    def test_of_a_thread_in_columns(self, tmp_path: Path) -> None:
        row = cells(
            channel_type="twitter",
            post_type="thread",
            **{
                "twitter_threads.1.message": "one",
                "twitter_threads.1.media_urls": f"{A}|{B}",
                "twitter_threads.2.message": "",
                "twitter_threads.3.message": "three",
            },
        )
        copy = copied(tmp_path, written(tmp_path / "posts.csv", as_csv(row)))
        assert requests(copy) == [None]
        expected = requests(written(tmp_path / "good.csv", as_csv({**row, "twitter_threads.2.message": "two"})))
        assert requests(corrected(copy, **{"twitter_threads.2.message": "two"})) == expected


class TestNothingIsLost:
    @pytest.mark.parametrize(
        "item",
        [
            {"captoin": "typo"},
            {"post_extra": {"title": "T", "other": 1}},
            {"post_extra": "public"},
            {"twitter_threads": "x"},
            {"twitter_threads": [{"message": "m", "other": 1}]},
            {"twitter_threads": [5]},
            {"media_urls": {"a": 1}},
            {"media_urls": "a\ud800"},
            {"caption_text": "half \ud83d"},
            {"caption_text": "\0"},
            {"key": "\udfff"},
            {"hash_tags": {"a": 1}},
            {
                "schedule_time": datetime(2027, 3, 28, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")),
                "publish_mode": "scheduled",
            },
        ],
    )
    def test_a_row_that_is_wrong_stays_wrong_until_it_is_corrected(self, tmp_path: Path, item: dict[str, Any]) -> None:
        assert same_again(tmp_path, [fields(**item)]) == [None]

    def test_two_rows_with_one_key_need_a_key_each(self, tmp_path: Path) -> None:
        copy = copied(tmp_path, [fields(key="a"), fields(key="a", caption_text="second")])
        assert [row["key"] for row in read(copy)] == ["a", "#CORRECT! a"]
        rows = read(copy)
        rows[1]["key"] = "b"
        assert None not in requests(written(tmp_path / "corrected.csv", as_csv(*rows)))

    def test_what_has_no_column_keeps_the_row_until_it_was_looked_at(self, tmp_path: Path) -> None:
        file = written(tmp_path / "posts.csv", ",".join([*FIELDS, ""]) + "\r\n" + ",".join([*FIELDS.values(), "stray"]))
        copy = copied(tmp_path, file)
        assert "stray" in read(copy)[0]["_to_check"]
        assert requests(copy) == [None]
        assert requests(corrected(copy, _to_check="")) == requests([cells()])

    def test_a_line_that_is_no_json_is_there_whole(self, tmp_path: Path) -> None:
        line = '{"channel_type": "facebook", "caption_text": "' + "x" * 500
        copy = copied(tmp_path, written(tmp_path / "posts.jsonl", f"{json.dumps(fields())}\n{line}\n"))
        assert line in read(copy)[1]["_to_check"]
        assert requests(copy)[1] is None

    def test_a_row_that_was_cut_off(self, tmp_path: Path) -> None:
        text = ",".join([*FIELDS, "hash_tags"]) + "\n" + ",".join(FIELDS.values())
        copy = copied(tmp_path, written(tmp_path / "posts.csv", text))
        assert "cut off" in read(copy)[0]["_to_check"]
        assert requests(copy) == [None]

    def test_an_entry_of_a_list_that_is_unclear_is_there_whole(self, tmp_path: Path) -> None:
        twice, no_object = f'{{"caption_text": "{"x" * 500}", "caption_text": "b"}}', f'["{"y" * 500}", {{}}]'
        file = written(tmp_path / "posts.json", f"[{json.dumps(fields())},\n{twice}, {no_object}]")
        copy = copied(tmp_path, file)
        _, first, second = read(copy)
        assert twice in first["_to_check"]
        assert no_object in second["_to_check"]
        assert requests(copy)[1:] == [None, None]

    @pytest.mark.parametrize(
        ("cell", "copy"),
        [
            ("_x0041_ " + "one_x000D_\ntwo " * 40 + "end", "_x0041_ " + "one\r\ntwo " * 40 + "end"),
            (f'=CONCATENATE("{"x" * 300}", "\n")', f'=CONCATENATE("{"x" * 300}", "\n")'),
            (openpyxl.worksheet.formula.ArrayFormula("A2", "=SUM(B1:B3)"), "=SUM(B1:B3)"),
        ],
    )
    def test_a_cell_of_a_workbook_that_is_refused_is_there_whole(self, tmp_path: Path, cell: Any, copy: str) -> None:
        row = {**cells(), "caption_text": cell}
        names = sorted(row)
        file = workbook(tmp_path / "posts.xlsx", names, [row[name] for name in names])
        assert read(copied(tmp_path, file))[0]["caption_text"] == f"#CORRECT! {copy}"

    def test_columns_that_were_ignored_stay_ignored(self, tmp_path: Path) -> None:
        row = {**cells(channel_id="x"), "Notes": "=1+1", "_client": "c", "Other": ""}
        copy = copied(tmp_path, written(tmp_path / "posts.csv", as_csv(row)), columns={"Notes": None, "Other": None})
        [shown] = read(copy)
        assert (shown["_Notes"], shown["_client"]) == ('"=1+1"', "c")
        assert requests(corrected(copy, channel_id="11")) == requests([cells()])

    def test_a_very_long_cell_is_not_cut(self, tmp_path: Path) -> None:
        copy = copied(tmp_path, [fields(caption_text="x" * 100_000, channel_id="x")])
        assert read(copy)[0]["caption_text"] == "x" * 100_000

    def test_what_the_sheet_shows_is_what_the_file_shows(self, tmp_path: Path) -> None:
        names = ["caption_text", *[name for name in FIELDS if name != "caption_text"]]
        row = [0.5, *[FIELDS[name] for name in names[1:]]]
        formats = {"0%": "50%", "0.00": "0.50", "#,##0.0": "0.5", "yyyy": "0.5"}
        for number_format, shown in formats.items():
            file = workbook(tmp_path / "posts.xlsx", names, row, formats={"A2": number_format})
            text = read(copied(tmp_path, file))[0]["caption_text"]
            assert text == f"#CORRECT! {shown}" or number_format == "yyyy"


CALENDAR = load_recipe("calendar").with_options(
    channels=["facebook:11", "x:12"], fixed={"time_zone": "Europe/Berlin"}, columns={"Day": "date", "Hour": "time"}
)


class TestRecipes:
    def test_each_part_of_a_row_has_a_key_of_its_own(self, tmp_path: Path) -> None:
        rows = [{"Text": "A", "Day": "soon", "Row ID": "k1"}, {"Text": "B", "Day": "2027-01-08 14:30", "Row ID": "k2"}]
        copy = copied(tmp_path, written(tmp_path / "posts.csv", as_csv(*rows)), recipe=CALENDAR)
        shown = read(copy)
        assert sorted(row["key"] for row in shown) == ["k1/1", "k1/2", "k2/1", "k2/2"]
        for row in shown:
            row["schedule_time"] = "2027-01-08 14:30"
        plan = make_plan(written(tmp_path / "corrected.csv", as_csv(*shown)))
        assert (plan.valid, plan.errors) == (4, ())

    @pytest.mark.parametrize(
        ("row", "field", "copy"),
        [
            ({"Text": "A", "Link": f"=HYPERLINK({'x' * 100})"}, "caption_text", f"A\n=HYPERLINK({'x' * 100})"),
            ({"Text": 0.5, "Link": "https://e.com/l"}, "caption_text", "0.5\nhttps://e.com/l"),
            ({"Text": "A", "Day": True, "Hour": "14:30"}, "schedule_time", "TRUE 14:30"),
            ({"Text": "A", "Day": "2027-01-08", "Hour": "x" * 90}, "schedule_time", f"2027-01-08 {'x' * 90}"),
        ],
    )
    def test_what_was_put_together_is_there_whole(
        self, tmp_path: Path, row: dict[str, Any], field: str, copy: str
    ) -> None:
        file = workbook(tmp_path / "posts.xlsx", list(row), list(row.values()))
        shown = read(copied(tmp_path, file, recipe=CALENDAR))[0][field]
        assert shown.removeprefix("#CORRECT! ") == copy

    def test_ids_that_do_not_fit_are_there_whole(self, tmp_path: Path) -> None:
        row = {
            "Text": "A",
            "Day": "2027-01-08 14:30",
            "Platform": "facebook, x",
            "channel_id": ",".join(["1234567"] * 30),
        }
        recipe = load_recipe("calendar").with_options(
            fixed={"time_zone": "Europe/Berlin"}, columns={"Day": "schedule_time"}
        )
        copy = copied(tmp_path, written(tmp_path / "posts.csv", as_csv(row)), recipe=recipe)
        assert [shown["channel_id"] for shown in read(copy)] == [row["channel_id"]] * 2


class TestSpreadsheets:
    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=x", " =x", "=cmd|'/c calc'!A1", "＝1", "\n-x"])
    def test_text_like_a_formula_is_safe_to_open_and_comes_back_unchanged(self, tmp_path: Path, text: str) -> None:
        threads = [{"message": text}, {"message": "second", "media_urls": [A]}]
        post = CreatePost.model_validate(
            fields(
                channel_type="twitter",
                caption_text=text,
                hash_tags=text.strip() + "|x",
                twitter_threads=threads,
                post_extra={"title": text},
            )
        )
        assert None not in same_again(tmp_path, [post, fields(key=text)])
        for row in read(copied(tmp_path, [post, fields(key=text), {"key": text, "channel_id": text, "Notes": text}])):
            for cell in row.values():
                assert not cell.lstrip().startswith(("=", "+", "-", "@", "＝")), cell

    def test_a_quoted_text_can_be_edited_inside_or_outside_of_its_quotes(self, tmp_path: Path) -> None:
        copy = copied(tmp_path, [fields(caption_text="=1+1")])
        for typed, sent in (('"=1+2"', "=1+2"), ("plain", "plain"), ('say "so"', 'say "so"'), ("=1+1", "=1+1")):
            [row] = parsed(corrected(copy, caption_text=typed))
            assert isinstance(row, Row)
            assert row.post.caption_text == sent

    def test_quotes_that_belong_to_the_text_stay(self, tmp_path: Path) -> None:
        same_again(tmp_path, [fields(caption_text='"quoted"'), fields(caption_text='""'), fields(caption_text='"=x"')])


any_text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.sampled_from("=+-@|,;\"' \n\t#")) | (
    st.sampled_from(["", " ", "#N/A", "#CORRECT! x", '"x"', '"', "=1", " x ", "[", "[]", "{}", "1", "a|b", "_quoted"])
)
addresses = st.lists(st.text("aZé|,;[]'=&?%", max_size=5).map(lambda text: f"https://e.com/{text}"), max_size=3)


def tweet_of(message: str, media: list[str] | None) -> dict[str, Any]:
    return {"message": message} if media is None else {"message": message, "media_urls": media}


tweets = st.lists(st.builds(tweet_of, any_text, st.none() | addresses), min_size=1, max_size=30)
titles = any_text.filter(lambda text: bool(text.strip()))


@st.composite
def posts(draw: st.DrawFn) -> CreatePost:
    """Draw any post that a program may make."""
    mode = draw(st.sampled_from([PublishMode.NOW, PublishMode.SCHEDULED]))
    item = fields(
        caption_text=draw(any_text),
        media_urls=draw(addresses),
        publish_mode=mode,
        hash_tags=draw(st.none() | any_text | st.lists(st.text("aé|#=", min_size=1), min_size=1, max_size=3)),
        twitter_threads=draw(st.none() | tweets),
        post_extra=draw(st.none() | st.fixed_dictionaries({"title": titles, "category": st.integers(0, 99)})),
    )
    if mode is PublishMode.SCHEDULED:
        item |= {"schedule_time": draw(st.datetimes(timezones=st.just(UTC)))}
    return CreatePost.model_validate(item)


def valid(post: CreatePost) -> bool:
    [row] = parsed([post])
    return isinstance(row, Row)


FUZZ = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])

values = any_text | st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.floats(-1e6, 1e6)
items = values | st.lists(values, max_size=3) | st.dictionaries(st.sampled_from(["message", "title", "x"]), values)
names = st.sampled_from(
    [*FIELDS, "key", "schedule_time", "time_zone", "hash_tags", "twitter_threads", "post_extra", "_note", "unknown"]
)
cells_of_sheets = (
    values | st.datetimes(datetime(1901, 1, 1), datetime(2100, 1, 1)) | st.dates(date(1901, 1, 1)) | st.times()
)


class TestAnySource:
    @given(drawn=st.lists(posts(), min_size=1, max_size=4))
    @FUZZ
    def test_of_objects(self, tmp_path: Path, drawn: list[CreatePost]) -> None:
        assert None not in same_again(tmp_path, drawn)

    @given(row=st.dictionaries(names, items, max_size=4), start=st.sampled_from([cells, fields, scheduled]))
    @FUZZ
    def test_of_json_lines(self, tmp_path: Path, row: Mapping[str, Any], start: Any) -> None:
        same_again(tmp_path, written(tmp_path / "posts.jsonl", json.dumps({**start(), **row})))

    @given(row=st.dictionaries(names, any_text, max_size=4), start=st.sampled_from([cells, scheduled]))
    @pytest.mark.parametrize("separator", ["|", ",", ";"])
    @FUZZ
    def test_of_csv(self, tmp_path: Path, row: Mapping[str, str], start: Any, separator: str) -> None:
        file = written(tmp_path / "posts.csv", as_csv({**start(), **row}))
        same_again(
            tmp_path, file, list_separator=separator, **({"columns": {"unknown": None}} if "unknown" in row else {})
        )

    @given(row=st.dictionaries(names.filter(lambda name: name != "unknown"), cells_of_sheets, max_size=4))
    @FUZZ
    def test_of_a_workbook(self, tmp_path: Path, row: Mapping[str, object]) -> None:
        whole = {**scheduled(), **row}
        clean = [value.replace("_x", "") if isinstance(value, str) else value for value in whole.values()]
        same_again(tmp_path, workbook(tmp_path / "posts.xlsx", list(whole), clean))


def wrong_cells() -> Iterator[tuple[str, object]]:
    yield from (("channel_type", "myspace"), ("channel_id", "x"), ("post_type", 5), ("publish_mode", "x"))
    yield from (("media_urls", "TBD"), ("schedule_time", "soon"), ("time_zone", "EST"), ("caption_text", None))


@given(
    text=any_text.filter(lambda text: bool(text.strip()) and "#" not in text),
    tags=st.lists(st.text("aé|#=", min_size=1), max_size=3),
    wrong=st.sampled_from(list(wrong_cells())),
)
@FUZZ
def test_correcting_one_cell_changes_one_cell(
    tmp_path: Path, text: str, tags: list[str], wrong: tuple[str, object]
) -> None:
    item = {**fields(caption_text=text, hash_tags=tags or None, post_extra={"title": text.strip(), "category": 5}),
            "publish_mode": "scheduled", "schedule_time": "2027-10-31 02:30", "time_zone": "Europe/Berlin"}  # fmt: skip
    name, value = wrong
    [expected] = parsed([item])
    copy = copied(tmp_path, [{**item, name: value}])
    assert requests(copy) == [None]
    right = A.replace("a.jpg", "") if name == "media_urls" else str(item[name])
    if name == "media_urls":
        item["media_urls"] = [right]
        [expected] = parsed([item])
    [found] = parsed(corrected(copy, **{name: right}))
    if isinstance(expected, Row):
        assert isinstance(found, Row), found
        if name != "caption_text":
            assert found.request == expected.request
