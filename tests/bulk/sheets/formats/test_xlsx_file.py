"""Workbooks: what a cell holds and what it shows can differ, and then it is refused."""

from __future__ import annotations

import io
import itertools
import re
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async.bulk.errors import SourceError
from marketingblocks_async.bulk.plan import RowError
from marketingblocks_async.bulk.sheets.formats import workbook as workbook_file
from marketingblocks_async.bulk.sheets.formats import xlsx_file
from marketingblocks_async.bulk.sheets.formats.workbook import CHUNK, find_marks
from marketingblocks_async.bulk.sheets.sources import aread_rows, read_rows
from tests.support.workbooks import (
    FIELDS,
    cells,
    errors,
    failure,
    openpyxl,
    parsed,
    post,
    posts,
    workbook,
    written,
)

HEADER = tuple(FIELDS)
LINE = tuple(FIELDS.values())
Edit = Callable[[str, bytes], bytes | None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "posts.xlsx"


def struck(file: Path, *places: str) -> Path:
    """Strike cells through."""
    book = openpyxl.load_workbook(file)
    for place in places:
        book.active[place].font = openpyxl.styles.Font(strike=True)
    book.save(file)
    return file


def with_row(file: Path, formats: Mapping[str, str] | None = None, **changes: Any) -> Path:
    """Write a workbook with one row, changed; the formats are for its columns."""
    row = FIELDS | changes
    names = list(row)
    by_cell = {f"{chr(65 + names.index(name))}2": text for name, text in (formats or {}).items()}
    return workbook(file, names, list(row.values()), formats=by_cell)


def errors_of_cells(file: Path, columns: Sequence[str], values: Sequence[object]) -> list[RowError]:
    """Return the errors of rows that are fine but for each of the values in each of the columns: one for each row."""
    pairs = list(itertools.product(columns, values))
    names = [*FIELDS, *(column for column in columns if column not in FIELDS)]
    rows = [[(FIELDS | {column: value}).get(name) for name in names] for column, value in pairs]
    found = errors(workbook(file, names, *rows))
    assert [(error.row, error.column) for error in found] == list(enumerate((column for column, _ in pairs), 1))
    return found


def edited(file: Path, edit: Edit) -> Path:
    """Change the parts of a workbook; ``None`` removes one."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            changed = edit(name, content)
            if changed is not None:
                archive.writestr(name, changed)
    return file


def replaced(file: Path, part: str, old: str, new: str) -> Path:
    def edit(name: str, content: bytes) -> bytes:
        if name.endswith(part):
            assert old.encode() in content, content[:2000]
            return content.replace(old.encode(), new.encode())
        return content

    return edited(file, edit)


def with_table_of_texts(file: Path, texts: dict[str, str] | None = None) -> Path:
    """Move the texts into a table, as Excel does; ``texts`` replaces the XML of some."""
    table: list[str] = []

    def move(match: re.Match[bytes]) -> bytes:
        text = match[1].decode()
        table.append((texts or {}).get(text, text))
        return f't="s"><v>{len(table) - 1}</v>'.encode()

    def edit(name: str, content: bytes) -> bytes:
        if name.endswith("sheet1.xml"):
            return re.sub(rb't="inlineStr"><is>(.*?)</is>', move, content)
        if name == "[Content_Types].xml":
            kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
            part = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'
            return content.replace(b"</Types>", part.encode())
        return content

    edited(file, edit)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        entries = "".join(f"<si>{text}</si>" for text in table)
        namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="{namespace}">{entries}</sst>')
    return file


class TestTableOfTexts:
    def test_is_what_excel_writes(self, file: Path) -> None:
        caption = "Grüße 🌷,\n<two>  & lines"
        assert post(with_table_of_texts(with_row(file, caption_text=caption))).caption_text == caption

    @pytest.mark.parametrize(
        ("xml", "text"),
        [
            ("<r><rPr><b/></rPr><t>He</t></r><r><t xml:space='preserve'>llo </t></r><r><t>you</t></r>", "Hello you"),
            ("<t>東京</t><rPh sb='0' eb='2'><t>トウキョウ</t></rPh>", "東京"),
            ("<t>one_x000D_\ntwo</t>", "one\r\ntwo"),
        ],
    )
    def test_formats_and_readings_are_not_part_of_the_text(self, file: Path, xml: str, text: str) -> None:
        assert post(with_table_of_texts(with_row(file), {"<t>Hello</t>": xml})).caption_text == text

    def test_a_text_that_is_not_in_the_table(self, file: Path) -> None:
        with_table_of_texts(with_row(file))
        assert "broken" in failure(replaced(file, "sheet1.xml", "<v>3</v>", "<v>999</v>")).message

    def test_an_empty_text_is_an_empty_cell(self, file: Path) -> None:
        (error,) = errors(with_table_of_texts(with_row(file), {"<t>Hello</t>": "<t></t>"}))
        assert (error.column, error.value) == ("caption_text", "")


class TestCells:
    def test_text_is_kept_as_it_is(self, file: Path) -> None:
        caption = 'Grüße 🌷,\n"two"  lines'
        assert post(with_row(file, caption_text=caption)).caption_text == caption

    @pytest.mark.parametrize("number", [11, 11.0, "11", " 11 ", "11.0"])
    def test_a_whole_number_is_one_however_it_is_held(self, file: Path, number: object) -> None:
        assert post(with_row(file, channel_id=number)).channel_id == 11

    @pytest.mark.parametrize("number_format", ["0", "#,##0", "General", "@", "0.00"])
    def test_the_format_of_an_id_does_not_matter(self, file: Path, number_format: str) -> None:
        assert post(with_row(file, {"channel_id": number_format}, channel_id=123456)).channel_id == 123456

    @pytest.mark.parametrize("number", [1.5, 10**15, 1.2345678901234568e16, 1e300, 12345678901234567])
    def test_a_number_that_is_not_whole_or_was_rounded_is_refused(self, file: Path, number: float) -> None:
        (error,) = errors(with_row(file, channel_id=number))
        assert error.column == "channel_id"
        assert "whole number" in error.message or "15 digits" in error.message

    def test_a_long_id_as_text_is_exact(self, file: Path) -> None:
        assert post(with_row(file, channel_id="12345678901234567")).channel_id == 12345678901234567

    @pytest.mark.parametrize(
        ("number", "text"), [(2027, "2027"), (2027.0, "2027"), (-3, "-3"), (99999999999, "99999999999")]
    )
    def test_a_number_in_a_column_of_text_is_its_digits(self, file: Path, number: float, text: str) -> None:
        assert post(with_row(file, caption_text=number)).caption_text == text

    @pytest.mark.parametrize(
        ("number", "number_format"),
        [(1.5, "General"), (0.5, "0%"), (1234, "#,##0"), (5, "0.00"), (10**12, "General"), (7, '0 "items"')],
    )
    def test_a_number_whose_looks_depend_on_the_format_is_no_text(
        self, file: Path, number: float, number_format: str
    ) -> None:
        (error,) = errors(with_row(file, {"caption_text": number_format}, caption_text=number))
        assert error.column == "caption_text"
        assert "format" in error.message

    def test_truth_values_are_nothing_to_post(self, file: Path) -> None:
        columns = ["caption_text", "channel_id", "channel_type", "media_urls", "key"]
        found = errors_of_cells(file, columns, [True, False])
        assert [error.value for error in found] == ["TRUE", "FALSE"] * len(columns)

    def test_text_that_the_spreadsheet_made_a_date_of_is_refused(self, file: Path) -> None:
        columns = ["caption_text", "channel_id", "hash_tags", "key", "post_type"]
        assert errors_of_cells(
            file, columns, [datetime(2027, 1, 2), date(2027, 1, 2), time(14, 30), timedelta(hours=30)]
        )

    def test_rich_text_is_its_text(self, file: Path) -> None:
        rich = openpyxl.cell.rich_text
        text = rich.CellRichText("Hello ", rich.TextBlock(rich.InlineFont(b=True), "bold"), " world")
        assert post(with_row(file, caption_text=text)).caption_text == "Hello bold world"

    def test_a_hyperlink_is_its_text(self, file: Path) -> None:
        with_row(file)
        book = openpyxl.load_workbook(file)
        book.active["D2"].hyperlink = "https://elsewhere.example"
        book.save(file)
        assert post(file).caption_text == "Hello"

    def test_text_that_looks_like_a_formula_is_text(self, file: Path) -> None:
        with_row(file)
        book = openpyxl.load_workbook(file)
        book.active["D2"].value = "=1+1"
        book.active["D2"].data_type = "s"
        book.save(file)
        assert post(file).caption_text == "=1+1"

    def test_a_formula_is_refused_with_what_to_do(self, file: Path) -> None:
        columns = ["caption_text", "channel_id", "media_urls", "channel_type", "key"]
        formulas = ["=1+1", '=HYPERLINK("https://example.com","Hello")', "=A1", "=cmd|'/c calc'!A1"]
        found = errors_of_cells(file, columns, formulas)
        assert all("paste it as values" in error.message for error in found), found
        assert [error.value for error in found] == formulas * len(columns)

    def test_array_formulas_too(self, file: Path) -> None:
        with_row(file)
        book = openpyxl.load_workbook(file)
        book.active["D2"] = openpyxl.worksheet.formula.ArrayFormula("D2", "=SUM(A1:A3)")
        book.save(file)
        (error,) = errors(file)
        assert "paste it as values" in error.message

    def test_a_formula_in_a_column_that_is_ignored_does_not_matter(self, file: Path) -> None:
        assert len(posts(with_row(file, Notes="=1+1"), columns={"Notes": None})) == 1

    @pytest.mark.parametrize("value", ["#N/A", "#REF!", "#NAME?"])
    def test_errors_of_the_spreadsheet_are_refused(self, file: Path, value: str) -> None:
        (error,) = errors(with_row(file, caption_text=value))
        assert value in error.message

    def test_carriage_returns_are_decoded(self, file: Path) -> None:
        assert post(with_row(file, caption_text="one_x000D_\ntwo")).caption_text == "one\r\ntwo"

    @pytest.mark.parametrize("code", ["_x0000_", "_x001B_", "_x0041_", "_xD83D_"])
    def test_other_codes_are_refused(self, file: Path, code: str) -> None:
        (error,) = errors(with_row(file, caption_text=f"a{code}b"))
        assert error.column == "caption_text"

    def test_what_only_looks_like_a_code_is_text(self, file: Path) -> None:
        assert post(with_row(file, caption_text="my_xray _x12_ _x")).caption_text == "my_xray _x12_ _x"

    def test_a_cell_of_the_largest_size_is_read(self, file: Path) -> None:
        assert post(with_row(file, caption_text="x" * 32_767)).caption_text == "x" * 32_767


class TestTimes:
    def scheduled(self, file: Path, moment: object, number_format: str | None = None) -> Path:
        formats = {"schedule_time": number_format} if number_format else None
        return with_row(file, formats, publish_mode="scheduled", schedule_time=moment, time_zone="Africa/Lagos")

    @pytest.mark.parametrize("number_format", [None, "yyyy-mm-dd hh:mm", "m/d/yy h:mm", "dd.mm.yyyy", "[$-407]h:mm"])
    def test_a_date_cell_is_the_time_that_it_holds(self, file: Path, number_format: str | None) -> None:
        found = post(self.scheduled(file, datetime(2027, 1, 8, 14, 30), number_format))
        assert (found.schedule_time, found.time_zone) == ("2027-01-08 14:30", "Africa/Lagos")

    def test_a_date_cell_and_the_same_text_are_the_same_post(self, file: Path) -> None:
        first = parsed(self.scheduled(file, datetime(2027, 1, 8, 14, 30)))
        assert first == parsed(self.scheduled(file, "2027-01-08 14:30"))

    def test_every_minute_of_the_day_survives_the_spreadsheet_s_fractions(self, file: Path) -> None:
        moments = [datetime(2027, 1, 8) + timedelta(minutes=minute) for minute in range(1440)]
        rows = [(*LINE[:-1], "scheduled", moment, "UTC") for moment in moments]
        workbook(file, (*HEADER, "schedule_time", "time_zone"), *rows)

        def shorten(match: re.Match[bytes]) -> bytes:
            # Excel writes at most 15 digits, where openpyxl writes 17.
            return f"<v>{float(match[1]):.15g}</v>".encode()

        edited(file, lambda _, content: re.sub(rb"<v>(46\d{3}[.\d]*)</v>", shorten, content))
        assert [each.schedule_time for each in posts(file)] == [f"{moment:%Y-%m-%d %H:%M}" for moment in moments]

    def test_the_calendar_of_old_macs_is_understood(self, file: Path) -> None:
        self.scheduled(file, datetime(2027, 1, 8, 14, 30))
        book = openpyxl.load_workbook(file)
        book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
        book.active["G2"].value = datetime(2027, 1, 8, 14, 30)
        book.save(file)
        assert post(file).schedule_time == "2027-01-08 14:30"

    def test_midnight_is_a_time_if_the_cell_shows_it(self, file: Path) -> None:
        assert post(self.scheduled(file, datetime(2027, 1, 8), "yyyy-mm-dd hh:mm")).schedule_time == "2027-01-08 00:00"

    @pytest.mark.parametrize("number_format", ["yyyy-mm-dd", "mm-dd-yy", 'd "hours" mmm'])
    def test_a_day_without_a_time_is_refused(self, file: Path, number_format: str) -> None:
        (error,) = errors(self.scheduled(file, date(2027, 1, 8), number_format))
        assert "no time of day" in error.message

    @pytest.mark.parametrize("value", [time(14, 30), timedelta(hours=14)])
    def test_a_time_without_a_day_is_refused(self, file: Path, value: object) -> None:
        (error,) = errors(self.scheduled(file, value))
        assert "without a date" in error.message

    def test_a_date_whose_format_is_one_of_durations_is_told_the_format(self, file: Path) -> None:
        (error,) = errors(self.scheduled(file, datetime(2027, 1, 8, 14, 30), "[h]:mm"))
        assert "choose a format of dates" in error.message
        assert (
            post(self.scheduled(file, datetime(2027, 1, 8, 14, 30), "d mmm h:mm")).schedule_time == "2027-01-08 14:30"
        )

    def test_seconds_are_refused(self, file: Path) -> None:
        (error,) = errors(self.scheduled(file, datetime(2027, 1, 8, 14, 30, 27)))
        assert "whole minutes" in error.message

    def test_a_number_is_no_time(self, file: Path) -> None:
        (error,) = errors(self.scheduled(file, 46395.6, "General"))
        assert error.column == "schedule_time"

    def test_a_date_outside_of_the_calendar_is_refused(self, file: Path) -> None:
        self.scheduled(file, 99999999.5, "yyyy-mm-dd hh:mm")
        (error,) = errors(file)
        assert error.column == "schedule_time"


class TestShapes:
    def test_blank_rows_are_skipped_and_lines_are_those_of_the_sheet(self, file: Path) -> None:
        workbook(file, (), HEADER, (), LINE, (None,) * 6, (" ", "\u00a0", ""), LINE, (None,), (None,))
        with read_rows(file) as stream:
            assert [(raw.number, raw.line) for raw in stream] == [(1, 4), (2, 7)]

    def test_thousands_of_empty_rows_at_the_end_do_not_matter(self, file: Path) -> None:
        workbook(file, HEADER, LINE, formats={f"A{row}": "0.00" for row in range(3, 3000)})
        assert len(posts(file)) == 1

    def test_columns_without_name_are_fine_while_they_are_empty(self, file: Path) -> None:
        assert len(posts(workbook(file, (*HEADER, None, " "), (*LINE, None, None), (*LINE, "", " ", None)))) == 2

    @pytest.mark.parametrize(("row", "column"), [((*LINE, None, "x"), "column H"), ((*LINE, "x"), "column G")])
    def test_a_cell_in_a_column_without_name_is_an_error(self, file: Path, row: tuple[str, ...], column: str) -> None:
        (error,) = errors(workbook(file, HEADER, row))
        assert error.column == column
        assert "no name" in error.message

    def test_a_title_above_the_header_is_refused_and_the_header_is_pointed_at(self, file: Path) -> None:
        error = failure(workbook(file, ("Spring campaign",), (), HEADER, LINE, merged=["A1:F1"]))
        assert "line 3" in error.message
        assert "Spring campaign" in error.message

    @pytest.mark.parametrize("rows", [[], [()], [(None, " ")]])
    def test_an_empty_sheet_is_refused(self, file: Path, rows: list[tuple[object, ...]]) -> None:
        assert "empty" in failure(workbook(file, *rows)).message

    def test_a_header_alone_has_no_rows(self, file: Path) -> None:
        assert parsed(workbook(file, HEADER)) == []

    def test_a_wrong_note_of_the_size_cuts_nothing_off(self, file: Path) -> None:
        replaced(workbook(file, HEADER, LINE, LINE), "sheet1.xml", 'ref="A1:F3"', 'ref="A1:B2"')
        assert len(posts(file)) == 2

    def test_headers_that_are_no_text_are_unknown_names(self, file: Path) -> None:
        error = failure(workbook(file, (*HEADER, 2027, True, datetime(2027, 1, 8), "=A1"), LINE))
        assert [each.column for each in error.errors] == ["2027", "TRUE", "2027-01-08 00:00:00", "=A1"]

    def test_facts(self, file: Path) -> None:
        with read_rows(workbook(file, HEADER, LINE)) as stream:
            list(stream)
        assert stream.facts.kind == "xlsx"
        assert stream.facts.sheet == "Sheet"
        assert stream.facts.size == file.stat().st_size
        assert len(stream.facts.sha256 or "") == 64

    async def test_reading_without_blocking(self, file: Path) -> None:
        async with aread_rows(workbook(file, HEADER, *[LINE] * 600)) as stream:
            assert len([raw async for raw in stream]) == 600

    def test_an_early_end_closes_the_file(self, file: Path) -> None:
        # An unclosed file would be a warning, and so an error.
        with read_rows(workbook(file, HEADER, *[LINE] * 600)) as stream:
            next(stream)
        file.unlink()


class TestSheets:
    @pytest.fixture
    def three(self, file: Path) -> Path:
        book = openpyxl.Workbook()
        for title, caption in (("Lists", "hidden"), ("March", "march"), ("April ", "april")):
            sheet = book.create_sheet(title)
            sheet.append(HEADER)
            sheet.append(tuple(cells(caption_text=caption).values()))
        del book["Sheet"]
        book["Lists"].sheet_state = "hidden"
        book.save(file)
        return file

    def test_the_first_one_that_is_not_hidden_is_read(self, three: Path) -> None:
        assert post(three).caption_text == "march"

    @pytest.mark.parametrize("name", ["April ", "April", " april"])
    def test_another_one_is_read_by_its_name(self, three: Path, name: str) -> None:
        assert post(three, sheet=name).caption_text == "april"

    def test_a_hidden_one_can_be_named(self, three: Path) -> None:
        assert post(three, sheet="Lists").caption_text == "hidden"

    def test_an_unknown_name_is_refused_with_those_that_there_are(self, three: Path) -> None:
        assert '"Lists", "March", "April"' in failure(three, sheet="May").message


class TestMergedCells:
    def test_a_row_that_only_looks_filled_in_is_refused(self, file: Path) -> None:
        header = (*HEADER, "hash_tags")
        workbook(file, header, (*LINE, "#a"), (*LINE, None), (*LINE, "#b"), merged=["G2:G3"])
        first, second, third = parsed(file)
        assert not isinstance(first, list)
        assert not isinstance(third, list)
        assert isinstance(second, list)
        (error,) = second
        assert error.column == "hash_tags"
        assert "G2 to G3 are merged" in error.message
        assert "unmerge" in error.message

    def test_areas_across_columns_too(self, file: Path) -> None:
        (error,) = errors(workbook(file, (*HEADER, "hash_tags"), (*LINE, None), merged=["F2:G2"]))
        assert error.column == "hash_tags"

    def test_areas_elsewhere_do_not_matter(self, file: Path) -> None:
        header = (*HEADER, "Notes", None)
        workbook(file, header, LINE, LINE, (), ("",), merged=["G2:G3", "H1:H3", "A5:F6", "AA1:AB900"])
        assert len(posts(file, columns={"Notes": None})) == 2

    def test_many_areas_are_found_wherever_they_are_in_the_file(self) -> None:
        for padding in (0, 1, CHUNK - 40, CHUNK - 20, CHUNK * 2 - 30):
            part = b" " * padding + b"<mergeCell ref=\"B2:C3\"/><x:mergeCell  ref='AA10:AB11' />"
            assert find_marks(io.BytesIO(part)).areas == [(2, 1, 3, 2), (10, 26, 11, 27)]

    def test_hidden_rows_need_no_number_and_may_lie_across_two_chunks(self) -> None:
        rows = b'<row><c/></row><row hidden="1"><c/></row><row r="7"/><row  ht="0"><c/></row>'
        for padding in (0, *range(CHUNK - len(rows), CHUNK, 7)):
            marks = find_marks(io.BytesIO(b" " * padding + rows))
            assert [row for row in range(12) if marks.hides_row(row)] == [2, 8]

    def test_an_absurd_number_of_them_is_refused(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(workbook_file, "AREA_LIMIT", 2)
        workbook(file, HEADER, LINE, merged=["A5:A6", "A7:A8", "A9:A10"])
        assert "merged" in failure(file).message


class TestBrokenFiles:
    @pytest.mark.parametrize(
        "content",
        [b"", b"PK", b"channel_type,channel_id\n", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), bytes(4096)],
    )
    def test_what_is_no_workbook_is_refused_with_what_it_may_be(self, file: Path, content: bytes) -> None:
        message = failure(written(file, content)).message
        assert "not an XLSX workbook" in message
        assert "password" in message

    def test_a_workbook_that_was_cut_off(self, file: Path) -> None:
        content = workbook(file, HEADER, LINE).read_bytes()
        for length in range(0, len(content), 97):
            assert failure(written(file, content[:length])).file == str(file)

    def test_parts_that_are_missing(self, file: Path) -> None:
        content = workbook(file, HEADER, LINE).read_bytes()
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
        read = 0
        for missing in names:
            edited(written(file, content), lambda name, part, missing=missing: None if name == missing else part)  # type: ignore[misc]  # the default only binds the name
            with suppress(SourceError):
                read += len(parsed(file))
        assert 0 < read < len(names)

    @pytest.mark.parametrize("rows", [[], [("Read me first",)], [("Platform", "Posts", "Notes")]])
    def test_a_first_sheet_without_posts_names_the_others(self, file: Path, rows: list[tuple[str, ...]]) -> None:
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        sheet = book.create_sheet("Posts")
        sheet.append(HEADER)
        sheet.append(LINE)
        book.save(file)
        message = failure(file).message
        assert (
            'this is the sheet "Sheet"; if the posts are in another one ("Posts"), say which: sheet="NAME"' in message
        )
        assert post(file, sheet="Posts")

    @pytest.mark.parametrize("old", ["<row", "</c>", "</is>", 't="', "</worksheet>"])
    def test_xml_that_is_broken(self, file: Path, old: str) -> None:
        replaced(workbook(file, HEADER, LINE), "sheet1.xml", old, "<&")
        assert "broken" in failure(file).message

    @pytest.mark.parametrize("number", ["1", "2"])
    def test_no_row_is_lost_that_stands_behind_a_later_one(self, file: Path, number: str) -> None:
        workbook(file, HEADER, LINE, LINE)
        replaced(file, "sheet1.xml", '<row r="3"', f'<row r="{number}"')
        assert f"row {number} of this sheet stands behind row 2" in failure(file).message

    @pytest.mark.parametrize(("old", "new"), [('r="2"', 'r="99999999999"'), ('r="A2"', 'r="ZZZZZ2"')])
    def test_cells_in_impossible_places(self, file: Path, old: str, new: str) -> None:
        assert failure(replaced(workbook(file, HEADER, LINE), "sheet1.xml", old, new))

    def test_encryption_inside_of_the_archive(self, file: Path) -> None:
        content = bytearray(workbook(file, HEADER, LINE).read_bytes())
        entry = content.index(b"PK\x01\x02")
        content[entry + 8] |= 1
        assert "encrypted" in failure(written(file, bytes(content))).message

    def test_entities_are_not_expanded(self, file: Path) -> None:
        bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><worksheet'
        replaced(workbook(file, HEADER, LINE), "sheet1.xml", "<worksheet", bomb)
        assert "XML entities" in failure(file).message

    def test_a_zip_bomb_is_not_unpacked(self, file: Path) -> None:
        workbook(file, HEADER, LINE)
        with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/media/a.png", "w") as part:
            for _ in range(80):
                part.write(bytes(2**20))
        tracemalloc.start()
        try:
            assert "enormous" in failure(file).message
            assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize("limit", ["PARTS_LIMIT", "UNPACKED_LIMIT", "TEXTS_LIMIT"])
    def test_a_workbook_beyond_the_limits_is_not_unpacked(
        self, file: Path, monkeypatch: pytest.MonkeyPatch, limit: str
    ) -> None:
        monkeypatch.setattr(workbook_file, limit, 5)
        assert "export the sheet as CSV" in failure(with_table_of_texts(workbook(file, HEADER, LINE))).message

    def test_a_sheet_of_more_rows_than_there_can_be(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(xlsx_file, "ROW_LIMIT", 2)
        assert "more than 2 rows" in failure(workbook(file, HEADER, LINE, LINE)).message

    def test_warnings_about_looks_are_kept_quiet_and_others_are_not(self, file: Path) -> None:
        extension = (
            '</sheetData><extLst><ext uri="{CCE6A557-97BC-4b89-ADB6-D9C93CAAB3DF}" '
            'xmlns:x14="http://schemas.microsoft.com/office/spreadsheetml/2009/9/main"/></extLst>'
        )
        replaced(workbook(file, HEADER, LINE), "sheet1.xml", "</sheetData>", extension)
        with closing(openpyxl.load_workbook(file, read_only=True)) as book:
            rows = book.active.iter_rows()
            with pytest.warns(UserWarning, match="extension"):
                list(rows)
        filters = list(warnings.filters)
        assert len(posts(file)) == 1
        assert warnings.filters == filters

    @pytest.mark.parametrize("name", ["missing.xlsx", "posts\0.xlsx"])
    def test_a_file_that_cannot_be_opened(self, tmp_path: Path, name: str) -> None:
        assert failure(f"{tmp_path}/{name}").file.endswith(name)

    def test_a_folder(self, file: Path) -> None:
        file.mkdir()
        assert "folder" in failure(file).message


class TestStruckThrough:
    def test_what_is_struck_through_may_not_be_meant_to_be_sent(self, file: Path) -> None:
        workbook(file, HEADER, LINE, LINE)
        caption = f"{chr(65 + HEADER.index('caption_text'))}3"
        (error,) = errors(struck(file, caption))
        assert (error.row, error.column) == (2, "caption_text")
        assert "struck through" in error.message

    def test_names_blanks_and_columns_that_hold_no_field_do_not_matter(self, file: Path) -> None:
        workbook(file, [*HEADER, "_note", "hash_tags"], [*LINE, "old", " "], LINE)
        last = len(HEADER)
        assert len(posts(struck(file, "A1", f"{chr(65 + last)}2", f"{chr(66 + last)}2"))) == 2
