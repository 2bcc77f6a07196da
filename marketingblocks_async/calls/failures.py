"""What a response or an exception means: the outcome of an attempt, and the error for the caller, in one pass.

Everything here is a pure function of its arguments, so it is tested without a socket. Comments mark what the
documentation says and what is inferred; ``docs/reference/evidence.md`` lists all of it.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pydantic

from marketingblocks_async.errors import (
    STATUS_RULES,
    APIConnectionError,
    APIError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    CallError,
    ConflictError,
    Headers,
    InternalServerError,
    InvalidResponseError,
    NotFoundError,
    NotSentError,
    Outcome,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    UnprocessableEntityError,
    UnreadableResponseError,
    excerpt,
)
from marketingblocks_async.middleware import HttpResponse
from marketingblocks_async.models.base import UndocumentedResponse, is_object
from marketingblocks_async.transport.attempt import ResponseTooLarge, SendFailure

from .call import Call
from .retry import AttemptFailed
from .retry_after import parse_retry_after


def failed_by_response(call: Call[Any], response: HttpResponse, problem: ValueError | None = None) -> AttemptFailed:
    """Return the failure that a response stands for.

    Args:
        call: the call that it answers.
        response: one with an error status, or with a success status whose body cannot be read or says that the call
            failed. It must not hold the token.
        problem: why the body of a success cannot be read.

    """
    name, status, body = call.name, response.status, readable_body(response)
    if problem is None and 200 <= status < 300:
        problem = _contradiction(call, response)
    elif denies(body):
        problem = None
    if problem is not None:
        return AttemptFailed(Outcome.FINAL, _unreadable(call, response, body, problem))
    headers = Headers(response.headers)
    retry_after = parse_retry_after(headers)
    in_front = made_in_front(response)
    message = f"{status}{_reason(body)}{_advice(response, call.operation.permission, retry_after, in_front=in_front)}"
    repeated = was_repeated_in_front(response)
    outcome = classify(status, may_have_arrived=in_front or repeated)
    if repeated and _creates(call) and outcome is Outcome.FINAL and status not in (401, 403):
        # The first try may have been carried out, and the second one refused as its repetition. The access token was
        # the same in both.
        outcome = Outcome.UNKNOWN
    if status < 400 and call.operation.is_read:
        # A redirect of a read is the same the next time.
        outcome = Outcome.FINAL
    is_unknown = outcome is Outcome.UNKNOWN and not call.operation.is_read
    if not is_unknown:
        message += _when_again(status)
    refusal: APIError
    if status == 429:
        said = f"{name}: {message}"
        refusal = RateLimitError(said, body=body, headers=headers, endpoint=name, retry_after=retry_after)
    else:
        error_class = InternalServerError if status >= 500 else _ERROR_CLASSES.get(status, APIError)
        refusal = error_class(f"{name}: {message}", status_code=status, body=body, headers=headers, endpoint=name)
    refusal.made_in_front = in_front
    error: CallError = refusal
    if is_unknown:
        error, error.__cause__ = unknown_error(call, f"the API answered {message}"), error
    return AttemptFailed(outcome, error, retry_after=retry_after, pauses_token=pauses_token(status, retry_after))


def failed_by_sending(call: Call[Any], failure: SendFailure, reason: str) -> AttemptFailed:
    """Return the failure of an attempt that got no usable response.

    Args:
        call: the call.
        failure: how sending it failed.
        reason: the failure's reason, without the token.

    """
    if isinstance(failure, ResponseTooLarge):
        msg = f"{call.name}: {reason}; raise max_response_bytes of the client to read it"
        error: CallError = _invalid_response(call, msg)
    elif failure.outcome is Outcome.NOT_SENT:
        is_of_network = failure.timed_out or (failure.__cause__ is not None and not failure.was_only_held_back)
        error = not_sent_error(call, reason, is_of_network=is_of_network)
    else:
        error = unknown_error(call, reason, timed_out=failure.timed_out)
    return AttemptFailed(
        failure.outcome,
        error,
        connection_was_dead=failure.connection_was_dead,
        was_only_held_back=failure.was_only_held_back,
    )


def classify(status: int, *, may_have_arrived: bool = False) -> Outcome:
    """Return what a status that is no success means for what happened, by ``STATUS_RULES``.

    Args:
        status: HTTP status; 2xx if the body says that the call failed.
        may_have_arrived: whether the request may have reached the API although the status says that it was rejected
            before processing: something in front of the API made the response, or sent the request several times.

    """
    if 200 <= status < 300:
        return Outcome.FINAL
    # Others are no final answer (1XX), or in no standard (beyond 599), so nothing is known of what happened.
    rule = STATUS_RULES.get(f"{status}") or STATUS_RULES.get(f"{status // 100}XX", STATUS_RULES["5XX"])
    return Outcome.UNKNOWN if may_have_arrived and rule.outcome is Outcome.REFUSED else rule.outcome


def pauses_token(status: int, retry_after: float | None) -> bool:
    """Return whether the head of a response asks for a pause of the whole token.

    Args:
        status: HTTP status.
        retry_after: seconds that it asks to wait, ``None`` if it does not say.

    """
    return classify(status) is Outcome.REFUSED or (status == 503 and retry_after is not None)


def made_in_front(response: HttpResponse) -> bool:
    """Return whether a response shows that it was made in front of the API: by a firewall, a cache or a proxy.

    The API answers in JSON (documented), and ``Proxy-Status`` with an error is a proxy's own (RFC 9209 section 2.1.1).
    """
    headers = response.headers
    if "text/html" in headers.get("Content-Type", "").lower() or response.body.lstrip()[:1] == b"<":
        return True
    return re.search(r";\s*error\s*=", headers.get("Proxy-Status", "")) is not None


def was_repeated_in_front(response: HttpResponse) -> bool:
    """Return whether a proxy in front of the API says that it has sent the request several times, as Envoy does."""
    return response.headers.get("x-envoy-attempt-count", "1").strip() not in ("", "0", "1")


# "failed" is not among them: it is the state of a post, which may be there.
_DENIALS = frozenset({"false", "0", "error", "fail"})


def denies(result: object) -> bool:
    """Return whether the result of a success status says that the call failed.

    ``"status": false`` is the documented form of errors, so it is one with a success status, too (inferred); likewise
    ``0``, ``"0"``, ``"false"``, ``"error"`` and ``"fail"``, and the same under ``success``. If a create has the id of
    what it creates beside it, its outcome is unknown.
    """
    fields: Any = result.root if isinstance(result, UndocumentedResponse) else result
    if is_object(fields):
        return _is_denial(fields.get("status")) or _is_denial(fields.get("success"))
    if isinstance(fields, pydantic.BaseModel):
        further = fields.model_extra or {}
        return _is_denial(getattr(fields, "status", None)) or _is_denial(further.get("success"))
    return False


def _is_denial(value: object) -> bool:
    # False is equal to 0.
    return value == 0 or (isinstance(value, str) and value.lower() in _DENIALS)


class _ContradictionError(ValueError):
    """The response to a create does not tell whether it was carried out, or says both."""


_CREATED_IDS = ("post_id", "id", "comment_bot_id", "connect_token", "connect_url")
"""Names under which the results of creates have the id of what was created."""


def _contradiction(call: Call[Any], response: HttpResponse) -> ValueError | None:
    """Return what is wrong with a denial that has the id of what the call creates; ``None`` if it has none.

    Not for other writes, whose error may repeat the id that they were given.
    """
    if not _creates(call):
        return None
    try:
        result = call.operation.decode(response)
    except ValueError as problem:
        # The token in it was replaced.
        return problem
    found = _created_id(result)
    msg = f"it says that the call failed, and has the {found} of what it creates"
    return None if found is None else _ContradictionError(msg)


def error_in_success(call: Call[Any], result: object) -> ValueError | None:
    """Return what is wrong with a success of a create that tells an error and no id; ``None`` if nothing is.

    The shape of these responses is not documented, so any other JSON is taken for the success that its status says.
    """
    if not isinstance(result, UndocumentedResponse):
        return None
    fields = result.root
    if not is_object(fields):
        if not _is_denial(fields):
            return None
        told = f"is {fields!r}"
    elif fields.get("error"):
        told = "says 'error'"
    elif fields.get("errors"):
        told = "says 'errors'"
    elif _is_error_status(fields.get("status")):
        told = "says 'status'"
    elif _is_error_status(fields.get("code")):
        told = "says 'code'"
    else:
        # Nearly always; what is asked below takes longer.
        return None
    if not _creates(call) or _created_id(result) is not None:
        return None
    return _ContradictionError(f"it has no id of what it creates, and {told}")


def _is_error_status(value: object) -> bool:
    if isinstance(value, str):
        return len(value) == 3 and value.isdecimal() and value[0] in "45"
    return isinstance(value, int) and 400 <= value < 600


def _creates(call: Call[Any]) -> bool:
    return not call.operation.is_read and not call.operation.resend_is_harmless


def _created_id(result: object) -> str | None:
    return next((name for name in _CREATED_IDS if getattr(result, name, None) is not None), None)


def not_sent_error(call: Call[Any], reason: str, *, is_of_network: bool = False) -> NotSentError:
    """Return the error for a call that was not sent, or whose attempts were all refused before processing."""
    check = " - check the network, the proxy and base_url" if is_of_network else ""
    if call.response is None:
        told, so = "not sent", "nothing reached the API"
    else:
        told, so = "not sent again", "nothing was carried out"
    msg = f"{call.name}: {told}: {reason}; {so}, so it can be called again{check}"
    return NotSentError(msg, endpoint=call.name)


def unknown_error(call: Call[Any], reason: str, *, timed_out: bool = False) -> CallError:
    """Return the error for a call of which it is not known whether it was carried out."""
    if call.operation.is_read:
        error_class = APITimeoutError if timed_out else APIConnectionError
        msg = f"{call.name}: no response: {reason}; a read changes nothing, so it can be called again"
        return error_class(msg, endpoint=call.name)
    if call.operation.resend_is_harmless:
        msg = f"{call.name}: it may or may not have been carried out: {reason}; to send it again does no harm"
    else:
        msg = (
            f"{call.name}: it may or may not have been carried out: {reason}; "
            "it was not sent again - look it up at the API before you do"
        )
    return OutcomeUnknownError(msg, request=call.request, endpoint=call.name)


def _invalid_response(call: Call[Any], message: str, **details: Any) -> InvalidResponseError:
    error_class = InvalidResponseError if call.operation.is_read else UnreadableResponseError
    return error_class(message, request=call.request, endpoint=call.name, **details)


def readable_body(response: HttpResponse) -> Any:
    """Return the JSON value of the body, or its text if it is no JSON."""
    try:
        return response.json()
    except ValueError:
        return response.body.decode("utf-8", "replace")


def _unreadable(call: Call[Any], response: HttpResponse, body: Any, problem: ValueError) -> InvalidResponseError:
    shown = excerpt(body) if response.body else "(empty)"
    msg = (
        f"{call.name}: the API answered {response.status}, but its body is not as documented ({_why(problem)}): {shown}"
    )
    if not call.operation.is_read:
        msg += "; it may have been carried out and was not sent again - look it up at the API before you do"
    error = _invalid_response(call, msg, body=body, status_code=response.status)
    error.__cause__ = problem
    return error


def _why(problem: ValueError) -> str:
    if isinstance(problem, _ContradictionError):
        return str(problem)
    if not isinstance(problem, pydantic.ValidationError):
        return "it is not JSON"
    first = problem.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]


_ERROR_CLASSES: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
}


def _reason(body: Any) -> str:
    """Return the API's own reason, documented as ``{"status": false, "message": …}``, or the beginning of the body."""
    if is_object(body):
        reason = str(body.get("message") or body.get("error") or "")
        # Inferred: validation errors may come as a map under "errors".
        if errors := body.get("errors"):
            reason = f"{reason} {json.dumps(errors, ensure_ascii=False, default=str)}"
        body = reason.strip() or json.dumps(body, ensure_ascii=False, default=str)
    shown = excerpt(body) if body not in (None, "") else ""
    # More words follow.
    return f": {shown.removesuffix('.')}" if shown else ""


def _when_again(status: int) -> str:
    """Return when to call again after a failure that may not last."""
    if status == 429:
        return "; wait, or share the limit between your programs"
    return " - the API, or something in front of it, failed; call again later" if status >= 500 else ""


def _advice(response: HttpResponse, permission: str | None, wait: float | None, *, in_front: bool) -> str:
    """Return the next step for a person."""
    if in_front and 400 <= response.status < 500 and response.status not in (404, 429):
        return (
            " - this is not a response of the API but of a firewall or proxy in front of it. It says nothing about the "
            "access token or the content; ask those who run it, or use another network"
        )
    needs = f"the permission {permission!r}" if permission else "the permission that this path needs"
    match response.status:
        case 401:
            advice = (
                f"the access token is missing, expired or invalid, or lacks {needs}; "
                "look at it on the API Tokens page of MarketingBlocks"
            )
        case 403:
            advice = f"the access token lacks {needs}; add it on the API Tokens page of MarketingBlocks"
        case 404:
            advice = "nothing is there; check the id, if the call has one, and base_url if every call says so"
        case 400 | 422:
            advice = "the API refused the content of the request; change it before sending it again"
        case 409:
            advice = "the request contradicts what is there already; look at that before sending it again"
        case 429:
            asked = f"; the API asks to wait {wait:g} s" if wait is not None else ""
            advice = f"over the rate limit of the token{asked}; another program may be using the same token"
        case status if 300 <= status < 400:
            target = excerpt(response.headers.get("Location", "nowhere"), 100)
            advice = f"a redirect to {target!r}, which is not followed; check base_url"
        case _:
            return ""
    return f" - {advice}"
