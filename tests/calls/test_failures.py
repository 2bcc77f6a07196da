"""What responses mean: results, errors, outcomes."""

from __future__ import annotations

import json
import pickle
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from marketingblocks_async.calls.call import Call
from marketingblocks_async.calls.failures import classify, failed_by_response, failed_by_sending
from marketingblocks_async.calls.retry import AttemptFailed
from marketingblocks_async.calls.wire import GenericOperation
from marketingblocks_async.endpoints import (
    CONNECT_CHANNEL,
    CREATE_COMMENT_AUTOMATION,
    CREATE_POST,
    CREATE_POST_GENERATION,
    ENDPOINTS,
    FIND_POST,
    GET_POSTS,
    UPCOMING_POSTS,
    UPDATE_COMMENT_AUTOMATION,
    Operation,
)
from marketingblocks_async.errors import (
    STATUS_RULES,
    APIError,
    AuthenticationError,
    BadRequestError,
    CallError,
    ConflictError,
    InternalServerError,
    InvalidResponseError,
    NotFoundError,
    Outcome,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    UnprocessableEntityError,
    UnreadableResponseError,
)
from marketingblocks_async.middleware import DEEPEST_JSON, HttpResponse
from marketingblocks_async.transport.attempt import SendFailure
from tests.support.examples import (
    DOCUMENTED_ERROR,
    DOCUMENTED_FOUND_POST,
    answer,
    decoded,
    nested,
    post,
)

NOW = datetime(2027, 1, 1, 12, 0, 0, tzinfo=UTC)

NOT_JSON = [
    b"",
    b"  \n",
    b"<html><body>502 Bad Gateway</body></html>",
    b'{"post_id": 1',
    b"{} trailing",
    b"{'post_id': 1}",
    b"\0",
    b"\x89PNG\r\n\x1a\n\0\0",
    b'{"message": "\xe9"}',
    b"not json",
    b'{"post_id": ' + b"1" * 5000 + b"}",
]


def error(status: int, body: object = b"", headers: dict[str, str] | None = None) -> APIError:
    operation = GenericOperation(
        name="create-post", method="GET", permission="social-create-post", resend_is_harmless=True
    )
    found = failed_by_response(Call(operation, None, URL(), None), answer(body, status, headers)).error
    assert isinstance(found, APIError)
    return found


def generic(method: str) -> GenericOperation:
    return GenericOperation(name="some/path", method=method, permission=None, resend_is_harmless=False)


class TestDecode:
    @pytest.mark.parametrize("body", NOT_JSON, ids=lambda body: repr(body[:16]))
    def test_a_body_that_is_no_json_is_kept_whole(self, body: bytes) -> None:
        for endpoint in ENDPOINTS:
            with pytest.raises(InvalidResponseError, match=endpoint.name) as caught:
                decoded(endpoint, answer(body))
            assert caught.value.body == body.decode("utf-8", "replace")
            assert caught.value.status_code == 200
            assert caught.value.endpoint == endpoint.name

    def test_an_empty_body_is_called_empty(self) -> None:
        with pytest.raises(InvalidResponseError, match="empty"):
            decoded(CREATE_POST, answer(b""))

    def test_a_body_of_another_shape_is_kept_decoded_and_the_message_names_the_field(self) -> None:
        with pytest.raises(InvalidResponseError, match="up_coming") as caught:
            decoded(UPCOMING_POSTS, answer({"posts": []}))
        assert caught.value.body == {"posts": []}

    def test_a_byte_order_mark_is_fine(self) -> None:
        # The same body is understood when it is an error's; a write was carried out, so it matters here too.
        body = b"\xef\xbb\xbf" + json.dumps(DOCUMENTED_FOUND_POST).encode()
        assert decoded(FIND_POST, answer(body)).post_id == 1246
        assert decoded(CREATE_POST, answer(b'\xef\xbb\xbf{"post_id": 1}')).post_id == 1

    def test_a_caption_that_the_server_cut_in_the_middle_of_an_emoji_does_not_hide_the_posts(self) -> None:
        body = rb'[{"post_id": 1, "caption_text": "cut \ud83d"}, {"post_id": 2}]'
        assert [found.post_id for found in decoded(GET_POSTS, answer(body))] == [1, 2]

    @pytest.mark.parametrize("status", [True, 1, "failed", "queued", "draft", "success", "ok", None, "", []])
    def test_other_statuses_are_no_errors(self, status: object) -> None:
        assert decoded(CREATE_POST, answer({"status": status, "post_id": 1})).post_id == 1
        assert decoded(CREATE_POST, answer({"success": status, "post_id": 1})).post_id == 1

    @pytest.mark.parametrize("name", ["status", "success"])
    @pytest.mark.parametrize("value", [False, 0, 0.0, "false", "False", "0", "error", "ERROR", "fail"])
    def test_a_success_status_with_a_denial_in_the_body_is_an_error(self, name: str, value: object) -> None:
        for operation in (*ENDPOINTS, generic("POST"), generic("GET")):
            bodies: list[dict[str, Any]] = [
                {name: value},
                {"post": {}, "up_coming": [], "message": "no", name: value},
            ]
            for body in bodies:
                with pytest.raises(APIError) as caught:
                    decoded(operation, answer(body))
                assert type(caught.value) is APIError
                assert not caught.value.may_have_happened

    @pytest.mark.parametrize("body", [DOCUMENTED_ERROR, {"status": False}, {"status": False, "post": {}}])
    def test_a_status_of_false_is_an_error_in_spite_of_the_200(self, body: dict[str, Any]) -> None:
        for endpoint in ENDPOINTS:
            with pytest.raises(APIError) as caught:
                decoded(endpoint, answer(body, headers={"X-Request-Id": "1"}))
            assert type(caught.value) is APIError
            assert caught.value.status_code == 200
            assert caught.value.body == body
            assert caught.value.headers["x-request-id"] == "1"
            assert body.get("message", "false").removesuffix(".") in str(caught.value)

    @pytest.mark.parametrize(
        ("operation", "ids"),
        [
            (CREATE_POST, {"post_id": 1}),
            (CREATE_POST, {"data": {"id": "1"}}),
            (CREATE_POST_GENERATION, {"id": "1"}),
            (CREATE_COMMENT_AUTOMATION, {"comment_bot_id": 1}),
            (CONNECT_CHANNEL, {"connect_token": "t"}),
        ],
        ids=str,
    )
    def test_a_denial_with_the_id_of_what_was_created_is_unknown(
        self, operation: Operation[Any], ids: dict[str, Any]
    ) -> None:
        for denial in ({"status": False}, {"success": 0}, {"status": "error"}):
            with pytest.raises(UnreadableResponseError, match="says that the call failed, and has the") as caught:
                decoded(operation, answer({**denial, **ids}))
            assert caught.value.may_have_happened

    @pytest.mark.parametrize("operation", [FIND_POST, UPDATE_COMMENT_AUTOMATION, generic("POST"), generic("GET")])
    def test_an_id_that_the_caller_gave_says_nothing(self, operation: Operation[Any]) -> None:
        with pytest.raises(APIError) as caught:
            decoded(operation, answer({"status": False, "id": 1, "comment_bot_id": 1, "post": {"post_id": 1}}))
        assert not caught.value.may_have_happened

    @pytest.mark.parametrize(
        "body",
        [
            {"error": "quota exceeded"},
            {"errors": {"caption_text": ["too long"]}},
            {"code": 400, "message": "no"},
            {"status": 422},
            {"status": "500"},
            {"status": True, "error": "x", "post": {}},
        ],
    )
    def test_a_success_of_a_create_without_an_id_but_with_an_error_is_unknown(self, body: dict[str, Any]) -> None:
        for operation in (CREATE_POST, CREATE_COMMENT_AUTOMATION):
            with pytest.raises(UnreadableResponseError, match="has no id of what it creates, and says") as caught:
                decoded(operation, answer(body))
            assert caught.value.may_have_happened
        # What is read or may be repeated, and what has an id, is what its status says.
        assert decoded(UPDATE_COMMENT_AUTOMATION, answer(body)).raw == body
        assert decoded(GET_POSTS, answer({**body, "posts": []})).raw == {**body, "posts": []}
        assert decoded(CREATE_POST, answer({**body, "post": {"post_id": 1}})).post_id == 1

    @pytest.mark.parametrize("body", [False, 0, "false", "Error", "fail"])
    def test_a_success_of_a_create_that_is_a_bare_denial_is_unknown(self, body: object) -> None:
        for operation in (CREATE_POST, CREATE_COMMENT_AUTOMATION):
            with pytest.raises(UnreadableResponseError, match="it has no id of what it creates, and is") as caught:
                decoded(operation, answer(body))
            assert caught.value.may_have_happened
        assert decoded(UPDATE_COMMENT_AUTOMATION, answer(body)).raw == body

    @pytest.mark.parametrize(
        "body",
        [{}, {"status": 200}, {"error": None, "errors": []}, {"code": "9" * 5000}, {"code": 399}, [], None, True, "ok"],
    )
    def test_any_other_shape_of_a_success_is_one(self, body: object) -> None:
        assert decoded(CREATE_POST, answer(body)).post_id is None

    def test_a_status_of_false_deeper_in_the_answer_is_none_of_our_business(self) -> None:
        body = {"post": {"post_id": 1, "status": False}, "status": True}
        assert decoded(FIND_POST, answer(body)).post_id == 1


class TestGenericOperation:
    @pytest.mark.parametrize("value", [None, True, 5, "x", [], {}, {"a": [1]}, {"status": True}, [{"status": False}]])
    def test_returns_the_json_value(self, value: object) -> None:
        assert decoded(generic("GET"), answer(value)) == value

    @pytest.mark.parametrize(("status", "method"), [(204, "DELETE"), (200, "HEAD"), (204, "GET")])
    def test_returns_none_where_no_body_is_to_be_expected(self, status: int, method: str) -> None:
        assert decoded(generic(method), answer(b"", status)) is None

    @pytest.mark.parametrize("body", NOT_JSON, ids=lambda body: repr(body[:16]))
    def test_a_body_that_is_no_json_is_kept_whole(self, body: bytes) -> None:
        with pytest.raises(InvalidResponseError, match="some/path") as caught:
            decoded(generic("POST"), answer(body))
        assert caught.value.body == body.decode("utf-8", "replace")

    def test_a_status_of_false_is_an_error(self) -> None:
        with pytest.raises(APIError, match="expired"):
            decoded(generic("POST"), answer(DOCUMENTED_ERROR))

    def test_a_byte_order_mark_is_fine(self) -> None:
        assert decoded(generic("GET"), answer(b"\xef\xbb\xbf[1]")) == [1]

    @pytest.mark.parametrize("depth", [100, 900, 1000, 5000, 100_000])
    @pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
    def test_no_depth_of_nesting_crashes(self, opening: str, closing: str, depth: int) -> None:
        try:
            value = decoded(generic("GET"), answer(nested(opening, closing, depth)))
        except InvalidResponseError as refused:
            assert len(str(refused)) < 1000  # noqa: PT017 - either way out is fine
        else:
            assert isinstance(value, list | dict)


class TestClassify:
    @pytest.mark.parametrize(
        ("statuses", "outcome"),
        [
            ((425, 429), Outcome.REFUSED),
            ((300, 301, 302, 303, 304, 305, 306, 399, 408), Outcome.UNKNOWN),
            ((100, 101, 199, 500, 501, 502, 503, 504, 505, *range(520, 528), 529, 530, 599, 600, 999), Outcome.UNKNOWN),
            ((200, 307, 308), Outcome.FINAL),
            ((400, 401, 402, 403, 404, 405, 409, 410, 413, 418, 421, 422, 431, 451, 499), Outcome.FINAL),
        ],
    )
    def test_says_what_may_have_happened(self, statuses: tuple[int, ...], outcome: Outcome) -> None:
        assert {status: classify(status) for status in statuses} == dict.fromkeys(statuses, outcome)

    @given(status=st.integers(300, 999))
    def test_only_what_cannot_follow_a_beginning_is_rejected_before_processing(self, status: int) -> None:
        assert (classify(status) is Outcome.REFUSED) is (status in (425, 429))
        if status >= 500:
            assert classify(status) is Outcome.UNKNOWN

    @given(status=st.integers(300, 999))
    def test_nothing_that_may_have_arrived_was_rejected_before_processing(self, status: int) -> None:
        assert classify(status, may_have_arrived=True) is not Outcome.REFUSED

    def test_every_rule_has_a_reason(self) -> None:
        assert all(re.fullmatch(r"[2-5](\d\d|XX)", status) for status in STATUS_RULES)
        assert all(rule.reason.endswith(".") for rule in STATUS_RULES.values())


class TestWrites:
    """What responses to a create mean."""

    def failed(self, status: int, body: object = b"", **headers: str) -> AttemptFailed:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return failed_by_response(Call(CREATE_POST, post(), URL(), None), answer(body, status, named))

    @pytest.mark.parametrize("status", [301, 302, 303, 408, *range(500, 506), *range(520, 528), 529, 530])
    @pytest.mark.parametrize("headers", [{}, {"Retry_After": "1"}])
    def test_that_may_come_after_the_work_leave_the_outcome_unknown(self, status: int, headers: dict[str, str]) -> None:
        failed = self.failed(status, **headers)
        assert failed.outcome is Outcome.UNKNOWN
        assert isinstance(failed.error, OutcomeUnknownError)
        assert failed.error.may_have_happened
        assert failed.error.request == post()
        assert failed.pauses_token is (status == 503 and bool(headers))

    @pytest.mark.parametrize("body", [b"", b"Too Many Requests", DOCUMENTED_ERROR])
    def test_a_429_is_rejected_before_processing(self, body: object) -> None:
        failed = self.failed(429, body, Retry_After="1", Server="cloudflare", Via="1.1 varnish")
        assert failed.outcome is Outcome.REFUSED
        assert failed.pauses_token
        assert isinstance(failed.error, RateLimitError)
        assert not failed.error.may_have_happened

    @pytest.mark.parametrize(
        ("body", "headers"),
        [
            (b"<!DOCTYPE html><title>429</title>", {}),
            (b"\n <html>slow down</html>", {}),
            (b"slow down", {"Content_Type": "text/html; charset=utf-8"}),
            (DOCUMENTED_ERROR, {"Proxy_Status": "edge; error=http_response_timeout"}),
            (DOCUMENTED_ERROR, {"x_envoy_attempt_count": "2"}),
        ],
    )
    def test_a_429_that_was_made_in_front_of_the_api_proves_nothing(
        self, body: object, headers: dict[str, str]
    ) -> None:
        failed = self.failed(429, body, Retry_After="1", **headers)
        assert failed.outcome is Outcome.UNKNOWN
        assert failed.pauses_token
        assert isinstance(failed.error, OutcomeUnknownError)
        assert isinstance(failed.error.__cause__, RateLimitError)

    @pytest.mark.parametrize("headers", [{"Proxy_Status": "edge; received-status=429"}, {"x_envoy_attempt_count": "1"}])
    def test_a_proxy_that_only_passed_a_429_on_changes_nothing(self, headers: dict[str, str]) -> None:
        assert self.failed(429, DOCUMENTED_ERROR, **headers).outcome is Outcome.REFUSED

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_firewall_s_page_does_not_blame_the_token(self, status: int) -> None:
        page = b"<html><head><title>Access denied</title></head><body>Blocked by the web firewall</body></html>"
        failed = self.failed(status, page, Content_Type="text/html")
        assert isinstance(failed.error, PermissionDeniedError | AuthenticationError)
        text = str(failed.error)
        assert "not a response of the API" in text
        assert "firewall" in text
        assert "lacks" not in text
        assert "permission" not in text

    @pytest.mark.parametrize("status", [400, 402, 403, 405, 410, 413, 422])
    def test_a_page_in_front_of_the_api_does_not_blame_the_content(self, status: int) -> None:
        failed = self.failed(status, b"<!DOCTYPE html><h1>Back soon</h1>")
        assert isinstance(failed.error, APIError)
        assert failed.error.made_in_front
        assert failed.outcome is Outcome.FINAL
        assert "says nothing about the access token or the content" in str(failed.error)
        assert "change it" not in str(failed.error)

    def test_a_page_with_404_says_what_is_most_likely(self) -> None:
        error = self.failed(404, b"<html>Not found</html>").error
        assert isinstance(error, NotFoundError)
        assert error.made_in_front
        assert "base_url" in str(error)

    @pytest.mark.parametrize("status", [200, 307, 400, 404, 409, 421, 422, 425, 429])
    def test_a_refusal_of_a_create_behind_a_proxy_that_tried_twice_proves_nothing(self, status: int) -> None:
        """It may have been refused as a repetition of the first try, which was carried out."""
        failed = self.failed(status, DOCUMENTED_ERROR, x_envoy_attempt_count="2")
        assert failed.outcome is Outcome.UNKNOWN
        assert isinstance(failed.error, OutcomeUnknownError)
        cause = failed.error.__cause__
        assert isinstance(cause, APIError)
        assert not cause.made_in_front

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_proxy_that_tries_twice_has_one_token(self, status: int) -> None:
        assert self.failed(status, DOCUMENTED_ERROR, x_envoy_attempt_count="2").outcome is Outcome.FINAL

    @pytest.mark.parametrize("operation", [FIND_POST, UPDATE_COMMENT_AUTOMATION])
    def test_a_refusal_of_what_may_be_repeated_is_one_behind_any_proxy(self, operation: Operation[Any]) -> None:
        response = answer(DOCUMENTED_ERROR, 422, {"x-envoy-attempt-count": "2"})
        failed = failed_by_response(Call(operation, None, URL(), None), response)
        assert isinstance(failed.error, UnprocessableEntityError)
        assert not failed.error.made_in_front
        assert "the API refused the content of the request" in str(failed.error)

    @pytest.mark.parametrize("body", [b"<html>", DOCUMENTED_ERROR])
    def test_who_made_a_refusal_survives_pickling(self, body: object) -> None:
        error: Any = self.failed(403, body).error
        restored: Any = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
        assert restored.made_in_front is error.made_in_front is (body == b"<html>")

    @pytest.mark.parametrize("body", [b"", b"no JSON", b'"text', b"[" * 300])
    def test_an_unreadable_success_is_an_unknown_outcome(self, body: bytes) -> None:
        for endpoint in ENDPOINTS:
            call = Call(endpoint, "what was sent", URL(), None)
            error = failed_by_response(call, answer(body), ValueError("no JSON")).error
            assert isinstance(error, InvalidResponseError)
            is_write = endpoint.method != "GET"
            assert isinstance(error, OutcomeUnknownError) is isinstance(error, UnreadableResponseError) is is_write
            assert error.may_have_happened is is_write
            assert error.request == "what was sent"


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, BadRequestError),
            (409, ConflictError),
            (422, UnprocessableEntityError),
            (401, AuthenticationError),
            (403, PermissionDeniedError),
            (404, NotFoundError),
            (429, RateLimitError),
            (500, InternalServerError),
            (503, InternalServerError),
            (599, InternalServerError),
            (302, APIError),
            (402, APIError),
            (418, APIError),
        ],
    )
    def test_the_class_follows_the_status(self, status: int, kind: type[APIError]) -> None:
        found = error(status, DOCUMENTED_ERROR, {"X-Request-Id": "1"})
        assert type(found) is kind
        assert found.status_code == status
        assert found.body == DOCUMENTED_ERROR
        assert found.endpoint == "create-post"
        assert found.headers["X-REQUEST-ID"] == "1"
        assert "create-post" in str(found)
        assert str(status) in str(found)
        assert f"{status}: Access token has expired or is invalid" in str(found)
        assert "invalid. -" not in str(found)

    @pytest.mark.parametrize("status", [401, 403])
    def test_missing_rights_name_the_permission(self, status: int) -> None:
        for endpoint in ENDPOINTS:
            text = str(failed_by_response(Call(endpoint, None, URL(), None), answer(b"", status)).error)
            assert f"'{endpoint.permission}'" in text
            assert "API Tokens" in text

    @pytest.mark.parametrize("status", [401, 403])
    def test_missing_rights_on_an_undocumented_path_name_none(self, status: int) -> None:
        text = str(failed_by_response(Call(generic("GET"), None, URL(), None), answer(b"", status)).error)
        assert "permission" in text
        assert "None" not in text

    @pytest.mark.parametrize(
        ("status", "headers", "word"),
        [
            (400, {}, "change"),
            (422, {}, "change"),
            (404, {}, "base_url"),
            (429, {"Retry-After": "7"}, "7 s"),
            (429, {}, "rate limit"),
            (301, {"location": "https://elsewhere.example/x"}, "https://elsewhere.example/x"),
            (302, {}, "base_url"),
            (429, {}, "wait, or share the limit between your programs"),
        ],
    )
    def test_says_what_to_do(self, status: int, headers: dict[str, str], word: str) -> None:
        assert word in str(error(status, b"", headers))

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_only_a_read_is_to_be_called_again_after_the_api_failed(self, status: int) -> None:
        read, write = (
            failed_by_response(Call(operation, None, URL(), None), answer({"message": "Broken."}, status)).error
            for operation in (GET_POSTS, CREATE_POST)
        )
        assert str(read).endswith("Broken - the API, or something in front of it, failed; call again later")
        assert "call again" not in str(write)
        assert "call again" not in str(write.__cause__)

    @pytest.mark.parametrize(("cause", "checks"), [(OSError("refused"), True), (None, False)])
    def test_what_was_not_sent_can_be_called_again(self, cause: Exception | None, *, checks: bool) -> None:
        failure = SendFailure(Outcome.NOT_SENT, "why")
        failure.__cause__ = cause
        text = str(failed_by_sending(Call(CREATE_POST, None, URL(), None), failure, "why").error)
        assert "not sent: why; nothing reached the API, so it can be called again" in text
        assert ("check the network, the proxy and base_url" in text) is checks

    def test_what_was_refused_before_has_reached_the_api(self) -> None:
        call = Call(CREATE_POST, None, URL(), None)
        call.response = answer({"message": "Slow down."}, 429)
        text = str(failed_by_sending(call, SendFailure(Outcome.NOT_SENT, "why"), "why").error)
        assert text.endswith("not sent again: why; nothing was carried out, so it can be called again")

    @pytest.mark.parametrize(("value", "seconds"), [("7", 7.0), ("0.5", 0.5), ("garbage", None), (None, None)])
    def test_a_429_knows_how_long_to_wait(self, value: str | None, seconds: float | None) -> None:
        found = error(429, b"", {} if value is None else {"retry-after": value})
        assert isinstance(found, RateLimitError)
        assert found.retry_after == seconds

    @pytest.mark.parametrize(
        ("body", "shown"),
        [
            ({"message": "Too short"}, "Too short"),
            ({"error": "invalid_token"}, "invalid_token"),
            ({"error": {"message": "Too short", "code": 7}}, "Too short"),
            ({"message": {"caption_text": "Too short"}}, "Too short"),
            ({"message": "Invalid", "errors": {"caption_text": ["Too short", "Too dull"]}}, "Too dull"),
            ({"message": "", "errors": ["Too short"]}, "Too short"),
            ({"errors": {"caption_text": ["é"]}}, "é"),
            ({"detail": "Too short"}, "Too short"),
            (["Too short"], "Too short"),
            ("Too short", "Too short"),
            (b"Too short", "Too short"),
            (b"<html><h1>Too short</h1></html>", "Too short"),
            (b'\xef\xbb\xbf{"message": "Too short"}', "Too short"),
        ],
    )
    def test_shows_the_api_s_own_reason_wherever_it_is(self, body: object, shown: str) -> None:
        assert shown in str(error(400, body))

    @pytest.mark.parametrize("body", [b"", None, b"  \n"])
    def test_without_a_reason_the_message_ends_well(self, body: object) -> None:
        assert str(error(418, body)) == "create-post: 418"

    @pytest.mark.parametrize(
        "body",
        [
            {"message": "x" * 100_000},
            {"errors": {str(number): ["x"] for number in range(10_000)}},
            ["x"] * 100_000,
            b"<html>" + b"x" * 100_000,
            b"\xff\x00" * 100_000,
            "x" * 100_000,
        ],
        ids=["message", "errors", "array", "html", "binary", "text"],
    )
    def test_a_long_body_is_cut_in_the_message_and_whole_on_the_attribute(self, body: object) -> None:
        found = error(400, body)
        assert len(str(found)) < 500
        assert "…" in str(found)
        assert found.body == (body.decode("utf-8", "replace") if isinstance(body, bytes) else body)

    @pytest.mark.parametrize("gap", [b" ", b"\n", b"\t", b" \r\n  "])
    def test_a_message_that_was_cut_says_so_also_when_what_it_shows_is_short(self, gap: bytes) -> None:
        text = str(error(502, b"<html>" + gap * 2000 + b"<p>the reason</p></html>"))
        assert "…" in text or "the reason" in text

    @pytest.mark.parametrize(
        "body",
        [
            b"\x1b[2J\x1b]0;title\x07gone",
            b"a\0b",
            b"line\r\nline\x08\x7f",
            {"message": "\x1b[31mred"},
            {"message": "a\u202eb"},
            {"errors": {"a": ["\x9b31m"]}},
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        ],
        ids=repr,
    )
    def test_a_message_is_one_line_that_does_no_harm_to_a_terminal(self, body: object) -> None:
        for found in (error(400, body), error(502, body)):
            assert str(found).isprintable()

    @pytest.mark.parametrize(
        "body", [rb'{"message": "cut \ud83d"}', rb'{"errors": {"a": "\udc00"}}', rb'["\ud83d"]', rb'"\ud83d"']
    )
    def test_a_message_can_always_be_printed(self, body: bytes) -> None:
        str(error(400, body)).encode()

    def test_the_address_of_a_redirect_is_shown_harmlessly(self) -> None:
        text = str(error(302, b"", {"Location": "https://x/\x1b[2J\n" + "y" * 5000}))
        assert text.isprintable()
        assert len(text) < 500

    @pytest.mark.parametrize("depth", [100, 490, 500, 985, 1000, 100_000])
    @pytest.mark.parametrize("around", [b"%s", b'{"message":%s}', b'{"errors":%s}', b'{"x":%s}'])
    @pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
    def test_no_depth_of_nesting_crashes(self, opening: str, closing: str, around: bytes, depth: int) -> None:
        found = error(400, around % nested(opening, closing, depth))
        assert len(str(found)) < 1000

    @pytest.mark.parametrize("depth", [100, 490, 900, 2000, 9000, 100_000])
    def test_an_error_pickles_however_deep_its_body_is(self, depth: int) -> None:
        found = error(400, nested("[", "]", depth))
        restored: Any = pickle.loads(pickle.dumps(found))  # noqa: S301 - made here
        assert str(restored) == str(found)

    @given(body=st.binary(max_size=200), status=st.integers(300, 599))
    @settings(max_examples=100)
    def test_any_body_becomes_an_error_that_names_the_call(self, body: bytes, status: int) -> None:
        found = error(status, body)
        assert isinstance(found, CallError)
        assert str(found).startswith(f"create-post: {status}")


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a": ', "}")])
def test_what_is_nested_too_deeply_to_be_pickled_is_refused(opening: str, closing: str) -> None:
    def response(depth: int) -> HttpResponse:
        return HttpResponse(200, {}, (opening * depth + "1" + closing * depth).encode())

    assert pickle.loads(pickle.dumps(response(DEEPEST_JSON - 1).json()))  # noqa: S301 - our own words
    with pytest.raises(ValueError, match="nested deeper"):
        response(DEEPEST_JSON + 1).json()
