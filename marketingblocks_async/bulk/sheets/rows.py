"""From a raw row to a post, or to everything that is wrong with the row.

This is the only way from a file to a request: what is planned and what is sent are the same objects, made here.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from marketingblocks_async.models import CreatePost

from .cells import TOO_LONG_NUMBER, CellError, check_characters
from .display import RowError
from .explain import explain_row
from .raw_rows import RawRow
from .reading import read_cells

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Row:
    """One row that makes a valid post.

    Attributes:
        number: which data row it is, from 1; the header and blank rows do not count.
        key: what identifies the row: the text of its key column, or its number if that is empty.
        post: the request object, exactly as it is sent.
        content_hash: :func:`content_hash` of the post.

    """

    number: int
    key: str
    post: CreatePost
    content_hash: str


def canonical_json(post: CreatePost) -> str:
    """Return what ``post`` sends, as the one JSON text of it: names sorted, no white space, non-ASCII as it is."""
    return _CANONICAL.encode(post.wire())


def content_hash(post: CreatePost) -> str:
    """Return the SHA-256 (hexadecimal) of what ``post`` sends. Equal posts have equal hashes, in every version.

    Args:
        post: the post.

    """
    return hashlib.sha256(canonical_json(post).encode()).hexdigest()


def parse_row(raw: RawRow) -> Row | list[RowError]:
    """Return the post that a row says, or everything that is wrong with the row.

    Args:
        raw: from :func:`~marketingblocks_async.bulk.sheets.sources.read_rows`.

    Returns:
        A :class:`Row`, or a list of at least one :class:`RowError`. What a row holds never makes it raise.

    """
    try:
        return _row(raw)
    except (ValueError, OverflowError) as exc:
        # Cells, the request object and JSON refuse with a ValueError; a date at the end of the calendar overflows.
        return explain_row(raw, exc)


def _row(raw: RawRow) -> Row:
    if raw.unreadable is not None or raw.layout.problems:
        raise CellError
    values, key = read_cells(raw)
    post = CreatePost.model_validate(values)
    try:
        text = canonical_json(post)
    except ValueError:
        # All else was checked by the request object; only a number can be impossible to write down.
        raise CellError(TOO_LONG_NUMBER) from None
    # JSON escapes the control characters up to U+001F; the others, and half surrogate pairs, are not printable. Many
    # printable characters pass here at C speed, and what does not is looked at closely.
    if not text.isprintable() or "\\u00" in text or "\\b" in text or "\\f" in text:
        check_characters(post.wire())
    number = raw.number
    return Row(number, key or str(number), post, hashlib.sha256(text.encode()).hexdigest())
