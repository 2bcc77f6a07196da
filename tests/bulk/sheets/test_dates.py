"""Dates as other programs write them: one form for a whole column, never a guess."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketingblocks_async.bulk.sheets.cells import CellError
from marketingblocks_async.bulk.sheets.dates import DateColumn, compile_form, joined, needs_decision, read_clock
from marketingblocks_async.bulk.sheets.rows import Row
from marketingblocks_async.bulk.sheets.words import COMMAND_LINE
from marketingblocks_async.errors import ConfigurationError
from tests.support.workbooks import as_csv, parsed, scheduled, written


def column(*cells: str, forms: tuple[str, ...] = ()) -> DateColumn:
    dates = DateColumn(forms, COMMAND_LINE, this_year=2026)
    for line, cell in enumerate(cells, 2):
        dates.look(cell, line)
    return dates


def refusal(dates: DateColumn, cell: str) -> str:
    with pytest.raises(CellError) as info:
        dates.read(cell)
    return str(info.value)


class TestWithoutForm:
    @pytest.mark.parametrize(
        ("cell", "moment"),
        [
            ("2027-03-14 09:05", "2027-03-14 09:05"),
            ("2027/3/4 9:05", "2027-03-04 09:05"),
            ("2027.03.14 09:05:00", "2027-03-14 09:05"),
            ("2027-03-14T09:05:00.000Z", "2027-03-14 09:05Z"),
            ("2027-03-14T09:05:00+01:00", "2027-03-14 09:05+01:00"),
            ("2027-03-14 09:05 +0100", "2027-03-14 09:05+01:00"),
            ("14.03.2027 09:05", "2027-03-14 09:05"),
            ("14.03.27, 14h05", "2027-03-14 14:05"),
            ("14 Mar 2027 9:05 PM", "2027-03-14 21:05"),
            ("14-Mar-2027 09:05", "2027-03-14 09:05"),
            ("Sunday, March 14th, 2027 at 9 a.m.", "2027-03-14 09:00"),
            ("Mar 14, 2027 12:05 am", "2027-03-14 00:05"),
            ("03/03/2027 10:00", "2027-03-03 10:00"),
            ("March 14, 2027 9:05 AM (GMT+1)", "2027-03-14 09:05+01:00"),
            ("March 14, 2027 9:05 AM (GMT-3:30)", "2027-03-14 09:05-03:30"),
            ("14.03.2027 09:05 UTC+11", "2027-03-14 09:05+11:00"),
            ("2027-03-14", "2027-03-14"),
            ("2027-03-14 09:05:30", "2027-03-14 09:05:30"),
            ("So, 14.03.2027", "2027-03-14"),
            ("So., 14. M\u00e4rz 2027 um 09:05 Uhr", "2027-03-14 09:05"),
            ("14. Ma\u0308rz 2027, 9 Uhr", "2027-03-14 09:00"),
            ("14.03.2027 um 09:05 Uhr", "2027-03-14 09:05"),
            ("1er ao\u00fbt 2027 \u00e0 14h05", "2027-08-01 14:05"),
            ("dim. 14 f\u00e9vr. 2027 9h", "2027-02-14 09:00"),
            ("domingo, 14 de marzo de 2027 a las 9:05", "2027-03-14 09:05"),
            ("14 marzo 2027 alle ore 9:05", "2027-03-14 09:05"),
            ("segunda-feira, 15 de mar\u00e7o de 2027 \u00e0s 9:05", "2027-03-15 09:05"),
            ("zo 14 mrt 2027 om 9:05 uur", "2027-03-14 09:05"),
            ("Sunday, March 14, 2027, at 9:05 PM", "2027-03-14 21:05"),
            ("14 \u017fept 2027", "2027-09-14"),
            ("14 apr\u0131l 2027", "2027-04-14"),
        ],
    )
    def test_what_is_clear_needs_no_column(self, cell: str, moment: str) -> None:
        assert DateColumn().read(cell) == moment

    @pytest.mark.parametrize(
        ("cells", "moments", "why"),
        [
            (("03/04/2027 10:00", "14/03/2027 09:05"), ("2027-04-03 10:00", "2027-03-14 09:05"), "DD/MM/YYYY"),
            (("03/04/2027 10:00", "03/14/2027 09:05"), ("2027-03-04 10:00", "2027-03-14 09:05"), "MM/DD/YYYY"),
            (("3-4-27 10:00", "31-1-27 9:00"), ("2027-04-03 10:00", "2027-01-31 09:00"), "DD/MM/YYYY"),
            (("28/12/26 10:00", "14/03/27 9:00"), ("2026-12-28 10:00", "2027-03-14 09:00"), "DD/MM/YYYY"),
            (("28.12.26 10:00", "14.03.27 9:00"), ("2026-12-28 10:00", "2027-03-14 09:00"), "DD/MM/YYYY"),
        ],
    )
    def test_one_date_decides_for_the_column(self, cells: tuple[str, ...], moments: tuple[str, ...], why: str) -> None:
        dates = column(*cells)
        assert tuple(map(dates.read, cells)) == moments
        described = dates.describe() or ""
        assert described.startswith(f"{why}: `{cells[1]}` in line 3 only fits ")

    def test_what_was_not_looked_through_decides_nothing(self) -> None:
        """Such as the rows of a list. The error offers only the forms that the date itself can have."""
        refused = partial(refusal, DateColumn((), COMMAND_LINE, this_year=2026))
        either = "cannot be told apart in this column (`{}`); say which with --date-format {} or --date-format {}, or"
        for cell, *forms in (
            ("03/04/2027", "DD/MM/YYYY", "MM/DD/YYYY"),
            ("27/03/28", "DD/MM/YY", "YY/MM/DD"),
            ("27.03.28", "DD.MM.YY", "YY.MM.DD"),
        ):
            assert either.format(cell, *forms) in refused(cell)
        for cell, form in (("14/03/2027", "DD/MM/YYYY"), ("03/27/29", "MM/DD/YY")):
            assert refused(cell).startswith(
                f"`{cell}` alone does not say how the later dates of this column are written; "
                f"say it with --date-format {form}, or write"
            )

    def test_an_undecidable_column_names_the_option(self) -> None:
        dates = column("03/04/2027 10:00", "05/06/2027 10:00")
        messages = {refusal(dates, "03/04/2027 10:00"), refusal(dates, "05/06/2027 10:00")}
        assert len(messages) == 1
        assert "--date-format DD/MM/YYYY or --date-format MM/DD/YYYY" in messages.pop()
        assert dates.describe() is None

    @pytest.mark.parametrize("sign", list("/-. "))
    @pytest.mark.parametrize("first", ["27{0}03{0}28", "25{0}12{0}30"])
    def test_a_year_of_two_digits_that_may_come_first_is_not_guessed(self, sign: str, first: str) -> None:
        cells = [first.format(sign) + " 09:05", f"27{sign}03{sign}29 09:05"]
        messages = {refusal(column(*cells), cell) for cell in cells}
        assert len(messages) == 1
        forms = re.findall(r"--date-format '?([DMY]+\W[DMY]+\W[DMY]+)", messages.pop())
        assert forms == [f"DD{sign}MM{sign}YY", f"YY{sign}MM{sign}DD"]
        # What the message says is what helps.
        assert column(*cells, forms=(forms[0],)).read(cells[1]) == "2029-03-27 09:05"
        assert column(*cells, forms=(forms[1],)).read(cells[1]) == "2027-03-29 09:05"

    @pytest.mark.parametrize("cell", ["25/12/26", "31/12/26", "31/1/27", "26/12/26", "28/12/2026", "14.03.27"])
    def test_a_number_that_is_no_near_year_is_a_day(self, cell: str) -> None:
        assert column(cell).read(cell) in {
            "2026-12-25",
            "2026-12-31",
            "2027-01-31",
            "2026-12-26",
            "2026-12-28",
            "2027-03-14",
        }

    @pytest.mark.parametrize("sign", list("/-. "))
    @pytest.mark.parametrize("days", [["28 12 26"], ["27 12 26", "28 12 26"], ["26 12 26", "28 12 26", "28 01 27"]])
    def test_a_later_year_is_rather_a_day(self, sign: str, days: list[str]) -> None:
        cells = [day.replace(" ", sign) for day in days]
        dates = column(*cells)
        assert [dates.read(cell) for cell in cells] == [
            "-".join(["20" + day[6:], day[3:5], day[:2]]) for day in days
        ]  # fmt: skip
        assert (dates.describe() or "").endswith("is a near date only day first")
        # One that is nearer the other way makes all doubtful.
        assert "cannot be told apart" in refusal(column(*cells, f"27{sign}03{sign}28"), cells[-1])
        assert "cannot be told apart" in refusal(column(*cells, f"27{sign}03{sign}25"), cells[-1])

    def test_several_dates_can_decide_together(self) -> None:
        dates = column("28/1/27 10:00", "3/4/27 10:00")
        assert dates.read("28/1/27 10:00") == "2027-01-28 10:00"
        assert dates.describe() == (
            "DD/MM/YYYY: `28/1/27 10:00` in line 2 only fits day first or year first and "
            "`3/4/27 10:00` in line 3 only fits day first or month first"
        )

    def test_dates_that_contradict_each_other_are_both_named(self) -> None:
        message = refusal(column("14/03/2027 09:00", "03/15/2027 09:00"), "14/03/2027 09:00")
        assert "`14/03/2027 09:00` in line 2 only fits day first" in message
        assert "`03/15/2027 09:00` in line 3 only fits month first" in message

    def test_what_is_no_date_says_nothing_about_the_others(self) -> None:
        dates = column("TBD", "31/02/2027 10:00", "14/03/2027 09:05")
        assert dates.read("03/04/2027 10:00") == "2027-04-03 10:00"
        assert "not a point in time that is clear" in refusal(dates, "TBD")
        assert "not a point in time that is clear" in refusal(dates, "31/02/2027 10:00")

    def test_a_missing_am_or_pm_is_refused(self) -> None:
        dates = column("14/03/2027 9:05 PM", "15/03/2027 9:05")
        assert "AM or PM" in refusal(dates, "15/03/2027 9:05")
        assert dates.read("15/03/2027 19:05") == "2027-03-15 19:05"
        assert "12-hour clock (`14/03/2027 9:05 PM` in line 2)" in (dates.describe() or "")

    def test_a_column_that_is_read_only_once_cannot_have_both_clocks(self) -> None:
        dates = DateColumn()
        first = dates.has_24_hours, dates.read("2027-03-14 09:05", 2), dates.has_24_hours
        assert first == (False, "2027-03-14 09:05", True)
        assert "(`2027-03-14 09:05` in line 2), `2027-03-15 02:05 PM` has" in refusal(dates, "2027-03-15 02:05 PM")
        assert "AM or PM (`2027-03-15 02:05 PM`), `2027-03-16 09:05` has not" in refusal(dates, "2027-03-16 09:05")
        assert dates.read("2027-03-17 13:05") == "2027-03-17 13:05"
        assert not dates.has_24_hours

    def test_nor_if_the_other_one_comes_first(self) -> None:
        dates = DateColumn()
        assert dates.read("2027-03-15 02:05 PM") == "2027-03-15 14:05"
        assert "AM or PM" in refusal(dates, "2027-03-14 09:05")
        assert dates.describe() == "year first or months as words, 12-hour clock (`2027-03-15 02:05 PM`)"

    @pytest.mark.parametrize("recipe", [None, "calendar"])
    @pytest.mark.parametrize("is_file", [False, True])
    def test_a_time_without_am_or_pm_does_not_hide_before_those_that_have_them(
        self, tmp_path: Path, recipe: str | None, is_file: bool
    ) -> None:
        moments = ["2027-03-14 09:05", "2027-03-15 02:05 PM", "2027-03-16 09:05", "2027-03-17 19:05"]
        rows = [scheduled(schedule_time=moment) for moment in moments]
        source = written(tmp_path / "posts.csv", as_csv(*rows)) if is_file else rows
        found = parsed(source, **({"recipe": recipe} if recipe else {}))
        assert [isinstance(row, Row) for row in found] == [True, False, False, True]
        errors = [error.message for row in found if isinstance(row, list) for error in row]
        assert len(errors) == 2
        assert all("2027-03-14 09:05" in errors[0] and "AM" in error for error in errors)

    @pytest.mark.parametrize(
        "cell",
        ["14/03/2027 25:00", "14/03/2027 9:61", "14/03/2027 13:00 pm", "14/03/2027 9", "x", "14/03/2027 9 pm Uhr"],
    )
    def test_a_time_that_is_none_is_refused(self, cell: str) -> None:
        assert "not a point in time" in refusal(column(cell), cell)

    @given(st.text(max_size=40))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        dates = DateColumn()
        dates.look(text)
        try:
            found = dates.read(text)
        except CellError:
            return
        assert re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", found)

    @given(st.datetimes().filter(lambda moment: moment.year > 999))
    def test_both_orders_come_back(self, moment: object) -> None:
        for form, shape in (("DD/MM/YYYY HH:mm", "%d/%m/%Y %H:%M"), ("MM/DD/YYYY hh:mm a", "%m/%d/%Y %I:%M %p")):
            cell = f"{moment:{shape}}"
            if cell[6:10].startswith("0"):
                continue
            assert DateColumn((form,)).read(cell) == f"{moment:%Y-%m-%d %H:%M}"


class TestWeekdays:
    @pytest.mark.parametrize(
        ("cell", "forms"),
        [
            ("Monday, March 14, 2027", ()),
            ("Mon, 14 Mar 2027 09:05", ()),
            ("Mo., 14.03.2027", ()),
            ("lun. 14 mars 2027", ()),
            ("maandag 14 maart 2027", ()),
            ("segunda-feira, 14 de mar\u00e7o de 2027", ()),
            ("Mon 2027-03-14", ()),
            ("Mon 14/03/2027", ("dddd DD/MM/YYYY",)),
            ("Mon 14/03/2027 09:05", ("ddd DD/MM/YYYY HH:mm",)),
        ],
    )
    def test_one_that_is_not_of_the_date_is_refused(self, cell: str, forms: tuple[str, ...]) -> None:
        dates = column(cell, forms=forms)
        assert "2027-03-14 is a Sunday, not a Monday; correct the date or the weekday" in refusal(dates, cell)

    def test_the_day_that_fits_is_told(self) -> None:
        message = refusal(column("Sat 03/04/2027", "03/14/2027"), "Sat 03/04/2027")
        assert "2027-03-04 is a Thursday, not a Saturday; 2027-04-03 is one, if day and month" in message

    @pytest.mark.parametrize("cell", ["mar 16 mars 2027", "mar. 16 mar 2027", "March 16, 2027", "Mar 16, 2027"])
    def test_march_is_no_tuesday(self, cell: str) -> None:
        assert column(cell).read(cell) == "2027-03-16"


class TestForms:
    @pytest.mark.parametrize(
        ("form", "cell", "moment"),
        [
            ("DD/MM/YYYY HH:mm", "3/4/2027 9:05", "2027-04-03 09:05"),
            ("DD/MM/YYYY", "03/04/2027 21:05", "2027-04-03 21:05"),
            ("DD/MM/YYYY", "03/04/2027 9:05 pm", "2027-04-03 21:05"),
            ("DD/MM/YYYY hh:mm a", "03/04/2027 09:05 PM", "2027-04-03 21:05"),
            ("DD/MM/YYYY hh:mm a", "03/04/2027 9:05p.m.", "2027-04-03 21:05"),
            ("mm/dd/yyyy hh:mm", "03/14/2027 14:05", "2027-03-14 14:05"),
            ("MM/DD/YYYY HH:MM:SS", "03/14/2027 14:05:00", "2027-03-14 14:05"),
            ("%d.%m.%y %H:%M", "14.03.27 09:05", "2027-03-14 09:05"),
            ("YYYY-MM-DD'T'HH:mm:ssZ", "2027-03-14T09:05:00+0100", "2027-03-14 09:05+01:00"),
            ("MMM D, YYYY h:mm A", "Mar 3, 2027 9:05 PM", "2027-03-03 21:05"),
            ("D MMMM YYYY HH'h'mm", "3 March 2027 9h05", "2027-03-03 09:05"),
            ("dddd, D MMMM YYYY HH:mm", "Sunday, 14 March 2027 09:05", "2027-03-14 09:05"),
            ("YYYY-DD-MM HH:mm", "2027-04-03 09:05", "2027-03-04 09:05"),
            ("DD/MM/YYYY HH:mm", "2027-03-14 09:05", "2027-03-14 09:05"),
            ("DD. MMMM YYYY HH:mm", "14. M\u00e4rz 2027 09:05", "2027-03-14 09:05"),
            ("dddd D MMMM YYYY '\u00e0' HH:mm", "dimanche 14 mars 2027 \u00e0 09:05", "2027-03-14 09:05"),
            ("YY/MM/DD", "27/03/28 09:05", "2027-03-28 09:05"),
        ],
    )
    def test_the_form_decides(self, form: str, cell: str, moment: str) -> None:
        assert DateColumn((form,)).read(cell) == moment

    @pytest.mark.parametrize(
        ("form", "cell"),
        [
            ("DD/MM/YYYY", "03-04-2027 10:00"),
            ("DD/MM/YYYY", "04/14/2027 10:00"),
            ("YYYY-DD-MM HH:mm", "2027-03-14 09:05"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, form: str, cell: str) -> None:
        assert f"does not fit the form {form}" in refusal(DateColumn((form,)), cell)

    def test_the_languages_of_months_are_named(self) -> None:
        message = refusal(DateColumn(("D MMMM YYYY HH:mm",)), "14 maaliskuuta 2027 09:05")
        assert "known in English, German, French, Spanish, Italian, Portuguese, Dutch" in message

    def test_the_first_of_several_forms_that_fits_is_taken(self) -> None:
        dates = DateColumn(("DD/MM/YYYY HH:mm", "DD.MM.YYYY HH:mm"))
        assert dates.is_given
        assert [dates.read("03/04/2027 10:00"), dates.read("03.04.2027 10:00")] == ["2027-04-03 10:00"] * 2
        assert dates.describe() == "DD/MM/YYYY HH:mm or DD.MM.YYYY HH:mm"

    def test_a_form_with_a_clock_decides_for_am_and_pm(self) -> None:
        dates = DateColumn(("DD/MM/YYYY hh:mm a",))
        assert dates.read("2027-03-14 09:05") == "2027-03-14 09:05"
        assert dates.read("15/03/2027 02:05 PM") == "2027-03-15 14:05"
        assert dates.read("2027-03-16 09:05") == "2027-03-16 09:05"

    def test_a_form_without_a_clock_leaves_the_clock_to_the_column(self) -> None:
        dates = column("14/03/2027 9:05 pm", forms=("DD/MM/YYYY",))
        assert not dates.is_given
        assert "AM or PM" in refusal(dates, "15/03/2027 9:05")

    @pytest.mark.parametrize(
        "form", ["", "foo", "DD/MM", "DD/DD/YYYY", "YYYY-MM-DD HH", "HH:mm", "%D/%M/%Y", "%-d/%m/%Y"]
    )
    def test_a_form_that_is_none_is_refused_with_an_example(self, form: str) -> None:
        with pytest.raises(ConfigurationError, match=re.escape("DD/MM/YYYY HH:mm")):
            compile_form(form)


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("2027-03-14 09:05", False),
        ("2027-03-14 9:05 PM", True),
        ("", False),
        ("14/03/2027", True),
        ("3 May 2027", True),
    ],
)
def test_needs_decision(text: str, needed: bool) -> None:
    assert needs_decision(text) is needed


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("9:05", "09:05"),
        ("9 pm", "21:00"),
        ("12:00 AM", "00:00"),
        ("14h05", "14:05"),
        ("9", None),
        ("24:00", None),
        ("9:05 Uhr", "09:05"),
        ("9 Uhr", "09:00"),
        ("", None),
    ],
)
def test_read_clock(text: str, clock: str | None) -> None:
    assert read_clock(text) == clock


def test_two_columns_become_one_text() -> None:
    assert DateColumn(("DD/MM/YYYY hh:mm a",)).read(joined(" 14/03/2027", "9:05 PM ")) == "2027-03-14 21:05"
