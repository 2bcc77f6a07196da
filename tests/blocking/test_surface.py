"""The blocking surface cannot drift from the asynchronous one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import marketingblocks_async as asynchronous
from marketingblocks_async import blocking, bulk, client
from marketingblocks_async.blocking import client as blocking_client
from marketingblocks_async.resources import channels, comment_automations, docs, generations, posts

PAIRS: list[tuple[type[Any], type[Any]]] = [
    (asynchronous.MarketingBlocks, blocking.MarketingBlocks),
    (asynchronous.CreateMany, blocking.CreateMany),
    (bulk.BulkRun, blocking.BulkRun),
    (posts.Posts, blocking_client.Posts),
    (generations.Generations, blocking_client.Generations),
    (channels.Channels, blocking_client.Channels),
    (comment_automations.CommentAutomations, blocking_client.CommentAutomations),
    (docs.Docs, blocking_client.Docs),
    (client.RawClient, blocking_client.RawClient),
    (posts.RawPosts, blocking_client.RawPosts),
    (generations.RawGenerations, blocking_client.RawGenerations),
    (channels.RawChannels, blocking_client.RawChannels),
    (comment_automations.RawCommentAutomations, blocking_client.RawCommentAutomations),
]

# Objects and states of the loop; ``client.target`` has them, for code that runs there.
NOT_OFFERED = {
    "has_limiter",
    "connection_slots",
    "timeout",
    "token_fingerprint",
}


def public(kind: type[Any]) -> set[str]:
    return {name for name in (*dir(kind), *inspect.get_annotations(kind)) if not name.startswith("_")}


@pytest.mark.parametrize(("there", "here"), PAIRS, ids=lambda kind: kind.__module__ + "." + kind.__name__)
def test_every_name_has_a_counterpart(there: type[Any], here: type[Any]) -> None:
    assert public(there) - NOT_OFFERED <= public(here)


@pytest.mark.parametrize(("there", "here"), PAIRS, ids=lambda kind: kind.__module__ + "." + kind.__name__)
def test_counterparts_take_the_same_arguments_and_await_nothing(there: type[Any], here: type[Any]) -> None:
    for name in public(there) - NOT_OFFERED:
        theirs = inspect.getattr_static(there, name, None)
        if not inspect.isfunction(theirs):
            # A resource, which is a pair of its own.
            continue
        ours = getattr(here, name)
        assert not inspect.iscoroutinefunction(ours)
        assert parameters(ours) == parameters(theirs), name
        assert inspect.getdoc(ours)


@pytest.mark.parametrize(
    ("there", "here"),
    [
        (asynchronous.MarketingBlocks, blocking.MarketingBlocks),
        (bulk.BulkRun, blocking.BulkRun),
        (bulk.Journal, blocking.Journal),
        (bulk.create_journal, blocking.create_journal),
    ],
)
def test_what_makes_them_takes_the_same_arguments(there: Callable[..., Any], here: Callable[..., Any]) -> None:
    assert parameters(here) == parameters(there)


def parameters(function: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    found = inspect.signature(function).parameters.values()
    return [(each.name, each.kind, each.default) for each in found if each.name != "self"]
