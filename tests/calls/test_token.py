"""What belongs to one access token."""

from __future__ import annotations

from typing import Any, cast

from marketingblocks_async import RateLimit
from marketingblocks_async.calls.token import TokenContext
from marketingblocks_async.configuration import Secret
from marketingblocks_async.endpoints import CREATE_POST


def test_addresses_with_a_variable_part_do_not_keep_others_from_being_kept() -> None:
    context = TokenContext(Secret("token"), "https://a.example/api/v1", RateLimit())
    for number in range(100):
        context.url(f"social-sparks/post/{number}")
    assert str(context.url(CREATE_POST.path)) == f"https://a.example/api/v1/{CREATE_POST.path}"
    assert list(cast("Any", context)._urls) == [CREATE_POST.path]
