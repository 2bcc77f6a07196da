"""Every fault of the sandbox, on every endpoint: the promised class of error, and what the ledger says happened."""

from __future__ import annotations

from typing import Any

import pytest

from marketingblocks_async import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    InvalidResponseError,
    MarketingBlocks,
    MarketingBlocksError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    UnprocessableEntityError,
    UnreadableResponseError,
)
from marketingblocks_async.sandbox import FAULT_KINDS, Fault, Sandbox
from tests.support.clients import CALLS, WRITES_NOT_RESENT, client_of, post

READS = {"find-post", "get-posts", "upcoming-posts"}

# What the caller sees: for calls that are sent again, and for writes that are not.
PROMISED: dict[str, tuple[type[MarketingBlocksError] | None, type[MarketingBlocksError] | None]] = {
    "commit_then_drop": (APIConnectionError, OutcomeUnknownError),
    "commit_then_stall": (APITimeoutError, OutcomeUnknownError),
    "drop_before": (APIConnectionError, OutcomeUnknownError),
    "reset": (APIConnectionError, OutcomeUnknownError),
    "truncated_json": (APIConnectionError, OutcomeUnknownError),
    "slow": (APITimeoutError, OutcomeUnknownError),
    "slow_answer": (APITimeoutError, OutcomeUnknownError),
    "commit_then_500": (InternalServerError, OutcomeUnknownError),
    "error_500": (InternalServerError, OutcomeUnknownError),
    "error_503": (InternalServerError, OutcomeUnknownError),
    "html_502": (InternalServerError, OutcomeUnknownError),
    "echo_authorization": (InternalServerError, OutcomeUnknownError),
    "error_503_retry_after": (InternalServerError, OutcomeUnknownError),
    "too_many_requests": (RateLimitError, RateLimitError),
    "broken_json": (InvalidResponseError, UnreadableResponseError),
    "empty_body": (InvalidResponseError, UnreadableResponseError),
    "wrong_shape": (InvalidResponseError, UnreadableResponseError),
    "huge_body": (InvalidResponseError, UnreadableResponseError),
    "status_false": (APIError, APIError),
    "redirect": (APIError, OutcomeUnknownError),
    "unauthorized": (AuthenticationError, AuthenticationError),
    "expire_token": (AuthenticationError, AuthenticationError),
    "forbidden": (PermissionDeniedError, PermissionDeniedError),
    "not_found": (NotFoundError, NotFoundError),
    "bad_request": (BadRequestError, BadRequestError),
    "unprocessable": (UnprocessableEntityError, UnprocessableEntityError),
    "drip": (None, None),
    "post_fails": (None, None),
}

# The documentation gives no shape for their answers, so no JSON is the wrong one.
SHAPELESS = {"create-post", "get-posts", "create-comment-automation", "update-comment-automation"}

# Parameters that keep the tests quick.
PARAMS: dict[str, dict[str, Any]] = {
    "slow": {"delay": 1},
    "slow_answer": {"delay": 1},
    "drip": {"interval": 0.0002},
    "error_503_retry_after": {"retry_after": "0.02"},
    "too_many_requests": {"retry_after": "0.02"},
    "huge_body": {"mib": 2},
}

# Those that end by the time limit have a short one; no other fault is decided by time.
STALLS = {"slow", "slow_answer", "commit_then_stall"}


def impatient(client: MarketingBlocks, kind: str) -> MarketingBlocks:
    return client.with_options(timeout=0.1) if kind in STALLS else client


REFUSED = {"too_many_requests"}
UNKNOWN = {kind for kind, (_, write) in PROMISED.items() if write is OutcomeUnknownError}
# A redirect of a read is the same the next time.
RESENT = UNKNOWN - {"redirect"}


def promised(kind: str, endpoint: str) -> type[MarketingBlocksError] | None:
    for_resent, for_writes = PROMISED[kind]
    if kind == "wrong_shape" and endpoint in SHAPELESS:
        return None
    # An update is sent again, but it is a write: its outcome stays unknown.
    return for_resent if endpoint in READS else for_writes


CASES = [
    (kind, endpoint) for kind, meaning in FAULT_KINDS.items() for endpoint in CALLS if meaning.only in {None, endpoint}
]


def test_every_fault_of_the_sandbox_has_a_promise() -> None:
    assert PROMISED.keys() == FAULT_KINDS.keys()


@pytest.mark.parametrize(("kind", "endpoint"), CASES)
async def test_a_fault_gives_the_promised_error_and_no_silent_second_write(kind: str, endpoint: str) -> None:
    fault = Fault(kind, endpoint=endpoint, params=PARAMS.get(kind, {}))
    async with Sandbox() as sandbox, client_of(sandbox, max_response_bytes=2**20) as client:
        await CALLS["create-post"](client)
        await CALLS["create-comment-automation"](client)
        before = sandbox.ledger.attempts(endpoint)
        sandbox.faults.add(fault)

        expected, caught = promised(kind, endpoint), None
        try:
            await CALLS[endpoint](impatient(client, kind))
        except MarketingBlocksError as error:
            caught = error

        assert type(caught) is (type(None) if expected is None else expected)
        arrived = sandbox.ledger.attempts(endpoint) - before
        if kind in STALLS:
            # Requests may be given up before they are counted, on a busy machine more of them.
            assert arrived <= getattr(caught, "attempts", 0)
            arrived = getattr(caught, "attempts", 0)
        resent = RESENT if endpoint in READS else UNKNOWN
        if kind in REFUSED or (kind in resent and endpoint not in WRITES_NOT_RESENT):
            assert arrived == 3
        else:
            assert arrived == 1
        if caught is not None:
            assert getattr(caught, "attempts", None) == arrived
            assert sandbox.token not in repr(caught)


@pytest.mark.parametrize("kind", sorted(UNKNOWN))
async def test_a_write_with_unknown_outcome_reaches_the_server_once_and_says_what_was_sent(kind: str) -> None:
    sent = post("only once")
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        sandbox.faults.add(Fault(kind, endpoint="create-post", params=PARAMS.get(kind, {})))
        with pytest.raises(OutcomeUnknownError) as caught:
            await impatient(client, kind).posts.create(sent)
        assert caught.value.request == sent
        assert caught.value.attempts == 1
        assert sandbox.ledger.attempts("create-post") <= 1
        assert not sandbox.ledger.duplicates()


@pytest.mark.parametrize("kind", sorted(REFUSED))
@pytest.mark.parametrize("endpoint", sorted(WRITES_NOT_RESENT))
async def test_a_refused_write_ends_in_exactly_one(kind: str, endpoint: str) -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        sandbox.faults.add(Fault(kind, endpoint=endpoint, times=2, params=PARAMS[kind]))
        await CALLS[endpoint](client)
        assert sandbox.ledger.attempts(endpoint) == 3
        assert sandbox.ledger.endpoints[endpoint].commits == 1


@pytest.mark.parametrize("kind", sorted(RESENT - {"slow"}))
@pytest.mark.parametrize("endpoint", sorted(READS))
async def test_a_read_that_fails_once_is_simply_made_again(kind: str, endpoint: str) -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        await CALLS["create-post"](client)
        sandbox.faults.add(Fault(kind, endpoint=endpoint, times=1, params=PARAMS.get(kind, {})))
        await CALLS[endpoint](impatient(client, kind))
        # With a short time limit, a busy machine may need one more.
        assert sandbox.ledger.attempts(endpoint) == 2 or kind in STALLS
