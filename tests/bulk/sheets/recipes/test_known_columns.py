"""What the columns of a header hold, by their names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async.bulk import Plan, Row, SourceError, make_plan
from marketingblocks_async.bulk.sheets.layout import unknown_column
from marketingblocks_async.bulk.sheets.recipes.known_columns import Columns, assign
from marketingblocks_async.bulk.sheets.recipes.recipe import Recipe, load_recipe, recipe_names
from marketingblocks_async.bulk.sheets.words import COMMAND_LINE

CALENDAR = Columns(load_recipe("calendar"))
CHANNELS = ["facebook:11", "instagram:12", "x:13"]
A, B = "https://cdn.example.com/a.jpg", "https://cdn.example.com/b.jpg"
PAGE = "https://example.com/event"


class Read:
    """What a file becomes, with what one says as the command line does."""

    def __init__(self, file: Path, lines: list[str], columns: dict[str, Any] | None = None, **more: Any) -> None:
        file.write_text("\n".join(lines), encoding="utf-8")
        recipe = load_recipe(more.pop("recipe", "calendar"))
        options: dict[str, Any] = {"fixed": {"time_zone": "Europe/Berlin"}, "channels": CHANNELS, **more}
        self.rows: list[Row] = []
        self.message = ""
        self.plan: Plan | None = None
        try:
            self.plan = make_plan(
                file,
                recipe=recipe.with_options(words=COMMAND_LINE, **options),
                columns=columns,
                on_row=self.rows.append,
            )
            self.message = "; ".join(error.message for error in self.plan.errors)
        except SourceError as error:
            self.message = str(error)

    @property
    def advised(self) -> dict[str, str]:
        """The columns that the errors map to fields, in their order."""
        return dict(re.findall(r'--map "([^"=]+)=([^"]+)"', self.message))

    def values(self, *fields: str) -> list[tuple[Any, ...]]:
        return [tuple(map(row.post.wire().get, fields)) for row in self.rows]


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
            ("\U0001f4c5 Date", "date"), ("Date*", "date"), ("Date :", "date"), ("**Date**", "date"),
            ("Image \U0001f4f7", "media_urls"), ("\u270d\ufe0f Caption", "caption_text"),
            ("Image \U0001f4f7 (URL)*", "media_urls"), ("Facebook \u2714", "facebook"),
            ("\U0001f4dd Facebook copy", "facebook.caption_text"),
        ],
    )  # fmt: skip
    def test_emoji_and_signs_at_the_ends_do_not_matter(self, name: str, target: str) -> None:
        assert CALENDAR.find(name)[0] == target

    def test_the_advice_for_a_column_with_a_star_names_no_other_columns(self, tmp_path: Path) -> None:
        read = Read(tmp_path / "a.csv", ["Date,Time,Platform,Caption,Status*", "2027-03-14,09:00,Facebook,a,draft"])
        assert '--map "Status*="' in read.message
        both = ["Date,Time,Platform,Caption,Status*,Status", "2027-03-14,09:00,Facebook,a,draft,draft"]
        read = Read(tmp_path / "a.csv", both, {"Status*": None})
        assert '--map "Status="' in read.message

    @pytest.mark.parametrize(
        ("header", "options", "captions"),
        [
            ("Caption,\U0001f1ec\U0001f1e7 Caption", {}, ["Hallo"]),
            ("Caption,\U0001f1ec\U0001f1e7 Caption", {"\U0001f1ec\U0001f1e7 Caption": None}, ["Hallo"]),
            ("Caption,\U0001f1ec\U0001f1e7 Caption", {"\U0001f1ec\U0001f1e7 Caption": "caption_text"}, ["Hello"]),
            ("\U0001f1e9\U0001f1ea Caption,\U0001f1ec\U0001f1e7 Caption",
             {"\U0001f1ec\U0001f1e7 Caption": "caption_text"}, ["Hello"]),
            ("\U0001f1e9\U0001f1ea Caption,\U0001f1ec\U0001f1e7 Caption",
             {"\U0001f1ec\U0001f1e7 Caption": None}, ["Hallo"]),
            ("\U0001f1e9\U0001f1ea Caption,\U0001f1ec\U0001f1e7 Caption", {"Caption": None}, []),
            ("Caption,Caption*", {}, ["Hallo"]), ("Caption,Caption*", {"Caption*": None}, ["Hallo"]),
            ("Caption,Caption*", {"Caption": None}, ["Hello"]),
            ("Caption,Caption :", {"Caption :": "caption_text"}, ["Hello"]),
            ("Note,Caption*", {"Caption": None, "Note": "caption_text"}, ["Hallo"]),
        ],
    )  # fmt: skip
    def test_an_option_means_the_column_that_is_written_so(
        self, tmp_path: Path, header: str, options: dict[str, Any], captions: list[str]
    ) -> None:
        lines = [f"Date,Time,Platform,{header}", "2027-03-14,09:00,Facebook,Hallo,Hello"]
        read = Read(tmp_path / "a.csv", lines, options)
        assert [caption for (caption,) in read.values("caption_text")] == captions, read.message

    def test_of_two_dates_the_one_that_is_written_so_is_left_out(self, tmp_path: Path) -> None:
        lines = ["Date,\U0001f4c5 Date,Time,Platform,Caption", "2027-03-14,2027-03-20,09:00,Facebook,a"]
        for options in ({}, {"\U0001f4c5 Date": None}):
            assert Read(tmp_path / "a.csv", lines, options).values("schedule_time") == [("2027-03-14 09:00",)]

    def test_rows_are_chosen_by_the_column_that_is_written_so(self, tmp_path: Path) -> None:
        lines = [
            "Date,Time,Platform,Caption,Approved \u2705,Approved \u274c", "2027-03-14,09:00,Facebook,a,yes,",
            "2027-03-14,10:00,Facebook,b,,yes",
        ]  # fmt: skip
        where = ["Approved \u274c="]
        assert Read(tmp_path / "a.csv", lines, where=where).values("caption_text") == [("a",)]
        lines = ["Date,Time,Platform,Caption,\u2705 Approved", *lines[1:]]
        where = ["Approved=yes"]
        assert Read(tmp_path / "a.csv", lines, where=where).values("caption_text") == [("a",)]

    def test_of_media_that_differ_in_signs_alone_not_all_are_sent(self, tmp_path: Path) -> None:
        def read(header: str, options: dict[str, Any] | None = None) -> Read:
            lines = [f"Date,Time,Platform,Caption,{header}", f"2027-03-14,09:00,Facebook,a,{A},{B}"]
            return Read(tmp_path / "a.csv", lines, options)

        assert read("Image,Image \u2b50").values("media_urls") == [([A],)]
        assert read("\u2b50 Image 1,\u2b50 Image 2").values("media_urls") == [([A, B],)]
        asked = read("\U0001f4f7 Image,\U0001f3ac Image")
        assert "differ in signs alone" in asked.message
        assert read("\U0001f4f7 Image,\U0001f3ac Image", asked.advised).values("media_urls") == [([A, B],)]
        left_out = {"\U0001f3ac Image": None}
        assert read("\U0001f4f7 Image,\U0001f3ac Image", left_out).values("media_urls") == [([A],)]

    def test_a_name_that_is_only_signs_stands_for_itself(self) -> None:
        recipe = load_recipe("calendar").with_options(columns={"\u2705": None})
        assert Columns(recipe).find("\U0001f4cc") == (None, 4)
        assert Columns(recipe).find("\u2705") == (None, 0)

    @pytest.mark.parametrize(
        ("name", "target"),
        [
            ("Time (EST)", "time"), ("Publish Time (UTC)", "time"), ("Uhrzeit (24h)", "time"),
            ("Date (DD/MM/YYYY)", "date"), ("Date [YYYY-MM-DD]", "date"), ("Caption (max 280)", "caption_text"),
            ("Caption (no hashtags)", "caption_text"), ("Copy (EN)", "caption_text"), ("Text (280)", "caption_text"),
            ("Link (optional)", "link"), ("Link (website)", "link"), ("Type (feed/story/reel)", "post_type"),
            ("Channel (name)", "channel_type"), ("Link 2", "link"), ("Account (ID)", "channel_id"),
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
            "Image count 2", "(URL)", "(s)", "Caption (Pinterest)", "Image (Story)", "Copy (newsletter)", "Text (GBP)",
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
        said = unknown_column("Time (EST)", "Time (EST)", COMMAND_LINE)
        assert '--map "Time (EST)=time" and --set time_zone=America/New_York, or leave it out' in said
        assert '--map "Image 2=media_urls"' in unknown_column("Image 2", "Image 2", COMMAND_LINE)


class TestMediaInSeveralColumns:
    LINES = ("channel_type,channel_id,post_type,caption_text,publish_mode,{},{}", f"facebook,11,post,x,now,{A},{B}")

    @pytest.mark.parametrize(
        "names", [("Image 1", "Image 2"), ("Image", "Video"), ("Image", "Image 2"), ("Image (URL)", "Image (URL) 2")]
    )
    def test_advice_without_a_recipe_leads_to_all_of_them(self, file: Path, names: tuple[str, str]) -> None:
        lines = [self.LINES[0].format(*names), self.LINES[1]]
        found = Read(file, lines, recipe=Recipe(), fixed={}, channels=[])
        columns = found.advised
        if "both hold" not in found.message:
            found = Read(file, lines, columns, recipe=Recipe(), fixed={}, channels=[])
        assert "to send what both hold, say --recipe calendar" in found.message
        assert Read(file, lines, columns, fixed={}, channels=[]).values("media_urls") == [([A, B],)]

    def test_a_calendar(self, file: Path) -> None:
        lines = ["Date,Platform,Copy,Image,Image 2,Video 1", f"2027-03-14 09:05,Facebook,x,{A},{B},"]
        assert Read(file, lines).values("media_urls") == [([A, B],)]

    def test_a_picture_upright_and_across_is_not_sent_three_times(self, file: Path) -> None:
        names = ["Image", "Image (landscape)", "Image (portrait)"]
        lines = [f"Copy,Date,{','.join(names)}", f"Hi,2027-03-14 09:05,{A},{B},{A}"]
        read = Read(file, lines)
        assert "seem to be one picture in two sizes" in read.message
        read = Read(file, lines, dict.fromkeys(names[1:]))
        assert read.values("media_urls") == [([A],)] * len(CHANNELS)

    def test_one_picture_in_two_sizes(self, file: Path) -> None:
        square, tall = "Image (1080x1080)", "Image (1080x1920)"
        lines = [f"Date,Platform,Copy,{square},{tall}", f"2027-03-14 09:05,Facebook,x,{A},{B}"]
        found = Read(file, lines)
        assert f'--map "{square}=" or --map "{tall}="' in found.message
        assert Read(file, lines, {tall: None}).values("media_urls") == [([A],)]
        assert Read(file, lines, {square: None}).values("media_urls") == [([B],)]
        assert Read(file, lines, found.advised).values("media_urls") == [([A, B],)]


class TestColumnsOfOnePlatform:
    @pytest.mark.parametrize(
        ("name", "target"),
        [
            ("Facebook Copy", "facebook.caption_text"), ("instagram_caption", "instagram.caption_text"),
            ("Copy (X)", "twitter.caption_text"), ("Copy for X", "twitter.caption_text"),
            ("X/Twitter Copy", "twitter.caption_text"), ("X caption (max 280)", "twitter.caption_text"),
            ("LinkedIn Page Text", "linkedin.caption_text"), ("Text für Facebook", "facebook.caption_text"),
            ("Facebook Post Text", "facebook.caption_text"), ("Instagram Image 2", "instagram.media_urls"),
            ("Image (IG)", "instagram.media_urls"), ("Facebook", "facebook"), ("Facebook Page", "facebook"),
            ("Facebook Post", None), ("Facebook Link", None), ("YouTube Video URL", None), ("Copy FB IG", None),
            ("Facebook Text Overlay", None), ("Time (Instagram)", None), ("Text (FB, IG)", None),
        ],
    )  # fmt: skip
    def test_names(self, name: str, target: str | None) -> None:
        assert CALENDAR.find(name)[0] == target

    def test_each_platform_gets_its_own_text(self, file: Path) -> None:
        header = "Date,Facebook Copy,Instagram Copy,LinkedIn Copy,Image,Instagram Image 1,Instagram Image 2"
        lines = [header, f"2027-03-14 09:05,For FB,For IG,,{A},{B},{A}"]
        found = Read(file, lines)
        assert found.values("channel_type", "caption_text", "media_urls") == [
            ("facebook", "For FB", [A]), ("instagram", "For IG", [B, A]),
        ]  # fmt: skip
        assert found.plan is not None
        [note] = found.plan.source.notes
        assert note.startswith("no column holds the caption for twitter, so nothing is sent there")
        assert found.plan.source.left_out == {}

    def test_a_text_of_one_platform_beside_that_of_all(self, file: Path) -> None:
        found = Read(file, ["Date,Platform,Caption,Caption (X)", '2027-03-14 09:05,"Facebook, X",A long text,Short'])
        assert found.values("channel_type", "caption_text") == [
            ("facebook", "A long text"),
            ("twitter", "Short"),
        ]

    def test_a_row_for_a_platform_without_a_text(self, file: Path) -> None:
        lines = ["Date,Platform,Facebook Copy,Pasta,Image", f'2027-03-14 09:05,"Facebook, X",For FB,For X,{A}']
        found = Read(file, lines)
        assert found.values("channel_type", "caption_text") == [("facebook", "For FB")]
        assert found.message == (
            'no column holds the caption for twitter; say which one does with --map "COLUMN=twitter.caption_text"'
        )
        followed = Read(file, lines, {"Pasta": "twitter.caption_text"})
        assert followed.values("channel_type", "caption_text") == [("facebook", "For FB"), ("twitter", "For X")]

    @pytest.mark.parametrize(
        ("name", "yes", "no"), [("Content", "yes", "no"), ("Video", "x", ""), ("Text", "TRUE", "FALSE")]
    )
    def test_a_column_that_says_yes_or_no(self, file: Path, name: str, yes: str, no: str) -> None:
        lines = [f"Date,Caption,Facebook {name},TikTok {name}", f"2027-03-14 09:05,A,{yes},{no}"]
        channels = ["facebook:11", "tiktok:12"]
        found = Read(file, lines, channels=channels)
        assert not [row for row in found.rows if row.post.channel_type == "facebook"]
        assert f'--map "Facebook {name}="' in found.message
        marks = Read(file, lines, {f"Facebook {name}": "facebook", f"TikTok {name}": "tiktok"}, channels=channels)
        assert marks.values("channel_type", "caption_text") == [("facebook", "A")]
        left_out = Read(file, lines, {f"Facebook {name}": None, f"TikTok {name}": None}, channels=channels)
        assert left_out.values("channel_type", "caption_text") == [("facebook", "A"), ("tiktok", "A")]

    @pytest.mark.parametrize("cell", ["n/a", "-", "TBD"])
    def test_a_mark_for_no_text_is_not_published(self, file: Path, cell: str) -> None:
        lines = ["Date,Facebook Copy,Instagram Copy,Image", f"2027-03-14 09:05,For FB,{cell},{A}"]
        found = Read(file, lines)
        assert found.values("channel_type", "caption_text") == [("facebook", "For FB")]
        assert "empty it, or write the text for instagram" in found.message
        emptied = Read(file, [lines[0], lines[1].replace(f",{cell},", ",,")])
        assert (emptied.values("channel_type"), emptied.message) == ([("facebook",)], "")

    WANTED = (("facebook", "For FB", [A]), ("instagram", "For IG", [A]))

    @pytest.mark.parametrize("kind", ["Post", "Version", "Description"])
    def test_advice_for_texts_that_no_column_is_known_for(self, file: Path, kind: str) -> None:
        lines = [f"Date,Facebook {kind},Instagram {kind},Facebook Link,Image", f"2027-03-14 09:05,For FB,For IG,,{A}"]
        found = Read(file, lines)
        columns = {name: field for name, field in found.advised.items() if name != "COLUMN"}
        assert len(columns) == 2
        followed = Read(file, lines, columns)
        assert followed.values("channel_type", "caption_text", "media_urls") == [*self.WANTED]

    def test_advice_for_texts_that_were_mapped_to_all_platforms(self, file: Path) -> None:
        lines = ["Date,Facebook Copy,Instagram Copy,Image", f"2027-03-14 09:05,For FB,For IG,{A}"]
        found = Read(file, lines, {"Facebook Copy": "caption_text", "Instagram Copy": "caption_text"})
        followed = Read(file, lines, found.advised)
        assert followed.values("channel_type", "caption_text", "media_urls") == [*self.WANTED]

    def test_a_column_that_says_no_platform(self, file: Path) -> None:
        lines = ["Date,Prose,Image", f"2027-03-14 09:05,For FB,{A}"]
        assert Read(file, lines).advised == {"COLUMN": "PLATFORM.caption_text"}

    def test_groups_of_columns_below_the_names_of_platforms(self, file: Path) -> None:
        lines = [",Facebook,,Instagram,", "Date,Caption,Image,Caption,Image", f"2027-03-14 09:05,For FB,{A},For IG,{B}"]
        found = Read(file, lines, header=2)
        assert found.advised == {"Caption": "PLATFORM.caption_text", "Caption #2": "PLATFORM.caption_text"}
        columns = {"Caption": "facebook.caption_text", "Caption #2": "instagram.caption_text"}
        found = Read(file, lines, columns, header=2)
        assert found.rows == []
        assert '"Image=PLATFORM.media_urls"' in found.message
        assert '"Image #2=PLATFORM.media_urls"' in found.message
        own = {"Image": "facebook.media_urls", "Image #2": "instagram.media_urls"}
        fields = ("channel_type", "caption_text", "media_urls")
        assert Read(file, lines, columns | own, header=2).values(*fields) == [
            ("facebook", "For FB", [A]), ("instagram", "For IG", [B]),
        ]  # fmt: skip
        every = Read(file, lines, columns | found.advised, header=2)
        assert [media for (media,) in every.values("media_urls")] == [[A, B], [A, B]]


CONTENT = ("caption_text", "media_urls", "link", "hash_tags")
KINDS = (
    "Title", "Description", "Type", "Count", "Alt Text", "Thumbnail", "Thumbnail URL", "Name", "ID", "Status", "Bio",
    "in Bio URL", "Overlay", "Author", "Preview", "Length",
)  # fmt: skip


class TestRecipesOfThePackage:
    @pytest.mark.parametrize("name", recipe_names())
    def test_no_pattern_publishes_what_is_no_content(self, name: str) -> None:
        recipe = load_recipe(name)
        columns = Columns(recipe)
        holds = {column: str(target).rpartition(".")[2] for column, target in recipe.columns.items()}
        beginnings = [re.split(r" - |\(|\*", column)[0].strip() for column in holds if holds[column] in CONTENT]
        beginnings += [
            "Caption",
            "Copy",
            "Content",
            "Post",
            "Text",
            "Message",
            "Image",
            "Video",
            "Media",
            "Link",
            "URL",
        ]
        wrong = [
            column
            for beginning in filter(None, beginnings)
            for kind in KINDS
            for column in (
                f"{beginning} {kind}",
                f"{beginning}_{kind}",
                f"{beginning} 1 {kind}",
                f"{beginning} ({kind})",
            )
            if str(columns.find(column)[0]).rpartition(".")[2] in CONTENT
        ]
        # This is the caption itself, not a description of one.
        assert {column.replace("_", " ").casefold() for column in wrong} <= {"post description"}

    @pytest.mark.parametrize(
        ("recipe", "header", "row", "fields"),
        [
            ("loomly", "Copy,Date,Time,Link,Link Title,Link Description", f"C,2027-03-14,09:05,{A},Shop,Great shop",
             {"caption_text": f"C\n{A}"}),
            ("later", "Caption,Date,Time,Media URL,Media Type,Link in Bio URL", f"C,2027-03-14,09:05,{A},Photo,{B}",
             {"caption_text": "C", "media_urls": [A]}),
            ("planable", "Content,Date,Time,Media URLs,Media count", f"C,2027-03-14,09:05,{A},1", {"media_urls": [A]}),
            ("contentstudio", "Message,Date & Time,Video URL,Video Thumbnail,Video Title",
             f"C,2027-03-14 09:05,{A},{B},A film", {"media_urls": [A]}),
            ("zoho-social", "Message,Date,Time,Image URL,Image Alt Text,Post Type",
             f"C,2027-03-14,09:05,{A},A tulip,Story", {"media_urls": [A], "post_type": "story"}),
            ("socialpilot", "Post Content,Date,Time,Post Type,Post ID,Image",
             f"C,2027-03-14,09:05,Reel,77,{A}", {"caption_text": "C", "post_type": "reel"}),
            ("agorapulse", "post_content,text_overlay,date,time", "C,big,2027-03-14,09:05", {"caption_text": "C"}),
            ("contentstudio", "Message,Content Pillar,Date,Date Created,Time,Time Zone",
             "C,Care,2027-03-14,2027-01-01,09:05,Europe/Berlin", {"schedule_time": "2027-03-14 09:05"}),
        ],
    )  # fmt: skip
    def test_columns_beside_the_content(
        self, file: Path, recipe: str, header: str, row: str, fields: dict[str, Any]
    ) -> None:
        found = Read(file, [header, row], recipe=recipe, channels=["facebook:11"])
        assert found.message == ""
        [post] = [row.post.wire() for row in found.rows]
        assert {name: post[name] for name in fields} == fields

    def test_postfast_calls_a_post_in_the_feed_timeline(self, file: Path) -> None:
        lines = ["scheduled_at,account_id,content,media_urls,ig_publish_type", f"2027-05-01T10:00:00Z,a,C,{A},TIMELINE"]
        found = Read(file, lines, recipe="postfast", channels=["a=instagram:12"])
        assert found.values("post_type") == [("post",)]

    def test_numbered_pictures_of_metricool(self, file: Path) -> None:
        lines = ["Text,Date,Time,Facebook,Picture Url 1,Picture Url 2", f"C,2027-03-14,09:05,TRUE,{A},{B}"]
        assert Read(file, lines, recipe="metricool").values("media_urls") == [([A, B],)]

    def test_the_whole_header_of_highlevel(self, file: Path) -> None:
        """As their help has it; YouTube's type is "video" or "short"."""
        header = (
            "postAtSpecificTime (YYYY-MM-DD HH:mm:ss),content,OGmetaUrl (url),imageUrls (comma-separated),gifUrl,"
            "videoUrls (comma-separated),thumbnailUrl,tags (comma-separated),followUpComment,type (post/story/reel),"
            "type (post/story/reel),pdfTitle,title,startDate (YYYY-MM-DD HH:mm:ss),actionUrl,title,"
            "privacyLevel (private/public/unlisted),type (video/short),"
            "privacyLevel (everyone/friends/only_me),title,link"
        )
        row = f"2027-03-14 09:05:00,C,{A},,,{B},{A},t,f,reel,story,P,G,,{PAGE},Y,private,short,friends,K,{A}"
        channels = ["facebook:11", "instagram:12", "youtube:13"]
        found = Read(file, [",".join(["All"] * 21), header, row], recipe="highlevel-advanced", channels=channels)
        assert found.message == ""
        assert found.values("channel_type", "post_type", "caption_text", "media_urls") == [
            ("facebook", "reel", f"C\n{A}", [B]),
            ("instagram", "story", f"C\n{A}", [B]),
            ("youtube", "post", f"C\n{A}", [B]),
        ]
        assert found.rows[2].post.wire()["post_extra"] == {"title": "Y", "category": 22, "privacyStatus": "private"}
