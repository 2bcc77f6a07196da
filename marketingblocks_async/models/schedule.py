"""From what Python calls a point in time to what the API calls ``schedule_time`` and ``time_zone``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_ZONE_NAME = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")
_OF_THIS_MACHINE = ("localtime", "posixrules", "posix/", "right/")

SCHEDULE_FORMAT = "%Y-%m-%d %H:%M"
"""The documented format (``Y-m-d H:i``): whole minutes, local to ``time_zone``."""


@lru_cache(maxsize=1)
def _zone_database_is_present() -> bool:
    # A slim container has no tz database; then names cannot be checked here and the API decides.
    try:
        ZoneInfo("Europe/London")
    except ZoneInfoNotFoundError:
        return False
    return True


@lru_cache(maxsize=1024)
def check_zone_name(name: str) -> str:
    """Return ``name`` if it can be an IANA zone name.

    Raises:
        ValueError: it is not one, as far as this machine's zone database knows.

    """
    try:
        if not _ZONE_NAME.fullmatch(name) or name.startswith(_OF_THIS_MACHINE):
            raise ValueError(name)  # noqa: TRY301 - one message for all
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        if isinstance(exc, ZoneInfoNotFoundError) and not _zone_database_is_present():
            return name
        msg = f"{name!r:.80} is not an IANA time zone name; use one such as 'Africa/Lagos', 'Europe/London' or 'UTC'"
        raise ValueError(msg) from None
    return name


def parse_schedule_text(text: str) -> str:
    """Return ``text`` if it has the documented form and names a real date.

    Raises:
        ValueError: it does not.

    """
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

    Seconds are cut, since the API's format has none. A time that the wall clock of its zone shows twice (the hour
    after summer time ends) is sent in UTC, because the format cannot say which of the two is meant.

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
        check_zone_name(time_zone)
        if not _zone_database_is_present():
            return moment.strftime(SCHEDULE_FORMAT).zfill(16), time_zone
        moment = moment.replace(tzinfo=ZoneInfo(time_zone))
    try:
        return _express(moment, time_zone)
    except OverflowError as exc:
        msg = f"schedule_time {moment!r} has no date in that zone; give a year from 1 to 9999"
        raise ValueError(msg) from exc


def _express(moment: datetime, time_zone: str | None) -> tuple[str, str]:
    zone: tzinfo
    if time_zone:
        zone = _zone_for_conversion(time_zone)
    elif isinstance(moment.tzinfo, ZoneInfo) and moment.tzinfo.key:
        zone, time_zone = moment.tzinfo, moment.tzinfo.key
    else:
        zone, time_zone = UTC, "UTC"
    # Through UTC and back, so that a time inside a spring gap becomes one that exists.
    local = moment.astimezone(UTC).astimezone(zone)
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        local, time_zone = moment.astimezone(UTC), "UTC"
    return local.strftime(SCHEDULE_FORMAT).zfill(16), time_zone


def _zone_for_conversion(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(check_zone_name(name))
    except ZoneInfoNotFoundError as exc:
        msg = (
            f"cannot convert schedule_time to {name!r}: this machine has no time zone database "
            "(install the 'tzdata' package), or pass the datetime in that zone"
        )
        raise ValueError(msg) from exc
