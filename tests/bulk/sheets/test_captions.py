"""Doubts about valid rows: damaged texts, long texts, pages in place of files, times that are there twice."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async.bulk import Row, make_plan
from marketingblocks_async.bulk.sheets.captions import CAPTION_LIMITS
from marketingblocks_async.models import ChannelType, CreatePost
from tests.support.workbooks import as_csv, cells, errors, fields, parsed, scheduled, workbook, written


def warnings_of(**changes: Any) -> list[tuple[str, str]]:
    plan = make_plan([fields(**changes)])
    assert plan.ok, plan.errors
    assert plan.warning_count == len(plan.warnings)
    return [(each.column, each.message) for each in plan.warnings]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Itâ€™s time", "’"), ("CafÃ© crÃ¨me", "é"), ("GrÃ¼ÃŸe", "ü"), ("5 Â€", ""), ("ðŸŽ‰ party", "🎉"),
        ("Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "п"), ("Â©2027", "©"),
    ],
)  # fmt: skip
def test_text_in_the_wrong_encoding_is_a_warning(text: str, meant: str) -> None:
    [(column, message)] = warnings_of(caption_text=text)
    assert column == "caption_text"
    assert "wrong encoding" in message
    assert meant in message


@pytest.mark.parametrize(
    "text",
    [
        "It’s time — “now”", "CAFÉ” und MENÜ–Karte «CAFÉ»", "Übergrößenträger", "MANHÔ ÀÉÎÕÜ", "Москва Привет",
        "ελληνικά", "日本語 🎉 👨‍👩‍👧", "naïve façade Ångström", "5 € ©2027 £10 ½", "İstanbul Şişli Łódź Ďábel",
    ],
)  # fmt: skip
def test_text_of_any_language_is_none(text: str) -> None:
    assert warnings_of(caption_text=text) == []


def test_a_lost_character_is_a_warning_wherever_it_is() -> None:
    found = warnings_of(
        caption_text="Gr\ufffd\ufffde",
        channel_type="twitter",
        post_type="thread",
        twitter_threads=[{"message": "fine"}, {"message": "l\ufffdst"}],
    )
    assert [column for column, _ in found] == ["caption_text", "twitter_threads"]
    assert found[1][1].startswith("no. 2, message: ")
    assert all("type it again" in message for _, message in found)


@pytest.mark.parametrize("platform", ChannelType)
def test_a_caption_above_the_platform_s_limit_is_a_warning_with_its_source(platform: ChannelType) -> None:
    extra = {"post_extra": {"title": "t"}} if platform is ChannelType.YOUTUBE else {}
    limit = CAPTION_LIMITS[platform]
    assert warnings_of(channel_type=platform, caption_text="x" * limit.size, **extra) == []
    [(column, message)] = warnings_of(channel_type=platform, caption_text="x" * (limit.size + 1), **extra)
    assert column == "caption_text"
    assert f"{limit.size + 1:,} {limit.unit}" in message
    assert limit.source in message


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("x" * 280, 280), ("日" * 140, 280), ("🎉" * 140, 280), ("👨‍👩‍👧‍👦" * 140, 280), ("🙋🏽" * 140, 280),
        ("🇩🇪" * 140, 280),
        ("e\u0301" * 280, 280), ("https://example.com/" + "x" * 400, 23), ("é" * 280, 280), ("❤️" * 140, 280),
    ],
)  # fmt: skip
def test_x_counts_its_own_way(text: str, size: int) -> None:
    assert warnings_of(channel_type="twitter", caption_text=text) == []
    [(_, message)] = warnings_of(
        channel_type="twitter", caption_text=text + (" " + "x" * (280 - size) if size < 280 else ".")
    )
    assert "281 characters" in message


def test_in_a_thread_it_is_the_tweets_that_count() -> None:
    found = warnings_of(
        channel_type="twitter",
        post_type="thread",
        caption_text="x" * 300,
        twitter_threads=[{"message": "x" * 280}, {"message": "x" * 281}],
    )
    assert [message[:15] for _, message in found] == ["no. 2, message:"]


@pytest.mark.parametrize("text", ["nan", " NaN", "NULL", "None", "TBD", "n/a", "-", "?", "N/A\nhttps://a.example/x"])
def test_what_programs_and_people_write_for_an_empty_cell_is_a_warning(text: str) -> None:
    [(column, message)] = warnings_of(caption_text=text)
    assert (column, "empty cell" in message) == ("caption_text", True)


@pytest.mark.parametrize("tags", ["n/a", "sale,-", "#NA", ["sale", "TBD"]])
def test_so_it_is_in_hash_tags(tags: object) -> None:
    [(column, message)] = warnings_of(hash_tags=tags)
    assert (column, "empty cell" in message) == ("hash_tags", True)


def test_and_in_titles_and_tweets() -> None:
    [(_, message)] = warnings_of(channel_type="youtube", post_extra={"title": "tbd"})
    assert message.startswith('title: "tbd" often stands for')
    [(_, message)] = warnings_of(channel_type="twitter", post_type="thread", twitter_threads=[{"message": "-"}])
    assert message.startswith('no. 1, message: "-" often stands for')


@pytest.mark.parametrize("text", ["", "https://a.example/x", "No", "NA is sodium", "Why?"])
def test_other_short_texts_are_none(text: str) -> None:
    assert warnings_of(caption_text=text or "x", hash_tags="sale") == []


@pytest.mark.parametrize(
    ("platform", "number", "words"),
    [
        ("instagram", 0, "only posts with media (https://"),
        ("tiktok", 0, "only posts with media (https://"),
        ("youtube", 0, "only posts with media (https://"),
        ("instagram", 11, "it has 11 media, and instagram takes 10 (https://"),
        ("twitter", 5, "it has 5 media, and twitter takes 4 (https://"),
        ("linkedin", 21, "it has 21 media, and linkedin takes 20 (https://"),
    ],
)
def test_more_or_fewer_media_than_a_platform_takes_are_a_warning(platform: str, number: int, words: str) -> None:
    media = [f"https://example.com/{number}.jpg" for number in range(number)]
    extra = {"post_extra": {"title": "Tulips"}} if platform == "youtube" else {}
    [(column, message)] = warnings_of(channel_type=platform, media_urls=media, **extra)
    assert (column, words in message) == ("media_urls", True)


@pytest.mark.parametrize(
    ("platform", "number"), [("instagram", 10), ("twitter", 4), ("twitter", 0), ("facebook", 11), ("facebook", 0)]
)
def test_as_many_as_it_takes_are_none(platform: str, number: int) -> None:
    media = [f"https://example.com/{number}.jpg" for number in range(number)]
    assert warnings_of(channel_type=platform, media_urls=media) == []


def test_media_of_a_tweet_in_a_thread_are_counted() -> None:
    media = [f"https://example.com/{number}.jpg" for number in range(5)]
    tweets = [{"message": "a"}, {"message": "b", "media_urls": media}]
    [(_, message)] = warnings_of(channel_type="twitter", post_type="thread", twitter_threads=tweets, media_urls=[])
    assert message.startswith("no. 2, media_urls: it has 5 media")


@pytest.mark.parametrize(("platform", "kind"), [("twitter", "tweet"), ("facebook", "post")])
def test_tweets_of_what_is_no_thread_are_a_warning(platform: str, kind: str) -> None:
    tweets = [{"message": "a"}, {"message": "b"}]
    [(column, message)] = warnings_of(channel_type=platform, post_type=kind, twitter_threads=tweets)
    assert column == "twitter_threads"
    assert f'post_type is "{kind}", and only a "thread" has tweets' in message


def test_a_long_title_of_a_video() -> None:
    [(column, message)] = warnings_of(channel_type="youtube", post_extra={"title": "x" * 101})
    assert (column, message[:6]) == ("post_extra", "title:")


@pytest.mark.parametrize(
    "address",
    [
        "https://drive.google.com/file/d/1AbC/view?usp=sharing", "https://drive.google.com/open?id=1AbC",
        "https://drive.google.com/a/e.com/open?id=uc", "https://drive.google.com/drive/folders/1AbC",
        "https://docs.google.com/drawings/d/1AbC/edit", "https://docs.google.com/file/d/1AbC/edit",
        "https://www.dropbox.com/s/abc/a.jpg?dl=0", "https://www.dropbox.com/scl/fi/abc/a.jpg?rlkey=x",
        "https://photos.app.goo.gl/abc", "https://1drv.ms/i/abc", "https://onedrive.live.com/?id=abc&cid=1",
        "https://e-my.sharepoint.com/:i:/g/personal/anna/abc?e=x",
        "https://e.sharepoint.com/sites/a/_layouts/15/guestaccess.aspx?share=x", "https://share.icloud.com/photos/abc",
    ],
)  # fmt: skip
def test_a_page_that_shows_the_file_is_a_warning(address: str) -> None:
    [(column, message)] = warnings_of(media_urls=["https://e.com/a.jpg", address])
    assert column == "media_urls"
    assert "not to the file" in message


@pytest.mark.parametrize(
    "address",
    [
        "https://drive.google.com/uc?export=download&id=1AbC", "https://drive.google.com/u/0/uc?id=1AbC",
        "https://drive.google.com/thumbnail?id=1AbC", "https://drive.usercontent.google.com/download?id=1AbC",
        "https://docs.google.com/uc?id=1AbC", "https://docs.google.com/drawings/d/1AbC/export/png",
        "https://docs.google.com/drawings/d/1AbC/pub?w=960", "https://www.dropbox.com/s/abc/a.jpg?dl=1",
        "https://www.dropbox.com/scl/fi/abc/a.jpg?rlkey=x&raw=1", "https://dl.dropboxusercontent.com/s/abc/a.jpg",
        "https://onedrive.live.com/download?cid=1&resid=2", "https://e.sharepoint.com/:i:/g/abc?e=x&download=1",
        "https://e.sharepoint.com/sites/a/_layouts/15/download.aspx?share=x", "https://e.com/drive.google.com/open?id=1",
    ],
)  # fmt: skip
def test_the_address_of_a_file_at_such_a_service_is_no_warning(address: str) -> None:
    assert warnings_of(media_urls=[address]) == []


@pytest.mark.parametrize(
    ("address", "advice"),
    [
        ("https://www.dropbox.com/s/abc/a.jpg?dl=0", "write dl=1 instead of dl=0"),
        ("https://www.dropbox.com/s/abc/a.jpg", "write ?dl=1 at its end"),
        ("https://www.dropbox.com/scl/fi/abc/a.jpg?rlkey=x", "write &dl=1 at its end"),
        ("https://www.dropbox.com/scl/fo/abc/def?dl=0", "use an address of the file itself"),
    ],
)
def test_how_a_link_of_dropbox_leads_to_the_file(address: str, advice: str) -> None:
    [(_, message)] = warnings_of(media_urls=[address])
    assert message.endswith(advice)


def test_a_page_in_the_media_of_a_tweet_is_a_warning() -> None:
    [(_, message)] = warnings_of(
        channel_type="twitter",
        post_type="thread",
        twitter_threads=[{"message": "Hello"}, {"message": "x", "media_urls": ["https://drive.google.com/open?id=1"]}],
    )
    assert message.startswith("no. 2, media_urls: ")


class TestTimes:
    """One rule for every source; see ``tests/models/test_schedule.py`` for the request object's."""

    GAP, TWICE = "2027-03-28 02:30", "2027-10-31 02:30"

    def sources(self, folder: Path, text: str) -> list[Any]:
        row = scheduled(schedule_time=text, time_zone="Europe/Berlin")
        moment = datetime.fromisoformat(text)
        return [
            written(folder / "a.csv", as_csv({name: str(value) for name, value in row.items()})),
            workbook(folder / "a.xlsx", list(row), [moment if name == "schedule_time" else row[name] for name in row]),
            workbook(folder / "b.xlsx", list(row), list(row.values())),
            [row],
            [{**row, "schedule_time": moment}],
        ]

    def test_a_time_that_the_clocks_skip_is_an_error_of_its_column(self, tmp_path: Path) -> None:
        for source in self.sources(tmp_path, self.GAP):
            [error] = errors(source)
            assert error.column == "schedule_time"
            assert "the nearest times are 2027-03-28 01:59 and 2027-03-28 03:00" in error.message

    def test_a_time_that_is_there_twice_is_the_first_one_and_a_warning(self, tmp_path: Path) -> None:
        for source in self.sources(tmp_path, self.TWICE):
            rows: list[Row] = []
            plan = make_plan(source, on_row=rows.append)
            assert [(row.post.schedule_time, row.post.time_zone) for row in rows] == [("2027-10-31 00:30", "UTC")]
            [warning] = plan.warnings
            assert warning.column == "schedule_time"
            assert "the first one is taken, which is 00:30 UTC" in warning.message
            assert "for the second one write 2027-10-31 02:30+01:00" in warning.message

    def test_with_an_offset_it_is_there_once(self) -> None:
        plan = make_plan([scheduled(schedule_time="2027-10-31 02:30+01:00", time_zone="Europe/Berlin")])
        assert plan.ok
        assert not plan.warnings
        assert plan.first_scheduled is not None
        assert plan.first_scheduled.utc == "2027-10-31T01:30Z"

    @pytest.mark.parametrize(("zone", "advice"), [("EST", "America/New_York"), ("CEST", "Europe/Berlin")])
    def test_an_abbreviation_of_a_zone_is_an_error_with_the_zone_to_write(self, zone: str, advice: str) -> None:
        [error] = errors([scheduled(time_zone=zone)])
        assert error.column == "time_zone"
        assert advice in error.message


def test_warnings_are_counted_and_listed_up_to_a_bound() -> None:
    plan = make_plan([fields(caption_text="l\ufffdst")] * 30, max_errors=7)
    assert (plan.warning_count, len(plan.warnings), plan.ok) == (30, 7, True)
    assert plan.to_dict()["warnings"][0]["row"] == 1
    assert make_plan([cells(caption_text="l\ufffdst")]).warnings[0].value == "l\ufffdst"


@pytest.mark.parametrize(
    "text",
    [
        "same as Facebook", "no post", "Same as above", "ditto", "Same caption as row 3", "NO POST", "CANCELLED",
        "{{caption}}", "[Insert caption here]", "[Your text here]", "TODO", "TODO: write", "TODO: write it, add link",
        "[object Object]", "Caption goes here", "Same for Instagram", "Same below", "same as x", "wie oben",
    ],
)  # fmt: skip
def test_an_instruction_in_place_of_a_caption_is_refused(text: str) -> None:
    [errors] = parsed([fields(caption_text=text)])
    assert not isinstance(errors, Row)
    assert "seems to be an instruction or a placeholder; write the text" in errors[0].message
    # What the message advises helps, and a request of a program is sent as it is.
    assert f'"{text}!" is published' in errors[0].message
    assert isinstance(parsed([fields(caption_text=f"{text}!")])[0], Row)
    assert isinstance(parsed([CreatePost.model_validate(fields(caption_text=text))])[0], Row)


@pytest.mark.parametrize(
    "text",
    [
        "Loading...", "{ new in }", "{love}", "<fin>", "<hello world>", "<caption>", "[ENTER]", "[Enter the dragon]",
        "[Add to cart]", "[Your story]", "[Post]", "As above", "Same x", "Same last", "See below.",
        "Lorem ipsum dolor sit amet", "Lorem ipsum: our new font", "TODO: say what the bakery has on all days",
        "TODO write the text",
    ],
)  # fmt: skip
def test_what_may_be_a_placeholder_is_a_warning(text: str) -> None:
    [(column, message)] = warnings_of(caption_text=text)
    assert (column, message) == ("caption_text", f'"{text}" may be a placeholder; it would be published')


@pytest.mark.parametrize(
    "text",
    [
        "Same day delivery!", "Same as it ever was", "No posting today", "To do: visit us", "Cancelled flights? Call!",
        "same", "[NEW] Tulips", "<3", "Loading… almost there", "TODO al 50%",
        "TODO lo que necesitas saber", "As above, so below",
    ],
)  # fmt: skip
def test_a_caption_that_begins_like_an_instruction_is_one(text: str) -> None:
    assert warnings_of(caption_text=text) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"One.\nTwo", r"\n"), (r"One\n\ntwo", r"\n"), ("Hi<br>you", "<br>"), ("<p>Hi", "<p>"), ("A &amp; B", "&amp;"),
        ("**bold** text", "**bold**"), ("[a](https://e.com)", "[a](https:"), ('=HYPERLINK("https://e.com")', None),
        ("'@home", "'"), ("Dear {{name}}", "{{name}}"),
        ("C:\\new", ""), ("a < b > c", ""), ("5 * 3 ** 2", ""), ("'s nachts", ""), ("rock & roll; yes", ""),
    ],
)  # fmt: skip
def test_signs_of_other_formats_are_warnings(text: str, shown: str | None) -> None:
    found = warnings_of(caption_text=text)
    assert len(found) == (shown != "")
    assert all((shown or "=HYPERLINK(") in message for _, message in found)
