"""The files that say how a spreadsheet is read, and what is refused in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from marketingblocks_async.bulk.sheets.recipes.recipe import (
    Channel,
    Condition,
    Recipe,
    load_recipe,
    parse_channels,
    parse_conditions,
    parse_recipe,
    recipe_names,
)
from marketingblocks_async.bulk.sheets.spellings import PLATFORMS, POST_TYPES, spelled, truth
from marketingblocks_async.errors import ConfigurationError

WHOLE = """
title = "Our calendar"
format_seen = "our own"
notes = "none"
other_columns = "ignore"

[file]
header = 2
sheet = "March"
encoding = "cp1252"
delimiter = ";"

[columns]
"Copy" = "caption"
"Day" = "date"
"Hour" = "time"
"Asset *" = "media_urls"
"Page" = "link"
"Where" = "channel"
"Facebook" = "facebook"
"IG text" = "instagram.caption_text"
"Notes" = ""

[set]
publish_mode = "scheduled"
channel_id = 11
post_extra.title = "Video"
"twitter.post_type" = "tweet"

[default]
post_type = "post"
time_zone = "Europe/Berlin"
time = "9:00"

[values.channel_type]
"Der Vogel" = "twitter"

[dates]
format = ["DD/MM/YYYY hh:mm a", "YYYY-MM-DD"]

[separators]
media_urls = ","
channel = "+"

[channels]
"Tulip shop" = ["facebook:11", "X:12"]
instagram = "instagram:13"

[where]
Approved = ["yes", true]

[unless]
Status = "draft"
"""


class TestFile:
    def test_everything_it_can_say(self) -> None:
        recipe = parse_recipe(WHOLE, "mine.toml")
        assert recipe == Recipe(
            name="mine.toml",
            title="Our calendar",
            format_seen="our own",
            notes="none",
            other_columns="ignore",
            header=2,
            sheet="March",
            encoding="cp1252",
            delimiter=";",
            columns={
                "Copy": "caption_text",
                "Day": "date",
                "Hour": "time",
                "Asset *": "media_urls",
                "Page": "link",
                "Where": "channel",
                "Facebook": "facebook",
                "IG text": "instagram.caption_text",
                "Notes": None,
            },
            fixed={
                "publish_mode": "scheduled",
                "channel_id": "11",
                "post_extra.title": "Video",
                "twitter.post_type": "tweet",
            },
            defaults={"post_type": "post", "time_zone": "Europe/Berlin", "time": "09:00"},
            values={"channel_type": {"Der Vogel": "twitter"}},
            date_formats=("DD/MM/YYYY hh:mm a", "YYYY-MM-DD"),
            separators={"media_urls": ",", "channel": "+"},
            channels={
                "Tulip shop": (Channel("facebook", "11"), Channel("twitter", "12")),
                "instagram": (Channel("instagram", "13"),),
            },
            where=(Condition("Approved", ("yes", "true")), Condition("Status", ("draft",), wanted=False)),
        )

    def test_no_header_is_zero_or_false(self) -> None:
        assert parse_recipe("[file]\nheader = false").header == 0
        assert parse_recipe("[file]\nheader = 0").header == 0

    def test_an_empty_file_says_nothing(self) -> None:
        assert parse_recipe("").is_plain
        assert not parse_recipe('[set]\npost_type = "post"').is_plain

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("Copy = caption", "it is not TOML"),
            ('[colums]\nCopy = "caption_text"', "there is no 'colums' in a recipe; did you mean columns?"),
            (
                '[columns]\nCopy = "captoin_text"',
                'column "Copy": there is no field "captoin_text"; did you mean caption_text?',
            ),
            ("[columns]\nCopy = 1", "[columns] Copy: give text in quotes, not 1"),
            ("columns = 1", "columns is a table: write [columns]"),
            ('[columns]\nA = "pinterest"', 'there is no field "pinterest"'),
            ('[columns]\nA = "facebook.channel_id"', 'there is no field "facebook.channel_id"'),
            ('[set]\npublish_mode = "sheduled"', "set publish_mode = 'sheduled': \"sheduled\" is not one of: now"),
            ("[set]\npublish_mode = true", "[set] publish_mode: give text or a whole number, not True"),
            ('[set]\nchannel_id = "eleven"', "set channel_id = 'eleven': \"eleven\" is not a whole number"),
            ('[set]\nchannel = "facebook"', None),
            ('[set]\nmedia_urls = "https://x.example/a.jpg"', "set media_urls: this cannot be the same for every row"),
            ('[set]\ntime = "09:00"', "give it as a default, for rows without one"),
            ('[default]\ntime_zone = "EST5"', "default time_zone = 'EST5'"),
            ('[default]\ntime = "9"', "default time: it is empty"),
            ('[default]\npost_type = ""', "default post_type: it is empty"),
            ('[values]\nchannel_type = "x"', "[values] channel_type: write [values.channel_type]"),
            ('[values.platfrom]\nX = "twitter"', "there is no field platfrom"),
            ('[dates]\nformat = "DD/MM"', "is not complete: it needs year, month and day"),
            ('[dates]\nformats = "DD/MM/YYYY"', "[dates] has no 'formats'; it has format"),
            ('[separators]\ntags = ","', "[separators] tags: give media_urls, hash_tags or channel"),
            ('[separators]\nmedia_urls = "/"', "give a sign that is no part of an address"),
            ('[channels]\nshop = "facebook"', "channel 'shop=facebook': write PLATFORM:ID"),
            ('[channels]\nshop = "pinterest:11"', '"pinterest" is not one of: facebook'),
            ("[file]\nheader = -1", "header = -1: give the number of the row"),
            ("[file]\nheader = true", "[file] header: give a number, not True"),
            ('[file]\ndelimiter = "::"', "give one sign, for example ';'"),
            ('[file]\nsheets = "A"', "[file] has no 'sheets'; did you mean sheet?"),
            ('other_columns = "drop"', 'give "refuse" or "ignore"'),
            ("title = 1", "title: give text in quotes, not 1"),
        ],
    )
    def test_what_cannot_be_meant_is_refused(self, text: str, message: str | None) -> None:
        if message is None:
            # "channel" is another name of channel_type.
            assert parse_recipe(text).fixed == {"channel_type": "facebook"}
            return
        with pytest.raises(ConfigurationError, match=re.escape(message)) as info:
            parse_recipe(text, "mine.toml")
        assert str(info.value).startswith("recipe mine.toml: ")


class TestLoading:
    @pytest.mark.parametrize("name", recipe_names())
    def test_every_recipe_that_comes_with_the_package(self, name: str) -> None:
        recipe = load_recipe(name)
        assert recipe.name == name
        assert recipe.title
        assert recipe.format_seen
        assert recipe.defaults["post_type"] == "post"
        assert not {"channel_id", "channel_type", "time_zone"} & (recipe.fixed.keys() | recipe.defaults.keys())
        assert load_recipe(name.upper().replace("-", " ")) == recipe

    def test_an_unknown_name_says_which_there_are(self) -> None:
        with pytest.raises(ConfigurationError, match=r"did you mean hootsuite\?; there are agorapulse, "):
            load_recipe("hootsuit")

    def test_a_file_of_ones_own(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.toml"
        path.write_text('\ufeff[columns]\n"Ä" = "link"\n', encoding="utf-8")
        assert load_recipe(path).columns == {"Ä": "link"}
        assert load_recipe(str(path)).name == str(path)
        recipe = Recipe()
        assert load_recipe(recipe) is recipe

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="it cannot be read"):
            load_recipe(tmp_path / "none.toml")


class TestOptions:
    def test_they_win_over_the_recipe(self) -> None:
        recipe = Recipe(
            columns={"Text": "caption_text", "Tags": None},
            fixed={"publish_mode": "scheduled"},
            channels={"facebook": (Channel("facebook", "1"),)},
            where=(Condition("Status", ("draft",), wanted=False), Condition("Week", ("1",))),
            date_formats=("DD/MM/YYYY",),
        )
        changed = recipe.with_options(
            columns={"Tags": "hash_tags"},
            fixed={"publish_mode": "queued", "channel_id": "11"},
            channels=["fb:2", "fb:3"],
            where=["Status=approved|ready", "Status=live", "Kind!=ad"],
            date_formats=["MM/DD/YYYY"],
            header=0,
            sheet=None,
        )
        assert list(changed.columns.items()) == [("Tags", "hash_tags"), ("Text", "caption_text")]
        assert changed.fixed == {"publish_mode": "queued", "channel_id": "11"}
        assert changed.channels == {"facebook": (Channel("facebook", "2"), Channel("facebook", "3"))}
        assert list(map(str, changed.where)) == ["Week=1", "Status=approved|ready|live", "Kind!=ad"]
        assert changed.date_formats == ("MM/DD/YYYY",)
        assert changed.header == 0
        assert recipe.with_options() == recipe

    @pytest.mark.parametrize("text", ["facebook", "facebook:", ":11", "facebook:x", "", "a=b=facebook"])
    def test_a_channel_that_is_none(self, text: str) -> None:
        with pytest.raises(ConfigurationError, match="PLATFORM:ID"):
            parse_channels([text])

    def test_channels(self) -> None:
        assert parse_channels(["Tulip shop (FB) = Facebook : 011", "x:12", "x:12"]) == {
            "Tulip shop (FB)": (Channel("facebook", "11"),),
            "twitter": (Channel("twitter", "12"),),
        }

    @pytest.mark.parametrize("text", ["Approved", "=yes", "!=yes", ""])
    def test_a_condition_that_is_none(self, text: str) -> None:
        with pytest.raises(ConfigurationError, match="COLUMN=VALUE"):
            parse_conditions([text])

    def test_an_empty_value_means_an_empty_cell(self) -> None:
        assert parse_conditions(["Approved="]) == (Condition("Approved", ("",)),)


class TestSpellings:
    @pytest.mark.parametrize(
        ("text", "platform"),
        [
            ("X", "twitter"), ("Twitter/X", "twitter"), ("X (Twitter)", "twitter"), ("𝕏", "twitter"),
            ("FB", "facebook"), ("Facebook Page", "facebook"),
            ("IG", "instagram"), ("LinkedIn Page", "linkedin"), ("Tik-Tok", "tiktok"),
            ("You Tube", "youtube"), ("Threads", "threads"), ("X (formerly Twitter)", "twitter"),
        ],
    )  # fmt: skip
    def test_platforms(self, text: str, platform: str) -> None:
        assert PLATFORMS[spelled(text)] == platform

    @pytest.mark.parametrize("text", ["Pinterest", "GBP", "Bluesky", "Meta", "Google"])
    def test_no_platform(self, text: str) -> None:
        assert spelled(text) not in PLATFORMS

    def test_kinds_of_posts(self) -> None:
        assert [POST_TYPES[spelled(text)] for text in ("Reels", "STORY", "Stories", "Post")] == [
            "reel", "story", "story", "post",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ("TRUE", True), ("yes", True), ("x", True), ("✓", True), (True, True), ("Nein", False), (None, False),
            ("", False), ("0", False), ("maybe", None), ("✅", True), ("✔\ufe0f", True), ("❌", False), ("-", False),
            ("\U0001f7e2", None), ("\u25cf", None), ("checked", True), ("unchecked", False),
            ("+", True), ("√", True), ("?", None), ("•", None), ("/", False), ("tak", True), ("Nie", False),
        ],
    )  # fmt: skip
    def test_truth(self, value: object, said: bool | None) -> None:
        assert truth(value) is said
