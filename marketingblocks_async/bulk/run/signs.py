"""What the outcome of a row says about the API, the token and the other rows of a run, and what to do then."""

from __future__ import annotations

from enum import StrEnum

from marketingblocks_async import (
    APIError,
    AuthenticationError,
    CallError,
    InternalServerError,
    InvalidResponseError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
)

OUTAGE_AFTER = 5
"""Consecutive rows without a usable response after which the API counts as down."""

_OWN_FAULT = frozenset({400, 401, 409, 413, 422, 429})
"""Statuses from 400 to 499 of the API itself that do not count towards an outage: the fault of one row or of the token,
or a pause, which has a rule of its own."""

LET_THEM_FAIL = "if the rows are at fault themselves, let them fail (on_outage=fail)"
"""What else can be done about refusals for which ``may_be_own_fault()`` is true; the command line spells the option."""


class Sign(StrEnum):
    """What the outcome of a row says about the API."""

    WELL = "well"
    """The API works: it created the row, or refused it for a fault of its own."""
    DOWN = "down"
    """No connection, no response in time, a 5xx, a response that makes no sense, or a rate limit that does not end."""
    REFUSED = "refused"
    """The API, or something in front of it, refused the row for a reason that may be no fault of the row."""
    NONE = ""
    """Nothing: it was not the API that ended the row."""


def sign_of(error: Exception | None) -> Sign:
    """Return what a row's error says about the API; ``None`` stands for a row that was created."""
    if error is None:
        return Sign.WELL
    if is_refused_for_all(error):
        return Sign.REFUSED
    kinds = (InvalidResponseError, NotSentError, OutcomeUnknownError, RateLimitError, InternalServerError)
    if isinstance(error, kinds):
        return Sign.DOWN
    return Sign.WELL if isinstance(error, CallError) else Sign.NONE


def is_refused_for_all(error: Exception | None) -> bool:
    """Return whether a row was refused for a reason that may be no fault of the row.

    A redirect, a page of a firewall or of a proxy, and each 4xx that does not speak of the content of the request:
    the address of the operation may be gone (404, 405, 410), or the account may not post any more (402, 403). If rows
    around it are created it was the fault of the row after all.
    """
    if not isinstance(error, APIError):
        return False
    status = error.status_code
    return 300 <= status < 400 or (400 <= status < 500 and (error.made_in_front or status not in _OWN_FAULT))


def may_be_own_fault(error: Exception | None) -> bool:
    """Return whether a row was refused by the API itself, so that the row may be at fault, such as for its channel.

    A redirect, or a page of a firewall or of a proxy, is refused for all rows: it says nothing about the content.
    """
    if not isinstance(error, APIError) or error.made_in_front:
        return False
    return is_refused_for_all(error) and error.status_code >= 400


def is_refused_token(error: Exception | None, *, created: bool) -> bool:
    """Return whether the API refused the token, so that no further row need be sent to know.

    Args:
        error: the row's error.
        created: whether the run has created a row. If so the token has the permission, and a 403 is about something
            else, such as the channel of the row.

    """
    if not isinstance(error, AuthenticationError | PermissionDeniedError) or error.made_in_front:
        return False
    return isinstance(error, AuthenticationError) or not created


def way_on(error: Exception | None) -> str:
    """Return what else can be done when a row's error stops the run, as the end of a sentence; it may be empty."""
    return f"; {LET_THEM_FAIL}" if may_be_own_fault(error) else ""


def outage_reason(error: Exception | None) -> str:
    """Return why a run stops when consecutive rows failed alike, and what to do; ``error`` is the last one's."""
    if is_refused_for_all(error):
        return (
            f"{OUTAGE_AFTER} consecutive rows were refused for a reason that may concern all rows, the last one: "
            f"{error}. None of them was marked as failed, and no further row was sent; resume the run when the cause "
            f"is gone{way_on(error)}"
        )
    if isinstance(error, RateLimitError):
        # Each of them was tried as often as the client retries.
        cause = "Something else seems to use up the limit"
        then = "resume the run when it has ended, or give each program a part of the limit"
    else:
        cause, then = "The API seems to be down", "resume the run when it is well"
    return (
        f"{OUTAGE_AFTER} consecutive rows got no usable response, the last one: {error}. "
        f"{cause}; no further row was sent; {then}"
    )
