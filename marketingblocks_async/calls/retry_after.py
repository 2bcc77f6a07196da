"""``Retry-After`` and the headers that say the same: how long a response asks to wait."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_DELTA_SECONDS = re.compile(r"\s*(\d{1,15}(?:\.\d{1,9})?)\s*(?:, .*)?\Z", re.ASCII | re.DOTALL)


def parse_retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Return the seconds that ``Retry-After`` asks to wait, ``None`` if it is absent or makes no sense.

    Whole seconds and HTTP dates are standard (RFC 9110 section 10.2.3), decimals occur. A date is measured against
    the response's own ``Date`` where there is one, so that a wrong clock on this machine does not matter; a date in the
    past is 0.0. Negative numbers and garbage are treated as absent. Without ``Retry-After``, the usual headers for the
    reset of an exhausted limit are read (inferred: none of them is documented).

    Args:
        headers: the response's headers.
        now: the time to measure a date against when there is no ``Date``; this machine's clock by default.

    """
    text = headers.get("Retry-After")
    if text is None:
        return _seconds_until_reset(headers, now)
    if match := _DELTA_SECONDS.match(text):
        # Headers joins repeated ones with a comma.
        return float(match[1])
    until = _parse_http_date(text)
    if until is None:
        return None
    since = _parse_http_date(headers.get("Date", "")) or now or datetime.now(UTC)
    return max(0.0, (until - since).total_seconds())


_RESETS = ("RateLimit-Reset", "X-RateLimit-Reset-After", "X-RateLimit-Reset", "X-Rate-Limit-Reset")
_REMAININGS = ("RateLimit-Remaining", "X-RateLimit-Remaining", "X-Rate-Limit-Remaining")
_EARLIEST_EPOCH = 1e9


def _seconds_until_reset(headers: Mapping[str, str], now: datetime | None) -> float | None:
    # A limit that is not exhausted is not the reason for a refusal, and its reset may be hours away.
    remaining = next((headers[name] for name in _REMAININGS if name in headers), None)
    if remaining is None or remaining.strip() != "0":
        return None
    for name in _RESETS:
        if match := _DELTA_SECONDS.match(headers.get(name, "")):
            number = float(match[1])
            if number < _EARLIEST_EPOCH:
                return number
            # Seconds since 1970, or milliseconds.
            until = number / 1000 if number >= 1000 * _EARLIEST_EPOCH else number
            since = _parse_http_date(headers.get("Date", "")) or now or datetime.now(UTC)
            return max(0.0, until - since.timestamp())
    return None


def _parse_http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
