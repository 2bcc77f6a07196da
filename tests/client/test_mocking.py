"""Programs that use the client can be tested with the usual tools: mocks, subclasses, copies."""

from __future__ import annotations

import asyncio
import copy
import functools
from typing import Any
from unittest.mock import AsyncMock, Mock, create_autospec, patch

import aiohttp
import pytest

from marketingblocks_async import CreatedPost, MarketingBlocks
from marketingblocks_async.sandbox import Sandbox
from tests.support.examples import post_fields

CREATED = CreatedPost.model_validate({"post_id": 7})


async def test_an_autospec_has_the_operations() -> None:
    client: Any = create_autospec(MarketingBlocks, instance=True)
    client.posts.create.return_value = CREATED
    assert (await client.posts.create(**post_fields())).post_id == 7
    with pytest.raises(TypeError, match="missing"):
        await client.posts.get()
    with pytest.raises(AttributeError):
        _ = client.posts.publish


@pytest.mark.parametrize("group", ["posts", "generations", "channels", "comment_automations", "docs"])
async def test_an_operation_can_be_patched(group: str) -> None:
    client = MarketingBlocks("token")
    name = {"channels": "connect", "docs": "ask"}.get(group, "create")
    with patch.object(getattr(client, group), name, AsyncMock(return_value=CREATED)) as operation:
        assert await getattr(getattr(client, group), name)(1) is CREATED
    operation.assert_awaited_once_with(1)


class Ours(MarketingBlocks):
    """A client with something of its own."""

    def __init__(self, *, brand: str) -> None:
        super().__init__("token")
        self.brand = brand


def test_a_copy_keeps_the_attributes_of_a_subclass() -> None:
    client = Ours(brand="tulips")
    assert client.posts is client.posts
    for derived in (client.with_options(timeout=1.0), client.with_token("other")):
        assert isinstance(derived, Ours)
        assert derived.brand == "tulips"
        assert derived.posts is not client.posts


async def test_a_recorder_around_aiohttp_sees_the_calls_and_nothing_else(
    marketingblocks_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Any = vars(aiohttp.ClientSession)["_request"]
    recorded: list[dict[str, str]] = []

    # As vcrpy does it.
    @functools.wraps(real)
    async def record(session: aiohttp.ClientSession, method: str, url: Any, **options: Any) -> aiohttp.ClientResponse:
        recorded.append(copy.deepcopy(dict(options["headers"])))
        response: aiohttp.ClientResponse = await real(session, method, url, **options)
        return response

    monkeypatch.setattr(aiohttp.ClientSession, "_request", record)
    async with MarketingBlocks(marketingblocks_sandbox.token, base_url=marketingblocks_sandbox.base_url) as client:
        await client.posts.upcoming()
    assert [headers["Authorization"] for headers in recorded] == [f"Bearer {marketingblocks_sandbox.token}"]
    assert marketingblocks_sandbox.token not in repr(recorded)


async def test_a_mocked_session_can_be_handed_in() -> None:
    response: Any = Mock(status=200, headers={})
    response.content = Mock(total_bytes=2, **{"is_eof.return_value": True, "read_nowait.return_value": b"{}"})
    session: Any = create_autospec(aiohttp.ClientSession, instance=True)
    session.closed, session.auth, session.trust_env = False, None, False
    session._loop, session._middlewares = asyncio.get_running_loop(), ()
    session.request = AsyncMock(return_value=response)
    async with MarketingBlocks("token", session=session) as client:
        assert await client.request("GET", "anything") == {}
