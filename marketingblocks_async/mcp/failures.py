"""The advice after a failure, in this server's own words, never the API's."""

from __future__ import annotations

from math import ceil
from typing import Any

from pydantic import ValidationError

from marketingblocks_async import (
    APIConnectionError,
    APIError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    InternalServerError,
    InvalidResponseError,
    MarketingBlocks,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
)
from marketingblocks_async.bulk import JournalError, RowState
from marketingblocks_async.endpoints import ENDPOINTS
from marketingblocks_async.models import base

from .results import Outcome

_PERMISSIONS = {endpoint.name: endpoint.permission for endpoint in ENDPOINTS}

_WHERE_TO_LOOK = {
    "create_post": "the channel itself, and at get_posts and upcoming_posts if you have these tools",
    "create_post_generation": "the generations in the MarketingBlocks app",
    "connect_channel": "the channels in the MarketingBlocks app",
    "create_comment_automation": "the comment automations in the MarketingBlocks app",
    "update_comment_automation": "the automation in the MarketingBlocks app",
}


_ADVICE: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    (
        (AuthenticationError,),
        (
            "The access token is missing, expired or lacks the permission {permission}. The person has to make a token "
            "on the API Tokens page of MarketingBlocks and restart this server with it. Then repeat the call."
        ),
    ),
    (
        (PermissionDeniedError,),
        (
            "The access token lacks the permission {permission}. The person has to add it on the API Tokens page of "
            "MarketingBlocks. Then repeat the call."
        ),
    ),
    (
        (RateLimitError,),
        "The API's rate limit is used up, perhaps by another program. Repeat the same call in {pause}.",
    ),
    (
        (NotSentError,),
        "The API could not be reached, or the queue was too long. Nothing was sent. Repeat the same call.",
    ),
    (
        (APIConnectionError, OutcomeUnknownError, InvalidResponseError),
        "No usable response came. A read changes nothing, so repeat the call.",
    ),
    (
        (InternalServerError,),
        "The API failed and carried nothing out. Repeat the same call in a minute.",
    ),
    (
        (NotFoundError,),
        "The API does not know it. Check the id. After a correction of a write give a new request_key.",
    ),
    (
        (BadRequestError, ValueError),
        "The content was refused. Correct the fields that untrusted_data names; a write needs a new request_key.",
    ),
    (
        (ConfigurationError, JournalError),
        "The server cannot work as it is set up. The person has to read untrusted_data.",
    ),
)
"""Classes of errors and what to do about them; the first that fits."""

_PAUSED = "The API asked for a pause. Nothing was sent. Repeat the same call in {pause}."

_TEMPORARY = (RateLimitError, InternalServerError)

_REFUSED_IN_FRONT = (
    "Something in front of the API refused it, such as a firewall or a proxy. This says nothing about the access token "
    "or the content. The person has to read untrusted_data and look at the network. Then repeat the call"
)


def advice_for_unknown(tool: str) -> str:
    """Return what to do about a write of unknown outcome that was made with ``tool``."""
    # Only posts are in a listing.
    again = "looks again and never sends it twice" if tool == "create_post" else "tells this again and sends nothing"
    return (
        f"It may have been carried out and was not sent again. Look at {_WHERE_TO_LOOK[tool]}. It may be there only "
        f"after a minute or two. The same call with the same request_key {again}. Only if it is certainly not there, "
        "send it with a new request_key."
    )


def outcome_of(error: Exception, state: RowState) -> Outcome:
    """Return the outcome of a call that failed; ``state`` is that of the write."""
    if state is RowState.UNKNOWN:
        return Outcome.UNKNOWN
    if isinstance(error, RateLimitError | InternalServerError | JournalError):
        return Outcome.NOT_SENT
    # Of a write these leave the outcome unknown. A read has changed nothing.
    if isinstance(error, APIConnectionError | OutcomeUnknownError | InvalidResponseError):
        return Outcome.NOT_SENT
    return Outcome.REFUSED


def pause_of(client: MarketingBlocks) -> float:
    """Return for how many seconds the API has asked to send nothing."""
    try:
        return client.rate_limiter.snapshot().paused_for
    except ConfigurationError:
        # The limit is lifted.
        return 0.0


def advice_for(error: Exception, paused_for: float = 0.0) -> str:
    """Return what to do after a call failed with ``error``.

    Args:
        error: the error.
        paused_for: seconds for which the API has asked to send nothing.

    """
    if isinstance(error, APIError) and error.made_in_front and not isinstance(error, _TEMPORARY):
        # A write that was refused for another reason keeps this outcome under its key.
        is_open = isinstance(error, AuthenticationError | PermissionDeniedError)
        return _REFUSED_IN_FRONT + ("." if is_open else "; a write needs a new request_key.")
    pause = f"{ceil(paused_for)} seconds" if paused_for else "a minute"
    if isinstance(error, NotSentError) and paused_for:
        return _PAUSED.format(pause=pause)
    for classes, advice in _ADVICE:
        if isinstance(error, classes):
            permission = _PERMISSIONS.get(getattr(error, "endpoint", ""), "of the tool")
            return advice.format(permission=permission, pause=pause)
    return "The API refused it. Read untrusted_data; after a correction of a write give a new request_key."


def said_by(error: Exception) -> dict[str, Any]:
    """Return what an error says, as data: it repeats the API's words or the caller's."""
    if isinstance(error, ValidationError):
        return {"problems": problems_of(error)}
    said: dict[str, Any] = {"error": str(error)}
    if isinstance(error, APIError):
        said["status_code"] = error.status_code
    return said


def problems_of(error: ValidationError) -> dict[str, str]:
    """Return field → what is wrong with it."""
    return {
        ".".join(map(str, each["loc"])) or "request": base.without_python(each["msg"])
        for each in base.problems_of(error)
    }
