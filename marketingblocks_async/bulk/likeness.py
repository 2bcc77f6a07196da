"""Compare posts by what their readers see: white space at the ends of texts makes no other post."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from marketingblocks_async.models.base import is_array, is_object

from .sheets.cells import BLANKS
from .sheets.rows import canonical_text

_BLANK = f"(?:[{BLANKS}]|\\\\[nrt])"
# It begins with the quote, since a search for one character is about ten times as fast.
_MAY_BE_PADDED = re.compile(f'"(?:{_BLANK}|(?<=[{BLANKS}]")|(?<=\\\\[nrt]"))')
"""A blank beside a quote, as in the JSON of a text with white space at an end."""


def without_ends(value: Any) -> Any:
    """Return parsed JSON without the white space at the ends of its texts."""
    if isinstance(value, str):
        return value.strip(BLANKS)
    if is_array(value):
        return [without_ends(each) for each in value]
    if is_object(value):
        return {name: without_ends(each) for name, each in value.items()}
    return value


def likeness(content_hash: str, request: str) -> str:
    """Return a hash that is the same for posts which differ in white space at the ends of texts only.

    Args:
        content_hash: of the request.
        request: its canonical JSON text, as rows and journals have it.

    Returns:
        ``content_hash`` itself, unless the request has such white space.

    """
    if not content_hash or _MAY_BE_PADDED.search(request) is None:
        return content_hash
    try:
        return likeness_of(request)
    except ValueError:
        # A damaged line of a journal.
        return content_hash


def likeness_of(request: str) -> str:
    """Return the ``likeness()`` of a post from its request, whatever the form of that JSON text."""
    return hashlib.sha256(canonical_text(without_ends(json.loads(request))).encode()).hexdigest()
