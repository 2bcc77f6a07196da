"""Errors: who derives from whom, what they say, and that they cross processes with everything they hold."""

from __future__ import annotations

import copy
import json
import pickle
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from pydantic import ValidationError

import marketingblocks_async
from marketingblocks_async.errors import (
    STATUS_RULES,
    APIConnectionError,
    APIError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    CallError,
    ConfigurationError,
    ConflictError,
    Headers,
    InternalServerError,
    InvalidArgumentError,
    InvalidResponseError,
    MarketingBlocksError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    UnprocessableEntityError,
    UnreadableResponseError,
    excerpt,
)
from marketingblocks_async.models import InvalidRequestError
from tests.support.examples import DOCUMENTED_ERROR, post

REQUEST = post(channel_type="youtube", post_extra={"title": "A film", "category": 44}, hash_tags=["a", "b"])
GENERIC_REQUEST = {"method": "POST", "path": "social-sparks/any", "params": {"a": [1]}, "json": {"b": None}}

API_ERRORS: list[type[APIError]] = [
    APIError,
    BadRequestError,
    AuthenticationError,
    PermissionDeniedError,
    NotFoundError,
    ConflictError,
    RateLimitError,
    InternalServerError,
]
PARENTS: dict[type[MarketingBlocksError], type[Exception]] = {
    MarketingBlocksError: Exception,
    ConfigurationError: MarketingBlocksError,
    InvalidArgumentError: MarketingBlocksError,
    CallError: MarketingBlocksError,
    APIError: CallError,
    APIConnectionError: CallError,
    APITimeoutError: APIConnectionError,
    NotSentError: APIConnectionError,
    OutcomeUnknownError: CallError,
    InvalidResponseError: CallError,
    UnprocessableEntityError: BadRequestError,
    **dict.fromkeys(API_ERRORS[1:], APIError),
}
# Also errors of Python and pydantic, for callers that know these.
BESIDES: dict[type[MarketingBlocksError], tuple[type[Exception], ...]] = {
    InvalidArgumentError: (MarketingBlocksError, ValueError),
    InvalidRequestError: (InvalidArgumentError, ValidationError),
    UnreadableResponseError: (InvalidResponseError, OutcomeUnknownError),
}


def first_failure() -> CallError:
    return OutcomeUnknownError("lost", request=REQUEST, endpoint="create-post", attempts=1)


def full_errors() -> list[MarketingBlocksError]:
    """Return one error of each class with everything that it can hold."""
    common: dict[str, Any] = {"endpoint": "create-post", "attempts": 3, "first_failure": first_failure()}
    headers = Headers({"Retry-After": "7", "X-Request-Id": "1"})
    errors: list[MarketingBlocksError] = [MarketingBlocksError("base"), ConfigurationError("no token")]
    for kind in API_ERRORS:
        further: dict[str, Any] = {"retry_after": 7.5} if kind is RateLimitError else {}
        errors.append(kind("refused", status_code=418, body=DOCUMENTED_ERROR, headers=headers, **common, **further))
    errors += [
        CallError("failed", **common),
        NotSentError("not sent", **common),
        OutcomeUnknownError("lost", request=REQUEST, **common),
        OutcomeUnknownError("lost", request=GENERIC_REQUEST, **common),
        InvalidResponseError("odd", body=["odd"], request=REQUEST, status_code=201, **common),
    ]
    return errors


def contents(error: object) -> object:
    """Return everything that an error holds, in a form that compares."""
    if isinstance(error, BaseException):
        return type(error), error.args, str(error), {name: contents(value) for name, value in vars(error).items()}
    return error


def error_id(error: object) -> str:
    return type(error).__name__


class TestHierarchy:
    def test_is_the_documented_one(self) -> None:
        documented = {kind: (parent,) for kind, parent in PARENTS.items()} | BESIDES
        assert {kind: kind.__bases__ for kind in documented} == documented

    @pytest.mark.parametrize(
        "package",
        [
            "marketingblocks_async",
            "marketingblocks_async.blocking",
            "marketingblocks_async.bulk",
            "marketingblocks_async.distributed",
            "marketingblocks_async.mcp",
            "marketingblocks_async.openapi",
            "marketingblocks_async.otel",
            "marketingblocks_async.redis",
            "marketingblocks_async.sandbox",
            "marketingblocks_async.testing",
            "marketingblocks_async.webhooks",
        ],
    )
    def test_every_public_error_is_one_of_the_package(self, package: str) -> None:
        module = pytest.importorskip(package, reason="an extra is not installed")
        public = [getattr(module, name) for name in module.__all__]
        for kind in public:
            if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, Warning):
                assert issubclass(kind, MarketingBlocksError), kind

    def test_former_names_stay(self) -> None:
        assert marketingblocks_async.RateLimitedError is RateLimitError
        assert marketingblocks_async.ServerError is InternalServerError

    def test_is_complete_and_public(self) -> None:
        public = {getattr(marketingblocks_async, name) for name in marketingblocks_async.__all__}
        errors = {
            kind
            for kind in public
            if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, Warning)
        }
        assert errors == {*PARENTS, *BESIDES}

    @pytest.mark.parametrize(
        "kind",
        [kind for kind in PARENTS if issubclass(kind, CallError)],
        ids=lambda kind: kind.__name__,
    )
    def test_everything_but_the_message_is_optional(self, kind: type[CallError]) -> None:
        error = kind("what happened")
        assert str(error) == error.message == "what happened"
        assert error.endpoint == ""
        assert error.attempts == 0
        assert error.first_failure is None


def test_the_documentation_shows_the_rule_of_every_status() -> None:
    page = (Path(__file__).parents[1] / "docs" / "concepts" / "outcomes.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| (\dXX|\d{3}) \| ([a-z ]+) \| (.+) \|$", page, re.MULTILINE)
    assert shown == [(status, rule.outcome.value, rule.reason) for status, rule in STATUS_RULES.items()]


class TestMayHaveHappened:
    @pytest.mark.parametrize("kind", [*PARENTS, UnreadableResponseError], ids=lambda kind: kind.__name__)
    def test_only_an_unknown_outcome_may_have_happened(self, kind: type[Exception]) -> None:
        if issubclass(kind, CallError):
            assert kind("x").may_have_happened is issubclass(kind, OutcomeUnknownError)

    def test_so_may_a_call_whose_first_attempt_may_have(self) -> None:
        assert BadRequestError("x", first_failure=OutcomeUnknownError("lost")).may_have_happened
        assert not BadRequestError("x", first_failure=NotSentError("no")).may_have_happened


class TestAttributes:
    def test_an_api_error_holds_what_the_api_said(self) -> None:
        error = BadRequestError(
            "refused",
            status_code=422,
            body=DOCUMENTED_ERROR,
            headers={"X-Request-Id": "1"},
            endpoint="create-post",
            attempts=1,
        )
        assert error.status_code == 422
        assert error.message == "refused"
        assert error.body == DOCUMENTED_ERROR
        assert error.headers["x-request-id"] == "1"
        assert error.endpoint == "create-post"
        assert error.attempts == 1

    def test_headers_are_a_mapping_even_when_there_were_none(self) -> None:
        assert dict(APIError("x").headers) == {}

    def test_a_rate_limit_has_its_status_and_its_wait(self) -> None:
        error = RateLimitError("slow down", retry_after=7.5)
        assert error.status_code == 429
        assert error.retry_after == 7.5
        assert RateLimitError("slow down").retry_after is None

    def test_an_unknown_outcome_holds_what_was_sent(self) -> None:
        assert OutcomeUnknownError("lost", request=REQUEST).request is REQUEST

    def test_an_invalid_response_holds_its_body_and_what_was_sent(self) -> None:
        error = InvalidResponseError("odd", body="<html>", request=REQUEST, status_code=201)
        assert (error.body, error.request, error.status_code) == ("<html>", REQUEST, 201)
        assert InvalidResponseError("odd").status_code == 200


class TestRepr:
    def test_it_shows_what_is_known(self) -> None:
        error = RateLimitError("slow down", retry_after=7.5, endpoint="create-post", attempts=2)
        assert repr(error) == (
            "RateLimitError('slow down', status_code=429, retry_after=7.5, endpoint='create-post', attempts=2)"
        )

    def test_it_shows_whether_it_may_have_happened(self) -> None:
        assert repr(OutcomeUnknownError("lost", endpoint="create-post", attempts=1)).endswith("may_have_happened=True)")

    def test_it_leaves_out_what_is_not_known(self) -> None:
        assert repr(NotSentError("refused")) == "NotSentError('refused')"
        assert repr(ConfigurationError("no token")) == "ConfigurationError('no token')"


class TestText:
    def test_a_single_attempt_is_not_worth_a_word(self) -> None:
        assert str(InternalServerError("failed", attempts=1)) == "failed"

    def test_several_attempts_are_told(self) -> None:
        assert str(InternalServerError("failed", attempts=2)) == "failed (after 2 attempts)"

    def test_the_first_failure_is_told(self) -> None:
        text = str(RateLimitError("slow down", attempts=3, first_failure=first_failure()))
        assert text.startswith("slow down")
        assert "3 attempts" in text
        assert "lost" in text

    def test_a_long_first_failure_is_cut(self) -> None:
        first = InternalServerError("x" * 100_000)
        assert len(str(NotSentError("not sent", first_failure=first))) < 500

    def test_a_chain_of_first_failures_is_short(self) -> None:
        error: CallError = InternalServerError("first")
        for number in range(2000):
            error = InternalServerError(f"number {number}", first_failure=error)
        assert len(str(error)) < 500


@pytest.mark.parametrize("error", full_errors(), ids=error_id)
class TestCrossing:
    @pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
    def test_a_pickle_holds_everything(self, error: MarketingBlocksError, protocol: int) -> None:
        restored = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301 - made here
        assert contents(restored) == contents(error)

    def test_a_note_survives(self, error: MarketingBlocksError) -> None:
        noted = copy.copy(error)
        noted.add_note("row 7")
        assert pickle.loads(pickle.dumps(noted)).__notes__ == ["row 7"]  # noqa: S301 - made here

    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
    def test_a_copy_holds_everything(self, error: MarketingBlocksError, duplicate: Any) -> None:
        assert contents(duplicate(error)) == contents(error)


def test_a_pickle_is_understood_by_a_process_that_has_not_met_the_request_yet() -> None:
    data = pickle.dumps(OutcomeUnknownError("lost", request=REQUEST, first_failure=first_failure()))
    program = f"import pickle; error = pickle.loads({data!r}); print(error.first_failure.request.wire_json().decode())"
    root = Path(marketingblocks_async.__file__).parents[1]
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, capture_output=True, check=True, cwd=root, timeout=60)  # noqa: S603 - own program
    assert json.loads(run.stdout) == REQUEST.wire()


class TestHeaders:
    HEADERS = Headers({"Content-Type": "text/html", "X-Request-Id": "1"})

    @pytest.mark.parametrize("name", ["content-type", "CONTENT-TYPE", "Content-Type"])
    def test_ignore_case(self, name: str) -> None:
        assert self.HEADERS[name] == "text/html"
        assert self.HEADERS.get(name) == "text/html"
        assert name in self.HEADERS

    def test_are_a_mapping_with_the_names_as_they_came(self) -> None:
        assert isinstance(self.HEADERS, Mapping)
        assert dict(self.HEADERS) == {"Content-Type": "text/html", "X-Request-Id": "1"}
        assert len(self.HEADERS) == 2

    @pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
    def test_pickle_and_copy(self, protocol: int) -> None:
        pickled = pickle.loads(pickle.dumps(self.HEADERS, protocol))  # noqa: S301 - made here
        for restored in (pickled, copy.copy(self.HEADERS), copy.deepcopy(self.HEADERS)):
            assert isinstance(restored, Headers)
            assert restored["content-TYPE"] == "text/html"
            assert dict(restored) == dict(self.HEADERS)

    def test_show_themselves(self) -> None:
        assert repr(self.HEADERS) == "Headers({'Content-Type': 'text/html', 'X-Request-Id': '1'})"

    @given(pairs=st.lists(st.tuples(st.sampled_from(["a", "A", "b", "B", "c"]), st.text(max_size=3))))
    def test_hold_every_value_of_every_name(self, pairs: list[tuple[str, str]]) -> None:
        headers = Headers(CIMultiDict(pairs))
        assert len(headers) == len({name.lower() for name, _ in pairs})
        for name, _ in pairs:
            assert headers[name.swapcase()] == ", ".join(value for key, value in pairs if key.lower() == name.lower())


class TestExcerpt:
    @pytest.mark.parametrize("body", ["short", 5, None, {"a": 1}, ["x"]])
    def test_shows_what_is_short_whole(self, body: object) -> None:
        assert excerpt(body) == str(body)

    @pytest.mark.parametrize("length", [1, 10, 300])
    def test_cuts_what_is_long_to_the_length_and_says_so(self, length: int) -> None:
        text = excerpt("x" * 10_000, length)
        assert len(text) == length
        assert text.endswith("…")

    def test_shows_what_is_just_short_enough_whole(self) -> None:
        assert excerpt("x" * 300) == "x" * 300
        assert excerpt("x" * 301) == "x" * 299 + "…"

    def test_is_one_line(self) -> None:
        assert excerpt(" a\r\n\tb \u2028 c\n") == "a b c"

    @given(body=st.text(), length=st.integers(1, 50))
    def test_is_never_longer_than_asked(self, body: str, length: int) -> None:
        assert len(excerpt(body, length)) <= length

    @given(body=st.text(alphabet=" \nab", max_size=400), length=st.integers(1, 20))
    def test_what_shows_no_cut_is_the_whole_text(self, body: str, length: int) -> None:
        text = excerpt(body, length)
        assert text.endswith("…") or text == " ".join(body.split())
