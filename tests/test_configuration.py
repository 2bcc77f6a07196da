"""Token, API root and timeouts: what is accepted, what is refused with which words, and that no secret shows."""

from __future__ import annotations

import copy
import logging
import math
import pickle
import pprint
import re
import traceback
from dataclasses import make_dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from marketingblocks_async.configuration import (
    BASE_URL_VARIABLE,
    TOKEN_VARIABLE,
    Secret,
    check_seconds,
    check_url,
    resolve_base_url,
    resolve_token,
)
from marketingblocks_async.endpoints import DEFAULT_BASE_URL
from marketingblocks_async.errors import ConfigurationError

TOKEN = "mb_live_0123456789abcdef"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction] - autouse
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    monkeypatch.delenv(BASE_URL_VARIABLE, raising=False)


def refused_token(token: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        resolve_token(token)
    return str(caught.value)


def refused_url(url: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        resolve_base_url(url)
    return str(caught.value)


class TestToken:
    @pytest.mark.parametrize("token", ["a", TOKEN, "1|AbC~._-+/=", "a" * 10_000, "***"])
    def test_visible_ascii_is_accepted_as_it_is(self, token: str) -> None:
        assert str(resolve_token(token)) == token

    def test_comes_from_the_environment_when_none_is_given(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
        assert str(resolve_token(None)) == TOKEN
        assert str(resolve_token("given")) == "given"

    def test_the_environment_variable_is_the_documented_one(self) -> None:
        assert TOKEN_VARIABLE == "MARKETINGBLOCKS_API_TOKEN"
        assert BASE_URL_VARIABLE == "MARKETINGBLOCKS_BASE_URL"

    def test_a_missing_one_says_both_ways_to_give_one(self) -> None:
        text = refused_token(None)
        assert "token=" in text
        assert TOKEN_VARIABLE in text

    @pytest.mark.parametrize("token", ["", " ", "\t\n", "\u00a0"])
    def test_a_blank_one_says_where_tokens_are_made(self, token: str) -> None:
        text = refused_token(token)
        assert "blank" in text
        assert "API Tokens" in text

    @pytest.mark.parametrize("token", [f"{TOKEN}\n", f" {TOKEN}", f"{TOKEN}\r\n", f"\t{TOKEN} "])
    def test_white_space_around_it_is_named(self, token: str) -> None:
        assert "beginning or end" in refused_token(token)

    @pytest.mark.parametrize(
        "token",
        [
            "mb_0123 456789",
            "mb_0123\0",
            "mb_0123\x7f",
            "mb_\x1b[31m",
            "mb_0123\r\nX-Evil: 1",
            "mb_tökén",
            "mb_\ud83d",
            "\ufeffmb_0123",
        ],
    )
    def test_what_cannot_be_a_header_is_refused_without_being_shown(self, token: str) -> None:
        text = refused_token(token)
        assert "copy the token again" in text
        assert token not in text
        assert "mb_" not in text

    @pytest.mark.parametrize("token", [b"mb_0123", 4711, True, ["mb_0123"], {"token": "mb_0123"}])
    def test_what_is_no_text_is_refused_by_its_type_without_being_shown(self, token: object) -> None:
        text = refused_token(token)
        assert type(token).__name__ in text
        assert "mb_0123" not in text
        assert "4711" not in text

    @pytest.mark.parametrize("value", ["", "mb_0123\n"])
    def test_a_bad_one_in_the_environment_is_blamed_on_the_environment(
        self, value: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(TOKEN_VARIABLE, value)
        text = refused_token(None)
        assert TOKEN_VARIABLE in text
        assert "mb_0123" not in text

    @given(token=st.text(min_size=8))
    @settings(max_examples=200)
    def test_any_text_is_accepted_as_it_is_or_refused_without_being_shown(self, token: str) -> None:
        try:
            accepted = resolve_token(token)
        except ConfigurationError as error:
            assert token not in str(error)  # noqa: PT017 - the other way out is below
        else:
            assert str(accepted) == token
            assert token.isascii()
            assert token.isprintable()


class TestSecret:
    def test_is_the_token_where_it_is_used(self) -> None:
        secret = resolve_token(TOKEN)
        assert secret == TOKEN
        assert f"Bearer {secret}" == f"Bearer {TOKEN}"
        assert secret.encode() == TOKEN.encode()

    def test_shows_stars_wherever_python_shows_it_by_itself(self) -> None:
        secret = Secret(TOKEN)
        shown = [
            repr(secret),
            ascii(secret),
            repr([secret, (secret,), {secret: secret}, {secret}]),
            f"{[secret]} {secret!r} {secret!a}",
            "{!r} {}".format(secret, [secret]),  # noqa: UP032 - another way to format
            "%r %s" % (secret, [secret]),  # noqa: UP031 - another way to format
            pprint.pformat({"token": secret}),
            pprint.pformat({"token": Secret(f"{TOKEN} " * 40)}),
            repr(make_dataclass("Holder", ["token"])(secret)),
            repr(KeyError(secret)),
        ]
        for text in shown:
            assert "***" in text
            assert TOKEN not in text

    def test_does_not_show_in_a_traceback_with_local_variables(self) -> None:
        def fail(token: Secret) -> None:
            headers = {"Authorization": token}
            raise RuntimeError(len(headers))

        try:
            fail(Secret(TOKEN))
        except RuntimeError as error:
            rendered = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
            assert "***" in rendered
            assert TOKEN not in rendered

    def test_does_not_show_in_the_log_of_a_container(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            logging.getLogger("test").debug("sending %s", {"Authorization": Secret(TOKEN)})
        assert "***" in caplog.text
        assert TOKEN not in caplog.text

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_is_not_pickled_alone_or_inside_something(self, protocol: int) -> None:
        for holder in (Secret(TOKEN), [Secret(TOKEN)], {"token": Secret(TOKEN)}):
            with pytest.raises(TypeError, match="not pickled") as caught:
                pickle.dumps(holder, protocol)
            assert TOKEN not in str(caught.value)

    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
    def test_a_copy_is_a_secret_as_well_or_refused(self, duplicate: Any) -> None:
        try:
            copied = duplicate({"token": Secret(TOKEN)})["token"]
        except TypeError as error:
            assert TOKEN not in str(error)  # noqa: PT017 - either way out is fine
        else:
            assert type(copied) is Secret


class TestBaseUrl:
    def test_is_the_documented_one_by_default(self) -> None:
        assert resolve_base_url(None) == DEFAULT_BASE_URL

    def test_comes_from_the_environment_when_none_is_given(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(BASE_URL_VARIABLE, "https://other.example/api/")
        assert resolve_base_url(None) == "https://other.example/api"
        assert resolve_base_url("https://given.example/a") == "https://given.example/a"

    @pytest.mark.parametrize(
        "value", ["", "http://other.example", "other.example", "https://u:secret-word@other.example"]
    )
    def test_a_bad_one_in_the_environment_is_blamed_on_the_environment(
        self, value: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(BASE_URL_VARIABLE, value)
        text = refused_url(None)
        assert BASE_URL_VARIABLE in text
        assert "secret-word" not in text

    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("https://a.example", "https://a.example/api/v1"),
            ("https://a.example/", "https://a.example/api/v1"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/api/v1"),
            ("https://a.example/api/v1/", "https://a.example/api/v1"),
            ("https://a.example/api//", "https://a.example/api"),
            ("https://a.example:8443/api", "https://a.example:8443/api"),
            (" https://a.example/api ", "https://a.example/api"),
            ("https://192.0.2.1/api", "https://192.0.2.1/api"),
            ("https://[2001:db8::1]:8443/api", "https://[2001:db8::1]:8443/api"),
            ("https://xn--bcher-kva.example/api", "https://xn--bcher-kva.example/api"),
            ("https://a.example/a%20b", "https://a.example/a%20b"),
            ("https://a.example.:8443/api", "https://a.example:8443/api"),
            ("https://bücher.example./api", "https://xn--bcher-kva.example/api"),
            ("http://localhost.:8080/api", "http://localhost:8080/api"),
        ],
    )
    def test_https_goes_anywhere_and_without_a_path_to_the_documented_one(self, url: str, expected: str) -> None:
        assert resolve_base_url(url) == expected

    @pytest.mark.parametrize("url", ["HTTPS://A.Example/Api", "HtTpS://a.EXAMPLE/Api"])
    def test_scheme_and_host_may_be_in_upper_case(self, url: str) -> None:
        resolved = URL(resolve_base_url(url))
        assert (resolved.scheme, resolved.host, resolved.path) == ("https", "a.example", "/Api")

    @pytest.mark.parametrize(
        "host",
        ["localhost", "LOCALHOST", "127.9.8.7", "[::1]", "[0:0:0:0:0:0:0:1]"],
    )
    @pytest.mark.parametrize("rest", ["", ":8080/api"])
    def test_plain_http_goes_to_loopback_addresses(self, host: str, rest: str) -> None:
        resolved = URL(resolve_base_url(f"http://{host}{rest}"))
        assert resolved.scheme == "http"
        assert resolved.host == URL(f"http://{host}").host

    @pytest.mark.parametrize(
        "host",
        [
            "app.marketingblocks.ai",
            "0.0.0.0",  # noqa: S104 - a host that is refused
            "[::]",
            "[2001:db8::1]",
            "[fe80::1]",
            "127.0.0.1.example",
            "localhost%2eexample",
            "2130706433",
            "0x7f.1",
        ],
    )
    def test_plain_http_to_anywhere_else_is_refused_with_the_reason(self, host: str) -> None:
        text = refused_url(f"http://{host}/api")
        assert "unencrypted" in text
        assert "https" in text

    @pytest.mark.parametrize(
        "url",
        [
            "",
            " ",
            "a.example",
            "a.example/api",
            "//a.example",
            "/api",
            "https:",
            "https://",
            "https:///api",
            "https:a.example",
            "ftp://a.example",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "ws://localhost",
            "https://[::1",
            "https://a.example:port",
            "https://a.example:99999",
            "https://a.example:-1",
            "https://./api",
        ],
    )
    def test_what_is_no_web_address_is_refused(self, url: str) -> None:
        assert "base_url" in refused_url(url)

    @pytest.mark.parametrize("host", ["a..b", ".a.example", "a.example..", "a" * 64, f"api.{'b' * 64}.example"])
    def test_a_host_that_cannot_be_looked_up_is_refused(self, host: str) -> None:
        assert "correct the host name" in refused_url(f"https://{host}/api/v1")

    @pytest.mark.parametrize("url", [b"https://a.example", 5, ["https://a.example"], True])
    def test_what_is_no_text_is_refused(self, url: object) -> None:
        assert "base_url" in refused_url(url)

    @pytest.mark.parametrize(
        "url", ["https://a.example?q=1", "https://a.example/api?token=x", "https://a.example/#top"]
    )
    def test_query_and_fragment_are_refused(self, url: str) -> None:
        text = refused_url(url)
        assert "query" in text
        assert "fragment" in text

    @pytest.mark.parametrize(
        "url",
        [
            "https://user:secret-word@a.example",
            "https://secret-word@a.example/api",
            "https://:secret-word@a.example",
            "http://user:secret-word@127.0.0.1",
            "http://127.0.0.1:secret-word@a.example",
            "https://user:secret-word@a.example:port",
            "https://user:secret-word@[::1",
            "ftp://user:secret-word@a.example",
            "http://user:secret-word@a.example",
            "https://user:secret-word@a.example?q=1",
        ],
    )
    def test_a_password_is_refused_and_never_shown(self, url: str) -> None:
        assert "secret-word" not in refused_url(url)

    @pytest.mark.parametrize(
        "url", ["http://localhost\\.example", "http://127.0.0.1\\@a.example", "http://a.example#@127.0.0.1"]
    )
    def test_a_disguised_public_host_is_refused(self, url: str) -> None:
        assert "base_url" in refused_url(url)

    @pytest.mark.parametrize("url", ["https://b\u00fccher.example/api", "https://a.example/\u00e9"])
    def test_an_international_address_is_brought_into_the_form_that_goes_out_or_refused(self, url: str) -> None:
        try:
            resolved = resolve_base_url(url)
        except ConfigurationError:
            return
        assert resolved.isascii()

    @pytest.mark.parametrize(
        "url",
        [
            "https://a b.example",
            "https://a.example/a b",
            "https://a.example/a\nb",
            "https://a\n.example",
            "https://a.example/\0",
            "https://a.example/\x7f",
            "https://a.example\\",
            "https://a.example/../x",
            "https://\ud83d.example",
            "https://a.example/\ud83d",
        ],
    )
    def test_an_address_that_is_malformed_is_refused_or_repaired(self, url: str) -> None:
        try:
            resolved = resolve_base_url(url)
        except ConfigurationError:
            return
        assert resolved == str(URL(resolved))
        assert re.fullmatch(r"https://[a-z.]+(/[a-z%0-9]+)*", resolved)

    @given(text=st.text(max_size=30))
    @settings(max_examples=300)
    def test_any_text_is_refused_or_leads_where_a_token_may_go(self, text: str) -> None:
        for url in (text, f"http://{text}", f"http://localhost{text}", f"https://a.example{text}"):
            try:
                resolved = check_url(url, "base_url")
            except ConfigurationError:
                continue
            parsed = URL(resolved, encoded=True)
            host = parsed.raw_host or ""
            assert parsed.scheme == "https" or re.fullmatch(r"(?:.+\.)?localhost|127\.[0-9.]+|::1", host)
            assert parsed.user is None
            assert not resolved.endswith("/")


class TestSeconds:
    @pytest.mark.parametrize("value", [1, 0.5, 1e-9, 86400, 1e9])
    def test_a_number_above_zero_is_accepted(self, value: float) -> None:
        assert check_seconds(value, "timeout") == value
        assert type(check_seconds(value, "timeout")) is float

    @pytest.mark.parametrize(
        "value", [0, -1, -0.5, math.nan, math.inf, -math.inf, True, False, None, "30", Decimal(30), [30], 1j]
    )
    def test_everything_else_is_refused_with_the_setting_and_the_value(self, value: object) -> None:
        with pytest.raises(ConfigurationError) as caught:
            check_seconds(value, "timeout")
        assert "timeout=" in str(caught.value)
        assert repr(value) in str(caught.value)
        assert "seconds" in str(caught.value)
