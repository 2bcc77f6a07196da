"""Convert Python's datetimes to the API's ``schedule_time`` and ``time_zone``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_ZONE_NAME = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")
_OF_THIS_MACHINE = ("localtime", "posixrules", "posix/", "right/")

SCHEDULE_FORMAT = "%Y-%m-%d %H:%M"
"""The documented format (``Y-m-d H:i``): whole minutes, local to ``time_zone``."""


@lru_cache(maxsize=1024)
def zone_of(name: str) -> tzinfo:
    """Return the time zone with this IANA name.

    Raises:
        ValueError: this machine's time zone database does not have it.

    """
    if name == "UTC":
        return UTC
    try:
        if not _ZONE_NAME.fullmatch(name) or name.startswith(_OF_THIS_MACHINE):
            raise ValueError(name)  # noqa: TRY301 - one message for all
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # Windows and the smallest containers have no time zone database, and no name can be checked there.
        msg = (
            f"{name!r:.80} is not a time zone that this machine knows; use an IANA name such as 'Africa/Lagos', "
            "'Europe/London' or 'UTC' (Windows needs the package tzdata for all but 'UTC')"
        )
        raise ValueError(msg) from None


def parse_schedule_text(text: str) -> str:
    """Return ``text`` if it has the documented form and names a real date, else raise ``ValueError``."""
    try:
        moment = datetime.strptime(text, SCHEDULE_FORMAT)  # noqa: DTZ007 - the zone travels in its own field
    except ValueError:
        moment = None
    # strptime also takes "2025-8-1 9:5"; the documented form has fixed widths.
    if moment is None or moment.strftime(SCHEDULE_FORMAT).zfill(len(text)) != text:
        msg = f"{text!r:.80} is not a schedule time; write it as 'YYYY-MM-DD HH:MM', or pass an aware datetime"
        raise ValueError(msg)
    return text


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
        moment = moment.replace(tzinfo=zone_of(time_zone))
    try:
        return _express(moment, time_zone)
    except OverflowError as exc:
        msg = f"schedule_time {moment!r} has no date in that zone; give a year from 1 to 9999"
        raise ValueError(msg) from exc


def _express(moment: datetime, time_zone: str | None) -> tuple[str, str]:
    zone: tzinfo
    if time_zone:
        zone = zone_of(time_zone)
    elif isinstance(moment.tzinfo, ZoneInfo) and moment.tzinfo.key:
        zone, time_zone = moment.tzinfo, moment.tzinfo.key
    else:
        zone, time_zone = UTC, "UTC"
    # Through UTC and back, so that a time inside a spring gap becomes one that exists.
    local = moment.astimezone(UTC).astimezone(zone)
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        local, time_zone = moment.astimezone(UTC), "UTC"
    return local.strftime(SCHEDULE_FORMAT).zfill(16), time_zone
