"""The step that an error about a file names leads on, and not to the next error of its kind."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async.bulk import Plan, SourceError, make_plan
from marketingblocks_async.bulk.sheets.recipes.recipe import Recipe, load_recipe
from marketingblocks_async.bulk.sheets.rows import Row
from marketingblocks_async.bulk.sheets.sources import read_rows
from marketingblocks_async.bulk.sheets.words import COMMAND_LINE
from marketingblocks_async.errors import MarketingBlocksError
from marketingblocks_async.models import CreatePost
from tests.support.workbooks import FIELDS, HEADER, LINE, failure, parsed, post, posts, workbook, written

ZIP = b"PK\x05\x06" + bytes(18)
"""A ZIP archive without a file in it."""


def tabular(path: Path, *lines: str) -> Path:
    """Write rows of cells without commas to a CSV file or a workbook."""
    if path.suffix == ".csv":
        return written(path, "\n".join(lines))
    return workbook(path, *(line.split(",") for line in lines))


def plan_of(path: Path, **how: Any) -> Plan:
    """Return the plan of a file, as far as it can be read."""
    try:
        found: Plan | None = make_plan(path, **how)
    except SourceError as error:
        found = error.plan
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["posts.csv", "posts.xlsx"])
def test_the_row_of_a_header_below_a_title_and_a_blank_row(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    table = [["Content plan of March"], [], list(FIELDS), list(FIELDS.values())]
    if path.suffix == ".csv":
        written(path, "\n".join(",".join(row) or ",,," for row in table))
    else:
        workbook(path, *table)
    message = failure(path, recipe=Recipe(words=COMMAND_LINE)).message
    assert "line 3 looks like it" in message
    advised = re.search(r"--header-row (\d+)", message)
    assert advised is not None
    assert post(path, recipe=Recipe(header=int(advised[1]))).caption_text == "Hello"


@pytest.mark.parametrize("groups", ["Post info,,,Schedule", "Text,,,Schedule,,Media", "Schedule,,Copy,,,Media"])
@pytest.mark.parametrize("above", [[], ["Content plan of March"]])
@pytest.mark.parametrize("name", ["posts.csv", "posts.xlsx"])
def test_the_row_of_a_header_below_a_line_of_groups(tmp_path: Path, name: str, above: list[str], groups: str) -> None:
    path = tmp_path / name
    table = [*([above] if above else []), groups.split(","), list(FIELDS), list(FIELDS.values())]
    if path.suffix == ".csv":
        written(path, "\n".join(",".join(row) for row in table))
    else:
        workbook(path, *table)
    given, first = len(table) - 2, table[len(above)][0]
    message = failure(path, recipe=Recipe(header=given, words=COMMAND_LINE)).message
    taken = "the first row" if given == 1 else f"row {given}"
    assert message.startswith(f'{taken} ("{first}") is not the header, but line {given + 1} looks like it')
    advised = re.search(r"--header-row (\d+)", message)
    assert advised is not None
    assert post(path, recipe=Recipe(header=int(advised[1]))).caption_text == "Hello"


@pytest.mark.parametrize("groups", ["Post info,,,", "Content,,Media,Assets"])
def test_a_line_of_groups_above_a_header_that_a_recipe_reads(file: Path, groups: str) -> None:
    written(file, f"{groups}\nDatum,Uhrzeit,Text,Kanal\n2027-03-14,09:05,Hello,facebook\n")
    message = failure(file, recipe=load_recipe("calendar").with_options(words=COMMAND_LINE)).message
    assert message.endswith("--header-row 2")


def test_captions_that_are_names_of_columns_are_no_header(file: Path) -> None:
    written(file, "Copy,Notes,Who,Why\nText,Image,Anna,-\nDate,Time,Schedule,we need a caption about this\n")
    how = load_recipe("calendar").with_options(
        channels=["facebook:11"], fixed={"publish_mode": "queued", "post_type": "post"}
    )
    assert [each.caption_text for each in posts(file, recipe=how)] == ["Text", "Date"]
    written(file, f"{HEADER},hash_tags\n{LINE.replace('Hello', 'Text')},Link\n")
    assert post(file).caption_text == "Text"


@pytest.mark.parametrize(
    ("column", "holds"),
    [("Datum", "date"), ("Uhrzeit", "time"), ("Copy", "caption_text"), ("Post Date", "date"), ("Platforms", "channel"),
     ("Creative", "media_urls"), ("Landing page", "link")],
)  # fmt: skip
def test_a_usual_name_is_understood(file: Path, column: str, holds: str) -> None:
    message = failure(written(file, f"channel_type,{column}\nfacebook,x\n")).message
    assert f'columns={{"{column}": "{holds}"}}' in message


def test_an_unusual_name_is_told_the_fields(file: Path) -> None:
    message = failure(written(file, "channel_type,Wo\nfacebook,x\n")).message
    assert "a FIELD is one of caption_text, media_urls, link, date, time, " in message


def test_no_recipe_is_advised_that_finds_one_field_twice(file: Path) -> None:
    header = "Post Date,Post Time,Social Network,Post Copy,Link"
    written(file, f"{header}\n13/03/2027,12:05 am,Facebook,midnight,\n14/03/2027,12:05 pm,Facebook,noon,\n")
    message = failure(file).message
    for advised in re.findall(r"the recipe ([a-z-]+)", message):
        with read_rows(file, recipe=advised) as rows:
            assert list(rows)
    how = load_recipe("socialpilot").with_options(
        channels=["facebook:11"], fixed={"time_zone": "Europe/Berlin", "post_type": "post"}
    )
    assert [each.schedule_time for each in posts(file, recipe=how)] == ["2027-03-13 00:05", "2027-03-14 12:05"]


@pytest.mark.parametrize(
    ("header", "advised"),
    [
        ("Date,Platform,Caption,Image", "calendar"),
        ("Date,Time,Platform,Caption,Link,Image,Hashtags,Status", "calendar"),
        ("Message,Publish Date,Channel,Link,Image URL,Label", "contentstudio"),
        ("Subject,Date,Time,Channels,Copy,State,Timezone", "loomly"),
    ],
)
def test_a_plain_calendar_is_not_taken_for_the_file_of_a_program(file: Path, header: str, advised: str) -> None:
    written(file, f"{header}\n{'x,' * header.count(',')}x\n")
    assert failure(file).message.startswith(f"this looks like a file for the recipe {advised}: ")


METRICOOL = "Text,Date,Time,Draft,Facebook,Twitter/X,Instagram,Picture Url 1"


@pytest.mark.parametrize("name", ["posts.csv", "posts.xlsx"])
@pytest.mark.parametrize("kinds", ["", ",Instagram Post Type,Facebook Post Type,Threads Post Type,TikTok Post Type"])
def test_the_recipe_of_a_file_whose_rows_say_post_several_times(tmp_path: Path, name: str, kinds: str) -> None:
    row = f"Hello,2027-03-15,09:05:00,FALSE,TRUE,FALSE,FALSE,{',POST' * kinds.count(',')}"
    path = tabular(tmp_path / name, f"{METRICOOL}{kinds}", row)
    message = failure(path, recipe=Recipe(words=COMMAND_LINE)).message
    assert message.startswith("this looks like a file for the recipe metricool: --recipe metricool")
    how = load_recipe("metricool").with_options(channels=["facebook:11"], fixed={"time_zone": "Europe/Berlin"})
    assert post(path, recipe=how).caption_text == "Hello"


@pytest.mark.parametrize("name", ["posts.csv", "posts.xlsx"])
@pytest.mark.parametrize(
    "above",
    [
        "facebook,instagram,linkedin,,google,youtube",
        "All Social,All Social,Facebook,Instagram,,",
        "Schedule,Text,,,Media,",
    ],
)
def test_the_recipe_of_a_header_of_two_rows(tmp_path: Path, name: str, above: str) -> None:
    kind = "type (post/story/reel)"
    header = f"postAtSpecificTime (YYYY-MM-DD HH:mm:ss),content,{kind},{kind},imageUrls,videoUrls"
    row = "2027-03-14 09:00:00,Hello,reel,post,https://x.example/a.jpg,"
    path = tabular(tmp_path / name, above, header, row)
    message = failure(path, recipe=Recipe(words=COMMAND_LINE)).message
    assert message == "this looks like a file for the recipe highlevel-advanced: --recipe highlevel-advanced"
    fixed = {"time_zone": "Europe/Berlin"}
    how = load_recipe("highlevel-advanced").with_options(channels=["facebook:11"], fixed=fixed)
    assert post(path, recipe=how).post_type == "reel"


def test_rows_in_single_cells_of_a_sheet(tmp_path: Path) -> None:
    path = workbook(tmp_path / "posts.xlsx", [HEADER], [LINE])
    assert failure(path).message.startswith('each row is one single cell ("channel_type,')


def test_a_title_that_names_columns_is_no_row_in_a_cell(file: Path) -> None:
    message = failure(written(file, f'"Our plan: date, text, media",,\n{HEADER}\n{LINE}\n')).message
    assert "line 2 looks like" in message


@pytest.mark.parametrize("address", ["https://docs.google.com/spreadsheets/d/1/edit", "http://e.com/posts.csv"])
@pytest.mark.parametrize("kind", [str, Path])
def test_an_address_is_no_file(address: str, kind: Callable[[str], str | Path]) -> None:
    error = failure(kind(address))
    assert "download it as CSV or XLSX" in error.message
    assert error.file == address


def test_a_header_in_the_middle_of_files_put_together(file: Path) -> None:
    written(file, f"\ufeff{HEADER}\n{LINE}\n\ufeff{HEADER}\n{LINE}\n")
    first, again, last = parsed(file)
    assert isinstance(first, Row)
    assert isinstance(last, Row)
    assert isinstance(again, list)
    assert [error.message for error in again] == ["this row repeats the header; delete it"]


def test_captions_in_columns_of_the_platforms_go_where_there_is_one(file: Path) -> None:
    written(file, "Date,Facebook,Instagram,LinkedIn\n2027-03-14 09:05,For FB,For IG,\n2027-03-15 09:05,,Only IG,\n")
    columns: dict[str, str | None] = {
        name: f"{name.casefold()}.caption_text" for name in ("Facebook", "Instagram", "LinkedIn")
    }
    how = load_recipe("calendar").with_options(
        columns=columns, fixed={"time_zone": "Europe/Berlin"}, channels=["facebook:11", "instagram:12", "linkedin:13"]
    )
    assert [(each.channel_type, each.caption_text) for each in posts(file, recipe=how)] == [
        ("facebook", "For FB"), ("instagram", "For IG"), ("instagram", "Only IG"),
    ]  # fmt: skip
    written(file, "Date,Facebook,Instagram,Notes\n2027-03-14 09:05,,,none yet\n")
    [problems] = parsed(file, recipe=how.with_options(columns={"Notes": None}))
    assert isinstance(problems, list)
    assert "there is no caption in Facebook, Instagram; write one, or leave the row out" in str(problems[0])


@pytest.mark.parametrize("sign", [",", " / ", "\n", " + "])
def test_several_platforms_in_a_cell(tmp_path: Path, sign: str) -> None:
    table = f"{HEADER}\n{LINE}\n".replace("facebook,11", f'"facebook{sign}X","11,12"')
    file = written(tmp_path / "posts.csv", table)
    [problems] = parsed(file)
    assert isinstance(problems, list)
    assert 'several platforms; write a row for each, or say recipe="calendar"' in problems[0].message
    found = [(each.channel_type, each.channel_id) for each in posts(file, recipe="calendar")]
    assert found == [("facebook", 11), ("twitter", 12)]


def test_a_header_in_another_language_is_told_column_by_column(file: Path) -> None:
    message = failure(written(file, "Red social,Fecha,Hora,Texto\nFacebook,14/03/2027,09:05,Hola\n")).message
    for column, holds in (("Red social", "channel"), ("Fecha", "date"), ("Hora", "time"), ("Texto", "caption_text")):
        assert f'columns={{"{column}": "{holds}"}}' in message


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("posts.csv", HEADER.encode() + b"\nfacebook,1,post,\x9f\x00,,now\n", "--encoding cp125"),
        ("posts.csv", f"sep=;\n{HEADER}\n".encode(), "separated by another sign; leave out"),
        ("posts.json", b'[{"channel_type": "facebook"},]', "a comma behind the last entry of the list; delete it"),
        ("posts.jsonl", b'{"channel_type": "facebook"}{"channel_type": "facebook"}', "write one object a line"),
        ("posts.jsonl", b'{"channel_type": "facebook"},', "delete the comma at its end"),
        ("posts.csv", f'"{HEADER}"\n"{LINE}"\n'.encode(), "each row is one single cell, in double quotes"),
        ("posts.csv", b'"""Text"";""Date"""\n"""Hi"";""2027-03-14"""\n', "split the first column"),
        ("posts.csv.gz", b"\x1f\x8b", "unpack it first"),
        ("Export.zip", b"PK\x03\x04", "unpack it first"),
        ("posts.csv", b"PK\x03\x04", "unpack it first"),
        ("posts.xlsx", ZIP, "no XLSX workbook; unpack it first"),
        ("posts.csv", b"{\\rtf1\\ansi", "plain text"),
        ("~$posts.xlsx", b"\x05Anna", "give the file itself"),
        (".~lock.posts.csv#", b",anna", "give the file itself"),
    ],
)
def test_what_to_do_about_a_broken_file(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    plan = plan_of(written(tmp_path / name, content), recipe=Recipe(words=COMMAND_LINE))
    assert words in " ".join(error.message for error in plan.errors)
    assert "encoding='" not in str(plan.errors)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"sheet": "March"}, "--sheet March is for XLSX files only"),
        ({"format": "ods"}, "--format ods: give one of csv, "),
        ({"list_separator": "/"}, "--list-separator /: give a sign"),
    ],
)
def test_options_are_called_as_the_command_line_calls_them(file: Path, how: dict[str, str], words: str) -> None:
    written(file, f"{HEADER}\n{LINE}\n")
    with pytest.raises(MarketingBlocksError, match=f"{words}"):
        parsed(file, recipe=Recipe(words=COMMAND_LINE), **how)


def test_a_sheet_that_a_recipe_names_is_told_as_the_recipe_s(file: Path, tmp_path: Path) -> None:
    written(file, f"{HEADER}\n{LINE}\n")
    path = tmp_path / "mine.toml"
    path.write_text('[file]\nsheet = "March"\n', encoding="utf-8")
    recipe = load_recipe(path).with_options(words=COMMAND_LINE)
    with pytest.raises(MarketingBlocksError, match=r'mine\.toml has sheet = "March", .* take that line out'):
        parsed(file, recipe=recipe)
    with pytest.raises(MarketingBlocksError, match="--sheet April is for XLSX files only"):
        parsed(file, recipe=recipe, sheet="April")


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (Recipe(delimiter=";", words=COMMAND_LINE), "leave out what says otherwise: --delimiter ';'"),
        (Recipe(header=5, words=COMMAND_LINE), "ends above the header: --header-row 5, but its last row .* number 2"),
    ],
)
def test_an_option_that_does_not_fit_the_file_is_named(file: Path, recipe: Recipe, words: str) -> None:
    written(file, f"{HEADER}\n{LINE}\n")
    with pytest.raises(MarketingBlocksError, match=words):
        parsed(file, recipe=recipe)


@pytest.mark.parametrize("sign", [",", ";", " "])
def test_the_separator_of_lists_can_be_copied_into_a_shell(tmp_path: Path, sign: str) -> None:
    media = ["https://x.example/a.jpg", "https://x.example/b.jpg"]
    line = LINE.replace(FIELDS["media_urls"], f'"{sign.join(media)}"')
    file = written(tmp_path / "posts.csv", f"{HEADER}\n{line}\n")
    [problems] = parsed(file, recipe=Recipe(words=COMMAND_LINE))
    assert isinstance(problems, list)
    advised = re.search(r"--list-separator (.+?) \(a comma", problems[0].message)
    assert advised is not None
    [separator] = shlex.split(advised[1])
    assert post(file, list_separator=separator).media_urls == media


@pytest.mark.parametrize("name", ["My Page", "@handle", "Bob & Jo", "Café", "x.example/page"])
@pytest.mark.parametrize("column", ["Account", "channel_id"])
def test_the_name_of_a_channel_in_place_of_its_id(tmp_path: Path, column: str, name: str) -> None:
    header, line = HEADER.replace("channel_id", column), LINE.replace(",11,", f",{name},")
    path = written(tmp_path / "posts.csv", f"{header}\n{line}")
    (error,) = plan_of(path, recipe=Recipe(words=COMMAND_LINE)).errors
    advised = re.fullmatch(r'".*" is not the id .*; write its digits, .* it is: --channel (.*)', error.message)
    assert advised is not None
    (option,) = shlex.split(advised[1])
    assert option == f"{name}=facebook:11"
    assert post(path, recipe=Recipe().with_options(channels=[option])).channel_id == 11


def test_the_first_advice_does_not_publish_at_once(tmp_path: Path) -> None:
    file = tmp_path / "posts.csv"
    file.write_text("caption_text,media_urls\nTulips,\n")
    plan = make_plan(file, recipe=Recipe().with_options(words=COMMAND_LINE))
    [message] = [fault.message for fault in plan.faults if fault.column == "publish_mode"]
    assert "--set publish_mode=scheduled (each at its schedule_time), queued" in message
    assert "publish_mode=now" not in message


def test_tweets_without_a_caption_are_told_a_way_that_works(tmp_path: Path) -> None:
    file = tmp_path / "thread.csv"
    recipe = load_recipe("calendar").with_options(words=COMMAND_LINE, channels=["twitter:7"])
    recipe = recipe.with_options(fixed={"publish_mode": "now"})
    file.write_text("Tweet 1,Tweet 2,Tweet 3\nOne,Two,Three\n")
    [fault] = make_plan(file, recipe=recipe).faults
    assert 'add a column "Caption"' in fault.message
    assert "--set post_type=thread" in fault.message
    file.write_text("Caption,Tweet 1,Tweet 2,Tweet 3\nOne,One,Two,Three\n")
    posts: list[CreatePost] = []
    make_plan(
        file, recipe=recipe.with_options(fixed={"post_type": "thread"}), on_row=lambda row: posts.append(row.post)
    )
    assert [len(post.twitter_threads or ()) for post in posts] == [3]


def test_a_title_between_the_rows_is_to_be_deleted(tmp_path: Path) -> None:
    file = tmp_path / "calendar.csv"
    lines = ["Copy,Date,Time", "Content calendar December,,", "Tulips,2099-03-01,10:00", ",Week three,"]
    recipe = load_recipe("calendar").with_options(words=COMMAND_LINE, channels=["facebook:11"])
    recipe = recipe.with_options(fixed={"time_zone": "Europe/Berlin"})
    file.write_text("\n".join(lines))
    plan = make_plan(file, recipe=recipe)
    assert (plan.valid, plan.invalid) == (1, 2)
    assert all("delete the row" in error.message for error in plan.errors)
    assert [error.column for error in plan.errors] == ["Copy", "Date"]
    # Only what would be sent in the next free slot is told so.
    assert ["publish_mode=queued" in error.message for error in plan.errors] == [True, False]
    file.write_text("\n".join([lines[0], lines[2]]))
    assert (make_plan(file, recipe=recipe).valid, make_plan(file, recipe=recipe).invalid) == (1, 0)
    file.write_text("\n".join([f"{lines[0]},,Owner", lines[2], ",,,Week three", ",,,,,Week four"]))
    named = [(error.column, "delete the row" in error.message) for error in make_plan(file, recipe=recipe).errors]
    assert named == [("column D", True), ("column F", False)]
    # A date alone, and a row with more, are told what is missing.
    file.write_text("\n".join([lines[0], ",2099-03-01,", "Tulips,,10:00"]))
    assert not any("delete the row" in error.message for error in make_plan(file, recipe=recipe).errors)
    file.write_text("\n".join(lines[:3]))
    queued = recipe.with_options(defaults={"publish_mode": "queued"})
    assert make_plan(file, recipe=queued).valid == 2
