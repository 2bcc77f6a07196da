"""CSV files as spreadsheet programs really write them."""

from __future__ import annotations

import csv
import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from marketingblocks_async.bulk.sheets.formats import csv_file, text_files
from marketingblocks_async.bulk.sheets.rows import Row, parse_row
from marketingblocks_async.bulk.sheets.sources import read_rows
from tests.support.workbooks import (
    FIELDS,
    HEADER,
    LINE,
    as_csv,
    cells,
    errors,
    failure,
    parsed,
    post,
    posts,
    written,
)

EMOJI = "Grüße 🌷 from Łódź, “quoted” — здравствуй"


@pytest.fixture
def field_size_limit() -> Iterator[None]:
    limit = csv.field_size_limit()
    yield
    csv.field_size_limit(limit)


class TestDialects:
    @pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".CSV"])
    def test_every_sign_between_columns_and_every_line_end_is_found(self, tmp_path: Path, suffix: str) -> None:
        file = tmp_path / f"posts{suffix}"
        caption = 'So, "quoted"; with\ttab'
        for delimiter, end in itertools.product(",;\t", ("\r\n", "\n", "\r")):
            text = as_csv(cells(caption_text=caption), cells(), delimiter=delimiter, end=end)
            assert [each.caption_text for each in posts(written(file, text))] == [caption, "Hello"]

    def test_the_header_decides_even_if_the_captions_hold_more_of_another_sign(self, file: Path) -> None:
        text = as_csv(*(cells(caption_text="a,b,c,d,e,f,g,h") for _ in range(9)), delimiter=";")
        assert {each.caption_text for each in posts(written(file, text))} == {"a,b,c,d,e,f,g,h"}

    @pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\n\n", "\u2028", "\n \n"])
    def test_a_line_break_inside_quotes_belongs_to_the_caption(self, file: Path, line_break: str) -> None:
        caption = f"first{line_break}second"
        assert post(written(file, as_csv(cells(caption_text=caption)))).caption_text == caption

    def test_white_space_before_an_opening_quote_is_refused(self, file: Path) -> None:
        for text in ('"Hello"', '"Hello, world"'):
            (error,) = errors(written(file, f"{HEADER}\n{LINE.replace('Hello', f' {text}')}\n"))
            assert (error.line, error.column) == (2, "caption_text")
            assert "white space before the opening quote" in error.message
        # In a cell that is quoted itself it is a part of the text.
        assert post(written(file, as_csv(cells(caption_text=' "Hello"')))).caption_text == '"Hello"'

    def test_json_is_called_json(self, file: Path) -> None:
        for text in ('[{"channel_type":"facebook","channel_id":11}]', '{"channel_type": "facebook"}\n'):
            assert "name the file .json" in failure(written(file, text)).message

    def test_excel_s_line_that_names_the_sign_is_obeyed(self, file: Path) -> None:
        text = "sep=;\r\n" + as_csv(cells(), delimiter=";")
        with read_rows(written(file, text)) as stream:
            (raw,) = stream
        assert raw.line == 3
        assert stream.facts.delimiter == ";"

    def test_it_may_name_another_sign_than_the_usual_ones(self, file: Path) -> None:
        assert post(written(file, "sep=^\n" + as_csv(cells(), delimiter="^"))).caption_text == "Hello"

    def test_a_single_column_is_no_problem_of_the_dialect(self, file: Path) -> None:
        with read_rows(written(file, 'caption_text\n"Hello, you"\nHello; you\n')) as stream:
            assert [raw.cells for raw in stream] == [["Hello, you"], ["Hello; you"]]


class TestEncodings:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
    def test_unicode_is_recognised_with_and_without_mark(self, file: Path, encoding: str) -> None:
        written(file, as_csv(cells(caption_text=EMOJI)).encode(encoding))
        assert post(file).caption_text == EMOJI

    def test_excel_s_unicode_text(self, tmp_path: Path) -> None:
        content = b"\xff\xfe" + as_csv(cells(caption_text=EMOJI), delimiter="\t").encode("utf-16-le")
        with read_rows(written(tmp_path / "Book1.txt", content)) as stream:
            assert len(list(stream)) == 1
        assert (stream.facts.encoding, stream.facts.delimiter) == ("utf-16-le", "\t")

    @pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "CP1252"])
    def test_another_encoding_is_read_when_it_is_named(self, file: Path, encoding: str) -> None:
        written(file, as_csv(cells(caption_text="Grüße"), delimiter=";").encode(encoding))
        assert post(file, encoding=encoding).caption_text == "Grüße"

    @pytest.mark.parametrize("encoding", ["utf-8", "utf8", "utf-8-sig"])
    def test_naming_what_the_mark_says_is_fine(self, file: Path, encoding: str) -> None:
        assert post(written(file, "\ufeff" + as_csv(cells())), encoding=encoding).caption_text == "Hello"

    def test_naming_another_encoding_than_the_mark_says_is_refused(self, file: Path) -> None:
        error = failure(written(file, "\ufeff" + as_csv(cells())), encoding="cp1252")
        assert "UTF-8, not cp1252" in error.message

    @pytest.mark.parametrize("encoding", ["nonsense", "hex", "", "utf\0"])
    def test_what_is_no_encoding_is_refused(self, file: Path, encoding: str) -> None:
        assert "not the name of a text encoding" in failure(written(file, HEADER), encoding=encoding).message

    @pytest.mark.parametrize("before", [0, 1, 5000])
    def test_bytes_of_another_encoding_are_refused_with_place_and_remedy(self, file: Path, before: int) -> None:
        start = f"{HEADER}\r\n" + f"{LINE}\r\n" * before
        content = start.encode() + LINE.replace("Hello", "Gr\xfc\x9d").encode("latin-1") + b"\r\n"
        error = failure(written(file, content))
        assert error.line == before + 2
        assert "0xFC" in error.message
        assert f"{content.index(0xFC):,}" in error.message
        assert "CSV UTF-8" in error.message
        assert 'encoding="' in error.message

    @pytest.mark.parametrize(
        "text",
        [
            "Schöne Grüße, bis Ende März",
            "«À bientôt», l’été à la carte…",
            "¡Mañana! ¿Dónde? ñandú",
            "Smörgåsbord – 5 € ²",
            "Þú ert frábær, komið",
            "Promoções até amanhã, põe já",
            "Botões para você",
            "¡Hola¡ ¿Qué tal¿",
            "L’œuvre où naître, più di lunedì",
            "Sõber, öö on väike",
            "Preise³ und Netze²",
            "25 m³, ft³ & x³: ±5 °C, ½ Liter, ¼lb, ½price",
        ],
    )
    def test_cp1252_is_recognised_and_said(self, file: Path, text: str) -> None:
        self.check_cp1252(file, text, before=0)

    def test_cp1252_far_behind_the_first_lines_is_recognised_too(self, file: Path) -> None:
        self.check_cp1252(file, "Smörgåsbord – 5 € ²", before=8000)

    @staticmethod
    def check_cp1252(file: Path, text: str, before: int) -> None:
        lines = [HEADER, *[LINE] * before, LINE.replace("Hello", f'"{text}"')]
        written(file, "\r\n".join([*lines, ""]).encode("cp1252"))
        with read_rows(file) as stream:
            *_, last = (parse_row(raw) for raw in stream)
        assert isinstance(last, Row)
        assert last.post.caption_text == text
        assert stream.info.encoding == "cp1252"
        (note,) = stream.info.notes
        assert f"in line {before + 2}" in note
        assert any(word.strip(",") in note for word in text.split())

    def test_what_stands_before_the_first_letter_with_an_accent_may_be_long(self, file: Path) -> None:
        text = "a" * 300_000 + "é"
        with read_rows(written(file, f"{HEADER}\r\n{LINE.replace('Hello', text)}\r\n".encode("cp1252"))) as stream:
            (row,) = (parse_row(raw) for raw in stream)
        assert isinstance(row, Row)
        assert row.post.caption_text == text
        # The example shows what was recognised.
        assert "é" in stream.info.notes[0]

    @pytest.mark.parametrize(
        ("text", "encoding"),
        [
            ("Zażółć gęślą jaźń", "cp1250"), ("Příliš žluťoučký kůň", "cp1250"), ("Привет всем", "cp1251"),
            ("Καλημέρα", "cp1253"), ("日本語", "shift_jis"), ("Grüße", "mac-roman"), ("Grüße", "cp850"),
            ("Café", "mac-roman"), ("Für", "mac-roman"), ("à la carte", "mac-roman"), ("está", "mac-roman"),
            ("CAFÉ", "mac-roman"), ("Kampanya başladı", "cp1254"), ("Erős fűtés, új ajánlat", "cp1250"),
            ("Děkujeme, že jste s námi", "cp1250"), ("Cena 20 zł", "cp1250"), ("Promocja już dziś", "cp1250"),
            ("până vineri şi sâmbătă", "cp1250"), ("Kaj češ", "cp1250"), ("Ačiū", "cp1257"),
            ("Michał", "cp1250"), ("Źrebię", "iso8859-2"), ("łąka", "iso8859-2"), ("są", "iso8859-2"),
            ("5 €", "iso8859-15"), ("Œuvre, œuvre", "iso8859-15"),
        ],
    )  # fmt: skip
    def test_another_code_page_is_refused(self, file: Path, text: str, encoding: str) -> None:
        written(file, f"{HEADER}\r\n{LINE.replace('Hello', text)}\r\n".encode(encoding))
        assert 'encoding="' in failure(file).message

    @pytest.mark.parametrize(
        ("text", "encoding"),
        [
            ("Весенняя распродажа уже здесь", "cp1251"), ("Київ чекає на вас", "cp1251"), ("Привет всем", "koi8_r"),
            ("春のセールが始まりました", "cp932"), ("新商品入荷", "cp932"), ("春季大促销现在开始，欢迎光临", "gb18030"),
            ("春季大促銷現在開始", "big5"), ("안녕하세요 봄 세일이 시작되었습니다", "cp949"),
            ("Wiosenna wyprzedaż już się zaczęła", "cp1250"), ("Erős fűtés új ajánlat", "cp1250"),
            ("Yaz indirimi başladı", "cp1254"), ("Καλημέρα σας", "cp1253"), ("שלום לכולם", "cp1255"),
            ("مرحبا بكم في متجرنا", "cp1256"), ("Pavasara izpārdošana", "cp1257"), ("C’est l’été", "mac_roman"),
        ],
    )  # fmt: skip
    def test_the_likely_encodings_are_named_with_what_they_read(self, file: Path, text: str, encoding: str) -> None:
        written(file, f"{HEADER}\r\n{LINE.replace('Hello', text)}\r\n".encode(encoding))
        message = failure(file).message
        assert f'encoding="{encoding}" if `' in message
        foreign = next(word for word in text.replace("，", " ").split() if not word.isascii())
        assert foreign in message
        assert post(file, encoding=encoding).caption_text == text

    @pytest.mark.parametrize("given", ["cp1252", "latin-1", "cp1251", "mac_roman"])
    @pytest.mark.parametrize(
        ("text", "encoding"),
        [
            ("Весенняя распродажа уже здесь", "cp1251"), ("春のセールが始まりました", "cp932"), ("안녕하세요", "cp949"),
            ("春季大促销现在开始，欢迎光临", "gb18030"), ("Wiosenna wyprzedaż żółtych róż", "cp1250"),
            ("Schöne Grüße, für Gäste", "utf-8"), ("Für Gäste", "cp1252"), ("Für Gäste", "mac_roman"),
        ],
    )  # fmt: skip
    def test_an_encoding_that_makes_garbage_is_refused(self, file: Path, text: str, encoding: str, given: str) -> None:
        content = f"{HEADER}\r\n{LINE.replace('Hello', text)}\r\n".encode(encoding)
        written(file, content)
        try:
            reads = content.decode(given)
        except UnicodeDecodeError:
            reads = ""
        if text in reads:
            assert post(file, encoding=given).caption_text == text
            return
        message = failure(file, encoding=given).message
        assert f'encoding="{encoding}"' in message
        assert "does not seem to be" in message or "is not CP1252" in message

    @pytest.mark.parametrize(
        ("text", "encoding"),
        [
            ("Ärger Öl ÜBER À la carte Œuvre", "cp1252"), ("5 € ½ ² ³ ™", "cp1252"), ("SÃO JOÃO", "latin-1"),
            ("McDonald’s – “now”", "cp1252"), ("żółty", "cp1250"), ("½", "cp1252"), ("№ 5 «Да»", "cp1251"),
            ("iPhone 新品 #春", "cp932"), ("カフェABC！", "cp932"), ("Ж", "cp1251"), ("ΑΒΓ", "cp1253"),
        ],
    )  # fmt: skip
    def test_an_encoding_that_is_right_is_not_doubted(self, file: Path, text: str, encoding: str) -> None:
        written(file, f"{HEADER}\r\n{LINE.replace('Hello', text)}\r\n".encode(encoding))
        assert post(file, encoding=encoding).caption_text == text

    def test_the_line_ends_of_a_mac_are_not_those_of_cp1252(self, file: Path) -> None:
        written(file, f"{HEADER}\r{LINE.replace('Hello', 'Schön')}\r".encode("mac-roman"))
        assert 'encoding="mac_roman"' in failure(file).message
        assert post(file, encoding="mac_roman").caption_text == "Schön"

    def test_damaged_utf_8_is_refused(self, file: Path) -> None:
        content = f"{HEADER}\r\n{LINE.replace('Hello', 'Grüße aus Köln')}\r\n".encode()
        assert "0xFF" in failure(written(file, content.replace(b"aus", b"\xff"))).message

    def test_utf_16_that_is_cut_is_refused(self, file: Path) -> None:
        assert "UTF-16" in failure(written(file, as_csv(cells()).encode("utf-16")[:-1])).message

    def test_c1_control_characters_are_a_sign_of_the_wrong_encoding(self, file: Path) -> None:
        text = "Schöne Grüße, 5 €"
        (error,) = errors(written(file, as_csv(cells(caption_text=text)).encode("cp1252")), encoding="latin-1")
        assert "wrong encoding" in error.message


class TestShapes:
    def test_blank_rows_are_skipped_and_not_counted(self, file: Path) -> None:
        text = f"\n{HEADER}\n\n{LINE}\n,,,,,\n  ,\u00a0,\t,,,\n\n{LINE}\n\n\n"
        with read_rows(written(file, text)) as stream:
            assert [(raw.number, raw.line) for raw in stream] == [(1, 4), (2, 8)]

    def test_the_line_is_where_the_row_begins(self, file: Path) -> None:
        text = as_csv(cells(caption_text="a\nb\nc"), cells(), end="\n")
        with read_rows(written(file, text)) as stream:
            assert [raw.line for raw in stream] == [2, 5]

    def test_missing_cells_at_the_end_are_empty(self, file: Path) -> None:
        found = posts(written(file, f"{HEADER},hash_tags,key\n{LINE}\n{LINE},#a\n{LINE},#b,k\n"))
        assert [each.hash_tags for each in found] == [None, "#a", "#b"]

    def test_a_file_that_ends_inside_a_row_is_noticed(self, file: Path) -> None:
        (error,) = errors(written(file, f"{HEADER},hash_tags\n{LINE},#a\n{LINE}"))
        assert "cut off" in error.message
        assert (error.row, error.line) == (2, 3)

    def test_a_last_row_without_line_end_is_fine_when_it_is_whole(self, file: Path) -> None:
        assert len(posts(written(file, f"{HEADER}\n{LINE}"))) == 1

    def test_empty_cells_beyond_the_header_are_fine(self, file: Path) -> None:
        assert len(posts(written(file, f"{HEADER}\n{LINE},,,\n{LINE}, \n"))) == 2

    def test_more_cells_than_columns_are_one_error_and_nothing_is_guessed(self, file: Path) -> None:
        (error,) = errors(written(file, f"{HEADER}\n{LINE.replace('Hello', 'Hello, world')}\n"))
        assert error.message.startswith("the row has 7 cells and the header only 6")
        assert "double quotes" in error.message
        assert error.column == "column G"
        assert error.value == "now"

    def test_trailing_columns_without_name_are_fine_while_they_are_empty(self, file: Path) -> None:
        assert len(posts(written(file, f"{HEADER},,,\n{LINE},,,\n"))) == 1

    def test_a_cell_in_a_column_without_name_is_an_error(self, file: Path) -> None:
        (error,) = errors(written(file, f"{HEADER},,\n{LINE},,forgotten\n"))
        assert error.column == "column H"
        assert error.value == "forgotten"
        assert "no name" in error.message

    @pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", ",,\n", "sep=;\n"])
    def test_an_empty_file_is_refused(self, file: Path, content: str) -> None:
        assert "empty" in failure(written(file, content)).message

    def test_a_header_alone_has_no_rows(self, file: Path) -> None:
        assert parsed(written(file, HEADER)) == []

    def test_a_title_above_the_header_is_refused_and_the_header_is_pointed_at(self, file: Path) -> None:
        error = failure(written(file, f"Spring campaign,,,\n\n{HEADER}\n{LINE}\n"))
        assert "Spring campaign" in error.message
        assert "line 3" in error.message
        assert error.line == 1

    def test_a_title_above_a_header_with_semicolons_as_well(self, file: Path) -> None:
        error = failure(written(file, f"Spring, campaign\n{HEADER.replace(',', ';')}\n"))
        assert "line 2" in error.message

    @pytest.mark.parametrize(
        ("content", "word"),
        [
            ('{"channel_type": "facebook"}\n', ".jsonl"),
            ("<!DOCTYPE html>\n<html>", "web page"),
            ("PK\x03\x04 rest", ".xlsx"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "encrypted"),
            ("%PDF-1.7", "PDF"),
            (b"\x1f\x8b\x08", "gzip"),
            ("one,two\nthree,four\n", "no known column name"),
        ],
    )
    def test_another_kind_of_file_is_recognised(self, file: Path, content: str | bytes, word: str) -> None:
        assert word in failure(written(file, content)).message


class TestQuotes:
    def test_a_quote_that_is_never_closed_is_refused_with_its_row(self, file: Path) -> None:
        error = failure(
            written(file, as_csv(cells(), cells()) + 'facebook,11,post,"Hello,,now\r\n' + f"{LINE}\r\n" * 3)
        )
        assert "never closed" in error.message
        assert error.line == 4

    def test_text_after_a_closing_quote_is_refused_with_its_row(self, file: Path) -> None:
        error = failure(written(file, f'{HEADER}\n{LINE}\nfacebook,11,post,"Hello" she said,,now\n'))
        assert "doubled" in error.message
        assert error.line == 3

    def test_the_rows_before_it_have_been_handed_out(self, file: Path) -> None:
        stream = read_rows(written(file, f'{HEADER}\n{LINE}\n"a"b\n'))
        assert next(stream).number == 1
        stream.close()

    def test_quotes_inside_of_a_cell_that_is_not_quoted_are_text(self, file: Path) -> None:
        text = f"{HEADER}\n" + LINE.replace("Hello", 'a 5" pipe') + "\n"
        assert post(written(file, text)).caption_text == 'a 5" pipe'


@pytest.mark.usefixtures("field_size_limit")
class TestSizes:
    def test_a_cell_of_16_mib_is_read(self, file: Path) -> None:
        caption = "x" * csv_file.CELL_LIMIT
        assert post(written(file, as_csv(cells(caption_text=caption)))).caption_text == caption

    @pytest.mark.parametrize("process_limit", [1000, 2**31 - 1])
    def test_a_larger_one_is_refused_whatever_the_limit_of_the_process(
        self, file: Path, monkeypatch: pytest.MonkeyPatch, process_limit: int
    ) -> None:
        assert csv_file.CELL_LIMIT == 2**24
        monkeypatch.setattr(csv_file, "CELL_LIMIT", 100_000)
        csv.field_size_limit(process_limit)
        error = failure(written(file, as_csv(cells(), cells(caption_text="x" * 100_001))))
        assert "longer than 100,000 characters" in error.message
        assert error.line == 3

    def test_the_limit_of_the_process_is_never_lowered(self, file: Path) -> None:
        csv.field_size_limit(2**31 - 1)
        post(written(file, as_csv(cells())))
        assert csv.field_size_limit() == 2**31 - 1

    def test_a_row_without_end_is_refused_before_it_fills_the_memory(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(csv_file, "LINE_LIMIT", 10_000)
        row = '"a\n' + 'b","c\n' * 5000
        assert "quote" in failure(written(file, f"{HEADER}\n{row}")).message

    def test_a_line_without_end_is_refused_before_it_fills_the_memory(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(text_files, "LINE_LIMIT", 10_000)
        error = failure(written(file, f"{HEADER}\n{'x' * 20_000}"))
        assert error.line == 2
        assert "longer than 10,000" in error.message

    def test_rows_are_read_as_they_are_asked_for(self, file: Path) -> None:
        written(file, f"{HEADER}\n{LINE}\n".encode() * 50_000 + b"\xff")
        with read_rows(file) as stream:
            assert [raw.number for raw in itertools.islice(stream, 3)] == [1, 2, 3]


class TestFacts:
    def test_the_hash_is_of_the_bytes_that_were_read(self, file: Path) -> None:
        content = as_csv(*(cells() for _ in range(9000))).encode("utf-16")
        with read_rows(written(file, content)) as stream:
            before = stream.facts.sha256
            assert len(list(stream)) == 9000
        assert before is None
        assert stream.facts.sha256 == hashlib.sha256(content).hexdigest()
        assert stream.facts.size == len(content)
        assert stream.facts.file == str(file)
        assert stream.facts.kind == "csv"
        assert stream.facts.columns == {name: name for name in FIELDS}

    def test_a_reading_that_is_given_up_closes_the_file_and_has_no_hash(self, file: Path) -> None:
        # An unclosed file would be a warning, and so an error.
        stream = read_rows(written(file, as_csv(*(cells() for _ in range(9000)))))
        next(stream)
        stream.close()
        assert stream.facts.sha256 is None
        assert list(stream) == []


class TestFailures:
    def test_a_missing_file(self, file: Path) -> None:
        error = failure(file)
        assert error.message == "there is no such file"
        assert str(error) == f"{file}: there is no such file"

    def test_a_folder(self, file: Path) -> None:
        file.mkdir()
        assert "folder" in failure(file).message

    def test_a_name_that_no_file_can_have(self) -> None:
        assert "cannot be read" in failure("posts\0.csv").message

    def test_a_disk_that_fails(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        written(file, as_csv(cells()))

        def fail(*_: object) -> int:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(text_files.HashingFile, "readinto", fail)
        assert failure(file).message == "this file cannot be read: Input/output error"


def test_the_example_of_the_repository_is_fine() -> None:
    rows = parsed(Path(__file__).parents[4] / "examples" / "data" / "posts.csv")
    assert len(rows) == 3000
    assert all(isinstance(row, Row) for row in rows)
