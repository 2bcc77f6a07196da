"""The columns of date and time in spreadsheets that a recipe reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async.models.schedule import zones_of_label
from tests.bulk.sheets.recipes.test_translation import FACEBOOK, Read, options, table


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
            ("GMT+5:30", "Asia/Kolkata", True),
            ("GMT+5:30", "Europe/Berlin", False),
            ("in CET", "Europe/Berlin", True),
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

    @pytest.mark.parametrize("label", ["", "local", "DD/MM/YYYY", "optional", "UTC+5:10"])
    def test_a_label_that_is_no_zone(self, label: str) -> None:
        assert zones_of_label(label) == ()


class TestTimesElsewhere:
    NAMES, ROW = ["Date", "EST time"], ["2027-03-14", "09:05"]

    @pytest.mark.parametrize("defaults", [{}, {"time": "08:00"}])
    def test_a_column_that_seems_to_hold_the_time_is_named(self, file: Path, defaults: dict[str, str]) -> None:
        [message] = read(file, self.NAMES, self.ROW, defaults=defaults).messages
        assert '--map "EST time=time" and --set time_zone=America/New_York; if not, --map "EST time="' in message

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
