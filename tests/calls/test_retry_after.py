"""How long a response asks to wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from marketingblocks_async.calls.retry_after import parse_retry_after
from marketingblocks_async.errors import Headers

NOW = datetime(2027, 1, 1, 12, 0, 0, tzinfo=UTC)


def http_date(seconds: float, since: datetime = NOW) -> str:
    return format_datetime(since + timedelta(seconds=seconds), usegmt=True)


def retry_after(value: str, **headers: str) -> float | None:
    return parse_retry_after(Headers({"Retry-After": value, **headers}), now=NOW)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("5", 5.0),
        ("120", 120.0),
        ("0.5", 0.5),
        ("1.25", 1.25),
        (" 7 ", 7.0),
        ("\t3", 3.0),
        ("00005", 5.0),
        (http_date(30), 30.0),
        (http_date(0), 0.0),
        (http_date(-30), 0.0),
        ("Fri, 01 Jan 2027 13:00:30 +0100", 30.0),
        ("Fri, 01 Jan 2027 12:00:30 +0000", 30.0),
        ("Fri, 01 Jan 2027 12:00:30 -0000", 30.0),
        ("Friday, 01-Jan-27 12:00:30 GMT", 30.0),
        ("Fri Jan  1 12:00:30 2027", 30.0),
        ("Mon, 01 Jan 1900 00:00:00 GMT", 0.0),
        ("Mon, 01 Jan 0001 00:00:00 +2300", 0.0),
    ],
)
def test_seconds_decimals_and_dates_are_understood(value: str, seconds: float) -> None:
    assert retry_after(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "-1",
        "-0.5",
        "+5",
        "1e3",
        "0x10",
        "1_0",
        "1.",
        ".5",
        "5s",
        "5 seconds",
        "5;q=1",
        "nan",
        "inf",
        "Infinity",
        "abc",
        "\0",
        "5\0",
        "\u0665",
        "\uff15",
        "\u00b2",
        "\ud83d",
        "2027-01-01T12:00:30Z",
        "1 Jan",
        "Fri, 99 Jan 2027 12:00:30 GMT",
        "Fri, 01 Jan 2027 25:00:30 GMT",
        "Fri, 01 Jan 99999999999999 12:00:30 GMT",
        "Fri, 01 Jan 2027 12:00:30 +9999999999",
        pytest.param("9" * 5000, id="5000 digits"),
    ],
)
def test_what_makes_no_sense_is_as_good_as_absent(value: str) -> None:
    assert retry_after(value) is None


def test_absent_is_none() -> None:
    assert parse_retry_after(Headers()) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "3"}, 3.0),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "0.5"}, 0.5),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW.timestamp()) + 30)}, 30.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW.timestamp() + 30) * 1000)}, 30.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW.timestamp()) - 30)}, 0.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "3", "Retry-After": "2"}, 2.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, None),
        ({"X-RateLimit-Remaining": "57", "X-RateLimit-Reset": "3600"}, None),
        ({"X-RateLimit-Reset": "3600"}, None),
    ],
    ids=str,
)
def test_the_reset_of_an_exhausted_limit_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert parse_retry_after(Headers(headers), now=NOW) == seconds


@pytest.mark.parametrize(
    "value", ["999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -2359"]
)
def test_a_wait_of_ages_is_reported_as_such(value: str) -> None:
    seconds = retry_after(value)
    assert seconds is not None
    assert 10**9 < seconds < 10**16


@pytest.mark.parametrize("clock", [timedelta(0), timedelta(hours=-5), timedelta(days=4000)])
def test_a_date_is_measured_against_the_answer_s_own_date(clock: timedelta) -> None:
    headers = Headers({"Retry-After": http_date(30), "Date": http_date(0)})
    assert parse_retry_after(headers, now=NOW + clock) == 30.0


@pytest.mark.parametrize("date", ["", "garbage", "0", "\ud83d"])
def test_a_date_that_makes_no_sense_is_as_good_as_absent(date: str) -> None:
    assert retry_after(http_date(30), Date=date) == 30.0


def test_without_a_date_the_clock_of_this_machine_counts() -> None:
    headers = Headers({"Retry-After": http_date(100, datetime.now(UTC))})
    seconds = parse_retry_after(headers)
    assert seconds is not None
    assert 95 < seconds <= 100


@pytest.mark.parametrize("name", ["retry-after", "RETRY-AFTER", "Retry-After"])
def test_the_header_s_case_does_not_matter(name: str) -> None:
    assert parse_retry_after(Headers({name: "5"})) == 5.0
    assert parse_retry_after(CIMultiDict({name: "5"})) == 5.0


@pytest.mark.parametrize(
    ("values", "allowed"),
    [
        (["5", "5"], {5.0}),
        (["5", "7"], {5.0, 7.0}),
        ([http_date(30), http_date(30)], {30.0}),
        ([http_date(30), http_date(60)], {30.0, 60.0}),
        (["5", http_date(30)], {5.0, 30.0}),
    ],
)
def test_of_several_headers_one_counts(values: list[str], allowed: set[float]) -> None:
    as_aiohttp_gives_them = CIMultiDict(("Retry-After", value) for value in values)
    assert parse_retry_after(Headers(as_aiohttp_gives_them), now=NOW) in allowed


@given(value=st.text() | st.from_regex(r"\A[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,6} [0-9:+ A-Z-]{1,20}\Z"))
@settings(max_examples=100)
def test_any_text_is_a_wait_or_nothing(value: str) -> None:
    seconds = retry_after(value, Date=value)
    assert seconds is None or 0 <= seconds < 10**16
