"""The step that an error about a file names leads on, and not to the next error of its kind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from marketingblocks_async.bulk.sheets.recipe import Recipe, load_recipe
from marketingblocks_async.bulk.sheets.rows import Row
from marketingblocks_async.bulk.sheets.sources import read_rows
from marketingblocks_async.bulk.sheets.words import COMMAND_LINE
from tests.support.workbooks import FIELDS, HEADER, LINE, failure, parsed, post, posts, workbook, written


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "posts.csv"


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


@pytest.mark.parametrize(
    ("column", "holds"),
    [("Datum", "date"), ("Uhrzeit", "time"), ("Copy", "caption_text"), ("Post Date", "date"), ("Platforms", "channel"),
     ("Creative", "media_urls"), ("Landing page", "link")],
)  # fmt: skip
def test_a_usual_name_is_understood(file: Path, column: str, holds: str) -> None:
    message = failure(written(file, f"channel_type,{column}\nfacebook,x\n")).message
    assert f'columns={{"{column}": "{holds}"}}' in message


def test_an_unusual_name_is_told_the_fields(file: Path) -> None:
    message = failure(written(file, "channel_type,Kanal\nfacebook,x\n")).message
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


def test_a_header_in_the_middle_of_files_put_together(file: Path) -> None:
    written(file, f"\ufeff{HEADER}\n{LINE}\n\ufeff{HEADER}\n{LINE}\n")
    first, again, last = parsed(file)
    assert isinstance(first, Row)
    assert isinstance(last, Row)
    assert isinstance(again, list)
    assert [error.message for error in again] == ["this row repeats the header; delete it"]
