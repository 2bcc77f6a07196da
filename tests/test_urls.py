"""One rule for what this machine is."""

from __future__ import annotations

import pytest

from marketingblocks_async.urls import can_be_looked_up, is_loopback


@pytest.mark.parametrize("host", ["localhost", "api.localhost", "127.0.0.1", "127.255.0.9", "::1"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.com",
        "localhost.example",
        "xlocalhost",
        "10.0.0.1",
        "126.255.255.255",
        "128.0.0.1",
        "127.1",
        "::",
        "[::1]",
    ],
)
def test_other_machines(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["a", "a.example", "x_y.example", "127.0.0.1", "::1", "a" * 63, ".".join("a" * 127)])
def test_names_that_can_be_looked_up(host: str) -> None:
    assert can_be_looked_up(host)


@pytest.mark.parametrize("host", ["", "a..b", ".a", "a.", "a" * 64, f"a.{'b' * 64}.c", ".".join("a" * 128)])
def test_names_that_cannot_be_looked_up(host: str) -> None:
    assert not can_be_looked_up(host)
