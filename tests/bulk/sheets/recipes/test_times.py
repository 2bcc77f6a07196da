"""The columns of date and time in spreadsheets that a recipe reads."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from marketingblocks_async.bulk.sheets.new_recipe import draft_columns, write_recipe
from marketingblocks_async.models.schedule import zones_of_label
from tests.bulk.sheets.recipes.test_translation import BERLIN, FACEBOOK, Read, options, table
from tests.support.workbooks import as_csv, posts, scheduled, workbook, written


def read(file: Path, names: list[str], *rows: list[str], zone: str | None = "Europe/Berlin", **more: Any) -> Read:
    """Read rows of a date and more; the caption of each is its number."""
    lines = [[*row, "Facebook", str(number)] for number, row in enumerate(rows, 1)]
    fixed = {"time_zone": zone} if zone else {}
    recipe = options(channels=FACEBOOK, fixed=fixed, **more)
    return Read(table(file, [*names, "Platform", "Copy"], *lines), recipe)


class TestZonesInNames:
    NAMES, ROW = ["Date", "Time (EST)"], ["2027-07-14", "09:05"]

    def test_another_zone_is_refused_with_both_ways_out(self, file: Path) -> None:
        [message] = read(file, self.NAMES, self.ROW).messages
        assert 'the name of the column "Time (EST)" says EST, and the time zone is Europe/Berlin' in message
        assert "--set time_zone=America/New_York, or" in message
        assert '--map "Time (EST)=time"' in message
        moments = [("2027-07-14 09:05", "America/New_York"), ("2027-07-14 09:05", "Europe/Berlin")]
        assert read(file, self.NAMES, self.ROW, zone="America/New_York").values("schedule_time", "time_zone") == [
            moments[0]
        ]
        mapped = read(file, self.NAMES, self.ROW, columns={"Time (EST)": "time"})
        assert mapped.values("schedule_time", "time_zone") == [moments[1]]

    @pytest.mark.parametrize("place", ["New York", "New Delhi", "New Zealand"])
    def test_the_same_time_elsewhere_is_no_newer_one(self, file: Path, place: str) -> None:
        found = read(file, ["Date", "Time", f"Time ({place})"], ["2027-03-14", "09:05", "04:05"])
        assert found.values("schedule_time") == ["2027-03-14 09:05"]

    def test_a_place_of_several_zones_needs_one_of_them(self, file: Path) -> None:
        [message] = read(file, ["Date", "Time (US)"], self.ROW).messages
        assert "--set time_zone=America/New_York or --set time_zone=America/Chicago or" in message

    def test_a_zone_that_is_not_said_is_the_example(self, file: Path) -> None:
        [message] = read(file, self.NAMES, self.ROW, zone=None).messages
        assert "--set time_zone=America/New_York" in message

    @pytest.mark.parametrize(
        ("label", "zone", "fits"),
        [
            ("UTC", "UTC", True),
            ("UTC", "Africa/Abidjan", True),
            ("UTC", "Europe/London", False),
            ("ET", "America/Toronto", True),
            ("EST", "America/Panama", True),
            ("Berlin", "Europe/Paris", True),
            ("UTC+2", "Europe/Berlin", True),
            ("UTC+1", "Europe/Berlin", False),
            ("GMT+2", "Europe/Berlin", True),
            ("gmt-2", "Europe/Berlin", False),
            ("GMT+5:30", "Asia/Kolkata", True),
            ("GMT+5:30", "Europe/Berlin", False),
            ("in CET", "Europe/Berlin", True),
            ("UK", "Europe/London", True),
            ("UK", "Europe/Berlin", False),
            ("in UK time", "Europe/Berlin", False),
            ("NYC", "America/New_York", True),
            ("NYC", "Europe/Berlin", False),
            ("US", "America/Chicago", True),
            ("US", "Europe/Berlin", False),
            ("US format", "Europe/Berlin", True),
            ("PST/PDT", "America/Los_Angeles", True),
            ("PST/PDT", "Europe/Berlin", False),
            ("Bras\u00edlia", "America/Sao_Paulo", True),
            ("Bras\u00edlia", "Europe/Berlin", False),
            ("S\u00e3o Paulo", "Europe/Berlin", False),
            ("Eastern", "America/New_York", True),
            ("Central European Time", "Europe/Berlin", True),
            ("Germany", "Europe/London", False),
            ("DE", "Europe/London", False),
            ("24h", "Europe/Berlin", True),
            ("HH:MM", "Europe/Berlin", True),
        ],
    )
    def test_what_a_bracket_says(self, file: Path, label: str, zone: str, fits: bool) -> None:
        found = read(file, ["Date", f"Time ({label})"], self.ROW, zone=zone)
        assert (found.values("time_zone"), bool(found.messages)) == ([zone] if fits else [], not fits)

    def test_a_time_with_an_offset_needs_no_zone(self, file: Path) -> None:
        found = read(file, ["Date & Time (EST)"], ["2027-07-14 09:05+02:00"])
        assert found.values("schedule_time") == ["2027-07-14 09:05"]

    @pytest.mark.parametrize("label", ["", "local", "DD/MM/YYYY", "optional", "UTC+5:10", "us", "AM/PM"])
    def test_a_label_that_is_no_zone(self, label: str) -> None:
        assert zones_of_label(label) == ()


class TestTimesElsewhere:
    NAMES, ROW = ["Date", "EST time"], ["2027-03-14", "09:05"]

    @pytest.mark.parametrize("defaults", [{}, {"time": "08:00"}])
    def test_a_column_that_seems_to_hold_the_time_is_named(self, file: Path, defaults: dict[str, str]) -> None:
        [message] = read(file, self.NAMES, self.ROW, defaults=defaults).messages
        assert '--map "EST time=time" and --set time_zone=America/New_York; if not, --map "EST time="' in message

    @pytest.mark.parametrize("name", ["Budget", "Prix", "Ad spend", "Costs"])
    def test_an_amount_of_money_is_no_time_of_day(self, file: Path, name: str) -> None:
        for amount in ("12.50", "10.00", "12.50 / 20.00"):
            found = read(file, ["Date", name], ["2027-03-14", amount], defaults={"time": "09:00"})
            assert found.values("schedule_time") == ["2027-03-14 09:00"]
        [message] = read(file, ["Date", name], ["2027-03-14", "12.50"]).messages
        assert "--default time=09:00" in message
        assert name not in message

    @pytest.mark.parametrize(
        ("name", "clock"),
        [
            ("Slot", "9.30"), ("Our time", "12.50"), ("Orario post", "9.30"), ("Klokkeslett FB", "09.30"),
            ("Budget", "9:30"), ("Budget", "9h30"), ("Budget", "9.30 Uhr"), ("Budget", "9.30 am"),
        ],
    )  # fmt: skip
    def test_no_default_in_place_of_a_time_of_another_column(self, file: Path, name: str, clock: str) -> None:
        [message] = read(file, ["Date", name], ["2027-03-14", clock], defaults={"time": "09:00"}).messages
        assert f'--map "{name}=' in message

    @pytest.mark.parametrize(
        ("name", "zone"), [("Hora de Bras\u00edlia", "America/Sao_Paulo"), ("Time UK", "Europe/London")]
    )
    def test_a_place_in_its_name_is_its_zone(self, file: Path, name: str, zone: str) -> None:
        [message] = read(file, ["Date", name], self.ROW).messages
        assert f'--map "{name}=time" and --set time_zone={zone}; if not' in message

    def test_what_it_says_helps(self, file: Path) -> None:
        mapped = read(file, self.NAMES, self.ROW, columns={"EST time": "time"}, zone="America/New_York")
        assert mapped.values("schedule_time", "time_zone") == [("2027-03-14 09:05", "America/New_York")]
        left_out = read(file, self.NAMES, self.ROW, columns={"EST time": None}, defaults={"time": "08:00"})
        assert left_out.values("schedule_time") == ["2027-03-14 08:00"]
        assert left_out.plan.source.left_out == {"EST time": 1}

    def test_a_duration_is_none(self, file: Path) -> None:
        row = ["2027-03-14", "0:30"]
        assert read(file, ["Date", "Length"], row, defaults={"time": "08:00"}).values("schedule_time") == [
            "2027-03-14 08:00"
        ]


class TestFormsInNames:
    def test_a_date_that_does_not_fit_the_name_is_refused(self, file: Path) -> None:
        rows = [[day, "9:30"] for day in ("03/04/2027", "04/05/2027", "12/13/2027", "2027-05-06", "6 May 2027")]
        found = read(file, ["Date (DD/MM/YYYY)", "Time"], *rows)
        days = ["2027-04-03", "2027-05-04", "2027-05-06", "2027-05-06"]
        assert found.values("schedule_time") == [f"{day} 09:30" for day in days]
        [message] = found.messages
        assert '`12/13/2027 9:30` does not fit the name of its column, "Date (DD/MM/YYYY)"; correct it' in message
        assert found.plan.source.dates == 'DD/MM/YYYY: the column is called "Date (DD/MM/YYYY)"'

    def test_a_form_that_is_given_wins(self, file: Path) -> None:
        found = read(file, ["Date (DD/MM/YYYY)", "Time"], ["12/13/2027", "9:30"], date_formats=("MM/DD/YYYY",))
        assert found.values("schedule_time") == ["2027-12-13 09:30"]

    @pytest.mark.parametrize(
        ("name", "day"),
        [
            ("Date (DD/MM)", "2027-04-03"),
            ("Date [d/m/y]", "2027-04-03"),
            ("Datum (TT.MM.JJJJ)", "2027-04-03"),
            ("Date (JJ/MM/AAAA)", "2027-04-03"),
            ("Date (MM/DD/YYYY)", "2027-03-04"),
            ("Date (mm-dd)", "2027-03-04"),
            ("Date (YYYY-MM-DD)", None),
            ("Date (DD MMM YYYY)", None),
            ("Date (DD/MM or MM/DD)", None),
        ],
    )
    def test_what_a_name_says(self, file: Path, name: str, day: str | None) -> None:
        found = read(file, [name, "Time"], ["03/04/2027", "9:30"])
        assert found.values("schedule_time") == ([f"{day} 09:30"] if day else [])
        assert bool(found.messages) == (day is None)

    def test_dots_do_not_hide_another_order(self, file: Path) -> None:
        found = read(file, ["Date (MM/DD/YYYY)", "Time"], ["03.04.2027", "9:30"], ["14.03.2027", "9:30"])
        [message] = found.messages
        assert "`03.04.2027 9:30` does not fit the name of its column" in message
        assert found.values("schedule_time") == ["2027-03-14 09:30"]

    def test_without_a_recipe(self, file: Path) -> None:
        cells = scheduled()
        del cells["schedule_time"]
        name = "Date (DD/MM/YYYY)"
        written(file, as_csv(cells | {name: "03/04/2027 9:30"}))
        [post] = posts(file, columns={name: "schedule_time"})
        assert post.schedule_time == "2027-04-03 09:30"


class TestHalvesOfTheDay:
    """AM and PM in a column of their own."""

    NAMES: ClassVar = ["Date", "Time", "AM/PM"]

    @pytest.mark.parametrize(
        ("clock", "half", "moment"),
        [
            ("9:30", "PM", "21:30"),
            ("9.30", "p.m.", "21:30"),
            ("12:05", "am", "00:05"),
            ("19:30", "PM", "19:30"),
            ("00:30", "AM", "00:30"),
            ("7:30 pm", "PM", "19:30"),
        ],
    )
    def test_they_belong_to_the_time(self, file: Path, clock: str, half: str, moment: str) -> None:
        found = read(file, self.NAMES, ["2027-03-14", clock, half])
        assert found.values("schedule_time") == [f"2027-03-14 {moment}"]
        assert found.plan.source.left_out == {}

    @pytest.mark.parametrize("name", ["am_pm", "AM / PM", "Meridiem"])
    @pytest.mark.parametrize("when", ["Date", "Scheduled at"])
    def test_beside_a_column_of_date_and_time(self, file: Path, name: str, when: str) -> None:
        found = read(file, [when, name], ["2027-03-14 9:30", "PM"])
        assert found.values("schedule_time") == ["2027-03-14 21:30"]

    @pytest.mark.parametrize("clock", [time(9, 30), "9:30"])
    def test_in_a_workbook(self, tmp_path: Path, clock: object) -> None:
        row = [date(2027, 3, 14), clock, "PM", "Facebook", "1"]
        rows: list[list[object]] = [[*self.NAMES, "Platform", "Copy"], row]
        file = workbook(tmp_path / "calendar.xlsx", *rows, formats={"A2": "yyyy-mm-dd", "B2": "hh:mm"})
        assert Read(file, options(channels=FACEBOOK, fixed=BERLIN)).values("schedule_time") == ["2027-03-14 21:30"]

    @pytest.mark.parametrize(
        ("clock", "half", "words"),
        [
            ("19:30", "AM", 'the time is "19:30", and another column or its name says AM'),
            ("7:30 PM", "AM", 'the time is "7:30 PM", and another column or its name says AM'),
            ("7:30", "evening", '"AM/PM" says neither AM nor PM'),
        ],
    )
    def test_a_contradiction_is_refused(self, file: Path, clock: str, half: str, words: str) -> None:
        [message] = read(file, self.NAMES, ["2027-03-14", clock, half]).messages
        assert words in message

    def test_a_row_without_it_is_refused(self, file: Path) -> None:
        [message] = read(file, self.NAMES, ["2027-03-14", "9:30", "PM"], ["2027-03-14", "8:30", ""]).messages
        assert "other times of this column have AM or PM" in message

    @pytest.mark.parametrize("name", ["Period", "Half day", "Tageszeit", "Is it PM?", "Time of day 2"])
    def test_such_columns_are_refused_if_they_contradict_the_time(self, file: Path, name: str) -> None:
        [message] = read(file, ["Date", "Time", name], ["2027-03-14", "9:30", "PM"]).messages
        assert f'the column "{name}" says PM, and the time is 09:30' in message

    def test_a_column_of_another_name_is_refused_with_both_ways_out(self, file: Path) -> None:
        names, row = ["Date", "Time", "Half"], ["2027-03-14", "9:30", "p.m."]
        [message] = read(file, names, row).messages
        assert 'call the column "AM/PM", otherwise leave it out: --map "Half="' in message
        assert read(file, names, row, columns={"Half": None}).values("schedule_time") == ["2027-03-14 09:30"]

    @pytest.mark.parametrize(
        ("name", "clock", "word"),
        [("Owner", "9:30", "PM"), ("Session", "9:30", "PM"), ("Half", "9:30", "AM"), ("Half", "21:30", "PM")],
    )
    def test_a_manager_and_what_fits_are_fine(self, file: Path, name: str, clock: str, word: str) -> None:
        assert len(read(file, ["Date", "Time", name], ["2027-03-14", clock, word]).values("schedule_time")) == 1

    @pytest.mark.parametrize(
        ("name", "clock", "moment"),
        [
            ("Time (PM)", "7:30", "19:30"),
            ("Time (PM)", "19:30", "19:30"),
            ("Time (a.m.)", "7:30", "07:30"),
            ("Time (AM/PM)", "7:30", "07:30"),
        ],
    )
    def test_in_the_name_of_the_column(self, file: Path, name: str, clock: str, moment: str) -> None:
        assert read(file, ["Date", name], ["2027-03-14", clock]).values("schedule_time") == [f"2027-03-14 {moment}"]


class TestSeveralTimes:
    @pytest.mark.parametrize(
        ("names", "clocks", "shown"),
        [
            (["Facebook time", "Instagram time"], ["9:30", "18:00"], '"Facebook time" and "Instagram time" hold times'),
            (["FB time"], ["9:30"], '"FB time" holds a time'),
            (["Time 1", "Time 2"], ["9:30", "18:00"], '"Time 1" and "Time 2" hold times'),
            (["Time UK", "Time US"], ["9:30", "4:30"], '"Time UK" and "Time US" hold times'),
            (["Times"], ["09:00, 18:00"], '"Times" holds a time'),
            (["Times"], ["9:00 and 18:00"], '"Times" holds a time'),
        ],
    )
    @pytest.mark.parametrize("defaults", [{}, {"time": "08:00"}])
    def test_none_of_them_is_advised_as_the_time(
        self, file: Path, names: list[str], clocks: list[str], shown: str, defaults: dict[str, str]
    ) -> None:
        [message] = read(file, ["Date", *names], ["2027-03-14", *clocks], defaults=defaults).messages
        assert f"{shown}; write one row for each time and platform" in message
        assert f'--map "{names[-1]}="' in message
        assert "=time" not in message

    @pytest.mark.parametrize("name", ["Facebook time", "Time 2", "Post time 2", "Times", "Uhrzeit 2"])
    def test_they_are_refused_beside_a_time(self, file: Path, name: str) -> None:
        names, row = ["Date", "Time", name], ["2027-03-14", "08:00", "18:00"]
        [message] = read(file, names, row).messages
        assert f'"{name}" holds another date or time; write one row for each' in message
        assert read(file, names, row, columns={name: None}).values("schedule_time") == ["2027-03-14 08:00"]

    @pytest.mark.parametrize("name", ["Date 2", "Instagram date"])
    def test_so_are_further_dates(self, file: Path, name: str) -> None:
        [message] = read(file, ["Date", "Time", name], ["2027-03-14", "08:00", "2027-03-20"]).messages
        assert f'"{name}" holds another date or time; write one row for each' in message

    @pytest.mark.parametrize(
        ("name", "cell"),
        [
            ("Time 2", "08:00"),
            ("Time 2", ""),
            ("Facebook time", "tbd"),
            ("Length", "0:30"),
            ("Event time", "19:00"),
            ("Hours", "1:30"),
        ],
    )
    def test_other_columns_are_left_out(self, file: Path, name: str, cell: str) -> None:
        row = ["2027-03-14", "08:00", cell]
        assert read(file, ["Date", "Time", name], row).values("schedule_time") == ["2027-03-14 08:00"]


class TestWeekdays:
    NAMES: ClassVar = ["Day", "Date", "Time"]

    @pytest.mark.parametrize("day", ["Sunday", "So", "dim.", "di", "do", "14", ""])
    @pytest.mark.parametrize("names", [NAMES, ["Jour", "Datum", "Time"], ["Date", "Day", "Time"]])
    @pytest.mark.parametrize("forms", [(), ("YYYY-MM-DD",)])
    def test_a_weekday_beside_the_date_is_left_out(
        self, file: Path, day: str, names: list[str], forms: tuple[str, ...]
    ) -> None:
        row = [day, "2027-03-14", "09:05"] if names[0] != "Date" else ["2027-03-14", day, "09:05"]
        found = read(file, names, row, date_formats=forms)
        assert found.values("schedule_time") == ["2027-03-14 09:05"]
        assert sum(found.plan.source.left_out.values()) == bool(day)

    @pytest.mark.parametrize("name", ["Day", "Weekday", "Day of week", "Wochentag", "Jour de la semaine", "D\u00eda"])
    @pytest.mark.parametrize("day", ["Monday", "Mo", "lun.", "LUNES"])
    def test_another_weekday_is_refused_with_both_ways_out(self, file: Path, name: str, day: str) -> None:
        names, row = [name, "Date", "Time"], [day, "2027-03-14", "09:05"]
        [message] = read(file, names, row).messages
        assert f'2027-03-14 is a Sunday, not a Monday, and the column "{name}" says {day}; correct' in message
        assert read(file, names, row, columns={name: None}).values("schedule_time") == ["2027-03-14 09:05"]

    @pytest.mark.parametrize(
        ("word", "days"),
        [("ma", ["Monday", "Tuesday"]), ("Di.", ["Tuesday", "Sunday"]), ("DO", ["Thursday", "Sunday"])],
    )
    def test_a_word_of_two_weekdays_fits_both(self, file: Path, word: str, days: list[str]) -> None:
        for number in range(15, 22):
            day = date(2027, 3, number)
            for names, row in ((self.NAMES, [word, f"{day}", "09:05"]), (["Date", "Time"], [f"{word} {day}", "09:05"])):
                found = read(file, names, row)
                assert bool(found.messages) is (f"{day:%A}" not in days)
                assert all(f"not a {' or '.join(days)}" in message for message in found.messages)

    def test_the_day_of_another_form_of_dates_is_told(self, file: Path) -> None:
        row = ["Saturday", "03/04/2027", "09:05"]
        [message] = read(file, self.NAMES, row, date_formats=("MM/DD/YYYY",)).messages
        assert "is a Thursday, not a Saturday; 2027-04-03 is one, if day and month are the other way round" in message
        found = read(file, self.NAMES, row, date_formats=("DD/MM/YYYY",))
        assert found.values("schedule_time") == ["2027-04-03 09:05"]

    @pytest.mark.parametrize(("name", "cell"), [("Owner", "Sam"), ("Month", "Mar"), ("Theme", "Monday"), ("Day", "3")])
    def test_what_is_no_weekday_of_the_date_is_left_out(self, file: Path, name: str, cell: str) -> None:
        found = read(file, [name, "Date", "Time"], [cell, "2027-03-14", "09:05"])
        assert found.values("schedule_time") == ["2027-03-14 09:05"]

    def test_two_dates_are_refused_with_both_ways_out(self, file: Path) -> None:
        row = ["2027-03-14", "2027-03-01", "09:05"]
        [message] = read(file, self.NAMES, row).messages
        assert '"Day" and "Date" both hold date' in message
        assert '--map "Day=" or --map "Date="' in message
        for name, moment in (("Day", "2027-03-01 09:05"), ("Date", "2027-03-14 09:05")):
            assert read(file, self.NAMES, row, columns={name: None}).values("schedule_time") == [moment]

    @pytest.mark.parametrize(("day", "is_weekday"), [(date(2027, 3, 14), True), (date(2027, 3, 1), False)])
    def test_a_date_that_is_shown_as_a_weekday_is_the_same_date(
        self, tmp_path: Path, day: date, is_weekday: bool
    ) -> None:
        rows: list[list[object]] = [[*self.NAMES, "Platform", "Copy"], [day, date(2027, 3, 14), time(9, 5), "FB", "1"]]
        file = workbook(tmp_path / "calendar.xlsx", *rows, formats={"A2": "dddd", "B2": "yyyy-mm-dd", "C2": "hh:mm"})
        found = Read(file, options(channels=FACEBOOK, fixed=BERLIN))
        assert found.values("schedule_time") == (["2027-03-14 09:05"] if is_weekday else [])
        assert len(found.messages) == (not is_weekday)

    def test_a_day_alone_is_the_date(self, file: Path) -> None:
        assert read(file, ["Day", "Time"], ["2027-03-14", "09:05"]).values("schedule_time") == ["2027-03-14 09:05"]

    def test_a_new_recipe_holds_the_date_once(self, file: Path) -> None:
        table(file, [*self.NAMES, "Caption", "Text", "Image", "Image 2"], ["Sunday", "2027-03-14", "09:05", "a", "b"])
        text = write_recipe(draft_columns(file), "Calendar")
        assert '"Day" = ""  # Sunday\n"Date" = "date"' in text
        assert '"Caption" = "caption_text"  # a\n# "Text" = ""  # TODO' in text
        assert '"Image" = "media_urls"\n"Image 2" = "media_urls"' in text


class TestWorkbooks:
    DAY = date(2027, 3, 14)

    def read(self, folder: Path, day: object, clock: object, clock_format: str = "hh:mm") -> Read:
        formats = {"A2": "yyyy-mm-dd hh:mm" if isinstance(day, datetime) else "yyyy-mm-dd", "B2": clock_format}
        rows: list[list[object]] = [["Date", "Time", "Platform", "Copy"], [day, clock, "Facebook", "1"]]
        file = workbook(folder / "calendar.xlsx", *rows, formats=formats)
        return Read(file, options(channels=FACEBOOK, fixed=BERLIN))

    @pytest.mark.parametrize("clock", [timedelta(hours=9, minutes=5), time(9, 5)])
    @pytest.mark.parametrize("clock_format", ["[h]:mm", "[hh]:mm:ss", "hh:mm"])
    def test_a_duration_of_less_than_a_day_is_a_time_of_day(
        self, tmp_path: Path, clock: object, clock_format: str
    ) -> None:
        assert self.read(tmp_path, self.DAY, clock, clock_format).values("schedule_time") == ["2027-03-14 09:05"]

    def test_a_longer_one_is_told_the_format(self, tmp_path: Path) -> None:
        [message] = self.read(tmp_path, self.DAY, timedelta(hours=33), "[h]:mm").messages
        assert "choose a format of dates or of times of day" in message

    @pytest.mark.parametrize(
        ("day", "clock", "words"),
        [
            (
                datetime(2027, 3, 14, 15),
                time(9, 5),
                "Date has the time of day 15:00 too, and Time says 09:05; delete one",
            ),
            (datetime(2027, 3, 14, 15), "9:05", "Date has the time of day 15:00 too, and Time says 9:05; delete one"),
            (DAY, datetime(2027, 3, 15, 9, 5), "Time has the date 2027-03-15 too, and Date says 2027-03-14; write"),
        ],
    )
    def test_two_times_or_two_dates_are_refused(self, tmp_path: Path, day: object, clock: object, words: str) -> None:
        [message] = self.read(tmp_path, day, clock).messages
        assert words in message

    @pytest.mark.parametrize(
        ("day", "clock"),
        [
            (datetime(2027, 3, 14, 9, 5), time(9, 5)),
            (datetime(2027, 3, 14, 9, 5), "9:05"),
            (DAY, datetime(2027, 3, 14, 9, 5)),
            (datetime(2027, 3, 14), time(9, 5)),
        ],
    )
    def test_the_same_twice_is_fine(self, tmp_path: Path, day: object, clock: object) -> None:
        assert self.read(tmp_path, day, clock).values("schedule_time") == ["2027-03-14 09:05"]


@pytest.mark.parametrize(
    ("clock", "moment"),
    [
        ("9 h 30", "09:30"), ("9h30", "09:30"), ("10:00 hs", "10:00"), ("ore 10:00", "10:00"), ("Alle ore 9", "09:00"),
        ("10 Uhr", "10:00"), ("um 10.30 Uhr", "10:30"), ("kl. 10", "10:00"), ("kl 9:05", "09:05"), ("klo 21", "21:00"),
        ("noon", "12:00"), ("12:00 noon", "12:00"), ("mediod\u00eda", "12:00"), ("\u00e0s 10h", "10:00"),
        ("at 9:05 pm", "21:05"),
    ],
)  # fmt: skip
def test_a_time_of_day_as_people_write_it(file: Path, clock: str, moment: str) -> None:
    assert read(file, ["Date", "Time"], ["2027-03-14", clock]).values("schedule_time") == [f"2027-03-14 {moment}"]


@pytest.mark.parametrize("clock", ["midnight", "at 10", "a las 10", "kl", "um 25", "ore 10:75"])
def test_what_is_no_clear_time_of_day_is_refused(file: Path, clock: str) -> None:
    [message] = read(file, ["Date", "Time"], ["2027-03-14", clock]).messages
    assert "is not a time of day; write it as HH:MM" in message


@pytest.mark.parametrize(
    "name", ["Zeit", "Tid", "Godzina", "Uhrzeit", "Hora", "Heure", "Ora", "\u65f6\u95f4", "\u6642\u9593"]
)
def test_a_column_of_the_time_in_other_languages(file: Path, name: str) -> None:
    assert read(file, ["Date", name], ["2027-03-14", "10:05"]).values("schedule_time") == ["2027-03-14 10:05"]


@pytest.mark.parametrize("name", ["Slot", "Wann", "Termin"])
def test_a_default_replaces_no_time_of_an_unknown_column(file: Path, name: str) -> None:
    rows = [["2027-03-14", "10:05"], ["2027-03-15", ""]]
    found = read(file, ["Date", name], *rows, defaults={"time": "08:00"})
    assert found.values("schedule_time") == ["2027-03-15 08:00"]
    assert f'say --map "{name}=time"' in found.messages[0]
    mapped = read(file, ["Date", name], *rows, columns={name: "time"}, defaults={"time": "08:00"})
    assert mapped.values("schedule_time") == ["2027-03-14 10:05", "2027-03-15 08:00"]
    ignored = read(file, ["Date", name], *rows, columns={name: None}, defaults={"time": "08:00"})
    assert ignored.values("schedule_time") == ["2027-03-14 08:00", "2027-03-15 08:00"]


@pytest.mark.parametrize(("name", "cell"), [("Duration", "0:30"), ("Aspect ratio", "4:05"), ("Shape", "9:16")])
def test_a_default_is_taken_beside_a_duration_and_a_ratio(file: Path, name: str, cell: str) -> None:
    found = read(file, ["Date", name], ["2027-03-14", cell], defaults={"time": "08:00"})
    assert found.values("schedule_time") == ["2027-03-14 08:00"]


@pytest.mark.parametrize("name", ["L\u00e9gende", "Texte du post"])
def test_a_caption_in_french(file: Path, name: str) -> None:
    table(file, [name, "Date"], ["Bonjour", "2027-03-14 10:05"])
    assert Read(file, options(channels=FACEBOOK)).values("caption_text") == ["Bonjour"]


class TestTimesBesideTheUsualOne:
    @pytest.mark.parametrize(
        ("usual", "other"),
        [
            ("Heure", "Heure de publication"), ("Hora", "Hora de publicación"), ("HORA", "Hora de Publicação"),
            ("Ora", "Ora di pubblicazione"), ("Hora", "Horario"), ("Uhrzeit", "Zeit"), ("Time", "時間"),
        ],
    )  # fmt: skip
    def test_the_usual_name_wins(self, file: Path, usual: str, other: str) -> None:
        for names in ([usual, other], [other, usual]):
            found = read(file, ["Date", *names], ["2027-03-14", "09:05", "09:05"])
            assert found.values("schedule_time") == ["2027-03-14 09:05"]
            assert found.plan.source.left_out == {other: 1}
        assert read(file, ["Date", other], ["2027-03-14", "09:05"]).values("schedule_time") == ["2027-03-14 09:05"]

    def test_another_time_of_publishing_is_refused_with_both_ways_out(self, file: Path) -> None:
        names, row = ["Date", "Heure", "Heure de publication"], ["2027-03-14", "12:00", "09:05"]
        [message] = read(file, names, row).messages
        assert '--map "Heure=" and --map "Heure de publication=time"' in message
        columns = {"Heure": None, "Heure de publication": "time"}
        assert read(file, names, row, columns=columns).values("schedule_time") == ["2027-03-14 09:05"]
        ignored = {"Heure de publication": None}
        assert read(file, names, row, columns=ignored).values("schedule_time") == ["2027-03-14 12:00"]

    def test_opening_hours_are_left_out(self, file: Path) -> None:
        found = read(file, ["Date", "Hora", "Horario"], ["2027-03-14", "09:05", "10:00-20:00"])
        assert found.values("schedule_time") == ["2027-03-14 09:05"]
