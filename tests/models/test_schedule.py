"""Points in time: what the caller calls one, and what goes out as ``schedule_time`` and ``time_zone``."""

from __future__ import annotations

import importlib
import sys
import time as time_module
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from pathlib import Path
from types import ModuleType
from zoneinfo import ZoneInfo

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketingblocks_async.models import AmbiguousTimeWarning, CreatePost
from tests.support.examples import CLEAR_REFUSAL, post_fields, refusal, scheduled_post
from tests.support.tools import need

LAGOS = ZoneInfo("Africa/Lagos")
BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
DOCUMENTED_ZONES = [
    "Africa/Lagos",
    "America/New_York",
    "Europe/London",
    "America/Los_Angeles",
    "Europe/Berlin",
    "Asia/Dubai",
    "Asia/Kolkata",
]
# Two more with odd offsets and half-hour summer time.
ZONES = [*DOCUMENTED_ZONES, "Asia/Kathmandu", "Australia/Lord_Howe"]


def sent_time(schedule_time: object, time_zone: object = None) -> tuple[str | None, str | None]:
    request = scheduled_post(schedule_time, time_zone)
    return request.schedule_time, request.time_zone


def scheduled(schedule_time: object, time_zone: object = None) -> dict[str, object]:
    return post_fields(publish_mode="scheduled", schedule_time=schedule_time, time_zone=time_zone)


def as_the_server_reads(schedule_time: str | None, time_zone: str | None) -> set[datetime]:
    """Return every instant that the pair can mean; more than one if the wall clock shows it twice."""
    assert schedule_time is not None
    assert time_zone is not None
    zone = ZoneInfo(time_zone)
    wall = datetime.strptime(schedule_time, "%Y-%m-%d %H:%M")  # noqa: DTZ007 - the zone follows
    return {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}


def whole_minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def naive(*parts: int, fold: int = 0) -> datetime:
    year, month, day, hour, minute, second = (*parts, 0, 0, 0)[:6]
    return datetime(year, month, day, hour, minute, second, fold=fold)  # noqa: DTZ001 - naive is the point


class FixedZone(tzinfo):
    """A zone of the caller's own making."""

    def __init__(self, offset: timedelta | None, key: str | None = None) -> None:
        self.offset = offset
        if key is not None:
            self.key = key

    def utcoffset(self, _: datetime | None, /) -> timedelta | None:
        return self.offset

    def dst(self, _: datetime | None, /) -> timedelta | None:
        return timedelta(0)

    def tzname(self, _: datetime | None, /) -> str | None:
        return None


@pytest.fixture(autouse=True)
def _machine_elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:  # pyright: ignore[reportUnusedFunction] - autouse
    """Put this machine into a zone of its own, so that nothing can quietly depend on where it is."""
    monkeypatch.setenv("TZ", "Pacific/Chatham")
    if hasattr(time_module, "tzset"):
        time_module.tzset()
    yield
    monkeypatch.undo()
    if hasattr(time_module, "tzset"):
        time_module.tzset()


class TestAwareDatetimes:
    @pytest.mark.parametrize("zone", DOCUMENTED_ZONES)
    def test_go_out_in_their_own_zone(self, zone: str) -> None:
        assert sent_time(datetime(2027, 1, 8, 14, 30, tzinfo=ZoneInfo(zone))) == ("2027-01-08 14:30", zone)

    def test_are_expressed_in_the_given_zone(self) -> None:
        moment = datetime(2027, 1, 8, 14, 30, tzinfo=LAGOS)
        assert sent_time(moment, "America/New_York") == ("2027-01-08 08:30", "America/New_York")

    @pytest.mark.parametrize(
        ("zone", "expected"),
        [
            (UTC, "2027-01-08 14:30"),
            (timezone(timedelta(hours=5, minutes=30)), "2027-01-08 09:00"),
            (timezone(timedelta(hours=-12), "somewhere"), "2027-01-09 02:30"),
            (FixedZone(timedelta(hours=1)), "2027-01-08 13:30"),
        ],
    )
    def test_with_a_bare_offset_go_out_in_utc(self, zone: tzinfo, expected: str) -> None:
        assert sent_time(datetime(2027, 1, 8, 14, 30, tzinfo=zone)) == (expected, "UTC")

    def test_seconds_are_cut_and_not_rounded(self) -> None:
        moment = datetime(2027, 1, 8, 14, 30, 59, 999_999, tzinfo=LAGOS)
        assert sent_time(moment) == ("2027-01-08 14:30", "Africa/Lagos")

    def test_crossing_midnight_changes_the_date(self) -> None:
        moment = datetime(2027, 12, 31, 23, 30, tzinfo=NEW_YORK)
        assert sent_time(moment, "Asia/Kolkata") == ("2028-01-01 10:00", "Asia/Kolkata")

    @given(
        instant=st.datetimes(naive(1980, 1, 1), naive(2100, 1, 1), timezones=st.just(UTC)),
        zone=st.sampled_from(ZONES),
        target=st.none() | st.sampled_from(ZONES),
    )
    @settings(max_examples=300)
    def test_always_mean_the_same_minute_to_the_server(self, instant: datetime, zone: str, target: str | None) -> None:
        moment = instant.astimezone(ZoneInfo(zone))
        assert as_the_server_reads(*sent_time(moment, target)) == {whole_minute(instant)}


class TestSummerTime:
    @pytest.mark.parametrize(
        ("when", "zone"),
        [
            ("2027-03-28 02:30", "Europe/Berlin"),
            ("2027-03-28 02:00", "Europe/Berlin"),
            (naive(2027, 3, 28, 2, 30), "Europe/Berlin"),
            (naive(2027, 3, 28, 2, 30, fold=1), "Europe/Berlin"),
            (datetime(2027, 3, 28, 2, 30, tzinfo=BERLIN), None),
            (datetime(2027, 3, 28, 2, 30, tzinfo=BERLIN), "UTC"),
        ],
    )
    def test_a_time_that_the_clocks_skip_is_refused_with_the_nearest_two(self, when: object, zone: str | None) -> None:
        text = refusal(CreatePost, scheduled(when, zone))
        assert "does not exist in Europe/Berlin" in text
        assert "the nearest times are 2027-03-28 01:59 and 2027-03-28 03:00" in text

    @pytest.mark.parametrize(
        ("text", "zone", "nearest"),
        [
            ("2027-10-03 02:15", "Australia/Lord_Howe", "2027-10-03 01:59 and 2027-10-03 02:30"),
            ("2011-12-30 12:00", "Pacific/Apia", "2011-12-29 23:59 and 2011-12-31 00:00"),
            ("2027-03-14 02:59", "America/New_York", "2027-03-14 01:59 and 2027-03-14 03:00"),
        ],
    )
    def test_the_nearest_two_are_those_at_the_edges_of_any_gap(self, text: str, zone: str, nearest: str) -> None:
        assert f"the nearest times are {nearest}" in refusal(CreatePost, scheduled(text, zone))

    @pytest.mark.parametrize("text", ["2027-03-28 01:59", "2027-03-28 03:00", "2027-10-31 01:59", "2027-10-31 03:00"])
    def test_the_minutes_around_a_change_go_out_as_they_are(self, text: str) -> None:
        assert sent_time(text, "Europe/Berlin") == (text, "Europe/Berlin")

    @pytest.mark.parametrize("when", ["2027-10-31 02:30", naive(2027, 10, 31, 2, 30)])
    def test_a_time_that_is_there_twice_is_a_warning_that_says_which_is_taken(self, when: object) -> None:
        with pytest.warns(AmbiguousTimeWarning, match="twice in Europe/Berlin.*00:30 UTC.*2027-10-31 01:30 in UTC"):
            assert sent_time(when, "Europe/Berlin") == ("2027-10-31 00:30", "UTC")

    @pytest.mark.parametrize(("fold", "expected"), [(0, "2027-10-31 00:30"), (1, "2027-10-31 01:30")])
    def test_an_hour_that_the_clock_shows_twice_goes_out_in_utc(self, fold: int, expected: str) -> None:
        assert sent_time(datetime(2027, 10, 31, 2, 30, tzinfo=BERLIN, fold=fold)) == (expected, "UTC")

    @pytest.mark.parametrize("hour", [0, 1])
    def test_a_moment_whose_expression_in_another_zone_is_ambiguous_goes_out_in_utc(self, hour: int) -> None:
        moment = datetime(2027, 10, 31, hour, 30, tzinfo=UTC)
        assert sent_time(moment, "Europe/Berlin") == (f"2027-10-31 0{hour}:30", "UTC")

    @pytest.mark.parametrize("hour", [1, 3])
    def test_the_hours_around_it_go_out_in_their_zone(self, hour: int) -> None:
        moment = datetime(2027, 10, 31, hour, 30, tzinfo=BERLIN)
        assert sent_time(moment) == (f"2027-10-31 0{hour}:30", "Europe/Berlin")

    def test_fold_says_which_of_the_two_is_meant(self) -> None:
        assert sent_time(naive(2027, 10, 31, 2, 30, fold=1), "Europe/Berlin") == ("2027-10-31 01:30", "UTC")


class TestNaiveDatetimes:
    @pytest.mark.parametrize("zone", DOCUMENTED_ZONES)
    def test_are_read_in_the_given_zone(self, zone: str) -> None:
        assert sent_time(naive(2027, 1, 8, 14, 30, 59), zone) == ("2027-01-08 14:30", zone)

    @pytest.mark.parametrize("time_zone", [None, ""])
    def test_need_a_zone_and_the_message_shows_both_ways(self, time_zone: str | None) -> None:
        text = refusal(CreatePost, scheduled(naive(2027, 1, 8, 14, 30), time_zone))
        assert "tzinfo=ZoneInfo('Africa/Lagos')" in text
        assert "time_zone='Africa/Lagos'" in text

    def test_a_datetime_whose_zone_knows_no_offset_is_naive_too(self) -> None:
        # astimezone() would silently read it in the zone of this machine.
        assert "naive" in refusal(CreatePost, scheduled(datetime(2027, 1, 8, 14, 30, tzinfo=FixedZone(None))))


class TestTexts:
    @pytest.mark.parametrize(
        ("when", "zone", "field"),
        [
            (b"2027-01-08T14:30+01:00", None, "schedule_time"),
            (bytearray(b"2027-01-08 14:30"), "Africa/Lagos", "schedule_time"),
            ("2027-01-08T14:30+01:00", b"Africa/Lagos", "time_zone"),
            ("2027-01-08T14:30", b"Africa/Lagos", "time_zone"),
        ],
    )
    def test_bytes_are_refused(self, when: object, zone: object, field: str) -> None:
        # Only texts are brought into the documented form.
        assert f"{field}\n  Input should be a valid string" in refusal(CreatePost, scheduled(when, zone))

    @pytest.mark.parametrize("text", ["2025-08-01 14:30", "2024-02-29 00:00", "0001-01-01 00:00", "9999-12-31 23:59"])
    def test_the_documented_form_goes_out_as_it_is(self, text: str) -> None:
        assert sent_time(text, "Africa/Lagos") == (text, "Africa/Lagos")

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "tomorrow",
            "2025-08-01",
            "2025-W31-5T14:30",
            "20250801T1430",
            "2025-08-01_14:30",
            "2025-8-1 14:30",
            "25-08-01 14:30",
            "999-01-01 00:00",
            "01-08-2025 14:30",
            "2025/08/01 14:30",
            " 2025-08-01 14:30",
            "2025-08-01 14:30 ",
            "2025-08-01 14:30\n",
            "2025-08-01\t14:30",
            "2025-08-01 14:30\0",
            "-025-08-01 14:30",
            "\u0662\u0660\u0662\u0665-08-01 14:30",
            "\ud83d",
        ],
    )
    def test_another_form_is_refused_with_the_right_one(self, text: str) -> None:
        message = refusal(CreatePost, scheduled(text, "UTC"))
        assert "schedule_time" in message
        assert "YYYY-MM-DD HH:MM" in message

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("2025-02-30 10:00", "no real date"),
            ("2025-02-29T10:00Z", "no real date"),
            ("2025-08-01 24:00", "no real date"),
            ("2025-08-01 14:60", "no real date"),
            ("2025-08-01T14:30+25:00", "no real date"),
            ("2025-08-01T14:30:27Z", "no seconds"),
            ("2025-08-01 14:30:00.5", "no seconds"),
        ],
    )
    def test_what_cannot_be_sent_is_refused_with_the_reason(self, text: str, words: str) -> None:
        message = refusal(CreatePost, scheduled(text, "UTC"))
        assert "schedule_time" in message
        assert words in message

    @pytest.mark.parametrize("text", ["soon", ""])
    def test_no_message_about_a_text_names_an_object_of_python(self, text: str) -> None:
        # A service shows it to those who sent JSON.
        assert "datetime" not in refusal(CreatePost, scheduled(text, "UTC")).replace("datetimes", "")

    @pytest.mark.parametrize(
        ("text", "zone", "expected"),
        [
            ("2099-01-01T09:00:00+01:00", None, ("2099-01-01 08:00", "UTC")),
            ("2099-01-01T09:00:00.000Z", None, ("2099-01-01 09:00", "UTC")),
            ("2099-01-01T09:00:00Z", "", ("2099-01-01 09:00", "UTC")),
            ("2099-01-01 09:00-0500", None, ("2099-01-01 14:00", "UTC")),
            ("2099-01-01T09:00Z", "Africa/Lagos", ("2099-01-01 10:00", "Africa/Lagos")),
            ("2099-01-01T09:00:00", "Africa/Lagos", ("2099-01-01 09:00", "Africa/Lagos")),
            ("2099-01-01 9:05", "Africa/Lagos", ("2099-01-01 09:05", "Africa/Lagos")),
            ("2099-01-01T09:00", BERLIN, ("2099-01-01 09:00", "Europe/Berlin")),
            # The offset says which of the two is meant.
            ("2027-10-31T02:30+01:00", "Europe/Berlin", ("2027-10-31 01:30", "UTC")),
        ],
    )
    def test_iso_8601_goes_out_in_the_documented_form(self, text: str, zone: object, expected: tuple[str, str]) -> None:
        assert sent_time(text, zone) == expected
        # A stored request is read again.
        assert expected == sent_time(*expected)

    @pytest.mark.parametrize(("text", "zone"), [("2099-01-01T09:00:00", None), ("2099-01-01 09:00", "")])
    def test_without_an_offset_it_needs_a_zone(self, text: str, zone: str | None) -> None:
        message = refusal(CreatePost, scheduled(text, zone))
        assert "needs time_zone" in message
        assert "+01:00" in message

    def test_with_an_offset_beside_what_is_no_zone_the_zone_is_refused(self) -> None:
        assert "time_zone" in refusal(CreatePost, scheduled("2099-01-01T09:00Z", "Mars/Base"))

    @pytest.mark.parametrize(("text", "zone"), [("0001-01-01T00:00+05:00", None), ("9999-12-31T23:00Z", "Asia/Tokyo")])
    def test_with_an_offset_it_does_not_leave_the_calendar(self, text: str, zone: str | None) -> None:
        assert "give a year from 1 to 9999" in refusal(CreatePost, scheduled(text, zone))

    @given(
        instant=st.datetimes(naive(1980, 1, 1), naive(2100, 1, 1), timezones=st.just(UTC)),
        minutes=st.integers(-14 * 60, 14 * 60),
        target=st.none() | st.sampled_from(ZONES),
    )
    @settings(max_examples=200)
    def test_with_an_offset_it_always_means_the_same_minute(
        self, instant: datetime, minutes: int, target: str | None
    ) -> None:
        moment = whole_minute(instant).astimezone(timezone(timedelta(minutes=minutes)))
        assert as_the_server_reads(*sent_time(moment.isoformat(), target)) == {moment}

    def test_empty_texts_are_no_values(self) -> None:
        # As in the rows of a file.
        post = CreatePost.model_validate(post_fields(publish_mode="now", schedule_time="", time_zone=""))
        assert "schedule_time" not in post.wire()
        assert "time_zone" not in post.wire()

    def test_the_json_schema_says_how_to_write_them(self) -> None:
        fields = CreatePost.model_json_schema()["properties"]
        assert "ISO 8601" in fields["schedule_time"]["description"]
        assert "IANA" in fields["time_zone"]["description"]
        for text in fields["schedule_time"]["examples"]:
            assert sent_time(text, fields["time_zone"]["examples"][0]) == ("2027-01-08 14:30", "Africa/Lagos")

    def test_a_very_long_text_is_not_repeated_whole_in_the_message(self) -> None:
        assert len(refusal(CreatePost, scheduled("2" * 100_000, "UTC"))) < 2000
        assert len(refusal(CreatePost, scheduled("2025-08-01 14:30", "A" * 100_000))) < 2000

    @pytest.mark.parametrize("value", [1_700_000_000, 1.5, date(2027, 1, 8), time(14, 30), ["2025-08-01 14:30"], True])
    def test_what_is_no_point_in_time_is_refused(self, value: object) -> None:
        assert "schedule_time" in refusal(CreatePost, scheduled(value, "UTC"))

    @given(text=st.text() | st.from_regex(r"\A[ 0-9]{1,5}-[ 0-9]{1,3}-[ 0-9]{1,3} [ 0-9]{1,3}:[ 0-9]{1,3}\Z"))
    @settings(max_examples=300)
    def test_what_goes_out_is_exactly_the_documented_form_of_a_real_date(self, text: str) -> None:
        try:
            accepted, _ = sent_time(text, "UTC")
        except pydantic.ValidationError:
            return
        assert accepted is not None
        assert datetime.strptime(accepted, "%Y-%m-%d %H:%M") == datetime.fromisoformat(accepted)  # noqa: DTZ007 - local
        assert len(accepted) == 16


class TestYearEdges:
    @pytest.mark.parametrize(
        ("moment", "time_zone"),
        [
            (datetime.min.replace(tzinfo=timezone(timedelta(hours=5))), None),
            (datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))), None),
            (datetime.max.replace(tzinfo=UTC), "Asia/Tokyo"),
            (datetime.min.replace(tzinfo=UTC), "America/New_York"),
        ],
    )
    def test_a_moment_that_leaves_the_calendar_is_refused_clearly(
        self, moment: datetime, time_zone: str | None
    ) -> None:
        with pytest.raises(CLEAR_REFUSAL):
            scheduled_post(moment, time_zone)

    @pytest.mark.parametrize("year", [1, 9, 99, 999, 9999])
    def test_a_year_has_four_digits(self, year: int) -> None:
        assert sent_time(datetime(year, 1, 2, 3, 4, tzinfo=UTC)) == (f"{year:04d}-01-02 03:04", "UTC")
        assert sent_time(naive(year, 1, 2, 3, 4), "UTC") == (f"{year:04d}-01-02 03:04", "UTC")


class TestZoneNames:
    @pytest.mark.parametrize("zone", [*DOCUMENTED_ZONES, "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
    def test_known_names_go_out_as_given(self, zone: str) -> None:
        assert sent_time("2027-01-08 14:30", zone) == ("2027-01-08 14:30", zone)

    @pytest.mark.parametrize("alias", ["Asia/Calcutta", "US/Pacific", "GB"])
    def test_an_alias_is_not_rewritten(self, alias: str) -> None:
        if alias not in zoneinfo.available_timezones():
            pytest.skip("this machine's database has no such alias")
        assert sent_time("2027-01-08 14:30", alias) == ("2027-01-08 14:30", alias)
        assert sent_time(datetime(2027, 1, 8, 14, 30, tzinfo=ZoneInfo(alias))) == ("2027-01-08 14:30", alias)

    @pytest.mark.parametrize(
        "name",
        [
            " ",
            ".",
            "..",
            "Nowhere/City",
            "Europe",
            "+01:00",
            "GMT+1",
            "Lagos",
            "../etc/passwd",
            "/etc/localtime",
            "./UTC",
            "Europe//Berlin",
            "Europe/Berlin ",
            "Europe/Berlin\n",
            "Europe/Berlin\0",
            "zone.tab",
            "é",
            "\ud83d",
            pytest.param("a" * 300, id="300 characters"),
        ],
    )
    @pytest.mark.parametrize(
        "when",
        ["2027-01-08 14:30", naive(2027, 1, 8, 14, 30), datetime(2027, 1, 8, 14, 30, tzinfo=UTC)],
        ids=["text", "naive", "aware"],
    )
    def test_what_is_no_zone_is_refused_with_examples(self, when: object, name: str) -> None:
        text = refusal(CreatePost, scheduled(when, name))
        assert "IANA" in text
        assert "Africa/Lagos" in text

    @pytest.mark.parametrize(
        ("name", "zone"),
        [
            ("Berlin", "Europe/Berlin"), ("new york", "America/New_York"), ("europe/berlin", "Europe/Berlin"),
            ("America / New York", "America/New_York"),
        ],
    )  # fmt: skip
    def test_a_city_is_refused_with_its_zone(self, name: str, zone: str) -> None:
        assert f"did you mean '{zone}'?" in refusal(CreatePost, scheduled("2027-01-08 14:30", name))

    @pytest.mark.parametrize("name", ["UTC+2", "GMT-05:00", "+0200", "(UTC+01:00)"])
    def test_an_offset_is_refused_with_the_place_for_it(self, name: str) -> None:
        assert "2027-01-08 14:30+02:00" in refusal(CreatePost, scheduled("2027-01-08 14:30", name))

    @pytest.mark.parametrize(
        ("name", "zone"),
        [
            ("EST", "America/New_York"),
            ("cet", "Europe/Berlin"),
            ("PDT", "America/Los_Angeles"),
            ("GMT", "Europe/London"),
        ],
    )
    def test_an_abbreviation_is_refused_with_the_zone_to_write(self, name: str, zone: str) -> None:
        for when in ("2027-07-01 09:00", naive(2027, 7, 1, 9, 0)):
            text = refusal(CreatePost, scheduled(when, name))
            assert "abbreviation" in text
            assert f"'{zone}'" in text

    def test_a_datetime_in_a_zone_named_by_an_abbreviation_goes_out_in_utc(self) -> None:
        assert sent_time(datetime(2027, 7, 1, 9, tzinfo=ZoneInfo("EST"))) == ("2027-07-01 14:00", "UTC")

    @pytest.mark.parametrize("name", ["localtime", "posixrules", "posix/Europe/Berlin", "right/UTC"])
    def test_a_name_that_means_something_on_this_machine_only_is_refused(self, name: str) -> None:
        assert "IANA" in refusal(CreatePost, scheduled("2027-01-08 14:30", name))

    @pytest.mark.parametrize("time_zone", [BERLIN, UTC, 5, ["UTC"], b"UTC", True], ids=repr)
    @pytest.mark.parametrize(
        "when",
        ["2027-01-08 14:30", naive(2027, 1, 8, 14, 30), datetime(2027, 1, 8, 14, 30, tzinfo=UTC)],
        ids=["text", "naive", "aware"],
    )
    def test_what_is_no_text_is_refused_or_understood_but_does_not_crash(self, when: object, time_zone: object) -> None:
        try:
            found = scheduled_post(when, time_zone).time_zone
        except pydantic.ValidationError as error:
            assert "time_zone" in str(error)  # noqa: PT017 - either is fine
        else:
            assert found in {"Europe/Berlin", "UTC"}

    @pytest.mark.parametrize("key", ["local", None, "EST"])
    def test_a_zone_object_without_an_iana_name_goes_out_in_utc(self, key: str | None) -> None:
        # As tzlocal makes it of /etc/localtime.
        files = [path for folder in zoneinfo.TZPATH if (path := Path(folder, "Europe", "Berlin")).is_file()]
        need("a time zone database in files", present=bool(files))
        with files[0].open("rb") as file:
            local = ZoneInfo.from_file(file, key=key)
        aware = datetime(2027, 1, 8, 14, 30, tzinfo=local)
        assert sent_time(aware) == ("2027-01-08 13:30", "UTC")
        assert sent_time(naive(2027, 1, 8, 14, 30), local) == ("2027-01-08 13:30", "UTC")
        assert sent_time(aware, local) == ("2027-01-08 13:30", "UTC")

    def test_a_made_up_name_of_a_zone_object_is_not_sent(self) -> None:
        moment = datetime(2027, 1, 8, 14, 30, tzinfo=FixedZone(timedelta(hours=1), key="Mars/Phobos"))
        try:
            found = sent_time(moment)
        except pydantic.ValidationError:
            return
        assert found == ("2027-01-08 13:30", "UTC")


def _forget_zones(module: ModuleType) -> None:
    ZoneInfo.clear_cache()
    for value in list(vars(module).values()):
        if hasattr(value, "cache_clear"):
            value.cache_clear()


@pytest.fixture
def no_zone_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without a time zone database, such as Windows."""
    module = importlib.import_module("marketingblocks_async.models.schedule")
    # Its parts too, should something have looked into them before.
    for name in {"tzdata", *(name for name in sys.modules if name.startswith("tzdata."))}:
        monkeypatch.setitem(sys.modules, name, None)
    zoneinfo.reset_tzpath(to=())
    _forget_zones(module)
    try:
        with pytest.raises(zoneinfo.ZoneInfoNotFoundError):
            ZoneInfo("Europe/London")
        yield
    finally:
        zoneinfo.reset_tzpath()
        _forget_zones(module)


@pytest.mark.usefixtures("no_zone_database")
class TestWithoutZoneDatabase:
    @pytest.mark.parametrize(
        "when", ["2027-01-08 14:30", naive(2027, 1, 8, 14, 30), datetime(2027, 1, 8, 14, 30, tzinfo=UTC)], ids=repr
    )
    def test_a_name_that_cannot_be_checked_is_refused(self, when: object) -> None:
        text = refusal(CreatePost, scheduled(when, "Africa/Lagos"))
        assert "Africa/Lagos" in text
        assert "tzdata" in text

    @pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=1)), LAGOS])
    def test_utc_needs_no_database(self, zone: tzinfo) -> None:
        moment = datetime(2027, 1, 8, 14, 30, tzinfo=zone)
        assert sent_time(moment, "UTC") == (moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M"), "UTC")

    def test_an_offset_goes_out_in_utc(self) -> None:
        moment = datetime(2027, 1, 8, 14, 30, tzinfo=timezone(timedelta(hours=1)))
        assert sent_time(moment) == ("2027-01-08 13:30", "UTC")
