"""What a test asserts about the posts in a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marketingblocks_async.models import CreatePost
from marketingblocks_async.sandbox import Sandbox


def assert_published(sandbox: Sandbox, *posts: str | CreatePost | Mapping[str, Any], only: bool = True) -> None:
    """Assert that the API was made to create these posts, each exactly as often as it is given.

    It looks at the sandbox's posts and not at the client's results: a post whose response was lost counts, and a post
    that was sent twice counts twice.

    Args:
        sandbox: where they should be.
        posts: all by their captions, or all as whole requests (objects or mappings with the API's field names).
        only: whether there may be no others.

    Raises:
        AssertionError: one is missing, is there too often, or was not expected. The message lists them.
        ValueError: captions and requests are mixed.

    """
    found = sandbox.ledger.compare(posts)
    problems = [f"missing: {item!r}" for item in found.lost]
    problems += [
        f"created {item.committed} times instead of {item.expected}: {item.item!r}" for item in found.duplicated
    ]
    if only:
        problems += [f"not expected: {item!r}" for item in found.unexpected]
    if problems:
        msg = "\n  ".join([f"the sandbox does not have exactly {'these' if only else 'those'} posts:", *problems])
        raise AssertionError(msg)
