"""What the columns of a header hold, by their names."""

from __future__ import annotations

import pytest

from marketingblocks_async.bulk.sheets.layout import unknown_column
from marketingblocks_async.bulk.sheets.recipes.known_columns import Columns, assign
from marketingblocks_async.bulk.sheets.recipes.recipe import load_recipe
from marketingblocks_async.bulk.sheets.words import COMMAND_LINE

CALENDAR = Columns(load_recipe("calendar"))


class TestUsualNames:
    @pytest.mark.parametrize(
        "name",
        [
            "Image 1", "Image1", "Image_1", "Image #2", "Image URL 2", "Image 1 URL", "Image 3 Link", "Media 1",
            "Media URL 1", "Video 1", "Video URL 2", "Photo 1", "Bild 1", "Asset 1", "Image", "Image #3",
            "Image (URL)", "Image (1080x1080)", "Image (1080 x 1080 px)", "Image [jpg]", "Image 1 (URL)",
            "Image (URL) 2", "Image (URL) #2",
        ],
    )  # fmt: skip
    def test_media(self, name: str) -> None:
        assert CALENDAR.find(name)[0] == "media_urls"

    @pytest.mark.parametrize(
        ("name", "target"),
        [
            ("Time (EST)", "time"), ("Publish Time (UTC)", "time"), ("Uhrzeit (24h)", "time"),
            ("Date (DD/MM/YYYY)", "date"), ("Date [YYYY-MM-DD]", "date"), ("Caption (max 280)", "caption_text"),
            ("Caption (no hashtags)", "caption_text"), ("Copy (EN)", "caption_text"), ("Text (280)", "caption_text"),
            ("Link (optional)", "link"), ("Link 2", "link"), ("Account (ID)", "channel_id"),
            ("Platforms (comma separated)", "channel"), ("X (Twitter)", "twitter"),
            ("Tweet 1", "twitter_threads.1.message"),
        ],
    )  # fmt: skip
    def test_the_others(self, name: str, target: str) -> None:
        assert CALENDAR.find(name)[0] == target

    @pytest.mark.parametrize(
        "name",
        [
            "Image (alt text)", "Image (description)", "Image (source)", "Video (cover)", "Link (Canva)",
            "Link (in bio)", "Link (title)", "Post (yes/no)", "Post (y/n)", "Post ID", "Post (ID)", "Copy (draft)",
            "Caption (internal)", "Text (overlay)", "Date (created)", "Date (deadline)", "Copy (FB/IG)",
            "Image count 2", "(URL)", "(s)",
        ],
    )  # fmt: skip
    def test_a_bracket_that_makes_another_column(self, name: str) -> None:
        assert CALENDAR.find(name)[0] is None

    def test_a_whole_name_goes_before_one_with_a_bracket(self) -> None:
        sources = assign(["Caption (long)", "Caption", "Time (UTC)", "Time"], load_recipe("calendar"))
        assert sources.single == {"caption_text": 1, "time": 3}
        assert sources.left_out == [0, 2]
        [problem] = assign(["Caption (long)", "Caption (short)"], load_recipe("calendar")).problems
        assert '"Caption (long)" and "Caption (short)" both hold caption_text' in problem.message

    def test_advice_without_a_recipe(self) -> None:
        assert '--map "Time (EST)=time"' in unknown_column("Time (EST)", "Time (EST)", COMMAND_LINE)
        assert '--map "Image 2=media_urls"' in unknown_column("Image 2", "Image 2", COMMAND_LINE)
