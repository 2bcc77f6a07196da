"""Columns that say whose posts they are, and that hold no field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async.bulk import Plan, make_plan
from marketingblocks_async.bulk.sheets.columns import names_accounts
from marketingblocks_async.bulk.sheets.recipes.recipe import load_recipe
from marketingblocks_async.bulk.sheets.words import COMMAND_LINE
from tests.support.workbooks import failure, posts, workbook, written

NAMED = ["Bakery A=facebook:11", "Shop B=facebook:21"]
NOW = {"publish_mode": "now"}


def planned(
    source: Any, channels: list[str], columns: dict[str, str | None] | None = None, recipe: str = "calendar"
) -> tuple[list[tuple[str, int]], Plan]:
    """Return caption and channel of each post, and the plan."""
    found: list[tuple[str, int]] = []
    how = load_recipe(recipe).with_options(words=COMMAND_LINE, fixed=NOW, channels=channels)
    plan = make_plan(
        source,
        recipe=how,
        columns=columns,
        on_row=lambda row: found.append((row.post.caption_text, row.post.channel_id)),
    )
    return found, plan


def sheet(file: Path, column: str, *rows: str) -> Path:
    return written(file, "\n".join([f"Platform,{column},Caption", *rows]))


def two(file: Path, column: str = "Client") -> Path:
    return sheet(file, column, "Facebook,Bakery A,x", "Facebook,Shop B,y")


@pytest.mark.parametrize(
    "column",
    [
        "Client", "Account name", "Page name", "Profile name", "Channel name", "Username", "Handle", "Client (name)",
        "Instagram handle", "Facebook brand", "Store ID", "Client location", "Kunde", "Seite", "Profil", "Compte",
        "Conta", "Perfil", "Client \U0001f464",
    ],
)  # fmt: skip
def test_posts_of_two_accounts_for_one_channel_are_refused(file: Path, column: str) -> None:
    two(file, column)
    found, plan = planned(file, ["facebook:11"])
    assert (found, plan.invalid) == ([], 2)
    assert {error.column for error in plan.errors} == {column}
    assert f'--map "{column}=channel" and --channel "Bakery A=facebook:ID"' in plan.errors[0].message
    assert planned(file, NAMED, {column: "channel"})[0] == [("x", 11), ("y", 21)]
    assert planned(file, ["facebook:11"], {column: None})[0] == [("x", 11), ("y", 11)]


@pytest.mark.parametrize("column", ["Location", "Brand", "Company", "Store name", "Customer", "Marke", "Filiale"])
def test_a_place_or_a_brand_is_an_account_only_where_the_options_have_several(file: Path, column: str) -> None:
    two(file, column)
    found, plan = planned(file, ["facebook:11", "instagram:12"])
    assert (found, plan.invalid) == ([("x", 11), ("y", 11)], 0)
    [note] = plan.source.notes
    assert note.startswith(f'the column "{column}" may name several accounts ("Bakery A", "Shop B")')
    assert planned(file, ["facebook:11"], {column: None})[1].source.notes == []
    for channels in (["facebook:11", "facebook:21"], [*NAMED, "facebook:11"], ["facebook:11", "Page=instagram:12"]):
        found, plan = planned(file, channels)
        assert (found, plan.valid, plan.source.notes) == ([], 0, [])
    assert planned(file, NAMED, {column: "channel"})[0] == [("x", 11), ("y", 21)]


@pytest.mark.parametrize("channels", [NAMED, [*NAMED, "facebook:11"]])
def test_an_account_that_the_options_name_is_not_ignored(file: Path, channels: list[str]) -> None:
    two(file, "Whose")
    found, plan = planned(file, channels)
    assert (found, plan.invalid) == ([], 2)
    assert all('say --map "Whose=channel"' in error.message for error in plan.errors)
    assert planned(file, channels, {"Whose": "channel"})[0] == [("x", 11), ("y", 21)]


@pytest.mark.parametrize(
    "rows",
    [
        ["Facebook,Bakery A,x", "Facebook,bakery a ,y", "Facebook,,z"],
        # Each platform has an account of its own.
        ["Facebook,Bakery A,x", "Instagram,@bakery,y"],
        ["Facebook,yes,x", "Facebook,no,y"],
        ["Facebook,FB,x", "Facebook,Facebook,y"],
        ["Facebook,n/a,x", "Facebook,Bakery A,y"],
    ],
)
def test_one_account_for_each_channel_is_no_reason_to_ask(file: Path, rows: list[str]) -> None:
    found, plan = planned(sheet(file, "Handle", *rows), ["facebook:11", "instagram:12"])
    assert (len(found), plan.invalid) == (len(rows), 0)


@pytest.mark.parametrize("other", ["Account ID", "Profile"])
def test_a_row_that_says_its_channel_needs_no_account(file: Path, other: str) -> None:
    ids = ("11", "11") if other == "Account ID" else ("Bakery A", "Bakery A")
    lines = [f"Platform,{other},Brand,Caption", f"Facebook,{ids[0]},Spring,x", f"Facebook,{ids[1]},Summer,y"]
    written(file, "\n".join(lines))
    assert planned(file, NAMED)[0] == [("x", 11), ("y", 11)]


def test_ids_of_pages_may_be_ids_of_channels(file: Path) -> None:
    sheet(file, "Page ID", "Facebook,11,x", "Facebook,22,y")
    found, plan = planned(file, ["facebook:11"])
    assert (found, plan.invalid) == ([], 2)
    assert '--map "Page ID=channel_id"' in plan.errors[0].message
    assert planned(file, [], {"Page ID": "channel_id"})[0] == [("x", 11), ("y", 22)]
    assert planned(file, ["11=facebook:1", "22=facebook:2"], {"Page ID": "channel"})[0] == [("x", 1), ("y", 2)]


def test_objects_are_read_once_so_the_second_account_is_refused() -> None:
    rows = [{"platform": "facebook", "client": name, "caption": name} for name in ("A", "A", "B")]
    found, plan = planned(rows, ["facebook:11"])
    assert ([caption for caption, _ in found], plan.invalid) == (["A", "A"], 1)


def test_the_brand_of_metricool_is_no_exception(file: Path) -> None:
    written(file, "Text,Draft,Facebook,Brand name\nx,FALSE,TRUE,Bakery A\ny,FALSE,TRUE,Shop B\n")
    found, plan = planned(file, ["facebook:11"], recipe="metricool")
    assert (found, plan.invalid) == ([], 2)
    assert planned(file, NAMED, {"Brand name": "channel"}, "metricool")[0] == [("x", 11), ("y", 21)]


def test_a_column_of_platforms_beside_the_accounts_stays_one(file: Path) -> None:
    lines = ["Channels,Client,Caption", "Facebook,Bakery A,x", "Instagram,Bakery A,y"]
    written(file, "\n".join(lines))
    channels = ["Bakery A=facebook:11", "Bakery A=instagram:12"]
    assert planned(file, channels, {"Client": "channel"})[0] == [("x", 11), ("y", 12)]


def test_a_page_of_a_platform_is_named_and_is_no_caption(file: Path) -> None:
    two(file, "Facebook page")
    found, plan = planned(file, ["facebook:11"])
    assert (found, plan.invalid) == ([], 2)
    said = '--map "Facebook page=channel" and --channel "Bakery A=facebook:ID"'
    assert said in plan.errors[0].message
    assert "caption_text" not in plan.errors[0].message
    assert planned(file, NAMED, {"Facebook page": "channel"})[0] == [("x", 11), ("y", 21)]


BOTH = ["facebook:11", "instagram:12"]


@pytest.mark.parametrize("name", ["Facebook", "FB", "Facebook posts"])
def test_a_sheet_of_one_platform_does_not_go_to_all(tmp_path: Path, name: str) -> None:
    path = workbook(tmp_path / "a.xlsx", ["Caption", "Notes"], ["x", "y"], title=name)
    message = failure(path, recipe=load_recipe("calendar").with_options(words=COMMAND_LINE, channels=BOTH)).message
    assert "--set channel_type=facebook or --set channel_type=instagram" in message
    for platform, channel in (("facebook", 11), ("instagram", 12)):
        how = load_recipe("calendar").with_options(channels=BOTH, fixed={**NOW, "channel_type": platform})
        assert [post.channel_id for post in posts(path, recipe=how)] == [channel]
    assert planned(path, BOTH[:1])[0] == [("x", 11)]


@pytest.mark.parametrize("name", ["Sheet1", "May", "Facebook & Instagram"])
def test_other_sheets_go_to_all_channels(tmp_path: Path, name: str) -> None:
    path = workbook(tmp_path / "a.xlsx", ["Caption", "Notes"], ["x", "y"], title=name)
    assert planned(path, BOTH)[0] == [("x", 11), ("x", 12)]


@pytest.mark.parametrize("section", ["FACEBOOK,", ",Facebook "])
def test_rows_below_a_row_that_is_a_platform_do_not_go_to_all(file: Path, section: str) -> None:
    written(file, f"Caption,Notes\na,n\n{section}\nx,n\nINSTAGRAM,\ny,n\n")
    found, plan = planned(file, BOTH)
    assert found == [("a", 11), ("a", 12)]
    assert plan.invalid
    assert all('in a column "Platform"' in error.message for error in plan.errors)
    assert [caption for caption, _ in planned(file, ["facebook:11"])[0]] == ["a", "x"]


def test_a_mark_alone_in_a_row_is_no_platform(file: Path) -> None:
    written(file, "Caption,Notes\nx,\ny,n\n")
    assert len(planned(file, BOTH)[0]) == 4


def test_a_platform_alone_in_a_row_of_a_file_that_says_the_platforms_is_another_matter(file: Path) -> None:
    written(file, "Platform,Caption\nFacebook,\nFacebook,x\n")
    assert ("x", 11) in planned(file, BOTH)[0]


@pytest.mark.parametrize("platform", [5, True, 1.5])
def test_a_platform_of_a_wrong_type_gives_no_advice_about_the_id(platform: object) -> None:
    _, plan = planned([{"platform": platform, "caption": "x"}], ["facebook:11"])
    assert plan.errors
    assert not any("channel_id" in error.message for error in plan.errors)


@pytest.mark.parametrize("name", ["Project", "Client approved", "Brand colour", "Account manager", "Store link", "ID"])
def test_other_columns_name_no_accounts(name: str) -> None:
    assert not names_accounts(name)
