"""Convert points in time to the API's ``schedule_time`` and ``time_zone``, by one rule for texts and datetimes.

* A time that the clocks skip (when summer time begins) does not exist, and is refused with the nearest two.
* A time that the clocks show twice (when summer time ends) means the first one, unless an offset or ``fold=1`` says
  otherwise. It goes out in UTC, because the API's format cannot say which of the two is meant. For a text or a naive
  datetime there is a warning. An aware datetime is taken as it is: that its ``fold`` is 0 may be a choice.
* A zone is an IANA name. Abbreviations such as ``EST`` are refused even if the database has them: they have no summer
  time, so a post in July would go out an hour late.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

_ZONE_NAME = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")
_OFFSET = re.compile(r"\(?(?:UTC|GMT)? ?[+\u2212-] ?[0-9]{1,2}(?::?[0-9]{2})?\)?", re.IGNORECASE)
_OF_THIS_MACHINE = ("localtime", "posixrules", "posix/", "right/")

_ABBREVIATIONS = {
    **dict.fromkeys(("EST", "EDT", "EST5EDT", "ET"), "America/New_York"),
    **dict.fromkeys(("CDT", "CST6CDT", "CT"), "America/Chicago"),
    "CST": "America/Chicago' or 'Asia/Shanghai",
    **dict.fromkeys(("MST", "MDT", "MST7MDT", "MT"), "America/Denver"),
    **dict.fromkeys(("PST", "PDT", "PST8PDT", "PT"), "America/Los_Angeles"),
    **dict.fromkeys(("AKST", "AKDT"), "America/Anchorage"),
    "HST": "Pacific/Honolulu",
    "AST": "America/Halifax",
    "ADT": "America/Halifax",
    "BRT": "America/Sao_Paulo",
    "ART": "America/Argentina/Buenos_Aires",
    "GMT": "UTC' or 'Europe/London",
    "BST": "Europe/London",
    **dict.fromkeys(("WET", "WEST"), "Europe/Lisbon"),
    **dict.fromkeys(("CET", "CEST", "MET", "MEZ", "MESZ"), "Europe/Berlin"),
    **dict.fromkeys(("EET", "EEST"), "Europe/Athens"),
    "MSK": "Europe/Moscow",
    "TRT": "Europe/Istanbul",
    "WAT": "Africa/Lagos",
    "CAT": "Africa/Maputo",
    "EAT": "Africa/Nairobi",
    "SAST": "Africa/Johannesburg",
    "GST": "Asia/Dubai",
    "PKT": "Asia/Karachi",
    "IST": "Asia/Kolkata",
    "WIB": "Asia/Jakarta",
    "SGT": "Asia/Singapore",
    "HKT": "Asia/Hong_Kong",
    "PHT": "Asia/Manila",
    "KST": "Asia/Seoul",
    "JST": "Asia/Tokyo",
    "AWST": "Australia/Perth",
    **dict.fromkeys(("ACST", "ACDT"), "Australia/Adelaide"),
    **dict.fromkeys(("AEST", "AEDT"), "Australia/Sydney"),
    **dict.fromkeys(("NZST", "NZDT"), "Pacific/Auckland"),
}
"""Abbreviation of a zone → the IANA name to write, of the place that usually means it."""

_PLACES: dict[str, tuple[str, ...]] = {
    # Countries of several zones may mean any of them.
    **dict.fromkeys(
        ("US", "USA", "U.S.", "united states", "america"),
        ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"),
    ),
    "canada": ("America/Toronto", "America/Winnipeg", "America/Edmonton", "America/Vancouver", "America/Halifax"),
    **dict.fromkeys(
        ("AU", "australia"),
        ("Australia/Sydney", "Australia/Brisbane", "Australia/Adelaide", "Australia/Darwin", "Australia/Perth"),
    ),
    **dict.fromkeys(("BR", "brazil", "brasil"), ("America/Sao_Paulo", "America/Manaus")),
    **dict.fromkeys(("EU", "europe", "europa"), ("Europe/Berlin", "Europe/London", "Europe/Athens")),
    "eastern": ("America/New_York",),
    "central": ("America/Chicago",),
    "mountain": ("America/Denver",),
    "pacific": ("America/Los_Angeles",),
    **dict.fromkeys(("central european", "middle european", "mitteleuropaische"), ("Europe/Berlin",)),
    **dict.fromkeys(("NYC", "boston", "miami", "washington", "atlanta"), ("America/New_York",)),
    **dict.fromkeys(("houston", "dallas", "austin"), ("America/Chicago",)),
    **dict.fromkeys(("LA", "SF", "san francisco", "seattle", "california"), ("America/Los_Angeles",)),
    **dict.fromkeys(("CDMX", "mexico"), ("America/Mexico_City",)),
    **dict.fromkeys(("brasilia", "rio", "rio de janeiro"), ("America/Sao_Paulo",)),
    **dict.fromkeys(
        ("UK", "GB", "united kingdom", "great britain", "britain", "england", "scotland", "manchester"),
        ("Europe/London",),
    ),
    "ireland": ("Europe/Dublin",),
    **dict.fromkeys(
        ("DE", "germany", "deutschland", "alemania", "munich", "munchen", "hamburg", "frankfurt", "cologne", "koln"),
        ("Europe/Berlin",),
    ),
    **dict.fromkeys(("AT", "austria", "osterreich"), ("Europe/Vienna",)),
    **dict.fromkeys(("CH", "switzerland", "schweiz", "suisse"), ("Europe/Zurich",)),
    **dict.fromkeys(("FR", "france", "lyon"), ("Europe/Paris",)),
    **dict.fromkeys(("ES", "spain", "espana", "barcelona"), ("Europe/Madrid",)),
    **dict.fromkeys(("IT", "italy", "italia", "milan", "milano", "roma"), ("Europe/Rome",)),
    **dict.fromkeys(("NL", "netherlands", "nederland"), ("Europe/Amsterdam",)),
    **dict.fromkeys(("PL", "poland", "polska", "warszawa"), ("Europe/Warsaw",)),
    **dict.fromkeys(("india", "mumbai", "delhi", "new delhi", "bangalore"), ("Asia/Kolkata",)),
    **dict.fromkeys(("UAE", "abu dhabi"), ("Asia/Dubai",)),
    **dict.fromkeys(("china", "beijing"), ("Asia/Shanghai",)),
    "japan": ("Asia/Tokyo",),
    "nigeria": ("Africa/Lagos",),
    "kenya": ("Africa/Nairobi",),
    **dict.fromkeys(("south africa", "cape town"), ("Africa/Johannesburg",)),
    **dict.fromkeys(("NZ", "new zealand"), ("Pacific/Auckland",)),
}
"""Place, as people call it → the zones that it may have. Codes are in capitals; cities of zone names are not here."""

_ABOUT_TIME = re.compile(
    r"\b(?:time|zone|timezone|in|the|local|standard|daylight|summer|de|hora|horario|heure|ora|uhrzeit|zeit|tijd)\b",
    re.IGNORECASE,
)
"""Words around the name of a place: "in UK time", "Hora de Brasília"."""

_HALF_HOURS = {"+5": ("Asia/Kolkata",), "+9": ("Australia/Darwin", "Australia/Adelaide"), "-3": ("America/St_Johns",)}
"""Hours of an offset that has 30 minutes more → the zones that have it."""

_SCHEDULE_TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}")

_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[ \u00a0\u202f]+|[Tt])([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?"
    r"(?:[ \u00a0\u202f]?(?:([Zz])|([+\u2212-])([0-9]{2}):?([0-9]{2})?))?"
)

WITH_OFFSET = "with an offset, such as '2027-01-08T14:30+01:00'"

SCHEDULE_FORMAT = "%Y-%m-%d %H:%M"
"""The documented format (``Y-m-d H:i``): whole minutes, local to ``time_zone``."""

_EARLIEST_STAMP = 1e9
"""Smaller numbers are no seconds since 1970 of a social post: this is in 2001."""


class AmbiguousTimeWarning(UserWarning):
    """A schedule time that the clocks show twice in its zone; the message says which of the two is taken.

    An aware datetime is taken as it is, without this warning: its ``fold`` says which one is meant. The default, 0, is
    the first.
    """


class PastTimeWarning(UserWarning):
    """A post is sent whose schedule time is past, so the API may publish it at once."""


@lru_cache(maxsize=1024)
def zone_of(name: str) -> tzinfo:
    """Return the time zone with this IANA name.

    Raises:
        ValueError: it is an abbreviation, or this machine's time zone database does not have it.

    """
    if name == "UTC":
        return UTC
    if (zone := _ABBREVIATIONS.get(name.upper())) is not None:
        msg = (
            f"{name!r} is an abbreviation, which leaves the zone or its summer time open; write '{zone}' (an IANA name)"
        )
        raise ValueError(msg)
    try:
        if not _ZONE_NAME.fullmatch(name) or name.startswith(_OF_THIS_MACHINE):
            raise ValueError(name)  # noqa: TRY301 - one message for all
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if _OFFSET.fullmatch(name):
            msg = (
                f"{name!r} is an offset, which leaves summer time open; write the zone, an IANA name such as "
                "'Africa/Lagos', or write the offset behind the time, such as 2027-01-08 14:30+02:00"
            )
        elif near := _zones_by_city().get(re.sub(r"\s*/\s*", "/", name[:80].casefold()).replace(" ", "_")):
            msg = f"{name!r} is no IANA name of a time zone; did you mean {near!r}?"
        else:
            # Windows and the smallest containers have no time zone database, and no name can be checked there.
            msg = (
                f"{name!r:.80} is not a time zone that this machine knows; use an IANA name such as 'Africa/Lagos', "
                "'Europe/London' or 'UTC' (Windows needs the package tzdata for all but 'UTC')"
            )
        raise ValueError(msg) from None


@lru_cache(maxsize=1)
def _zones_by_city() -> dict[str, str]:
    """Return the zones by their cities and by their names, both in small letters."""
    zones = sorted(zone for zone in available_timezones() if "/" in zone)
    # The name "Etc/GMT+1" has the opposite sign: it is an hour behind UTC. People write "GMT+1" for an hour ahead.
    places = [zone for zone in reversed(zones) if not re.search("GMT[+-]", zone)]
    return {zone.rpartition("/")[2].casefold(): zone for zone in places} | {zone.casefold(): zone for zone in zones}


@lru_cache(maxsize=1024)
def zones_of_label(label: str) -> tuple[str, ...]:
    """Return the names of the zones that a label may mean, such as "EST", "UTC+1", "Berlin" or "Time in UTC"."""
    whole = label.strip().upper()
    if whole not in _ABBREVIATIONS and (places := _zones_of_place(label)):
        return places
    words = re.split(r"[\s,;]+", label)
    for word in (whole if whole in _ABBREVIATIONS else "", label.strip(), *words, *re.split("/", label)):
        if names := _ABBREVIATIONS.get(word):
            return tuple(names.split("' or '"))
        if near := "UTC" if word.upper() == "UTC" else _zones_by_city().get(word.casefold().replace(" ", "_")):
            return (near,)
        if found := re.fullmatch(r"(?:UTC|GMT) ?([+-]) ?0?([0-9]{1,2}):?(00|30)?", word.replace("\u2212", "-").upper()):
            sign, hours, minutes = found.groups()
            if minutes == "30":
                return _HALF_HOURS.get(f"{sign}{hours}", ())
            # In these names the sign is the other way round.
            return (f"Etc/GMT{'-' if sign == '+' else '+'}{hours}",)
    return ()


def _zones_of_place(label: str) -> tuple[str, ...]:
    """Return the zones of a place; empty if the label says more than that, as in "US format"."""
    plain = "".join(sign for sign in unicodedata.normalize("NFD", label) if not unicodedata.combining(sign))
    place = " ".join(_ABOUT_TIME.sub(" ", plain).split())
    if found := _PLACES.get(plain.strip()) or _PLACES.get(place) or _PLACES.get(place.casefold()):
        return found
    near = _zones_by_city().get(place.casefold().replace(" ", "_"))
    return (near,) if near and plain != label else ()


def name_of(zone: ZoneInfo) -> str | None:
    """Return the IANA name of a zone, or ``None`` if it has none: that of ``tzlocal`` may be called "local"."""
    try:
        zone_of(zone.key)
    except (ValueError, AttributeError):
        return None
    return zone.key


def read_moment(text: str) -> str | datetime | None:
    """Return a point in time that is written as in ISO 8601, with a blank or ``T``.

    Returns:
        The documented text if it has no offset, else an aware ``datetime``; ``None`` if the form is another one.

    Raises:
        ValueError: it has seconds other than 0, which the API cannot take, or the date is not real.

    """
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    day, hour, minute, second, fraction, zulu, sign, offset_hours, offset_minutes = found.groups()
    if (second or "00") != "00" or (fraction or "0").strip("0"):
        msg = "posts go out at whole minutes; write no seconds, as in YYYY-MM-DD HH:MM"
        raise ValueError(msg)
    local = f"{day} {hour:0>2}:{minute}"
    try:
        moment = datetime.fromisoformat(local)
        if zulu is None and sign is None:
            return local
        # Through a time of day, which refuses minutes above 59.
        offset = time(int(offset_hours or 0), int(offset_minutes or 0))
        distance = timedelta(hours=offset.hour, minutes=offset.minute)
        return moment.replace(tzinfo=timezone(distance if sign == "+" else -distance))
    except ValueError:
        msg = "it is no real date and time; check day, month, hour, minute and offset"
        raise ValueError(msg) from None


def parse_schedule_text(text: str) -> str | datetime:
    """Return what ``read_moment()`` does.

    Raises:
        ValueError: the form is another one, or the time cannot be sent, whatever its zone.

    """
    moment = read_moment(text)
    if moment is None:
        msg = f"{text!r:.80} is not a schedule time; write it as 'YYYY-MM-DD HH:MM', or {WITH_OFFSET}"
        raise ValueError(msg)
    if isinstance(moment, datetime):
        split_moment(moment, None)
    return moment


def split_moment(moment: datetime, time_zone: str | None) -> tuple[str, str]:
    """Return (``schedule_time``, ``time_zone``) for a datetime.

    Seconds are cut, since the API's format has none. A time that occurs twice in its zone (when summer time ends) is
    sent in UTC, because the format cannot say which of the two is meant.

    Args:
        moment: aware, or naive when ``time_zone`` is given.
        time_zone: IANA name to express it in, or ``None`` for the datetime's own zone.

    Raises:
        ValueError: naive without a zone, or an unknown zone name.

    """
    if moment.utcoffset() is None:
        if not time_zone:
            msg = (
                "schedule_time is a naive datetime; give it a zone (tzinfo=ZoneInfo('Africa/Lagos')) "
                "or pass time_zone='Africa/Lagos'"
            )
            raise ValueError(msg)
        if not moment.fold:
            warn_if_ambiguous(moment, time_zone)
        moment = moment.replace(tzinfo=zone_of(time_zone))
    try:
        if isinstance(moment.tzinfo, ZoneInfo):
            _refuse_skipped(moment)
        return _express(moment, time_zone)
    except OverflowError as exc:
        msg = f"schedule_time {moment} has no date in that zone; give a year from 1 to 9999"
        raise ValueError(msg) from exc


def split_text(text: str, time_zone: str | None) -> tuple[str, str]:
    """Return (``schedule_time``, ``time_zone``) for a text.

    Args:
        text: local to ``time_zone`` if it has no offset.
        time_zone: IANA name; ``None`` for a text with an offset, which then goes out in UTC.

    Raises:
        ValueError: the form is another one, the date is not real, the zone is missing or not known, or the clocks skip
            the time.

    """
    if time_zone is not None and plain_moment(text, time_zone) is not None:
        return text, time_zone
    local = parse_schedule_text(text)
    if isinstance(local, datetime):
        return split_moment(local, time_zone)
    if time_zone is None:
        msg = (
            "schedule_time needs time_zone (an IANA name such as 'Africa/Lagos') or an offset, such as "
            "'2027-01-08T14:30+01:00'"
        )
        raise ValueError(msg)
    moment = datetime.fromisoformat(local).replace(tzinfo=zone_of(time_zone))
    if not isinstance(moment.tzinfo, ZoneInfo) or is_unique(moment):
        # Not in the documented form, or at the ends of the calendar.
        return local, time_zone
    _refuse_skipped(moment)
    warn_if_ambiguous(moment, time_zone)
    return _express(moment, None)


# A row of a spreadsheet asks several times: when it is read, when its request is made, and for the plan.
@lru_cache(maxsize=1024)
def plain_moment(text: str, time_zone: str) -> datetime | None:
    """Return the moment, in UTC, of a text in the documented form that the clocks of the zone show exactly once.

    ``None`` for all other texts and zones.
    """
    if not _SCHEDULE_TEXT.fullmatch(text):
        return None
    try:
        local = datetime.fromisoformat(text).replace(tzinfo=zone_of(time_zone))
        if isinstance(local.tzinfo, ZoneInfo) and not is_unique(local):
            return None
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def is_unique(moment: datetime) -> bool:
    """Return whether the clocks of its zone show a moment's local time exactly once."""
    return moment.utcoffset() == moment.replace(fold=not moment.fold).utcoffset()


def explain_ambiguity(local: datetime, time_zone: str) -> str | None:
    """Return which moment a local time means that the clocks show twice; ``None`` if they do not.

    The time's own zone and ``fold`` do not matter.
    """
    first = local.replace(tzinfo=zone_of(time_zone), fold=0)
    if is_unique(first) or first.astimezone(UTC) > first.replace(fold=1).astimezone(UTC):
        return None
    return (
        f"{first:%Y-%m-%d %H:%M} is there twice in {time_zone}, since the clocks are put back; "
        f"the first one is taken, which is {first.astimezone(UTC):%H:%M} UTC"
    )


def warn_if_ambiguous(local: datetime, time_zone: str) -> None:
    """Warn (``AmbiguousTimeWarning``) about a local time that the clocks show twice."""
    try:
        message = explain_ambiguity(local, time_zone)
    except OverflowError:
        # At the ends of the calendar no zone changes its clocks.
        return
    if message is not None:
        second = local.replace(tzinfo=zone_of(time_zone), fold=1).astimezone(UTC)
        message += f"; for the second one give {second:%Y-%m-%d %H:%M} in UTC, or a datetime with fold=1"
        warnings.warn(message, AmbiguousTimeWarning, stacklevel=2)


def moment_of(schedule_time: object, time_zone: object) -> datetime | None:
    """Return the aware datetime that the API's fields mean; ``None`` if the form is unknown or the zone is not said.

    The time is a text, perhaps with an offset, or seconds since 1970.
    """
    try:
        if isinstance(schedule_time, str):
            moment = datetime.fromisoformat(schedule_time.strip())
            if moment.tzinfo is not None:
                return moment
            return moment.replace(tzinfo=zone_of(time_zone)) if isinstance(time_zone, str) else None
        if isinstance(schedule_time, int | float) and schedule_time >= _EARLIEST_STAMP:
            return datetime.fromtimestamp(schedule_time, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def utc_moment(schedule_time: str, time_zone: str) -> datetime | None:
    """Return the moment, in UTC, of the time of a valid request; ``None`` at the ends of the calendar."""
    if (plain := plain_moment(schedule_time, time_zone)) is not None:
        return plain
    try:
        return datetime.fromisoformat(schedule_time).replace(tzinfo=zone_of(time_zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def is_past(moment: datetime, now: datetime) -> bool:
    """Return whether a moment is past by a minute or more."""
    # The API's format has whole minutes, so the present minute is not past.
    return now - moment >= timedelta(minutes=1)


def explain_past(moment: datetime | None) -> str | None:
    """Return a sentence about a moment that is past by a minute or more; ``None`` if it is not."""
    now = datetime.now(UTC)
    if moment is None or not is_past(moment, now):
        return None
    late = re.split("[.,]", str(now - moment))[0]
    return (
        f"schedule_time {moment:%Y-%m-%d %H:%M} ({moment.tzinfo}) is past by {late}; "
        "the API may publish the post at once"
    )


def _refuse_skipped(moment: datetime) -> None:
    """Refuse a local time that the clocks of its zone skip; the message of the error has the nearest two."""
    # Inside a gap, the offset of fold=0 is that before it, and so leads to the later one of two moments (PEP 495).
    late, early = moment.replace(fold=0).astimezone(UTC), moment.replace(fold=1).astimezone(UTC)
    if late <= early:
        return
    before = early.astimezone(moment.tzinfo).utcoffset()
    while late - early > timedelta(minutes=1):
        middle = early + (late - early) / 2
        if middle.astimezone(moment.tzinfo).utcoffset() == before:
            early = middle
        else:
            late = middle
    after = late.replace(second=0, microsecond=0).astimezone(moment.tzinfo)
    last = (late - timedelta(minutes=1)).astimezone(moment.tzinfo)
    msg = (
        f"{moment:%Y-%m-%d %H:%M} does not exist in {moment.tzinfo}, since the clocks are put forward; "
        f"the nearest times are {last:%Y-%m-%d %H:%M} and {after:%Y-%m-%d %H:%M}"
    )
    raise ValueError(msg)


def _express(moment: datetime, time_zone: str | None) -> tuple[str, str]:
    zone: tzinfo
    if time_zone:
        zone = zone_of(time_zone)
    elif isinstance(moment.tzinfo, ZoneInfo) and (name := name_of(moment.tzinfo)) is not None:
        zone, time_zone = moment.tzinfo, name
    else:
        zone, time_zone = UTC, "UTC"
    local = moment.astimezone(zone)
    if not is_unique(local):
        local, time_zone = moment.astimezone(UTC), "UTC"
    return local.strftime(SCHEDULE_FORMAT).zfill(16), time_zone
