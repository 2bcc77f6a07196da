from __future__ import annotations

import pytest

from marketingblocks_async.sandbox import DEFAULT_TOKEN, TokenSpec, Unlimited
from marketingblocks_async.sandbox.state.tokens import TokenBook
from tests.support.sandbox import FakeClock


def book(clock: FakeClock, *specs: TokenSpec) -> TokenBook:
    tokens = TokenBook(Unlimited, clock)
    for spec in specs:
        tokens.add(spec)
    return tokens


def test_secret_is_made_from_the_name() -> None:
    assert TokenSpec("reader").secret == "sandbox-token-reader"
    assert TokenSpec("a b/ü").secret == "sandbox-token-a-b--"
    assert TokenSpec("default").secret == DEFAULT_TOKEN
    assert TokenSpec("x", secret="mine").secret == "mine"


@pytest.mark.parametrize("secret", ["two words", "new\nline", "grün", "tab\t"])
def test_a_secret_must_fit_into_a_header(secret: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        TokenSpec("x", secret=secret)


def test_a_name_is_needed() -> None:
    with pytest.raises(ValueError, match="needs a name"):
        TokenSpec("")


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("a", TokenSpec("a")),
        ("a:social-create-post", TokenSpec("a", ("social-create-post",))),
        ("a:x, y@1.5", TokenSpec("a", ("x", "y"), 1.5)),
        ("a@60", TokenSpec("a", None, 60.0)),
        ("a:", TokenSpec("a", ())),
    ],
)
def test_parse(text: str, spec: TokenSpec) -> None:
    assert TokenSpec.parse(text) == spec


@pytest.mark.parametrize("text", ["", ":x", "a@soon", "@5"])
def test_parse_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r"needs a name|number of seconds"):
        TokenSpec.parse(text)


def test_expiry_by_time() -> None:
    clock = FakeClock()
    token = book(clock, TokenSpec("a", expires_in=60.0)).find("sandbox-token-a")
    assert token is not None
    assert token.present(clock())
    clock.move(59.9)
    assert token.present(clock())
    clock.move(0.1)
    assert not token.present(clock())


def test_expiry_by_requests() -> None:
    token = book(FakeClock(), TokenSpec("a", expires_after_requests=2)).find("sandbox-token-a")
    assert token is not None
    assert [token.present(0.0) for _ in range(4)] == [True, True, False, False]


def test_expire_and_restart() -> None:
    tokens = book(FakeClock(), TokenSpec("a"), TokenSpec("b", ("x",)))
    token = tokens.find("sandbox-token-a")
    assert token is not None
    token.expire()
    assert not token.present(0.0)
    tokens.restart()
    again = tokens.find("sandbox-token-a")
    assert again is not None
    assert again.present(0.0)
    assert [each.name for each in tokens] == ["a", "b"]


def test_permissions() -> None:
    tokens = book(FakeClock(), TokenSpec("all"), TokenSpec("some", ("x",)), TokenSpec("none", ()))
    assert [token.may("x") for token in tokens] == [True, True, False]
    assert [token.may("y") for token in tokens] == [True, False, False]


def test_names_and_secrets_are_unique() -> None:
    tokens = book(FakeClock(), TokenSpec("a"))
    with pytest.raises(ValueError, match="already"):
        tokens.add(TokenSpec("a", secret="other"))
    with pytest.raises(ValueError, match="already"):
        tokens.add(TokenSpec("b", secret="sandbox-token-a"))
    tokens.add(TokenSpec(tokens.unused_name()))
    tokens.add(TokenSpec(tokens.unused_name()))
    assert len({token.name for token in tokens}) == 3
