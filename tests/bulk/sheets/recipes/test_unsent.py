"""Exports of other programs: labels, pictures and polls that are not sent, and advice that leads to the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async import ConfigurationError
from marketingblocks_async.bulk import Recipe, SourceError
from marketingblocks_async.bulk.sheets.new_recipe import draft_columns
from marketingblocks_async.bulk.sheets.words import COMMAND_LINE
from tests.bulk.sheets.recipes.test_translation import BERLIN, FACEBOOK, Read, options, table

A, B = "https://cdn.example.com/a.jpg", "https://cdn.example.com/b.mp4?v=1"
NOTION = ["Created time", "Last edited time"]
ASANA = ["Task ID", "Created At", "Completed At", "Assignee Email"]
CLICK_UP = ["Task ID", "Task Name", "List Name"]
SPROUT = ["Post ID", "Sent by", "Linked Content"]


def read(file: Path, cells: dict[str, str], header: tuple[str, ...] = (), **more: Any) -> Read:
    recipe = options(channels=FACEBOOK, fixed=BERLIN, **more)
    names = ["Date", "Copy", *cells, *header]
    return Read(table(file, names, ["2027-03-14 09:05", "Tulips", *cells.values(), *("" for _ in header)]), recipe)


@pytest.mark.parametrize("tags", ["#spring", "#spring #sale", "#spring, #sale,", "#frühling;#春"])
@pytest.mark.parametrize("header", [(), NOTION, ASANA])
def test_words_with_the_sign_are_hash_tags(file: Path, tags: str, header: list[str]) -> None:
    assert read(file, {"Tags": tags}, tuple(header)).values("hash_tags") == [tags]


@pytest.mark.parametrize("tags", ["urgent", "spring, sale", "#spring, sale", "Q3"])
def test_what_may_be_labels_is_not_published(file: Path, tags: str) -> None:
    found = read(file, {"Tags": tags})
    assert not found.posts
    [message] = found.messages
    assert '--map "Tags=hash_tags"' in message
    assert '--map "Tags="' in message
    assert read(file, {"Tags": tags}, columns={"Tags": "hash_tags"}).values("hash_tags") == [tags]
    left_out = read(file, {"Tags": tags}, columns={"Tags": None})
    assert left_out.values("hash_tags") == [None]
    assert left_out.plan.source.left_out == {"Tags": 1}


@pytest.mark.parametrize("tags", ["-", "n/a"])
def test_what_stands_for_no_tags_is_left_out(file: Path, tags: str) -> None:
    found = read(file, {"Tags": tags})
    assert found.values("caption_text", "hash_tags") == [("Tulips", None)]
    assert found.plan.source.left_out == {"Tags": 1}


@pytest.mark.parametrize("header", [NOTION, ASANA, CLICK_UP, SPROUT])
def test_labels_of_a_program_are_left_out(file: Path, header: list[str]) -> None:
    found = read(file, {"Tags": "urgent"}, tuple(header))
    assert found.values("caption_text", "hash_tags") == [("Tulips", None)]
    assert found.plan.source.left_out == {"Tags": 1}


def test_tags_beside_the_own_names_of_fields_are_hash_tags(file: Path) -> None:
    names = {"post_type": "post", "publish_mode": "scheduled", "media_urls": "", "tags": "spring"}
    assert read(file, names).values("hash_tags") == ["spring"]


@pytest.mark.parametrize(("tags", "target"), [("#a #b", "hash_tags"), ("urgent", None), ("", "hash_tags")])
def test_a_new_recipe_does_not_publish_labels(file: Path, tags: str, target: str | None) -> None:
    columns = draft_columns(table(file, ["Copy", "Tags"], ["Tulips", tags]))
    assert columns[1].target == target


@pytest.mark.parametrize(
    "name", ["Mídia", "Grafik", "Image Src", "画像URL", "Slide 1", "Reel", "Carousel", "Featured", "Post-Bild"]
)
def test_a_picture_in_a_column_of_any_name_is_not_dropped(file: Path, name: str) -> None:
    for cell, media in ((A, [A]), (f"{A}, {B}", [A, B]), (f"{A} {B}", [A, B]), (f"{A}\n{B}", [A, B])):
        found = read(file, {name: cell})
        if found.posts:
            assert found.values("media_urls") == [media]
            continue
        [message] = found.messages
        assert f'--map "{name}=media_urls"' in message
        assert f'--map "{name}="' in message
        assert read(file, {name: cell}, columns={name: "media_urls"}).values("media_urls") == [media]
        assert read(file, {name: cell}, columns={name: None}).values("media_urls") == [[]]


@pytest.mark.timeout(20)
def test_cells_of_thousands_of_blanks_take_no_minutes(file: Path) -> None:
    cell = "tulip.jpg" + " " * 3_900 + "x"
    assert read(file, {f"Column {number}": cell for number in range(200)}).values("caption_text") == ["Tulips"]


def test_attachments_of_airtable_are_told(file: Path) -> None:
    address = "https://v5.airtableusercontent.com/v3/u/1"
    for cell in (f"tulip.jpg ({address})", f"a b.jpg ({address}),c.png ({address})"):
        assert '--map "Grafik=media_urls"' in read(file, {"Grafik": cell}).messages[0]


def test_all_columns_of_pictures_are_told_at_once(file: Path) -> None:
    found = read(file, {"Slide 1": A, "Slide 2": B})
    assert '--map "Slide 1=media_urls" and --map "Slide 2=media_urls"' in found.messages[0]


def test_names_of_files_are_told_if_the_row_has_no_media(file: Path) -> None:
    [message] = read(file, {"Grafik": "Tulips 1.JPG"}).messages
    assert 'upload them and write their addresses into a column "Image", or leave it out: --map "Grafik="' in message
    # A name of a file is no address.
    assert "=media_urls" not in message
    assert 'into a column "Foto"' in read(file, {"Grafik": "a.jpg", "Foto": ""}).messages[0]
    assert "upload them" in read(file, {"": "a.jpg"}).messages[0]
    assert read(file, {"Grafik": "Tulips 1.JPG", "Image": A}).values("media_urls") == [[A]]


def test_only_columns_of_addresses_can_be_used_as_media(file: Path) -> None:
    [message] = read(file, {"Grafik": "a.jpg", "Final": A, "Mixed": f"{A}; b.jpg"}).messages
    assert 'say --map "Final=media_urls"; otherwise leave them out: --map "Grafik=" and --map "Final="' in message
    assert read(file, {"Grafik": "a.jpg", "Final": A}, columns={"Final": "media_urls"}).values("media_urls") == [[A]]


def test_pictures_in_a_column_without_a_name_are_told(file: Path) -> None:
    assert "column C has no name in the header and holds pictures" in read(file, {"": A}).messages[0]


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("Thumbnail", A), ("thumbnailUrl", A), ("Reference image", A), ("Client logo", A), ("Landing", "https://e.com/a"),
        ("Grafik", "Anna"), ("Grafik", "see logo.png and crop it to a square."), ("Brand notes", A),
    ],
)  # fmt: skip
def test_what_is_no_picture_of_the_post_is_left_out_as_before(file: Path, name: str, cell: str) -> None:
    assert read(file, {name: cell}).values("media_urls") == [[]]


@pytest.mark.parametrize("name", ["Source", "Photo credit", "OG image", "ogImage", "Copyright", "Landing page image"])
def test_pictures_of_a_source_or_of_a_page_are_left_out(file: Path, name: str) -> None:
    assert read(file, {"Image": A, name: B}).values("media_urls") == [[A]]
    assert read(file, {name: B}).values("media_urls") == [[]]


@pytest.mark.parametrize("name", ["Image source", "Source image", "Quelle Bild", "Link image"])
def test_what_may_be_the_picture_itself_is_told_if_the_row_has_no_other(file: Path, name: str) -> None:
    assert read(file, {"Image": A, name: B}).values("media_urls") == [[A]]
    assert f'--map "{name}=media_urls"' in read(file, {"Image": "", name: B}).messages[0]


def test_the_picture_of_a_page_is_left_out_beside_its_link(file: Path) -> None:
    assert read(file, {"Link": "https://e.com/a", "Link image": A}).values("media_urls") == [[]]
    assert '--map "Link image=media_urls"' in read(file, {"Link": "", "Link image": A}).messages[0]
    assert read(file, {"Image link": A}).values("media_urls") == [[A]]


def test_the_page_of_a_person_is_no_picture(file: Path) -> None:
    assert read(file, {"Grafik": "https://images.unsplash.com/@anna"}).values("media_urls") == [[]]
    assert read(file, {"Grafik": "https://images.unsplash.com/photo-1"}).messages


def test_a_picture_that_is_sent_may_stand_twice(file: Path) -> None:
    assert read(file, {"Image": A, "Final": A}).values("media_urls") == [[A]]
    assert '"Final"' in read(file, {"Image": A, "Final": B}).messages[0]


POLL = {"Type": "POLL", "Poll option 1": "Red", "Poll option 2": "Blue", "Poll duration": "1440"}


def test_a_poll_is_not_published_as_a_plain_text(file: Path) -> None:
    columns = {f"LinkedIn {name}": cell for name, cell in POLL.items()}
    found = read(file, columns)
    assert not found.posts
    leave_out = " ".join(f'--map "{name}="' for name in list(columns)[:3])
    assert leave_out in found.messages[0]
    assert '--where "LinkedIn Type!=POLL"' in found.messages[0]
    assert not read(file, columns, where=["LinkedIn Type!=POLL"]).messages
    ignored = dict.fromkeys(list(columns)[:3])
    assert read(file, columns, columns=ignored).values("caption_text") == ["Tulips"]


def test_options_of_a_poll_are_enough_to_tell_one(file: Path) -> None:
    assert "a poll, which the API cannot publish" in read(file, {"Poll option 1": "Red"}).messages[0]
    assert read(file, {"Poll option 1": "", "Poll duration": "1440"}).values("caption_text") == ["Tulips"]
    for name, cell in (("Poll", "no"), ("Poll", "n/a"), ("Poll", "-"), ("Poll idea", "Which?"), ("Poll ideas", "a, b")):
        assert read(file, {name: cell}).values("caption_text") == ["Tulips"]


@pytest.mark.parametrize("recipe", ["publer", "calendar", "sprout"])
def test_a_recipe_that_goes_by_names_needs_a_header(file: Path, recipe: str) -> None:
    table(file, ["2027-03-14 09:05", "Tulips"])
    given = options(recipe, channels=FACEBOOK, header=0)
    with pytest.raises(ConfigurationError, match=r'--no-header: the recipe .*--map "A=schedule_time"'):
        Read(file, given)
    letters = {"A": "schedule_time", "B": "caption_text"}
    assert Read(file, given, columns=letters).values("caption_text") == ["Tulips"]
    assert Read(file, given.with_options(columns=letters)).values("caption_text") == ["Tulips"]


def test_date_and_time_of_sendible_are_joined(file: Path) -> None:
    names = ["Message", "Send Date", "Send Time"]
    recipe = options(channels=FACEBOOK)
    found = Read(table(file, names, ["Tulips", "2027-03-14", "09:05"]), recipe)
    assert found.values("schedule_time") == ["2027-03-14 09:05"]
    # Beside the date of the post it is that of something else.
    table(file, [*names, "Date", "Time"], ["Tulips", "2027-03-20", "12:00", "2027-03-14", "09:05"])
    found = Read(file, recipe)
    assert found.values("schedule_time") == ["2027-03-14 09:05"]
    assert found.plan.source.left_out == {"Send Date": 1, "Send Time": 1}


META = {
    "Post ID": "122", "Page ID": "101", "Page name": "Tulips", "Title": "Sale", "Description": "Spring sale",
    "Duration (sec)": "0", "Publish time": "03/20/2027 09:00", "Caption type": "", "Permalink": "https://e.com/1",
    "Is crosspost": "0", "Post type": "Photos", "Custom labels": "", "Date": "Lifetime", "Reach": "10",
}  # fmt: skip


def test_the_errors_about_an_export_of_meta_lead_to_the_end(file: Path) -> None:
    table(file, [*META], [*META.values()])
    with pytest.raises(SourceError, match="leave out all columns that hold no field, say --recipe calendar"):
        Read(file, Recipe(words=COMMAND_LINE))
    recipe = options(channels=FACEBOOK)
    messages = " ".join(Read(file, recipe).messages)
    assert '--map "Publish time=schedule_time" and --map "Date="' in messages
    assert '--map "COLUMN=caption_text"' in messages
    said = {"Publish time": "schedule_time", "Date": None, "Description": "caption_text"}
    found = Read(file, recipe, columns=said)
    assert found.values("caption_text", "schedule_time", "post_type") == [("Spring sale", "2027-03-20 09:00", "post")]
