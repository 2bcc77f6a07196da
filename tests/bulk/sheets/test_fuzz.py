"""Whatever is in a file: the promised errors or a post that says what the cells said, and nothing else."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from marketingblocks_async.bulk.errors import SourceError
from marketingblocks_async.bulk.plan import RowError
from marketingblocks_async.bulk.planning import make_plan
from marketingblocks_async.bulk.sheets.cells import BLANKS, SPREADSHEET_ERRORS
from marketingblocks_async.bulk.sheets.columns import ALIASES
from marketingblocks_async.bulk.sheets.flat import FLAT_COLUMNS, flatten_post
from marketingblocks_async.bulk.sheets.placeholders import instruction_in
from marketingblocks_async.bulk.sheets.rows import Row, parse_row
from marketingblocks_async.bulk.sheets.sources import SyncSource, read_rows
from marketingblocks_async.models import ChannelType, CreatePost, PostType, PrivacyStatus, PublishMode
from tests.support.fuzzing import fuzz
from tests.support.workbooks import FIELDS, as_csv, cells, fields, parsed, scheduled, workbook, written

NASTY = [
    "", " ", "\u00a0", "\0", "a\0b", "\x1b[2J", "\u202eabc", "🌷", "👩‍👩‍👧", "\ud83d", "\udc80", "=1+1",
    "=cmd|'/c calc'!A1", "@x", "-1", "+1", "1,234", "1e3", "1.23457E+14", "TRUE", "FALSE", "NaN", "null", "#N/A",
    "########", "0", "11", "11.0", "٣", "²", "01/02/2026", "2027-01-08 14:30", "2027-01-08T14:30Z",
    "2027-02-30 10:00", "facebook", "youtube", "thread", "scheduled", "now", "Africa/Lagos", "Nowhere/City", "a|b",
    "|", "[]", "[1]", "{}", '[{"message": "a"}]', '{"title": "t"}', '"', '""', "'", "https://e.com/a.jpg",
    "https://e.com/a.jpg, https://e.com/b.jpg", "\n", "\r", "a\nb", "\t", "\ufeff", "x" * 2**20, "[" * 5000,
    "9" * 5000, "\u2028", "�", "%s %d {0}", "../../etc/passwd", "<script>", "ʼ", "１２",
]  # fmt: skip
TARGETS = [*ALIASES, "twitter_threads.1.message", "twitter_threads.1.media_urls", "twitter_threads.2.message"]
NAMES = [*TARGETS, "_note"]

any_text = st.text() | st.sampled_from(NASTY)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | any_text
    # Not as values, since Python cannot print them.
    | st.sampled_from([400, 5000]).map(lambda digits: 10**digits)
    | st.sampled_from([b"bytes", object(), date(2027, 1, 8), time(14, 30), datetime(2027, 1, 8, 14, 30)])
)
any_value = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["message", "title", "a"]) | any_text, inner, max_size=4)
    ),
    max_leaves=6,
)


def without_places(result: Row | list[RowError]) -> Row | list[RowError]:
    """Return the row with warnings that name no place of a file."""
    if isinstance(result, Row):
        warnings = tuple(replace(warning, file="", line=None) for warning in result.warnings)
        return replace(result, warnings=warnings)
    return result


def check(result: Row | list[RowError]) -> None:
    """Check what is promised of every row."""
    if isinstance(result, Row):
        assert CreatePost.model_validate(result.post.wire()) == result.post
        text = json.dumps(result.post.wire(), ensure_ascii=False)
        text.encode()
        assert not re.search(r"[\x7f-\x9f]|(?<!\\)(?:\\\\)*\\(?:u00[01]|b|f)", text)
        return
    assert result
    for error in result:
        assert error.message
        assert len(error.message) < 700
        assert len(error.value) <= 80
        for shown in (error.message, error.value, error.column, str(error)):
            assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", shown)
            shown.encode()


def check_source(source: SyncSource, **options: Any) -> list[Row | list[RowError]]:
    """Read a source to its end, or to the promised error."""
    rows: list[Row | list[RowError]] = []
    try:
        with read_rows(source, **options) as stream:
            rows.extend(map(parse_row, stream))
    except SourceError as error:
        message = str(error)
    else:
        message = ""
    assert len(message) < 5000
    message.encode()
    for row in rows:
        check(row)
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


class TestBytes:
    @pytest.mark.parametrize("name", ["posts.csv", "posts.jsonl", "posts.xlsx"])
    @given(content=st.binary(max_size=400))
    @fuzz(60)
    def test_any_bytes(self, folder: Path, name: str, content: bytes) -> None:
        check_source(written(folder / name, content))

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252", "utf-7", "shift_jis", "punycode"])
    @given(content=st.binary(max_size=200))
    @fuzz(25)
    def test_any_bytes_below_a_good_header(self, folder: Path, encoding: str, content: bytes) -> None:
        header = as_csv(cells()).encode(encoding, "replace")
        check_source(written(folder / "posts.csv", header + content), encoding=encoding)

    @given(text=st.text(alphabet='",;\t\r\n\0ab|', max_size=60))
    @fuzz(150)
    def test_any_order_of_quotes_and_signs(self, folder: Path, text: str) -> None:
        check_source(written(folder / "posts.csv", ",".join(FIELDS) + "\n" + text))

    @given(text=st.text(alphabet='{}[]",:0123456789.eE+-\\untrfalse \n', max_size=60))
    @fuzz(150)
    def test_any_order_of_json_signs(self, folder: Path, text: str) -> None:
        check_source(written(folder / "posts.jsonl", text))

    @given(data=st.data())
    @fuzz(60)
    def test_a_good_file_with_a_few_bytes_changed(self, folder: Path, data: st.DataObject) -> None:
        content = bytearray(as_csv(scheduled(key="k"), scheduled(key="l")).encode())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        check_source(written(folder / "posts.csv", bytes(content)))

    @given(data=st.data())
    @fuzz(60)
    def test_a_good_workbook_with_a_few_bytes_changed(self, folder: Path, data: st.DataObject) -> None:
        good = folder / "good.xlsx"
        if not good.exists():
            workbook(good, list(FIELDS), list(FIELDS.values()), merged=["A4:B5"])
        content = bytearray(good.read_bytes())
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        check_source(written(folder / "posts.xlsx", bytes(content)))

    @given(data=st.data())
    @fuzz(40)
    def test_a_good_workbook_with_its_sheet_changed(self, folder: Path, data: st.DataObject) -> None:
        """Inside of the archive, since the outside has a checksum."""
        good = folder / "plain.xlsx"
        if not good.exists():
            workbook(good, list(FIELDS), list(FIELDS.values()), [*list(FIELDS.values())[:5], datetime(2027, 1, 8)])
        changed = io.BytesIO()
        with zipfile.ZipFile(good) as old, zipfile.ZipFile(changed, "w") as new:
            target = data.draw(st.sampled_from(old.namelist()))
            for name in old.namelist():
                content = bytearray(old.read(name))
                for _ in range(3 if name == target else 0):
                    place = data.draw(st.integers(0, len(content) - 1))
                    content[place : place + data.draw(st.integers(0, 3))] = data.draw(
                        st.sampled_from([b"", b"<", b"9", b'"', b"\0", b"-1"])
                    )
                new.writestr(name, bytes(content))
        check_source(written(folder / "posts.xlsx", changed.getvalue()))


class TestCells:
    @given(row=st.dictionaries(st.sampled_from(NAMES), any_text, max_size=8), start=st.sampled_from([cells, scheduled]))
    @example(row={"caption_text": "\ufffd"}, start=cells)
    @example(row={"_note": "\ud83d"}, start=cells)
    @fuzz(60)
    def test_any_text_in_any_column(self, folder: Path, row: Mapping[str, str], start: Any) -> None:
        mixed: dict[str, str] = start() | row
        rows = check_source([mixed])
        text = as_csv(mixed).encode("utf-8", "surrogatepass")
        from_csv = check_source(written(folder / "posts.csv", text))
        # A file with half of a character is not UTF-8, even if no post has it.
        is_utf_8 = text.decode("utf-8", "ignore").encode() == text
        if isinstance(rows[0], Row) and is_utf_8:
            # What a file says is what the same cells say without one, which are at no place of a file.
            assert [without_places(row) for row in from_csv] == rows
        elif from_csv and is_utf_8:
            assert isinstance(from_csv[0], list)

    @given(row=st.dictionaries(st.sampled_from(NAMES) | any_text, any_value, max_size=6))
    @fuzz(50)
    def test_any_value_under_any_name(self, row: Mapping[str, Any]) -> None:
        check_source([{**fields(), **row}, row])

    @given(items=st.lists(any_value, max_size=4))
    @fuzz(50)
    def test_any_items(self, items: list[Any]) -> None:
        assert len(check_source(items)) == len(items)

    @given(
        names=st.lists(st.sampled_from(NAMES) | any_text, max_size=6),
        columns=st.dictionaries(any_text, st.none() | st.sampled_from(TARGETS), max_size=4),
    )
    @fuzz(60)
    def test_any_header(self, folder: Path, names: list[str], columns: dict[str, str | None]) -> None:
        buffer = io.StringIO(newline="")
        csv.writer(buffer).writerows([names, list(FIELDS.values())])
        content = buffer.getvalue().encode("utf-8", "replace")
        check_source(written(folder / "posts.csv", content), columns=columns)

    @given(
        row=st.lists(
            st.none() | st.booleans() | st.integers(-(10**18), 10**18)
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.datetimes(datetime(1901, 1, 1)) | st.dates(date(1901, 1, 1)) | st.times()
            | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=20),
            min_size=6, max_size=8,
        )
    )  # fmt: skip
    @fuzz(30)
    def test_any_cells_of_a_workbook(self, folder: Path, row: list[object]) -> None:
        names = [*FIELDS, "schedule_time", "key"]
        check_source(workbook(folder / "posts.xlsx", names, row, [*list(FIELDS.values())[:3], *row[3:]]))

    @given(rows=st.lists(st.dictionaries(st.sampled_from(NAMES), any_value, max_size=4), max_size=5))
    @fuzz(40)
    def test_any_rows_make_a_plan(self, rows: list[dict[str, Any]]) -> None:
        items = [fields() | row for row in rows]
        taken: list[Row] = []
        found = make_plan(items, on_row=taken.append)
        assert found.rows == len(rows) == found.valid + found.invalid
        assert found.valid == len(taken)
        assert (found.invalid == 0) == found.ok == (found.error_count == 0)
        assert sum(each.rows for each in found.channels) == found.valid
        json.dumps(found.to_dict(), ensure_ascii=False).encode()


printable = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.sampled_from("\n\t\r"))
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp", "Cf"]), min_size=1)
kept = words.map(lambda text: f"a {text} b")
addresses = st.lists(
    st.text("aZ9é|,;[]()'=&?%", max_size=8).map(lambda text: f"https://e.com/{text}")
    | st.sampled_from(["http://e.com", "https://e.com/x/https://f.com/y"]),
    max_size=4,
)


@st.composite
def any_post(draw: st.DrawFn) -> CreatePost:
    """Draw a post that cells can say: texts without white space at their ends, and a caption that is not blank."""
    mode = draw(st.sampled_from(PublishMode))
    moment = draw(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))
    item = fields(
        channel_type=draw(st.sampled_from(ChannelType)),
        channel_id=draw(st.integers(-(2**1000), 2**1000)),
        post_type=draw(st.sampled_from(PostType)),
        caption_text=draw(printable.map(lambda text: text.strip(BLANKS)).filter(bool)),
        media_urls=draw(addresses),
        publish_mode=mode,
        hash_tags=draw(st.none() | (words | kept).filter(lambda text: "|" not in text)),
    )
    if mode is PublishMode.SCHEDULED:
        item["schedule_time"] = f"{moment.year:04}-{moment:%m-%d %H:%M}"
    item["time_zone"] = draw(st.sampled_from(["Africa/Lagos", "Asia/Kolkata", "UTC"]))
    if draw(st.booleans()) or item["post_type"] == "thread":
        tweet = st.fixed_dictionaries({"message": printable}, optional={"media_urls": addresses})
        item["twitter_threads"] = draw(st.lists(tweet, min_size=1, max_size=3))
    if draw(st.booleans()) or item["channel_type"] == "youtube":
        item["post_extra"] = {
            "title": draw(kept),
            "category": draw(st.integers(0, 10**20)),
            "privacyStatus": draw(st.sampled_from(PrivacyStatus)),
        }
    assume(not SPREADSHEET_ERRORS & {item["caption_text"], item["hash_tags"]})
    # Hypothesis also draws texts that stand in the code.
    assume(instruction_in(item["caption_text"]) is None)
    return CreatePost.model_validate(item)


class TestRoundTrip:
    @given(
        original=any_post(),
        delimiter=st.sampled_from(",;\t"),
        encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]),
        end=st.sampled_from(["\r\n", "\n", "\r"]),
    )
    @fuzz(80)
    def test_a_post_through_a_csv_file(
        self, folder: Path, original: CreatePost, delimiter: str, encoding: str, end: str
    ) -> None:
        text = as_csv(flatten_post(original), delimiter=delimiter, end=end)
        (row,) = parsed(written(folder / "posts.csv", text.encode(encoding)))
        assert isinstance(row, Row), row
        assert row.post == original

    @given(original=any_post())
    @fuzz(50)
    def test_a_post_through_a_json_file(self, folder: Path, original: CreatePost) -> None:
        lines = [original.wire(), dict(flatten_post(original))]
        (first, second) = parsed(written(folder / "posts.jsonl", "".join(f"{json.dumps(line)}\n" for line in lines)))
        assert isinstance(first, Row), first
        assert isinstance(second, Row), second
        assert first.post == second.post == original
        assert first.content_hash == second.content_hash

    @given(original=any_post())
    @fuzz(25)
    def test_a_post_through_a_workbook(self, folder: Path, original: CreatePost) -> None:
        row = flatten_post(original)
        texts = "".join(row.values())
        # XML changes carriage returns, and Excel's codes are refused.
        assume("\r" not in texts and "_x" not in texts and "=" not in texts and max(map(len, row.values())) < 32_000)
        assume(not re.search("[\ufffe\uffff]", texts))
        path = workbook(folder / "posts.xlsx", FLAT_COLUMNS, [text or None for text in row.values()])
        (found,) = parsed(path)
        assert isinstance(found, Row), found
        assert found.post == original
