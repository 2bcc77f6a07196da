"""Spreadsheets as other programs export them, row by row to the posts that they mean."""

from __future__ import annotations

import csv
import importlib
import io
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async.bulk import Plan, Row, SourceError, amake_plan, make_plan
from marketingblocks_async.bulk.sheets.recipes.recipe import Recipe, load_recipe
from marketingblocks_async.bulk.sheets.words import COMMAND_LINE
from tests.support.workbooks import workbook

BERLIN = {"time_zone": "Europe/Berlin"}
FACEBOOK = ["facebook:11"]


def options(recipe: str | Recipe = "calendar", **more: Any) -> Recipe:
    more.setdefault("fixed", BERLIN)
    return load_recipe(recipe).with_options(words=COMMAND_LINE, **more)


class Read:
    """What a source becomes."""

    def __init__(self, source: Any, recipe: Recipe, **how: Any) -> None:
        self.rows: list[Row] = []
        self.plan: Plan = make_plan(source, recipe=recipe, on_row=self.rows.append, **how)

    @property
    def posts(self) -> list[dict[str, Any]]:
        return [row.post.wire() for row in self.rows]

    def values(self, *fields: str) -> list[Any]:
        return [post.get(fields[0]) if len(fields) == 1 else tuple(map(post.get, fields)) for post in self.posts]

    @property
    def messages(self) -> list[str]:
        return [f"{error.column}: {error.message}" for error in self.plan.errors]


def table(path: Path, *rows: list[str], delimiter: str = ",", encoding: str = "utf-8") -> Path:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def advised(messages: list[str], ids: Iterator[int] | None = None) -> list[str]:
    """Return the channels that messages say to give, with ids."""
    waiting = iter(range(1, 99)) if ids is None else ids
    found = [name for message in messages for name in re.findall(r'--channel "?([^";]+):ID', message)]
    return [f"{name}:{next(waiting)}" for name in dict.fromkeys(found)]


class TestPrograms:
    def test_hootsuite(self, file: Path) -> None:
        table(
            file,
            ["03/14/2027 09:05", "Sale, come by!", "https://x.example/s"],
            ["03/04/2027 14:20", "Three\nideas", ""],
        )
        found = Read(file, options("hootsuite", channels=FACEBOOK))
        assert found.values("caption_text", "schedule_time") == [
            ("Sale, come by!\nhttps://x.example/s", "2027-03-14 09:05"),
            ("Three\nideas", "2027-03-04 14:20"),
        ]
        assert found.plan.source.dates == "MM/DD/YYYY: `03/14/2027 09:05` in line 1 only fits month first"

    def test_hootsuite_with_semicolons_two_columns_and_a_header(self, file: Path) -> None:
        table(
            file,
            ["Date", "Message"],
            ["14/03/2027 09:05", "Kommt vorbei, bald"],
            ["3/4/2027 9:05", "x; y"],
            delimiter=";",
        )
        found = Read(file, options("hootsuite", channels=FACEBOOK))
        assert found.values("caption_text", "schedule_time") == [
            ("Kommt vorbei, bald", "2027-03-14 09:05"),
            ("x; y", "2027-04-03 09:05"),
        ]
        assert found.plan.source.notes == [
            "line 1 is a header; it is left out, and the columns are taken by their place"
        ]

    @pytest.mark.parametrize("when", ["TBD", "tomorrow", "next Monday", "Date TBD"])
    @pytest.mark.parametrize("link", ["", "https://x.example/s"])
    def test_a_first_row_without_a_date_is_no_header(self, file: Path, when: str, link: str) -> None:
        table(file, [when, "Spring sale", link], ["03/14/2027 09:05", "Two", ""])
        found = Read(file, options("hootsuite", channels=FACEBOOK))
        assert found.values("caption_text") == ["Two"]
        [message] = found.messages
        assert f'"{when}" is not a point in time' in message

    @pytest.mark.parametrize(
        ("header", "is_header"),
        [
            (["Date (DD/MM/YYYY)", "Message", "Link"], True),
            (["Datum", "Beitrag", ""], True),
            (["Wann", "Text", "Link"], True),
            (["Date", "Date night!", "https://x.example/s"], False),
        ],
    )
    def test_a_header_has_names_of_columns_and_no_data(self, file: Path, header: list[str], is_header: bool) -> None:
        table(file, header, ["14/03/2027 09:05", "Two", ""])
        assert bool(Read(file, options("hootsuite", channels=FACEBOOK)).messages) is not is_header

    def test_publer(self, file: Path) -> None:
        header = [
            "Date - Intl. format or prompt", "Text", "Link(s) - Separated by comma for FB carousels",
            "Media URL(s) - Separated by comma", "Title - For the video | pin | PDF ..",
            "Label(s) - Separated by comma",
            "Comment(s) - Separated by ||", "Post subtype - I.e. story | reel | PDF ..", "Reminder - For stories",
        ]  # fmt: skip
        media = "https://x.example/a.jpg, https://x.example/b,c.jpg"
        table(
            file,
            header,
            ["2027/03/14 09:05", "One", "", media, "", "spring", "", "", "FALSE"],
            ["2027-03-15 10:00", "Two", "", "https://x.example/v.mp4", "T", "", "first!", "Reel", "TRUE"],
        )
        found = Read(file, options("publer", channels=[*FACEBOOK, "YT:12"]))
        assert found.values("channel_type", "post_type", "media_urls", "post_extra") == [
            ("facebook", "post", ["https://x.example/a.jpg", "https://x.example/b,c.jpg"], None),
            ("facebook", "reel", ["https://x.example/v.mp4"], None),
            ("youtube", "reel", ["https://x.example/v.mp4"], {"title": "T", "category": 22, "privacyStatus": "public"}),
        ]
        assert [row.key for row in found.rows] == ["1/1", "2/1", "2/2"]
        assert found.plan.source.left_out == {
            "Label(s) - Separated by comma": 1, "Comment(s) - Separated by ||": 1, "Reminder - For stories": 1,
        }  # fmt: skip
        (error,) = found.plan.errors
        assert (error.row, error.column) == (1, "Title - For the video | pin | PDF ..")
        assert error.message == 'channel_type is "youtube", so a title is needed in post_extra.title'

    def test_sprout(self, file: Path) -> None:
        table(
            file,
            ["date", "time_24hr", "message_text", "link_url", "tags", "image_url"],
            ["14/03/2027", "09:05", "Tulips", "https://x.example", "spring", "https://x.example/a.jpg"],
            ["01/04/2027", "14:20", "Ideas", "", "", ""],
        )
        found = Read(file, options("sprout", channels=FACEBOOK))
        assert found.values("schedule_time") == ["2027-03-14 09:05", "2027-04-01 14:20"]
        assert found.plan.source.columns["time_24hr"] == "schedule_time"

    def test_buffer_and_highlevel(self, file: Path) -> None:
        table(
            file,
            ["Text", "Image URL", "Tags", "Posting Time"],
            ["Tulips", "https://x.example/a.jpg", "a,b", "2027-03-14 09:05"],
        )
        assert Read(file, options("buffer", channels=FACEBOOK)).values("hash_tags") == [None]
        mapped = options("buffer", channels=FACEBOOK, columns={"Tags": "hash_tags"})
        assert Read(file, mapped).values("hash_tags") == ["a,b"]
        table(
            file,
            [
                "postAtSpecificTime (YYYY-MM-DD HH:mm:ss)",
                "content",
                "link (OGmetaUrl)",
                "imageUrls",
                "gifUrl",
                "videoUrls",
            ],
            [
                "2027-03-14 09:00:00",
                "A",
                "https://x.example/a",
                "https://x.example/1.jpg, https://x.example/2.jpg",
                "",
                "",
            ],
            ["2027-03-14 09:00:00", "B", "", "", "https://x.example/3.gif", ""],
        )
        assert Read(file, options("highlevel", channels=FACEBOOK)).values("caption_text", "media_urls") == [
            ("A\nhttps://x.example/a", ["https://x.example/1.jpg", "https://x.example/2.jpg"]),
            ("B", ["https://x.example/3.gif"]),
        ]

    def test_highlevel_advanced_has_two_header_rows_and_names_twice(self, file: Path) -> None:
        table(
            file,
            ["All Social", "All Social", "Facebook", "Instagram", "YouTube"],
            [
                "postAtSpecificTime (YYYY-MM-DD HH:mm:ss)",
                "content",
                "type (post/story/reel)",
                "type (post/story/reel)",
                "tags",
            ],
            ["2027-03-14 09:00:00", "A", "post", "reel", ""],
        )
        found = Read(file, options("highlevel-advanced", channels=[*FACEBOOK, "ig:12"]))
        assert found.values("channel_type", "post_type") == [("facebook", "post"), ("instagram", "reel")]

    def test_metricool(self, file: Path) -> None:
        header = [
            "Text", "Date", "Time", "Draft", "Facebook", "Twitter/X", "LinkedIn", "GBP", "Instagram", "Pinterest",
            "Youtube", "Picture Url 1", "Picture Url 2", "Alt text picture 1", "Instagram Post Type",
            "Youtube Video Title",
            "Youtube Video Privacy", "Youtube Video Category", "First Comment Text", "Brand name",
            "A column of next year",
        ]  # fmt: skip
        row = dict.fromkeys(header, "")
        yes, no = "TRUE", "FALSE"
        rows: list[Mapping[str, str]] = [
            {"Text": "One", "Draft": no, "Facebook": yes, "Twitter/X": yes, "GBP": yes, "Picture Url 1": "https://x.example/a.jpg"},
            {"Text": "A draft", "Draft": yes, "Facebook": yes},
            {"Text": "Two", "Draft": no, "Instagram": yes, "Instagram Post Type": "REEL", "Brand name": "Tulips",
             "Picture Url 1": "https://x.example/a.jpg", "Picture Url 2": "https://x.example/b.jpg", "Pinterest": no},
            {"Text": "Three", "Draft": no, "Youtube": yes, "Youtube Video Title": "T",
             "Youtube Video Privacy": "UNLISTED",
             "Youtube Video Category": "HOWTO_STYLE", "Picture Url 1": "https://x.example/v.mp4"},
            {"Text": "Nowhere", "Draft": no, "Pinterest": yes},
        ]  # fmt: skip
        table(
            file,
            header,
            *(
                [*({**row, "Date": "2027-03-14", "Time": "09:05:00", "Facebook": no} | dict(each)).values()]
                for each in rows
            ),
            delimiter=";",
        )
        found = Read(file, options("metricool", channels=["facebook:11", "x:12", "instagram:13", "youtube:14"]))
        assert found.values("caption_text", "channel_type", "channel_id", "post_type") == [
            ("One", "facebook", 11, "post"),
            ("One", "twitter", 12, "post"),
            ("Two", "instagram", 13, "reel"),
            ("Three", "youtube", 14, "post"),
        ]
        assert found.posts[2]["media_urls"] == ["https://x.example/a.jpg", "https://x.example/b.jpg"]
        assert found.posts[3]["post_extra"] == {"title": "T", "category": 26, "privacyStatus": "unlisted"}
        assert found.plan.source.filtered_rows == 1
        assert found.plan.source.left_out == {"GBP": 1, "Brand name": 1, "Pinterest": 1}
        (error,) = found.plan.errors
        assert error.row == 5
        assert error.message == (
            "no platform is marked in Facebook, Twitter/X, LinkedIn, Instagram, Youtube; mark one, or leave the row out"
        )

    def test_a_platform_without_a_channel_names_the_option(self, file: Path) -> None:
        table(file, ["Text", "Date", "Time", "Facebook", "Instagram"], ["A", "2027-03-14", "09:05", "yes", "yes"])
        found = Read(file, options("metricool", channels=FACEBOOK))
        assert found.values("channel_type") == ["facebook"]
        assert found.messages == [
            "channel_id: the file does not say which instagram channel it is; say it with --channel instagram:ID"
        ]

    @pytest.mark.parametrize(
        ("recipe", "header", "row"),
        [
            ("socialbee", ["text", "link", "imageUrls", "gifUrls", "videoUrls", "postAtSpecificTime"],
             ["C", "https://x.example/l", "https://x.example/a.jpg", "", "", "2027-03-14 09:05"]),
            ("agorapulse",
             ["post_content", "post_link", "video_url", "image_url", "scheduled_date", "scheduled_time", "labels"],
             ["C", "https://x.example/l", "", "https://x.example/a.jpg", "14/03/2027", "09:05", "x"]),
            ("vistasocial", ["message", "type", "link", "time"],
             ["C\nhttps://x.example/l", "image", "https://x.example/a.jpg", "2027-03-14 9:05 am"]),
            ("later", ["Caption", "Scheduled Date", "Scheduled Time", "Media URL", "Link", "Status"],
             ["C", "14/03/2027", "9:05 AM", "https://x.example/a.jpg", "https://x.example/l", "scheduled"]),
            ("loomly", ["Subject", "Copy", "Date", "Time", "Link", "Media", "Labels", "State"],
             ["S", "C", "03/14/2027", "09:05 AM", "https://x.example/l", "https://x.example/a.jpg", "x", "approved"]),
            ("contentstudio", ["Message", "Date & Time", "Link", "Image URL"],
             ["C", "14-03-2027 09:05", "https://x.example/l", "https://x.example/a.jpg"]),
            ("planable", ["Content", "Scheduled date", "Scheduled time", "Media URLs", "Link", "Approved", "Labels"],
             ["C", "March 14, 2027", "09:05", "https://x.example/a.jpg", "https://x.example/l", "Yes", "x"]),
            ("zoho-social", ["Date", "Time", "Message", "Link", "Image URL"],
             ["14/03/2027", "09:05", "C", "https://x.example/l", "https://x.example/a.jpg"]),
            ("socialpilot", ["Post Content", "Date and Time", "Image URL", "Link"],
             ["C", "14/03/2027 09:05", "https://x.example/a.jpg", "https://x.example/l"]),
            ("calendar", ["Post copy", "Publish date", "Publish time", "Asset 1", "URL", "Notes", "Owner"],
             ["C", "14.03.2027", "9:05", "https://x.example/a.jpg", "https://x.example/l", "n", "me"]),
        ],
    )  # fmt: skip
    def test_the_others(self, file: Path, recipe: str, header: list[str], row: list[str]) -> None:
        found = Read(table(file, header, row), options(recipe, channels=FACEBOOK))
        assert found.messages == []
        (post,) = found.posts
        assert post == {
            "channel_type": "facebook", "channel_id": 11, "post_type": "post", "caption_text": "C\nhttps://x.example/l",
            "media_urls": ["https://x.example/a.jpg"], "publish_mode": "scheduled", "schedule_time": "2027-03-14 09:05",
            "time_zone": "Europe/Berlin",
        }  # fmt: skip

    def test_ayrshare_and_postfast_name_their_channels(self, file: Path) -> None:
        table(
            file,
            ["post", "platforms", "mediaUrls", "scheduleDate"],
            ["A", "twitter, facebook", "", "2027-07-08T12:30:00Z"],
        )
        found = Read(file, options("ayrshare", channels=["x:12", "fb:11"], fixed={}))
        assert found.values("channel_id", "schedule_time", "time_zone") == [
            (12, "2027-07-08 12:30", "UTC"),
            (11, "2027-07-08 12:30", "UTC"),
        ]
        table(
            file,
            ["scheduled_at", "account_id", "content"],
            ["2027-05-01T10:00:00Z", "6f1c-uuid", "A"],
            ["", "unknown", "B"],
        )
        found = Read(file, options("postfast", channels=["6f1c-uuid=instagram:13"]))
        assert found.values("channel_type", "channel_id") == [("instagram", 13)]
        assert '--channel "unknown=PLATFORM:ID"' in found.messages[0]


class TestChannels:
    @pytest.mark.parametrize(
        ("cell", "platforms"),
        [
            ("Facebook, Instagram", ["facebook", "instagram"]), ("FB; IG", ["facebook", "instagram"]),
            ("facebook|x", ["facebook", "twitter"]), ("Facebook & X", ["facebook", "twitter"]),
            ("Facebook + Twitter/X", ["facebook", "twitter"]), ("Twitter/X", ["twitter"]),
            ("Facebook/Instagram", ["facebook", "instagram"]), ("Facebook and LinkedIn Page", ["facebook", "linkedin"]),
            ("fb\nig", ["facebook", "instagram"]), ("Facebook, FB", ["facebook"]), ("𝕏", ["twitter"]),
        ],
    )  # fmt: skip
    def test_a_list_in_a_cell(self, file: Path, cell: str, platforms: list[str]) -> None:
        table(file, ["Text", "Platforms"], ["A", cell])
        every = [f"{platform}:11" for platform in ("facebook", "instagram", "linkedin", "twitter")]
        found = Read(file, options(channels=every, fixed={"publish_mode": "now"}))
        assert found.values("channel_type") == platforms
        assert [row.part for row in found.rows] == ([0] if len(platforms) == 1 else [*range(1, len(platforms) + 1)])

    def test_ids_beside_the_platforms(self, file: Path) -> None:
        table(
            file,
            ["Text", "Platform", "Account ID"],
            ["A", "facebook,instagram", "11,12"],
            ["B", "facebook,instagram", "11"],
        )
        found = Read(file, options(fixed={"publish_mode": "now"}))
        assert found.values("channel_type", "channel_id") == [("facebook", 11), ("instagram", 12)]
        assert [error.message for error in found.plan.errors] == [
            "there are 2 platforms and 1 ids; give one id for each platform, in their order"
        ] * 2

    def test_an_id_beside_the_name_of_another_channel(self, file: Path) -> None:
        """It was dropped without a word, so that the post went to the channel of the name."""
        table(file, ["Text", "Channel", "Channel ID"], ["A", "Tulip shop", "11"], ["B", "Tulip shop", "22"])
        found = Read(file, options(channels=["Tulip shop=facebook:11"], fixed={"publish_mode": "now"}))
        assert found.values("caption_text", "channel_id") == [("A", 11)]
        [error] = found.plan.errors
        assert error.column == "Channel ID"
        assert "the name is that of the channel 11, and this is another id" in error.message

    def test_one_of_several_that_is_not_known_stops_only_itself(self, file: Path) -> None:
        table(file, ["Text", "Platforms"], ["A", "Facebook, Pinterest"])
        found = Read(file, options(channels=FACEBOOK, fixed={"publish_mode": "now"}))
        assert found.values("channel_type") == ["facebook"]
        assert found.plan.invalid == 1
        assert found.messages[0].startswith('Platforms: "Pinterest" is no platform of the API (facebook, ')
        assert len(found.messages) == 1

    def test_names_of_channels(self, file: Path) -> None:
        table(file, ["Text", "Profile"], ["A", "Tulip shop"], ["B", "tulip SHOP; Balcony tips"])
        channels = ["Tulip Shop=facebook:11", "Tulip Shop=instagram:12", "Balcony tips=linkedin:13"]
        found = Read(file, options(channels=channels, fixed={"publish_mode": "now"}))
        assert found.values("channel_id") == [11, 12, 11, 12, 13]

    def test_names_of_channels_beside_a_column_of_platforms(self, file: Path) -> None:
        rows = [["Facebook", "Tulip shop", "A"], ["Facebook", "Rose shop", "B"], ["Instagram", "Tulip shop", "C"]]
        table(file, ["Platform", "Page", "Text"], *rows)
        channels = [*FACEBOOK, "instagram:13"]
        found = Read(file, options(channels=channels, fixed={"publish_mode": "now"}))
        while found.messages:
            channels += advised(found.messages, ids=iter(range(20 + len(channels), 99)))
            found = Read(file, options(channels=channels, fixed={"publish_mode": "now"}))
        assert channels == [
            "facebook:11", "instagram:13",
            "Tulip shop=facebook:22", "Rose shop=facebook:23", "Tulip shop=instagram:24",
        ]  # fmt: skip
        assert found.values("channel_type", "channel_id") == [("facebook", 22), ("facebook", 23), ("instagram", 24)]

    @pytest.mark.parametrize("column", ["Account", "Page"])
    def test_a_name_on_several_networks_goes_to_those_of_the_row(self, file: Path, column: str) -> None:
        rows = [
            ["Facebook", "Tulip shop"],
            ["Facebook, Instagram", "Tulip shop"],
            ["", "Tulip shop"],
            ["X", "Tulip shop"],
        ]
        table(file, ["Platform", column, "Text"], *([*row, "A"] for row in rows))
        channels = ["Tulip shop=facebook:11", "Tulip shop=instagram:12", "x:13"]
        found = Read(file, options(channels=channels, fixed={"publish_mode": "now"}))
        assert found.values("channel_id") == [11, 11, 12, 11, 12]
        assert advised(found.messages) == ["Tulip shop=twitter:1"]
        left_out = options(
            channels=["facebook:1", "ig:2", "x:3"], columns={column: None}, fixed={"publish_mode": "now"}
        )
        assert Read(file, left_out).values("channel_id") == [1, 1, 2, 3]

    def test_marks_beside_names_of_channels(self, file: Path) -> None:
        table(
            file,
            ["Text", "Profile", "Facebook", "Instagram"],
            ["A", "Tulip shop", "x", ""],
            ["B", "Rose shop", "x", "x"],
        )
        found = Read(file, options(channels=["Tulip shop=facebook:11", "facebook:12"], fixed={"publish_mode": "now"}))
        assert found.values("channel_id") == [11]
        assert advised(found.messages) == ["Rose shop=facebook:1", "Rose shop=instagram:2"]

    def test_a_column_that_names_no_channels_is_left_out_as_advised(self, file: Path) -> None:
        table(file, ["Text", "Platform", "Page"], ["A", "Facebook", "Home"])
        (message,) = Read(file, options(channels=FACEBOOK, fixed={"publish_mode": "now"})).messages
        assert message.endswith('if "Page" names no channel, leave it out: --map "Page="')
        table(file, ["Text", "Channel", "Page"], ["A", "Social", "Tulip shop"])
        channels = ["Tulip shop=facebook:11"]
        (message,) = Read(file, options(channels=channels, fixed={"publish_mode": "now"})).messages
        assert message.endswith('if "Channel" names no platform, leave it out: --map "Channel="')
        how = options(channels=channels, columns={"Channel": None}, fixed={"publish_mode": "now"})
        assert Read(file, how).values("channel_id") == [11]

    @pytest.mark.parametrize(
        ("platform", "page", "told"),
        [
            ("Social", "Facebook", None), ("", "Facebook", None), ("Facebook", "", None), ("Facebook", "FB Page", None),
            ("Facebook", "Instagram", '"Instagram" is not facebook, which the row names too; correct one of them'),
            ("Pinterest", "Tulip shop", '"Pinterest" is no platform of the API'),
            ("Facebook", "#N/A", "the spreadsheet shows the error #N/A here"),
        ],
    )  # fmt: skip
    def test_platforms_in_two_columns(self, file: Path, platform: str, page: str, told: str | None) -> None:
        table(file, ["Text", "Channel", "Page"], ["A", platform, page])
        channels = [*FACEBOOK, "instagram:12", "Tulip shop=facebook:13"]
        found = Read(file, options(channels=channels, fixed={"publish_mode": "now"}))
        assert found.values("channel_id") == ([11] if told is None else [])
        assert told is None or told in found.messages[0]

    def test_an_id_beside_a_page_is_enough(self, file: Path) -> None:
        table(file, ["Text", "Platform", "Page", "Account ID"], ["A", "Facebook", "Tulip shop", "11"])
        assert Read(file, options(fixed={"publish_mode": "now"})).values("channel_id") == [11]
        how = options(fixed={"publish_mode": "now", "channel_id": "12"}, columns={"Account ID": None})
        assert Read(file, how).values("channel_id") == [12]

    @pytest.mark.parametrize("page", [{"a": [1]}, True, 5, "#N/A"])
    def test_a_page_that_is_no_text_is_not_passed_over(self, page: object) -> None:
        row = {"Text": "A", "Platform": "Facebook", "Page": page}
        found = Read([row], options(channels=FACEBOOK, fixed={"publish_mode": "now"}))
        assert found.plan.invalid == 1

    def test_ids_that_are_numbers(self) -> None:
        rows = [{"Text": "A", "Account ID": 12}, {"Text": "B", "Account ID": 77}]
        found = Read(rows, options(channels=["facebook:12", "77=instagram:13"], fixed={"publish_mode": "now"}))
        assert found.values("channel_id") == [12, 13]

    def test_ids_without_a_platform_are_not_passed_over(self, file: Path) -> None:
        table(file, ["Text", "Account ID"], ["A", "12"], ["B", "77"], ["C", "Rose shop"], ["D", ""])
        now = {"publish_mode": "now"}
        channels = ["facebook:11", "instagram:12"]
        found = Read(file, options(channels=channels, fixed=now))
        assert found.values("channel_type", "channel_id") == [("instagram", 12)]
        assert advised(found.messages) == ["77=PLATFORM:1", "Rose shop=PLATFORM:2"]
        assert found.messages[2].startswith("Account ID: it is empty")
        found = Read(file, options(channels=[*channels, "77=facebook:11", "Rose shop=facebook:13"], fixed=now))
        assert found.values("channel_id") == [12, 11, 13]
        for how in (
            options(channels=["Rose shop=facebook:13"], fixed={**now, "channel_type": "facebook"}),
            options(channels=["Rose shop=facebook:13"], fixed=now, defaults={"channel_type": "facebook"}),
        ):
            assert Read(file, how).values("channel_id") == [12, 77, 13]

    def test_a_fixed_platform_keeps_the_pages_apart(self, file: Path) -> None:
        table(file, ["Text", "Page"], ["A", "Tulip shop"], ["B", "Rose shop"])
        fixed = {"publish_mode": "now", "channel_type": "facebook"}
        found = Read(file, options(channels=["Tulip shop=facebook:11"], fixed=fixed))
        assert found.values("channel_id") == [11]
        assert advised(found.messages) == ["Rose shop=facebook:1"]
        assert Read(file, options(channels=FACEBOOK, fixed=fixed)).values("channel_id") == [11, 11]

    @pytest.mark.parametrize(
        ("cell", "kinds"),
        [
            ("Instagram Story", {12: "story"}), ("IG Reel", {12: "reel"}), ("Instagram (Stories)", {12: "story"}),
            ("Facebook, Instagram Story", {11: "post", 12: "story"}), ("FB Reels & IG Reels", {11: "reel", 12: "reel"}),
            ("Facebook Post / Instagram Carousel", {11: "post", 12: "post"}), ("Instagram", {12: "post"}),
        ],
    )  # fmt: skip
    def test_a_platform_with_a_kind_of_post(self, file: Path, cell: str, kinds: Mapping[int, str]) -> None:
        table(file, ["Text", "Platform"], ["A", cell])
        channels = [*FACEBOOK, "instagram:12"]
        found = Read(file, options(channels=channels, fixed={"publish_mode": "now"}))
        assert dict(found.values("channel_id", "post_type")) == kinds
        found = Read(file, options(channels=channels, fixed={"publish_mode": "now", "post_type": "post"}))
        assert {kind for _, kind in found.values("channel_id", "post_type")} == {"post"}

    @pytest.mark.parametrize("cell", ["FB & IG Stories", "YouTube Shorts", "Instagram Story/Reel"])
    def test_a_kind_of_post_that_is_not_clear(self, file: Path, cell: str) -> None:
        table(file, ["Text", "Platform"], ["A", cell])
        found = Read(file, options(channels=[*FACEBOOK, "ig:12", "youtube:13"], fixed={"publish_mode": "now"}))
        assert found.values("channel_id") == []
        assert f'"{cell}" says the kind of post, too; write only platforms here' in found.messages[0]

    def test_a_channel_that_is_called_like_a_kind_gets_posts_of_this_kind(self, file: Path) -> None:
        table(file, ["Text", "Platform"], ["A", "Stories"])
        channels = advised(Read(file, options(channels=FACEBOOK, fixed={"publish_mode": "now"})).messages)
        channels = [each.replace("PLATFORM", "instagram") for each in channels]
        found = Read(file, options(channels=[*channels, "Instagram Story=instagram:12"], fixed={"publish_mode": "now"}))
        assert found.values("channel_id", "post_type") == [(1, "story")]

    @pytest.mark.parametrize(
        ("kind", "found"),
        [
            ("", "reel"),
            ("Reel", "reel"),
            ("Video", "reel"),
            ("Story", 'the platform says "reel", and this column "Story"'),
        ],
    )
    def test_a_platform_with_a_kind_beside_a_column_of_kinds(self, file: Path, kind: str, found: str) -> None:
        table(file, ["Text", "Platform", "Type"], ["A", "Instagram Reel", kind])
        read = Read(file, options(channels=["instagram:12"], fixed={"publish_mode": "now"}))
        assert read.values("post_type") == [found] if found == "reel" else found in read.messages[0]

    def test_a_fixed_channel_wins_over_the_file(self, file: Path) -> None:
        table(file, ["Text", "Platform", "Account ID"], ["A", "instagram", "12"])
        fixed = {"publish_mode": "now", "channel_type": "facebook", "channel_id": "11"}
        assert Read(file, options(fixed=fixed)).values("channel_type", "channel_id") == [("facebook", 11)]

    def test_nothing_known_names_the_options_once(self, file: Path) -> None:
        table(file, ["Text"], ["A"], ["B"])
        found = Read(file, options(fixed={"publish_mode": "now"}))
        message = (
            "channel_type: the file does not say where the posts go; say it with --channel facebook:11 (several times "
            "for several channels), or with --set channel_type=facebook and --set channel_id=11"
        )
        assert found.messages == [message] * 2

    def test_captions_and_kinds_of_one_platform(self, file: Path) -> None:
        table(
            file, ["Copy", "IG copy", "Link"], ["For all", "For Instagram", "https://x.example/l"], ["For all", "", ""]
        )
        recipe = Recipe(
            columns={"IG copy": "instagram.caption_text"},
            fixed={"publish_mode": "now", "twitter.post_type": "tweet"},
            defaults={"post_type": "post"},
        )
        found = Read(file, recipe.with_options(channels=["facebook:11", "instagram:12", "twitter:13"]))
        assert found.values("caption_text", "post_type") == [
            ("For all\nhttps://x.example/l", "post"), ("For Instagram\nhttps://x.example/l", "post"),
            ("For all\nhttps://x.example/l", "tweet"), ("For all", "post"), ("For all", "post"), ("For all", "tweet"),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("names", "sent"),
        [
            # Crossed out, or not sure.
            ("Facebook ❌, Instagram ✅", []), ("❌ Facebook", []), ("Facebook 🚫", []), ("!Facebook", []),
            ("-Facebook", []), ("~~Facebook~~", []), ("(Facebook)", []), ("Facebook?", []),
            ("⬜ Facebook, ✅ Instagram", []), ("[ ] Facebook, [x] Instagram", []),
            ("Facebook, Instagram ✅", ["facebook"]), ("☑ Facebook ☐ Instagram", []),
            ("[x] Facebook [ ] Instagram", []), ("🔴 Instagram, 🟢 Facebook", ["facebook"]),
            ("- [ ] Facebook", []), ("[x]", []),
            # A list of one, an entry of a list, and signs that say nothing.
            ("[Facebook]", ["facebook"]), ('["facebook"]', ["facebook"]), ("['Facebook']", ["facebook"]),
            ('["Facebook"; "Instagram"]', ["facebook", "instagram"]), ("- Facebook", ["facebook"]),
            ("FB!", ["facebook"]), ("Facebook!", ["facebook"]), ("🔴 Instagram", ["instagram"]),
            # Marked, all of them, or not marked.
            ("[x] Facebook, [x] Instagram", ["facebook", "instagram"]), ("✅ Facebook", ["facebook"]),
            ("['facebook', 'instagram']", ["facebook", "instagram"]), ("📘 FB, #insta", ["facebook", "instagram"]),
            ("- Facebook\n- Instagram", ["facebook", "instagram"]), ("Facebook + Instagram", ["facebook", "instagram"]),
            ("Wow!", ["facebook"]),
        ],
    )  # fmt: skip
    def test_a_platform_that_is_crossed_out_is_not_posted_to(self, file: Path, names: str, sent: list[str]) -> None:
        table(file, ["Text", "Platform", "Date"], ["A", names, "2027-03-14 09:05"])
        found = Read(file, options(channels=["facebook:11", "instagram:12", "Wow!=facebook:13"]))
        assert found.values("channel_type") == sent
        assert all("may mean that the post does not go there" in each for each in found.messages)
        assert bool(found.messages) == (len(sent) < len(re.split("[,+\n]", names)))

    @pytest.mark.parametrize("text", ["same", "Same as Facebook", "no post"])
    def test_an_instruction_in_place_of_the_caption_of_one_platform(self, file: Path, text: str) -> None:
        table(file, ["Facebook copy", "IG copy", "Date"], ["A", text, "2027-03-14 09:05"])
        found = Read(file, options(channels=["facebook:11", "instagram:12"]))
        assert found.values("caption_text") == ["A"]
        assert len(found.messages) == 1

    def test_a_flag_that_is_a_text_is_refused_with_what_it_may_be(self, file: Path) -> None:
        table(file, ["Facebook"], ["Come by!"])
        message = Read(file, options(channels=FACEBOOK)).messages[0]
        assert '--map "Facebook=facebook.caption_text"' in message

    def test_a_flag_in_a_language_that_is_not_known_is_no_caption(self, file: Path) -> None:
        table(file, ["Facebook"], ["EGIA"])
        (message,) = {each for each in Read(file, options(channels=FACEBOOK)).messages if "EGIA" in each}
        assert message.endswith('"EGIA" says neither yes nor no; write yes or no')


class TestRows:
    def test_rows_are_chosen(self, file: Path) -> None:
        table(
            file,
            ["Text", "Approved", "Status"],
            ["A", "Yes", "ready"], ["B", "no", "ready"], ["C", "TRUE", "Draft"], ["D", "yes ", "live"], ["E", "", ""],
        )  # fmt: skip
        chosen = options(channels=FACEBOOK, fixed={"publish_mode": "now"}, where=["approved=yes", "Status!=draft"])
        found = Read(file, chosen)
        assert found.values("caption_text") == ["A", "D"]
        assert [row.number for row in found.rows] == [1, 4]
        assert found.plan.source.filtered_rows == 3
        assert found.plan.source.left_out == {}

    @pytest.mark.parametrize(
        ("condition", "cells", "taken"),
        [
            ("Language=ja", ["ja", "da", "JA", "en"], [1, 3]),
            ("Language!=ja", ["ja", "da", "en"], [2, 3]),
            ("Country=NO", ["NO", "NE", "EI", "DE"], [1]),
            ("Country!=NO", ["NO", "NE", "DE"], [2, 3]),
            ("Country=CO|DE", ["CO", "DA", "YA", "SI", "DE"], [1, 5]),
            ("Variant=X", ["X", "Y", "J"], [1]),
            ("Approved=ja", ["ja", "\u2713", "yes", "J", "x", "nein", ""], [1, 2, 3, 4, 5]),
            ("Approved=yes", ["ja", "da", "Y", "TRUE", "1", "\u2705", "s\u00ed", "no"], [1, 2, 3, 4, 5, 6, 7]),
            ("Approved=x", ["yes", "ja", "\u2713", "no"], [1, 2, 3]),
            ("Approved=no", ["n", "nein", "0", "\u274c", "", "yes"], [1, 2, 3, 4]),
            ("Approved!=no", ["n", "nein", "", "yes"], [3, 4]),
        ],
    )
    def test_other_words_for_yes_are_taken_and_no_other_codes(
        self, file: Path, condition: str, cells: list[str], taken: list[int]
    ) -> None:
        column = re.split("!?=", condition)[0]
        table(file, ["Text", column], *([f"post {number}", cell] for number, cell in enumerate(cells)))
        found = Read(file, options(channels=FACEBOOK, fixed={"publish_mode": "now"}, where=[condition]))
        assert [row.number for row in found.rows] == taken

    def test_a_column_that_is_not_there_is_one_fault(self, file: Path) -> None:
        table(file, ["Text"], *(["A"] for _ in range(20)))
        with pytest.raises(
            SourceError, match='by the column "Approved", which is not in the header; its columns are "Text"'
        ):
            Read(file, options(where=["Approved=yes"]))

    def test_own_keys_name_the_parts(self, file: Path) -> None:
        table(file, ["Text", "Row ID"], ["A", "k1"], ["B", "k2"], ["C", "k1"])
        found = Read(file, options(channels=["facebook:11", "x:12"], fixed={"publish_mode": "now"}))
        assert [row.key for row in found.rows] == ["k1/1", "k1/2", "k2/1", "k2/2"]
        assert 'rows 1, 3 in lines 2, 4 have the same key "k1/1"' in found.messages[0]

    def test_a_row_without_a_time_takes_the_default_mode(self, file: Path) -> None:
        table(file, ["Text", "Date"], ["A", "2027-03-14 09:05"], ["B", ""])
        found = Read(file, options(channels=FACEBOOK, defaults={"publish_mode": "queued"}))
        assert found.values("publish_mode", "time_zone") == [("scheduled", "Europe/Berlin"), ("queued", None)]
        found = Read(file, options(channels=FACEBOOK))
        assert "so a time is needed here" in found.messages[0]
        assert "--default publish_mode=queued" in found.messages[0]

    def test_tweets_of_a_row_without_x_are_told(self, file: Path) -> None:
        row = ["A", "2027-03-14 09:05"]
        table(file, ["Text", "Date", "Tweet 1", "Platform"], [*row, "B", "Facebook"], [*row, "B", "Facebook, X"])
        found = Read(
            file, options(channels=["facebook:11", "twitter:13"], fixed={**BERLIN, "twitter.post_type": "thread"})
        )
        assert not found.messages
        assert found.plan.source.left_out == {"Tweet 1": 1}

    @pytest.mark.parametrize(
        ("where", "row"),
        [
            ({"Platform": "Facebook"}, ["Only for X!", "https://x.example/ig.jpg"]),
            ({"Facebook": "x", "Instagram": ""}, ["Only for X!", "https://x.example/ig.jpg"]),
        ],
    )
    def test_texts_and_media_of_platforms_that_a_row_does_not_go_to_are_told(
        self, file: Path, where: dict[str, str], row: list[str]
    ) -> None:
        names = ["Text", "Date", *where, "Caption (X)", "Instagram Image"]
        base = ["A", "2027-03-14 09:05", *where.values()]
        table(file, names, [*base, *row], [*base, "", ""], [*base, "n/a", "no"])
        found = Read(file, options(channels=["facebook:11", "instagram:12", "twitter:13"]))
        assert not found.messages
        assert found.values("channel_type", "caption_text") == [("facebook", "A")] * 3
        assert found.plan.source.left_out == {"Caption (X)": 1, "Instagram Image": 1}
        assert found.plan.source.notes == []

    def test_a_text_for_a_platform_without_a_channel_is_told_with_the_option_for_it(self, file: Path) -> None:
        row = ["Generic", "2027-03-14 09:05", "Short one for X", "Long one for LinkedIn"]
        table(file, ["Copy", "Date", "X Copy", "LinkedIn Copy"], row, row[:3], row)
        channels = ["facebook:11", "twitter:12"]
        found = Read(file, options("loomly", channels=channels))
        assert found.values("caption_text")[:2] == ["Generic", "Short one for X"]
        assert found.plan.source.left_out == {"LinkedIn Copy": 2}
        (note,) = found.plan.source.notes
        assert note.startswith('"LinkedIn Copy" is for linkedin, and goes to no linkedin channel; say --channel')
        assert note.endswith('or leave the column out: --map "LinkedIn Copy="')
        (as_advised,) = advised([note.replace(",", ";")])
        found = Read(file, options("loomly", channels=[*channels, as_advised]))
        assert found.values("caption_text")[:3] == ["Generic", "Short one for X", "Long one for LinkedIn"]
        left_out = Read(file, options("loomly", channels=channels), columns={"LinkedIn Copy": None}).plan.source
        assert (left_out.left_out, left_out.notes) == ({"LinkedIn Copy": 2}, [])

    def test_a_row_with_the_caption_of_another_platform_alone_says_so(self, file: Path) -> None:
        table(
            file, ["Caption", "Date", "X Copy"], ["", "2027-03-14 09:05", "Only for X"], ["A", "2027-03-14 10:05", ""]
        )
        beginning = 'Caption: it is empty, and "X Copy" is for twitter alone; write the caption for facebook'
        column = ', or, if it goes to twitter alone, name the platforms of each row in a column "Platform"'
        without = Read(file, options(channels=FACEBOOK))
        assert without.messages == [f"{beginning}{column} and say --channel twitter:ID"]
        assert Read(file, options(channels=[*FACEBOOK, "twitter:12"])).messages == [beginning + column]
        header = ["Caption", "Date", "X Copy", "Platform"]
        table(file, header, ["", "2027-03-14 09:05", "Only for X", "Facebook"], ["", "2027-03-14 10:05", "B", "X"])
        found = Read(file, options(channels=[*FACEBOOK, "twitter:12"]))
        assert (found.messages, found.values("caption_text")) == ([beginning], ["B"])

    def test_a_mode_of_the_file_wins_over_that_of_the_calendar(self, file: Path) -> None:
        table(file, ["Text", "Date", "Mode"], ["A", "2027-03-14 09:05", ""], ["B", "", "now"], ["C", "", "no"])
        found = Read(file, options(channels=FACEBOOK, defaults={"publish_mode": "queued"}))
        assert found.values("publish_mode") == ["scheduled", "now"]
        assert '"no" is not one of: now, scheduled' in found.messages[0]

    def test_a_column_that_a_fixed_value_wins_over_is_told(self, file: Path) -> None:
        table(file, ["Text", "Network", "Channel id", "Mode"], ["A", "Facebook", "12", "now"])
        fixed = {"channel_type": "facebook", "channel_id": "11", "publish_mode": "queued"}
        found = Read(file, options(fixed=fixed))
        assert found.values("channel_id", "publish_mode") == [(11, "queued")]
        assert found.plan.source.left_out == {"Network": 1, "Channel id": 1, "Mode": 1}

    @pytest.mark.parametrize(
        ("column", "cell", "fixed", "columns"),
        [
            ("Instagram", "x", {"channel_type": "facebook", "channel_id": "11"}, {}),
            ("Time", "10:00", {"schedule_time": "2027-03-20 10:00"}, {}),
            ("Facebook copy", "Come by!", {"caption_text": "A"}, {}),
            ("Kind", "reel", {"facebook.post_type": "post"}, {"Kind": "facebook.post_type"}),
        ],
    )
    def test_a_column_for_a_part_or_a_platform_that_a_fixed_value_wins_over_is_told(
        self, file: Path, column: str, cell: str, fixed: dict[str, str], columns: dict[str, str]
    ) -> None:
        table(file, ["Text", column], ["A", cell])
        always = {"publish_mode": "scheduled", "schedule_time": "2027-03-14 09:05", **BERLIN}
        recipe = options(channels=FACEBOOK, fixed=always | fixed, columns=columns)
        found = Read(file, recipe)
        assert found.values("channel_type", "post_type", "caption_text") == [("facebook", "post", "A")]
        assert found.plan.source.left_out.pop(column) == 1

    def test_a_file_without_a_column_for_the_date_names_the_option(self, file: Path) -> None:
        table(file, ["Text", "Send on"], ["A", "2027-03-14 09:05"])
        found = Read(file, options(channels=FACEBOOK))
        (message,) = found.messages
        assert 'no column holds the date; say which one does with --map "COLUMN=date"' in message
        found = Read(file, options(channels=FACEBOOK, columns={"Send on": "date"}))
        assert found.values("schedule_time") == ["2027-03-14 09:05"]

    def test_an_empty_cell_is_one_fault(self, file: Path) -> None:
        table(file, ["Text", "Date", "Network"], ["A", "", "Facebook"], ["B", "2027-03-14 09:05", ""])
        found = Read(file, options(channels=FACEBOOK))
        # The zone is given, and an id for every row would be that of another platform's channel.
        assert [message.partition(",")[0] for message in found.messages] == [
            'Date: publish_mode is "scheduled"', "Network: it is empty; a post needs channel_type",
        ]  # fmt: skip

    def test_a_date_without_a_time_of_day_names_the_option(self, tmp_path: Path, file: Path) -> None:
        table(file, ["Text", "Date", "Time"], ["A", "14/03/2027", ""])
        book = workbook(tmp_path / "posts.xlsx", ["Text", "Date"], ["A", date(2027, 3, 14)])
        for source in (file, book):
            (message,) = Read(source, options(channels=FACEBOOK)).messages
            assert message.endswith("or say one for all such rows: --default time=09:00")
            found = Read(source, options(channels=FACEBOOK, defaults={"time": "09:00"}))
            assert found.values("schedule_time") == ["2027-03-14 09:00"]

    def test_columns_of_one_name(self, file: Path) -> None:
        media = ["https://x.example/a.jpg", "https://x.example/b.jpg"]
        table(file, ["Image", "Image", "Text", "Date"], [*media, "A", "2027-03-14 09:05"])
        assert Read(file, options(channels=FACEBOOK)).values("media_urls") == [media]
        table(file, ["Text", "Text", "Date"], ["A", "B", "2027-03-14 09:05"])
        with pytest.raises(SourceError, match='"Text" and "Text #2" both hold caption_text'):
            Read(file, options(channels=FACEBOOK))

    @pytest.mark.parametrize(
        ("networks", "platforms"),
        [
            (["facebook", "X", None], ["facebook", "twitter"]),
            (("facebook",), ["facebook"]),
            ([], "Networks: it is empty; a post needs channel_type"),
            ({"a": 1}, "Networks: give text, or a list of texts"),
            ([["a"]], "Networks: \"['a']\" is no platform of the API"),
        ],
    )
    def test_a_list_of_channels_in_an_object(self, networks: object, platforms: list[str] | str) -> None:
        row = {"Text": "A", "Networks": networks, "Date": "2027-03-14 09:05"}
        found = Read([row], options(channels=[*FACEBOOK, "twitter:12"]))
        if isinstance(platforms, str):
            assert found.messages[0].startswith(platforms)
        else:
            assert found.values("channel_type") == platforms

    def test_a_column_that_is_not_known_and_names_platforms_is_not_passed_over(self, file: Path) -> None:
        table(file, ["Text", "Date", "Service", "Tick"], ["A", "2027-03-14 09:05", "Facebook, X", "x"])
        channels = [*FACEBOOK, "twitter:12", "instagram:13"]
        found = Read(file, options(channels=channels))
        (message,) = found.messages
        assert 'if the posts go there, say --map "Service=channel", otherwise leave it out: --map "Service="' in message
        found = Read(file, options(channels=channels, columns={"Service": "channel"}))
        assert found.values("channel_type") == ["facebook", "twitter"]
        found = Read(file, options(channels=channels, columns={"Service": None}))
        assert len(found.values("channel_type")) == 3

        table(file, ["Text", "Date", "Handle"], ["A", "2027-03-14 09:05", "Tulip shop"])
        found = Read(file, options(channels=["Tulip shop=facebook:11", "Other=facebook:12"]))
        assert 'say --map "Handle=channel"' in found.messages[0]

    @pytest.mark.parametrize("column", ["Content Type", "Format", "Post type (feed/story)"])
    def test_a_column_that_is_not_known_and_says_kinds_is_not_passed_over(self, file: Path, column: str) -> None:
        table(
            file, ["Text", column], ["A", "Story"], ["B", "Feed, Reel"], ["C", "Photo"], ["D", "1080x1080"], ["E", ""]
        )
        now = {"publish_mode": "now"}
        found = Read(file, options(channels=["instagram:12"], fixed=now, columns={column: "post_type"}))
        assert found.values("caption_text", "post_type") == [("A", "story"), ("C", "post"), ("E", "post")]
        found = Read(file, options(channels=["instagram:12"], fixed=now, columns={column: None}))
        assert len(found.values("post_type")) == 5
        for fixed in ({"post_type": "post"}, {"instagram.post_type": "story"}):
            assert len(Read(file, options(channels=["instagram:12"], fixed=now | fixed)).posts) == 5

        table(file, ["Text", "Format"], ["A", "Story"], ["B", "Feed, Reel"], ["C", "Photo"], ["D", "1080x1080"])
        found = Read(file, options(channels=["instagram:12"], fixed=now))
        assert found.values("caption_text") == ["C", "D"]
        assert 'if so, say --map "Format=post_type", otherwise leave it out: --map "Format="' in found.messages[0]

    @pytest.mark.parametrize(
        "header",
        [["Rede social", "Data", "Horário", "Legenda", "Imagem"], ["Canale", "Data", "Ora", "Testo", "Immagine"]],
    )
    def test_headers_in_more_languages(self, file: Path, header: list[str]) -> None:
        table(file, header, ["Facebook", "14/03/2027", "09:05", "A", "https://x.example/a.jpg"], delimiter=";")
        found = Read(file, options(channels=[*FACEBOOK, "twitter:12"]))
        assert found.values("channel_type", "schedule_time", "media_urls") == [
            ("facebook", "2027-03-14 09:05", ["https://x.example/a.jpg"])
        ]

    def test_ids_beside_a_list_of_platforms(self) -> None:
        row = {"Text": "A", "Networks": ["facebook", "X"], "Channel id": [11, 12], "Date": "2027-03-14 09:05"}
        assert Read([row], options()).values("channel_type", "channel_id") == [("facebook", 11), ("twitter", 12)]

    def test_a_default_time_of_day(self, file: Path) -> None:
        table(file, ["Text", "Date"], ["A", "14/03/2027"], ["B", "15/03/2027 10:00"])
        found = Read(file, options(channels=FACEBOOK, defaults={"time": "9:00"}))
        assert found.values("schedule_time") == ["2027-03-14 09:00", "2027-03-15 10:00"]

    @pytest.mark.parametrize("forms", [(), ("DD/MM/YYYY",)])
    def test_a_default_time_of_day_beside_times_with_am_or_pm(self, file: Path, forms: tuple[str, ...]) -> None:
        table(file, ["Text", "Date"], ["A", "14/03/2027"], ["B", "15/03/2027 9 pm"], ["C", "16/03/2027 9:30 PM"])
        found = Read(file, options(channels=FACEBOOK, defaults={"time": "9:00"}, date_formats=forms))
        assert found.values("schedule_time") == ["2027-03-14 09:00", "2027-03-15 21:00", "2027-03-16 21:30"]

    def test_an_undecidable_column_is_told_in_the_same_words_for_every_row(self, file: Path) -> None:
        table(file, ["Text", "Date"], ["A", "01/02/2027 10:00"], ["B", "03/04/2027 10:00"])
        found = Read(file, options(channels=FACEBOOK))
        assert len(set(found.messages)) == 1
        assert "--date-format DD/MM/YYYY" in found.messages[0]
        decided = Read(file, options(channels=FACEBOOK, date_formats=["DD/MM/YYYY"]))
        assert decided.values("schedule_time") == ["2027-02-01 10:00", "2027-04-03 10:00"]
        assert decided.plan.source.dates == "DD/MM/YYYY"

    def test_only_chosen_rows_decide_how_dates_are_written(self, file: Path) -> None:
        table(file, ["Text", "Date", "Status"], ["A", "14/03/2027 10:00", "live"], ["B", "03/15/2027 10:00", "old"])
        found = Read(file, options(channels=FACEBOOK, where=["Status=live"]))
        assert found.values("schedule_time") == ["2027-03-14 10:00"]

    def test_hidden_rows(self, tmp_path: Path) -> None:
        book = importlib.import_module("openpyxl").Workbook()
        sheet = book.active
        for each in (["Text", "Secret"], ["A", 1], ["B", 2], ["C", 3]):
            sheet.append(each)
        sheet.row_dimensions[3].hidden = True
        sheet.column_dimensions["B"].hidden = True
        book.create_sheet("Old").sheet_state = "hidden"
        book.create_sheet("Next")
        path = tmp_path / "posts.xlsx"
        book.save(path)
        recipe = options(channels=FACEBOOK, fixed={"publish_mode": "now"})
        refused = Read(path, recipe)
        assert refused.plan.invalid == 1
        assert "--skip-hidden" in refused.messages[0]
        assert Read(path, recipe, hidden="skip").values("caption_text") == ["A", "C"]
        sent = Read(path, recipe, hidden="send")
        assert sent.values("caption_text") == ["A", "B", "C"]
        source = sent.plan.source
        assert (source.hidden_rows, source.hidden_columns) == (1, ["B (Secret)"])
        assert source.other_sheets == ["Old (hidden)", "Next"]

    def test_dates_and_times_of_a_workbook(self, tmp_path: Path) -> None:
        book = importlib.import_module("openpyxl").Workbook()
        sheet = book.active
        for each in (
            ["Text", "Date", "Time"],
            ["A", date(2027, 3, 14), time(9, 5)],
            ["B", datetime(2027, 3, 14), "2:20 PM"],
            ["C", "14/03/2027", time(9, 5)],
            ["D", date(2027, 3, 14), "soon"],
        ):
            sheet.append(each)
        path = tmp_path / "posts.xlsx"
        book.save(path)
        found = Read(path, options(channels=FACEBOOK))
        assert found.values("schedule_time") == ["2027-03-14 09:05", "2027-03-14 14:20", "2027-03-14 09:05"]
        assert found.messages == ['Date, Time: "soon" is not a time of day; write it as HH:MM']

    def test_pipes_tabs_and_other_encodings(self, tmp_path: Path) -> None:
        for name, delimiter in (("a.csv", "|"), ("a.tsv", "\t"), ("a.txt", ";")):
            path = table(
                tmp_path / name, ["Text", "Image URL"], ["A, B; C", "https://x.example/a.jpg"], delimiter=delimiter
            )
            found = Read(path, options(channels=FACEBOOK, fixed={"publish_mode": "now"}))
            assert found.values("caption_text") == ["A, B; C"]
            assert found.plan.source.delimiter == delimiter

    def test_objects_and_json(self, tmp_path: Path) -> None:
        items = [{"Copy": "A", "Platforms": "fb, x"}, {"Post": "B", "Platforms": "x", "Mood": "good"}]
        recipe = options(channels=["facebook:11", "x:12"], fixed={"publish_mode": "now"})
        found = Read(items, recipe)
        assert found.values("caption_text", "channel_id") == [("A", 11), ("A", 12), ("B", 12)]
        assert found.plan.source.left_out == {"Mood": 1}
        path = tmp_path / "posts.json"
        path.write_text('[{"Copy": "A",\n "Platforms": "fb"},\n\n {"Copy": "B", "Platforms": "x"}]\n', encoding="utf-8")
        assert Read(path, recipe).values("caption_text") == ["A", "B"]

    async def test_async_objects(self) -> None:
        async def items() -> AsyncIterator[Mapping[str, Any]]:
            yield {"Copy": "A", "Platforms": "fb, x"}

        recipe = options(channels=["facebook:11", "x:12"], fixed={"publish_mode": "now"})
        assert (await amake_plan(items(), recipe=recipe)).valid == 2

    def test_a_recipe_that_refuses_what_it_does_not_know(self, file: Path) -> None:
        table(file, ["Text", "Mood"], ["A", "x"])
        with pytest.raises(SourceError) as info:
            Read(file, Recipe(fixed={"publish_mode": "now"}, words=COMMAND_LINE))
        assert '--map "Mood="' in str(info.value)

    def test_two_columns_for_one_field(self, file: Path) -> None:
        table(file, ["Text", "Caption"], ["A", "B"])
        with pytest.raises(SourceError, match='the columns "Text" and "Caption" both hold caption_text'):
            Read(file, options())
        assert Read(file, options(columns={"Text": None}, channels=FACEBOOK, fixed={"publish_mode": "now"})).values(
            "caption_text"
        ) == ["B"]

    def test_a_link_that_the_caption_has_already_is_not_added(self, file: Path) -> None:
        table(file, ["Text", "Link"], ["A https://x.example", "https://x.example"], ["", "https://x.example"])
        recipe = options(channels=FACEBOOK, fixed={"publish_mode": "now"})
        assert Read(file, recipe).values("caption_text") == ["A https://x.example", "https://x.example"]

    @pytest.mark.parametrize(("caption", "is_added"), [
        ("See https://x.example/sale", True), ("https://x.example.org", True),
        ("See https://x.example.", False), ("(https://x.example)!", False), ("https://x.example\nnow", False),
    ])  # fmt: skip
    def test_a_link_is_added_below_a_longer_one(self, file: Path, caption: str, is_added: bool) -> None:
        table(file, ["Text", "Link"], [caption, "https://x.example"])
        recipe = options(channels=FACEBOOK, fixed={"publish_mode": "now"})
        assert Read(file, recipe).values("caption_text") == [f"{caption}\nhttps://x.example" if is_added else caption]


@pytest.mark.parametrize("column", ["Platform", "Image"])
def test_a_cell_may_have_many_blanks(column: str) -> None:
    """A pattern that begins with any number of them would take hours."""
    row = {"Platform": "facebook", "Caption": "Hello", "Image": "https://example.com/a.jpg", "Date": "2027-01-08"}
    plan = make_plan([row | {column: "a" + " " * 300_000 + "b"}], recipe="calendar")
    assert (plan.rows, plan.invalid) == (1, 1)
