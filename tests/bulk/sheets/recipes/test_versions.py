"""Columns that hold a newer text, date or picture, or that of one platform, and that would be left out."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async.bulk import Plan, make_plan
from marketingblocks_async.bulk.sheets.recipes.recipe import load_recipe
from marketingblocks_async.bulk.sheets.words import COMMAND_LINE
from tests.support.workbooks import workbook, written

A, B = "https://cdn.example.com/a.jpg", "https://cdn.example.com/b.jpg"
PAGE = "https://example.com/posts/1"
FIXED = {"time_zone": "Europe/Berlin", "post_extra.title": "Bread", "post_extra.category": "22"}


def planned(source: Path, columns: dict[str, str | None] | None = None) -> tuple[list[dict[str, Any]], Plan]:
    found: list[dict[str, Any]] = []
    channels = ["facebook:11", "youtube:15"]
    how = load_recipe("calendar").with_options(words=COMMAND_LINE, fixed=FIXED, channels=channels)
    plan = make_plan(source, recipe=how, columns=columns, on_row=lambda row: found.append(row.post.wire()))
    return found, plan


def captions(source: Path, columns: dict[str, str | None] | None = None) -> list[str]:
    return [post["caption_text"] for post in planned(source, columns)[0]]


def sheet(file: Path, column: str, *rows: str, platform: str = "Facebook") -> Path:
    lines = [f"Date,Time,Platform,Caption,{column}", *(f"2027-03-14,09:00,{platform},{row}" for row in rows)]
    return written(file, "\n".join(lines))


@pytest.mark.parametrize(
    "column",
    [
        "Final caption", "Revised caption", "Copy (approved)", "Approved copy", "Caption (final)", "Caption v2",
        "Caption (new version)", "Caption (DE)", "Texte final", "Neuer Text", "Texto revisado", "NEW Caption \u2705",
        "Caption (English)", "Caption (translation)", "Caption (short)", "Copy (option 2)",
        "Text (in English)", "Copy (client version)", "L\u00e9gende", "Texto del post",
    ],
)  # fmt: skip
def test_another_text_is_not_left_out(file: Path, column: str) -> None:
    sheet(file, column, "old,new", "same,same", "old,", "old,yes", "old,Approved", "old,n/a")
    found, plan = planned(file)
    assert ([post["caption_text"] for post in found], plan.invalid) == (["same", "old", "old", "old", "old"], 1)
    [error] = plan.errors
    assert error.column == column
    assert f'say --map "Caption=" and --map "{column}=caption_text"' in error.message
    assert captions(file, {column: None}) == ["old", "same", "old", "old", "old", "old"]
    assert captions(file, {"Caption": None, column: "caption_text"})[:2] == ["new", "same"]
    # Who names the other column means it.
    assert len(captions(file, {"Caption": "caption_text"})) == 6


@pytest.mark.parametrize("column", ["Copy approved", "Caption approved?", "Caption notes", "New customers", "Final?"])
def test_a_column_about_the_text_is_not_one(file: Path, column: str) -> None:
    assert captions(sheet(file, column, "old,by Ann on Monday")) == ["old"]


@pytest.mark.parametrize(
    "column",
    [
        "Content (topic)", "Content (pillar)", "Post (format)", "Post (goal)", "Caption (CTA)", "Caption (hook)",
        "Copy (headline)", "Copy (feedback)", "Text (on image)",
    ],
)  # fmt: skip
def test_what_is_in_brackets_may_be_no_text_for_the_public(file: Path, column: str) -> None:
    assert captions(sheet(file, column, "old,Our tips for all the bread of a long week")) == ["old"]


@pytest.mark.parametrize("column", ["New content", "Facebook post"])
def test_a_column_whose_name_may_ask_what_the_post_is(file: Path, column: str) -> None:
    sheet(file, column, "a,Evergreen", "b,Single image", "c,The bread is ready", f"d,{'Schwarzbrot' * 3}")
    assert captions(file) == ["a", "b"]


@pytest.mark.parametrize(
    "column", ["New date", "Date (new)", "Revised date", "Neues Datum", "Nouvelle date", "Date (final)"]
)
def test_another_date_is_not_left_out(file: Path, column: str) -> None:
    lines = [
        f"Date,{column},Time,Platform,Caption", "2027-03-14,2027-03-20,09:00,Facebook,x",
        "2027-03-14,,09:00,Facebook,y", "2027-03-14,2027-03-14,09:00,Facebook,z",
    ]  # fmt: skip
    written(file, "\n".join(lines))
    assert captions(file) == ["y", "z"]
    assert planned(file, {"Date": None, column: "date"})[0][0]["schedule_time"] == "2027-03-20 09:00"


def test_a_new_date_beside_a_column_of_date_and_time(file: Path) -> None:
    lines = ["Publish at,New date,Platform,Caption", "2027-03-14 09:00,2027-03-20,Facebook,x"]
    assert captions(written(file, "\n".join(lines))) == []


def test_the_dates_of_a_workbook_are_compared_without_their_time_of_day(tmp_path: Path) -> None:
    day = dt.date(2027, 3, 14)
    row = [day, dt.datetime(2027, 3, 14), "09:00", "Facebook", "x"]
    file = workbook(tmp_path / "a.xlsx", ["Date", "New date", "Time", "Platform", "Caption"], row)
    assert captions(file) == ["x"]


@pytest.mark.parametrize(
    "column",
    [
        "Approved date", "Date approved", "Updated date", "Last updated", "Due date", "Date edited", "Edited date",
        "Final date", "Final day", "Latest date", "Fecha final",
    ],
)  # fmt: skip
def test_the_day_of_an_approval_or_an_end_is_no_new_date(file: Path, column: str) -> None:
    lines = [f"Date,{column},Time,Platform,Caption", "2027-03-14,2027-03-01,09:00,Facebook,x"]
    assert captions(written(file, "\n".join(lines))) == ["x"]


@pytest.mark.parametrize("column", ["Time (New York)", "New York time"])
def test_a_time_elsewhere_is_no_new_time(file: Path, column: str) -> None:
    lines = [f"Date,Time,{column},Platform,Caption", "2027-03-14,09:00,03:00,Facebook,x"]
    assert "holds another" not in str(planned(written(file, "\n".join(lines)))[1].errors)


def test_a_calendar_of_one_account_with_many_columns_needs_no_options(file: Path) -> None:
    others = (
        "Week,Day,Campaign,Hook,CTA,Client approved,Collab handle,Location tag,Brand voice,Tagged accounts,Live link"
    )
    rows = ["1,Sunday,Spring,H1,Buy,yes,@a,Berlin,warm,@b,", "1,Monday,Spring,H2,Buy,yes,@c,Paris,bold,@d,"]
    lines = [f"Date,Time,Platform,Page name,Caption,{others}"]
    lines += [f"2027-03-{14 + number},09:00,Facebook,Bakery,x,{row}" for number, row in enumerate(rows)]
    assert captions(written(file, "\n".join(lines))) == ["x", "x"]


def test_another_picture_is_not_left_out(file: Path) -> None:
    lines = ["Date,Time,Platform,Caption,Image,Final image,Image approved"]
    lines += [f"2027-03-14,09:00,Facebook,{text},{A},{image},yes" for text, image in (("x", B), ("y", A), ("z", ""))]
    written(file, "\n".join(lines))
    assert captions(file) == ["y", "z"]
    found, _ = planned(file, {"Image": None, "Final image": "media_urls"})
    assert found[0]["media_urls"] == [B]


@pytest.mark.parametrize(
    ("column", "platform", "other"),
    [
        ("Video description", "youtube", "facebook"), ("YouTube description", "youtube", "facebook"),
        ("Facebook post", "facebook", "youtube"), ("Facebook version", "facebook", "youtube"),
    ],
)  # fmt: skip
def test_the_text_of_one_platform_is_not_left_out(file: Path, column: str, platform: str, other: str) -> None:
    assert captions(sheet(file, column, "old,its own text", platform=other)) == ["old"]
    sheet(file, column, "old,its own text", "old,", f"old,{PAGE}", "old,Square", platform=platform)
    found, plan = planned(file)
    assert (len(found), plan.invalid) == (3, 1)
    assert f'--map "{column}={platform}.caption_text"' in plan.errors[0].message
    assert captions(file, {column: f"{platform}.caption_text"})[:2] == ["its own text", "old"]
