"""The endpoint table against the API reference."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

import marketingblocks_async
from marketingblocks_async.endpoints import DEFAULT_BASE_URL, ENDPOINTS, AnyEndpoint
from marketingblocks_async.models import (
    ChannelConnection,
    CommentAutomation,
    ConnectChannel,
    CreateCommentAutomation,
    CreatedPost,
    CreateGeneration,
    CreatePost,
    FindPost,
    FoundPost,
    Generation,
    ListPosts,
    PostList,
    UpcomingPosts,
    UpcomingPostsQuery,
    UpdateCommentAutomation,
)

# method, path below the API root, permission: as the reference prints them.
DOCUMENTED = {
    "create-post": ("POST", "social-sparks/create-post", "social-create-post", CreatePost, CreatedPost),
    "find-post": ("GET", "social-sparks/post/{post_id}", "social-view-post", FindPost, FoundPost),
    "get-posts": ("GET", "social-sparks/get-posts", "social-read-posts", ListPosts, PostList),
    "upcoming-posts": ("GET", "social-sparks/upcoming-posts", "social-read-posts", UpcomingPostsQuery, UpcomingPosts),
    "create-post-generation": (
        "POST",
        "social-sparks/create-post-generation",
        "social-post-generation",
        CreateGeneration,
        Generation,
    ),
    "connect-channel": ("POST", "social-sparks/connect-channel", "add-channels", ConnectChannel, ChannelConnection),
    "create-comment-automation": (
        "POST",
        "social-sparks/create-comment-automation",
        "create-comment-automation",
        CreateCommentAutomation,
        CommentAutomation,
    ),
    "update-comment-automation": (
        "PUT",
        "social-sparks/update-comment-automation",
        "update-comment-automation",
        UpdateCommentAutomation,
        CommentAutomation,
    ),
}


def test_the_table_is_the_reference() -> None:
    table = {e.name: (e.method, e.path, e.permission, e.request, e.response) for e in ENDPOINTS}
    assert table == DOCUMENTED
    assert len(ENDPOINTS) == len(table)


def test_the_api_root_is_the_documented_one() -> None:
    assert DEFAULT_BASE_URL == "https://app.marketingblocks.ai/api/v1"
    assert urlsplit(f"{DEFAULT_BASE_URL}/{ENDPOINTS[0].path}").path == "/api/v1/social-sparks/create-post"


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
class TestEveryEndpoint:
    def test_a_create_is_never_resent_and_a_read_or_an_update_may_be(self, endpoint: AnyEndpoint) -> None:
        assert endpoint.resend_is_harmless is (endpoint.method != "POST")

    def test_the_request_fills_every_variable_of_the_path(self, endpoint: AnyEndpoint) -> None:
        assert set(re.findall(r"{(\w+)}", endpoint.path)) <= set(endpoint.request.model_fields)

    def test_a_path_is_relative_and_needs_no_escaping(self, endpoint: AnyEndpoint) -> None:
        assert re.fullmatch(r"[a-z-]+(/([a-z-]+|{\w+}))+", endpoint.path)

    def test_the_request_says_which_permission_it_needs(self, endpoint: AnyEndpoint) -> None:
        assert endpoint.permission in (endpoint.request.__doc__ or "")

    def test_is_shown_with_what_matters(self, endpoint: AnyEndpoint) -> None:
        shown = repr(endpoint)
        assert all(part in shown for part in (endpoint.name, endpoint.method, endpoint.path, endpoint.permission))


def test_what_callers_use_of_it_is_public() -> None:
    models = {endpoint.request.__name__ for endpoint in ENDPOINTS} - {"FindPost", "ListPosts", "UpcomingPostsQuery"}
    assert models | {endpoint.response.__name__ for endpoint in ENDPOINTS} <= set(marketingblocks_async.__all__)
