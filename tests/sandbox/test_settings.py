from __future__ import annotations

import json
from typing import Any

import pytest

from marketingblocks_async import InvalidArgumentError
from marketingblocks_async.sandbox import (
    Fault,
    PolicyName,
    PostTimings,
    Sandbox,
    SandboxSettings,
    TokenSpec,
    Variants,
)


def test_defaults_are_the_documented_limit() -> None:
    settings = Sandbox().settings
    assert (settings.policy, settings.limit, settings.per) == (PolicyName.SLIDING_LOG, 100, 1.0)
    assert (settings.host, settings.port) == ("127.0.0.1", 0)


def test_short_forms() -> None:
    settings = SandboxSettings.of(
        {
            "policy": "gcra",
            "faults": ["reset:times=2", Fault("drip")],
            "tokens": ["reader:social-read-posts@60", TokenSpec("writer", ("x",))],
            "variants": {"create_post": "nested", "string_ids": True},
            "timings": {"slot": 5.0},
        }
    )
    assert settings.policy is PolicyName.GCRA
    assert settings.faults == (Fault("reset", times=2), Fault("drip"))
    assert [token.name for token in settings.all_tokens] == ["default", "reader", "writer"]
    assert settings.tokens[0] == TokenSpec("reader", ("social-read-posts",), 60.0)
    assert settings.variants.string_ids
    assert settings.timings == PostTimings(slot=5.0)
    assert [token.name for token in SandboxSettings.of({"tokens": 2}).tokens] == ["token-1", "token-2"]
    assert SandboxSettings.of({"tokens": None}).tokens == ()


def test_json_round_trip() -> None:
    settings = SandboxSettings.of(
        {
            "policy": "token_bucket",
            "limit": 7,
            "retry_after": "http_date",
            "jitter": 0.25,
            "faults": [Fault("slow", token="a", rate=0.5, params={"delay": 2}), "too_many_requests:retry_after=1, 2"],
            "tokens": [TokenSpec("a", ("x", "y"), 5.0, 7, "s"), "b"],
            "seed": 5,
            "variants": Variants(missing_permission=401, extra_fields=True),
            "timings": PostTimings(0.0, 1.0, 2.0),
            "allow_external_web_hooks": True,
        }
    )
    assert SandboxSettings.from_json(settings.to_json()) == settings
    assert SandboxSettings.from_json("{}") == SandboxSettings()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"policy": "strict"}, "policy"),
        ({"limit": 0}, "limit must be at least 1"),
        ({"per": 0.0}, "per must be above 0"),
        ({"per": float("nan")}, "per must be above 0"),
        ({"tolerance": -1}, "tolerance"),
        ({"latency": -0.1}, "latency"),
        ({"latency": float("nan")}, "latency"),
        ({"jitter": float("inf")}, "jitter"),
        ({"port": 70000}, "port"),
        ({"retry_after": "a\r\nb"}, "retry_after"),
        ({"timings": {"slot": 0}}, "slot"),
        ({"timings": {"slots": 1}}, "slots"),
        ({"variants": {"create_post": "round"}}, "create_post"),
        ({"variants": {"createpost": "flat"}}, "createpost"),
        ({"tokens": ["a", "a"]}, "share a name"),
        ({"tokens": ["a@soon"]}, "number of seconds"),
        ({"tokens": "reader"}, "a list of tokens"),
        ({"tokens": ["default"]}, "share a name"),
        ({"faults": ["nonsense"]}, "no kind of fault"),
        ({"faults": "html_502:times=2"}, "give a list of faults"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_settings_that_cannot_be_are_refused(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Sandbox(**options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", json.dumps({"limit": "many"}), json.dumps({"limits": 1})])
def test_from_json_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        SandboxSettings.from_json(text)
    assert "errors.pydantic.dev" not in str(caught.value)


@pytest.mark.parametrize("options", [{"limit": 0}, {"tokens": (TokenSpec("a"), TokenSpec("a"))}])
def test_settings_raise_an_error_of_the_package(options: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        SandboxSettings(**options)
