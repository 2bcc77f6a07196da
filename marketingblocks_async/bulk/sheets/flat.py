"""Turn a post back into the cells of a row, for files that are corrected and read in again."""

from __future__ import annotations

import json

from marketingblocks_async.models import CreatePost

from .columns import LIST_SEPARATOR

FLAT_COLUMNS: tuple[str, ...] = (
    "channel_type",
    "channel_id",
    "post_type",
    "caption_text",
    "media_urls",
    "publish_mode",
    "schedule_time",
    "time_zone",
    "hash_tags",
    "twitter_threads",
    "post_extra.title",
    "post_extra.category",
    "post_extra.privacy_status",
)
"""The columns that hold a whole post; a file of rows from :func:`flatten_post` has them, and ``key`` if need be."""


def flatten_post(post: CreatePost, list_separator: str = LIST_SEPARATOR) -> dict[str, str]:
    """Return the cells that say ``post``: reading them gives an equal post.

    What no cell can say is the exception: a caption without text (a blank cell means "not given"), white space at the
    ends of other texts, control characters, the errors of spreadsheets (``#N/A``), and ``list_separator`` inside of
    hash tags.

    Args:
        post: the post.
        list_separator: what separates the entries of a list inside one cell.

    Returns:
        A cell for each of :data:`FLAT_COLUMNS`, in this order; empty if the post has nothing there.

    """
    cells = dict.fromkeys(FLAT_COLUMNS, "")
    cells |= {
        "channel_type": post.channel_type.value,
        "channel_id": str(post.channel_id),
        "post_type": post.post_type.value,
        "caption_text": post.caption_text,
        "media_urls": _addresses(post.media_urls, list_separator),
        "publish_mode": post.publish_mode.value,
        "schedule_time": post.schedule_time or "",
        "time_zone": post.time_zone or "",
        "hash_tags": post.hash_tags or "",
    }
    if post.twitter_threads is not None:
        cells["twitter_threads"] = _json([tweet.wire() for tweet in post.twitter_threads])
    if post.post_extra is not None:
        cells["post_extra.title"] = post.post_extra.title
        cells["post_extra.category"] = str(int(post.post_extra.category))
        cells["post_extra.privacy_status"] = post.post_extra.privacy_status.value
    return cells


def _addresses(addresses: list[str], separator: str) -> str:
    # An address with the separator in it, or one that reads like several, is only clear as JSON.
    plain = all(
        separator not in each and "," not in each and ";" not in each and each.split() == [each] for each in addresses
    )
    return separator.join(addresses) if plain and not "".join(addresses).startswith("[") else _json(addresses)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
